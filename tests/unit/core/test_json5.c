/*
 * core/json with JSON_JSON5: what the flag adds, what stays refused, and that
 * the writer makes strict JSON of it.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/json.h"
#include "core/mem.h"

static struct arena *arena;

static int setup(void **state)
{
	(void)state;
	arena = arena_new(0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_unref(arena);
	return 0;
}

static struct json *parse(const char *text)
{
	struct json *v = NULL;
	struct ch_err err = { 0 };

	if (json_parse(arena, text, strlen(text), JSON_JSON5, &v, &err))
		fail_msg("%s: %s", text, err.text);
	return v;
}

static void test_accepted(void **state)
{
	static const struct {
		const char *in, *out;
	} rows[] = {
		{ "// c\n{} // d", "{}" },
		{ "/* a * / ** */ [ /**/ ]", "[]" },
		{ "// line separator ends it\xe2\x80\xa8 1", "1" },
		{ "// paragraph separator\xe2\x80\xa9 1", "1" },
		{ "// carriage return\r1", "1" },
		{ "1 // no line end", "1" },
		{ "{a:1,$b:2,_c3:3,'d e':4,\"f\":5,}", "{\"a\":1,\"$b\":2,\"_c3\":3,\"d e\":4,\"f\":5}" },
		{ "{caf\xc3\xa9:1,\\u0061b:2,a\\u0062:3}", "{\"caf\xc3\xa9\":1,\"ab\":3}" },
		{ "{null:1,true:2,Infinity:3,NaN:4}", "{\"null\":1,\"true\":2,\"Infinity\":3,\"NaN\":4}" },
		{ "[1,2,]", "[1,2]" },
		{ "\xef\xbb\xbf[\xc2\xa0\v\f\xe3\x80\x80 1]", "[1]" },
		{ "'it\\'s \"x\"'", "\"it's \\\"x\\\"\"" },
		{ "\"it's\"", "\"it's\"" },
		{ "'a\\\nb\\\r\nc\\\rd\\\xe2\x80\xa8" "e'", "\"abcde\"" },
		{ "'\\v\\0\\x41\\q\\-\\\xc3\xa9'", "\"\\u000b\\u0000Aq-\xc3\xa9\"" },
		{ "'tab\there \x01'", "\"tab\\there \\u0001\"" },
		{ "'\xe2\x80\xa8'", "\"\xe2\x80\xa8\"" },
		{ "[0x0,0xFf,-0x10,+0X1,0x7fffffffffffffff,-0x8000000000000000]",
		  "[0,255,-16,1,9223372036854775807,-9223372036854775808]" },
		{ "0xffffffffffffffff", "18446744073709552000" },
		{ "[+1,+1.5,.5,-.5,5.,5.e1,.5e-1,+.0]", "[1,1.5,0.5,-0.5,5,5e1,0.5e-1,0.0]" },
		{ "[9223372036854775807.,-9223372036854775808.,9223372036854775808.]",
		  "[9223372036854775807,-9223372036854775808,9223372036854775808]" },
		{ "[Infinity,-Infinity,+Infinity,NaN,-NaN]", "[null,null,null,null,null]" },
		{ "[123456789012345678901,1e400]", "[123456789012345678901,1e400]" },
		{ "{a:1,'a':2,\"a\":3}", "{\"a\":3}" },
		{ "{\n  // comment\n  gateway: { port: 18789, /* why */ bind: 'loopback', },\n}\n",
		  "{\"gateway\":{\"port\":18789,\"bind\":\"loopback\"}}" },
	};

	(void)state;
	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++)
		assert_string_equal(json_to_str(arena, parse(rows[i].in)), rows[i].out);
}

static void test_refused(void **state)
{
	static const struct {
		const char *text, *error;
	} rows[] = {
		{ "", "line 1 column 1: unexpected end, expected a value" },
		{ "// only a comment", "line 1 column 18: unexpected end, expected a value" },
		{ "/* open", "line 1 column 1: this comment is not closed, expected '*/'" },
		{ "/*/", "line 1 column 1: this comment is not closed, expected '*/'" },
		{ "[1 / 2]", "line 1 column 4: unexpected '/', expected ',' or ']'" },
		{ "/", "line 1 column 1: unexpected '/', expected a value" },
		{ "[,]", "line 1 column 2: unexpected ',', expected a value" },
		{ "[1,,]", "line 1 column 4: unexpected ',', expected a value" },
		{ "{,}", "line 1 column 2: unexpected ',', expected a key" },
		{ "{a:1,,}", "line 1 column 6: unexpected ',', expected a key" },
		{ "{1a:1}", "line 1 column 2: unexpected '1', expected a key" },
		{ "{a-b:1}", "line 1 column 3: unexpected '-', expected ':' after the key" },
		{ "{a\\u002d:1}", "line 1 column 3: this escape is no letter, expected a key" },
		{ "{a}", "line 1 column 3: unexpected '}', expected ':' after the key" },
		{ "bare", "line 1 column 1: unexpected 'b', expected a value" },
		{ "'a\nb'", "line 1 column 3: raw control character 0x0a in a string, expected an escape" },
		{ "'a\"", "line 1 column 1: this string is not closed, expected '" },
		{ "'\\1'", "line 1 column 2: a digit cannot be escaped" },
		{ "'\\01'", "line 1 column 2: octal escapes are not allowed" },
		{ "'\\x4'", "line 1 column 5: unexpected ''', expected two hexadecimal digits after \\x" },
		{ "'\\ud800'", "line 1 column 2: lone surrogate \\ud800, expected a pair" },
		{ "'\\\xff'", "line 1 column 3: invalid UTF-8 (byte 0xff)" },
		{ "// \xff\n1", "line 1 column 4: invalid UTF-8 in a comment" },
		{ "010", "line 1 column 1: a number cannot start with 0" },
		{ "0x", "line 1 column 3: unexpected end, expected a hexadecimal digit" },
		{ "+", "line 1 column 2: unexpected end, expected a number" },
		{ ".", "line 1 column 2: unexpected end, expected a digit" },
		{ "-.e1", "line 1 column 3: unexpected 'e', expected a digit" },
		{ "--1", "line 1 column 2: unexpected '-', expected a number" },
		{ "+ 1", "line 1 column 2: unexpected byte 0x20, expected a number" },
		{ "Infinit", "line 1 column 1: unexpected 'I', expected a number" },
		{ "1_000", "line 1 column 2: unexpected '_', expected nothing more after the value" },
	};

	(void)state;
	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		struct ch_err err = { 0 };
		struct json *v;

		assert_int_equal(json_parse(arena, rows[i].text, strlen(rows[i].text), JSON_JSON5, &v, &err),
				 CH_E_INVALID);
		assert_string_equal(err.text, rows[i].error);
	}
}

static void test_special_numbers(void **state)
{
	struct json *v = parse("[Infinity,-Infinity,NaN,0x8000000000000000]");

	(void)state;
	assert_true(json_num_or(json_at(v, 0), 0) == INFINITY);
	assert_true(json_num_or(json_at(v, 1), 0) == -INFINITY);
	assert_true(isnan(json_num_or(json_at(v, 2), 0)));
	assert_true(json_num_or(json_at(v, 3), 0) == 9223372036854775808.0);
	assert_int_equal(json_int_or(json_at(v, 0), -7), -7);
	assert_int_equal(json_int_or(json_at(v, 2), -7), -7);
	assert_true(json_equal(v, json_clone(arena, v)));
	assert_int_equal(json_type(parse("5.")), JSON_INT);
	assert_int_equal(json_type(parse("5.0")), JSON_NUM);
}

static void test_truncated(void **state)
{
	static const char text[] = "{/*c*/a:'x\\\n\\u00e9',b:[.5,0xff,-Infinity,],\"c\"/**/:/**/NaN,}";
	struct json *v;

	(void)state;
	for (size_t n = 0; n < sizeof(text) - 1; n++) {
		char *cut = ch_alloc(n ? n : 1);

		memcpy(cut, text, n);
		assert_int_equal(json_parse(arena, cut, n, JSON_JSON5, &v, NULL), CH_E_INVALID);
		ch_free(cut);
	}
	parse(text);
}

#define ROW(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(test_accepted),
		ROW(test_refused),
		ROW(test_special_numbers),
		ROW(test_truncated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
