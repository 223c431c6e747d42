/*
 * gateway/methods/m_chat_history.c - chat.history, chat.startup, chat.metadata: reading a conversation.
 *
 * A page is the newest `limit` messages before `offset`, bounded by bytes; it is
 * streamed from the store into the reply, message texts spliced as they are. With a cursor
 * from an earlier answer only what came since is sent ("delta"), or "reset" when the
 * transcript is another one by now.
 */
#include <string.h>

#include "core/str.h"
#include "core/vec.h"
#include "gateway/methods/chat_common.h"
#include "gateway/methods/methods.h"
#include "gateway/render.h"
#include "tools/tool.h"

#define HISTORY_LIMIT_DEFAULT 200
#define HISTORY_BYTES_MAX (6u << 20)     /* one reply; the rest is asked for by offset */
#define HISTORY_TEXT_DEFAULT 200000      /* characters shown of one text block */

static const struct gw_param history_params[] = {
	{ "sessionKey", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "agentId", GP_STR, GP_NON_EMPTY },
	{ "cursor", GP_STR },
	{ "limit", GP_INT, .min = 1, .max = 1000 },
	{ "offset", GP_INT, .min = 0, .max = INT64_MAX },
	{ "pendingBefore", GP_INT, .min = 1, .max = INT64_MAX },
	{ "inputRunIds", GP_ARR, .item = GP_STR, .min = 1, .max = 50 },
	{ "messageId", GP_STR, GP_NON_EMPTY },
	{ "sessionId", GP_STR, GP_NON_EMPTY },
	{ "maxChars", GP_INT, .min = 1, .max = 500000 },
	{ "maxBytes", GP_INT, .min = 1, .max = INT64_MAX },
	{ 0 },
};

struct history {
	struct gw_call *call;
	struct sess *sess;
	const char *session_id;
	struct jw *w;
	struct buf activity;             /* array items, or empty */
	struct jw activity_jw;
	size_t max_chars;
	int64_t total, first_seq, last_seq;
	size_t count;
	bool as_events;                  /* delta: each message as in session.message */
};

/* -- one message -- */

/* A tool call of an assistant row, as the live `item` frames show it. */
static void put_activity_item(struct history *h, const struct json *block)
{
	const char *id = json_str_or(json_get(block, "id"), "");
	const char *name = json_str_or(json_get(block, "name"), "");
	const struct tool *t = tool_find(name);
	const char *meta = t && t->meta ? t->meta(h->call->arena, json_get(block, "arguments")) : NULL;
	struct jw *w = &h->activity_jw;

	jw_obj(w);
	jw_kstr(w, "itemId", arena_printf(h->call->arena, "tool:%s", id));
	jw_kstr(w, "toolCallId", id);
	jw_kstr(w, "name", name);
	jw_kstr(w, "kind", "tool");
	jw_kstr(w, "phase", "end");
	jw_kstr(w, "title", meta ? arena_printf(h->call->arena, "%s %s", t->label, meta) : t ? t->label : name);
	jw_kstr(w, "status", "completed");
	jw_kbool(w, "commandBearing", t && t->risk == TOOL_RUNS);
	jw_end(w);
}

static void put_activity(struct history *h, const struct tr_entry *e, const struct json *message)
{
	struct jw *w = &h->activity_jw;
	bool any = false;

	json_each(block, json_get(message, "content")) {
		if (!str_eq(json_get_str(block, "type"), "toolCall"))
			continue;
		if (!any) {
			jw_obj(w);
			jw_kstr(w, "messageId", e->id);
			jw_karr(w, "items");
		}
		any = true;
		put_activity_item(h, block);
	}
	if (any) {
		jw_end(w);
		jw_end(w);
	}
}

static struct json *cut_text(struct history *h, const char *text, size_t len)
{
	size_t n = utf8_cut(text, len, h->max_chars);

	return json_new_str(h->call->arena, arena_printf(h->call->arena, "%.*s\n... (%zu bytes not shown)", (int)n, text, len - n));
}

/* Shortens over-long texts; images stay out of pages (chat.message.get has them). */
static void shorten(struct history *h, struct json *message)
{
	struct json *content = json_get(message, "content");
	struct arena *a = h->call->arena;

	if (json_str(content) && content->len > h->max_chars) {
		json_set(a, message, "content", cut_text(h, content->str, content->len));
		return;
	}
	json_each(block, content) {
		struct json *text = json_get(block, "text");

		if (json_str(text) && text->len > h->max_chars)
			json_set(a, block, "text", cut_text(h, text->str, text->len));
	}
}

static bool may_hold(const struct tr_entry *e, const char *word)
{
	return memmem(e->message, e->message_len, word, strlen(word)) != NULL;
}

static void put_message(struct history *h, const struct tr_entry *e)
{
	bool has_calls = str_eq(e->role, "assistant") && may_hold(e, "\"toolCall\"");
	bool is_long = e->message_len > h->max_chars;
	struct tr_entry shown = *e;
	struct json *message = NULL;

	if ((has_calls || is_long) && json_parse(h->call->arena, e->message, e->message_len, JSON_STRICT, &message, NULL) == CH_OK) {
		if (has_calls)
			put_activity(h, e, message);
		if (is_long) {
			shorten(h, message);
			shown.message = json_to_str(h->call->arena, message);
			shown.message_len = strlen(shown.message);
		}
	}
	gw_render_message(h->w, &shown);
}

static bool on_entry(void *arg, const struct tr_entry *e)
{
	struct history *h = arg;

	if (!h->first_seq)
		h->first_seq = e->seq;
	h->last_seq = e->seq;
	h->count++;
	if (h->as_events) {
		jw_obj(h->w);
		jw_kstr(h->w, "sessionKey", h->sess->key);
		jw_kstr(h->w, "agentId", h->sess->agent_id);
		jw_key(h->w, "message");
		put_message(h, e);
		jw_kstr(h->w, "messageId", e->id);
		jw_kint(h->w, "messageSeq", e->seq);
		jw_kstr_opt(h->w, "runId", e->run_id);
		jw_end(h->w);
	} else {
		put_message(h, e);
	}
	return true;
}

/* -- cursor -- */

static void put_cursor(struct history *h, int64_t last_seq)
{
	CH_AUTO_BUF struct buf text;
	struct jw w = JW(&text);
	char *encoded;

	buf_init(&text, 4096);
	jw_obj(&w);
	jw_kstr(&w, "agentId", h->sess->agent_id);
	jw_kint(&w, "generation", h->sess->lifecycle_revision);
	jw_kint(&w, "lastSeq", last_seq);
	jw_kstr(&w, "sessionId", h->session_id);
	jw_kint(&w, "version", 1);
	jw_end(&w);
	encoded = arena_alloc(h->call->arena, b64url_encoded_len(text.len) + 1);
	b64url_encode(text.data, text.len, encoded);
	jw_kstr(h->w, "deltaCursor", encoded);
}

/* -1 when the cursor is not of this transcript (or not one of ours). */
static int64_t cursor_seq(struct history *h, const char *cursor)
{
	size_t n = strlen(cursor);
	char *text = arena_try_alloc(h->call->arena, n + 1);
	struct json *v;
	size_t len;

	if (!text || !b64_decode(cursor, n, text, n, &len) || json_parse(h->call->arena, text, len, JSON_STRICT, &v, NULL))
		return -1;
	if (json_get_int(v, "version", 0) != 1 || !str_eq(json_get_str(v, "sessionId"), h->session_id) ||
	    json_get_int(v, "generation", -1) != h->sess->lifecycle_revision)
		return -1;
	int64_t seq = json_get_int(v, "lastSeq", -1);

	return seq >= 0 && seq <= h->total ? seq : -1;
}

/* -- the parts around the messages -- */

struct pending { struct history *h; int64_t count; };

static bool on_pending(void *arg, const struct input_row *in)
{
	struct pending *p = arg;
	struct jw *w = p->h->w;
	struct tr_entry e = {
		.id = arena_printf(p->h->call->arena, "pending:%s", in->run_id), .type = "message", .role = "user",
		.message = in->message, .message_len = strlen(in->message), .meta = in->meta, .created_at = in->accepted_at,
		.session_id = in->session_id,
	};

	p->count++;
	jw_obj(w);
	jw_kstr(w, "id", in->run_id);
	jw_kint(w, "acceptedAt", in->accepted_at);
	jw_kstr(w, "state", "queued");
	jw_key(w, "message");
	gw_render_message(w, &e);
	jw_kstr(w, "runId", in->run_id);
	jw_end(w);
	return true;
}

static ch_status put_pending(struct history *h, struct ch_err *err)
{
	struct pending p = { .h = h };
	ch_status st;

	jw_kobj(h->w, "pendingInputs");
	jw_karr(h->w, "items");
	st = input_pending(h->call->gw->sessions, h->sess->key, on_pending, &p, err);
	jw_end(h->w);
	jw_kint(h->w, "total", p.count);
	jw_end(h->w);
	return st;
}

static void put_in_flight(struct history *h)
{
	struct run_in_flight run;

	if (agent_in_flight(h->call->gw->agents, h->sess->key, h->call->arena, &run, NULL))
		return;
	jw_kobj(h->w, "inFlightRun");
	jw_kstr(h->w, "runId", run.run_id);
	jw_kstr(h->w, "text", run.text ? run.text : "");
	jw_kint(h->w, "startedAt", run.started_at);
	jw_end(h->w);
}

/* What became of inputs the client sent before it lost the connection. */
static void put_receipts(struct history *h)
{
	const struct json *ids = json_get(h->call->params, "inputRunIds");
	struct jw *w = h->w;

	if (!ids)
		return;
	jw_karr(w, "inputReceipts");
	json_each(id, ids) {
		struct input_row in;

		if (input_find(h->call->gw->sessions, h->sess->key, json_str(id), h->call->arena, &in, NULL))
			continue;
		jw_obj(w);
		jw_kstr(w, "runId", in.run_id);
		jw_kstr(w, "state", in.state == INPUT_QUEUED || in.state == INPUT_RUNNING ? "pending" : input_state_name(in.state));
		jw_end(w);
	}
	jw_end(w);
	jw_karr(w, "inputConsumptions");
	jw_end(w);
}

static void put_metadata(struct gw_call *call, struct jw *w)
{
	static const char account[] = "{\"kind\":\"automatic\",\"label\":\"Automatic account selection\"}";

	jw_key(w, "models");
	gw_render_models(call->gw, w);
	jw_key(w, "commands");
	gw_render_commands(call->gw, w);
	jw_kbool(w, "swarmEnabled", false);
	jw_kraw(w, "accountSelection", account, sizeof(account) - 1);
	jw_kbool(w, "runtimeSelectionLocked", false);
}

static ch_status put_tail(struct history *h, bool with_metadata, struct ch_err *err)
{
	ch_status st;

	jw_end(&h->activity_jw);
	if (h->activity.len > 2) {               /* more than "[]" */
		jw_kraw(h->w, "activity", h->activity.data, h->activity.len);
	}
	st = put_pending(h, err);
	if (st)
		return st;
	put_receipts(h);
	put_in_flight(h);
	jw_key(h->w, "sessionInfo");
	gw_render_session_row_as(h->call->gw, h->w, h->sess, GW_ROW_LEAF);
	if (with_metadata) {
		jw_kobj(h->w, "metadata");
		put_metadata(h->call, h->w);
		jw_end(h->w);
	}
	return buf_status(h->w->out, err, "history");
}

/* -- whole answers -- */

static void begin_activity(struct history *h)
{
	h->activity_jw = JW(&h->activity);
	jw_arr(&h->activity_jw);
}

/* An unknown session is an empty one: clients open a page before the first message. */
static void reply_empty(struct gw_call *call, const struct sess_key *key, bool with_metadata)
{
	struct jw *w = gw_reply_begin(call);

	jw_obj(w);
	jw_kstr(w, "sessionKey", key->key);
	jw_karr(w, "messages");
	jw_end(w);
	jw_kraw(w, "pendingInputs", "{\"items\":[],\"total\":0}", 22);
	jw_key(w, "defaults");
	gw_render_session_defaults(call->gw, w, key->agent_id);
	jw_kbool(w, "hasMore", false);
	jw_kint(w, "totalMessages", 0);
	jw_kstr(w, "thinkingLevel", "off");
	if (with_metadata) {
		jw_kobj(w, "metadata");
		put_metadata(call, w);
		jw_end(w);
	}
	jw_end(w);
	gw_reply_end(call);
}

static ch_status put_delta(struct history *h, int64_t after, bool with_metadata, struct ch_err *err)
{
	struct tr_range range = { .after_seq = after, .max_bytes = HISTORY_BYTES_MAX };
	ch_status st;

	jw_kstr(h->w, "kind", "delta");
	jw_karr(h->w, "messages");
	h->as_events = true;
	st = tr_read(h->call->gw->sessions, h->session_id, &range, on_entry, h, err);
	jw_end(h->w);
	if (st)
		return st;
	put_cursor(h, h->count ? h->last_seq : after);
	return put_tail(h, with_metadata, err);
}

static ch_status put_page(struct history *h, bool with_metadata, struct ch_err *err)
{
	const struct json *p = h->call->params;
	int64_t offset = json_get_int(p, "offset", 0);
	struct tr_range range = {
		.limit = (size_t)json_get_int(p, "limit", HISTORY_LIMIT_DEFAULT),
		.before_seq = offset ? h->total - offset + 1 : 0,
		.max_bytes = (size_t)CH_MIN(json_get_int(p, "maxBytes", HISTORY_BYTES_MAX), HISTORY_BYTES_MAX),
	};
	ch_status st = CH_OK;

	jw_kstr(h->w, "sessionKey", h->sess->key);
	jw_kstr(h->w, "sessionId", h->session_id);
	jw_karr(h->w, "messages");
	if (offset < h->total)
		st = tr_read(h->call->gw->sessions, h->session_id, &range, on_entry, h, err);
	jw_end(h->w);
	if (st)
		return st;
	if (!offset)
		put_cursor(h, h->total);
	bool has_more = h->first_seq > 1;

	if (has_more)
		jw_kint(h->w, "nextOffset", offset + (int64_t)h->count);
	jw_kbool(h->w, "hasMore", has_more);
	jw_kint(h->w, "totalMessages", h->total);
	jw_key(h->w, "defaults");
	gw_render_session_defaults(h->call->gw, h->w, h->sess->agent_id);
	jw_kstr(h->w, "thinkingLevel", str_empty(h->sess->thinking_level) ? "off" : h->sess->thinking_level);
	jw_kstr_opt(h->w, "verboseLevel", h->sess->verbose_level);
	return put_tail(h, with_metadata, err);
}

/* messageId: the page that ends with this message. */
static ch_status page_around(struct history *h, const char *message_id, struct ch_err *err)
{
	struct tr_entry e;
	ch_status st = tr_find(h->call->gw->sessions, h->session_id, message_id, h->call->arena, &e, err);

	if (st == CH_E_NOT_FOUND || (!st && !e.seq))
		return ch_fail(err, CH_E_INVALID, "message not found: %s", message_id);
	if (st)
		return st;
	json_set(h->call->arena, (struct json *)h->call->params, "offset", json_new_int(h->call->arena, h->total - e.seq));
	return CH_OK;
}

static CH_FIBER ch_status history(struct gw_call *call, bool with_metadata, struct ch_err *err)
{
	CH_AUTO(sess_unref) struct sess *s = NULL;
	const char *cursor = json_get_str(call->params, "cursor");
	const char *message_id = json_get_str(call->params, "messageId");
	struct history h = { .call = call, .max_chars = (size_t)json_get_int(call->params, "maxChars", HISTORY_TEXT_DEFAULT) };
	struct sess_key key;
	ch_status st = gw_session_key_param(call, &key, err);

	if (!st)
		st = sess_find(call->gw->sessions, key.key, &s, err);
	if (st == CH_E_NOT_FOUND) {
		reply_empty(call, &key, with_metadata);
		return CH_OK;
	}
	if (st)
		return st;
	h.sess = s;
	h.session_id = json_get_str(call->params, "sessionId") ? json_get_str(call->params, "sessionId") : s->session_id;
	st = tr_count(call->gw->sessions, h.session_id, &h.total, err);
	if (!st && message_id)
		st = page_around(&h, message_id, err);
	if (st)
		return st;
	int64_t after = cursor ? cursor_seq(&h, cursor) : -1;

	h.w = gw_reply_begin(call);
	jw_obj(h.w);
	buf_init(&h.activity, HISTORY_BYTES_MAX);
	begin_activity(&h);
	if (!cursor)
		st = put_page(&h, with_metadata, err);
	else if (after >= 0)
		st = put_delta(&h, after, with_metadata, err);
	else
		jw_kstr(h.w, "kind", "reset");
	buf_done(&h.activity);
	if (st)
		return st;
	jw_end(h.w);
	gw_reply_end(call);
	return CH_OK;
}

static CH_FIBER ch_status run_history(struct gw_call *call, struct ch_err *err)
{
	return history(call, false, err);
}

static CH_FIBER ch_status run_startup(struct gw_call *call, struct ch_err *err)
{
	return history(call, true, err);
}

static const struct gw_param metadata_params[] = {
	{ "agentId", GP_STR, GP_NON_EMPTY },
	{ "sessionKey", GP_STR, GP_NON_EMPTY },
	{ 0 },
};

static CH_FIBER ch_status run_metadata(struct gw_call *call, struct ch_err *err)
{
	struct jw *w = gw_reply_begin(call);

	jw_obj(w);
	put_metadata(call, w);
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

const struct gw_method gwm_chat_history[] = {
	/* name            run           scope           flags params */
	{ "chat.history",  run_history,  GW_SCOPE_READ,  0,    history_params },
	{ "chat.metadata", run_metadata, GW_SCOPE_READ,  0,    metadata_params },
	{ "chat.startup",  run_startup,  GW_SCOPE_READ,  0,    history_params },
};
const size_t gwm_chat_history_count = CH_ARRAY_LEN(gwm_chat_history);
