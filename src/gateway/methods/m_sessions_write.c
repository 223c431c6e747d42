/*
 * gateway/methods/m_sessions_write.c - sessions.reset, delete, send, abort: ending and going on.
 *
 * State changes before it is announced. What a run in flight still needs is not taken away
 * from it: reset and delete abort it first and wait until it has settled.
 */
#include <string.h>

#include "core/clock.h"
#include "core/rand.h"
#include "core/str.h"
#include "gateway/methods/chat_common.h"
#include "gateway/methods/methods.h"
#include "gateway/methods/session_common.h"
#include "gateway/services.h"
#include "models/auth.h"

/* -- sessions.reset, sessions.delete -- */

static const char *const reset_reasons[] = { "new", "reset", NULL };

static const struct gw_param reset_params[] = {
	{ "key", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "agentId", GP_STR, GP_NON_EMPTY },
	{ "reason", GP_ENUM, .choices = reset_reasons },
	{ "expectedSessionId", GP_STR, GP_NON_EMPTY },
	{ 0 },
};

static CH_FIBER ch_status run_reset(struct gw_call *call, struct ch_err *err)
{
	CH_AUTO(sess_unref) struct sess *s = NULL;
	const char *reason = json_str_or(json_get(call->params, "reason"), "reset");
	struct sess_key key;
	ch_status st = session_find(call, &key, &s, err);

	if (!st)
		st = session_check_expected(call, call->params, s, err);
	if (!st)
		st = session_settle(call, key.key, "reset", err);
	if (!st)
		st = session_check_expected(call, call->params, s, err);        /* settling took a while */
	if (!st)
		st = str_eq(reason, "new") ? sess_rotate(s, reason, err) : sess_reset(s, reason, err);
	if (st)
		return st;
	auth_session_forget(call->gw->models, key.key);
	gw_services_session_gone(call->gw, key.key, false);
	struct jw *w = gw_reply_begin(call);

	jw_obj(w);
	session_put_entry(call, w, s);
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
	{ "expectedSessionUpdatedAt", GP_NUM, .min = 0, .max = INT64_MAX },
	{ "emitLifecycleHooks", GP_BOOL },
	{ "archivedOnly", GP_BOOL },
	{ 0 },
};

static unsigned delete_scope(const struct gw_call *call)
{
	return json_get_bool(call->params, "archivedOnly", false) ? GW_SCOPE_WRITE : GW_SCOPE_ADMIN;
}

/* May this session go, as the caller knows it? */
static ch_status check_delete(struct gw_call *call, const struct sess *s, struct ch_err *err)
{
	const struct json *updated = json_get(call->params, "expectedSessionUpdatedAt");

	if (sess_key_is_main(s->key))
		return ch_fail(err, CH_E_INVALID, "Cannot delete the main session (%s); sessions.reset empties it.", s->key);
	if (json_get_bool(call->params, "archivedOnly", false) && !s->archived_at)
		return ch_fail(err, CH_E_INVALID, "Session %s is not archived.", s->key);
	if (updated && json_num_or(updated, -1) != (double)s->updated_at)
		return session_changed(call, s->key, "delete", err);
	return session_check_expected(call, call->params, s, err);
}

static CH_FIBER ch_status delete_session(struct gw_call *call, struct sess *s, struct ch_err *err)
{
	ch_status st = check_delete(call, s, err);

	if (!st && agent_is_active(call->gw->agents, s->key)) {
		st = session_settle(call, s->key, "delete", err);
		/* The run's end is no reason to keep what its owner wants to go; a new window would be. */
		if (!st)
			st = session_check_expected(call, call->params, s, err);
	}
	if (!st)
		st = sess_delete(s, err);
	if (!st)
		gw_services_session_gone(call->gw, s->key, true);
	return st;
}

static CH_FIBER ch_status run_delete(struct gw_call *call, struct ch_err *err)
{
	CH_AUTO(sess_unref) struct sess *s = NULL;
	struct sess_key key;
	ch_status st = gw_session_key_param(call, &key, err);

	if (!st)
		st = sess_find(call->gw->sessions, key.key, &s, err);
	if (st && st != CH_E_NOT_FOUND)
		return st;
	st = s ? delete_session(call, s, err) : CH_OK;
	if (st)
		return st;
	struct jw *w = gw_reply_begin(call);

	jw_obj(w);
	jw_kbool(w, "ok", true);
	jw_kstr(w, "key", key.key);
	jw_kbool(w, "deleted", s != NULL);
	jw_karr(w, "archived");
	jw_end(w);
	jw_end(w);
	gw_reply_end(call);
	if (s)
		gw_session_changed(call->gw, s, "delete", NULL, NULL);
	return CH_OK;
}

/* -- sessions.send, sessions.abort -- */

static const struct gw_param send_params[] = {
	{ "key", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "message", GP_STR, GP_REQUIRED },
	{ "agentId", GP_STR, GP_NON_EMPTY },
	{ "thinking", GP_STR },
	{ "attachments", GP_ARR, GP_OPEN, .item = GP_OBJ, .members = chat_attachment_params },
	{ "mentions", GP_ARR, .item = GP_OBJ, .members = chat_mention_params },
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
	{ "sessions.delete", run_delete, GW_SCOPE_ADMIN,  0,    delete_params, delete_scope },
	{ "sessions.reset",  run_reset,  GW_SCOPE_ADMIN,  0,    reset_params },
	{ "sessions.send",   run_send,   GW_SCOPE_WRITE,  0,    send_params },
};
const size_t gwm_sessions_write_count = CH_ARRAY_LEN(gwm_sessions_write);
