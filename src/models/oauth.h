/*
 * models/oauth.h - signing in to a provider by OAuth 2: the code flow with PKCE, the device flow, refreshing.
 *
 * RFC 6749, 7636 (S256 only), 8252 (loopback callback), 8414 (discovery), 8628
 * (device), 9207 (iss). A server is a row of oauth_server.c or a configured
 * auth.oauth.<provider>; the engine knows no provider by name.
 *
 * Runs    on a fiber of any program: the command line signs in, the gateway refreshes.
 * Limits  OAUTH_REPLY_MAX bytes an answer, OAUTH_REQUEST_MS a request.
 * Fails   CH_E_DENIED: the server (or the person) says no, and asking again the same way will not help.
 *         No text of an error holds a token: servers quote what they refuse, so it is redacted.
 */
#ifndef CH_MODELS_OAUTH_H
#define CH_MODELS_OAUTH_H

#include "config/config.h"
#include "models/auth_store.h"
#include "net/http_client.h"

#define OAUTH_REPLY_MAX (256u * 1024u)
#define OAUTH_REQUEST_MS 30000
#define OAUTH_VERIFIER_LEN 43            /* 32 random bytes as base64url */

struct oauth_server {
	const char *provider;
	const char *issuer;              /* or NULL */
	const char *authorize_url, *token_url, *device_url;      /* NULL: not offered */
	const char *client_id;
	const char *scope;
	const char *const *extra;        /* name, value, …, NULL: more parameters of the authorize URL; or NULL */
	const char *callback_host;       /* as the registered redirect URI has it: "localhost" */
	uint16_t callback_port;          /* 0: any */
	const char *callback_path;
	bool is_trusted;                 /* the owner wrote its addresses: they may be private ones */
	struct secret *client_secret;    /* or NULL; owned */
};

/*
 * The server of a provider: configured, else built in; asks its issuer for addresses
 * that are not given. CH_E_NOT_FOUND: the provider has no sign-in. Strings live on the arena.
 */
CH_FIBER CH_MUST_USE ch_status oauth_server_find(struct http_client *http, const struct config *cfg,
						 const char *provider, struct arena *a, struct oauth_server *ret,
						 struct ch_err *err);
void oauth_server_done(struct oauth_server *s);
/* Did the owner describe a sign-in for it? Without asking anybody. */
bool oauth_is_configured(const struct config *cfg, const char *provider);
const struct oauth_server *oauth_builtin_servers(size_t *ret_count);

/* -- tokens -- */

struct oauth_tokens {
	struct secret *access, *refresh; /* refresh may be NULL */
	int64_t expires_at;              /* wall ms; 0: not said */
	const char *email, *account_id;  /* or NULL; on the arena */
};
void oauth_tokens_done(struct oauth_tokens *t);
/* A token endpoint's 200 answer (RFC 6749 5.1). Wipes the tokens' text in `reply`. */
CH_MUST_USE ch_status oauth_tokens_parse(struct arena *a, struct json *reply, int64_t now_wall,
					 struct oauth_tokens *ret, struct ch_err *err);
/* The claims of a JWT, unverified: for what comes straight from the server. NULL when it is none. */
struct json *oauth_jwt_claims(struct arena *a, const char *jwt);

/* -- requests -- */

/* A form, built in place: what is in it is wiped with it. */
struct oauth_form { struct buf body; };
void oauth_form_init(struct oauth_form *f);
void oauth_form_done(struct oauth_form *f);
void oauth_form_add(struct oauth_form *f, const char *name, const char *value);  /* NULL: left out */

struct oauth_reply {
	int status;
	struct json *body;               /* an object, or NULL */
	char error[64];                  /* "invalid_grant"; "" none */
};
/* CH_OK for any HTTP answer. */
CH_FIBER CH_MUST_USE ch_status oauth_post(struct http_client *http, const struct oauth_server *s, const char *url,
					  struct oauth_form *f, struct arena *a, struct oauth_reply *ret,
					  struct ch_err *err);
/* The server's refusal in words; what: "signing in". */
ch_status oauth_refused(const struct oauth_reply *r, const char *what, struct ch_err *err);
/* A token request: client credentials are added; the answer's tokens, or its refusal (ret_reply may be NULL). */
CH_FIBER CH_MUST_USE ch_status oauth_request_tokens(struct http_client *http, const struct oauth_server *s,
						    struct oauth_form *f, struct arena *a, const char *what,
						    struct oauth_tokens *ret, struct oauth_reply *ret_reply,
						    struct ch_err *err);

/* -- the code flow -- */

void oauth_challenge(const char *verifier, char ret_text[OAUTH_VERIFIER_LEN + 1]);
char *oauth_authorize_url(struct arena *a, const struct oauth_server *s, const char *redirect_uri,
			  const char *verifier, const char *state);
/*
 * The code out of what came back: a whole redirect URL, its query, or (pasted by hand) the bare code.
 * The state must be ours where it is there, and must be there unless the code is bare.
 */
CH_MUST_USE ch_status oauth_read_redirect(struct arena *a, const struct oauth_server *s, const char *text,
					  const char *state, const char **ret_code, struct ch_err *err);

/* One sign-in: listens for the browser; a pasted redirect races it. */
struct oauth_attempt;
CH_MUST_USE ch_status oauth_attempt_begin(struct loop *l, const struct oauth_server *s, struct oauth_attempt **ret,
					  struct ch_err *err);
const char *oauth_attempt_url(const struct oauth_attempt *t);
/* False: the callback's port is taken (err of begin is filled): only pasting works. */
bool oauth_attempt_listens(const struct oauth_attempt *t);
/* Fails when the text is no answer to this attempt; waiting goes on. */
CH_MUST_USE ch_status oauth_attempt_paste(struct oauth_attempt *t, const char *text, struct ch_err *err);
/* Until a code is there or the server refused. */
CH_FIBER CH_MUST_USE ch_status oauth_attempt_wait(struct oauth_attempt *t, int64_t deadline_ms, struct ch_err *err);
CH_FIBER CH_MUST_USE ch_status oauth_attempt_exchange(struct oauth_attempt *t, struct http_client *http,
						      struct arena *a, struct oauth_tokens *ret, struct ch_err *err);
CH_FIBER void oauth_attempt_free(struct oauth_attempt *t);

/* -- the device flow -- */

struct oauth_device {
	struct secret *code;
	const char *user_code, *url, *url_complete;      /* url_complete may be NULL */
	int64_t interval_ms, lifetime_ms;
};
void oauth_device_done(struct oauth_device *d);
CH_FIBER CH_MUST_USE ch_status oauth_device_begin(struct http_client *http, const struct oauth_server *s,
						  struct arena *a, struct oauth_device *ret, struct ch_err *err);
/* Polls until the person has decided or the code has expired. */
CH_FIBER CH_MUST_USE ch_status oauth_device_wait(struct http_client *http, const struct oauth_server *s,
						 struct oauth_device *d, struct arena *a, struct oauth_tokens *ret,
						 struct ch_err *err);

/* -- keeping -- */

/* Writes the profile; id NULL: "provider:email", else "provider:default". *ret_id is on the arena. */
CH_MUST_USE ch_status oauth_save(struct db *db, const struct oauth_server *s, const char *agent_id, const char *id,
				 const struct oauth_tokens *t, struct arena *a, const char **ret_id,
				 struct ch_err *err);
/* What a refresh needs, out of the profile's `extra`. */
CH_MUST_USE ch_status oauth_server_of_profile(const struct auth_profile *p, struct arena *a,
					      struct oauth_server *ret, struct ch_err *err);

#endif
