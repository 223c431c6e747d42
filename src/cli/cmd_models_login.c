/*
 * cli/cmd_models_login.c - signing in to a provider by OAuth.
 *
 * In the browser: its callback and a pasted address race. Or by a code that is
 * typed in on another device. What the person must do goes to stderr, so that
 * stdout is the one document of --json.
 */
#include <string.h>

#include "cli/models_auth.h"
#include "core/fiber.h"
#include "core/mem.h"
#include "core/str.h"
#include "models/oauth.h"
#include "net/http_client.h"

#define LOGIN_MS 600000                  /* to find the password, the telephone, the other password */

CH_AUTO_DEFINE(http_client_free, struct http_client)
CH_AUTO_DEFINE(oauth_attempt_free, struct oauth_attempt)

/* ---- in the browser ---- */

struct paste {
	struct cli *c;
	struct oauth_attempt *attempt;
};

/* Lines of standard input, until one of them is the answer. */
static CH_FIBER void read_pastes(void *arg)
{
	struct paste *p = arg;

	for (;;) {
		CH_AUTO_STR char *line = NULL;
		struct ch_err err = { .text = "" };
		ch_status st = cli_read_line(p->c, &line, &err);

		if (st)
			return;          /* no more input: the browser is still there */
		if (!line[strspn(line, " \t\r")])
			continue;
		st = oauth_attempt_paste(p->attempt, line, &err);
		explicit_bzero(line, strlen(line));
		if (!st || st == CH_E_DENIED)
			return;
		cli_note("%s\n", err.text);
	}
}

static void explain_browser(struct cli *c, const struct oauth_attempt *t)
{
	cli_note("Open this address in a browser and sign in:\n\n  %s\n\n", oauth_attempt_url(t));
	if (oauth_attempt_listens(t))
		cli_note("Waiting. If the browser runs on another machine, paste the address it ends at here.\n");
	else
		cli_note("The callback's port is taken on this machine: paste the address that the browser "
			 "ends at here.\n");
}

static CH_FIBER ch_status wait_browser(struct cli *c, struct oauth_attempt *t, int64_t deadline_ms,
				       struct ch_err *err)
{
	struct paste p = { c, t };
	struct fiber *reader = fiber_spawn(c->loop, "paste", FIBER_JOINABLE, read_pastes, &p);
	ch_status st = oauth_attempt_wait(t, deadline_ms, err);

	fiber_cancel(reader);
	fiber_mask(1);
	(void)!fiber_join(reader, FIBER_FOREVER);        /* it was cancelled: it ends */
	fiber_mask(-1);
	return st;
}

static CH_FIBER ch_status login_browser(struct cli *c, struct http_client *http, const struct oauth_server *s,
					int64_t deadline_ms, struct oauth_tokens *ret, struct ch_err *err)
{
	CH_AUTO(oauth_attempt_free) struct oauth_attempt *t = NULL;
	ch_status st = oauth_attempt_begin(c->loop, s, &t, err);

	if (st)
		return st;
	explain_browser(c, t);
	st = wait_browser(c, t, deadline_ms, err);
	return st ? st : oauth_attempt_exchange(t, http, c->arena, ret, err);
}

/* ---- on another device ---- */

static CH_FIBER ch_status login_device(struct cli *c, struct http_client *http, const struct oauth_server *s,
				       int64_t deadline_ms, struct oauth_tokens *ret, struct ch_err *err)
{
	struct oauth_device d = { 0 };
	ch_status st = oauth_device_begin(http, s, c->arena, &d, err);

	if (st)
		return st;
	d.lifetime_ms = CH_MIN(d.lifetime_ms, CH_MAX(deadline_ms - fiber_deadline(0), 0));
	cli_note("On any device, open\n\n  %s\n\nand type in the code  %s\n", cli_safe(c->arena, d.url),
		 cli_safe(c->arena, d.user_code));
	if (d.url_complete)
		cli_note("(or open %s)\n", cli_safe(c->arena, d.url_complete));
	cli_note("Waiting.\n");
	st = oauth_device_wait(http, s, &d, c->arena, ret, err);
	oauth_device_done(&d);
	return st;
}

/* ---- the command ---- */

static CH_FIBER ch_status keep(struct cli *c, const struct config *cfg, const struct oauth_server *s,
			       const struct oauth_tokens *t, struct ch_err *err)
{
	CH_AUTO(db_close) struct db *db = NULL;
	const char *owner = NULL, *id = NULL;
	ch_status st = cli_auth_owner(c, cfg, &owner, err);

	if (!st)
		st = cli_state_db(c, &db, NULL, err);
	if (!st)
		st = oauth_save(db, s, owner, cli_opt(c, "profile-id"), t, c->arena, &id, err);
	if (!st && !t->refresh)
		cli_note("The server gave no refresh token: you will have to sign in again when this one "
			 "ends.\n");
	if (!st)
		cli_auth_saved(c, id, s->provider);
	return st;
}

static ch_status check_options(struct cli *c, const struct config *cfg, const char *provider, struct ch_err *err)
{
	const char *id = cli_opt(c, "profile-id"), *owner;
	size_t n = strlen(provider);

	if (id && (!auth_id_is_valid(id) || strncmp(id, provider, n) != 0 || id[n] != ':'))
		return ch_fail(err, CH_E_INVALID, "--profile-id must be %s:<name>", provider);
	/* Better now than after the person has signed in. */
	return cli_auth_owner(c, cfg, &owner, err);
}

static CH_FIBER ch_status run_login(struct cli *c, struct ch_err *err)
{
	CH_AUTO(config_unref) struct config *cfg = NULL;
	CH_AUTO(http_client_free) struct http_client *http = NULL;
	struct oauth_server s = { 0 };
	struct oauth_tokens t = { 0 };
	int64_t deadline_ms = fiber_deadline(cli_opt(c, "timeout") ? c->timeout_ms : LOGIN_MS);
	const char *provider = NULL;
	ch_status st = cli_auth_provider(c, &provider, err);

	if (!st)
		st = cli_config(c, &cfg, err);
	if (!st)
		st = check_options(c, cfg, provider, err);
	if (st)
		return st;
	http = http_client_new(c->loop);
	st = oauth_server_find(http, cfg, provider, c->arena, &s, err);
	if (!st && cli_flag(c, "device"))
		st = login_device(c, http, &s, deadline_ms, &t, err);
	else if (!st)
		st = login_browser(c, http, &s, deadline_ms, &t, err);
	if (!st)
		st = keep(c, cfg, &s, &t, err);
	oauth_tokens_done(&t);
	oauth_server_done(&s);
	return st;
}

const struct cli_command cli_models_auth_login = {
	.name = "models auth login",
	.summary = "sign in to a provider (OAuth)",
	.opts = (const struct cli_opt[]){
		{ "provider", 'p', "<id>", "openai, or one described in auth.oauth" },
		{ "device", 0, NULL, "by a code that is typed in on another device" },
		{ "profile-id", 0, "<id>", "name it provider:something (default: by the account's address)" },
		{ "agent", 0, "<id>", "of this agent (default: shared by all)" },
		{ 0 },
	},
	.examples = "  chela models auth login --provider openai\n",
	.run = run_login,
};
