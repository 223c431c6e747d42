/*
 * models/budget.h - limits on what models may cost, checked before a request goes out.
 *
 * A limit is in US dollars or in tokens (input, output and cache together), and
 * for a turn, a session or a day:
 *
 *	budgets.perTurn…      the requests of one run; the agent's own value replaces the shared one
 *	budgets.perSession…   of one session since it was begun or /new; likewise
 *	budgets.perDay…       of a local day over all agents; an agent's own value limits that agent besides
 *
 * What was spent is the ledger's sum plus the most that requests on their way
 * can cost, so several at once cannot pass a limit together. The most that a
 * request can cost is its prompt, estimated generously, and as many tokens of
 * output as it may give: when less is left than the model might write, the
 * output is capped, down to BUDGET_OUT_MIN tokens; below that it is refused.
 *
 * A model without a known price cannot be held to dollars, only to tokens: the
 * log says so once, and the lines of budget_lines() are marked.
 *
 * Fails   CH_E_LIMIT, with the limit, what was spent and the command that raises it.
 */
#ifndef CH_MODELS_BUDGET_H
#define CH_MODELS_BUDGET_H

#include "models/model.h"

#define BUDGET_OUT_MIN 256               /* a shorter answer is of no use */
#define BUDGET_OUT_GOOD 8192             /* up to here, a request may take more than half of what is left */

/* A limit that is set, and how far it is used. */
struct budget_line {
	const char *path;                /* "budgets.perDayUsd" */
	const char *of;                  /* "today", "this session", "this turn", "this agent today" */
	bool is_usd;
	double limit, spent;
	int64_t unpriced;                /* USD: requests without a known price, which are not in `spent` */
};

/* Those that hold for a session (and a run): on the arena. key and run may be NULL. */
CH_MUST_USE ch_status budget_lines(struct models *m, const char *agent_id, const char *session_key, const char *run_id,
				   struct arena *a, const struct budget_line **ret, size_t *ret_count, struct ch_err *err);

/* What a request takes while it is on its way. One per request, on the caller's stack; zero before. */
struct budget_hold {
	struct budget_hold *next, **at;  /* at NULL: not held */
	const char *agent_id, *session_key, *run_id;     /* the call's */
	double usd;
	int64_t tokens;
	int64_t max_tokens;              /* of output; 0: as the call says */
};

/*
 * Takes it, or fails. A hold that is taken already is taken anew, for another attempt of the same request: then
 * nothing is capped any more, it fits or it does not.
 */
CH_MUST_USE ch_status budget_take(struct models *m, const struct model_call *call, const struct model_entry *e,
				  struct budget_hold *hold, struct ch_err *err);
void budget_release(struct budget_hold *hold);
/* Tokens of a request's prompt: estimated, a quarter added. Images count as a provider counts them at most. */
int64_t budget_prompt_tokens(const struct model_call *call);

#endif
