/*
 * store/db_priv.h - what the files of store/ share; nobody else includes it.
 */
#ifndef CH_STORE_DB_PRIV_H
#define CH_STORE_DB_PRIV_H

#include <sqlite3.h>

#include "core/map.h"
#include "store/db.h"
#include "store/lock.h"

#define DB_STMTS_MAX 192                 /* cached statements; past it each is private */

/*
 * A statement is free (cached, reset, unbound) or given out. has_row is true
 * from a step that gave a row until the next step without one, or db_done().
 */
struct db_stmt {
	struct db *db;
	sqlite3_stmt *handle;
	int bind_rc;                     /* the first failed bind; reported by the step */
	bool is_cached;
	bool is_out;
	bool has_row;
	bool has_stepped;
};

/*
 * While tx_depth > 0 SQLite has a transaction open, unless is_poisoned: then
 * part of it was undone, every write is refused, and only a rollback may follow.
 */
struct db {
	sqlite3 *handle;
	char *path;
	struct lock *lock;               /* NULL: opened without DB_LOCK */
	struct map *stmts;               /* SQL text -> struct db_stmt */
	struct db_stmt *begin, *commit, *rollback;
	int tx_depth;
	int fail_in;                     /* db_fail_nth: 0 is off */
	int64_t changes_before;          /* of the open transaction, sqlite3_total_changes64() */
	uint64_t undone;                 /* transactions that were, having changed something */
	bool is_poisoned;
	bool is_read_only;
	bool is_beside;                  /* another program owns the file: its log is not ours to empty */
	bool is_tx_durable;              /* of the open transaction */
	bool is_sync_full;               /* PRAGMA synchronous stands at FULL; NORMAL between transactions */
	bool was_unclean;
};

/* Fills err from the connection's last failure: status by kind, text with the way out. */
ch_status db_fail(struct db *db, int rc, const char *doing, struct ch_err *err);
/* The same for a connection that is just being opened and has no struct db yet. */
ch_status db_fail_at(sqlite3 *handle, const char *path, int rc, const char *doing, struct ch_err *err);
/* True when the fault to inject is due now. */
bool db_fault_due(struct db *db);
void db_stmt_free(struct db_stmt *s);
/* For db_assert_idle(). */
void db_count_transactions(int delta);

/* Makes or checks the directory and the file: ours, 0700 and 0600. */
CH_MUST_USE ch_status db_files_prepare(const char *path, int flags, struct ch_err *err);
/* A write-ahead log with something in it: the last user did not close the file. */
bool db_files_unclean(const char *path);

/* As db_check() without the indexes, and giving up after budget_ms with CH_OK. */
CH_MUST_USE ch_status db_check_quick(struct db *db, int64_t budget_ms, struct ch_err *err);

#endif
