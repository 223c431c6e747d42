/*
 * models/auth.h - which credential a request goes out with.
 *
 * A provider's credentials are its auth profiles (table auth_profiles), then its environment variables, then
 * models.providers.<id>.apiKey. auth_acquire() chooses the one to use now: the pinned one, or by the order that
 * the owner set, those that failed lately last; an OAuth token that is about to end is refreshed first (one
 * refresh at a time, the new token is on disk before it is used). auth_report() says how it went.
 *
 * Owns    the lease owns its secret; auth_release() wipes it.
 * Runs    on the loop thread; acquiring may wait (a refresh, a secret from a program).
 * Fails   CH_E_NOT_FOUND no credential at all (err says how to get one); CH_E_BUSY every one is left alone for now
 *         (err->retry_after_ms); CH_E_DENIED the one that was asked for cannot be used.
 */
#ifndef CH_MODELS_AUTH_H
#define CH_MODELS_AUTH_H

#include "models/model.h"

struct secret;

enum auth_kind { AUTH_KIND_NONE, AUTH_KIND_API_KEY, AUTH_KIND_TOKEN, AUTH_KIND_OAUTH };

struct auth_want {
	const char *provider;
	const char *agent_id;            /* or NULL */
	const char *model;               /* the provider's id of it: some cooldowns are for one model */
	const char *session_key;         /* keeps using what it used before (prompt caches); or NULL */
	const char *profile;             /* this one and no other; or NULL */
	const char *const *skip;         /* NULL-ended profile ids that were tried already; or NULL */
	bool even_blocked;               /* also one that is left alone: a probe, whose success lets it back in */
};

struct auth_lease {
	char profile[160];               /* "openai:default"; "env:OPENAI_API_KEY"; "config"; "" when none is needed */
	enum auth_kind kind;
	struct secret *secret;           /* NULL: none is needed */
	char account_id[128];            /* "" unknown */
	int64_t expires_at;              /* wall ms; 0: does not expire */
	char provider[64];
	/* For auth_report(): whose profile it is ("" shared), and which key stood behind the name. */
	char owner[64], fingerprint[17];
};

CH_FIBER CH_MUST_USE ch_status auth_acquire(struct models *m, struct config *cfg, const struct auth_want *want,
					    struct auth_lease *ret, struct ch_err *err);
void auth_release(struct auth_lease *l);
/* How a request with it went; MODEL_ERR_NONE: well. retry_after_ms: the provider's wish, 0 none. */
void auth_report(struct models *m, const struct auth_lease *l, const char *model, enum model_error_class c,
		 int64_t retry_after_ms);
/* Is there a credential that could be tried now (want->skip left out)? Without asking anybody. */
bool auth_has_usable(struct models *m, const struct auth_want *want);
/* Is there any credential, be it one that is left alone now, or is none needed? What lists show as ready. */
bool auth_has_any(struct models *m, const char *provider, const char *agent_id);
/* The program ends: waits for refreshes under way (a token that is lost now is lost for good), breaks off late ones. */
CH_FIBER void auth_drain(struct models *m, int64_t deadline_ms);
/* The session begins anew: it may go out with another credential. */
void auth_session_forget(struct models *m, const char *session_key);

#endif
