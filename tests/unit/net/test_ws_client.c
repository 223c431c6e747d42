/* net/ws_client against raw peers: messages, closings, broken servers, back-pressure both ways. */
#include "net/ws_client.h"

#include <stdio.h>

#include "core/clock.h"
#include "core/str.h"
#include "net/http_client.h"
#include "net/ws.h"
#include "raw_peer.h"

static int64_t soon(void)
{
	return fiber_deadline(5000);
}

static ch_status dial(struct loop *l, struct http_client *http, const char *host, const struct peer *p,
		      struct ws_client **ret, struct ch_err *err)
{
	char url[100];
	struct ws_client_opts opts = {
		.url = url,
		.guard = GUARD_TRUST_ORIGIN,
		.message_max = 1 << 20,
		.deadline_ms = soon(),
	};

	snprintf(url, sizeof(url), "ws://%s:%u/gw?x=1", host, p->port);
	return ws_client_open(l, http, &opts, ret, err);
}

/* -- a server's side of one connection -- */

struct server {
	struct peer_conn *pc;
	struct ws_codec codec;
	bool is_closed, was_pinged;
	uint16_t close_code;
	char close_reason[128];
	char pong[128];
	int texts;
	bool echoes;
	struct buf out;
};

static bool server_event(void *arg, struct ws_event *ev)
{
	struct server *s = arg;

	switch (ev->op) {
	case WS_TEXT:
		s->texts++;
		if (s->echoes)
			ws_frame(&s->out, WS_SERVER, WS_TEXT, ev->data, ev->len);
		break;
	case WS_PING:
		s->was_pinged = true;
		ws_frame(&s->out, WS_SERVER, WS_PONG, ev->data, ev->len);
		break;
	case WS_PONG: snprintf(s->pong, sizeof(s->pong), "%s", ev->data); break;
	case WS_CLOSE:
		s->is_closed = true;
		s->close_code = ev->close_code;
		snprintf(s->close_reason, sizeof(s->close_reason), "%s", ev->data);
		return false;
	default: fail_msg("unexpected opcode %d", ev->op);
	}
	return true;
}

/* Answers the handshake; what is in `more` goes out with it in one write. */
static void server_open(struct server *s, struct peer_conn *pc, const void *more, size_t n)
{
	const char *head = peer_head(pc), *key = strstr(head, "Sec-WebSocket-Key: ");
	char text[25] = "", accept[29];

	*s = (struct server){ .pc = pc };
	ws_codec_init(&s->codec, WS_SERVER, (size_t)16 << 20);
	buf_init(&s->out, (size_t)32 << 20);
	assert_non_null(key);
	assert_true(str_starts(head, "GET /gw?x=1 HTTP/1.1\r\n"));
	memcpy(text, key + 19, 24);
	ws_accept_key(text, accept);
	buf_printf(&s->out,
		   "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
		   "Sec-WebSocket-Accept: %s\r\n\r\n",
		   accept);
	buf_append(&s->out, more, n);
	peer_drop(pc, 0);
	assert_true(peer_write(pc, s->out.data, s->out.len));
	buf_clear(&s->out);
}

static void server_send(struct server *s, enum ws_opcode op, const void *p, size_t n)
{
	ws_frame(&s->out, WS_SERVER, op, p, n);
	(void)peer_write(s->pc, s->out.data, s->out.len);
	buf_clear(&s->out);
}

/* Handles what came; false once the client closed or left. */
static bool server_step(struct server *s)
{
	if (!peer_want(s->pc, 1))
		return false;
	assert_int_equal(ws_feed(&s->codec, s->pc->in.data, s->pc->in.len, server_event, s, NULL), CH_OK);
	buf_clear(&s->pc->in);
	if (s->out.len && !peer_write(s->pc, s->out.data, s->out.len))
		return false;
	buf_clear(&s->out);
	return !s->is_closed;
}

static void server_done(struct server *s)
{
	ws_codec_done(&s->codec);
	buf_done(&s->out);
}

/* -- exchanges -- */

static void serve_echo(struct peer_conn *pc)
{
	struct server s;

	server_open(&s, pc, NULL, 0);
	s.echoes = true;
	while (server_step(&s)) {
	}
	assert_true(s.is_closed);
	assert_int_equal(s.close_code, 1000);
	assert_string_equal(s.close_reason, "done");
	ws_frame_close(&s.out, WS_SERVER, 1000, "");
	peer_write(pc, s.out.data, s.out.len);
	server_done(&s);
}

static void run_echo_via(struct loop *l, struct http_client *http, const char *host)
{
	static const size_t sizes[] = { 0, 1, 125, 126, 65535, 65536, 1 << 20 };
	struct ws_client *c = NULL;
	char *big = ch_alloc(1 << 20), *text;
	struct ch_err err;
	struct peer p;
	size_t n;

	memset(big, 'x', 1 << 20);
	peer_start(&p, l, serve_echo, NULL);
	assert_int_equal(dial(l, http, host, &p, &c, &err), CH_OK);
	for (size_t i = 0; i < CH_ARRAY_LEN(sizes); i++) {
		assert_int_equal(ws_client_send(c, big, sizes[i], soon(), &err), CH_OK);
		assert_int_equal(ws_client_read(c, soon(), &text, &n, &err), CH_OK);
		assert_int_equal(n, sizes[i]);
		assert_memory_equal(text, big, n);
		assert_int_equal(text[n], '\0');
	}
	assert_int_equal(ws_client_close_code(c), 0);
	assert_int_equal(ws_client_read(c, fiber_deadline(5), &text, &n, &err), CH_E_TIMEOUT);
	ws_client_close(c, 1000, "done", soon());
	peer_stop(&p);
	ch_free(big);
}

static void run_echo(struct loop *l, void *arg)
{
	struct http_client *http = http_client_new(l);

	run_echo_via(l, NULL, "127.0.0.1");
	run_echo_via(l, NULL, "localhost");
	run_echo_via(l, http, "gw.localhost"); /* a name: through libcurl, which knows this one */
	http_client_free(http);
}

static void test_echo(void **state)
{
	in_fiber(run_echo, NULL);
}

/* The handshake's answer, a fragmented message with a ping inside, a message: all in one segment. */
static void serve_together(struct peer_conn *pc)
{
	static const char more[] = "\x01\x02he\x89\x02hi\x80\x03llo\x81\x01!";
	struct server s;

	server_open(&s, pc, more, sizeof(more) - 1);
	while (server_step(&s)) {
	}
	assert_string_equal(s.pong, "hi");
	server_done(&s);
}

static void run_together(struct loop *l, void *arg)
{
	struct ws_client *c = NULL;
	struct ch_err err;
	struct peer p;
	char *text;
	size_t n;

	peer_start(&p, l, serve_together, NULL);
	assert_int_equal(dial(l, NULL, "127.0.0.1", &p, &c, &err), CH_OK);
	assert_int_equal(ws_client_read(c, soon(), &text, &n, &err), CH_OK);
	assert_string_equal(text, "hello");
	assert_int_equal(ws_client_read(c, soon(), &text, &n, &err), CH_OK);
	assert_string_equal(text, "!");
	ws_client_close(c, 1000, "", fiber_deadline(20)); /* the peer does not answer: the deadline ends it */
	peer_stop(&p);
}

static void test_frames_behind_the_handshake(void **state)
{
	in_fiber(run_together, NULL);
}

static void serve_ping(struct peer_conn *pc)
{
	struct server s;

	server_open(&s, pc, NULL, 0);
	server_send(&s, WS_PING, "x", 1);
	while (!s.pong[0] && server_step(&s)) {
	}
	assert_string_equal(s.pong, "x");
	*(bool *)pc->peer->arg = true;
	while (server_step(&s)) {
	}
	server_done(&s);
}

static void run_ping(struct loop *l, void *arg)
{
	struct ws_client *c = NULL;
	bool got_pong = false;
	struct ch_err err;
	struct peer p;

	peer_start(&p, l, serve_ping, &got_pong);
	assert_int_equal(dial(l, NULL, "127.0.0.1", &p, &c, &err), CH_OK);
	while (!got_pong) /* nobody reads */
		assert_int_equal(fiber_yield(), CH_OK);
	ws_client_close(c, 1000, "", fiber_deadline(0));
	peer_stop(&p);
}

static void test_pings_are_answered_without_a_reader(void **state)
{
	in_fiber(run_ping, NULL);
}

static void serve_quietly(struct peer_conn *pc)
{
	struct server s;

	server_open(&s, pc, NULL, 0);
	while (server_step(&s)) {
	}
	assert_true(s.was_pinged);
	server_done(&s);
}

static void run_quietly(struct loop *l, void *arg)
{
	struct ws_client *c = NULL;
	int64_t heard_ms;
	struct ch_err err;
	struct peer p;

	peer_start(&p, l, serve_quietly, NULL);
	assert_int_equal(dial(l, NULL, "127.0.0.1", &p, &c, &err), CH_OK);
	heard_ms = ws_client_heard_ms(c);
	assert_true(heard_ms > 0);
	while (now_mono_ms() == heard_ms)
		assert_int_equal(fiber_yield(), CH_OK);
	ws_client_ping(c);
	while (ws_client_heard_ms(c) == heard_ms) /* the pong counts, and is no message */
		assert_int_equal(fiber_yield(), CH_OK);
	ws_client_close(c, 1000, "", fiber_deadline(0));
	peer_stop(&p);
}

static void test_a_silent_server_is_pinged(void **state)
{
	in_fiber(run_quietly, NULL);
}

/* -- ends -- */

static const struct ending {
	const char *frames;
	size_t len;
	ch_status st;
	uint16_t code;             /* as the client sees it */
	const char *text;          /* in the error */
	uint16_t answer;           /* the code the server gets, 0: none */
} endings[] = {
	{ "\x88\x02\x03\xe8", 4, CH_E_EOF, 1000, "closed", 1000 },
	{ "\x88\x00", 2, CH_E_EOF, 1005, "closed", 1005 },
	{ "\x88\x04\x03\xe9ok", 6, CH_E_PEER, 1001, "1001 ok", 1001 },
	{ "\x88\x12\x03\xf0pairing required", 20, CH_E_PEER, 1008, "1008 pairing required", 1008 },
	{ "\x88\x02\x0f\xa0", 4, CH_E_PEER, 4000, "4000", 4000 },
	{ "\x88\x02\x03\xed", 4, CH_E_PEER, 1006, "close code 1002", 1002 },      /* 1005 is not for sending */
	{ "\x81\x81" "abcd" "x", 7, CH_E_PEER, 1006, "close code 1002", 1002 },   /* masked */
	{ "\xc1\x01x", 3, CH_E_PEER, 1006, "close code 1002", 1002 },             /* RSV1 */
	{ "\x81\x02\xc0\x80", 4, CH_E_PEER, 1006, "close code 1007", 1007 },
	{ "\x82\x01x", 3, CH_E_PEER, 1006, "binary", 1003 },
	{ "\x81\x7f\x00\x00\x00\x00\x00\x10\x00\x01", 10, CH_E_LIMIT, 1006, "close code 1009", 1009 },
	{ "", 0, CH_E_PEER, 1006, "closed", 0 },                                  /* the connection just ends */
	{ "\x81\x05he", 4, CH_E_PEER, 1006, "closed", 0 },
};

static void serve_ending(struct peer_conn *pc)
{
	const struct ending *e = pc->peer->arg;
	struct server s;

	server_open(&s, pc, e->frames, e->len);
	if (e->answer) {
		while (server_step(&s)) {
		}
		assert_true(s.is_closed);
		assert_int_equal(s.close_code, e->answer);
	}
	server_done(&s);
}

static void run_endings(struct loop *l, void *arg)
{
	for (size_t i = 0; i < CH_ARRAY_LEN(endings); i++) {
		const struct ending *e = &endings[i];
		struct ws_client *c = NULL;
		struct ch_err err = { 0 };
		struct peer p;
		char *text;
		size_t n;

		peer_start(&p, l, serve_ending, (void *)e);
		assert_int_equal(dial(l, NULL, "127.0.0.1", &p, &c, &err), CH_OK);
		for (int twice = 0; twice < 2; twice++) {
			assert_int_equal(ws_client_read(c, soon(), &text, &n, &err), e->st);
			assert_non_null(strstr(err.text, e->text));
		}
		assert_int_equal(ws_client_close_code(c), e->code);
		assert_int_equal(ws_client_send(c, "x", 1, soon(), &err), e->st);
		ws_client_close(c, 1000, "", soon());
		peer_stop(&p);
	}
}

static void test_ends(void **state)
{
	in_fiber(run_endings, NULL);
}

/* -- servers that are none -- */

static const struct refusal {
	const char *answer;
	ch_status st;
	const char *text;
} refusals[] = {
	{ "HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n", CH_E_DENIED, "401" },
	{ "HTTP/1.1 503 Busy\r\n\r\n", CH_E_PEER, "503" },
	{ "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n", CH_E_PEER,
	  "another request" },
	{ "HTTP/1.1 101 x\r\n", CH_E_PEER, "closed" },
	{ "rubbish", CH_E_PEER, "closed" },
	{ "", CH_E_PEER, "closed" },
};

static void serve_refusal(struct peer_conn *pc)
{
	const struct refusal *x = pc->peer->arg;

	if (*peer_head(pc) && *x->answer)
		peer_puts(pc, x->answer);
}

static void serve_endless_head(struct peer_conn *pc)
{
	char *line = ch_alloc(65536);

	memset(line, 'a', 65536);
	memcpy(line, "HTTP/1.1 101 x\r\n", 16);
	peer_head(pc);
	peer_write(pc, line, 65536);
	ch_free(line);
	peer_wait_eof(pc);
}

static void serve_silence(struct peer_conn *pc)
{
	peer_wait_eof(pc);
}

static void run_refusals(struct loop *l, void *arg)
{
	struct http_client *http = http_client_new(l);
	struct ws_client *c = NULL;
	struct ch_err err;
	char url[64];
	struct ws_client_opts opts = { .url = url, .guard = GUARD_TRUST_ORIGIN, .message_max = 64 };
	struct peer p;

	for (size_t i = 0; i < 2 * CH_ARRAY_LEN(refusals); i++) {
		const struct refusal *x = &refusals[i / 2];

		peer_start(&p, l, serve_refusal, (void *)x);
		assert_int_equal(dial(l, http, i % 2 ? "a.localhost" : "127.0.0.1", &p, &c, &err), x->st);
		assert_non_null(strstr(err.text, x->text));
		peer_stop(&p);
	}
	peer_start(&p, l, serve_endless_head, NULL);
	assert_int_equal(dial(l, NULL, "127.0.0.1", &p, &c, &err), CH_E_PEER);
	assert_non_null(strstr(err.text, "head is over"));
	peer_stop(&p);

	peer_start(&p, l, serve_silence, NULL);
	snprintf(url, sizeof(url), "ws://127.0.0.1:%u/", p.port);
	opts.deadline_ms = fiber_deadline(20);
	assert_int_equal(ws_client_open(l, NULL, &opts, &c, &err), CH_E_TIMEOUT);
	opts.deadline_ms = soon();
	opts.guard = GUARD_PUBLIC_ONLY;
	assert_int_equal(ws_client_open(l, NULL, &opts, &c, &err), CH_E_DENIED);
	snprintf(url, sizeof(url), "ws://a.localhost:%u/", p.port);
	assert_int_equal(ws_client_open(l, http, &opts, &c, &err), CH_E_DENIED);
	assert_int_equal(ws_client_open(l, NULL, &opts, &c, &err), CH_E_INVALID);
	peer_stop(&p);
	assert_int_equal(dial(l, NULL, "127.0.0.1", &p, &c, &err), CH_E_PEER); /* nobody listens any more */
	assert_non_null(strstr(err.text, "connecting failed"));
	assert_int_equal(dial(l, NULL, "localhost", &p, &c, &err), CH_E_PEER);
	assert_int_equal(dial(l, http, "a.localhost", &p, &c, &err), CH_E_PEER);
	opts.url = "http://127.0.0.1/";
	assert_int_equal(ws_client_open(l, NULL, &opts, &c, &err), CH_E_INVALID);
	assert_null(c);
	http_client_free(http);
}

static void test_refusals(void **state)
{
	in_fiber(run_refusals, NULL);
}

struct reader { struct ws_client *c; ch_status st; };

static void reader_run(void *arg)
{
	struct reader *r = arg;
	struct ch_err err;
	char *text;
	size_t n;

	r->st = ws_client_read(r->c, soon(), &text, &n, &err);
}

static void run_cancel(struct loop *l, void *arg)
{
	struct reader r = { 0 };
	struct fiber *f;
	struct ch_err err;
	struct peer p;

	peer_start(&p, l, serve_echo, NULL);
	assert_int_equal(dial(l, NULL, "127.0.0.1", &p, &r.c, &err), CH_OK);
	f = fiber_spawn(l, "reader", FIBER_JOINABLE, reader_run, &r);
	assert_int_equal(fiber_yield(), CH_OK);
	fiber_cancel(f);
	assert_int_equal(fiber_join(f, soon()), CH_OK);
	assert_int_equal(r.st, CH_E_CANCELED);
	ws_client_close(r.c, 1000, "done", soon());
	peer_stop(&p);
}

static void test_cancel(void **state)
{
	in_fiber(run_cancel, NULL);
}

/* -- back-pressure -- */

#define FLOOD_MESSAGES 1000
#define FLOOD_SIZE 60000

struct flood { int sent; };

static void serve_flood(struct peer_conn *pc)
{
	struct flood *f = pc->peer->arg;
	char *text = ch_alloc(FLOOD_SIZE);
	struct server s;
	int small = 65536;

	memset(text, 'y', FLOOD_SIZE);
	uv_send_buffer_size((uv_handle_t *)&pc->tcp, &small);
	server_open(&s, pc, NULL, 0);
	for (; f->sent < FLOOD_MESSAGES; f->sent++)
		server_send(&s, WS_TEXT, text, FLOOD_SIZE);
	ch_free(text);
	while (server_step(&s)) {
	}
	server_done(&s);
}

static void run_flood(struct loop *l, void *arg)
{
	struct http_client *http = http_client_new(l);

	for (int via_curl = 0; via_curl < 2; via_curl++) {
		struct ws_client *c = NULL;
		struct flood f = { 0 };
		struct ch_err err;
		struct peer p;
		int before;

		peer_start(&p, l, serve_flood, &f);
		assert_int_equal(dial(l, http, via_curl ? "a.localhost" : "127.0.0.1", &p, &c, &err), CH_OK);
		do {    /* nobody reads: the peer must come to a stand */
			before = f.sent;
			assert_int_equal(fiber_sleep(20), CH_OK);
		} while (f.sent != before);
		assert_true((size_t)f.sent * FLOOD_SIZE < (size_t)16 << 20);
		for (int i = 0; i < FLOOD_MESSAGES; i++) {
			char *text;
			size_t n;

			assert_int_equal(ws_client_read(c, soon(), &text, &n, &err), CH_OK);
			assert_int_equal(n, FLOOD_SIZE);
		}
		ws_client_close(c, 1000, "", fiber_deadline(20));
		peer_stop(&p);
	}
	http_client_free(http);
}

static void test_a_reader_that_stops(void **state)
{
	in_fiber(run_flood, NULL);
}

static void serve_deaf(struct peer_conn *pc)
{
	struct server s;

	server_open(&s, pc, NULL, 0);
	uv_read_stop((uv_stream_t *)&pc->tcp);
	while (!*(bool *)pc->peer->arg)
		assert_int_equal(fiber_yield(), CH_OK);
	server_done(&s);
}

static void run_deaf(struct loop *l, void *arg)
{
	struct ws_client *c = NULL;
	char *text = ch_alloc(1 << 20);
	bool is_over = false;
	struct ch_err err;
	ch_status st = CH_OK;
	struct peer p;
	int sent = 0;

	memset(text, 'z', 1 << 20);
	peer_start(&p, l, serve_deaf, &is_over);
	assert_int_equal(dial(l, NULL, "127.0.0.1", &p, &c, &err), CH_OK);
	for (; !st && sent < 64; sent++)
		st = ws_client_send(c, text, 1 << 20, fiber_deadline(30), &err);
	assert_int_equal(st, CH_E_TIMEOUT);
	assert_true(sent < 32);
	ws_client_close(c, 1000, "", fiber_deadline(5));
	is_over = true;
	ch_free(text);
	peer_stop(&p);
}

static void test_a_server_that_never_reads(void **state)
{
	in_fiber(run_deaf, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_echo),
		cmocka_unit_test(test_frames_behind_the_handshake),
		cmocka_unit_test(test_pings_are_answered_without_a_reader),
		cmocka_unit_test(test_a_silent_server_is_pinged),
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_cancel),
		cmocka_unit_test(test_a_reader_that_stops),
		cmocka_unit_test(test_a_server_that_never_reads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
