/*
 * run_bound.h - for tests of bind and runner: a scratch folder with stub programs, and a bound command carried out.
 *
 * A stub reads all of its input, adds its name and its arguments to the trace, and exits with its first argument when
 * that is a digit. So a pipeline's order is the same every time.
 */
#ifndef RUN_BOUND_H
#define RUN_BOUND_H

#include <errno.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/child.h"
#include "core/file.h"
#include "core/str.h"
#include "exec/bind.h"
#include "exec/runner.h"
#include "../temp_dir.h"

struct bench {
	struct arena *a;
	char *root, *bin, *work, *trace;
	const char *env[4];
};

static inline void put_file(const char *path, const char *text, mode_t mode)
{
	assert_int_equal(file_write_atomic(path, text, strlen(text), mode, NULL), CH_OK);
	assert_int_equal(chmod(path, mode), 0);
}

static inline void put_stub(struct bench *b, const char *dir, const char *name)
{
	const char *text = arena_printf(b->a,
					"#!/bin/sh\nwhile read -r l; do :; done\n{ printf '%%s' '%s'; for x do printf ' <%%s>' \"$x\"; done; "
					"echo; } >>\"$TRACE\"\ncase $1 in [0-9]) exit \"$1\";; esac\necho out\n", name);

	put_file(arena_printf(b->a, "%s/%s", dir, name), text, 0755);
}

static inline void bench_init(struct bench *b)
{
	char dir[TEMP_DIR_MAX];

	temp_dir_make(dir, "bound");
	b->a = arena_new(0);
	b->root = realpath(dir, NULL);
	b->bin = arena_printf(b->a, "%s/bin", b->root);
	b->work = arena_printf(b->a, "%s/work", b->root);
	b->trace = arena_printf(b->a, "%s/trace", b->root);
	assert_int_equal(mkdir(b->bin, 0755), 0);
	assert_int_equal(mkdir(b->work, 0755), 0);
	b->env[0] = arena_printf(b->a, "PATH=%s", b->bin);
	b->env[1] = arena_printf(b->a, "TRACE=%s", b->trace);
	for (const char *name = "pqrs"; *name; name++)
		put_stub(b, b->bin, arena_printf(b->a, "%c", *name));
}

static inline void bench_done(struct bench *b)
{
	temp_dir_remove(b->root);
	free(b->root);
	arena_unref(b->a);
}

static inline ch_status bind_text(struct bench *b, const char *text, struct exec_bound **ret, struct ch_err *err)
{
	struct cmd_plan *plan = arena_alloc(b->a, sizeof(*plan));
	struct exec_want want = { .command = text, .plan = plan, .cwd = b->work, .env = b->env, .shell = "/bin/sh" };

	assert_int_equal(cmd_parse(text, strlen(text), b->a, plan, NULL), CH_OK);
	return exec_bind(&want, ret, err);
}

static inline void quiet(const char *out)
{
	int in = openat(AT_FDCWD, "/dev/null", O_RDONLY), to = openat(AT_FDCWD, out, O_WRONLY | O_CREAT | O_APPEND, 0600);

	dup2(in, 0);
	dup2(to, 1);
	dup2(to, 2);
}

static inline int wait_status(pid_t pid)
{
	int st;

	while (waitpid(pid, &st, 0) < 0)
		assert_int_equal(errno, EINTR);
	return WIFSIGNALED(st) ? 128 + WTERMSIG(st) : WEXITSTATUS(st);
}

/* What child_start() does with a spec, in short: the runner, in a process of its own. */
static inline int run_bound(struct bench *b, struct exec_bound *bound)
{
	struct child_spec spec;
	pid_t pid;

	exec_bound_spec(bound, b->a, &spec);
	pid = fork();
	if (!pid) {
		quiet("/dev/null");
		if (fchdir(spec.cwd_fd))
			_exit(99);
		for (size_t i = 0; i < spec.fd_count; i++)
			fcntl(spec.fds[i], F_SETFD, 0);
		_exit(exec_runner_main(3, (char **)(uintptr_t)spec.argv));
	}
	return wait_status(pid);
}

/* The trace since the last time. */
static inline const char *take_trace(struct bench *b)
{
	CH_AUTO_BUF struct buf text = { 0 };

	if (file_read(b->trace, 1 << 20, &text, NULL))
		return "";
	unlink(b->trace);
	return arena_strdup(b->a, buf_str(&text));
}

#endif
