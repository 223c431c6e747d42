/*
 * channels/pace: rates over an account and to one peer, bursts, pauses, order.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "channels/pace.h"
#include "core/clock.h"

static const struct chan_limits limits = { .rate = 10, .burst = 3, .peer_rate = 1, .peer_burst = 1 };
static struct pace *p;

static int set_up(void **state)
{
	clock_fake(1000000, 1795332738000);
	p = pace_new();
	return 0;
}

static int tear_down(void **state)
{
	pace_free(p);
	clock_real();
	return 0;
}

static void pass(int64_t ms)
{
	clock_fake(now_mono_ms() + ms, now_wall_ms() + ms);
}

static int64_t take(const char *peer, int64_t max_wait_ms)
{
	return pace_take(p, "telegram", "default", peer, &limits, max_wait_ms);
}

static void test_burst_then_rate(void **state)
{
	assert_int_equal(take("1", 10000), 0);
	assert_int_equal(take("2", 10000), 0);
	assert_int_equal(take("3", 10000), 0);
	assert_int_equal(take("4", 10000), 100);
	assert_int_equal(take("5", 10000), 200);         /* in the order of asking */
	pass(1000);
	assert_int_equal(take("6", 10000), 0);
}

static void test_a_peer_is_slower_than_the_account(void **state)
{
	assert_int_equal(take("1", 10000), 0);
	assert_int_equal(take("1", 10000), 1000);
	assert_int_equal(take("2", 10000), 0);
	assert_int_equal(take(NULL, 10000), 100);        /* the account alone */
}

static void test_what_comes_too_late_takes_nothing(void **state)
{
	assert_int_equal(take("1", 0), 0);
	assert_int_equal(take("1", 500), -1);
	assert_int_equal(take("1", 500), -1);
	assert_int_equal(take("1", 1000), 1000);
}

static void test_a_pause_holds_for_whom_it_was_said(void **state)
{
	pace_pause(p, "telegram", "default", "1", 5000);
	assert_int_equal(pace_paused_ms(p, "telegram", "default", "1"), 5000);
	assert_int_equal(pace_paused_ms(p, "telegram", "default", "2"), 0);
	assert_int_equal(take("1", 10000), 5000);
	assert_int_equal(take("2", 10000), 0);           /* one who waits holds up nobody */
	pace_pause(p, "telegram", "default", NULL, 9000);
	pace_pause(p, "telegram", "default", NULL, 10);  /* a shorter one ends nothing */
	assert_int_equal(pace_paused_ms(p, "telegram", "default", "2"), 9000);
	assert_int_equal(pace_paused_ms(p, "telegram", "work", "2"), 0);
	pass(9000);
	assert_int_equal(pace_paused_ms(p, "telegram", "default", "2"), 0);
}

static void test_peers_that_rest_are_forgotten(void **state)
{
	char peer[16];

	for (int i = 0; i < 3 * PACE_KEPT; i++) {
		snprintf(peer, sizeof(peer), "%d", i);
		pass(200);
		assert_int_equal(take(peer, 0), 0);
	}
}

static void test_no_rate_is_no_wait(void **state)
{
	static const struct chan_limits none = { .rate = 0 };

	for (int i = 0; i < 100; i++)
		assert_int_equal(pace_take(p, "irc", "default", "#room", &none, 0), 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_burst_then_rate),
		T(test_a_peer_is_slower_than_the_account),
		T(test_what_comes_too_late_takes_nothing),
		T(test_a_pause_holds_for_whom_it_was_said),
		T(test_peers_that_rest_are_forgotten),
		T(test_no_rate_is_no_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
