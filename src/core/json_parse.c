/*
 * core/json_parse.c - the reader for JSON (RFC 8259) and, with a flag, JSON5:
 * structure, white space, errors. Strings and numbers are in json_scalar.c.
 *
 * One pass and no recursion: r->open is the stack of open containers. Values
 * come from slabs; strings are copied once into one region as long as the
 * text, which cannot overflow because each string is shorter than its source
 * with quotes or delimiter. Both are on the caller's arena.
 */
#include <stdio.h>

#include "core/json_priv.h"
#include "core/str.h"

#define SLAB_MAX 256
#define TEXT_MAX UINT32_MAX      /* key_len holds the length of any key */

bool json_fail_at(struct json_reader *r, const char *at, const char *fmt, ...)
{
	size_t line = 1, column = 1;
	va_list ap;
	char what[160];

	for (const char *p = r->text; p < at; p++) {
		if (*p == '\n') {
			line++;
			column = 1;
		} else if ((*p & 0xc0) != 0x80) {
			column++;
		}
	}
	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	r->status = ch_fail(r->err, CH_E_INVALID, "line %zu column %zu: %s", line, column, what);
	return false;
}

bool json_no_room(struct json_reader *r)
{
	r->status = ch_fail(r->err, CH_E_LIMIT, "JSON of %zu bytes does not fit its memory limit",
			    (size_t)(r->end - r->text));
	return false;
}

bool json_unexpected(struct json_reader *r, const char *expected)
{
	unsigned char c;
	uint32_t cp;

	if (r->p == r->end)
		return json_fail_at(r, r->p, "unexpected end, expected %s", expected);
	c = (unsigned char)*r->p;
	if (c > 0x20 && c < 0x7f)
		return json_fail_at(r, r->p, "unexpected '%c', expected %s", c, expected);
	if (c >= 0x80 && utf8_decode(r->p, (size_t)(r->end - r->p), &cp))
		return json_fail_at(r, r->p, "unexpected character U+%04X, expected %s", cp, expected);
	return json_fail_at(r, r->p, "unexpected byte 0x%02x, expected %s", c, expected);
}

bool json5_is_blank(uint32_t cp)
{
	if (cp < 0x80)
		return cp == ' ' || (cp >= '\t' && cp <= '\r');
	return cp == 0xa0 || cp == 0xfeff || cp == 0x1680 || (cp >= 0x2000 && cp <= 0x200a) ||
	       cp == 0x2028 || cp == 0x2029 || cp == 0x202f || cp == 0x205f || cp == 0x3000;
}

/* Where a comment that begins at p ends: "//" before the line end, the other behind its mark; NULL when open. */
static const char *comment_end(const char *p, const char *end)
{
	const char *close;

	if (p[1] == '*') {
		close = memmem(p + 2, (size_t)(end - p - 2), "*/", 2);
		return close ? close + 2 : NULL;
	}
	for (p += 2; p < end && *p != '\n' && *p != '\r'; p++)
		if (end - p >= 3 && (memcmp(p, "\u2028", 3) == 0 || memcmp(p, "\u2029", 3) == 0))
			break;
	return p;
}

static bool skip_comment(struct json_reader *r)
{
	const char *start = r->p, *end = comment_end(start, r->end);
	size_t good;

	if (!end)
		return json_fail_at(r, start, "this comment is not closed, expected '*/'");
	good = utf8_valid_prefix(start, (size_t)(end - start));
	if (start + good < end)
		return json_fail_at(r, start + good, "invalid UTF-8 in a comment");
	r->p = end;
	return true;
}

static bool skip_blank5(struct json_reader *r)
{
	uint32_t cp;
	size_t n;

	while (r->p < r->end) {
		if (*r->p == '/' && r->end - r->p >= 2 && (r->p[1] == '/' || r->p[1] == '*')) {
			if (!skip_comment(r))
				return false;
			continue;
		}
		n = utf8_decode(r->p, (size_t)(r->end - r->p), &cp);
		if (n == 0 || !json5_is_blank(cp))
			break;
		r->p += n;
	}
	return true;
}

static inline bool skip_blank(struct json_reader *r)
{
	if (r->json5)
		return skip_blank5(r);
	while (r->p < r->end && (*r->p == ' ' || *r->p == '\n' || *r->p == '\r' || *r->p == '\t'))
		r->p++;
	return true;
}

static inline struct json *new_value(struct json_reader *r)
{
	if (r->slab_left == 0) {
		size_t n = (size_t)(r->end - r->p) / 16 + 4;

		n = CH_MIN(n, SLAB_MAX);
		r->slab = arena_try_alloc(r->arena, n * sizeof(*r->slab));
		if (!r->slab)
			return NULL;
		r->slab_left = n;
	}
	r->slab_left--;
	return r->slab++;
}

static inline void append(struct json *parent, struct json *v)
{
	if (parent->last)
		parent->last->next = v;
	else
		parent->first = v;
	parent->last = v;
	parent->len++;
}

static bool read_key(struct json_reader *r, const char **ret_key, size_t *ret_len)
{
	bool ok;

	if (r->p < r->end && (*r->p == '"' || (*r->p == '\'' && r->json5)))
		ok = json_read_string(r, ret_key, ret_len);
	else if (r->json5)
		ok = json5_read_name(r, ret_key, ret_len);
	else
		ok = json_unexpected(r, "a key in double quotes");
	if (!ok || !skip_blank(r))
		return false;
	if (r->p == r->end || *r->p != ':')
		return json_unexpected(r, "':' after the key");
	r->p++;
	return skip_blank(r);
}

/*
 * Reads the key when the open container is an object, and gives the place
 * where the value goes: a new one or, in a small object, that of an earlier
 * member with the same key. Large objects fold duplicates when they close.
 */
static struct json *open_slot(struct json_reader *r)
{
	struct json *parent = r->depth ? r->open[r->depth - 1] : NULL, *v;
	const char *key = NULL;
	size_t key_len = 0;

	if (parent && parent->type == JSON_OBJ) {
		if (!read_key(r, &key, &key_len))
			return NULL;
		if (parent->len <= JSON_INDEX_ABOVE)
			for (v = parent->first; v; v = v->next)
				if (json_key_is(v, key, key_len))
					return v;
	}
	v = new_value(r);
	if (!v) {
		json_no_room(r);
		return NULL;
	}
	v->key = key;
	v->key_len = (uint32_t)key_len;
	v->next = NULL;
	if (parent)
		append(parent, v);
	return v;
}

static bool read_word(struct json_reader *r, const char *word, size_t n)
{
	if ((size_t)(r->end - r->p) < n || memcmp(r->p, word, n) != 0)
		return json_unexpected(r, "a value");
	r->p += n;
	return true;
}

/* A scalar whole, or the opening bracket of a container. */
static bool read_value(struct json_reader *r, struct json *v)
{
	v->len = 0;
	v->index = NULL;
	v->str = NULL;
	v->last = NULL;
	if (r->p == r->end)
		return json_unexpected(r, "a value");
	switch (*r->p) {
	case '"':
		v->type = JSON_STR;
		return json_read_string(r, &v->str, &v->len);
	case '{':
		v->type = JSON_OBJ;
		r->p++;
		return true;
	case '[':
		v->type = JSON_ARR;
		r->p++;
		return true;
	case 't':
		v->type = JSON_BOOL;
		v->b = true;
		return read_word(r, "true", 4);
	case 'f':
		v->type = JSON_BOOL;
		return read_word(r, "false", 5);
	case 'n':
		v->type = JSON_NULL;
		return read_word(r, "null", 4);
	case '-':
	case '0': case '1': case '2': case '3': case '4':
	case '5': case '6': case '7': case '8': case '9':
		return json_read_number(r, v);
	case '\'':
		if (!r->json5)
			break;
		v->type = JSON_STR;
		return json_read_string(r, &v->str, &v->len);
	case '+': case '.': case 'I': case 'N':
		if (r->json5)
			return json_read_number(r, v);
		break;
	default:
		break;
	}
	return json_unexpected(r, "a value");
}

static inline char closing(const struct json *v)
{
	return v->type == JSON_OBJ ? '}' : ']';
}

static inline bool at_close(const struct json_reader *r, const struct json *v)
{
	return r->p < r->end && *r->p == closing(v);
}

static bool push(struct json_reader *r, struct json *v)
{
	if (r->depth == JSON_DEPTH_MAX) {
		json_fail_at(r, r->p - 1, "nested deeper than %d levels", JSON_DEPTH_MAX);
		r->status = CH_E_LIMIT;
		if (r->err)
			r->err->code = CH_E_LIMIT;
		return false;
	}
	r->open[r->depth++] = v;
	return true;
}

/* Behind a value: closes what ends here. Afterwards another value follows, or depth is 0. */
static bool after_value(struct json_reader *r)
{
	while (r->depth) {
		struct json *parent = r->open[r->depth - 1];

		if (!skip_blank(r))
			return false;
		if (r->p < r->end && *r->p == ',') {
			r->p++;
			if (!skip_blank(r))
				return false;
			if (!r->json5 || !at_close(r, parent))
				return true;
		}
		if (!at_close(r, parent))
			return json_unexpected(r, parent->type == JSON_OBJ ? "',' or '}'" : "',' or ']'");
		r->p++;
		r->depth--;
		if (parent->type == JSON_OBJ && parent->len > JSON_INDEX_ABOVE &&
		    !json_index_build(r->arena, parent))
			return json_no_room(r);
	}
	return true;
}

static bool read_document(struct json_reader *r, struct json **ret_value)
{
	struct json *root = NULL, *v;

	if (!skip_blank(r))
		return false;
	do {
		v = open_slot(r);
		if (!v || !read_value(r, v))
			return false;
		if (!root)
			root = v;
		if (json_is_container(v)) {
			if (!skip_blank(r))
				return false;
			if (!push(r, v))
				return false;
			if (!at_close(r, v))
				continue;
		}
		if (!after_value(r))
			return false;
	} while (r->depth);

	if (!skip_blank(r))
		return false;
	if (r->p < r->end)
		return json_unexpected(r, "nothing more after the value");
	*ret_value = root;
	return true;
}

ch_status json_parse(struct arena *a, const char *text, size_t len, int flags, struct json **ret_value,
		     struct ch_err *err)
{
	struct json_reader r;

	if (len >= TEXT_MAX)
		return ch_fail(err, CH_E_LIMIT, "JSON of %zu bytes is over the limit of 4 GiB", len);
	r.p = r.text = text;
	r.end = text + len;
	r.out = arena_try_alloc(a, len + JSON_COPY_SLACK);
	r.arena = a;
	r.slab = NULL;
	r.slab_left = 0;
	r.json5 = flags & JSON_JSON5;
	r.err = err;
	r.status = CH_OK;
	r.depth = 0;
	if (!r.out)
		json_no_room(&r);
	else
		(void)read_document(&r, ret_value);
	return r.status;
}
