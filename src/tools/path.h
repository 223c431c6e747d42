/*
 * tools/path.h - names below a directory, resolved by the kernel.
 *
 * A root (the workspace, a directory of tools.fs.roots) is one directory descriptor. Every open goes
 * through openat2(RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS), so neither "..", a symbolic
 * link nor a rename between check and use can lead out of it. Links that stay
 * inside work as long as they are relative. Which root a name is meant for is fs_place.h's.
 *
 * Runs    anywhere, pool threads included: nothing here touches the loop or an arena.
 * Fails   CH_E_DENIED for what leads out, CH_E_NOT_FOUND, CH_E_INVALID for what
 *         is no regular file, CH_E_IO for the rest; texts are for the model.
 */
#ifndef CH_TOOLS_PATH_H
#define CH_TOOLS_PATH_H

#include <sys/stat.h>
#include <sys/types.h>

#include "tools/tool.h"

#define WS_PATH_MAX 1024         /* bytes of a path; longer ones are no honest names and cost stack */

/* Places that no file tool shows or changes, whatever the roots are. */
struct ws_guard {
	const char *state_dir, *home;    /* real paths; NULL: none */
	bool anywhere;                   /* names of credential directories count wherever they stand, not only below home */
};

struct ws_root {
	int fd;                          /* O_PATH directory */
	const char *path;                /* for messages */
	uint64_t extra;                  /* further RESOLVE_ flags of openat2(2) */
	bool is_whole;                   /* "/" itself: absolute links lead somewhere, too */
	const struct ws_guard *guard;    /* NULL: there is nothing below to be guarded */
};
/* The root that a bare descriptor stands for, without a guard. */
struct ws_root ws_root_of(int fd);

/* flags as open(2); O_CLOEXEC, O_NOCTTY and O_NONBLOCK are added. */
CH_MUST_USE ch_status wk_open(const struct ws_root *root, const char *rel, int flags, int *ret_fd, struct ch_err *err);
/* Opens a regular file for reading; directories, FIFOs, sockets and devices are refused unopened. */
CH_MUST_USE ch_status wk_open_file(const struct ws_root *root, const char *rel, int *ret_fd, struct stat *ret_st,
				   struct ch_err *err);
/* Makes the missing directories above rel. *ret_made (NULL: not told) becomes how many bytes of rel name the first that was made, also on failure. */
CH_MUST_USE ch_status wk_make_parents(const struct ws_root *root, const char *rel, size_t *ret_made, struct ch_err *err);
/* Does a part of the path lead up ("..")? */
bool wk_leads_up(const char *path);
/* Where the descriptor really is. */
CH_MUST_USE bool wk_real_path(int fd, char *ret_path, size_t cap);
/* The part of path below root ("." for itself), or NULL. Both are absolute; looks at the text alone. */
const char *wk_below(const char *path, const char *root);
/* Is this real path one that the guard keeps? */
bool wk_is_guarded(const struct ws_guard *g, const char *real_path);

/* Closes a descriptor at scope end; -1 is fine. */
void wk_close(int *fd);
#define WS_AUTO_FD __attribute__((cleanup(wk_close)))

#endif
