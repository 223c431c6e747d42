/*
 * web/fetch_headers.c - the headers of a fetch: those of the configuration (tools.web.fetch.headers) and ours.
 *
 * A header that no request can carry is left out and named in the log, the rest is sent: one typing error must not
 * take the tool away.
 */
#include <string.h>

#include "core/log.h"
#include "core/str.h"
#include "web/body.h"
#include "web/fetch_priv.h"

#define USER_AGENT "Mozilla/5.0 (compatible; chela/" CHELA_VERSION ")"
#define ACCEPT "text/markdown, text/html;q=0.9, application/xhtml+xml;q=0.9, application/json;q=0.8, text/*;q=0.7, */*;q=0.1"
#define TOKEN "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~"

/* Set by us, or by HTTP itself. */
static const char *const reserved[] = {
	"accept", "accept-encoding", "accept-language", "connection", "content-length", "expect", "host", "http2-settings",
	"keep-alive", "proxy-authorization", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "user-agent",
};

static const char *trouble_with(const char *name, const char *value)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	char *lower = arena_strdup(a, name);

	str_lower(lower);
	if (!*name || name[strspn(name, TOKEN)])
		return "is no name of a header";
	if (str_in(lower, reserved, CH_ARRAY_LEN(reserved)))
		return "is not for the configuration to set";
	if (!value || strpbrk(value, "\r\n"))
		return "has a value that no header can carry";
	for (const char *p = value; *p; p++)
		if ((unsigned char)*p < 0x20 && *p != '\t')
			return "has a value that no header can carry";
	return NULL;
}

/* The later of two names that differ in case only counts. */
static bool comes_again(const struct json *h)
{
	for (const struct json *later = h->next; later; later = later->next)
		if (str_ieq(later->key, h->key))
			return true;
	return false;
}

static CH_FIBER ch_status read_own(const struct config *c, struct arena *a, struct fetch_headers *ret, struct ch_err *err)
{
	json_each(h, config_get(c, "tools.web.fetch.headers")) {
		const char *path = arena_printf(a, "tools.web.fetch.headers[\"%s\"]", h->key), *trouble;
		struct secret *value = NULL;
		ch_status st;

		if (ret->count == FETCH_HEADERS_MAX)
			return ch_fail(err, CH_E_LIMIT, "tools.web.fetch.headers has more than %d entries", FETCH_HEADERS_MAX);
		trouble = comes_again(h) ? "is given twice" : strpbrk(h->key, "\"\\]") ? "is no name of a header" : NULL;
		if (!trouble && json_is(h, JSON_STR) && !*h->str)
			continue;
		if (!trouble) {
			st = config_secret(c, path, &value, err);
			if (st)
				return st;
			trouble = trouble_with(h->key, secret_reveal(value));
		}
		if (trouble) {
			log_warn("web", "tools.web.fetch.headers: %s %s; it is left out", log_quote(h->key), trouble);
			secret_unref(value);
			continue;
		}
		ret->secrets[ret->count] = value;
		ret->at[ret->count++] = (struct http_header){ h->key, secret_reveal(value) };
	}
	return CH_OK;
}

CH_FIBER ch_status fetch_headers_read(const struct config *c, struct arena *a, struct fetch_headers *ret, struct ch_err *err)
{
	const char *agent = config_str(c, "tools.web.fetch.userAgent");
	ch_status st = read_own(c, a, ret, err);

	if (st)
		return st;
	ret->own_count = ret->count;
	ret->at[ret->count++] = (struct http_header){ "user-agent", agent && !strpbrk(agent, "\r\n") ? agent : USER_AGENT };
	ret->at[ret->count++] = (struct http_header){ "accept", ACCEPT };
	ret->at[ret->count++] = (struct http_header){ "accept-language", "en-US,en;q=0.9" };
	ret->at[ret->count++] = (struct http_header){ "accept-encoding", BODY_ACCEPT_ENCODING };
	return CH_OK;
}

void fetch_headers_done(struct fetch_headers *h)
{
	for (size_t i = 0; i < FETCH_HEADERS_MAX; i++)
		secret_unref(h->secrets[i]);
	*h = (struct fetch_headers){ 0 };
}
