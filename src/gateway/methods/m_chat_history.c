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
#include "gateway/methods/chat_common.h"
#include "gateway/methods/history_show.h"
#include "gateway/methods/methods.h"
#include "gateway/methods/session_common.h"
#include "gateway/render.h"
#include "sessions/branch.h"

#define HISTORY_LIMIT_DEFAULT 200
#define HISTORY_BYTES_MAX (6u << 20)     /* one reply; the rest is asked for by offset */
#define DELTA_MAX 500                    /* messages; a client that missed more reads the page again */
#define PENDING_MAX 20                   /* waiting inputs shown at once */

#define PAGE_PARAMS                                                                                          \
	{ "cursor", GP_STR },                                                                                 \
	{ "limit", GP_INT, .min = 1, .max = 1000 },                                                           \
	{ "offset", GP_INT, .min = 0, .max = INT64_MAX },                                                     \
	{ "pendingBefore", GP_INT, .min = 1, .max = INT64_MAX },                                              \
	{ "inputRunIds", GP_ARR, GP_NON_EMPTY | GP_UNIQUE, 1, 50, .item = GP_STR },                            \
	{ "messageId", GP_STR, GP_NON_EMPTY },                                                                \
	{ "sessionId", GP_STR, GP_NON_EMPTY },                                                                \
	{ "maxChars", GP_INT, .min = 1, .max = 500000 },                                                      \
	{ "maxBytes", GP_INT, .min = 1, .max = INT64_MAX }

static const struct gw_param history_params[] = {
	{ "sessionKey", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "agentId", GP_STR, GP_NON_EMPTY },
	PAGE_PARAMS,
	{ 0 },
};

static const struct gw_param startup_params[] = {
	{ "sessionKey", GP_STR, GP_NON_EMPTY },
	{ "shortId", GP_STR, GP_NON_EMPTY },
	{ "slugHint", GP_STR, GP_NON_EMPTY },
	{ "agentId", GP_STR, GP_NON_EMPTY },
	PAGE_PARAMS,
	{ 0 },
};

struct history {
	struct gw_call *call;
	struct sess *sess;
	const char *session_id;
	struct jw *w;
	struct history_show show;
	int64_t total, first_seq, last_seq;
	size_t count;
	bool as_events;                  /* delta: each message as in session.message */
};

/* -- one message -- */

static bool on_entry(void *arg, const struct tr_entry *e)
{
	struct history *h = arg;

	if (!h->first_seq)
		h->first_seq = e->seq;
	h->last_seq = e->seq;
	h->count++;
	if (history_is_hidden(e))
		return true;
	if (h->as_events) {
		jw_obj(h->w);
		jw_kstr(h->w, "sessionKey", h->sess->key);
		jw_kstr(h->w, "agentId", h->sess->agent_id);
		jw_key(h->w, "message");
		history_show_message(&h->show, h->w, e);
		jw_kstr(h->w, "messageId", e->id);
		jw_kint(h->w, "messageSeq", e->seq);
		jw_kstr_opt(h->w, "runId", e->run_id);
		jw_end(h->w);
	} else {
		history_show_message(&h->show, h->w, e);
	}
	return true;
}

/* -- cursor -- */

static void put_cursor(struct history *h, int64_t last_seq)
{
	CH_AUTO_BUF struct buf text = { 0 };
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

/* The newest ones before a moment; the list is short, as the queue has a cap. */
struct pending { struct arena *a; struct input_row items[PENDING_MAX]; size_t count, total; int64_t before; bool cut; };

static bool on_pending(void *arg, const struct input_row *in)
{
	struct pending *p = arg;

	p->total++;
	if (p->before && in->accepted_at >= p->before)
		return true;
	if (p->count == PENDING_MAX) {
		memmove(p->items, p->items + 1, sizeof(p->items) - sizeof(p->items[0]));
		p->count--;
		p->cut = true;
	}
	p->items[p->count++] = (struct input_row){
		.run_id = arena_strdup(p->a, in->run_id), .session_id = arena_strdup(p->a, in->session_id),
		.message = arena_strdup(p->a, in->message), .meta = in->meta ? arena_strdup(p->a, in->meta) : NULL,
		.accepted_at = in->accepted_at,
	};
	return true;
}

static void put_pending_item(struct history *h, const struct input_row *in)
{
	struct jw *w = h->w;
	struct tr_entry e = {
		.id = arena_printf(h->call->arena, "pending:%s", in->run_id), .type = "message", .role = "user", .message = in->message,
		.message_len = strlen(in->message), .meta = in->meta, .created_at = in->accepted_at, .session_id = in->session_id,
	};

	jw_obj(w);
	jw_kstr(w, "id", in->run_id);
	jw_kint(w, "acceptedAt", in->accepted_at);
	jw_kstr(w, "state", "queued");
	jw_key(w, "message");
	history_show_message(&h->show, w, &e);
	jw_kstr(w, "runId", in->run_id);
	jw_end(w);
}

static ch_status put_pending(struct history *h, struct ch_err *err)
{
	struct pending p = { .a = h->call->arena, .before = json_get_int(h->call->params, "pendingBefore", 0) };
	ch_status st = input_pending(h->call->gw->sessions, h->sess->key, on_pending, &p, err);

	h->show.session_key = NULL;              /* what waits is no message yet: its pictures have no URL */
	jw_kobj(h->w, "pendingInputs");
	jw_karr(h->w, "items");
	for (size_t i = 0; i < p.count; i++)
		put_pending_item(h, &p.items[i]);
	jw_end(h->w);
	jw_kint(h->w, "total", (int64_t)p.total);
	if (p.cut)
		jw_kint(h->w, "nextBefore", p.items[0].accepted_at);
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

/* The row of the transcript that an input became; NULL while there is none. */
static const char *consumed_by(struct history *h, const char *run_id)
{
	struct tr_entry e;

	return tr_find_once(h->call->gw->sessions, h->session_id, arena_printf(h->call->arena, "%s:user", run_id), h->call->arena, &e,
			   NULL) == CH_OK ? e.id : NULL;
}

/* What became of inputs the client sent before it lost the connection; of what nobody knows nothing is said. */
static void put_receipts(struct history *h)
{
	const struct json *ids = json_get(h->call->params, "inputRunIds");
	struct jw *w = h->w;

	if (!ids)
		return;
	for (int only_consumed = 0; only_consumed < 2; only_consumed++) {
		jw_karr(w, only_consumed ? "inputConsumptions" : "inputReceipts");
		json_each(id, ids) {
			const char *row = consumed_by(h, json_str(id));
			struct input_row in;

			if (!row && (only_consumed || input_find(h->call->gw->sessions, h->sess->key, json_str(id), h->call->arena, &in, NULL) ||
				     in.ended_at))
				continue;
			jw_obj(w);
			jw_kstr(w, "runId", json_str(id));
			if (!only_consumed)
				jw_kstr(w, "state", row ? "consumed" : "pending");
			jw_kstr_opt(w, "consumedByEventId", row);
			jw_end(w);
		}
		jw_end(w);
	}
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

	history_show_activity(&h->show, h->w);
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

struct reach { int64_t first_seq; };

static bool on_first(void *arg, const struct tr_entry *e)
{
	((struct reach *)arg)->first_seq = e->seq;
	return false;
}

/* Does all that came since fit into one answer? A gap would never be closed. */
static ch_status fits_delta(struct history *h, int64_t after, bool *ret, struct ch_err *err)
{
	struct tr_range range = { .after_seq = after, .max_bytes = HISTORY_BYTES_MAX };
	struct reach r = { after + 1 };
	ch_status st = CH_OK;

	if (h->total - after > 1 && h->total - after <= DELTA_MAX)
		st = tr_read(h->call->gw->sessions, h->session_id, &range, on_first, &r, err);
	*ret = h->total - after <= DELTA_MAX && r.first_seq == after + 1;
	return st;
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

/* sessionId asks for an older window: it must be one of this session. */
static ch_status choose_window(struct history *h, struct ch_err *err)
{
	const char *asked = json_get_str(h->call->params, "sessionId");
	bool is_own = true;
	ch_status st = CH_OK;

	h->session_id = h->sess->session_id;
	if (!asked || str_eq(asked, h->session_id))
		return CH_OK;
	st = window_is_of(h->call->gw->sessions, asked, h->sess->key, &is_own, err);
	if (!st && !is_own)
		return ch_fail(err, CH_E_INVALID, "session %s has no transcript %.64s", h->sess->key, asked);
	h->session_id = asked;
	return st;
}

static ch_status put_answer(struct history *h, bool with_metadata, struct ch_err *err)
{
	const char *cursor = json_get_str(h->call->params, "cursor");
	int64_t after = cursor ? cursor_seq(h, cursor) : -1;
	bool fits = true;
	ch_status st = after >= 0 ? fits_delta(h, after, &fits, err) : CH_OK;

	if (st)
		return st;
	h->w = gw_reply_begin(h->call);
	jw_obj(h->w);
	if (!cursor)
		st = put_page(h, with_metadata, err);
	else if (after >= 0 && fits)
		st = put_delta(h, after, with_metadata, err);
	else
		jw_kstr(h->w, "kind", "reset");
	if (st)
		return st;
	jw_end(h->w);
	gw_reply_end(h->call);
	return CH_OK;
}

static CH_FIBER ch_status history(struct gw_call *call, const struct sess_key *key, bool with_metadata, struct ch_err *err)
{
	CH_AUTO(sess_unref) struct sess *s = NULL;
	const char *message_id = json_get_str(call->params, "messageId");
	struct history h = { .call = call };
	ch_status st = sess_find(call->gw->sessions, key->key, &s, err);

	if (st == CH_E_NOT_FOUND) {
		reply_empty(call, key, with_metadata);
		return CH_OK;
	}
	if (st)
		return st;
	h.sess = s;
	st = choose_window(&h, err);
	if (!st)
		st = tr_count(call->gw->sessions, h.session_id, &h.total, err);
	if (!st && message_id)
		st = page_around(&h, message_id, err);
	if (st)
		return st;
	history_show_init(&h.show, call->arena, (size_t)json_get_int(call->params, "maxChars", HISTORY_TEXT_DEFAULT));
	h.show.session_key = str_eq(h.session_id, s->session_id) ? s->key : NULL;
	st = put_answer(&h, with_metadata, err);
	history_show_done(&h.show);
	return st;
}

static CH_FIBER ch_status run_history(struct gw_call *call, struct ch_err *err)
{
	struct sess_key key;
	ch_status st = gw_session_key_param(call, &key, err);

	return st ? st : history(call, &key, false, err);
}

/* A link names its session by a part of its id; sessionKey otherwise. */
static CH_FIBER ch_status run_startup(struct gw_call *call, struct ch_err *err)
{
	const struct json *p = call->params;
	struct sess_key key;
	ch_status st;

	if (json_get(p, "sessionKey") ? json_get(p, "shortId") != NULL : !json_get(p, "shortId") || !json_get(p, "agentId"))
		return ch_fail(err, CH_E_INVALID, "invalid chat.startup params: either sessionKey, or shortId and agentId");
	st = json_get(p, "shortId") ? session_by_short_id(call, &key, err) : gw_session_key_param(call, &key, err);
	return st ? st : history(call, &key, true, err);
}

static const struct gw_param metadata_params[] = {
	{ "agentId", GP_STR, GP_NON_EMPTY },
	{ "authProfileId", GP_STR, GP_NON_EMPTY },
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
	{ "chat.startup",  run_startup,  GW_SCOPE_READ,  0,    startup_params },
};
const size_t gwm_chat_history_count = CH_ARRAY_LEN(gwm_chat_history);
