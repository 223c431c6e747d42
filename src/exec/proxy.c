/*
 * exec/proxy.c - see proxy.h: the listener from inside, and its connections ("links").
 *
 *	HEAD -- head complete, host allowed --> CONNECTING -- wire_open() --> OPEN -- either side ends --> gone
 *	  |                                         |
 *	  +-- refused, malformed, too slow ---------+--> an answer, gone
 *
 * A link is counted: by its client connection and by the fiber that connects. It belongs to the proxy, which is counted by
 * its links, so that a fiber that ends after proxy_free() finds both.
 */
#include "exec/proxy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/clock.h"
#include "core/fiber.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/str.h"
#include "exec/sandbox_priv.h"
#include "net/conn_io.h"
#include "net/http1.h"
#include "net/wire.h"

#define BACKLOG 64

struct sandbox_proxy {
	struct loop *loop;
	unsigned refs;                   /* the owner's, each link's, each open handle's */
	struct arena *arena;
	const char *const *hosts;
	struct http_client *http;
	enum guard_policy guard;
	struct conn_hub *hub;
	struct link *links;
	size_t link_count;
	int own_fd;                      /* our end of the pair; -1 once the listener came */
	uv_poll_t poll;                  /* on own_fd */
	uv_tcp_t listener;
	bool is_polling, is_listening, is_freed;
	uint64_t served, refused, up_bytes, down_bytes;
};

struct link {
	struct sandbox_proxy *proxy;
	struct link *next, **at;         /* in proxy->links */
	unsigned refs;                   /* io's, the fiber's */
	struct conn_io *io;              /* NULL: the client is gone or given up */
	struct wire *wire;               /* OPEN */
	struct fiber *fiber;             /* CONNECTING */
	struct arena *arena;
	struct buf in;                   /* until the other side is there */
	struct http1_scan scan;
	struct proxy_target target;
	bool has_target;
	int64_t last_ms;                 /* a byte went either way */
	uint64_t up_bytes, down_bytes;
};

/* -- lives -- */

static void proxy_unref(struct sandbox_proxy *p)
{
	if (--p->refs)
		return;
	conn_hub_unref(p->hub);
	arena_unref(p->arena);
	ch_free(p);
}

static void link_unref(struct link *k)
{
	struct sandbox_proxy *p = k->proxy;

	if (--k->refs)
		return;
	*k->at = k->next;
	if (k->next)
		k->next->at = k->at;
	p->link_count--;
	p->up_bytes += k->up_bytes;
	p->down_bytes += k->down_bytes;
	buf_done(&k->in);
	arena_unref(k->arena);
	ch_free(k);
	proxy_unref(p);
}

/* Gives up both sides. finish: what is queued for the client goes out first. */
static void link_end(struct link *k, bool finish)
{
	struct conn_io *io = CH_TAKE(k->io);

	wire_free(CH_TAKE(k->wire));
	if (k->fiber)
		fiber_cancel(k->fiber);
	if (!io)
		return;
	if (finish)
		conn_io_finish(io);
	else
		conn_io_close(io);
	if (k->has_target)
		log_debug("sandbox", "proxy host=%s port=%u up=%" PRIu64 " down=%" PRIu64, log_quote(k->target.host),
			  k->target.port, k->up_bytes, k->down_bytes);
	link_unref(k);
}

/* -- answers -- */

static void send_text(struct link *k, const char *text, size_t n)
{
	uv_buf_t part = { .base = (char *)text, .len = n };      /* conn_io only reads it */

	conn_io_send(k->io, &part, 1);
}

static void link_refuse(struct link *k, const char *status, const char *why)
{
	CH_AUTO_BUF struct buf out = { 0 };

	buf_init(&out, 4096);
	buf_printf(&out,
		   "HTTP/1.1 %s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s\n",
		   status, strlen(why) + 1, why);
	k->proxy->refused++;
	send_text(k, buf_str(&out), out.len);
	link_end(k, true);
}

/* -- the other side -- */

static void on_wire_bytes(void *arg, char *p, size_t n)
{
	struct link *k = arg;

	k->down_bytes += n;
	k->last_ms = now_mono_ms();
	send_text(k, p, n);
	if (conn_io_queued(k->io) > PROXY_QUEUE_MAX)
		wire_pause(k->wire, true);
}

static void on_wire_end(void *arg, ch_status st, const char *text)
{
	link_end(arg, true);
}

static void on_wire_drain(void *arg)
{
	struct link *k = arg;

	conn_io_pause(k->io, false);
}

static const struct wire_ops wire_ops = { on_wire_bytes, on_wire_end, on_wire_drain };

/* Both sides are there: what the client has sent meanwhile goes first. */
static void link_open(struct link *k)
{
	static const char established[] = "HTTP/1.1 200 Connection established\r\n\r\n";
	bool ok;

	k->proxy->served++;
	k->last_ms = now_mono_ms();
	if (k->target.is_connect)
		send_text(k, established, sizeof(established) - 1);
	ok = (!k->target.head || wire_send(k->wire, k->target.head, k->target.head_len)) &&
	     (!k->in.len || wire_send(k->wire, k->in.data, k->in.len));
	k->up_bytes += k->in.len;
	buf_done(&k->in);
	if (!k->io)
		return; /* it ended while sending */
	if (!ok) {
		link_end(k, true);
		return;
	}
	conn_io_set_deadline(k->io, PROXY_IDLE_MS);
	conn_io_pause(k->io, wire_queued(k->wire) > PROXY_QUEUE_MAX);
}

static void connect_fiber(void *arg)
{
	struct link *k = arg;
	struct url url = { .scheme = "ws", .host = k->target.host, .port = k->target.port, .host_is_ipv6 = k->target.is_ipv6, .path = "/" };
	struct wire_opts opts = {
		.url = &url,
		.guard = k->proxy->guard,
		.deadline_ms = fiber_deadline(PROXY_CONNECT_MS),
		.ops = &wire_ops,
		.arg = k,
	};
	struct wire *wire = NULL;
	struct ch_err err = { 0 };
	/* "ws": bytes over TCP. What is inside a tunnel, TLS or not, is between the two sides. */
	ch_status st = wire_open(k->proxy->loop, k->proxy->http, &opts, &wire, &err);

	k->fiber = NULL;
	if (!k->io) {
		wire_free(wire);
	} else if (st) {
		link_refuse(k, st == CH_E_DENIED ? "403 Forbidden" : st == CH_E_TIMEOUT ? "504 Gateway Timeout" : "502 Bad Gateway", err.text);
	} else {
		k->wire = wire;
		link_open(k);
	}
	link_unref(k);
}

/* -- the client's side -- */

static void link_request(struct link *k, size_t head_len)
{
	struct sandbox_proxy *p = k->proxy;
	struct ch_err err = { 0 };

	if (proxy_request_parse(k->arena, k->in.data, head_len, &k->target, &err)) {
		link_refuse(k, "400 Bad Request", err.text);
		return;
	}
	k->has_target = true;
	buf_consume(&k->in, head_len);
	if (!proxy_host_allowed(p->hosts, k->target.host, k->target.port)) {
		log_info("sandbox", "proxy refused host=%s port=%u: not in %s", log_quote(k->target.host), k->target.port,
			 PROXY_HOSTS_KEY);
		snprintf(err.text, sizeof(err.text), "%.100s:%u cannot be reached from this sandbox; the owner can add it to %s",
			 k->target.host, k->target.port, PROXY_HOSTS_KEY);
		link_refuse(k, "403 Forbidden", err.text);
		return;
	}
	conn_io_pause(k->io, true);
	conn_io_set_deadline(k->io, 0);
	k->refs++;
	k->fiber = fiber_spawn(p->loop, "proxy", FIBER_DETACHED, connect_fiber, k);
}

/* Sending may find that the other side is gone, and end the link under our hands. */
static void link_up(struct link *k, const char *bytes, size_t n)
{
	bool ok;

	k->refs++;
	k->up_bytes += n;
	k->last_ms = now_mono_ms();
	ok = wire_send(k->wire, bytes, n);
	if (k->io && !ok)
		link_end(k, false);
	else if (k->io && wire_queued(k->wire) > PROXY_QUEUE_MAX)
		conn_io_pause(k->io, true);
	link_unref(k);
}

static void on_bytes(struct conn_io *io, char *bytes, size_t n, void *arg)
{
	struct link *k = arg;
	struct ch_err err = { 0 };
	size_t head_len = 0;
	int http;

	if (k->wire) {
		link_up(k, bytes, n);
		return;
	}
	buf_append(&k->in, bytes, n);
	if (k->fiber)
		return; /* one read may come after the pause */
	if (k->in.failed || http1_scan(&k->scan, k->in.data, k->in.len, &head_len, &http, &err)) {
		link_refuse(k, "400 Bad Request", k->in.failed ? "the request's head is too long" : err.text);
		return;
	}
	if (head_len > k->scan.skip)
		link_request(k, head_len);
}

/* Half closed: the answer may still come, so only what never asked is ended. */
static void on_eof(struct conn_io *io, void *arg)
{
	struct link *k = arg;

	if (!k->wire && !k->fiber)
		link_end(k, false);
}

static void on_sent(struct conn_io *io, void *arg)
{
	struct link *k = arg;

	if (k->wire && conn_io_queued(io) < PROXY_QUEUE_MAX / 2)
		wire_pause(k->wire, false);
}

static void on_deadline(struct conn_io *io, void *arg)
{
	struct link *k = arg;
	int64_t quiet_ms = now_mono_ms() - k->last_ms;

	if (!k->wire)
		link_refuse(k, "408 Request Timeout", "no request came");
	else if (quiet_ms < PROXY_IDLE_MS)
		conn_io_set_deadline(io, PROXY_IDLE_MS - quiet_ms);
	else
		link_end(k, true);
}

static void on_lost(struct conn_io *io, void *arg)
{
	struct link *k = arg;

	k->io = NULL;
	wire_free(CH_TAKE(k->wire));
	if (k->fiber)
		fiber_cancel(k->fiber);
	link_unref(k);
}

static const struct conn_io_ops io_ops = { on_bytes, on_eof, on_sent, on_deadline, on_lost };

static void on_connection(uv_stream_t *listener, int status)
{
	struct sandbox_proxy *p = CH_CONTAINER_OF((uv_tcp_t *)listener, struct sandbox_proxy, listener);
	struct conn_io *io;
	struct link *k;

	if (status < 0 || p->is_freed)
		return;
	if (p->link_count >= PROXY_LINKS_MAX) {
		io = conn_io_accept(p->hub, listener, NULL, NULL, NULL);
		if (io)
			conn_io_close(io);
		return;
	}
	k = ch_alloc(sizeof(*k));
	k->proxy = p;
	k->refs = 1;
	k->arena = arena_new(4 * PROXY_HEAD_MAX);
	buf_init(&k->in, PROXY_HEAD_MAX + CONN_READ_BYTES);
	k->at = &p->links;
	k->next = p->links;
	if (k->next)
		k->next->at = &k->next;
	p->links = k;
	p->link_count++;
	p->refs++;
	k->io = conn_io_accept(p->hub, listener, NULL, &io_ops, k);
	if (k->io)
		conn_io_set_deadline(k->io, PROXY_HEAD_MS);
	else
		link_unref(k);
}

/* -- the listener's way out of the sandbox -- */

bool proxy_send_listener(int fd)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons(SANDBOX_PROXY_PORT), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	/* A raw socket: there is no loop inside. */
	int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool ok;

	if (s < 0)
		return false;
	ok = bind(s, (const struct sockaddr *)&addr, sizeof(addr)) == 0 && listen(s, BACKLOG) == 0 && fd_send(fd, s);
	close(s);
	return ok;
}

/* A descriptor came, and it is a listening TCP socket; -1 otherwise. Called when the pair is readable. */
static int receive_listener(int from)
{
	int fd = fd_receive(from), family = 0, is_listening = 0;
	socklen_t len = sizeof(int), len2 = sizeof(int);

	if (fd < 0)
		return -1;
	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &len) == 0 && family == AF_INET &&
	    getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &len2) == 0 && is_listening)
		return fd;
	close(fd);
	return -1;
}

static void on_poll_closed(uv_handle_t *h)
{
	struct sandbox_proxy *p = CH_CONTAINER_OF((uv_poll_t *)h, struct sandbox_proxy, poll);

	proxy_unref(p);
}

static void on_listener_closed(uv_handle_t *h)
{
	struct sandbox_proxy *p = CH_CONTAINER_OF((uv_tcp_t *)h, struct sandbox_proxy, listener);

	proxy_unref(p);
}

/* The handle first, then its descriptor: libuv wants it in this order. */
static void stop_polling(struct sandbox_proxy *p)
{
	if (p->is_polling)
		uv_close((uv_handle_t *)&p->poll, on_poll_closed);
	p->is_polling = false;
	if (p->own_fd >= 0)
		close(p->own_fd);
	p->own_fd = -1;
}

static void on_pair_readable(uv_poll_t *poll, int status, int events)
{
	struct sandbox_proxy *p = CH_CONTAINER_OF(poll, struct sandbox_proxy, poll);
	int fd = receive_listener(p->own_fd);

	stop_polling(p);
	/* Nothing: the sandbox ended before it began, which its caller hears of. */
	if (fd < 0)
		return;
	if (uv_tcp_init(loop_uv(p->loop), &p->listener)) {
		close(fd);
		return;
	}
	p->is_listening = true;
	p->refs++;
	if (uv_tcp_open(&p->listener, fd)) {
		close(fd);
		log_warn("sandbox", "the proxy's socket cannot be watched; the command has no network");
	} else if (uv_listen((uv_stream_t *)&p->listener, BACKLOG, on_connection)) {
		log_warn("sandbox", "the proxy cannot listen; the command has no network");
	}
}

/* -- from outside -- */

static const char *const *copy_list(struct arena *a, const char *const *list)
{
	size_t n = 0;
	const char **copy;

	while (list && list[n])
		n++;
	copy = arena_alloc(a, (n + 1) * sizeof(*copy));
	for (size_t i = 0; i < n; i++)
		copy[i] = arena_strdup(a, list[i]);
	return copy;
}

ch_status proxy_start(struct loop *l, const struct proxy_opts *opts, struct sandbox_proxy **ret, int *ret_child_fd, struct ch_err *err)
{
	struct sandbox_proxy *p;
	int fds[2];

	for (const char *const *it = opts->hosts; it && *it; it++)
		if (!proxy_host_valid(*it))
			return ch_fail(err, CH_E_INVALID, "sandbox.network.hosts: '%s' is no host: written name, *.name or *, with :port or without",
				       *it);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds))
		return ch_fail_errno(err, CH_E_IO, errno, "no socket for the sandbox's proxy");
	p = ch_alloc(sizeof(*p));
	p->loop = l;
	p->refs = 1;
	p->arena = arena_new(1u << 20);
	p->hosts = copy_list(p->arena, opts->hosts);
	p->http = opts->http;
	p->guard = opts->allows_private ? GUARD_TRUST_ORIGIN : GUARD_PUBLIC_ONLY;
	p->hub = conn_hub_new(l);
	p->own_fd = fds[0];
	p->is_polling = uv_poll_init(loop_uv(l), &p->poll, fds[0]) == 0;
	p->refs += p->is_polling;
	if (!p->is_polling || uv_poll_start(&p->poll, UV_READABLE, on_pair_readable)) {
		close(fds[1]);
		proxy_free(p);
		return ch_fail(err, CH_E_IO, "the sandbox's proxy cannot be watched");
	}
	*ret = p;
	*ret_child_fd = fds[1];
	return CH_OK;
}

void proxy_free(struct sandbox_proxy *p)
{
	if (!p)
		return;
	p->is_freed = true;
	stop_polling(p);
	if (p->is_listening)
		uv_close((uv_handle_t *)&p->listener, on_listener_closed);
	for (struct link *k = p->links, *next; k; k = next) {
		next = k->next;
		link_end(k, false);
	}
	if (p->served || p->refused)
		log_info("sandbox", "proxy closed connections=%" PRIu64 " refused=%" PRIu64 " up=%" PRIu64 " down=%" PRIu64, p->served,
			 p->refused, p->up_bytes, p->down_bytes);
	proxy_unref(p);
}
