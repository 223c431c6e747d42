/*
 * gateway/methods/m_sessions.c - sessions.list, describe, preview, subscribe: looking.
 */
#include <string.h>

#include "core/clock.h"
#include "core/str.h"
#include "gateway/approval_events.h"
#include "gateway/conn.h"
#include "gateway/methods/methods.h"
#include "gateway/methods/session_common.h"
#include "gateway/render.h"
#include "sessions/text.h"

#define LIST_LIMIT_DEFAULT 200
#define LIST_LIMIT_MAX 5000              /* session.maintenance.maxEntries: more are never kept */
#define ACTIVE_MINUTES_MAX (100ll * 366 * 24 * 60)        /* what a clock can be behind */
#define PREVIEW_KEYS_MAX 64
#define PREVIEW_LIMIT_DEFAULT 12
#define PREVIEW_CHARS_DEFAULT 240
#define PREVIEW_LIMIT_MAX 100
#define PREVIEW_CHARS_MAX 20000

/* -- sessions.list -- */

static const char *const sort_words[] = { "updatedAt", "lastInteractionAt", "activity", NULL };
static const char *const board_faces[] = { "chat", "dashboard", NULL };
static const char *const archived_words[] = { "all", NULL };
static const char *const relations[] = { "owned", "created", "involving", NULL };

static const struct gw_param relation_params[] = {
	{ "profileId", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "relationship", GP_ENUM, GP_REQUIRED, .choices = relations },
	{ 0 },
};

const struct gw_param gwm_session_list_params[] = {
	{ "limit", GP_INT, .min = 1, .max = INT64_MAX },
	{ "offset", GP_INT, .min = 0, .max = INT64_MAX },
	{ "activeMinutes", GP_INT, .min = 1, .max = INT64_MAX },
	{ "activeOnly", GP_BOOL },
	{ "requireLastInteraction", GP_BOOL },
	{ "sortBy", GP_ENUM, .choices = sort_words },
	{ "includeGlobal", GP_BOOL },
	{ "includeUnknown", GP_BOOL },
	{ "excludeSubagents", GP_BOOL },
	{ "excludeCron", GP_BOOL },
	{ "excludeSystem", GP_BOOL },
	{ "configuredAgentsOnly", GP_BOOL },
	{ "includeDerivedTitles", GP_BOOL },
	{ "includeLastMessage", GP_BOOL },
	{ "includeActivitySummary", GP_BOOL },
	{ "label", GP_STR, GP_NON_EMPTY, 1, 512 },
	{ "projectId", GP_STR, GP_NON_EMPTY },
	{ "workspaceDir", GP_STR, GP_NON_EMPTY },
	{ "group", GP_STR },
	{ "pinned", GP_BOOL },
	{ "boardFace", GP_ENUM, .choices = board_faces },
	{ "hasBoard", GP_BOOL },
	{ "creatorId", GP_STR, GP_NON_EMPTY },
	{ "ownerId", GP_STR, GP_NON_EMPTY },
	{ "ownerFirst", GP_BOOL },
	{ "involvingMe", GP_BOOL },
	{ "profileRelation", GP_OBJ, .members = relation_params },
	{ "involvingProfileId", GP_STR, GP_NON_EMPTY },
	{ "includePeople", GP_BOOL },
	{ "spawnedBy", GP_STR, GP_NON_EMPTY },
	{ "agentId", GP_STR, GP_NON_EMPTY },
	{ "search", GP_STR },
	{ "archived", GP_BOOL_OR_ENUM, .choices = archived_words },
	{ 0 },
};

static enum sess_order order_of(const struct json *p)
{
	const char *word = json_get_str(p, "sortBy");

	if (str_eq(word, "lastInteractionAt"))
		return SESS_BY_INTERACTION;
	return str_eq(word, "activity") ? SESS_BY_ACTIVITY : SESS_BY_PLACE;
}

static bool names_other(const char *profile_id)
{
	return profile_id && !str_eq(profile_id, GW_OWNER_PROFILE);
}

/* The only person is the owner, so a question about somebody else has no answer. */
static void ask_people(const struct gw_call *call, const struct json *p, struct sess_query *q)
{
	const struct json *relation = json_get(p, "profileRelation");
	const char *profile = json_get_str(relation, "profileId");
	bool is_me = call->conn->client->is_tracked;

	if (names_other(json_get_str(p, "ownerId")) || names_other(json_get_str(p, "creatorId")) ||
	    names_other(json_get_str(p, "involvingProfileId")) || names_other(profile))
		q->nothing = true;
	q->owned = json_get_str(p, "ownerId") || json_get_str(p, "creatorId") ||
		   (relation && !str_eq(json_get_str(relation, "relationship"), "involving"));
	if (json_get_str(p, "involvingProfileId") || str_eq(json_get_str(relation, "relationship"), "involving") ||
	    (is_me && json_get_bool(p, "involvingMe", false)))
		q->involving = GW_OWNER_PROFILE;
	q->owner_first = is_me && json_get_bool(p, "ownerFirst", false);
}

/* The ids of agents that the configuration has, as a JSON array. */
static const char *configured_agents(struct gw_call *call)
{
	const struct agent_info *agents;
	size_t n = agents_list(gw_config(call->gw), call->gw->state_dir, call->arena, &agents);
	struct json *ids = json_new_arr(call->arena);

	for (size_t i = 0; i < n; i++)
		json_push(ids, json_new_str(call->arena, agents[i].id));
	return json_to_str(call->arena, ids);
}

static struct sess_query query_of(struct gw_call *call, const struct json *p)
{
	const struct json *archived = json_get(p, "archived"), *pinned = json_get(p, "pinned");
	int64_t minutes = json_get_int(p, "activeMinutes", 0);
	struct sess_query q = {
		.agent_id = json_get_str(p, "agentId"),
		.agents = json_get_bool(p, "configuredAgentsOnly", false) ? configured_agents(call) : NULL,
		.search = str_empty(json_get_str(p, "search")) ? NULL : json_get_str(p, "search"),
		.label = json_get_str(p, "label"),
		.group = json_get_str(p, "group"),
		.spawned_by = json_get_str(p, "spawnedBy"),
		.active_since_ms = minutes ? now_wall_ms() - CH_MIN(minutes, ACTIVE_MINUTES_MAX) * 60000 : 0,
		.archived = str_eq(json_str(archived), "all") ? -1 : json_bool_or(archived, false),
		.pinned = pinned ? (json_bool_or(pinned, false) ? 1 : -1) : 0,
		.order = order_of(p),
		.include_background = true,
		.without_cron = json_get_bool(p, "excludeCron", false),
		.without_subagents = json_get_bool(p, "excludeSubagents", false),
		.without_system = json_get_bool(p, "excludeSystem", false),
		.without_global = !json_get_bool(p, "includeGlobal", false),
		.without_unknown = !json_get_bool(p, "includeUnknown", false),
		.interacted = json_get_bool(p, "requireLastInteraction", false),
		.busy = json_get_bool(p, "activeOnly", false),
		/* No session has a board, a project or a directory of its own. */
		.nothing = json_get(p, "boardFace") || json_get_bool(p, "hasBoard", false) || json_get(p, "projectId") ||
			   json_get(p, "workspaceDir"),
		.limit = (size_t)CH_MIN(json_get_int(p, "limit", LIST_LIMIT_DEFAULT), LIST_LIMIT_MAX),
		.offset = (size_t)json_get_int(p, "offset", 0),
	};

	ask_people(call, p, &q);
	return q;
}

struct listing { struct gw *gw; struct jw *w; size_t count; unsigned flags; bool any_owned; };

static bool on_session(void *arg, const struct sess *s)
{
	struct listing *l = arg;

	gw_render_session_row_as(l->gw, l->w, s, l->flags);
	l->any_owned |= !str_empty(s->created_actor);
	l->count++;
	return true;
}

/* Who is in the sessions that match, with how many of them. */
static ch_status put_people(struct gw_call *call, struct jw *w, const struct sess_query *q, size_t total, struct ch_err *err)
{
	struct sess_query mine = *q;
	size_t count = 0;
	ch_status st;

	mine.involving = GW_OWNER_PROFILE;
	st = sess_count_matches(call->gw->sessions, &mine, &count, err);
	if (st)
		return st;
	jw_karr(w, "people");
	if (count) {
		jw_obj(w);
		jw_kobj(w, "identity");
		jw_kstr(w, "type", "profile");
		jw_kstr(w, "id", GW_OWNER_PROFILE);
		jw_end(w);
		jw_kint(w, "sessionCount", (int64_t)count);
		jw_end(w);
	}
	jw_end(w);
	jw_kbool(w, "peopleIncomplete", false);
	jw_kint(w, "peopleSessionCount", (int64_t)total);
	return CH_OK;
}

static void put_page(struct jw *w, const struct sess_query *q, const struct listing *l, size_t total)
{
	bool has_more = q->offset + l->count < total && l->count;

	jw_kint(w, "count", (int64_t)l->count);
	jw_kint(w, "totalCount", (int64_t)total);
	jw_kint(w, "limitApplied", (int64_t)q->limit);
	if (q->offset)
		jw_kint(w, "offset", (int64_t)q->offset);
	if (has_more)
		jw_kint(w, "nextOffset", (int64_t)(q->offset + l->count));
	else
		jw_knull(w, "nextOffset");
	jw_kbool(w, "hasMore", has_more);
	jw_karr(w, "owners");
	if (l->any_owned)
		jw_raw(w, GW_OWNER_ACTOR, strlen(GW_OWNER_ACTOR));
	jw_end(w);
}

/* The SessionsListResult object; sessions.subscribe with list parameters answers with one too. */
static ch_status put_list(struct gw_call *call, struct jw *w, struct ch_err *err)
{
	const struct json *p = call->params;
	struct sess_query q = query_of(call, p);
	struct listing l = { call->gw, w, 0, 0, false };
	const char *agent = q.agent_id ? q.agent_id : agent_default_id(gw_config(call->gw), call->arena);
	size_t total = 0;
	ch_status st;

	l.flags = (json_get_bool(p, "includeDerivedTitles", false) ? GW_ROW_TITLE : 0) |
		  (json_get_bool(p, "includeLastMessage", false) ? GW_ROW_PREVIEW : 0);
	jw_obj(w);
	jw_kint(w, "ts", now_wall_ms());
	jw_kstr(w, "path", db_path(call->gw->db));
	jw_karr(w, "sessions");
	st = sess_list(call->gw->sessions, &q, &total, on_session, &l, err);
	jw_end(w);
	if (st)
		return st;
	put_page(w, &q, &l, total);
	if (json_get_bool(p, "includePeople", false))
		st = put_people(call, w, &q, total, err);
	if (st)
		return st;
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
	{ "includeApprovals", GP_TRUE },
	{ 0 },
};

/* Who may not see approvals is told that there is none, and is sent none. */
static ch_status put_replay(struct gw_call *call, struct jw *w, const char *session_key, struct ch_err *err)
{
	if (gw_conn_has(call->conn, GW_SCOPE_APPROVALS))
		return gw_render_approval_replay(call->gw, w, session_key, err);
	jw_obj(w);
	jw_kstr(w, "sessionKey", session_key);
	jw_kint(w, "updatedAtMs", now_wall_ms());
	jw_karr(w, "approvals");
	jw_end(w);
	jw_kbool(w, "truncated", false);
	jw_end(w);
	return CH_OK;
}

static ch_status set_messages(struct gw_call *call, bool on, struct ch_err *err)
{
	struct sess_key key;
	ch_status st = gw_session_key_param(call, &key, err);

	if (st)
		return st;
	bool with_approvals = on && json_get_bool(call->params, "includeApprovals", false);

	if (with_approvals)
		gw_conn_subscribe_approvals(call->conn, key.key);
	else
		gw_conn_subscribe_messages(call->conn, key.key, on);
	struct jw *w = gw_reply_begin(call);

	jw_obj(w);
	jw_kbool(w, "subscribed", on);
	jw_kstr(w, "key", key.key);
	if (with_approvals) {
		jw_key(w, "approvalReplay");
		st = put_replay(call, w, key.key, err);
		if (st)
			return st;
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

/* -- sessions.describe -- */

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

	unsigned flags = (json_get_bool(call->params, "includeDerivedTitles", false) ? GW_ROW_TITLE : 0) |
			 (json_get_bool(call->params, "includeLastMessage", false) ? GW_ROW_PREVIEW : 0);

	jw_obj(w);
	jw_key(w, "session");
	if (s)
		gw_render_session_row_as(call->gw, w, s, flags);
	else
		jw_null(w);
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

/* -- sessions.preview -- */

static const struct gw_param preview_params[] = {
	{ "keys", GP_ARR, GP_REQUIRED | GP_NON_EMPTY, 1, INT64_MAX, .item = GP_STR },
	{ "limit", GP_INT, .min = 1, .max = INT64_MAX },
	{ "maxChars", GP_INT, .min = 20, .max = INT64_MAX },
	{ 0 },
};

struct preview { struct gw_call *call; struct jw *w; size_t max_chars; };

static const char *text_of(struct arena *a, const struct tr_entry *e)
{
	struct json *message;

	if (json_parse(a, e->message, e->message_len, JSON_STRICT, &message, NULL))
		return "";
	return tr_text(a, message, "\n");
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
	size_t limit = (size_t)CH_MIN(json_get_int(call->params, "limit", PREVIEW_LIMIT_DEFAULT), PREVIEW_LIMIT_MAX), keys = 0;
	int64_t chars = CH_MIN(json_get_int(call->params, "maxChars", PREVIEW_CHARS_DEFAULT), PREVIEW_CHARS_MAX);
	struct preview p = { call, gw_reply_begin(call), (size_t)chars };

	jw_obj(p.w);
	jw_kint(p.w, "ts", now_wall_ms());
	jw_karr(p.w, "previews");
	json_each(key, json_get(call->params, "keys")) {
		ch_status st = keys++ < PREVIEW_KEYS_MAX ? put_preview(&p, json_str(key), limit, err) : CH_OK;

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
	{ "sessions.list",                 run_list,                 GW_SCOPE_READ,  0,         gwm_session_list_params },
	{ "sessions.messages.subscribe",   run_messages_subscribe,   GW_SCOPE_READ,  0,         messages_params },
	{ "sessions.messages.unsubscribe", run_messages_unsubscribe, GW_SCOPE_READ,  0,         messages_unsubscribe_params },
	{ "sessions.preview",              run_preview,              GW_SCOPE_READ,  0,         preview_params },
	{ "sessions.subscribe",            run_subscribe,            GW_SCOPE_READ,  0,         gwm_session_list_params },
};
const size_t gwm_sessions_count = CH_ARRAY_LEN(gwm_sessions);
