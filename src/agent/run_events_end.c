/*
 * agent/run_events_end.c - how a run ends, in the protocol's order: done, failed, aborted, answered by a command.
 *
 * The order is drawn at the top of run_events.c.
 */
#include "agent/run_events.h"

#include <string.h>

#include "agent/footer.h"
#include "agent/messages.h"
#include "agent/run_frames.h"
#include "agent/turn.h"
#include "core/clock.h"
#include "core/str.h"

/* -- the end -- */

static const char *message_text(const struct run *r, size_t *ret_len)
{
	*ret_len = r->msg_end - r->msg_start;
	return buf_str(&r->reply) + r->msg_start;
}

static void receipt(struct run *r, struct jw *w)
{
	jw_kobj(w, "terminalReceipt");
	jw_kstr(w, "runId", r->event_id);
	jw_kstr(w, "sessionId", r->session_id);
	jw_kstr(w, "turnId", r->event_id);
	jw_kobj(w, "requested");
	jw_kstr(w, "provider", turn_chosen(r)->provider);
	jw_kstr(w, "model", turn_chosen(r)->id);
	jw_end(w);
	jw_kobj(w, "effective");
	jw_kstr(w, "provider", r->result.provider);
	jw_kstr(w, "model", r->result.model);
	if (r->result.response_model[0])
		jw_kstr(w, "responseModel", r->result.response_model);
	jw_end(w);
	jw_karr(w, "successfulToolNames");
	for (size_t i = 0; i < r->tools_used.len; i++)
		jw_str(w, r->tools_used.at[i]);
	jw_end(w);
	jw_kbool(w, "rerouted", r->route.at > 0);
	jw_kstr(w, "terminalDisposition", r->msg_end > r->msg_start ? "visible" : "empty");
	jw_end(w);
}

static void terminal_reply(struct run *r, struct jw *w)
{
	size_t len;
	const char *text = message_text(r, &len);

	jw_kobj(w, "terminalReply");
	jw_kstr(w, "disposition", len ? "visible" : "empty");
	jw_key(w, "text");
	jw_strn(w, text, len);
	if (r->route.at)
		jw_kstr(w, "modelRouteChange",
			arena_printf(r->round, "Model route changed: %s → %s.", turn_chosen(r)->ref, r->entry.ref));
	jw_end(w);
}

void ev_outcome(struct run *r, bool is_done, struct buf *out)
{
	struct jw w = JW(out);

	jw_obj(&w);
	jw_kstr(&w, "stopReason", r->stop_reason);
	jw_kstr_opt(&w, "abortOrigin", r->abort_origin);
	if (r->result.provider[0]) {
		jw_kstr(&w, "provider", r->result.provider);
		jw_kstr(&w, "model", r->result.model);
		jw_kstr(&w, "thinkingLevel", r->told_thinking ? r->told_thinking : thinking_name(THINK_OFF));
		msg_usage(&w, &r->spent.sum, r->spent.has_cost ? &r->spent.cost : NULL);
	}
	jw_kint(&w, "durationMs", r->ended_at - r->started_at);
	if (is_done) {
		terminal_reply(r, &w);
		receipt(r, &w);
	}
	jw_end(&w);
}

void ev_finishing(struct run *r)
{
	struct jw w;

	rf_flush_agent(r);
	w = rf_data(r);
	jw_kstr(&w, "phase", "finishing");
	jw_kstr(&w, "stopReason", r->stop_reason);
	jw_kbool(&w, "aborted", false);
	jw_kstr(&w, "livenessState", "working");
	if (r->has_side_effects)
		jw_kbool(&w, "replayInvalid", true);
	jw_kint(&w, "endedAt", r->ended_at);
	rf_lifecycle(r, &w);
}

static void end_frame(struct run *r)
{
	struct jw w = rf_data(r);

	jw_kstr(&w, "stopReason", r->stop_reason);
	jw_kbool(&w, "aborted", false);
	jw_kstr(&w, "livenessState", "working");
	jw_kstr(&w, "phase", "end");
	jw_kint(&w, "endedAt", r->ended_at);
	jw_kint(&w, "startedAt", r->started_at);
	jw_kbool(&w, "replayInvalid", r->has_side_effects);
	terminal_reply(r, &w);
	receipt(r, &w);
	jw_kbool(&w, "executionSettled", true);
	rf_lifecycle(r, &w);
}

/* The reply with the line under it, when the session wants one. */
static const char *final_text(struct run *r, size_t *ret_len)
{
	const char *line = footer_of(r), *text;

	*ret_len = r->reply.len;
	if (!line)
		return buf_str(&r->reply);
	text = arena_printf(r->arena, "%s%s%s", buf_str(&r->reply), r->reply.len ? "\n\n" : "", line);
	*ret_len = strlen(text);
	return text;
}

/* The final of a drained input carries a whole message and no agentId. */
static void final_of_drained(struct run *r)
{
	struct run_event ev = { .kind = RUN_EV_CHAT, .state = CHAT_FINAL, .seq = ++r->seq, .has_message = true,
				.stop_reason = r->stop_reason };
	struct jw w = rf_data(r);

	ev.text = final_text(r, &ev.text_len);
	jw_kstr(&w, "role", "assistant");
	jw_karr(&w, "content");
	jw_obj(&w);
	jw_kstr(&w, "type", "text");
	jw_key(&w, "text");
	jw_strn(&w, ev.text, ev.text_len);
	jw_end(&w);
	jw_end(&w);
	jw_key(&w, "text");
	jw_strn(&w, ev.text, ev.text_len);
	jw_kint(&w, "timestamp", now_wall_ms());
	jw_kstr(&w, "stopReason", r->stop_reason);
	jw_kobj(&w, "usage");
	jw_kint(&w, "input", 0);
	jw_kint(&w, "output", 0);
	jw_kint(&w, "totalTokens", 0);
	jw_end(&w);
	jw_end(&w);
	ev.message_json = buf_str(&r->scratch);
	rf_emit(r, &ev);
}

static void final(struct run *r)
{
	struct run_event ev = { .kind = RUN_EV_CHAT, .agent_id = r->agent_id, .state = CHAT_FINAL, .seq = r->seq,
				.has_message = true, .stop_reason = r->stop_reason };

	ev.text = final_text(r, &ev.text_len);
	rf_emit(r, &ev);
}

void ev_done(struct run *r)
{
	rf_model_frame(r, NULL, NULL);
	rf_route_succeeded(r);
	end_frame(r);
	rf_flush_chat(r);
	if (r->was_queued)
		final_of_drained(r);
	else
		final(r);
	rf_route_notice(r);
	if (!r->was_queued) {
		rf_timing(r, "dispatch-completed");
		rf_timing(r, "post-dispatch-completed");
		rf_session(r, "agent.input.settled", NULL);
	}
	rf_session(r, NULL, "model");
	rf_session(r, NULL, "end");
}

static void error_frame(struct run *r, const char *reason)
{
	struct jw w = rf_data(r);

	if (reason) {
		jw_kbool(&w, "aborted", false);
		jw_kstr(&w, "livenessState", "blocked");
		jw_kobj(&w, "errorObservation");
		rf_observation(r, &w, reason, rf_failure_kind(r->failure_class));
		jw_end(&w);
	}
	jw_kstr(&w, "phase", "error");
	jw_kint(&w, "endedAt", r->ended_at);
	jw_kint(&w, "startedAt", r->started_at);
	jw_kstr(&w, "error", r->failure.text);
	jw_kbool(&w, "executionSettled", true);
	rf_lifecycle(r, &w);
}

static void chat_error(struct run *r, const char *reason)
{
	struct run_event ev = { .kind = RUN_EV_CHAT, .agent_id = r->agent_id, .state = CHAT_ERROR, .seq = r->seq,
				.error_message = r->failure.text };
	struct run_event again = { .kind = RUN_EV_CHAT, .state = CHAT_ERROR, .seq = 1 };
	char text[CH_ERR_TEXT_MAX + 128];
	struct jw w;

	if (reason) {
		w = rf_data(r);
		rf_observation(r, &w, reason, rf_failure_kind(r->failure_class));
		jw_end(&w);
		ev.error_detail = buf_str(&r->scratch);
	}
	rf_emit(r, &ev);
	if (r->was_queued)
		return;
	snprintf(text, sizeof(text), "⚠️ Agent failed before reply: %s\n"
		 "To view logs, run `chela logs --follow` in a terminal.", r->failure.text);
	again.error_message = text;
	rf_timing(r, "dispatch-completed");
	rf_emit(r, &again);
	rf_timing(r, "post-dispatch-completed");
}

void ev_failed(struct run *r, const struct tr_entry *entry)
{
	const char *reason = rf_failover_reason(r->failure_class);

	rf_flush_agent(r);
	if (reason && r->route.is_asked)
		rf_finishing_failed(r, r->failure.text, reason, rf_failure_kind(r->failure_class));
	rf_model_frame(r, NULL, NULL);
	if (r->route.failed_len > r->route.at)
		rf_route_exhausted(r);
	if (!r->route.is_asked)
		reason = NULL;           /* of no model that was asked */
	error_frame(r, reason);
	chat_error(r, reason);
	if (!r->was_queued)
		rf_session(r, "agent.input.settled", NULL);
	rf_session(r, NULL, "model");
	rf_session(r, NULL, "error");
	if (entry)
		ev_row(r, entry);
}

void ev_aborted(struct run *r)
{
	struct run_event ev = { .kind = RUN_EV_CHAT, .agent_id = r->agent_id, .state = CHAT_ABORTED,
				.stop_reason = r->abort_reason, .text = buf_str(&r->reply), .text_len = r->reply.len };
	struct jw w;

	ev.has_message = ev.text_len > 0;
	ev.seq = ++r->seq;
	rf_emit(r, &ev);
	r->agent_sent = r->msg_end;
	r->chat_sent = r->reply.len;
	r->agent_replace = r->chat_replace = false;
	w = rf_data(r);
	jw_kstr(&w, "phase", "end");
	jw_kstr(&w, "status", "cancelled");
	jw_kbool(&w, "aborted", true);
	jw_kstr(&w, "stopReason", r->abort_reason);
	jw_kint(&w, "startedAt", r->accepted_at);
	jw_kint(&w, "endedAt", now_wall_ms());
	rf_agent_same_seq(r, &w, (struct rf_frame){ .stream = "lifecycle", .with_session_id = true });
}

void ev_abort_settled(struct run *r, const struct tr_entry *entry)
{
	struct jw w;

	if (r->entry.provider)
		rf_model_frame(r, r->entry.provider, r->entry.id);
	rf_timing(r, "dispatch-completed");
	rf_timing(r, "post-dispatch-completed");
	rf_session(r, "agent.input.settled", NULL);
	rf_model_frame(r, NULL, NULL);
	w = rf_data(r);
	jw_kstr(&w, "phase", "error");
	jw_kint(&w, "endedAt", r->ended_at);
	jw_kint(&w, "startedAt", r->started_at);
	jw_kstr(&w, "error", r->abort_error);
	jw_kbool(&w, "aborted", true);
	jw_kstr(&w, "stopReason", "aborted");
	jw_kbool(&w, "executionSettled", true);
	rf_lifecycle(r, &w);
	if (entry)
		ev_row(r, entry);
	rf_session(r, NULL, "end");
	rf_session(r, NULL, "model");
	rf_session(r, NULL, "error");
}

void ev_command(struct run *r, const char *in_frame, size_t len, const struct tr_entry *user,
		const struct tr_entry *answer)
{
	struct run_event ev = { .kind = RUN_EV_CHAT, .state = CHAT_FINAL, .seq = 1, .has_message = true,
				.message_json = in_frame };

	rf_timing(r, "dispatch-completed");
	rf_timing(r, "first-assistant-event");
	rf_emit(r, &ev);
	rf_timing(r, "post-dispatch-completed");
	rf_session(r, "agent.input.settled", NULL);
	if (user)
		ev_row(r, user);
	if (answer)
		ev_row(r, answer);
}
