/*
 * gateway/methods/m_catalog.c - tools.catalog: which tools there are, whoever may use them.
 */
#include "agent/policy.h"
#include "core/str.h"
#include "gateway/methods/methods.h"
#include "gateway/render.h"

/* By the group of the tool's row; what has another one, or none, is in the last. */
static const struct tool_group { const char *id, *label; } tool_groups[] = {
	{ "fs", "Files" }, { "runtime", "Commands" }, { "web", "Web" }, { "sessions", "Sessions" }, { "agents", "Agents" },
	{ "ui", "Display" }, { "media", "Media" }, { "user", "Tools of the workspace" }, { "other", "Other" },
};
static const struct profile { const char *id, *label; } profiles[] = {
	{ "minimal", "Minimal" }, { "coding", "Coding" }, { "messaging", "Messaging" }, { "full", "Full" },
};

static const char *group_of(const struct tool *t)
{
	for (size_t i = 0; i < CH_ARRAY_LEN(tool_groups); i++)
		if (str_eq(tool_groups[i].id, t->group))
			return t->group;
	return "other";
}

static void write_tool(struct jw *w, const struct tool_item *it)
{
	const struct tool *t = it->tool;

	jw_obj(w);
	jw_kstr(w, "id", t->name);
	jw_kstr(w, "label", t->label);
	jw_kstr(w, "description", t->description);
	jw_kstr(w, "source", it->source ? "plugin" : "core");
	jw_kstr_opt(w, "pluginId", it->source);
	if (t->flags & TOOL_OPTIONAL)
		jw_kbool(w, "optional", true);
	jw_kstr(w, "risk", tool_risk_name(t->risk));
	jw_karr(w, "defaultProfiles");
	for (size_t i = 0; i < CH_ARRAY_LEN(profiles); i++)
		if (policy_in_profile(profiles[i].id, t, !it->source))
			jw_str(w, profiles[i].id);
	jw_end(w);
	jw_end(w);
}

/* Groups without a tool are left out; what the configuration and the workspace add is a group of its own. */
static void write_group(struct jw *w, const struct tool_set *set, const struct tool_group *g, bool is_core)
{
	size_t shown = 0;

	for (size_t i = 0; i < set->len; i++) {
		if (!set->at[i].source != is_core || !str_eq(group_of(set->at[i].tool), g->id))
			continue;
		if (!shown++) {
			jw_obj(w);
			jw_kstr(w, "id", g->id);
			jw_kstr(w, "label", g->label);
			jw_kstr(w, "source", is_core ? "core" : "plugin");
			if (!is_core)
				jw_kstr(w, "pluginId", set->at[i].source);
			jw_karr(w, "tools");
		}
		write_tool(w, &set->at[i]);
	}
	if (!shown)
		return;
	jw_end(w);
	jw_end(w);
}

static void write_catalog(struct jw *w, const char *agent_id, const struct tool_set *set, bool with_plugins)
{
	jw_obj(w);
	jw_kstr(w, "agentId", agent_id);
	jw_karr(w, "profiles");
	for (size_t i = 0; i < CH_ARRAY_LEN(profiles); i++) {
		jw_obj(w);
		jw_kstr(w, "id", profiles[i].id);
		jw_kstr(w, "label", profiles[i].label);
		jw_end(w);
	}
	jw_end(w);
	jw_karr(w, "groups");
	for (size_t i = 0; i < CH_ARRAY_LEN(tool_groups); i++)
		write_group(w, set, &tool_groups[i], true);
	for (size_t i = 0; i < CH_ARRAY_LEN(tool_groups) && with_plugins; i++)
		write_group(w, set, &tool_groups[i], false);
	jw_end(w);
	jw_end(w);
}

static ch_status run_tools(struct gw_call *call, struct ch_err *err)
{
	CH_AUTO(policy_unref) struct policy *policy = NULL;
	const struct agent_info *a;
	ch_status st = gw_call_agent(call, &a, err);

	if (!st)
		st = agent_policy(call->gw->agents, a->id, arena_printf(call->arena, "agent:%s:main", a->id), true, &policy, err);
	if (st)
		return st;
	write_catalog(gw_reply_begin(call), a->id, policy->tools, json_get_bool(call->params, "includePlugins", true));
	gw_reply_end(call);
	return CH_OK;
}

static const struct gw_param tools_params[] = {
	{ "agentId", GP_STR, GP_NON_EMPTY },
	{ "includePlugins", GP_BOOL },
	{0},
};

const struct gw_method gwm_catalog[] = {
	/* name                  run           scope          flags  params */
	{ "tools.catalog",       run_tools,    GW_SCOPE_READ, 0,     tools_params },
};
const size_t gwm_catalog_count = CH_ARRAY_LEN(gwm_catalog);
