/*
 * core/fiber_stack.h - the memory a fiber runs on; private to core/fiber.c
 * and core/loop.c.
 *
 * Owns    FIBER_STACK_BYTES of lazily committed memory above a guard area, and
 *         the place where execution on it was left.
 * Lives   taken for a fiber's run and given back to its loop's pool, which
 *         keeps STACK_POOL_MAX of them and unmaps the rest.
 * Fails   aborts when the system gives no mapping: two mappings per running
 *         fiber, vm.max_map_count in all, is far above the gateway's limits.
 */
#ifndef CH_CORE_FIBER_STACK_H
#define CH_CORE_FIBER_STACK_H

#include <setjmp.h>

#include "core/auto.h"

#define STACK_POOL_MAX 64u

struct fiber_stack {
	jmp_buf env;             /* where it was left, once it is started */
	char *base;              /* lowest usable byte; the guard is below it */
	bool is_started;
	unsigned valgrind_id;
	void *asan_fake_stack;
	void *tsan_fiber;
};

struct fiber_stack_pool {
	struct fiber_stack *free[STACK_POOL_MAX];
	size_t len;
};

struct fiber_stack *fiber_stack_take(struct fiber_stack_pool *pool);
void fiber_stack_give(struct fiber_stack_pool *pool, struct fiber_stack *s);
void fiber_stack_pool_done(struct fiber_stack_pool *pool);
/* Gives the pages wholly below `from` (an address on s) back to the system. */
void fiber_stack_trim(struct fiber_stack *s, const void *from);

#endif
