/*
 * agent/subagent.h - runs that a run started for a task of their own, in sessions of their own.
 *
 * Key     "agent:<agent>:subagent:<uuid>", and ":subagent:<uuid>" once more for each level below: how deep one is stands in
 *         its key (policy_depth).
 * Rights  a child has at most the tools, the permission mode and the owner's word of who started it, and all of its taint.
 * States  running -> done | failed | timeout | stopped | lost. lost: the gateway stopped while it ran; it is not begun again.
 * Told    the requester hears of the end once: announced_at is set in the transaction of the input that tells it
 *         (agent/wake.h). What its requester or its person stopped is not told, nor a result of ANNOUNCE_SKIP alone.
 * Limits  of the configuration: agents.defaults.subagents and agents.entries.<id>.subagents.
 * Cost    of children is in the ledger under their agent: budgets of a day and of an agent hold for them as for anybody.
 */
#ifndef CH_AGENT_SUBAGENT_H
#define CH_AGENT_SUBAGENT_H

#include "agent/host.h"
#include "tools/sessions_ops.h"

#define SUBAGENT_DEPTH_MAX 5             /* maxSpawnDepth, at most and when unset */
#define SUBAGENT_CHILDREN_DEFAULT 5      /* running ones of a session */
#define SUBAGENT_CHILDREN_MAX 20
#define SUBAGENT_CONCURRENT_DEFAULT 8    /* running ones of all sessions */
#define SUBAGENT_ARCHIVE_MINUTES 60
#define SUBAGENT_TASK_MAX (64u << 10)    /* bytes */
#define SUBAGENT_LIST_MAX 100

/* A row; lives on the arena it was read to. */
struct subagent {
	const char *run_id, *child_key, *requester_key, *agent_id, *task, *label, *cleanup, *status, *result;
	int depth;
	bool announces;
	int64_t created_at, ended_at, announced_at, archive_at;
};

/* -- subagent_rows.c -- */
/* Newest first, SUBAGENT_LIST_MAX at most; requester_key NULL: all. */
CH_MUST_USE ch_status subagents_list(struct agent_host *h, const char *requester_key, struct arena *a, const struct subagent **ret,
				     size_t *ret_count, struct ch_err *err);
/* By run id, child's key, label, "#2" or "2" (of the list), or a beginning of id or label that only one has. */
CH_MUST_USE ch_status subagent_find(struct agent_host *h, const char *requester_key, const char *wanted, struct arena *a,
				    struct subagent *ret, struct ch_err *err);
CH_MUST_USE ch_status subagent_by_run(struct agent_host *h, const char *run_id, struct arena *a, struct subagent *ret,
				      struct ch_err *err);
struct subagent_counts { int64_t running, done, failed, timeout, stopped, lost; };
CH_MUST_USE ch_status subagents_count(struct agent_host *h, struct subagent_counts *ret, struct ch_err *err);
CH_MUST_USE ch_status subagents_running(struct agent_host *h, const char *requester_key, int64_t *ret_count, struct ch_err *err);
/* In the open transaction. */
CH_MUST_USE ch_status subagent_insert(struct agent_host *h, const struct subagent *s, const char *requester_run,
				      struct ch_err *err);
/* It has ended; announced_at 0: it is still to be told. CH_E_CONFLICT: it had been told. */
CH_MUST_USE ch_status subagent_write_end(struct agent_host *h, const struct subagent *s, struct ch_err *err);
CH_MUST_USE ch_status subagent_write_archived(struct agent_host *h, const char *run_id, struct ch_err *err);

/* -- subagent_spawn.c -- */
CH_MUST_USE ch_status subagent_spawn(struct agent_host *h, const struct tool_ctx *ctx, const struct tool_spawn *s,
				     struct buf *ret, struct ch_err *err);
/* May this agent start sub-agents of that one (allowAgents)? */
bool subagent_may_start(const struct config *c, const char *agent_id, const char *target_id);
int64_t subagent_setting(const struct config *c, const char *agent_id, const char *key, int64_t def);

/* -- subagent.c -- */
void subagents_init(struct agent_host *h);
void subagents_done(struct agent_host *h);
/* Something may have ended, or is due for the archive: looks soon. */
void subagents_kick(struct agent_host *h);
/* A run of this session is over. */
void subagents_run_ended(struct agent_host *h, const char *session_key);
/* Stops it and all below it; its requester is not told. */
CH_MUST_USE ch_status subagent_stop(struct agent_host *h, const struct subagent *s, const char *origin, struct ch_err *err);
/* All running ones of the session, or of that run of it; how many were stopped. Failures are logged. */
size_t subagents_stop_of(struct agent_host *h, const char *requester_key, const char *requester_run, const char *origin);

#endif
