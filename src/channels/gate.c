/*
 * channels/gate.c - see gate.h.
 */
#include "channels/gate.h"

#include <string.h>

#include "channels/mention.h"
#include "core/log.h"
#include "core/map.h"
#include "core/mem.h"

/* A pattern as it was found; `re` NULL: it is not used. */
struct compiled { struct regex *re; };

struct chan_gate {
	struct loop_guard *loops;
	struct map *patterns;            /* text -> struct compiled; NULL until the first */
	struct map *told;                /* remarks on the configuration; NULL until the first */
};

struct chan_gate *chan_gate_new(void)
{
	struct chan_gate *g = ch_alloc(sizeof(*g));

	g->loops = loop_guard_new();
	return g;
}

static void forget_patterns(struct chan_gate *g)
{
	size_t cursor = 0;
	const char *text;
	void *value;

	while (g->patterns && map_each(g->patterns, &cursor, &text, &value)) {
		regex_free(((struct compiled *)value)->re);
		ch_free(value);
	}
	map_free(g->patterns);
	g->patterns = NULL;
}

void chan_gate_free(struct chan_gate *g)
{
	if (!g)
		return;
	forget_patterns(g);
	map_free(g->told);
	loop_guard_free(g->loops);
	ch_free(g);
}

struct loop_guard *chan_gate_loops(struct chan_gate *g)
{
	return g->loops;
}

const struct regex *chan_gate_pattern(struct chan_gate *g, const char *pattern)
{
	struct compiled *c = g->patterns ? map_find(g->patterns, pattern) : NULL;
	struct ch_err err;

	if (c)
		return c->re;
	if (g->patterns && map_len(g->patterns) >= GATE_PATTERNS_MAX)
		forget_patterns(g);
	if (!g->patterns)
		g->patterns = map_new();
	c = ch_alloc(sizeof(*c));
	map_put(g->patterns, pattern, c);
	if (mention_pattern_check(pattern, &err) ||
	    regex_compile(pattern, strlen(pattern), REGEX_CASELESS | REGEX_ECMA, &c->re, &err))
		log_warn("channels", "the mention pattern %s is not used: %s", log_quote(pattern), err.text);
	return c->re;
}

bool chan_gate_is_news(struct chan_gate *g, const char *text)
{
	if (g->told && map_len(g->told) >= GATE_NEWS_MAX) {
		map_free(g->told);
		g->told = NULL;
	}
	if (!g->told)
		g->told = map_new();
	return !map_put(g->told, text, g);
}
