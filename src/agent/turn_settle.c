/*
 * agent/turn_settle.c - how a turn ends: done, failed, aborted. One transaction for the last rows, the
 * input and the session; then the events.
 */
#include "agent/turn.h"

#include <string.h>

#include "agent/dispatch.h"
#include "agent/history.h"
#include "agent/messages.h"
#include "agent/queue.h"
#include "agent/run_events.h"
#include "agent/taint.h"
#include "core/clock.h"
#include "core/log.h"

static void session_ended(struct run *r, const char *status, const char *error)
{
	struct sess *s = r->sess;

	sess_set_str(s, &s->status, status);
	sess_set_str(s, &s->last_run_id, r->event_id);
	sess_set_str(s, &s->last_run_error, error);
	sess_set_str(s, &s->active_provider, NULL);
	sess_set_str(s, &s->active_model, NULL);
	s->ended_at = r->ended_at;
	s->updated_at = r->ended_at;
	s->started_at = r->started_at;
	s->runtime_ms = r->ended_at - r->started_at;
	s->aborted_last_run = r->abort_origin != NULL;
	if (r->spent.sum.input + r->spent.sum.output + r->spent.last_prompt) {
		s->input_tokens = r->spent.sum.input;
		s->output_tokens = r->spent.sum.output;
		s->total_tokens = r->spent.last_prompt;
	}
	if (r->spent.has_cost)
		s->cost_usd += r->spent.cost.total;
}

struct ending {
	enum input_state state;
	const char *session_status, *error;
	struct tr_entry *user;           /* when the turn failed before the user's row was in */
	struct tr_entry *row;            /* an assistant's, or NULL */
};

static ch_status settle_rows(struct turn *t, const struct ending *end, struct ch_err *err)
{
	struct run *r = t->r;
	CH_AUTO_BUF struct buf outcome = { 0 };
	struct tr_entry *results = arena_alloc(r->round, CH_MAX(r->calls.len, 1) * sizeof(*results));
	ch_status st = CH_OK;

	buf_init(&outcome, TURN_ROW_MAX);
	if (end->user)
		st = tr_claim(r->sess, r->event_id, &r->epoch, err);
	if (!st && end->user)
		st = turn_append(r, end->user, extras_role(r), err);
	if (!st && r->calls.len)
		st = turn_append_results(r, results, err);
	if (!st && end->row)
		st = turn_append(r, end->row, "assistant", err);
	if (st)
		return st;
	ev_outcome(r, end->state == INPUT_DONE, &outcome);
	st = buf_status(&outcome, err, "the outcome");
	if (!st)
		st = input_end(r->host->opts.sessions, r->session_key, r->run_id, end->state, buf_str(&outcome), end->error,
			       err);
	if (!st)
		st = queue_end_merged(r, end->state, end->error, err);   /* of a turn that failed to begin */
	if (st)
		return st;
	session_ended(r, end->session_status, end->error);
	if (end->state == INPUT_DONE)
		turn_route_settle(r);
	taint_apply(r);
	return sess_save(r->sess, err);
}

static ch_status settle(struct turn *t, const struct ending *end, struct ch_err *err)
{
	struct run *r = t->r;
	ch_status st;

	r->ended_at = now_wall_ms();
	st = db_begin(turn_db(r), err);
	if (st)
		return st;
	st = settle_rows(t, end, err);
	st = st ? turn_undo(r, st) : turn_commit(r, err);
	if (st)
		return st;
	if (!r->calls.len && end->row && r->desk->history)
		history_add(r->desk->history, end->row);
	r->calls.len = 0;        /* with results among them the history is read anew */
	return CH_OK;
}

static void log_lost(const struct run *r, const char *what, const struct ch_err *err)
{
	log_error("agent", "session=%s run=%s: %s could not be written: %s; the next start will mark it interrupted",
		  r->session_key, r->event_id, what, err->text);
}

static ch_status finish_done(struct turn *t, struct ch_err *err)
{
	struct run *r = t->r;
	struct tr_entry e;
	struct ending end = { .state = INPUT_DONE, .session_status = "done", .row = t->is_handed_out ? NULL : &e };
	ch_status st = CH_OK;

	r->stop_reason = model_stop_name(t->is_handed_out ? MODEL_STOP_TOOLS : r->result.stop);
	if (end.row) {
		turn_reply_entry(t, &e);
		st = buf_status(&t->row, err, "the reply");
	}
	if (!st)
		st = settle(t, &end, err);
	if (st)
		return st;
	if (end.row)
		ev_row(r, &e);
	ev_finishing(r);
	run_ended(r);
	ev_done(r);
	return CH_OK;
}

static void finish_aborted(struct turn *t)
{
	struct run *r = t->r;
	struct msg_own m = { .text = buf_str(&r->reply) + r->msg_start, .len = r->msg_end - r->msg_start,
			     .ts = now_wall_ms(), .abort_origin = r->abort_origin, .abort_run = r->event_id };
	struct tr_entry e = { .created_at = m.ts };
	struct ending end = { .state = INPUT_ABORTED, .session_status = "killed" };
	struct ch_err err;

	r->stop_reason = "aborted";
	dispatch_close(r, "Not finished: the user stopped this turn.");
	if (m.len) {
		e.idempotency_key = m.idempotency_key = arena_printf(r->arena, "%s:assistant", r->event_id);
		buf_clear(&t->row);
		msg_own(&t->row, &m);
		e.message = buf_str(&t->row);
		e.message_len = t->row.len;
		e.search_text = arena_strndup(r->arena, m.text, m.len);
		end.row = &e;
	}
	if (settle(t, &end, &err)) {
		log_lost(r, "the end of a stopped turn", &err);
		end.row = NULL;
	}
	run_ended(r);
	ev_abort_settled(r, end.row);
}

static void failed_row(struct turn *t, struct tr_entry *e)
{
	struct run *r = t->r;
	size_t n = r->msg_end - r->msg_start;
	char *key = arena_printf(r->arena, "%s:terminal-error", r->event_id), *text = r->failure.text;

	if (n)
		text = arena_printf(r->arena, "%.*s\n\n%s", (int)n, buf_str(&r->reply) + r->msg_start, r->failure.text);
	buf_clear(&t->row);
	msg_failed(&t->row, text, &r->result, key, now_wall_ms());
	*e = (struct tr_entry){ .message = buf_str(&t->row), .message_len = t->row.len, .idempotency_key = key,
				.created_at = now_wall_ms() };
}

/* user: its row, when that is not in the transcript yet. */
void turn_failed(struct turn *t, struct tr_entry *user)
{
	struct run *r = t->r;
	struct tr_entry e;
	struct ending end = { .state = INPUT_FAILED, .session_status = "failed", .error = r->failure.text, .user = user,
			      .row = &e };
	struct ch_err err;

	r->stop_reason = "error";
	log_warn("agent", "session=%s run=%s model=%s failed: %s", r->session_key, r->event_id,
		 r->entry.ref ? r->entry.ref : "-", log_quote(r->failure.text));
	dispatch_close(r, "Not finished: the turn failed.");
	turn_fill_result(r);
	failed_row(t, &e);
	if (settle(t, &end, &err)) {
		log_lost(r, "the end of a failed turn", &err);
		end.row = NULL;
	}
	queue_merged_done(r);
	run_ended(r);
	if (user && end.row)
		ev_row(r, user);
	ev_failed(r, end.row);
}

void turn_finish(struct turn *t, ch_status st)
{
	struct run *r = t->r;

	if (!st)
		st = finish_done(t, &r->failure);
	if (!st)
		return;
	if (r->abort_origin)
		finish_aborted(t);
	else
		turn_failed(t, NULL);
}
