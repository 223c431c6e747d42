/*
 * net/curl_loop.h - libcurl's multi interface on our loop. Internal to net/.
 *
 * Owns    the multi handle with its pool of connections, one poll handle per
 *         socket, one timer. A struct curl_xfer is one transfer, in the
 *         caller's memory from curl_xfer_init() to curl_xfer_done().
 * Lives   curl_loop_new() initialises libcurl; nothing before it does.
 * Runs    callbacks record and wake `waiter`; whoever is woken calls libcurl
 *         from its fiber, never from inside a callback.
 * Limits  CURL_LOOP_IDLE_MAX pooled connections; transfers have no time limit
 *         of their own: the waiting fiber has the deadline.
 * Safety  each new connection passes net/guard in the socket hook, each reused
 *         one before the request is written, so that a connection opened for a
 *         trusted origin is no way around the guard. Sockets are CLOEXEC.
 */
#ifndef CH_NET_CURL_LOOP_H
#define CH_NET_CURL_LOOP_H


#include "core/err.h"
#include "core/fiber.h"
#include "core/loop.h"
#include "net/curl_api.h"
#include "net/guard.h"

#define CURL_LOOP_IDLE_MAX 16        /* an idle TLS connection costs about 60 KiB */
#define CURL_ORIGIN_MAX 128

struct curl_loop;
struct http_client;

struct curl_xfer_opts {
	const char *url;                 /* http or https */
	enum guard_policy guard;
	const char *ca_file;             /* extra trust anchor (PEM), or NULL */
	const char *proxy;               /* instead of the environment's; GUARD_TRUST_ORIGIN only; or NULL */
	bool is_ipv4_only;
	const char *tls_fingerprint;     /* pinned SHA-256 instead of CA checking: 64 hex digits, or NULL */
	bool connect_only;               /* stop when connected; then curl_easy_send(), curl_easy_recv() */
};

struct curl_xfer {
	/* For callers to read. */
	CURL *easy;
	bool is_done;
	CURLcode result;                 /* once is_done */
	bool is_sent;                    /* connected; the request began to be written */
	char origin[CURL_ORIGIN_MAX];    /* "https://host:port", cut when longer: names the peer in errors */
	/* For callers to set. */
	struct fiber *waiter;            /* woken at the end */
	/* Private. */
	struct curl_loop *loop;
	enum guard_policy guard;
	bool is_added;
	char denied[96];                 /* what the guard refused, "" for nothing */
	char pin[65];
	char message[CURL_ERROR_SIZE];
};

CH_MUST_USE ch_status curl_loop_new(struct loop *l, struct curl_loop **ret, struct ch_err *err);
/* No transfer may be left. */
void curl_loop_free(struct curl_loop *cl);

/* Makes x->easy with everything that is common to all transfers; on failure there is nothing to undo. */
CH_MUST_USE ch_status curl_xfer_init(struct curl_xfer *x, struct curl_loop *cl, const struct curl_xfer_opts *opts,
				     struct ch_err *err);
CH_MUST_USE ch_status curl_xfer_start(struct curl_xfer *x, struct ch_err *err);
/* Parks once: CH_OK after any wake, so loop over your own condition. Fails with CH_E_TIMEOUT, CH_E_CANCELED. */
CH_FIBER CH_MUST_USE ch_status curl_xfer_wait(struct curl_xfer *x, int64_t deadline_ms, const char *what,
					      struct ch_err *err);
/* Puts a failed transfer's reason into err; x->is_done and a result other than CURLE_OK. */
ch_status curl_xfer_fail(const struct curl_xfer *x, struct ch_err *err);
/* Ends the transfer wherever it is. Zeroed memory is fine. */
void curl_xfer_done(struct curl_xfer *x);

/* The client's loop, made on first use (http_client.c). */
CH_MUST_USE ch_status http_client_curl(struct http_client *c, struct curl_loop **ret, struct ch_err *err);

#endif
