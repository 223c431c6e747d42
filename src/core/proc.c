/*
 * core/proc.c - one child process: started by posix_spawn(), watched through
 * a pidfd and up to three pipes, all of them in the frame of the fiber that
 * waits.
 *
 *	RUNNING --exit--> kill the rest of its group, reap, read to the end
 *	   | deadline or cancel
 *	   v
 *	SIGTERM --PROC_GRACE_MS--> SIGKILL
 *
 * The child stays unreaped until its group was killed, so that the number of
 * the group cannot belong to somebody else by then.
 */
#include "core/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/fiber.h"

#define READ_BYTES (16u * 1024u)
#define DRAIN_MS 500               /* for a pipe that a process outside of the group still holds */

struct watch {
	uv_poll_t poll;
	struct child *child;
	int fd;                    /* -1: closed, or never opened */
	bool is_watched;           /* the poll handle is initialised */
	bool is_over;              /* end of file, broken pipe, exited */
};

struct child {
	struct fiber *fiber;
	const struct proc_spec *spec;
	struct proc_result *result;
	pid_t pid;
	struct watch in, out, errout, exit;
	size_t input_done;
	int handles;               /* poll handles not closed yet */
};

/* The child's ends of its pipes; -1 when there is none. */
struct child_fds {
	int in, out, errout;
};

/* ---- starting ---- */

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* Both above 2, so that putting one end in its place in the child cannot overwrite another. */
static ch_status make_pipe(int *ret_read, int *ret_write, struct ch_err *err)
{
	int fds[2];

	/* Raw: core/ is where descriptors are made; close-on-exec like every other. */
	if (pipe2(fds, O_CLOEXEC))
		return ch_fail_errno(err, CH_E_IO, errno, "cannot make a pipe");
	if (fds[0] <= STDERR_FILENO || fds[1] <= STDERR_FILENO) {
		close(fds[0]);
		close(fds[1]);
		return ch_fail(err, CH_E_IO, "stdin, stdout or stderr of the gateway is closed");
	}
	*ret_read = fds[0];
	*ret_write = fds[1];
	return CH_OK;
}

static ch_status make_pipes(struct child *c, struct child_fds *fds, struct ch_err *err)
{
	ch_status st = CH_OK;

	if (c->spec->input)
		st = make_pipe(&fds->in, &c->in.fd, err);
	if (!st)
		st = make_pipe(&c->out.fd, &fds->out, err);
	if (!st)
		st = make_pipe(&c->errout.fd, &fds->errout, err);
	return st;
}

/* Gives an errno value; the actions are filled in order and run in order. */
static int fill_actions(posix_spawn_file_actions_t *actions, const struct proc_spec *spec,
			const struct child_fds *fds)
{
	int rc;

	rc = fds->in >= 0 ? posix_spawn_file_actions_adddup2(actions, fds->in, STDIN_FILENO)
			  : posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	if (!rc)
		rc = posix_spawn_file_actions_adddup2(actions, fds->out, STDOUT_FILENO);
	if (!rc)
		rc = posix_spawn_file_actions_adddup2(actions, fds->errout, STDERR_FILENO);
	if (!rc)
		rc = posix_spawn_file_actions_addclosefrom_np(actions, STDERR_FILENO + 1);
	if (!rc && spec->cwd)
		rc = posix_spawn_file_actions_addchdir_np(actions, spec->cwd);
	return rc;
}

/* A session of its own, no signal blocked or ignored. */
static int fill_attributes(posix_spawnattr_t *attributes)
{
	sigset_t none, all;
	int rc;

	sigemptyset(&none);
	sigfillset(&all);
	rc = posix_spawnattr_setsigmask(attributes, &none);
	if (!rc)
		rc = posix_spawnattr_setsigdefault(attributes, &all);
	if (!rc)
		rc = posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK |
								  POSIX_SPAWN_SETSIGDEF);
	return rc;
}

static int spawn(const struct proc_spec *spec, const struct child_fds *fds, pid_t *ret_pid)
{
	static const char *const bare_env[] = { "PATH=/usr/bin:/bin", NULL };
	const char *const *env = spec->env ? spec->env : bare_env;
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	int rc;

	rc = posix_spawn_file_actions_init(&actions);
	if (rc)
		return rc;
	rc = posix_spawnattr_init(&attributes);
	if (rc) {
		posix_spawn_file_actions_destroy(&actions);
		return rc;
	}
	rc = fill_actions(&actions, spec, fds);
	if (!rc)
		rc = fill_attributes(&attributes);
	/* The casts add nothing: posix_spawn() does not write to its lists (POSIX, exec rationale). */
	if (!rc)
		rc = posix_spawn(ret_pid, spec->argv[0], &actions, &attributes, (char *const *)spec->argv,
				 (char *const *)env);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	return rc;
}

static void reap(struct child *c)
{
	siginfo_t info = { 0 };
	int rc;

	/* Group first: its number is ours as long as the child is not reaped. */
	kill(-c->pid, SIGKILL);
	do
		rc = waitid(P_PID, (id_t)c->pid, &info, WEXITED);
	while (rc && errno == EINTR);
	c->pid = 0;
	c->result->exit_code = -1;
	if (rc)
		return; /* ECHILD: SIGCHLD is ignored, so nobody can know; see proc_run() */
	if (info.si_code == CLD_EXITED)
		c->result->exit_code = info.si_status;
	else
		c->result->signal = info.si_status;
}

static ch_status start(struct child *c, struct ch_err *err)
{
	struct child_fds fds = { -1, -1, -1 };
	const char *name = c->spec->argv[0];
	ch_status st;
	int rc;

	st = make_pipes(c, &fds, err);
	rc = st ? 0 : spawn(c->spec, &fds, &c->pid);
	close_fd(&fds.in);
	close_fd(&fds.out);
	close_fd(&fds.errout);
	if (st) {
		ch_wrap(err, "%s", name);
		return st;
	}
	if (rc && c->spec->cwd)
		return ch_fail_errno(err, rc == ENOENT ? CH_E_NOT_FOUND : CH_E_IO, rc,
				     "%s: cannot start it in %s", name, c->spec->cwd);
	if (rc)
		return ch_fail_errno(err, rc == ENOENT ? CH_E_NOT_FOUND : CH_E_IO, rc, "%s: cannot start it",
				     name);
	c->exit.fd = (int)syscall(SYS_pidfd_open, c->pid, 0);
	if (c->exit.fd < 0) {
		rc = errno;
		reap(c);
		return ch_fail_errno(err, CH_E_IO, rc, "%s: cannot watch it", name);
	}
	return CH_OK;
}

/* ---- watching ---- */

static void over(struct watch *w)
{
	uv_poll_stop(&w->poll);
	w->is_over = true;
	fiber_wake(w->child->fiber);
}

/* Reads what is there into b, or into the void when b is full. false at the end. */
static bool read_some(int fd, struct buf *b, bool *truncated)
{
	static char dropped[READ_BYTES];
	size_t room = CH_MIN(b->max_bytes - b->len, (size_t)READ_BYTES);
	bool is_kept = room > 0 && buf_reserve(b, room);
	ssize_t n;

	do
		n = is_kept ? read(fd, b->data + b->len, room) : read(fd, dropped, sizeof(dropped));
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN;
	if (n == 0)
		return false;
	if (is_kept) {
		b->len += (size_t)n;
		b->data[b->len] = '\0';
	} else {
		*truncated = true;
	}
	return true;
}

static void on_output(uv_poll_t *h, int status, int events)
{
	struct watch *w = CH_CONTAINER_OF(h, struct watch, poll);
	struct proc_result *r = w->child->result;
	struct buf *b = w == &w->child->out ? &r->out : &r->errout;

	if (status || !read_some(w->fd, b, &r->truncated))
		over(w);
}

static void on_input(uv_poll_t *h, int status, int events)
{
	struct watch *w = CH_CONTAINER_OF(h, struct watch, poll);
	struct child *c = w->child;
	ssize_t n = 0;

	if (!status && c->input_done < c->spec->input_len)
		n = write(w->fd, c->spec->input + c->input_done, c->spec->input_len - c->input_done);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	/* A child that does not read all of its input is none of our business. */
	if (n > 0)
		c->input_done += (size_t)n;
	if (status || n < 0 || c->input_done == c->spec->input_len)
		over(w);
}

static void on_exit_readable(uv_poll_t *h, int status, int events)
{
	over(CH_CONTAINER_OF(h, struct watch, poll));
}

static ch_status watch(struct child *c, struct watch *w, int events, uv_poll_cb cb, struct ch_err *err)
{
	int rc;

	w->child = c;
	if (w->fd < 0) {
		w->is_over = true;
		return CH_OK;
	}
	rc = uv_poll_init(loop_uv(fiber_loop()), &w->poll, w->fd);
	if (!rc) {
		w->is_watched = true;
		c->handles++;
		rc = uv_poll_start(&w->poll, events, cb);
	}
	if (rc)
		return ch_fail(err, CH_E_IO, "%s: cannot watch it: %s", c->spec->argv[0], uv_strerror(rc));
	return CH_OK;
}

static ch_status watch_all(struct child *c, struct ch_err *err)
{
	ch_status st;

	st = watch(c, &c->exit, UV_READABLE, on_exit_readable, err);
	if (!st)
		st = watch(c, &c->out, UV_READABLE, on_output, err);
	if (!st)
		st = watch(c, &c->errout, UV_READABLE, on_output, err);
	if (!st)
		st = watch(c, &c->in, UV_WRITABLE, on_input, err);
	return st;
}

static void on_closed(uv_handle_t *h)
{
	struct watch *w = CH_CONTAINER_OF((uv_poll_t *)h, struct watch, poll);

	w->child->handles--;
	fiber_wake(w->child->fiber);
}

/* The handle first, then its descriptor: libuv wants it in this order. */
static void unwatch(struct watch *w)
{
	if (w->is_watched)
		uv_close((uv_handle_t *)&w->poll, on_closed);
	w->is_watched = false;
	close_fd(&w->fd);
}

/* ---- waiting ---- */

/* Waits until the child exited or the deadline passed. */
static ch_status await_exit(struct child *c, int64_t deadline_ms)
{
	ch_status st = CH_OK;

	while (!c->exit.is_over && !st) {
		/* The child reads to the end of its input, so that end must come. */
		if (c->in.is_over)
			unwatch(&c->in);
		st = fiber_park(deadline_ms);
	}
	return c->exit.is_over ? CH_OK : st;
}

/* Ends the whole group; called masked. */
static void end(struct child *c)
{
	if (c->exit.is_over)
		return;
	kill(-c->pid, SIGTERM);
	if (!await_exit(c, fiber_deadline(PROC_GRACE_MS)))
		return;
	kill(-c->pid, SIGKILL);
	/* For ever: nothing refuses SIGKILL, and the child must be reaped by us. */
	while (await_exit(c, FIBER_FOREVER))
		;
}

/* Reads what is still in the pipes, then gives back every handle; called masked. */
static void finish(struct child *c)
{
	int64_t deadline_ms = fiber_deadline(DRAIN_MS);

	while (!c->out.is_over || !c->errout.is_over)
		if (fiber_park(deadline_ms))
			break;
	unwatch(&c->in);
	unwatch(&c->out);
	unwatch(&c->errout);
	unwatch(&c->exit);
	/* For ever: libuv always reports a close, and the handles are in our frame. */
	while (c->handles)
		(void)!fiber_park(FIBER_FOREVER);
}

static ch_status await(struct child *c, struct ch_err *err)
{
	const char *name = c->spec->argv[0];
	ch_status st;

	st = watch_all(c, err);
	if (!st)
		st = await_exit(c, c->spec->deadline_ms);
	/* One that cannot be watched is not waited for: reap() kills it. */
	if (!c->exit.is_watched)
		c->exit.is_over = true;
	fiber_mask(+1);
	end(c);
	reap(c);
	finish(c);
	fiber_mask(-1);
	if (st == CH_E_TIMEOUT)
		return ch_fail(err, st, "%s: still running at its deadline, ended", name);
	if (st == CH_E_CANCELED)
		return ch_fail(err, st, "%s: canceled", name);
	if (!st && c->result->exit_code < 0 && !c->result->signal)
		return ch_fail(err, CH_E_IO, "%s: its exit code is lost, SIGCHLD is ignored", name);
	return st;
}

ch_status proc_run(const struct proc_spec *spec, struct proc_result *ret, struct ch_err *err)
{
	struct child c = {
		.fiber = fiber_self(),
		.spec = spec,
		.result = ret,
		.in = { .fd = -1 },
		.out = { .fd = -1 },
		.errout = { .fd = -1 },
		.exit = { .fd = -1 },
	};
	ch_status st;

	*ret = (struct proc_result){ .exit_code = -1 };
	buf_init(&ret->out, spec->out_max_bytes);
	buf_init(&ret->errout, spec->out_max_bytes);
	if (!spec->argv || !spec->argv[0] || spec->argv[0][0] != '/')
		return ch_fail(err, CH_E_INVALID, "a program is named by its absolute path");
	st = start(&c, err);
	if (!st)
		return await(&c, err);
	unwatch(&c.in);
	unwatch(&c.out);
	unwatch(&c.errout);
	return st;
}

void proc_result_done(struct proc_result *r)
{
	buf_done(&r->out);
	buf_done(&r->errout);
}
