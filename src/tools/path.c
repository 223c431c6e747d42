/*
 * tools/path.c - names below a directory, resolved by the kernel.
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
#define WS_REAL_MAX 2048         /* of a real path; deeper ones are refused where it matters */

void wk_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

struct ws_root ws_root_of(int fd)
{
	return (struct ws_root){ .fd = fd, .path = "the workspace" };
}

const char *wk_below(const char *path, const char *root)
{
	size_t n = strlen(root);

	while (n > 0 && root[n - 1] == '/')
		n--;
	if (strncmp(path, root, n) != 0 || (path[n] && path[n] != '/'))
		return NULL;
	path += n;
	while (*path == '/')
		path++;
	return *path ? path : ".";
}

bool wk_leads_up(const char *path)
{
	for (const char *p = path; (p = strstr(p, "..")); p++)
		if ((p == path || p[-1] == '/') && (!p[2] || p[2] == '/'))
			return true;
	return false;
}

bool wk_real_path(int fd, char *ret_path, size_t cap)
{
	char link[40];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, ret_path, cap - 1);
	if (n <= 0 || (size_t)n >= cap - 1)
		return false;
	ret_path[n] = '\0';
	return true;
}

/* -- what is nobody's business -- */

static const char *const system_places[] = {
	"/proc", "/sys", "/dev", "/run/secrets", "/etc/shadow", "/etc/shadow-", "/etc/gshadow", "/etc/gshadow-", "/etc/sudoers",
	"/etc/sudoers.d",
};
/* Where people's programs keep keys, below a home directory. */
static const char *const credentials[] = {
	".ssh", ".gnupg", ".aws", ".azure", ".kube", ".docker", ".config/gcloud", ".config/gh", ".config/op", ".config/rclone",
	".local/share/keyrings", ".password-store", ".mozilla", ".config/google-chrome", ".config/chromium", ".netrc",
	".git-credentials", ".npmrc", ".pypirc", ".pgpass", ".my.cnf", ".vault-token", ".cargo/credentials", ".cargo/credentials.toml",
	".terraform.d", ".openclaw", ".chela", ".claude", ".codex", ".bash_history", ".zsh_history",
};

/* Do the parts of name stand in path one after the other, anywhere? */
static bool has_parts(const char *path, const char *name)
{
	size_t n = strlen(name);

	for (const char *p = path; (p = strstr(p, name)); p++)
		if (p > path && p[-1] == '/' && (!p[n] || p[n] == '/'))
			return true;
	return false;
}

static bool is_credential(const struct ws_guard *g, const char *path)
{
	const char *rest = g->home ? wk_below(path, g->home) : NULL;

	for (size_t i = 0; i < CH_ARRAY_LEN(credentials); i++) {
		if (g->anywhere ? has_parts(path, credentials[i])
				: rest && str_starts(rest, credentials[i]) &&
				  (!rest[strlen(credentials[i])] || rest[strlen(credentials[i])] == '/'))
			return true;
	}
	return false;
}

bool wk_is_guarded(const struct ws_guard *g, const char *real_path)
{
	if (!g)
		return false;
	if (g->state_dir && wk_below(real_path, g->state_dir))
		return true;
	for (size_t i = 0; i < CH_ARRAY_LEN(system_places); i++)
		if (wk_below(real_path, system_places[i]))
			return true;
	return is_credential(g, real_path);
}

static ch_status check_guard(const struct ws_root *root, int fd, const char *rel, struct ch_err *err)
{
	char real[WS_REAL_MAX];

	if (!root->guard)
		return CH_OK;
	if (!wk_real_path(fd, real, sizeof(real)))
		return ch_fail(err, CH_E_DENIED, "'%s' cannot be told where it leads", rel);
	if (wk_is_guarded(root->guard, real))
		return ch_fail(err, CH_E_DENIED, "'%s' is kept from file tools: it belongs to the system, to this program, or holds credentials", rel);
	return CH_OK;
}

/* -- opening -- */

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

ch_status wk_open(const struct ws_root *root, const char *rel, int flags, int *ret_fd, struct ch_err *err)
{
	struct open_how how = {
		.flags = (uint64_t)(unsigned)(flags | O_CLOEXEC),
		.resolve = (root->is_whole ? RESOLVE_IN_ROOT : RESOLVE_BENEATH) | RESOLVE_NO_MAGICLINKS | root->extra,
	};
	long fd = -1;
	ch_status rc;

	if (!(flags & O_PATH))
		how.flags |= O_NOCTTY | O_NONBLOCK;
	for (int i = 0; i < EAGAIN_TRIES; i++) {
		fd = syscall(SYS_openat2, root->fd, rel, &how, sizeof(how)); /* O_CLOEXEC is in how */
		if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
			break;
	}
	if (fd < 0)
		return open_failed(err, errno, rel);
	rc = check_guard(root, (int)fd, rel, err);
	if (rc) {
		close((int)fd);
		return rc;
	}
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

ch_status wk_open_file(const struct ws_root *root, const char *rel, int *ret_fd, struct stat *ret_st, struct ch_err *err)
{
	WS_AUTO_FD int probe = -1;
	struct stat seen, st;
	ch_status rc;
	int fd;

	/* Looked at through O_PATH first: opening a FIFO or a device can block or have effects. */
	rc = wk_open(root, rel, O_PATH, &probe, err);
	if (rc)
		return rc;
	if (fstat(probe, &seen))
		return ch_fail_errno(err, CH_E_IO, errno, "cannot look at '%s'", rel);
	if (!S_ISREG(seen.st_mode))
		return ch_fail(err, CH_E_INVALID, "'%s' is %s, not a regular file", rel, kind_name(seen.st_mode));
	rc = wk_open(root, rel, O_RDONLY, &fd, err);
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
static ch_status make_one(const struct ws_root *root, char *prefix, struct ch_err *err)
{
	WS_AUTO_FD int parent = -1;
	char *slash = strrchr(prefix, '/');
	const char *name = slash ? slash + 1 : prefix;
	ch_status rc;
	int failed;

	if (slash)
		*slash = '\0';
	rc = wk_open(root, slash ? prefix : ".", O_PATH | O_DIRECTORY, &parent, err);
	if (slash)
		*slash = '/';
	if (rc)
		return rc;
	failed = mkdirat(parent, name, MAKE_DIR_MODE) ? errno : 0;
	if (failed && failed != EEXIST)
		return ch_fail_errno(err, CH_E_IO, failed, "cannot make the directory '%s'", prefix);
	return CH_OK;
}

ch_status wk_make_parents(const struct ws_root *root, const char *rel, size_t *ret_made, struct ch_err *err)
{
	char prefix[WS_PATH_MAX];
	size_t n = strlen(rel), made = 0;

	if (n >= sizeof(prefix))
		return ch_fail(err, CH_E_INVALID, "the path is longer than %zu bytes", sizeof(prefix) - 1);
	for (size_t i = 1; i < n; i++) {
		WS_AUTO_FD int fd = -1;
		ch_status rc;

		if (rel[i] != '/' || rel[i - 1] == '/')
			continue;
		memcpy(prefix, rel, i);
		prefix[i] = '\0';
		rc = wk_open(root, prefix, O_PATH | O_DIRECTORY, &fd, err);
		if (rc == CH_E_NOT_FOUND && wk_leads_up(rel + i))
			return rc;       /* where ".." leads is not known before */
		if (rc == CH_E_NOT_FOUND) {
			rc = make_one(root, prefix, err);
			if (!rc && !made)
				made = i;
			if (ret_made)
				*ret_made = made;
			if (!rc)
				rc = wk_open(root, prefix, O_PATH | O_DIRECTORY, &fd, err);
		}
		if (rc)
			return rc;
	}
	return CH_OK;
}
