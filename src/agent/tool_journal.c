/*
 * agent/tool_journal.c - see tool_journal.h: writing. What is made of it at start-up is in tool_journal_recover.c.
 */
#include "agent/tool_journal.h"

#include "agent/host.h"
#include "agent/policy.h"
#include "core/clock.h"

#define RESULT_MAX (9u << 20)            /* a result that the transcript would refuse is not kept here either */

static bool acts(const struct run *r, const struct run_call *call)
{
	const struct tool *t = policy_tool(r->policy, call->name);

	return t && t->risk != TOOL_READS && !call->args_error;
}

bool journal_is_due(const struct run *r)
{
	for (size_t i = 0; i < r->calls.len; i++)
		if (acts(r, &r->calls.at[i]))
			return true;
	return false;
}

static struct db *db_of(const struct run *r)
{
	return sess_store_db(r->host->opts.sessions);
}

/* A model may give two calls one id; the row is of the first then, and both get its fate. */
static ch_status begin_one(struct run *r, struct run_call *call, bool is_first, struct ch_err *err)
{
	struct db_stmt *row;
	ch_status st = db_prep(db_of(r),
			       "INSERT OR IGNORE INTO tool_calls (session_key, run_id, call_id, tool, state, started_at) "
			       "VALUES (?1, ?2, ?3, ?4, 'started', ?5)", &row, err);

	if (st)
		return st;
	db_bind_text(row, 1, r->session_key);
	db_bind_text(row, 2, r->event_id);
	db_bind_text(row, 3, call->id);
	db_bind_text(row, 4, call->name);
	db_bind_int(row, 5, is_first ? now_wall_ms() : 0);
	call->is_begun = is_first;
	return db_run(row, NULL, err);
}

ch_status journal_launch(struct run *r, struct run_call *call, struct ch_err *err)
{
	CH_AUTO(db_rollback) struct db *tx = NULL;
	struct db_stmt *row;
	ch_status st;

	if (call->is_begun || !acts(r, call))
		return CH_OK;
	st = db_begin_durable(db_of(r), err);
	if (st)
		return st;
	tx = db_of(r);
	st = db_prep(tx, "UPDATE tool_calls SET started_at = ?4 WHERE session_key = ?1 AND run_id = ?2 AND call_id = ?3", &row, err);
	if (st)
		return st;
	db_bind_text(row, 1, r->session_key);
	db_bind_text(row, 2, r->event_id);
	db_bind_text(row, 3, call->id);
	db_bind_int(row, 4, now_wall_ms());
	st = db_run(row, NULL, err);
	if (st)
		return st;
	call->is_begun = true;
	return db_commit(CH_TAKE(tx), err);
}

ch_status journal_begin(struct run *r, struct ch_err *err)
{
	bool is_first = true;
	ch_status st = CH_OK;

	r->is_journaled = true;
	for (size_t i = 0; i < r->calls.len && !st; i++) {
		if (!acts(r, &r->calls.at[i]))
			continue;
		st = begin_one(r, &r->calls.at[i], is_first, err);
		is_first = false;
	}
	return st;
}

/* The last result of a reply is committed with all of them at once. */
static bool is_last(const struct run *r, const struct run_call *call)
{
	for (size_t i = 0; i < r->calls.len; i++)
		if (&r->calls.at[i] != call && !r->calls.at[i].is_done)
			return false;
	return true;
}

static void write_result(struct buf *out, const struct run_call *call)
{
	struct jw w = JW(out);

	jw_obj(&w);
	jw_kvalue(&w, "content", call->content);
	jw_kstr_opt(&w, "outside", call->outside);
	jw_end(&w);
}

ch_status journal_finish(struct run *r, const struct run_call *call, struct ch_err *err)
{
	CH_AUTO_BUF struct buf result = { 0 };
	struct db_stmt *row;
	ch_status st;

	if (!acts(r, call) || is_last(r, call))
		return CH_OK;
	buf_init(&result, RESULT_MAX);
	write_result(&result, call);
	st = buf_status(&result, err, "a tool's result");
	if (!st)
		st = db_prep(db_of(r),
			     "UPDATE tool_calls SET state = 'finished', ended_at = ?4, is_error = ?5, result = ?6 "
			     "WHERE session_key = ?1 AND run_id = ?2 AND call_id = ?3", &row, err);
	if (st)
		return st;
	db_bind_text(row, 1, r->session_key);
	db_bind_text(row, 2, r->event_id);
	db_bind_text(row, 3, call->id);
	db_bind_int(row, 4, now_wall_ms());
	db_bind_int(row, 5, call->is_error);
	db_bind_text(row, 6, buf_str(&result));
	return db_run(row, NULL, err);
}

ch_status journal_clear(struct run *r, struct ch_err *err)
{
	struct db_stmt *row;
	ch_status st;

	if (!r->is_journaled)
		return CH_OK;
	st = db_prep(db_of(r), "DELETE FROM tool_calls WHERE session_key = ?1 AND run_id = ?2", &row, err);
	if (st)
		return st;
	db_bind_text(row, 1, r->session_key);
	db_bind_text(row, 2, r->event_id);
	return db_run(row, NULL, err);
}
