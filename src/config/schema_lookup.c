/*
 * config/schema_lookup.c - one place of the schema, for who does not want all of it.
 */
#include <string.h>

#include "config/schema.h"
#include "core/buf.h"
#include "core/str.h"

#define CHILDREN_MAX 256
#define DEPTH_MAX 16                     /* of rows below a place; the table is ours */

/* "a/b[0].c[]" as "a.b.0.c.*". */
static char *plain_path(struct arena *a, const char *path)
{
	char *out = arena_alloc(a, 2 * strlen(path) + 1), *o = out;

	for (const char *p = path; *p; p++) {
		bool is_point = strchr("./[", *p);

		if (*p == ']')
			continue;
		if (!is_point)
			*o++ = *p;
		else if (o > out && o[-1] != '.' && p[1])
			*o++ = '.';
		if (*p == '[' && p[1] == ']')
			*o++ = '*';
	}
	while (o > out && o[-1] == '.')
		*--o = '\0';
	return out;
}

/* What a change here takes: the most of what a change below takes. */
static int reload_flags(const struct schema_node *node, int depth)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	const char *names[CHILDREN_MAX];
	size_t count = schema_child_names(node, names, CHILDREN_MAX, a);
	int flags = node->row ? node->row->flags : 0;
	struct schema_node child;

	for (size_t i = 0; depth < DEPTH_MAX && i < count && !(flags & CFG_RESTART); i++)
		if (schema_child(node, names[i], &child))
			flags |= reload_flags(&child, depth + 1);
	if (depth < DEPTH_MAX && schema_child(node, "*", &child) && str_ends(child.path, "*"))
		flags |= reload_flags(&child, depth + 1);
	return flags;
}

static const char *reload_kind(const struct schema_node *node)
{
	int flags = reload_flags(node, 0);

	return flags & CFG_RESTART ? "restart" : flags & CFG_HOT ? "hot" : "none";
}

static void set_str(struct arena *a, struct json *o, const char *key, const char *value)
{
	json_set(a, o, key, json_new_str(a, value));
}

static struct json *node_schema(struct arena *a, const struct schema_node *node)
{
	struct json *o;

	if (node->row)
		return schema_row_json(a, node->row);
	o = json_new_obj(a);
	set_str(a, o, "type", "object");
	return o;
}

/* reloadKind, hint, hintPath: what both a place and a child of it have. */
static void put_common(struct arena *a, struct json *o, const struct schema_node *node)
{
	set_str(a, o, "reloadKind", reload_kind(node));
	if (!node->row)
		return;
	json_set(a, o, "hint", schema_row_hint(a, node->row));
	set_str(a, o, "hintPath", node->path);
}

static void push_child(struct arena *a, struct json *list, const char *parent, const char *name,
		       const struct schema_node *node)
{
	struct json *o = json_new_obj(a), *type;

	set_str(a, o, "key", name);
	set_str(a, o, "path", *parent ? arena_printf(a, "%s.%s", parent, name) : name);
	type = json_get(node_schema(a, node), "type");
	if (type)
		json_set(a, o, "type", json_clone(a, type));
	json_set(a, o, "required", json_new_bool(a, false));
	json_set(a, o, "hasChildren", json_new_bool(a, node->has_children));
	put_common(a, o, node);
	json_push(list, o);
}

static struct json *children(struct arena *a, const char *path, const struct schema_node *node)
{
	const char *names[CHILDREN_MAX];
	size_t count = schema_child_names(node, names, CHILDREN_MAX, a);
	struct json *list = json_new_arr(a);
	struct schema_node child;

	for (size_t i = 0; i < count; i++)
		if (schema_child(node, names[i], &child))
			push_child(a, list, path, names[i], &child);
	if (schema_child(node, "*", &child) && str_ends(child.path, "*"))
		push_child(a, list, path, "*", &child);
	return list;
}

struct json *config_schema_lookup(struct arena *a, const char *path)
{
	const char *at = plain_path(a, path);
	struct schema_node node;
	struct json *o;

	if (!schema_find(at, &node))
		return NULL;
	o = json_new_obj(a);
	set_str(a, o, "path", *at ? at : ".");
	json_set(a, o, "schema", node_schema(a, &node));
	put_common(a, o, &node);
	json_set(a, o, "children", children(a, at, &node));
	return o;
}
