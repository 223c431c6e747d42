/*
 * models/embed.h - texts to vectors, at the providers that do that.
 *
 * Spoken are OpenAI's /embeddings (and of the many services that imitate it), Ollama's /api/embed and Gemini's
 * batchEmbedContents. A request is within the budgets and in the ledger like any other. It is not repeated here:
 * nothing is lost when the caller does.
 *
 * Fails   CH_E_UNSUPPORTED the provider has none, CH_E_NOT_FOUND no key or no such model, CH_E_LIMIT a budget,
 *         CH_E_PEER and CH_E_TIMEOUT as the provider answered; then ret->error_class says more.
 */
#ifndef CH_MODELS_EMBED_H
#define CH_MODELS_EMBED_H

#include "models/model.h"

struct embed_call {
	const char *ref;                 /* "provider/model" */
	const struct json *texts;        /* array of strings */
	int64_t dimensions;              /* 0: the model's */
	const char *agent_id;
};
struct embed_result {
	const struct json **vectors;     /* one array of numbers per text, in order; on the arena */
	int64_t tokens;                  /* 0: not told */
	enum model_error_class error_class;
	int64_t retry_after_ms;
};
CH_FIBER CH_MUST_USE ch_status model_embed(struct models *m, const struct embed_call *call, struct arena *a,
					   struct embed_result *ret, struct ch_err *err);
/* The model to use when none was named: of the first provider that has what it takes. NULL: there is none. */
const char *model_embed_default(struct models *m);

#endif
