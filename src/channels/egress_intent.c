/*
 * channels/egress_intent.c - intents on disk, together: a write that survives a loss of power costs the same for one and for many.
 */
#include "channels/egress_priv.h"

#include "core/clock.h"
#include "core/vec.h"

struct egress_intent {
	struct egress_intent *next;
	struct fiber *fiber;
	int64_t row_id;
	bool is_over;
	ch_status st;
	struct ch_err err;
};

/* At the end of the turn; the lanes are parked until it is over. */
static void commit(void *arg)
{
	struct chan_egress *e = arg;
	struct egress_intent *all = CH_TAKE(e->intents);
	struct ch_err err = { 0 };
	VEC(int64_t) ids = VEC_INIT;
	ch_status st;

	for (struct egress_intent *i = all; i; i = i->next)
		vec_push(&ids, i->row_id);
	st = outbox_intend(e->db, ids.at, ids.len, now_wall_ms(), &err);
	vec_done(&ids);
	for (struct egress_intent *i = all, *next; i; i = next) {
		next = i->next;
		i->is_over = true;
		i->st = st;
		i->err = err;
		fiber_wake(i->fiber);
	}
}

CH_FIBER ch_status egress_intend(struct chan_egress *e, int64_t row_id, struct ch_err *err)
{
	struct egress_intent mine = { .next = e->intents, .fiber = fiber_self(), .row_id = row_id };
	bool is_first = !e->intents;

	e->intents = &mine;
	if (is_first)
		loop_defer(chan_host_loop(e->host), commit, e);
	/* The list holds this stack: a cancel waits, and no longer than this turn. */
	fiber_mask(1);
	while (!mine.is_over)
		if (fiber_park(FIBER_FOREVER))
			continue;
	fiber_mask(-1);
	return mine.st ? ch_fail(err, mine.st, "%s", mine.err.text) : CH_OK;
}
