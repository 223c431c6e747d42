/*
 * tools/fs_search.h - what find and grep share: where they look, and what they say of what was left out.
 */
#ifndef CH_TOOLS_FS_SEARCH_H
#define CH_TOOLS_FS_SEARCH_H

#include "tools/fs_walk.h"

/* The place of args.path, "." when it is not given. */
CH_MUST_USE ch_status search_place(struct tool_ctx *ctx, const struct json *args, struct ws_place *ret, struct ch_err *err);
/* From maxDepth, hidden and noIgnore. */
struct walk_opts search_walk_opts(const struct json *args, const struct ws_place *place);
/* walk_open(); a directory that is missing is answered with similar names (ret->is_error). */
CH_MUST_USE ch_status search_open(struct tool_ctx *ctx, const struct walk_opts *opts, const struct ws_place *place, const char *shown,
				  struct walk **ret_walk, struct tool_result *ret, struct ch_err *err);
/* What paths are shown with in front, so that read takes them: "" in the workspace, the root's path elsewhere. */
const char *search_prefix(struct tool_ctx *ctx, const struct ws_place *place);
/* How many bytes of an entry's path are the directory that is searched. */
size_t search_rel_len(const struct ws_place *place);
/* A path without what could draw something that is not there. */
void search_put_path(struct buf *out, const char *prefix, const char *path);
/* Lines in brackets on what was not looked at. */
void search_put_notes(struct buf *out, const struct walk_tally *t, bool is_late, bool is_empty);
/* Is it time to give what there is, before the dispatcher ends the call? */
bool search_is_late(const struct tool_ctx *ctx);

#endif
