/*
 * cli/cmd_audit.c - the trail: who ran what, who approved it, who changed the settings.
 *
 * The gateway keeps it in three places (activity, approvals, changes of the configuration); here they are one list by time.
 */
#include <stdlib.h>
#include <string.h>

#include "cli/rpc.h"
#include "core/clock.h"
#include "core/str.h"
#include "core/vec.h"

#define AUDIT_LIMIT_MAX 500
#define AUDIT_CHANGES_MAX 200

struct line { int64_t at; const char *kind, *what, *status, *who, *where; };
struct trail { struct cli *c; int64_t after; VEC(struct line) lines; };

static const char *text_of(const struct trail *t, const struct json *o, const char *key)
{
	return cli_safe(t->c->arena, json_str_or(json_get(o, key), "-"));
}

static void add(struct trail *t, struct line l)
{
	if (l.at > t->after)
		vec_push(&t->lines, l);
}

/* -- the three -- */

static void put(struct cli *c, struct json *params, const char *key, const char *value)
{
	if (value)
		json_set(c->arena, params, key, json_new_str(c->arena, value));
}

static CH_FIBER ch_status add_activity(struct trail *t, struct rpc *r, int64_t limit, struct ch_err *err)
{
	struct cli *c = t->c;
	struct json *params = json_new_obj(c->arena), *reply;
	ch_status st;

	json_set(c->arena, params, "limit", json_new_int(c->arena, limit));
	put(c, params, "sessionKey", cli_opt(c, "session"));
	put(c, params, "agentId", cli_opt(c, "agent"));
	if (t->after)
		json_set(c->arena, params, "after", json_new_int(c->arena, t->after));
	st = rpc_call(r, "audit.activity.list", json_to_str(c->arena, params), &reply, err);
	if (st)
		return st;
	json_each(ev, json_get(reply, "events")) {
		bool is_tool = str_eq(json_get_str(ev, "kind"), "tool_action");

		add(t, (struct line){ json_get_int(ev, "occurredAt", 0), is_tool ? "tool" : "run",
				      text_of(t, ev, is_tool ? "toolName" : "runId"), text_of(t, ev, "status"),
				      cli_safe(c->arena, json_str_or(json_path(ev, "actor.id"), "-")), text_of(t, ev, "sessionKey") });
	}
	return CH_OK;
}

static const char *approver(struct trail *t, const struct json *item)
{
	const struct json *by = json_get(item, "resolver");
	const char *name = json_get_str(by, "name") ? json_get_str(by, "name") : json_get_str(by, "id");

	return cli_safe(t->c->arena, arena_printf(t->c->arena, "%s%s%s", json_str_or(json_get(by, "kind"), "-"), name ? " " : "",
						  name ? name : ""));
}

static CH_FIBER ch_status add_approvals(struct trail *t, struct rpc *r, struct ch_err *err)
{
	const char *agent = cli_opt(t->c, "agent"), *session = cli_opt(t->c, "session");
	struct json *reply;
	ch_status st = rpc_call(r, "approval.history", "{\"limit\":100}", &reply, err);

	if (st)
		return st;
	json_each(item, json_get(reply, "items")) {
		const struct json *p = json_get(item, "presentation");
		const char *what = json_get_str(p, "commandText") ? json_get_str(p, "commandText") : json_get_str(p, "title");
		const char *where = json_path(item, "source.sessionKey") ? json_str(json_path(item, "source.sessionKey")) :
									   json_get_str(item, "sessionKey");

		if ((agent && !str_eq(agent, json_get_str(p, "agentId"))) || (session && !str_eq(session, where)))
			continue;
		add(t, (struct line){ json_get_int(item, "resolvedAtMs", 0), "approval", cli_safe(t->c->arena, what ? what : "-"),
				      text_of(t, item, json_get(item, "decision") ? "decision" : "status"), approver(t, item),
				      cli_safe(t->c->arena, where ? where : "-") });
	}
	return CH_OK;
}

/* Of all agents and sessions, so not in a list of one. */
static CH_FIBER ch_status add_changes(struct trail *t, struct rpc *r, int64_t limit, struct ch_err *err)
{
	struct json *reply;
	ch_status st;

	if (cli_opt(t->c, "agent") || cli_opt(t->c, "session"))
		return CH_OK;
	st = rpc_call(r, "openclaw.changes.list", arena_printf(t->c->arena, "{\"limit\":%lld}",
							       (long long)CH_MIN(limit, AUDIT_CHANGES_MAX)), &reply, err);
	if (st)
		return st;
	json_each(entry, json_get(reply, "entries"))
		add(t, (struct line){ json_get_int(entry, "at", 0), "config", text_of(t, entry, "summary"), "-", "-", "-" });
	return CH_OK;
}

/* -- shown -- */

static int newest_first(const void *a, const void *b)
{
	const struct line *x = a, *y = b;

	return x->at < y->at ? 1 : x->at > y->at ? -1 : 0;
}

static void print_json(struct trail *t, size_t n)
{
	struct arena *a = t->c->arena;
	struct json *list = json_new_arr(a), *doc = json_new_obj(a);

	for (size_t i = 0; i < n; i++) {
		const struct line *l = &t->lines.at[i];
		struct json *o = json_new_obj(a);

		json_set(a, o, "at", json_new_int(a, l->at));
		put(t->c, o, "kind", l->kind);
		put(t->c, o, "what", l->what);
		put(t->c, o, "status", l->status);
		put(t->c, o, "who", l->who);
		put(t->c, o, "sessionKey", l->where);
		json_push(list, o);
	}
	json_set(a, doc, "entries", list);
	cli_print_json(doc);
}

static void print_lines(struct trail *t, size_t n)
{
	struct cli_table *table = cli_table_new(t->c->arena, (const char *const[]){ "WHEN", "KIND", "WHAT", "HOW", "WHO", "WHERE" }, 6);

	for (size_t i = 0; i < n; i++) {
		const struct line *l = &t->lines.at[i];

		cli_table_row(table, (const char *const[]){ cli_ago(t->c->arena, l->at), l->kind, l->what, l->status, l->who, l->where });
	}
	if (n)
		cli_table_print(t->c, table);
	else
		cli_print("nothing is on record for that\n");
}

static CH_FIBER ch_status gather(struct trail *t, int64_t limit, struct ch_err *err)
{
	CH_AUTO(rpc_close) struct rpc *r = NULL;
	ch_status st = rpc_open(t->c, "read,approvals,admin", NULL, &r, err);

	if (!st)
		st = add_activity(t, r, limit, err);
	if (!st)
		st = add_approvals(t, r, err);
	if (!st)
		st = add_changes(t, r, limit, err);
	return st;
}

/* What was decided of one run's calls. */
static CH_FIBER ch_status inspect(struct cli *c, const char *run, struct ch_err *err)
{
	struct cli_table *t = cli_table_new(c->arena, (const char *const[]){ "WHEN", "WHAT", "OUTCOME", "WHY", "FACTS" }, 5);
	struct json *params = json_new_obj(c->arena), *reply;
	ch_status st;

	put(c, params, "runId", run);
	json_set(c->arena, params, "decisionLimit", json_new_int(c->arena, 100));
	st = rpc_once(c, "read", "audit.run.inspect", json_to_str(c->arena, params), &reply, err);
	if (st)
		return st;
	if (c->json) {
		cli_print_json(reply);
		return CH_OK;
	}
	if (!str_eq(json_str(json_path(reply, "run.status")), "known"))
		return ch_fail(err, CH_E_NOT_FOUND, "nothing is on record of run '%.80s'", run);
	json_each(d, json_get(reply, "decisionDisplays"))
		cli_table_row(t, (const char *const[]){
			cli_ago(c->arena, json_get_int(d, "occurredAt", 0)),
			cli_safe(c->arena, json_str_or(json_path(d, "action.operation"), "-")),
			cli_safe(c->arena, json_str_or(json_path(d, "decision.outcome"), "-")),
			cli_safe(c->arena, json_str_or(json_path(d, "decision.reasonCode"), "-")),
			cli_safe(c->arena, json_str_or(json_path(d, "action.summary"), "-")) });
	if (json_len(json_get(reply, "decisionDisplays")))
		cli_table_print(c, t);
	else
		cli_print("the run made no calls of tools\n");
	return CH_OK;
}

static CH_FIBER ch_status run_audit(struct cli *c, struct ch_err *err)
{
	struct trail t = { .c = c };
	const char *since = cli_opt(c, "since");
	int64_t limit, ago;
	size_t n;
	ch_status st = cli_opt_int(c, "limit", 50, 1, AUDIT_LIMIT_MAX, &limit, err);

	if (st)
		return st;
	if (cli_opt(c, "run"))
		return inspect(c, cli_opt(c, "run"), err);
	if (since && !str_to_duration_ms(since, 1, &ago))
		return ch_fail(err, CH_E_INVALID, "--since '%.40s' is no time as 30m, 2h or 7d", since);
	if (since)
		t.after = CH_MAX(now_wall_ms() - ago, 1);
	st = gather(&t, limit, err);
	if (!st) {
		if (t.lines.len)
			qsort(t.lines.at, t.lines.len, sizeof(*t.lines.at), newest_first);
		n = CH_MIN(t.lines.len, (size_t)limit);
		if (c->json)
			print_json(&t, n);
		else
			print_lines(&t, n);
	}
	vec_done(&t.lines);
	return st;
}

const struct cli_command cli_audit = {
	.name = "audit",
	.summary = "who ran what, who allowed it, what was changed",
	.opts = (const struct cli_opt[]){
		{ "session", 0, "<key>", "of this session" },
		{ "agent", 0, "<id>", "of this agent" },
		{ "run", 0, "<id>", "what was decided of this run's calls" },
		{ "since", 0, "<time>", "not older than this: 30m, 2h, 7d" },
		{ "limit", 'n', "<count>", "at most so many (default 50)" },
		{ 0 },
	},
	.examples = "  chela audit --since 2h\n  chela audit --run <id>\n",
	.run = run_audit,
};
