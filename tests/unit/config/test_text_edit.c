/*
 * config/text_edit: changing JSON5 text and nothing else of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "config/config.h"

static struct arena *arena;
static struct buf out;

static int setup(void **state)
{
	(void)state;
	arena = arena_new(0);
	buf_init(&out, 1 << 20);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_unref(arena);
	buf_done(&out);
	return 0;
}

static struct json *parse(const char *text)
{
	struct json *v = NULL;

	assert_int_equal(json_parse(arena, text, strlen(text), JSON_JSON5, &v, NULL), CH_OK);
	return v;
}

struct row {
	const char *text, *path, *value, *expected;
};

static void check_rows(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct row *r = &rows[i];
		struct ch_err err = { 0 };
		ch_status st;

		buf_clear(&out);
		if (r->value)
			st = config_text_set(r->text, strlen(r->text), r->path, parse(r->value), &out, &err);
		else
			st = config_text_unset(r->text, strlen(r->text), r->path, &out, &err);
		if (st)
			fail_msg("%s %s: %s", r->text, r->path, err.text);
		assert_string_equal(buf_str(&out), r->expected);
		parse(buf_str(&out));
	}
}

static const char sample[] = "// my gateway\n"
			     "{\n"
			     "  gateway: {\n"
			     "    port: 18789, // the usual one\n"
			     "    bind: 'loopback', /* safe */\n"
			     "  },\n"
			     "\n"
			     "  /* who answers */\n"
			     "  agents: { defaults: { model: \"a/b\" } },\n"
			     "  \"unknown-key\": [1, 2],\n"
			     "}\n";

static void test_set_keeps_the_rest(void **state)
{
	static const struct {
		const char *path, *before, *after;
	} rows[] = {
		{ "gateway.port", "port: 18789, //", "port: 19000, //" },
		{ "gateway.bind", "bind: 'loopback', /*", "bind: 19000, /*" },
		{ "agents.defaults.model", "model: \"a/b\" }", "model: 19000 }" },
		{ "unknown-key", "[1, 2]", "19000" },
		{ "unknown-key.1", "[1, 2]", "[1, 19000]" },
	};

	(void)state;
	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		const char *at = strstr(sample, rows[i].before);
		char *expected = arena_printf(arena, "%.*s%s%s", (int)(at - sample), sample, rows[i].after,
					      at + strlen(rows[i].before));

		buf_clear(&out);
		assert_int_equal(
			config_text_set(sample, strlen(sample), rows[i].path, parse("19000"), &out, NULL), 0);
		assert_string_equal(buf_str(&out), expected);
	}
	/* The same value again: not a byte changes, not even its quotes. */
	buf_clear(&out);
	assert_int_equal(
		config_text_set(sample, strlen(sample), "gateway.bind", parse("\"loopback\""), &out, NULL),
		0);
	assert_string_equal(buf_str(&out), sample);
}

static void test_set(void **state)
{
	static const struct row rows[] = {
		{ "{}", "a", "1", "{\n  \"a\": 1\n}" },
		{ "", "a", "1", "{\n  \"a\": 1\n}\n" },
		{ "// nothing yet", "a.b", "1", "// nothing yet\n{\n  \"a\": {\n    \"b\": 1\n  }\n}\n" },
		{ "{a:1}", "a", "\"x\"", "{a:\"x\"}" },
		{ "{a:1}", "b", "2", "{a:1, b:2}" },
		{ "{ a: 1 }", "b", "2", "{ a: 1, b: 2 }" },
		{ "{\"a\":1}", "b", "2", "{\"a\":1, \"b\":2}" },
		{ "{a:1,}", "b", "2", "{a:1, b:2,}" },
		{ "{a:1}", "b-c", "2", "{a:1, \"b-c\":2}" },
		{ "{a:1}", "b[\"c.d\"]", "2", "{a:1, b:{\"c.d\":2}}" },
		{ "{\n  a: 1\n}\n", "b", "2", "{\n  a: 1,\n  b: 2\n}\n" },
		{ "{\n  a: 1,\n}\n", "b", "2", "{\n  a: 1,\n  b: 2,\n}\n" },
		{ "{\n  a: 1 // one\n}\n", "b", "2", "{\n  a: 1, // one\n  b: 2\n}\n" },
		{ "{\n  a: 1, // one\n  // the end\n}\n", "b", "2",
		  "{\n  a: 1, // one\n  b: 2,\n  // the end\n}\n" },
		{ "{\n\ta: 1\n}\n", "b.c", "2", "{\n\ta: 1,\n\tb: {\n\t\tc: 2\n\t}\n}\n" },
		{ "{\r\n  a: 1\r\n}\r\n", "b", "2", "{\r\n  a: 1,\r\n  b: 2\r\n}\r\n" },
		{ "{\n  a: {},\n}", "a.b", "2", "{\n  a: {\n    b: 2\n  },\n}" },
		{ "{\n  a: { /* c */ },\n}", "a.b", "2", "{\n  a: { /* c */\n    b: 2\n  },\n}" },
		{ "{\n  a: { // c\n  },\n}", "a.b", "2", "{\n  a: { // c\n    b: 2\n  },\n}" },
		{ "{a:{b:1}}", "a.c.d", "true", "{a:{b:1, c:{d:true}}}" },
		{ "{a:[1,2]}", "a.1", "3", "{a:[1,3]}" },
		{ "{a:[1,2]}", "a.2", "3", "{a:[1,2, 3]}" },
		{ "{a:[]}", "a[0]", "{\"b\":1}", "{a:[{b:1}]}" },
		{ "{a:[{b:1}]}", "a.0.b", "2", "{a:[{b:2}]}" },
		{ "{a:1,a:2}", "a", "3", "{a:1,a:3}" },
		{ "{a:1,a:{b:2}}", "a.c", "3", "{a:1,a:{b:2, c:3}}" },
		{ "{'\\u0061':1}", "a", "2", "{'\\u0061':2}" },
		{ "{\n  a: {\n    b: 1\n  }\n}", "a", "[1,{\"x\":2}]",
		  "{\n  a: [\n    1,\n    {\n      x: 2\n    }\n  ]\n}" },
		{ "{a:1 // c\xe2\x80\xa8}", "b", "2", "{a:1, // c\nb: 2\xe2\x80\xa8}" },
		{ "{a:'x' /* long\n comment */}", "b", "2", "{a:'x', /* long\n comment */ b:2}" },
	};

	(void)state;
	check_rows(rows, CH_ARRAY_LEN(rows));
}

static void test_unset(void **state)
{
	static const struct row rows[] = {
		{ "{a:1}", "a", NULL, "{}" },
		{ "{ a: 1 }", "a", NULL, "{ }" },
		{ "{a:1,b:2}", "a", NULL, "{b:2}" },
		{ "{a:1, b:2}", "b", NULL, "{a:1}" },
		{ "{a:1, b:2, c:3}", "b", NULL, "{a:1, c:3}" },
		{ "{a:1, b:2,}", "b", NULL, "{a:1,}" },
		{ "{\n  a: 1,\n  b: 2,\n  c: 3\n}\n", "b", NULL, "{\n  a: 1,\n  c: 3\n}\n" },
		{ "{\n  a: 1,\n  b: 2\n}\n", "b", NULL, "{\n  a: 1\n}\n" },
		{ "{\n  a: 1,\n  b: 2,\n}\n", "a", NULL, "{\n  b: 2,\n}\n" },
		{ "{\n  // one\n  a: 1, // two\n  b: 2,\n}\n", "a", NULL,
		  "{\n  // one\n  // two\n  b: 2,\n}\n" },
		{ "{\n  a: 1, // one\n  // two\n  b: 2\n}", "b", NULL, "{\n  a: 1 // one\n  // two\n}" },
		{ "{a:1 /* x */ , /* y */ b:2}", "a", NULL, "{/* x */  /* y */ b:2}" },
		{ "{a:1,b:2,a:3}", "a", NULL, "{b:2}" },
		{ "{a:{b:1,c:2}}", "a.b", NULL, "{a:{c:2}}" },
		{ "{a:[1,2,3]}", "a.1", NULL, "{a:[1,3]}" },
		{ "{a:[1,2,3]}", "a.2", NULL, "{a:[1,2]}" },
		{ "{\n  a: {\n    x: 1,\n  },\n  b: 2,\n}\n", "a", NULL, "{\n  b: 2,\n}\n" },
	};

	(void)state;
	check_rows(rows, CH_ARRAY_LEN(rows));
}

static void test_refused(void **state)
{
	static const struct {
		const char *text, *path, *value;
		ch_status st;
		const char *error;
	} rows[] = {
		{ "{a:1}", "a.b", "1", CH_E_INVALID, "a is not an object" },
		{ "{a:[1]}", "a.5", "1", CH_E_INVALID, "a has 1 items; '5' is none of them" },
		{ "{a:[1]}", "a.x", "1", CH_E_INVALID, "a has 1 items; 'x' is none of them" },
		{ "[1]", "a", "1", CH_E_INVALID, "the configuration has 1 items; 'a' is none of them" },
		{ "{a:1", "a", "1", CH_E_INVALID, "line 1 column 5: unexpected end, expected ',' or '}'" },
		{ "{a:1}", "a..b", "1", CH_E_INVALID, "config path 'a..b': an empty name" },
		{ "{a:1}", "a[b]", "1", CH_E_INVALID, "config path 'a[b]': expected [number] or [\"name\"]" },
		{ "{a:1}", "b", NULL, CH_E_NOT_FOUND, "b is not set" },
		{ "{a:1}", "a.b", NULL, CH_E_NOT_FOUND, "a.b is not set" },
		{ "{a:[1]}", "a.1", NULL, CH_E_NOT_FOUND, "a.1 is not set" },
		{ "{a:1}", "", NULL, CH_E_NOT_FOUND, "the root is not set" },
	};

	(void)state;
	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		struct ch_err err = { 0 };
		ch_status st;

		buf_clear(&out);
		if (rows[i].value)
			st = config_text_set(rows[i].text, strlen(rows[i].text), rows[i].path,
					     parse(rows[i].value), &out, &err);
		else
			st = config_text_unset(rows[i].text, strlen(rows[i].text), rows[i].path, &out, &err);
		assert_int_equal(st, rows[i].st);
		assert_string_equal(err.text, rows[i].error);
	}
}

#define ROW(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(test_set_keeps_the_rest),
		ROW(test_set),
		ROW(test_unset),
		ROW(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
