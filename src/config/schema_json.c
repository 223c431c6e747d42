/*
 * config/schema_json.c - the table as JSON Schema (draft-07) and as hints for
 * forms, for config.schema.
 */
#include <ctype.h>
#include <string.h>

#include "config/schema.h"
#include "core/str.h"

static void set_str(struct arena *a, struct json *o, const char *key, const char *s)
{
	json_set(a, o, key, json_new_str(a, s));
}

static struct json *typed(struct arena *a, const char *type)
{
	struct json *o = json_new_obj(a);

	set_str(a, o, "type", type);
	return o;
}

/* The member of o with that name, made as an object when absent. */
static struct json *member(struct arena *a, struct json *o, const char *key)
{
	struct json *v = json_get(o, key);

	if (!v) {
		v = json_new_obj(a);
		json_set(a, o, key, v);
	}
	return v;
}

static void any_of(struct arena *a, struct json *o, struct json *x, struct json *y)
{
	struct json *list = json_new_arr(a);

	json_push(list, x);
	json_push(list, y);
	json_set(a, o, "anyOf", list);
}

static struct json *reference_schema(struct arena *a)
{
	struct json *o = typed(a, "object"), *properties = member(a, o, "properties"),
		    *required = json_new_arr(a);
	struct json *source = typed(a, "string"), *sources = json_new_arr(a);

	json_push(sources, json_new_str(a, "env"));
	json_push(sources, json_new_str(a, "file"));
	json_push(sources, json_new_str(a, "exec"));
	json_set(a, source, "enum", sources);
	json_set(a, properties, "source", source);
	json_set(a, properties, "provider", typed(a, "string"));
	json_set(a, properties, "id", typed(a, "string"));
	json_push(required, json_new_str(a, "source"));
	json_push(required, json_new_str(a, "id"));
	json_set(a, o, "required", required);
	return o;
}

static void put_enum(struct arena *a, struct json *o, const struct config_row *row)
{
	struct json *list = json_new_arr(a);

	for (const char *const *c = row->choices; *c; c++)
		json_push(list, json_new_str(a, *c));
	json_set(a, o, "enum", list);
}

static void put_type(struct arena *a, struct json *o, const struct config_row *row)
{
	switch (row->type) {
	case CFG_ENUM: put_enum(a, o, row); /* fall through */
	case CFG_STR: set_str(a, o, "type", "string"); break;
	case CFG_INT: set_str(a, o, "type", "integer"); break;
	case CFG_NUM: set_str(a, o, "type", "number"); break;
	case CFG_BOOL: set_str(a, o, "type", "boolean"); break;
	case CFG_STR_LIST:
		set_str(a, o, "type", "array");
		json_set(a, o, "items", typed(a, "string"));
		break;
	case CFG_DURATION:
	case CFG_BYTES: any_of(a, o, typed(a, "string"), typed(a, "integer")); break;
	case CFG_OBJECT:
	case CFG_MAP: set_str(a, o, "type", "object"); break;
	case CFG_LIST:                           /* of words, unless a row below says what its items are */
		set_str(a, o, "type", "array");
		json_set(a, o, "items", typed(a, "string"));
		break;
	case CFG_SECRET: any_of(a, o, typed(a, "string"), reference_schema(a)); break;
	case CFG_STR_OR_OBJ: any_of(a, o, typed(a, "string"), typed(a, "object")); break;
	case CFG_ANY: any_of(a, o, typed(a, "string"), typed(a, "boolean")); break;
	}
	if (row->max > row->min) {
		json_set(a, o, "minimum", json_new_int(a, row->min));
		json_set(a, o, "maximum", json_new_int(a, row->max));
	}
}

/* "timeoutSeconds" as "Timeout seconds". */
static char *label(struct arena *a, const char *path)
{
	const char *dot = strrchr(path, '.'), *name = dot ? dot + 1 : path;
	char *text = arena_alloc(a, 2 * strlen(name) + 1), *out = text;

	for (const char *p = name; *p; p++) {
		bool starts_word = p > name && isupper((unsigned char)*p) && !isupper((unsigned char)p[-1]);

		if (starts_word)
			*out++ = ' ';
		*out++ = p == name                                      ? (char)toupper((unsigned char)*p)
			 : starts_word && !isupper((unsigned char)p[1]) ? (char)tolower((unsigned char)*p)
									: *p;
	}
	return text;
}

/* The schema below `o` for one more name of a path. */
static struct json *below(struct arena *a, struct json *o, const char *name)
{
	struct json *choices = json_get(o, "anyOf");

	/* A string or an object: the rows below describe the object. */
	if (choices)
		o = json_at(choices, 1);
	if (str_eq(json_get_str(o, "type"), "array"))
		return member(a, o, "items");
	if (!json_get(o, "type"))
		set_str(a, o, "type", "object");
	if (str_eq(name, "*"))
		return member(a, o, "additionalProperties");
	return member(a, member(a, o, "properties"), name);
}

/* The row's own schema into o. */
static void describe(struct arena *a, struct json *o, const struct config_row *row)
{
	struct json *def;

	put_type(a, o, row);
	if (!str_ends(row->path, "*"))
		set_str(a, o, "title", label(a, row->path));
	if (row->help)
		set_str(a, o, "description", row->help);
	if (row->def && json_parse(a, row->def, strlen(row->def), JSON_STRICT, &def, NULL) == CH_OK)
		json_set(a, o, "default", def);
}

static void put_row(struct arena *a, struct json *root, const struct config_row *row)
{
	struct json *o = root;

	for (const char *p = row->path; *p;) {
		size_t n = strcspn(p, ".");

		o = below(a, o, arena_strndup(a, p, n));
		p += n + (p[n] == '.');
	}
	describe(a, o, row);
}

/* What a form can show: a key of unknown shape that has no effect is kept in the file, not offered. */
static bool is_in_form(const struct config_row *row)
{
	return row->type != CFG_ANY || !(row->flags & (CFG_UNUSED | CFG_ADVANCED));
}

struct json *schema_row_json(struct arena *a, const struct config_row *row)
{
	struct json *o = json_new_obj(a);

	describe(a, o, row);
	return o;
}

struct json *config_json_schema(struct arena *a)
{
	struct json *root = json_new_obj(a);
	size_t count;
	const struct config_row *rows = config_rows(&count);

	set_str(a, root, "$schema", "http://json-schema.org/draft-07/schema#");
	set_str(a, root, "type", "object");
	for (size_t i = 0; i < count; i++) {
		if (is_in_form(&rows[i]))
			put_row(a, root, &rows[i]);
	}
	return root;
}

/* The sections of a settings page, in the order in which a person meets them. */
static const struct section { const char *key, *label; int order; } sections[] = {
	{ "gateway", "Gateway", 30 },    { "agents", "Agents", 40 },    { "tools", "Tools", 50 },
	{ "models", "Models", 60 },      { "auth", "Credentials", 65 }, { "secrets", "Secrets", 68 },
	{ "session", "Sessions", 70 },   { "messages", "Messages", 80 }, { "commands", "Commands", 85 },
	{ "memory", "Memory", 90 },      { "cron", "Automation", 100 }, { "hooks", "Hooks", 110 },
	{ "ui", "Appearance", 120 },     { "channels", "Channels", 130 }, { "skills", "Skills", 140 },
	{ "plugins", "Plugins", 150 },   { "logging", "Logging", 200 }, { "env", "Environment", 210 },
};

static void put_section(struct arena *a, struct json *hint, const char *path)
{
	for (size_t i = 0; i < CH_ARRAY_LEN(sections); i++) {
		if (!str_eq(sections[i].key, path))
			continue;
		set_str(a, hint, "group", sections[i].label);
		json_set(a, hint, "order", json_new_int(a, sections[i].order));
		return;
	}
}

struct json *schema_row_hint(struct arena *a, const struct config_row *row)
{
	struct json *hint = json_new_obj(a);

	if (!str_ends(row->path, "*"))
		set_str(a, hint, "label", label(a, row->path));
	if (row->flags & CFG_UNUSED)
		set_str(a, hint, "help", "Kept, but without effect in this version.");
	else if (row->help)
		set_str(a, hint, "help", row->help);
	put_section(a, hint, row->path);
	json_set(a, hint, "advanced", json_new_bool(a, row->flags & (CFG_ADVANCED | CFG_UNUSED)));
	if (row->type == CFG_SECRET || row->flags & CFG_SENSITIVE)
		json_set(a, hint, "sensitive", json_new_bool(a, true));
	return hint;
}

struct json *config_ui_hints(struct arena *a)
{
	struct json *hints = json_new_obj(a);
	size_t count;
	const struct config_row *rows = config_rows(&count);

	for (size_t i = 0; i < count; i++)
		json_set(a, hints, rows[i].path, schema_row_hint(a, &rows[i]));
	return hints;
}
