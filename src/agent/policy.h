/*
 * agent/policy.h - which tools a turn has, and why not the others.
 *
 * One function decides, policy_make(), and everything that runs a tool takes its result: the model's calls
 * (agent/dispatch), a client's (agent/invoke), what is shown (tools.effective, /tools). It is a pipeline in which
 * each layer can only take away, so one more layer, or one more key, never gives a tool:
 *
 *	profile       tools.profile, or the agent's, with what alsoAllow adds to it; optional tools that nothing names
 *	provider      tools.byProvider."<provider/model>", else "<provider>"; then the agent's
 *	global        tools.allow, tools.deny
 *	agent         agents.entries.<id>.tools.allow, deny
 *	sender        toolsBySender of the agent, else of tools
 *	room          tools and toolsBySender of the room of a network that the message came from
 *	sandbox       the agent's tools.sandbox.tools, else the global one, in a session whose commands are sandboxed
 *	subagent      what sub-agents never have, then tools.subagents.tools
 *	requester     what the session that started this one had then
 *	mode          the session's permission mode
 *	owner         tools for the owner alone
 *	availability  what the tool itself says it lacks
 *
 * Names may hold '*', and be groups ("group:fs"); case does not matter; deny wins.
 *
 * Lives   counted; a turn keeps its own. `grant` is what tools are told of the turn: is_tainted and is_owner of it change
 *         while the turn goes on, in one direction only (policy_taint, policy_disown).
 */
#ifndef CH_AGENT_POLICY_H
#define CH_AGENT_POLICY_H

#include "agent/tool_set.h"

enum policy_layer {
	POLICY_PROFILE, POLICY_PROVIDER, POLICY_GLOBAL, POLICY_AGENT, POLICY_SENDER, POLICY_ROOM, POLICY_SANDBOX, POLICY_SUBAGENT,
	POLICY_REQUESTER, POLICY_MODE, POLICY_OWNER, POLICY_AVAILABILITY,
	POLICY_ALLOWED,                  /* no layer refused */
};
const char *policy_layer_name(enum policy_layer l);
const char *tool_mode_name(enum tool_mode m);            /* "read-only", …; NULL: unset */
enum tool_mode tool_mode_parse(const char *name);        /* what is no mode is TOOL_MODE_READ_ONLY, NULL is unset */

/* Who asks for what. All but config, tools and agent_id may be unset. */
struct policy_want {
	const struct config *config;
	struct tool_set *tools;
	const struct tool_host *host;    /* for is_available; NULL: all are */
	const char *agent_id;
	const char *provider, *model;    /* "anthropic", "claude-…" */
	const char *channel, *sender;    /* NULL: the gateway's own clients */
	const struct json *room;         /* {allow, alsoAllow, deny} of the room for this sender; or NULL */
	const char *requester_tools;     /* JSON array of names: what the session that started this one had; NULL: none did */
	bool is_owner, is_sandboxed, is_tainted;
	int depth, depth_max;            /* of sub-agents; one at depth_max starts no others */
	enum tool_mode mode;
};

struct policy_verdict {
	enum policy_layer layer;         /* that refuses; POLICY_ALLOWED: none */
	const char *reason;              /* which key, and the word in it; NULL when allowed */
};

struct policy {
	int refs;
	struct arena *arena;
	struct tool_set *tools;
	const struct policy_verdict *verdicts;   /* of each of tools->at */
	size_t allowed;                  /* how many are */
	uint64_t hash;                   /* of which are: the same hash, the same tools */
	const char *profile;             /* in force; "full" when none is chosen */
	const char *provider, *model;    /* it was made for */
	struct tool_grant grant;
};

struct policy *policy_make(const struct policy_want *want);
struct policy *policy_ref(struct policy *p);
void policy_unref(struct policy *p);
CH_AUTO_DEFINE(policy_unref, struct policy)

/* The tool, when it is there and this policy gives it. */
const struct tool *policy_tool(const struct policy *p, const char *name);
/* Why it is not given: one sentence on the arena, for a model or a person. */
const char *policy_why_not(const struct policy *p, struct arena *a, const char *name);
/* Text from outside is in the turn. */
void policy_taint(struct policy *p);
/* Somebody else than the owner has a say in the turn. */
void policy_disown(struct policy *p);
/* What a session started by this turn may have at most: requester_tools of its policy. On the arena. */
const char *policy_for_child(const struct policy *p, struct arena *a);

/* Does the entry of a list (name, pattern, group) mean this tool? */
bool policy_names(const char *entry, const struct tool *t, bool is_row);
/* Is the tool part of the profile ("minimal", "coding", "messaging", "full")? */
bool policy_in_profile(const char *profile, const struct tool *t, bool is_row);

/* -- policy_session.c -- */
struct agent_host;
struct home;
struct model_entry;
struct sess;
/* How deep a session is: 0 is a person's, 1 one of its sub-agents, … */
int policy_depth(const char *session_key);
/*
 * What a turn of this session has, whether the session is there yet or not. The second is for who has it at hand: sess NULL
 * says that it is not there, model NULL is the one that its next turn asks; as: is_owner, channel and sender, the rest is
 * filled in.
 */
/*
 * A session that a tool of a turn starts: it has at most the tools, the permission mode and all the taint of the session that
 * starts it. Not yet saved.
 */
CH_MUST_USE ch_status policy_hand_down(struct agent_host *h, const struct tool_ctx *ctx, struct sess *child, struct ch_err *err);
CH_MUST_USE ch_status agent_policy(struct agent_host *h, const char *agent_id, const char *session_key, bool is_owner,
				   struct policy **ret, struct ch_err *err);
struct policy *policy_of_session(struct agent_host *h, struct home *home, const char *session_key, const struct sess *s,
				 const struct model_entry *model, const struct policy_want *as);

#endif
