/*
 * gateway/methods/m_commands.c - commands.list: the slash commands, with what completes their arguments.
 */
#include "core/str.h"
#include "gateway/methods/methods.h"
#include "gateway/render.h"

/* What the list is for: whose model decides on thinking levels, which surface, which parts. */
struct listing {
	struct gw *gw;
	const struct gw_model_facts *model;
	bool with_args, is_native;
};

static void put_choice(struct jw *w, const char *value)
{
	jw_obj(w);
	jw_kstr(w, "value", value);
	jw_kstr(w, "label", value);
	jw_end(w);
}

/* Thinking levels of the model, as rows and sessions.patch have them. */
static void put_levels(const struct listing *l, struct jw *w)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	CH_AUTO_BUF struct buf text = { 0 };
	struct jw levels = JW(&text);
	struct json *parsed;

	put_choice(w, "default");
	buf_init(&text, 16u << 10);
	jw_obj(&levels);
	gw_render_thinking(&levels, l->model);
	jw_end(&levels);
	if (json_parse(a, buf_str(&text), text.len, JSON_STRICT, &parsed, NULL))
		return;
	json_each(level, json_get(parsed, "thinkingOptions"))
		put_choice(w, json_str(level));
}

static void put_args(const struct listing *l, struct jw *w, const struct slash_arg *args)
{
	jw_karr(w, "args");
	for (const struct slash_arg *arg = args; arg && arg->name; arg++) {
		jw_obj(w);
		jw_kstr(w, "name", arg->name);
		jw_kstr(w, "description", arg->description);
		jw_kstr(w, "type", "string");
		if (arg->is_required)
			jw_kbool(w, "required", true);
		if (arg->choices || arg->is_dynamic)
			jw_karr(w, "choices");
		for (const char *const *c = arg->choices; c && *c; c++)
			put_choice(w, *c);
		if (arg->is_dynamic)
			put_levels(l, w);
		if (arg->choices || arg->is_dynamic)
			jw_end(w);
		if (arg->is_dynamic)
			jw_kbool(w, "dynamic", true);
		jw_end(w);
	}
	jw_end(w);
}

static void put_command(const struct listing *l, struct jw *w, const struct slash_command *c)
{
	char slash[64];

	jw_obj(w);
	jw_kstr(w, "name", c->name);
	jw_kstr(w, "nativeName", c->name);
	if (!l->is_native) {
		jw_karr(w, "textAliases");
		snprintf(slash, sizeof(slash), "/%s", c->name);
		jw_str(w, slash);
		for (size_t i = 0; c->aliases && c->aliases[i]; i++) {
			snprintf(slash, sizeof(slash), "/%s", c->aliases[i]);
			jw_str(w, slash);
		}
		jw_end(w);
	}
	jw_kstr(w, "description", c->description);
	jw_kstr(w, "category", c->category);
	jw_kstr(w, "source", "native");
	jw_kstr(w, "scope", "both");
	jw_kbool(w, "acceptsArgs", c->args_hint != NULL);
	if (l->with_args && c->args)
		put_args(l, w, c->args);
	jw_end(w);
}

static void put_all(const struct listing *l, struct jw *w)
{
	size_t count;
	const struct slash_command *const *all = slash_commands(&count);

	jw_arr(w);
	for (size_t i = 0; i < count; i++)
		if (slash_is_listed(all[i], gw_config(l->gw)))
			put_command(l, w, all[i]);
	jw_end(w);
}

void gw_render_commands(struct gw *gw, struct jw *w)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct listing l = { .gw = gw, .with_args = true };

	l.model = gw_render_model(gw->render, agent_default_id(gw_config(gw), a), NULL);
	put_all(&l, w);
}

/* The model of the session that is named, else that of the agent. */
static ch_status find_model(struct gw_call *call, const struct gw_model_facts **ret, struct ch_err *err)
{
	CH_AUTO(sess_unref) struct sess *s = NULL;
	const struct agent_info *agent;
	struct sess_key key;
	ch_status st = gw_call_agent(call, &agent, err);

	if (st)
		return st;
	*ret = gw_render_model(call->gw->render, agent->id, NULL);
	if (!json_get_str(call->params, "sessionKey"))
		return CH_OK;
	st = gw_session_key_param(call, &key, err);
	if (!st && !sess_find(call->gw->sessions, key.key, &s, NULL))
		*ret = gw_render_session_model(call->gw->render, s);
	return st;
}

static ch_status run_commands(struct gw_call *call, struct ch_err *err)
{
	struct listing l = { .gw = call->gw, .with_args = json_get_bool(call->params, "includeArgs", true),
			     .is_native = str_eq(json_get_str(call->params, "scope"), "native") };
	ch_status st = find_model(call, &l.model, err);
	struct jw *w;

	if (st)
		return st;
	w = gw_reply_begin(call);
	jw_obj(w);
	jw_key(w, "commands");
	put_all(&l, w);
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

static const char *const scopes[] = { "text", "native", "both", NULL };
static const struct gw_param commands_params[] = {
	{ "sessionKey", GP_STR, GP_NON_EMPTY },
	{ "agentId", GP_STR, GP_NON_EMPTY },
	{ "provider", GP_STR, GP_NON_EMPTY },
	{ "scope", GP_ENUM, .choices = scopes },
	{ "includeArgs", GP_BOOL },
	{0},
};

const struct gw_method gwm_commands[] = {
	/* name           run           scope          flags  params */
	{ "commands.list", run_commands, GW_SCOPE_READ, 0,     commands_params },
};
const size_t gwm_commands_count = CH_ARRAY_LEN(gwm_commands);
