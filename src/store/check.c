/*
 * store/check.c - is the file sound?
 *
 * Quick: after an unclean end, pages and row structure, within a time budget,
 * because a start must not wait for a gigabyte to be read. Full: everything,
 * when a person asks.
 */
#include <string.h>

#include "core/clock.h"
#include "core/str.h"
#include "store/db_priv.h"

#define BUDGET_STEP 5000                 /* virtual machine instructions between looks at the clock */

static int past_deadline(void *arg)
{
	return now_mono_ms() > *(const int64_t *)arg;
}

/* sql gives rows of text; one row "ok" or none at all is good news, the first other is the fault. */
static ch_status first_fault(struct db *db, const char *sql, struct ch_err *err)
{
	sqlite3_stmt *stmt = NULL;
	ch_status st = CH_OK;
	int rc = sqlite3_prepare_v2(db->handle, sql, -1, &stmt, NULL);

	if (!rc) {
		rc = sqlite3_step(stmt);
		if (rc == SQLITE_ROW && !str_eq((const char *)sqlite3_column_text(stmt, 0), "ok")) {
			struct ch_err damage;

			st = db_fail_at(NULL, db->path, SQLITE_CORRUPT, "checking", &damage);
			st = ch_fail(err, st, "%s: %s", (const char *)sqlite3_column_text(stmt, 0),
				     damage.text);
		}
	}
	if (!st && rc != SQLITE_OK && rc != SQLITE_ROW && rc != SQLITE_DONE)
		st = db_fail(db, rc, "checking the database", err);
	sqlite3_finalize(stmt);
	return st;
}

ch_status db_check_quick(struct db *db, int64_t budget_ms, struct ch_err *err)
{
	int64_t deadline_ms = now_mono_ms() + budget_ms;
	ch_status st;

	sqlite3_progress_handler(db->handle, BUDGET_STEP, past_deadline, &deadline_ms);
	st = first_fault(db, "PRAGMA quick_check(1)", err);
	sqlite3_progress_handler(db->handle, 0, NULL, NULL);
	return st == CH_E_CANCELED ? CH_OK : st;
}

ch_status db_check(struct db *db, struct ch_err *err)
{
	ch_status st = first_fault(db, "PRAGMA integrity_check(1)", err);

	if (st)
		return st;
	st = first_fault(db, "SELECT 'row ' || rowid || ' of ' || \"table\" || ' refers to nothing' "
			 "FROM pragma_foreign_key_check LIMIT 1", err);
	if (st || db->is_read_only)
		return st;
	/* FTS5's own check is written as an insert; it changes nothing. */
	return first_fault(
		db, "INSERT INTO transcript_fts (transcript_fts, rank) VALUES ('integrity-check', 1)", err);
}
