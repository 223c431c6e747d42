/*
 * net/line_conn.h - an outbound TCP or TLS stream, read and written by lines.
 *
 * Owns    the socket, what came and was not read yet, what was sent and is not written yet.
 * Lives   counted: a fiber that sends may hold it longer than the one that reads. line_conn_close() ends it for all.
 * Runs    on the loop thread; one fiber reads, any may send.
 * Limits  LINE_CONN_MAX bytes a line (the peer breaks that: CH_E_PEER), LINE_CONN_AHEAD bytes read ahead.
 * Fails   CH_E_EOF when the peer closed, CH_E_PEER when it broke, CH_E_TIMEOUT, CH_E_CANCELED.
 */
#ifndef CH_NET_LINE_CONN_H
#define CH_NET_LINE_CONN_H

#include "core/err.h"
#include "core/loop.h"
#include "net/guard.h"

#define LINE_CONN_MAX 16384u
#define LINE_CONN_AHEAD (128u << 10)

struct http_client;
struct line_conn;

struct line_conn_opts {
	const char *host;                /* name or address */
	uint16_t port;
	bool is_tls;
	enum guard_policy guard;
	const char *ca_file;             /* a further trust anchor (PEM), or NULL */
	const char *tls_fingerprint;     /* SHA-256 of the certificate instead of authorities: 64 hex digits, or NULL */
	int64_t deadline_ms;             /* until it is connected */
};
CH_FIBER CH_MUST_USE ch_status line_conn_open(struct loop *l, struct http_client *http, const struct line_conn_opts *opts,
					      struct line_conn **ret, struct ch_err *err);
struct line_conn *line_conn_ref(struct line_conn *c);
void line_conn_unref(struct line_conn *c);
CH_AUTO_DEFINE(line_conn_unref, struct line_conn)

/* The next line without its end (LF or CRLF), NUL-terminated (a NUL within ends it early for C), good until the next read. */
CH_FIBER CH_MUST_USE ch_status line_conn_read(struct line_conn *c, int64_t deadline_ms, char **ret, size_t *ret_len, struct ch_err *err);
/* Sends text as it is (with its line ends), and waits while too much is queued. CH_OK: the system has it or will get it. */
CH_FIBER CH_MUST_USE ch_status line_conn_send(struct line_conn *c, const char *text, size_t len, int64_t deadline_ms,
					      struct ch_err *err);
/* Ends it; readers and senders get CH_E_PEER. What is queued is written first, for linger_ms at most. */
CH_FIBER void line_conn_close(struct line_conn *c, int64_t linger_ms);

#endif
