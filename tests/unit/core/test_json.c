/*
 * core/json: what strict JSON accepts, what it refuses and where, and the tree.
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

	if (json_parse(arena, text, strlen(text), JSON_STRICT, &v, &err))
		fail_msg("%s: %s", text, err.text);
	return v;
}

static void assert_error(const char *text, size_t len, ch_status code, const char *expected)
{
	struct json *v = (struct json *)&arena;
	struct ch_err err = { 0 };

	assert_int_equal(json_parse(arena, text, len, JSON_STRICT, &v, &err), code);
	assert_string_equal(err.text, expected);
	assert_int_equal(err.code, code);
	assert_ptr_equal(v, &arena);    /* written only on success */
	assert_int_equal(json_parse(arena, text, len, JSON_STRICT, &v, NULL), code);
}

static void test_round_trip(void **state)
{
	static const struct {
		const char *in, *out;    /* out NULL: as in */
	} rows[] = {
		{ "null", NULL },
		{ " true ", "true" },
		{ "false", NULL },
		{ "\"\"", NULL },
		{ "[]", NULL },
		{ "{}", NULL },
		{ "[[],{},[[]]]", NULL },
		{ "\t[ 1 ,\n2 , {\r\n\"a\" : null } ]\n", "[1,2,{\"a\":null}]" },
		{ "[0,-1,9223372036854775807,-9223372036854775808]", NULL },
		{ "[9223372036854775808,-9223372036854775809]", NULL },
		{ "123456789012345678901234567890", NULL },
		{ "[1.5,-0.25,1e3,1E+2,1e-7,1.0,0.10]", NULL },
		{ "-0", "0" },
		{ "1e400", NULL },
		{ "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\\"\\\\/\\b\\f\\n\\r\\t\"" },
		{ "\"\\u0041\\u00e9\\u20ac\\ud83d\\ude00\"", "\"A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"" },
		{ "\"\\u0000\\u001f\x7f\"", "\"\\u0000\\u001f\x7f\"" },
		{ "\"\xf0\x9f\x98\x80 \xd0\x96 long enough for two words\"", NULL },
		{ "{\"a\":1,\"b\":2,\"a\":3}", "{\"a\":3,\"b\":2}" },
		{ "{\"a\":{\"x\":1},\"a\":[]}", "{\"a\":[]}" },
		{ "{\"a\":[1,2],\"b\":0,\"a\":{\"y\":1}}", "{\"a\":{\"y\":1},\"b\":0}" },
		{ "{\"\":1}", NULL },
	};

	(void)state;
	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		struct json *v = parse(rows[i].in);

		assert_string_equal(json_to_str(arena, v), rows[i].out ? rows[i].out : rows[i].in);
	}
}

static void test_errors_name_the_place(void **state)
{
	static const struct {
		const char *text, *error;
	} rows[] = {
		{ "", "line 1 column 1: unexpected end, expected a value" },
		{ "  \n ", "line 2 column 2: unexpected end, expected a value" },
		{ "{\"a\":1,}", "line 1 column 8: unexpected '}', expected a key in double quotes" },
		{ "{a:1}", "line 1 column 2: unexpected 'a', expected a key in double quotes" },
		{ "{\"a\" 1}", "line 1 column 6: unexpected '1', expected ':' after the key" },
		{ "{\"a\":}", "line 1 column 6: unexpected '}', expected a value" },
		{ "[1,]", "line 1 column 4: unexpected ']', expected a value" },
		{ "[1 2]", "line 1 column 4: unexpected '2', expected ',' or ']'" },
		{ "[1}", "line 1 column 3: unexpected '}', expected ',' or ']'" },
		{ "{\"a\":1]", "line 1 column 7: unexpected ']', expected ',' or '}'" },
		{ "[", "line 1 column 2: unexpected end, expected a value" },
		{ "{", "line 1 column 2: unexpected end, expected a key in double quotes" },
		{ "[1", "line 1 column 3: unexpected end, expected ',' or ']'" },
		{ "1 1", "line 1 column 3: unexpected '1', expected nothing more after the value" },
		{ "\n\n  nul", "line 3 column 3: unexpected 'n', expected a value" },
		{ "truex", "line 1 column 5: unexpected 'x', expected nothing more after the value" },
		{ "'a'", "line 1 column 1: unexpected ''', expected a value" },
		{ "// c\n1", "line 1 column 1: unexpected '/', expected a value" },
		{ "NaN", "line 1 column 1: unexpected 'N', expected a value" },
		{ "+1", "line 1 column 1: unexpected '+', expected a value" },
		{ ".5", "line 1 column 1: unexpected '.', expected a value" },
		{ "-", "line 1 column 2: unexpected end, expected a digit" },
		{ "01", "line 1 column 2: unexpected '1', expected no digit after a leading 0" },
		{ "1.", "line 1 column 3: unexpected end, expected a digit after the point" },
		{ "1.e2", "line 1 column 3: unexpected 'e', expected a digit after the point" },
		{ "1e", "line 1 column 3: unexpected end, expected a digit in the exponent" },
		{ "1e+", "line 1 column 4: unexpected end, expected a digit in the exponent" },
		{ "0x10", "line 1 column 2: unexpected 'x', expected nothing more after the value" },
		{ "\"abc", "line 1 column 1: this string is not closed, expected \"" },
		{ "\"a\nb\"", "line 1 column 3: raw control character 0x0a in a string, expected an escape" },
		{ "\"a\\x41\"",
		  "line 1 column 4: unexpected 'x', expected one of \" \\ / b f n r t u after the "
		  "backslash" },
		{ "\"\\u12g4\"",
		  "line 1 column 6: unexpected 'g', expected four hexadecimal digits after \\u" },
		{ "\"\\ud800\"", "line 1 column 2: lone surrogate \\ud800, expected a pair" },
		{ "\"\\ud800\\u0041\"", "line 1 column 2: lone surrogate \\ud800, expected a pair" },
		{ "\"\\udc00\"", "line 1 column 2: lone surrogate \\udc00, expected a pair" },
		{ "\"\xc3\xa9\xc3\xa9 \xff\"", "line 1 column 5: invalid UTF-8 (byte 0xff)" },
		{ "\"\xed\xa0\x80\"", "line 1 column 2: invalid UTF-8 (byte 0xed)" },
		{ "\"\xc0\xaf\"", "line 1 column 2: invalid UTF-8 (byte 0xc0)" },
		{ "\"\xe2\x82\"", "line 1 column 2: invalid UTF-8 (byte 0xe2)" },
		{ "\xef\xbb\xbf[]", "line 1 column 1: unexpected character U+FEFF, expected a value" },
		{ "[\x01]", "line 1 column 2: unexpected byte 0x01, expected a value" },
		{ "[\xff]", "line 1 column 2: unexpected byte 0xff, expected a value" },
	};

	(void)state;
	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++)
		assert_error(rows[i].text, strlen(rows[i].text), CH_E_INVALID, rows[i].error);
	assert_error("[1]\0", 4, CH_E_INVALID,
		     "line 1 column 4: unexpected byte 0x00, expected nothing more after the value");
	assert_error("\"a\0b\"", 5, CH_E_INVALID,
		     "line 1 column 3: raw control character 0x00 in a string, expected an escape");
}

/* Every cut of a document is refused, none reads past its end (ASan watches the exact-size copy). */
static void test_truncated(void **state)
{
	static const char text[] =
		"{\"k\\u00e9y\":[1.5e3,-12,true,null,\"\xe2\x82\xac \\ud83d\\ude00 abcdefghij\"],\"b\":{}}";
	struct json *v;

	(void)state;
	for (size_t n = 0; n < sizeof(text) - 1; n++) {
		char *cut = ch_alloc(n ? n : 1);

		memcpy(cut, text, n);
		assert_int_equal(json_parse(arena, cut, n, JSON_STRICT, &v, NULL), CH_E_INVALID);
		ch_free(cut);
	}
	parse(text);
}

static void test_depth(void **state)
{
	char text[2 * JSON_DEPTH_MAX + 4];
	struct json *v;

	(void)state;
	memset(text, '[', sizeof(text));
	memset(text + JSON_DEPTH_MAX, ']', JSON_DEPTH_MAX);
	assert_int_equal(json_parse(arena, text, 2 * JSON_DEPTH_MAX, JSON_STRICT, &v, NULL), CH_OK);
	assert_int_equal(strlen(json_to_str(arena, v)), 2 * JSON_DEPTH_MAX);
	assert_true(json_equal(v, json_clone(arena, v)));

	memset(text, '[', JSON_DEPTH_MAX + 1);
	memset(text + JSON_DEPTH_MAX + 1, ']', JSON_DEPTH_MAX + 1);
	assert_error(text, 2 * JSON_DEPTH_MAX + 2, CH_E_LIMIT,
		     "line 1 column 257: nested deeper than 256 levels");
}

static void test_arena_ceiling(void **state)
{
	CH_AUTO(arena_unref) struct arena *small = arena_new(64 << 10);
	CH_AUTO_BUF struct buf text = { 0 };
	struct json *v;
	struct ch_err err;

	(void)state;
	buf_init(&text, 1 << 20);
	buf_putc(&text, '[');
	for (int i = 0; i < 10000; i++)
		buf_puts(&text, "1,");
	buf_puts(&text, "1]");
	assert_int_equal(json_parse(small, text.data, text.len, JSON_STRICT, &v, &err), CH_E_LIMIT);
}

static void test_numbers(void **state)
{
	struct json *v = parse("{\"i\":9007199254740993,\"big\":18446744073709551615,\"d\":2.5,\"e\":1e3,"
			       "\"huge\":1e400,\"s\":\"5\",\"edge\":9223372036854775808.0}");

	(void)state;
	assert_int_equal(json_get_int(v, "i", 0), 9007199254740993);
	assert_int_equal(json_type(json_get(v, "big")), JSON_NUM);
	assert_string_equal(json_get(v, "big")->str, "18446744073709551615");
	assert_int_equal(json_get_int(v, "big", -7), -7);
	assert_true(json_num_or(json_get(v, "big"), 0) == 18446744073709551615.0);
	assert_int_equal(json_get_int(v, "d", -7), -7);
	assert_int_equal(json_get_int(v, "e", -7), 1000);
	assert_int_equal(json_get_int(v, "edge", -7), -7);
	assert_true(isinf(json_num_or(json_get(v, "huge"), 0)));
	assert_int_equal(json_get_int(v, "s", -7), -7);
	assert_int_equal(json_get_int(v, "absent", -7), -7);
	assert_true(json_num_or(json_get(v, "i"), 0) == 9007199254740992.0);
}

static void test_lookups_take_anything(void **state)
{
	struct json *v = parse("{\"a\":{\"b\":[10,{\"c\":\"x\"}]},\"t\":true,\"dot\":{\"0\":1}}");

	(void)state;
	assert_null(json_get(NULL, "a"));
	assert_null(json_get(json_get(v, "t"), "a"));
	assert_null(json_str(json_get(json_get(v, "no"), "b")));
	assert_string_equal(json_str(json_path(v, "a.b.1.c")), "x");
	assert_int_equal(json_int_or(json_path(v, "a.b.0"), 0), 10);
	assert_int_equal(json_int_or(json_path(v, "dot.0"), 0), 1);
	assert_null(json_path(v, "a.b.2"));
	assert_null(json_path(v, "a.b.-1"));
	assert_null(json_path(v, "a.b.x"));
	assert_null(json_path(v, "a.b.99999999999999999999"));
	assert_null(json_path(v, "a..b"));
	assert_ptr_equal(json_path(v, ""), v);
	assert_int_equal(json_len(v), 3);
	assert_int_equal(json_len(json_get(v, "t")), 0);
	assert_int_equal(json_len(NULL), 0);
	assert_int_equal(json_type(NULL), JSON_NULL);
	assert_false(json_is(NULL, JSON_NULL));
	assert_true(json_get_bool(v, "t", false));
	assert_true(json_get_bool(v, "a", true));
	assert_string_equal(json_str_or(NULL, "def"), "def");
	assert_null(json_at(v, 0));
	assert_null(json_first(NULL));
	json_each(it, NULL)
		fail();
}

static void test_strings_hold_nul(void **state)
{
	struct json *v = parse("[\"a\\u0000b\",{\"k\\u0000\":1,\"k\":2}]");

	(void)state;
	assert_int_equal(json_at(v, 0)->len, 3);
	assert_memory_equal(json_str(json_at(v, 0)), "a\0b", 4);
	assert_int_equal(json_get_int(json_at(v, 1), "k", 0), 2);
	assert_int_equal(json_len(json_at(v, 1)), 2);
}

/* Objects that are large enough for an index behave as small ones do. */
static void test_large_objects(void **state)
{
	CH_AUTO_BUF struct buf text = { 0 };
	char key[32];
	struct json *v;
	const int n = 1000;

	(void)state;
	buf_init(&text, 1 << 20);
	buf_puts(&text, "{");
	for (int i = 0; i < n; i++)
		buf_printf(&text, "\"key%d\":%d,", i, i);
	for (int i = 0; i < n; i += 3)
		buf_printf(&text, "\"key%d\":{\"new\":%d},", i, i);
	buf_puts(&text, "\"last\":null}");
	v = parse(buf_str(&text));
	assert_int_equal(json_len(v), n + 1);
	for (int i = 0; i < n; i++) {
		snprintf(key, sizeof(key), "key%d", i);
		if (i % 3)
			assert_int_equal(json_get_int(v, key, -1), i);
		else
			assert_int_equal(json_get_int(json_get(v, key), "new", -1), i);
	}
	assert_null(json_get(v, "key1000"));
	assert_string_equal(json_first(v)->key, "key0");

	for (int i = 0; i < n; i += 2) {
		snprintf(key, sizeof(key), "key%d", i);
		assert_true(json_unset(v, key));
		assert_false(json_unset(v, key));
		assert_null(json_get(v, key));
	}
	for (int i = n; i < 2 * n; i++) {
		snprintf(key, sizeof(key), "key%d", i);
		json_set(arena, v, key, json_new_int(arena, i));
		json_set(arena, v, key, json_new_int(arena, i + 1));
	}
	assert_int_equal(json_len(v), n / 2 + n + 1);
	for (int i = 1; i < n; i += 2) {
		snprintf(key, sizeof(key), "key%d", i);
		assert_non_null(json_get(v, key));
	}
	assert_int_equal(json_get_int(v, "key1999", 0), 2000);
	assert_true(json_equal(v, parse(json_to_str(arena, v))));
}

static void test_building(void **state)
{
	struct json *o = json_new_obj(arena), *l = json_new_arr(arena);

	(void)state;
	json_set(arena, o, "z", json_new_str(arena, "last comes first"));
	json_set(arena, o, "list", l);
	json_push(l, json_new_int(arena, INT64_MIN));
	json_push(l, json_new_num(arena, 0.1));
	json_push(l, json_new_bool(arena, false));
	json_push(l, json_new_str(arena, NULL));
	json_push(l, json_new_strn(arena, "ab\0c", 4));
	assert_string_equal(
		json_to_str(arena, o),
		"{\"z\":\"last comes first\",\"list\":[-9223372036854775808,0.1,false,null,\"ab\\u0000c\"]}");

	json_set(arena, o, "z", json_new_null(arena));
	json_set(arena, o, "y", json_new_int(arena, 1));
	assert_true(json_unset(o, "list"));
	assert_string_equal(json_to_str(arena, o), "{\"z\":null,\"y\":1}");
	assert_true(json_unset(o, "y"));
	json_set(arena, o, "x", json_new_int(arena, 2));
	assert_true(json_unset(o, "z"));
	assert_string_equal(json_to_str(arena, o), "{\"x\":2}");
	assert_true(json_unset(o, "x"));
	json_set(arena, o, "w", json_new_int(arena, 3));
	assert_string_equal(json_to_str(arena, o), "{\"w\":3}");
	assert_false(json_unset(l, "x"));
	assert_false(json_unset(NULL, "x"));
}

static void test_equal(void **state)
{
	static const struct {
		const char *a, *b;
		bool equal;
	} rows[] = {
		{ "{\"a\":1,\"b\":[1,2]}", "{\"b\":[1,2],\"a\":1}", true },
		{ "[1,2]", "[2,1]", false },
		{ "1", "1.0", true },
		{ "1000", "1e3", true },
		{ "1", "true", false },
		{ "null", "0", false },
		{ "9007199254740993", "9007199254740992.0", false },
		{ "18446744073709551615", "18446744073709551614", false },
		{ "18446744073709551615", "18446744073709551615", true },
		{ "{\"a\":1}", "{\"a\":1,\"b\":2}", false },
		{ "{\"a\":1}", "{\"b\":1}", false },
		{ "\"a\\u0000\"", "\"a\"", false },
		{ "\"\\u0061\"", "\"a\"", true },
		{ "[]", "{}", false },
	};

	(void)state;
	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		struct json *a = parse(rows[i].a), *b = parse(rows[i].b);

		assert_int_equal(json_equal(a, b), rows[i].equal);
		assert_int_equal(json_equal(b, a), rows[i].equal);
		assert_true(json_equal(a, json_clone(arena, a)));
	}
	assert_true(json_equal(NULL, NULL));
	assert_false(json_equal(NULL, parse("null")));
}

/* The examples of RFC 7386, appendix A. */
static void test_merge(void **state)
{
	static const struct {
		const char *base, *patch, *result;
	} rows[] = {
		{ "{\"a\":\"b\"}", "{\"a\":\"c\"}", "{\"a\":\"c\"}" },
		{ "{\"a\":\"b\"}", "{\"b\":\"c\"}", "{\"a\":\"b\",\"b\":\"c\"}" },
		{ "{\"a\":\"b\"}", "{\"a\":null}", "{}" },
		{ "{\"a\":\"b\",\"b\":\"c\"}", "{\"a\":null}", "{\"b\":\"c\"}" },
		{ "{\"a\":[\"b\"]}", "{\"a\":\"c\"}", "{\"a\":\"c\"}" },
		{ "{\"a\":\"c\"}", "{\"a\":[\"b\"]}", "{\"a\":[\"b\"]}" },
		{ "{\"a\":{\"b\":\"c\"}}", "{\"a\":{\"b\":\"d\",\"c\":null}}", "{\"a\":{\"b\":\"d\"}}" },
		{ "{\"a\":[{\"b\":\"c\"}]}", "{\"a\":[1]}", "{\"a\":[1]}" },
		{ "[\"a\",\"b\"]", "[\"c\",\"d\"]", "[\"c\",\"d\"]" },
		{ "{\"a\":\"b\"}", "[\"c\"]", "[\"c\"]" },
		{ "{\"a\":\"foo\"}", "null", "null" },
		{ "{\"a\":\"foo\"}", "\"bar\"", "\"bar\"" },
		{ "{\"e\":null}", "{\"a\":1}", "{\"e\":null,\"a\":1}" },
		{ "[1,2]", "{\"a\":\"b\",\"c\":null}", "{\"a\":\"b\"}" },
		{ "{}", "{\"a\":{\"bb\":{\"ccc\":null}}}", "{\"a\":{\"bb\":{}}}" },
	};

	(void)state;
	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		struct json *base = parse(rows[i].base);
		struct json *out = json_merge(arena, base, parse(rows[i].patch));

		assert_string_equal(json_to_str(arena, out), rows[i].result);
		assert_true(json_equal(base, parse(rows[i].base)));
	}
}

#define ROW(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(test_round_trip),
		ROW(test_errors_name_the_place),
		ROW(test_truncated),
		ROW(test_depth),
		ROW(test_arena_ceiling),
		ROW(test_numbers),
		ROW(test_lookups_take_anything),
		ROW(test_strings_hold_nul),
		ROW(test_large_objects),
		ROW(test_building),
		ROW(test_equal),
		ROW(test_merge),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
