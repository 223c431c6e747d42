/*
 * gateway/params.c - checks a request's parameters against its method's table.
 *
 * Recursion is bounded by the depth of the tables, which are ours, not by the depth of the input.
 * Order within an object: required members, unknown members, then each known member.
 */
#include "gateway/params.h"

#include <inttypes.h>

#include "core/str.h"

#define PATH_MAX_BYTES 128

struct check {
	const char *title;
	struct ch_err *err;
	char path[PATH_MAX_BYTES];
	size_t path_len;
};

static ch_status check_members(struct check *c, const struct gw_param *schema, bool is_open,
			       const struct json *obj);
static ch_status check_value(struct check *c, const struct gw_param *p, enum gw_param_type type,
			     const struct json *v);

static ch_status say(struct check *c, const char *fmt, ...) CH_PRINTF(2, 3);

static ch_status say(struct check *c, const char *fmt, ...)
{
	char what[160];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	if (c->path_len == 0)
		return ch_fail(c->err, CH_E_INVALID, "%s: %s", c->title, what);
	return ch_fail(c->err, CH_E_INVALID, "%s: at %s: %s", c->title, c->path, what);
}

/* Descends; a path that would not fit is cut, which only shortens the message. */
static size_t path_push(struct check *c, const char *name, size_t index)
{
	size_t before = c->path_len, room = sizeof(c->path) - before;
	int n = name ? snprintf(c->path + before, room, "/%.*s", (int)utf8_cut(name, strlen(name), 40), name) :
		       snprintf(c->path + before, room, "/%zu", index);

	c->path_len = CH_MIN(before + (size_t)CH_MAX(n, 0), sizeof(c->path) - 1);
	return before;
}

static void path_pop(struct check *c, size_t before)
{
	c->path_len = before;
	c->path[before] = '\0';
}

/* 3.0 is an integer; what int64_t cannot hold is none that we could use. */
static bool is_integer(const struct json *v)
{
	double d = json_num_or(v, 0);

	if (json_is(v, JSON_INT))
		return true;
	return json_is(v, JSON_NUM) && d > -9.2e18 && d < 9.2e18 && d == (double)(int64_t)d;
}

static ch_status check_number(struct check *c, const struct gw_param *p, const struct json *v)
{
	double d = json_num_or(v, 0);

	if (p->max <= p->min)
		return CH_OK;
	if (d < (double)p->min)
		return say(c, "must be >= %" PRId64, p->min);
	if (d > (double)p->max)
		return say(c, "must be <= %" PRId64, p->max);
	return CH_OK;
}

/* Characters, not bytes, as JSON Schema counts them. */
static int64_t utf8_length(const char *s, size_t n)
{
	int64_t chars = 0;

	for (size_t i = 0; i < n; i++)
		chars += ((unsigned char)s[i] & 0xC0) != 0x80;
	return chars;
}

static ch_status check_string(struct check *c, const struct gw_param *p, const struct json *v)
{
	int64_t chars;

	if ((p->flags & GP_NON_EMPTY) && v->len == 0)
		return say(c, "must not have fewer than 1 characters");
	if (p->max <= p->min)
		return CH_OK;
	chars = utf8_length(v->str, v->len);
	if (chars < p->min)
		return say(c, "must not have fewer than %" PRId64 " characters", p->min);
	if (chars > p->max)
		return say(c, "must not have more than %" PRId64 " characters", p->max);
	return CH_OK;
}

static ch_status check_choice(struct check *c, const struct gw_param *p, const struct json *v)
{
	for (size_t i = 0; p->choices[i]; i++)
		if (json_is(v, JSON_STR) && strlen(p->choices[i]) == v->len &&
		    !memcmp(p->choices[i], v->str, v->len))
			return CH_OK;
	return say(c, "must be equal to one of the allowed values");
}

/* Lists of names are short: their tables say so with max. */
static ch_status check_unique(struct check *c, const struct json *v)
{
	json_each(item, v)
		for (const struct json *other = item->next; other; other = other->next)
			if (json_equal(item, other))
				return say(c, "must not have duplicate items");
	return CH_OK;
}

/* An object used as a map: names are free, each value is of the table's item type. */
static ch_status check_map(struct check *c, const struct gw_param *p, const struct json *v)
{
	json_each(it, v)
	{
		struct gw_param each = { .flags = p->flags & GP_NON_EMPTY, .item = GP_STR };
		size_t before = path_push(c, it->key, 0);
		ch_status st = check_value(c, &each, p->item, it);

		if (st)
			return st;
		path_pop(c, before);
	}
	return CH_OK;
}

static ch_status check_object(struct check *c, const struct gw_param *p, const struct json *v)
{
	if (p->max > p->min && (int64_t)json_len(v) > p->max)
		return say(c, "must not have more than %" PRId64 " properties", p->max);
	if (p->max > p->min && (int64_t)json_len(v) < p->min)
		return say(c, "must not have fewer than %" PRId64 " properties", p->min);
	if (!p->members && p->item)
		return check_map(c, p, v);
	return check_members(c, p->members, (p->flags & GP_OPEN) || !p->members, v);
}

static ch_status check_array(struct check *c, const struct gw_param *p, const struct json *v)
{
	size_t i = 0;

	if (p->max > p->min) {
		if ((int64_t)json_len(v) < p->min)
			return say(c, "must not have fewer than %" PRId64 " items", p->min);
		if ((int64_t)json_len(v) > p->max)
			return say(c, "must not have more than %" PRId64 " items", p->max);
	}
	if (p->flags & GP_UNIQUE) {
		ch_status st = check_unique(c, v);

		if (st)
			return st;
	}
	json_each(item, v)
	{
		size_t before = path_push(c, NULL, i++);
		struct gw_param each = { .flags = p->flags, .choices = p->choices, .members = p->members };
		ch_status st = p->item ? check_value(c, &each, p->item, item) : CH_OK;

		if (!st && p->item == GP_STR && p->choices)
			st = check_choice(c, p, item);
		if (st)
			return st;
		path_pop(c, before);
	}
	return CH_OK;
}

static ch_status check_value(struct check *c, const struct gw_param *p, enum gw_param_type type,
			     const struct json *v)
{
	if ((p->flags & GP_NULLABLE) && json_is(v, JSON_NULL))
		return CH_OK;
	switch (type) {
	case GP_STR_OR_NULL:
		if (json_is(v, JSON_NULL))
			return CH_OK;
		/* fall through */
	case GP_STR:
		return json_is(v, JSON_STR) ? check_string(c, p, v) : say(c, "must be string");
	case GP_INT_OR_NULL:
		if (json_is(v, JSON_NULL))
			return CH_OK;
		/* fall through */
	case GP_INT:
		return is_integer(v) ? check_number(c, p, v) : say(c, "must be integer");
	case GP_NUM:
		return json_is(v, JSON_INT) || json_is(v, JSON_NUM) ? check_number(c, p, v) :
								      say(c, "must be number");
	case GP_BOOL_OR_NULL:
		if (json_is(v, JSON_NULL))
			return CH_OK;
		/* fall through */
	case GP_BOOL:
		return json_is(v, JSON_BOOL) ? CH_OK : say(c, "must be boolean");
	case GP_ENUM:
		return check_choice(c, p, v);
	case GP_STR_OR_ARR:
		if (json_is(v, JSON_STR))
			return p->choices ? check_choice(c, p, v) : check_string(c, p, v);
		/* fall through */
	case GP_ARR:
		return json_is(v, JSON_ARR) ? check_array(c, p, v) : say(c, "must be array");
	case GP_OBJ:
		return json_is(v, JSON_OBJ) ? check_object(c, p, v) : say(c, "must be object");
	case GP_TRUE:
		return json_bool_or(v, false) ? CH_OK : say(c, "must be equal to constant");
	case GP_BOOL_OR_ENUM:
		return json_is(v, JSON_BOOL) ? CH_OK : check_choice(c, p, v);
	case GP_ANY:
		return CH_OK;
	}
	return CH_OK;
}

static const struct gw_param *find_param(const struct gw_param *schema, const struct json *member)
{
	for (const struct gw_param *p = schema; p && p->name; p++)
		if (strlen(p->name) == member->key_len && !memcmp(p->name, member->key, member->key_len))
			return p;
	return NULL;
}

static ch_status check_members(struct check *c, const struct gw_param *schema, bool is_open,
			       const struct json *obj)
{
	for (const struct gw_param *p = schema; p && p->name; p++)
		if ((p->flags & GP_REQUIRED) && !json_get(obj, p->name))
			return say(c, "must have required property '%s'", p->name);
	json_each(it, obj)
	{
		if (is_open || find_param(schema, it))
			continue;
		return ch_fail(c->err, CH_E_INVALID, "%s: at %s: unexpected property '%.*s'", c->title,
			       c->path_len ? c->path : "root", (int)utf8_cut(it->key, it->key_len, 80),
			       it->key);
	}
	json_each(it, obj)
	{
		const struct gw_param *p = find_param(schema, it);
		size_t before;
		ch_status st;

		if (!p)
			continue;
		before = path_push(c, p->name, 0);
		st = check_value(c, p, p->type, it);
		if (st)
			return st;
		path_pop(c, before);
	}
	return CH_OK;
}

ch_status gw_params_check_as(const char *title, const struct gw_param *schema, bool is_open,
			     const struct json *params, struct ch_err *err)
{
	struct check c = { .title = title, .err = err };

	if (json_is(params, JSON_OBJ))
		return check_members(&c, schema, is_open, params);
	if (params && !json_is(params, JSON_NULL))
		return say(&c, "must be object");
	for (const struct gw_param *p = schema; p && p->name; p++)
		if (p->flags & GP_REQUIRED)
			return say(&c, "must have required property '%s'", p->name);
	return CH_OK;
}

ch_status gw_params_check(const char *what, const struct gw_param *schema, const struct json *params,
			  struct ch_err *err)
{
	char title[96];

	snprintf(title, sizeof(title), "invalid %s params", what);
	return gw_params_check_as(title, schema, false, params, err);
}
