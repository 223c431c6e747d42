/*
 * models/budget.c - limits on what models may cost, checked before a request goes out.
 */
#include "models/budget.h"

#include <math.h>
#include <string.h>

#include "config/path.h"
#include "core/log.h"
#include "core/map.h"
#include "core/str.h"
#include "models/budget_spent.h"

#define PER_MILLION 1e-6
#define IMAGE_TOKENS 3000                /* what the dearest provider counts for the largest picture it takes */
#define OUT_UNKNOWN 131072               /* the longest answer of a model that does not say */
#define DEPTH_MAX 16                     /* of a message's JSON */

/* -- the limits -- */

struct limit_row {
	const char *key;
	bool is_usd;
	enum budget_scope scope;
	const char *of;
};

static const struct limit_row rows[] = {
	{ "perTurnUsd", true, BUDGET_TURN, "this turn" },
	{ "perTurnTokens", false, BUDGET_TURN, "this turn" },
	{ "perSessionUsd", true, BUDGET_SESSION, "this session" },
	{ "perSessionTokens", false, BUDGET_SESSION, "this session" },
	{ "perDayUsd", true, BUDGET_DAY, "today" },
	{ "perDayTokens", false, BUDGET_DAY, "today" },
};
#define LIMITS_MAX (2 * CH_ARRAY_LEN(rows))

struct limit {
	const struct limit_row *row;
	enum budget_scope scope;
	const char *path, *of;
	double limit;
};

static bool read_limit(const struct config *c, const char *path, double *ret)
{
	const struct json *v = config_get(c, path);

	if (!json_is(v, JSON_INT) && !json_is(v, JSON_NUM))
		return false;
	*ret = json_num_or(v, 0);
	return true;
}

/* Those that are set, for the agent. */
static size_t find_limits(const struct config *c, const char *agent_id, struct arena *a, struct limit *ret)
{
	const char *own_base = str_empty(agent_id) ? NULL
		: config_path_join(a, config_path_join(a, "agents.entries", agent_id), "budgets");
	size_t n = 0;

	for (size_t i = 0; c && i < CH_ARRAY_LEN(rows); i++) {
		const char *shared = config_path_join(a, "budgets", rows[i].key);
		const char *own = own_base ? config_path_join(a, own_base, rows[i].key) : NULL;
		struct limit x = { .row = &rows[i], .scope = rows[i].scope, .path = own, .of = rows[i].of };
		bool has_own = own && read_limit(c, own, &x.limit);

		if (has_own && rows[i].scope == BUDGET_DAY) {
			x.scope = BUDGET_AGENT_DAY;
			x.of = "this agent today";
		}
		if (has_own)
			ret[n++] = x;
		if (has_own && rows[i].scope != BUDGET_DAY)
			continue;
		x = (struct limit){ .row = &rows[i], .scope = rows[i].scope, .path = shared, .of = rows[i].of };
		if (read_limit(c, shared, &x.limit))
			ret[n++] = x;
	}
	return n;
}

ch_status budget_lines(struct models *m, const char *agent_id, const char *session_key, const char *run_id,
		       struct arena *a, const struct budget_line **ret, size_t *ret_count, struct ch_err *err)
{
	const struct budget_of of = { agent_id, session_key, run_id };
	struct budget_line *lines = arena_alloc(a, LIMITS_MAX * sizeof(*lines));
	struct limit limits[LIMITS_MAX];
	size_t n = find_limits(catalog_config(m), agent_id, a, limits), count = 0;

	for (size_t i = 0; i < n; i++) {
		const struct limit *x = &limits[i];
		struct budget_sum sum;
		ch_status st;

		if ((x->scope == BUDGET_TURN && str_empty(run_id)) || (x->scope == BUDGET_SESSION && str_empty(session_key)))
			continue;
		st = budget_spent(m->opts.db, x->scope, &of, &sum, err);
		if (st)
			return st;
		lines[count++] = (struct budget_line){
			.path = x->path, .of = x->of, .is_usd = x->row->is_usd, .limit = x->limit,
			.spent = x->row->is_usd ? sum.usd : (double)sum.tokens,
			.unpriced = x->row->is_usd ? sum.unpriced : 0,
		};
	}
	*ret = lines;
	*ret_count = count;
	return CH_OK;
}

/* -- the most that a request can cost -- */

/* Text as it is sent; the bytes of a picture are no text. */
static int64_t tokens_of(const struct json *v, int depth)
{
	int64_t sum = 0;

	if (json_is(v, JSON_STR))
		return model_estimate_tokens(v->str, v->len);
	if (depth == DEPTH_MAX)
		return 0;
	if (json_is(v, JSON_OBJ) && str_eq(json_get_str(v, "type"), "image"))
		return IMAGE_TOKENS;
	json_each(m, v)
		sum += 2 + tokens_of(m, depth + 1);
	return sum;
}

int64_t budget_prompt_tokens(const struct model_call *call)
{
	int64_t sum = tokens_of(call->messages, 0);
	const char *const texts[] = { call->system_stable, call->system_volatile };

	for (size_t i = 0; i < CH_ARRAY_LEN(texts); i++)
		sum += texts[i] ? model_estimate_tokens(texts[i], strlen(texts[i])) : 0;
	for (size_t i = 0; i < call->tool_count; i++) {
		const struct model_tool *t = &call->tools[i];

		sum += model_estimate_tokens(t->name, strlen(t->name)) + 8;
		sum += t->description ? model_estimate_tokens(t->description, strlen(t->description)) : 0;
		sum += t->schema_json ? model_estimate_tokens(t->schema_json, strlen(t->schema_json)) : 0;
	}
	return sum + sum / 4 + 16;
}

static double prompt_price(const struct model_entry *e)
{
	return fmax(e->cost_input, e->cost_cache_write) * PER_MILLION;
}

/* -- checking -- */

struct asking {
	const struct model_call *call;
	const struct model_entry *entry;
	int64_t prompt, wanted;          /* tokens in; out at most */
	int64_t least;                   /* tokens of output below which it is not worth asking */
	bool is_fixed;                   /* the request is made: it asks for `wanted` */
	int64_t out;                     /* tokens of output that the limits leave */
};

static void format_amount(char *ret_text, size_t cap, bool is_usd, double v)
{
	if (is_usd)
		snprintf(ret_text, cap, v != 0 && fabs(v) < 0.01 ? "$%.4f" : "$%.2f", v);
	else
		snprintf(ret_text, cap, "%.0f tokens", v);
}

static ch_status refuse(const struct limit *x, double spent, double least, struct ch_err *err)
{
	char limit[48], gone[48], needs[48];
	double better = fmax(2 * x->limit, ceil((spent + 2 * least) * 100) / 100);

	format_amount(limit, sizeof(limit), x->row->is_usd, x->limit);
	format_amount(gone, sizeof(gone), x->row->is_usd, spent);
	format_amount(needs, sizeof(needs), x->row->is_usd, least);
	return ch_fail(err, CH_E_LIMIT, x->row->is_usd
		       ? "Budget reached: %s is %s, %s has spent %s, this request needs %s or more. Raise it: chela config set %s %.2f"
		       : "Budget reached: %s is %s, %s has used %s, this request needs %s or more. Raise it: chela config set %s %.0f",
		       x->path, limit, x->of, gone, needs, x->path, better);
}

/* More than half of what is left goes to one request only when that is little. */
static int64_t share_of(double left)
{
	double half = left / 2;

	return (int64_t)CH_MIN(half > BUDGET_OUT_GOOD ? half : CH_MIN(left, BUDGET_OUT_GOOD), 1e12);
}

static ch_status check_usd(struct asking *q, const struct limit *x, double spent, struct ch_err *err)
{
	double in = (double)q->prompt * prompt_price(q->entry), price = q->entry->cost_output * PER_MILLION;
	double left = x->limit - spent - in;

	/* What costs nothing is within any limit. */
	if (in + price > 0 && left < (double)q->least * price)
		return refuse(x, spent, in + (double)q->least * price, err);
	if (price > 0 && !q->is_fixed)
		q->out = CH_MIN(q->out, share_of(left / price));
	return CH_OK;
}

static ch_status check_tokens(struct asking *q, const struct limit *x, double spent, struct ch_err *err)
{
	double left = x->limit - spent - (double)q->prompt;

	if (left < (double)q->least)
		return refuse(x, spent, (double)(q->prompt + q->least), err);
	if (!q->is_fixed)
		q->out = CH_MIN(q->out, share_of(left));
	return CH_OK;
}

static void tell_unpriced(struct models *m, const struct model_entry *e, const struct limit *x)
{
	if (!m->unpriced)
		m->unpriced = map_new();
	if (map_put(m->unpriced, e->ref, m))
		return;
	log_warn("models", "the price of %s is not known: %s does not hold it back, only a limit of tokens does "
		 "(models.providers.%s.models[].cost says the price)", e->ref, x->path, e->provider);
}

static ch_status check(struct models *m, struct asking *q, const struct limit *limits, size_t n, struct ch_err *err)
{
	const struct budget_of of = { q->call->agent_id, q->call->session_key, q->call->run_id };
	ch_status st = CH_OK;

	for (size_t i = 0; i < n && !st; i++) {
		const struct limit *x = &limits[i];
		struct budget_sum sum;

		if (x->row->is_usd && !q->entry->has_cost) {
			tell_unpriced(m, q->entry, x);
			continue;
		}
		st = budget_spent(m->opts.db, x->scope, &of, &sum, err);
		if (st)
			break;
		budget_on_the_way(m, x->scope, &of, &sum);
		st = x->row->is_usd ? check_usd(q, x, sum.usd, err) : check_tokens(q, x, (double)sum.tokens, err);
	}
	return st;
}

ch_status budget_take(struct models *m, const struct model_call *call, const struct model_entry *e,
		      struct budget_hold *hold, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct asking q = { .call = call, .entry = e, .is_fixed = hold->at != NULL };
	struct limit limits[LIMITS_MAX];
	size_t n = find_limits(catalog_config(m), call->agent_id, a, limits);
	ch_status st;

	budget_release(hold);
	if (!n)
		return CH_OK;
	q.prompt = budget_prompt_tokens(call);
	q.wanted = call->max_tokens > 0 ? call->max_tokens : e->max_tokens > 0 ? e->max_tokens : OUT_UNKNOWN;
	q.out = q.wanted;
	q.least = q.is_fixed ? q.wanted : CH_MIN(q.wanted, BUDGET_OUT_MIN);
	st = check(m, &q, limits, n, err);
	if (st)
		return st;
	*hold = (struct budget_hold){
		.next = m->holds, .at = &m->holds,
		.agent_id = call->agent_id, .session_key = call->session_key, .run_id = call->run_id,
		.usd = e->has_cost ? (double)q.prompt * prompt_price(e) + (double)q.out * e->cost_output * PER_MILLION : 0,
		.tokens = q.prompt + q.out,
		.max_tokens = q.out < q.wanted ? q.out : 0,
	};
	if (m->holds)
		m->holds->at = &hold->next;
	m->holds = hold;
	return CH_OK;
}

void budget_release(struct budget_hold *hold)
{
	if (!hold->at)
		return;
	*hold->at = hold->next;
	if (hold->next)
		hold->next->at = hold->at;
	hold->at = NULL;
	hold->next = NULL;
}
