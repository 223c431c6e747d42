/*
 * cli/cmd_config.c - the configuration file; a running gateway notices the change by itself.
 */
#include <stdio.h>
#include <string.h>

#include "channels/access.h"
#include "cli/cli.h"
#include "core/str.h"

static ch_status run_get(struct cli *c, struct ch_err *err)
{
	CH_AUTO(config_unref) struct config *cfg = NULL;
	ch_status st = cli_config(c, &cfg, err);

	if (st)
		return st;
	const char *path = c->arg_count ? c->args[0] : "";
	const struct json *set = path[0] ? config_get(cfg, path) : config_resolved(cfg);
	const struct config_row *row = path[0] ? config_row_find(path) : NULL;
	struct json *shown = NULL;

	if (set && path[0] && config_path_is_secret(path)) {
		shown = json_new_str(c->arena, CONFIG_REDACTED);
	} else if (set) {
		shown = config_redact_at(c->arena, set, path);
	} else if (row && row->def) {
		st = json_parse(c->arena, row->def, strlen(row->def), JSON_STRICT, &shown, err);
		if (st)
			return st;
	}
	if (!shown)
		return ch_fail(err, CH_E_NOT_FOUND, row ? "%s is not set and has no default" : "%s is not set, and no such key is known",
			       path);
	if (!c->json && json_str(shown))
		cli_print("%s\n", cli_safe(c->arena, json_str(shown)));
	else
		cli_print_json(shown);
	return CH_OK;
}

const struct cli_command cli_config_get = {
	.name = "config get",
	.summary = "print a value (secrets are not shown)",
	.args = "[path]",
	.args_max = 1,
	.examples = "  chela config get gateway.port\n  chela config get --json\n",
	.run = run_get,
};

static void say_written(struct cli *c, const char *what, const char *path)
{
	if (c->json) {
		struct json *doc = json_new_obj(c->arena);

		json_set(c->arena, doc, "ok", json_new_bool(c->arena, true));
		json_set(c->arena, doc, "path", json_new_str(c->arena, path));
		json_set(c->arena, doc, "file", json_new_str(c->arena, c->config_path));
		cli_print_json(doc);
	} else {
		cli_print("%s %s in %s\n", what, path, c->config_path);
	}
}

/* A value that was taken and does nothing, or not what was meant: a name that is nearly a key, most of all. */
static void warn_of(struct cli *c, const struct config_store *store, const char *path)
{
	size_t n, len = strlen(path);
	const struct config_issue *issues = config_store_issues(store, &n);

	for (size_t i = 0; i < n; i++)
		if (strncmp(issues[i].path, path, len) == 0 && (!issues[i].path[len] || strchr(".[", issues[i].path[len])))
			fprintf(stderr, "chela: %s: %s\n", cli_safe(c->arena, issues[i].path), cli_safe(c->arena, issues[i].message));
}

static ch_status run_set(struct cli *c, struct ch_err *err)
{
	CH_AUTO(config_store_close) struct config_store *store = NULL;
	struct json *value = NULL;
	struct ch_err parse_err = { 0 };
	ch_status st = json_parse(c->arena, c->args[1], strlen(c->args[1]), JSON_JSON5, &value, &parse_err);

	/* What is not JSON5 is a plain string, unless it was meant to be JSON. */
	if (st && (cli_flag(c, "strict-json") || strchr("{[\"'", c->args[1][0])))
		return ch_fail(err, CH_E_INVALID, "the value is not JSON5: %s", parse_err.text);
	if (st)
		value = json_new_str(c->arena, c->args[1]);
	const struct config_row *row = config_row_find(c->args[0]);

	if (row && (row->type == CFG_STR || row->type == CFG_SECRET || row->type == CFG_ENUM) && !json_str(value) &&
	    !json_is(value, JSON_OBJ) && !json_is(value, JSON_NULL))
		value = json_new_str(c->arena, c->args[1]);
	st = cli_config_store(c, &store, err);
	if (!st)
		st = config_write_set(store, c->args[0], value, NULL, err);
	if (st)
		return st;
	say_written(c, "set", c->args[0]);
	warn_of(c, store, c->args[0]);
	return CH_OK;
}

const struct cli_command cli_config_set = {
	.name = "config set",
	.summary = "set a value, keeping comments and everything else",
	.args = "<path> <value>",
	.args_min = 2,
	.args_max = 2,
	.opts = (const struct cli_opt[]){
		{ "strict-json", 0, NULL, "the value must be JSON5, never a bare word" },
		{ 0 },
	},
	.examples = "  chela config set agents.defaults.model.primary anthropic/claude-opus-5\n"
		    "  chela config set gateway.port 19000\n",
	.run = run_set,
};

static ch_status run_unset(struct cli *c, struct ch_err *err)
{
	CH_AUTO(config_store_close) struct config_store *store = NULL;
	ch_status st = cli_config_store(c, &store, err);

	if (!st)
		st = config_write_unset(store, c->args[0], NULL, err);
	if (!st)
		say_written(c, "removed", c->args[0]);
	return st;
}

const struct cli_command cli_config_unset = {
	.name = "config unset",
	.summary = "remove a value: the default is used again",
	.args = "<path>",
	.args_min = 1,
	.args_max = 1,
	.run = run_unset,
};

static ch_status run_file(struct cli *c, struct ch_err *err)
{
	if (c->json) {
		struct json *doc = json_new_obj(c->arena);

		json_set(c->arena, doc, "path", json_new_str(c->arena, c->config_path));
		cli_print_json(doc);
	} else {
		cli_print("%s\n", c->config_path);
	}
	return CH_OK;
}

const struct cli_command cli_config_file = {
	.name = "config file",
	.summary = "where the configuration is",
	.run = run_file,
};

struct findings { struct cli *c; struct json *list; size_t errors; };

static void note_finding(void *arg, bool is_error, const char *path, const char *message)
{
	struct findings *f = arg;
	struct cli *c = f->c;
	struct json *item = json_new_obj(c->arena);

	f->errors += is_error;
	json_set(c->arena, item, "severity", json_new_str(c->arena, is_error ? "error" : "warning"));
	json_set(c->arena, item, "path", json_new_str(c->arena, path));
	json_set(c->arena, item, "message", json_new_str(c->arena, message));
	json_push(f->list, item);
	if (!c->json)
		cli_print("%s%s%s  %s%s%s\n", cli_on(c, is_error ? CLI_RED : CLI_YELLOW), is_error ? "error" : "warning", cli_off(c),
			  cli_safe(c->arena, path), path[0] ? ": " : "", cli_safe(c->arena, message));
}

static ch_status run_validate(struct cli *c, struct ch_err *err)
{
	CH_AUTO(config_store_close) struct config_store *store = NULL;
	struct findings f = { .c = c, .list = json_new_arr(c->arena) };
	struct json *doc = json_new_obj(c->arena);
	size_t n;
	ch_status st = cli_config_store(c, &store, err);

	if (st)
		return st;
	const struct config_issue *issues = config_store_issues(store, &n);

	for (size_t i = 0; i < n; i++)
		note_finding(&f, issues[i].severity == CONFIG_ERROR, issues[i].path, issues[i].message);
	if (!config_store_degraded(store))
		chan_check_config(config_store_current(store), note_finding, &f);
	c->exit_code = f.errors ? 1 : 0;
	json_set(c->arena, doc, "valid", json_new_bool(c->arena, !f.errors));
	json_set(c->arena, doc, "path", json_new_str(c->arena, c->config_path));
	json_set(c->arena, doc, "issues", f.list);
	if (c->json)
		cli_print_json(doc);
	else if (!json_len(f.list))
		cli_print("%s is valid\n", c->config_path);
	return CH_OK;
}

const struct cli_command cli_config_validate = {
	.name = "config validate",
	.summary = "check the file: errors and unknown keys",
	.run = run_validate,
};
