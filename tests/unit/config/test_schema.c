/*
 * config/schema, config/path, config/schema_json: the table is in order, and
 * paths find their rows.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "config/path.h"
#include "config/schema.h"
#include "core/str.h"

static void test_table_is_sorted_and_complete(void **state)
{
	size_t count;
	const struct config_row *rows = config_rows(&count);

	(void)state;
	for (size_t i = 0; i < count; i++) {
		const struct config_row *r = &rows[i];

		if (i && strcmp(rows[i - 1].path, r->path) >= 0)
			fail_msg("%s stands behind %s", r->path, rows[i - 1].path);
		assert_true(strlen(r->path) + 2 < SCHEMA_PATH_MAX);
		assert_ptr_equal(config_row_find(r->path), r);
		if ((r->type == CFG_ENUM) != (r->choices != NULL))
			fail_msg("%s: choices and type do not fit", r->path);
		/* A key that does something says what. */
		if (!r->help && !(r->flags & (CFG_UNUSED | CFG_ADVANCED)))
			fail_msg("%s has no help", r->path);
		if (r->flags & CFG_UNUSED && r->flags & (CFG_HOT | CFG_RESTART))
			fail_msg("%s is unused and yet has an effect", r->path);
	}
}

/* Each default is a value that its own row accepts. */
static void test_defaults_are_valid(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	size_t count, n;
	const struct config_row *rows = config_rows(&count);

	(void)state;
	for (size_t i = 0; i < count; i++) {
		CH_AUTO(config_unref) struct config *c = NULL;
		struct json *v;

		if (!rows[i].def || strchr(rows[i].path, '*') || rows[i].flags & CFG_UNUSED)
			continue;
		assert_int_equal(json_parse(a, rows[i].def, strlen(rows[i].def), JSON_STRICT, &v, NULL),
				 CH_OK);
		CH_AUTO_BUF struct buf text = { 0 };

		buf_init(&text, 4096);
		assert_int_equal(config_text_set("{}", 2, rows[i].path, v, &text, NULL), CH_OK);
		assert_int_equal(config_parse(buf_str(&text), text.len, NULL, &c, NULL), CH_OK);
		(void)config_issues(c, &n);
		if (n)
			fail_msg("the default of %s is not accepted", rows[i].path);
	}
}

static void test_find(void **state)
{
	static const char *const known[][2] = {
		{ "gateway.port", "gateway.port" },
		{ "models.providers.acme.baseUrl", "models.providers.*.baseUrl" },
		{ "models.providers.acme.models.3.cost.input", "models.providers.*.models.*.cost.input" },
		{ "models.providers.acme.models[3].id", "models.providers.*.models.*.id" },
		{ "models.providers[\"a.b\"].baseUrl", "models.providers.*.baseUrl" },
		{ "agents.defaults.models[\"openai/gpt-4.1\"].alias", "agents.defaults.models.*.alias" },
		{ "models.providers.*.api", "models.providers.*.api" },
	};
	static const char *const unknown[] = {
		"gateway.prt", "gateway.port.x", "gatewa", "gateway.", ".gateway", "models.providers.acme.no",
		"a[", "gateway[port", "x\"y",
	};
	char longer[400];

	(void)state;
	for (size_t i = 0; i < CH_ARRAY_LEN(known); i++) {
		const struct config_row *row = config_row_find(known[i][0]);

		assert_non_null(row);
		assert_string_equal(row->path, known[i][1]);
	}
	for (size_t i = 0; i < CH_ARRAY_LEN(unknown); i++)
		if (config_row_find(unknown[i]) && !str_starts(unknown[i], "gateway."))
			fail_msg("%s was found", unknown[i]);
	assert_null(config_row_find("gateway.port.x"));
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	assert_null(config_row_find(longer));
	assert_null(config_row_find(""));
}

static void test_path_text(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct config_path p;
	size_t i;

	(void)state;
	assert_int_equal(config_path_parse(a, "a.b[3][\"c.d\"]['e\\'f'].g", &p, NULL), CH_OK);
	assert_int_equal(p.n, 6);
	assert_string_equal(p.name[0], "a");
	assert_string_equal(p.name[1], "b");
	assert_string_equal(p.name[2], "3");
	assert_string_equal(p.name[3], "c.d");
	assert_string_equal(p.name[4], "e'f");
	assert_string_equal(p.name[5], "g");
	assert_int_equal(config_path_parse(a, "", &p, NULL), CH_OK);
	assert_int_equal(p.n, 0);
	assert_string_equal(config_path_join(a, "", "a"), "a");
	assert_string_equal(config_path_join(a, "a", "b"), "a.b");
	assert_string_equal(config_path_join(a, "a", "b.c"), "a[\"b.c\"]");
	assert_string_equal(config_path_join(a, "", ""), "[\"\"]");
	assert_string_equal(config_path_join(a, "a", "q\"]"), "a[\"q\\\"]\"]");
	assert_int_equal(config_path_parse(a, "a[\"q\\\"]\"].b", &p, NULL), CH_OK);
	assert_string_equal(p.name[1], "q\"]");
	static const char *const bad[] = { ".",    "a.",    ".a",    "a..b", "a[",          "a[]",
					   "a[x]", "a['b]", "a['b'", "a]",   "a['\\u0000']" };

	for (i = 0; i < CH_ARRAY_LEN(bad); i++)
		if (config_path_parse(a, bad[i], &p, NULL) == CH_OK)
			fail_msg("'%s' was accepted", bad[i]);
	assert_true(config_path_index("0", &i) && i == 0);
	assert_true(config_path_index("12", &i) && i == 12);
	assert_false(config_path_index("01", &i));
	assert_false(config_path_index("+1", &i));
	assert_false(config_path_index("1x", &i));
	assert_false(config_path_index("", &i));
	assert_false(config_path_index("99999999999", &i));
}

static void test_json_schema(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	const struct json *s = config_json_schema(a),
			  *port = json_path(s, "properties.gateway.properties.port"), *o;

	(void)state;
	assert_string_equal(json_get_str(port, "type"), "integer");
	assert_int_equal(json_get_int(port, "minimum", 0), 1);
	assert_int_equal(json_get_int(port, "maximum", 0), 65535);
	assert_int_equal(json_get_int(port, "default", 0), 18789);
	assert_string_equal(json_get_str(port, "title"), "Port");
	assert_non_null(json_get_str(port, "description"));
	o = json_path(s, "properties.gateway.properties.auth.properties.mode");
	assert_string_equal(json_str(json_path(o, "enum.1")), "token");
	o = json_path(s, "properties.gateway.properties.auth.properties.token.anyOf.1.properties.source");
	assert_int_equal(json_len(json_get(o, "enum")), 3);
	o = json_path(s, "properties.models.properties.providers.additionalProperties.properties.models."
			 "items.properties.id");
	assert_string_equal(json_get_str(o, "type"), "string");
	o = json_path(s,
		      "properties.agents.properties.defaults.properties.model.anyOf.1.properties.fallbacks");
	assert_string_equal(json_get_str(o, "type"), "array");
	assert_string_equal(json_get_str(json_path(s, "properties.gateway.properties.auth"), "type"),
			    "object");
}

static void test_ui_hints(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	const struct json *hints = config_ui_hints(a);
	size_t count;

	(void)state;
	(void)config_rows(&count);
	assert_int_equal(json_len(hints), count);
	assert_true(json_get_bool(json_get(hints, "gateway.auth.token"), "sensitive", false));
	assert_false(json_get_bool(json_get(hints, "gateway.port"), "sensitive", false));
	assert_string_equal(json_get_str(json_get(hints, "agents.defaults.timeoutSeconds"), "label"),
			    "Timeout seconds");
	assert_string_equal(json_get_str(json_get(hints, "models.providers.*.baseUrl"), "label"), "Base url");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table_is_sorted_and_complete),
		cmocka_unit_test(test_defaults_are_valid),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_path_text),
		cmocka_unit_test(test_json_schema),
		cmocka_unit_test(test_ui_hints),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
