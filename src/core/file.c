/*
 * core/file.c - whole files, read and atomically written.
 */
#include "core/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/mem.h"
#include "core/rand.h"

static void fd_done(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}
#define AUTO_FD __attribute__((cleanup(fd_done)))

bool file_exists(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0;
}

const char *file_real(struct arena *a, const char *path)
{
	char *real = realpath(path, NULL);
	const char *kept = arena_strdup(a, real);

	free(real);      /* libc's own memory, not of core/mem */
	return kept;
}

static ch_status read_file(const char *path, int flags, size_t max_bytes, struct buf *ret, struct ch_err *err)
{
	AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | flags);
	struct stat st;

	buf_init(ret, max_bytes);
	if (fd < 0 && errno == ELOOP && flags & O_NOFOLLOW)
		return ch_fail(err, CH_E_INVALID, "%s is a link, not a regular file", path);
	if (fd < 0)
		return ch_fail_errno(err, errno == ENOENT || errno == ENOTDIR ? CH_E_NOT_FOUND : CH_E_IO, errno,
				     "cannot open %s", path);
	if (fstat(fd, &st) < 0)
		return ch_fail_errno(err, CH_E_IO, errno, "cannot look at %s", path);
	if (!S_ISREG(st.st_mode))
		return ch_fail(err, CH_E_INVALID, "%s is not a regular file", path);
	if ((uint64_t)st.st_size > max_bytes)
		return ch_fail(err, CH_E_LIMIT, "%s has %lld bytes; at most %zu are read", path, (long long)st.st_size,
			       max_bytes);
	buf_reserve(ret, (size_t)st.st_size);
	for (;;) {
		char chunk[2048];
		ssize_t n = read(fd, chunk, sizeof(chunk));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return ch_fail_errno(err, CH_E_IO, errno, "cannot read %s", path);
		if (n == 0)
			break;
		buf_append(ret, chunk, (size_t)n);
	}
	return buf_status(ret, err, path);
}

ch_status file_read(const char *path, size_t max_bytes, struct buf *ret, struct ch_err *err)
{
	return read_file(path, 0, max_bytes, ret, err);
}

ch_status file_read_no_link(const char *path, size_t max_bytes, struct buf *ret, struct ch_err *err)
{
	return read_file(path, O_NOFOLLOW, max_bytes, ret, err);
}

static ch_status write_all(int fd, const char *p, size_t n)
{
	while (n) {
		ssize_t done = write(fd, p, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return CH_E_IO;
		p += done;
		n -= (size_t)done;
	}
	return fsync(fd) < 0 ? CH_E_IO : CH_OK;
}

/* The rename is only durable when the directory is. */
static void sync_dir_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	CH_AUTO_STR char *dir = slash ? ch_strndup(path, slash == path ? 1 : (size_t)(slash - path)) : ch_strdup(".");
	AUTO_FD int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0)
		(void)!fsync(fd);
}

ch_status file_write_atomic(const char *path, const void *p, size_t n, mode_t mode, struct ch_err *err)
{
	char *real = realpath(path, NULL);      /* ours to free() */
	CH_AUTO_STR char *target = ch_strdup(real ? real : path);
	char suffix[12];

	free(real);
	rand_token(6, suffix);
	CH_AUTO_STR char *tmp = ch_asprintf("%s.%s.tmp", target, suffix);
	AUTO_FD int fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);

	if (fd < 0)
		return ch_fail_errno(err, CH_E_IO, errno, "cannot write beside %s", target);
	if (write_all(fd, p, n) || rename(tmp, target) < 0) {
		int saved = errno;

		unlink(tmp);
		return ch_fail_errno(err, CH_E_IO, saved, "cannot write %s", target);
	}
	sync_dir_of(target);
	return CH_OK;
}

ch_status file_mkdirs(const char *path, mode_t mode, struct ch_err *err)
{
	CH_AUTO_STR char *copy = ch_strdup(path);

	for (char *p = copy + 1; ; p++) {
		char saved = *p;

		if (saved != '/' && saved != '\0')
			continue;
		*p = '\0';
		if (mkdir(copy, mode) < 0 && errno != EEXIST)
			return ch_fail_errno(err, CH_E_IO, errno, "cannot make the directory %s", copy);
		*p = saved;
		if (saved == '\0')
			break;
	}
	struct stat st;

	if (stat(path, &st) < 0 || !S_ISDIR(st.st_mode))
		return ch_fail(err, CH_E_IO, "%s is not a directory", path);
	return CH_OK;
}
