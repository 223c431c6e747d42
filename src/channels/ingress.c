/*
 * channels/ingress.c - the lanes: a fiber for each conversation that has something, one event after the other.
 *
 * What is in memory here is only who works on what. A lane that ends with something left (a failure, the gateway's end) is found
 * again by its rows.
 */
#include "channels/ingress_priv.h"

#include <string.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/str.h"

#define SETTLE_RETRY_MS 2000

static void settle_due(void *arg);

struct chan_ingress *ingress_new(struct chan_host *h)
{
	struct chan_ingress *g = ch_alloc(sizeof(*g));

	g->host = h;
	g->loop = chan_host_loop(h);
	g->db = chan_host_db(h);
	g->lanes = map_new();
	g->settler = loop_timer_new(g->loop, settle_due, g);
	fiber_cond_init(&g->idle);
	return g;
}

static void lane_free(struct lane *l)
{
	ch_free(l->key);
	ch_free(l);
}

void ingress_free(struct chan_ingress *g)
{
	size_t cursor = 0;
	const char *key;
	void *value;

	if (!g)
		return;
	CH_BUG_ON(g->active || g->is_settling);  /* ingress_drain() comes first */
	loop_timer_free(g->settler);
	while (map_each(g->lanes, &cursor, &key, &value))
		lane_free(value);
	map_free(g->lanes);
	for (size_t i = 0; i < g->to_settle.len; i++)
		ch_free(g->to_settle.at[i]);
	for (size_t i = 0; i < g->ended_events.len; i++)
		ch_free(g->ended_events.at[i]);
	vec_done(&g->to_settle);
	vec_done(&g->ended_events);
	vec_done(&g->waiting);
	ch_free(g);
}

/* -- lanes -- */

static void prune_now_and_then(struct chan_ingress *g)
{
	struct ch_err err;

	if (++g->handled < INGRESS_PRUNE_EVERY)
		return;
	g->handled = 0;
	if (inbox_prune(g->db, now_wall_ms(), &err))
		log_warn("channels", "old messages could not be forgotten: %s; tried again after %d more", err.text,
			 INGRESS_PRUNE_EVERY);
}

/* One row could not be handled for now. CH_OK: try it again. */
CH_FIBER static ch_status wait_to_retry(struct lane *l, int64_t *delay_ms, const struct ch_err *why)
{
	ch_status st;

	log_warn("channels", "lane=%s: %s; tried again in %lld ms", log_quote(l->key), why->text, (long long)*delay_ms);
	st = fiber_sleep(*delay_ms);
	*delay_ms = CH_MIN(*delay_ms * 2, INGRESS_RETRY_MAX_MS);
	return st;
}

CH_FIBER static void work_off(struct lane *l)
{
	int64_t delay_ms = INGRESS_RETRY_MIN_MS;
	struct ch_err err;
	ch_status st;

	do {
		l->has_more = false;
		st = ingress_one(l, &err);
		if (st == CH_E_NOT_FOUND)
			continue;
		if (st == CH_E_CANCELED || l->g->is_draining)
			return;
		if (st) {
			if (wait_to_retry(l, &delay_ms, &err))
				return;
		} else {
			delay_ms = INGRESS_RETRY_MIN_MS;
			prune_now_and_then(l->g);
		}
		l->has_more = true;
	} while (l->has_more && !l->g->is_draining);
}

static void lane_start(struct lane *l);

static void lane_fiber(void *arg)
{
	struct lane *l = arg;
	struct chan_ingress *g = l->g;

	work_off(l);
	map_take(g->lanes, l->key);
	fiber_detach(l->fiber);
	lane_free(l);
	g->active--;
	if (g->waiting.len && !g->is_draining) {
		l = g->waiting.at[0];
		vec_remove(&g->waiting, 0);
		lane_start(l);
	}
	if (!g->active)
		fiber_cond_broadcast(&g->idle);
}

static void lane_start(struct lane *l)
{
	l->g->active++;
	l->fiber = fiber_spawn(l->g->loop, "lane", FIBER_JOINABLE, lane_fiber, l);
}

void ingress_wake(struct chan_ingress *g, const char *lane)
{
	struct lane *l;

	if (!g->is_started || g->is_draining)
		return;          /* the rows are there when somebody looks */
	l = map_find(g->lanes, lane);
	if (l) {
		l->has_more = true;
		fiber_cond_broadcast(&l->more);
		return;
	}
	l = ch_alloc(sizeof(*l));
	l->g = g;
	l->key = ch_strdup(lane);
	fiber_cond_init(&l->more);
	map_put(g->lanes, lane, l);
	if (g->active < INGRESS_LANES_MAX)
		lane_start(l);
	else
		vec_push(&g->waiting, l);
}

/* -- runs that ended -- */

static bool has_key(char *const *at, size_t len, const char *key)
{
	for (size_t i = 0; i < len; i++)
		if (str_eq(at[i], key))
			return true;
	return false;
}

void ingress_run_ended(struct chan_ingress *g, const char *session_key, const char *run_id, bool is_event)
{
	if (!has_key(g->to_settle.at, g->to_settle.len, session_key))
		vec_push(&g->to_settle, ch_strdup(session_key));
	if (is_event) {
		CH_AUTO_STR char *event = ch_asprintf("%s\n%s", session_key, run_id);

		if (!has_key(g->ended_events.at, g->ended_events.len, event))
			vec_push(&g->ended_events, CH_TAKE(event));
	}
	loop_timer_start(g->settler, 0);         /* not now: the run is still telling */
}

CH_FIBER static ch_status settle_one_event(struct chan_ingress *g, const char *event, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	const char *mark = strchr(event, '\n');

	return ingress_settle_event(g, arena_strndup(a, event, (size_t)(mark - event)), mark + 1, err);
}

CH_FIBER static ch_status settle_all(struct chan_ingress *g, bool is_start, struct ch_err *err)
{
	ch_status st = CH_OK;

	while (g->ended_events.len || g->to_settle.len) {
		bool is_event = g->ended_events.len > 0;
		CH_AUTO_STR char *key = is_event ? g->ended_events.at[0] : g->to_settle.at[0];

		/* Out of the list first: a run that ends while we wait puts it there again. */
		if (is_event)
			vec_remove(&g->ended_events, 0);
		else
			vec_remove(&g->to_settle, 0);
		st = is_event ? settle_one_event(g, key, err) : ingress_settle(g, key, is_start, err);
		if (!st)
			continue;
		if (is_event)
			vec_push(&g->ended_events, CH_TAKE(key));
		else
			vec_push(&g->to_settle, CH_TAKE(key));
		return st;
	}
	return CH_OK;
}

/* What cannot be written now is tried again; the next start would find the messages, but not the events. */
static void settle_fiber(void *arg)
{
	struct chan_ingress *g = arg;
	struct ch_err err;
	ch_status st = settle_all(g, false, &err);

	g->is_settling = false;
	if (st) {
		log_error("channels", "a reply could not be queued: %s; tried again in %d ms", err.text, SETTLE_RETRY_MS);
		loop_timer_start(g->settler, SETTLE_RETRY_MS);
	}
	fiber_cond_broadcast(&g->idle);
}

static void settle_due(void *arg)
{
	struct chan_ingress *g = arg;

	if (g->is_settling)
		return;          /* it takes these along */
	g->is_settling = true;
	fiber_spawn(g->loop, "settle", FIBER_DETACHED, settle_fiber, g);
}

/* -- life -- */

static void note_session(void *arg, const struct inbox_row *r)
{
	struct chan_ingress *g = arg;

	if (!has_key(g->to_settle.at, g->to_settle.len, r->session_key))
		vec_push(&g->to_settle, ch_strdup(r->session_key));
}

CH_FIBER static ch_status settle_left_over(struct chan_ingress *g, struct arena *a, struct ch_err *err)
{
	ch_status st = inbox_handed(g->db, NULL, a, note_session, g, err);

	if (st)
		return st;
	g->is_settling = true;
	st = settle_all(g, true, err);
	g->is_settling = false;
	if (!st && g->to_settle.len + g->ended_events.len)
		loop_timer_start(g->settler, 0);
	return st;
}

static void wake_lane(void *arg, const char *lane)
{
	ingress_wake(arg, lane);
}

ch_status ingress_start(struct chan_ingress *g, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	ch_status st = inbox_prune(g->db, now_wall_ms(), err);

	if (!st)
		st = inbox_count_tries(g->db, err);
	if (!st)
		st = settle_left_over(g, a, err);
	if (st)
		return err ? ch_wrap(err, "taking up the messages of channels") : st;
	g->is_started = true;
	return inbox_lanes(g->db, a, wake_lane, g, err);
}

void ingress_drain(struct chan_ingress *g, int64_t deadline_ms)
{
	size_t cursor = 0;
	const char *key;
	void *value;

	g->is_draining = true;
	if (!g->is_settling && g->to_settle.len + g->ended_events.len)
		settle_due(g);           /* what ended just now */
	while (map_each(g->lanes, &cursor, &key, &value)) {
		const struct lane *l = value;

		if (l->fiber)
			fiber_cancel(l->fiber);
	}
	fiber_mask(+1);          /* who waits here has no later */
	while (g->active || g->is_settling)
		if (fiber_cond_wait(&g->idle, deadline_ms))
			break;
	fiber_mask(-1);
	if (g->active)
		log_error("channels", "%zu conversations are still being worked on while the gateway stops", g->active);
}
