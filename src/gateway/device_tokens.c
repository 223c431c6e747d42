/*
 * gateway/device_tokens.c - the tokens of paired devices: issued, found by their hash, revoked.
 */
#include "core/crypto.h"
#include "core/rand.h"
#include "core/str.h"
#include "gateway/device_rows.h"

#define TOKEN_COLUMNS "device_id, role, scopes, created_at, rotated_at, revoked_at, last_used_at"

static void hash_token(const char *token, char ret_hash[2 * SHA256_LEN + 1])
{
	sha256_hex(token, strlen(token), ret_hash);
}

static ch_status run_for_role(struct db *db, const char *sql, const char *device_id, enum gw_role role,
			      int64_t arg, int64_t *ret_changes, struct ch_err *err)
{
	struct db_stmt *s;
	ch_status st = db_prep(db, sql, &s, err);

	if (st)
		return st;
	db_bind_text(s, 1, device_id);
	db_bind_text(s, 2, role_name(role));
	db_bind_int(s, 3, arg);
	return db_run(s, ret_changes, err);
}

static ch_status insert_token(struct db *db, const char *hash, const char *device_id, enum gw_role role,
			      const struct scope_list *scopes, int64_t now_ms, bool is_rotation,
			      struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct db_stmt *s;
	ch_status st = db_prep(
		db,
		"INSERT INTO device_tokens (token_hash, device_id, role, scopes, created_at, rotated_at) "
		"VALUES (?,?,?,?,?,?)",
		&s, err);

	if (st)
		return st;
	db_bind_text(s, 1, hash);
	db_bind_text(s, 2, device_id);
	db_bind_text(s, 3, role_name(role));
	db_bind_text(s, 4, scopes_column(a, scopes));
	db_bind_int(s, 5, now_ms);
	db_bind_int(s, 6, is_rotation ? now_ms : 0);
	return db_run(s, NULL, err);
}

ch_status device_token_issue(struct db *db, const char *device_id, enum gw_role role,
			     const struct scope_list *scopes, int64_t now_ms, bool is_rotation,
			     char *ret_token, struct ch_err *err)
{
	char token[DEVICE_TOKEN_LEN + 1], hash[2 * SHA256_LEN + 1];
	ch_status st = db_begin_durable(db, err);

	if (st)
		return st;
	rand_token(DEVICE_TOKEN_BYTES, token);
	hash_token(token, hash);
	/* A revoked row only says that there was one; a new one takes its place. */
	st = run_for_role(db,
			  "DELETE FROM device_tokens WHERE device_id = ?1 AND role = ?2 AND (revoked_at > 0 "
			  "OR token_hash "
			  "IN (SELECT token_hash FROM device_tokens WHERE device_id = ?1 AND role = ?2 "
			  "ORDER BY max(created_at, last_used_at) DESC LIMIT -1 OFFSET ?3))",
			  device_id, role, DEVICE_TOKENS_MAX - 1, NULL, err);
	if (!st)
		st = insert_token(db, hash, device_id, role, scopes, now_ms, is_rotation, err);
	if (st) {
		db_rollback(db);
		return st;
	}
	st = db_commit(db, err);
	if (!st)
		memcpy(ret_token, token, sizeof(token));
	return st;
}

static void read_token(struct db_stmt *s, struct arena *a, struct device_token *t)
{
	*t = (struct device_token){ .device_id = row_text(s, 0, a), .role = role_find(db_text(s, 1)),
				    .created_at = db_int(s, 3), .rotated_at = db_int(s, 4),
				    .revoked_at = db_int(s, 5), .last_used_at = db_int(s, 6) };
	row_scopes(s, 2, a, &t->scopes);
}

ch_status device_token_find(struct db *db, struct arena *a, const char *token, struct device_token *ret,
			    struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *s = NULL;
	char hash[2 * SHA256_LEN + 1];
	bool has_row;
	ch_status st =
		db_prep(db, "SELECT " TOKEN_COLUMNS " FROM device_tokens WHERE token_hash = ?", &s, err);

	if (st)
		return st;
	hash_token(token, hash);
	db_bind_text(s, 1, hash);
	st = db_step(s, &has_row, err);
	if (st)
		return st;
	if (!has_row)
		return ch_fail(err, CH_E_NOT_FOUND, "no such device token");
	read_token(s, a, ret);
	return CH_OK;
}

ch_status device_token_used(struct db *db, const char *token, int64_t now_ms, struct ch_err *err)
{
	char hash[2 * SHA256_LEN + 1];
	struct db_stmt *s;
	ch_status st = db_prep(db, "UPDATE device_tokens SET last_used_at = ? WHERE token_hash = ?", &s, err);

	if (st)
		return st;
	hash_token(token, hash);
	db_bind_int(s, 1, now_ms);
	db_bind_text(s, 2, hash);
	return db_run(s, NULL, err);
}

ch_status device_token_drop(struct db *db, const char *device_id, enum gw_role role, struct ch_err *err)
{
	return run_for_role(db, "DELETE FROM device_tokens WHERE device_id = ?1 AND role = ?2 AND ?3 = 0",
			    device_id, role, 0, NULL, err);
}

ch_status device_token_revoke(struct db *db, const char *device_id, enum gw_role role, int64_t now_ms,
			      struct ch_err *err)
{
	int64_t changes;
	/* Durable: a power loss must not give a token back that its owner took away. */
	ch_status st = db_begin_durable(db, err);

	if (st)
		return st;
	st = run_for_role(db,
			  "UPDATE device_tokens SET revoked_at = ?3 WHERE device_id = ?1 AND role "
			  "= ?2 AND revoked_at = 0",
			  device_id, role, now_ms, &changes, err);
	if (!st && changes == 0)
		st = ch_fail(err, CH_E_NOT_FOUND, "the device holds no token of that role");
	if (st) {
		db_rollback(db);
		return st;
	}
	return db_commit(db, err);
}

ch_status device_token_list(struct db *db, struct arena *a, const char *device_id, struct device_token ret[2],
			    size_t *ret_count, struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *s = NULL;
	size_t count = 0;
	bool has_row;
	ch_status st = db_prep(
		db,
		"SELECT device_id, role, scopes, min(created_at), max(rotated_at), min(revoked_at), "
		"max(last_used_at) FROM device_tokens WHERE device_id = ? GROUP BY role ORDER BY role",
		&s, err);

	if (st)
		return st;
	db_bind_text(s, 1, device_id);
	while (!(st = db_step(s, &has_row, err)) && has_row && count < 2)
		read_token(s, a, &ret[count++]);
	if (st)
		return st;
	*ret_count = count;
	return CH_OK;
}
