/*
 * agent/dispatch.c - the tool calls of one reply: checked, run, bounded, told.
 *
 * Each call runs in a fiber of its own, so that a deadline or an abort ends it where it waits.
 */
#include "agent/dispatch.h"

#include <string.h>

#include "agent/home.h"
#include "agent/run_events.h"
#include "agent/verbose.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/str.h"

#define MALFORMED_ARGS "The arguments of this call are not valid JSON (%s). They began: %.200s"

struct slot {
	struct run *r;
	struct run_call *call;
	const struct tool *tool;
	struct fiber *fiber;
	struct tool_ctx ctx;
	int64_t started_at;
	bool is_late;                    /* its deadline passed */
};

static struct json *text_content(struct arena *a, const char *text)
{
	struct json *content = json_new_arr(a), *block = json_new_obj(a);

	json_set(a, block, "type", json_new_str(a, "text"));
	json_set(a, block, "text", json_new_str(a, text));
	json_push(content, block);
	return content;
}

static void answer_error(struct run *r, struct run_call *call, const char *text)
{
	call->content = text_content(r->round, text);
	call->details = NULL;
	call->is_error = true;
	call->is_done = true;
}

/* Cuts the texts so that together they have at most max bytes. */
static void cut_output(struct arena *a, struct json *content, size_t max)
{
	size_t left = max;

	json_each(block, content) {
		struct json *text = json_get(block, "text");
		size_t keep;

		if (!json_is(text, JSON_STR))
			continue;
		if (text->len <= left) {
			left -= text->len;
			continue;
		}
		keep = utf8_cut(text->str, text->len, left);
		json_set(a, block, "text", json_new_str(a, arena_printf(a, "%.*s\n[cut here: %zu more bytes]", (int)keep,
									text->str, text->len - keep)));
		left = 0;
	}
}

static void remember_used(struct run *r, const char *name)
{
	for (size_t i = 0; i < r->tools_used.len; i++)
		if (str_eq(r->tools_used.at[i], name))
			return;
	vec_push(&r->tools_used, name);
}

/* What the tool gave becomes the call's result; a status that is no success is an answer too. */
static void take_result(struct slot *s, ch_status st, struct tool_result *res, const struct ch_err *err)
{
	struct run *r = s->r;
	struct run_call *call = s->call;

	if (s->is_late || st == CH_E_TIMEOUT) {
		answer_error(r, call, arena_printf(r->round, "%s did not finish within %lld seconds.", call->name,
						   (long long)(s->tool->timeout_ms / 1000)));
	} else if (st) {
		answer_error(r, call, err->text);
	} else {
		call->content = json_len(res->content) ? res->content : text_content(r->round, "(no output)");
		call->details = res->details;
		call->is_error = res->is_error;
		call->is_done = true;
		cut_output(r->round, call->content, s->tool->out_max_bytes);
	}
}

static void on_update(void *arg, const char *text, size_t len)
{
	struct slot *s = arg;

	if (!s->r->abort_origin)
		ev_tool_update(s->r, s->tool, s->call, text, len);
}

static void call_fiber(void *arg)
{
	struct slot *s = arg;
	struct run *r = s->r;
	struct tool_result res = { 0 };
	struct ch_err err = { 0 };
	ch_status st;

	st = tool_check_args(s->tool, s->call->args, &err);
	if (!st && s->tool->risk != TOOL_READS)
		r->has_side_effects = true;
	if (!st)
		st = s->tool->run(&s->ctx, s->call->args, &res, &err);
	if (st == CH_E_CANCELED && r->abort_origin)
		return;          /* closed with the others when the run ends */
	take_result(s, st, &res, &err);
	if (r->abort_origin)
		return;
	ev_tool_end(r, s->tool, s->call, s->call->content, s->call->details, s->call->is_error, s->started_at);
	verbose_ended(r, s->tool, s->call);
}

static void launch(struct slot *s)
{
	struct run *r = s->r;

	s->started_at = now_wall_ms();
	s->ctx = (struct tool_ctx){
		.agent_id = r->agent_id, .session_key = r->session_key, .run_id = r->event_id,
		.tool_call_id = s->call->id, .workspace = r->home->workspace, .workspace_fd = r->home->fd,
		.deadline_ms = fiber_deadline(s->tool->timeout_ms), .arena = r->round, .host = &r->host->tool_host,
		.on_update = on_update, .update_arg = s,
	};
	ev_tool_start(r, s->tool, s->call, s->started_at);
	verbose_started(r, s->tool, s->call);
	s->fiber = fiber_spawn(r->host->opts.loop, "tool", FIBER_JOINABLE, call_fiber, s);
}

/* The tool's waits fail from now on, so it ends; what it holds on the pool is waited for. */
static void stop_and_join(struct slot *s)
{
	fiber_cancel(s->fiber);
	fiber_mask(+1);
	while (fiber_join(s->fiber, FIBER_FOREVER)) {
		/* For ever: the fiber uses our frame. Only a spurious status brings us round again. */
	}
	fiber_mask(-1);
	s->fiber = NULL;
}

static ch_status join(struct slot *s)
{
	ch_status st = fiber_join(s->fiber, s->ctx.deadline_ms);

	if (!st) {
		s->fiber = NULL;
		return CH_OK;
	}
	s->is_late = st == CH_E_TIMEOUT;
	stop_and_join(s);
	return st == CH_E_TIMEOUT ? CH_OK : st;
}

static ch_status run_batch(struct run *r, struct run_call *calls, size_t n, struct ch_err *err)
{
	struct slot *slots = arena_alloc(r->round, n * sizeof(*slots));
	ch_status st = CH_OK;

	for (size_t i = 0; i < n; i++) {
		slots[i] = (struct slot){ .r = r, .call = &calls[i], .tool = tool_find(calls[i].name) };
		launch(&slots[i]);
	}
	for (size_t i = 0; i < n; i++) {
		if (st)
			stop_and_join(&slots[i]);
		else
			st = join(&slots[i]);
	}
	if (st)
		return ch_fail(err, st, "canceled");
	for (size_t i = 0; i < n; i++)
		if (!calls[i].is_error)
			remember_used(r, slots[i].tool->name);
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

/* The tool, when there is one of that name and the configuration lets the agent have it. */
static const struct tool *usable(const struct run *r, const char *name)
{
	return prompt_has_tool(r->prompt, name) ? tool_find(name) : NULL;
}

static void refuse(struct run *r, struct run_call *call, const char *text)
{
	const struct tool *t = tool_find(call->name);
	int64_t now = now_wall_ms();

	ev_tool_start(r, t, call, now);
	answer_error(r, call, text);
	ev_tool_end(r, t, call, call->content, NULL, true, now);
}

/* True when the call may run; otherwise it has been answered. */
static bool admit(struct run *r, struct run_call *call)
{
	struct arena *a = r->round;

	if (extras_has_tool(r, call->name)) {
		refuse(r, call, arena_printf(a, MALFORMED_ARGS, call->args_error, call->args_text));
		return false;
	}
	if (!usable(r, call->name)) {
		refuse(r, call, arena_printf(a, "%s '%.80s'. The tools are: %s.",
					     tool_find(call->name) ? "The configuration does not allow the tool"
								   : "There is no tool", call->name, tool_names(r)));
		return false;
	}
	if (call->args_error) {
		refuse(r, call, arena_printf(a, MALFORMED_ARGS, call->args_error, call->args_text));
		return false;
	}
	if (r->same_calls >= RUN_SAME_CALLS_MAX) {
		refuse(r, call, arena_printf(a, "This same call was made %d times in a row; its answer will not change. Do "
					     "something else, or tell the user what is in the way.", r->same_calls));
		return false;
	}
	return true;
}

/* Counts calls that repeat the one before, letter by letter. */
static ch_status count_repeat(struct run *r, const struct run_call *call, struct ch_err *err)
{
	CH_AUTO_STR char *now = ch_asprintf("%s %s", call->name, call->args_text);

	r->same_calls = str_eq(now, r->last_call) ? r->same_calls + 1 : 1;
	ch_free(r->last_call);
	r->last_call = CH_TAKE(now);
	if (r->same_calls > RUN_SAME_CALLS_MAX)
		return ch_fail(err, CH_E_LIMIT, "stopped: the model made the same call of '%.80s' %d times in a row",
			       call->name, r->same_calls);
	return CH_OK;
}

static bool is_parallel(const struct run *r, const struct run_call *call)
{
	const struct tool *t = usable(r, call->name);

	return t && t->is_parallel && !call->args_error;
}

ch_status dispatch_calls(struct run *r, struct ch_err *err)
{
	size_t i = 0, n = r->calls.len;
	ch_status st;

	while (i < n) {
		struct run_call *calls = &r->calls.at[i];
		size_t batch = 1;

		if (i && desk_has_steered(r->desk)) {
			for (; i < n; i++)
				refuse(r, &r->calls.at[i], "Skipped: the user sent a new message, which comes first.");
			break;
		}
		st = count_repeat(r, calls, err);
		if (st)
			return st;
		if (!admit(r, calls)) {
			i++;
			continue;
		}
		while (is_parallel(r, calls) && i + batch < n && is_parallel(r, &calls[batch]) &&
		       !str_eq(calls[batch].args_text, calls[batch - 1].args_text)) {
			st = count_repeat(r, &calls[batch], err);
			if (st)
				return st;
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
