/*
 * Arguments against schemas: what passes and what the model is told.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "tools/table.h"

static const struct tool probe = {
	.name = "probe",
	.schema_json = "{\"type\":\"object\",\"properties\":{"
		       "\"name\":{\"type\":\"string\",\"minLength\":2,\"maxLength\":4},"
		       "\"n\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":9},\"x\":{\"type\":\"number\"},"
		       "\"on\":{\"type\":\"boolean\"},\"mode\":{\"type\":\"string\",\"enum\":[\"fast\",\"slow\"]},"
		       "\"list\":{\"type\":\"array\",\"minItems\":1,\"maxItems\":2,\"items\":{\"type\":\"object\","
		       "\"properties\":{\"a\":{\"type\":\"string\"}},\"required\":[\"a\"],\"additionalProperties\":false}}},"
		       "\"required\":[\"name\"],\"additionalProperties\":false}",
};

static void checks(void **state)
{
	static const struct { const char *args, *want; } rows[] = {
		{ "{\"name\":\"abc\"}", NULL },
		{ "{\"name\":\"abc\",\"n\":9,\"x\":1,\"on\":true,\"mode\":\"slow\",\"list\":[{\"a\":\"\"}]}", NULL },
		{ "{\"name\":\"abc\",\"x\":1.5}", NULL },
		{ "{}", "'name' is missing" },
		{ "[]", "'the arguments' must be of type object, not an array" },
		{ "{\"name\":5}", "'name' must be of type string, not a number" },
		{ "{\"name\":null}", "'name' must be of type string, not null" },
		{ "{\"name\":\"a\"}", "'name' must be at least 2 bytes long" },
		{ "{\"name\":\"abcde\"}", "'name' must be at most 4 bytes long" },
		{ "{\"name\":\"abc\",\"n\":0}", "'n' must be at least 1" },
		{ "{\"name\":\"abc\",\"n\":10}", "'n' must be at most 9" },
		{ "{\"name\":\"abc\",\"n\":1.5}", "'n' must be of type integer, not a number" },
		{ "{\"name\":\"abc\",\"on\":\"true\"}", "'on' must be of type boolean, not a string" },
		{ "{\"name\":\"abc\",\"mode\":\"medium\"}", "'mode' must be one of: fast, slow" },
		{ "{\"name\":\"abc\",\"list\":[]}", "'list' must be at least 1 items long" },
		{ "{\"name\":\"abc\",\"list\":[{\"a\":\"\"},{}]}", "'list[1].a' is missing" },
		{ "{\"name\":\"abc\",\"list\":[{\"a\":1}]}", "'list[0].a' must be of type string, not a number" },
		{ "{\"name\":\"abc\",\"list\":[{\"a\":\"\",\"b\":1}]}", "unknown argument 'list[0].b'; allowed: a" },
		{ "{\"name\":\"abc\",\"path\":1}", "unknown argument 'path'; allowed: name, n, x, on, mode, list" },
	};

	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		CH_AUTO(arena_unref) struct arena *a = arena_new(0);
		struct ch_err err = { 0 };
		struct json *args;

		assert_int_equal(json_parse(a, rows[i].args, strlen(rows[i].args), 0, &args, &err), CH_OK);
		assert_int_equal(tool_check_args(&probe, args, &err), rows[i].want ? CH_E_INVALID : CH_OK);
		if (rows[i].want)
			assert_string_equal(err.text, rows[i].want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(checks) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
