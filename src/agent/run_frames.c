/*
 * agent/run_frames.c - single frames of a run: what each kind carries besides its data.
 */
#include "agent/run_frames.h"

#include "agent/host.h"
#include "core/clock.h"
#include "core/str.h"

void rf_emit(struct run *r, struct run_event *ev)
{
	struct agent_ops *ops = &r->host->opts.ops;

	ev->run_id = r->event_id;
	ev->session_key = r->session_key;
	ev->session_id = r->session_id;
	ev->sess = r->sess->is_deleted ? NULL : r->sess;
	ev->owner_conn = r->owner_conn;
	ev->input_id = r->run_id;
	ev->is_event = r->origin != NULL;
	if (!ev->ts)
		ev->ts = now_wall_ms();
	if (ops->on_event)
		ops->on_event(ops->arg, ev);
}

struct jw rf_data(struct run *r)
{
	struct jw w;

	buf_clear(&r->scratch);
	w = JW(&r->scratch);
	jw_obj(&w);
	return w;
}

void rf_agent_same_seq(struct run *r, struct jw *w, struct rf_frame f)
{
	struct run_event ev = { .kind = RUN_EV_AGENT, .seq = r->seq, .agent_id = r->agent_id, .ts = f.ts,
				.stream = f.stream, .lane = f.lane, .with_session_id = f.with_session_id,
				.tool = r->tool_facts };

	jw_end(w);
	ev.data = buf_str(&r->scratch);
	ev.data_len = r->scratch.len;
	if (r->scratch.failed)
		return;          /* past RUN_REPLY_MAX several times over: the run ends for its reply's size */
	rf_emit(r, &ev);
}

void rf_agent(struct run *r, struct jw *w, struct rf_frame f)
{
	r->seq++;
	rf_agent_same_seq(r, w, f);
}

void rf_lifecycle(struct run *r, struct jw *w)
{
	if (r->was_queued)
		jw_kstr(w, "completionSource", "reply-dispatch");
	rf_agent(r, w, (struct rf_frame){ .stream = "lifecycle", .with_session_id = true });
}

void rf_session(struct run *r, const char *reason, const char *phase)
{
	struct run_event ev = { .kind = RUN_EV_SESSION, .agent_id = r->agent_id, .reason = reason, .phase = phase };

	rf_emit(r, &ev);
}

void rf_timing_with(struct run *r, const char *phase, const char *provider, const char *model)
{
	int64_t now = now_mono_ms();
	struct run_event ev = { .kind = RUN_EV_TIMING, .agent_id = r->agent_id, .phase = phase };
	struct jw w = rf_data(r);

	jw_kint(&w, "ackToPhaseMs", now - r->accepted_mono_ms);
	jw_kint(&w, "receivedToPhaseMs", now - r->accepted_mono_ms);
	if (r->dispatched_ms)
		jw_kint(&w, "dispatchStartedToPhaseMs", now - r->dispatched_ms);
	if (r->was_queued && !str_eq(r->event_id, r->run_id))
		jw_kstr(&w, "agentRunId", r->event_id);
	jw_kstr_opt(&w, "provider", provider);
	jw_kstr_opt(&w, "model", model);
	jw_end(&w);
	ev.data = buf_str(&r->scratch);
	ev.data_len = r->scratch.len;
	rf_emit(r, &ev);
}

void rf_timing(struct run *r, const char *phase)
{
	rf_timing_with(r, phase, NULL, NULL);
}

/* One step of the start: the same number in both frames. Drained inputs have no chat status. */
void rf_status(struct run *r, const char *phase)
{
	struct run_event ev = { .kind = RUN_EV_CHAT, .agent_id = r->agent_id, .state = CHAT_STATUS, .phase = phase };
	struct jw w;

	ev.seq = ++r->seq;
	if (!r->was_queued)
		rf_emit(r, &ev);
	w = rf_data(r);
	jw_kstr(&w, "phase", phase);
	rf_agent_same_seq(r, &w, (struct rf_frame){ .stream = "run_status" });
}

void rf_model_frame(struct run *r, const char *provider, const char *model)
{
	struct jw w = rf_data(r);

	jw_kstr(&w, "phase", "model");
	jw_kstr(&w, "provider", provider);
	jw_kstr(&w, "model", model);
	if (r->was_queued)
		jw_kstr(&w, "completionSource", "reply-dispatch");
	rf_agent(r, &w, (struct rf_frame){ .stream = "lifecycle", .with_session_id = true,
					   .lane = provider ? NULL : "main" });
}
