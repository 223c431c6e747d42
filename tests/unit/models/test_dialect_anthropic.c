/* models/dialect_anthropic: requests and streams from tests/fixtures/models. */
#include "models_fixture.h"

static void test_requests(void **state)
{
	fixture_builds(&dialect_anthropic, "build-anthropic.json5");
}

static void test_streams(void **state)
{
	fixture_streams(&dialect_anthropic, "stream-anthropic.json5");
}

static void test_stopping(void **state)
{
	fixture_stops(&dialect_anthropic, "stream-anthropic.json5");
}

static void test_cuts(void **state)
{
	fixture_cuts(&dialect_anthropic, "stream-anthropic.json5");
}

static void test_head(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct json *messages = NULL;
	struct model_entry entry = { .id = "m" };
	struct model_call call = { 0 };
	CH_AUTO_BUF struct buf body = { .max_bytes = 4096 };
	struct model_http http = { .body = &body };

	assert_int_equal(json_parse(a, "[{\"role\":\"user\",\"content\":\"x\"}]", 31, 0, &messages, NULL), CH_OK);
	call.messages = messages;
	assert_int_equal(dialect_anthropic.build(a, &call, &entry, &http, NULL), CH_OK);
	assert_string_equal(http.path, "/v1/messages");
	assert_string_equal(http.headers[0], "content-type: application/json");
	assert_string_equal(http.headers[2], "anthropic-version: 2023-06-01");
	assert_int_equal(dialect_anthropic.auth, AUTH_X_API_KEY);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests), cmocka_unit_test(test_streams), cmocka_unit_test(test_stopping),
		cmocka_unit_test(test_cuts),     cmocka_unit_test(test_head),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
