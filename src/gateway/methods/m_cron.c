/*
 * gateway/methods/m_cron.c - what happens by itself: jobs, tasks, heartbeats, system events. This version
 * has none of them.
 */
#include "core/crypto.h"
#include "core/str.h"
#include "gateway/methods/absent.h"

#define NO_CRON "this version has no scheduler"
#define NO_HEARTBEAT "this version has no heartbeat"
#define NO_SYSTEM_EVENTS "this version has no queue of system events"
#define CRON_PAGE 50

static ch_status fail_job(struct gw_call *call, struct ch_err *err)
{
	const char *id = gwm_short_param(call, json_get(call->params, "id") ? "id" : "jobId");
	struct json *details = gwm_detail(call, "code", "CRON_JOB_NOT_FOUND");

	json_set(call->arena, details, "jobId", json_new_str(call->arena, id));
	return gw_fail_details(call, err, CH_E_NOT_FOUND, details, "cron job not found: %s", id);
}

static ch_status run_cron_get(struct gw_call *call, struct ch_err *err)
{
	if (!json_get(call->params, "id") == !json_get(call->params, "jobId"))
		return ch_fail(err, CH_E_INVALID,
			       "invalid cron.get params: must have required property 'id' or 'jobId', not both");
	return fail_job(call, err);
}

/* What a list is at a moment, so that pages of one list can be told from those of another. */
static const char *revision_of(struct arena *a, const char *list, size_t n)
{
	uint8_t digest[SHA256_LEN];
	char text[64];

	sha256(list, n, digest);
	b64url_encode(digest, sizeof(digest), text);
	return arena_printf(a, "sha256:%s", text);
}

/* An empty page; `key` names its array. */
static ch_status reply_page(struct gw_call *call, const char *key)
{
	struct jw *w = gw_reply_begin(call);

	jw_obj(w);
	jw_karr(w, key);
	jw_end(w);
	if (str_eq(key, "jobs"))         /* a page of runs names none */
		jw_kstr(w, "snapshotRevision", revision_of(call->arena, "[]", 2));
	jw_kint(w, "total", 0);
	jw_kint(w, "offset", json_get_int(call->params, "offset", 0));
	jw_kint(w, "limit", json_get_int(call->params, "limit", CRON_PAGE));
	jw_kbool(w, "hasMore", false);
	jw_knull(w, "nextOffset");
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

static ch_status run_cron_list(struct gw_call *call, struct ch_err *err)
{
	return reply_page(call, "jobs");
}

static ch_status run_cron_runs(struct gw_call *call, struct ch_err *err)
{
	if (json_get(call->params, "id") || json_get(call->params, "jobId"))
		return fail_job(call, err);
	return reply_page(call, "entries");
}

/* Where the database is is for administrators. */
static ch_status run_cron_status(struct gw_call *call, struct ch_err *err)
{
	const char *path = gw_conn_has(call->conn, GW_SCOPE_ADMIN) ? db_path(call->gw->db) : "[redacted]";
	struct jw *w = gw_reply_begin(call);

	jw_obj(w);
	jw_kbool(w, "enabled", false);
	jw_kbool(w, "triggersEnabled", false);
	jw_kstr(w, "storePath", path);
	jw_kstr(w, "storage", "sqlite");
	jw_kstr(w, "sqlitePath", path);
	jw_kint(w, "jobs", 0);
	jw_knull(w, "nextWakeAtMs");
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

/* Switching off what does not beat is done; switching it on is not. */
static ch_status run_set_heartbeats(struct gw_call *call, struct ch_err *err)
{
	struct jw *w;

	if (json_get_bool(call->params, "enabled", false))
		return gwm_run_refuse(call, err);
	w = gw_reply_begin(call);
	jw_obj(w);
	jw_kbool(w, "ok", true);
	jw_kbool(w, "enabled", false);
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

static const struct gw_param cron_get_params[] = {
	{ "id", GP_STR, GP_NON_EMPTY },
	{ "jobId", GP_STR, GP_NON_EMPTY },
	{0},
};
static const char *const cron_enabled[] = { "all", "enabled", "disabled", NULL };
static const char *const cron_kinds[] = { "all", "at", "every", "cron", "on-exit", "stream", NULL };
static const char *const cron_last[] = { "all", "ok", "error", "skipped", "unknown", NULL };
static const char *const cron_triggers[] = { "all", "conditional", "unconditional", NULL };
static const char *const cron_sort[] = { "nextRunAtMs", "updatedAtMs", "name", NULL };
static const char *const sort_dirs[] = { "asc", "desc", NULL };
static const struct gw_param cron_list_params[] = {
	{ "sessionKey", GP_STR, GP_NON_EMPTY },
	{ "sessionAgentId", GP_STR, GP_NON_EMPTY },
	{ "includeDisabled", GP_BOOL },
	{ "limit", GP_INT, .min = 1, .max = 200 },
	{ "offset", GP_INT, .max = INT64_MAX },
	{ "query", GP_STR },
	{ "enabled", GP_ENUM, .choices = cron_enabled },
	{ "scheduleKind", GP_ENUM, .choices = cron_kinds },
	{ "lastRunStatus", GP_ENUM, .choices = cron_last },
	{ "trigger", GP_ENUM, .choices = cron_triggers },
	{ "sortBy", GP_ENUM, .choices = cron_sort },
	{ "sortDir", GP_ENUM, .choices = sort_dirs },
	{ "agentId", GP_STR, GP_NON_EMPTY },
	{ "compact", GP_BOOL },
	{ "includeDeliveryPreviews", GP_BOOL },
	{0},
};
static const char *const run_scopes[] = { "job", "all", NULL };
static const char *const run_statuses[] = { "ok", "error", "skipped", NULL };
static const char *const run_status[] = { "all", "ok", "error", "skipped", NULL };
static const char *const delivery_status[] = { "delivered", "not-delivered", "unknown", "not-requested", NULL };
static const struct gw_param cron_runs_params[] = {
	{ "agentId", GP_STR, GP_NON_EMPTY },
	{ "scope", GP_ENUM, .choices = run_scopes },
	{ "id", GP_STR, GP_NON_EMPTY },
	{ "jobId", GP_STR, GP_NON_EMPTY },
	{ "runId", GP_STR, GP_NON_EMPTY },
	{ "limit", GP_INT, .min = 1, .max = 200 },
	{ "offset", GP_INT, .max = INT64_MAX },
	{ "statuses", GP_ARR, .min = 1, .max = 3, .item = GP_STR, .choices = run_statuses },
	{ "status", GP_ENUM, .choices = run_status },
	{ "deliveryStatuses", GP_ARR, .min = 1, .max = 4, .item = GP_STR, .choices = delivery_status },
	{ "deliveryStatus", GP_ENUM, .choices = delivery_status },
	{ "query", GP_STR },
	{ "sortDir", GP_ENUM, .choices = sort_dirs },
	{0},
};
static const struct gw_param heartbeat_params[] = {
	{ "enabled", GP_BOOL, GP_REQUIRED },
	{0},
};
static const struct gw_param suggestion_params[] = {
	{ "sessionKey", GP_STR, GP_NON_EMPTY, .max = 512 },
	{ "agentId", GP_STR, GP_NON_EMPTY, .max = 128 },
	{0},
};

const struct gw_method gwm_cron[] = {
	GWM_REFUSE("cron.add", ADMIN, NO_CRON),
	GWM_ROW("cron.get", run_cron_get, READ, cron_get_params, NULL),
	GWM_ROW("cron.list", run_cron_list, READ, cron_list_params, NULL),
	GWM_REFUSE("cron.remove", ADMIN, NO_CRON),
	GWM_REFUSE("cron.run", ADMIN, NO_CRON),
	GWM_ROW("cron.runs", run_cron_runs, READ, cron_runs_params, NULL),
	GWM_ROW("cron.status", run_cron_status, READ, NULL, NULL),
	GWM_REFUSE("cron.update", ADMIN, NO_CRON),
	{ "last-heartbeat", gwm_run_fixed, GW_SCOPE_READ, GW_INLINE | GW_OPEN_PARAMS, NULL, NULL, "null" },
	{ "set-heartbeats", run_set_heartbeats, GW_SCOPE_ADMIN, GW_INLINE | GW_HIDDEN, heartbeat_params, NULL,
	  NO_HEARTBEAT },
	GWM_REFUSE("system-event", ADMIN, NO_SYSTEM_EVENTS),
	GWM_ALWAYS("taskSuggestions.list", READ, suggestion_params, "{\"suggestions\":[]}"),
	GWM_REFUSE("wake", WRITE, NO_SYSTEM_EVENTS),
};
const size_t gwm_cron_count = CH_ARRAY_LEN(gwm_cron);
