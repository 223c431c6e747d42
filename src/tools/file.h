/*
 * tools/file.h - whole files of the workspace: loaded with a ceiling, replaced atomically.
 *
 * Blocking; runs on pool threads. Containment is path.h's.
 * Keeps   a file is replaced by rename, so a reader sees the old or the new one, a crash
 *         leaves one of them, and another hard link to the old one is not written through.
 */
#ifndef CH_TOOLS_FILE_H
#define CH_TOOLS_FILE_H

#include "tools/path.h"

/* What a file was when it was read; ws_replace() refuses when it no longer is. */
struct ws_stamp {
	bool is_set, existed;
	uint64_t ino;
	int64_t size, mtime_ns;
};
void ws_stamp_of(const struct stat *st, struct ws_stamp *ret);

/* The whole regular file; ret is initialised by the caller and bounds the size. */
CH_MUST_USE ch_status ws_load(int workspace_fd, const char *rel, struct buf *ret, struct ws_stamp *ret_stamp,
			      struct ch_err *err);
/*
 * Writes the file anew: parents made, temporary file beside it, fsync, rename. Mode bits are kept,
 * new ones are 0644. A link that stays inside is followed. CH_E_CONFLICT when *expect does not match.
 */
CH_MUST_USE ch_status ws_replace(int workspace_fd, const char *rel, const char *data, size_t len,
				 const struct ws_stamp *expect, bool *ret_created, struct ch_err *err);

#endif
