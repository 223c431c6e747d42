/*
 * exec/show: nothing of a command is invisible, looks like something else, or is cut.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/str.h"
#include "exec/command.h"

static const char *show(struct arena *a, const char *text)
{
	return cmd_show(a, text, strlen(text), false);
}

static void test_plain_text_stays(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	const char *text = "ls -l \"a b\" | wc \\n gr\xc3\xbc\xc3\x9f\x65 \xe6\x97\xa5\xe6\x9c\xac e\xcc\x81";

	(void)state;
	assert_string_equal(show(a, text), text);
	assert_false(cmd_has_hidden(text, strlen(text)));
	assert_string_equal(cmd_show(a, "a\nb", 3, true), "a\nb");
	assert_string_equal(cmd_show(a, "a\nb", 3, false), "a\\u{a}b");
	assert_false(cmd_has_hidden("a\nb\tc", 5));
	assert_string_equal(show(a, ""), "");
}

/* CVE-2021-42574 and relatives: each of these is seen, and found. */
static void test_threat_trojan_source_is_visible(void **state)
{
	static const uint32_t points[] = {
		0x1, 0x7, 0x8, 0xb, 0xd, 0x1b, 0x7f, 0x85, 0x9b, 0xa0, 0xad, 0x34f, 0x61c, 0x115f, 0x1680, 0x180e, 0x200b, 0x200c, 0x200d,
		0x200e, 0x200f, 0x2028, 0x2029, 0x202a, 0x202b, 0x202c, 0x202d, 0x202e, 0x202f, 0x205f, 0x2060, 0x2062, 0x2066, 0x2067,
		0x2068, 0x2069, 0x206a, 0x2800, 0x3000, 0x3164, 0xfe0f, 0xfeff, 0xffa0, 0xfff9, 0xe000, 0xe0001, 0xe0041, 0xe0100, 0x10ffff,
	};
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);

	(void)state;
	for (size_t i = 0; i < CH_ARRAY_LEN(points); i++) {
		char text[8] = "x", want[20];
		size_t n = 1 + utf8_encode(points[i], text + 1);

		snprintf(want, sizeof(want), "x\\u{%x}", (unsigned)points[i]);
		assert_string_equal(cmd_show(a, text, n, false), want);
		assert_true(cmd_has_hidden(text, n));
	}
}

static void test_ansi_escapes_do_nothing(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);

	(void)state;
	assert_string_equal(show(a, "rm -rf x \x1b[2K\rls"), "rm -rf x \\u{1b}[2K\\u{d}ls");
	assert_string_equal(show(a, "a\b\bls"), "a\\u{8}\\u{8}ls");
	assert_string_equal(cmd_show(a, "a\xff", 2, false), "a\\x{ff}");
	assert_true(cmd_has_hidden("a\xff", 2));
	assert_string_equal(cmd_show(a, "a\0b", 3, false), "a\\u{0}b");
}

/* What is shown has one meaning: a text that writes \u{…} itself is not taken for a hidden character. */
static void test_escapes_are_not_forged(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);

	(void)state;
	assert_string_equal(show(a, "a\\u{202e}"), "a\\u{5c}u{202e}");
	assert_string_equal(show(a, "a\\x{1b}"), "a\\u{5c}x{1b}");
	assert_string_equal(show(a, "a\\u"), "a\\u");
	assert_string_equal(show(a, "\xcc\x81" "a"), "\\u{301}a");
	assert_string_equal(show(a, "a \xcc\x81"), "a \\u{301}");
}

/* The text of the longest command is shown to its last byte. */
static void test_cve_2026_53829_no_truncation(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	char *text = arena_alloc(a, CMD_TEXT_MAX + 1);
	const char *shown;

	(void)state;
	memset(text, 'a', CMD_TEXT_MAX);
	memcpy(text + CMD_TEXT_MAX - 5, "; rm x", 5);
	assert_string_equal(show(a, text), text);
	memset(text, 1, CMD_TEXT_MAX);
	shown = show(a, text);
	assert_int_equal(strlen(shown), 5u * CMD_TEXT_MAX);
	assert_true(str_ends(shown, "\\u{1}"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain_text_stays),
		cmocka_unit_test(test_threat_trojan_source_is_visible),
		cmocka_unit_test(test_ansi_escapes_do_nothing),
		cmocka_unit_test(test_escapes_are_not_forged),
		cmocka_unit_test(test_cve_2026_53829_no_truncation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
