/*
 * cli/cmd_approvals.c - what waits for a yes, from a terminal: looking, answering, watching.
 *
 * What a person is asked is always shown whole; a table's column is not enough to say yes to.
 */
#include <string.h>

#include "cli/approval.h"
#include "cli/models_auth.h"
#include "core/clock.h"
#include "core/fiber.h"
#include "core/str.h"

#define COLUMN 48                        /* bytes of a command in the table */

/* -- finding -- */

/* All that waits, oldest first: commands, then others. */
static CH_FIBER ch_status pending(struct cli *c, struct rpc *r, struct json **ret, struct ch_err *err)
{
	static const char *const methods[] = { "exec.approval.list", "plugin.approval.list" };
	struct json *all = json_new_arr(c->arena);

	for (size_t i = 0; i < CH_ARRAY_LEN(methods); i++) {
		struct json *list;
		ch_status st = rpc_call(r, methods[i], NULL, &list, err);

		if (st)
			return st;
		json_each(item, list)
			json_push(all, json_clone(c->arena, item));
	}
	*ret = all;
	return CH_OK;
}

/* The approval that the argument means: all of an id, or the beginning of one that waits. */
static CH_FIBER ch_status meant(struct cli *c, const struct json **ret, struct ch_err *err)
{
	CH_AUTO(rpc_close) struct rpc *r = NULL;
	struct json *list = NULL;
	const char *id = c->args[0], *found = NULL;
	size_t count = 0;
	ch_status st = rpc_open(c, "approvals", NULL, &r, err);

	if (!st)
		st = pending(c, r, &list, err);
	if (st)
		return st;
	json_each(item, list) {
		const char *name = json_str_or(json_get(item, "id"), "");

		if (str_eq(name, id))
			return cli_approval_get(c, id, ret, err);
		if (str_starts(name, id)) {
			found = name;
			count++;
		}
	}
	if (count > 1)
		return ch_fail(err, CH_E_INVALID, "%zu that wait begin with '%.80s': give more of the id", count, id);
	return cli_approval_get(c, found ? found : id, ret, err);
}

/* -- list, show, history -- */

static const char *summary(const struct json *item)
{
	const char *text = json_get_str(json_get(item, "request"), "command");

	return text ? text : json_str_or(json_path(item, "request.title"), "");
}

static const char *cut(struct arena *a, const char *text)
{
	size_t n = strcspn(text, "\n"), keep = utf8_cut(text, n, COLUMN);

	return arena_printf(a, "%.*s%s", (int)keep, text, keep < strlen(text) ? "…" : "");
}

static const char *minutes_left(struct arena *a, const struct json *item)
{
	int64_t left_ms = json_get_int(item, "expiresAtMs", 0) - now_wall_ms();

	return arena_printf(a, "%lld min", (long long)CH_MAX(left_ms / 60000, 0));
}

static CH_FIBER ch_status show_each(struct cli *c, const struct json *list, struct ch_err *err)
{
	json_each(item, list) {
		const struct json *approval;
		ch_status st = cli_approval_get(c, json_str_or(json_get(item, "id"), ""), &approval, err);

		if (st)
			return st;
		cli_print("\n%s\n", cli_safe(c->arena, json_str_or(json_get(approval, "id"), "")));
		cli_approval_print(c, approval);
	}
	return CH_OK;
}

static CH_FIBER ch_status run_list(struct cli *c, struct ch_err *err)
{
	CH_AUTO(rpc_close) struct rpc *r = NULL;
	struct cli_table *t;
	struct json *list = NULL;
	ch_status st = rpc_open(c, "approvals", NULL, &r, err);

	if (!st)
		st = pending(c, r, &list, err);
	if (st)
		return st;
	if (c->json) {
		struct json *doc = json_new_obj(c->arena);

		json_set(c->arena, doc, "approvals", list);
		cli_print_json(doc);
		return CH_OK;
	}
	if (!json_len(list)) {
		cli_print("nothing waits for an answer\n");
		return CH_OK;
	}
	t = cli_table_new(c->arena, (const char *const[]){ "ID", "KIND", "SESSION", "ASKED", "LEFT", "WHAT" }, 6);
	json_each(item, list)
		cli_table_row(t, (const char *const[]){
			json_get_str(item, "id"), json_get_str(item, "approvalKind"),
			json_str_or(json_path(item, "request.sessionKey"), "-"), cli_ago(c->arena, json_get_int(item, "createdAtMs", 0)),
			minutes_left(c->arena, item), cut(c->arena, summary(item)) });
	cli_table_print(c, t);
	return show_each(c, list, err);
}

const struct cli_command cli_approvals_list = {
	.name = "approvals list",
	.summary = "what waits for your answer, in full",
	.run = run_list,
};

static CH_FIBER ch_status run_show(struct cli *c, struct ch_err *err)
{
	const struct json *approval;
	ch_status st = meant(c, &approval, err);

	if (st)
		return st;
	if (c->json) {
		cli_print_json(approval);
		return CH_OK;
	}
	cli_print("%s: %s%s%s\n", cli_safe(c->arena, json_str_or(json_get(approval, "id"), "")),
		  cli_safe(c->arena, json_str_or(json_get(approval, "status"), "")),
		  json_get_str(approval, "decision") ? ", " : "", cli_safe(c->arena, json_str_or(json_get(approval, "decision"), "")));
	cli_approval_print(c, approval);
	return CH_OK;
}

const struct cli_command cli_approvals_show = {
	.name = "approvals show",
	.summary = "one of them, also one that has ended",
	.args = "<id>",
	.args_min = 1,
	.args_max = 1,
	.run = run_show,
};

/* Ids of devices are long, and the first letters tell them apart. */
static const char *who(struct cli *c, const struct json *item)
{
	const char *kind = json_str_or(json_path(item, "resolver.kind"), "-"), *id = json_str_or(json_path(item, "resolver.id"), "");

	if (!*id)
		return kind;
	return str_eq(kind, "device") ? arena_printf(c->arena, "device %.12s", cli_safe(c->arena, id)) : cli_safe(c->arena, id);
}

static CH_FIBER ch_status run_history(struct cli *c, struct ch_err *err)
{
	struct json *params = json_new_obj(c->arena), *page;
	struct cli_table *t;
	int64_t limit = 0;
	ch_status st = cli_opt_int(c, "limit", 20, 1, 100, &limit, err);

	if (st)
		return st;
	json_set(c->arena, params, "limit", json_new_int(c->arena, limit));
	st = rpc_once(c, "approvals", "approval.history", json_to_str(c->arena, params), &page, err);
	if (st)
		return st;
	if (c->json) {
		cli_print_json(page);
		return CH_OK;
	}
	t = cli_table_new(c->arena, (const char *const[]){ "ID", "ENDED", "HOW", "BY", "WHAT" }, 5);
	json_each(item, json_get(page, "items")) {
		const struct json *p = json_get(item, "presentation");
		const char *what = json_get_str(p, "commandText");

		cli_table_row(t, (const char *const[]){
			json_get_str(item, "id"), cli_ago(c->arena, json_get_int(item, "resolvedAtMs", 0)),
			json_str_or(json_get(item, "decision"), json_str_or(json_get(item, "status"), "")),
			who(c, item),
			cut(c->arena, what ? what : json_str_or(json_get(p, "title"), "")) });
	}
	if (json_len(json_get(page, "items")))
		cli_table_print(c, t);
	else
		cli_print("nothing was asked yet\n");
	return CH_OK;
}

const struct cli_command cli_approvals_history = {
	.name = "approvals history",
	.summary = "what was answered, newest first",
	.opts = (const struct cli_opt[]){ { "limit", 'n', "<count>", "at most so many (default 20)" }, { 0 } },
	.run = run_history,
};

/* -- allow, deny -- */

static CH_FIBER ch_status answer(struct cli *c, const char *decision, int64_t days, struct ch_err *err)
{
	const struct json *approval;
	struct json *reply;
	ch_status st = meant(c, &approval, err);

	if (!st)
		st = cli_approval_resolve(c, approval, decision, days, &reply, err);
	if (st)
		return st;
	if (c->json)
		cli_print_json(reply);
	else
		cli_print("%s: %s%s\n", decision, cli_safe(c->arena, json_str_or(json_get(approval, "id"), "")),
			  json_get_bool(reply, "applied", false) ? "" : " (it was before)");
	return CH_OK;
}

static CH_FIBER ch_status run_allow(struct cli *c, struct ch_err *err)
{
	int64_t days = 0;
	ch_status st = CH_OK;

	if (cli_opt(c, "expires-in-days"))
		st = cli_opt_int(c, "expires-in-days", 0, 1, 3650, &days, err);
	if (st)
		return st;
	if (days && !cli_flag(c, "always"))
		return ch_fail(err, CH_E_INVALID, "--expires-in-days goes with --always");
	return answer(c, cli_flag(c, "always") ? "allow-always" : "allow-once", days, err);
}

const struct cli_command cli_approvals_allow = {
	.name = "approvals allow",
	.summary = "say yes to one of them",
	.args = "<id>",
	.args_min = 1,
	.args_max = 1,
	.opts = (const struct cli_opt[]){
		{ "always", 0, NULL, "and do not ask again for this command" },
		{ "expires-in-days", 0, "<days>", "how long --always holds (default tools.exec.grantExpiryDays)" },
		{ 0 },
	},
	.examples = "  chela approvals allow 3f2a\n  chela approvals allow 3f2a --always --expires-in-days 30\n",
	.run = run_allow,
};

static CH_FIBER ch_status run_deny(struct cli *c, struct ch_err *err)
{
	return answer(c, "deny", 0, err);
}

const struct cli_command cli_approvals_deny = {
	.name = "approvals deny",
	.summary = "say no to one of them",
	.args = "<id>",
	.args_min = 1,
	.args_max = 1,
	.run = run_deny,
};

/* -- watch -- */

/* Not when it has ended meanwhile. */
static CH_FIBER ch_status prompt_for(struct cli *c, const char *id, struct ch_err *err)
{
	const struct json *approval;
	ch_status st = cli_approval_get(c, id, &approval, err);

	if (st || !str_eq(json_get_str(approval, "status"), "pending"))
		return st;
	return cli_approval_prompt(c, approval, err);
}

static CH_FIBER ch_status take_event(struct cli *c, const struct json *frame, struct ch_err *err)
{
	const char *event = json_str_or(json_get(frame, "event"), "");
	const char *id = json_str_or(json_path(frame, "payload.id"), "");

	if (str_ends(event, ".approval.requested"))
		return prompt_for(c, arena_strdup(c->arena, id), err);
	if (str_ends(event, ".approval.resolved") && !cli_approval_can_ask())
		cli_note("%s: %s\n", cli_safe(c->arena, id),
			 cli_safe(c->arena, json_str_or(json_path(frame, "payload.terminalStatus"),
							json_str_or(json_path(frame, "payload.decision"), "over"))));
	return CH_OK;
}

static CH_FIBER ch_status run_watch(struct cli *c, struct ch_err *err)
{
	CH_AUTO(rpc_close) struct rpc *r = NULL;
	struct json *list = NULL;
	ch_status st = rpc_open(c, "approvals", "approvals,exec-approvals,plugin-approvals", &r, err);

	if (!st)
		st = pending(c, r, &list, err);
	if (st)
		return st;
	cli_note("Watching %s; Ctrl+C ends\n", rpc_url(r));
	json_each(item, list) {
		st = prompt_for(c, json_str_or(json_get(item, "id"), ""), err);
		if (st)
			return st;
	}
	while (!st) {
		struct json *frame;

		/* For ever: until Ctrl+C, or the gateway is gone. */
		st = rpc_event(r, FIBER_FOREVER, &frame, err);
		if (!st)
			st = take_event(c, frame, err);
	}
	return st;
}

const struct cli_command cli_approvals_watch = {
	.name = "approvals watch",
	.summary = "wait here and answer what comes",
	.run = run_watch,
};
