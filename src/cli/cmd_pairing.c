/*
 * cli/cmd_pairing.c - strangers who wrote to the agent: those who wait, letting them in, taking it back.
 */
#include <string.h>

#include "cli/rpc.h"
#include "core/str.h"

#define SCOPES "admin,pairing"

static void put(struct cli *c, struct json *params, const char *name, const char *value)
{
	if (value)
		json_set(c->arena, params, name, json_new_str(c->arena, value));
}

static ch_status check_opts(struct cli *c, struct ch_err *err)
{
	ch_status st = cli_opt_not_blank(c, "account", err);

	return st ? st : cli_opt_not_blank(c, "channel", err);
}

static CH_FIBER ch_status load_state(struct cli *c, const char *channel, struct json **ret, struct ch_err *err)
{
	struct json *params = json_new_obj(c->arena);

	put(c, params, "channel", channel);
	put(c, params, "accountId", cli_opt(c, "account"));
	return rpc_once(c, SCOPES, "channels.pairing.state", json_to_str(c->arena, params), ret, err);
}

/* ---- list, grants ---- */

static const char *who(struct cli *c, const struct json *row)
{
	const char *name = cli_text(c, row, "name"), *username = cli_text(c, row, "username");

	return !*username ? name : arena_printf(c->arena, "%s%s@%s", name, *name ? " " : "", username);
}

static void print_requests(struct cli *c, const struct json *requests)
{
	static const char *const headings[] = { "CODE", "CHANNEL", "ACCOUNT", "SENDER", "NAME (not checked)", "ASKED" };
	struct cli_table *t = cli_table_new(c->arena, headings, CH_ARRAY_LEN(headings));

	json_each(r, requests) {
		const char *const cells[] = {
			cli_text(c, r, "code"), cli_text(c, r, "channel"), cli_text(c, r, "accountId"), cli_text(c, r, "senderId"), who(c, r),
			cli_ago(c->arena, json_get_int(r, "createdAtMs", 0)),
		};

		cli_table_row(t, cells);
	}
	cli_table_print(c, t);
	cli_print("\nA code proves nothing by itself: approve it when the person told it to you.\n");
}

static CH_FIBER ch_status run_list(struct cli *c, struct ch_err *err)
{
	const char *channel = c->arg_count ? c->args[0] : cli_opt(c, "channel");
	struct json *state, *requests;
	ch_status st = check_opts(c, err);

	if (!st)
		st = load_state(c, channel, &state, err);
	if (st)
		return st;
	requests = json_get(state, "requests");
	if (c->json) {
		json_unset(state, "grants");
		cli_print_json(state);
		return CH_OK;
	}
	if (!json_len(requests)) {
		cli_print("Nobody waits to be let in. Who was: chela pairing grants\n");
		return CH_OK;
	}
	print_requests(c, requests);
	if (!json_get_bool(state, "commandOwnerConfigured", false))
		cli_print("Nobody is the owner yet: the first one approved here becomes it (commands.ownerAllowFrom).\n");
	return CH_OK;
}

static const struct cli_opt list_opts[] = {
	{ "channel", 0, "<channel>", "only this network" },
	{ "account", 0, "<id>", "only this account" },
	{ 0 },
};

const struct cli_command cli_pairing_list = {
	.name = "pairing list",
	.summary = "who wrote to the agent and waits to be let in",
	.args = "[channel]",
	.args_max = 1,
	.opts = list_opts,
	.examples = "  chela pairing list\n  chela pairing list telegram --json\n",
	.run = run_list,
};

static CH_FIBER ch_status run_grants(struct cli *c, struct ch_err *err)
{
	static const char *const headings[] = { "CHANNEL", "ACCOUNT", "SENDER", "NAME (not checked)", "SINCE" };
	const char *channel = c->arg_count ? c->args[0] : cli_opt(c, "channel");
	struct cli_table *t = cli_table_new(c->arena, headings, CH_ARRAY_LEN(headings));
	struct json *state;
	ch_status st = check_opts(c, err);

	if (!st)
		st = load_state(c, channel, &state, err);
	if (st)
		return st;
	if (c->json) {
		json_unset(state, "requests");
		cli_print_json(state);
		return CH_OK;
	}
	json_each(g, json_get(state, "grants")) {
		const char *const cells[] = {
			cli_text(c, g, "channel"), cli_text(c, g, "accountId"), cli_text(c, g, "senderId"), cli_text(c, g, "name"),
			cli_ago(c->arena, json_get_int(g, "grantedAtMs", 0)),
		};

		cli_table_row(t, cells);
	}
	if (!json_len(json_get(state, "grants")))
		cli_print("Nobody was let in by pairing.\n");
	else
		cli_table_print(c, t);
	return CH_OK;
}

const struct cli_command cli_pairing_grants = {
	.name = "pairing grants",
	.summary = "who was let in by pairing",
	.args = "[channel]",
	.args_max = 1,
	.opts = list_opts,
	.run = run_grants,
};

/* ---- approve, dismiss ---- */

/* "telegram CODE", "CODE --channel telegram", or "CODE" alone when one network has requests. */
static CH_FIBER ch_status target(struct cli *c, const char **ret_channel, const char **ret_code, struct ch_err *err)
{
	const char *channel = cli_opt(c, "channel");
	struct json *state;
	ch_status st = check_opts(c, err);

	if (st)
		return st;
	*ret_code = c->args[c->arg_count - 1];
	if (c->arg_count == 2 && channel && !str_eq(channel, c->args[0]))
		return ch_fail(err, CH_E_INVALID, "two networks are named: %s and --channel %s", c->args[0], channel);
	*ret_channel = c->arg_count == 2 ? c->args[0] : channel;
	if (*ret_channel)
		return CH_OK;
	st = load_state(c, NULL, &state, err);
	if (st)
		return st;
	json_each(r, json_get(state, "requests")) {
		const char *of = json_get_str(r, "channel");

		if (*ret_channel && !str_eq(*ret_channel, of))
			return ch_fail(err, CH_E_INVALID, "several networks have requests: name one, chela %s <channel> %s",
				       c->command->name, *ret_code);
		*ret_channel = of;
	}
	return *ret_channel ? CH_OK : ch_fail(err, CH_E_NOT_FOUND, "nobody waits to be let in; codes are good for an hour");
}

static CH_FIBER ch_status decide(struct cli *c, const char *method, struct json *params, struct json **ret, struct ch_err *err)
{
	const char *channel, *code;
	ch_status st = target(c, &channel, &code, err);

	if (st)
		return st;
	put(c, params, "channel", channel);
	put(c, params, "code", code);
	put(c, params, "accountId", cli_opt(c, "account"));
	return rpc_once(c, SCOPES, method, json_to_str(c->arena, params), ret, err);
}

static CH_FIBER ch_status run_approve(struct cli *c, struct ch_err *err)
{
	struct json *params = json_new_obj(c->arena), *reply;
	const char *told, *owner;
	ch_status st;

	json_set(c->arena, params, "bootstrapCommandOwner", json_new_bool(c->arena, true));
	if (cli_flag(c, "notify"))
		json_set(c->arena, params, "notify", json_new_bool(c->arena, true));
	st = decide(c, "channels.pairing.approveCode", params, &reply, err);
	if (st)
		return st;
	if (c->json) {
		cli_print_json(reply);
		return CH_OK;
	}
	told = cli_text(c, reply, "notification");
	owner = cli_text(c, reply, "commandOwnerBootstrap");
	cli_print("%s may write to the agent on %s (%s) now, in direct messages.\n", cli_text(c, reply, "senderId"),
		  cli_text(c, reply, "channel"), cli_text(c, reply, "accountId"));
	if (str_eq(owner, "configured"))
		cli_print("As the first one approved they are the owner: may use owner commands and answer approvals "
			  "(commands.ownerAllowFrom).\n");
	else if (str_eq(owner, "unavailable"))
		cli_print("They could not be made the owner; the gateway's log says why.\n");
	if (json_get_bool(reply, "sharesConversation", false))
		cli_print("Several people now share one conversation there, and what is said in it. Each has their own with:\n"
			  "  chela config set session.dmScope per-channel-peer\n");
	if (cli_flag(c, "notify") && !str_eq(told, "sent"))
		cli_print("They were not told (%s): tell them yourself.\n", told);
	return CH_OK;
}

static const struct cli_opt approve_opts[] = {
	{ "channel", 0, "<channel>", "the network, when it is not the first argument" },
	{ "account", 0, "<id>", "only requests of this account" },
	{ "notify", 0, NULL, "tell the person on the same network" },
	{ 0 },
};

const struct cli_command cli_pairing_approve = {
	.name = "pairing approve",
	.summary = "let a person in who was given this code",
	.args = "[channel] <code>",
	.args_min = 1,
	.args_max = 2,
	.opts = approve_opts,
	.examples = "  chela pairing approve telegram ABCD2345 --notify\n",
	.run = run_approve,
};

static CH_FIBER ch_status run_dismiss(struct cli *c, struct ch_err *err)
{
	struct json *reply;
	ch_status st = decide(c, "channels.pairing.dismissCode", json_new_obj(c->arena), &reply, err);

	if (st)
		return st;
	if (c->json)
		cli_print_json(reply);
	else
		cli_print("The request of %s is gone; they may ask again.\n", cli_text(c, reply, "senderId"));
	return CH_OK;
}

const struct cli_command cli_pairing_dismiss = {
	.name = "pairing dismiss",
	.summary = "take a request away without letting the person in",
	.args = "[channel] <code>",
	.args_min = 1,
	.args_max = 2,
	.opts = list_opts,
	.run = run_dismiss,
};

/* ---- revoke ---- */

static CH_FIBER ch_status run_revoke(struct cli *c, struct ch_err *err)
{
	struct json *params = json_new_obj(c->arena), *reply;
	ch_status st = cli_opt_not_blank(c, "account", err);

	if (st)
		return st;
	put(c, params, "channel", c->args[0]);
	put(c, params, "senderId", c->args[1]);
	put(c, params, "accountId", cli_opt(c, "account"));
	st = rpc_once(c, SCOPES, "channels.pairing.revoke", json_to_str(c->arena, params), &reply, err);
	if (st)
		return st;
	if (c->json)
		cli_print_json(reply);
	else
		cli_print("%s must pair again on %s. Lists of the configuration (allowFrom) are not touched.\n",
			  cli_text(c, reply, "senderId"), cli_text(c, reply, "channel"));
	return CH_OK;
}

const struct cli_command cli_pairing_revoke = {
	.name = "pairing revoke",
	.summary = "a person who was let in by pairing must ask again",
	.args = "<channel> <sender>",
	.args_min = 2,
	.args_max = 2,
	.opts = (const struct cli_opt[]){
		{ "account", 0, "<id>", "only of this account; all of the network when left out" },
		{ 0 },
	},
	.run = run_revoke,
};
