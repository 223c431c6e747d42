/*
 * agent/turn_window.c - what of the conversation goes into one request.
 *
 * What does not fit is left out in whole turns, the oldest first. When the provider finds a request too long all
 * the same, less is sent, a few times.
 */
#include "agent/turn.h"

#include "agent/history.h"
#include "agent/home.h"
#include "core/log.h"

#define RESERVE_TOKENS 20000             /* of the context window, for the reply; a quarter at most */
#define WINDOW_UNKNOWN 128000
#define SHRINKS_MAX 3                    /* retries with half the history when the provider finds it too long */

static int64_t history_budget(const struct run *r)
{
	int64_t window = r->entry.context_window ? r->entry.context_window : WINDOW_UNKNOWN;

	return window - CH_MIN(RESERVE_TOKENS, window / 4) - r->prompt->tokens;
}

void window_open(const struct run *r, struct window *ret)
{
	*ret = (struct window){ .budget = history_budget(r) };
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

ch_status window_shrink(const struct run *r, struct window *w, ch_status st, struct ch_err *err)
{
	struct ch_err why = *err;

	if (w->shrinks++ == SHRINKS_MAX)
		return st;
	w->budget = smaller_budget(r, w->budget, w->dropped);
	if (w->budget > 0)
		return CH_OK;
	return ch_fail(err, st, "%.160s This message alone does not fit; /new starts a fresh conversation.", why.text);
}
