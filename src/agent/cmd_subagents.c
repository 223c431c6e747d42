/*
 * agent/cmd_subagents.c - /subagents: a person looks at the session's sub-agents, stops them, speaks to them, starts one.
 */
#include "agent/command.h"

#include <inttypes.h>
#include <string.h>

#include "agent/policy.h"
#include "agent/sessions_ops.h"
#include "agent/subagent.h"
#include "core/clock.h"
#include "core/str.h"

#define LOG_MESSAGES 10
#define TASK_CHARS 80

static const char *title_of(const struct subagent *s, struct arena *a)
{
	if (s->label)
		return s->label;
	return arena_strndup(a, s->task, utf8_cut(s->task, strcspn(s->task, "\r\n"), TASK_CHARS));
}

static void put_line(struct run *r, const struct subagent *s, size_t number, struct buf *out)
{
	int64_t seconds = ((s->ended_at ? s->ended_at : now_wall_ms()) - s->created_at) / 1000;

	buf_printf(out, "%zu. %s: %s, %" PRId64 "m%02ds (`%s`)\n", number, title_of(s, r->arena), s->status, seconds / 60,
		   (int)(seconds % 60), s->run_id);
}

static ch_status list(struct run *r, struct buf *out, struct ch_err *err)
{
	const struct subagent *all;
	size_t n;
	ch_status st = subagents_list(r->host, r->session_key, r->arena, &all, &n, err);

	if (st)
		return st;
	if (!n)
		buf_puts(out, "This session has started no sub-agents.");
	for (size_t i = 0; i < n; i++)
		put_line(r, &all[i], i + 1, out);
	return CH_OK;
}

static ch_status info(struct run *r, const struct subagent *s, struct buf *out)
{
	buf_printf(out, "%s\nStatus: %s\nRun: `%s`\nSession: `%s`\nAgent: %s, depth %d\nAfterwards: %s\n", title_of(s, r->arena), s->status,
		   s->run_id, s->child_key, s->agent_id, s->depth, s->cleanup);
	buf_printf(out, "Told: %s\n", !s->announces ? "not wanted" : s->announced_at ? "yes" : "not yet");
	buf_printf(out, "\nTask:\n%s\n", s->task);
	if (s->result)
		buf_printf(out, "\nResult:\n%s\n", s->result);
	return CH_OK;
}

static void put_message(const struct json *m, struct buf *out)
{
	buf_printf(out, "**%s**: %s\n", json_get_str(m, "role"), json_str_or(json_get(m, "text"), ""));
	json_each(call, json_get(m, "toolCalls"))
		buf_printf(out, "- %s %s\n", json_get_str(call, "name"), json_get_str(call, "arguments"));
}

/* "[limit] [tools]" */
static ch_status show_log(struct run *r, const struct subagent *s, const char *args, struct buf *out, struct ch_err *err)
{
	struct ops_page page = { .limit = LOG_MESSAGES };
	CH_AUTO(sess_unref) struct sess *child = NULL;
	CH_AUTO_BUF struct buf text = { 0 };
	struct jw w = JW(&text);
	struct ops_page_told told;
	struct json *messages;
	const char *word;
	int64_t limit;
	ch_status st;

	while ((word = command_word(r->arena, &args))) {
		page.with_tools |= str_ieq(word, "tools");
		if (str_to_i64(word, &limit) && limit > 0)
			page.limit = (size_t)limit;
	}
	st = sess_find(r->host->opts.sessions, s->child_key, &child, err);
	if (st)
		return st;
	buf_init(&text, 1u << 20);
	st = ops_put_messages(r->host, child, &page, &w, &told, err);
	if (!st)
		st = buf_status(&text, err, "the log");
	if (!st)
		st = json_parse(r->arena, buf_str(&text), text.len, JSON_STRICT, &messages, err);
	if (st)
		return st;
	json_each(m, messages)
		put_message(m, out);
	if (!told.count)
		buf_puts(out, "It has said nothing yet.");
	return CH_OK;
}

static ch_status stop_all(struct run *r, struct buf *out)
{
	buf_printf(out, "Stopped %zu sub-agents.", subagents_stop_of(r->host, r->session_key, NULL, "subagents"));
	return CH_OK;
}

/* A call as the session's own agent would make it, for the person who typed the command. */
static struct tool_ctx context_of(struct run *r, struct tool_grant *grant)
{
	*grant = (struct tool_grant){ .is_owner = r->sender_is_owner, .is_tainted = r->sess->tainted_at > 0,
				      .mode = tool_mode_parse(r->sess->permission_mode), .depth = policy_depth(r->session_key) };
	return (struct tool_ctx){ .agent_id = r->agent_id, .session_key = r->session_key, .arena = r->arena,
				  .host = &r->host->tool_host, .grant = grant };
}

static ch_status spawn(struct run *r, const char *task, struct buf *out, struct ch_err *err)
{
	struct tool_spawn s = { .task = task };
	CH_AUTO_BUF struct buf answer = { 0 };
	struct tool_grant grant;
	struct tool_ctx ctx = context_of(r, &grant);
	struct json *v;
	ch_status st;

	buf_init(&answer, 65536);
	st = subagent_spawn(r->host, &ctx, &s, &answer, err);
	if (!st)
		st = json_parse(r->arena, buf_str(&answer), answer.len, JSON_STRICT, &v, err);
	if (!st)
		buf_printf(out, "Started a sub-agent (`%s`). Its result comes to this session.", json_get_str(v, "runId"));
	return st;
}

static ch_status speak(struct run *r, const struct subagent *s, const char *message, struct buf *out, struct ch_err *err)
{
	struct json *args = json_new_obj(r->arena);
	CH_AUTO_BUF struct buf answer = { 0 };
	struct tool_grant grant;
	struct tool_ctx ctx = context_of(r, &grant);
	ch_status st;

	buf_init(&answer, 65536);
	json_set(r->arena, args, "action", json_new_str(r->arena, "send"));
	json_set(r->arena, args, "target", json_new_str(r->arena, s->run_id));
	json_set(r->arena, args, "message", json_new_str(r->arena, message));
	json_set(r->arena, args, "timeoutSeconds", json_new_int(r->arena, 0));
	st = ops_subagents(r->host, &ctx, args, &answer, err);
	if (!st)
		buf_printf(out, "Sent. `/subagents log %s` shows what it makes of it.", s->run_id);
	return st;
}

static ch_status on_one(struct run *r, const char *action, const char *args, struct buf *out, struct ch_err *err)
{
	const char *wanted = command_word(r->arena, &args);
	struct subagent s;
	ch_status st;

	if (str_ieq(action, "stop") && str_ieq(wanted, "all"))
		return stop_all(r, out);
	st = subagent_find(r->host, r->session_key, wanted, r->arena, &s, err);
	if (st)
		return st;
	args += strspn(args, " \t");
	if (str_ieq(action, "info"))
		return info(r, &s, out);
	if (str_ieq(action, "log"))
		return show_log(r, &s, args, out, err);
	if (str_ieq(action, "send"))
		return speak(r, &s, args, out, err);
	st = subagent_stop(r->host, &s, "subagents", err);
	if (!st)
		buf_printf(out, "Stopped %s.", title_of(&s, r->arena));
	return st;
}

static const char *const actions[] = { "list", "info", "log", "send", "spawn", "stop", NULL };

static ch_status run(struct run *r, const char *args, struct buf *out, struct ch_err *err)
{
	const char *action = command_word(r->arena, &args);

	if (!action || str_ieq(action, "list"))
		return list(r, out, err);
	args += strspn(args, " \t");
	if (str_ieq(action, "spawn"))
		return spawn(r, args, out, err);
	for (const char *const *at = actions; *at; at++)
		if (str_ieq(*at, action))
			return on_one(r, action, args, out, err);
	return ch_fail(err, CH_E_INVALID, "/subagents knows list, info, log, send, spawn and stop, not '%.40s'", action);
}

const struct slash_command cmd_subagents = {
	.name = "subagents",
	.description = "Show, stop, start and speak to this session's sub-agents.",
	.args_hint = "[list | info <id|#> | log <id|#> [limit] [tools] | send <id|#> <message> | spawn <task> | stop <id|#|all>]",
	.category = "management",
	.args = (const struct slash_arg[]){ { "action", "What to do", actions }, { "target", "Its number, label or id" }, { 0 } },
	.when = SLASH_BESIDE,
	.flags = SLASH_PARKS,
	.run = run,
};
