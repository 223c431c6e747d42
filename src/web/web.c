/*
 * web/web.c - what web_fetch and web_search share.
 */
#include "web/web.h"

#include "core/mem.h"
#include "web/cache.h"

#define TTL_DEFAULT_MIN 15

struct web {
	struct http_client *http;
	struct web_cache *cache;
};

struct web *web_new(struct http_client *http)
{
	struct web *w = ch_alloc(sizeof(*w));

	w->http = http;
	w->cache = web_cache_new();
	return w;
}

void web_free(struct web *w)
{
	if (!w)
		return;
	web_cache_free(w->cache);
	ch_free(w);
}

struct http_client *web_http(struct web *w)
{
	return w->http;
}

struct web_cache *web_cache(struct web *w)
{
	return w->cache;
}

int64_t web_ttl_ms(const struct config *c, const char *path)
{
	double minutes = json_num_or(config_get(c, path), TTL_DEFAULT_MIN);

	return minutes > 0 ? (int64_t)(minutes * 60000) : 0;
}
