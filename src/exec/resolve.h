/*
 * exec/resolve.h - which file a command name means, and whether anybody but root could change it.
 *
 * Names  with a slash are taken from the command's directory, others from the absolute entries of PATH, the first that
 *        is an executable file; entries that are empty or relative mean the directory a command runs in and are passed over.
 * Sealed a copy in memory that nobody can change any more: what was hashed is what runs.
 * Limits EXEC_COPY_MAX bytes are copied and hashed; larger files are told apart by inode, size and times alone.
 */
#ifndef CH_EXEC_RESOLVE_H
#define CH_EXEC_RESOLVE_H

#include <sys/stat.h>

#include "core/arena.h"
#include "core/crypto.h"
#include "core/err.h"

#define EXEC_COPY_MAX (32 << 20)         /* a moment of a thread's time, and memory */

struct exec_file {
	int fd;                          /* O_PATH, close-on-exec; -1: none */
	const char *path;                /* absolute, as it was found */
	const char *real;                /* without symbolic links */
	struct stat st;
};
void exec_file_done(struct exec_file *f);        /* for CH_AUTO_DONE */
#define EXEC_FILE_NONE { .fd = -1 }

/* CH_E_NOT_FOUND; CH_E_DENIED: it is there but cannot be executed. dir_fd is the directory `cwd`. */
CH_MUST_USE ch_status exec_resolve(struct arena *a, const char *name, const char *path_env, int dir_fd, const char *cwd,
				   struct exec_file *ret, struct ch_err *err);
/* Any regular file by path, relative to dir_fd. */
CH_MUST_USE ch_status exec_file_open(struct arena *a, const char *path, int dir_fd, const char *cwd, struct exec_file *ret,
				     struct ch_err *err);
/* In a folder of the system, root's, and neither it nor a folder above it can be written by others. */
bool exec_file_is_protected(const struct exec_file *f);
/* Does it begin with #!? */
bool exec_file_is_script(const struct exec_file *f);
/* *ret_fd: a sealed memory file with its bytes, close-on-exec; NULL: only the hash. CH_E_LIMIT over EXEC_COPY_MAX. */
CH_MUST_USE ch_status exec_file_seal(const struct exec_file *f, int *ret_fd, char ret_sha256[2 * SHA256_LEN + 1],
				     struct ch_err *err);
/* For CH_AUTO_DONE: closes what is >= 0. */
void exec_fd_close(int *fd);
/* Moves it out of its owner. */
int exec_fd_take(int *fd);
/* Sealed bytes as a descriptor, close-on-exec; -1: no memory (errno). */
int exec_memory_file(const char *name, const void *p, size_t n);

#endif
