/*
 * config/store, watch, write, diff: the file on disk against the snapshot in force.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "config/config.h"
#include "config/scratch.h"
#include "core/loop.h"
#include "core/str.h"

static struct scratch dir;
static struct arena *arena;
static struct loop *loop;
static struct config_store *store;

/* What on_change told last. */
static struct {
	int calls;
	bool by_us, needs_restart, same;
	char paths[256];
} told;

static void on_change(void *arg, const struct config_change *ch)
{
	(void)arg;
	told.calls++;
	told.by_us = ch->by_us;
	told.needs_restart = ch->needs_restart;
	told.same = ch->before == ch->after;
	told.paths[0] = '\0';
	for (const char *const *p = ch->paths; *p; p++)
		snprintf(told.paths + strlen(told.paths), sizeof(told.paths) - strlen(told.paths), "%s%s",
			 *told.paths ? " " : "", *p);
	loop_stop(loop);
}

static void open_store(bool passive)
{
	char *path = arena_strdup(arena, scratch_path(&dir, "chela.json"));
	struct config_store_opts opts = {
		.path = path, .state_dir = dir.dir, .on_change = on_change, .passive = passive
	};
	struct ch_err err = { 0 };

	if (config_store_open(loop, &opts, &store, &err))
		fail_msg("%s", err.text);
}

static void reopen(void)
{
	config_store_close(store);
	store = NULL;
	open_store(false);
}

static int setup(void **state)
{
	(void)state;
	scratch_init(&dir);
	arena = arena_new(0);
	loop = loop_new();
	memset(&told, 0, sizeof(told));
	store = NULL;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	config_store_close(store);
	loop_free(loop);
	arena_unref(arena);
	scratch_done(&dir);
	return 0;
}

static struct json *json(const char *text)
{
	struct json *v = NULL;

	assert_int_equal(json_parse(arena, text, strlen(text), JSON_JSON5, &v, NULL), CH_OK);
	return v;
}

static int64_t port(void)
{
	return config_int(config_store_current(store), "gateway.port", 0);
}

static void assert_file(const char *name, const char *expected)
{
	CH_AUTO_STR char *text = scratch_read(&dir, name);

	if (!text)
		fail_msg("%s does not exist", name);
	assert_string_equal(text, expected);
}

static void assert_no_file(const char *name)
{
	assert_int_not_equal(access(scratch_path(&dir, name), F_OK), 0);
}

/* ---- opening ---- */

static void test_no_file(void **state)
{
	struct stat st;
	size_t n;

	(void)state;
	open_store(false);
	assert_int_equal(port(), 18789);
	assert_false(config_store_degraded(store));
	(void)config_store_issues(store, &n);
	assert_int_equal(n, 0);
	assert_no_file("chela.json.last-good");

	/* The first write makes the file, private. */
	assert_int_equal(
		config_write_set(store, "gateway.port", json("19000"), config_store_hash(store), NULL),
		CH_OK);
	assert_file("chela.json", "{\n  \"gateway\": {\n    \"port\": 19000\n  }\n}\n");
	assert_int_equal(stat(scratch_path(&dir, "chela.json"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_no_file("chela.json.bak");
	assert_int_equal(port(), 19000);
	assert_true(told.by_us);
	assert_true(told.needs_restart);
	assert_string_equal(told.paths, "gateway.port");
}

static void test_relative_path_is_refused(void **state)
{
	struct config_store_opts opts = { .path = "chela.json" };
	struct ch_err err;

	(void)state;
	assert_int_equal(config_store_open(loop, &opts, &store, &err), CH_E_INVALID);
	store = NULL;
}

static void test_broken_at_start(void **state)
{
	const struct config_issue *issues;
	size_t n;

	(void)state;
	scratch_write(&dir, "chela.json", "{gateway:{port:1}");
	open_store(false);
	assert_true(config_store_degraded(store));
	assert_int_equal(port(), 18789);
	issues = config_store_issues(store, &n);
	assert_int_equal(n, 2);
	assert_string_equal(issues[0].message, "line 1 column 18: unexpected end, expected ',' or '}'");
	assert_string_equal(issues[1].message, "this file is broken and NOT in use; the defaults are");

	/* Once there was a good one, that is what a broken file falls back to. */
	scratch_write(&dir, "chela.json", "{gateway:{port:2}} // good");
	reopen();
	assert_false(config_store_degraded(store));
	assert_file("chela.json.last-good", "{gateway:{port:2}} // good");
	scratch_write(&dir, "chela.json", "{gateway:{port:'x'}}");
	reopen();
	assert_true(config_store_degraded(store));
	assert_int_equal(port(), 2);
	issues = config_store_issues(store, &n);
	assert_string_equal(issues[0].path, "gateway.port");
	assert_non_null(strstr(issues[1].message, "the last good copy of 2"));
	assert_file("chela.json.last-good", "{gateway:{port:2}} // good");
	assert_file("chela.json", "{gateway:{port:'x'}}");

	/* Only a whole text mends a broken file. */
	struct ch_err err;

	scratch_write(&dir, "chela.json", "{gateway:{port:");
	assert_int_equal(config_write_set(store, "gateway.port", json("3"), NULL, &err), CH_E_INVALID);
	assert_non_null(strstr(err.text, "is broken and must be mended first"));
	assert_int_equal(config_write_raw(store, "{gateway:{port:4}}", 18, NULL, NULL), CH_OK);
	assert_false(config_store_degraded(store));
	assert_int_equal(port(), 4);
	assert_file("chela.json.bak", "{gateway:{port:");
}

static void test_last_good_holds_the_includes(void **state)
{
	(void)state;
	scratch_write(&dir, "chela.json", "{gateway:{$include:'gw.json5'}}");
	scratch_write(&dir, "gw.json5", "{port:7}");
	open_store(false);
	assert_int_equal(port(), 7);
	scratch_write(&dir, "gw.json5", "{port:");
	reopen();
	assert_true(config_store_degraded(store));
	assert_int_equal(port(), 7);
}

static void test_passive_leaves_no_trace(void **state)
{
	(void)state;
	scratch_write(&dir, "chela.json", "{gateway:{port:2}}");
	open_store(true);
	assert_int_equal(port(), 2);
	assert_no_file("chela.json.last-good");
	assert_no_file("config.key");
}

/* ---- reloading ---- */

static void test_reload(void **state)
{
	struct ch_err err;

	(void)state;
	scratch_write(&dir, "chela.json", "{gateway:{port:2,auth:{token:'a'}}}");
	open_store(false);
	assert_int_equal(config_store_reload(store, &err), CH_OK);
	assert_int_equal(told.calls, 0);

	scratch_write(&dir, "chela.json", "{gateway:{port:2,auth:{token:'b'}}}");
	assert_int_equal(config_store_reload(store, &err), CH_OK);
	assert_int_equal(told.calls, 1);
	assert_false(told.by_us);
	assert_false(told.needs_restart);
	assert_string_equal(told.paths, "gateway.auth.token");

	scratch_write(&dir, "chela.json", "{gateway:{port:2,}");
	assert_int_equal(config_store_reload(store, &err), CH_E_INVALID);
	assert_non_null(strstr(err.text, "line 1 column 19"));
	assert_int_equal(told.calls, 2);
	assert_true(told.same);
	assert_true(config_store_degraded(store));
	assert_int_equal(port(), 2);
	/* Told once, not each time somebody looks. */
	assert_int_equal(config_store_reload(store, &err), CH_E_INVALID);
	assert_int_equal(told.calls, 2);

	scratch_write(&dir, "chela.json", "{gateway:{port:3}}");
	assert_int_equal(config_store_reload(store, &err), CH_OK);
	assert_false(config_store_degraded(store));
	assert_true(told.needs_restart);
	assert_int_equal(port(), 3);
}

static void on_late(void *arg)
{
	(void)arg;
	fail_msg("the change was not noticed");
}

/* Runs the loop until on_change. */
static void wait_for_change(void)
{
	struct loop_timer *guard = loop_timer_new(loop, on_late, NULL);

	loop_timer_start(guard, 5000);
	loop_run(loop);
	loop_timer_free(guard);
}

static void test_watching(void **state)
{
	(void)state;
	scratch_write(&dir, "chela.json", "{gateway:{$include:'gw.json5'}}");
	scratch_write(&dir, "gw.json5", "{port:7}");
	open_store(false);
	scratch_write(&dir, "gw.json5", "{port:8}");
	wait_for_change();
	assert_int_equal(port(), 8);
	scratch_write(&dir, "chela.json", "{gateway:{port:9}}");
	wait_for_change();
	assert_int_equal(port(), 9);
	/* A broken file, and its repair. */
	scratch_write(&dir, "chela.json", "{gateway:{port:}}");
	wait_for_change();
	assert_true(config_store_degraded(store));
	assert_int_equal(port(), 9);
	scratch_write(&dir, "chela.json", "{gateway:{port:10}}");
	wait_for_change();
	assert_int_equal(port(), 10);
	assert_int_equal(told.calls, 4);
}

/* ---- writing ---- */

static const char commented[] = "// mine\n"
				"{\n"
				"  gateway: { port: 2, auth: { token: '${CHELA_TEST_TOKEN}' } }, // here\n"
				"  unknown: { kept: true },\n"
				"}\n";

static void open_commented(void)
{
	setenv("CHELA_TEST_TOKEN", "env-token", 1);
	scratch_write(&dir, "chela.json", commented);
	open_store(false);
}

static void test_write_keeps_comments(void **state)
{
	(void)state;
	open_commented();
	assert_int_equal(config_write_set(store, "gateway.port", json("3"), NULL, NULL), CH_OK);
	assert_file("chela.json", "// mine\n"
				  "{\n"
				  "  gateway: { port: 3, auth: { token: '${CHELA_TEST_TOKEN}' } }, // here\n"
				  "  unknown: { kept: true },\n"
				  "}\n");
	assert_file("chela.json.bak", commented);
	assert_int_equal(config_write_unset(store, "gateway.port", NULL, NULL), CH_OK);
	assert_int_equal(config_write_patch(store, json("{gateway:{port:4,bind:null,tls:{enabled:true}}}"),
					    NULL, NULL),
			 CH_OK);
	assert_file("chela.json", "// mine\n"
				  "{\n"
				  "  gateway: { auth: { token: '${CHELA_TEST_TOKEN}' }, port: 4, tls: "
				  "{enabled: true} }, // here\n"
				  "  unknown: { kept: true },\n"
				  "}\n");
	assert_file("chela.json.bak.2", commented);
	assert_true(config_bool(config_store_current(store), "gateway.tls.enabled", false));
	/* Nothing to do: nothing is written, nobody is told. */
	told.calls = 0;
	assert_int_equal(config_write_set(store, "gateway.port", json("4"), NULL, NULL), CH_OK);
	assert_int_equal(told.calls, 0);
}

static void test_base_hash(void **state)
{
	char *hash;
	struct ch_err err;

	(void)state;
	open_commented();
	hash = arena_strdup(arena, config_store_hash(store));
	assert_string_equal(hash, config_hash(config_store_current(store)));
	assert_int_equal(config_write_set(store, "gateway.port", json("3"), hash, NULL), CH_OK);
	assert_int_equal(config_write_set(store, "gateway.port", json("4"), hash, &err), CH_E_CONFLICT);
	assert_int_equal(config_write_unset(store, "gateway.port", hash, &err), CH_E_CONFLICT);
	assert_int_equal(config_write_patch(store, json("{}"), hash, &err), CH_E_CONFLICT);
	assert_int_equal(config_write_raw(store, "{}", 2, hash, &err), CH_E_CONFLICT);
	assert_int_equal(port(), 3);
	/* An edit by hand that nobody has noticed yet is not lost either. */
	hash = arena_strdup(arena, config_store_hash(store));
	scratch_write(&dir, "chela.json", "{ui:{}}");
	assert_int_equal(config_write_set(store, "gateway.port", json("5"), hash, &err), CH_E_CONFLICT);
	assert_int_equal(config_write_set(store, "gateway.port", json("5"), NULL, NULL), CH_OK);
	assert_file("chela.json", "{ui:{}, gateway:{port:5}}");
	/* The hash means the same after a restart. */
	hash = arena_strdup(arena, config_store_hash(store));
	reopen();
	assert_string_equal(config_store_hash(store), hash);
}

static void test_invalid_results_are_refused(void **state)
{
	struct ch_err err;

	(void)state;
	open_commented();
	assert_int_equal(config_write_set(store, "gateway.port", json("'x'"), NULL, &err), CH_E_INVALID);
	assert_string_equal(err.text, "gateway.port: expected a whole number, got a string");
	assert_int_equal(config_write_set(store, "gateway.port.x", json("1"), NULL, &err), CH_E_INVALID);
	assert_int_equal(config_write_unset(store, "gateway.bind", NULL, &err), CH_E_NOT_FOUND);
	assert_int_equal(config_write_patch(store, json("[]"), NULL, &err), CH_E_INVALID);
	assert_int_equal(config_write_raw(store, "[]", 2, NULL, &err), CH_E_INVALID);
	assert_int_equal(config_write_raw(store, "{", 1, NULL, &err), CH_E_INVALID);
	assert_int_equal(config_write_raw(store, "{gateway:{port:0}}", 18, NULL, &err), CH_E_INVALID);
	assert_file("chela.json", commented);
	assert_no_file("chela.json.bak");
	assert_int_equal(told.calls, 0);
}

static void test_redacted_values_come_back(void **state)
{
	static const char form[] = "{\"gateway\":{\"port\":5,\"auth\":{\"token\":\"__OPENCLAW_REDACTED__\"}},"
				   "\"unknown\":{\"kept\":true}}";
	struct ch_err err;

	(void)state;
	open_commented();
	/* A form sends everything back, secrets redacted: one number changes. */
	assert_int_equal(config_write_raw(store, form, strlen(form), NULL, NULL), CH_OK);
	assert_file("chela.json", "// mine\n"
				  "{\n"
				  "  gateway: { port: 5, auth: { token: '${CHELA_TEST_TOKEN}' } }, // here\n"
				  "  unknown: { kept: true },\n"
				  "}\n");
	/* With the variable's value in place of its name, it is still the name that stays. */
	static const char resolved[] =
		"{\"gateway\":{\"port\":6,\"auth\":{\"token\":\"env-token\"}},\"unknown\":{\"kept\":true}}";

	assert_int_equal(config_write_raw(store, resolved, strlen(resolved), NULL, NULL), CH_OK);
	assert_non_null(
		strstr(config_raw(config_store_current(store), &(size_t){ 0 }), "${CHELA_TEST_TOKEN}"));
	/* A text with comments is the user's own; the secret goes into it. */
	static const char text[] = "{ /* new */ gateway: { auth: { token: '__OPENCLAW_REDACTED__' } } }";

	assert_int_equal(config_write_raw(store, text, strlen(text), NULL, NULL), CH_OK);
	assert_file("chela.json", "{ /* new */ gateway: { auth: { token: \"${CHELA_TEST_TOKEN}\" } } }");
	/* Setting a part, and patching. */
	assert_int_equal(config_write_set(store, "gateway.auth",
					  json("{mode:'token',token:'__OPENCLAW_REDACTED__'}"), NULL, NULL),
			 CH_OK);
	assert_int_equal(config_write_patch(store, json("{gateway:{auth:{token:'__OPENCLAW_REDACTED__'}}}"),
					    NULL, NULL),
			 CH_OK);
	assert_string_equal(config_str(config_store_current(store), "gateway.auth.token"), "env-token");
	/* Where there is no secret, none can be kept. */
	assert_int_equal(
		config_write_set(store, "gateway.auth.password", json("'__OPENCLAW_REDACTED__'"), NULL, &err),
		CH_E_INVALID);
	assert_string_equal(err.text, "gateway.auth.password: there is no secret to keep here; give a value");
}

/* Items of a list are known by their id, not by where they stand. */
static void test_redacted_items(void **state)
{
	static const char old[] =
		"{x:{accounts:[{id:'a',token:'A-secret'},{id:'b',token:'B-secret'}],keys:[{token:'k'}]}}";
	static const char swapped[] = "{x:{accounts:[{id:'b',token:'__OPENCLAW_REDACTED__'},{id:'a',token:'__"
				      "OPENCLAW_REDACTED__'}],"
				      "keys:[{token:'__OPENCLAW_REDACTED__'}]}}";
	static const char grown[] = "{x:{keys:[{token:'new'},{token:'__OPENCLAW_REDACTED__'}]}}";
	static const char stranger[] = "{x:{accounts:[{id:'c',token:'__OPENCLAW_REDACTED__'}]}}";
	struct ch_err err;

	(void)state;
	scratch_write(&dir, "chela.json", old);
	open_store(false);
	assert_int_equal(config_write_raw(store, swapped, strlen(swapped), NULL, NULL), CH_OK);
	struct config *c = config_store_current(store);

	assert_string_equal(config_str(c, "x.accounts.0.token"), "B-secret");
	assert_string_equal(config_str(c, "x.accounts.1.token"), "A-secret");
	assert_string_equal(config_str(c, "x.keys.0.token"), "k");
	assert_int_equal(config_write_raw(store, grown, strlen(grown), NULL, &err), CH_E_INVALID);
	assert_int_equal(config_write_raw(store, stranger, strlen(stranger), NULL, &err), CH_E_INVALID);
	assert_string_equal(err.text, "x.accounts.0.token: there is no secret to keep here; give a value");
}

static void test_writing_over_includes(void **state)
{
	struct ch_err err;

	(void)state;
	scratch_write(&dir, "chela.json", "{gateway:{$include:'gw.json5'}}");
	scratch_write(&dir, "gw.json5", "{port:7, trustedProxies:['a']}");
	open_store(false);
	/* A plain value is put on top of the included one. */
	assert_int_equal(config_write_set(store, "gateway.port", json("8"), NULL, NULL), CH_OK);
	assert_file("chela.json", "{gateway:{$include:'gw.json5', port:8}}");
	assert_int_equal(port(), 8);
	assert_int_equal(config_write_unset(store, "gateway.port", NULL, &err), CH_E_INVALID);
	assert_string_equal(err.text, "gateway.port comes from an included file; change it there");
	/* Lists are joined, so a shorter one cannot be set from here. */
	assert_int_equal(config_write_set(store, "gateway.trustedProxies", json("['b']"), NULL, &err),
			 CH_E_INVALID);
	assert_string_equal(err.text, "gateway.trustedProxies comes from an included file; change it there");
	assert_file("gw.json5", "{port:7, trustedProxies:['a']}");
	/* A form's whole text changes only what differs and leaves the include alone. */
	static const char form[] = "{\"gateway\":{\"port\":9,\"trustedProxies\":[\"a\"]}}";

	assert_int_equal(config_write_raw(store, form, strlen(form), NULL, NULL), CH_OK);
	assert_file("chela.json", "{gateway:{$include:'gw.json5', port:9}}");
}

static void test_list_items(void **state)
{
	(void)state;
	scratch_write(&dir, "chela.json", "{gateway:{trustedProxies:['a','a','b']}}");
	open_store(false);
	assert_int_equal(config_write_unset(store, "gateway.trustedProxies.0", NULL, NULL), CH_OK);
	assert_int_equal(config_write_set(store, "gateway.trustedProxies[2]", json("'c'"), NULL, NULL),
			 CH_OK);
	assert_file("chela.json", "{gateway:{trustedProxies:['a','b', \"c\"]}}");
}

#define ROW(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(test_no_file),
		ROW(test_relative_path_is_refused),
		ROW(test_broken_at_start),
		ROW(test_last_good_holds_the_includes),
		ROW(test_passive_leaves_no_trace),
		ROW(test_reload),
		ROW(test_watching),
		ROW(test_write_keeps_comments),
		ROW(test_base_hash),
		ROW(test_invalid_results_are_refused),
		ROW(test_redacted_values_come_back),
		ROW(test_redacted_items),
		ROW(test_writing_over_includes),
		ROW(test_list_items),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
