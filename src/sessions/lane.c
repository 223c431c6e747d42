/*
 * sessions/lane.c - who runs next, per session and over all.
 *
 *	lane_enter -> waits for the key -> waits for a place -> has a lease
 *
 * A lane exists while somebody holds its key or waits for it. The first in its
 * line holds the key, and then stands in the one line of all that wait for a
 * place: lanes take turns there, so a busy session cannot starve the others.
 * Waiters live in the frames of their fibers. A waiter that got its lease is
 * told by lease != NULL; nothing else is trusted after a park.
 */
#include "sessions/lane.h"

#include "core/fiber.h"
#include "core/map.h"
#include "core/mem.h"

struct lane_waiter {
	struct lane_waiter *next;
	struct fiber *fiber;
	struct lane *lane;
	struct lane_lease *lease;                /* set when it is its turn */
};

struct lane_line {
	struct lane_waiter *first, *last;
	size_t count;
};

/* is_held: a lease is out, or the key's holder stands in the line for a place. */
struct lane {
	struct lanes *all;
	struct lane_line waiting;                /* for the key */
	bool is_held;
	char *key;
};

struct lane_lease {
	struct lane *lane;
};

struct lanes {
	struct map *by_key;
	struct lane_line ready;                  /* hold their key, wait for a place */
	size_t active, max;
};

/* ---- lines ---- */

static void line_push(struct lane_line *line, struct lane_waiter *w)
{
	w->next = NULL;
	*(line->last ? &line->last->next : &line->first) = w;
	line->last = w;
	line->count++;
}

static struct lane_waiter *line_pop(struct lane_line *line)
{
	struct lane_waiter *w = line->first;

	if (!w)
		return NULL;
	line->first = w->next;
	if (!line->first)
		line->last = NULL;
	line->count--;
	return w;
}

static bool line_remove(struct lane_line *line, struct lane_waiter *w)
{
	struct lane_waiter *before = NULL;

	for (struct lane_waiter *at = line->first; at; before = at, at = at->next) {
		if (at != w)
			continue;
		*(before ? &before->next : &line->first) = w->next;
		if (line->last == w)
			line->last = before;
		line->count--;
		return true;
	}
	return false;
}

/* ---- lanes ---- */

struct lanes *lanes_new(size_t max_concurrent)
{
	struct lanes *l = ch_alloc(sizeof(*l));

	l->by_key = map_new();
	l->max = CH_MAX(max_concurrent, 1);
	return l;
}

void lanes_free(struct lanes *l)
{
	if (!l)
		return;
	CH_BUG_ON(map_len(l->by_key) > 0);       /* a lease or a waiter is left */
	map_free(l->by_key);
	ch_free(l);
}

static struct lane *lane_get(struct lanes *l, const char *key)
{
	struct lane *lane = map_find(l->by_key, key);

	if (lane)
		return lane;
	lane = ch_alloc(sizeof(*lane));
	lane->all = l;
	lane->key = ch_strdup(key);
	map_put(l->by_key, key, lane);
	return lane;
}

static void lane_drop_if_unused(struct lane *lane)
{
	if (lane->is_held || lane->waiting.count)
		return;
	map_take(lane->all->by_key, lane->key);
	ch_free(lane->key);
	ch_free(lane);
}

/* ---- moving up ---- */

static struct lane_lease *lease_new(struct lane *lane)
{
	struct lane_lease *lease = ch_alloc(sizeof(*lease));

	lease->lane = lane;
	lane->all->active++;
	return lease;
}

/* Gives free places to those that wait for one. */
static void fill_places(struct lanes *l)
{
	while (l->active < l->max && l->ready.first) {
		struct lane_waiter *w = line_pop(&l->ready);

		w->lease = lease_new(w->lane);
		fiber_wake(w->fiber);
	}
}

/* The key is free: hands it to the next in its line, or forgets the lane. */
static void pass_key(struct lane *lane)
{
	struct lane_waiter *w = line_pop(&lane->waiting);

	lane->is_held = w;
	if (w)
		line_push(&lane->all->ready, w);
	else
		lane_drop_if_unused(lane);
}

static void leave_line(struct lane_waiter *w)
{
	struct lanes *l = w->lane->all;

	if (line_remove(&l->ready, w))
		pass_key(w->lane);
	else
		CH_BUG_ON(!line_remove(&w->lane->waiting, w));
	fill_places(l);
}

ch_status lane_enter(struct lanes *l, const char *key, int64_t deadline_ms, struct lane_lease **ret,
		     struct ch_err *err)
{
	struct lane_waiter w = { .fiber = fiber_self() };
	ch_status st = CH_OK;

	if (fiber_canceled())
		return ch_fail(err, CH_E_CANCELED, "cancelled before session '%s' was free", key);
	w.lane = lane_get(l, key);
	line_push(&w.lane->waiting, &w);
	if (!w.lane->is_held)
		pass_key(w.lane);
	fill_places(l);
	while (!w.lease && !st)
		st = fiber_park(deadline_ms);
	if (w.lease && st == CH_E_CANCELED) {
		lane_leave(w.lease);
		return ch_fail(err, st, "cancelled when session '%s' became free", key);
	}
	if (w.lease) {
		*ret = w.lease;
		return CH_OK;
	}
	leave_line(&w);
	return ch_fail(err, st, st == CH_E_TIMEOUT ? "session '%s' was busy for too long" :
		       "cancelled while session '%s' was busy", key);
}

struct lane_lease *lane_try(struct lanes *l, const char *key)
{
	struct lane *lane;

	/* A free place belongs to those in line; there is none of them while one is free. */
	if (l->active >= l->max || map_find(l->by_key, key))
		return NULL;
	lane = lane_get(l, key);
	lane->is_held = true;
	return lease_new(lane);
}

void lane_leave(struct lane_lease *lease)
{
	struct lane *lane;
	struct lanes *l;

	if (!lease)
		return;
	lane = lease->lane;
	l = lane->all;
	l->active--;
	ch_free(lease);
	pass_key(lane);
	fill_places(l);
}

void lanes_set_max(struct lanes *l, size_t max_concurrent)
{
	l->max = CH_MAX(max_concurrent, 1);
	fill_places(l);
}

bool lane_is_busy(const struct lanes *l, const char *key)
{
	return map_find(l->by_key, key);
}

size_t lane_waiting(const struct lanes *l, const char *key)
{
	const struct lane *lane = map_find(l->by_key, key);
	bool head_waits = false;

	for (const struct lane_waiter *w = l->ready.first; w && lane; w = w->next)
		head_waits |= w->lane == lane;
	return lane ? lane->waiting.count + head_waits : 0;
}

size_t lanes_active(const struct lanes *l)
{
	return l->active;
}

size_t lanes_max(const struct lanes *l)
{
	return l->max;
}
