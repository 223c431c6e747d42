/*
 * gateway/methods/m_sessions_search.c - sessions.search and sessions.compact: what was said, found and summarised.
 */
#include <string.h>

#include "core/clock.h"
#include "core/rand.h"
#include "core/str.h"
#include "gateway/methods/methods.h"
#include "gateway/render.h"
#include "sessions/search.h"

#define SEARCH_LIMIT_DEFAULT 10
#define SEARCH_KEYS_MAX 200
#define SCOPE_SESSIONS_MAX 5000          /* session.maintenance.maxEntries: more are never kept */

/* -- sessions.search -- */

/* The members of sessions.list that say which sessions; those without a subject here are accepted. */
static const struct gw_param scope_params[] = {
	{ "activeMinutes", GP_INT, .min = 1, .max = INT64_MAX },
	{ "activeOnly", GP_BOOL },
	{ "requireLastInteraction", GP_BOOL },
	{ "sortBy", GP_STR },
	{ "includeGlobal", GP_BOOL },
	{ "includeUnknown", GP_BOOL },
	{ "excludeSubagents", GP_BOOL },
	{ "excludeCron", GP_BOOL },
	{ "excludeSystem", GP_BOOL },
	{ "configuredAgentsOnly", GP_BOOL },
	{ "label", GP_STR, GP_NON_EMPTY, 1, 512 },
	{ "projectId", GP_STR, GP_NON_EMPTY },
	{ "workspaceDir", GP_STR, GP_NON_EMPTY },
	{ "group", GP_STR },
	{ "pinned", GP_BOOL },
	{ "boardFace", GP_STR },
	{ "hasBoard", GP_BOOL },
	{ "creatorId", GP_STR, GP_NON_EMPTY },
	{ "ownerId", GP_STR, GP_NON_EMPTY },
	{ "involvingMe", GP_BOOL },
	{ "profileRelation", GP_STR },
	{ "involvingProfileId", GP_STR, GP_NON_EMPTY },
	{ "spawnedBy", GP_STR, GP_NON_EMPTY },
	{ "agentId", GP_STR, GP_NON_EMPTY },
	{ "search", GP_STR },
	{ "archived", GP_ANY },
	{ 0 },
};

static const struct gw_param search_params[] = {
	{ "agentId", GP_STR, GP_NON_EMPTY },
	{ "sessionKeys", GP_ARR, .min = 1, .max = SEARCH_KEYS_MAX, .item = GP_STR },
	{ "scope", GP_OBJ, .members = scope_params },
	{ "query", GP_STR, GP_REQUIRED | GP_NON_EMPTY, 1, SEARCH_TEXT_MAX },
	{ "limit", GP_INT, .min = 1, .max = SEARCH_LIMIT_MAX },
	{ 0 },
};

struct roster { struct arena *a; struct json *keys; const char *group; bool is_pinned_only, needs_interaction; };

static bool on_session(void *arg, const struct sess *s)
{
	struct roster *r = arg;

	if ((r->group && !str_eq(s->category, r->group)) || (r->is_pinned_only && !s->pinned_at) ||
	    (r->needs_interaction && !s->last_interaction_at))
		return true;
	json_push(r->keys, json_new_str(r->a, s->key));
	return true;
}

static ch_status keys_in_scope(struct gw_call *call, const struct json *scope, const char **ret_keys, struct ch_err *err)
{
	const struct json *archived = json_get(scope, "archived");
	int64_t minutes = json_get_int(scope, "activeMinutes", 0);
	struct sess_query q = {
		.agent_id = json_get_str(scope, "agentId"),
		.search = str_empty(json_get_str(scope, "search")) ? NULL : json_get_str(scope, "search"),
		.label = json_get_str(scope, "label"),
		.spawned_by = json_get_str(scope, "spawnedBy"),
		.active_since_ms = minutes ? now_wall_ms() - minutes * 60000 : 0,
		.archived = str_eq(json_str(archived), "all") ? -1 : json_bool_or(archived, false),
		.include_background = !json_get_bool(scope, "excludeSubagents", false) &&
				      !json_get_bool(scope, "excludeCron", false),
		.limit = SCOPE_SESSIONS_MAX,
	};
	struct roster r = { .a = call->arena, .keys = json_new_arr(call->arena),
			    .group = str_empty(json_get_str(scope, "group")) ? NULL : json_get_str(scope, "group"),
			    .is_pinned_only = json_get_bool(scope, "pinned", false),
			    .needs_interaction = json_get_bool(scope, "requireLastInteraction", false) };
	size_t total;
	ch_status st = sess_list(call->gw->sessions, &q, &total, on_session, &r, err);

	if (!st)
		*ret_keys = json_to_str(call->arena, r.keys);
	return st;
}

/* The keys that a client named, in canonical form. */
static ch_status keys_given(struct gw_call *call, const struct json *given, const char **ret_keys, struct ch_err *err)
{
	struct json *keys = json_new_arr(call->arena);

	json_each(v, given) {
		struct sess_key key;
		ch_status st = gw_session_key(call, json_str(v), &key, err);

		if (st)
			return st;
		json_push(keys, json_new_str(call->arena, key.key));
	}
	*ret_keys = json_to_str(call->arena, keys);
	return CH_OK;
}

static ch_status query_of(struct gw_call *call, struct search_query *ret, struct ch_err *err)
{
	const struct json *p = call->params, *scope = json_get(p, "scope"), *keys = json_get(p, "sessionKeys");

	*ret = (struct search_query){ .text = json_get_str(p, "query"), .agent_id = json_get_str(p, "agentId"),
				      .limit = (size_t)json_get_int(p, "limit", SEARCH_LIMIT_DEFAULT) };
	if (!ret->text[strspn(ret->text, " \t\r\n")])
		return ch_fail(err, CH_E_INVALID, "query must not be empty");
	if (scope && (keys || ret->agent_id))
		return ch_fail(err, CH_E_INVALID, "invalid sessions.search params: at root: scope goes without agentId and "
			       "sessionKeys");
	if (scope)
		return keys_in_scope(call, scope, &ret->session_keys, err);
	return keys ? keys_given(call, keys, &ret->session_keys, err) : CH_OK;
}

static void put_hit(struct jw *w, const struct search_hit *hit)
{
	jw_obj(w);
	jw_kstr(w, "sessionKey", hit->session_key);
	jw_kstr(w, "sessionId", hit->session_id);
	jw_kstr(w, "messageId", hit->message_id);
	jw_kstr(w, "role", hit->role);
	jw_kint(w, "timestamp", hit->created_at);
	jw_kstr(w, "snippet", hit->snippet);
	jw_knum(w, "score", hit->score);
	jw_end(w);
}

static bool is_first_of_session(const struct search_hit *hits, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (str_eq(hits[k].session_key, hits[i].session_key))
			return false;
	return true;
}

/* The rows that the hits belong to. */
static ch_status put_sessions(struct gw_call *call, struct jw *w, const struct search_hit *hits, size_t n, struct ch_err *err)
{
	ch_status st = CH_OK;

	jw_karr(w, "sessions");
	for (size_t i = 0; i < n && !st; i++) {
		CH_AUTO(sess_unref) struct sess *s = NULL;

		if (!is_first_of_session(hits, i))
			continue;
		st = sess_find(call->gw->sessions, hits[i].session_key, &s, err);
		if (!st)
			gw_render_session_row(call->gw, w, s);
	}
	jw_end(w);
	return st;
}

static CH_FIBER ch_status run_search(struct gw_call *call, struct ch_err *err)
{
	const struct search_hit *hits;
	struct search_query q;
	size_t n;
	bool more;
	ch_status st = query_of(call, &q, err);

	if (!st)
		st = search_messages(call->gw->sessions, &q, call->arena, &hits, &n, &more, err);
	if (st)
		return st;
	struct jw *w = gw_reply_begin(call);

	jw_obj(w);
	jw_karr(w, "results");
	for (size_t i = 0; i < n; i++)
		put_hit(w, &hits[i]);
	jw_end(w);
	if (json_get(call->params, "scope"))
		st = put_sessions(call, w, hits, n, err);
	if (st)
		return st;
	if (more)
		jw_kbool(w, "truncated", true);
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

/* -- sessions.compact -- */

static const struct gw_param compact_params[] = {
	{ "key", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "agentId", GP_STR, GP_NON_EMPTY },
	{ "maxLines", GP_INT, .min = 1, .max = INT64_MAX },
	{ 0 },
};

struct operation { struct gw *gw; const char *id, *key, *agent_id; bool is_started; };

static bool hears_sessions(const struct gw_conn *c, void *arg)
{
	return gw_conn_wants_sessions(c);
}

static void tell_operation(const struct operation *op, const char *phase, bool is_done, const char *reason)
{
	CH_AUTO_BUF struct buf payload = { 0 };
	struct jw w = JW(&payload);
	struct gw_event ev = { .name = "session.operation", .flags = GW_EV_DROP_IF_SLOW, .filter = hears_sessions };

	buf_init(&payload, 65536);
	jw_obj(&w);
	jw_kstr(&w, "operationId", op->id);
	jw_kstr(&w, "operation", "compact");
	jw_kstr(&w, "phase", phase);
	jw_kstr(&w, "sessionKey", op->key);
	jw_kstr(&w, "agentId", op->agent_id);
	if (str_eq(phase, "end"))
		jw_kbool(&w, "completed", is_done);
	jw_kstr_opt(&w, "reason", reason);
	jw_kint(&w, "ts", now_wall_ms());
	jw_end(&w);
	ev.payload = buf_str(&payload);
	ev.len = payload.len;
	gw_broadcast(op->gw, &ev);
}

static void on_start(void *arg)
{
	struct operation *op = arg;

	op->is_started = true;
	tell_operation(op, "start", false, NULL);
}

static void put_result(struct jw *w, const struct agent_compacted *got)
{
	jw_kobj(w, "result");
	jw_kstr(w, "summary", got->summary);
	jw_kstr(w, "firstKeptEntryId", got->first_kept_id);
	jw_kint(w, "tokensBefore", got->tokens_before);
	jw_kint(w, "tokensAfter", got->tokens_after);
	jw_end(w);
}

static void reply_compact(struct gw_call *call, const struct operation *op, bool ok, const struct agent_compacted *got)
{
	bool is_trim = json_get(call->params, "maxLines") != NULL;
	struct jw *w = gw_reply_begin(call);

	jw_obj(w);
	jw_kbool(w, "ok", ok);
	jw_kstr(w, "key", op->key);
	jw_kbool(w, "compacted", got->is_compacted);
	if (ok && is_trim && got->kept)
		jw_kint(w, "kept", (int64_t)got->kept);
	else
		jw_kstr_opt(w, "reason", got->reason);
	if (got->is_compacted && !is_trim)
		put_result(w, got);
	jw_end(w);
	gw_reply_end(call);
}

/* Refusals of the session are the caller's error; a summary that could not be had is an answer. */
static bool is_answer(ch_status st)
{
	return st != CH_OK && st != CH_E_INVALID && st != CH_E_CONFLICT && st != CH_E_CANCELED;
}

static void tell_changed(struct gw *gw, const char *key)
{
	CH_AUTO(sess_unref) struct sess *s = NULL;

	if (!sess_find(gw->sessions, key, &s, NULL))
		gw_session_changed(gw, s, "compact", NULL, NULL);
}

/* The reference's answer for what there is no transcript of. */
static ch_status nothing_there(struct gw_call *call, const struct operation *op)
{
	struct agent_compacted none = { .reason = "no sessionId" };

	reply_compact(call, op, true, &none);
	return CH_OK;
}

static CH_FIBER ch_status run_compact(struct gw_call *call, struct ch_err *err)
{
	char *id = arena_alloc(call->arena, UUID_LEN);
	int64_t max_lines = json_get_int(call->params, "maxLines", 0);
	struct operation op = { .gw = call->gw, .id = id };
	struct agent_compact want = { .operation_id = id, .max_entries = (size_t)max_lines, .on_start = on_start, .arg = &op };
	struct agent_compacted got = { 0 };
	struct sess_key key;
	struct ch_err why;
	ch_status st = gw_session_key_param(call, &key, err);

	if (st)
		return st;
	rand_uuid(id);
	op.key = want.session_key = key.key;
	op.agent_id = key.agent_id;
	st = agent_compact_check(call->gw->agents, key.key, err);
	if (st)
		return st == CH_E_NOT_FOUND ? nothing_there(call, &op) : st;
	st = agent_compact(call->gw->agents, &want, call->arena, &got, &why);
	if (op.is_started)
		tell_operation(&op, "end", !st && got.is_compacted, st ? why.text : got.reason);
	if (st && !is_answer(st))
		return ch_fail(err, st, "%s", why.text);
	if (st)
		got.reason = why.text;
	reply_compact(call, &op, !st && (got.is_compacted || max_lines > 0), &got);
	if (got.is_compacted)
		tell_changed(call->gw, key.key);
	return CH_OK;
}

const struct gw_method gwm_sessions_search[] = {
	/* name               run          scope           flags  params */
	{ "sessions.compact", run_compact, GW_SCOPE_ADMIN, 0,     compact_params },
	{ "sessions.search",  run_search,  GW_SCOPE_READ,  0,     search_params },
};
const size_t gwm_sessions_search_count = CH_ARRAY_LEN(gwm_sessions_search);
