/*
 * core/file_beneath.c - files below a directory that others may write, and copies of them.
 */
#include "core/file.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/mem.h"

#define COPY_CHUNK 32768

void file_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static int take(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

/* The part of path below dir; path itself when it is relative; NULL: it is elsewhere. */
static const char *below(const char *dir, const char *path)
{
	size_t n = strlen(dir);

	if (*path != '/')
		return path;
	while (n > 1 && dir[n - 1] == '/')
		n--;
	if (strncmp(path, dir, n) != 0 || path[n] != '/')
		return NULL;
	path += n;
	while (*path == '/')
		path++;
	return path;
}

ch_status file_open_beneath(const char *dir, const char *path, int *ret_fd, int64_t *ret_size, struct ch_err *err)
{
	const char *rel = below(dir, path);
	struct open_how how = { .flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
				.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS };
	FILE_AUTO_FD int root = -1;
	FILE_AUTO_FD int fd = -1;
	struct stat st;

	if (!rel || !*rel)
		return ch_fail(err, CH_E_DENIED, "%s is not below %s", path, dir);
	root = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return ch_fail_errno(err, CH_E_IO, errno, "cannot open %s", dir);
	fd = (int)syscall(SYS_openat2, root, rel, &how, sizeof(how));
	if (fd < 0 && (errno == EXDEV || errno == ELOOP))
		return ch_fail(err, CH_E_DENIED, "%s leads out of %s", path, dir);
	if (fd < 0)
		return ch_fail_errno(err, errno == ENOENT || errno == ENOTDIR ? CH_E_NOT_FOUND : CH_E_IO, errno,
				     "cannot open %s", path);
	if (fstat(fd, &st) < 0)
		return ch_fail_errno(err, CH_E_IO, errno, "cannot look at %s", path);
	if (!S_ISREG(st.st_mode))
		return ch_fail(err, CH_E_INVALID, "%s is not a regular file", path);
	*ret_size = st.st_size;
	*ret_fd = take(&fd);
	return CH_OK;
}

static ch_status write_all(int fd, const char *p, size_t n, const char *path, struct ch_err *err)
{
	while (n) {
		ssize_t done = write(fd, p, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return ch_fail_errno(err, CH_E_IO, errno, "cannot write %s", path);
		p += done;
		n -= (size_t)done;
	}
	return CH_OK;
}

static ch_status create(const char *path, int *ret_fd, struct ch_err *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return ch_fail_errno(err, errno == EEXIST ? CH_E_EXISTS : CH_E_IO, errno, "cannot make %s", path);
	*ret_fd = fd;
	return CH_OK;
}

ch_status file_write_new(const char *path, const void *p, size_t n, struct ch_err *err)
{
	FILE_AUTO_FD int out = -1;
	ch_status st = create(path, &out, err);

	if (st)
		return st;
	st = write_all(out, p, n, path, err);
	if (st)
		unlink(path);
	return st;
}

static ch_status copy_all(int fd, int out, const char *path, size_t max_bytes, struct ch_err *err)
{
	char *chunk = ch_alloc(COPY_CHUNK);
	ch_status st = CH_OK;
	size_t total = 0;

	while (!st) {
		ssize_t n = read(fd, chunk, COPY_CHUNK);

		if (n < 0 && errno == EINTR)
			continue;
		if (n == 0)
			break;
		total += n > 0 ? (size_t)n : 0;
		if (n < 0)
			st = ch_fail_errno(err, CH_E_IO, errno, "cannot read what %s is made from", path);
		else if (total > max_bytes)
			st = ch_fail(err, CH_E_LIMIT, "the file has more than %zu bytes", max_bytes);
		else
			st = write_all(out, chunk, (size_t)n, path, err);
	}
	ch_free(chunk);
	return st;
}

ch_status file_copy_new(const char *path, int fd, size_t max_bytes, struct ch_err *err)
{
	FILE_AUTO_FD int out = -1;
	ch_status st = create(path, &out, err);

	if (st)
		return st;
	st = copy_all(fd, out, path, max_bytes, err);
	if (st)
		unlink(path);
	return st;
}
