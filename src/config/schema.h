/*
 * config/schema.h - walking the schema table; the table itself is in
 * config.h (struct config_row) and schema/ (one fragment per root key).
 *
 * A node is a place in the schema: it may have a row, rows below it, or both.
 */
#ifndef CH_CONFIG_SCHEMA_H
#define CH_CONFIG_SCHEMA_H

#include "config/config.h"

#define SCHEMA_PATH_MAX 128      /* longest path of a row (tests check it) */

struct schema_node {
	char path[SCHEMA_PATH_MAX];      /* "" for the root */
	size_t len;
	const struct config_row *row;    /* NULL for an object that needs no words */
	bool has_children;
};

void schema_root(struct schema_node *ret);
/* The node of a member or item: by its name, else the '*' of a map or list. False when unknown. */
bool schema_child(const struct schema_node *parent, const char *name, struct schema_node *ret);
/* Moves a node to its child; unchanged and false when unknown. */
bool schema_step(struct schema_node *node, const char *name);
/* Names of the children, '*' left out; up to max. For "did you mean" and config.schema. */
size_t schema_child_names(const struct schema_node *parent, const char **ret_names, size_t max,
			  struct arena *a);
/* The node of a value's path; false when unknown. */
bool schema_find(const char *path, struct schema_node *ret);

/* One row as JSON Schema, and as a hint for forms (schema_json.c). */
struct json *schema_row_json(struct arena *a, const struct config_row *row);
struct json *schema_row_hint(struct arena *a, const struct config_row *row);

#endif
