/*
 * cli/cmd_agents.c - the agents of this gateway: list, add, set-identity, delete.
 *
 * Adding and changing edits the configuration, with or without a running gateway, which notices. Deleting asks
 * the gateway: an agent's conversations go with it, and none may be under way.
 */
#include "cli/cli.h"

#include "agent/agents_edit.h"
#include "cli/rpc.h"
#include "core/str.h"

/* -- list -- */

static struct json *to_json(struct arena *a, const struct agent_info *i)
{
	const struct { const char *key, *value; } texts[] = {
		{ "id", i->id }, { "name", i->name }, { "emoji", i->emoji }, { "avatar", i->avatar }, { "theme", i->theme },
		{ "workspace", i->workspace }, { "model", i->model_ref },
	};
	struct json *o = json_new_obj(a);

	for (size_t k = 0; k < CH_ARRAY_LEN(texts); k++)
		if (texts[k].value)
			json_set(a, o, texts[k].key, json_new_str(a, texts[k].value));
	json_set(a, o, "isDefault", json_new_bool(a, i->is_default));
	return o;
}

static ch_status run_list(struct cli *c, struct ch_err *err)
{
	CH_AUTO(config_unref) struct config *cfg = NULL;
	const struct agent_info *all;
	struct cli_table *t;
	size_t n;
	ch_status st = cli_config(c, &cfg, err);

	if (st)
		return st;
	n = agents_list(cfg, c->state_dir, c->arena, &all);
	if (c->json) {
		struct json *list = json_new_arr(c->arena);

		for (size_t i = 0; i < n; i++)
			json_push(list, to_json(c->arena, &all[i]));
		cli_print_json(list);
		return CH_OK;
	}
	t = cli_table_new(c->arena, (const char *const[]){ "ID", "NAME", "MODEL", "WORKSPACE" }, 4);
	for (size_t i = 0; i < n; i++)
		cli_table_row(t, (const char *const[]){
			arena_printf(c->arena, "%s%s", all[i].id, all[i].is_default ? " *" : ""),
			arena_printf(c->arena, "%s%s%s", all[i].emoji ? all[i].emoji : "", all[i].emoji ? " " : "",
				     all[i].name ? cli_safe(c->arena, all[i].name) : "-"),
			all[i].model_ref ? cli_safe(c->arena, all[i].model_ref) : "-",
			all[i].workspace ? cli_safe(c->arena, all[i].workspace) : "-" });
	cli_table_print(c, t);
	return CH_OK;
}

const struct cli_command cli_agents_list = {
	.name = "agents list",
	.summary = "list the agents (* is the default one)",
	.run = run_list,
};

/* -- add, set-identity -- */

static struct agent_change change_of(const struct cli *c)
{
	return (struct agent_change){ .name = cli_opt(c, "name"), .workspace = cli_opt(c, "workspace"),
				      .model = cli_opt(c, "model"), .emoji = cli_opt(c, "emoji"),
				      .avatar = cli_opt(c, "avatar"), .theme = cli_opt(c, "theme") };
}

static void say(struct cli *c, const char *what, const struct agent_info *info)
{
	if (c->json) {
		struct json *doc = to_json(c->arena, info);

		json_set(c->arena, doc, "ok", json_new_bool(c->arena, true));
		cli_print_json(doc);
	} else {
		cli_print("%s agent %s%s%s (workspace %s)\n", what, info->id, info->name ? ", called " : "",
			  info->name ? cli_safe(c->arena, info->name) : "", cli_safe(c->arena, info->workspace));
	}
}

static ch_status run_add(struct cli *c, struct ch_err *err)
{
	CH_AUTO(config_store_close) struct config_store *store = NULL;
	struct agent_change change = change_of(c);
	const struct agent_info *made;
	ch_status st = cli_config_store(c, &store, err);

	change.name = c->args[0];
	if (!st)
		st = agent_create(store, c->state_dir, &change, c->arena, &made, err);
	if (!st)
		say(c, "added", made);
	return st;
}

const struct cli_command cli_agents_add = {
	.name = "agents add",
	.summary = "make an agent with a workspace of its own",
	.args = "<name>",
	.args_min = 1,
	.args_max = 1,
	.opts = (const struct cli_opt[]){
		{ "workspace", 0, "<dir>", "its directory (default: a new one in the state directory)" },
		{ "model", 'm', "<ref>", "its model as provider/model" },
		{ "emoji", 0, "<emoji>", "shown beside its name" },
		{ "theme", 0, "<words>", "a few words on its character" },
		{ 0 },
	},
	.examples = "  chela agents add Work --emoji 🔧\n  chela chat --agent work\n",
	.run = run_add,
};

static ch_status run_set_identity(struct cli *c, struct ch_err *err)
{
	CH_AUTO(config_store_close) struct config_store *store = NULL;
	struct agent_change change = change_of(c);
	const char *id;
	ch_status st = cli_config_store(c, &store, err);

	if (st)
		return st;
	if (!change.name && !change.emoji && !change.theme && !change.avatar)
		return ch_fail(err, CH_E_INVALID, "say what to set: --name, --emoji, --theme or --avatar");
	id = c->arg_count ? c->args[0] : agent_default_id(config_store_current(store), c->arena);
	st = agent_update(store, c->state_dir, id, &change, c->arena, err);
	if (!st)
		say(c, "changed", agent_find(config_store_current(store), c->state_dir, c->arena, id));
	return st;
}

const struct cli_command cli_agents_set_identity = {
	.name = "agents set-identity",
	.summary = "say who an agent is: name, emoji, theme, avatar",
	.args = "[id]",
	.args_max = 1,
	.opts = (const struct cli_opt[]){
		{ "name", 0, "<name>", "what it calls itself" },
		{ "emoji", 0, "<emoji>", "shown beside its name" },
		{ "theme", 0, "<words>", "a few words on its character" },
		{ "avatar", 0, "<path-or-url>", "its picture" },
		{ 0 },
	},
	.examples = "  chela agents set-identity main --name Rex --emoji 🦖\n",
	.run = run_set_identity,
};

/* -- delete -- */

static void say_deleted(const struct json *res)
{
	cli_print("deleted agent %s\n", json_get_str(res, "agentId"));
	json_each(r, json_get(res, "removed"))
		if (str_eq(json_get_str(r, "method"), "trash"))
			cli_print("moved %s to the trash in the state directory\n", json_get_str(r, "path"));
	json_each(f, json_get(res, "failed"))
		cli_print("kept %s: %s\n", json_get_str(f, "path"), json_get_str(f, "reason"));
}

static ch_status run_delete(struct cli *c, struct ch_err *err)
{
	struct json *params = json_new_obj(c->arena), *res;
	ch_status st;

	json_set(c->arena, params, "agentId", json_new_str(c->arena, c->args[0]));
	json_set(c->arena, params, "deleteFiles", json_new_bool(c->arena, !cli_flag(c, "keep-files")));
	st = rpc_once(c, "admin", "agents.delete", json_to_str(c->arena, params), &res, err);
	if (st)
		return st;
	if (c->json)
		cli_print_json(res);
	else
		say_deleted(res);
	return CH_OK;
}

const struct cli_command cli_agents_delete = {
	.name = "agents delete",
	.summary = "remove an agent and its conversations; its workspace goes to the trash",
	.args = "<id>",
	.args_min = 1,
	.args_max = 1,
	.opts = (const struct cli_opt[]){
		{ "keep-files", 0, NULL, "leave the workspace where it is" },
		{ 0 },
	},
	.run = run_delete,
};
