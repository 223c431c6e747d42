/*
 * cli/cmd_tools.c - which tools an agent has in a session, and why not the others.
 */
#include <string.h>

#include "cli/rpc.h"
#include "core/str.h"

/* The session named, else the agent's main one. */
static CH_FIBER ch_status effective(struct cli *c, struct json **ret, struct ch_err *err)
{
	struct json *params = json_new_obj(c->arena);
	const char *agent = cli_opt(c, "agent");

	json_set(c->arena, params, "sessionKey", json_new_str(c->arena, c->arg_count ? c->args[0] :
							      agent ? arena_printf(c->arena, "agent:%s:main", agent) : "main"));
	if (agent)
		json_set(c->arena, params, "agentId", json_new_str(c->arena, agent));
	return rpc_once(c, "read", "tools.effective", json_to_str(c->arena, params), ret, err);
}

#define ABOUT_MAX 100

/* Its first sentence: what a person wants to know. */
static const char *short_text(struct cli *c, const char *text)
{
	const char *end = strstr(text, ". ");
	size_t n = end ? (size_t)(end - text) + 1 : strlen(text);

	return arena_printf(c->arena, "%.*s%s", (int)utf8_cut(text, n, ABOUT_MAX), text, n > ABOUT_MAX ? "\xe2\x80\xa6" : "");
}

static size_t add_offered(struct cli *c, struct cli_table *t, const struct json *reply, bool with_verdict)
{
	size_t n = 0;

	json_each(group, json_get(reply, "groups"))
		json_each(tool, json_get(group, "tools")) {
			const char *name = cli_safe(c->arena, json_str_or(json_get(tool, "id"), "?"));
			const char *about = short_text(c, json_str_or(json_get(tool, "description"), ""));

			if (with_verdict)
				cli_table_row(t, (const char *const[]){ name, "yes", "" });
			else
				cli_table_row(t, (const char *const[]){ name, json_str_or(json_get(tool, "risk"), "-"), about });
			n++;
		}
	return n;
}

static CH_FIBER ch_status run_list(struct cli *c, struct ch_err *err)
{
	struct cli_table *t = cli_table_new(c->arena, (const char *const[]){ "TOOL", "RISK", "WHAT" }, 3);
	struct json *reply;
	ch_status st = effective(c, &reply, err);

	if (st)
		return st;
	if (c->json) {
		cli_print_json(reply);
		return CH_OK;
	}
	if (add_offered(c, t, reply, false))
		cli_table_print(c, t);
	else
		cli_print("no tools; chela tools explain says why\n");
	return CH_OK;
}

const struct cli_command cli_tools_list = {
	.name = "tools list",
	.summary = "the tools that an agent has in a session",
	.args = "[<session>]",
	.args_max = 1,
	.opts = (const struct cli_opt[]){ { "agent", 0, "<id>", "of this agent (default: the session's)" }, { 0 } },
	.run = run_list,
};

/* What holds for the session, and what is wrong. */
static void print_notes(struct cli *c, const struct json *reply)
{
	json_each(note, json_get(reply, "notices")) {
		bool is_warning = str_eq(json_get_str(note, "severity"), "warning");
		const char *id = json_str_or(json_get(note, "id"), "");

		if (str_starts(id, "tool:"))
			continue;
		if (str_starts(id, "problem:"))
			cli_print("%s%s%s: ", cli_on(c, CLI_YELLOW), cli_safe(c->arena, id + 8), cli_off(c));
		cli_print("%s%s%s\n", is_warning ? cli_on(c, CLI_YELLOW) : "", cli_safe(c->arena, json_str_or(json_get(note, "message"), "")),
			  is_warning ? cli_off(c) : "");
	}
}

static CH_FIBER ch_status run_explain(struct cli *c, struct ch_err *err)
{
	struct cli_table *t = cli_table_new(c->arena, (const char *const[]){ "TOOL", "OFFERED", "WHY NOT" }, 3);
	struct json *reply;
	ch_status st = effective(c, &reply, err);

	if (st)
		return st;
	if (c->json) {
		cli_print_json(reply);
		return CH_OK;
	}
	cli_print("agent %s, profile %s\n", cli_safe(c->arena, json_str_or(json_get(reply, "agentId"), "?")),
		  cli_safe(c->arena, json_str_or(json_get(reply, "profile"), "?")));
	print_notes(c, reply);
	add_offered(c, t, reply, true);
	json_each(note, json_get(reply, "notices"))
		if (str_starts(json_str_or(json_get(note, "id"), ""), "tool:"))
			cli_table_row(t, (const char *const[]){ cli_safe(c->arena, json_get_str(note, "id") + 5), "no",
								cli_safe(c->arena, json_str_or(json_get(note, "message"), "")) });
	cli_table_print(c, t);
	return CH_OK;
}

const struct cli_command cli_tools_explain = {
	.name = "tools explain",
	.summary = "why a session has a tool, or has it not",
	.args = "[<session>]",
	.args_max = 1,
	.opts = (const struct cli_opt[]){ { "agent", 0, "<id>", "of this agent (default: the session's)" }, { 0 } },
	.examples = "  chela tools explain agent:main:main\n",
	.run = run_explain,
};
