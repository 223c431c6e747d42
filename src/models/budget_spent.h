/*
 * models/budget_spent.h - how much is gone of a limit: the ledger and what is on its way. Internal to models/budget*.c.
 */
#ifndef CH_MODELS_BUDGET_SPENT_H
#define CH_MODELS_BUDGET_SPENT_H

#include "models/budget.h"
#include "models/models_priv.h"

enum budget_scope { BUDGET_TURN, BUDGET_SESSION, BUDGET_DAY, BUDGET_AGENT_DAY };
#define BUDGET_SCOPES 4

struct budget_sum { double usd; int64_t tokens, unpriced; };

struct budget_of { const char *agent_id, *session_key, *run_id; };

/* Sums of the ledger; requests on their way come on top by budget_on_the_way(). A scope without its id is 0. */
CH_MUST_USE ch_status budget_spent(struct db *db, enum budget_scope scope, const struct budget_of *of,
				   struct budget_sum *ret, struct ch_err *err);
void budget_on_the_way(const struct models *m, enum budget_scope scope, const struct budget_of *of,
		       struct budget_sum *sum);

#endif
