/*
 * gateway/methods/m_exec_approvals.c - the host's approvals document (exec.approvals.*) and what allow-always granted
 * (exec.approval.grants.*).
 *
 * The protocol's standing grants are those of automations; here each allow-always is one, so that it can be seen and revoked.
 */
#include "core/str.h"
#include "exec/allow.h"
#include "exec/command.h"
#include "gateway/methods/absent.h"
#include "gateway/services.h"

#define NO_NODES "this version has no nodes"
#define GRANTS_DEFAULT 200
#define COMMAND_MAX 512          /* the protocol's limit of a grant's text */

static struct exec_allow *allow_of(struct gw_call *call)
{
	return call->gw->services->host.exec_allow;
}

/* Does anything decide besides the built-in defaults? */
static bool has_content(struct exec_allow *al, const struct json *doc)
{
	return exec_allow_has_document(al) || json_len(json_get(doc, "agents"));
}

static ch_status reply_snapshot(struct gw_call *call, struct ch_err *err)
{
	struct exec_allow *al = allow_of(call);
	const char *hash = NULL;
	const struct json *doc = exec_allow_document(al, call->arena, &hash), *defaults = json_get(doc, "defaults");
	struct jw *w;

	if (!doc)
		return ch_fail(err, CH_E_IO, "the approvals document cannot be read; see `chela doctor`");
	w = gw_reply_begin(call);
	jw_obj(w);
	jw_kstr(w, "path", arena_printf(call->arena, "%s#exec_approvals", db_path(call->gw->db)));
	jw_kbool(w, "exists", has_content(al, doc));
	jw_kvalue(w, "file", doc);
	jw_kstr(w, "hash", hash);
	jw_kobj(w, "resolvedDefaults");
	jw_kstr(w, "security", json_str_or(json_get(defaults, "security"), "allowlist"));
	jw_kstr(w, "ask", json_str_or(json_get(defaults, "ask"), "on-miss"));
	jw_kstr(w, "askFallback", json_str_or(json_get(defaults, "askFallback"), "deny"));
	jw_kbool(w, "autoAllowSkills", json_get_bool(defaults, "autoAllowSkills", false));
	jw_end(w);
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

static ch_status run_get(struct gw_call *call, struct ch_err *err)
{
	return reply_snapshot(call, err);
}

static ch_status run_set(struct gw_call *call, struct ch_err *err)
{
	ch_status st = exec_allow_set_document(allow_of(call), json_get(call->params, "file"), json_get_str(call->params, "baseHash"), err);

	return st ? st : reply_snapshot(call, err);
}

/* -- grants -- */

static void time_or_null(struct jw *w, const char *key, int64_t at)
{
	if (at > 0)
		jw_kint(w, key, at);
	else
		jw_knull(w, key);
}

struct grants_call {
	struct gw_call *call;
	struct jw *w;
};

static bool render_grant(void *arg, const struct exec_grant *g)
{
	struct grants_call *gc = arg;
	struct jw *w = gc->w;
	const char *text = g->command_text ? g->command_text : g->pattern;
	const char *shown = cmd_show(gc->call->arena, text, strlen(text), false);

	jw_obj(w);
	jw_kstr(w, "grantId", g->id);
	jw_kstr(w, "mintedByApprovalId", g->approval_id);
	jw_kstr(w, "agentId", *g->agent_id ? g->agent_id : "*");
	jw_kstr(w, "cronJobId", "exec"); /* no automation: every run of the agent */
	jw_knull(w, "cronJobName");
	jw_key(w, "command");
	jw_strn(w, shown, utf8_cut(shown, strlen(shown), COMMAND_MAX));
	jw_knull(w, "cwd");
	jw_kint(w, "createdAtMs", g->created_at);
	time_or_null(w, "expiresAtMs", g->expires_at);
	jw_knull(w, "revokedAtMs");
	jw_knull(w, "revokedBy");
	time_or_null(w, "lastUsedAtMs", g->last_used_at);
	jw_kint(w, "useCount", g->last_used_at ? 1 : 0);
	jw_end(w);
	return true;
}

static ch_status run_grants(struct gw_call *call, struct ch_err *err)
{
	CH_AUTO_BUF struct buf list = { 0 };
	struct jw inner = JW(&list), *w;
	struct grants_call gc = { .call = call, .w = &inner };
	size_t limit = (size_t)json_get_int(call->params, "limit", GRANTS_DEFAULT);
	ch_status st;

	buf_init(&list, GW_FRAME_MAX / 2);
	jw_arr(&inner);
	st = exec_grants_list(allow_of(call), limit, render_grant, &gc, err);
	if (st)
		return st;
	jw_end(&inner);
	st = buf_status(&list, err, "the list of grants");
	if (st)
		return st;
	w = gw_reply_begin(call);
	jw_obj(w);
	jw_kraw(w, "grants", list.data, list.len);
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

/* Revoking twice is no mistake: the protocol asks for an outcome, not for an error. */
static ch_status run_revoke(struct gw_call *call, struct ch_err *err)
{
	ch_status st = exec_grant_revoke(allow_of(call), json_get_str(call->params, "grantId"), err);
	struct jw *w;

	if (st && st != CH_E_NOT_FOUND)
		return st;
	w = gw_reply_begin(call);
	jw_obj(w);
	jw_kstr(w, "outcome", st ? "not-found" : "revoked");
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

/* -- rows -- */

static const char *const always[] = { "allow-always", NULL };
static const struct gw_param entry_params[] = {
	{ "id", GP_STR, GP_NON_EMPTY },
	{ "pattern", GP_STR, GP_REQUIRED },
	{ "source", GP_ENUM, .choices = always },
	{ "commandText", GP_STR },
	{ "argPattern", GP_STR },
	{ "lastUsedAt", GP_NUM },
	{ "lastUsedCommand", GP_STR },
	{ "lastResolvedPath", GP_STR },
	{0},
};
static const struct gw_param mcp_params[] = {
	{ "server", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "tool", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "source", GP_ENUM, GP_REQUIRED, .choices = always },
	{ "addedAt", GP_NUM, GP_REQUIRED },
	{ "lastUsedAt", GP_NUM },
	{0},
};
static const struct gw_param agent_params[] = {
	{ "security", GP_STR },
	{ "ask", GP_STR },
	{ "askFallback", GP_STR },
	{ "autoAllowSkills", GP_BOOL },
	{ "allowlist", GP_ARR, .item = GP_OBJ, .members = entry_params },
	{ "mcpTools", GP_ARR, .item = GP_OBJ, .members = mcp_params },
	{0},
};
static const struct gw_param defaults_params[] = {
	{ "security", GP_STR },
	{ "ask", GP_STR },
	{ "askFallback", GP_STR },
	{ "autoAllowSkills", GP_BOOL },
	{0},
};
static const struct gw_param socket_params[] = {
	{ "path", GP_STR },
	{ "token", GP_STR },
	{0},
};
static const struct gw_param file_params[] = {
	{ "version", GP_NUM, GP_REQUIRED },
	{ "socket", GP_OBJ, .members = socket_params },
	{ "defaults", GP_OBJ, .members = defaults_params },
	{ "agents", GP_OBJ, GP_OPEN },
	{0},
};
static const struct gw_param set_params[] = {
	{ "file", GP_OBJ, GP_REQUIRED, .members = file_params },
	{ "baseHash", GP_STR, GP_NON_EMPTY },
	{0},
};
static const struct gw_param grants_params[] = {
	{ "limit", GP_INT, .min = 1, .max = 500 },
	{0},
};
static const struct gw_param revoke_params[] = {
	{ "grantId", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{0},
};

/* A map of objects is no row of a parameter table: each agent is checked by itself. */
static ch_status run_set_checked(struct gw_call *call, struct ch_err *err)
{
	json_each(agent, json_path(call->params, "file.agents")) {
		ch_status st;

		if (!json_is(agent, JSON_OBJ))
			return ch_fail(err, CH_E_INVALID, "invalid exec.approvals.set params: at /file/agents/%.60s: must be object", agent->key);
		st = gw_params_check(arena_printf(call->arena, "exec.approvals.set file.agents.%.60s", agent->key), agent_params, agent, err);
		if (st)
			return st;
	}
	return run_set(call, err);
}

const struct gw_method gwm_exec_approvals[] = {
	{ "exec.approval.grants.list", run_grants, GW_SCOPE_APPROVALS, GW_INLINE, grants_params },
	{ "exec.approval.grants.revoke", run_revoke, GW_SCOPE_APPROVALS, GW_INLINE, revoke_params },
	{ "exec.approvals.get", run_get, GW_SCOPE_ADMIN, GW_INLINE },
	GWM_REFUSE("exec.approvals.node.get", ADMIN, NO_NODES),
	GWM_REFUSE("exec.approvals.node.set", ADMIN, NO_NODES),
	{ "exec.approvals.set", run_set_checked, GW_SCOPE_ADMIN, GW_INLINE | GW_CONTROL_WRITE, set_params },
};
const size_t gwm_exec_approvals_count = CH_ARRAY_LEN(gwm_exec_approvals);
