/*
 * config/endpoint_schema.c - the JSON Schema of an endpoint's arguments.
 *
 * Only keywords that are enforced may stand in it: a "pattern" that nobody checks would be a promise.
 */
#include <string.h>

#include "config/endpoint.h"
#include "core/str.h"

static const char *const types[] = { "string", "integer", "number", "boolean", "array", "object" };
/* Enforced, or for the model's eyes only. */
static const char *const keywords[] = {
	"type", "properties", "required", "additionalProperties", "enum", "items", "minimum", "maximum", "minLength",
	"maxLength", "minItems", "maxItems", "description", "title", "default", "examples",
};
static const char *const numbers[] = { "minimum", "maximum", "minLength", "maxLength", "minItems", "maxItems" };

static ch_status check(const struct json *s, const char *where, int depth, struct ch_err *err);

static ch_status check_keyword(const struct json *k, const char *where, struct ch_err *err)
{
	if (!str_in(k->key, keywords, CH_ARRAY_LEN(keywords)))
		return ch_fail(err, CH_E_INVALID, "schema: '%.40s' at %.80s is not understood", k->key, where);
	if (str_in(k->key, numbers, CH_ARRAY_LEN(numbers)) && !json_is(k, JSON_INT) && !json_is(k, JSON_NUM))
		return ch_fail(err, CH_E_INVALID, "schema: '%s' at %.80s must be a number", k->key, where);
	if (str_eq(k->key, "enum") && (!json_is(k, JSON_ARR) || !json_len(k)))
		return ch_fail(err, CH_E_INVALID, "schema: 'enum' at %.80s must be a list of values", where);
	return CH_OK;
}

static ch_status check_members(const struct json *s, const char *where, int depth, struct ch_err *err)
{
	const struct json *props = json_get(s, "properties"), *required = json_get(s, "required");

	if ((props && !json_is(props, JSON_OBJ)) || (required && !json_is(required, JSON_ARR)))
		return ch_fail(err, CH_E_INVALID, "schema: 'properties' at %.80s must be an object, 'required' a list", where);
	json_each(r, required)
		if (!json_str(r) || !json_get(props, json_str(r)))
			return ch_fail(err, CH_E_INVALID, "schema: 'required' at %.80s names '%.40s', which is no property", where,
				       json_str_or(r, "?"));
	json_each(p, props) {
		ch_status st = check(p, p->key, depth + 1, err);

		if (st)
			return st;
	}
	return CH_OK;
}

/* depth is at most ENDPOINT_DEPTH_MAX, so is the recursion. */
static ch_status check(const struct json *s, const char *where, int depth, struct ch_err *err)
{
	const char *type = json_get_str(s, "type");
	ch_status st;

	if (!json_is(s, JSON_OBJ) || depth > ENDPOINT_DEPTH_MAX)
		return ch_fail(err, CH_E_INVALID, "schema: what stands at %.80s must be an object, not nested deeper than %d", where,
			       ENDPOINT_DEPTH_MAX);
	if (!type || !str_in(type, types, CH_ARRAY_LEN(types)))
		return ch_fail(err, CH_E_INVALID, "schema: 'type' at %.80s must be string, integer, number, boolean, array or object", where);
	json_each(k, s) {
		st = check_keyword(k, where, err);
		if (st)
			return st;
	}
	st = check_members(s, where, depth, err);
	if (!st && json_get(s, "items"))
		st = check(json_get(s, "items"), where, depth + 1, err);
	return st;
}

ch_status endpoint_check_schema(const struct json *schema, struct ch_err *err)
{
	ch_status st = check(schema, "the top", 0, err);

	if (!st && !str_eq(json_get_str(schema, "type"), "object"))
		st = ch_fail(err, CH_E_INVALID, "schema: its type must be object, with the arguments as properties");
	return st;
}
