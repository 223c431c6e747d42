/*
 * core/deadline.h - what is due next: a heap of moments.
 *
 * A loop has one heap and one libuv timer for it, so that waiting with a
 * deadline costs a few moves in an array and no system call.
 *
 * Owns    the array. The entries are embedded in their owners, which take
 *         them out before they die; deadline_remove() of one that is not in
 *         the heap does nothing.
 * Order   by moment, then by the order of adding.
 * Limits  as many entries as there are waiters; growth aborts without memory.
 */
#ifndef CH_CORE_DEADLINE_H
#define CH_CORE_DEADLINE_H

#include "core/auto.h"

struct deadline {
	int64_t at_ms;                           /* on now_mono_ms()'s clock */
	uint64_t turn;                           /* of adding; breaks ties */
	size_t slot;                             /* 1-based place in the heap; 0: not in it */
	void (*fire)(struct deadline *d);        /* called after it was taken out */
};

struct deadline_heap {
	struct deadline **at;                    /* at[0] is unused */
	size_t len, cap;
	uint64_t turns;
};

void deadline_heap_done(struct deadline_heap *h);
void deadline_add(struct deadline_heap *h, struct deadline *d, int64_t at_ms);
void deadline_remove(struct deadline_heap *h, struct deadline *d);
/* The earliest, or NULL. */
struct deadline *deadline_first(const struct deadline_heap *h);
/* Fires all that were due at now_ms when this was called; what fire() adds waits for the next call. */
void deadline_expire(struct deadline_heap *h, int64_t now_ms);
/* Asserts the heap's order and the slots; for tests. */
void deadline_check(const struct deadline_heap *h);

#endif
