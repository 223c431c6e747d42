/*
 * models/call_params.c - the settings of a request that the configuration makes.
 */
#include "models/call_params.h"

#include "core/str.h"
#include "models/models_priv.h"

/* A member by a name that people write in any case. */
static const struct json *member(const struct json *obj, const char *name)
{
	if (!json_is(obj, JSON_OBJ))
		return NULL;
	json_each(v, obj) {
		if (str_ieq(v->key, name))
			return v;
	}
	return NULL;
}

static void add(struct arena *a, const struct json **params, const struct json *more)
{
	if (json_is(more, JSON_OBJ))
		*params = *params ? json_merge(a, *params, more) : more;
}

static const struct json *of_model(const struct json *agent, const struct model_entry *e)
{
	return json_get(member(json_get(agent, "models"), e->ref), "params");
}

static const struct json *of_provider(const struct config *c, const struct model_entry *e)
{
	json_each(v, json_get(provider_object(c, e->provider), "models")) {
		if (str_eq(json_get_str(v, "id"), e->id))
			return json_get(v, "params");
	}
	return NULL;
}

const struct json *call_params(const struct config *c, const struct model_call *call, const struct model_entry *e,
			       struct arena *a)
{
	const struct json *defaults = c ? config_get(c, "agents.defaults") : NULL;
	const struct json *agent = c && call->agent_id ? member(config_get(c, "agents.entries"), call->agent_id) : NULL;
	const struct json *params = NULL;

	add(a, &params, of_provider(c, e));
	add(a, &params, json_get(defaults, "params"));
	add(a, &params, of_model(defaults, e));
	add(a, &params, of_model(agent, e));
	add(a, &params, json_get(agent, "params"));
	add(a, &params, call->params);
	return params;
}
