/*
 * A server of raw bytes for tests of clients: each connection gets a fiber
 * that reads and writes in sequence, so that a test can cut, stall and lie.
 * Header only; one test executable includes it once.
 */
#ifndef CH_TESTS_NET_RAW_PEER_H
#define CH_TESTS_NET_RAW_PEER_H

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "core/buf.h"
#include "core/fiber.h"
#include "core/loop.h"
#include "core/mem.h"

#define PEER_DEADLINE_MS 10000

struct peer;
struct peer_conn;
typedef void (*peer_fn)(struct peer_conn *pc);

struct peer {
	uv_tcp_t listener;
	struct loop *loop;
	peer_fn fn;
	void *arg;
	uint16_t port;
	int accepted;                    /* connections so far */
	int open;
	bool is_closed;
};

struct peer_conn {
	uv_tcp_t tcp;
	struct peer *peer;
	struct fiber *fiber;
	struct buf in;
	bool is_eof, is_closed, is_paused;
};

static void peer_alloc(uv_handle_t *h, size_t want, uv_buf_t *b)
{
	*b = uv_buf_init(ch_alloc(want), want);
}

static void peer_on_read(uv_stream_t *s, ssize_t n, const uv_buf_t *b)
{
	struct peer_conn *pc = s->data;

	if (n < 0)
		pc->is_eof = true;
	else
		buf_append(&pc->in, b->base, (size_t)n);
	ch_free(b->base);
	fiber_wake(pc->fiber);
}

static void peer_on_closed(uv_handle_t *h)
{
	struct peer_conn *pc = h->data;

	pc->is_closed = true;
	fiber_wake(pc->fiber);
}

/* True once `n` bytes are in pc->in; false at the end of the stream. */
CH_FIBER static CH_UNUSED bool peer_want(struct peer_conn *pc, size_t n)
{
	while (pc->in.len < n && !pc->is_eof)
		assert_int_equal(fiber_park(fiber_deadline(PEER_DEADLINE_MS)), CH_OK);
	return pc->in.len >= n;
}

/* Reads one request head, "" at the end; keeps it in pc->in until the next call of peer_drop(). */
CH_FIBER static CH_UNUSED const char *peer_head(struct peer_conn *pc)
{
	while (!pc->in.len || !strstr(buf_str(&pc->in), "\r\n\r\n")) {
		if (pc->is_eof)
			return "";
		assert_int_equal(fiber_park(fiber_deadline(PEER_DEADLINE_MS)), CH_OK);
	}
	return buf_str(&pc->in);
}

/* Drops the head and a body of `n` bytes behind it. */
CH_FIBER static CH_UNUSED void peer_drop(struct peer_conn *pc, size_t n)
{
	size_t head = (size_t)(strstr(buf_str(&pc->in), "\r\n\r\n") - pc->in.data) + 4;

	assert_true(peer_want(pc, head + n));
	buf_consume(&pc->in, head + n);
}

CH_FIBER static CH_UNUSED void peer_wait_eof(struct peer_conn *pc)
{
	while (!pc->is_eof) {
		buf_clear(&pc->in);
		assert_int_equal(fiber_park(fiber_deadline(PEER_DEADLINE_MS)), CH_OK);
	}
}

struct peer_write {
	uv_write_t req;
	struct fiber *fiber;
	int status;
	bool is_done;
};

static void peer_on_write(uv_write_t *req, int status)
{
	struct peer_write *w = req->data;

	w->status = status;
	w->is_done = true;
	fiber_wake(w->fiber);
}

/* Parks until the kernel took the bytes; false when the client left. */
CH_FIBER static CH_UNUSED bool peer_write(struct peer_conn *pc, const void *p, size_t n)
{
	struct peer_write w = { .req.data = &w, .fiber = fiber_self() };
	uv_buf_t b = uv_buf_init((char *)p, (unsigned int)n);

	if (uv_write(&w.req, (uv_stream_t *)&pc->tcp, &b, 1, peer_on_write))
		return false;
	while (!w.is_done)
		assert_int_equal(fiber_park(fiber_deadline(PEER_DEADLINE_MS)), CH_OK);
	return w.status == 0;
}

CH_FIBER static CH_UNUSED bool peer_puts(struct peer_conn *pc, const char *s)
{
	return peer_write(pc, s, strlen(s));
}

/* RST instead of FIN. */
static CH_UNUSED void peer_reset(struct peer_conn *pc)
{
	uv_tcp_close_reset(&pc->tcp, peer_on_closed);
}

static void peer_conn_run(void *arg)
{
	struct peer_conn *pc = arg;

	pc->fiber = fiber_self();
	if (pc->peer->fn)
		pc->peer->fn(pc);
	if (!uv_is_closing((uv_handle_t *)&pc->tcp))
		uv_close((uv_handle_t *)&pc->tcp, peer_on_closed);
	while (!pc->is_closed)
		assert_int_equal(fiber_park(fiber_deadline(PEER_DEADLINE_MS)), CH_OK);
	pc->peer->open--;
	buf_done(&pc->in);
	ch_free(pc);
}

static void peer_on_connection(uv_stream_t *listener, int status)
{
	struct peer *p = listener->data;
	struct peer_conn *pc = ch_alloc(sizeof(*pc));

	assert_int_equal(status, 0);
	pc->peer = p;
	buf_init(&pc->in, (size_t)64 << 20);
	uv_tcp_init(loop_uv(p->loop), &pc->tcp);
	pc->tcp.data = pc;
	assert_int_equal(uv_accept(listener, (uv_stream_t *)&pc->tcp), 0);
	p->accepted++;
	p->open++;
	uv_read_start((uv_stream_t *)&pc->tcp, peer_alloc, peer_on_read);
	(void)fiber_spawn(p->loop, "peer", FIBER_DETACHED, peer_conn_run, pc);
}

static void peer_start(struct peer *p, struct loop *l, peer_fn fn, void *arg)
{
	struct sockaddr_in addr;
	int n = sizeof(addr);

	*p = (struct peer){ .loop = l, .fn = fn, .arg = arg };
	uv_tcp_init(loop_uv(l), &p->listener);
	p->listener.data = p;
	uv_ip4_addr("127.0.0.1", 0, &addr);
	assert_int_equal(uv_tcp_bind(&p->listener, (struct sockaddr *)&addr, 0), 0);
	assert_int_equal(uv_listen((uv_stream_t *)&p->listener, 512, peer_on_connection), 0);
	uv_tcp_getsockname(&p->listener, (struct sockaddr *)&addr, &n);
	p->port = ntohs(addr.sin_port);
}

static void peer_on_listener_closed(uv_handle_t *h)
{
	((struct peer *)h->data)->is_closed = true;
}

/* Stops listening and waits until every connection's fiber ended. */
CH_FIBER static void peer_stop(struct peer *p)
{
	int64_t deadline_ms = fiber_deadline(PEER_DEADLINE_MS);

	uv_close((uv_handle_t *)&p->listener, peer_on_listener_closed);
	while (p->open || !p->is_closed) {
		assert_true(deadline_ms > fiber_deadline(0));
		assert_int_equal(fiber_yield(), CH_OK);
	}
}

/* Runs fn(arg) in a fiber on a loop of its own. */
struct in_fiber {
	struct loop *loop;
	void (*fn)(struct loop *l, void *arg);
	void *arg;
};

static void in_fiber_run(void *arg)
{
	struct in_fiber *f = arg;

	f->fn(f->loop, f->arg);
	loop_stop(f->loop);
}

static CH_UNUSED void in_fiber(void (*fn)(struct loop *l, void *arg), void *arg)
{
	struct in_fiber f = { .loop = loop_new(), .fn = fn, .arg = arg };

	(void)fiber_spawn(f.loop, "test", FIBER_DETACHED, in_fiber_run, &f);
	loop_run(f.loop);
	loop_free(f.loop);
}

#endif
