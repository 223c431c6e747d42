/*
 * net/tls.c - TLS for accepted connections.
 *
 * OpenSSL reads from and writes to a BIO of our own that stands in front of
 * the caller's bytes: what is fed is read where it lies, what is to be sent
 * goes straight into the caller's buffer. OpenSSL's memory BIOs would do the
 * same and keep the largest buffer they ever needed for each connection.
 */
#include "net/tls.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

#include "core/crypto.h"
#include "core/mem.h"

#define TLS_EARLY_MAX (1u << 20)        /* written before the handshake was done */
#define TLS_READ_BYTES 4096

struct tls_ctx {
	unsigned refs;
	SSL_CTX *ssl;
	BIO_METHOD *method;
};

struct tls_conn {
	struct tls_ctx *ctx;            /* the BIO's method is its */
	SSL *ssl;
	const char *in;                 /* ciphertext of the feed under way */
	size_t in_len;
	struct buf *out;                /* ciphertext to send of the call under way */
	struct buf early;               /* plaintext that waits for the handshake */
};

/* -- the BIO -- */

static int bio_read(BIO *b, char *p, size_t n, size_t *ret_n)
{
	struct tls_conn *c = BIO_get_data(b);

	BIO_clear_retry_flags(b);
	if (!c->in_len) {
		BIO_set_retry_read(b);
		return 0;
	}
	n = CH_MIN(n, c->in_len);
	memcpy(p, c->in, n);
	c->in += n;
	c->in_len -= n;
	*ret_n = n;
	return 1;
}

static int bio_write(BIO *b, const char *p, size_t n, size_t *ret_n)
{
	struct tls_conn *c = BIO_get_data(b);

	BIO_clear_retry_flags(b);
	if (!c->out)
		return 0;
	buf_append(c->out, p, n);
	*ret_n = n;
	return c->out->failed ? 0 : 1;
}

static long bio_ctrl(BIO *b, int command, long number, void *pointer)
{
	return command == BIO_CTRL_FLUSH;
}

static BIO_METHOD *method_new(void)
{
	BIO_METHOD *m = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "chela");

	CH_BUG_ON(!m || !BIO_meth_set_read_ex(m, bio_read) || !BIO_meth_set_write_ex(m, bio_write) ||
		  !BIO_meth_set_ctrl(m, bio_ctrl));
	return m;
}

/* -- context -- */

/* OpenSSL's own words for what went wrong, and nothing left in its queue. */
static ch_status fail_ssl(struct ch_err *err, const char *what, const char *path)
{
	unsigned long code = ERR_peek_last_error();
	const char *reason = code ? ERR_reason_error_string(code) : NULL;

	ERR_clear_error();
	return ch_fail(err, CH_E_INVALID, "tls: %s %s: %s", what, path, reason ? reason : "unknown reason");
}

static int choose_alpn(SSL *ssl, const unsigned char **ret_name, unsigned char *ret_len,
		       const unsigned char *offered, unsigned offered_len, void *arg)
{
	static const unsigned char ours[] = "\x08http/1.1";
	unsigned char *name;

	if (SSL_select_next_proto(&name, ret_len, ours, sizeof(ours) - 1, offered, offered_len) !=
	    OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*ret_name = name;
	return SSL_TLSEXT_ERR_OK;
}

static ch_status load_files(SSL_CTX *ssl, const char *cert_path, const char *key_path, const char *ca_path,
			    struct ch_err *err)
{
	if (SSL_CTX_use_certificate_chain_file(ssl, cert_path) != 1)
		return fail_ssl(err, "cannot use the certificate", cert_path);
	if (SSL_CTX_use_PrivateKey_file(ssl, key_path, SSL_FILETYPE_PEM) != 1)
		return fail_ssl(err, "cannot use the private key", key_path);
	if (SSL_CTX_check_private_key(ssl) != 1)
		return fail_ssl(err, "the private key does not belong to the certificate", cert_path);
	if (ca_path && SSL_CTX_load_verify_locations(ssl, ca_path, NULL) != 1)
		return fail_ssl(err, "cannot use the CA bundle", ca_path);
	return CH_OK;
}

ch_status tls_ctx_load(const char *cert_path, const char *key_path, const char *ca_path, struct tls_ctx **ret,
		       struct ch_err *err)
{
	CH_AUTO(tls_ctx_free) struct tls_ctx *ctx = ch_alloc(sizeof(*ctx));
	ch_status st;

	ERR_clear_error();
	ctx->refs = 1;
	ctx->method = method_new();
	ctx->ssl = SSL_CTX_new(TLS_server_method());
	if (!ctx->ssl || !SSL_CTX_set_min_proto_version(ctx->ssl, TLS1_2_VERSION))
		return fail_ssl(err, "cannot set up", "a server context");
	SSL_CTX_set_options(ctx->ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
				      SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_mode(ctx->ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
				   SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_session_cache_mode(ctx->ssl, SSL_SESS_CACHE_OFF);  /* tickets resume without our memory */
	SSL_CTX_set_alpn_select_cb(ctx->ssl, choose_alpn, NULL);
	st = load_files(ctx->ssl, cert_path, key_path, ca_path, err);
	if (st)
		return st;
	*ret = CH_TAKE(ctx);
	return CH_OK;
}

void tls_ctx_fingerprint(const struct tls_ctx *ctx, char ret_text[65])
{
	unsigned char *der = NULL;
	int n = i2d_X509(SSL_CTX_get0_certificate(ctx->ssl), &der);

	CH_BUG_ON(n <= 0);              /* the context was loaded with one */
	sha256_hex(der, (size_t)n, ret_text);
	OPENSSL_free(der);
}

struct tls_ctx *tls_ctx_ref(struct tls_ctx *ctx)
{
	if (ctx)
		ctx->refs++;
	return ctx;
}

void tls_ctx_free(struct tls_ctx *ctx)
{
	if (!ctx || --ctx->refs)
		return;
	SSL_CTX_free(ctx->ssl);
	BIO_meth_free(ctx->method);
	ch_free(ctx);
}

/* -- connections -- */

struct tls_conn *tls_conn_new(struct tls_ctx *ctx)
{
	struct tls_conn *c = ch_alloc(sizeof(*c));
	BIO *bio = BIO_new(ctx->method);

	c->ssl = SSL_new(ctx->ssl);
	CH_BUG_ON(!bio || !c->ssl);     /* out of memory */
	BIO_set_data(bio, c);
	BIO_set_init(bio, 1);
	SSL_set_bio(c->ssl, bio, bio);
	SSL_set_accept_state(c->ssl);
	buf_init(&c->early, TLS_EARLY_MAX);
	c->ctx = tls_ctx_ref(ctx);
	return c;
}

void tls_conn_free(struct tls_conn *c)
{
	if (!c)
		return;
	SSL_free(c->ssl);
	tls_ctx_free(c->ctx);
	buf_done(&c->early);
	ch_free(c);
}

/* Is the failure of an SSL call one? */
static ch_status status_of(struct tls_conn *c, int result)
{
	int error = SSL_get_error(c->ssl, result);

	ERR_clear_error();
	switch (error) {
	case SSL_ERROR_NONE:
	case SSL_ERROR_WANT_READ:
		return CH_OK;
	case SSL_ERROR_ZERO_RETURN:
		return CH_E_EOF;
	default:
		return CH_E_PEER;
	}
}

static ch_status encrypt(struct tls_conn *c, const char *p, size_t n)
{
	while (n) {
		size_t done;

		if (SSL_write_ex(c->ssl, p, n, &done) != 1) {
			ERR_clear_error();
			return CH_E_PEER;
		}
		p += done;
		n -= done;
	}
	return CH_OK;
}

static ch_status send_early(struct tls_conn *c)
{
	ch_status st;

	if (!c->early.len || !SSL_is_init_finished(c->ssl))
		return CH_OK;
	st = encrypt(c, c->early.data, c->early.len);
	buf_done(&c->early);
	return st;
}

static ch_status decrypt(struct tls_conn *c, struct buf *plain)
{
	for (;;) {
		size_t n;
		int result;

		if (!buf_reserve(plain, TLS_READ_BYTES))
			return plain->failed;
		result = SSL_read_ex(c->ssl, plain->data + plain->len, plain->cap - plain->len - 1, &n);
		if (result != 1)
			return status_of(c, result);
		plain->len += n;
		plain->data[plain->len] = '\0';
	}
}

ch_status tls_conn_feed(struct tls_conn *c, const void *p, size_t n, struct buf *plain, struct buf *cipher)
{
	ch_status st, early;

	ERR_clear_error();
	c->in = p;
	c->in_len = n;
	c->out = cipher;
	st = decrypt(c, plain);         /* does the handshake too */
	early = send_early(c);
	c->out = NULL;
	c->in = NULL;
	c->in_len = 0;
	return st ? st : cipher->failed ? cipher->failed : early;
}

ch_status tls_conn_write(struct tls_conn *c, const void *p, size_t n, struct buf *cipher)
{
	ch_status st;

	if (!SSL_is_init_finished(c->ssl)) {
		buf_append(&c->early, p, n);
		return c->early.failed;
	}
	ERR_clear_error();
	c->out = cipher;
	st = encrypt(c, p, n);
	c->out = NULL;
	return st ? st : cipher->failed;
}

void tls_conn_close(struct tls_conn *c, struct buf *cipher)
{
	if (!SSL_is_init_finished(c->ssl))
		return;                 /* nothing to close: OpenSSL calls it an error */
	c->out = cipher;
	(void)SSL_shutdown(c->ssl);     /* we do not wait for the peer's answer */
	c->out = NULL;
	ERR_clear_error();
}
