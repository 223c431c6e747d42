/*
 * tools/fs_walk.h - the files below a directory, one after the other, sorted, in slices.
 *
 * Pulled: walk_next() gives one entry and keeps its place, so that a caller can stop after some of them and go on later
 * (on a pool thread, a slice at a time). Links are named, never followed.
 *
 * Owns    a descriptor and the names of each directory on the way down; entries live until the next walk_next().
 * Runs    on one thread at a time; blocking.
 * Limits  WALK_DEPTH_MAX levels, WALK_DIR_MAX names of a directory, WALK_ENTRIES_MAX entries; what is past them is left out
 *         and told by is_cut.
 */
#ifndef CH_TOOLS_FS_WALK_H
#define CH_TOOLS_FS_WALK_H

#include <stdint.h>

#include "tools/fs_place.h"

#define WALK_DEPTH_MAX 64
#define WALK_DIR_MAX 100000
#define WALK_ENTRIES_MAX 1000000

struct walk_opts {
	struct ws_root root;             /* with its guard; must outlive the walk */
	const char *rel;                 /* a directory below it; copied */
	int max_depth;                   /* 1: what is in it */
	bool hidden;                     /* also names that begin with '.', but for .git */
	bool no_ignore;                  /* also what a .gitignore names, and .git with `hidden` */
};
enum walk_type { WALK_FILE, WALK_DIR, WALK_LINK, WALK_OTHER };
struct walk_entry {
	const char *path;                /* below the root, rel in front */
	const char *name;                /* the last part */
	enum walk_type type;
	int dir_fd;                      /* of the directory it is in; the walk's */
};
struct walk;
/* Opens the directory; reads nothing yet. */
CH_MUST_USE ch_status walk_open(const struct walk_opts *opts, struct walk **ret, struct ch_err *err);
void walk_free(struct walk *w);
CH_AUTO_DEFINE(walk_free, struct walk)
/* false: that was all. */
bool walk_next(struct walk *w, struct walk_entry *ret);

struct walk_tally {
	size_t seen, left_out;           /* entries given; hidden or ignored ones */
	size_t unreadable;               /* directories that could not be opened */
	bool is_cut;
};
const struct walk_tally *walk_tally(const struct walk *w);

#endif
