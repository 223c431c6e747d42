/*
 * cli/cli.c - from argv to one command's fiber, and from its status to an exit code.
 *
 * Options may stand anywhere after the command's words; "--name=value" and
 * "--name value" are the same; "--" ends them.
 */
#include "cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/fiber.h"
#include "core/file.h"
#include "core/str.h"
#include "store/db.h"

static const struct cli_opt common_opts[] = {
	{ "json", 0, NULL, "one JSON document on stdout" },
	{ "timeout", 0, "<ms>", "give up after this long (default 10000)" },
	{ "help", 'h', NULL, "this text" },
	{ 0 },
};

static size_t word_count(const struct cli_command *cmd)
{
	size_t n = 1;

	for (const char *p = cmd->name; *p; p++)
		n += *p == ' ';
	return n;
}

/* Does the command line start with this command's words? */
static bool matches(const struct cli_command *cmd, int argc, char **argv)
{
	const char *at = cmd->name;
	size_t words = word_count(cmd);

	if (argc < 0 || (size_t)argc < words)
		return false;
	for (size_t i = 0; i < words; i++) {
		size_t len = strcspn(at, " ");

		if (strlen(argv[i]) != len || memcmp(argv[i], at, len) != 0)
			return false;
		at += len + (at[len] == ' ');
	}
	return true;
}

static const struct cli_command *find_command(int argc, char **argv)
{
	size_t n;
	const struct cli_command *const *all = cli_commands(&n);

	const struct cli_command *best = NULL;

	/* "models auth order set" goes before "models auth order", should both be there. */
	for (size_t i = 0; i < n; i++) {
		if (matches(all[i], argc, argv) && (!best || word_count(all[i]) > word_count(best)))
			best = all[i];
	}
	return best;
}

/* -- help -- */

static void print_opts(const struct cli_opt *opts)
{
	for (const struct cli_opt *o = opts; o && o->name; o++) {
		char left[64];
		int n = snprintf(left, sizeof(left), "--%s%s%s", o->name, o->value ? " " : "",
				 o->value ? o->value : "");

		if (o->letter && n > 0 && (size_t)n < sizeof(left))
			snprintf(left + n, sizeof(left) - (size_t)n, ", -%c", o->letter);
		printf("  %-26s %s\n", left, o->help);
	}
}

/* "channels status" belongs to the families "channels" and no other; "models auth order set" to three. */
static bool is_of(const struct cli_command *cmd, const char *family)
{
	size_t len = strlen(family);

	return strncmp(cmd->name, family, len) == 0 && cmd->name[len] == ' ';
}

static bool is_family(const char *words)
{
	size_t n;
	const struct cli_command *const *all = cli_commands(&n);

	for (size_t i = 0; i < n; i++)
		if (is_of(all[i], words))
			return true;
	return false;
}

/* family NULL: the commands of one word. */
static void print_commands(const char *family)
{
	size_t n, width = 0;
	const struct cli_command *const *all = cli_commands(&n);

	for (int pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < n; i++) {
			if (family ? !is_of(all[i], family) : word_count(all[i]) > 1)
				continue;
			if (pass)
				printf("  %-*s  %s\n", (int)width, all[i]->name, all[i]->summary);
			width = CH_MAX(width, strlen(all[i]->name));
		}
}

/* "  models        status, list, set, …": a line per family, its second words once each. */
static void print_families(void)
{
	size_t n;
	const struct cli_command *const *all = cli_commands(&n);
	const char *first = "", *second = "";
	size_t first_len = 0, second_len = 0;

	for (size_t i = 0; i < n; i++) {
		const char *space = strchr(all[i]->name, ' '), *word = space ? space + 1 : NULL;
		size_t len = word ? strcspn(word, " ") : 0;

		if (!word)
			continue;
		if (first_len != (size_t)(space - all[i]->name) || memcmp(first, all[i]->name, first_len) != 0) {
			first = all[i]->name;
			first_len = (size_t)(space - first);
			printf("%s  %-12.*s  %.*s", *second ? "\n" : "", (int)first_len, first, (int)len, word);
		} else if (len != second_len || memcmp(second, word, len) != 0) {
			printf(", %.*s", (int)len, word);
		}
		second = word;
		second_len = len;
	}
	printf("\n");
}

static void print_command_help(const struct cli_command *cmd)
{
	printf("%s\n\nUsage: chela %s%s%s [options]\n\nOptions:\n", cmd->summary, cmd->name, cmd->args ? " " : "",
	       cmd->args ? cmd->args : "");
	print_opts(cmd->opts);
	print_opts(common_opts);
	if (cmd->examples)
		printf("\nExamples:\n%s", cmd->examples);
	if (is_family(cmd->name)) {
		printf("\nMore:\n");
		print_commands(cmd->name);
	}
}

static void print_help(const char *family)
{
	if (family) {
		printf("Usage: chela %s <command> [options]\n\nCommands:\n", family);
		print_commands(family);
		return;
	}
	printf("chela %s - your own AI gateway\n\nUsage: chela <command> [options]\n\nCommands:\n", CHELA_VERSION);
	print_commands(NULL);
	printf("\nFamilies (more about one: chela channels --help):\n");
	print_families();
	printf("\nGlobal:\n  --version          print the version\n  --help             this text; also after a command or a family\n"
		       "\nExamples:\n  chela gateway run          start the gateway\n"
		       "  chela dashboard            print the page's URL\n"
		       "  chela agent -m \"hello\"     one turn, answer on stdout\n"
		       "\nState lives in ~/.chela (CHELA_STATE_DIR), its configuration in chela.json there (CHELA_CONFIG_PATH).\n");
}

/* -- options -- */

/* The slot of an option: the row's own first, the common ones after them. */
static const struct cli_opt *find_opt(const struct cli_command *cmd, const char *name, size_t name_len, char letter,
				      size_t *ret_slot)
{
	size_t slot = 0;

	for (int pass = 0; pass < 2; pass++) {
		for (const struct cli_opt *o = pass ? common_opts : cmd->opts; o && o->name; o++, slot++) {
			bool hit = name ? strlen(o->name) == name_len && memcmp(o->name, name, name_len) == 0
					: letter && o->letter == letter;

			if (hit) {
				*ret_slot = slot;
				return o;
			}
		}
	}
	return NULL;
}

const char *cli_opt(const struct cli *c, const char *name)
{
	size_t slot;

	if (!find_opt(c->command, name, strlen(name), 0, &slot) || slot >= CLI_OPTS_MAX)
		return NULL;
	return c->opt_values[slot];
}

bool cli_flag(const struct cli *c, const char *name)
{
	return cli_opt(c, name) != NULL;
}

ch_status cli_opt_not_blank(struct cli *c, const char *name, struct ch_err *err)
{
	const char *value = cli_opt(c, name);

	return value && !*str_trim(c->arena, value) ? ch_fail(err, CH_E_INVALID, "--%s must not be blank", name) : CH_OK;
}

size_t cli_opt_all(const struct cli *c, const char *name, const char **ret, size_t cap)
{
	size_t slot, n = 0;

	if (!find_opt(c->command, name, strlen(name), 0, &slot))
		return 0;
	for (size_t i = 0; i < c->given_count && n < cap; i++)
		if (c->given[i].slot == slot)
			ret[n++] = c->given[i].value;
	return n;
}

ch_status cli_opt_int(const struct cli *c, const char *name, int64_t def, int64_t min, int64_t max, int64_t *ret,
		      struct ch_err *err)
{
	const char *text = cli_opt(c, name);
	int64_t v = def;

	if (text && (!str_to_i64(text, &v) || v < min || v > max))
		return ch_fail(err, CH_E_INVALID, "--%s takes a whole number from %lld to %lld", name, (long long)min,
			       (long long)max);
	*ret = v;
	return CH_OK;
}

static ch_status give(struct cli *c, size_t slot, const char *value, struct ch_err *err)
{
	if (c->given_count == CLI_ARGS_MAX)
		return ch_fail(err, CH_E_INVALID, "too many options");
	c->opt_values[slot] = value;
	c->given[c->given_count].slot = slot;
	c->given[c->given_count++].value = value;
	return CH_OK;
}

static ch_status parse_one(struct cli *c, int argc, char **argv, int *i, struct ch_err *err)
{
	const char *word = argv[*i];
	bool is_long = word[1] == '-';
	const char *name = is_long ? word + 2 : NULL;
	const char *eq = is_long ? strchr(name, '=') : NULL;
	size_t len = name ? (eq ? (size_t)(eq - name) : strlen(name)) : 0;
	size_t slot;
	const struct cli_opt *o = find_opt(c->command, name, len, is_long ? 0 : word[1], &slot);

	if (!o || (!is_long && word[2]))
		return ch_fail(err, CH_E_INVALID, "unknown option '%s' (see: chela %s --help)", word, c->command->name);
	CH_BUG_ON(slot >= CLI_OPTS_MAX);
	if (!o->value) {
		if (eq)
			return ch_fail(err, CH_E_INVALID, "--%s takes no value", o->name);
		c->opt_values[slot] = "";
		return CH_OK;
	}
	if (eq) {
		return give(c, slot, eq + 1, err);
	}
	if (*i + 1 >= argc)
		return ch_fail(err, CH_E_INVALID, "--%s needs a value %s", o->name, o->value);
	return give(c, slot, argv[++*i], err);
}

static ch_status parse_args(struct cli *c, int argc, char **argv, struct ch_err *err)
{
	bool ended = false;

	for (int i = (int)word_count(c->command); i < argc; i++) {
		if (!ended && str_eq(argv[i], "--")) {
			ended = true;
		} else if (!ended && argv[i][0] == '-' && argv[i][1]) {
			ch_status st = parse_one(c, argc, argv, &i, err);

			if (st)
				return st;
		} else if (c->arg_count < CLI_ARGS_MAX) {
			c->args[c->arg_count++] = argv[i];
		} else {
			return ch_fail(err, CH_E_LIMIT, "more than %d arguments", CLI_ARGS_MAX);
		}
	}
	if (cli_flag(c, "help"))
		return CH_OK;
	if (c->arg_count < c->command->args_min)
		return ch_fail(err, CH_E_INVALID, "usage: chela %s %s", c->command->name, c->command->args);
	if (c->arg_count > c->command->args_max)
		return ch_fail(err, CH_E_INVALID, "unexpected argument '%s' (see: chela %s --help)",
			       c->args[c->command->args_max], c->command->name);
	return cli_opt_int(c, "timeout", CLI_TIMEOUT_MS, 1, 86400000, &c->timeout_ms, err);
}

/* -- paths -- */

static const char *absolute(struct arena *a, const char *path)
{
	char cwd[2048];

	if (path[0] == '/' || !getcwd(cwd, sizeof(cwd)))
		return arena_strdup(a, path);
	return arena_printf(a, "%s/%s", cwd, path);
}

static ch_status find_paths(struct cli *c, struct ch_err *err)
{
	const char *state = getenv("CHELA_STATE_DIR");
	const char *config = getenv("CHELA_CONFIG_PATH");
	const char *home = getenv("HOME");

	if (str_empty(state)) {
		if (str_empty(home))
			return ch_fail(err, CH_E_INVALID, "neither CHELA_STATE_DIR nor HOME is set: where should chela keep its state?");
		c->state_dir = absolute(c->arena, arena_printf(c->arena, "%s/.chela", home));
	} else {
		c->state_dir = absolute(c->arena, state);
	}
	c->config_path = str_empty(config) ? arena_printf(c->arena, "%s/chela.json", c->state_dir)
					   : absolute(c->arena, config);
	return CH_OK;
}

ch_status cli_config(struct cli *c, struct config **ret, struct ch_err *err)
{
	CH_AUTO(config_unref) struct config *cfg = NULL;
	CH_AUTO_BUF struct buf text = { 0 };
	const char *slash = strrchr(c->config_path, '/');
	const char *dir = arena_strndup(c->arena, c->config_path, (size_t)(slash - c->config_path));
	size_t n;
	ch_status st = file_read(c->config_path, CONFIG_FILE_MAX, &text, err);

	if (st == CH_E_NOT_FOUND)
		st = config_parse("{}", 2, NULL, &cfg, err);
	else if (!st)
		st = config_parse(buf_str(&text), text.len, dir, &cfg, err);
	if (st)
		return ch_wrap(err, "%s", c->config_path);
	const struct config_issue *issues = config_issues(cfg, &n);

	for (size_t i = 0; i < n; i++)
		if (issues[i].severity == CONFIG_ERROR)
			return ch_fail(err, CH_E_INVALID, "%s: %s%s%s (see: chela config validate)", c->config_path,
				       issues[i].path, issues[i].path[0] ? ": " : "", issues[i].message);
	*ret = CH_TAKE(cfg);
	return CH_OK;
}

ch_status cli_config_store(struct cli *c, struct config_store **ret, struct ch_err *err)
{
	struct config_store_opts opts = { .path = c->config_path, .state_dir = c->state_dir, .passive = true };

	return config_store_open(c->loop, &opts, ret, err);
}

ch_status cli_state_db(struct cli *c, struct db **ret, bool *ret_is_beside, struct ch_err *err)
{
	const char *path = arena_printf(c->arena, "%s/chela.sqlite", c->state_dir);
	ch_status st = db_open(path, DB_CREATE | DB_LOCK, ret, err);
	bool is_beside = st == CH_E_BUSY;

	if (is_beside)
		st = db_open(path, DB_BESIDE, ret, err);
	if (ret_is_beside)
		*ret_is_beside = is_beside;
	return st;
}

/* -- running -- */

struct job {
	struct cli *c;
	ch_status st;
	struct ch_err err;
};

static void run_command(void *arg)
{
	struct job *job = arg;

	job->st = job->c->command->run(job->c, &job->err);
	loop_stop(job->c->loop);
}

static int report(const struct cli *c, ch_status st, const struct ch_err *err)
{
	fflush(stdout);
	if (st == CH_OK)
		return c->exit_code;
	fprintf(stderr, "chela: %s\n", cli_safe(c->arena, err->text));
	if (c->json) {
		struct json *doc = json_new_obj(c->arena);
		struct json *error = json_new_obj(c->arena);

		json_set(c->arena, error, "type", json_new_str(c->arena, "cli_error"));
		json_set(c->arena, error, "message", json_new_str(c->arena, err->text));
		json_set(c->arena, doc, "ok", json_new_bool(c->arena, false));
		json_set(c->arena, doc, "error", error);
		cli_print_json(doc);
		fflush(stdout);
	}
	return c->exit_code ? c->exit_code : 1;
}

static int run(struct cli *c, int argc, char **argv)
{
	struct job job = { .c = c };
	ch_status st = parse_args(c, argc, argv, &job.err);

	c->json = cli_flag(c, "json");
	c->color = !c->json && isatty(STDOUT_FILENO) && str_empty(getenv("NO_COLOR"));
	if (!st && cli_flag(c, "help")) {
		print_command_help(c->command);
		return 0;
	}
	if (!st)
		st = find_paths(c, &job.err);
	if (!st) {
		c->loop = loop_new();
		fiber_spawn(c->loop, c->command->name, FIBER_DETACHED, run_command, &job);
		loop_run(c->loop);
		st = job.st;
	}
	int code = report(c, st, &job.err);

	if (c->loop)
		loop_free(c->loop);
	return code;
}

static int unknown_word(const char *word)
{
	size_t n;
	const struct cli_command *const *all = cli_commands(&n);
	const char *names[128];

	for (size_t i = 0; i < CH_MIN(n, CH_ARRAY_LEN(names)); i++)
		names[i] = all[i]->name;
	const char *near = str_nearest(word, names, CH_MIN(n, CH_ARRAY_LEN(names)));

	fprintf(stderr, "chela: no command '%s'%s%s%s (see: chela --help)\n", word, near ? "; did you mean '" : "",
		near ? near : "", near ? "'?" : "");
	return 1;
}

/* No such command: the list of the longest family that the words name, or the nearest name. */
static int unknown(struct arena *a, int argc, char **argv)
{
	const char *family = argv[0];
	bool asked;
	int i = 1;

	if (!is_family(family))
		return unknown_word(family);
	while (i < argc && is_family(arena_printf(a, "%s %s", family, argv[i])))
		family = arena_printf(a, "%s %s", family, argv[i++]);
	asked = i >= argc || str_eq(argv[i], "--help") || str_eq(argv[i], "-h");
	if (!asked)
		fprintf(stderr, "chela: '%s' has no command '%s'\n", family, argv[i]);
	print_help(family);
	return asked ? 0 : 1;
}

int cli_main(int argc, char **argv)
{
	CH_AUTO(arena_unref) struct arena *arena = arena_new(0);
	struct cli c = { .arena = arena };

	if (argc < 2 || str_eq(argv[1], "--help") || str_eq(argv[1], "-h") || str_eq(argv[1], "help")) {
		print_help(NULL);
		return argc < 2 ? 1 : 0;
	}
	if (str_eq(argv[1], "--version") || str_eq(argv[1], "-V")) {
		printf("chela %s\n", CHELA_VERSION);
		return 0;
	}
	c.command = find_command(argc - 1, argv + 1);
	return c.command ? run(&c, argc - 1, argv + 1) : unknown(arena, argc - 1, argv + 1);
}
