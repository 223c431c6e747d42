/*
 * net/http_reply.c - writing responses: whole, streamed, 101.
 *
 * A head is rendered into the server's one buffer and sent together with what
 * follows it in one system call. Nothing here fails when the peer is gone:
 * the connection knows, and a handler asks http_call_alive() if it cares.
 */
#include <strings.h>
#include <time.h>

#include "core/clock.h"
#include "core/json.h"
#include "core/log.h"
#include "core/str.h"
#include "net/http_conn.h"
#include "net/ws_conn_priv.h"

#define STREAM_HIGH (64u * 1024u)       /* bytes queued at which a writer waits */

static const struct { int status; const char *phrase; } phrases[] = {
	{ 101, "Switching Protocols" },
	{ 200, "OK" },
	{ 201, "Created" },
	{ 202, "Accepted" },
	{ 204, "No Content" },
	{ 206, "Partial Content" },
	{ 301, "Moved Permanently" },
	{ 302, "Found" },
	{ 303, "See Other" },
	{ 304, "Not Modified" },
	{ 307, "Temporary Redirect" },
	{ 308, "Permanent Redirect" },
	{ 400, "Bad Request" },
	{ 401, "Unauthorized" },
	{ 403, "Forbidden" },
	{ 404, "Not Found" },
	{ 405, "Method Not Allowed" },
	{ 406, "Not Acceptable" },
	{ 408, "Request Timeout" },
	{ 409, "Conflict" },
	{ 410, "Gone" },
	{ 413, "Content Too Large" },
	{ 414, "URI Too Long" },
	{ 415, "Unsupported Media Type" },
	{ 417, "Expectation Failed" },
	{ 422, "Unprocessable Content" },
	{ 426, "Upgrade Required" },
	{ 429, "Too Many Requests" },
	{ 431, "Request Header Fields Too Large" },
	{ 500, "Internal Server Error" },
	{ 501, "Not Implemented" },
	{ 502, "Bad Gateway" },
	{ 503, "Service Unavailable" },
	{ 504, "Gateway Timeout" },
	{ 505, "HTTP Version Not Supported" },
};

static const char *phrase_of(int status)
{
	for (size_t i = 0; i < CH_ARRAY_LEN(phrases); i++) {
		if (phrases[i].status == status)
			return phrases[i].phrase;
	}
	return "";                              /* the phrase is optional (RFC 9112 4) */
}

/* -- the head -- */

/* IMF-fixdate (RFC 9110 5.6.7), rendered once a second. */
static const char *date_text(struct http_server *s)
{
	static const char days[7][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
	static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
					    "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	int64_t now_s = now_wall_ms() / 1000;
	time_t t = (time_t)now_s;
	struct tm tm;

	if (now_s == s->date_s)
		return s->date;
	gmtime_r(&t, &tm);
	snprintf(s->date, sizeof(s->date), "%s, %02u %s %04u %02u:%02u:%02u GMT", days[tm.tm_wday % 7],
		 (unsigned)tm.tm_mday % 100, months[tm.tm_mon % 12], (unsigned)(tm.tm_year + 1900) % 10000,
		 (unsigned)tm.tm_hour % 100, (unsigned)tm.tm_min % 100, (unsigned)tm.tm_sec % 100);
	s->date_s = now_s;
	return s->date;
}

static void begin_head(struct http_server *s, int status)
{
	buf_clear(&s->head);
	buf_printf(&s->head, "HTTP/1.1 %d %s\r\nDate: %s\r\n", status, phrase_of(status), date_text(s));
}

static void send_head_and(struct http_conn *c, const void *body, size_t len)
{
	struct buf *head = &c->server->head;
	uv_buf_t parts[2];

	buf_puts(head, "\r\n");
	CH_BUG_ON(head->failed);                /* what goes in has limits of its own */
	parts[0] = (uv_buf_t){ .base = head->data, .len = head->len };
	parts[1] = (uv_buf_t){ .base = (char *)body, .len = len };
	conn_io_send(c->io, parts, len ? 2 : 1);
}

/* No line of ours can be ended, and no line added, by what a handler was given from outside. */
static bool is_line_safe(const char *text)
{
	for (const char *p = text; *p; p++) {
		if (((unsigned char)*p < 0x20 && *p != '\t') || *p == 0x7f)
			return false;
	}
	return true;
}

void http_reply_header(struct http_call *c, const char *name, const char *value)
{
	if (!strcasecmp(name, "content-length")) {
		if (!str_to_i64(value, &c->stream_left) || c->stream_left < 0)
			c->is_header_bad = true;
		return;
	}
	if (!is_line_safe(name) || !is_line_safe(value)) {
		c->is_header_bad = true;
		return;
	}
	buf_puts(&c->headers, name);
	buf_puts(&c->headers, ": ");
	buf_puts(&c->headers, value);
	buf_puts(&c->headers, "\r\n");
}

bool http_reply_has_header(const struct http_call *c, const char *name)
{
	size_t n = strlen(name);

	for (const char *line = buf_str(&c->headers); *line; line = strchr(line, '\n') + 1) {
		if (!strncasecmp(line, name, n) && line[n] == ':')
			return true;
	}
	return false;
}

/* False: there is nobody to answer, or an answer was begun already. */
static bool may_begin(struct http_call *call, int *status)
{
	struct http_conn *c = call->conn;

	if (call->phase != CALL_OPEN) {
		log_error("http", "a second answer to %s %s was dropped", call->rq.method,
			  log_quote(call->rq.path));
		return false;
	}
	if (!c->io) {
		call->phase = CALL_REPLIED;
		return false;
	}
	if (call->is_header_bad || call->headers.failed) {
		log_error("http", "a header of the answer to %s %s cannot be sent; the answer is 500 now",
			  call->rq.method, log_quote(call->rq.path));
		buf_clear(&call->headers);
		*status = 500;
	}
	if (!c->decoder.is_done || c->server->is_stopping)
		call->keep_alive = false;
	return true;
}

static void put_common(struct http_call *call, int status, const char *content_type)
{
	struct buf *head = &call->conn->server->head;

	begin_head(call->conn->server, status);
	if (content_type)
		buf_printf(head, "Content-Type: %s\r\n", content_type);
	if (call->headers.len)
		buf_append(head, call->headers.data, call->headers.len);
	if (!call->keep_alive)
		buf_puts(head, "Connection: close\r\n");
	else if (call->is_http10)
		buf_puts(head, "Connection: keep-alive\r\n");
}

/* RFC 9110 6.4.1 */
static bool has_no_body(int status)
{
	return status < 200 || status == 204 || status == 304;
}

/* -- whole responses -- */

void http_reply(struct http_call *c, int status, const char *content_type, const void *body, size_t len)
{
	int asked = status;

	if (!may_begin(c, &status))
		return;
	if (status != asked || has_no_body(status))
		len = 0;
	put_common(c, status, len ? content_type : NULL);
	if (!has_no_body(status))
		buf_printf(&c->conn->server->head, "Content-Length: %zu\r\n", len);
	c->phase = CALL_REPLIED;
	send_head_and(c->conn, body, c->is_head ? 0 : len);
}

void http_reply_json(struct http_call *c, int status, const char *json_text, size_t len)
{
	http_reply(c, status, "application/json; charset=utf-8", json_text, len);
}

static void render_error(struct buf *out, const char *type, const char *message)
{
	struct jw w = JW(out);

	jw_obj(&w);
	jw_kobj(&w, "error");
	jw_kstr(&w, "message", message);
	jw_kstr(&w, "type", type);
	jw_end(&w);
	jw_end(&w);
}

void http_reply_error(struct http_call *c, int status, const char *type, const char *message)
{
	CH_AUTO_BUF struct buf body = { 0 };

	buf_init(&body, HTTP_HEADER_MAX);
	render_error(&body, type, message);
	http_reply_json(c, status, buf_str(&body), body.len);
}

void http_refuse(struct http_conn *c, int status, const char *message)
{
	struct http_server *s = c->server;
	CH_AUTO_BUF struct buf body = { 0 };

	buf_init(&body, HTTP_HEADER_MAX);
	render_error(&body, "invalid_request", message);
	begin_head(s, status);
	if (status == 426)
		buf_puts(&s->head, "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n");
	buf_printf(&s->head, "Content-Type: application/json; charset=utf-8\r\nContent-Length: %zu\r\n"
			     "Connection: close\r\n", body.len);
	send_head_and(c, buf_str(&body), body.len);
}

/* -- streams -- */

ch_status http_stream_begin(struct http_call *c, int status, const char *content_type)
{
	struct buf *head = &c->conn->server->head;
	int asked = status;

	if (!may_begin(c, &status))
		return CH_E_PEER;
	if (status != asked) {
		put_common(c, status, NULL);
		buf_puts(head, "Content-Length: 0\r\n");
		c->phase = CALL_REPLIED;
		send_head_and(c->conn, NULL, 0);
		return CH_E_BUG;
	}
	c->is_chunked = c->stream_left < 0 && !c->is_http10;
	if (c->stream_left < 0 && c->is_http10)
		c->keep_alive = false;          /* the end of the connection is the end of the body */
	put_common(c, status, content_type);
	if (c->is_chunked)
		buf_puts(head, "Transfer-Encoding: chunked\r\n");
	else if (c->stream_left >= 0)
		buf_printf(head, "Content-Length: %lld\r\n", (long long)c->stream_left);
	c->phase = CALL_STREAMING;
	send_head_and(c->conn, NULL, 0);
	return CH_OK;
}

static void send_piece(struct http_call *c, const void *p, size_t n)
{
	char size[20];
	uv_buf_t parts[3] = { { 0 }, { .base = (char *)p, .len = n }, { .base = (char *)"\r\n", .len = 2 } };

	if (!c->is_chunked) {
		conn_io_send(c->conn->io, &parts[1], 1);
		return;
	}
	parts[0] = uv_buf_init(size, (unsigned)snprintf(size, sizeof(size), "%zx\r\n", n));
	conn_io_send(c->conn->io, parts, 3);
}

ch_status http_stream_write(struct http_call *c, const void *p, size_t n, int64_t deadline_ms)
{
	ch_status st = CH_OK;

	CH_BUG_ON(c->phase != CALL_STREAMING);
	if (!c->conn->io)
		return CH_E_PEER;
	if (c->stream_left >= 0) {
		CH_BUG_ON((uint64_t)c->stream_left < n);        /* more than was announced */
		c->stream_left -= (int64_t)n;
	}
	if (n && !c->is_head)
		send_piece(c, p, n);
	while (!st && c->conn->io && conn_io_queued(c->conn->io) > STREAM_HIGH)
		st = fiber_cond_wait(&c->sent, deadline_ms);
	return st ? st : c->conn->io ? CH_OK : CH_E_PEER;
}

void http_stream_end(struct http_call *c)
{
	uv_buf_t last = { .base = (char *)"0\r\n\r\n", .len = 5 };

	if (c->phase != CALL_STREAMING || (c->stream_left > 0 && !c->is_head))
		return; /* begin failed, or the body is short: the connection is cut */
	c->phase = CALL_REPLIED;
	if (c->is_chunked && !c->is_head && c->conn->io)
		conn_io_send(c->conn->io, &last, 1);
}

bool http_call_alive(const struct http_call *c)
{
	return c->conn->io && !c->conn->is_eof;
}

void http_call_on_leave(struct http_call *c, void (*fn)(void *arg), void *arg)
{
	c->on_leave = fn;
	c->leave_arg = arg;
}

/* -- leaving HTTP -- */

struct ws_conn *http_upgrade_ws(struct http_call *c, const struct ws_conn_ops *ops, void *arg)
{
	struct http_conn *conn = c->conn;
	struct buf *head = &conn->server->head;
	char accept[29];
	int status = 101;

	CH_BUG_ON(!c->rq.is_upgrade);
	if (!may_begin(c, &status))
		return NULL;
	c->phase = CALL_REPLIED;
	begin_head(conn->server, status);
	if (status == 101) {
		ws_accept_key(c->ws_key, accept);
		buf_printf(head, "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n",
			   accept);
		buf_append(head, c->headers.data, c->headers.len);
	} else {
		c->keep_alive = false;
		buf_puts(head, "Content-Length: 0\r\nConnection: close\r\n");
	}
	send_head_and(conn, NULL, 0);
	if (status != 101)
		return NULL;
	return ws_conn_new(CH_TAKE(conn->io), ops, arg, conn->in.data, conn->in.len);
}
