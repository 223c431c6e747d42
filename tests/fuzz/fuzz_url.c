/*
 * fuzz_url.c - what url_parse() takes: libcurl (which connects to it) takes it
 * apart the same way, and putting it together again changes nothing. Text
 * survives encoding; malformed percent signs never crash.
 */
#include "fuzz.h"

#include <curl/curl.h>

#include "core/buf.h"
#include "core/str.h"
#include "net/url.h"

static bool same_part(CURLU *u, CURLUPart part, unsigned flags, const char *ours)
{
	char *theirs = NULL;
	CURLUcode st = curl_url_get(u, part, &theirs, flags);
	bool is_same = st == CURLUE_OK ? str_eq(theirs, ours) : ours == NULL;

	curl_free(theirs);
	return is_same;
}

/* curl rewrites hosts that spell an IPv4 address in unusual ways; names it must leave alone. */
static bool looks_numeric(const char *host)
{
	const char *last = strrchr(host, '.');

	last = last ? last + 1 : host;
	return *last >= '0' && *last <= '9';
}

static void compare_curl(const char *text, const struct url *u)
{
	CURLU *c = curl_url();
	char port[8];

	FUZZ_ASSERT(curl_url_set(c, CURLUPART_URL, text, CURLU_NON_SUPPORT_SCHEME | CURLU_PATH_AS_IS) ==
		    CURLUE_OK);
	snprintf(port, sizeof(port), "%u", u->port);
	FUZZ_ASSERT(same_part(c, CURLUPART_SCHEME, 0, u->scheme));
	if (str_starts(u->scheme, "http"))
		FUZZ_ASSERT(same_part(c, CURLUPART_PORT, CURLU_DEFAULT_PORT, port));
	FUZZ_ASSERT(same_part(c, CURLUPART_PATH, 0, u->path));
	FUZZ_ASSERT(same_part(c, CURLUPART_USER, 0, NULL));
	if (!u->host_is_ipv6 && !looks_numeric(u->host)) {
		char *host = NULL;
		size_t n = strlen(u->host);

		FUZZ_ASSERT(curl_url_get(c, CURLUPART_HOST, &host, 0) == CURLUE_OK);
		FUZZ_ASSERT(!strncasecmp(host, u->host, n) && (!host[n] || !strcmp(host + n, ".")));
		curl_free(host);
	}
	curl_url_cleanup(c);
}

static void parse(const char *text)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct url u, again;
	struct ch_err err = { 0 };
	const char *whole;

	if (url_parse(a, text, &u, &err)) {
		FUZZ_ASSERT(*err.text);
		return;
	}
	FUZZ_ASSERT(*u.host && u.port && u.path[0] == '/' && !strpbrk(u.host, "/?#@\\ "));
	whole = arena_printf(a, u.host_is_ipv6 ? "%s://[%s]:%u%s%s%s%s%s" : "%s://%s:%u%s%s%s%s%s", u.scheme,
			     u.host, u.port, u.path, u.query ? "?" : "", u.query ? u.query : "",
			     u.fragment ? "#" : "", u.fragment ? u.fragment : "");
	FUZZ_ASSERT(url_parse(a, whole, &again, NULL) == CH_OK && url_same_origin(&u, &again));
	FUZZ_ASSERT(str_eq(u.path, again.path) && str_eq(u.query, again.query) &&
		    str_eq(u.fragment, again.fragment));
	compare_curl(text, &u);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	char *text = arena_strndup(a, (const char *)data, size), *back;

	parse(text);
	(void)url_decode(a, (const char *)data, size);
	(void)url_query_get(a, text, "a");
	back = url_encode(a, text);
	FUZZ_ASSERT(str_eq(url_decode(a, back, strlen(back)), text));
	back = arena_printf(a, "b&x=1&k=%s&k=2", back);
	FUZZ_ASSERT(str_eq(url_query_get(a, back, "k"), text));
	return 0;
}
