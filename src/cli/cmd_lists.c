/*
 * cli/cmd_lists.c - sessions and devices: lists, and what can be done with a device.
 */
#include <string.h>

#include "cli/rpc.h"
#include "core/clock.h"
#include "core/str.h"

/* -- sessions -- */

static CH_FIBER ch_status run_sessions(struct cli *c, struct ch_err *err)
{
	int64_t limit;
	struct json *params = json_new_obj(c->arena), *list;
	ch_status st = cli_opt_int(c, "limit", 50, 1, 1000, &limit, err);

	if (st)
		return st;
	json_set(c->arena, params, "limit", json_new_int(c->arena, limit));
	json_set(c->arena, params, "includeDerivedTitles", json_new_bool(c->arena, true));
	if (cli_opt(c, "agent"))
		json_set(c->arena, params, "agentId", json_new_str(c->arena, cli_opt(c, "agent")));
	if (cli_opt(c, "search"))
		json_set(c->arena, params, "search", json_new_str(c->arena, cli_opt(c, "search")));
	st = rpc_once(c, "read", "sessions.list", json_to_str(c->arena, params), &list, err);
	if (st)
		return st;
	if (c->json) {
		cli_print_json(list);
		return CH_OK;
	}
	struct cli_table *t = cli_table_new(c->arena, (const char *const[]){ "SESSION", "TITLE", "MODEL", "TOKENS", "UPDATED" }, 5);

	json_each(s, json_get(list, "sessions")) {
		const char *title = json_get_str(s, "label") ? json_get_str(s, "label") : json_get_str(s, "derivedTitle");

		cli_table_row(t, (const char *const[]){
			json_get_str(s, "key"), title,
			arena_printf(c->arena, "%s/%s", json_str_or(json_get(s, "modelProvider"), "-"),
				     json_str_or(json_get(s, "model"), "-")),
			arena_printf(c->arena, "%lld", (long long)json_get_int(s, "totalTokens", 0)),
			cli_ago(c->arena, json_get_int(s, "updatedAt", 0)) });
	}
	if (!json_len(json_get(list, "sessions"))) {
		cli_print("no sessions yet: chela agent -m \"hello\" starts one\n");
		return CH_OK;
	}
	cli_table_print(c, t);
	if (json_get_bool(list, "hasMore", false))
		cli_print("%lld more (--limit)\n",
			  (long long)(json_get_int(list, "totalCount", 0) - json_get_int(list, "count", 0)));
	return CH_OK;
}

const struct cli_command cli_sessions = {
	.name = "sessions",
	.summary = "the conversations, newest first",
	.opts = (const struct cli_opt[]){
		{ "limit", 'n', "<count>", "at most so many (default 50)" },
		{ "agent", 0, "<id>", "of this agent" },
		{ "search", 0, "<text>", "with this in key or title" },
		{ 0 },
	},
	.run = run_sessions,
};

/* -- devices -- */

/* Roles and scopes are arrays of strings. */
static const char *joined(struct arena *a, const struct json *list)
{
	CH_AUTO_BUF struct buf out = { 0 };

	buf_init(&out, 4096);
	json_each(v, list) {
		const char *s = json_str_or(v, "?");

		buf_printf(&out, "%s%s", out.len ? "," : "", str_starts(s, "operator.") ? s + 9 : s);
	}
	return arena_strdup(a, buf_str(&out));
}

static CH_FIBER ch_status run_devices(struct cli *c, struct ch_err *err)
{
	struct json *list;
	ch_status st = rpc_once(c, "pairing", "device.pair.list", NULL, &list, err);

	if (st)
		return st;
	if (c->json) {
		cli_print_json(list);
		return CH_OK;
	}
	struct cli_table *pending = cli_table_new(c->arena, (const char *const[]){ "REQUEST", "DEVICE", "NAME", "ROLE", "SCOPES", "ASKED" }, 6);
	struct cli_table *paired = cli_table_new(c->arena, (const char *const[]){ "DEVICE", "NAME", "PLATFORM", "ROLES", "SCOPES", "APPROVED" }, 6);

	json_each(p, json_get(list, "pending"))
		cli_table_row(pending, (const char *const[]){
			json_get_str(p, "requestId"), json_get_str(p, "deviceId"), json_get_str(p, "displayName"),
			json_get_str(p, "role"), joined(c->arena, json_get(p, "scopes")), cli_ago(c->arena, json_get_int(p, "ts", 0)) });
	json_each(d, json_get(list, "paired"))
		cli_table_row(paired, (const char *const[]){
			json_get_str(d, "deviceId"), json_get_str(d, "displayName"), json_get_str(d, "platform"),
			joined(c->arena, json_get(d, "roles")), joined(c->arena, json_get(d, "scopes")),
			cli_ago(c->arena, json_get_int(d, "approvedAtMs", 0)) });
	if (json_len(json_get(list, "pending"))) {
		cli_print("%swaiting for approval%s (chela devices approve <request>)\n", cli_on(c, CLI_YELLOW), cli_off(c));
		cli_table_print(c, pending);
		cli_print("\n");
	}
	if (json_len(json_get(list, "paired")))
		cli_table_print(c, paired);
	else
		cli_print("no paired devices\n");
	return CH_OK;
}

const struct cli_command cli_devices_list = {
	.name = "devices list",
	.summary = "paired devices, and those that ask to be",
	.run = run_devices,
};

/* approve and reject need the same: one request id; an approval of another role needs admin as well. */
static CH_FIBER ch_status resolve_request(struct cli *c, const char *method, const char *done, struct ch_err *err)
{
	struct json *params = json_new_obj(c->arena), *reply;

	json_set(c->arena, params, "requestId", json_new_str(c->arena, c->args[0]));
	ch_status st = rpc_once(c, "pairing,admin", method, json_to_str(c->arena, params), &reply, err);

	if (st)
		return st;
	if (c->json)
		cli_print_json(reply);
	else
		cli_print("%s %s\n", done, cli_safe(c->arena, c->args[0]));
	return CH_OK;
}

static CH_FIBER ch_status run_approve(struct cli *c, struct ch_err *err)
{
	return resolve_request(c, "device.pair.approve", "approved", err);
}

static CH_FIBER ch_status run_reject(struct cli *c, struct ch_err *err)
{
	return resolve_request(c, "device.pair.reject", "rejected", err);
}

const struct cli_command cli_devices_approve = {
	.name = "devices approve",
	.summary = "let a waiting device in",
	.args = "<request>",
	.args_min = 1,
	.args_max = 1,
	.run = run_approve,
};

const struct cli_command cli_devices_reject = {
	.name = "devices reject",
	.summary = "refuse a waiting device",
	.args = "<request>",
	.args_min = 1,
	.args_max = 1,
	.run = run_reject,
};

static CH_FIBER ch_status run_revoke(struct cli *c, struct ch_err *err)
{
	struct json *params = json_new_obj(c->arena), *reply;
	const char *role = cli_opt(c, "role") ? cli_opt(c, "role") : "operator";

	json_set(c->arena, params, "deviceId", json_new_str(c->arena, c->args[0]));
	json_set(c->arena, params, "role", json_new_str(c->arena, role));
	ch_status st = rpc_once(c, "pairing,admin", "device.token.revoke", json_to_str(c->arena, params), &reply, err);

	if (st)
		return st;
	if (c->json)
		cli_print_json(reply);
	else
		cli_print("revoked; its open connections were closed\n");
	return CH_OK;
}

const struct cli_command cli_devices_revoke = {
	.name = "devices revoke",
	.summary = "take a device's token back and close its connections",
	.args = "<device>",
	.args_min = 1,
	.args_max = 1,
	.opts = (const struct cli_opt[]){
		{ "role", 0, "<role>", "operator (default) or node" },
		{ 0 },
	},
	.run = run_revoke,
};
