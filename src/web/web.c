/*
 * web/web.c - what web_fetch and web_search share.
 */
#include "web/web.h"

#include <arpa/inet.h>
#include <string.h>

#include "core/mem.h"
#include "core/str.h"
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

bool web_host_is_local(const char *host)
{
	static const char *const suffixes[] = { ".local", ".lan", ".internal", ".home.arpa", ".localhost" };
	struct sockaddr_in v4 = { .sin_family = AF_INET };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };

	if (inet_pton(AF_INET, host, &v4.sin_addr) == 1)
		return guard_classify((const struct sockaddr *)&v4) != GUARD_PUBLIC;
	if (inet_pton(AF_INET6, host, &v6.sin6_addr) == 1)
		return guard_classify((const struct sockaddr *)&v6) != GUARD_PUBLIC;
	for (size_t i = 0; i < CH_ARRAY_LEN(suffixes); i++)
		if (str_ends(host, suffixes[i]))
			return true;
	return !strchr(host, '.');
}
