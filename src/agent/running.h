/*
 * agent/running.h - commands that run, on record while they do.
 *
 * Two kinds are kept: those that run in the background, because their session hears of the end also when that was the
 * gateway's; and those that may write text from outside, because what they wrote is known only when they have ended.
 *
 * A row   of tool_calls with the run id RUNNING_RUN, which no run has: the command outlives its call, whose own row goes with the
 *         call's result (agent/tool_journal.h). started_at is since when what it writes counts; `result` has the rest.
 * Ends    with the command. What a killed gateway has left is taken up by the next one: no command outlives a gateway, so
 *         each has ended.
 * Once    the telling has the id that the end's own telling would have (agent/wake.h).
 */
#ifndef CH_AGENT_RUNNING_H
#define CH_AGENT_RUNNING_H

#include "agent/agent.h"
#include "tools/command_ops.h"

#define RUNNING_RUN "(command)"

struct db;
struct process_info;

/* struct tool_command_ops keep and settle; arg is the host. */
CH_MUST_USE ch_status running_keep(void *host, const struct command_record *c, struct ch_err *err);
CH_FIBER void running_settle(void *host, const char *id);
/* Of a command that has ended in the background or was stopped: struct process_ops on_end. Must not park. */
void running_ended(struct agent_host *h, const struct process_info *p);
/* After agent_host_recover(): what the last gateway left is told and settled, in a fiber. */
void running_recover(struct agent_host *h);

/* Does a command that may write such text write below root? */
bool running_writes(struct db *db, const char *root);
/* And was this file (real, absolute) changed since it began? */
bool running_has_written(struct db *db, const char *root, const char *file);

#endif
