/*
 * channels/cfg.c - see cfg.h.
 */
#include "channels/cfg.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "core/str.h"
#include "core/vec.h"

struct chan_cfg {
	int refs;
	struct config *config;
	char *channel, *account;
};

struct chan_cfg *chan_cfg_new(struct config *c, const char *channel, const char *account)
{
	struct chan_cfg *cfg = ch_alloc(sizeof(*cfg));

	cfg->refs = 1;
	cfg->config = config_ref(c);
	cfg->channel = ch_strdup(channel);
	cfg->account = account ? ch_strdup(account) : NULL;
	return cfg;
}

struct chan_cfg *chan_cfg_ref(struct chan_cfg *cfg)
{
	cfg->refs++;
	return cfg;
}

void chan_cfg_unref(struct chan_cfg *cfg)
{
	if (!cfg || --cfg->refs)
		return;
	config_unref(cfg->config);
	ch_free(cfg->channel);
	ch_free(cfg->account);
	ch_free(cfg);
}

const char *chan_cfg_channel(const struct chan_cfg *cfg)
{
	return cfg->channel;
}

const char *chan_cfg_account(const struct chan_cfg *cfg)
{
	return cfg->account;
}

struct config *chan_cfg_config(const struct chan_cfg *cfg)
{
	return cfg->config;
}

/* -- where a key stands -- */

enum place { AT_ACCOUNT, AT_NETWORK, AT_DEFAULTS, AT_END };

/* "channels.telegram.accounts["work"].dmPolicy"; NULL when there is no such place. */
static const char *path_at(const struct chan_cfg *cfg, enum place at, const char *key, struct arena *a)
{
	if (at == AT_ACCOUNT)
		return cfg->account ? arena_printf(a, "channels[\"%s\"].accounts[\"%s\"].%s", cfg->channel, cfg->account, key)
				    : NULL;
	if (at == AT_NETWORK)
		return arena_printf(a, "channels[\"%s\"].%s", cfg->channel, key);
	return arena_printf(a, "channels.defaults.%s", key);
}

/* Where it is set: the first place that has it; AT_END: nowhere. */
static struct json *find(const struct chan_cfg *cfg, const char *key, struct arena *a, enum place *ret_at)
{
	for (enum place at = AT_ACCOUNT; at < AT_END; at++) {
		const char *path = path_at(cfg, at, key, a);
		struct json *v = path ? config_get(cfg->config, path) : NULL;

		if (v) {
			*ret_at = at;
			return v;
		}
	}
	*ret_at = AT_END;
	return NULL;
}

const struct json *chan_cfg_get(const struct chan_cfg *cfg, const char *key)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	enum place at;

	return find(cfg, key, a, &at);
}

const char *chan_cfg_reply_mode(const struct chan_cfg *cfg, const char *rooms, const char *room, const char *chat_type)
{
	const char *mode = rooms && room ? json_get_str(json_get(chan_cfg_get(cfg, rooms), room), "replyToMode") : NULL;

	if (!mode)
		mode = json_get_str(chan_cfg_get(cfg, "replyToModeByChatType"), chat_type);
	return mode ? mode : chan_cfg_str(cfg, "replyToMode");
}

const char *chan_cfg_path(const struct chan_cfg *cfg, const char *key, struct arena *a)
{
	enum place at;

	find(cfg, key, a, &at);
	if (at == AT_DEFAULTS)
		return arena_printf(a, "channels.defaults.%s", key);
	if (at == AT_ACCOUNT)
		return arena_printf(a, "channels.%s.accounts.%s.%s", cfg->channel, cfg->account, key);
	return arena_printf(a, "channels.%s.%s", cfg->channel, key);
}

/* The path that config_str() and the like are asked for, so that defaults and kinds of numbers are the schema's. */
static const char *effective_path(const struct chan_cfg *cfg, const char *key, struct arena *a)
{
	enum place at;

	find(cfg, key, a, &at);
	return path_at(cfg, at == AT_END ? AT_NETWORK : at, key, a);
}

const char *chan_cfg_str(const struct chan_cfg *cfg, const char *key)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);

	return config_str(cfg->config, effective_path(cfg, key, a));
}

int64_t chan_cfg_int(const struct chan_cfg *cfg, const char *key, int64_t def)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);

	return config_int(cfg->config, effective_path(cfg, key, a), def);
}

bool chan_cfg_bool(const struct chan_cfg *cfg, const char *key, bool def)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);

	return config_bool(cfg->config, effective_path(cfg, key, a), def);
}

/* -- credentials -- */

static bool is_default(const struct chan_cfg *cfg)
{
	return !cfg->account || str_eq(cfg->account, CHAN_DEFAULT_ACCOUNT);
}

static bool takes_env(const struct chan_cfg *cfg, const char *env)
{
	return env && is_default(cfg) && !str_empty(config_env(cfg->config, env));
}

/* The path of a credential that is set; NULL: none is. The network's own is not that of a named account: it is another login. */
static const char *secret_path(const struct chan_cfg *cfg, const char *key, struct arena *a)
{
	enum place at;
	const struct json *v = find(cfg, key, a, &at);

	if (!v || at == AT_DEFAULTS || (at == AT_NETWORK && !is_default(cfg)) || (json_str(v) && !*json_str(v)))
		return NULL;
	return path_at(cfg, at, key, a);
}

bool chan_cfg_has_secret(const struct chan_cfg *cfg, const char *key, const char *env)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);

	return secret_path(cfg, key, a) || takes_env(cfg, env);
}

CH_FIBER ch_status chan_cfg_secret(const struct chan_cfg *cfg, const char *key, const char *env, struct secret **ret,
				   struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	const char *path = secret_path(cfg, key, a);

	if (path)
		return config_secret(cfg->config, path, ret, err);
	if (!takes_env(cfg, env))
		return ch_fail(err, CH_E_NOT_FOUND, "%s is not set", is_default(cfg) ? chan_cfg_path(cfg, key, a) :
			       arena_printf(a, "channels.%s.accounts.%s.%s", cfg->channel, cfg->account, key));
	*ret = secret_new(config_env(cfg->config, env));
	return CH_OK;
}

/* -- accounts -- */

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Credentials at the network's root are those of the account "default". */
static bool has_root_account(const struct json *section, const char *const *secrets, size_t accounts)
{
	for (size_t i = 0; secrets && secrets[i]; i++)
		if (json_get(section, secrets[i]))
			return true;
	return !accounts;
}

const char *const *chan_cfg_accounts(const struct config *c, const char *channel, const char *const *secrets, struct arena *a)
{
	const struct json *section = config_get(c, arena_printf(a, "channels[\"%s\"]", channel));
	const struct json *accounts = json_get(section, "accounts");
	const char **ids = arena_alloc(a, (json_len(accounts) + 2) * sizeof(*ids));
	size_t n = 0;

	if (!section || json_type(section) != JSON_OBJ)
		return ids;
	json_each(account, accounts)
		ids[n++] = account->key;
	if (!json_get(accounts, CHAN_DEFAULT_ACCOUNT) && has_root_account(section, secrets, n))
		ids[n++] = CHAN_DEFAULT_ACCOUNT;
	qsort(ids, n, sizeof(*ids), by_name);
	return ids;
}

const char *chan_cfg_default_account(const struct config *c, const char *channel, const char *const *secrets, struct arena *a)
{
	const char *const *ids = chan_cfg_accounts(c, channel, secrets, a);
	const char *wanted = config_str(c, arena_printf(a, "channels[\"%s\"].defaultAccount", channel));
	const char *first = ids[0];

	for (size_t i = 0; ids[i]; i++)
		if (str_eq(ids[i], str_empty(wanted) ? CHAN_DEFAULT_ACCOUNT : wanted))
			return ids[i];
	return first;
}
