/*
 * tools/patch_commit.c - several files changed together: the renames, and taking them back.
 *
 * For a file that is replaced: a second name for the old one, then the new one is renamed over it, so that it is never
 * missing. For one that is removed: a second name, then the first is taken away. For a new one: a rename that
 * fails when something stands there. What was done is undone in reverse.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <unistd.h>

#include "core/str.h"
#include "tools/patch_tx.h"

/* -- stage -- */

static ch_status stage_one(struct patch_file *f, struct ch_err *err)
{
	struct ws_root root = f->place->root;
	ch_status rc = CH_OK;

	if (!f->was)
		root.extra |= RESOLVE_NO_SYMLINKS;       /* a new file is where its name says */
	if (f->is)
		rc = wk_make_parents(&root, f->place->rel, &f->made, err);
	if (!rc)
		rc = ws_target_find(&root, f->place->rel, f->follow, &f->target, err);
	if (!rc && !ws_target_is(&f->target, &f->stamp))
		rc = ch_fail(err, CH_E_CONFLICT, "'%s' was changed meanwhile by somebody else; read it again", f->place->rel);
	if (!rc && f->is)
		rc = ws_write_beside(&f->target, f->text.p, f->text.n, f->mode, f->place->rel, f->tmp, err);
	if (rc)
		f->tmp[0] = '\0';
	return rc;
}

ch_status patch_tx_stage(struct patch_tx *tx, struct ch_err *err)
{
	ch_status rc = CH_OK;

	for (size_t i = 0; !rc && i < tx->files.len; i++)
		if (patch_file_changes(tx->files.at[i]))
			rc = stage_one(tx->files.at[i], err);
	return rc;
}

/* -- commit -- */

static bool is_as_staged(const struct patch_file *f)
{
	struct ws_target now = { .dir = f->target.dir };

	now.exists = !fstatat(now.dir, f->target.name, &now.st, AT_SYMLINK_NOFOLLOW);
	return ws_target_is(&now, &f->stamp);
}

/* A second name for the old file; where there are no hard links, its only one. */
static ch_status keep_old(struct patch_file *f, struct ch_err *err)
{
	ws_tmp_name(f->old);
	if (!linkat(f->target.dir, f->target.name, f->target.dir, f->old, 0) ||
	    !renameat(f->target.dir, f->target.name, f->target.dir, f->old))
		return CH_OK;
	f->old[0] = '\0';
	return ch_fail_errno(err, CH_E_IO, errno, "cannot keep what '%s' was", f->place->rel);
}

static bool put_new(struct patch_file *f)
{
	if (f->was)
		return !renameat(f->target.dir, f->tmp, f->target.dir, f->target.name);
	if (!renameat2(f->target.dir, f->tmp, f->target.dir, f->target.name, RENAME_NOREPLACE))
		return true;
	if (errno != EINVAL && errno != ENOSYS)
		return false;
	/* A file system without that flag: a link does not replace either. */
	return !linkat(f->target.dir, f->tmp, f->target.dir, f->target.name, 0) && !unlinkat(f->target.dir, f->tmp, 0);
}

static ch_status commit_one(struct patch_file *f, struct ch_err *err)
{
	ch_status rc = CH_OK;

	if (!is_as_staged(f))
		return ch_fail(err, CH_E_CONFLICT, "'%s' was changed meanwhile by somebody else; read it again", f->place->rel);
	if (f->was)
		rc = keep_old(f, err);
	if (rc)
		return rc;
	if (f->is && !put_new(f))
		return ch_fail_errno(err, errno == EEXIST ? CH_E_CONFLICT : CH_E_IO, errno, "cannot put '%s' in place", f->place->rel);
	if (f->is) {
		f->tmp[0] = '\0';
		f->is_done = true;
	} else if (unlinkat(f->target.dir, f->target.name, 0) && errno != ENOENT) {
		return ch_fail_errno(err, CH_E_IO, errno, "cannot delete '%s'", f->place->rel);
	}
	return CH_OK;
}

/* As it was before; false when it could not be had. */
static bool undo(struct patch_file *f)
{
	if (f->old[0]) {
		if (renameat(f->target.dir, f->old, f->target.dir, f->target.name))
			return false;
		/* Two names of one file: a rename between them does nothing. */
		unlinkat(f->target.dir, f->old, 0);
		f->old[0] = '\0';
		return true;
	}
	return !f->is_done || !unlinkat(f->target.dir, f->target.name, 0) || errno == ENOENT;
}

static ch_status roll_back(struct patch_tx *tx, ch_status why, struct ch_err *err)
{
	for (size_t i = tx->files.len; i-- > 0;) {
		struct patch_file *f = tx->files.at[i];

		if (undo(f))
			continue;
		f->is_kept = true;
		(void)ch_wrap(err, "'%s' could not be restored, its former text is in '%s' beside it", f->place->rel, f->old);
	}
	return why;
}

/* The directories in which something changed; the same one once. */
static ch_status make_durable(const struct patch_tx *tx, struct ch_err *err)
{
	struct stat before = { 0 }, st;

	for (size_t i = 0; i < tx->files.len; i++) {
		const struct patch_file *f = tx->files.at[i];

		if (f->target.dir < 0 || fstat(f->target.dir, &st) || (st.st_dev == before.st_dev && st.st_ino == before.st_ino))
			continue;
		if (fsync(f->target.dir))
			return ch_fail_errno(err, CH_E_IO, errno, "cannot make '%s' durable", f->place->rel);
		before = st;
	}
	return CH_OK;
}

ch_status patch_tx_commit(struct patch_tx *tx, struct ch_err *err)
{
	ch_status rc = CH_OK;

	/* What goes away goes last: a crash between the two halves of a move loses nothing. */
	for (int is_removal = 0; is_removal < 2; is_removal++) {
		for (size_t i = 0; !rc && i < tx->files.len; i++) {
			struct patch_file *f = tx->files.at[i];

			if (patch_file_changes(f) && f->is != (bool)is_removal)
				rc = commit_one(f, err);
		}
	}
	if (!rc)
		rc = make_durable(tx, err);
	if (rc)
		return roll_back(tx, rc, err);
	for (size_t i = 0; i < tx->files.len; i++)
		tx->files.at[i]->made = 0;
	return CH_OK;
}

/* -- the end -- */

/* Directories that were made for a file that did not come; those in use stay. */
static void remove_made(const struct patch_file *f)
{
	char prefix[WS_PATH_MAX];
	size_t n = strlen(f->place->rel);

	memcpy(prefix, f->place->rel, n + 1);
	while (f->made && n > f->made) {
		WS_AUTO_FD int parent = -1;
		char *slash;

		while (n && prefix[n - 1] != '/')
			n--;
		while (n && prefix[n - 1] == '/')
			n--;
		prefix[n] = '\0';
		if (n < f->made)
			return;
		slash = strrchr(prefix, '/');
		if (slash)
			*slash = '\0';
		if (wk_open(&f->place->root, slash ? prefix : ".", O_PATH | O_DIRECTORY, &parent, NULL) ||
		    unlinkat(parent, slash ? slash + 1 : prefix, AT_REMOVEDIR))
			return;
		if (slash)
			*slash = '/';
	}
}

void patch_tx_done(struct patch_tx *tx)
{
	for (size_t i = tx->files.len; i-- > 0;) {
		struct patch_file *f = tx->files.at[i];

		if (f->tmp[0])
			unlinkat(f->target.dir, f->tmp, 0);
		if (f->old[0] && !f->is_kept)
			unlinkat(f->target.dir, f->old, 0);
		ws_target_done(&f->target);
		remove_made(f);
	}
	vec_done(&tx->files);
	arena_unref(tx->arena);
	tx->arena = NULL;
}
