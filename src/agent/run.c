/*
 * agent/run.c - a run's memory, its timer, and ending it before its time.
 */
#include "agent/run.h"

#include "agent/host.h"
#include "agent/home.h"
#include "agent/run_events.h"
#include "core/clock.h"
#include "core/mem.h"
#include "core/str.h"

#define RUN_SCRATCH_MAX (8 * (size_t)RUN_REPLY_MAX)      /* a frame: all text, escaped */

static const char *const queue_modes[] = {
	[QUEUE_STEER] = "steer",
	[QUEUE_FOLLOWUP] = "followup",
	[QUEUE_COLLECT] = "collect",
	[QUEUE_INTERRUPT] = "interrupt",
};

bool queue_mode_parse(const char *name, enum queue_mode *ret)
{
	for (size_t i = 0; i < CH_ARRAY_LEN(queue_modes); i++) {
		if (!str_eq(queue_modes[i], name))
			continue;
		*ret = (enum queue_mode)i;
		return true;
	}
	return false;
}

const char *queue_mode_name(enum queue_mode m)
{
	return queue_modes[m];
}

bool run_overrides_equal(const struct run_overrides *a, const struct run_overrides *b)
{
	return str_eq(a->fast, b->fast) && str_eq(a->verbose, b->verbose) && str_eq(a->reasoning, b->reasoning);
}

struct run *run_new(struct agent_host *h)
{
	struct run *r = ch_alloc(sizeof(*r));

	r->refs = 1;
	r->host = h;
	r->arena = arena_new(0);
	fiber_cond_init(&r->ended);
	buf_init(&r->reply, RUN_REPLY_MAX);
	buf_init(&r->scratch, RUN_SCRATCH_MAX);
	return r;
}

struct run *run_ref(struct run *r)
{
	r->refs++;
	return r;
}

void run_unref(struct run *r)
{
	if (!r || --r->refs)
		return;
	CH_BUG_ON(r->fiber || r->desk);
	loop_timer_free(r->timer);
	prompt_unref(r->prompt);
	policy_unref(r->policy);
	home_unref(r->home);
	sess_unref(r->sess);
	arena_unref(r->round);
	for (size_t i = 0; i < r->merged.len; i++)
		run_unref(r->merged.at[i]);
	vec_done(&r->merged);
	vec_done(&r->calls);
	vec_done(&r->taints);
	vec_done(&r->tools_used);
	vec_done(&r->handed);
	buf_done(&r->reply);
	buf_done(&r->scratch);
	arena_unref(r->arena);
	ch_free(r);
}

static void on_timer(void *arg)
{
	struct run *r = arg;
	int64_t now = now_mono_ms();

	r->timer_ms = 0;
	if (r->phase != RUN_ACTIVE || r->abort_origin)
		return;
	if (r->deadline_ms && !r->pauses && now >= r->deadline_ms) {
		run_abort(r, "timeout", "timeout",
			  arena_printf(r->arena, "The run took longer than it may (%s)", r->deadline_key));
		return;
	}
	if (r->resume_ms && now >= r->resume_ms) {
		r->resume_ms = 0;
		ev_resumed(r);
	}
	ev_text_tell_due(r);
	run_timer_arm(r);
}

void run_timer_arm(struct run *r)
{
	int64_t due = ev_text_due_ms(r);

	if (r->resume_ms && (!due || r->resume_ms < due))
		due = r->resume_ms;
	if (r->deadline_ms && !r->pauses && (!due || r->deadline_ms < due))
		due = r->deadline_ms;
	if (!due || (r->timer_ms && r->timer_ms <= due))
		return;          /* an early shot only looks and sets it again */
	if (!r->timer)
		r->timer = loop_timer_new(r->host->opts.loop, on_timer, r);
	r->timer_ms = due;
	loop_timer_start(r->timer, CH_MAX(due - now_mono_ms(), 0));
}

void run_pause(struct run *r, bool is_asked)
{
	if (is_asked) {
		if (!r->pauses++)
			r->paused_at = now_mono_ms();
		return;
	}
	if (!r->pauses || --r->pauses)
		return;
	if (r->deadline_ms)
		r->deadline_ms += now_mono_ms() - r->paused_at;
	run_timer_arm(r);
}

void run_abort(struct run *r, const char *origin, const char *reason, const char *error)
{
	if (r->phase != RUN_ACTIVE || r->abort_origin)
		return;
	r->abort_origin = origin;
	r->abort_reason = reason;
	r->abort_error = error;
	ev_aborted(r);
	fiber_cancel(r->fiber);
}
