/*
 * http_api/session_history.c - GET /sessions/<key>/history: a page of a conversation, or all that comes.
 *
 *	limit=N     the newest N messages; without it all that fit HISTORY_BYTES
 *	cursor=SEQ  those before that one; the answer's nextCursor is the next page's
 *
 * With "Accept: text/event-stream" the page comes as an event `history`, and then each message as an event
 * `message`. A conversation that began anew, or a page that was asked for by limit or cursor, is sent as a whole again.
 */
#include <string.h>

#include "core/fiber.h"
#include "core/str.h"
#include "gateway/methods/history_show.h"
#include "gateway/watch.h"
#include "http_api/api.h"
#include "http_api/api_path.h"
#include "http_api/handlers.h"
#include "net/url.h"
#include "sessions/transcript.h"

#define LIMIT_MAX 1000
#define HISTORY_BYTES (6u << 20)
#define TEXT_CHARS 8000
#define KEEPALIVE_MS 15000
#define WRITE_MS 60000
#define PARTS 3                          /* sessions, key, history */

struct reader {
	struct gw *gw;
	struct http_call *call;
	const struct http_request *rq;
	const char *key;
	int64_t limit, cursor;           /* 0: none */
	/* of the page at hand */
	struct history_show show;
	struct jw w;
	int64_t first_seq, last_seq;
	bool as_events;
	struct buf *out;
	/* following */
	struct fiber_cond news;
	bool is_stale, has_left;
	char session_id[64];
	int64_t revision;
};

/* -- a page -- */

static void put_event(struct reader *r, const struct tr_entry *e)
{
	CH_AUTO_BUF struct buf json = { 0 };
	struct jw w = JW(&json);

	buf_init(&json, HISTORY_BYTES + (1u << 20));
	jw_obj(&w);
	jw_kstr(&w, "sessionKey", r->key);
	jw_key(&w, "message");
	history_show_message(&r->show, &w, e);
	jw_kstr(&w, "messageId", e->id);
	jw_kint(&w, "messageSeq", e->seq);
	jw_end(&w);
	api_sse(r->out, "message", &json);
}

static bool on_entry(void *arg, const struct tr_entry *e)
{
	struct reader *r = arg;

	if (!r->first_seq)
		r->first_seq = e->seq;
	r->last_seq = e->seq;
	if (r->as_events)
		put_event(r, e);
	else
		history_show_message(&r->show, &r->w, e);
	return true;
}

static ch_status read_range(struct reader *r, const char *session_id, const struct tr_range *range, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	ch_status st;

	history_show_init(&r->show, a, TEXT_CHARS);
	st = tr_read(r->gw->sessions, session_id, range, on_entry, r, err);
	history_show_done(&r->show);
	return st;
}

/* The array of messages is written once and stands under both names. */
static ch_status put_page(struct reader *r, struct sess *s, struct buf *out, struct ch_err *err)
{
	CH_AUTO_BUF struct buf list = { 0 };
	struct tr_range range = { .before_seq = r->cursor, .limit = (size_t)r->limit, .max_bytes = HISTORY_BYTES };
	struct jw w = JW(out);
	ch_status st;

	buf_init(&list, 2 * HISTORY_BYTES);
	r->w = JW(&list);
	r->as_events = false;
	r->first_seq = r->last_seq = 0;
	jw_arr(&r->w);
	st = read_range(r, s->session_id, &range, err);
	if (st)
		return st;
	jw_end(&r->w);
	jw_obj(&w);
	jw_kstr(&w, "sessionKey", r->key);
	jw_kraw(&w, "items", buf_str(&list), list.len);
	jw_kraw(&w, "messages", buf_str(&list), list.len);
	jw_kbool(&w, "hasMore", r->first_seq > 1);
	if (r->first_seq > 1)
		jw_kstr(&w, "nextCursor", arena_printf(r->rq->arena, "%lld", (long long)r->first_seq));
	jw_end(&w);
	return buf_status(&list, err, "the history");
}

static void refuse(struct reader *r, int status, const char *message)
{
	api_error_reply(r->call, &api_gateway, status, message);
}

static CH_FIBER void reply_page(struct reader *r, struct sess *s)
{
	CH_AUTO_BUF struct buf out = { 0 };
	struct ch_err err;

	buf_init(&out, API_OUT_MAX);
	if (put_page(r, s, &out, &err)) {
		refuse(r, 503, err.text);
		return;
	}
	http_reply_header(r->call, "Cache-Control", "no-store");
	http_reply_json(r->call, 200, buf_str(&out), out.len);
}

/* -- following -- */

static void on_news(void *arg)
{
	struct reader *r = arg;

	r->is_stale = true;
	fiber_cond_broadcast(&r->news);
}

static void on_leave(void *arg)
{
	struct reader *r = arg;

	r->has_left = true;
	fiber_cond_broadcast(&r->news);
}

static CH_FIBER ch_status send_out(struct reader *r, struct buf *out)
{
	ch_status st = out->failed ? out->failed : http_stream_write(r->call, out->data, out->len, fiber_deadline(WRITE_MS));

	buf_clear(out);
	return st;
}

static CH_FIBER ch_status send_history(struct reader *r, struct sess *s, struct buf *out, struct ch_err *err)
{
	CH_AUTO_BUF struct buf json = { 0 };
	ch_status st;

	buf_init(&json, API_OUT_MAX);
	snprintf(r->session_id, sizeof(r->session_id), "%s", s->session_id);
	r->revision = s->lifecycle_revision;
	st = put_page(r, s, &json, err);
	if (st)
		return st;
	api_sse(out, "history", &json);
	return send_out(r, out);
}

static CH_FIBER ch_status send_news(struct reader *r, struct buf *out, struct ch_err *err)
{
	CH_AUTO(sess_unref) struct sess *s = NULL;
	struct tr_range range = { .after_seq = r->last_seq, .max_bytes = HISTORY_BYTES };
	ch_status st = sess_find(r->gw->sessions, r->key, &s, err);

	r->is_stale = false;
	if (st)
		return st;
	if (r->limit || r->cursor || !str_eq(s->session_id, r->session_id) || s->lifecycle_revision != r->revision)
		return send_history(r, s, out, err);
	r->as_events = true;
	r->out = out;
	st = read_range(r, s->session_id, &range, err);
	return st || !out->len ? st : send_out(r, out);
}

static CH_FIBER ch_status follow(struct reader *r, struct sess *s, struct ch_err *err)
{
	CH_AUTO_BUF struct buf out = { 0 };
	ch_status st;

	buf_init(&out, API_OUT_MAX);
	buf_puts(&out, "retry: 1000\n\n");
	st = send_out(r, &out);
	if (!st)
		st = send_history(r, s, &out, err);
	while (!st && !r->has_left) {
		if (!r->is_stale)
			st = fiber_cond_wait(&r->news, fiber_deadline(KEEPALIVE_MS));
		if (st == CH_E_TIMEOUT) {
			buf_puts(&out, ": keepalive\n\n");
			st = send_out(r, &out);
		} else if (!st && r->is_stale) {
			st = send_news(r, &out, err);
		}
	}
	return st;
}

static CH_FIBER void reply_stream(struct reader *r, struct sess *s)
{
	struct gw_watch watch = { .session_key = r->key, .on_news = on_news, .arg = r };
	struct ch_err err;

	http_reply_header(r->call, "Cache-Control", "no-cache");
	http_reply_header(r->call, "X-Content-Type-Options", "nosniff");
	if (http_stream_begin(r->call, 200, "text/event-stream; charset=utf-8"))
		return;
	gw_watch_add(r->gw, &watch);
	http_call_on_leave(r->call, on_leave, r);
	(void)!follow(r, s, &err);       /* the client sees the end of the stream, and comes again */
	http_call_on_leave(r->call, NULL, NULL);
	gw_watch_remove(r->gw, &watch);
	http_stream_end(r->call);
}

/* -- the request -- */

/* Digits only, not 0; absent: *ret stays. */
static bool read_number(const struct reader *r, const char *name, int64_t *ret)
{
	const char *text = r->rq->query ? url_query_get(r->rq->arena, r->rq->query, name) : NULL;
	int64_t n;

	if (!text)
		return true;
	if (str_eq(name, "cursor") && str_starts(text, "seq:"))
		text += strlen("seq:");
	if (!*text || strspn(text, "0123456789") != strlen(text) || !str_to_i64(text, &n) || n < 1)
		return false;
	*ret = str_eq(name, "limit") ? CH_MIN(n, LIMIT_MAX) : n;
	return true;
}

static bool wants_stream(const struct http_request *rq)
{
	const char *accept = http_header(rq, "accept");

	return accept && strstr(accept, "text/event-stream");
}

void session_history(struct http_call *call, const struct http_request *rq, void *arg)
{
	CH_AUTO(sess_unref) struct sess *s = NULL;
	struct reader r = { .gw = arg, .call = call, .rq = rq };
	const char *parts[PARTS];
	struct sess_key key;
	size_t n;

	fiber_cond_init(&r.news);
	if (!api_path_parts(rq, parts, PARTS, &n) || n != PARTS ||
	    sess_key_parse(rq->arena, parts[1], agent_default_id(gw_config(r.gw), rq->arena), &key, NULL)) {
		refuse(&r, 400, "invalid session key");
		return;
	}
	r.key = key.key;
	if (sess_find(r.gw->sessions, r.key, &s, NULL))
		refuse(&r, 404, arena_printf(rq->arena, "Session not found: %.200s", parts[1]));
	else if (!read_number(&r, "limit", &r.limit))
		refuse(&r, 400, "limit must be a positive integer");
	else if (!read_number(&r, "cursor", &r.cursor))
		refuse(&r, 400, "cursor must be a positive integer");
	else if (wants_stream(rq))
		reply_stream(&r, s);
	else
		reply_page(&r, s);
}
