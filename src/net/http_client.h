/*
 * net/http_client.h - outbound HTTP on libcurl's multi interface, read from a fiber.
 *
 * Owns    its easy handles and connections; curl is initialised on the first
 *         request only (start-up stays cheap).
 * Waits   http_open() until the response headers are there, http_read() until
 *         bytes arrive; each has its own deadline, a point in time as
 *         fiber_deadline() gives it. Reads push back: past HTTP_CLIENT_BUFFER
 *         unread bytes curl is paused. One fiber reads a response.
 * Proxy   the environment's, as curl reads it, for GUARD_TRUST_ORIGIN only:
 *         behind a proxy the address reached cannot be checked. Never for
 *         loopback hosts.
 * Safety  sockets are CLOEXEC and pass net/guard in curl's socket hook;
 *         redirects are followed only when asked, re-checked at each hop,
 *         credentials stripped on a change of origin; TLS is verified.
 * Fails   CH_E_PEER (text says which part: resolving, connecting, TLS, cut),
 *         CH_E_TIMEOUT, CH_E_DENIED (guard), CH_E_CANCELED.
 */
#ifndef CH_NET_HTTP_CLIENT_H
#define CH_NET_HTTP_CLIENT_H

#include "core/arena.h"
#include "core/buf.h"
#include "core/err.h"
#include "core/loop.h"
#include "net/guard.h"
#include "net/http_server.h"

#define HTTP_CLIENT_BUFFER (64u * 1024u)
#define HTTP_CLIENT_CONNECT_MS 15000

struct http_client;
struct http_resp;

struct http_out {
	const char *method;              /* NULL: GET, or POST with a body */
	const char *url;
	const struct http_header *headers;
	size_t header_count;
	const char *body;                /* borrowed until http_open() returns */
	size_t body_len;
	bool body_stays;                 /* … until http_resp_free(): no copy is made of it */
	enum guard_policy guard;
	int max_redirects;               /* 0: redirects are answers */
	int64_t headers_deadline_ms;     /* for everything up to the response headers, redirects included */
	const char *ca_file;             /* extra trust anchor (PEM), or NULL */
	const char *proxy;               /* http(s)://, socks5(h)://: this one for this request, for GUARD_TRUST_ORIGIN only; or NULL */
	bool is_ipv4_only;               /* for hosts whose IPv6 is broken */
	bool is_single_use;              /* a connection of its own: what is sent is never sent twice (on a reused one that was
					    found dead it would be) */
	bool *ret_sent;                  /* set once a connection stood and the request began to be written; NULL is fine */
};

struct http_client *http_client_new(struct loop *l);
void http_client_free(struct http_client *c);
CH_FIBER CH_MUST_USE ch_status http_open(struct http_client *c, const struct http_out *rq,
					 struct http_resp **ret, struct ch_err *err);
int http_resp_status(const struct http_resp *r);
const char *http_resp_header(const struct http_resp *r, const char *name);     /* name in lower case */
const char *http_resp_url(const struct http_resp *r);                          /* after redirects */
/* Up to cap bytes; *ret_n is 0 at the clean end. A cut body is CH_E_PEER. */
CH_FIBER CH_MUST_USE ch_status http_read(struct http_resp *r, void *p, size_t cap, int64_t deadline_ms,
					 size_t *ret_n, struct ch_err *err);
/* The rest of the body, up to the buffer's ceiling. */
CH_FIBER CH_MUST_USE ch_status http_read_all(struct http_resp *r, struct buf *ret, int64_t deadline_ms, struct ch_err *err);
/* Ends the transfer wherever it is; NULL is fine. */
void http_resp_free(struct http_resp *r);
CH_AUTO_DEFINE(http_resp_free, struct http_resp)

#endif
