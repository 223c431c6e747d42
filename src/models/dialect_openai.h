/*
 * models/dialect_openai.h - what OpenAI's two APIs, Chat Completions and
 * Responses, share. Internal to models/.
 */
#ifndef CH_MODELS_DIALECT_OPENAI_H
#define CH_MODELS_DIALECT_OPENAI_H

#include "models/dialect.h"

/* OpenAI's own service, as opposed to the many that imitate it. */
bool openai_is_native(const struct model_entry *m);
/* "gpt-5.4-mini" is 504, "gpt-6-astra" 600; 0 for others. */
int openai_version(const char *id);
/* The level's word, or the nearest one below it that the model takes; NULL: say nothing. */
const char *openai_effort(const struct model_entry *m, enum thinking_level level);
/* prompt_cache_key and, where that may be said, how long the cache shall live. */
void openai_write_cache(struct jw *w, const struct model_call *call, const struct model_entry *m, bool may_last);
void openai_write_tier(struct jw *w, const struct model_call *call, const struct model_entry *m);
/* The sampling parameters; OpenAI's own reasoning models refuse them. */
void openai_write_sampling(struct jw *w, const struct model_call *call, const struct model_entry *m);
/* The limit on the reply, or 0. Unasked, a model's own limit is sent only where a person wrote it down. */
int64_t openai_max_tokens(const struct model_call *call, const struct model_entry *m);

#endif
