/*
 * web/request_select.c - parts of an answer (RFC 6901 pointers, with "*" for every item), and secrets taken out of it.
 */
#include <string.h>

#include "core/buf.h"
#include "core/mem.h"
#include "core/str.h"
#include "net/url.h"
#include "web/request.h"

#define WILDCARDS_MAX 4                  /* of one pointer: each is a list in a list */
#define BLOT "[redacted]"

/* "~1" is a slash, "~0" a tilde. */
static char *token(struct arena *a, const char *p, size_t n)
{
	char *out = arena_strndup(a, p, n), *to = out;

	for (const char *s = out; *s; s++) {
		bool is_escape = s[0] == '~' && (s[1] == '0' || s[1] == '1');

		*to++ = is_escape ? (s[1] == '1' ? '/' : '~') : *s;
		s += is_escape;
	}
	*to = '\0';
	return out;
}

static const struct json *step(const struct json *v, const char *name)
{
	int64_t i;

	if (!json_is(v, JSON_ARR))
		return json_get(v, name);
	return str_to_i64(name, &i) && i >= 0 ? json_at(v, (size_t)i) : NULL;
}

/* depth counts the wildcards, so the recursion is at most WILDCARDS_MAX deep. */
static struct json *resolve(struct arena *a, const struct json *v, const char *p, int depth)
{
	while (v && *p == '/') {
		size_t n = strcspn(p + 1, "/");
		const char *name = token(a, p + 1, n);

		p += n + 1;
		if (!str_eq(name, "*") || !(json_is(v, JSON_ARR) || (json_is(v, JSON_OBJ) && !json_get(v, "*")))) {
			v = step(v, name);
			continue;
		}
		if (depth == WILDCARDS_MAX)
			return json_new_null(a);
		struct json *list = json_new_arr(a);

		json_each(item, v)
			json_push(list, resolve(a, item, p, depth + 1));
		return list;
	}
	return v && !*p ? json_clone(a, v) : json_new_null(a);
}

struct json *request_select(struct arena *a, const struct json *select, const struct json *answer)
{
	struct json *out;

	if (json_is(select, JSON_STR))
		return resolve(a, answer, select->str, 0);
	out = json_new_obj(a);
	json_each(p, select)
		json_set(a, out, json_is(select, JSON_OBJ) ? p->key : p->str, resolve(a, answer, p->str, 0));
	return out;
}

/* -- secrets in answers -- */

static const char *replaced(struct arena *a, const char *text, const char *what)
{
	CH_AUTO_BUF struct buf out = { 0 };
	size_t n = strlen(what);
	const char *at = strstr(text, what);

	if (!at)
		return text;
	buf_init(&out, 2 * strlen(text) + 64);
	for (; at; at = strstr(text, what)) {
		buf_append(&out, text, (size_t)(at - text));
		buf_puts(&out, BLOT);
		text = at + n;
	}
	buf_puts(&out, text);
	return arena_strndup(a, buf_str(&out), out.len);
}

/* As JSON writes it, without the quotes. */
static const char *as_json(struct arena *a, const char *secret)
{
	char *text = json_to_str(a, json_new_str(a, secret));

	text[strlen(text) - 1] = '\0';
	return text + 1;
}

static const char *as_base64(struct arena *a, const char *secret, bool for_urls)
{
	size_t n = strlen(secret);
	char *text = arena_alloc(a, 4 * ((n + 2) / 3) + 1);

	if (for_urls)
		b64url_encode(secret, n, text);
	else
		b64_encode(secret, n, text);
	return text;
}

const char *request_blot(struct arena *a, const char *text, const char *secret)
{
	/* Shorter ones are in every text; nobody could keep them anyway. */
	if (!secret || strlen(secret) < 6)
		return text;
	text = replaced(a, text, secret);
	text = replaced(a, text, as_json(a, secret));
	text = replaced(a, text, url_encode(a, secret));
	text = replaced(a, text, as_base64(a, secret, false));
	return replaced(a, text, as_base64(a, secret, true));
}
