/* models/key_origin: a change made from afar must not send a key that is here to an address of somebody's choice. */
#include "models/key_origin.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/str.h"
#include "models/auth_store.h"

#define CUSTOM(members) "{models:{providers:{acme:{" members "}}}}"
#define OPENAI(members) "{models:{providers:{openai:{" members "}}}}"
#define HERE "baseUrl:'https://acme.example/v1'"
#define THERE "baseUrl:'https://evil.example/v1'"

static struct db *db;
static struct arena *arena;
static struct ch_err err;

static int set_up(void **state)
{
	unsetenv("OPENAI_API_KEY");
	setenv("ACME_KEY", "k-env", 1);
	arena = arena_new(0);
	return db_open(":memory:", DB_CREATE, &db, &err);
}

static int tear_down(void **state)
{
	unsetenv("ACME_KEY");
	unsetenv("OPENAI_API_KEY");
	db_close(CH_TAKE(db));
	arena_unref(CH_TAKE(arena));
	return 0;
}

static struct json *tree(const char *text)
{
	struct json *v = NULL;

	assert_int_equal(json_parse(arena, text, strlen(text), JSON_JSON5, &v, &err), CH_OK);
	return v;
}

static bool may(const char *before, const char *after)
{
	ch_status st = key_origin_check(db, before ? tree(before) : NULL, tree(after), &err);

	assert_true(st == CH_OK || st == CH_E_DENIED);
	return !st;
}

static void test_threat_secret_exfiltration_key_to_another_origin(void **state)
{
	assert_false(may(CUSTOM(HERE ",apiKey:'k'"), CUSTOM(THERE ",apiKey:'k'")));
	assert_non_null(strstr(err.text, "models.providers.acme"));
	assert_false(may(CUSTOM(HERE ",apiKey:'k'"), CUSTOM("baseUrl:'http://acme.example/v1',apiKey:'k'")));
	assert_false(may(CUSTOM(HERE ",apiKey:'k'"), CUSTOM("baseUrl:'https://acme.example:8443/v1',apiKey:'k'")));
	assert_false(may(CUSTOM(HERE ",headers:{'X-Key':'k'}"), CUSTOM(THERE ",headers:{'X-Key':'k'}")));
	assert_false(may(CUSTOM(HERE ",apiKey:'k'"), CUSTOM(THERE ",headers:{'X-Key':'k'}")));
	assert_false(may(CUSTOM(HERE ",models:[{id:'m',headers:{a:'k'}}]"), CUSTOM(THERE ",models:[{id:'m',headers:{a:'k'}}]")));
	assert_false(may(OPENAI("apiKey:'k'"), OPENAI(THERE ",apiKey:'k'")));
	assert_false(may(OPENAI("apiKey:'k'"), "{models:{providers:{OpenAI:{" THERE ",apiKey:'k'}}}}"));
}

static void test_threat_secret_exfiltration_key_by_reference(void **state)
{
	static const char *const keys[] = { "'${ACME_KEY}'", "'$ACME_KEY'", "'ACME_KEY'", "{source:'env',provider:'default',id:'ACME_KEY'}" };

	for (size_t i = 0; i < CH_ARRAY_LEN(keys); i++) {
		const char *with = arena_printf(arena, CUSTOM(HERE ",apiKey:%s"), keys[i]);

		assert_false(may(NULL, with));
		assert_false(may(CUSTOM(HERE), with));
		assert_true(may(with, with));
		assert_true(may(with, arena_printf(arena, CUSTOM(HERE ",apiKey:%s,contextWindow:1"), keys[i])));
		assert_false(may(with, arena_printf(arena, CUSTOM(THERE ",apiKey:%s"), keys[i])));
	}
	assert_false(may(NULL, CUSTOM("baseUrl:'https://evil.example/${ACME_KEY}'")));
	assert_true(may(NULL, OPENAI("apiKey:'${ACME_KEY}'")));
}

static void test_threat_secret_exfiltration_keys_beside_the_configuration(void **state)
{
	const struct auth_profile p = { .agent_id = "main", .id = "acme:default", .provider = "acme", .kind = AUTH_KIND_API_KEY };

	setenv("OPENAI_API_KEY", "k", 1);
	assert_false(may(NULL, OPENAI(THERE)));
	assert_false(may(NULL, OPENAI(THERE ",apiKey:'new'")));
	assert_true(may(OPENAI(THERE), OPENAI(THERE ",apiKey:'new'")));
	assert_true(may(NULL, CUSTOM(HERE)));
	assert_int_equal(auth_store_put(db, &p, "k", NULL, &err), CH_OK);
	assert_false(may(NULL, CUSTOM(THERE)));
	assert_false(may(CUSTOM(HERE), CUSTOM(THERE)));
	assert_true(may(CUSTOM(HERE), CUSTOM("baseUrl:'https://acme.example/v2'")));
}

static void test_what_a_person_may_still_do(void **state)
{
	assert_true(may(NULL, CUSTOM(THERE ",apiKey:'new'")));
	assert_true(may(CUSTOM(HERE ",apiKey:'k'"), CUSTOM(THERE ",apiKey:'new'")));
	assert_true(may(CUSTOM(HERE ",apiKey:'k'"), CUSTOM(THERE)));
	assert_true(may(CUSTOM(HERE ",apiKey:''"), CUSTOM(THERE ",apiKey:''")));
	assert_true(may(CUSTOM(HERE ",apiKey:'k'"), CUSTOM(HERE ",apiKey:'k',maxTokens:5")));
	assert_true(may(OPENAI("apiKey:'k'"), OPENAI("apiKey:'k',baseUrl:'https://api.openai.com/v1/'")));
	assert_true(may(OPENAI("apiKey:'k'"), OPENAI("")));
	assert_true(may(CUSTOM(HERE ",apiKey:'k'"), "{}"));
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_threat_secret_exfiltration_key_to_another_origin),
		T(test_threat_secret_exfiltration_key_by_reference),
		T(test_threat_secret_exfiltration_keys_beside_the_configuration),
		T(test_what_a_person_may_still_do),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
