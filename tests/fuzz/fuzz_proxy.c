/*
 * fuzz_proxy.c - heads of proxy requests: what passes is one host, one port and a head that cannot be read as two.
 */
#include "fuzz.h"

#include <string.h>

#include "core/str.h"
#include "exec/proxy.h"

static void check_head(const struct proxy_target *t)
{
	size_t hosts = 0;

	FUZZ_ASSERT(t->head_len >= 4 && !memcmp(t->head + t->head_len - 4, "\r\n\r\n", 4));
	FUZZ_ASSERT(memmem(t->head, t->head_len, "\r\n\r\n", 4) == t->head + t->head_len - 4);
	for (const char *p = t->head; (p = memmem(p, (size_t)(t->head + t->head_len - p), "\r\n", 2)); p += 2) {
		FUZZ_ASSERT(strncasecmp(p + 2, "proxy-", 6) != 0);
		hosts += !strncasecmp(p + 2, "host:", 5);
	}
	FUZZ_ASSERT(hosts == 1);
	for (size_t i = 0; i < t->head_len; i++) {
		FUZZ_ASSERT(t->head[i]);
		FUZZ_ASSERT(t->head[i] != '\n' || (i && t->head[i - 1] == '\r'));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CH_AUTO(arena_unref) struct arena *a = NULL;
	struct proxy_target t = { 0 };
	struct ch_err err = { 0 };

	if (size > PROXY_HEAD_MAX)
		return 0;
	a = arena_new(1u << 20);
	if (proxy_request_parse(a, (const char *)data, size, &t, &err)) {
		FUZZ_ASSERT(err.text[0]);
		return 0;
	}
	FUZZ_ASSERT(t.port && t.host && t.host[0]);
	for (const char *p = t.host; *p; p++)
		FUZZ_ASSERT((*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9') || strchr("-._:", *p));
	const char *const only[] = { "x.invalid", NULL };

	FUZZ_ASSERT(str_eq(t.host, "x.invalid") || !proxy_host_allowed(only, t.host, t.port));
	FUZZ_ASSERT(t.is_connect == !t.head);
	if (t.head)
		check_head(&t);
	return 0;
}
