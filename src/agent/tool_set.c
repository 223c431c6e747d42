/*
 * agent/tool_set.c - see tool_set.h.
 */
#include "agent/tool_set.h"

#include <stdlib.h>

#include "core/hash.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/str.h"

static int by_name(const void *a, const void *b)
{
	const struct tool_item *x = a, *y = b;

	return strcmp(x->tool->name, y->tool->name);
}

uint64_t tool_set_stamp(const struct tool_host *host, const char *agent_id, const char *workspace)
{
	size_t n;
	const struct tool_source *const *sources = tool_sources(&n);
	uint64_t stamps[16] = { 0 };

	CH_BUG_ON(n > CH_ARRAY_LEN(stamps));
	for (size_t i = 0; i < n; i++)
		stamps[i] = sources[i]->stamp(host, agent_id, workspace);
	return n ? hash_bytes(stamps, n * sizeof(*stamps)) : 0;
}

static bool has_name(const struct tool_set *s, const char *name)
{
	for (size_t i = 0; i < s->len; i++)
		if (str_eq(s->at[i].tool->name, name))
			return true;
	return false;
}

/* The name of a row stays the row's, whatever a workspace or a configuration calls its own. */
static void add(struct tool_set *s, const struct tool *t, const char *source)
{
	if (!t->run) {
		s->problems[s->problem_count++] = t;
		return;
	}
	if (has_name(s, t->name)) {
		log_warn("agent", "tool '%s' of '%s' has the name of another tool; it is left out", log_quote(t->name), source);
		return;
	}
	s->at[s->len++] = (struct tool_item){ t, source };
}

static void add_source(struct tool_set *s, const struct tool_source *src, const struct tool_host *host, const char *agent_id,
		       const char *workspace, bool *is_whole)
{
	const struct tool *const *tools = NULL;
	struct ch_err err;
	size_t n = 0;

	if (src->list(host, agent_id, workspace, s->arena, &tools, &n, &err)) {
		log_warn("agent", "agent %s: the tools of '%s' cannot be listed: %s; its turns go on without them", agent_id,
			 src->id, log_quote(err.text));
		*is_whole = false;
		return;
	}
	for (size_t i = 0; i < n; i++) {
		if (s->len + s->problem_count == TOOL_SET_MAX) {
			log_warn("agent", "agent %s has more than %d tools; those of '%s' from '%s' on are left out", agent_id,
				 TOOL_SET_MAX, src->id, log_quote(tools[i]->name));
			return;
		}
		add(s, tools[i], src->id);
	}
}

struct tool_set *tool_set_new(const struct tool_host *host, struct config *c, const char *agent_id, const char *workspace)
{
	struct tool_set *s = ch_alloc(sizeof(*s));
	const struct tool_source *const *sources;
	const struct tool *const *rows;
	size_t row_count, source_count;
	bool is_whole = true;

	rows = tool_table(&row_count);
	sources = tool_sources(&source_count);
	s->refs = 1;
	s->arena = arena_new(0);
	s->stamp = tool_set_stamp(host, agent_id, workspace);
	s->at = arena_alloc(s->arena, TOOL_SET_MAX * sizeof(*s->at));
	s->problems = arena_alloc(s->arena, TOOL_SET_MAX * sizeof(*s->problems));
	for (size_t i = 0; i < row_count; i++)
		add(s, rows[i], NULL);
	for (size_t i = 0; i < source_count; i++)
		add_source(s, sources[i], host, agent_id, workspace, &is_whole);
	qsort(s->at, s->len, sizeof(*s->at), by_name);
	if (is_whole)
		s->config = config_ref(c);
	return s;
}

struct tool_set *tool_set_ref(struct tool_set *s)
{
	s->refs++;
	return s;
}

void tool_set_unref(struct tool_set *s)
{
	if (!s || --s->refs)
		return;
	config_unref(s->config);
	arena_unref(s->arena);
	ch_free(s);
}

size_t tool_set_index(const struct tool_set *s, const char *name)
{
	size_t low = 0, high = s->len;

	while (low < high) {
		size_t mid = (low + high) / 2;
		int order = strcmp(s->at[mid].tool->name, name);

		if (!order)
			return mid;
		if (order < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return s->len;
}

const struct tool *tool_set_find(const struct tool_set *s, const char *name)
{
	size_t i = tool_set_index(s, name);

	return i < s->len ? s->at[i].tool : NULL;
}
