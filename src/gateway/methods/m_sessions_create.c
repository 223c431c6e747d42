/*
 * gateway/methods/m_sessions_create.c - sessions.create: a session, from nothing or from another one, with a first message.
 */
#include <string.h>

#include "core/rand.h"
#include "core/str.h"
#include "gateway/methods/chat_common.h"
#include "gateway/methods/methods.h"
#include "gateway/methods/session_common.h"
#include "sessions/branch.h"

#define TITLE_MAX 80

static const char *const permissions[] = { "read-only", "guarded", "workspace", "full", NULL };
static const char *const visibilities[] = { "shared", "read-only", "suggest", "draft", NULL };
static const char *const fork_points[] = { "last-completed", NULL };
static const char *const sources[] = { "empty", NULL };
static const char *const fast_words[] = { "auto", NULL };

static const struct gw_param repository_params[] = {
	{ "url", GP_STR, GP_REQUIRED | GP_NON_EMPTY }, { "ref", GP_STR, GP_NON_EMPTY }, { 0 },
};

static const struct gw_param create_params[] = {
	{ "key", GP_STR, GP_NON_EMPTY },
	{ "idempotencyKey", GP_STR, GP_NON_EMPTY },
	{ "agentId", GP_STR, GP_NON_EMPTY },
	{ "label", GP_STR, GP_NON_EMPTY, 1, 512 },
	{ "displayName", GP_STR, GP_NON_EMPTY, 1, 500 },
	{ "titleSource", GP_STR },
	{ "category", GP_STR, GP_NON_EMPTY, 1, 512 },
	{ "model", GP_STR, GP_NON_EMPTY },
	{ "agentRuntime", GP_STR, GP_NON_EMPTY },
	{ "contextWindow", GP_STR, GP_NON_EMPTY },
	{ "thinkingLevel", GP_STR, GP_NON_EMPTY },
	{ "fastMode", GP_BOOL_OR_ENUM, .choices = fast_words },
	{ "permissionMode", GP_ENUM, .choices = permissions },
	{ "toolOverrides", GP_OBJ },
	{ "incognito", GP_BOOL },
	{ "visibility", GP_ENUM, .choices = visibilities },
	{ "catalogId", GP_STR, GP_NON_EMPTY },
	{ "parentSessionKey", GP_STR, GP_NON_EMPTY },
	{ "spawnDepth", GP_INT, .min = 1, .max = INT64_MAX },
	{ "fork", GP_BOOL },
	{ "forkFrom", GP_ENUM, .choices = fork_points },
	{ "emitCommandHooks", GP_BOOL },
	{ "succeedsParent", GP_BOOL },
	{ "timeoutMs", GP_INT, .min = 0, .max = INT64_MAX },
	{ "task", GP_STR },
	{ "message", GP_STR },
	{ "mentions", GP_ARR, .item = GP_OBJ, .members = chat_mention_params },
	{ "attachments", GP_ARR, GP_OPEN, .item = GP_OBJ, .members = chat_attachment_params },
	{ "projectId", GP_STR, GP_NON_EMPTY },
	{ "projectGitUrl", GP_STR, GP_NON_EMPTY, 1, 2048 },
	{ "repository", GP_OBJ, .members = repository_params },
	{ "worktree", GP_BOOL },
	{ "worktreeSource", GP_ENUM, .choices = sources },
	{ "worktreeBaseRef", GP_STR, GP_NON_EMPTY },
	{ "worktreeName", GP_STR, GP_NON_EMPTY, 1, 64 },
	{ "execNode", GP_STR, GP_NON_EMPTY },
	{ "cwd", GP_STR, GP_NON_EMPTY },
	{ 0 },
};

/* -- checking -- */

/* Promises that this build could not keep are refused, not forgotten. */
static ch_status check_subjects(const struct json *p, struct ch_err *err)
{
	static const char *const names[] = {
		"agentRuntime", "contextWindow", "toolOverrides", "catalogId", "projectId", "projectGitUrl",
		"repository", "worktreeSource", "worktreeBaseRef", "worktreeName", "execNode", "cwd",
	};

	for (size_t i = 0; i < CH_ARRAY_LEN(names); i++)
		if (json_get(p, names[i]))
			return ch_fail(err, CH_E_ABSENT, "sessions.create: this build has nothing that %s could choose", names[i]);
	if (json_get_bool(p, "incognito", false) || json_get_bool(p, "worktree", false))
		return ch_fail(err, CH_E_ABSENT, "sessions.create: this build has no %s sessions",
			       json_get_bool(p, "incognito", false) ? "incognito" : "worktree");
	if (!str_eq(json_str_or(json_get(p, "visibility"), "shared"), "shared"))
		return ch_fail(err, CH_E_ABSENT, "sessions.create: sessions are shared with nobody; other visibilities have no subject");
	if (json_get_bool(p, "fork", false) && !json_get(p, "parentSessionKey"))
		return ch_fail(err, CH_E_INVALID, "sessions.create: fork needs parentSessionKey");
	return CH_OK;
}

/*
 * No key: a fresh one in the family of pages, as the reference's own page makes them. A request that is repeated
 * with its idempotency key finds the session that its message went to.
 */
static ch_status create_key(struct gw_call *call, struct sess_key *ret, struct ch_err *err)
{
	const char *id = json_get_str(call->params, "idempotencyKey");
	struct input_row known;
	char uuid[UUID_LEN];
	ch_status st;

	if (json_get_str(call->params, "key"))
		return gw_session_key_param(call, ret, err);
	st = id ? input_find_run(call->gw->sessions, id, call->arena, &known, err) : CH_E_NOT_FOUND;
	if (!st)
		return gw_session_key(call, known.session_key, ret, err);
	if (st != CH_E_NOT_FOUND)
		return st;
	rand_uuid(uuid);
	return gw_session_key(call, arena_printf(call->arena, "dashboard:%s", uuid), ret, err);
}

static ch_status find_parent(struct gw_call *call, struct sess **ret, struct ch_err *err)
{
	const char *text = json_get_str(call->params, "parentSessionKey");
	bool fork = json_get_bool(call->params, "fork", false);
	struct sess_key key;
	ch_status st = text ? gw_session_key(call, text, &key, err) : CH_E_NOT_FOUND;

	if (!st)
		st = sess_find(call->gw->sessions, key.key, ret, err);
	if (st == CH_E_NOT_FOUND)
		return fork ? ch_fail(err, CH_E_INVALID, "session not found: %s", text) : CH_OK;
	if (!st && fork && !json_get(call->params, "forkFrom") && agent_is_active(call->gw->agents, key.key))
		return ch_fail(err, CH_E_BUSY, "Fork is unavailable while the agent is working.");
	return st;
}

/* -- filling -- */

static void fill_names(struct sess *s, const struct json *p)
{
	const struct { const char *name; const char **field; } fields[] = {
		{ "label", &s->label }, { "displayName", &s->display_name }, { "category", &s->category },
		{ "permissionMode", &s->permission_mode },
	};
	const char *title = json_get_str(p, "titleSource");
	const struct json *fast = json_get(p, "fastMode");

	for (size_t i = 0; i < CH_ARRAY_LEN(fields); i++)
		if (json_get_str(p, fields[i].name))
			sess_set_str(s, fields[i].field, json_get_str(p, fields[i].name));
	if (fast)
		sess_set_str(s, &s->fast_mode, session_fast_word(fast));
	if (!str_empty(title) && str_empty(s->derived_title)) {
		char cut[TITLE_MAX + 1];

		snprintf(cut, sizeof(cut), "%.*s", (int)utf8_cut(title, strlen(title), TITLE_MAX), title);
		sess_set_str(s, &s->derived_title, cut);
	}
}

static ch_status fill_new(struct gw_call *call, struct sess *s, struct sess *parent, bool created, struct ch_err *err)
{
	const struct json *p = call->params;
	bool fork = created && parent && json_get_bool(p, "fork", false);
	struct tr_entry cut;
	ch_status st = CH_OK;

	if (created)
		session_mark_owner(s, call->conn);
	if (parent)
		sess_set_str(s, &s->parent_key, parent->key);
	if (fork)
		session_inherit(s, parent);
	fill_names(s, p);
	if (json_get_str(p, "model"))
		st = session_set_model(call->gw, s, json_get_str(p, "model"), err);
	if (!st && json_get_str(p, "thinkingLevel"))
		st = session_set_thinking(call->gw, s, json_get_str(p, "thinkingLevel"), err);
	if (!st)
		st = fork ? branch_fork(parent, NULL, s, call->arena, &cut, err) : sess_save(s, err);
	return st ? st : session_register_category(call, s, err);
}

/* The row is there or not, never half of it. */
static ch_status make(struct gw_call *call, const struct sess_key *key, struct sess *parent, struct sess **ret, bool *ret_created,
		      struct ch_err *err)
{
	CH_AUTO(db_rollback) struct db *tx = NULL;
	ch_status st = db_begin(call->gw->db, err);

	if (st)
		return st;
	tx = call->gw->db;
	st = sess_open(call->gw->sessions, key, "operator", ret, ret_created, err);
	if (!st)
		st = fill_new(call, *ret, parent, *ret_created, err);
	return st ? st : db_commit(CH_TAKE(tx), err);
}

/* -- answering -- */

/* The session is there even when its first message was not accepted. */
static void put_run(struct gw_call *call, struct jw *w, const char *run_id, const struct chat_sent *sent, ch_status st,
		    const struct ch_err *failure)
{
	jw_kbool(w, "runStarted", run_id && !st);
	if (run_id && !st)
		chat_put_ack(call, w, run_id, sent);
	if (!st)
		return;
	jw_kobj(w, "runError");
	jw_kstr(w, "code", ch_status_wire(st));
	jw_kstr(w, "message", failure->text);
	jw_end(w);
}

static CH_FIBER ch_status run_create(struct gw_call *call, struct ch_err *err)
{
	CH_AUTO(sess_unref) struct sess *s = NULL;
	CH_AUTO(sess_unref) struct sess *parent = NULL;
	CH_AUTO_DONE(chat_sent_done) struct chat_sent sent = { 0 };
	const struct json *p = call->params;
	const char *message = json_str_or(json_get(p, "message"), json_get_str(p, "task"));
	bool created = false, starts = !str_empty(message) || json_len(json_get(p, "attachments"));
	struct run_input in = { .run_id = json_get_str(p, "idempotencyKey"), .text = message ? message : "",
				.attachments = json_get(p, "attachments"), .timeout_ms = json_get_int(p, "timeoutMs", 0) };
	struct ch_err failure = { 0 };
	char run_id[UUID_LEN];
	struct sess_key key;
	ch_status st = check_subjects(p, err), submitted = CH_OK;

	rand_uuid(run_id);
	in.run_id = in.run_id ? in.run_id : run_id;
	if (!st)
		st = create_key(call, &key, err);
	if (!st)
		st = find_parent(call, &parent, err);
	if (!st && starts)
		st = chat_check_message("sessions.create", in.text, in.attachments, err);
	if (!st)
		st = make(call, &key, parent, &s, &created, err);
	if (st)
		return st;
	if (starts)
		submitted = chat_submit(call, &key, &in, &sent, &failure);
	struct jw *w = gw_reply_begin(call);

	jw_obj(w);
	jw_kstr(w, "sessionId", s->session_id);
	session_put_entry(call, w, s);
	put_run(call, w, starts ? in.run_id : NULL, &sent, submitted, &failure);
	jw_end(w);
	gw_reply_end(call);
	gw_session_changed(call->gw, s, created ? "create" : "patch", NULL, NULL);
	return CH_OK;
}

/* What reaches beyond the conversation needs admin. */
static unsigned create_scope(const struct gw_call *call)
{
	const struct json *p = call->params;
	bool reaches = json_get_bool(p, "incognito", false) || json_get(p, "execNode") || json_get(p, "toolOverrides") ||
		       str_eq(json_get_str(p, "permissionMode"), "full");

	return reaches ? GW_SCOPE_ADMIN : GW_SCOPE_WRITE;
}

const struct gw_method gwm_sessions_create[] = {
	/* name              run         scope            flags params         dynamic scope */
	{ "sessions.create", run_create, GW_SCOPE_WRITE,  0,    create_params, create_scope },
};
const size_t gwm_sessions_create_count = CH_ARRAY_LEN(gwm_sessions_create);
