/*
 * gateway/methods/m_web.c - webSearch.status and webSearch.test: which search service answers, and does it.
 *
 * Search is always the gateway's own tool here: no model's built-in search is used, so the route is "managed" or nothing.
 */
#include "core/clock.h"
#include "core/fiber.h"
#include "core/str.h"
#include "gateway/methods/methods.h"
#include "gateway/render.h"
#include "gateway/services.h"
#include "web/search.h"

#define TEST_COUNT 5

/* The model that the page shows beside the route: as asked, else the agent's. */
static ch_status find_model(struct gw_call *call, const struct agent_info *agent, const char **ret_provider, const char **ret_id,
			    struct ch_err *err)
{
	const char *provider = json_get_str(call->params, "modelProvider"), *id = json_get_str(call->params, "modelId");
	const struct gw_model_facts *facts;

	if (!provider != !id)
		return ch_fail(err, CH_E_INVALID, "modelProvider and modelId must be supplied together");
	if (!provider) {
		facts = gw_render_model(call->gw->render, agent->id, NULL);
		provider = facts->provider;
		id = facts->model;
	}
	*ret_provider = provider;
	*ret_id = id;
	return CH_OK;
}

static void write_provider(struct jw *w, const struct search_info *p)
{
	jw_obj(w);
	jw_kstr(w, "id", p->id);
	jw_kstr(w, "pluginId", p->id);
	jw_kstr(w, "label", p->label);
	jw_kstr(w, "hint", p->hint);
	jw_kbool(w, "configured", p->is_configured);
	jw_kbool(w, "installed", true);
	jw_kbool(w, "available", p->is_enabled);
	jw_kbool(w, "requiresCredential", p->credential_path != NULL);
	jw_kstr(w, "credentialSource", p->credential_source);
	jw_karr(w, "configPath");
	jw_str(w, "plugins");
	jw_str(w, "entries");
	jw_str(w, p->id);
	jw_str(w, "config");
	jw_str(w, "webSearch");
	jw_end(w);
	jw_kstr_opt(w, "credentialPath", p->credential_path);
	jw_kstr(w, "docsUrl", p->docs_url);
	jw_kstr(w, "signupUrl", p->signup_url);
	jw_end(w);
}

static const char *label_of(const struct config *c, const char *id)
{
	struct search_info info;

	for (size_t i = 0; i < search_provider_count(); i++) {
		search_provider_info(i, c, &info);
		if (str_eq(info.id, id))
			return info.label;
	}
	return id;
}

static void write_route(struct jw *w, const struct config *c, const char *selected, const char *why)
{
	bool is_off = !config_bool(c, "tools.web.search.enabled", true);

	jw_kobj(w, "route");
	jw_kstr(w, "kind", selected ? "managed" : is_off ? "disabled" : "unavailable");
	jw_kstr_opt(w, "provider", selected);
	jw_kstr(w, "label", selected ? label_of(c, selected) : is_off ? "Search disabled" : "No search provider available");
	if (!selected)
		jw_kstr(w, "reason", why);
	jw_kbool(w, "testable", selected != NULL);
	jw_end(w);
	if (selected && !str_empty(config_str(c, "tools.web.search.provider"))) {
		jw_kobj(w, "testProvider");
		jw_kstr(w, "id", selected);
		jw_kstr(w, "label", label_of(c, selected));
		jw_end(w);
	}
}

static ch_status run_status(struct gw_call *call, struct ch_err *err)
{
	struct config *c = gw_config(call->gw);
	const char *provider, *model, *why = NULL, *selected = search_selected(c, &why);
	const char *named = config_str(c, "tools.web.search.provider");
	const struct agent_info *agent;
	struct search_info info;
	struct jw *w;
	ch_status st = gw_call_agent(call, &agent, err);

	if (!st)
		st = find_model(call, agent, &provider, &model, err);
	if (st)
		return st;
	w = gw_reply_begin(call);
	jw_obj(w);
	jw_kbool(w, "enabled", config_bool(c, "tools.web.search.enabled", true));
	jw_kstr(w, "provider", str_empty(named) ? NULL : named);
	jw_kstr(w, "agentId", agent->id);
	jw_kobj(w, "model");
	jw_kstr(w, "provider", provider);
	jw_kstr(w, "id", model);
	jw_kstr(w, "runtime", "openclaw");
	jw_kstr(w, "runtimeLabel", "chela");
	jw_end(w);
	write_route(w, c, selected, why);
	jw_karr(w, "providers");
	for (size_t i = 0; i < search_provider_count(); i++) {
		search_provider_info(i, c, &info);
		write_provider(w, &info);
	}
	jw_end(w);
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

/* -- webSearch.test -- */

static void write_results(struct jw *w, const struct search_out *o)
{
	jw_karr(w, "results");
	for (size_t i = 0; i < o->count; i++) {
		jw_obj(w);
		jw_kstr(w, "title", o->hits[i].title);
		jw_kstr(w, "url", o->hits[i].url);
		jw_kstr_opt(w, "snippet", o->hits[i].snippet);
		jw_end(w);
	}
	jw_end(w);
	jw_kbool(w, "cached", o->is_cached);
}

static CH_FIBER ch_status run_test(struct gw_call *call, struct ch_err *err)
{
	CH_AUTO(config_unref) struct config *c = config_ref(gw_config(call->gw));
	const char *why = NULL, *selected = search_selected(c, &why), *asked = json_get_str(call->params, "providerId");
	const char *provider, *model;
	struct search_in in = { .config = c, .query = json_get_str(call->params, "query"), .count = TEST_COUNT, .is_uncached = true,
				.deadline_ms = fiber_deadline(config_int(c, "tools.web.search.timeoutSeconds", 30) * 1000) };
	int64_t started = now_mono_ms();
	const struct agent_info *agent;
	struct search_out out = { 0 };
	struct ch_err why_not = { 0 };
	struct jw *w;
	ch_status st = gw_call_agent(call, &agent, err);

	if (!st)
		st = find_model(call, agent, &provider, &model, err);
	if (st)
		return st;
	if (!selected)
		return ch_fail(err, CH_E_INVALID, "%s", why);
	if (asked && !str_eq(asked, selected))
		return ch_fail(err, CH_E_INVALID, "'%.40s' is not the service that is asked now: choose it in tools.web.search.provider first",
			       asked);
	in.provider = selected;
	st = web_search(call->gw->services->host.web, &in, call->arena, &out, &why_not);
	if (st == CH_E_CANCELED)
		return ch_fail(err, st, "%s", why_not.text);
	w = gw_reply_begin(call);
	jw_obj(w);
	jw_kstr(w, "provider", selected);
	jw_kint(w, "latencyMs", now_mono_ms() - started);
	jw_kstr(w, "status", st ? "error" : "ok");
	if (st)
		jw_kstr(w, "error", why_not.text);
	else
		write_results(w, &out);
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

#define SELECTION                                                                          \
	{ "agentId", GP_STR, GP_NON_EMPTY, .min = 1, .max = 512 },                         \
	{ "modelProvider", GP_STR, GP_NON_EMPTY, .min = 1, .max = 512 },                   \
	{ "modelId", GP_STR, GP_NON_EMPTY, .min = 1, .max = 512 }

static const struct gw_param status_params[] = { SELECTION, { 0 } };
static const struct gw_param test_params[] = {
	SELECTION,
	{ "query", GP_STR, GP_REQUIRED | GP_NON_EMPTY, .min = 1, .max = 500 },
	{ "providerId", GP_STR, GP_NON_EMPTY, .min = 1, .max = 512 },
	{ 0 },
};

const struct gw_method gwm_web[] = {
	/* name               run         scope           flags  params */
	{ "webSearch.status", run_status, GW_SCOPE_READ,  0,     status_params },
	{ "webSearch.test",   run_test,   GW_SCOPE_ADMIN, 0,     test_params },
};
const size_t gwm_web_count = CH_ARRAY_LEN(gwm_web);
