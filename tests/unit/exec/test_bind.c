/*
 * exec/bind: what was shown is what runs, or nothing does.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "run_bound.h"

static struct bench bench;

static int set_up(void **state)
{
	(void)state;
	memset(&bench, 0, sizeof(bench));
	bench_init(&bench);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	bench_done(&bench);
	return 0;
}

static struct exec_bound *bound(const char *text)
{
	struct exec_bound *b = NULL;
	struct ch_err err = { 0 };

	if (bind_text(&bench, text, &b, &err))
		fail_msg("%s: %s", text, err.text);
	return b;
}

static const char *at_bin(const char *name)
{
	return arena_printf(bench.a, "%s/%s", bench.bin, name);
}

static void expect_denied(struct exec_bound *b, const char *part)
{
	struct ch_err err = { 0 };

	assert_int_equal(exec_bound_check(b, &err), CH_E_DENIED);
	if (!strstr(err.text, part))
		fail_msg("%s", err.text);
}

static void test_runs_what_was_bound(void **state)
{
	CH_AUTO(exec_bound_unref) struct exec_bound *b = bound("p a | q 0 && r 'b c'");

	(void)state;
	assert_int_equal(exec_bound_check(b, NULL), CH_OK);
	assert_int_equal(run_bound(&bench, b), 0);
	assert_string_equal(take_trace(&bench), "p <a>\nq <0>\nr <b c>\n");
	/* Once more: nothing was used up. */
	assert_int_equal(exec_bound_check(b, NULL), CH_OK);
	assert_int_equal(run_bound(&bench, b), 0);
	assert_string_equal(take_trace(&bench), "p <a>\nq <0>\nr <b c>\n");
}

static void test_hash_covers_everything(void **state)
{
	const char *env[] = { bench.env[0], bench.env[1], "EXTRA=1", NULL };
	char first[80];
	CH_AUTO(exec_bound_unref) struct exec_bound *a = bound("p a");
	CH_AUTO(exec_bound_unref) struct exec_bound *same = bound("p a");
	CH_AUTO(exec_bound_unref) struct exec_bound *text = bound("p  a");
	CH_AUTO(exec_bound_unref) struct exec_bound *c = NULL;
	CH_AUTO(exec_bound_unref) struct exec_bound *d = NULL;
	struct cmd_plan plan;
	struct exec_want want = { .command = "p a", .plan = &plan, .cwd = bench.work, .env = env, .shell = "/bin/sh" };

	(void)state;
	snprintf(first, sizeof(first), "%s", exec_bound_hash(a));
	assert_int_equal(strlen(first), 64);
	assert_string_equal(exec_bound_hash(same), first);
	assert_string_not_equal(exec_bound_hash(text), first);
	assert_int_equal(cmd_parse("p a", 3, bench.a, &plan, NULL), CH_OK);
	assert_int_equal(exec_bind(&want, &c, NULL), CH_OK);
	assert_string_not_equal(exec_bound_hash(c), first);
	want.env = bench.env;
	want.cwd = bench.bin;
	assert_int_equal(exec_bind(&want, &d, NULL), CH_OK);
	assert_string_not_equal(exec_bound_hash(d), first);
}

static void test_cve_2026_27545_cwd_rebind_is_denied(void **state)
{
	CH_AUTO(exec_bound_unref) struct exec_bound *b = bound("p");
	CH_AUTO(exec_bound_unref) struct exec_bound *c = NULL;
	const char *moved = arena_printf(bench.a, "%s/moved", bench.root);
	struct ch_err err = { 0 };

	(void)state;
	assert_int_equal(rename(bench.work, moved), 0);
	assert_int_equal(symlink(bench.bin, bench.work), 0);
	expect_denied(b, "directory");
	assert_int_equal(bind_text(&bench, "p", &c, &err), CH_E_DENIED);
	assert_non_null(strstr(err.text, "symbolic link"));
	assert_int_equal(unlink(bench.work), 0);
	assert_int_equal(mkdir(bench.work, 0755), 0);
	expect_denied(b, "directory");
}

static void test_threat_toctou_program_replaced_is_denied(void **state)
{
	CH_AUTO(exec_bound_unref) struct exec_bound *b = bound("p");

	(void)state;
	put_stub(&bench, bench.bin, "p");          /* the same text, another file */
	expect_denied(b, "not the file any more");
}

static void test_threat_toctou_program_rewritten_is_denied(void **state)
{
	CH_AUTO(exec_bound_unref) struct exec_bound *b = bound("p");
	int fd = openat(AT_FDCWD, at_bin("p"), O_WRONLY);

	(void)state;
	assert_int_equal(write(fd, "#!/bin/no", 9), 9);
	close(fd);
	expect_denied(b, "'p'");
}

/* Checked, then rewritten in place at the last moment: the sealed copy runs. */
static void test_threat_toctou_copy_runs_not_the_file(void **state)
{
	CH_AUTO(exec_bound_unref) struct exec_bound *b = bound("p x");
	int fd;

	(void)state;
	assert_int_equal(exec_bound_check(b, NULL), CH_OK);
	fd = openat(AT_FDCWD, at_bin("p"), O_WRONLY | O_TRUNC);
	assert_int_equal(write(fd, "#!/bin/sh\nexit 66\n", 18), 18);
	close(fd);
	assert_int_equal(run_bound(&bench, b), 0);
	assert_string_equal(take_trace(&bench), "p <x>\n");
}

static void test_threat_path_poisoning_earlier_program_is_denied(void **state)
{
	const char *early = arena_printf(bench.a, "%s/early", bench.root);
	CH_AUTO(exec_bound_unref) struct exec_bound *b = NULL;
	CH_AUTO(exec_bound_unref) struct exec_bound *wrapped = NULL;

	(void)state;
	assert_int_equal(mkdir(early, 0755), 0);
	bench.env[0] = arena_printf(bench.a, "PATH=%s:%s:/usr/bin:/bin", early, bench.bin);
	b = bound("p");
	wrapped = bound("nice p");
	put_stub(&bench, early, "p");
	expect_denied(b, "'p'");
	expect_denied(wrapped, "'p'");
}

/* Programs are never taken from the directory a command runs in, whatever PATH says. */
static void test_threat_path_poisoning_relative_entries_are_passed_over(void **state)
{
	CH_AUTO(exec_bound_unref) struct exec_bound *b = NULL;

	(void)state;
	put_stub(&bench, bench.work, "evil");
	bench.env[0] = arena_printf(bench.a, "PATH=:.:./:%s:", bench.bin);
	b = bound("evil || p");
	assert_int_equal(exec_bound_check(b, NULL), CH_OK);
	assert_int_equal(run_bound(&bench, b), 0);
	assert_string_equal(take_trace(&bench), "p\n");
}

static void test_missing_program_stays_missing(void **state)
{
	CH_AUTO(exec_bound_unref) struct exec_bound *b = bound("nope");

	(void)state;
	assert_int_equal(exec_bound_check(b, NULL), CH_OK);
	assert_int_equal(run_bound(&bench, b), 127);
	put_stub(&bench, bench.bin, "nope");
	expect_denied(b, "is now");
}

/* What a wrapper runs is named by its path: PATH is not asked again. */
static void test_wrapped_program_is_absolute(void **state)
{
	CH_AUTO(exec_bound_unref) struct exec_bound *b = NULL;
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	const struct json *argv;

	(void)state;
	bench.env[0] = arena_printf(bench.a, "PATH=%s:/usr/bin:/bin", bench.bin);
	b = bound("nice -n 1 p x");
	argv = json_path(exec_bound_json(b, a), "steps.0.argv");
	assert_string_equal(json_str(json_at(argv, 0)), "nice");
	assert_string_equal(json_str(json_at(argv, 3)), at_bin("p"));
	assert_int_equal(exec_bound_check(b, NULL), CH_OK);
	assert_int_equal(run_bound(&bench, b), 0);
	assert_string_equal(take_trace(&bench), "p <x>\n");
}

static void test_threat_toctou_script_of_an_interpreter(void **state)
{
	const char *script = arena_printf(bench.a, "%s/x.sh", bench.work);
	CH_AUTO(exec_bound_unref) struct exec_bound *b = NULL;
	CH_AUTO(exec_bound_unref) struct exec_bound *opaque = NULL;

	(void)state;
	bench.env[0] = arena_printf(bench.a, "PATH=%s:/usr/bin:/bin", bench.bin);
	put_file(script, "p from script\n", 0644);
	b = bound("sh -e x.sh");
	opaque = bound("sh x.sh > /dev/null");
	assert_int_equal(exec_bound_check(b, NULL), CH_OK);
	assert_int_equal(run_bound(&bench, b), 0);
	assert_string_equal(take_trace(&bench), "p <from> <script>\n");
	put_file(script, "q\n", 0644);
	expect_denied(b, "x.sh");
	expect_denied(opaque, "x.sh");
}

/* GHSA-9969-8g9h-rxwm, GHSA-hjr6-g723-hmfm: names that steer the loader or the shell's start. */
static void test_cve_2026_53864_environment_of_loaders_is_refused(void **state)
{
	static const char *const names[] = { "LD_PRELOAD=x", "LD_LIBRARY_PATH=", "LD_AUDIT=x", "BASH_ENV=x", "ENV=x", "SHELLOPTS=xtrace",
					     "BASH_FUNC_p%%=() { q; }", "IFS=x", "PS4=$(q)", "GCONV_PATH=.", "GLIBC_TUNABLES=x", "NODE_OPTIONS=x", "GIT_SSH_COMMAND=x",
					     "PYTHONSTARTUP=x", "PERL5OPT=x", "novalue", "=x" };

	(void)state;
	for (size_t i = 0; i < CH_ARRAY_LEN(names); i++) {
		CH_AUTO(exec_bound_unref) struct exec_bound *b = NULL;
		struct ch_err err = { 0 };

		bench.env[2] = names[i];
		assert_int_not_equal(bind_text(&bench, "p", &b, &err), CH_OK);
		assert_true(*err.text);
	}
}

/* The environment is exactly what was bound. */
static void test_environment_is_exact(void **state)
{
	CH_AUTO(exec_bound_unref) struct exec_bound *b = NULL;
	CH_AUTO_BUF struct buf out = { 0 };
	const char *to = arena_printf(bench.a, "%s/env", bench.root);

	(void)state;
	setenv("CHELA_TEST_LEAK", "leak", 1);
	bench.env[0] = "PATH=/usr/bin:/bin";
	b = bound(arena_printf(bench.a, "env | tee %s", to));
	assert_int_equal(run_bound(&bench, b), 0);
	assert_int_equal(file_read(to, 4096, &out, NULL), CH_OK);
	assert_string_equal(buf_str(&out), arena_printf(bench.a, "%s\n%s\n", bench.env[0], bench.env[1]));
	unsetenv("CHELA_TEST_LEAK");
}

static struct json *again(const struct exec_bound *b)
{
	char *text = json_to_str(bench.a, exec_bound_json(b, bench.a));
	struct json *v = NULL;

	assert_int_equal(json_parse(bench.a, text, strlen(text), JSON_STRICT, &v, NULL), CH_OK);
	return v;
}

static void test_reopened_after_a_restart(void **state)
{
	CH_AUTO(exec_bound_unref) struct exec_bound *b = bound("p 'a b' | q; nope");
	CH_AUTO(exec_bound_unref) struct exec_bound *r = NULL;
	CH_AUTO(exec_bound_unref) struct exec_bound *changed = NULL;
	struct json *stored = again(b);
	struct ch_err err = { 0 };

	(void)state;
	assert_int_equal(exec_bind_reopen(stored, &r, &err), CH_OK);
	assert_string_equal(exec_bound_hash(r), exec_bound_hash(b));
	assert_int_equal(exec_bound_check(r, NULL), CH_OK);
	assert_int_equal(run_bound(&bench, r), 127);
	assert_string_equal(take_trace(&bench), "p <a b>\nq\n");
	put_stub(&bench, bench.bin, "q");
	assert_int_equal(exec_bind_reopen(stored, &changed, &err), CH_E_DENIED);
	assert_non_null(strstr(err.text, "'q'"));
}

static void test_reopened_opaque(void **state)
{
	CH_AUTO(exec_bound_unref) struct exec_bound *b = bound("p > out");
	CH_AUTO(exec_bound_unref) struct exec_bound *r = NULL;

	(void)state;
	assert_int_equal(exec_bind_reopen(again(b), &r, NULL), CH_OK);
	assert_string_equal(exec_bound_hash(r), exec_bound_hash(b));
	assert_int_equal(run_bound(&bench, r), 0);
	assert_string_equal(take_trace(&bench), "p\n");
}

/* A stored binding that somebody tampered with is not the one whose hash was approved, or cannot be read. */
static void test_reopened_tampered(void **state)
{
	CH_AUTO(exec_bound_unref) struct exec_bound *b = bound("p a");
	CH_AUTO(exec_bound_unref) struct exec_bound *r = NULL;
	CH_AUTO(exec_bound_unref) struct exec_bound *none = NULL;
	struct json *v = again(b), *step = json_path(v, "steps.0");
	static const char *const drop[] = { "version", "command", "cwd", "steps", "files" };

	(void)state;
	json_push(json_get(step, "argv"), json_new_str(bench.a, "b"));
	assert_int_equal(exec_bind_reopen(v, &r, NULL), CH_OK);
	assert_string_not_equal(exec_bound_hash(r), exec_bound_hash(b));
	json_set(bench.a, step, "file", json_new_int(bench.a, 7));
	assert_int_equal(exec_bind_reopen(v, &none, NULL), CH_E_DENIED);
	for (size_t i = 0; i < CH_ARRAY_LEN(drop); i++) {
		v = again(b);
		json_unset(v, drop[i]);
		assert_int_equal(exec_bind_reopen(v, &none, NULL), CH_E_DENIED);
	}
	assert_int_equal(exec_bind_reopen(NULL, &none, NULL), CH_E_DENIED);
}

/* A secret is bound by its hash and never written down. */
static void test_secrets_are_not_written(void **state)
{
	const char *env[] = { bench.env[0], bench.env[1], "TOKEN=hunter2-canary", NULL };
	static const char *const secret[] = { "TOKEN", NULL };
	CH_AUTO(exec_bound_unref) struct exec_bound *b = NULL;
	CH_AUTO(exec_bound_unref) struct exec_bound *r = NULL;
	struct cmd_plan plan;
	struct exec_want want = { .command = "p", .plan = &plan, .cwd = bench.work, .env = env, .shell = "/bin/sh", .secret_env = secret };
	struct ch_err err = { 0 };

	(void)state;
	assert_int_equal(cmd_parse("p", 1, bench.a, &plan, NULL), CH_OK);
	assert_int_equal(exec_bind(&want, &b, NULL), CH_OK);
	assert_null(strstr(json_to_str(bench.a, exec_bound_json(b, bench.a)), "canary"));
	assert_int_equal(run_bound(&bench, b), 0);
	assert_int_equal(exec_bind_reopen(again(b), &r, &err), CH_E_DENIED);
	assert_non_null(strstr(err.text, "TOKEN"));
}

static size_t open_fds(void)
{
	size_t n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void use_and_drop(void)
{
	CH_AUTO(exec_bound_unref) struct exec_bound *b = bound("p | q && nope; for x in 1; do r; done");
	CH_AUTO(exec_bound_unref) struct exec_bound *c = bound("p | q && nope");
	CH_AUTO(exec_bound_unref) struct exec_bound *r = NULL;

	assert_int_equal(exec_bound_check(b, NULL), CH_OK);
	assert_int_equal(exec_bound_check(c, NULL), CH_OK);
	assert_int_equal(exec_bind_reopen(again(c), &r, NULL), CH_OK);
	run_bound(&bench, c);
}

static void test_no_descriptor_is_left(void **state)
{
	size_t before = open_fds();

	(void)state;
	for (int i = 0; i < 3; i++)
		use_and_drop();
	assert_int_equal(open_fds(), before);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_runs_what_was_bound),
		T(test_hash_covers_everything),
		T(test_cve_2026_27545_cwd_rebind_is_denied),
		T(test_threat_toctou_program_replaced_is_denied),
		T(test_threat_toctou_program_rewritten_is_denied),
		T(test_threat_toctou_copy_runs_not_the_file),
		T(test_threat_path_poisoning_earlier_program_is_denied),
		T(test_threat_path_poisoning_relative_entries_are_passed_over),
		T(test_missing_program_stays_missing),
		T(test_wrapped_program_is_absolute),
		T(test_threat_toctou_script_of_an_interpreter),
		T(test_cve_2026_53864_environment_of_loaders_is_refused),
		T(test_environment_is_exact),
		T(test_reopened_after_a_restart),
		T(test_reopened_opaque),
		T(test_reopened_tampered),
		T(test_secrets_are_not_written),
		T(test_no_descriptor_is_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
