/*
 * tools/exec.h - what the gateway has to do with exec beside calling the tool: ends in the background, and approvals
 * that came when the run that had asked was gone.
 */
#ifndef CH_TOOLS_EXEC_H
#define CH_TOOLS_EXEC_H

#include "approvals/approval.h"
#include "exec/process.h"
#include "tools/tool.h"

/* What a session is told of a command that was in the background when the gateway ended. */
const char *exec_lost_text(struct arena *a, const char *process, const char *command);
/* Wakes the session of a command that ended in the background. host: agent_tool_host(). */
void exec_on_done(const struct tool_host *host, const struct process_info *p, const char *tail, size_t len);
/* May one that read nothing from outside when it began have read some since? Its files may have changed. */
bool exec_may_have_read(const struct tool_host *host, const struct process_info *p, struct arena *a, const char **ret_source);
/* Text from outside has come to it, or is about to be typed into it: what it writes is such text, too. */
CH_MUST_USE ch_status exec_taint(const struct tool_host *host, struct process *p, struct arena *a, struct ch_err *err);
/*
 * An exec approval was allowed and nobody waits for it any more (a restart): it is claimed, what was bound is opened
 * again and compared, run in the background, and the session hears of the result. Never twice: the claim is durable.
 */
void exec_resume(const struct tool_host *host, const struct approval *row);

#endif
