/*
 * fuzz_json.c - strict JSON against jansson, both ways.
 *
 * What jansson takes we take, as the same value. What we take and jansson
 * does not is a number beyond its types or a NUL in a key. Inputs that hold a
 * raw NUL are left out: jansson overlooks one behind a number.
 */
#include <string.h>

#include "core/json.h"
#include "fuzz.h"
#include "oracle_jansson.h"

static void same_value(const struct json *v, const struct oracle *o)
{
	const char *str;
	size_t n = 0;

	switch (oracle_type(o)) {
	case ORACLE_OBJ:
		FUZZ_ASSERT(json_is(v, JSON_OBJ) && json_len(v) == oracle_size(o));
		json_each(it, v) {
			FUZZ_ASSERT(strlen(it->key) == it->key_len);
			FUZZ_ASSERT(json_get(v, it->key) == it);
			same_value(it, oracle_member(o, it->key));
		}
		break;
	case ORACLE_ARR:
		FUZZ_ASSERT(json_is(v, JSON_ARR) && json_len(v) == oracle_size(o));
		json_each(it, v)
			same_value(it, oracle_item(o, n++));
		break;
	case ORACLE_STR:
		str = oracle_str(o, &n);
		FUZZ_ASSERT(json_is(v, JSON_STR) && v->len == n && memcmp(v->str, str, n + 1) == 0);
		break;
	case ORACLE_INT:
		FUZZ_ASSERT(json_is(v, JSON_INT) && v->i == oracle_int(o));
		break;
	case ORACLE_NUM:
		FUZZ_ASSERT(json_is(v, JSON_NUM) && v->num == oracle_num(o));
		break;
	case ORACLE_BOOL:
		FUZZ_ASSERT(json_is(v, JSON_BOOL) && v->b == oracle_bool(o));
		break;
	case ORACLE_NULL:
		FUZZ_ASSERT(json_is(v, JSON_NULL));
		break;
	}
}

/* What was written reads back equal, compact or indented, and writes the same again. */
static void round_trip(struct arena *a, const struct json *v)
{
	CH_AUTO_BUF struct buf compact = { 0 }, again = { 0 }, indented = { 0 };
	struct json *back;

	buf_init(&compact, SIZE_MAX);
	buf_init(&again, SIZE_MAX);
	buf_init(&indented, SIZE_MAX);
	json_write(&compact, v, 0);
	FUZZ_ASSERT(json_parse(a, compact.data, compact.len, JSON_STRICT, &back, NULL) == CH_OK);
	FUZZ_ASSERT(json_equal(v, back));
	json_write(&again, back, 0);
	FUZZ_ASSERT(again.len == compact.len && memcmp(again.data, compact.data, again.len) == 0);
	json_write(&indented, v, 2);
	FUZZ_ASSERT(json_parse(a, indented.data, indented.len, JSON_JSON5, &back, NULL) == CH_OK);
	FUZZ_ASSERT(json_equal(v, back));
	FUZZ_ASSERT(json_equal(v, json_clone(a, v)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct ch_err err = { 0 };
	struct oracle *o;
	struct json *v;
	bool beyond;
	ch_status st;

	st = json_parse(a, (const char *)data, size, JSON_STRICT, &v, &err);
	FUZZ_ASSERT((st == CH_OK) == (err.text[0] == '\0'));
	if (memchr(data, 0, size))
		return 0;
	if (st == CH_OK)
		round_trip(a, v);

	o = oracle_parse(data, size, &beyond);
	FUZZ_ASSERT(o ? st == CH_OK || st == CH_E_LIMIT : st != CH_OK || beyond);
	if (o && st == CH_OK)
		same_value(v, o);
	oracle_free(o);
	return 0;
}
