/* models/call_params: which setting of a request wins. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "core/str.h"
#include "models/call_params.h"

static const char text[] =
	"{ models: { providers: { acme: { baseUrl: 'http://127.0.0.1:1', models: [{ id: 'a.b', params: { a: 0, z: 0 } }] } } },"
	"  agents: {"
	"    defaults: { params: { a: 1, b: 1, c: 1, d: 1 }, models: { 'Acme/a.b': { params: { b: 2, c: 2, d: 2 } } } },"
	"    entries: { main: { models: { 'acme/a.b': { params: { c: 3, d: 3 } } }, params: { d: 4 } }, other: {} } } }";

static void check(const char *agent, const char *id, const struct json *own, const char *expected)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct model_call call = { .agent_id = agent, .params = own };
	struct model_entry e = { .provider = "acme", .id = id, .ref = arena_printf(a, "acme/%s", id) };
	struct config *c = NULL;
	struct json *want = NULL;
	struct ch_err err;
	const struct json *got;

	if (config_parse(text, strlen(text), NULL, &c, &err))
		fail_msg("%s", err.text);
	assert_int_equal(json_parse(a, expected, strlen(expected), JSON_JSON5, &want, NULL), CH_OK);
	got = call_params(c, &call, &e, a);
	if (!json_equal(got, want))
		fail_msg("got %s, expected %s", json_to_str(a, got), expected);
	config_unref(c);
}

static void test_who_wins(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct json *own = json_new_obj(a);

	json_set(a, own, "d", json_new_int(a, 5));
	check("main", "a.b", own, "{ a: 1, z: 0, b: 2, c: 3, d: 5 }");
	check("main", "a.b", NULL, "{ a: 1, z: 0, b: 2, c: 3, d: 4 }");
	check("other", "a.b", NULL, "{ a: 1, z: 0, b: 2, c: 2, d: 2 }");
	check(NULL, "c", NULL, "{ a: 1, b: 1, c: 1, d: 1 }");
}

static void test_none(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct model_entry e = { .provider = "acme", .id = "m", .ref = "acme/m" };

	assert_null(call_params(NULL, &(struct model_call){ .agent_id = "main" }, &e, a));
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_who_wins), cmocka_unit_test(test_none) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
