/*
 * agent/turn_rows.c - what a turn writes: the user's row, replies, tool results, steered messages.
 */
#include "agent/turn.h"

#include <string.h>

#include "agent/history.h"
#include "agent/messages.h"
#include "agent/queue.h"
#include "agent/run_events.h"
#include "agent/taint.h"
#include "agent/tool_journal.h"
#include "core/clock.h"
#include "core/str.h"

#define PREVIEW_BYTES 160

struct db *turn_db(const struct run *r)
{
	return sess_store_db(r->host->opts.sessions);
}

/* A row of ours, written in the open transaction. */
ch_status turn_append(struct run *r, struct tr_entry *e, const char *role, struct ch_err *err)
{
	e->type = "message";
	e->role = role;
	e->run_id = r->event_id;
	return tr_append(r->sess, r->event_id, r->epoch, e, r->round, err);
}

/* -- begin -- */

static void session_started(struct run *r)
{
	struct sess *s = r->sess;
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	size_t n = r->origin && r->origin->is_hidden ? 0 : strlen(r->text);

	sess_set_str(s, &s->status, "running");
	sess_set_str(s, &s->last_run_id, NULL);
	sess_set_str(s, &s->last_run_error, NULL);
	s->started_at = r->started_at;
	s->ended_at = 0;
	s->runtime_ms = 0;
	s->aborted_last_run = 0;
	s->system_sent = 1;
	if (!r->origin)
		s->last_interaction_at = r->accepted_at;
	s->updated_at = r->started_at;
	if (!s->session_started_at)
		s->session_started_at = r->started_at;
	if (str_empty(s->derived_title) && n)
		sess_set_str(s, &s->derived_title, msg_title(a, r->text));
	if (n)
		sess_set_str(s, &s->last_preview, arena_strndup(a, r->text, utf8_cut(r->text, n, PREVIEW_BYTES)));
	if (!r->entry.provider)
		return;
	sess_set_str(s, &s->active_provider, r->entry.provider);
	sess_set_str(s, &s->active_model, r->entry.id);
	s->context_tokens = r->entry.context_window;
	if (s->model_override_source)
		return;
	sess_set_str(s, &s->model_provider, turn_chosen(r)->provider);
	sess_set_str(s, &s->model, turn_chosen(r)->id);
}

static ch_status begin_rows(struct run *r, struct tr_entry *user, struct ch_err *err)
{
	ch_status st;

	st = tr_claim(r->sess, r->event_id, &r->epoch, err);
	if (!st)
		st = extras_append_history(r, err);
	if (!st)
		st = turn_append(r, user, extras_role(r), err);
	if (!st)
		st = input_start(r->host->opts.sessions, r->session_key, r->run_id, err);
	if (!st)
		st = queue_end_merged(r, INPUT_ABSORBED, NULL, err);
	if (st)
		return st;
	session_started(r);
	taint_input(r, r);
	for (size_t i = 0; i < r->merged.len; i++)
		taint_input(r, r->merged.at[i]);
	taint_apply(r);
	return sess_save(r->sess, err);
}

void turn_user_entry(const struct run *r, struct tr_entry *e)
{
	*e = (struct tr_entry){
		.idempotency_key = arena_printf(r->arena, "%s:user", r->run_id),
		.message = r->message, .message_len = strlen(r->message), .meta = r->meta,
		.search_text = r->text, .created_at = now_wall_ms(),
	};
}

/* The live session as the database has it; the caller's error says what is wrong there. */
static ch_status put_right(struct run *r, ch_status st)
{
	(void)!sess_reload(r->sess, NULL);
	return st;
}

/* The open transaction leaves no trace. */
ch_status turn_undo(struct run *r, ch_status st)
{
	db_rollback(turn_db(r));
	return put_right(r, st);
}

ch_status turn_commit(struct run *r, struct ch_err *err)
{
	ch_status st = db_commit(turn_db(r), err);

	return st ? put_right(r, st) : CH_OK;    /* a commit that failed has rolled back */
}

ch_status turn_begin(struct run *r, struct tr_entry *user, struct ch_err *err)
{
	ch_status st;

	turn_user_entry(r, user);
	st = db_begin(turn_db(r), err);
	if (st)
		return st;
	st = begin_rows(r, user, err);
	st = st ? turn_undo(r, st) : turn_commit(r, err);
	if (!st)
		queue_merged_done(r);
	return st;
}

/* -- rows of a round -- */

void turn_reply_entry(struct turn *t, struct tr_entry *e)
{
	struct run *r = t->r;

	buf_clear(&t->row);
	msg_assistant(&t->row, buf_str(&t->stream.content), t->stream.content.len, &r->result, t->stream.started_at);
	*e = (struct tr_entry){
		.message = buf_str(&t->row), .message_len = t->row.len, .created_at = now_wall_ms(),
		.search_text = r->msg_end > r->msg_start
			? arena_strndup(r->round, buf_str(&r->reply) + r->msg_start, r->msg_end - r->msg_start) : NULL,
	};
}

/* A reply whose calls act: on disk, with them, before the first of them runs. */
static ch_status append_acting(struct run *r, struct tr_entry *e, struct ch_err *err)
{
	ch_status st = db_begin_durable(turn_db(r), err);

	if (st)
		return st;
	st = turn_append(r, e, "assistant", err);
	if (!st)
		st = journal_begin(r, err);
	return st ? turn_undo(r, st) : turn_commit(r, err);
}

ch_status turn_commit_reply(struct turn *t, struct ch_err *err)
{
	struct run *r = t->r;
	struct tr_entry e;
	ch_status st;

	turn_reply_entry(t, &e);
	st = buf_status(&t->row, err, "the reply");
	if (!st)
		st = journal_is_due(r) ? append_acting(r, &e, err) : turn_append(r, &e, "assistant", err);
	if (st)
		return st;
	history_add(r->desk->history, &e);
	ev_row(r, &e);
	return CH_OK;
}

/* In the open transaction; e is filled for the history, which follows after the commit. */
ch_status turn_append_results(struct run *r, struct tr_entry *entries, struct ch_err *err)
{
	CH_AUTO_BUF struct buf row = { 0 };
	ch_status st = CH_OK;

	buf_init(&row, TURN_ROW_MAX);
	for (size_t i = 0; i < r->calls.len && !st; i++) {
		const struct run_call *call = &r->calls.at[i];

		buf_clear(&row);
		msg_tool_result(&row, call, call->content, call->is_error, now_wall_ms());
		st = buf_status(&row, err, "a tool's result");
		if (st)
			break;
		entries[i] = (struct tr_entry){ .message = arena_strndup(r->round, row.data, row.len),
						.message_len = row.len, .created_at = now_wall_ms(),
						.meta = call->outside ? taint_meta(r->round, "tool", call->outside) : NULL };
		st = turn_append(r, &entries[i], "toolResult", err);
	}
	return st ? st : journal_clear(r, err);
}

static void results_done(struct run *r, const struct tr_entry *entries)
{
	for (size_t i = 0; i < r->calls.len; i++)
		history_add(r->desk->history, &entries[i]);
	r->calls.len = 0;
}

ch_status turn_commit_results(struct run *r, struct ch_err *err)
{
	struct tr_entry *entries = arena_alloc(r->round, CH_MAX(r->calls.len, 1) * sizeof(*entries));
	ch_status st;

	st = db_begin(turn_db(r), err);
	if (st)
		return st;
	st = turn_append_results(r, entries, err);
	if (!st && taint_apply(r))
		st = sess_save(r->sess, err);
	st = st ? turn_undo(r, st) : turn_commit(r, err);
	if (!st)
		results_done(r, entries);
	return st;
}

/* -- steering -- */

static ch_status absorb_one(struct run *r, struct run *s, struct ch_err *err)
{
	struct tr_entry e;
	struct json *meta;
	ch_status st;

	st = json_parse(s->arena, s->meta, strlen(s->meta), JSON_STRICT, &meta, err);
	if (st)
		return st;
	json_set(s->arena, meta, "steerTargetRunId", json_new_str(s->arena, r->event_id));
	queue_fill(r->desk, s);
	turn_user_entry(s, &e);
	e.meta = json_to_str(s->arena, meta);
	st = db_begin(turn_db(r), err);
	if (st)
		return st;
	taint_input(r, s);
	for (size_t i = 0; i < s->merged.len; i++)
		taint_input(r, s->merged.at[i]);
	st = turn_append(r, &e, "user", err);
	if (!st && taint_apply(r))
		st = sess_save(r->sess, err);
	if (!st)
		st = input_end(r->host->opts.sessions, s->session_key, s->run_id, INPUT_ABSORBED, run_absorbed_outcome(r), NULL,
			       err);
	if (!st)
		st = queue_end_merged(s, INPUT_ABSORBED, NULL, err);
	st = st ? turn_undo(r, st) : turn_commit(r, err);
	if (st)
		return st;
	history_add(r->desk->history, &e);
	queue_merged_done(s);
	run_ended(s);
	ev_absorbed(s, r, &e);
	return CH_OK;
}

ch_status turn_absorb(struct run *r, struct ch_err *err)
{
	struct run *s;

	while ((s = desk_take_steered(r->desk))) {
		ch_status st = absorb_one(r, s, err);

		if (st)
			desk_push(r->desk, s, true);
		run_unref(s);
		if (st)
			return st;
	}
	return CH_OK;
}
