/*
 * config/text_redact.c - JSON5 text without its secrets, the rest to the byte.
 *
 * Values at secret places are replaced. What they held is then taken out of
 * the remaining text too, because people leave the key they replaced in a
 * comment beside the new one.
 */
#include <string.h>

#include "config/redact.h"
#include "config/text.h"
#include "core/vec.h"

#define QUOTED_REDACTED "\"" CONFIG_REDACTED "\""
#define COMMENT_SECRET_MIN 8     /* shorter values would tear holes into words */

struct redaction {
	struct text t;
	struct arena *a;
	struct buf *out;
	size_t done;                     /* copied or replaced up to here */
	VEC(const char *) values;
};

static void keep_until(struct redaction *r, size_t at)
{
	buf_append(r->out, r->t.p + r->done, at - r->done);
	r->done = at;
}

static const struct json *parse_part(struct redaction *r, size_t start, size_t end)
{
	struct json *v;

	CH_BUG_ON(json_parse(r->a, r->t.p + start, end - start, JSON_JSON5, &v, NULL) != CH_OK);
	return v;
}

/* Depth is that of a parsed text. */
static void redact_value(struct redaction *r, const struct redact_at *at, size_t start, size_t end)
{
	bool is_container = r->t.p[start] == '{' || r->t.p[start] == '[';
	const struct json *v = at->is_secret ? parse_part(r, start, end) : NULL;
	struct text_part part = { .end = 0 };
	struct redact_at child;

	if (is_container && !(v && redact_is_reference(v))) {
		while (text_next_part(&r->t, start, &part)) {
			bool has_key = r->t.p[start] == '{';

			redact_child(at, has_key ? text_key(&r->t, &part, r->a) : NULL, &child);
			redact_value(r, &child, part.start, part.end);
		}
	} else if (!is_container && v && redact_hides(v)) {
		keep_until(r, start);
		buf_puts(r->out, QUOTED_REDACTED);
		r->done = end;
		if (v->type == JSON_STR && v->len >= COMMENT_SECRET_MIN)
			vec_push(&r->values, v->str);
	}
}

static void replace_all(struct buf *b, size_t start, const char *value)
{
	CH_AUTO_BUF struct buf rest = { 0 };
	size_t n = strlen(value);
	const char *from, *end, *hit;

	buf_init(&rest, b->max_bytes);
	if (b->failed || b->len == start || !memmem(b->data + start, b->len - start, value, n))
		return;
	buf_append(&rest, b->data + start, b->len - start);
	buf_truncate(b, start);
	from = buf_str(&rest);
	end = from + rest.len;
	for (; (hit = memmem(from, (size_t)(end - from), value, n)); from = hit + n) {
		buf_append(b, from, (size_t)(hit - from));
		buf_puts(b, CONFIG_REDACTED);
	}
	buf_append(b, from, (size_t)(end - from));
}

ch_status config_text_redact(const char *text, size_t len, struct buf *out, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct redaction r = { .t = { .p = text, .len = len }, .a = a, .out = out };
	size_t start = out->len, root = text_skip_blank(&r.t, 0);
	struct redact_at at;
	struct json *v;
	/* A file without a value, an empty one say, has nothing to hide. */
	ch_status st = root == len ? CH_OK : json_parse(a, text, len, JSON_JSON5, &v, err);

	if (st)
		return st;
	redact_root(&at);
	if (root < len)
		redact_value(&r, &at, root, text_skip_value(&r.t, root));
	keep_until(&r, len);
	for (size_t i = 0; i < r.values.len; i++)
		replace_all(out, start, r.values.at[i]);
	vec_done(&r.values);
	return buf_status(out, err, "the configuration");
}
