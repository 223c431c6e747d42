/*
 * agent/turn.c - one turn: claim, ask the model, run its tools, again until it answers, settle.
 *
 * Commits are few and each stands for itself:
 *	begin   the user's row, the lease, the input's state, the session's row
 *	round   a reply that calls tools, before they run; then their results
 *	end     the last reply, the input's end, the session's row
 * A failed commit leaves nothing of its step; clients are told only of what is committed.
 */
#include <string.h>

#include "agent/dispatch.h"
#include "agent/history.h"
#include "agent/home.h"
#include "agent/messages.h"
#include "agent/run_events.h"
#include "agent/stream.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/rand.h"
#include "core/str.h"

#define ROW_MAX (TR_MESSAGE_MAX + (1u << 20))
#define PREVIEW_BYTES 160
#define RESERVE_TOKENS 20000             /* of the context window, for the reply; a quarter at most */
#define WINDOW_UNKNOWN 128000
#define SHRINKS_MAX 3                    /* retries with half the history when the provider finds it too long */

struct turn {
	struct run *r;
	struct stream stream;
	struct buf volatile_prompt;
	struct buf row;                  /* JSON of the row at hand */
};

static struct db *db_of(const struct run *r)
{
	return sess_store_db(r->host->opts.sessions);
}

/* A row of ours, written in the open transaction. */
static ch_status append(struct run *r, struct tr_entry *e, const char *role, struct ch_err *err)
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
	size_t n = strlen(r->text);

	sess_set_str(s, &s->status, "running");
	sess_set_str(s, &s->last_run_id, NULL);
	sess_set_str(s, &s->last_run_error, NULL);
	s->started_at = r->started_at;
	s->ended_at = 0;
	s->runtime_ms = 0;
	s->aborted_last_run = 0;
	s->system_sent = 1;
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
	sess_set_str(s, &s->model_provider, r->entry.provider);
	sess_set_str(s, &s->model, r->entry.id);
}

static ch_status begin_rows(struct run *r, struct tr_entry *user, struct ch_err *err)
{
	ch_status st;

	st = tr_claim(r->sess, r->event_id, &r->epoch, err);
	if (!st)
		st = append(r, user, "user", err);
	if (!st)
		st = input_start(r->host->opts.sessions, r->session_key, r->run_id, err);
	if (st)
		return st;
	session_started(r);
	return sess_save(r->sess, err);
}

static void user_entry(const struct run *r, struct tr_entry *e)
{
	*e = (struct tr_entry){
		.idempotency_key = arena_printf(r->arena, "%s:user", r->run_id),
		.message = r->message, .message_len = strlen(r->message), .meta = r->meta,
		.search_text = r->text, .created_at = now_wall_ms(),
	};
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

/* The live session as the database has it; the caller's error says what is wrong there. */
static ch_status put_right(struct run *r, ch_status st)
{
	(void)!sess_reload(r->sess, NULL);
	return st;
}

/* The open transaction leaves no trace. */
static ch_status undo(struct run *r, ch_status st)
{
	db_rollback(db_of(r));
	return put_right(r, st);
}

static ch_status commit(struct run *r, struct ch_err *err)
{
	ch_status st = db_commit(db_of(r), err);

	return st ? put_right(r, st) : CH_OK;    /* a commit that failed has rolled back */
}

static ch_status begin(struct run *r, struct tr_entry *user, struct ch_err *err)
{
	ch_status st;

	user_entry(r, user);
	st = db_begin(db_of(r), err);
	if (st)
		return st;
	st = begin_rows(r, user, err);
	return st ? undo(r, st) : commit(r, err);
}

/* -- asking the model -- */

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

static int64_t history_budget(const struct run *r)
{
	int64_t window = r->entry.context_window ? r->entry.context_window : WINDOW_UNKNOWN;

	return window - CH_MIN(RESERVE_TOKENS, window / 4) - r->prompt->tokens;
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
static void fill_result(struct run *r)
{
	struct model_result *res = &r->result;

	if (!res->provider[0])
		snprintf(res->provider, sizeof(res->provider), "%s", r->entry.provider);
	if (!res->model[0])
		snprintf(res->model, sizeof(res->model), "%s", r->entry.id);
	if (!res->api[0])
		snprintf(res->api, sizeof(res->api), "%s", r->entry.api ? r->entry.api : "");
}

static ch_status ask_once(struct turn *t, int64_t budget, size_t *ret_dropped, struct ch_err *err)
{
	struct run *r = t->r;
	struct agent_host *h = r->host;
	struct model_call call = {
		.ref = r->entry.ref, .system_stable = r->prompt->text, .system_volatile = buf_str(&t->volatile_prompt),
		.tools = r->prompt->tools, .tool_count = r->prompt->tool_count, .thinking = thinking_of(r),
		.reason = MODEL_FOR_TURN, .agent_id = r->agent_id, .session_key = r->session_key, .run_id = r->event_id,
	};
	struct json view;
	ch_status st;

	history_view(r->desk->history, budget, &view, ret_dropped);
	if (*ret_dropped)
		log_info("agent", "session=%s run=%s: the context is full, the oldest %zu messages are left out of the request",
			 r->session_key, r->event_id, *ret_dropped);
	call.messages = &view;
	r->result = (struct model_result){ 0 };
	arena_clear(r->round);
	stream_begin(&t->stream);
	ev_model(r);
	st = h->model_ops.stream(h->model_ops.arg, &call, stream_event, &t->stream, &r->result, err);
	r->resume_ms = 0;
	fill_result(r);
	count_usage(r);
	return st;
}

/* A budget that leaves out more than before; 0: the last turn alone is too long, asking again would not help. */
static int64_t smaller_budget(const struct run *r, int64_t budget, size_t dropped)
{
	struct json view;
	size_t now;

	do {
		budget /= 2;
		history_view(r->desk->history, budget, &view, &now);
	} while (budget > 0 && now == dropped);
	return budget;
}

static ch_status ask(struct turn *t, struct ch_err *err)
{
	struct run *r = t->r;
	int64_t budget = history_budget(r);
	size_t dropped;
	ch_status st;

	for (int i = 0; ; i++) {
		st = ask_once(t, budget, &dropped, err);
		if (r->abort_origin)
			return ch_fail(err, CH_E_CANCELED, "aborted");
		if (!st)
			break;
		if (t->stream.block.failed || r->reply.failed)
			return stream_finish(&t->stream, err);
		r->failure_class = r->result.error_class;
		if (r->result.error_class != MODEL_ERR_CONTEXT || i == SHRINKS_MAX || r->msg_end > r->msg_start)
			return st;
		budget = smaller_budget(r, budget, dropped);
		if (budget <= 0)
			return st;
	}
	r->failure_class = MODEL_ERR_NONE;
	st = stream_finish(&t->stream, err);
	if (!st)
		ev_usage(r);
	return st;
}

/* -- rows of a round -- */

static void reply_entry(struct turn *t, struct tr_entry *e)
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

static ch_status commit_reply(struct turn *t, struct ch_err *err)
{
	struct run *r = t->r;
	struct tr_entry e;
	ch_status st;

	reply_entry(t, &e);
	st = buf_status(&t->row, err, "the reply");
	if (!st)
		st = append(r, &e, "assistant", err);
	if (st)
		return st;
	history_add(r->desk->history, &e);
	ev_row(r, &e);
	return CH_OK;
}

/* In the open transaction; e is filled for the history, which follows after the commit. */
static ch_status append_results(struct run *r, struct tr_entry *entries, struct ch_err *err)
{
	CH_AUTO_BUF struct buf row;
	ch_status st = CH_OK;

	buf_init(&row, ROW_MAX);
	for (size_t i = 0; i < r->calls.len && !st; i++) {
		const struct run_call *call = &r->calls.at[i];

		buf_clear(&row);
		msg_tool_result(&row, call, call->content, call->is_error, now_wall_ms());
		st = buf_status(&row, err, "a tool's result");
		if (st)
			break;
		entries[i] = (struct tr_entry){ .message = arena_strndup(r->round, row.data, row.len),
						.message_len = row.len, .created_at = now_wall_ms() };
		st = append(r, &entries[i], "toolResult", err);
	}
	return st;
}

static void results_done(struct run *r, const struct tr_entry *entries)
{
	for (size_t i = 0; i < r->calls.len; i++)
		history_add(r->desk->history, &entries[i]);
	r->calls.len = 0;
}

static ch_status commit_results(struct run *r, struct ch_err *err)
{
	struct tr_entry *entries = arena_alloc(r->round, CH_MAX(r->calls.len, 1) * sizeof(*entries));
	ch_status st;

	st = db_begin(db_of(r), err);
	if (st)
		return st;
	st = append_results(r, entries, err);
	st = st ? undo(r, st) : commit(r, err);
	if (!st)
		results_done(r, entries);
	return st;
}

/* -- steering -- */

static ch_status absorb_one(struct run *r, struct run *s, struct ch_err *err)
{
	struct tr_entry e;
	ch_status st;

	user_entry(s, &e);
	e.meta = arena_printf(s->arena, "%.*s,\"steerTargetRunId\":\"%s\"}", (int)strlen(s->meta) - 1, s->meta, r->event_id);
	st = db_begin(db_of(r), err);
	if (st)
		return st;
	st = append(r, &e, "user", err);
	if (!st)
		st = input_end(r->host->opts.sessions, s->session_key, s->run_id, INPUT_ABSORBED, NULL, NULL, err);
	st = st ? undo(r, st) : commit(r, err);
	if (st)
		return st;
	history_add(r->desk->history, &e);
	run_ended(s);
	ev_absorbed(s, r, &e);
	return CH_OK;
}

static ch_status absorb(struct run *r, struct ch_err *err)
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

/* -- the rounds -- */

/* One model request and what follows from it. *ret_done: the reply at hand is the last one, not yet committed. */
static ch_status round_of(struct turn *t, bool *ret_done, struct ch_err *err)
{
	struct run *r = t->r;
	ch_status st;

	*ret_done = false;
	st = ask(t, err);
	if (st) {
		r->calls.len = 0;        /* of a reply that is not in the transcript */
		return st;
	}
	if (!r->calls.len && r->result.stop != MODEL_STOP_PAUSE && !desk_has_steered(r->desk)) {
		*ret_done = true;
		return CH_OK;
	}
	st = commit_reply(t, err);
	if (st)
		r->calls.len = 0;
	if (!st && r->calls.len) {
		st = dispatch_calls(r, err);
		if (!st)
			st = commit_results(r, err);
	}
	if (!st && r->abort_origin)
		st = ch_fail(err, CH_E_CANCELED, "aborted");
	if (!st)
		st = absorb(r, err);
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

/* -- settling -- */

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
	CH_AUTO_BUF struct buf outcome;
	struct tr_entry *results = arena_alloc(r->round, CH_MAX(r->calls.len, 1) * sizeof(*results));
	ch_status st = CH_OK;

	buf_init(&outcome, ROW_MAX);
	if (end->user)
		st = tr_claim(r->sess, r->event_id, &r->epoch, err);
	if (!st && end->user)
		st = append(r, end->user, "user", err);
	if (!st && r->calls.len)
		st = append_results(r, results, err);
	if (!st && end->row)
		st = append(r, end->row, "assistant", err);
	if (st)
		return st;
	ev_outcome(r, end->state == INPUT_DONE, &outcome);
	st = buf_status(&outcome, err, "the outcome");
	if (!st)
		st = input_end(r->host->opts.sessions, r->session_key, r->run_id, end->state, buf_str(&outcome), end->error,
			       err);
	if (st)
		return st;
	session_ended(r, end->session_status, end->error);
	return sess_save(r->sess, err);
}

static ch_status settle(struct turn *t, const struct ending *end, struct ch_err *err)
{
	struct run *r = t->r;
	ch_status st;

	r->ended_at = now_wall_ms();
	st = db_begin(db_of(r), err);
	if (st)
		return st;
	st = settle_rows(t, end, err);
	st = st ? undo(r, st) : commit(r, err);
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
	struct ending end = { .state = INPUT_DONE, .session_status = "done", .row = &e };
	ch_status st;

	r->stop_reason = model_stop_name(r->result.stop);
	reply_entry(t, &e);
	st = buf_status(&t->row, err, "the reply");
	if (!st)
		st = settle(t, &end, err);
	if (st)
		return st;
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
static void finish_failed(struct turn *t, struct tr_entry *user)
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
	fill_result(r);
	failed_row(t, &e);
	if (settle(t, &end, &err)) {
		log_lost(r, "the end of a failed turn", &err);
		end.row = NULL;
	}
	run_ended(r);
	if (user && end.row)
		ev_row(r, user);
	ev_failed(r, end.row);
}

static void finish(struct turn *t, ch_status st)
{
	struct run *r = t->r;

	if (!st)
		st = finish_done(t, &r->failure);
	if (!st)
		return;
	if (r->abort_origin)
		finish_aborted(t);
	else
		finish_failed(t, NULL);
}

/* -- the turn -- */

/* What the turn needs besides the transcript. A failure is told after the user's row is in. */
static ch_status prepare(struct run *r, struct ch_err *err)
{
	struct agent_host *h = r->host;
	const char *wanted = r->model, *source;
	ch_status st;

	if (!wanted && r->sess->model_override_source && r->sess->model_provider && r->sess->model)
		wanted = arena_printf(r->arena, "%s/%s", r->sess->model_provider, r->sess->model);
	st = h->model_ops.resolve(h->model_ops.arg, wanted, r->agent_id, r->arena, &r->entry, &source, err);
	if (st) {
		r->entry = (struct model_entry){ 0 };
		return st;
	}
	r->ref = r->entry.ref;
	return home_open(h, r->agent_id, &r->home, err);
}

/* Are the workspace's files part of this turn's prompt? */
static bool wants_files(const struct run *r)
{
	const char *when = home_setting_str(host_config(r->host), r->agent_id, "contextInjection");

	if (str_eq(when, "never"))
		return false;
	return !str_eq(when, "continuation-skip") || !history_has_reply(r->desk->history);
}

/* History and prompt: what the first request is made of. */
static ch_status gather(struct turn *t, const struct tr_entry *user, struct ch_err *err)
{
	struct run *r = t->r;
	ch_status st;

	st = history_follow(r, user, err);
	if (!st)
		st = home_prompt(r->host, r->home, wants_files(r), &r->prompt, err);
	if (st)
		return st;
	prompt_volatile(&t->volatile_prompt, r);
	return buf_status(&t->volatile_prompt, err, "the system prompt");
}

static void set_deadline(struct run *r)
{
	int64_t ms = r->timeout_ms;

	if (!ms)
		ms = home_setting(host_config(r->host), r->agent_id, "timeoutSeconds", 0) * 1000;
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
	st = begin(r, &user, &err);
	if (st) {
		r->failure = err;
		user_entry(r, &user);
		finish_failed(t, &user);
		return;
	}
	ev_started(r, &user);
	set_deadline(r);
	st = ready ? ready : gather(t, &user, &r->failure);
	if (!st)
		st = rounds(t, &r->failure);
	finish(t, st);
}

void run_turn(struct run *r)
{
	struct turn t = { .r = r };

	buf_init(&t.volatile_prompt, 1u << 20);
	buf_init(&t.row, ROW_MAX);
	stream_init(&t.stream, r);
	turn_in(&t);
	stream_done(&t.stream);
	buf_done(&t.row);
	buf_done(&t.volatile_prompt);
}
