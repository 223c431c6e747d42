/*
 * exec/resolve.c - see resolve.h.
 */
#include "exec/resolve.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/str.h"

#define PATH_BYTES 4096
#define PROTECTED_PATH_BYTES 1024        /* longer ones are not believed to be the system's */
#ifndef MFD_EXEC
#define MFD_EXEC 0x0010u         /* Linux 6.3; older kernels refuse the flag and need none */
#endif

void exec_fd_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

int exec_fd_take(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

void exec_file_done(struct exec_file *f)
{
	exec_fd_close(&f->fd);
}

/* Where a descriptor really is. */
static const char *real_path(struct arena *a, int fd)
{
	char link[40], *path = arena_alloc(a, PATH_BYTES);
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, PATH_BYTES - 1);
	if (n <= 0 || n >= PATH_BYTES - 1)
		return NULL;
	path[n] = '\0';
	return path;
}

static const char *absolute(struct arena *a, const char *path, const char *cwd)
{
	while (*path != '/' && path[0] == '.' && path[1] == '/')
		path += 2;
	return *path == '/' ? path : arena_printf(a, "%s/%s", str_eq(cwd, "/") ? "" : cwd, path);
}

ch_status exec_file_open(struct arena *a, const char *path, int dir_fd, const char *cwd, struct exec_file *ret,
			 struct ch_err *err)
{
	struct exec_file f = EXEC_FILE_NONE;

	f.fd = openat(dir_fd, path, O_PATH | O_CLOEXEC);
	if (f.fd < 0)
		return ch_fail_errno(err, errno == EACCES ? CH_E_DENIED : CH_E_NOT_FOUND, errno, "'%s'", path);
	f.path = absolute(a, path, cwd);
	f.real = real_path(a, f.fd);
	if (fstat(f.fd, &f.st) < 0 || !f.real || !S_ISREG(f.st.st_mode)) {
		exec_file_done(&f);
		return ch_fail(err, CH_E_DENIED, "'%s' is not a regular file", path);
	}
	*ret = f;
	return CH_OK;
}

static ch_status open_executable(struct arena *a, const char *path, int dir_fd, const char *cwd, struct exec_file *ret,
				 struct ch_err *err)
{
	CH_AUTO_DONE(exec_file_done) struct exec_file f = EXEC_FILE_NONE;
	char link[40];
	ch_status st;

	st = exec_file_open(a, path, dir_fd, cwd, &f, err);
	if (st)
		return st;
	/* Asked of the file itself, not of the name once more. */
	snprintf(link, sizeof(link), "/proc/self/fd/%d", f.fd);
	if (faccessat(AT_FDCWD, link, X_OK, AT_EACCESS) < 0)
		return ch_fail(err, CH_E_DENIED, "'%s' is not executable", path);
	*ret = f;
	f.fd = -1;
	return CH_OK;
}

ch_status exec_resolve(struct arena *a, const char *name, const char *path_env, int dir_fd, const char *cwd,
		       struct exec_file *ret, struct ch_err *err)
{
	ch_status st, worst = CH_E_NOT_FOUND;
	const char *next;

	if (!*name)
		return ch_fail(err, CH_E_NOT_FOUND, "the command has no name");
	if (strchr(name, '/'))
		return open_executable(a, name, dir_fd, cwd, ret, err);
	for (const char *p = path_env; p && *p; p = *next ? next + 1 : next) {
		const char *full;

		next = p + strcspn(p, ":");
		if (*p != '/')
			continue;
		full = arena_printf(a, "%.*s/%s", (int)(next - p), p, name);
		st = open_executable(a, full, AT_FDCWD, cwd, ret, err);
		if (!st)
			return CH_OK;
		if (st == CH_E_DENIED)
			worst = st;
	}
	return worst == CH_E_DENIED ? ch_fail(err, worst, "'%s' is not executable", name)
				    : ch_fail(err, worst, "there is no program '%s' in %s", name, path_env ? path_env : "an empty PATH");
}

bool exec_file_is_protected(const struct exec_file *f)
{
	static const char *const roots[] = { "/usr/", "/bin/", "/sbin/", "/lib/", "/lib64/", "/opt/", "/nix/store/", "/snap/" };
	char dir[PROTECTED_PATH_BYTES];
	struct stat st;
	bool is_system = false;

	for (size_t i = 0; i < CH_ARRAY_LEN(roots); i++)
		is_system |= str_starts(f->real, roots[i]);
	if (!is_system || f->st.st_uid != 0 || f->st.st_mode & (S_IWGRP | S_IWOTH) || strlen(f->real) >= sizeof(dir))
		return false;
	snprintf(dir, sizeof(dir), "%s", f->real);
	for (char *slash; (slash = strrchr(dir, '/')) && slash != dir;) {
		*slash = '\0';
		if (lstat(dir, &st) < 0 || !S_ISDIR(st.st_mode) || st.st_uid != 0 || st.st_mode & (S_IWGRP | S_IWOTH))
			return false;
	}
	return true;
}

/* The bytes of a path descriptor. */
static int reopen(const struct exec_file *f)
{
	char link[40];

	snprintf(link, sizeof(link), "/proc/self/fd/%d", f->fd);
	return openat(AT_FDCWD, link, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
}

bool exec_file_is_script(const struct exec_file *f)
{
	CH_AUTO_DONE(exec_fd_close) int fd = reopen(f);
	char head[2];

	return fd >= 0 && pread(fd, head, 2, 0) == 2 && head[0] == '#' && head[1] == '!';
}

static int memory_file(const char *name)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);

	return fd < 0 && errno == EINVAL ? memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING) : fd;
}

static bool seal(int fd)
{
	return fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0;
}

static bool write_all(int fd, const char *p, size_t n)
{
	while (n) {
		ssize_t k = write(fd, p, n);

		if (k < 0 && errno == EINTR)
			continue;
		if (k <= 0)
			return false;
		p += k;
		n -= (size_t)k;
	}
	return true;
}

int exec_memory_file(const char *name, const void *p, size_t n)
{
	int fd = memory_file(name);

	if (fd >= 0 && (!write_all(fd, p, n) || !seal(fd) || lseek(fd, 0, SEEK_SET) < 0))
		exec_fd_close(&fd);
	return fd;
}

/* A file that grows meanwhile is cut, and differs then. */
static bool copy_bytes(int from, int to, size_t n)
{
	char chunk[3000];
	ssize_t k;

	while (n) {
		k = read(from, chunk, CH_MIN(n, sizeof(chunk)));
		if (k < 0 && errno == EINTR)
			continue;
		if (k <= 0)
			return k == 0;
		if (!write_all(to, chunk, (size_t)k))
			return false;
		n -= (size_t)k;
	}
	return true;
}

/* Sealed first, hashed then: nobody else has the descriptor, and the size is what was written. */
static bool hash_sealed(int fd, char ret_sha256[2 * SHA256_LEN + 1])
{
	struct stat st;
	void *p;

	if (fstat(fd, &st) < 0)
		return false;
	if (!st.st_size) {
		sha256_hex("", 0, ret_sha256);
		return true;
	}
	p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		return false;
	sha256_hex(p, (size_t)st.st_size, ret_sha256);
	munmap(p, (size_t)st.st_size);
	return true;
}

ch_status exec_file_seal(const struct exec_file *f, int *ret_fd, char ret_sha256[2 * SHA256_LEN + 1], struct ch_err *err)
{
	CH_AUTO_DONE(exec_fd_close) int from = -1;
	CH_AUTO_DONE(exec_fd_close) int to = -1;

	if (f->st.st_size > EXEC_COPY_MAX)
		return ch_fail(err, CH_E_LIMIT, "'%s' is larger than %d bytes", f->path, EXEC_COPY_MAX);
	from = reopen(f);
	if (from < 0)
		return ch_fail_errno(err, CH_E_DENIED, errno, "'%s' cannot be read, so it cannot be bound", f->path);
	to = memory_file("command");
	if (to < 0 || !copy_bytes(from, to, (size_t)f->st.st_size) || !seal(to) || !hash_sealed(to, ret_sha256))
		return ch_fail_errno(err, CH_E_IO, errno, "'%s' cannot be copied", f->path);
	if (ret_fd)
		*ret_fd = exec_fd_take(&to);
	return CH_OK;
}
