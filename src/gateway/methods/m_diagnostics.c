/*
 * gateway/methods/m_diagnostics.c - diagnostics.lanes and diagnostics.stability: what waits for what, and what
 * went wrong since the start.
 */
#include "core/clock.h"
#include "core/str.h"
#include "gateway/methods/methods.h"

/* There is one lane for all runs; a session's own order is not shown. */
static ch_status run_lanes(struct gw_call *call, struct ch_err *err)
{
	struct agent_load load = agent_load(call->gw->agents);
	struct jw *w = gw_reply_begin(call);

	jw_obj(w);
	jw_kint(w, "ts", now_wall_ms());
	jw_karr(w, "lanes");
	jw_obj(w);
	jw_kstr(w, "lane", "main");
	jw_kint(w, "queuedCount", (int64_t)load.queued);
	jw_kint(w, "activeCount", (int64_t)load.active);
	jw_kint(w, "maxConcurrent", (int64_t)load.max);
	jw_kbool(w, "draining", load.is_draining);
	jw_kint(w, "generation", 0);
	jw_knull(w, "blockedBy");
	jw_end(w);
	jw_end(w);
	jw_knull(w, "dynamic");
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

/* Nothing is collected beyond the log and the audit trail, so nothing was dropped either. */
static ch_status run_stability(struct gw_call *call, struct ch_err *err)
{
	struct jw *w = gw_reply_begin(call);
	char now[CLOCK_ISO_LEN];

	clock_iso(now_wall_ms(), now);
	jw_obj(w);
	jw_kstr(w, "generatedAt", now);
	jw_kint(w, "capacity", 0);
	jw_kint(w, "count", 0);
	jw_kint(w, "dropped", 0);
	jw_karr(w, "events");
	jw_end(w);
	jw_kobj(w, "summary");
	jw_kobj(w, "byType");
	jw_end(w);
	jw_end(w);
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

static const struct gw_param stability_params[] = {
	{ "limit", GP_INT, .min = 1, .max = 10000 },
	{ "type", GP_STR },
	{ "sinceSeq", GP_INT, .max = INT64_MAX },
	{0},
};

const struct gw_method gwm_diagnostics[] = {
	/* name                     run            scope          flags                       params */
	{ "diagnostics.lanes",      run_lanes,     GW_SCOPE_READ, GW_INLINE | GW_OPEN_PARAMS },
	{ "diagnostics.stability",  run_stability, GW_SCOPE_READ, GW_INLINE | GW_OPEN_PARAMS, stability_params },
};
const size_t gwm_diagnostics_count = CH_ARRAY_LEN(gwm_diagnostics);
