/*
 * tools/session_status.c - session_status: the session, its model and what it cost, and the time.
 *
 * The prompt has a date but no clock, so that it stays cacheable; this is where a
 * model looks for the time.
 */
#include <inttypes.h>
#include <string.h>

#include "tools/sessions_ops.h"
#include "tools/table.h"

/* One line per member of the host's object; nested objects as "a.b". */
static void line(struct buf *out, const struct json *v)
{
	buf_printf(out, "%s: ", v->key);
	if (json_is(v, JSON_STR))
		buf_append(out, v->str, v->len);
	else
		json_write(out, v, 0);
	buf_putc(out, '\n');
}

/* Its own session's, unless another one is named. */
static ch_status gather(struct tool_ctx *ctx, const struct json *args, struct buf *ret, struct ch_err *err)
{
	const struct tool_host *host = ctx->host;

	if (host && host->sessions_ops && json_get(args, "sessionKey"))
		return host->sessions_ops->status(host->sessions_ops->arg, ctx, args, ret, err);
	if (!host || !host->session_status)
		return ch_fail(err, CH_E_UNSUPPORTED, "session_status is not available here");
	return host->session_status(host->arg, ctx->session_key, ret, err);
}

static ch_status status_run(struct tool_ctx *ctx, const struct json *args, struct tool_result *ret,
			    struct ch_err *err)
{
	CH_AUTO_BUF struct buf text = { 0 }, lines = { 0 };
	struct json *status = NULL;
	ch_status st;

	buf_init(&text, 64u << 10);
	buf_init(&lines, 64u << 10);
	st = gather(ctx, args, &text, err);
	if (!st)
		st = json_parse(ctx->arena, buf_str(&text), text.len, JSON_STRICT, &status, err);
	if (st)
		return st;
	json_each(v, status) {
		if (!json_is(v, JSON_OBJ)) {
			line(&lines, v);
			continue;
		}
		json_each(sub, v) {
			buf_printf(&lines, "%s.", v->key);
			line(&lines, sub);
		}
	}
	st = buf_status(&lines, err, "the status");
	if (st)
		return st;
	tool_result_text(ctx, ret, buf_str(&lines), lines.len ? lines.len - 1 : 0);
	ret->details = status;
	return CH_OK;
}

const struct tool tool_session_status = {
	.name = "session_status",
	.label = "Session Status",
	.description = "The current date and time, and facts about this session, or another one that you may see (sessionKey): model, "
		       "tokens, cost, workspace.",
	.schema_json = "{\"type\":\"object\",\"properties\":{\"sessionKey\":{\"type\":\"string\",\"minLength\":1}},"
		       "\"additionalProperties\":false}",
	.risk = TOOL_READS,
	.timeout_ms = 5000,
	.out_max_bytes = 16u << 10,
	.is_parallel = true,
	.run = status_run,
};
