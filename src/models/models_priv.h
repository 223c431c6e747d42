/*
 * models/models_priv.h - the parts of struct models. Internal to models/.
 *
 * The catalog is rebuilt when the configuration changed; entries point into
 * its arena, the snapshot it holds, the discovered models' arena and static
 * tables. Whoever waits copies an entry first (entry_copy()).
 */
#ifndef CH_MODELS_PRIV_H
#define CH_MODELS_PRIV_H

#include "core/vec.h"
#include "models/model.h"

#define OLLAMA_URL "http://127.0.0.1:11434"

struct budget_hold;
struct map;

struct models {
	struct models_opts opts;
	/* The catalog. */
	struct arena *arena;             /* NULL: to be built */
	struct config *config;           /* the snapshot it was built from; may be NULL */
	VEC(struct model_entry) entries;
	/* Ollama, from models_discover(). */
	struct arena *found_arena;
	VEC(struct model_entry) found;
	const char *found_default;       /* the id to use when nothing else is known */
	struct auth_state *auth;         /* auth.c: sessions' credentials, refreshes under way; NULL until used */
	/* Requests on their way, for budget.c; and models whose unknown price was told of. */
	struct budget_hold *holds;
	struct map *unpriced;
	struct aws_cache *aws;           /* a role's keys (aws_creds.c); NULL until used */
};

/* -- catalog.c -- */

/* Builds what is missing. The snapshot is borrowed; NULL when there is none. */
const struct config *catalog_config(struct models *m);
void catalog_drop(struct models *m);
/* One after the other from 0; NULL behind the last. Borrowed, like those found, until the configuration changes. */
const struct model_entry *catalog_at(struct models *m, size_t i);
const struct model_entry *catalog_find(struct models *m, const char *provider, const char *id);
/* An entry for a model that is in no table, of a provider that is known; false when that is not. */
bool catalog_improvise(struct models *m, struct arena *a, const char *provider, const char *id,
		       struct model_entry *ret);
bool provider_is_known(struct models *m, const char *provider);
/* models.providers.<id> of a snapshot (NULL is fine), or of the current one; NULL when absent. */
const struct json *provider_object(const struct config *c, const char *provider);
const struct json *provider_config(struct models *m, const char *provider);
/* Everything an entry points to, on the arena. */
void entry_copy(struct arena *a, const struct model_entry *from, struct model_entry *ret);

/* -- resolve.c -- */

/* An alias, a reference or an id; whoever may use it. CH_E_NOT_FOUND, with the nearest name. */
CH_MUST_USE ch_status resolve_name(struct models *m, const char *name, struct arena *a, struct model_entry *ret,
				   struct ch_err *err);
/* What is chosen when nobody chose, and by whom (as model_resolve()'s source). */
const char *resolve_default(struct models *m, const char *agent_id, struct arena *a, const char **ret_source);
/* {primary} of an object, the text of a string; NULL when unset. */
const char *resolve_primary(const struct json *model);
/* agents.entries.<id>.<key>; NULL when unset. */
const struct json *resolve_agent_setting(const struct config *c, const char *agent_id, const char *key);

/* -- builtin.c: models whose limits and prices are published -- */

struct builtin_model {
	const char *provider, *id, *name;
	int64_t context_window, max_tokens;
	bool reasoning, input_image;
	double input, output, cache_read, cache_write;   /* USD per million tokens; all 0: unknown */
	const char *compat;              /* JSON, or NULL */
};
const struct builtin_model *builtin_models(size_t *ret_count);

/* -- auth.c, keys.c -- */

void auth_state_free(struct auth_state *s);
/* Without asking anybody: is there one, or is none needed? */
bool key_is_there(struct models *m, const char *provider);
/* How a person sets the key: "models.providers.x.apiKey or X_API_KEY". */
void key_hint(const char *provider, char *ret_text, size_t cap);

/* -- target.c -- */

/* The environment names a proxy for https. */
bool has_env_proxy(void);

/* -- cost.c -- */

/* false when the price is not known. */
bool cost_of(const struct model_entry *e, const struct model_usage *usage, struct model_cost *ret);

/* -- ledger.c -- */

struct ledger_row {
	const struct model_call *call;
	const struct model_result *result;       /* of this attempt */
	const char *outcome;             /* "ok", "canceled" or an error class */
	const char *auth_profile;        /* the credential, or "" */
	int attempt;
};
/* Failing to write is logged, not told: the reply is worth more than its row. */
void ledger_add(struct db *db, const struct ledger_row *row);

#endif
