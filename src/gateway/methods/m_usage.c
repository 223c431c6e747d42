/*
 * gateway/methods/m_usage.c - usage.cost, usage.status, sessions.usage and its details: the bill.
 */
#include "core/clock.h"
#include "core/str.h"
#include "gateway/methods/methods.h"
#include "gateway/render.h"
#include "gateway/usage_report.h"
#include "sessions/text.h"
#include "sessions/transcript.h"

#define SESSIONS_DEFAULT 50
#define POINTS_MAX 200
#define LOGS_DEFAULT 200
#define LOGS_MAX 1000
#define LOG_TEXT_MAX 2000                /* bytes of one message in a log */

/* Whose usage: all, one agent's, or (neither said) the default agent's. */
static ch_status agent_of(struct gw_call *call, const char *key, const char **ret, struct ch_err *err)
{
	const char *agent = json_get_str(call->params, "agentId");
	bool is_all = json_get(call->params, "agentScope") != NULL;

	if (is_all && (agent || key))
		return ch_fail(err, CH_E_INVALID, "agentScope=all cannot be combined with %s", key ? "key or agentId" : "agentId");
	*ret = is_all ? NULL : agent ? agent : agent_default_id(gw_config(call->gw), call->arena);
	return CH_OK;
}

/* -- usage.cost -- */

struct cost {
	struct arena *arena;
	const struct usage_range *range;
	struct usage_table days;
	struct usage_sum all;
	int64_t first_at;
};

static bool add_cost(void *arg, const struct usage_row *row)
{
	struct cost *c = arg;
	char date[ZONE_DATE_LEN];

	if (!c->first_at)
		c->first_at = row->at;
	zone_date(&c->range->zone, row->at, date);
	usage_sum_add(&usage_table_at(&c->days, c->arena, date, "")->sum, c->arena, row);
	usage_sum_add(&c->all, c->arena, row);
	return true;
}

static void write_cost(struct jw *w, struct cost *c)
{
	int64_t day = c->range->from_ms ? c->range->from_ms : zone_day_start(&c->range->zone, c->first_at ? c->first_at
												       : now_wall_ms());
	char date[ZONE_DATE_LEN];
	int64_t count = 0;

	jw_obj(w);
	jw_kint(w, "updatedAt", now_wall_ms());
	jw_karr(w, "daily");
	for (; day < c->range->to_ms; day = zone_day_next(&c->range->zone, day), count++) {
		zone_date(&c->range->zone, day, date);
		jw_obj(w);
		jw_kstr(w, "date", date);
		usage_sum_write(w, &usage_table_at(&c->days, c->arena, date, "")->sum);
		jw_end(w);
	}
	jw_end(w);
	jw_kint(w, "days", count);
	jw_kobj(w, "totals");
	usage_sum_write(w, &c->all);
	jw_end(w);
	usage_write_fresh(w);
	jw_end(w);
}

static ch_status run_cost(struct gw_call *call, struct ch_err *err)
{
	struct usage_query q = { 0 };
	struct usage_range range;
	struct cost c = { .arena = call->arena, .range = &range };
	ch_status st = usage_range_parse(call->params, &range, err);

	if (!st)
		st = agent_of(call, NULL, &q.agent_id, err);
	if (st)
		return st;
	q.from_ms = range.from_ms;
	q.to_ms = range.to_ms;
	st = usage_each(call->gw->db, &q, add_cost, &c, err);
	if (!st) {
		write_cost(gw_reply_begin(call), &c);
		gw_reply_end(call);
	}
	usage_table_free(&c.days);
	return st;
}

/* -- usage.status: windows of subscriptions; no provider that is spoken to here tells of one -- */

static ch_status run_status(struct gw_call *call, struct ch_err *err)
{
	struct jw *w = gw_reply_begin(call);

	jw_obj(w);
	jw_kint(w, "updatedAt", now_wall_ms());
	jw_karr(w, "providers");
	jw_end(w);
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

/* -- sessions.usage -- */

static ch_status run_sessions(struct gw_call *call, struct ch_err *err)
{
	const struct json *p = call->params;
	struct usage_report_query q = { .creator = json_get_str(p, "creatorKey") };
	CH_AUTO_DONE(usage_report_free) struct usage_report report = { 0 };
	bool is_family = str_eq(json_get_str(p, "groupBy"), "family") || json_get_bool(p, "includeHistorical", false);
	struct sess_key key;
	ch_status st;

	st = usage_range_parse(p, &q.range, err);
	if (!st)
		st = agent_of(call, json_get_str(p, "key"), &q.agent_id, err);
	if (!st && json_get_str(p, "key")) {
		st = gw_session_key_param(call, &key, err);
		q.session_key = st ? NULL : key.key;
		q.agent_id = NULL;
	}
	if (st)
		return st;
	st = usage_report_make(call->gw, call->arena, &q, &report, err);
	if (st)
		return st;
	usage_report_write(&report, gw_reply_begin(call), (size_t)json_get_int(p, "limit", SESSIONS_DEFAULT), is_family);
	gw_reply_end(call);
	return CH_OK;
}

/* -- of one session -- */

static ch_status find_session(struct gw_call *call, struct sess **ret, struct ch_err *err)
{
	struct sess_key key;
	ch_status st;

	if (str_empty(json_get_str(call->params, "key")))
		return ch_fail(err, CH_E_INVALID, "key is required for %s", strrchr(call->method, '.') + 1);
	st = gw_session_key_param(call, &key, err);
	if (!st && sess_find(call->gw->sessions, key.key, ret, NULL))
		return ch_fail(err, CH_E_INVALID, "Invalid session key: %s", json_get_str(call->params, "key"));
	return st;
}

struct series { VEC(struct usage_row) rows; };

static bool add_point(void *arg, const struct usage_row *row)
{
	struct series *s = arg;

	vec_push(&s->rows, *row);        /* of its texts nothing is used */
	return true;
}

/* At most POINTS_MAX points: neighbours are put together. */
static void write_points(struct jw *w, const struct series *s)
{
	size_t per = (s->rows.len + POINTS_MAX - 1) / POINTS_MAX;
	int64_t tokens = 0;
	double cost = 0;

	jw_karr(w, "points");
	for (size_t i = 0; i < s->rows.len;) {
		struct model_usage u = { 0 };
		int64_t at = 0;
		double spent = 0;

		for (size_t k = 0; k < per && i < s->rows.len; k++, i++) {
			const struct usage_row *row = &s->rows.at[i];

			at = row->at;
			u.input += row->usage.input;
			u.output += row->usage.output;
			u.cache_read += row->usage.cache_read;
			u.cache_write += row->usage.cache_write;
			spent += row->cost.total;
		}
		tokens += usage_tokens(&u);
		cost += spent;
		jw_obj(w);
		jw_kint(w, "timestamp", at);
		jw_kint(w, "input", u.input);
		jw_kint(w, "output", u.output);
		jw_kint(w, "cacheRead", u.cache_read);
		jw_kint(w, "cacheWrite", u.cache_write);
		jw_kint(w, "totalTokens", usage_tokens(&u));
		jw_knum(w, "cost", spent);
		jw_kint(w, "cumulativeTokens", tokens);
		jw_knum(w, "cumulativeCost", cost);
		jw_end(w);
	}
	jw_end(w);
}

static ch_status run_timeseries(struct gw_call *call, struct ch_err *err)
{
	CH_AUTO(sess_unref) struct sess *s = NULL;
	struct usage_query q = { .to_ms = INT64_MAX };
	struct series series = { .rows = VEC_INIT };
	struct jw *w;
	ch_status st = find_session(call, &s, err);

	if (st)
		return st;
	q.session_key = s->key;
	st = usage_each(call->gw->db, &q, add_point, &series, err);
	if (!st) {
		w = gw_reply_begin(call);
		jw_obj(w);
		jw_kstr(w, "sessionId", s->session_id);
		write_points(w, &series);
		jw_end(w);
		gw_reply_end(call);
	}
	vec_done(&series.rows);
	return st;
}

struct logs { struct jw *w; struct arena *arena; };

static bool write_log(void *arg, const struct tr_entry *e)
{
	struct logs *l = arg;
	struct json *m = NULL;
	const char *text;
	int64_t tokens;

	if (!e->message || json_parse(l->arena, e->message, e->message_len, JSON_STRICT, &m, NULL))
		return true;
	if (str_eq(json_get_str(m, "stopReason"), "error"))
		return true;
	jw_obj(l->w);
	jw_kint(l->w, "timestamp", e->created_at);
	jw_kstr(l->w, "role", e->role);
	text = tr_text(l->arena, m, "\n");
	jw_key(l->w, "content");
	jw_strn(l->w, text, utf8_cut(text, strlen(text), LOG_TEXT_MAX));
	tokens = json_get_int(json_get(m, "usage"), "totalTokens", 0);
	if (tokens)
		jw_kint(l->w, "tokens", tokens);
	if (json_get(json_get(json_get(m, "usage"), "cost"), "total"))
		jw_kvalue(l->w, "cost", json_get(json_get(json_get(m, "usage"), "cost"), "total"));
	jw_end(l->w);
	return true;
}

static ch_status run_logs(struct gw_call *call, struct ch_err *err)
{
	CH_AUTO(sess_unref) struct sess *s = NULL;
	CH_AUTO_BUF struct buf text = { 0 };
	struct jw list = JW(&text), *w;
	struct logs l = { .w = &list, .arena = call->arena };
	int64_t limit = json_get_int(call->params, "limit", LOGS_DEFAULT);
	struct tr_range range = { .limit = (size_t)CH_MIN(CH_MAX(limit, 1), LOGS_MAX) };
	ch_status st = find_session(call, &s, err);

	buf_init(&text, 16u << 20);
	if (st)
		return st;
	jw_arr(&list);
	st = tr_read(call->gw->sessions, s->session_id, &range, write_log, &l, err);
	jw_end(&list);
	if (!st)
		st = buf_status(&text, err, "the log");
	if (st)
		return st;
	w = gw_reply_begin(call);
	jw_obj(w);
	jw_kraw(w, "logs", buf_str(&text), text.len);
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

/* -- the table -- */

static const char *const modes[] = { "utc", "gateway", "specific", NULL };
static const char *const ranges[] = { "7d", "30d", "90d", "1y", "all", NULL };
static const char *const scopes[] = { "all", NULL };
static const char *const groups[] = { "instance", "family", NULL };

static const struct gw_param cost_params[] = {
	{ "agentId", GP_STR },
	{ "agentScope", GP_ENUM, .choices = scopes },
	{ "startDate", GP_STR },
	{ "endDate", GP_STR },
	{ "mode", GP_ENUM, .choices = modes },
	{ "range", GP_ENUM, .choices = ranges },
	{ "days", GP_NUM },
	{ "utcOffset", GP_STR },
	{ "timeZone", GP_STR },
	{ 0 },
};

static const struct gw_param session_params[] = {
	{ "key", GP_STR, GP_NON_EMPTY },
	{ "agentId", GP_STR, GP_NON_EMPTY },
	{ "agentScope", GP_ENUM, .choices = scopes },
	{ "creatorKey", GP_STR, GP_NON_EMPTY },
	{ "startDate", GP_STR },
	{ "endDate", GP_STR },
	{ "mode", GP_ENUM, .choices = modes },
	{ "range", GP_ENUM, .choices = ranges },
	{ "groupBy", GP_ENUM, .choices = groups },
	{ "includeHistorical", GP_BOOL },
	{ "utcOffset", GP_STR },
	{ "timeZone", GP_STR, GP_NON_EMPTY },
	{ "limit", GP_INT, .min = 1, .max = INT64_MAX },
	{ "includeContextWeight", GP_BOOL },
	{ 0 },
};

static const struct gw_param one_params[] = {
	{ "key", GP_STR },
	{ "agentId", GP_STR },
	{ "limit", GP_NUM },
	{ 0 },
};

const struct gw_method gwm_usage[] = {
	/* name                        run             scope          flags  params */
	{ "sessions.usage",            run_sessions,   GW_SCOPE_READ, GW_HIDDEN, session_params },
	{ "sessions.usage.logs",       run_logs,       GW_SCOPE_READ, GW_HIDDEN | GW_OPEN_PARAMS, one_params },
	{ "sessions.usage.timeseries", run_timeseries, GW_SCOPE_READ, GW_HIDDEN | GW_OPEN_PARAMS, one_params },
	{ "usage.cost",                run_cost,       GW_SCOPE_READ, GW_OPEN_PARAMS, cost_params },
	{ "usage.status",              run_status,     GW_SCOPE_READ, GW_OPEN_PARAMS, NULL },
};
const size_t gwm_usage_count = CH_ARRAY_LEN(gwm_usage);
