/*
 * models/resolve.c - which model is meant.
 *
 * A reference is "provider/id", split at the first '/' (ids may hold more of
 * them), optionally with "@profile" behind it: the credential to use.
 * A word without '/' is an alias, else the id of exactly one configured
 * model, else an id of the default provider.
 */
#include <string.h>

#include "config/path.h"
#include "core/str.h"
#include "models/auth.h"
#include "models/models_priv.h"
#include "models/route.h"

/* *ret_profile is left alone when there is none. */
static const char *without_profile(struct arena *a, const char *ref, const char **ret_profile)
{
	/* An address may be a part of a profile's id: "openai/gpt-4o@openai:me@example.org". */
	const char *slash = strchr(ref, '/'), *at = strchr(slash ? slash + 1 : ref, '@');

	/* "@cf/meta/llama" begins with one, which is part of the id. */
	while (at && (at == ref || at[-1] == '/' || strchr(at, '/')))
		at = strchr(at + 1, '@');
	if (!at || !at[1])
		return ref;
	*ret_profile = arena_strdup(a, at + 1);
	return arena_strndup(a, ref, (size_t)(at - ref));
}

/* {alias} of agents.defaults.models["provider/id"]; the reference it stands for, or NULL. */
static const char *follow_alias(const struct config *c, const char *word)
{
	const struct json *models = c ? config_get(c, "agents.defaults.models") : NULL;

	json_each(v, models) {
		if (str_ieq(json_get_str(v, "alias"), word))
			return v->key;
	}
	return NULL;
}

static const char *suggest(struct models *m, const char *wanted)
{
	const struct model_entry *e;
	const char *best = NULL;
	size_t least = 4;

	for (size_t i = 0; (e = catalog_at(m, i)); i++) {
		size_t d = CH_MIN(str_distance(wanted, e->ref, least), str_distance(wanted, e->id, least));

		if (d < least) {
			least = d;
			best = e->ref;
		}
	}
	return best;
}

static ch_status not_known(struct models *m, const char *wanted, struct ch_err *err)
{
	const char *near = suggest(m, wanted);

	if (near)
		return ch_fail(err, CH_E_NOT_FOUND, "model '%.100s' is not known; did you mean '%s'?", wanted, near);
	return ch_fail(err, CH_E_NOT_FOUND,
		       "model '%.100s' is not known: write provider/model, with the provider in models.providers", wanted);
}

static ch_status by_ref(struct models *m, const char *ref, struct arena *a, struct model_entry *ret, struct ch_err *err)
{
	const char *slash = strchr(ref, '/'), *provider, *id;
	const struct model_entry *e;

	provider = arena_strndup(a, ref, (size_t)(slash - ref));
	id = slash + 1;
	if (!*provider || !*id)
		return not_known(m, ref, err);
	e = catalog_find(m, provider, id);
	if (e) {
		entry_copy(a, e, ret);
		return CH_OK;
	}
	if (!str_ieq(provider, "offline") && catalog_improvise(m, a, provider, id, ret)) {
		entry_copy(a, ret, ret);
		return CH_OK;
	}
	return not_known(m, ref, err);
}

static const struct model_entry *unique_configured(struct models *m, const char *id)
{
	const struct model_entry *found = NULL, *e;

	for (size_t i = 0; (e = catalog_at(m, i)); i++) {
		if (!e->configured || !str_eq(e->id, id))
			continue;
		if (found)
			return NULL;
		found = e;
	}
	return found;
}

static const struct model_entry *first_ready(struct models *m, const char *id)
{
	const struct model_entry *e;

	for (size_t i = 0; (e = catalog_at(m, i)); i++) {
		if (str_eq(e->id, id) && key_is_there(m, e->provider))
			break;
	}
	return e;
}

const char *resolve_primary(const struct json *model)
{
	const char *text = json_is(model, JSON_OBJ) ? json_get_str(model, "primary") : json_str(model);

	return str_empty(text) ? NULL : text;
}

static const char *default_primary(const struct config *c)
{
	return c ? resolve_primary(config_get(c, "agents.defaults.model")) : NULL;
}

static const char *default_provider(struct models *m, struct arena *a)
{
	const char *primary = default_primary(m->config), *slash;
	const char *behind = primary ? follow_alias(m->config, primary) : NULL;

	primary = behind ? behind : primary;
	slash = primary ? strchr(primary, '/') : NULL;
	return slash ? arena_strndup(a, primary, (size_t)(slash - primary)) : NULL;
}

static ch_status by_word(struct models *m, const char *word, struct arena *a, struct model_entry *ret,
			 struct ch_err *err)
{
	const struct model_entry *e = unique_configured(m, word);
	const char *provider = default_provider(m, a);

	if (!e && provider)
		e = catalog_find(m, provider, word);
	if (!e)
		e = first_ready(m, word);
	if (!e)
		return not_known(m, word, err);
	entry_copy(a, e, ret);
	return CH_OK;
}

ch_status resolve_name(struct models *m, const char *name, struct arena *a, struct model_entry *ret,
		       struct ch_err *err)
{
	const struct config *c = catalog_config(m);
	const char *profile = NULL, *ref, *alias;
	ch_status st;

	name = str_trim(a, name);
	/* An alias may look like anything, so it is tried as it stands first. */
	alias = follow_alias(c, name);
	ref = alias ? alias : without_profile(a, name, &profile);
	if (!alias)
		alias = follow_alias(c, ref);
	if (alias)
		ref = without_profile(a, alias, &profile);
	st = strchr(ref, '/') ? by_ref(m, ref, a, ret, err) : by_word(m, ref, a, ret, err);
	if (!st)
		ret->auth_profile = profile;
	return st;
}

/* What the credentials offer, stored or in the environment: the first endpoint that has one. */
static const char *from_credentials(struct models *m, const char *agent_id, struct arena *a)
{
	size_t n;
	const struct model_endpoint *all = model_endpoints(&n);

	for (size_t i = 0; i < n; i++) {
		if (all[i].default_model && !all[i].key_optional && auth_has_any(m, all[i].id, agent_id))
			return arena_printf(a, "%s/%s", all[i].id, all[i].default_model);
	}
	return NULL;
}

static const char *first_configured(struct models *m)
{
	const struct model_entry *e;

	for (size_t i = 0; (e = catalog_at(m, i)); i++) {
		if (e->configured)
			return e->ref;
	}
	return NULL;
}

const struct json *resolve_agent_setting(const struct config *c, const char *agent_id, const char *key)
{
	CH_AUTO(arena_unref) struct arena *a = NULL;

	if (!c || str_empty(agent_id))
		return NULL;
	a = arena_new(0);
	return config_get(c, config_path_join(a, config_path_join(a, "agents.entries", agent_id), key));
}

const char *resolve_default(struct models *m, const char *agent_id, struct arena *a, const char **ret_source)
{
	const struct config *c = catalog_config(m);
	const char *of_agent = resolve_primary(resolve_agent_setting(c, agent_id, "model")), *of_all = default_primary(c);
	const char *listed = first_configured(m);
	bool is_open = !of_agent && !of_all && !listed;  /* else the credentials need not be looked at */
	const struct { const char *name, *source; } steps[] = {
		{ of_agent, "agent" },
		{ of_all, "config" },
		{ listed, "config" },
		{ is_open ? from_credentials(m, agent_id, a) : NULL, "environment" },
		{ m->found_default ? arena_printf(a, "ollama/%s", m->found_default) : NULL, "ollama" },
		{ "offline/demo", "offline" },
	};
	size_t i = 0;

	while (!steps[i].name)
		i++;
	*ret_source = steps[i].source;
	return steps[i].name;
}

ch_status model_resolve(struct models *m, const char *wanted, const char *agent_id, struct arena *a,
			struct model_entry *ret, const char **ret_source, struct ch_err *err)
{
	const char *source = "session", *name = wanted;
	ch_status st;

	if (str_empty(name))
		name = resolve_default(m, agent_id, a, &source);
	st = resolve_name(m, name, a, ret, err);
	if (!st && name == wanted && !model_is_allowed(m, agent_id, ret))
		return ch_fail(err, CH_E_DENIED, "%s is not among the models of agents.defaults.modelPolicy.allow", ret->ref);
	if (!st && ret_source)
		*ret_source = source;
	return st;
}

bool models_provider_ready(struct models *m, const char *provider)
{
	return provider_is_known(m, provider) && key_is_there(m, provider);
}
