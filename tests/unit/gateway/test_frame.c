/*
 * gateway/frame: what is a request, and what is said of what is none.
 */
#include "gwtest.h"

#include "gateway/frame.h"

struct frame_case {
	const char *text;                /* ' for " */
	enum frame_kind kind;
	const char *id, *error;
};

static const struct frame_case cases[] = {
	{ "{'type':'req','id':'1','method':'health'}", FRAME_REQ, "1", NULL },
	{ "{'type':'req','id':'1','method':'health','params':{'probe':true}}", FRAME_REQ, "1", NULL },
	{ "{'type':'req','id':'1','method':'x','params':null,'traceparent':'00-a','expectedProfileId':'p'}",
	  FRAME_REQ, "1", NULL },
	{ "{'type':'req'}", FRAME_BAD, "invalid", "must have required property 'id'" },
	{ "{'a':1}", FRAME_BAD, "invalid", "must have required property 'type'" },
	{ "{'type':'req','id':'7'}", FRAME_BAD, "7", "must have required property 'method'" },
	{ "{'type':'res','id':'7','method':'x'}", FRAME_BAD, "7",
	  "at /type: must be equal to one of the allowed values" },
	{ "{'type':'req','id':7,'method':'x'}", FRAME_BAD, "invalid", "at /id: must be string" },
	{ "{'type':'req','id':'','method':'x'}", FRAME_BAD, "invalid",
	  "at /id: must not have fewer than 1 characters" },
	{ "{'type':'req','id':'7','method':''}", FRAME_BAD, "7",
	  "at /method: must not have fewer than 1 characters" },
	{ "{'type':'req','id':'7','method':'x','extra':1}", FRAME_BAD, "7",
	  "at root: unexpected property 'extra'" },
	{ "[]", FRAME_BAD, "invalid", "must be object" },
	{ "'hello'", FRAME_BAD, "invalid", "must be object" },
	{ "null", FRAME_BAD, "invalid", "must be object" },
	{ "hello", FRAME_NOT_JSON, "invalid", NULL },
	{ "", FRAME_NOT_JSON, "invalid", NULL },
	{ "{'type':'req'", FRAME_NOT_JSON, "invalid", NULL },
	{ "{'type':'req','id':'1','method':'x'} x", FRAME_NOT_JSON, "invalid", NULL },
};

static void test_parse(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);

	for (size_t i = 0; i < CH_ARRAY_LEN(cases); i++) {
		char *text = arena_strdup(a, cases[i].text);
		struct ch_err err = {0};
		struct frame f;

		for (char *p = text; *p; p++)
			*p = *p == '\'' ? '"' : *p;
		frame_parse(a, text, strlen(text), &f, &err);
		if (f.kind != cases[i].kind)
			fail_msg("%s: kind %d", text, f.kind);
		assert_string_equal(f.id, cases[i].id);
		if (cases[i].error)
			assert_string_equal(err.text,
					    arena_printf(a, "invalid request frame: %s", cases[i].error));
	}
}

/* Nesting past the reader's limit is not JSON to us, and costs no stack. */
static void test_deep(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	char *text = arena_alloc(a, 60001);
	struct ch_err err = {0};
	struct frame f;

	memset(text, '[', 60000);
	frame_parse(a, text, 60000, &f, &err);
	assert_int_equal(f.kind, FRAME_NOT_JSON);
}

static void test_write(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	CH_AUTO_BUF struct buf out = { 0 };
	struct jw w = JW(&out);

	buf_init(&out, 4096);
	frame_res_begin(&w, "a\"b");
	jw_int(&w, 7);
	frame_res_end(&w);
	assert_string_equal(buf_str(&out), "{\"type\":\"res\",\"id\":\"a\\\"b\",\"ok\":true,\"payload\":7}");
	buf_clear(&out);
	w = JW(&out);
	frame_res_error(&w, "1",
			&(struct frame_error){.code = "UNAVAILABLE",
					      .message = "busy",
					      .details = quoted(a, "{'reason':'x'}"),
					      .is_retryable = true,
					      .retry_after_ms = 250});
	assert_string_equal(buf_str(&out),
			    "{\"type\":\"res\",\"id\":\"1\",\"ok\":false,\"error\":{\"code\":\"UNAVAILABLE\","
			    "\"message\":\"busy\",\"details\":{\"reason\":\"x\"},\"retryable\":true,"
			    "\"retryAfterMs\":250}}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_deep),
		cmocka_unit_test(test_write),
	};

	return cmocka_run_group_tests_name("gateway/frame", tests, NULL, NULL);
}
