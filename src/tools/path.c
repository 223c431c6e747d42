/*
 * tools/path.c - names inside the workspace, resolved by the kernel.
 */
#include "tools/path.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/str.h"

#define EAGAIN_TRIES 16          /* a rename beside a ".." makes openat2 ask for another try */
#define MAKE_DIR_MODE 0755

void wk_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* The part of path below root, or NULL when it is not below. */
static const char *below(const char *path, const char *root)
{
	size_t n = strlen(root);

	while (n > 1 && root[n - 1] == '/')
		n--;
	if (strncmp(path, root, n) != 0 || (path[n] && path[n] != '/' && n > 1))
		return NULL;
	path += n;
	while (*path == '/')
		path++;
	return *path ? path : ".";
}

/* Where the descriptor really is; a workspace may be reached through a link. */
static bool real_root(int fd, char *ret_path, size_t cap)
{
	char link[40];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, ret_path, cap - 1);
	if (n <= 0)
		return false;
	ret_path[n] = '\0';
	return true;
}

static ch_status relative_of_absolute(struct tool_ctx *ctx, const char *path, const char **ret_rel,
				      struct ch_err *err)
{
	char *root = arena_alloc(ctx->arena, WS_PATH_MAX);
	const char *rel;

	rel = below(path, ctx->workspace);
	if (!rel && real_root(ctx->workspace_fd, root, WS_PATH_MAX))
		rel = below(path, root);
	if (!rel)
		return ch_fail(err, CH_E_DENIED, "'%s' is outside the workspace '%s'; only paths inside it can be used",
			       path, ctx->workspace);
	*ret_rel = rel;
	return CH_OK;
}

ch_status wk_relative(struct tool_ctx *ctx, const struct json *arg, const char **ret_rel, struct ch_err *err)
{
	const char *path = json_str(arg);

	if (!path || !*path)
		return ch_fail(err, CH_E_INVALID, "the path is empty");
	if (strlen(path) != arg->len)
		return ch_fail(err, CH_E_INVALID, "the path holds a NUL byte");
	if (arg->len >= WS_PATH_MAX)
		return ch_fail(err, CH_E_INVALID, "the path is longer than %d bytes", WS_PATH_MAX - 1);
	if (path[0] == '~')
		return ch_fail(err, CH_E_DENIED, "'~' is not expanded; use a path relative to the workspace '%s'",
			       ctx->workspace);
	if (path[0] == '/')
		return relative_of_absolute(ctx, path, ret_rel, err);
	*ret_rel = path;
	return CH_OK;
}

static ch_status open_failed(struct ch_err *err, int e, const char *rel)
{
	switch (e) {
	case EXDEV:
		return ch_fail(err, CH_E_DENIED,
			       "'%s' leads out of the workspace (by '..' or a link); only paths inside it can be used",
			       rel);
	case ELOOP:
		return ch_fail(err, CH_E_DENIED, "'%s' goes through a link that cannot be followed", rel);
	case ENOENT:
		return ch_fail(err, CH_E_NOT_FOUND, "'%s' does not exist", rel);
	case ENOTDIR:
		return ch_fail(err, CH_E_INVALID, "a part of '%s' is not a directory", rel);
	case ENOSYS:
		return ch_fail(err, CH_E_UNSUPPORTED,
			       "this kernel has no openat2(2) (Linux 5.6); file tools cannot be contained without it");
	default:
		return ch_fail_errno(err, CH_E_IO, e, "cannot open '%s'", rel);
	}
}

ch_status wk_open(int workspace_fd, const char *rel, int flags, int *ret_fd, struct ch_err *err)
{
	struct open_how how = {
		.flags = (uint64_t)(unsigned)(flags | O_CLOEXEC),
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};
	long fd = -1;

	if (!(flags & O_PATH))
		how.flags |= O_NOCTTY | O_NONBLOCK;
	for (int i = 0; i < EAGAIN_TRIES; i++) {
		fd = syscall(SYS_openat2, workspace_fd, rel, &how, sizeof(how)); /* O_CLOEXEC is in how */
		if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
			break;
	}
	if (fd < 0)
		return open_failed(err, errno, rel);
	*ret_fd = (int)fd;
	return CH_OK;
}

static const char *kind_name(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFDIR:
		return "a directory (use the list tool)";
	case S_IFIFO:
		return "a FIFO";
	case S_IFSOCK:
		return "a socket";
	case S_IFCHR:
	case S_IFBLK:
		return "a device";
	default:
		return "something else";
	}
}

ch_status wk_open_file(int workspace_fd, const char *rel, int *ret_fd, struct stat *ret_st, struct ch_err *err)
{
	WS_AUTO_FD int probe = -1;
	struct stat seen, st;
	ch_status rc;
	int fd;

	/* Looked at through O_PATH first: opening a FIFO or a device can block or have effects. */
	rc = wk_open(workspace_fd, rel, O_PATH, &probe, err);
	if (rc)
		return rc;
	if (fstat(probe, &seen))
		return ch_fail_errno(err, CH_E_IO, errno, "cannot look at '%s'", rel);
	if (!S_ISREG(seen.st_mode))
		return ch_fail(err, CH_E_INVALID, "'%s' is %s, not a regular file", rel, kind_name(seen.st_mode));
	rc = wk_open(workspace_fd, rel, O_RDONLY, &fd, err);
	if (rc)
		return rc;
	if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
		close(fd);
		return ch_fail(err, CH_E_CONFLICT, "'%s' was replaced while it was opened; try again", rel);
	}
	*ret_fd = fd;
	*ret_st = st;
	return CH_OK;
}

/* Makes one directory whose parent exists. */
static ch_status make_one(int workspace_fd, char *prefix, struct ch_err *err)
{
	WS_AUTO_FD int parent = -1;
	char *slash = strrchr(prefix, '/');
	const char *name = slash ? slash + 1 : prefix;
	ch_status rc;
	int failed;

	if (slash)
		*slash = '\0';
	rc = wk_open(workspace_fd, slash ? prefix : ".", O_PATH | O_DIRECTORY, &parent, err);
	if (slash)
		*slash = '/';
	if (rc)
		return rc;
	failed = mkdirat(parent, name, MAKE_DIR_MODE) ? errno : 0;
	if (failed && failed != EEXIST)
		return ch_fail_errno(err, CH_E_IO, failed, "cannot make the directory '%s'", prefix);
	return CH_OK;
}

ch_status wk_make_parents(int workspace_fd, const char *rel, struct ch_err *err)
{
	char prefix[WS_PATH_MAX];
	size_t n = strlen(rel);

	if (n >= sizeof(prefix))
		return ch_fail(err, CH_E_INVALID, "the path is longer than %zu bytes", sizeof(prefix) - 1);
	for (size_t i = 1; i < n; i++) {
		WS_AUTO_FD int fd = -1;
		ch_status rc;

		if (rel[i] != '/' || rel[i - 1] == '/')
			continue;
		memcpy(prefix, rel, i);
		prefix[i] = '\0';
		rc = wk_open(workspace_fd, prefix, O_PATH | O_DIRECTORY, &fd, err);
		if (rc == CH_E_NOT_FOUND) {
			rc = make_one(workspace_fd, prefix, err);
			if (!rc)
				rc = wk_open(workspace_fd, prefix, O_PATH | O_DIRECTORY, &fd, err);
		}
		if (rc)
			return rc;
	}
	return CH_OK;
}
