/* net/tls: certificates, handshakes in memory, HTTPS and WSS over a socket. The peer is OpenSSL's client. */
#include "net/tls.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include "core/clock.h"
#include "core/crypto.h"
#include "core/mem.h"
#include "core/str.h"
#include "net/http_server.h"
#include "net/ws_conn.h"
#include "raw_client.h"

static char dir[64], cert_path[128], key_path[128];

static int setup(void **state)
{
	struct ch_err err;

	snprintf(dir, sizeof(dir), "/tmp/chela-test-tls-%d", (int)getpid());
	snprintf(cert_path, sizeof(cert_path), "%s/cert.pem", dir);
	snprintf(key_path, sizeof(key_path), "%s/key.pem", dir);
	if (mkdir(dir, 0700) || tls_self_signed(cert_path, key_path, &err))
		return -1;
	return 0;
}

static int teardown(void **state)
{
	unlink(cert_path);
	unlink(key_path);
	return rmdir(dir);
}

static struct tls_ctx *load(void)
{
	struct tls_ctx *ctx;
	struct ch_err err = { 0 };

	if (tls_ctx_load(cert_path, key_path, NULL, &ctx, &err))
		fail_msg("%s", err.text);
	return ctx;
}

/* -- certificates -- */

static X509 *read_cert(void)
{
	SSL_CTX *ssl = SSL_CTX_new(TLS_server_method());
	X509 *cert;

	assert_int_equal(SSL_CTX_use_certificate_file(ssl, cert_path, SSL_FILETYPE_PEM), 1);
	cert = X509_dup(SSL_CTX_get0_certificate(ssl));
	SSL_CTX_free(ssl);
	return cert;
}

static void test_self_signed(void **state)
{
	struct stat info;
	X509 *cert = read_cert();
	int days, seconds;

	assert_int_equal(stat(key_path, &info), 0);
	assert_int_equal(info.st_mode & 0777, 0600);
	assert_int_equal(X509_check_host(cert, "localhost", 0, 0, NULL), 1);
	assert_int_equal(X509_check_ip_asc(cert, "127.0.0.1", 0), 1);
	assert_int_equal(X509_check_ip_asc(cert, "::1", 0), 1);
	assert_int_equal(X509_check_host(cert, "evil.example", 0, 0, NULL), 0);
	assert_int_equal(X509_verify(cert, X509_get0_pubkey(cert)), 1);
	assert_int_equal(X509_cmp_current_time(X509_get0_notBefore(cert)), -1);
	ASN1_TIME_diff(&days, &seconds, X509_get0_notBefore(cert), X509_get0_notAfter(cert));
	assert_int_equal(days, 825);
	X509_free(cert);
}

static void test_fingerprint(void **state)
{
	struct tls_ctx *ctx = load();
	unsigned char *der = NULL;
	X509 *cert = read_cert();
	char text[65], expected[65];
	int n = i2d_X509(cert, &der);

	sha256_hex(der, (size_t)n, expected);
	tls_ctx_fingerprint(ctx, text);
	assert_string_equal(text, expected);
	OPENSSL_free(der);
	X509_free(cert);
	tls_ctx_free(ctx);
}

static void test_bad_files(void **state)
{
	char other_cert[160], other_key[160], missing[160];
	struct tls_ctx *ctx;
	struct ch_err err;

	snprintf(other_cert, sizeof(other_cert), "%s/other.pem", dir);
	snprintf(other_key, sizeof(other_key), "%s/other-key.pem", dir);
	snprintf(missing, sizeof(missing), "%s/missing/x.pem", dir);
	assert_int_equal(tls_self_signed(other_cert, other_key, &err), CH_OK);
	assert_int_equal(tls_ctx_load(cert_path, other_key, NULL, &ctx, &err), CH_E_INVALID);
	assert_int_equal(tls_ctx_load(missing, key_path, NULL, &ctx, &err), CH_E_INVALID);
	assert_true(strstr(err.text, "missing/x.pem") != NULL);
	assert_int_equal(tls_ctx_load(key_path, key_path, NULL, &ctx, &err), CH_E_INVALID);
	assert_int_equal(tls_ctx_load(cert_path, cert_path, NULL, &ctx, &err), CH_E_INVALID);
	assert_int_equal(tls_ctx_load(cert_path, key_path, missing, &ctx, &err), CH_E_INVALID);
	assert_int_equal(tls_self_signed(missing, missing, &err), CH_E_IO);
	assert_int_equal(ERR_peek_error(), 0);
	unlink(other_cert);
	unlink(other_key);
}

/* -- in memory -- */

struct wire {
	struct tls_conn *server;
	SSL_CTX *ctx;
	SSL *client;
	BIO *to_client, *from_client;
	struct buf plain, cipher;       /* what the server decrypted, what it sends */
	ch_status st;
};

static void wire_open(struct wire *w, const char *alpn, int max_version)
{
	struct tls_ctx *ctx = load();

	*w = (struct wire){ .plain.max_bytes = 1 << 24, .cipher.max_bytes = 1 << 24 };
	w->server = tls_conn_new(ctx);
	tls_ctx_free(ctx);                      /* the connection keeps it */
	w->ctx = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_security_level(w->ctx, 0);
	w->client = SSL_new(w->ctx);
	if (max_version)
		SSL_set_max_proto_version(w->client, max_version);
	if (alpn)
		SSL_set_alpn_protos(w->client, (const unsigned char *)alpn, (unsigned)strlen(alpn));
	w->to_client = BIO_new(BIO_s_mem());
	w->from_client = BIO_new(BIO_s_mem());
	SSL_set_bio(w->client, w->to_client, w->from_client);
	SSL_set_connect_state(w->client);
}

static void wire_close(struct wire *w)
{
	SSL_free(w->client);
	SSL_CTX_free(w->ctx);
	tls_conn_free(w->server);
	buf_done(&w->plain);
	buf_done(&w->cipher);
	ERR_clear_error();
}

/* What the client wrote goes to the server in steps; what the server sent goes to the client. */
static void wire_pump(struct wire *w, size_t step)
{
	char *bytes;
	long n = BIO_get_mem_data(w->from_client, &bytes);

	for (long i = 0; i < n && !w->st; i += (long)step)
		w->st = tls_conn_feed(w->server, bytes + i, CH_MIN(step, (size_t)(n - i)), &w->plain,
				      &w->cipher);
	(void)BIO_reset(w->from_client);
	if (w->cipher.len)
		BIO_write(w->to_client, w->cipher.data, (int)w->cipher.len);
	buf_clear(&w->cipher);
}

static bool wire_handshake(struct wire *w, size_t step)
{
	for (int i = 0; i < 10; i++) {
		int done = SSL_do_handshake(w->client), error = SSL_get_error(w->client, done);

		wire_pump(w, step);
		if (done == 1)
			return true;
		if (error != SSL_ERROR_WANT_READ)
			return false;
	}
	return false;
}

static void test_exchange_in_memory(void **state)
{
	for (size_t step = 1; step < 5000; step = step * 7 + 1) {
		struct wire w;
		char text[100];

		wire_open(&w, NULL, 0);
		assert_true(wire_handshake(&w, step));
		assert_int_equal(SSL_write(w.client, "hello", 5), 5);
		assert_int_equal(SSL_write(w.client, " you", 4), 4);
		wire_pump(&w, step);
		assert_int_equal(w.st, CH_OK);
		assert_string_equal(buf_str(&w.plain), "hello you");
		assert_int_equal(tls_conn_write(w.server, "answer", 6, &w.cipher), CH_OK);
		wire_pump(&w, step);
		assert_int_equal(SSL_read(w.client, text, sizeof(text)), 6);
		assert_memory_equal(text, "answer", 6);
		tls_conn_close(w.server, &w.cipher);
		wire_pump(&w, step);
		assert_int_equal(SSL_read(w.client, text, sizeof(text)), 0);
		assert_int_equal(SSL_get_shutdown(w.client) & SSL_RECEIVED_SHUTDOWN, SSL_RECEIVED_SHUTDOWN);
		SSL_shutdown(w.client);
		wire_pump(&w, step);
		assert_int_equal(w.st, CH_E_EOF);
		wire_close(&w);
	}
}

static void test_large_in_memory(void **state)
{
	enum { N = 3 << 20 };
	char *bytes = ch_alloc(N), *back = ch_alloc(N);
	struct wire w;
	int got = 0;

	for (int i = 0; i < N; i++)
		bytes[i] = (char)(i * 31 >> 3);
	wire_open(&w, NULL, 0);
	assert_true(wire_handshake(&w, 4096));
	assert_int_equal(SSL_write(w.client, bytes, N), N);
	wire_pump(&w, 65536);
	assert_int_equal(w.plain.len, N);
	assert_memory_equal(w.plain.data, bytes, N);
	assert_int_equal(tls_conn_write(w.server, bytes, N, &w.cipher), CH_OK);
	wire_pump(&w, 65536);
	while (got < N) {
		int n = SSL_read(w.client, back + got, N - got);

		assert_true(n > 0);
		got += n;
	}
	assert_memory_equal(back, bytes, N);
	wire_close(&w);
	ch_free(bytes);
	ch_free(back);
}

static void test_write_before_handshake(void **state)
{
	struct wire w;
	char text[100], *big = ch_alloc(1 << 20);

	wire_open(&w, NULL, 0);
	assert_int_equal(tls_conn_write(w.server, "early ", 6, &w.cipher), CH_OK);
	assert_int_equal(w.cipher.len, 0);
	assert_int_equal(tls_conn_write(w.server, "bird", 4, &w.cipher), CH_OK);
	assert_true(wire_handshake(&w, 1000));
	assert_int_equal(SSL_read(w.client, text, sizeof(text)), 10);
	assert_memory_equal(text, "early bird", 10);
	wire_close(&w);

	wire_open(&w, NULL, 0);
	assert_int_equal(tls_conn_write(w.server, big, 1 << 20, &w.cipher), CH_OK);
	assert_int_equal(tls_conn_write(w.server, "x", 1, &w.cipher), CH_E_LIMIT);
	tls_conn_close(w.server, &w.cipher);    /* nothing to say yet */
	assert_int_equal(w.cipher.len, 0);
	wire_close(&w);
	ch_free(big);
}

static void test_alpn(void **state)
{
	const unsigned char *name;
	unsigned len;
	struct wire w;

	wire_open(&w, "\x02h2\x08http/1.1", 0);
	assert_true(wire_handshake(&w, 1000));
	SSL_get0_alpn_selected(w.client, &name, &len);
	assert_int_equal(len, 8);
	assert_memory_equal(name, "http/1.1", 8);
	wire_close(&w);
	wire_open(&w, "\x02h2", 0);
	assert_false(wire_handshake(&w, 1000));
	assert_int_equal(w.st, CH_E_PEER);
	wire_close(&w);
}

static void test_versions(void **state)
{
	struct wire w;

	wire_open(&w, NULL, TLS1_2_VERSION);
	assert_true(wire_handshake(&w, 1000));
	wire_close(&w);
	wire_open(&w, NULL, TLS1_1_VERSION);
	assert_false(wire_handshake(&w, 1000));
	assert_int_equal(w.st, CH_E_PEER);
	wire_close(&w);
}

static void test_garbage(void **state)
{
	struct wire w;

	wire_open(&w, NULL, 0);
	assert_int_equal(tls_conn_feed(w.server, "GET / HTTP/1.1\r\n\r\n", 18, &w.plain, &w.cipher),
			 CH_E_PEER);
	assert_int_equal(ERR_peek_error(), 0);
	wire_close(&w);
	wire_open(&w, NULL, 0);
	assert_true(wire_handshake(&w, 1000));
	assert_int_equal(
		tls_conn_feed(w.server, "\x17\x03\x03\x00\x14zzzzzzzzzzzzzzzzzzzz", 25, &w.plain, &w.cipher),
		CH_E_PEER);
	assert_true(w.cipher.len > 0);          /* an alert */
	assert_int_equal(w.plain.len, 0);
	wire_close(&w);
}

static void test_full_buffers(void **state)
{
	struct buf small = { .max_bytes = 10 };
	struct wire w;
	char *bytes;
	long n;

	wire_open(&w, NULL, 0);
	SSL_do_handshake(w.client);
	n = BIO_get_mem_data(w.from_client, &bytes);
	assert_int_equal(tls_conn_feed(w.server, bytes, (size_t)n, &w.plain, &small), CH_E_PEER);
	wire_close(&w);
	buf_done(&small);
}

/* -- over a socket -- */

static struct {
	struct ws_conn *conn;
	int closed;
	uint16_t code;
} seen;

static void on_text(struct ws_conn *c, char *text, size_t len, void *arg)
{
	ws_send_text(c, text, len);
}

static void on_close(struct ws_conn *c, uint16_t code, const char *reason, void *arg)
{
	seen.closed++;
	seen.code = code;
}

static const struct ws_conn_ops ws_ops = { .message_max = 1 << 20, .on_text = on_text, .on_close = on_close };

static void run_ws(struct http_call *c, const struct http_request *rq, void *arg)
{
	seen.conn = http_upgrade_ws(c, &ws_ops, NULL);
}

static void run_ok(struct http_call *c, const struct http_request *rq, void *arg)
{
	char text[50];

	snprintf(text, sizeof(text), "tls=%d body=%.20s", rq->is_tls, rq->body);
	http_reply(c, 200, "text/plain", text, strlen(text));
}

static void run_big(struct http_call *c, const struct http_request *rq, void *arg)
{
	char *bytes = ch_alloc(8 << 20);

	memset(bytes, 'b', 8 << 20);
	http_reply(c, 200, NULL, bytes, 8 << 20);
	ch_free(bytes);
}

static const struct http_route routes[] = {
	{ "GET",  "/ws",  0,    run_ws },
	{ "GET",  "/big", 0,    run_big },
	{ "POST", "/ok",  1000, run_ok },
	{ 0 },
};
static struct http_server *server;
static struct tls_ctx *tls;
static uint16_t port;

static void begin(struct loop *l)
{
	static const struct http_server_opts opts = { .routes = routes };
	struct ch_err err;

	memset(&seen, 0, sizeof(seen));
	tls = load();
	server = http_server_new(l, &opts);
	assert_int_equal(http_server_listen(server, "127.0.0.1", 0, tls, &port, &err), CH_OK);
}

static void end(void)
{
	http_server_stop(server, fiber_deadline(0));
	http_server_free(server);
	turns(3);
	ws_unref(seen.conn);
	tls_ctx_free(tls);
	clock_real();
}

/* A client whose plaintext is in `plain`. */
struct tls_client {
	struct client c;
	SSL_CTX *ctx;
	SSL *ssl;
	BIO *in, *out;
	struct buf plain;
};

static void tc_poll(struct tls_client *t)
{
	char *bytes, text[2048];
	long n;
	int got;

	client_poll(&t->c);
	if (t->c.in.len)
		BIO_write(t->in, t->c.in.data, (int)t->c.in.len);
	buf_clear(&t->c.in);
	if (!SSL_is_init_finished(t->ssl))
		SSL_do_handshake(t->ssl);
	while ((got = SSL_read(t->ssl, text, sizeof(text))) > 0)
		buf_append(&t->plain, text, (size_t)got);
	n = BIO_get_mem_data(t->out, &bytes);
	client_send(&t->c, bytes, (size_t)n);
	(void)BIO_reset(t->out);
	ERR_clear_error();
}

static struct tls_client tc_open(void)
{
	struct tls_client t = { .c = client_open(port), .plain.max_bytes = 1 << 24 };

	t.ctx = SSL_CTX_new(TLS_client_method());
	assert_int_equal(SSL_CTX_load_verify_locations(t.ctx, cert_path, NULL), 1);
	SSL_CTX_set_verify(t.ctx, SSL_VERIFY_PEER, NULL);
	t.ssl = SSL_new(t.ctx);
	SSL_set1_host(t.ssl, "localhost");
	t.in = BIO_new(BIO_s_mem());
	t.out = BIO_new(BIO_s_mem());
	BIO_set_mem_eof_return(t.in, -1);
	SSL_set_bio(t.ssl, t.in, t.out);
	SSL_set_connect_state(t.ssl);
	tc_poll(&t);
	return t;
}

static void tc_close(struct tls_client *t)
{
	SSL_free(t->ssl);
	SSL_CTX_free(t->ctx);
	buf_done(&t->plain);
	client_close(&t->c);
}

static bool tc_has(struct tls_client *t, const char *text)
{
	tc_poll(t);
	return strstr(buf_str(&t->plain), text) != NULL;
}

static void tc_puts(struct tls_client *t, const char *text, size_t n)
{
	until((tc_poll(t), SSL_is_init_finished(t->ssl)));
	assert_int_equal(SSL_write(t->ssl, text, (int)n), (int)n);
	tc_poll(t);
}

static bool tc_has_n(struct tls_client *t, size_t n)
{
	tc_poll(t);
	return t->plain.len >= n;
}

#define TEST(name)                                                                                \
	static void name##_in(void *loop);                                                        \
	static void name(void **state) { in_loop(name##_in); }                                    \
	static void name##_in(void *loop)

TEST(test_https)
{
	static const char post[] = "POST /ok HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello";

	begin(loop);
	struct tls_client t = tc_open();

	tc_puts(&t, post, sizeof(post) - 1);
	until(tc_has(&t, "tls=1 body=hello"));
	assert_int_equal(SSL_get_verify_result(t.ssl), X509_V_OK);
	buf_clear(&t.plain);
	tc_puts(&t, "GET /big HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 58);
	until(tc_has_n(&t, 8 << 20));
	until((tc_poll(&t), t.c.is_eof));
	assert_int_equal(SSL_get_shutdown(t.ssl) & SSL_RECEIVED_SHUTDOWN, SSL_RECEIVED_SHUTDOWN);
	assert_memory_equal(t.plain.data + t.plain.len - 4, "bbbb", 4);
	tc_close(&t);
	end();
}

TEST(test_wss)
{
	static const char upgrade[] =
		"GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
		"\x81\x82\0\0\0\0hi";

	begin(loop);
	struct tls_client t = tc_open();

	tc_puts(&t, upgrade, sizeof(upgrade) - 1);
	until(tc_has(&t, "\r\n\r\n\x81\x02hi"));
	buf_clear(&t.plain);
	tc_puts(&t, "\x88\x82\0\0\0\0\x03\xe8", 8);
	until(tc_has(&t, "\x88\x02\x03\xe8"));
	until(seen.closed);
	assert_int_equal(seen.code, 1000);
	tc_close(&t);
	end();
}

TEST(test_close_notify_of_client)
{
	begin(loop);
	struct tls_client t = tc_open();

	until((tc_poll(&t), SSL_is_init_finished(t.ssl)));
	SSL_shutdown(t.ssl);
	until((tc_poll(&t), t.c.is_eof));
	tc_close(&t);
	until(http_server_conns(server) == 0);
	end();
}

TEST(test_plain_http_to_tls)
{
	begin(loop);
	struct client c = client_open(port);

	client_puts(&c, "GET /ok HTTP/1.1\r\nHost: a\r\n\r\n");
	until(client_ended(&c));
	assert_null(strstr(buf_str(&c.in), "HTTP"));
	client_close(&c);
	until(http_server_conns(server) == 0);
	end();
}

TEST(test_handshake_dripped)
{
	clock_fake(1000000, 1700000000000);
	begin(loop);
	struct client c = client_open(port);

	for (int64_t ms = 0; ms < HTTP_HEADER_TIMEOUT_MS; ms += 1000) {
		clock_fake(1000000 + ms, 1700000000000 + ms);
		client_send(&c, &"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03"[ms / 1000], 1);
		turns(5);
		assert_false(client_ended(&c));
	}
	clock_fake(1000000 + HTTP_HEADER_TIMEOUT_MS, 1700000000000);
	until(client_ended(&c));
	client_close(&c);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_self_signed),
		cmocka_unit_test(test_fingerprint),
		cmocka_unit_test(test_bad_files),
		cmocka_unit_test(test_exchange_in_memory),
		cmocka_unit_test(test_large_in_memory),
		cmocka_unit_test(test_write_before_handshake),
		cmocka_unit_test(test_alpn),
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_garbage),
		cmocka_unit_test(test_full_buffers),
		cmocka_unit_test(test_https),
		cmocka_unit_test(test_wss),
		cmocka_unit_test(test_close_notify_of_client),
		cmocka_unit_test(test_plain_http_to_tls),
		cmocka_unit_test(test_handshake_dripped),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
