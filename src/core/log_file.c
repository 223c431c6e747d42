/*
 * core/log_file.c - a file of lines that rotates by size:
 * path -> path.1 -> … -> path.keep -> gone.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/log_priv.h"
#include "core/mem.h"

#define FILE_MODE 0600

static ch_status reopen(struct log_file *f, struct ch_err *err)
{
	struct stat info;

	/* A raw open: the log is below everything that wraps files. */
	f->fd = open(f->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY, FILE_MODE);
	if (f->fd < 0)
		return ch_fail_errno(err, CH_E_IO, errno, "log file %s: cannot open", f->path);
	f->size_bytes = fstat(f->fd, &info) == 0 ? info.st_size : 0;
	return CH_OK;
}

ch_status log_file_open(struct log_file *f, const char *path, int64_t max_bytes, int keep, struct ch_err *err)
{
	ch_status st;

	*f = (struct log_file){ .fd = -1, .path = ch_strdup(path), .max_bytes = max_bytes, .keep = keep };
	st = reopen(f, err);
	if (st)
		log_file_close(f);
	return st;
}

void log_file_close(struct log_file *f)
{
	if (f->fd >= 0)
		close(f->fd);
	ch_free(f->path);
	*f = (struct log_file){ .fd = -1 };
}

static ch_status move_old(struct log_file *f, struct ch_err *err)
{
	for (int i = f->keep; i > 0; i--) {
		CH_AUTO_STR char *to = ch_asprintf("%s.%d", f->path, i);
		CH_AUTO_STR char *from = i > 1 ? ch_asprintf("%s.%d", f->path, i - 1) : ch_strdup(f->path);

		if (rename(from, to) && errno != ENOENT)
			return ch_fail_errno(err, CH_E_IO, errno, "log file %s: cannot rotate", from);
	}
	return CH_OK;
}

/* The old descriptor stays in use when this fails, so that no line is lost by it. */
static ch_status rotate(struct log_file *f, struct ch_err *err)
{
	int old_fd = f->fd;
	ch_status st;

	if (f->keep <= 0) {
		if (ftruncate(f->fd, 0))
			return ch_fail_errno(err, CH_E_IO, errno, "log file %s: cannot cut", f->path);
		f->size_bytes = 0;
		return CH_OK;
	}
	st = move_old(f, err);
	if (!st)
		st = reopen(f, err);
	if (st) {
		f->fd = old_fd;
		return st;
	}
	close(old_fd);
	return CH_OK;
}

static ch_status write_all(struct log_file *f, const char *p, size_t n, struct ch_err *err)
{
	ssize_t w;

	while (n > 0) {
		w = write(f->fd, p, n);
		if (w < 0 && errno == EINTR)
			continue;
		if (w < 0)
			return ch_fail_errno(err, CH_E_IO, errno, "log file %s: cannot write", f->path);
		p += w;
		n -= (size_t)w;
		f->size_bytes += w;
	}
	return CH_OK;
}

ch_status log_file_write(struct log_file *f, const char *line, size_t n, uint64_t *ret_lost,
			 struct ch_err *err)
{
	bool is_full = f->max_bytes > 0 && f->size_bytes > 0 && f->size_bytes + (int64_t)n > f->max_bytes;
	ch_status rotated = is_full ? rotate(f, err) : CH_OK;
	ch_status written = write_all(f, line, n, rotated ? NULL : err);
	bool was_failing = f->is_failing;

	*ret_lost = 0;
	f->is_failing = rotated || written;
	if (written) {
		f->lost++;
		return was_failing ? CH_OK : CH_E_IO;
	}
	*ret_lost = f->lost;
	f->lost = 0;
	return rotated && !was_failing ? CH_E_IO : CH_OK;
}
