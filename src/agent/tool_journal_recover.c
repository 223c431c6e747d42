/*
 * agent/tool_journal_recover.c - the results of calls that a crash cut, put into the transcript.
 *
 * One transaction a run: the results of its last reply, in the order of its calls, and the end of its rows. What asked a
 * person and was not carried out is told apart by its approval, which is still there.
 */
#include "agent/tool_journal.h"

#include "agent/messages.h"
#include "agent/running.h"
#include "agent/taint.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/str.h"
#include "sessions/text.h"
#include "sessions/transcript.h"

#define RESULT_MAX (TR_MESSAGE_MAX + (1u << 20))

static const char unknown_text[] = "Interrupted: the gateway stopped while this ran. It may or may not have been carried out; look "
				   "before you do it again.";
static const char not_begun_text[] = "Interrupted: the gateway stopped before this was done. It changed nothing.";
static const char unanswered_text[] = "Interrupted: the gateway stopped while this waited for a person's answer. It has not been "
				      "carried out.";

struct cut_run { const char *session_key, *run_id; };
struct cut_call { const char *state, *result; bool is_known, is_begun, is_error; };

struct recovery {
	struct sess_store *sessions;
	struct db *db;
	struct arena *arena;
	VEC(struct cut_run) runs;
};

static void recovery_done(struct recovery *r)
{
	vec_done(&r->runs);
	arena_unref(r->arena);
}

static ch_status collect(struct recovery *r, struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *row = NULL;
	bool found;
	ch_status st = db_prep(r->db, "SELECT DISTINCT session_key, run_id FROM tool_calls WHERE run_id <> '" RUNNING_RUN "'",
			       &row, err);

	while (!st) {
		st = db_step(row, &found, err);
		if (st || !found)
			break;
		vec_push(&r->runs, ((struct cut_run){ arena_strdup(r->arena, db_text(row, 0)),
						      arena_strdup(r->arena, db_text(row, 1)) }));
	}
	return st;
}

/* -- what became of one call -- */

static ch_status find_call(struct recovery *r, const struct cut_run *run, const char *call_id, struct cut_call *ret,
			   struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *row = NULL;
	ch_status st = db_prep(r->db, "SELECT state, is_error, result, started_at FROM tool_calls WHERE session_key = ?1 AND run_id = ?2 AND "
			       "call_id = ?3", &row, err);

	*ret = (struct cut_call){ 0 };
	if (st)
		return st;
	db_bind_text(row, 1, run->session_key);
	db_bind_text(row, 2, run->run_id);
	db_bind_text(row, 3, call_id);
	st = db_step(row, &ret->is_known, err);
	if (st || !ret->is_known)
		return st;
	ret->state = arena_strdup(r->arena, db_text(row, 0));
	ret->is_error = db_int(row, 1) != 0;
	ret->is_begun = db_int(row, 3) != 0;
	ret->result = db_is_null(row, 2) ? NULL : arena_strdup(r->arena, db_text(row, 2));
	return CH_OK;
}

/* It asked, and what was asked for was not begun. */
static ch_status was_asking(struct recovery *r, const struct cut_run *run, const char *call_id, bool *ret, struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *row = NULL;
	ch_status st = db_prep(r->db, "SELECT 1 FROM approvals WHERE session_key = ?1 AND run_id = ?2 AND tool_call_id = ?3 AND "
			       "claimed_at = 0", &row, err);

	if (st)
		return st;
	db_bind_text(row, 1, run->session_key);
	db_bind_text(row, 2, run->run_id);
	db_bind_text(row, 3, call_id);
	return db_step(row, ret, err);
}

/* The result that the call gets: its own, or what is known of it. */
static ch_status judge(struct recovery *r, const struct cut_run *run, struct run_call *call, struct ch_err *err)
{
	struct cut_call cut;
	struct json *own = NULL;
	bool is_asking = false;
	ch_status st = find_call(r, run, call->id, &cut, err);

	if (!st && cut.is_known)
		st = was_asking(r, run, call->id, &is_asking, err);
	if (st)
		return st;
	call->is_error = true;
	if (!cut.is_known || (!cut.is_begun && !cut.result)) {
		call->content = tr_text_content(r->arena, not_begun_text);
	} else if (cut.result && !json_parse(r->arena, cut.result, strlen(cut.result), JSON_STRICT, &own, NULL)) {
		call->content = json_get(own, "content");
		call->outside = json_get_str(own, "outside");
		call->is_error = cut.is_error;
	} else {
		call->content = tr_text_content(r->arena, is_asking ? unanswered_text : unknown_text);
	}
	return CH_OK;
}

/* -- the rows -- */

static ch_status append_result(struct recovery *r, struct sess *s, const struct cut_run *run, const struct json *block,
			       struct ch_err *err)
{
	CH_AUTO_BUF struct buf row = { 0 };
	struct run_call call = { .id = json_get_str(block, "id"), .name = json_get_str(block, "name") };
	struct tr_entry e = { .type = "message", .role = "toolResult", .run_id = run->run_id, .created_at = now_wall_ms() };
	ch_status st = call.id && call.name ? judge(r, run, &call, err) : CH_OK;

	if (st || !call.content)
		return st;
	buf_init(&row, RESULT_MAX);
	msg_tool_result(&row, &call, call.content, call.is_error, e.created_at);
	st = buf_status(&row, err, "a tool's result");
	if (st)
		return st;
	e.message = buf_str(&row);
	e.message_len = row.len;
	if (call.outside) {
		e.meta = taint_meta(r->arena, "tool", call.outside);
		taint_add(s, &(struct run_taint){ "tool", call.outside, e.created_at }, 1);
	}
	return tr_append(s, NULL, 0, &e, r->arena, err);
}

/* The last reply of the run in the session's window, when no result follows it yet. */
static ch_status find_reply(struct recovery *r, const struct sess *s, const struct cut_run *run, struct json **ret_message,
			    struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *row = NULL;
	bool found;
	ch_status st = db_prep(r->db, "SELECT role, message FROM transcript WHERE session_id = ?1 AND seq IS NOT NULL AND run_id = ?2 "
			       "ORDER BY seq DESC LIMIT 1", &row, err);

	*ret_message = NULL;
	if (st)
		return st;
	db_bind_text(row, 1, s->session_id);
	db_bind_text(row, 2, run->run_id);
	st = db_step(row, &found, err);
	if (st || !found || !str_eq(db_text(row, 0), "assistant"))
		return st;
	return json_parse(r->arena, db_text(row, 1), db_text_len(row, 1), JSON_STRICT, ret_message, err);
}

static ch_status end_rows(struct recovery *r, const struct cut_run *run, struct ch_err *err)
{
	struct db_stmt *row;
	ch_status st = db_prep(r->db, "DELETE FROM tool_calls WHERE session_key = ?1 AND run_id = ?2", &row, err);

	if (st)
		return st;
	db_bind_text(row, 1, run->session_key);
	db_bind_text(row, 2, run->run_id);
	return db_run(row, NULL, err);
}

static ch_status recover_rows(struct recovery *r, struct sess *s, const struct cut_run *run, struct ch_err *err)
{
	struct json *message = NULL;
	ch_status st = s ? find_reply(r, s, run, &message, err) : CH_OK;

	json_each(block, json_get(message, "content")) {
		if (st)
			return st;
		if (str_eq(json_get_str(block, "type"), "toolCall"))
			st = append_result(r, s, run, block, err);
	}
	if (!st && message)
		st = sess_save(s, err);
	return st ? st : end_rows(r, run, err);
}

static ch_status recover_run(struct recovery *r, const struct cut_run *run, struct ch_err *err)
{
	CH_AUTO(sess_unref) struct sess *s = NULL;
	CH_AUTO(db_rollback) struct db *tx = NULL;
	ch_status st = sess_find(r->sessions, run->session_key, &s, err);

	if (st && st != CH_E_NOT_FOUND)
		return st;
	st = db_begin_durable(r->db, err);
	if (st)
		return st;
	tx = r->db;
	st = recover_rows(r, s, run, err);
	if (st)
		return st;
	log_info("agent", "session=%s run=%s: what its tools did before the gateway stopped is in the history", run->session_key,
		 run->run_id);
	return db_commit(CH_TAKE(tx), err);
}

ch_status journal_recover(struct sess_store *sessions, struct ch_err *err)
{
	CH_AUTO_DONE(recovery_done) struct recovery r = { .sessions = sessions, .db = sess_store_db(sessions), .arena = arena_new(0) };
	ch_status st = collect(&r, err);

	for (size_t i = 0; i < r.runs.len && !st; i++)
		st = recover_run(&r, &r.runs.at[i], err);
	return st && err ? ch_wrap(err, "putting the results of cut tool calls into the history") : st;
}
