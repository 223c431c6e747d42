/*
 * agent/cmd_info.c - commands that only look: /help, /commands, /status, /whoami, /tools, /agents, /diagnostics.
 */
#include "agent/command.h"

#include <inttypes.h>
#include <string.h>

#include "agent/home.h"
#include "core/clock.h"
#include "core/mem.h"
#include "core/str.h"

static void put_line(struct buf *out, const struct slash_command *c)
{
	buf_printf(out, "- `/%s%s%s` - %s\n", c->name, c->args_hint ? " " : "", c->args_hint ? c->args_hint : "",
		   c->description);
}

static ch_status do_help(struct run *r, const char *args, struct buf *out, struct ch_err *err)
{
	size_t n;
	const struct slash_command *const *all = slash_commands(&n);

	buf_puts(out, "Commands:\n\n");
	for (size_t i = 0; i < n; i++)
		if (slash_is_listed(all[i], host_config(r->host)))
			put_line(out, all[i]);
	buf_puts(out, "\nEverything else goes to the model.");
	return CH_OK;
}

const struct slash_command cmd_help = {
	.name = "help",
	.description = "Show the commands.",
	.category = "status",
	.run = do_help,
};

static ch_status do_commands(struct run *r, const char *args, struct buf *out, struct ch_err *err)
{
	static const char *const categories[] = { "session", "options", "status", "management", "tools" };
	size_t n;
	const struct slash_command *const *all = slash_commands(&n);

	for (size_t k = 0; k < CH_ARRAY_LEN(categories); k++) {
		bool is_first = true;

		for (size_t i = 0; i < n; i++) {
			const struct slash_command *c = all[i];

			if (!str_eq(c->category, categories[k]) || !slash_is_listed(c, host_config(r->host)))
				continue;
			if (is_first)
				buf_printf(out, "%s**%s**\n\n", out->len ? "\n" : "", categories[k]);
			is_first = false;
			put_line(out, c);
			for (const char *const *alias = c->aliases; alias && *alias; alias++)
				buf_printf(out, "  - also `/%s`\n", *alias);
		}
	}
	return CH_OK;
}

const struct slash_command cmd_commands = {
	.name = "commands",
	.description = "Show all commands by kind, with their other names.",
	.category = "status",
	.run = do_commands,
};

static ch_status do_status(struct run *r, const char *args, struct buf *out, struct ch_err *err)
{
	return status_text(r->host, r->sess, out, err);
}

const struct slash_command cmd_status = {
	.name = "status",
	.description = "Show model, context, cost and queue of this session.",
	.category = "status",
	.run = do_status,
};

static ch_status do_whoami(struct run *r, const char *args, struct buf *out, struct ch_err *err)
{
	const struct run_channel *from = r->from;

	if (from)
		buf_printf(out, "You are `%s:%s`%s, writing on account `%s`", from->channel, from->sender_id ? from->sender_id : "unknown",
			   r->sender_is_owner ? ", the owner of this gateway" : ", a guest of this gateway",
			   from->account ? from->account : "default");
	else
		buf_printf(out, "You are the owner of this gateway, writing by `%s`", r->channel ? r->channel : "unknown");
	buf_printf(out, " in session `%s` of agent `%s`.", r->session_key, r->agent_id);
	return CH_OK;
}

const struct slash_command cmd_whoami = {
	.name = "whoami",
	.aliases = (const char *const[]){ "id", NULL },
	.description = "Show who you are to the gateway.",
	.category = "status",
	.run = do_whoami,
};

/* First sentence of a tool's description: what a person wants to know of it. */
static size_t first_sentence(const char *text)
{
	const char *end = strstr(text, ". ");
	size_t n = end ? (size_t)(end - text) + 1 : strlen(text);

	return CH_MIN(n, utf8_cut(text, strlen(text), 200));
}

static ch_status do_tools(struct run *r, const char *args, struct buf *out, struct ch_err *err)
{
	CH_AUTO(home_unref) struct home *home = NULL;
	CH_AUTO(policy_unref) struct policy *policy = NULL;
	bool is_verbose = str_ieq(args, "verbose");
	size_t shown = 0;
	ch_status st;

	if (*args && !is_verbose && !str_ieq(args, "compact"))
		return ch_fail(err, CH_E_INVALID, "/tools takes 'compact' or 'verbose', not '%.60s'", args);
	st = home_open(r->host, r->agent_id, &home, err);
	if (st)
		return st;
	policy = policy_of_session(r->host, home, r->session_key, r->sess, NULL,
				   &(struct policy_want){ .is_owner = r->sender_is_owner });
	buf_printf(out, "Tools of agent `%s`:%s", r->agent_id, is_verbose ? "\n\n" : " ");
	for (size_t i = 0; i < policy->tools->len; i++) {
		const struct tool *t = policy_tool(policy, policy->tools->at[i].tool->name);

		if (!t)
			continue;
		if (is_verbose)
			buf_printf(out, "- `%s` - %.*s\n", t->name, (int)first_sentence(t->description), t->description);
		else
			buf_printf(out, "%s`%s`", shown ? ", " : "", t->name);
		shown++;
	}
	if (!shown)
		buf_puts(out, "none; `chela tools explain` says why.");
	return CH_OK;
}

const struct slash_command cmd_tools = {
	.name = "tools",
	.description = "List the tools that the agent has here.",
	.args_hint = "[compact | verbose]",
	.category = "status",
	.args = (const struct slash_arg[]){
		{ "mode", "compact or verbose", (const char *const[]){ "compact", "verbose", NULL } }, { 0 } },
	.run = do_tools,
};

static ch_status do_agents(struct run *r, const char *args, struct buf *out, struct ch_err *err)
{
	struct agent_host *h = r->host;
	const struct agent_info *all;
	size_t n = agents_list(host_config(h), h->opts.state_dir, r->arena, &all);

	buf_puts(out, "Agents:\n\n");
	for (size_t i = 0; i < n; i++)
		buf_printf(out, "- `%s`%s%s%s%s%s\n", all[i].id, all[i].emoji ? " " : "", all[i].emoji ? all[i].emoji : "",
			   all[i].name ? " " : "", all[i].name ? all[i].name : "", all[i].is_default ? " (default)" : "");
	return CH_OK;
}

const struct slash_command cmd_agents = {
	.name = "agents",
	.description = "List the agents of this gateway.",
	.category = "status",
	.run = do_agents,
};

static ch_status do_diagnostics(struct run *r, const char *args, struct buf *out, struct ch_err *err)
{
	struct agent_host *h = r->host;
	size_t cursor = 0, desks = 0, waiting = 0;
	const char *key;
	void *value;

	while (map_each(h->desks, &cursor, &key, &value)) {
		desks++;
		waiting += ((struct desk *)value)->queued;
	}
	buf_printf(out, "chela %s\n\n- State: `%s`\n- Turns: %zu running, %zu messages waiting\n- Sessions in memory: %zu\n"
		   "- Loop: %zu fibers\n\n`chela logs --follow` shows the log, `chela health` the gateway's health. Nothing "
		   "was sent anywhere.", CHELA_VERSION, h->opts.state_dir, h->active, waiting, desks,
		   loop_fibers(h->opts.loop));
	return CH_OK;
}

const struct slash_command cmd_diagnostics = {
	.name = "diagnostics",
	.description = "Show what helps when something is wrong.",
	.category = "status",
	.run = do_diagnostics,
};
