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
#define EVENTS_SINCE_MS (10 * 60 * 1000)         /* how long before the last sign of life a reply may have been left */

static void settle_due(void *arg);
static void ended_done(struct ended *e);

struct chan_ingress *ingress_new(struct chan_host *h)
{
	struct chan_ingress *g = ch_alloc(sizeof(*g));

	g->host = h;
	g->loop = chan_host_loop(h);
	g->db = chan_host_db(h);
	g->lanes = map_new();
	g->settling = map_new();
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
	CH_BUG_ON(g->active || map_len(g->settling));  /* ingress_drain() comes first */
	loop_timer_free(g->settler);
	while (map_each(g->lanes, &cursor, &key, &value))
		lane_free(value);
	map_free(g->lanes);
	for (size_t i = 0; i < g->ended.len; i++)
		ended_done(&g->ended.at[i]);
	vec_done(&g->ended);
	map_free(g->settling);
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

/* run_id NULL: the session's messages. */
static bool is_noted(const struct chan_ingress *g, const char *session_key, const char *run_id)
{
	for (size_t i = 0; i < g->ended.len; i++)
		if (str_eq(g->ended.at[i].session_key, session_key) && str_eq(g->ended.at[i].run_id, run_id))
			return true;
	return false;
}

static void note_ended(struct chan_ingress *g, const char *session_key, const char *run_id)
{
	if (!is_noted(g, session_key, run_id))
		vec_push(&g->ended, ((struct ended){ ch_strdup(session_key), run_id ? ch_strdup(run_id) : NULL }));
}

static void ended_done(struct ended *e)
{
	ch_free(e->session_key);
	ch_free(e->run_id);
}

void ingress_run_ended(struct chan_ingress *g, const char *session_key, const char *run_id, bool is_event)
{
	if (!g->has_handed && !is_event)
		return;          /* most runs are none of ours */
	if (is_event)
		note_ended(g, session_key, run_id);      /* first: what it answers besides is known by the messages */
	note_ended(g, session_key, NULL);
	loop_timer_start(g->settler, 0);         /* not now: the run is still telling */
}

/* Takes the oldest out of the list: a run that ends while we wait puts its own there. */
static bool take_ended(struct chan_ingress *g, const char *session_key, struct ended *ret)
{
	for (size_t i = 0; i < g->ended.len; i++) {
		if (session_key && !str_eq(g->ended.at[i].session_key, session_key))
			continue;
		*ret = g->ended.at[i];
		vec_remove(&g->ended, i);
		return true;
	}
	return false;
}

/* What cannot be written stays in the list. */
CH_FIBER static ch_status settle_all_of(struct chan_ingress *g, const char *session_key, bool is_start, struct ch_err *err)
{
	struct ended e;
	ch_status st = CH_OK;

	while (!st && take_ended(g, session_key, &e)) {
		st = e.run_id ? ingress_settle_event(g, e.session_key, e.run_id, err) : ingress_settle(g, e.session_key, is_start, err);
		if (st)
			note_ended(g, e.session_key, e.run_id);
		ended_done(&e);
	}
	return st;
}

struct settle_job { struct chan_ingress *g; char *session_key; struct fiber *fiber; };

/* A session's ends, one after the other; those of others do not wait for them. */
static void settle_fiber(void *arg)
{
	struct settle_job *job = arg;
	struct chan_ingress *g = job->g;
	struct ch_err err;

	if (settle_all_of(g, job->session_key, false, &err) && !g->is_cut) {
		log_error("channels", "session=%s: a reply could not be queued: %s; tried again in %d ms", job->session_key, err.text,
			  SETTLE_RETRY_MS);
		loop_timer_start(g->settler, SETTLE_RETRY_MS);
	}
	map_take(g->settling, job->session_key);
	ch_free(job->session_key);
	ch_free(job);
	fiber_cond_broadcast(&g->idle);
}

static void settle_due(void *arg)
{
	struct chan_ingress *g = arg;

	for (size_t i = 0; i < g->ended.len && !g->is_cut; i++) {
		struct settle_job *job;

		if (map_find(g->settling, g->ended.at[i].session_key))
			continue;        /* its fiber takes this along */
		job = ch_alloc(sizeof(*job));
		*job = (struct settle_job){ g, ch_strdup(g->ended.at[i].session_key), NULL };
		map_put(g->settling, job->session_key, job);
		job->fiber = fiber_spawn(g->loop, "settle", FIBER_DETACHED, settle_fiber, job);
	}
}

/* -- life -- */

static void note_session(void *arg, const struct inbox_row *r)
{
	struct chan_ingress *g = arg;

	g->has_handed = true;
	note_ended(g, r->session_key, NULL);
}

/* Its reply has a key, so one that was put out is not put again. */
static void note_event(void *to, const char *session_key, const char *run_id)
{
	note_ended(to, session_key, run_id);
}

/* When something last came in or was put out: the gateway may have been off for days since. */
static ch_status last_sign(struct db *db, int64_t *ret_at, struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *row = NULL;
	int64_t now = now_wall_ms();
	bool found;
	ch_status st = db_prep(db, "SELECT max(coalesce((SELECT received_at FROM channel_inbox ORDER BY id DESC LIMIT 1), 0), "
			       "coalesce((SELECT created_at FROM channel_outbox ORDER BY id DESC LIMIT 1), 0))", &row, err);

	if (!st)
		st = db_step(row, &found, err);
	if (!st)
		*ret_at = db_int(row, 0) ? CH_MIN(db_int(row, 0), now) : now;
	return st;
}

CH_FIBER static ch_status settle_left_over(struct chan_ingress *g, struct arena *a, struct ch_err *err)
{
	const struct chan_up *up = chan_host_up(g->host);
	ch_status st = CH_OK;
	int64_t at;

	if (up->ended_events)
		st = last_sign(g->db, &at, err);
	if (!st && up->ended_events)
		st = up->ended_events(up->arg, at - EVENTS_SINCE_MS, note_event, g, err);
	if (!st)
		st = inbox_handed(g->db, NULL, a, note_session, g, err);
	return st ? st : settle_all_of(g, NULL, true, err);
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
		st = inbox_count_tries(g->db, a, ingress_tried_out, g, err);
	if (!st)
		st = settle_left_over(g, a, err);
	if (st)
		return err ? ch_wrap(err, "taking up the messages of channels") : st;
	g->is_started = true;
	return inbox_lanes(g->db, a, wake_lane, g, err);
}

static void cancel_lanes(struct chan_ingress *g)
{
	size_t cursor = 0;
	void *value;

	while (map_each(g->lanes, &cursor, NULL, &value)) {
		const struct lane *l = value;

		if (l->fiber)
			fiber_cancel(l->fiber);
	}
}

/* Replies that are still being made ready (a file that comes slowly): their rows stay, the next start settles them. */
static void cut_settling(struct chan_ingress *g)
{
	size_t cursor = 0;
	void *value;

	g->is_cut = true;
	while (map_each(g->settling, &cursor, NULL, &value)) {
		const struct settle_job *job = value;

		log_info("channels", "session=%s: its reply is not ready while the gateway stops; the next start sends it",
			 job->session_key);
		fiber_cancel(job->fiber);
	}
}

void ingress_drain(struct chan_ingress *g, int64_t deadline_ms)
{
	g->is_draining = true;
	settle_due(g);           /* what ended just now */
	cancel_lanes(g);
	fiber_mask(+1);          /* who waits here has no later */
	while (g->active || map_len(g->settling)) {
		ch_status st = fiber_cond_wait(&g->idle, g->is_cut ? FIBER_FOREVER : deadline_ms);

		/* What is cancelled comes back at its next wait: this ends without a deadline of its own. */
		if (st == CH_E_TIMEOUT && !g->is_cut)
			cut_settling(g);
	}
	g->is_cut = true;        /* what ends from now on (input that is cancelled) is settled by the next start */
	fiber_mask(-1);
}
