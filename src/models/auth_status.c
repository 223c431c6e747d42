/*
 * models/auth_status.c - credentials in words.
 */
#include "models/auth_status.h"

#include <stdio.h>
#include <string.h>

#include "core/str.h"
#include "models/keys.h"
#include "models/models_priv.h"

bool auth_takes_keys(const char *provider)
{
	const struct model_endpoint *e = model_endpoint_find(provider);

	return !e || (e->key_env[0] && !str_eq(e->api, "bedrock-converse-stream"));
}

const char *auth_status_name(enum auth_status s)
{
	static const char *const names[] = {
		[AUTH_EXPIRED] = "expired", [AUTH_MISSING] = "missing", [AUTH_EXPIRING] = "expiring",
		[AUTH_OK] = "ok",           [AUTH_STATIC] = "static",
	};

	return names[s];
}

enum auth_status auth_profile_status(const struct auth_profile *p, int64_t now_wall)
{
	if (p->refused)
		return AUTH_EXPIRED;
	if (p->kind == AUTH_KIND_API_KEY || (!p->expires_at && p->kind == AUTH_KIND_TOKEN))
		return AUTH_STATIC;
	if (p->has_refresh || !p->expires_at)
		return AUTH_OK;
	if (p->expires_at <= now_wall)
		return AUTH_EXPIRED;
	return p->expires_at - AUTH_EXPIRING_MS <= now_wall ? AUTH_EXPIRING : AUTH_OK;
}

int64_t auth_profile_end(const struct auth_profile *p, int64_t now_wall)
{
	return p->has_refresh && !p->refused && p->expires_at <= now_wall ? 0 : p->expires_at;
}

void auth_remaining_text(int64_t ms, char ret_text[24])
{
	int64_t minutes = (ms + 30000) / 60000, hours = (ms + 1800000) / 3600000;

	if (ms <= 0)
		snprintf(ret_text, 24, "0m");
	else if (minutes < 60)
		snprintf(ret_text, 24, "%lldm", (long long)CH_MAX(minutes, 1));
	else if (hours < 48)
		snprintf(ret_text, 24, "%lldh", (long long)hours);
	else
		snprintf(ret_text, 24, "%lldd", (long long)((ms + 43200000) / 86400000));
}

static bool is_in(const struct json *order, const char *id)
{
	json_each(v, order) {
		if (str_eq(json_str(v), id))
			return true;
	}
	return order == NULL;
}

enum auth_status auth_rollup(const struct auth_profiles *list, const struct json *order, int64_t now_wall,
			     int64_t *ret_end)
{
	static const enum auth_kind deciding[] = { AUTH_KIND_OAUTH, AUTH_KIND_TOKEN, AUTH_KIND_API_KEY };

	*ret_end = 0;
	for (size_t k = 0; k < CH_ARRAY_LEN(deciding); k++) {
		enum auth_status worst = AUTH_STATIC;
		bool is_there = false;

		for (size_t i = 0; i < list->len; i++) {
			const struct auth_profile *p = &list->at[i];
			int64_t end = auth_profile_end(p, now_wall);

			if (p->kind != deciding[k] || !is_in(order, p->id))
				continue;
			is_there = true;
			worst = CH_MIN(worst, auth_profile_status(p, now_wall));
			if (end && (!*ret_end || end < *ret_end))
				*ret_end = end;
		}
		if (is_there)
			return worst;
	}
	return AUTH_MISSING;
}

/* The variable that an apiKey names: bare, or as a SecretRef. */
static const char *variable_of(const struct json *key)
{
	if (json_is(key, JSON_OBJ))
		return str_eq(json_get_str(key, "source"), "env") ? json_get_str(key, "id") : NULL;
	return key_follow_name(json_str(key)) != json_str(key) ? json_str(key) : NULL;
}

bool auth_key_source(struct models *m, const struct config *cfg, const char *provider, struct arena *a,
		     struct auth_key_source *ret)
{
	const struct json *key = json_get(provider_object(cfg, provider), "apiKey");
	struct env_key *keys;

	if (key && !(json_is(key, JSON_STR) && str_empty(json_str(key)))) {
		const char *name = variable_of(key);

		*ret = (struct auth_key_source){ name ? "env" : "config", name };
		return true;
	}
	if (!key_env_list(a, provider, &keys))
		return false;
	*ret = (struct auth_key_source){ "env", keys[0].name };
	return true;
}
