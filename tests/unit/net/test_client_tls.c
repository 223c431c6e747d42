/* net/http_client and net/ws_client over TLS: whom they believe. The peer is our own server. */
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "../core/in_fiber.h"
#include "core/mem.h"
#include "core/str.h"
#include "net/http_client.h"
#include "net/http_server.h"
#include "net/tls.h"
#include "net/ws_client.h"
#include "net/ws_conn.h"

static char dir[64], cert_path[128], key_path[128], other_cert[128], other_key[128];

static int setup(void **state)
{
	snprintf(dir, sizeof(dir), "/tmp/chela-test-client-tls-%d", (int)getpid());
	snprintf(cert_path, sizeof(cert_path), "%s/cert.pem", dir);
	snprintf(key_path, sizeof(key_path), "%s/key.pem", dir);
	snprintf(other_cert, sizeof(other_cert), "%s/other.pem", dir);
	snprintf(other_key, sizeof(other_key), "%s/other-key.pem", dir);
	if (mkdir(dir, 0700) || tls_self_signed(cert_path, key_path, NULL) || tls_self_signed(other_cert, other_key, NULL))
		return -1;
	return 0;
}

static int teardown(void **state)
{
	unlink(cert_path);
	unlink(key_path);
	unlink(other_cert);
	unlink(other_key);
	return rmdir(dir);
}

/* -- a server that echoes -- */

struct site {
	struct http_server *server;
	struct http_client *client;
	struct tls_ctx *tls;
	uint16_t port;
	char fingerprint[65];
};

static void on_text(struct ws_conn *c, char *text, size_t len, void *arg)
{
	ws_send_text(c, text, len);
}

static void on_close(struct ws_conn *c, uint16_t code, const char *reason, void *arg)
{
	ws_unref(c);
}

static const struct ws_conn_ops echo_ops = { .message_max = 4 << 20, .on_text = on_text, .on_close = on_close };

static void serve_hello(struct http_call *call, const struct http_request *rq, void *arg)
{
	http_reply(call, 200, "text/plain", "hello", 5);
}

static void serve_ws(struct http_call *call, const struct http_request *rq, void *arg)
{
	(void)http_upgrade_ws(call, &echo_ops, NULL);
}

static void site_start(struct site *s, struct loop *l)
{
	static const struct http_route routes[] = { { "GET", "/", 0, serve_hello }, { "GET", "/ws", 0, serve_ws }, { 0 } };
	const struct http_server_opts opts = { .routes = routes };
	struct ch_err err = { .text = "" };

	s->server = http_server_new(l, &opts);
	s->client = http_client_new(l);
	if (tls_ctx_load(cert_path, key_path, NULL, &s->tls, &err) ||
	    http_server_listen(s->server, "127.0.0.1", 0, s->tls, &s->port, &err))
		fail_msg("%s", err.text);
	tls_ctx_fingerprint(s->tls, s->fingerprint);
}

static void site_stop(struct site *s)
{
	http_client_free(s->client);
	http_server_stop(s->server, fiber_deadline(2000));
	http_server_free(s->server);
	tls_ctx_free(s->tls);
}

static ch_status get(struct site *s, const char *host, const char *ca_file, struct ch_err *err)
{
	CH_AUTO(http_resp_free) struct http_resp *r = NULL;
	CH_AUTO_BUF struct buf body = { .max_bytes = 100 };
	char url[64];
	struct http_out rq = { .url = url, .ca_file = ca_file, .guard = GUARD_TRUST_ORIGIN,
			       .headers_deadline_ms = fiber_deadline(5000) };
	ch_status st;

	snprintf(url, sizeof(url), "https://%s:%u/", host, s->port);
	st = http_open(s->client, &rq, &r, err);
	if (st)
		return st;
	assert_int_equal(http_read_all(r, &body, fiber_deadline(5000), err), CH_OK);
	assert_string_equal(buf_str(&body), "hello");
	return CH_OK;
}

static void refused(struct site *s, const char *host, const char *ca_file)
{
	struct ch_err err = { .text = "" };

	assert_int_equal(get(s, host, ca_file, &err), CH_E_PEER);
	if (!strstr(err.text, "TLS failed"))
		fail_msg("%s", err.text);
}

static void run_https(void *arg)
{
	struct loop *l = fiber_loop();
	struct ch_err err = { .text = "" };
	struct site s;

	site_start(&s, l);
	refused(&s, "localhost", NULL);
	for (int twice = 0; twice < 2; twice++) {
		if (get(&s, "localhost", cert_path, &err))
			fail_msg("%s", err.text);
	}
	assert_int_equal(http_server_conns(s.server), 1); /* the connection was used again */
	assert_int_equal(get(&s, "127.0.0.1", cert_path, &err), CH_OK);
	/* The pool now has connections that somebody trusts; they are not for those who do not. */
	refused(&s, "localhost", NULL);
	refused(&s, "localhost", other_cert);
	site_stop(&s);
}

static void run_https_other_name(void *arg)
{
	struct site s;

	site_start(&s, fiber_loop());
	refused(&s, "x.localhost", cert_path);
	site_stop(&s);
}

static void test_https(void **state)
{
	in_fiber(run_https, NULL);
}

static void test_a_certificate_for_another_name(void **state)
{
	in_fiber(run_https_other_name, NULL);
}

/* -- wss -- */

static ch_status dial(struct site *s, const char *host, const char *ca_file, const char *pin, struct ws_client **ret,
		      struct ch_err *err)
{
	char url[64];
	struct ws_client_opts opts = { .url = url, .ca_file = ca_file, .tls_fingerprint = pin, .guard = GUARD_TRUST_ORIGIN,
				       .message_max = 4 << 20, .deadline_ms = fiber_deadline(5000) };

	snprintf(url, sizeof(url), "wss://%s:%u/ws", host, s->port);
	return ws_client_open(fiber_loop(), s->client, &opts, ret, err);
}

static void exchange(struct ws_client *c)
{
	static const size_t sizes[] = { 1, 16384, 1 << 20, 3 << 20 };
	char *big = ch_alloc(3 << 20), *text;
	struct ch_err err = { .text = "" };
	size_t n;

	memset(big, 'x', 3 << 20);
	for (size_t i = 0; i < CH_ARRAY_LEN(sizes); i++) {
		assert_int_equal(ws_client_send(c, big, sizes[i], fiber_deadline(5000), &err), CH_OK);
		if (ws_client_read(c, fiber_deadline(5000), &text, &n, &err))
			fail_msg("%s", err.text);
		assert_int_equal(n, sizes[i]);
		assert_memory_equal(text, big, n);
	}
	ch_free(big);
	ws_client_close(c, 1000, "", fiber_deadline(5000));
}

static void run_wss(void *arg)
{
	struct ws_client *c = NULL;
	struct ch_err err = { .text = "" };
	char upper[65 + 31];
	struct site s;
	size_t n = 0;

	site_start(&s, fiber_loop());
	assert_int_equal(dial(&s, "localhost", NULL, NULL, &c, &err), CH_E_PEER);
	assert_non_null(strstr(err.text, "TLS failed"));
	if (dial(&s, "localhost", cert_path, NULL, &c, &err))
		fail_msg("%s", err.text);
	exchange(c);
	assert_int_equal(dial(&s, "127.0.0.1", NULL, s.fingerprint, &c, &err), CH_OK);
	exchange(c);
	for (size_t i = 0; i < 64; i++) {       /* as openssl prints it */
		upper[n++] = s.fingerprint[i] >= 'a' ? s.fingerprint[i] - 32 : s.fingerprint[i];
		if (i % 2 && i < 63)
			upper[n++] = ':';
	}
	upper[n] = '\0';
	assert_int_equal(dial(&s, "x.localhost", NULL, upper, &c, &err), CH_OK);
	exchange(c);
	s.fingerprint[10] = s.fingerprint[10] == '0' ? '1' : '0';   /* another one, still hexadecimal */
	assert_int_equal(dial(&s, "localhost", cert_path, s.fingerprint, &c, &err), CH_E_PEER);
	assert_non_null(strstr(err.text, "TLS failed"));
	assert_int_equal(dial(&s, "localhost", NULL, "abcd", &c, &err), CH_E_INVALID);
	s.fingerprint[10] = 'x';
	assert_int_equal(dial(&s, "localhost", NULL, s.fingerprint, &c, &err), CH_E_INVALID);
	site_stop(&s);
}

static void test_wss(void **state)
{
	in_fiber(run_wss, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_https),
		cmocka_unit_test(test_a_certificate_for_another_name),
		cmocka_unit_test(test_wss),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
