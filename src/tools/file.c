/*
 * tools/file.c - whole files below a root: loaded with a ceiling, replaced atomically.
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

ch_status ws_load_in(const struct ws_root *root, const char *rel, struct buf *ret, struct ws_stamp *ret_stamp,
		     struct ch_err *err)
{
	WS_AUTO_FD int fd = -1;
	struct stat st;
	ch_status rc;

	rc = wk_open_file(root, rel, &fd, &st, err);
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

ch_status ws_load(int workspace_fd, const char *rel, struct buf *ret, struct ws_stamp *ret_stamp, struct ch_err *err)
{
	struct ws_root root = ws_root_of(workspace_fd);

	return ws_load_in(&root, rel, ret, ret_stamp, err);
}

/* -- where a name leads -- */

void ws_target_done(struct ws_target *t)
{
	wk_close(&t->dir);
}

/* A name in a directory that may be looked into can still be one that is kept. */
static ch_status check_name(const struct ws_root *root, const struct ws_target *t, const char *rel, struct ch_err *err)
{
	CH_AUTO_STR char *real = NULL, *whole = NULL;

	if (!root->guard)
		return CH_OK;
	real = ch_alloc(2 * WS_PATH_MAX);
	if (!wk_real_path(t->dir, real, 2 * WS_PATH_MAX))
		return ch_fail(err, CH_E_DENIED, "'%s' cannot be told where it leads", rel);
	whole = ch_asprintf("%s/%s", str_eq(real, "/") ? "" : real, t->name);
	if (wk_is_guarded(root->guard, whole))
		return ch_fail(err, CH_E_DENIED, "'%s' is kept from file tools", rel);
	return CH_OK;
}

static ch_status split(const struct ws_root *root, const char *rel, struct ws_target *t, struct ch_err *err)
{
	char dir[WS_PATH_MAX];
	const char *slash = strrchr(rel, '/'), *name = slash ? slash + 1 : rel;
	size_t n = slash ? (size_t)(slash - rel) : 0;
	ch_status rc;

	if (!*name || str_eq(name, ".") || str_eq(name, ".."))
		return ch_fail(err, CH_E_INVALID, "'%s' names a directory, not a file", rel);
	if (strlen(name) >= sizeof(t->name) || n >= sizeof(dir))
		return ch_fail(err, CH_E_INVALID, "'%s' is too long a name", rel);
	snprintf(t->name, sizeof(t->name), "%s", name);
	memcpy(dir, rel, n);
	dir[n] = '\0';
	rc = wk_open(root, n ? dir : ".", O_RDONLY | O_DIRECTORY, &t->dir, err);
	return rc ? rc : check_name(root, t, rel, err);
}

/* A link's final place, as a name relative to the root. */
static ch_status follow_link(const struct ws_root *root, const char *rel, char *ret_rel, size_t cap, struct ch_err *err)
{
	WS_AUTO_FD int fd = -1;
	CH_AUTO_STR char *base = ch_alloc(WS_PATH_MAX), *place = ch_alloc(2 * WS_PATH_MAX);
	const char *rest;
	ch_status rc;

	rc = wk_open(root, rel, O_PATH, &fd, err);
	if (rc == CH_E_NOT_FOUND)
		return ch_fail(err, CH_E_INVALID, "'%s' is a link to something that does not exist", rel);
	if (rc)
		return rc;
	if (!wk_real_path(root->fd, base, WS_PATH_MAX) || !wk_real_path(fd, place, 2 * WS_PATH_MAX))
		return ch_fail(err, CH_E_DENIED, "'%s' is a link whose place cannot be told", rel);
	rest = wk_below(place, base);
	if (!rest || strlen(rest) >= cap)
		return ch_fail(err, CH_E_DENIED, "'%s' is a link whose place cannot be told", rel);
	memcpy(ret_rel, rest, strlen(rest) + 1);
	return CH_OK;
}

ch_status ws_target_find(const struct ws_root *root, const char *rel, enum ws_follow follow, struct ws_target *ret,
			 struct ch_err *err)
{
	char place[WS_PATH_MAX];
	ch_status rc;

	rc = split(root, rel, ret, err);
	if (rc)
		return rc;
	ret->exists = !fstatat(ret->dir, ret->name, &ret->st, AT_SYMLINK_NOFOLLOW);
	if (!ret->exists && errno != ENOENT)
		return ch_fail_errno(err, CH_E_IO, errno, "cannot look at '%s'", rel);
	if (!ret->exists || S_ISREG(ret->st.st_mode) || (S_ISLNK(ret->st.st_mode) && follow == WS_NO_FOLLOW))
		return CH_OK;
	if (!S_ISLNK(ret->st.st_mode))
		return ch_fail(err, CH_E_INVALID, "'%s' exists and is not a regular file", rel);
	rc = follow_link(root, rel, place, sizeof(place), err);
	if (rc)
		return rc;
	wk_close(&ret->dir);
	rc = ws_target_find(root, place, WS_NO_FOLLOW, ret, err); /* once: the place has no links left */
	if (!rc && ret->exists && !S_ISREG(ret->st.st_mode))
		rc = ch_fail(err, CH_E_CONFLICT, "'%s' was replaced while it was looked at; try again", rel);
	return rc;
}

bool ws_target_is(const struct ws_target *t, const struct ws_stamp *expect)
{
	struct ws_stamp now = { .is_set = true };

	if (t->exists)
		ws_stamp_of(&t->st, &now);
	return now.existed == expect->existed && now.ino == expect->ino && now.size == expect->size &&
	       now.mtime_ns == expect->mtime_ns;
}

/* -- writing -- */

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

void ws_tmp_name(char ret_name[WS_TMP_NAME_MAX])
{
	char token[16];

	rand_token(TMP_RANDOM_BYTES, token);
	snprintf(ret_name, WS_TMP_NAME_MAX, ".%s.chela-tmp", token);
}

mode_t ws_target_mode(const struct ws_target *t)
{
	return t->exists && S_ISREG(t->st.st_mode) ? t->st.st_mode & 0777 : NEW_FILE_MODE;
}

ch_status ws_write_beside(const struct ws_target *t, const char *data, size_t len, mode_t mode, const char *shown,
			  char ret_tmp[WS_TMP_NAME_MAX], struct ch_err *err)
{
	WS_AUTO_FD int fd = -1;
	int failed;

	ws_tmp_name(ret_tmp);
	fd = openat(t->dir, ret_tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return ch_fail_errno(err, CH_E_IO, errno, "cannot write beside '%s'", shown);
	if (write_all(fd, data, len) && !fchmod(fd, mode) && !fsync(fd))
		return CH_OK;
	failed = errno;
	unlinkat(t->dir, ret_tmp, 0);
	return ch_fail_errno(err, CH_E_IO, failed, "cannot write '%s'", shown);
}

static ch_status put_in_place(const struct ws_target *t, const char *tmp, const char *rel, struct ch_err *err)
{
	if (renameat(t->dir, tmp, t->dir, t->name)) {
		int failed = errno;

		unlinkat(t->dir, tmp, 0);
		return ch_fail_errno(err, CH_E_IO, failed, "cannot put '%s' in place", rel);
	}
	if (fsync(t->dir))
		return ch_fail_errno(err, CH_E_IO, errno, "cannot make the new '%s' durable", rel);
	return CH_OK;
}

ch_status ws_replace_in(const struct ws_root *root, const char *rel, const char *data, size_t len, const struct ws_stamp *expect,
			bool *ret_created, struct ch_err *err)
{
	WS_AUTO_TARGET struct ws_target t = { .dir = -1 };
	char tmp[WS_TMP_NAME_MAX];
	ch_status rc;

	rc = wk_make_parents(root, rel, NULL, err);
	if (!rc)
		rc = ws_target_find(root, rel, WS_FOLLOW, &t, err);
	if (!rc && expect && expect->is_set && !ws_target_is(&t, expect))
		rc = ch_fail(err, CH_E_CONFLICT, "'%s' was changed meanwhile by somebody else; read it again", rel);
	if (!rc)
		rc = ws_write_beside(&t, data, len, ws_target_mode(&t), rel, tmp, err);
	if (!rc)
		rc = put_in_place(&t, tmp, rel, err);
	if (!rc)
		*ret_created = !t.exists;
	return rc;
}

ch_status ws_replace(int workspace_fd, const char *rel, const char *data, size_t len, const struct ws_stamp *expect,
		     bool *ret_created, struct ch_err *err)
{
	struct ws_root root = ws_root_of(workspace_fd);

	return ws_replace_in(&root, rel, data, len, expect, ret_created, err);
}
