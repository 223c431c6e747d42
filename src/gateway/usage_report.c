/*
 * gateway/usage_report.c - usage by session, day, model and agent: gathering.
 */
#include "gateway/usage_report.h"

#include "core/map.h"
#include "core/mem.h"
#include "core/str.h"
#include "sessions/transcript.h"

#define QUARTER_MS 900000
#define QUARTERS_A_DAY 96
#define CREATOR_UNKNOWN "[\"unknown\"]"

/* -- tables -- */

struct usage_bucket *usage_table_at(struct usage_table *t, struct arena *arena, const char *a, const char *b)
{
	const char *key = *b ? arena_printf(arena, "%s\n%s", a, b) : a;
	struct usage_bucket *found;

	if (!t->index)
		t->index = map_new();
	found = map_find(t->index, key);
	if (found)
		return found;
	found = arena_alloc(arena, sizeof(*found));
	*found = (struct usage_bucket){ .key = arena_strdup(arena, a) };
	map_put(t->index, key, found);
	return found;
}

void usage_table_free(struct usage_table *t)
{
	map_free(t->index);
	t->index = NULL;
}

static void part_free(struct usage_part *p)
{
	usage_table_free(&p->models);
	usage_table_free(&p->days);
	usage_table_free(&p->day_models);
	usage_table_free(&p->quarters);
	usage_table_free(&p->tools);
}

static void add_latency(struct usage_latency *l, struct arena *a, int64_t ms)
{
	if (l->len == l->cap) {
		int64_t *grown = arena_alloc(a, CH_MAX(2 * l->cap, 8) * sizeof(*grown));

		if (l->len)
			memcpy(grown, l->at, l->len * sizeof(*grown));
		l->at = grown;
		l->cap = CH_MAX(2 * l->cap, 8);
	}
	l->at[l->len++] = ms;
}

/* -- sessions -- */

static const char *creator_of(struct arena *a, const struct json *actor)
{
	const struct json *identity = json_get(actor, "identity");

	if (!str_eq(json_get_str(identity, "type"), "profile") || !json_get_str(identity, "id"))
		return CREATOR_UNKNOWN;
	return arena_printf(a, "[\"profile\",\"%s\"]", json_get_str(identity, "id"));
}

static bool add_option(struct usage_report *r, struct usage_session *x)
{
	for (size_t i = 0; i < r->options.len; i++) {
		if (str_eq(r->options.at[i]->creator, x->creator))
			return false;
	}
	vec_push(&r->options, x);
	return true;
}

static bool add_session(void *arg, const struct sess *s)
{
	struct usage_report *r = arg;
	struct arena *a = r->arena;
	struct usage_session *x;
	struct json *actor = NULL;

	if (r->query.session_key && !str_eq(s->key, r->query.session_key))
		return true;
	x = arena_alloc(a, sizeof(*x));
	*x = (struct usage_session){
		.key = arena_strdup(a, s->key),
		.agent_id = arena_strdup(a, s->agent_id),
		.session_id = arena_strdup(a, s->session_id),
		.label = arena_strdup(a, s->label ? s->label : s->derived_title),
		.channel = arena_strdup(a, s->channel),
		.chat_type = arena_strdup(a, s->chat_type),
		.provider = arena_strdup(a, s->model_provider),
		.model = arena_strdup(a, s->model),
		.is_override = !str_empty(s->model_override_source),
		.updated_at = s->updated_at,
	};
	if (s->created_actor && json_parse(a, s->created_actor, strlen(s->created_actor), JSON_STRICT, &actor, NULL))
		actor = NULL;
	x->actor = actor;
	x->creator = creator_of(a, actor);
	add_option(r, x);
	if (r->query.creator && !str_eq(r->query.creator, x->creator))
		return true;
	map_put(r->by_key, x->key, x);
	vec_push(&r->sessions, x);
	return true;
}

static ch_status find_sessions(struct usage_report *r, struct ch_err *err)
{
	const struct sess_query q = { .agent_id = r->query.agent_id, .archived = -1, .include_background = true,
				      .limit = 0 };
	size_t total;

	return sess_list(r->gw->sessions, &q, &total, add_session, r, err);
}

/* -- adding -- */

static void touch(struct usage_part *p, int64_t at)
{
	p->first_at = p->first_at ? CH_MIN(p->first_at, at) : at;
	p->last_at = CH_MAX(p->last_at, at);
}

static struct usage_bucket *day_of(struct usage_report *r, struct usage_part *p, int64_t at)
{
	char date[ZONE_DATE_LEN];

	zone_date(&r->query.range.zone, at, date);
	return usage_table_at(&p->days, r->arena, date, "");
}

static struct usage_bucket *quarter_of(struct usage_report *r, struct usage_part *p, int64_t at)
{
	const struct zone utc = { 0 };
	char date[ZONE_DATE_LEN], number[24];
	struct usage_bucket *b;

	zone_date(&utc, at, date);
	snprintf(number, sizeof(number), "%lld", (long long)(at / QUARTER_MS));
	b = usage_table_at(&p->quarters, r->arena, date, number);
	b->quarter = at / QUARTER_MS % QUARTERS_A_DAY;
	return b;
}

static struct usage_bucket *model_at(struct usage_report *r, struct usage_table *t, const char *day,
				     const struct usage_row *row)
{
	struct usage_bucket *b = usage_table_at(t, r->arena, day, arena_printf(r->arena, "%s/%s", row->provider, row->model));

	if (!b->provider) {
		b->provider = arena_strdup(r->arena, row->provider);
		b->model = arena_strdup(r->arena, row->model);
	}
	return b;
}

static void add_row_to(struct usage_report *r, struct usage_part *p, const struct usage_row *row)
{
	struct usage_bucket *day = day_of(r, p, row->at);
	struct usage_sum *sums[] = {
		&p->sum, &day->sum, &model_at(r, &p->models, "", row)->sum, &model_at(r, &p->day_models, day->key, row)->sum,
		&quarter_of(r, p, row->at)->sum,
	};

	for (size_t i = 0; i < CH_ARRAY_LEN(sums); i++)
		usage_sum_add(sums[i], r->arena, row);
	touch(p, row->at);
	if (!str_eq(row->outcome, "ok") || !str_eq(row->reason, "turn"))
		return;
	add_latency(&p->latency, r->arena, row->total_ms);
	add_latency(&day->latency, r->arena, row->total_ms);
}

static bool add_row(void *arg, const struct usage_row *row)
{
	struct usage_report *r = arg;
	struct usage_session *x = row->session_key ? map_find(r->by_key, row->session_key) : NULL;
	struct usage_bucket *provider;

	if (r->query.creator && !x)
		return true;
	if (x)
		add_row_to(r, &x->part, row);
	add_row_to(r, &r->all, row);
	provider = usage_table_at(&r->providers, r->arena, row->provider, "");
	provider->provider = provider->key;
	usage_sum_add(&provider->sum, r->arena, row);
	usage_sum_add(&usage_table_at(&r->reasons, r->arena, usage_reason(row), "")->sum, r->arena, row);
	if (row->agent_id)
		usage_sum_add(&usage_table_at(&r->agents, r->arena, row->agent_id, "")->sum, r->arena, row);
	return true;
}

static void count_one(struct usage_counts *c, const struct tr_tally *t)
{
	c->user += str_eq(t->role, "user");
	c->assistant += str_eq(t->role, "assistant");
	c->tool_results += str_eq(t->role, "toolResult");
	c->errors += t->is_failure;
}

static void add_said_to(struct usage_report *r, struct usage_part *p, const struct tr_tally *t)
{
	count_one(&p->said, t);
	count_one(&day_of(r, p, t->created_at)->said, t);
	count_one(&quarter_of(r, p, t->created_at)->said, t);
	if (t->tool)
		usage_table_at(&p->tools, r->arena, t->tool, "")->sum.count++;
	touch(p, t->created_at);
}

static bool add_said(void *arg, const struct tr_tally *t)
{
	struct usage_report *r = arg;
	struct usage_session *x = map_find(r->by_key, t->session_key);

	if (!x)
		return true;
	add_said_to(r, &x->part, t);
	add_said_to(r, &r->all, t);
	return true;
}

/* -- the whole -- */

ch_status usage_report_make(struct gw *gw, struct arena *a, const struct usage_report_query *q, struct usage_report *ret,
			    struct ch_err *err)
{
	const struct usage_query spent = { q->range.from_ms, q->range.to_ms, q->agent_id, q->session_key };
	const struct tr_tally_query said = { q->range.from_ms, q->range.to_ms, q->agent_id, q->session_key };
	ch_status st;

	*ret = (struct usage_report){ .gw = gw, .arena = a, .query = *q, .by_key = map_new() };
	st = find_sessions(ret, err);
	if (!st)
		st = usage_each(gw->db, &spent, add_row, ret, err);
	if (!st)
		st = tr_tally(gw->sessions, &said, add_said, ret, err);
	return st;
}

void usage_report_free(struct usage_report *r)
{
	for (size_t i = 0; i < r->sessions.len; i++)
		part_free(&r->sessions.at[i]->part);
	vec_done(&r->sessions);
	vec_done(&r->options);
	part_free(&r->all);
	usage_table_free(&r->providers);
	usage_table_free(&r->agents);
	usage_table_free(&r->reasons);
	map_free(r->by_key);
	*r = (struct usage_report){ 0 };
}
