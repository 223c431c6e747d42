/*
 * net/http_conn.c - one HTTP connection: reading requests, running handlers.
 *
 * Deadlines are set when a state is entered, never when bytes arrive, so that
 * dripping them gains nothing: HEAD without bytes HTTP_IDLE_MS (the first
 * time HTTP_HEADER_TIMEOUT_MS), HEAD from its first byte HTTP_HEADER_TIMEOUT_MS, BODY
 * HTTP_BODY_TIMEOUT_MS, FLUSHING CONN_FLUSH_MS without progress.
 */
#include "net/http_conn.h"

#include "core/log.h"
#include "core/mem.h"

static void proceed(struct http_conn *c);

/* -- the connection's end -- */

static void pin(struct http_conn *c)
{
	c->pins++;
}

static void unpin(struct http_conn *c)
{
	if (--c->pins || c->io)
		return;
	CH_BUG_ON(c->call);
	buf_done(&c->in);
	buf_done(&c->body);
	http_server_unref(c->server);
	ch_free(c);
}

static void free_call(struct http_conn *c)
{
	struct http_call *call = CH_TAKE(c->call);

	buf_done(&call->headers);
	arena_unref(call->rq.arena);            /* the call is on it */
}

static void tell_leave(struct http_conn *c)
{
	void (*fn)(void *arg) = c->call->on_leave;

	c->call->on_leave = NULL;
	if (fn && c->state == HTTP_HANDLING)
		fn(c->call->leave_arg);
}

/* The socket is gone: a handler under way notices, a request that was still being read is forgotten. */
static void be_without_io(struct http_conn *c)
{
	c->io = NULL;
	if (!c->call)
		return;
	if (c->state != HTTP_HANDLING) {
		free_call(c);
		return;
	}
	fiber_cond_broadcast(&c->call->sent);
	tell_leave(c);
}

static void close_conn(struct http_conn *c)
{
	conn_io_close(c->io);
	be_without_io(c);
}

static void finish_conn(struct http_conn *c)
{
	conn_io_finish(c->io);
	be_without_io(c);
}

/* Answers what cannot become a call, or no longer be one, and hangs up. */
static void refuse(struct http_conn *c, int status, const struct ch_err *err)
{
	log_debug("http", "refused with %d: %s", status, err->text);
	http_refuse(c, status, err->text);
	finish_conn(c);
}

/* -- exchanges -- */

static void fill_peer(struct http_request *rq, const struct conn_io *io)
{
	const struct sockaddr *peer = conn_io_peer(io);
	const struct sockaddr_in *v4 = (const void *)peer;
	const struct sockaddr_in6 *v6 = (const void *)peer;
	char text[INET6_ADDRSTRLEN] = "";

	if (peer->sa_family == AF_INET) {
		uv_ip4_name(v4, text, sizeof(text));
		rq->peer_port = ntohs(v4->sin_port);
		rq->peer_is_loopback = ntohl(v4->sin_addr.s_addr) >> 24 == 127;
	} else if (peer->sa_family == AF_INET6) {
		uv_ip6_name(v6, text, sizeof(text));
		rq->peer_port = ntohs(v6->sin6_port);
		rq->peer_is_loopback = IN6_IS_ADDR_LOOPBACK(&v6->sin6_addr);
	}
	rq->peer_ip = arena_strdup(rq->arena, text);
	rq->is_tls = conn_io_is_tls(io);
}

static struct http_call *call_new(struct http_conn *c, struct arena *a, const struct http1_head *head)
{
	struct http_call *call = arena_alloc(a, sizeof(*call));

	call->conn = c;
	call->rq = (struct http_request){
		.arena = a,
		.method = head->method,
		.target = head->target,
		.path = head->path,
		.query = head->query,
		.headers = head->headers,
		.header_count = head->header_count,
		.is_upgrade = head->is_upgrade,
	};
	fill_peer(&call->rq, c->io);
	call->ws_key = head->ws_key;
	call->is_head = !strcmp(head->method, "HEAD");
	call->is_http10 = head->is_http10;
	call->keep_alive = head->keep_alive;
	call->stream_left = -1;
	buf_init(&call->headers, HTTP_HEADER_MAX);
	fiber_cond_init(&call->sent);
	return call;
}

static void expect_head(struct http_conn *c)
{
	c->state = HTTP_HEAD;
	c->scan = (struct http1_scan){ 0 };
	c->armed = HTTP_ARMED_NONE;
	conn_io_set_deadline(c->io, 0);
}

/* The answer was given, or will never be. Leaves the connection ready for the next request, or ended. */
static void end_call(struct http_conn *c)
{
	bool is_cut = c->call->phase != CALL_REPLIED;
	bool is_last = !c->call->keep_alive;

	free_call(c);
	buf_done(&c->body);
	if (!c->io)
		return;
	if (is_cut) {
		close_conn(c);                  /* a stream without its end must not look complete */
	} else if (is_last) {
		finish_conn(c);
	} else if (conn_io_queued(c->io)) {
		c->state = HTTP_FLUSHING;
		conn_io_set_deadline(c->io, CONN_FLUSH_MS);
		c->flush_queued = conn_io_queued(c->io);
	} else {
		expect_head(c);
	}
}

static void run_handler(void *arg)
{
	struct http_conn *c = arg;
	struct http_server *s = c->server;
	struct http_call *call = c->call;

	call->route->run(call, &call->rq, s->opts.arg);
	if (call->phase == CALL_OPEN && c->io) {
		log_error("http", "no answer from the handler of %s %s", call->rq.method,
			  log_quote(call->rq.path));
		http_reply_error(call, 500, "internal", "internal error");
	}
	end_call(c);
	http_server_handled(s, c);
	proceed(c);                             /* may begin the next one */
	unpin(c);                               /* may be the end of the server, too */
}

static void start_handler(struct http_conn *c)
{
	struct http_call *call = c->call;

	c->state = HTTP_HANDLING;
	conn_io_set_deadline(c->io, 0);
	call->rq.body = buf_str(&c->body);
	call->rq.body_len = c->body.len;
	http_server_handles(c->server, c);
	pin(c);
	call->fiber = fiber_spawn(c->server->loop, "http", FIBER_DETACHED, run_handler, c);
}

static void proceed_later(void *arg)
{
	struct http_conn *c = arg;

	c->is_waiting = false;
	proceed(c);
	unpin(c);
}

/* Answered without a handler. The next request waits for the next turn: one read may hold thousands. */
static void end_at_once(struct http_conn *c)
{
	end_call(c);
	if (!c->io)
		return;
	c->is_waiting = true;
	pin(c);
	loop_defer(c->server->loop, proceed_later, c);
}

static ch_status check_size(struct http_conn *c, const struct http1_head *head, int *ret_http,
			    struct ch_err *err)
{
	size_t max = c->call->route->body_max;

	c->body.max_bytes = max;
	if (head->content_length <= max && !(head->is_chunked && !max))
		return CH_OK;
	*ret_http = 413;
	return ch_fail(err, CH_E_LIMIT, "the body is larger than %zu bytes", max);
}

/* What can be said before the body was read. True: the body, or the handler, is next. */
static bool is_welcome(struct http_conn *c)
{
	struct http_server *s = c->server;
	struct http_call *call = c->call;
	const char *allow;

	call->route = http_route_find(s->opts.routes, &call->rq, &allow);
	if (!call->route && s->opts.extra) {
		call->route = s->opts.extra(call, &call->rq, s->opts.arg);
		if (call->route)
			return call->phase == CALL_OPEN;
	}
	if (s->opts.admit && !s->opts.admit(call, &call->rq, s->opts.arg)) {
		if (call->phase == CALL_OPEN)
			http_reply_error(call, 500, "internal", "internal error");
		return false;
	}
	if (call->route)
		return true;
	if (allow) {
		http_reply_header(call, "Allow", allow);
		http_reply_error(call, 405, "method_not_allowed", "Method Not Allowed");
	} else {
		http_reply_error(call, 404, "not_found", "Not Found");
	}
	return false;
}

static void send_continue(struct http_conn *c)
{
	char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
	uv_buf_t bytes = uv_buf_init(text, sizeof(text) - 1);

	conn_io_send(c->io, &bytes, 1);
}

/* From here on there is a call. */
static void begin_call(struct http_conn *c, struct arena *a, const struct http1_head *head)
{
	struct ch_err err;
	int http = 500;

	http1_body_init(&c->decoder, head);
	c->call = call_new(c, a, head);
	c->state = HTTP_BODY;
	conn_io_set_deadline(c->io, HTTP_BODY_TIMEOUT_MS);
	if (!is_welcome(c)) {
		end_at_once(c);
		return;
	}
	if (check_size(c, head, &http, &err)) {
		refuse(c, http, &err);
		return;
	}
	if (head->expects_continue)
		send_continue(c);
	if (c->decoder.is_done)
		start_handler(c);
}

/* -- reading -- */

/* Gives how many bytes were used: 0 when the head is incomplete or was refused. */
static size_t read_head(struct http_conn *c, const char *p, size_t n)
{
	CH_AUTO(arena_unref) struct arena *a = NULL;
	struct http1_head head;
	struct ch_err err;
	size_t len = 0;
	int http = 400;

	if (http1_scan(&c->scan, p, n, &len, &http, &err)) {
		refuse(c, http, &err);
		return 0;
	}
	if (!len)
		return 0;
	a = arena_new(0);
	if (http1_parse(a, p, len, &head, &http, &err)) {
		refuse(c, http, &err);
		return 0;
	}
	begin_call(c, CH_TAKE(a), &head);
	return len;
}

static size_t read_body(struct http_conn *c, const char *p, size_t n)
{
	struct ch_err err;
	size_t used = 0;
	int http = 400;

	if (http1_body_feed(&c->decoder, p, n, &c->body, &used, &http, &err)) {
		refuse(c, http, &err);
		return 0;
	}
	if (c->decoder.is_done)
		start_handler(c);
	return used;
}

static bool can_read(const struct http_conn *c)
{
	return c->io && !c->is_waiting && (c->state == HTTP_HEAD || c->state == HTTP_BODY);
}

static size_t consume(struct http_conn *c, const char *p, size_t n)
{
	size_t used = 0, step = 1;

	while (step && used < n && can_read(c)) {
		step = c->state == HTTP_HEAD ? read_head(c, p + used, n - used)
					     : read_body(c, p + used, n - used);
		used += step;
	}
	return used;
}

static void keep(struct http_conn *c, const char *p, size_t n)
{
	buf_append(&c->in, p, n);
	if (c->in.failed)
		close_conn(c);
}

/* After anything happened: pause or resume reading, and set the deadline of a head to come. */
static void settle(struct http_conn *c)
{
	if (!c->io)
		return;
	/* What is there will never be a whole request, or none is wanted any more. */
	if (can_read(c) && (c->is_eof || (c->server->is_stopping && c->state == HTTP_HEAD))) {
		finish_conn(c);
		return;
	}
	if (!c->is_eof)
		conn_io_pause(c->io, c->in.len >= HTTP_HEADER_MAX && !can_read(c));
	if (c->state != HTTP_HEAD || c->is_waiting)
		return;
	if (c->in.len && c->armed != HTTP_ARMED_HEADER) {
		c->armed = HTTP_ARMED_HEADER;
		conn_io_set_deadline(c->io, HTTP_HEADER_TIMEOUT_MS);
	} else if (!c->in.len && c->armed == HTTP_ARMED_NONE) {
		c->armed = HTTP_ARMED_IDLE;
		conn_io_set_deadline(c->io, HTTP_IDLE_MS);
	}
}

/* Goes on with what was read already. */
static void proceed(struct http_conn *c)
{
	size_t used;

	if (can_read(c) && c->in.len) {
		used = consume(c, c->in.data, c->in.len);
		buf_consume(&c->in, used);
	}
	if (!c->in.len)
		buf_done(&c->in);               /* an idle connection keeps no buffer */
	settle(c);
}

static void on_bytes(struct conn_io *io, char *p, size_t n, void *arg)
{
	struct http_conn *c = arg;
	size_t used;

	pin(c);
	if (can_read(c) && !c->in.len) {
		used = consume(c, p, n);
		if (c->io && used < n)
			keep(c, p + used, n - used);
		settle(c);
	} else {
		keep(c, p, n);
		proceed(c);
	}
	unpin(c);
}

static void on_eof(struct conn_io *io, void *arg)
{
	struct http_conn *c = arg;

	pin(c);
	c->is_eof = true;
	if (c->call)
		tell_leave(c);
	settle(c);
	unpin(c);
}

static void on_sent(struct conn_io *io, void *arg)
{
	struct http_conn *c = arg;

	pin(c);
	if (c->state == HTTP_HANDLING)
		fiber_cond_broadcast(&c->call->sent);
	if (c->state == HTTP_FLUSHING && !conn_io_queued(io)) {
		expect_head(c);
		proceed(c);
	}
	unpin(c);
}

/* -- deadlines -- */

/* A client that reads, however slowly, may go on. */
static void check_flush(struct http_conn *c)
{
	size_t queued = conn_io_queued(c->io);

	if (queued >= c->flush_queued) {
		close_conn(c);
		return;
	}
	c->flush_queued = queued;
	conn_io_set_deadline(c->io, CONN_FLUSH_MS);
}

static void on_deadline(struct conn_io *io, void *arg)
{
	struct http_conn *c = arg;
	struct ch_err err;

	pin(c);
	if (c->state == HTTP_FLUSHING) {
		check_flush(c);
	} else if (c->state == HTTP_BODY || c->in.len) {
		(void)ch_fail(&err, CH_E_TIMEOUT, "the request did not arrive in time");
		refuse(c, 408, &err);
	} else {
		finish_conn(c);                 /* idle: nobody waits for an answer */
	}
	unpin(c);
}

static void on_lost(struct conn_io *io, void *arg)
{
	struct http_conn *c = arg;

	pin(c);
	be_without_io(c);
	unpin(c);
}

const struct conn_io_ops http_io_ops = {
	.on_bytes = on_bytes,
	.on_eof = on_eof,
	.on_sent = on_sent,
	.on_deadline = on_deadline,
	.on_lost = on_lost,
};

/* -- from the server -- */

void http_conn_new(struct http_server *s, uv_stream_t *listener, struct tls_ctx *tls)
{
	struct http_conn *c = ch_alloc(sizeof(*c));

	buf_init(&c->in, HTTP_HEADER_MAX + 4 * CONN_READ_BYTES);
	c->server = s;
	http_server_ref(s);
	pin(c);
	c->io = conn_io_accept(s->hub, listener, tls, &http_io_ops, c);
	if (c->io) {
		c->armed = HTTP_ARMED_HEADER;
		conn_io_set_deadline(c->io, HTTP_HEADER_TIMEOUT_MS);
	}
	unpin(c);
}

/* One too many: told so where that takes no handshake. */
void http_conn_reject(struct http_server *s, uv_stream_t *listener, struct tls_ctx *tls)
{
	static const char text[] =
		"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
	uv_buf_t bytes = { .base = (char *)text, .len = sizeof(text) - 1 };
	struct conn_io *io = conn_io_accept(s->hub, listener, NULL, NULL, NULL);

	if (io && !tls)
		conn_io_send(io, &bytes, 1);
	if (io)
		conn_io_close(io);
}

void http_conn_stop(void *conn)
{
	struct http_conn *c = conn;

	pin(c);
	if (c->state == HTTP_HEAD && !c->is_waiting)
		close_conn(c);
	else if (c->state == HTTP_FLUSHING)
		finish_conn(c);
	unpin(c);
}
