/*
 * tools/subagents.c - sessions_spawn, subagents, agents_list: work that others do.
 *
 * As in sessions.c the agent does it; here are the rows.
 */
#include <string.h>

#include "core/str.h"
#include "tools/sessions_ops.h"
#include "tools/table.h"

#define RESULT_MAX (96u << 10)

/* Takes the operation's object as the result. */
static ch_status give(struct tool_ctx *ctx, struct buf *out, ch_status st, struct tool_result *ret, struct ch_err *err)
{
	if (!st)
		st = json_parse(ctx->arena, buf_str(out), out->len, JSON_STRICT, &ret->details, err);
	if (!st)
		tool_result_text(ctx, ret, buf_str(out), out->len);
	return st;
}

static ch_status run_spawn(struct tool_ctx *ctx, const struct json *args, struct tool_result *ret, struct ch_err *err)
{
	const struct tool_sessions_ops *ops = ctx->host->sessions_ops;
	CH_AUTO_BUF struct buf out = { 0 };
	struct tool_spawn s = {
		.task = json_get_str(args, "task"), .label = json_get_str(args, "label"), .agent_id = json_get_str(args, "agentId"),
		.model = json_get_str(args, "model"), .thinking = json_get_str(args, "thinking"),
		.context = json_get_str(args, "context"), .cleanup = json_get_str(args, "cleanup"),
		.run_timeout_ms = 1000 * json_get_int(args, "runTimeoutSeconds", 0),
		.is_quiet = !json_get_bool(args, "expectsCompletionMessage", true),
		.needs_sandbox = str_eq(json_get_str(args, "sandbox"), "require"),
	};

	if (str_empty(s.label))
		s.label = json_get_str(args, "taskName");
	buf_init(&out, RESULT_MAX);
	return give(ctx, &out, ops->spawn(ops->arg, ctx, &s, &out, err), ret, err);
}

static CH_FIBER ch_status run_subagents(struct tool_ctx *ctx, const struct json *args, struct tool_result *ret, struct ch_err *err)
{
	const struct tool_sessions_ops *ops = ctx->host->sessions_ops;
	CH_AUTO_BUF struct buf out = { 0 };

	buf_init(&out, 1u << 20);
	return give(ctx, &out, ops->subagents(ops->arg, ctx, args, &out, err), ret, err);
}

static ch_status run_agents(struct tool_ctx *ctx, const struct json *args, struct tool_result *ret, struct ch_err *err)
{
	const struct tool_sessions_ops *ops = ctx->host->sessions_ops;
	CH_AUTO_BUF struct buf out = { 0 };

	buf_init(&out, RESULT_MAX);
	return give(ctx, &out, ops->agents(ops->arg, ctx, &out, err), ret, err);
}

static const char *spawn_meta(struct arena *a, const struct json *args)
{
	const char *label = json_get_str(args, "label"), *task = json_str_or(json_get(args, "task"), "");

	return label ? label : arena_strndup(a, task, utf8_cut(task, strcspn(task, "\r\n"), 80));
}

static const char *action_meta(struct arena *a, const struct json *args)
{
	return json_get_str(args, "action");
}

const struct tool tool_sessions_spawn = {
	.name = "sessions_spawn",
	.label = "Sub-agent",
	.description = "Starts a sub-agent for a task, in a session of its own, and comes back at once. It works beside you; when it has "
		       "ended its last message comes to you as an event, so end your turn instead of polling. Say all it needs to "
		       "know in the task: it sees nothing of this conversation unless context is \"fork\".",
	.schema_json =
		"{\"type\":\"object\",\"properties\":{\"task\":{\"type\":\"string\",\"minLength\":1},\"label\":{\"type\":\"string\","
		"\"description\":\"A few words that name the work.\"},\"taskName\":{\"type\":\"string\"},\"agentId\":{\"type\":\"string\"},"
		"\"model\":{\"type\":\"string\"},\"thinking\":{\"type\":\"string\"},\"runTimeoutSeconds\":{\"type\":\"integer\",\"minimum\":0},"
		"\"context\":{\"type\":\"string\",\"enum\":[\"isolated\",\"fork\"]},\"cleanup\":{\"type\":\"string\",\"enum\":[\"keep\","
		"\"delete\"]},\"sandbox\":{\"type\":\"string\",\"enum\":[\"inherit\",\"require\"]},\"expectsCompletionMessage\":{\"type\":"
		"\"boolean\"}},\"required\":[\"task\"],\"additionalProperties\":false}",
	.risk = TOOL_WRITES,             /* a child has no more rights than its parent */
	.timeout_ms = 15000,
	.out_max_bytes = 4096,
	.group = "sessions",
	.meta = spawn_meta,
	.run = run_spawn,
};

const struct tool tool_subagents = {
	.name = "subagents",
	.label = "Sub-agents",
	.description = "This session's sub-agents: list them; info, log (what one said and did), stop, or send a message to one. target is "
		       "its number in the list, its label or its id; stop takes \"all\" too. They report by themselves: no need to poll.",
	.schema_json =
		"{\"type\":\"object\",\"properties\":{\"action\":{\"type\":\"string\",\"enum\":[\"list\",\"info\",\"log\",\"stop\",\"cancel\","
		"\"send\"]},\"target\":{\"type\":\"string\"},\"taskId\":{\"type\":\"string\"},\"message\":{\"type\":\"string\"},"
		"\"timeoutSeconds\":{\"type\":\"integer\",\"minimum\":0},\"limit\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":200},"
		"\"includeTools\":{\"type\":\"boolean\"}},\"additionalProperties\":false}",
	.risk = TOOL_WRITES,
	.timeout_ms = 660000,            /* of send, which waits at most 600 s */
	.out_max_bytes = RESULT_MAX,
	.group = "sessions",
	.meta = action_meta,
	.run = run_subagents,
};

const struct tool tool_agents_list = {
	.name = "agents_list",
	.label = "Agents",
	.description = "The agents that sessions_spawn may start sub-agents of.",
	.schema_json = "{\"type\":\"object\",\"properties\":{},\"additionalProperties\":false}",
	.risk = TOOL_READS,
	.timeout_ms = 5000,
	.out_max_bytes = 16u << 10,
	.is_parallel = true,
	.flags = TOOL_NOT_SUBAGENT,
	.group = "agents",
	.run = run_agents,
};
