/*
 * core/json.h - JSON (RFC 8259) and JSON5 (spec.json5.org) on an arena.
 *
 * Owns    nothing: every value and string lives on the arena that was given.
 * Reader  integers that fit int64 are exact; other numbers keep their text
 *         and have a double as well. Duplicate keys: the last wins. Refused with line
 *         and column: invalid UTF-8, depth over JSON_DEPTH_MAX, lone
 *         surrogates, anything after the value. JSON_JSON5 adds comments,
 *         bare and single-quoted keys, trailing commas, hex, +, leading or
 *         trailing points, Infinity, NaN, line continuations.
 * Strings are NUL-terminated and may hold NULs inside (see len).
 * Lookups accept NULL values and give NULL / the default, so that
 *         json_str(json_get(json_get(v, "a"), "b")) needs no checks between.
 */
#ifndef CH_CORE_JSON_H
#define CH_CORE_JSON_H

#include "core/arena.h"
#include "core/buf.h"
#include "core/err.h"

#define JSON_DEPTH_MAX 256   /* stops stack and memory abuse by nesting */

enum json_type { JSON_NULL, JSON_BOOL, JSON_INT, JSON_NUM, JSON_STR, JSON_ARR, JSON_OBJ };

enum json_flags {
	JSON_STRICT = 0,
	JSON_JSON5 = 1,
};

/*
 * Treat as opaque; read through the functions below. JSON_INT uses `i`;
 * JSON_NUM has `num` and its source text in `str`/`len` (NULL when built by
 * us); JSON_STR `str`/`len`; containers `first`/`last`/`len`. Members of an
 * object carry `key`/`key_len`; an object of more than a few members gets an
 * index on its first lookup (`index`, private).
 */
struct json {
	enum json_type type;
	uint32_t key_len;
	const char *key;
	struct json *next;
	size_t len;
	union {
		bool b;
		int64_t i;
		const char *str;
		struct json *first;
	};
	union {
		double num;
		struct json *last;
	};
	void *index;
};

/* Reading. On failure err->text is "line L column C: …". */
CH_MUST_USE ch_status json_parse(struct arena *a, const char *text, size_t len, int flags,
				 struct json **ret_value, struct ch_err *err);

/* Looking. */
struct json *json_get(const struct json *obj, const char *key);         /* NULL when absent or not an object */
struct json *json_path(const struct json *v, const char *dotted);       /* "a.b.0.c": members and array indices */
struct json *json_at(const struct json *arr, size_t i);
size_t json_len(const struct json *v);                                  /* array or object; else 0 */
enum json_type json_type(const struct json *v);                         /* JSON_NULL for NULL */
bool json_is(const struct json *v, enum json_type type);                /* false for NULL pointers */
const char *json_str(const struct json *v);                             /* NULL unless a string */
const char *json_str_or(const struct json *v, const char *def);
int64_t json_int_or(const struct json *v, int64_t def);                 /* JSON_INT, or JSON_NUM with an integral value in range */
double json_num_or(const struct json *v, double def);
bool json_bool_or(const struct json *v, bool def);
/* Shorthands for a member of an object. */
const char *json_get_str(const struct json *obj, const char *key);
int64_t json_get_int(const struct json *obj, const char *key, int64_t def);
bool json_get_bool(const struct json *obj, const char *key, bool def);
#define json_each(it, container) \
	for (struct json *it = json_first(container); it; it = it->next)
struct json *json_first(const struct json *container);
bool json_equal(const struct json *a, const struct json *b);            /* objects regardless of order */

/* Building. The tree may mix values of several arenas that live long enough. */
struct json *json_new_null(struct arena *a);
struct json *json_new_bool(struct arena *a, bool b);
struct json *json_new_int(struct arena *a, int64_t i);
struct json *json_new_num(struct arena *a, double d);
struct json *json_new_str(struct arena *a, const char *s);              /* copied; NULL gives JSON_NULL */
struct json *json_new_strn(struct arena *a, const char *s, size_t n);
struct json *json_new_arr(struct arena *a);
struct json *json_new_obj(struct arena *a);
void json_push(struct json *arr, struct json *v);                       /* v must not be in a container yet */
void json_set(struct arena *a, struct json *obj, const char *key, struct json *v); /* replaces; key copied */
bool json_unset(struct json *obj, const char *key);
struct json *json_clone(struct arena *a, const struct json *v);
/* RFC 7386 merge patch: a new value on the arena. */
struct json *json_merge(struct arena *a, const struct json *base, const struct json *patch);

/* Writing a tree: compact, or indented when indent > 0. */
void json_write(struct buf *out, const struct json *v, int indent);
char *json_to_str(struct arena *a, const struct json *v);

/*
 * Writing without a tree, the fast way for replies and events:
 *
 *	struct jw w = JW(out);
 *	jw_obj(&w); jw_key(&w, "ok"); jw_bool(&w, true); jw_end(&w);
 *
 * Commas are put by the writer. jw_end() closes the innermost container.
 * Misuse is CH_BUG_ON. Errors are the buffer's (buf_status).
 */
#define JW_DEPTH_MAX 32
struct jw {
	struct buf *out;
	int depth;
	char close[JW_DEPTH_MAX];
	bool need_comma;
};
#define JW(buffer) ((struct jw){ .out = (buffer) })
void jw_obj(struct jw *w);
void jw_arr(struct jw *w);
void jw_end(struct jw *w);
void jw_key(struct jw *w, const char *key);
void jw_null(struct jw *w);
void jw_bool(struct jw *w, bool b);
void jw_int(struct jw *w, int64_t i);
void jw_num(struct jw *w, double d);                                    /* shortest round-trip form; integral prints as integer; not finite: null */
void jw_str(struct jw *w, const char *s);                               /* NULL: null */
void jw_strn(struct jw *w, const char *s, size_t n);
void jw_value(struct jw *w, const struct json *v);                      /* NULL: null */
void jw_raw(struct jw *w, const char *json_text, size_t n);             /* trusted JSON, spliced */
/* key and value in one. */
void jw_kstr(struct jw *w, const char *key, const char *s);
void jw_kint(struct jw *w, const char *key, int64_t i);
void jw_knum(struct jw *w, const char *key, double d);
void jw_kbool(struct jw *w, const char *key, bool b);
void jw_knull(struct jw *w, const char *key);
void jw_kvalue(struct jw *w, const char *key, const struct json *v);
void jw_kraw(struct jw *w, const char *key, const char *json_text, size_t n);
void jw_kobj(struct jw *w, const char *key);
void jw_karr(struct jw *w, const char *key);
/* Only when s is not NULL. */
void jw_kstr_opt(struct jw *w, const char *key, const char *s);

#endif
