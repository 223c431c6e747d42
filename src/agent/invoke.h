/*
 * agent/invoke.h - one tool called by a client, without a model and without a turn.
 *
 * The same policy as for the agent's own calls decides (agent/policy.h), less what gateway.tools.deny and the
 * built-in list of tools that run programs or steer the gateway take away. Nothing is written to the transcript.
 */
#ifndef CH_AGENT_INVOKE_H
#define CH_AGENT_INVOKE_H

#include "agent/agent.h"
#include "tools/tool.h"

struct tool_invocation {
	const char *name;
	const char *agent_id, *session_key;
	const char *call_id;
	const struct json *args;         /* an object, or NULL: {} */
	bool is_confirmed;               /* a person wants what it changes */
	bool is_owner;                   /* the caller speaks for the owner */
};
enum invoke_outcome {
	INVOKE_RAN,              /* content and is_error say how */
	INVOKE_UNKNOWN,          /* no such tool, or not for this agent or not from here */
	INVOKE_UNCONFIRMED,      /* it changes something, and nobody confirmed */
	INVOKE_BAD_ARGS,         /* text says why */
	INVOKE_FAILED,           /* text says why */
};
struct tool_invoked {
	enum invoke_outcome outcome;
	const char *text;                /* on the arena; INVOKE_BAD_ARGS, INVOKE_FAILED */
	const struct json *content;      /* on the arena */
	const struct json *details;      /* or NULL */
	bool is_error;
};
/* Fails only when the agent or its workspace is not there, or the caller is cancelled. */
CH_FIBER CH_MUST_USE ch_status agent_invoke_tool(struct agent_host *h, struct arena *a, const struct tool_invocation *in,
						 struct tool_invoked *ret, struct ch_err *err);

#endif
