/*
 * models/aws_ini.c - AWS's profile files: [sections] of "key = value".
 *
 * '#' and ';' begin a comment, at the start of a line or behind a blank.
 * Indented lines belong to the setting before and hold nothing for us.
 */
#include <string.h>

#include "core/str.h"
#include "models/aws_creds.h"

static char *trimmed(struct arena *a, const char *p, size_t n)
{
	return str_trim(a, arena_strndup(a, p, n));
}

/* [default], [name], [profile name], [profile "a name"] */
static bool section_is(struct arena *a, const char *line, size_t n, const char *section)
{
	const char *end = memchr(line, ']', n);
	char *name;
	size_t len;

	if (!end)
		return false;
	name = trimmed(a, line + 1, (size_t)(end - line) - 1);
	if (str_eq(name, section))
		return true;
	if (!str_starts(name, "profile "))
		return false;
	name = str_trim(a, name + strlen("profile "));
	len = strlen(name);
	if (len >= 2 && name[0] == '"' && name[len - 1] == '"')
		name = arena_strndup(a, name + 1, len - 2);
	return str_eq(name, section);
}

static size_t without_comment(const char *p, size_t n)
{
	for (size_t i = 1; i < n; i++) {
		if ((p[i] == '#' || p[i] == ';') && (p[i - 1] == ' ' || p[i - 1] == '\t'))
			return i;
	}
	return n;
}

/* NULL unless the line sets this key. */
static const char *value_in(struct arena *a, const char *line, size_t n, const char *key)
{
	const char *equals = memchr(line, '=', n);
	size_t at;

	if (!equals || strchr("#;[ \t", line[0]))
		return NULL;
	at = (size_t)(equals - line);
	if (!str_ieq(trimmed(a, line, at), key))
		return NULL;
	return trimmed(a, equals + 1, without_comment(equals + 1, n - at - 1));
}

const char *aws_ini_get(struct arena *a, const char *text, const char *section, const char *key)
{
	const char *found = NULL;
	bool is_inside = false;

	while (*text) {
		size_t n = strcspn(text, "\r\n");
		const char *value;

		if (n && text[0] == '[') {
			is_inside = section_is(a, text, n, section);
		} else if (n && is_inside) {
			value = value_in(a, text, n, key);
			found = value ? value : found;
		}
		text += n;
		text += strspn(text, "\r\n");
	}
	return str_empty(found) ? NULL : found;
}
