/*
 * net/ws_client.c - outbound WebSockets: wire, handshake and codec put together.
 *
 *	AWAITING -- 101 --> OPEN -- CLOSE, end of the wire, broken protocol --> ENDED
 *
 * The wire's callbacks decode at once, so that pings are answered also while
 * nobody reads; whole messages queue up for ws_client_read(). Past
 * QUEUE_BYTES unread the wire is paused.
 */
#include "net/ws_client.h"

#include "core/arena.h"
#include "core/clock.h"
#include "core/fiber.h"
#include "core/mem.h"
#include "core/rand.h"
#include "core/str.h"
#include "net/url.h"
#include "net/wire.h"
#include "net/ws.h"
#include "net/ws_handshake.h"

#define QUEUE_BYTES ((size_t)256 * 1024)     /* one message more may be over it */
#define SEND_AHEAD_BYTES ((size_t)64 * 1024) /* queued before ws_client_send() waits */

enum state { AWAITING, OPEN, ENDED };

struct message {
	struct message *next;
	size_t len;
	char text[];
};

struct ws_client {
	struct wire *wire;
	struct ws_codec codec;
	enum state state;
	struct buf head;                 /* AWAITING: the answer so far */
	char key[WS_KEY_LEN];
	struct message *first, *last;    /* not read yet */
	struct message *current;         /* lent to the reader */
	size_t queued_bytes;
	bool has_opened;                 /* the handshake is done, whatever came after it */
	bool is_paused;
	bool is_leaving;                 /* messages are not wanted any more */
	bool has_sent_close;
	int64_t heard_ms;                /* when bytes last came */
	uint16_t close_code;             /* 0 until ENDED */
	char close_reason[CH_ERR_TEXT_MAX];
	struct ch_err failure;           /* why it ended, unless by a CLOSE of the peer */
	struct fiber_cond changed;
};

static void client_end(struct ws_client *c, uint16_t code, const char *reason)
{
	c->state = ENDED;
	c->close_code = code;
	snprintf(c->close_reason, sizeof(c->close_reason), "%s", reason);
	fiber_cond_broadcast(&c->changed);
}

static void send_close(struct ws_client *c, uint16_t code, const char *reason)
{
	CH_AUTO_BUF struct buf frame = { .max_bytes = 256 };

	if (c->has_sent_close)
		return;
	c->has_sent_close = true;
	ws_frame_close(&frame, WS_CLIENT, code, reason);
	(void)wire_send(c->wire, frame.data, frame.len); /* an ended wire has told so itself */
}

static void fail_with(struct ws_client *c, uint16_t code, const struct ch_err *err)
{
	c->failure = *err;
	send_close(c, code, err->text);
	client_end(c, 1006, err->text);
}

/* -- what comes in -- */

static bool queue_message(struct ws_client *c, const struct ws_event *ev)
{
	struct message *m = ch_try_alloc(sizeof(*m) + ev->len + 1);
	struct ch_err err;

	if (!m) {
		(void)ch_fail(&err, CH_E_NOMEM, "websocket: no memory for a message of %zu bytes", ev->len);
		fail_with(c, 1011, &err);
		return false;
	}
	m->len = ev->len;
	memcpy(m->text, ev->data, ev->len);
	if (c->last)
		c->last->next = m;
	else
		c->first = m;
	c->last = m;
	c->queued_bytes += sizeof(*m) + ev->len;
	if (c->queued_bytes > QUEUE_BYTES && !c->is_paused) {
		c->is_paused = true;
		wire_pause(c->wire, true);
	}
	fiber_cond_broadcast(&c->changed);
	return true;
}

static void answer_ping(struct ws_client *c, const struct ws_event *ev)
{
	CH_AUTO_BUF struct buf frame = { .max_bytes = 256 };

	ws_frame(&frame, WS_CLIENT, WS_PONG, ev->data, ev->len);
	(void)wire_send(c->wire, frame.data, frame.len);
}

static bool on_event(void *arg, struct ws_event *ev)
{
	struct ws_client *c = arg;
	struct ch_err err;

	switch (ev->op) {
	case WS_TEXT: return c->is_leaving || queue_message(c, ev);
	case WS_PING: answer_ping(c, ev); break;
	case WS_CLOSE:
		send_close(c, ev->close_code, "");
		client_end(c, ev->close_code, ev->data);
		return false;
	case WS_BINARY:
		(void)ch_fail(&err, CH_E_PEER, "websocket: the server sent a binary message");
		fail_with(c, 1003, &err);
		return false;
	case WS_PONG:
	case WS_CONT: break;
	}
	return c->state == OPEN;
}

static void feed(struct ws_client *c, char *p, size_t n)
{
	struct ch_err err;

	if (n && ws_feed(&c->codec, p, n, on_event, c, &err) && c->state == OPEN)
		fail_with(c, c->codec.fail_code, &err);
}

/* Collects the answer's head; what follows it is frames already. */
static void take_head(struct ws_client *c, char *p, size_t n)
{
	struct buf head;
	size_t head_len;
	char *end;

	buf_append(&c->head, p, n);
	end = c->head.data ? memmem(c->head.data, c->head.len, "\r\n\r\n", 4) : NULL;
	if (!end) {
		if (c->head.failed || c->head.len > WS_HANDSHAKE_MAX) {
			(void)ch_fail(&c->failure, CH_E_PEER, "websocket: the answer's head is over %u bytes",
				      WS_HANDSHAKE_MAX);
			client_end(c, 1006, c->failure.text);
		}
		return;
	}
	head_len = (size_t)(end - c->head.data) + 4;
	if (ws_handshake_check(c->head.data, head_len, c->key, &c->failure)) {
		client_end(c, 1006, c->failure.text);
		return;
	}
	c->state = OPEN;
	c->has_opened = true;
	fiber_cond_broadcast(&c->changed);
	head = c->head;
	buf_init(&c->head, 0);
	feed(c, head.data + head_len, head.len - head_len);
	buf_done(&head);
}

static void on_bytes(void *arg, char *p, size_t n)
{
	struct ws_client *c = arg;

	c->heard_ms = now_mono_ms();
	if (c->state == AWAITING)
		take_head(c, p, n);
	else if (c->state == OPEN)
		feed(c, p, n);
}

static void on_end(void *arg, ch_status st, const char *text)
{
	struct ws_client *c = arg;

	if (c->state != ENDED) {
		(void)ch_fail(&c->failure, CH_E_PEER, "websocket: %s", text);
		client_end(c, 1006, text);
	}
	fiber_cond_broadcast(&c->changed);
}

static void on_drain(void *arg)
{
	struct ws_client *c = arg;

	fiber_cond_broadcast(&c->changed);
}

static const struct wire_ops client_wire_ops = { .on_bytes = on_bytes, .on_end = on_end, .on_drain = on_drain };

/* Why nothing more comes: CH_E_EOF after a clean close. */
static ch_status end_status(const struct ws_client *c, struct ch_err *err)
{
	if (c->failure.code)
		return ch_fail(err, c->failure.code, "%s", c->failure.text);
	if (c->close_code == 1000 || c->close_code == 1005)
		return ch_fail(err, CH_E_EOF, "websocket: closed");
	return ch_fail(err, CH_E_PEER, "websocket: closed by the server: %u %s", c->close_code, c->close_reason);
}

/* -- the interface -- */

static void client_free(struct ws_client *c)
{
	if (!c)
		return;
	wire_free(c->wire);
	while (c->first) {
		struct message *m = c->first;

		c->first = m->next;
		ch_free(m);
	}
	ch_free(c->current);
	ws_codec_done(&c->codec);
	buf_done(&c->head);
	ch_free(c);
}
CH_AUTO_DEFINE(client_free, struct ws_client)

static CH_FIBER ch_status client_handshake(struct ws_client *c, const struct ws_client_opts *opts, const struct url *u,
					   struct ch_err *err)
{
	CH_AUTO_BUF struct buf request = { .max_bytes = WS_HANDSHAKE_MAX };
	uint8_t nonce[16];
	ch_status st;

	rand_bytes(nonce, sizeof(nonce));
	b64_encode(nonce, sizeof(nonce), c->key);
	st = ws_handshake_write(&request, u, opts->headers, opts->header_count, c->key, err);
	if (st)
		return st;
	(void)wire_send(c->wire, request.data, request.len); /* an end is seen below */
	while (c->state == AWAITING) {
		st = fiber_cond_wait(&c->changed, opts->deadline_ms);
		if (st)
			return ch_fail(err, st, "%s:%u: no answer to the websocket handshake", u->host, u->port);
	}
	if (!c->has_opened)
		return ch_fail(err, c->failure.code, "%s:%u: %s", u->host, u->port, c->failure.text);
	return CH_OK;
}

CH_FIBER ch_status ws_client_open(struct loop *l, struct http_client *http, const struct ws_client_opts *opts,
				  struct ws_client **ret, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	CH_AUTO(client_free) struct ws_client *c = NULL;
	struct url u;
	ch_status st;

	st = url_parse(a, opts->url, &u, err);
	if (st)
		return st;
	if (!str_starts(u.scheme, "ws"))
		return ch_fail(err, CH_E_INVALID, "websocket: the URL must begin with ws:// or wss://");
	c = ch_alloc(sizeof(*c));
	ws_codec_init(&c->codec, WS_CLIENT, opts->message_max);
	buf_init(&c->head, WS_HANDSHAKE_MAX + 64 * 1024);
	fiber_cond_init(&c->changed);
	st = wire_open(l, http,
		       &(struct wire_opts){
			       .url = &u,
			       .guard = opts->guard,
			       .ca_file = opts->ca_file,
			       .proxy = opts->proxy,
			       .tls_fingerprint = opts->tls_fingerprint,
			       .deadline_ms = opts->deadline_ms,
			       .ops = &client_wire_ops,
			       .arg = c,
		       },
		       &c->wire, err);
	if (!st)
		st = client_handshake(c, opts, &u, err);
	if (st)
		return st;
	*ret = CH_TAKE(c);
	return CH_OK;
}

static struct message *pop_message(struct ws_client *c)
{
	struct message *m = c->first;

	c->first = m->next;
	if (!c->first)
		c->last = NULL;
	c->queued_bytes -= sizeof(*m) + m->len;
	return m;
}

CH_FIBER ch_status ws_client_read(struct ws_client *c, int64_t deadline_ms, char **ret_text, size_t *ret_len,
				  struct ch_err *err)
{
	ch_free(CH_TAKE(c->current));
	if (c->is_paused && c->queued_bytes <= QUEUE_BYTES / 2) {
		c->is_paused = false;
		wire_pause(c->wire, false);
	}
	while (!c->first) {
		ch_status st;

		if (c->state == ENDED)
			return end_status(c, err);
		st = fiber_cond_wait(&c->changed, deadline_ms);
		if (st)
			return ch_fail(err, st, "websocket: no message");
	}
	c->current = pop_message(c);
	*ret_text = c->current->text;
	*ret_len = c->current->len;
	return CH_OK;
}

CH_FIBER ch_status ws_client_send(struct ws_client *c, const char *text, size_t len, int64_t deadline_ms,
				  struct ch_err *err)
{
	CH_AUTO_BUF struct buf frame = { .max_bytes = WIRE_OUT_MAX };
	ch_status st;

	if (c->state == ENDED || c->has_sent_close)
		return c->state == ENDED ? end_status(c, err) : ch_fail(err, CH_E_PEER, "websocket: closing");
	ws_frame(&frame, WS_CLIENT, WS_TEXT, text, len);
	st = buf_status(&frame, err, "websocket: a message to send");
	if (st)
		return st;
	if (!wire_send(c->wire, frame.data, frame.len) && c->state != ENDED)
		return ch_fail(err, CH_E_LIMIT, "websocket: too much is waiting to be sent");
	while (c->state != ENDED && wire_queued(c->wire) > SEND_AHEAD_BYTES) {
		st = fiber_cond_wait(&c->changed, deadline_ms);
		if (st)
			return ch_fail(err, st, "websocket: the server takes no more bytes");
	}
	return c->state == ENDED ? end_status(c, err) : CH_OK;
}

int64_t ws_client_heard_ms(const struct ws_client *c)
{
	return c->heard_ms;
}

void ws_client_ping(struct ws_client *c)
{
	CH_AUTO_BUF struct buf frame = { .max_bytes = 256 };

	if (c->state != OPEN || c->has_sent_close)
		return;
	ws_frame(&frame, WS_CLIENT, WS_PING, "", 0);
	(void)wire_send(c->wire, frame.data, frame.len); /* an ended wire has told so itself */
}

uint16_t ws_client_close_code(const struct ws_client *c)
{
	return c->close_code;
}

const char *ws_client_close_reason(const struct ws_client *c)
{
	return c->close_reason;
}

CH_FIBER void ws_client_close(struct ws_client *c, uint16_t code, const char *reason, int64_t deadline_ms)
{
	if (!c)
		return;
	if (c->state == OPEN)
		send_close(c, code, reason);
	/* The peer's CLOSE may stand behind messages. */
	c->is_leaving = true;
	if (c->is_paused) {
		c->is_paused = false;
		wire_pause(c->wire, false);
	}
	while (c->state != ENDED || wire_queued(c->wire)) {
		if (fiber_cond_wait(&c->changed, deadline_ms))
			break;
	}
	client_free(c);
}
