/*
 * in_fiber.h - for tests whose subject waits: a loop with one fiber in it.
 */
#ifndef CH_TESTS_IN_FIBER_H
#define CH_TESTS_IN_FIBER_H

#include "core/fiber.h"

/* Runs fn(arg) in a fiber of a fresh loop until nothing is left to do; loop_free() checks for leftovers. */
static inline void in_fiber(fiber_fn fn, void *arg)
{
	struct loop *l = loop_new();

	fiber_spawn(l, "test", FIBER_DETACHED, fn, arg);
	loop_run(l);
	loop_free(l);
}

#endif
