/*
 * agent/run_events_route.c - frames about which model answers, in the protocol's order.
 *
 *	passed over   model(null), fallback_step(next_fallback), preparing_workspace, preparing_context
 *	failed        finishing, session model, model(null), fallback_step(next_fallback), text taken back, session model, preparing_…
 *	the next one  start, starting_model, session start; turn_ask.c tells its model
 *	answered      fallback_step(succeeded) before the end; fallback or fallback_cleared and a notice after the final
 *	exhausted     fallback_step(chain_exhausted) before the error (run_events_end.c)
 */
#include "agent/run_events.h"

#include "agent/run_frames.h"
#include "agent/turn.h"
#include "core/clock.h"
#include "core/str.h"

/* to NULL: there is none. */
static void step(struct run *r, size_t failed, const char *to, size_t position, const char *outcome)
{
	const struct run_failed *f = &r->route.failed[failed];
	struct jw w = rf_data(r);

	jw_kstr(&w, "phase", "fallback_step");
	jw_kstr(&w, "fallbackStepType", "fallback_step");
	jw_kstr(&w, "fallbackStepFromModel", f->ref);
	jw_kstr_opt(&w, "fallbackStepToModel", to);
	jw_kstr(&w, "fallbackStepFromFailureReason", f->reason);
	jw_kstr(&w, "fallbackStepFromFailureDetail", f->detail);
	jw_kint(&w, "fallbackStepChainPosition", (int64_t)position);
	jw_kstr(&w, "fallbackStepFinalOutcome", outcome);
	rf_lifecycle(r, &w);
}

static void step_to_next(struct run *r, size_t i)
{
	step(r, i, r->route.chain.at[i + 1].ref, i + 1, "next_fallback");
}

static void prepare_again(struct run *r)
{
	rf_status(r, "preparing_workspace");
	rf_status(r, "preparing_context");
}

void ev_route_skipped(struct run *r, size_t from)
{
	for (size_t i = from; i < r->route.failed_len && i + 1 < r->route.chain.len; i++) {
		rf_model_frame(r, NULL, NULL);
		step_to_next(r, i);
		prepare_again(r);
	}
}

void ev_route_left(struct run *r, const char *error)
{
	const char *reason = rf_failover_reason(r->failure_class);

	rf_finishing_failed(r, error, reason ? reason : "unknown", rf_failure_kind(r->failure_class));
	rf_session(r, NULL, "model");
	rf_model_frame(r, NULL, NULL);
	step_to_next(r, r->route.at);
	ev_text_void(r);
	rf_session(r, NULL, "model");
	prepare_again(r);
}

void ev_route_resumed(struct run *r)
{
	ev_begin_model(r);
	rf_session(r, NULL, "start");
}

void rf_route_succeeded(struct run *r)
{
	if (r->route.at)
		step(r, r->route.at - 1, r->entry.ref, r->route.at + 1, "succeeded");
}

void rf_route_exhausted(struct run *r)
{
	step(r, r->route.failed_len - 1, NULL, r->route.failed_len, "chain_exhausted");
}

/* -- after the answer -- */

static void write_attempts(struct run *r, struct jw *w)
{
	jw_karr(w, "attemptSummaries");
	for (size_t i = 0; i < r->route.failed_len; i++)
		jw_str(w, arena_printf(r->round, "%s %s", r->route.failed[i].ref, r->route.failed[i].reason));
	jw_end(w);
	jw_karr(w, "attempts");
	for (size_t i = 0; i < r->route.failed_len; i++) {
		jw_obj(w);
		jw_kstr(w, "provider", r->route.chain.at[i].provider);
		jw_kstr(w, "model", r->route.chain.at[i].id);
		jw_kstr(w, "error", r->route.failed[i].detail);
		jw_kstr(w, "reason", r->route.failed[i].reason);
		jw_end(w);
	}
	jw_end(w);
}

static void transition_frame(struct run *r, bool has_moved)
{
	const struct model_entry *selected = turn_chosen(r);
	struct jw w = rf_data(r);

	jw_kstr(&w, "phase", has_moved ? "fallback" : "fallback_cleared");
	jw_kstr(&w, "selectedProvider", selected->provider);
	jw_kstr(&w, "selectedModel", selected->id);
	jw_kstr(&w, "activeProvider", r->entry.provider);
	jw_kstr(&w, "activeModel", r->entry.id);
	if (has_moved) {
		jw_kstr(&w, "reasonSummary", r->route.failed[0].reason);
		write_attempts(r, &w);
	} else {
		jw_kstr(&w, "previousActiveModel", r->route.was_active);
	}
	rf_agent(r, &w, (struct rf_frame){ .stream = "lifecycle" });
}

static void notice_frame(struct run *r, const char *text)
{
	struct run_event ev = { .kind = RUN_EV_CHAT, .state = CHAT_FINAL, .seq = ++r->seq, .has_message = true };
	struct jw w = rf_data(r);

	jw_kstr(&w, "role", "assistant");
	jw_karr(&w, "content");
	jw_obj(&w);
	jw_kstr(&w, "type", "text");
	jw_kstr(&w, "text", text);
	jw_kbool(&w, "openclawStatusNotice", true);
	jw_end(&w);
	jw_end(&w);
	jw_kstr(&w, "text", text);
	jw_kint(&w, "timestamp", now_wall_ms());
	jw_kstr(&w, "stopReason", "stop");
	jw_kobj(&w, "usage");
	jw_kint(&w, "input", 0);
	jw_kint(&w, "output", 0);
	jw_kint(&w, "totalTokens", 0);
	jw_end(&w);
	jw_end(&w);
	ev.message_json = buf_str(&r->scratch);
	rf_emit(r, &ev);
}

void rf_route_notice(struct run *r)
{
	const struct model_entry *selected = turn_chosen(r);

	if (r->route.notice == ROUTE_SAME)
		return;
	r->seq = 0;      /* the run is over; this is a message of its own under its id, as the reference counts it */
	transition_frame(r, r->route.notice == ROUTE_MOVED);
	if (r->route.notice == ROUTE_MOVED)
		notice_frame(r, arena_printf(r->round, "↪️ Model Fallback: %s (selected %s; %s)", r->entry.ref, selected->ref,
					     r->route.failed[0].reason));
	else
		notice_frame(r, arena_printf(r->round, "↪️ Model Fallback cleared: %s (was %s)", selected->ref,
					     r->route.was_active));
}
