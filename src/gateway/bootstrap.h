/*
 * gateway/bootstrap.h - setup codes: a device that holds one comes in without the shared secret, once.
 *
 *	issued --use--> used --told--> completed        used, not told: delivery uncertain
 *	  '--10 min, revoked, join link opened (a new token)--> worth nothing
 *
 * A code is a token with a profile: the roles and scopes it hands over, no more. A join link is a second,
 * shorter code for the same row: opening it gives out the token, a new one, so that the link is worth nothing
 * afterwards.
 *
 * Owns    the table setup_codes. It holds SHA-256 hashes only; codes are found by them, so nothing compares
 *         secrets byte by byte. No code is logged.
 * Runs    on the loop thread, never parks. bootstrap_use() belongs into the transaction that pairs.
 * Limits  BOOTSTRAP_LIVE_MAX unused codes; the oldest goes. Outcomes are kept for BOOTSTRAP_KEPT_MS.
 * Fails   CH_E_NOT_FOUND for a code that is unknown, expired, revoked or used: nobody is told which.
 */
#ifndef CH_GATEWAY_BOOTSTRAP_H
#define CH_GATEWAY_BOOTSTRAP_H

#include "core/rand.h"
#include "gateway/devices.h"

#define BOOTSTRAP_TTL_MS 600000
#define BOOTSTRAP_KEPT_MS 86400000
#define BOOTSTRAP_LIVE_MAX 32
#define BOOTSTRAP_TOKEN_BYTES 32
#define BOOTSTRAP_TOKEN_LEN 43           /* base64url, unpadded */
#define BOOTSTRAP_JOIN_BYTES 16
#define BOOTSTRAP_JOIN_LEN 22

struct bootstrap_profile {
	const char *name;
	const char *access;              /* as told: "full", "limited", "node" */
	unsigned roles;
	const char *scopes;              /* of the operator role */
};
const struct bootstrap_profile *bootstrap_profile_find(const char *name);        /* NULL: unknown */
struct scope_list bootstrap_scopes(const struct bootstrap_profile *p);
/* May a code of this profile be used for a connection of this role with these scopes? By name: nothing implies. */
bool bootstrap_allows(const struct bootstrap_profile *p, enum gw_role role, const struct scope_list *scopes);

struct bootstrap {
	const char *setup_id, *url, *tls_fingerprint, *device_id, *device_name;
	const struct bootstrap_profile *profile;
	int64_t expires_at, used_at, told_at;
};

/* -- issuing -- */

struct bootstrap_ask {
	const struct bootstrap_profile *profile;
	const char *url, *tls_fingerprint;       /* fingerprint or NULL */
	const char *issued_by;                   /* a device's id, or NULL */
	bool with_join;
};
struct bootstrap_issued {
	char setup_id[UUID_LEN], token[BOOTSTRAP_TOKEN_LEN + 1];
	char join[BOOTSTRAP_JOIN_LEN + 1];       /* "" without a link */
	int64_t expires_at;
};
CH_MUST_USE ch_status bootstrap_issue(struct db *db, const struct bootstrap_ask *ask,
				      struct bootstrap_issued *ret, struct ch_err *err);
/* {"url","bootstrapToken","expiresAtMs","tlsFingerprint"?}: what a setup code is base64url of. */
void bootstrap_write_payload(struct jw *w, const struct bootstrap *b, const char *token);

/* -- using -- */

/* The code with this token, when it may still be used. */
CH_MUST_USE ch_status bootstrap_find(struct db *db, struct arena *a, const char *token, struct bootstrap *ret,
				     struct ch_err *err);
/* Uses it up for a device. */
CH_MUST_USE ch_status bootstrap_use(struct db *db, const char *token, const char *device_id,
				    const char *device_name, struct ch_err *err);
/* Opens a join link: the code's token from now on. ret_token holds BOOTSTRAP_TOKEN_LEN + 1 bytes. */
CH_MUST_USE ch_status bootstrap_join(struct db *db, struct arena *a, const char *join, char *ret_token,
				     struct bootstrap *ret, struct ch_err *err);
/* The device was sent what it came for, or that is uncertain; operators with the pairing scope are told. */
void bootstrap_settle(struct gw *gw, struct arena *a, const char *setup_id, bool was_sent);

/* -- afterwards -- */

/* A code that was used. */
CH_MUST_USE ch_status bootstrap_outcome(struct db *db, struct arena *a, const char *setup_id,
					struct bootstrap *ret, struct ch_err *err);
void bootstrap_write_outcome(struct jw *w, const struct bootstrap *b);
/* Forgets the unused codes that this device issued; NULL: those of everybody. */
CH_MUST_USE ch_status bootstrap_revoke(struct db *db, const char *issued_by, struct ch_err *err);
/* Drops what expired, and outcomes nobody will ask for any more. */
CH_MUST_USE ch_status bootstrap_prune(struct db *db, struct ch_err *err);

#endif
