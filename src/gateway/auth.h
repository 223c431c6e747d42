/*
 * gateway/auth.h - the gateway's shared secret and the judging of credentials.
 *
 * Owns    the secret (a handle, never text), the limiter, the effective mode.
 * Lives   with the gateway; auth_load() again after each configuration change.
 * Safety  comparisons take constant time; every failed try counts against its source, whatever
 *         other fields the request carries.
 */
#ifndef CH_GATEWAY_AUTH_H
#define CH_GATEWAY_AUTH_H

#include "gateway/connect_policy.h"
#include "gateway/limiter.h"

#define AUTH_SHARED "shared-secret"      /* classes of the limiter */
#define AUTH_DEVICE "device-token"
#define AUTH_BOOTSTRAP "bootstrap-token"
#define AUTH_JOIN "device-join"

enum auth_mode { AUTH_MODE_NONE, AUTH_MODE_TOKEN, AUTH_MODE_PASSWORD };
const char *auth_mode_name(enum auth_mode m);

enum auth_reason {
	AUTH_OK,
	AUTH_TOKEN_MISSING, AUTH_TOKEN_MISMATCH, AUTH_TOKEN_NOT_CONFIGURED,
	AUTH_PASSWORD_MISSING, AUTH_PASSWORD_MISMATCH, AUTH_PASSWORD_NOT_CONFIGURED,
	AUTH_DEVICE_TOKEN_MISMATCH, AUTH_SCOPE_MISMATCH, AUTH_BOOTSTRAP_INVALID, AUTH_RATE_LIMITED,
	AUTH_REASONS
};
struct auth_reason_text { const char *name, *code, *next_step; };
const struct auth_reason_text *auth_reason_text(enum auth_reason r);
/* "unauthorized: … (what to do)"; depends on who asks. */
const char *auth_message(enum auth_reason r, const struct connect_params *p, bool is_local);

struct gw_auth {
	enum auth_mode mode;
	struct secret *secret;           /* NULL in mode none, or when not configured */
	char *override_token;            /* --token */
	struct limiter *limiter;
	bool exempt_loopback;
	bool is_loaded;
};

struct gw_auth *auth_new(const char *override_token);
void auth_free(struct gw_auth *auth);
/*
 * Reads mode, secret and limits. *ret_changed: mode or secret are not what they were. An unknown
 * mode, a missing or unreadable secret, and mode none where that is not allowed are errors and leave the
 * old state.
 */
CH_FIBER CH_MUST_USE ch_status auth_load(struct gw_auth *auth, const struct config *c, bool none_allowed,
					 bool *ret_changed, struct ch_err *err);
bool auth_wants_password(const struct config *c);

/* The shared secret in either field; both NULL: missing. */
enum auth_reason auth_check_shared(const struct gw_auth *auth, const char *token, const char *password);
/* How a right shared secret is called in hello-ok. */
enum auth_method auth_shared_method(const struct gw_auth *auth);
/* "Authorization: Bearer …" with the shared secret or an operator's device token. */
bool auth_bearer_ok(struct gw *gw, const struct http_request *rq);

#endif
