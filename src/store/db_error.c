/*
 * store/db_error.c - SQLite's failures in our words.
 *
 * The kinds that a person must tell apart have a text each: full disk,
 * read-only file, damaged file, failing device, a lock of another program.
 * Anything else is a fault of ours and shown as SQLite puts it.
 */
#include <errno.h>
#include <string.h>

#include "core/mem.h"
#include "store/db_priv.h"
#include "store/migrate.h"

static ch_status fail_damaged(const char *detail, const char *path, const char *doing, struct ch_err *err)
{
	CH_AUTO_STR char *backup = migrate_newest_backup(path);

	if (backup)
		return ch_fail(err, CH_E_IO,
			       "%s: the database is damaged (%s); keep a copy of %s, then restore %s", doing,
			       detail, path, backup);
	return ch_fail(err, CH_E_IO,
		       "%s: the database is damaged (%s); there is no backup: keep a copy and salvage it "
		       "with: sqlite3 %s .recover",
		       doing, detail, path);
}

static ch_status fail_io(int rc, int os_errno, const char *path, const char *doing, struct ch_err *err)
{
	if (os_errno == ENOSPC || os_errno == EDQUOT)
		return ch_fail(err, CH_E_IO,
			       "%s: the disk is full, nothing was written; free some space for %s", doing,
			       path);
	if (os_errno)
		return ch_fail_errno(err, CH_E_IO, os_errno,
				     "%s: the disk failed us at %s, nothing was written", doing, path);
	return ch_fail(err, CH_E_IO, "%s: reading or writing %s failed (%s)", doing, path,
		       sqlite3_errstr(rc));
}

/*
 * What the system said. SQLite notes it for statements but not for the commit
 * at their end; then the files themselves know, the log first.
 */
static int last_errno(sqlite3 *handle)
{
	sqlite3_file *log = NULL;
	int noted = handle ? sqlite3_system_errno(handle) : 0;

	if (noted || !handle)
		return noted;
	sqlite3_file_control(handle, "main", SQLITE_FCNTL_JOURNAL_POINTER, &log);
	if (log && log->pMethods)
		log->pMethods->xFileControl(log, SQLITE_FCNTL_LAST_ERRNO, &noted);
	if (!noted)
		sqlite3_file_control(handle, "main", SQLITE_FCNTL_LAST_ERRNO, &noted);
	return noted;
}

static ch_status constraint_status(int extended)
{
	return extended == SQLITE_CONSTRAINT_UNIQUE || extended == SQLITE_CONSTRAINT_PRIMARYKEY ||
	       extended == SQLITE_CONSTRAINT_ROWID ? CH_E_EXISTS : CH_E_CONFLICT;
}

ch_status db_fail_at(sqlite3 *handle, const char *path, int rc, const char *doing, struct ch_err *err)
{
	const char *detail = handle ? sqlite3_errmsg(handle) : sqlite3_errstr(rc);

	switch (rc & 0xff) {
	case SQLITE_FULL:
		return fail_io(rc, ENOSPC, path, doing, err);
	case SQLITE_READONLY:
		return ch_fail(err, CH_E_IO,
			       "%s: the database is read-only, nothing was written; check the owner and "
			       "mode of %s and of its directory",
			       doing, path);
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return fail_damaged(detail, path, doing, err);
	case SQLITE_IOERR:
	case SQLITE_CANTOPEN:
		return fail_io(rc, last_errno(handle), path, doing, err);
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return ch_fail(err, CH_E_BUSY, "%s: another program holds a lock on %s", doing, path);
	case SQLITE_CONSTRAINT:
		return ch_fail(err, constraint_status(rc), "%s: %s", doing, detail);
	case SQLITE_TOOBIG:
		return ch_fail(err, CH_E_LIMIT, "%s: a value is too large to store", doing);
	case SQLITE_NOMEM:
		return ch_fail(err, CH_E_NOMEM, "%s: out of memory", doing);
	case SQLITE_INTERRUPT:
		return ch_fail(err, CH_E_CANCELED, "%s: interrupted", doing);
	default:
		return ch_fail(err, CH_E_BUG, "%s: %s", doing, detail);
	}
}

ch_status db_fail(struct db *db, int rc, const char *doing, struct ch_err *err)
{
	return db_fail_at(db->handle, db->path, rc, doing, err);
}
