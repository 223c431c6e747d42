/*
 * gateway/methods/m_models.c - models.list: what may be chosen, and whether it would work; models.probe: does it?
 */
#include <string.h>

#include "core/str.h"
#include "gateway/methods/methods.h"
#include "gateway/render.h"
#include "models/auth_store.h"
#include "models/probe.h"
#include "models/route.h"

#define PROBE_TIMEOUT_MAX_MS 120000

enum models_view { VIEW_DEFAULT, VIEW_CONFIGURED, VIEW_PROVIDER_CONFIG, VIEW_ALL };

struct listing {
	struct gw *gw;
	struct jw *w;
	enum models_view view;
	const char *agent_id, *provider;         /* provider NULL: all */
	bool with_details;
	struct arena *arena;
	struct model_states states;
	struct model_route route;                /* the agent's: default and fallbacks */
	const char *image_ref;                   /* imageModel's primary, or NULL */
};

/* -- what is listed -- */

static int place_in_route(const struct listing *l, const char *ref)
{
	for (size_t i = 0; i < l->route.len; i++) {
		if (str_eq(l->route.at[i].ref, ref))
			return (int)i;
	}
	return -1;
}

static const char *alias_of(const struct listing *l, const char *ref)
{
	const struct json *all = config_get(gw_config(l->gw), "agents.defaults.models");

	json_each(v, all) {
		if (str_ieq(v->key, ref))
			return json_get_str(v, "alias");
	}
	return NULL;
}

static bool is_shown(const struct listing *l, const struct model_entry *e, enum model_standing standing)
{
	bool is_named = e->configured || place_in_route(l, e->ref) >= 0 || alias_of(l, e->ref);

	if (l->provider && !str_ieq(l->provider, e->provider))
		return false;
	switch (l->view) {
	case VIEW_DEFAULT:
		return (standing != MODEL_NO_CREDENTIAL || is_named) && model_is_allowed(l->gw->models, l->agent_id, e);
	case VIEW_CONFIGURED: return is_named;
	case VIEW_PROVIDER_CONFIG: return e->configured;
	case VIEW_ALL: break;
	}
	return true;
}

/* -- a model -- */

static void write_input(struct jw *w, const struct model_entry *e)
{
	jw_karr(w, "input");
	if (e->input_text || !e->input_image)
		jw_str(w, "text");
	if (e->input_image)
		jw_str(w, "image");
	jw_end(w);
}

static bool takes_effort(const struct model_entry *e, const char *name)
{
	const struct json *list = json_get(e->compat, "supportedReasoningEfforts");

	json_each(v, list) {
		if (str_eq(json_str(v), name))
			return true;
	}
	return false;
}

static void write_level(struct jw *w, const char *id)
{
	jw_obj(w);
	jw_kstr(w, "id", id);
	jw_kstr(w, "label", id);
	jw_end(w);
}

static void write_thinking(struct jw *w, const struct model_entry *e)
{
	static const char *const common[] = { "off", "minimal", "low", "medium", "high" };
	static const char *const more[] = { "xhigh", "max" };

	jw_karr(w, "thinkingLevels");
	for (size_t i = 0; i < (e->reasoning ? CH_ARRAY_LEN(common) : 1); i++)
		write_level(w, common[i]);
	for (size_t i = 0; e->reasoning && i < CH_ARRAY_LEN(more); i++) {
		if (takes_effort(e, more[i]))
			write_level(w, more[i]);
	}
	jw_end(w);
	jw_kstr(w, "thinkingDefault", e->reasoning ? "medium" : "off");
}

static void write_tags(const struct listing *l, const struct model_entry *e)
{
	int place = place_in_route(l, e->ref);
	bool is_image = str_eq(l->image_ref, e->ref);

	if (place < 0 && !is_image)
		return;
	jw_karr(l->w, "tags");
	if (place == 0)
		jw_str(l->w, "default");
	else if (place > 0)
		jw_str(l->w, arena_printf(l->arena, "fallback#%d", place));
	if (is_image)
		jw_str(l->w, "image");
	jw_end(l->w);
}

static void write_standing(struct jw *w, const struct model_state *state)
{
	jw_kbool(w, "available", state->standing == MODEL_READY);
	if (state->standing == MODEL_NO_CREDENTIAL)
		jw_kstr(w, "unavailableReason", "missing-auth");
	if (state->standing != MODEL_RESTS)
		return;
	jw_kstr(w, "unavailableReason", "cooldown");
	jw_kint(w, "unavailableUntil", state->until);
}

static bool is_local(const struct model_entry *e)
{
	const struct model_endpoint *endpoint = model_endpoint_find(e->provider);

	return (endpoint && endpoint->is_local) || strstr(e->base_url, "//127.") || strstr(e->base_url, "//localhost") ||
	       strstr(e->base_url, "//[::1]");
}

static bool write_model(void *arg, const struct model_entry *e)
{
	struct listing *l = arg;
	struct jw *w = l->w;
	const struct model_state *state = model_states_at(l->gw->models, &l->states, l->agent_id, e);

	if (!is_shown(l, e, state->standing))
		return true;
	jw_obj(w);
	jw_kstr(w, "id", e->id);
	jw_kstr(w, "name", str_empty(e->name) ? e->id : e->name);
	jw_kstr(w, "provider", e->provider);
	jw_kstr_opt(w, "alias", alias_of(l, e->ref));
	if (e->context_window > 0)
		jw_kint(w, "contextWindow", e->context_window);
	if (l->with_details)
		jw_kbool(w, "local", is_local(e));
	write_input(w, e);
	jw_kbool(w, "reasoning", e->reasoning);
	write_tags(l, e);
	write_thinking(w, e);
	if (l->with_details && json_get(e->compat, "supportsTools"))
		jw_kbool(w, "supportsTools", json_get_bool(e->compat, "supportsTools", true));
	write_standing(w, state);
	jw_end(w);
	return true;
}

/* The rest of a listing is found out here. */
static void write_models(struct listing *l)
{
	const struct model_route_want want = { .agent_id = l->agent_id };
	const struct json *image = config_get(gw_config(l->gw), "agents.defaults.imageModel");
	const char *name = json_str(image) ? json_str(image) : json_get_str(image, "primary");
	struct model_entry e;

	if (model_route(l->gw->models, &want, l->arena, &l->route, NULL))
		l->route.len = 0;
	if (!str_empty(name) && !model_resolve(l->gw->models, name, l->agent_id, l->arena, &e, NULL, NULL))
		l->image_ref = e.ref;
	model_states_begin(l->gw->models, &l->states);
	jw_arr(l->w);
	models_each(l->gw->models, write_model, l);
	jw_end(l->w);
	model_states_end(&l->states);
}

void gw_render_models(struct gw *gw, struct jw *w)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct listing l = { .gw = gw, .w = w, .agent_id = agent_default_id(gw_config(gw), a), .arena = a };

	write_models(&l);
}

/* -- models.list -- */

static const char *const views[] = { "default", "configured", "provider-config", "all", NULL };

static enum models_view view_of(const struct json *params)
{
	const char *view = json_get_str(params, "view");

	for (size_t i = 0; view && views[i]; i++) {
		if (str_eq(view, views[i]))
			return (enum models_view)i;
	}
	return VIEW_DEFAULT;
}

CH_FIBER static ch_status run_list(struct gw_call *call, struct ch_err *err)
{
	const struct json *p = call->params;
	struct listing l = {
		.gw = call->gw, .view = view_of(p), .provider = json_get_str(p, "provider"),
		.agent_id = json_get_str(p, "agentId"), .with_details = json_get_bool(p, "includeDetails", false),
		.arena = call->arena,
	};
	bool refresh = json_get_bool(p, "refresh", false);

	if (refresh && json_get_bool(p, "preparedOnly", false))
		return ch_fail(err, CH_E_INVALID, "invalid models.list params: at root: must NOT be valid");
	if (refresh) {
		models_discover(call->gw->models);
		gw_render_forget(call->gw->render);
	}
	if (!l.agent_id)
		l.agent_id = agent_default_id(gw_config(call->gw), call->arena);
	l.w = gw_reply_begin(call);
	jw_obj(l.w);
	jw_key(l.w, "models");
	write_models(&l);
	jw_end(l.w);
	gw_reply_end(call);
	return CH_OK;
}

static const struct gw_param list_params[] = {
	{ "agentId", GP_STR, GP_NON_EMPTY },
	{ "sessionKey", GP_STR, GP_NON_EMPTY },
	{ "authProfileId", GP_STR, GP_NON_EMPTY },
	{ "provider", GP_STR, GP_NON_EMPTY },
	{ "includeDetails", GP_BOOL },
	{ "includeProviderCapabilities", GP_BOOL },
	{ "includeDefaultModels", GP_BOOL },
	{ "preparedOnly", GP_BOOL },
	{ "refresh", GP_BOOL },
	{ "view", GP_ENUM, .choices = views },
	{0},
};

/* -- models.probe -- */

struct probe_line { const char *profile, *label; struct probe_result result; };

/* What is asked: each stored profile of the provider, or whatever credential it has. */
static ch_status find_lines(struct gw_call *call, const char *agent_id, const char *provider, const char *ref,
			    struct probe_line **ret, size_t *ret_count, struct ch_err *err)
{
	const char *profile = json_get_str(call->params, "profileId");
	struct auth_profiles all = { 0 };
	struct probe_line *lines;
	ch_status st = CH_OK;

	if (!profile)
		st = auth_store_list(call->gw->db, call->arena, agent_id, provider, &all, err);
	if (st)
		return st;
	lines = arena_alloc(call->arena, CH_MAX(all.len, 1) * sizeof(*lines));
	for (size_t i = 0; i < all.len; i++)
		lines[i] = (struct probe_line){ .profile = all.at[i].id,
						.label = arena_printf(call->arena, "%s · %s", all.at[i].id, ref) };
	if (!all.len)
		lines[0] = (struct probe_line){ .profile = profile,
						.label = arena_printf(call->arena, "%s · %s",
								      profile ? profile : "Configured credential", ref) };
	*ret = lines;
	*ret_count = CH_MAX(all.len, 1);
	return CH_OK;
}

static void write_outcome(struct jw *w, const struct probe_result *r)
{
	jw_kstr(w, "status", probe_status_name(r->status));
	jw_kint(w, "latencyMs", r->latency_ms);
	if (r->error[0])
		jw_kstr(w, "error", r->error);
}

/* The best of the lines stands for the provider. */
static void write_probe(struct jw *w, const char *provider, const struct probe_line *lines, size_t n)
{
	const struct probe_result *best = &lines[0].result;

	for (size_t i = 1; i < n; i++) {
		if (best->status != PROBE_OK && lines[i].result.status == PROBE_OK)
			best = &lines[i].result;
	}
	jw_obj(w);
	jw_kstr(w, "provider", provider);
	write_outcome(w, best);
	jw_karr(w, "results");
	for (size_t i = 0; i < n; i++) {
		jw_obj(w);
		jw_kstr_opt(w, "profileId", lines[i].profile);
		jw_kstr(w, "label", lines[i].label);
		write_outcome(w, &lines[i].result);
		jw_end(w);
	}
	jw_end(w);
	jw_end(w);
}

static void write_no_model(struct jw *w, const char *provider)
{
	jw_obj(w);
	jw_kstr(w, "provider", provider);
	jw_kstr(w, "status", "no_model");
	jw_kstr(w, "error", "No model of this provider is known.");
	jw_karr(w, "results");
	jw_end(w);
	jw_end(w);
}

CH_FIBER static ch_status run_probe(struct gw_call *call, struct ch_err *err)
{
	const char *provider = json_get_str(call->params, "provider"), *agent_id = json_get_str(call->params, "agentId");
	const char *ref;
	struct probe_line *lines;
	size_t n;
	ch_status st;

	if (str_empty(agent_id))
		agent_id = agent_default_id(gw_config(call->gw), call->arena);
	ref = model_probe_ref(call->gw->models, agent_id, provider, call->arena);
	if (!ref) {
		write_no_model(gw_reply_begin(call), provider);
		gw_reply_end(call);
		return CH_OK;
	}
	st = find_lines(call, agent_id, provider, ref, &lines, &n, err);
	if (st)
		return st;
	for (size_t i = 0; i < n; i++) {
		const struct probe p = {
			.ref = ref, .agent_id = agent_id, .auth_profile = lines[i].profile,
			.timeout_ms = CH_MIN(json_get_int(call->params, "timeoutMs", PROBE_MS), PROBE_TIMEOUT_MAX_MS),
		};

		model_probe(call->gw->models, &p, &lines[i].result);
	}
	write_probe(gw_reply_begin(call), provider, lines, n);
	gw_reply_end(call);
	return CH_OK;
}

static const struct gw_param probe_params[] = {
	{ "provider", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "profileId", GP_STR, GP_NON_EMPTY },
	{ "timeoutMs", GP_INT, .min = 1, .max = INT64_MAX },
	{ "agentId", GP_STR },
	{0},
};

const struct gw_method gwm_models[] = {
	/* name            run        scope           flags  params */
	{ "models.list",   run_list,  GW_SCOPE_READ,  0,     list_params },
	{ "models.probe",  run_probe, GW_SCOPE_ADMIN, 0,     probe_params },
};
const size_t gwm_models_count = CH_ARRAY_LEN(gwm_models);
