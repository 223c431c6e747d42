/*
 * models/auth_pick.h - all credentials a request could go out with, best first. Internal to models/ and the gateway's status.
 *
 *	1. profiles: in the stored order, else auth.order, else OAuth, token, API key, each by longest unused
 *	2. the environment's keys; the next one only when the one before met a rate limit
 *	3. models.providers.<id>.apiKey; before 2 when the provider has a baseUrl of its own
 *
 * Blocked ones stand last, the one that is free soonest first; unusable ones
 * behind them with the reason. Reads rows and the environment, asks nobody.
 */
#ifndef CH_MODELS_AUTH_PICK_H
#define CH_MODELS_AUTH_PICK_H

#include "models/auth_health.h"
#include "models/auth_store.h"

#define AUTH_REFRESH_EARLY_MS 300000     /* an access token is renewed this long before its end, or in its last quarter */

enum auth_source { AUTH_FROM_PROFILE, AUTH_FROM_ENV, AUTH_FROM_CONFIG };

struct auth_candidate {
	enum auth_source source;
	enum auth_kind kind;
	const char *id;                  /* as in a lease: "openai:default", "env:OPENAI_API_KEY", "config" */
	struct auth_subject subject;     /* of its health */
	struct auth_profile profile;     /* AUTH_FROM_PROFILE */
	struct auth_health health;
	const char *unusable;            /* why it cannot be used, or NULL */
	bool is_expired;                 /* its access token ended (or is about to); with a refresh token it is usable */
	size_t place;                    /* in an explicit order */
};

struct auth_candidates { struct auth_candidate *at; size_t len; };

/* want->profile restricts to that one, whatever the order says. Without a database there are no profiles. */
CH_MUST_USE ch_status auth_candidates_find(struct models *m, const struct config *cfg, const struct auth_want *want,
					   struct arena *a, struct auth_candidates *ret, struct ch_err *err);
/* Usable, and not left alone now. */
bool auth_candidate_is_free(const struct auth_candidate *c);
/* May the provider be asked without any credential? */
bool auth_is_optional(struct models *m, const struct config *cfg, const char *provider);
/* The token is over, or should be renewed. A fixed point for tests. */
bool auth_wants_refresh(const struct auth_profile *p, int64_t now_wall);
/* The order that holds: stored, else auth.order; NULL none. *ret_stored, may be NULL: it is in the store. */
CH_MUST_USE ch_status auth_order_effective(struct models *m, const struct config *cfg, struct arena *a,
					   const char *agent_id, const char *provider, const struct json **ret,
					   bool *ret_stored, struct ch_err *err);

#endif
