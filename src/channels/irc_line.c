/*
 * channels/irc_line.c - see irc_line.h.
 */
#include "channels/irc_line.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/buf.h"
#include "core/clock.h"
#include "core/str.h"

/* -- taking apart -- */

/* Ends the word at s and gives what follows the spaces behind it. */
static char *past_word(char *s)
{
	s += strcspn(s, " ");
	if (*s)
		*s++ = '\0';
	return s + strspn(s, " ");
}

static void take_source(char *s, struct irc_line *ret)
{
	char *at = strchr(s, '@'), *bang;

	if (at) {
		*at = '\0';
		ret->host = at + 1;
	}
	bang = strchr(s, '!');
	if (bang) {
		*bang = '\0';
		ret->user = bang + 1;
	}
	ret->nick = s;
}

static void take_params(char *s, struct irc_line *ret)
{
	while (*s && ret->param_count < IRC_PARAMS_MAX) {
		if (*s == ':' || ret->param_count == IRC_PARAMS_MAX - 1) {
			ret->params[ret->param_count++] = s + (*s == ':');
			return;
		}
		ret->params[ret->param_count++] = s;
		s = past_word(s);
	}
}

ch_status irc_line_parse(char *text, struct irc_line *ret, struct ch_err *err)
{
	char *s = text + strspn(text, " "), *rest;

	*ret = (struct irc_line){ .tags = "", .nick = "", .user = "", .host = "" };
	if (*s == '@') {
		rest = past_word(s);
		ret->tags = s + 1;
		s = rest;
	}
	if (*s == ':') {
		rest = past_word(s);
		take_source(s + 1, ret);
		s = rest;
	}
	if (!*s)
		return ch_fail(err, CH_E_PEER, "a line without a command");
	rest = past_word(s);
	ret->command = s;
	for (; *s; s++)
		if (*s >= 'a' && *s <= 'z')
			*s = (char)(*s - 'a' + 'A');
	take_params(rest, ret);
	return CH_OK;
}

const char *irc_param(const struct irc_line *l, size_t i)
{
	return i < l->param_count ? l->params[i] : "";
}

static char *unescape(const char *s, size_t n, struct arena *a)
{
	static const char from[] = ":s\\rn", to[] = "; \\\r\n";
	char *out = arena_alloc(a, n + 1), *at = out;

	for (size_t i = 0; i < n; i++) {
		const char *p;

		if (s[i] != '\\') {
			*at++ = s[i];
			continue;
		}
		if (++i == n)
			break;           /* a lone backslash at the end is dropped */
		p = strchr(from, s[i]);
		*at++ = p ? to[p - from] : s[i];
	}
	*at = '\0';
	return out;
}

const char *irc_tag(const struct irc_line *l, const char *name, struct arena *a)
{
	size_t name_len = strlen(name);

	for (const char *s = l->tags; *s;) {
		size_t n = strcspn(s, ";");

		if (n >= name_len && !strncmp(s, name, name_len) && (n == name_len || s[name_len] == '=')) {
			size_t skip = CH_MIN(name_len + 1, n);

			return unescape(s + skip, n - skip, a);
		}
		s += n + (s[n] == ';');
	}
	return NULL;
}

bool irc_time(const char *text, int64_t *ret_wall_ms)
{
	struct tm tm = { 0 };
	char iso[CLOCK_ISO_LEN];
	int n = 0, end = 0, ms = 0;
	int64_t at_ms;

	if (sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour, &tm.tm_min, &tm.tm_sec,
		   &n) != 6)
		return false;
	tm.tm_year -= 1900;
	tm.tm_mon--;
	at_ms = (int64_t)timegm(&tm) * 1000;
	/* A moment that does not exist comes back as another, one that was written otherwise in this form. */
	clock_iso(at_ms, iso);
	if (strncmp(iso, text, (size_t)n) != 0)
		return false;
	if (!str_eq(text + n, "Z") && (sscanf(text + n, ".%3dZ%n", &ms, &end) != 1 || end != 5 || ms < 0 || text[n + end]))
		return false;
	*ret_wall_ms = at_ms + ms;
	return true;
}

/* -- names -- */

char irc_fold(enum irc_case c, char ch)
{
	static const char from[] = "[]\\~", to[] = "{}|^";
	const char *p;

	if (ch >= 'A' && ch <= 'Z')
		return (char)(ch - 'A' + 'a');
	if (c == IRC_ASCII || !ch)
		return ch;
	p = strchr(from, ch);
	if (!p || (c == IRC_STRICT_RFC1459 && ch == '~'))
		return ch;
	return to[p - from];
}

bool irc_same(enum irc_case c, const char *a, const char *b)
{
	while (*a && irc_fold(c, *a) == irc_fold(c, *b))
		a++, b++;
	return irc_fold(c, *a) == irc_fold(c, *b);
}

static bool is_name_byte(char c)
{
	return (unsigned char)c >= 0x80 || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	       (c && strchr("-_[]\\`^{}|", c));
}

bool irc_is_nick(const char *s)
{
	if (!*s || (*s >= '0' && *s <= '9') || *s == '-' || strlen(s) > 64)
		return false;
	for (; *s; s++)
		if (!is_name_byte(*s))
			return false;
	return true;
}

bool irc_is_word(const char *s)
{
	if (!*s || *s == ':')
		return false;
	for (; *s; s++)
		if ((unsigned char)*s <= ' ' || *s == 0x7f)
			return false;
	return true;
}

bool irc_is_channel(const char *s)
{
	return *s && strchr("#&+!", *s) && s[1] && irc_is_word(s) && !strchr(s, ',') && strlen(s) <= 200;
}

bool irc_mentions(enum irc_case c, const char *text, const char *nick)
{
	size_t n = strlen(nick);

	for (const char *s = text; n && *s; s++) {
		size_t i = 0;

		if (s > text && is_name_byte(s[-1]))
			continue;
		while (i < n && irc_fold(c, s[i]) == irc_fold(c, nick[i]))
			i++;
		if (i == n && !is_name_byte(s[n]))
			return true;
	}
	return false;
}

/* -- text -- */

/* Past the digits of a colour: \x03 foreground[,background], \x04 six hex digits[,six]. */
static const char *past_colour(const char *s, const char *digits, size_t max)
{
	size_t n = strspn(s, digits);

	n = CH_MIN(n, max);
	s += n;
	if (n && *s == ',' && strspn(s + 1, digits)) {
		n = strspn(s + 1, digits);
		s += 1 + CH_MIN(n, max);
	}
	return s;
}

/* Takes out bold, italics, colours and every other control byte but tab. */
static char *without_marks(const char *s, struct arena *a)
{
	char *out = arena_alloc(a, strlen(s) + 1), *at = out;

	while (*s) {
		unsigned char c = (unsigned char)*s++;

		if (c == 0x03)
			s = past_colour(s, "0123456789", 2);
		else if (c == 0x04)
			s = past_colour(s, "0123456789abcdefABCDEF", 6);
		else if ((c >= ' ' && c != 0x7f) || c == '\t')
			*at++ = (char)c;
	}
	*at = '\0';
	return out;
}

const char *irc_text(const char *text, struct arena *a, bool *ret_is_action)
{
	char *s = arena_strdup(a, text), *end;
	size_t len;

	*ret_is_action = false;
	if (*s == '\001') {
		if (!str_starts(s, "\001ACTION "))
			return NULL;
		s += strlen("\001ACTION ");
		end = strchr(s, '\001');
		if (end)
			*end = '\0';
		*ret_is_action = true;
	}
	s = without_marks(s, a);
	return utf8_repair(a, s, strlen(s), &len);
}

size_t irc_cut(const char *text, size_t len, size_t max)
{
	size_t n = utf8_cut(text, len, max);

	if (n == len)
		return n;
	if (!n)
		return CH_MIN(len, max);         /* no UTF-8 */
	for (size_t i = n; i && i >= n - n / 3; i--)
		if (text[i] == ' ')
			return i;
	return n;
}
