/*
 * agent/sessions_ops_access.c - which sessions a turn may see.
 */
#include <string.h>

#include "agent/policy.h"
#include "agent/sessions_ops.h"
#include "core/str.h"
#include "exec/sandbox.h"

#define DEPTH_WALKED_MAX 8               /* of lineage; keys allow five levels */

static const char *const names[] = { [OPS_SELF] = "self", [OPS_TREE] = "tree", [OPS_AGENT] = "agent", [OPS_ALL] = "all" };

const char *ops_visibility_name(enum ops_visibility v)
{
	return names[v];
}

static enum ops_visibility configured(const struct config *c)
{
	const char *said = config_str(c, "tools.sessions.visibility");

	for (size_t i = 0; said && i < CH_ARRAY_LEN(names); i++)
		if (str_eq(names[i], said))
			return (enum ops_visibility)i;
	return OPS_ALL;
}

static bool is_sandboxed_clamp(struct agent_host *h, const struct tool_ctx *ctx)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	const struct config *c = host_config(h);
	const char *own = config_str(c, arena_printf(a, "agents.entries.%s.sandbox.sessionToolsVisibility", ctx->agent_id));
	struct sandbox_settings s;

	if (!own)
		own = config_str(c, "agents.defaults.sandbox.sessionToolsVisibility");
	if (!str_eq(own, "spawned"))
		return false;
	sandbox_settings(c, ctx->agent_id, ctx->session_key, a, &s);
	return s.is_on;
}

static void clamp(struct ops_access *x, const char *why)
{
	x->is_clamped = true;
	x->why = why;
	if (x->level > OPS_TREE)
		x->level = OPS_TREE;
}

void ops_access_of(struct agent_host *h, const struct tool_ctx *ctx, struct ops_access *ret)
{
	*ret = (struct ops_access){ .h = h, .key = ctx->session_key, .agent_id = ctx->agent_id, .why = "tools.sessions.visibility",
				    .level = configured(host_config(h)) };
	if (policy_depth(ctx->session_key) > 0)
		clamp(ret, "a sub-agent sees itself and what it started");
	else if (!ctx->grant->is_owner)
		clamp(ret, "this turn does not speak for the owner");
	else if (is_sandboxed_clamp(h, ctx))
		clamp(ret, "sandbox.sessionToolsVisibility");
}

bool ops_is_below(struct agent_host *h, const struct sess *s, const char *key)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	const char *up = arena_strdup(a, s->spawned_by);

	for (int i = 0; i < DEPTH_WALKED_MAX && !str_empty(up); i++) {
		CH_AUTO(sess_unref) struct sess *parent = NULL;

		if (str_eq(up, key))
			return true;
		if (sess_find(h->opts.sessions, up, &parent, NULL))
			return false;
		up = arena_strdup(a, parent->spawned_by);
	}
	return false;
}

/* An id or a pattern with '*'. */
static bool list_has(const struct json *list, const char *agent_id)
{
	json_each(entry, list) {
		const char *word = json_str_or(entry, "");
		size_t n = strlen(word);

		if (str_ieq(word, agent_id) || (n && word[n - 1] == '*' && strncmp(word, agent_id, n - 1) == 0))
			return true;
	}
	return false;
}

static bool agents_may_meet(const struct config *c, const char *one, const char *other)
{
	const struct json *allow = config_get(c, "tools.agentToAgent.allow");

	if (str_eq(one, other))
		return true;
	if (!config_bool(c, "tools.agentToAgent.enabled", true))
		return false;
	return !json_len(allow) || (list_has(allow, one) && list_has(allow, other));
}

bool ops_may_see(const struct ops_access *x, const struct sess *s)
{
	bool is_own_agent = str_eq(s->agent_id, x->agent_id);

	if (str_eq(s->key, x->key))
		return true;
	switch (x->level) {
	case OPS_SELF:
		return false;
	case OPS_TREE:
		if (!x->is_clamped && is_own_agent && sess_key_is_main(x->key))
			return true;
		return ops_is_below(x->h, s, x->key);
	case OPS_AGENT:
		return is_own_agent;
	case OPS_ALL:
		return agents_may_meet(host_config(x->h), x->agent_id, s->agent_id) || ops_is_below(x->h, s, x->key);
	}
	return false;
}

ch_status ops_find(const struct ops_access *x, const char *wanted, struct arena *a, struct sess **ret, struct ch_err *err)
{
	CH_AUTO(sess_unref) struct sess *s = NULL;
	struct sess_key key;
	ch_status st;

	if (str_empty(wanted) || str_eq(wanted, "current"))
		wanted = x->key;
	st = sess_key_parse(a, wanted, x->agent_id, &key, err);
	if (!st)
		st = sess_find(x->h->opts.sessions, key.key, &s, err);
	if (st && st != CH_E_NOT_FOUND)
		return st;
	/* One answer for both: what may not be seen must not be told apart from what is not there. */
	if (st || !ops_may_see(x, s))
		return ch_fail(err, CH_E_NOT_FOUND, "there is no session '%.200s' that you may see (%s: %s)", wanted, x->why,
			       ops_visibility_name(x->level));
	*ret = CH_TAKE(s);
	return CH_OK;
}
