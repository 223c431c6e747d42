/*
 * core/str, core/b64, core/utf8, core/num.
 */
#include <float.h>
#include <locale.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/mem.h"
#include "core/num.h"
#include "core/rand.h"
#include "core/str.h"

static void test_compare(void **state)
{
	static const char *const list[] = { "one", "two" };

	(void)state;
	assert_true(str_eq(NULL, NULL));
	assert_false(str_eq(NULL, ""));
	assert_false(str_eq("", NULL));
	assert_true(str_eq("a", "a"));
	assert_false(str_eq("a", "A"));
	assert_true(str_ieq("Content-Type", "content-TYPE"));
	assert_false(str_ieq("a", "ab"));
	assert_false(str_ieq("ab", "a"));
	assert_false(str_ieq("[", "{"));    /* 0x20 apart, but no letters */
	assert_true(str_ieq(NULL, NULL));
	assert_false(str_ieq("", NULL));
	assert_true(str_empty(NULL));
	assert_true(str_empty(""));
	assert_false(str_empty(" "));
	assert_true(str_starts("agent:main", "agent:"));
	assert_false(str_starts("age", "agent:"));
	assert_false(str_starts(NULL, "a"));
	assert_true(str_ends("a.json", ".json"));
	assert_false(str_ends("json", ".json"));
	assert_false(str_ends(NULL, "a"));
	assert_true(str_in("two", list, 2));
	assert_false(str_in("tw", list, 2));
	assert_false(str_in(NULL, list, 2));
}

static void test_trim_lower(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	char text[] = "MiXeD 09 \xc3\x84";

	(void)state;
	assert_string_equal(str_trim(a, " \t\r\n a b \v\f"), "a b");
	assert_string_equal(str_trim(a, "   "), "");
	assert_string_equal(str_trim(a, ""), "");
	assert_null(str_trim(a, NULL));
	str_lower(text);
	assert_string_equal(text, "mixed 09 \xc3\x84");
}

static void test_i64(void **state)
{
	static const struct {
		const char *text;
		int64_t value;
	} good[] = {
		{ "0", 0 }, { "-0", 0 }, { "+7", 7 }, { "007", 7 },
		{ "9223372036854775807", INT64_MAX }, { "-9223372036854775808", INT64_MIN },
	};
	static const char *const bad[] = {
		"", "-", "+", " 1", "1 ", "1.0", "0x1", "--1", "9223372036854775808", "-9223372036854775809",
		"99999999999999999999999",
	};
	int64_t v;
	uint16_t port = 7;

	(void)state;
	for (size_t i = 0; i < CH_ARRAY_LEN(good); i++) {
		assert_true(str_to_i64(good[i].text, &v));
		assert_int_equal(v, good[i].value);
	}
	for (size_t i = 0; i < CH_ARRAY_LEN(bad); i++)
		assert_false(str_to_i64(bad[i], &v));
	assert_true(str_to_u16("65535", &port));
	assert_int_equal(port, 65535);
	assert_false(str_to_u16("65536", &port));
	assert_false(str_to_u16("-1", &port));
	assert_int_equal(port, 65535);
}

static void test_units(void **state)
{
	static const struct {
		const char *text;
		int64_t value;
	} times[] = {
		{ "500ms", 500 }, { "30s", 30000 }, { "5m", 300000 }, { "2h", 7200000 }, { "1d", 86400000 },
		{ "1w", 604800000 }, { "10", 10000 }, { "0", 0 }, { "1.5h", 5400000 }, { "5M", 300000 },
	}, sizes[] = {
		{ "250", 250 }, { "64kb", 65536 }, { "10mb", 10485760 }, { "10GB", 10737418240 }, { "1k", 1024 },
		{ "1.5m", 1572864 }, { "2tb", 2199023255552 }, { "7b", 7 },
	};
	static const char *const bad[] = { "", "s", "-5s", "5 s", "5x", "5sm", "1e3s", "1..5s", ".s",
					   "99999999999999999w", "111111111111111111111111111111111111111s" };
	int64_t v;

	(void)state;
	for (size_t i = 0; i < CH_ARRAY_LEN(times); i++) {
		assert_true(str_to_duration_ms(times[i].text, 1000, &v));
		assert_int_equal(v, times[i].value);
	}
	for (size_t i = 0; i < CH_ARRAY_LEN(sizes); i++) {
		assert_true(str_to_bytes(sizes[i].text, &v));
		assert_int_equal(v, sizes[i].value);
	}
	for (size_t i = 0; i < CH_ARRAY_LEN(bad); i++) {
		assert_false(str_to_duration_ms(bad[i], 1000, &v));
		assert_false(str_to_bytes(bad[i], &v));
	}
}

static void test_nearest(void **state)
{
	static const char *const keys[] = { "enabled", "endpoint", "port", "mode" };
	char longer[200];

	(void)state;
	assert_int_equal(str_distance("kitten", "sitting", 10), 3);
	assert_int_equal(str_distance("kitten", "sitting", 3), 3);
	assert_int_equal(str_distance("kitten", "sitting", 2), 2);
	assert_int_equal(str_distance("", "abc", 10), 3);
	assert_int_equal(str_distance("abc", "", 10), 3);
	assert_int_equal(str_distance("same", "same", 10), 0);
	assert_int_equal(str_distance("prot", "port", 10), 1);
	assert_int_equal(str_distance("ab", "ba", 10), 1);
	assert_int_equal(str_distance("ab", "ba", 1), 1);
	assert_int_equal(str_distance("abcd", "badc", 10), 2);
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	assert_int_equal(str_distance(longer, "x", 10), 10);
	assert_string_equal(str_nearest("enabeld", keys, 4), "enabled");
	assert_string_equal(str_nearest("prt", keys, 4), "port");
	assert_string_equal(str_nearest("prot", keys, 4), "port");
	assert_null(str_nearest("completely", keys, 4));
	assert_null(str_nearest("m", keys, 4));
}

static void test_double(void **state)
{
	static const char *const bad[] = { "", "-", ".", "e1", "1e", "1e+", "1 ", " 1", "0x10", "nan", "inf",
					   "1e400", "-1e400", "1..2", "1,5" };
	double v;

	(void)state;
	assert_true(str_to_double("1.5", &v) && v == 1.5);
	assert_true(str_to_double("-.5e1", &v) && v == -5.0);
	assert_true(str_to_double("5.", &v) && v == 5.0);
	assert_true(str_to_double("+0.1", &v) && v == 0.1);
	assert_true(str_to_double("-0", &v) && v == 0.0 && signbit(v));
	assert_true(str_to_double("0.000000000000000000000000000000000000001e39", &v) && v == 1.0);
	assert_true(str_to_double("1e-400", &v) && v == 0.0);
	assert_true(str_to_double("123456789012345678", &v) && v == 123456789012345678.0);
	assert_true(str_to_double("2.2250738585072011e-308", &v) && v == 2.2250738585072011e-308);
	assert_true(str_to_double("0e99999999999999999999", &v) && v == 0.0);
	for (size_t i = 0; i < CH_ARRAY_LEN(bad); i++)
		assert_false(str_to_double(bad[i], &v));
}

static void check_format(double value, const char *text)
{
	char out[NUM_TEXT_LEN];

	assert_int_equal(num_format(value, out), strlen(text));
	assert_string_equal(out, text);
}

/* The values are what JavaScript prints for the same doubles. */
static void test_num_format(void **state)
{
	(void)state;
	check_format(0, "0");
	check_format(-0.0, "0");
	check_format(1, "1");
	check_format(-42, "-42");
	check_format(0.1, "0.1");
	check_format(0.1 + 0.2, "0.30000000000000004");
	check_format(1.0 / 3, "0.3333333333333333");
	check_format(-1.5, "-1.5");
	check_format(100.25, "100.25");
	check_format(1e15, "1000000000000000");
	check_format(123456789012345680000.0, "123456789012345680000");
	check_format(1e21, "1e+21");
	check_format(1.5e21, "1.5e+21");
	check_format(9007199254740993.0, "9007199254740992");
	check_format(0.000001, "0.000001");
	check_format(0.0000015, "0.0000015");
	check_format(1e-7, "1e-7");
	check_format(1.25e-7, "1.25e-7");
	check_format(5e-324, "5e-324");
	check_format(DBL_MIN, "2.2250738585072014e-308");
	check_format(DBL_MAX, "1.7976931348623157e+308");
	check_format(-DBL_MAX, "-1.7976931348623157e+308");
	check_format(5e-7, "5e-7");
	check_format(4.35, "4.35");
	check_format(2.0e-3, "0.002");
}

static void test_num_round_trip(void **state)
{
	char text[NUM_TEXT_LEN];

	(void)state;
	for (int i = 0; i < 20000; i++) {
		double v, back;

		rand_bytes(&v, sizeof(v));
		if (!isfinite(v))
			continue;
		assert_true(num_format(v, text) < NUM_TEXT_LEN);
		assert_true(num_parse(text, &back));
		assert_true(back == v);
	}
}

static void test_num_ignores_the_locale(void **state)
{
	double v;

	(void)state;
	/* Any locale with a decimal comma will do; the C library may have none. */
	if (!setlocale(LC_NUMERIC, "de_DE.UTF-8") && !setlocale(LC_NUMERIC, "fr_FR.UTF-8"))
		setlocale(LC_NUMERIC, "C.UTF-8");
	check_format(0.1, "0.1");
	check_format(1.25e-7, "1.25e-7");
	assert_true(num_parse("0.30000000000000004", &v) && v == 0.1 + 0.2);
	setlocale(LC_NUMERIC, "C");
}

/* RFC 4648, section 10. */
static void test_base64(void **state)
{
	static const struct {
		const char *plain, *coded;
	} rows[] = {
		{ "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" }, { "foo", "Zm9v" }, { "foob", "Zm9vYg==" },
		{ "fooba", "Zm9vYmE=" }, { "foobar", "Zm9vYmFy" }, { "\xff\xfe\xfd", "//79" },
	};
	static const char *const bad[] = { "Z",    "Zg=",   "Zh==",   "Zm9=",     "Zm9v=", "Z===",
					   "====", "Zm 9v", "Zm9v\n", "Zg==Zg==", "Zm*v" };
	char text[32], bytes[32];
	size_t n;

	(void)state;
	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		b64_encode(rows[i].plain, strlen(rows[i].plain), text);
		assert_string_equal(text, rows[i].coded);
		assert_true(b64_decode(text, strlen(text), bytes, sizeof(bytes), &n));
		assert_int_equal(n, strlen(rows[i].plain));
		assert_memory_equal(bytes, rows[i].plain, n);

		b64url_encode(rows[i].plain, strlen(rows[i].plain), text);
		assert_int_equal(strlen(text), b64url_encoded_len(strlen(rows[i].plain)));
		assert_null(strpbrk(text, "+/="));
		assert_true(b64_decode(text, strlen(text), bytes, sizeof(bytes), &n));
		assert_int_equal(n, strlen(rows[i].plain));
	}
	for (size_t i = 0; i < CH_ARRAY_LEN(bad); i++)
		assert_false(b64_decode(bad[i], strlen(bad[i]), bytes, sizeof(bytes), &n));
	assert_true(b64_decode("Zm9v", 4, bytes, 3, &n));
	assert_false(b64_decode("Zm9v", 4, bytes, 2, &n));
}

static void test_hex(void **state)
{
	char text[16], bytes[8];

	(void)state;
	hex_encode("\x00\x7f\xff", 3, text);
	assert_string_equal(text, "007fff");
	assert_true(hex_decode("007FfF", 6, bytes));
	assert_memory_equal(bytes, "\x00\x7f\xff", 3);
	assert_false(hex_decode("0", 1, bytes));
	assert_false(hex_decode("0g", 2, bytes));
	assert_true(hex_decode("", 0, bytes));
}

static void test_utf8(void **state)
{
	static const char *const bad[] = {
		"\x80",
		"\xbf",
		"\xc0\x80",
		"\xc1\xbf",
		"\xc3",
		"\xc3(",
		"\xe0\x9f\xbf",
		"\xe2\x82",
		"\xed\xa0\x80",
		"\xed\xbf\xbf",
		"\xf0\x8f\xbf\xbf",
		"\xf0\x9f\x98",
		"\xf4\x90\x80\x80",
		"\xf5\x80\x80\x80",
		"\xff",
	};
	char bytes[4], padded[32];
	uint32_t cp;

	(void)state;
	for (cp = 0; cp <= 0x10ffff; cp += cp < 0x3000 ? 1 : 97) {
		uint32_t back = 0;
		size_t n;

		if (cp >= 0xd800 && cp < 0xe000)
			continue;
		n = utf8_encode(cp, bytes);
		assert_true(utf8_valid(bytes, n));
		assert_int_equal(utf8_decode(bytes, n, &back), n);
		assert_int_equal(back, cp);
		for (size_t cut = 0; cut < n; cut++)
			assert_int_equal(utf8_decode(bytes, cut, &back), 0);
	}
	for (size_t i = 0; i < CH_ARRAY_LEN(bad); i++) {
		assert_false(utf8_valid(bad[i], strlen(bad[i])));
		/* At every offset of a word. */
		for (size_t at = 0; at < 9; at++) {
			memset(padded, 'x', sizeof(padded));
			memcpy(padded + at, bad[i], strlen(bad[i]));
			assert_int_equal(utf8_valid_prefix(padded, 20), at);
		}
	}
	assert_true(utf8_valid("", 0));
	assert_int_equal(utf8_valid_prefix("ab\xe2\x82", 4), 2);
	assert_int_equal(utf8_cut("a\xe2\x82\xac", 4, 3), 1);
	assert_int_equal(utf8_cut("a\xe2\x82\xac", 4, 4), 4);
	assert_int_equal(utf8_cut("a\xe2\x82\xac" "b", 5, 4), 4);
	assert_int_equal(utf8_cut("\xe2\x82\xac", 3, 2), 0);
}

/* Unicode 15, table 3-8 and its neighbours. */
static void test_utf8_repair(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	size_t n;

#define R "\xef\xbf\xbd"
	(void)state;
	assert_string_equal(utf8_repair(a, "abc", 3, &n), "abc");
	assert_int_equal(n, 3);
	assert_string_equal(utf8_repair(a, "\x61\xf1\x80\x80\xe1\x80\xc2\x62\x80\x63\x80\xbf\x64", 13, NULL),
			    "a" R R R "b" R "c" R R "d");
	assert_string_equal(utf8_repair(a, "\xc0\xaf\xe0\x80\xbf\xf0\x81\x82\x41", 9, NULL),
			    R R R R R R R R "A");
	assert_string_equal(utf8_repair(a, "\xed\xa0\x80\xed\xbf\xbf\xed\xaf\x41", 9, NULL),
			    R R R R R R R R "A");
	assert_string_equal(utf8_repair(a, "\xf4\x91\x92\x93\xff\x41\x80\xbf\x42", 9, NULL),
			    R R R R R "A" R R "B");
	assert_string_equal(utf8_repair(a, "\xe1\x80\xe2\xf0\x91\x92\xf1\xbf\x41", 9, NULL), R R R R "A");
	assert_string_equal(utf8_repair(a, "ok \xe2\x82", 5, &n), "ok " R);
	assert_int_equal(n, 6);
#undef R
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_compare),
		cmocka_unit_test(test_trim_lower),
		cmocka_unit_test(test_i64),
		cmocka_unit_test(test_units),
		cmocka_unit_test(test_nearest),
		cmocka_unit_test(test_double),
		cmocka_unit_test(test_num_format),
		cmocka_unit_test(test_num_round_trip),
		cmocka_unit_test(test_num_ignores_the_locale),
		cmocka_unit_test(test_base64),
		cmocka_unit_test(test_hex),
		cmocka_unit_test(test_utf8),
		cmocka_unit_test(test_utf8_repair),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
