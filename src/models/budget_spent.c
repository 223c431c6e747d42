/*
 * models/budget_spent.c - how much is gone of a limit.
 */
#include "models/budget_spent.h"

#include "core/clock.h"
#include "core/str.h"
#include "core/zone.h"

#define SUM                                                                                                    \
	"SELECT coalesce(sum(cost_total), 0)," \
	" coalesce(sum(input_tokens + output_tokens + cache_read_tokens + cache_write_tokens), 0)," \
	" coalesce(sum(cost_total IS NULL AND outcome = 'ok'), 0) FROM ledger WHERE "

/* The two parameters of each: an id, a time. */
static const char *const queries[BUDGET_SCOPES] = {
	[BUDGET_TURN] = SUM "run_id = ?1 AND at >= ?2",
	/* A session begins anew with each window of its transcript. */
	[BUDGET_SESSION] = SUM "session_key = ?1 AND at >= max(?2, coalesce((SELECT max(opened_at) FROM session_windows"
			       " WHERE session_key = ?1), 0))",
	[BUDGET_DAY] = SUM "at >= ?2",
	[BUDGET_AGENT_DAY] = SUM "at >= ?2 AND agent_id = ?1",
};

static const char *id_of(enum budget_scope scope, const struct budget_of *of)
{
	switch (scope) {
	case BUDGET_TURN: return of->run_id;
	case BUDGET_SESSION: return of->session_key;
	case BUDGET_AGENT_DAY: return of->agent_id;
	case BUDGET_DAY: break;
	}
	return "all";
}

ch_status budget_spent(struct db *db, enum budget_scope scope, const struct budget_of *of, struct budget_sum *ret,
		       struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *s = NULL;
	const struct zone local = { .kind = ZONE_LOCAL };
	bool is_of_day = scope == BUDGET_DAY || scope == BUDGET_AGENT_DAY, row = false;
	ch_status st;

	*ret = (struct budget_sum){ 0 };
	if (!db || str_empty(id_of(scope, of)))
		return CH_OK;
	st = db_prep(db, queries[scope], &s, err);
	if (st)
		return st;
	db_bind_text(s, 1, id_of(scope, of));
	db_bind_int(s, 2, is_of_day ? zone_day_start(&local, now_wall_ms()) : 0);
	st = db_step(s, &row, err);
	if (st || !row)
		return st;
	*ret = (struct budget_sum){ .usd = db_num(s, 0), .tokens = db_int(s, 1), .unpriced = db_int(s, 2) };
	return CH_OK;
}

static bool is_of(const struct budget_hold *h, enum budget_scope scope, const struct budget_of *of)
{
	switch (scope) {
	case BUDGET_TURN: return of->run_id && str_eq(h->run_id, of->run_id);
	case BUDGET_SESSION: return of->session_key && str_eq(h->session_key, of->session_key);
	case BUDGET_AGENT_DAY: return of->agent_id && str_eq(h->agent_id, of->agent_id);
	case BUDGET_DAY: break;
	}
	return true;
}

void budget_on_the_way(const struct models *m, enum budget_scope scope, const struct budget_of *of,
		       struct budget_sum *sum)
{
	for (const struct budget_hold *h = m->holds; h; h = h->next) {
		if (!is_of(h, scope, of))
			continue;
		sum->usd += h->usd;
		sum->tokens += h->tokens;
	}
}
