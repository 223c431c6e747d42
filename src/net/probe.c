/*
 * net/probe.c - does anybody listen there?
 */
#include "net/probe.h"

#include <arpa/inet.h>

#include "core/str.h"
#include "net/wire.h"

static void on_bytes(void *arg, char *p, size_t n)
{
}

static void on_end(void *arg, ch_status st, const char *text)
{
}

static bool is_numeric(const char *host)
{
	struct in6_addr addr;

	return inet_pton(AF_INET, host, &addr) == 1 || inet_pton(AF_INET6, host, &addr) == 1;
}

bool probe_listens(struct loop *l, const char *base_url, int64_t deadline_ms)
{
	static const struct wire_ops ops = { .on_bytes = on_bytes, .on_end = on_end };
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct wire *w = NULL;
	struct url url;

	if (url_parse(a, base_url, &url, NULL))
		return false;
	if (!is_numeric(url.host) && !str_eq(url.host, "localhost"))
		return true;
	url.scheme = "ws";               /* plain TCP is all that is asked */
	struct wire_opts opts = { .url = &url, .guard = GUARD_TRUST_ORIGIN, .deadline_ms = deadline_ms, .ops = &ops };
	bool listens = wire_open(l, NULL, &opts, &w, NULL) == CH_OK;

	wire_free(w);
	return listens;
}
