/*
 * exec/show.c - every byte of a command made visible.
 *
 * A person approves what is on the screen, so nothing of the text may be missing there, look like something else or move
 * what stands around it: control characters (terminals obey them), bidirectional controls ("Trojan Source",
 * CVE-2021-42574), characters of no width, blanks that are not the blank, fillers that look like nothing, tags and variation
 * selectors. They are written \u{hex}; so is a backslash before "u{", so that what is shown has one meaning.
 */
#include "core/str.h"
#include "exec/command.h"

#define SHOWN_MAX 10            /* \u{10ffff} for one character */

struct range {
	uint32_t first, last;
};

/* Sorted. Unicode 15: general categories Cc, Cf, Zl, Zp, Zs without the blank, and default ignorable code points. */
static const struct range hidden[] = {
	{ 0x0000, 0x001f }, { 0x007f, 0x00a0 }, { 0x00ad, 0x00ad }, { 0x034f, 0x034f }, { 0x0600, 0x0605 },
	{ 0x061c, 0x061c }, { 0x06dd, 0x06dd }, { 0x070f, 0x070f }, { 0x0890, 0x0891 }, { 0x08e2, 0x08e2 },
	{ 0x115f, 0x1160 }, { 0x1680, 0x1680 }, { 0x17b4, 0x17b5 }, { 0x180b, 0x180f }, { 0x2000, 0x200f },
	{ 0x2028, 0x202f }, { 0x205f, 0x206f }, { 0x2800, 0x2800 }, { 0x3000, 0x3000 }, { 0x3164, 0x3164 },
	{ 0xe000, 0xf8ff }, { 0xfdd0, 0xfdef }, { 0xfe00, 0xfe0f }, { 0xfeff, 0xfeff }, { 0xffa0, 0xffa0 },
	{ 0xfff0, 0xfffb }, { 0xfffe, 0xffff }, { 0x110bd, 0x110bd }, { 0x110cd, 0x110cd }, { 0x13430, 0x1343f },
	{ 0x1bca0, 0x1bca3 }, { 0x1d159, 0x1d159 }, { 0x1d173, 0x1d17a }, { 0xe0000, 0xe0fff }, { 0xf0000, 0x10ffff },
};

static bool is_hidden(uint32_t cp)
{
	size_t lo = 0, hi = CH_ARRAY_LEN(hidden);

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (cp > hidden[mid].last)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < CH_ARRAY_LEN(hidden) && cp >= hidden[lo].first;
}

bool cmd_has_hidden(const char *text, size_t len)
{
	uint32_t cp = 0;
	size_t n;

	for (size_t i = 0; i < len; i += n) {
		n = utf8_decode(text + i, len - i, &cp);
		if (!n)
			return true;
		if (cp != '\n' && cp != '\t' && is_hidden(cp))
			return true;
	}
	return false;
}

/* A combining mark at the very beginning, or after a line, would be drawn on what stands before the command. */
static bool is_combining(uint32_t cp)
{
	return (cp >= 0x0300 && cp <= 0x036f) || (cp >= 0x1ab0 && cp <= 0x1aff) || (cp >= 0x1dc0 && cp <= 0x1dff) ||
	       (cp >= 0x20d0 && cp <= 0x20ff) || (cp >= 0xfe20 && cp <= 0xfe2f);
}

const char *cmd_show(struct arena *a, const char *text, size_t len, bool keep_newlines)
{
	char *out = arena_try_alloc(a, len * SHOWN_MAX + 1), *p = out;
	uint32_t cp = 0, before = '\n';
	size_t n;

	if (!out)
		return "(too long to be shown)";
	for (size_t i = 0; i < len; i += n, before = cp) {
		n = utf8_decode(text + i, len - i, &cp);
		if (!n) {
			n = 1;
			cp = (unsigned char)text[i];
			p += snprintf(p, SHOWN_MAX + 1, "\\x{%02x}", cp);
		} else if (cp == '\n' ? !keep_newlines : is_hidden(cp)) {
			p += snprintf(p, SHOWN_MAX + 1, "\\u{%x}", cp);
		} else if (is_combining(cp) && (before <= ' ' || is_hidden(before))) {
			p += snprintf(p, SHOWN_MAX + 1, "\\u{%x}", cp);
		} else if (cp == '\\' && len - i > 2 && (text[i + 1] == 'u' || text[i + 1] == 'x') && text[i + 2] == '{') {
			p += snprintf(p, SHOWN_MAX + 1, "\\u{5c}");
		} else {
			memcpy(p, text + i, n);
			p += n;
		}
	}
	*p = '\0';
	return out;
}
