/*
 * tools/grep_scan.h - the lines of one file that match, with those around them, a piece of the file at a time.
 *
 * Owns    the file's descriptor and a buffer; the output is the caller's.
 * Runs    on one thread at a time; blocking, SCAN_PIECE bytes a call.
 * Limits  a line longer than the buffer is searched in parts; what is shown of a line is SCAN_SHOWN bytes.
 */
#ifndef CH_TOOLS_GREP_SCAN_H
#define CH_TOOLS_GREP_SCAN_H

#include "core/buf.h"
#include "core/regex.h"

#define SCAN_CONTEXT_MAX 10              /* lines before and after */
#define SCAN_BUFFER_BYTES (256u << 10)
#define SCAN_SHOWN 300
#define SCAN_GAVE_UP_MAX 64              /* lines that were too much for the pattern; then it is not worth trying further */

/* What all files of a search share. */
struct scan_opts {
	struct regex *regex;
	int context;
	bool only_count;                 /* nothing is written */
	bool only_first;                 /* the first match of a file is enough */
	int64_t limit;                   /* matching lines, of all files together */
};
struct scan_tally {
	int64_t matches;                 /* lines, of all files */
	size_t gave_up;                  /* lines that the pattern was too slow for */
	size_t binary;                   /* files that are not text */
	int64_t bytes;
};

struct scan;
/* Takes the descriptor. */
struct scan *scan_new(const struct scan_opts *opts, int take_fd);
void scan_free(struct scan *s);
/*
 * Looks at one piece. Matching lines are written as "12: text", others as "11- text", with "--" where lines are left out; out
 * may be NULL with only_count. false: this file is done.
 */
bool scan_piece(struct scan *s, struct buf *out, struct scan_tally *tally);
int64_t scan_matches(const struct scan *s);      /* lines of this file so far */

#endif
