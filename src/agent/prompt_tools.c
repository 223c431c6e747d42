/*
 * agent/prompt_tools.c - the tools of a prompt, as the model is told of them.
 *
 * A lean prompt has each tool in one sentence and its arguments without their notes, and as many tools as its
 * budget allows, the most useful first. What is left out cannot be called in that turn.
 */
#include <string.h>

#include "agent/home.h"
#include "agent/policy.h"
#include "core/mem.h"
#include "core/str.h"

#define LEAN_TOOLS_TOKENS 600
#define SCHEMA_DEPTH_MAX 8               /* our own schemas are flatter */

/* What a lean prompt takes first. */
static const char *const core_tools[] = { "read", "write", "edit", "exec", "list" };

static int64_t cost(const struct model_tool *t)
{
	return model_estimate_tokens(t->name, strlen(t->name)) + model_estimate_tokens(t->description, strlen(t->description)) +
	       model_estimate_tokens(t->schema_json, strlen(t->schema_json));
}

static void add(struct prompt *p, const struct model_tool *t)
{
	p->tools[p->tool_count++] = *t;
	p->tool_tokens += cost(t);
}

/* -- shortened -- */

static const char *first_sentence(struct arena *a, const char *text)
{
	const char *end = strstr(text, ". ");

	return end ? arena_strndup(a, text, (size_t)(end - text) + 1) : text;
}

/* The notes of a schema; a property may be called "description" and stays. */
static void strip(struct json *schema, int depth)
{
	if (!json_is(schema, JSON_OBJ) || depth == SCHEMA_DEPTH_MAX)
		return;
	if (json_get_str(schema, "description"))
		json_unset(schema, "description");
	json_each(p, json_get(schema, "properties"))
		strip(p, depth + 1);
	strip(json_get(schema, "items"), depth + 1);
}

static struct model_tool shortened(struct arena *a, const struct tool *t)
{
	struct model_tool ret = { t->name, first_sentence(a, t->description), t->schema_json };
	struct json *schema;

	if (json_parse(a, t->schema_json, strlen(t->schema_json), JSON_STRICT, &schema, NULL))
		return ret;              /* ours, so it parses; whole it is right too */
	strip(schema, 0);
	ret.schema_json = json_to_str(a, schema);
	return ret;
}

static void add_lean(struct prompt *p, const struct tool *const *table, const bool *allowed, size_t n)
{
	p->arena = arena_new(0);
	for (int is_rest = 0; is_rest < 2; is_rest++) {
		for (size_t i = 0; i < n; i++) {
			struct model_tool t;

			if (!allowed[i] || str_in(table[i]->name, core_tools, CH_ARRAY_LEN(core_tools)) == (bool)is_rest)
				continue;
			t = shortened(p->arena, table[i]);
			if (p->tool_tokens + cost(&t) <= LEAN_TOOLS_TOKENS)
				add(p, &t);
		}
	}
}

void prompt_add_tools(struct prompt *p, const struct config *c, const char *agent_id)
{
	const struct tool *const *t;
	bool *allowed;
	size_t n;

	t = tool_table(&n);
	allowed = ch_calloc(n, sizeof(*allowed));
	p->tools = ch_calloc(n, sizeof(*p->tools));
	policy_tools(c, agent_id, allowed);
	if (p->mode == PROMPT_LEAN)
		add_lean(p, t, allowed, n);
	for (size_t i = 0; p->mode == PROMPT_FULL && i < n; i++)
		if (allowed[i])
			add(p, &(struct model_tool){ t[i]->name, t[i]->description, t[i]->schema_json });
	ch_free(allowed);
}
