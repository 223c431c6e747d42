/*
 * agent/dispatch.c - the tool calls of one reply: which may run, in which order, and what is told of them.
 *
 * The turn's policy says which; a call is run by dispatch_one.c.
 */
#include "agent/dispatch.h"

#include <string.h>

#include "agent/dispatch_loop.h"
#include "agent/dispatch_one.h"
#include "agent/hide.h"
#include "agent/home.h"
#include "agent/run_events.h"
#include "agent/taint.h"
#include "agent/tool_journal.h"
#include "agent/verbose.h"
#include "core/clock.h"
#include "core/hash.h"
#include "core/log.h"
#include "core/str.h"
#include "sessions/text.h"

#define MALFORMED_ARGS "The arguments of this call are not valid JSON (%s). They began: %.200s"

struct slot {
	struct run *r;
	struct run_call *call;
	struct one_call one;
	int64_t started_at;
};

static void answer_error(struct run *r, struct run_call *call, const char *text)
{
	call->content = tr_text_content(r->round, text);
	call->details = NULL;
	call->is_error = true;
	call->is_done = true;
}

static void remember_used(struct run *r, const char *name)
{
	for (size_t i = 0; i < r->tools_used.len; i++)
		if (str_eq(r->tools_used.at[i], name))
			return;
	vec_push(&r->tools_used, name);
}

static void on_update(void *arg, const char *text, size_t len)
{
	CH_AUTO(arena_unref) struct arena *a = NULL;
	struct slot *s = arg;

	if (s->r->abort_origin)
		return;
	if (log_holds_secret(text, len)) {
		a = arena_new(0);
		text = hide_in_text(a, text, len, &len);
	}
	ev_tool_update(s->r, s->one.tool, s->call, text, len);
}

/* Nobody's time runs while a person thinks, the turn's neither. */
static void on_approval(void *arg, const char *approval_id, const char *status)
{
	struct slot *s = arg;
	struct run *r = s->r;

	run_pause(r, !status);
	if (!r->abort_origin)
		ev_approval(r, s->call, approval_id, status);
}

static void on_done(void *arg)
{
	struct slot *s = arg;
	struct run *r = s->r;
	struct run_call *call = s->call;
	struct ch_err err;

	call->content = s->one.content;
	call->details = s->one.details;
	call->is_error = s->one.is_error;
	call->is_done = true;
	call->result_hash = s->one.result_hash;
	call->approval_id = s->one.approval_id;
	if (s->one.is_outside) {
		call->outside = s->one.ctx.source;
		taint_note(r, "tool", call->outside);
	}
	if (journal_finish(r, call, &err))
		log_warn("agent", "session=%s run=%s: the result of %s is not on record: %s; a crash before the others are done would "
			 "lose it", r->session_key, r->event_id, call->name, err.text);
	if (r->abort_origin)
		return;
	ev_tool_end(r, s->one.tool, call, call->content, call->details, call->is_error, s->started_at);
	verbose_ended(r, s->one.tool, call);
}

static void launch(struct slot *s)
{
	struct run *r = s->r;
	const struct tool *t = s->one.tool;

	s->started_at = now_wall_ms();
	s->one.ctx = (struct tool_ctx){
		.agent_id = r->agent_id, .session_key = r->session_key, .session_id = r->session_id, .run_id = r->event_id,
		.tool_call_id = s->call->id, .workspace = r->home->workspace, .workspace_fd = r->home->fd, .arena = r->round,
		.on_update = on_update, .on_approval = on_approval, .update_arg = s,
	};
	ev_tool_start(r, t, s->call, s->started_at);
	verbose_started(r, t, s->call);
	if (t->risk != TOOL_READS)
		r->has_side_effects = true;
	one_start(&s->one);
}

static ch_status run_batch(struct run *r, struct run_call *calls, size_t n, struct ch_err *err)
{
	struct slot *slots = arena_alloc(r->round, n * sizeof(*slots));
	ch_status st = CH_OK;

	for (size_t i = 0; i < n && !st; i++)
		st = journal_launch(r, &calls[i], err);
	if (st)
		return st;
	for (size_t i = 0; i < n; i++) {
		slots[i] = (struct slot){ .r = r, .call = &calls[i] };
		slots[i].one = (struct one_call){ .host = r->host, .policy = r->policy, .args = calls[i].args,
						  .tool = policy_tool(r->policy, calls[i].name), .on_done = on_done,
						  .arg = &slots[i] };
		launch(&slots[i]);
	}
	for (size_t i = 0; i < n; i++) {
		if (st)
			one_stop(&slots[i].one);
		else
			st = one_join(&slots[i].one);
	}
	if (st)
		return ch_fail(err, st, "canceled");
	for (size_t i = 0; i < n; i++)
		loop_note(r, &calls[i]);
	for (size_t i = 0; i < n; i++)
		if (!calls[i].is_error)
			remember_used(r, slots[i].one.tool->name);
	return CH_OK;
}

/* -- calls that are answered without running -- */

static const char *tool_names(const struct run *r)
{
	CH_AUTO_BUF struct buf out = { 0 };

	buf_init(&out, 64u << 10);
	for (size_t i = 0; i < r->prompt->tool_count; i++)
		buf_printf(&out, "%s%s", i ? ", " : "", r->prompt->tools[i].name);
	return arena_strdup(r->round, out.len ? buf_str(&out) : "none");
}

/* The tool, when the policy gives it and the model was told of it. */
static const struct tool *usable(const struct run *r, const char *name)
{
	return prompt_has_tool(r->prompt, name) ? policy_tool(r->policy, name) : NULL;
}

static void refuse(struct run *r, struct run_call *call, const char *text)
{
	const struct tool *t = tool_set_find(r->policy->tools, call->name);
	int64_t now = now_wall_ms();

	call->is_refused = true;
	ev_tool_start(r, t, call, now);
	answer_error(r, call, text);
	call->result_hash = hash_bytes(text, strlen(text));
	loop_note(r, call);
	ev_tool_end(r, t, call, call->content, NULL, true, now);
}

/* Why the call cannot run, on the arena; NULL: it can. */
static const char *refusal(struct run *r, const struct run_call *call)
{
	struct arena *a = r->round;
	const struct tool *t = usable(r, call->name);
	struct ch_err err;

	if (call->args_error && (t || extras_has_tool(r, call->name)))
		return arena_printf(a, MALFORMED_ARGS, call->args_error, call->args_text);
	if (!t && policy_tool(r->policy, call->name))
		return arena_printf(a, "The tool '%s' was not offered in this turn. The tools are: %s.", call->name, tool_names(r));
	if (!t)
		return arena_printf(a, "%s The tools are: %s.", policy_why_not(r->policy, a, call->name), tool_names(r));
	if (tool_check_args(t, call->args, &err))
		return arena_strdup(a, err.text);
	return NULL;
}

/* True when the call may run; otherwise it has been answered. */
static bool admit(struct run *r, struct run_call *call, const char *repeats)
{
	const char *why = refusal(r, call);

	call->is_told = !why && repeats;
	if (!why)
		why = repeats;
	if (why)
		refuse(r, call, why);
	return !why;
}

/* Counts it, and looks for circles. *ret_why: why it does not run. */
static ch_status count_call(struct run *r, const struct run_call *call, const char **ret_why, struct ch_err *err)
{
	int64_t most = config_int(host_config(r->host), "tools.limits.maxCallsPerTurn", 0);

	if (++r->calls_made > most && most > 0)
		return ch_fail(err, CH_E_LIMIT, "stopped after %lld tool calls in one turn (tools.limits.maxCallsPerTurn)", (long long)most);
	return loop_check(r, call, ret_why, err);
}

static bool is_parallel(const struct run *r, const struct run_call *call)
{
	const struct tool *t = usable(r, call->name);

	return t && t->is_parallel && !call->args_error && !tool_check_args(t, call->args, NULL);
}

ch_status dispatch_calls(struct run *r, struct ch_err *err)
{
	size_t i = 0, n = r->calls.len;
	ch_status st;

	while (i < n) {
		struct run_call *calls = &r->calls.at[i];
		const char *repeats;
		size_t batch = 1;

		if (i && desk_has_steered(r->desk)) {
			for (; i < n; i++)
				refuse(r, &r->calls.at[i], "Skipped: the user sent a new message, which comes first.");
			break;
		}
		st = count_call(r, calls, &repeats, err);
		if (st)
			return st;
		if (!admit(r, calls, repeats)) {
			i++;
			continue;
		}
		while (is_parallel(r, calls) && i + batch < n && is_parallel(r, &calls[batch]) &&
		       !str_eq(calls[batch].args_text, calls[batch - 1].args_text)) {
			st = count_call(r, &calls[batch], &repeats, err);
			if (st)
				return st;
			if (repeats) {
				r->calls_made--;         /* it is counted again at the head of the next batch */
				break;
			}
			batch++;
		}
		st = run_batch(r, calls, batch, err);
		if (st)
			return st;
		i += batch;
	}
	return CH_OK;
}

void dispatch_close(struct run *r, const char *why)
{
	for (size_t i = 0; i < r->calls.len; i++)
		if (!r->calls.at[i].is_done)
			answer_error(r, &r->calls.at[i], why);
}
