/*
 * channels/mention: which patterns are safe. What they match is in test_access.
 */
#include "../store/scratch.h"

#include "channels/gate.h"
#include "channels/mention.h"

static void test_safe(void **state)
{
	static const char *const patterns[] = {
		"@openclaw", "\\bops bot\\b", "\\+15555550123", "^hey,? (bot|claw)\\b", "bo+t", "(?:bot){1}", "(bot)?", "(a+)?", "[(+*]+",
		"a{2,3}", "(?<name>x)", "(?=x)y", "(?<!x)y", "\\(a+\\)+", "caf\u00e9", "a{x}", "(a|b)+",
	};

	for (size_t i = 0; i < CH_ARRAY_LEN(patterns); i++)
		ASSERT_OK(mention_pattern_check(patterns[i], err));
}

static void test_unsafe(void **state)
{
	static const struct { const char *pattern, *part; } rows[] = {
		{ "", "is empty" },
		{ "(a+)+", "for ever" }, { "(a*)*b", "for ever" }, { "((a+)b)*", "for ever" }, { "(?:x|y+){2,}", "for ever" },
		{ "(a{2,}){3}", "for ever" }, { "(\\d+)+$", "for ever" }, { "([a-z]+)*", "for ever" }, { "((((a+))))+", "for ever" },
		{ "(?R)", "not one of" }, { "(?1)", "not one of" }, { "(?i)x", "not one of" }, { "(?>x)", "not one of" },
		{ "(?{x})", "not one of" }, { "(*SKIP)x", "(*" }, { "(*UTF)", "(*" }, { "(?<=a+", "does not end" },
		{ "a)", "not opened" }, { "(a", "does not end" }, { "[a", "does not end" }, { "a\\", "backslash" },
		{ "*a", "repeats nothing" }, { "a**", "repeats nothing" }, { "(|+)", "repeats nothing" },
		{ "((((((((((((((((((((((((((((((((((a))))))))))))))))))))))))))))))))))", "32 groups" },
	};

	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++)
		ASSERT_FAILS(mention_pattern_check(rows[i].pattern, err), CH_E_INVALID, rows[i].part);
}

/* What the checker lets through and PCRE2 can be slow on ends by its limits, as no match. */
static void test_threat_patterns_end(void **state)
{
	static const char *const patterns[] = { "(a|a|a|aa)+$", "(.|a|b)*c", ".*.*.*.*.*.*x$" };
	CH_AUTO(chan_gate_free) struct chan_gate *gate = chan_gate_new();
	char text[2000];

	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 2] = '!';
	text[sizeof(text) - 1] = '\0';
	for (size_t i = 0; i < CH_ARRAY_LEN(patterns); i++) {
		const struct regex *re = chan_gate_pattern(gate, patterns[i]);

		assert_non_null(re);
		assert_int_not_equal(regex_find(re, text, strlen(text), 0, NULL, NULL), CH_OK);
	}
}

static void test_patterns_are_compiled_once(void **state)
{
	CH_AUTO(chan_gate_free) struct chan_gate *gate = chan_gate_new();
	const struct regex *first = chan_gate_pattern(gate, "bot");
	char pattern[16];

	assert_ptr_equal(first, chan_gate_pattern(gate, "bot"));
	assert_null(chan_gate_pattern(gate, "(a+)+"));
	assert_null(chan_gate_pattern(gate, "[z-a]"));           /* PCRE2's own objection */
	for (int i = 0; i < 2 * GATE_PATTERNS_MAX; i++) {
		snprintf(pattern, sizeof(pattern), "bot%d", i);
		assert_non_null(chan_gate_pattern(gate, pattern));
	}
}

static void test_loop_guard_is_bounded(void **state)
{
	CH_AUTO(loop_guard_free) struct loop_guard *g = loop_guard_new();
	struct loop_limits l = LOOP_LIMITS_DEFAULT, off = LOOP_LIMITS_DEFAULT;
	char place[16];

	l.max_events = 1;
	assert_true(loop_guard_admits(g, "p", "a", "b", "1", &l));
	assert_false(loop_guard_admits(g, "p", "b", "a", "2", &l));      /* one pair in both directions */
	assert_true(loop_guard_admits(g, "p", "a", "c", "3", &l));
	off.is_enabled = false;
	assert_true(loop_guard_admits(g, "p", "a", "b", "4", &off));
	for (int i = 0; i < 3 * LOOP_PAIRS_MAX; i++) {
		snprintf(place, sizeof(place), "q%d", i);
		assert_true(loop_guard_admits(g, place, "a", "b", "1", &l));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_safe),
		cmocka_unit_test(test_unsafe),
		cmocka_unit_test(test_threat_patterns_end),
		cmocka_unit_test(test_patterns_are_compiled_once),
		cmocka_unit_test(test_loop_guard_is_bounded),
	};

	return cmocka_run_group_tests_name("mention", tests, NULL, NULL);
}
