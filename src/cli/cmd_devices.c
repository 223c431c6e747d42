/*
 * cli/cmd_devices.c - codes that let a new device in: setup codes for apps, join links for machines.
 */
#include "cli/rpc.h"
#include "core/str.h"

static void put(struct cli *c, struct json *params, const char *name, const char *value)
{
	if (value)
		json_set(c->arena, params, name, json_new_str(c->arena, value));
}

static CH_FIBER ch_status run_join_code(struct cli *c, struct ch_err *err)
{
	struct json *params = json_new_obj(c->arena), *reply, *out;
	const char *link, *command;
	ch_status st;

	put(c, params, "bootstrapProfile", "node");
	put(c, params, "publicUrl", cli_opt(c, "url"));
	json_set(c->arena, params, "includeQr", json_new_bool(c->arena, false));
	json_set(c->arena, params, "joinUrl", json_new_bool(c->arena, true));
	st = rpc_once(c, "admin", "device.pair.setupCode", json_to_str(c->arena, params), &reply, err);
	if (st)
		return st;
	link = json_get_str(reply, "joinUrl");
	if (!link)
		return ch_fail(err, CH_E_PEER, "the gateway gave no join link");
	command = arena_printf(c->arena, "npx openclaw connect %s", cli_safe(c->arena, link));
	if (c->json) {
		out = json_new_obj(c->arena);
		put(c, out, "joinUrl", link);
		put(c, out, "command", command);
		cli_print_json(out);
		return CH_OK;
	}
	cli_print("%s\n%s\n", cli_safe(c->arena, link), command);
	return CH_OK;
}

const struct cli_command cli_devices_join_code = {
	.name = "devices join-code",
	.summary = "a link that lets one machine join as a node; it works once, within 10 minutes",
	.opts = (const struct cli_opt[]){
		{ "url", 0, "<url>", "the gateway's address as the machine reaches it" },
		{ 0 },
	},
	.examples = "  chela devices join-code --url https://gateway.example\n",
	.run = run_join_code,
};

static CH_FIBER ch_status run_setup_code(struct cli *c, struct ch_err *err)
{
	struct json *params = json_new_obj(c->arena), *reply;
	ch_status st;

	put(c, params, "bootstrapProfile", cli_opt(c, "profile"));
	put(c, params, "publicUrl", cli_opt(c, "url"));
	json_set(c->arena, params, "includeQr", json_new_bool(c->arena, false));
	st = rpc_once(c, "admin", "device.pair.setupCode", json_to_str(c->arena, params), &reply, err);
	if (st)
		return st;
	if (c->json) {
		cli_print_json(reply);
		return CH_OK;
	}
	cli_print("%s\n", cli_safe(c->arena, json_str_or(json_get(reply, "setupCode"), "")));
	cli_print("%s access by %s; it works once, within 10 minutes\n",
		  cli_safe(c->arena, json_str_or(json_get(reply, "access"), "")),
		  cli_safe(c->arena, json_str_or(json_get(reply, "gatewayUrl"), "")));
	if (json_get_bool(reply, "accessDowngraded", false))
		cli_print("limited, because the address is not encrypted; use a wss:// address for full access\n");
	return CH_OK;
}

const struct cli_command cli_devices_setup_code = {
	.name = "devices setup-code",
	.summary = "a code that lets one app in without the shared secret",
	.opts = (const struct cli_opt[]){
		{ "profile", 0, "<name>", "limited, node or voice-node; full access when left out" },
		{ "url", 0, "<url>", "the gateway's address as the app reaches it" },
		{ 0 },
	},
	.examples = "  chela devices setup-code --profile limited\n",
	.run = run_setup_code,
};
