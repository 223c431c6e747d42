/*
 * agent/turn_compact.c - summarising in the middle of a turn: told to clients, and to the user when it failed.
 *
 *	start   agent compaction start
 *	end     agent compaction end; session compact when it is done, a message of ours when it failed
 */
#include "agent/turn.h"

#include <string.h>

#include "agent/home.h"
#include "agent/messages.h"
#include "agent/run_events.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/rand.h"

/* A message that the user sees and the model does not. */
static void note(struct turn *t, const char *text)
{
	struct run *r = t->r;
	struct msg_own m = { .text = text, .len = strlen(text), .ts = now_wall_ms(), .is_context_free = true };
	struct tr_entry e = { .created_at = m.ts };
	struct ch_err err;
	ch_status st;

	buf_clear(&t->row);
	msg_own(&t->row, &m);
	e.message = buf_str(&t->row);
	e.message_len = t->row.len;
	st = turn_append(r, &e, "assistant", &err);
	if (st) {
		log_warn("agent", "session=%s run=%s: a notice could not be written: %s; the turn goes on", r->session_key,
			 r->event_id, err.text);
		return;
	}
	history_add(r->desk->history, &e);
	ev_row(r, &e);
}

static void tell_failure(struct turn *t, const struct ch_err *why)
{
	struct run *r = t->r;

	log_warn("agent", "session=%s run=%s: the summary failed: %s; the oldest messages are left out instead",
		 r->session_key, r->event_id, log_quote(why->text));
	note(t, arena_printf(r->arena, "⚠️ The older part of this conversation could not be summarised: %s. Nothing is lost: it "
			     "stays in the transcript, but the oldest messages do not reach the model for now. `/compact` tries "
			     "again.", why->text));
}

static void tell_done(struct turn *t, const struct compact_done *done, const struct compact_settings *settings)
{
	struct run *r = t->r;

	ev_compacted(r);
	if (settings->tells_user)
		note(t, arena_printf(r->arena, "🧹 The older part of this conversation is summarised (%lld → %lld tokens).",
				     (long long)done->tokens_before, (long long)done->tokens_after));
}

ch_status turn_compact(struct turn *t, enum compact_reason reason, int64_t room, struct ch_err *err)
{
	struct run *r = t->r;
	struct compact_settings settings;
	struct compact_done done;
	char *id = arena_alloc(r->arena, UUID_LEN);
	struct compact_ask ask = { .sess = r->sess, .history = r->desk->history, .model = &r->entry,
				   .run_id = r->event_id, .epoch = r->epoch, .entry_id = id, .reason = reason,
				   .overhead_tokens = r->prompt->tokens, .room_tokens = CH_MAX(room, 1) };
	ch_status st;

	compact_settings(host_config(r->host), r->agent_id, r->arena, &settings);
	rand_uuid(id);
	ev_compaction_start(r, id);
	st = compact(r->host, &ask, r->arena, &done, err);
	if (r->abort_origin) {
		ev_compaction_end(r, id, "aborted", NULL, false);
		return st ? st : ch_fail(err, CH_E_CANCELED, "aborted");
	}
	if (st) {
		ev_compaction_end(r, id, "failed", err->text, false);
		tell_failure(t, err);
		return st;
	}
	if (done.why_not) {
		ev_compaction_end(r, id, "skipped", done.why_not, false);
		return ch_fail(err, CH_E_NOT_FOUND, "%s", done.why_not);
	}
	ev_compaction_end(r, id, "completed", NULL, reason == COMPACT_OVERFLOW);
	tell_done(t, &done, &settings);
	return CH_OK;
}
