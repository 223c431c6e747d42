/*
 * agent/policy_session.c - the policy of a session's turn: what the session says of itself, gathered.
 */
#include "agent/policy.h"

#include "agent/home.h"
#include "agent/taint.h"
#include "core/str.h"
#include "exec/sandbox.h"
#include "sessions/session.h"

#define DEPTH_MAX 5                      /* agents.defaults.subagents.maxSpawnDepth */

int policy_depth(const char *session_key)
{
	int depth = 0;

	for (const char *at = session_key; (at = strstr(at, ":subagent:")); at += strlen(":subagent:") - 1)
		depth++;
	return depth;
}

struct policy *policy_of_session(struct agent_host *h, struct home *home, const char *session_key, const struct sess *s,
				 const struct model_entry *model, const struct policy_want *as)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	CH_AUTO(tool_set_unref) struct tool_set *tools = home_tools(h, home);
	struct policy_want want = *as;
	struct sandbox_settings sandbox;
	struct model_entry found;
	const char *source;

	if (!model && !h->model_ops.resolve(h->model_ops.arg, s ? agent_wanted_model(s, a) : NULL, home->agent_id, a, &found,
					    &source, NULL))
		model = &found;          /* without a model there is no provider whose lists could matter */
	want.config = host_config(h);
	want.tools = tools;
	want.host = &h->tool_host;
	want.agent_id = home->agent_id;
	want.provider = model ? model->provider : NULL;
	want.model = model ? model->id : NULL;
	sandbox_settings(want.config, home->agent_id, session_key, a, &sandbox);
	want.is_sandboxed = sandbox.is_on;
	want.depth = policy_depth(session_key);
	want.depth_max = (int)home_setting(want.config, home->agent_id, "subagents.maxSpawnDepth", DEPTH_MAX);
	if (s) {
		want.requester_tools = s->tool_cap;
		want.mode = tool_mode_parse(s->permission_mode);
		want.is_tainted = s->tainted_at > 0;
	}
	return policy_make(&want);
}

ch_status agent_policy(struct agent_host *h, const char *agent_id, const char *session_key, bool is_owner, struct policy **ret,
		       struct ch_err *err)
{
	CH_AUTO(home_unref) struct home *home = NULL;
	CH_AUTO(sess_unref) struct sess *s = NULL;
	struct policy_want as = { .is_owner = is_owner };
	ch_status st = home_open(h, agent_id, &home, err);

	if (st)
		return st;
	st = sess_find(h->opts.sessions, session_key, &s, err);
	if (st && st != CH_E_NOT_FOUND)
		return st;
	*ret = policy_of_session(h, home, session_key, s, NULL, &as);
	return CH_OK;
}

/* That of the turn, else (a client calls the tool) what the session's next one has. */
static ch_status find_policy(struct agent_host *h, const struct tool_ctx *ctx, struct policy **ret, struct ch_err *err)
{
	const struct run *r = ctx->run_id ? map_find(h->runs, ctx->run_id) : NULL;

	if (!r || !r->policy)
		return agent_policy(h, ctx->agent_id, ctx->session_key, ctx->grant->is_owner, ret, err);
	*ret = policy_ref(r->policy);
	return CH_OK;
}

ch_status policy_hand_down(struct agent_host *h, const struct tool_ctx *ctx, struct sess *child, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	CH_AUTO(policy_unref) struct policy *policy = NULL;
	CH_AUTO(sess_unref) struct sess *from = NULL;
	const struct run *r = ctx->run_id ? map_find(h->runs, ctx->run_id) : NULL;
	ch_status st = find_policy(h, ctx, &policy, err);

	if (!st)
		st = sess_find(h->opts.sessions, ctx->session_key, &from, err);
	if (st)
		return st;
	sess_set_str(child, &child->tool_cap, policy_for_child(policy, a));
	sess_set_str(child, &child->permission_mode, tool_mode_name(policy->grant.mode));
	taint_copy(from, child);
	/* What this turn has seen and not written down yet. */
	if (r && policy->grant.is_tainted)
		taint_add(child, r->taints.at, r->taints.len);
	return CH_OK;
}
