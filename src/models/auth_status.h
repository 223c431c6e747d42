/*
 * models/auth_status.h - how credentials stand, in the words of the protocol: for models.authStatus and the command line.
 */
#ifndef CH_MODELS_AUTH_STATUS_H
#define CH_MODELS_AUTH_STATUS_H

#include "models/auth_store.h"

#define AUTH_EXPIRING_MS (INT64_C(24) * 3600 * 1000)

/* Some bring credentials of their own kind (AWS's chain): a stored key would never be used. */
bool auth_takes_keys(const char *provider);

/* Worst first. STATIC: a key, or a token without an end. MISSING: there is none. */
enum auth_status { AUTH_EXPIRED, AUTH_MISSING, AUTH_EXPIRING, AUTH_OK, AUTH_STATIC };
const char *auth_status_name(enum auth_status s);

/* A sign-in that refreshes itself is OK whatever its access token's age, until the server refused it. */
enum auth_status auth_profile_status(const struct auth_profile *p, int64_t now_wall);
/* The end that matters to a person: none for what renews itself and is past it. 0: none. */
int64_t auth_profile_end(const struct auth_profile *p, int64_t now_wall);
/* "12m", "3h", "40d". */
void auth_remaining_text(int64_t ms, char ret_text[24]);

/*
 * Over a provider's profiles that are in its order (NULL: all): OAuth decides
 * where there is any, else tokens, else keys. *ret_end is the earliest end, 0 none.
 */
enum auth_status auth_rollup(const struct auth_profiles *list, const struct json *order, int64_t now_wall,
			     int64_t *ret_end);

/* A key outside the store, as models.authStatus tells of it. */
struct auth_key_source { const char *source; const char *env_var; };     /* "config" or "env"; env_var may be NULL */
/* False: there is none. On the arena. */
bool auth_key_source(struct models *m, const struct config *cfg, const char *provider, struct arena *a,
		     struct auth_key_source *ret);

#endif
