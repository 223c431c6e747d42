/*
 * agent/policy.h - which tools an agent has by the configuration (private).
 *
 * A pipeline in which each layer can only take away: the profile with what alsoAllow adds to it, then
 * allow and deny of `tools`, then those of agents.entries.<id>.tools. Names may hold '*' and be groups
 * ("group:fs"); deny wins.
 */
#ifndef CH_AGENT_POLICY_H
#define CH_AGENT_POLICY_H

#include "config/config.h"
#include "tools/tool.h"

/* ret_allowed: one flag per row of tool_table(). */
void policy_tools(const struct config *c, const char *agent_id, bool *ret_allowed);

#endif
