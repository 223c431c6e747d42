/*
 * agent/wake.h - a session hears of something that happened without its person: a command that ended, a sub-agent's
 * result, an approval that came after a restart.
 *
 * It becomes an input of the session, with a turn of its own, or is taken up by the turn that runs (steer). The input
 * says what it is (provenance in its meta: {kind:"internal", source}) and is no person's word: is_tainted marks the turn.
 * Once     (kind, id) is the idempotency key: a second call finds the first and does nothing.
 * Durable  when it returns CH_OK; with `in_tx` set the caller's open transaction carries it (and its own mark with it).
 * Burst    at most WAKE_BURST turns in WAKE_BURST_MS per session; later ones wait and are told together.
 */
#ifndef CH_AGENT_WAKE_H
#define CH_AGENT_WAKE_H

#include "agent/agent.h"
#include "tools/tool.h"

#define WAKE_BURST 5
#define WAKE_BURST_MS 60000

CH_MUST_USE ch_status agent_wake(struct agent_host *h, const struct tool_wake *w, struct ch_err *err);

#endif
