/*
 * core/json_write: trees and pieces, escaping, limits.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/json.h"

static struct buf out;
static struct arena *arena;

static int setup(void **state)
{
	(void)state;
	buf_init(&out, 1 << 20);
	arena = arena_new(0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	buf_done(&out);
	arena_unref(arena);
	return 0;
}

static void test_indent(void **state)
{
	static const char in[] = "{\"a\":[1,{\"b\":[]}],\"c\":{},\"d\":\"x\"}";
	struct json *v;

	(void)state;
	assert_int_equal(json_parse(arena, in, strlen(in), JSON_STRICT, &v, NULL), CH_OK);
	json_write(&out, v, 2);
	assert_string_equal(buf_str(&out), "{\n  \"a\": [\n    1,\n    {\n      \"b\": []\n    }\n  ],\n"
					   "  \"c\": {},\n  \"d\": \"x\"\n}");
	buf_clear(&out);
	json_write(&out, v, 0);
	assert_string_equal(buf_str(&out), in);
	buf_clear(&out);
	json_write(&out, NULL, 0);
	assert_string_equal(buf_str(&out), "null");
	/* A part is written without what follows it. */
	buf_clear(&out);
	json_write(&out, json_get(v, "a"), 0);
	assert_string_equal(buf_str(&out), "[1,{\"b\":[]}]");
}

static void check_str(const char *s, size_t n, const char *expected)
{
	struct jw w = JW(&out);

	buf_clear(&out);
	jw_strn(&w, s, n);
	assert_int_equal(out.len, strlen(expected));
	assert_string_equal(buf_str(&out), expected);
}

static void test_escapes(void **state)
{
	char text[64], expected[128];

	(void)state;
	check_str("", 0, "\"\"");
	check_str("\"\\/", 3, "\"\\\"\\\\/\"");
	check_str("\b\f\n\r\t\v\0\x1f\x7f", 9, "\"\\b\\f\\n\\r\\t\\u000b\\u0000\\u001f\x7f\"");
	check_str("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 9, "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"");
	check_str("\xff\xe2\x82", 3, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
	check_str("\xed\xa0\x80", 3, "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"");
	/* A special byte at every offset of a word, alone and in a row. */
	for (size_t at = 0; at < 24; at++) {
		memset(text, 'x', sizeof(text));
		text[at] = '"';
		snprintf(expected, sizeof(expected), "\"%.*s\\\"%.*s\"", (int)at, text, (int)(24 - at),
			 text + at + 1);
		check_str(text, 25, expected);
		memset(text + at, '\x01', 3);
		snprintf(expected, sizeof(expected), "\"%.*s\\u0001\\u0001\\u0001%.*s\"", (int)at, text,
			 (int)(27 - at - 3), text + at + 3);
		check_str(text, 27, expected);
	}
}

static void test_pieces(void **state)
{
	struct json *tree = json_new_obj(arena);
	struct jw w = JW(&out);

	(void)state;
	json_set(arena, tree, "k", json_new_int(arena, 1));
	jw_obj(&w);
	jw_kstr(&w, "s", "x");
	jw_kstr(&w, "null", NULL);
	jw_kstr_opt(&w, "absent", NULL);
	jw_kstr_opt(&w, "present", "y");
	jw_kint(&w, "i", INT64_MIN);
	jw_knum(&w, "d", 0.5);
	jw_knum(&w, "whole", 3.0);
	jw_knum(&w, "inf", INFINITY);
	jw_kbool(&w, "t", true);
	jw_knull(&w, "n");
	jw_kvalue(&w, "tree", tree);
	jw_kvalue(&w, "none", NULL);
	jw_kraw(&w, "raw", "[0]", 3);
	jw_karr(&w, "list");
	jw_int(&w, 1);
	jw_bool(&w, false);
	jw_null(&w);
	jw_num(&w, 1e21);
	jw_str(&w, NULL);
	jw_strn(&w, "ab", 1);
	jw_obj(&w);
	jw_end(&w);
	jw_arr(&w);
	jw_end(&w);
	jw_end(&w);
	jw_kobj(&w, "o");
	jw_end(&w);
	jw_kint(&w, "after", 2);
	jw_end(&w);
	assert_int_equal(w.depth, 0);
	assert_string_equal(
		buf_str(&out),
		"{\"s\":\"x\",\"null\":null,\"present\":\"y\",\"i\":-9223372036854775808,\"d\":0.5,"
		"\"whole\":3,\"inf\":null,\"t\":true,\"n\":null,\"tree\":{\"k\":1},\"none\":null,"
		"\"raw\":[0],\"list\":[1,false,null,1e+21,null,\"a\",{},[]],\"o\":{},\"after\":2}");
}

/* A full buffer fails once and for good, and nothing is written past the ceiling. */
static void test_ceiling(void **state)
{
	static const char in[] = "{\"key\":[\"some text \\u0001\",12345,1.5,true],\"more\":\"\xc3\xa9\"}";
	struct json *v;
	size_t whole;

	(void)state;
	assert_int_equal(json_parse(arena, in, strlen(in), JSON_STRICT, &v, NULL), CH_OK);
	json_write(&out, v, 1);
	whole = out.len;
	for (size_t max = 0; max <= whole; max++) {
		struct buf small;

		buf_init(&small, max);
		json_write(&small, v, 1);
		assert_int_equal(buf_status(&small, NULL, "test"), max < whole ? CH_E_LIMIT : CH_OK);
		assert_true(small.len <= max);
		buf_done(&small);
	}
}

/* Deeper than anything the reader or a merge can make. */
static void test_depth_limit(void **state)
{
	struct json *v = json_new_arr(arena);

	(void)state;
	for (int i = 0; i < 1000; i++) {
		struct json *outer = json_new_arr(arena);

		json_push(outer, v);
		v = outer;
	}
	json_write(&out, v, 0);
	assert_int_equal(buf_status(&out, NULL, "test"), CH_E_LIMIT);
	assert_null(json_to_str(arena, v));
}

#define ROW(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(test_indent),
		ROW(test_escapes),
		ROW(test_pieces),
		ROW(test_ceiling),
		ROW(test_depth_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
