/*
 * channels/egress_lane.c - lanes: who is at work, who waits for when.
 *
 *	poke -> due now -> fiber (steps until nothing is left) -> gone
 *	                     '-> has to wait -> due then -> fiber …
 */
#include "channels/egress_priv.h"

#include "core/clock.h"
#include "core/mem.h"

static void lane_free(struct egress_lane *l)
{
	ch_free(l->key);
	ch_free(l->channel);
	ch_free(l->account);
	ch_free(l->known.message_id);
	ch_free(l->known.thread);
	ch_free(l);
}

void out_lanes_free(struct chan_egress *e)
{
	size_t cursor = 0;
	void *v;

	CH_BUG_ON(e->running);
	while (map_each(e->lanes, &cursor, NULL, &v)) {
		struct egress_lane *l = v;

		deadline_remove(&e->due, &l->due);
		lane_free(l);
	}
	map_free(e->lanes);
}

/* The lane's fiber ends: it is due again, or gone. */
static void lane_rest(struct egress_lane *l, enum egress_next step, int64_t wait_ms)
{
	struct chan_egress *e = l->egress;

	fiber_detach(CH_TAKE(l->fiber));
	e->running--;
	if (!e->is_draining && (step == EGRESS_LATER || l->is_poked)) {
		deadline_add(&e->due, &l->due, now_mono_ms() + (l->is_poked ? 0 : wait_ms));
	} else {
		map_take(e->lanes, l->key);
		lane_free(l);
	}
	fiber_cond_broadcast(&e->ended);
	out_lanes_pump(e);
}

static void lane_main(void *arg)
{
	struct egress_lane *l = arg;
	struct chan_egress *e = l->egress;
	enum egress_next step = EGRESS_AGAIN;
	int64_t wait_ms = 0;

	while (step == EGRESS_AGAIN && !e->is_draining) {
		l->is_poked = false;
		step = egress_step(e, l, &wait_ms);
		if (step == EGRESS_LATER && wait_ms <= EGRESS_SHORT_MS && !fiber_sleep(wait_ms))
			step = EGRESS_AGAIN;
	}
	lane_rest(l, step, wait_ms);
}

/* Called for a lane that is due; more than may run at once stay in the heap. */
static void on_fire(struct deadline *d)
{
	struct egress_lane *l = CH_CONTAINER_OF(d, struct egress_lane, due);

	l->egress->running++;
	l->fiber = fiber_spawn(chan_host_loop(l->egress->host), "send", FIBER_JOINABLE, lane_main, l);
}

void out_lanes_pump(struct chan_egress *e)
{
	int64_t now = now_mono_ms();
	struct deadline *first;

	if (e->is_draining || !e->timer)
		return;
	for (first = deadline_first(&e->due); first && first->at_ms <= now && e->running < EGRESS_FIBERS_MAX;
	     first = deadline_first(&e->due)) {
		deadline_remove(&e->due, first);
		on_fire(first);
	}
	if (first && e->running < EGRESS_FIBERS_MAX)
		loop_timer_start(e->timer, CH_MAX(first->at_ms - now, 0));
	else
		loop_timer_stop(e->timer);
}

static struct egress_lane *lane_new(struct chan_egress *e, const char *channel, const char *account, const char *key)
{
	struct egress_lane *l = ch_alloc(sizeof(*l));

	l->egress = e;
	l->key = ch_strdup(key);
	l->channel = ch_strdup(channel);
	l->account = ch_strdup(account);
	map_put(e->lanes, key, l);
	return l;
}

void egress_poke(struct chan_egress *e, const char *channel, const char *account, const char *key)
{
	struct egress_lane *l = map_find(e->lanes, key);

	if (!e->is_started || e->is_draining)
		return;
	if (!l)
		l = lane_new(e, channel, account, key);
	l->is_poked = true;
	if (l->fiber)
		return;
	deadline_remove(&e->due, &l->due);
	deadline_add(&e->due, &l->due, now_mono_ms());
	out_lanes_pump(e);
}
