/*
 * core/child.c - one child process watched on the loop: pipes or a terminal, a pidfd, the guard's socket.
 *
 *	child_start -> spawned -> (guard reports) -> running -> exited -> output read, or CHILD_DRAIN_MS -> on_exit
 *
 * The object is freed when it was given back by child_free(), the process was reaped and libuv closed all handles,
 * whatever comes last; so no zombie and no handle is left.
 */
#include "core/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/child_guard.h"
#include "core/child_spawn.h"
#include "core/fiber.h"
#include "core/mem.h"

#define READ_BYTES (16u * 1024u)
#define TTY_COLUMNS 120
#define TTY_ROWS 30
#define TTY_EOF '\004'
#define SELF "/proc/self/exe"            /* also when the file was replaced meanwhile */
#define FDS_MAX 32

struct watch {
	uv_poll_t poll;
	struct child *child;
	int fd;                          /* -1: closed, or never opened */
	bool is_watched;                 /* the poll handle is initialised */
	bool is_output;                  /* read from */
	enum child_stream stream;
	uv_poll_cb cb;
};

struct child {
	struct loop *loop;
	void (*on_output)(void *arg, enum child_stream s, const char *data, size_t len);
	void (*on_exit)(void *arg, const struct child_exit *e);
	void *arg;
	pid_t pid;                       /* our child: the guard, or the command itself; 0: reaped */
	int command_pid;
	bool has_guard, has_tty;
	bool is_reported, is_paused, is_freed, has_exited, is_told;
	bool ends_input;                 /* stdin is closed once the queue is empty */
	struct fiber *starter;           /* waits for the guard's report */
	struct child_report report;
	struct watch in, out, errout, exit, control;     /* with a terminal `out` is both ways */
	struct buf input;
	struct loop_timer *grace, *drain;
	struct child_exit end;
	char *scratch;
	int handles;                     /* poll handles not closed yet */
};

/* The child's ends; -1 when there is none. */
struct child_ends {
	int stdio[3];
	int control;
};

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* ---- handles ---- */

static void collect(struct child *c)
{
	if (!c->is_freed || c->handles || c->pid)
		return;
	loop_timer_free(c->grace);
	loop_timer_free(c->drain);
	buf_done(&c->input);
	ch_free(c->scratch);
	ch_free(c);
}

static void on_closed(uv_handle_t *h)
{
	struct watch *w = CH_CONTAINER_OF((uv_poll_t *)h, struct watch, poll);

	w->child->handles--;
	collect(w->child);
}

/* The handle first, then its descriptor: libuv wants it in this order. */
static void unwatch(struct watch *w)
{
	if (w->is_watched)
		uv_close((uv_handle_t *)&w->poll, on_closed);
	w->is_watched = false;
	close_fd(&w->fd);
}

static struct watch *input_watch(struct child *c)
{
	return c->has_tty ? &c->out : &c->in;
}

/* Polls for what is wanted now. */
static void rearm(struct watch *w)
{
	struct child *c = w->child;
	int events = 0;

	if (!w->is_watched)
		return;
	if (!w->is_output || !c->is_paused)
		events |= w == &c->in ? 0 : UV_READABLE;
	if (w == input_watch(c) && c->input.len)
		events |= UV_WRITABLE;
	if (events)
		uv_poll_start(&w->poll, events, w->cb);
	else
		uv_poll_stop(&w->poll);
}

static ch_status watch(struct child *c, struct watch *w, uv_poll_cb cb, struct ch_err *err)
{
	int rc;

	w->child = c;
	w->cb = cb;
	if (w->fd < 0)
		return CH_OK;
	rc = uv_poll_init(loop_uv(c->loop), &w->poll, w->fd);
	if (rc)
		return ch_fail(err, CH_E_IO, "cannot watch the command: %s", uv_strerror(rc));
	w->is_watched = true;
	c->handles++;
	rearm(w);
	return CH_OK;
}

/* ---- its end ---- */

static void tell_exit(struct child *c)
{
	if (c->is_told || c->is_freed)
		return;
	c->is_told = true;
	loop_timer_stop(c->drain);
	unwatch(&c->in);
	unwatch(&c->out);
	unwatch(&c->errout);
	unwatch(&c->control);
	if (c->on_exit)
		c->on_exit(c->arg, &c->end);     /* may free c */
}

static void settle(struct child *c)
{
	if (!c->has_exited || c->is_freed || c->is_told)
		return;
	if (c->out.fd < 0 && c->errout.fd < 0)
		tell_exit(c);
	else if (c->is_paused)
		loop_timer_stop(c->drain);       /* the reader is late, not the pipe */
	else
		loop_timer_start(c->drain, CHILD_DRAIN_MS);
}

static void on_drained(void *arg)
{
	tell_exit(arg);
}

static void reap(struct child *c)
{
	siginfo_t info = { 0 };
	int rc;

	/* Group first: its number is ours as long as the child is not reaped. */
	if (!c->has_guard)
		kill(-c->pid, SIGKILL);
	do
		rc = waitid(P_PID, (id_t)c->pid, &info, WEXITED);
	while (rc && errno == EINTR);
	c->pid = 0;
	c->end = (struct child_exit){ .code = -1 };
	if (!rc && info.si_code == CLD_EXITED)
		c->end.code = info.si_status;
	else if (!rc)
		c->end.signal = info.si_status;
	c->has_exited = true;
	loop_timer_stop(c->grace);
}

static void on_exited(uv_poll_t *h, int status, int events)
{
	struct child *c = CH_CONTAINER_OF(h, struct watch, poll)->child;

	reap(c);
	unwatch(&c->exit);
	fiber_wake(c->starter);
	settle(c);
	/* When it was freed before: on_closed() of the handle above collects it. */
}

static void on_grace(void *arg)
{
	struct child *c = arg;

	child_signal(c, SIGKILL);
}

/* ---- streams ---- */

/* False at the end. Calls back, which may free c. */
static bool read_some(struct watch *w)
{
	struct child *c = w->child;
	ssize_t n;

	if (!c->scratch)
		c->scratch = ch_alloc(READ_BYTES);
	do
		n = read(w->fd, c->scratch, READ_BYTES);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN;          /* EIO: no process has the terminal open any more */
	if (n > 0 && c->on_output)
		c->on_output(c->arg, w->stream, c->scratch, (size_t)n);
	return n > 0;
}

static void write_some(struct watch *w)
{
	struct child *c = w->child;
	ssize_t n = 0;

	if (c->input.len)
		n = write(w->fd, c->input.data, c->input.len);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0)
		buf_consume(&c->input, (size_t)n);
	if (n < 0) {
		/* It reads no more. The terminal's other direction is not over by that. */
		buf_clear(&c->input);
		c->ends_input = true;
	}
	if (!c->input.len && c->ends_input && w == &c->in)
		unwatch(w);
	else
		rearm(w);
}

static void on_stream(uv_poll_t *h, int status, int events)
{
	struct watch *w = CH_CONTAINER_OF(h, struct watch, poll);
	struct child *c = w->child;
	bool is_over = status != 0;

	if (!is_over && (events & UV_WRITABLE))
		write_some(w);
	if (!is_over && (events & UV_READABLE) && w->is_watched)
		is_over = !read_some(w);
	/* Its handle keeps c alive for this turn, also when the callback freed it. */
	if (!is_over || c->is_freed)
		return;
	unwatch(w);
	settle(c);
}

static void on_control(uv_poll_t *h, int status, int events)
{
	struct child *c = CH_CONTAINER_OF(h, struct watch, poll)->child;
	struct child_report report;
	ssize_t n = recv(c->control.fd, &report, sizeof(report), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (!c->is_reported) {
		c->is_reported = true;
		c->report = n == (ssize_t)sizeof(report)
				    ? report
				    : (struct child_report){ .error = EPIPE, .stage = CHILD_AT_SETUP };
		fiber_wake(c->starter);
	}
	if (n <= 0)
		uv_poll_stop(&c->control.poll);  /* it has ended; the pidfd tells more */
}

/* ---- starting ---- */

/* Both above 2, so that putting one end in its place in the child cannot overwrite another. */
static ch_status above_stdio(int fds[2], struct ch_err *err)
{
	if (fds[0] > STDERR_FILENO && fds[1] > STDERR_FILENO)
		return CH_OK;
	close_fd(&fds[0]);
	close_fd(&fds[1]);
	return ch_fail(err, CH_E_IO, "stdin, stdout or stderr of the gateway is closed");
}

static ch_status make_pipe(int *ret_read, int *ret_write, struct ch_err *err)
{
	int fds[2];
	ch_status st;

	/* Raw: core/ is where descriptors are made; close-on-exec like every other. */
	if (pipe2(fds, O_CLOEXEC))
		return ch_fail_errno(err, CH_E_IO, errno, "cannot make a pipe");
	st = above_stdio(fds, err);
	if (st)
		return st;
	*ret_read = fds[0];
	*ret_write = fds[1];
	return CH_OK;
}

static void set_size(int fd, int columns, int rows)
{
	struct winsize size = { .ws_col = (unsigned short)(columns > 0 ? columns : TTY_COLUMNS),
				.ws_row = (unsigned short)(rows > 0 ? rows : TTY_ROWS) };

	(void)ioctl(fd, TIOCSWINSZ, &size);      /* fails only on what is no terminal */
}

static ch_status make_tty(struct child *c, const struct child_spec *spec, struct child_ends *ends, struct ch_err *err)
{
	int fds[2] = { -1, -1 };
	char name[64];
	ch_status st;

	fds[0] = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (fds[0] < 0 || grantpt(fds[0]) || unlockpt(fds[0]) || ptsname_r(fds[0], name, sizeof(name))) {
		int error = errno;

		close_fd(&fds[0]);
		return ch_fail_errno(err, CH_E_IO, error, "cannot make a terminal");
	}
	fds[1] = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (fds[1] < 0) {
		int error = errno;

		close_fd(&fds[0]);
		return ch_fail_errno(err, CH_E_IO, error, "cannot open the terminal %s", name);
	}
	st = above_stdio(fds, err);
	if (st)
		return st;
	set_size(fds[0], spec->columns, spec->rows);
	c->out.fd = fds[0];
	ends->stdio[0] = ends->stdio[1] = ends->stdio[2] = fds[1];
	return CH_OK;
}

static ch_status make_streams(struct child *c, const struct child_spec *spec, struct child_ends *ends, struct ch_err *err)
{
	ch_status st;

	if (spec->has_tty) {
		st = make_tty(c, spec, ends, err);
	} else {
		st = make_pipe(&ends->stdio[0], &c->in.fd, err);
		if (!st)
			st = make_pipe(&c->out.fd, &ends->stdio[1], err);
		if (!st)
			st = make_pipe(&c->errout.fd, &ends->stdio[2], err);
	}
	if (!st && c->has_guard) {
		int fds[2];

		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds))
			return ch_fail_errno(err, CH_E_IO, errno, "cannot make a socket");
		st = above_stdio(fds, err);
		if (!st) {
			c->control.fd = fds[0];
			ends->control = fds[1];
		}
	}
	return st;
}

static void close_ends(struct child_ends *ends)
{
	if (ends->stdio[1] == ends->stdio[0])
		ends->stdio[1] = ends->stdio[2] = -1;    /* one terminal */
	for (int i = 0; i < 3; i++)
		close_fd(&ends->stdio[i]);
	close_fd(&ends->control);
}

static ch_status fail_start(const struct child_spec *spec, const struct child_report *r, struct ch_err *err)
{
	ch_status st = r->error == ENOENT || r->error == ENOTDIR ? CH_E_NOT_FOUND
		       : r->error == EACCES || r->error == EPERM ? CH_E_DENIED
								 : CH_E_IO;

	if (r->stage == CHILD_AT_CWD)
		return ch_fail_errno(err, st, r->error, "%s: cannot start it in %s", spec->argv[0],
				     spec->cwd ? spec->cwd : "its folder");
	return ch_fail_errno(err, st, r->error, "%s: cannot start it%s", spec->argv[0],
			     r->stage == CHILD_AT_TTY ? " on a terminal" : "");
}

/* The command behind the guard: what the guard needs to know is on its command line, never the environment. */
static ch_status spawn_guarded(const struct child_spec *spec, const struct child_ends *ends, struct child_plan plan,
			       struct child_report *ret, struct ch_err *err)
{
	size_t argc = 0, keep = spec->fd_count;
	int fds[FDS_MAX];
	char numbers[64];
	const char **argv;

	while (spec->argv[argc])
		argc++;
	argv = ch_calloc(argc + 4, sizeof(*argv));
	snprintf(numbers, sizeof(numbers), "%d,%d,%d", ends->control, spec->exe_fd >= 0 ? spec->exe_fd : -1, spec->has_tty);
	argv[0] = "chela";
	argv[1] = CHILD_GUARD_WORD;
	argv[2] = numbers;
	memcpy(argv + 3, spec->argv, argc * sizeof(*argv));
	if (keep)
		memcpy(fds, spec->fds, keep * sizeof(*fds));
	fds[keep++] = ends->control;
	if (spec->exe_fd >= 0)
		fds[keep++] = spec->exe_fd;
	plan.path = SELF;
	plan.exe_fd = -1;
	plan.argv = argv;
	plan.keep = fds;
	plan.keep_count = keep;
	plan.has_tty = false;           /* the guard gives it to the command */
	child_spawn(&plan, ret);
	ch_free(argv);
	return ret->error ? fail_start(spec, ret, err) : CH_OK;
}

/* A script is opened again by its interpreter, through the descriptor. */
static ch_status spawn_alone(const struct child_spec *spec, struct child_plan plan, struct child_report *ret,
			     struct ch_err *err)
{
	size_t keep = spec->fd_count;
	int fds[FDS_MAX];

	if (keep)
		memcpy(fds, spec->fds, keep * sizeof(*fds));
	if (spec->exe_fd >= 0)
		fds[keep++] = spec->exe_fd;
	plan.path = spec->argv[0];
	plan.exe_fd = spec->exe_fd;
	plan.argv = spec->argv;
	plan.keep = fds;
	plan.keep_count = keep;
	plan.has_tty = spec->has_tty;
	plan.dies_with_us = !spec->outlives;
	child_spawn(&plan, ret);
	return ret->error ? fail_start(spec, ret, err) : CH_OK;
}

static ch_status spawn(struct child *c, const struct child_spec *spec, struct child_ends *ends, struct ch_err *err)
{
	static const char *const no_env[] = { NULL };
	struct child_plan plan = {
		.env = spec->env ? spec->env : no_env, .cwd = spec->cwd, .cwd_fd = spec->cwd_fd,
		.stdio = { ends->stdio[0], ends->stdio[1], ends->stdio[2] },
	};
	struct child_report report;
	ch_status st;

	st = c->has_guard ? spawn_guarded(spec, ends, plan, &report, err) : spawn_alone(spec, plan, &report, err);
	if (st)
		return st;
	c->pid = c->command_pid = report.pid;
	c->is_reported = !c->has_guard;
	c->exit.fd = (int)syscall(SYS_pidfd_open, c->pid, 0);
	if (c->exit.fd < 0) {
		int error = errno;

		close_fd(&c->control.fd);        /* the guard ends by that */
		if (!c->has_guard)
			kill(c->pid, SIGKILL);
		reap(c);
		return ch_fail_errno(err, CH_E_IO, error, "%s: cannot watch it", spec->argv[0]);
	}
	return CH_OK;
}

/* Until the guard said that the command runs, or why not. */
static ch_status await_report(struct child *c, const struct child_spec *spec, struct ch_err *err)
{
	int64_t deadline_ms = fiber_deadline(CHILD_START_MS);
	ch_status st = CH_OK;

	c->starter = fiber_self();
	while (!c->is_reported && !c->has_exited && !st)
		st = fiber_park(deadline_ms);
	c->starter = NULL;
	if (c->is_reported && c->report.error)
		return fail_start(spec, &c->report, err);
	if (st)
		return ch_fail(err, st, "%s: %s", spec->argv[0],
			       st == CH_E_TIMEOUT ? "it did not start in time" : "canceled before it started");
	if (!c->is_reported)
		return ch_fail(err, CH_E_IO, "%s: its guard ended before it started", spec->argv[0]);
	if (c->has_guard)
		c->command_pid = c->report.pid;
	return CH_OK;
}

static ch_status watch_all(struct child *c, struct ch_err *err)
{
	ch_status st;

	c->out.stream = CHILD_STDOUT;
	c->errout.stream = CHILD_STDERR;
	c->out.is_output = c->errout.is_output = true;
	st = watch(c, &c->in, on_stream, err);
	if (!st)
		st = watch(c, &c->out, on_stream, err);
	if (!st)
		st = watch(c, &c->errout, on_stream, err);
	return st;
}

static ch_status start(struct child *c, const struct child_spec *spec, struct ch_err *err)
{
	struct child_ends ends = { { -1, -1, -1 }, -1 };
	ch_status st;

	st = make_streams(c, spec, &ends, err);
	if (!st)
		st = spawn(c, spec, &ends, err);
	close_ends(&ends);
	if (!st)
		st = watch(c, &c->exit, on_exited, err);
	if (!st)
		st = watch(c, &c->control, on_control, err);
	if (!st)
		st = await_report(c, spec, err);
	if (!st)
		st = watch_all(c, err);
	if (!st)
		settle(c);       /* it may have ended meanwhile */
	return st;
}

ch_status child_start(struct loop *l, const struct child_spec *spec, struct child **ret, struct ch_err *err)
{
	struct child *c;
	ch_status st;

	if (!spec->argv || !spec->argv[0] || spec->argv[0][0] != '/')
		return ch_fail(err, CH_E_INVALID, "a program is named by its absolute path");
	if (spec->fd_count > FDS_MAX - 2)
		return ch_fail(err, CH_E_LIMIT, "%zu descriptors are too many to hand over", spec->fd_count);
	c = ch_alloc(sizeof(*c));
	c->loop = l;
	c->on_output = spec->on_output;
	c->on_exit = spec->on_exit;
	c->arg = spec->arg;
	c->has_tty = spec->has_tty;
	c->has_guard = !spec->outlives && !spec->is_contained;
	c->in.fd = c->out.fd = c->errout.fd = c->exit.fd = c->control.fd = -1;
	c->in.child = c->out.child = c->errout.child = c->exit.child = c->control.child = c;
	c->grace = loop_timer_new(l, on_grace, c);
	c->drain = loop_timer_new(l, on_drained, c);
	buf_init(&c->input, CHILD_STDIN_MAX);
	st = start(c, spec, err);
	if (st) {
		child_free(c);
		return st;
	}
	*ret = c;
	return CH_OK;
}

/* ---- for those who hold one ---- */

int child_pid(const struct child *c)
{
	return c->command_pid;
}

bool child_reads(const struct child *c)
{
	return !c->ends_input && !c->has_exited && (c->has_tty ? c->out.fd : c->in.fd) >= 0;
}

ch_status child_write(struct child *c, const char *data, size_t len, struct ch_err *err)
{
	if (!child_reads(c))
		return ch_fail(err, CH_E_EOF, "the command reads no more input");
	if (c->input.len + len > CHILD_STDIN_MAX)
		return ch_fail(err, CH_E_LIMIT, "%zu bytes wait to be read by the command; the limit is %u", c->input.len,
			       CHILD_STDIN_MAX);
	buf_append(&c->input, data, len);
	rearm(input_watch(c));
	return buf_status(&c->input, err, "input of the command");
}

void child_close_stdin(struct child *c)
{
	static const char eof = TTY_EOF;

	if (!child_reads(c))
		return;
	if (c->has_tty) {
		(void)!child_write(c, &eof, 1, NULL);    /* a full queue keeps its end to itself */
		return;
	}
	c->ends_input = true;
	if (!c->input.len)
		unwatch(&c->in);
}

void child_pause(struct child *c, bool paused)
{
	if (c->is_paused == paused)
		return;
	c->is_paused = paused;
	rearm(&c->out);
	rearm(&c->errout);
	settle(c);
}

void child_signal(struct child *c, int signo)
{
	unsigned char byte = (unsigned char)signo;

	if (!c->pid)
		return;
	if (!c->has_guard)
		kill(-c->pid, signo);
	else if (c->control.fd >= 0)
		(void)!send(c->control.fd, &byte, 1, MSG_NOSIGNAL | MSG_DONTWAIT);       /* gone: so is the command */
}

void child_stop(struct child *c)
{
	if (!c->pid)
		return;
	child_signal(c, SIGTERM);
	loop_timer_start(c->grace, CHILD_GRACE_MS);
}

void child_free(struct child *c)
{
	if (!c)
		return;
	c->is_freed = true;
	if (c->pid && !c->has_guard)
		kill(-c->pid, SIGKILL);
	unwatch(&c->control);            /* the guard kills all and ends */
	unwatch(&c->in);
	unwatch(&c->out);
	unwatch(&c->errout);
	loop_timer_stop(c->grace);
	loop_timer_stop(c->drain);
	if (c->pid && !c->exit.is_watched)
		reap(c);
	if (!c->pid)
		unwatch(&c->exit);
	collect(c);
}
