/*
 * core/file_place.c - a new file below a directory that others may write to: opened component by component, never through a link.
 */
#include "core/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/str.h"

#define COMPONENT_MAX 255

/* The folder `name` in dir, made when missing; takes dir's place. */
static ch_status step_into(int *dir, const char *name, struct ch_err *err)
{
	int next;

	if (mkdirat(*dir, name, 0700) < 0 && errno != EEXIST)
		return ch_fail_errno(err, CH_E_IO, errno, "cannot make the folder %s", name);
	next = openat(*dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (next < 0)
		return ch_fail_errno(err, errno == ELOOP || errno == ENOTDIR ? CH_E_DENIED : CH_E_IO, errno,
				     "%s is no folder of its own", name);
	close(*dir);
	*dir = next;
	return CH_OK;
}

/* The next component of *rel, which moves behind it. */
static ch_status take_component(const char **rel, char name[COMPONENT_MAX + 1], struct ch_err *err)
{
	size_t n = strcspn(*rel, "/");

	if (!n || n > COMPONENT_MAX || str_eq(*rel, "..") || (n == 1 && **rel == '.') || (n == 2 && !strncmp(*rel, "..", 2)))
		return ch_fail(err, CH_E_DENIED, "'%.80s' is no name below a folder", *rel);
	memcpy(name, *rel, n);
	name[n] = '\0';
	*rel += n + ((*rel)[n] == '/');
	return CH_OK;
}

static ch_status write_all(int fd, const char *p, size_t n, struct ch_err *err)
{
	while (n) {
		ssize_t done = write(fd, p, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return ch_fail_errno(err, CH_E_IO, errno, "cannot write the file");
		p += done;
		n -= (size_t)done;
	}
	return CH_OK;
}

static ch_status write_new(int dir, const char *name, const void *p, size_t n, struct ch_err *err)
{
	FILE_AUTO_FD int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	ch_status st;

	if (fd < 0)
		return ch_fail_errno(err, errno == EEXIST ? CH_E_EXISTS : CH_E_IO, errno, "cannot make the file %s", name);
	st = write_all(fd, p, n, err);
	if (st)
		unlinkat(dir, name, 0);
	return st;
}

ch_status file_write_beneath(const char *root, const char *rel, const void *p, size_t n, struct ch_err *err)
{
	FILE_AUTO_FD int dir = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char name[COMPONENT_MAX + 1];
	ch_status st;

	if (dir < 0)
		return ch_fail_errno(err, CH_E_IO, errno, "cannot open the folder %s", root);
	st = take_component(&rel, name, err);
	while (!st && *rel) {
		st = step_into(&dir, name, err);
		if (!st)
			st = take_component(&rel, name, err);
	}
	return st ? st : write_new(dir, name, p, n, err);
}
