/*
 * sessions/text: what a message says, whatever else stands in it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "sessions/text.h"

static void says(const char *message, const char *between, const char *want)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct ch_err err;
	struct json *m;

	if (json_parse(a, message, strlen(message), JSON_JSON5, &m, &err))
		fail_msg("%s: %s", message, err.text);
	assert_string_equal(tr_text(a, m, between), want);
}

static void test_texts(void **state)
{
	says("{content: 'whole'}", "\n", "whole");
	says("{content: [{type: 'text', text: 'one'}]}", "\n", "one");
	says("{content: [{type: 'text', text: 'one'}, {type: 'text', text: 'two'}]}", "\n", "one\ntwo");
	says("{content: [{type: 'text', text: 'one'}, {type: 'text', text: 'two'}]}", "", "onetwo");
	says("{content: [{type: 'thinking', text: 'no'}, {type: 'text', text: ''}, {type: 'text', text: 'yes'}]}", ", ", "yes");
	says("{content: [{type: 'image', data: 'x'}]}", "\n", "");
	says("{content: [{type: 'text'}, {type: 'text', text: 7}, 'loose', null]}", "\n", "");
	says("{content: null}", "\n", "");
	says("{}", "\n", "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
