/* models/route: the chain of models that may answer, and who may be chosen. */
#include "models_fixture.h"

#include <stdlib.h>

#include "models/route.h"
#include "models/models_priv.h"

static struct config *snapshot;

static struct config *current(void *arg)
{
	return snapshot;
}

static const char text[] =
	"{agents: {defaults: {model: {primary: 'acme/a', fallbacks: ['acme/b@acme:two', 'fast', 'acme/a', 'nobody/x', 3]},"
	"   imageModel: {primary: 'acme/eyes', fallbacks: ['acme/eyes2']}, utilityModel: 'acme/cheap',"
	"   models: {'acme/c': {alias: 'fast'}}, modelPolicy: {allow: ['other/*', 'ACME/cheap']}},"
	"  entries: {strict: {model: 'acme/b'}, empty: {model: {primary: 'acme/b', fallbacks: []}},"
	"   own: {model: {primary: 'acme/b', fallbacks: ['acme/c']}, utilityModel: 'acme/b'},"
	"   inherits: {model: {fallbacks: ['acme/c']}}, alone: {model: {fallbacks: []}}}},"
	" models: {providers: {acme: {baseUrl: 'http://127.0.0.1:9/v1', apiKey: 'k', models: ["
	"   {id: 'a'}, {id: 'b'}, {id: 'c'}, {id: 'cheap'}, {id: 'eyes', input: ['text', 'image']}, {id: 'eyes2'}]},"
	"  other: {baseUrl: 'http://127.0.0.1:9/v1', models: [{id: 'x'}]}}}}";

static struct models *start(const char *json5)
{
	struct models_opts opts = { .config = current };
	struct ch_err err = { .text = "" };

	if (config_parse(json5, strlen(json5), NULL, &snapshot, &err))
		fail_msg("%s", err.text);
	return models_new(&opts);
}

static void done(struct models *m)
{
	models_free(m);
	config_unref(CH_TAKE(snapshot));
}

/* "source: ref ref …", with "!" behind the source of a strict one. */
static void expect(struct models *m, struct model_route_want want, const char *expected)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	CH_AUTO_BUF struct buf out = { .max_bytes = 4096 };
	struct model_route route;
	struct ch_err err = { .text = "" };

	if (model_route(m, &want, a, &route, &err))
		fail_msg("%s: %s", expected, err.text);
	buf_printf(&out, "%s%s:", route.source, route.is_strict ? "!" : "");
	for (size_t i = 0; i < route.len; i++)
		buf_printf(&out, " %s%s%s", route.at[i].ref, route.at[i].auth_profile ? "@" : "",
			   route.at[i].auth_profile ? route.at[i].auth_profile : "");
	assert_string_equal(buf_str(&out), expected);
}

static void test_whose_fallbacks(void **state)
{
	struct models *m = start(text);

	expect(m, (struct model_route_want){ 0 }, "config: acme/a acme/b@acme:two acme/c");
	expect(m, (struct model_route_want){ .agent_id = "nobody" }, "config: acme/a acme/b@acme:two acme/c");
	expect(m, (struct model_route_want){ .agent_id = "strict" }, "agent!: acme/b");
	expect(m, (struct model_route_want){ .agent_id = "empty" }, "agent: acme/b");
	expect(m, (struct model_route_want){ .agent_id = "own" }, "agent: acme/b acme/c");
	expect(m, (struct model_route_want){ .agent_id = "inherits" }, "config: acme/a acme/c");
	expect(m, (struct model_route_want){ .agent_id = "alone" }, "config: acme/a");
	expect(m, (struct model_route_want){ .wanted = "fast" }, "session!: acme/c");
	expect(m, (struct model_route_want){ .wanted = "other/x@other:me@example.org" }, "session!: other/x@other:me@example.org");
	done(m);
}

static void test_purposes(void **state)
{
	struct models *m = start(text);

	expect(m, (struct model_route_want){ .has_images = true }, "image: acme/eyes acme/eyes2");
	expect(m, (struct model_route_want){ .has_images = true, .wanted = "acme/b" }, "session!: acme/b");
	expect(m, (struct model_route_want){ .reason = MODEL_FOR_TITLE }, "utility: acme/cheap");
	expect(m, (struct model_route_want){ .reason = MODEL_FOR_COMPACTION, .agent_id = "own" }, "utility: acme/b");
	expect(m, (struct model_route_want){ .reason = MODEL_FOR_TITLE, .wanted = "acme/b" }, "session!: acme/b");
	expect(m, (struct model_route_want){ .reason = MODEL_FOR_PROBE }, "config: acme/a acme/b@acme:two acme/c");
	done(m);
	m = start("{agents: {defaults: {model: 'acme/a', imageModel: 'gone/x', utilityModel: ''}},"
		  " models: {providers: {acme: {baseUrl: 'http://127.0.0.1:9/v1', models: [{id: 'a'}]}}}}");
	expect(m, (struct model_route_want){ .has_images = true }, "config: acme/a");
	expect(m, (struct model_route_want){ .reason = MODEL_FOR_TITLE }, "config: acme/a");
	done(m);
}

static void test_what_may_be_chosen(void **state)
{
	static const struct { const char *wanted; ch_status st; } rows[] = {
		{ "acme/cheap", CH_OK }, { "other/anything", CH_OK }, { "acme/a", CH_OK }, { "acme/b", CH_OK }, { "fast", CH_OK },
		{ "acme/eyes", CH_E_DENIED }, { "openai/gpt-4o", CH_E_DENIED }, { "nobody/x", CH_E_NOT_FOUND },
	};
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct models *m = start(text);

	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		struct model_entry e;

		assert_int_equal(model_resolve(m, rows[i].wanted, NULL, a, &e, NULL, NULL), rows[i].st);
	}
	done(m);
}

static void test_standing(void **state)
{
	static const struct { const char *ref; enum model_standing standing; } rows[] = {
		{ "acme/a", MODEL_READY }, { "other/x", MODEL_READY }, { "offline/demo", MODEL_READY },
		{ "groq/openai/gpt-oss-20b", MODEL_NO_CREDENTIAL }, { "amazon-bedrock/amazon.nova-pro-v1:0", MODEL_NO_CREDENTIAL },
		{ "aws/nova", MODEL_READY },
	};
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct model_states all;
	struct models *m = start("{models: {providers: {acme: {baseUrl: 'http://127.0.0.1:9/v1', apiKey: 'k', models: [{id: 'a'}]},"
				 " other: {baseUrl: 'http://127.0.0.1:9/v1', models: [{id: 'x'}]},"
				 " aws: {api: 'bedrock-converse-stream', region: 'eu-west-1', baseUrl: 'http://127.0.0.1:9', models: [{id: 'nova'}]}}}}");

	unsetenv("GROQ_API_KEY");
	unsetenv("AWS_BEARER_TOKEN_BEDROCK");
	unsetenv("AWS_ACCESS_KEY_ID");
	unsetenv("AWS_PROFILE");
	model_states_begin(m, &all);
	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		struct model_entry e;
		struct model_state one;

		assert_int_equal(model_resolve(m, rows[i].ref, NULL, a, &e, NULL, NULL), CH_OK);
		model_state(m, NULL, &e, &one);
		assert_int_equal(one.standing, rows[i].standing);
		assert_int_equal(model_states_at(m, &all, NULL, &e)->standing, rows[i].standing);
	}
	model_states_end(&all);
	done(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whose_fallbacks),
		cmocka_unit_test(test_purposes),
		cmocka_unit_test(test_what_may_be_chosen),
		cmocka_unit_test(test_standing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
