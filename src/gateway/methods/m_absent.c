/*
 * gateway/methods/m_absent.c - plugins, nodes, skills, memory, voice and what else this version does not have.
 */
#include "core/clock.h"
#include "core/str.h"
#include "gateway/methods/absent.h"
#include "gateway/render.h"

/* What is missing, in the words of the refusal. */
#define NO_MEMORY "this version has no memory index"
#define NO_NODES "this version has no nodes"
#define NO_PLUGINS "this version loads no plugins"
#define NO_SKILLS "this version has no skills"
#define SELF_BUILT "this build came from its source: update it where it was built"

/* -- for all these tables -- */

ch_status gwm_run_fixed(struct gw_call *call, struct ch_err *err)
{
	jw_raw(gw_reply_begin(call), call->row->answer, strlen(call->row->answer));
	gw_reply_end(call);
	return CH_OK;
}

ch_status gwm_run_stamped(struct gw_call *call, struct ch_err *err)
{
	const char *members = call->row->answer + 1;
	char *text = arena_printf(call->arena, "{\"ts\":%lld,%s", (long long)now_wall_ms(), members);

	jw_raw(gw_reply_begin(call), text, strlen(text));
	gw_reply_end(call);
	return CH_OK;
}

ch_status gwm_run_for_agent(struct gw_call *call, struct ch_err *err)
{
	const char *members = call->row->answer + 1;
	const struct agent_info *agent;
	ch_status st = gw_call_agent(call, &agent, err);
	char *text;

	if (st)
		return st;
	text = arena_printf(call->arena, "{\"agentId\":\"%s\",%s", agent->id, members);
	jw_raw(gw_reply_begin(call), text, strlen(text));
	gw_reply_end(call);
	return CH_OK;
}

ch_status gwm_run_refuse(struct gw_call *call, struct ch_err *err)
{
	return ch_fail(err, CH_E_ABSENT, "%s is not available: %s", call->method, call->row->answer);
}

ch_status gwm_run_unknown(struct gw_call *call, struct ch_err *err)
{
	return ch_fail(err, CH_E_NOT_FOUND, "%s", call->row->answer);
}

struct json *gwm_detail(struct gw_call *call, const char *name, const char *value)
{
	struct json *details = json_new_obj(call->arena);

	json_set(call->arena, details, name, json_new_str(call->arena, value));
	return details;
}

const char *gwm_short_param(struct gw_call *call, const char *name)
{
	const char *value = json_str_or(json_get(call->params, name), "");

	return arena_strndup(call->arena, value, utf8_cut(value, strlen(value), 80));
}

/* -- by name -- */

static ch_status run_board_get(struct gw_call *call, struct ch_err *err)
{
	struct sess_key key;
	ch_status st = gw_session_key_param(call, &key, err);
	struct jw *w;

	if (st)
		return st;
	w = gw_reply_begin(call);
	jw_obj(w);
	jw_kstr(w, "sessionKey", key.key);
	jw_kint(w, "revision", 0);
	jw_karr(w, "tabs");
	jw_end(w);
	jw_karr(w, "widgets");
	jw_end(w);
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

/* There is no pull request to tell of; the subscription holds. */
static ch_status run_pull_requests(struct gw_call *call, struct ch_err *err)
{
	struct jw *w = gw_reply_begin(call);

	jw_obj(w);
	jw_kbool(w, "subscribed", json_len(json_get(call->params, "sessionKeys")) > 0);
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

/* hooks.status and skills.status: where they would be, and none. answer: the name of both. */
static ch_status run_none_in_dirs(struct gw_call *call, struct ch_err *err)
{
	const char *noun = call->row->answer;
	const struct agent_info *agent;
	ch_status st = gw_call_agent(call, &agent, err);
	struct jw *w;

	if (st)
		return st;
	w = gw_reply_begin(call);
	jw_obj(w);
	jw_kstr(w, "workspaceDir", str_empty(agent->workspace) ? "" : agent->workspace);
	jw_kstr(w, str_eq(noun, "hooks") ? "managedHooksDir" : "managedSkillsDir",
		arena_printf(call->arena, "%s/%s", call->gw->state_dir, noun));
	if (str_eq(noun, "skills"))
		jw_kstr(w, "agentId", agent->id);
	jw_karr(w, noun);
	jw_end(w);
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

/* No other assistant's memory can be taken over. */
static ch_status run_migrations(struct gw_call *call, struct ch_err *err)
{
	const struct agent_info *agent;
	ch_status st = gw_call_agent(call, &agent, err);
	struct jw *w;

	if (st)
		return st;
	w = gw_reply_begin(call);
	jw_obj(w);
	jw_kstr(w, "agentId", agent->id);
	jw_kstr(w, "workspace", str_empty(agent->workspace) ? "" : agent->workspace);
	jw_karr(w, "providers");
	jw_end(w);
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

/* No account of GitHub is known, for the agent or for all. */
static ch_status run_github(struct gw_call *call, struct ch_err *err)
{
	const char *scope = json_get_str(call->params, "selectedScope"), *found = call->row->answer;
	const struct agent_info *agent;
	ch_status st = gw_call_agent(call, &agent, err);
	struct jw *w;

	if (st)
		return st;
	w = gw_reply_begin(call);
	jw_obj(w);
	jw_kstr(w, "agentId", agent->id);
	jw_kstr(w, "selectedScope", scope);
	jw_kobj(w, "selected");
	jw_kstr(w, "scope", scope);
	jw_kbool(w, "configured", false);
	jw_knull(w, "identity");
	jw_end(w);
	jw_kraw(w, "effective", found, strlen(found));
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

/* Credentials belong to the gateway, none to a person. */
static ch_status run_accounts(struct gw_call *call, struct ch_err *err)
{
	struct jw *w = gw_reply_begin(call);

	jw_obj(w);
	jw_kstr(w, "profileId", json_get_str(call->params, "profileId"));
	jw_karr(w, "accounts");
	jw_end(w);
	jw_karr(w, "links");
	jw_end(w);
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

/* Keys of voice services take a right of their own. */
static unsigned talk_config_scope(const struct gw_call *call)
{
	return json_get_bool(call->params, "includeSecrets", false) ? GW_SCOPE_TALK_SECRETS : GW_SCOPE_READ;
}

static const struct gw_param agent_params[] = {
	{ "agentId", GP_STR, GP_NON_EMPTY },
	{0},
};
static const struct gw_param agent_session_params[] = {
	{ "agentId", GP_STR, GP_NON_EMPTY },
	{ "sessionKey", GP_STR, GP_NON_EMPTY },
	{0},
};
static const struct gw_param board_params[] = {
	{ "sessionKey", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "agentId", GP_STR, GP_NON_EMPTY },
	{0},
};
static const struct gw_param pull_request_params[] = {
	{ "sessionKeys", GP_ARR, GP_REQUIRED, .max = 200, .item = GP_STR },
	{ "refreshSessionKeys", GP_ARR, 0, .max = 200, .item = GP_STR },
	{0},
};
static const struct gw_param migration_params[] = {
	{ "agentId", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "overwrite", GP_BOOL },
	{0},
};
static const struct gw_param node_params[] = {
	{ "nodeId", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{0},
};
static const char *const library_scopes[] = { "mine", "team", "all", NULL };
static const struct gw_param library_params[] = {
	{ "sessionKey", GP_STR, GP_NON_EMPTY, .max = 512 },
	{ "scope", GP_ENUM, .choices = library_scopes },
	{0},
};
static const struct gw_param talk_catalog_params[] = {
	{ "provider", GP_STR },
	{ "model", GP_STR },
	{0},
};
static const struct gw_param talk_config_params[] = {
	{ "includeSecrets", GP_BOOL },
	{0},
};
static const struct gw_param search_params[] = {
	{ "query", GP_STR, GP_NON_EMPTY },
	{ "limit", GP_INT, .min = 1, .max = 100 },
	{0},
};
static const struct gw_param browse_params[] = {
	{ "intent", GP_STR, GP_NON_EMPTY },
	{ "category", GP_STR, GP_NON_EMPTY },
	{ "query", GP_STR },
	{ "searchSource", GP_STR },
	{ "cursor", GP_STR, GP_NON_EMPTY },
	{ "pageSize", GP_INT, .min = 1, .max = 200 },
	{0},
};
static const char *const github_scopes[] = { "agent", "system", NULL };
static const struct gw_param github_params[] = {
	{ "agentId", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "selectedScope", GP_ENUM, GP_REQUIRED, .choices = github_scopes },
	{0},
};
static const struct gw_param accounts_params[] = {
	{ "profileId", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{0},
};
static const struct gw_param update_status_params[] = {
	{ "refreshCheckout", GP_BOOL },
	{0},
};
static const struct gw_param transcripts_params[] = {
	{ "limit", GP_INT, .min = 1, .max = 200 },
	{ "cursor", GP_STR },
	{0},
};

#define NO_TALK                                                                                            \
	"{\"modes\":[],\"transports\":[],\"brains\":[],\"speech\":{\"ready\":false,\"providers\":[]},"   \
	"\"transcription\":{\"ready\":false,\"providers\":[]},\"realtime\":{\"ready\":false,\"providers\":[]}}"
#define NO_UPDATE                                                                                          \
	"{\"sentinel\":null,\"updateAvailable\":null,\"effectiveChannel\":\"stable\",\"schedule\":{"       \
	"\"channel\":\"stable\",\"autoEnabled\":false,\"install\":{\"kind\":\"unknown\"}}}"
#define NO_MEMORY_STATUS "{\"embedding\":{\"ok\":false,\"error\":\"" NO_MEMORY "\"}}"
/* Pages bring their own themes; the gateway has no further ones and prefers none. */
#define CLIENT_THEME                                                                                       \
	"{\"current\":{\"id\":\"claw\",\"mode\":\"system\",\"scope\":\"gateway\",\"overrides\":{}},"       \
	"\"theme\":{\"id\":\"claw\",\"name\":\"Claw\",\"description\":\"The page's own.\","                \
	"\"source\":\"builtin\",\"modes\":[\"light\",\"dark\"]},\"themes\":[]}"
#define NO_GITHUB_SYSTEM                                                                                   \
	"{\"source\":\"system-detected\",\"credentialKind\":\"native\",\"credentialState\":\"unavailable\","  \
	"\"account\":null,\"gitAuthor\":{\"name\":null,\"email\":null},\"evidence\":\"none\","               \
	"\"accessExpiresAtMs\":null,\"refreshState\":\"not_applicable\",\"oauthScopes\":[],"                 \
	"\"repositoryGrants\":\"unknown\"}"
#define NO_GITHUB_USER                                                                                     \
	"{\"personal\":{\"state\":\"disconnected\",\"generation\":null,\"account\":null,"                    \
	"\"accessExpiresAtMs\":null,\"refreshState\":\"not_applicable\",\"pending\":null},\"system\":" NO_GITHUB_SYSTEM "}"
#define NO_LIBRARY                                                                                 \
	"{\"entries\":[],\"profileId\":null,\"multipleProfiles\":false,\"defaultTarget\":\"workspace\"," \
	"\"canManageWorkspace\":false,\"defaultSelectionLimit\":64}"
#define NO_PROPOSALS                                                                                       \
	"{\"schema\":\"openclaw.skill-workshop.proposals-manifest.v1\","                                   \
	"\"updatedAt\":\"1970-01-01T00:00:00.000Z\",\"proposals\":[],\"installedSkills\":[]}"

const struct gw_method gwm_absent[] = {
	GWM_ROW("board.get", run_board_get, READ, board_params, NULL),
	GWM_ROW("controlUi.sessionPullRequests.subscribe", run_pull_requests, READ, pull_request_params, NULL),
	{ "doctor.memory.dreamDiary", gwm_run_for_agent, GW_SCOPE_READ, GW_INLINE | GW_OPEN_PARAMS, agent_params, NULL,
	  "{\"found\":false,\"path\":\"DREAMS.md\"}" },
	{ "doctor.memory.status", gwm_run_for_agent, GW_SCOPE_READ, GW_INLINE | GW_OPEN_PARAMS, agent_params, NULL,
	  NO_MEMORY_STATUS },
	GWM_ROW("hooks.status", run_none_in_dirs, READ, agent_params, "hooks"),
	GWM_REFUSE("memory.search", READ, NO_MEMORY),
	GWM_ROW("migrations.memory.plan", run_migrations, ADMIN, migration_params, NULL),
	GWM_ROW("node.describe", gwm_run_unknown, READ, node_params, "unknown nodeId"),
	GWM_REFUSE("node.invoke", WRITE, NO_NODES),
	{ "node.list", gwm_run_stamped, GW_SCOPE_READ, GW_INLINE, NULL, NULL, "{\"nodes\":[]}" },
	GWM_REFUSE("node.pair.approve", PAIRING, NO_NODES),
	GWM_ALWAYS("node.pair.list", PAIRING, NULL, "{\"pending\":[],\"paired\":[]}"),
	GWM_REFUSE("node.pair.reject", PAIRING, NO_NODES),
	GWM_REFUSE("node.pair.remove", PAIRING, NO_NODES),
	GWM_REFUSE("node.pending.enqueue", WRITE, NO_NODES),
	GWM_REFUSE("node.rename", PAIRING, NO_NODES),
	GWM_REFUSE("plugin.surface.refresh", READ, NO_PLUGINS),
	GWM_ALWAYS("plugins.catalog.browse", READ, browse_params, "{\"items\":[]}"),
	GWM_ALWAYS("plugins.controlUi.list", READ, NULL, "{\"revision\":\"0\",\"plugins\":[],\"diagnostics\":[]}"),
	GWM_ALWAYS("plugins.list", READ, NULL, "{\"plugins\":[],\"diagnostics\":[],\"mutationAllowed\":false}"),
	GWM_ALWAYS("plugins.uiDescriptors", READ, NULL, "{\"ok\":true,\"descriptors\":[]}"),
	GWM_ALWAYS("portal.list", READ, NULL, "{\"portals\":[]}"),
	GWM_REFUSE("skills.install", ADMIN, NO_SKILLS),
	GWM_ALWAYS("skills.library.list", READ, library_params, NO_LIBRARY),
	GWM_ALWAYS("skills.proposals.list", READ, agent_params, NO_PROPOSALS),
	GWM_ALWAYS("skills.search", READ, search_params, "{\"results\":[]}"),
	GWM_ROW("skills.status", run_none_in_dirs, READ, agent_session_params, "skills"),
	GWM_REFUSE("skills.update", ADMIN, NO_SKILLS),
	GWM_ALWAYS("talk.catalog", READ, talk_catalog_params, NO_TALK),
	{ "talk.config", gwm_run_fixed, GW_SCOPE_READ, GW_INLINE, talk_config_params, talk_config_scope,
	  "{\"config\":{}}" },
	GWM_ALWAYS("themes.list", READ, NULL, CLIENT_THEME),
	GWM_ROW("tools.github.status", run_github, READ, github_params, NO_GITHUB_SYSTEM),
	GWM_ALWAYS("transcripts.list", READ, transcripts_params, "{\"sessions\":[],\"nextCursor\":null}"),
	GWM_REFUSE("update.run", ADMIN, SELF_BUILT),
	GWM_ALWAYS("update.status", ADMIN, update_status_params, NO_UPDATE),
	GWM_ALWAYS("users.github.status", READ, NULL, NO_GITHUB_USER),
	GWM_ROW("users.listModelAccounts", run_accounts, READ, accounts_params, NULL),
};
const size_t gwm_absent_count = CH_ARRAY_LEN(gwm_absent);
