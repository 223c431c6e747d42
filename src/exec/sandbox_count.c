/*
 * exec/sandbox_count.c - the number of processes inside, where the kernel does not count them: for the host's root
 * RLIMIT_NPROC means nothing (fork(2)), so a command of a gateway that runs as root could fork without end.
 *
 * They are counted every COUNT_EVERY_MS, and all are killed when there are too many; kill(-1) leaves no gap for a fork. A filter
 * that asks before each fork would bound them exactly, but a program whose signal handlers do not restart system calls then
 * sees fork() fail whenever a child of it ends in that moment.
 */
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "exec/sandbox_priv.h"

#define COUNT_EVERY_MS 20
#define OWN_TASKS 2                      /* bubblewrap's process and this one */

/* -- counting -- */

/* A directory's links are two and its directories; those of task/ are the threads. */
static int64_t count_threads(int proc_fd, const char *pid)
{
	char path[32];
	struct stat st;

	snprintf(path, sizeof(path), "%.20s/task", pid);
	return fstatat(proc_fd, path, &st, 0) == 0 && st.st_nlink > 2 ? (int64_t)st.st_nlink - 2 : 0;
}

static int64_t count_tasks(DIR *proc)
{
	int64_t n = 0;

	rewinddir(proc);
	for (struct dirent *e; (e = readdir(proc)); )
		if (e->d_name[0] >= '1' && e->d_name[0] <= '9')
			n += count_threads(dirfd(proc), e->d_name);
	return n;
}

/* -- the two processes -- */

/* As a shell: a command ended by a signal is 128 and its number. */
static int exit_code(pid_t pid)
{
	int status = 0;

	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int supervise(DIR *proc, int64_t max, pid_t pid, int pidfd)
{
	struct pollfd ended = { .fd = pidfd, .events = POLLIN };

	for (;;) {
		(void)!poll(&ended, 1, COUNT_EVERY_MS);
		if (ended.revents)
			return exit_code(pid);
		if (count_tasks(proc) <= max + OWN_TASKS)
			continue;
		kill(-1, SIGKILL);
		fprintf(stderr, "chela: sandbox: more processes than limits.processes (%lld); all were ended\n", (long long)max);
		return 126;
	}
}

int sandbox_run_counted(int64_t max, int (*become)(void *arg), void *arg)
{
	DIR *proc = opendir("/proc");
	int pidfd, code;
	pid_t pid;

	pid = proc ? fork() : -1;
	if (pid == 0) {
		closedir(proc);
		_exit(become(arg));
	}
	/* So that what is inside cannot look into this process or change it. */
	pidfd = pid > 0 && prctl(PR_SET_DUMPABLE, 0) == 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
	if (pidfd < 0) {
		perror("chela: sandbox");
		return 126;
	}
	code = supervise(proc, max, pid, pidfd);
	closedir(proc);
	return code;
}
