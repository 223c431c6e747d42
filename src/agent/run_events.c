/*
 * agent/run_events.c - everything a client sees of a run, in the protocol's order.
 *
 *	accepted   timing dispatch-started, session send, session participants
 *	preparing  chat+agent preparing_workspace, chat+agent preparing_context; models passed over (run_events_route.c)
 *	started    row(user), lifecycle start, chat+agent starting_model, session agent.run.started, start
 *	per model  lifecycle model, session model, assistant+delta …, usage, row(assistant), tools …
 *	done       lifecycle finishing, model(null), end; delta, final; session agent.input.settled, model, end
 *	failed     lifecycle finishing, model(null), fallback_step, error; chat error twice; session …; row
 *	aborted    chat aborted, lifecycle end(cancelled) | then: model, session settled, model(null), error, row, session …
 */
#include "agent/run_events.h"

#include <string.h>

#include "agent/policy.h"
#include "agent/run_frames.h"
#include "core/clock.h"
#include "core/str.h"

/* -- accepted -- */

void ev_accepted(struct run *r)
{
	r->dispatched_ms = 0;
	rf_timing(r, "dispatch-started");
	r->dispatched_ms = now_mono_ms();
	if (!r->is_new_session)
		rf_session(r, "send", NULL);
	rf_session(r, "participants", NULL);
}

/* The id that the client knows ends without a reply of its own. */
static void consumed(struct run *r)
{
	struct run_event ev = { .kind = RUN_EV_CHAT, .state = CHAT_FINAL, .seq = 1 };

	if (r->is_told_settled)
		return;
	r->is_told_settled = true;
	rf_timing(r, "dispatch-completed");
	rf_timing(r, "post-dispatch-completed");
	rf_emit(r, &ev);
}

void ev_queued(struct run *r)
{
	if (r->is_told_settled)
		return;
	consumed(r);
	rf_session(r, "agent.input.settled", NULL);
}

/* Pages do not show the input. */
static bool is_hidden(const struct run *r)
{
	return r->origin && r->origin->is_hidden;
}

void ev_absorbed(struct run *r, struct run *into, const struct tr_entry *entry)
{
	struct run_event ev = { .kind = RUN_EV_ROW, .agent_id = r->agent_id, .entry = entry };

	if (!is_hidden(r))
		rf_emit(r, &ev);
	ev_queued(r);
}

void ev_cancelled(struct run *r, const char *reason)
{
	struct run_event ev = { .kind = RUN_EV_CHAT, .agent_id = r->agent_id, .state = CHAT_ABORTED, .seq = ++r->seq,
				.stop_reason = reason };

	if (!r->is_told_settled)
		rf_emit(r, &ev);
	r->is_told_settled = true;
	rf_session(r, "agent.input.settled", NULL);
}

/* -- the turn -- */

void ev_preparing(struct run *r)
{
	if (r->entry.provider)
		rf_timing_with(r, "model-selected", r->entry.provider, r->entry.id);
	rf_status(r, "preparing_workspace");
	rf_status(r, "preparing_context");
}

static void start_frame(struct run *r)
{
	struct jw w = rf_data(r);

	jw_kstr(&w, "phase", "start");
	jw_kint(&w, "startedAt", r->started_at);
	rf_lifecycle(r, &w);
}

void ev_row(struct run *r, const struct tr_entry *entry)
{
	struct run_event ev = { .kind = RUN_EV_ROW, .agent_id = r->agent_id, .entry = entry };

	rf_emit(r, &ev);
}

void ev_started(struct run *r, const struct tr_entry *entry)
{
	if (str_eq(entry->role, "user") && !is_hidden(r))
		ev_row(r, entry);
	rf_timing(r, "agent-run-started");
	if (r->route.failed_len <= r->route.at)  /* else all of them rest, and none is begun with */
		ev_begin_model(r);
	rf_session(r, "agent.run.started", NULL);
	rf_session(r, NULL, "start");
}

void ev_model(struct run *r)
{
	rf_model_frame(r, r->entry.provider, r->entry.id);
	rf_session(r, NULL, "model");
}

/* -- text -- */

static void assistant_frame(struct run *r)
{
	size_t from = CH_MAX(r->agent_sent, r->msg_start);
	struct jw w = rf_data(r);

	if (r->agent_replace)
		from = r->msg_start;
	jw_key(&w, "text");
	jw_strn(&w, buf_str(&r->reply) + r->msg_start, r->msg_end - r->msg_start);
	jw_key(&w, "delta");
	jw_strn(&w, buf_str(&r->reply) + from, r->msg_end - from);
	jw_kstr(&w, "itemId", r->item_id);
	if (r->agent_replace)
		jw_kbool(&w, "replace", true);
	rf_agent_same_seq(r, &w, (struct rf_frame){ .stream = "assistant" });
	r->agent_sent = r->msg_end;
	r->agent_replace = false;
}

void rf_flush_agent(struct run *r)
{
	if (r->agent_sent >= r->msg_end && !r->agent_replace)
		return;
	assistant_frame(r);
	r->agent_told_ms = now_mono_ms();
	if (r->is_first_told)
		return;
	r->is_first_told = true;
	rf_timing(r, "first-assistant-event");
}

void rf_flush_chat(struct run *r)
{
	struct run_event ev = { .kind = RUN_EV_CHAT, .agent_id = r->agent_id, .state = CHAT_DELTA, .seq = r->seq };
	size_t from = r->chat_replace ? 0 : r->chat_sent;

	if (r->chat_sent >= r->reply.len && !r->chat_replace)
		return;
	ev.text = buf_str(&r->reply);
	ev.text_len = r->reply.len;
	ev.delta = ev.text + from;
	ev.delta_len = r->reply.len - from;
	ev.replace = r->chat_replace;
	rf_emit(r, &ev);
	r->chat_sent = r->reply.len;
	r->chat_replace = false;
	r->chat_told_ms = now_mono_ms();
}

void ev_text(struct run *r)
{
	r->seq++;
	ev_text_tell_due(r);
	if (ev_text_due_ms(r))
		run_timer_arm(r);
}

int64_t ev_text_due_ms(const struct run *r)
{
	int64_t due = INT64_MAX;

	if (r->agent_sent < r->msg_end || r->agent_replace)
		due = r->agent_told_ms + EV_COALESCE_MS;
	if (r->chat_sent < r->reply.len || r->chat_replace)
		due = CH_MIN(due, r->chat_told_ms + EV_COALESCE_MS);
	return due == INT64_MAX ? 0 : due;
}

void ev_text_tell_due(struct run *r)
{
	int64_t now = now_mono_ms();

	if (now - r->agent_told_ms >= EV_COALESCE_MS)
		rf_flush_agent(r);
	if (now - r->chat_told_ms >= EV_COALESCE_MS)
		rf_flush_chat(r);
}

void ev_thinking(struct run *r, const char *text, size_t len, size_t from)
{
	struct jw w = rf_data(r);

	jw_key(&w, "text");
	jw_strn(&w, text, len);
	jw_key(&w, "delta");
	jw_strn(&w, text + from, len - from);
	rf_agent(r, &w, (struct rf_frame){ .stream = "thinking" });
}

void ev_usage(struct run *r)
{
	struct jw w;

	rf_flush_agent(r);
	w = rf_data(r);
	jw_kint(&w, "outputTokens", r->spent.sum.output);
	rf_agent(r, &w, (struct rf_frame){ .stream = "usage" });
}

/* -- retries -- */

const char *rf_failover_reason(enum model_error_class c)
{
	return c == MODEL_ERR_NONE ? NULL : model_error_class_wire(c);
}

const char *rf_failure_kind(enum model_error_class c)
{
	if (c == MODEL_ERR_AUTH)
		return "auth_invalid_token";
	return model_error_is_transient(c) ? "timeout" : "unclassified";
}

void rf_observation(struct run *r, struct jw *w, const char *reason, const char *kind)
{
	jw_kstr(w, "provider", r->entry.provider);
	jw_kstr(w, "model", r->entry.id);
	jw_kstr(w, "failoverReason", reason);
	jw_kstr(w, "providerRuntimeFailureKind", kind);
}

void rf_finishing_failed(struct run *r, const char *error, const char *reason, const char *kind)
{
	struct jw w = rf_data(r);

	jw_kstr(&w, "phase", "finishing");
	jw_kstr(&w, "error", error);
	jw_kobj(&w, "errorObservation");
	rf_observation(r, &w, reason, kind);
	jw_end(&w);
	jw_kbool(&w, "aborted", false);
	jw_kstr(&w, "livenessState", "blocked");
	jw_kint(&w, "endedAt", now_wall_ms());
	rf_lifecycle(r, &w);
}

static void retry_message(char *ret, size_t cap, const struct model_event *ev)
{
	int64_t s = CH_MAX((ev->delay_ms + 999) / 1000, 1);

	snprintf(ret, cap, "Provider temporarily unavailable. Retrying in %llds (%d/%d).", (long long)s,
		 ev->attempt - 1, ev->max_attempts - 1);
}

void ev_retrying(struct run *r, const struct model_event *ev)
{
	struct run_event chat = { .kind = RUN_EV_CHAT, .agent_id = r->agent_id, .state = CHAT_STATUS,
				  .phase = "starting_model" };
	const char *reason = ev->error_class;
	char message[128];
	struct jw w;

	rf_flush_agent(r);
	rf_finishing_failed(r, ev->text, reason, "timeout");
	chat.seq = ++r->seq;
	if (!r->was_queued)
		rf_emit(r, &chat);
	retry_message(message, sizeof(message), ev);
	w = rf_data(r);
	jw_kstr(&w, "phase", "retrying");
	jw_kstr(&w, "message", message);
	jw_kint(&w, "retryAttempt", ev->attempt - 1);
	jw_kint(&w, "maxRetries", ev->max_attempts - 1);
	jw_kint(&w, "delayMs", ev->delay_ms);
	jw_kint(&w, "attempt", ev->attempt);
	jw_kint(&w, "maxAttempts", ev->max_attempts);
	jw_kstr(&w, "reason", reason);
	rf_agent_same_seq(r, &w, (struct rf_frame){ .stream = "run_status" });
}

void ev_text_void(struct run *r)
{
	r->agent_replace = true;
	r->seq++;
	assistant_frame(r);
}

void ev_begin_model(struct run *r)
{
	start_frame(r);
	rf_status(r, "starting_model");
}

void ev_resumed(struct run *r)
{
	ev_text_void(r);
	rf_status(r, "preparing_context");
	ev_begin_model(r);
	rf_session(r, NULL, "start");
	ev_model(r);
}

/* -- tools -- */

static const char *tool_meta(struct run *r, const struct tool *t, const struct run_call *call)
{
	return t && t->meta && !call->args_error ? t->meta(r->round, call->args) : NULL;
}

static void item(struct run *r, const struct tool *t, const struct run_call *call, const char *phase,
		 const char *state, int64_t started, int64_t ended)
{
	const char *meta = tool_meta(r, t, call), *label = t ? t->label : call->name;
	struct jw w = rf_data(r);

	jw_kstr(&w, "itemId", arena_printf(r->round, "tool:%s", call->id));
	jw_kstr(&w, "toolCallId", call->id);
	jw_kstr(&w, "name", call->name);
	jw_kstr(&w, "kind", "tool");
	jw_kstr(&w, "phase", phase);
	jw_kstr(&w, "title", meta ? arena_printf(r->round, "%s %s", label, meta) : label);
	jw_kstr(&w, "status", state);
	jw_kstr_opt(&w, "meta", meta);
	jw_kbool(&w, "commandBearing", t && t->risk == TOOL_RUNS);
	if (started)
		jw_kint(&w, "startedAt", started);
	if (ended)
		jw_kint(&w, "endedAt", ended);
	rf_agent(r, &w, (struct rf_frame){ .stream = "item" });
}

static struct jw tool_data(struct run *r, const struct run_call *call, const char *phase)
{
	struct jw w = rf_data(r);

	jw_kstr(&w, "phase", phase);
	jw_kstr(&w, "name", call->name);
	jw_kstr(&w, "toolCallId", call->id);
	return w;
}

static struct run_tool_facts facts_of(const struct run *r, const struct tool *t, const struct run_call *call)
{
	return (struct run_tool_facts){ .risk = t ? tool_risk_name(t->risk) : NULL, .approval_id = call->approval_id,
					.is_tainted = r->policy && r->policy->grant.is_tainted, .is_refused = call->is_refused };
}

void ev_tool_start(struct run *r, const struct tool *t, const struct run_call *call, int64_t ts)
{
	struct run_tool_facts facts = facts_of(r, t, call);
	struct jw w;

	rf_flush_agent(r);
	item(r, t, call, "start", "running", ts, 0);
	w = tool_data(r, call, "start");
	jw_kvalue(&w, "args", call->args);
	r->tool_facts = &facts;
	rf_agent(r, &w, (struct rf_frame){ .stream = "tool" });
	r->tool_facts = NULL;
}

void ev_tool_update(struct run *r, const struct tool *t, const struct run_call *call, const char *text, size_t len)
{
	struct jw w = tool_data(r, call, "update");

	jw_kobj(&w, "partialResult");
	jw_karr(&w, "content");
	jw_obj(&w);
	jw_kstr(&w, "type", "text");
	jw_key(&w, "text");
	jw_strn(&w, text, len);
	jw_end(&w);
	jw_end(&w);
	jw_end(&w);
	rf_agent(r, &w, (struct rf_frame){ .stream = "tool" });
	item(r, t, call, "update", "running", 0, 0);
}

/* Images are in the transcript; frames only say that there is one. */
static void result_content(struct jw *w, const struct json *content)
{
	jw_karr(w, "content");
	json_each(block, content) {
		if (!str_eq(json_get_str(block, "type"), "image")) {
			jw_value(w, block);
			continue;
		}
		jw_obj(w);
		jw_kstr(w, "type", "image");
		jw_kvalue(w, "mimeType", json_get(block, "mimeType"));
		jw_kbool(w, "omitted", true);
		jw_kint(w, "bytes", json_get(block, "data") ? (int64_t)json_get(block, "data")->len * 3 / 4 : 0);
		jw_end(w);
	}
	jw_end(w);
}

void ev_tool_end(struct run *r, const struct tool *t, const struct run_call *call, const struct json *content,
		 const struct json *details, bool is_error, int64_t started)
{
	struct run_tool_facts facts = facts_of(r, t, call);
	struct jw w = tool_data(r, call, "result");

	jw_kstr_opt(&w, "meta", tool_meta(r, t, call));
	jw_kbool(&w, "isError", is_error);
	jw_kbool(&w, "commandBearing", t && t->risk == TOOL_RUNS);
	jw_kobj(&w, "result");
	result_content(&w, content);
	if (details)
		jw_kvalue(&w, "details", details);
	jw_end(&w);
	r->tool_facts = &facts;
	rf_agent(r, &w, (struct rf_frame){ .stream = "tool" });
	r->tool_facts = NULL;
	item(r, t, call, "end", is_error ? "failed" : "completed", started, now_wall_ms());
}

void ev_approval(struct run *r, const struct run_call *call, const char *approval_id, const char *status)
{
	struct jw w;

	rf_flush_agent(r);
	w = rf_data(r);
	jw_kstr(&w, "phase", status ? "approval-resolved" : "waiting-approval");
	jw_kstr(&w, "approvalId", approval_id);
	jw_kstr(&w, "toolCallId", call->id);
	jw_kstr_opt(&w, "status", status);
	rf_lifecycle(r, &w);
}
