/* net/http_client against raw peers: answers, cuts, stalls, redirects, the guard, back-pressure. */
#include "net/http_client.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/str.h"
#include "raw_peer.h"

#define PUBLIC_IP "11.22.33.44"      /* given to the loopback interface of our own network namespace */

static bool have_public_ip;

static int64_t soon(void)
{
	return fiber_deadline(5000);
}

static const char *url_of(const struct peer *p, const char *path)
{
	static char text[4][300];
	static unsigned turn;
	char *url = text[turn++ % 4];

	snprintf(url, sizeof(text[0]), "http://127.0.0.1:%u%s", p->port, path);
	return url;
}

static ch_status get(struct http_client *c, const char *url, struct http_resp **ret, struct ch_err *err)
{
	struct http_out rq = { .url = url, .guard = GUARD_TRUST_ORIGIN, .headers_deadline_ms = soon() };

	return http_open(c, &rq, ret, err);
}

/* -- plain exchanges -- */

static void serve_hello(struct peer_conn *pc)
{
	while (*peer_head(pc)) {
		peer_drop(pc, 0);
		peer_puts(pc, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: 1\r\nx-a:  2 \r\nContent-Type: text/plain\r\n"
			      "X-Empty:\r\n\r\nhello");
	}
}

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

/* Answers with the request itself. */
static void echo(struct peer_conn *pc, const char *head)
{
	const char *length = strcasestr(head, "\r\ncontent-length:");
	size_t head_len = (size_t)(strstr(head, "\r\n\r\n") - head) + 4;
	size_t n = head_len + (length ? (size_t)strtoll(length + 17, NULL, 10) : 0);
	CH_AUTO_BUF struct buf out = { .max_bytes = (size_t)64 << 20 };

	assert_true(peer_want(pc, n));
	buf_printf(&out, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", n);
	buf_append(&out, pc->in.data, n);
	buf_consume(&pc->in, n);
	peer_write(pc, out.data, out.len);
}

static void serve_echo(struct peer_conn *pc)
{
	const char *head;

	while (*(head = peer_head(pc)))
		echo(pc, head);
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
	if (have_public_ip) {       /* without a network, resolving fails at once */
		assert_int_equal(get(c, "http://no-such-host.invalid/", &r, &err), CH_E_PEER);
		assert_non_null(strstr(err.text, "resolving the name failed"));
	}
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

/* -- redirects -- */

static void serve_redirects(struct peer_conn *pc)
{
	static const struct { const char *path, *status, *location; } rows[] = {
		{ "/301 ", "301 Moved", "/echo?301" },    { "/302 ", "302 Found", "echo?302" },
		{ "/303 ", "303 See Other", "/echo?303" }, { "/307 ", "307 Temporary", "/echo?307" },
		{ "/308 ", "308 Permanent", "/echo?308" }, { "/loop ", "302 Found", "/loop" },
		{ "/bad ", "302 Found", "http://[::" },    { "/user ", "302 Found", "http://u:p@127.0.0.1/" },
		{ "/ftp ", "302 Found", "ftp://127.0.0.1/" }, { "/none ", "302 Found", NULL },
		{ "/meta ", "302 Found", "http://169.254.169.254/latest/" },
		{ "/lo ", "302 Found", "http://127.0.0.1:1/" },
		{ "/octal ", "302 Found", "http://0177.1:1/" },
		{ "/name ", "302 Found", "//localhost:1/" },
	};
	const char *head;

	while (*(head = peer_head(pc))) {
		const char *path = strchr(head, ' ') + 1;
		size_t i = 0;
		char out[300];

		while (i < CH_ARRAY_LEN(rows) && !str_starts(path, rows[i].path))
			i++;
		if (i == CH_ARRAY_LEN(rows)) {
			echo(pc, head);
			continue;
		}
		if (rows[i].location)
			snprintf(out, sizeof(out), "HTTP/1.1 %s\r\nContent-Length: 0\r\nLocation: %s\r\n\r\n", rows[i].status,
				 rows[i].location);
		else
			snprintf(out, sizeof(out), "HTTP/1.1 %s\r\nContent-Length: 0\r\n\r\n", rows[i].status);
		peer_drop(pc, strstr(head, "POST ") == head ? 2 : 0);
		peer_puts(pc, out);
	}
}

static const struct redirect {
	const char *path, *method;
	int max;
	ch_status st;
	int status;
	const char *starts, *ends;
} redirects[] = {
	{ "/301", "POST", 3, CH_OK, 200, "GET /echo?301 ", "\r\n\r\n" },
	{ "/302", "POST", 3, CH_OK, 200, "GET /echo?302 ", "\r\n\r\n" },
	{ "/303", "POST", 3, CH_OK, 200, "GET /echo?303 ", "\r\n\r\n" },
	{ "/307", "POST", 3, CH_OK, 200, "POST /echo?307 ", "\r\n\r\nhi" },
	{ "/308", "POST", 3, CH_OK, 200, "POST /echo?308 ", "\r\n\r\nhi" },
	{ "/301", "GET", 1, CH_OK, 200, "GET /echo?301 ", "\r\n\r\n" },
	{ "/301", "GET", 0, CH_OK, 301, "", "" },
	{ "/none", "GET", 3, CH_OK, 302, "", "" },
	{ "/loop", "GET", 5, CH_E_LIMIT, 0, "", "" },
	{ "/bad", "GET", 5, CH_E_PEER, 0, "", "" },
	{ "/user", "GET", 5, CH_E_PEER, 0, "", "" },
	{ "/ftp", "GET", 5, CH_E_INVALID, 0, "", "" },
	{ "/meta", "GET", 5, CH_E_DENIED, 0, "", "" },
	{ "/lo", "GET", 5, CH_E_DENIED, 0, "", "" },
	{ "/octal", "GET", 5, CH_E_DENIED, 0, "", "" },
	{ "/name", "GET", 5, CH_E_DENIED, 0, "", "" },
};

static void redirect_check(struct http_client *c, const struct redirect *x, const char *url, enum guard_policy guard)
{
	CH_AUTO(http_resp_free) struct http_resp *r = NULL;
	CH_AUTO_BUF struct buf body = { .max_bytes = 4096 };
	bool is_post = str_eq(x->method, "POST");
	struct ch_err err = { 0 };
	struct http_out rq = { .url = url, .method = x->method, .guard = guard, .max_redirects = x->max,
			       .body = is_post ? "hi" : NULL, .body_len = is_post ? 2 : 0,
			       .headers_deadline_ms = soon() };

	assert_int_equal(http_open(c, &rq, &r, &err), x->st);
	if (x->st)
		return;
	assert_int_equal(http_resp_status(r), x->status);
	assert_int_equal(http_read_all(r, &body, soon(), &err), CH_OK);
	if (!str_starts(buf_str(&body), x->starts) || !str_ends(buf_str(&body), x->ends))
		fail_msg("%s %s: %s", x->method, x->path, buf_str(&body));
	if (x->status == 200)
		assert_non_null(strstr(http_resp_url(r), "/echo?"));
}

static void run_redirects(struct loop *l, void *arg)
{
	struct http_client *c = http_client_new(l);
	struct peer p;

	peer_start(&p, l, serve_redirects, NULL);
	for (size_t i = 0; i < CH_ARRAY_LEN(redirects); i++)
		redirect_check(c, &redirects[i], url_of(&p, redirects[i].path), GUARD_TRUST_ORIGIN);
	http_client_free(c);
	peer_stop(&p);
}

static void test_redirects(void **state)
{
	in_fiber(run_redirects, NULL);
}

/* From a public address: followed within public space with bare headers, never into private space. */
static void serve_hop(struct peer_conn *pc)
{
	const struct peer *target = pc->peer->arg;
	char out[200];

	peer_head(pc);
	snprintf(out, sizeof(out), "HTTP/1.1 307 Go\r\nContent-Length: 0\r\nLocation: http://%s:%u/\r\n\r\n", PUBLIC_IP,
		 target->port);
	peer_puts(pc, out);
	peer_wait_eof(pc);
}

static void peer_rebind_public(struct peer *p, struct loop *l, peer_fn fn, void *arg)
{
	struct sockaddr_in addr;
	int n = sizeof(addr);

	*p = (struct peer){ .loop = l, .fn = fn, .arg = arg };
	uv_tcp_init(loop_uv(l), &p->listener);
	p->listener.data = p;
	uv_ip4_addr(PUBLIC_IP, 0, &addr);
	assert_int_equal(uv_tcp_bind(&p->listener, (struct sockaddr *)&addr, 0), 0);
	assert_int_equal(uv_listen((uv_stream_t *)&p->listener, 16, peer_on_connection), 0);
	uv_tcp_getsockname(&p->listener, (struct sockaddr *)&addr, &n);
	p->port = ntohs(addr.sin_port);
}

static void run_public(struct loop *l, void *arg)
{
	static const struct http_header secrets[] = {
		{ "Authorization", "Bearer s" }, { "x-api-key", "s" }, { "Cookie", "s=1" }, { "Accept", "text/plain" },
	};
	struct http_client *c = http_client_new(l);
	struct peer target, hop, redirecting;
	struct http_out rq = { .guard = GUARD_PUBLIC_ONLY, .max_redirects = 3, .headers = secrets, .header_count = 4 };
	CH_AUTO_BUF struct buf body = { .max_bytes = 4096 };
	struct http_resp *r = NULL;
	struct ch_err err;
	char url[100];

	peer_rebind_public(&target, l, serve_echo, NULL);
	peer_rebind_public(&hop, l, serve_hop, &target);
	peer_rebind_public(&redirecting, l, serve_redirects, NULL);

	rq.headers_deadline_ms = soon();
	rq.url = url;
	snprintf(url, sizeof(url), "http://%s:%u/", PUBLIC_IP, hop.port);
	assert_int_equal(http_open(c, &rq, &r, &err), CH_OK);
	assert_int_equal(http_read_all(r, &body, soon(), &err), CH_OK);
	assert_non_null(strstr(buf_str(&body), "Accept: text/plain\r\n"));
	assert_null(strcasestr(buf_str(&body), "authorization"));
	assert_null(strcasestr(buf_str(&body), "x-api-key"));
	assert_null(strcasestr(buf_str(&body), "cookie"));
	http_resp_free(r);

	for (size_t i = 0; i < CH_ARRAY_LEN(redirects); i++) {
		snprintf(url, sizeof(url), "http://%s:%u%s", PUBLIC_IP, redirecting.port, redirects[i].path);
		redirect_check(c, &redirects[i], url, GUARD_PUBLIC_ONLY);
	}
	http_client_free(c);
	peer_stop(&hop);
	peer_stop(&redirecting);
	peer_stop(&target);
}

static void test_public_redirects(void **state)
{
	if (!have_public_ip)
		skip();
	in_fiber(run_public, NULL);
}

/* -- the guard -- */

static void run_guard(struct loop *l, void *arg)
{
	static const char *const loopback[] = {
		"127.0.0.1", "127.1", "0x7f000001", "0x7f.1", "0177.0.0.1", "2130706433", "localhost", "0.0.0.0",
		"127.0.0.1.", "localhost.", "LOCALHOST", "x.localhost", "0", "[::1]", "[::]", "[::ffff:127.0.0.1]",
		"[::ffff:7f00:1]", "[::127.0.0.1]", "[64:ff9b::127.0.0.1]", "[2002:7f00:1::]", "%31%32%37.0.0.1",
		"\xef\xbc\x91\xef\xbc\x92\xef\xbc\x97.0.0.1", /* full-width digits */
	};
	static const char *const metadata[] = {
		"169.254.169.254", "0xa9fea9fe", "2852039166", "0251.0376.0251.0376", "169.254.43518", "169.254.169.254.",
		"[::ffff:169.254.169.254]", "[fd00:ec2::254]", "[fe80::a9fe:a9fe]", "[64:ff9b::a9fe:a9fe]",
		"[2002:a9fe:a9fe::]", "100.100.100.200", "169.254.1.1", "[fe80::1]",
	};
	struct http_client *c = http_client_new(l);
	struct peer p;

	peer_start(&p, l, serve_hello, NULL);
	for (size_t i = 0; i < CH_ARRAY_LEN(loopback) + CH_ARRAY_LEN(metadata); i++) {
		bool is_loopback = i < CH_ARRAY_LEN(loopback);
		struct http_resp *r = NULL;
		struct ch_err err = { 0 };
		char url[200];
		struct http_out rq = { .url = url, .headers_deadline_ms = soon() };
		ch_status st;

		snprintf(url, sizeof(url), "http://%s:%u/", is_loopback ? loopback[i] : metadata[i - CH_ARRAY_LEN(loopback)],
			 p.port);
		rq.guard = is_loopback ? GUARD_PUBLIC_ONLY : GUARD_TRUST_ORIGIN;
		st = http_open(c, &rq, &r, &err);
		/* A form that libcurl or the resolver does not take for an address is fine too, reaching it is not. */
		if (st != CH_E_DENIED && st != CH_E_PEER && st != CH_E_INVALID)
			fail_msg("%s: %s (%s)", url, ch_status_name(st), err.text);
		if (i < 8 || (!is_loopback && i < CH_ARRAY_LEN(loopback) + 5))
			assert_int_equal(st, CH_E_DENIED);
	}
	assert_int_equal(p.accepted, 0);
	http_client_free(c);
	peer_stop(&p);
}

static void test_guard_and_url_tricks(void **state)
{
	in_fiber(run_guard, NULL);
}

static void run_pool(struct loop *l, void *arg)
{
	struct http_client *c = http_client_new(l);
	CH_AUTO_BUF struct buf body = { .max_bytes = 100 };
	struct http_resp *r = NULL;
	struct ch_err err;
	struct peer p;
	char url[100];
	struct http_out rq = { .url = url, .guard = GUARD_PUBLIC_ONLY, .headers_deadline_ms = soon() };

	peer_start(&p, l, serve_hello, NULL);
	snprintf(url, sizeof(url), "http://localhost:%u/", p.port);
	assert_int_equal(get(c, url, &r, &err), CH_OK);
	assert_int_equal(http_read_all(r, &body, soon(), &err), CH_OK);
	http_resp_free(r);
	assert_int_equal(p.accepted, 1);
	/* The pool has a connection to that very origin now. */
	assert_int_equal(http_open(c, &rq, &r, &err), CH_E_DENIED);
	assert_non_null(strstr(err.text, "127.0.0.1 is a loopback address"));
	http_client_free(c);
	peer_stop(&p);
}

static void test_pool_is_no_way_around_the_guard(void **state)
{
	in_fiber(run_pool, NULL);
}

static void run_proxy(struct loop *l, void *arg)
{
	struct http_client *c = http_client_new(l);
	struct http_resp *r = NULL;
	struct ch_err err;
	struct peer p, proxy;
	char text[100];

	peer_start(&p, l, serve_hello, NULL);
	peer_start(&proxy, l, serve_hello, NULL);
	snprintf(text, sizeof(text), "http://127.0.0.1:%u", proxy.port);
	setenv("http_proxy", text, 1);
	/* This machine is never reached through a proxy. */
	snprintf(text, sizeof(text), "http://localhost:%u/", p.port);
	assert_int_equal(get(c, text, &r, &err), CH_OK);
	http_resp_free(r);
	assert_int_equal(get(c, url_of(&p, "/"), &r, &err), CH_OK);
	http_resp_free(r);
	assert_int_equal(proxy.accepted, 0);
	/* A configured origin elsewhere is. */
	assert_int_equal(get(c, "http://model.example/", &r, &err), CH_OK);
	http_resp_free(r);
	assert_int_equal(proxy.accepted, 1);
	setenv("no_proxy", "other.example,model.example", 1);
	if (have_public_ip)
		assert_int_equal(get(c, "http://model.example/", &r, &err), CH_E_PEER);
	assert_int_equal(proxy.accepted, 1);
	unsetenv("no_proxy");
	unsetenv("http_proxy");
	http_client_free(c);
	peer_stop(&p);
	peer_stop(&proxy);
}

static void test_proxy_of_the_environment(void **state)
{
	in_fiber(run_proxy, NULL);
}

/* -- a network of our own, so that a public address can be served without leaving the machine -- */

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd >= 0) {
		if (write(fd, text, strlen(text)) < 0)
			fprintf(stderr, "# %s: not written\n", path);
		close(fd);
	}
}

static bool set_interface(int fd, const char *name, const char *ip)
{
	struct ifreq ifr = { .ifr_flags = 0 };
	struct sockaddr_in in = { .sin_family = AF_INET };

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	if (ip) {
		inet_pton(AF_INET, ip, &in.sin_addr);
		memcpy(&ifr.ifr_addr, &in, sizeof(in));
		if (ioctl(fd, SIOCSIFADDR, &ifr) != 0)
			return false;
	}
	ifr.ifr_flags = IFF_UP | IFF_RUNNING | IFF_LOOPBACK;
	return ioctl(fd, SIOCSIFFLAGS, &ifr) == 0;
}

static int own_network(void **state)
{
	char map[64];
	int fd;
	unsigned int uid = getuid(), gid = getgid();

	if (unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0)
		return 0; /* not allowed here: the tests that need it say "skipped" */
	write_file("/proc/self/setgroups", "deny");
	snprintf(map, sizeof(map), "0 %u 1", uid);
	write_file("/proc/self/uid_map", map);
	snprintf(map, sizeof(map), "0 %u 1", gid);
	write_file("/proc/self/gid_map", map);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	have_public_ip = set_interface(fd, "lo", "127.0.0.1") && set_interface(fd, "lo:1", PUBLIC_IP);
	close(fd);
	return 0;
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
		cmocka_unit_test(test_redirects),
		cmocka_unit_test(test_public_redirects),
		cmocka_unit_test(test_guard_and_url_tricks),
		cmocka_unit_test(test_pool_is_no_way_around_the_guard),
		cmocka_unit_test(test_proxy_of_the_environment),
	};

	return cmocka_run_group_tests(tests, own_network, NULL);
}
