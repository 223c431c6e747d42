/*
 * gateway/methods/m_models_auth.c - models.auth*: how credentials stand, and changing them. None ever leaves by here.
 *
 * The default agent's credentials are the shared ones; another agent has its
 * own beside them.
 */
#include <stdlib.h>
#include <string.h>

#include "core/clock.h"
#include "core/str.h"
#include "gateway/methods/methods.h"
#include "models/auth_health.h"
#include "models/auth_pick.h"
#include "models/auth_status.h"
#include "models/model.h"

/* ---- whose ---- */

struct scope {
	const char *agent_id;            /* for reading: what this agent sees */
	const char *owner;               /* for writing: "" shared */
};

static ch_status find_scope(struct gw_call *call, struct scope *ret, struct ch_err *err)
{
	const char *id = json_get_str(call->params, "agentId");
	const struct agent_info *agent;

	if (str_empty(id))
		id = agent_default_id(gw_config(call->gw), call->arena);
	agent = agent_find(gw_config(call->gw), call->gw->state_dir, call->arena, id);
	if (!agent)
		return ch_fail(err, CH_E_INVALID, "unknown agent id \"%.*s\"",
			       (int)utf8_cut(id, strlen(id), 64), id);
	*ret = (struct scope){ agent->id, agent->is_default ? "" : agent->id };
	return CH_OK;
}

static const char *provider_of(struct gw_call *call)
{
	char *provider = str_trim(call->arena, json_get_str(call->params, "provider"));

	str_lower(provider);
	return provider;
}

static bool order_has(const struct json *order, const char *id)
{
	json_each(v, order) {
		if (str_eq(json_str(v), id))
			return true;
	}
	return false;
}

/* ---- models.authStatus ---- */

struct status_call {
	struct gw_call *call;
	struct scope scope;
	struct jw *w;
	bool is_admin;                   /* sees who the accounts belong to */
	int64_t now_wall;
};

static void write_expiry(struct jw *w, int64_t end, int64_t now_wall)
{
	char label[24];

	if (!end)
		return;
	auth_remaining_text(end - now_wall, label);
	jw_kobj(w, "expiry");
	jw_kint(w, "at", end);
	jw_kint(w, "remainingMs", end - now_wall);
	jw_kstr(w, "label", label);
	jw_end(w);
}

/* Beyond the reference: until when it is left alone, and why. */
static void write_block(struct status_call *s, const struct auth_profile *p)
{
	const struct auth_subject who = { p->agent_id, p->id, "" };
	struct auth_health h;

	if (auth_health_worst(s->call->gw->db, &who, s->now_wall, &h, NULL) || !h.blocked_until)
		return;
	jw_kint(s->w, "blockedUntil", h.blocked_until);
	jw_kstr(s->w, "blockedReason", h.reason);
}

static void write_profile(struct status_call *s, const struct auth_profile *p)
{
	enum auth_status status = auth_profile_status(p, s->now_wall);
	bool is_own = str_eq(p->agent_id, s->scope.owner);
	struct jw *w = s->w;

	jw_obj(w);
	jw_kstr(w, "profileId", p->id);
	jw_kstr(w, "type", auth_kind_name(p->kind));
	jw_kstr(w, "status", auth_status_name(status));
	if (status == AUTH_EXPIRED)
		jw_kstr(w, "reasonCode", "expired");
	jw_kstr(w, "source", is_own ? "saved" : "inherited");
	write_expiry(w, auth_profile_end(p, s->now_wall), s->now_wall);
	if (s->is_admin) {
		jw_kstr(w, "displayName", p->email ? p->email : strchr(p->id, ':') + 1);
		jw_kstr_opt(w, "email", p->email);
		if (p->last_used_at)
			jw_kint(w, "lastUsedAt", p->last_used_at);
	}
	if (is_own)
		jw_kbool(w, "logoutSupported", true);
	write_block(s, p);
	jw_end(w);
}

static void write_order(struct jw *w, const struct json *order, bool is_stored)
{
	if (!order)
		return;
	jw_kvalue(w, "profileOrder", order);
	if (is_stored)
		jw_kbool(w, "profileOrderStored", true);
	else
		jw_kstr(w, "profileOrderLocked", "auth-config");
}

static void write_key(struct jw *w, const struct auth_key_source *key)
{
	jw_kobj(w, "apiKey");
	jw_kstr(w, "source", key->source);
	jw_kstr_opt(w, "envVar", key->env_var);
	jw_end(w);
}

/* One provider, when there is anything to say of it. */
static ch_status write_provider(struct status_call *s, const char *provider, struct ch_err *err)
{
	struct gw *gw = s->call->gw;
	struct arena *a = s->call->arena;
	struct auth_profiles list = { 0 };
	struct auth_key_source key;
	const struct json *order = NULL;
	bool is_stored = false, has_key = auth_key_source(gw->models, gw_config(gw), provider, a, &key);
	enum auth_status status;
	int64_t end = 0;
	ch_status st = auth_store_list(gw->db, a, s->scope.agent_id, provider, &list, err);

	if (!st)
		st = auth_order_effective(gw->models, gw_config(gw), a, s->scope.owner, provider, &order,
					  &is_stored, err);
	if (st || (!list.len && !has_key))
		return st;
	status = auth_rollup(&list, order, s->now_wall, &end);
	jw_obj(s->w);
	jw_kstr(s->w, "provider", provider);
	jw_kstr(s->w, "authProvider", provider);
	jw_kstr(s->w, "displayName", provider);
	jw_kstr(s->w, "status", auth_status_name(has_key && status == AUTH_MISSING ? AUTH_STATIC : status));
	write_expiry(s->w, end, s->now_wall);
	jw_karr(s->w, "profiles");
	for (size_t i = 0; i < list.len; i++)
		write_profile(s, &list.at[i]);
	jw_end(s->w);
	write_order(s->w, order, is_stored);
	if (has_key)
		write_key(s->w, &key);
	jw_end(s->w);
	return CH_OK;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

struct names { struct arena *a; const char **at; size_t len, cap; };

static void add_name(struct names *n, const char *name)
{
	char *lower = arena_strdup(n->a, name);

	str_lower(lower);
	if (str_in(lower, n->at, n->len) || n->len == n->cap)
		return;
	n->at[n->len++] = lower;
}

/* Every provider that could have a credential: built in, configured, stored. */
static ch_status all_providers(struct gw *gw, const struct scope *scope, struct arena *a, struct names *ret,
			       struct ch_err *err)
{
	size_t endpoints;
	const struct model_endpoint *e = model_endpoints(&endpoints);
	const struct json *configured = config_get(gw_config(gw), "models.providers");
	struct auth_profiles list = { 0 };
	ch_status st = auth_store_list(gw->db, a, scope->agent_id, NULL, &list, err);

	if (st)
		return st;
	ret->a = a;
	ret->cap = endpoints + json_len(configured) + list.len;
	ret->at = arena_alloc(a, (ret->cap + 1) * sizeof(*ret->at));
	for (size_t i = 0; i < endpoints; i++) {
		if (!str_eq(e[i].id, "offline"))
			add_name(ret, e[i].id);
	}
	json_each(v, configured)
		add_name(ret, v->key);
	for (size_t i = 0; i < list.len; i++)
		add_name(ret, list.at[i].provider);
	qsort(ret->at, ret->len, sizeof(*ret->at), by_name);
	return CH_OK;
}

/* What the page may offer: a key can be saved for each that takes one. */
static void write_capabilities(struct jw *w, const struct names *names)
{
	jw_karr(w, "providerCapabilities");
	for (size_t i = 0; i < names->len; i++) {
		bool takes_key = auth_takes_keys(names->at[i]);

		jw_obj(w);
		jw_kstr(w, "provider", names->at[i]);
		jw_kbool(w, "apiKeySupported", takes_key);
		jw_kbool(w, "quickApiKeySetup", takes_key);
		jw_end(w);
	}
	jw_end(w);
}

static ch_status run_status(struct gw_call *call, struct ch_err *err)
{
	CH_AUTO_BUF struct buf out = { 0 };
	struct jw w = JW(&out);
	struct status_call s = { .call = call, .w = &w, .now_wall = now_wall_ms(),
				 .is_admin = gw_conn_has(call->conn, GW_SCOPE_ADMIN) };
	struct names names = { 0 };
	ch_status st = find_scope(call, &s.scope, err);

	if (!st)
		st = all_providers(call->gw, &s.scope, call->arena, &names, err);
	if (st)
		return st;
	buf_init(&out, GW_FRAME_MAX);
	jw_obj(&w);
	jw_kint(&w, "ts", s.now_wall);
	jw_karr(&w, "providers");
	for (size_t i = 0; !st && i < names.len; i++)
		st = write_provider(&s, names.at[i], err);
	jw_end(&w);
	write_capabilities(&w, &names);
	jw_end(&w);
	if (!st)
		st = buf_status(&out, err, "the status of credentials");
	if (st)
		return st;
	jw_raw(gw_reply_begin(call), out.data, out.len);
	gw_reply_end(call);
	return CH_OK;
}

/* ---- models.authSetApiKey ---- */

ch_status gwm_key_profile(struct gw *gw, struct arena *a, const struct gwm_key_place *at, const char **ret,
			  struct ch_err *err)
{
	struct auth_profiles list = { 0 };
	struct auth_candidates all = { 0 };
	const struct auth_want want = { .provider = at->provider, .agent_id = at->agent_id };
	ch_status st = auth_store_list(gw->db, a, at->owner, at->provider, &list, err);

	if (!st)
		st = auth_candidates_find(gw->models, gw_config(gw), &want, a, &all, err);
	if (st)
		return st;
	*ret = arena_printf(a, "%s:manual", at->provider);
	for (size_t i = 0; i < all.len; i++) {
		const struct auth_candidate *c = &all.at[i];

		if (c->source != AUTH_FROM_PROFILE || c->kind != AUTH_KIND_API_KEY ||
		    !str_eq(c->profile.agent_id, at->owner))
			continue;
		*ret = c->id;
		break;
	}
	return CH_OK;
}

static ch_status run_set_key(struct gw_call *call, struct ch_err *err)
{
	const char *provider = provider_of(call);
	const char *key = str_trim(call->arena, json_get_str(call->params, "apiKey"));
	struct scope scope;
	const char *id = NULL;
	struct jw *w;
	ch_status st = find_scope(call, &scope, err);

	if (!st && (!*provider || !*key))
		st = ch_fail(err, CH_E_INVALID, "provider and apiKey must not be blank");
	if (!st && !auth_takes_keys(provider))
		st = ch_fail(err, CH_E_INVALID, "%s takes no stored keys (see docs/providers.md)", provider);
	if (!st)
		st = gwm_key_profile(call->gw, call->arena,
				     &(struct gwm_key_place){ provider, scope.agent_id, scope.owner }, &id, err);
	if (!st)
		st = auth_store_put(call->gw->db,
				    &(struct auth_profile){ .agent_id = scope.owner,
							    .id = id,
							    .provider = provider,
							    .kind = AUTH_KIND_API_KEY },
				    key, NULL, err);
	if (st)
		return st;
	w = gw_reply_begin(call);
	jw_obj(w);
	jw_kstr(w, "provider", provider);
	jw_kstr(w, "profileId", id);
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

/* ---- models.authLogout ---- */

static bool is_chosen(const struct json *params, const struct auth_profile *p)
{
	const struct json *ids = json_get(params, "profileIds");

	if (ids)
		return order_has(ids, p->id);
	return !json_get(params, "credentialType") || p->kind == AUTH_KIND_API_KEY;
}

/* Every id that is named must be there; nothing is removed otherwise. */
static ch_status check_ids(const struct json *ids, const struct auth_profiles *list, struct ch_err *err)
{
	json_each(v, ids) {
		bool is_there = false;

		for (size_t i = 0; i < list->len; i++)
			is_there |= str_eq(list->at[i].id, json_str(v));
		if (!is_there)
			return ch_fail(err, CH_E_INVALID, "profileIds contain unavailable auth profiles");
	}
	return CH_OK;
}

static ch_status run_logout(struct gw_call *call, struct ch_err *err)
{
	const struct json *ids = json_get(call->params, "profileIds");
	const char *provider = provider_of(call);
	struct auth_profiles all = { 0 }, own = { 0 };
	struct scope scope;
	struct json *removed = json_new_arr(call->arena);
	struct jw *w;
	ch_status st = find_scope(call, &scope, err);

	if (!st && ids && json_get(call->params, "credentialType"))
		st = ch_fail(err, CH_E_INVALID, "Choose either API keys or specific profiles");
	if (!st)
		st = auth_store_list(call->gw->db, call->arena, scope.owner, provider, &all, err);
	if (st)
		return st;
	own.at = arena_alloc(call->arena, (all.len + 1) * sizeof(*own.at));
	for (size_t i = 0; i < all.len; i++) {
		if (str_eq(all.at[i].agent_id, scope.owner))
			own.at[own.len++] = all.at[i];
	}
	st = check_ids(ids, &own, err);
	for (size_t i = 0; !st && i < own.len; i++) {
		if (!is_chosen(call->params, &own.at[i]))
			continue;
		st = auth_store_remove(call->gw->db, scope.owner, own.at[i].id, NULL, err);
		json_push(removed, json_new_str(call->arena, own.at[i].id));
	}
	if (st)
		return st;
	w = gw_reply_begin(call);
	jw_obj(w);
	jw_kstr(w, "provider", provider);
	jw_kvalue(w, "removedProfiles", removed);
	jw_karr(w, "abortedRunIds");     /* a request that is on its way keeps what it has */
	jw_end(w);
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

/* ---- models.authOrderSet ---- */

static ch_status check_order(const char *provider, const struct json *ids, const struct auth_profiles *list,
			     struct ch_err *err)
{
	for (const struct json *v = json_first(ids); v; v = v->next) {
		bool is_there = false;

		for (const struct json *u = v->next; u; u = u->next) {
			if (str_eq(json_str(u), json_str(v)))
				return ch_fail(err, CH_E_INVALID,
					       "invalid models.authOrderSet params: at /profileIds: must NOT "
					       "have duplicate items");
		}
		for (size_t i = 0; i < list->len; i++)
			is_there |= str_eq(list->at[i].id, json_str(v));
		if (!is_there)
			return ch_fail(err, CH_E_INVALID, "profileId %s is unavailable for provider %s",
				       json_str(v), provider);
	}
	if (json_len(ids) != list->len)
		return ch_fail(err, CH_E_INVALID,
			       "profileIds must include every available profile for provider %s", provider);
	return CH_OK;
}

static ch_status run_order_set(struct gw_call *call, struct ch_err *err)
{
	const struct json *ids = json_get(call->params, "profileIds");
	const char *provider = provider_of(call);
	const struct json *order = NULL;
	struct auth_profiles list = { 0 };
	struct scope scope;
	bool is_stored = false;
	struct jw *w;
	ch_status st = find_scope(call, &scope, err);

	if (!st)
		st = auth_order_effective(call->gw->models, gw_config(call->gw), call->arena, scope.owner,
					  provider, &order, &is_stored, err);
	if (!st && ids && order && !is_stored)
		st = ch_fail(err, CH_E_INVALID,
			     "profile priority for provider %s is controlled by auth configuration",
			     provider);
	if (!st)
		st = auth_store_list(call->gw->db, call->arena, scope.agent_id, provider, &list, err);
	if (!st && ids)
		st = check_order(provider, ids, &list, err);
	if (!st)
		st = auth_order_set(call->gw->db, scope.owner, provider, ids, err);
	if (st)
		return st;
	w = gw_reply_begin(call);
	jw_obj(w);
	jw_kstr(w, "provider", provider);
	jw_kvalue(w, "profileIds", ids);
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

/* ---- models.authRefresh ---- */

/* After another program changed credentials. They are read when they are used, so there is nothing to bring up to date. */
static ch_status run_refresh(struct gw_call *call, struct ch_err *err)
{
	struct scope scope;
	struct jw *w;
	ch_status st = find_scope(call, &scope, err);

	if (st)
		return st;
	w = gw_reply_begin(call);
	jw_obj(w);
	jw_kbool(w, "refreshed", true);
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

/* ---- the table ---- */

static const char *const key_types[] = { "api_key", NULL };
static const char *const operations[] = { "login", "logout", "update", NULL };

static const struct gw_param logout_params[] = {
	{ "provider", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "profileIds", GP_ARR, .min = 1, .max = 1000, .item = GP_STR },
	{ "credentialType", GP_ENUM, .choices = key_types },
	{ "agentId", GP_STR },
	{ 0 },
};
static const struct gw_param order_params[] = {
	{ "provider", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "profileIds", GP_ARR, .min = 1, .max = 1000, .item = GP_STR },
	{ "agentId", GP_STR },
	{ 0 },
};
static const struct gw_param refresh_params[] = {
	{ "operation", GP_ENUM, GP_REQUIRED, .choices = operations },
	{ "agentId", GP_STR },
	{ 0 },
};
static const struct gw_param set_key_params[] = {
	{ "provider", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "apiKey", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "agentId", GP_STR },
	{ 0 },
};
static const struct gw_param status_params[] = {
	{ "refresh", GP_BOOL },
	{ "agentId", GP_STR },
	{ 0 },
};

const struct gw_method gwm_models_auth[] = {
	/* name                   run            scope           flags                              params */
	{ "models.authLogout",    run_logout,    GW_SCOPE_ADMIN, GW_CONTROL_WRITE,                  logout_params },
	{ "models.authOrderSet",  run_order_set, GW_SCOPE_ADMIN, GW_CONTROL_WRITE,                  order_params },
	{ "models.authRefresh",   run_refresh,   GW_SCOPE_ADMIN, GW_CONTROL_WRITE,                  refresh_params },
	{ "models.authSetApiKey", run_set_key,   GW_SCOPE_ADMIN, GW_CONTROL_WRITE | GW_OPEN_PARAMS, set_key_params },
	{ "models.authStatus",    run_status,    GW_SCOPE_READ,  0,                                 status_params },
};
const size_t gwm_models_auth_count = CH_ARRAY_LEN(gwm_models_auth);
