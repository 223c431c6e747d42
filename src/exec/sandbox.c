/*
 * exec/sandbox.c - from a command to bubblewrap's argv: places checked, descriptors filled.
 *
 *	bwrap --args N /run/chela __sandbox-run <limits> <listener> <cwd> <mount>… -- <the command>
 *
 * The arguments of bubblewrap go through a descriptor, because those of the process can be read by everybody; so can its
 * environment, which is therefore empty. What was mounted is compared by device and inode from inside: bubblewrap
 * resolves names again, and a name may have been made to lead elsewhere since it was checked here.
 */
#include "exec/sandbox.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file.h"
#include "core/mem.h"
#include "core/str.h"
#include "exec/proxy.h"
#include "exec/sandbox_filter.h"
#include "exec/sandbox_priv.h"

#define ARGS_MAX (256u << 10)
#define INSIDE_ARGS_MAX (8 + SANDBOX_BINDS_MAX + 2)

static const char *const bwrap_paths[] = { "/usr/bin/bwrap", "/usr/local/bin/bwrap", "/bin/bwrap", "/run/current-system/sw/bin/bwrap" };

const char *sandbox_bwrap(void)
{
	for (size_t i = 0; i < CH_ARRAY_LEN(bwrap_paths); i++)
		if (access(bwrap_paths[i], X_OK) == 0)
			return bwrap_paths[i];
	return NULL;
}

/* -- descriptors -- */

/* Readable from its start, closed on exec but where it is handed on. */
static ch_status memory_file(const char *name, const void *p, size_t n, int *ret_fd, struct ch_err *err)
{
	int fd = memfd_create(name, MFD_CLOEXEC);

	if (fd < 0)
		return ch_fail_errno(err, CH_E_IO, errno, "no memory file for the sandbox");
	if (write(fd, p, n) != (ssize_t)n || lseek(fd, 0, SEEK_SET) != 0) {
		close(fd);
		return ch_fail(err, CH_E_NOMEM, "no memory for the sandbox's arguments");
	}
	*ret_fd = fd;
	return CH_OK;
}

void sandbox_wrapped_done(struct sandbox_wrapped *w)
{
	for (size_t i = 0; i < CH_ARRAY_LEN(w->fds); i++) {
		/* 0 is what an untouched struct has, and never one of ours. */
		if (w->fds[i] > STDERR_FILENO)
			close(w->fds[i]);
		w->fds[i] = -1;
	}
	proxy_free(CH_TAKE(w->proxy));
}

/* -- what is asked for, checked -- */

static ch_status check_env(struct arena *a, const char *const *env, struct ch_err *err)
{
	size_t total = 0;

	for (; env && *env; env++) {
		const char *why = sandbox_env_refusal(a, *env);

		if (why)
			return ch_fail(err, CH_E_INVALID, "%s", why);
		total += strlen(*env) + 1;
	}
	if (total > SANDBOX_ENV_MAX)
		return ch_fail(err, CH_E_LIMIT, "the environment is longer than %u bytes", SANDBOX_ENV_MAX);
	return CH_OK;
}

static ch_status check_binds(const struct sandbox_plan *p, struct arena *a, struct ch_err *err)
{
	for (size_t i = 0; i < p->settings->bind_count; i++) {
		const char *why = sandbox_bind_refusal(a, &p->settings->binds[i], p->cmd->state_dir);

		if (why)
			return ch_fail(err, CH_E_INVALID, "sandbox.docker.binds: %s", why);
	}
	return CH_OK;
}

static ch_status fill_read_only(struct sandbox_plan *p, struct arena *a, struct ch_err *err)
{
	size_t n = 0;

	while (p->cmd->read_only && p->cmd->read_only[n])
		n++;
	const char **list = arena_alloc(a, (n + 1) * sizeof(*list));

	if (n > SANDBOX_BINDS_MAX)
		return ch_fail(err, CH_E_LIMIT, "more than %d places to show in the sandbox", SANDBOX_BINDS_MAX);
	for (size_t i = 0; i < n; i++) {
		struct sandbox_bind b = { p->cmd->read_only[i], p->cmd->read_only[i], false };
		ch_status st = sandbox_canonical(a, b.source, &list[i], err);
		const char *why = st ? NULL : sandbox_bind_refusal(a, &b, p->cmd->state_dir);

		if (st)
			return st;
		if (why)
			return ch_fail(err, CH_E_DENIED, "%s", why);
	}
	p->read_only = list;
	return CH_OK;
}

/* With workspaceAccess none a directory of the scope stands in the workspace's place. */
static ch_status fill_scratch(struct sandbox_plan *p, struct arena *a, struct ch_err *err)
{
	const char *dir;
	ch_status st;

	if (!p->cmd->state_dir)
		return CH_OK;
	dir = arena_printf(a, "%s/sandboxes/%s", p->cmd->state_dir, p->settings->scope_key);
	st = file_mkdirs(dir, 0700, err);
	if (!st)
		st = sandbox_canonical(a, dir, &p->shown, err);
	p->is_shown_writable = true;
	return st;
}

/*
 * Made when it is missing, because otherwise a command could make it. Something else of that name could be replaced by a
 * folder from inside, whose tools would be offered: nothing runs until it is gone.
 */
static ch_status fill_own_dir(struct sandbox_plan *p, struct arena *a, struct ch_err *err)
{
	const char *dir = arena_printf(a, "%s/%s", p->workspace, p->settings->own_dir);
	struct stat st;

	if (mkdir(dir, 0755) != 0 && errno != EEXIST)
		return ch_fail_errno(err, CH_E_IO, errno, "%s", dir);
	if (lstat(dir, &st) != 0 || !S_ISDIR(st.st_mode))
		return ch_fail(err, CH_E_DENIED, "'%s' in the workspace is not a folder, and a command could make it one, with tools in it. "
			       "Move it away, or set tools.user.enabled to false", p->settings->own_dir);
	p->own_dir = dir;
	return CH_OK;
}

static ch_status fill_workspace(struct sandbox_plan *p, struct arena *a, struct ch_err *err)
{
	ch_status st = sandbox_canonical(a, p->cmd->workspace, &p->workspace, err);
	const char *why;

	if (st)
		return ch_wrap(err, "the workspace");
	why = sandbox_workspace_refusal(a, p->workspace, p->cmd->state_dir);
	if (why)
		return ch_fail(err, CH_E_DENIED, "%s", why);
	if (p->settings->access == SANDBOX_NONE)
		return fill_scratch(p, a, err);
	p->shown = p->workspace;
	p->is_shown_writable = p->settings->access == SANDBOX_RW;
	return p->is_shown_writable && p->settings->own_dir ? fill_own_dir(p, a, err) : CH_OK;
}

static ch_status fill_program(struct sandbox_plan *p, struct arena *a, struct ch_err *err)
{
	char path[1024];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

	if (n < 0)
		return ch_fail_errno(err, CH_E_IO, errno, "/proc/self/exe");
	path[n] = '\0';
	if (access(path, X_OK) != 0)
		return ch_fail(err, CH_E_ABSENT, "the gateway's program was replaced while it runs: restart the gateway");
	p->program = arena_strdup(a, path);
	return CH_OK;
}

static ch_status fill_plan(struct sandbox_plan *p, struct arena *a, struct ch_err *err)
{
	ch_status st = check_env(a, p->cmd->env, err);

	if (!st)
		st = fill_workspace(p, a, err);
	if (!st)
		st = check_binds(p, a, err);
	if (!st)
		st = fill_read_only(p, a, err);
	if (!st)
		st = fill_program(p, a, err);
	return st;
}

/* -- the command line -- */

static int64_t or_built_in(int64_t limit, int64_t built_in)
{
	return limit > 0 ? limit : built_in;
}

static const char *limits_text(const struct sandbox_settings *s, struct arena *a)
{
	return arena_printf(a, "%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64, or_built_in(s->processes_max, SANDBOX_PROCESSES),
			    or_built_in(s->memory_max, SANDBOX_MEMORY_BYTES), or_built_in(s->file_max, SANDBOX_FILE_BYTES),
			    or_built_in(s->cpu_seconds_max, SANDBOX_CPU_SECONDS));
}

/* "device:inode:path inside", for the comparison there. */
static ch_status identity(struct arena *a, const char *source, const char *target, const char **ret, struct ch_err *err)
{
	struct stat st;

	if (stat(source, &st) != 0)
		return ch_fail_errno(err, CH_E_IO, errno, "%s", source);
	*ret = arena_printf(a, "%llu:%llu:%s", (unsigned long long)st.st_dev, (unsigned long long)st.st_ino, target);
	return CH_OK;
}

static ch_status add_identities(const struct sandbox_plan *p, struct arena *a, const char **argv, size_t *io_n, struct ch_err *err)
{
	ch_status st = CH_OK;

	if (p->shown)
		st = identity(a, p->shown, p->workspace, &argv[(*io_n)++], err);
	if (!st && p->own_dir)
		st = identity(a, p->own_dir, p->own_dir, &argv[(*io_n)++], err);
	for (size_t i = 0; !st && i < p->settings->bind_count; i++) {
		/* What a source leads to was checked; so is what it leads to now. */
		const struct sandbox_bind *b = &p->settings->binds[i];

		st = identity(a, b->source, b->target, &argv[(*io_n)++], err);
	}
	return st;
}

static ch_status fill_argv(const struct sandbox_plan *p, const struct sandbox_wrapped *w, const char *bwrap, int listen_fd,
			   struct arena *a, const char *const **ret, struct ch_err *err)
{
	size_t n = 0, count = 0;
	const char **argv;
	ch_status st;

	while (p->cmd->argv[count])
		count++;
	argv = arena_alloc(a, (count + INSIDE_ARGS_MAX + 4) * sizeof(*argv));
	argv[n++] = bwrap;
	argv[n++] = "--args";
	argv[n++] = arena_printf(a, "%d", w->fds[0]);
	argv[n++] = SANDBOX_HELPER;
	argv[n++] = SANDBOX_INSIDE;
	argv[n++] = limits_text(p->settings, a);
	argv[n++] = listen_fd >= 0 ? arena_printf(a, "%d", listen_fd) : "-";
	argv[n++] = p->cmd->cwd ? arena_printf(a, "%s/%s", p->workspace, p->cmd->cwd) : p->workspace;
	st = add_identities(p, a, argv, &n, err);
	if (st)
		return st;
	argv[n++] = "--";
	memcpy(&argv[n], p->cmd->argv, count * sizeof(*argv));
	*ret = argv;
	return CH_OK;
}

/* fds: 0 the arguments, 1 the filter, 2-5 the files of /etc, 6 the proxy's end. */
static ch_status fill_fds(struct sandbox_plan *p, struct sandbox_wrapped *w, struct ch_err *err)
{
	const struct sandbox_etc *files = sandbox_etc_files();
	CH_AUTO_BUF struct buf args = { 0 };
	ch_status st = memory_file("filter", sandbox_filter, sizeof(sandbox_filter), &w->fds[1], err);

	for (size_t i = 0; !st && i < CH_ARRAY_LEN(p->etc_fds); i++) {
		st = memory_file("etc", files[i].text, strlen(files[i].text), &w->fds[2 + i], err);
		p->etc_fds[i] = w->fds[2 + i];
	}
	if (st)
		return st;
	p->seccomp_fd = w->fds[1];
	buf_init(&args, ARGS_MAX);
	sandbox_mounts_args(p, &args);
	st = buf_status(&args, err, "the sandbox's arguments");
	return st ? st : memory_file("args", args.data, args.len, &w->fds[0], err);
}

static ch_status start_proxy(struct loop *l, const struct sandbox_plan *p, struct sandbox_wrapped *w, struct ch_err *err)
{
	struct proxy_opts opts = { .hosts = p->settings->hosts, .http = p->cmd->http };

	return proxy_start(l, &opts, &w->proxy, &w->fds[6], err);
}

ch_status sandbox_wrap_unprobed(struct loop *l, const struct sandbox_settings *s, const struct sandbox_cmd *cmd, struct arena *a,
				struct sandbox_wrapped *ret, struct ch_err *err)
{
	static const char *const no_env[] = { NULL };
	CH_AUTO_DONE(sandbox_wrapped_done) struct sandbox_wrapped w = { .env = no_env, .fds = { -1, -1, -1, -1, -1, -1, -1, -1 } };
	struct sandbox_plan p = { .settings = s, .cmd = cmd, .has_network = s->hosts && s->hosts[0] && cmd->http };
	const char *bwrap = sandbox_bwrap();
	ch_status st;

	if (s->problem)
		return ch_fail(err, CH_E_ABSENT, "%s", s->problem);
	if (!bwrap)
		return ch_fail(err, CH_E_ABSENT, "bubblewrap is not installed (apt-get install bubblewrap)");
	if (!cmd->argv || !cmd->argv[0] || cmd->argv[0][0] != '/')
		return ch_fail(err, CH_E_INVALID, "a program in the sandbox is named by its absolute path");
	st = fill_plan(&p, a, err);
	if (!st && p.has_network)
		st = start_proxy(l, &p, &w, err);
	if (!st)
		st = fill_fds(&p, &w, err);
	w.fd_count = p.has_network ? 7 : 6;
	if (!st)
		st = fill_argv(&p, &w, bwrap, w.fds[6], a, &w.argv, err);
	if (st)
		return st;
	*ret = w;
	w = (struct sandbox_wrapped){ .fds = { -1, -1, -1, -1, -1, -1, -1, -1 } };
	return CH_OK;
}

CH_FIBER ch_status sandbox_wrap(struct loop *l, const struct sandbox_settings *s, const struct sandbox_cmd *cmd, struct arena *a,
				struct sandbox_wrapped *ret, struct ch_err *err)
{
	const char *why = NULL;

	if (s->problem)
		return ch_fail(err, CH_E_ABSENT, "%s", s->problem);
	if (!sandbox_probe(l, &why))
		return ch_fail(err, CH_E_ABSENT, "%s", why);
	return sandbox_wrap_unprobed(l, s, cmd, a, ret, err);
}
