/*
 * store/db_stmt.c - prepared statements: cache, bindings, steps, columns.
 *
 * Statements are found by their text, which callers keep as literals. A step
 * that fails inside a transaction may have made SQLite undo all of it (full
 * disk, failing device); the transaction is poisoned then, or the statements
 * after it would each commit alone.
 */
#include <string.h>

#include "core/mem.h"
#include "store/db_priv.h"

/* Rows being read, over all connections of this thread; for db_assert_idle(). */
static int open_rows;
/* Transactions, likewise. */
static int open_transactions;

void db_assert_idle(void)
{
	CH_BUG_ON(open_transactions > 0);
	CH_BUG_ON(open_rows > 0);
}

void db_count_transactions(int delta)
{
	open_transactions += delta;
	CH_BUG_ON(open_transactions < 0);
}

static void set_has_row(struct db_stmt *s, bool has_row)
{
	open_rows += (int)has_row - (int)s->has_row;
	s->has_row = has_row;
}

ch_status db_prep(struct db *db, const char *sql, struct db_stmt **ret, struct ch_err *err)
{
	struct db_stmt *s = map_find(db->stmts, sql);
	bool cache = !s && map_len(db->stmts) < DB_STMTS_MAX;
	sqlite3_stmt *handle = NULL;
	int rc;

	if (s && !s->is_out) {
		s->is_out = true;
		*ret = s;
		return CH_OK;
	}
	rc = sqlite3_prepare_v3(db->handle, sql, -1, cache ? SQLITE_PREPARE_PERSISTENT : 0, &handle, NULL);
	if (rc)
		return db_fail(db, rc, "preparing a statement", err);
	CH_BUG_ON(!handle);     /* empty SQL */
	s = ch_alloc(sizeof(*s));
	s->db = db;
	s->handle = handle;
	s->is_cached = cache;
	s->is_out = true;
	if (cache)
		map_put(db->stmts, sql, s);
	*ret = s;
	return CH_OK;
}

void db_stmt_free(struct db_stmt *s)
{
	set_has_row(s, false);
	sqlite3_finalize(s->handle);
	ch_free(s);
}

void db_done(struct db_stmt *s)
{
	if (!s)
		return;
	CH_BUG_ON(!s->is_out);
	if (!s->is_cached) {
		db_stmt_free(s);
		return;
	}
	sqlite3_reset(s->handle);
	sqlite3_clear_bindings(s->handle);
	set_has_row(s, false);
	s->bind_rc = SQLITE_OK;
	s->has_stepped = false;
	s->is_out = false;
}

/* ---- bindings ---- */

static void note_bind(struct db_stmt *s, int rc)
{
	CH_BUG_ON(rc == SQLITE_RANGE || rc == SQLITE_MISUSE);
	if (rc && !s->bind_rc)
		s->bind_rc = rc;
}

void db_bind_int(struct db_stmt *s, int i, int64_t v)
{
	note_bind(s, sqlite3_bind_int64(s->handle, i, v));
}

void db_bind_num(struct db_stmt *s, int i, double v)
{
	note_bind(s, sqlite3_bind_double(s->handle, i, v));
}

void db_bind_text(struct db_stmt *s, int i, const char *text)
{
	db_bind_textn(s, i, text, text ? strlen(text) : 0);
}

void db_bind_textn(struct db_stmt *s, int i, const char *text, size_t n)
{
	note_bind(s, text ? sqlite3_bind_text64(s->handle, i, text, n, SQLITE_STATIC, SQLITE_UTF8) :
		  sqlite3_bind_null(s->handle, i));
}

void db_bind_blob(struct db_stmt *s, int i, const void *p, size_t n)
{
	note_bind(s, sqlite3_bind_blob64(s->handle, i, p, n, SQLITE_STATIC));
}

void db_bind_null(struct db_stmt *s, int i)
{
	note_bind(s, sqlite3_bind_null(s->handle, i));
}

/* ---- steps ---- */

static ch_status check_before_step(struct db_stmt *s, struct ch_err *err)
{
	struct db *db = s->db;

	if (s->bind_rc)
		return db_fail(db, s->bind_rc, "binding a value", err);
	if (s->has_stepped)
		return CH_OK;
	s->has_stepped = true;
	if (sqlite3_stmt_readonly(s->handle))
		return CH_OK;
	if (db->is_poisoned)
		return ch_fail(err, CH_E_CONFLICT,
			       "the transaction was undone; nothing more can be written in it");
	if (db_fault_due(db))
		return ch_fail(err, CH_E_IO, "injected fault: a write to %s failed", db->path);
	return CH_OK;
}

ch_status db_step(struct db_stmt *s, bool *ret_row, struct ch_err *err)
{
	ch_status st = check_before_step(s, err);
	int rc;

	if (st)
		return st;
	rc = sqlite3_step(s->handle);
	set_has_row(s, rc == SQLITE_ROW);
	if (rc == SQLITE_ROW || rc == SQLITE_DONE) {
		*ret_row = rc == SQLITE_ROW;
		return CH_OK;
	}
	st = db_fail(s->db, rc, sqlite3_stmt_readonly(s->handle) ? "reading" : "writing", err);
	if (s->db->tx_depth > 0 && sqlite3_get_autocommit(s->db->handle))
		s->db->is_poisoned = true;
	return st;
}

ch_status db_run(struct db_stmt *s, int64_t *ret_changes, struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *mine = s;
	bool row = false;
	ch_status st = db_step(mine, &row, err);

	if (st)
		return st;
	CH_BUG_ON(row);
	if (ret_changes)
		*ret_changes = sqlite3_changes64(s->db->handle);
	return CH_OK;
}

/* ---- columns ---- */

int64_t db_int(struct db_stmt *s, int col)
{
	return sqlite3_column_int64(s->handle, col);
}

double db_num(struct db_stmt *s, int col)
{
	return sqlite3_column_double(s->handle, col);
}

const char *db_text(struct db_stmt *s, int col)
{
	return (const char *)sqlite3_column_text(s->handle, col);
}

size_t db_text_len(struct db_stmt *s, int col)
{
	return (size_t)sqlite3_column_bytes(s->handle, col);
}

const void *db_blob(struct db_stmt *s, int col, size_t *ret_n)
{
	const void *p = sqlite3_column_blob(s->handle, col);

	*ret_n = (size_t)sqlite3_column_bytes(s->handle, col);
	return p;
}

bool db_is_null(struct db_stmt *s, int col)
{
	return sqlite3_column_type(s->handle, col) == SQLITE_NULL;
}
