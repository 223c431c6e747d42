/*
 * net/ws_client.h - outbound ws:// and wss://, read from a fiber.
 *
 * ws:// to a numeric address or "localhost" uses a plain socket on the loop
 * (a CLI verb pays nothing for curl); everything else goes through libcurl's CONNECT_ONLY
 * (proxies, DNS, TLS) and the same codec.
 * Pings are answered inside; ws_client_read() gives whole messages. A protocol without heartbeats of its own watches
 * ws_client_heard_ms() and sends ws_client_ping() when it was silent.
 * Fails   CH_E_PEER with the close code and reason in the text.
 */
#ifndef CH_NET_WS_CLIENT_H
#define CH_NET_WS_CLIENT_H

#include "core/err.h"
#include "core/loop.h"
#include "net/guard.h"
#include "net/http_server.h"

struct ws_client;
struct http_client;

struct ws_client_opts {
	const char *url;
	const struct http_header *headers;
	size_t header_count;
	const char *tls_fingerprint;     /* SHA-256 hex to pin instead of CA checking, or NULL */
	const char *ca_file;             /* extra trust anchor (PEM), or NULL */
	const char *proxy;               /* as in struct http_out; for wss:// and names only */
	enum guard_policy guard;
	size_t message_max;
	int64_t deadline_ms;             /* for the handshake */
};

/* http may be NULL for plain loopback connections. */
CH_FIBER CH_MUST_USE ch_status ws_client_open(struct loop *l, struct http_client *http, const struct ws_client_opts *opts,
					      struct ws_client **ret, struct ch_err *err);
/* text is NUL-terminated, owned by the client until the next read. CH_E_EOF after a clean close. */
CH_FIBER CH_MUST_USE ch_status ws_client_read(struct ws_client *c, int64_t deadline_ms, char **ret_text, size_t *ret_len,
					      struct ch_err *err);
CH_FIBER CH_MUST_USE ch_status ws_client_send(struct ws_client *c, const char *text, size_t len, int64_t deadline_ms,
					      struct ch_err *err);
/* When bytes last came from the server, of whatever kind; on now_mono_ms()'s clock. */
int64_t ws_client_heard_ms(const struct ws_client *c);
/* Asks for a sign of life; nothing once it has ended. */
void ws_client_ping(struct ws_client *c);
uint16_t ws_client_close_code(const struct ws_client *c);      /* 0 while open */
const char *ws_client_close_reason(const struct ws_client *c);
/* Closing handshake within the deadline, then frees; NULL is fine. */
CH_FIBER void ws_client_close(struct ws_client *c, uint16_t code, const char *reason, int64_t deadline_ms);

#endif
