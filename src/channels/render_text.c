/*
 * channels/render_text.c - lengths as networks count them, and text made safe.
 */
#include "channels/render.h"

#include <string.h>

#include "core/str.h"

/* Eight bytes at a time; the last eight may be some of the eight before them. */
static bool is_ascii(const char *s, size_t n)
{
	uint64_t bits = 0, eight;

	if (n < sizeof(eight)) {
		for (size_t i = 0; i < n; i++)
			bits |= (unsigned char)s[i];
		return bits < 0x80;
	}
	for (size_t i = 0; i < n; i += sizeof(eight)) {
		memcpy(&eight, s + CH_MIN(i, n - sizeof(eight)), sizeof(eight));
		bits |= eight;
	}
	return !(bits & 0x8080808080808080);
}

size_t render_len(const char *text, size_t len, enum chan_unit unit)
{
	size_t units = len;

	/* Most text is ASCII, where a byte is a unit. */
	if (unit == CHAN_BYTES || is_ascii(text, len))
		return len;
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		/* Bytes that go on a character count nothing; one of four bytes is two of UTF-16. */
		units -= (c & 0xc0) == 0x80;
		units += unit == CHAN_UTF16 && c >= 0xf0;
	}
	return units;
}

enum render_tables render_tables_parse(const char *name)
{
	static const struct { char name[8]; enum render_tables tables; } names[] = {
		{ "off", RENDER_TABLES_OFF }, { "bullets", RENDER_TABLES_BULLETS }, { "code", RENDER_TABLES_CODE },
		{ "block", RENDER_TABLES_BLOCK },
	};

	for (size_t i = 0; i < CH_ARRAY_LEN(names); i++)
		if (str_eq(name, names[i].name))
			return names[i].tables;
	return RENDER_TABLES_DEFAULT;
}
