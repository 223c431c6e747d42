/*
 * tools/fs_place.h - how far the file tools reach: which root a name is meant for, and whether it may be used so.
 *
 * By default a name is one of the workspace. tools.fs.roots adds directories; tools.fs.workspaceOnly false, or
 * a session in mode full, adds the rest of the file system. A session in another explicit mode has its workspace alone. The
 * state directory, credentials and what belongs to the kernel are kept from all of them (wk_is_guarded).
 *
 * Owns    the root's descriptor, unless it is the workspace's; texts are on ctx->arena.
 * Runs    on the loop thread; a place may then be used by one pool thread.
 * Fails   CH_E_DENIED with where the caller may go instead.
 */
#ifndef CH_TOOLS_FS_PLACE_H
#define CH_TOOLS_FS_PLACE_H

#include "tools/file.h"

enum ws_access {
	WS_READ = 0,
	WS_WRITE = 1,
	WS_CONTAINED = 2,                /* not beyond the workspace and the roots, unless the session's mode is full */
};

struct ws_place {
	struct ws_root root;
	const char *rel;                 /* below the root; "." for itself */
	struct ws_guard guard;
	bool is_owned;                   /* root.fd is ours */
};
/* access: a set of enum ws_access. ret must not move afterwards. */
CH_MUST_USE ch_status ws_place(struct tool_ctx *ctx, const struct json *arg, unsigned access, struct ws_place *ret,
			       struct ch_err *err);
void ws_place_done(struct ws_place *p);
#define WS_AUTO_PLACE __attribute__((cleanup(ws_place_done)))

/*
 * Is this a name beyond the workspace, so that changing it acts on more than the agent's own? By the text alone; what turns
 * out to lead out of the workspace is refused anyway.
 */
bool ws_is_beyond(const struct tool_ctx *ctx, const char *path);
/* tool.has_effects of tools that write to `path`. */
bool ws_writes_beyond(const struct tool_ctx *ctx, const struct json *args);

/* What holds for an agent's call, from tools.exec.applyPatch and the agent's own. */
bool ws_patch_is_contained(const struct tool_ctx *ctx);

/* -- text from outside in files -- */

/*
 * The real place of a name, absolute. What does not exist yet has one, too; with WS_NO_FOLLOW a link as last part is
 * not followed. May be called on pool threads.
 */
CH_MUST_USE ch_status ws_real(struct arena *a, const struct ws_place *p, enum ws_follow follow, const char **ret_path,
			      struct ch_err *err);
/* The open file is given to the model: the result comes from outside when the file does. */
void ws_note_read(struct tool_ctx *ctx, int fd);
/* The same for a file below the place's root, by its path from there. */
void ws_note_read_below(struct tool_ctx *ctx, const struct ws_place *p, const char *path);
/*
 * Around a write: `before` marks what a tainted turn is about to write, `after` clears the mark of what a clean
 * one replaced as a whole.
 */
CH_MUST_USE ch_status ws_note_before_write(struct tool_ctx *ctx, const struct ws_place *p, struct ch_err *err);
CH_MUST_USE ch_status ws_note_after_write(struct tool_ctx *ctx, const struct ws_place *p, struct ch_err *err);
/* The same, told of any file: marks it, or clears its mark. */
CH_MUST_USE ch_status ws_note_written(struct tool_ctx *ctx, const struct ws_place *p, bool is_tainted, struct ch_err *err);
/* Is it known to hold text from outside? */
bool ws_is_tainted(struct tool_ctx *ctx, const struct ws_place *p);

#endif
