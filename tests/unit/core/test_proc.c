/*
 * core/proc: what a child gets, what comes back, and how it is ended.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/mem.h"
#include "core/proc.h"
#include "core/str.h"
#include "in_fiber.h"

#define SOON_MS 20000              /* a deadline that is never meant to pass */
#define SH(script) ((const char *const[]){ "/bin/sh", "-c", script, NULL })

static struct proc_result result;
static struct ch_err err;

static ch_status run(struct proc_spec spec)
{
	proc_result_done(&result);
	err = (struct ch_err){ 0 };
	if (!spec.out_max_bytes)
		spec.out_max_bytes = 1 << 20;
	if (!spec.deadline_ms)
		spec.deadline_ms = fiber_deadline(SOON_MS);
	return proc_run(&spec, &result, &err);
}

static int count_fds(void)
{
	int n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void outcomes(void *arg)
{
	static const struct {
		const char *script;
		const char *out, *errout;
		int exit_code, signal;
	} rows[] = {
		{ "exit 0", "", "", 0, 0 },
		{ "exit 7", "", "", 7, 0 },
		{ "echo out; echo err >&2; exit 1", "out\n", "err\n", 1, 0 },
		{ "kill -TERM $$", "", "", -1, SIGTERM },
		{ "kill -KILL $$", "", "", -1, SIGKILL },
		{ "cat", "", "", 0, 0 }, /* stdin is empty, not ours */
		{ "printf '%s' \"$PATH $HOME\"", "/usr/bin:/bin ", "", 0, 0 },
	};

	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		assert_int_equal(run((struct proc_spec){ .argv = SH(rows[i].script) }), CH_OK);
		assert_string_equal(buf_str(&result.out), rows[i].out);
		assert_string_equal(buf_str(&result.errout), rows[i].errout);
		assert_int_equal(result.exit_code, rows[i].exit_code);
		assert_int_equal(result.signal, rows[i].signal);
		assert_false(result.truncated);
	}
}

static void environment(void *arg)
{
	static const char *const env[] = { "ONLY=this", NULL };
	static const char *const argv[] = { "/usr/bin/env", NULL };

	assert_int_equal(run((struct proc_spec){ .argv = argv, .env = env, .cwd = "/" }), CH_OK);
	assert_string_equal(buf_str(&result.out), "ONLY=this\n");
	assert_int_equal(run((struct proc_spec){ .argv = SH("pwd"), .cwd = "/usr" }), CH_OK);
	assert_string_equal(buf_str(&result.out), "/usr\n");
}

/* A descriptor without close-on-exec, as a careless library would leave one. */
static void descriptors(void *arg)
{
	int leaky = fcntl(STDERR_FILENO, F_DUPFD, 50);

	assert_true(leaky >= 50);
	assert_int_equal(run((struct proc_spec){ .argv = SH("ls /proc/$$/fd") }), CH_OK);
	assert_string_equal(buf_str(&result.out), "0\n1\n2\n");
	close(leaky);
}

static void session(void *arg)
{
	/*
	 * Its own session and process group, no signal ignored or blocked although we ignore SIGPIPE;
	 * the two that the C library keeps for its threads (32 and 33) do not count.
	 */
	assert_int_equal(run((struct proc_spec){
				 .argv = SH("set -- $(cat /proc/$$/stat); echo $(($1 == $5)) $(($1 == $6)); "
					    "while read -r name value; do case $name in "
					    "SigBlk:|SigIgn:) echo $name $((0x$value & 0x7fffffff));; "
					    "esac; done < /proc/$$/status") }),
			 CH_OK);
	assert_string_equal(buf_str(&result.out), "1 1\nSigBlk: 0\nSigIgn: 0\n");
}

#define BIG (1 << 20)

static void input(void *arg)
{
	char *text = ch_alloc(BIG);

	memset(text, 'x', BIG);
	assert_int_equal(run((struct proc_spec){ .argv = SH("wc -c"), .input = text, .input_len = BIG }),
			 CH_OK);
	assert_string_equal(buf_str(&result.out), "1048576\n");
	/* Through the child and back, more than the pipes can hold. */
	assert_int_equal(run((struct proc_spec){
				 .argv = SH("cat"), .input = text, .input_len = BIG, .out_max_bytes = BIG }),
			 CH_OK);
	assert_int_equal(result.out.len, BIG);
	assert_memory_equal(result.out.data, text, BIG);
	assert_false(result.truncated);
	/* A child that does not want its input. */
	assert_int_equal(run((struct proc_spec){
				 .argv = SH("exec <&-; echo done"), .input = text, .input_len = BIG }),
			 CH_OK);
	assert_string_equal(buf_str(&result.out), "done\n");
	assert_int_equal(run((struct proc_spec){ .argv = SH("cat"), .input = "", .input_len = 0 }), CH_OK);
	assert_string_equal(buf_str(&result.out), "");
	ch_free(text);
}

static void output_cap(void *arg)
{
	assert_int_equal(run((struct proc_spec){ .argv = SH("head -c 300000 /dev/zero; echo x >&2"),
						 .out_max_bytes = 1000 }),
			 CH_OK);
	assert_int_equal(result.out.len, 1000);
	assert_string_equal(buf_str(&result.errout), "x\n");
	assert_true(result.truncated);
	assert_int_equal(result.exit_code, 0);
	assert_int_equal(run((struct proc_spec){ .argv = SH("printf 1234"), .out_max_bytes = 4 }), CH_OK);
	assert_int_equal(result.out.len, 4);
	assert_false(result.truncated);
}

static void refused(void *arg)
{
	static const struct {
		const char *argv0, *cwd;
		ch_status st;
		const char *text;
	} rows[] = {
		{ "sh", NULL, CH_E_INVALID, "absolute" },
		{ NULL, NULL, CH_E_INVALID, "absolute" },
		{ "/nonexistent/program", NULL, CH_E_NOT_FOUND, "/nonexistent/program: cannot start it" },
		{ "/etc/passwd", NULL, CH_E_IO, "Permission denied" },
		{ "/bin/sh", "/nonexistent", CH_E_NOT_FOUND, "in /nonexistent" },
	};
	int before = count_fds();

	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		const char *argv[] = { rows[i].argv0, NULL };

		assert_int_equal(run((struct proc_spec){ .argv = argv, .cwd = rows[i].cwd }), rows[i].st);
		assert_non_null(strstr(err.text, rows[i].text));
	}
	assert_int_equal(run((struct proc_spec){ 0 }), CH_E_INVALID);
	assert_int_equal(count_fds(), before);
}

/* Gone, or a zombie that waits for whoever is init here. */
static bool is_dead(long pid)
{
	char path[64], text[256] = "";
	const char *state;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%ld/stat", pid);
	f = fopen(path, "re");
	if (!f)
		return errno == ENOENT;
	(void)!fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	state = strrchr(text, ')');
	return !state || state[2] == 'Z';
}

/* The scripts write two numbers, their own and that of a child of theirs. */
static void assert_dead(const char *pids)
{
	char *rest;
	long pid = strtol(pids, &rest, 10), child = strtol(rest, NULL, 10);

	assert_true(pid > 0 && child > 0);
	assert_true(is_dead(pid));
	/* SIGKILL was sent before proc_run() returned, but the kernel may need a moment. */
	for (int i = 0; i < 2000 && !is_dead(child); i++)
		assert_int_equal(fiber_sleep(1), CH_OK);
	assert_true(is_dead(child));
}

/* Lets the child print something, which it does when all is set up. */
static void await_output(void)
{
	while (!result.out.len)
		assert_int_equal(fiber_yield(), CH_OK);
}

#define START_MS 1000
#define DEADLINE_MS 2000

/* Moves the faked clock past the deadline, and past the time of grace when arg says so. */
static void move_clock(void *arg)
{
	await_output();
	clock_fake(DEADLINE_MS, DEADLINE_MS);
	for (int i = 0; i < 3; i++)
		assert_int_equal(fiber_yield(), CH_OK);
	if (arg)
		clock_fake(DEADLINE_MS + PROC_GRACE_MS, DEADLINE_MS);
}

static void run_past_deadline(const char *script, bool past_grace)
{
	proc_result_done(&result);
	clock_fake(START_MS, START_MS);
	fiber_spawn(fiber_loop(), "clock", FIBER_DETACHED, move_clock, past_grace ? &result : NULL);
	assert_int_equal(run((struct proc_spec){ .argv = SH(script), .deadline_ms = DEADLINE_MS }),
			 CH_E_TIMEOUT);
	clock_real();
	assert_non_null(strstr(err.text, "deadline"));
	assert_dead(buf_str(&result.out));
}

static void deadline_kills_the_group(void *arg)
{
	run_past_deadline("sleep 1000 & echo $$ $!; wait", false);
	assert_int_equal(result.signal, SIGTERM);
}

static void deadline_kills_the_stubborn(void *arg)
{
	run_past_deadline("trap '' TERM; (while :; do sleep 1; done) & echo $$ $!; while :; do sleep 1; done",
			  true);
	assert_int_equal(result.signal, SIGKILL);
}

static void leftovers_are_killed(void *arg)
{
	assert_int_equal(run((struct proc_spec){ .argv = SH("sleep 1000 & echo $$ $!") }), CH_OK);
	assert_int_equal(result.exit_code, 0);
	assert_dead(buf_str(&result.out));
}

static struct fiber *runner;

static void cancel_runner(void *arg)
{
	await_output();
	fiber_cancel(runner);
}

static void canceled(void *arg)
{
	runner = fiber_self();
	proc_result_done(&result);
	fiber_spawn(fiber_loop(), "canceler", FIBER_DETACHED, cancel_runner, NULL);
	assert_int_equal(run((struct proc_spec){ .argv = SH("echo up; exec sleep 1000") }), CH_E_CANCELED);
	assert_int_equal(result.signal, SIGTERM);
	assert_string_equal(buf_str(&result.out), "up\n");
	/* It sticks: the next child is ended as soon as it is there. */
	assert_int_equal(run((struct proc_spec){ .argv = SH("exec sleep 1000") }), CH_E_CANCELED);
}

static const struct {
	const char *name;
	fiber_fn fn;
} bodies[] = {
	{ "outcomes", outcomes },
	{ "environment", environment },
	{ "descriptors", descriptors },
	{ "session", session },
	{ "input", input },
	{ "output cap", output_cap },
	{ "refused", refused },
	{ "deadline kills the group", deadline_kills_the_group },
	{ "deadline kills the stubborn", deadline_kills_the_stubborn },
	{ "leftovers are killed", leftovers_are_killed },
	{ "canceled", canceled },
};

static void run_body(void **state)
{
	int before = count_fds();

	in_fiber(bodies[(size_t)*state].fn, NULL);
	assert_int_equal(count_fds(), before);
	proc_result_done(&result);
}

int main(void)
{
	struct CMUnitTest tests[CH_ARRAY_LEN(bodies)];

	/* libuv keeps a few descriptors for the process from its first loop on. */
	loop_free(loop_new());
	for (size_t i = 0; i < CH_ARRAY_LEN(bodies); i++)
		tests[i] = (struct CMUnitTest){ bodies[i].name, run_body, NULL, NULL, (void *)i };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
