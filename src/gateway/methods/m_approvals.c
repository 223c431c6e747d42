/*
 * gateway/methods/m_approvals.c - what waits for a person: approvals and questions. No tool of this version
 * asks for either.
 */
#include "core/crypto.h"
#include "gateway/methods/absent.h"

#define NO_APPROVALS "no tool of this version asks for approval"
#define NO_EXEC "this version runs no commands"
#define NO_QUESTIONS "no tool of this version asks questions"
#define NO_NODES "this version has no nodes"
#define NO_PLUGINS "this version loads no plugins"

static ch_status run_unknown_approval(struct gw_call *call, struct ch_err *err)
{
	return gw_fail_details(call, err, CH_E_NOT_FOUND, gwm_detail(call, "reason", "APPROVAL_NOT_FOUND"), "%s",
			       call->row->answer);
}

static ch_status run_unknown_question(struct gw_call *call, struct ch_err *err)
{
	return gw_fail_details(call, err, CH_E_NOT_FOUND, gwm_detail(call, "reason", "QUESTION_NOT_FOUND"),
			       "question '%s' was not found", gwm_short_param(call, "id"));
}

/* Nothing is stored and nothing is run: the hash is that of no text. */
static ch_status run_exec_approvals(struct gw_call *call, struct ch_err *err)
{
	struct jw *w = gw_reply_begin(call);
	char hash[2 * SHA256_LEN + 1];

	sha256_hex("", 0, hash);
	jw_obj(w);
	jw_kstr(w, "path", arena_printf(call->arena, "%s#exec_approvals", db_path(call->gw->db)));
	jw_kbool(w, "exists", false);
	jw_kobj(w, "file");
	jw_kint(w, "version", 1);
	jw_end(w);
	jw_kstr(w, "hash", hash);
	jw_kobj(w, "resolvedDefaults");
	jw_kstr(w, "security", "deny");
	jw_kstr(w, "ask", "off");
	jw_kstr(w, "askFallback", "deny");
	jw_kbool(w, "autoAllowSkills", false);
	jw_end(w);
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

static const struct gw_param id_params[] = {
	{ "id", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{0},
};
static const char *const approval_kinds[] = { "exec", "plugin", "system-agent", NULL };
static const struct gw_param history_params[] = {
	{ "cursor", GP_STR, GP_NON_EMPTY, .max = 512 },
	{ "limit", GP_INT, .min = 1, .max = 100 },
	{ "kind", GP_ENUM, .choices = approval_kinds },
	{0},
};
static const struct gw_param grants_params[] = {
	{ "limit", GP_INT, .min = 1, .max = 500 },
	{0},
};

const struct gw_method gwm_approvals[] = {
	GWM_ROW("approval.get", run_unknown_approval, APPROVALS, id_params, "approval not found"),
	GWM_ALWAYS("approval.history", APPROVALS, history_params, "{\"items\":[]}"),
	GWM_REFUSE("approval.resolve", APPROVALS, NO_APPROVALS),
	GWM_ROW("exec.approval.get", run_unknown_approval, APPROVALS, id_params, "unknown or expired approval id"),
	GWM_ALWAYS("exec.approval.grants.list", APPROVALS, grants_params, "{\"grants\":[]}"),
	{ "exec.approval.list", gwm_run_fixed, GW_SCOPE_APPROVALS, GW_INLINE | GW_OPEN_PARAMS, NULL, NULL, "[]" },
	GWM_REFUSE("exec.approval.request", APPROVALS, NO_APPROVALS),
	GWM_REFUSE("exec.approval.resolve", APPROVALS, NO_APPROVALS),
	GWM_REFUSE("exec.approval.waitDecision", APPROVALS, NO_APPROVALS),
	GWM_ROW("exec.approvals.get", run_exec_approvals, ADMIN, NULL, NULL),
	GWM_REFUSE("exec.approvals.node.get", ADMIN, NO_NODES),
	GWM_REFUSE("exec.approvals.node.set", ADMIN, NO_NODES),
	GWM_REFUSE("exec.approvals.set", ADMIN, NO_EXEC),
	{ "openclaw.approval.list", gwm_run_fixed, GW_SCOPE_APPROVALS, GW_INLINE | GW_OPEN_PARAMS, NULL, NULL, "[]" },
	{ "plugin.approval.list", gwm_run_fixed, GW_SCOPE_APPROVALS, GW_INLINE | GW_OPEN_PARAMS, NULL, NULL, "[]" },
	GWM_REFUSE("plugin.approval.request", APPROVALS, NO_PLUGINS),
	GWM_REFUSE("plugin.approval.resolve", APPROVALS, NO_PLUGINS),
	GWM_REFUSE("plugin.approval.waitDecision", APPROVALS, NO_PLUGINS),
	GWM_ROW("question.get", run_unknown_question, QUESTIONS, id_params, NULL),
	GWM_ALWAYS("question.list", QUESTIONS, NULL, "{\"questions\":[]}"),
	GWM_REFUSE("question.request", QUESTIONS, NO_QUESTIONS),
	GWM_REFUSE("question.resolve", QUESTIONS, NO_QUESTIONS),
	GWM_REFUSE("question.waitAnswer", QUESTIONS, NO_QUESTIONS),
};
const size_t gwm_approvals_count = CH_ARRAY_LEN(gwm_approvals);
