/*
 * gateway/methods/m_sessions_patch.c - sessions.patch and patchMany: names, looks and settings of sessions.
 *
 * Members without a subject in this build are accepted only as null, which is what they are.
 */
#include <string.h>

#include "approvals/approval.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/map.h"
#include "core/str.h"
#include "core/vec.h"
#include "gateway/methods/methods.h"
#include "gateway/methods/session_common.h"
#include "gateway/services.h"

#define TARGETS_MAX 100

/* -- parameters -- */

static const char *const board_faces[] = { "chat", "dashboard", NULL };
static const char *const presentations[] = { "split", "expanded", NULL };
static const char *const attentions[] = { "hand", "key", "alert", "flag", "lock", "hourglass", NULL };
static const char *const fast_words[] = { "auto", NULL };
static const char *const usages[] = { "off", "tokens", "full", "on", NULL };
static const char *const permissions[] = { "read-only", "guarded", "workspace", "full", NULL };
static const char *const sandboxes[] = { "off", NULL };
static const char *const send_policies[] = { "allow", "deny", NULL };
static const char *const activations[] = { "mention", "always", NULL };

static const struct gw_param override_params[] = {
	{ "mcpServers", GP_OBJ, .item = GP_BOOL }, { "mcpToolsDeny", GP_OBJ, .item = GP_ARR }, { "skills", GP_OBJ, .item = GP_BOOL },
	{ "webSearch", GP_BOOL }, { 0 },
};

#define TEXT_OR_NULL GP_STR, GP_NON_EMPTY | GP_NULLABLE

#define EXPECTED                                                                                             \
	{ "key", GP_STR, GP_REQUIRED | GP_NON_EMPTY },                                                        \
	{ "agentId", GP_STR, GP_NON_EMPTY },                                                                  \
	{ "expectedSessionId", GP_STR, GP_NON_EMPTY },                                                        \
	{ "expectedLifecycleRevision", GP_STR, GP_NON_EMPTY },                                                \
	{ "expectedPermissionMode", GP_ENUM, GP_NULLABLE, .choices = permissions },                            \
	{ "expectedSandboxMode", GP_ENUM, GP_NULLABLE, .choices = sandboxes },                                 \
	{ "expectedNativeRuntimeConsent", TEXT_OR_NULL },                                                     \
	{ "expectedToolOverrides", GP_OBJ, GP_NULLABLE, .members = override_params },                          \
	{ "expectedMarkedUnreadAt", GP_NUM, GP_NULLABLE, .min = 0, .max = INT64_MAX }

#define MUTATION                                                                                             \
	{ "label", TEXT_OR_NULL, 1, 512 },                                                                    \
	{ "autoLabel", TEXT_OR_NULL, 1, 512 },                                                                \
	{ "icon", GP_STR, GP_NULLABLE },                                                                      \
	{ "color", GP_STR, GP_NULLABLE },                                                                     \
	{ "category", TEXT_OR_NULL, 1, 512 },                                                                 \
	{ "boardFace", GP_ENUM, .choices = board_faces },                                                     \
	{ "boardPresentation", GP_ENUM, GP_NULLABLE, .choices = presentations },                               \
	{ "statusNote", GP_STR, GP_NULLABLE, 0, 120 },                                                        \
	{ "attention", GP_ENUM, GP_NULLABLE, .choices = attentions },                                          \
	{ "ttlMinutes", GP_INT, .min = 1, .max = 120 },                                                       \
	{ "archived", GP_BOOL },                                                                              \
	{ "pinned", GP_BOOL },                                                                                \
	{ "unread", GP_BOOL },                                                                                \
	{ "contextWindow", TEXT_OR_NULL },                                                                    \
	{ "thinkingLevel", TEXT_OR_NULL },                                                                    \
	{ "fastMode", GP_BOOL_OR_ENUM, GP_NULLABLE, .choices = fast_words },                                   \
	{ "toolOverrides", GP_OBJ, GP_NULLABLE, .members = override_params },                                  \
	{ "verboseLevel", TEXT_OR_NULL },                                                                     \
	{ "traceLevel", TEXT_OR_NULL },                                                                       \
	{ "reasoningLevel", TEXT_OR_NULL },                                                                   \
	{ "responseUsage", GP_ENUM, GP_NULLABLE, .choices = usages },                                          \
	{ "elevatedLevel", TEXT_OR_NULL },                                                                    \
	{ "execHost", TEXT_OR_NULL },                                                                         \
	{ "execSecurity", TEXT_OR_NULL },                                                                     \
	{ "execAsk", TEXT_OR_NULL },                                                                          \
	{ "execNode", TEXT_OR_NULL },                                                                         \
	{ "permissionMode", GP_ENUM, GP_NULLABLE, .choices = permissions },                                    \
	{ "sandboxMode", GP_ENUM, GP_NULLABLE, .choices = sandboxes },                                         \
	{ "nativeRuntimeConsent", TEXT_OR_NULL },                                                             \
	{ "model", TEXT_OR_NULL },                                                                            \
	{ "agentRuntime", TEXT_OR_NULL },                                                                     \
	{ "completionOwnerSessionKey", TEXT_OR_NULL },                                                        \
	{ "inheritedToolPolicyVersion", GP_INT, GP_NULLABLE, .min = 0, .max = 1 },                             \
	{ "inheritedToolAllow", GP_ARR, GP_NON_EMPTY | GP_NULLABLE, .item = GP_STR },                          \
	{ "inheritedToolDeny", GP_ARR, GP_NON_EMPTY | GP_NULLABLE, .item = GP_STR },                           \
	{ "sendPolicy", GP_ENUM, GP_NULLABLE, .choices = send_policies },                                      \
	{ "groupActivation", GP_ENUM, GP_NULLABLE, .choices = activations }

static const struct gw_param patch_params[] = { EXPECTED, MUTATION, { 0 } };
static const struct gw_param target_params[] = { EXPECTED, { 0 } };
static const struct gw_param mutation_params[] = { MUTATION, { 0 } };
static const struct gw_param many_params[] = {
	{ "targets", GP_ARR, GP_REQUIRED, 1, TARGETS_MAX, .item = GP_OBJ, .members = target_params },
	{ "patch", GP_OBJ, GP_REQUIRED, 1, INT64_MAX, .members = mutation_params },
	{ 0 },
};

/* What this build has no subject for: a value cannot take effect. */
static const char *const without_subject[] = {
	"boardFace", "boardPresentation", "statusNote", "attention", "ttlMinutes", "contextWindow", "toolOverrides", "traceLevel",
	"elevatedLevel", "execHost", "execSecurity", "execAsk", "execNode", "sandboxMode",
	"nativeRuntimeConsent", "agentRuntime", "completionOwnerSessionKey", "inheritedToolPolicyVersion",
	"inheritedToolAllow", "inheritedToolDeny", "sendPolicy", "groupActivation",
};

static ch_status check_subjects(const struct json *patch, struct ch_err *err)
{
	json_each(member, patch)
		if (!json_is(member, JSON_NULL) && str_in(member->key, without_subject, CH_ARRAY_LEN(without_subject)))
			return ch_fail(err, CH_E_ABSENT, "sessions.patch: this build has nothing that %s could change", member->key);
	return CH_OK;
}

/* -- checking -- */

/* An expectation stands beside the member that it guards; those of members without a subject hold when null. */
static ch_status check_expectations(const struct json *target, const struct json *patch, struct ch_err *err)
{
	static const struct { const char *expected, *member; } pairs[] = {
		{ "expectedSandboxMode", "sandboxMode" },
		{ "expectedPermissionMode", "permissionMode" },
		{ "expectedNativeRuntimeConsent", "nativeRuntimeConsent" },
		{ "expectedToolOverrides", "toolOverrides" },
	};

	for (size_t i = 0; i < CH_ARRAY_LEN(pairs); i++)
		if (json_get(target, pairs[i].expected) && !json_get(patch, pairs[i].member))
			return ch_fail(err, CH_E_INVALID, "%s requires a %s replacement.", pairs[i].expected, pairs[i].member);
	return CH_OK;
}

/* "Read" from a page that saw an older state must not wipe out a newer mark. */
static bool is_other_mutation(const struct json *member)
{
	return !str_in(member->key, (const char *const[]){ "key", "agentId", "expectedSessionId", "expectedLifecycleRevision",
							   "expectedMarkedUnreadAt", "unread" }, 6);
}

static ch_status check_unread(const struct json *target, const struct json *patch, const struct sess *s, bool *ret_is_stale,
			      struct ch_err *err)
{
	const struct json *expected = json_get(target, "expectedMarkedUnreadAt");
	bool alone = json_is(json_get(patch, "unread"), JSON_BOOL) && !json_get_bool(patch, "unread", true);

	*ret_is_stale = false;
	if (!expected)
		return CH_OK;
	json_each(member, patch)
		alone &= !is_other_mutation(member);
	if (!alone)
		return ch_fail(err, CH_E_INVALID, "expectedMarkedUnreadAt requires unread=false as the only mutation.");
	*ret_is_stale = json_is(expected, JSON_NULL) ? s->marked_unread_at != 0 :
						       json_num_or(expected, -1) != (double)s->marked_unread_at;
	return CH_OK;
}

struct same_label { const char *key; bool is_taken; };

static bool on_same_label(void *arg, const struct sess *s)
{
	struct same_label *l = arg;

	l->is_taken |= !str_eq(s->key, l->key);
	return !l->is_taken;
}

/* Labels are names: sessions.resolve finds by them. */
static ch_status check_label(struct gw_call *call, const struct sess *s, const char *label, struct ch_err *err)
{
	struct same_label same = { .key = s->key };
	struct sess_query q = { .agent_id = s->agent_id, .label = label, .archived = -1, .include_background = true };
	ch_status st = sess_list(call->gw->sessions, &q, NULL, on_same_label, &same, err);

	return !st && same.is_taken ? ch_fail(err, CH_E_INVALID, "label already in use: %s", label) : st;
}

static ch_status check_words(const struct json *patch, struct ch_err *err)
{
	static const struct { const char *name; const char *words[6]; } rows[] = {
		{ "verboseLevel", { "off", "on", "full" } },
		{ "reasoningLevel", { "on", "off", "stream" } },
	};

	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		const char *word = json_get_str(patch, rows[i].name);

		if (word && !str_in(word, rows[i].words, 3))
			return ch_fail(err, CH_E_INVALID, "invalid %s (use \"%s\"|\"%s\"|\"%s\")", rows[i].name, rows[i].words[0],
				       rows[i].words[1], rows[i].words[2]);
	}
	return CH_OK;
}

static ch_status check_places(struct gw_call *call, const struct sess *s, const struct json *patch, struct ch_err *err)
{
	const char *label = json_get_str(patch, "label");
	bool archives = json_get_bool(patch, "archived", false);

	if (archives && (sess_key_is_main(s->key) || str_eq(s->key, "global")))
		return ch_fail(err, CH_E_INVALID, "Cannot archive an agent's main session.");
	if (json_get_bool(patch, "pinned", false) && (archives || (s->archived_at && !json_get(patch, "archived"))))
		return ch_fail(err, CH_E_INVALID, "cannot pin an archived session; restore it first");
	if (json_get_bool(patch, "pinned", false) && !str_empty(s->spawned_by))
		return ch_fail(err, CH_E_INVALID, "cannot pin a child session; pin its parent session instead");
	return label ? check_label(call, s, label, err) : CH_OK;
}

/* Who chooses by what a page showed chooses by what is. */
static ch_status check_mode(struct gw_call *call, const struct json *target, const struct sess *s, struct ch_err *err)
{
	const struct json *expected = json_get(target, "expectedPermissionMode");

	if (expected && !str_eq(json_str(expected), s->permission_mode))
		return session_changed(call, s->key, "patch", err);
	return CH_OK;
}

/* -- applying -- */

static void apply_strings(struct sess *s, const struct json *patch)
{
	const struct { const char *name; const char **field; } fields[] = {
		{ "label", &s->label }, { "autoLabel", &s->auto_label }, { "icon", &s->icon }, { "color", &s->color },
		{ "category", &s->category }, { "permissionMode", &s->permission_mode }, { "verboseLevel", &s->verbose_level }, { "reasoningLevel", &s->reasoning_level },
	};
	const struct json *usage = json_get(patch, "responseUsage"), *fast = json_get(patch, "fastMode");

	for (size_t i = 0; i < CH_ARRAY_LEN(fields); i++) {
		const struct json *v = json_get(patch, fields[i].name);

		if (v)
			sess_set_str(s, fields[i].field, str_empty(json_str(v)) ? NULL : json_str(v));
	}
	if (usage)
		sess_set_str(s, &s->response_usage, str_eq(json_str(usage), "on") ? "tokens" : json_str(usage));
	if (fast)
		sess_set_str(s, &s->fast_mode, session_fast_word(fast));
}

static void apply_flags(struct sess *s, const struct json *patch, int64_t now)
{
	const struct json *archived = json_get(patch, "archived"), *pinned = json_get(patch, "pinned");
	const struct json *unread = json_get(patch, "unread");

	if (pinned)
		s->pinned_at = !json_bool_or(pinned, false) ? 0 : s->pinned_at ? s->pinned_at : now;
	if (archived)
		s->archived_at = !json_bool_or(archived, false) ? 0 : s->archived_at ? s->archived_at : now;
	if (s->archived_at)
		s->pinned_at = 0;
	if (!unread)
		return;
	s->marked_unread_at = json_bool_or(unread, false) ? CH_MAX(now, s->marked_unread_at + 1) : 0;
	if (!s->marked_unread_at)
		s->last_read_at = now;
}

/* Choices are made on the object and saved as one: what fails leaves the session as it was. */
static ch_status apply(struct gw_call *call, struct sess *s, const struct json *patch, struct ch_err *err)
{
	const struct json *model = json_get(patch, "model"), *thinking = json_get(patch, "thinkingLevel");
	ch_status st = model ? session_set_model(call->gw, s, json_str(model), err) : CH_OK;

	if (!st && thinking)
		st = session_set_thinking(call->gw, s, json_str(thinking), err);
	if (st) {
		(void)!sess_reload(s, NULL);
		return st;
	}
	apply_strings(s, patch);
	apply_flags(s, patch, now_wall_ms());
	s->updated_at = CH_MAX(s->updated_at, now_wall_ms());
	st = sess_save(s, err);
	return !st && json_get(patch, "category") ? session_register_category(call, s, err) : st;
}

struct open_approvals { struct arena *arena; VEC(const char *) ids; };

static bool note_approval(void *arg, const struct approval *row)
{
	struct open_approvals *open = arg;

	vec_push(&open->ids, arena_strdup(open->arena, row->id));
	return true;
}

static ch_status open_target(struct gw_call *call, const struct json *target, struct sess **ret, struct ch_err *err)
{
	const char *agent = json_get_str(target, "agentId");
	struct sess_key key;
	bool created;
	ch_status st;

	if (!agent)
		agent = agent_default_id(gw_config(call->gw), call->arena);
	st = sess_key_parse(call->arena, json_get_str(target, "key"), agent, &key, err);
	/* A page may set the model before the first message: the row is made then. */
	if (!st)
		st = json_get(target, "expectedSessionId") || json_get(target, "expectedMarkedUnreadAt") ?
			     sess_find(call->gw->sessions, key.key, ret, err) :
			     sess_open(call->gw->sessions, &key, "operator", ret, &created, err);
	if (st != CH_E_NOT_FOUND)
		return st;
	(void)!session_changed(call, key.key, "patch", err);
	return CH_E_INVALID;
}

/* What was asked for under the old permissions is not granted under the new. */
static void cancel_approvals(struct gw_call *call, const struct sess *s)
{
	struct approvals *ap = call->gw->services ? call->gw->services->host.approvals : NULL;
	struct open_approvals open = { .arena = call->arena };
	struct ch_err err;
	ch_status st = ap ? approval_pending(ap, s->key, note_approval, &open, &err) : CH_OK;

	for (size_t i = 0; i < open.ids.len && !st; i++)
		st = approval_cancel(ap, open.ids.at[i], "superseded", &err);
	vec_done(&open.ids);
	if (st)
		log_warn("gateway", "session=%s: what waited for a yes under the old permissions could not be ended: %s; answer it with "
			 "no", s->key, err.text);
}

/* *ret is referenced also when the patch is refused. */
static CH_FIBER ch_status patch_one(struct gw_call *call, const struct json *target, const struct json *patch, struct sess **ret,
				    struct ch_err *err)
{
	bool is_stale = false, changes_mode;
	ch_status st = open_target(call, target, ret, err);

	if (!st)
		st = session_check_expected(call, target, *ret, err);
	if (!st)
		st = check_unread(target, patch, *ret, &is_stale, err);
	if (st || is_stale)
		return st;
	st = check_places(call, *ret, patch, err);
	if (!st && json_get_bool(patch, "archived", false) && agent_is_active(call->gw->agents, (*ret)->key))
		st = session_settle(call, (*ret)->key, "archive", err);
	if (!st)
		st = session_check_expected(call, target, *ret, err);   /* settling took a while */
	if (!st)
		st = check_mode(call, target, *ret, err);
	changes_mode = json_get(patch, "permissionMode") && !str_eq(json_get_str(patch, "permissionMode"), (*ret)->permission_mode);
	if (!st)
		st = apply(call, *ret, patch, err);
	if (!st && changes_mode)
		cancel_approvals(call, *ret);
	if (!st)
		gw_session_changed(call->gw, *ret, "patch", NULL, NULL);
	return st;
}

/* -- sessions.patch -- */

static ch_status check_patch(const struct json *patch, struct ch_err *err)
{
	ch_status st = check_subjects(patch, err);

	return st ? st : check_words(patch, err);
}

static CH_FIBER ch_status run_patch(struct gw_call *call, struct ch_err *err)
{
	CH_AUTO(sess_unref) struct sess *s = NULL;
	const struct json *p = call->params;
	ch_status st = check_expectations(p, p, err);

	if (!st)
		st = check_patch(p, err);
	if (!st)
		st = patch_one(call, p, p, &s, err);
	if (st)
		return st;
	struct jw *w = gw_reply_begin(call);

	jw_obj(w);
	jw_kstr(w, "path", db_path(call->gw->db));
	session_put_entry(call, w, s);
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

/* -- sessions.patchMany -- */

static ch_status check_targets(struct gw_call *call, struct ch_err *err)
{
	CH_AUTO(map_free) struct map *seen = map_new();
	const struct json *patch = json_get(call->params, "patch");

	json_each(target, json_get(call->params, "targets")) {
		const char *agent = json_get_str(target, "agentId");
		struct sess_key key;
		ch_status st = check_expectations(target, patch, err);

		if (!st)
			st = sess_key_parse(call->arena, json_get_str(target, "key"),
					    agent ? agent : agent_default_id(gw_config(call->gw), call->arena), &key, err);
		if (st)
			return st;
		if (map_put(seen, key.key, call))
			return ch_fail(err, CH_E_INVALID, "Duplicate target.");
	}
	return CH_OK;
}

static void put_outcome(struct gw_call *call, struct jw *w, const struct json *target, ch_status st, const struct ch_err *err)
{
	jw_obj(w);
	jw_kbool(w, "ok", st == CH_OK);
	jw_kstr(w, "key", json_get_str(target, "key"));
	jw_kstr_opt(w, "agentId", json_get_str(target, "agentId"));
	if (st) {
		jw_kobj(w, "error");
		jw_kstr(w, "code", ch_status_wire(st));
		jw_kstr(w, "message", err->text);
		if (call->error_details)
			jw_kvalue(w, "details", call->error_details);
		if (ch_status_retryable(st))
			jw_kbool(w, "retryable", true);
		jw_end(w);
	}
	jw_end(w);
}

static CH_FIBER ch_status run_patch_many(struct gw_call *call, struct ch_err *err)
{
	const struct json *patch = json_get(call->params, "patch");
	CH_AUTO_BUF struct buf outcomes = { 0 };
	struct jw w = JW(&outcomes);
	ch_status st = check_patch(patch, err);

	if (!st)
		st = check_targets(call, err);
	if (st)
		return st;
	buf_init(&outcomes, TARGETS_MAX * 4096);
	jw_arr(&w);
	json_each(target, json_get(call->params, "targets")) {
		CH_AUTO(sess_unref) struct sess *s = NULL;
		struct ch_err failure = { 0 };

		st = patch_one(call, target, patch, &s, &failure);
		put_outcome(call, &w, target, st, &failure);
		call->error_details = NULL;
		if (st == CH_E_CANCELED)
			return ch_fail(err, st, "%s", failure.text);
	}
	jw_end(&w);
	st = buf_status(&outcomes, err, "sessions.patchMany");
	if (st)
		return st;
	struct jw *reply = gw_reply_begin(call);

	jw_obj(reply);
	jw_kraw(reply, "outcomes", outcomes.data, outcomes.len);
	jw_end(reply);
	gw_reply_end(call);
	return CH_OK;
}

/* -- scopes -- */

/* Looks and names are for writers; everything else needs admin. */
static bool is_for_writers(const struct json *member)
{
	static const char *const names[] = {
		"key", "agentId", "label", "autoLabel", "icon", "color", "category", "boardFace", "boardPresentation", "pinned",
		"archived", "unread", "model", "agentRuntime", "thinkingLevel", "fastMode",
	};

	if (str_eq(member->key, "permissionMode"))
		return !str_eq(json_str(member), "full");
	return str_starts(member->key, "expected") || str_in(member->key, names, CH_ARRAY_LEN(names));
}

static unsigned scope_of(const struct json *patch)
{
	json_each(member, patch)
		if (!is_for_writers(member))
			return GW_SCOPE_ADMIN;
	return GW_SCOPE_WRITE;
}

static unsigned patch_scope(const struct gw_call *call)
{
	return scope_of(call->params);
}

static unsigned many_scope(const struct gw_call *call)
{
	return scope_of(json_get(call->params, "patch"));
}

const struct gw_method gwm_sessions_patch[] = {
	/* name                  run             scope            flags params        dynamic scope */
	{ "sessions.patch",      run_patch,      GW_SCOPE_WRITE,  0,    patch_params, patch_scope },
	{ "sessions.patchMany",  run_patch_many, GW_SCOPE_WRITE,  0,    many_params,  many_scope },
};
const size_t gwm_sessions_patch_count = CH_ARRAY_LEN(gwm_sessions_patch);
