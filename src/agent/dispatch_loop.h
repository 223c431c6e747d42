/*
 * agent/dispatch_loop.h - does the model go round in circles? (private to dispatch.c)
 *
 * Always   the same call with the same result, one right after the other: at the RUN_SAME_CALLS_MAX-th the model is told
 *          instead, the next ends the turn. A call that is repeated to see what changed (process poll) is none.
 * Enabled  (tools.loopDetection.enabled) also the same call with the same result LOOP_SAME times among the last LOOP_WINDOW,
 *          and two calls that take turns LOOP_PAIRS times without news. The first time the model is told, the second
 *          ends the turn.
 */
#ifndef CH_AGENT_DISPATCH_LOOP_H
#define CH_AGENT_DISPATCH_LOOP_H

#include "agent/run.h"

/* CH_E_LIMIT: the turn ends. *ret_why: what the model is told instead of a result, on the round's arena; NULL: it may run. */
CH_MUST_USE ch_status loop_check(struct run *r, const struct run_call *call, const char **ret_why, struct ch_err *err);
/* It has its result. */
void loop_note(struct run *r, const struct run_call *call);

#endif
