/*
 * agent/compact_session.c - summarising outside of a turn: by /compact and by sessions.compact.
 */
#include "agent/compact.h"

#include "agent/home.h"
#include "core/clock.h"
#include "core/fiber.h"
#include "core/rand.h"
#include "core/str.h"

#define LANE_WAIT_MS 5000                /* for a run that is just leaving */

ch_status compact_session(struct agent_host *h, struct sess *s, const struct compact_want *want, struct arena *a,
			  struct compact_done *ret, struct ch_err *err)
{
	CH_AUTO(home_unref) struct home *home = NULL;
	CH_AUTO(policy_unref) struct policy *policy = NULL;
	CH_AUTO(prompt_unref) struct prompt *prompt = NULL;
	CH_AUTO(history_free) struct history *history = history_new();
	struct model_entry model = { 0 };
	struct compact_ask ask = { .sess = s, .history = history, .model = &model, .run_id = want->run_id,
				   .entry_id = want->entry_id, .reason = COMPACT_MANUAL, .focus = want->focus,
				   .on_start = want->on_start, .arg = want->arg };
	const char *source;
	ch_status st;

	st = h->model_ops.resolve(h->model_ops.arg, agent_wanted_model(s, a), s->agent_id, a, &model, &source, err);
	if (!st)
		st = home_open(h, s->agent_id, &home, err);
	if (st)
		return st;
	policy = policy_of_session(h, home, s->key, s, &model, &(struct policy_want){ .is_owner = true });
	st = home_prompt(h, home, policy, prompt_mode_for(host_config(h), s->agent_id, &model), true, &prompt,
			 err);
	if (!st)
		st = history_load(history, s, err);
	if (!st)
		st = tr_claim(s, want->run_id, &ask.epoch, err);
	if (st)
		return st;
	ask.overhead_tokens = prompt->tokens;
	if (want->max_entries)
		return compact_trim(h, &ask, want->max_entries, a, ret, err);
	ask.room_tokens = CH_MAX(window_tokens(&model) - prompt->tokens, 1);
	return compact(h, &ask, a, ret, err);
}

ch_status agent_compact_check(struct agent_host *h, const char *session_key, struct ch_err *err)
{
	CH_AUTO(sess_unref) struct sess *s = NULL;
	struct desk *d = desk_find(h, session_key);

	if (d && d->queued)
		return ch_fail(err, CH_E_INVALID, "Session %s has queued work; retry after it finishes.", session_key);
	if (d && d->active)
		return ch_fail(err, CH_E_INVALID, "Session %s has an active run; retry after it finishes.", session_key);
	return sess_find(h->opts.sessions, session_key, &s, err);
}

ch_status agent_compact(struct agent_host *h, const struct agent_compact *want, struct arena *a,
			struct agent_compacted *ret, struct ch_err *err)
{
	CH_AUTO(lane_leave) struct lane_lease *lane = NULL;
	CH_AUTO(sess_unref) struct sess *s = NULL;
	struct compact_want w = { .max_entries = want->max_entries, .focus = want->instructions,
				  .run_id = want->operation_id, .on_start = want->on_start, .arg = want->arg };
	struct compact_done done;
	char *id = arena_alloc(a, UUID_LEN);
	ch_status st;

	st = agent_compact_check(h, want->session_key, err);
	if (!st)
		st = lane_enter(h->lanes, want->session_key, fiber_deadline(LANE_WAIT_MS), &lane, err);
	if (!st)
		st = sess_find(h->opts.sessions, want->session_key, &s, err);
	if (st)
		return st;
	rand_uuid(id);
	w.entry_id = id;
	st = compact_session(h, s, &w, a, &done, err);
	if (st)
		return st;
	*ret = (struct agent_compacted){
		.is_compacted = !done.why_not, .reason = done.why_not, .tokens_before = done.tokens_before,
		.tokens_after = done.tokens_after, .summary = done.summary, .first_kept_id = done.first_kept_id,
		.kept = done.kept,
	};
	return CH_OK;
}
