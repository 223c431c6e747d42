/*
 * config/secret, secret_source, redact, text_redact: credentials are found
 * where the configuration says, and shown nowhere.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "config/config.h"
#include "config/scratch.h"
#include "core/fiber.h"
#include "core/log.h"

static struct scratch dir;
static struct arena *arena;

static int setup(void **state)
{
	(void)state;
	scratch_init(&dir);
	arena = arena_new(0);
	setenv("CHELA_TEST_TOKEN", "from-the-environment", 1);
	unsetenv("CHELA_TEST_UNSET");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	scratch_done(&dir);
	arena_unref(arena);
	return 0;
}

static struct config *load(const char *text)
{
	struct config *c = NULL;
	struct ch_err err = { 0 };

	if (config_parse(text, strlen(text), NULL, &c, &err))
		fail_msg("%s: %s", text, err.text);
	return c;
}

/* gateway.auth.token written as `token`, with these providers: its value, or the error. */
static void check(const char *token, const char *providers, const char *value, ch_status st,
		  const char *error)
{
	CH_AUTO(config_unref) struct config *c =
		load(arena_printf(arena, "{gateway:{auth:{token:%s}},secrets:{%s}}", token, providers));
	CH_AUTO(secret_unref) struct secret *s = NULL;
	struct ch_err err = { 0 };

	assert_int_equal(config_secret(c, "gateway.auth.token", &s, &err), st);
	if (value)
		assert_string_equal(secret_reveal(s), value);
	else
		assert_null(s);
	if (error && !strstr(err.text, error))
		fail_msg("'%s' does not hold '%s'", err.text, error);
}

static void test_handle(void **state)
{
	struct secret *s = secret_new("correct horse"), *t = secret_ref(s);
	char *shown = log_redacted("say correct horse twice: correct horse");

	(void)state;
	assert_string_equal(shown, "say [redacted] twice: [redacted]");
	ch_free(shown);
	assert_true(secret_equal(s, "correct horse"));
	assert_false(secret_equal(s, "correct hors"));
	assert_false(secret_equal(s, NULL));
	assert_false(secret_equal(NULL, ""));
	assert_null(secret_reveal(NULL));
	secret_unref(s);
	assert_string_equal(secret_reveal(t), "correct horse");
	secret_unref(t);
	secret_unref(NULL);
	/* What was done with it may still be on its way to the log. */
	shown = log_redacted("correct horse");
	assert_string_equal(shown, "[redacted]");
	ch_free(shown);
}

static void test_text_and_env(void **state)
{
	(void)state;
	check("'plain-text'", "", "plain-text", CH_OK, NULL);
	check("'${CHELA_TEST_TOKEN}'", "", "from-the-environment", CH_OK, NULL);
	check("'$CHELA_TEST_TOKEN'", "", "from-the-environment", CH_OK, NULL);
	check("'$lower'", "", "$lower", CH_OK, NULL);
	check("{source:'env',id:'CHELA_TEST_TOKEN'}", "", "from-the-environment", CH_OK, NULL);
	check("{source:'env',provider:'default',id:'CHELA_TEST_TOKEN'}", "", "from-the-environment", CH_OK,
	      NULL);
	check("{source:'env',id:'CHELA_TEST_TOKEN'}", "defaults:{env:'mine'}", "from-the-environment", CH_OK,
	      NULL);
	check("{source:'env',provider:'p',id:'CHELA_TEST_TOKEN'}",
	      "providers:{p:{source:'env',allowlist:['CHELA_TEST_TOKEN']}}", "from-the-environment", CH_OK,
	      NULL);

	check("''", "", NULL, CH_E_NOT_FOUND, "gateway.auth.token is not set");
	check("'${CHELA_TEST_UNSET}'", "", NULL, CH_E_NOT_FOUND, "gateway.auth.token is not set");
	check("'$CHELA_TEST_UNSET'", "", NULL, CH_E_NOT_FOUND, "variable CHELA_TEST_UNSET is not set");
	check("{source:'env',id:'CHELA_TEST_UNSET'}", "", NULL, CH_E_NOT_FOUND,
	      "variable CHELA_TEST_UNSET is not set");
	check("{source:'env',id:'no-name'}", "", NULL, CH_E_INVALID, "'no-name' is no name of a variable");
	check("{source:'env',provider:'p',id:'CHELA_TEST_TOKEN'}",
	      "providers:{p:{source:'env',allowlist:[]}}", NULL, CH_E_DENIED, "not in the allowlist");
	check("{source:'env',provider:'other',id:'CHELA_TEST_TOKEN'}", "", NULL, CH_E_INVALID,
	      "no env provider 'other'");
	check("{source:'env',provider:'Bad Name',id:'X'}", "", NULL, CH_E_INVALID, "no name of a provider");
	check("{source:'store',id:'X'}", "providers:{default:{source:'store'}}", NULL, CH_E_ABSENT,
	      "store cannot be read here");
	check("{source:'file',id:'/a'}", "", NULL, CH_E_INVALID, "no file provider 'default'");
}

static const char *file_provider(const char *name, const char *more)
{
	return arena_printf(arena, "providers:{f:{source:'file',path:'%s'%s}},defaults:{file:'f'}",
			    scratch_path(&dir, name), more);
}

static void test_file(void **state)
{
	(void)state;
	scratch_write(&dir, "s.json",
		      "{\"a\":{\"b/c\":\"deep\",\"n\":1},\"l\":[\"x\",\"y\"],\"~\":\"tilde\"}");
	scratch_write(&dir, "one", "only value\r\n");
	scratch_write(&dir, "broken.json", "{");
	scratch_write(&dir, "empty", "");
	check("{source:'file',id:'/a/b~1c'}", file_provider("s.json", ""), "deep", CH_OK, NULL);
	check("{source:'file',provider:'f',id:'/l/1'}", file_provider("s.json", ""), "y", CH_OK, NULL);
	check("{source:'file',id:'/~0'}", file_provider("s.json", ""), "tilde", CH_OK, NULL);
	check("{source:'file',id:'value'}", file_provider("one", ",mode:'singleValue'"), "only value", CH_OK,
	      NULL);

	check("{source:'file',id:'/a/none'}", file_provider("s.json", ""), NULL, CH_E_NOT_FOUND,
	      "no text at '/a/none'");
	check("{source:'file',id:'/a/n'}", file_provider("s.json", ""), NULL, CH_E_NOT_FOUND, "no text at");
	check("{source:'file',id:'/a'}", file_provider("s.json", ""), NULL, CH_E_NOT_FOUND, "no text at");
	check("{source:'file',id:'a'}", file_provider("s.json", ""), NULL, CH_E_INVALID,
	      "must be a JSON pointer");
	check("{source:'file',id:'x'}", file_provider("one", ",mode:'singleValue'"), NULL, CH_E_INVALID,
	      "\"value\"");
	check("{source:'file',id:'value'}", file_provider("empty", ",mode:'singleValue'"), NULL,
	      CH_E_NOT_FOUND, "");
	check("{source:'file',id:'/a'}", file_provider("broken.json", ""), NULL, CH_E_INVALID,
	      "line 1 column 2");
	check("{source:'file',id:'/a'}", file_provider("missing", ""), NULL, CH_E_NOT_FOUND, "No such file");
	check("{source:'file',id:'/a'}", file_provider("s.json", ",maxBytes:10"), NULL, CH_E_DENIED,
	      "maxBytes");
	check("{source:'file',id:'/a'}", "providers:{f:{source:'file',path:'rel'}},defaults:{file:'f'}", NULL,
	      CH_E_INVALID, "absolute path");
}

static void test_file_must_be_private(void **state)
{
	char *target;

	(void)state;
	scratch_write(&dir, "s.json", "{\"a\":\"x\"}");
	chmod(scratch_path(&dir, "s.json"), 0640);
	check("{source:'file',id:'/a'}", file_provider("s.json", ""), NULL, CH_E_DENIED, "chmod 600");
	chmod(scratch_path(&dir, "s.json"), 0600);
	target = arena_strdup(arena, scratch_path(&dir, "s.json"));
	assert_int_equal(symlink(target, scratch_path(&dir, "link")), 0);
	check("{source:'file',id:'/a'}", file_provider("link", ""), NULL, CH_E_NOT_FOUND, "symbolic links");
	check("{source:'file',id:'/a'}", file_provider("s.json", ""), "x", CH_OK, NULL);
	assert_int_equal(link(target, scratch_path(&dir, "hard")), 0);
	check("{source:'file',id:'/a'}", file_provider("s.json", ""), NULL, CH_E_DENIED, "hard links");
	mkfifo(scratch_path(&dir, "pipe"), 0600);
	check("{source:'file',id:'/a'}", file_provider("pipe", ""), NULL, CH_E_DENIED, "not a regular file");
}

/* ---- exec: in a fiber ---- */

static const char *exec_provider(const char *script, const char *more)
{
	scratch_write(&dir, "resolver", script);
	chmod(scratch_path(&dir, "resolver"), 0700);
	return arena_printf(arena, "providers:{v:{source:'exec',command:'%s'%s}},defaults:{exec:'v'}",
			    scratch_path(&dir, "resolver"), more);
}

static void exec_checks(void *arg)
{
	(void)arg;
	check("{source:'exec',id:'a/b#c'}",
	      exec_provider("#!/bin/sh\nread -r ask || :\n"
			    "[ \"$ask\" = '{\"protocolVersion\":1,\"provider\":\"v\",\"ids\":[\"a/b#c\"]}' ] "
			    "|| exit 3\n"
			    "echo '{\"protocolVersion\":1,\"values\":{\"a/b#c\":\"from a program\"}}'\n",
			    ""),
	      "from a program", CH_OK, NULL);
	/* The environment holds what was passed and nothing else. */
	check("{source:'exec',id:'x'}",
	      exec_provider(
		      "#!/bin/sh\necho "
		      "\"{\\\"values\\\":{\\\"x\\\":\\\"$CHELA_TEST_TOKEN,$SET,$1,${HOME-unset}\\\"}}\"\n",
		      ",args:['arg'],passEnv:['CHELA_TEST_TOKEN'],env:{SET:'yes'}"),
	      "from-the-environment,yes,arg,unset", CH_OK, NULL);
	check("{source:'exec',id:'x'}", exec_provider("#!/bin/sh\necho plain text\n", ",jsonOnly:false"),
	      "plain text", CH_OK, NULL);
	check("{source:'exec',id:'x'}", exec_provider("#!/bin/sh\necho plain text\n", ""), NULL, CH_E_PEER,
	      "not JSON");
	check("{source:'exec',id:'x'}", exec_provider("#!/bin/sh\nexit 1\n", ""), NULL, CH_E_PEER, "failed");
	check("{source:'exec',id:'x'}",
	      exec_provider(
		      "#!/bin/sh\necho "
		      "'{\"values\":{},\"errors\":{\"x\":{\"code\":\"NOT_FOUND\",\"message\":\"leak\"}}}'\n",
		      ""),
	      NULL, CH_E_NOT_FOUND, "provider v has no value for 'x'");
	check("{source:'exec',id:'x'}", exec_provider("#!/bin/sh\nsleep 60\n", ",timeoutMs:50"), NULL,
	      CH_E_TIMEOUT, "");
	check("{source:'exec',id:'x'}",
	      exec_provider("#!/bin/sh\nhead -c 5000 /dev/zero\n", ",maxOutputBytes:100"), NULL, CH_E_PEER,
	      "maxOutputBytes");
	check("{source:'exec',id:'a/../b'}", exec_provider("#!/bin/sh\n", ""), NULL, CH_E_INVALID,
	      "no id for a program");
	check("{source:'exec',id:'-rf'}", exec_provider("#!/bin/sh\n", ""), NULL, CH_E_INVALID,
	      "no id for a program");
	check("{source:'exec',id:'x'}", exec_provider("#!/bin/sh\n", ",trustedDirs:['/usr/lib/nowhere']"),
	      NULL, CH_E_DENIED, "trustedDirs");
	check("{source:'exec',id:'x'}", "providers:{v:{source:'exec',command:'sh'}},defaults:{exec:'v'}",
	      NULL, CH_E_INVALID, "absolute command");
	const char *conf = exec_provider("#!/bin/sh\n", "");

	chmod(scratch_path(&dir, "resolver"), 0720);
	check("{source:'exec',id:'x'}", conf, NULL, CH_E_DENIED, "chmod go-w");
	rename(arena_strdup(arena, scratch_path(&dir, "resolver")),
	       arena_strdup(arena, scratch_path(&dir, "real")));
	assert_int_equal(symlink("real", scratch_path(&dir, "resolver")), 0);
	check("{source:'exec',id:'x'}", conf, NULL, CH_E_DENIED, "symbolic link");
	loop_stop(fiber_loop());
}

static void test_exec(void **state)
{
	struct loop *l = loop_new();

	(void)state;
	fiber_spawn(l, "exec-checks", FIBER_DETACHED, exec_checks, NULL);
	loop_run(l);
	loop_free(l);
}

/* ---- redaction ---- */

static void test_which_paths(void **state)
{
	static const char *const secret[] = {
		"gateway.auth.token",
		"gateway.auth.password",
		"models.providers.acme.apiKey",
		"models.providers.acme.headers.X-Thing",
		"env.vars.ANYTHING",
		"secrets.providers.p.env.X",
		"channels.telegram.botToken",
		"channels.slack.accounts.a.signingSecret",
		"plugins.entries.x.config.api_key",
		"some.unknown.clientSecret",
		"tools.web.search.apiKey",
		"mcp.servers.x.headers.Authorization",
		"gateway.auth.token.deeper",
	};
	static const char *const open[] = {
		"gateway.port",
		"gateway.auth.mode",
		"agents.defaults.model",
		"agents.defaults.maxTokens",
		"models.providers.acme.maxTokens",
		"channels.telegram.tokenFile",
		"",
		"agents",
		"gateway.auth",
	};

	(void)state;
	for (size_t i = 0; i < CH_ARRAY_LEN(secret); i++)
		if (!config_path_is_secret(secret[i]))
			fail_msg("%s is shown", secret[i]);
	for (size_t i = 0; i < CH_ARRAY_LEN(open); i++)
		if (config_path_is_secret(open[i]))
			fail_msg("%s is hidden", open[i]);
}

static const char with_secrets[] =
	"{\n"
	"  // token: \"hunter2-old\", replaced by:\n"
	"  gateway: { auth: { mode: 'token', token: 'hunter2-new' }, port: 1 }, // not hunter2-new!\n"
	"  models: { providers: { acme: { apiKey: \"${ACME_KEY}\", headers: { X: 'header-value' } },\n"
	"                         other: { apiKey: { source: 'env', id: 'OTHER_KEY' } } } },\n"
	"  channels: { telegram: { botToken: 12345678, accounts: [ { password: \"p\\u0061ss\" } ] } },\n"
	"  env: { vars: { A: '1' } },\n"
	"  gatewy: { token: ['x', { y: 'z' }] },\n"
	"  hooks: { token: '', enabled: true },\n"
	"}\n";

static void test_redacted_tree(void **state)
{
	CH_AUTO(config_unref) struct config *c = load(with_secrets);

	(void)state;
	assert_string_equal(
		json_to_str(arena, config_redact(arena, config_source(c))),
		"{\"gateway\":{\"auth\":{\"mode\":\"token\",\"token\":\"__OPENCLAW_REDACTED__\"},\"port\":1},"
		"\"models\":{\"providers\":{\"acme\":{\"apiKey\":\"${ACME_KEY}\",\"headers\":"
		"{\"X\":\"__OPENCLAW_REDACTED__\"}},\"other\":{\"apiKey\":{\"source\":\"env\",\"id\":\"OTHER_"
		"KEY\"}}}},"
		"\"channels\":{\"telegram\":{\"botToken\":\"__OPENCLAW_REDACTED__\",\"accounts\":"
		"[{\"password\":\"__OPENCLAW_REDACTED__\"}]}},"
		"\"env\":{\"vars\":{\"A\":\"__OPENCLAW_REDACTED__\"}},"
		"\"gatewy\":{\"token\":[\"__OPENCLAW_REDACTED__\",{\"y\":\"__OPENCLAW_REDACTED__\"}]},"
		"\"hooks\":{\"token\":\"\",\"enabled\":true}}");
	assert_string_equal(
		json_to_str(arena, config_redact_at(arena, config_get(c, "gateway.auth"), "gateway.auth")),
		"{\"mode\":\"token\",\"token\":\"__OPENCLAW_REDACTED__\"}");
	assert_string_equal(
		json_to_str(arena, config_redact_at(arena, config_get(c, "env.vars"), "env.vars")),
		"{\"A\":\"__OPENCLAW_REDACTED__\"}");
}

/* A value that is secret where it stands does not come to light by way of a variable at another place. */
static void test_redacted_resolved(void **state)
{
	CH_AUTO(config_unref) struct config *c = NULL;

	(void)state;
	setenv("CHELA_TEST_API_KEY", "sk-canary", 1);
	setenv("CHELA_TEST_HOST", "gw.example.org", 1);
	c = load("{ env: { vars: { PLAIN: 'canary-2' } }, gateway: { publicOrigin: 'https://${CHELA_TEST_HOST}' },\n"
		 "  agents: { defaults: { workspace: '/w/${CHELA_TEST_API_KEY}' } },\n"
		 "  gatewy: { list: ['a', 'x${PLAIN}', '${CHELA_TEST_API_KEY}'] } }");
	assert_string_equal(json_to_str(arena, config_redact_resolved(arena, c, "")),
			    "{\"env\":{\"vars\":{\"PLAIN\":\"__OPENCLAW_REDACTED__\"}},"
			    "\"gateway\":{\"publicOrigin\":\"https://gw.example.org\"},"
			    "\"agents\":{\"defaults\":{\"workspace\":\"/w/${CHELA_TEST_API_KEY}\"}},"
			    "\"gatewy\":{\"list\":[\"a\",\"x${PLAIN}\",\"${CHELA_TEST_API_KEY}\"]}}");
	assert_string_equal(json_str(config_redact_resolved(arena, c, "env.vars.PLAIN")), "__OPENCLAW_REDACTED__");
	assert_null(config_redact_resolved(arena, c, "gateway.port"));
}

static void test_redacted_text(void **state)
{
	CH_AUTO_BUF struct buf out = { 0 };
	struct json *from_text;
	CH_AUTO(config_unref) struct config *c = load(with_secrets);

	(void)state;
	buf_init(&out, 1 << 16);
	assert_int_equal(config_text_redact(with_secrets, strlen(with_secrets), &out, NULL), CH_OK);
	assert_null(strstr(buf_str(&out), "hunter2-new"));
	assert_null(strstr(buf_str(&out), "12345678"));
	assert_null(strstr(buf_str(&out), "header-value"));
	assert_non_null(strstr(buf_str(&out), "// token: \"hunter2-old\", replaced by:\n"));
	assert_non_null(strstr(buf_str(&out), "port: 1 }, // not __OPENCLAW_REDACTED__!\n"));
	assert_int_equal(json_parse(arena, out.data, out.len, JSON_JSON5, &from_text, NULL), CH_OK);
	assert_true(json_equal(from_text, config_redact(arena, config_source(c))));
	buf_clear(&out);
	assert_int_equal(config_text_redact("// empty\n", 9, &out, NULL), CH_OK);
	assert_string_equal(buf_str(&out), "// empty\n");
	assert_int_equal(config_text_redact("{", 1, &out, NULL), CH_E_INVALID);
}

#define ROW(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(test_handle),
		ROW(test_text_and_env),
		ROW(test_file),
		ROW(test_file_must_be_private),
		ROW(test_exec),
		ROW(test_which_paths),
		ROW(test_redacted_tree),
		ROW(test_redacted_resolved),
		ROW(test_redacted_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
