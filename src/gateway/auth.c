/*
 * gateway/auth.c - modes, the shared secret, and what a refused client is told.
 */
#include "gateway/auth.h"

#include "core/mem.h"
#include "core/str.h"

const char *auth_mode_name(enum auth_mode m)
{
	static const char *const names[] = { "none", "token", "password" };

	return names[m];
}

static const struct auth_reason_text reason_texts[AUTH_REASONS] = {
	[AUTH_OK] = {"ok", "AUTH_OK", ""},
	[AUTH_TOKEN_MISSING] = {"token_missing", "AUTH_TOKEN_MISSING", "update_auth_configuration"},
	[AUTH_TOKEN_MISMATCH] = {"token_mismatch", "AUTH_TOKEN_MISMATCH", "update_auth_credentials"},
	[AUTH_TOKEN_NOT_CONFIGURED] = {"token_missing_config", "AUTH_TOKEN_NOT_CONFIGURED",
				       "update_auth_configuration"},
	[AUTH_PASSWORD_MISSING] = {"password_missing", "AUTH_PASSWORD_MISSING", "update_auth_configuration"},
	[AUTH_PASSWORD_MISMATCH] = {"password_mismatch", "AUTH_PASSWORD_MISMATCH", "update_auth_credentials"},
	[AUTH_PASSWORD_NOT_CONFIGURED] = {"password_missing_config", "AUTH_PASSWORD_NOT_CONFIGURED",
					  "update_auth_configuration"},
	[AUTH_DEVICE_TOKEN_MISMATCH] = {"device_token_mismatch", "AUTH_DEVICE_TOKEN_MISMATCH",
					"update_auth_credentials"},
	[AUTH_SCOPE_MISMATCH] = {"scope_mismatch", "AUTH_SCOPE_MISMATCH", "review_auth_configuration"},
	[AUTH_BOOTSTRAP_INVALID] = {"bootstrap_token_invalid", "AUTH_BOOTSTRAP_TOKEN_INVALID",
				    "review_auth_configuration"},
	[AUTH_RATE_LIMITED] = {"rate_limited", "AUTH_RATE_LIMITED", "wait_then_retry"},
};

const struct auth_reason_text *auth_reason_text(enum auth_reason r)
{
	return &reason_texts[r];
}

enum asker { ASKER_OTHER, ASKER_CLI_LOCAL, ASKER_CLI_REMOTE, ASKER_PAGE };

static enum asker who_asks(const struct connect_params *p, bool is_local)
{
	if (str_eq(p->client.id, "cli"))
		return is_local ? ASKER_CLI_LOCAL : ASKER_CLI_REMOTE;
	return connect_is_webchat(p) || connect_is(p, "openclaw-control-ui", NULL) ? ASKER_PAGE : ASKER_OTHER;
}

/* By asker; the mismatch texts for the CLI and others are the protocol's. */
static const char *const token_mismatch[] = {
	"unauthorized: gateway token mismatch (provide gateway auth token)",
	"unauthorized: gateway token mismatch (use this gateway's gateway.auth.token or pair the device)",
	"unauthorized: gateway token mismatch (set gateway.remote.token to match gateway.auth.token)",
	"unauthorized: gateway token mismatch (open the URL that `chela dashboard` prints)",
};
static const char *const token_missing[] = {
	"unauthorized: gateway token missing (provide gateway auth token)",
	"unauthorized: gateway token missing (use this gateway's gateway.auth.token or pair the device)",
	"unauthorized: gateway token missing (set gateway.remote.token to match gateway.auth.token)",
	"unauthorized: gateway token missing (open the URL that `chela dashboard` prints)",
};
static const char *const password_mismatch[] = {
	"unauthorized: gateway password mismatch (provide gateway auth password)",
	"unauthorized: gateway password mismatch (use this gateway's gateway.auth.password)",
	"unauthorized: gateway password mismatch (set gateway.remote.password to match gateway.auth.password)",
	"unauthorized: gateway password mismatch (type the gateway's password again)",
};
static const char *const password_missing[] = {
	"unauthorized: gateway password missing (provide gateway auth password)",
	"unauthorized: gateway password missing (use this gateway's gateway.auth.password)",
	"unauthorized: gateway password missing (set gateway.remote.password to match gateway.auth.password)",
	"unauthorized: gateway password missing (type the gateway's password)",
};

const char *auth_message(enum auth_reason r, const struct connect_params *p, bool is_local)
{
	enum asker who = who_asks(p, is_local);

	switch (r) {
	case AUTH_TOKEN_MISSING: return token_missing[who];
	case AUTH_TOKEN_MISMATCH: return token_mismatch[who];
	case AUTH_TOKEN_NOT_CONFIGURED:
		return "unauthorized: gateway token not configured on gateway (set gateway.auth.token)";
	case AUTH_PASSWORD_MISSING: return password_missing[who];
	case AUTH_PASSWORD_MISMATCH: return password_mismatch[who];
	case AUTH_PASSWORD_NOT_CONFIGURED:
		return "unauthorized: gateway password not configured on gateway (set gateway.auth.password)";
	case AUTH_DEVICE_TOKEN_MISMATCH:
		return "unauthorized: device token mismatch (rotate/reissue device token)";
	case AUTH_SCOPE_MISMATCH:
		return "unauthorized: device token scope mismatch (re-pair or approve scope upgrade)";
	case AUTH_BOOTSTRAP_INVALID:
		return "unauthorized: setup code invalid, expired, revoked, or already used (review `chela "
		       "devices list`)";
	case AUTH_RATE_LIMITED: return "unauthorized: too many failed authentication attempts (retry later)";
	case AUTH_OK:
	case AUTH_REASONS: break;
	}
	return "unauthorized";
}

struct gw_auth *auth_new(const char *override_token)
{
	struct gw_auth *auth = ch_alloc(sizeof(*auth));

	auth->override_token = ch_strdup(override_token);
	auth->mode = AUTH_MODE_TOKEN;
	auth->limiter = limiter_new(
		&(struct limiter_opts){.max_attempts = 10, .window_ms = 60000, .lockout_ms = 300000});
	return auth;
}

void auth_free(struct gw_auth *auth)
{
	if (!auth)
		return;
	secret_unref(auth->secret);
	limiter_free(auth->limiter);
	if (auth->override_token)
		ch_free_wipe(auth->override_token, strlen(auth->override_token));
	ch_free(auth);
}

/* No mode is set: a password without a token says what is meant. */
bool auth_wants_password(const struct config *c)
{
	return config_get(c, "gateway.auth.password") && !config_get(c, "gateway.auth.token");
}

static ch_status read_mode(const struct config *c, enum auth_mode *ret, struct ch_err *err)
{
	const char *mode = json_str(config_get(c, "gateway.auth.mode"));

	if (str_empty(mode)) {
		*ret = auth_wants_password(c) ? AUTH_MODE_PASSWORD : AUTH_MODE_TOKEN;
		return CH_OK;
	}
	for (enum auth_mode m = AUTH_MODE_NONE; m <= AUTH_MODE_PASSWORD; m++)
		if (str_eq(mode, auth_mode_name(m))) {
			*ret = m;
			return CH_OK;
		}
	return ch_fail(err, CH_E_UNSUPPORTED,
		       "gateway.auth.mode '%s' is not supported; use token, password or none", mode);
}

CH_FIBER static ch_status read_secret(const struct gw_auth *auth, enum auth_mode mode, const struct config *c,
				      struct secret **ret, struct ch_err *err)
{
	ch_status st;

	*ret = NULL;
	if (mode == AUTH_MODE_NONE)
		return CH_OK;
	if (mode == AUTH_MODE_TOKEN && auth->override_token) {
		*ret = secret_new(auth->override_token);
		return CH_OK;
	}
	st = config_secret(c, mode == AUTH_MODE_TOKEN ? "gateway.auth.token" : "gateway.auth.password", ret,
			   err);
	return st == CH_E_NOT_FOUND ? CH_OK : st;
}

CH_FIBER ch_status auth_load(struct gw_auth *auth, const struct config *c, bool none_allowed,
			     bool *ret_changed, struct ch_err *err)
{
	struct secret *secret = NULL;
	enum auth_mode mode = AUTH_MODE_TOKEN;
	ch_status st = read_mode(c, &mode, err);

	if (!st)
		st = read_secret(auth, mode, c, &secret, err);
	if (st)
		return ch_wrap(err, "gateway.auth");
	if (mode == AUTH_MODE_NONE && !none_allowed)
		return ch_fail(err, CH_E_DENIED,
			       "gateway.auth.mode none is refused while the gateway listens beyond loopback");
	if (mode != AUTH_MODE_NONE && !secret)
		return ch_fail(err, CH_E_INVALID, "gateway.auth.mode is %s but gateway.auth.%s is not set",
			       auth_mode_name(mode), auth_mode_name(mode));
	*ret_changed = auth->is_loaded && (mode != auth->mode || !secret != !auth->secret ||
					   (secret && !secret_equal(auth->secret, secret_reveal(secret))));
	secret_unref(auth->secret);
	auth->secret = secret;
	auth->mode = mode;
	auth->is_loaded = true;
	auth->exempt_loopback = config_bool(c, "gateway.auth.rateLimit.exemptLoopback", true);
	limiter_set(auth->limiter, &(struct limiter_opts){
		.max_attempts = CH_MAX(config_int(c, "gateway.auth.rateLimit.maxAttempts", 10), 1),
		.window_ms = CH_MAX(config_int(c, "gateway.auth.rateLimit.windowMs", 60000), 1000),
		.lockout_ms = CH_MAX(config_int(c, "gateway.auth.rateLimit.lockoutMs", 300000), 1000),
	});
	return CH_OK;
}

enum auth_method auth_shared_method(const struct gw_auth *auth)
{
	if (auth->mode == AUTH_MODE_NONE)
		return AUTH_BY_NONE;
	return auth->mode == AUTH_MODE_TOKEN ? AUTH_BY_TOKEN : AUTH_BY_PASSWORD;
}

enum auth_reason auth_check_shared(const struct gw_auth *auth, const char *token, const char *password)
{
	bool is_token = auth->mode == AUTH_MODE_TOKEN;
	bool token_fits, password_fits;

	if (auth->mode == AUTH_MODE_NONE)
		return AUTH_OK;
	if (!auth->secret)
		return is_token ? AUTH_TOKEN_NOT_CONFIGURED : AUTH_PASSWORD_NOT_CONFIGURED;
	if (str_empty(token) && str_empty(password))
		return is_token ? AUTH_TOKEN_MISSING : AUTH_PASSWORD_MISSING;
	token_fits = !str_empty(token) && secret_equal(auth->secret, token);
	password_fits = !str_empty(password) && secret_equal(auth->secret, password);
	if (token_fits || password_fits)
		return AUTH_OK;
	return is_token ? AUTH_TOKEN_MISMATCH : AUTH_PASSWORD_MISMATCH;
}

static bool is_operator_token(struct gw *gw, const char *token)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct device_token t;

	return strlen(token) == DEVICE_TOKEN_LEN && !device_token_find(gw->db, a, token, &t, NULL) &&
	       !t.revoked_at && t.role == GW_ROLE_OPERATOR;
}

bool auth_bearer_ok(struct gw *gw, const struct http_request *rq)
{
	const char *header = http_header(rq, "authorization");
	struct gw_auth *auth = gw->auth;
	const char *token;
	bool exempt = rq->peer_is_loopback && auth->exempt_loopback;

	if (auth->mode == AUTH_MODE_NONE)
		return true;
	if (!header || strlen(header) < 8 || !str_ieq(arena_strndup(rq->arena, header, 7), "bearer "))
		return false;
	if (limiter_wait_ms(auth->limiter, AUTH_SHARED, rq->peer_ip) > 0)
		return false;
	token = str_trim(rq->arena, header + 7);
	if (auth_check_shared(auth, token, NULL) == AUTH_OK || is_operator_token(gw, token))
		return true;
	(void)limiter_fail(auth->limiter, AUTH_SHARED, rq->peer_ip, exempt);
	return false;
}
