/*
 * core/file.h - whole files: read with a ceiling, written atomically.
 *
 * Blocking calls on the loop thread: for small local files (configuration,
 * workspace notes, lock files), never for what a peer can make large.
 */
#ifndef CH_CORE_FILE_H
#define CH_CORE_FILE_H

#include <sys/types.h>

#include "core/buf.h"
#include "core/err.h"

/* CH_E_NOT_FOUND when missing, CH_E_LIMIT past max_bytes, CH_E_INVALID when not a regular file. ret is initialised here. */
CH_MUST_USE ch_status file_read(const char *path, size_t max_bytes, struct buf *ret, struct ch_err *err);
/* As file_read; a symlink at path itself is CH_E_INVALID: for credentials. */
CH_MUST_USE ch_status file_read_no_link(const char *path, size_t max_bytes, struct buf *ret, struct ch_err *err);
/* Temporary file beside it, fsync, rename, fsync of the directory. Follows a symlink at path. */
CH_MUST_USE ch_status file_write_atomic(const char *path, const void *p, size_t n, mode_t mode, struct ch_err *err);
/* As mkdir -p with this mode for what is created. */
CH_MUST_USE ch_status file_mkdirs(const char *path, mode_t mode, struct ch_err *err);
bool file_exists(const char *path);

#endif
