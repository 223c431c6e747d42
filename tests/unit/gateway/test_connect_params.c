/*
 * gateway/connect_params: the closed schema of connect.
 */
#include "gwtest.h"

#include "core/str.h"
#include "gateway/connect_params.h"

#define CLIENT "'client':{'id':'cli','version':'1','platform':'linux','mode':'cli'}"
#define HEAD "{'minProtocol':4,'maxProtocol':4,"

struct connect_case { const char *params, *error; };

static const struct connect_case cases[] = {
	{HEAD CLIENT "}", NULL},
	{HEAD CLIENT ",'role':'node','scopes':[],'caps':['x'],'commands':['y'],'permissions':{'a':true},'"
		     "pathEnv':'','locale':'de',"
		     "'userAgent':'u','computerUse':{},'workerRuns':{},'modelCatalog':{'sessionKey':'main'}}",
	 NULL},
	{HEAD CLIENT ",'auth':{'token':'t','password':'p','deviceToken':'d','bootstrapToken':'b','"
		     "approvalRuntimeToken':'a',"
		     "'agentRuntimeIdentityToken':'i'}}",
	 NULL},
	{HEAD CLIENT ",'device':{'id':'i','publicKey':'k','signature':'s','signedAt':0,'nonce':'n'}}", NULL},
	{"{}", "must have required property 'minProtocol'"},
	{"{'minProtocol':4}", "must have required property 'maxProtocol'"},
	{"{'minProtocol':4,'maxProtocol':4}", "must have required property 'client'"},
	{"{'minProtocol':'4','maxProtocol':4," CLIENT "}", "at /minProtocol: must be integer"},
	{"{'minProtocol':0,'maxProtocol':4," CLIENT "}", "at /minProtocol: must be >= 1"},
	{HEAD "'client':{'id':'my-app','version':'1','platform':'linux','mode':'cli'}}",
	 "at /client/id: must be equal to one of the allowed values"},
	{HEAD "'client':{'id':'cli','version':'1','platform':'linux','mode':'operator'}}",
	 "at /client/mode: must be equal to one of the allowed values"},
	{HEAD "'client':{'id':'cli','version':'','platform':'linux','mode':'cli'}}",
	 "at /client/version: must not have fewer than 1 characters"},
	{HEAD "'client':{'id':'cli','version':'1','mode':'cli'}}",
	 "at /client: must have required property 'platform'"},
	{HEAD "'client':{'id':'cli','version':'1','platform':'linux','mode':'cli','x':1}}",
	 "at /client: unexpected property 'x'"},
	{HEAD CLIENT ",'foo':1}", "at root: unexpected property 'foo'"},
	{HEAD CLIENT ",'role':''}", "at /role: must not have fewer than 1 characters"},
	{HEAD CLIENT ",'role':1}", "at /role: must be string"},
	{HEAD CLIENT ",'scopes':'operator.read'}", "at /scopes: must be array"},
	{HEAD CLIENT ",'scopes':[1]}", "at /scopes/0: must be string"},
	{HEAD CLIENT ",'auth':{'token':1}}", "at /auth/token: must be string"},
	{HEAD CLIENT ",'auth':{'key':'x'}}", "at /auth: unexpected property 'key'"},
	{HEAD CLIENT ",'device':{'id':'i','publicKey':'k','signature':'s','signedAt':0}}",
	 "at /device: must have required property 'nonce'"},
	{HEAD CLIENT ",'device':{'id':'i','publicKey':'k','signature':'s','signedAt':-1,'nonce':'n'}}",
	 "at /device/signedAt: must be >= 0"},
	{HEAD CLIENT ",'device':{'id':'i','publicKey':'k','signature':'s','signedAt':1.5,'nonce':'n'}}",
	 "at /device/signedAt: must be integer"},
};

static void test_schema(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);

	for (size_t i = 0; i < CH_ARRAY_LEN(cases); i++) {
		struct connect_params p;
		struct ch_err err = {0};
		ch_status st = connect_params_parse(quoted(a, cases[i].params), &p, &err);

		if (!cases[i].error && st)
			fail_msg("%s: %s", cases[i].params, err.text);
		if (cases[i].error)
			assert_string_equal(err.text,
					    arena_printf(a, "invalid connect params: %s", cases[i].error));
	}
}

static void test_values(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct connect_params p;

	assert_int_equal(
		connect_params_parse(quoted(a, HEAD CLIENT ",'auth':{'token':'','password':'p'}}"), &p, NULL),
		CH_OK);
	assert_string_equal(p.role, "operator");
	assert_null(p.token);            /* empty counts as absent */
	assert_string_equal(p.password, "p");
	assert_false(p.has_device);
	assert_null(p.client.display_name);
	assert_null(p.scopes);
	assert_int_equal(p.max_protocol, 4);
}

static void test_worker(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);

	assert_true(connect_claims_worker(quoted(a, "{'role':'worker'}")));
	assert_true(connect_claims_worker(quoted(a, "{'client':{'mode':'worker'}}")));
	assert_false(connect_claims_worker(quoted(a, "{'role':'node','client':{'mode':'node'}}")));
	assert_false(connect_claims_worker(quoted(a, "[]")));
	assert_false(connect_claims_worker(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_schema),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_worker),
	};

	return cmocka_run_group_tests_name("gateway/connect_params", tests, NULL, NULL);
}
