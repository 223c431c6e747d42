/*
 * gateway/methods/m_catalog.c - which tools there are to use.
 */
#include "core/str.h"
#include "gateway/methods/methods.h"
#include "gateway/render.h"
#include "tools/tool.h"

struct tool_group {
	const char *id, *label;
	const char *const *names;        /* NULL: all that no other group names */
};
static const struct tool_group tool_groups[] = {
	{ "fs", "Files", (const char *const[]){ "read", "write", "edit", "list", NULL } },
	{ "sessions", "Sessions", (const char *const[]){ "session_status", NULL } },
	{ "other", "Other", NULL },
};

static bool names_tool(const struct tool_group *g, const char *name)
{
	for (size_t i = 0; g->names && g->names[i]; i++)
		if (str_eq(g->names[i], name))
			return true;
	return false;
}

static bool is_in_group(const struct tool_group *g, const char *name)
{
	if (g->names)
		return names_tool(g, name);
	for (size_t i = 0; i < CH_ARRAY_LEN(tool_groups); i++)
		if (names_tool(&tool_groups[i], name))
			return false;
	return true;
}

static const char *risk_name(enum tool_risk risk)
{
	return risk == TOOL_READS ? "low" : risk == TOOL_WRITES ? "medium" : "high";
}

static void write_tool(struct jw *w, const struct tool *t)
{
	jw_obj(w);
	jw_kstr(w, "id", t->name);
	jw_kstr(w, "label", t->label);
	jw_kstr(w, "description", t->description);
	jw_kstr(w, "source", "core");
	jw_kstr(w, "risk", risk_name(t->risk));
	jw_karr(w, "defaultProfiles");
	jw_str(w, "full");
	jw_end(w);
	jw_end(w);
}

/* Groups without a tool are left out. */
static void write_group(struct jw *w, const struct tool_group *g)
{
	size_t count, shown = 0;
	const struct tool *const *all = tool_table(&count);

	for (size_t i = 0; i < count; i++)
		shown += is_in_group(g, all[i]->name);
	if (!shown)
		return;
	jw_obj(w);
	jw_kstr(w, "id", g->id);
	jw_kstr(w, "label", g->label);
	jw_kstr(w, "source", "core");
	jw_karr(w, "tools");
	for (size_t i = 0; i < count; i++)
		if (is_in_group(g, all[i]->name))
			write_tool(w, all[i]);
	jw_end(w);
	jw_end(w);
}

static ch_status run_tools(struct gw_call *call, struct ch_err *err)
{
	const struct agent_info *a;
	ch_status st = gw_call_agent(call, &a, err);
	struct jw *w;

	if (st)
		return st;
	w = gw_reply_begin(call);
	jw_obj(w);
	jw_kstr(w, "agentId", a->id);
	jw_karr(w, "profiles");
	jw_obj(w);
	jw_kstr(w, "id", "full");
	jw_kstr(w, "label", "Full");
	jw_end(w);
	jw_end(w);
	jw_karr(w, "groups");
	for (size_t i = 0; i < CH_ARRAY_LEN(tool_groups); i++)
		write_group(w, &tool_groups[i]);
	jw_end(w);
	jw_end(w);
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
