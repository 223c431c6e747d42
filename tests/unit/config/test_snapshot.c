/*
 * config/snapshot, subst, validate: text in, values and issues out.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "config/config.h"
#include "core/mem.h"
#include "core/str.h"

static struct config *load(const char *text)
{
	struct config *c = NULL;
	struct ch_err err = { 0 };

	if (config_parse(text, strlen(text), NULL, &c, &err))
		fail_msg("%s: %s", text, err.text);
	return c;
}

static void test_defaults(void **state)
{
	CH_AUTO(config_unref) struct config *c = load("");
	size_t n;

	(void)state;
	assert_int_equal(config_int(c, "gateway.port", 0), 18789);
	assert_string_equal(config_str(c, "gateway.bind"), "loopback");
	assert_true(config_bool(c, "gateway.controlUi.enabled", false));
	assert_null(config_str(c, "gateway.auth.token"));
	assert_null(config_get(c, "gateway"));
	assert_int_equal(config_int(c, "logging.maxFileBytes", 0), 104857600);
	assert_string_equal(config_str(c, "models.providers.acme.api"), "openai-completions");
	assert_int_equal(config_int(c, "no.such.key", 7), 7);
	assert_true(config_bool(c, "no.such.key", true));
	assert_null(config_list(c, "gateway.trustedProxies")[0]);
	(void)config_issues(c, &n);
	assert_int_equal(n, 0);
	assert_string_equal(config_raw(c, &n), "");
	assert_null(config_includes(c)[0]);
}

static void test_values(void **state)
{
	CH_AUTO(config_unref)
	struct config *c =
		load("{ gateway: { port: 1234, auth: { mode: 'none' }, trustedProxies: ['10.0.0.1', "
		     "'10.0.0.2'] },\n"
		     "  logging: { maxFileBytes: '10mb' }, // comment\n"
		     "  agents: { defaults: { model: 'a/b', models: { 'openai/gpt-4.1': { alias: 'g' } } },\n"
		     "            entries: { main: { model: { primary: 'c/d' } } } },\n"
		     "  models: { providers: { acme: { models: [ { id: 'x', contextWindow: 8192 } ] } } } }");
	const char *const *list = config_list(c, "gateway.trustedProxies");
	size_t n;

	(void)state;
	assert_int_equal(config_int(c, "gateway.port", 0), 1234);
	assert_string_equal(config_str(c, "gateway.auth.mode"), "none");
	assert_string_equal(list[0], "10.0.0.1");
	assert_string_equal(list[1], "10.0.0.2");
	assert_null(list[2]);
	assert_ptr_equal(config_list(c, "gateway.trustedProxies"), list);
	assert_int_equal(config_int(c, "logging.maxFileBytes", 0), 10 << 20);
	assert_string_equal(config_str(c, "agents.defaults.model"), "a/b");
	assert_string_equal(config_str(c, "agents.defaults.model.primary"), "a/b");
	assert_string_equal(config_str(c, "agents.entries.main.model.primary"), "c/d");
	assert_string_equal(config_str(c, "agents.defaults.models[\"openai/gpt-4.1\"].alias"), "g");
	assert_int_equal(config_int(c, "models.providers.acme.models.0.contextWindow", 0), 8192);
	assert_int_equal(config_int(c, "models.providers.acme.models[0].contextWindow", 0), 8192);
	(void)config_issues(c, &n);
	assert_int_equal(n, 0);
}

/* One row: a text, and its only issue. */
struct issue_row {
	const char *text;
	enum config_severity severity;
	const char *path, *message;
};

static void test_issues(void **state)
{
	static const struct issue_row rows[] = {
		{ "{gateway:{port:'80'}}", CONFIG_ERROR, "gateway.port",
		  "expected a whole number, got a string" },
		{ "{gateway:{port:0}}", CONFIG_ERROR, "gateway.port", "must be between 1 and 65535, got 0" },
		{ "{gateway:{port:70000}}", CONFIG_ERROR, "gateway.port",
		  "must be between 1 and 65535, got 70000" },
		{ "{gateway:{port:80.5}}", CONFIG_ERROR, "gateway.port",
		  "expected a whole number, got 80.5" },
		{ "{gateway:{auth:{mode:'tokn'}}}", CONFIG_ERROR, "gateway.auth.mode",
		  "must be one of none, token, password; got \"tokn\" (did you mean token?)" },
		{ "{gateway:{auth:{mode:true}}}", CONFIG_ERROR, "gateway.auth.mode",
		  "expected a string, got true" },
		{ "{gateway:{tls:{enabled:1}}}", CONFIG_ERROR, "gateway.tls.enabled",
		  "expected true or false, got a number" },
		{ "{gateway:[]}", CONFIG_ERROR, "gateway", "expected an object, got a list" },
		{ "{gateway:{auth:'x'}}", CONFIG_ERROR, "gateway.auth", "expected an object, got a string" },
		{ "{gateway:{trustedProxies:['a',1]}}", CONFIG_ERROR, "gateway.trustedProxies.1",
		  "expected a string, got a number" },
		{ "{gateway:{trustedProxies:'a'}}", CONFIG_ERROR, "gateway.trustedProxies",
		  "expected a list of strings, got a string" },
		{ "{logging:{maxFileBytes:'many'}}", CONFIG_ERROR, "logging.maxFileBytes",
		  "expected a size as 1048576 or \"10mb\", got \"many\"" },
		{ "{agents:{defaults:{model:1}}}", CONFIG_ERROR, "agents.defaults.model",
		  "expected a string or an object, got a number" },
		{ "{gateway:{auth:{token:{id:'X'}}}}", CONFIG_ERROR, "gateway.auth.token",
		  "a reference needs a source: env, file, exec or store" },
		{ "{gateway:{auth:{token:{source:'env'}}}}", CONFIG_ERROR, "gateway.auth.token",
		  "a reference needs an id" },
		{ "{gateway:{auth:{token:['hidden']}}}", CONFIG_ERROR, "gateway.auth.token",
		  "expected a string or {source, provider, id}, got a list" },
		{ "{gateway:{prot:1}}", CONFIG_WARNING, "gateway.prot",
		  "unknown key, kept as it is; did you mean port?" },
		{ "{gatewy:{}}", CONFIG_WARNING, "gatewy",
		  "unknown key, kept as it is; did you mean gateway?" },
		{ "{'com.example':{}}", CONFIG_WARNING, "[\"com.example\"]", "unknown key, kept as it is" },
		{ "{models:{providers:{acme:{baseURL:'x'}}}}", CONFIG_WARNING,
		  "models.providers.acme.baseURL", "unknown key, kept as it is; did you mean baseUrl?" },
		{ "{cron:{enabled:true},channels:{telegram:{botToken:'x'}},gateway:{tailscale:{mode:'off'}}}",
		  CONFIG_WARNING, "",
		  "kept, but without effect in this version: cron, gateway.tailscale" },
		{ "{gateway:{mode:'remote'},session:{dmScope:'main'}}", CONFIG_WARNING, "",
		  "kept, but without effect in this version: gateway.mode" },
		{ "{gateway:{auth:{token:'${CHELA_TEST_UNSET}'}}}", CONFIG_WARNING, "gateway.auth.token",
		  "the environment variable CHELA_TEST_UNSET is not set, so this is treated as not set" },
	};

	(void)state;
	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		CH_AUTO(config_unref) struct config *c = load(rows[i].text);
		size_t n;
		const struct config_issue *issues = config_issues(c, &n);

		if (n != 1)
			fail_msg("%s: %zu issues", rows[i].text, n);
		assert_string_equal(issues[0].message, rows[i].message);
		assert_string_equal(issues[0].path, rows[i].path);
		assert_int_equal(issues[0].severity, rows[i].severity);
	}
}

/* What is wrong reads as its default. */
static void test_wrong_values_fall_back(void **state)
{
	CH_AUTO(config_unref)
	struct config *c = load("{gateway:{port:'x',bind:'everywhere',controlUi:{enabled:'no'}},agents:{"
				"defaults:{bootstrapMaxChars:0}}}");

	(void)state;
	assert_int_equal(config_int(c, "gateway.port", 0), 18789);
	assert_string_equal(config_str(c, "gateway.bind"), "loopback");
	assert_true(config_bool(c, "gateway.controlUi.enabled", false));
	assert_int_equal(config_int(c, "agents.defaults.bootstrapMaxChars", 0), 20000);
}

static void test_broken_text(void **state)
{
	static const char *const rows[][2] = {
		{ "{gateway:{port:1}", "line 1 column 18: unexpected end, expected ',' or '}'" },
		{ "[]", "line 1 column 1: the configuration is not an object: expected '{'" },
		{ "{a:{$include:'x.json'}}", "$include works only in a configuration file" },
		{ "{\n  port: 1\n  bind: 2\n}", "line 3 column 3: unexpected 'b', expected ',' or '}'" },
	};
	struct config *c = NULL;
	struct ch_err err;

	(void)state;
	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		assert_int_not_equal(config_parse(rows[i][0], strlen(rows[i][0]), NULL, &c, &err), CH_OK);
		assert_string_equal(err.text, rows[i][1]);
		assert_null(c);
	}
}

static void test_limits(void **state)
{
	CH_AUTO_BUF struct buf text = { 0 };
	struct config *c = NULL;
	struct ch_err err;

	(void)state;
	buf_init(&text, 16 << 20);
	buf_puts(&text, "{a:[");
	for (int i = 0; i < 100001; i++)
		buf_puts(&text, "1,");
	buf_puts(&text, "]}");
	assert_int_equal(config_parse(buf_str(&text), text.len, NULL, &c, &err), CH_E_LIMIT);
	assert_string_equal(err.text, "the configuration has more than 100000 values");

	buf_clear(&text);
	buf_puts(&text, "{a:'");
	while (text.len < CONFIG_FILE_MAX)
		buf_puts(&text, "0123456789abcdef");
	buf_puts(&text, "'}");
	assert_int_equal(config_parse(buf_str(&text), text.len, NULL, &c, &err), CH_E_LIMIT);

	/* A thousand wrong values: the first ones are told. */
	buf_clear(&text);
	buf_puts(&text, "{gateway:{trustedProxies:[");
	for (int i = 0; i < 1000; i++)
		buf_puts(&text, "1,");
	buf_puts(&text, "]}}");
	assert_int_equal(config_parse(buf_str(&text), text.len, NULL, &c, &err), CH_OK);
	size_t n;
	const struct config_issue *issues = config_issues(c, &n);

	assert_int_equal(n, 201);
	assert_string_equal(issues[200].message, "there are more issues than are shown");
	config_unref(c);
}

static void test_environment(void **state)
{
	CH_AUTO(config_unref) struct config *c = NULL;
	size_t n;

	(void)state;
	setenv("CHELA_TEST_A", "alpha", 1);
	setenv("CHELA_TEST_EMPTY", "", 1);
	unsetenv("CHELA_TEST_UNSET");
	c = load("{ env: { vars: { CHELA_TEST_B: 'beta', CHELA_TEST_A: 'not this' } }, logging: {\n"
		 "  file: '/x/${CHELA_TEST_A}-${CHELA_TEST_B}$${CHELA_TEST_A}${lower}${}$' },\n"
		 "  gateway: { trustedProxies: ['a', '${CHELA_TEST_EMPTY}', 'c'], publicOrigin: "
		 "'${CHELA_TEST_UNSET}' } }");
	assert_string_equal(config_str(c, "logging.file"), "/x/alpha-beta${CHELA_TEST_A}${lower}${}$");
	assert_null(config_str(c, "gateway.publicOrigin"));
	assert_string_equal(config_list(c, "gateway.trustedProxies")[1], "c");
	assert_string_equal(json_str(json_path(config_source(c), "gateway.publicOrigin")),
			    "${CHELA_TEST_UNSET}");
	assert_null(json_path(config_resolved(c), "gateway.publicOrigin"));
	const struct config_issue *issues = config_issues(c, &n);

	assert_int_equal(n, 2);
	assert_string_equal(issues[0].path, "gateway.trustedProxies.1");
	assert_string_equal(issues[1].path, "gateway.publicOrigin");
}

/* Small variables, large text: expansion has a ceiling of its own. */
static void test_expansion_limit(void **state)
{
	CH_AUTO_BUF struct buf text = { 0 };
	CH_AUTO(config_unref) struct config *c = NULL;
	char *big = ch_alloc(60001);
	size_t n;

	(void)state;
	memset(big, 'x', 60000);
	setenv("CHELA_TEST_BIG", big, 1);
	ch_free(big);
	buf_init(&text, 1 << 20);
	buf_puts(&text, "{a:[");
	for (int i = 0; i < 100; i++)
		buf_puts(&text, "'${CHELA_TEST_BIG}',");
	buf_puts(&text, "]}");
	c = load(buf_str(&text));
	const struct config_issue *issues = config_issues(c, &n);

	assert_string_equal(issues[0].message,
			    "with its variables the configuration is larger than 4194304 bytes");
	unsetenv("CHELA_TEST_BIG");
}

static void test_hash(void **state)
{
	CH_AUTO(config_unref) struct config *a = load("{}"), *b = load("{ }"), *c = load("{}");

	(void)state;
	assert_int_equal(strncmp(config_hash(a), "hmac-sha256:v1:", 15), 0);
	assert_int_equal(strlen(config_hash(a)), 15 + 43);
	assert_string_equal(config_hash(a), config_hash(c));
	assert_string_not_equal(config_hash(a), config_hash(b));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_issues),
		cmocka_unit_test(test_wrong_values_fall_back),
		cmocka_unit_test(test_broken_text),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_environment),
		cmocka_unit_test(test_expansion_limit),
		cmocka_unit_test(test_hash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
