/*
 * tools/edit_match.h - where does this text stand, and is it the only place?
 *
 * Works on texts alone. First the exact bytes; when they are nowhere, whole lines
 * compared without regard to white space (runs of blanks count as one, those at the ends
 * not at all, CRLF as LF). Never guesses: several places are an answer, not a choice.
 */
#ifndef CH_TOOLS_EDIT_MATCH_H
#define CH_TOOLS_EDIT_MATCH_H

#include "core/buf.h"
#include "core/err.h"

#define EDIT_CANDIDATES_MAX 5

struct edit_match {
	size_t count;                    /* places found, counted up to EDIT_CANDIDATES_MAX + 1 */
	size_t at, len;                  /* the first place, in bytes */
	size_t lines[EDIT_CANDIDATES_MAX];       /* line numbers of the first ones */
	bool is_tolerant;                /* found by lines, not by bytes */
};
void edit_find(const char *text, size_t len, const char *old, size_t old_len, struct edit_match *ret);

struct edit {
	const char *old, *new;
	size_t old_len, new_len;
	/* filled by edit_apply() */
	size_t at, len, line;
	bool is_tolerant;
};
/*
 * All edits against the same text, or none: each must match once, none may overlap. Replacements take over
 * the file's CRLF. edits come back sorted by place. CH_E_INVALID says which one and why.
 */
CH_MUST_USE ch_status edit_apply(const char *text, size_t len, struct edit *edits, size_t n, struct buf *out,
				 struct ch_err *err);

#endif
