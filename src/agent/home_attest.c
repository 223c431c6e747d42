/*
 * agent/home_attest.c - the table of workspaces that were set up once.
 *
 * A workspace whose disk is not mounted or that was moved away would otherwise begin anew, and the agent
 * with it.
 */
#include "agent/home.h"
#include "core/clock.h"

ch_status attest_find(struct db *db, const char *path, bool *ret_known, struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *row = NULL;
	ch_status st = db_prep(db, "SELECT 1 FROM workspaces WHERE path = ?1", &row, err);

	if (st)
		return st;
	db_bind_text(row, 1, path);
	return db_step(row, ret_known, err);
}

ch_status attest_note(struct db *db, const char *path, const char *agent_id, struct ch_err *err)
{
	struct db_stmt *row;
	ch_status st = db_prep(db, "INSERT INTO workspaces (path, agent_id, seeded_at) VALUES (?1, ?2, ?3) "
			       "ON CONFLICT (path) DO UPDATE SET agent_id = ?2", &row, err);

	if (st)
		return st;
	db_bind_text(row, 1, path);
	db_bind_text(row, 2, agent_id);
	db_bind_int(row, 3, now_wall_ms());
	return db_run(row, NULL, err);
}

ch_status attest_configured(struct db *db, const char *path, struct ch_err *err)
{
	struct db_stmt *row;
	ch_status st = db_prep(db, "UPDATE workspaces SET configured_at = ?2 WHERE path = ?1 AND configured_at = 0", &row, err);

	if (st)
		return st;
	db_bind_text(row, 1, path);
	db_bind_int(row, 2, now_wall_ms());
	return db_run(row, NULL, err);
}

ch_status attest_forget(struct db *db, const char *path, struct ch_err *err)
{
	struct db_stmt *row;
	ch_status st = db_prep(db, "DELETE FROM workspaces WHERE path = ?1", &row, err);

	if (st)
		return st;
	db_bind_text(row, 1, path);
	return db_run(row, NULL, err);
}
