/*
 * agent/desk.c - a session's place in memory: one active run, the queue behind it, the parsed history.
 */
#include "agent/host.h"

#include "agent/from.h"
#include "agent/history.h"
#include "agent/policy.h"
#include "agent/queue.h"
#include "agent/run_events.h"
#include "agent/subagent.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/rand.h"
#include "core/str.h"

#define LANE_WAIT_MS (60 * 60 * 1000)    /* for the cap over all sessions; past it the turn fails and says so */

struct desk *desk_find(struct agent_host *h, const char *key)
{
	return map_find(h->desks, key);
}

bool desk_is_busy(const struct desk *d)
{
	return d && (d->active || d->head || d->dropped.len);
}

static void forget(struct agent_host *h, struct desk *d)
{
	map_take(h->desks, d->key);
	desk_free(d);
}

/* The idle desk that was used longest ago, when there are too many; NULL: there are not. */
static struct desk *one_too_many(struct agent_host *h)
{
	struct desk *oldest = NULL;
	size_t cursor = 0, idle = 0;
	const char *key;
	void *value;

	while (map_each(h->desks, &cursor, &key, &value)) {
		struct desk *d = value;

		if (desk_is_busy(d))
			continue;
		idle++;
		if (!oldest || d->used_ms < oldest->used_ms)
			oldest = d;
	}
	return idle > DESKS_IDLE_MAX ? oldest : NULL;
}

/* Many that were busy at once may be idle by now. */
static void trim(struct agent_host *h)
{
	struct desk *d;

	while ((d = one_too_many(h)))
		forget(h, d);
}

static void on_quiet(void *arg)
{
	desk_go(arg);
}

struct desk *desk_open(struct agent_host *h, const char *key)
{
	struct desk *d = desk_find(h, key);

	if (!d) {
		trim(h);
		d = ch_alloc(sizeof(*d));
		d->host = h;
		d->key = ch_strdup(key);
		d->quiet = loop_timer_new(h->opts.loop, on_quiet, d);
		map_put(h->desks, key, d);
	}
	d->used_ms = now_mono_ms();
	return d;
}

void desk_free(struct desk *d)
{
	if (!d)
		return;
	CH_BUG_ON(desk_is_busy(d));
	loop_timer_free(d->quiet);
	vec_done(&d->dropped);
	history_free(d->history);
	ch_free(d->key);
	ch_free(d);
}

void desk_forget_history(struct agent_host *h, const char *key)
{
	struct desk *d = desk_find(h, key);

	if (!d || !d->history)
		return;
	history_free(d->history);
	d->history = NULL;
}

struct run *desk_find_run(struct desk *d, const char *run_id)
{
	if (!d)
		return NULL;
	if (d->active && (str_eq(d->active->run_id, run_id) || str_eq(d->active->event_id, run_id)))
		return d->active;
	for (struct run *r = d->head; r; r = r->next)
		if (str_eq(r->run_id, run_id))
			return r;
	for (size_t i = 0; i < d->dropped.len; i++)
		if (str_eq(d->dropped.at[i]->run_id, run_id))
			return d->dropped.at[i];
	return NULL;
}

/* Takes a reference for the queue. */
void desk_push(struct desk *d, struct run *r, bool in_front)
{
	run_ref(r);
	r->desk = d;
	r->next = NULL;
	if (!d->head) {
		d->head = d->tail = r;
	} else if (in_front) {
		r->next = d->head;
		d->head = r;
	} else {
		d->tail->next = r;
		d->tail = r;
	}
	d->queued++;
	if (r->was_queued)
		d->queued_ms = now_mono_ms();
}

static bool forget_dropped(struct desk *d, const struct run *r)
{
	for (size_t i = 0; i < d->dropped.len; i++) {
		if (d->dropped.at[i] != r)
			continue;
		vec_remove(&d->dropped, i);
		return true;
	}
	return false;
}

bool desk_remove(struct desk *d, struct run *r)
{
	struct run *before = NULL;

	for (struct run *at = d->head; at; before = at, at = at->next) {
		if (at != r)
			continue;
		if (before)
			before->next = r->next;
		else
			d->head = r->next;
		if (d->tail == r)
			d->tail = before;
		r->next = NULL;
		d->queued--;
		return true;
	}
	return false;
}

static struct run *first_steered(const struct desk *d)
{
	struct run *r = d->head;

	while (r && (r->mode != QUEUE_STEER || r->command || (!r->was_queued && !r->origin) || !from_may_join(r, d->active)))
		r = r->next;
	return r;
}

bool desk_has_steered(const struct desk *d)
{
	return first_steered(d) != NULL;
}

struct run *desk_take_steered(struct desk *d)
{
	struct run *r = first_steered(d);

	if (r)
		desk_remove(d, r);
	return r;
}

/* -- running -- */

static ch_status end_early(struct run *r, const struct ch_err *why, struct ch_err *err)
{
	struct sess_store *store = r->host->opts.sessions;
	CH_AUTO(db_rollback) struct db *tx = NULL;
	bool is_aborted = r->abort_origin != NULL;
	ch_status st;

	st = db_begin(sess_store_db(store), err);
	if (st)
		return st;
	tx = sess_store_db(store);
	st = input_end(store, r->session_key, r->run_id, is_aborted ? INPUT_ABORTED : INPUT_FAILED,
		       is_aborted ? arena_printf(r->arena, "{\"abortOrigin\":\"%s\"}", r->abort_origin) : NULL,
		       is_aborted ? NULL : why->text, err);
	if (!st)
		st = queue_end_merged(r, is_aborted ? INPUT_ABORTED : INPUT_FAILED, is_aborted ? NULL : why->text, err);
	if (st)
		return st;
	sess_set_str(r->sess, &r->sess->status, is_aborted ? "killed" : "failed");
	sess_set_str(r->sess, &r->sess->last_run_id, r->event_id);
	r->sess->aborted_last_run = is_aborted;
	st = sess_save(r->sess, err);
	return st ? st : db_commit(CH_TAKE(tx), err);
}

/* Aborted, or out of time, before its turn began: nothing of it is in the transcript. */
static void run_ended_early(struct run *r, const struct ch_err *why)
{
	struct ch_err err;

	if (end_early(r, why, &err))
		log_error("agent", "session=%s run=%s: its end could not be written: %s; the next start will mark it "
			  "interrupted", r->session_key, r->run_id, err.text);
	r->failure = *why;
	r->ended_at = now_wall_ms();
	queue_merged_done(r);
	run_ended(r);
	if (r->abort_origin)
		ev_abort_settled(r, NULL);
	else
		ev_failed(r, NULL);
}

static void run_fiber(void *arg)
{
	CH_AUTO(run_unref) struct run *r = arg;
	CH_AUTO(lane_leave) struct lane_lease *sub_lane = NULL, *lane = NULL;
	struct ch_err err = { 0 };
	ch_status st = CH_OK;

	host_announce(r->host);
	if (policy_depth(r->session_key) > 0)
		st = lane_enter(r->host->sub_lanes, r->session_key, FIBER_FOREVER, &sub_lane, &err);
	if (!st)
		st = lane_enter(r->host->lanes, r->session_key, fiber_deadline(LANE_WAIT_MS), &lane, &err);
	if (st || r->abort_origin)
		run_ended_early(r, &err);
	else if (r->command)
		command_run(r);
	else
		run_turn(r);
	CH_BUG_ON(r->phase != RUN_ENDED);
	r->fiber = NULL;
	desk_go(desk_find(r->host, r->session_key));
}

/* A drained input runs under an id of its own: the client's was settled when it was queued. */
static void rename_drained(struct run *r)
{
	char id[UUID_LEN];

	if (!r->was_queued || r->command)
		return;
	ev_queued(r);
	rand_uuid(id);
	r->event_id = arena_strdup(r->arena, id);
	map_put(r->host->runs, r->event_id, r);
}

/* Messages that wait for a turn of their own may be followed by more of them. */
static int64_t quiet_left_ms(const struct desk *d, const struct run *r)
{
	if (r->origin)
		return wake_held_ms(d);
	if (!r->was_queued || r->command || r->mode == QUEUE_STEER)
		return 0;
	return d->queued_ms + r->debounce_ms - now_mono_ms();
}

void desk_go(struct desk *d)
{
	struct run *r;
	int64_t wait_ms;

	if (!d || d->active || d->host->is_draining)
		return;
	queue_wake(d);
	r = d->head;
	while (r && r->origin && r->next && wake_held_ms(d) > 0)
		r = r->next;     /* what a person said is not held with the events before it */
	if (!r)
		return;
	wait_ms = quiet_left_ms(d, r);
	if (wait_ms > 0) {
		loop_timer_start(d->quiet, wait_ms);
		return;
	}
	desk_remove(d, r);
	rename_drained(r);
	if (r->origin)
		wake_begins(d);
	if (!r->command)
		queue_fill(d, r);
	d->active = r;           /* the queue's reference */
	d->host->active++;
	r->phase = RUN_ACTIVE;
	r->fiber = fiber_spawn(d->host->opts.loop, "run", FIBER_DETACHED, run_fiber, run_ref(r));
}

static void forget_id(struct agent_host *h, const char *id, const struct run *r)
{
	if (map_find(h->runs, id) == r)
		map_take(h->runs, id);
}

/* The active run is over; the next one starts when its fiber is done with telling. */
static void leave_desk(struct desk *d)
{
	struct agent_host *h = d->host;

	d->active = NULL;
	if (!d->head && d->history && history_bytes(d->history) > DESK_HISTORY_IDLE_MAX) {
		history_free(d->history);
		d->history = NULL;
	}
	host_left(h);
}

void run_ended(struct run *r)
{
	struct agent_host *h = r->host;
	struct desk *d = r->desk;

	if (r->phase == RUN_ENDED)
		return;
	r->phase = RUN_ENDED;
	follow_end(r);
	r->desk = NULL;
	forget_id(h, r->run_id, r);
	forget_id(h, r->event_id, r);
	if (r->timer)
		loop_timer_stop(r->timer);
	fiber_cond_broadcast(&r->ended);
	subagents_run_ended(h, r->session_key);
	if (!d)
		return;
	d->used_ms = now_mono_ms();
	if (d->active == r) {
		leave_desk(d);
		run_unref(r);
	} else if (desk_remove(d, r) || forget_dropped(d, r)) {
		run_unref(r);
	}
}
