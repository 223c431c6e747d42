/*
 * store/kv.c - small values by name (table kv).
 */
#include "core/clock.h"
#include "store/db.h"

ch_status kv_get(struct db *db, struct arena *a, const char *name, char **ret_value, struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *s = NULL;
	bool row;
	ch_status st = db_prep(db, "SELECT value FROM kv WHERE name = ?1", &s, err);

	if (st)
		return st;
	db_bind_text(s, 1, name);
	st = db_step(s, &row, err);
	if (st)
		return st;
	if (!row)
		return ch_fail(err, CH_E_NOT_FOUND, "no value is stored under '%s'", name);
	*ret_value = arena_strdup(a, db_text(s, 0));
	return CH_OK;
}

ch_status kv_put(struct db *db, const char *name, const char *value, struct ch_err *err)
{
	struct db_stmt *s;
	ch_status st = db_prep(db, "INSERT INTO kv (name, value, updated_at) VALUES (?1, ?2, ?3) "
			       "ON CONFLICT (name) DO UPDATE SET value = ?2, updated_at = ?3", &s, err);

	if (st)
		return st;
	db_bind_text(s, 1, name);
	db_bind_text(s, 2, value);
	db_bind_int(s, 3, now_wall_ms());
	return db_run(s, NULL, err);
}

ch_status kv_delete(struct db *db, const char *name, struct ch_err *err)
{
	struct db_stmt *s;
	ch_status st = db_prep(db, "DELETE FROM kv WHERE name = ?1", &s, err);

	if (st)
		return st;
	db_bind_text(s, 1, name);
	return db_run(s, NULL, err);
}
