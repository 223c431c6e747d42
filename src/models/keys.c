/*
 * models/keys.c - where a provider's key comes from. Its value stays inside
 * struct secret until the header is written.
 */
#include <stdlib.h>
#include <string.h>

#include "config/path.h"
#include "core/str.h"
#include "models/models_priv.h"

const char *key_from_env(const struct model_endpoint *e)
{
	for (size_t i = 0; e && e->key_env[i]; i++) {
		const char *value = getenv(e->key_env[i]);

		if (!str_empty(value))
			return value;
	}
	return NULL;
}

/* An apiKey may be the bare name of a variable. */
static struct secret *follow_variable(struct secret *s)
{
	const char *text = secret_reveal(s), *value;

	if (str_empty(text) || text[strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")] || !strchr(text, '_'))
		return s;
	value = getenv(text);
	if (str_empty(value))
		return s;
	secret_unref(s);
	return secret_new(value);
}

void key_hint(const char *provider, char *ret_text, size_t cap)
{
	const struct model_endpoint *e = model_endpoint_find(provider);

	if (e && e->key_env[0])
		snprintf(ret_text, cap, "models.providers.%s.apiKey or %s", provider, e->key_env[0]);
	else
		snprintf(ret_text, cap, "models.providers.%s.apiKey", provider);
}

/* A provider of the configuration's own may do without a key; the service will say so if not. */
static bool is_optional(struct models *m, const char *provider)
{
	const struct model_endpoint *e = model_endpoint_find(provider);

	return e ? e->key_optional || json_get(provider_config(m, provider), "baseUrl") != NULL
		 : provider_config(m, provider) != NULL;
}

CH_FIBER ch_status key_find(struct models *m, struct config *cfg, const char *provider, struct secret **ret,
			    struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	const char *path = config_path_join(a, config_path_join(a, "models.providers", provider), "apiKey");
	char hint[160];
	const char *env;
	ch_status st;

	if (cfg && config_get(cfg, path)) {
		st = config_secret(cfg, path, ret, err);
		if (st)
			return st;
		*ret = follow_variable(*ret);
		return CH_OK;
	}
	env = key_from_env(model_endpoint_find(provider));
	if (env) {
		*ret = secret_new(env);
		return CH_OK;
	}
	if (is_optional(m, provider)) {
		*ret = NULL;
		return CH_OK;
	}
	key_hint(provider, hint, sizeof(hint));
	return ch_fail(err, CH_E_NOT_FOUND, "there is no key for %s: set %s", provider, hint);
}

bool key_is_there(struct models *m, const char *provider)
{
	const struct json *key = json_get(provider_config(m, provider), "apiKey");

	if (key && !(json_is(key, JSON_STR) && str_empty(json_str(key))))
		return true;
	return key_from_env(model_endpoint_find(provider)) || is_optional(m, provider);
}
