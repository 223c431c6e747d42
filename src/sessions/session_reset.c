/*
 * sessions/session_reset.c - beginning again under the same key.
 *
 * Two ways: a reset draws a line in the window (a "reset" entry, shown as a
 * divider), a rotation opens a new window. Both zero what was counted of the
 * conversation and take the session from the run that was writing.
 */
#include "core/arena.h"
#include "core/clock.h"
#include "core/json.h"
#include "core/rand.h"
#include "core/str.h"
#include "sessions/session_priv.h"

static const char restart_sql[] =
	"UPDATE sessions SET session_id = ?2, updated_at = max(updated_at, ?3), session_started_at = ?3, "
	"started_at = 0, ended_at = 0, runtime_ms = 0, input_tokens = 0, output_tokens = 0, "
	"total_tokens = 0, cost_usd = 0, system_sent = 0, aborted_last_run = 0, compaction_count = 0, "
	"status = NULL, last_run_id = NULL, last_run_error = NULL, last_preview = NULL, "
	"derived_title = NULL, tainted_at = 0, taint = NULL, active_provider = NULL, active_model = NULL, fallback = NULL, "
	"lifecycle_revision = lifecycle_revision + 1, writer_run = NULL, writer_epoch = writer_epoch + 1 "
	"WHERE key = ?1";

static ch_status restart_row(struct sess *s, const char *session_id, struct ch_err *err)
{
	struct db_stmt *row;
	int64_t changes;
	ch_status st = db_prep(sess_store_db(s->store), restart_sql, &row, err);

	if (st)
		return st;
	db_bind_text(row, 1, s->key);
	db_bind_text(row, 2, session_id);
	db_bind_int(row, 3, now_wall_ms());
	st = db_run(row, &changes, err);
	if (!st && !changes)
		st = ch_fail(err, CH_E_NOT_FOUND, "there is no session '%s'", s->key);
	return st;
}

static ch_status append_divider(struct sess *s, const char *reason, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	CH_AUTO_BUF struct buf message = { 0 }, meta = { 0 };
	struct jw w = JW(&message), m = JW(&meta);
	struct tr_entry entry = { .type = "reset", .role = "system", .created_at = now_wall_ms() };
	ch_status st;

	buf_init(&message, 4096);
	buf_init(&meta, 4096);
	jw_obj(&w);
	jw_kstr(&w, "role", "system");
	jw_karr(&w, "content");
	jw_obj(&w);
	jw_kstr(&w, "type", "text");
	jw_kstr(&w, "text", "Reset");
	jw_end(&w);
	jw_end(&w);
	jw_kint(&w, "timestamp", entry.created_at);
	jw_end(&w);
	jw_obj(&m);
	jw_kstr(&m, "kind", "reset");
	jw_kstr_opt(&m, "reason", reason);
	jw_end(&m);
	st = buf_status(&message, err, "the reset entry");
	if (!st)
		st = buf_status(&meta, err, "the reset entry");
	if (st)
		return st;
	entry.message = buf_str(&message);
	entry.message_len = message.len;
	entry.meta = buf_str(&meta);
	return tr_append(s, NULL, 0, &entry, a, err);
}

static ch_status close_window(struct sess *s, struct ch_err *err)
{
	struct db_stmt *row;
	ch_status st = db_prep(sess_store_db(s->store),
			       "UPDATE session_windows SET closed_at = ?2 WHERE session_id = ?1", &row, err);

	if (st)
		return st;
	db_bind_text(row, 1, s->session_id);
	db_bind_int(row, 2, now_wall_ms());
	return db_run(row, NULL, err);
}

static ch_status reset_rows(struct sess *s, const char *reason, struct ch_err *err)
{
	struct db *db = sess_store_db(s->store);
	CH_AUTO(db_rollback) struct db *tx = NULL;
	ch_status st = db_begin(db, err);

	if (st)
		return st;
	tx = db;
	st = append_divider(s, reason, err);
	if (!st)
		st = restart_row(s, s->session_id, err);
	if (st)
		return st;
	return db_commit(CH_TAKE(tx), err);
}

static ch_status rotate_rows(struct sess *s, const char *reason, struct ch_err *err)
{
	struct db *db = sess_store_db(s->store);
	CH_AUTO(db_rollback) struct db *tx = NULL;
	char session_id[UUID_LEN];
	ch_status st = db_begin(db, err);

	if (st)
		return st;
	tx = db;
	rand_uuid(session_id);
	st = close_window(s, err);
	if (!st)
		st = sess_window_open(db, s->key, session_id, reason ? reason : "new", err);
	if (!st)
		st = restart_row(s, session_id, err);
	if (st)
		return st;
	return db_commit(CH_TAKE(tx), err);
}

/* The object shows the row as it is now, changed or not. */
static ch_status after_change(struct sess *s, ch_status st, struct ch_err *err)
{
	ch_status reloaded = sess_reload(s, st ? NULL : err);

	return st ? st : reloaded;
}

ch_status sess_reset(struct sess *s, const char *reason, struct ch_err *err)
{
	return after_change(s, reset_rows(s, reason, err), err);
}

ch_status sess_rotate(struct sess *s, const char *reason, struct ch_err *err)
{
	return after_change(s, rotate_rows(s, reason, err), err);
}
