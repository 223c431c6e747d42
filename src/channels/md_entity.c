/*
 * channels/md_entity.c - the entities that models write. Others stay as they are written, which nobody misreads.
 */
#include "channels/md.h"

#include <string.h>

#include "core/str.h"

static const struct { char name[8]; uint32_t cp; } known[] = {
	{ "amp", '&' },     { "lt", '<' },      { "gt", '>' },      { "quot", '"' },    { "apos", '\'' },   { "nbsp", 0xa0 },
	{ "copy", 0xa9 },   { "reg", 0xae },    { "deg", 0xb0 },    { "middot", 0xb7 }, { "laquo", 0xab },  { "raquo", 0xbb },
	{ "times", 0xd7 },  { "ndash", 0x2013 }, { "mdash", 0x2014 }, { "lsquo", 0x2018 }, { "rsquo", 0x2019 },
	{ "ldquo", 0x201c }, { "rdquo", 0x201d }, { "bull", 0x2022 }, { "hellip", 0x2026 }, { "euro", 0x20ac },
	{ "trade", 0x2122 }, { "larr", 0x2190 }, { "rarr", 0x2192 }, { "ne", 0x2260 }, { "le", 0x2264 }, { "ge", 0x2265 },
};

/* "#1234", "#x4d2"; 0: no character that may be written. */
static uint32_t by_number(const char *s, size_t n)
{
	bool is_hex = n > 1 && (s[1] | 32) == 'x';
	uint32_t cp = 0;

	for (size_t i = is_hex ? 2 : 1; i < n; i++) {
		unsigned char c = (unsigned char)s[i];
		uint32_t digit = c >= '0' && c <= '9' ? c - '0' : (c | 32u) - 'a' + 10;

		if (cp > 0x10ffff || digit >= (is_hex ? 16u : 10u))
			return 0;
		cp = cp * (is_hex ? 16 : 10) + digit;
	}
	return cp > 0x10ffff || (cp >= 0xd800 && cp < 0xe000) ? 0 : cp;
}

size_t md_entity(const char *s, size_t n, char ret[8])
{
	uint32_t cp = 0;

	if (n < 3 || s[0] != '&' || s[n - 1] != ';')
		return 0;
	s++;
	n -= 2;
	if (*s == '#')
		cp = by_number(s, n);
	for (size_t i = 0; i < CH_ARRAY_LEN(known) && !cp; i++)
		if (n == strlen(known[i].name) && !memcmp(s, known[i].name, n))
			cp = known[i].cp;
	return cp ? utf8_encode(cp, ret) : 0;
}
