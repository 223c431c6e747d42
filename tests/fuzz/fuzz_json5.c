/*
 * fuzz_json5.c - JSON5: what parses is written as strict JSON that reads back
 * equal, and whatever strict JSON takes means the same in JSON5.
 */
#include <math.h>
#include <string.h>

#include "core/json.h"
#include "fuzz.h"

/* Infinity and NaN become null when written; nothing else changes. */
static bool all_finite(const struct json *v)
{
	if (json_is(v, JSON_NUM) && !v->str)
		return isfinite(v->num);
	json_each(it, v)
		if (!all_finite(it))
			return false;
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	CH_AUTO_BUF struct buf once = { 0 }, twice = { 0 };
	struct ch_err err = { 0 };
	struct json *v, *back, *strict;
	ch_status st;

	buf_init(&once, SIZE_MAX);
	buf_init(&twice, SIZE_MAX);
	st = json_parse(a, (const char *)data, size, JSON_JSON5, &v, &err);
	FUZZ_ASSERT((st == CH_OK) == (err.text[0] == '\0'));
	if (json_parse(a, (const char *)data, size, JSON_STRICT, &strict, NULL) == CH_OK) {
		FUZZ_ASSERT(st == CH_OK);
		FUZZ_ASSERT(json_equal(v, strict));
	}
	if (st)
		return 0;
	json_write(&once, v, 0);
	FUZZ_ASSERT(json_parse(a, once.data, once.len, JSON_STRICT, &back, &err) == CH_OK);
	json_write(&twice, back, 0);
	FUZZ_ASSERT(once.len == twice.len && memcmp(once.data, twice.data, once.len) == 0);
	if (all_finite(v))
		FUZZ_ASSERT(json_equal(v, back));
	return 0;
}
