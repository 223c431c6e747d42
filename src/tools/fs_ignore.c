/*
 * tools/fs_ignore.c - what a .gitignore says, as git reads it.
 */
#include "tools/fs_ignore.h"

#include <string.h>

#include "tools/fs_glob.h"

struct rule {
	const struct glob *glob;
	bool is_negated, dirs_only, is_rooted;
};
struct ignore { struct rule *rules; size_t count; };

/* Without blanks at the end, unless the last is escaped. */
static size_t cut_blanks(const char *p, size_t n)
{
	while (n && (p[n - 1] == ' ' || p[n - 1] == '\t' || p[n - 1] == '\r') && !(n > 1 && p[n - 2] == '\\'))
		n--;
	return n;
}

static bool parse_rule(struct arena *a, const char *p, size_t n, struct rule *ret)
{
	struct glob *glob;

	n = cut_blanks(p, n);
	if (!n || *p == '#')
		return false;
	*ret = (struct rule){ .is_negated = *p == '!' };
	p += ret->is_negated;
	n -= ret->is_negated;
	ret->dirs_only = n && p[n - 1] == '/';
	n -= ret->dirs_only;
	ret->is_rooted = n && memchr(p, '/', n);
	if (n && *p == '/') {
		p++;
		n--;
	}
	if (!n || glob_new(a, p, n, false, &glob, NULL))
		return false;
	ret->glob = glob;
	return true;
}

const struct ignore *ignore_parse(struct arena *a, const char *text, size_t len)
{
	struct ignore *ig = arena_alloc(a, sizeof(*ig));
	const char *p = text, *end = text + len;
	size_t lines = 0, before = arena_used(a);

	for (const char *q = text; q < end && (q = memchr(q, '\n', (size_t)(end - q))); q++)
		lines++;
	ig->rules = arena_alloc(a, (lines + 1 < IGNORE_RULES_MAX ? lines + 1 : IGNORE_RULES_MAX) * sizeof(*ig->rules));
	while (p < end && ig->count < IGNORE_RULES_MAX && arena_used(a) - before < IGNORE_MEMORY_MAX) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));

		if (parse_rule(a, p, (size_t)((nl ? nl : end) - p), &ig->rules[ig->count]))
			ig->count++;
		p = nl ? nl + 1 : end;
	}
	return ig->count ? ig : NULL;
}

enum ignore_verdict ignore_judge(const struct ignore *ig, const char *path, bool is_dir)
{
	const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;

	for (size_t i = ig->count; i-- > 0;) {
		const struct rule *r = &ig->rules[i];

		if (r->dirs_only && !is_dir)
			continue;
		if (glob_match(r->glob, r->is_rooted ? path : name))
			return r->is_negated ? IGNORE_NO : IGNORE_YES;
	}
	return IGNORE_UNSAID;
}
