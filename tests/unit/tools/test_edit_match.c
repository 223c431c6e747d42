/*
 * Where a text stands, and what is said when it stands nowhere or twice.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "tools/edit_match.h"

static void finds(void **state)
{
	static const struct {
		const char *text, *old;
		size_t count, at, len;
		bool tolerant;
	} rows[] = {
		{ "one two three", "two", 1, 4, 3, false },
		{ "aaa", "aa", 2, 0, 2, false },
		{ "x\n  foo( a,  b );\ny\n", "foo( a, b );", 1, 4, 13, true },
		{ "x\r\nfoo\r\nbar\r\n", "foo\nbar", 1, 3, 8, true },
		{ "x\r\nfoo\r\nbar\r\n", "foo\nbar\n", 1, 3, 10, true },
		{ "a\tb\n", "a b", 1, 0, 3, true },
		{ "ab\n", "a b", 0, 0, 0, true },
		{ "foo\nbar", "bar\n", 0, 0, 0, true },
		{ "if (x)   \n\treturn;\n", "if (x)\n    return;\n", 1, 0, 19, true },
		{ "a\n\n\nb\n", "\n \n", 0, 0, 0, true },
		{ "f()\nf( )\nf()\n", "f( )", 1, 4, 4, false },
	};

	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		struct edit_match m;

		edit_find(rows[i].text, strlen(rows[i].text), rows[i].old, strlen(rows[i].old), &m);
		assert_int_equal(m.count, rows[i].count);
		assert_int_equal(m.is_tolerant, rows[i].tolerant);
		if (!m.count)
			continue;
		assert_int_equal(m.at, rows[i].at);
		assert_int_equal(m.len, rows[i].len);
	}
}

static ch_status apply(const char *text, const char *old, const char *new, struct buf *out, struct ch_err *err)
{
	struct edit e = { .old = old, .old_len = strlen(old), .new = new, .new_len = strlen(new) };

	buf_init(out, 4096);
	return edit_apply(text, strlen(text), &e, 1, out, err);
}

static void applies(void **state)
{
	static const struct { const char *text, *old, *new, *want; } rows[] = {
		{ "one two", "two", "2", "one 2" },
		{ "one two", "one two", "", "" },
		{ "\tif  (x)\n\t\ty();\n", "if (x)\n  y();\n", "z();\n", "\tz();\n" },
		{ "x\r\nfoo\r\n", "foo", "a\nb", "x\r\na\r\nb\r\n" },
		{ "x\r\nfoo\r\nbar\r\nz\r\n", "foo\nbar", "q", "x\r\nq\r\nz\r\n" },
		{ "x\r\nfoo\r\nbar\r\nz\r\n", "foo\nbar\n", "q\n", "x\r\nq\r\nz\r\n" },
	};

	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		struct ch_err err = { 0 };
		struct buf out;

		assert_int_equal(apply(rows[i].text, rows[i].old, rows[i].new, &out, &err), CH_OK);
		assert_string_equal(buf_str(&out), rows[i].want);
		buf_done(&out);
	}
}

static void refuses(void **state)
{
	static const struct { const char *text, *old, *want; } rows[] = {
		{ "a\nb\na\n", "a", "edit 1: oldText is in the file more than once (at lines 1, 3); take more" },
		{ "a\na\na\na\na\na\na\n", "a", "(at lines 1, 2, 3, 4, 5 and more)" },
		{ "one\ntwo\nthree\n", "two\nfour\n", "its first line is at line 2" },
		{ "one\n", "zwei", "is not in the file; read the file" },
		{ "one\n", "", "oldText is empty" },
	};

	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		struct ch_err err = { 0 };
		struct buf out;

		assert_int_equal(apply(rows[i].text, rows[i].old, "x", &out, &err), CH_E_INVALID);
		assert_non_null(strstr(err.text, rows[i].want));
		assert_int_equal(out.len, 0);
		buf_done(&out);
	}
}

static void refuses_overlap(void **state)
{
	struct edit e[] = { { .old = "b c", .old_len = 3, .new = "", .new_len = 0 },
			    { .old = "a b", .old_len = 3, .new = "", .new_len = 0 } };
	CH_AUTO_BUF struct buf out = { 0 };
	struct ch_err err;

	buf_init(&out, 100);
	assert_int_equal(edit_apply("a b c", 5, e, 2, &out, &err), CH_E_INVALID);
	assert_string_equal(err.text, "two edits overlap at line 1; join them into one");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds), cmocka_unit_test(applies), cmocka_unit_test(refuses),
		cmocka_unit_test(refuses_overlap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
