/*
 * models/auth_health.h - how credentials fared: until when one is left alone (table auth_health).
 *
 *	rate limit, key refused    30 s, 1 min, then 5 min; a rate limit holds for the model that met it
 *	no credit left             10 min
 *	anything else              is not the credential's fault
 *
 * A provider's Retry-After is a floor, up to AUTH_BLOCK_MAX_MS. Success forgets
 * it; so does AUTH_FORGET_MS without a failure.
 */
#ifndef CH_MODELS_AUTH_HEALTH_H
#define CH_MODELS_AUTH_HEALTH_H

#include "models/model.h"

#define AUTH_BLOCK_MAX_MS (INT64_C(7) * 24 * 3600 * 1000)        /* a clock gone wild would lock us out for good */
#define AUTH_FORGET_MS (INT64_C(24) * 3600 * 1000)
#define AUTH_FINGERPRINT_LEN 16

/*
 * Whose health: a row of auth_profiles, or a name for a key outside of it
 * ("env:X", "config:openai"). With a fingerprint, what is known of another key
 * under the same name does not count; "" is not compared.
 */
struct auth_subject { const char *agent_id, *id, *fingerprint; };

struct auth_health {
	int failures;                    /* in a row; 0: nothing is known */
	char reason[32];
	int64_t failed_at, blocked_until;
};

void auth_fingerprint(const char *key, char ret_text[AUTH_FINGERPRINT_LEN + 1]);
/* How long the n-th failure in a row (from 1) blocks; 0: not at all. */
int64_t auth_cooldown_ms(enum model_error_class c, int failures);

/* For the model (NULL: all models only) and now: the longer of its own block and the one for all models. */
CH_MUST_USE ch_status auth_health_get(struct db *db, const struct auth_subject *s, const char *model, int64_t now_wall,
				      struct auth_health *ret, struct ch_err *err);
/* Until when any model of it is blocked, for lists; ret->failures 0 when none is. */
CH_MUST_USE ch_status auth_health_worst(struct db *db, const struct auth_subject *s, int64_t now_wall,
					struct auth_health *ret, struct ch_err *err);
/*
 * *ret_failures, when not NULL, is the count with this one. A failure while
 * blocked is one of several requests that were on their way: it is not counted.
 */
CH_MUST_USE ch_status auth_health_failed(struct db *db, const struct auth_subject *s, const char *model,
					 enum model_error_class c, int64_t retry_after_ms, int64_t now_wall,
					 int *ret_failures, struct ch_err *err);
CH_MUST_USE ch_status auth_health_ok(struct db *db, const struct auth_subject *s, const char *model,
				     struct ch_err *err);

#endif
