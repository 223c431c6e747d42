/*
 * models/keys.h - keys that stand in the environment. Internal to models/.
 *
 * For a provider with the variable X_API_KEY also X_API_KEYS (a list, by comma
 * or semicolon), X_API_KEY_1, _2, … are read; OPENCLAW_LIVE_<PROVIDER>_KEY
 * goes before them all. Values are borrowed from the environment.
 */
#ifndef CH_MODELS_KEYS_H
#define CH_MODELS_KEYS_H

#include "models/model.h"

#define ENV_KEYS_MAX 64

struct secret;

struct env_key {
	const char *id;                  /* "env:OPENAI_API_KEY", "env:OPENAI_API_KEYS#2" */
	const char *name;                /* of the variable */
	const char *at;
	size_t len;
};

/* In the order of use, each value once. */
size_t key_env_list(struct arena *a, const char *provider, struct env_key **ret);
/* The value behind such an id, or NULL. */
struct secret *key_env_open(const char *provider, const char *id);
/* An apiKey may be the bare name of a variable: then that variable's value, else the text itself. */
const char *key_follow_name(const char *text);

#endif
