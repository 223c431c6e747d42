/*
 * cli/cmd_models_set.c - which model is used: the default, its fallbacks, aliases. Writes the configuration, comments
 * are kept; a running gateway notices by itself.
 */
#include <string.h>

#include "cli/models_cli.h"
#include "config/path.h"
#include "core/str.h"

/* -- what the commands share -- */

void cli_models_done(struct cli_models *x)
{
	models_free(x->models);
	db_close(x->db);
	config_store_close(x->store);
}

static struct config *current(void *arg)
{
	return config_store_current(arg);
}

ch_status cli_models_begin(struct cli *c, bool with_db, struct cli_models *ret, struct ch_err *err)
{
	struct models_opts mo = { .config = current };
	ch_status st = cli_config_store(c, &ret->store, err);

	if (!st && with_db)
		st = cli_state_db(c, &ret->db, NULL, err);
	if (st)
		return st;
	ret->config = config_store_current(ret->store);
	mo.arg = ret->store;
	mo.db = ret->db;
	ret->models = models_new(&mo);
	return CH_OK;
}

/* What a person wrote, as a reference: an alias is followed. */
static ch_status canonical(struct cli *c, struct cli_models *x, const char *name, const char **ret, struct ch_err *err)
{
	struct model_entry e;
	ch_status st = model_resolve(x->models, name, NULL, c->arena, &e, NULL, err);

	/* A role that the owner gives is not bound by modelPolicy. */
	if (st && st != CH_E_DENIED)
		return st;
	*ret = e.auth_profile ? arena_printf(c->arena, "%s@%s", e.ref, e.auth_profile) : e.ref;
	return CH_OK;
}

static void say(struct cli *c, const char *path, const struct json *value, const char *text)
{
	struct json *doc;

	if (!c->json) {
		cli_print("%s\n", cli_safe(c->arena, text));
		return;
	}
	doc = json_new_obj(c->arena);
	json_set(c->arena, doc, "ok", json_new_bool(c->arena, true));
	json_set(c->arena, doc, "path", json_new_str(c->arena, path));
	json_set(c->arena, doc, "value", value ? json_clone(c->arena, value) : json_new_null(c->arena));
	cli_print_json(doc);
}

/* -- the default and the image model -- */

/* A string stays one; of an object only `primary` changes. */
static ch_status write_primary(struct cli *c, struct cli_models *x, const char *path, const char *ref, struct ch_err *err)
{
	bool is_object = json_is(config_get(x->config, path), JSON_OBJ);
	struct json *value = json_new_str(c->arena, ref);

	return config_write_set(x->store, is_object ? arena_printf(c->arena, "%s.primary", path) : path, value, NULL, err);
}

static ch_status set_model(struct cli *c, const char *path, const char *what, struct ch_err *err)
{
	AUTO_CLI_MODELS x = { 0 };
	const char *ref;
	ch_status st = cli_models_begin(c, false, &x, err);

	if (!st)
		st = canonical(c, &x, c->args[0], &ref, err);
	if (!st)
		st = write_primary(c, &x, path, ref, err);
	if (!st)
		say(c, path, json_new_str(c->arena, ref), arena_printf(c->arena, "%s: %s", what, ref));
	return st;
}

static ch_status run_set(struct cli *c, struct ch_err *err)
{
	return set_model(c, "agents.defaults.model", "default model", err);
}

static ch_status run_set_image(struct cli *c, struct ch_err *err)
{
	return set_model(c, "agents.defaults.imageModel", "model for pictures", err);
}

const struct cli_command cli_models_set = {
	.name = "models set",
	.summary = "use this model unless an agent or a session says otherwise",
	.args = "<model>",
	.args_min = 1,
	.args_max = 1,
	.run = run_set,
};

const struct cli_command cli_models_set_image = {
	.name = "models set-image",
	.summary = "use this model for pictures when the default one reads text only",
	.args = "<model>",
	.args_min = 1,
	.args_max = 1,
	.run = run_set_image,
};

/* -- fallbacks -- */

#define MODEL "agents.defaults.model"

static struct json *fallbacks_of(struct cli *c, const struct cli_models *x)
{
	const struct json *list = json_get(config_get(x->config, MODEL), "fallbacks");

	return json_is(list, JSON_ARR) ? json_clone(c->arena, list) : json_new_arr(c->arena);
}

/* A default that is a string becomes an object with it as `primary`. */
static ch_status write_fallbacks(struct cli *c, struct cli_models *x, struct json *list, struct ch_err *err)
{
	const struct json *model = config_get(x->config, MODEL);
	struct json *both = json_new_obj(c->arena);

	if (!json_str(model))
		return config_write_set(x->store, MODEL ".fallbacks", list, NULL, err);
	json_set(c->arena, both, "primary", json_clone(c->arena, model));
	json_set(c->arena, both, "fallbacks", list);
	return config_write_set(x->store, MODEL, both, NULL, err);
}

/* Do two names mean the same model? One that is not known any more only equals itself. */
static bool is_same(struct cli *c, struct cli_models *x, const char *a, const char *ref)
{
	const char *other;

	if (str_eq(a, ref))
		return true;
	return !canonical(c, x, a, &other, NULL) && str_eq(other, ref);
}

static void show_fallbacks(struct cli *c, const struct json *list)
{
	if (c->json || !json_len(list)) {
		say(c, MODEL ".fallbacks", list, "no fallbacks: the default model stands alone");
		return;
	}
	json_each(v, list)
		cli_print("%s\n", cli_safe(c->arena, json_str_or(v, "?")));
}

static ch_status run_fallbacks_list(struct cli *c, struct ch_err *err)
{
	AUTO_CLI_MODELS x = { 0 };
	ch_status st = cli_models_begin(c, false, &x, err);

	if (!st)
		show_fallbacks(c, fallbacks_of(c, &x));
	return st;
}

static ch_status run_fallbacks_add(struct cli *c, struct ch_err *err)
{
	AUTO_CLI_MODELS x = { 0 };
	struct json *list;
	const char *ref;
	ch_status st = cli_models_begin(c, false, &x, err);

	if (!st)
		st = canonical(c, &x, c->args[0], &ref, err);
	if (st)
		return st;
	list = fallbacks_of(c, &x);
	json_each(v, list) {
		if (json_str(v) && is_same(c, &x, json_str(v), ref)) {
			show_fallbacks(c, list);
			return CH_OK;
		}
	}
	json_push(list, json_new_str(c->arena, ref));
	st = write_fallbacks(c, &x, list, err);
	if (!st)
		show_fallbacks(c, list);
	return st;
}

static ch_status run_fallbacks_remove(struct cli *c, struct ch_err *err)
{
	AUTO_CLI_MODELS x = { 0 };
	struct json *list, *kept = json_new_arr(c->arena);
	const char *ref = c->args[0];
	ch_status st = cli_models_begin(c, false, &x, err);

	if (st)
		return st;
	/* One that cannot be resolved any more goes by the name it was given. */
	(void)!canonical(c, &x, c->args[0], &ref, NULL);
	list = fallbacks_of(c, &x);
	json_each(v, list) {
		if (!json_str(v) || (!str_eq(json_str(v), c->args[0]) && !is_same(c, &x, json_str(v), ref)))
			json_push(kept, json_clone(c->arena, v));
	}
	if (json_len(kept) == json_len(list))
		return ch_fail(err, CH_E_NOT_FOUND, "%.100s is not among the fallbacks", c->args[0]);
	st = write_fallbacks(c, &x, kept, err);
	if (!st)
		show_fallbacks(c, kept);
	return st;
}

static ch_status run_fallbacks_clear(struct cli *c, struct ch_err *err)
{
	AUTO_CLI_MODELS x = { 0 };
	struct json *none = json_new_arr(c->arena);
	ch_status st = cli_models_begin(c, false, &x, err);

	if (!st)
		st = write_fallbacks(c, &x, none, err);
	if (!st)
		show_fallbacks(c, none);
	return st;
}

const struct cli_command cli_models_fallbacks_list = {
	.name = "models fallbacks list",
	.summary = "the models that are asked when the default one fails",
	.run = run_fallbacks_list,
};

const struct cli_command cli_models_fallbacks_add = {
	.name = "models fallbacks add",
	.summary = "ask this model too, after those already listed",
	.args = "<model>",
	.args_min = 1,
	.args_max = 1,
	.run = run_fallbacks_add,
};

const struct cli_command cli_models_fallbacks_remove = {
	.name = "models fallbacks remove",
	.summary = "do not ask this model any more",
	.args = "<model>",
	.args_min = 1,
	.args_max = 1,
	.run = run_fallbacks_remove,
};

const struct cli_command cli_models_fallbacks_clear = {
	.name = "models fallbacks clear",
	.summary = "ask no other model when the default one fails",
	.run = run_fallbacks_clear,
};

/* -- aliases: agents.defaults.models["provider/model"].alias -- */

static const char *alias_path(struct cli *c, const char *ref)
{
	return config_path_join(c->arena, config_path_join(c->arena, "agents.defaults.models", ref), "alias");
}

static ch_status run_aliases_list(struct cli *c, struct ch_err *err)
{
	AUTO_CLI_MODELS x = { 0 };
	struct json *all = json_new_obj(c->arena);
	struct cli_table *t;
	ch_status st = cli_models_begin(c, false, &x, err);

	if (st)
		return st;
	t = cli_table_new(c->arena, (const char *const[]){ "ALIAS", "MODEL" }, 2);
	json_each(v, config_get(x.config, "agents.defaults.models")) {
		const char *alias = json_get_str(v, "alias");

		if (str_empty(alias))
			continue;
		json_set(c->arena, all, alias, json_new_str(c->arena, v->key));
		cli_table_row(t, (const char *const[]){ alias, v->key });
	}
	if (c->json)
		cli_print_json(all);
	else if (json_len(all))
		cli_table_print(c, t);
	else
		cli_print("no aliases: chela models aliases add <alias> <model>\n");
	return CH_OK;
}

/* The model that has the alias, as the configuration writes it, on the arena (a write ends the snapshot); NULL: none. */
static const char *owner_of(struct cli *c, const struct cli_models *x, const char *alias)
{
	json_each(v, config_get(x->config, "agents.defaults.models")) {
		if (str_ieq(json_get_str(v, "alias"), alias))
			return arena_strdup(c->arena, v->key);
	}
	return NULL;
}

static ch_status run_aliases_add(struct cli *c, struct ch_err *err)
{
	AUTO_CLI_MODELS x = { 0 };
	const char *alias = c->args[0], *ref, *owner;
	struct json *value = json_new_str(c->arena, alias);
	ch_status st;

	if (str_empty(alias) || strpbrk(alias, "/@ \t\r\n"))
		return ch_fail(err, CH_E_INVALID, "an alias is one word without '/' and '@'");
	st = cli_models_begin(c, false, &x, err);
	if (!st)
		st = canonical(c, &x, c->args[1], &ref, err);
	if (st)
		return st;
	owner = owner_of(c, &x, alias);
	if (owner && !str_eq(owner, ref))
		st = config_write_unset(x.store, alias_path(c, owner), NULL, err);
	if (!st)
		st = config_write_set(x.store, alias_path(c, ref), value, NULL, err);
	if (!st)
		say(c, alias_path(c, ref), value, arena_printf(c->arena, "%s: %s", alias, ref));
	return st;
}

static ch_status run_aliases_remove(struct cli *c, struct ch_err *err)
{
	AUTO_CLI_MODELS x = { 0 };
	const char *owner;
	ch_status st = cli_models_begin(c, false, &x, err);

	if (st)
		return st;
	owner = owner_of(c, &x, c->args[0]);
	if (!owner)
		return ch_fail(err, CH_E_NOT_FOUND, "there is no alias '%.60s'", c->args[0]);
	st = config_write_unset(x.store, alias_path(c, owner), NULL, err);
	if (!st)
		say(c, alias_path(c, owner), NULL, arena_printf(c->arena, "%s is no alias any more", c->args[0]));
	return st;
}

const struct cli_command cli_models_aliases_list = {
	.name = "models aliases list",
	.summary = "short names of models",
	.run = run_aliases_list,
};

const struct cli_command cli_models_aliases_add = {
	.name = "models aliases add",
	.summary = "give a model a short name",
	.args = "<alias> <model>",
	.args_min = 2,
	.args_max = 2,
	.run = run_aliases_add,
};

const struct cli_command cli_models_aliases_remove = {
	.name = "models aliases remove",
	.summary = "forget a short name",
	.args = "<alias>",
	.args_min = 1,
	.args_max = 1,
	.run = run_aliases_remove,
};
