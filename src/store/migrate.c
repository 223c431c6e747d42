/*
 * store/migrate.c - taking a file from one schema to the next.
 */
#include "store/migrate.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/mem.h"
#include "store/db_priv.h"

#define SCHEMA_MAX 999                   /* three digits in schema/NNN.sql */

static char *backup_path(const char *path, int version)
{
	return ch_asprintf("%s.schema-%d.bak", path, version);
}

char *migrate_newest_backup(const char *path)
{
	int newest = db_migrations[db_migrations_count - 1].version;

	for (int version = newest; version > 0; version--) {
		char *backup = backup_path(path, version);

		if (access(backup, F_OK) == 0)
			return backup;
		ch_free(backup);
	}
	return NULL;
}

ch_status migrate_version(struct db *db, int *ret_version, struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *s = NULL;
	bool row;
	ch_status st = db_prep(db, "PRAGMA user_version", &s, err);

	if (st)
		return st;
	st = db_step(s, &row, err);
	if (st)
		return st;
	*ret_version = (int)db_int(s, 0);
	return CH_OK;
}

/* ---- the backup ---- */

static void close_copy(sqlite3 **copy)
{
	sqlite3_close(*copy);
}

static ch_status copy_into(struct db *db, const char *to, struct ch_err *err)
{
	__attribute__((cleanup(close_copy))) sqlite3 *copy = NULL;
	sqlite3_backup *backup;
	int rc = sqlite3_open_v2(to, &copy, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
				 NULL);

	if (rc)
		return db_fail_at(copy, to, rc, "backing up before a migration", err);
	if (chmod(to, 0600) < 0)
		return ch_fail_errno(err, CH_E_IO, errno, "cannot close %s to other users", to);
	backup = sqlite3_backup_init(copy, "main", db->handle, "main");
	if (backup) {
		sqlite3_backup_step(backup, -1);
		sqlite3_backup_finish(backup);
	}
	rc = sqlite3_extended_errcode(copy);
	if (rc)
		return db_fail_at(copy, to, rc, "backing up before a migration", err);
	return CH_OK;
}

/* A finished copy under its name, or none: it is made under another name first. */
static ch_status back_up(struct db *db, int version, struct ch_err *err)
{
	CH_AUTO_STR char *to = backup_path(db->path, version);
	CH_AUTO_STR char *partial = ch_asprintf("%s.partial", to);
	ch_status st;

	if (unlink(partial) < 0 && errno != ENOENT)
		return ch_fail_errno(err, CH_E_IO, errno, "cannot remove %s", partial);
	st = copy_into(db, partial, err);
	if (!st && rename(partial, to) < 0)
		st = ch_fail_errno(err, CH_E_IO, errno, "cannot write the backup %s", to);
	if (st)
		unlink(partial);
	return st;
}

/* ---- the steps ---- */

static ch_status record_step(struct db *db, int version, struct ch_err *err)
{
	struct db_stmt *s;
	char pragma[40];
	ch_status st = db_prep(
		db, "INSERT INTO migrations (version, applied_at, program) VALUES (?1, ?2, ?3)", &s, err);

	if (st)
		return st;
	db_bind_int(s, 1, version);
	db_bind_int(s, 2, now_wall_ms());
	db_bind_text(s, 3, "chela " CHELA_VERSION);
	st = db_run(s, NULL, err);
	if (st)
		return st;
	snprintf(pragma, sizeof(pragma), "PRAGMA user_version = %d", version);
	return db_exec(db, pragma, err);
}

static ch_status take_step(struct db *db, const struct migration *step, struct ch_err *err)
{
	CH_AUTO(db_rollback) struct db *tx = NULL;
	ch_status st = db_begin_durable(db, err);

	if (st)
		return st;
	tx = db;
	st = db_exec(db, step->sql, err);
	if (!st)
		st = record_step(db, step->version, err);
	if (st)
		return st;
	return db_commit(CH_TAKE(tx), err);
}

ch_status migrate_run(struct db *db, const struct migration *steps, size_t n, struct ch_err *err)
{
	int version;
	bool is_fresh;
	ch_status st = migrate_version(db, &version, err);

	if (st)
		return st;
	is_fresh = version == 0;
	CH_BUG_ON(n == 0 || n > SCHEMA_MAX);
	if (version > steps[n - 1].version)
		return ch_fail(err, CH_E_UNSUPPORTED,
			       "%s was written by a newer chela (schema %d, this one knows %d); "
			       "run the newer program or restore a backup",
			       db->path, version, steps[n - 1].version);
	for (size_t i = (size_t)version; i < n; i++) {
		CH_BUG_ON(steps[i].version != (int)i + 1);
		if (!is_fresh && sqlite3_db_filename(db->handle, "main")[0])
			st = back_up(db, (int)i, err);
		if (!st)
			st = take_step(db, &steps[i], err);
		if (st)
			return err ? ch_wrap(err, "schema %d", steps[i].version) : st;
	}
	return CH_OK;
}
