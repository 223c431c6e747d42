/*
 * cli/cmd_doctor.c - chela doctor: what stands in the way of a working gateway, and the next step for each thing.
 *
 * It looks and changes nothing. What is on this machine is looked at without a gateway: configuration, state, database,
 * sandbox. The rest is asked of the one that runs: model, networks, what waits for a person. What is bad makes the exit code 1.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/agents.h"
#include "channels/access.h"
#include "cli/rpc.h"
#include "core/file.h"
#include "core/str.h"
#include "exec/sandbox.h"
#include "store/db.h"
#include "store/lock.h"

enum level { LEVEL_OK, LEVEL_NOTE, LEVEL_BAD };

struct doctor {
	struct cli *c;
	struct json *checks;
	size_t notes, bad;
};

/* next: the command that leads on, or NULL. */
static void found(struct doctor *d, enum level level, const char *check, const char *text, const char *next)
{
	static const struct { const char *name; enum cli_style style; } levels[] = {
		[LEVEL_OK] = { "ok", CLI_GREEN }, [LEVEL_NOTE] = { "note", CLI_YELLOW }, [LEVEL_BAD] = { "bad", CLI_RED },
	};
	struct cli *c = d->c;
	struct json *row = json_new_obj(c->arena);

	d->notes += level == LEVEL_NOTE;
	d->bad += level == LEVEL_BAD;
	json_set(c->arena, row, "check", json_new_str(c->arena, check));
	json_set(c->arena, row, "status", json_new_str(c->arena, levels[level].name));
	json_set(c->arena, row, "message", json_new_str(c->arena, text));
	if (next)
		json_set(c->arena, row, "next", json_new_str(c->arena, next));
	json_push(d->checks, row);
	if (c->json)
		return;
	cli_print("%s%-4s%s  %-20s  %s\n", cli_on(c, levels[level].style), levels[level].name, cli_off(c), check,
		  cli_safe(c->arena, text));
	if (next)
		cli_print("%28s%s->%s %s\n", "", cli_on(c, CLI_DIM), cli_off(c), cli_safe(c->arena, next));
}

/* -- this machine -- */

struct issues { struct doctor *d; size_t errors, warnings; const char *first; };

static void count_issue(void *arg, bool is_error, const char *path, const char *text)
{
	struct issues *n = arg;

	if (!n->first || (is_error && !n->errors))
		n->first = arena_printf(n->d->c->arena, "%s%s%s", path, *path ? ": " : "", text);
	n->errors += is_error;
	n->warnings += !is_error;
}

/* *ret NULL: it cannot be used. */
static void check_config(struct doctor *d, struct config **ret)
{
	struct cli *c = d->c;
	struct issues n = { .d = d };
	struct ch_err err = { .text = "" };
	size_t count;

	if (cli_config(c, ret, &err)) {
		found(d, LEVEL_BAD, "configuration", err.text, "chela config validate");
		return;
	}
	const struct config_issue *all = config_issues(*ret, &count);

	for (size_t i = 0; i < count; i++)
		count_issue(&n, all[i].severity == CONFIG_ERROR, all[i].path, all[i].message);
	chan_check_config(*ret, count_issue, &n);
	if (n.first)
		found(d, n.errors ? LEVEL_BAD : LEVEL_NOTE, "configuration",
		      n.errors + n.warnings == 1 ? n.first
						 : arena_printf(c->arena, "%s (and %zu more)", n.first, n.errors + n.warnings - 1),
		      "chela config validate");
	else
		found(d, LEVEL_OK, "configuration",
		      arena_printf(c->arena, file_exists(c->config_path) ? "%s is valid" : "all defaults; %s is not there yet",
				   c->config_path), NULL);
}

static void check_state(struct doctor *d)
{
	struct cli *c = d->c;
	struct stat st;

	if (stat(c->state_dir, &st) != 0)
		found(d, errno == ENOENT ? LEVEL_NOTE : LEVEL_BAD, "state",
		      errno == ENOENT ? arena_printf(c->arena, "%s is not there yet; the first start makes it", c->state_dir)
				      : arena_printf(c->arena, "%s: %s", c->state_dir, strerror(errno)), NULL);
	else if (st.st_uid != geteuid())
		found(d, LEVEL_BAD, "state", arena_printf(c->arena, "%s belongs to user %u, not to you", c->state_dir, (unsigned)st.st_uid),
		      arena_printf(c->arena, "sudo chown -R $(id -u) %s", c->state_dir));
	else if (st.st_mode & 077)
		found(d, LEVEL_BAD, "state", arena_printf(c->arena, "others on this machine may enter %s", c->state_dir),
		      arena_printf(c->arena, "chmod 700 %s", c->state_dir));
	else
		found(d, LEVEL_OK, "state", arena_printf(c->arena, "%s, closed to others", c->state_dir), NULL);
}

static void check_database(struct doctor *d)
{
	CH_AUTO(db_close) struct db *db = NULL;
	const char *path = arena_printf(d->c->arena, "%s/chela.sqlite", d->c->state_dir);
	struct ch_err err = { .text = "" };

	if (!file_exists(path))
		return;
	if (db_open(path, DB_READ_ONLY, &db, &err) || db_check(db, &err))
		found(d, LEVEL_BAD, "database", err.text, NULL);
	else
		found(d, LEVEL_OK, "database", "sound: every page and reference was looked at", NULL);
}

static CH_FIBER void check_sandbox(struct doctor *d, const struct config *cfg)
{
	struct cli *c = d->c;
	const char *agent = agent_default_id(cfg, c->arena), *why = NULL;
	struct sandbox_settings s;

	sandbox_settings(cfg, agent, arena_printf(c->arena, "agent:%s:main", agent), c->arena, &s);
	if (!s.is_on)
		found(d, LEVEL_NOTE, "sandbox", "switched off: commands run on this machine, each with your yes", "chela sandbox explain");
	else if (s.problem || !sandbox_probe(c->loop, &why))
		found(d, LEVEL_NOTE, "sandbox", arena_printf(c->arena, "none (%s): commands run on this machine, each with your yes",
							     s.problem ? s.problem : why), "chela sandbox explain");
	else
		found(d, LEVEL_OK, "sandbox", "commands of agents run in bubblewrap", NULL);
}

/* -- the gateway that runs -- */

static CH_FIBER bool ask(struct doctor *d, struct rpc *r, const char *check, const char *method, const char *params, struct json **ret)
{
	struct ch_err err = { .text = "" };

	if (!rpc_call(r, method, params, ret, &err))
		return true;
	found(d, LEVEL_BAD, check, arena_printf(d->c->arena, "%s: %s", method, err.text), NULL);
	return false;
}

static CH_FIBER void check_model(struct doctor *d, struct rpc *r)
{
	struct arena *a = d->c->arena;
	struct json *sessions, *models;
	const char *provider, *id;

	if (!ask(d, r, "model", "sessions.list", "{\"limit\":1}", &sessions) || !ask(d, r, "model", "models.list", NULL, &models))
		return;
	provider = json_str_or(json_path(sessions, "defaults.modelProvider"), "-");
	id = json_str_or(json_path(sessions, "defaults.model"), "-");
	if (str_eq(provider, "offline")) {
		found(d, LEVEL_NOTE, "model", arena_printf(a, "%s/%s: built in, follows rules and knows nothing", provider, id), "chela setup");
		return;
	}
	json_each(m, json_get(models, "models")) {
		if (!str_eq(json_get_str(m, "provider"), provider) || !str_eq(json_get_str(m, "id"), id))
			continue;
		if (json_get_bool(m, "available", true))
			found(d, LEVEL_OK, "model", arena_printf(a, "%s/%s", provider, id), NULL);
		else
			found(d, LEVEL_BAD, "model", arena_printf(a, "%s/%s cannot be asked now: %s", provider, id,
								  json_str_or(json_get(m, "unavailableReason"), "no reason is told")),
			      "chela models status");
		return;
	}
	found(d, LEVEL_BAD, "model", arena_printf(a, "%s/%s is not a model this gateway knows", provider, id), "chela models list --all");
}

static void check_account(struct doctor *d, const char *channel, const struct json *account)
{
	struct arena *a = d->c->arena;
	const char *id = json_str_or(json_get(account, "accountId"), "-"), *state = json_str_or(json_get(account, "state"), "-");
	const char *why = json_str_or(json_get(account, "detail"), json_str_or(json_get(account, "lastError"), ""));
	const char *check = arena_printf(a, "%s %s", channel, id);

	if (str_eq(state, "connected"))
		found(d, LEVEL_OK, check, state, NULL);
	else if (!json_get_bool(account, "enabled", true))
		found(d, LEVEL_NOTE, check, "not enabled", NULL);
	else if (json_get_bool(account, "stoppedByPerson", false))
		found(d, LEVEL_NOTE, check, "stopped by hand", arena_printf(a, "chela channels start --channel %s --account %s", channel, id));
	else
		found(d, str_eq(state, "starting") ? LEVEL_NOTE : LEVEL_BAD, check,
		      arena_printf(a, "%s%s%s", state, *why ? ": " : "", why),
		      str_eq(state, "needs-login") ? arena_printf(a, "chela channels login --channel %s --account %s", channel, id)
						   : arena_printf(a, "chela channels logs --channel %s --account %s", channel, id));
}

/* Of an account that is up: what the state does not say. Dead letters are a check of their own. */
static void check_issues(struct doctor *d, const struct json *issues, const char *channel, const struct json *account)
{
	if (!str_eq(json_get_str(account, "state"), "connected"))
		return;
	json_each(issue, issues)
		if (str_eq(json_get_str(issue, "channel"), channel) && !str_eq(json_get_str(issue, "kind"), "runtime") &&
		    str_eq(json_get_str(issue, "accountId"), json_get_str(account, "accountId")))
			found(d, LEVEL_NOTE, arena_printf(d->c->arena, "%s %s", channel, json_str_or(json_get(issue, "accountId"), "-")),
			      json_str_or(json_get(issue, "message"), ""), json_get_str(issue, "fix"));
}

static CH_FIBER void check_channels(struct doctor *d, struct rpc *r)
{
	struct json *status, *letters;
	size_t lost;

	if (!ask(d, r, "networks", "channels.status", NULL, &status))
		return;
	json_each(channel, json_get(status, "channelAccounts"))
		json_each(account, channel) {
			check_account(d, channel->key, account);
			check_issues(d, json_get(status, "statusIssues"), channel->key, account);
		}
	if (!ask(d, r, "dead letters", "channels.deadLetters.list", NULL, &letters))
		return;
	lost = json_len(json_get(letters, "deadLetters"));
	if (lost)
		found(d, LEVEL_BAD, "dead letters", arena_printf(d->c->arena, "messages that could not be handled or sent: %zu", lost),
		      "chela channels dead-letters list");
}

/* What a person has not answered; nothing to tell when nothing waits. */
static CH_FIBER void check_waiting(struct doctor *d, struct rpc *r)
{
	static const struct { const char *method, *list, *what, *next; } kinds[] = {
		{ "exec.approval.list", NULL, "commands that wait for a yes or no", "chela approvals list" },
		{ "plugin.approval.list", NULL, "actions that wait for a yes or no", "chela approvals list" },
		{ "channels.pairing.list", "requests", "people who wait to be let in", "chela pairing list" },
		{ "device.pair.list", "pending", "devices that wait to be let in", "chela devices list" },
	};

	for (size_t i = 0; i < CH_ARRAY_LEN(kinds); i++) {
		struct json *reply;
		size_t n;

		if (!ask(d, r, "waiting", kinds[i].method, NULL, &reply))
			continue;
		n = json_len(kinds[i].list ? json_get(reply, kinds[i].list) : reply);
		if (n)
			found(d, LEVEL_NOTE, "waiting", arena_printf(d->c->arena, "%s: %zu", kinds[i].what, n), kinds[i].next);
	}
}

/* One that runs here, or that the environment names. */
static bool is_gateway_expected(struct cli *c)
{
	struct lock_info holder;

	return !str_empty(getenv("CHELA_GATEWAY_URL")) || lock_holder(c->state_dir, &holder, NULL) == CH_OK;
}

static CH_FIBER void check_gateway(struct doctor *d)
{
	CH_AUTO(rpc_close) struct rpc *r = NULL;
	struct cli *c = d->c;
	struct ch_err err = { .text = "" };

	if (rpc_open(c, "read,approvals,pairing", NULL, &r, &err)) {
		found(d, is_gateway_expected(c) ? LEVEL_BAD : LEVEL_NOTE, "gateway", err.text, NULL);
		return;
	}
	found(d, LEVEL_OK, "gateway", arena_printf(c->arena, "chela %s at %s",
						   json_str_or(json_path(rpc_hello(r), "server.version"), "-"), rpc_url(r)), NULL);
	check_model(d, r);
	check_channels(d, r);
	check_waiting(d, r);
}

static CH_FIBER ch_status run_doctor(struct cli *c, struct ch_err *err)
{
	CH_AUTO(config_unref) struct config *cfg = NULL;
	struct doctor d = { .c = c, .checks = json_new_arr(c->arena) };
	struct json *doc = json_new_obj(c->arena);

	check_config(&d, &cfg);
	check_state(&d);
	check_database(&d);
	if (cfg) {
		check_sandbox(&d, cfg);
		check_gateway(&d);
	}
	c->exit_code = d.bad ? 1 : 0;
	json_set(c->arena, doc, "ok", json_new_bool(c->arena, !d.bad));
	json_set(c->arena, doc, "checks", d.checks);
	if (c->json)
		cli_print_json(doc);
	else
		cli_print("\n%s\n", d.bad ? "Something is wrong." : d.notes ? "Nothing is wrong." : "All is well.");
	return CH_OK;
}

const struct cli_command cli_doctor = {
	.name = "doctor",
	.summary = "what is wrong, and what to do about it (exit 1 when something is)",
	.run = run_doctor,
};
