/*
 * core/json_priv.h - what the json_*.c share; nobody else includes it.
 *
 * Objects of more than JSON_INDEX_ABOVE members carry an open-addressed table
 * of their members, kept on the arena. The reader builds it when the object
 * closes and json_set() keeps it up; lookups only read.
 */
#ifndef CH_CORE_JSON_PRIV_H
#define CH_CORE_JSON_PRIV_H

#include <string.h>

#include "core/json.h"

#define JSON_INDEX_ABOVE 8
#define JSON_COPY_SLACK 16   /* strings are copied eight bytes at a time, terminator included */
/* Trees put together from parsed ones may be deeper than either. */
#define JSON_TREE_DEPTH_MAX (JSON_DEPTH_MAX + 128)

/* ---- the reader: json_parse.c has the structure, json_scalar.c strings and numbers ---- */

struct json_reader {
	const char *p, *end;      /* what is left to read */
	const char *text;         /* where it began, for line and column */
	char *out;                /* next free byte of the region for strings */
	struct arena *arena;
	struct json *slab;        /* values not handed out yet */
	size_t slab_left;
	bool json5;
	struct ch_err *err;
	ch_status status;
	int depth;
	struct json *open[JSON_DEPTH_MAX];
};

/* Fails with "line L column C: <what>"; always gives false. */
bool json_fail_at(struct json_reader *r, const char *at, const char *fmt, ...) CH_PRINTF(3, 4);
/* Fails with "… unexpected <what is at r->p>, expected <expected>". */
bool json_unexpected(struct json_reader *r, const char *expected);
/* No room on the arena. */
bool json_no_room(struct json_reader *r);
/* White space or a line end of JSON5. */
bool json5_is_blank(uint32_t cp);

/* At a quote. The text is in the region for strings, NUL-terminated. */
bool json_read_string(struct json_reader *r, const char **ret_str, size_t *ret_len);
/* At a JSON5 identifier. */
bool json5_read_name(struct json_reader *r, const char **ret_str, size_t *ret_len);
/* At a digit, a sign, a point, Infinity or NaN. */
bool json_read_number(struct json_reader *r, struct json *v);

/* ---- the tree: json_dom.c ---- */

struct json_index {
	size_t slots;             /* a power of two, at least twice the members */
	struct json *slot[];
};

static inline bool json_is_container(const struct json *v)
{
	return v->type == JSON_ARR || v->type == JSON_OBJ;
}

static inline bool json_key_is(const struct json *v, const char *key, size_t n)
{
	return v->key_len == n && (n == 0 || memcmp(v->key, key, n) == 0);
}

/*
 * Builds the index of an object, folding duplicate keys: the last value wins,
 * at the first one's place. False when the arena is full.
 */
CH_MUST_USE bool json_index_build(struct arena *a, struct json *obj);

#endif
