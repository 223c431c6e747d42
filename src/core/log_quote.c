/*
 * core/log_quote.c - text from outside, made harmless for a log line.
 *
 * Escaped are control bytes (terminal sequences start with them), the C1
 * controls and the bidirectional overrides of Unicode, bytes that are not
 * UTF-8, and the backslash, so that what is shown has one meaning.
 */
#include <stdio.h>
#include <string.h>

#include "core/log.h"
#include "core/log_priv.h"
#include "core/str.h"

#define RING 8u
#define INPUT_MAX 4096u            /* more than enough to fill LOG_QUOTE_MAX after redaction */

static const char more[] = "…";

static bool is_hidden(uint32_t cp)
{
	return (cp >= 0x80 && cp <= 0x9f) || (cp >= 0x200b && cp <= 0x200f) || (cp >= 0x2028 && cp <= 0x202e) ||
	       (cp >= 0x2066 && cp <= 0x2069) || cp == 0xfeff;
}

static void escape_byte(struct buf *out, unsigned char c)
{
	static const char letters[] = "abtnvfr"; /* 7 to 13 */

	if (c == '\\')
		buf_puts(out, "\\\\");
	else if (c >= 7 && c <= 13)
		buf_printf(out, "\\%c", letters[c - 7]);
	else
		buf_printf(out, "\\x%02x", c);
}

/* Appends the next character of text as it may be shown; gives its length in text. */
static size_t escape_next(struct buf *out, const char *text, size_t n)
{
	unsigned char c = (unsigned char)*text;
	uint32_t cp;
	size_t len;

	if (c < 0x80) {
		if (c < 0x20 || c == 0x7f || c == '\\')
			escape_byte(out, c);
		else
			buf_putc(out, (char)c);
		return 1;
	}
	len = utf8_decode(text, n, &cp);
	if (!len) {
		escape_byte(out, c);
		return 1;
	}
	if (is_hidden(cp))
		buf_printf(out, "\\u{%x}", (unsigned)cp);
	else
		buf_append(out, text, len);
	return len;
}

void log_escape_into(struct buf *out, const char *text, size_t n)
{
	for (size_t i = 0; i < n;)
		i += escape_next(out, text + i, n - i);
}

const char *log_quoten(const char *s, size_t n)
{
	static char ring[RING][LOG_QUOTE_MAX + sizeof(more)];
	static unsigned turn;
	CH_AUTO_BUF struct buf clean = { 0 };
	CH_AUTO_BUF struct buf shown = { 0 };
	char *slot = ring[turn++ % RING];
	size_t i = 0, fit = 0;

	buf_init(&clean, 4 * INPUT_MAX);
	buf_init(&shown, 2 * LOG_QUOTE_MAX);
	log_redact_into(&clean, s, CH_MIN(n, (size_t)INPUT_MAX));
	while (i < clean.len && shown.len <= LOG_QUOTE_MAX) {
		fit = shown.len;
		i += escape_next(&shown, clean.data + i, clean.len - i);
	}
	if (shown.len <= LOG_QUOTE_MAX)
		fit = shown.len;
	snprintf(slot, sizeof(ring[0]), "%.*s%s", (int)fit, buf_str(&shown),
		 fit < shown.len || i < clean.len || n > INPUT_MAX ? more : "");
	return slot;
}

const char *log_quote(const char *s)
{
	return s ? log_quoten(s, strlen(s)) : "(null)";
}
