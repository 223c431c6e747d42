/*
 * core/map.h - hash map from strings to pointers.
 *
 * Owns    copies of the keys; never the values.
 * Order   map_each() walks in insertion order, and the entry under the cursor
 *         may be removed while walking.
 * Safety  keys are hashed with a per-process secret, so that peers cannot
 *         aim for collisions.
 */
#ifndef CH_CORE_MAP_H
#define CH_CORE_MAP_H

#include "core/auto.h"

struct map;

struct map *map_new(void);
void map_free(struct map *m);                                    /* NULL is fine */
CH_AUTO_DEFINE(map_free, struct map)
void *map_find(const struct map *m, const char *key);
/* Gives the value replaced, or NULL. value must not be NULL. */
void *map_put(struct map *m, const char *key, void *value);
/* Gives the value taken out, or NULL. */
void *map_take(struct map *m, const char *key);
/* Empties it; each value is given to drop. NULL is fine. */
void map_clear(struct map *m, void (*drop)(void *value));
size_t map_len(const struct map *m);
/* *cursor starts at 0; false at the end. */
bool map_each(const struct map *m, size_t *cursor, const char **ret_key, void **ret_value);

#endif
