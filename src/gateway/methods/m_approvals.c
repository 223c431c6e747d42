/*
 * gateway/methods/m_approvals.c - what waits for a person's yes: looking, answering, waiting for the answer.
 *
 * Two families over the same rows: approval.* knows an id and all kinds; exec.approval.* and plugin.approval.* know
 * their kind, take the beginning of an id and answer as clients that know only decisions expect. Asking is in
 * m_approval_request.c. Answering takes the scope approvals, which no agent has: agents have no connection.
 */
#include "gateway/approval_events.h"
#include "gateway/methods/absent.h"
#include "gateway/methods/approval_common.h"
#include "gateway/services.h"

#include "core/fiber.h"
#include "core/str.h"

#define HISTORY_LIMIT 50
#define HISTORY_PAGE_BYTES (8u << 20)

static struct approvals *approvals_of(struct gw_call *call)
{
	return call->gw->services->host.approvals;
}

/* -- what is not there -- */

static ch_status fail_unknown(struct gw_call *call, struct ch_err *err)
{
	return gw_fail_details(call, err, CH_E_NOT_FOUND, gwm_detail(call, "reason", "APPROVAL_NOT_FOUND"), "approval not found");
}

ch_status gwm_approval_unknown(struct gw_call *call, struct ch_err *err)
{
	struct json *details = gwm_detail(call, "reason", "APPROVAL_NOT_FOUND");

	json_set(call->arena, details, "remediation",
		 json_new_str(call->arena, "it was answered or has expired; ask for the action again"));
	return gw_fail_details(call, err, CH_E_NOT_FOUND, details, "unknown or expired approval id");
}

/* -- approval.get, approval.history -- */

static ch_status run_get(struct gw_call *call, struct ch_err *err)
{
	struct approval row = { 0 };
	struct jw *w;
	ch_status st;

	st = approval_find(approvals_of(call), json_get_str(call->params, "id"), call->arena, &row, err);
	if (st == CH_E_NOT_FOUND)
		return fail_unknown(call, err);
	if (st)
		return st;
	w = gw_reply_begin(call);
	jw_obj(w);
	jw_key(w, "approval");
	gw_render_approval(call->gw, w, &row, true);
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

struct listing { struct gw *gw; struct jw *w; enum approval_kind kind; };

static bool put_ended(void *arg, const struct approval *row)
{
	struct listing *l = arg;

	gw_render_approval(l->gw, l->w, row, true);
	return l->w->out->len < HISTORY_PAGE_BYTES;      /* the rest is the next page */
}

static ch_status run_history(struct gw_call *call, struct ch_err *err)
{
	struct listing l = { .gw = call->gw, .w = gw_reply_begin(call) };
	const char *next = NULL;
	ch_status st;

	jw_obj(l.w);
	jw_karr(l.w, "items");
	st = approval_history(approvals_of(call), json_get_str(call->params, "cursor"),
			      (size_t)json_get_int(call->params, "limit", HISTORY_LIMIT), json_get_str(call->params, "kind"),
			      call->arena, put_ended, &l, &next, err);
	if (st == CH_E_INVALID)
		return ch_fail(err, st, "invalid approval.history cursor");
	if (st)
		return st;
	jw_end(l.w);
	jw_kstr_opt(l.w, "nextCursor", next);
	jw_end(l.w);
	gw_reply_end(call);
	return CH_OK;
}

/* -- exec.approval.list, plugin.approval.list, exec.approval.get -- */

static bool put_pending(void *arg, const struct approval *row)
{
	struct listing *l = arg;

	if (row->kind == l->kind)
		gw_render_approval_request(l->w, row);
	return !l->w->out->failed;
}

static ch_status list(struct gw_call *call, enum approval_kind kind, struct ch_err *err)
{
	struct listing l = { .gw = call->gw, .w = gw_reply_begin(call), .kind = kind };
	ch_status st;

	jw_arr(l.w);
	st = approval_pending(approvals_of(call), NULL, put_pending, &l, err);
	if (st)
		return st;
	jw_end(l.w);
	gw_reply_end(call);
	return CH_OK;
}

static ch_status run_exec_list(struct gw_call *call, struct ch_err *err)
{
	return list(call, APPROVAL_EXEC, err);
}

static ch_status run_plugin_list(struct gw_call *call, struct ch_err *err)
{
	return list(call, APPROVAL_PLUGIN, err);
}

/* By an id or its beginning; another kind's is not there. */
static ch_status match(struct gw_call *call, enum approval_kind kind, struct approval *ret, struct ch_err *err)
{
	struct approval row = { 0 };
	ch_status st;

	st = approval_match(approvals_of(call), json_get_str(call->params, "id"), call->arena, &row, err);
	if (st == CH_E_CONFLICT)
		return ch_fail(err, CH_E_INVALID, "ambiguous approval id prefix; use the full id");
	if (st == CH_E_NOT_FOUND || (!st && row.kind != kind))
		return gwm_approval_unknown(call, err);
	if (!st)
		*ret = row;
	return st;
}

static ch_status run_exec_get(struct gw_call *call, struct ch_err *err)
{
	struct approval row = { 0 };
	struct jw *w;
	ch_status st = match(call, APPROVAL_EXEC, &row, err);

	if (st)
		return st;
	if (row.status != APPROVAL_PENDING)
		return gwm_approval_unknown(call, err);
	w = gw_reply_begin(call);
	jw_obj(w);
	jw_kstr(w, "id", row.id);
	jw_kstr(w, "commandText", json_get_str(row.presentation, "commandText"));
	jw_kstr(w, "commandPreview", json_get_str(row.presentation, "commandPreview"));
	jw_key(w, "allowedDecisions");
	gw_render_decisions(w, row.decisions);
	jw_kstr(w, "host", json_get_str(row.presentation, "host"));
	jw_kstr(w, "nodeId", json_get_str(row.presentation, "nodeId"));
	jw_kstr(w, "agentId", row.agent_id);
	jw_kint(w, "expiresAtMs", row.expires_at);
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

/* -- answering -- */

static struct approval_resolver resolver(struct gw_call *call)
{
	struct approval_resolver by = gw_approval_resolver(call->conn);

	by.expires_in_days = (int)json_get_int(call->params, "grantExpiresInDays", 0);
	return by;
}

static ch_status reply_approval(struct gw_call *call, bool is_applied, const struct approval *row)
{
	struct jw *w = gw_reply_begin(call);

	jw_obj(w);
	jw_kbool(w, "applied", is_applied);
	jw_key(w, "approval");
	gw_render_approval(call->gw, w, row, true);
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

/* No channel is connected that could vouch for a reviewer. */
static bool has_reviewer(const struct gw_call *call)
{
	return json_get(call->params, "reviewer") != NULL;
}

static ch_status run_resolve(struct gw_call *call, struct ch_err *err)
{
	struct approval_resolver by = resolver(call);
	enum approval_decision decision = APPROVAL_NONE;
	struct approval row = { 0 };
	ch_status st;

	st = approval_find(approvals_of(call), json_get_str(call->params, "id"), call->arena, &row, err);
	if (st == CH_E_NOT_FOUND || (!st && has_reviewer(call)))
		return fail_unknown(call, err);
	if (st)
		return st;
	if (!str_eq(approval_kind_name(row.kind), json_get_str(call->params, "kind")))
		return ch_fail(err, CH_E_INVALID, "approval %s is of kind %s", row.id, approval_kind_name(row.kind));
	(void)approval_decision_parse(json_get_str(call->params, "decision"), &decision);
	st = approval_resolve(approvals_of(call), row.id, decision, &by, call->arena, &row, err);
	if (st == CH_OK || st == CH_E_CONFLICT)
		return reply_approval(call, st == CH_OK, &row);
	return st;
}

static ch_status reply_ok(struct gw_call *call)
{
	struct jw *w = gw_reply_begin(call);

	jw_obj(w);
	jw_kbool(w, "ok", true);
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

static ch_status fail_unavailable(struct gw_call *call, const struct approval *row, const char *decision, struct ch_err *err)
{
	struct json *details = json_new_obj(call->arena), *names = json_new_arr(call->arena);

	if (row->kind == APPROVAL_EXEC)
		return gw_fail_details(call, err, CH_E_INVALID, gwm_detail(call, "reason", "APPROVAL_ALLOW_ALWAYS_UNAVAILABLE"),
				       "%s is unavailable for this command", decision);
	for (unsigned d = APPROVAL_ALLOW_ONCE; d <= APPROVAL_DENY; d <<= 1)
		if (row->decisions & d)
			json_push(names, json_new_str(call->arena, approval_decision_name(d)));
	json_set(call->arena, details, "allowedDecisions", names);
	return gw_fail_details(call, err, CH_E_INVALID, details, "%s is unavailable for this plugin approval", decision);
}

/* Saying the same once more is fine; anything else learns that it was too late. */
static ch_status resolve_kind(struct gw_call *call, enum approval_kind kind, struct ch_err *err)
{
	const char *wanted = json_get_str(call->params, "decision");
	struct approval_resolver by = resolver(call);
	enum approval_decision decision;
	struct approval row = { 0 };
	ch_status st;

	if (!approval_decision_parse(wanted, &decision))
		return ch_fail(err, CH_E_INVALID, "invalid decision");
	if (has_reviewer(call))
		return gwm_approval_unknown(call, err);
	st = match(call, kind, &row, err);
	if (st)
		return st;
	if (row.status == APPROVAL_PENDING && !(row.decisions & decision))
		return fail_unavailable(call, &row, wanted, err);
	st = approval_resolve(approvals_of(call), row.id, decision, &by, call->arena, &row, err);
	if (st == CH_OK || (st == CH_E_CONFLICT && row.decision == decision))
		return reply_ok(call);
	if (st == CH_E_CONFLICT)
		return gw_fail_details(call, err, CH_E_CONFLICT, gwm_detail(call, "reason", "APPROVAL_ALREADY_RESOLVED"),
				       "approval already resolved");
	return st;
}

static ch_status run_exec_resolve(struct gw_call *call, struct ch_err *err)
{
	return resolve_kind(call, APPROVAL_EXEC, err);
}

static ch_status run_plugin_resolve(struct gw_call *call, struct ch_err *err)
{
	return resolve_kind(call, APPROVAL_PLUGIN, err);
}

/* -- waiting -- */

void gwm_approval_put_decision(struct jw *w, const struct approval *row, bool with_reason)
{
	jw_obj(w);
	jw_kstr(w, "id", row->id);
	jw_kstr(w, "decision", approval_decision_name(row->decision));
	jw_kint(w, "createdAtMs", row->created_at);
	jw_kint(w, "expiresAtMs", row->expires_at);
	if (with_reason)
		jw_kstr_opt(w, "terminalReason", row->reason);
	jw_end(w);
}

CH_FIBER static ch_status wait_kind(struct gw_call *call, enum approval_kind kind, struct ch_err *err)
{
	const char *id = json_get_str(call->params, "id");
	struct approval row = { 0 };
	ch_status st;

	if (str_empty(id))
		return ch_fail(err, CH_E_INVALID, "id is required");
	st = approval_find(approvals_of(call), id, call->arena, &row, err);
	if (st == CH_E_NOT_FOUND || (!st && row.kind != kind))
		return ch_fail(err, CH_E_NOT_FOUND, "approval expired or not found");
	/* For ever: the approval's own time ends it, and the row's flag when the client leaves. */
	if (!st)
		st = approval_watch(approvals_of(call), id, FIBER_FOREVER, call->arena, &row, err);
	if (st)
		return st;
	gwm_approval_put_decision(gw_reply_begin(call), &row, true);
	gw_reply_end(call);
	return CH_OK;
}

CH_FIBER static ch_status run_exec_wait(struct gw_call *call, struct ch_err *err)
{
	return wait_kind(call, APPROVAL_EXEC, err);
}

CH_FIBER static ch_status run_plugin_wait(struct gw_call *call, struct ch_err *err)
{
	return wait_kind(call, APPROVAL_PLUGIN, err);
}

/* -- rows -- */

static const struct gw_param id_params[] = {
	{ "id", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{0},
};
static const char *const approval_kinds[] = { "exec", "plugin", "system-agent", NULL };
static const char *const decisions[] = { "allow-once", "allow-always", "deny", NULL };
static const struct gw_param history_params[] = {
	{ "cursor", GP_STR, GP_NON_EMPTY, .max = 512 },
	{ "limit", GP_INT, .min = 1, .max = 100 },
	{ "kind", GP_ENUM, .choices = approval_kinds },
	{0},
};
static const struct gw_param reviewer_params[] = {
	{ "channel", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "accountId", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "senderId", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{0},
};
static const struct gw_param resolve_params[] = {
	{ "id", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "kind", GP_ENUM, GP_REQUIRED, .choices = approval_kinds },
	{ "decision", GP_ENUM, GP_REQUIRED, .choices = decisions },
	{ "reviewer", GP_OBJ, .members = reviewer_params },
	{ "grantExpiresInDays", GP_INT, .min = 1, .max = 3650 },
	{0},
};
static const struct gw_param exec_resolve_params[] = {
	{ "id", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "decision", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "reviewer", GP_OBJ, .members = reviewer_params },
	{ "grantExpiresInDays", GP_INT, .min = 1, .max = 3650 },
	{0},
};
static const struct gw_param plugin_resolve_params[] = {
	{ "id", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "decision", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "reviewer", GP_OBJ, .members = reviewer_params },
	{0},
};

#define READ(name, run, flags, params) { name, run, GW_SCOPE_APPROVALS, GW_INLINE | (flags), params }

const struct gw_method gwm_approvals[] = {
	READ("approval.get", run_get, 0, id_params),
	READ("approval.history", run_history, 0, history_params),
	{ "approval.resolve", run_resolve, GW_SCOPE_APPROVALS, 0, resolve_params },
	READ("exec.approval.get", run_exec_get, 0, id_params),
	READ("exec.approval.list", run_exec_list, GW_OPEN_PARAMS, NULL),
	{ "exec.approval.resolve", run_exec_resolve, GW_SCOPE_APPROVALS, 0, exec_resolve_params },
	{ "exec.approval.waitDecision", run_exec_wait, GW_SCOPE_APPROVALS, GW_OPEN_PARAMS | GW_WAITS },
	{ "openclaw.approval.list", gwm_run_fixed, GW_SCOPE_APPROVALS, GW_INLINE | GW_OPEN_PARAMS, NULL, NULL, "[]" },
	READ("plugin.approval.list", run_plugin_list, GW_OPEN_PARAMS, NULL),
	{ "plugin.approval.resolve", run_plugin_resolve, GW_SCOPE_APPROVALS, 0, plugin_resolve_params },
	{ "plugin.approval.waitDecision", run_plugin_wait, GW_SCOPE_APPROVALS, GW_OPEN_PARAMS | GW_WAITS },
};
const size_t gwm_approvals_count = CH_ARRAY_LEN(gwm_approvals);
