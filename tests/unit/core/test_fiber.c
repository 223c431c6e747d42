/*
 * core/fiber: scheduling, waiting, deadlines, cancelling, joining, stacks.
 * Where time matters the clock is faked and moved by a fiber, so nothing here sleeps.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/fiber.h"
#include "core/sanitize.h"

#define SOON_MS 5000               /* a deadline that is never meant to pass */

static struct loop *loop;
static char trace[256];            /* what happened, in order */
static size_t trace_len;

static void note(const char *word)
{
	trace_len += (size_t)snprintf(trace + trace_len, sizeof(trace) - trace_len, "%s ", word);
}

static int setup(void **state)
{
	loop = loop_new();
	trace_len = 0;
	trace[0] = '\0';
	return 0;
}

static int teardown(void **state)
{
	clock_real();
	loop_free(loop);
	return 0;
}

static struct fiber *spawn(const char *name, fiber_fn fn)
{
	return fiber_spawn(loop, name, FIBER_DETACHED, fn, NULL);
}

/* ---- order ---- */

static void note_thrice(void *arg)
{
	for (int i = 0; i < 3; i++) {
		note(fiber_name(fiber_self()));
		assert_int_equal(fiber_yield(), CH_OK);
	}
}

static void test_yield_takes_turns(void **state)
{
	spawn("a", note_thrice);
	spawn("b", note_thrice);
	assert_string_equal(trace, "");
	assert_int_equal(loop_fibers(loop), 2);
	loop_run(loop);
	assert_string_equal(trace, "a b a b a b ");
	assert_int_equal(loop_fibers(loop), 0);
}

static void spawn_child(void *arg)
{
	note("parent");
	assert_ptr_equal(fiber_loop(), loop);
	fiber_spawn(fiber_loop(), "child", FIBER_DETACHED, note_thrice, NULL);
	note("goes on");
}

static void test_spawn_from_inside(void **state)
{
	spawn("p", spawn_child);
	loop_run(loop);
	assert_string_equal(trace, "parent goes on child child child ");
	assert_null(fiber_self());
	assert_null(fiber_loop());
}

static void check_name(void *arg)
{
	assert_string_equal(fiber_name(fiber_self()), "a name which is longer ");
}

static void test_long_name_is_cut(void **state)
{
	spawn("a name which is longer than its room", check_name);
	loop_run(loop);
}

/* ---- waking ---- */

static struct fiber *sleeper;

static void park_and_note(void *arg)
{
	ch_status st;

	sleeper = fiber_self();
	st = fiber_park(fiber_deadline(SOON_MS));
	note(ch_status_name(st));
	sleeper = NULL;
}

static void wake_sleeper(void *arg)
{
	note("wake");
	fiber_wake(sleeper);
	fiber_wake(sleeper); /* queued already: once is enough */
	fiber_wake(NULL);
	note("woke");
}

static void test_wake_only_queues(void **state)
{
	spawn("sleeper", park_and_note);
	spawn("waker", wake_sleeper);
	loop_run(loop);
	assert_string_equal(trace, "wake woke ok ");
}

/* A callback may complete an operation before the fiber that started it parks. */
static void wake_before_park(void *arg)
{
	fiber_wake(fiber_self());
	assert_int_equal(fiber_park(fiber_deadline(SOON_MS)), CH_OK);
	assert_int_equal(fiber_park(now_mono_ms()), CH_E_TIMEOUT);
}

static void test_wake_before_park_is_kept(void **state)
{
	spawn("f", wake_before_park);
	loop_run(loop);
}

static void on_timer_wake(void *arg)
{
	note("timer");
	fiber_wake(sleeper);
}

static void park_for_timer(void *arg)
{
	struct loop_timer *t = loop_timer_new(loop, on_timer_wake, NULL);

	loop_timer_start(t, 1);
	park_and_note(NULL);
	loop_timer_free(t);
}

static void test_wake_from_callback(void **state)
{
	spawn("sleeper", park_for_timer);
	loop_run(loop);
	assert_string_equal(trace, "timer ok ");
}

/* ---- deadlines ---- */

static void sleep_and_note(void *arg)
{
	const int64_t *ms = arg;
	char text[24];

	assert_int_equal(fiber_sleep(*ms), CH_OK);
	snprintf(text, sizeof(text), "%d", (int)*ms);
	note(text);
}

/* Moves the faked clock on by 10 ms a turn as long as others live; they may see it one step late. */
static void move_clock(void *arg)
{
	for (int64_t ms = now_mono_ms(); loop_fibers(loop) > 1; ms += 10) {
		clock_fake(ms, ms);
		(void)!fiber_yield();
	}
}

static void test_sleepers_wake_in_order(void **state)
{
	static const int64_t delays_ms[] = { 50, 10, 30, 10, 1000, 20 };

	clock_fake(1000, 1000);
	for (size_t i = 0; i < CH_ARRAY_LEN(delays_ms); i++)
		fiber_spawn(loop, "s", FIBER_DETACHED, sleep_and_note, (void *)&delays_ms[i]);
	spawn("clock", move_clock);
	loop_run(loop);
	assert_string_equal(trace, "10 10 20 30 50 1000 ");
}

static void park_until_deadline(void *arg)
{
	assert_int_equal(fiber_park(fiber_deadline(100)), CH_E_TIMEOUT);
	assert_in_range(now_mono_ms(), 1100, 1110);
	assert_int_equal(fiber_park(fiber_deadline(0)), CH_E_TIMEOUT);
	assert_int_equal(fiber_park(fiber_deadline(-5)), CH_E_TIMEOUT);
	assert_int_equal(fiber_sleep(0), CH_OK);
	assert_int_equal(fiber_sleep(-1), CH_OK);
	note("done");
}

static void test_deadline_passes(void **state)
{
	clock_fake(1000, 1000);
	spawn("f", park_until_deadline);
	spawn("clock", move_clock);
	loop_run(loop);
	assert_string_equal(trace, "done ");
}

static void sleep_while_disturbed(void *arg)
{
	sleeper = fiber_self();
	assert_int_equal(fiber_sleep(100), CH_OK);
	assert_in_range(now_mono_ms(), 1100, 1110);
	sleeper = NULL;
}

static void disturb(void *arg)
{
	for (int64_t ms = 1000; sleeper; ms += 10) {
		clock_fake(ms, ms);
		fiber_wake(sleeper);
		(void)!fiber_yield();
	}
}

static void test_sleep_ignores_spurious_wakes(void **state)
{
	clock_fake(1000, 1000);
	spawn("sleeper", sleep_while_disturbed);
	spawn("disturb", disturb);
	loop_run(loop);
}

static void test_deadline_saturates(void **state)
{
	clock_fake(1000, 1000);
	assert_int_equal(fiber_deadline(50), 1050);
	assert_int_equal(fiber_deadline(INT64_MAX), FIBER_FOREVER);
	assert_int_equal(fiber_deadline(INT64_MAX - 10), FIBER_FOREVER);
}

static void sleep_really(void *arg)
{
	int64_t start_ms = now_mono_ms();

	assert_int_equal(fiber_sleep(3), CH_OK);
	assert_in_range(now_mono_ms() - start_ms, 3, 2000);
}

static void test_real_clock(void **state)
{
	spawn("f", sleep_really);
	loop_run(loop);
}

/* ---- cancelling ---- */

static void cancel_sleeper(void *arg)
{
	fiber_cancel(sleeper);
}

static void wait_thrice(void *arg)
{
	sleeper = fiber_self();
	assert_false(fiber_canceled());
	assert_int_equal(fiber_park(fiber_deadline(SOON_MS)), CH_E_CANCELED);
	assert_true(fiber_canceled());
	/* It sticks. */
	assert_int_equal(fiber_park(fiber_deadline(SOON_MS)), CH_E_CANCELED);
	assert_int_equal(fiber_sleep(SOON_MS), CH_E_CANCELED);
	assert_int_equal(fiber_yield(), CH_E_CANCELED);
	note("stopped");
}

static void test_cancel_while_parked(void **state)
{
	spawn("sleeper", wait_thrice);
	spawn("canceler", cancel_sleeper);
	loop_run(loop);
	assert_string_equal(trace, "stopped ");
}

static void clean_up_masked(void *arg)
{
	sleeper = fiber_self();
	fiber_mask(+1);
	note("masked");
	/* The cancel comes in here and must not cut this wait short. */
	assert_int_equal(fiber_sleep(100), CH_OK);
	assert_true(fiber_canceled());
	assert_int_equal(fiber_yield(), CH_OK);
	note("cleaned");
	fiber_mask(-1);
	assert_int_equal(fiber_park(fiber_deadline(SOON_MS)), CH_E_CANCELED);
	note("stopped");
}

static void test_mask_defers_cancel(void **state)
{
	clock_fake(1000, 1000);
	spawn("sleeper", clean_up_masked);
	spawn("canceler", cancel_sleeper);
	spawn("clock", move_clock);
	loop_run(loop);
	assert_string_equal(trace, "masked cleaned stopped ");
}

static void test_cancel_before_first_run(void **state)
{
	fiber_cancel(spawn("f", park_and_note));
	fiber_cancel(NULL);
	loop_run(loop);
	assert_string_equal(trace, "canceled ");
}

static void wake_and_cancel_sleeper(void *arg)
{
	fiber_wake(sleeper);
	fiber_cancel(sleeper);
}

static void test_cancel_wins_over_wake(void **state)
{
	spawn("sleeper", park_and_note);
	spawn("both", wake_and_cancel_sleeper);
	loop_run(loop);
	assert_string_equal(trace, "canceled ");
}

/* ---- joining ---- */

static void join_several_ways(void *arg)
{
	struct fiber *quick = fiber_spawn(loop, "quick", FIBER_JOINABLE, note_thrice, NULL);
	struct fiber *slow = fiber_spawn(loop, "slow", FIBER_JOINABLE, park_and_note, NULL);
	struct fiber *left = fiber_spawn(loop, "left", FIBER_JOINABLE, note_thrice, NULL);

	assert_int_equal(fiber_join(quick, fiber_deadline(SOON_MS)), CH_OK);
	note("joined");
	assert_int_equal(fiber_join(slow, now_mono_ms()), CH_E_TIMEOUT);
	/* The reference was kept, so it can be cancelled and joined after all. */
	fiber_cancel(slow);
	assert_int_equal(fiber_join(slow, fiber_deadline(SOON_MS)), CH_OK);
	fiber_detach(left); /* ended already */
	fiber_detach(fiber_spawn(loop, "x", FIBER_JOINABLE, note_thrice, NULL));
}

static void test_join(void **state)
{
	spawn("joiner", join_several_ways);
	loop_run(loop);
	assert_string_equal(trace, "quick left quick left quick left joined canceled x x x ");
}

static void join_while_canceled(void *arg)
{
	struct fiber *child = fiber_spawn(loop, "child", FIBER_JOINABLE, park_and_note, NULL);

	fiber_cancel(fiber_self());
	assert_int_equal(fiber_join(child, fiber_deadline(SOON_MS)), CH_E_CANCELED);
	fiber_cancel(child);
	fiber_mask(+1);
	assert_int_equal(fiber_join(child, fiber_deadline(SOON_MS)), CH_OK);
	fiber_mask(-1);
}

static void test_join_canceled_keeps_the_reference(void **state)
{
	spawn("joiner", join_while_canceled);
	loop_run(loop);
	assert_string_equal(trace, "canceled ");
}

/* ---- conditions ---- */

static struct fiber_cond cond;

static void cond_wait_and_note(void *arg)
{
	ch_status st = fiber_cond_wait(&cond, fiber_deadline(100));

	note(fiber_name(fiber_self()));
	note(ch_status_name(st));
}

static void signal_one_cancel_it(void *arg)
{
	/* a is first in line; its signal must go on to b when it is cancelled. */
	fiber_cond_signal(&cond);
	fiber_cancel(arg);
}

static void test_cond_signal_is_not_lost(void **state)
{
	struct fiber *a;

	fiber_cond_init(&cond);
	clock_fake(1000, 1000);
	a = spawn("a", cond_wait_and_note);
	spawn("b", cond_wait_and_note);
	spawn("c", cond_wait_and_note);
	fiber_spawn(loop, "s", FIBER_DETACHED, signal_one_cancel_it, a);
	spawn("clock", move_clock);
	loop_run(loop);
	assert_string_equal(trace, "a canceled b ok c timeout ");
	assert_null(cond.waiters.head);
	assert_null(cond.waiters.tail);
}

static void broadcast(void *arg)
{
	fiber_cond_broadcast(&cond);
	fiber_cond_signal(&cond); /* nobody waits: nothing happens */
}

static void test_cond_broadcast(void **state)
{
	fiber_cond_init(&cond);
	spawn("a", cond_wait_and_note);
	spawn("b", cond_wait_and_note);
	spawn("s", broadcast);
	loop_run(loop);
	assert_string_equal(trace, "a ok b ok ");
}

/* ---- the switch check ---- */

static int checks;

static void count_check(void)
{
	checks++;
}

static void test_switch_check_runs(void **state)
{
	checks = 0;
	fiber_set_switch_check(count_check);
	spawn("f", note_thrice);
	loop_run(loop);
	fiber_set_switch_check(NULL);
	assert_int_equal(checks, 4); /* three yields and the end */
}

/* ---- stacks ---- */

#ifdef SANITIZE_THREAD
#define MANY 500                   /* TSan keeps half a megabyte for each */
#else
#define MANY 10000
#endif

static int awake;

static void sleep_among_many(void *arg)
{
	assert_int_equal(fiber_sleep(100), CH_OK);
	awake++;
}

static void test_ten_thousand(void **state)
{
	awake = 0;
	clock_fake(1000, 1000);
	for (int i = 0; i < MANY; i++)
		spawn("many", sleep_among_many);
	spawn("clock", move_clock);
	loop_run(loop);
	assert_int_equal(awake, MANY);
}

/* Uses about `bytes` of stack and gives a sum, so that no compiler may drop it. */
static __attribute__((noinline)) int use_stack(int bytes)
{
	volatile char block[1024];

	for (size_t i = 0; i < sizeof(block); i++)
		block[i] = (char)i;
	return (bytes > 1024 ? use_stack(bytes - 1024) : 0) + block[bytes & 1023];
}

static size_t resident_pages(char *from, char *to)
{
	unsigned char pages[FIBER_STACK_BYTES / 4096 + 1];
	size_t n = (size_t)(to - from) / 4096, count = 0;

	assert_int_equal(mincore(from, n * 4096, pages), 0);
	for (size_t i = 0; i < n; i++)
		count += pages[i] & 1;
	return count;
}

static void go_deep_and_trim(void *arg)
{
	char *here = (char *)((uintptr_t)__builtin_frame_address(0) & ~(uintptr_t)4095);

	(void)use_stack(100 * 1024);
	assert_in_range(resident_pages(here - 96 * 1024, here), 20, 24);
	fiber_trim();
	assert_in_range(resident_pages(here - 96 * 1024, here), 0, 3);
	(void)use_stack(100 * 1024); /* and it can be used again */
}

static void test_trim_gives_memory_back(void **state)
{
	spawn("deep", go_deep_and_trim);
	loop_run(loop);
}

static char *deep_page;

static void go_deep(void *arg)
{
	deep_page = (char *)((uintptr_t)__builtin_frame_address(0) & ~(uintptr_t)4095) - 64 * 1024;
	(void)use_stack(100 * 1024);
	assert_int_equal(resident_pages(deep_page, deep_page + 4096), 1);
}

static void test_pooled_stack_is_trimmed(void **state)
{
	spawn("deep", go_deep);
	loop_run(loop);
	assert_int_equal(resident_pages(deep_page, deep_page + 4096), 0);
}

static void overflow(void *arg)
{
	(void)use_stack(1 << 30);
}

static void check_overflow(void)
{
	struct loop *l = loop_new();

	fiber_spawn(l, "overflow", FIBER_DETACHED, overflow, NULL);
	loop_run(l);
	_exit(0);
}

/* In a child of ours: it must die at the guard, whatever the stack of another fiber is next to it. */
static void test_overflow_hits_the_guard(void **state)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		/* The sanitizers' and cmocka's handlers would write a report; we want the plain signal. */
		signal(SIGSEGV, SIG_DFL);
		signal(SIGBUS, SIG_DFL);
		check_overflow();
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSEGV);
}

/* ---- the loop ---- */

static void note_arg(void *arg)
{
	note(arg);
}

static void defer_two(void *arg)
{
	loop_defer(loop, note_arg, "first");
	loop_defer(loop, note_arg, "second");
	note("now");
}

static void test_defer_runs_at_the_end_of_the_turn(void **state)
{
	spawn("d", defer_two);
	spawn("n", note_thrice);
	loop_run(loop);
	assert_string_equal(trace, "now n n first second n ");
	loop_defer(loop, note_arg, "left");
	/* teardown's loop_free() runs it. */
}

static void stop_loop(void *arg)
{
	loop_stop(loop);
	assert_int_equal(fiber_yield(), CH_OK);
	note("after");
}

static void test_stop_and_go_on(void **state)
{
	spawn("s", stop_loop);
	loop_run(loop);
	note("returned");
	loop_run(loop);
	assert_string_equal(trace, "after returned ");
}

static struct loop_timer *again;

static void rearm_or_free(void *arg)
{
	int *left = arg;

	note("tick");
	if (--*left)
		loop_timer_start(again, 0);
	else
		loop_timer_free(again);
}

static void test_timer_rearms_and_frees_itself(void **state)
{
	int left = 3;
	struct loop_timer *stopped = loop_timer_new(loop, rearm_or_free, NULL);

	again = loop_timer_new(loop, rearm_or_free, &left);
	loop_timer_start(again, 1);
	loop_timer_start(again, 0); /* restarting moves it */
	loop_timer_start(stopped, 0);
	loop_timer_stop(stopped);
	loop_run(loop);
	assert_string_equal(trace, "tick tick tick ");
	loop_timer_free(stopped);
	loop_timer_free(NULL);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_yield_takes_turns),
		TEST(test_spawn_from_inside),
		TEST(test_long_name_is_cut),
		TEST(test_wake_only_queues),
		TEST(test_wake_before_park_is_kept),
		TEST(test_wake_from_callback),
		TEST(test_sleepers_wake_in_order),
		TEST(test_deadline_passes),
		TEST(test_sleep_ignores_spurious_wakes),
		TEST(test_deadline_saturates),
		TEST(test_real_clock),
		TEST(test_cancel_while_parked),
		TEST(test_mask_defers_cancel),
		TEST(test_cancel_before_first_run),
		TEST(test_cancel_wins_over_wake),
		TEST(test_join),
		TEST(test_join_canceled_keeps_the_reference),
		TEST(test_cond_signal_is_not_lost),
		TEST(test_cond_broadcast),
		TEST(test_switch_check_runs),
		TEST(test_ten_thousand),
		TEST(test_trim_gives_memory_back),
		TEST(test_pooled_stack_is_trimmed),
		TEST(test_overflow_hits_the_guard),
		TEST(test_defer_runs_at_the_end_of_the_turn),
		TEST(test_stop_and_go_on),
		TEST(test_timer_rearms_and_frees_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
