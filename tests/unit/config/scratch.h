/*
 * scratch.h - a directory of its own for each test of files.
 */
#ifndef CH_TESTS_CONFIG_SCRATCH_H
#define CH_TESTS_CONFIG_SCRATCH_H

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file.h"
#include "core/mem.h"
#include "../temp_dir.h"

struct scratch {
	char dir[64];
	char path[192];                  /* of the last scratch_path() */
};

static inline void scratch_init(struct scratch *s)
{
	temp_dir_make(s->dir, "test");
}

static inline void scratch_done(struct scratch *s)
{
	temp_dir_remove(s->dir);
}

static inline const char *scratch_path(struct scratch *s, const char *name)
{
	snprintf(s->path, sizeof(s->path), "%s/%s", s->dir, name);
	return s->path;
}

static inline void scratch_write(struct scratch *s, const char *name, const char *text)
{
	CH_BUG_ON(file_write_atomic(scratch_path(s, name), text, strlen(text), 0600, NULL) != CH_OK);
}

/* Heap; NULL when there is no such file. */
static inline char *scratch_read(struct scratch *s, const char *name)
{
	struct buf b;
	char *text = NULL;

	if (file_read(scratch_path(s, name), 1 << 24, &b, NULL) == CH_OK)
		text = ch_strdup(buf_str(&b));
	buf_done(&b);
	return text;
}

#endif
