/*
 * cli/cmd_usage.c - the bill: by day, agent, session, model or reason; and how far the budgets are used.
 */
#include "cli/rpc.h"
#include "core/clock.h"
#include "core/str.h"
#include "core/zone.h"

#define SESSIONS_MAX 1000

enum by { BY_DAY, BY_AGENT, BY_SESSION, BY_MODEL, BY_REASON };
static const char *const by_names[] = { "day", "agent", "session", "model", "reason" };

static ch_status parse_by(struct cli *c, enum by *ret, struct ch_err *err)
{
	const char *text = cli_opt(c, "by");

	*ret = BY_DAY;
	for (size_t i = 0; text && i < CH_ARRAY_LEN(by_names); i++) {
		if (!str_eq(text, by_names[i]))
			continue;
		*ret = (enum by)i;
		return CH_OK;
	}
	return text ? ch_fail(err, CH_E_INVALID, "--by is day, agent, session, model or reason, not '%.40s'", text) : CH_OK;
}

static ch_status ask(struct cli *c, struct json **ret, struct ch_err *err)
{
	struct json *params = json_new_obj(c->arena);
	const struct zone here = { .kind = ZONE_LOCAL };
	char date[ZONE_DATE_LEN];
	int64_t days, today;
	ch_status st = cli_opt_int(c, "days", 30, 1, 36600, &days, err);

	if (st)
		return st;
	json_set(c->arena, params, "mode", json_new_str(c->arena, "gateway"));
	json_set(c->arena, params, "limit", json_new_int(c->arena, SESSIONS_MAX));
	today = zone_day_start(&here, now_wall_ms());
	zone_date(&here, today, date);
	json_set(c->arena, params, "endDate", json_new_str(c->arena, date));
	zone_date(&here, zone_day_shift(&here, today, 1 - (int)days), date);
	json_set(c->arena, params, "startDate", json_new_str(c->arena, date));
	if (cli_opt(c, "agent"))
		json_set(c->arena, params, "agentId", json_new_str(c->arena, cli_opt(c, "agent")));
	else
		json_set(c->arena, params, "agentScope", json_new_str(c->arena, "all"));
	return rpc_once(c, "read", "sessions.usage", json_to_str(c->arena, params), ret, err);
}

/* -- for people -- */

/* What has no price is no part of the sum: "≥ $1.2345 (3 without a price)"; without any sum "unknown". */
static const char *money(struct cli *c, const struct json *totals)
{
	double cost = json_num_or(json_get(totals, "totalCost"), 0);
	int64_t missing = json_get_int(totals, "missingCostEntries", 0);

	if (!missing)
		return arena_printf(c->arena, "$%.4f", cost);
	if (cost <= 0)
		return arena_printf(c->arena, "unknown (%lld without a price)", (long long)missing);
	return arena_printf(c->arena, "$%.4f + %lld without a price", cost, (long long)missing);
}

static const char *count(struct cli *c, const struct json *totals, const char *name)
{
	return arena_printf(c->arena, "%lld", (long long)json_get_int(totals, name, 0));
}

static void add_line(struct cli *c, struct cli_table *t, const char *name, const struct json *totals)
{
	cli_table_row(t, (const char *const[]){
		cli_safe(c->arena, name), count(c, totals, "input"), count(c, totals, "output"), count(c, totals, "cacheRead"),
		count(c, totals, "cacheWrite"), money(c, totals) });
}

static void add_sessions(struct cli *c, struct cli_table *t, const struct json *doc)
{
	json_each(s, json_get(doc, "sessions")) {
		const struct json *usage = json_get(s, "usage");

		if (json_get_int(usage, "totalTokens", 0))
			add_line(c, t, json_get_str(s, "key"), usage);
	}
}

static void add_lines(struct cli *c, struct cli_table *t, enum by by, const struct json *doc)
{
	const struct json *all = json_get(doc, "aggregates");
	static const struct { const char *list, *name; } rows[] = {
		[BY_DAY] = { "costDaily", "date" }, [BY_AGENT] = { "byAgent", "agentId" },
		[BY_MODEL] = { "byModel", NULL }, [BY_REASON] = { "byReason", "reason" },
	};

	if (by == BY_SESSION) {
		add_sessions(c, t, doc);
		return;
	}
	json_each(v, json_get(all, rows[by].list)) {
		const char *name = rows[by].name ? json_get_str(v, rows[by].name)
			: arena_printf(c->arena, "%s/%s", json_str_or(json_get(v, "provider"), "?"),
				       json_str_or(json_get(v, "model"), "?"));

		add_line(c, t, name, by == BY_DAY ? v : json_get(v, "totals"));
	}
}

static void print_budgets(struct cli *c, const struct json *list)
{
	struct cli_table *t = cli_table_new(c->arena, (const char *const[]){ "BUDGET", "OF", "SPENT", "LIMIT", "" }, 5);

	if (!json_len(list))
		return;
	json_each(b, list) {
		bool is_usd = str_eq(json_get_str(b, "unit"), "usd");
		int64_t unpriced = json_get_int(b, "unpricedRequests", 0);
		double spent = json_num_or(json_get(b, "spent"), 0), limit = json_num_or(json_get(b, "limit"), 0);
		char gone[48], most[48];

		snprintf(gone, sizeof(gone), is_usd ? "$%.4f" : "%.0f tokens", spent);
		snprintf(most, sizeof(most), is_usd ? "$%.2f" : "%.0f tokens", limit);
		cli_table_row(t, (const char *const[]){
			json_get_str(b, "path"), json_get_str(b, "of"), gone, most,
			unpriced ? arena_printf(c->arena, "%lld requests without a price are not in it", (long long)unpriced) : "" });
	}
	cli_print("\n");
	cli_table_print(c, t);
}

static CH_FIBER ch_status run_usage(struct cli *c, struct ch_err *err)
{
	struct cli_table *t;
	struct json *doc;
	char heading[16];
	enum by by;
	ch_status st = parse_by(c, &by, err);

	if (!st)
		st = ask(c, &doc, err);
	if (st)
		return st;
	if (c->json) {
		cli_print_json(doc);
		return CH_OK;
	}
	snprintf(heading, sizeof(heading), "%s", by_names[by]);
	for (char *p = heading; *p; p++)
		*p = (char)(*p >= 'a' && *p <= 'z' ? *p - 32 : *p);
	t = cli_table_new(c->arena, (const char *const[]){ heading, "INPUT", "OUTPUT", "CACHE READ", "CACHE WRITE", "COST" }, 6);
	add_lines(c, t, by, doc);
	add_line(c, t, "total", json_get(doc, "totals"));
	cli_print("%s to %s\n", json_get_str(doc, "startDate"), json_get_str(doc, "endDate"));
	cli_table_print(c, t);
	print_budgets(c, json_get(doc, "budgets"));
	return CH_OK;
}

const struct cli_command cli_usage = {
	.name = "usage",
	.summary = "what the models cost, and how far the budgets are used",
	.opts = (const struct cli_opt[]){
		{ "by", 0, "<what>", "day (default), agent, session, model, reason" },
		{ "days", 'd', "<count>", "the last so many days (default 30)" },
		{ "agent", 0, "<id>", "of this agent (default: all)" },
		{ 0 },
	},
	.examples = "  chela usage --by model --days 7\n"
		    "  chela config set budgets.perDayUsd 5\n",
	.run = run_usage,
};
