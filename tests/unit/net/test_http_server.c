/* net/http_server: exchanges, limits, deadlines and ways to leave, against a raw socket. */
#include "net/http_server.h"

#include <sys/resource.h>

#include "core/clock.h"
#include "core/mem.h"
#include "core/str.h"
#include "net/url.h"
#include "raw_client.h"

#define H "Host: a\r\n"
#define GET(path) "GET " path " HTTP/1.1\r\n" H "\r\n"

/* -- handlers -- */

static struct {
	int started, ended;
	struct fiber_cond gate;         /* "/wait" waits here */
	bool is_open;
	ch_status last;
	bool was_alive;
} seen;

static void run_ok(struct http_call *c, const struct http_request *rq, void *arg)
{
	http_reply(c, 200, "text/plain", "ok\n", 3);
}

static void run_echo(struct http_call *c, const struct http_request *rq, void *arg)
{
	const char *x = http_header(rq, "x-a");
	char *text = arena_printf(rq->arena, "%s %s %s [%s] %s lo=%d tls=%d up=%d body=%zu:%s", rq->method,
				  rq->path, rq->query ? rq->query : "-", x ? x : "-", rq->peer_ip,
				  rq->peer_is_loopback, rq->is_tls, rq->is_upgrade, rq->body_len, rq->body);

	assert_true(rq->peer_port > 0);
	http_reply_header(c, "X-Test", "yes");
	http_reply(c, 200, "text/plain", text, strlen(text));
}

static void run_wait(struct http_call *c, const struct http_request *rq, void *arg)
{
	ch_status st = CH_OK;

	seen.started++;
	while (!seen.is_open && !st)
		st = fiber_cond_wait(&seen.gate, fiber_deadline(60000));
	seen.last = st;
	seen.was_alive = http_call_alive(c);
	seen.ended++;
	http_reply(c, 200, "text/plain", "waited\n", 7);
}

/* As one that does something which cannot be broken off. */
static void run_deaf(struct http_call *c, const struct http_request *rq, void *arg)
{
	fiber_mask(+1);
	run_wait(c, rq, arg);
	fiber_mask(-1);
}

static void run_silent(struct http_call *c, const struct http_request *rq, void *arg)
{
}

static void run_twice(struct http_call *c, const struct http_request *rq, void *arg)
{
	http_reply(c, 200, NULL, "1", 1);
	http_reply(c, 500, NULL, "2", 1);
}

static void run_injected(struct http_call *c, const struct http_request *rq, void *arg)
{
	http_reply_header(c, "X-Name", url_query_get(rq->arena, rq->query, "x"));
	http_reply(c, 200, "text/plain", "ok", 2);
}

static void run_empty(struct http_call *c, const struct http_request *rq, void *arg)
{
	http_reply(c, 204, "text/plain", "never", 5);
}

static void run_error(struct http_call *c, const struct http_request *rq, void *arg)
{
	http_reply_error(c, 403, "forbidden", "no \"way\"\n");
}

static void run_stream(struct http_call *c, const struct http_request *rq, void *arg)
{
	assert_int_equal(http_stream_begin(c, 200, "text/event-stream"), CH_OK);
	assert_int_equal(http_stream_write(c, "one\n", 4, fiber_deadline(1000)), CH_OK);
	assert_int_equal(http_stream_write(c, "", 0, fiber_deadline(1000)), CH_OK);
	assert_int_equal(http_stream_write(c, "0123456789abcdef\n", 17, fiber_deadline(1000)), CH_OK);
	http_stream_end(c);
}

static void run_sized(struct http_call *c, const struct http_request *rq, void *arg)
{
	http_reply_header(c, "Content-Length", "6");
	assert_int_equal(http_stream_begin(c, 200, "text/plain"), CH_OK);
	assert_int_equal(http_stream_write(c, "abc", 3, fiber_deadline(1000)), CH_OK);
	if (!str_eq(rq->query, "short"))
		assert_int_equal(http_stream_write(c, "def", 3, fiber_deadline(1000)), CH_OK);
	http_stream_end(c);
}

/* Writes until it may not. */
static void run_flood(struct http_call *c, const struct http_request *rq, void *arg)
{
	static const char piece[32768];
	ch_status st = http_stream_begin(c, 200, NULL);

	seen.started++;
	while (!st)
		st = http_stream_write(c, piece, sizeof(piece), fiber_deadline(5000));
	seen.last = st;
	seen.ended++;
}

/* 8 MiB in one go, or 64. */
static void run_big(struct http_call *c, const struct http_request *rq, void *arg)
{
	size_t n = (rq->query ? 64u : 8u) << 20;
	char *bytes = ch_alloc(n);

	memset(bytes, 'b', n);
	http_reply(c, 200, NULL, bytes, n);
	ch_free(bytes);
}

static const struct http_route routes[] = {
	{ "GET",  "/ok",      0,       run_ok },
	{ "GET",  "/echo/*",  0,       run_echo },
	{ "POST", "/echo/*",  1000,    run_echo },
	{ "GET",  "/wait",    0,       run_wait },
	{ "GET",  "/deaf",    0,       run_deaf },
	{ "GET",  "/silent",  0,       run_silent },
	{ "GET",  "/twice",   0,       run_twice },
	{ "GET",  "/inject",  0,       run_injected },
	{ "GET",  "/empty",   0,       run_empty },
	{ "GET",  "/error",   0,       run_error },
	{ "GET",  "/stream",  0,       run_stream },
	{ "GET",  "/sized",   0,       run_sized },
	{ "GET",  "/flood",   0,       run_flood },
	{ "GET",  "/big",     0,       run_big },
	{ "POST", "/nobody",  0,       run_ok },
	{ NULL,   "/any",     0,       run_ok },
	{ 0 },
};

/* "X-Admit: no" is refused before anything else; "mute" without a word. */
static bool admit(struct http_call *call, const struct http_request *rq, void *arg)
{
	const char *x = http_header(rq, "x-admit");

	if (str_eq(x, "no"))
		http_reply_error(call, 403, "forbidden", "not admitted");
	return x == NULL;
}

/* -- the frame of each test -- */

static struct http_server *server;
static uint16_t port;

static void begin(struct loop *l)
{
	static const struct http_server_opts opts = { .routes = routes, .admit = admit };
	struct ch_err err;

	memset(&seen, 0, sizeof(seen));
	server = http_server_new(l, &opts);
	assert_int_equal(http_server_listen(server, "127.0.0.1", 0, NULL, &port, &err), CH_OK);
	assert_true(port > 0);
}

static void end(void)
{
	http_server_stop(server, fiber_deadline(0));
	http_server_free(server);
	clock_real();
}

static void ask(const char *request, const char *expected)
{
	struct buf answer = client_ask(port, request);

	if (!strstr(buf_str(&answer), expected))
		fail_msg("'%s' gave '%s' instead of '%s'", request, buf_str(&answer), expected);
	buf_done(&answer);
}

#define TEST(name)                                                                                \
	static void name##_in(void *loop);                                                        \
	static void name(void **state) { in_loop(name##_in); }                                   \
	static void name##_in(void *loop)

/* -- exchanges -- */

TEST(test_exchange)
{
	begin(loop);
	struct client c = client_open(port);

	client_puts(&c, GET("/ok"));
	client_expect(&c, "HTTP/1.1 200 OK\r\nDate: ");
	client_expect(&c, " GMT\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\nok\n");
	client_puts(&c, "POST /echo/%41?q=1 HTTP/1.1\r\n" H
			"X-A: 1\r\nx-a:  2 \r\nContent-Length: 5\r\n\r\nhello");
	client_expect(&c, "X-Test: yes\r\n");
	client_expect(&c, "\r\n\r\nPOST /echo/A q=1 [1, 2] 127.0.0.1 lo=1 tls=0 up=0 body=5:hello");
	client_puts(&c, "POST /echo/ HTTP/1.1\r\n" H
			"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
	client_expect(&c, "body=5:abcde");
	client_puts(&c, "GET /echo/ HTTP/1.1\r\n" H "Connection: close\r\n\r\n");
	client_expect(&c, "Connection: close\r\n");
	client_expect(&c, "body=0:");
	client_expect_end(&c);
	client_close(&c);
	end();
}

TEST(test_ipv6)
{
	static const struct http_server_opts opts = { .routes = routes };
	struct ch_err err;

	begin(loop);
	assert_int_equal(http_server_listen(server, "::1", 0, NULL, &port, &err), CH_OK);
	struct client c = client_open_family(AF_INET6, port);

	client_puts(&c, "GET /echo/ HTTP/1.1\r\n" H "Connection: close\r\n\r\n");
	client_expect(&c, "::1 lo=1");
	client_close(&c);
	/* a v4 peer of a dual-stack listener is shown as what it is */
	assert_int_equal(http_server_listen(server, "::", 0, NULL, &port, &err), CH_OK);
	c = client_open(port);
	client_puts(&c, "GET /echo/ HTTP/1.1\r\n" H "Connection: close\r\n\r\n");
	client_expect(&c, " 127.0.0.1 lo=1");
	client_close(&c);
	(void)opts;
	end();
}

TEST(test_http10)
{
	begin(loop);
	ask("GET /ok HTTP/1.0\r\n\r\n", "Connection: close\r\nContent-Length: 3\r\n\r\nok\n");
	struct client c = client_open(port);

	client_puts(&c, "GET /ok HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
	client_expect(&c, "Connection: keep-alive\r\nContent-Length: 3\r\n\r\nok\n");
	client_puts(&c, "GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
	client_expect(&c, "Connection: close\r\n\r\none\n0123456789abcdef\n");
	client_expect_end(&c);
	client_close(&c);
	end();
}

TEST(test_byte_by_byte)
{
	static const char request[] = "POST /echo/ HTTP/1.1\r\n" H
				      "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n" GET("/ok");

	begin(loop);
	struct client c = client_open(port);

	for (size_t i = 0; i < sizeof(request) - 1; i++) {
		client_send(&c, request + i, 1);
		turns(2);
	}
	client_expect(&c, "body=3:abc");
	client_expect(&c, "\r\n\r\nok\n");
	client_close(&c);
	end();
}

TEST(test_answers)
{
	begin(loop);
	ask("GET /silent HTTP/1.1\r\n" H "Connection: close\r\n\r\n",
	    "500 Internal Server Error\r\n");
	ask("GET /error HTTP/1.1\r\n" H "Connection: close\r\n\r\n",
	    "\r\n\r\n{\"error\":{\"message\":\"no \\\"way\\\"\\n\",\"type\":\"forbidden\"}}");
	ask("GET /inject?x=a%0d%0aSet-Cookie:b HTTP/1.1\r\n" H "Connection: close\r\n\r\n", "HTTP/1.1 500 ");
	ask("GET /inject?x=fine HTTP/1.1\r\n" H "Connection: close\r\n\r\n", "X-Name: fine\r\n");
	ask("PUT /any HTTP/1.1\r\n" H "Connection: close\r\n\r\n", "200 OK");
	ask("GET /none HTTP/1.1\r\n" H "Connection: close\r\n\r\n", "404 Not Found");
	ask("PUT /echo/x HTTP/1.1\r\n" H "Connection: close\r\n\r\n", "Allow: GET, HEAD, POST\r\n");
	struct client c = client_open(port);

	client_puts(&c, GET("/empty") GET("/twice") GET("/none") "HEAD /ok HTTP/1.1\r\n" H "\r\n" GET("/ok"));
	client_expect(&c, "HTTP/1.1 204 No Content\r\n");
	client_expect(&c, "\r\n\r\nHTTP/1.1 200 OK\r\n");
	client_expect(&c, "Content-Length: 1\r\n\r\n1HTTP/1.1 404 ");
	client_expect(&c, "}}HTTP/1.1 200 OK\r\n");
	client_expect(&c, "Content-Length: 3\r\n\r\nHTTP/1.1 200 OK\r\n");
	client_expect(&c, "\r\n\r\nok\n");
	client_close(&c);
	end();
}

TEST(test_stream)
{
	begin(loop);
	struct client c = client_open(port);

	client_puts(&c, GET("/stream"));
	client_expect(&c, "Content-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
			  "4\r\none\n\r\n11\r\n0123456789abcdef\n\r\n0\r\n\r\n");
	client_puts(&c, GET("/sized"));
	client_expect(&c, "Content-Length: 6\r\n\r\nabcdef");
	client_puts(&c, "HEAD /stream HTTP/1.1\r\n" H "\r\n" GET("/ok"));
	client_expect(&c, "chunked\r\n\r\nHTTP/1.1 200 OK");
	client_expect(&c, "\r\n\r\nok\n");
	/* a body shorter than announced must not look whole */
	client_puts(&c, GET("/sized?short") GET("/ok"));
	client_expect(&c, "Content-Length: 6\r\n\r\nabc");
	client_expect_end(&c);
	client_close(&c);
	end();
}

TEST(test_admit)
{
	begin(loop);
	struct client c = client_open(port);

	client_puts(&c, "GET /ok HTTP/1.1\r\n" H "X-Admit: no\r\n\r\n" GET("/ok"));
	client_expect(&c, "HTTP/1.1 403 Forbidden\r\n");
	client_expect(&c, "not admitted");
	client_expect(&c, "HTTP/1.1 200 OK\r\n");
	client_puts(&c, "GET /ok HTTP/1.1\r\n" H "X-Admit: mute\r\n\r\n");
	client_expect(&c, "HTTP/1.1 500 ");
	client_close(&c);
	/* its body is not waited for */
	c = client_open(port);
	client_puts(&c, "POST /echo/ HTTP/1.1\r\n" H "X-Admit: no\r\nContent-Length: 900\r\n\r\nabc");
	client_expect(&c, "HTTP/1.1 403 Forbidden\r\n");
	client_expect(&c, "Connection: close\r\n");
	client_expect(&c, "}}");
	client_expect_end(&c);
	client_close(&c);
	end();
}

/* -- bad requests -- */

TEST(test_refusals)
{
	static const struct { const char *request, *answer;
	} rows[] = {
		{"GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n"},
		{"GET / HTTP/1.1\nHost: a\n\n", "HTTP/1.1 400 "},
		{"\x16\x03\x01\x02\x01\x01", "HTTP/1.1 400 "},
		{"GET /../etc/passwd HTTP/1.1\r\n" H "\r\n", "HTTP/1.1 400 "},
		{"POST /echo/ HTTP/1.1\r\n" H "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
		 "HTTP/1.1 400 "},
		{"POST /echo/ HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n3\r\nabcX", "HTTP/1.1 400 "},
		{"POST /echo/ HTTP/1.1\r\n" H "Content-Length: 1001\r\n\r\n",
		 "HTTP/1.1 413 Content Too Large\r\n"},
		{"POST /echo/ HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n3e9\r\n", NULL},
		{"POST /nobody HTTP/1.1\r\n" H "Content-Length: 1\r\n\r\nx", "HTTP/1.1 413 "},
		{"POST /nobody HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n", "HTTP/1.1 413 "},
		{"GET /ok HTTP/1.1\r\n" H "Content-Length: 1\r\n\r\nx", "HTTP/1.1 413 "},
		{"POST /echo/ HTTP/1.1\r\n" H "Content-Length: 1\r\nExpect: magic\r\n\r\n", "HTTP/1.1 417 "},
		{"BREW / HTTP/1.1\r\n" H "\r\n", "HTTP/1.1 501 "},
		{"POST /echo/ HTTP/1.1\r\n" H "Transfer-Encoding: gzip\r\n\r\n", "HTTP/1.1 501 "},
		{"GET / HTTP/2.0\r\n" H "\r\n", "HTTP/1.1 505 "},
		{"GET / HTTP/1.1\r\n" H "Upgrade: h2c\r\nConnection: Upgrade\r\n\r\n", "HTTP/1.1 400 "},
		{"GET / HTTP/1.1\r\n" H
		 "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 12\r\n\r\n",
		 "HTTP/1.1 426 Upgrade Required\r\n"},
	};

	begin(loop);
	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		struct client c = client_open(port);

		if (!rows[i].answer) {
			client_close(&c);
			continue;
		}
		client_puts(&c, rows[i].request);
		client_expect(&c, rows[i].answer);
		if (strstr(rows[i].answer, "426"))
			client_expect(&c, "Sec-WebSocket-Version: 13\r\n");
		client_expect(&c, "Connection: close\r\n\r\n{\"error\":{\"message\":\"");
		client_expect(&c, "\",\"type\":\"invalid_request\"}}");
		client_expect_end(&c);
		client_close(&c);
		/* the others are served */
		ask("GET /ok HTTP/1.1\r\n" H "Connection: close\r\n\r\n", "200 OK");
	}
	assert_int_equal(seen.started, 0);
	end();
}

static void flood_head(const char *before, const char *unit, const char *answer)
{
	struct client c = client_open(port);

	client_puts(&c, before);
	for (int i = 0; i < 4000 && !client_has(&c, "HTTP/1.1 "); i++)
		client_puts(&c, unit);
	client_expect(&c, answer);
	client_expect(&c, "}}");
	client_expect_end(&c);
	assert_false(c.is_reset);       /* the answer is not destroyed by a reset */
	client_close(&c);
}

TEST(test_oversized)
{
	begin(loop);
	flood_head("GET /", "xxxxxxxxxxxxxxxxxxxxxxxx", "HTTP/1.1 414 ");
	flood_head("GET / HTTP/1.1\r\n" H "X: ", "yyyyyyyyyyyyyyyyyyyyyyyy", "HTTP/1.1 431 ");
	flood_head("GET / HTTP/1.1\r\n" H, "X: yyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n", "HTTP/1.1 431 ");
	flood_head("POST /echo/ HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n",
		   "10\r\n0123456789abcdef\r\n", "HTTP/1.1 413 ");
	end();
}

TEST(test_continue)
{
	begin(loop);
	struct client c = client_open(port);

	client_puts(&c, "POST /echo/ HTTP/1.1\r\n" H "Content-Length: 3\r\nExpect: 100-continue\r\n\r\n");
	client_expect(&c, "HTTP/1.1 100 Continue\r\n\r\n");
	client_puts(&c, "abc");
	client_expect(&c, "HTTP/1.1 200 OK\r\n");
	client_expect(&c, "body=3:abc");
	/* not asked to go on when the answer is no already */
	client_puts(&c, "POST /echo/ HTTP/1.1\r\n" H "Content-Length: 3000\r\nExpect: 100-continue\r\n\r\n");
	client_expect(&c, "HTTP/1.1 413 ");
	assert_null(strstr(buf_str(&c.in), "100 Continue"));
	client_close(&c);
	end();
}

/* -- pipelining -- */

TEST(test_pipelined)
{
	begin(loop);
	struct client c = client_open(port);

	client_puts(&c, GET("/wait") GET("/ok") GET("/none") "POST /echo/ HTTP/1.1\r\n" H
							     "Content-Length: 3\r\n\r\nabc" GET("/echo/z"));
	until(seen.started == 1);
	turns(10);
	assert_false(client_has(&c, "HTTP/"));  /* one after the other */
	seen.is_open = true;
	fiber_cond_broadcast(&seen.gate);
	client_expect(&c, "waited\n");
	client_expect(&c, "\r\n\r\nok\n");
	client_expect(&c, "HTTP/1.1 404 ");
	client_expect(&c, "body=3:abc");
	client_expect(&c, "GET /echo/z");
	client_close(&c);
	end();
}

/* While an exchange is under way, no more than a little is read ahead. */
TEST(test_reading_stops)
{
	static const char more[] = GET("/ok");
	struct client c;
	size_t sent = 0;

	begin(loop);
	c = client_open(port);
	client_puts(&c, GET("/wait"));
	until(seen.started == 1);
	for (int full = 0; full < 50; ) {
		ssize_t n = send(c.fd, more, sizeof(more) - 1, MSG_DONTWAIT | MSG_NOSIGNAL);

		full = n < 0 ? full + 1 : 0;
		sent += n > 0 ? (size_t)n : 0;
		if (n < 0)
			turn();
		assert_true(sent < 64u << 20);  /* the kernel's buffers only */
	}
	seen.is_open = true;
	fiber_cond_broadcast(&seen.gate);
	client_expect(&c, "waited\n");
	for (int i = 0; i < 1000; i++)
		client_expect(&c, "\r\n\r\nok\n");      /* nothing of it was lost */
	client_close(&c);
	end();
}

/* A half-closed client still gets its answers. */
TEST(test_half_close)
{
	begin(loop);
	struct client c = client_open(port);

	client_puts(&c, GET("/ok") GET("/wait") "GET /cut");
	assert_int_equal(shutdown(c.fd, SHUT_WR), 0);
	client_expect(&c, "\r\n\r\nok\n");
	until(seen.started == 1);
	turns(5);
	seen.is_open = true;
	fiber_cond_broadcast(&seen.gate);
	client_expect(&c, "waited\n");
	client_expect_end(&c);
	assert_false(seen.was_alive);
	client_close(&c);
	end();
}

/* -- deadlines; the clock stands still and is moved by hand -- */

static int64_t clock_ms;

static void at(int64_t ms)
{
	clock_ms = ms;
	clock_fake(1000000 + ms, 1700000000000 + ms);
	turns(5);
}

TEST(test_head_dripped)
{
	at(0);
	begin(loop);
	struct client c = client_open(port);

	turns(5);
	client_puts(&c, "GET / HTTP/1.1\r\n");
	for (int64_t ms = 1000; ms < HTTP_HEADER_TIMEOUT_MS; ms += 1000) {
		at(ms);
		client_puts(&c, "X: y\r\n");
		turns(3);
		assert_false(client_has(&c, "HTTP/"));
	}
	at(HTTP_HEADER_TIMEOUT_MS);
	client_expect(&c, "HTTP/1.1 408 Request Timeout\r\n");
	client_expect(&c, "}}");
	client_expect_end(&c);
	client_close(&c);
	end();
}

TEST(test_never_a_byte)
{
	at(0);
	begin(loop);
	struct client c = client_open(port);

	turns(5);
	at(HTTP_HEADER_TIMEOUT_MS - 1);
	assert_false(client_ended(&c));
	at(HTTP_HEADER_TIMEOUT_MS);
	client_expect_end(&c);
	assert_int_equal(http_server_conns(server), 1); /* lingering */
	client_close(&c);
	until(http_server_conns(server) == 0);
	end();
}

TEST(test_body_dripped)
{
	at(0);
	begin(loop);
	struct client c = client_open(port);

	client_puts(&c, "POST /echo/ HTTP/1.1\r\n" H "Content-Length: 900\r\n\r\n");
	turns(5);
	for (int64_t ms = 1000; ms < HTTP_BODY_TIMEOUT_MS; ms += 1000) {
		at(ms);
		client_puts(&c, "x");
	}
	assert_false(client_has(&c, "HTTP/"));
	at(HTTP_BODY_TIMEOUT_MS);
	client_expect(&c, "HTTP/1.1 408 ");
	client_expect(&c, "}}");
	client_expect_end(&c);
	client_close(&c);
	end();
}

TEST(test_idle_between_requests)
{
	at(0);
	begin(loop);
	struct client c = client_open(port);

	client_puts(&c, GET("/ok"));
	client_expect(&c, "\r\n\r\nok\n");
	at(HTTP_IDLE_MS - 1000);
	assert_false(client_ended(&c));
	client_puts(&c, GET("/ok"));
	client_expect(&c, "\r\n\r\nok\n");
	/* a head begun just before the idle deadline has its own time */
	at(2 * HTTP_IDLE_MS - 2000);
	client_puts(&c, "GET ");
	turns(5);
	at(2 * HTTP_IDLE_MS + 1000);
	client_puts(&c, "/ok HTTP/1.1\r\n" H "\r\n");
	client_expect(&c, "\r\n\r\nok\n");
	at(4 * HTTP_IDLE_MS);
	client_expect_end(&c);
	client_close(&c);
	end();
}

TEST(test_handler_has_no_deadline)
{
	at(0);
	begin(loop);
	struct client c = client_open(port);

	client_puts(&c, GET("/wait"));
	until(seen.started == 1);
	at(50000);
	seen.is_open = true;
	fiber_cond_broadcast(&seen.gate);
	client_expect(&c, "waited\n");
	client_close(&c);
	end();
}

/* -- peers that do not read -- */

TEST(test_reply_not_read)
{
	at(0);
	begin(loop);
	struct client c = client_open(port);

	client_puts(&c, GET("/big?64") GET("/ok"));
	turns(50);
	assert_int_equal(http_server_conns(server), 1);
	at(CLIENT_PATIENCE_MS);
	/* it reads some: that is progress */
	until(client_has_n(&c, 4 << 20));
	at(31000);
	assert_int_equal(http_server_conns(server), 1);
	/* the kernel took some more meanwhile; then nothing moves */
	turns(200);
	at(62000);
	at(93000);
	until(http_server_conns(server) == 0);
	client_close(&c);
	end();
}

TEST(test_big_reply_is_whole)
{
	begin(loop);
	struct client c = client_open(port);

	client_puts(&c, GET("/big") GET("/ok"));
	client_expect(&c, "Content-Length: 8388608\r\n\r\n");
	until(client_has_n(&c, (8 << 20) + 1));
	for (size_t i = 0; i < 8 << 20; i++) {
		if (c.in.data[i] != 'b')
			fail_msg("byte %zu is wrong", i);
	}
	buf_consume(&c.in, 8 << 20);
	client_expect(&c, "HTTP/1.1 200 OK");
	client_expect(&c, "\r\n\r\nok\n");
	client_close(&c);
	end();
}

TEST(test_stream_waits_for_reader)
{
	at(0);
	begin(loop);
	struct client c = client_open(port);

	client_puts(&c, GET("/flood"));
	until(seen.started == 1);
	turns(200);
	assert_int_equal(seen.ended, 0);
	until(client_has_n(&c, 16 << 20));      /* goes on while we read */
	turns(200);
	at(6000);
	until(seen.ended == 1);
	assert_int_equal(seen.last, CH_E_TIMEOUT);
	client_close(&c);
	end();
}

TEST(test_peer_leaves)
{
	begin(loop);
	struct client c = client_open(port), d = client_open(port);

	client_puts(&c, GET("/flood"));
	client_puts(&d, GET("/wait"));
	until(seen.started == 2);
	client_close(&c);
	until(seen.ended == 1);
	assert_int_equal(seen.last, CH_E_PEER);
	client_close(&d);
	turns(20);
	seen.is_open = true;
	fiber_cond_broadcast(&seen.gate);
	until(seen.ended == 2);
	assert_false(seen.was_alive);
	until(http_server_conns(server) == 0);
	end();
}

/* -- the server as a whole -- */

TEST(test_conns_max)
{
	static const struct http_server_opts opts = { .routes = routes, .conns_max = 2 };
	struct client c[3];
	struct ch_err err;

	server = http_server_new(loop, &opts);
	assert_int_equal(http_server_listen(server, "localhost", 0, NULL, &port, &err), CH_OK);
	for (int i = 0; i < 3; i++)
		c[i] = client_open(port);
	client_expect(&c[2],
		      "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
	client_expect_end(&c[2]);
	client_puts(&c[0], GET("/ok"));
	client_expect(&c[0], "\r\n\r\nok\n");
	client_close(&c[0]);
	until(http_server_conns(server) == 1);
	client_close(&c[2]);
	c[2] = client_open(port);
	client_puts(&c[2], GET("/ok"));
	client_expect(&c[2], "\r\n\r\nok\n");
	client_close(&c[1]);
	client_close(&c[2]);
	end();
}

/* Out of descriptors: who comes is turned away, nobody else notices. */
TEST(test_out_of_descriptors)
{
	struct rlimit before, tight;
	int next;

	begin(loop);
	struct client c = client_open(port), d;

	client_puts(&c, GET("/ok"));
	client_expect(&c, "\r\n\r\nok\n");
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	d.fd = next = dup(0);
	close(next);
	tight = (struct rlimit){ (rlim_t)next + 1, before.rlim_max };   /* room for d's own socket only */
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
	d = client_open(port);
	until(client_ended(&d));
	client_puts(&c, GET("/ok"));
	client_expect(&c, "\r\n\r\nok\n");
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	client_close(&d);
	ask("GET /ok HTTP/1.1\r\n" H "Connection: close\r\n\r\n", "200 OK");
	client_close(&c);
	end();
}

TEST(test_many)
{
	enum { N = 300 };
	struct client *c = ch_calloc(N, sizeof(*c));

	begin(loop);
	for (int i = 0; i < N; i++) {
		c[i] = client_open(port);
		client_puts(&c[i], GET("/ok"));
	}
	for (int i = 0; i < N; i++)
		client_expect(&c[i], "\r\n\r\nok\n");
	assert_int_equal(http_server_conns(server), N);
	for (int i = 0; i < N; i++)
		client_close(&c[i]);
	until(http_server_conns(server) == 0);
	ch_free(c);
	end();
}

TEST(test_busy_port)
{
	struct ch_err err = { 0 };
	char expected[64];

	begin(loop);
	assert_int_equal(http_server_listen(server, "127.0.0.1", port, NULL, NULL, &err), CH_E_BUSY);
	snprintf(expected, sizeof(expected), "in use by pid %d (test_net_test_h", (int)getpid());
	if (!strstr(err.text, expected) || !strstr(err.text, "PORT=") || !strstr(err.text, "gateway.port"))
		fail_msg("unhelpful: %s", err.text);
	assert_int_equal(http_server_listen(server, "example.com", 0, NULL, NULL, &err), CH_E_INVALID);
	assert_int_equal(http_server_listen(server, "192.0.2.1", 0, NULL, NULL, &err), CH_E_IO);
	end();
}

static bool is_refused(uint16_t to)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons(to) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), st;

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	st = connect(fd, (struct sockaddr *)&addr, sizeof(addr));
	close(fd);
	return st != 0;
}

static void stop_soon(void *arg)
{
	http_server_stop(server, fiber_deadline(5000));
	*(bool *)arg = true;
}

TEST(test_stop_lets_exchanges_end)
{
	bool stopped = false;

	begin(loop);
	struct client idle = client_open(port), busy = client_open(port);

	client_puts(&idle, GET("/ok"));
	client_expect(&idle, "\r\n\r\nok\n");
	client_puts(&busy, GET("/wait") GET("/ok"));
	until(seen.started == 1);
	fiber_spawn(loop, "stop", FIBER_DETACHED, stop_soon, &stopped);
	client_expect_end(&idle);
	turns(20);
	assert_false(stopped);
	assert_true(is_refused(port));
	seen.is_open = true;
	fiber_cond_broadcast(&seen.gate);
	client_expect(&busy, "Connection: close\r\n");
	client_expect(&busy, "waited\n");
	client_expect_end(&busy);
	client_close(&busy);
	client_close(&idle);
	until(stopped);
	http_server_free(server);
}

TEST(test_stop_cuts_what_does_not_end)
{
	begin(loop);
	struct client c = client_open(port), d = client_open(port);

	client_puts(&c, GET("/wait"));
	client_puts(&d, GET("/flood"));
	until(seen.started == 2);
	turns(20);
	http_server_stop(server, fiber_deadline(20));
	assert_int_equal(seen.ended, 2);
	assert_true(seen.last == CH_E_CANCELED || seen.last == CH_E_PEER);
	assert_int_equal(http_server_conns(server), 0);
	until(client_ended(&c));
	client_close(&c);
	client_close(&d);
	http_server_free(server);
}

/* Its socket is gone before the stop: the handler is cancelled and waited for all the same. */
TEST(test_stop_ends_whose_client_left)
{
	const struct linger reset = { .l_onoff = 1 };    /* the connection is gone at once, both ways */

	begin(loop);
	struct client c = client_open(port);

	client_puts(&c, GET("/wait"));
	until(seen.started == 1);
	assert_int_equal(setsockopt(c.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset)), 0);
	client_close(&c);
	until(http_server_conns(server) == 0);
	http_server_stop(server, fiber_deadline(60000));
	assert_int_equal(seen.ended, 1);
	assert_int_equal(seen.last, CH_E_CANCELED);
	http_server_free(server);
}

/* It uses what is freed after the server, so there is no leaving before it. */
TEST(test_stop_waits_for_the_deaf)
{
	bool stopped = false;

	at(0);
	begin(loop);
	struct client c = client_open(port);

	client_puts(&c, GET("/deaf"));
	until(seen.started == 1);
	fiber_spawn(loop, "stop", FIBER_DETACHED, stop_soon, &stopped);
	for (int64_t ms = 1000; ms <= 30000; ms += 1000)
		at(ms);
	assert_false(stopped);
	seen.is_open = true;
	fiber_cond_broadcast(&seen.gate);
	until(stopped);
	assert_int_equal(seen.ended, 1);
	client_close(&c);
	http_server_free(server);
	clock_real();
}

/* Freed without a stop, with everything going on: nothing is left behind. */
TEST(test_free_in_the_middle)
{
	begin(loop);
	struct client c[4];

	for (int i = 0; i < 4; i++)
		c[i] = client_open(port);
	client_puts(&c[0], GET("/wait"));
	client_puts(&c[1], GET("/flood"));
	client_puts(&c[2], "POST /echo/ HTTP/1.1\r\n" H "Content-Length: 9\r\n\r\nabc");
	until(seen.started == 2);
	http_server_free(server);
	until(seen.ended == 2);
	for (int i = 0; i < 4; i++) {
		until(client_ended(&c[i]));
		client_close(&c[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exchange),
		cmocka_unit_test(test_ipv6),
		cmocka_unit_test(test_http10),
		cmocka_unit_test(test_byte_by_byte),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_stream),
		cmocka_unit_test(test_admit),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_oversized),
		cmocka_unit_test(test_continue),
		cmocka_unit_test(test_pipelined),
		cmocka_unit_test(test_reading_stops),
		cmocka_unit_test(test_half_close),
		cmocka_unit_test(test_head_dripped),
		cmocka_unit_test(test_never_a_byte),
		cmocka_unit_test(test_body_dripped),
		cmocka_unit_test(test_idle_between_requests),
		cmocka_unit_test(test_handler_has_no_deadline),
		cmocka_unit_test(test_reply_not_read),
		cmocka_unit_test(test_big_reply_is_whole),
		cmocka_unit_test(test_stream_waits_for_reader),
		cmocka_unit_test(test_peer_leaves),
		cmocka_unit_test(test_conns_max),
		cmocka_unit_test(test_out_of_descriptors),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_busy_port),
		cmocka_unit_test(test_stop_lets_exchanges_end),
		cmocka_unit_test(test_stop_cuts_what_does_not_end),
		cmocka_unit_test(test_stop_ends_whose_client_left),
		cmocka_unit_test(test_stop_waits_for_the_deaf),
		cmocka_unit_test(test_free_in_the_middle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
