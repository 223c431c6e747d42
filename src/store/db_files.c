/*
 * store/db_files.c - the directory and the file before SQLite opens them.
 *
 * The directory is ours and 0700, the file ours and 0600. SQLite gives its
 * -wal and -shm files the mode of the database, so making that one first, with
 * the right mode, covers all three and needs no umask().
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file.h"
#include "core/mem.h"
#include "store/db_priv.h"

/* Ours, and closed to others: opened wider ones are closed, another owner's are refused. */
static ch_status check_owner(int fd, const char *path, mode_t mode, struct ch_err *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return ch_fail_errno(err, CH_E_IO, errno, "cannot look at %s", path);
	if (st.st_uid != geteuid())
		return ch_fail(err, CH_E_DENIED,
			       "%s belongs to user %u and we run as user %u; run as its owner or "
			       "choose another CHELA_STATE_DIR",
			       path, st.st_uid, geteuid());
	if ((st.st_mode & 077) && fchmod(fd, mode) < 0)
		return ch_fail_errno(err, CH_E_IO, errno, "cannot close %s to other users", path);
	return CH_OK;
}

static ch_status prepare_dir(const char *path, int flags, struct ch_err *err)
{
	const char *slash = strrchr(path, '/');
	CH_AUTO_STR char *dir =
		slash ? ch_strndup(path, slash == path ? 1 : (size_t)(slash - path)) : ch_strdup(".");
	ch_status st;
	int fd;

	if (flags & DB_CREATE) {
		st = file_mkdirs(dir, 0700, err);
		if (st)
			return st;
	}
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return ch_fail_errno(err, errno == ENOENT ? CH_E_NOT_FOUND : CH_E_IO, errno,
				     "cannot open the state directory %s", dir);
	st = check_owner(fd, dir, 0700, err);
	close(fd);
	return st;
}

ch_status db_files_prepare(const char *path, int flags, struct ch_err *err)
{
	int create = flags & DB_CREATE ? O_CREAT : 0;
	ch_status st;
	int fd;

	if (!(flags & DB_READ_ONLY)) {
		st = prepare_dir(path, flags, err);
		if (st)
			return st;
	}
	/* Raw, for the mode at birth; SQLite opens it again by name. */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | create, 0600);
	if (fd < 0 && errno == ENOENT)
		return ch_fail(err, CH_E_NOT_FOUND, "there is no database at %s yet; start the gateway once",
			       path);
	if (fd < 0)
		return ch_fail_errno(err, CH_E_IO, errno, "cannot open the database %s", path);
	st = flags & DB_READ_ONLY ? CH_OK : check_owner(fd, path, 0600, err);
	close(fd);
	return st;
}

bool db_files_unclean(const char *path)
{
	CH_AUTO_STR char *wal = ch_asprintf("%s-wal", path);
	struct stat st;

	return stat(wal, &st) == 0 && st.st_size > 0;
}
