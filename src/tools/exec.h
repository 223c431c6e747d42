/*
 * tools/exec.h - what the gateway has to do with exec beside calling the tool: ends in the background, and approvals
 * that came when the run that had asked was gone.
 */
#ifndef CH_TOOLS_EXEC_H
#define CH_TOOLS_EXEC_H

#include "approvals/approval.h"
#include "exec/process.h"
#include "tools/tool.h"

/* Wakes the session of a command that ended in the background. host: agent_tool_host(). */
void exec_on_done(const struct tool_host *host, const struct process_info *p, const char *tail, size_t len);
/*
 * An exec approval was allowed and nobody waits for it any more (a restart): it is claimed, what was bound is opened
 * again and compared, run in the background, and the session hears of the result. Never twice: the claim is durable.
 */
void exec_resume(const struct tool_host *host, const struct approval *row);

#endif
