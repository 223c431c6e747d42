/*
 * exec/runner.c - see runner.h. Runs in a process of its own, single-threaded, and ends with the command.
 */
#include "exec/runner.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/json.h"
#include "core/str.h"
#include "exec/command.h"

#define PLAN_MAX (8u << 20)
#define STATUS_CANNOT 126
#define STATUS_NOT_FOUND 127
#define STATUS_SIGNAL 128
#define STATUS_BROKEN 125        /* the plan is no plan */

struct step {
	char **argv;
	const char *path;                /* or NULL */
	int fd;
	enum cmd_join join;
	bool is_script;
};

struct run {
	struct step *steps;
	size_t count;
	char **env;
	sigset_t before, held;           /* the signal mask of programs; the signals that wait while they run */
};

/* ---- the plan ---- */

static char **strings(struct arena *a, const struct json *list)
{
	char **out = arena_alloc(a, (json_len(list) + 1) * sizeof(*out));
	size_t n = 0;

	json_each(it, list)
		out[n++] = arena_strdup(a, json_str_or(it, ""));
	return out;
}

static bool read_steps(struct arena *a, const struct json *plan, struct run *r)
{
	const struct json *list = json_get(plan, "segments");

	r->env = strings(a, json_get(plan, "env"));
	r->steps = arena_alloc(a, (json_len(list) + 1) * sizeof(*r->steps));
	json_each(it, list) {
		struct step *s = &r->steps[r->count++];

		s->argv = strings(a, json_get(it, "argv"));
		s->path = json_get_str(it, "path");
		s->fd = (int)json_get_int(it, "fd", -1);
		s->join = (enum cmd_join)json_get_int(it, "join", CMD_END);
		s->is_script = json_get_bool(it, "script", false);
		if (!s->argv[0])
			return false;
		if (s->fd >= 0)
			fcntl(s->fd, F_SETFD, FD_CLOEXEC);
	}
	return r->count > 0;
}

static bool read_plan(struct arena *a, int fd, struct run *r)
{
	struct json *plan = NULL;
	struct stat st;
	char *text;

	if (fstat(fd, &st) < 0 || st.st_size <= 0 || st.st_size > PLAN_MAX)
		return false;
	text = arena_try_alloc(a, (size_t)st.st_size);
	if (!text || pread(fd, text, (size_t)st.st_size, 0) != st.st_size)
		return false;
	close(fd);
	return json_parse(a, text, (size_t)st.st_size, JSON_STRICT, &plan, NULL) == CH_OK && read_steps(a, plan, r);
}

/* ---- one program ---- */

static int cannot_start(const struct step *s, int error)
{
	const char *why = strerror(error);

	if (error == ENOEXEC)
		why = "not a program; a script begins with #! and its interpreter";
	else if (error == ENOENT)
		why = "its interpreter is missing";
	dprintf(STDERR_FILENO, "chela: %s: %s\n", s->argv[0], why);
	return STATUS_CANNOT;
}

/* Becomes the program; gives a status when that fails. */
static int become(const struct run *r, const struct step *s)
{
	if (s->fd < 0 && !s->path) {
		dprintf(STDERR_FILENO, "chela: %s: command not found\n", s->argv[0]);
		return STATUS_NOT_FOUND;
	}
	if (s->is_script && s->fd >= 0)
		fcntl(s->fd, F_SETFD, 0); /* its interpreter opens /dev/fd/N */
	sigprocmask(SIG_SETMASK, &r->before, NULL);
	if (s->fd >= 0)
		fexecve(s->fd, s->argv, r->env);
	else
		execve(s->path, s->argv, r->env);
	return cannot_start(s, errno);
}

static void move_fd(int from, int to)
{
	if (from >= 0 && from != to) {
		dup2(from, to); /* the copy is not close-on-exec, the pipe's own ends are */
		close(from);
	}
}

static pid_t start(const struct run *r, const struct step *s, int in, int out)
{
	pid_t parent = getpid(), pid = fork();

	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(STATUS_CANNOT);
	move_fd(in, STDIN_FILENO);
	move_fd(out, STDOUT_FILENO);
	_exit(become(r, s));
}

static int wait_for(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return STATUS_CANNOT;
	return WIFSIGNALED(status) ? STATUS_SIGNAL + WTERMSIG(status) : WEXITSTATUS(status);
}

/* ---- pipelines and lists ---- */

static void close_pipe(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* Starts steps [first, last]; what cannot be started makes the pipeline fail as its last program would. */
static int run_pipeline(const struct run *r, size_t first, size_t last)
{
	pid_t pids[CMD_SEGMENTS_MAX];
	int in = -1, status = STATUS_CANNOT;
	size_t started = 0;

	for (size_t i = first; i <= last; i++) {
		int ends[2] = { -1, -1 };
		pid_t pid;

		if (i < last && pipe2(ends, O_CLOEXEC) < 0)
			break;
		pid = start(r, &r->steps[i], in, ends[1]);
		close_pipe(&in);
		close_pipe(&ends[1]);
		in = ends[0];
		if (pid < 0)
			break;
		pids[started++] = pid;
	}
	close_pipe(&in);
	if (started <= last - first)
		dprintf(STDERR_FILENO, "chela: %s: %s\n", r->steps[first + started].argv[0], strerror(errno));
	for (size_t i = 0; i < started; i++) {
		int s = wait_for(pids[i]);

		if (first + i == last)
			status = s;
	}
	return status;
}

static int pending_signal(const struct run *r)
{
	sigset_t now;

	if (sigpending(&now) == 0)
		for (int s = 1; s < SIGRTMIN; s++)
			if (sigismember(&now, s) == 1 && sigismember(&r->held, s) == 1)
				return s;
	return 0;
}

static int run_list(const struct run *r)
{
	enum cmd_join before = CMD_SEQ;
	int status = 0;

	for (size_t first = 0, last; first < r->count; first = last + 1) {
		last = first;
		while (last + 1 < r->count && r->steps[last].join == CMD_PIPE)
			last++;
		if (before == CMD_SEQ || (before == CMD_AND && !status) || (before == CMD_OR && status))
			status = run_pipeline(r, first, last);
		before = r->steps[last].join;
		if (pending_signal(r))
			return STATUS_SIGNAL + pending_signal(r);
	}
	return status;
}

/* ---- the process ---- */

static void set_process(struct run *r)
{
	static const int held[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
	const struct rlimit none = { 0, 0 };
	struct sigaction plain = { .sa_handler = SIG_DFL };

	for (int s = 1; s < SIGRTMIN; s++)
		if (s != SIGKILL && s != SIGSTOP)
			sigaction(s, &plain, NULL);
	sigemptyset(&r->before);
	sigemptyset(&r->held);
	for (size_t i = 0; i < CH_ARRAY_LEN(held); i++)
		sigaddset(&r->held, held[i]);
	sigprocmask(SIG_SETMASK, &r->held, NULL);
	setrlimit(RLIMIT_CORE, &none);
}

int exec_runner_main(int argc, char **argv)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct run r = { 0 };
	int64_t fd = -1;

	if (argc != 3 || !str_to_i64(argv[2], &fd) || fd <= STDERR_FILENO || fd > EXEC_RUNNER_FD_MAX ||
	    !read_plan(a, (int)fd, &r) || r.count > CMD_SEGMENTS_MAX) {
		dprintf(STDERR_FILENO, "chela: there is no command to run\n");
		return STATUS_BROKEN;
	}
	set_process(&r);
	return r.count == 1 ? become(&r, &r.steps[0]) : run_list(&r);
}
