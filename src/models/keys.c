/*
 * models/keys.c - a provider's keys in the environment. Their values stay
 * inside struct secret until the header is written.
 */
#include "models/keys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/str.h"
#include "models/auth.h"
#include "models/auth_pick.h"
#include "models/models_priv.h"

/* ---- the list ---- */

struct env_list {
	struct arena *a;
	struct env_key *at;
	size_t len;
};

static void add(struct env_list *l, const char *id, const char *name, const char *value, size_t len)
{
	for (size_t i = 0; i < l->len; i++) {
		if (l->at[i].len == len && memcmp(l->at[i].at, value, len) == 0)
			return;
	}
	if (len && l->len < ENV_KEYS_MAX)
		l->at[l->len++] = (struct env_key){ id, name, value, len };
}

static bool add_variable(struct env_list *l, const char *name)
{
	const char *value = getenv(name);

	if (str_empty(value))
		return false;
	add(l, arena_printf(l->a, "env:%s", name), name, value, strlen(value));
	return true;
}

static void add_listed(struct env_list *l, const char *name)
{
	static const char between[] = ",; \t\r\n";
	const char *at = getenv(name);
	int nth = 0;

	while (!str_empty(at)) {
		size_t len;

		at += strspn(at, between);
		len = strcspn(at, between);
		if (len)
			add(l, arena_printf(l->a, "env:%s#%d", name, ++nth), name, at, len);
		at += len;
	}
}

static void add_family(struct env_list *l, const char *name)
{
	if (!str_ends(name, "_API_KEY")) {
		add_variable(l, name);
		return;
	}
	add_listed(l, arena_printf(l->a, "%sS", name));
	add_variable(l, name);
	for (int i = 1; i < ENV_KEYS_MAX && add_variable(l, arena_printf(l->a, "%s_%d", name, i)); i++) {
	}
}

static void add_live(struct env_list *l, const char *provider)
{
	char *name = arena_printf(l->a, "OPENCLAW_LIVE_%s_KEY", provider);

	for (char *p = name; *p; p++) {
		if (*p >= 'a' && *p <= 'z')
			*p = (char)(*p - 'a' + 'A');
		else if (*p == '-')
			*p = '_';
	}
	add_variable(l, name);
}

size_t key_env_list(struct arena *a, const char *provider, struct env_key **ret)
{
	const struct model_endpoint *e = model_endpoint_find(provider);
	struct env_list l = { .a = a };

	*ret = NULL;
	if (!e)
		return 0;
	l.at = arena_alloc(a, ENV_KEYS_MAX * sizeof(*l.at));
	add_live(&l, e->id);
	for (size_t i = 0; e->key_env[i]; i++)
		add_family(&l, e->key_env[i]);
	*ret = l.at;
	return l.len;
}

struct secret *key_env_open(const char *provider, const char *id)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct env_key *keys;
	size_t n = key_env_list(a, provider, &keys);

	for (size_t i = 0; i < n; i++) {
		CH_AUTO_STR char *value = NULL;
		struct secret *s;

		if (!str_eq(keys[i].id, id))
			continue;
		value = ch_strndup(keys[i].at, keys[i].len);
		s = secret_new(value);
		explicit_bzero(value, keys[i].len);
		return s;
	}
	return NULL;
}

/* ---- names and hints ---- */

const char *key_follow_name(const char *text)
{
	const char *value;

	if (str_empty(text) || text[strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_")] || !strchr(text, '_'))
		return text;
	value = getenv(text);
	return str_empty(value) ? text : value;
}

void key_hint(const char *provider, char *ret_text, size_t cap)
{
	const struct model_endpoint *e = model_endpoint_find(provider);

	if (e && e->key_env[0])
		snprintf(ret_text, cap, "models.providers.%s.apiKey or %s", provider, e->key_env[0]);
	else
		snprintf(ret_text, cap, "models.providers.%s.apiKey", provider);
}

bool key_is_there(struct models *m, const char *provider)
{
	return auth_has_any(m, provider, NULL);
}
