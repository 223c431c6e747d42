/* net/sse, NDJSON: blank lines, line ends, the last line, limits. */
#include "net/sse.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct record {
	struct buf text;
	size_t count;
	size_t stop_after;               /* 0: never */
};

static bool stopped(const struct record *r)
{
	return r->stop_after && r->count >= r->stop_after;
}

static bool on_line(void *arg, const char *line, size_t n)
{
	struct record *r = arg;

	buf_append(&r->text, line, n);
	buf_putc(&r->text, ';');
	r->count++;
	return !stopped(r);
}

static ch_status run(const char *in, size_t n, size_t step, size_t max_bytes, struct record *r)
{
	struct ndjson d;
	ch_status st = CH_OK;

	ndjson_init(&d, max_bytes);
	for (size_t at = 0; at < n && !st && !stopped(r); at += step)
		st = ndjson_feed(&d, in + at, CH_MIN(step, n - at), on_line, r, NULL);
	if (!st && !stopped(r))
		st = ndjson_end(&d, on_line, r, NULL);
	ndjson_done(&d);
	return st;
}

static const struct {
	const char *in, *out;
} table[] = {
	{ "{\"a\":1}\n{\"b\":2}\n", "{\"a\":1};{\"b\":2};" },
	{ "{}\r\n[]\r\n", "{};[];" },
	{ "{}", "{};" },
	{ "{}\n[]", "{};[];" },
	{ "\n\n{}\n \t\r\n\n", "{};" },
	{ "  {} \n", "{};" },
	{ "", "" },
	{ "   ", "" },
	{ "\n", "" },
	{ "not json\n", "not json;" },
};

static void test_table(void **state)
{
	for (size_t i = 0; i < CH_ARRAY_LEN(table); i++) {
		size_t n = strlen(table[i].in);

		for (size_t step = 1; step <= CH_MAX(n, 1); step++) {
			struct record r = { .count = 0 };

			buf_init(&r.text, 4096);
			assert_int_equal(run(table[i].in, n, step, 64, &r), CH_OK);
			assert_string_equal(buf_str(&r.text), table[i].out);
			buf_done(&r.text);
		}
	}
}

static void test_limit(void **state)
{
	for (size_t step = 1; step <= 12; step++) {
		struct record r = { .count = 0 };

		buf_init(&r.text, 4096);
		assert_int_equal(run("01234567\n", 9, step, 8, &r), CH_OK);
		assert_int_equal(r.count, 1);
		assert_int_equal(run("{}\n012345678\n", 13, step, 8, &r), CH_E_LIMIT);
		assert_int_equal(r.count, 2);
		assert_int_equal(run("012345678", 9, step, 8, &r), CH_E_LIMIT);
		assert_int_equal(r.count, 2);
		buf_done(&r.text);
	}
}

static void test_stopping(void **state)
{
	struct record r = { .stop_after = 1 };

	buf_init(&r.text, 4096);
	assert_int_equal(run("1\n2\n3\n", 6, 6, 64, &r), CH_OK);
	assert_string_equal(buf_str(&r.text), "1;");
	buf_done(&r.text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_limit),
		cmocka_unit_test(test_stopping),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
