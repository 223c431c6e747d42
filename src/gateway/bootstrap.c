/*
 * gateway/bootstrap.c - setup codes: issued, found by their hash, used once, their outcome told.
 */
#include "gateway/bootstrap.h"

#include "core/clock.h"
#include "core/crypto.h"
#include "core/log.h"
#include "core/str.h"
#include "gateway/device_rows.h"

#define COLUMNS "setup_id, url, tls_fingerprint, device_id, device_name, profile, expires_at, used_at, told_at"
#define HASH_LEN (2 * SHA256_LEN)

/* -- profiles -- */

#define MOBILE_SCOPES \
	"operator.approvals,operator.questions,operator.read,operator.talk.secrets,operator.write"

static const struct bootstrap_profile profiles[] = {
	/* name          access     roles                            scopes */
	{ "full",        "full",    GW_ROLE_NODE | GW_ROLE_OPERATOR, "operator.admin," MOBILE_SCOPES },
	{ "limited",     "limited", GW_ROLE_NODE | GW_ROLE_OPERATOR, MOBILE_SCOPES },
	{ "node",        "node",    GW_ROLE_NODE,                    "" },
	{ "voice-node",  "limited", GW_ROLE_NODE | GW_ROLE_OPERATOR, "operator.read,operator.talk" },
};

const struct bootstrap_profile *bootstrap_profile_find(const char *name)
{
	for (size_t i = 0; i < CH_ARRAY_LEN(profiles); i++)
		if (str_eq(profiles[i].name, name))
			return &profiles[i];
	return NULL;
}

struct scope_list bootstrap_scopes(const struct bootstrap_profile *p)
{
	struct scope_list l = {0};

	scope_list_from_text(&l, p->scopes);
	return l;
}

bool bootstrap_allows(const struct bootstrap_profile *p, enum gw_role role, const struct scope_list *scopes)
{
	return (p->roles & role) && !(scopes->bits & ~bootstrap_scopes(p).bits);
}

/* -- rows -- */

static void read_row(struct db_stmt *s, struct arena *a, struct bootstrap *b)
{
	*b = (struct bootstrap){
		.setup_id = row_text(s, 0, a), .url = row_text(s, 1, a), .tls_fingerprint = row_text(s, 2, a),
		.device_id = row_text(s, 3, a), .device_name = row_text(s, 4, a),
		.profile = bootstrap_profile_find(db_text(s, 5)), .expires_at = db_int(s, 6),
		.used_at = db_int(s, 7), .told_at = db_int(s, 8),
	};
}

/* sql selects by a text ?1 and a time ?2. */
static ch_status find_by(struct db *db, struct arena *a, const char *sql, const char *value, int64_t at,
			 struct bootstrap *ret, struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *s = NULL;
	struct bootstrap b;
	bool has_row;
	ch_status st = db_prep(db, sql, &s, err);

	if (st)
		return st;
	db_bind_text(s, 1, value);
	db_bind_int(s, 2, at);
	st = db_step(s, &has_row, err);
	if (st)
		return st;
	if (!has_row)
		return ch_fail(err, CH_E_NOT_FOUND, "no such setup code");
	read_row(s, a, &b);
	if (!b.profile)
		return ch_fail(err, CH_E_INVALID, "setup code %s has an unknown profile", b.setup_id);
	*ret = b;
	return CH_OK;
}

/* sql changes rows by a number ?1 and, unless value is NULL, a text ?2. */
static ch_status change(struct db *db, const char *sql, int64_t number, const char *value, struct ch_err *err)
{
	struct db_stmt *s;
	ch_status st = db_prep(db, sql, &s, err);

	if (st)
		return st;
	db_bind_int(s, 1, number);
	if (value)
		db_bind_text(s, 2, value);
	return db_run(s, NULL, err);
}

/* -- issuing -- */

static ch_status insert(struct db *db, const struct bootstrap_ask *ask, const struct bootstrap_issued *n,
			int64_t now, struct ch_err *err)
{
	char token_hash[HASH_LEN + 1], join_hash[HASH_LEN + 1];
	struct db_stmt *s;
	ch_status st = db_prep(db,
			       "INSERT INTO setup_codes (setup_id, token_hash, join_hash, profile, url, "
			       "tls_fingerprint, issued_by, created_at, expires_at) VALUES (?,?,?,?,?,?,?,?,?)",
			       &s, err);

	if (st)
		return st;
	sha256_hex(n->token, strlen(n->token), token_hash);
	sha256_hex(n->join, strlen(n->join), join_hash);
	db_bind_text(s, 1, n->setup_id);
	db_bind_text(s, 2, token_hash);
	db_bind_text(s, 3, n->join[0] ? join_hash : NULL);
	db_bind_text(s, 4, ask->profile->name);
	db_bind_text(s, 5, ask->url);
	db_bind_text(s, 6, ask->tls_fingerprint);
	db_bind_text(s, 7, ask->issued_by);
	db_bind_int(s, 8, now);
	db_bind_int(s, 9, n->expires_at);
	return db_run(s, NULL, err);
}

static ch_status drop_oldest(struct db *db, struct ch_err *err)
{
	return change(db,
		      "DELETE FROM setup_codes WHERE setup_id IN (SELECT setup_id FROM setup_codes "
		      "WHERE used_at = 0 ORDER BY created_at DESC LIMIT -1 OFFSET ?1)",
		      BOOTSTRAP_LIVE_MAX - 1, NULL, err);
}

ch_status bootstrap_issue(struct db *db, const struct bootstrap_ask *ask, struct bootstrap_issued *ret,
			  struct ch_err *err)
{
	struct bootstrap_issued n = { .expires_at = now_wall_ms() + BOOTSTRAP_TTL_MS };
	ch_status st = db_begin(db, err);

	if (st)
		return st;
	rand_uuid(n.setup_id);
	rand_token(BOOTSTRAP_TOKEN_BYTES, n.token);
	if (ask->with_join)
		rand_token(BOOTSTRAP_JOIN_BYTES, n.join);
	st = bootstrap_prune(db, err);
	if (!st)
		st = drop_oldest(db, err);
	if (!st)
		st = insert(db, ask, &n, now_wall_ms(), err);
	if (st) {
		db_rollback(db);
		return st;
	}
	st = db_commit(db, err);
	if (st)
		return st;
	log_info("gateway", "setup code issued setup=%s profile=%s", n.setup_id, ask->profile->name);
	*ret = n;
	return CH_OK;
}

void bootstrap_write_payload(struct jw *w, const struct bootstrap *b, const char *token)
{
	jw_obj(w);
	jw_kstr(w, "url", b->url);
	jw_kstr(w, "bootstrapToken", token);
	jw_kint(w, "expiresAtMs", b->expires_at);
	jw_kstr_opt(w, "tlsFingerprint", b->tls_fingerprint);
	jw_end(w);
}

/* -- using -- */

ch_status bootstrap_find(struct db *db, struct arena *a, const char *token, struct bootstrap *ret,
			 struct ch_err *err)
{
	char hash[HASH_LEN + 1];

	sha256_hex(token, strlen(token), hash);
	return find_by(db, a,
		       "SELECT " COLUMNS " FROM setup_codes WHERE token_hash = ?1 AND used_at = 0 AND expires_at > ?2",
		       hash, now_wall_ms(), ret, err);
}

ch_status bootstrap_use(struct db *db, const char *token, const char *device_id, const char *device_name,
			struct ch_err *err)
{
	char hash[HASH_LEN + 1];
	int64_t changes;
	struct db_stmt *s;
	ch_status st = db_prep(db,
			       "UPDATE setup_codes SET token_hash = NULL, join_hash = NULL, used_at = ?1, "
			       "device_id = ?3, device_name = ?4 "
			       "WHERE token_hash = ?2 AND used_at = 0 AND expires_at > ?1",
			       &s, err);

	if (st)
		return st;
	sha256_hex(token, strlen(token), hash);
	db_bind_int(s, 1, now_wall_ms());
	db_bind_text(s, 2, hash);
	db_bind_text(s, 3, device_id);
	db_bind_text(s, 4, device_name);
	st = db_run(s, &changes, err);
	if (!st && changes == 0)
		st = ch_fail(err, CH_E_NOT_FOUND, "no such setup code");
	return st;
}

/* Inside a transaction. */
static ch_status replace_token(struct db *db, const char *setup_id, const char *token, struct ch_err *err)
{
	char hash[HASH_LEN + 1];
	struct db_stmt *s;
	ch_status st = db_prep(db, "UPDATE setup_codes SET token_hash = ?, join_hash = NULL WHERE setup_id = ?",
			       &s, err);

	if (st)
		return st;
	sha256_hex(token, strlen(token), hash);
	db_bind_text(s, 1, hash);
	db_bind_text(s, 2, setup_id);
	return db_run(s, NULL, err);
}

ch_status bootstrap_join(struct db *db, struct arena *a, const char *join, char *ret_token,
			 struct bootstrap *ret, struct ch_err *err)
{
	char hash[HASH_LEN + 1], token[BOOTSTRAP_TOKEN_LEN + 1];
	struct bootstrap b;
	ch_status st = db_begin_durable(db, err);

	if (st)
		return st;
	sha256_hex(join, strlen(join), hash);
	rand_token(BOOTSTRAP_TOKEN_BYTES, token);
	st = find_by(db, a,
		     "SELECT " COLUMNS " FROM setup_codes WHERE join_hash = ?1 AND used_at = 0 AND expires_at > ?2",
		     hash, now_wall_ms(), &b, err);
	if (!st)
		st = replace_token(db, b.setup_id, token, err);
	if (st) {
		db_rollback(db);
		return st;
	}
	st = db_commit(db, err);
	if (st)
		return st;
	log_info("gateway", "join link opened setup=%s", b.setup_id);
	memcpy(ret_token, token, sizeof(token));
	*ret = b;
	return CH_OK;
}

/* -- afterwards -- */

ch_status bootstrap_outcome(struct db *db, struct arena *a, const char *setup_id, struct bootstrap *ret,
			    struct ch_err *err)
{
	return find_by(db, a, "SELECT " COLUMNS " FROM setup_codes WHERE setup_id = ?1 AND used_at > ?2", setup_id,
		       CH_MAX(now_wall_ms() - BOOTSTRAP_KEPT_MS, 0), ret, err);
}

void bootstrap_write_outcome(struct jw *w, const struct bootstrap *b)
{
	jw_obj(w);
	jw_kstr(w, "setupId", b->setup_id);
	jw_kstr(w, "deviceId", b->device_id);
	if (!str_empty(b->device_name))
		jw_kstr(w, "deviceName", b->device_name);
	jw_kstr(w, "access", b->profile->access);
	jw_kint(w, "ts", b->used_at);
	jw_end(w);
}

void bootstrap_settle(struct gw *gw, struct arena *a, const char *setup_id, bool was_sent)
{
	CH_AUTO_BUF struct buf out = { 0 };
	struct jw w = JW(&out);
	struct bootstrap b;
	struct ch_err err = {0};
	ch_status st = CH_OK;

	if (was_sent)
		st = change(gw->db, "UPDATE setup_codes SET told_at = ?1 WHERE setup_id = ?2", now_wall_ms(),
			    setup_id, &err);
	if (!st)
		st = bootstrap_outcome(gw->db, a, setup_id, &b, &err);
	if (st) {
		log_warn("gateway", "setup=%s: its outcome could not be kept: %s; it stays uncertain", setup_id,
			 err.text);
		return;
	}
	buf_init(&out, GW_PREAUTH_FRAME_MAX);
	bootstrap_write_outcome(&w, &b);
	if (out.failed)
		return;
	gw_broadcast(gw, &(struct gw_event){
		.name = b.told_at ? "device.pair.setup.completed" : "device.pair.setup.deliveryUncertain",
		.payload = out.data, .len = out.len });
}

ch_status bootstrap_revoke(struct db *db, const char *issued_by, struct ch_err *err)
{
	return change(db,
		      issued_by ? "DELETE FROM setup_codes WHERE used_at = ?1 AND issued_by = ?2"
				: "DELETE FROM setup_codes WHERE used_at = ?1",
		      0, issued_by, err);
}

ch_status bootstrap_prune(struct db *db, struct ch_err *err)
{
	int64_t now = now_wall_ms();
	ch_status st = change(db, "DELETE FROM setup_codes WHERE used_at = 0 AND expires_at <= ?1", now, NULL, err);

	if (st)
		return st;
	return change(db, "DELETE FROM setup_codes WHERE used_at > 0 AND used_at <= ?1", now - BOOTSTRAP_KEPT_MS,
		      NULL, err);
}
