/*
 * sessions/session.c - session rows and the live objects that show them.
 *
 * The store keeps at most one object per key: while anybody holds a reference,
 * and for a while after, so that a turn does not read the row again and again
 * (SESS_IDLE_MAX unreferenced ones, the longest unused goes first). An object
 * equals its committed row but between a change and its sess_save(); a save
 * that fails takes the change back.
 */
#include "sessions/session.h"

#include <string.h>

#include "core/clock.h"
#include "core/map.h"
#include "core/mem.h"
#include "core/rand.h"
#include "core/str.h"
#include "sessions/session_priv.h"

#define SESS_IDLE_MAX 64

struct sess_store {
	struct db *db;
	struct map *live;                        /* key -> struct sess, referenced or idle */
	struct sess *idle_first, *idle_last;     /* unreferenced, the longest unused first */
	size_t idle_count;
	uint64_t undone;                         /* db_undone() when the objects were last compared */
	bool has_parents;                        /* some session has a parent, or had one since we began */
};

static const size_t str_fields[] = {
#define X(name) offsetof(struct sess, name),
	SESS_STR_MAP(X)
#undef X
};

static const size_t int_fields[] = {
#define X(name) offsetof(struct sess, name),
	SESS_INT_MAP(X)
#undef X
};

#define COLUMN(name) ", " #name
#define SESS_COLUMNS "key, agent_id, session_id" SESS_STR_MAP(COLUMN) SESS_INT_MAP(COLUMN) ", cost_usd"
const char sess_columns[] = SESS_COLUMNS;

static const char **str_field(struct sess *s, size_t i)
{
	return (const char **)(void *)((char *)s + str_fields[i]);
}

static int64_t *int_field(struct sess *s, size_t i)
{
	return (int64_t *)(void *)((char *)s + int_fields[i]);
}

void sess_from_row(struct db_stmt *row, struct sess *ret)
{
	int col = 0;

	*ret = (struct sess){ 0 };
	ret->key = db_text(row, col++);
	ret->agent_id = db_text(row, col++);
	ret->session_id = db_text(row, col++);
	for (size_t i = 0; i < CH_ARRAY_LEN(str_fields); i++)
		*str_field(ret, i) = db_text(row, col++);
	for (size_t i = 0; i < CH_ARRAY_LEN(int_fields); i++)
		*int_field(ret, i) = db_int(row, col++);
	ret->cost_usd = db_num(row, col);
}

/* ---- live objects ---- */

static void free_str(const char **field)
{
	ch_free((char *)*field);
	*field = NULL;
}

/* A string that stays the same stays where it is, for those who borrowed it. */
static void set_str(const char **field, const char *value)
{
	char *copy;

	if (str_eq(*field, value))
		return;
	copy = ch_strdup(value);
	free_str(field);
	*field = copy;
}

static void free_strings(struct sess *s)
{
	free_str(&s->key);
	free_str(&s->agent_id);
	free_str(&s->session_id);
	for (size_t i = 0; i < CH_ARRAY_LEN(str_fields); i++)
		free_str(str_field(s, i));
}

static void copy_row(struct sess *s, struct sess *row)
{
	set_str(&s->key, row->key);
	set_str(&s->agent_id, row->agent_id);
	set_str(&s->session_id, row->session_id);
	for (size_t i = 0; i < CH_ARRAY_LEN(str_fields); i++)
		set_str(str_field(s, i), *str_field(row, i));
	for (size_t i = 0; i < CH_ARRAY_LEN(int_fields); i++)
		*int_field(s, i) = *int_field(row, i);
	s->cost_usd = row->cost_usd;
}

static void idle_remove(struct sess_store *st, struct sess *s)
{
	*(s->idle_prev ? &s->idle_prev->idle_next : &st->idle_first) = s->idle_next;
	*(s->idle_next ? &s->idle_next->idle_prev : &st->idle_last) = s->idle_prev;
	s->idle_prev = s->idle_next = NULL;
	st->idle_count--;
}

static void idle_add(struct sess_store *st, struct sess *s)
{
	s->idle_prev = st->idle_last;
	*(st->idle_last ? &st->idle_last->idle_next : &st->idle_first) = s;
	st->idle_last = s;
	st->idle_count++;
}

static void sess_drop(struct sess *s)
{
	free_strings(s);
	ch_free(s);
}

static void evict(struct sess_store *st, struct sess *s)
{
	idle_remove(st, s);
	map_take(st->live, s->key);
	sess_drop(s);
}

struct sess *sess_ref(struct sess *s)
{
	CH_BUG_ON(!s->store);                    /* a borrowed row of sess_list() */
	if (s->refs++ == 0)
		idle_remove(s->store, s);
	return s;
}

void sess_unref(struct sess *s)
{
	struct sess_store *st;

	if (!s)
		return;
	CH_BUG_ON(s->refs <= 0);
	if (--s->refs > 0)
		return;
	if (s->is_deleted) {
		sess_drop(s);
		return;
	}
	st = s->store;
	idle_add(st, s);
	if (st->idle_count > SESS_IDLE_MAX)
		evict(st, st->idle_first);
}

/* When it cannot be told, lists ask for each row. */
static bool any_parent(struct db *db)
{
	CH_AUTO(db_done) struct db_stmt *row = NULL;
	bool found;

	return db_prep(db, "SELECT 1 FROM sessions WHERE parent_key IS NOT NULL LIMIT 1", &row, NULL) ||
	       db_step(row, &found, NULL) || found;
}

struct sess_store *sess_store_new(struct db *db)
{
	struct sess_store *st = ch_alloc(sizeof(*st));

	st->db = db;
	st->undone = db_undone(db);
	st->live = map_new();
	st->has_parents = any_parent(db);
	return st;
}

bool sess_store_has_parents(const struct sess_store *st)
{
	return st->has_parents;
}

void sess_store_free(struct sess_store *st)
{
	if (!st)
		return;
	while (st->idle_first)
		evict(st, st->idle_first);
	CH_BUG_ON(map_len(st->live) > 0);        /* somebody still holds a session */
	map_free(st->live);
	ch_free(st);
}

struct db *sess_store_db(struct sess_store *st)
{
	return st->db;
}

static void mark_deleted(struct sess *s)
{
	s->is_deleted = true;
	map_take(s->store->live, s->key);
}

/* ---- reading ---- */

/* The row of key into s, which may be empty or hold an earlier state of it. */
static ch_status load_row(struct db *db, const char *key, struct sess *s, struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *row = NULL;
	struct sess read;
	bool found;
	ch_status st = db_prep(db, "SELECT " SESS_COLUMNS " FROM sessions WHERE key = ?1", &row, err);

	if (st)
		return st;
	db_bind_text(row, 1, key);
	st = db_step(row, &found, err);
	if (st)
		return st;
	if (!found)
		return ch_fail(err, CH_E_NOT_FOUND, "there is no session '%s'", key);
	sess_from_row(row, &read);
	copy_row(s, &read);
	return CH_OK;
}

ch_status sess_reload(struct sess *s, struct ch_err *err)
{
	if (s->is_deleted)
		return ch_fail(err, CH_E_NOT_FOUND, "session '%s' was deleted", s->key);
	return load_row(s->store->db, s->key, s, err);
}

ch_status sess_store_refresh(struct sess_store *st, struct ch_err *err)
{
	size_t cursor = 0;
	void *s;

	while (st->idle_first)
		evict(st, st->idle_first);
	while (map_each(st->live, &cursor, NULL, &s)) {
		ch_status status = sess_reload(s, err);

		if (status == CH_E_NOT_FOUND)
			mark_deleted(s);
		else if (status)
			return status;
	}
	st->undone = db_undone(st->db);
	return CH_OK;
}

ch_status sess_find(struct sess_store *st, const char *key, struct sess **ret, struct ch_err *err)
{
	struct sess *s;
	ch_status status = CH_OK;

	/* A transaction that was undone may have made, changed or deleted what the objects show. */
	if (st->undone != db_undone(st->db))
		status = sess_store_refresh(st, err);
	if (status)
		return status;
	s = map_find(st->live, key);
	if (s) {
		*ret = sess_ref(s);
		return CH_OK;
	}
	s = ch_alloc(sizeof(*s));
	status = load_row(st->db, key, s, err);
	if (status) {
		sess_drop(s);
		return status;
	}
	s->store = st;
	s->refs = 1;
	map_put(st->live, s->key, s);
	*ret = s;
	return CH_OK;
}

/* ---- writing ---- */

static ch_status insert_row(struct db *db, const struct sess_key *key, const char *session_id,
			    const char *created_via, struct ch_err *err)
{
	struct db_stmt *s;
	ch_status st =
		db_prep(db,
			"INSERT INTO sessions (key, agent_id, session_id, background, created_via, "
			"created_at, updated_at, session_started_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, ?6)",
			&s, err);

	if (st)
		return st;
	db_bind_text(s, 1, key->key);
	db_bind_text(s, 2, key->agent_id);
	db_bind_text(s, 3, session_id);
	db_bind_int(s, 4, sess_key_is_background(key->key));
	db_bind_text(s, 5, created_via);
	db_bind_int(s, 6, now_wall_ms());
	return db_run(s, NULL, err);
}

ch_status sess_window_open(struct db *db, const char *key, const char *session_id, const char *reason,
			   struct ch_err *err)
{
	struct db_stmt *s;
	ch_status st = db_prep(db, "INSERT INTO session_windows (session_id, session_key, opened_at, reason) "
			       "VALUES (?1, ?2, ?3, ?4)", &s, err);

	if (st)
		return st;
	db_bind_text(s, 1, session_id);
	db_bind_text(s, 2, key);
	db_bind_int(s, 3, now_wall_ms());
	db_bind_text(s, 4, reason);
	return db_run(s, NULL, err);
}

static ch_status create(struct db *db, const struct sess_key *key, const char *created_via,
			struct ch_err *err)
{
	CH_AUTO(db_rollback) struct db *tx = NULL;
	char session_id[UUID_LEN];
	ch_status st = db_begin(db, err);

	if (st)
		return st;
	tx = db;
	rand_uuid(session_id);
	st = insert_row(db, key, session_id, created_via, err);
	if (!st)
		st = sess_window_open(db, key->key, session_id, "initial", err);
	if (st)
		return st;
	return db_commit(CH_TAKE(tx), err);
}

ch_status sess_open(struct sess_store *st, const struct sess_key *key, const char *created_via,
		    struct sess **ret, bool *ret_created, struct ch_err *err)
{
	ch_status status = sess_find(st, key->key, ret, err);
	bool created = status == CH_E_NOT_FOUND;

	if (created) {
		status = create(st->db, key, created_via, err);
		if (!status)
			status = sess_find(st, key->key, ret, err);
	}
	if (!status && ret_created)
		*ret_created = created;
	return status;
}

void sess_set_str(struct sess *s, const char **field, const char *value)
{
	CH_BUG_ON((char *)field < (char *)s || (char *)field >= (char *)(s + 1));
	set_str(field, value);
}

#define ASSIGN(name) ", " #name " = ?"

static ch_status write_row(struct sess *s, struct ch_err *err)
{
	struct db_stmt *row;
	int64_t changes;
	int i = 1;
	ch_status st = db_prep(s->store->db,
			       "UPDATE sessions SET cost_usd = ?"
			       SESS_STR_MAP(ASSIGN) SESS_INT_MAP(ASSIGN) " WHERE key = ?",
			       &row, err);

	if (st)
		return st;
	db_bind_num(row, i++, s->cost_usd);
	for (size_t f = 0; f < CH_ARRAY_LEN(str_fields); f++)
		db_bind_text(row, i++, *str_field(s, f));
	for (size_t f = 0; f < CH_ARRAY_LEN(int_fields); f++)
		db_bind_int(row, i++, *int_field(s, f));
	db_bind_text(row, i, s->key);
	s->store->has_parents |= s->parent_key != NULL;
	st = db_run(row, &changes, err);
	if (!st && !changes)
		st = ch_fail(err, CH_E_NOT_FOUND, "there is no session '%s'", s->key);
	return st;
}

ch_status sess_save(struct sess *s, struct ch_err *err)
{
	ch_status st;

	if (s->is_deleted)
		return ch_fail(err, CH_E_NOT_FOUND, "session '%s' was deleted", s->key);
	st = write_row(s, err);
	if (st)
		(void)!sess_reload(s, NULL);     /* when that fails too, err already says why */
	return st;
}

ch_status sess_delete(struct sess *s, struct ch_err *err)
{
	struct db_stmt *row;
	ch_status st;

	if (s->is_deleted)
		return CH_OK;
	st = db_prep(s->store->db, "DELETE FROM sessions WHERE key = ?1", &row, err);
	if (st)
		return st;
	db_bind_text(row, 1, s->key);
	st = db_run(row, NULL, err);
	if (st)
		return st;
	mark_deleted(s);
	return CH_OK;
}
