/*
 * agent/said: an address counts as said only when all of it stands there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "agent/said.h"
#include "core/auto.h"

static const struct { const char *text, *word; bool is_said; } table[] = {
	{ "see https://x.org/a", "https://x.org/a", true },
	{ "see (https://x.org/a).", "https://x.org/a", true },
	{ "[a](https://x.org/a), and", "https://x.org/a", true },
	{ "<https://x.org/a>", "https://x.org/a", true },
	{ "https://x.org/a?d=", "https://x.org/a", false },
	{ "https://x.org/a", "https://x.org/a?d=secret", false },
	{ "https://x.org/abc", "https://x.org/a", false },
	{ "https://x.org/a.b", "https://x.org/a", false },
	{ "https://x.org/a...", "https://x.org/a", true },
	{ "http://y.org/?u=https://x.org/a", "https://x.org/a", false },
	{ "https://x.org/a\xc3\xa4", "https://x.org/a", false },
	{ "https://x.org/ab https://x.org/a", "https://x.org/a", true },
	{ "anything", "", false },
};

static void test_whole(void **state)
{
	for (size_t i = 0; i < CH_ARRAY_LEN(table); i++)
		if (said_whole(table[i].text, table[i].word) != table[i].is_said)
			fail_msg("'%s' in '%s'", table[i].word, table[i].text);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_whole) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
