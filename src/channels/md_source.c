/*
 * channels/md_source.c - a text as md4c reads it best: valid UTF-8, ended by a line, with room behind it; and tables whose second line
 * is as short as GitHub allows ("|-|:-|"), which md4c 0.4 wants longer.
 */
#include "channels/md.h"

#include <string.h>

#include "core/str.h"

/* Cells of a row: pieces between bars, the outer bars apart. */
static size_t cell_count(const char *s, size_t n)
{
	size_t bars = 0, at = 0;

	while (n && (s[n - 1] == ' ' || s[n - 1] == '\t' || s[n - 1] == '\r'))
		n--;
	while (at < n && s[at] == ' ')
		at++;
	for (size_t i = at; i < n; i++)
		bars += s[i] == '|' && !(i && s[i - 1] == '\\');
	if (!bars)
		return 0;
	return bars + 1 - (s[at] == '|') - (n > at + 1 && s[n - 1] == '|' && s[n - 2] != '\\');
}

/* "|:-|--|", less than four columns in. */
static bool is_delimiter(const char *s, size_t n)
{
	bool has_dash = false, has_bar = false;

	if (n >= 4 && !memcmp(s, "    ", 4))
		return false;
	for (size_t i = 0; i < n; i++) {
		has_dash |= s[i] == '-';
		has_bar |= s[i] == '|';
		if (!strchr("|:- \t\r", s[i]))
			return false;
	}
	return has_dash && has_bar;
}

static void put_wide(struct buf *out, const char *s, size_t n)
{
	for (size_t i = 0, dashes; i < n; i += dashes ? dashes : 1) {
		for (dashes = 0; i + dashes < n && s[i + dashes] == '-'; dashes++)
			;
		buf_append(out, s + i, dashes ? dashes : 1);
		if (dashes && dashes < 3)
			buf_append(out, "--", 3 - dashes);
	}
}

static bool is_fence(const char *s, size_t n)
{
	while (n && (*s == ' ' || *s == '>')) {
		s++;
		n--;
	}
	return n >= 3 && (!memcmp(s, "```", 3) || !memcmp(s, "~~~", 3));
}

static void put_lines(struct buf *out, const char *s, size_t len)
{
	const char *before = NULL;
	size_t before_len = 0;
	bool in_fence = false;

	for (const char *end = s + len; s < end; ) {
		const char *eol = memchr(s, '\n', (size_t)(end - s));
		size_t n = (size_t)((eol ? eol : end) - s);

		in_fence ^= is_fence(s, n);
		if (!in_fence && before && is_delimiter(s, n) && cell_count(s, n) == cell_count(before, before_len))
			put_wide(out, s, n);
		else
			buf_append(out, s, n);
		if (eol)
			buf_putc(out, '\n');
		before = s;
		before_len = n;
		s += n + (eol != NULL);
	}
}

void md_source(struct buf *out, const char *markdown, size_t len)
{
	static const char zeros[MD_PAD];

	if (memchr(markdown, '|', len))
		put_lines(out, markdown, len);
	else
		buf_append(out, markdown, len);
	buf_putc(out, '\n');
	buf_append(out, zeros, sizeof(zeros));
	if (!out->failed)
		buf_truncate(out, out->len - sizeof(zeros));
}
