/*
 * exec/proxy.h - the one way out of a sandbox: an HTTP proxy that lets through what the configuration names.
 *
 * The listening socket is made inside the sandbox, on its loopback address, and handed to the gateway over a socket pair;
 * the gateway accepts on it. So nothing of the host's network is visible inside, and no second process relays.
 *
 * Speaks  CONNECT host:port and absolute-form HTTP/1.1 requests, one a connection. The name is resolved once, the address is
 *         checked by net/guard and that address is connected to. No credentials are added; Proxy-* headers stop here.
 * Owns    the listener and its connections, from proxy_start() to proxy_free().
 * Limits  PROXY_LINKS_MAX connections, PROXY_HEAD_MS for a request, PROXY_CONNECT_MS, PROXY_IDLE_MS without a byte,
 *         PROXY_QUEUE_MAX bytes between the two sides (then the faster one waits).
 * Fails   a refused request is answered with 403 and names the configuration key; 502 and 504 for the other side.
 * Source  RFC 9110 9.3.6, RFC 9112 3.2.2.
 */
#ifndef CH_EXEC_PROXY_H
#define CH_EXEC_PROXY_H

#include "core/arena.h"
#include "core/err.h"
#include "core/loop.h"
#include "net/guard.h"

#define PROXY_LINKS_MAX 64
#define PROXY_HEAD_MAX (16u << 10)
#define PROXY_HEAD_MS 10000
#define PROXY_CONNECT_MS 15000
#define PROXY_IDLE_MS 300000
#define PROXY_QUEUE_MAX (256u << 10)
#define PROXY_HOSTS_KEY "agents.defaults.sandbox.network.hosts"

struct http_client;
struct sandbox_proxy;

struct proxy_opts {
	const char *const *hosts;        /* copied; NULL-ended */
	struct http_client *http;        /* resolves names; outlives the proxy */
	bool allows_private;             /* tests: their servers are on loopback */
};
/* *ret_child_fd is for the sandbox: inherited, then closed here by the caller. */
CH_MUST_USE ch_status proxy_start(struct loop *l, const struct proxy_opts *opts, struct sandbox_proxy **ret, int *ret_child_fd,
				  struct ch_err *err);
void proxy_free(struct sandbox_proxy *p);        /* NULL is fine */

/* Inside: listens on loopback and sends the socket through fd. False with errno. */
bool proxy_send_listener(int fd);

/* -- what a request asks for (proxy_request.c); no I/O -- */

struct proxy_target {
	const char *host;                /* lower case, no trailing dot, no [] */
	uint16_t port;
	bool is_connect;
	bool is_ipv6;
	const char *head;                /* what goes to the other side first; NULL with CONNECT */
	size_t head_len;
};
/* bytes[0..n) is a whole head with its empty line. CH_E_INVALID: not a request that a proxy can take. */
CH_MUST_USE ch_status proxy_request_parse(struct arena *a, const char *bytes, size_t n, struct proxy_target *ret, struct ch_err *err);
/* "name", "*.name", "*", each with ":port" or else for 80 and 443. */
bool proxy_host_allowed(const char *const *hosts, const char *host, uint16_t port);
/* Is this a well-formed entry of the list? */
bool proxy_host_valid(const char *entry);

#endif
