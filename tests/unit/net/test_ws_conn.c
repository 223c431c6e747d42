/* net/ws_conn: a WebSocket connection from its upgrade to its last callback, against a raw socket. */
#include "net/ws_conn.h"

#include "core/clock.h"
#include "core/mem.h"
#include "core/str.h"
#include "net/http_server.h"
#include "raw_client.h"

#define MESSAGE_MAX 100000
#define UPGRADE UPGRADE_OF("/ws")
#define UPGRADE_OF(path)                                                                          \
	"GET " path " HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"            \
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

/* -- what the server's side saw -- */

static struct {
	struct ws_conn *conn;           /* the last one; a reference of ours */
	struct buf text;                /* "T:a;B:b;" */
	int closed, drained;
	uint16_t code;
	char reason[200];
	struct fiber *in_callback;
	/* what on_text does beside noting */
	enum { DO_NOTHING, DO_ECHO, DO_CLOSE, DO_TERMINATE, DO_PAUSE } then;
} seen;

static void on_text(struct ws_conn *c, char *text, size_t len, void *arg)
{
	assert_ptr_equal(arg, &seen);
	assert_null(fiber_self());
	assert_int_equal(text[len], '\0');
	assert_int_equal(seen.closed, 0);
	buf_printf(&seen.text, "T:%.40s;", text);
	switch (seen.then) {
	case DO_NOTHING:
		break;
	case DO_ECHO:
		ws_send_text(c, text, len);
		break;
	case DO_CLOSE:
		ws_close(c, 4001, "enough");
		assert_false(ws_is_open(c));
		break;
	case DO_TERMINATE:
		ws_terminate(c);
		assert_int_equal(seen.closed, 0);       /* told later, not in here */
		break;
	case DO_PAUSE:
		ws_pause(c, true);
		break;
	}
	memset(text, '#', len);
}

static void on_binary(struct ws_conn *c, char *bytes, size_t len, void *arg)
{
	buf_printf(&seen.text, "B:%.40s;", bytes);
}

static void on_close(struct ws_conn *c, uint16_t code, const char *reason, void *arg)
{
	assert_null(fiber_self());
	seen.closed++;
	seen.code = code;
	snprintf(seen.reason, sizeof(seen.reason), "%s", reason);
	assert_false(ws_is_open(c));
	assert_int_equal(ws_queued(c), 0);
	ws_send_text(c, "x", 1);        /* all of these do nothing any more */
	ws_close(c, 1000, "x");
	ws_terminate(c);
	ws_pause(c, true);
	ws_keepalive(c, 10);
}

static void on_drain(struct ws_conn *c, void *arg)
{
	assert_true(ws_queued(c) <= WS_DRAIN);
	seen.drained++;
}

static const struct ws_conn_ops text_ops = {
	.message_max = MESSAGE_MAX, .on_text = on_text, .on_close = on_close, .on_drain = on_drain,
};
static const struct ws_conn_ops binary_ops = {
	.message_max = MESSAGE_MAX, .on_text = on_text, .on_binary = on_binary, .on_close = on_close,
};

static void run_ws(struct http_call *c, const struct http_request *rq, void *arg)
{
	assert_true(rq->is_upgrade);
	http_reply_header(c, "X-Extra", "yes");
	seen.conn = http_upgrade_ws(c, str_eq(rq->path, "/binary") ? &binary_ops : &text_ops, &seen);
	assert_int_equal(seen.text.len, 0);     /* nothing comes before we know the connection */
}

static const struct http_route routes[] = { { "GET", "*", 0, run_ws }, { 0 } };
static struct http_server *server;
static uint16_t port;

static void begin(struct loop *l)
{
	static const struct http_server_opts opts = { .routes = routes };
	struct ch_err err;

	memset(&seen, 0, sizeof(seen));
	seen.text.max_bytes = 1 << 20;
	server = http_server_new(l, &opts);
	assert_int_equal(http_server_listen(server, "127.0.0.1", 0, NULL, &port, &err), CH_OK);
}

static void end(void)
{
	http_server_stop(server, fiber_deadline(0));
	http_server_free(server);
	turns(3);
	if (seen.conn)
		assert_int_equal(seen.closed, 1);
	ws_unref(seen.conn);
	buf_done(&seen.text);
	clock_real();
}

/* -- the client's side -- */

static struct client ws_open(void)
{
	struct client c = client_open(port);

	client_puts(&c, UPGRADE);
	client_expect(&c, "HTTP/1.1 101 Switching Protocols\r\n");
	client_expect(&c, "Upgrade: websocket\r\nConnection: Upgrade\r\n"
			  "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nX-Extra: yes\r\n\r\n");
	return c;
}

static void ws_put(struct client *c, enum ws_opcode op, const char *text)
{
	struct buf out = { .max_bytes = 1 << 20 };

	ws_frame(&out, WS_CLIENT, op, text, strlen(text));
	client_send(c, out.data, out.len);
	buf_done(&out);
}

static void ws_put_close(struct client *c, uint16_t code, const char *reason)
{
	struct buf out = { .max_bytes = 1 << 20 };

	ws_frame_close(&out, WS_CLIENT, code, reason);
	client_send(c, out.data, out.len);
	buf_done(&out);
}

/* The next frame is exactly this one. */
static void ws_expect(struct client *c, enum ws_opcode op, const char *payload, size_t n)
{
	unsigned char header[10];
	size_t header_bytes = ws_header(op, n, header);

	until(client_has_n(c, header_bytes + n) || c->is_eof);
	if (c->in.len < header_bytes + n)
		fail_msg("it ended before a frame of %zu bytes, after %zu", n, c->in.len);
	assert_memory_equal(c->in.data, header, header_bytes);
	assert_memory_equal(c->in.data + header_bytes, payload, n);
	buf_consume(&c->in, header_bytes + n);
}

static void ws_expect_text(struct client *c, const char *text)
{
	ws_expect(c, WS_TEXT, text, strlen(text));
}

static void ws_expect_close(struct client *c, uint16_t code, const char *reason)
{
	char payload[125] = { (char)(code >> 8), (char)code };

	memcpy(payload + 2, reason, strlen(reason));
	ws_expect(c, WS_CLOSE, payload, 2 + strlen(reason));
}

static void expect_closed(uint16_t code, const char *reason)
{
	until(seen.closed);
	turns(5);
	assert_int_equal(seen.closed, 1);
	assert_int_equal(seen.code, code);
	if (!strstr(seen.reason, reason) || (!*reason && *seen.reason))
		fail_msg("closed for '%s' instead of '%s'", seen.reason, reason);
}

#define TEST(name)                                                                                \
	static void name##_in(void *loop);                                                        \
	static void name(void **state) { in_loop(name##_in); }                                    \
	static void name##_in(void *loop)

/* -- messages -- */

TEST(test_messages)
{
	begin(loop);
	struct client c = ws_open();

	seen.then = DO_ECHO;
	ws_put(&c, WS_TEXT, "hello");
	ws_expect_text(&c, "hello");
	ws_put(&c, WS_TEXT, "");
	ws_expect_text(&c, "");
	ws_put(&c, WS_PING, "are you there");
	ws_expect(&c, WS_PONG, "are you there", 13);
	ws_put(&c, WS_PONG, "unasked");
	client_send(&c, "\x01\x81\0\0\0\0a\x89\x80\0\0\0\0\x80\x81\0\0\0\0b", 20);
	ws_expect_text(&c, "ab");
	ws_expect(&c, WS_PONG, "", 0);
	/* several pings at once: the last one is answered */
	client_send(&c, "\x89\x81\0\0\0\0a\x89\x81\0\0\0\0b\x89\x81\0\0\0\0c\x81\x81\0\0\0\0z", 28);
	ws_expect_text(&c, "z");
	ws_expect(&c, WS_PONG, "c", 1);
	ws_put_close(&c, 1000, "bye");
	ws_expect_close(&c, 1000, "bye");
	client_expect_end(&c);
	expect_closed(1000, "bye");
	client_close(&c);
	end();
}

TEST(test_parts)
{
	enum { BIG = 70000 };
	char *big = ch_alloc(BIG);
	struct ws_part parts[9];

	begin(loop);
	struct client c = ws_open();

	memset(big, 'b', BIG);
	until(seen.conn);
	for (int i = 0; i < 9; i++)
		parts[i] = (struct ws_part){ &"abcdefghi"[i], 1 };
	ws_send_parts(seen.conn, parts, 3);
	ws_expect_text(&c, "abc");
	ws_send_parts(seen.conn, parts, 9);     /* more than one system call takes */
	ws_expect_text(&c, "abcdefghi");
	ws_send_parts(seen.conn, parts, 0);
	ws_expect_text(&c, "");
	ws_send_text(seen.conn, big, 125);
	ws_expect(&c, WS_TEXT, big, 125);
	ws_send_text(seen.conn, big, 126);
	ws_expect(&c, WS_TEXT, big, 126);
	ws_send_text(seen.conn, big, BIG);
	ws_expect(&c, WS_TEXT, big, BIG);
	client_close(&c);
	ch_free(big);
	end();
}

/* Frames behind the request head, in the same packet. */
TEST(test_early_frames)
{
	struct buf out = { .max_bytes = 4096 };

	begin(loop);
	struct client c = client_open(port);

	seen.then = DO_ECHO;
	buf_puts(&out, UPGRADE);
	ws_frame(&out, WS_CLIENT, WS_TEXT, "first", 5);
	ws_frame(&out, WS_CLIENT, WS_TEXT, "second", 6);
	client_send(&c, out.data, out.len - 3);
	client_expect(&c, "\r\n\r\n");
	ws_expect_text(&c, "first");
	client_send(&c, out.data + out.len - 3, 3);
	ws_expect_text(&c, "second");
	client_close(&c);
	expect_closed(1006, "");
	buf_done(&out);
	end();
}

TEST(test_binary)
{
	begin(loop);
	struct client c = ws_open(), d = client_open(port);

	ws_put(&c, WS_BINARY, "b");
	ws_expect_close(&c, 1003, "binary messages are not understood here");
	ws_put_close(&c, 1003, NULL);
	client_expect_end(&c);
	expect_closed(1003, "");
	client_close(&c);
	ws_unref(seen.conn);
	seen.closed = 0;
	client_puts(&d, UPGRADE_OF("/binary"));
	client_expect(&d, "101");
	ws_put(&d, WS_BINARY, "b");
	ws_put(&d, WS_TEXT, "t");
	until(str_eq(buf_str(&seen.text), "B:b;T:t;"));
	client_close(&d);
	end();
}

/* -- limits -- */

static void check_violation(const char *bytes, size_t n, uint16_t code, const char *reason)
{
	struct client c = ws_open();

	seen.closed = 0;
	client_send(&c, bytes, n);
	ws_expect_close(&c, code, "");
	client_expect_end(&c);
	expect_closed(1006, reason);
	client_close(&c);
	ws_unref(seen.conn);
	seen.conn = NULL;
}

TEST(test_violations)
{
	begin(loop);
	check_violation("\x81\x01x", 3, 1002, "not masked");
	check_violation("\xc1\x80\0\0\0\0", 6, 1002, "reserved bits");
	check_violation("\x81\xfe\0\x01", 4, 1002, "shortest form");
	check_violation("\x81\x81\0\0\0\0\xff", 7, 1007, "not UTF-8");
	check_violation("\x81\xff\0\0\0\0\0\x01\x86\xa1", 10, 1009, "too big");
	check_violation("\x88\x81\0\0\0\0x", 7, 1002, "half a code");
	assert_string_equal(buf_str(&seen.text), "");
	end();
}

TEST(test_message_max_raised)
{
	char *big = ch_alloc(300001);

	begin(loop);
	struct client c = ws_open();

	memset(big, 'x', 300000);
	until(seen.conn);
	ws_set_message_max(seen.conn, 300000);
	ws_put(&c, WS_TEXT, big);
	until(str_starts(buf_str(&seen.text), "T:xxxx"));
	ws_set_message_max(seen.conn, 10);
	ws_put(&c, WS_TEXT, "01234567890");
	ws_expect_close(&c, 1009, "");
	expect_closed(1006, "too big");
	client_close(&c);
	ch_free(big);
	end();
}

/* -- closing -- */

TEST(test_we_close)
{
	begin(loop);
	struct client c = ws_open();

	until(seen.conn);
	ws_send_text(seen.conn, "last", 4);
	ws_close(seen.conn, 1012, "service restart");
	ws_close(seen.conn, 1000, "again");
	ws_send_text(seen.conn, "too late", 8);
	assert_int_equal(seen.closed, 0);
	ws_expect_text(&c, "last");
	ws_expect_close(&c, 1012, "service restart");
	ws_put(&c, WS_TEXT, "crossing");
	turns(5);
	assert_string_equal(buf_str(&seen.text), "");   /* callbacks stopped at once */
	assert_int_equal(seen.closed, 0);
	ws_put_close(&c, 1012, NULL);
	client_expect_end(&c);
	expect_closed(1012, "");
	client_close(&c);
	end();
}

static int64_t clock_ms;

static void at(int64_t ms)
{
	clock_ms = ms;
	clock_fake(1000000 + ms, 1700000000000 + ms);
	turns(5);
}

TEST(test_close_not_answered)
{
	at(0);
	begin(loop);
	struct client c = ws_open();

	until(seen.conn);
	ws_close(seen.conn, 1000, NULL);
	at(WS_CLOSE_TIMEOUT_MS - 1);
	assert_int_equal(seen.closed, 0);
	at(WS_CLOSE_TIMEOUT_MS);
	expect_closed(1006, "");
	assert_int_equal(http_server_conns(server), 0);
	client_close(&c);
	end();
}

TEST(test_close_in_callback)
{
	begin(loop);
	struct client c = ws_open();

	seen.then = DO_CLOSE;
	client_send(&c, "\x81\x81\0\0\0\0a\x81\x81\0\0\0\0b", 14);
	ws_expect_close(&c, 4001, "enough");
	ws_put_close(&c, 4001, NULL);
	expect_closed(4001, "");
	assert_string_equal(buf_str(&seen.text), "T:a;");
	client_close(&c);
	end();
}

TEST(test_terminate_in_callback)
{
	begin(loop);
	struct client c = ws_open();

	seen.then = DO_TERMINATE;
	client_send(&c, "\x81\x81\0\0\0\0a\x81\x81\0\0\0\0b", 14);
	expect_closed(1006, "");
	assert_string_equal(buf_str(&seen.text), "T:a;");
	until(client_ended(&c));
	client_close(&c);
	end();
}

TEST(test_peer_vanishes)
{
	begin(loop);
	struct client c = ws_open();

	ws_put(&c, WS_TEXT, "x");
	client_close(&c);
	expect_closed(1006, "");
	assert_string_equal(buf_str(&seen.text), "T:x;");
	until(http_server_conns(server) == 0);
	end();
}

/* A send to a peer that is gone reports nothing from inside the call. */
TEST(test_send_to_reset)
{
	struct linger now = { .l_onoff = 1 };

	begin(loop);
	struct client c = ws_open();

	until(seen.conn);
	assert_int_equal(setsockopt(c.fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now)), 0);
	client_close(&c);               /* a reset */
	for (int i = 0; i < 10; i++) {
		ws_send_text(seen.conn, "x", 1);
		assert_int_equal(seen.closed, 0);
	}
	expect_closed(1006, "");
	end();
}

/* -- flow -- */

TEST(test_slow_reader)
{
	enum { PIECE = 100000 };
	char *piece = ch_alloc(PIECE);
	size_t sent = 0;

	begin(loop);
	struct client c = ws_open();

	until(seen.conn);
	memset(piece, 'p', PIECE);
	while (ws_queued(seen.conn) < 1 << 20) {
		ws_send_text(seen.conn, piece, PIECE);
		sent++;
	}
	turns(20);
	assert_int_equal(seen.drained, 0);
	/* pings of a peer that does not read are not answered: the queue must not grow by them */
	size_t before = ws_queued(seen.conn);
	for (int i = 0; i < 100; i++)
		ws_put(&c, WS_PING, "ping");
	turns(20);
	assert_true(ws_queued(seen.conn) <= before);
	for (size_t i = 0; i < sent; i++)
		ws_expect(&c, WS_TEXT, piece, PIECE);
	until(seen.drained == 1);
	assert_int_equal(ws_queued(seen.conn), 0);
	ws_send_text(seen.conn, "end", 3);
	ws_expect_text(&c, "end");
	assert_int_equal(seen.drained, 1);
	client_close(&c);
	ch_free(piece);
	end();
}

TEST(test_pause)
{
	begin(loop);
	struct client c = ws_open();

	seen.then = DO_PAUSE;
	client_send(&c, "\x81\x81\0\0\0\0a\x81\x81\0\0\0\0b\x81\x81\0\0\0\0c", 21);
	until(seen.text.len);
	turns(10);
	ws_put(&c, WS_TEXT, "d");
	turns(10);
	assert_string_equal(buf_str(&seen.text), "T:a;");
	ws_pause(seen.conn, false);
	assert_string_equal(buf_str(&seen.text), "T:a;");       /* not from inside the call */
	until(str_eq(buf_str(&seen.text), "T:a;T:b;"));
	turns(10);
	assert_string_equal(buf_str(&seen.text), "T:a;T:b;");
	seen.then = DO_NOTHING;
	ws_pause(seen.conn, false);
	until(str_eq(buf_str(&seen.text), "T:a;T:b;T:c;T:d;"));
	/* closing ends a pause: the answer stands behind what was not read */
	ws_pause(seen.conn, true);
	ws_put(&c, WS_TEXT, "e");
	ws_put_close(&c, 1000, NULL);
	turns(5);
	ws_close(seen.conn, 1001, NULL);
	expect_closed(1000, "");
	client_close(&c);
	end();
}

/* -- keepalive -- */

TEST(test_keepalive)
{
	at(0);
	begin(loop);
	struct client c = ws_open();

	until(seen.conn);
	ws_keepalive(seen.conn, 25000);
	at(24999);
	assert_false(client_has_n(&c, 1));
	for (int i = 1; i <= 5; i++) {
		at(25000 * i);
		ws_expect(&c, WS_PING, "", 0);
		ws_put(&c, WS_PONG, "");
		turns(5);
	}
	at(150000);
	ws_expect(&c, WS_PING, "", 0);
	at(174999);
	assert_int_equal(seen.closed, 0);
	at(175000);
	expect_closed(1006, "");
	until(client_ended(&c));
	client_close(&c);
	end();
}

/* A ping behind a long queue: the peer lives as long as the queue shrinks. */
TEST(test_keepalive_of_slow_reader)
{
	enum { PIECE = 8 << 20 };
	char *piece = ch_alloc(PIECE);

	at(0);
	begin(loop);
	struct client c = ws_open();

	until(seen.conn);
	ws_keepalive(seen.conn, 1000);
	for (int i = 0; i < 8; i++)
		ws_send_text(seen.conn, piece, PIECE);
	at(1000);                               /* the ping is queued */
	for (int i = 2; i <= 4; i++) {
		size_t want = c.in.len + PIECE;

		until(client_has_n(&c, want));
		turns(50);
		at(1000 * i);
		assert_int_equal(seen.closed, 0);
	}
	turns(100);
	at(5000);
	at(6000);
	at(7000);
	expect_closed(1006, "");
	client_close(&c);
	ch_free(piece);
	end();
}

/* -- the server's end -- */

TEST(test_server_goes)
{
	begin(loop);
	struct client c = ws_open();

	until(seen.conn);
	http_server_free(server);
	expect_closed(1006, "");
	until(client_ended(&c));
	client_close(&c);
	ws_unref(seen.conn);
	buf_done(&seen.text);
}

TEST(test_peer_left_before_upgrade)
{
	begin(loop);
	struct client c = client_open(port);

	/* Nothing to check but that nothing is left over: the upgrade and the reset race. */
	client_puts(&c, UPGRADE);
	client_close(&c);
	turns(20);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_messages),
		cmocka_unit_test(test_parts),
		cmocka_unit_test(test_early_frames),
		cmocka_unit_test(test_binary),
		cmocka_unit_test(test_violations),
		cmocka_unit_test(test_message_max_raised),
		cmocka_unit_test(test_we_close),
		cmocka_unit_test(test_close_not_answered),
		cmocka_unit_test(test_close_in_callback),
		cmocka_unit_test(test_terminate_in_callback),
		cmocka_unit_test(test_peer_vanishes),
		cmocka_unit_test(test_send_to_reset),
		cmocka_unit_test(test_slow_reader),
		cmocka_unit_test(test_pause),
		cmocka_unit_test(test_keepalive),
		cmocka_unit_test(test_keepalive_of_slow_reader),
		cmocka_unit_test(test_server_goes),
		cmocka_unit_test(test_peer_left_before_upgrade),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
