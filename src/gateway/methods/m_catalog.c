/*
 * gateway/methods/m_catalog.c - what there is to talk to and to use: agents, commands, tools.
 */
#include <sys/stat.h>

#include "core/file.h"
#include "core/str.h"
#include "gateway/methods/methods.h"
#include "gateway/render.h"
#include "tools/tool.h"

/* -- agents -- */

static void write_agent(struct gw_call *call, struct jw *w, const struct agent_info *a)
{
	const struct gw_model_facts *m = gw_render_model(call->gw->render, a->id, NULL);

	jw_obj(w);
	jw_kstr(w, "id", a->id);
	jw_kstr(w, "kind", "agent");
	jw_kstr_opt(w, "name", a->name);
	if (a->name || a->emoji || a->theme || a->avatar) {
		jw_kobj(w, "identity");
		jw_kstr_opt(w, "name", a->name);
		jw_kstr_opt(w, "theme", a->theme);
		jw_kstr_opt(w, "emoji", a->emoji);
		jw_kstr_opt(w, "avatar", a->avatar);
		jw_end(w);
	}
	if (a->workspace) {
		jw_kstr(w, "workspace", a->workspace);
		jw_kbool(w, "workspaceGit", file_exists(arena_printf(call->arena, "%s/.git", a->workspace)));
	}
	gw_render_runtime(w);
	gw_render_thinking(w, m);
	jw_kobj(w, "model");
	jw_kstr(w, "primary", arena_printf(call->arena, "%s/%s", m->provider, m->model));
	jw_end(w);
	jw_kstr(w, "defaultPermissionMode", "workspace");
	jw_end(w);
}

static ch_status run_agents(struct gw_call *call, struct ch_err *err)
{
	const struct agent_info *agents;
	size_t count = agents_list(gw_config(call->gw), call->gw->state_dir, call->arena, &agents);
	struct jw *w = gw_reply_begin(call);

	jw_obj(w);
	jw_kstr(w, "defaultId", agent_default_id(gw_config(call->gw), call->arena));
	jw_kstr(w, "ownership", "sole");
	jw_kbool(w, "selectionRequired", false);
	jw_kstr(w, "mainKey", "main");
	jw_kstr(w, "scope", "per-sender");
	jw_karr(w, "agents");
	for (size_t i = 0; i < count; i++)
		write_agent(call, w, &agents[i]);
	jw_end(w);
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

ch_status gw_call_agent(struct gw_call *call, const struct agent_info **ret, struct ch_err *err)
{
	const char *id = json_get_str(call->params, "agentId"),
		   *key = json_get_str(call->params, "sessionKey");
	struct sess_key parsed;
	ch_status st;

	if (!id && !str_empty(key)) {
		st = gw_session_key(call, key, &parsed, err);
		if (st)
			return st;
		id = parsed.agent_id;
	}
	if (!id)
		id = agent_default_id(gw_config(call->gw), call->arena);
	*ret = agent_find(gw_config(call->gw), call->gw->state_dir, call->arena, id);
	if (*ret)
		return CH_OK;
	return ch_fail(err, CH_E_INVALID, "unknown agent id \"%.*s\"", (int)utf8_cut(id, strlen(id), 64), id);
}

static const char *first_letter(struct arena *a, const char *name)
{
	uint32_t cp;
	size_t n = utf8_decode(name, strlen(name), &cp);
	char *letter = arena_strndup(a, name, CH_MAX(n, (size_t)1));

	if (*letter >= 'a' && *letter <= 'z')
		*letter = (char)(*letter - 'a' + 'A');
	return letter;
}

static ch_status run_identity(struct gw_call *call, struct ch_err *err)
{
	const struct agent_info *a;
	ch_status st = gw_call_agent(call, &a, err);
	const char *name;
	struct jw *w;

	if (st)
		return st;
	name = str_empty(a->name) ? "Assistant" : a->name;
	w = gw_reply_begin(call);
	jw_obj(w);
	jw_kstr(w, "agentId", a->id);
	jw_kstr(w, "name", name);
	jw_kstr(w, "nameSource", str_empty(a->name) ? "default" : "agent");
	jw_kstr(w, "avatar", str_empty(a->avatar) ? first_letter(call->arena, name) : a->avatar);
	jw_kstr_opt(w, "emoji", a->emoji);
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

/* -- commands -- */

static void write_command(struct jw *w, const struct slash_command *c)
{
	char slash[64];

	jw_obj(w);
	jw_kstr(w, "name", c->name);
	jw_kstr(w, "nativeName", c->name);
	jw_karr(w, "textAliases");
	snprintf(slash, sizeof(slash), "/%s", c->name);
	jw_str(w, slash);
	for (size_t i = 0; c->aliases && c->aliases[i]; i++) {
		snprintf(slash, sizeof(slash), "/%s", c->aliases[i]);
		jw_str(w, slash);
	}
	jw_end(w);
	jw_kstr(w, "description", c->description);
	jw_kstr(w, "category", c->category);
	jw_kstr(w, "source", "native");
	jw_kstr(w, "scope", "both");
	jw_kbool(w, "acceptsArgs", c->args_hint != NULL);
	jw_end(w);
}

void gw_render_commands(struct jw *w)
{
	size_t count;
	const struct slash_command *const *all = slash_commands(&count);

	jw_arr(w);
	for (size_t i = 0; i < count; i++)
		write_command(w, all[i]);
	jw_end(w);
}

static ch_status run_commands(struct gw_call *call, struct ch_err *err)
{
	struct jw *w = gw_reply_begin(call);

	jw_obj(w);
	jw_key(w, "commands");
	gw_render_commands(w);
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

/* -- tools -- */

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

static const struct gw_param identity_params[] = {
	{ "agentId", GP_STR, GP_NON_EMPTY },
	{ "sessionKey", GP_STR },
	{0},
};
static const char *const scopes[] = { "text", "native", "both", NULL };
static const struct gw_param commands_params[] = {
	{ "sessionKey", GP_STR, GP_NON_EMPTY },
	{ "agentId", GP_STR, GP_NON_EMPTY },
	{ "provider", GP_STR, GP_NON_EMPTY },
	{ "scope", GP_ENUM, .choices = scopes },
	{ "includeArgs", GP_BOOL },
	{0},
};
static const struct gw_param tools_params[] = {
	{ "agentId", GP_STR, GP_NON_EMPTY },
	{ "includePlugins", GP_BOOL },
	{0},
};

const struct gw_method gwm_catalog[] = {
	/* name                  run           scope          flags  params */
	{ "agent.identity.get",  run_identity, GW_SCOPE_READ, 0,     identity_params },
	{ "agents.list",         run_agents,   GW_SCOPE_READ, 0 },
	{ "commands.list",       run_commands, GW_SCOPE_READ, 0,     commands_params },
	{ "tools.catalog",       run_tools,    GW_SCOPE_READ, 0,     tools_params },
};
const size_t gwm_catalog_count = CH_ARRAY_LEN(gwm_catalog);
