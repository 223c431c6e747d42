/*
 * core/child: streams, the terminal, who is killed and when, what is inherited, that nothing is left.
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
#include <sys/wait.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/child.h"
#include "core/clock.h"
#include "core/mem.h"
#include "core/str.h"
#include "in_fiber.h"

#define SOON_MS 20000              /* a deadline that is never meant to pass */
#define SH(script) ((const char *const[]){ "/bin/sh", "-c", script, NULL })
#define BASH(script) ((const char *const[]){ "/bin/bash", "-c", script, NULL })

struct heard {
	struct child *child;
	struct buf out, errout;
	struct child_exit end;
	int ends;
	struct fiber *fiber;
	bool frees_on_output, frees_on_exit;
};

static struct heard h;
static struct ch_err err;

static void on_output(void *arg, enum child_stream s, const char *data, size_t len)
{
	assert_int_equal(h.ends, 0);
	buf_append(s == CHILD_STDOUT ? &h.out : &h.errout, data, len);
	fiber_wake(h.fiber);
	if (h.frees_on_output && h.child)
		child_free(CH_TAKE(h.child));
}

static void on_exit_told(void *arg, const struct child_exit *e)
{
	h.ends++;
	h.end = *e;
	fiber_wake(h.fiber);
	if (h.frees_on_exit)
		child_free(CH_TAKE(h.child));
}

static void forget(void)
{
	child_free(CH_TAKE(h.child));
	buf_done(&h.out);
	buf_done(&h.errout);
}

static ch_status start(struct child_spec spec)
{
	static const char *const env[] = { "PATH=/usr/bin:/bin", NULL };

	memset(&h, 0, sizeof(h));
	buf_init(&h.out, 8u << 20);
	buf_init(&h.errout, 1u << 20);
	h.fiber = fiber_self();
	err = (struct ch_err){ 0 };
	if (!spec.exe_fd)
		spec.exe_fd = -1;
	if (!spec.cwd_fd)
		spec.cwd_fd = -1;
	if (!spec.env)
		spec.env = env;
	spec.on_output = on_output;
	spec.on_exit = on_exit_told;
	return child_start(fiber_loop(), &spec, &h.child, &err);
}

static void await_end(void)
{
	while (!h.ends)
		assert_int_equal(fiber_park(fiber_deadline(SOON_MS)), CH_OK);
}

/* Until the output holds this text. */
static void await_text(const char *text)
{
	while (!strstr(buf_str(&h.out), text))
		assert_int_equal(fiber_park(fiber_deadline(SOON_MS)), CH_OK);
}

static void run(struct child_spec spec)
{
	assert_int_equal(start(spec), CH_OK);
	await_end();
}

static int count_fds(void)
{
	int n = 0;

	for (int fd = 0; fd < 512; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
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

static void assert_dead(long pid)
{
	assert_true(pid > 0);
	for (int i = 0; i < 5000 && !is_dead(pid); i++)
		assert_int_equal(fiber_sleep(1), CH_OK);
	assert_true(is_dead(pid));
}

/* The number after a word of the output. */
static long number_after(const char *word)
{
	const char *at = strstr(buf_str(&h.out), word);

	assert_non_null(at);
	return strtol(at + strlen(word), NULL, 10);
}

/* ---- how it ends ---- */

static void outcomes(void *arg)
{
	static const struct {
		const char *script;
		const char *out, *errout;
		int code, signal;
	} rows[] = {
		{ "exit 0", "", "", 0, 0 },
		{ "exit 7", "", "", 7, 0 },
		{ "echo out; echo err >&2; exit 1", "out\n", "err\n", 1, 0 },
		{ "kill -TERM $$", "", "", -1, SIGTERM },
		{ "kill -KILL $$", "", "", -1, SIGKILL },
		{ "kill -SEGV $$", "", "", -1, SIGSEGV },
		{ "printf '%s' \"$PATH $HOME\"", "/usr/bin:/bin ", "", 0, 0 },
	};

	for (size_t i = 0; i < 2 * CH_ARRAY_LEN(rows); i++) {
		size_t n = i / 2;

		run((struct child_spec){ .argv = SH(rows[n].script), .is_contained = i % 2 });
		assert_string_equal(buf_str(&h.out), rows[n].out);
		assert_string_equal(buf_str(&h.errout), rows[n].errout);
		assert_int_equal(h.end.code, rows[n].code);
		assert_int_equal(h.end.signal, rows[n].signal);
		forget();
	}
}

static void much_output(void *arg)
{
	run((struct child_spec){ .argv = SH("head -c 3000000 /dev/zero; head -c 100000 /dev/zero >&2") });
	assert_int_equal(h.out.len, 3000000);
	assert_int_equal(h.errout.len, 100000);
	assert_int_equal(h.end.code, 0);
	forget();
}

static void refused(void *arg)
{
	static const struct {
		const char *argv0, *cwd;
		ch_status st;
		const char *text;
	} rows[] = {
		{ "sh", NULL, CH_E_INVALID, "absolute" },
		{ "/nonexistent/program", NULL, CH_E_NOT_FOUND, "/nonexistent/program: cannot start it" },
		{ "/etc/passwd", NULL, CH_E_DENIED, "Permission denied" },
		{ "/bin/sh", "/nonexistent", CH_E_NOT_FOUND, "in /nonexistent" },
	};
	int before = count_fds();

	for (size_t i = 0; i < 2 * CH_ARRAY_LEN(rows); i++) {
		const char *argv[] = { rows[i / 2].argv0, NULL };

		assert_int_equal(start((struct child_spec){
					 .argv = argv, .cwd = rows[i / 2].cwd, .is_contained = i % 2 }),
				 rows[i / 2].st);
		assert_non_null(strstr(err.text, rows[i / 2].text));
		assert_null(h.child);
		forget();
	}
	for (int i = 0; i < 2000 && count_fds() != before; i++)
		assert_int_equal(fiber_sleep(1), CH_OK);
	assert_int_equal(count_fds(), before);
}

static void canceled_start(void *arg)
{
	struct fiber *self = fiber_self();

	fiber_cancel(self);
	assert_int_equal(start((struct child_spec){ .argv = SH("sleep 100") }), CH_E_CANCELED);
	assert_null(h.child);
}

/* ---- what it gets ---- */

static void surroundings(void *arg)
{
	static const char *const env[] = { "ONLY=this", NULL };
	static const char *const argv[] = { "/usr/bin/env", NULL };
	int dir = open("/usr", O_PATH | O_DIRECTORY | O_CLOEXEC);

	run((struct child_spec){ .argv = argv, .env = env, .cwd = "/" });
	assert_string_equal(buf_str(&h.out), "ONLY=this\n");
	forget();
	run((struct child_spec){ .argv = SH("pwd"), .cwd = "/usr" });
	assert_string_equal(buf_str(&h.out), "/usr\n");
	forget();
	run((struct child_spec){ .argv = SH("pwd"), .cwd = "/", .cwd_fd = dir });
	assert_string_equal(buf_str(&h.out), "/usr\n");
	forget();
	close(dir);
}

/* A descriptor without close-on-exec, as a careless library would leave one, is not inherited; one that is named is. */
static void descriptors(void *arg)
{
	int leaky = fcntl(STDERR_FILENO, F_DUPFD, 50), given = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 60);

	for (int contained = 0; contained < 2; contained++) {
		run((struct child_spec){ .argv = SH("exec ls /proc/self/fd"), .is_contained = contained });
		assert_string_equal(buf_str(&h.out), "0\n1\n2\n3\n"); /* 3: the folder that ls reads */
		forget();
		run((struct child_spec){ .argv = SH("exec ls /proc/self/fd"), .is_contained = contained,
					 .fds = &given, .fd_count = 1 });
		assert_string_equal(buf_str(&h.out), "0\n1\n2\n3\n60\n");
		forget();
	}
	close(leaky);
	close(given);
}

/* What was opened is executed, whatever the name means by now; the program does not see the descriptor. */
static void executed_by_descriptor(void *arg)
{
	int echo = open("/bin/echo", O_PATH | O_CLOEXEC), ls = open("/bin/ls", O_RDONLY | O_CLOEXEC);
	static const char *const argv[] = { "/nonexistent/echo", "it", "is", "me", NULL };
	static const char *const ls_argv[] = { "/nonexistent/ls", "/proc/self/fd", NULL };

	for (int contained = 0; contained < 2; contained++) {
		run((struct child_spec){ .argv = argv, .exe_fd = echo, .is_contained = contained });
		assert_string_equal(buf_str(&h.out), "it is me\n");
		forget();
	}
	run((struct child_spec){ .argv = ls_argv, .exe_fd = ls });
	assert_string_equal(buf_str(&h.out), "0\n1\n2\n3\n"); /* 3: the folder that ls reads */
	forget();
	close(echo);
	close(ls);
}

static void script_by_descriptor(void *arg)
{
	char path[] = "/tmp/chela-child-XXXXXX";
	int made = mkstemp(path), fd;
	const char *argv[] = { "/nonexistent/script", NULL };

	assert_int_equal(write(made, "#!/bin/sh\necho script\n", 22), 22);
	fchmod(made, 0700);
	close(made);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	run((struct child_spec){ .argv = argv, .exe_fd = fd });
	assert_string_equal(buf_str(&h.out), "script\n");
	forget();
	close(fd);
	unlink(path);
}

static void signals_are_default(void *arg)
{
	run((struct child_spec){
		.argv = SH("set -- $(cat /proc/$$/stat); echo $(($1 == $5)) $(($1 == $6)); "
			   "while read -r name value; do case $name in "
			   "SigBlk:|SigIgn:) echo $name $((0x$value & 0x7fffffff));; esac; done < /proc/$$/status") });
	assert_string_equal(buf_str(&h.out), "1 1\nSigBlk: 0\nSigIgn: 0\n");
	forget();
}

/* ---- input ---- */

static void input(void *arg)
{
	char *text = ch_alloc(CHILD_STDIN_MAX);

	memset(text, 'x', CHILD_STDIN_MAX);
	assert_int_equal(start((struct child_spec){ .argv = SH("cat") }), CH_OK);
	assert_true(child_reads(h.child));
	assert_int_equal(child_write(h.child, "hello\n", 6, &err), CH_OK);
	await_text("hello\n");
	buf_clear(&h.out);
	assert_int_equal(child_write(h.child, text, CHILD_STDIN_MAX, &err), CH_OK);
	child_close_stdin(h.child);
	assert_int_equal(child_write(h.child, "x", 1, &err), CH_E_EOF);
	await_end();
	assert_int_equal(h.out.len, CHILD_STDIN_MAX);
	assert_memory_equal(h.out.data, text, CHILD_STDIN_MAX);
	forget();
	ch_free(text);
}

static void input_backpressure(void *arg)
{
	char text[2048];
	size_t taken = 0;
	ch_status st;

	memset(text, 'x', sizeof(text));
	assert_int_equal(start((struct child_spec){ .argv = SH("echo ready; read -r nothing < /dev/null; exec sleep 1000") }),
			 CH_OK);
	await_text("ready");
	while (!(st = child_write(h.child, text, sizeof(text), &err)))
		taken += sizeof(text);
	assert_int_equal(st, CH_E_LIMIT);
	assert_true(taken >= CHILD_STDIN_MAX - sizeof(text));
	forget();
	/* One that closed its end: noticed when it is written to. */
	assert_int_equal(start((struct child_spec){ .argv = SH("exec <&-; echo closed; sleep 1000") }), CH_OK);
	await_text("closed");
	for (int i = 0; i < 2000 && !child_write(h.child, "x", 1, &err); i++)
		assert_int_equal(fiber_sleep(1), CH_OK);
	assert_int_equal(child_write(h.child, "x", 1, &err), CH_E_EOF);
	forget();
}

static void paused(void *arg)
{
	size_t before;

	assert_int_equal(start((struct child_spec){ .argv = SH("echo first; head -c 1000000 /dev/zero; echo last") }), CH_OK);
	await_text("first");
	child_pause(h.child, true);
	before = h.out.len;
	for (int i = 0; i < 50; i++)
		assert_int_equal(fiber_yield(), CH_OK);
	assert_int_equal(h.out.len, before);
	child_pause(h.child, false);
	await_end();
	assert_int_equal(h.out.len, 6 + 1000000 + 5);
	forget();
}

/* ---- a terminal ---- */

static void terminal(void *arg)
{
	assert_int_equal(start((struct child_spec){
				 .argv = BASH("tty; stty size; echo err >&2; read -r a; echo \"got $a\"; read -r b || echo end"),
				 .has_tty = true, .columns = 100, .rows = 40 }),
			 CH_OK);
	await_text("40 100");
	assert_non_null(strstr(buf_str(&h.out), "/dev/pts/"));
	await_text("err");
	assert_int_equal(child_write(h.child, "one\n", 4, &err), CH_OK);
	await_text("got one");
	child_close_stdin(h.child);
	await_text("end");
	await_end();
	assert_int_equal(h.end.code, 0);
	assert_int_equal(h.errout.len, 0);
	forget();
}

/* The terminal is the controlling one: ^C reaches what runs in its foreground. */
static void terminal_controls(void *arg)
{
	assert_int_equal(start((struct child_spec){
				 .argv = BASH("trap 'echo interrupted; exit 3' INT; echo ready; while :; do sleep 0.01; done"),
				 .has_tty = true }),
			 CH_OK);
	await_text("ready");
	assert_int_equal(child_write(h.child, "\003", 1, &err), CH_OK);
	await_end();
	assert_non_null(strstr(buf_str(&h.out), "interrupted"));
	assert_int_equal(h.end.code, 3);
	forget();
}

/* ---- who is killed ---- */

#define FAMILY "sleep 1000 & echo child=$!; setsid sh -c 'echo away=$$; exec sleep 1000' & "
#define DAEMON "(setsid sh -c 'sleep 1000 & echo daemon=$!' &) ; "

static void threat_orphan_dies_with_its_command(void *arg)
{
	long child, away, of_daemon;

	assert_int_equal(start((struct child_spec){ .argv = SH(FAMILY DAEMON "read -r end") }), CH_OK);
	await_text("child=");
	await_text("away=");
	await_text("daemon=");
	assert_int_equal(child_write(h.child, "end\n", 4, &err), CH_OK);
	await_end();
	assert_int_equal(h.end.code, 0);
	child = number_after("child=");
	away = number_after("away=");
	of_daemon = number_after("daemon=");
	assert_dead(child);
	assert_dead(away);
	assert_dead(of_daemon);
	forget();
}

static void stopped(void *arg)
{
	long child;

	assert_int_equal(start((struct child_spec){ .argv = SH(FAMILY "wait") }), CH_OK);
	await_text("away=");
	child = number_after("child=");
	child_stop(h.child);
	await_end();
	assert_int_equal(h.end.signal, SIGTERM);
	assert_dead(child);
	assert_dead(number_after("away="));
	forget();
}

/* One that does not listen to SIGTERM is killed after the time of grace. */
static void stubborn(void *arg)
{
	for (int contained = 0; contained < 2; contained++) {
		assert_int_equal(start((struct child_spec){
					 .argv = SH("trap '' TERM; echo ready; while :; do sleep 0.01; done"),
					 .is_contained = contained }),
				 CH_OK);
		await_text("ready");
		clock_fake(now_mono_ms(), now_wall_ms());
		child_stop(h.child);
		clock_fake(now_mono_ms() + CHILD_GRACE_MS, now_wall_ms());
		assert_int_equal(fiber_yield(), CH_OK);
		clock_real();
		await_end();
		assert_int_equal(h.end.signal, SIGKILL);
		forget();
	}
}

static void freed(void *arg)
{
	long child, away, self;

	assert_int_equal(start((struct child_spec){ .argv = SH(FAMILY "wait") }), CH_OK);
	await_text("away=");
	child = number_after("child=");
	away = number_after("away=");
	self = child_pid(h.child);
	child_free(CH_TAKE(h.child));
	assert_dead(self);
	assert_dead(child);
	assert_dead(away);
	assert_int_equal(h.ends, 0);
	forget();
}

static void freed_in_callbacks(void *arg)
{
	assert_int_equal(start((struct child_spec){ .argv = SH("read -r x; echo one; echo two; sleep 1000") }), CH_OK);
	h.frees_on_output = true;
	assert_int_equal(child_write(h.child, "\n", 1, &err), CH_OK);
	while (h.child)
		assert_int_equal(fiber_park(fiber_deadline(SOON_MS)), CH_OK);
	forget();
	assert_int_equal(start((struct child_spec){ .argv = SH("exit 3") }), CH_OK);
	h.frees_on_exit = true;
	while (h.child)
		assert_int_equal(fiber_park(fiber_deadline(SOON_MS)), CH_OK);
	assert_int_equal(h.ends, 1);
	assert_int_equal(h.end.code, 3);
	forget();
}

static void in_doomed(void *arg)
{
	int to_parent = *(int *)arg;
	char text[64];
	int n;

	if (start((struct child_spec){ .argv = SH("(setsid sh -c 'sleep 1000 & echo daemon=$!; wait' &); sleep 1000 & echo child=$!; "
						  "while :; do sleep 0.1; done") }))
		_exit(1);
	while (!strstr(buf_str(&h.out), "daemon=") || !strstr(buf_str(&h.out), "child="))
		(void)!fiber_park(fiber_deadline(SOON_MS));
	n = snprintf(text, sizeof(text), "%d %ld %ld ", child_pid(h.child), number_after("child="), number_after("daemon="));
	(void)!write(to_parent, text, (size_t)n);
	kill(getpid(), SIGKILL);
}

/* A gateway that is killed leaves nobody behind, not even who ran away from the group. */
static void test_threat_orphan_dies_with_a_killed_gateway(void **state)
{
	int ends[2], status;
	char text[64] = "", *at = text;
	pid_t pid;

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid)
		in_fiber(in_doomed, &ends[1]);
	close(ends[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_true(read(ends[0], text, sizeof(text) - 1) > 0);
	close(ends[0]);
	for (int i = 0; i < 3; i++) {
		long child = strtol(at, &at, 10);

		assert_true(child > 0);
		while (!is_dead(child))
			usleep(1000);
	}
}

static void outlives(void *arg)
{
	long pid;

	assert_int_equal(start((struct child_spec){ .argv = SH("echo ready; exec sleep 1000"), .outlives = true }), CH_OK);
	await_text("ready");
	pid = child_pid(h.child);
	assert_false(is_dead(pid));
	forget();        /* not asked to outlive its object */
	assert_dead(pid);
}

static void nothing_is_left(void *arg)
{
	int before = count_fds();

	for (int i = 0; i < 20; i++) {
		run((struct child_spec){ .argv = SH("echo x"), .has_tty = i % 2, .is_contained = i % 3 == 0 });
		forget();
	}
	for (int i = 0; i < 2000 && count_fds() != before; i++)
		assert_int_equal(fiber_sleep(1), CH_OK);
	assert_int_equal(count_fds(), before);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

#define IN_FIBER(name)                            \
	static void test_##name(void **state)     \
	{                                         \
		in_fiber(name, NULL);             \
		buf_done(&h.out);                 \
		buf_done(&h.errout);              \
	}
IN_FIBER(outcomes)
IN_FIBER(much_output)
IN_FIBER(refused)
IN_FIBER(canceled_start)
IN_FIBER(surroundings)
IN_FIBER(descriptors)
IN_FIBER(executed_by_descriptor)
IN_FIBER(script_by_descriptor)
IN_FIBER(signals_are_default)
IN_FIBER(input)
IN_FIBER(input_backpressure)
IN_FIBER(paused)
IN_FIBER(terminal)
IN_FIBER(terminal_controls)
IN_FIBER(threat_orphan_dies_with_its_command)
IN_FIBER(stopped)
IN_FIBER(stubborn)
IN_FIBER(freed)
IN_FIBER(freed_in_callbacks)
IN_FIBER(outlives)
IN_FIBER(nothing_is_left)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_outcomes),
		cmocka_unit_test(test_much_output),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_canceled_start),
		cmocka_unit_test(test_surroundings),
		cmocka_unit_test(test_descriptors),
		cmocka_unit_test(test_executed_by_descriptor),
		cmocka_unit_test(test_script_by_descriptor),
		cmocka_unit_test(test_signals_are_default),
		cmocka_unit_test(test_input),
		cmocka_unit_test(test_input_backpressure),
		cmocka_unit_test(test_paused),
		cmocka_unit_test(test_terminal),
		cmocka_unit_test(test_terminal_controls),
		cmocka_unit_test(test_threat_orphan_dies_with_its_command),
		cmocka_unit_test(test_stopped),
		cmocka_unit_test(test_stubborn),
		cmocka_unit_test(test_freed),
		cmocka_unit_test(test_freed_in_callbacks),
		cmocka_unit_test(test_threat_orphan_dies_with_a_killed_gateway),
		cmocka_unit_test(test_outlives),
		cmocka_unit_test(test_nothing_is_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
