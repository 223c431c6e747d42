/*
 * gateway/params: what is refused, and with which words.
 */
#include "gwtest.h"

#include "core/str.h"
#include "gateway/params.h"

static const char *const modes[] = { "read", "write", NULL };
static const struct gw_param inner[] = {
	{ "id", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "port", GP_INT, .min = 1, .max = 65535 },
	{0},
};
static const struct gw_param schema[] = {
	{ "key", GP_STR, GP_REQUIRED },
	{ "limit", GP_INT, .min = 1, .max = 100 },
	{ "ratio", GP_NUM },
	{ "deep", GP_BOOL },
	{ "mode", GP_ENUM, .choices = modes },
	{ "name", GP_STR, .min = 2, .max = 4 },
	{ "tags", GP_ARR, GP_NON_EMPTY, .max = 2, .item = GP_STR },
	{ "kinds", GP_ARR, .choices = modes, .item = GP_STR },
	{ "peers", GP_ARR, .members = inner, .item = GP_OBJ },
	{ "at", GP_OBJ, .members = inner },
	{ "open", GP_OBJ, GP_OPEN },
	{ "label", GP_STR_OR_NULL },
	{ "count", GP_INT_OR_NULL },
	{ "flag", GP_BOOL_OR_NULL },
	{ "any", GP_ANY },
	{ "yes", GP_TRUE },
	{ "fast", GP_BOOL_OR_ENUM, GP_NULLABLE, .choices = modes },
	{ "since", GP_NUM, GP_NULLABLE, .min = 0, .max = INT64_MAX },
	{ "once", GP_ARR, GP_UNIQUE, .max = 4, .item = GP_STR },
	{ "map", GP_OBJ, .max = 2, .item = GP_BOOL },
	{0},
};

struct check_case { const char *params, *error; };      /* error NULL: accepted */

static const struct check_case cases[] = {
	{ "{'key':'a'}", NULL },
	{ "{'key':''}", NULL },
	{ "{'key':'a','limit':1,'ratio':0.5,'deep':true,'mode':'write','name':'ab'}", NULL },
	{ "{'key':'a','limit':3.0}", NULL },
	{ "{'key':'a','name':'\xc3\xa4\xc3\xb6\xc3\xbc\xc3\xa4'}", NULL },
	{ "{'key':'a','tags':['x','y'],'kinds':['read'],'peers':[{'id':'p'}],'at':{'id':'q','port':80}}",
	  NULL },
	{ "{'key':'a','open':{'whatever':1},'label':null,'count':null,'flag':null,'any':[1,{}]}", NULL },
	{ "{'key':'a','yes':true,'fast':'read','since':null,'once':['x','y'],'map':{'p':true}}", NULL },
	{ "{'key':'a','fast':null}", NULL },
	{ "{'key':'a','fast':false,'since':1.5}", NULL },
	{ "{'key':'a','yes':false}", "at /yes: must be equal to constant" },
	{ "{'key':'a','fast':'auto'}", "at /fast: must be equal to one of the allowed values" },
	{ "{'key':'a','since':-1}", "at /since: must be >= 0" },
	{ "{'key':'a','once':['x','x']}", "at /once: must not have duplicate items" },
	{ "{'key':'a','map':{'p':1}}", "at /map/p: must be boolean" },
	{ "{'key':'a','map':{'p':true,'q':true,'r':true}}", "at /map: must not have more than 2 properties" },
	{ "{}", "must have required property 'key'" },
	{ "[]", "must be object" },
	{ "'x'", "must be object" },
	{ "{'key':'a','foo':1}", "at root: unexpected property 'foo'" },
	{ "{'foo':1}", "must have required property 'key'" },
	{ "{'key':1}", "at /key: must be string" },
	{ "{'key':null}", "at /key: must be string" },
	{ "{'key':'a','limit':'1'}", "at /limit: must be integer" },
	{ "{'key':'a','limit':1.5}", "at /limit: must be integer" },
	{ "{'key':'a','limit':1e300}", "at /limit: must be integer" },
	{ "{'key':'a','limit':0}", "at /limit: must be >= 1" },
	{ "{'key':'a','limit':101}", "at /limit: must be <= 100" },
	{ "{'key':'a','ratio':true}", "at /ratio: must be number" },
	{ "{'key':'a','deep':1}", "at /deep: must be boolean" },
	{ "{'key':'a','mode':'exec'}", "at /mode: must be equal to one of the allowed values" },
	{ "{'key':'a','mode':1}", "at /mode: must be equal to one of the allowed values" },
	{ "{'key':'a','name':'a'}", "at /name: must not have fewer than 2 characters" },
	{ "{'key':'a','name':'abcde'}", "at /name: must not have more than 4 characters" },
	{ "{'key':'a','tags':'x'}", "at /tags: must be array" },
	{ "{'key':'a','tags':['x',2]}", "at /tags/1: must be string" },
	{ "{'key':'a','tags':['']}", "at /tags/0: must not have fewer than 1 characters" },
	{ "{'key':'a','tags':['x','y','z']}", "at /tags: must not have more than 2 items" },
	{ "{'key':'a','kinds':['exec']}", "at /kinds/0: must be equal to one of the allowed values" },
	{ "{'key':'a','peers':[{'id':'p'},{}]}", "at /peers/1: must have required property 'id'" },
	{ "{'key':'a','peers':[1]}", "at /peers/0: must be object" },
	{ "{'key':'a','at':{'id':'q','x':1}}", "at /at: unexpected property 'x'" },
	{ "{'key':'a','at':{'id':'q','port':0}}", "at /at/port: must be >= 1" },
	{ "{'key':'a','at':{'id':''}}", "at /at/id: must not have fewer than 1 characters" },
	{ "{'key':'a','label':1}", "at /label: must be string" },
	{ "{'key':'a','count':'x'}", "at /count: must be integer" },
	{ "{'key':'a','flag':0}", "at /flag: must be boolean" },
};

static void test_cases(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);

	for (size_t i = 0; i < CH_ARRAY_LEN(cases); i++) {
		struct ch_err err = {0};
		ch_status st = gw_params_check("x.y", schema, quoted(a, cases[i].params), &err);

		if (!cases[i].error) {
			if (st)
				fail_msg("%s: refused: %s", cases[i].params, err.text);
			continue;
		}
		assert_int_equal(st, CH_E_INVALID);
		assert_string_equal(err.text, arena_printf(a, "invalid x.y params: %s", cases[i].error));
	}
}

static void test_absent(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct ch_err err = {0};

	assert_int_equal(gw_params_check("m", NULL, NULL, &err), CH_OK);
	assert_int_equal(gw_params_check("m", NULL, quoted(a, "null"), &err), CH_OK);
	assert_int_equal(gw_params_check("m", NULL, quoted(a, "{'a':1}"), &err), CH_E_INVALID);
	assert_string_equal(err.text, "invalid m params: at root: unexpected property 'a'");
	assert_int_equal(gw_params_check("m", schema, NULL, &err), CH_E_INVALID);
	assert_string_equal(err.text, "invalid m params: must have required property 'key'");
	assert_int_equal(gw_params_check_as("t", schema, true, quoted(a, "{'key':'k','more':1}"), &err),
			 CH_OK);
}

/* A hostile name must not break the message: cut, and at a character. */
static void test_hostile_name(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	char *text = arena_alloc(a, 4096);
	struct ch_err err = {0};

	for (int i = 0; i < 1000; i++)
		memcpy(text + 2 + 2 * i, "\xc3\xa4", 2);
	memcpy(text, "{'", 2);
	memcpy(text + 2 + 2000, "':1}", 5);
	assert_int_equal(gw_params_check("m", NULL, quoted(a, text), &err), CH_E_INVALID);
	assert_true(strlen(err.text) < sizeof(err.text));
	assert_true(utf8_valid(err.text, strlen(err.text)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_absent),
		cmocka_unit_test(test_hostile_name),
	};

	return cmocka_run_group_tests_name("gateway/params", tests, NULL, NULL);
}
