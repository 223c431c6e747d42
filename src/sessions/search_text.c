/*
 * sessions/search_text.c - texts and queries as the full-text index takes them.
 *
 * The index's tokenizer ends words at what is neither letter nor digit. Chinese, Japanese and Korean are written
 * without such ends, so a zero-width space (U+200B) is put around each of their characters: a query of some of
 * them is then a phrase.
 */
#include <string.h>

#include "core/buf.h"
#include "core/str.h"
#include "sessions/search.h"

#define MARK "\xe2\x80\x8b"
#define PREFIX_CHARS_MIN 3               /* shorter beginnings match half of the index */

struct span { uint32_t first, last; };

/* Kana, Han with its extensions, Hangul syllables, full-width and half-width kana. */
static const struct span unspaced[] = {
	{ 0x3040, 0x30ff }, { 0x31f0, 0x31ff }, { 0x3400, 0x4dbf }, { 0x4e00, 0x9fff }, { 0xac00, 0xd7af },
	{ 0xf900, 0xfaff }, { 0xff66, 0xff9f }, { 0x20000, 0x323af },
};

static bool is_unspaced(uint32_t cp)
{
	for (size_t i = 0; i < CH_ARRAY_LEN(unspaced); i++)
		if (cp >= unspaced[i].first && cp <= unspaced[i].last)
			return true;
	return false;
}

void search_split(const char *text, size_t len, struct buf *out)
{
	bool was_unspaced = false;

	for (size_t i = 0; i < len;) {
		uint32_t cp;
		size_t n = utf8_decode(text + i, len - i, &cp);
		bool is = n && is_unspaced(cp);

		if (i && (is || was_unspaced))
			buf_puts(out, MARK);
		buf_append(out, text + i, n ? n : 1);
		was_unspaced = is;
		i += n ? n : 1;
	}
}

/* -- queries -- */

/* ASCII letters and digits, or anything beyond ASCII: the tokenizer decides there. */
static bool has_word(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)s[i] >= 0x80 || (s[i] >= '0' && s[i] <= '9') || ((s[i] | 0x20) >= 'a' && (s[i] | 0x20) <= 'z'))
			return true;
	return false;
}

/* As a phrase: nothing in it is an operator. */
static void put_phrase(struct buf *out, const char *s, size_t n, bool is_prefix)
{
	CH_AUTO_BUF struct buf split = { 0 };

	buf_init(&split, out->max_bytes);
	search_split(s, n, &split);
	buf_printf(out, "%s\"", out->len ? " " : "");
	for (size_t i = 0; i < split.len; i++) {
		if (split.data[i] == '"')
			buf_putc(out, '"');
		buf_putc(out, split.data[i]);
	}
	buf_puts(out, is_prefix ? "\"*" : "\"");
}

bool search_expression(const char *text, struct buf *out)
{
	const char *at = text;
	size_t before = out->len;

	while (at += strspn(at, " \t\r\n"), *at) {
		const char *close = *at == '"' ? strchr(at + 1, '"') : NULL;
		const char *start = close ? at + 1 : at;
		size_t n = close ? (size_t)(close - start) : strcspn(start, " \t\r\n");

		at = close ? close + 1 : start + n;
		if (has_word(start, n))
			put_phrase(out, start, n, !close && !*at && n >= PREFIX_CHARS_MIN);
	}
	return out->len > before;
}
