/*
 * tools/file.h - whole files below a root: loaded with a ceiling, replaced atomically.
 *
 * Blocking; runs on pool threads. Containment is path.h's.
 * Keeps   a file is replaced by rename, so a reader sees the old or the new one, a crash
 *         leaves one of them, and another hard link to the old one is not written through.
 */
#ifndef CH_TOOLS_FILE_H
#define CH_TOOLS_FILE_H

#include "tools/path.h"

#define WS_TMP_NAME_MAX 40

/* What a file was when it was read; replacing it is refused when it no longer is. */
struct ws_stamp {
	bool is_set, existed;
	uint64_t ino;
	int64_t size, mtime_ns;
};
void ws_stamp_of(const struct stat *st, struct ws_stamp *ret);

/* The whole regular file; ret is initialised by the caller and bounds the size. */
CH_MUST_USE ch_status ws_load_in(const struct ws_root *root, const char *rel, struct buf *ret, struct ws_stamp *ret_stamp,
				 struct ch_err *err);
/*
 * Writes the file anew: parents made, temporary file beside it, fsync, rename. Mode bits are kept,
 * new ones are 0644. A link that stays inside is followed. CH_E_CONFLICT when *expect does not match.
 */
CH_MUST_USE ch_status ws_replace_in(const struct ws_root *root, const char *rel, const char *data, size_t len,
				    const struct ws_stamp *expect, bool *ret_created, struct ch_err *err);
/* The same below a bare descriptor, with nothing guarded: for the workspace's own files. */
CH_MUST_USE ch_status ws_load(int workspace_fd, const char *rel, struct buf *ret, struct ws_stamp *ret_stamp,
			      struct ch_err *err);
CH_MUST_USE ch_status ws_replace(int workspace_fd, const char *rel, const char *data, size_t len,
				 const struct ws_stamp *expect, bool *ret_created, struct ch_err *err);

/* -- the parts, for who replaces several files together (patch_commit.c) -- */

/* The place a name stands for: its directory, which is held open, and its last part. */
struct ws_target {
	int dir;                         /* -1: not found yet */
	char name[256];
	bool exists;
	struct stat st;                  /* when it exists; of a link itself when it was not followed */
};
enum ws_follow { WS_FOLLOW, WS_NO_FOLLOW };
/*
 * The directory must exist. With WS_FOLLOW a link as last part is followed to the regular file it leads to; otherwise the
 * link itself is the target. Anything but a regular file or a link is refused.
 */
CH_MUST_USE ch_status ws_target_find(const struct ws_root *root, const char *rel, enum ws_follow follow, struct ws_target *ret,
				     struct ch_err *err);
void ws_target_done(struct ws_target *t);
#define WS_AUTO_TARGET __attribute__((cleanup(ws_target_done)))
/* Is it what it was then? */
bool ws_target_is(const struct ws_target *t, const struct ws_stamp *expect);
/* A temporary file beside the target with these bytes and this mode, durable; ret_tmp is its name. Nothing is left after a failure. */
CH_MUST_USE ch_status ws_write_beside(const struct ws_target *t, const char *data, size_t len, mode_t mode, const char *shown,
				      char ret_tmp[WS_TMP_NAME_MAX], struct ch_err *err);
/* A name that nobody else has. */
void ws_tmp_name(char ret_name[WS_TMP_NAME_MAX]);
mode_t ws_target_mode(const struct ws_target *t);        /* of what is there, or that of new files */

#endif
