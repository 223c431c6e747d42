/*
 * channels/render_text.c - lengths as networks count them, and text made safe.
 */
#include "channels/render.h"

#include <string.h>

#include "core/str.h"

size_t render_len(const char *text, size_t len, enum chan_unit unit)
{
	size_t units = len, i = 0;
	uint64_t eight;

	if (unit == CHAN_BYTES)
		return len;
	/* Most text is ASCII, where a byte is a unit. */
	for (; i + sizeof(eight) <= len; i += sizeof(eight)) {
		memcpy(&eight, text + i, sizeof(eight));
		if (eight & 0x8080808080808080)
			break;
	}
	for (; i < len; i++) {
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
