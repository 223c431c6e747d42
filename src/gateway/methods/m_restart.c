/*
 * gateway/methods/m_restart.c - gateway.restart.preflight and .request: starting anew without cutting work.
 *
 * A restart waits until no run is active, RESTART_DEFER_MS at most; what runs then gets the usual grace of a
 * stop. Whoever runs the gateway (gw_opts.on_restart) stops it and starts it again.
 */
#include <unistd.h>

#include "core/clock.h"
#include "core/fiber.h"
#include "core/log.h"
#include "core/str.h"
#include "gateway/audit.h"
#include "gateway/hub.h"
#include "gateway/methods/methods.h"

#define RESTART_DEFER_MS 300000
#define RESTART_POLL_MS 100
#define RESTART_REPLY_MS 50              /* the answer reaches its client before the sockets close */
#define RESTART_EXPECTED_MS 1500
#define REASON_CHARS 200

/* -- what would be cut -- */

static void write_counts(struct jw *w, const struct agent_load *load)
{
	static const char *const none[] = { "pendingReplies", "cronRuns", "backgroundExecSessions", "rootRequests",
					    "activeTasks" };

	jw_kobj(w, "counts");
	jw_kint(w, "queueSize", (int64_t)load->queued);
	jw_kint(w, "embeddedRuns", (int64_t)load->active);
	for (size_t i = 0; i < CH_ARRAY_LEN(none); i++)
		jw_kint(w, none[i], 0);
	jw_kint(w, "totalActive", (int64_t)(load->queued + load->active));
	jw_end(w);
}

static void write_blocker(struct jw *w, const char *kind, size_t count, const char *noun)
{
	char message[80];

	if (!count)
		return;
	snprintf(message, sizeof(message), "%zu %s%s", count, noun, count == 1 ? "" : "s");
	jw_obj(w);
	jw_kstr(w, "kind", kind);
	jw_kint(w, "count", (int64_t)count);
	jw_kstr(w, "message", message);
	jw_end(w);
}

static bool is_idle(const struct agent_load *load)
{
	return !load->active && !load->queued;
}

static void write_preflight(struct gw *gw, struct jw *w)
{
	struct agent_load load = agent_load(gw->agents);
	char summary[96];

	snprintf(summary, sizeof(summary), "restart waits for %zu active and %zu queued runs", load.active, load.queued);
	jw_obj(w);
	jw_kbool(w, "safe", is_idle(&load));
	write_counts(w, &load);
	jw_karr(w, "blockers");
	write_blocker(w, "queue", load.queued, "queued run");
	write_blocker(w, "embedded-run", load.active, "active run");
	jw_end(w);
	jw_kstr(w, "summary", is_idle(&load) ? "safe to restart now" : summary);
	jw_end(w);
}

static ch_status run_preflight(struct gw_call *call, struct ch_err *err)
{
	write_preflight(call->gw, gw_reply_begin(call));
	gw_reply_end(call);
	return CH_OK;
}

/* -- restarting -- */

/* Waits for a quiet moment, then hands over. */
static CH_FIBER void await_and_restart(struct gw *gw)
{
	int64_t deadline = fiber_deadline(gw->restart_skips_deferral ? 0 : RESTART_DEFER_MS);
	ch_status st = fiber_sleep(RESTART_REPLY_MS);

	while (!st && !gw->is_stopping && now_mono_ms() < deadline) {
		struct agent_load load = agent_load(gw->agents);

		if (is_idle(&load))
			break;
		st = fiber_sleep(RESTART_POLL_MS);
	}
	if (st || gw->is_stopping)
		return;
	gw->restart_expected_ms = RESTART_EXPECTED_MS;
	gw->on_restart(gw->on_restart_arg);
}

static void restart_fiber(void *arg)
{
	struct gw *gw = arg;

	await_and_restart(gw);
	gw->hub->restarting--;
}

/* A gateway that is told to stop meanwhile waits for the fiber: it uses gw. */
static void start_waiting(struct gw *gw)
{
	gw->is_restarting = true;
	gw->hub->restarting++;
	fiber_spawn(gw->loop, "restart", FIBER_DETACHED, restart_fiber, gw);
}

/* A restart that was meant for another process must not end this one. */
static ch_status check_target(struct gw_call *call, struct ch_err *err)
{
	const struct json *target = json_get(call->params, "target");

	if (!target)
		return CH_OK;
	if (json_get_int(target, "pid", -1) != getpid() || json_get_int(target, "port", -1) != call->gw->port)
		return ch_fail(err, CH_E_INVALID, "target gateway no longer owns the active lock");
	return CH_OK;
}

static void write_restart(struct gw_call *call, struct jw *w, const char *reason, bool was_pending)
{
	jw_kobj(w, "restart");
	jw_kbool(w, "ok", true);
	jw_kint(w, "pid", getpid());
	jw_kstr(w, "reason", reason);
	jw_kstr(w, "mode", "exec");
	jw_kint(w, "delayMs", 0);
	jw_kbool(w, "coalesced", was_pending);
	jw_end(w);
}

static void begin(struct gw_call *call, const char *reason)
{
	struct gw *gw = call->gw;

	gw->restart_skips_deferral = json_get_bool(call->params, "skipDeferral", false) ||
				     json_get_bool(json_get(call->params, "restartIntent"), "force", false);
	audit_record(gw, &(struct audit_entry){ .kind = "gateway",
						.action = call->method,
						.status = "started",
						.actor = gw_conn_client_id(call->conn) });
	log_info("gateway", "restart asked for by %s conn=%s: %s", gw_conn_client_id(call->conn),
		 gw_conn_id(call->conn), reason);
	start_waiting(gw);
}

/* May it be restarted at all? */
static ch_status check_possible(struct gw *gw, struct ch_err *err)
{
	if (!gw->on_restart)
		return ch_fail(err, CH_E_ABSENT, "this gateway cannot start itself again: restart its process");
	if (!config_bool(gw_config(gw), "commands.restart", true))
		return ch_fail(err, CH_E_DENIED, "restarting is switched off (commands.restart)");
	return CH_OK;
}

ch_status gw_restart_by_command(void *arg, const char *session_key, struct ch_err *err)
{
	struct gw *gw = arg;
	ch_status st = check_possible(gw, err);

	if (st || gw->is_restarting)
		return st;
	audit_record(gw, &(struct audit_entry){ .kind = "gateway", .action = "/restart", .status = "started",
						.session_key = session_key });
	log_info("gateway", "restart asked for in session %s", session_key);
	start_waiting(gw);
	return CH_OK;
}

static ch_status run_request(struct gw_call *call, struct ch_err *err)
{
	struct gw *gw = call->gw;
	struct agent_load load = agent_load(gw->agents);
	const char *given = str_trim(call->arena, json_str_or(json_get(call->params, "reason"), "")), *reason;
	bool was_pending = gw->is_restarting;
	struct jw *w;
	ch_status st = check_target(call, err);

	if (!st)
		st = check_possible(gw, err);
	if (st)
		return st;
	reason = *given ? arena_strndup(call->arena, given, utf8_cut(given, strlen(given), REASON_CHARS)) :
			  "gateway.restart";
	if (!was_pending)
		begin(call, reason);
	w = gw_reply_begin(call);
	jw_obj(w);
	jw_kbool(w, "ok", true);
	jw_kstr(w, "status",
		was_pending ? "coalesced" : is_idle(&load) || gw->restart_skips_deferral ? "scheduled" : "deferred");
	jw_kint(w, "pid", getpid());
	jw_key(w, "preflight");
	write_preflight(gw, w);
	write_restart(call, w, reason, was_pending);
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

static const struct gw_param target_params[] = {
	{ "pid", GP_INT, GP_REQUIRED, .min = 1, .max = INT64_MAX },
	{ "ownerId", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "port", GP_INT, GP_REQUIRED, .min = 1, .max = 65535 },
	{0},
};
static const struct gw_param intent_params[] = {
	{ "force", GP_BOOL },
	{ "waitMs", GP_INT, .max = INT64_MAX },
	{ "drainBudgetMs", GP_INT, .max = INT64_MAX },
	{0},
};
static const struct gw_param request_params[] = {
	{ "reason", GP_STR },
	{ "safe", GP_BOOL },
	{ "skipDeferral", GP_BOOL },
	{ "target", GP_OBJ, GP_OPEN, .members = target_params },
	{ "restartIntent", GP_OBJ, GP_OPEN, .members = intent_params },
	{0},
};

const struct gw_method gwm_restart[] = {
	/* name                         run            scope           flags */
	{ "gateway.restart.preflight",  run_preflight, GW_SCOPE_READ,  GW_INLINE | GW_OPEN_PARAMS },
	{ "gateway.restart.request",    run_request,   GW_SCOPE_ADMIN, GW_CONTROL_WRITE, request_params },
};
const size_t gwm_restart_count = CH_ARRAY_LEN(gwm_restart);
