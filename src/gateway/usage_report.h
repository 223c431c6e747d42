/*
 * gateway/usage_report.h - usage by session, day, model and agent: what sessions.usage shows.
 *
 * Two sources: the ledger says what was spent, the transcripts who said how much. Money of a session
 * that was deleted stays in the totals. A report is on an arena and its tables are freed by
 * usage_report_free().
 */
#ifndef CH_GATEWAY_USAGE_REPORT_H
#define CH_GATEWAY_USAGE_REPORT_H

#include "core/vec.h"
#include "gateway/gw.h"
#include "gateway/usage_range.h"
#include "models/usage.h"

struct usage_counts { int64_t user, assistant, tool_results, errors; };
struct usage_latency { int64_t *at; size_t len, cap; };          /* of answers in ms; on the arena */

/* A line of some table. */
struct usage_bucket {
	const char *key;                 /* a date, a reason, a tool, … */
	const char *provider, *model;
	int64_t quarter;                 /* of the UTC day, for tables of quarters */
	struct usage_sum sum;
	struct usage_counts said;
	struct usage_latency latency;
};
/* In order of appearance. */
struct usage_table { struct map *index; };
/* The bucket of a key that is made of a and b ("" for none). */
struct usage_bucket *usage_table_at(struct usage_table *t, struct arena *arena, const char *a, const char *b);
void usage_table_free(struct usage_table *t);

/* A session's part, or the whole. */
struct usage_part {
	struct usage_sum sum;
	struct usage_counts said;
	struct usage_latency latency;
	struct usage_table models, days, day_models, quarters, tools;
	int64_t first_at, last_at;       /* 0: nothing happened */
};

struct usage_session {
	const char *key, *agent_id, *session_id, *label, *channel, *chat_type;   /* the last three may be NULL */
	const char *provider, *model;    /* as the session's row has them, or NULL */
	bool is_override;                /* they were chosen for it */
	int64_t updated_at;
	const char *creator;             /* the reference's creatorKey */
	const struct json *actor;        /* or NULL */
	struct usage_part part;
};

struct usage_report_query {
	struct usage_range range;
	const char *agent_id, *session_key, *creator;    /* NULL: all */
};

struct usage_report {
	struct gw *gw;
	struct arena *arena;
	struct usage_report_query query;
	struct usage_part all;
	struct usage_table providers, agents, reasons;
	struct map *by_key;              /* session key -> struct usage_session */
	VEC(struct usage_session *) sessions;    /* latest first */
	VEC(struct usage_session *) options;     /* one per creator, whatever the query's */
};

CH_MUST_USE ch_status usage_report_make(struct gw *gw, struct arena *a, const struct usage_report_query *q,
					struct usage_report *ret, struct ch_err *err);
/* An empty one is fine. */
void usage_report_free(struct usage_report *r);

/* -- usage_render.c -- */
/* The payload of sessions.usage. */
void usage_report_write(const struct usage_report *r, struct jw *w, size_t limit, bool is_family);
/* The member cacheStatus: there is no cache, the answer is always of now. */
void usage_write_fresh(struct jw *w);

#endif
