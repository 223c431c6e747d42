/*
 * tools/user_tools and user_manifest: what is offered, why something is not, and calls in a real sandbox.
 */
#include "tool_fixture.h"

#include "config/config.h"
#include "exec/sandbox.h"
#include "tools/user_manifest.h"

#define MANIFEST(rest) "{\"description\":\"d\",\"command\":\"run.sh\"" rest "}"

static struct user_manifest m;
static struct ch_err err;

static ch_status parse(struct arena *a, const char *text, const char *stem)
{
	err = (struct ch_err){ 0 };
	return user_manifest_parse(a, text, strlen(text), stem, &m, &err);
}

static void test_manifest(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	static const char *const bad[][2] = {
		{ "[]", "an object" }, { "{}", "description" }, { "{\"description\":\"d\"}", "command" },
		{ MANIFEST(",\"comand\":1"), "command" }, { MANIFEST(",\"name\":\"other\""), "name" },
		{ "{\"description\":\"d\",\"command\":\"../x\"}", "beside" }, { "{\"description\":\"d\",\"command\":[\"/bin/sh\"]}", "beside" },
		{ "{\"description\":\"d\",\"command\":[\".hidden\"]}", "beside" }, { "{\"description\":\"d\",\"command\":[]}", "command" },
		{ "{\"description\":\"d\",\"command\":[\"x\",1]}", "strings" }, { MANIFEST(",\"timeoutSeconds\":0"), "timeoutSeconds" },
		{ MANIFEST(",\"timeoutSeconds\":\"5\""), "timeoutSeconds" }, { MANIFEST(",\"risk\":\"none\""), "risk" },
		{ MANIFEST(",\"stdin\":\"xml\""), "stdin" }, { MANIFEST(",\"output\":1"), "output" },
		{ MANIFEST(",\"network\":true"), "network" }, { MANIFEST(",\"network\":{\"hosts\":[\"*\"]}"), "host" },
		{ MANIFEST(",\"network\":{\"hosts\":[\"a b\"]}"), "host" }, { MANIFEST(",\"network\":{\"ports\":[1]}"), "ports" },
		{ MANIFEST(",\"parameters\":{\"type\":\"array\"}"), "object" }, { MANIFEST(",\"parameters\":{\"properties\":{}}"), "type" },
		{ MANIFEST(",\"parameters\":{\"type\":\"object\",\"$ref\":\"#\"}"), "$ref" },
		{ MANIFEST(",\"parameters\":{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"date\"}}}"), "type" },
		{ MANIFEST(",\"parameters\":{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\",\"pattern\":\"x\"}}}"), "pattern" },
		{ MANIFEST(",\"parameters\":{\"type\":\"object\",\"required\":[1]}"), "required" },
		{ "{\"description\":\"d\" \"command\"", "line" },
	};
	static const char *const names[] = { "", "A", "a-b", "1a", "a b", "_a", "ä", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" };

	for (size_t i = 0; i < CH_ARRAY_LEN(bad); i++) {
		assert_int_equal(parse(a, bad[i][0], "tool"), CH_E_INVALID);
		if (!strstr(err.text, bad[i][1]))
			fail_msg("%s: %s", bad[i][0], err.text);
	}
	for (size_t i = 0; i < CH_ARRAY_LEN(names); i++)
		assert_int_equal(parse(a, MANIFEST(""), names[i]), CH_E_INVALID);
	assert_int_equal(parse(a, MANIFEST(",\"name\":\"t1\",\"title\":\"T\",\"timeoutSeconds\":5,\"stdin\":\"args\",\"output\":\"json\",\"risk\":\"reads\","
					   "\"network\":{\"hosts\":[\"api.example.org\",\"b.org:8443\"]},"
					   "\"parameters\":{\"type\":\"object\",\"properties\":{\"a\":{\"type\":\"string\",\"enum\":[\"x\"]},"
					   "\"l\":{\"type\":\"array\",\"items\":{\"type\":\"integer\",\"minimum\":1}}},\"required\":[\"a\"],\"additionalProperties\":true}"),
			       "t1"), CH_OK);
	assert_string_equal(m.name, "user_t1");
	assert_string_equal(m.label, "T");
	assert_string_equal(m.program, "run.sh");
	assert_int_equal(m.timeout_ms, 5000);
	assert_true(m.takes_args && m.gives_json && m.risk == TOOL_READS);
	assert_string_equal(m.hosts[1], "b.org:8443");
	assert_non_null(strstr(m.schema_json, "\"additionalProperties\":false"));
}

/* -- with a workspace -- */

static struct config *config;
static const char *tainted_source = "https://evil.example";
static const char *tainted_path;         /* "holds text from outside" */

static struct config *the_config(void *arg)
{
	return config;
}

static bool is_tainted(void *arg, const struct tool_ctx *ctx, const char *path, const char **ret_source)
{
	*ret_source = tainted_source;
	return tainted_path && str_eq(path, tainted_path);
}

static struct tool_host host = { .config = the_config, .is_tainted_file = is_tainted };

static void configure(const char *text)
{
	config_unref(CH_TAKE(config));
	assert_int_equal(config_parse(text, strlen(text), NULL, &config, NULL), CH_OK);
}

static int setup(void **state)
{
	struct fixture *f;

	fixture_setup(state);
	f = *state;
	configure("{}");
	tainted_path = NULL;
	host.loop = f->loop;
	host.state_dir = f->outside;
	f->ctx.host = &host;
	assert_int_equal(mkdirat(open(f->root, O_PATH | O_CLOEXEC), "tools", 0755), 0);
	return 0;
}

static int teardown(void **state)
{
	config_unref(CH_TAKE(config));
	return fixture_teardown(state);
}

static void put_tool(struct fixture *f, const char *name, const char *manifest, const char *script)
{
	char path[256], full[512];

	snprintf(path, sizeof(path), "tools/%s.json", name);
	fixture_put(f, path, manifest, strlen(manifest));
	fixture_put(f, "tools/run.sh", script, strlen(script));
	snprintf(full, sizeof(full), "%s/tools/run.sh", f->root);
	assert_int_equal(chmod(full, 0755), 0);
}

static const struct tool *const *listed(struct fixture *f, size_t *ret_count)
{
	const struct tool *const *list = NULL;

	assert_int_equal(tool_source_user.list(&host, "main", f->root, f->arena, &list, ret_count, &f->err), CH_OK);
	return list;
}

static const struct tool *only(struct fixture *f)
{
	size_t n = 0;
	const struct tool *const *list = listed(f, &n);

	assert_int_equal(n, 1);
	return list[0];
}

static uint64_t stamp(struct fixture *f)
{
	return tool_source_user.stamp(&host, "main", f->root);
}

/* A folder of anything, as people keep them: it is no tool, and looking at it costs nothing. */
static void test_threat_dos_many_files(void **state)
{
	struct fixture *f = *state;
	CH_AUTO_BUF struct buf source = { 0 };
	uint64_t before;
	char path[64];

	buf_init(&source, 1u << 20);
	for (int i = 0; i < 16000; i++)
		buf_putc(&source, 'x');
	tainted_source = buf_str(&source);
	assert_int_equal(mkdirat(open(f->root, O_PATH | O_CLOEXEC), "tools/deps", 0755), 0);
	for (int i = 0; i < 200; i++) {
		snprintf(path, sizeof(path), "tools/deps/%d.txt", i);
		fixture_put(f, path, "x", 1);
	}
	before = stamp(f);
	fixture_put(f, "tools/deps/0.txt", "longer", 6);
	assert_true(stamp(f) == before);
	fixture_put(f, "tools/deps/tool.json", MANIFEST(""), strlen(MANIFEST("")));
	before = stamp(f);
	fixture_put(f, "tools/deps/0.txt", "longer still", 12);
	assert_true(stamp(f) != before);
	tainted_source = "https://evil.example";
}

static void test_listed(void **state)
{
	struct fixture *f = *state;
	uint64_t before = stamp(f), after;
	const struct tool *t;
	const char *why = NULL;
	char path[256];

	put_tool(f, "hello", MANIFEST(""), "#!/bin/sh\necho hello\n");
	t = only(f);
	assert_non_null(t->run);
	assert_string_equal(t->name, "user_hello");
	assert_true(t->is_available(&host, "main", f->arena, &why));
	after = stamp(f);
	assert_true(before != after && after == stamp(f));
	/* A folder of its own. */
	snprintf(path, sizeof(path), "%s/tools/own", f->root);
	assert_int_equal(mkdir(path, 0755), 0);
	fixture_put(f, "tools/own/tool.json", MANIFEST(""), strlen(MANIFEST("")));
	assert_true(stamp(f) != after);
	size_t n;
	const struct tool *const *list = listed(f, &n);

	assert_int_equal(n, 2);
	assert_null(list[1]->run);
	assert_non_null(strstr(list[1]->description, "tools/own/run.sh"));
	/* What the configuration says. */
	configure("{tools:{user:{enabled:false}}}");
	assert_false(t->is_available(&host, "main", f->arena, &why));
	assert_non_null(strstr(why, "tools.user.enabled"));
	configure("{agents:{defaults:{sandbox:{backend:\"docker\"}}}}");
	assert_false(t->is_available(&host, "main", f->arena, &why));
	assert_non_null(strstr(why, "bubblewrap"));
	configure("{agents:{entries:{main:{sandbox:{workspaceAccess:\"none\"}}}}}");
	assert_false(t->is_available(&host, "main", f->arena, &why));
	assert_non_null(strstr(why, "workspaceAccess"));
}

/* Neither the folder, the manifest nor the program can be a way out of the workspace. */
static void test_threat_path_traversal_links(void **state)
{
	struct fixture *f = *state;
	char from[256], to[256];
	const struct tool *t;
	size_t n;

	put_tool(f, "a", MANIFEST(""), "#!/bin/sh\n");
	snprintf(from, sizeof(from), "%s/tools/run.sh", f->root);
	unlink(from);
	assert_int_equal(symlink("/bin/sh", from), 0);
	t = only(f);
	assert_null(t->run);
	unlink(from);
	fixture_put(f, "tools/run.sh", "x", 1);
	t = only(f);
	assert_null(t->run);
	assert_non_null(strstr(t->description, "chmod"));
	snprintf(from, sizeof(from), "%s/tools", f->root);
	snprintf(to, sizeof(to), "%s/elsewhere", f->outside);
	assert_int_equal(rename(from, to), 0);
	assert_int_equal(symlink(to, from), 0);
	listed(f, &n);
	assert_int_equal(n, 0);
	assert_int_equal(stamp(f), 0);
}

static void test_threat_prompt_injection_tainted_tool(void **state)
{
	struct fixture *f = *state;
	uint64_t before;

	put_tool(f, "a", MANIFEST(""), "#!/bin/sh\n");
	before = stamp(f);
	tainted_path = "tools/run.sh";
	assert_null(only(f)->run);
	assert_non_null(strstr(only(f)->description, "https://evil.example"));
	assert_true(stamp(f) != before);
	tainted_path = "tools/a.json";
	assert_null(only(f)->run);
	tainted_path = NULL;
	assert_non_null(only(f)->run);
}

static void call(struct fixture *f, const struct tool *t, const char *args)
{
	f->ctx.tool = t;
	fixture_run(f, t, args);
}

static void test_calls(void **state)
{
	struct fixture *f = *state;

	put_tool(f, "a", MANIFEST(",\"output\":\"json\",\"parameters\":{\"type\":\"object\",\"properties\":{\"x\":{\"type\":\"string\"}}}"),
		 "#!/bin/sh\ncat\n");
	call(f, only(f), "{\"x\":\"'; echo no\"}");
	assert_int_equal(f->st, CH_OK);
	assert_string_equal(f->text, "{\"x\":\"'; echo no\"}");
	assert_string_equal(json_get_str(f->result.details, "x"), "'; echo no");
	assert_false(f->ctx.is_outside);
	call(f, only(f), "{\"y\":1}");
	assert_int_equal(f->st, CH_E_INVALID);
	/* Words; no value is taken for an option. */
	put_tool(f, "a", MANIFEST(",\"stdin\":\"args\",\"parameters\":{\"type\":\"object\",\"properties\":{\"x\":{\"type\":\"string\"},\"n\":{\"type\":\"integer\"}}}"),
		 "#!/bin/sh\nprintf '[%s]' \"$@\"; wc -c\n");
	call(f, only(f), "{\"x\":\"-rf /\",\"n\":3}");
	assert_string_equal(f->text, "[--x=-rf /][--n=3]0\n");
	/* Failures are the model's to read. */
	put_tool(f, "a", MANIFEST(""), "#!/bin/sh\necho why >&2; exit 3\n");
	call(f, only(f), "{}");
	assert_int_equal(f->st, CH_OK);
	assert_true(f->result.is_error);
	assert_string_equal(f->text, "user_a ended with exit code 3\nwhy\n");
	put_tool(f, "a", MANIFEST(",\"output\":\"json\""), "#!/bin/sh\necho text\n");
	call(f, only(f), "{}");
	assert_true(f->result.is_error);
	put_tool(f, "a", MANIFEST(",\"timeoutSeconds\":1"), "#!/bin/sh\nsleep 60\n");
	call(f, only(f), "{}");
	assert_int_equal(f->st, CH_E_TIMEOUT);
	/* The loop goes on, so that what was ended is reaped. */
	put_tool(f, "a", MANIFEST(""), "#!/bin/sh\necho after\n");
	call(f, only(f), "{}");
	assert_string_equal(f->text, "after\n");
}

/* It runs inside, whatever sandbox.mode says, and cannot change the tools. */
static void test_threat_sandbox_escape_user_tool(void **state)
{
	struct fixture *f = *state;
	const struct tool *t;
	char secret[256];

	configure("{agents:{defaults:{sandbox:{mode:\"off\"}}}}");
	snprintf(secret, sizeof(secret), "%s/secret", f->outside);
	FILE *file = fopen(secret, "w");

	fputs("canary", file);
	fclose(file);
	put_tool(f, "a", MANIFEST(""), "#!/bin/sh\ncat ../out/secret /etc/shadow; (echo x > tools/new) || echo refused; mv tools t || echo refused; echo ok > here; cat here\n");
	t = only(f);
	call(f, t, "{}");
	assert_string_equal(f->text, "refused\nrefused\nok\n");
	/* Another program at its place is not what was listed. */
	put_tool(f, "a", MANIFEST(""), "#!/bin/sh\necho other one\n");
	call(f, t, "{}");
	assert_int_equal(f->st, CH_E_CONFLICT);
}

/* What the configuration gives one of them is in its environment and in nobody else's, nor in an argument. */
static void test_threat_secret_disclosure_env(void **state)
{
	struct fixture *f = *state;

	configure("{tools:{user:{entries:{a:{env:{API_KEY:'canary-0123456789'}}}}}}");
	put_tool(f, "a", MANIFEST(""), "#!/bin/sh\nprintf %s \"$API_KEY\" | wc -c; tr '\\0' '\\n' < /proc/$$/cmdline | grep -c canary\n");
	call(f, only(f), "{}");
	assert_string_equal(f->text, "user_a ended with exit code 1\n");
	put_tool(f, "a", MANIFEST(""), "#!/bin/sh\nprintf %s \"$API_KEY\" | wc -c\n");
	call(f, only(f), "{}");
	assert_string_equal(f->text, "17\n");
	assert_true(only(f)->has_effects(&f->ctx, NULL));
	configure("{tools:{user:{entries:{b:{env:{API_KEY:'canary-0123456789'}}}}}}");
	call(f, only(f), "{}");
	assert_string_equal(f->text, "0\n");
	assert_false(only(f)->has_effects(&f->ctx, NULL));
	configure("{tools:{user:{entries:{a:{env:{LD_PRELOAD:'/x.so'}}}}}}");
	call(f, only(f), "{}");
	assert_int_not_equal(f->st, CH_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_manifest),
		cmocka_unit_test_setup_teardown(test_listed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_threat_dos_many_files, setup, teardown),
		cmocka_unit_test_setup_teardown(test_threat_path_traversal_links, setup, teardown),
		cmocka_unit_test_setup_teardown(test_threat_prompt_injection_tainted_tool, setup, teardown),
		cmocka_unit_test_setup_teardown(test_calls, setup, teardown),
		cmocka_unit_test_setup_teardown(test_threat_sandbox_escape_user_tool, setup, teardown),
		cmocka_unit_test_setup_teardown(test_threat_secret_disclosure_env, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
