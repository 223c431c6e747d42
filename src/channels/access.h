/*
 * channels/access.h - who may say what: the one place that decides, for everything that comes in.
 *
 * Every inbound path (message, command, edit, deletion, reaction, press, vote, join) passes chan_authorise(); what acts on an
 * event takes its struct chan_access, which nobody else can make (the struct is opaque but for reading functions).
 * A test walks enum chan_in_kind and the handlers.
 *
 * Order   self and bots (allowBots, loop guard) -> DM: dmPolicy, allowFrom, paired senders; group: groupPolicy, the groups map
 *         (an entry, or "*"), sender allowlist (the group's, groupAllowFrom, else allowFrom; never the paired ones) -> mention
 *         gate -> command authorisation -> owner.
 * Ids     compared in the normal form of chan_ops.id_parse; names never count (unless dangerouslyAllowNameMatching, where the
 *         network has that key). An empty list is nobody. accessGroup:<name> that is not there is nobody.
 * Stores  DM grants (pairing) and group grants are apart: one never widens the other.
 */
#ifndef CH_CHANNELS_ACCESS_H
#define CH_CHANNELS_ACCESS_H

#include "channels/host.h"

struct chan_access;

enum chan_verdict {
	CHAN_IGNORE,                     /* not for us, or not allowed: kept as a tombstone only */
	CHAN_ASK_PAIRING,                /* a stranger's DM: they get a code */
	CHAN_OVERHEAR,                   /* allowed, but we were not addressed: kept as context */
	CHAN_ADMIT,                      /* a turn, a press or an event may come of it */
};

/* On the arena, with copies of what it gives out; never NULL. Only `in` is borrowed by it. */
const struct chan_access *chan_authorise(struct chan_acct *acct, const struct chan_in *in, struct arena *a);
enum chan_verdict chan_access_verdict(const struct chan_access *x);
const char *chan_access_reason(const struct chan_access *x);     /* a few words for logs and traces: "dm-policy: not paired" */
const char *chan_access_sender(const struct chan_access *x);     /* normal form */
bool chan_access_is_owner(const struct chan_access *x);          /* commands.ownerAllowFrom */
bool chan_access_may_command(const struct chan_access *x);       /* commands.allowFrom, else as admitted */
bool chan_access_was_mentioned(const struct chan_access *x);     /* natively, by pattern, by answering us */
bool chan_access_is_group(const struct chan_access *x);
/* Keys of the room that hold for this message; NULL: none. */
const char *chan_access_prompt(const struct chan_access *x);
const struct json *chan_access_tools(const struct chan_access *x);       /* {allow, alsoAllow, deny}: toolsBySender, else tools */
const char *chan_access_reactions(const struct chan_access *x);  /* reactionNotifications of the room */
const char *chan_access_text(const struct chan_access *x);       /* the text without our own leading mention ("@bot /new" -> "/new") */

/* May this id answer for the owner's machine (approvals, owner questions)? */
bool chan_is_owner_id(const struct config *c, const char *channel, const char *sender_id);
/* May several people write to us, who have one conversation together (session.dmScope "main")? */
bool chan_dms_are_shared(struct chan_acct *acct);
/* May history and quotes of this sender be shown to the model (contextVisibility)? */
bool chan_context_allows(struct chan_acct *acct, const struct chan_access *x, const char *sender_id, bool is_quote);
/*
 * Checks of the configuration that need the networks: ids of the wrong kind, "open" without "*", unknown access groups, unsafe
 * patterns. Called at each load: each is told once with its path; `is_error` refuses the account, not the gateway.
 */
void chan_check_config(struct config *c, void (*issue)(void *arg, bool is_error, const char *path, const char *text), void *arg);
/* Logs what chan_check_config() has to say and was not said before. */
void chan_check_tell(struct chan_host *h);
/* The same for one account: CH_E_INVALID names the first error. */
CH_MUST_USE ch_status chan_check_account(const struct chan_cfg *cfg, const struct chan_ops *ops, struct ch_err *err);

#endif
