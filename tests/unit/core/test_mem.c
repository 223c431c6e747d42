/*
 * core/mem: zeroed memory, copies, sizes that cannot be had.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "core/mem.h"

static void test_zeroed(void **state)
{
	CH_AUTO_STR char *a = ch_alloc(100);
	CH_AUTO_STR char *b = ch_calloc(10, 10);
	CH_AUTO_STR char *c = ch_try_alloc(100);
	CH_AUTO(ch_free) void *none = ch_alloc(0);

	assert_non_null(c);
	assert_non_null(none);
	for (size_t i = 0; i < 100; i++)
		assert_true(!a[i] && !b[i] && !c[i]);
}

static void test_strings(void **state)
{
	CH_AUTO_STR char *a = ch_strdup("abc");
	CH_AUTO_STR char *b = ch_strndup("abcdef", 3);
	CH_AUTO_STR char *c = ch_strndup("ab", 30);
	CH_AUTO_STR char *d = ch_asprintf("%s-%d", "x", 7);

	assert_string_equal(a, "abc");
	assert_string_equal(b, "abc");
	assert_string_equal(c, "ab");
	assert_string_equal(d, "x-7");
	assert_null(ch_strdup(NULL));
	assert_null(ch_strndup(NULL, 3));
}

static void test_grow_and_free(void **state)
{
	char *p = ch_realloc(NULL, 10);

	memcpy(p, "123456789", 10);
	p = ch_realloc(p, 10000);
	assert_string_equal(p, "123456789");
	p = ch_try_realloc(p, 20000);
	assert_string_equal(p, "123456789");
	ch_free_wipe(p, 20000);
	ch_free_wipe(NULL, 5);
	ch_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_zeroed),
		cmocka_unit_test(test_strings),
		cmocka_unit_test(test_grow_and_free),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
