/* Addresses made of names, and the gates before them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "core/json.h"
#include "core/str.h"
#include "http_api/api_error.h"
#include "http_api/api_path.h"
#include "http_api/http_auth.h"

static void test_parts(void **state)
{
	static const struct { const char *target; size_t n; const char *parts[3]; } good[] = {
		{ "/", 0, { NULL } },
		{ "/a", 1, { "a" } },
		{ "/a/b/c", 3, { "a", "b", "c" } },
		{ "/sessions/agent%3Amain%3Ax%2Fy/history?limit=2", 3, { "sessions", "agent:main:x/y", "history" } },
		{ "/a/%C3%A4#x", 2, { "a", "\xc3\xa4" } },
		{ "/a/..", 2, { "a", ".." } },
	};
	static const char *const bad[] = { "a", "//a", "/a//b", "/a/%zz", "/a/%00", "/a/b/c/d", "/a/%" };
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	const char *parts[3];
	size_t n;

	for (size_t i = 0; i < CH_ARRAY_LEN(good); i++) {
		struct http_request rq = { .arena = a, .target = good[i].target };

		/* "/" alone is an empty part. */
		if (!good[i].n) {
			assert_false(api_path_parts(&rq, parts, 3, &n));
			continue;
		}
		assert_true(api_path_parts(&rq, parts, 3, &n));
		assert_int_equal(n, good[i].n);
		for (size_t k = 0; k < n; k++)
			assert_string_equal(parts[k], good[i].parts[k]);
	}
	for (size_t i = 0; i < CH_ARRAY_LEN(bad); i++) {
		struct http_request rq = { .arena = a, .target = bad[i] };

		if (api_path_parts(&rq, parts, 3, &n))
			fail_msg("%s was taken", bad[i]);
	}
}

static void test_gates(void **state)
{
	static const struct http_gate gates[] = {
		{ "/v1/models", NULL, 1, &api_openai },
		{ "/v1/models/*", NULL, 2, &api_openai },
		{ "/sessions/*/history", NULL, 3, &api_gateway },
		{ 0 },
	};
	static const struct { const char *path; unsigned scope; } cases[] = {
		{ "/v1/models", 1 }, { "/v1/models/x", 2 }, { "/v1/models/x/y", 2 }, { "/v1/modelsx", 0 }, { "/v1", 0 },
		{ "/sessions/main/history", 3 }, { "/sessions/a/b/history", 3 }, { "/sessions/main", 0 }, { "/", 0 },
	};

	for (size_t i = 0; i < CH_ARRAY_LEN(cases); i++) {
		const struct http_gate *g = http_gate_find(gates, cases[i].path);

		assert_int_equal(g ? g->scope : 0, cases[i].scope);
	}
}

static void test_errors(void **state)
{
	static const struct { const struct api_style *style; int status; const char *code, *wanted; } cases[] = {
		{ &api_openai, 400, NULL,
		  "{\"error\":{\"message\":\"no \\\"x\\\"\",\"type\":\"invalid_request_error\",\"param\":null,\"code\":null}}" },
		{ &api_openai, 502, "c", "{\"error\":{\"message\":\"no \\\"x\\\"\",\"type\":\"api_error\",\"param\":null,\"code\":\"c\"}}" },
		{ &api_anthropic, 404, NULL, "{\"type\":\"error\",\"error\":{\"type\":\"not_found_error\",\"message\":\"no \\\"x\\\"\"}}" },
		{ &api_gateway, 401, NULL, "{\"ok\":false,\"error\":{\"type\":\"unauthorized\",\"message\":\"no \\\"x\\\"\"}}" },
	};

	for (size_t i = 0; i < CH_ARRAY_LEN(cases); i++) {
		CH_AUTO_BUF struct buf out = { .max_bytes = 4096 };

		cases[i].style->write(&out, cases[i].status, "no \"x\"", cases[i].code);
		assert_string_equal(buf_str(&out), cases[i].wanted);
	}
	assert_int_equal(api_status_of(CH_E_INVALID), 400);
	assert_int_equal(api_status_of(CH_E_LIMIT), 413);
	assert_int_equal(api_status_of(CH_E_BUSY), 503);
	assert_int_equal(api_status_of(CH_E_IO), 500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parts), cmocka_unit_test(test_gates), cmocka_unit_test(test_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
