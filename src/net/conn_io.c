/*
 * net/conn_io.c - one accepted connection as bytes, over TCP or TLS.
 *
 *	OPEN -- finish --> FLUSHING -- queue empty --> LINGERING -- eof, time --> CLOSED
 *	  |                    |
 *	  +-- broken --> BROKEN (on_lost at the end of the turn) --> CLOSED
 *	  +-- close --> CLOSED
 *
 * Sending: try to write at once; what is left goes to `pending`. At most one
 * uv_write is under way, with the bytes that were pending when it began, so
 * that many small sends to a slow peer become few large ones.
 *
 * Lingering: closing a socket with unread input makes the kernel send a reset, which
 * can destroy our last answer on its way. So we shut down, then read and
 * drop until the peer has closed too.
 */
#include "net/conn_io.h"

#include "core/fiber.h"
#include "core/mem.h"

#define TLS_JOIN_MAX 16384      /* one record's worth */

enum conn_state { CONN_OPEN, CONN_FLUSHING, CONN_LINGERING, CONN_BROKEN, CONN_CLOSED };

struct conn_hub {
	struct loop *loop;
	unsigned refs;
	size_t count;
	struct fiber_cond emptied;
	struct conn_io *first;
	struct buf plain;               /* of the read being handled */
	struct buf cipher;              /* of the call being handled */
	struct buf joined;              /* parts of the send being handled */
	struct buf read;                /* reserved, never filled: libuv writes into it */
};

struct conn_write {
	uv_write_t req;
	struct buf data;
};

struct conn_io {
	uv_tcp_t tcp;
	struct conn_hub *hub;
	struct conn_io *prev, *next;
	const struct conn_io_ops *ops;  /* NULL once given up */
	void *arg;
	struct tls_conn *tls;           /* NULL: plain */
	struct loop_timer *timer;       /* made when first used */
	struct buf pending;
	struct conn_write *writing;     /* NULL: none under way */
	size_t flush_queued;            /* FLUSHING: when the deadline was set */
	enum conn_state state;
	bool is_reading;
	bool is_loss_deferred;
	struct sockaddr_in6 peer;       /* or a sockaddr_in */
};

static void pump(struct conn_io *io);

/* -- hub -- */

struct conn_hub *conn_hub_new(struct loop *l)
{
	struct conn_hub *h = ch_alloc(sizeof(*h));

	h->loop = l;
	h->refs = 1;
	fiber_cond_init(&h->emptied);
	buf_init(&h->plain, SIZE_MAX);
	buf_init(&h->cipher, CONN_QUEUE_MAX);
	buf_init(&h->joined, TLS_JOIN_MAX);
	buf_init(&h->read, CONN_READ_BYTES);
	CH_BUG_ON(!buf_reserve(&h->read, CONN_READ_BYTES));     /* without 64 KiB nothing can start */
	return h;
}

void conn_hub_unref(struct conn_hub *h)
{
	if (!h || --h->refs)
		return;
	CH_BUG_ON(h->count);
	buf_done(&h->plain);
	buf_done(&h->cipher);
	buf_done(&h->joined);
	buf_done(&h->read);
	ch_free(h);
}

size_t conn_hub_count(const struct conn_hub *h)
{
	return h->count;
}

ch_status conn_hub_wait_empty(struct conn_hub *h, int64_t deadline_ms)
{
	ch_status st = CH_OK;

	while (h->count && !st)
		st = fiber_cond_wait(&h->emptied, deadline_ms);
	return st;
}

static void link_io(struct conn_io *io)
{
	struct conn_hub *h = io->hub;

	io->next = h->first;
	if (io->next)
		io->next->prev = io;
	h->first = io;
	h->count++;
	h->refs++;
}

static void unlink_io(struct conn_io *io)
{
	struct conn_hub *h = io->hub;

	if (io->prev)
		io->prev->next = io->next;
	else
		h->first = io->next;
	if (io->next)
		io->next->prev = io->prev;
	if (--h->count == 0)
		fiber_cond_broadcast(&h->emptied);
	conn_hub_unref(h);
}

/* -- ending -- */

static void on_closed(uv_handle_t *handle)
{
	struct conn_io *io = handle->data;

	unlink_io(io);
	ch_free(io);
}

/* Everything but the handle itself, which libuv gives back in on_closed(). */
static void close_now(struct conn_io *io)
{
	if (io->state == CONN_CLOSED)
		return;
	io->state = CONN_CLOSED;
	io->ops = NULL;
	io->is_reading = false;
	loop_timer_free(CH_TAKE(io->timer));
	tls_conn_free(CH_TAKE(io->tls));
	buf_done(&io->pending);
	uv_close((uv_handle_t *)&io->tcp, on_closed);
}

static void report_loss(void *arg)
{
	struct conn_io *io = arg;
	const struct conn_io_ops *ops = io->ops;

	if (ops)
		ops->on_lost(io, io->arg);
	close_now(io);
}

/* The connection is of no more use. The owner hears of it later, not from inside its own call. */
static void break_off(struct conn_io *io)
{
	if (io->state == CONN_BROKEN || io->state == CONN_CLOSED)
		return;
	io->state = CONN_BROKEN;
	conn_io_pause(io, true);
	buf_done(&io->pending);
	if (io->timer)
		loop_timer_stop(io->timer);
	io->is_loss_deferred = true;
	loop_defer(io->hub->loop, report_loss, io);
}

void conn_io_close(struct conn_io *io)
{
	io->ops = NULL;
	if (!io->is_loss_deferred)
		close_now(io);
}

void conn_hub_lose_all(struct conn_hub *h)
{
	for (struct conn_io *io = h->first; io; io = io->next)
		break_off(io);
}

void conn_hub_each(struct conn_hub *h, const struct conn_io_ops *ops, void (*fn)(void *arg))
{
	for (struct conn_io *io = h->first; io; io = io->next) {
		if (io->ops == ops)
			fn(io->arg);
	}
}

/* -- the deadline -- */

/* Nothing went out since the deadline was set: the peer does not read. */
static void check_progress(struct conn_io *io)
{
	size_t queued = conn_io_queued(io);

	if (queued >= io->flush_queued) {
		close_now(io);
		return;
	}
	io->flush_queued = queued;
	loop_timer_start(io->timer, CONN_FLUSH_MS);
}

static void on_timer(void *arg)
{
	struct conn_io *io = arg;

	switch (io->state) {
	case CONN_OPEN:
		if (io->ops)
			io->ops->on_deadline(io, io->arg);
		break;
	case CONN_FLUSHING:
		check_progress(io);
		break;
	case CONN_LINGERING:
		close_now(io);
		break;
	case CONN_BROKEN:
	case CONN_CLOSED:
		break;
	}
}

static void start_timer(struct conn_io *io, int64_t after_ms)
{
	if (!io->timer)
		io->timer = loop_timer_new(io->hub->loop, on_timer, io);
	loop_timer_start(io->timer, after_ms);
}

void conn_io_set_deadline(struct conn_io *io, int64_t after_ms)
{
	if (io->state != CONN_OPEN)
		return;
	if (after_ms)
		start_timer(io, after_ms);
	else if (io->timer)
		loop_timer_stop(io->timer);
}

/* -- sending -- */

size_t conn_io_queued(const struct conn_io *io)
{
	return io->pending.len + uv_stream_get_write_queue_size((const uv_stream_t *)&io->tcp);
}

static void on_written(uv_write_t *req, int status)
{
	struct conn_write *w = CH_CONTAINER_OF(req, struct conn_write, req);
	struct conn_io *io = req->data;

	buf_done(&w->data);
	ch_free(w);
	io->writing = NULL;
	if (io->state == CONN_CLOSED)
		return;
	if (status < 0) {
		break_off(io);
		return;
	}
	pump(io);
	if (io->state == CONN_OPEN && io->ops)
		io->ops->on_sent(io, io->arg);
}

static void linger(struct conn_io *io)
{
	uv_os_fd_t fd;

	io->state = CONN_LINGERING;
	start_timer(io, CONN_LINGER_MS);
	conn_io_pause(io, false);
	/* The socket itself: libuv's request would only add a wait for a queue that is empty. */
	if (uv_fileno((uv_handle_t *)&io->tcp, &fd) || shutdown(fd, SHUT_WR))
		close_now(io);
}

/* Keeps one write under way while there is something to send. */
static void pump(struct conn_io *io)
{
	struct conn_write *w;
	uv_buf_t bytes;

	if (io->state != CONN_OPEN && io->state != CONN_FLUSHING)
		return;
	if (io->writing)
		return;
	if (!io->pending.len) {
		if (io->state == CONN_FLUSHING)
			linger(io);
		return;
	}
	w = ch_alloc(sizeof(*w));
	w->req.data = io;
	w->data = io->pending;
	buf_init(&io->pending, CONN_QUEUE_MAX);
	bytes = uv_buf_init(w->data.data, 0);
	bytes.len = w->data.len;
	io->writing = w;
	if (uv_write(&w->req, (uv_stream_t *)&io->tcp, &bytes, 1, on_written)) {
		io->writing = NULL;
		buf_done(&w->data);
		ch_free(w);
		break_off(io);
	}
}

static size_t total_of(const uv_buf_t *parts, unsigned count)
{
	size_t total = 0;

	for (unsigned i = 0; i < count; i++)
		total += parts[i].len;
	return total;
}

/* Keeps the parts but for their first `skip` bytes. */
static void keep_rest(struct conn_io *io, const uv_buf_t *parts, unsigned count, size_t skip)
{
	for (unsigned i = 0; i < count; i++) {
		size_t gone = CH_MIN(skip, parts[i].len);

		skip -= gone;
		if (gone < parts[i].len)
			buf_append(&io->pending, parts[i].base + gone, parts[i].len - gone);
	}
	if (io->pending.failed) {
		break_off(io);
		return;
	}
	pump(io);
}

static void send_raw(struct conn_io *io, const uv_buf_t *parts, unsigned count)
{
	size_t sent = 0;

	if (!io->writing && !io->pending.len) {
		int n = uv_try_write((uv_stream_t *)&io->tcp, parts, count);

		if (n < 0 && n != UV_EAGAIN) {
			break_off(io);
			return;
		}
		sent = n > 0 ? (size_t)n : 0;
	}
	if (sent < total_of(parts, count))
		keep_rest(io, parts, count, sent);
}

/* Sends what TLS put into hub->cipher. */
static void send_cipher(struct conn_io *io)
{
	struct buf *cipher = &io->hub->cipher;
	uv_buf_t bytes = { .base = cipher->data, .len = cipher->len };

	if (cipher->failed)
		break_off(io);
	else if (cipher->len)
		send_raw(io, &bytes, 1);
	if (cipher->cap > 4 * CONN_READ_BYTES)
		buf_done(cipher);
	buf_clear(cipher);
}

static void send_tls(struct conn_io *io, const uv_buf_t *parts, unsigned count)
{
	struct buf *joined = &io->hub->joined;
	uv_buf_t one;

	if (count > 1 && total_of(parts, count) <= TLS_JOIN_MAX) { /* one record, not one for each part */
		buf_clear(joined);
		for (unsigned i = 0; i < count; i++)
			buf_append(joined, parts[i].base, parts[i].len);
		one = (uv_buf_t){ .base = joined->data, .len = joined->len };
		if (!joined->failed) {
			parts = &one;
			count = 1;
		}
	}
	for (unsigned i = 0; i < count; i++) {
		if (tls_conn_write(io->tls, parts[i].base, parts[i].len, &io->hub->cipher)) {
			buf_clear(&io->hub->cipher);
			break_off(io);
			return;
		}
	}
	send_cipher(io);
}

void conn_io_send(struct conn_io *io, const uv_buf_t *parts, unsigned count)
{
	if (io->state != CONN_OPEN)
		return;
	if (io->tls)
		send_tls(io, parts, count);
	else
		send_raw(io, parts, count);
}

void conn_io_finish(struct conn_io *io)
{
	io->ops = NULL;
	if (io->state != CONN_OPEN) {
		conn_io_close(io);
		return;
	}
	if (io->tls) {
		tls_conn_close(io->tls, &io->hub->cipher);
		send_cipher(io);
		if (io->state != CONN_OPEN)
			return;
	}
	io->state = CONN_FLUSHING;
	io->flush_queued = conn_io_queued(io);
	start_timer(io, CONN_FLUSH_MS);
	pump(io);
}

/* -- receiving -- */

static void give_eof(struct conn_io *io)
{
	conn_io_pause(io, true);
	if (io->state == CONN_LINGERING)
		close_now(io);
	else if (io->state == CONN_OPEN && io->ops)
		io->ops->on_eof(io, io->arg);
}

static void give_tls(struct conn_io *io, const char *p, size_t n)
{
	struct conn_hub *h = io->hub;
	ch_status st = tls_conn_feed(io->tls, p, n, &h->plain, &h->cipher);

	send_cipher(io);                /* a failure has an alert to send */
	if (io->state == CONN_OPEN && io->ops && h->plain.len)
		io->ops->on_bytes(io, h->plain.data, h->plain.len, io->arg);
	buf_clear(&h->plain);
	if (h->plain.cap > 4 * CONN_READ_BYTES)
		buf_done(&h->plain);
	if (io->state != CONN_OPEN)
		return;
	if (st == CH_E_EOF)
		give_eof(io);
	else if (st)
		break_off(io);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *ret)
{
	struct conn_io *io = handle->data;

	*ret = uv_buf_init(io->hub->read.data, CONN_READ_BYTES);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *bytes)
{
	struct conn_io *io = stream->data;

	if (n == UV_EOF)
		give_eof(io);
	else if (n < 0 && io->state == CONN_OPEN)
		break_off(io);
	else if (n < 0)
		close_now(io);
	else if (n == 0 || io->state != CONN_OPEN || !io->ops)
		return;                         /* lingering: dropped */
	else if (io->tls)
		give_tls(io, bytes->base, (size_t)n);
	else
		io->ops->on_bytes(io, bytes->base, (size_t)n, io->arg);
}

void conn_io_pause(struct conn_io *io, bool is_paused)
{
	bool is_reading = !is_paused;

	if (io->is_reading == is_reading || (is_reading && io->state > CONN_LINGERING))
		return;
	io->is_reading = is_reading;
	if (!is_reading)
		uv_read_stop((uv_stream_t *)&io->tcp);
	else if (uv_read_start((uv_stream_t *)&io->tcp, on_alloc, on_read))
		break_off(io);
}

/* -- beginning -- */

/* ::ffff:192.0.2.1 is 192.0.2.1, everywhere above here. */
static void note_peer(struct conn_io *io)
{
	int size = sizeof(io->peer);
	struct sockaddr_in v4 = { .sin_family = AF_INET };

	if (uv_tcp_getpeername(&io->tcp, (struct sockaddr *)&io->peer, &size)) {
		memset(&io->peer, 0, sizeof(io->peer));         /* reset already: an address of no family */
		return;
	}
	if (io->peer.sin6_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&io->peer.sin6_addr))
		return;
	v4.sin_port = io->peer.sin6_port;
	memcpy(&v4.sin_addr, io->peer.sin6_addr.s6_addr + 12, 4);
	memcpy(&io->peer, &v4, sizeof(v4));
}

struct conn_io *conn_io_accept(struct conn_hub *h, uv_stream_t *listener, struct tls_ctx *tls,
			       const struct conn_io_ops *ops, void *arg)
{
	struct conn_io *io = ch_alloc(sizeof(*io));

	io->hub = h;
	buf_init(&io->pending, CONN_QUEUE_MAX);
	uv_tcp_init(loop_uv(h->loop), &io->tcp);        /* cannot fail: no socket is made yet */
	io->tcp.data = io;
	link_io(io);
	if (uv_accept(listener, (uv_stream_t *)&io->tcp)) {
		close_now(io);
		return NULL;
	}
	uv_tcp_nodelay(&io->tcp, 1);                    /* best effort: only latency depends on it */
	note_peer(io);
	if (tls)
		io->tls = tls_conn_new(tls);
	io->ops = ops;
	io->arg = arg;
	conn_io_pause(io, false);
	return io;
}

void conn_io_set_owner(struct conn_io *io, const struct conn_io_ops *ops, void *arg)
{
	io->ops = ops;
	io->arg = arg;
}

struct loop *conn_io_loop(const struct conn_io *io)
{
	return io->hub->loop;
}

bool conn_io_is_tls(const struct conn_io *io)
{
	return io->tls != NULL;
}

const struct sockaddr *conn_io_peer(const struct conn_io *io)
{
	return (const struct sockaddr *)&io->peer;
}
