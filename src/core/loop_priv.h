/*
 * core/loop_priv.h - what the loop and its fibers know of each other; for
 * loop.c, fiber.c and fiber_cond.c only.
 *
 * One turn of the loop, in libuv's order:
 *
 *	timers  idle  prepare: due deadlines, ready fibers
 *	              poll:    callbacks, which record and wake
 *	              check:   due deadlines, ready fibers, deferred calls
 *	closing
 *
 * Poll blocks only when nothing is ready and nothing is deferred: the idle
 * handle runs as long as one of them is not empty.
 */
#ifndef CH_CORE_LOOP_PRIV_H
#define CH_CORE_LOOP_PRIV_H

#include <setjmp.h>

#include "core/deadline.h"
#include "core/fiber_stack.h"
#include "core/loop.h"

struct fiber;

struct fiber_queue {
	struct fiber *head, *tail;       /* both NULL, or neither */
};

struct fiber_sched {
	jmp_buf env;                     /* the scheduler, while a fiber runs */
	struct fiber_queue ready;        /* run in this phase */
	struct fiber_queue yielded;      /* run in the next one */
	struct fiber *live;              /* all that have not ended */
	size_t live_count;
	struct fiber_stack_pool pool;
	void *asan_fake_stack;           /* of the thread's own stack, while a fiber runs */
	const void *asan_base;           /* the thread's own stack */
	size_t asan_size;
	void *tsan_fiber;
};

struct loop_deferred {
	void (*fn)(void *arg);
	void *arg;
};

struct loop {
	uv_loop_t uv;
	uv_prepare_t prepare;
	uv_check_t check;
	uv_idle_t idle;
	uv_timer_t timer;                /* fires at armed_ms; deadlines are looked at in each phase anyway */
	int64_t armed_ms;                /* INT64_MAX: the timer is off */
	bool is_in_phase;
	struct deadline_heap deadlines;
	struct fiber_sched sched;
	struct loop_deferred *deferred;
	size_t deferred_len, deferred_cap;
};

void loop_deadline_add(struct loop *l, struct deadline *d, int64_t at_ms);
void loop_deadline_remove(struct loop *l, struct deadline *d);
/* Something is ready: the next poll must not block. */
void loop_kick(struct loop *l);

/* Runs what is ready, but bounded, so that the loop gets to its sockets. */
void fiber_run_ready(struct loop *l);
/* Asserts that none is alive and frees the pool. */
void fiber_sched_done(struct loop *l);

#endif
