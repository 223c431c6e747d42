/*
 * cli/cmd_channels_add.c - putting an account of a network into the configuration, and taking it out.
 *
 * Credentials come from a file, a pipe or a prompt that does not show them. On the command line they work too, as in OpenClaw,
 * with a warning: other users of the machine and the shell's history see them there. A running gateway notices by itself.
 */
#include <string.h>

#include "channels/cfg.h"
#include "cli/channels_cli.h"
#include "cli/models_auth.h"
#include "core/file.h"
#include "core/mem.h"
#include "core/str.h"

#define TOKEN_FILE_MAX 8192

/* What an account of a network needs: from which option, to which key. */
struct field {
	const char *channel, *opt, *key, *env;
	const char *prompt;              /* asked for when nothing else gives it; NULL: left out then */
	bool is_secret;
};
static const struct field fields[] = {
	{ "discord", "token", "token", "DISCORD_BOT_TOKEN", "Token of the bot: ", true },
	{ "irc", "host", "host", "IRC_HOST", "Server: ", false },
	{ "irc", "nick", "nick", "IRC_NICK", "Our nick: ", false },
	{ "irc", "token", "password", "IRC_PASSWORD", NULL, true },
	{ "slack", "bot-token", "botToken", "SLACK_BOT_TOKEN", "Bot token (xoxb-…): ", true },
	{ "slack", "app-token", "appToken", "SLACK_APP_TOKEN", "App-level token (xapp-…): ", true },
	{ "telegram", "token", "botToken", "TELEGRAM_BOT_TOKEN", "Token of the bot, from @BotFather: ", true },
};

/* ---- what is asked for ---- */

static ch_status from_file(struct cli *c, const char *path, const char **ret, struct ch_err *err)
{
	CH_AUTO_BUF struct buf text = { 0 };
	ch_status st = file_read(path, TOKEN_FILE_MAX, &text, err);

	if (!st)
		*ret = str_trim(c->arena, buf_str(&text));
	if (text.data)
		explicit_bzero(text.data, text.len);
	return st;
}

static CH_FIBER ch_status ask(struct cli *c, const struct field *f, const char **ret, struct ch_err *err)
{
	CH_AUTO(secret_unref) struct secret *s = NULL;
	CH_AUTO_STR char *line = NULL;
	ch_status st;

	if (f->is_secret) {
		st = cli_read_secret(c, f->prompt, &s, err);
		if (!st)
			*ret = arena_strdup(c->arena, secret_reveal(s));
	} else {
		cli_note("%s", f->prompt);
		st = cli_read_line(c, &line, err);
		if (!st)
			*ret = str_trim(c->arena, line);
	}
	return st ? ch_wrap(err, "--%s", f->opt) : CH_OK;
}

/* *ret NULL: it is not given, and not needed. */
static CH_FIBER ch_status value_of(struct cli *c, const struct field *f, const char **ret, struct ch_err *err)
{
	const char *file_opt = arena_printf(c->arena, "%s-file", f->opt);
	const char *given = cli_opt(c, f->opt), *file = f->is_secret ? cli_opt(c, file_opt) : NULL;

	*ret = NULL;
	if (file)
		return from_file(c, file, ret, err);
	if (given && f->is_secret)
		cli_note("A credential on the command line can be read by others: --%s-file or a pipe is better.\n", f->opt);
	if (given) {
		*ret = given;
		return CH_OK;
	}
	return f->prompt ? ask(c, f, ret, err) : CH_OK;
}

static ch_status check_env(struct cli *c, const struct config *cfg, const struct chan_ops *ops, const char *account, struct ch_err *err)
{
	if (!str_eq(account, CHAN_DEFAULT_ACCOUNT))
		return ch_fail(err, CH_E_INVALID, "--use-env is for the account %s: the environment has one of each", CHAN_DEFAULT_ACCOUNT);
	for (size_t i = 0; i < CH_ARRAY_LEN(fields); i++)
		if (str_eq(fields[i].channel, ops->id) && fields[i].prompt && str_empty(config_env(cfg, fields[i].env)))
			return ch_fail(err, CH_E_NOT_FOUND, "%s is not set in the environment", fields[i].env);
	return CH_OK;
}

/* ---- writing ---- */

/* The object that the account's keys go into, within a merge patch. */
static struct json *patch_for(struct cli *c, const struct config *cfg, const struct chan_ops *ops, const char *account,
			      struct json **ret_at)
{
	struct json *patch = json_new_obj(c->arena), *channels = json_new_obj(c->arena), *section = json_new_obj(c->arena);
	const char *path = arena_printf(c->arena, "channels[\"%s\"].accounts", ops->id);
	const struct json *named = config_get(cfg, path);
	struct json *accounts;

	json_set(c->arena, patch, "channels", channels);
	json_set(c->arena, channels, ops->id, section);
	*ret_at = section;
	if (str_eq(account, CHAN_DEFAULT_ACCOUNT) && !json_get(named, account))
		return patch;
	accounts = json_new_obj(c->arena);
	*ret_at = json_new_obj(c->arena);
	json_set(c->arena, section, "accounts", accounts);
	json_set(c->arena, accounts, account, *ret_at);
	return patch;
}

static ch_status put_irc(struct cli *c, struct json *at, struct ch_err *err)
{
	struct json *rooms = json_new_arr(c->arena);
	int64_t port;
	ch_status st = cli_opt_int(c, "port", 0, 1, 65535, &port, err);

	if (st)
		return st;
	if (cli_opt(c, "port"))
		json_set(c->arena, at, "port", json_new_int(c->arena, port));
	if (cli_flag(c, "no-tls"))
		json_set(c->arena, at, "tls", json_new_bool(c->arena, false));
	for (const char *s = cli_opt(c, "join"); s && *s; s += strcspn(s, ","), s += *s == ',')
		json_push(rooms, json_new_str(c->arena, str_trim(c->arena, arena_strndup(c->arena, s, strcspn(s, ",")))));
	if (json_len(rooms))
		json_set(c->arena, at, "channels", rooms);
	return CH_OK;
}

static CH_FIBER ch_status put_fields(struct cli *c, const struct chan_ops *ops, struct json *at, bool secrets_alone, struct ch_err *err)
{
	for (size_t i = 0; i < CH_ARRAY_LEN(fields); i++) {
		const char *value;
		ch_status st;

		if (!str_eq(fields[i].channel, ops->id) || (secrets_alone && !fields[i].is_secret))
			continue;
		st = value_of(c, &fields[i], &value, err);
		if (st)
			return st;
		if (value && !*value)
			return ch_fail(err, CH_E_INVALID, "--%s must not be blank", fields[i].opt);
		if (value)
			json_set(c->arena, at, fields[i].key, json_new_str(c->arena, value));
	}
	return CH_OK;
}

static void say_done(struct cli *c, const struct chan_ops *ops, const char *account, const char *what)
{
	struct json *doc;

	if (!c->json) {
		cli_print("%s %s %s in %s; a running gateway follows at once: chela channels status --probe\n", ops->label, account, what,
			  c->config_path);
		return;
	}
	doc = json_new_obj(c->arena);
	json_set(c->arena, doc, "ok", json_new_bool(c->arena, true));
	json_set(c->arena, doc, "channel", json_new_str(c->arena, ops->id));
	json_set(c->arena, doc, "accountId", json_new_str(c->arena, account));
	cli_print_json(doc);
}

static bool has_account(struct cli *c, const struct config *cfg, const struct chan_ops *ops, const char *account)
{
	const char *const *ids = chan_cfg_accounts(cfg, ops->id, ops->secrets, c->arena);

	while (*ids && !str_eq(*ids, account))
		ids++;
	return *ids;
}

static CH_FIBER ch_status write_account(struct cli *c, bool is_login, struct ch_err *err)
{
	CH_AUTO(config_store_close) struct config_store *store = NULL;
	const struct chan_ops *ops;
	const char *account;
	struct json *patch, *at;
	ch_status st = cli_channel_opts(c, true, &ops, &account, err);

	if (!st)
		st = cli_config_store(c, &store, err);
	if (st)
		return st;
	account = account ? account : CHAN_DEFAULT_ACCOUNT;
	if (is_login && !has_account(c, config_store_current(store), ops, account))
		return ch_fail(err, CH_E_NOT_FOUND, "%s has no account %s in the configuration: chela channels add %s --account %s",
			       ops->id, account, ops->id, account);
	patch = patch_for(c, config_store_current(store), ops, account, &at);
	st = cli_flag(c, "use-env") ? check_env(c, config_store_current(store), ops, account, err)
				    : put_fields(c, ops, at, is_login, err);
	if (!st && str_eq(ops->id, "irc") && !is_login)
		st = put_irc(c, at, err);
	if (st)
		return st;
	if (cli_opt(c, "name"))
		json_set(c->arena, at, "name", json_new_str(c->arena, cli_opt(c, "name")));
	if (!is_login)
		json_set(c->arena, at, "enabled", json_new_bool(c->arena, true));
	st = config_write_patch(store, patch, NULL, err);
	if (!st)
		say_done(c, ops, account, "is");
	return st;
}

static CH_FIBER ch_status run_add(struct cli *c, struct ch_err *err)
{
	ch_status st = write_account(c, false, err);

	if (!st && !c->json)
		cli_print("Then write to it there: you get a code, and \"chela pairing approve <code>\" lets you in.\n");
	return st;
}

static CH_FIBER ch_status run_login(struct cli *c, struct ch_err *err)
{
	return write_account(c, true, err);
}

#define SECRET_OPTS \
	{ "token", 0, "<token>", "the bot's token (IRC: the server's password); better: --token-file" }, \
	{ "token-file", 0, "<path>", "a file that holds it; without either it is asked for" }, \
	{ "bot-token", 0, "<token>", "Slack: better --bot-token-file" }, \
	{ "bot-token-file", 0, "<path>", "Slack: a file that holds it" }, \
	{ "app-token", 0, "<token>", "Slack: better --app-token-file" }, \
	{ "app-token-file", 0, "<path>", "Slack: a file that holds it" }, \
	{ "use-env", 0, NULL, "the credentials stay in the environment of the gateway" }

const struct cli_command cli_channels_add = {
	.name = "channels add",
	.summary = "add an account of a network",
	.args = "[channel]",
	.args_max = 1,
	.opts = (const struct cli_opt[]){
		CHANNEL_OPT,
		{ "account", 0, "<id>", "a name of yours (default: default)" },
		{ "name", 0, "<text>", "a name for people" },
		SECRET_OPTS,
		{ "host", 0, "<name>", "IRC: the server" },
		{ "port", 0, "<n>", "IRC: its port" },
		{ "nick", 0, "<nick>", "IRC: our nick" },
		{ "join", 0, "<#a,#b>", "IRC: channels to join" },
		{ "no-tls", 0, NULL, "IRC: not encrypted" },
		{ 0 },
	},
	.examples = "  chela channels add telegram\n"
		    "  chela channels add --channel telegram --token-file ~/bot.token\n"
		    "  chela channels add irc --host irc.libera.chat --nick mybot --join '#room'\n",
	.run = run_add,
};

const struct cli_command cli_channels_login = {
	.name = "channels login",
	.summary = "give an account new credentials",
	.args = "[channel]",
	.args_max = 1,
	.opts = (const struct cli_opt[]){ CHANNEL_OPT, ACCOUNT_OPT, SECRET_OPTS, { 0 } },
	.run = run_login,
};

/* ---- remove ---- */

static ch_status write_removal(struct cli *c, struct config_store *store, const struct chan_ops *ops, const char *account,
			       struct ch_err *err)
{
	const char *named = arena_printf(c->arena, "channels[\"%s\"].accounts[\"%s\"]", ops->id, account);
	const char *network = arena_printf(c->arena, "channels[\"%s\"]", ops->id);
	bool is_named = config_get(config_store_current(store), named);
	const char *path = is_named ? named : network;

	if (!is_named && (!config_get(config_store_current(store), network) || !str_eq(account, CHAN_DEFAULT_ACCOUNT)))
		return ch_fail(err, CH_E_NOT_FOUND, "%s has no account %s in the configuration", ops->id, account);
	if (!is_named && json_len(config_get(config_store_current(store), arena_printf(c->arena, "%s.accounts", network))))
		return ch_fail(err, CH_E_CONFLICT, "the keys of %s %s are the ones that its other accounts go back to: change them in "
			       "the configuration by hand", ops->id, account);
	if (cli_flag(c, "delete"))
		return config_write_unset(store, path, NULL, err);
	return config_write_set(store, arena_printf(c->arena, "%s.enabled", path), json_new_bool(c->arena, false), NULL, err);
}

static ch_status run_remove(struct cli *c, struct ch_err *err)
{
	CH_AUTO(config_store_close) struct config_store *store = NULL;
	const struct chan_ops *ops;
	const char *account;
	ch_status st = cli_channel_opts(c, true, &ops, &account, err);

	if (!st)
		st = cli_config_store(c, &store, err);
	if (st)
		return st;
	account = account ? account : CHAN_DEFAULT_ACCOUNT;
	st = write_removal(c, store, ops, account, err);
	if (!st)
		say_done(c, ops, account, cli_flag(c, "delete") ? "is gone" : "is not enabled any more");
	return st;
}

const struct cli_command cli_channels_remove = {
	.name = "channels remove",
	.summary = "switch an account off; --delete takes it out of the configuration",
	.args = "[channel]",
	.args_max = 1,
	.opts = (const struct cli_opt[]){
		CHANNEL_OPT,
		{ "account", 0, "<id>", "the account (default: default)" },
		{ "delete", 0, NULL, "its keys are deleted" },
		{ 0 },
	},
	.examples = "  chela channels remove --channel telegram --delete\n",
	.run = run_remove,
};
