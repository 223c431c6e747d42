/*
 * gateway/origin.h - which web pages may talk to us, and under which names.
 *
 * Two checks. The Origin header says which page opens a socket; it is parsed and
 * compared as scheme, host and port, never by prefix or suffix of its text. The Host
 * header says under which name we were reached; a name that is not ours means DNS rebinding.
 */
#ifndef CH_GATEWAY_ORIGIN_H
#define CH_GATEWAY_ORIGIN_H

#include "core/arena.h"

struct origin {
	const char *scheme;              /* "http" or "https" */
	const char *host;                /* lower case, IPv6 without brackets */
	uint16_t port;
};
/* Refuses "null", userinfo, paths, other schemes, trailing dots, empty hosts and ports out of range. */
bool origin_parse(struct arena *a, const char *text, struct origin *ret);
/* "host", "host:port", "[v6]:port"; the port defaults to default_port. */
bool origin_parse_host(struct arena *a, const char *text, uint16_t default_port, struct origin *ret);

/* localhost, 127.0.0.0/8, ::1 and their IPv4-mapped form; nothing that merely looks like it. */
bool host_is_loopback(const char *host);
/* A numeric address within private, link-local, unique-local or CGNAT ranges, or loopback. */
bool host_is_private_ip(const char *host);
bool host_is_ip(const char *host);

enum origin_verdict {
	ORIGIN_ALLOWLIST,
	ORIGIN_HOST_FALLBACK,
	ORIGIN_SAME_HOST,
	ORIGIN_LOCAL,
	ORIGIN_INVALID,
	ORIGIN_DENIED
};

struct origin_query {
	const char *origin;              /* the header, or NULL */
	const char *host;                /* the Host header, or NULL */
	bool is_tls;
	bool via_proxy;                  /* a trusted proxy sits between: its scheme may differ */
	bool is_local;                   /* the peer is on this machine and nobody forwarded it */
	const char *const *allowed;      /* gateway.controlUi.allowedOrigins, NULL-ended */
	bool allow_host_fallback;
};
enum origin_verdict origin_check(struct arena *a, const struct origin_query *q);

struct host_query {
	const char *host;                /* the Host header, or NULL */
	bool bind_is_loopback;
	const char *const *allowed;      /* allowedOrigins */
	const char *public_origin;       /* gateway.publicOrigin, or NULL */
	const char *machine_name;        /* or NULL */
};
/*
 * May we answer to this name? IP literals cannot be rebound, so all are fine unless only loopback is bound.
 */
bool origin_host_allowed(struct arena *a, const struct host_query *q);

#endif
