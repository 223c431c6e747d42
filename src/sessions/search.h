/*
 * sessions/search.h - finding what was said: full-text search over all transcripts.
 *
 * Index   tr_append() puts search_text into an FTS5 table, characters that are written without spaces (CJK) each
 *         as a word of its own, so that any part of a sentence is found.
 * Query   words and "quoted phrases", all of which must occur; no operator of FTS5 is reachable from it. The last
 *         word may be the beginning of one.
 * Order   best first (BM25), then newest.
 */
#ifndef CH_SESSIONS_SEARCH_H
#define CH_SESSIONS_SEARCH_H

#include "sessions/session.h"

#define SEARCH_LIMIT_MAX 25
#define SEARCH_TEXT_MAX 4096             /* characters of a query */
#define SEARCH_SNIPPET_CHARS 500

struct search_query {
	const char *text;
	const char *agent_id;            /* NULL: all */
	const char *session_keys;        /* JSON array of keys; NULL: all */
	size_t limit;                    /* 1 to SEARCH_LIMIT_MAX */
};
struct search_hit {
	const char *session_key, *session_id, *message_id, *role, *snippet;
	int64_t created_at;
	double score;                    /* higher is better */
};
/* On the arena. *ret_more: there are matches past the limit. */
CH_MUST_USE ch_status search_messages(struct sess_store *st, const struct search_query *q, struct arena *a,
				      const struct search_hit **ret_hits, size_t *ret_count, bool *ret_more,
				      struct ch_err *err);

/* As the index has it: CJK characters set apart by a mark that is not shown. */
void search_split(const char *text, size_t len, struct buf *out);
/* The FTS5 expression of a query; false: there is no word in it. */
bool search_expression(const char *text, struct buf *out);

#endif
