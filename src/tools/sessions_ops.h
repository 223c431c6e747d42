/*
 * tools/sessions_ops.h - what the tools on sessions ask of the agent, which is above them.
 *
 * Every operation is checked against tools.sessions.visibility, agentToAgent and the sub-agent limits by who fills
 * this in; a caller never sees what its grant does not give.
 */
#ifndef CH_TOOLS_SESSIONS_OPS_H
#define CH_TOOLS_SESSIONS_OPS_H

#include "tools/tool.h"

struct tool_spawn {
	const char *task, *label, *agent_id, *model, *thinking;
	const char *context;             /* "isolated", "fork" */
	const char *cleanup;             /* "keep", "delete" */
	int64_t run_timeout_ms;          /* 0: the configuration's */
	bool needs_sandbox;              /* refused where its commands would not be sandboxed */
	bool is_quiet;                   /* the requester does not want to hear of its end */
};
struct tool_sessions_ops {
	void *arg;
	/* Results are JSON objects as the tools return them. */
	CH_MUST_USE ch_status (*list)(void *arg, struct tool_ctx *ctx, const struct json *args, struct buf *ret, struct ch_err *err);
	CH_MUST_USE ch_status (*history)(void *arg, struct tool_ctx *ctx, const struct json *args, struct buf *ret, struct ch_err *err);
	CH_MUST_USE ch_status (*search)(void *arg, struct tool_ctx *ctx, const struct json *args, struct buf *ret, struct ch_err *err);
	CH_FIBER CH_MUST_USE ch_status (*send)(void *arg, struct tool_ctx *ctx, const struct json *args, struct buf *ret, struct ch_err *err);
	CH_MUST_USE ch_status (*spawn)(void *arg, struct tool_ctx *ctx, const struct tool_spawn *s, struct buf *ret, struct ch_err *err);
	/* action list, info, log, stop, send on the caller's sub-agents. */
	CH_FIBER CH_MUST_USE ch_status (*subagents)(void *arg, struct tool_ctx *ctx, const struct json *args, struct buf *ret, struct ch_err *err);
	CH_MUST_USE ch_status (*status)(void *arg, struct tool_ctx *ctx, const struct json *args, struct buf *ret, struct ch_err *err);
	CH_MUST_USE ch_status (*agents)(void *arg, struct tool_ctx *ctx, struct buf *ret, struct ch_err *err);
};

#endif
