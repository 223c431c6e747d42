/*
 * core/json_write.c - JSON out: a whole tree, or piece by piece (struct jw).
 *
 * Both write strict JSON whatever was read: JSON5's forms of numbers were
 * made strict by the reader, what is not finite becomes null, and a byte that
 * is no UTF-8 becomes U+FFFD, since one such byte would cost the peer the
 * whole connection.
 */
#include <endian.h>
#include <math.h>

#include "core/json_priv.h"
#include "core/num.h"
#include "core/str.h"

#define ONES 0x0101010101010101ull
#define HIGH_BITS 0x8080808080808080ull

/* Room for n more bytes and the terminator, or NULL with out->failed set. */
static inline char *room(struct buf *out, size_t n)
{
	if ((out->failed || n >= out->cap - out->len) && !buf_reserve(out, n))
		return NULL;
	return out->data + out->len;
}

static inline void put(struct buf *out, char c)
{
	char *p = room(out, 1);

	if (p) {
		*p = c;
		out->len++;
	}
}

static inline void put_bytes(struct buf *out, const char *s, size_t n)
{
	char *p = room(out, n);

	if (p) {
		memcpy(p, s, n);
		out->len += n;
	}
}

static inline void terminate(struct buf *out)
{
	if (out->data)
		out->data[out->len] = '\0';
}

/* ---- strings ---- */

/* High bit set in the lowest byte that cannot be copied as it is; higher ones may be wrong. */
static inline uint64_t special(uint64_t word)
{
	uint64_t quote = word ^ (ONES * '"'), slash = word ^ (ONES * '\\');

	return ((word - ONES * 0x20) | (quote - ONES) | (slash - ONES) | word) & HIGH_BITS;
}

static inline bool is_special(char c)
{
	return (unsigned char)c < 0x20 || (unsigned char)c >= 0x80 || c == '"' || c == '\\';
}

/* Writes what stands for the special byte at s; gives its bytes, and how many of s it took. */
static size_t escape(char ret[6], const char *s, size_t n, size_t *ret_taken)
{
	static const char digits[17] = "0123456789abcdef";
	static const char short_form[32] = {
		['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r',
	};
	unsigned char c = (unsigned char)*s;
	uint32_t cp;

	*ret_taken = 1;
	if (c >= 0x80) {
		size_t len = utf8_decode(s, n, &cp);

		if (len == 0) {
			memcpy(ret, "\xef\xbf\xbd", 3);
			return 3;
		}
		memcpy(ret, s, len);
		return *ret_taken = len;
	}
	ret[0] = '\\';
	ret[1] = c >= 0x20 ? (char)c : short_form[c];
	if (ret[1])
		return 2;
	memcpy(ret + 1, "u00", 3);
	ret[4] = digits[c >> 4];
	ret[5] = digits[c & 15];
	return 6;
}

static void put_str(struct buf *out, const char *s, size_t n)
{
	char *p = room(out, n + 2), piece[6];
	const char *end = s + n;
	size_t len, taken;
	uint64_t word, hits;

	if (!p)
		return;
	*p++ = '"';
	for (;;) {
		/* Here p has room for what is left of s and the closing quote. */
		while (end - s >= 8) {
			memcpy(&word, s, 8);
			memcpy(p, s, 8);
			hits = special(le64toh(word));
			len = hits ? (size_t)__builtin_ctzll(hits) >> 3 : 8;
			s += len;
			p += len;
			if (hits)
				goto stopped;
		}
		while (s < end && !is_special(*s))
			*p++ = *s++;
		if (s == end)
			break;
stopped:
		len = escape(piece, s, (size_t)(end - s), &taken);
		s += taken;
		out->len = (size_t)(p - out->data);
		p = room(out, len + (size_t)(end - s) + 1);
		if (!p)
			return;
		p = mempcpy(p, piece, len);
	}
	*p++ = '"';
	out->len = (size_t)(p - out->data);
}

/* ---- scalars ---- */

static void put_int(struct buf *out, int64_t i)
{
	char text[NUM_TEXT_LEN];

	put_bytes(out, text, num_format_i64(i, text));
}

static void put_double(struct buf *out, double d)
{
	char text[NUM_TEXT_LEN];

	if (isfinite(d))
		put_bytes(out, text, num_format(d, text));
	else
		put_bytes(out, "null", 4);
}

static void put_scalar(struct buf *out, const struct json *v)
{
	switch (v->type) {
	case JSON_STR:
		put_str(out, v->str, v->len);
		break;
	case JSON_INT:
		put_int(out, v->i);
		break;
	case JSON_NUM:
		if (v->str)
			put_bytes(out, v->str, v->len);
		else
			put_double(out, v->num);
		break;
	case JSON_BOOL:
		put_bytes(out, v->b ? "true" : "false", v->b ? 4 : 5);
		break;
	default:
		put_bytes(out, "null", 4);
		break;
	}
}

/* ---- trees ---- */

static void new_line(struct buf *out, int indent, int depth)
{
	char *p;
	size_t n;

	if (indent <= 0)
		return;
	n = (size_t)indent * (size_t)depth;
	p = room(out, n + 1);
	if (!p)
		return;
	*p = '\n';
	memset(p + 1, ' ', n);
	out->len += n + 1;
}

static void write_tree(struct buf *out, const struct json *v, int indent)
{
	const struct json *parent[JSON_TREE_DEPTH_MAX];
	int depth = 0;

	for (;;) {
		if (depth && parent[depth - 1]->type == JSON_OBJ) {
			put_str(out, v->key, v->key_len);
			put_bytes(out, ": ", indent > 0 ? 2 : 1);
		}
		if (!json_is_container(v)) {
			put_scalar(out, v);
		} else if (!v->first) {
			put_bytes(out, v->type == JSON_OBJ ? "{}" : "[]", 2);
		} else {
			if (depth == JSON_TREE_DEPTH_MAX) {
				out->failed = CH_E_LIMIT;
				return;
			}
			put(out, v->type == JSON_OBJ ? '{' : '[');
			parent[depth++] = v;
			new_line(out, indent, depth);
			v = v->first;
			continue;
		}
		while (depth && !v->next) {
			v = parent[--depth];
			new_line(out, indent, depth);
			put(out, v->type == JSON_OBJ ? '}' : ']');
		}
		if (!depth)
			return;
		put(out, ',');
		new_line(out, indent, depth);
		v = v->next;
	}
}

void json_write(struct buf *out, const struct json *v, int indent)
{
	if (v)
		write_tree(out, v, indent);
	else
		put_bytes(out, "null", 4);
	terminate(out);
}

char *json_to_str(struct arena *a, const struct json *v)
{
	CH_AUTO_BUF struct buf b = { 0 };

	buf_init(&b, ARENA_DEFAULT_MAX);
	json_write(&b, v, 0);
	return b.failed ? NULL : arena_strndup(a, buf_str(&b), b.len);
}

/* ---- piece by piece ---- */

/*
 * close[] holds the bracket that ends each open container; AFTER_KEY is added
 * while a key waits for its value.
 */
#define AFTER_KEY 1
#define OBJ_WITH_KEY ('}' + AFTER_KEY)

/* Before any value. */
static inline void jw_begin(struct jw *w)
{
	char *top = w->depth ? &w->close[w->depth - 1] : NULL;

	CH_BUG_ON(top ? *top == '}' : w->need_comma);
	if (top && *top == OBJ_WITH_KEY)
		*top = '}';
	else if (w->need_comma)
		put(w->out, ',');
	w->need_comma = true;
}

static void jw_open(struct jw *w, char open, char close)
{
	jw_begin(w);
	CH_BUG_ON(w->depth == JW_DEPTH_MAX);
	w->close[w->depth++] = close;
	w->need_comma = false;
	put(w->out, open);
	terminate(w->out);
}

void jw_obj(struct jw *w)
{
	jw_open(w, '{', '}');
}

void jw_arr(struct jw *w)
{
	jw_open(w, '[', ']');
}

void jw_end(struct jw *w)
{
	CH_BUG_ON(w->depth == 0 || w->close[w->depth - 1] == OBJ_WITH_KEY);
	put(w->out, w->close[--w->depth]);
	w->need_comma = true;
	terminate(w->out);
}

void jw_key(struct jw *w, const char *key)
{
	CH_BUG_ON(w->depth == 0 || w->close[w->depth - 1] != '}');
	if (w->need_comma)
		put(w->out, ',');
	put_str(w->out, key, strlen(key));
	put(w->out, ':');
	w->close[w->depth - 1] = OBJ_WITH_KEY;
}

void jw_null(struct jw *w)
{
	jw_raw(w, "null", 4);
}

void jw_bool(struct jw *w, bool b)
{
	jw_raw(w, b ? "true" : "false", b ? 4 : 5);
}

void jw_int(struct jw *w, int64_t i)
{
	jw_begin(w);
	put_int(w->out, i);
	terminate(w->out);
}

void jw_num(struct jw *w, double d)
{
	jw_begin(w);
	put_double(w->out, d);
	terminate(w->out);
}

void jw_str(struct jw *w, const char *s)
{
	if (s)
		jw_strn(w, s, strlen(s));
	else
		jw_null(w);
}

void jw_strn(struct jw *w, const char *s, size_t n)
{
	jw_begin(w);
	put_str(w->out, s, n);
	terminate(w->out);
}

void jw_value(struct jw *w, const struct json *v)
{
	jw_begin(w);
	json_write(w->out, v, 0);
}

void jw_raw(struct jw *w, const char *json_text, size_t n)
{
	jw_begin(w);
	put_bytes(w->out, json_text, n);
	terminate(w->out);
}

void jw_kstr(struct jw *w, const char *key, const char *s)
{
	jw_key(w, key);
	jw_str(w, s);
}

void jw_kint(struct jw *w, const char *key, int64_t i)
{
	jw_key(w, key);
	jw_int(w, i);
}

void jw_knum(struct jw *w, const char *key, double d)
{
	jw_key(w, key);
	jw_num(w, d);
}

void jw_kbool(struct jw *w, const char *key, bool b)
{
	jw_key(w, key);
	jw_bool(w, b);
}

void jw_knull(struct jw *w, const char *key)
{
	jw_key(w, key);
	jw_null(w);
}

void jw_kvalue(struct jw *w, const char *key, const struct json *v)
{
	jw_key(w, key);
	jw_value(w, v);
}

void jw_kraw(struct jw *w, const char *key, const char *json_text, size_t n)
{
	jw_key(w, key);
	jw_raw(w, json_text, n);
}

void jw_kobj(struct jw *w, const char *key)
{
	jw_key(w, key);
	jw_obj(w);
}

void jw_karr(struct jw *w, const char *key)
{
	jw_key(w, key);
	jw_arr(w);
}

void jw_kstr_opt(struct jw *w, const char *key, const char *s)
{
	if (s)
		jw_kstr(w, key, s);
}
