/*
 * cli/cmd_models_auth.c - the stored credentials: list, add by pasting, remove, order.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/agent.h"
#include "cli/models_auth.h"
#include "core/clock.h"
#include "core/file.h"
#include "core/mem.h"
#include "core/str.h"
#include "models/auth_health.h"
#include "models/auth_status.h"
#include "models/model.h"

#define OPT_AGENT { "agent", 0, "<id>", "of this agent (default: shared by all)" }
#define OPT_PROVIDER { "provider", 'p', "<id>", "the provider, e.g. anthropic" }
#define OPT_PROFILE { "profile-id", 0, "<id>", "name it provider:something (default provider:manual)" }

/* ---- what the commands share ---- */

ch_status cli_auth_owner(struct cli *c, const struct config *cfg, const char **ret, struct ch_err *err)
{
	const char *id = cli_opt(c, "agent");
	const struct agent_info *agent = id ? agent_find(cfg, c->state_dir, c->arena, id) : NULL;

	if (id && !agent)
		return ch_fail(err, CH_E_NOT_FOUND,
			       "there is no agent '%s' (see: agents.entries in the configuration)", id);
	*ret = !agent || agent->is_default ? "" : agent->id;
	return CH_OK;
}

ch_status cli_auth_provider(struct cli *c, const char **ret, struct ch_err *err)
{
	const char *given = cli_opt(c, "provider");
	char *provider;

	if (str_empty(given))
		return ch_fail(err, CH_E_INVALID, "--provider is missing (e.g. --provider anthropic)");
	provider = str_trim(c->arena, given);
	str_lower(provider);
	*ret = provider;
	return CH_OK;
}

void cli_auth_saved(struct cli *c, const char *id, const char *provider)
{
	struct json *doc;

	if (!c->json) {
		cli_print("saved as %s; a running gateway uses it from now on\n", cli_safe(c->arena, id));
		return;
	}
	doc = json_new_obj(c->arena);
	json_set(c->arena, doc, "ok", json_new_bool(c->arena, true));
	json_set(c->arena, doc, "provider", json_new_str(c->arena, provider));
	json_set(c->arena, doc, "profileId", json_new_str(c->arena, id));
	cli_print_json(doc);
}

/* Configuration, owner and database of a command. */
struct work {
	struct config *cfg;
	struct db *db;
	const char *owner, *provider;
};

static void work_done(struct work *w)
{
	db_close(w->db);
	config_unref(w->cfg);
}
#define AUTO_WORK CH_AUTO_DONE(work_done) struct work

enum { NO_PROVIDER, NEEDS_PROVIDER, NEEDS_PROVIDER_WITH_KEYS };

static ch_status work_begin(struct cli *c, struct work *w, int needs, struct ch_err *err)
{
	ch_status st = needs || cli_opt(c, "provider") ? cli_auth_provider(c, &w->provider, err) : CH_OK;

	if (!st && needs == NEEDS_PROVIDER_WITH_KEYS && !auth_takes_keys(w->provider))
		st = ch_fail(err, CH_E_UNSUPPORTED, "%s takes no stored keys (see docs/providers.md)", w->provider);
	if (!st)
		st = cli_config(c, &w->cfg, err);
	return st ? st : cli_auth_owner(c, w->cfg, &w->owner, err);
}

/* Late, so that the lock is not held while a person thinks. */
static ch_status work_open(struct cli *c, struct work *w, struct ch_err *err)
{
	return cli_state_db(c, &w->db, NULL, err);
}

/* ---- list ---- */

static struct json *profile_json(struct cli *c, struct db *db, const struct auth_profile *p)
{
	const struct auth_subject who = { p->agent_id, p->id, "" };
	int64_t now = now_wall_ms();
	struct arena *a = c->arena;
	struct json *v = json_new_obj(a);
	struct auth_health h = { 0 };

	json_set(a, v, "id", json_new_str(a, p->id));
	json_set(a, v, "provider", json_new_str(a, p->provider));
	json_set(a, v, "type", json_new_str(a, auth_kind_name(p->kind)));
	json_set(a, v, "status", json_new_str(a, auth_status_name(auth_profile_status(p, now))));
	json_set(a, v, "agentId", *p->agent_id ? json_new_str(a, p->agent_id) : json_new_null(a));
	if (auth_profile_end(p, now))
		json_set(a, v, "expiresAt", json_new_int(a, auth_profile_end(p, now)));
	if (p->email)
		json_set(a, v, "email", json_new_str(a, p->email));
	if (p->last_used_at)
		json_set(a, v, "lastUsedAt", json_new_int(a, p->last_used_at));
	if (p->refused)
		json_set(a, v, "refused", json_new_str(a, p->refused));
	if (!auth_health_worst(db, &who, now, &h, NULL) && h.blocked_until) {
		json_set(a, v, "blockedUntil", json_new_int(a, h.blocked_until));
		json_set(a, v, "blockedReason", json_new_str(a, h.reason));
	}
	return v;
}

static const char *note_of(struct arena *a, const struct json *v)
{
	int64_t until = json_get_int(v, "blockedUntil", 0);
	char left[24];

	if (json_get(v, "refused"))
		return arena_printf(a, "sign in again: chela models auth login --provider %s",
				    json_get_str(v, "provider"));
	if (!until)
		return "";
	auth_remaining_text(until - now_wall_ms(), left);
	return arena_printf(a, "left alone for %s (%s)", left, json_get_str(v, "blockedReason"));
}

static void print_profiles(struct cli *c, const struct json *list)
{
	static const char *const headings[] = { "PROFILE", "TYPE", "STATUS", "ENDS", "USED", "AGENT", "" };
	struct cli_table *t = cli_table_new(c->arena, headings, CH_ARRAY_LEN(headings));

	json_each(v, list) {
		int64_t end = json_get_int(v, "expiresAt", 0);
		char left[24] = "-";

		if (end)
			auth_remaining_text(end - now_wall_ms(), left);
		cli_table_row(t, (const char *const[]){
					 json_get_str(v, "id"), json_get_str(v, "type"),
					 json_get_str(v, "status"), arena_strdup(c->arena, left),
					 cli_ago(c->arena, json_get_int(v, "lastUsedAt", 0)),
					 json_str_or(json_get(v, "agentId"), "all"), note_of(c->arena, v) });
	}
	if (json_len(list))
		cli_table_print(c, t);
	else
		cli_print("no stored credentials: chela models auth login --provider openai, or\n"
			  "chela models auth paste-api-key --provider anthropic\n");
}

static CH_FIBER ch_status run_list(struct cli *c, struct ch_err *err)
{
	AUTO_WORK w = { 0 };
	struct auth_profiles all = { 0 };
	struct json *doc = json_new_obj(c->arena), *list = json_new_arr(c->arena);
	ch_status st = work_begin(c, &w, NO_PROVIDER, err);

	if (!st && file_exists(arena_printf(c->arena, "%s/chela.sqlite", c->state_dir))) {
		st = work_open(c, &w, err);
		if (!st)
			st = auth_store_list(w.db, c->arena, w.owner, w.provider, &all, err);
	}
	if (st)
		return st;
	for (size_t i = 0; i < all.len; i++)
		json_push(list, profile_json(c, w.db, &all.at[i]));
	if (!c->json) {
		print_profiles(c, list);
		return CH_OK;
	}
	json_set(c->arena, doc, "profiles", list);
	cli_print_json(doc);
	return CH_OK;
}

const struct cli_command cli_models_auth_list = {
	.name = "models auth list",
	.summary = "the stored credentials and how they stand",
	.opts = (const struct cli_opt[]){ OPT_PROVIDER, OPT_AGENT, { 0 } },
	.run = run_list,
};

/* ---- pasting ---- */

/* The key in use is replaced; where there is none yet, provider:manual is made. */
static ch_status id_for_key(struct cli *c, struct work *w, const char **ret, struct ch_err *err)
{
	struct auth_profiles all = { 0 };
	ch_status st = CH_OK;

	*ret = cli_opt(c, "profile-id");
	if (*ret)
		return CH_OK;
	st = auth_store_list(w->db, c->arena, w->owner, w->provider, &all, err);
	*ret = arena_printf(c->arena, "%s:manual", w->provider);
	for (size_t i = 0; i < all.len; i++) {
		if (all.at[i].kind == AUTH_KIND_API_KEY && str_eq(all.at[i].agent_id, w->owner)) {
			*ret = all.at[i].id;
			break;
		}
	}
	return st;
}

/* An id belongs to one provider, which its first word names. */
static ch_status check_id(const char *id, const char *provider, struct ch_err *err)
{
	size_t n = strlen(provider);

	if (!auth_id_is_valid(id) || strncmp(id, provider, n) != 0 || id[n] != ':')
		return ch_fail(err, CH_E_INVALID, "--profile-id must be %s:<name>", provider);
	return CH_OK;
}

static ch_status save(struct cli *c, struct work *w, const struct auth_profile *p, const struct secret *s,
		      struct ch_err *err)
{
	ch_status st = check_id(p->id, w->provider, err);

	if (!st)
		st = auth_store_put(w->db, p, secret_reveal(s), NULL, err);
	if (!st)
		cli_auth_saved(c, p->id, w->provider);
	return st;
}

static CH_FIBER ch_status run_paste_key(struct cli *c, struct ch_err *err)
{
	CH_AUTO(secret_unref) struct secret *s = NULL;
	AUTO_WORK w = { 0 };
	const char *id = NULL;
	ch_status st = work_begin(c, &w, NEEDS_PROVIDER_WITH_KEYS, err);

	if (!st)
		st = cli_read_secret(c, arena_printf(c->arena, "API key for %s (not shown)", w.provider), &s,
				     err);
	if (!st)
		st = work_open(c, &w, err);
	if (!st)
		st = id_for_key(c, &w, &id, err);
	if (st)
		return st;
	return save(
		c, &w,
		&(struct auth_profile){
			.agent_id = w.owner, .id = id, .provider = w.provider, .kind = AUTH_KIND_API_KEY },
		s, err);
}

const struct cli_command cli_models_auth_paste_api_key = {
	.name = "models auth paste-api-key",
	.summary = "keep an API key, read from a prompt or a pipe",
	.opts = (const struct cli_opt[]){ OPT_PROVIDER, OPT_PROFILE, OPT_AGENT, { 0 } },
	.examples = "  chela models auth paste-api-key --provider anthropic\n"
		    "  printf '%s\\n' \"$KEY\" | chela models auth paste-api-key --provider openai\n",
	.run = run_paste_key,
};

static CH_FIBER ch_status paste_token(struct cli *c, struct work *w, const char *id, int64_t expires_at,
				      const char *prefix, struct ch_err *err)
{
	CH_AUTO(secret_unref) struct secret *s = NULL;
	ch_status st =
		cli_read_secret(c, arena_printf(c->arena, "token for %s (not shown)", w->provider), &s, err);

	if (!st && prefix && !str_starts(secret_reveal(s), prefix))
		st = ch_fail(err, CH_E_INVALID,
			     "that is no setup token: one begins with %s and is made by `claude setup-token`",
			     prefix);
	if (!st)
		st = work_open(c, w, err);
	if (st)
		return st;
	return save(c, w,
		    &(struct auth_profile){ .agent_id = w->owner,
					    .id = id,
					    .provider = w->provider,
					    .kind = AUTH_KIND_TOKEN,
					    .expires_at = expires_at },
		    s, err);
}

static ch_status read_life(struct cli *c, int64_t *ret_expires_at, struct ch_err *err)
{
	const char *text = cli_opt(c, "expires-in");
	int64_t ms = 0;

	if (text && (!str_to_duration_ms(text, 1000, &ms) || ms <= 0))
		return ch_fail(err, CH_E_INVALID, "--expires-in takes a duration like 365d or 12h");
	*ret_expires_at = text ? now_wall_ms() + ms : 0;
	return CH_OK;
}

static CH_FIBER ch_status run_paste_token(struct cli *c, struct ch_err *err)
{
	AUTO_WORK w = { 0 };
	int64_t expires_at = 0;
	const char *id = cli_opt(c, "profile-id");
	ch_status st = work_begin(c, &w, NEEDS_PROVIDER_WITH_KEYS, err);

	if (!st)
		st = read_life(c, &expires_at, err);
	if (st)
		return st;
	return paste_token(c, &w, id ? id : arena_printf(c->arena, "%s:manual", w.provider), expires_at, NULL,
			   err);
}

const struct cli_command cli_models_auth_paste_token = {
	.name = "models auth paste-token",
	.summary = "keep a bearer token, read from a prompt or a pipe",
	.opts = (const struct cli_opt[]){ OPT_PROVIDER,
					  OPT_PROFILE,
					  { "expires-in", 0, "<duration>", "when it ends, e.g. 365d" },
					  OPT_AGENT,
					  { 0 } },
	.run = run_paste_token,
};

static CH_FIBER ch_status run_setup_token(struct cli *c, struct ch_err *err)
{
	AUTO_WORK w = { .provider = "anthropic" };
	const char *id = cli_opt(c, "profile-id");
	ch_status st = work_begin(c, &w, NO_PROVIDER, err);

	if (!st && !str_eq(w.provider, "anthropic"))
		st = ch_fail(err, CH_E_UNSUPPORTED,
			     "only anthropic has setup tokens; for others: chela models auth paste-token");
	return st ? st : paste_token(c, &w, id ? id : "anthropic:default", 0, "sk-ant-oat", err);
}

const struct cli_command cli_models_auth_setup_token = {
	.name = "models auth setup-token",
	.summary = "keep the token that `claude setup-token` prints",
	.opts =
		(const struct cli_opt[]){
			{ "provider", 'p', "<id>", "anthropic (default)" }, OPT_PROFILE, OPT_AGENT, { 0 } },
	.run = run_setup_token,
};

/* ---- logout ---- */

static CH_FIBER ch_status confirm(struct cli *c, const char *id, struct ch_err *err)
{
	CH_AUTO_STR char *line = NULL;
	ch_status st;

	if (cli_flag(c, "yes"))
		return CH_OK;
	if (!isatty(STDIN_FILENO))
		return ch_fail(err, CH_E_INVALID, "nobody is there to ask: add --yes to remove %s", id);
	cli_note("Remove %s? The provider is not told. [y/N] ", cli_safe(c->arena, id));
	st = cli_read_line(c, &line, err);
	if (st)
		return st;
	return str_ieq(line, "y") || str_ieq(line, "yes")
		       ? CH_OK
		       : ch_fail(err, CH_E_CANCELED, "nothing was removed");
}

static CH_FIBER ch_status run_logout(struct cli *c, struct ch_err *err)
{
	AUTO_WORK w = { 0 };
	const char *id = c->args[0];
	bool found = false;
	struct json *doc;
	ch_status st = work_begin(c, &w, NO_PROVIDER, err);

	if (!st)
		st = confirm(c, id, err);
	if (!st)
		st = work_open(c, &w, err);
	if (!st)
		st = auth_store_remove(w.db, w.owner, id, &found, err);
	if (!st && !found)
		st = ch_fail(err, CH_E_NOT_FOUND,
			     "there is no auth profile '%.100s' (see: chela models auth list)", id);
	if (st)
		return st;
	if (!c->json) {
		cli_print("removed %s\n", cli_safe(c->arena, id));
		return CH_OK;
	}
	doc = json_new_obj(c->arena);
	json_set(c->arena, doc, "ok", json_new_bool(c->arena, true));
	json_set(c->arena, doc, "profileId", json_new_str(c->arena, id));
	cli_print_json(doc);
	return CH_OK;
}

const struct cli_command cli_models_auth_logout = {
	.name = "models auth logout",
	.summary = "remove a stored credential",
	.args = "<profile-id>",
	.args_min = 1,
	.args_max = 1,
	.opts = (const struct cli_opt[]){ { "yes", 'y', NULL, "do not ask" }, OPT_AGENT, { 0 } },
	.run = run_logout,
};

/* ---- order ---- */

static void print_order(struct cli *c, const struct work *w, const struct json *order)
{
	struct json *doc;

	if (c->json) {
		doc = json_new_obj(c->arena);
		json_set(c->arena, doc, "provider", json_new_str(c->arena, w->provider));
		json_set(c->arena, doc, "order", order ? json_clone(c->arena, order) : json_new_null(c->arena));
		cli_print_json(doc);
		return;
	}
	if (!order)
		cli_print("no order is stored for %s: auth.order, else by kind and age\n",
			  cli_safe(c->arena, w->provider));
	json_each(v, order)
		cli_print("%s\n", cli_safe(c->arena, json_str(v)));
}

static CH_FIBER ch_status run_order_get(struct cli *c, struct ch_err *err)
{
	AUTO_WORK w = { 0 };
	struct json *order = NULL;
	ch_status st = work_begin(c, &w, NEEDS_PROVIDER, err);

	if (!st && file_exists(arena_printf(c->arena, "%s/chela.sqlite", c->state_dir))) {
		st = work_open(c, &w, err);
		if (!st)
			st = auth_order_get(w.db, c->arena, w.owner, w.provider, &order, NULL, err);
	}
	if (!st)
		print_order(c, &w, order);
	return st;
}

const struct cli_command cli_models_auth_order_get = {
	.name = "models auth order get",
	.summary = "in which order a provider's credentials are used",
	.opts = (const struct cli_opt[]){ OPT_PROVIDER, OPT_AGENT, { 0 } },
	.run = run_order_get,
};

static ch_status read_order(struct cli *c, struct work *w, struct json *order, struct ch_err *err)
{
	for (size_t i = 0; i < c->arg_count; i++) {
		struct auth_profile p;
		ch_status st = auth_store_find(w->db, c->arena, w->owner, c->args[i], &p, err);

		if (st)
			return st;
		if (!str_eq(p.provider, w->provider))
			return ch_fail(err, CH_E_INVALID, "%s is a credential of %s", p.id, p.provider);
		json_push(order, json_new_str(c->arena, p.id));
	}
	return CH_OK;
}

static CH_FIBER ch_status change_order(struct cli *c, bool is_set, struct ch_err *err)
{
	AUTO_WORK w = { 0 };
	struct json *order = is_set ? json_new_arr(c->arena) : NULL;
	ch_status st = work_begin(c, &w, NEEDS_PROVIDER, err);

	if (!st)
		st = work_open(c, &w, err);
	if (!st && is_set)
		st = read_order(c, &w, order, err);
	if (!st)
		st = auth_order_set(w.db, w.owner, w.provider, order, err);
	if (!st)
		print_order(c, &w, order);
	return st;
}

static CH_FIBER ch_status run_order_set(struct cli *c, struct ch_err *err)
{
	return change_order(c, true, err);
}

static CH_FIBER ch_status run_order_clear(struct cli *c, struct ch_err *err)
{
	return change_order(c, false, err);
}

const struct cli_command cli_models_auth_order_set = {
	.name = "models auth order set",
	.summary = "use these credentials of a provider, in this order, and no others",
	.args = "<profile-id> ...",
	.args_min = 1,
	.args_max = CLI_ARGS_MAX,
	.opts = (const struct cli_opt[]){ OPT_PROVIDER, OPT_AGENT, { 0 } },
	.run = run_order_set,
};

const struct cli_command cli_models_auth_order_clear = {
	.name = "models auth order clear",
	.summary = "forget the stored order",
	.opts = (const struct cli_opt[]){ OPT_PROVIDER, OPT_AGENT, { 0 } },
	.run = run_order_clear,
};
