/*
 * models/usage.h - what was spent: the ledger's rows, and sums of them.
 *
 * A sum keeps apart what has no known price: it is counted as missing, by
 * model, and never as 0 dollars. Retries are requests with attempt > 1.
 */
#ifndef CH_MODELS_USAGE_H
#define CH_MODELS_USAGE_H

#include "models/model.h"

struct usage_row {
	int64_t at;
	const char *provider, *model, *reason, *outcome;
	const char *agent_id, *session_key, *run_id, *auth_profile;      /* or NULL */
	int attempt;
	struct model_usage usage;
	struct model_cost cost;
	bool has_cost;
	int64_t total_ms;
};

struct usage_query {
	int64_t from_ms, to_ms;          /* from <= at < to */
	const char *agent_id, *session_key;      /* NULL: all */
};

/* Oldest first; a row is borrowed for the call, which must not park. false stops. */
CH_MUST_USE ch_status usage_each(struct db *db, const struct usage_query *q,
				 bool (*each)(void *arg, const struct usage_row *row), void *arg, struct ch_err *err);
/* "turn", "retry", "compaction", "title", "probe", "silent": why it was made. */
const char *usage_reason(const struct usage_row *row);

/* -- sums -- */

struct usage_missing { struct usage_missing *next; const char *ref; int64_t count; };

struct usage_sum {
	int64_t count;                   /* requests */
	struct model_usage usage;
	struct model_cost cost;
	int64_t missing;                 /* requests with tokens whose price is not known */
	struct usage_missing *missing_by;
};

/* missing_by grows on the arena. */
void usage_sum_add(struct usage_sum *sum, struct arena *a, const struct usage_row *row);
void usage_sum_merge(struct usage_sum *sum, struct arena *a, const struct usage_sum *other);
int64_t usage_tokens(const struct model_usage *u);
/* The protocol's members of a sum, into an open object: input, …, totalCost, …, missingCostEntries, missingCostByModel. */
void usage_sum_write(struct jw *w, const struct usage_sum *sum);

#endif
