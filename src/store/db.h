/*
 * store/db.h - SQLite, the only truth.
 *
 * Owns    one connection, its cached statements and the lock file of the state directory.
 * Runs    on the loop thread, without parking: a commit is tens of microseconds, a durable
 *         one waits for the disk (docs/storage.md has the figures).
 *         While a transaction or a statement is open no fiber may park (db_assert_idle
 *         is the fiber's switch check; db_open() registers it).
 * Keeps   WAL, foreign keys on, 0600 in a 0700 directory, versioned transactional
 *         migrations with a backup of the file before each.
 * Fails   CH_E_BUSY when another gateway holds the directory (text names pid and start time),
 *         CH_E_IO for a full disk, read-only or corrupt file (text says which, and the way out);
 *         CH_E_EXISTS for a row that is already there, CH_E_CONFLICT for other constraints;
 *         a failed statement inside a transaction leaves it to the caller to roll back.
 */
#ifndef CH_STORE_DB_H
#define CH_STORE_DB_H

#include "core/arena.h"
#include "core/err.h"

struct db;
struct db_stmt;

enum db_open_flags {
	DB_CREATE = 1,           /* make directory and file when missing */
	DB_LOCK = 2,             /* take the one-gateway lock */
	DB_READ_ONLY = 4,        /* CLI reading beside a gateway */
	DB_BESIDE = 8,           /* CLI writing a row beside a gateway that holds the lock: neither checks nor migrates */
};

/* path "<state>/chela.sqlite", or ":memory:" for tests. Migrates to the newest schema unless read-only or beside. */
CH_MUST_USE ch_status db_open(const char *path, int flags, struct db **ret, struct ch_err *err);
void db_close(struct db *db);                    /* NULL is fine; marks a clean shutdown */
CH_AUTO_DEFINE(db_close, struct db)
/* Gives up the pages that are only kept for speed; they are read again when needed. */
void db_shrink(struct db *db);
int db_schema_version(struct db *db);
const char *db_path(const struct db *db);
/* The last user of the file did not close it; db_open() has then looked it over, as far as time allowed. */
bool db_was_unclean(const struct db *db);
/* Looks at every page, index and reference: seconds on a large file. CH_E_IO with the first fault in err. */
CH_MUST_USE ch_status db_check(struct db *db, struct ch_err *err);
/* Aborts when a transaction or a row is open on any connection: no fiber may be switched then. */
void db_assert_idle(void);

/*
 * A cached statement, ready for binding. It must be released (db_done, or CH_AUTO(db_done));
 * the same SQL text asked for meanwhile gives a private copy.
 */
CH_MUST_USE ch_status db_prep(struct db *db, const char *sql, struct db_stmt **ret, struct ch_err *err);
void db_done(struct db_stmt *s);                 /* resets and clears bindings; NULL is fine */
CH_AUTO_DEFINE(db_done, struct db_stmt)
/*
 * Parameters and columns count from 1 and 0, as SQLite's. Text is copied by SQLite only when
 * it must be: keep it until the step.
 */
void db_bind_int(struct db_stmt *s, int i, int64_t v);
void db_bind_num(struct db_stmt *s, int i, double v);
void db_bind_text(struct db_stmt *s, int i, const char *text);                  /* NULL: null */
void db_bind_textn(struct db_stmt *s, int i, const char *text, size_t n);
void db_bind_blob(struct db_stmt *s, int i, const void *p, size_t n);
void db_bind_null(struct db_stmt *s, int i);
CH_MUST_USE ch_status db_step(struct db_stmt *s, bool *ret_row, struct ch_err *err);
/* For statements without rows: step and release. *ret_changes may be NULL. */
CH_MUST_USE ch_status db_run(struct db_stmt *s, int64_t *ret_changes, struct ch_err *err);
int64_t db_int(struct db_stmt *s, int col);
double db_num(struct db_stmt *s, int col);
const char *db_text(struct db_stmt *s, int col);        /* NULL for null; borrowed until the next step */
const void *db_blob(struct db_stmt *s, int col, size_t *ret_n);
size_t db_text_len(struct db_stmt *s, int col);
bool db_is_null(struct db_stmt *s, int col);
int64_t db_last_rowid(struct db *db);
CH_MUST_USE ch_status db_exec(struct db *db, const char *sql, struct ch_err *err);

/*
 * Nests by counting; only the outermost commits. A rollback inside poisons the whole.
 * db_commit() ends the transaction also when it fails. To be safe on every way out:
 *
 *	CH_AUTO(db_rollback) struct db *tx = NULL;
 *	st = db_begin(db, err);
 *	if (st)
 *		return st;
 *	tx = db;
 *	… return on any failure …
 *	return db_commit(CH_TAKE(tx), err);
 */
CH_MUST_USE ch_status db_begin(struct db *db, struct ch_err *err);
/*
 * As db_begin(), and what is committed survives a power loss, with everything
 * committed before it: for what a peer is told we keep (inputs, pairing). Other
 * commits survive a killed process; a power loss may take the newest of them.
 * Inside a transaction that is not durable it fails with CH_E_BUG.
 */
CH_MUST_USE ch_status db_begin_durable(struct db *db, struct ch_err *err);
CH_MUST_USE ch_status db_commit(struct db *db, struct ch_err *err);
void db_rollback(struct db *db);                 /* NULL is fine */
CH_AUTO_DEFINE(db_rollback, struct db)
int db_tx_depth(const struct db *db);
/* How many transactions with changes were undone so far: when it moved, copies of rows may be wrong. */
uint64_t db_undone(const struct db *db);

/* Fault injection (tests): the n-th write statement or commit from now fails with CH_E_IO; 0: off. */
void db_fail_nth(struct db *db, int n);

/* Small values by name (table kv). CH_E_NOT_FOUND when there is none. */
CH_MUST_USE ch_status kv_get(struct db *db, struct arena *a, const char *name, char **ret_value,
			     struct ch_err *err);
CH_MUST_USE ch_status kv_put(struct db *db, const char *name, const char *value, struct ch_err *err);
/* None is fine. */
CH_MUST_USE ch_status kv_delete(struct db *db, const char *name, struct ch_err *err);

#endif
