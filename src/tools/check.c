/*
 * tools/check.c - are these arguments what the schema says?
 *
 * The subset of JSON Schema that our own tools use: type, properties,
 * required, additionalProperties:false, enum, items, minimum, maximum, minLength,
 * maxLength, minItems, maxItems. The text tells the model which argument, what was
 * found and what is wanted.
 */
#include <string.h>

#include "core/str.h"
#include "tools/tool.h"

#define CHECK_DEPTH_MAX 16       /* our schemas are 3 deep; arguments deeper than that have no schema to match */
#define PATH_MAX_BYTES 128

struct check {
	char path[PATH_MAX_BYTES];       /* "edits[0].oldText"; "" for the whole */
	struct ch_err *err;
};

static const char *type_name(const struct json *v)
{
	switch (json_type(v)) {
	case JSON_NULL:
		return "null";
	case JSON_BOOL:
		return "a boolean";
	case JSON_INT:
	case JSON_NUM:
		return "a number";
	case JSON_STR:
		return "a string";
	case JSON_ARR:
		return "an array";
	case JSON_OBJ:
		return "an object";
	}
	return "nothing";
}

static bool type_matches(const char *type, const struct json *v)
{
	if (str_eq(type, "string"))
		return json_is(v, JSON_STR);
	if (str_eq(type, "integer"))
		return json_is(v, JSON_INT);
	if (str_eq(type, "number"))
		return json_is(v, JSON_INT) || json_is(v, JSON_NUM);
	if (str_eq(type, "boolean"))
		return json_is(v, JSON_BOOL);
	if (str_eq(type, "array"))
		return json_is(v, JSON_ARR);
	if (str_eq(type, "object"))
		return json_is(v, JSON_OBJ);
	CH_BUG_ON(true); /* our own schemas; a unit test checks every type in them */
	return false;
}

static const char *shown(const struct check *c)
{
	return c->path[0] ? c->path : "the arguments";
}

static ch_status check_bounds(struct check *c, const struct json *schema, const struct json *v)
{
	const struct json *min, *max;
	double size;
	const char *unit = "";

	switch (json_type(v)) {
	case JSON_INT:
	case JSON_NUM:
		min = json_get(schema, "minimum");
		max = json_get(schema, "maximum");
		size = json_num_or(v, 0);
		break;
	case JSON_STR:
		min = json_get(schema, "minLength");
		max = json_get(schema, "maxLength");
		size = (double)v->len;
		unit = " bytes long";
		break;
	case JSON_ARR:
		min = json_get(schema, "minItems");
		max = json_get(schema, "maxItems");
		size = (double)json_len(v);
		unit = " items long";
		break;
	default:
		return CH_OK;
	}
	if (min && size < json_num_or(min, 0))
		return ch_fail(c->err, CH_E_INVALID, "'%s' must be at least %g%s", shown(c), json_num_or(min, 0), unit);
	if (max && size > json_num_or(max, 0))
		return ch_fail(c->err, CH_E_INVALID, "'%s' must be at most %g%s", shown(c), json_num_or(max, 0), unit);
	return CH_OK;
}

static ch_status check_enum(struct check *c, const struct json *schema, const struct json *v)
{
	const struct json *choices = json_get(schema, "enum");
	char list[160] = "";
	size_t n = 0;

	if (!choices)
		return CH_OK;
	json_each(choice, choices) {
		if (json_equal(choice, v))
			return CH_OK;
		n += (size_t)snprintf(list + n, sizeof(list) - n, "%s%s", n ? ", " : "", json_str_or(choice, "?"));
		n = CH_MIN(n, sizeof(list) - 1);
	}
	return ch_fail(c->err, CH_E_INVALID, "'%s' must be one of: %s", shown(c), list);
}

static ch_status check_value(struct check *c, const struct json *schema, const struct json *v, int depth);

/* Descends with ".key" or "[i]" on the path, and takes it off again. */
static ch_status check_child(struct check *c, const struct json *schema, const struct json *v, const char *key,
			     size_t i, int depth)
{
	size_t n = strlen(c->path);
	ch_status st;

	if (key)
		snprintf(c->path + n, sizeof(c->path) - n, "%s%s", n ? "." : "", key);
	else
		snprintf(c->path + n, sizeof(c->path) - n, "[%zu]", i);
	st = check_value(c, schema, v, depth + 1);
	c->path[n] = '\0';
	return st;
}

static ch_status refuse_unknown(struct check *c, const struct json *props, const char *key)
{
	char list[160] = "";
	size_t n = 0;

	json_each(p, props) {
		n += (size_t)snprintf(list + n, sizeof(list) - n, "%s%s", n ? ", " : "", p->key);
		n = CH_MIN(n, sizeof(list) - 1);
	}
	return ch_fail(c->err, CH_E_INVALID, "unknown argument '%s%s%.40s'; allowed: %s", c->path,
		       c->path[0] ? "." : "", key, list[0] ? list : "none");
}

static ch_status check_object(struct check *c, const struct json *schema, const struct json *v, int depth)
{
	const struct json *props = json_get(schema, "properties");

	json_each(name, json_get(schema, "required"))
		if (!json_get(v, json_str(name)))
			return ch_fail(c->err, CH_E_INVALID, "'%s%s%s' is missing", c->path, c->path[0] ? "." : "",
				       json_str(name));
	json_each(member, v) {
		const struct json *sub = json_get(props, member->key);
		ch_status st;

		if (!sub && json_get_bool(schema, "additionalProperties", true))
			continue;
		if (!sub)
			return refuse_unknown(c, props, member->key);
		st = check_child(c, sub, member, member->key, 0, depth);
		if (st)
			return st;
	}
	return CH_OK;
}

static ch_status check_value(struct check *c, const struct json *schema, const struct json *v, int depth)
{
	const char *type = json_get_str(schema, "type");
	const struct json *items = json_get(schema, "items");
	size_t i = 0;
	ch_status st;

	if (depth > CHECK_DEPTH_MAX)
		return ch_fail(c->err, CH_E_INVALID, "'%s' is nested too deeply", shown(c));
	if (type && !type_matches(type, v))
		return ch_fail(c->err, CH_E_INVALID, "'%s' must be of type %s, not %s", shown(c), type, type_name(v));
	st = check_enum(c, schema, v);
	if (!st)
		st = check_bounds(c, schema, v);
	if (st)
		return st;
	if (json_is(v, JSON_OBJ))
		return check_object(c, schema, v, depth);
	if (!json_is(v, JSON_ARR) || !items)
		return CH_OK;
	json_each(item, v) {
		st = check_child(c, items, item, NULL, i++, depth);
		if (st)
			return st;
	}
	return CH_OK;
}

ch_status tool_check_args(const struct tool *t, const struct json *args, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct check c = { .path = "", .err = err };
	struct json *schema = NULL;
	ch_status st;

	st = json_parse(a, t->schema_json, strlen(t->schema_json), JSON_STRICT, &schema, err);
	CH_BUG_ON(st);           /* our own table; a unit test parses each */
	return check_value(&c, schema, args, 0);
}
