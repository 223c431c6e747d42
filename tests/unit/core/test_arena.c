/*
 * core/arena: alignment, ceiling, clearing, counting.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "core/arena.h"
#include "core/sanitize.h"

static void test_aligned_and_apart(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	char *blocks[200];

	for (size_t i = 0; i < CH_ARRAY_LEN(blocks); i++) {
		blocks[i] = arena_alloc(a, i);
		assert_int_equal((uintptr_t)blocks[i] % 16, 0);
		for (size_t k = 0; k < i; k++)
			assert_int_equal(blocks[i][k], 0);
		memset(blocks[i], (int)(i & 0x7f), i);
	}
	for (size_t i = 0; i < CH_ARRAY_LEN(blocks); i++)
		for (size_t k = 0; k < i; k++)
			assert_int_equal(blocks[i][k], (int)(i & 0x7f));
}

static void test_ceiling(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(10000);
	size_t before;

	assert_null(arena_try_alloc(a, 10001));
	assert_null(arena_try_alloc(a, SIZE_MAX));
	assert_null(arena_try_alloc(a, SIZE_MAX - 8));
	assert_non_null(arena_try_alloc(a, 6000));
	before = arena_used(a);
	assert_true(before >= 6000);
	assert_null(arena_try_alloc(a, 6000));
	assert_int_equal(arena_used(a), before);
	assert_non_null(arena_try_alloc(a, 3000));
	arena_clear(a);
	assert_int_equal(arena_used(a), 0);
	assert_non_null(arena_try_alloc(a, 9000));
}

/* A big block must not waste the rest of the chunk that small ones come from. */
static void test_big_blocks_leave_the_chunk(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	char *first = arena_alloc(a, 16), *big = arena_alloc(a, 100000), *second = arena_alloc(a, 16);

	memset(big, 1, 100000);
	assert_true(second > first && second < first + 256);
}

static void test_counted(void **state)
{
	struct arena *a = arena_new(0);
	char *s = arena_strdup(a, "kept");

	assert_ptr_equal(arena_ref(a), a);
	arena_unref(a);
	assert_string_equal(s, "kept");
	arena_unref(a);
	arena_unref(NULL);
}

static void test_strings(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	char pad[1000];

	memset(pad, 'p', sizeof(pad) - 1);
	pad[sizeof(pad) - 1] = '\0';
	assert_null(arena_strdup(a, NULL));
	assert_null(arena_strndup(a, NULL, 3));
	assert_string_equal(arena_strdup(a, ""), "");
	assert_string_equal(arena_strndup(a, "abcdef", 3), "abc");
	assert_string_equal(arena_strndup(a, "ab", 30), "ab");
	assert_string_equal(arena_printf(a, "%d-%s", 7, "x"), "7-x");
	assert_int_equal(strlen(arena_printf(a, "<%s>", pad)), sizeof(pad) + 1);
}

#ifdef SANITIZE_ADDRESS
static void test_free_room_is_poisoned(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	char *p = arena_alloc(a, 20), *q = arena_alloc(a, 5000);

	assert_false(__asan_address_is_poisoned(p + 19));
	assert_true(__asan_address_is_poisoned(p + 20));
	assert_true(__asan_address_is_poisoned(q + 5000));
	arena_clear(a);
	assert_true(__asan_address_is_poisoned(p));
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_aligned_and_apart),
		cmocka_unit_test(test_ceiling),
		cmocka_unit_test(test_big_blocks_leave_the_chunk),
		cmocka_unit_test(test_counted),
		cmocka_unit_test(test_strings),
#ifdef SANITIZE_ADDRESS
		cmocka_unit_test(test_free_room_is_poisoned),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
