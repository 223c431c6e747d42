/* models/eventstream: frames whole and cut, every kind of header, and everything that can be wrong with one. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <zlib.h>

#include "models/eventstream.h"

#define MAX 4096

#define FRAME_BYTES 512

struct frame { uint8_t at[FRAME_BYTES]; size_t len; };

static void put(struct frame *f, uint64_t value, size_t bytes)
{
	for (size_t i = bytes; i-- > 0;)
		f->at[f->len++] = (uint8_t)(value >> (8 * i));
}

static void put_bytes(struct frame *f, const void *p, size_t n)
{
	memcpy(f->at + f->len, p, n);
	f->len += n;
}

static void put_text_header(struct frame *f, const char *name, const char *value)
{
	put(f, strlen(name), 1);
	put_bytes(f, name, strlen(name));
	put(f, 7, 1);
	put(f, strlen(value), 2);
	put_bytes(f, value, strlen(value));
}

/* A message of ready headers and a payload. */
static struct frame make(const struct frame *headers, const char *payload)
{
	struct frame f = { .len = 0 };

	put(&f, 16 + headers->len + strlen(payload), 4);
	put(&f, headers->len, 4);
	put(&f, crc32(0, f.at, 8), 4);
	put_bytes(&f, headers->at, headers->len);
	put_bytes(&f, payload, strlen(payload));
	put(&f, crc32(0, f.at, (unsigned)f.len), 4);
	return f;
}

static struct frame event(const char *type, const char *payload)
{
	struct frame h = { .len = 0 };

	put_text_header(&h, ":event-type", type);
	put_text_header(&h, ":content-type", "application/json");
	put_text_header(&h, ":message-type", "event");
	return make(&h, payload);
}

struct seen { struct buf log; size_t count, stop_at; };

static bool on_message(void *arg, const struct eventstream_message *m)
{
	struct seen *s = arg;

	buf_printf(&s->log, "%d %s %s %.*s;", m->kind, m->name, m->text, (int)m->len, m->payload);
	s->count++;
	return s->count != s->stop_at;
}

static ch_status feed(struct seen *s, const uint8_t *p, size_t n, size_t step, struct ch_err *err)
{
	struct eventstream es;
	ch_status st = CH_OK;

	buf_clear(&s->log);
	s->count = 0;
	eventstream_init(&es, MAX);
	for (size_t at = 0; at < n && !st; at += step)
		st = eventstream_feed(&es, (const char *)p + at, CH_MIN(step, n - at), on_message, s, err);
	if (!st && s->count != s->stop_at)
		assert_true(eventstream_is_empty(&es));
	eventstream_done(&es);
	return st;
}

static void test_frames_at_every_cut(void **state)
{
	struct seen s = { .log = { .max_bytes = 1 << 16 } };
	struct frame a = event("messageStart", "{}"), b = event("contentBlockDelta", "{\"delta\":{}}"), all = { .len = 0 };

	put_bytes(&all, a.at, a.len);
	put_bytes(&all, b.at, b.len);
	for (size_t step = 1; step <= all.len; step++) {
		assert_int_equal(feed(&s, all.at, all.len, step, NULL), CH_OK);
		assert_string_equal(buf_str(&s.log), "0 messageStart  {};0 contentBlockDelta  {\"delta\":{}};");
	}
	s.stop_at = 1;
	assert_int_equal(feed(&s, all.at, all.len, all.len, NULL), CH_OK);
	assert_int_equal(s.count, 1);
	buf_done(&s.log);
}

static void test_every_kind_of_header(void **state)
{
	static const uint8_t sizes[] = { 0, 0, 1, 2, 4, 8, 3, 3, 8, 16 };
	struct seen s = { .log = { .max_bytes = 1 << 16 } };
	struct frame h = { .len = 0 }, f;

	for (size_t type = 0; type < CH_ARRAY_LEN(sizes); type++) {
		put(&h, 1, 1);
		put(&h, 'a' + type, 1);
		put(&h, type, 1);
		if (type == 6 || type == 7)
			put(&h, sizes[type], 2);
		put(&h, 0, sizes[type] > 8 ? 8 : sizes[type]);
		if (sizes[type] > 8)
			put(&h, 0, sizes[type] - 8);
	}
	put_text_header(&h, ":message-type", "exception");
	put_text_header(&h, ":exception-type", "throttlingException");
	f = make(&h, "{}");
	assert_int_equal(feed(&s, f.at, f.len, f.len, NULL), CH_OK);
	assert_string_equal(buf_str(&s.log), "1 throttlingException  {};");
	h.len = 0;
	put_text_header(&h, ":message-type", "error");
	put_text_header(&h, ":error-code", "InternalFailure");
	put_text_header(&h, ":error-message", "Oops");
	f = make(&h, "");
	assert_int_equal(feed(&s, f.at, f.len, f.len, NULL), CH_OK);
	assert_string_equal(buf_str(&s.log), "2 InternalFailure Oops ;");
	buf_done(&s.log);
}

/* No changed bit goes unnoticed: it is an error, or a message that is not whole. */
static void test_every_flipped_bit(void **state)
{
	struct seen s = { .log = { .max_bytes = 1 << 16 } };
	struct frame f = event("messageStop", "{\"stopReason\":\"end_turn\"}");

	for (size_t bit = 0; bit < 8 * f.len; bit++) {
		struct ch_err err = { .text = "" };
		ch_status st;

		f.at[bit / 8] ^= (uint8_t)(1u << bit % 8);
		st = feed(&s, f.at, f.len, f.len, &err);
		assert_true(st == CH_E_PEER && err.text[0]);
		assert_int_equal(s.count, 0);
		f.at[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	buf_done(&s.log);
}

/* Lengths with a right checksum that make no sense all the same. */
static void test_lengths(void **state)
{
	static const struct { uint32_t total, headers; ch_status st; } table[] = {
		{ 0, 0, CH_E_PEER },       { 15, 0, CH_E_PEER },           { 16, 1, CH_E_PEER },
		{ MAX, MAX, CH_E_PEER },   { MAX + 1, 0, CH_E_LIMIT },     { UINT32_MAX, 0, CH_E_LIMIT },
		{ 16, UINT32_MAX, CH_E_PEER },
	};
	struct seen s = { .log = { .max_bytes = 1 << 16 } };

	for (size_t i = 0; i < CH_ARRAY_LEN(table); i++) {
		struct frame f = { .len = 0 };

		put(&f, table[i].total, 4);
		put(&f, table[i].headers, 4);
		put(&f, crc32(0, f.at, 8), 4);
		assert_int_equal(feed(&s, f.at, f.len, f.len, NULL), table[i].st);
	}
	buf_done(&s.log);
}

static void test_malformed_headers(void **state)
{
	static const struct { const char *bytes; size_t len; } table[] = {
		{ "\x05" "ab", 3 },                     /* a name that is cut */
		{ "\x01" "a", 2 },                      /* no type */
		{ "\x01" "a\x0a", 3 },                  /* a type that does not exist */
		{ "\x01" "a\x04\x00\x00", 5 },          /* a number that is cut */
		{ "\x01" "a\x07\x00", 4 },              /* a length that is cut */
		{ "\x01" "a\x07\x00\x05xyz", 8 },       /* a text that is cut */
	};
	struct seen s = { .log = { .max_bytes = 1 << 16 } };

	for (size_t i = 0; i < CH_ARRAY_LEN(table); i++) {
		struct frame h = { .len = 0 }, f;

		put_bytes(&h, table[i].bytes, table[i].len);
		f = make(&h, "");
		assert_int_equal(feed(&s, f.at, f.len, f.len, NULL), CH_E_PEER);
		assert_int_equal(s.count, 0);
	}
	buf_done(&s.log);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_frames_at_every_cut),  cmocka_unit_test(test_every_kind_of_header),
		cmocka_unit_test(test_every_flipped_bit),    cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_malformed_headers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
