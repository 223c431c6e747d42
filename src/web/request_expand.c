/*
 * web/request_expand.c - an endpoint's templates with the arguments put in.
 */
#include <string.h>

#include "core/buf.h"
#include "core/str.h"
#include "net/url.h"
#include "web/request.h"

struct expand {
	struct arena *a;
	const struct endpoint *e;
	const struct json *args;
	struct ch_err *err;
};

/* As text: strings as they are, everything else as JSON. NULL: the call has no such argument. */
static const char *arg_text(const struct expand *x, const char *name)
{
	const struct json *v = json_get(x->args, name);

	if (!v || json_is(v, JSON_NULL))
		return NULL;
	return json_is(v, JSON_STR) ? v->str : json_to_str(x->a, v);
}

static bool has_nul(const struct json *v)
{
	return json_is(v, JSON_STR) && strlen(v->str) != v->len;
}

/* ret_absent: a placeholder had no argument; then the text is of no use. */
static ch_status expand_text(struct expand *x, const char *text, size_t len, bool encode, struct buf *out, bool *ret_absent)
{
	char *template = arena_strndup(x->a, text, len);
	const char *at = template;
	struct endpoint_part part;

	*ret_absent = false;
	while (endpoint_next(&at, &part)) {
		const char *name, *value;

		if (!part.is_arg) {
			buf_append(out, part.text, part.len);
			continue;
		}
		name = arena_strndup(x->a, part.text, part.len);
		value = arg_text(x, name);
		if (has_nul(json_get(x->args, name)))
			return ch_fail(x->err, CH_E_INVALID, "'%s' holds a NUL byte", name);
		*ret_absent |= !value;
		if (value)
			buf_puts(out, encode ? url_encode(x->a, value) : value);
	}
	return CH_OK;
}

/* -- the address -- */

/* "." and ".." in any spelling would climb out of the path that the owner wrote; servers differ about "//". */
static bool is_climbing(struct arena *a, const char *segment, size_t n)
{
	const char *plain = url_decode(a, segment, n);

	return !plain || n == 0 || str_eq(plain, ".") || str_eq(plain, "..");
}

/* Segments that hold a placeholder, each by itself. */
static ch_status expand_path(struct expand *x, const char *path, size_t len, struct buf *out)
{
	for (const char *p = path, *end = path + len; p < end;) {
		const char *slash = memchr(p + 1, '/', (size_t)(end - p - 1));
		size_t n = (size_t)((slash ? slash : end) - p), start = out->len;
		bool absent = false;
		ch_status st = expand_text(x, p, n, true, out, &absent);

		if (st)
			return st;
		if (absent)
			return ch_fail(x->err, CH_E_INVALID, "an argument of the address's path is missing");
		if (memchr(p, '{', n) && !out->failed && is_climbing(x->a, out->data + start + 1, out->len - start - 1))
			return ch_fail(x->err, CH_E_INVALID, "an argument must not be empty, '.' or '..' where it is a part of the path");
		p += n;
	}
	return CH_OK;
}

/* A pair whose argument is absent is left out. */
static ch_status expand_query(struct expand *x, const char *query, struct buf *out)
{
	char sep = '?';

	for (const char *p = query; *p;) {
		CH_AUTO_BUF struct buf pair = { 0 };
		size_t n = strcspn(p, "&");
		bool absent = false;
		ch_status st;

		buf_init(&pair, 256u << 10);
		st = expand_text(x, p, n, true, &pair, &absent);
		if (st)
			return st;
		if (pair.failed)
			return ch_fail(x->err, CH_E_LIMIT, "an argument is too long for an address");
		if (!absent && pair.len) {
			buf_putc(out, sep);
			buf_append(out, pair.data, pair.len);
			sep = '&';
		}
		p += n + (p[n] == '&');
	}
	return CH_OK;
}

static ch_status expand_url(struct expand *x, struct request *ret)
{
	CH_AUTO_BUF struct buf out = { 0 };
	const char *rest = strstr(x->e->url, "://") + 3, *query;
	size_t authority = strcspn(rest, "/?");
	ch_status st;

	buf_init(&out, 512u << 10);
	buf_append(&out, x->e->url, (size_t)(rest - x->e->url) + authority);
	rest += authority;
	query = strchr(rest, '?');
	st = expand_path(x, rest, query ? (size_t)(query - rest) : strlen(rest), &out);
	if (!st && query)
		st = expand_query(x, query + 1, &out);
	if (!st)
		st = buf_status(&out, x->err, "the address");
	if (!st)
		ret->url = arena_strdup(x->a, buf_str(&out));
	return st;
}

/* -- headers -- */

/* Texts only; secrets are put in where it is sent. */
static ch_status expand_headers(struct expand *x, struct request *ret)
{
	json_each(h, x->e->headers) {
		CH_AUTO_BUF struct buf out = { 0 };
		bool absent = false;
		ch_status st;

		if (!json_is(h, JSON_STR) || h->str[0] == '$')
			continue;
		buf_init(&out, 16u << 10);
		st = expand_text(x, h->str, h->len, false, &out, &absent);
		if (!st)
			st = buf_status(&out, x->err, h->key);
		if (st)
			return st;
		for (size_t i = 0; i < out.len; i++)
			if ((unsigned char)out.data[i] < 0x20 || out.data[i] == 0x7f)
				return ch_fail(x->err, CH_E_INVALID, "an argument puts a control byte into the header '%.60s'", h->key);
		if (!absent)
			ret->headers[ret->header_count++] = (struct http_header){ h->key, arena_strdup(x->a, buf_str(&out)) };
	}
	return CH_OK;
}

/* -- bodies -- */

/* "{name}" and nothing else: the argument itself, whatever its type. */
static const char *lone_arg(struct arena *a, const char *text)
{
	struct endpoint_part part;
	const char *at = text;

	return endpoint_next(&at, &part) && part.is_arg && !*at ? arena_strndup(a, part.text, part.len) : NULL;
}

/* NULL: an argument is absent, and with it the member. Depth was checked by endpoint_read(). */
static ch_status expand_json(struct expand *x, const struct json *v, struct json **ret)
{
	ch_status st = CH_OK;

	*ret = NULL;
	if (json_is(v, JSON_STR)) {
		const char *name = lone_arg(x->a, v->str);
		CH_AUTO_BUF struct buf out = { 0 };
		bool absent = false;

		if (name) {
			*ret = json_get(x->args, name) ? json_clone(x->a, json_get(x->args, name)) : NULL;
			return CH_OK;
		}
		buf_init(&out, REQUEST_BODY_MAX);
		st = expand_text(x, v->str, v->len, false, &out, &absent);
		if (!st && !absent)
			*ret = json_new_strn(x->a, buf_str(&out), out.len);
		return st ? st : buf_status(&out, x->err, "the body");
	}
	if (!json_is(v, JSON_OBJ) && !json_is(v, JSON_ARR)) {
		*ret = json_clone(x->a, v);
		return CH_OK;
	}
	*ret = json_is(v, JSON_OBJ) ? json_new_obj(x->a) : json_new_arr(x->a);
	json_each(m, v) {
		struct json *part = NULL;

		st = expand_json(x, m, &part);
		if (st)
			return st;
		if (part && json_is(v, JSON_OBJ))
			json_set(x->a, *ret, m->key, part);
		else if (part)
			json_push(*ret, part);
	}
	return CH_OK;
}

static bool template_uses(struct arena *a, const char *text, const char *name)
{
	struct endpoint_part part;

	while (endpoint_next(&text, &part))
		if (part.is_arg && str_eq(arena_strndup(a, part.text, part.len), name))
			return true;
	return false;
}

/* Without a template: the arguments that neither the address nor a header has. */
static struct json *left_over(struct expand *x)
{
	struct json *out = json_new_obj(x->a);

	json_each(arg, x->args) {
		bool is_used = template_uses(x->a, x->e->url, arg->key);

		json_each(h, x->e->headers)
			is_used |= json_is(h, JSON_STR) && template_uses(x->a, h->str, arg->key);
		if (!is_used)
			json_set(x->a, out, arg->key, json_clone(x->a, arg));
	}
	return out;
}

static ch_status expand_form(struct expand *x, struct request *ret)
{
	CH_AUTO_BUF struct buf out = { 0 };
	ch_status st = CH_OK;

	buf_init(&out, REQUEST_BODY_MAX);
	json_each(f, x->e->form) {
		CH_AUTO_BUF struct buf value = { 0 };
		bool absent = false;

		buf_init(&value, REQUEST_BODY_MAX);
		st = expand_text(x, f->str, f->len, false, &value, &absent);
		if (!st)
			st = buf_status(&value, x->err, "the form");
		if (st)
			return st;
		if (!absent)
			buf_printf(&out, "%s%s=%s", out.len ? "&" : "", url_encode(x->a, f->key), url_encode(x->a, buf_str(&value)));
	}
	ret->body = arena_strdup(x->a, buf_str(&out));
	ret->body_type = "application/x-www-form-urlencoded";
	return buf_status(&out, x->err, "the form");
}

static ch_status expand_body(struct expand *x, struct request *ret)
{
	CH_AUTO_BUF struct buf out = { 0 };
	struct json *v = NULL;
	ch_status st = CH_OK;

	if (str_eq(x->e->method, "GET") || str_eq(x->e->method, "HEAD"))
		return CH_OK;
	if (x->e->form)
		return expand_form(x, ret);
	if (x->e->body)
		st = expand_json(x, x->e->body, &v);
	else
		v = left_over(x);
	/* A DELETE of what the address names says nothing more. */
	if (st || !v || (!x->e->body && !json_len(v) && str_eq(x->e->method, "DELETE")))
		return st;
	buf_init(&out, REQUEST_BODY_MAX);
	json_write(&out, v, 0);
	ret->body = arena_strndup(x->a, buf_str(&out), out.len);
	ret->body_type = "application/json";
	return buf_status(&out, x->err, "the body");
}

ch_status request_expand(struct arena *a, const struct endpoint *e, const struct json *args, struct request *ret, struct ch_err *err)
{
	struct expand x = { .a = a, .e = e, .args = args, .err = err };
	ch_status st;

	*ret = (struct request){ 0 };
	st = expand_url(&x, ret);
	if (!st)
		st = expand_headers(&x, ret);
	if (!st)
		st = expand_body(&x, ret);
	return st;
}
