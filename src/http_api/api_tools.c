/*
 * http_api/api_tools.c - the tools of a client, and whether the model must call one.
 */
#include "core/str.h"
#include "http_api/api.h"

#define NAME_MAX_BYTES 128

static bool is_name(const char *s)
{
	size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.");

	return n && !s[n] && n <= NAME_MAX_BYTES;
}

ch_status api_tool_add(struct api_turn *t, const char *name, const char *description, const struct json *schema,
		       struct ch_err *err)
{
	static const char anything[] = "{\"type\":\"object\",\"properties\":{}}";

	if (t->tool_count == EXTRAS_TOOLS_MAX)
		return ch_fail(err, CH_E_INVALID, "more than %d tools", EXTRAS_TOOLS_MAX);
	if (!name || !is_name(name))
		return ch_fail(err, CH_E_INVALID, "a tool's name must have 1 to %d letters, digits, '_', '-' or '.'",
			       NAME_MAX_BYTES);
	if (!t->tools)
		t->tools = arena_alloc(t->arena, EXTRAS_TOOLS_MAX * sizeof(*t->tools));
	t->tools[t->tool_count++] = (struct model_tool){
		arena_strdup(t->arena, name), arena_strdup(t->arena, description ? description : ""),
		json_is(schema, JSON_OBJ) ? json_to_str(t->arena, schema) : anything,
	};
	return CH_OK;
}

static ch_status choose_one(struct api_turn *t, const char *name, struct ch_err *err)
{
	for (size_t i = 0; i < t->tool_count; i++) {
		if (!str_eq(t->tools[i].name, name))
			continue;
		t->tools[0] = t->tools[i];
		t->tool_count = 1;
		t->tool_choice = t->must_call = t->tools[0].name;
		return CH_OK;
	}
	return ch_fail(err, CH_E_INVALID, "Invalid tools/tool_choice: there is no tool '%.80s'", name ? name : "");
}

ch_status api_tool_choose(struct api_turn *t, const char *choice, const char *name, struct ch_err *err)
{
	if (name)
		return choose_one(t, name, err);
	if (!choice || str_eq(choice, "auto"))
		return CH_OK;
	if (str_eq(choice, "none")) {
		t->tool_count = 0;
		return CH_OK;
	}
	if (!str_eq(choice, "required"))
		return ch_fail(err, CH_E_INVALID, "Invalid tools/tool_choice: '%.40s' is not one of auto, none, required and a "
			       "function", choice);
	if (!t->tool_count)
		return ch_fail(err, CH_E_INVALID, "Invalid tools/tool_choice: required, but no tools are given");
	t->tool_choice = "required";
	t->must_call = "";
	return CH_OK;
}
