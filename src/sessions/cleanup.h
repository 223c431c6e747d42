/*
 * sessions/cleanup.h - keeping the list of sessions short: old ones are archived, never thrown away.
 *
 * Main sessions, pinned ones and those with work are left alone. Only rows that a job left behind for one
 * of its runs are deleted when they are old.
 */
#ifndef CH_SESSIONS_CLEANUP_H
#define CH_SESSIONS_CLEANUP_H

#include "sessions/session.h"

struct cleanup_rules {
	const char *agent_id;
	const char *keep_key;            /* somebody looks at it, or NULL */
	int64_t prune_after_ms;
	int64_t dashboard_after_ms;      /* 0: only prune_after_ms counts for them */
	int64_t max_entries;             /* live sessions of the agent */
	int64_t max_bytes;               /* of the whole file: only told */
	bool is_enforced;                /* session.maintenance.mode */
};

struct cleanup_result {
	int64_t before, after;           /* live sessions of the agent */
	int64_t archived, cap_archived;  /* by age, by number */
	int64_t pruned;                  /* deleted rows of jobs' runs */
	int64_t file_bytes;
};

/* apply false: only counts, also on a file that is open for reading. */
CH_MUST_USE ch_status sess_cleanup(struct sess_store *st, const struct cleanup_rules *rules, bool apply,
				   struct cleanup_result *ret, struct ch_err *err);

#endif
