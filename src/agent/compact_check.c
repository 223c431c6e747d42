/*
 * agent/compact_check.c - what a summary must not lose, and whether it is one.
 *
 * Identifiers are found by their shape, not by their meaning: a word with a slash, a digit among letters, four
 * digits or more, an address, something in backticks. A summary that says "the config file" instead of its path
 * sends the agent looking for it; these are compared character by character.
 */
#include <string.h>

#include "agent/compact.h"
#include "core/str.h"

#define PIN_BYTES_MIN 3
#define NUMBER_DIGITS_MIN 4
#define MIXED_BYTES_MIN 4

/* Letters, digits, signs of a word; and how it begins. */
struct shape { size_t digits, letters, slashes, others; bool has_scheme, has_at, has_sign; };

static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
static bool is_word(char c) { return is_digit(c) || is_letter(c); }

/* Ends a word; a comma between digits does not. */
static bool is_break(const char *s, size_t i, size_t n)
{
	if ((unsigned char)s[i] >= 0x80 || (unsigned char)s[i] <= ' ')
		return true;
	if (s[i] == ',')
		return !i || i + 1 >= n || !is_digit(s[i - 1]) || !is_digit(s[i + 1]);
	return strchr("\"'`()[]{}<>;|*", s[i]) != NULL;
}

static struct shape shape_of(const char *s, size_t n)
{
	struct shape f = { 0 };

	for (size_t i = 0; i < n; i++) {
		f.digits += is_digit(s[i]);
		f.letters += is_letter(s[i]);
		f.slashes += s[i] == '/' || s[i] == '\\';
		f.others += !is_word(s[i]);
		f.has_at |= s[i] == '@' && i && i + 1 < n;
		f.has_sign |= s[i] == '.' || s[i] == '_' || s[i] == '-';
		f.has_scheme |= s[i] == ':' && i && i + 2 < n && s[i + 1] == '/' && s[i + 2] == '/';
	}
	return f;
}

static bool is_identifier(const char *s, size_t n)
{
	struct shape f = shape_of(s, n);

	if (n < PIN_BYTES_MIN || n > PIN_BYTES_MAX || f.letters + f.digits < 2)
		return false;
	if (f.has_scheme || f.has_at)
		return true;
	if (f.slashes && (s[0] == '/' || s[0] == '~' || s[0] == '.' || f.slashes > 1 || f.has_sign || f.digits))
		return true;             /* not "and/or" */
	if (!f.letters)
		return f.digits >= NUMBER_DIGITS_MIN;
	if (f.digits)
		return n >= MIXED_BYTES_MIN;
	return memchr(s + 1, '_', n - 1) != NULL && n > MIXED_BYTES_MIN;
}

static bool has(const struct pins *p, const char *s, size_t n)
{
	for (size_t i = 0; i < p->len; i++)
		if (!strncmp(p->at[i], s, n) && !p->at[i][n])
			return true;
	return false;
}

static void take_word(struct pins *p, const char *s, size_t n, bool is_quoted)
{
	while (n && strchr(".:!?,", s[n - 1]))
		n--;
	if (!is_identifier(s, n) && !(is_quoted && n >= PIN_BYTES_MIN && n <= PIN_BYTES_MAX))
		return;
	if (!has(p, s, n))
		p->at[p->len++] = arena_strndup(p->arena, s, n);
}

void pins_collect(struct pins *p, const char *text, size_t len, size_t max)
{
	size_t start;

	max = CH_MIN(max, (size_t)PINS_MAX);
	for (size_t i = 0; i < len && p->len < max; i++) {
		if (is_break(text, i, len))
			continue;
		start = i;
		while (i < len && !is_break(text, i, len))
			i++;
		take_word(p, text + start, i - start,
			  start && text[start - 1] == '`' && i < len && text[i] == '`');
	}
}

/* As a whole: "123" is not in "1234". */
static bool contains(const char *text, const char *word)
{
	size_t n = strlen(word);

	for (const char *at = text; (at = strstr(at, word)); at++) {
		bool is_open = at == text || !is_word(at[-1]) || !is_word(word[0]);
		bool is_closed = !is_word(at[n]) || !is_word(word[n - 1]);

		if (is_open && is_closed)
			return true;
	}
	return false;
}

size_t pins_missing(const struct pins *p, const char *text, struct buf *out)
{
	size_t missing = 0;

	for (size_t i = 0; i < p->len; i++) {
		if (contains(text, p->at[i]))
			continue;
		buf_printf(out, "%s`%s`", missing ? ", " : "", p->at[i]);
		missing++;
	}
	return missing;
}

static bool has_line(const char *text, const char *line)
{
	size_t n = strlen(line);

	for (const char *at = text; (at = strstr(at, line)); at++)
		if ((at == text || at[-1] == '\n') && (!at[n] || strchr("\r\n \t:", at[n])))
			return true;
	return false;
}

ch_status compact_check(const char *summary, size_t len, int64_t max_tokens, struct ch_err *err)
{
	if (model_estimate_tokens(summary, len) > max_tokens)
		return ch_fail(err, CH_E_LIMIT, "it is longer than the %lld tokens it may have", (long long)max_tokens);
	for (const char *const *h = compact_headings; *h; h++)
		if (!has_line(summary, *h))
			return ch_fail(err, CH_E_INVALID, "the heading \"%s\" is missing", *h);
	return CH_OK;
}
