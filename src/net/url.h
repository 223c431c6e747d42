/*
 * net/url.h - URLs taken apart (RFC 3986 subset: http, https, ws, wss).
 */
#ifndef CH_NET_URL_H
#define CH_NET_URL_H

#include "core/arena.h"
#include "core/err.h"

struct url {
	const char *scheme;      /* lower case */
	const char *host;        /* lower case, without [] of IPv6; no trailing dot */
	uint16_t port;           /* the scheme's default when absent */
	bool host_is_ipv6;
	const char *path;        /* "/" at least, as sent */
	const char *query;       /* without '?', or NULL */
	const char *fragment;    /* without '#', or NULL */
};

/* Refuses userinfo, empty hosts, other schemes, control bytes and ports out of range. */
CH_MUST_USE ch_status url_parse(struct arena *a, const char *text, struct url *ret, struct ch_err *err);
/* Same scheme, host and port. */
bool url_same_origin(const struct url *a, const struct url *b);
/* What a reference leads to from a page with the absolute address `base`, read as browsers do; NULL when that is no such URL. */
char *url_join(struct arena *a, const char *base, const char *ref);
/* %XX decoding; NULL when malformed or when it decodes to a NUL. */
char *url_decode(struct arena *a, const char *s, size_t n);
char *url_encode(struct arena *a, const char *s);
/* The decoded value of a query parameter, or NULL. */
const char *url_query_get(struct arena *a, const char *query, const char *name);

#endif
