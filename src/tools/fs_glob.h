/*
 * tools/fs_glob.h - patterns of file names.
 *
 *	*       any run of characters without '/'       ?       one character but '/'
 *	[a-z]   one of these, [!…] or [^…] none of them   {a,b}   either
 *	**      alone, before or behind a '/': any number of directories
 *	\x      x itself
 *
 * A match takes time in proportion to pattern and path together, whatever they are.
 */
#ifndef CH_TOOLS_FS_GLOB_H
#define CH_TOOLS_FS_GLOB_H

#include "core/arena.h"
#include "core/err.h"

#define GLOB_PATTERN_MAX 256             /* bytes */
#define GLOB_CHOICES_MAX 64              /* that braces may come to */

struct glob;
/* Lives on the arena. CH_E_INVALID for a pattern that is too long or has too many choices. */
CH_MUST_USE ch_status glob_new(struct arena *a, const char *pattern, size_t len, bool ignore_case, struct glob **ret, struct ch_err *err);
/* The whole path must match. */
bool glob_match(const struct glob *g, const char *path);
/* A pattern without '/' is meant for the last part of the path, else for all of it. */
bool glob_match_name(const struct glob *g, const char *path);

#endif
