/*
 * channels/outbox.c - see outbox.h.
 */
#include "channels/outbox.h"

#include <string.h>

#include "core/crypto.h"
#include "core/str.h"

#define COLUMNS                                                                                              \
	"id, key, channel, account, lane, origin, session_key, run_id, state, message, message_ids, error, " \
	"parts, part, attempts, next_at, created_at, sending_at, ended_at"
#define IS_OPEN "state IN ('pending', 'sending')"

#define DIGEST_LEN (2 * SHA256_LEN + 1)

static const char *const state_names[] = { "pending", "sending", "sent", "failed", "unsure" };

const char *outbox_state_name(enum outbox_state s)
{
	return state_names[s];
}

bool outbox_is_ended(enum outbox_state s)
{
	return s >= OUTBOX_SENT;
}

static enum outbox_state state_parse(const char *name)
{
	for (size_t i = 0; i < CH_ARRAY_LEN(state_names); i++)
		if (str_eq(name, state_names[i]))
			return (enum outbox_state)i;
	ch_bug(__FILE__, __LINE__, "a state that the schema forbids");
}

static void row_read(struct db_stmt *s, struct arena *a, struct outbox_row *ret)
{
	*ret = (struct outbox_row){
		.id = db_int(s, 0),
		.key = arena_strdup(a, db_text(s, 1)),
		.channel = arena_strdup(a, db_text(s, 2)),
		.account = arena_strdup(a, db_text(s, 3)),
		.lane = arena_strdup(a, db_text(s, 4)),
		.origin = arena_strdup(a, db_text(s, 5)),
		.session_key = arena_strdup(a, db_text(s, 6)),
		.run_id = arena_strdup(a, db_text(s, 7)),
		.state = state_parse(db_text(s, 8)),
		.message = arena_strdup(a, db_text(s, 9)),
		.message_ids = arena_strdup(a, db_text(s, 10)),
		.error = arena_strdup(a, db_text(s, 11)),
		.parts = (int)db_int(s, 12),
		.part = (int)db_int(s, 13),
		.attempts = (int)db_int(s, 14),
		.next_at = db_int(s, 15),
		.created_at = db_int(s, 16),
		.sending_at = db_int(s, 17),
		.ended_at = db_int(s, 18),
	};
}

/* -- making and finding -- */

ch_status outbox_by_key(struct db *db, const char *key, int64_t *ret_id, struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *s = NULL;
	bool has_row;
	ch_status st = db_prep(db, "SELECT id FROM channel_outbox WHERE key = ?1", &s, err);

	if (st)
		return st;
	db_bind_text(s, 1, key);
	st = db_step(s, &has_row, err);
	if (st)
		return st;
	if (!has_row)
		return ch_fail(err, CH_E_NOT_FOUND, "no message has the key '%s'", key);
	*ret_id = db_int(s, 0);
	return CH_OK;
}

static const char *digest_of(const char *text, char ret[DIGEST_LEN])
{
	const char *start = text + strspn(text, " \t\r\n");
	size_t n = strlen(start);

	while (n && strchr(" \t\r\n", start[n - 1]))
		n--;
	sha256_hex(start, n, ret);
	return ret;
}

static ch_status insert(struct db *db, const struct chan_message *m, const char *key, const char *lane, int64_t now_ms,
			const struct buf *json, struct ch_err *err)
{
	char digest[DIGEST_LEN];
	struct db_stmt *s;
	ch_status st = db_prep(db,
			       "INSERT INTO channel_outbox (key, channel, account, lane, state, origin, session_key, run_id,"
			       " message, created_at, digest) VALUES (?1, ?2, ?3, ?4, 'pending', ?5, ?6, ?7, ?8, ?9, ?10)",
			       &s, err);

	if (st)
		return st;
	db_bind_text(s, 1, key);
	db_bind_text(s, 2, m->channel);
	db_bind_text(s, 3, m->account);
	db_bind_text(s, 4, lane);
	db_bind_text(s, 5, m->origin ? m->origin : "send");
	db_bind_text(s, 6, m->session_key);
	db_bind_text(s, 7, m->run_id);
	db_bind_textn(s, 8, json->data, json->len);
	db_bind_int(s, 9, now_ms);
	db_bind_text(s, 10, m->text && str_eq(m->origin, "tool") ? digest_of(m->text, digest) : NULL);
	return db_run(s, NULL, err);
}

ch_status outbox_add(struct db *db, const struct chan_message *m, const char *key, const char *lane, int64_t now_ms,
		     int64_t *ret_id, struct ch_err *err)
{
	CH_AUTO_BUF struct buf json = { 0 };
	int64_t id;
	ch_status st;

	buf_init(&json, OUTBOX_MESSAGE_MAX);
	st = outbox_by_key(db, key, &id, NULL);
	if (!st) {
		*ret_id = id;
		return ch_fail(err, CH_E_EXISTS, "a message with this key is there already");
	}
	if (st != CH_E_NOT_FOUND)
		return ch_fail(err, st, "the outbox could not be read");
	st = outbox_write(m, NULL, 0, &json, err);
	if (!st)
		st = insert(db, m, key, lane, now_ms, &json, err);
	if (st)
		return st;
	*ret_id = db_last_rowid(db);
	return CH_OK;
}

/* The first row of a prepared question. */
static ch_status only_row(struct db_stmt *s, struct arena *a, struct outbox_row *ret, struct ch_err *err)
{
	bool has_row;
	ch_status st = db_step(s, &has_row, err);

	if (st)
		return st;
	if (!has_row)
		return ch_fail(err, CH_E_NOT_FOUND, "no such message in the outbox");
	row_read(s, a, ret);
	return CH_OK;
}

ch_status outbox_get(struct db *db, int64_t id, struct arena *a, struct outbox_row *ret, struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *s = NULL;
	ch_status st = db_prep(db, "SELECT " COLUMNS " FROM channel_outbox WHERE id = ?1", &s, err);

	if (st)
		return st;
	db_bind_int(s, 1, id);
	return only_row(s, a, ret, err);
}

ch_status outbox_next(struct db *db, const char *channel, const char *account, const char *lane, struct arena *a,
		      struct outbox_row *ret, struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *s = NULL;
	ch_status st = db_prep(db,
			       "SELECT " COLUMNS " FROM channel_outbox"
			       " WHERE channel = ?1 AND account = ?2 AND lane = ?3 AND " IS_OPEN " ORDER BY id LIMIT 1",
			       &s, err);

	if (st)
		return st;
	db_bind_text(s, 1, channel);
	db_bind_text(s, 2, account);
	db_bind_text(s, 3, lane);
	return only_row(s, a, ret, err);
}

ch_status outbox_lanes(struct db *db, const char *channel, const char *account, struct arena *a,
		       void (*each)(void *arg, const char *lane), void *arg, struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *s = NULL;
	bool has_row;
	ch_status st = db_prep(db,
			       "SELECT DISTINCT lane FROM channel_outbox"
			       " WHERE channel = ?1 AND account = ?2 AND " IS_OPEN,
			       &s, err);

	if (st)
		return st;
	db_bind_text(s, 1, channel);
	db_bind_text(s, 2, account);
	for (;;) {
		st = db_step(s, &has_row, err);
		if (st || !has_row)
			return st;
		each(arg, arena_strdup(a, db_text(s, 0)));
	}
}

/* -- the way of a row -- */

ch_status outbox_rewrite(struct db *db, int64_t id, const char *message, size_t len, int parts, struct ch_err *err)
{
	struct db_stmt *s;
	ch_status st = db_prep(db, "UPDATE channel_outbox SET message = ?2, parts = ?3 WHERE id = ?1", &s, err);

	if (st)
		return st;
	db_bind_int(s, 1, id);
	db_bind_textn(s, 2, message, len);
	db_bind_int(s, 3, parts);
	return db_run(s, NULL, err);
}

static ch_status intend_one(struct db *db, int64_t id, int64_t now_ms, struct ch_err *err)
{
	struct db_stmt *s;
	ch_status st = db_prep(db, "UPDATE channel_outbox SET state = 'sending', sending_at = ?2 WHERE id = ?1", &s, err);

	if (st)
		return st;
	db_bind_int(s, 1, id);
	db_bind_int(s, 2, now_ms);
	return db_run(s, NULL, err);
}

ch_status outbox_intend(struct db *db, const int64_t *ids, size_t count, int64_t now_ms, struct ch_err *err)
{
	CH_AUTO(db_rollback) struct db *tx = NULL;
	ch_status st = db_begin_durable(db, err);

	if (st)
		return st;
	tx = db;
	for (size_t i = 0; !st && i < count; i++)
		st = intend_one(db, ids[i], now_ms, err);
	return st ? st : db_commit(CH_TAKE(tx), err);
}

/* The array with one more id. */
static const char *ids_with(struct arena *a, const char *ids, const char *id)
{
	struct json *list = NULL;

	if (!ids || json_parse(a, ids, strlen(ids), JSON_STRICT, &list, NULL))
		list = json_new_arr(a);
	if (id)
		json_push(list, json_new_str(a, id));
	return json_to_str(a, list);
}

ch_status outbox_sent(struct db *db, const struct outbox_row *row, const char *message_id, int64_t now_ms, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	bool is_last = row->part + 1 >= row->parts;
	struct db_stmt *s;
	ch_status st = db_prep(db,
			       is_last ? "UPDATE channel_outbox SET state = 'sent', part = ?2, attempts = 0, next_at = 0,"
					 " message_ids = ?3, error = NULL, message = '', ended_at = ?4 WHERE id = ?1"
				       : "UPDATE channel_outbox SET state = 'pending', part = ?2, attempts = 0, next_at = 0,"
					 " message_ids = ?3, error = NULL WHERE id = ?1 AND ?4",
			       &s, err);

	if (st)
		return st;
	db_bind_int(s, 1, row->id);
	db_bind_int(s, 2, row->part + 1);
	db_bind_text(s, 3, ids_with(a, row->message_ids, message_id));
	db_bind_int(s, 4, now_ms);
	return db_run(s, NULL, err);
}

ch_status outbox_due_now(struct db *db, const char *channel, const char *account, struct ch_err *err)
{
	struct db_stmt *s;
	ch_status st = db_prep(db, "UPDATE channel_outbox SET next_at = 0 WHERE channel = ?1 AND account = ?2 AND state = 'pending' "
				   "AND next_at > 0", &s, err);

	if (st)
		return st;
	db_bind_text(s, 1, channel);
	db_bind_text(s, 2, account);
	return db_run(s, NULL, err);
}

ch_status outbox_again(struct db *db, int64_t id, enum outbox_state state, int attempts, int64_t next_at, const char *error,
		       struct ch_err *err)
{
	struct db_stmt *s;
	ch_status st = db_prep(db, "UPDATE channel_outbox SET state = ?2, attempts = ?3, next_at = ?4, error = ?5 WHERE id = ?1",
			       &s, err);

	if (st)
		return st;
	db_bind_int(s, 1, id);
	db_bind_text(s, 2, outbox_state_name(state));
	db_bind_int(s, 3, attempts);
	db_bind_int(s, 4, next_at);
	db_bind_text(s, 5, error);
	return db_run(s, NULL, err);
}

ch_status outbox_end(struct db *db, int64_t id, enum outbox_state state, const char *error, int64_t now_ms, struct ch_err *err)
{
	struct db_stmt *s;
	ch_status st = db_prep(db, "UPDATE channel_outbox SET state = ?2, error = ?3, ended_at = ?4 WHERE id = ?1", &s, err);

	if (st)
		return st;
	db_bind_int(s, 1, id);
	db_bind_text(s, 2, outbox_state_name(state));
	db_bind_text(s, 3, error);
	db_bind_int(s, 4, now_ms);
	return db_run(s, NULL, err);
}

/* -- looking over -- */

/* All rows of a question whose values are bound. */
static ch_status each_row(struct db_stmt *s, struct arena *a, void (*each)(void *arg, const struct outbox_row *r), void *arg,
			  struct ch_err *err)
{
	struct outbox_row row;
	bool has_row;

	for (;;) {
		ch_status st = db_step(s, &has_row, err);

		if (st || !has_row)
			return st;
		row_read(s, a, &row);
		each(arg, &row);
	}
}

ch_status outbox_bad(struct db *db, const char *channel, const char *account, size_t limit, struct arena *a,
		     void (*each)(void *arg, const struct outbox_row *r), void *arg, struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *s = NULL;
	ch_status st = db_prep(db,
			       "SELECT " COLUMNS " FROM channel_outbox WHERE state IN ('failed', 'unsure')"
			       " AND (?1 IS NULL OR channel = ?1) AND (?2 IS NULL OR account = ?2) ORDER BY id DESC LIMIT ?3",
			       &s, err);

	if (st)
		return st;
	db_bind_text(s, 1, channel);
	db_bind_text(s, 2, account);
	db_bind_int(s, 3, (int64_t)limit);
	return each_row(s, a, each, arg, err);
}

ch_status outbox_stale(struct db *db, int64_t before_ms, size_t limit, struct arena *a,
		       void (*each)(void *arg, const struct outbox_row *r), void *arg, struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *s = NULL;
	ch_status st = db_prep(db,
			       "SELECT " COLUMNS " FROM channel_outbox WHERE " IS_OPEN " AND created_at < ?1"
			       " ORDER BY id LIMIT ?2",
			       &s, err);

	if (st)
		return st;
	db_bind_int(s, 1, before_ms);
	db_bind_int(s, 2, (int64_t)limit);
	return each_row(s, a, each, arg, err);
}

/* What had a part sent keeps it: the rest is sent. A part that may be out is sent again, which is what was asked for. */
ch_status outbox_resubmit(struct db *db, int64_t id, int64_t now_ms, struct ch_err *err)
{
	struct db_stmt *s;
	int64_t changes;
	ch_status st = db_prep(db,
			       "UPDATE channel_outbox SET state = 'pending', attempts = 0, next_at = 0, error = NULL,"
			       " created_at = ?2, ended_at = 0"
			       " WHERE id = ?1 AND state IN ('failed', 'unsure') AND message <> ''",
			       &s, err);

	if (st)
		return st;
	db_bind_int(s, 1, id);
	db_bind_int(s, 2, now_ms);
	st = db_run(s, &changes, err);
	if (!st && !changes)
		return ch_fail(err, CH_E_CONFLICT, "message %lld of the outbox is not one that failed", (long long)id);
	return st;
}

ch_status outbox_waiting(struct db *db, const char *channel, const char *account, size_t *ret, struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *s = NULL;
	bool has_row;
	ch_status st = db_prep(db,
			       "SELECT count(*) FROM channel_outbox WHERE channel = ?1 AND account = ?2 AND " IS_OPEN, &s, err);

	if (st)
		return st;
	db_bind_text(s, 1, channel);
	db_bind_text(s, 2, account);
	st = db_step(s, &has_row, err);
	if (!st)
		*ret = (size_t)db_int(s, 0);
	return st;
}

ch_status outbox_said(struct db *db, const char *run_id, const char *lane, const char *text, bool *ret_any, bool *ret_same,
		      struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *s = NULL;
	char digest[DIGEST_LEN];
	bool has_row;
	ch_status st = db_prep(db,
			       "SELECT count(*), count(*) FILTER (WHERE digest = ?3) FROM channel_outbox"
			       " WHERE run_id = ?1 AND lane = ?2 AND origin = 'tool' AND state <> 'failed'",
			       &s, err);

	if (st)
		return st;
	db_bind_text(s, 1, run_id);
	db_bind_text(s, 2, lane);
	db_bind_text(s, 3, text ? digest_of(text, digest) : NULL);
	st = db_step(s, &has_row, err);
	if (st)
		return st;
	*ret_any = db_int(s, 0) > 0;
	*ret_same = db_int(s, 1) > 0;
	return CH_OK;
}

bool outbox_has_any(struct db *db)
{
	CH_AUTO(db_done) struct db_stmt *s = NULL;
	bool has_row = false;

	return !db_prep(db, "SELECT 1 FROM channel_outbox LIMIT 1", &s, NULL) && !db_step(s, &has_row, NULL) && has_row;
}

/* Tells the messages of a prepared question that holds nothing else. */
static ch_status each_message(struct db_stmt *s, void (*each)(void *arg, const char *message), void *arg, struct ch_err *err)
{
	bool has_row;

	for (;;) {
		ch_status st = db_step(s, &has_row, err);

		if (st || !has_row)
			return st;
		each(arg, db_text(s, 0));
	}
}

ch_status outbox_with_files(struct db *db, void (*each)(void *arg, const char *message), void *arg, struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *s = NULL;
	ch_status st = db_prep(db, "SELECT message FROM channel_outbox WHERE message LIKE '%\"staged\"%'", &s, err);

	return st ? st : each_message(s, each, arg, err);
}

/* Ended rows that are too old, or too many for their account. */
#define PAST_ROWS                                                                                                 \
	"WITH edge AS (SELECT channel, account, (SELECT id FROM channel_outbox AS o"                              \
	" WHERE o.channel = who.channel AND o.account = who.account AND o.ended_at > 0"                           \
	" ORDER BY o.ended_at DESC LIMIT 1 OFFSET ?2) AS last_id"                                                 \
	" FROM (SELECT DISTINCT channel, account FROM channel_outbox) AS who),"                                   \
	" past AS (SELECT o.id FROM channel_outbox AS o JOIN edge USING (channel, account)"                       \
	" WHERE o.ended_at > 0 AND (o.ended_at < ?1 OR o.id <= edge.last_id)) "

static ch_status past_messages(struct db *db, int64_t before_ms, void (*each)(void *arg, const char *message), void *arg,
			       struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *s = NULL;
	ch_status st = db_prep(db, PAST_ROWS "SELECT message FROM channel_outbox WHERE message <> '' AND id IN past", &s, err);

	if (st)
		return st;
	db_bind_int(s, 1, before_ms);
	db_bind_int(s, 2, EGRESS_KEEP_MAX);
	return each_message(s, each, arg, err);
}

ch_status outbox_prune(struct db *db, int64_t now_ms, void (*each)(void *arg, const char *message), void *arg, struct ch_err *err)
{
	struct db_stmt *s;
	ch_status st = past_messages(db, now_ms - EGRESS_KEEP_MS, each, arg, err);

	if (!st)
		st = db_prep(db, PAST_ROWS "DELETE FROM channel_outbox WHERE id IN past", &s, err);
	if (st)
		return st;
	db_bind_int(s, 1, now_ms - EGRESS_KEEP_MS);
	db_bind_int(s, 2, EGRESS_KEEP_MAX);
	return db_run(s, NULL, err);
}
