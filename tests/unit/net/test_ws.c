/* net/ws: frames to events and back, cut anywhere, and each rule a peer can break. */
#include "net/ws.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "core/mem.h"
#include "core/str.h"

/* What came out, as text: "T:hello;P:;C1000:bye;". */
struct seen {
	struct buf text;
	int stop_after;                 /* events until on_event() says stop; -1: never */
};

static bool note(void *arg, struct ws_event *ev)
{
	struct seen *s = arg;

	assert_int_equal(ev->data[ev->len], '\0');
	if (ev->op == WS_CLOSE)
		buf_printf(&s->text, "C%u:", ev->close_code);
	else
		buf_printf(&s->text, "%c:",
			   ev->op == WS_TEXT     ? 'T'
			   : ev->op == WS_BINARY ? 'B'
			   : ev->op == WS_PING   ? 'P'
						 : 'O');
	buf_append(&s->text, ev->data, ev->len);
	buf_putc(&s->text, ';');
	memset(ev->data, '#', ev->len);         /* callbacks may write here */
	return s->stop_after < 0 || --s->stop_after > 0;
}

/* Feeds copies in steps; each copy is its own allocation so that ASan sees overruns. */
static ch_status feed(struct ws_codec *c, const char *p, size_t n, size_t step, struct seen *s,
		      struct ch_err *err)
{
	ch_status st = CH_OK;

	for (size_t i = 0; i < n && !st; i += step) {
		size_t len = CH_MIN(step, n - i);
		char *copy = ch_alloc(len);

		memcpy(copy, p + i, len);
		st = ws_feed(c, copy, len, note, s, err);
		ch_free(copy);
	}
	return st;
}

struct row {
	enum ws_side side;
	const char *bytes;
	size_t n;
	const char *seen;
	uint16_t fail_code;
};
#define ROW(side, bytes, seen, code) { side, bytes, sizeof(bytes) - 1, seen, code }
/* An all-zero mask leaves the payload readable here; others are tested by round trip. */
#define M "\0\0\0\0"

static const struct row rows[] = {
	ROW(WS_SERVER, "\x81\x85" M "hello", "T:hello;", 0),
	ROW(WS_SERVER, "\x81\x85\x01\x02\x03\x04ig\x6f\x68n", "T:hello;", 0),
	ROW(WS_SERVER, "\x82\x81" M "x\x81\x80" M, "B:x;T:;", 0),
	ROW(WS_CLIENT, "\x81\x05hello\x8a\x00", "T:hello;O:;", 0),
	/* fragments, control frames between them, empty ones */
	ROW(WS_SERVER, "\x01\x81" M "a\x00\x81" M "b\x80\x81" M "c", "T:abc;", 0),
	ROW(WS_SERVER, "\x01\x81" M "a\x89\x82" M "hi\x80\x81" M "c\x81\x81" M "d", "P:hi;T:ac;T:d;", 0),
	ROW(WS_SERVER, "\x01\x80" M "\x00\x80" M "\x80\x80" M, "T:;", 0),
	ROW(WS_SERVER, "\x02\x81" M "\xff\x80\x81" M "\xfe", "B:\xff\xfe;", 0),
	/* closing */
	ROW(WS_SERVER, "\x88\x80" M, "C1005:;", 0),
	ROW(WS_SERVER, "\x88\x85" M "\x03\xe8" "bye\x81\x81" M "x", "C1000:bye;", 0),
	ROW(WS_SERVER, "\x88\x82" M "\x0f\xa0", "C4000:;", 0),
	ROW(WS_SERVER, "\x88\x81" M "\x03", "", 1002),
	ROW(WS_SERVER, "\x88\x82" M "\x03\xee", "", 1002),            /* 1006 */
	ROW(WS_SERVER, "\x88\x82" M "\x03\xe7", "", 1002),            /* 999 */
	ROW(WS_SERVER, "\x88\x82" M "\x13\x88", "", 1002),            /* 5000 */
	ROW(WS_SERVER, "\x88\x83" M "\x03\xe8\xff", "", 1007),
	/* masks */
	ROW(WS_SERVER, "\x81\x01x", "", 1002),
	ROW(WS_CLIENT, "\x81\x81" M "x", "", 1002),
	/* reserved bits and opcodes */
	ROW(WS_SERVER, "\xc1\x81" M "x", "", 1002),
	ROW(WS_SERVER, "\xa1\x81" M "x", "", 1002),
	ROW(WS_SERVER, "\x91\x81" M "x", "", 1002),
	ROW(WS_SERVER, "\x83\x80" M, "", 1002),
	ROW(WS_SERVER, "\x87\x80" M, "", 1002),
	ROW(WS_SERVER, "\x8b\x80" M, "", 1002),
	ROW(WS_SERVER, "\x8f\x80" M, "", 1002),
	/* order of fragments */
	ROW(WS_SERVER, "\x80\x81" M "x", "", 1002),
	ROW(WS_SERVER, "\x01\x81" M "x\x81\x81" M "y", "", 1002),
	ROW(WS_SERVER, "\x01\x81" M "x\x02\x81" M "y", "", 1002),
	ROW(WS_SERVER, "\x81\x81" M "x\x80\x81" M "y", "T:x;", 1002),
	/* control frames */
	ROW(WS_SERVER, "\x09\x80" M, "", 1002),
	ROW(WS_SERVER, "\x08\x80" M, "", 1002),
	ROW(WS_SERVER, "\x89\xfe\x00\x7e" M, "", 1002),
	/* lengths: not shortest, top bit, too big for the ceiling of 200 */
	ROW(WS_SERVER, "\x81\xfe\x00\x7d" M, "", 1002),
	ROW(WS_SERVER, "\x81\xff\0\0\0\0\0\0\xff\xff" M, "", 1002),
	ROW(WS_SERVER, "\x81\xff\x80\0\0\0\0\0\0\0" M, "", 1002),
	ROW(WS_SERVER, "\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xff" M, "", 1009),
	ROW(WS_SERVER, "\x81\xfe\x00\xc9", "", 1009),
	/* UTF-8, whole and across fragments */
	ROW(WS_SERVER, "\x81\x84" M "\xf0\x9f\x98\x80", "T:\xf0\x9f\x98\x80;", 0),
	ROW(WS_SERVER, "\x01\x82" M "\xf0\x9f\x80\x82" M "\x98\x80", "T:\xf0\x9f\x98\x80;", 0),
	ROW(WS_SERVER, "\x01\x81" M "\xc3\x00\x80" M "\x80\x81" M "\xa4", "T:\xc3\xa4;", 0),
	ROW(WS_SERVER, "\x81\x81" M "\xc3", "", 1007),
	ROW(WS_SERVER, "\x01\x81" M "\xc3\x80\x81" M "x", "", 1007),
	ROW(WS_SERVER, "\x01\x81" M "\xff", "", 1007),                /* before the message ends */
	ROW(WS_SERVER, "\x81\x82" M "\xc0\x80", "", 1007),
	ROW(WS_SERVER, "\x81\x83" M "\xe0\x9f\xbf", "", 1007),
	ROW(WS_SERVER, "\x81\x83" M "\xed\xa0\x80", "", 1007),
	ROW(WS_SERVER, "\x81\x84" M "\xf0\x8f\xbf\xbf", "", 1007),
	ROW(WS_SERVER, "\x81\x84" M "\xf4\x90\x80\x80", "", 1007),
	ROW(WS_SERVER, "\x81\x84" M "\xf4\x8f\xbf\xbf", "T:\xf4\x8f\xbf\xbf;", 0),
	ROW(WS_SERVER, "\x81\x83" M "\xed\x9f\xbf", "T:\xed\x9f\xbf;", 0),
	ROW(WS_SERVER, "\x81\x8c" M "0123456789\xc3x", "", 1007),
	ROW(WS_SERVER, "\x82\x81" M "\xff", "B:\xff;", 0),
};

static void check_row(size_t i, size_t step)
{
	const struct row *r = &rows[i];
	struct seen s = { .text.max_bytes = 4096, .stop_after = -1 };
	struct ch_err err = { 0 };
	struct ws_codec c;
	ch_status st;

	ws_codec_init(&c, r->side, 200);
	st = feed(&c, r->bytes, r->n, step, &s, &err);
	if (!str_eq(buf_str(&s.text), r->seen) || c.fail_code != r->fail_code)
		fail_msg("row %zu in steps of %zu: saw '%s', code %u, %s", i, step, buf_str(&s.text),
			 c.fail_code, err.text);
	assert_int_equal(st, !r->fail_code ? CH_OK : r->fail_code == 1009 ? CH_E_LIMIT : CH_E_PEER);
	if (!st && !c.in_message) {
		assert_null(c.in.data);         /* idle: no memory */
		assert_null(c.message.data);
	}
	ws_codec_done(&c);
	buf_done(&s.text);
}

static void test_rows(void **state)
{
	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		for (size_t step = 1; step <= 20; step++)
			check_row(i, step);
	}
}

static void test_fragments_share_the_ceiling(void **state)
{
	static const char frames[] = "\x01\x83" M "abc\x80\x83" M "def";
	struct seen s = { .text.max_bytes = 100, .stop_after = -1 };
	struct ws_codec c;

	ws_codec_init(&c, WS_SERVER, 5);
	assert_int_equal(feed(&c, frames, sizeof(frames) - 1, 100, &s, NULL), CH_E_LIMIT);
	assert_int_equal(c.fail_code, 1009);
	assert_int_equal(feed(&c, frames, sizeof(frames) - 1, 100, &s, NULL), CH_OK); /* dead: ignored */
	assert_string_equal(buf_str(&s.text), "");
	ws_codec_done(&c);

	ws_codec_init(&c, WS_SERVER, 5);
	c.message_max = 6;
	assert_int_equal(feed(&c, frames, sizeof(frames) - 1, 100, &s, NULL), CH_OK);
	assert_string_equal(buf_str(&s.text), "T:abcdef;");
	ws_codec_done(&c);
	buf_done(&s.text);
}

/* A header that announces much makes us keep nothing but the header. */
static void test_no_memory_before_payload(void **state)
{
	struct seen s = { .text.max_bytes = 100, .stop_after = -1 };
	struct ws_codec c;

	ws_codec_init(&c, WS_SERVER, 26214400);
	assert_int_equal(feed(&c, "\x81\xff\0\0\0\0\x01\x90\0\0" M "xy", 16, 16, &s, NULL), CH_OK);
	assert_true(c.in.cap <= 64);
	ws_codec_done(&c);
}

/* on_event() says stop: the rest is kept in order, and comes with the next bytes or without any. */
static void test_stop_and_go_on(void **state)
{
	static const char frames[] = "\x81\x81" M "a\x81\x81" M "b\x81\x81" M "c\x81\x81" M "d\x81\x82" M "e";

	for (size_t step = 1; step <= sizeof(frames); step++) {
		struct seen s = { .text.max_bytes = 100, .stop_after = 1 };
		struct ws_codec c;
		char more[] = "f\x81\x81" M "g", none;

		ws_codec_init(&c, WS_SERVER, 100);
		for (size_t i = 0; i < sizeof(frames) - 1; i += step) {
			assert_int_equal(
				feed(&c, frames + i, CH_MIN(step, sizeof(frames) - 1 - i), step, &s, NULL),
				CH_OK);
			s.stop_after = 1;
		}
		for (int i = 0; i < 3; i++) {
			s.stop_after = 1;
			assert_int_equal(ws_feed(&c, &none, 0, note, &s, NULL), CH_OK);
		}
		s.stop_after = -1;
		assert_int_equal(feed(&c, more, sizeof(more) - 1, 100, &s, NULL), CH_OK);
		assert_string_equal(buf_str(&s.text), "T:a;T:b;T:c;T:d;T:ef;T:g;");
		assert_null(c.in.data);
		ws_codec_done(&c);
		buf_done(&s.text);
	}
}

static void check_round_trip(enum ws_side from, size_t n, size_t step)
{
	struct seen s = { .text.max_bytes = 1 << 20, .stop_after = -1 };
	struct buf out = { .max_bytes = 1 << 20 };
	struct ws_codec c;
	char *payload = ch_alloc(n + 1);

	for (size_t i = 0; i < n; i++)
		payload[i] = (char)('a' + i * 7 % 26);
	ws_frame(&out, from, WS_TEXT, payload, n);
	ws_frame(&out, from, WS_PING, "p", 1);
	ws_codec_init(&c, from == WS_SERVER ? WS_CLIENT : WS_SERVER, 1 << 20);
	assert_int_equal(feed(&c, out.data, out.len, step, &s, NULL), CH_OK);
	assert_int_equal(s.text.len, n + 3 + 4);
	assert_memory_equal(s.text.data + 2, payload, n);
	assert_string_equal(s.text.data + n + 3, "P:p;");
	ws_codec_done(&c);
	buf_done(&out);
	buf_done(&s.text);
	ch_free(payload);
}

static void test_round_trip(void **state)
{
	static const size_t sizes[] = { 0, 1, 7, 8, 9, 125, 126, 127, 65535, 65536, 65537, 200000 };

	for (size_t i = 0; i < CH_ARRAY_LEN(sizes); i++) {
		check_round_trip(WS_SERVER, sizes[i], SIZE_MAX / 2);
		check_round_trip(WS_CLIENT, sizes[i], SIZE_MAX / 2);
		check_round_trip(WS_CLIENT, sizes[i], 1000);
		check_round_trip(WS_SERVER, sizes[i], 4096);
	}
}

static void test_close_frame(void **state)
{
	struct buf out = { .max_bytes = 4096 };
	char reason[200];

	ws_frame_close(&out, WS_SERVER, 1000, NULL);
	assert_memory_equal(out.data, "\x88\x02\x03\xe8", 4);
	buf_clear(&out);
	ws_frame_close(&out, WS_SERVER, 1005, "x");
	assert_int_equal(out.len, 2);
	assert_memory_equal(out.data, "\x88\x00", 2);
	buf_clear(&out);
	/* 122 bytes and a character of two: it does not fit, and is not cut in half */
	memset(reason, 'r', 122);
	memcpy(reason + 122, "\xc3\xa4tail", 7);
	ws_frame_close(&out, WS_SERVER, 1008, reason);
	assert_int_equal((unsigned char)out.data[1], 124);
	assert_int_equal(out.len, 126);
	buf_clear(&out);
	memset(reason, 'r', 199);
	reason[199] = '\0';
	ws_frame_close(&out, WS_SERVER, 1008, reason);
	assert_int_equal((unsigned char)out.data[1], 125);
	buf_done(&out);
}

static void test_masks_differ(void **state)
{
	struct buf a = { .max_bytes = 100 }, b = { .max_bytes = 100 };

	ws_frame(&a, WS_CLIENT, WS_TEXT, "same", 4);
	ws_frame(&b, WS_CLIENT, WS_TEXT, "same", 4);
	assert_int_equal(a.len, 10);
	assert_memory_not_equal(a.data + 2, b.data + 2, 4);
	buf_done(&a);
	buf_done(&b);
}

static void test_accept_key(void **state)
{
	char text[29];

	ws_accept_key("dGhlIHNhbXBsZSBub25jZQ==", text);        /* RFC 6455 1.3 */
	assert_string_equal(text, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

static void test_close_codes(void **state)
{
	static const struct { uint16_t code; bool ok; } codes[] = {
		{ 0, false }, { 999, false }, { 1000, true }, { 1003, true }, { 1004, false },
		{ 1005, false }, { 1006, false }, { 1007, true }, { 1014, true }, { 1015, false },
		{ 2999, false }, { 3000, true }, { 4999, true }, { 5000, false }, { 65535, false },
	};

	for (size_t i = 0; i < CH_ARRAY_LEN(codes); i++)
		assert_int_equal(ws_close_code_valid(codes[i].code), codes[i].ok);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_fragments_share_the_ceiling),
		cmocka_unit_test(test_no_memory_before_payload),
		cmocka_unit_test(test_stop_and_go_on),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_close_frame),
		cmocka_unit_test(test_masks_differ),
		cmocka_unit_test(test_accept_key),
		cmocka_unit_test(test_close_codes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
