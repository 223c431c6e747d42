/*
 * channels/inbox.c - the table channel_inbox: see inbox.h for the states.
 *
 * ended_at is set with the state of an end: answered, dropped, dead. The payload goes with it, except of a dead one, which can be
 * resubmitted. What was overheard has not ended: it waits to be context.
 */
#include "channels/inbox.h"

#include <string.h>

#include "channels/route.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/str.h"
#include "core/vec.h"

#define COLUMNS "id, channel, account, event_id, lane, kind, state, payload, session_key, run_id, reason, attempts, received_at, ended_at"
/* Of one row: everything in a chan_in at its limit, escaped six-fold. */
#define PAYLOAD_MAX (8u << 20)

static const char *const states[] = {
	[INBOX_RECEIVED] = "received", [INBOX_HANDED] = "handed", [INBOX_ANSWERED] = "answered",
	[INBOX_DROPPED] = "dropped", [INBOX_OVERHEARD] = "overheard", [INBOX_DEAD] = "dead",
};

/* The table admits no others. */
static enum inbox_state state_of(const char *name)
{
	size_t i = 0;

	while (!str_eq(states[i], name)) {
		i++;
		CH_BUG_ON(i == CH_ARRAY_LEN(states));
	}
	return (enum inbox_state)i;
}

/* -- rows -- */

static void read_row(struct db_stmt *row, struct arena *a, struct inbox_row *ret)
{
	*ret = (struct inbox_row){
		.id = db_int(row, 0), .channel = arena_strdup(a, db_text(row, 1)), .account = arena_strdup(a, db_text(row, 2)),
		.event_id = arena_strdup(a, db_text(row, 3)), .lane = arena_strdup(a, db_text(row, 4)),
		.state = state_of(db_text(row, 6)), .payload = arena_strdup(a, db_text(row, 7)),
		.session_key = arena_strdup(a, db_text(row, 8)), .run_id = arena_strdup(a, db_text(row, 9)),
		.reason = arena_strdup(a, db_text(row, 10)), .attempts = (int)db_int(row, 11), .received_at = db_int(row, 12),
		.ended_at = db_int(row, 13),
	};
	if (!chan_in_kind_parse(db_text(row, 5), &ret->kind))
		ret->kind = CHAN_IN_MESSAGE;     /* of a later version; its payload will say that it cannot be read */
}

static ch_status read_one(struct db_stmt *row, struct arena *a, struct inbox_row *ret, struct ch_err *err)
{
	bool found;
	ch_status st = db_step(row, &found, err);

	if (st)
		return st;
	if (!found)
		return ch_fail(err, CH_E_NOT_FOUND, "there is no such message");
	read_row(row, a, ret);
	return CH_OK;
}

/* All are read before any is told: who is told may ask for more. */
static ch_status read_each(struct db_stmt *row, struct arena *a, void (*each)(void *arg, const struct inbox_row *r), void *arg,
			   struct ch_err *err)
{
	VEC(struct inbox_row) rows = VEC_INIT;
	struct inbox_row r;
	bool found;
	ch_status st;

	while (!(st = db_step(row, &found, err)) && found) {
		read_row(row, a, &r);
		vec_push(&rows, r);
	}
	db_done(row);
	for (size_t i = 0; i < rows.len && !st; i++)
		each(arg, &rows.at[i]);
	vec_done(&rows);
	return st;
}

/* -- taking in -- */

/* What was overheard waits for nobody: rooms where we are seldom asked must not make the account deaf. */
ch_status inbox_room(struct db *db, const char *channel, const char *account, size_t *ret, struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *row = NULL;
	bool found;
	ch_status st = db_prep(db, "SELECT count(*) FROM channel_inbox WHERE channel = ?1 AND account = ?2 AND ended_at = 0 AND "
			       "state <> 'overheard'", &row, err);

	if (st)
		return st;
	db_bind_text(row, 1, channel);
	db_bind_text(row, 2, account);
	st = db_step(row, &found, err);
	if (!st)
		*ret = (size_t)CH_MAX(INBOX_OPEN_MAX - db_int(row, 0), 0);
	return st;
}

static ch_status insert(struct db *db, const char *channel, const char *account, const struct chan_in *in, const char *payload,
			size_t *ret_new, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct db_stmt *row;
	int64_t changes;
	ch_status st = db_prep(db, "INSERT INTO channel_inbox (channel, account, event_id, lane, kind, state, payload, received_at) "
			       "VALUES (?1, ?2, ?3, ?4, ?5, 'received', ?6, ?7) ON CONFLICT (channel, account, event_id) DO NOTHING",
			       &row, err);

	if (st)
		return st;
	db_bind_text(row, 1, channel);
	db_bind_text(row, 2, account);
	db_bind_text(row, 3, in->event_id);
	db_bind_text(row, 4, chan_lane(a, channel, account, &in->peer));
	db_bind_text(row, 5, chan_in_kind_name(in->kind));
	db_bind_text(row, 6, payload);
	db_bind_int(row, 7, now_wall_ms());
	st = db_run(row, &changes, err);
	if (!st)
		*ret_new += changes > 0;
	return st;
}

static ch_status append_one(struct db *db, const char *channel, const char *account, const struct chan_in *in, size_t *ret_new,
			    struct ch_err *err)
{
	CH_AUTO_BUF struct buf payload = { 0 };
	struct ch_err why;
	ch_status st;

	buf_init(&payload, PAYLOAD_MAX);
	st = chan_in_write(in, &payload, &why);
	if (st == CH_E_INVALID) {
		log_warn("channels", "%s/%s: an event cannot be kept and is left out: %s", channel, account, why.text);
		return CH_OK;
	}
	if (st)
		return ch_fail(err, st, "%s", why.text);
	return insert(db, channel, account, in, buf_str(&payload), ret_new, err);
}

ch_status inbox_append(struct db *db, const char *channel, const char *account, const struct chan_in *in, size_t count,
		       const char *cursor, const char *cursor_value, size_t *ret_new, struct ch_err *err)
{
	CH_AUTO(db_rollback) struct db *tx = NULL;
	size_t fresh = 0;
	ch_status st = db_begin_durable(db, err);

	if (st)
		return st;
	tx = db;
	for (size_t i = 0; i < count && !st; i++)
		st = append_one(db, channel, account, &in[i], &fresh, err);
	if (!st && cursor)
		st = inbox_cursor_set(db, channel, account, cursor, cursor_value, err);
	if (!st)
		st = db_commit(CH_TAKE(tx), err);
	if (!st)
		*ret_new = fresh;
	return st;
}

/* -- finding -- */

ch_status inbox_next(struct db *db, const char *lane, struct arena *a, struct inbox_row *ret, struct ch_err *err)
{
	return inbox_after(db, lane, 0, a, ret, err);
}

ch_status inbox_after(struct db *db, const char *lane, int64_t id, struct arena *a, struct inbox_row *ret, struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *row = NULL;
	ch_status st = db_prep(db, "SELECT " COLUMNS " FROM channel_inbox WHERE lane = ?1 AND id > ?2 AND state = 'received' "
			       "ORDER BY id LIMIT 1", &row, err);

	if (st)
		return st;
	db_bind_text(row, 1, lane);
	db_bind_int(row, 2, id);
	return read_one(row, a, ret, err);
}

ch_status inbox_overheard(struct db *db, const char *lane, int64_t before_id, size_t limit, struct arena *a,
			  void (*each)(void *arg, const struct inbox_row *r), void *arg, struct ch_err *err)
{
	struct db_stmt *row;
	ch_status st = db_prep(db, "SELECT " COLUMNS " FROM (SELECT * FROM channel_inbox WHERE lane = ?1 AND id < ?2 AND "
			       "state = 'overheard' ORDER BY id DESC LIMIT ?3) ORDER BY id", &row, err);

	if (st)
		return st;
	db_bind_text(row, 1, lane);
	db_bind_int(row, 2, before_id);
	db_bind_int(row, 3, (int64_t)limit);
	return read_each(row, a, each, arg, err);
}

ch_status inbox_forget_overheard(struct db *db, const char *lane, int64_t before_id, size_t keep, struct ch_err *err)
{
	struct db_stmt *row;
	ch_status st = db_prep(db, "UPDATE channel_inbox SET state = 'dropped', payload = NULL, reason = 'overheard', ended_at = ?4 "
			       "WHERE id IN (SELECT id FROM channel_inbox WHERE lane = ?1 AND (?2 = 0 OR id < ?2) AND state = 'overheard' "
			       "ORDER BY id DESC LIMIT -1 OFFSET ?3)", &row, err);

	if (st)
		return st;
	db_bind_text(row, 1, lane);
	db_bind_int(row, 2, before_id);
	db_bind_int(row, 3, (int64_t)keep);
	db_bind_int(row, 4, now_wall_ms());
	return db_run(row, NULL, err);
}

ch_status inbox_lanes(struct db *db, struct arena *a, void (*each)(void *arg, const char *lane), void *arg, struct ch_err *err)
{
	VEC(const char *) lanes = VEC_INIT;
	struct db_stmt *row;
	bool found;
	ch_status st = db_prep(db, "SELECT DISTINCT lane FROM channel_inbox WHERE state = 'received'", &row, err);

	if (st)
		return st;
	while (!(st = db_step(row, &found, err)) && found)
		vec_push(&lanes, arena_strdup(a, db_text(row, 0)));
	db_done(row);
	for (size_t i = 0; i < lanes.len && !st; i++)
		each(arg, lanes.at[i]);
	vec_done(&lanes);
	return st;
}

ch_status inbox_handed(struct db *db, const char *run_id, struct arena *a, void (*each)(void *arg, const struct inbox_row *r), void *arg,
		       struct ch_err *err)
{
	struct db_stmt *row;
	ch_status st = db_prep(db, run_id ? "SELECT " COLUMNS " FROM channel_inbox WHERE run_id = ?1 AND state = 'handed' ORDER BY id"
					  : "SELECT " COLUMNS " FROM channel_inbox WHERE state = 'handed' ORDER BY session_key, id", &row,
			       err);

	if (st)
		return st;
	if (run_id)
		db_bind_text(row, 1, run_id);
	return read_each(row, a, each, arg, err);
}

ch_status inbox_handed_of(struct db *db, const char *session_key, struct arena *a,
			  void (*each)(void *arg, const struct inbox_row *r), void *arg, struct ch_err *err)
{
	struct db_stmt *row;
	ch_status st = db_prep(db, "SELECT " COLUMNS " FROM channel_inbox WHERE session_key = ?1 AND state = 'handed' ORDER BY id",
			       &row, err);

	if (st)
		return st;
	db_bind_text(row, 1, session_key);
	return read_each(row, a, each, arg, err);
}

ch_status inbox_of_run(struct db *db, const char *run_id, struct arena *a, struct inbox_row *ret, struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *row = NULL;
	ch_status st = db_prep(db, "SELECT " COLUMNS " FROM channel_inbox WHERE run_id = ?1 ORDER BY id DESC LIMIT 1", &row, err);

	if (st)
		return st;
	db_bind_text(row, 1, run_id);
	return read_one(row, a, ret, err);
}

ch_status inbox_dead(struct db *db, const char *channel, const char *account, size_t limit, struct arena *a,
		     void (*each)(void *arg, const struct inbox_row *r), void *arg, struct ch_err *err)
{
	struct db_stmt *row;
	ch_status st = db_prep(db, "SELECT " COLUMNS " FROM channel_inbox WHERE state = 'dead' AND (?1 IS NULL OR channel = ?1) AND "
			       "(?2 IS NULL OR account = ?2) ORDER BY id DESC LIMIT ?3", &row, err);

	if (st)
		return st;
	db_bind_text(row, 1, channel);
	db_bind_text(row, 2, account);
	db_bind_int(row, 3, (int64_t)limit);
	return read_each(row, a, each, arg, err);
}

/* -- moving on -- */

ch_status inbox_hand(struct db *db, int64_t id, const char *session_key, const char *run_id, struct ch_err *err)
{
	struct db_stmt *row;
	int64_t changes;
	ch_status st = db_prep(db, "UPDATE channel_inbox SET state = 'handed', session_key = ?2, run_id = ?3 "
			       "WHERE id = ?1 AND state = 'received'", &row, err);

	if (st)
		return st;
	db_bind_int(row, 1, id);
	db_bind_text(row, 2, session_key);
	db_bind_text(row, 3, run_id);
	st = db_run(row, &changes, err);
	return st || changes ? st : ch_fail(err, CH_E_CONFLICT, "message %lld was handled already", (long long)id);
}

/* What holds for each end, by its state. */
#define END_COLUMNS "state = ?2, reason = ?3, payload = CASE WHEN ?2 IN ('overheard', 'dead') THEN payload END, " \
		    "ended_at = CASE WHEN ?2 = 'overheard' THEN 0 ELSE ?4 END"

static void bind_end(struct db_stmt *row, enum inbox_state state, const char *reason)
{
	CH_BUG_ON(state == INBOX_RECEIVED || state == INBOX_HANDED);
	db_bind_text(row, 2, states[state]);
	db_bind_text(row, 3, reason);
	db_bind_int(row, 4, now_wall_ms());
}

ch_status inbox_end(struct db *db, int64_t id, enum inbox_state state, const char *reason, struct ch_err *err)
{
	struct db_stmt *row;
	int64_t changes;
	ch_status st = db_prep(db, "UPDATE channel_inbox SET " END_COLUMNS " WHERE id = ?1 AND state IN ('received', 'handed')", &row,
			       err);

	if (st)
		return st;
	db_bind_int(row, 1, id);
	bind_end(row, state, reason);
	st = db_run(row, &changes, err);
	return st || changes ? st : ch_fail(err, CH_E_CONFLICT, "message %lld has ended already", (long long)id);
}

ch_status inbox_rename_run(struct db *db, const char *run_id, const char *new_run_id, struct ch_err *err)
{
	struct db_stmt *row;
	ch_status st = db_prep(db, "UPDATE channel_inbox SET run_id = ?2 WHERE run_id = ?1 AND state = 'handed'", &row, err);

	if (st)
		return st;
	db_bind_text(row, 1, run_id);
	db_bind_text(row, 2, new_run_id);
	return db_run(row, NULL, err);
}

ch_status inbox_resubmit(struct db *db, int64_t id, struct ch_err *err)
{
	struct db_stmt *row;
	int64_t changes;
	ch_status st = db_prep(db, "UPDATE channel_inbox SET state = 'received', reason = NULL, session_key = NULL, run_id = NULL, "
			       "attempts = 0, ended_at = 0 WHERE id = ?1 AND state = 'dead' AND payload IS NOT NULL", &row, err);

	if (st)
		return st;
	db_bind_int(row, 1, id);
	st = db_run(row, &changes, err);
	return st || changes ? st : ch_fail(err, CH_E_CONFLICT, "message %lld is not a dead letter that could be tried again",
					    (long long)id);
}

static ch_status count_one_more(struct db *db, struct ch_err *err)
{
	struct db_stmt *row;
	ch_status st = db_prep(db, "UPDATE channel_inbox SET attempts = attempts + 1 WHERE id IN "
			       "(SELECT min(id) FROM channel_inbox WHERE state = 'received' GROUP BY lane)", &row, err);

	return st ? st : db_run(row, NULL, err);
}

ch_status inbox_count_tries(struct db *db, struct arena *a, void (*each)(void *arg, const struct inbox_row *r), void *arg,
			    struct ch_err *err)
{
	struct db_stmt *row;
	ch_status st = count_one_more(db, err);

	if (!st)
		st = db_prep(db, "SELECT " COLUMNS " FROM channel_inbox WHERE state = 'received' AND attempts >= ?1 ORDER BY lane, id", &row,
			     err);
	if (st)
		return st;
	db_bind_int(row, 1, INBOX_TRIES_MAX);
	return read_each(row, a, each, arg, err);
}

/* -- forgetting -- */

static ch_status drop_old(struct db *db, int64_t before_ms, struct ch_err *err)
{
	struct db_stmt *row;
	ch_status st = db_prep(db, "DELETE FROM channel_inbox WHERE (ended_at > 0 AND ended_at < ?1) OR "
			       "(state = 'overheard' AND received_at < ?1)", &row, err);

	if (st)
		return st;
	db_bind_int(row, 1, before_ms);
	return db_run(row, NULL, err);
}

/*
 * Tombstones, and what was overheard: each room keeps a few of those, and many rooms (threads) together the newest. Of either an
 * account keeps INBOX_KEEP_MAX.
 */
static const char *const drop_ended = "DELETE FROM channel_inbox WHERE id IN (SELECT id FROM channel_inbox WHERE channel = ?1 AND "
				      "account = ?2 AND ended_at > 0 ORDER BY ended_at DESC, id DESC LIMIT -1 OFFSET ?3)";
static const char *const drop_overheard = "DELETE FROM channel_inbox WHERE id IN (SELECT id FROM channel_inbox WHERE channel = ?1 AND "
					  "account = ?2 AND state = 'overheard' ORDER BY id DESC LIMIT -1 OFFSET ?3)";

static ch_status drop_excess(struct db *db, const char *sql, const char *channel, const char *account, struct ch_err *err)
{
	struct db_stmt *row;
	ch_status st = db_prep(db, sql, &row, err);

	if (st)
		return st;
	db_bind_text(row, 1, channel);
	db_bind_text(row, 2, account);
	db_bind_int(row, 3, INBOX_KEEP_MAX);
	return db_run(row, NULL, err);
}

/* Where conversations that were deleted would be answered. */
static ch_status drop_places(struct db *db, struct ch_err *err)
{
	struct db_stmt *row;
	ch_status st = db_prep(db, "DELETE FROM channel_places WHERE session_key NOT IN (SELECT key FROM sessions)", &row, err);

	return st ? st : db_run(row, NULL, err);
}

struct login { const char *channel, *account; };

ch_status inbox_prune(struct db *db, int64_t now_ms, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	VEC(struct login) logins = VEC_INIT;
	struct db_stmt *row;
	bool found;
	ch_status st = db_prep(db, "SELECT DISTINCT channel, account FROM channel_inbox WHERE ended_at > 0 OR "
			       "state = 'overheard'", &row, err);

	if (st)
		return st;
	while (!(st = db_step(row, &found, err)) && found)
		vec_push(&logins, ((struct login){ arena_strdup(a, db_text(row, 0)), arena_strdup(a, db_text(row, 1)) }));
	db_done(row);
	if (!st)
		st = drop_old(db, now_ms - INBOX_KEEP_MS, err);
	for (size_t i = 0; i < logins.len && !st; i++) {
		st = drop_excess(db, drop_ended, logins.at[i].channel, logins.at[i].account, err);
		if (!st)
			st = drop_excess(db, drop_overheard, logins.at[i].channel, logins.at[i].account, err);
	}
	vec_done(&logins);
	return st ? st : drop_places(db, err);
}

/* -- cursors -- */

ch_status inbox_cursor_get(struct db *db, const char *channel, const char *account, const char *name, struct arena *a,
			   const char **ret, struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *row = NULL;
	bool found;
	ch_status st = db_prep(db, "SELECT value FROM channel_cursors WHERE channel = ?1 AND account = ?2 AND name = ?3", &row, err);

	if (st)
		return st;
	db_bind_text(row, 1, channel);
	db_bind_text(row, 2, account);
	db_bind_text(row, 3, name);
	st = db_step(row, &found, err);
	if (!st)
		*ret = found ? arena_strdup(a, db_text(row, 0)) : NULL;
	return st;
}

/* value NULL: there is none any more. */
ch_status inbox_cursor_set(struct db *db, const char *channel, const char *account, const char *name, const char *value,
			   struct ch_err *err)
{
	struct db_stmt *row;
	ch_status st = db_prep(db, value ? "INSERT INTO channel_cursors (channel, account, name, value, updated_at) "
					   "VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (channel, account, name) "
					   "DO UPDATE SET value = ?4, updated_at = ?5"
					 : "DELETE FROM channel_cursors WHERE channel = ?1 AND account = ?2 AND name = ?3", &row, err);

	if (st)
		return st;
	db_bind_text(row, 1, channel);
	db_bind_text(row, 2, account);
	db_bind_text(row, 3, name);
	if (value) {
		db_bind_text(row, 4, value);
		db_bind_int(row, 5, now_wall_ms());
	}
	return db_run(row, NULL, err);
}
