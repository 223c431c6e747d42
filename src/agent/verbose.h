/*
 * agent/verbose.h - what a turn says of itself when the session wants to know (private).
 */
#ifndef CH_AGENT_VERBOSE_H
#define CH_AGENT_VERBOSE_H

#include "agent/run.h"
#include "tools/tool.h"

/* Before each request: which tier, which thoughts are shown. */
void verbose_prepare(struct run *r);
/* A line of its own in the conversation as a tool starts; with "full" another one with what came out. */
void verbose_started(struct run *r, const struct tool *t, const struct run_call *call);
void verbose_ended(struct run *r, const struct tool *t, const struct run_call *call);

#endif
