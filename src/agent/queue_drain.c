/*
 * agent/queue_drain.c - the waiting messages: too many of them, and those that are answered together.
 *
 * A message that is dropped to a line, or answered by another one's turn, stays "queued" in the
 * database until that turn has begun; it ends as absorbed in the same transaction.
 */
#include "agent/queue.h"

#include <string.h>

#include "agent/from.h"
#include "agent/messages.h"
#include "agent/note.h"
#include "agent/run_events.h"
#include "agent/wake.h"
#include "core/log.h"
#include "core/str.h"

#define LINE_BYTES_MAX 160                     /* bytes of a dropped message that its line keeps */
#define MERGED_MAX (4u << 20)            /* bytes of the text of a turn for several messages */

/* The first line of what was said, short. */
static const char *line_of(const struct run *r)
{
	const char *text = r->text + strspn(r->text, " \t\r\n");
	size_t all = strlen(text), n = strcspn(text, "\r\n");

	n = utf8_cut(text, n, LINE_BYTES_MAX);
	return arena_printf(r->arena, "%.*s%s", (int)n, text, n < all ? "…" : "");
}

/* -- too many -- */

static struct run *oldest(const struct desk *d)
{
	struct run *r = d->head;

	while (r && (!r->was_queued || r->command || r->origin))
		r = r->next;
	return r;
}

static ch_status drop_rows(struct run *r, const char *text, struct tr_entry *mark, struct ch_err *err)
{
	struct sess_store *store = r->host->opts.sessions;
	CH_AUTO(db_rollback) struct db *tx = NULL;
	ch_status st;

	st = db_begin(sess_store_db(store), err);
	if (st)
		return st;
	tx = sess_store_db(store);
	st = input_end(store, r->session_key, r->run_id, INPUT_CANCELED, NULL, "dropped: too many messages were waiting", err);
	if (!st)
		st = note_append(r, arena_printf(r->arena, "%s:dropped", r->run_id), text, mark, err);
	return st ? st : db_commit(CH_TAKE(tx), err);
}

/* Settled with a mark that a person sees; false: it could not be, and stays. */
static bool drop_for_good(struct run *r)
{
	CH_AUTO(run_unref) struct run *held = run_ref(r);
	const char *text = arena_printf(r->arena, "⚠️ Not answered, too many messages were waiting: \"%s\"", line_of(r));
	struct tr_entry mark;
	struct ch_err err;

	if (drop_rows(r, text, &mark, &err)) {
		log_warn("agent", "session=%s run=%s: a waiting message could not be dropped: %s; it stays", r->session_key,
			 r->run_id, err.text);
		return false;
	}
	run_ended(held);
	ev_cancelled(held, "dropped");
	ev_row(held, &mark);
	return true;
}

static void drop_to_a_line(struct desk *d, struct run *r)
{
	desk_remove(d, r);       /* its reference moves to the list */
	vec_push(&d->dropped, r);
	if (d->dropped.len > DESK_DROPPED_MAX)
		drop_for_good(d->dropped.at[0]);
}

void queue_make_room(struct desk *d, const struct queue_settings *q)
{
	struct run *r;

	while ((int64_t)d->queued >= q->cap && (r = oldest(d))) {
		if (q->drop == QUEUE_DROP_SUMMARIZE)
			drop_to_a_line(d, r);
		else if (!drop_for_good(r))
			return;
	}
}

/* -- together -- */

static bool goes_with(const struct run *r, const struct run *other)
{
	if (!from_is_same(r->from, other->from))
		return false;
	if (r->origin && other->origin)
		return str_eq(other->model, r->model) && str_eq(other->thinking, r->thinking);
	return !r->origin && !other->origin && other->was_queued && !other->command && other->mode == QUEUE_COLLECT && !other->has_attachments &&
	       !other->extras && str_eq(other->thread, r->thread) && str_eq(other->model, r->model) && str_eq(other->thinking, r->thinking) &&
	       str_eq(other->extra_system, r->extra_system) && run_overrides_equal(&other->over, &r->over);
}

/* Those of the same sender alone: others' words are not put into a message of theirs, and its answer is not told to others. */
static void put_dropped(struct desk *d, struct run *r, struct buf *out)
{
	size_t count = 0, left = 0;

	for (size_t i = 0; i < d->dropped.len; i++)
		count += from_is_same(r->from, d->dropped.at[i]->from);
	if (!count)
		return;
	buf_printf(out, "[%zu earlier message%s had to be dropped while you were busy. What they began with:\n", count,
		   count == 1 ? "" : "s");
	for (size_t i = 0; i < d->dropped.len; i++) {
		struct run *gone = d->dropped.at[i];

		if (!from_is_same(r->from, gone->from)) {
			d->dropped.at[left++] = gone;
			continue;
		}
		buf_printf(out, "- %s\n", line_of(gone));
		gone->desk = NULL;
		vec_push(&r->merged, gone);
	}
	buf_puts(out, "]\n\n");
	d->dropped.len = left;
}

static void put_collected(struct desk *d, struct run *r, struct buf *out)
{
	size_t n = 1;

	if ((r->mode != QUEUE_COLLECT && !r->origin) || r->has_attachments || r->extras || !d->head || !goes_with(r, d->head)) {
		buf_puts(out, r->text);
		return;
	}
	buf_printf(out, "[%s that came while you were busy]\n\n(1) %s", r->origin ? "Events" : "Messages", r->text);
	while (d->head && goes_with(r, d->head) && out->len + strlen(d->head->text) < MERGED_MAX) {
		struct run *next = d->head;

		desk_remove(d, next);
		next->desk = NULL;
		wake_merge(r, next);
		vec_push(&r->merged, next);
		buf_printf(out, "\n\n(%zu) %s", ++n, next->text);
	}
}

void queue_wake(struct desk *d)
{
	if (d->active || d->head || !d->dropped.len)
		return;
	/* Nothing is left that could carry their lines: the latest of them is answered itself. */
	d->head = d->tail = vec_pop(&d->dropped);
	d->queued = 1;
}

void queue_fill(struct desk *d, struct run *r)
{
	CH_AUTO_BUF struct buf text = { 0 };

	buf_init(&text, TR_MESSAGE_MAX);
	put_dropped(d, r, &text);
	put_collected(d, r, &text);
	if (!r->merged.len)
		return;
	r->text = arena_strndup(r->arena, buf_str(&text), text.len);
	r->message = msg_with_text(r->arena, r->message, r->text);
}

const char *run_absorbed_outcome(const struct run *r)
{
	struct json *o = json_new_obj(r->arena);

	json_set(r->arena, o, "absorbedBy", json_new_str(r->arena, r->run_id));
	return json_to_str(r->arena, o);
}

ch_status queue_end_merged(struct run *r, enum input_state state, const char *error, struct ch_err *err)
{
	const char *outcome = state == INPUT_ABSORBED ? run_absorbed_outcome(r) : NULL;

	for (size_t i = 0; i < r->merged.len; i++) {
		const struct run *m = r->merged.at[i];
		ch_status st = input_end(r->host->opts.sessions, m->session_key, m->run_id, state, outcome, error, err);

		if (st)
			return st;
	}
	return CH_OK;
}

void queue_merged_done(struct run *r)
{
	for (size_t i = 0; i < r->merged.len; i++) {
		run_ended(r->merged.at[i]);
		ev_queued(r->merged.at[i]);
		run_unref(r->merged.at[i]);
	}
	r->merged.len = 0;
}
