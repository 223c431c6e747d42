/*
 * tools/sessions.c - sessions_list, sessions_history, sessions_search, sessions_send: the other conversations.
 *
 * The agent (sessions_ops.h) judges what may be seen and does it; here are the rows.
 */
#include <string.h>

#include "sessions/session.h"
#include "tools/sessions_ops.h"
#include "tools/table.h"

#define RESULT_MAX (96u << 10)

typedef ch_status (*op_fn)(void *arg, struct tool_ctx *ctx, const struct json *args, struct buf *ret, struct ch_err *err);

static CH_FIBER ch_status answer(op_fn op, struct tool_ctx *ctx, const struct json *args, struct tool_result *ret, struct ch_err *err)
{
	CH_AUTO_BUF struct buf out = { 0 };
	ch_status st;

	buf_init(&out, 1u << 20);
	st = op(ctx->host->sessions_ops->arg, ctx, args, &out, err);
	if (!st)
		st = json_parse(ctx->arena, buf_str(&out), out.len, JSON_STRICT, &ret->details, err);
	if (st)
		return st;
	tool_result_text(ctx, ret, buf_str(&out), out.len);
	return CH_OK;
}

#define RUN(name, op)                                                                                                    \
	static CH_FIBER ch_status name(struct tool_ctx *ctx, const struct json *args, struct tool_result *ret, struct ch_err *err) \
	{                                                                                                                \
		return answer(ctx->host->sessions_ops->op, ctx, args, ret, err);                                         \
	}
RUN(run_list, list)
RUN(run_history, history)
RUN(run_search, search)
RUN(run_send, send)
#undef RUN

static const char *key_meta(struct arena *a, const struct json *args)
{
	return json_get_str(args, "sessionKey");
}

static const char *query_meta(struct arena *a, const struct json *args)
{
	return json_get_str(args, "query");
}

/* A conversation with people on a channel is beyond this machine; the agent's own sessions are not. */
static bool send_has_effects(const struct tool_ctx *ctx, const struct json *args)
{
	CH_AUTO(sess_unref) struct sess *s = NULL;
	const char *key = json_get_str(args, "sessionKey");
	struct sess_key parsed;

	if (!key || sess_key_parse(ctx->arena, key, ctx->agent_id, &parsed, NULL) ||
	    sess_find(ctx->host->sessions, parsed.key, &s, NULL))
		return true;
	return s->channel != NULL;
}

const struct tool tool_sessions_list = {
	.name = "sessions_list",
	.label = "Sessions",
	.description = "Lists the sessions that you may see, newest first: keys, kinds, labels, state. Not what was said in them.",
	.schema_json =
		"{\"type\":\"object\",\"properties\":{\"kinds\":{\"type\":\"array\",\"items\":{\"type\":\"string\",\"enum\":[\"main\",\"group\","
		"\"cron\",\"hook\",\"node\",\"other\"]}},\"limit\":{\"type\":\"integer\",\"minimum\":1},\"offset\":{\"type\":\"integer\","
		"\"minimum\":0},\"activeMinutes\":{\"type\":\"integer\",\"minimum\":1},\"activeOnly\":{\"type\":\"boolean\"},"
		"\"excludeSubagents\":{\"type\":\"boolean\"},\"group\":{\"type\":\"string\"},\"label\":{\"type\":\"string\",\"minLength\":1},"
		"\"agentId\":{\"type\":\"string\",\"minLength\":1},\"search\":{\"type\":\"string\",\"minLength\":1},\"archived\":{"
		"\"description\":\"true, false or \\\"all\\\".\"},\"includeDerivedTitles\":{\"type\":\"boolean\"},\"includeLastMessage\":"
		"{\"type\":\"boolean\"}},\"additionalProperties\":false}",
	.risk = TOOL_READS,
	.timeout_ms = 10000,
	.out_max_bytes = RESULT_MAX,
	.is_parallel = true,
	.group = "sessions",
	.run = run_list,
};

const struct tool tool_sessions_history = {
	.name = "sessions_history",
	.label = "Session History",
	.description = "Reads the newest messages of a session, without tool results unless includeTools. offset skips that many "
		       "from the end; messageId (of a search hit) reads around it.",
	.schema_json =
		"{\"type\":\"object\",\"properties\":{\"sessionKey\":{\"type\":\"string\",\"minLength\":1},\"limit\":{\"type\":\"integer\","
		"\"minimum\":1,\"maximum\":200},\"offset\":{\"type\":\"integer\",\"minimum\":0},\"messageId\":{\"type\":\"string\","
		"\"minLength\":1},\"sessionId\":{\"type\":\"string\",\"minLength\":1},\"includeTools\":{\"type\":\"boolean\"}},"
		"\"required\":[\"sessionKey\"],\"additionalProperties\":false}",
	.risk = TOOL_READS,
	.timeout_ms = 10000,
	.out_max_bytes = RESULT_MAX,
	.is_parallel = true,
	.group = "sessions",
	.meta = key_meta,
	.run = run_history,
};

const struct tool tool_sessions_search = {
	.name = "sessions_search",
	.label = "Session Search",
	.description = "Finds what was said in the sessions that you may see: words and \"quoted phrases\", all of which must occur.",
	.schema_json =
		"{\"type\":\"object\",\"properties\":{\"query\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":4096},\"sessionKey\":{"
		"\"type\":\"string\",\"minLength\":1},\"limit\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":25}},\"required\":[\"query\"],"
		"\"additionalProperties\":false}",
	.risk = TOOL_READS,
	.timeout_ms = 10000,
	.out_max_bytes = RESULT_MAX,
	.is_parallel = true,
	.group = "sessions",
	.meta = query_meta,
	.run = run_search,
};

const struct tool tool_sessions_send = {
	.name = "sessions_send",
	.label = "Session Send",
	.description = "Sends a message to another session, whose agent answers it in a turn of its own. Waits timeoutSeconds (30) for "
		       "the answer; 0 does not wait. An answer that comes later is not sent here: read it with sessions_history.",
	.schema_json =
		"{\"type\":\"object\",\"properties\":{\"sessionKey\":{\"type\":\"string\",\"minLength\":1},\"label\":{\"type\":\"string\","
		"\"minLength\":1,\"maxLength\":512},\"agentId\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":64},\"message\":{"
		"\"type\":\"string\",\"minLength\":1},\"timeoutSeconds\":{\"type\":\"integer\",\"minimum\":0}},\"required\":[\"message\"],"
		"\"additionalProperties\":false}",
	.risk = TOOL_SENDS,
	.timeout_ms = 660000,            /* the wait itself is shorter */
	.out_max_bytes = RESULT_MAX,
	.group = "sessions",
	.has_effects = send_has_effects,
	.meta = key_meta,
	.run = run_send,
};
