/*
 * cli/cmd_channels.c - messaging networks: which accounts there are, how they stand, starting and stopping, what happened.
 */
#include <string.h>

#include "channels/cfg.h"
#include "cli/channels_cli.h"
#include "cli/models_auth.h"
#include "core/clock.h"
#include "core/str.h"

#define LINES_DEFAULT 200
#define PROBE_MS 60000

/* ---- what they share ---- */

static ch_status no_network(const char *name, struct ch_err *err)
{
	char known[128] = "";
	size_t count;
	const struct chan_ops *const *table = chan_table(&count);

	for (size_t i = 0; i < count; i++)
		snprintf(known + strlen(known), sizeof(known) - strlen(known), "%s%s", i ? ", " : "", table[i]->id);
	return name ? ch_fail(err, CH_E_NOT_FOUND, "unknown channel: %.40s (there is %s)", name, known)
		    : ch_fail(err, CH_E_INVALID, "--channel is missing (%s)", known);
}

ch_status cli_channel_opts(struct cli *c, bool is_needed, const struct chan_ops **ret_ops, const char **ret_account, struct ch_err *err)
{
	const char *channel = cli_opt(c, "channel");
	ch_status st = cli_opt_not_blank(c, "channel", err);

	if (!st)
		st = cli_opt_not_blank(c, "account", err);
	if (st)
		return st;
	if (!channel && c->arg_count && c->command->args && str_eq(c->command->args, "[channel]"))
		channel = c->args[0];
	*ret_account = cli_opt(c, "account");
	*ret_ops = channel && !str_eq(channel, "all") ? chan_find(channel) : NULL;
	if (!*ret_ops && ((channel && !str_eq(channel, "all")) || is_needed))
		return no_network(channel, err);
	return CH_OK;
}

struct json *cli_channel_params(struct cli *c, const struct chan_ops *ops, const char *account)
{
	struct json *params = json_new_obj(c->arena);

	if (ops)
		json_set(c->arena, params, "channel", json_new_str(c->arena, ops->id));
	if (account)
		json_set(c->arena, params, "accountId", json_new_str(c->arena, account));
	return params;
}

/* ---- list: the configuration's accounts, without a gateway ---- */

static struct json *account_json(struct cli *c, struct config *cfg, const struct chan_ops *ops, const char *id)
{
	CH_AUTO(chan_cfg_unref) struct chan_cfg *keys = chan_cfg_new(cfg, ops->id, id), *network = chan_cfg_new(cfg, ops->id, NULL);
	struct json *v = json_new_obj(c->arena);
	struct ch_err why = { 0 };
	ch_status st = ops->check ? ops->check(keys, &why) : CH_OK;

	json_set(c->arena, v, "accountId", json_new_str(c->arena, id));
	if (chan_cfg_str(keys, "name"))
		json_set(c->arena, v, "name", json_new_str(c->arena, chan_cfg_str(keys, "name")));
	json_set(c->arena, v, "installed", json_new_bool(c->arena, true));
	json_set(c->arena, v, "configured", json_new_bool(c->arena, !st));
	json_set(c->arena, v, "enabled", json_new_bool(c->arena, chan_cfg_bool(network, "enabled", true) &&
							       chan_cfg_bool(keys, "enabled", true)));
	if (st)
		json_set(c->arena, v, "problem", json_new_str(c->arena, why.text));
	return v;
}

static struct json *inventory(struct cli *c, struct config *cfg, const struct chan_ops *only, bool all)
{
	size_t count;
	const struct chan_ops *const *table = chan_table(&count);
	struct json *channels = json_new_obj(c->arena);

	for (size_t i = 0; i < count; i++) {
		const char *const *ids = chan_cfg_accounts(cfg, table[i]->id, table[i]->secrets, c->arena);
		struct json *entry = json_new_obj(c->arena), *accounts = json_new_arr(c->arena);

		for (size_t k = 0; ids[k]; k++)
			json_push(accounts, account_json(c, cfg, table[i], ids[k]));
		if ((only && only != table[i]) || (!ids[0] && !all))
			continue;
		json_set(c->arena, entry, "label", json_new_str(c->arena, table[i]->label));
		json_set(c->arena, entry, "origin", json_new_str(c->arena, "bundled"));
		json_set(c->arena, entry, "accounts", accounts);
		json_set(c->arena, channels, table[i]->id, entry);
	}
	return channels;
}

static void print_inventory(struct cli *c, const struct json *channels)
{
	static const char *const headings[] = { "CHANNEL", "ACCOUNT", "NAME", "ENABLED", "CONFIGURED" };
	struct cli_table *t = cli_table_new(c->arena, headings, CH_ARRAY_LEN(headings));

	json_each(channel, channels) {
		if (!json_len(json_get(channel, "accounts")))
			cli_table_row(t, (const char *const[]){ channel->key, "-", "-", "-", "no" });
		json_each(a, json_get(channel, "accounts")) {
			const char *problem = json_get_str(a, "problem");

			cli_table_row(t, (const char *const[]){ channel->key, cli_text(c, a, "accountId"), cli_text(c, a, "name"),
								json_get_bool(a, "enabled", true) ? "yes" : "no",
								problem ? cli_safe(c->arena, problem) : "yes" });
		}
	}
	cli_table_print(c, t);
}

static ch_status run_list(struct cli *c, struct ch_err *err)
{
	CH_AUTO(config_unref) struct config *cfg = NULL;
	struct json *doc, *channels;
	ch_status st = cli_config(c, &cfg, err);

	if (st)
		return st;
	channels = inventory(c, cfg, NULL, cli_flag(c, "all"));
	if (c->json) {
		doc = json_new_obj(c->arena);
		json_set(c->arena, doc, "chat", channels);
		cli_print_json(doc);
	} else if (!json_len(channels)) {
		cli_print("No network is configured. One is added by: chela channels add --channel telegram\n");
	} else {
		print_inventory(c, channels);
	}
	return CH_OK;
}

const struct cli_command cli_channels_list = {
	.name = "channels list",
	.summary = "the accounts that the configuration names",
	.opts = (const struct cli_opt[]){ { "all", 0, NULL, "networks without an account, too" }, { 0 } },
	.examples = "  chela channels list\n  chela channels list --all --json\n",
	.run = run_list,
};

/* ---- status ---- */

static enum cli_style style_of(const char *state)
{
	return str_eq(state, "connected") ? CLI_GREEN : str_eq(state, "stopped") ? CLI_DIM : CLI_YELLOW;
}

static const char *probe_of(struct cli *c, const struct json *a)
{
	const struct json *p = json_get(a, "probe");
	const char *name = json_str_or(json_path(p, "bot.username"), "");

	if (!p)
		return "";
	if (!json_get_bool(p, "ok", false))
		return arena_printf(c->arena, "probe failed: %s", cli_text(c, p, "error"));
	return arena_printf(c->arena, "works%s%s%s", *name ? " as " : "", cli_safe(c->arena, name),
			    json_get_str(p, "warning") ? arena_printf(c->arena, "; %s", cli_text(c, p, "warning")) : "");
}

/* The one thing to know about it. */
static const char *note_of(struct cli *c, const struct json *a)
{
	const char *probe = probe_of(c, a);

	if (*probe)
		return probe;
	if (!json_get_bool(a, "enabled", true))
		return "not enabled";
	if (json_get_bool(a, "stoppedByPerson", false))
		return "stopped by hand: chela channels start";
	return *cli_text(c, a, "detail") ? cli_text(c, a, "detail") : cli_text(c, a, "lastError");
}

static void print_status(struct cli *c, const struct json *reply)
{
	static const char *const headings[] = { "CHANNEL", "ACCOUNT", "STATE", "LAST IN", "LAST OUT", "NOTE" };
	struct cli_table *t = cli_table_new(c->arena, headings, CH_ARRAY_LEN(headings));

	json_each(channel, json_get(reply, "channelAccounts"))
		json_each(a, channel) {
			const char *state = cli_text(c, a, "state");

			cli_table_row(t, (const char *const[]){ channel->key, cli_text(c, a, "accountId"), state,
								cli_ago(c->arena, json_get_int(a, "lastInboundAt", 0)),
								cli_ago(c->arena, json_get_int(a, "lastOutboundAt", 0)),
								note_of(c, a) });
			cli_table_paint(t, 2, style_of(state));
		}
	cli_table_print(c, t);
	json_each(issue, json_get(reply, "statusIssues"))
		cli_print("%s%s %s: %s: %s\n", issue == json_first(json_get(reply, "statusIssues")) ? "\n" : "",
			  cli_text(c, issue, "channel"), cli_text(c, issue, "accountId"), cli_text(c, issue, "message"),
			  cli_text(c, issue, "fix"));
}

static CH_FIBER ch_status run_status(struct cli *c, struct ch_err *err)
{
	const struct chan_ops *ops;
	const char *account;
	struct json *params, *reply;
	ch_status st = cli_channel_opts(c, false, &ops, &account, err);

	if (st)
		return st;
	params = cli_channel_params(c, ops, NULL);
	if (cli_flag(c, "probe")) {
		c->timeout_ms = cli_opt(c, "timeout") ? c->timeout_ms : PROBE_MS;
		json_set(c->arena, params, "probe", json_new_bool(c->arena, true));
		json_set(c->arena, params, "timeoutMs", json_new_int(c->arena, c->timeout_ms));
	}
	st = rpc_once(c, "read", "channels.status", json_to_str(c->arena, params), &reply, err);
	if (st)
		return st;
	if (c->json)
		cli_print_json(reply);
	else if (!json_len(json_get(reply, "channelAccounts")))
		cli_print("No network is configured. One is added by: chela channels add --channel telegram\n");
	else
		print_status(c, reply);
	return CH_OK;
}

const struct cli_command cli_channels_status = {
	.name = "channels status",
	.summary = "how each account stands; --probe asks the networks",
	.args = "[channel]",
	.args_max = 1,
	.opts = (const struct cli_opt[]){
		CHANNEL_OPT,
		{ "probe", 0, NULL, "log in to look whether the credentials work" },
		{ 0 },
	},
	.examples = "  chela channels status\n  chela channels status telegram --probe\n",
	.run = run_status,
};

/* ---- start, stop, logout ---- */

static CH_FIBER ch_status call_for_account(struct cli *c, const char *method, struct json **ret, struct ch_err *err)
{
	const struct chan_ops *ops;
	const char *account;
	ch_status st = cli_channel_opts(c, true, &ops, &account, err);

	if (st)
		return st;
	st = rpc_once(c, "admin", method, json_to_str(c->arena, cli_channel_params(c, ops, account)), ret, err);
	if (!st && c->json)
		cli_print_json(*ret);
	return st;
}

static CH_FIBER ch_status run_start(struct cli *c, struct ch_err *err)
{
	struct json *reply;
	ch_status st = call_for_account(c, "channels.start", &reply, err);
	const char *why;

	if (st || c->json)
		return st;
	why = json_str_or(json_path(reply, "outcome.reason"), "");
	if (json_get_bool(reply, "started", false))
		cli_print("%s %s %s\n", cli_text(c, reply, "channel"), cli_text(c, reply, "accountId"),
			  str_eq(why, "task-owned") ? "was running" : "is starting: chela channels status");
	else
		return ch_fail(err, CH_E_CONFLICT, "%s %s was not started: %s", cli_text(c, reply, "channel"), cli_text(c, reply, "accountId"),
			       cli_safe(c->arena, why));
	return CH_OK;
}

const struct cli_command cli_channels_start = {
	.name = "channels start",
	.summary = "start an account that was stopped or gave up",
	.args = "[channel]",
	.args_max = 1,
	.opts = (const struct cli_opt[]){ CHANNEL_OPT, ACCOUNT_OPT, { 0 } },
	.run = run_start,
};

static CH_FIBER ch_status run_stop(struct cli *c, struct ch_err *err)
{
	struct json *reply;
	ch_status st = call_for_account(c, "channels.stop", &reply, err);

	if (!st && !c->json)
		cli_print("%s %s is stopped, and stays so until it is started\n", cli_text(c, reply, "channel"), cli_text(c, reply, "accountId"));
	return st;
}

const struct cli_command cli_channels_stop = {
	.name = "channels stop",
	.summary = "stop an account; it stays stopped over restarts",
	.args = "[channel]",
	.args_max = 1,
	.opts = (const struct cli_opt[]){ CHANNEL_OPT, ACCOUNT_OPT, { 0 } },
	.run = run_stop,
};

static CH_FIBER ch_status run_logout(struct cli *c, struct ch_err *err)
{
	struct json *reply;
	ch_status st = call_for_account(c, "channels.logout", &reply, err);

	if (st || c->json)
		return st;
	cli_print("%s %s is logged out\n", cli_text(c, reply, "channel"), cli_text(c, reply, "accountId"));
	if (!json_get_bool(reply, "cleared", false))
		cli_print("There was no credential in the configuration to take out; one in the environment stays in force.\n");
	return CH_OK;
}

const struct cli_command cli_channels_logout = {
	.name = "channels logout",
	.summary = "end a login: credentials and people let in are forgotten",
	.args = "[channel]",
	.args_max = 1,
	.opts = (const struct cli_opt[]){ CHANNEL_OPT, ACCOUNT_OPT, { 0 } },
	.run = run_logout,
};

/* ---- logs ---- */

static void print_lines_json(struct cli *c, const struct json *lines, int64_t skip)
{
	struct json *doc = json_new_obj(c->arena), *kept = json_new_arr(c->arena);

	json_each(line, lines)
		if (skip-- <= 0)
			json_push(kept, json_clone(c->arena, line));
	json_set(c->arena, doc, "lines", kept);
	cli_print_json(doc);
}

static CH_FIBER ch_status run_logs(struct cli *c, struct ch_err *err)
{
	const struct chan_ops *ops;
	const char *account;
	struct json *reply, *lines;
	int64_t keep, skip;
	ch_status st = cli_channel_opts(c, false, &ops, &account, err);

	if (!st)
		st = cli_opt_int(c, "lines", LINES_DEFAULT, 1, 100000, &keep, err);
	if (!st)
		st = rpc_once(c, "read", "channels.logs", json_to_str(c->arena, cli_channel_params(c, ops, account)), &reply, err);
	if (st)
		return st;
	lines = json_get(reply, "lines");
	skip = (int64_t)json_len(lines) - keep;
	if (c->json) {
		print_lines_json(c, lines, skip);
		return CH_OK;
	}
	json_each(line, lines) {
		char when[CLOCK_ISO_LEN];

		if (skip-- > 0)
			continue;
		clock_iso(json_get_int(line, "ts", 0), when);
		cli_print("%s %s/%s %s\n", when, cli_text(c, line, "channel"), cli_text(c, line, "accountId"), cli_text(c, line, "text"));
	}
	if (!json_len(lines))
		cli_print("Nothing happened since the gateway was started.\n");
	return CH_OK;
}

const struct cli_command cli_channels_logs = {
	.name = "channels logs",
	.summary = "what happened to the accounts since the gateway was started",
	.args = "[channel]",
	.args_max = 1,
	.opts = (const struct cli_opt[]){ CHANNEL_OPT, ACCOUNT_OPT, { "lines", 0, "<n>", "the newest so many (default 200)" }, { 0 } },
	.run = run_logs,
};

/* ---- dead letters ---- */

static void print_letters(struct cli *c, const struct json *letters)
{
	json_each(l, letters) {
		const char *words = json_str_or(json_get(l, "text"), "");
		size_t n = utf8_cut(words, strlen(words), 80);

		cli_print("%s%s%s  %s/%s  %s  %lld tries, %s\n", cli_on(c, CLI_BOLD), cli_text(c, l, "id"), cli_off(c), cli_text(c, l, "channel"),
			  cli_text(c, l, "accountId"), cli_safe(c->arena, json_str_or(json_path(l, "peer.id"), "")),
			  (long long)json_get_int(l, "attempts", 0), cli_ago(c->arena, json_get_int(l, "failedAt", 0)));
		cli_print("  %s\n", cli_text(c, l, "reason"));
		if (n)
			cli_print("  | %s%s\n", cli_safe(c->arena, arena_strndup(c->arena, words, n)), words[n] ? " …" : "");
	}
}

static CH_FIBER ch_status run_letters(struct cli *c, struct ch_err *err)
{
	const struct chan_ops *ops;
	const char *account;
	struct json *params, *reply;
	int64_t limit;
	ch_status st = cli_channel_opts(c, false, &ops, &account, err);

	if (!st)
		st = cli_opt_int(c, "limit", 100, 1, 1000, &limit, err);
	if (st)
		return st;
	params = cli_channel_params(c, ops, account);
	json_set(c->arena, params, "limit", json_new_int(c->arena, limit));
	st = rpc_once(c, "read", "channels.deadLetters.list", json_to_str(c->arena, params), &reply, err);
	if (st)
		return st;
	if (c->json)
		cli_print_json(reply);
	else if (!json_len(json_get(reply, "deadLetters")))
		cli_print("No message was lost.\n");
	else
		print_letters(c, json_get(reply, "deadLetters"));
	return CH_OK;
}

const struct cli_command cli_channels_letters = {
	.name = "channels dead-letters list",
	.summary = "messages that could not be handled (in) or sent (out)",
	.opts = (const struct cli_opt[]){ CHANNEL_OPT, ACCOUNT_OPT, { "limit", 0, "<n>", "of each kind (default 100)" }, { 0 } },
	.run = run_letters,
};

static CH_FIBER ch_status run_resubmit(struct cli *c, struct ch_err *err)
{
	const struct chan_ops *ops;
	const char *account;
	struct json *params, *reply;
	ch_status st = cli_channel_opts(c, false, &ops, &account, err);

	if (st)
		return st;
	params = cli_channel_params(c, ops, account);
	json_set(c->arena, params, "id", json_new_str(c->arena, c->args[0]));
	st = rpc_once(c, "admin", "channels.deadLetters.resubmit", json_to_str(c->arena, params), &reply, err);
	if (st)
		return st;
	if (c->json)
		cli_print_json(reply);
	else
		cli_print("%s is tried again\n", cli_safe(c->arena, c->args[0]));
	return CH_OK;
}

const struct cli_command cli_channels_resubmit = {
	.name = "channels dead-letters resubmit",
	.summary = "try one of them again",
	.args = "<id>",
	.args_min = 1,
	.args_max = 1,
	.opts = (const struct cli_opt[]){ CHANNEL_OPT, ACCOUNT_OPT, { 0 } },
	.examples = "  chela channels dead-letters resubmit out:12\n",
	.run = run_resubmit,
};
