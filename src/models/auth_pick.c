/*
 * models/auth_pick.c - gathering and ordering credentials.
 */
#include "models/auth_pick.h"

#include <stdlib.h>
#include <string.h>

#include "config/path.h"
#include "core/clock.h"
#include "core/str.h"
#include "models/keys.h"
#include "models/models_priv.h"
#include "models/oauth.h"
#include "net/url.h"

struct gather {
	struct models *m;
	const struct config *cfg;
	const struct auth_want *want;
	struct arena *a;
	const char *provider;            /* lower case */
	const struct json *order;        /* explicit, or NULL */
	int64_t now_wall;
	VEC(struct auth_candidate) list;
};

/* ---- the facts of one ---- */

bool auth_wants_refresh(const struct auth_profile *p, int64_t now_wall)
{
	int64_t life_ms = p->expires_at - p->updated_at;
	int64_t early_ms = life_ms > 0 ? CH_MIN(AUTH_REFRESH_EARLY_MS, life_ms / 4) : 0;

	return p->expires_at && p->expires_at - early_ms <= now_wall;
}

static bool same_host(struct arena *a, const char *one, const char *other)
{
	struct url u, v;

	return !url_parse(a, one, &u, NULL) && !url_parse(a, other, &v, NULL) && str_eq(u.host, v.host);
}

/* A sign-in that is built in belongs to the service itself: its token goes nowhere else, whatever baseUrl says. */
static bool is_astray(struct gather *g, const struct auth_profile *p)
{
	const struct model_endpoint *e = model_endpoint_find(g->provider);
	const char *base = json_get_str(provider_object(g->cfg, g->provider), "baseUrl");
	struct json *extra = NULL;

	if (p->kind != AUTH_KIND_OAUTH || !e || str_empty(base) || same_host(g->a, base, e->base_url))
		return false;
	if (p->extra && json_parse(g->a, p->extra, strlen(p->extra), JSON_STRICT, &extra, NULL))
		return true;
	return !json_get_bool(extra, "isTrusted", false);
}

static const char *why_unusable(struct gather *g, const struct auth_profile *p)
{
	bool is_over = p->expires_at && p->expires_at <= g->now_wall;

	if (p->refused)
		return arena_printf(g->a, "its sign-in has ended (%s)", p->refused);
	if (is_over && !p->has_refresh)
		return p->kind == AUTH_KIND_OAUTH ? "its sign-in has expired" : "the token has expired";
	if (is_astray(g, p))
		return arena_printf(g->a, "its token is not for models.providers.%s.baseUrl", g->provider);
	return NULL;
}

static size_t place_in(const struct json *order, const char *id)
{
	size_t i = 0;

	json_each(v, order) {
		if (str_eq(json_str(v), id))
			return i;
		i++;
	}
	return SIZE_MAX;
}

static bool is_skipped(const struct auth_want *want, const char *id)
{
	for (size_t i = 0; want->skip && want->skip[i]; i++) {
		if (str_eq(want->skip[i], id))
			return true;
	}
	return false;
}

static ch_status add(struct gather *g, struct auth_candidate *c, struct ch_err *err)
{
	ch_status st = CH_OK;

	if (g->m->opts.db)
		st = auth_health_get(g->m->opts.db, &c->subject, g->want->model, g->now_wall, &c->health, err);
	if (!st)
		vec_push(&g->list, *c);
	return st;
}

/* ---- profiles ---- */

static ch_status add_profile(struct gather *g, const struct auth_profile *p, struct ch_err *err)
{
	struct auth_candidate c = {
		.source = AUTH_FROM_PROFILE,
		.kind = p->kind,
		.id = p->id,
		.subject = { p->agent_id, p->id, "" },
		.profile = *p,
		.unusable = why_unusable(g, p),
		.is_expired = p->kind == AUTH_KIND_OAUTH && auth_wants_refresh(p, g->now_wall),
		.place = g->order ? place_in(g->order, p->id) : 0,
	};

	if (c.place == SIZE_MAX && !g->want->profile && !c.unusable)
		c.unusable = "the order of credentials leaves it out";
	return add(g, &c, err);
}

static ch_status add_profiles(struct gather *g, struct ch_err *err)
{
	struct auth_profiles all = { 0 };
	ch_status st = CH_OK;

	if (!g->m->opts.db)
		return CH_OK;
	st = auth_order_effective(g->m, g->cfg, g->a, g->want->agent_id, g->provider, &g->order, NULL, err);
	if (!st)
		st = auth_store_list(g->m->opts.db, g->a, g->want->agent_id, g->provider, &all, err);
	for (size_t i = 0; !st && i < all.len; i++)
		st = add_profile(g, &all.at[i], err);
	return st;
}

/* ---- keys outside the store ---- */

/* Anthropic's setup tokens are sign-ins, wherever they are put. */
static enum auth_kind kind_of_key(const char *name, const char *key, size_t len)
{
	static const char setup[] = "sk-ant-oat";

	if (str_ends(name, "_OAUTH_TOKEN") || (len > sizeof(setup) && memcmp(key, setup, sizeof(setup) - 1) == 0))
		return AUTH_KIND_TOKEN;
	return AUTH_KIND_API_KEY;
}

static const char *fingerprint_of(struct arena *a, const char *key, size_t len)
{
	char *copy = arena_strndup(a, key, len), text[AUTH_FINGERPRINT_LEN + 1];

	auth_fingerprint(copy, text);
	explicit_bzero(copy, len);
	return arena_strdup(a, text);
}

static ch_status add_env(struct gather *g, struct ch_err *err)
{
	struct env_key *keys;
	size_t n = key_env_list(g->a, g->provider, &keys);
	bool may_rotate = true;
	ch_status st = CH_OK;

	for (size_t i = 0; !st && i < n; i++) {
		struct auth_candidate c = {
			.source = AUTH_FROM_ENV,
			.kind = kind_of_key(keys[i].name, keys[i].at, keys[i].len),
			.id = keys[i].id,
			.subject = { "", keys[i].id, fingerprint_of(g->a, keys[i].at, keys[i].len) },
			.unusable = may_rotate || g->want->profile ? NULL : "the key before it did not fail for a rate limit",
		};
		const struct auth_health *h;

		st = add(g, &c, err);
		if (st)
			break;
		h = &g->list.at[g->list.len - 1].health;
		may_rotate = h->failures && str_eq(h->reason, model_error_class_name(MODEL_ERR_RATE_LIMIT)) &&
			     may_rotate;
	}
	return st;
}

static ch_status add_config(struct gather *g, struct ch_err *err)
{
	const struct json *v = json_get(provider_object(g->cfg, g->provider), "apiKey");
	const char *text = v ? key_follow_name(json_str(v)) : NULL;

	if (!v || (json_is(v, JSON_STR) && str_empty(json_str(v))))
		return CH_OK;
	return add(g,
		   &(struct auth_candidate){
			   .source = AUTH_FROM_CONFIG,
			   .kind = text ? kind_of_key("", text, strlen(text)) : AUTH_KIND_API_KEY,
			   .id = "config",
			   .subject = { "", arena_printf(g->a, "config:%s", g->provider),
					text ? fingerprint_of(g->a, text, strlen(text)) : "" },
		   },
		   err);
}

static ch_status add_keys(struct gather *g, struct ch_err *err)
{
	/* A key that was written beside an address belongs to it; the environment's does not go there instead. */
	bool config_first = json_get(provider_object(g->cfg, g->provider), "baseUrl") != NULL;
	ch_status st = config_first ? add_config(g, err) : CH_OK;

	if (!st)
		st = add_env(g, err);
	if (!st && !config_first)
		st = add_config(g, err);
	return st;
}

bool auth_is_optional(struct models *m, const struct config *cfg, const char *provider)
{
	const struct model_endpoint *e = model_endpoint_find(provider);
	const struct json *conf = cfg ? provider_object(cfg, provider) : provider_config(m, provider);

	/* Who describes a sign-in wants it to be used. */
	if (oauth_is_configured(cfg, provider))
		return false;
	return e ? e->key_optional || json_get(conf, "baseUrl") != NULL : conf != NULL;
}

/* ---- the order ---- */

ch_status auth_order_effective(struct models *m, const struct config *cfg, struct arena *a,
			       const char *agent_id, const char *provider, const struct json **ret,
			       bool *ret_stored, struct ch_err *err)
{
	struct json *stored = NULL;
	ch_status st = CH_OK;

	if (m->opts.db)
		st = auth_order_get(m->opts.db, a, agent_id, provider, &stored, NULL, err);
	if (st)
		return st;
	*ret = stored;
	if (ret_stored)
		*ret_stored = stored != NULL;
	json_each(v, !stored && cfg ? config_get(cfg, "auth.order") : NULL) {
		if (str_ieq(v->key, provider))
			*ret = v;
	}
	return CH_OK;
}

bool auth_candidate_is_free(const struct auth_candidate *c)
{
	return !c->unusable && !c->health.blocked_until;
}

static int kind_rank(enum auth_kind k)
{
	static const int ranks[] = { [AUTH_KIND_OAUTH] = 0, [AUTH_KIND_TOKEN] = 1, [AUTH_KIND_API_KEY] = 2 };

	return ranks[k];
}

static int order_int(int64_t a, int64_t b)
{
	return (a > b) - (a < b);
}

/* Two profiles, both free: by explicit place, else by kind, freshness, longest unused, id. */
static int order_profiles(const struct auth_candidate *a, const struct auth_candidate *b)
{
	int d = a->place < b->place ? -1 : a->place > b->place;

	if (!d)
		d = kind_rank(a->kind) - kind_rank(b->kind);
	if (!d)
		d = (int)a->is_expired - (int)b->is_expired;
	if (!d)
		d = order_int(a->profile.last_used_at, b->profile.last_used_at);
	return d ? d : strcmp(a->id, b->id);
}

static int order(const struct auth_candidate *a, const struct auth_candidate *b)
{
	int d = (a->unusable != NULL) - (b->unusable != NULL);

	if (!d)
		d = order_int(a->health.blocked_until, b->health.blocked_until);
	if (!d)
		d = (a->source != AUTH_FROM_PROFILE) - (b->source != AUTH_FROM_PROFILE);
	if (!d && a->source == AUTH_FROM_PROFILE)
		d = order_profiles(a, b);
	return d;
}

/* Stable, so that keys outside the store stay as they were found; there are only ever a few. */
static void candidates_sort(struct auth_candidates *list)
{
	for (size_t i = 1; i < list->len; i++) {
		struct auth_candidate c = list->at[i];
		size_t k = i;

		for (; k > 0 && order(&list->at[k - 1], &c) > 0; k--)
			list->at[k] = list->at[k - 1];
		list->at[k] = c;
	}
}

static void drop_unwanted(struct gather *g)
{
	size_t kept = 0;

	for (size_t i = 0; i < g->list.len; i++) {
		const char *id = g->list.at[i].id;

		if (!is_skipped(g->want, id) && (str_empty(g->want->profile) || str_eq(g->want->profile, id)))
			g->list.at[kept++] = g->list.at[i];
	}
	g->list.len = kept;
}

ch_status auth_candidates_find(struct models *m, const struct config *cfg, const struct auth_want *want,
			       struct arena *a, struct auth_candidates *ret, struct ch_err *err)
{
	struct gather g = { .m = m, .cfg = cfg, .want = want, .a = a, .now_wall = now_wall_ms() };
	char *provider = arena_strdup(a, want->provider);
	ch_status st;

	str_lower(provider);
	g.provider = provider;
	st = add_profiles(&g, err);
	if (!st)
		st = add_keys(&g, err);
	if (!st) {
		drop_unwanted(&g);
		ret->len = g.list.len;
		ret->at = arena_alloc(a, (g.list.len + 1) * sizeof(*ret->at));
		if (g.list.len)
			memcpy(ret->at, g.list.at, g.list.len * sizeof(*ret->at));
		candidates_sort(ret);
	}
	vec_done(&g.list);
	return st;
}
