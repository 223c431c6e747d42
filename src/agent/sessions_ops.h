/*
 * agent/sessions_ops.h - the operations of the tools on sessions (private): who may see what, and doing it.
 *
 * One judgement, ops_may_see(), stands before every read and every message. What it goes by, narrowest first:
 *	a sub-agent, a turn that does not speak for the owner, and with sandbox.sessionToolsVisibility "spawned" a sandboxed
 *	session see themselves and what they started; the others what tools.sessions.visibility says:
 *	self, tree (and from an agent's main session all of the agent's), agent, all;
 *	other agents' sessions besides as tools.agentToAgent allows, but for those that were started here.
 */
#ifndef CH_AGENT_SESSIONS_OPS_H
#define CH_AGENT_SESSIONS_OPS_H

#include "agent/host.h"
#include "tools/sessions_ops.h"

enum ops_visibility { OPS_SELF, OPS_TREE, OPS_AGENT, OPS_ALL };

struct ops_access {
	struct agent_host *h;
	const char *key, *agent_id;      /* whose eyes; borrowed */
	enum ops_visibility level;
	bool is_clamped;                 /* to the tree, whatever the configuration gives */
	const char *why;                 /* the key that decides, for refusals */
};

void ops_access_of(struct agent_host *h, const struct tool_ctx *ctx, struct ops_access *ret);
bool ops_may_see(const struct ops_access *x, const struct sess *s);
/* Started by `key`, or by one that it started, and so on. */
bool ops_is_below(struct agent_host *h, const struct sess *s, const char *key);
/* The session that the caller names ("current": its own); CH_E_NOT_FOUND also when it may not be seen, CH_E_DENIED never. */
CH_MUST_USE ch_status ops_find(const struct ops_access *x, const char *wanted, struct arena *a, struct sess **ret,
			       struct ch_err *err);
const char *ops_visibility_name(enum ops_visibility v);

/* -- the operations, as in struct tool_sessions_ops; arg is the host -- */
CH_MUST_USE ch_status ops_list(void *arg, struct tool_ctx *ctx, const struct json *args, struct buf *ret, struct ch_err *err);
CH_MUST_USE ch_status ops_history(void *arg, struct tool_ctx *ctx, const struct json *args, struct buf *ret, struct ch_err *err);
CH_MUST_USE ch_status ops_search(void *arg, struct tool_ctx *ctx, const struct json *args, struct buf *ret, struct ch_err *err);
CH_FIBER CH_MUST_USE ch_status ops_send(void *arg, struct tool_ctx *ctx, const struct json *args, struct buf *ret, struct ch_err *err);
CH_FIBER CH_MUST_USE ch_status ops_subagents(void *arg, struct tool_ctx *ctx, const struct json *args, struct buf *ret, struct ch_err *err);
CH_MUST_USE ch_status ops_status(void *arg, struct tool_ctx *ctx, const struct json *args, struct buf *ret, struct ch_err *err);
CH_MUST_USE ch_status ops_agents(void *arg, struct tool_ctx *ctx, struct buf *ret, struct ch_err *err);

/* A window of a conversation, as a tool gives it away: redacted, long texts cut, OPS_PAGE_BYTES in all. */
#define OPS_TEXT_CHARS 4000
#define OPS_PAGE_BYTES (80u << 10)
struct ops_page {
	const char *session_id;          /* NULL: the current window */
	size_t limit;                    /* newest messages; at most OPS_PAGE_MESSAGES */
	int64_t before_seq;              /* 0: from the end */
	bool with_tools;
};
#define OPS_PAGE_MESSAGES 200
struct ops_page_told { size_t count, dropped; int64_t first_seq; bool is_cut, is_redacted; };
/* The array of messages. */
CH_MUST_USE ch_status ops_put_messages(struct agent_host *h, const struct sess *s, const struct ops_page *page, struct jw *w,
				       struct ops_page_told *ret, struct ch_err *err);
void sessions_ops_init(struct agent_host *h);

#endif
