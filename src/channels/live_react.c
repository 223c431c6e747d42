/*
 * channels/live_react.c - one reaction on the message that is answered: first that it was seen, then, if wanted, how the turn goes.
 *
 *	queued -> thinking <-> tool -> compacting -> done | error -> queued, or nothing (messages.removeAckAfterReply)
 *	           stallSoft, stallHard when nothing happens
 */
#include "channels/live_priv.h"

#include <string.h>

#include "channels/egress.h"
#include "core/clock.h"
#include "core/str.h"

#define DEBOUNCE_MS 700                  /* a state that does not last is not shown */
#define STALL_SOFT_MS 10000
#define STALL_HARD_MS 30000
#define DONE_HOLD_MS 1500
#define ERROR_HOLD_MS 2500

void live_react_status(struct live_state *t, enum live_status s)
{
	if (s == t->status)
		return;
	t->status = s;
	t->status_at = now_mono_ms() + DEBOUNCE_MS;
}

static int64_t hold_ms(const struct live_state *t)
{
	if (!t->cfg.has_status || (t->cfg.shows_errors_only && !t->is_error))
		return 0;
	return t->is_error ? ERROR_HOLD_MS : DONE_HOLD_MS;
}

static const char *at_end(const struct live_state *t, int64_t now)
{
	if (now < t->over_at + hold_ms(t))
		return t->cfg.status[t->is_error ? LIVE_ERROR : LIVE_DONE];
	return t->cfg.removes_ack ? "" : t->cfg.status[LIVE_QUEUED];
}

/* What should be seen on the message now. */
static const char *wanted(const struct live_state *t, int64_t now)
{
	if (!*t->cfg.ack || t->live->is_draining)
		return t->shown;
	if (!t->cfg.has_status)
		return t->is_over && t->cfg.removes_ack ? "" : t->cfg.ack;
	if (t->is_over)
		return at_end(t, now);
	if (t->cfg.shows_errors_only || !t->has_acked)
		return t->cfg.status[LIVE_QUEUED];
	if (now >= t->activity_at + STALL_HARD_MS)
		return t->cfg.status[LIVE_STALL_HARD];
	if (now >= t->activity_at + STALL_SOFT_MS)
		return t->cfg.status[LIVE_STALL_SOFT];
	return now < t->status_at ? t->shown : t->cfg.status[t->status];
}

static int64_t sooner(int64_t due, int64_t at, int64_t now)
{
	return at > now ? CH_MIN(due, at) : due;
}

int64_t live_react_due(const struct live_state *t)
{
	int64_t now = now_mono_ms(), due = LIVE_NEVER;

	if (!str_eq(wanted(t, now), t->shown))
		return now;
	if (!*t->cfg.ack || !t->cfg.has_status || t->live->is_draining)
		return LIVE_NEVER;
	if (t->is_over)
		return sooner(due, t->over_at + hold_ms(t), now);
	if (t->cfg.shows_errors_only)
		return LIVE_NEVER;
	due = sooner(due, t->status_at, now);
	due = sooner(due, t->activity_at + STALL_SOFT_MS, now);
	return sooner(due, t->activity_at + STALL_HARD_MS, now);
}

static CH_FIBER ch_status react(struct live_state *t, const char *emoji, bool is_removed, struct ch_err *err)
{
	return egress_react(chan_host_egress(t->live->host), t->place.channel, t->place.account, &t->place.peer, t->place.message_id,
			    emoji, is_removed, err);
}

CH_FIBER void live_react_do(struct live_state *t)
{
	char next[LIVE_EMOJI_MAX], before[LIVE_EMOJI_MAX];
	struct ch_err err = { 0 };
	ch_status st = CH_OK;

	memcpy(before, t->shown, sizeof(before));
	memset(next, 0, sizeof(next));
	memcpy(next, wanted(t, now_mono_ms()), strlen(wanted(t, now_mono_ms())));
	memcpy(t->shown, next, sizeof(next));
	t->has_acked = true;
	/* Where a message takes only one reaction of ours, the new one must come last. */
	if (*before)
		st = react(t, before, true, &err);
	if (!st && *next)
		st = react(t, next, false, &err);
	if (!st)
		return;
	*t->cfg.ack = '\0';
	live_failed(t, "reacting", &err);
}
