/*
 * gateway/usage_render.c - a usage report as sessions.usage tells it.
 *
 * Beyond the reference: aggregates.byReason (why requests were made) and budgets (limits and how far they are used).
 */
#include "gateway/usage_report.h"

#include <stdlib.h>

#include "core/clock.h"
#include "core/map.h"
#include "core/str.h"
#include "models/budget.h"

/* The next bucket of a table; *cursor begins at 0, NULL at the end. */
static struct usage_bucket *next(const struct usage_table *t, size_t *cursor)
{
	const char *key;
	void *value;

	return t->index && map_each(t->index, cursor, &key, &value) ? value : NULL;
}

static void write_totals(struct jw *w, const struct usage_sum *sum)
{
	jw_kobj(w, "totals");
	usage_sum_write(w, sum);
	jw_end(w);
}

/* Every call has its result, also when it failed. */
static void write_counts(struct jw *w, const struct usage_counts *c)
{
	jw_kint(w, "total", c->user + c->assistant);
	jw_kint(w, "user", c->user);
	jw_kint(w, "assistant", c->assistant);
	jw_kint(w, "toolCalls", c->tool_results);
	jw_kint(w, "toolResults", c->tool_results);
	jw_kint(w, "errors", c->errors);
}

static int by_size(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static void write_latency(struct jw *w, const struct usage_latency *l)
{
	double sum = 0;

	qsort(l->at, l->len, sizeof(*l->at), by_size);
	for (size_t i = 0; i < l->len; i++)
		sum += (double)l->at[i];
	jw_kint(w, "count", (int64_t)l->len);
	jw_knum(w, "avgMs", sum / (double)l->len);
	jw_kint(w, "p95Ms", l->at[CH_MIN(l->len * 95 / 100, l->len - 1)]);
	jw_kint(w, "minMs", l->at[0]);
	jw_kint(w, "maxMs", l->at[l->len - 1]);
}

static void write_latency_of(struct jw *w, const struct usage_part *p)
{
	if (!p->latency.len)
		return;
	jw_kobj(w, "latency");
	write_latency(w, &p->latency);
	jw_end(w);
}

static void write_daily_latency(struct jw *w, const struct usage_part *p)
{
	const struct usage_bucket *b;

	jw_karr(w, "dailyLatency");
	for (size_t i = 0; (b = next(&p->days, &i));) {
		if (!b->latency.len)
			continue;
		jw_obj(w);
		jw_kstr(w, "date", b->key);
		write_latency(w, &b->latency);
		jw_end(w);
	}
	jw_end(w);
}

static void write_models(struct jw *w, const char *name, const struct usage_table *t)
{
	const struct usage_bucket *b;

	jw_karr(w, name);
	for (size_t i = 0; (b = next(t, &i));) {
		jw_obj(w);
		jw_kstr(w, "provider", b->provider);
		jw_kstr_opt(w, "model", b->model);
		jw_kint(w, "count", b->sum.count);
		write_totals(w, &b->sum);
		jw_end(w);
	}
	jw_end(w);
}

static void write_daily_models(struct jw *w, const char *name, const struct usage_part *p)
{
	const struct usage_bucket *b;

	jw_karr(w, name);
	for (size_t i = 0; (b = next(&p->day_models, &i));) {
		jw_obj(w);
		jw_kstr(w, "date", b->key);
		jw_kstr(w, "provider", b->provider);
		jw_kstr(w, "model", b->model);
		jw_kint(w, "tokens", usage_tokens(&b->sum.usage));
		jw_knum(w, "cost", b->sum.cost.total);
		jw_kint(w, "count", b->sum.count);
		jw_end(w);
	}
	jw_end(w);
}

/* -- a session -- */

static void write_days(struct jw *w, const char *name, const struct usage_part *p, bool with_short_names)
{
	const struct usage_bucket *b;

	jw_karr(w, name);
	for (size_t i = 0; (b = next(&p->days, &i));) {
		if (!b->sum.count)
			continue;
		jw_obj(w);
		jw_kstr(w, "date", b->key);
		if (with_short_names) {
			jw_kint(w, "tokens", usage_tokens(&b->sum.usage));
			jw_knum(w, "cost", b->sum.cost.total);
		}
		usage_sum_write(w, &b->sum);
		jw_end(w);
	}
	jw_end(w);
}

static void write_daily_counts(struct jw *w, const struct usage_part *p)
{
	const struct usage_bucket *b;

	jw_karr(w, "dailyMessageCounts");
	for (size_t i = 0; (b = next(&p->days, &i));) {
		jw_obj(w);
		jw_kstr(w, "date", b->key);
		write_counts(w, &b->said);
		jw_end(w);
	}
	jw_end(w);
}

static void write_quarters(struct jw *w, const struct usage_part *p, bool of_tokens)
{
	const struct usage_bucket *b;

	jw_karr(w, of_tokens ? "utcQuarterHourTokenUsage" : "utcQuarterHourMessageCounts");
	for (size_t i = 0; (b = next(&p->quarters, &i));) {
		jw_obj(w);
		jw_kstr(w, "date", b->key);
		jw_kint(w, "quarterIndex", b->quarter);
		if (of_tokens) {
			jw_kint(w, "input", b->sum.usage.input);
			jw_kint(w, "output", b->sum.usage.output);
			jw_kint(w, "cacheRead", b->sum.usage.cache_read);
			jw_kint(w, "cacheWrite", b->sum.usage.cache_write);
			jw_kint(w, "totalTokens", usage_tokens(&b->sum.usage));
			jw_knum(w, "totalCost", b->sum.cost.total);
		} else {
			write_counts(w, &b->said);
		}
		jw_end(w);
	}
	jw_end(w);
}

static void write_activity_dates(struct jw *w, const char *name, const struct usage_part *p)
{
	const struct usage_bucket *b;

	jw_karr(w, name);
	for (size_t i = 0; (b = next(&p->days, &i));)
		jw_str(w, b->key);
	jw_end(w);
}

static void write_tools(struct jw *w, const char *name, const struct usage_part *p)
{
	const struct usage_bucket *b;
	int64_t total = 0, unique = 0;

	for (size_t i = 0; (b = next(&p->tools, &i)); unique++)
		total += b->sum.count;
	jw_kobj(w, name);
	jw_kint(w, "totalCalls", total);
	jw_kint(w, "uniqueTools", unique);
	jw_karr(w, "tools");
	for (size_t i = 0; (b = next(&p->tools, &i));) {
		jw_obj(w);
		jw_kstr(w, "name", b->key);
		jw_kint(w, "count", b->sum.count);
		jw_end(w);
	}
	jw_end(w);
	jw_end(w);
}

static void write_usage(struct jw *w, const struct usage_session *x)
{
	const struct usage_part *p = &x->part;

	if (!p->last_at) {
		jw_knull(w, "usage");
		return;
	}
	jw_kobj(w, "usage");
	usage_sum_write(w, &p->sum);
	jw_kstr(w, "sessionId", x->session_id);
	jw_kint(w, "firstActivity", p->first_at);
	jw_kint(w, "lastActivity", p->last_at);
	jw_kint(w, "durationMs", p->last_at - p->first_at);
	jw_kobj(w, "messageCounts");
	write_counts(w, &p->said);
	jw_end(w);
	write_models(w, "modelUsage", &p->models);
	if (p->tools.index)
		write_tools(w, "toolUsage", p);
	write_latency_of(w, p);
	write_activity_dates(w, "activityDates", p);
	write_days(w, "dailyBreakdown", p, true);
	write_daily_counts(w, p);
	write_quarters(w, p, false);
	write_quarters(w, p, true);
	write_daily_latency(w, p);
	write_daily_models(w, "dailyModelUsage", p);
	jw_end(w);
}

static void write_session(struct jw *w, const struct usage_session *x, bool is_family)
{
	jw_obj(w);
	jw_kstr(w, "key", x->key);
	jw_kstr_opt(w, "label", x->label);
	jw_kstr(w, "sessionId", x->session_id);
	jw_kstr(w, "scope", is_family ? "family" : "instance");
	if (is_family) {
		jw_kstr(w, "sessionFamilyKey", x->key);
		jw_kstr(w, "currentSessionId", x->session_id);
		jw_karr(w, "includedSessionIds");
		jw_str(w, x->session_id);
		jw_end(w);
		jw_kint(w, "historicalInstanceCount", 1);
	}
	jw_kint(w, "updatedAt", x->updated_at);
	jw_kstr(w, "agentId", x->agent_id);
	jw_kstr(w, "creatorKey", x->creator);
	if (x->actor)
		jw_kvalue(w, "createdActor", x->actor);
	jw_kstr_opt(w, "channel", x->channel);
	jw_kstr(w, "chatType", x->chat_type ? x->chat_type : "direct");
	if (x->is_override) {
		jw_kstr_opt(w, "modelOverride", x->model);
		jw_kstr_opt(w, "providerOverride", x->provider);
	}
	jw_kstr_opt(w, "modelProvider", x->provider);
	jw_kstr_opt(w, "model", x->model);
	write_usage(w, x);
	jw_kbool(w, "hasContextWeight", false);
	jw_end(w);
}

/* -- the whole -- */

static void write_named(struct jw *w, const char *name, const char *key, const struct usage_table *t, bool with_count)
{
	const struct usage_bucket *b;

	jw_karr(w, name);
	for (size_t i = 0; (b = next(t, &i));) {
		jw_obj(w);
		jw_kstr(w, key, b->key);
		if (with_count)
			jw_kint(w, "count", b->sum.count);
		write_totals(w, &b->sum);
		jw_end(w);
	}
	jw_end(w);
}

/* What the sessions of one creator have in sum. */
static void write_creator(const struct usage_report *r, struct jw *w, const struct usage_session *first)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct usage_sum sum = { 0 };
	int64_t count = 0;

	for (size_t i = 0; i < r->sessions.len; i++) {
		const struct usage_session *x = r->sessions.at[i];

		if (!x->part.last_at || !str_eq(x->creator, first->creator))
			continue;
		usage_sum_merge(&sum, a, &x->part.sum);
		count++;
	}
	if (!count)
		return;
	jw_obj(w);
	jw_kstr(w, "key", first->creator);
	if (first->actor)
		jw_kvalue(w, "actor", first->actor);
	write_totals(w, &sum);
	jw_kint(w, "sessionCount", count);
	jw_karr(w, "sessionActivity");
	for (size_t i = 0; i < r->sessions.len; i++) {
		const struct usage_session *x = r->sessions.at[i];

		if (!x->part.last_at || !str_eq(x->creator, first->creator))
			continue;
		jw_obj(w);
		write_activity_dates(w, "dates", &x->part);
		jw_kint(w, "sessionCount", 1);
		jw_end(w);
	}
	jw_end(w);
	jw_end(w);
}

static void write_daily(struct jw *w, const struct usage_part *p)
{
	const struct usage_bucket *b;

	jw_karr(w, "daily");
	for (size_t i = 0; (b = next(&p->days, &i));) {
		jw_obj(w);
		jw_kstr(w, "date", b->key);
		jw_kint(w, "tokens", usage_tokens(&b->sum.usage));
		jw_knum(w, "cost", b->sum.cost.total);
		jw_kint(w, "messages", b->said.user + b->said.assistant);
		jw_kint(w, "toolCalls", b->said.tool_results);
		jw_kint(w, "errors", b->said.errors);
		jw_end(w);
	}
	jw_end(w);
}

static void write_counts_of_sessions(const struct usage_report *r, struct jw *w)
{
	int64_t count = 0, longest = 0;

	for (size_t i = 0; i < r->sessions.len; i++) {
		const struct usage_part *p = &r->sessions.at[i]->part;

		count += p->last_at != 0;
		longest = CH_MAX(longest, p->last_at - p->first_at);
	}
	jw_kint(w, "sessionCount", count);
	if (count)
		jw_kint(w, "longestSessionDurationMs", longest);
}

static void write_aggregates(const struct usage_report *r, struct jw *w)
{
	jw_kobj(w, "aggregates");
	write_counts_of_sessions(r, w);
	jw_kobj(w, "messages");
	write_counts(w, &r->all.said);
	jw_end(w);
	write_tools(w, "tools", &r->all);
	write_models(w, "byModel", &r->all.models);
	write_models(w, "byProvider", &r->providers);
	write_named(w, "byAgent", "agentId", &r->agents, false);
	write_named(w, "byReason", "reason", &r->reasons, true);
	jw_karr(w, "byChannel");
	jw_end(w);
	jw_karr(w, "byCreator");
	for (size_t i = 0; i < r->options.len; i++)
		write_creator(r, w, r->options.at[i]);
	jw_end(w);
	write_days(w, "costDaily", &r->all, false);
	write_latency_of(w, &r->all);
	write_daily_latency(w, &r->all);
	write_daily_models(w, "modelDaily", &r->all);
	write_daily(w, &r->all);
	jw_end(w);
}

static void write_budgets(const struct usage_report *r, struct jw *w)
{
	const struct budget_line *lines = NULL;
	size_t n = 0;

	if (budget_lines(r->gw->models, r->query.agent_id, r->query.session_key, NULL, r->arena, &lines, &n, NULL))
		n = 0;
	jw_karr(w, "budgets");
	for (size_t i = 0; i < n; i++) {
		jw_obj(w);
		jw_kstr(w, "path", lines[i].path);
		jw_kstr(w, "of", lines[i].of);
		jw_kstr(w, "unit", lines[i].is_usd ? "usd" : "tokens");
		jw_knum(w, "limit", lines[i].limit);
		jw_knum(w, "spent", lines[i].spent);
		jw_kint(w, "unpricedRequests", lines[i].unpriced);
		jw_end(w);
	}
	jw_end(w);
}

void usage_report_write(const struct usage_report *r, struct jw *w, size_t limit, bool is_family)
{
	char date[ZONE_DATE_LEN];

	jw_obj(w);
	jw_kint(w, "updatedAt", now_wall_ms());
	zone_date(&r->query.range.zone, r->query.range.from_ms, date);
	jw_kstr(w, "startDate", date);
	zone_date(&r->query.range.zone, r->query.range.to_ms - 1, date);
	jw_kstr(w, "endDate", date);
	jw_karr(w, "sessions");
	for (size_t i = 0; i < CH_MIN(r->sessions.len, limit); i++)
		write_session(w, r->sessions.at[i], is_family);
	jw_end(w);
	write_totals(w, &r->all.sum);
	write_aggregates(r, w);
	jw_karr(w, "creatorOptions");
	for (size_t i = 0; i < r->options.len; i++) {
		jw_obj(w);
		jw_kstr(w, "key", r->options.at[i]->creator);
		if (r->options.at[i]->actor)
			jw_kvalue(w, "actor", r->options.at[i]->actor);
		jw_end(w);
	}
	jw_end(w);
	write_budgets(r, w);
	usage_write_fresh(w);
	jw_end(w);
}

void usage_write_fresh(struct jw *w)
{
	jw_kobj(w, "cacheStatus");
	jw_kstr(w, "status", "fresh");
	jw_kint(w, "cachedFiles", 0);
	jw_kint(w, "pendingFiles", 0);
	jw_kint(w, "staleFiles", 0);
	jw_end(w);
}
