/*
 * sessions/transcript.c - appending entries, and the lease that it takes.
 *
 * An append is one transaction: the session's row is touched only if the
 * writer still holds the lease, then the next numbers are given out. Numbers
 * come from the entries themselves, so there is no counter that could differ.
 */
#include "sessions/transcript.h"

#include <stdio.h>
#include <string.h>

#include "core/clock.h"
#include "core/rand.h"
#include "core/str.h"
#include "sessions/search.h"
#include "sessions/session_priv.h"

#define SEARCH_MAX (3 * (size_t)TR_MESSAGE_MAX)  /* of a message's text, with the marks of the index */

struct writer {
	const char *run;                         /* NULL: no lease is asked for */
	int64_t epoch;
};

void tr_from_row(struct db_stmt *row, struct tr_entry *ret)
{
	*ret = (struct tr_entry){
		.session_id = db_text(row, 0),
		.raw_seq = db_int(row, 1),
		.seq = db_int(row, 2),
		.created_at = db_int(row, 3),
		.id = db_text(row, 4),
		.type = db_text(row, 5),
		.role = db_text(row, 6),
		.run_id = db_text(row, 7),
		.idempotency_key = db_text(row, 8),
		.meta = db_text(row, 9),
		.message = db_text(row, 10),
	};
	ret->message_len = ret->message ? db_text_len(row, 10) : 0;
}

static void copy_entry(struct arena *a, struct tr_entry *entry)
{
	entry->session_id = arena_strdup(a, entry->session_id);
	entry->id = arena_strdup(a, entry->id);
	entry->type = arena_strdup(a, entry->type);
	entry->role = arena_strdup(a, entry->role);
	entry->run_id = arena_strdup(a, entry->run_id);
	entry->idempotency_key = arena_strdup(a, entry->idempotency_key);
	entry->meta = arena_strdup(a, entry->meta);
	if (entry->message)
		entry->message = arena_strndup(a, entry->message, entry->message_len);
}

/* The one entry that the bound statement gives, on the arena; what: names it when there is none. */
static ch_status take_one(struct db_stmt *row, const char *what, struct arena *a, struct tr_entry *ret,
			  struct ch_err *err)
{
	bool found;
	ch_status st = db_step(row, &found, err);

	if (st)
		return st;
	if (!found)
		return ch_fail(err, CH_E_NOT_FOUND, "there is no %s in this session", what);
	tr_from_row(row, ret);
	copy_entry(a, ret);
	return CH_OK;
}

/* The entry of a window whose one column has this value, on the arena; CH_E_NOT_FOUND when there is none. */
static ch_status find_by(struct db *db, const char *sql, const char *session_id, const char *value,
			 struct arena *a, struct tr_entry *ret, struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *row = NULL;
	char what[96];
	ch_status st = db_prep(db, sql, &row, err);

	if (st)
		return st;
	snprintf(what, sizeof(what), "message '%.80s'", value);
	db_bind_text(row, 1, session_id);
	db_bind_text(row, 2, value);
	return take_one(row, what, a, ret, err);
}

ch_status tr_find(struct sess_store *st, const char *session_id, const char *entry_id, struct arena *a,
		  struct tr_entry *ret, struct ch_err *err)
{
	return find_by(sess_store_db(st),
		       "SELECT " TR_COLUMNS " FROM transcript WHERE session_id = ?1 AND id = ?2", session_id,
		       entry_id, a, ret, err);
}

ch_status tr_find_once(struct sess_store *st, const char *session_id, const char *idempotency_key,
		       struct arena *a, struct tr_entry *ret, struct ch_err *err)
{
	return find_by(sess_store_db(st), "SELECT " TR_COLUMNS " FROM transcript WHERE session_id = ?1 "
		       "AND idempotency_key = ?2", session_id, idempotency_key, a, ret, err);
}

ch_status tr_at(struct sess_store *st, const char *session_id, int64_t raw_seq, struct arena *a,
		struct tr_entry *ret, struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *row = NULL;
	ch_status status = db_prep(sess_store_db(st), "SELECT " TR_COLUMNS
				   " FROM transcript WHERE session_id = ?1 AND raw_seq = ?2", &row, err);

	if (status)
		return status;
	db_bind_text(row, 1, session_id);
	db_bind_int(row, 2, raw_seq);
	return take_one(row, "such message", a, ret, err);
}

ch_status tr_compaction(struct sess_store *st, const char *session_id, struct arena *a, struct tr_entry *ret,
			struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *row = NULL;
	ch_status status = db_prep(sess_store_db(st),
		"SELECT " TR_COLUMNS " FROM transcript WHERE session_id = ?1 AND type = 'compaction' AND raw_seq > "
		"coalesce((SELECT max(raw_seq) FROM transcript WHERE session_id = ?1 AND type = 'reset'), 0) "
		"ORDER BY raw_seq DESC LIMIT 1", &row, err);

	if (status)
		return status;
	db_bind_text(row, 1, session_id);
	return take_one(row, "summary", a, ret, err);
}

ch_status tr_hidden(struct sess_store *st, const char *session_id, const char *type, struct arena *a,
		    struct tr_entry *ret, struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *row = NULL;
	ch_status status = db_prep(sess_store_db(st),
		"SELECT " TR_COLUMNS " FROM transcript WHERE session_id = ?1 AND role IS NULL AND type = ?2 AND raw_seq > "
		"coalesce((SELECT max(raw_seq) FROM transcript WHERE session_id = ?1 AND type = 'reset'), 0) "
		"ORDER BY raw_seq DESC LIMIT 1", &row, err);

	if (status)
		return status;
	db_bind_text(row, 1, session_id);
	db_bind_text(row, 2, type);
	return take_one(row, "entry of that kind", a, ret, err);
}

/* ---- appending ---- */

/* Touches the session's row, if it is still there and the writer may. */
static ch_status touch_session(struct sess *s, const struct writer *writer, int64_t now_ms,
			       struct ch_err *err)
{
	struct db_stmt *row;
	int64_t changes;
	ch_status st = db_prep(sess_store_db(s->store),
			       "UPDATE sessions SET updated_at = max(updated_at, ?2) "
			       "WHERE key = ?1 AND (?3 IS NULL OR (writer_run = ?3 AND writer_epoch = ?4))",
			       &row, err);

	if (st)
		return st;
	db_bind_text(row, 1, s->key);
	db_bind_int(row, 2, now_ms);
	db_bind_text(row, 3, writer->run);
	db_bind_int(row, 4, writer->epoch);
	st = db_run(row, &changes, err);
	if (st || changes)
		return st;
	return ch_fail(err, CH_E_CONFLICT,
		       "another run has taken over the session '%s', or it was reset or deleted", s->key);
}

static ch_status next_numbers(struct db *db, const char *session_id, struct tr_entry *entry,
			      struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *row = NULL;
	bool found;
	ch_status st = db_prep(db,
			       "SELECT (SELECT max(raw_seq) FROM transcript WHERE session_id = ?1), "
			       "(SELECT max(seq) FROM transcript WHERE session_id = ?1 AND seq IS NOT NULL)",
			       &row, err);

	if (st)
		return st;
	db_bind_text(row, 1, session_id);
	st = db_step(row, &found, err);
	if (st)
		return st;
	entry->raw_seq = db_int(row, 0) + 1;
	entry->seq = entry->role ? db_int(row, 1) + 1 : 0;
	return CH_OK;
}

static ch_status insert_entry(struct db *db, const struct tr_entry *entry, struct ch_err *err)
{
	CH_AUTO_BUF struct buf text = { 0 };
	struct db_stmt *row;
	ch_status st;

	buf_init(&text, SEARCH_MAX);
	if (entry->search_text)
		search_split(entry->search_text, strlen(entry->search_text), &text);
	st = buf_status(&text, err, "the text for the search");
	if (st)
		return st;
	st = db_prep(db, "INSERT INTO transcript (" TR_COLUMNS ", bytes, search_text) "
			       "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)", &row, err);

	if (st)
		return st;
	db_bind_text(row, 1, entry->session_id);
	db_bind_int(row, 2, entry->raw_seq);
	if (entry->seq)
		db_bind_int(row, 3, entry->seq);
	db_bind_int(row, 4, entry->created_at);
	db_bind_text(row, 5, entry->id);
	db_bind_text(row, 6, entry->type);
	db_bind_text(row, 7, entry->role);
	db_bind_text(row, 8, entry->run_id);
	db_bind_text(row, 9, entry->idempotency_key);
	db_bind_text(row, 10, entry->meta);
	db_bind_textn(row, 11, entry->message, entry->message_len);
	db_bind_int(row, 12, (int64_t)entry->message_len);
	db_bind_text(row, 13, entry->search_text ? buf_str(&text) : NULL);
	return db_run(row, NULL, err);
}

static ch_status append_in_tx(struct sess *s, const struct writer *writer, int64_t now_ms,
			      struct tr_entry *entry, struct ch_err *err)
{
	struct db *db = sess_store_db(s->store);
	CH_AUTO(db_rollback) struct db *tx = NULL;
	ch_status st = db_begin(db, err);

	if (st)
		return st;
	tx = db;
	st = touch_session(s, writer, now_ms, err);
	if (!st)
		st = next_numbers(db, entry->session_id, entry, err);
	if (!st)
		st = insert_entry(db, entry, err);
	if (st)
		return st;
	return db_commit(CH_TAKE(tx), err);
}

static ch_status append(struct sess *s, const char *session_id, const struct writer *writer,
			struct tr_entry *entry, struct arena *a, struct ch_err *err)
{
	struct tr_entry made = *entry;
	int64_t now_ms = now_wall_ms();
	char id[UUID_LEN];
	ch_status st;

	CH_BUG_ON(!entry->type);
	if (made.message && !made.message_len)
		made.message_len = strlen(made.message);
	if (made.message_len > TR_MESSAGE_MAX)
		return ch_fail(err, CH_E_LIMIT, "a message has at most %u bytes, this one %zu",
			       TR_MESSAGE_MAX, made.message_len);
	if (made.idempotency_key) {
		st = tr_find_once(s->store, session_id, made.idempotency_key, a, entry, err);
		if (st != CH_E_NOT_FOUND)
			return st ? st : ch_fail(err, CH_E_EXISTS, "the message '%s' is there already",
						 made.idempotency_key);
	}
	if (!made.id) {
		rand_uuid(id);
		made.id = arena_strdup(a, id);
	}
	if (!made.created_at)
		made.created_at = now_ms;
	made.session_id = arena_strdup(a, session_id);
	st = append_in_tx(s, writer, now_ms, &made, err);
	if (st)
		return st;
	s->updated_at = CH_MAX(s->updated_at, now_ms);
	*entry = made;
	return CH_OK;
}

ch_status tr_append(struct sess *s, const char *writer_run, int64_t epoch, struct tr_entry *entry,
		    struct arena *a, struct ch_err *err)
{
	struct writer writer = { .run = writer_run, .epoch = epoch };

	return append(s, s->session_id, &writer, entry, a, err);
}

ch_status tr_append_window(struct sess *s, const char *session_id, struct tr_entry *entry, struct arena *a,
			   struct ch_err *err)
{
	struct writer nobody = { 0 };

	return append(s, session_id, &nobody, entry, a, err);
}

/* ---- the lease ---- */

static ch_status write_claim(struct sess *s, const char *run_id, struct ch_err *err)
{
	struct db_stmt *row;
	int64_t changes;
	ch_status st = db_prep(sess_store_db(s->store), "UPDATE sessions SET writer_run = ?2, "
			       "writer_epoch = writer_epoch + 1 WHERE key = ?1", &row, err);

	if (st)
		return st;
	db_bind_text(row, 1, s->key);
	db_bind_text(row, 2, run_id);
	st = db_run(row, &changes, err);
	if (!st && !changes)
		st = ch_fail(err, CH_E_NOT_FOUND, "there is no session '%s'", s->key);
	return st;
}

static ch_status read_epoch(struct sess *s, int64_t *ret_epoch, struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *row = NULL;
	bool found;
	ch_status st = db_prep(sess_store_db(s->store), "SELECT writer_epoch FROM sessions WHERE key = ?1",
			       &row, err);

	if (st)
		return st;
	db_bind_text(row, 1, s->key);
	st = db_step(row, &found, err);
	if (!st)
		*ret_epoch = db_int(row, 0);
	return st;
}

ch_status tr_claim(struct sess *s, const char *run_id, int64_t *ret_epoch, struct ch_err *err)
{
	struct db *db = sess_store_db(s->store);
	CH_AUTO(db_rollback) struct db *tx = NULL;
	int64_t epoch = 0;
	ch_status st = db_begin(db, err);

	if (st)
		return st;
	tx = db;
	st = write_claim(s, run_id, err);
	if (!st)
		st = read_epoch(s, &epoch, err);
	if (!st)
		st = db_commit(CH_TAKE(tx), err);
	if (!st)
		*ret_epoch = epoch;
	return st;
}
