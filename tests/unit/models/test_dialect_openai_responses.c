/* models/dialect_openai_responses: requests and streams from tests/fixtures/models. */
#include "models_fixture.h"

static void test_requests(void **state)
{
	fixture_builds(&dialect_openai_responses, "build-openai-responses.json5");
}

static void test_variants(void **state)
{
	fixture_builds(&dialect_chatgpt_responses, "build-openai-chatgpt.json5");
	fixture_builds(&dialect_azure_responses, "build-azure.json5");
}

static void test_streams(void **state)
{
	fixture_streams(&dialect_openai_responses, "stream-openai-responses.json5");
}

static void test_stopping(void **state)
{
	fixture_stops(&dialect_openai_responses, "stream-openai-responses.json5");
}

static void test_cuts(void **state)
{
	fixture_cuts(&dialect_openai_responses, "stream-openai-responses.json5");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_variants),
		cmocka_unit_test(test_streams),
		cmocka_unit_test(test_stopping),
		cmocka_unit_test(test_cuts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
