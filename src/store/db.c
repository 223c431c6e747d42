/*
 * store/db.c - the connection: opening, closing, transactions.
 *
 * One connection in WAL mode. A commit is written to the log but not forced to
 * the disk (synchronous NORMAL), except in a durable transaction (FULL). The
 * log is one file written in order, so forcing one commit forces all before
 * it; a power loss can take only the newest commits after the last durable one.
 */
#include "store/db.h"

#include <string.h>

#include "core/fiber.h"
#include "core/mem.h"
#include "core/str.h"
#include "store/db_priv.h"
#include "store/migrate.h"

#define BUSY_TIMEOUT_MS 250              /* another program at the file; it stops the loop meanwhile */
#define GUEST_TIMEOUT_MS 2000             /* a command beside a gateway may wait */
#define VALUE_MAX_BYTES (64 << 20)       /* a single text or blob; stops runaway rows */
#define QUICK_CHECK_MS 500               /* of the start after an unclean end */

static const char writer_setup[] =
	"PRAGMA journal_mode = WAL;"
	"PRAGMA synchronous = NORMAL;"
	"PRAGMA foreign_keys = ON;"
	"PRAGMA secure_delete = ON;"             /* what a person deletes is gone from the file */
	"PRAGMA cache_size = -1024;"             /* KiB; idle memory counts more than a warm cache */
	"PRAGMA mmap_size = 0;"
	"PRAGMA temp_store = MEMORY;"
	"PRAGMA wal_autocheckpoint = 1000;"
	"PRAGMA journal_size_limit = 8388608;";

static const char reader_setup[] =
	"PRAGMA query_only = ON;"
	"PRAGMA cache_size = -1024;"
	"PRAGMA mmap_size = 0;";

/* ---- opening ---- */

static ch_status connect_file(struct db *db, int flags, struct ch_err *err)
{
	int mode = flags & DB_READ_ONLY ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
	int rc = sqlite3_open_v2(db->path, &db->handle, mode | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
				 NULL);

	if (rc)
		return db_fail(db, rc, "opening the database", err);
	sqlite3_busy_timeout(db->handle, flags & (DB_READ_ONLY | DB_BESIDE) ? GUEST_TIMEOUT_MS : BUSY_TIMEOUT_MS);
	sqlite3_limit(db->handle, SQLITE_LIMIT_LENGTH, VALUE_MAX_BYTES);
	sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	rc = sqlite3_exec(db->handle, flags & DB_READ_ONLY ? reader_setup : writer_setup, NULL, NULL, NULL);
	/* Where a file may not be written SQLite opens it all the same, for reading. */
	if (!rc && !(flags & DB_READ_ONLY) && sqlite3_db_readonly(db->handle, "main") == 1)
		rc = SQLITE_READONLY;
	if (rc)
		return db_fail(db, rc, "opening the database", err);
	return CH_OK;
}

static ch_status check_guest_schema(struct db *db, struct ch_err *err)
{
	int wanted = db_migrations[db_migrations_count - 1].version, version;
	ch_status st = migrate_version(db, &version, err);

	if (st)
		return st;
	if (version != wanted)
		return ch_fail(err, CH_E_UNSUPPORTED,
			       "%s has schema %d and this program knows schema %d; start the "
			       "gateway of the same version first",
			       db->path, version, wanted);
	return CH_OK;
}

static ch_status bring_up(struct db *db, int flags, struct ch_err *err)
{
	ch_status st = connect_file(db, flags, err);

	if (st)
		return st;
	if (flags & (DB_READ_ONLY | DB_BESIDE))
		return check_guest_schema(db, err);
	if (db->was_unclean)
		st = db_check_quick(db, QUICK_CHECK_MS, err);
	if (st)
		return st;
	return migrate_run(db, db_migrations, db_migrations_count, err);
}

static ch_status take_lock(struct db *db, struct ch_err *err)
{
	const char *slash = strrchr(db->path, '/');
	CH_AUTO_STR char *dir =
		slash ? ch_strndup(db->path, slash == db->path ? 1 : (size_t)(slash - db->path))
		      : ch_strdup(".");

	return lock_take(dir, &db->lock, err);
}

ch_status db_open(const char *path, int flags, struct db **ret, struct ch_err *err)
{
	bool in_memory = str_eq(path, ":memory:");
	CH_AUTO(db_close) struct db *db = ch_alloc(sizeof(*db));
	ch_status st;

	db->path = ch_strdup(path);
	db->stmts = map_new();
	db->is_read_only = flags & DB_READ_ONLY;
	db->is_beside = flags & DB_BESIDE;
	if (!in_memory) {
		st = db_files_prepare(path, flags, err);
		if (!st && flags & DB_LOCK)
			st = take_lock(db, err);
		if (st)
			return st;
		db->was_unclean = !db->is_read_only && !db->is_beside && db_files_unclean(path);
	}
	st = bring_up(db, flags, err);
	if (st)
		return st;
	fiber_set_switch_check(db_assert_idle);
	*ret = CH_TAKE(db);
	return CH_OK;
}

static void free_stmts(struct db *db)
{
	size_t cursor = 0;
	void *value;

	while (map_each(db->stmts, &cursor, NULL, &value)) {
		CH_BUG_ON(((struct db_stmt *)value)->is_out);
		db_stmt_free(value);
	}
	map_free(db->stmts);
}

/*
 * An empty log is the mark of a clean end. SQLite would see to it when the
 * last connection closes, but that may be a reader, which cannot. Where this
 * fails the next start looks the file over once for nothing.
 */
static void empty_log(struct db *db)
{
	sqlite3_busy_timeout(db->handle, 0);
	sqlite3_wal_checkpoint_v2(db->handle, "main", SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
}

void db_shrink(struct db *db)
{
	sqlite3_db_release_memory(db->handle);
}

void db_close(struct db *db)
{
	if (!db)
		return;
	CH_BUG_ON(db->tx_depth > 0);
	db_done(db->begin);
	db_done(db->commit);
	db_done(db->rollback);
	free_stmts(db);
	if (db->handle && !db->is_read_only && !db->is_beside)
		empty_log(db);
	CH_BUG_ON(sqlite3_close(db->handle) != SQLITE_OK);
	lock_release(db->lock);
	ch_free(db->path);
	ch_free(db);
}

int db_schema_version(struct db *db)
{
	int version;

	return migrate_version(db, &version, NULL) ? 0 : version;
}

const char *db_path(const struct db *db)
{
	return db->path;
}

bool db_was_unclean(const struct db *db)
{
	return db->was_unclean;
}

int64_t db_last_rowid(struct db *db)
{
	return sqlite3_last_insert_rowid(db->handle);
}

ch_status db_exec(struct db *db, const char *sql, struct ch_err *err)
{
	int rc;

	if (db_fault_due(db))
		return ch_fail(err, CH_E_IO, "injected fault: a write to %s failed", db->path);
	rc = sqlite3_exec(db->handle, sql, NULL, NULL, NULL);
	if (rc) {
		ch_status st = db_fail(db, rc, "running a statement", err);

		if (db->tx_depth > 0 && sqlite3_get_autocommit(db->handle))
			db->is_poisoned = true;
		return st;
	}
	return CH_OK;
}

/* ---- transactions ---- */

/* SQLite applies this pragma while it is prepared, and refuses it inside a transaction. */
static ch_status set_sync(struct db *db, bool full, struct ch_err *err)
{
	int rc;

	if (db->is_sync_full == full)
		return CH_OK;
	rc = sqlite3_exec(db->handle, full ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL",
			  NULL, NULL, NULL);
	if (rc)
		return db_fail(db, rc, "setting the durability", err);
	db->is_sync_full = full;
	return CH_OK;
}

/* BEGIN, COMMIT and ROLLBACK are prepared once and stay given out. */
static ch_status run_control(struct db *db, struct db_stmt **slot, const char *sql, struct ch_err *err)
{
	ch_status st = CH_OK;
	int rc;

	if (!*slot)
		st = db_prep(db, sql, slot, err);
	if (st)
		return st;
	rc = sqlite3_step((*slot)->handle);
	if (rc != SQLITE_DONE)
		st = db_fail(db, rc, sql, err);
	sqlite3_reset((*slot)->handle);
	return st;
}

static ch_status begin(struct db *db, bool durable, struct ch_err *err)
{
	ch_status st;

	if (db->tx_depth > 0) {
		if (durable && !db->is_tx_durable)
			return ch_fail(err, CH_E_BUG,
				       "a durable transaction cannot begin inside one that is not");
		db->tx_depth++;
		return CH_OK;
	}
	st = set_sync(db, durable, err);
	if (st)
		return st;
	st = run_control(db, &db->begin, "BEGIN IMMEDIATE", err);
	if (st)
		return st;
	db->tx_depth = 1;
	db->is_tx_durable = durable;
	db->changes_before = sqlite3_total_changes64(db->handle);
	db_count_transactions(1);
	return CH_OK;
}

ch_status db_begin(struct db *db, struct ch_err *err)
{
	return begin(db, false, err);
}

ch_status db_begin_durable(struct db *db, struct ch_err *err)
{
	return begin(db, true, err);
}

static void end_transaction(struct db *db, bool committed)
{
	db->undone += !committed && sqlite3_total_changes64(db->handle) != db->changes_before;
	/* SQLite undoes some failed transactions by itself; a ROLLBACK would then be an error. */
	if (!sqlite3_get_autocommit(db->handle))
		/* Where it fails, so does the next BEGIN. */
		(void)!run_control(db, &db->rollback, "ROLLBACK", NULL);
	db->tx_depth = 0;
	db->is_poisoned = false;
	db_count_transactions(-1);
	(void)!set_sync(db, false, NULL);        /* else the statements after this one are only slower */
}

ch_status db_commit(struct db *db, struct ch_err *err)
{
	ch_status st;

	CH_BUG_ON(db->tx_depth == 0);
	if (db->tx_depth > 1) {
		db->tx_depth--;
		return CH_OK;
	}
	if (db->is_poisoned)
		st = ch_fail(err, CH_E_CONFLICT,
			     "a part of the transaction was undone, so nothing of it was kept");
	else if (db_fault_due(db))
		st = ch_fail(err, CH_E_IO, "injected fault: a commit to %s failed", db->path);
	else
		st = run_control(db, &db->commit, "COMMIT", err);
	end_transaction(db, st == CH_OK);
	return st;
}

void db_rollback(struct db *db)
{
	if (!db)
		return;
	CH_BUG_ON(db->tx_depth == 0);
	if (db->tx_depth > 1) {
		db->tx_depth--;
		db->is_poisoned = true;
		return;
	}
	end_transaction(db, false);
}

int db_tx_depth(const struct db *db)
{
	return db->tx_depth;
}

uint64_t db_undone(const struct db *db)
{
	return db->undone;
}

void db_fail_nth(struct db *db, int n)
{
	db->fail_in = n;
}

bool db_fault_due(struct db *db)
{
	return db->fail_in > 0 && --db->fail_in == 0;
}
