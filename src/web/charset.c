/*
 * web/charset.c - which charset a page is in, and decoding it.
 */
#include "web/charset.h"

#include <string.h>

#include "core/str.h"

#define SNIFF_BYTES 2048                 /* <meta> must stand in the first 1024 (HTML 4.2.5.4); some are late */
#define NAME_MAX_BYTES 40

enum charset { CS_UNKNOWN, CS_UTF8, CS_UTF16LE, CS_UTF16BE, CS_WINDOWS1252 };

static const struct { const char *label; enum charset cs; } labels[] = {
	{ "utf-8", CS_UTF8 },           { "utf8", CS_UTF8 },            { "unicode-1-1-utf-8", CS_UTF8 },
	{ "utf-16", CS_UTF16LE },       { "utf-16le", CS_UTF16LE },     { "utf-16be", CS_UTF16BE },
	{ "windows-1252", CS_WINDOWS1252 }, { "cp1252", CS_WINDOWS1252 }, { "x-cp1252", CS_WINDOWS1252 },
	{ "iso-8859-1", CS_WINDOWS1252 }, { "iso8859-1", CS_WINDOWS1252 }, { "latin1", CS_WINDOWS1252 },
	{ "l1", CS_WINDOWS1252 },       { "us-ascii", CS_WINDOWS1252 }, { "ascii", CS_WINDOWS1252 },
};

static const char *const names[] = {
	[CS_UNKNOWN] = "unknown", [CS_UTF8] = "utf-8", [CS_UTF16LE] = "utf-16le", [CS_UTF16BE] = "utf-16be",
	[CS_WINDOWS1252] = "windows-1252",
};

/* 0x80-0x9f of windows-1252; 0: undefined, passed as it is. */
static const uint16_t high_1252[32] = {
	0x20ac, 0x81, 0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021, 0x02c6, 0x2030, 0x0160, 0x2039, 0x0152, 0x8d, 0x017d, 0x8f,
	0x90, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014, 0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0x9d, 0x017e, 0x0178,
};

static const char *header_param(struct arena *a, const char *header, const char *name)
{
	size_t len = strlen(name);

	for (const char *p = header ? strchr(header, ';') : NULL; p; p = strchr(p, ';')) {
		size_t n;
		char *value;

		p++;
		p += strspn(p, " \t");
		if (strncasecmp(p, name, len) != 0 || p[len] != '=')
			continue;
		p += len + 1;
		n = *p == '"' ? strcspn(++p, "\"") : strcspn(p, "; \t");
		value = arena_strndup(a, p, n);
		str_lower(value);
		return value;
	}
	return NULL;
}

static enum charset by_label(const char *label)
{
	for (size_t i = 0; i < CH_ARRAY_LEN(labels); i++)
		if (str_ieq(labels[i].label, label))
			return labels[i].cs;
	return CS_UNKNOWN;
}

static enum charset by_mark(const char *p, size_t n, size_t *ret_skip)
{
	*ret_skip = 0;
	if (n >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0) {
		*ret_skip = 3;
		return CS_UTF8;
	}
	if (n >= 2 && (memcmp(p, "\xff\xfe", 2) == 0 || memcmp(p, "\xfe\xff", 2) == 0)) {
		*ret_skip = 2;
		return p[0] == '\xff' ? CS_UTF16LE : CS_UTF16BE;
	}
	return CS_UNKNOWN;
}

/* The label after "charset=" in a <meta> tag of the page's beginning. */
static const char *by_meta(struct arena *a, const char *p, size_t n)
{
	char *head = arena_strndup(a, p, CH_MIN(n, SNIFF_BYTES));
	char *meta = head;

	while ((meta = strcasestr(meta, "<meta"))) {
		char *end = strchr(meta, '>');
		char *at = strcasestr(meta, "charset");

		if (!end)
			return NULL;
		if (at && at < end) {
			at += strlen("charset");
			at += strspn(at, " \t\r\n");
			if (*at == '=') {
				at += 1 + strspn(at + 1, " \t\r\n\"'");
				return arena_strndup(a, at, CH_MIN(strcspn(at, " \t\r\n\"'/>;"), NAME_MAX_BYTES));
			}
		}
		meta = end;
	}
	return NULL;
}

static void put(struct buf *out, uint32_t cp)
{
	char bytes[4];

	buf_append(out, bytes, utf8_encode(cp, bytes));
}

static void decode_1252(const unsigned char *p, size_t n, struct buf *out)
{
	for (size_t i = 0; i < n; i++)
		put(out, p[i] >= 0x80 && p[i] < 0xa0 ? high_1252[p[i] - 0x80] : p[i]);
}

static void decode_utf16(const unsigned char *p, size_t n, bool is_big, struct buf *out)
{
	for (size_t i = 0; i + 1 < n; i += 2) {
		uint32_t unit = is_big ? (uint32_t)p[i] << 8 | p[i + 1] : (uint32_t)p[i + 1] << 8 | p[i], low;

		if (unit >= 0xd800 && unit < 0xdc00 && i + 3 < n) {
			low = is_big ? (uint32_t)p[i + 2] << 8 | p[i + 3] : (uint32_t)p[i + 3] << 8 | p[i + 2];
			if (low >= 0xdc00 && low < 0xe000) {
				put(out, 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00));
				i += 2;
				continue;
			}
		}
		put(out, unit >= 0xd800 && unit < 0xe000 ? 0xfffd : unit);
	}
}

static void decode_utf8(struct arena *a, const char *p, size_t n, struct buf *out)
{
	size_t len = n;
	const char *sound = utf8_valid(p, n) ? p : utf8_repair(a, p, n, &len);

	buf_append(out, sound, len);
}

ch_status charset_to_utf8(const struct charset_in *in, struct buf *out, const char **ret_name, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	const char *label = header_param(a, in->content_type, "charset");
	size_t skip = 0;
	enum charset cs = by_mark(in->data, in->len, &skip);

	if (!cs && !label && in->is_html)
		label = by_meta(a, in->data, in->len);
	if (!cs && label) {
		cs = by_label(label);
		/* A <meta> that could be read was not UTF-16, whatever it says. */
		if ((cs == CS_UTF16LE || cs == CS_UTF16BE) && !header_param(a, in->content_type, "charset"))
			cs = CS_UTF8;
		if (!cs && !utf8_valid(in->data, in->len))
			return ch_fail(err, CH_E_UNSUPPORTED, "the page is in charset '%.40s'; UTF-8, UTF-16 and windows-1252 can be read", label);
	}
	if (!cs)
		cs = utf8_valid_prefix(in->data, in->len) + 4 > in->len ? CS_UTF8 : CS_WINDOWS1252;
	if (cs == CS_WINDOWS1252)
		decode_1252((const unsigned char *)in->data, in->len, out);
	else if (cs == CS_UTF8)
		decode_utf8(a, in->data + skip, in->len - skip, out);
	else
		decode_utf16((const unsigned char *)in->data + skip, in->len - skip, cs == CS_UTF16BE, out);
	*ret_name = names[cs];
	return buf_status(out, err, "the decoded page");
}
