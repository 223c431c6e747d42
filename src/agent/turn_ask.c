/*
 * agent/turn_ask.c - one request to the model: the stream, what it cost. What of the conversation goes out is
 * turn_window.c's business.
 */
#include "agent/turn.h"

#include "agent/home.h"
#include "agent/run_events.h"
#include "agent/verbose.h"

static enum thinking_level thinking_of(const struct run *r)
{
	enum thinking_level level;

	if (!r->entry.reasoning)
		return THINK_OFF;
	if (thinking_parse(r->thinking, &level) || thinking_parse(r->sess->thinking_level, &level) ||
	    thinking_parse(home_setting_str(host_config(r->host), r->agent_id, "thinkingDefault"), &level))
		return level;
	return THINK_MEDIUM;
}

static void count_usage(struct run *r)
{
	const struct model_result *res = &r->result;
	struct run_spent *sp = &r->spent;

	sp->requests++;
	sp->sum.input += res->usage.input;
	sp->sum.output += res->usage.output;
	sp->sum.cache_read += res->usage.cache_read;
	sp->sum.cache_write += res->usage.cache_write;
	if (res->usage.input + res->usage.cache_read + res->usage.cache_write)
		sp->last_prompt = res->usage.input + res->usage.cache_read + res->usage.cache_write;
	if (!res->has_cost)
		return;
	sp->has_cost = true;
	sp->cost.input += res->cost.input;
	sp->cost.output += res->cost.output;
	sp->cost.cache_read += res->cost.cache_read;
	sp->cost.cache_write += res->cost.cache_write;
	sp->cost.total += res->cost.total;
}

/* What the client left empty is what we asked for. */
void turn_fill_result(struct run *r)
{
	struct model_result *res = &r->result;

	if (!res->provider[0])
		snprintf(res->provider, sizeof(res->provider), "%s", r->entry.provider);
	if (!res->model[0])
		snprintf(res->model, sizeof(res->model), "%s", r->entry.id);
	if (!res->api[0])
		snprintf(res->api, sizeof(res->api), "%s", r->entry.api ? r->entry.api : "");
}

static ch_status ask_once(struct turn *t, struct window *w, struct ch_err *err)
{
	struct run *r = t->r;
	struct agent_host *h = r->host;
	struct model_call call = {
		.ref = r->entry.ref, .system_stable = r->prompt->text, .system_volatile = buf_str(&t->volatile_prompt),
		.tools = r->prompt->tools, .tool_count = r->prompt->tool_count, .thinking = thinking_of(r),
		.reason = MODEL_FOR_TURN, .agent_id = r->agent_id, .session_key = r->session_key, .run_id = r->event_id,
		.auth_profile = r->entry.auth_profile,
	};
	struct json view;
	ch_status st;

	verbose_prepare(r);
	call.is_fast = r->is_fast;
	r->told_thinking = call.thinking == THINK_OFF ? NULL : thinking_name(call.thinking);
	window_view(r, w, &view);
	call.messages = &view;
	r->result = (struct model_result){ 0 };
	arena_clear(r->round);
	extras_apply(r, &call);
	stream_begin(&t->stream);
	ev_model(r);
	st = h->model_ops.stream(h->model_ops.arg, &call, stream_event, &t->stream, &r->result, err);
	r->resume_ms = 0;
	turn_fill_result(r);
	count_usage(r);
	return st;
}

ch_status turn_ask(struct turn *t, struct ch_err *err)
{
	struct run *r = t->r;
	struct window w;
	ch_status st;

	st = window_open(t, &w, err);
	if (st)
		return st;
	for (;;) {
		st = ask_once(t, &w, err);
		if (r->abort_origin)
			return ch_fail(err, CH_E_CANCELED, "aborted");
		if (!st)
			break;
		if (t->stream.block.failed || r->reply.failed)
			return stream_finish(&t->stream, err);
		r->failure_class = r->result.error_class;
		if (r->result.error_class != MODEL_ERR_CONTEXT || r->msg_end > r->msg_start)
			return st;
		st = window_shrink(t, &w, st, err);
		if (st)
			return st;
	}
	r->failure_class = MODEL_ERR_NONE;
	st = stream_finish(&t->stream, err);
	if (!st)
		ev_usage(r);
	return st;
}
