/*
 * gateway/limiter, with the clock standing still.
 */
#include "gwtest.h"

#include "core/clock.h"
#include "gateway/limiter.h"

static const struct limiter_opts opts = { .max_attempts = 10, .window_ms = 60000, .lockout_ms = 300000 };

static void test_lockout(void **state)
{
	struct limiter *l = limiter_new(&opts);

	clock_fake(1000, 1000);
	for (int i = 0; i < 9; i++)
		assert_int_equal(limiter_fail(l, "shared-secret", "10.0.0.1", false), 0);
	assert_int_equal(limiter_wait_ms(l, "shared-secret", "10.0.0.1"), 0);
	limiter_fail(l, "shared-secret", "10.0.0.1", false);
	assert_int_equal(limiter_wait_ms(l, "shared-secret", "10.0.0.1"), 300000);
	assert_int_equal(limiter_wait_ms(l, "shared-secret", "10.0.0.2"), 0);
	assert_int_equal(limiter_wait_ms(l, "device-token", "10.0.0.1"), 0);
	clock_fake(300999, 300999);
	assert_int_equal(limiter_wait_ms(l, "shared-secret", "10.0.0.1"), 1);
	clock_fake(301000, 301000);
	assert_int_equal(limiter_wait_ms(l, "shared-secret", "10.0.0.1"), 0);
	limiter_free(l);
	clock_real();
}

static void test_window(void **state)
{
	struct limiter *l = limiter_new(&opts);

	clock_fake(0, 0);
	for (int i = 0; i < 9; i++)
		limiter_fail(l, "c", "s", false);
	clock_fake(60000, 60000);        /* a new window */
	limiter_fail(l, "c", "s", false);
	assert_int_equal(limiter_wait_ms(l, "c", "s"), 0);
	limiter_free(l);
	clock_real();
}

static void test_reset(void **state)
{
	struct limiter *l = limiter_new(&opts);

	clock_fake(0, 0);
	for (int i = 0; i < 9; i++)
		limiter_fail(l, "c", "s", false);
	limiter_reset(l, "c", "s");
	for (int i = 0; i < 9; i++)
		limiter_fail(l, "c", "s", false);
	assert_int_equal(limiter_wait_ms(l, "c", "s"), 0);
	limiter_free(l);
	clock_real();
}

/* Loopback is never locked out, but each failure costs more. */
static void test_exempt(void **state)
{
	static const int64_t delays[] = { 250, 500, 1000, 2000, 4000, 5000, 5000 };
	struct limiter *l = limiter_new(&opts);

	clock_fake(0, 0);
	for (size_t i = 0; i < CH_ARRAY_LEN(delays); i++)
		assert_int_equal(limiter_fail(l, "c", "127.0.0.1", true), delays[i]);
	for (int i = 0; i < 100; i++)
		limiter_fail(l, "c", "127.0.0.1", true);
	assert_int_equal(limiter_wait_ms(l, "c", "127.0.0.1"), 0);
	limiter_reset(l, "c", "127.0.0.1");
	assert_int_equal(limiter_fail(l, "c", "127.0.0.1", true), 250);
	limiter_free(l);
	clock_real();
}

/* A stranger with many addresses cannot fill memory, and cannot push a lockout out while others are stale. */
static void test_many_sources(void **state)
{
	struct limiter *l = limiter_new(&opts);
	char source[32];

	clock_fake(0, 0);
	for (int i = 0; i < LIMITER_SOURCES; i++) {
		snprintf(source, sizeof(source), "s%d", i);
		limiter_fail(l, "c", source, false);
	}
	for (int i = 0; i < 10; i++)
		limiter_fail(l, "c", "s0", false);
	assert_true(limiter_wait_ms(l, "c", "s0") > 0);
	clock_fake(60000, 60000);
	limiter_fail(l, "c", "one more", false);
	assert_true(limiter_wait_ms(l, "c", "s0") > 0);
	for (int i = 0; i < 3 * LIMITER_SOURCES; i++) {
		snprintf(source, sizeof(source), "t%d", i);
		limiter_fail(l, "c", source, false);
	}
	limiter_free(l);
	clock_real();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lockout),      cmocka_unit_test(test_window),
		cmocka_unit_test(test_reset),        cmocka_unit_test(test_exempt),
		cmocka_unit_test(test_many_sources),
	};

	return cmocka_run_group_tests_name("gateway/limiter", tests, NULL, NULL);
}
