/*
 * agent/dispatch.h - the tool calls of one reply: checked, run, bounded, told (private).
 */
#ifndef CH_AGENT_DISPATCH_H
#define CH_AGENT_DISPATCH_H

#include "agent/run.h"

/*
 * Runs r->calls in order; neighbours that may run beside each other do. Every call gets a result, also
 * malformed, unknown and skipped ones: what goes wrong in a call is an answer to the model.
 * CH_E_CANCELED when the run was aborted (some calls are not done then), CH_E_LIMIT when the model repeats itself.
 */
CH_FIBER CH_MUST_USE ch_status dispatch_calls(struct run *r, struct ch_err *err);
/* A result for each call that has none, so that the transcript's pairs are complete. */
void dispatch_close(struct run *r, const char *why);

#endif
