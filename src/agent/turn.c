/*
 * agent/turn.c - one turn: claim, ask the model, run its tools, again until it answers, settle.
 *
 * Commits are few and each stands for itself:
 *	begin   the user's row, the lease, the input's state, the session's row
 *	round   a reply that calls tools, before they run; then their results
 *	end     the last reply, the input's end, the session's row
 * A failed commit leaves nothing of its step; clients are told only of what is committed.
 */
#include "agent/turn.h"

#include <string.h>

#include "agent/dispatch.h"
#include "agent/history.h"
#include "agent/home.h"
#include "agent/run_events.h"
#include "agent/taint.h"
#include "core/clock.h"
#include "core/rand.h"
#include "core/str.h"

/* -- its tools -- */

/* Are the workspace's files part of this turn's prompt? */
static bool wants_files(const struct run *r)
{
	const char *when = home_setting_str(host_config(r->host), r->agent_id, "contextInjection");

	if (str_eq(when, "never"))
		return false;
	return !str_eq(when, "continuation-skip") || !history_has_reply(r->desk->history);
}

static ch_status equip(struct run *r, struct ch_err *err)
{
	struct policy_want as = { .is_owner = r->sender_is_owner, .channel = r->from ? r->from->channel : NULL,
				  .sender = r->from ? r->from->sender_id : NULL, .room = r->from ? r->from->tools : NULL };
	struct policy *old = r->policy;
	struct prompt *prompt;
	ch_status st;

	r->policy = policy_of_session(r->host, r->home, r->session_key, r->sess, &r->entry, &as);
	if (old && !old->grant.is_owner)
		policy_disown(r->policy);
	if (r->taints.len)
		policy_taint(r->policy);
	policy_unref(old);
	st = home_prompt(r->host, r->home, r->policy, prompt_mode_for(host_config(r->host), r->agent_id, &r->entry),
			 r->prompt ? r->prompt->with_files : wants_files(r), &prompt, err);
	if (st)
		return st;
	prompt_unref(r->prompt);
	r->prompt = prompt;
	if (prompt->outside)
		taint_note(r, "file", prompt->outside);
	return CH_OK;
}

/* Another mode may be chosen for the session while it works, or another provider answer: then what it may do is judged anew. */
ch_status turn_equip(struct run *r, struct ch_err *err)
{
	if (r->prompt && r->policy->grant.mode == tool_mode_parse(r->sess->permission_mode) &&
	    str_eq(r->policy->provider, r->entry.provider) && str_eq(r->policy->model, r->entry.id))
		return CH_OK;
	return equip(r, err);
}

/* -- the rounds -- */

/* One model request and what follows from it. *ret_done: the reply at hand is the last one, not yet committed
 * unless it was handed out. */
static ch_status round_of(struct turn *t, bool *ret_done, struct ch_err *err)
{
	struct run *r = t->r;
	ch_status st;

	*ret_done = false;
	/* A command that was answered beside this turn has put its rows between ours. */
	if (history_is_stale(r->desk->history)) {
		st = history_load(r->desk->history, r->sess, err);
		if (st)
			return st;
	}
	st = turn_equip(r, err);
	if (!st)
		st = turn_route_ask(t, err);
	if (st) {
		r->calls.len = 0;        /* of a reply that is not in the transcript */
		return st;
	}
	if (!r->calls.len && r->result.stop != MODEL_STOP_PAUSE && !desk_has_steered(r->desk)) {
		*ret_done = true;
		return CH_OK;
	}
	st = turn_commit_reply(t, err);
	if (st)
		r->calls.len = 0;
	else
		t->is_handed_out = extras_hand_out(r);
	if (!st && r->calls.len) {
		st = dispatch_calls(r, err);
		if (!st)
			st = turn_commit_results(r, err);
	}
	if (!st && r->abort_origin)
		st = ch_fail(err, CH_E_CANCELED, "aborted");
	*ret_done = t->is_handed_out;
	if (!st && !t->is_handed_out)
		st = turn_absorb(r, err);
	return st;
}

static ch_status rounds(struct turn *t, struct ch_err *err)
{
	struct run *r = t->r;
	bool is_done = false;
	ch_status st;

	for (r->rounds = 1; r->rounds <= RUN_ROUNDS_MAX; r->rounds++) {
		snprintf(r->item_id + UUID_LEN - 1, sizeof(r->item_id) - UUID_LEN + 1, ":%d", r->rounds);
		st = round_of(t, &is_done, err);
		if (st || is_done)
			return st;
	}
	return ch_fail(err, CH_E_LIMIT, "stopped after %d model requests in one turn", RUN_ROUNDS_MAX);
}

/* -- the turn -- */

/* What the turn needs besides the transcript. A failure is told after the user's row is in. */
static ch_status prepare(struct run *r, struct ch_err *err)
{
	ch_status st = turn_route_open(r, err);

	return st ? st : home_open(r->host, r->agent_id, &r->home, err);
}

/* The history must end with the row just written. */
static ch_status history_follow(struct run *r, const struct tr_entry *e, struct ch_err *err)
{
	struct desk *d = r->desk;

	if (!d->history)
		d->history = history_new();
	if (history_is_at(d->history, e->session_id, e->raw_seq - 1))
		history_add(d->history, e);
	if (history_is_at(d->history, e->session_id, e->raw_seq))
		return CH_OK;
	return history_load(d->history, r->sess, err);
}

ch_status turn_volatile_prompt(struct turn *t, struct ch_err *err)
{
	buf_clear(&t->volatile_prompt);
	prompt_volatile(&t->volatile_prompt, t->r);
	extras_prompt(&t->volatile_prompt, t->r);
	return buf_status(&t->volatile_prompt, err, "the system prompt");
}

/* History and prompt: what the first request is made of. */
static ch_status gather(struct turn *t, const struct tr_entry *user, struct ch_err *err)
{
	struct run *r = t->r;
	ch_status st;

	st = history_follow(r, user, err);
	if (!st)
		st = turn_equip(r, err);
	if (st)
		return st;
	return turn_volatile_prompt(t, err);
}

static void set_deadline(struct run *r)
{
	const struct config *c = host_config(r->host);
	int64_t ms = r->timeout_ms, most = config_int(c, "tools.limits.maxSecondsPerTurn", 0) * 1000;

	r->deadline_key = "agents.defaults.timeoutSeconds";
	if (!ms)
		ms = home_setting(c, r->agent_id, "timeoutSeconds", 0) * 1000;
	if (most > 0 && (ms <= 0 || most < ms)) {
		ms = most;
		r->deadline_key = "tools.limits.maxSecondsPerTurn";
	}
	if (ms <= 0)
		return;
	r->deadline_ms = fiber_deadline(ms);
	run_timer_arm(r);
}

static void turn_in(struct turn *t)
{
	struct run *r = t->r;
	struct tr_entry user;
	struct ch_err err;
	ch_status st, ready;

	r->started_at = now_wall_ms();
	r->round = arena_new(0);
	rand_uuid(r->item_id);
	ready = prepare(r, &r->failure);
	ev_preparing(r);
	ev_route_skipped(r, 0);
	st = turn_begin(r, &user, &err);
	if (st) {
		r->failure = err;
		turn_user_entry(r, &user);
		turn_failed(t, &user);
		return;
	}
	ev_started(r, &user);
	set_deadline(r);
	st = ready ? ready : gather(t, &user, &r->failure);
	if (!st)
		st = rounds(t, &r->failure);
	turn_finish(t, st);
}

void run_turn(struct run *r)
{
	struct turn t = { .r = r };

	buf_init(&t.volatile_prompt, 1u << 20);
	buf_init(&t.row, TURN_ROW_MAX);
	stream_init(&t.stream, r);
	turn_in(&t);
	stream_done(&t.stream);
	buf_done(&t.row);
	buf_done(&t.volatile_prompt);
}
