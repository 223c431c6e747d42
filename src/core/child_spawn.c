/*
 * core/child_spawn.c - clone(CLONE_VM | CLONE_VFORK), a few system calls in the child, exec.
 *
 * The child runs on a stack of its own, in our memory, while the calling thread waits for it. All signals are
 * blocked meanwhile, so that no handler of ours runs in it; it calls nothing but thin wrappers of system calls.
 */
#include "core/child_spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/sanitize.h"

#define STACK_BYTES (64u * 1024u)
#define FDS_GUESS 1024                   /* closed one by one where the kernel cannot do it at once (before 5.11) */

struct start {
	const struct child_plan *plan;
	struct child_report *report;
	pid_t parent;
};

static int set_cloexec(int fd, bool is_on)
{
	return fcntl(fd, F_SETFD, is_on ? FD_CLOEXEC : 0);
}

static int place_fds(const struct child_plan *p)
{
	for (int i = 0; i < 3; i++) {
		/* dup2() to itself would leave it close-on-exec. */
		if (p->stdio[i] == i ? set_cloexec(i, false) : dup2(p->stdio[i], i) < 0)
			return -1;
	}
	if (!p->keeps_all && close_range(STDERR_FILENO + 1, ~0u, CLOSE_RANGE_CLOEXEC))
		for (int fd = STDERR_FILENO + 1; fd < FDS_GUESS; fd++)
			(void)set_cloexec(fd, true);
	for (size_t i = 0; i < p->keep_count; i++)
		if (set_cloexec(p->keep[i], false))
			return -1;
	return 0;
}

static int change_dir(const struct child_plan *p)
{
	if (p->cwd_fd >= 0)
		return fchdir(p->cwd_fd);
	return p->cwd ? chdir(p->cwd) : 0;
}

static void default_signals(void)
{
	struct sigaction standard = { .sa_handler = SIG_DFL };
	sigset_t none;

	for (int s = 1; s <= SIGRTMAX; s++)
		(void)sigaction(s, &standard, NULL);     /* SIGKILL and SIGSTOP cannot be set */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static int fail(struct start *s, enum child_stage stage)
{
	s->report->error = errno;
	s->report->stage = stage;
	return 127;
}

static int in_child(void *arg)
{
	struct start *s = arg;
	const struct child_plan *p = s->plan;

	if (p->dies_with_us) {
		if (prctl(PR_SET_PDEATHSIG, SIGKILL))
			return fail(s, CHILD_AT_SETUP);
		errno = ESRCH;
		if (getppid() != s->parent)      /* died before that was set */
			return fail(s, CHILD_AT_SETUP);
	}
	if (setsid() < 0 || place_fds(p))
		return fail(s, CHILD_AT_SETUP);
	if (p->has_tty && ioctl(STDIN_FILENO, TIOCSCTTY, 0))
		return fail(s, CHILD_AT_TTY);
	if (change_dir(p))
		return fail(s, CHILD_AT_CWD);
	default_signals();
	/* The casts add nothing: exec does not write to its lists (POSIX, exec rationale). */
	if (p->exe_fd >= 0)
		fexecve(p->exe_fd, (char *const *)p->argv, (char *const *)p->env);
	else
		execve(p->path, (char *const *)p->argv, (char *const *)p->env);
	return fail(s, CHILD_AT_EXEC);
}

void child_spawn(const struct child_plan *plan, struct child_report *ret)
{
	struct start s = { plan, ret, getpid() };
	sigset_t all, old;
	char *stack;
	pid_t pid;

	*ret = (struct child_report){ .stage = CHILD_STARTED };
	stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	if (stack == MAP_FAILED) {
		(void)fail(&s, CHILD_AT_SETUP);
		return;
	}
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	pid = clone(in_child, stack + STACK_BYTES, CLONE_VM | CLONE_VFORK | SIGCHLD, &s);
	if (pid < 0)
		(void)fail(&s, CHILD_AT_SETUP);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	/* exec never returned: what it marked here would be held against whoever is given these addresses next. */
	sanitize_unpoison(stack, STACK_BYTES);
	munmap(stack, STACK_BYTES);
	ret->pid = (int)pid;
	if (pid > 0 && ret->error)
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
}
