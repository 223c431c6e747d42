/*
 * cli/cmd_secrets.c - the gateway's own secret store: list, set, get, rm; and reading all credentials anew.
 *
 * Works on the rows themselves, with and without a running gateway; one that runs is told to read them. A value comes
 * in by a prompt that does not show it, a pipe or a file, never by argv (but for kind "env", which is no secret).
 */
#include <string.h>
#include <unistd.h>

#include "cli/models_auth.h"
#include "cli/rpc.h"
#include "core/file.h"
#include "core/mem.h"
#include "core/str.h"
#include "secrets/store.h"

#define EXIT_REFUSED 2                   /* secrets get: it is a secret */
#define EXIT_MISSING 3                   /* and: there is no such name */

struct work {
	struct db *db;
	struct secret_store *store;
	bool is_beside;                  /* a gateway runs */
};

static void work_done(struct work *w)
{
	secret_store_free(w->store);
	db_close(w->db);
}
#define AUTO_WORK CH_AUTO_DONE(work_done) struct work

static ch_status work_open(struct cli *c, struct work *w, struct ch_err *err)
{
	ch_status st = cli_state_db(c, &w->db, &w->is_beside, err);

	return st ? st : secret_store_open(w->db, c->state_dir, &w->store, err);
}

/* A gateway that runs takes the change up where its configuration refers to it. */
static CH_FIBER const char *tell_gateway(struct cli *c, const struct work *w, bool is_removed)
{
	struct json *answer = NULL;
	struct ch_err err = { 0 };

	if (!w->is_beside)
		return is_removed ? "no gateway runs that has it" : "used when the gateway starts";
	if (!rpc_once(c, "admin", "secrets.reload", NULL, &answer, &err))
		return is_removed ? "the gateway has forgotten it, too" : "the gateway uses it from now on";
	return arena_printf(c->arena, "the gateway could not read its credentials anew: %s", err.text);
}

static void print_done(struct cli *c, const char *what, const char *name, const char *note)
{
	struct json *doc;

	if (!c->json) {
		cli_print("%s %s; %s\n", what, name, note);
		return;
	}
	doc = json_new_obj(c->arena);
	json_set(c->arena, doc, "ok", json_new_bool(c->arena, true));
	json_set(c->arena, doc, "name", json_new_str(c->arena, name));
	json_set(c->arena, doc, "note", json_new_str(c->arena, note));
	cli_print_json(doc);
}

/* ---- list ---- */

struct listing { struct cli *c; struct json *list; struct cli_table *table; };

static bool list_entry(void *arg, const struct secret_entry *e)
{
	struct listing *l = arg;
	struct arena *a = l->c->arena;
	struct json *v = json_new_obj(a), *hosts = json_new_arr(a);
	CH_AUTO_BUF struct buf names = { 0 };

	buf_init(&names, 64u << 10);
	json_set(a, v, "name", json_new_str(a, e->name));
	json_set(a, v, "kind", json_new_str(a, e->kind));
	for (const char *const *h = e->allowed_hosts; h && *h; h++) {
		json_push(hosts, json_new_str(a, *h));
		buf_printf(&names, "%s%s", names.len ? ", " : "", *h);
	}
	json_set(a, v, "allowedHosts", hosts);
	json_set(a, v, "updatedAtMs", json_new_int(a, e->updated_at));
	if (e->value)
		json_set(a, v, "value", json_new_str(a, e->value));
	json_push(l->list, v);
	cli_table_row(l->table, (const char *const[]){ arena_strdup(a, e->name), arena_strdup(a, e->kind),
						       e->value ? cli_safe(a, e->value) : "(sealed)",
						       names.len ? arena_strdup(a, buf_str(&names)) : "-",
						       cli_ago(a, e->updated_at) });
	return true;
}

static CH_FIBER ch_status run_list(struct cli *c, struct ch_err *err)
{
	static const char *const headings[] = { "NAME", "KIND", "VALUE", "HOSTS", "CHANGED" };
	AUTO_WORK w = { 0 };
	struct listing l = { c, json_new_arr(c->arena), cli_table_new(c->arena, headings, CH_ARRAY_LEN(headings)) };
	struct json *doc = json_new_obj(c->arena);
	ch_status st = work_open(c, &w, err);

	if (!st)
		st = secret_store_list(w.store, list_entry, &l, err);
	if (st)
		return st;
	json_set(c->arena, doc, "entries", l.list);
	if (c->json)
		cli_print_json(doc);
	else if (json_len(l.list))
		cli_table_print(c, l.table);
	else
		cli_print("nothing is stored: chela secrets set STRIPE_API_KEY\n");
	return CH_OK;
}

/* ---- set ---- */

/* All of a pipe, without the newline at its end. */
static CH_FIBER ch_status read_pipe(struct cli *c, struct secret **ret, struct ch_err *err)
{
	CH_AUTO_BUF struct buf all = { 0 };
	ch_status st;

	buf_init(&all, SECRET_VALUE_MAX + 2);
	for (;;) {
		char *line = NULL;

		st = cli_read_line(c, &line, err);
		if (st)
			break;
		if (all.len)
			buf_putc(&all, '\n');
		buf_puts(&all, line);
		ch_free_wipe(line, strlen(line));
	}
	if (st == CH_E_EOF)
		st = buf_status(&all, err, "the value");
	if (!st)
		*ret = secret_new(buf_str(&all));
	if (all.data)
		explicit_bzero(all.data, all.len);
	return st;
}

static ch_status read_value_file(const char *path, struct secret **ret, struct ch_err *err)
{
	CH_AUTO_BUF struct buf text = { 0 };
	ch_status st = file_read(path, SECRET_VALUE_MAX, &text, err);

	if (st)
		return st;
	if (strlen(buf_str(&text)) != text.len)
		st = ch_fail(err, CH_E_INVALID, "%s holds a NUL byte", path);
	else
		*ret = secret_new(buf_str(&text));
	explicit_bzero(text.data, text.len);
	return st;
}

static CH_FIBER ch_status read_value(struct cli *c, const char *name, const char *kind, struct secret **ret, struct ch_err *err)
{
	const char *given = cli_opt(c, "value"), *file = cli_opt(c, "value-file");

	if (given && !str_eq(kind, "env"))
		return ch_fail(err, CH_E_INVALID, "--value is for --kind env: what stands on a command line is seen by others. "
			       "Pipe the secret in, or give --value-file");
	if (given) {
		*ret = secret_new(given);
		return CH_OK;
	}
	if (file && !str_eq(file, "-"))
		return read_value_file(file, ret, err);
	if (!file && isatty(STDIN_FILENO))
		return cli_read_secret(c, arena_printf(c->arena, "%s (not shown)", name), ret, err);
	return read_pipe(c, ret, err);
}

static const char *const *given_hosts(struct cli *c)
{
	const char *text = cli_opt(c, "allow-host");
	const char **out;
	size_t n = 0;
	char *at, *rest = NULL;

	if (cli_flag(c, "clear-allowed-hosts"))
		return arena_alloc(c->arena, sizeof(char *));
	if (!text)
		return NULL;
	out = arena_alloc(c->arena, (strlen(text) + 2) * sizeof(*out));
	for (at = strtok_r(arena_strdup(c->arena, text), ", ", &rest); at; at = strtok_r(NULL, ", ", &rest))
		out[n++] = at;
	out[n] = NULL;
	return out;
}

static CH_FIBER ch_status run_set(struct cli *c, struct ch_err *err)
{
	CH_AUTO(secret_unref) struct secret *value = NULL;
	AUTO_WORK w = { 0 };
	const char *name = c->args[0], *kind = cli_opt(c, "kind");
	const char *const *hosts = given_hosts(c);
	bool is_policy_only = hosts && !cli_opt(c, "value") && !cli_opt(c, "value-file") && isatty(STDIN_FILENO);
	ch_status st = CH_OK;

	if (kind && !str_in(kind, (const char *const[]){ "secret", "env" }, 2))
		return ch_fail(err, CH_E_INVALID, "--kind '%.20s' is neither secret nor env", kind);
	if (!kind)
		kind = secret_kind_of(name);
	if (!secret_name_is_valid(name))
		return ch_fail(err, CH_E_INVALID, "'%.40s' is no name of a secret: capital letters, digits and _, as STRIPE_API_KEY",
			       name);
	if (!is_policy_only)
		st = read_value(c, name, kind, &value, err);
	if (!st)
		st = work_open(c, &w, err);          /* late: the lock is not held while a person thinks */
	if (!st)
		st = secret_store_set(w.store, name, kind, secret_reveal(value), hosts, "command line", err);
	if (st)
		return st;
	print_done(c, "stored", name, tell_gateway(c, &w, false));
	return CH_OK;
}

/* ---- get, rm, reload ---- */

struct wanted { const char *name; struct cli *c; const char *kind, *value; };

static bool find_entry(void *arg, const struct secret_entry *e)
{
	struct wanted *x = arg;

	if (!str_eq(e->name, x->name))
		return true;
	x->kind = arena_strdup(x->c->arena, e->kind);
	x->value = e->value ? arena_strdup(x->c->arena, e->value) : NULL;
	return false;
}

static CH_FIBER ch_status run_get(struct cli *c, struct ch_err *err)
{
	AUTO_WORK w = { 0 };
	struct wanted x = { .name = c->args[0], .c = c };
	ch_status st = work_open(c, &w, err);

	if (!st)
		st = secret_store_list(w.store, find_entry, &x, err);
	if (st)
		return st;
	if (!x.kind) {
		c->exit_code = EXIT_MISSING;
		return ch_fail(err, CH_E_NOT_FOUND, "there is no stored value %s (chela secrets list)", x.name);
	}
	if (!x.value) {
		c->exit_code = EXIT_REFUSED;
		return ch_fail(err, CH_E_DENIED, "%s is a secret: it is used, not shown", x.name);
	}
	if (c->json)
		cli_print_json(json_new_str(c->arena, x.value));
	else
		cli_print("%s\n", x.value);
	return CH_OK;
}

static CH_FIBER ch_status run_rm(struct cli *c, struct ch_err *err)
{
	AUTO_WORK w = { 0 };
	const char *note = NULL;
	size_t removed = 0;
	ch_status st = work_open(c, &w, err);

	while (!st && removed < c->arg_count && !(st = secret_store_remove(w.store, c->args[removed], err)))
		removed++;
	/* Those before a name that there is not are gone. */
	if (removed)
		note = tell_gateway(c, &w, true);
	for (size_t i = 0; i < removed; i++)
		print_done(c, "removed", c->args[i], note);
	return st;
}

static CH_FIBER ch_status run_reload(struct cli *c, struct ch_err *err)
{
	struct json *answer = NULL;
	ch_status st = rpc_once(c, "admin", "secrets.reload", NULL, &answer, err);

	if (st)
		return st;
	if (c->json)
		cli_print_json(answer);
	else
		cli_print("the gateway has read its credentials anew\n");
	return CH_OK;
}

static const struct cli_opt set_opts[] = {
	{ "kind", 0, "<secret|env>", "what it is (default: by the name's ending, as _API_KEY or _TOKEN)" },
	{ "value", 0, "<text>", "the value, for --kind env only" },
	{ "value-file", 0, "<path>", "the value is this file's text; - is standard input" },
	{ "allow-host", 0, "<host,…>", "may be sent to these hosts only" },
	{ "clear-allowed-hosts", 0, NULL, "no longer bound to hosts" },
	{ 0 },
};

/* `secrets store <verb>` is the same by the reference's name. */
#define ROWS(prefix, var)                                                                                                  \
	const struct cli_command cli_##var##_list = {                                                                      \
		.name = prefix " list", .summary = "names, kinds and hosts of what is stored; no secret is shown", .run = run_list, \
	};                                                                                                                 \
	const struct cli_command cli_##var##_set = {                                                                       \
		.name = prefix " set", .summary = "keep a value, read from a prompt, a pipe or a file", .args = "<NAME>",  \
		.args_min = 1, .args_max = 1, .opts = set_opts,                                                            \
		.examples = "  chela secrets set STRIPE_API_KEY --allow-host api.stripe.com\n"                             \
			    "  printf '%s' \"$KEY\" | chela secrets set OPENAI_API_KEY\n"                                   \
			    "  chela secrets set LOG_LEVEL --value debug\n",                                               \
		.run = run_set,                                                                                            \
	};                                                                                                                 \
	const struct cli_command cli_##var##_get = {                                                                       \
		.name = prefix " get", .summary = "a value of kind env; secrets are not shown", .args = "<NAME>",          \
		.args_min = 1, .args_max = 1, .run = run_get,                                                              \
	};                                                                                                                 \
	const struct cli_command cli_##var##_rm = {                                                                        \
		.name = prefix " rm", .summary = "forget a value", .args = "<NAME>...", .args_min = 1,                     \
		.args_max = CLI_ARGS_MAX, .run = run_rm,                                                                   \
	}
ROWS("secrets", secrets);
ROWS("secrets store", secrets_store);

const struct cli_command cli_secrets_reload = {
	.name = "secrets reload",
	.summary = "the running gateway reads every credential anew",
	.run = run_reload,
};
