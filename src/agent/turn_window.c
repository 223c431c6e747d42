/*
 * agent/turn_window.c - what of the conversation goes into one request.
 *
 * What does not fit is summarised first (agent/compact.h). Where that is switched off or fails, it is left out in
 * whole turns, the oldest first. When the provider finds a request too long all the same, it is summarised then; if
 * that does not help, less is sent, a few times.
 */
#include "agent/turn.h"

#include "agent/compact.h"
#include "agent/home.h"
#include "agent/prune.h"
#include "agent/run_events.h"
#include "core/clock.h"
#include "core/log.h"

#define SHRINKS_MAX 3                    /* retries with half the history when the provider finds it too long */
#define AGAIN_MS (10 * 60 * 1000)        /* after a summary failed: each attempt costs money */

int64_t window_tokens(const struct model_entry *m)
{
	int64_t window = m->context_window ? m->context_window : WINDOW_UNKNOWN;

	return window - CH_MIN(WINDOW_RESERVE, window / 4);
}

static int64_t history_budget(const struct run *r)
{
	return window_tokens(&r->entry) - r->prompt->tokens;
}

/* Once for a request, whatever comes of it. */
static ch_status summarise(struct turn *t, struct window *w, enum compact_reason reason, int64_t room, struct ch_err *err)
{
	struct desk *d = t->r->desk;
	ch_status st;

	w->is_compacted = true;
	st = turn_compact(t, reason, room, err);
	if (st && st != CH_E_NOT_FOUND && st != CH_E_CANCELED)
		d->compact_failed_ms = now_mono_ms();
	return st;
}

static bool is_due(const struct run *r, const struct window *w)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	const struct history *h = r->desk->history;
	struct compact_settings settings;

	compact_settings(host_config(r->host), r->agent_id, a, &settings);
	if (!settings.is_automatic)
		return false;
	if (r->desk->compact_failed_ms && now_mono_ms() - r->desk->compact_failed_ms < AGAIN_MS)
		return false;
	if (history_total(h) > w->budget)
		return true;
	return r->rounds == 1 && settings.max_bytes > 0 && history_message_bytes(h) >= settings.max_bytes;
}

ch_status window_open(struct turn *t, struct window *ret, struct ch_err *err)
{
	struct run *r = t->r;
	struct ch_err why;

	*ret = (struct window){ .budget = history_budget(r) };
	if (prune_if_due(r, &why))
		log_warn("agent", "session=%s run=%s: old tool results could not be pruned: %s; the turn goes on", r->session_key,
			 r->event_id, why.text);
	if (is_due(r, ret) && summarise(t, ret, COMPACT_THRESHOLD, ret->budget, &why) && r->abort_origin)
		return ch_fail(err, CH_E_CANCELED, "aborted");
	return CH_OK;            /* a failure was told; what does not fit is left out */
}

void window_view(const struct run *r, struct window *w, struct json *ret_view)
{
	history_view(r->desk->history, w->budget, ret_view, &w->dropped);
	if (w->dropped)
		log_info("agent", "session=%s run=%s: the context is full, the oldest %zu messages are left out of the request",
			 r->session_key, r->event_id, w->dropped);
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

/* The provider counts otherwise than we do: half of what we think is there must do. */
static ch_status make_room(struct turn *t, struct window *w, struct ch_err *err)
{
	int64_t sent = CH_MIN(history_total(t->r->desk->history), w->budget);

	return summarise(t, w, COMPACT_OVERFLOW, sent / 2, err);
}

ch_status window_shrink(struct turn *t, struct window *w, ch_status st, struct ch_err *err)
{
	struct run *r = t->r;
	struct ch_err why = *err, failed;

	if (!w->is_compacted && !make_room(t, w, &failed))
		return CH_OK;
	if (r->abort_origin)
		return ch_fail(err, CH_E_CANCELED, "aborted");
	if (w->shrinks++ == SHRINKS_MAX)
		return st;
	w->budget = smaller_budget(r, w->budget, w->dropped);
	if (w->budget > 0)
		return CH_OK;
	return ch_fail(err, st, "%.160s This message alone does not fit; /new starts a fresh conversation.", why.text);
}
