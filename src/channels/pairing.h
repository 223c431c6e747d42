/*
 * channels/pairing.h - strangers who wrote, and those who were let in.
 *
 * A request has a code of PAIRING_CODE_LEN characters (upper case, without 0 O 1 I), lives PAIRING_TTL_MS, and there are at most
 * PAIRING_PENDING_MAX per account; further ones are ignored. The code is sent only when a request is made, not for each message.
 * Approving lets the sender write DMs to that account, nothing more. The first approval from the command line, or with
 * bootstrapCommandOwner by an administrator, while commands.ownerAllowFrom is empty, makes the sender the owner.
 * Codes are compared in constant time, upper and lower case alike. PAIRING_WRONG_MAX wrong codes or ids within PAIRING_WRONG_MS
 * lock approving for the rest of that time (CH_E_LIMIT, with retry_after_ms).
 * Durable when functions return CH_OK. Source: reference channels/pairing (facts).
 */
#ifndef CH_CHANNELS_PAIRING_H
#define CH_CHANNELS_PAIRING_H

#include "channels/channel.h"
#include "store/db.h"

#define PAIRING_CODE_LEN 8
#define PAIRING_TTL_MS 3600000
#define PAIRING_PENDING_MAX 3
#define PAIRING_WRONG_MAX 10             /* stops trying codes out */
#define PAIRING_WRONG_MS 300000

struct chan_pairing;
struct pairing_request {
	const char *id, *channel, *account, *sender_id, *code;
	const char *name, *username;     /* not trusted; or NULL */
	int64_t created_at, last_seen_at, expires_at;
};
struct pairing_grant { const char *channel, *account, *sender_id, *name; int64_t granted_at; };

struct chan_pairing *pairing_new(struct db *db);
void pairing_free(struct chan_pairing *p);
bool pairing_is_granted(struct chan_pairing *p, const char *channel, const char *account, const char *sender_id);
/* sender->id in its normal form (chan_access_sender). CH_OK with *ret_is_new: a code is to be sent. CH_E_LIMIT: too many are pending. */
CH_MUST_USE ch_status pairing_ask(struct chan_pairing *p, const char *channel, const char *account, const struct chan_sender *sender,
				  struct arena *a, struct pairing_request *ret, bool *ret_is_new, struct ch_err *err);
/* channel, account NULL: all. Oldest first; expired ones are gone. */
CH_MUST_USE ch_status pairing_list(struct chan_pairing *p, const char *channel, const char *account, struct arena *a,
				   void (*each)(void *arg, const struct pairing_request *r), void *arg, struct ch_err *err);
CH_MUST_USE ch_status pairing_grants(struct chan_pairing *p, const char *channel, const char *account, struct arena *a,
				     void (*each)(void *arg, const struct pairing_grant *g), void *arg, struct ch_err *err);
/* By id or by code (account NULL: any of the channel). The request becomes a grant. */
CH_MUST_USE ch_status pairing_approve(struct chan_pairing *p, const char *channel, const char *account, const char *id_or_code,
				      struct arena *a, struct pairing_request *ret, struct ch_err *err);
CH_MUST_USE ch_status pairing_dismiss(struct chan_pairing *p, const char *channel, const char *account, const char *id,
				      struct arena *a, struct pairing_request *ret, struct ch_err *err);
CH_MUST_USE ch_status pairing_revoke(struct chan_pairing *p, const char *channel, const char *account, const char *sender_id,
				     struct ch_err *err);
CH_MUST_USE ch_status pairing_forget_account(struct chan_pairing *p, const char *channel, const char *account, struct ch_err *err);

#endif
