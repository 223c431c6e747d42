/*
 * tools/patch_tx.h - what the files of a patch transaction share (private to patch_plan.c and patch_commit.c).
 */
#ifndef CH_TOOLS_PATCH_TX_H
#define CH_TOOLS_PATCH_TX_H

#include "tools/patch_commit.h"

/* One file: as it was on the disk, as it is to be. */
struct patch_file {
	const char *key;                 /* its real place: two names of one file are one file here */
	const struct ws_place *place;
	enum ws_follow follow;
	bool was, is;                    /* does it exist before, and after? */
	bool is_link;                    /* what was is a link, which is taken away, not followed */
	bool is_loaded, is_written;      /* text holds what it is; it differs from what was */
	struct ws_stamp stamp;           /* of what was */
	mode_t mode;
	struct patch_text text;          /* on the transaction's arena */
	/* while it is put in place */
	struct ws_target target;
	char tmp[WS_TMP_NAME_MAX], old[WS_TMP_NAME_MAX]; /* "": none */
	size_t made;                     /* wk_make_parents() */
	bool is_done;                    /* the new one is in place */
	bool is_kept;                    /* `old` is all there is and stays */
};

/* Is there anything to be done for it? */
static inline bool patch_file_changes(const struct patch_file *f)
{
	return f->was != f->is || (f->is && f->is_written);
}

#endif
