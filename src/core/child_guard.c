/*
 * core/child_guard.c - see child_guard.h. A single-threaded process without a loop: it polls two descriptors.
 */
#include "core/child_guard.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/child_spawn.h"
#include "core/clock.h"
#include "core/str.h"
#include "core/vec.h"

#define RESWEEP_MS 5               /* a process that forks while it is looked for is found the next time */

struct guard {
	int control, children;           /* the socket; a signalfd for SIGCHLD */
	pid_t command;
	bool has_ended;
	int status;                      /* of waitpid() */
};
struct kin {
	int64_t pid, parent;
	bool is_ours;
};
struct kin_list {
	VEC(struct kin) all;
};

/* ---- finding what is guarded ---- */

/* "pid (name) state parent …"; the name may hold anything, also ')'. */
static bool read_parent(const char *pid, int64_t *ret_parent)
{
	char path[64], text[512];
	const char *after;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%s/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return false;
	text[n] = '\0';
	after = strrchr(text, ')');
	if (!after || strlen(after) < 4)
		return false;
	snprintf(path, sizeof(path), "%.*s", (int)strcspn(after + 4, " "), after + 4);
	return str_to_i64(path, ret_parent);
}

static void list_processes(struct kin_list *l)
{
	DIR *dir = opendir("/proc");

	for (struct dirent *e; dir && (e = readdir(dir)); ) {
		struct kin k = { 0 };

		if (str_to_i64(e->d_name, &k.pid) && read_parent(e->d_name, &k.parent))
			vec_push(&l->all, k);
	}
	if (dir)
		closedir(dir);
}

static bool is_ours(const struct kin_list *l, int64_t pid)
{
	if (pid == getpid())
		return true;
	for (size_t i = 0; i < l->all.len; i++)
		if (l->all.at[i].pid == pid)
			return l->all.at[i].is_ours;
	return false;
}

/* To every descendant; an orphan among them is our child, as we are the subreaper. */
static void signal_all(const struct guard *g, int signo)
{
	struct kin_list l = { 0 };
	bool found = true;

	list_processes(&l);
	while (found) {
		found = false;
		for (size_t i = 0; i < l.all.len; i++) {
			struct kin *k = &l.all.at[i];

			if (k->is_ours || !is_ours(&l, k->parent))
				continue;
			k->is_ours = found = true;
			kill((pid_t)k->pid, signo);
		}
	}
	/* Without /proc there is at least its group. */
	if (!l.all.len && !g->has_ended)
		kill(-g->command, signo);
	vec_done(&l.all);
}

/* ---- its end ---- */

/* False when no child is left. */
static bool reap(struct guard *g)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == g->command) {
			g->has_ended = true;
			g->status = status;
		}
	}
	return pid == 0 || errno != ECHILD;
}

static void sweep(struct guard *g)
{
	int64_t until = now_mono_ms() + GUARD_SWEEP_MS;

	while (reap(g) && now_mono_ms() < until) {
		struct pollfd ended = { g->children, POLLIN, 0 };
		struct signalfd_siginfo info;

		signal_all(g, SIGKILL);
		if (poll(&ended, 1, RESWEEP_MS) > 0)
			(void)!read(g->children, &info, sizeof(info));
	}
}

/* As the command ended, so that who waits for us sees what happened to it. */
static int end_likewise(const struct guard *g)
{
	struct rlimit none = { 0, 0 };
	sigset_t one;
	int signo;

	if (!g->has_ended)
		return 128 + SIGKILL;
	if (WIFEXITED(g->status))
		return WEXITSTATUS(g->status);
	signo = WTERMSIG(g->status);
	setrlimit(RLIMIT_CORE, &none);           /* the core would be ours, not its */
	signal(signo, SIG_DFL);
	kill(getpid(), signo);
	sigemptyset(&one);
	sigaddset(&one, signo);
	sigprocmask(SIG_UNBLOCK, &one, NULL);
	return 128 + signo;
}

/* ---- its start ---- */

/* A script is opened again by its interpreter, through the descriptor; a program is not, and should not see it. */
static bool is_program(int fd)
{
	char start[2];

	return pread(fd, start, sizeof(start), 0) == (ssize_t)sizeof(start) && memcmp(start, "#!", 2) != 0;
}

/* Only the command holds what it was given: its pipes must end with it. */
static void let_go(struct guard *g)
{
	if (g->control > 0)
		close_range(0, (unsigned)g->control - 1, 0);
	close_range((unsigned)g->control + 1, ~0u, 0);
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		(void)!open("/dev/null", O_RDWR);
}

static bool start(struct guard *g, int exe_fd, bool has_tty, char **argv)
{
	struct child_plan plan = {
		.path = argv[0], .exe_fd = exe_fd, .argv = (const char *const *)argv,
		.env = (const char *const *)environ, .cwd_fd = -1, .stdio = { 0, 1, 2 },
		.keeps_all = true, .has_tty = has_tty, .dies_with_us = true,
	};
	struct child_report report;

	fcntl(g->control, F_SETFD, FD_CLOEXEC);
	if (exe_fd >= 0 && is_program(exe_fd))
		fcntl(exe_fd, F_SETFD, FD_CLOEXEC);
	child_spawn(&plan, &report);
	let_go(g);
	g->command = report.pid;
	if (send(g->control, &report, sizeof(report), MSG_NOSIGNAL) != (ssize_t)sizeof(report) && !report.error) {
		/* Whoever wanted it is gone. */
		sweep(g);
		return false;
	}
	return !report.error;
}

/* False when it is to end at once. */
static bool obey(struct guard *g)
{
	unsigned char signo;
	ssize_t n = read(g->control, &signo, 1);

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return true;
	if (n <= 0)
		return false;
	signal_all(g, signo);
	return true;
}

static void watch(struct guard *g)
{
	while (!g->has_ended) {
		struct pollfd fds[] = { { g->control, POLLIN, 0 }, { g->children, POLLIN, 0 } };
		struct signalfd_siginfo info;

		if (poll(fds, CH_ARRAY_LEN(fds), -1) < 0 && errno != EINTR)
			return;
		if (fds[1].revents)
			(void)!read(g->children, &info, sizeof(info));
		(void)reap(g);
		if (fds[0].revents && !obey(g))
			return;
	}
}

static bool read_numbers(const char *text, int64_t ret_numbers[3])
{
	for (int i = 0; i < 3; i++) {
		char one[24];
		size_t len = strcspn(text, ",");

		snprintf(one, sizeof(one), "%.*s", (int)CH_MIN(len, sizeof(one)), text);
		if (!str_to_i64(one, &ret_numbers[i]))
			return false;
		text += len + (text[len] == ',');
	}
	return true;
}

int child_guard_main(int argc, char **argv)
{
	struct guard g = { .children = -1 };
	int64_t numbers[3];
	sigset_t all, child;

	if (argc < 4 || !read_numbers(argv[2], numbers) || numbers[0] <= STDERR_FILENO)
		return 127;              /* by hand: there is nothing to guard */
	g.control = (int)numbers[0];
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	/* A signal for our session is for the command; we end by our own rules. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	if (!start(&g, (int)numbers[1], numbers[2] != 0, argv + 3))
		return 127;
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	g.children = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
	watch(&g);
	sweep(&g);
	return end_likewise(&g);
}
