/*
 * web/web.h - the web as tools see it: one page fetched, one question searched.
 *
 * Owns    the cache of answers. The HTTP client is the gateway's.
 * Lives   made with the services of the gateway, ended after the agents.
 * Limits  of each call by the configuration (tools.web.*); see cache.h for what is kept.
 */
#ifndef CH_WEB_WEB_H
#define CH_WEB_WEB_H

#include "config/config.h"
#include "net/http_client.h"

struct web;
struct web_cache;
struct web *web_new(struct http_client *http);
void web_free(struct web *w);
struct http_client *web_http(struct web *w);
struct web_cache *web_cache(struct web *w);
/*
 * Is this host, as it is written, of one's own network: an address that is not public, or a name without a dot or with one
 * of the usual endings? There a request may go unencrypted. What a name resolves to is not looked at.
 */
bool web_host_is_local(const char *host);
/* A setting in minutes, as milliseconds. */
int64_t web_ttl_ms(const struct config *c, const char *path);

#endif
