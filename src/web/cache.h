/*
 * web/cache.h - answers of the web, kept for a while so that a model which asks again costs nothing.
 *
 * Owns    copies of keys and values; the least recently used go first when there is no room.
 * Lives   as long as struct web. Values are borrowed until the next put or the next wait.
 * Limits  CACHE_MAX_BYTES in all, CACHE_ENTRY_MAX of one; larger ones are not kept.
 */
#ifndef CH_WEB_CACHE_H
#define CH_WEB_CACHE_H

#include "core/auto.h"

#define CACHE_MAX_BYTES (2u << 20)
#define CACHE_ENTRY_MAX (256u << 10)
#define CACHE_COUNT_MAX 256

struct web_cache;
struct web_cache *web_cache_new(void);
void web_cache_free(struct web_cache *c);
/* NULL when there is none, or when it is older than ttl_ms; it also ends when the time it was put for is over. */
const char *web_cache_get(struct web_cache *c, const char *key, int64_t ttl_ms, size_t *ret_len);
/* ttl_ms 0: nothing is kept. */
void web_cache_put(struct web_cache *c, const char *key, int64_t ttl_ms, const char *value, size_t len);

#endif
