/*
 * sessions/input.c - the table of accepted inputs.
 *
 *	        input_start          input_end
 *	queued ------------> running ----------> done | failed | aborted
 *	   |                    |
 *	   +--> absorbed        +--> interrupted   (input_recover, after a crash)
 *	   +--> canceled | done | failed | aborted  (input_end; a command ends without a run)
 *	   +--> interrupted
 */
#include "sessions/input.h"

#include <string.h>

#include "core/clock.h"
#include "core/str.h"
#include "sessions/session_priv.h"

static const char *const state_names[] = {
	[INPUT_QUEUED] = "queued",
	[INPUT_RUNNING] = "running",
	[INPUT_DONE] = "done",
	[INPUT_FAILED] = "failed",
	[INPUT_ABORTED] = "aborted",
	[INPUT_ABSORBED] = "absorbed",
	[INPUT_CANCELED] = "canceled",
	[INPUT_INTERRUPTED] = "interrupted",
};

const char *input_state_name(enum input_state st)
{
	CH_BUG_ON((size_t)st >= CH_ARRAY_LEN(state_names));
	return state_names[st];
}

/* The table admits no other names. */
static enum input_state state_from(const char *name)
{
	size_t i = 0;

	while (!str_eq(state_names[i], name)) {
		i++;
		CH_BUG_ON(i == CH_ARRAY_LEN(state_names));
	}
	return (enum input_state)i;
}

void input_from_row(struct db_stmt *row, struct input_row *ret)
{
	*ret = (struct input_row){
		.run_id = db_text(row, 0),
		.session_key = db_text(row, 1),
		.session_id = db_text(row, 2),
		.state = state_from(db_text(row, 3)),
		.message = db_text(row, 4),
		.meta = db_text(row, 5),
		.options = db_text(row, 6),
		.outcome = db_text(row, 7),
		.error = db_text(row, 8),
		.accepted_at = db_int(row, 9),
		.started_at = db_int(row, 10),
		.ended_at = db_int(row, 11),
	};
}

void input_copy(struct arena *a, struct input_row *in)
{
	in->run_id = arena_strdup(a, in->run_id);
	in->session_key = arena_strdup(a, in->session_key);
	in->session_id = arena_strdup(a, in->session_id);
	in->message = arena_strdup(a, in->message);
	in->meta = arena_strdup(a, in->meta);
	in->options = arena_strdup(a, in->options);
	in->outcome = arena_strdup(a, in->outcome);
	in->error = arena_strdup(a, in->error);
}

/* ---- finding ---- */

static ch_status read_one(struct db_stmt *row, const char *run_id, struct arena *a, struct input_row *ret,
			  struct ch_err *err)
{
	bool found;
	ch_status st = db_step(row, &found, err);

	if (st)
		return st;
	if (!found)
		return ch_fail(err, CH_E_NOT_FOUND, "there is no run '%s'", run_id);
	input_from_row(row, ret);
	input_copy(a, ret);
	return CH_OK;
}

ch_status input_find(struct sess_store *st, const char *session_key, const char *run_id, struct arena *a,
		     struct input_row *ret, struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *row = NULL;
	ch_status status = db_prep(sess_store_db(st),
				   "SELECT " INPUT_COLUMNS " FROM inputs WHERE session_key = ?1 "
				   "AND run_id = ?2",
				   &row, err);

	if (status)
		return status;
	db_bind_text(row, 1, session_key);
	db_bind_text(row, 2, run_id);
	return read_one(row, run_id, a, ret, err);
}

ch_status input_find_run(struct sess_store *st, const char *run_id, struct arena *a, struct input_row *ret,
			 struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *row = NULL;
	/* Clients choose run ids; where two sessions had the same one, the latest is meant. */
	ch_status status = db_prep(sess_store_db(st),
				   "SELECT " INPUT_COLUMNS " FROM inputs WHERE run_id = ?1 "
				   "ORDER BY id DESC LIMIT 1",
				   &row, err);

	if (status)
		return status;
	db_bind_text(row, 1, run_id);
	return read_one(row, run_id, a, ret, err);
}

ch_status input_pending(struct sess_store *st, const char *session_key,
			bool (*each)(void *arg, const struct input_row *in), void *arg, struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *row = NULL;
	struct input_row in;
	bool found;
	ch_status status = db_prep(sess_store_db(st),
				   "SELECT " INPUT_COLUMNS " FROM inputs WHERE session_key = ?1 "
				   "AND ended_at = 0 AND state = 'queued' ORDER BY id",
				   &row, err);

	if (status)
		return status;
	db_bind_text(row, 1, session_key);
	while (!(status = db_step(row, &found, err)) && found) {
		input_from_row(row, &in);
		if (!each(arg, &in))
			break;
	}
	return status;
}

/* ---- accepting ---- */

static ch_status insert_input(struct db *db, const struct input_row *in, struct ch_err *err)
{
	struct db_stmt *row;
	ch_status st =
		db_prep(db,
			"INSERT INTO inputs (run_id, session_key, session_id, state, message, meta, options, "
			"accepted_at) VALUES (?1, ?2, ?3, 'queued', ?4, ?5, ?6, ?7)",
			&row, err);

	if (st)
		return st;
	db_bind_text(row, 1, in->run_id);
	db_bind_text(row, 2, in->session_key);
	db_bind_text(row, 3, in->session_id);
	db_bind_text(row, 4, in->message);
	db_bind_text(row, 5, in->meta);
	db_bind_text(row, 6, in->options);
	db_bind_int(row, 7, in->accepted_at);
	return db_run(row, NULL, err);
}

static ch_status accept_rows(struct sess *s, const struct input_row *in, struct ch_err *err)
{
	struct db *db = sess_store_db(s->store);
	CH_AUTO(db_rollback) struct db *tx = NULL;
	ch_status st = db_begin_durable(db, err);

	if (st)
		return st;
	tx = db;
	s->updated_at = CH_MAX(s->updated_at, in->accepted_at);
	st = sess_save(s, err);
	if (!st)
		st = insert_input(db, in, err);
	if (st)
		return st;
	return db_commit(CH_TAKE(tx), err);
}

ch_status input_accept(struct sess *s, const struct input_row *in, struct arena *a, struct input_row *ret,
		       struct ch_err *err)
{
	struct input_row made = {
		.run_id = in->run_id,
		.session_key = s->key,
		.session_id = s->session_id,
		.state = INPUT_QUEUED,
		.message = in->message,
		.meta = in->meta,
		.options = in->options,
		.accepted_at = in->accepted_at ? in->accepted_at : now_wall_ms(),
	};
	struct input_row known;
	ch_status st = input_find(s->store, s->key, in->run_id, a, &known, err);

	if (st && st != CH_E_NOT_FOUND)
		return st;
	if (!st) {
		if (ret)
			*ret = known;
		return ch_fail(err, CH_E_EXISTS, "the input '%s' was accepted before", in->run_id);
	}
	st = accept_rows(s, &made, err);
	if (st) {
		(void)!sess_reload(s, NULL);     /* nothing was saved; the caller's error says why */
		return st;
	}
	if (ret) {
		input_copy(a, &made);
		*ret = made;
	}
	return CH_OK;
}

/* ---- moving on ---- */

/* Why an update found nothing to change. */
static ch_status explain(struct sess_store *st, const char *session_key, const char *run_id,
			 struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct input_row in;
	ch_status status = input_find(st, session_key, run_id, a, &in, err);

	if (status)
		return status;
	return ch_fail(err, CH_E_CONFLICT, "the run '%s' is %s already", run_id, input_state_name(in.state));
}

ch_status input_start(struct sess_store *st, const char *session_key, const char *run_id, struct ch_err *err)
{
	struct db_stmt *row;
	int64_t changes;
	ch_status status = db_prep(sess_store_db(st),
				   "UPDATE inputs SET state = 'running', started_at = ?3, session_id = "
				   "(SELECT session_id FROM sessions WHERE key = ?1) "
				   "WHERE session_key = ?1 AND run_id = ?2 AND state = 'queued'",
				   &row, err);

	if (status)
		return status;
	db_bind_text(row, 1, session_key);
	db_bind_text(row, 2, run_id);
	db_bind_int(row, 3, now_wall_ms());
	status = db_run(row, &changes, err);
	return status || changes ? status : explain(st, session_key, run_id, err);
}

ch_status input_end(struct sess_store *st, const char *session_key, const char *run_id,
		    enum input_state state, const char *outcome, const char *error, struct ch_err *err)
{
	struct db_stmt *row;
	int64_t changes;
	ch_status status;

	CH_BUG_ON(state == INPUT_QUEUED || state == INPUT_RUNNING);
	status = db_prep(sess_store_db(st),
			 "UPDATE inputs SET state = ?3, outcome = ?4, error = ?5, ended_at = ?6 "
			 "WHERE session_key = ?1 AND run_id = ?2 AND state IN ('queued', 'running')",
			 &row, err);
	if (status)
		return status;
	db_bind_text(row, 1, session_key);
	db_bind_text(row, 2, run_id);
	db_bind_text(row, 3, input_state_name(state));
	db_bind_text(row, 4, outcome);
	db_bind_text(row, 5, error);
	db_bind_int(row, 6, now_wall_ms());
	status = db_run(row, &changes, err);
	return status || changes ? status : explain(st, session_key, run_id, err);
}

ch_status input_forget(struct sess_store *st, const char *session_key, const char *run_id, struct ch_err *err)
{
	struct db_stmt *row;
	int64_t changes;
	ch_status status = db_prep(sess_store_db(st), "DELETE FROM inputs WHERE session_key = ?1 AND run_id = ?2 AND "
				   "state = 'queued'", &row, err);

	if (status)
		return status;
	db_bind_text(row, 1, session_key);
	db_bind_text(row, 2, run_id);
	status = db_run(row, &changes, err);
	return status || changes ? status : explain(st, session_key, run_id, err);
}

ch_status input_prune(struct sess_store *st, int64_t before_ms, struct ch_err *err)
{
	struct db_stmt *row;
	ch_status status = db_prep(sess_store_db(st),
				   "DELETE FROM inputs WHERE ended_at > 0 AND ended_at < ?1", &row, err);

	if (status)
		return status;
	db_bind_int(row, 1, before_ms);
	return db_run(row, NULL, err);
}
