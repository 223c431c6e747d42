/*
 * agent/note.c - a line of the gateway's own in a conversation, outside the model's context.
 */
#include "agent/note.h"

#include <string.h>

#include "agent/history.h"
#include "agent/host.h"
#include "agent/messages.h"
#include "core/clock.h"

static ch_status write_note(struct arena *a, const char *key, const char *text, struct tr_entry *ret, struct ch_err *err)
{
	struct msg_own m = { .text = text, .len = strlen(text), .ts = now_wall_ms(), .idempotency_key = key,
			     .is_context_free = true };
	CH_AUTO_BUF struct buf row = { 0 };
	ch_status st;

	buf_init(&row, TR_MESSAGE_MAX);
	msg_own(&row, &m);
	st = buf_status(&row, err, "a note");
	if (st)
		return st;
	*ret = (struct tr_entry){ .type = "message", .role = "assistant", .idempotency_key = key,
				  .message = arena_strndup(a, row.data, row.len), .message_len = row.len,
				  .meta = "{\"contextFreeCommand\":true}", .created_at = m.ts };
	return CH_OK;
}

ch_status note_append(struct run *r, const char *key, const char *text, struct tr_entry *ret, struct ch_err *err)
{
	ch_status st = write_note(r->arena, key, text, ret, err);

	return st ? st : tr_append(r->sess, NULL, 0, ret, r->arena, err);
}

ch_status agent_note(struct agent_host *h, const char *session_key, const char *text, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	CH_AUTO(sess_unref) struct sess *s = NULL;
	const struct desk *d;
	struct tr_entry e;
	ch_status st = sess_find(h->opts.sessions, session_key, &s, err);

	if (!st)
		st = write_note(a, NULL, text, &e, err);
	if (!st)
		st = tr_append(s, NULL, 0, &e, a, err);
	if (st)
		return st;
	d = desk_find(h, session_key);
	if (d && d->history)
		history_add(d->history, &e);
	if (h->opts.ops.on_event)
		h->opts.ops.on_event(h->opts.ops.arg, &(struct run_event){
			.kind = RUN_EV_ROW, .session_key = s->key, .session_id = s->session_id, .agent_id = s->agent_id,
			.sess = s, .ts = e.created_at, .entry = &e });
	return CH_OK;
}
