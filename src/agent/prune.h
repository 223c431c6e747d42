/*
 * agent/prune.h - old tool results leave the view when a provider's cache has forgotten them anyway (private).
 *
 * agents.defaults.contextPruning: mode cache-ttl prunes when the last reply is older than ttl and the window is
 * filled by 30 %: long results keep their ends. Is it filled by half then, old results give way to a placeholder.
 * Results since the last three replies stay, and so does the transcript. Unset it is on for Anthropic, with one hour.
 */
#ifndef CH_AGENT_PRUNE_H
#define CH_AGENT_PRUNE_H

#include "agent/run.h"

/* Before a request. A failure to write the mark leaves the view as it was. */
CH_MUST_USE ch_status prune_if_due(struct run *r, struct ch_err *err);

#endif
