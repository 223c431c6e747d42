/*
 * core/regex.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "core/regex.h"

static ch_status find(const char *pattern, int flags, const char *text, size_t *start, size_t *end)
{
	CH_AUTO(regex_free) struct regex *re = NULL;

	assert_int_equal(regex_compile(pattern, strlen(pattern), flags, &re, NULL), CH_OK);
	return regex_find(re, text, strlen(text), 0, start, end);
}

static void test_find(void **state)
{
	size_t s = 0, e = 0;

	(void)state;
	assert_int_equal(find("b+", 0, "abbc", &s, &e), CH_OK);
	assert_int_equal(s, 1);
	assert_int_equal(e, 3);
	assert_int_equal(find("x", 0, "abbc", NULL, NULL), CH_E_NOT_FOUND);
	assert_int_equal(find("B", REGEX_CASELESS, "abbc", &s, NULL), CH_OK);
	assert_int_equal(find("a.c", REGEX_LITERAL, "abc", NULL, NULL), CH_E_NOT_FOUND);
	assert_int_equal(find("a.c", REGEX_LITERAL, "xa.c", &s, NULL), CH_OK);
	assert_int_equal(find("^b", 0, "a\nb", NULL, NULL), CH_E_NOT_FOUND);
	assert_int_equal(find("^b", REGEX_LINES, "a\nb", &s, NULL), CH_OK);
	assert_int_equal(find("a$", REGEX_ECMA, "a\n", NULL, NULL), CH_E_NOT_FOUND);
	assert_int_equal(find("^\\u0061$", REGEX_ECMA, "a", NULL, NULL), CH_OK);
	assert_int_equal(find("b\\Ka?(?=c)", 0, "bc", &s, &e), CH_OK);
}

static void test_wrong(void **state)
{
	CH_AUTO(regex_free) struct regex *re = NULL;
	struct ch_err err = { 0 };
	static char big[REGEX_PATTERN_MAX + 1];

	(void)state;
	assert_int_equal(regex_compile("a(", 2, 0, &re, &err), CH_E_INVALID);
	assert_non_null(strstr(err.text, "character 2"));
	assert_int_equal(regex_compile("a\xff", 2, 0, &re, &err), CH_E_INVALID);
	memset(big, 'a', sizeof(big));
	assert_int_equal(regex_compile(big, sizeof(big), 0, &re, &err), CH_E_LIMIT);
	assert_int_equal(regex_compile("\\C", 2, 0, &re, &err), CH_E_INVALID);
	assert_int_equal(find("a", 0, "\xff", NULL, NULL), CH_E_INVALID);
}

/* An expression that never ends elsewhere ends here. */
static void test_threat_catastrophic_backtracking_ends(void **state)
{
	(void)state;
	assert_int_equal(find("^(a+)+$", 0, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", NULL, NULL), CH_E_LIMIT);
	assert_int_equal(find("(.*)*x\\1{3}(a|b|ab)*c", 0, "abababababababababababababababababababababababab", NULL, NULL), CH_E_NOT_FOUND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_wrong),
		cmocka_unit_test(test_threat_catastrophic_backtracking_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
