/*
 * web/cache.c - a map of entries, and the order in which they were used.
 */
#include "web/cache.h"

#include <string.h>

#include "core/clock.h"
#include "core/map.h"
#include "core/mem.h"

struct entry {
	struct entry *older, *newer;     /* by last use */
	char *key, *value;
	size_t len, cost;
	int64_t made_ms, ends_ms;        /* monotonic */
};

struct web_cache {
	struct map *entries;             /* key -> struct entry */
	struct entry *oldest, *newest;
	size_t bytes;
};

struct web_cache *web_cache_new(void)
{
	struct web_cache *c = ch_alloc(sizeof(*c));

	c->entries = map_new();
	return c;
}

static void unlink_entry(struct web_cache *c, struct entry *e)
{
	*(e->older ? &e->older->newer : &c->oldest) = e->newer;
	*(e->newer ? &e->newer->older : &c->newest) = e->older;
	e->older = e->newer = NULL;
}

static void link_newest(struct web_cache *c, struct entry *e)
{
	e->older = c->newest;
	*(c->newest ? &c->newest->newer : &c->oldest) = e;
	c->newest = e;
}

static void drop(struct web_cache *c, struct entry *e)
{
	unlink_entry(c, e);
	map_take(c->entries, e->key);
	c->bytes -= e->cost;
	ch_free(e->key);
	ch_free(e->value);
	ch_free(e);
}

void web_cache_free(struct web_cache *c)
{
	if (!c)
		return;
	while (c->oldest)
		drop(c, c->oldest);
	map_free(c->entries);
	ch_free(c);
}

const char *web_cache_get(struct web_cache *c, const char *key, int64_t ttl_ms, size_t *ret_len)
{
	struct entry *e = map_find(c->entries, key);
	int64_t now = now_mono_ms();

	if (!e || ttl_ms <= 0)
		return NULL;
	if (now >= e->ends_ms) {
		drop(c, e);
		return NULL;
	}
	if (now - e->made_ms >= ttl_ms)
		return NULL;
	unlink_entry(c, e);
	link_newest(c, e);
	*ret_len = e->len;
	return e->value;
}

void web_cache_put(struct web_cache *c, const char *key, int64_t ttl_ms, const char *value, size_t len)
{
	size_t cost = sizeof(struct entry) + 2 * strlen(key) + len;
	struct entry *e = map_find(c->entries, key);

	if (e)
		drop(c, e);
	if (ttl_ms <= 0 || cost > CACHE_ENTRY_MAX)
		return;
	while (c->oldest && (c->bytes + cost > CACHE_MAX_BYTES || map_len(c->entries) >= CACHE_COUNT_MAX))
		drop(c, c->oldest);
	e = ch_alloc(sizeof(*e));
	e->key = ch_strdup(key);
	e->value = ch_strndup(value, len);
	e->len = len;
	e->cost = cost;
	e->made_ms = now_mono_ms();
	e->ends_ms = e->made_ms + ttl_ms;
	map_put(c->entries, key, e);
	link_newest(c, e);
	c->bytes += cost;
}
