/*
 * agent/tool_journal.h - calls that act, on record before they run (table tool_calls).
 *
 * A row is written with the reply that makes the call, in a durable transaction; the first of a reply is begun with that, each
 * later one when its turn comes (started_at; 0: not yet). So what is not on disk as begun has not begun. A call's result
 * follows when the call has ended and others of the reply have not; the results of all take the rows away when they are
 * committed to the transcript. So what the table holds at start-up was cut by a crash: those results are put into the
 * transcript, the other calls get one that says that they may have been carried out, and nothing is run again.
 * Calls that only read are not on record.
 */
#ifndef CH_AGENT_TOOL_JOURNAL_H
#define CH_AGENT_TOOL_JOURNAL_H

#include "agent/run.h"

/* Does the reply make calls that act? */
bool journal_is_due(const struct run *r);
/* In the open transaction that writes the reply. */
CH_MUST_USE ch_status journal_begin(struct run *r, struct ch_err *err);
/* The call is about to run. */
CH_MUST_USE ch_status journal_launch(struct run *r, struct run_call *call, struct ch_err *err);
/* The call has its result. */
CH_MUST_USE ch_status journal_finish(struct run *r, const struct run_call *call, struct ch_err *err);
/* In the open transaction that writes the results. */
CH_MUST_USE ch_status journal_clear(struct run *r, struct ch_err *err);
/* Start-up, before input_recover(), which marks what comes after the results. */
CH_MUST_USE ch_status journal_recover(struct sess_store *sessions, struct ch_err *err);

#endif
