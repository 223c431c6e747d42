/*
 * core/file.h - whole files: read with a ceiling, written atomically.
 *
 * Blocking calls on the loop thread: for small local files (configuration,
 * workspace notes, lock files), never for what a peer can make large.
 */
#ifndef CH_CORE_FILE_H
#define CH_CORE_FILE_H

#include <sys/types.h>

#include "core/arena.h"
#include "core/buf.h"
#include "core/err.h"

/* CH_E_NOT_FOUND when missing, CH_E_LIMIT past max_bytes, CH_E_INVALID when not a regular file. ret is initialised here. */
CH_MUST_USE ch_status file_read(const char *path, size_t max_bytes, struct buf *ret, struct ch_err *err);
/* As file_read; a symlink at path itself is CH_E_INVALID: for credentials. */
CH_MUST_USE ch_status file_read_no_link(const char *path, size_t max_bytes, struct buf *ret, struct ch_err *err);
/* Temporary file beside it, fsync, rename, fsync of the directory. Follows a symlink at path. */
CH_MUST_USE ch_status file_write_atomic(const char *path, const void *p, size_t n, mode_t mode, struct ch_err *err);
/*
 * A new file (0600) at rel below the directory root, with the folders above it (0700). No component may be a link or lead up, so
 * whoever can write below root cannot make it land elsewhere. CH_E_EXISTS: something is there. May run on a pool thread.
 */
CH_MUST_USE ch_status file_write_beneath(const char *root, const char *rel, const void *p, size_t n, struct ch_err *err);
/* As mkdir -p with this mode for what is created. */
CH_MUST_USE ch_status file_mkdirs(const char *path, mode_t mode, struct ch_err *err);
bool file_exists(const char *path);
/* The canonical path; NULL with errno when there is none. */
const char *file_real(struct arena *a, const char *path);
/*
 * Opens a regular file for reading below a directory: neither "..", a symbolic link nor a rename meanwhile leads out of it
 * (CH_E_DENIED). path is relative, or absolute and begins with dir.
 */
CH_MUST_USE ch_status file_open_beneath(const char *dir, const char *path, int *ret_fd, int64_t *ret_size, struct ch_err *err);
/*
 * A new file with these bytes, 0600; nothing is left after a failure. It is not synced: for copies that can be made again.
 * file_copy_new() reads them from the descriptor, CH_E_LIMIT past max_bytes.
 */
CH_MUST_USE ch_status file_write_new(const char *path, const void *p, size_t n, struct ch_err *err);
CH_MUST_USE ch_status file_copy_new(const char *path, int fd, size_t max_bytes, struct ch_err *err);
/* Closes a descriptor at scope end; -1 is fine. */
void file_close(int *fd);
#define FILE_AUTO_FD __attribute__((cleanup(file_close)))

#endif
