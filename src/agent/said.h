/*
 * agent/said.h - did somebody else than the model say this? (private)
 *
 * A tainted turn may have been told to put what it knows into an address and to fetch that. So it may fetch only addresses
 * that stand, whole, in a message of the user or in what web_fetch and web_search brought in without having been asked for
 * that very text; any other needs a person's yes (tools/web_fetch).
 */
#ifndef CH_AGENT_SAID_H
#define CH_AGENT_SAID_H

#include "tools/tool.h"

/* struct tool_host was_said; arg is the host. A conversation that is not at hand has said nothing. */
bool said_before(void *arg, const struct tool_ctx *ctx, const char *text);
/* Does `word` stand in text, with nothing beside it that an address could go on with? */
bool said_whole(const char *text, const char *word);

#endif
