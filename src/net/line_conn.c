/*
 * net/line_conn.c - see line_conn.h: a wire, a buffer of what came, and a condition for whoever waits.
 */
#include "net/line_conn.h"

#include <string.h>

#include "core/buf.h"
#include "core/fiber.h"
#include "core/mem.h"
#include "net/url.h"
#include "net/wire.h"

#define SEND_AHEAD_BYTES ((size_t)64 * 1024)

struct line_conn {
	int refs;
	struct wire *wire;               /* NULL once it is closed */
	struct buf in;
	char *line;                      /* lent to the reader */
	size_t searched;                 /* bytes known to hold no line end */
	bool is_paused, is_ended;
	struct ch_err end;               /* why, once is_ended */
	struct fiber_cond changed;
};

static void end_with(struct line_conn *c, ch_status st, const char *text)
{
	if (!c->is_ended)
		(void)ch_fail(&c->end, st, "%s", text);
	c->is_ended = true;
	fiber_cond_broadcast(&c->changed);
}

static void on_bytes(void *arg, char *p, size_t n)
{
	struct line_conn *c = arg;

	buf_append(&c->in, p, n);
	if (c->in.failed) {
		end_with(c, CH_E_LIMIT, "the server sent more than is read");
		return;
	}
	if (c->in.len > LINE_CONN_AHEAD && !c->is_paused && c->wire) {
		c->is_paused = true;
		wire_pause(c->wire, true);
	}
	fiber_cond_broadcast(&c->changed);
}

static void on_end(void *arg, ch_status st, const char *text)
{
	end_with(arg, st, text);
}

static void on_drain(void *arg)
{
	struct line_conn *c = arg;

	fiber_cond_broadcast(&c->changed);
}

static const struct wire_ops wire_ops = { .on_bytes = on_bytes, .on_end = on_end, .on_drain = on_drain };

struct line_conn *line_conn_ref(struct line_conn *c)
{
	c->refs++;
	return c;
}

void line_conn_unref(struct line_conn *c)
{
	if (!c || --c->refs)
		return;
	wire_free(c->wire);
	buf_done(&c->in);
	ch_free(c->line);
	ch_free(c);
}

CH_FIBER ch_status line_conn_open(struct loop *l, struct http_client *http, const struct line_conn_opts *opts,
				  struct line_conn **ret, struct ch_err *err)
{
	CH_AUTO(line_conn_unref) struct line_conn *c = ch_alloc(sizeof(*c));
	struct url u = {
		.scheme = opts->is_tls ? "wss" : "ws",
		.host = opts->host,
		.port = opts->port,
		.host_is_ipv6 = strchr(opts->host, ':'),
		.path = "/",
	};
	ch_status st;

	c->refs = 1;
	buf_init(&c->in, 2 * LINE_CONN_AHEAD);
	fiber_cond_init(&c->changed);
	st = wire_open(l, http,
		       &(struct wire_opts){ .url = &u, .guard = opts->guard, .ca_file = opts->ca_file,
					    .tls_fingerprint = opts->tls_fingerprint, .deadline_ms = opts->deadline_ms,
					    .ops = &wire_ops, .arg = c },
		       &c->wire, err);
	if (!st)
		*ret = CH_TAKE(c);
	return st;
}

/* A whole line at the front of the buffer becomes c->line; false: not yet. */
static bool take_line(struct line_conn *c, size_t *ret_len)
{
	char *end = c->in.len > c->searched ? memchr(c->in.data + c->searched, '\n', c->in.len - c->searched) : NULL;
	size_t whole, len;

	if (!end) {
		c->searched = c->in.len;
		return false;
	}
	whole = (size_t)(end - c->in.data) + 1;
	len = whole - 1;
	if (len && c->in.data[len - 1] == '\r')
		len--;
	c->line = ch_strndup(c->in.data, len);
	buf_consume(&c->in, whole);
	c->searched = 0;
	*ret_len = len;
	return true;
}

static ch_status too_long(struct ch_err *err)
{
	return ch_fail(err, CH_E_PEER, "the server sent a line of more than %u bytes", LINE_CONN_MAX);
}

CH_FIBER ch_status line_conn_read(struct line_conn *c, int64_t deadline_ms, char **ret, size_t *ret_len, struct ch_err *err)
{
	ch_status st;

	ch_free(CH_TAKE(c->line));
	if (c->is_paused && c->in.len <= LINE_CONN_AHEAD / 2 && c->wire) {
		c->is_paused = false;
		wire_pause(c->wire, false);
	}
	while (!take_line(c, ret_len)) {
		if (c->in.len > LINE_CONN_MAX)
			return too_long(err);
		if (c->is_ended)
			return ch_fail(err, c->end.code, "%s", c->end.text);
		st = fiber_cond_wait(&c->changed, deadline_ms);
		if (st)
			return ch_fail(err, st, "nothing came");
	}
	*ret = c->line;
	return *ret_len > LINE_CONN_MAX ? too_long(err) : CH_OK;
}

CH_FIBER ch_status line_conn_send(struct line_conn *c, const char *text, size_t len, int64_t deadline_ms, struct ch_err *err)
{
	ch_status st;

	if (c->is_ended)
		return ch_fail(err, CH_E_PEER, "%s", c->end.text);
	if (!wire_send(c->wire, text, len) && !c->is_ended)
		return ch_fail(err, CH_E_LIMIT, "too much is waiting to be sent");
	while (!c->is_ended && wire_queued(c->wire) > SEND_AHEAD_BYTES) {
		st = fiber_cond_wait(&c->changed, deadline_ms);
		if (st)
			return ch_fail(err, st, "the server takes no more bytes");
	}
	return c->is_ended ? ch_fail(err, CH_E_PEER, "%s", c->end.text) : CH_OK;
}

CH_FIBER void line_conn_close(struct line_conn *c, int64_t linger_ms)
{
	int64_t deadline_ms = fiber_deadline(linger_ms);

	fiber_mask(1);           /* a farewell is sent also when we were cancelled */
	while (!c->is_ended && c->wire && wire_queued(c->wire))
		if (fiber_cond_wait(&c->changed, deadline_ms))
			break;
	fiber_mask(-1);
	end_with(c, CH_E_PEER, "the connection was closed by us");
	wire_free(CH_TAKE(c->wire));
}
