/* net/sse, event streams: fields, line ends, limits, and that no cut of the input changes anything. */
#include "net/sse.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "core/str.h"

/* Events are written down as "name|data|id|retry;" so that a test reads as one string. */
struct record {
	struct buf text;
	size_t count;
	size_t stop_after;               /* 0: never */
};

static bool stopped(const struct record *r)
{
	return r->stop_after && r->count >= r->stop_after;
}

static bool on_event(void *arg, const struct sse_event *ev)
{
	struct record *r = arg;

	buf_printf(&r->text, "%s|", ev->event);
	buf_append(&r->text, ev->data, ev->data_len);
	buf_printf(&r->text, "|%s|%lld;", ev->id ? ev->id : "-", (long long)ev->retry_ms);
	assert_int_equal(ev->data[ev->data_len], '\0');
	r->count++;
	return !stopped(r);
}

static ch_status run(const char *in, size_t n, size_t step, size_t max_bytes, struct record *r)
{
	struct sse s;
	ch_status st = CH_OK;
	struct ch_err err = { 0 };

	sse_init(&s, max_bytes);
	for (size_t at = 0; at < n && !st && !stopped(r); at += step)
		st = sse_feed(&s, in + at, CH_MIN(step, n - at), on_event, r, &err);
	if (st)
		assert_true(err.text[0] != '\0');
	sse_done(&s);
	return st;
}

static const struct {
	const char *in, *out;
} table[] = {
	{ "data: a\n\n", "message|a|-|-1;" },
	{ "data:a\n\n", "message|a|-|-1;" },
	{ "data:  a\n\n", "message| a|-|-1;" },
	{ "data: a\r\n\r\n", "message|a|-|-1;" },
	{ "data: a\r\rdata: b\r\r", "message|a|-|-1;message|b|-|-1;" },
	{ "data: a\r\n\n", "message|a|-|-1;" },
	{ "data: a\ndata: b\ndata\n\n", "message|a\nb\n|-|-1;" },
	{ "data\n\n", "message||-|-1;" },
	{ "data:\n\n", "message||-|-1;" },
	{ "event: x\ndata: a\n\ndata: b\n\n", "x|a|-|-1;message|b|-|-1;" },
	{ "event: x\n\ndata: b\n\n", "message|b|-|-1;" },
	{ "id: 7\ndata: a\n\ndata: b\n\nid\ndata: c\n\n", "message|a|7|-1;message|b|7|-1;message|c|-|-1;" },
	{ ": ping\n\n: ping\n\n", "" },
	{ ":\n:data: x\n\n", "" },
	{ "retry: 1500\ndata: a\n\ndata: b\n\n", "message|a|-|1500;message|b|-|-1;" },
	{ "retry: 15x\ndata: a\n\n", "message|a|-|-1;" },
	{ "retry: -1\ndata: a\n\n", "message|a|-|-1;" },
	{ "retry: 9999999999999999\ndata: a\n\n", "message|a|-|-1;" },
	{ "retry: 20\n\ndata: a\n\n", "message|a|-|20;" },
	{ "\xef\xbb\xbf"
	  "data: a\n\n",
	  "message|a|-|-1;" },
	{ "\xef\xbb\xbf\n\xef\xbb\xbf"
	  "data: a\n\n",
	  "" },
	{ "data: a\n", "" },
	{ "data: a", "" },
	{ "unknown: a\ndatax: b\nDATA: c\n\n", "" },
	{ "data: {\"a\":\"b:c\"}\n\n", "message|{\"a\":\"b:c\"}|-|-1;" },
	{ "\n\n\n", "" },
};

static void test_table(void **state)
{
	for (size_t i = 0; i < CH_ARRAY_LEN(table); i++) {
		size_t n = strlen(table[i].in);

		for (size_t step = 1; step <= n; step++) {
			struct record r = { .count = 0 };

			buf_init(&r.text, 4096);
			assert_int_equal(run(table[i].in, n, step, 1024, &r), CH_OK);
			assert_string_equal(buf_str(&r.text), table[i].out);
			buf_done(&r.text);
		}
	}
}

static void test_nul_in_data_and_id(void **state)
{
	static const char in[] = "id: a\0b\ndata: x\0y\n\n";
	struct record r = { .count = 0 };

	buf_init(&r.text, 4096);
	assert_int_equal(run(in, sizeof(in) - 1, sizeof(in) - 1, 1024, &r), CH_OK);
	assert_int_equal(r.text.len, strlen("message|") + 3 + strlen("|-|-1;"));
	assert_memory_equal(r.text.data, "message|x\0y|-|-1;", r.text.len);
	buf_done(&r.text);
}

static void test_limit_of_a_line_and_of_an_event(void **state)
{
	static const struct {
		const char *in;
		ch_status st;
	} cases[] = {
		{ "data: 0123456789\n\n", CH_OK },                       /* 16 */
		{ "data: 01234567890\n\n", CH_E_LIMIT },                 /* 17 in one line */
		{ ": a comment that is too long\n\n", CH_E_LIMIT },
		{ "data: 01234567\ndata: 0123456\n\n", CH_OK },          /* 8 + 1 + 7 */
		{ "data: 01234567\ndata: 01234567\n\n", CH_E_LIMIT },    /* 8 + 1 + 8 */
	};

	for (size_t i = 0; i < CH_ARRAY_LEN(cases); i++) {
		size_t n = strlen(cases[i].in);

		for (size_t step = 1; step <= n; step++) {
			struct record r = { .count = 0 };

			buf_init(&r.text, 4096);
			assert_int_equal(run(cases[i].in, n, step, 16, &r), cases[i].st);
			assert_int_equal(r.count, cases[i].st ? 0 : 1);
			buf_done(&r.text);
		}
	}
}

static void test_a_failure_sticks(void **state)
{
	struct record r = { .count = 0 };
	struct sse s;

	buf_init(&r.text, 4096);
	sse_init(&s, 8);
	assert_int_equal(sse_feed(&s, "data: 0123456789\n\n", 18, on_event, &r, NULL), CH_E_LIMIT);
	assert_int_equal(sse_feed(&s, "data: a\n\n", 9, on_event, &r, NULL), CH_E_LIMIT);
	assert_int_equal(r.count, 0);
	sse_done(&s);
	buf_done(&r.text);
}

static void test_stopping(void **state)
{
	struct record r = { .stop_after = 2 };

	buf_init(&r.text, 4096);
	assert_int_equal(run("data: 1\n\ndata: 2\n\ndata: 3\n\n", 27, 27, 64, &r), CH_OK);
	assert_string_equal(buf_str(&r.text), "message|1|-|-1;message|2|-|-1;");
	buf_done(&r.text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_nul_in_data_and_id),
		cmocka_unit_test(test_limit_of_a_line_and_of_an_event),
		cmocka_unit_test(test_a_failure_sticks),
		cmocka_unit_test(test_stopping),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
