/*
 * gateway/methods/m_models.c - models.list: what may be chosen, and whether it would work.
 */
#include "core/str.h"
#include "gateway/methods/methods.h"
#include "gateway/render.h"

enum models_view { VIEW_DEFAULT, VIEW_CONFIGURED, VIEW_ALL };

struct listing {
	struct gw *gw;
	struct jw *w;
	enum models_view view;
	const struct gw_model_facts *chosen;     /* the agent's own model */
};

static bool is_shown(const struct listing *l, const struct model_entry *e, bool is_ready)
{
	switch (l->view) {
	case VIEW_DEFAULT: return is_ready || e->configured;
	case VIEW_CONFIGURED: return e->configured;
	case VIEW_ALL: return true;
	}
	return true;
}

static void write_input(struct jw *w, const struct model_entry *e)
{
	jw_karr(w, "input");
	if (e->input_text || !e->input_image)
		jw_str(w, "text");
	if (e->input_image)
		jw_str(w, "image");
	jw_end(w);
}

static void write_thinking(struct jw *w, bool is_reasoning)
{
	static const char *const levels[] = { "off", "minimal", "low", "medium", "high" };

	jw_karr(w, "thinkingLevels");
	for (size_t i = 0; i < (is_reasoning ? CH_ARRAY_LEN(levels) : 1); i++) {
		jw_obj(w);
		jw_kstr(w, "id", levels[i]);
		jw_kstr(w, "label", levels[i]);
		jw_end(w);
	}
	jw_end(w);
	jw_kstr(w, "thinkingDefault", is_reasoning ? "medium" : "off");
}

static bool write_model(void *arg, const struct model_entry *e)
{
	struct listing *l = arg;
	bool is_ready = models_provider_ready(l->gw->models, e->provider);
	struct jw *w = l->w;

	if (!is_shown(l, e, is_ready))
		return true;
	jw_obj(w);
	jw_kstr(w, "id", e->id);
	jw_kstr(w, "name", str_empty(e->name) ? e->id : e->name);
	jw_kstr(w, "provider", e->provider);
	if (e->context_window > 0)
		jw_kint(w, "contextWindow", e->context_window);
	write_input(w, e);
	jw_kbool(w, "reasoning", e->reasoning);
	if (l->chosen && str_eq(l->chosen->provider, e->provider) && str_eq(l->chosen->model, e->id)) {
		jw_karr(w, "tags");
		jw_str(w, "default");
		jw_end(w);
	}
	write_thinking(w, e->reasoning);
	jw_kbool(w, "available", is_ready);
	if (!is_ready)
		jw_kstr(w, "unavailableReason", "missing-auth");
	jw_end(w);
	return true;
}

static void write_models(struct gw *gw, struct jw *w, enum models_view view, const char *agent_id)
{
	struct listing l = { gw, w, view, gw_render_model(gw->render, agent_id, NULL) };

	jw_arr(w);
	models_each(gw->models, write_model, &l);
	jw_end(w);
}

void gw_render_models(struct gw *gw, struct jw *w)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);

	write_models(gw, w, VIEW_DEFAULT, agent_default_id(gw_config(gw), a));
}

static enum models_view view_of(const struct json *params)
{
	const char *view = json_get_str(params, "view");

	if (str_eq(view, "all"))
		return VIEW_ALL;
	return str_eq(view, "configured") || str_eq(view, "provider-config") ? VIEW_CONFIGURED : VIEW_DEFAULT;
}

CH_FIBER static ch_status run_list(struct gw_call *call, struct ch_err *err)
{
	const char *agent = json_get_str(call->params, "agentId");
	struct jw *w;

	if (json_get_bool(call->params, "refresh", false)) {
		models_discover(call->gw->models);
		gw_render_forget(call->gw->render);
	}
	if (!agent)
		agent = agent_default_id(gw_config(call->gw), call->arena);
	w = gw_reply_begin(call);
	jw_obj(w);
	jw_key(w, "models");
	write_models(call->gw, w, view_of(call->params), agent);
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

static const char *const views[] = { "default", "configured", "provider-config", "all", NULL };
static const struct gw_param list_params[] = {
	{ "agentId", GP_STR, GP_NON_EMPTY },
	{ "sessionKey", GP_STR, GP_NON_EMPTY },
	{ "includeDetails", GP_BOOL },
	{ "includeProviderCapabilities", GP_BOOL },
	{ "preparedOnly", GP_BOOL },
	{ "refresh", GP_BOOL },
	{ "view", GP_ENUM, .choices = views },
	{0},
};

const struct gw_method gwm_models[] = {
	/* name           run       scope          flags  params */
	{ "models.list",  run_list, GW_SCOPE_READ, 0,     list_params },
};
const size_t gwm_models_count = CH_ARRAY_LEN(gwm_models);
