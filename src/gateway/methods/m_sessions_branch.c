/*
 * gateway/methods/m_sessions_branch.c - sessions.branches.*, rewind, fork: other ways a conversation went.
 */
#include "core/clock.h"
#include "core/rand.h"
#include "core/str.h"
#include "gateway/methods/methods.h"
#include "gateway/methods/session_common.h"
#include "sessions/branch.h"
#include "sessions/text.h"

#define EDITOR_IMAGES_MAX 10

/* -- sessions.branches.list -- */

static const struct gw_param session_params[] = {
	{ "sessionKey", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "agentId", GP_STR, GP_NON_EMPTY },
	{ 0 },
};

static void put_branch(void *arg, const struct branch *b)
{
	struct jw *w = arg;
	char at[CLOCK_ISO_LEN];

	clock_iso(b->updated_at, at);
	jw_obj(w);
	jw_kstr(w, "leafEntryId", b->leaf_id);
	jw_kstr(w, "headline", b->headline);
	jw_kint(w, "messageCount", b->messages);
	jw_kstr(w, "updatedAt", at);
	jw_kbool(w, "active", b->is_active);
	jw_end(w);
}

static ch_status run_list(struct gw_call *call, struct ch_err *err)
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
	jw_karr(w, "branches");
	st = s ? branches_each(s, put_branch, w, err) : CH_OK;
	if (st)
		return st;
	jw_end(w);
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

/* -- changing -- */

static const struct gw_param entry_params[] = {
	{ "sessionKey", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "entryId", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "agentId", GP_STR, GP_NON_EMPTY },
	{ 0 },
};

static const struct gw_param switch_params[] = {
	{ "sessionKey", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "leafEntryId", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "agentId", GP_STR, GP_NON_EMPTY },
	{ 0 },
};

/* The session, when it may be changed now; what: "Rewind", … */
static ch_status find_idle(struct gw_call *call, const char *what, struct sess **ret, struct ch_err *err)
{
	struct sess_key key;
	ch_status st = session_find(call, &key, ret, err);

	if (!st && agent_is_active(call->gw->agents, key.key))
		return ch_fail(err, CH_E_BUSY, "%s is unavailable while the agent is working.", what);
	return st;
}

static ch_status find_live(struct gw_call *call, const char *what, struct sess **ret, struct ch_err *err)
{
	ch_status st = find_idle(call, what, ret, err);

	if (!st && (*ret)->archived_at)
		return ch_fail(err, CH_E_INVALID, "%s is unavailable for archived sessions.", what);
	return st;
}

static void put_images(struct jw *w, const struct json *content)
{
	size_t n = 0;

	json_each(block, content) {
		if (!str_eq(json_get_str(block, "type"), "image") || !json_get_str(block, "data"))
			continue;
		if (n++ == EDITOR_IMAGES_MAX)
			break;
		if (n == 1)
			jw_karr(w, "editorAttachments");
		jw_obj(w);
		jw_kstr(w, "mimeType", json_str_or(json_get(block, "mimeType"), "application/octet-stream"));
		jw_kvalue(w, "data", json_get(block, "data"));
		jw_end(w);
	}
	if (n)
		jw_end(w);
}

/* What the message said, for the editor: the text as the user wrote it, and its pictures. */
static ch_status put_editor(struct gw_call *call, struct jw *w, const struct tr_entry *cut, struct ch_err *err)
{
	struct json *message;
	const char *text;
	ch_status st = json_parse(call->arena, cut->message, cut->message_len, JSON_STRICT, &message, err);

	if (st)
		return ch_wrap(err, "the message in the transcript");
	text = tr_text(call->arena, message, "");
	if (*text)
		jw_kstr(w, "editorText", text);
	put_images(w, json_get(message, "content"));
	return CH_OK;
}

static ch_status run_rewind(struct gw_call *call, struct ch_err *err)
{
	CH_AUTO(sess_unref) struct sess *s = NULL;
	struct tr_entry cut;
	ch_status st = find_live(call, "Rewind", &s, err);

	if (!st)
		st = branch_rewind(s, json_get_str(call->params, "entryId"), call->arena, &cut, err);
	if (st)
		return st;
	struct jw *w = gw_reply_begin(call);

	jw_obj(w);
	st = put_editor(call, w, &cut, err);
	if (st)
		return st;
	jw_end(w);
	gw_reply_end(call);
	gw_session_changed(call->gw, s, "rewind", NULL, NULL);
	return CH_OK;
}

static ch_status run_switch(struct gw_call *call, struct ch_err *err)
{
	CH_AUTO(sess_unref) struct sess *s = NULL;
	ch_status st = find_live(call, "Branch switch", &s, err);

	if (!st)
		st = branch_switch(s, json_get_str(call->params, "leafEntryId"), err);
	if (st)
		return st;
	struct jw *w = gw_reply_begin(call);

	jw_obj(w);
	jw_end(w);
	gw_reply_end(call);
	gw_session_changed(call->gw, s, "branch-switch", NULL, NULL);
	return CH_OK;
}

static ch_status make_fork(struct gw_call *call, struct sess *from, struct sess **ret, struct tr_entry *ret_cut, struct ch_err *err)
{
	CH_AUTO(db_rollback) struct db *tx = NULL;
	char uuid[UUID_LEN];
	struct sess_key key;
	ch_status st = db_begin(call->gw->db, err);

	if (st)
		return st;
	tx = call->gw->db;
	rand_uuid(uuid);
	st = sess_key_parse(call->arena, arena_printf(call->arena, "agent:%s:dashboard:%s", from->agent_id, uuid), from->agent_id, &key,
			    err);
	if (!st)
		st = sess_open(call->gw->sessions, &key, "operator", ret, NULL, err);
	if (st)
		return st;
	session_inherit(*ret, from);
	session_mark_owner(*ret, call->conn);
	st = branch_fork(from, json_get_str(call->params, "entryId"), *ret, call->arena, ret_cut, err);
	return st ? st : db_commit(CH_TAKE(tx), err);
}

static ch_status run_fork(struct gw_call *call, struct ch_err *err)
{
	CH_AUTO(sess_unref) struct sess *from = NULL;
	CH_AUTO(sess_unref) struct sess *to = NULL;
	struct tr_entry cut;
	ch_status st = find_idle(call, "Fork", &from, err);

	if (!st)
		st = make_fork(call, from, &to, &cut, err);
	if (st)
		return st;
	struct jw *w = gw_reply_begin(call);

	jw_obj(w);
	jw_kstr(w, "sessionKey", to->key);
	st = put_editor(call, w, &cut, err);
	if (st)
		return st;
	jw_end(w);
	gw_reply_end(call);
	gw_session_changed(call->gw, to, "fork", NULL, NULL);
	return CH_OK;
}

const struct gw_method gwm_sessions_branch[] = {
	/* name                       run         scope            flags      params */
	{ "sessions.branches.list",   run_list,   GW_SCOPE_READ,   GW_INLINE, session_params },
	{ "sessions.branches.switch", run_switch, GW_SCOPE_ADMIN,  0,         switch_params },
	{ "sessions.fork",            run_fork,   GW_SCOPE_WRITE,  0,         entry_params },
	{ "sessions.rewind",          run_rewind, GW_SCOPE_ADMIN,  0,         entry_params },
};
const size_t gwm_sessions_branch_count = CH_ARRAY_LEN(gwm_sessions_branch);
