/*
 * net/http_server.c - listening, accepting, stopping.
 */
#include "net/http_server.h"

#include "core/clock.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/str.h"
#include "net/http_conn.h"
#include "net/port_holder.h"

#define BACKLOG 511
#define STOP_GRACE_MS 1000              /* for sockets to close and cancelled handlers to return; then we say that we wait */

struct http_listener {
	uv_tcp_t tcp;
	struct http_listener *next;
	struct http_server *server;
	struct tls_ctx *tls;            /* NULL: plain */
};

struct http_server *http_server_new(struct loop *l, const struct http_server_opts *opts)
{
	struct http_server *s = ch_alloc(sizeof(*s));

	s->loop = l;
	s->refs = 1;
	s->hub = conn_hub_new(l);
	s->opts = *opts;
	if (!s->opts.conns_max)
		s->opts.conns_max = HTTP_CONNS_MAX;
	fiber_cond_init(&s->handlers_done);
	buf_init(&s->head, 2 * HTTP_HEADER_MAX);
	return s;
}

void http_server_ref(struct http_server *s)
{
	s->refs++;
}

void http_server_unref(struct http_server *s)
{
	if (--s->refs)
		return;
	conn_hub_unref(s->hub);
	buf_done(&s->head);
	ch_free(s);
}

void http_server_handles(struct http_server *s, struct http_conn *c)
{
	c->prev = NULL;
	c->next = s->handling;
	if (c->next)
		c->next->prev = c;
	s->handling = c;
}

void http_server_handled(struct http_server *s, struct http_conn *c)
{
	if (c->prev)
		c->prev->next = c->next;
	else
		s->handling = c->next;
	if (c->next)
		c->next->prev = c->prev;
	if (!s->handling)
		fiber_cond_broadcast(&s->handlers_done);
}

static size_t count_handlers(const struct http_server *s)
{
	size_t n = 0;

	for (const struct http_conn *c = s->handling; c; c = c->next)
		n++;
	return n;
}

size_t http_server_conns(const struct http_server *s)
{
	return conn_hub_count(s->hub);
}

/* -- listening -- */

static void on_connection(uv_stream_t *stream, int status)
{
	struct http_listener *l = stream->data;

	if (status < 0)
		log_debug("http", "accept: %s", uv_strerror(status));
	else if (conn_hub_count(l->server->hub) < l->server->opts.conns_max)
		http_conn_new(l->server, stream, l->tls);
	else
		http_conn_reject(l->server, stream, l->tls);
}

static void on_listener_closed(uv_handle_t *handle)
{
	struct http_listener *l = handle->data;

	tls_ctx_free(l->tls);
	http_server_unref(l->server);
	ch_free(l);
}

static ch_status resolve(const char *host, uint16_t port, struct sockaddr_storage *ret_addr,
			 struct ch_err *err)
{
	if (str_eq(host, "localhost"))
		host = "127.0.0.1";
	if (uv_ip4_addr(host, port, (struct sockaddr_in *)ret_addr) &&
	    uv_ip6_addr(host, port, (struct sockaddr_in6 *)ret_addr))
		return ch_fail(err, CH_E_INVALID, "cannot listen on '%.60s': not an IP address", host);
	return CH_OK;
}

static ch_status fail_listen(int error, const char *host, uint16_t port, struct ch_err *err)
{
	char holder[64];

	if (error == UV_EADDRINUSE && port_holder_find(port, holder, sizeof(holder)))
		return ch_fail(err, CH_E_BUSY,
			       "port %u on %s is in use by %s; stop it, or choose another port with "
			       "PORT=<port> or gateway.port",
			       port, host, holder);
	if (error == UV_EADDRINUSE)
		return ch_fail(err, CH_E_BUSY,
			       "port %u on %s is in use; choose another with PORT=<port> or gateway.port",
			       port, host);
	return ch_fail(err, error == UV_EACCES ? CH_E_DENIED : CH_E_IO, "cannot listen on %s port %u: %s",
		       host, port, uv_strerror(error));
}

static int start_listening(struct http_listener *l, const struct sockaddr_storage *addr, uint16_t *ret_port)
{
	struct sockaddr_storage bound;
	int size = sizeof(bound), error;

	error = uv_tcp_bind(&l->tcp, (const struct sockaddr *)addr, 0);
	if (!error)
		error = uv_listen((uv_stream_t *)&l->tcp, BACKLOG, on_connection);
	if (!error)
		error = uv_tcp_getsockname(&l->tcp, (struct sockaddr *)&bound, &size);
	if (!error && ret_port)
		*ret_port =
			ntohs(((struct sockaddr_in *)&bound)->sin_port); /* sockaddr_in6 has it there, too */
	return error;
}

ch_status http_server_listen(struct http_server *s, const char *host, uint16_t port, struct tls_ctx *tls,
			     uint16_t *ret_port, struct ch_err *err)
{
	struct sockaddr_storage addr;
	struct http_listener *l;
	ch_status st;
	int error;

	st = resolve(host, port, &addr, err);
	if (st)
		return st;
	l = ch_alloc(sizeof(*l));
	l->server = s;
	l->tls = tls_ctx_ref(tls);
	uv_tcp_init(loop_uv(s->loop), &l->tcp);         /* cannot fail: no socket is made yet */
	l->tcp.data = l;
	http_server_ref(s);
	error = start_listening(l, &addr, ret_port);
	if (error) {
		uv_close((uv_handle_t *)&l->tcp, on_listener_closed);
		return fail_listen(error, host, port, err);
	}
	l->next = s->listeners;
	s->listeners = l;
	return CH_OK;
}

/* -- stopping -- */

static void close_listeners(struct http_server *s)
{
	while (s->listeners) {
		struct http_listener *l = s->listeners;

		s->listeners = l->next;
		uv_close((uv_handle_t *)&l->tcp, on_listener_closed);
	}
}

static void drop_everything(struct http_server *s)
{
	for (struct http_conn *c = s->handling; c; c = c->next)
		fiber_cancel(c->call->fiber);
	conn_hub_lose_all(s->hub);
}

/* For ever: what a handler uses is freed after us. It was cancelled, and ends with what it is in. */
static CH_FIBER void await_handlers(struct http_server *s)
{
	while (s->handling)
		if (fiber_cond_wait(&s->handlers_done, fiber_deadline(STOP_GRACE_MS)))
			log_warn("http", "%zu handlers have not returned yet; waiting for them", count_handlers(s));
}

void http_server_stop(struct http_server *s, int64_t deadline_ms)
{
	s->is_stopping = true;
	close_listeners(s);
	conn_hub_each(s->hub, &http_io_ops, http_conn_stop);
	if (conn_hub_wait_empty(s->hub, deadline_ms) == CH_OK && !s->handling)
		return;
	log_debug("http", "stopping: %zu connections and %zu handlers are cut off", conn_hub_count(s->hub),
		  count_handlers(s));
	drop_everything(s);
	fiber_mask(1);
	if (conn_hub_wait_empty(s->hub, fiber_deadline(STOP_GRACE_MS)))
		log_warn("http", "%zu connections do not close; they are left behind", conn_hub_count(s->hub));
	await_handlers(s);
	fiber_mask(-1);
}

void http_server_free(struct http_server *s)
{
	if (!s)
		return;
	s->is_stopping = true;
	close_listeners(s);
	drop_everything(s);
	http_server_unref(s);
}
