/*
 * core/deadline.c - binary heap of embedded entries that know their place.
 */
#include "core/deadline.h"

#include "core/err.h"
#include "core/mem.h"

#define FIRST_CAP 32u

static bool is_before(const struct deadline *a, const struct deadline *b)
{
	return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->turn < b->turn;
}

static void put(struct deadline_heap *h, size_t slot, struct deadline *d)
{
	h->at[slot] = d;
	d->slot = slot;
}

/* Puts d in the hole at slot, or above it. */
static void sift_up(struct deadline_heap *h, size_t slot, struct deadline *d)
{
	while (slot > 1 && is_before(d, h->at[slot / 2])) {
		put(h, slot, h->at[slot / 2]);
		slot /= 2;
	}
	put(h, slot, d);
}

/* Puts d in the hole at slot, or below it. */
static void sift_down(struct deadline_heap *h, size_t slot, struct deadline *d)
{
	size_t child;

	while ((child = 2 * slot) <= h->len) {
		if (child < h->len && is_before(h->at[child + 1], h->at[child]))
			child++;
		if (!is_before(h->at[child], d))
			break;
		put(h, slot, h->at[child]);
		slot = child;
	}
	put(h, slot, d);
}

void deadline_heap_done(struct deadline_heap *h)
{
	ch_free(h->at);
	*h = (struct deadline_heap){ 0 };
}

void deadline_add(struct deadline_heap *h, struct deadline *d, int64_t at_ms)
{
	CH_BUG_ON(d->slot);
	if (h->len + 1 >= h->cap) {
		h->cap = h->cap ? 2 * h->cap : FIRST_CAP;
		h->at = ch_realloc(h->at, h->cap * sizeof(*h->at));
	}
	d->at_ms = at_ms;
	d->turn = h->turns++;
	sift_up(h, ++h->len, d);
}

void deadline_remove(struct deadline_heap *h, struct deadline *d)
{
	size_t slot = d->slot;
	struct deadline *last;

	if (!slot)
		return;
	d->slot = 0;
	last = h->at[h->len--];
	if (last == d)
		return;
	if (slot > 1 && is_before(last, h->at[slot / 2]))
		sift_up(h, slot, last);
	else
		sift_down(h, slot, last);
}

struct deadline *deadline_first(const struct deadline_heap *h)
{
	return h->len ? h->at[1] : NULL;
}

void deadline_expire(struct deadline_heap *h, int64_t now_ms)
{
	uint64_t end = h->turns;
	struct deadline *d;

	while ((d = deadline_first(h)) && d->at_ms <= now_ms && d->turn < end) {
		deadline_remove(h, d);
		d->fire(d);
	}
}

void deadline_check(const struct deadline_heap *h)
{
	for (size_t i = 1; i <= h->len; i++) {
		CH_BUG_ON(h->at[i]->slot != i);
		CH_BUG_ON(i > 1 && is_before(h->at[i], h->at[i / 2]));
	}
}
