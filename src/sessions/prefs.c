/*
 * sessions/prefs.c - the table user_prefs.
 */
#include "sessions/prefs.h"

#include "core/arena.h"
#include "core/clock.h"
#include "core/str.h"

/* ---- reading ---- */

static ch_status put_named(struct db *db, const char *profile_id, const char *name, struct jw *w,
			   struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *row = NULL;
	bool found;
	ch_status st = db_prep(db, "SELECT value FROM user_prefs WHERE profile_id = ?1 AND name = ?2", &row, err);

	if (st)
		return st;
	db_bind_text(row, 1, profile_id);
	db_bind_text(row, 2, name);
	st = db_step(row, &found, err);
	if (!st && found)
		jw_kraw(w, name, db_text(row, 0), db_text_len(row, 0));
	return st;
}

static ch_status put_all(struct db *db, const char *profile_id, struct jw *w, struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *row = NULL;
	bool found;
	ch_status st = db_prep(db, "SELECT name, value FROM user_prefs WHERE profile_id = ?1 ORDER BY name", &row, err);

	if (st)
		return st;
	db_bind_text(row, 1, profile_id);
	while (!(st = db_step(row, &found, err)) && found)
		jw_kraw(w, db_text(row, 0), db_text(row, 1), db_text_len(row, 1));
	return st;
}

ch_status prefs_write_json(struct db *db, const char *profile_id, const struct json *names, struct jw *w,
			   struct ch_err *err)
{
	ch_status st = CH_OK;

	jw_obj(w);
	if (!names)
		st = put_all(db, profile_id, w, err);
	json_each(name, names) {
		if (!st)
			st = put_named(db, profile_id, json_str(name), w, err);
	}
	jw_end(w);
	return st;
}

/* ---- writing ---- */

/* Is the stored value (NULL: none) what the caller expects? */
static ch_status is_expected(struct db *db, const char *profile_id, const struct json *want, bool *ret, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	CH_AUTO(db_done) struct db_stmt *row = NULL;
	struct json *stored;
	bool found;
	ch_status st = db_prep(db, "SELECT value FROM user_prefs WHERE profile_id = ?1 AND name = ?2", &row, err);

	if (st)
		return st;
	db_bind_text(row, 1, profile_id);
	db_bind_text(row, 2, want->key);
	st = db_step(row, &found, err);
	if (st)
		return st;
	if (!found || json_is(want, JSON_NULL)) {
		*ret = !found && json_is(want, JSON_NULL);
		return CH_OK;
	}
	st = json_parse(a, db_text(row, 0), db_text_len(row, 0), JSON_STRICT, &stored, err);
	if (!st)
		*ret = json_equal(stored, want);
	return st;
}

static ch_status delete_one(struct db *db, const char *profile_id, const char *name, struct ch_err *err)
{
	struct db_stmt *row;
	ch_status st = db_prep(db, "DELETE FROM user_prefs WHERE profile_id = ?1 AND name = ?2", &row, err);

	if (st)
		return st;
	db_bind_text(row, 1, profile_id);
	db_bind_text(row, 2, name);
	return db_run(row, NULL, err);
}

static ch_status put_one(struct db *db, const char *profile_id, const struct json *value, struct ch_err *err)
{
	CH_AUTO_BUF struct buf text = { 0 };
	struct db_stmt *row;
	ch_status st;

	buf_init(&text, PREFS_VALUE_MAX + 1);
	json_write(&text, value, 0);
	if (buf_status(&text, NULL, "value") || text.len > PREFS_VALUE_MAX)
		return ch_fail(err, CH_E_INVALID, "invalid users.prefs.set entry for %.*s: value-too-large (at most %d bytes)",
			       (int)utf8_cut(value->key, value->key_len, 80), value->key, PREFS_VALUE_MAX);
	st = db_prep(db,
		     "INSERT INTO user_prefs (profile_id, name, updated_at, value) VALUES (?1, ?2, ?3, ?4) "
		     "ON CONFLICT (profile_id, name) DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at",
		     &row, err);
	if (st)
		return st;
	db_bind_text(row, 1, profile_id);
	db_bind_text(row, 2, value->key);
	db_bind_int(row, 3, now_wall_ms());
	db_bind_textn(row, 4, buf_str(&text), text.len);
	return db_run(row, NULL, err);
}

static ch_status count(struct db *db, const char *profile_id, int64_t *ret, struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *row = NULL;
	bool found;
	ch_status st = db_prep(db, "SELECT count(*) FROM user_prefs WHERE profile_id = ?1", &row, err);

	if (st)
		return st;
	db_bind_text(row, 1, profile_id);
	st = db_step(row, &found, err);
	if (!st)
		*ret = db_int(row, 0);
	return st;
}

static ch_status put_entries(struct db *db, const char *profile_id, const struct json *entries, struct ch_err *err)
{
	ch_status st = CH_OK;

	json_each(entry, entries) {
		st = json_is(entry, JSON_NULL) ? delete_one(db, profile_id, entry->key, err) :
						 put_one(db, profile_id, entry, err);
		if (st)
			break;
	}
	return st;
}

ch_status prefs_set(struct db *db, const char *profile_id, const struct json *entries, const struct json *expected,
		    enum prefs_result *ret, int64_t *ret_count, struct ch_err *err)
{
	CH_AUTO(db_rollback) struct db *tx = NULL;
	int64_t before = 0, after = 0;
	bool matches = true;
	ch_status st = db_begin(db, err);

	if (st)
		return st;
	tx = db;
	json_each(want, expected) {
		st = is_expected(db, profile_id, want, &matches, err);
		if (st)
			return st;
		if (!matches)
			break;
	}
	st = count(db, profile_id, &before, err);
	if (!st && matches)
		st = put_entries(db, profile_id, entries, err);
	if (!st)
		st = count(db, profile_id, &after, err);
	if (st)
		return st;
	*ret_count = before;
	*ret = !matches ? PREFS_CONFLICT : after > PREFS_MAX && after > before ? PREFS_FULL : PREFS_SAVED;
	return *ret == PREFS_SAVED ? db_commit(CH_TAKE(tx), err) : CH_OK;
}
