/*
 * oracle_jansson.c - see oracle_jansson.h. NULs in strings are allowed; the
 * caller leaves out texts with raw NULs, one of which jansson overlooks
 * behind a number.
 */
#include "oracle_jansson.h"

#include <jansson.h>

static const json_t *as_json(const struct oracle *o)
{
	return (const json_t *)o;
}

struct oracle *oracle_parse(const void *text, size_t n, bool *ret_beyond)
{
	json_error_t err;
	json_t *j = json_loadb(text, n, JSON_DECODE_ANY | JSON_ALLOW_NUL, &err);
	enum json_error_code code = j ? json_error_unknown : json_error_code(&err);

	*ret_beyond = code == json_error_numeric_overflow || code == json_error_null_byte_in_key;
	return (struct oracle *)j;
}

void oracle_free(struct oracle *o)
{
	json_decref((json_t *)o);
}

enum oracle_type oracle_type(const struct oracle *o)
{
	switch (json_typeof(as_json(o))) {
	case JSON_OBJECT: return ORACLE_OBJ;
	case JSON_ARRAY: return ORACLE_ARR;
	case JSON_STRING: return ORACLE_STR;
	case JSON_INTEGER: return ORACLE_INT;
	case JSON_REAL: return ORACLE_NUM;
	case JSON_TRUE:
	case JSON_FALSE: return ORACLE_BOOL;
	default: return ORACLE_NULL;
	}
}

size_t oracle_size(const struct oracle *o)
{
	return json_is_object(as_json(o)) ? json_object_size(as_json(o)) : json_array_size(as_json(o));
}

const struct oracle *oracle_member(const struct oracle *o, const char *key)
{
	return (const struct oracle *)json_object_get(as_json(o), key);
}

const struct oracle *oracle_item(const struct oracle *o, size_t i)
{
	return (const struct oracle *)json_array_get(as_json(o), i);
}

const char *oracle_str(const struct oracle *o, size_t *ret_len)
{
	*ret_len = json_string_length(as_json(o));
	return json_string_value(as_json(o));
}

int64_t oracle_int(const struct oracle *o)
{
	return json_integer_value(as_json(o));
}

double oracle_num(const struct oracle *o)
{
	return json_real_value(as_json(o));
}

bool oracle_bool(const struct oracle *o)
{
	return json_is_true(as_json(o));
}
