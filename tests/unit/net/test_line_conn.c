/* net/line_conn: lines however they are cut, their limits, ends from both sides; TLS with a pinned certificate. */
#include "net/line_conn.h"

#include <stdio.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/file.h"
#include "core/str.h"
#include "net/http_client.h"
#include "net/http_server.h"
#include "net/tls.h"
#include "../temp_dir.h"
#include "raw_peer.h"

static ch_status dial(struct loop *l, uint16_t port, enum guard_policy guard, struct line_conn **ret, struct ch_err *err)
{
	return line_conn_open(l, NULL, &(struct line_conn_opts){ .host = "127.0.0.1", .port = port, .guard = guard,
								 .deadline_ms = fiber_deadline(5000) }, ret, err);
}

static const char *next(struct line_conn *c, struct ch_err *err)
{
	char *text;
	size_t len;

	if (line_conn_read(c, fiber_deadline(5000), &text, &len, err))
		return NULL;
	assert_int_equal(strlen(text), len);
	return text;
}

/* -- lines -- */

static void serve_pieces(struct peer_conn *pc)
{
	static const char *const pieces[] = { "one\r\ntwo\nth", "ree", "\r", "\n\r\n", "last \r in it\r\nrest without an end" };

	for (size_t i = 0; i < CH_ARRAY_LEN(pieces); i++) {
		assert_true(peer_puts(pc, pieces[i]));
		(void)!fiber_yield();
	}
}

static void run_pieces(struct loop *l, void *arg)
{
	static const char *const want[] = { "one", "two", "three", "", "last \r in it" };
	struct line_conn *c = NULL;
	struct ch_err err = { 0 };
	struct peer p;

	peer_start(&p, l, serve_pieces, NULL);
	assert_int_equal(dial(l, p.port, GUARD_TRUST_ORIGIN, &c, &err), CH_OK);
	for (size_t i = 0; i < CH_ARRAY_LEN(want); i++)
		assert_string_equal(next(c, &err), want[i]);
	assert_null(next(c, &err));
	assert_int_equal(err.code, CH_E_EOF);
	assert_null(next(c, &err));              /* it stays so */
	assert_int_equal(line_conn_send(c, "x\n", 2, fiber_deadline(1000), &err), CH_E_PEER);
	line_conn_unref(c);
	peer_stop(&p);
}

static void test_lines_however_they_are_cut(void **state)
{
	in_fiber(run_pieces, NULL);
}

/* -- limits -- */

static void serve_long(struct peer_conn *pc)
{
	CH_AUTO_BUF struct buf out = { 0 };
	const bool *has_end = pc->peer->arg;

	buf_init(&out, 1 << 20);
	for (size_t i = 0; i < LINE_CONN_MAX + 10; i++)
		buf_putc(&out, 'x');
	if (*has_end)
		buf_puts(&out, "\r\nnext\r\n");
	(void)peer_write(pc, out.data, out.len);
	peer_wait_eof(pc);
}

static void run_long(struct loop *l, void *arg)
{
	for (int i = 0; i < 2; i++) {
		struct line_conn *c = NULL;
		struct ch_err err = { 0 };
		bool has_end = i;
		struct peer p;

		peer_start(&p, l, serve_long, &has_end);
		assert_int_equal(dial(l, p.port, GUARD_TRUST_ORIGIN, &c, &err), CH_OK);
		assert_null(next(c, &err));
		assert_int_equal(err.code, CH_E_PEER);
		line_conn_close(c, 0);
		line_conn_unref(c);
		peer_stop(&p);
	}
}

static void test_a_line_without_end(void **state)
{
	in_fiber(run_long, NULL);
}

/* More than is read ahead: nothing is lost, the server is held up meanwhile. */
#define MANY 20000

static void serve_many(struct peer_conn *pc)
{
	CH_AUTO_BUF struct buf out = { 0 };

	buf_init(&out, 4 << 20);
	for (int i = 0; i < MANY; i++)
		buf_printf(&out, "line %d of many\r\n", i);
	assert_true(peer_write(pc, out.data, out.len));
}

static void run_many(struct loop *l, void *arg)
{
	struct line_conn *c = NULL;
	struct ch_err err = { 0 };
	struct peer p;

	peer_start(&p, l, serve_many, NULL);
	assert_int_equal(dial(l, p.port, GUARD_TRUST_ORIGIN, &c, &err), CH_OK);
	for (int i = 0; i < 50; i++)
		assert_int_equal(fiber_yield(), CH_OK);
	for (int i = 0; i < MANY; i++) {
		char want[40];

		snprintf(want, sizeof(want), "line %d of many", i);
		assert_string_equal(next(c, &err), want);
	}
	line_conn_unref(c);
	peer_stop(&p);
}

static void test_more_than_is_read_ahead(void **state)
{
	in_fiber(run_many, NULL);
}

/* -- ends -- */

static void serve_farewell(struct peer_conn *pc)
{
	struct buf *got = pc->peer->arg;

	while (!pc->is_eof) {
		if (pc->in.len)
			buf_append(got, pc->in.data, pc->in.len);
		buf_clear(&pc->in);
		assert_int_equal(fiber_park(fiber_deadline(PEER_DEADLINE_MS)), CH_OK);
	}
}

struct reader { struct line_conn *c; ch_status st; bool is_over; };

static void read_on(void *arg)
{
	struct reader *r = arg;
	char *text;
	size_t len;

	r->st = line_conn_read(r->c, fiber_deadline(5000), &text, &len, NULL);
	r->is_over = true;
	line_conn_unref(r->c);
}

static void run_close(struct loop *l, void *arg)
{
	CH_AUTO_BUF struct buf got = { 0 };
	struct line_conn *c = NULL;
	struct ch_err err = { 0 };
	struct reader r = { 0 };
	struct peer p;
	char *text;
	size_t len;

	buf_init(&got, 4096);
	peer_start(&p, l, serve_farewell, &got);
	assert_int_equal(dial(l, p.port, GUARD_TRUST_ORIGIN, &c, &err), CH_OK);
	assert_int_equal(line_conn_read(c, fiber_deadline(20), &text, &len, &err), CH_E_TIMEOUT);
	r.c = line_conn_ref(c);
	(void)fiber_spawn(l, "reader", FIBER_DETACHED, read_on, &r);
	assert_int_equal(line_conn_send(c, "QUIT :bye\r\n", 11, fiber_deadline(1000), &err), CH_OK);
	assert_int_equal(fiber_yield(), CH_OK);
	line_conn_close(c, 500);
	while (!r.is_over)
		assert_int_equal(fiber_yield(), CH_OK);
	assert_int_equal(r.st, CH_E_PEER);       /* whoever read is told */
	assert_int_equal(line_conn_send(c, "x", 1, fiber_deadline(1000), &err), CH_E_PEER);
	line_conn_unref(c);
	peer_stop(&p);
	assert_string_equal(buf_str(&got), "QUIT :bye\r\n");
}

static void test_closing(void **state)
{
	in_fiber(run_close, NULL);
}

static void run_refused(struct loop *l, void *arg)
{
	struct line_conn *c = NULL;
	struct ch_err err = { 0 };
	struct peer p;

	peer_start(&p, l, serve_farewell, NULL);
	assert_int_equal(dial(l, p.port, GUARD_PUBLIC_ONLY, &c, &err), CH_E_DENIED);
	assert_int_equal(p.accepted, 0);
	peer_stop(&p);
	assert_int_equal(dial(l, p.port, GUARD_TRUST_ORIGIN, &c, &err), CH_E_PEER);
	assert_null(c);
}

static void test_threat_ssrf_guard_and_refusal(void **state)
{
	in_fiber(run_refused, NULL);
}

/* -- TLS: an HTTP server is a peer that speaks in lines, too -- */

static const struct http_route routes[] = { { 0 } };

static ch_status dial_tls(struct loop *l, struct http_client *http, uint16_t port, const char *pin, struct line_conn **ret,
			  struct ch_err *err)
{
	return line_conn_open(l, http, &(struct line_conn_opts){ .host = "127.0.0.1", .port = port, .is_tls = true,
								 .guard = GUARD_TRUST_ORIGIN, .tls_fingerprint = pin,
								 .deadline_ms = fiber_deadline(5000) }, ret, err);
}

static void run_tls(struct loop *l, void *arg)
{
	static const char request[] = "GET /x HTTP/1.1\r\nHost: a\r\n\r\n";
	const char *const *paths = arg;
	struct http_client *http = http_client_new(l);
	struct http_server *server = http_server_new(l, &(struct http_server_opts){ .routes = routes });
	struct tls_ctx *tls = NULL;
	struct line_conn *c = NULL;
	struct ch_err err = { 0 };
	char pin[65], other[65];
	uint16_t port;

	assert_int_equal(tls_ctx_load(paths[0], paths[1], NULL, &tls, &err), CH_OK);
	assert_int_equal(http_server_listen(server, "127.0.0.1", 0, tls, &port, &err), CH_OK);
	tls_ctx_fingerprint(tls, pin);
	memset(other, 'a', 64);
	other[64] = 0;
	assert_int_not_equal(dial_tls(l, http, port, other, &c, &err), CH_OK);
	assert_int_not_equal(dial_tls(l, http, port, NULL, &c, &err), CH_OK);     /* nobody vouches for it */
	if (dial_tls(l, http, port, pin, &c, &err))
		fail_msg("%s", err.text);
	assert_int_equal(line_conn_send(c, request, sizeof(request) - 1, fiber_deadline(1000), &err), CH_OK);
	assert_true(str_starts(next(c, &err), "HTTP/1.1 404"));
	line_conn_close(c, 100);
	line_conn_unref(c);
	http_server_stop(server, fiber_deadline(1000));
	http_server_free(server);
	tls_ctx_free(tls);
	http_client_free(http);
}

static void test_tls(void **state)
{
	char dir[TEMP_DIR_MAX], cert[64], key[64];
	const char *paths[] = { cert, key };

	temp_dir_make(dir, "line");
	snprintf(cert, sizeof(cert), "%s/c.pem", dir);
	snprintf(key, sizeof(key), "%s/k.pem", dir);
	assert_int_equal(tls_self_signed(cert, key, NULL), CH_OK);
	in_fiber(run_tls, paths);
	temp_dir_remove(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines_however_they_are_cut),
		cmocka_unit_test(test_a_line_without_end),
		cmocka_unit_test(test_more_than_is_read_ahead),
		cmocka_unit_test(test_closing),
		cmocka_unit_test(test_threat_ssrf_guard_and_refusal),
		cmocka_unit_test(test_tls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
