/*
 * models/google_schema.c - a tool's JSON Schema in the words that Gemini knows.
 */
#include <string.h>

#include "core/str.h"
#include "models/dialect_google.h"

#define DEPTH_MAX 24                     /* of the result; also ends references that lead in a circle */
#define TEXT_MAX (64u * 1024u)           /* of one schema */
#define BYTES_MAX ((size_t)1 << 20)      /* ends references that lead in many circles at once, or to the same long list */

struct reduction {
	struct arena *arena;
	const struct json *root;
	size_t start;                    /* of the arena's use */
};

static bool is_spent(const struct reduction *x)
{
	return arena_used(x->arena) - x->start > BYTES_MAX;
}

static struct json *reduce(struct reduction *x, const struct json *v, int depth);

/* "#/$defs/item" in the root, or NULL. */
static const struct json *follow(struct reduction *x, const char *ref)
{
	const struct json *v = x->root;

	if (!ref || ref[0] != '#')
		return NULL;
	for (const char *p = ref + 1; *p == '/' && v;) {
		size_t n = strcspn(p + 1, "/");

		v = json_get(v, arena_strndup(x->arena, p + 1, n));
		p += 1 + n;
	}
	return v;
}

static struct json *reduce_list(struct reduction *x, const struct json *list, int depth)
{
	struct json *out = json_new_arr(x->arena);

	json_each(v, list)
		json_push(out, reduce(x, v, depth));
	return out;
}

static struct json *reduce_members(struct reduction *x, const struct json *members, int depth)
{
	struct json *out = json_new_obj(x->arena);

	json_each(v, members)
		json_set(x->arena, out, v->key, reduce(x, v, depth));
	return out;
}

/* What is required but not described is refused. */
static void set_required(struct reduction *x, struct json *out, const struct json *required)
{
	const struct json *properties = json_get(out, "properties");
	struct json *list = json_new_arr(x->arena);

	json_each(v, required) {
		if (json_get(properties, json_str_or(v, "")))
			json_push(list, json_clone(x->arena, v));
	}
	if (json_len(list))
		json_set(x->arena, out, "required", list);
}

static void copy_plain(struct reduction *x, struct json *out, const struct json *v)
{
	static const char *const known[] = { "type",    "title",   "description", "enum",     "format",
					     "minimum", "maximum", "minItems",    "maxItems" };

	for (size_t i = 0; i < CH_ARRAY_LEN(known); i++) {
		const struct json *member = json_get(v, known[i]);

		if (member)
			json_set(x->arena, out, known[i], json_clone(x->arena, member));
	}
}

/* References put in place and allOf merged: what follows sees plain members only. */
static const struct json *flatten(struct reduction *x, const struct json *v, int depth)
{
	const struct json *target = follow(x, json_get_str(v, "$ref")), *all = json_get(v, "allOf");
	const struct json *base = v;

	if (is_spent(x))
		return v;
	if (target && depth < DEPTH_MAX && !is_spent(x))
		base = json_merge(x->arena, flatten(x, target, depth + 1), v);
	json_each(part, all) {
		if (depth < DEPTH_MAX && !is_spent(x))
			base = json_merge(x->arena, base, flatten(x, part, depth + 1));
	}
	return base;
}

static struct json *reduce(struct reduction *x, const struct json *v, int depth)
{
	struct json *out = json_new_obj(x->arena);
	const struct json *either;

	if (!json_is(v, JSON_OBJ) || depth > DEPTH_MAX || is_spent(x))
		return out;
	v = flatten(x, v, depth);
	copy_plain(x, out, v);
	if (json_get(v, "const")) {
		struct json *only = json_new_arr(x->arena);

		json_push(only, json_clone(x->arena, json_get(v, "const")));
		json_set(x->arena, out, "enum", only);
	}
	either = json_get(v, "anyOf") ? json_get(v, "anyOf") : json_get(v, "oneOf");
	if (json_len(either))
		json_set(x->arena, out, "anyOf", reduce_list(x, either, depth + 1));
	if (json_is(json_get(v, "items"), JSON_OBJ))
		json_set(x->arena, out, "items", reduce(x, json_get(v, "items"), depth + 1));
	if (json_is(json_get(v, "prefixItems"), JSON_ARR))
		json_set(x->arena, out, "prefixItems", reduce_list(x, json_get(v, "prefixItems"), depth + 1));
	if (json_is(json_get(v, "properties"), JSON_OBJ)) {
		json_set(x->arena, out, "properties", reduce_members(x, json_get(v, "properties"), depth + 1));
		set_required(x, out, json_get(v, "required"));
	}
	if (json_is(json_get(v, "additionalProperties"), JSON_OBJ))
		json_set(x->arena, out, "additionalProperties", reduce(x, json_get(v, "additionalProperties"), depth + 1));
	return out;
}

const struct json *google_schema(struct arena *a, const char *schema_json)
{
	struct reduction x = { .arena = a };
	struct json *root = NULL, *out;

	if (strlen(schema_json) > TEXT_MAX || json_parse(a, schema_json, strlen(schema_json), JSON_STRICT, &root, NULL))
		root = NULL;
	x.root = root;
	x.start = arena_used(a);
	out = reduce(&x, root, 0);
	if (!json_get(out, "type"))
		json_set(a, out, "type", json_new_str(a, "object"));
	return out;
}
