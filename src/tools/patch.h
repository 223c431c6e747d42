/*
 * tools/patch.h - patches of several files: what they say, and what they make of a text.
 *
 *	*** Begin Patch
 *	*** Add File: <path>             each line of the file with "+" before it
 *	*** Delete File: <path>
 *	*** Update File: <path>
 *	*** Move to: <path>              optional, right after it
 *	@@ <a line above>                narrows the search; several narrow it step by step; optional for the first hunk
 *	 context                          kept
 *	-old                              taken out
 *	+new                              put in
 *	*** End of File                  the hunk ends where the file ends
 *	*** End Patch
 *
 * No I/O. Everything parsed points into the text or the arena. A place is never guessed: context that fits in
 * several is refused with their line numbers.
 */
#ifndef CH_TOOLS_PATCH_H
#define CH_TOOLS_PATCH_H

#include "core/arena.h"
#include "core/buf.h"
#include "core/err.h"

#define PATCH_MAX (4u << 20)             /* bytes of a patch */
#define PATCH_OPS_MAX 100                /* files of a patch: each is held open while they are put in place */
#define PATCH_ANCHORS_MAX 8

enum patch_kind { PATCH_ADD, PATCH_DELETE, PATCH_UPDATE };

struct patch_text { const char *p; size_t n; };
struct patch_line {
	char sign;                       /* ' ', '-', '+' */
	struct patch_text text;          /* without its newline */
};
struct patch_hunk {
	size_t line;                     /* of the patch, from 1: for messages */
	struct patch_text anchors[PATCH_ANCHORS_MAX];
	size_t anchor_count;
	const struct patch_line *lines;
	size_t count;
	bool is_at_end;                  /* "*** End of File" */
};
struct patch_op {
	enum patch_kind kind;
	size_t line;
	const char *path, *move_to;      /* move_to: of an update, or NULL */
	const struct patch_hunk *hunks;  /* of an update; none: it only moves */
	size_t hunk_count;
	struct patch_text content;       /* of an addition */
};
struct patch { const struct patch_op *ops; size_t count; };

/* Without the blanks at its end, and at both ends. */
struct patch_text patch_trim_end(struct patch_text t);
struct patch_text patch_trim(struct patch_text t);

/* CH_E_INVALID names the line; the text must outlive ret. */
CH_MUST_USE ch_status patch_parse(struct arena *a, const char *text, size_t len, struct patch *ret, struct ch_err *err);

struct patch_tally {
	size_t added, removed;           /* lines */
	size_t first_line;               /* of the old text that changed; 0: none */
	bool is_tolerant;                /* some lines were found without regard to white space or typography */
};
/*
 * The text after an update. Lines are compared exactly; if they fit nowhere, without white space at the end, then at
 * both ends, then with typographic quotes, dashes and spaces as plain ones. Kept lines stay as they are in the
 * file, new ones take its line ends. CH_E_INVALID when a hunk fits nowhere, in several places or across another.
 */
CH_MUST_USE ch_status patch_update(const struct patch_op *op, const char *text, size_t len, struct buf *out,
				   struct patch_tally *ret, struct ch_err *err);

#endif
