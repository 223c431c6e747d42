/*
 * agent/prompt_tools.c - the tools of a prompt, as the model is told of them.
 *
 * A lean prompt has each tool in one sentence and its arguments without their notes, and as many tools as its
 * budget allows, the most useful first. What is left out cannot be called in that turn.
 */
#include <string.h>

#include "agent/home.h"
#include "core/mem.h"
#include "core/str.h"

#define LEAN_TOOLS_TOKENS 600
#define SCHEMA_DEPTH_MAX 8               /* our own schemas are flatter */

/* What a lean prompt takes first, in this order; then what the person added; then the others. */
static const char *const core_tools[] = { "read", "write", "edit", "exec", "web_search", "web_fetch", "list" };

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

static void add_if_it_fits(struct prompt *p, const struct tool *t)
{
	struct model_tool shorter;

	if (prompt_has_tool(p, t->name))
		return;
	shorter = shortened(p->arena, t);
	if (p->tool_tokens + cost(&shorter) <= LEAN_TOOLS_TOKENS)
		add(p, &shorter);
}

static void add_lean(struct prompt *p, const struct policy *policy)
{
	const struct tool_set *set = policy->tools;

	p->arena = arena_new(0);
	for (size_t i = 0; i < CH_ARRAY_LEN(core_tools); i++) {
		const struct tool *t = policy_tool(policy, core_tools[i]);

		if (t)
			add_if_it_fits(p, t);
	}
	for (int is_row = 0; is_row < 2; is_row++)
		for (size_t i = 0; i < set->len; i++)
			if (!set->at[i].source == (bool)is_row && policy_tool(policy, set->at[i].tool->name))
				add_if_it_fits(p, set->at[i].tool);
}

void prompt_add_tools(struct prompt *p, const struct policy *policy)
{
	const struct tool_set *set = policy->tools;

	p->tools = ch_calloc(CH_MAX(policy->allowed, 1), sizeof(*p->tools));
	if (p->mode == PROMPT_LEAN) {
		add_lean(p, policy);
		return;
	}
	for (size_t i = 0; i < set->len; i++) {
		const struct tool *t = set->at[i].tool;

		if (policy_tool(policy, t->name))
			add(p, &(struct model_tool){ t->name, t->description, t->schema_json });
	}
}
