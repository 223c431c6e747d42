/*
 * exec/sandbox_count.c - the number of processes inside, where the kernel does not count them: for the host's root
 * RLIMIT_NPROC means nothing (fork(2)), so a command of a gateway that runs as root could fork without end.
 *
 * The command is started with a second filter, which asks here before each fork. The answer is yes as long as there
 * are fewer tasks than the limit; they are counted again each time that so many were granted as there was room for. A
 * task can wait for one answer only, so at the worst there are twice as many as the limit says.
 *
 * Where the kernel gives no such filter (before 5.5, or in a container whose manager has one itself) the processes
 * are counted every COUNT_EVERY_MS, and all are killed when there are too many.
 */
#include <dirent.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "exec/sandbox_priv.h"

#define COUNT_EVERY_MS 20
#define NOTICE_BYTES 512                 /* room for what newer kernels add */

struct counter {
	int64_t max, room;               /* tasks that may still be made before the next count */
	DIR *proc;
	int listener;                    /* -1: the kernel gives none */
};

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

/* bubblewrap's process and this one are not the command's. */
static void count_again(struct counter *c)
{
	c->room = c->max + 2 - count_tasks(c->proc);
}

/* -- the filter that asks -- */

static int install_listener(void)
{
	/* Other architectures' numbers were killed by the first filter; clone3() does not exist for the command. */
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 2, 0),
#ifdef SYS_fork
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_fork, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_vfork, 0, 1),
#else
		BPF_JUMP(BPF_JMP | BPF_JA, 1, 0, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
#endif
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = { CH_ARRAY_LEN(code), code };

	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program);
}

/* One question, one answer. A task that died meanwhile needs none. */
static void answer(struct counter *c)
{
	union { struct seccomp_notif n; char room[NOTICE_BYTES]; } ask;
	union { struct seccomp_notif_resp r; char room[NOTICE_BYTES]; } reply;

	memset(&ask, 0, sizeof(ask));
	memset(&reply, 0, sizeof(reply));
	if (ioctl(c->listener, SECCOMP_IOCTL_NOTIF_RECV, &ask) != 0)
		return;
	if (c->room <= 0)
		count_again(c);
	reply.r.id = ask.n.id;
	if (c->room > 0) {
		c->room--;
		reply.r.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
	} else {
		reply.r.error = -EAGAIN;
	}
	(void)!ioctl(c->listener, SECCOMP_IOCTL_NOTIF_SEND, &reply);
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

static int supervise(struct counter *c, pid_t pid, int pidfd)
{
	struct pollfd fds[] = { { .fd = pidfd, .events = POLLIN }, { .fd = c->listener, .events = POLLIN } };

	for (;;) {
		(void)!poll(fds, CH_ARRAY_LEN(fds), c->listener >= 0 ? -1 : COUNT_EVERY_MS);
		if (fds[0].revents)
			return exit_code(pid);
		if (fds[1].revents & POLLIN)
			answer(c);
		else if (fds[1].revents)
			fds[1].fd = -1; /* nobody is left who could ask */
		if (c->listener >= 0)
			continue;
		count_again(c);
		if (c->room < 0) {
			kill(-1, SIGKILL);
			fprintf(stderr, "chela: sandbox: more processes than limits.processes; all were ended\n");
			return 126;
		}
	}
}

static void become_counted(int pair, int (*become)(void *arg), void *arg)
{
	int listener = install_listener();

	/* Without one the other side counts by itself. */
	(void)!(listener >= 0 ? fd_send(pair, listener) : write(pair, "-", 1) == 1);
	if (listener >= 0)
		close(listener);
	close(pair);
	_exit(become(arg));
}

int sandbox_run_counted(int64_t max, int (*become)(void *arg), void *arg)
{
	struct counter c = { .max = max, .proc = opendir("/proc"), .listener = -1 };
	int pair[2], pidfd, code;
	pid_t pid;

	if (!c.proc || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
		perror("chela: sandbox");
		return 126;
	}
	pid = fork();
	if (pid == 0) {
		close(pair[0]);
		closedir(c.proc);
		become_counted(pair[1], become, arg);
	}
	close(pair[1]);
	/* So that what is inside cannot look into this process or change it. */
	pidfd = pid > 0 && prctl(PR_SET_DUMPABLE, 0) == 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
	if (pidfd < 0) {
		perror("chela: sandbox");
		return 126;
	}
	c.listener = fd_receive(pair[0]);
	close(pair[0]);
	count_again(&c);
	code = supervise(&c, pid, pidfd);
	closedir(c.proc);
	return code;
}
