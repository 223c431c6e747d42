/*
 * cli/cmd_approvals_policy.c - what need not be asked for: the host's approvals document and the standing grants.
 */
#include <string.h>

#include "cli/models_auth.h"
#include "cli/rpc.h"
#include "core/clock.h"
#include "core/file.h"
#include "core/mem.h"
#include "core/str.h"

#define DOCUMENT_MAX (1u << 20)

/* -- the document -- */

static CH_FIBER ch_status run_get(struct cli *c, struct ch_err *err)
{
	struct json *reply;
	ch_status st = rpc_once(c, "admin", "exec.approvals.get", NULL, &reply, err);

	if (st)
		return st;
	if (c->json) {
		cli_print_json(reply);
		return CH_OK;
	}
	json_each(member, json_get(reply, "resolvedDefaults"))
		cli_print("%-16s %s\n", member->key, json_is(member, JSON_BOOL) ? (member->b ? "true" : "false")
									       : cli_safe(c->arena, json_str_or(member, "")));
	cli_print("\n");
	cli_print_json(json_get(reply, "file"));
	return CH_OK;
}

const struct cli_command cli_approvals_get = {
	.name = "approvals get",
	.summary = "which commands this host lets through, and how it asks",
	.run = run_get,
};

static CH_FIBER ch_status read_document(struct cli *c, struct json **ret, struct ch_err *err)
{
	CH_AUTO_BUF struct buf text = { 0 };
	const char *path = cli_opt(c, "file");
	ch_status st = CH_OK;

	buf_init(&text, DOCUMENT_MAX);
	if (path)
		st = file_read(path, DOCUMENT_MAX, &text, err);
	while (!path && !st) {
		CH_AUTO_STR char *line = NULL;

		st = cli_read_line(c, &line, err);
		if (!st)
			buf_printf(&text, "%s\n", line);
	}
	if (st && !(st == CH_E_EOF && !path))
		return st;
	st = buf_status(&text, err, "the document");
	if (!st)
		st = json_parse(c->arena, buf_str(&text), text.len, JSON_JSON5, ret, err);
	return st ? ch_wrap(err, "%s", path ? path : "standard input") : CH_OK;
}

static CH_FIBER ch_status run_set(struct cli *c, struct ch_err *err)
{
	CH_AUTO(rpc_close) struct rpc *r = NULL;
	struct json *params = json_new_obj(c->arena), *file = NULL, *now = NULL, *reply;
	ch_status st = read_document(c, &file, err);

	if (!st)
		st = rpc_open(c, "admin", NULL, &r, err);
	if (!st)
		st = rpc_call(r, "exec.approvals.get", NULL, &now, err);
	if (st)
		return st;
	json_set(c->arena, params, "file", file);
	json_set(c->arena, params, "baseHash", json_new_str(c->arena, json_str_or(json_get(now, "hash"), "")));
	st = rpc_call(r, "exec.approvals.set", json_to_str(c->arena, params), &reply, err);
	if (st)
		return st;
	if (c->json)
		cli_print_json(reply);
	else
		cli_print("saved\n");
	return CH_OK;
}

const struct cli_command cli_approvals_set = {
	.name = "approvals set",
	.summary = "replace that document; JSON5 from a file or standard input",
	.opts = (const struct cli_opt[]){ { "file", 0, "<path>", "read it from here" }, { 0 } },
	.examples = "  chela approvals get --json | jq .file > a.json && $EDITOR a.json && chela approvals set --file a.json\n",
	.run = run_set,
};

/* -- grants -- */

static const char *holds_until(struct cli *c, const struct json *grant)
{
	int64_t until = json_get_int(grant, "expiresAtMs", 0), left_ms = until - now_wall_ms();

	if (json_get_int(grant, "revokedAtMs", 0))
		return "revoked";
	if (!until)
		return "you revoke it";
	return left_ms <= 0 ? "expired" : arena_printf(c->arena, "%lld days", (long long)(left_ms / 86400000));
}

static CH_FIBER ch_status run_grants(struct cli *c, struct ch_err *err)
{
	struct cli_table *t;
	struct json *reply;
	ch_status st = rpc_once(c, "approvals", "exec.approval.grants.list", NULL, &reply, err);

	if (st)
		return st;
	if (c->json) {
		cli_print_json(reply);
		return CH_OK;
	}
	if (!json_len(json_get(reply, "grants"))) {
		cli_print("no standing grants\n");
		return CH_OK;
	}
	t = cli_table_new(c->arena, (const char *const[]){ "GRANT", "AGENT", "COMMAND", "MADE", "LAST USED", "UNTIL" }, 6);
	json_each(g, json_get(reply, "grants")) {
		cli_table_row(t, (const char *const[]){
			json_get_str(g, "grantId"), json_get_str(g, "agentId"), json_get_str(g, "command"),
			cli_ago(c->arena, json_get_int(g, "createdAtMs", 0)), cli_ago(c->arena, json_get_int(g, "lastUsedAtMs", 0)),
			holds_until(c, g) });
	}
	cli_table_print(c, t);
	return CH_OK;
}

const struct cli_command cli_approvals_grants = {
	.name = "approvals grants",
	.summary = "what \"always\" was said to",
	.run = run_grants,
};

static CH_FIBER ch_status run_revoke(struct cli *c, struct ch_err *err)
{
	struct json *params = json_new_obj(c->arena), *reply;
	const char *outcome;
	ch_status st;

	json_set(c->arena, params, "grantId", json_new_str(c->arena, c->args[0]));
	st = rpc_once(c, "approvals", "exec.approval.grants.revoke", json_to_str(c->arena, params), &reply, err);
	if (st)
		return st;
	outcome = json_str_or(json_get(reply, "outcome"), "");
	if (str_eq(outcome, "not-found"))
		return ch_fail(err, CH_E_NOT_FOUND, "there is no grant '%.80s' (chela approvals grants)", c->args[0]);
	if (c->json)
		cli_print_json(reply);
	else
		cli_print("%s: %s\n", cli_safe(c->arena, outcome), cli_safe(c->arena, c->args[0]));
	return CH_OK;
}

const struct cli_command cli_approvals_revoke = {
	.name = "approvals revoke",
	.summary = "take a grant back: the command is asked for again",
	.args = "<grant>",
	.args_min = 1,
	.args_max = 1,
	.run = run_revoke,
};
