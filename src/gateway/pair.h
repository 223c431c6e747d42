/*
 * gateway/pair.h - pairing: requests are filed, approved or rejected, devices are granted and revoked.
 *
 *	(none) --ask--> pending --approve--> paired --ask for more--> pending …
 *	                   '--reject, 5 min--> (none)      '--remove--> (none)
 *
 * Each step is one transaction, then it is told to operators with the pairing scope. Approval merges: a
 * device keeps what it had and gains what was asked. Whoever takes rights away (remove, rotate, revoke)
 * closes the device's live sockets with hub_close_device() once his reply is out: it may be his own.
 */
#ifndef CH_GATEWAY_PAIR_H
#define CH_GATEWAY_PAIR_H

#include "gateway/bootstrap.h"

/* The gateway's own identity (an Ed25519 key pair made at first start). */
struct gw_devices {
	uint8_t private_key[32];
	char device_id[65];
	char public_key[44];             /* unpadded base64url */
};
CH_MUST_USE ch_status pair_identity_load(struct db *db, struct gw_devices **ret, struct ch_err *err);
void pair_identity_free(struct gw_devices *d);

/*
 * Files a request, or refreshes the open one of the same key that already covers it. ask needs no id and
 * no times. *ret is what stands in the table now.
 */
CH_MUST_USE ch_status pair_ask(struct gw *gw, struct arena *a, const struct pair_request *ask,
			       struct pair_request *ret, struct ch_err *err);
/* Approves without a person: nothing is left pending. */
CH_MUST_USE ch_status pair_approve_silently(struct gw *gw, struct arena *a, const struct pair_request *ask,
					    struct device *ret, struct ch_err *err);

/*
 * Inside the caller's transaction: the device has what it had and what r asks for; its tokens of those roles
 * are void.
 */
CH_MUST_USE ch_status pair_grant(struct gw *gw, struct arena *a, const struct pair_request *r, const char *via,
				 struct device *ret, struct ch_err *err);
/* Tells that a device was approved without a request. */
void pair_tell_approved(struct gw *gw, struct arena *a, const char *device_id);

/* -- by setup code (gateway/pair_code.c) -- */

struct pair_code_token { char *token; enum gw_role role; struct scope_list scopes; };
struct pair_code_grant {
	struct device device;
	struct pair_code_token own, other;       /* of the role it connects as, and of the other; token NULL: none */
	int64_t issued_at;
};
/* Uses the code up and approves what its profile says, whatever ask's roles and scopes are. */
CH_MUST_USE ch_status pair_by_code(struct gw *gw, struct arena *a, const struct pair_request *ask,
				   const struct bootstrap *b, const char *code, struct pair_code_grant *ret,
				   struct ch_err *err);

/* Who acts on a request or device: what they may grant, and whether they are tied to one device. */
struct pair_actor { unsigned scopes; const char *device_id; /* came in by its token; else NULL */ };

/* CH_E_NOT_FOUND: no such request; CH_E_INVALID: this actor may not. */
CH_MUST_USE ch_status pair_approve(struct gw *gw, struct arena *a, const char *request_id,
				   const struct pair_actor *by, struct device *ret, struct ch_err *err);
CH_MUST_USE ch_status pair_reject(struct gw *gw, struct arena *a, const char *request_id,
				  const struct pair_actor *by, struct pair_request *ret, struct ch_err *err);
CH_MUST_USE ch_status pair_remove(struct gw *gw, struct arena *a, const char *device_id,
				  const struct pair_actor *by, struct ch_err *err);
CH_MUST_USE ch_status pair_rename(struct gw *gw, const char *device_id, const char *label,
				  const struct pair_actor *by, struct ch_err *err);

/* scopes NULL: what the device is approved for. ret_token holds DEVICE_TOKEN_LEN + 1 bytes. */
CH_MUST_USE ch_status pair_rotate(struct gw *gw, struct arena *a, const char *device_id, enum gw_role role,
				  const struct scope_list *scopes, const struct pair_actor *by,
				  char *ret_token, struct device_token *ret, struct ch_err *err);
CH_MUST_USE ch_status pair_revoke(struct gw *gw, struct arena *a, const char *device_id, enum gw_role role,
				  const struct pair_actor *by, int64_t *ret_revoked_at, struct ch_err *err);

/* The minute hand: requests nobody looked at lapse. */
void pair_expire(struct gw *gw);

/* One object each. */
void pair_write_request(struct jw *w, const struct pair_request *r);
CH_MUST_USE ch_status pair_write_device(struct gw *gw, struct arena *a, struct jw *w, const struct device *d,
					bool with_connected, struct ch_err *err);

#endif
