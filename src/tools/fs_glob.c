/*
 * tools/fs_glob.c - patterns of file names.
 *
 * Braces are multiplied out; each choice is a row of tokens, run as an automaton that is in several states at
 * once, so there is nothing to go back for.
 */
#include "tools/fs_glob.h"

#include <string.h>

#include "core/str.h"
#include "core/vec.h"

enum kind {
	CHAR,                            /* this one */
	ANY,                             /* one, but '/' */
	SET,                             /* one of ranges */
	STAR,                            /* any run without '/' */
	DEEP,                            /* any run */
	DIRS,                            /* any number of directories, each with its '/'; at the begin of a part */
	IN_DIR,                          /* within one of those */
};
struct range { uint32_t from, to; };
struct token {
	enum kind kind;
	uint32_t c;
	bool is_negated;
	const struct range *ranges;
	size_t range_count;
};
struct choice { struct token *tokens; size_t count; };
struct glob {
	struct choice choices[GLOB_CHOICES_MAX];
	size_t count;
	bool has_slash, ignore_case;
};

static uint32_t take(const char **p, const char *end)
{
	uint32_t c = 0;
	size_t n = utf8_decode(*p, (size_t)(end - *p), &c);

	if (!n) {
		c = 0xdc00u + (unsigned char)**p;        /* no UTF-8: the byte stands for itself */
		n = 1;
	}
	*p += n;
	return c;
}

static uint32_t folded(const struct glob *g, uint32_t c)
{
	return g->ignore_case && c >= 'A' && c <= 'Z' ? c + 32 : c;
}

/* -- braces -- */

/* The first '{' with a ',' and its '}' around it; false: there is none. */
static bool find_braces(const char *s, size_t n, size_t *ret_open, size_t *ret_close)
{
	for (size_t i = 0; i < n; i++) {
		size_t depth = 0;
		bool has_comma = false;

		if (s[i] == '\\') {
			i++;
			continue;
		}
		if (s[i] != '{')
			continue;
		for (size_t k = i; k < n; k++) {
			if (s[k] == '\\') {
				k++;
				continue;
			}
			depth += s[k] == '{';
			has_comma = has_comma || (s[k] == ',' && depth == 1);
			if (s[k] == '}' && !--depth) {
				*ret_open = i;
				*ret_close = k;
				if (has_comma)
					return true;
				break;
			}
		}
	}
	return false;
}

struct texts { VEC(const char *) at; };

/* Pushes the pattern once for each choice of its first braces; false: it has none. */
static bool split_braces(struct arena *a, const char *s, struct texts *out)
{
	size_t n = strlen(s), open, close, depth = 0, from;

	if (!find_braces(s, n, &open, &close))
		return false;
	from = open + 1;
	for (size_t i = from; i <= close && out->at.len <= GLOB_CHOICES_MAX; i++) {
		if (s[i] == '\\') {
			i++;
			continue;
		}
		if (!depth && (s[i] == ',' || i == close)) {
			vec_push(&out->at, arena_printf(a, "%.*s%.*s%s", (int)open, s, (int)(i - from), s + from, s + close + 1));
			from = i + 1;
		}
		depth += s[i] == '{';
		depth -= depth && s[i] == '}';
	}
	return true;
}

/* -- tokens -- */

/* "[a-z]" from after the '['; NULL when it is not closed: then the '[' is itself. */
static const char *parse_set(struct arena *a, const struct glob *g, const char *p, const char *end, struct token *t)
{
	struct range *ranges = arena_alloc(a, (size_t)(end - p + 1) * sizeof(*ranges));
	const char *first;

	t->is_negated = p < end && (*p == '!' || *p == '^');
	p += t->is_negated;
	for (first = p; p < end && (*p != ']' || p == first);) {
		struct range *r = &ranges[t->range_count++];

		p += *p == '\\' && p + 1 < end;
		r->from = r->to = folded(g, take(&p, end));
		if (end - p > 1 && p[0] == '-' && p[1] != ']') {
			p++;
			r->to = folded(g, take(&p, end));
		}
	}
	t->kind = SET;
	t->ranges = ranges;
	return p < end ? p + 1 : NULL;
}

/* A run of stars from p: what it means depends on what is around it. */
static const char *parse_stars(struct choice *c, const char *start, const char *p, const char *end)
{
	const char *begin = p;
	bool at_begin = p == start || p[-1] == '/';

	while (p < end && *p == '*')
		p++;
	if (p - begin < 2 || !at_begin || (p < end && *p != '/')) {
		c->tokens[c->count++].kind = STAR;
	} else if (p == end) {
		c->tokens[c->count++].kind = DEEP;
	} else {
		c->tokens[c->count++].kind = DIRS;
		c->tokens[c->count++].kind = IN_DIR;
		p++;
	}
	return p;
}

static struct choice parse_choice(struct arena *a, const struct glob *g, const char *s)
{
	const char *p = s, *end = s + strlen(s), *after;
	struct choice c = { arena_alloc(a, (strlen(s) + 2) * sizeof(struct token)), 0 };

	while (p < end) {
		struct token *t = &c.tokens[c.count];

		if (*p == '*') {
			p = parse_stars(&c, s, p, end);
			continue;
		}
		c.count++;
		if (*p == '?') {
			t->kind = ANY;
			p++;
			continue;
		}
		if (*p == '[' && (after = parse_set(a, g, p + 1, end, t))) {
			p = after;
			continue;
		}
		p += *p == '\\' && p + 1 < end;
		*t = (struct token){ .kind = CHAR, .c = folded(g, take(&p, end)) };
	}
	return c;
}

ch_status glob_new(struct arena *a, const char *pattern, size_t len, bool ignore_case, struct glob **ret, struct ch_err *err)
{
	struct glob *g = arena_alloc(a, sizeof(*g));
	struct texts todo = { VEC_INIT };
	ch_status st = CH_OK;

	if (len > GLOB_PATTERN_MAX || memchr(pattern, '\0', len))
		return ch_fail(err, CH_E_INVALID, "a name pattern has at most %d bytes and no NUL", GLOB_PATTERN_MAX);
	g->ignore_case = ignore_case;
	vec_push(&todo.at, arena_strndup(a, pattern, len));
	while (!st && todo.at.len) {
		const char *s = vec_pop(&todo.at);

		if (split_braces(a, s, &todo)) {
			if (todo.at.len > GLOB_CHOICES_MAX)
				st = ch_fail(err, CH_E_INVALID, "the braces of a name pattern come to more than %d choices", GLOB_CHOICES_MAX);
			continue;
		}
		if (g->count == GLOB_CHOICES_MAX)
			st = ch_fail(err, CH_E_INVALID, "the braces of a name pattern come to more than %d choices", GLOB_CHOICES_MAX);
		else
			g->choices[g->count++] = parse_choice(a, g, s);
		g->has_slash = g->has_slash || strchr(s, '/');
	}
	vec_done(&todo.at);
	if (!st)
		*ret = g;
	return st;
}

/* -- matching -- */

#define STATES_MAX (2 * GLOB_PATTERN_MAX + 4)

static bool takes(const struct token *t, uint32_t c)
{
	bool in = false;

	switch (t->kind) {
	case CHAR:
		return c == t->c;
	case ANY:
	case STAR:
		return c != '/';
	case SET:
		for (size_t i = 0; i < t->range_count; i++)
			in = in || (c >= t->ranges[i].from && c <= t->ranges[i].to);
		return c != '/' && in != t->is_negated;
	case DEEP:
	case IN_DIR:
		return true;
	case DIRS:
		break;
	}
	return false;
}

/* What is reached without a character; such steps only lead forward. */
static void spread(const struct choice *c, bool *on)
{
	for (size_t i = 0; i < c->count; i++) {
		if (!on[i])
			continue;
		if (c->tokens[i].kind == STAR || c->tokens[i].kind == DEEP)
			on[i + 1] = true;
		if (c->tokens[i].kind == DIRS)
			on[i + 1] = on[i + 2] = true;
	}
}

static void step(const struct choice *c, const bool *on, bool *next, uint32_t ch)
{
	for (size_t i = 0; i < c->count; i++) {
		if (!on[i] || !takes(&c->tokens[i], ch))
			continue;
		switch (c->tokens[i].kind) {
		case STAR:
		case DEEP:
			next[i] = true;
			break;
		case IN_DIR:
			next[ch == '/' ? i - 1 : i] = true;
			break;
		default:
			next[i + 1] = true;
		}
	}
}

static bool match_choice(const struct glob *g, const struct choice *c, const char *path)
{
	const char *p = path, *end = path + strlen(path);
	bool on[STATES_MAX], next[STATES_MAX];

	memset(on, 0, c->count + 1);
	on[0] = true;
	spread(c, on);
	while (p < end) {
		memset(next, 0, c->count + 1);
		step(c, on, next, folded(g, take(&p, end)));
		spread(c, next);
		memcpy(on, next, c->count + 1);
	}
	return on[c->count];
}

bool glob_match(const struct glob *g, const char *path)
{
	for (size_t i = 0; i < g->count; i++)
		if (match_choice(g, &g->choices[i], path))
			return true;
	return false;
}

bool glob_match_name(const struct glob *g, const char *path)
{
	const char *slash = strrchr(path, '/');

	return glob_match(g, g->has_slash || !slash ? path : slash + 1);
}
