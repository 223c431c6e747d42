/*
 * net/wire.h - an outbound byte stream for net/ws_client: a plain TCP socket,
 * or one that libcurl connected (names, proxies, TLS). Internal to net/.
 *
 * Owns    the socket and what wire_send() could not write yet.
 * Lives   wire_open() to wire_free(), which is safe inside callbacks: they
 *         stop at once.
 * Runs    callbacks come from the loop's poll phase, or from inside
 *         wire_send() and wire_pause(); on_end comes once, last.
 * Limits  WIRE_OUT_MAX bytes queued.
 */
#ifndef CH_NET_WIRE_H
#define CH_NET_WIRE_H

#include "core/err.h"
#include "core/loop.h"
#include "net/guard.h"
#include "net/url.h"

#define WIRE_OUT_MAX ((size_t)64 << 20)

struct http_client;
struct wire;

struct wire_ops {
	void (*on_bytes)(void *arg, char *p, size_t n);          /* p may be modified */
	void (*on_end)(void *arg, ch_status st, const char *text); /* CH_E_EOF: the peer closed; CH_E_PEER: it broke */
	void (*on_drain)(void *arg);                             /* nothing is queued any more */
};

struct wire_opts {
	const struct url *url;
	enum guard_policy guard;
	const char *ca_file, *tls_fingerprint;                   /* as in curl_xfer_opts */
	const char *proxy;                                       /* the same; not for numeric ws:// addresses */
	int64_t deadline_ms;
	const struct wire_ops *ops;
	void *arg;
};

/* http may be NULL when the URL is ws:// to a numeric address or "localhost". */
CH_FIBER CH_MUST_USE ch_status wire_open(struct loop *l, struct http_client *http, const struct wire_opts *opts,
					 struct wire **ret, struct ch_err *err);
/* Copies the bytes; false past WIRE_OUT_MAX or after the end. */
bool wire_send(struct wire *w, const void *p, size_t n);
size_t wire_queued(const struct wire *w);
/* Stops or goes on giving bytes. */
void wire_pause(struct wire *w, bool paused);
void wire_free(struct wire *w);                                  /* NULL is fine */

#endif
