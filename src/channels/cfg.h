/*
 * channels/cfg.h - the effective keys of one account: channels.<id>.accounts.<account>.<key>, else channels.<id>.<key>,
 * else channels.defaults.<key> (for the few that are there), else the schema's default.
 *
 * Maps and lists replace each other whole; they are not merged. Credentials at the network's root and those from the environment
 * (TELEGRAM_BOT_TOKEN, …) are the account "default"'s only, the latter only when the network's section exists.
 * Lives   counted with the snapshot it was made from.
 */
#ifndef CH_CHANNELS_CFG_H
#define CH_CHANNELS_CFG_H

#include "config/config.h"

#define CHAN_DEFAULT_ACCOUNT "default"

struct chan_cfg;

/* account NULL: the network's own keys. */
struct chan_cfg *chan_cfg_new(struct config *c, const char *channel, const char *account);
struct chan_cfg *chan_cfg_ref(struct chan_cfg *cfg);
void chan_cfg_unref(struct chan_cfg *cfg);
CH_AUTO_DEFINE(chan_cfg_unref, struct chan_cfg)
const char *chan_cfg_channel(const struct chan_cfg *cfg);
const char *chan_cfg_account(const struct chan_cfg *cfg);
struct config *chan_cfg_config(const struct chan_cfg *cfg);      /* borrowed */

/* key may be dotted ("streaming.mode"). */
const char *chan_cfg_str(const struct chan_cfg *cfg, const char *key);           /* NULL when unset without default */
int64_t chan_cfg_int(const struct chan_cfg *cfg, const char *key, int64_t def);
bool chan_cfg_bool(const struct chan_cfg *cfg, const char *key, bool def);
const struct json *chan_cfg_get(const struct chan_cfg *cfg, const char *key);    /* what is set, or NULL */
/*
 * Which messages of a reply answer the message they are for: the room's key (room NULL: none), that of its chat type ("direct",
 * "group", "channel"), the account's; NULL when none says.
 */
const char *chan_cfg_reply_mode(const struct chan_cfg *cfg, const char *rooms, const char *room, const char *chat_type);
/* The path where it is set, for messages ("channels.telegram.botToken"); where it would be when unset. On the arena. */
const char *chan_cfg_path(const struct chan_cfg *cfg, const char *key, struct arena *a);
/* CH_E_NOT_FOUND when neither the key nor the environment's variable (env NULL: none) is set. */
CH_FIBER CH_MUST_USE ch_status chan_cfg_secret(const struct chan_cfg *cfg, const char *key, const char *env,
					       struct secret **ret, struct ch_err *err);
/* Is it set at all (without resolving)? */
bool chan_cfg_has_secret(const struct chan_cfg *cfg, const char *key, const char *env);

/* Ids of a network's accounts: those under accounts, and "default" when credentials stand at the root or there are none.
 * NULL-ended, sorted, on the arena; empty when channels.<id> is not there. */
const char *const *chan_cfg_accounts(const struct config *c, const char *channel, const char *const *secrets, struct arena *a);
/* defaultAccount, else "default", else the first. NULL: there are none. */
const char *chan_cfg_default_account(const struct config *c, const char *channel, const char *const *secrets, struct arena *a);

#endif
