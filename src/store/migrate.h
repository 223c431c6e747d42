/*
 * store/migrate.h - from the schema a file has to the one this program wants.
 *
 * Steps   schema/NNN.sql, embedded by the build in order. Each runs in one
 *         transaction with the change of PRAGMA user_version and its row in
 *         `migrations`: a step happens as a whole or not at all.
 * Backup  a file with data is copied to "<path>.schema-<version>.bak" before
 *         its first step; without the copy no step is taken.
 * Fails   CH_E_UNSUPPORTED for a file of a newer program; what the step gave otherwise.
 */
#ifndef CH_STORE_MIGRATE_H
#define CH_STORE_MIGRATE_H

#include "store/db.h"

struct migration {
	int version;
	const char *sql;
};

/* Sorted, from version 1 without gaps; generated from schema/NNN.sql. */
extern const struct migration db_migrations[];
extern const size_t db_migrations_count;

CH_MUST_USE ch_status migrate_run(struct db *db, const struct migration *steps, size_t n, struct ch_err *err);
/* PRAGMA user_version: 0 for an empty file. */
CH_MUST_USE ch_status migrate_version(struct db *db, int *ret_version, struct ch_err *err);
/* The newest backup beside the file, heap; NULL when there is none. */
char *migrate_newest_backup(const char *path);

#endif
