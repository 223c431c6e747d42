/* net/http_client against raw peers: answers, cuts, stalls, back-pressure, many at once. */
#include "net/http_client.h"

#include <fcntl.h>
#include <stdio.h>

#include "core/str.h"
#include "http_peer.h"

/* -- plain exchanges -- */

static void run_get(struct loop *l, void *arg)
{
	struct http_client *c = http_client_new(l);
	struct peer p;

	peer_start(&p, l, serve_hello, NULL);
	for (int i = 0; i < 3; i++) {
		CH_AUTO(http_resp_free) struct http_resp *r = NULL;
		CH_AUTO_BUF struct buf body = { .max_bytes = 100 };
		struct ch_err err;
		size_t n = 9;

		assert_int_equal(get(c, url_of(&p, "/a?b"), &r, &err), CH_OK);
		assert_int_equal(http_resp_status(r), 200);
		assert_string_equal(http_resp_header(r, "content-type"), "text/plain");
		assert_string_equal(http_resp_header(r, "x-a"), "1, 2");
		assert_string_equal(http_resp_header(r, "x-empty"), "");
		assert_null(http_resp_header(r, "x-b"));
		assert_string_equal(http_resp_url(r), url_of(&p, "/a?b"));
		assert_int_equal(http_read_all(r, &body, soon(), &err), CH_OK);
		assert_string_equal(buf_str(&body), "hello");
		assert_int_equal(http_read(r, &n, 1, soon(), &n, &err), CH_OK);
		assert_int_equal(n, 0);
	}
	assert_int_equal(p.accepted, 1); /* the connection was reused */
	http_client_free(c);
	peer_stop(&p);
}

static void test_get_and_reuse(void **state)
{
	in_fiber(run_get, NULL);
}

static void expect_echo(struct http_client *c, struct http_out *rq, const char *expected)
{
	CH_AUTO(http_resp_free) struct http_resp *r = NULL;
	CH_AUTO_BUF struct buf body = { .max_bytes = 4096 };
	struct ch_err err = { 0 };

	rq->guard = GUARD_TRUST_ORIGIN;
	rq->headers_deadline_ms = soon();
	assert_int_equal(http_open(c, rq, &r, &err), CH_OK);
	assert_int_equal(http_read_all(r, &body, soon(), &err), CH_OK);
	assert_string_equal(buf_str(&body), expected);
}

static void run_requests(struct loop *l, void *arg)
{
	static const struct http_header json[] = { { "Content-Type", "application/json" }, { "X-Empty", "" } };
	static const struct http_header agent[] = { { "user-agent", "me" }, { "accept", "text/html" } };
	struct http_client *c = http_client_new(l);
	char host[32], text[512];
	struct peer p;

	peer_start(&p, l, serve_echo, NULL);
	snprintf(host, sizeof(host), "127.0.0.1:%u", p.port);

	snprintf(text, sizeof(text),
		 "POST /v1 HTTP/1.1\r\nHost: %s\r\nAccept: */*\r\nContent-Type: application/json\r\nX-Empty:\r\n"
		 "user-agent: chela/" CHELA_VERSION "\r\nContent-Length: 7\r\n\r\n{\"a\":1}",
		 host);
	expect_echo(c,
		    &(struct http_out){ .url = url_of(&p, "/v1"), .body = "{\"a\":1}", .body_len = 7, .headers = json,
					.header_count = 2 },
		    text);
	snprintf(text, sizeof(text), "GET /?q=%%20 HTTP/1.1\r\nHost: %s\r\nuser-agent: me\r\naccept: text/html\r\n\r\n",
		 host);
	expect_echo(c, &(struct http_out){ .url = url_of(&p, "/?q=%20#f"), .headers = agent, .header_count = 2 }, text);
	snprintf(text, sizeof(text),
		 "DELETE / HTTP/1.1\r\nHost: %s\r\nAccept: */*\r\nuser-agent: chela/" CHELA_VERSION "\r\n\r\n", host);
	expect_echo(c, &(struct http_out){ .url = url_of(&p, ""), .method = "DELETE" }, text);
	snprintf(text, sizeof(text),
		 "POST / HTTP/1.1\r\nHost: %s\r\nAccept: */*\r\nuser-agent: chela/" CHELA_VERSION
		 "\r\nContent-Length: 0\r\n\r\n",
		 host);
	expect_echo(c, &(struct http_out){ .url = url_of(&p, "/"), .method = "POST" }, text);
	assert_int_equal(p.accepted, 1);
	http_client_free(c);
	peer_stop(&p);
}

static void test_what_is_sent(void **state)
{
	in_fiber(run_requests, NULL);
}

static void run_malformed_requests(struct loop *l, void *arg)
{
	static const struct http_header bad[] = { { "a b", "c" }, { "a", "b\r\nc: d" }, { "", "c" }, { "a:", "b" } };
	static const char *const urls[] = { "", "x", "ftp://127.0.0.1/", "file:///etc/passwd", "http://", "http://u:p@127.0.0.1/",
					    "http://127.0.0.1:99999/", "gopher://127.0.0.1/" };
	static const char *const methods[] = { "", "get", "GET / HTTP/1.1\r\nX: y", "CONNECT", "A B" };
	struct http_client *c = http_client_new(l);
	struct http_resp *r = NULL;
	struct ch_err err;
	struct peer p;

	peer_start(&p, l, serve_echo, NULL);
	for (size_t i = 0; i < CH_ARRAY_LEN(bad); i++) {
		struct http_out rq = { .url = url_of(&p, "/"), .headers = &bad[i], .header_count = 1,
				       .guard = GUARD_TRUST_ORIGIN, .headers_deadline_ms = soon() };

		assert_int_equal(http_open(c, &rq, &r, &err), CH_E_INVALID);
	}
	for (size_t i = 0; i < CH_ARRAY_LEN(methods); i++) {
		struct http_out rq = { .url = url_of(&p, "/"), .method = methods[i], .guard = GUARD_TRUST_ORIGIN,
				       .headers_deadline_ms = soon() };

		assert_int_equal(http_open(c, &rq, &r, &err), CH_E_INVALID);
	}
	for (size_t i = 0; i < CH_ARRAY_LEN(urls); i++)
		assert_int_equal(get(c, urls[i], &r, &err), CH_E_INVALID);
	assert_null(r);
	assert_int_equal(p.accepted, 0);
	http_client_free(c);
	peer_stop(&p);
}

static void test_malformed_requests(void **state)
{
	in_fiber(run_malformed_requests, NULL);
}

/* -- streams -- */

struct gate { struct fiber_cond cond; int opened; };

static void gate_open(struct gate *g)
{
	g->opened++;
	fiber_cond_broadcast(&g->cond);
}

static void gate_wait(struct gate *g, int n)
{
	while (g->opened < n)
		assert_int_equal(fiber_cond_wait(&g->cond, soon()), CH_OK);
}

static void serve_steps(struct peer_conn *pc)
{
	struct gate *g = pc->peer->arg;

	peer_head(pc);
	peer_puts(pc, "HTTP/1.1 100 Continue\r\nX-Not: this\r\n\r\n");
	peer_puts(pc, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
	gate_wait(g, 1);
	peer_puts(pc, "3\r\none\r\n");
	gate_wait(g, 2);
	peer_puts(pc, "3\r\ntwo\r\n0\r\nX-Trailer: y\r\n\r\n");
	peer_wait_eof(pc);
}

static void run_streaming(struct loop *l, void *arg)
{
	struct http_client *c = http_client_new(l);
	struct http_resp *r = NULL;
	struct gate g = { .opened = 0 };
	struct ch_err err;
	char text[16];
	size_t n = 0;
	struct peer p;

	fiber_cond_init(&g.cond);
	peer_start(&p, l, serve_steps, &g);
	assert_int_equal(get(c, url_of(&p, "/"), &r, &err), CH_OK);
	assert_null(http_resp_header(r, "x-not"));
	gate_open(&g);
	assert_int_equal(http_read(r, text, 2, soon(), &n, &err), CH_OK);
	assert_int_equal(n, 2);
	assert_memory_equal(text, "on", 2);
	assert_int_equal(http_read(r, text, sizeof(text), soon(), &n, &err), CH_OK);
	assert_int_equal(n, 1);
	gate_open(&g);
	assert_int_equal(http_read(r, text, sizeof(text), soon(), &n, &err), CH_OK);
	assert_int_equal(n, 3);
	assert_memory_equal(text, "two", 3);
	assert_int_equal(http_read(r, text, sizeof(text), soon(), &n, &err), CH_OK);
	assert_int_equal(n, 0);
	assert_null(http_resp_header(r, "x-trailer"));
	http_resp_free(r);
	http_client_free(c);
	peer_stop(&p);
}

static void test_streaming(void **state)
{
	in_fiber(run_streaming, NULL);
}

struct cut { const char *sends; bool reset; ch_status open_st, read_st; const char *body; };

static const struct cut cuts[] = {
	{ "", false, CH_E_PEER, CH_OK, "" },
	{ "", true, CH_E_PEER, CH_OK, "" },
	{ "HTTP/1.1 200 OK\r\nContent-Le", false, CH_E_PEER, CH_OK, "" },
	{ "rubbish\r\n\r\n", false, CH_E_PEER, CH_OK, "" },
	{ "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello", false, CH_OK, CH_E_PEER, "hello" },
	{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", false, CH_OK, CH_E_PEER, "hello" },
	{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhello", false, CH_OK, CH_E_PEER, "hello" },
	{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n", false, CH_OK, CH_E_PEER, "hello" },
	{ "HTTP/1.1 200 OK\r\n\r\nhello", false, CH_OK, CH_OK, "hello" },
	{ "HTTP/1.1 204 No Content\r\n\r\n", false, CH_OK, CH_OK, "" },
	{ "HTTP/1.0 500 Oops\r\nContent-Length: 0\r\n\r\n", false, CH_OK, CH_OK, "" },
};

static void serve_cut(struct peer_conn *pc)
{
	const struct cut *cut = pc->peer->arg;

	if (!*peer_head(pc))
		return;
	if (*cut->sends)
		peer_puts(pc, cut->sends);
	if (cut->reset)
		peer_reset(pc);
}

static void run_cuts(struct loop *l, void *arg)
{
	struct http_client *c = http_client_new(l);

	for (size_t i = 0; i < CH_ARRAY_LEN(cuts); i++) {
		CH_AUTO(http_resp_free) struct http_resp *r = NULL;
		CH_AUTO_BUF struct buf body = { .max_bytes = 100 };
		struct ch_err err = { 0 };
		struct peer p;
		ch_status st;

		peer_start(&p, l, serve_cut, (void *)&cuts[i]);
		st = get(c, url_of(&p, "/"), &r, &err);
		assert_int_equal(st, cuts[i].open_st);
		if (!st) {
			st = http_read_all(r, &body, soon(), &err);
			assert_int_equal(st, cuts[i].read_st);
			assert_string_equal(buf_str(&body), cuts[i].body);
		}
		if (st)
			assert_non_null(strstr(err.text, "http://127.0.0.1:"));
		peer_stop(&p);
	}
	http_client_free(c);
}

static void test_cut_bodies(void **state)
{
	in_fiber(run_cuts, NULL);
}

static void run_refused(struct loop *l, void *arg)
{
	struct http_client *c = http_client_new(l);
	struct http_resp *r = NULL;
	struct ch_err err;
	struct peer p;

	peer_start(&p, l, NULL, NULL);
	peer_stop(&p);
	assert_int_equal(get(c, url_of(&p, "/"), &r, &err), CH_E_PEER);
	assert_non_null(strstr(err.text, "connecting failed"));
	http_client_free(c);
}

static void test_nobody_there(void **state)
{
	in_fiber(run_refused, NULL);
}

static void serve_silence(struct peer_conn *pc)
{
	if (pc->peer->arg) {
		peer_head(pc);
		peer_puts(pc, pc->peer->arg);
	}
	peer_wait_eof(pc);
}

static void run_deadlines(struct loop *l, void *arg)
{
	struct http_client *c = http_client_new(l);
	struct http_resp *r = NULL;
	struct ch_err err;
	char text[8];
	size_t n;
	struct peer p;
	struct http_out rq = { .guard = GUARD_TRUST_ORIGIN };

	peer_start(&p, l, serve_silence, NULL);
	rq.url = url_of(&p, "/");
	rq.headers_deadline_ms = fiber_deadline(30);
	assert_int_equal(http_open(c, &rq, &r, &err), CH_E_TIMEOUT);
	peer_stop(&p);      /* waits until the client has closed */

	peer_start(&p, l, serve_silence, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab");
	assert_int_equal(get(c, url_of(&p, "/"), &r, &err), CH_OK);
	assert_int_equal(http_read(r, text, sizeof(text), soon(), &n, &err), CH_OK);
	assert_int_equal(n, 2);
	assert_int_equal(http_read(r, text, sizeof(text), fiber_deadline(30), &n, &err), CH_E_TIMEOUT);
	http_resp_free(r);
	peer_stop(&p);
	http_client_free(c);
}

static void test_deadlines(void **state)
{
	in_fiber(run_deadlines, NULL);
}

struct canceled { struct http_client *c; const char *url; bool in_body; ch_status st; struct gate at; };

static void canceled_run(void *arg)
{
	struct canceled *x = arg;
	CH_AUTO(http_resp_free) struct http_resp *r = NULL;
	struct ch_err err;
	char text[8];
	size_t n;

	gate_open(&x->at);
	x->st = get(x->c, x->url, &r, &err);
	if (x->in_body) {
		assert_int_equal(x->st, CH_OK);
		assert_int_equal(http_read(r, text, sizeof(text), soon(), &n, &err), CH_OK);
		gate_open(&x->at);
		x->st = http_read(r, text, sizeof(text), soon(), &n, &err);
	}
}

static void run_cancel(struct loop *l, void *arg)
{
	struct http_client *c = http_client_new(l);

	for (int in_body = 0; in_body < 2; in_body++) {
		struct canceled x = { .c = c, .in_body = in_body };
		struct fiber *f;
		struct peer p;

		peer_start(&p, l, serve_silence, in_body ? "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab" : NULL);
		fiber_cond_init(&x.at.cond);
		x.url = url_of(&p, "/");
		f = fiber_spawn(l, "reader", FIBER_JOINABLE, canceled_run, &x);
		gate_wait(&x.at, 1 + in_body);
		while (!p.accepted)
			assert_int_equal(fiber_yield(), CH_OK);
		fiber_cancel(f);
		assert_int_equal(fiber_join(f, soon()), CH_OK);
		assert_int_equal(x.st, CH_E_CANCELED);
		peer_stop(&p); /* ends only because the transfer was dropped */
	}
	http_client_free(c);
}

static void test_cancel(void **state)
{
	in_fiber(run_cancel, NULL);
}

static void serve_early(struct peer_conn *pc)
{
	peer_head(pc);
	peer_puts(pc, "HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig");
	peer_wait_eof(pc);
}

static void run_early_answer(struct loop *l, void *arg)
{
	struct http_client *c = http_client_new(l);
	size_t len = (size_t)8 << 20;
	char *body = ch_alloc(len);
	CH_AUTO_BUF struct buf got = { .max_bytes = 100 };
	struct http_resp *r = NULL;
	struct ch_err err;
	struct peer p;
	struct http_out rq = { .guard = GUARD_TRUST_ORIGIN, .body = body, .body_len = len, .headers_deadline_ms = soon() };

	peer_start(&p, l, serve_early, NULL);
	rq.url = url_of(&p, "/");
	assert_int_equal(http_open(c, &rq, &r, &err), CH_OK);
	ch_free(body); /* borrowed until then only */
	assert_int_equal(http_resp_status(r), 413);
	assert_int_equal(http_read_all(r, &got, soon(), &err), CH_OK);
	assert_string_equal(buf_str(&got), "big");
	http_resp_free(r);
	http_client_free(c);
	peer_stop(&p);
}

static void test_answer_before_the_body_is_sent(void **state)
{
	in_fiber(run_early_answer, NULL);
}

static void serve_many_headers(struct peer_conn *pc)
{
	const char *kind = pc->peer->arg;
	CH_AUTO_BUF struct buf out = { .max_bytes = 1 << 20 };

	peer_head(pc);
	buf_puts(&out, "HTTP/1.1 200 OK\r\n");
	for (int i = 0; i < (*kind == 'n' ? 300 : 100); i++)
		buf_printf(&out, "X-A: %0*d\r\n", *kind == 'n' ? 1 : 800, i);
	buf_puts(&out, "\r\n");
	peer_write(pc, out.data, out.len);
	peer_wait_eof(pc);
}

static void run_header_limits(struct loop *l, void *arg)
{
	static const char *const kinds[] = { "number", "size" };
	struct http_client *c = http_client_new(l);

	for (size_t i = 0; i < CH_ARRAY_LEN(kinds); i++) {
		struct http_resp *r = NULL;
		struct ch_err err;
		struct peer p;

		peer_start(&p, l, serve_many_headers, (void *)kinds[i]);
		assert_int_equal(get(c, url_of(&p, "/"), &r, &err), CH_E_LIMIT);
		peer_stop(&p);
	}
	http_client_free(c);
}

static void test_header_limits(void **state)
{
	in_fiber(run_header_limits, NULL);
}

/* -- back-pressure and many at once -- */

#define FLOOD_BYTES ((size_t)64 << 20)

struct flood { size_t written; };

static void serve_flood(struct peer_conn *pc)
{
	struct flood *f = pc->peer->arg;
	char *block = ch_alloc(65536);
	char head[64];
	int small = 65536;

	uv_send_buffer_size((uv_handle_t *)&pc->tcp, &small);
	peer_head(pc);
	snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", FLOOD_BYTES);
	peer_puts(pc, head);
	while (f->written < FLOOD_BYTES && peer_write(pc, block, 65536))
		f->written += 65536;
	ch_free(block);
	peer_wait_eof(pc);
}

static void run_back_pressure(struct loop *l, void *arg)
{
	struct http_client *c = http_client_new(l);
	struct http_resp *r = NULL;
	struct flood f = { 0 };
	size_t got = 0, n, before;
	char *block = ch_alloc(65536);
	struct ch_err err;
	struct peer p;

	peer_start(&p, l, serve_flood, &f);
	assert_int_equal(get(c, url_of(&p, "/"), &r, &err), CH_OK);
	assert_int_equal(http_read(r, block, 65536, soon(), &got, &err), CH_OK);
	do {    /* nobody reads: the peer must come to a stand */
		before = f.written;
		assert_int_equal(fiber_sleep(20), CH_OK);
	} while (f.written != before);
	assert_true(f.written < (size_t)16 << 20); /* what the kernel's buffers may hold */
	do {
		assert_int_equal(http_read(r, block, 65536, soon(), &n, &err), CH_OK);
		got += n;
	} while (n);
	assert_int_equal(got, FLOOD_BYTES);
	http_resp_free(r);
	ch_free(block);
	http_client_free(c);
	peer_stop(&p);
}

static void test_back_pressure(void **state)
{
	in_fiber(run_back_pressure, NULL);
}

#define STREAMS 100
#define EVENTS 20

static void serve_events(struct peer_conn *pc)
{
	while (*peer_head(pc)) {
		peer_drop(pc, 0);
		peer_puts(pc, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
		for (int i = 0; i < EVENTS; i++) {
			assert_true(peer_puts(pc, "a\r\ndata: abc\n\r\n"));
			assert_int_equal(fiber_yield(), CH_OK);
		}
		peer_puts(pc, "0\r\n\r\n");
	}
}

struct streams { struct http_client *c; const char *url; int complete; };

static void stream_run(void *arg)
{
	struct streams *s = arg;

	for (int round = 0; round < 2; round++) {
		CH_AUTO(http_resp_free) struct http_resp *r = NULL;
		CH_AUTO_BUF struct buf body = { .max_bytes = 4096 };
		struct ch_err err;

		assert_int_equal(get(s->c, s->url, &r, &err), CH_OK);
		assert_int_equal(http_read_all(r, &body, soon(), &err), CH_OK);
		assert_int_equal(body.len, 10 * EVENTS);
		s->complete++;
	}
}

static void assert_all_sockets_are_cloexec(void)
{
	int sockets = 0;

	for (int fd = 3; fd < 1000; fd++) {
		struct sockaddr_storage ss;
		socklen_t n = sizeof(ss);

		if (getsockname(fd, (struct sockaddr *)&ss, &n) != 0 || ss.ss_family == AF_UNIX)
			continue;
		sockets++;
		assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	}
	assert_true(sockets > STREAMS / 2);
}

static void run_many(struct loop *l, void *arg)
{
	struct http_client *c = http_client_new(l);
	struct fiber *fibers[STREAMS];
	struct streams s = { .c = c };
	struct peer p;

	peer_start(&p, l, serve_events, NULL);
	s.url = url_of(&p, "/");
	for (int i = 0; i < STREAMS; i++)
		fibers[i] = fiber_spawn(l, "stream", FIBER_JOINABLE, stream_run, &s);
	while (s.complete < STREAMS / 2)
		assert_int_equal(fiber_yield(), CH_OK);
	assert_all_sockets_are_cloexec();
	for (int i = 0; i < STREAMS; i++)
		assert_int_equal(fiber_join(fibers[i], soon()), CH_OK);
	assert_int_equal(s.complete, 2 * STREAMS);
	http_client_free(c);
	peer_stop(&p);
}

static void test_100_streams(void **state)
{
	in_fiber(run_many, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_get_and_reuse),
		cmocka_unit_test(test_what_is_sent),
		cmocka_unit_test(test_malformed_requests),
		cmocka_unit_test(test_streaming),
		cmocka_unit_test(test_cut_bodies),
		cmocka_unit_test(test_nobody_there),
		cmocka_unit_test(test_deadlines),
		cmocka_unit_test(test_cancel),
		cmocka_unit_test(test_answer_before_the_body_is_sent),
		cmocka_unit_test(test_header_limits),
		cmocka_unit_test(test_back_pressure),
		cmocka_unit_test(test_100_streams),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
