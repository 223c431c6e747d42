/*
 * agent/identity.c - what IDENTITY.md says: "Label: value" in lines with any list and emphasis marks.
 *
 * People and models write this file, so reading is generous and writing changes one line.
 */
#include <string.h>

#include "agent/agents_edit.h"
#include "core/str.h"

#define MARKS " \t-*#_"

struct found { size_t line, value, end; };       /* offsets in the text */

/* Where the value of "Label: value" stands in this line; false: another line. */
static bool find_in_line(const char *text, size_t line, size_t n, const char *label, struct found *ret)
{
	const char *s = text + line;
	size_t at = CH_MIN(strspn(s, MARKS), n), len = strlen(label), end = n;

	if (at + len >= n || strncasecmp(s + at, label, len) != 0)
		return false;
	at += len;
	at += strspn(s + at, "*_ \t");
	if (at >= n || s[at] != ':')
		return false;
	at++;
	at += strspn(s + at, "*_ \t");
	at = CH_MIN(at, n);
	while (end > at && strchr(" \t\r", s[end - 1]))
		end--;
	*ret = (struct found){ .line = line, .value = line + at, .end = line + end };
	return true;
}

static bool find(const char *text, const char *label, struct found *ret)
{
	for (size_t at = 0; text[at];) {
		size_t n = strcspn(text + at, "\n");

		if (find_in_line(text, at, n, label, ret))
			return true;
		at += n + (text[at + n] == '\n');
	}
	return false;
}

const char *identity_get(struct arena *a, const char *text, const char *label)
{
	struct found f;

	if (!find(text, label, &f) || f.value == f.end)
		return NULL;
	return arena_strndup(a, text + f.value, f.end - f.value);
}

const char *identity_set(struct arena *a, const char *text, const char *label, const char *value)
{
	size_t n = strlen(text);
	struct found f;

	if (find(text, label, &f))
		return arena_printf(a, "%.*s%s%s%s", (int)f.value, text, f.value && text[f.value - 1] == ':' ? " " : "", value,
				    text + f.end);
	return arena_printf(a, "%s%s- %s: %s\n", text, n && text[n - 1] != '\n' ? "\n" : "", label, value);
}
