/*
 * web/search_pick.c - which search services there are, which is asked, and what it is asked with.
 */
#include <string.h>

#include "core/str.h"
#include "net/url.h"
#include "web/search_priv.h"

/* Sorted by label, as clients list them. */
static const struct search_provider *const providers[] = {
	&search_brave, &search_duckduckgo, &search_searxng, &search_tavily,
};

/* The reference's precedence; services that need nothing are not asked unless they are named. */
static const struct search_provider *const automatic[] = { &search_brave, &search_tavily, &search_searxng };

const struct search_provider *search_find(const char *id)
{
	for (size_t i = 0; id && i < CH_ARRAY_LEN(providers); i++)
		if (str_ieq(providers[i]->id, id))
			return providers[i];
	return NULL;
}

static bool is_enabled(const struct search_provider *p, const struct config *c)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);

	return config_bool(c, arena_printf(a, "plugins.entries.%s.enabled", p->id), true);
}

/* Where a needed value comes from: "config", "secretRef", "env", "missing". */
static const char *source_of(const struct config *c, const char *path, const char *env)
{
	const struct json *v = config_get(c, path);

	if (json_is(v, JSON_OBJ))
		return "secretRef";
	if (!str_empty(json_str(v)))
		return json_str(v)[0] == '$' ? "secretRef" : "config";
	return env && !str_empty(config_env(c, env)) ? "env" : "missing";
}

static const char *credential_source(const struct search_provider *p, const struct config *c)
{
	if (p->key_path)
		return source_of(c, p->key_path, p->key_env);
	return p->base ? "none" : source_of(c, p->base_path, p->base_env);
}

bool search_is_configured(const struct search_provider *p, const struct config *c)
{
	return is_enabled(p, c) && !str_eq(credential_source(p, c), "missing");
}

const struct search_provider *search_auto(const struct config *c, size_t i)
{
	for (size_t k = 0; k < CH_ARRAY_LEN(automatic); k++)
		if (search_is_configured(automatic[k], c) && i-- == 0)
			return automatic[k];
	return NULL;
}

const char *search_selected(const struct config *c, const char **ret_why)
{
	const char *named = config_str(c, "tools.web.search.provider");
	const struct search_provider *p = str_empty(named) ? search_auto(c, 0) : search_find(named);

	if (!config_bool(c, "tools.web.search.enabled", true))
		*ret_why = "tools.web.search.enabled is false";
	else if (!p && !str_empty(named))
		*ret_why = "tools.web.search.provider names a service that this version does not have: brave, duckduckgo, searxng, tavily";
	else if (!p)
		*ret_why = "no search service is configured: set BRAVE_API_KEY, TAVILY_API_KEY or SEARXNG_BASE_URL, "
			   "or tools.web.search.provider to duckduckgo";
	else if (!search_is_configured(p, c))
		*ret_why = "the search service of tools.web.search.provider has no credential or is not enabled: see plugins.entries";
	else
		return p->id;
	return NULL;
}

size_t search_provider_count(void)
{
	return CH_ARRAY_LEN(providers);
}

void search_provider_info(size_t i, const struct config *c, struct search_info *ret)
{
	const struct search_provider *p = providers[i];

	*ret = (struct search_info){
		.id = p->id, .label = p->label, .hint = p->hint, .docs_url = p->docs_url, .signup_url = p->signup_url,
		.credential_path = p->key_path ? p->key_path : p->base ? NULL : p->base_path,
		.credential_source = credential_source(p, c), .is_configured = search_is_configured(p, c), .is_enabled = is_enabled(p, c),
	};
}

/* -- access -- */

static ch_status check_base(const char *path, const char *base, struct arena *a, struct ch_err *err)
{
	struct url u;
	ch_status st = url_parse(a, base, &u, err);

	if (st)
		return ch_wrap(err, "%s", path);
	if (!str_starts(u.scheme, "http") || u.query || u.fragment)
		return ch_fail(err, CH_E_INVALID, "%s must be an https address without query", path);
	if (str_eq(u.scheme, "http") && !web_host_is_local(u.host))
		return ch_fail(err, CH_E_INVALID, "%s must be https: %.80s is not in your own network", path, u.host);
	return CH_OK;
}

/* A value of the configuration, else of the environment; NULL when it is not set. */
static CH_FIBER ch_status read_value(const struct config *c, const char *path, const char *env, struct secret **ret, struct ch_err *err)
{
	struct ch_err why = { 0 };
	ch_status st = config_get(c, path) ? config_secret(c, path, ret, &why) : CH_E_NOT_FOUND;
	const char *value;

	/* One that is there and cannot be read is not replaced by the environment's. */
	if (st && config_get(c, path))
		return ch_fail(err, st, "%s", why.text);
	value = st && env ? config_env(c, env) : NULL;
	if (!str_empty(value))
		*ret = secret_new(value);
	return CH_OK;
}

CH_FIBER ch_status search_access(const struct search_provider *p, const struct config *c, struct arena *a, struct secret **ret_key,
				 const char **ret_base, struct ch_err *err)
{
	CH_AUTO(secret_unref) struct secret *key = NULL, *base = NULL;
	char *text;
	ch_status st = CH_OK;

	if (!is_enabled(p, c))
		return ch_fail(err, CH_E_NOT_FOUND, "%s is switched off: plugins.entries.%s.enabled is false", p->label, p->id);
	if (p->key_path)
		st = read_value(c, p->key_path, p->key_env, &key, err);
	if (!st && p->key_path && !key)
		st = ch_fail(err, CH_E_NOT_FOUND, "%s needs a key: set %s or %s", p->label, p->key_path, p->key_env);
	if (!st && key && strpbrk(secret_reveal(key), "\r\n"))
		st = ch_fail(err, CH_E_INVALID, "%s holds a line end, which no key has", p->key_path);
	if (!st)
		st = read_value(c, p->base_path, p->base_env, &base, err);
	if (st)
		return st;
	if (!base && !p->base)
		return ch_fail(err, CH_E_NOT_FOUND, "%s needs its address: set %s or %s", p->label, p->base_path, p->base_env);
	text = arena_strdup(a, base ? secret_reveal(base) : p->base);
	for (size_t n = strlen(text); n && text[n - 1] == '/'; n--)
		text[n - 1] = '\0';
	st = check_base(p->base_path, text, a, err);
	if (st)
		return st;
	*ret_key = CH_TAKE(key);
	*ret_base = text;
	return CH_OK;
}
