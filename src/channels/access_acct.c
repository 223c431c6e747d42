/*
 * channels/access_acct.c - the judgement asked for an account: what it depends on is gathered here.
 */
#include "channels/access_judge.h"

#include "channels/access_list.h"
#include "core/log.h"

/* A session that a message of the channel led to is one that we answer in. */
static bool is_in_thread(void *arg, const char *session_key)
{
	struct db *db = arg;
	CH_AUTO(db_done) struct db_stmt *row = NULL;
	struct ch_err err;
	bool found = false;

	if (db_prep(db, "SELECT 1 FROM channel_places WHERE session_key = ?", &row, &err)) {
		log_error("channels", "the places of sessions cannot be read, a thread counts as not ours: %s", err.text);
		return false;
	}
	db_bind_text(row, 1, session_key);
	if (db_step(row, &found, &err)) {
		log_error("channels", "the places of sessions cannot be read, a thread counts as not ours: %s", err.text);
		return false;
	}
	return found;
}

/* The account's keys as they are now: a run may still be ending with those of before, and they let nobody in any more. */
static struct chan_cfg *cfg_now(struct chan_acct *acct)
{
	return chan_cfg_new(chan_host_config(chan_acct_host(acct)), chan_acct_ops(acct)->id, chan_acct_id(acct));
}

static struct access_env env_of(struct chan_acct *acct, const struct chan_cfg *cfg)
{
	struct chan_host *host = chan_acct_host(acct);

	return (struct access_env){
		.ops = chan_acct_ops(acct),
		.config = chan_cfg_config(cfg),
		.cfg = cfg,
		.account = chan_acct_id(acct),
		.self_id = chan_acct_self_id(acct),
		.self_username = chan_acct_self_username(acct),
		.pairing = chan_host_pairing(host),
		.gate = chan_host_gate(host),
		.db = chan_host_db(host),
		.up = chan_host_up(host),
		.is_in_thread = is_in_thread,
		.is_in_thread_arg = chan_host_db(host),
	};
}

const struct chan_access *chan_authorise(struct chan_acct *acct, const struct chan_in *in, struct arena *a)
{
	CH_AUTO(chan_cfg_unref) struct chan_cfg *cfg = cfg_now(acct);
	struct access_env env = env_of(acct, cfg);

	return access_judge(&env, in, a);
}

bool chan_context_allows(struct chan_acct *acct, const struct chan_access *x, const char *sender_id, bool is_quote)
{
	CH_AUTO(chan_cfg_unref) struct chan_cfg *cfg = cfg_now(acct);
	struct access_env env = env_of(acct, cfg);

	return access_context_allows(&env, x, sender_id, is_quote);
}

bool chan_dms_are_shared(struct chan_acct *acct)
{
	CH_AUTO(chan_cfg_unref) struct chan_cfg *cfg = cfg_now(acct);
	struct access_env env = env_of(acct, cfg);

	return access_dms_are_shared(&env);
}

bool chan_is_owner_id(const struct config *c, const char *channel, const char *sender_id)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	const struct chan_ops *ops = chan_find(channel);
	const char *why, *sender = ops && sender_id ? access_id(ops, CHAN_ID_SENDER, sender_id, a, &why) : NULL;

	return sender && access_is_owner(c, ops, sender, a);
}

static void tell(void *arg, bool is_error, const char *path, const char *text)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	const char *line = arena_printf(a, "%s: %s", path, text);

	if (!chan_gate_is_news(arg, line))
		return;
	if (is_error)
		log_error("channels", "%s; the account is not started", line);
	else
		log_warn("channels", "%s", line);
}

void chan_check_tell(struct chan_host *h)
{
	chan_check_config(chan_host_config(h), tell, chan_host_gate(h));
}
