/*
 * cli/cmd_sessions.c - sessions search: finding what was said. The list of sessions is in cmd_lists.c.
 */
#include "cli/rpc.h"
#include "core/clock.h"
#include "core/str.h"

static const char *joined_words(struct cli *c)
{
	CH_AUTO_BUF struct buf out = { 0 };

	buf_init(&out, 1u << 20);
	for (size_t i = 0; i < c->arg_count; i++)
		buf_printf(&out, "%s%s", i ? " " : "", c->args[i]);
	return arena_strndup(c->arena, buf_str(&out), out.len);
}

static void print_hit(struct cli *c, const struct json *hit)
{
	cli_print("%s%s%s  %s, %s\n", cli_on(c, CLI_BOLD), cli_safe(c->arena, json_get_str(hit, "sessionKey")), cli_off(c),
		  cli_safe(c->arena, json_get_str(hit, "role")), cli_ago(c->arena, json_get_int(hit, "timestamp", 0)));
	cli_print("  %s\n", cli_safe(c->arena, json_get_str(hit, "snippet")));
}

static CH_FIBER ch_status run_search(struct cli *c, struct ch_err *err)
{
	struct json *params = json_new_obj(c->arena), *keys = json_new_arr(c->arena), *found;
	int64_t limit;
	ch_status st = cli_opt_int(c, "limit", 10, 1, 25, &limit, err);

	if (st)
		return st;
	json_set(c->arena, params, "query", json_new_str(c->arena, joined_words(c)));
	json_set(c->arena, params, "limit", json_new_int(c->arena, limit));
	if (cli_opt(c, "agent"))
		json_set(c->arena, params, "agentId", json_new_str(c->arena, cli_opt(c, "agent")));
	if (cli_opt(c, "session")) {
		json_push(keys, json_new_str(c->arena, cli_opt(c, "session")));
		json_set(c->arena, params, "sessionKeys", keys);
	}
	st = rpc_once(c, "read", "sessions.search", json_to_str(c->arena, params), &found, err);
	if (st)
		return st;
	if (c->json) {
		cli_print_json(found);
		return CH_OK;
	}
	json_each(hit, json_get(found, "results"))
		print_hit(c, hit);
	if (!json_len(json_get(found, "results")))
		cli_print("nothing found\n");
	else if (json_get_bool(found, "truncated", false))
		cli_print("there is more (--limit, or more words)\n");
	return CH_OK;
}

const struct cli_command cli_sessions_search = {
	.name = "sessions search",
	.summary = "find what was said in any conversation",
	.args = "<text>",
	.args_min = 1,
	.args_max = CLI_ARGS_MAX,
	.opts = (const struct cli_opt[]){
		{ "limit", 'n', "<count>", "at most so many (default 10, at most 25)" },
		{ "agent", 0, "<id>", "said to this agent" },
		{ "session", 0, "<key>", "in this session" },
		{ 0 },
	},
	.examples = "  chela sessions search launch tuesday\n  chela sessions search '\"on tuesday\"' --agent main\n",
	.run = run_search,
};
