/*
 * gateway/methods/m_sessions_write.c - sessions.create, patch, reset, delete, send, abort: changing.
 *
 * State changes before it is announced. What a run in flight still needs is not taken away
 * from it: reset and delete abort it first and wait until it has settled.
 */
#include <string.h>

#include "core/clock.h"
#include "core/fiber.h"
#include "core/rand.h"
#include "core/str.h"
#include "gateway/methods/chat_common.h"
#include "gateway/methods/methods.h"
#include "gateway/render.h"
#include "sessions/groups.h"

#define SETTLE_MS 15000          /* an aborted run ends at its next await; tools get their grace */

/* -- helpers -- */

static ch_status find_session(struct gw_call *call, struct sess_key *key, struct sess **ret, struct ch_err *err)
{
	ch_status st = gw_session_key_param(call, key, err);

	if (!st)
		st = sess_find(call->gw->sessions, key->key, ret, err);
	return st == CH_E_NOT_FOUND ? ch_fail(err, CH_E_INVALID, "session not found: %s", key->key) : st;
}

/* A client that acted on an older window must not hit the new one. */
static ch_status check_expected(struct gw_call *call, const struct sess *s, struct ch_err *err)
{
	const char *id = json_get_str(call->params, "expectedSessionId");
	const char *revision = json_get_str(call->params, "expectedLifecycleRevision");
	char now[24];

	snprintf(now, sizeof(now), "%lld", (long long)s->lifecycle_revision);
	if ((id && !str_eq(id, s->session_id)) || (revision && !str_eq(revision, now)))
		return ch_fail(err, CH_E_CONFLICT, "Session %s changed; reload it and try again.", s->key);
	return CH_OK;
}

/* Ends what runs in the session. */
static CH_FIBER ch_status settle(struct gw_call *call, const char *key, const char *origin, struct ch_err *err)
{
	const char *const *ids;
	struct input_row row;
	ch_status st = agent_abort(call->gw->agents, key, NULL, origin, call->arena, &ids, err);

	for (size_t i = 0; !st && ids[i]; i++) {
		st = agent_wait(call->gw->agents, ids[i], fiber_deadline(SETTLE_MS), call->arena, &row, err);
		if (st == CH_E_NOT_FOUND)
			st = CH_OK;
	}
	if (st == CH_E_TIMEOUT)
		return ch_fail(err, CH_E_BUSY, "session '%s' still has a run that does not end; try again", key);
	return st;
}

/* A category that is used for the first time becomes a group of the list. */
static ch_status register_category(struct gw_call *call, const struct sess *s, struct ch_err *err)
{
	bool is_new = false;
	ch_status st = str_empty(s->category) ? CH_OK : group_register(call->gw->sessions, s->category, &is_new, err);

	if (!st && is_new)
		gw_sessions_changed(call->gw, "groups");
	return st;
}

/* -- sessions.create -- */

static const struct gw_param create_params[] = {
	{ "key", GP_STR, GP_NON_EMPTY, 1, SESS_KEY_MAX },
	{ "idempotencyKey", GP_STR, GP_NON_EMPTY },
	{ "agentId", GP_STR, GP_NON_EMPTY },
	{ "label", GP_STR, GP_NON_EMPTY, 1, 512 },
	{ "displayName", GP_STR, GP_NON_EMPTY, 1, 500 },
	{ "category", GP_STR, GP_NON_EMPTY, 1, 512 },
	{ "model", GP_STR, GP_NON_EMPTY },
	{ "thinkingLevel", GP_STR, GP_NON_EMPTY },
	{ "parentSessionKey", GP_STR, GP_NON_EMPTY },
	{ "emitCommandHooks", GP_BOOL },
	{ "succeedsParent", GP_BOOL },
	{ "message", GP_STR },
	{ "task", GP_STR },
	{ "attachments", GP_ARR, .item = GP_OBJ, .members = chat_attachment_params },
	{ "timeoutMs", GP_INT, .min = 0, .max = INT64_MAX },
	{ 0 },
};

static ch_status set_model(struct gw *gw, struct sess *s, const char *ref, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct model_entry m;
	const char *source;
	ch_status st = model_resolve(gw->models, ref, s->agent_id, a, &m, &source, err);

	if (st == CH_E_DENIED)
		return ch_fail(err, CH_E_INVALID, "model not allowed: %s (agents.defaults.modelPolicy.allow)", ref);
	if (st)
		return ch_fail(err, CH_E_INVALID, "model not available: %s (see: chela models list)", ref);
	agent_pin_model(s, &m);
	return CH_OK;
}

static ch_status set_thinking(struct sess *s, const char *level, struct ch_err *err)
{
	enum thinking_level parsed;

	if (!thinking_parse(level, &parsed))
		return ch_fail(err, CH_E_INVALID, "invalid thinkingLevel '%s' (off, minimal, low, medium, high, xhigh, adaptive, max)", level);
	sess_set_str(s, &s->thinking_level, level);
	return CH_OK;
}

static ch_status fill_new(struct gw_call *call, struct sess *s, struct ch_err *err)
{
	const struct json *p = call->params;
	ch_status st = CH_OK;

	if (json_get_str(p, "label"))
		sess_set_str(s, &s->label, json_get_str(p, "label"));
	if (json_get_str(p, "displayName"))
		sess_set_str(s, &s->display_name, json_get_str(p, "displayName"));
	if (json_get_str(p, "category"))
		sess_set_str(s, &s->category, json_get_str(p, "category"));
	if (json_get_str(p, "parentSessionKey"))
		sess_set_str(s, &s->parent_key, json_get_str(p, "parentSessionKey"));
	if (json_get_str(p, "model"))
		st = set_model(call->gw, s, json_get_str(p, "model"), err);
	if (!st && json_get_str(p, "thinkingLevel"))
		st = set_thinking(s, json_get_str(p, "thinkingLevel"), err);
	if (!st)
		st = sess_save(s, err);
	return st ? st : register_category(call, s, err);
}

/* No key: a fresh one in the family of pages, as the reference's own page makes them. */
static ch_status create_key(struct gw_call *call, struct sess_key *ret, struct ch_err *err)
{
	char uuid[UUID_LEN];

	if (json_get_str(call->params, "key"))
		return gw_session_key_param(call, ret, err);
	rand_uuid(uuid);
	return gw_session_key(call, arena_printf(call->arena, "dashboard:%s", uuid), ret, err);
}

static CH_FIBER ch_status run_create(struct gw_call *call, struct ch_err *err)
{
	CH_AUTO(sess_unref) struct sess *s = NULL;
	CH_AUTO_DONE(chat_sent_done) struct chat_sent sent = { 0 };
	const char *message = json_get_str(call->params, "message");
	const char *given_id = json_get_str(call->params, "idempotencyKey");
	char run_id[UUID_LEN];
	struct sess_key key;
	bool created = false, starts = !str_empty(message);
	ch_status st = create_key(call, &key, err);

	if (!st)
		st = sess_open(call->gw->sessions, &key, "operator", &s, &created, err);
	if (!st)
		st = fill_new(call, s, err);
	if (st)
		return st;
	rand_uuid(run_id);
	struct run_input in = { .run_id = given_id ? given_id : run_id, .text = message,
				.attachments = json_get(call->params, "attachments"),
				.timeout_ms = json_get_int(call->params, "timeoutMs", 0) };

	if (starts)
		st = chat_submit(call, &key, &in, &sent, err);
	if (st)
		return st;
	struct jw *w = gw_reply_begin(call);

	jw_obj(w);
	jw_kbool(w, "ok", true);
	jw_kstr(w, "key", s->key);
	jw_kstr(w, "sessionId", s->session_id);
	jw_key(w, "entry");
	gw_render_session_entry(w, s);
	jw_kbool(w, "runStarted", starts);
	if (starts)
		chat_put_ack(call, w, in.run_id, &sent);
	jw_key(w, "resolved");
	gw_render_resolved(call->gw, w, s);
	jw_end(w);
	gw_reply_end(call);
	gw_session_changed(call->gw, s, created ? "create" : "patch", NULL, NULL);
	return CH_OK;
}

/* -- sessions.patch -- */

static const struct gw_param patch_params[] = {
	{ "key", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "agentId", GP_STR, GP_NON_EMPTY },
	{ "expectedSessionId", GP_STR, GP_NON_EMPTY },
	{ "expectedLifecycleRevision", GP_STR, GP_NON_EMPTY },
	{ "expectedMarkedUnreadAt", GP_ANY },
	{ "label", GP_STR_OR_NULL, .min = 1, .max = 512 },
	{ "displayName", GP_STR_OR_NULL, .min = 1, .max = 500 },
	{ "icon", GP_STR_OR_NULL },
	{ "color", GP_STR_OR_NULL },
	{ "category", GP_STR_OR_NULL, .min = 1, .max = 512 },
	{ "archived", GP_BOOL },
	{ "pinned", GP_BOOL },
	{ "unread", GP_BOOL },
	{ "thinkingLevel", GP_STR_OR_NULL },
	{ "verboseLevel", GP_STR_OR_NULL },
	{ "reasoningLevel", GP_STR_OR_NULL },
	{ "responseUsage", GP_STR_OR_NULL },
	{ "queueMode", GP_STR_OR_NULL },
	{ "model", GP_STR_OR_NULL },
	{ 0 },
};

/* Members that are plain strings of the row. */
static void patch_strings(struct sess *s, const struct json *p)
{
	const struct { const char *name; const char **field; } fields[] = {
		{ "label", &s->label }, { "displayName", &s->display_name }, { "icon", &s->icon }, { "color", &s->color },
		{ "category", &s->category }, { "verboseLevel", &s->verbose_level }, { "reasoningLevel", &s->reasoning_level },
		{ "responseUsage", &s->response_usage }, { "queueMode", &s->queue_mode },
	};

	for (size_t i = 0; i < CH_ARRAY_LEN(fields); i++) {
		const struct json *v = json_get(p, fields[i].name);

		if (v)
			sess_set_str(s, fields[i].field, json_str(v));
	}
}

static void patch_flags(struct sess *s, const struct json *p)
{
	const struct json *archived = json_get(p, "archived"), *pinned = json_get(p, "pinned"), *unread = json_get(p, "unread");

	if (archived)
		s->archived_at = json_bool_or(archived, false) ? now_wall_ms() : 0;
	if (pinned)
		s->pinned_at = json_bool_or(pinned, false) ? now_wall_ms() : 0;
	if (unread)
		s->unread = json_bool_or(unread, false);
}

static ch_status patch_model(struct gw *gw, struct sess *s, const struct json *v, struct ch_err *err)
{
	if (json_str(v) && !str_eq(json_str(v), "default"))
		return set_model(gw, s, json_str(v), err);
	agent_pin_model(s, NULL);
	return CH_OK;
}

static ch_status apply_patch(struct gw_call *call, struct sess *s, struct ch_err *err)
{
	const struct json *p = call->params;
	const struct json *thinking = json_get(p, "thinkingLevel");
	ch_status st = CH_OK;

	if (json_get(p, "model"))
		st = patch_model(call->gw, s, json_get(p, "model"), err);
	if (!st && json_str(thinking))
		st = set_thinking(s, json_str(thinking), err);
	else if (!st && thinking)
		sess_set_str(s, &s->thinking_level, NULL);
	if (st)
		return st;
	patch_strings(s, p);
	patch_flags(s, p);
	s->updated_at = now_wall_ms();
	st = sess_save(s, err);
	return !st && json_get(p, "category") ? register_category(call, s, err) : st;
}

static CH_FIBER ch_status run_patch(struct gw_call *call, struct ch_err *err)
{
	CH_AUTO(sess_unref) struct sess *s = NULL;
	struct sess_key key;
	ch_status st = gw_session_key_param(call, &key, err);

	/* A page may set the model before the first message: the row is made then. */
	if (!st)
		st = sess_open(call->gw->sessions, &key, "operator", &s, NULL, err);
	if (!st)
		st = check_expected(call, s, err);
	if (!st)
		st = apply_patch(call, s, err);
	if (st)
		return st;
	struct jw *w = gw_reply_begin(call);

	jw_obj(w);
	jw_kbool(w, "ok", true);
	jw_kstr(w, "path", db_path(call->gw->db));
	jw_kstr(w, "key", s->key);
	jw_key(w, "entry");
	gw_render_session_entry(w, s);
	jw_key(w, "resolved");
	gw_render_resolved(call->gw, w, s);
	jw_end(w);
	gw_reply_end(call);
	gw_session_changed(call->gw, s, "patch", NULL, NULL);
	return CH_OK;
}

/* Looks and names are for writers; everything else needs admin. */
static unsigned patch_scope(const struct gw_call *call)
{
	static const char *const for_writers[] = {
		"key", "agentId", "expectedSessionId", "expectedLifecycleRevision", "expectedMarkedUnreadAt", "label", "icon",
		"color", "category", "pinned", "archived", "unread", "model", "thinkingLevel",
	};

	json_each(member, call->params)
		if (!str_in(member->key, for_writers, CH_ARRAY_LEN(for_writers)))
			return GW_SCOPE_ADMIN;
	return GW_SCOPE_WRITE;
}

/* -- sessions.reset, sessions.delete -- */

static const char *const reset_reasons[] = { "new", "reset", NULL };

static const struct gw_param reset_params[] = {
	{ "key", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "agentId", GP_STR, GP_NON_EMPTY },
	{ "reason", GP_ENUM, .choices = reset_reasons },
	{ 0 },
};

static CH_FIBER ch_status run_reset(struct gw_call *call, struct ch_err *err)
{
	CH_AUTO(sess_unref) struct sess *s = NULL;
	const char *reason = json_str_or(json_get(call->params, "reason"), "reset");
	struct sess_key key;
	ch_status st = find_session(call, &key, &s, err);

	if (!st)
		st = settle(call, key.key, "reset", err);
	if (!st)
		st = str_eq(reason, "new") ? sess_rotate(s, reason, err) : sess_reset(s, reason, err);
	if (st)
		return st;
	struct jw *w = gw_reply_begin(call);

	jw_obj(w);
	jw_kbool(w, "ok", true);
	jw_kstr(w, "key", s->key);
	jw_key(w, "entry");
	gw_render_session_entry(w, s);
	jw_key(w, "resolved");
	gw_render_resolved(call->gw, w, s);
	jw_end(w);
	gw_reply_end(call);
	gw_session_changed(call->gw, s, "reset", NULL, NULL);
	return CH_OK;
}

static const struct gw_param delete_params[] = {
	{ "key", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "agentId", GP_STR, GP_NON_EMPTY },
	{ "deleteTranscript", GP_BOOL },
	{ "expectedSessionId", GP_STR, GP_NON_EMPTY },
	{ "expectedLifecycleRevision", GP_STR, GP_NON_EMPTY },
	{ "expectedSessionUpdatedAt", GP_NUM },
	{ "emitLifecycleHooks", GP_BOOL },
	{ "archivedOnly", GP_BOOL },
	{ 0 },
};

static unsigned delete_scope(const struct gw_call *call)
{
	return json_get_bool(call->params, "archivedOnly", false) ? GW_SCOPE_WRITE : GW_SCOPE_ADMIN;
}

static CH_FIBER ch_status run_delete(struct gw_call *call, struct ch_err *err)
{
	CH_AUTO(sess_unref) struct sess *s = NULL;
	struct sess_key key;
	bool existed;
	ch_status st = gw_session_key_param(call, &key, err);

	if (!st)
		st = sess_find(call->gw->sessions, key.key, &s, err);
	existed = st == CH_OK;
	if (st && st != CH_E_NOT_FOUND)
		return st;
	if (existed && sess_key_is_main(key.key))
		return ch_fail(err, CH_E_INVALID, "Cannot delete the main session (%s); sessions.reset empties it.", key.key);
	if (existed && json_get_bool(call->params, "archivedOnly", false) && !s->archived_at)
		return ch_fail(err, CH_E_INVALID, "Session %s is not archived.", key.key);
	st = existed ? check_expected(call, s, err) : CH_OK;
	if (!st && existed)
		st = settle(call, key.key, "delete", err);
	if (!st && existed)
		st = sess_delete(s, err);
	if (st)
		return st;
	struct jw *w = gw_reply_begin(call);

	jw_obj(w);
	jw_kbool(w, "ok", true);
	jw_kstr(w, "key", key.key);
	jw_kbool(w, "deleted", existed);
	jw_karr(w, "archived");
	jw_end(w);
	jw_end(w);
	gw_reply_end(call);
	if (existed)
		gw_session_changed(call->gw, s, "delete", NULL, NULL);
	return CH_OK;
}

/* -- sessions.send, sessions.abort -- */

static const struct gw_param send_params[] = {
	{ "key", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "message", GP_STR, GP_REQUIRED },
	{ "agentId", GP_STR, GP_NON_EMPTY },
	{ "thinking", GP_STR },
	{ "attachments", GP_ARR, .item = GP_OBJ, .members = chat_attachment_params },
	{ "timeoutMs", GP_INT, .min = 0, .max = INT64_MAX },
	{ "idempotencyKey", GP_STR, GP_NON_EMPTY },
	{ 0 },
};

static CH_FIBER ch_status run_send(struct gw_call *call, struct ch_err *err)
{
	const struct json *p = call->params;
	CH_AUTO_DONE(chat_sent_done) struct chat_sent sent = { 0 };
	char run_id[UUID_LEN];
	struct run_input in = {
		.run_id = json_get_str(p, "idempotencyKey"),
		.text = json_get_str(p, "message"),
		.attachments = json_get(p, "attachments"),
		.thinking = json_get_str(p, "thinking"),
		.timeout_ms = json_get_int(p, "timeoutMs", 0),
	};
	struct sess_key key;
	ch_status st = gw_session_key_param(call, &key, err);

	rand_uuid(run_id);
	if (!in.run_id)
		in.run_id = run_id;
	if (!st)
		st = chat_check_message("sessions.send", in.text, in.attachments, err);
	if (!st)
		st = chat_submit(call, &key, &in, &sent, err);
	if (st)
		return st;
	struct jw *w = gw_reply_begin(call);

	jw_obj(w);
	chat_put_ack(call, w, in.run_id, &sent);
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

static const struct gw_param abort_params[] = {
	{ "key", GP_STR, GP_NON_EMPTY },
	{ "runId", GP_STR, GP_NON_EMPTY },
	{ "agentId", GP_STR, GP_NON_EMPTY },
	{ "clearQueued", GP_BOOL },
	{ 0 },
};

static CH_FIBER ch_status run_abort(struct gw_call *call, struct ch_err *err)
{
	const char *run_id = json_get_str(call->params, "runId");
	const char *const *ids = NULL;
	struct input_row row;
	struct sess_key key;
	ch_status st;

	if (json_get_str(call->params, "key")) {
		st = gw_session_key_param(call, &key, err);
	} else if (run_id) {
		st = input_find_run(call->gw->sessions, run_id, call->arena, &row, err);
		if (st == CH_E_NOT_FOUND)
			return ch_fail(err, CH_E_INVALID, "unknown runId: %s", run_id);
		key.key = st ? NULL : row.session_key;
	} else {
		return ch_fail(err, CH_E_INVALID, "sessions.abort needs key or runId");
	}
	if (!st)
		st = agent_abort(call->gw->agents, key.key, run_id, "rpc", call->arena, &ids, err);
	if (st)
		return st;
	struct jw *w = gw_reply_begin(call);

	jw_obj(w);
	jw_kbool(w, "ok", true);
	jw_kstr(w, "abortedRunId", ids[0]);
	jw_kstr(w, "status", ids[0] ? "aborted" : "no-active-run");
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

const struct gw_method gwm_sessions_write[] = {
	/* name              run         scope            flags params         dynamic scope */
	{ "sessions.abort",  run_abort,  GW_SCOPE_WRITE,  0,    abort_params },
	{ "sessions.create", run_create, GW_SCOPE_WRITE,  0,    create_params },
	{ "sessions.delete", run_delete, GW_SCOPE_ADMIN,  0,    delete_params, delete_scope },
	{ "sessions.patch",  run_patch,  GW_SCOPE_WRITE,  0,    patch_params,  patch_scope },
	{ "sessions.reset",  run_reset,  GW_SCOPE_ADMIN,  0,    reset_params },
	{ "sessions.send",   run_send,   GW_SCOPE_WRITE,  0,    send_params },
};
const size_t gwm_sessions_write_count = CH_ARRAY_LEN(gwm_sessions_write);
