/*
 * agent/dispatch_one.c - see dispatch_one.h.
 */
#include "agent/dispatch_one.h"

#include "agent/fence.h"
#include "agent/hide.h"
#include "approvals/approval.h"
#include "core/clock.h"
#include "core/fiber.h"
#include "core/hash.h"
#include "core/log.h"
#include "core/str.h"
#include "sessions/text.h"

/* -- the deadline -- */

static void arm(struct one_call *c)
{
	if (c->ctx.deadline_ms != FIBER_FOREVER)
		loop_timer_start(c->timer, CH_MAX(c->ctx.deadline_ms - now_mono_ms(), 0));
}

/* The tool may have been given more time, and a person may be thinking. */
static void on_timer(void *arg)
{
	struct one_call *c = arg;

	if (c->waits_for)
		return;
	if (now_mono_ms() < c->ctx.deadline_ms) {
		arm(c);
		return;
	}
	c->is_late = true;
	fiber_cancel(c->fiber);
}

static void on_update(void *arg, const char *text, size_t len)
{
	struct one_call *c = arg;

	c->tell_update(c->tell_arg, text, len);
}

/* The time that a person takes is not the tool's. */
static void on_approval(void *arg, const char *approval_id, const char *status)
{
	struct one_call *c = arg;
	const char *id = approval_id ? approval_id : c->waits_for;

	if (approval_id && !c->waits_for) {
		c->approval_id = c->waits_for = arena_strdup(c->ctx.arena, approval_id);
		c->left_ms = c->ctx.deadline_ms == FIBER_FOREVER ? FIBER_FOREVER : c->ctx.deadline_ms - now_mono_ms();
		c->ctx.deadline_ms = FIBER_FOREVER;
		loop_timer_stop(c->timer);
	} else if (c->waits_for) {
		c->waits_for = NULL;
		c->ctx.deadline_ms = c->left_ms == FIBER_FOREVER ? FIBER_FOREVER : fiber_deadline(c->left_ms);
		arm(c);
	}
	if (c->tell_approval && id)
		c->tell_approval(c->tell_arg, id, approval_id ? NULL : status ? status : "resolved");
}

/* -- the result -- */

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

/* Who refuses a call before it went out speaks for us; what a peer answered is the peer's text. */
static bool is_ours(ch_status st)
{
	return st == CH_E_INVALID || st == CH_E_DENIED || st == CH_E_TIMEOUT || st == CH_E_CANCELED;
}

static uint64_t hash_content(const struct json *content)
{
	uint64_t h = 0;

	json_each(block, content) {
		const struct json *data = json_get(block, "text") ? json_get(block, "text") : json_get(block, "data");
		uint64_t both[2] = { h, json_is(data, JSON_STR) ? hash_bytes(data->str, data->len) : 0 };

		h = hash_bytes(both, sizeof(both));
	}
	return h;
}

/* What the tool gave becomes the call's result; a status that is no success is an answer too. */
static void take_result(struct one_call *c, ch_status st, const struct tool_result *res, const struct ch_err *err)
{
	struct arena *a = c->ctx.arena;
	bool is_outside = c->ctx.is_outside || (c->tool->flags & TOOL_OUTSIDE && !is_ours(st));

	c->details = NULL;
	c->is_error = c->has_failed = true;
	if (c->is_late || st == CH_E_TIMEOUT) {
		c->content = tr_text_content(a, arena_printf(a, "%s did not finish within %lld seconds.", c->tool->name,
						      (long long)(c->tool->timeout_ms / 1000)));
		return;
	}
	if (st) {
		c->content = tr_text_content(a, err->text);
	} else {
		c->content = json_len(res->content) ? res->content : tr_text_content(a, "(no output)");
		c->details = res->details;
		c->is_error = res->is_error;
		c->has_failed = false;
		cut_output(a, c->content, c->tool->out_max_bytes);
	}
	c->result_hash = hash_content(c->content);
	hide_secrets(a, c->content);
	hide_secrets(a, c->details);
	c->is_outside = is_outside;
	if (!is_outside)
		return;
	if (!c->ctx.source)
		c->ctx.source = c->tool->name;
	c->content = fence_content(a, c->ctx.source, c->content);
	policy_taint(c->policy);
}

/* What was allowed is over, however it went. */
static void close_approval(struct one_call *c)
{
	struct ch_err err;

	if (c->is_claimed && approval_done(c->host->tool_host.approvals, c->approval_id, &err))
		log_warn("agent", "session=%s: the end of approval %s is not on record: %s", c->ctx.session_key, c->approval_id,
			 err.text);
}

static void call_fiber(void *arg)
{
	struct one_call *c = arg;
	struct tool_result res = { 0 };
	struct ch_err err = { 0 };
	ch_status st = CH_OK;

	if (one_needs_yes(c))
		st = one_ask(c, &err);
	if (!st)
		st = c->tool->run(&c->ctx, c->args, &res, &err);
	loop_timer_stop(c->timer);
	close_approval(c);
	c->is_canceled = st == CH_E_CANCELED && !c->is_late;
	if (c->is_canceled)
		return;          /* whoever cancelled it says why */
	take_result(c, st, &res, &err);
	if (c->on_done)
		c->on_done(c->arg);
}

/* -- running it -- */

void one_start(struct one_call *c)
{
	c->tell_update = c->ctx.on_update;
	c->tell_approval = c->ctx.on_approval;
	c->tell_arg = c->ctx.update_arg;
	c->ctx.tool = c->tool;
	c->ctx.host = &c->host->tool_host;
	c->ctx.grant = &c->policy->grant;
	c->ctx.on_update = c->tell_update ? on_update : NULL;
	c->ctx.on_approval = on_approval;
	c->ctx.update_arg = c;
	c->ctx.deadline_ms = c->tool->timeout_ms ? fiber_deadline(c->tool->timeout_ms) : FIBER_FOREVER;
	c->timer = loop_timer_new(c->host->opts.loop, on_timer, c);
	c->fiber = fiber_spawn(c->host->opts.loop, "tool", FIBER_JOINABLE, call_fiber, c);
	arm(c);
}

static void over(struct one_call *c)
{
	c->fiber = NULL;
	loop_timer_free(c->timer);
	c->timer = NULL;
}

void one_stop(struct one_call *c)
{
	if (!c->fiber)
		return;
	fiber_cancel(c->fiber);
	fiber_mask(+1);
	while (fiber_join(c->fiber, FIBER_FOREVER)) {
		/* For ever: the fiber uses our frame. Only a spurious status brings us round again. */
	}
	fiber_mask(-1);
	over(c);
}

/* For ever: a tool ends by its deadline, or bounds itself (timeout_ms 0). */
ch_status one_join(struct one_call *c)
{
	ch_status st = c->fiber ? fiber_join(c->fiber, FIBER_FOREVER) : CH_OK;

	if (st)
		one_stop(c);
	else
		over(c);
	return st;
}
