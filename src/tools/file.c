/*
 * tools/file.c - whole files of the workspace: loaded with a ceiling, replaced atomically.
 */
#include "tools/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "core/mem.h"
#include "core/rand.h"
#include "core/str.h"

#define NEW_FILE_MODE 0644
#define TMP_RANDOM_BYTES 9
#define TMP_NAME_MAX 40
#define LOAD_CHUNK_BYTES 2048

void ws_stamp_of(const struct stat *st, struct ws_stamp *ret)
{
	*ret = (struct ws_stamp){
		.is_set = true,
		.existed = true,
		.ino = st->st_ino,
		.size = st->st_size,
		.mtime_ns = (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec,
	};
}

ch_status ws_load(int workspace_fd, const char *rel, struct buf *ret, struct ws_stamp *ret_stamp, struct ch_err *err)
{
	WS_AUTO_FD int fd = -1;
	struct stat st;
	ch_status rc;

	rc = wk_open_file(workspace_fd, rel, &fd, &st, err);
	if (rc)
		return rc;
	if (st.st_size > 0 && (uint64_t)st.st_size > ret->max_bytes)
		return ch_fail(err, CH_E_LIMIT, "'%s' has %lld bytes; the limit here is %zu", rel, (long long)st.st_size,
			       ret->max_bytes);
	for (;;) {
		char chunk[LOAD_CHUNK_BYTES];
		ssize_t n = read(fd, chunk, sizeof(chunk));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return ch_fail_errno(err, CH_E_IO, errno, "cannot read '%s'", rel);
		if (!n)
			break;
		buf_append(ret, chunk, (size_t)n);
	}
	rc = buf_status(ret, err, rel);
	if (rc)
		return rc;
	ws_stamp_of(&st, ret_stamp);
	return CH_OK;
}

/* The place a name stands for once links are followed: its directory and last part. */
struct target {
	int dir;
	char name[256];
	bool exists;
	struct stat st;
};

static ch_status split(int workspace_fd, const char *rel, struct target *t, struct ch_err *err)
{
	char dir[WS_PATH_MAX];
	const char *slash = strrchr(rel, '/'), *name = slash ? slash + 1 : rel;
	size_t n = slash ? (size_t)(slash - rel) : 0;

	if (!*name || str_eq(name, ".") || str_eq(name, ".."))
		return ch_fail(err, CH_E_INVALID, "'%s' names a directory, not a file", rel);
	if (strlen(name) >= sizeof(t->name) || n >= sizeof(dir))
		return ch_fail(err, CH_E_INVALID, "'%s' is too long a name", rel);
	snprintf(t->name, sizeof(t->name), "%s", name);
	memcpy(dir, rel, n);
	dir[n] = '\0';
	return wk_open(workspace_fd, n ? dir : ".", O_RDONLY | O_DIRECTORY, &t->dir, err);
}

/* A link's final place, as a name relative to the workspace. */
static ch_status follow(int workspace_fd, const char *rel, char *ret_rel, size_t cap, struct ch_err *err)
{
	WS_AUTO_FD int fd = -1;
	CH_AUTO_STR char *root = ch_alloc(WS_PATH_MAX), *place = ch_alloc(2 * WS_PATH_MAX);
	char link[40];
	ssize_t root_len, place_len;
	ch_status rc;

	rc = wk_open(workspace_fd, rel, O_PATH, &fd, err);
	if (rc == CH_E_NOT_FOUND)
		return ch_fail(err, CH_E_INVALID, "'%s' is a link to something that does not exist", rel);
	if (rc)
		return rc;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", workspace_fd);
	root_len = readlink(link, root, WS_PATH_MAX);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	place_len = readlink(link, place, 2 * WS_PATH_MAX);
	if (root_len <= 0 || place_len <= root_len + 1 || place_len == 2 * WS_PATH_MAX ||
	    memcmp(place, root, (size_t)root_len) != 0 || place[root_len] != '/' || (size_t)(place_len - root_len) > cap)
		return ch_fail(err, CH_E_DENIED, "'%s' is a link whose place cannot be told", rel);
	memcpy(ret_rel, place + root_len + 1, (size_t)(place_len - root_len - 1));
	ret_rel[place_len - root_len - 1] = '\0';
	return CH_OK;
}

static ch_status find_target(int workspace_fd, const char *rel, bool may_follow, struct target *t, struct ch_err *err)
{
	char place[WS_PATH_MAX];
	ch_status rc;

	rc = split(workspace_fd, rel, t, err);
	if (rc)
		return rc;
	t->exists = !fstatat(t->dir, t->name, &t->st, AT_SYMLINK_NOFOLLOW);
	if (!t->exists && errno != ENOENT)
		return ch_fail_errno(err, CH_E_IO, errno, "cannot look at '%s'", rel);
	if (!t->exists || S_ISREG(t->st.st_mode))
		return CH_OK;
	if (!S_ISLNK(t->st.st_mode) || !may_follow)
		return ch_fail(err, CH_E_INVALID, "'%s' exists and is not a regular file", rel);
	rc = follow(workspace_fd, rel, place, sizeof(place), err);
	if (rc)
		return rc;
	wk_close(&t->dir);
	return find_target(workspace_fd, place, false, t, err); /* once: the place has no links left */
}

static bool write_all(int fd, const char *p, size_t n)
{
	while (n) {
		ssize_t done = write(fd, p, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return false;
		p += done;
		n -= (size_t)done;
	}
	return true;
}

static bool still_is(const struct target *t, const struct ws_stamp *expect)
{
	struct ws_stamp now = { .is_set = true };

	if (t->exists)
		ws_stamp_of(&t->st, &now);
	return now.existed == expect->existed && now.ino == expect->ino && now.size == expect->size &&
	       now.mtime_ns == expect->mtime_ns;
}

static ch_status write_and_rename(const struct target *t, const char *tmp, const char *data, size_t len,
				  const char *rel, struct ch_err *err)
{
	WS_AUTO_FD int fd = -1;
	mode_t mode = t->exists ? t->st.st_mode & 0777 : NEW_FILE_MODE;

	fd = openat(t->dir, tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return ch_fail_errno(err, CH_E_IO, errno, "cannot write beside '%s'", rel);
	if (!write_all(fd, data, len) || fchmod(fd, mode) || fsync(fd))
		return ch_fail_errno(err, CH_E_IO, errno, "cannot write '%s'", rel);
	if (renameat(t->dir, tmp, t->dir, t->name))
		return ch_fail_errno(err, CH_E_IO, errno, "cannot put '%s' in place", rel);
	if (fsync(t->dir))
		return ch_fail_errno(err, CH_E_IO, errno, "cannot make the new '%s' durable", rel);
	return CH_OK;
}

ch_status ws_replace(int workspace_fd, const char *rel, const char *data, size_t len, const struct ws_stamp *expect,
		     bool *ret_created, struct ch_err *err)
{
	struct target t = { .dir = -1 };
	char tmp[TMP_NAME_MAX], token[16];
	ch_status rc;

	rc = wk_make_parents(workspace_fd, rel, err);
	if (!rc)
		rc = find_target(workspace_fd, rel, true, &t, err);
	if (!rc && expect && expect->is_set && !still_is(&t, expect))
		rc = ch_fail(err, CH_E_CONFLICT, "'%s' was changed meanwhile by somebody else; read it again", rel);
	if (!rc) {
		rand_token(TMP_RANDOM_BYTES, token);
		snprintf(tmp, sizeof(tmp), ".%s.chela-tmp", token);
		rc = write_and_rename(&t, tmp, data, len, rel, err);
		if (rc)
			unlinkat(t.dir, tmp, 0); /* gone already when the rename was done */
	}
	wk_close(&t.dir);
	if (!rc)
		*ret_created = !t.exists;
	return rc;
}
