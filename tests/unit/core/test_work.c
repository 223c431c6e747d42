/*
 * core/work: results, and cancelling before, while and after a thread runs it.
 * The threads are held by pipes, not by sleeping.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <unistd.h>

#include "core/work.h"
#include "in_fiber.h"

#define THREADS 4                  /* libuv's default */

static void add_one(void *arg)
{
	++*(int *)arg;
}

static void run_ten(void *arg)
{
	int n = 0;

	for (int i = 0; i < 10; i++)
		assert_int_equal(work_run(add_one, &n, NULL), CH_OK);
	assert_int_equal(n, 10);
}

static void test_runs(void **state)
{
	in_fiber(run_ten, NULL);
}

/* A piece of work that blocks until a byte comes through its pipe. */
struct held {
	int fds[2];
	int began[2];
	bool has_run;
	struct fiber *fiber;
	ch_status st;
};

static void hold(void *arg)
{
	struct held *h = arg;
	char byte = 0;

	if (write(h->began[1], &byte, 1) == 1 && read(h->fds[0], &byte, 1) == 1)
		h->has_run = true;
}

static void run_held(void *arg)
{
	struct held *h = arg;
	struct ch_err err = { 0 };

	h->st = work_run(hold, h, &err);
	assert_int_equal(err.code, h->st);
}

static void held_init(struct held *h)
{
	*h = (struct held){ 0 };
	assert_int_equal(pipe(h->fds), 0);
	assert_int_equal(pipe(h->began), 0);
	h->fiber = fiber_spawn(fiber_loop(), "held", FIBER_JOINABLE, run_held, h);
}

static void held_done(struct held *h)
{
	for (int i = 0; i < 2; i++) {
		close(h->fds[i]);
		close(h->began[i]);
	}
}

static void let_go(struct held *h)
{
	assert_int_equal(write(h->fds[1], "x", 1), 1);
}

static void await_begin(struct held *h)
{
	char byte;

	assert_int_equal(read(h->began[0], &byte, 1), 1);
}

static void cancel_running(void *arg)
{
	struct held h;

	held_init(&h);
	assert_int_equal(fiber_yield(), CH_OK);
	await_begin(&h);
	fiber_cancel(h.fiber);
	/* It has to wait for the thread, which uses its frame. */
	for (int i = 0; i < 5; i++)
		assert_int_equal(fiber_yield(), CH_OK);
	assert_int_equal(fiber_join(h.fiber, 0), CH_E_TIMEOUT);
	let_go(&h);
	assert_int_equal(fiber_join(h.fiber, fiber_deadline(5000)), CH_OK);
	assert_true(h.has_run);
	assert_int_equal(h.st, CH_E_CANCELED);
	held_done(&h);
}

static void test_cancel_waits_for_the_thread(void **state)
{
	in_fiber(cancel_running, NULL);
}

static void cancel_queued(void *arg)
{
	struct held blockers[THREADS], queued;

	for (int i = 0; i < THREADS; i++)
		held_init(&blockers[i]);
	assert_int_equal(fiber_yield(), CH_OK);
	for (int i = 0; i < THREADS; i++)
		await_begin(&blockers[i]);
	held_init(&queued);
	assert_int_equal(fiber_yield(), CH_OK);
	fiber_cancel(queued.fiber);
	/* No thread is free, so it is taken out of the queue and ends at once. */
	assert_int_equal(fiber_join(queued.fiber, fiber_deadline(5000)), CH_OK);
	assert_int_equal(queued.st, CH_E_CANCELED);
	assert_false(queued.has_run);
	for (int i = 0; i < THREADS; i++) {
		let_go(&blockers[i]);
		assert_int_equal(fiber_join(blockers[i].fiber, fiber_deadline(5000)), CH_OK);
		assert_int_equal(blockers[i].st, CH_OK);
		held_done(&blockers[i]);
	}
	held_done(&queued);
}

static void test_cancel_takes_it_from_the_queue(void **state)
{
	in_fiber(cancel_queued, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_runs),
		cmocka_unit_test(test_cancel_waits_for_the_thread),
		cmocka_unit_test(test_cancel_takes_it_from_the_queue),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
