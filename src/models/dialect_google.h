/*
 * models/dialect_google.h - the parts of the Google dialect among themselves.
 * Internal to models/.
 */
#ifndef CH_MODELS_DIALECT_GOOGLE_H
#define CH_MODELS_DIALECT_GOOGLE_H

#include "models/dialect.h"

/*
 * A tool's JSON Schema in the words that Gemini knows: references are put in place, allOf is merged, const becomes
 * enum, oneOf anyOf; other keywords go. What is not JSON, too long or too deep, or explodes by its references, allows
 * anything.
 */
const struct json *google_schema(struct arena *a, const char *schema_json);

/* Writes thinkingConfig, or nothing where the model does not think. */
void google_write_thinking(struct jw *w, const struct model_entry *m, enum thinking_level level);
/* Without "models/", which some write. */
const char *google_bare_id(const char *id);
/* "gemini-3.1-pro" is 301; 0 for others ("gemini-flash-latest" is the newest: 999). */
int google_version(const char *id);

#endif
