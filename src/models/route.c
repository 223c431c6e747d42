/*
 * models/route.c - the models that may answer, in order.
 */
#include "models/route.h"

#include <string.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/map.h"
#include "core/str.h"
#include "models/auth_pick.h"
#include "models/dialect.h"
#include "models/models_priv.h"

/* -- what may be chosen -- */

static const struct json *fallbacks_of(const struct json *model)
{
	const struct json *list = json_get(model, "fallbacks");

	return json_is(list, JSON_ARR) ? list : NULL;
}

/* Names that the configuration itself gives a role are its owner's word already. */
static bool is_configured(struct models *m, const char *agent_id, const struct model_entry *e)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	const struct config *c = catalog_config(m);
	const struct json *own = resolve_agent_setting(c, agent_id, "model"), *shared = config_get(c, "agents.defaults.model");
	const struct json *lists[] = { fallbacks_of(own), fallbacks_of(shared) };
	const char *names[] = { resolve_primary(own), resolve_primary(shared) };
	struct model_entry other;

	for (size_t i = 0; i < CH_ARRAY_LEN(names); i++) {
		if (names[i] && !resolve_name(m, names[i], a, &other, NULL) && str_eq(other.ref, e->ref))
			return true;
	}
	for (size_t i = 0; i < CH_ARRAY_LEN(lists); i++) {
		json_each(v, lists[i]) {
			if (json_str(v) && !resolve_name(m, json_str(v), a, &other, NULL) && str_eq(other.ref, e->ref))
				return true;
		}
	}
	return false;
}

static bool pattern_fits(const char *pattern, const char *ref)
{
	size_t n = strlen(pattern);

	if (n > 1 && pattern[n - 1] == '*' && pattern[n - 2] == '/')
		return strncasecmp(pattern, ref, n - 1) == 0;
	return str_ieq(pattern, ref);
}

bool model_is_allowed(struct models *m, const char *agent_id, const struct model_entry *e)
{
	const struct config *c = catalog_config(m);
	const char *const *allow = c ? config_list(c, "agents.defaults.modelPolicy.allow") : NULL;

	if (!allow || !allow[0])
		return true;
	for (size_t i = 0; allow[i]; i++) {
		if (pattern_fits(allow[i], e->ref))
			return true;
	}
	return is_configured(m, agent_id, e);
}

/* -- building -- */

struct building {
	struct models *m;
	struct arena *arena;
	struct model_entry *at;
	size_t len;
};

static bool is_in(const struct building *b, const struct model_entry *e)
{
	for (size_t i = 0; i < b->len; i++) {
		if (str_eq(b->at[i].ref, e->ref) && str_eq(b->at[i].auth_profile, e->auth_profile))
			return true;
	}
	return false;
}

static void add_fallbacks(struct building *b, const struct json *list)
{
	struct ch_err err;

	json_each(v, list) {
		struct model_entry e;

		if (b->len == ROUTE_MAX)
			return;
		if (str_empty(json_str(v)))
			continue;
		if (resolve_name(b->m, json_str(v), b->arena, &e, &err))
			log_warn("models", "a fallback is left out: %s", err.text);
		else if (!is_in(b, &e))
			b->at[b->len++] = e;
	}
}

/* {primary, fallbacks} of a model for a purpose: imageModel, utilityModel. false: none is set, or it is not known. */
static bool for_purpose(struct building *b, const struct model_route_want *want, const char *key, const char *shared)
{
	const struct config *c = catalog_config(b->m);
	const struct json *model = resolve_agent_setting(c, want->agent_id, key);
	const char *name;
	struct ch_err err;

	if (!model && c)
		model = config_get(c, shared);
	name = resolve_primary(model);
	if (!name)
		return false;
	if (resolve_name(b->m, name, b->arena, &b->at[0], &err)) {
		log_warn("models", "%s is not used: %s", shared, err.text);
		return false;
	}
	b->len = 1;
	add_fallbacks(b, fallbacks_of(model));
	return true;
}

static bool is_upkeep(enum model_reason r)
{
	return r == MODEL_FOR_TITLE || r == MODEL_FOR_COMPACTION || r == MODEL_FOR_SILENT;
}

static bool reads_no_images(const struct model_entry *e)
{
	return !e->input_image;
}

/* The configured chain: whose fallbacks hold, and are there any? */
static void add_configured(struct building *b, const struct model_route_want *want, struct model_route *ret)
{
	const struct config *c = catalog_config(b->m);
	const struct json *own = resolve_agent_setting(c, want->agent_id, "model");
	const struct json *shared = c ? config_get(c, "agents.defaults.model") : NULL;

	ret->is_strict = resolve_primary(own) && !fallbacks_of(own);
	if (!ret->is_strict)
		add_fallbacks(b, fallbacks_of(own) ? fallbacks_of(own) : fallbacks_of(shared));
}

ch_status model_route(struct models *m, const struct model_route_want *want, struct arena *a, struct model_route *ret,
		      struct ch_err *err)
{
	struct building b = { .m = m, .arena = a, .at = arena_alloc(a, ROUTE_MAX * sizeof(*b.at)) };
	ch_status st;

	*ret = (struct model_route){ .at = b.at, .source = "session" };
	if (str_empty(want->wanted) && is_upkeep(want->reason) &&
	    for_purpose(&b, want, "utilityModel", "agents.defaults.utilityModel")) {
		ret->source = "utility";
		ret->len = b.len;
		return CH_OK;
	}
	st = model_resolve(m, want->wanted, want->agent_id, a, &b.at[0], &ret->source, err);
	if (st)
		return st;
	b.len = 1;
	if (!str_empty(want->wanted)) {
		ret->is_strict = true;
	} else if (want->has_images && reads_no_images(&b.at[0]) &&
		   for_purpose(&b, want, "imageModel", "agents.defaults.imageModel")) {
		ret->source = "image";
	} else {
		add_configured(&b, want, ret);
	}
	ret->len = b.len;
	return CH_OK;
}

/* -- credentials -- */

/*
 * AWS credentials may come from files and roles that only the asking looks into: a provider that somebody
 * configured is taken to have them.
 */
static bool signs_by_chain(struct models *m, const struct model_entry *e)
{
	const struct dialect *d = dialect_find(e->api);

	return d && d->auth == AUTH_AWS && provider_config(m, e->provider);
}

void model_state(struct models *m, const char *agent_id, const struct model_entry *e, struct model_state *ret)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	const struct config *c = catalog_config(m);
	const struct auth_want want = { .provider = e->provider, .model = e->id, .agent_id = agent_id, .profile = e->auth_profile };
	struct auth_candidates all = { 0 };
	const struct auth_candidate *best;
	struct ch_err err;

	*ret = (struct model_state){ .standing = MODEL_NO_CREDENTIAL };
	if (auth_candidates_find(m, c, &want, a, &all, &err)) {
		log_warn("models", "the credentials of %s cannot be read (%s); taken for missing", e->provider, err.text);
		return;
	}
	best = all.len ? &all.at[0] : NULL;
	if (!best || best->unusable) {
		if (!best && !e->auth_profile && (auth_is_optional(m, c, e->provider) || signs_by_chain(m, e)))
			ret->standing = MODEL_READY;
		return;
	}
	FIELD_SET(ret->profile, best->id);
	ret->standing = auth_candidate_is_free(best) ? MODEL_READY : MODEL_RESTS;
	if (ret->standing == MODEL_RESTS) {
		ret->until = best->health.blocked_until;
		FIELD_SET(ret->reason, best->health.reason);
	}
}

void model_states_begin(struct models *m, struct model_states *s)
{
	CH_AUTO(db_done) struct db_stmt *q = NULL;

	*s = (struct model_states){ .arena = arena_new(0), .known = map_new() };
	if (!m->opts.db)
		return;
	/* One model's block is not another's: with any about, each is asked for. */
	s->has_failures = true;
	if (db_prep(m->opts.db, "SELECT 1 FROM auth_health WHERE blocked_until > ?", &q, NULL))
		return;
	db_bind_int(q, 1, now_wall_ms());
	if (db_step(q, &s->has_failures, NULL))
		s->has_failures = true;
}

const struct model_state *model_states_at(struct models *m, struct model_states *s, const char *agent_id,
					  const struct model_entry *e)
{
	struct model_state *known = map_find(s->known, e->provider);

	if (known && (known->standing == MODEL_NO_CREDENTIAL || !s->has_failures))
		return known;
	known = arena_alloc(s->arena, sizeof(*known));
	model_state(m, agent_id, e, known);
	map_put(s->known, e->provider, known);
	return known;
}

void model_states_end(struct model_states *s)
{
	map_free(s->known);
	arena_unref(s->arena);
}
