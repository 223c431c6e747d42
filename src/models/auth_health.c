/*
 * models/auth_health.c - blocking a credential that failed, and letting it back in.
 */
#include "models/auth_health.h"

#include <string.h>

#include "core/crypto.h"
#include "core/str.h"
#include "models/dialect.h"

#define BILLING_MS 600000

void auth_fingerprint(const char *key, char ret_text[AUTH_FINGERPRINT_LEN + 1])
{
	char digest[2 * SHA256_LEN + 1];

	sha256_hex(key, strlen(key), digest);
	memcpy(ret_text, digest, AUTH_FINGERPRINT_LEN);
	ret_text[AUTH_FINGERPRINT_LEN] = '\0';
}

int64_t auth_cooldown_ms(enum model_error_class c, int failures)
{
	static const int64_t ladder[] = { 30000, 60000, 300000 };

	switch (c) {
	case MODEL_ERR_RATE_LIMIT:
	case MODEL_ERR_AUTH:
		return ladder[CH_MIN((size_t)CH_MAX(failures, 1), CH_ARRAY_LEN(ladder)) - 1];
	case MODEL_ERR_BILLING: return BILLING_MS;
	default: return 0;
	}
}

/* A rate limit is the model's where the model is known; the rest is the account's. */
static const char *scope_of(enum model_error_class c, const char *model)
{
	return c == MODEL_ERR_RATE_LIMIT && model ? model : "";
}

static const char columns_sql[] =
	"SELECT failures, reason, failed_at, blocked_until, fingerprint FROM auth_health"
	" WHERE agent_id = ?1 AND profile_id = ?2"
	" AND (?3 IS NULL OR model = ?3 OR model = ?4) ORDER BY blocked_until";

/* The row with the latest block that still counts; zero when there is none. */
static ch_status read_rows(struct db *db, const struct auth_subject *who, const char *model, const char *or_model,
			   int64_t now_wall, struct auth_health *ret, struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *s = NULL;
	bool row = false;
	ch_status st = db_prep(db, columns_sql, &s, err);

	if (st)
		return st;
	*ret = (struct auth_health){ .failures = 0 };
	db_bind_text(s, 1, who->agent_id);
	db_bind_text(s, 2, who->id);
	db_bind_text(s, 3, model);
	db_bind_text(s, 4, or_model);
	for (st = db_step(s, &row, err); !st && row; st = db_step(s, &row, err)) {
		const char *fingerprint = db_text(s, 4);
		int64_t until = db_int(s, 3);

		if (*who->fingerprint && *fingerprint && !str_eq(who->fingerprint, fingerprint))
			continue;
		if (until <= now_wall && db_int(s, 2) + AUTH_FORGET_MS <= now_wall)
			continue;
		ret->failures = (int)db_int(s, 0);
		field_set(ret->reason, sizeof(ret->reason), db_text(s, 1));
		ret->failed_at = db_int(s, 2);
		ret->blocked_until = until > now_wall ? until : 0;
	}
	return st;
}

ch_status auth_health_get(struct db *db, const struct auth_subject *s, const char *model, int64_t now_wall,
			  struct auth_health *ret, struct ch_err *err)
{
	return read_rows(db, s, "", model, now_wall, ret, err);
}

ch_status auth_health_worst(struct db *db, const struct auth_subject *s, int64_t now_wall,
			    struct auth_health *ret, struct ch_err *err)
{
	return read_rows(db, s, NULL, NULL, now_wall, ret, err);
}

static ch_status write_row(struct db *db, const struct auth_subject *who, const char *model,
			   const struct auth_health *h, struct ch_err *err)
{
	static const char sql[] =
		"INSERT OR REPLACE INTO auth_health (agent_id, profile_id, model, failures, reason,"
		" fingerprint, failed_at, blocked_until) VALUES (?,?,?,?,?,?,?,?)";
	struct db_stmt *s = NULL;
	ch_status st = db_prep(db, sql, &s, err);

	if (st)
		return st;
	db_bind_text(s, 1, who->agent_id);
	db_bind_text(s, 2, who->id);
	db_bind_text(s, 3, model);
	db_bind_int(s, 4, h->failures);
	db_bind_text(s, 5, h->reason);
	db_bind_text(s, 6, who->fingerprint);
	db_bind_int(s, 7, h->failed_at);
	db_bind_int(s, 8, h->blocked_until);
	return db_run(s, NULL, err);
}

ch_status auth_health_failed(struct db *db, const struct auth_subject *s, const char *model,
			     enum model_error_class c, int64_t retry_after_ms, int64_t now_wall,
			     int *ret_failures, struct ch_err *err)
{
	const char *scope = scope_of(c, model);
	int64_t wish_ms = CH_MIN(CH_MAX(retry_after_ms, 0), AUTH_BLOCK_MAX_MS);
	struct auth_health h;
	ch_status st = read_rows(db, s, scope, scope, now_wall, &h, err);

	if (st)
		return st;
	if (!h.blocked_until)
		h.failures++;
	h.blocked_until = CH_MAX(h.blocked_until,
				 now_wall + CH_MAX(auth_cooldown_ms(c, h.failures), wish_ms));
	h.failed_at = now_wall;
	field_set(h.reason, sizeof(h.reason), model_error_class_name(c));
	if (ret_failures)
		*ret_failures = h.failures;
	return write_row(db, s, scope, &h, err);
}

ch_status auth_health_ok(struct db *db, const struct auth_subject *who, const char *model, struct ch_err *err)
{
	struct db_stmt *s = NULL;
	ch_status st = db_prep(
		db, "DELETE FROM auth_health WHERE agent_id = ?1 AND profile_id = ?2 AND model IN ('', ?3)",
		&s, err);

	if (st)
		return st;
	db_bind_text(s, 1, who->agent_id);
	db_bind_text(s, 2, who->id);
	db_bind_text(s, 3, model ? model : "");
	return db_run(s, NULL, err);
}
