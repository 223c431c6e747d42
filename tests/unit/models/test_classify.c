/* models/classify: what providers have been seen to answer, and what it means. */
#include "models_fixture.h"

static const struct {
	int status;
	const char *body;
	enum model_error_class class;
	const char *text;
} table[] = {
	{ 400, "{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\",\"message\":\"prompt is too long: 205000 tokens > 200000 maximum\"}}",
	  MODEL_ERR_CONTEXT, "prompt is too long: 205000 tokens > 200000 maximum" },
	{ 400, "{\"error\":{\"message\":\"This model's maximum context length is 8192 tokens.\",\"type\":\"invalid_request_error\",\"code\":\"context_length_exceeded\"}}",
	  MODEL_ERR_CONTEXT, "This model's maximum context length is 8192 tokens." },
	{ 413, "{\"error\":{\"type\":\"request_too_large\",\"message\":\"Request exceeds the maximum size\"}}", MODEL_ERR_CONTEXT,
	  "Request exceeds the maximum size" },
	{ 500, "{\"error\":{\"message\":\"the request exceeds the available context size\"}}", MODEL_ERR_CONTEXT,
	  "the request exceeds the available context size" },
	{ 400, "{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\",\"message\":\"messages: roles must alternate\"}}",
	  MODEL_ERR_FORMAT, "messages: roles must alternate" },
	{ 422, "{\"detail\":\"field required\"}", MODEL_ERR_FORMAT, "field required" },
	{ 401, "{\"type\":\"error\",\"error\":{\"type\":\"authentication_error\",\"message\":\"invalid x-api-key\"}}", MODEL_ERR_AUTH,
	  "invalid x-api-key" },
	{ 403, "{\"error\":{\"type\":\"permission_error\",\"message\":\"no access\"}}", MODEL_ERR_AUTH, "no access" },
	{ 400, "{\"error\":{\"message\":\"Incorrect API key provided\",\"code\":\"invalid_api_key\"}}", MODEL_ERR_AUTH,
	  "Incorrect API key provided" },
	{ 402, "{\"error\":{\"message\":\"Payment Required\"}}", MODEL_ERR_BILLING, "Payment Required" },
	{ 400, "{\"error\":{\"type\":\"invalid_request_error\",\"message\":\"Your credit balance is too low to access the API\"}}",
	  MODEL_ERR_BILLING, "Your credit balance is too low to access the API" },
	{ 401, "{\"error\":{\"message\":\"Insufficient balance\"}}", MODEL_ERR_BILLING, "Insufficient balance" },
	{ 429, "{\"error\":{\"message\":\"You exceeded your current quota\",\"type\":\"insufficient_quota\",\"code\":\"insufficient_quota\"}}",
	  MODEL_ERR_BILLING, "You exceeded your current quota" },
	{ 429, "{\"error\":{\"message\":\"Rate limit reached. Add a payment method: https://x/account/billing\",\"code\":\"rate_limit_exceeded\"}}",
	  MODEL_ERR_RATE_LIMIT, "Rate limit reached. Add a payment method: https://x/account/billing" },
	{ 429, "", MODEL_ERR_RATE_LIMIT, "" },
	{ 400, "{\"message\":\"Too many concurrent requests\"}", MODEL_ERR_RATE_LIMIT, "Too many concurrent requests" },
	{ 404, "{\"error\":{\"message\":\"The model `x` does not exist\",\"code\":\"model_not_found\"}}", MODEL_ERR_NOT_FOUND,
	  "The model `x` does not exist" },
	{ 404, "{\"error\":\"model 'x' not found\"}", MODEL_ERR_NOT_FOUND, "model 'x' not found" },
	{ 529, "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}", MODEL_ERR_OVERLOADED,
	  "Overloaded" },
	{ 503, "{\"error\":{\"message\":\"The server is busy\"}}", MODEL_ERR_OVERLOADED, "The server is busy" },
	{ 500, "{\"error\":{\"message\":\"boom\"}}", MODEL_ERR_SERVER, "boom" },
	{ 502, "<html><body>Bad gateway, see billing</body></html>", MODEL_ERR_SERVER, "" },
	{ 503, "upstream connect error\nsecond line", MODEL_ERR_SERVER, "upstream connect error" },
	{ 504, "", MODEL_ERR_TIMEOUT, "" },
	{ 524, "error code: 524", MODEL_ERR_TIMEOUT, "error code: 524" },
	{ 408, "", MODEL_ERR_TIMEOUT, "" },
	{ 400, "[{\"error\":{\"code\":400,\"message\":\"bad\",\"status\":\"INVALID_ARGUMENT\"}}]", MODEL_ERR_FORMAT, "bad" },
	{ 200, "{\"error\":{\"message\":\"model is at capacity\"}}", MODEL_ERR_OVERLOADED, "model is at capacity" },
	{ 400, "{\"error\":{\"message\":\"two\\nlines\\u0007\"}}", MODEL_ERR_FORMAT, "two lines " },
	{ 400, "{\"error\":{\"message\":\"blocked by our content management policy\"}}", MODEL_ERR_REFUSAL,
	  "blocked by our content management policy" },
	{ 429, "{\"error\":{\"code\":429,\"message\":\"You exceeded your current quota, check your billing\",\"status\":\"RESOURCE_EXHAUSTED\"}}",
	  MODEL_ERR_RATE_LIMIT, NULL },
	{ 400, "{\"error\":{\"code\":400,\"message\":\"API key not valid. Please pass a valid API key.\",\"status\":\"INVALID_ARGUMENT\"}}",
	  MODEL_ERR_AUTH, NULL },
	{ 400, "{\"error\":{\"code\":400,\"message\":\"The input token count (9) exceeds the maximum number of tokens allowed (5).\"}}",
	  MODEL_ERR_CONTEXT, NULL },
	{ 400, "{\"error\":{\"code\":\"invalid_prompt\",\"message\":\"Your prompt was flagged as potentially violating our usage policy.\"}}",
	  MODEL_ERR_REFUSAL, NULL },
	{ 400, "{\"error\":{\"code\":\"bio_policy\",\"message\":\"No.\"}}", MODEL_ERR_REFUSAL, "No." },
	{ 424, "{\"message\":\"The model broke\"}", MODEL_ERR_SERVER, "The model broke" },
	{ 418, "null", MODEL_ERR_FORMAT, "" },
	{ 400, "{", MODEL_ERR_FORMAT, "{" },
	{ 400, "\xff\xfe broken", MODEL_ERR_FORMAT, NULL },
};

static void test_table(void **state)
{
	for (size_t i = 0; i < CH_ARRAY_LEN(table); i++) {
		char text[128] = "?";
		enum model_error_class c = error_read_body(table[i].status, table[i].body, strlen(table[i].body), text, sizeof(text));

		if (c != table[i].class)
			fail_msg("%d %s: %s, expected %s", table[i].status, table[i].body, model_error_class_name(c),
				 model_error_class_name(table[i].class));
		if (table[i].text)
			assert_string_equal(text, table[i].text);
		assert_true(utf8_valid(text, strlen(text)));
	}
}

static void test_waits_in_the_body(void **state)
{
	static const struct { const char *body; int64_t ms; } rows[] = {
		{ "{\"error\":{\"details\":[{\"@type\":\"x\"},{\"retryDelay\":\"37.5s\"}]}}", 37500 },
		{ "[{\"error\":{\"details\":[{\"retryDelay\":\"2s\"},{\"retryDelay\":\"1s\"}]}}]", 2000 },
		{ "{\"error\":{\"details\":[{\"retryDelay\":\"s\"},{\"retryDelay\":\"-1s\"},{\"retryDelay\":\"1e9s\"},{\"retryDelay\":5}]}}", 0 },
		{ "{\"error\":{\"details\":5}}", 0 },
		{ "nope", 0 },
	};

	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++)
		assert_int_equal(error_retry_ms(rows[i].body, strlen(rows[i].body)), rows[i].ms);
}

static void test_a_long_message_is_cut(void **state)
{
	CH_AUTO_BUF struct buf b = { .max_bytes = 8192 };
	char text[64];

	buf_puts(&b, "{\"message\":\"");
	for (int i = 0; i < 1000; i++)
		buf_puts(&b, "é");
	buf_puts(&b, "\"}");
	assert_int_equal(error_read_body(400, b.data, b.len, text, sizeof(text)), MODEL_ERR_FORMAT);
	assert_int_equal(strlen(text), 62);
	assert_true(utf8_valid(text, 62));
}

static void test_names(void **state)
{
	enum thinking_level level = THINK_OFF;

	for (enum model_error_class c = MODEL_ERR_NONE; c <= MODEL_ERR_REFUSAL; c++) {
		assert_non_null(model_error_class_name(c));
		assert_non_null(model_error_class_wire(c));
	}
	assert_string_equal(model_error_class_wire(MODEL_ERR_NETWORK), "timeout");
	assert_true(model_error_is_transient(MODEL_ERR_CUT));
	assert_false(model_error_is_transient(MODEL_ERR_AUTH));
	for (enum thinking_level l = THINK_OFF; l <= THINK_MAX; l++) {
		assert_true(thinking_parse(thinking_name(l), &level));
		assert_int_equal(level, l);
	}
	assert_false(thinking_parse("very", &level));
	assert_false(thinking_parse(NULL, &level));
	assert_string_equal(model_stop_name(MODEL_STOP_PAUSE), "pause");
}

static void test_estimate(void **state)
{
	assert_int_equal(model_estimate_tokens("", 0), 0);
	assert_int_equal(model_estimate_tokens("a", 1), 1);
	assert_int_equal(model_estimate_tokens("abcdefgh", 8), 2);
	assert_int_equal(model_estimate_tokens("日本語", 9), 3);
	assert_int_equal(model_estimate_tokens("日本語 is", 12), 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_waits_in_the_body),
		cmocka_unit_test(test_a_long_message_is_cut),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_estimate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
