/*
 * net/ws_conn.c - one WebSocket connection of the server.
 *
 *	OPEN -- ws_close() --> CLOSING -- peer's CLOSE, eof, time --> OVER
 *	  +-- peer's CLOSE (answered), protocol error (told), eof, loss, no pong --> OVER
 *
 * OVER is reached once; on_close() follows at the end of that turn. The socket
 * is conn_io's by then, which sees the last bytes out.
 *
 * References: one is ours until on_close() was called, the others are the
 * callers'. A deferred call holds one too.
 */
#include "net/ws_conn.h"

#include "core/mem.h"
#include "net/ws_conn_priv.h"

#define SEND_PARTS_MAX 7        /* more are joined first */

enum ws_state { WS_OPEN, WS_CLOSING, WS_OVER };

/* The latest ping of the bytes being fed. */
struct ping {
	bool is_owed;
	size_t n;
	char payload[125];
};

struct ws_conn {
	struct conn_io *io;             /* NULL iff OVER */
	struct loop *loop;
	const struct ws_conn_ops *ops;
	void *arg;
	struct ws_codec codec;
	struct ping *ping;              /* on the stack of feed() while it runs */
	unsigned refs;
	enum ws_state state;
	bool is_paused;
	bool is_pong_awaited;
	bool is_high;                   /* the queue was above WS_DRAIN since on_drain() */
	uint16_t close_code;            /* for on_close() */
	char *close_reason;
	int64_t ping_ms;                /* 0: no keepalive */
	size_t ping_queued;             /* bytes before the kernel when the last ping was */
};

struct ws_conn *ws_ref(struct ws_conn *c)
{
	c->refs++;
	return c;
}

void ws_unref(struct ws_conn *c)
{
	if (!c || --c->refs)
		return;
	CH_BUG_ON(c->state != WS_OVER);         /* our own reference lasts until then */
	ws_codec_done(&c->codec);
	ch_free(c->close_reason);
	ch_free(c);
}

bool ws_is_open(const struct ws_conn *c)
{
	return c->state == WS_OPEN;
}

size_t ws_queued(const struct ws_conn *c)
{
	return c->io ? conn_io_queued(c->io) : 0;
}

void ws_set_message_max(struct ws_conn *c, size_t message_max)
{
	c->codec.message_max = message_max;
}

/* -- the end -- */

static void tell_closed(void *arg)
{
	struct ws_conn *c = arg;

	ws_codec_done(&c->codec);
	c->ops->on_close(c, c->close_code, c->close_reason ? c->close_reason : "", c->arg);
	ws_unref(c);
}

/* The socket was given up; reason may be NULL. */
static void be_over(struct ws_conn *c, uint16_t code, const char *reason)
{
	CH_BUG_ON(c->state == WS_OVER);
	c->state = WS_OVER;
	c->io = NULL;
	c->close_code = code;
	c->close_reason = ch_strdup(reason);
	loop_defer(c->loop, tell_closed, c);
}

void ws_terminate(struct ws_conn *c)
{
	if (c->state == WS_OVER)
		return;
	conn_io_close(c->io);
	be_over(c, 1006, NULL);
}

static void send_control(struct ws_conn *c, enum ws_opcode op, const char *payload, size_t n)
{
	unsigned char header[10];
	uv_buf_t parts[2];

	parts[0] = uv_buf_init((char *)header, (unsigned)ws_header(op, n, header));
	parts[1] = (uv_buf_t){ .base = (char *)payload, .len = n };
	conn_io_send(c->io, parts, 2);
}

static void send_close(struct ws_conn *c, uint16_t code, const char *reason)
{
	CH_AUTO_BUF struct buf frame = { 0 };
	uv_buf_t bytes;

	buf_init(&frame, 256);
	ws_frame_close(&frame, WS_SERVER, code, reason);
	bytes = (uv_buf_t){ .base = frame.data, .len = frame.len };
	conn_io_send(c->io, &bytes, 1);
}

void ws_close(struct ws_conn *c, uint16_t code, const char *reason)
{
	if (c->state != WS_OPEN)
		return;
	send_close(c, code, reason);
	c->state = WS_CLOSING;
	c->is_paused = false;
	conn_io_pause(c->io, false);            /* the peer's answer may stand behind what we did not read */
	conn_io_set_deadline(c->io, WS_CLOSE_TIMEOUT_MS);
}

/* The peer's CLOSE: answered with its own code and reason unless it is the answer to ours. */
static void take_close(struct ws_conn *c, const struct ws_event *ev)
{
	if (c->state == WS_OPEN)
		send_close(c, ev->close_code, ev->data);
	conn_io_finish(c->io);
	be_over(c, ev->close_code, ev->len ? ev->data : NULL);
}

/* RFC 6455 7.1.7: say why, then leave without waiting for an answer. */
static void fail_protocol(struct ws_conn *c, const struct ch_err *err)
{
	if (c->state == WS_OPEN)
		send_close(c, c->codec.fail_code, NULL);
	conn_io_finish(c->io);
	be_over(c, 1006, err->text);
}

/* -- receiving -- */

static void take_message(struct ws_conn *c, struct ws_event *ev)
{
	if (c->state != WS_OPEN)
		return;
	if (ev->op == WS_TEXT)
		c->ops->on_text(c, ev->data, ev->len, c->arg);
	else if (c->ops->on_binary)
		c->ops->on_binary(c, ev->data, ev->len, c->arg);
	else
		ws_close(c, 1003, "binary messages are not understood here");
}

static bool on_event(void *arg, struct ws_event *ev)
{
	struct ws_conn *c = arg;

	if (c->state == WS_OVER)
		return false;
	switch (ev->op) {
	case WS_TEXT:
	case WS_BINARY:
		take_message(c, ev);
		break;
	case WS_PING:
		c->ping->is_owed = true;
		c->ping->n = ev->len;
		memcpy(c->ping->payload, ev->data, ev->len);    /* the codec lets no more than 125 pass */
		break;
	case WS_PONG:
		c->is_pong_awaited = false;
		break;
	case WS_CLOSE:
		take_close(c, ev);
		break;
	case WS_CONT:
		CH_BUG_ON("the codec gives whole messages");
	}
	return c->state != WS_OVER && !c->is_paused;
}

/*
 * One pong for all the pings of a read (RFC 6455 5.5.3), lest one packet of
 * pings costs thousands of system calls; none for a peer that does not read.
 */
static void feed(struct ws_conn *c, char *p, size_t n)
{
	struct ping ping = { .is_owed = false };
	struct ch_err err;

	c->ping = &ping;
	if (ws_feed(&c->codec, p, n, on_event, c, &err) && c->state != WS_OVER)
		fail_protocol(c, &err);
	c->ping = NULL;
	if (ping.is_owed && c->state == WS_OPEN && ws_queued(c) <= WS_DRAIN)
		send_control(c, WS_PONG, ping.payload, ping.n);
}

/* What was held back while paused, or came with the upgrade request. */
static void feed_held(void *arg)
{
	struct ws_conn *c = arg;
	char nothing;

	if (c->state != WS_OVER && !c->is_paused)
		feed(c, &nothing, 0);
	ws_unref(c);
}

static void on_bytes(struct conn_io *io, char *p, size_t n, void *arg)
{
	feed(arg, p, n);
}

static void on_eof(struct conn_io *io, void *arg)
{
	struct ws_conn *c = arg;

	conn_io_finish(io);
	be_over(c, 1006, NULL);
}

static void on_lost(struct conn_io *io, void *arg)
{
	be_over(arg, 1006, NULL);
}

void ws_pause(struct ws_conn *c, bool paused)
{
	if (c->state != WS_OPEN || c->is_paused == paused)
		return;
	c->is_paused = paused;
	conn_io_pause(c->io, paused);
	if (!paused && c->codec.is_held)
		loop_defer(c->loop, feed_held, ws_ref(c));
}

/* -- sending -- */

static void on_sent(struct conn_io *io, void *arg)
{
	struct ws_conn *c = arg;

	if (!c->is_high || conn_io_queued(io) > WS_DRAIN)
		return;
	c->is_high = false;
	if (c->state == WS_OPEN && c->ops->on_drain)
		c->ops->on_drain(c, c->arg);
}

/* parts[0] is left free for the header. */
static void send_message(struct ws_conn *c, uv_buf_t *parts, unsigned count, size_t total)
{
	unsigned char header[10];

	parts[0] = uv_buf_init((char *)header, (unsigned)ws_header(WS_TEXT, total, header));
	conn_io_send(c->io, parts, count);
	if (conn_io_queued(c->io) > WS_DRAIN)
		c->is_high = true;
}

void ws_send_text(struct ws_conn *c, const char *text, size_t len)
{
	uv_buf_t parts[2];

	if (c->state != WS_OPEN)
		return;
	parts[1] = (uv_buf_t){ .base = (char *)text, .len = len };
	send_message(c, parts, 2, len);
}

static void send_joined(struct ws_conn *c, const struct ws_part *parts, size_t count)
{
	CH_AUTO_BUF struct buf joined = { 0 };

	buf_init(&joined, CONN_QUEUE_MAX);
	for (size_t i = 0; i < count; i++)
		buf_append(&joined, parts[i].p, parts[i].n);
	if (joined.failed)
		ws_terminate(c);                /* a message with a hole in it must not go out */
	else
		ws_send_text(c, joined.data, joined.len);
}

void ws_send_parts(struct ws_conn *c, const struct ws_part *parts, size_t count)
{
	uv_buf_t bufs[1 + SEND_PARTS_MAX];
	size_t total = 0;

	if (c->state != WS_OPEN)
		return;
	if (count > SEND_PARTS_MAX) {
		send_joined(c, parts, count);
		return;
	}
	for (size_t i = 0; i < count; i++) {
		bufs[1 + i] = (uv_buf_t){ .base = (char *)parts[i].p, .len = parts[i].n };
		total += parts[i].n;
	}
	send_message(c, bufs, 1 + (unsigned)count, total);
}

/* -- keepalive and other deadlines -- */

/*
 * A pong is owed for a ping that the kernel took. While the ping still waits
 * behind other bytes, a queue that shrinks is sign of life enough.
 */
static bool is_peer_dead(struct ws_conn *c)
{
	return c->is_pong_awaited && (c->ping_queued == 0 || conn_io_queued(c->io) >= c->ping_queued);
}

static void on_deadline(struct conn_io *io, void *arg)
{
	struct ws_conn *c = arg;

	if (c->state == WS_CLOSING || is_peer_dead(c)) {
		ws_terminate(c);
		return;
	}
	if (!c->is_pong_awaited)
		send_control(c, WS_PING, NULL, 0);
	c->is_pong_awaited = true;
	c->ping_queued = conn_io_queued(io);
	conn_io_set_deadline(io, c->ping_ms);
}

void ws_keepalive(struct ws_conn *c, int64_t interval_ms)
{
	c->ping_ms = interval_ms;
	c->is_pong_awaited = false;
	if (c->state == WS_OPEN)
		conn_io_set_deadline(c->io, interval_ms);
}

/* -- the beginning -- */

static const struct conn_io_ops ws_io_ops = {
	.on_bytes = on_bytes,
	.on_eof = on_eof,
	.on_sent = on_sent,
	.on_deadline = on_deadline,
	.on_lost = on_lost,
};

struct ws_conn *ws_conn_new(struct conn_io *io, const struct ws_conn_ops *ops, void *arg, const char *early,
			    size_t early_len)
{
	struct ws_conn *c = ch_alloc(sizeof(*c));

	c->io = io;
	c->loop = conn_io_loop(io);
	c->ops = ops;
	c->arg = arg;
	c->refs = 2;                    /* the caller's and ours */
	ws_codec_init(&c->codec, WS_SERVER, ops->message_max);
	conn_io_set_owner(io, &ws_io_ops, c);
	conn_io_set_deadline(io, 0);
	conn_io_pause(io, false);
	if (early_len) {
		buf_append(&c->codec.in, early, early_len);
		c->codec.is_held = true;
		loop_defer(c->loop, feed_held, ws_ref(c));
		if (c->codec.in.failed)
			ws_terminate(c);
	}
	return c;
}
