/*
 * gateway/devices.h - the tables behind pairing: devices, their tokens, open requests.
 *
 * Runs    on the loop thread, one transaction per change; never parks.
 * Secrets a token is 32 random bytes; the table holds only its SHA-256, so a copy of the database lets
 *         nobody in.
 *         As a value cannot be read back, a device may hold up to DEVICE_TOKENS_MAX live ones per role: each
 *         paired connect by another credential is given a fresh one, the least recently used goes.
 * Fails   CH_E_NOT_FOUND when there is no such row, CH_E_IO from the database.
 */
#ifndef CH_GATEWAY_DEVICES_H
#define CH_GATEWAY_DEVICES_H

#include "gateway/scope.h"

#define DEVICE_TOKEN_BYTES 32
#define DEVICE_TOKEN_LEN 43              /* base64url, unpadded */
#define DEVICE_TOKENS_MAX 8
#define PAIR_TTL_MS 300000               /* a request nobody looked at lapses */
#define PAIR_PENDING_MAX 64              /* so that a stranger cannot fill the table */

/* A paired device. Strings live on the arena given; optional ones may be NULL. */
struct device {
	const char *id, *public_key, *display_name, *label, *platform, *device_family;
	const char *client_id, *client_mode;
	const char *approved_via, *last_seen_reason, *last_ip;
	enum gw_role role;               /* of the latest approval */
	unsigned roles;                  /* bits of enum gw_role */
	struct scope_list scopes;        /* approved */
	int64_t created_at, approved_at, last_seen_at;
};

CH_MUST_USE ch_status device_find(struct db *db, struct arena *a, const char *id, struct device *ret,
				  struct ch_err *err);
CH_MUST_USE ch_status device_save(struct db *db, const struct device *d, struct ch_err *err);
CH_MUST_USE ch_status device_seen(struct db *db, const char *id, int64_t at, const char *reason,
				  const char *ip, const char *display_name, struct ch_err *err);
CH_MUST_USE ch_status device_set_platform(struct db *db, const char *id, const char *platform,
					  struct ch_err *err);
CH_MUST_USE ch_status device_set_label(struct db *db, const char *id, const char *label, struct ch_err *err);
/* With its tokens and requests. */
CH_MUST_USE ch_status device_delete(struct db *db, const char *id, struct ch_err *err);
/* Newest approval first. All of them, on the arena. */
CH_MUST_USE ch_status device_list(struct db *db, struct arena *a, struct device **ret, size_t *ret_count,
				  struct ch_err *err);

/* -- tokens -- */

struct device_token {
	const char *device_id;
	enum gw_role role;
	struct scope_list scopes;
	int64_t created_at, rotated_at, revoked_at, last_used_at;
};
/* A new one beside the others; ret_token holds DEVICE_TOKEN_LEN + 1 bytes. */
CH_MUST_USE ch_status device_token_issue(struct db *db, const char *device_id, enum gw_role role,
					 const struct scope_list *scopes, int64_t now_ms, bool is_rotation,
					 char *ret_token, struct ch_err *err);
/* The token with this value, live or revoked. */
CH_MUST_USE ch_status device_token_find(struct db *db, struct arena *a, const char *token,
					struct device_token *ret, struct ch_err *err);
CH_MUST_USE ch_status device_token_used(struct db *db, const char *token, int64_t now_ms, struct ch_err *err);
/* Forgets a device's tokens of a role. */
CH_MUST_USE ch_status device_token_drop(struct db *db, const char *device_id, enum gw_role role,
					struct ch_err *err);
/* Marks them revoked; CH_E_NOT_FOUND when there is none alive. */
CH_MUST_USE ch_status device_token_revoke(struct db *db, const char *device_id, enum gw_role role,
					  int64_t now_ms, struct ch_err *err);
/* One per role, summed up: oldest creation, latest use; scopes of the newest. At most two. */
CH_MUST_USE ch_status device_token_list(struct db *db, struct arena *a, const char *device_id,
					struct device_token ret[2], size_t *ret_count, struct ch_err *err);

/* -- requests -- */

struct pair_request {
	const char *id, *device_id, *public_key, *display_name, *platform, *device_family, *client_id,
		*client_mode;
	const char *reason, *remote_ip;
	enum gw_role role;
	unsigned roles;
	struct scope_list scopes;
	bool is_silent, is_repair;
	int64_t created_at, expires_at;
};
CH_MUST_USE ch_status pair_request_find(struct db *db, struct arena *a, const char *id,
					struct pair_request *ret, struct ch_err *err);
/* The open request of a device. */
CH_MUST_USE ch_status pair_request_of(struct db *db, struct arena *a, const char *device_id,
				      struct pair_request *ret, struct ch_err *err);
CH_MUST_USE ch_status pair_request_save(struct db *db, const struct pair_request *r, struct ch_err *err);
CH_MUST_USE ch_status pair_request_delete(struct db *db, const char *id, struct ch_err *err);
/* Newest first. */
CH_MUST_USE ch_status pair_request_list(struct db *db, struct arena *a, struct pair_request **ret,
					size_t *ret_count, struct ch_err *err);
/* Drops what lapsed by now_ms, and the oldest beyond PAIR_PENDING_MAX. */
CH_MUST_USE ch_status pair_request_prune(struct db *db, int64_t now_ms, struct ch_err *err);

const char *role_name(enum gw_role role);
enum gw_role role_find(const char *name);        /* 0: unknown */
/* ["operator","node"] */
void roles_write(struct jw *w, unsigned roles);

#endif
