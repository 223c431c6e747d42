/*
 * gateway/methods/m_audit.c - the trail, read: runs and tool calls, changes of the configuration.
 *
 * A cursor is the number of the last row told.
 */
#include "core/str.h"
#include "gateway/audit.h"
#include "gateway/methods/methods.h"

#define ACTIVITY_LIMIT 100
#define CHANGES_LIMIT 50
#define INSPECT_LIMIT 50
#define EVENT_ID_LEN 40

/* limit, cursor (by the name given), after, before. */
static ch_status read_range(struct gw_call *call, const char *cursor_name, struct audit_query *q,
			    struct ch_err *err)
{
	const char *cursor = json_get_str(call->params, cursor_name);

	q->limit = json_get_int(call->params, "limit", q->limit);
	q->after_ms = json_get_int(call->params, "after", 0);
	q->before_ms = json_get_int(call->params, "before", 0);
	if ((cursor && (!str_to_i64(cursor, &q->below_id) || q->below_id <= 0)) ||
	    (q->before_ms && q->after_ms >= q->before_ms))
		return ch_fail(err, CH_E_INVALID, "invalid %s range or cursor", call->method);
	return CH_OK;
}

static void write_event(struct jw *w, const struct audit_row *r, bool with_type)
{
	char id[EVENT_ID_LEN];

	snprintf(id, sizeof(id), "audit-%lld", (long long)r->id);
	jw_obj(w);
	if (with_type)
		jw_kint(w, "schemaVersion", 1);
	jw_kint(w, "sequence", r->id);
	jw_kstr(w, "eventId", id);
	jw_kint(w, "sourceSequence", json_get_int(r->detail, "sourceSequence", 1));
	jw_kint(w, "occurredAt", r->at);
	jw_kstr(w, "redaction", "metadata_only");
	jw_kstr(w, "agentId", r->agent_id);
	jw_kstr_opt(w, "sessionKey", r->session_key);
	jw_kstr_opt(w, "sessionId", json_get_str(r->detail, "sessionId"));
	jw_kstr(w, "runId", r->run_id);
	jw_kstr(w, "kind", r->kind);
	jw_kstr(w, "action", r->action);
	jw_kstr(w, "status", r->status);
	jw_kstr_opt(w, "errorCode", json_get_str(r->detail, "errorCode"));
	jw_kstr_opt(w, "toolCallId", json_get_str(r->detail, "toolCallId"));
	jw_kstr_opt(w, "toolName", json_get_str(r->detail, "toolName"));
	if (with_type)
		jw_kstr(w, "eventType", r->kind);
	jw_kobj(w, "actor");
	jw_kstr(w, "type", r->actor ? "agent" : "system");
	jw_kstr(w, "id", r->actor ? r->actor : "gateway");
	jw_end(w);
	jw_end(w);
}

static void write_cursor(struct gw_call *call, struct jw *w, const struct audit_row *rows, size_t count, bool more)
{
	if (more && count)
		jw_kstr(w, "nextCursor", arena_printf(call->arena, "%lld", (long long)rows[count - 1].id));
}

static ch_status reply_events(struct gw_call *call, bool with_type, struct ch_err *err)
{
	const char *kind = json_get_str(call->params, "kind");
	struct audit_query q = { .kinds = { kind ? kind : "agent_run", kind ? NULL : "tool_action" },
				 .agent_id = json_get_str(call->params, "agentId"),
				 .session_key = json_get_str(call->params, "sessionKey"),
				 .run_id = json_get_str(call->params, "runId"),
				 .status = json_get_str(call->params, "status"),
				 .limit = ACTIVITY_LIMIT };
	/* Only messages have a direction and a channel, and no message of a channel is on record. */
	bool is_none = json_get(call->params, "direction") || json_get(call->params, "channel");
	struct audit_row *rows = NULL;
	size_t count = 0;
	bool more = false;
	struct jw *w;
	ch_status st = read_range(call, "cursor", &q, err);

	if (!st && !is_none)
		st = audit_list(call->gw, call->arena, &q, &rows, &count, &more, err);
	if (st)
		return st;
	w = gw_reply_begin(call);
	jw_obj(w);
	jw_karr(w, "events");
	for (size_t i = 0; i < count; i++)
		write_event(w, &rows[i], with_type);
	jw_end(w);
	write_cursor(call, w, rows, count, more);
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

static ch_status run_activity(struct gw_call *call, struct ch_err *err)
{
	return reply_events(call, true, err);
}

static ch_status run_list(struct gw_call *call, struct ch_err *err)
{
	return reply_events(call, false, err);
}

static void write_change(struct gw_call *call, struct jw *w, const struct audit_row *r)
{
	const struct json *paths = json_get(r->detail, "paths");

	jw_obj(w);
	jw_kstr(w, "id", arena_printf(call->arena, "audit-%lld", (long long)r->id));
	jw_kint(w, "at", r->at);
	jw_kstr(w, "kind", "config-write");
	jw_kstr(w, "source", "config-rpc");
	jw_kstr(w, "summary",
		arena_printf(call->arena, "%s by %s", r->action, r->actor ? r->actor : "the gateway"));
	if (paths)
		jw_kvalue(w, "changedPaths", paths);
	jw_end(w);
}

static ch_status run_changes(struct gw_call *call, struct ch_err *err)
{
	struct audit_query q = { .kinds = { "config" }, .limit = CHANGES_LIMIT };
	struct audit_row *rows = NULL;
	size_t count = 0;
	bool more = false;
	struct jw *w;
	ch_status st = read_range(call, "beforeCursor", &q, err);

	if (!st)
		st = audit_list(call->gw, call->arena, &q, &rows, &count, &more, err);
	if (st)
		return st;
	w = gw_reply_begin(call);
	jw_obj(w);
	jw_karr(w, "entries");
	for (size_t i = 0; i < count; i++)
		write_change(call, w, &rows[i]);
	jw_end(w);
	write_cursor(call, w, rows, count, more);
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

/* -- audit.run.inspect: what was decided of a run's calls, and by whom -- */

/* In the protocol's words. */
static const char *outcome_of(const struct audit_row *r)
{
	if (str_eq(r->status, "allowed") || str_eq(r->status, "succeeded") || str_eq(r->status, "failed"))
		return "allowed";
	return str_in(r->status, (const char *const[]){ "denied", "blocked", "expired", "cancelled" }, 4) ? "denied" : "unknown";
}

static const char *summary_of(struct arena *a, const struct audit_row *r)
{
	const struct json *d = r->detail, *resolver = json_get(d, "resolver");
	const char *who = json_get_str(resolver, "name") ? json_get_str(resolver, "name") : json_get_str(resolver, "id");
	const char *host = json_get_str(d, "host"), *approval = json_get_str(d, "approvalId");

	if (str_eq(r->kind, "approval"))
		return arena_printf(a, "%.100s: %.40s%s%.100s", json_str_or(json_get(d, "id"), "?"), r->status, who ? " by " : "",
				    who ? who : "");
	return arena_printf(a, "risk %s%s%.40s%s%s%.100s", json_str_or(json_get(d, "risk"), "unknown"), host ? ", host " : "",
			    host ? host : "", json_get_bool(d, "tainted", false) ? ", outside text in the turn" : "",
			    approval ? ", asked as " : "", approval ? approval : "");
}

static void write_decision(struct gw_call *call, struct jw *w, const struct audit_row *r)
{
	bool is_approval = str_eq(r->kind, "approval");

	jw_obj(w);
	jw_kint(w, "schemaVersion", 1);
	jw_kstr(w, "selectorId", arena_printf(call->arena, "audit-%lld", (long long)r->id));
	jw_kint(w, "occurredAt", r->at);
	jw_kobj(w, "action");
	jw_kstr(w, "family", is_approval ? "operator-approval" : "tool");
	jw_kstr(w, "operation", is_approval ? json_str_or(json_get(r->detail, "kind"), "approval") :
					      json_str_or(json_get(r->detail, "toolName"), "tool"));
	jw_kstr(w, "summary", summary_of(call->arena, r));
	jw_end(w);
	jw_kobj(w, "decision");
	jw_kstr(w, "outcome", outcome_of(r));
	jw_kstr(w, "reasonCode", arena_printf(call->arena, "%s_%s", is_approval ? "approval" : "tool", r->status));
	jw_end(w);
	jw_kobj(w, "enforcement");
	jw_kstr(w, "coverageState", "attribution-only");
	jw_kint(w, "policyCount", is_approval ? 0 : 1);
	jw_kint(w, "grantCount", 0);
	jw_karr(w, "contextFieldsUsed");
	jw_end(w);
	jw_end(w);
	jw_kobj(w, "provenance");
	jw_kstr(w, "state", is_approval ? "verified" : "unverified");
	if (is_approval)
		jw_kstr(w, "producer", "operator-approval");
	jw_end(w);
	jw_karr(w, "missingEvidence");
	jw_end(w);
	jw_karr(w, "remediation");
	jw_end(w);
	jw_end(w);
}

/* Who a run is beside its ids is not recorded here, and the answer says so. */
static void write_identity(struct jw *w, bool is_known)
{
	jw_kobj(w, "identity");
	jw_kstr(w, "state", is_known ? "unsupported" : "unknown");
	jw_kstr(w, "reasonCode", is_known ? "execution_identity_not_recorded" : "run_not_found");
	jw_karr(w, "missingEvidence");
	jw_str(w, "execution-identity");
	jw_end(w);
	jw_karr(w, "remediation");
	jw_end(w);
	jw_end(w);
}

static void write_inspection(struct gw_call *call, const struct audit_row *rows, size_t count, bool more, bool is_known)
{
	struct jw *w = gw_reply_begin(call);

	jw_obj(w);
	jw_kint(w, "schemaVersion", 1);
	jw_kobj(w, "run");
	jw_kstr_opt(w, "runId", json_get_str(call->params, "runId"));
	jw_kstr_opt(w, "executionId", json_get_str(call->params, "executionId"));
	jw_kstr(w, "status", is_known ? "known" : "unknown");
	jw_end(w);
	write_identity(w, is_known);
	jw_karr(w, "decisionDisplays");
	for (size_t i = 0; i < count; i++)
		if (!str_eq(rows[i].status, "started") && !str_eq(rows[i].status, "pending"))
			write_decision(call, w, &rows[i]);
	jw_end(w);
	jw_kobj(w, "coverage");
	jw_kstr(w, "state", is_known ? "attribution-only" : "unknown");
	jw_karr(w, "missingEvidence");
	jw_end(w);
	jw_end(w);
	if (more && count)
		jw_kstr(w, "nextDecisionCursor", arena_printf(call->arena, "%lld", (long long)rows[count - 1].id));
	jw_end(w);
	gw_reply_end(call);
}

static ch_status run_inspect(struct gw_call *call, struct ch_err *err)
{
	const char *run = json_get_str(call->params, "runId"), *execution = json_get_str(call->params, "executionId");
	const char *cursor = json_get_str(call->params, "decisionCursor");
	struct audit_query q = { .kinds = { "tool_action", "approval" }, .run_id = run, .limit = INSPECT_LIMIT };
	struct audit_query any = { .kinds = { "agent_run" }, .run_id = run, .limit = 1 };
	struct audit_row *rows = NULL, *runs = NULL;
	size_t count = 0, known = 0;
	bool more = false, more_runs;
	ch_status st = CH_OK;

	if (!run == !execution || (execution && (json_get(call->params, "executionCursor") || json_get(call->params, "executionLimit"))))
		return ch_fail(err, CH_E_INVALID, "audit.run.inspect takes either runId or executionId");
	q.limit = json_get_int(call->params, "decisionLimit", q.limit);
	if (cursor && (!str_to_i64(cursor, &q.below_id) || q.below_id <= 0))
		return ch_fail(err, CH_E_INVALID, "invalid audit.run.inspect cursor");
	/* No execution has an id of its own here, so none is known by one. */
	if (run)
		st = audit_list(call->gw, call->arena, &q, &rows, &count, &more, err);
	if (!st && run)
		st = audit_list(call->gw, call->arena, &any, &runs, &known, &more_runs, err);
	if (st)
		return st;
	write_inspection(call, rows, count, more, count || known);
	return CH_OK;
}

static const char *const activity_kinds[] = { "agent_run", "tool_action", "message", NULL };
static const char *const statuses[] = { "started",   "succeeded", "failed",  "cancelled",
					"timed_out", "blocked",	  "unknown", NULL };
static const char *const directions[] = { "inbound", "outbound", NULL };
static const struct gw_param activity_params[] = {
	{ "agentId", GP_STR, GP_NON_EMPTY },
	{ "sessionKey", GP_STR, GP_NON_EMPTY },
	{ "runId", GP_STR, GP_NON_EMPTY },
	{ "kind", GP_ENUM, .choices = activity_kinds },
	{ "status", GP_ENUM, .choices = statuses },
	{ "direction", GP_ENUM, .choices = directions },
	{ "channel", GP_STR, GP_NON_EMPTY },
	{ "after", GP_INT, .max = INT64_MAX },
	{ "before", GP_INT, .max = INT64_MAX },
	{ "limit", GP_INT, .min = 1, .max = 500 },
	{ "cursor", GP_STR, GP_NON_EMPTY },
	{0},
};
static const char *const list_kinds[] = { "agent_run", "tool_action", NULL };
static const struct gw_param list_params[] = {
	{ "agentId", GP_STR, GP_NON_EMPTY },
	{ "sessionKey", GP_STR, GP_NON_EMPTY },
	{ "runId", GP_STR, GP_NON_EMPTY },
	{ "kind", GP_ENUM, .choices = list_kinds },
	{ "status", GP_ENUM, .choices = statuses },
	{ "after", GP_INT, .max = INT64_MAX },
	{ "before", GP_INT, .max = INT64_MAX },
	{ "limit", GP_INT, .min = 1, .max = 500 },
	{ "cursor", GP_STR, GP_NON_EMPTY },
	{0},
};
static const struct gw_param inspect_params[] = {
	{ "runId", GP_STR, GP_NON_EMPTY, .max = 256 },
	{ "executionId", GP_STR, GP_NON_EMPTY, .max = 256 },
	{ "executionCursor", GP_STR, GP_NON_EMPTY, .max = 256 },
	{ "executionLimit", GP_INT, .min = 1, .max = 50 },
	{ "decisionCursor", GP_STR, GP_NON_EMPTY, .max = 256 },
	{ "decisionLimit", GP_INT, .min = 1, .max = 100 },
	{0},
};
static const struct gw_param changes_params[] = {
	{ "limit", GP_INT, .min = 1, .max = 200 },
	{ "beforeCursor", GP_STR, GP_NON_EMPTY },
	{0},
};

const struct gw_method gwm_audit[] = {
	/* name                    run           scope           flags  params */
	{ "audit.activity.list",   run_activity, GW_SCOPE_READ,  0,     activity_params },
	{ "audit.list",            run_list,     GW_SCOPE_READ,  0,     list_params },
	{ "audit.run.inspect",     run_inspect,  GW_SCOPE_READ,  0,     inspect_params },
	{ "openclaw.changes.list", run_changes,  GW_SCOPE_ADMIN, 0,     changes_params },
};
const size_t gwm_audit_count = CH_ARRAY_LEN(gwm_audit);
