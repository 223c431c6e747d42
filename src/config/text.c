/*
 * config/text.c - see text.h. The text is known to be valid JSON5.
 */
#include "config/text.h"

#include <string.h>

#include "core/json.h"

static inline char at_or_nul(const struct text *t, size_t at)
{
	return at < t->len ? t->p[at] : '\0';
}

bool text_is_line_end(const struct text *t, size_t at)
{
	if (at >= t->len)
		return false;
	if (t->p[at] == '\n' || t->p[at] == '\r')
		return true;
	return t->len - at >= 3 &&
	       (memcmp(t->p + at, "\u2028", 3) == 0 || memcmp(t->p + at, "\u2029", 3) == 0);
}

static size_t comment_end(const struct text *t, size_t at)
{
	const char *close;

	if (t->p[at + 1] == '*') {
		close = memmem(t->p + at + 2, t->len - at - 2, "*/", 2);
		return close ? (size_t)(close - t->p) + 2 : t->len;
	}
	while (at < t->len && !text_is_line_end(t, at))
		at++;
	return at;
}

/* JSON5 white space above ASCII: everything that is neither a name's start nor a token. */
static size_t wide_blank(const struct text *t, size_t at)
{
	static const char *const blanks[] = {
		"\u00a0", "\ufeff", "\u1680", "\u2000", "\u2001", "\u2002", "\u2003",
		"\u2004", "\u2005", "\u2006", "\u2007", "\u2008", "\u2009", "\u200a",
		"\u2028", "\u2029", "\u202f", "\u205f", "\u3000",
	};

	for (size_t i = 0; i < CH_ARRAY_LEN(blanks); i++) {
		size_t n = strlen(blanks[i]);

		if (t->len - at >= n && memcmp(t->p + at, blanks[i], n) == 0)
			return n;
	}
	return 0;
}

size_t text_skip_piece(const struct text *t, size_t at)
{
	char c = at_or_nul(t, at);

	if (at >= t->len)
		return at;
	if (c == ' ' || (c >= '\t' && c <= '\r'))
		return at + 1;
	if (c == '/' && (at_or_nul(t, at + 1) == '/' || at_or_nul(t, at + 1) == '*'))
		return comment_end(t, at);
	return c & 0x80 ? at + wide_blank(t, at) : at;
}

size_t text_skip_blank(const struct text *t, size_t at)
{
	size_t next;

	while ((next = text_skip_piece(t, at)) > at)
		at = next;
	return at;
}

static size_t skip_string(const struct text *t, size_t at)
{
	char quote = t->p[at++];

	while (at < t->len && t->p[at] != quote)
		at += t->p[at] == '\\' ? 2 : 1;
	return CH_MIN(at + 1, t->len);
}

/* A bare word or number: up to what cannot be part of one. */
static size_t skip_word(const struct text *t, size_t at)
{
	while (at < t->len && !strchr(",:{}[]\"'", t->p[at]) && text_skip_piece(t, at) == at)
		at++;
	return at;
}

static size_t skip_token(const struct text *t, size_t at)
{
	char c = at_or_nul(t, at);

	return c == '"' || c == '\'' ? skip_string(t, at) : skip_word(t, at);
}

size_t text_skip_value(const struct text *t, size_t at)
{
	size_t depth = 0;

	do {
		char c = at_or_nul(t, at);
		size_t start = at;

		if (at >= t->len)
			return at;
		if (c == '{' || c == '[')
			depth++;
		else if (c == '}' || c == ']')
			depth--;
		if (c == '{' || c == '[' || c == '}' || c == ']' || c == ',' || c == ':')
			at++;
		else
			at = skip_token(t, at);
		CH_BUG_ON(at == start);
		if (depth)
			at = text_skip_blank(t, at);
	} while (depth);
	return at;
}

bool text_next_part(const struct text *t, size_t open, struct text_part *part)
{
	bool is_first = part->end == 0;
	size_t at = is_first ? open + 1 : part->comma;

	if (at == SIZE_MAX)
		return false;
	at = text_skip_blank(t, is_first ? at : at + 1);
	if (at_or_nul(t, at) == '}' || at_or_nul(t, at) == ']' || at >= t->len)
		return false;
	part->key_start = part->key_end = at;
	if (t->p[open] == '{') {
		part->key_end = skip_token(t, at);
		at = text_skip_blank(t, part->key_end);
		at = text_skip_blank(t, at + 1);
	}
	part->start = at;
	if (t->p[open] == '[')
		part->key_start = part->key_end = at;
	part->end = text_skip_value(t, at);
	at = text_skip_blank(t, part->end);
	part->comma = at_or_nul(t, at) == ',' ? at : SIZE_MAX;
	part->index = is_first ? 0 : part->index + 1;
	return true;
}

size_t text_close(const struct text *t, size_t open)
{
	return text_skip_value(t, open) - 1;
}

/* As the key of an object, because a bare name is no value. */
static const struct json *decode_key(const struct text *t, const struct text_part *part, struct arena *a)
{
	size_t n = part->key_end - part->key_start;
	char *object = arena_alloc(a, n + 5);
	struct json *v;

	object[0] = '{';
	memcpy(object + 1, t->p + part->key_start, n);
	memcpy(object + 1 + n, ":0}", 3);
	CH_BUG_ON(json_parse(a, object, n + 4, JSON_JSON5, &v, NULL) != CH_OK);
	return json_first(v);
}

const char *text_key(const struct text *t, const struct text_part *part, struct arena *a)
{
	return decode_key(t, part, a)->key;
}

bool text_key_is(const struct text *t, const struct text_part *part, const char *name, struct arena *a)
{
	const char *key = t->p + part->key_start;
	size_t n = part->key_end - part->key_start, len = strlen(name);
	const struct json *decoded;

	if (!memchr(key, '\\', n)) {
		size_t quoted = *key == '"' || *key == '\'';

		return n - 2 * quoted == len && memcmp(key + quoted, name, len) == 0;
	}
	decoded = decode_key(t, part, a);
	return decoded->key_len == len && memcmp(decoded->key, name, len) == 0;
}

bool text_find_part(const struct text *t, size_t open, const char *name, struct arena *a,
		    struct text_part *ret)
{
	struct text_part part = { .end = 0 };
	size_t index = SIZE_MAX;
	bool found = false;

	if (t->p[open] == '[' && !config_path_index(name, &index))
		return false;
	while (text_next_part(t, open, &part)) {
		if (t->p[open] == '[' ? part.index != index : !text_key_is(t, &part, name, a))
			continue;
		*ret = part;
		found = true;
	}
	return found;
}
