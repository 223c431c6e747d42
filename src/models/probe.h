/*
 * models/probe.h - does a model answer? A real request, as small as one can be, in the ledger as "probe".
 */
#ifndef CH_MODELS_PROBE_H
#define CH_MODELS_PROBE_H

#include "models/model.h"

#define PROBE_MS 8000

enum probe_status { PROBE_OK, PROBE_AUTH, PROBE_RATE_LIMIT, PROBE_BILLING, PROBE_TIMEOUT, PROBE_FORMAT, PROBE_NO_MODEL, PROBE_UNKNOWN };
const char *probe_status_name(enum probe_status s);      /* "ok", "auth", … */

struct probe {
	const char *ref;                 /* what is asked */
	const char *agent_id;            /* or NULL */
	const char *auth_profile;        /* this credential; NULL: the first that fits */
	int64_t timeout_ms;
	struct secret *trial_key;        /* this key, which is not stored; NULL: those that are. Held by the caller */
};
struct probe_result {
	enum probe_status status;
	int64_t latency_ms;
	char error[CH_ERR_TEXT_MAX];     /* "" when it answered */
};
/* One attempt, no retry. Budgets hold for it too. */
CH_FIBER void model_probe(struct models *m, const struct probe *p, struct probe_result *ret);
/* The model of a provider to ask: the configured default when it is one of it, else its first. On the arena; NULL: none is known. */
const char *model_probe_ref(struct models *m, const char *agent_id, const char *provider, struct arena *a);

#endif
