/*
 * gateway/replay: one effect per idempotency key, answers kept for a while.
 */
#include "gwtest.h"

#include "core/clock.h"
#include "gateway/replay.h"

static struct replay *replay;
static struct arena *arena;
static int64_t at_ms;

static int setup(void **state)
{
	at_ms = 1000;
	clock_fake(at_ms, 1795000000000);
	replay = replay_new();
	arena = arena_new(0);
	return 0;
}

static int teardown(void **state)
{
	replay_free(replay);
	arena_unref(arena);
	clock_real();
	return 0;
}

static enum replay_state begin(const char *key, const char **ret)
{
	*ret = "untouched";
	return replay_begin(replay, arena, key, ret);
}

static void test_once(void **state)
{
	const char *answer;

	assert_int_equal(begin("a", &answer), REPLAY_FRESH);
	assert_int_equal(begin("a", &answer), REPLAY_UNDER_WAY);
	assert_int_equal(begin("b", &answer), REPLAY_FRESH);
	replay_put(replay, "a", "{\"ok\":true}tail", 11);
	assert_int_equal(begin("a", &answer), REPLAY_KNOWN);
	assert_string_equal(answer, "{\"ok\":true}");
	/* Nothing was done: it may be tried again. */
	replay_drop(replay, "b");
	assert_int_equal(begin("b", &answer), REPLAY_FRESH);
}

static void test_forgets_in_time(void **state)
{
	const char *answer;

	assert_int_equal(begin("old", &answer), REPLAY_FRESH);
	assert_int_equal(begin("slow", &answer), REPLAY_FRESH);
	replay_put(replay, "old", "1", 1);
	clock_fake(at_ms += REPLAY_KEEP_MS - 1, 1795000000000);
	assert_int_equal(begin("old", &answer), REPLAY_KNOWN);
	clock_fake(at_ms += 1, 1795000000000);
	assert_int_equal(begin("old", &answer), REPLAY_FRESH);
	/* What is under way is not forgotten, however long it takes. */
	assert_int_equal(begin("slow", &answer), REPLAY_UNDER_WAY);
}

static void test_bounds(void **state)
{
	char *large = arena_alloc(arena, REPLAY_BYTES + 2), key[24];
	const char *answer;

	memset(large, '1', REPLAY_BYTES + 1);
	assert_int_equal(begin("large", &answer), REPLAY_FRESH);
	replay_put(replay, "large", large, REPLAY_BYTES + 1);
	assert_int_equal(begin("large", &answer), REPLAY_KNOWN);
	assert_null(answer);
	for (int i = 0; i < REPLAY_MAX; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		assert_int_equal(begin(key, &answer), REPLAY_FRESH);
		replay_put(replay, key, "1", 1);
	}
	assert_int_equal(begin("large", &answer), REPLAY_FRESH);         /* the oldest went */
	assert_int_equal(begin(key, &answer), REPLAY_KNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_once, setup, teardown),
		cmocka_unit_test_setup_teardown(test_forgets_in_time, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bounds, setup, teardown),
	};

	return cmocka_run_group_tests_name("gateway/replay", tests, NULL, NULL);
}
