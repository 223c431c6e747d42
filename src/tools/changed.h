/*
 * tools/changed.h - what below a directory was changed since a moment.
 *
 * A file's change time is set by the kernel alone, whatever writes, renames or links it, so a command cannot hide what it
 * wrote. A directory counts when it was made since then, as its name is text too. What was moved with the directory that it is
 * in keeps its time; such files are looked for by the names that the caller misses.
 *
 * Blocking; runs on pool threads. No link is followed.
 * Limits  CHANGED_MAX paths: with more, folders of the top stand for what is in them. CHANGED_SEEN_MAX entries are looked at;
 *         beyond that the directory itself stands for all.
 */
#ifndef CH_TOOLS_CHANGED_H
#define CH_TOOLS_CHANGED_H

#include "core/err.h"
#include "core/map.h"
#include "core/vec.h"

#define CHANGED_MAX 256
#define CHANGED_SEEN_MAX 200000
#define CHANGED_ALL "./"
#define CHANGED_FOLDER "/"               /* a key of `missed`: a folder is, so each that has changed may be it */

struct changed {
	VEC(char *) paths;               /* relative; one that ends in a slash stands for all below it */
	bool is_coarse;
};
void changed_done(struct changed *c);    /* for CH_AUTO_DONE */
/* The present, as files' times know it: never later than the time of what is changed from now on. */
int64_t changed_now_ms(void);
/* missed: names of files (any value), or NULL. ret is initialised here. A directory that is not there has no changes. */
CH_MUST_USE ch_status changed_since(const char *root, int64_t since_ms, const struct map *missed, struct changed *ret,
				    struct ch_err *err);
/* The change time of a file; false: there is none. */
bool changed_at(const char *path, int64_t *ret_ms);

#endif
