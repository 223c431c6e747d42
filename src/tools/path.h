/*
 * tools/path.h - names inside the workspace, resolved by the kernel.
 *
 * The workspace is one directory descriptor. Every open goes through
 * openat2(RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS), so neither "..", a symbolic
 * link nor a rename between check and use can lead out of it. Links that stay
 * inside work as long as they are relative.
 *
 * Runs    anywhere, pool threads included: nothing here touches the loop or an arena
 *         except wk_relative().
 * Fails   CH_E_DENIED for what leads out, CH_E_NOT_FOUND, CH_E_INVALID for what
 *         is no regular file, CH_E_IO for the rest; texts are for the model.
 */
#ifndef CH_TOOLS_PATH_H
#define CH_TOOLS_PATH_H

#include <sys/stat.h>
#include <sys/types.h>

#include "tools/tool.h"

#define WS_PATH_MAX 1024         /* bytes of a path; longer ones are no honest names and cost stack */

/*
 * The name inside the workspace for what the model wrote: relative ones stay,
 * absolute ones must lie inside and lose the front part. "." for the workspace itself.
 */
CH_MUST_USE ch_status wk_relative(struct tool_ctx *ctx, const struct json *arg, const char **ret_rel,
				  struct ch_err *err);

/* flags as open(2); O_CLOEXEC, O_NOCTTY and O_NONBLOCK are added. */
CH_MUST_USE ch_status wk_open(int workspace_fd, const char *rel, int flags, int *ret_fd, struct ch_err *err);
/* Opens a regular file for reading; directories, FIFOs, sockets and devices are refused unopened. */
CH_MUST_USE ch_status wk_open_file(int workspace_fd, const char *rel, int *ret_fd, struct stat *ret_st,
				   struct ch_err *err);
/* Makes the missing directories above rel. */
CH_MUST_USE ch_status wk_make_parents(int workspace_fd, const char *rel, struct ch_err *err);

/* Closes a descriptor at scope end; -1 is fine. */
void wk_close(int *fd);
#define WS_AUTO_FD __attribute__((cleanup(wk_close)))

#endif
