/*
 * models/usage.c - what was spent: the ledger's rows, and sums of them.
 */
#include "models/usage.h"

#include <math.h>

#include "core/str.h"

static const char select_sql[] =
	"SELECT at, provider, model, reason, outcome, agent_id, session_key, run_id, attempt,"
	" input_tokens, output_tokens, cache_read_tokens, cache_write_tokens,"
	" cost_input, cost_output, cost_cache_read, cost_cache_write, cost_total, total_ms, auth_profile"
	" FROM ledger WHERE at >= ?1 AND at < ?2 AND (?3 IS NULL OR agent_id = ?3) AND (?4 IS NULL OR session_key = ?4)"
	" ORDER BY at, id";

static void read_row(struct db_stmt *s, struct usage_row *ret)
{
	int i = 0;

	*ret = (struct usage_row){ .at = db_int(s, i++) };
	ret->provider = db_text(s, i++);
	ret->model = db_text(s, i++);
	ret->reason = db_text(s, i++);
	ret->outcome = db_text(s, i++);
	ret->agent_id = db_text(s, i++);
	ret->session_key = db_text(s, i++);
	ret->run_id = db_text(s, i++);
	ret->attempt = (int)db_int(s, i++);
	ret->usage.input = db_int(s, i++);
	ret->usage.output = db_int(s, i++);
	ret->usage.cache_read = db_int(s, i++);
	ret->usage.cache_write = db_int(s, i++);
	ret->cost.input = db_num(s, i++);
	ret->cost.output = db_num(s, i++);
	ret->cost.cache_read = db_num(s, i++);
	ret->cost.cache_write = db_num(s, i++);
	ret->has_cost = !db_is_null(s, i);
	ret->cost.total = db_num(s, i++);
	ret->total_ms = db_int(s, i++);
	ret->auth_profile = db_text(s, i++);
}

ch_status usage_each(struct db *db, const struct usage_query *q, bool (*each)(void *arg, const struct usage_row *row),
		     void *arg, struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *s = NULL;
	struct usage_row row;
	ch_status st = db_prep(db, select_sql, &s, err);

	if (st)
		return st;
	db_bind_int(s, 1, q->from_ms);
	db_bind_int(s, 2, q->to_ms);
	db_bind_text(s, 3, q->agent_id);
	db_bind_text(s, 4, q->session_key);
	for (;;) {
		bool is_row = false;

		st = db_step(s, &is_row, err);
		if (st || !is_row)
			return st;
		read_row(s, &row);
		if (!each(arg, &row))
			return CH_OK;
	}
}

const char *usage_reason(const struct usage_row *row)
{
	return row->attempt > 1 ? "retry" : row->reason;
}

int64_t usage_tokens(const struct model_usage *u)
{
	return u->input + u->output + u->cache_read + u->cache_write;
}

static void count_missing(struct usage_sum *sum, struct arena *a, const char *ref, int64_t count)
{
	struct usage_missing **at = &sum->missing_by;

	while (*at && !str_eq((*at)->ref, ref))
		at = &(*at)->next;
	if (!*at) {
		*at = arena_alloc(a, sizeof(**at));
		**at = (struct usage_missing){ .ref = arena_strdup(a, ref) };
	}
	(*at)->count += count;
	sum->missing += count;
}

static void add(struct usage_sum *sum, const struct model_usage *usage, const struct model_cost *cost)
{
	sum->usage.input += usage->input;
	sum->usage.output += usage->output;
	sum->usage.cache_read += usage->cache_read;
	sum->usage.cache_write += usage->cache_write;
	sum->cost.input += cost->input;
	sum->cost.output += cost->output;
	sum->cost.cache_read += cost->cache_read;
	sum->cost.cache_write += cost->cache_write;
	sum->cost.total += cost->total;
}

void usage_sum_merge(struct usage_sum *sum, struct arena *a, const struct usage_sum *other)
{
	sum->count += other->count;
	add(sum, &other->usage, &other->cost);
	for (const struct usage_missing *m = other->missing_by; m; m = m->next)
		count_missing(sum, a, m->ref, m->count);
}

void usage_sum_add(struct usage_sum *sum, struct arena *a, const struct usage_row *row)
{
	sum->count++;
	add(sum, &row->usage, &row->cost);
	if (!row->has_cost && usage_tokens(&row->usage))
		count_missing(sum, a, arena_printf(a, "%s/%s", row->provider, row->model), 1);
}

/* Sums of binary fractions: what is below a millionth of a cent is noise. */
static double usd(double v)
{
	return round(v * 1e8) / 1e8;
}

void usage_sum_write(struct jw *w, const struct usage_sum *sum)
{
	jw_kint(w, "input", sum->usage.input);
	jw_kint(w, "output", sum->usage.output);
	jw_kint(w, "cacheRead", sum->usage.cache_read);
	jw_kint(w, "cacheWrite", sum->usage.cache_write);
	jw_kint(w, "totalTokens", usage_tokens(&sum->usage));
	jw_knum(w, "totalCost", usd(sum->cost.total));
	jw_knum(w, "inputCost", usd(sum->cost.input));
	jw_knum(w, "outputCost", usd(sum->cost.output));
	jw_knum(w, "cacheReadCost", usd(sum->cost.cache_read));
	jw_knum(w, "cacheWriteCost", usd(sum->cost.cache_write));
	jw_kint(w, "missingCostEntries", sum->missing);
	if (!sum->missing_by)
		return;
	jw_kobj(w, "missingCostByModel");
	for (const struct usage_missing *m = sum->missing_by; m; m = m->next)
		jw_kint(w, m->ref, m->count);
	jw_end(w);
}
