/*
 * sessions/groups.c - the table session_groups, and the categories of sessions that go with it.
 */
#include "sessions/groups.h"

#include <string.h>

#include "core/clock.h"
#include "core/map.h"
#include "core/str.h"
#include "sessions/session_priv.h"

#define SECTION_ORDER "sessions.section_order"
#define SECTION_ORDER_MAX (GROUPS_MAX * (GROUP_NAME_MAX + 16u))

/* ---- reading ---- */

ch_status groups_each(struct sess_store *st, void (*each)(void *arg, const struct group *g), void *arg,
		      struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *row = NULL;
	bool found;
	ch_status status = db_prep(sess_store_db(st),
				   "SELECT name, cwd, worktree FROM session_groups ORDER BY position, name", &row, err);

	if (status)
		return status;
	for (int64_t at = 0; !(status = db_step(row, &found, err)) && found; at++)
		each(arg, &(struct group){ db_text(row, 0), at, db_text(row, 1), db_int(row, 2) != 0 });
	return status;
}

ch_status groups_section_order(struct sess_store *st, struct arena *a, const char **ret_json, struct ch_err *err)
{
	char *stored;
	ch_status status = kv_get(sess_store_db(st), a, SECTION_ORDER, &stored, err);

	if (status && status != CH_E_NOT_FOUND)
		return status;
	*ret_json = status ? "[]" : stored;
	return CH_OK;
}

/* ---- one statement each ---- */

/* Runs sql with up to three texts; a NULL in between is bound as null. */
static ch_status change(struct sess_store *st, const char *sql, const char *const *texts, int n, int64_t *ret_changes,
			struct ch_err *err)
{
	struct db_stmt *row;
	ch_status status = db_prep(sess_store_db(st), sql, &row, err);

	if (status)
		return status;
	for (int i = 0; i < n; i++)
		db_bind_text(row, i + 1, texts[i]);
	return db_run(row, ret_changes, err);
}

static ch_status exists(struct sess_store *st, const char *name, bool *ret, struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *row = NULL;
	ch_status status = db_prep(sess_store_db(st), "SELECT 1 FROM session_groups WHERE name = ?1", &row, err);

	if (status)
		return status;
	db_bind_text(row, 1, name);
	return db_step(row, ret, err);
}

ch_status group_register(struct sess_store *st, const char *name, bool *ret_added, struct ch_err *err)
{
	int64_t changes;
	ch_status status = change(st,
		"INSERT INTO session_groups (name, position) "
		"VALUES (?1, (SELECT coalesce(max(position) + 1, 0) FROM session_groups)) ON CONFLICT (name) DO NOTHING",
		(const char *[]){ name }, 1, &changes, err);

	if (!status)
		*ret_added = changes > 0;
	return status;
}

ch_status group_set_defaults(struct sess_store *st, const char *name, const char *cwd, bool worktree, struct ch_err *err)
{
	int64_t changes;
	ch_status status = change(st, "UPDATE session_groups SET cwd = ?2, worktree = ?3 + 0 WHERE name = ?1",
				  (const char *[]){ name, cwd, worktree ? "1" : "0" }, 3, &changes, err);

	if (!status && !changes)
		return ch_fail(err, CH_E_NOT_FOUND, "unknown session group: %s", name);
	return status;
}

/* Sessions of one group go to another (to NULL: to none). */
static ch_status move_members(struct sess_store *st, const char *name, const char *to, int64_t *ret_members,
			      struct ch_err *err)
{
	return change(st, "UPDATE sessions SET category = ?2 WHERE category = ?1", (const char *[]){ name, to }, 2, ret_members,
		      err);
}

static ch_status drop(struct sess_store *st, const char *name, struct ch_err *err)
{
	return change(st, "DELETE FROM session_groups WHERE name = ?1", (const char *[]){ name }, 1, NULL, err);
}

/* ---- the whole list ---- */

struct put { struct sess_store *st; struct arena *a; struct map *names; };

/* Groups with members that the new list does not have: named with their sizes, as many as fit. */
static ch_status refuse_members(struct put *p, struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *row = NULL;
	CH_AUTO_BUF struct buf left = { 0 };
	bool found;
	ch_status st = db_prep(sess_store_db(p->st),
			       "SELECT category, count(*) FROM sessions WHERE category IN (SELECT name FROM session_groups) "
			       "GROUP BY category ORDER BY category", &row, err);

	if (st)
		return st;
	buf_init(&left, 4096);
	while (!(st = db_step(row, &found, err)) && found)
		if (!map_find(p->names, db_text(row, 0)) && left.len < 80)
			buf_printf(&left, "%s\"%.40s\" (%lld)", left.len ? ", " : "", db_text(row, 0), (long long)db_int(row, 1));
	if (st || !left.len)
		return st;
	return ch_fail(err, CH_E_INVALID, "groups that have sessions cannot be left out: %.*s; name them, or delete them first",
		       (int)utf8_cut(left.data, left.len, 100), left.data);
}

/* Rows of groups that stay keep their defaults. */
static ch_status write_names(struct put *p, const struct json *names, struct ch_err *err)
{
	int64_t position = 0;
	ch_status st = change(p->st, "UPDATE session_groups SET position = -1", NULL, 0, NULL, err);

	json_each(item, names) {
		struct db_stmt *row;

		if (st)
			return st;
		st = db_prep(sess_store_db(p->st), "INSERT INTO session_groups (name, position) VALUES (?1, ?2) "
			     "ON CONFLICT (name) DO UPDATE SET position = excluded.position WHERE position < 0", &row, err);
		if (st)
			return st;
		db_bind_text(row, 1, str_trim(p->a, json_str(item)));
		db_bind_int(row, 2, position++);
		st = db_run(row, NULL, err);
	}
	return st ? st : change(p->st, "DELETE FROM session_groups WHERE position < 0", NULL, 0, NULL, err);
}

/* "ungrouped", "groups", "work", "catalog:<id>", and "category:<name>" of a group that there is. */
static bool is_section(struct put *p, const char *id)
{
	if (str_starts(id, "category:"))
		return map_find(p->names, str_trim(p->a, id + strlen("category:"))) != NULL;
	return str_in(id, (const char *const[]){ "ungrouped", "groups", "work" }, 3) ||
	       (str_starts(id, "catalog:") && id[strlen("catalog:")]);
}

static ch_status write_sections(struct put *p, const struct json *order, struct ch_err *err)
{
	CH_AUTO_BUF struct buf text = { 0 };
	CH_AUTO(map_free) struct map *seen = map_new();
	struct jw w = JW(&text);
	ch_status st;

	buf_init(&text, SECTION_ORDER_MAX);
	jw_arr(&w);
	json_each(item, order) {
		const char *id = str_trim(p->a, json_str(item));

		if (!is_section(p, id) || map_find(seen, id))
			continue;
		map_put(seen, id, p);
		jw_str(&w, id);
	}
	jw_end(&w);
	st = buf_status(&text, err, "sectionOrder");
	return st ? st : kv_put(sess_store_db(p->st), SECTION_ORDER, buf_str(&text), err);
}

static ch_status put_rows(struct put *p, const struct json *names, const struct json *section_order, struct ch_err *err)
{
	struct db *db = sess_store_db(p->st);
	CH_AUTO(db_rollback) struct db *tx = NULL;
	ch_status st = db_begin(db, err);

	if (st)
		return st;
	tx = db;
	st = refuse_members(p, err);
	if (!st)
		st = write_names(p, names, err);
	if (!st && section_order)
		st = write_sections(p, section_order, err);
	return st ? st : db_commit(CH_TAKE(tx), err);
}

ch_status groups_put(struct sess_store *st, const struct json *names, const struct json *section_order, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	CH_AUTO(map_free) struct map *known = map_new();
	struct put p = { st, a, known };

	json_each(item, names) {
		const char *name = str_trim(a, json_str(item));

		if (!*name)
			return ch_fail(err, CH_E_INVALID, "a session group needs a name");
		map_put(known, name, &p);
	}
	return put_rows(&p, names, section_order, err);
}

/* ---- with their sessions ---- */

static ch_status rename_rows(struct sess_store *st, const char *name, const char *to, int64_t *ret_members,
			     struct ch_err *err)
{
	CH_AUTO(db_rollback) struct db *tx = NULL;
	bool is_there, target = false;
	ch_status status = db_begin(sess_store_db(st), err);

	if (status)
		return status;
	tx = sess_store_db(st);
	status = exists(st, name, &is_there, err);
	if (!status && !is_there)
		status = ch_fail(err, CH_E_NOT_FOUND, "unknown session group: %s", name);
	if (!status)
		status = exists(st, to, &target, err);
	if (!status)
		status = target ? drop(st, name, err) :
				  change(st, "UPDATE session_groups SET name = ?2 WHERE name = ?1", (const char *[]){ name, to }, 2,
					 NULL, err);
	if (!status)
		status = move_members(st, name, to, ret_members, err);
	return status ? status : db_commit(CH_TAKE(tx), err);
}

ch_status group_rename(struct sess_store *st, const char *name, const char *to, int64_t *ret_members, struct ch_err *err)
{
	ch_status status;

	*ret_members = 0;
	if (str_eq(name, to))
		return CH_OK;
	status = rename_rows(st, name, to, ret_members, err);
	return status ? status : sess_store_refresh(st, err);
}

static ch_status delete_rows(struct sess_store *st, const char *name, int64_t *ret_members, struct ch_err *err)
{
	CH_AUTO(db_rollback) struct db *tx = NULL;
	ch_status status = db_begin(sess_store_db(st), err);

	if (status)
		return status;
	tx = sess_store_db(st);
	status = drop(st, name, err);
	if (!status)
		status = move_members(st, name, NULL, ret_members, err);
	return status ? status : db_commit(CH_TAKE(tx), err);
}

ch_status group_delete(struct sess_store *st, const char *name, int64_t *ret_members, struct ch_err *err)
{
	ch_status status;

	*ret_members = 0;
	status = delete_rows(st, name, ret_members, err);
	return status ? status : sess_store_refresh(st, err);
}
