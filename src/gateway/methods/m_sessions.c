/*
 * gateway/methods/m_sessions.c - sessions.list, describe, resolve, preview, subscribe: looking.
 */
#include <string.h>

#include "core/clock.h"
#include "core/str.h"
#include "gateway/methods/methods.h"
#include "gateway/render.h"

#define LIST_LIMIT_DEFAULT 200
#define LIST_LIMIT_MAX 5000              /* session.maintenance.maxEntries: more are never kept */
#define PREVIEW_KEYS_MAX 64
#define PREVIEW_LIMIT_DEFAULT 6
#define PREVIEW_CHARS_DEFAULT 240

/* -- sessions.list -- */

static const struct gw_param list_params[] = {
	{ "limit", GP_INT, .min = 1, .max = INT64_MAX },
	{ "offset", GP_INT, .min = 0, .max = INT64_MAX },
	{ "activeMinutes", GP_INT, .min = 1, .max = INT64_MAX },
	{ "activeOnly", GP_BOOL },
	{ "requireLastInteraction", GP_BOOL },
	{ "sortBy", GP_STR },
	{ "includeGlobal", GP_BOOL },
	{ "includeUnknown", GP_BOOL },
	{ "configuredAgentsOnly", GP_BOOL },
	{ "includeDerivedTitles", GP_BOOL },
	{ "includeLastMessage", GP_BOOL },
	{ "includeActivitySummary", GP_BOOL },
	{ "includePeople", GP_BOOL },
	{ "excludeCron", GP_BOOL },
	{ "excludeSubagents", GP_BOOL },
	{ "excludeSystem", GP_BOOL },
	{ "hasBoard", GP_BOOL },
	{ "label", GP_STR, GP_NON_EMPTY, 1, 512 },
	{ "boardFace", GP_STR },
	{ "creatorId", GP_STR, GP_NON_EMPTY },
	{ "ownerId", GP_STR, GP_NON_EMPTY },
	{ "ownerFirst", GP_BOOL },
	{ "involvingMe", GP_BOOL },
	{ "involvingProfileId", GP_STR, GP_NON_EMPTY },
	{ "spawnedBy", GP_STR, GP_NON_EMPTY },
	{ "agentId", GP_STR, GP_NON_EMPTY },
	{ "search", GP_STR },
	{ "archived", GP_ANY },
	{ 0 },
};

static struct sess_query query_of(const struct json *p)
{
	const struct json *archived = json_get(p, "archived");
	int64_t minutes = json_get_int(p, "activeMinutes", 0);

	return (struct sess_query){
		.agent_id = json_get_str(p, "agentId"),
		.search = str_empty(json_get_str(p, "search")) ? NULL : json_get_str(p, "search"),
		.label = json_get_str(p, "label"),
		.spawned_by = json_get_str(p, "spawnedBy"),
		.active_since_ms = minutes ? now_wall_ms() - minutes * 60000 : 0,
		.archived = str_eq(json_str(archived), "all") ? -1 : json_bool_or(archived, false),
		.include_background = true,
		.limit = (size_t)CH_MIN(json_get_int(p, "limit", LIST_LIMIT_DEFAULT), LIST_LIMIT_MAX),
		.offset = (size_t)json_get_int(p, "offset", 0),
	};
}

struct listing { struct gw *gw; struct jw *w; size_t count; };

static bool on_session(void *arg, const struct sess *s)
{
	struct listing *l = arg;

	gw_render_session_row(l->gw, l->w, s);
	l->count++;
	return true;
}

/* The SessionsListResult object; sessions.subscribe with list parameters answers with one too. */
static ch_status put_list(struct gw_call *call, struct jw *w, struct ch_err *err)
{
	struct sess_query q = query_of(call->params);
	struct listing l = { call->gw, w, 0 };
	const char *agent = q.agent_id ? q.agent_id : agent_default_id(gw_config(call->gw), call->arena);
	size_t total = 0;

	jw_obj(w);
	jw_kint(w, "ts", now_wall_ms());
	jw_kstr(w, "path", db_path(call->gw->db));
	jw_karr(w, "sessions");
	ch_status st = sess_list(call->gw->sessions, &q, &total, on_session, &l, err);

	jw_end(w);
	if (st)
		return st;
	jw_kint(w, "count", (int64_t)l.count);
	jw_kint(w, "totalCount", (int64_t)total);
	jw_kint(w, "limitApplied", (int64_t)q.limit);
	if (q.offset + l.count < total)
		jw_kint(w, "nextOffset", (int64_t)(q.offset + l.count));
	else
		jw_knull(w, "nextOffset");
	jw_kbool(w, "hasMore", q.offset + l.count < total);
	jw_karr(w, "owners");
	jw_end(w);
	jw_key(w, "defaults");
	gw_render_session_defaults(call->gw, w, agent);
	jw_end(w);
	return buf_status(w->out, err, "sessions.list");
}

static CH_FIBER ch_status run_list(struct gw_call *call, struct ch_err *err)
{
	ch_status st = put_list(call, gw_reply_begin(call), err);

	if (st)
		return st;
	gw_reply_end(call);
	return CH_OK;
}

/* -- sessions.subscribe, sessions.messages.* -- */

static CH_FIBER ch_status run_subscribe(struct gw_call *call, struct ch_err *err)
{
	struct jw *w = gw_reply_begin(call);
	ch_status st = CH_OK;

	jw_obj(w);
	jw_kbool(w, "subscribed", true);
	if (json_first(call->params)) {
		jw_key(w, "list");
		st = put_list(call, w, err);
	}
	if (st)
		return st;
	jw_end(w);
	gw_conn_subscribe_sessions(call->conn, true);
	gw_reply_end(call);
	return CH_OK;
}

static const struct gw_param messages_params[] = {
	{ "key", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "agentId", GP_STR, GP_NON_EMPTY },
	{ "includeApprovals", GP_BOOL },
	{ 0 },
};

static ch_status set_messages(struct gw_call *call, bool on, struct ch_err *err)
{
	struct sess_key key;
	ch_status st = gw_session_key_param(call, &key, err);

	if (st)
		return st;
	gw_conn_subscribe_messages(call->conn, key.key, on);
	struct jw *w = gw_reply_begin(call);

	jw_obj(w);
	jw_kbool(w, "subscribed", on);
	jw_kstr(w, "key", key.key);
	if (on && json_get_bool(call->params, "includeApprovals", false)) {
		jw_kobj(w, "approvalReplay");    /* nothing asks for approval yet */
		jw_kstr(w, "sessionKey", key.key);
		jw_kint(w, "updatedAtMs", now_wall_ms());
		jw_karr(w, "approvals");
		jw_end(w);
		jw_kbool(w, "truncated", false);
		jw_end(w);
	}
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

static CH_FIBER ch_status run_messages_subscribe(struct gw_call *call, struct ch_err *err)
{
	return set_messages(call, true, err);
}

static const struct gw_param messages_unsubscribe_params[] = {
	{ "key", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "agentId", GP_STR, GP_NON_EMPTY },
	{ 0 },
};

static CH_FIBER ch_status run_messages_unsubscribe(struct gw_call *call, struct ch_err *err)
{
	return set_messages(call, false, err);
}

/* -- sessions.describe, sessions.resolve -- */

static const struct gw_param describe_params[] = {
	{ "key", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "agentId", GP_STR, GP_NON_EMPTY },
	{ "includeDerivedTitles", GP_BOOL },
	{ "includeLastMessage", GP_BOOL },
	{ 0 },
};

static CH_FIBER ch_status run_describe(struct gw_call *call, struct ch_err *err)
{
	CH_AUTO(sess_unref) struct sess *s = NULL;
	struct sess_key key;
	ch_status st = gw_session_key_param(call, &key, err);

	if (!st)
		st = sess_find(call->gw->sessions, key.key, &s, err);
	if (st && st != CH_E_NOT_FOUND)
		return st;
	struct jw *w = gw_reply_begin(call);

	jw_obj(w);
	jw_key(w, "session");
	if (s)
		gw_render_session_row(call->gw, w, s);
	else
		jw_null(w);
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

static const struct gw_param resolve_params[] = {
	{ "key", GP_STR, GP_NON_EMPTY },
	{ "sessionId", GP_STR, GP_NON_EMPTY },
	{ "label", GP_STR, GP_NON_EMPTY, 1, 512 },
	{ "shortId", GP_STR, GP_NON_EMPTY },
	{ "slugHint", GP_STR, GP_NON_EMPTY },
	{ "agentId", GP_STR, GP_NON_EMPTY },
	{ "spawnedBy", GP_STR, GP_NON_EMPTY },
	{ "includeGlobal", GP_BOOL },
	{ "includeUnknown", GP_BOOL },
	{ "allowMissing", GP_BOOL },
	{ 0 },
};

struct match { const struct json *p; struct gw_call *call; const char *keys[2]; size_t count; };

/* By session id, label, or the tail of the key. */
static bool on_candidate(void *arg, const struct sess *s)
{
	struct match *m = arg;
	const char *id = json_get_str(m->p, "sessionId"), *label = json_get_str(m->p, "label");
	const char *tail = json_get_str(m->p, "shortId");
	bool hit = (id && str_eq(id, s->session_id)) || (label && str_eq(label, s->label)) ||
		   (tail && (str_ends(s->key, tail) || str_starts(s->session_id, tail)));

	if (hit && m->count < CH_ARRAY_LEN(m->keys))
		m->keys[m->count++] = arena_strdup(m->call->arena, s->key);
	return m->count < CH_ARRAY_LEN(m->keys);
}

static ch_status find_by_facts(struct gw_call *call, struct sess_key *ret, struct ch_err *err)
{
	struct match m = { .p = call->params, .call = call };
	struct sess_query q = { .agent_id = json_get_str(call->params, "agentId"),
				.spawned_by = json_get_str(call->params, "spawnedBy"),
				.archived = -1, .include_background = true };
	size_t total;
	ch_status st = sess_list(call->gw->sessions, &q, &total, on_candidate, &m, err);

	if (st)
		return st;
	if (m.count == 0)
		return ch_fail(err, CH_E_INVALID, "No session found for the given sessionId, label or shortId");
	if (m.count > 1)
		return ch_fail(err, CH_E_INVALID, "Multiple sessions match (%s, %s, ...); give the key", m.keys[0], m.keys[1]);
	return gw_session_key(call, m.keys[0], ret, err);
}

static CH_FIBER ch_status run_resolve(struct gw_call *call, struct ch_err *err)
{
	const struct json *p = call->params;
	struct sess_key key;
	ch_status st;

	if (!json_get_str(p, "key") && !json_get_str(p, "sessionId") && !json_get_str(p, "label") && !json_get_str(p, "shortId"))
		return ch_fail(err, CH_E_INVALID, "sessions.resolve needs one of key, sessionId, label or shortId");
	st = json_get_str(p, "key") ? gw_session_key_param(call, &key, err) : find_by_facts(call, &key, err);
	if (st)
		return st;
	struct jw *w = gw_reply_begin(call);

	jw_obj(w);
	jw_kbool(w, "ok", true);
	jw_kstr(w, "key", key.key);
	jw_kstr(w, "agentId", key.agent_id);
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

/* -- sessions.preview -- */

static const struct gw_param preview_params[] = {
	{ "keys", GP_ARR, GP_REQUIRED, 1, PREVIEW_KEYS_MAX, .item = GP_STR },
	{ "limit", GP_INT, .min = 1, .max = 100 },
	{ "maxChars", GP_INT, .min = 20, .max = 20000 },
	{ 0 },
};

struct preview { struct gw_call *call; struct jw *w; size_t max_chars; };

static const char *text_of(struct arena *a, const struct tr_entry *e)
{
	struct json *message;

	if (json_parse(a, e->message, e->message_len, JSON_STRICT, &message, NULL))
		return "";
	const struct json *content = json_get(message, "content");

	if (json_str(content))
		return json_str(content);
	json_each(block, content)
		if (str_eq(json_get_str(block, "type"), "text"))
			return json_str_or(json_get(block, "text"), "");
	return "";
}

static bool on_preview_entry(void *arg, const struct tr_entry *e)
{
	struct preview *p = arg;
	const char *text = text_of(p->call->arena, e);
	bool is_tool = str_eq(e->role, "toolResult");

	if (str_empty(text) && !is_tool)
		return true;
	jw_obj(p->w);
	jw_kstr(p->w, "role", is_tool ? "tool" : e->role ? e->role : "other");
	jw_key(p->w, "text");
	jw_strn(p->w, text, utf8_cut(text, strlen(text), p->max_chars));
	jw_end(p->w);
	return true;
}

static ch_status put_preview(struct preview *p, const char *text, size_t limit, struct ch_err *err)
{
	CH_AUTO(sess_unref) struct sess *s = NULL;
	struct tr_range range = { .limit = limit, .since_reset = true };
	struct sess_key key;
	ch_status st = gw_session_key(p->call, text, &key, err);

	if (!st)
		st = sess_find(p->call->gw->sessions, key.key, &s, err);
	if (st && st != CH_E_NOT_FOUND)
		return st;
	jw_obj(p->w);
	jw_kstr(p->w, "key", text);
	jw_karr(p->w, "items");
	st = s ? tr_read(p->call->gw->sessions, s->session_id, &range, on_preview_entry, p, err) : CH_OK;
	jw_end(p->w);
	jw_kstr(p->w, "status", !s ? "missing" : s->total_tokens || s->last_preview ? "ok" : "empty");
	jw_end(p->w);
	return st;
}

static CH_FIBER ch_status run_preview(struct gw_call *call, struct ch_err *err)
{
	size_t limit = (size_t)json_get_int(call->params, "limit", PREVIEW_LIMIT_DEFAULT);
	struct preview p = { call, gw_reply_begin(call), (size_t)json_get_int(call->params, "maxChars", PREVIEW_CHARS_DEFAULT) };

	jw_obj(p.w);
	jw_kint(p.w, "ts", now_wall_ms());
	jw_karr(p.w, "previews");
	json_each(key, json_get(call->params, "keys")) {
		ch_status st = put_preview(&p, json_str(key), limit, err);

		if (st)
			return st;
	}
	jw_end(p.w);
	jw_end(p.w);
	gw_reply_end(call);
	return CH_OK;
}

const struct gw_method gwm_sessions[] = {
	/* name                           run                       scope           flags      params */
	{ "sessions.describe",             run_describe,             GW_SCOPE_READ,  0,         describe_params },
	{ "sessions.list",                 run_list,                 GW_SCOPE_READ,  0,         list_params },
	{ "sessions.messages.subscribe",   run_messages_subscribe,   GW_SCOPE_READ,  0,         messages_params },
	{ "sessions.messages.unsubscribe", run_messages_unsubscribe, GW_SCOPE_READ,  0,         messages_unsubscribe_params },
	{ "sessions.preview",              run_preview,              GW_SCOPE_READ,  0,         preview_params },
	{ "sessions.resolve",              run_resolve,              GW_SCOPE_READ,  GW_HIDDEN, resolve_params },
	{ "sessions.subscribe",            run_subscribe,            GW_SCOPE_READ,  0,         list_params },
};
const size_t gwm_sessions_count = CH_ARRAY_LEN(gwm_sessions);
