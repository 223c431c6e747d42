/* models/target and aws_target: where a request goes and what its head says, per service. Nothing is sent. */
#include "models/attempt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../core/in_fiber.h"
#include "core/clock.h"
#include "core/str.h"
#include "models/auth_store.h"

#define NOW_WALL INT64_C(1795338773123)  /* 2026-11-22T09:12:53Z */

static struct config *snapshot;

static struct config *current(void *arg)
{
	return snapshot;
}

static const char config_text[] =
	"{ models: { providers: {"
	"  anthropic: { apiKey: 'k' }, google: { apiKey: 'k' }, openrouter: { apiKey: 'k' },"
	"  'azure-openai-responses': { apiKey: 'k', baseUrl: 'https://me.openai.azure.com/' },"
	"  gw: { api: 'anthropic-messages', auth: 'token', apiKey: 'k', baseUrl: 'https://gw.example/v1', headers: { 'X-Team': 'blue' } },"
	"  gem: { api: 'google-generative-ai', apiKey: 'k', baseUrl: 'https://generativelanguage.googleapis.com' },"
	"  'amazon-bedrock': { region: 'eu-west-1' },"
	"  keyed: { api: 'bedrock-converse-stream', apiKey: 'k', baseUrl: 'https://bedrock-runtime.us-west-2.amazonaws.com' },"
	"} } }";

static const struct {
	const char *ref, *url;
	const char *headers[6];          /* "name: value" that must be there; "!name" that must not */
} table[] = {
	{ "anthropic/claude-opus-5", "https://api.anthropic.com/v1/messages", { "x-api-key: k", "anthropic-version: 2023-06-01", "!authorization" } },
	{ "gw/m", "https://gw.example/v1/messages", { "authorization: Bearer k", "X-Team: blue", "!x-api-key", "!anthropic-beta" } },
	{ "google/gemini-2.5-pro", "https://generativelanguage.googleapis.com/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse",
	  { "x-goog-api-key: k", "!authorization" } },
	{ "gem/m", "https://generativelanguage.googleapis.com/v1beta/models/m:streamGenerateContent?alt=sse", { "x-goog-api-key: k" } },
	{ "openrouter/openrouter/auto", "https://openrouter.ai/api/v1/chat/completions", { "authorization: Bearer k" } },
	{ "azure-openai-responses/dep", "https://me.openai.azure.com/openai/v1/responses?api-version=v1", { "api-key: k", "!authorization" } },
	/* A sign-in with ChatGPT goes to the subscription's service. */
	{ "openai/gpt-6-sol", "https://chatgpt.com/backend-api/codex/responses",
	  { "authorization: Bearer access-1", "chatgpt-account-id: acc-1", "originator: chela" } },
	{ "xai/grok-4.7", "https://api.x.ai/v1/responses", { "authorization: Bearer access-2", "!chatgpt-account-id" } },
	{ "amazon-bedrock/amazon.nova-pro-v1:0", "https://bedrock-runtime.eu-west-1.amazonaws.com/model/amazon.nova-pro-v1%3A0/converse-stream",
	  { "x-amz-date: 20261122T091253Z", "x-amz-security-token: tok", "content-type: application/json" } },
	{ "keyed/m", "https://bedrock-runtime.us-west-2.amazonaws.com/model/m/converse-stream", { "authorization: Bearer k", "!x-amz-date" } },
};

static const char *header_of(const struct model_target *t, const char *name, size_t len)
{
	for (size_t i = 0; i < t->headers.len; i++) {
		const char *have = t->headers.at[i].name;

		if (strlen(have) == len && strncasecmp(have, name, len) == 0)
			return t->headers.at[i].value;
	}
	return NULL;
}

static void check_header(const struct model_target *t, const char *ref, const char *expected)
{
	const char *colon = strchr(expected, ':'), *value;

	if (expected[0] == '!') {
		if (header_of(t, expected + 1, strlen(expected + 1)))
			fail_msg("%s: has %s", ref, expected + 1);
		return;
	}
	value = header_of(t, expected, (size_t)(colon - expected));
	if (!str_eq(value, colon + 2))
		fail_msg("%s: expected %s, got %s", ref, expected, value ? value : "none");
}

static void check(struct models *m, size_t row)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	CH_AUTO_BUF struct buf body = { .max_bytes = 1 << 20 };
	struct json *messages = NULL;
	struct model_entry entry;
	struct model_target t;
	struct ch_err err = { .text = "" };
	struct model_call call = { .ref = table[row].ref, .agent_id = "main" };

	assert_int_equal(json_parse(a, "[{role:'user',content:'a'}]", 27, JSON_JSON5, &messages, NULL), CH_OK);
	call.messages = messages;
	if (model_resolve(m, table[row].ref, "main", a, &entry, NULL, &err) ||
	    model_target_init(&t, m, a, &call, &entry, dialect_find(entry.api), &body, &err) || aws_sign_attempt(&t, &err))
		fail_msg("%s: %s", table[row].ref, err.text);
	assert_string_equal(t.url, table[row].url);
	for (size_t i = 0; table[row].headers[i]; i++)
		check_header(&t, table[row].ref, table[row].headers[i]);
	model_target_done(&t);
}

static void sign_in(struct db *db, const char *id, const char *provider, const char *token)
{
	struct auth_profile p = { .agent_id = "", .id = id, .provider = provider, .kind = AUTH_KIND_OAUTH,
				  .created_at = NOW_WALL, .updated_at = NOW_WALL, .expires_at = NOW_WALL + 3600000,
				  .account_id = str_eq(provider, "openai") ? "acc-1" : NULL };
	struct ch_err err;

	if (auth_store_put(db, &p, token, NULL, &err))
		fail_msg("%s", err.text);
}

static void run(void *arg)
{
	struct models_opts opts = { .config = current };
	struct ch_err err = { .text = "" };
	struct models *m;

	assert_int_equal(db_open(":memory:", DB_CREATE, &opts.db, NULL), CH_OK);
	if (config_parse(config_text, strlen(config_text), NULL, &snapshot, &err))
		fail_msg("%s", err.text);
	sign_in(opts.db, "openai:me", "openai", "access-1");
	sign_in(opts.db, "xai:me", "xai", "access-2");
	m = models_new(&opts);
	for (size_t i = 0; i < CH_ARRAY_LEN(table); i++)
		check(m, i);
	models_free(m);
	db_close(opts.db);
	config_unref(CH_TAKE(snapshot));
}

static void test_where_requests_go(void **state)
{
	static const char *const gone[] = { "AWS_BEARER_TOKEN_BEDROCK", "AWS_REGION", "OPENAI_API_KEY", "XAI_API_KEY", "ANTHROPIC_API_KEY",
					    "GEMINI_API_KEY", "GOOGLE_API_KEY", "OPENROUTER_API_KEY" };

	for (size_t i = 0; i < CH_ARRAY_LEN(gone); i++)
		unsetenv(gone[i]);
	setenv("AWS_ACCESS_KEY_ID", "AKID", 1);
	setenv("AWS_SECRET_ACCESS_KEY", "secret", 1);
	setenv("AWS_SESSION_TOKEN", "tok", 1);
	clock_fake(1000, NOW_WALL);
	in_fiber(run, NULL);
	clock_real();
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_where_requests_go) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
