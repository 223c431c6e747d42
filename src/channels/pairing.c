/*
 * channels/pairing.c - requests and grants: two tables and the rules between them.
 */
#include "channels/pairing.h"

#include <string.h>

#include "core/clock.h"
#include "core/crypto.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/rand.h"
#include "core/str.h"
#include "core/vec.h"

#define REQUEST_COLUMNS "id, channel, account, sender_id, code, name, username, created_at, last_seen_at, expires_at"

/* Without 0 and O, 1 and I: a code is read aloud and typed. */
static const char alphabet[] = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789";

struct chan_pairing {
	struct db *db;
	int wrong;                       /* since wrong_since_ms (mono) */
	int64_t wrong_since_ms;
};

struct chan_pairing *pairing_new(struct db *db)
{
	struct chan_pairing *p = ch_alloc(sizeof(*p));

	p->db = db;
	return p;
}

void pairing_free(struct chan_pairing *p)
{
	ch_free(p);
}

/* ---- rows ---- */

static struct pairing_request request_from(struct db_stmt *row, struct arena *a)
{
	return (struct pairing_request){
		.id = arena_strdup(a, db_text(row, 0)),
		.channel = arena_strdup(a, db_text(row, 1)),
		.account = arena_strdup(a, db_text(row, 2)),
		.sender_id = arena_strdup(a, db_text(row, 3)),
		.code = arena_strdup(a, db_text(row, 4)),
		.name = arena_strdup(a, db_text(row, 5)),
		.username = arena_strdup(a, db_text(row, 6)),
		.created_at = db_int(row, 7),
		.last_seen_at = db_int(row, 8),
		.expires_at = db_int(row, 9),
	};
}

struct requests { VEC(struct pairing_request) rows; };

static void requests_done(struct requests *r)
{
	vec_done(&r->rows);
}

/* Those that live, oldest first; channel and account NULL: all. */
static ch_status load_requests(struct chan_pairing *p, const char *channel, const char *account, struct arena *a,
			       struct requests *out, struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *row = NULL;
	bool found;
	ch_status st = db_prep(p->db, "SELECT " REQUEST_COLUMNS " FROM channel_pairing_requests "
			       "WHERE expires_at > ?1 AND (?2 IS NULL OR channel = ?2) AND (?3 IS NULL OR account = ?3) "
			       "ORDER BY created_at, id", &row, err);

	if (st)
		return st;
	db_bind_int(row, 1, now_wall_ms());
	db_bind_text(row, 2, channel);
	db_bind_text(row, 3, account);
	while (!(st = db_step(row, &found, err)) && found)
		vec_push(&out->rows, request_from(row, a));
	return st;
}

static ch_status delete_request(struct chan_pairing *p, const char *id, struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *row = NULL;
	ch_status st = db_prep(p->db, "DELETE FROM channel_pairing_requests WHERE id = ?", &row, err);

	if (st)
		return st;
	db_bind_text(row, 1, id);
	return db_run(CH_TAKE(row), NULL, err);
}

static ch_status delete_expired(struct chan_pairing *p, struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *row = NULL;
	ch_status st = db_prep(p->db, "DELETE FROM channel_pairing_requests WHERE expires_at <= ?", &row, err);

	if (st)
		return st;
	db_bind_int(row, 1, now_wall_ms());
	return db_run(CH_TAKE(row), NULL, err);
}

/* ---- asking ---- */

/* A code that no other pending request of the network has. */
static const char *new_code(struct arena *a, const struct requests *others)
{
	char code[PAIRING_CODE_LEN + 1] = "";
	bool is_taken = true;

	while (is_taken) {
		for (size_t i = 0; i < PAIRING_CODE_LEN; i++)
			code[i] = alphabet[rand_below(sizeof(alphabet) - 1)];
		is_taken = false;
		for (size_t i = 0; i < others->rows.len; i++)
			is_taken |= str_eq(others->rows.at[i].code, code);
	}
	return arena_strdup(a, code);
}

static ch_status note_seen(struct chan_pairing *p, struct pairing_request *r, struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *row = NULL;
	ch_status st = db_prep(p->db, "UPDATE channel_pairing_requests SET last_seen_at = ? WHERE id = ?", &row, err);

	if (st)
		return st;
	r->last_seen_at = now_wall_ms();
	db_bind_int(row, 1, r->last_seen_at);
	db_bind_text(row, 2, r->id);
	return db_run(CH_TAKE(row), NULL, err);
}

static ch_status insert_request(struct chan_pairing *p, const struct pairing_request *r, struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *row = NULL;
	ch_status st = db_prep(p->db, "INSERT INTO channel_pairing_requests (" REQUEST_COLUMNS ") "
			       "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", &row, err);

	if (st)
		return st;
	db_bind_text(row, 1, r->id);
	db_bind_text(row, 2, r->channel);
	db_bind_text(row, 3, r->account);
	db_bind_text(row, 4, r->sender_id);
	db_bind_text(row, 5, r->code);
	db_bind_text(row, 6, r->name);
	db_bind_text(row, 7, r->username);
	db_bind_int(row, 8, r->created_at);
	db_bind_int(row, 9, r->last_seen_at);
	db_bind_int(row, 10, r->expires_at);
	return db_run(CH_TAKE(row), NULL, err);
}

static const char *cut(struct arena *a, const char *s, size_t max)
{
	return s ? arena_strndup(a, s, utf8_cut(s, strlen(s), max)) : NULL;
}

/* Within the transaction. */
static ch_status ask(struct chan_pairing *p, const char *channel, const char *account, const struct chan_sender *sender,
		     struct arena *a, struct pairing_request *ret, bool *ret_is_new, struct ch_err *err)
{
	__attribute__((cleanup(requests_done))) struct requests others = { 0 };
	char id[UUID_LEN];
	size_t pending = 0;
	ch_status st = delete_expired(p, err);

	if (!st)
		st = load_requests(p, channel, NULL, a, &others, err);
	if (st)
		return st;
	for (size_t i = 0; i < others.rows.len; i++) {
		struct pairing_request *r = &others.rows.at[i];

		if (!str_eq(r->account, account))
			continue;
		pending++;
		if (str_eq(r->sender_id, sender->id)) {
			*ret = *r;
			*ret_is_new = false;
			return note_seen(p, ret, err);
		}
	}
	if (pending >= PAIRING_PENDING_MAX)
		return ch_fail(err, CH_E_LIMIT, "%d senders wait for approval on %s (%s) already; "
			       "chela pairing list shows them", PAIRING_PENDING_MAX, channel, account);
	rand_uuid(id);
	*ret = (struct pairing_request){
		.id = arena_strdup(a, id), .channel = channel, .account = account, .sender_id = sender->id,
		.code = new_code(a, &others), .name = cut(a, sender->name, CHAN_NAME_MAX),
		.username = cut(a, sender->username, CHAN_NAME_MAX),
		.created_at = now_wall_ms(), .last_seen_at = now_wall_ms(),
		.expires_at = now_wall_ms() + PAIRING_TTL_MS,
	};
	*ret_is_new = true;
	return insert_request(p, ret, err);
}

ch_status pairing_ask(struct chan_pairing *p, const char *channel, const char *account, const struct chan_sender *sender,
		      struct arena *a, struct pairing_request *ret, bool *ret_is_new, struct ch_err *err)
{
	CH_AUTO(db_rollback) struct db *tx = NULL;
	struct pairing_request made;
	bool is_new = false;
	ch_status st;

	if (str_empty(sender->id))
		return ch_fail(err, CH_E_INVALID, "a sender without an id cannot be paired");
	st = db_begin_durable(p->db, err);
	if (st)
		return st;
	tx = p->db;
	st = ask(p, channel, account, sender, a, &made, &is_new, err);
	if (!st)
		st = db_commit(CH_TAKE(tx), err);
	if (st)
		return st;
	*ret = made;
	*ret_is_new = is_new;
	return CH_OK;
}

/* ---- looking ---- */

bool pairing_is_granted(struct chan_pairing *p, const char *channel, const char *account, const char *sender_id)
{
	CH_AUTO(db_done) struct db_stmt *row = NULL;
	struct ch_err err;
	bool found = false;

	if (str_empty(sender_id))
		return false;
	if (db_prep(p->db, "SELECT 1 FROM channel_pairing_grants WHERE channel = ? AND account = ? AND sender_id = ?", &row,
		    &err)) {
		log_error("channels", "who was paired cannot be read, nobody counts as paired: %s", err.text);
		return false;
	}
	db_bind_text(row, 1, channel);
	db_bind_text(row, 2, account);
	db_bind_text(row, 3, sender_id);
	if (db_step(row, &found, &err)) {
		log_error("channels", "who was paired cannot be read, nobody counts as paired: %s", err.text);
		return false;
	}
	return found;
}

ch_status pairing_list(struct chan_pairing *p, const char *channel, const char *account, struct arena *a,
		       void (*each)(void *arg, const struct pairing_request *r), void *arg, struct ch_err *err)
{
	__attribute__((cleanup(requests_done))) struct requests all = { 0 };
	ch_status st = load_requests(p, channel, account, a, &all, err);

	for (size_t i = 0; !st && i < all.rows.len; i++)
		each(arg, &all.rows.at[i]);
	return st;
}

ch_status pairing_grants(struct chan_pairing *p, const char *channel, const char *account, struct arena *a,
			 void (*each)(void *arg, const struct pairing_grant *g), void *arg, struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *row = NULL;
	bool found;
	ch_status st = db_prep(p->db, "SELECT channel, account, sender_id, name, granted_at FROM channel_pairing_grants "
			       "WHERE (?1 IS NULL OR channel = ?1) AND (?2 IS NULL OR account = ?2) "
			       "ORDER BY channel, account, granted_at, sender_id", &row, err);

	if (st)
		return st;
	db_bind_text(row, 1, channel);
	db_bind_text(row, 2, account);
	while (!(st = db_step(row, &found, err)) && found) {
		struct pairing_grant g = {
			.channel = arena_strdup(a, db_text(row, 0)),
			.account = arena_strdup(a, db_text(row, 1)),
			.sender_id = arena_strdup(a, db_text(row, 2)),
			.name = arena_strdup(a, db_text(row, 3)),
			.granted_at = db_int(row, 4),
		};

		each(arg, &g);
	}
	return st;
}

/* ---- deciding ---- */

static ch_status insert_grant(struct chan_pairing *p, const struct pairing_request *r, struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *row = NULL;
	ch_status st = db_prep(p->db, "INSERT INTO channel_pairing_grants (channel, account, sender_id, name, granted_at) "
			       "VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET name = excluded.name", &row, err);

	if (st)
		return st;
	db_bind_text(row, 1, r->channel);
	db_bind_text(row, 2, r->account);
	db_bind_text(row, 3, r->sender_id);
	db_bind_text(row, 4, r->name ? r->name : r->username);
	db_bind_int(row, 5, now_wall_ms());
	return db_run(CH_TAKE(row), NULL, err);
}

/* Too many wrong ones lately? */
static ch_status check_wrong(struct chan_pairing *p, struct ch_err *err)
{
	int64_t left_ms = p->wrong_since_ms + PAIRING_WRONG_MS - now_mono_ms();
	ch_status st;

	if (left_ms <= 0)
		p->wrong = 0;
	if (p->wrong < PAIRING_WRONG_MAX)
		return CH_OK;
	st = ch_fail(err, CH_E_LIMIT, "too many wrong pairing codes; try again in %d s", (int)((left_ms + 999) / 1000));
	if (err)
		err->retry_after_ms = (int)left_ms;
	return st;
}

static void note_wrong(struct chan_pairing *p)
{
	if (!p->wrong++)
		p->wrong_since_ms = now_mono_ms();
}

/* The one that is meant; all are compared, so that the time taken says nothing of the place. */
static const struct pairing_request *pick(const struct requests *all, const char *id_or_code)
{
	CH_AUTO_STR char *code = ch_strdup(id_or_code);
	const struct pairing_request *hit = NULL;

	for (char *c = code; *c; c++)
		*c = *c >= 'a' && *c <= 'z' ? (char)(*c - 'a' + 'A') : *c;
	for (size_t i = 0; i < all->rows.len; i++) {
		const struct pairing_request *r = &all->rows.at[i];
		bool is_code = ct_str_equal(r->code, code), is_id = ct_str_equal(r->id, id_or_code);

		if (is_code || is_id)
			hit = r;
	}
	return hit;
}

/* Takes the request away; a grant when `is_approved`. */
static ch_status decide(struct chan_pairing *p, const char *channel, const char *account, const char *id_or_code,
			bool is_approved, struct arena *a, struct pairing_request *ret, struct ch_err *err)
{
	__attribute__((cleanup(requests_done))) struct requests all = { 0 };
	CH_AUTO(db_rollback) struct db *tx = NULL;
	const struct pairing_request *hit;
	const char *wanted = str_trim(a, id_or_code);
	ch_status st = check_wrong(p, err);

	if (!st)
		st = db_begin_durable(p->db, err);
	if (st)
		return st;
	tx = p->db;
	st = load_requests(p, channel, account, a, &all, err);
	if (st)
		return st;
	hit = pick(&all, wanted);
	if (!hit) {
		note_wrong(p);
		return ch_fail(err, CH_E_NOT_FOUND, "no pending pairing request on %s has this code; it may have expired: "
			       "chela pairing list shows those that wait", channel);
	}
	if (is_approved)
		st = insert_grant(p, hit, err);
	if (!st)
		st = delete_request(p, hit->id, err);
	if (!st)
		st = db_commit(CH_TAKE(tx), err);
	if (st)
		return st;
	*ret = *hit;
	return CH_OK;
}

ch_status pairing_approve(struct chan_pairing *p, const char *channel, const char *account, const char *id_or_code,
			  struct arena *a, struct pairing_request *ret, struct ch_err *err)
{
	return decide(p, channel, account, id_or_code, true, a, ret, err);
}

ch_status pairing_dismiss(struct chan_pairing *p, const char *channel, const char *account, const char *id,
			  struct arena *a, struct pairing_request *ret, struct ch_err *err)
{
	return decide(p, channel, account, id, false, a, ret, err);
}

ch_status pairing_revoke(struct chan_pairing *p, const char *channel, const char *account, const char *sender_id,
			 struct ch_err *err)
{
	CH_AUTO(db_rollback) struct db *tx = NULL;
	CH_AUTO(db_done) struct db_stmt *row = NULL;
	int64_t changes = 0;
	ch_status st = db_begin_durable(p->db, err);

	if (st)
		return st;
	tx = p->db;
	st = db_prep(p->db, "DELETE FROM channel_pairing_grants WHERE channel = ?1 AND (?2 IS NULL OR account = ?2) "
		     "AND sender_id = ?3", &row, err);
	if (st)
		return st;
	db_bind_text(row, 1, channel);
	db_bind_text(row, 2, account);
	db_bind_text(row, 3, sender_id);
	st = db_run(CH_TAKE(row), &changes, err);
	if (!st && !changes)
		st = ch_fail(err, CH_E_NOT_FOUND, "%s was not paired on %s; chela pairing grants shows who is",
			     log_quote(sender_id), channel);
	return st ? st : db_commit(CH_TAKE(tx), err);
}

static ch_status delete_of_account(struct chan_pairing *p, const char *sql, const char *channel, const char *account,
				   struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *row = NULL;
	ch_status st = db_prep(p->db, sql, &row, err);

	if (st)
		return st;
	db_bind_text(row, 1, channel);
	db_bind_text(row, 2, account);
	return db_run(CH_TAKE(row), NULL, err);
}

ch_status pairing_forget_account(struct chan_pairing *p, const char *channel, const char *account, struct ch_err *err)
{
	CH_AUTO(db_rollback) struct db *tx = NULL;
	ch_status st = db_begin_durable(p->db, err);

	if (st)
		return st;
	tx = p->db;
	st = delete_of_account(p, "DELETE FROM channel_pairing_requests WHERE channel = ? AND account = ?", channel, account, err);
	if (!st)
		st = delete_of_account(p, "DELETE FROM channel_pairing_grants WHERE channel = ? AND account = ?", channel, account,
				       err);
	return st ? st : db_commit(CH_TAKE(tx), err);
}
