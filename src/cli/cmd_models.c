/*
 * cli/cmd_models.c - models: which one is used and whether it could be, the list, asking one.
 */
#include <string.h>

#include "agent/agent.h"
#include "cli/models_cli.h"
#include "cli/rpc.h"
#include "core/clock.h"
#include "core/str.h"
#include "models/auth_pick.h"
#include "models/auth_status.h"

/* -- status -- */

enum { CHECK_MISSING = 1, CHECK_EXPIRING = 2 };

/* A model that may be asked, and how it stands. */
struct line {
	const char *role, *ref, *state, *detail, *profile;
	int64_t until;
	int check;                       /* the exit code it asks for; 0: fine */
};

struct status {
	struct cli *c;
	struct cli_models x;
	const char *agent_id;
	struct model_route route;
	struct line lines[2 * ROUTE_MAX + 2];
	size_t count;
};

static void status_done(struct status *s)
{
	cli_models_done(&s->x);
}

/* The credential's own state, where it is a stored one. */
static void look_at_credential(struct status *s, const struct model_entry *e, struct line *line)
{
	const struct auth_want want = { .provider = e->provider, .model = e->id, .agent_id = s->agent_id,
					.profile = e->auth_profile };
	struct auth_candidates all = { 0 };
	const struct auth_candidate *best;
	int64_t now = now_wall_ms();

	if (auth_candidates_find(s->x.models, s->x.config, &want, s->c->arena, &all, NULL) || !all.len)
		return;
	best = &all.at[0];
	if (best->unusable) {
		line->state = best->is_expired ? "expired" : "missing";
		line->detail = best->unusable;
		line->profile = best->id;
		return;
	}
	if (best->source != AUTH_FROM_PROFILE || auth_profile_status(&best->profile, now) != AUTH_EXPIRING)
		return;
	line->until = auth_profile_end(&best->profile, now);
	line->state = "expiring";
	line->check = CHECK_EXPIRING;
}

/* How a provider gets a credential. */
static const char *way_in(struct arena *a, const char *provider)
{
	const struct model_endpoint *endpoint = model_endpoint_find(provider);
	const char *env = endpoint ? endpoint->key_env[0] : NULL;

	return arena_printf(a, "chela models auth paste-api-key --provider %s%s%s", provider, env ? ", or set " : "", env ? env : "");
}

static void add_line(struct status *s, const char *role, const struct model_entry *e)
{
	struct arena *a = s->c->arena;
	struct model_state state;
	struct line *line = &s->lines[s->count++];
	char at[9];

	model_state(s->x.models, s->agent_id, e, &state);
	*line = (struct line){ .role = role, .ref = e->ref, .state = "ready", .profile = arena_strdup(a, state.profile) };
	if (state.standing == MODEL_NO_CREDENTIAL) {
		line->state = "missing";
		line->detail = way_in(a, e->provider);
		line->check = CHECK_MISSING;
	} else if (state.standing == MODEL_RESTS) {
		clock_hms(state.until, at);
		line->state = "rests";
		line->until = state.until;
		line->detail = arena_printf(a, "until %s, after %s", at, state.reason[0] ? state.reason : "failures");
	}
	look_at_credential(s, e, line);
}

/* A model for a purpose; what cannot be resolved is told. */
static void add_named(struct status *s, const char *role, const char *path)
{
	const struct json *v = config_get(s->x.config, path);
	const char *name = json_str(v) ? json_str(v) : json_get_str(v, "primary");
	struct model_entry e;
	struct ch_err err;

	if (str_empty(name))
		return;
	if (!model_resolve(s->x.models, name, s->agent_id, s->c->arena, &e, NULL, &err))
		add_line(s, role, &e);
	else
		s->lines[s->count++] = (struct line){ .role = role, .ref = name, .state = "unknown", .profile = "",
						      .detail = arena_strdup(s->c->arena, err.text), .check = CHECK_MISSING };
}

static ch_status gather(struct status *s, struct ch_err *err)
{
	struct model_route_want want = { 0 };
	const char *wanted = cli_opt(s->c, "agent");
	ch_status st = cli_models_begin(s->c, true, &s->x, err);

	if (st)
		return st;
	s->agent_id = wanted ? wanted : agent_default_id(s->x.config, s->c->arena);
	if (!agent_find(s->x.config, s->c->state_dir, s->c->arena, s->agent_id))
		return ch_fail(err, CH_E_NOT_FOUND, "there is no agent '%.60s'", s->agent_id);
	want.agent_id = s->agent_id;
	st = model_route(s->x.models, &want, s->c->arena, &s->route, err);
	if (st)
		return st;
	for (size_t i = 0; i < s->route.len; i++)
		add_line(s, i ? "fallback" : "default", &s->route.at[i]);
	add_named(s, "image", "agents.defaults.imageModel");
	add_named(s, "utility", "agents.defaults.utilityModel");
	return CH_OK;
}

static int exit_code(const struct status *s)
{
	int code = 0;

	for (size_t i = 0; i < s->count; i++) {
		if (s->lines[i].check && (!code || s->lines[i].check < code))
			code = s->lines[i].check;
	}
	return code;
}

static struct json *list_of_roles(struct status *s, const char *role)
{
	struct json *list = json_new_arr(s->c->arena);

	for (size_t i = 0; i < s->count; i++) {
		if (str_eq(s->lines[i].role, role))
			json_push(list, json_new_str(s->c->arena, s->lines[i].ref));
	}
	return list;
}

static struct json *aliases(struct status *s)
{
	struct json *all = json_new_obj(s->c->arena);

	json_each(v, config_get(s->x.config, "agents.defaults.models")) {
		if (!str_empty(json_get_str(v, "alias")))
			json_set(s->c->arena, all, json_get_str(v, "alias"), json_new_str(s->c->arena, v->key));
	}
	return all;
}

static struct json *routes(struct status *s)
{
	struct arena *a = s->c->arena;
	struct json *list = json_new_arr(a);

	for (size_t i = 0; i < s->count; i++) {
		const struct line *line = &s->lines[i];
		struct json *v = json_new_obj(a);

		json_set(a, v, "role", json_new_str(a, line->role));
		json_set(a, v, "model", json_new_str(a, line->ref));
		json_set(a, v, "status", json_new_str(a, line->state));
		if (!str_empty(line->profile))
			json_set(a, v, "credential", json_new_str(a, line->profile));
		if (line->until)
			json_set(a, v, "until", json_new_int(a, line->until));
		if (line->detail)
			json_set(a, v, "detail", json_new_str(a, line->detail));
		json_push(list, v);
	}
	return list;
}

static void print_json(struct status *s)
{
	struct arena *a = s->c->arena;
	struct json *doc = json_new_obj(a), *none = json_new_null(a);
	const struct json *image = json_at(list_of_roles(s, "image"), 0), *utility = json_at(list_of_roles(s, "utility"), 0);
	const struct json *allowed = config_get(s->x.config, "agents.defaults.modelPolicy.allow");

	json_set(a, doc, "configPath", json_new_str(a, s->c->config_path));
	json_set(a, doc, "agentId", json_new_str(a, s->agent_id));
	json_set(a, doc, "defaultModel", json_new_str(a, s->route.at[0].ref));
	json_set(a, doc, "resolvedDefault", json_new_str(a, s->route.at[0].ref));
	json_set(a, doc, "source", json_new_str(a, s->route.source));
	json_set(a, doc, "strict", json_new_bool(a, s->route.is_strict));
	json_set(a, doc, "fallbacks", list_of_roles(s, "fallback"));
	json_set(a, doc, "imageModel", image ? json_clone(a, image) : none);
	json_set(a, doc, "utilityModel", utility ? json_clone(a, utility) : json_new_null(a));
	json_set(a, doc, "aliases", aliases(s));
	json_set(a, doc, "allowed", allowed ? json_clone(a, allowed) : json_new_arr(a));
	json_set(a, doc, "routes", routes(s));
	cli_print_json(doc);
}

static void print_text(struct status *s)
{
	struct cli_table *t = cli_table_new(s->c->arena, (const char *const[]){ "ROLE", "MODEL", "STATE", "CREDENTIAL", "" }, 5);

	for (size_t i = 0; i < s->count; i++) {
		const struct line *line = &s->lines[i];

		cli_table_row(t, (const char *const[]){ line->role, line->ref, line->state,
							str_empty(line->profile) ? "-" : line->profile,
							line->detail ? line->detail : "" });
	}
	cli_print("agent %s, chosen by: %s%s\n", s->agent_id, s->route.source, s->route.is_strict ? " (no other model may answer)" : "");
	cli_table_print(s->c, t);
}

static CH_FIBER ch_status run_status(struct cli *c, struct ch_err *err)
{
	CH_AUTO_DONE(status_done) struct status s = { .c = c };
	ch_status st = gather(&s, err);

	if (st)
		return st;
	if (c->json)
		print_json(&s);
	else
		print_text(&s);
	if (cli_flag(c, "check"))
		c->exit_code = exit_code(&s);
	return CH_OK;
}

const struct cli_command cli_models_status = {
	.name = "models status",
	.summary = "which model is used, what follows it, and whether they could answer",
	.opts = (const struct cli_opt[]){
		{ "agent", 0, "<id>", "for this agent (default: the default one)" },
		{ "check", 0, NULL, "exit 1 when a credential is missing or expired, 2 when one is about to" },
		{ 0 },
	},
	.run = run_status,
};

/* -- list, refresh -- */

static ch_status ask_list(struct cli *c, bool refresh, struct json **ret, struct ch_err *err)
{
	struct json *params = json_new_obj(c->arena);
	static const char *const texts[] = { "provider", "agent" };

	for (size_t i = 0; i < CH_ARRAY_LEN(texts); i++) {
		if (cli_opt(c, texts[i]))
			json_set(c->arena, params, i ? "agentId" : "provider", json_new_str(c->arena, cli_opt(c, texts[i])));
	}
	if (refresh)
		json_set(c->arena, params, "refresh", json_new_bool(c->arena, true));
	if (cli_flag(c, "all") || cli_opt(c, "provider"))
		json_set(c->arena, params, "view", json_new_str(c->arena, "all"));
	json_set(c->arena, params, "includeDetails", json_new_bool(c->arena, true));
	return rpc_once(c, "read", "models.list", json_to_str(c->arena, params), ret, err);
}

static const char *joined(struct arena *a, const struct json *list)
{
	CH_AUTO_BUF struct buf out = { 0 };

	buf_init(&out, 4096);
	json_each(v, list)
		buf_printf(&out, "%s%s", out.len ? "," : "", json_str_or(v, "?"));
	return arena_strdup(a, buf_str(&out));
}

static const char *readiness(struct cli *c, const struct json *m)
{
	const char *why = json_get_str(m, "unavailableReason");
	int64_t until = json_get_int(m, "unavailableUntil", 0);
	char at[9];

	if (json_get_bool(m, "available", true))
		return "yes";
	if (!until)
		return str_eq(why, "missing-auth") ? "no key" : "no";
	clock_hms(until, at);
	return arena_printf(c->arena, "rests until %s", at);
}

static void print_models(struct cli *c, const struct json *list)
{
	struct cli_table *t = cli_table_new(c->arena, (const char *const[]){ "MODEL", "NAME", "INPUT", "CONTEXT", "READY", "TAGS" }, 6);

	json_each(m, json_get(list, "models")) {
		const char *tags = joined(c->arena, json_get(m, "tags")), *alias = json_get_str(m, "alias");

		cli_table_row(t, (const char *const[]){
			arena_printf(c->arena, "%s/%s", json_str_or(json_get(m, "provider"), "-"),
				     json_str_or(json_get(m, "id"), "-")),
			json_get_str(m, "name"), joined(c->arena, json_get(m, "input")),
			arena_printf(c->arena, "%lld", (long long)json_get_int(m, "contextWindow", 0)), readiness(c, m),
			alias ? arena_printf(c->arena, "%s%salias:%s", tags, *tags ? "," : "", alias) : tags });
	}
	cli_table_print(c, t);
}

static CH_FIBER ch_status run_list(struct cli *c, struct ch_err *err)
{
	struct json *list;
	ch_status st = ask_list(c, cli_flag(c, "refresh"), &list, err);

	if (st)
		return st;
	if (c->json)
		cli_print_json(list);
	else
		print_models(c, list);
	return CH_OK;
}

const struct cli_command cli_models_list = {
	.name = "models list",
	.summary = "the models this gateway can use",
	.opts = (const struct cli_opt[]){
		{ "all", 'a', NULL, "also those without a key" },
		{ "provider", 'p', "<id>", "all of this provider" },
		{ "agent", 0, "<id>", "as this agent sees them" },
		{ "refresh", 0, NULL, "ask a local Ollama again first" },
		{ 0 },
	},
	.run = run_list,
};

static CH_FIBER ch_status run_refresh(struct cli *c, struct ch_err *err)
{
	struct json *list;
	ch_status st = ask_list(c, true, &list, err);

	if (st)
		return st;
	if (c->json)
		cli_print_json(list);
	else
		cli_print("%zu models\n", json_len(json_get(list, "models")));
	return CH_OK;
}

const struct cli_command cli_models_refresh = {
	.name = "models refresh",
	.summary = "look again which models a local Ollama has",
	.run = run_refresh,
};

/* -- probe -- */

static const char *default_provider(struct cli *c, struct ch_err *err)
{
	AUTO_CLI_MODELS x = { 0 };
	struct model_entry e;

	if (cli_models_begin(c, false, &x, err) || model_resolve(x.models, NULL, NULL, c->arena, &e, NULL, err))
		return NULL;
	return e.provider;
}

static void print_probe(struct cli *c, const struct json *doc)
{
	struct cli_table *t = cli_table_new(c->arena, (const char *const[]){ "ASKED", "STATUS", "MS", "" }, 4);

	json_each(r, json_get(doc, "results"))
		cli_table_row(t, (const char *const[]){
			json_get_str(r, "label"), json_get_str(r, "status"),
			arena_printf(c->arena, "%lld", (long long)json_get_int(r, "latencyMs", 0)),
			json_str_or(json_get(r, "error"), "") });
	if (json_len(json_get(doc, "results")))
		cli_table_print(c, t);
	else
		cli_print("%s\n", cli_safe(c->arena, json_str_or(json_get(doc, "error"), "nothing was asked")));
}

static CH_FIBER ch_status run_probe(struct cli *c, struct ch_err *err)
{
	struct json *params = json_new_obj(c->arena), *doc;
	const char *provider = c->arg_count ? c->args[0] : default_provider(c, err);
	int64_t ms;
	ch_status st = cli_opt_int(c, "probe-timeout", 8000, 1, 120000, &ms, err);

	if (st)
		return st;
	if (!provider)
		return err->code;
	/* "anthropic/claude-opus-5" means its provider. */
	provider = arena_strndup(c->arena, provider, strcspn(provider, "/"));
	json_set(c->arena, params, "provider", json_new_str(c->arena, provider));
	json_set(c->arena, params, "timeoutMs", json_new_int(c->arena, ms));
	if (cli_opt(c, "profile-id"))
		json_set(c->arena, params, "profileId", json_new_str(c->arena, cli_opt(c, "profile-id")));
	c->timeout_ms = CH_MAX(c->timeout_ms, 10 * ms);  /* a request per credential */
	st = rpc_once(c, "admin", "models.probe", json_to_str(c->arena, params), &doc, err);
	if (st)
		return st;
	if (c->json)
		cli_print_json(doc);
	else
		print_probe(c, doc);
	c->exit_code = str_eq(json_get_str(doc, "status"), "ok") ? 0 : 1;
	return CH_OK;
}

const struct cli_command cli_models_probe = {
	.name = "models probe",
	.summary = "send a model one tiny request per credential; it is billed",
	.args = "[provider]",
	.args_max = 1,
	.opts = (const struct cli_opt[]){
		{ "profile-id", 0, "<id>", "only this credential" },
		{ "probe-timeout", 0, "<ms>", "how long each may take (default 8000)" },
		{ 0 },
	},
	.run = run_probe,
};
