/*
 * config/path.h - where a value stands: names and item numbers from the root.
 *
 * Text form as config.h says: "agents.defaults.models[\"openai/gpt-4.1\"].alias".
 */
#ifndef CH_CONFIG_PATH_H
#define CH_CONFIG_PATH_H

#include "core/arena.h"
#include "core/err.h"

#define CONFIG_PATH_MAX 64      /* names in a path; deeper settings do not exist */

struct config_path {
	size_t n;
	const char *name[CONFIG_PATH_MAX];
};

/* The names live on the arena. */
CH_MUST_USE ch_status config_path_parse(struct arena *a, const char *text, struct config_path *ret,
					struct ch_err *err);
/* The text of `base` (itself a path's text, "" for the root) with one more name. */
char *config_path_join(struct arena *a, const char *base, const char *name);
/* An item number: digits only. */
bool config_path_index(const char *name, size_t *ret_index);

#endif
