/*
 * agent/hide: no credential that the gateway holds is left in what a tool gave.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "agent/hide.h"
#include "core/log.h"

#define SECRET "canary-0123456789"

static void check(const char *before, const char *after)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct json *v = NULL;

	assert_int_equal(json_parse(a, before, strlen(before), JSON_STRICT, &v, NULL), CH_OK);
	hide_secrets(a, v);
	assert_string_equal(json_to_str(a, v), after);
}

static void test_everywhere(void **state)
{
	log_redact(SECRET);
	check("{\"a\":[\"x " SECRET " y\",1,null,{\"b\":\"" SECRET SECRET "\"}]}",
	      "{\"a\":[\"x [redacted] y\",1,null,{\"b\":\"[redacted][redacted]\"}]}");
	check("\"" SECRET "\"", "\"[redacted]\"");
	log_redact_forget(SECRET);
	check("\"" SECRET "\"", "\"[redacted]\"");        /* let go a moment ago */
}

/* What merely looks like a credential is the user's own text. */
static void test_nothing_else(void **state)
{
	hide_secrets(NULL, NULL);
	check("{\"token\":\"abcdefgh\",\"key\":\"sk-0123456789abcdef0123\"}",
	      "{\"token\":\"abcdefgh\",\"key\":\"sk-0123456789abcdef0123\"}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_everywhere),
		cmocka_unit_test(test_nothing_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
