/*
 * models/auth.c - choosing a provider's credential and remembering how it fared.
 *
 *	candidates (auth_pick) -> the session's, else the first that is free -> its secret, refreshed when due
 */
#include "models/auth.h"

#include <string.h>

#include "config/path.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/str.h"
#include "models/auth_priv.h"
#include "models/dialect.h"
#include "models/keys.h"
#include "models/models_priv.h"
#include "models/oauth.h"

#define BRAND_NEW_MS 60000               /* a token refused within this of its making will be refused again */

/* ---- what a session used before ---- */

struct auth_state *auth_state_of(struct models *m)
{
	if (!m->auth) {
		m->auth = ch_alloc(sizeof(*m->auth));
		m->auth->sticky = map_new();
	}
	return m->auth;
}

static void sticky_clear(struct auth_state *s)
{
	size_t cursor = 0;
	const char *key;
	void *value;

	while (map_each(s->sticky, &cursor, &key, &value)) {
		map_take(s->sticky, key);
		ch_free(value);
	}
}

void auth_state_free(struct auth_state *s)
{
	if (!s)
		return;
	CH_BUG_ON(s->flights);           /* auth_drain() was forgotten */
	sticky_clear(s);
	map_free(s->sticky);
	ch_free(s);
}

static const char *sticky_key(struct arena *a, const struct auth_want *want)
{
	return arena_printf(a, "%s %s", want->provider, want->session_key);
}

static const char *sticky_find(struct models *m, struct arena *a, const struct auth_want *want)
{
	return want->session_key && m->auth ? map_find(m->auth->sticky, sticky_key(a, want)) : NULL;
}

static void sticky_put(struct models *m, struct arena *a, const struct auth_want *want, const char *id)
{
	struct auth_state *s = auth_state_of(m);

	if (!want->session_key)
		return;
	if (map_len(s->sticky) >= AUTH_STICKY_MAX)
		sticky_clear(s);
	ch_free(map_put(s->sticky, sticky_key(a, want), ch_strdup(id)));
}

void auth_session_forget(struct models *m, const char *session_key)
{
	size_t cursor = 0;
	const char *key;
	void *value;

	while (m->auth && map_each(m->auth->sticky, &cursor, &key, &value)) {
		const char *space = strchr(key, ' ');

		if (space && str_eq(space + 1, session_key)) {
			map_take(m->auth->sticky, key);
			ch_free(value);
		}
	}
}

/* ---- the secret of one ---- */

static CH_FIBER ch_status open_config(struct config *cfg, const char *provider, struct arena *a,
				      struct secret **ret, struct ch_err *err)
{
	const struct json *conf = provider_object(cfg, provider);
	const char *path = config_path_join(
		a, config_path_join(a, "models.providers", conf ? conf->key : provider), "apiKey");
	CH_AUTO(secret_unref) struct secret *s = NULL;
	const char *value;
	ch_status st = config_secret(cfg, path, &s, err);

	if (st)
		return st;
	value = key_follow_name(secret_reveal(s));
	*ret = value == secret_reveal(s) ? CH_TAKE(s) : secret_new(value);
	return CH_OK;
}

/* The profile's secret; an access token that is about to end is refreshed first. */
static CH_FIBER ch_status open_profile(struct models *m, struct auth_candidate *c, struct arena *a,
				       struct secret **ret, struct ch_err *err)
{
	bool is_over = c->profile.expires_at && c->profile.expires_at <= now_wall_ms();
	ch_status st;

	if (c->is_expired && c->profile.has_refresh) {
		st = oauth_refresh(m, &c->profile, err);
		if (st == CH_E_CANCELED)
			return st;
		/* The old token is good until its end: a server that is away for a minute costs nothing. */
		if (st && (is_over || st == CH_E_DENIED))
			return st;
		st = auth_store_find(m->opts.db, a, c->profile.agent_id, c->id, &c->profile, err);
		if (st)
			return st;
	}
	st = auth_store_secrets(m->opts.db, &c->profile, ret, NULL, err);
	if (!st && auth_store_touch(m->opts.db, &c->profile, now_wall_ms(), NULL))
		log_debug("models", "the last use of %s could not be written", c->id);
	return st;
}

static CH_FIBER ch_status open_secret(struct models *m, struct config *cfg, const struct auth_want *want,
				      struct auth_candidate *c, struct arena *a, struct secret **ret,
				      struct ch_err *err)
{
	switch (c->source) {
	case AUTH_FROM_PROFILE: return open_profile(m, c, a, ret, err);
	case AUTH_FROM_CONFIG: return open_config(cfg, want->provider, a, ret, err);
	case AUTH_FROM_ENV: break;
	}
	*ret = key_env_open(want->provider, c->id);
	return *ret ? CH_OK : ch_fail(err, CH_E_NOT_FOUND, "%s is not set any more", c->id + strlen("env:"));
}

static void fill_lease(const struct auth_want *want, const struct auth_candidate *c, struct secret *take,
		       struct auth_lease *ret)
{
	*ret = (struct auth_lease){ .kind = c->kind, .secret = take, .expires_at = c->profile.expires_at };
	FIELD_SET(ret->profile, c->id);
	FIELD_SET(ret->account_id, c->profile.account_id);
	FIELD_SET(ret->provider, want->provider);
	str_lower(ret->provider);
	FIELD_SET(ret->owner, c->subject.agent_id);
	FIELD_SET(ret->fingerprint, c->subject.fingerprint);
}

/* ---- acquiring ---- */

/* Why none can be had: the texts name the way out. */
static ch_status explain_none(struct models *m, const struct auth_want *want, const struct auth_candidates *all,
			      struct ch_err *err)
{
	const char *provider = want->provider;
	char hint[160];

	if (!str_empty(want->profile)) {
		if (all->len)
			return ch_fail(err, CH_E_DENIED, "%s: the auth profile '%.80s' cannot be used: %s",
				       provider, want->profile, all->at[0].unusable);
		return ch_fail(err, CH_E_DENIED,
			       "%s has no auth profile '%.80s' (see: chela models auth list)", provider,
			       want->profile);
	}
	if (all->len)
		return ch_fail(err, CH_E_NOT_FOUND,
			       "%s: '%.80s' cannot be used: %s (see: chela models auth list)", provider,
			       all->at[0].id, all->at[0].unusable);
	if (want->skip && want->skip[0])
		return ch_fail(err, CH_E_BUSY, "%s has no other credential to try", provider);
	if (oauth_is_configured(catalog_config(m), provider))
		return ch_fail(err, CH_E_NOT_FOUND,
			       "nobody has signed in to %s: chela models auth login --provider %s", provider,
			       provider);
	key_hint(provider, hint, sizeof(hint));
	return ch_fail(err, CH_E_NOT_FOUND, "there is no key for %s: set %s, or `chela models auth paste-api-key "
					    "--provider %s`",
		       provider, hint, provider);
}

static ch_status explain_blocked(const struct auth_want *want, const struct auth_candidate *first,
				 struct ch_err *err)
{
	int64_t wait_ms = CH_MAX(first->health.blocked_until - now_wall_ms(), 1);

	ch_fail(err, CH_E_BUSY, "%s: %s is left alone for %lld s more (%s)", want->provider, first->id,
		(long long)((wait_ms + 999) / 1000), first->health.reason);
	if (err)
		err->retry_after_ms = (int)CH_MIN(wait_ms, INT32_MAX);
	return CH_E_BUSY;
}

static bool may_try(const struct auth_want *want, const struct auth_candidate *c)
{
	return auth_candidate_is_free(c) || (want->even_blocked && !c->unusable);
}

/* The session's own to the front, when it is free. */
static void prefer(struct auth_candidates *all, const char *id)
{
	for (size_t i = 1; id && i < all->len; i++) {
		struct auth_candidate c = all->at[i];

		if (!str_eq(c.id, id) || !auth_candidate_is_free(&c))
			continue;
		memmove(&all->at[1], &all->at[0], i * sizeof(c));
		all->at[0] = c;
		return;
	}
}

static CH_FIBER ch_status acquire_one(struct models *m, struct config *cfg, const struct auth_want *want,
				      struct arena *a, struct auth_candidates *all, struct auth_lease *ret,
				      struct ch_err *err)
{
	ch_status st = CH_E_NOT_FOUND;
	bool was_tried = false;

	for (size_t i = 0; i < all->len && may_try(want, &all->at[i]); i++) {
		struct secret *s = NULL;

		was_tried = true;
		st = open_secret(m, cfg, want, &all->at[i], a, &s, err);
		if (!st) {
			fill_lease(want, &all->at[i], s, ret);
			/* Keys outside the store have one order only, and give way to what is stored. */
			if (all->at[i].source == AUTH_FROM_PROFILE)
				sticky_put(m, a, want, all->at[i].id);
			return CH_OK;
		}
		if (st == CH_E_CANCELED)
			return st;
		log_warn("models", "%s: %s; trying the next credential", all->at[i].id, err->text);
	}
	if (was_tried)
		return !str_empty(want->profile) && st != CH_E_BUSY
			       ? ch_fail(err, CH_E_DENIED, "%s", err->text)
			       : st;
	if (all->len && !all->at[0].unusable)
		return explain_blocked(want, &all->at[0], err);
	return explain_none(m, want, all, err);
}

CH_FIBER ch_status auth_acquire(struct models *m, struct config *cfg, const struct auth_want *want,
				struct auth_lease *ret, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct auth_candidates all = { 0 };
	struct ch_err own = { .text = "" };
	ch_status st;

	*ret = (struct auth_lease){ .kind = AUTH_KIND_NONE };
	err = err ? err : &own;
	st = auth_candidates_find(m, cfg, want, a, &all, err);
	if (st)
		return st;
	if (!all.len && str_empty(want->profile) && !(want->skip && want->skip[0]) &&
	    auth_is_optional(m, cfg, want->provider))
		return CH_OK;
	prefer(&all, sticky_find(m, a, want));
	return acquire_one(m, cfg, want, a, &all, ret, err);
}

void auth_release(struct auth_lease *l)
{
	secret_unref(l->secret);
	*l = (struct auth_lease){ .kind = AUTH_KIND_NONE };
}

/* ---- how it went ---- */

/*
 * An access token may be refused before its time. One that is not brand-new is
 * only marked for refreshing: the next use fetches another.
 */
static bool expire_early(struct db *db, const struct auth_lease *l, int64_t now_wall)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct auth_profile p;

	if (l->kind != AUTH_KIND_OAUTH || auth_store_find(db, a, l->owner, l->profile, &p, NULL))
		return false;
	if (!p.has_refresh || p.updated_at + BRAND_NEW_MS > now_wall)
		return false;
	return auth_store_stale(db, l->owner, l->profile, NULL) == CH_OK;
}

static ch_status report(struct db *db, const struct auth_lease *l, const struct auth_subject *who,
			const char *model, enum model_error_class c, int64_t retry_after_ms,
			struct ch_err *err)
{
	int64_t now = now_wall_ms();
	int failures = 0;
	ch_status st;

	if (c == MODEL_ERR_NONE)
		return auth_health_ok(db, who, model, err);
	if (!auth_cooldown_ms(c, 1))
		return CH_OK;
	if (c == MODEL_ERR_AUTH && expire_early(db, l, now))
		return CH_OK;
	st = auth_health_failed(db, who, model, c, retry_after_ms, now, &failures, err);
	if (!st)
		log_warn("models", "%s failed (%s, %d in a row); left alone for %lld s", l->profile,
			 model_error_class_name(c), failures, (long long)(auth_cooldown_ms(c, failures) / 1000));
	return st;
}

void auth_report(struct models *m, const struct auth_lease *l, const char *model, enum model_error_class c,
		 int64_t retry_after_ms)
{
	char config_id[sizeof(l->provider) + 8];
	struct auth_subject who = { l->owner, l->profile, l->fingerprint };
	struct ch_err err = { .text = "" };

	if (!l->profile[0] || !m->opts.db)
		return;
	if (str_eq(l->profile, "config")) {
		snprintf(config_id, sizeof(config_id), "config:%s", l->provider);
		who.id = config_id;
	}
	if (report(m->opts.db, l, &who, model, c, retry_after_ms, &err))
		log_warn("models", "how %s fared could not be written (%s); it may be tried too soon",
			 l->profile, err.text);
}

/* ---- asking without using ---- */

enum ask { ASK_FREE, ASK_ANY };

static bool has(struct models *m, const struct auth_want *want, enum ask ask)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	const struct config *cfg = catalog_config(m);
	struct auth_candidates all = { 0 };
	struct ch_err err = { .text = "" };

	if (auth_candidates_find(m, cfg, want, a, &all, &err)) {
		log_warn("models", "the credentials of %s cannot be read (%s); taken for missing",
			 want->provider, err.text);
		return false;
	}
	if (!all.len && str_empty(want->profile) && !(want->skip && want->skip[0]) &&
	    auth_is_optional(m, cfg, want->provider))
		return true;
	if (!all.len || all.at[0].unusable)
		return false;
	return ask == ASK_ANY || auth_candidate_is_free(&all.at[0]);
}

bool auth_has_usable(struct models *m, const struct auth_want *want)
{
	return has(m, want, ASK_FREE);
}

bool auth_has_any(struct models *m, const char *provider, const char *agent_id)
{
	return has(m, &(struct auth_want){ .provider = provider, .agent_id = agent_id }, ASK_ANY);
}
