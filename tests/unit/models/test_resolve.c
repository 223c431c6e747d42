/* models/resolve, catalog, keys: which model is meant, and what is known of it. */
#include "models_fixture.h"

#include <stdlib.h>

#include "models/models_priv.h"

static struct config *snapshot;

static struct config *current(void *arg)
{
	return snapshot;
}

static struct models *models_with(const char *json5)
{
	struct models_opts opts = { .config = current };
	struct ch_err err = { .text = "" };

	config_unref(CH_TAKE(snapshot));
	if (json5 && config_parse(json5, strlen(json5), NULL, &snapshot, &err))
		fail_msg("%s", err.text);
	return models_new(&opts);
}

static void done(struct models *m)
{
	models_free(m);
	config_unref(CH_TAKE(snapshot));
}

static int clean_environment(void **state)
{
	size_t n;
	const struct model_endpoint *all = model_endpoints(&n);

	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; all[i].key_env[k]; k++)
			unsetenv(all[i].key_env[k]);
	}
	return 0;
}

static void expect(struct models *m, const char *wanted, const char *agent, const char *ref, const char *source)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct model_entry e;
	const char *from = NULL;
	struct ch_err err = { .text = "" };

	if (model_resolve(m, wanted, agent, a, &e, &from, &err))
		fail_msg("%s: %s", wanted ? wanted : "(none)", err.text);
	assert_string_equal(e.ref, ref);
	if (source)
		assert_string_equal(from, source);
}

static void refuse(struct models *m, const char *wanted, const char *text)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct model_entry e;
	struct ch_err err = { .text = "" };

	assert_int_equal(model_resolve(m, wanted, NULL, a, &e, NULL, &err), CH_E_NOT_FOUND);
	if (!strstr(err.text, text))
		fail_msg("%s", err.text);
}

static void test_order_without_configuration(void **state)
{
	struct models *m = models_with(NULL);

	expect(m, NULL, NULL, "offline/demo", "offline");
	setenv("GROQ_API_KEY", "k", 1);
	expect(m, NULL, "main", "groq/openai/gpt-oss-120b", "environment");
	setenv("OPENAI_API_KEY", "k", 1);
	expect(m, NULL, NULL, "openai/gpt-6-astra", "environment");
	setenv("ANTHROPIC_API_KEY", "k", 1);
	expect(m, "", NULL, "anthropic/claude-opus-5", "environment");
	setenv("ANTHROPIC_API_KEY", "", 1);
	expect(m, NULL, NULL, "openai/gpt-6-astra", "environment");
	clean_environment(NULL);
	done(m);
}

static const char configured[] =
	"{agents: {defaults: {model: {primary: 'fast'}, models: {"
	"   'acme/big.model/7b': {alias: 'Big'}, 'acme/small': {alias: 'fast'}, 'openai/gpt-4o': {alias: 'o'}}},"
	"  entries: {coder: {model: 'acme/big.model/7b'}, lazy: {model: {fallbacks: []}}}},"
	" models: {providers: {acme: {baseUrl: 'https://acme.example/v1', apiKey: 'k', models: ["
	"   {id: 'big.model/7b', name: 'Big', contextWindow: 64000, contextTokens: 32000, maxTokens: 2000, reasoning: true,"
	"    input: ['text', 'image'], cost: {input: 1, output: 2, cacheRead: 0.5, cacheWrite: 3}, compat: {supportsTools: false}},"
	"   {id: 'small'}]},"
	"  openai: {apiKey: 'k', models: [{id: 'gpt-4o', name: 'Mine'}]},"
	"  other: {baseUrl: 'http://10.0.0.5/api', api: 'anthropic-messages', models: [{id: 'small'}]}}}}";

static void test_order_with_configuration(void **state)
{
	struct models *m = models_with(configured);

	setenv("ANTHROPIC_API_KEY", "k", 1);
	expect(m, NULL, NULL, "acme/small", "config");
	expect(m, NULL, "coder", "acme/big.model/7b", "agent");
	expect(m, NULL, "lazy", "acme/small", "config");
	expect(m, NULL, "nobody", "acme/small", "config");
	expect(m, "anthropic/claude-sonnet-5", "coder", "anthropic/claude-sonnet-5", "session");
	clean_environment(NULL);
	done(m);

	m = models_with("{models: {providers: {acme: {baseUrl: 'http://127.0.0.1:9/v1', models: [{id: 'x'}]}}}}");
	expect(m, NULL, NULL, "acme/x", "config");
	done(m);
}

static void test_names(void **state)
{
	struct models *m = models_with(configured);

	expect(m, "big", NULL, "acme/big.model/7b", "session");
	expect(m, "BIG", NULL, "acme/big.model/7b", NULL);
	expect(m, " fast ", NULL, "acme/small", NULL);
	expect(m, "ACME/small", NULL, "acme/small", NULL);
	expect(m, "acme/small@work", NULL, "acme/small", NULL);
	expect(m, "acme/@cf/llama", NULL, "acme/@cf/llama", NULL);
	expect(m, "acme/not-in-the-list", NULL, "acme/not-in-the-list", NULL);
	expect(m, "openrouter/moonshotai/kimi-k2", NULL, "openrouter/moonshotai/kimi-k2", NULL);
	expect(m, "gpt-4o", NULL, "openai/gpt-4o", NULL);
	expect(m, "small", NULL, "acme/small", NULL);           /* of two, the default provider's */
	refuse(m, "gpt-4p", "did you mean 'openai/gpt-4o'?");
	refuse(m, "nobody/x", "is not known");
	refuse(m, "/x", "is not known");
	refuse(m, "acme/", "is not known");
	refuse(m, "offline/other", "is not known");
	refuse(m, "who?", "provider/model");
	done(m);
}

static void test_entries(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct models *m = models_with(configured);
	struct model_entry e;

	assert_int_equal(model_resolve(m, "big", NULL, a, &e, NULL, NULL), CH_OK);
	assert_string_equal(e.name, "Big");
	assert_string_equal(e.api, "openai-completions");
	assert_string_equal(e.base_url, "https://acme.example/v1");
	assert_int_equal(e.context_window, 32000);
	assert_int_equal(e.max_tokens, 2000);
	assert_true(e.reasoning && e.input_image && e.configured && e.has_cost);
	assert_true(e.cost_cache_write > 2.99 && e.cost_cache_write < 3.01);
	assert_false(compat_flag(&e, "supportsTools", true));

	assert_int_equal(model_resolve(m, "o", NULL, a, &e, NULL, NULL), CH_OK);        /* built in, renamed */
	assert_string_equal(e.name, "Mine");
	assert_string_equal(e.base_url, "https://api.openai.com/v1");
	assert_int_equal(e.context_window, 128000);
	assert_true(e.has_cost && e.cost_output > 9.99);

	assert_int_equal(model_resolve(m, "other/small", NULL, a, &e, NULL, NULL), CH_OK);
	assert_string_equal(e.api, "anthropic-messages");

	done(m);
	/* What was given stays good when the catalog and the snapshot are gone. */
	assert_string_equal(e.base_url, "http://10.0.0.5/api");
}

static bool count_refs(void *arg, const struct model_entry *e)
{
	assert_non_null(e->provider);
	assert_non_null(e->api);
	assert_true(e->context_window > 0);
	++*(int *)arg;
	return true;
}

static bool only_offline(void *arg, const struct model_entry *e)
{
	return !(str_eq(e->provider, "anthropic") && (*(bool *)arg = true));
}

static void test_each_and_modes(void **state)
{
	struct models *m = models_with(configured);
	bool has_anthropic = false;
	int n = 0;
	size_t builtins;

	(void)builtin_models(&builtins);
	models_each(m, count_refs, &n);
	assert_int_equal(n, builtins + 3);      /* gpt-4o is both */
	done(m);

	m = models_with("{models: {mode: 'replace', providers: {acme: {baseUrl: 'http://x/v1', models: [{id: 'x'}]}}}}");
	n = 0;
	models_each(m, count_refs, &n);
	assert_int_equal(n, 2);
	models_each(m, only_offline, &has_anthropic);
	assert_false(has_anthropic);
	done(m);
}

static void test_a_new_configuration(void **state)
{
	struct models *m = models_with("{agents: {defaults: {model: 'openai/gpt-4o'}}}");

	expect(m, NULL, NULL, "openai/gpt-4o", "config");
	config_unref(CH_TAKE(snapshot));
	assert_int_equal(config_parse("{agents: {defaults: {model: 'anthropic/claude-opus-5'}}}", 56, NULL, &snapshot, NULL),
			 CH_OK);
	expect(m, NULL, NULL, "anthropic/claude-opus-5", "config");
	models_config_changed(m);
	expect(m, NULL, NULL, "anthropic/claude-opus-5", "config");
	done(m);
}

static void test_provider_ready(void **state)
{
	struct models *m = models_with("{models: {providers: {acme: {baseUrl: 'http://x/v1'}, openai: {apiKey: 'k'}, groq: {apiKey: ''}}}}");

	assert_true(models_provider_ready(m, "offline"));
	assert_true(models_provider_ready(m, "ollama"));
	assert_true(models_provider_ready(m, "acme"));
	assert_true(models_provider_ready(m, "openai"));
	assert_false(models_provider_ready(m, "groq"));
	assert_false(models_provider_ready(m, "anthropic"));
	assert_false(models_provider_ready(m, "unheard-of"));
	setenv("ANTHROPIC_API_KEY", "k", 1);
	assert_true(models_provider_ready(m, "anthropic"));
	clean_environment(NULL);
	done(m);
}

static void test_tables(void **state)
{
	size_t n, models;
	const struct model_endpoint *all = model_endpoints(&n);
	const struct builtin_model *known = builtin_models(&models);

	for (size_t i = 0; i < n; i++) {
		assert_ptr_equal(model_endpoint_find(all[i].id), &all[i]);      /* unique */
		assert_non_null(dialect_find(all[i].api));
		assert_non_null(all[i].label);
		assert_non_null(all[i].key_env);
		assert_true(all[i].key_optional || all[i].key_env[0]);
		assert_true(!*all[i].base_url || str_starts(all[i].base_url, "https://") || all[i].is_local);
		assert_false(str_ends(all[i].base_url, "/"));
	}
	for (size_t i = 0; i < models; i++) {
		assert_non_null(model_endpoint_find(known[i].provider));
		assert_true(known[i].context_window >= known[i].max_tokens && known[i].max_tokens > 0);
		for (size_t j = 0; j < i; j++)
			assert_false(str_eq(known[i].id, known[j].id) && str_eq(known[i].provider, known[j].provider));
	}
}

static void test_costs(void **state)
{
	struct model_entry e = { .has_cost = true, .cost_input = 3, .cost_output = 15, .cost_cache_read = 0.3, .cost_cache_write = 3.75 };
	struct model_usage u = { .input = 1000000, .output = 100000, .cache_read = 2000000, .cache_write = 0 };
	struct model_cost c;

	assert_true(cost_of(&e, &u, &c));
	assert_true(c.input > 2.999 && c.input < 3.001 && c.output > 1.499 && c.output < 1.501);
	assert_true(c.total > 5.099 && c.total < 5.101);
	e.has_cost = false;
	assert_false(cost_of(&e, &u, &c));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order_without_configuration),
		cmocka_unit_test(test_order_with_configuration),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_entries),
		cmocka_unit_test(test_each_and_modes),
		cmocka_unit_test(test_a_new_configuration),
		cmocka_unit_test(test_provider_ready),
		cmocka_unit_test(test_tables),
		cmocka_unit_test(test_costs),
	};

	return cmocka_run_group_tests(tests, clean_environment, NULL);
}
