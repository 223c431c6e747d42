/*
 * models/route.h - the models that may answer, in the order in which they are asked.
 *
 * The first is what somebody chose: the session, else the agent, else the
 * defaults, else what the environment offers. The others follow when it fails,
 * and only when the choice allows it:
 *
 *	a session's or a caller's choice      stands alone
 *	agents.entries.<id>.model             stands alone unless it lists fallbacks itself
 *	agents.defaults.model                 with agents.defaults.model.fallbacks
 *	the environment, Ollama, offline      the same
 *
 * Lives   entries are on the caller's arena.
 * Fails   CH_E_NOT_FOUND nothing is known of the first one, CH_E_DENIED modelPolicy.allow
 *         leaves it out. A fallback that is not known is left out, with a line in the log.
 */
#ifndef CH_MODELS_ROUTE_H
#define CH_MODELS_ROUTE_H

#include "models/model.h"

#define ROUTE_MAX 16                     /* models of one route: each may cost minutes of retries */

struct model_route_want {
	const char *wanted;              /* a session's or a caller's choice (alias, ref, ref@profile); NULL: none */
	const char *agent_id;            /* or NULL */
	enum model_reason reason;        /* titles and summaries go to utilityModel, when one is set */
	bool has_images;                 /* imageModel takes over from a configured primary that reads text only */
};

struct model_route {
	const struct model_entry *at;    /* len > 0 */
	size_t len;
	const char *source;              /* of the first: as model_resolve() has it, or "image", "utility" */
	bool is_strict;                  /* no other model may answer, by choice */
};

CH_MUST_USE ch_status model_route(struct models *m, const struct model_route_want *want, struct arena *a,
				  struct model_route *ret, struct ch_err *err);
/* How a model stands with its credentials, without asking anybody. */
enum model_standing { MODEL_READY, MODEL_RESTS, MODEL_NO_CREDENTIAL };
struct model_state {
	enum model_standing standing;
	int64_t until;                   /* MODEL_RESTS: wall ms */
	char reason[32];                 /* MODEL_RESTS: what failed ("auth", "rate_limit", "billing") */
	char profile[160];               /* the credential that would be used, "" none is needed */
};
void model_state(struct models *m, const char *agent_id, const struct model_entry *e, struct model_state *ret);

/*
 * The same for many models in a row, at one moment: what holds for all models of a provider is looked up once.
 * References with a profile are not for it.
 */
struct model_states { struct arena *arena; struct map *known; bool has_failures; };
void model_states_begin(struct models *m, struct model_states *s);
const struct model_state *model_states_at(struct models *m, struct model_states *s, const char *agent_id,
					  const struct model_entry *e);
void model_states_end(struct model_states *s);

/* May a session choose this model? agents.defaults.modelPolicy.allow: exact references or "provider/" and a star; none: all. */
bool model_is_allowed(struct models *m, const char *agent_id, const struct model_entry *e);

#endif
