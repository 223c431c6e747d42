/* net/http1: heads and bodies, in one piece and byte by byte, and each way to be refused. */
#include "net/http1.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "core/str.h"

#define H "Host: a\r\n"
#define WS "GET /ws HTTP/1.1\r\n" H "Upgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n"
#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

/* What the bytes are, all at once or in steps: 0 incomplete, -1 fine, else the status to answer. */
static int read_head(struct arena *a, const char *bytes, size_t n, size_t step, struct http1_head *h,
		     size_t *ret_len)
{
	struct http1_scan scan = { 0 };
	struct ch_err err = { 0 };
	int http = 0;

	*ret_len = 0;
	for (size_t seen = 0; seen < n && !*ret_len; ) {
		seen = CH_MIN(seen + step, n);
		if (http1_scan(&scan, bytes, seen, ret_len, &http, &err)) {
			assert_true(*err.text && http >= 400);
			return http;
		}
	}
	if (!*ret_len)
		return 0;
	if (http1_parse(a, bytes, *ret_len, h, &http, &err)) {
		assert_true(*err.text && http >= 400);
		return http;
	}
	return -1;
}

/* -- heads -- */

static const struct { const char *bytes; int answer; } heads[] = {
	{ "GET / HTTP/1.1\r\n" H "\r\n", -1 },
	{ "\r\n\r\nGET / HTTP/1.1\r\n" H "\r\n", -1 },
	{ "GET / HTTP/1.0\r\n\r\n", -1 },
	{ "GET /a%20b?x=%zz HTTP/1.1\r\n" H "\r\n", -1 },
	{ "DELETE / HTTP/1.1\r\n" H "X:\r\nY:   \r\n\r\n", -1 },
	{ "GET / HTTP/1.2\r\n" H "\r\n", -1 },
	{ "GET http://a/x HTTP/1.1\r\n" H "\r\n", -1 },
	{ "GET http://A HTTP/1.1\r\n" H "\r\n", -1 },
	{ "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", -1 },
	/* unfinished */
	{ "GET / HTTP/1.1\r\n" H "\r", 0 },
	{ "\r\n", 0 },
	/* the request line */
	{ "GET /\r\n" H "\r\n", 400 },
	{ "GET  / HTTP/1.1\r\n" H "\r\n", 400 },
	{ "GET / HTTP/1.1 \r\n" H "\r\n", 400 },
	{ " GET / HTTP/1.1\r\n" H "\r\n", 400 },
	{ "GET\t/ HTTP/1.1\r\n" H "\r\n", 400 },
	{ "GET / a HTTP/1.1\r\n" H "\r\n", 400 },
	{ "GET / HTTP/1\r\n" H "\r\n", 400 },
	{ "GET / HTTP/1.10\r\n" H "\r\n", 400 },
	{ "GET / http/1.1\r\n" H "\r\n", 400 },
	{ "GET / ICY/1.1\r\n" H "\r\n", 400 },
	{ "GE(T / HTTP/1.1\r\n" H "\r\n", 400 },
	{ "GET x HTTP/1.1\r\n" H "\r\n", 400 },
	{ "GET /\xc3\xa4 HTTP/1.1\r\n" H "\r\n", 400 },
	{ "GET /#f HTTP/1.1\r\n" H "\r\n", 400 },
	{ "GET / HTTP/2.0\r\n" H "\r\n", 505 },
	{ "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505 },
	{ "GET / HTTP/0.9\r\n" H "\r\n", 505 },
	{ "BREW / HTTP/1.1\r\n" H "\r\n", 501 },
	{ "get / HTTP/1.1\r\n" H "\r\n", 501 },
	{ "CONNECT a:80 HTTP/1.1\r\n" H "\r\n", 501 },
	{ "OPTIONS * HTTP/1.1\r\n" H "\r\n", 501 },
	{ "GET http://b/x HTTP/1.1\r\n" H "\r\n", 400 },
	{ "GET http://u@a/x HTTP/1.1\r\n" H "\r\n", 400 },
	{ "GET ws://a/x HTTP/1.1\r\n" H "\r\n", 400 },
	/* paths */
	{ "GET /%2e%2e/x HTTP/1.1\r\n" H "\r\n", 400 },
	{ "GET /a/.. HTTP/1.1\r\n" H "\r\n", 400 },
	{ "GET /./a HTTP/1.1\r\n" H "\r\n", 400 },
	{ "GET /a%2f..%2fb HTTP/1.1\r\n" H "\r\n", 400 },
	{ "GET /a%00 HTTP/1.1\r\n" H "\r\n", 400 },
	{ "GET /a%0d%0ab HTTP/1.1\r\n" H "\r\n", 400 },
	{ "GET /a%7f HTTP/1.1\r\n" H "\r\n", 400 },
	{ "GET /a%ff HTTP/1.1\r\n" H "\r\n", 400 },
	{ "GET /a%c0%af HTTP/1.1\r\n" H "\r\n", 400 },
	{ "GET /a% HTTP/1.1\r\n" H "\r\n", 400 },
	/* lines */
	{ "GET / HTTP/1.1\n" H "\r\n", 400 },
	{ "GET / HTTP/1.1\r\nHost: a\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\n" H "\n", 400 },
	{ "\nGET / HTTP/1.1\r\n" H "\r\n", 400 },
	{ "GET / HTTP/1.1\rX\r\n" H "\r\n", 400 },
	{ "GET / HTTP/1.1\r\r\n" H "\r\n", 400 },
	{ "GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\nHost: a\r\n\tfolded\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\n X: y\r\n" H "\r\n", 400 },
	{ "GET / HTTP/1.1\r\n" H "X: a\x01\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\n" H "X: a\x7f\r\n\r\n", 400 },
	{ "\x16\x03\x01\x02", 400 },
	/* names */
	{ "GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\n" H "X y: z\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\n" H ": z\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\n" H "no colon\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\n" H "X(: z\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\n" H "X\xe4: z\r\n\r\n", 400 },
	/* Host */
	{ "GET / HTTP/1.1\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\nX: y\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\n" H H "\r\n", 400 },
	{ "GET / HTTP/1.1\r\n" H "host: b\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\nHost:\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400 },
	{ "GET / HTTP/1.1\r\nHost: a:0\r\n\r\n", 400 },
	{ "GET / HTTP/1.0\r\n" H H "\r\n", 400 },
	/* framing */
	{ "POST / HTTP/1.1\r\n" H "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400 },
	{ "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n", 400 },
	{ "POST / HTTP/1.1\r\n" H "Content-Length: 1\r\nContent-Length: 1\r\n\r\n", 400 },
	{ "POST / HTTP/1.1\r\n" H "Content-Length: 1, 1\r\n\r\n", 400 },
	{ "POST / HTTP/1.1\r\n" H "Content-Length: +1\r\n\r\n", 400 },
	{ "POST / HTTP/1.1\r\n" H "Content-Length: -1\r\n\r\n", 400 },
	{ "POST / HTTP/1.1\r\n" H "Content-Length: 0x1\r\n\r\n", 400 },
	{ "POST / HTTP/1.1\r\n" H "Content-Length:\r\n\r\n", 400 },
	{ "POST / HTTP/1.1\r\n" H "Content-Length: 99999999999999999999999\r\n\r\n", 400 },
	{ "POST / HTTP/1.1\r\n" H "Transfer-Encoding: gzip, chunked\r\n\r\n", 501 },
	{ "POST / HTTP/1.1\r\n" H "Transfer-Encoding: identity\r\n\r\n", 501 },
	{ "POST / HTTP/1.1\r\n" H "Transfer-Encoding: xchunked\r\n\r\n", 501 },
	{ "POST / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400 },
	{ "POST / HTTP/1.0\r\n" H "Transfer-Encoding: chunked\r\n\r\n", 400 },
	{ "POST / HTTP/1.1\r\n" H "Transfer-Encoding: Chunked\r\n\r\n", -1 },
	/* expectations */
	{ "POST / HTTP/1.1\r\n" H "Content-Length: 1\r\nExpect: 100-Continue\r\n\r\n", -1 },
	{ "POST / HTTP/1.1\r\n" H "Content-Length: 1\r\nExpect: 200-ok\r\n\r\n", 417 },
	{ "POST / HTTP/1.1\r\n" H "Expect: 100-continue\r\nExpect: 100-continue\r\n\r\n", 417 },
	{ "POST / HTTP/1.0\r\n" H "Content-Length: 1\r\nExpect: 200-ok\r\n\r\n", -1 },
	/* upgrades */
	{ WS "Sec-WebSocket-Version: 13\r\n" KEY "\r\n", -1 },
	{ "GET /ws HTTP/1.1\r\n" H "Upgrade: websocket\r\n\r\n", -1 }, /* no Connection: ignored */
	{ "GET / HTTP/1.1\r\n" H "Upgrade: h2c\r\nConnection: Upgrade\r\n\r\n", 400 },
	{ WS "Sec-WebSocket-Version: 8\r\n" KEY "\r\n", 426 },
	{ WS "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Version: 13\r\n" KEY "\r\n", 426 },
	{ WS KEY "\r\n", 426 },
	{ WS "Sec-WebSocket-Version: 13\r\n\r\n", 400 },
	{ WS "Sec-WebSocket-Version: 13\r\n" KEY KEY "\r\n", 400 },
	{ WS "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZQ==\r\n\r\n", 400 },
	{ WS "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: !!hlIHNhbXBsZSBub25jZQ==\r\n\r\n", 400 },
	{ "POST /ws HTTP/1.1\r\n" H
	  "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" KEY "\r\n",
	  400 },
	{ WS "Sec-WebSocket-Version: 13\r\n" KEY "Content-Length: 3\r\n\r\n", 400 },
	{ "GET /ws HTTP/1.0\r\n" H
	  "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n" KEY "\r\n",
	  400 },
};

static void test_heads(void **state)
{
	static const size_t steps[] = { 100000, 1, 2, 3, 7 };

	for (size_t i = 0; i < CH_ARRAY_LEN(heads); i++) {
		for (size_t s = 0; s < CH_ARRAY_LEN(steps); s++) {
			CH_AUTO(arena_unref) struct arena *a = arena_new(0);
			struct http1_head h;
			size_t len;
			int answer = read_head(a, heads[i].bytes, strlen(heads[i].bytes), steps[s], &h, &len);

			if (answer != heads[i].answer)
				fail_msg("row %zu in steps of %zu: %d instead of %d: %s", i, steps[s], answer,
					 heads[i].answer, heads[i].bytes);
		}
	}
}

static void test_nul_in_head(void **state)
{
	static const char bytes[] = "GET / HTTP/1.1\r\n" H "X: a\0b\r\n\r\n";
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct http1_head h;
	size_t len;

	assert_int_equal(read_head(a, bytes, sizeof(bytes) - 1, 1000, &h, &len), 400);
}

static void test_fields(void **state)
{
	static const char bytes[] =
		"\r\nPOST /a%20b//c%2Fd?q=%41&r HTTP/1.1\r\n"
		"HOST:  Ex.com:81 \r\nX-Empty:\r\nx-tab:\ta\tb\t\r\n"
		"Content-Length: 007\r\nConnection: close\r\nExpect: 100-continue\r\n\r\nbody…";
	static const struct http_header expected[] = {
		{ "host", "Ex.com:81" }, { "x-empty", "" }, { "x-tab", "a\tb" }, { "content-length", "007" },
		{ "connection", "close" }, { "expect", "100-continue" },
	};
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct http1_head h;
	size_t len;

	assert_int_equal(read_head(a, bytes, sizeof(bytes) - 1, 5, &h, &len), -1);
	assert_string_equal(bytes + len, "body…");
	assert_string_equal(h.method, "POST");
	assert_string_equal(h.target, "/a%20b//c%2Fd?q=%41&r");
	assert_string_equal(h.path, "/a b//c/d");
	assert_string_equal(h.query, "q=%41&r");
	assert_int_equal(h.header_count, CH_ARRAY_LEN(expected));
	for (size_t i = 0; i < h.header_count; i++) {
		assert_string_equal(h.headers[i].name, expected[i].name);
		assert_string_equal(h.headers[i].value, expected[i].value);
	}
	assert_false(h.is_http10 || h.keep_alive || h.is_chunked || h.is_upgrade);
	assert_true(h.expects_continue);
	assert_int_equal(h.content_length, 7);
}

static void test_flags(void **state)
{
	static const struct {
		const char *bytes;
		bool keep_alive, http10, chunked, upgrade, expects;
		const char *path;
	} rows[] = {
		{ "GET / HTTP/1.1\r\n" H "\r\n", true, false, false, false, false, "/" },
		{ "GET / HTTP/1.0\r\n\r\n", false, true, false, false, false, "/" },
		{ "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true, true, false, false, false, "/" },
		{ "GET / HTTP/1.1\r\n" H "Connection: x, CLOSE\r\n\r\n", false, false, false, false, false,
		  "/" },
		{ "POST /p HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\n\r\n", true, false, true, false,
		  false, "/p" },
		{ "POST /p HTTP/1.1\r\n" H "Expect: 100-continue\r\n\r\n", true, false, false, false, false,
		  "/p" },
		{ "POST /p HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n", true,
		  false, true, false, true, "/p" },
		{ WS "Sec-WebSocket-Version: 13\r\n" KEY "\r\n", true, false, false, true, false, "/ws" },
		{ "GET http://a?q HTTP/1.1\r\n" H "\r\n", true, false, false, false, false, "/" },
	};

	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		CH_AUTO(arena_unref) struct arena *a = arena_new(0);
		struct http1_head h;
		size_t len;

		assert_int_equal(read_head(a, rows[i].bytes, strlen(rows[i].bytes), 1000, &h, &len), -1);
		assert_int_equal(h.keep_alive, rows[i].keep_alive);
		assert_int_equal(h.is_http10, rows[i].http10);
		assert_int_equal(h.is_chunked, rows[i].chunked);
		assert_int_equal(h.is_upgrade, rows[i].upgrade);
		assert_int_equal(h.expects_continue, rows[i].expects);
		assert_string_equal(h.path, rows[i].path);
		assert_int_equal(h.ws_key != NULL, rows[i].upgrade);
	}
}

/* -- limits -- */

static int scan_text(struct buf *text, size_t step)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct http1_head h;
	size_t len;

	return read_head(a, text->data, text->len, step, &h, &len);
}

static void repeat(struct buf *b, const char *s, size_t n)
{
	while (n--)
		buf_puts(b, s);
}

static void check_limit(const char *before, const char *unit, size_t n, const char *after, int answer)
{
	struct buf text = { .max_bytes = 1 << 20 };

	buf_puts(&text, before);
	repeat(&text, unit, n);
	buf_puts(&text, after);
	assert_int_equal(scan_text(&text, 1 << 20), answer);
	assert_int_equal(scan_text(&text, 100), answer);
	buf_done(&text);
}

static void test_limits(void **state)
{
	check_limit("GET /", "x", HTTP1_TARGET_MAX - 1, " HTTP/1.1\r\n" H "\r\n", -1);
	check_limit("GET /", "x", HTTP1_TARGET_MAX, " HTTP/1.1\r\n" H "\r\n", 414);
	check_limit("GET /", "x", 3 * HTTP_HEADER_MAX, "", 414);
	check_limit("GET / HTTP/1.1\r\n" H, "X: y\r\n", HTTP_HEADER_COUNT_MAX - 1, "\r\n", -1);
	check_limit("GET / HTTP/1.1\r\n" H, "X: y\r\n", HTTP_HEADER_COUNT_MAX, "\r\n", 431);
	check_limit("GET / HTTP/1.1\r\n" H "X: ", "y", HTTP_HEADER_MAX - 100, "\r\n\r\n", -1);
	check_limit("GET / HTTP/1.1\r\n" H "X: ", "y", HTTP_HEADER_MAX, "\r\n\r\n", 431);
	check_limit("GET / HTTP/1.1\r\n" H "X: ", "y", HTTP_HEADER_MAX, "", 431);
	check_limit("", "\r\n", HTTP_HEADER_MAX, "", 431);
}

/* -- bodies -- */

/* The decoded body; *ret_http 0 when fine, -1 when incomplete. */
static void decode(const char *bytes, size_t step, size_t max, struct buf *out, int *ret_http,
		   size_t *ret_used)
{
	struct http1_head head = { .is_chunked = true };
	struct ch_err err = { 0 };
	struct http1_body b;
	size_t n = strlen(bytes);

	http1_body_init(&b, &head);
	buf_init(out, max);
	*ret_http = 0;
	*ret_used = 0;
	while (*ret_used < n && !b.is_done) {
		size_t used = 0, want = CH_MIN(step, n - *ret_used);

		if (http1_body_feed(&b, bytes + *ret_used, want, out, &used, ret_http, &err)) {
			assert_true(*err.text && *ret_http);
			return;
		}
		assert_true(used == want || b.is_done);
		*ret_used += used;
	}
	if (!b.is_done)
		*ret_http = -1;
}

static const struct { const char *bytes, *body; int http; } bodies[] = {
	{ "3\r\nabc\r\n0\r\n\r\nNEXT", "abc", 0 },
	{ "1\r\na\r\nA\r\n0123456789\r\n000\r\n\r\nNEXT", "a0123456789", 0 },
	{ "0\r\n\r\nNEXT", "", 0 },
	{ "3;x=\"y\" ;z\r\nabc\r\n0;a\r\nTrailer: x\r\nMore:\ty\r\n\r\nNEXT", "abc", 0 },
	{ "3 \t;x\r\nabc\r\n0\r\n\r\nNEXT", "abc", 0 },
	{ "3\r\nab", "ab", -1 },
	{ "3\r\nabc\r\n0\r\n", "abc", -1 },
	{ "3\r\nabc\r\n0\r\nT: x\r\n", "abc", -1 },
	{ "3\nabc\r\n0\r\n\r\n", "", 400 },
	{ "3\rXabc\r\n0\r\n\r\n", "", 400 },
	{ "3\r\nabcXX0\r\n\r\n", "abc", 400 },
	{ "3\r\nabc\n0\r\n\r\n", "abc", 400 },
	{ "3\r\nabc\rX0\r\n\r\n", "abc", 400 },
	{ "3\r\nabcd\r\n0\r\n\r\n", "abc", 400 },
	{ "\r\nabc", "", 400 },
	{ ";x\r\nabc", "", 400 },
	{ "0x3\r\nabc", "", 400 },
	{ "-3\r\nabc", "", 400 },
	{ "g\r\n", "", 400 },
	{ "3;\x01\r\nabc", "", 400 },
	{ "3;a\nb\r\nabc", "", 400 },
	{ "0\r\nT: \x01\r\n\r\n", "", 400 },
	{ "0\r\nT: x\n\r\n", "", 400 },
	{ "0\r\n\rX", "", 400 },
	{ "10000000000000000\r\n", "", 400 },
	{ "ffffffffffffffffff\r\n", "", 400 },
	{ "00000000000000003\r\nabc\r\n0\r\n\r\n", "", 400 },           /* 17 digits */
};

static void test_bodies(void **state)
{
	static const size_t steps[] = { 1000, 1, 2, 3, 5 };

	for (size_t i = 0; i < CH_ARRAY_LEN(bodies); i++) {
		for (size_t s = 0; s < CH_ARRAY_LEN(steps); s++) {
			struct buf out;
			size_t used;
			int http;

			decode(bodies[i].bytes, steps[s], 1000, &out, &http, &used);
			if (http != bodies[i].http || !str_eq(buf_str(&out), bodies[i].body))
				fail_msg("row %zu in steps of %zu: %d, '%s'", i, steps[s], http,
					 buf_str(&out));
			if (!http)
				assert_string_equal(bodies[i].bytes + used, "NEXT");
			buf_done(&out);
		}
	}
}

static void check_body_limit(const char *before, const char *unit, size_t n, const char *after, size_t max,
			     int answer)
{
	struct buf text = { .max_bytes = 1 << 20 }, out;
	size_t used;
	int http;

	buf_puts(&text, before);
	repeat(&text, unit, n);
	buf_puts(&text, after);
	decode(text.data, 77, max, &out, &http, &used);
	assert_int_equal(http, answer);
	buf_done(&text);
	buf_done(&out);
}

static void test_body_limits(void **state)
{
	check_body_limit("5\r\n", "x", 5, "\r\n0\r\n\r\n", 5, 0);
	check_body_limit("6\r\n", "x", 6, "\r\n0\r\n\r\n", 5, 413);
	check_body_limit("", "1\r\nx\r\n", 6, "0\r\n\r\n", 5, 413);
	check_body_limit("1;", "e", HTTP1_CHUNK_LINE_MAX + 1, "\r\nx\r\n0\r\n\r\n", 5, 400);
	check_body_limit("0\r\n", "T: x\r\n", HTTP1_TRAILER_MAX, "\r\n", 5, 431);
	check_body_limit("0\r\nT: ", "x", HTTP1_TRAILER_MAX, "\r\n\r\n", 5, 431);
}

static void test_counted(void **state)
{
	struct http1_head head = { .content_length = 5 };
	struct buf out = { .max_bytes = 5 };
	struct http1_body b;
	size_t used;
	int http;

	http1_body_init(&b, &head);
	assert_int_equal(http1_body_feed(&b, "ab", 2, &out, &used, &http, NULL), CH_OK);
	assert_false(b.is_done);
	assert_int_equal(http1_body_feed(&b, "cdeNEXT", 7, &out, &used, &http, NULL), CH_OK);
	assert_true(b.is_done);
	assert_int_equal(used, 3);
	assert_string_equal(out.data, "abcde");
	buf_done(&out);
	head.content_length = 0;
	http1_body_init(&b, &head);
	assert_true(b.is_done);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_heads),
		cmocka_unit_test(test_nul_in_head),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_flags),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_bodies),
		cmocka_unit_test(test_body_limits),
		cmocka_unit_test(test_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
