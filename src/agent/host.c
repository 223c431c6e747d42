/*
 * agent/host.c - starting up and shutting down, aborting, waiting. Input is accepted in submit.c.
 */
#include "agent/host.h"

#include <string.h>

#include "agent/home.h"
#include "agent/run_events.h"
#include "agent/running.h"
#include "agent/said.h"
#include "agent/sessions_ops.h"
#include "agent/subagent.h"
#include "agent/taint_command.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/str.h"

#define ABORT_GRACE_MS 5000              /* for aborted runs to unwind at shutdown; then we say that we wait */
#define LANES_DEFAULT 256                /* turns mostly wait, for models, people and commands: those must not keep others out */
#define SESSIONS_RECOVERED_MAX 100000
#define TRIM_MS 2000                     /* between two looks at the heap while turns go on */
#define TRIM_LAST_MS 16000               /* the longest wait for another look when none does */
#define TRIM_COST 500                    /* at most one part in so many of the time is spent on it */

/* -- memory -- */

static void trim_soon(struct agent_host *h, int64_t wait_ms)
{
	if (h->is_trim_due)
		return;
	h->is_trim_due = true;
	loop_timer_start(h->trimmer, wait_ms);
}

/*
 * Turns that went on together leave holes in the heap, which the allocator keeps. They are given back while others go on, too, and a
 * few times when all is quiet, since replies are still on their way then; on a heap so large that it takes long, so much less often.
 */
static void on_trim(void *arg)
{
	struct agent_host *h = arg;
	int64_t began = now_mono_ms();

	h->is_trim_due = false;
	mem_trim();
	h->trim_wait_ms = h->active ? TRIM_MS : 2 * h->trim_wait_ms;
	if (h->trim_wait_ms <= TRIM_LAST_MS)
		trim_soon(h, CH_MAX(h->trim_wait_ms, TRIM_COST * (now_mono_ms() - began)));
}

/* -- life -- */

static ch_status resolve(void *arg, const char *wanted, const char *agent_id, struct arena *a, struct model_entry *ret,
			 const char **ret_source, struct ch_err *err)
{
	return model_resolve(arg, wanted, agent_id, a, ret, ret_source, err);
}

static ch_status stream(void *arg, const struct model_call *call, model_event_fn fn, void *fn_arg,
			struct model_result *ret, struct ch_err *err)
{
	return model_stream(arg, call, fn, fn_arg, ret, err);
}

static ch_status route(void *arg, const struct model_route_want *want, struct arena *a, struct model_route *ret,
		       struct ch_err *err)
{
	return model_route(arg, want, a, ret, err);
}

static void state(void *arg, const char *agent_id, const struct model_entry *e, struct model_state *ret)
{
	model_state(arg, agent_id, e, ret);
}

static ch_status tool_session_status(void *arg, const char *session_key, struct buf *ret_json, struct ch_err *err)
{
	struct agent_host *h = arg;
	CH_AUTO(sess_unref) struct sess *s = NULL;
	ch_status st;

	st = sess_find(h->opts.sessions, session_key, &s, err);
	if (st)
		return st;
	return status_json(h, s, ret_json, err);
}

static size_t max_concurrent(struct agent_host *h)
{
	int64_t n = config_int(host_config(h), "agents.defaults.maxConcurrent", 0);

	return n > 0 ? (size_t)n : LANES_DEFAULT;
}

static size_t max_subagents(struct agent_host *h)
{
	int64_t n = config_int(host_config(h), "agents.defaults.subagents.maxConcurrent", SUBAGENT_CONCURRENT_DEFAULT);

	return n > 0 ? (size_t)n : SUBAGENT_CONCURRENT_DEFAULT;
}

static struct config *tool_config(void *host)
{
	return host_config(host);
}

static const char *tool_workspace(void *host, const char *agent_id, struct arena *a)
{
	const struct agent_host *h = host;
	const struct agent_info *info = agent_find(host_config(h), h->opts.state_dir, a, agent_id);

	return info ? info->workspace : NULL;
}

static ch_status tool_wake(void *host, const struct tool_wake *w, struct ch_err *err)
{
	return agent_wake(host, w, err);
}

static bool tool_is_closing(void *host)
{
	const struct agent_host *h = host;

	return h->is_draining;
}

struct agent_host *agent_host_new(const struct agent_host_opts *opts)
{
	struct agent_host *h = ch_alloc(sizeof(*h));

	h->opts = *opts;
	h->opts.state_dir = ch_strdup(opts->state_dir);
	h->model_ops = opts->model_ops ? *opts->model_ops
				       : (struct agent_model_ops){ opts->models, resolve, stream, route, state };
	h->desks = map_new();
	h->runs = map_new();
	h->homes = map_new();
	h->lanes = opts->lanes;
	if (!h->lanes) {
		h->lanes = lanes_new(max_concurrent(h));
		h->owns_lanes = true;
	}
	if (opts->services)
		h->tool_host = *opts->services;
	h->tool_host.arg = h;
	h->tool_host.session_status = tool_session_status;
	h->tool_host.config = tool_config;
	h->tool_host.note_written = taint_file_written;
	h->tool_host.is_tainted_file = taint_is_file;
	h->tool_host.was_said = said_before;
	h->command_ops = (struct tool_command_ops){ h, taint_command_reads, tool_workspace, running_keep, running_settle };
	h->tool_host.command_ops = &h->command_ops;
	h->tool_host.wake = tool_wake;
	h->tool_host.is_closing = tool_is_closing;
	h->tool_host.spawn = host_spawn;
	h->tool_host.state_dir = h->opts.state_dir;
	h->tool_host.loop = opts->loop;
	h->tool_host.sessions = opts->sessions;
	h->announcer = loop_timer_new(opts->loop, host_announce, h);
	h->trimmer = loop_timer_new(opts->loop, on_trim, h);
	h->sub_lanes = lanes_new(max_subagents(h));
	subagents_init(h);
	sessions_ops_init(h);
	fiber_cond_init(&h->idle);
	fiber_cond_init(&h->fiber_ended);
	return h;
}

const struct tool_host *agent_tool_host(const struct agent_host *h)
{
	return &h->tool_host;
}

static void free_desks(struct agent_host *h)
{
	size_t cursor = 0;
	const char *key;
	void *value;

	while (map_each(h->desks, &cursor, &key, &value)) {
		struct desk *d = value;

		while (d->head)
			run_ended(d->head);      /* stays queued in the database: the next start marks it interrupted */
		while (d->dropped.len)
			run_ended(d->dropped.at[0]);
		desk_free(d);
	}
	map_free(h->desks);
}

void agent_host_free(struct agent_host *h)
{
	size_t cursor = 0;
	const char *key;
	void *value;

	if (!h)
		return;
	CH_BUG_ON(h->active);    /* agent_host_drain() comes first */
	CH_BUG_ON(h->fibers.len);        /* and agent_host_join() */
	vec_done(&h->fibers);
	loop_timer_free(h->announcer);
	loop_timer_free(h->trimmer);
	for (size_t i = 0; i < h->to_announce.len; i++)
		run_unref(h->to_announce.at[i]);
	vec_done(&h->to_announce);
	free_desks(h);
	subagents_done(h);
	while (map_each(h->homes, &cursor, &key, &value))
		home_unref(value);
	map_free(h->homes);
	map_free(h->runs);
	lanes_free(h->sub_lanes);
	if (h->owns_lanes)
		lanes_free(h->lanes);
	ch_free((char *)h->opts.state_dir);
	ch_free(h);
}

void agent_config_changed(struct agent_host *h)
{
	lanes_set_max(h->lanes, max_concurrent(h));
	lanes_set_max(h->sub_lanes, max_subagents(h));
}

struct stale { struct arena *a; VEC(const char *) keys; };

static bool note_stale(void *arg, const struct sess *s)
{
	struct stale *st = arg;

	if (str_eq(s->status, "running"))
		vec_push(&st->keys, arena_strdup(st->a, s->key));
	return true;
}

static ch_status unmark(struct agent_host *h, const char *key, struct ch_err *err)
{
	CH_AUTO(sess_unref) struct sess *s = NULL;
	ch_status st;

	st = sess_find(h->opts.sessions, key, &s, err);
	if (st)
		return st;
	sess_set_str(s, &s->status, "failed");
	sess_set_str(s, &s->last_run_error, "The gateway stopped while this turn ran.");
	sess_set_str(s, &s->active_provider, NULL);
	sess_set_str(s, &s->active_model, NULL);
	s->aborted_last_run = 1;
	return sess_save(s, err);
}

ch_status agent_host_recover(struct agent_host *h, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct sess_query q = { .archived = -1, .include_background = true, .limit = SESSIONS_RECOVERED_MAX };
	struct stale stale = { .a = a };
	size_t total;
	ch_status st;

	st = sess_list(h->opts.sessions, &q, &total, note_stale, &stale, err);
	for (size_t i = 0; i < stale.keys.len && !st; i++)
		st = unmark(h, stale.keys.at[i], err);
	vec_done(&stale.keys);
	if (!st)
		st = wake_recover(h, err);
	subagents_kick(h);
	return st;
}

static void abort_all(struct agent_host *h)
{
	size_t cursor = 0;
	const char *key;
	void *value;

	while (map_each(h->desks, &cursor, &key, &value)) {
		struct desk *d = value;

		if (d->active)
			run_abort(d->active, "shutdown", "shutdown", "The gateway is shutting down");
	}
}

void host_left(struct agent_host *h)
{
	h->active--;
	h->trim_wait_ms = TRIM_MS;
	trim_soon(h, TRIM_MS);
	if (!h->active)
		fiber_cond_broadcast(&h->idle);
}

static void wait_idle(struct agent_host *h, int64_t deadline_ms)
{
	while (h->active)
		if (fiber_cond_wait(&h->idle, deadline_ms))
			break;
}

void agent_host_drain(struct agent_host *h, int64_t deadline_ms)
{
	h->is_draining = true;
	host_announce(h);        /* what was accepted begins now or with the next start, not after we have counted */
	wait_idle(h, deadline_ms);
	if (!h->active)
		return;
	log_info("agent", "%zu runs are stopped at shutdown", h->active);
	abort_all(h);
	fiber_mask(+1);
	wait_idle(h, fiber_deadline(ABORT_GRACE_MS));
	/* One that does not end would use what is freed next: all that can be done is wait. */
	while (h->active) {
		log_error("agent", "%zu runs have not ended yet; waiting for them", h->active);
		wait_idle(h, fiber_deadline(ABORT_GRACE_MS));
	}
	fiber_mask(-1);
}

/* -- fibers beside the runs -- */

struct beside { struct agent_host *h; void (*fn)(void *arg); void *arg; };

static void beside_fiber(void *arg)
{
	struct beside *b = arg;
	struct agent_host *h = b->h;

	b->fn(b->arg);
	ch_free(b);
	for (size_t i = 0; i < h->fibers.len; i++) {
		if (h->fibers.at[i] == fiber_self()) {
			vec_remove(&h->fibers, i);
			break;
		}
	}
	fiber_cond_broadcast(&h->fiber_ended);
}

void host_spawn(void *host, const char *name, void (*fn)(void *arg), void *arg)
{
	struct agent_host *h = host;
	struct beside *b = ch_alloc(sizeof(*b));

	*b = (struct beside){ h, fn, arg };
	vec_push(&h->fibers, fiber_spawn(h->opts.loop, name, FIBER_DETACHED, beside_fiber, b));
}

void agent_host_join(struct agent_host *h)
{
	for (size_t i = 0; i < h->fibers.len; i++)
		fiber_cancel(h->fibers.at[i]);
	/* For ever: a cancelled one ends with the look at files or the start of a command that it is in, and these have an end. */
	while (h->fibers.len && !fiber_cond_wait(&h->fiber_ended, FIBER_FOREVER))
		;
}

/* -- telling -- */

void host_announce(void *host)
{
	struct agent_host *h = host;

	for (size_t i = 0; i < h->to_announce.len; i++) {        /* may grow while we walk */
		struct run *r = h->to_announce.at[i];

		ev_accepted(r);
		if (r->command && r->command->when == SLASH_BESIDE)
			command_start(r);
		else if (r->phase == RUN_QUEUED && r->was_queued && r->mode != QUEUE_STEER)
			ev_queued(r);
		run_unref(r);
	}
	h->to_announce.len = 0;
}

/* -- aborting -- */

ch_status host_cancel_queued(struct run *r, const char *reason, struct ch_err *err)
{
	CH_AUTO(run_unref) struct run *held = run_ref(r);
	ch_status st;

	st = input_end(r->host->opts.sessions, r->session_key, r->run_id, INPUT_CANCELED, NULL, NULL, err);
	if (st)
		return st;
	run_ended(held);
	ev_cancelled(held, reason);
	return CH_OK;
}

static ch_status abort_one(struct run *r, const char *origin, struct ch_err *err)
{
	if (r->phase == RUN_QUEUED)
		return host_cancel_queued(r, origin, err);
	run_abort(r, origin, origin, "This operation was aborted");
	return CH_OK;
}

/* Room for the ids of all runs of a session, NULL-ended. */
static const char **id_list(const struct desk *d, struct arena *a)
{
	return arena_alloc(a, ((d ? d->queued + d->dropped.len : 0) + 2) * sizeof(const char *));
}

/* What waits, before what runs: else the queue would bring up the next one. */
static ch_status clear_queued(struct desk *d, const char *origin, struct arena *a, const char **ids, size_t *n,
			      struct ch_err *err)
{
	const char *why = arena_strdup(a, origin);
	struct run *r;

	while ((r = d->dropped.len ? d->dropped.at[0] : d->head)) {
		ch_status st;

		ids[(*n)++] = arena_strdup(a, r->run_id);
		st = host_cancel_queued(r, why, err);
		if (st)
			return st;
	}
	return CH_OK;
}

ch_status agent_abort(struct agent_host *h, const char *session_key, const char *run_id, const char *origin,
		      struct arena *a, const char *const **ret_run_ids, struct ch_err *err)
{
	struct desk *d = desk_find(h, session_key);
	struct run *one = run_id ? desk_find_run(d, run_id) : NULL;
	const char **ids = id_list(d, a);
	size_t n = 0;
	ch_status st;

	*ret_run_ids = ids;
	if (!run_id)
		subagents_stop_of(h, session_key, NULL, origin);
	if (!d || !desk_is_busy(d) || (run_id && (!one || one->abort_origin)))
		return CH_OK;
	if (run_id)
		subagents_stop_of(h, session_key, one->event_id, origin);
	if (!one) {
		st = clear_queued(d, origin, a, ids, &n, err);
		if (st)
			return st;
		one = d->active;
	}
	if (!one || one->abort_origin)
		return CH_OK;
	ids[n] = arena_strdup(a, one->phase == RUN_QUEUED ? one->run_id : one->event_id);
	return abort_one(one, arena_strdup(one->arena, origin), err);
}

/* -- asking -- */

ch_status agent_wait(struct agent_host *h, const char *run_id, int64_t deadline_ms, struct arena *a,
		     struct input_row *ret, struct ch_err *err)
{
	CH_AUTO(run_unref) struct run *r = NULL;
	ch_status st;

	r = map_find(h->runs, run_id);
	if (r)
		run_ref(r);
	while (r && r->phase != RUN_ENDED) {
		st = fiber_cond_wait(&r->ended, deadline_ms);
		if (st)
			return ch_fail(err, st, "run '%s' has not ended yet", run_id);
	}
	return input_find_run(h->opts.sessions, r ? r->run_id : run_id, a, ret, err);
}

ch_status agent_in_flight(struct agent_host *h, const char *session_key, struct arena *a, struct run_in_flight *ret,
			  struct ch_err *err)
{
	struct desk *d = desk_find(h, session_key);
	struct run *r = d ? d->active : NULL;

	if (!r || r->abort_origin || r->command)
		return ch_fail(err, CH_E_NOT_FOUND, "no run is active in session '%s'", session_key);
	*ret = (struct run_in_flight){
		.run_id = arena_strdup(a, r->event_id),
		.text = arena_strndup(a, buf_str(&r->reply), r->reply.len),
		.provider = arena_strdup(a, r->entry.provider), .model = arena_strdup(a, r->entry.id),
		.thinking = r->told_thinking ? r->told_thinking : thinking_name(THINK_OFF),
		.started_at = r->started_at ? r->started_at : r->accepted_at,
	};
	return CH_OK;
}

const char *const *agent_active_runs(struct agent_host *h, const char *session_key, struct arena *a)
{
	struct desk *d = desk_find(h, session_key);
	const char **ids = id_list(d, a);
	size_t n = 0;

	if (!d)
		return ids;
	if (d->active && !d->active->abort_origin)
		ids[n++] = arena_strdup(a, d->active->event_id);
	for (struct run *r = d->head; r; r = r->next)
		if (!r->is_told_settled)
			ids[n++] = arena_strdup(a, r->run_id);
	return ids;
}

struct agent_load agent_load(struct agent_host *h)
{
	struct agent_load load = { .active = h->active, .max = lanes_max(h->lanes), .is_draining = h->is_draining };
	size_t cursor = 0;
	const char *key;
	void *value;

	while (map_each(h->desks, &cursor, &key, &value))
		load.queued += ((const struct desk *)value)->queued;
	return load;
}

bool agent_is_active(struct agent_host *h, const char *session_key)
{
	struct desk *d = desk_find(h, session_key);

	return d && ((d->active && !d->active->abort_origin) || d->head);
}
