/*
 * net/tls.h - TLS for the server side, OpenSSL 3 over a BIO in memory (no I/O of its own).
 *
 * A struct tls_ctx is shared by all connections of a listener; tls_conn is one
 * connection's state: ciphertext in, plaintext out, and the reverse.
 * TLS 1.2 at least; ALPN http/1.1.
 *
 * Lives   a context is counted; tls_ctx_free() drops a reference, connections hold one each.
 * Limits  1 MiB written before the handshake is done (CH_E_LIMIT).
 */
#ifndef CH_NET_TLS_H
#define CH_NET_TLS_H

#include "core/buf.h"
#include "core/err.h"

struct tls_ctx;
struct tls_conn;

CH_MUST_USE ch_status tls_ctx_load(const char *cert_path, const char *key_path, const char *ca_path,
				   struct tls_ctx **ret, struct ch_err *err);
/*
 * Makes a self-signed P-256 certificate for 825 days, CN localhost, SAN
 * localhost, 127.0.0.1, ::1 and the host's name. The key's file is 0600.
 */
CH_MUST_USE ch_status tls_self_signed(const char *cert_path, const char *key_path, struct ch_err *err);
/* SHA-256 of the certificate, lower-case hex. */
void tls_ctx_fingerprint(const struct tls_ctx *ctx, char ret_text[65]);
struct tls_ctx *tls_ctx_ref(struct tls_ctx *ctx);                /* NULL gives NULL */
void tls_ctx_free(struct tls_ctx *ctx);
CH_AUTO_DEFINE(tls_ctx_free, struct tls_ctx)

struct tls_conn *tls_conn_new(struct tls_ctx *ctx);
void tls_conn_free(struct tls_conn *c);
CH_AUTO_DEFINE(tls_conn_free, struct tls_conn)
/*
 * Feeds ciphertext; plaintext is appended to plain, ciphertext to send to
 * cipher. CH_E_PEER on a TLS error, CH_E_EOF on close_notify.
 */
CH_MUST_USE ch_status tls_conn_feed(struct tls_conn *c, const void *p, size_t n, struct buf *plain,
				    struct buf *cipher);
/* Encrypts; buffered until the handshake is done. */
CH_MUST_USE ch_status tls_conn_write(struct tls_conn *c, const void *p, size_t n, struct buf *cipher);
/* Appends close_notify. */
void tls_conn_close(struct tls_conn *c, struct buf *cipher);

#endif
