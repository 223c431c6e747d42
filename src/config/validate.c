/*
 * config/validate.c - the resolved tree against the schema.
 *
 * Wrong types, values and ranges are errors. Unknown keys are warnings with
 * the nearest known name, because a file written by a newer version or by
 * OpenClaw must never keep the gateway from starting; keys of OpenClaw's that
 * do nothing here are named in one warning together.
 */
#include <string.h>

#include "config/endpoint.h"
#include "config/schema.h"
#include "config/snapshot.h"
#include "core/mem.h"
#include "core/str.h"

#define SIBLINGS_MAX 128

struct check {
	struct config *c;
	struct buf unused;               /* "a, b, c" */
	bool *seen;                      /* by row: already in `unused` */
};

static const char *type_name(const struct json *v)
{
	switch (v->type) {
	case JSON_NULL: return "null";
	case JSON_BOOL: return v->b ? "true" : "false";
	case JSON_INT:
	case JSON_NUM: return "a number";
	case JSON_STR: return "a string";
	case JSON_ARR: return "a list";
	default: return "an object";
	}
}

static void expect(struct check *k, const struct config_trail *at, const struct json *v, const char *what)
{
	config_issue(k->c, CONFIG_ERROR, at, "expected %s, got %s", what, type_name(v));
}

static void check_number(struct check *k, const struct config_row *row, const struct json *v,
			 const struct config_trail *at)
{
	double d = json_num_or(v, 0);

	if (!json_is(v, JSON_INT) && !json_is(v, JSON_NUM))
		expect(k, at, v, row->type == CFG_INT ? "a whole number" : "a number");
	else if (row->type == CFG_INT && json_int_or(v, INT64_MIN) == INT64_MIN)
		config_issue(k->c, CONFIG_ERROR, at, "expected a whole number, got %s",
			     json_to_str(k->c->arena, v));
	else if (row->max > row->min && !(d >= (double)row->min && d <= (double)row->max))
		config_issue(k->c, CONFIG_ERROR, at, "must be between %lld and %lld, got %s",
			     (long long)row->min, (long long)row->max, json_to_str(k->c->arena, v));
}

static void check_enum(struct check *k, const struct config_row *row, const struct json *v,
		       const struct config_trail *at)
{
	CH_AUTO_BUF struct buf list = { 0 };
	const char *near;
	size_t n = 0;

	buf_init(&list, 1024);
	if (!json_is(v, JSON_STR)) {
		expect(k, at, v, "a string");
		return;
	}
	for (; row->choices[n]; n++) {
		if (str_eq(row->choices[n], v->str))
			return;
		buf_printf(&list, "%s%s", n ? ", " : "", row->choices[n]);
	}
	near = str_nearest(v->str, row->choices, n);
	config_issue(k->c, CONFIG_ERROR, at, "must be one of %s; got %s%s%s%s", buf_str(&list),
		     json_to_str(k->c->arena, v), near ? " (did you mean " : "", near ? near : "",
		     near ? "?)" : "");
}

static void check_str_list(struct check *k, const struct json *v, const struct config_trail *at)
{
	struct config_trail here = { .up = at };

	if (!json_is(v, JSON_ARR)) {
		expect(k, at, v, "a list of strings");
		return;
	}
	json_each(it, v) {
		if (!json_is(it, JSON_STR))
			expect(k, &here, it, "a string");
		here.index++;
	}
}

static void check_measure(struct check *k, const struct config_row *row, const struct json *v,
			  const struct config_trail *at)
{
	bool is_duration = row->type == CFG_DURATION;
	int64_t i;

	if (json_is(v, JSON_INT) && v->i >= 0)
		return;
	if (json_is(v, JSON_STR) &&
	    (is_duration ? str_to_duration_ms(v->str, 1, &i) : str_to_bytes(v->str, &i)))
		return;
	config_issue(k->c, CONFIG_ERROR, at, "expected %s, got %s",
		     is_duration ? "a time as \"30s\", \"5m\", \"2h\"" : "a size as 1048576 or \"10mb\"",
		     json_is(v, JSON_STR) ? json_to_str(k->c->arena, v) : type_name(v));
}

static void check_secret(struct check *k, const struct json *v, const struct config_trail *at)
{
	static const char *const sources[] = { "env", "file", "exec", "store" };
	const char *source = json_get_str(v, "source");

	if (json_is(v, JSON_STR))
		return;
	if (!json_is(v, JSON_OBJ))
		expect(k, at, v, "a string or {source, provider, id}");
	else if (!str_in(source, sources, CH_ARRAY_LEN(sources)))
		config_issue(k->c, CONFIG_ERROR, at, "a reference needs a source: env, file, exec or store");
	else if (str_empty(json_get_str(v, "id")))
		config_issue(k->c, CONFIG_ERROR, at, "a reference needs an id");
}

/* Everything but what is below the value. */
static void check_value(struct check *k, const struct config_row *row, const struct json *v,
			const struct config_trail *at)
{
	switch (row->type) {
	case CFG_STR:
		if (!json_is(v, JSON_STR))
			expect(k, at, v, "a string");
		break;
	case CFG_BOOL:
		if (!json_is(v, JSON_BOOL))
			expect(k, at, v, "true or false");
		break;
	case CFG_INT:
	case CFG_NUM: check_number(k, row, v, at); break;
	case CFG_ENUM: check_enum(k, row, v, at); break;
	case CFG_STR_LIST: check_str_list(k, v, at); break;
	case CFG_DURATION:
	case CFG_BYTES: check_measure(k, row, v, at); break;
	case CFG_SECRET: check_secret(k, v, at); break;
	case CFG_OBJECT:
	case CFG_MAP:
		if (!json_is(v, JSON_OBJ))
			expect(k, at, v, "an object");
		break;
	case CFG_LIST:
		if (!json_is(v, JSON_ARR))
			expect(k, at, v, "a list");
		break;
	case CFG_STR_OR_OBJ:
		if (!json_is(v, JSON_STR) && !json_is(v, JSON_OBJ))
			expect(k, at, v, "a string or an object");
		break;
	case CFG_ANY: break;
	}
}

static void note_unused(struct check *k, const struct config_row *row, const struct config_trail *at)
{
	size_t count;
	bool *seen = &k->seen[row - config_rows(&count)];

	if (!*seen)
		buf_printf(&k->unused, "%s%s", k->unused.len ? ", " : "", config_trail_path(k->c->arena, at));
	*seen = true;
}

static bool is_default(struct check *k, const struct config_row *row, const struct json *v)
{
	struct json *def;

	return row->def &&
	       json_parse(k->c->arena, row->def, strlen(row->def), JSON_STRICT, &def, NULL) == CH_OK &&
	       json_equal(def, v);
}

static void unknown(struct check *k, const struct schema_node *parent, const struct json *v,
		    const struct config_trail *at)
{
	const char *names[SIBLINGS_MAX];
	size_t n = schema_child_names(parent, names, SIBLINGS_MAX, k->c->arena);
	const char *near = str_nearest(v->key, names, n);

	config_issue(k->c, CONFIG_WARNING, at, "unknown key, kept as it is%s%s%s",
		     near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

static void check_node(struct check *k, const struct schema_node *node, const struct json *v,
		       const struct config_trail *at);

static void check_children(struct check *k, const struct schema_node *node, const struct json *v,
			   const struct config_trail *at)
{
	struct config_trail here = { .up = at };
	struct schema_node child;

	json_each(it, v) {
		here.name = v->type == JSON_OBJ ? it->key : NULL;
		if (schema_child(node, here.name ? here.name : "*", &child))
			check_node(k, &child, it, &here);
		else if (here.name)
			unknown(k, node, it, &here);
		here.index++;
	}
}

static void check_node(struct check *k, const struct schema_node *node, const struct json *v,
		       const struct config_trail *at)
{
	const struct config_row *row = node->row;

	/* What nothing reads cannot be wrong here; what says how it is anyway needs no word. */
	if (row && row->flags & CFG_UNUSED) {
		if (!is_default(k, row, v))
			note_unused(k, row, at);
		return;
	}
	if (row)
		check_value(k, row, v, at);
	else if (!json_is(v, JSON_OBJ))
		expect(k, at, v, "an object");
	if (node->has_children)
		check_children(k, node, v, at);
}

/* Endpoints hold templates and schemas that rows cannot describe. */
static void check_endpoints(struct config *c)
{
	struct config_trail tools = { .name = "tools" }, http = { .up = &tools, .name = "http" }, here = { .up = &http };
	const struct json *all = json_path(c->resolved, "tools.http");
	struct endpoint e;
	struct ch_err err;

	if (!json_is(all, JSON_OBJ))
		return;
	json_each(it, all) {
		here.name = it->key;
		if (endpoint_read(c->arena, it->key, it, &e, &err))
			config_issue(c, CONFIG_ERROR, &here, "%s", err.text);
	}
}

void config_validate(struct config *c)
{
	struct check k = { .c = c };
	struct schema_node root;
	size_t count;

	(void)config_rows(&count);
	k.seen = ch_calloc(count, sizeof(bool));
	buf_init(&k.unused, 2048);
	schema_root(&root);
	check_children(&k, &root, c->resolved, NULL);
	check_endpoints(c);
	if (k.unused.len)
		config_issue(c, CONFIG_WARNING, NULL, "kept, but without effect in this version: %s",
			     buf_str(&k.unused));
	buf_done(&k.unused);
	ch_free(k.seen);
}
