/*
 * net/wire.c - an outbound byte stream on a poll handle.
 *
 * Both kinds work the same way once connected: one descriptor is polled, and
 * recv/send or curl_easy_recv/curl_easy_send move the bytes. With TLS, bytes
 * may wait inside the library while the descriptor is silent; so reading goes
 * on until it says "again", and resuming a paused wire reads at once.
 */
#include "net/wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/fiber.h"
#include "core/mem.h"
#include "core/str.h"
#include "net/curl_loop.h"

#define BLOCK_BYTES (16u * 1024u)

struct wire {
	struct loop *loop;
	const struct wire_ops *ops;
	void *arg;
	uv_poll_t poll;
	bool has_poll;
	int events;                      /* what is polled for */
	int fd;                          /* -1: none */
	struct curl_xfer xfer;           /* xfer.easy NULL: plain, fd is ours */
	struct fiber *connecting;
	char *block;
	struct buf out;
	bool is_paused, is_ended;
};

/* -- moving bytes -- */

enum io { IO_AGAIN = -1, IO_BROKEN = -2 };

/* Bytes, 0 at the end, or enum io. */
static ssize_t wire_recv(struct wire *w, void *p, size_t n)
{
	size_t got = 0;
	CURLcode rc;
	ssize_t r;

	if (w->xfer.easy) {
		rc = curl_easy_recv(w->xfer.easy, p, n, &got);
		return rc == CURLE_OK ? (ssize_t)got : rc == CURLE_AGAIN ? IO_AGAIN : IO_BROKEN;
	}
	do
		r = recv(w->fd, p, n, 0);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return errno == EAGAIN ? IO_AGAIN : IO_BROKEN;
	return r;
}

static ssize_t wire_send_some(struct wire *w, const void *p, size_t n)
{
	size_t sent = 0;
	CURLcode rc;
	ssize_t r;

	if (w->xfer.easy) {
		rc = curl_easy_send(w->xfer.easy, p, n, &sent);
		return rc == CURLE_OK ? (ssize_t)sent : rc == CURLE_AGAIN ? IO_AGAIN : IO_BROKEN;
	}
	do
		r = send(w->fd, p, n, MSG_NOSIGNAL);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return errno == EAGAIN ? IO_AGAIN : IO_BROKEN;
	return r;
}

static void on_poll(uv_poll_t *poll, int status, int events);

static void poll_for(struct wire *w, int events)
{
	if (events == w->events)
		return;
	w->events = events;
	if (events)
		uv_poll_start(&w->poll, events, on_poll);
	else
		uv_poll_stop(&w->poll);
}

static void repoll(struct wire *w)
{
	if (!w->is_ended)
		poll_for(w, (w->is_paused ? 0 : UV_READABLE) | (w->out.len ? UV_WRITABLE : 0));
}

static void end(struct wire *w, ch_status st, const char *text)
{
	if (w->is_ended)
		return;
	w->is_ended = true;
	poll_for(w, 0);
	w->ops->on_end(w->arg, st, text);
}

static void pump_in(struct wire *w)
{
	while (!w->is_paused && !w->is_ended) {
		ssize_t n = wire_recv(w, w->block, BLOCK_BYTES);

		if (n == IO_AGAIN)
			break;
		if (n <= 0) {
			end(w, n ? CH_E_PEER : CH_E_EOF, n ? "the connection broke" : "the connection was closed");
			return;
		}
		w->ops->on_bytes(w->arg, w->block, (size_t)n);
	}
}

static void pump_out(struct wire *w)
{
	while (w->out.len && !w->is_ended) {
		ssize_t n = wire_send_some(w, w->out.data, w->out.len);

		if (n == IO_AGAIN)
			return;
		if (n < 0) {
			end(w, CH_E_PEER, "the connection broke while sending");
			return;
		}
		buf_consume(&w->out, (size_t)n);
	}
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
	struct wire *w = CH_CONTAINER_OF(poll, struct wire, poll);
	bool had_queue = w->out.len > 0;

	if (w->connecting) {
		fiber_wake(w->connecting);
		poll_for(w, 0);
		return;
	}
	/* An error condition shows itself in recv or send. */
	if (status < 0)
		events = UV_READABLE | UV_WRITABLE;
	if (events & UV_WRITABLE)
		pump_out(w);
	if (events & UV_READABLE)
		pump_in(w);
	if (had_queue && !w->out.len && !w->is_ended)
		w->ops->on_drain(w->arg);
	repoll(w);
}

bool wire_send(struct wire *w, const void *p, size_t n)
{
	if (w->is_ended)
		return false;
	buf_append(&w->out, p, n);
	if (w->out.failed)
		return false;
	pump_out(w);
	repoll(w);
	return true;
}

size_t wire_queued(const struct wire *w)
{
	return w->out.len;
}

void wire_pause(struct wire *w, bool paused)
{
	if (w->is_paused == paused)
		return;
	w->is_paused = paused;
	pump_in(w);
	repoll(w);
}

/* -- connecting -- */

static bool wire_watch(struct wire *w, int fd)
{
	w->fd = fd;
	w->has_poll = uv_poll_init_socket(loop_uv(w->loop), &w->poll, fd) == 0;
	return w->has_poll;
}

static CH_FIBER ch_status connect_await(struct wire *w, const struct wire_opts *opts, struct ch_err *err)
{
	socklen_t len = sizeof(int);
	int failure = 0;
	ch_status st = CH_OK;

	w->connecting = fiber_self();
	poll_for(w, UV_WRITABLE);
	while (!st && w->events)
		st = fiber_park(opts->deadline_ms);
	w->connecting = NULL;
	poll_for(w, 0);
	if (st == CH_E_TIMEOUT)
		return ch_fail(err, st, "%s:%u: no connection in time", opts->url->host, opts->url->port);
	if (st)
		return ch_fail(err, st, "%s:%u: cancelled while connecting", opts->url->host, opts->url->port);
	if (getsockopt(w->fd, SOL_SOCKET, SO_ERROR, &failure, &len) != 0)
		failure = errno;
	if (failure)
		return ch_fail_errno(err, CH_E_PEER, failure, "%s:%u: connecting failed", opts->url->host,
				     opts->url->port);
	return CH_OK;
}

static CH_FIBER ch_status connect_plain(struct wire *w, const struct wire_opts *opts, const struct sockaddr *addr,
					socklen_t len, struct ch_err *err)
{
	int one = 1, fd;

	if (!guard_allows(opts->guard, addr))
		return ch_fail(err, CH_E_DENIED, "%s:%u is refused: it is a %s address", opts->url->host, opts->url->port,
			       guard_class_name(guard_classify(addr)));
	/* A raw socket, so that curl's kind and this one are read by the same code; CLOEXEC as all of ours. */
	fd = socket(addr->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return ch_fail_errno(err, CH_E_IO, errno, "no socket");
	if (!wire_watch(w, fd))
		return ch_fail(err, CH_E_IO, "the event loop takes no more sockets");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof(one));
	if (connect(fd, addr, len) != 0 && errno != EINPROGRESS)
		return ch_fail_errno(err, CH_E_PEER, errno, "%s:%u: connecting failed", opts->url->host, opts->url->port);
	return connect_await(w, opts, err);
}

static CH_FIBER ch_status connect_curl(struct wire *w, struct http_client *http, const struct wire_opts *opts,
				       struct ch_err *err)
{
	const struct url *u = opts->url;
	CH_AUTO_STR char *text = ch_asprintf(u->host_is_ipv6 ? "%s://[%s]:%u/" : "%s://%s:%u/",
					     str_eq(u->scheme, "wss") ? "https" : "http", u->host, u->port);
	struct curl_xfer_opts xo = {
		.url = text,
		.guard = opts->guard,
		.ca_file = opts->ca_file,
		.proxy = opts->proxy,
		.tls_fingerprint = opts->tls_fingerprint,
		.connect_only = true,
	};
	curl_socket_t fd = CURL_SOCKET_BAD;
	struct curl_loop *cl = NULL;
	ch_status st;

	st = http_client_curl(http, &cl, err);
	if (!st)
		st = curl_xfer_init(&w->xfer, cl, &xo, err);
	if (!st)
		st = curl_xfer_start(&w->xfer, err);
	while (!st && !w->xfer.is_done)
		st = curl_xfer_wait(&w->xfer, opts->deadline_ms, "connection", err);
	if (st)
		return st;
	if (w->xfer.result)
		return curl_xfer_fail(&w->xfer, err);
	if (curl_easy_getinfo(w->xfer.easy, CURLINFO_ACTIVESOCKET, &fd) || fd == CURL_SOCKET_BAD || !wire_watch(w, fd))
		return ch_fail(err, CH_E_IO, "%s: the connection cannot be watched", w->xfer.origin);
	return CH_OK;
}

static struct wire *wire_new(struct loop *l, const struct wire_opts *opts)
{
	struct wire *w = ch_alloc(sizeof(*w));

	w->loop = l;
	w->ops = opts->ops;
	w->arg = opts->arg;
	w->fd = -1;
	w->block = ch_alloc(BLOCK_BYTES);
	buf_init(&w->out, WIRE_OUT_MAX);
	return w;
}

/* The addresses that need no resolver; 0 when the host is a name. */
static size_t numeric_addresses(const struct url *u, struct sockaddr_storage ret_addrs[2])
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(u->port) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6, .sin6_port = htons(u->port) };
	bool is_localhost = str_eq(u->host, "localhost");
	size_t n = 0;

	if (inet_pton(AF_INET, is_localhost ? "127.0.0.1" : u->host, &in.sin_addr) == 1)
		memcpy(&ret_addrs[n++], &in, sizeof(in));
	if (inet_pton(AF_INET6, is_localhost ? "::1" : u->host, &in6.sin6_addr) == 1)
		memcpy(&ret_addrs[n++], &in6, sizeof(in6));
	return n;
}

static CH_FIBER ch_status open_numeric(struct loop *l, const struct wire_opts *opts,
				       const struct sockaddr_storage *addrs, size_t n, struct wire **ret,
				       struct ch_err *err)
{
	ch_status first = CH_OK;

	for (size_t i = 0; i < n; i++) {
		struct wire *w = wire_new(l, opts);
		socklen_t len = addrs[i].ss_family == AF_INET ? sizeof(struct sockaddr_in) : sizeof(struct sockaddr_in6);
		/* The first address is the one a person expects to read about. */
		ch_status st = connect_plain(w, opts, (const struct sockaddr *)&addrs[i], len, i == 0 ? err : NULL);

		if (!st) {
			*ret = w;
			return CH_OK;
		}
		wire_free(w);
		if (i == 0)
			first = st;
		if (st != CH_E_PEER)
			break;
	}
	return first;
}

CH_FIBER ch_status wire_open(struct loop *l, struct http_client *http, const struct wire_opts *opts,
			     struct wire **ret, struct ch_err *err)
{
	struct sockaddr_storage addrs[2];
	size_t n = numeric_addresses(opts->url, addrs);
	struct wire *w = NULL;
	ch_status st;

	if (n && str_eq(opts->url->scheme, "ws")) {
		st = open_numeric(l, opts, addrs, n, &w, err);
	} else if (!http) {
		return ch_fail(err, CH_E_INVALID, "%s://%s needs the HTTP client", opts->url->scheme, opts->url->host);
	} else {
		w = wire_new(l, opts);
		st = connect_curl(w, http, opts, err);
		if (st)
			wire_free(CH_TAKE(w));
	}
	if (st)
		return st;
	repoll(w);
	*ret = w;
	return CH_OK;
}

static void wire_release(struct wire *w)
{
	ch_free(w->block);
	buf_done(&w->out);
	ch_free(w);
}

static void on_poll_closed(uv_handle_t *handle)
{
	wire_release(CH_CONTAINER_OF((uv_poll_t *)handle, struct wire, poll));
}

void wire_free(struct wire *w)
{
	bool is_plain;

	if (!w)
		return;
	w->is_ended = true;
	is_plain = !w->xfer.easy;
	if (w->has_poll) {
		/* Leaves epoll at once, so the descriptor may be closed now; the memory goes when libuv is done. */
		uv_poll_stop(&w->poll);
		uv_close((uv_handle_t *)&w->poll, on_poll_closed);
	}
	curl_xfer_done(&w->xfer);
	if (is_plain && w->fd >= 0)
		close(w->fd);
	if (!w->has_poll)
		wire_release(w);
}
