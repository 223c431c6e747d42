/*
 * models/catalog.c - every model that can be named: those of the
 * configuration, those that are built in, what Ollama has.
 *
 * Merged by provider and id, the configuration first. models.mode "replace"
 * leaves out the built-in ones. Other settings of a provider (baseUrl, api,
 * maxTokens, contextWindow) hold for all of its models.
 */
#include <string.h>

#include "core/str.h"
#include "models/models_priv.h"

#define UNKNOWN_WINDOW 128000
#define UNKNOWN_LOCAL_WINDOW 8192

const struct json *provider_object(const struct config *c, const char *provider)
{
	if (!c)
		return NULL;
	json_each(v, config_get(c, "models.providers")) {
		if (str_ieq(v->key, provider) && json_is(v, JSON_OBJ))
			return v;
	}
	return NULL;
}

const struct json *provider_config(struct models *m, const char *provider)
{
	return provider_object(catalog_config(m), provider);
}

bool provider_is_known(struct models *m, const char *provider)
{
	return model_endpoint_find(provider) || provider_config(m, provider);
}

/* What holds for every model of a provider. */
static void entry_begin(struct models *m, struct arena *a, const char *provider, const char *id,
			struct model_entry *ret)
{
	const struct model_endpoint *e = model_endpoint_find(provider);
	const struct json *conf = provider_config(m, provider);
	char *lower = arena_strdup(a, provider);

	str_lower(lower);
	*ret = (struct model_entry){
		.provider = lower,
		.id = arena_strdup(a, id),
		.name = arena_strdup(a, id),
		.ref = arena_printf(a, "%s/%s", lower, id),
		.api = json_str_or(json_get(conf, "api"), e ? model_endpoint_api(e, id) : "openai-completions"),
		.base_url = json_str_or(json_get(conf, "baseUrl"), e ? e->base_url : ""),
		.context_window = json_get_int(conf, "contextWindow", e && e->is_local ? UNKNOWN_LOCAL_WINDOW
										       : UNKNOWN_WINDOW),
		.max_tokens = json_get_int(conf, "maxTokens", 0),
		.input_text = true,
		.headers = json_get(conf, "headers"),
	};
}

static void entry_builtin(struct models *m, const struct builtin_model *b, struct model_entry *ret)
{
	struct json *compat = NULL;

	entry_begin(m, m->arena, b->provider, b->id, ret);
	ret->name = b->name;
	ret->context_window = b->context_window;
	ret->max_tokens = b->max_tokens;
	ret->reasoning = b->reasoning;
	ret->input_image = b->input_image;
	ret->has_cost = b->input > 0 || b->output > 0 || str_eq(b->provider, "offline");
	ret->cost_input = b->input;
	ret->cost_output = b->output;
	ret->cost_cache_read = b->cache_read;
	ret->cost_cache_write = b->cache_write;
	if (b->compat && !json_parse(m->arena, b->compat, strlen(b->compat), JSON_STRICT, &compat, NULL))
		ret->compat = compat;
}

static const struct builtin_model *builtin_find(const char *provider, const char *id)
{
	size_t n;
	const struct builtin_model *all = builtin_models(&n);

	for (size_t i = 0; i < n; i++) {
		if (str_ieq(all[i].provider, provider) && str_eq(all[i].id, id))
			return &all[i];
	}
	return NULL;
}

static bool list_has(const struct json *list, const char *word)
{
	json_each(v, list) {
		if (str_eq(json_str(v), word))
			return true;
	}
	return false;
}

static void take_cost(const struct json *cost, struct model_entry *ret)
{
	if (!json_is(cost, JSON_OBJ))
		return;
	ret->has_cost = true;
	ret->cost_input = json_num_or(json_get(cost, "input"), 0);
	ret->cost_output = json_num_or(json_get(cost, "output"), 0);
	ret->cost_cache_read = json_num_or(json_get(cost, "cacheRead"), 0);
	ret->cost_cache_write = json_num_or(json_get(cost, "cacheWrite"), 0);
}

/* Ollama behind its OpenAI-compatible door cuts prompts at its own default unless it is told the size. */
static void take_num_ctx(struct models *m, const struct json *conf, struct model_entry *ret)
{
	bool is_ollama = str_eq(ret->provider, "ollama") || strstr(ret->base_url, ":11434");
	struct json *compat;

	if (!is_ollama || !str_eq(ret->api, "openai-completions") ||
	    !json_get_bool(conf, "injectNumCtxForOpenAICompat", true))
		return;
	compat = ret->compat ? json_clone(m->arena, ret->compat) : json_new_obj(m->arena);
	json_set(m->arena, compat, "injectNumCtx", json_new_bool(m->arena, true));
	ret->compat = compat;
}

/* A row of models.providers.<id>.models; what it does not say is taken from the built-in one. */
static void entry_configured(struct models *m, const struct json *conf, const char *id, const struct json *v,
			     struct model_entry *ret)
{
	const struct builtin_model *b = builtin_find(conf->key, id);
	const struct json *input = json_get(v, "input");
	int64_t cap = json_get_int(v, "contextTokens", 0);

	if (b)
		entry_builtin(m, b, ret);
	else
		entry_begin(m, m->arena, conf->key, id, ret);
	ret->configured = true;
	ret->name = json_str_or(json_get(v, "name"), ret->name);
	ret->api = json_str_or(json_get(v, "api"), ret->api);
	ret->context_window = json_get_int(v, "contextWindow", ret->context_window);
	if (cap > 0)
		ret->context_window = CH_MIN(ret->context_window, cap);
	ret->max_tokens = json_get_int(v, "maxTokens", ret->max_tokens);
	ret->reasoning = json_get_bool(v, "reasoning", ret->reasoning);
	ret->input_image = input ? list_has(input, "image") : ret->input_image;
	if (json_is(json_get(v, "compat"), JSON_OBJ))
		ret->compat = json_get(v, "compat");
	take_cost(json_get(v, "cost"), ret);
	take_num_ctx(m, conf, ret);
}

const struct model_entry *catalog_at(struct models *m, size_t i)
{
	(void)catalog_config(m);
	return i < m->entries.len ? &m->entries.at[i] : NULL;
}

const struct model_entry *catalog_find(struct models *m, const char *provider, const char *id)
{
	const struct model_entry *e;

	for (size_t i = 0; (e = catalog_at(m, i)); i++) {
		if (str_ieq(e->provider, provider) && str_eq(e->id, id))
			return e;
	}
	return NULL;
}

static void add(struct models *m, const struct model_entry *e)
{
	for (size_t i = 0; i < m->entries.len; i++) {
		if (str_eq(m->entries.at[i].ref, e->ref))
			return;
	}
	vec_push(&m->entries, *e);
}

static void build(struct models *m)
{
	const struct json *providers = m->config ? config_get(m->config, "models.providers") : NULL;
	bool is_alone = m->config && str_eq(config_str(m->config, "models.mode"), "replace");
	struct model_entry e;
	size_t n;
	const struct builtin_model *all = builtin_models(&n);

	json_each(conf, providers) {
		json_each(v, json_get(conf, "models")) {
			const char *id = json_get_str(v, "id");

			if (str_empty(id))
				continue;
			entry_configured(m, conf, id, v, &e);
			add(m, &e);
		}
	}
	for (size_t i = 0; i < n; i++) {
		if (is_alone && !str_eq(all[i].provider, "offline"))
			continue;
		entry_builtin(m, &all[i], &e);
		add(m, &e);
	}
	for (size_t i = 0; i < m->found.len; i++)
		add(m, &m->found.at[i]);
}

void catalog_drop(struct models *m)
{
	arena_unref(CH_TAKE(m->arena));
	config_unref(CH_TAKE(m->config));
	m->entries.len = 0;
}

const struct config *catalog_config(struct models *m)
{
	struct config *now = m->opts.config ? m->opts.config(m->opts.arg) : NULL;

	if (m->arena && now == m->config)
		return m->config;
	catalog_drop(m);
	m->arena = arena_new(0);
	m->config = now ? config_ref(now) : NULL;
	build(m);
	return m->config;
}

bool catalog_improvise(struct models *m, struct arena *a, const char *provider, const char *id,
		       struct model_entry *ret)
{
	if (!provider_is_known(m, provider))
		return false;
	entry_begin(m, a, provider, id, ret);
	return !str_empty(ret->base_url);
}

void entry_copy(struct arena *a, const struct model_entry *from, struct model_entry *ret)
{
	*ret = *from;
	ret->provider = arena_strdup(a, from->provider);
	ret->id = arena_strdup(a, from->id);
	ret->name = arena_strdup(a, from->name);
	ret->api = arena_strdup(a, from->api);
	ret->base_url = arena_strdup(a, from->base_url);
	ret->ref = arena_strdup(a, from->ref);
	ret->headers = from->headers ? json_clone(a, from->headers) : NULL;
	ret->compat = from->compat ? json_clone(a, from->compat) : NULL;
	ret->auth_profile = from->auth_profile ? arena_strdup(a, from->auth_profile) : NULL;
}

void models_each(struct models *m, bool (*each)(void *arg, const struct model_entry *e), void *arg)
{
	const struct model_entry *e;

	for (size_t i = 0; (e = catalog_at(m, i)); i++) {
		if (!each(arg, e))
			return;
	}
}
