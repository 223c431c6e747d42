/*
 * tools/fs_near.h - what to say when a name is no file: similar names, or what a directory holds.
 *
 * Runs    on the loop thread or a pool thread; blocking, bounded by NEAR_ENTRIES_MAX entries.
 */
#ifndef CH_TOOLS_FS_NEAR_H
#define CH_TOOLS_FS_NEAR_H

#include "tools/fs_place.h"

/* Up to three names in the same directory that are like the missing one, as paths, on the arena; NULL when there are none. */
const char *near_names(struct arena *a, const struct ws_place *p);
/* "a directory with 3 entries: a.c, b.c, lib/. …" when the place is one; NULL when it is not. */
const char *near_directory(struct arena *a, const struct ws_place *p);

#endif
