/*
 * gateway/upgrade.c - who a request comes from, and accepting it as a socket.
 *
 * An address from X-Forwarded-For counts only when the peer is in gateway.trustedProxies; the nearest
 * entry that is no proxy itself is the client.
 */
#include "gateway/upgrade.h"

#include <arpa/inet.h>
#include <unistd.h>

#include "core/log.h"
#include "core/str.h"
#include "gateway/hub.h"
#include "gateway/origin.h"

static const char *const forwarded_headers[] = {
	"forwarded",        "x-forwarded-for", "x-forwarded-host",     "x-forwarded-proto",
	"x-forwarded-port", "x-real-ip",       "tailscale-user-login", "tailscale-user-name",
};

bool gw_is_forwarded(const struct http_request *rq)
{
	for (size_t i = 0; i < CH_ARRAY_LEN(forwarded_headers); i++)
		if (http_header(rq, forwarded_headers[i]))
			return true;
	return false;
}

/* Is ip "10.1.2.3" within entry "10.0.0.0/8" or equal to it? */
static bool in_cidr(struct arena *a, const char *ip, const char *entry)
{
	char *net = arena_strdup(a, entry), *slash = strchr(net, '/');
	unsigned char addr[16], base[16];
	int family = strchr(ip, ':') ? AF_INET6 : AF_INET;
	uint16_t bits = family == AF_INET6 ? 128 : 32, max_bits = bits;

	if (slash)
		*slash++ = '\0';
	if (slash && (!str_to_u16(slash, &bits) || bits > max_bits))
		return false;
	if (inet_pton(family, ip, addr) != 1 || inet_pton(family, net, base) != 1)
		return false;
	if (memcmp(addr, base, bits / 8) != 0)
		return false;
	return bits % 8 == 0 || ((addr[bits / 8] ^ base[bits / 8]) >> (8 - bits % 8)) == 0;
}

static bool is_proxy(struct gw *gw, struct arena *a, const char *ip)
{
	const char *const *list = config_list(gw_config(gw), "gateway.trustedProxies");

	for (size_t i = 0; list && list[i]; i++)
		if (in_cidr(a, ip, list[i]))
			return true;
	return false;
}

/*
 * The last entry of X-Forwarded-For that is not a proxy of ours; NULL when there is none that is an
 * address.
 */
static const char *forwarded_client(struct gw *gw, const struct http_request *rq)
{
	const char *header = http_header(rq, "x-forwarded-for");
	char *list = header ? arena_strdup(rq->arena, header) : NULL;

	while (list && *list) {
		char *comma = strrchr(list, ',');
		const char *ip = str_trim(rq->arena, comma ? comma + 1 : list);

		if (!host_is_ip(ip))
			return NULL;
		if (!is_proxy(gw, rq->arena, ip) || !comma)
			return ip;
		*comma = '\0';
	}
	return NULL;
}

static bool host_fits(struct gw *gw, const struct http_request *rq)
{
	const struct config *c = gw_config(gw);
	char machine[256] = "";
	struct host_query q = {
		.host = http_header(rq, "host"),
		.bind_is_loopback = gw->bind_is_loopback,
		.allowed = config_list(c, "gateway.controlUi.allowedOrigins"),
		.public_origin = config_str(c, "gateway.publicOrigin"),
		.machine_name = machine,
	};

	(void)!gethostname(machine, sizeof(machine) - 1);
	return origin_host_allowed(rq->arena, &q);
}

bool gw_admit(struct http_call *call, const struct http_request *rq, struct gw *gw)
{
	if (gw_is_forwarded(rq) && !is_proxy(gw, rq->arena, rq->peer_ip)) {
		if (hub_may_log(gw->hub))
			log_warn("gateway",
				 "refused a forwarded request of %s: it is not in gateway.trustedProxies",
				 rq->peer_ip);
		http_reply_error(call, 403, "proxy_attribution_required",
				 "Proxy client attribution is required: add the proxy's address to "
				 "gateway.trustedProxies, and "
				 "let it overwrite X-Forwarded-For");
		return false;
	}
	if (!host_fits(gw, rq)) {
		const char *host = http_header(rq, "host");

		if (hub_may_log(gw->hub))
			log_warn("gateway", "refused Host %s of %s: not a name of this gateway",
				 host ? log_quote(host) : "(none)", rq->peer_ip);
		http_reply_error(call, 403, "host_not_allowed",
				 "This name is not one of this gateway's. Use http://127.0.0.1 or "
				 "http://localhost, or add the "
				 "origin to gateway.controlUi.allowedOrigins");
		return false;
	}
	return true;
}

const char *gw_client_ip(struct gw *gw, const struct http_request *rq, bool *ret_is_local)
{
	bool is_fwd = gw_is_forwarded(rq);
	const char *client = is_fwd ? forwarded_client(gw, rq) : NULL;

	*ret_is_local = rq->peer_is_loopback && !is_fwd;
	return client ? client : rq->peer_ip;
}

static struct conn_peer peer_of(struct gw *gw, const struct http_request *rq)
{
	bool is_local, is_fwd = gw_is_forwarded(rq);
	const char *client = gw_client_ip(gw, rq, &is_local);

	return (struct conn_peer){
		.ip = ch_strdup(client),
		.host = ch_strdup(http_header(rq, "host")),
		.origin = ch_strdup(http_header(rq, "origin")),
		.scopes_cap = ch_strdup(http_header(rq, "x-openclaw-scopes")),
		.user_agent = ch_strdup(http_header(rq, "user-agent")),
		.is_local = is_local,
		.via_proxy = is_fwd,
		.is_tls = rq->is_tls,
	};
}

void gw_upgrade(struct http_call *call, const struct http_request *rq, struct gw *gw)
{
	struct conn_peer peer = peer_of(gw, rq);
	struct gw_conn *c;
	struct ws_conn *ws;

	if (gw->is_stopping || !hub_admits(gw->hub, peer.ip)) {
		http_reply_header(call, "Retry-After", "5");
		http_reply_error(call, 503, "unavailable",
				 gw->is_stopping
					 ? "The gateway is stopping"
					 : "Too many connections of this address wait for authentication");
		conn_peer_done(&peer);
		return;
	}
	c = conn_new(gw, &peer);
	ws = http_upgrade_ws(call, &conn_ws_ops, c);
	if (ws)
		conn_attach(c, ws);
	else
		conn_abandon(c);
}
