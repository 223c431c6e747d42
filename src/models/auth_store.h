/*
 * models/auth_store.h - the stored credentials: tables auth_profiles and auth_order.
 *
 * Used by the gateway and, beside it, by the command line: the rows are the
 * only truth, nothing is cached. A row of an agent goes before the shared one
 * (agent "") of the same id.
 *
 * Owns    rows are copied to the arena and carry no secret; a secret is read
 *         by itself, into a handle.
 * Fails   as the database; writes of credentials are durable.
 */
#ifndef CH_MODELS_AUTH_STORE_H
#define CH_MODELS_AUTH_STORE_H

#include "config/config.h"
#include "models/auth.h"
#include "store/db.h"

#define AUTH_ID_MAX 159                  /* bytes of a profile's id; fits struct auth_lease */
#define AUTH_SECRET_MAX 16384            /* no key or token is longer */

struct auth_profile {
	const char *agent_id;            /* "": shared */
	const char *id;                  /* "openai:default" */
	const char *provider;            /* lower case */
	enum auth_kind kind;
	int64_t created_at, updated_at, last_used_at;
	int64_t expires_at;              /* wall ms; 0: does not expire */
	const char *email, *account_id;  /* or NULL */
	const char *extra;               /* JSON of an OAuth sign-in (models/oauth.h), or NULL */
	const char *refused;             /* why its refresh token is worth nothing any more, or NULL */
	bool has_refresh;
};

struct auth_profiles { struct auth_profile *at; size_t len; };

const char *auth_kind_name(enum auth_kind k);            /* "api_key" "token" "oauth" */
/* "provider:name" of printable ASCII without spaces; names go into tables, logs and model references. */
bool auth_id_is_valid(const char *id);
/* Not empty, not too long, printable ASCII: it goes into a header. */
bool auth_secret_is_valid(const char *text);

/*
 * What the agent (NULL: only shared) sees, of one provider or (NULL) of all, by provider and id.
 */
CH_MUST_USE ch_status auth_store_list(struct db *db, struct arena *a, const char *agent_id, const char *provider,
				      struct auth_profiles *ret, struct ch_err *err);
/* The agent's own, else the shared one. CH_E_NOT_FOUND. */
CH_MUST_USE ch_status auth_store_find(struct db *db, struct arena *a, const char *agent_id, const char *id,
				      struct auth_profile *ret, struct ch_err *err);
/* The row's secrets; *ret_refresh (may be asked with NULL) is NULL when there is none. */
CH_MUST_USE ch_status auth_store_secrets(struct db *db, const struct auth_profile *p, struct secret **ret_secret,
					 struct secret **ret_refresh, struct ch_err *err);
/* Makes or replaces the row; what is known of the old one's failures is forgotten. */
CH_MUST_USE ch_status auth_store_put(struct db *db, const struct auth_profile *p, const char *secret,
				     const char *refresh, struct ch_err *err);
/* *ret_found may be NULL. Stored orders lose the id too. */
CH_MUST_USE ch_status auth_store_remove(struct db *db, const char *agent_id, const char *id, bool *ret_found,
					struct ch_err *err);
/* All that is an agent's own: one of the same name that comes later must not find it. Durable. */
CH_MUST_USE ch_status auth_store_forget_agent(struct db *db, const char *agent_id, struct ch_err *err);

/*
 * A refresh succeeded: the new access token, the new refresh token (NULL: the
 * old one stays). `was` is the refresh token that was used: when the row holds
 * another one by now (a new login), nothing is written. Durable.
 */
CH_MUST_USE ch_status auth_store_renew(struct db *db, const struct auth_profile *p, const char *was,
				       const char *secret, const char *refresh, int64_t expires_at, struct ch_err *err);
/* The refresh token `was` is worth nothing any more; `why` is for people. */
CH_MUST_USE ch_status auth_store_refuse(struct db *db, const struct auth_profile *p, const char *was, const char *why,
					struct ch_err *err);
/* The access token was refused before its time: the next use refreshes it. */
CH_MUST_USE ch_status auth_store_stale(struct db *db, const char *agent_id, const char *id, struct ch_err *err);
CH_MUST_USE ch_status auth_store_touch(struct db *db, const struct auth_profile *p, int64_t now_wall,
				       struct ch_err *err);

/*
 * The stored order of a provider: the agent's, else the shared one. *ret is a
 * JSON array, NULL when there is none; *ret_own says whose it is, may be NULL.
 */
CH_MUST_USE ch_status auth_order_get(struct db *db, struct arena *a, const char *agent_id, const char *provider,
				     struct json **ret, bool *ret_own, struct ch_err *err);
/* ids NULL: no order any more. */
CH_MUST_USE ch_status auth_order_set(struct db *db, const char *agent_id, const char *provider,
				     const struct json *ids, struct ch_err *err);

#endif
