/*
 * gateway/setup_url.c - where a device with a setup code connects to.
 */
#include "gateway/setup_url.h"

#include "core/str.h"
#include "gateway/hub.h"
#include "gateway/origin.h"
#include "net/tls.h"
#include "net/url.h"

/* ws may be used towards it. Not towards shared carrier addresses, the only private ones with 100 in front. */
static bool is_near(const char *host)
{
	return host_is_loopback(host) || (host_is_private_ip(host) && !str_starts(host, "100.")) ||
	       str_ends(host, ".local");
}

static const char *with_brackets(struct arena *a, const char *host)
{
	return strchr(host, ':') ? arena_printf(a, "[%s]", host) : host;
}

static const char *scheme_of(const struct gw *gw)
{
	return gw->is_tls ? "wss" : "ws";
}

/* text is http, https, ws or wss, or without a scheme; gives ws or wss without query and trailing '/'. */
static ch_status normalize(const struct gw *gw, struct arena *a, const char *text, const char **ret,
			   struct ch_err *err)
{
	const char *whole = strstr(text, "://") ? text : arena_printf(a, "%s://%s", scheme_of(gw), text);
	bool is_tls;
	const char *port;
	struct url u;
	size_t len;

	if (url_parse(a, whole, &u, NULL))
		return ch_fail(err, CH_E_INVALID, "the address for devices is not a ws:// or wss:// URL");
	is_tls = str_eq(u.scheme, "wss") || str_eq(u.scheme, "https");
	port = u.port == (is_tls ? 443 : 80) ? "" : arena_printf(a, ":%u", u.port);
	len = strlen(u.path);
	while (len && u.path[len - 1] == '/')
		len--;
	*ret = arena_printf(a, "%s://%s%s%.*s", is_tls ? "wss" : "ws", with_brackets(a, u.host), port, (int)len,
			    u.path);
	return CH_OK;
}

/* What we listen on, when others can reach it. */
static ch_status from_bind(struct gw *gw, struct arena *a, struct setup_url *u, struct ch_err *err)
{
	const char *bind = config_str(gw_config(gw), "gateway.bind");
	const char *host = str_eq(bind, "custom") ? config_str(gw_config(gw), "gateway.customBindHost") : bind;
	char *fingerprint;

	if (gw->bind_is_loopback)
		return ch_fail(err, CH_E_INVALID,
			       "Gateway is only bound to loopback: set gateway.bind to lan, or gateway.publicOrigin "
			       "to the address that others reach it by");
	if (!host || !host_is_ip(host) || str_eq(host, "0.0.0.0") || str_eq(host, "::"))
		host = presence_lan_address(gw->hub);
	if (!*host)
		return ch_fail(err, CH_E_INVALID,
			       "this machine has no address on a network: set gateway.publicOrigin to the one that "
			       "others reach it by");
	u->url = arena_printf(a, "%s://%s:%u", scheme_of(gw), with_brackets(a, host), gw->port);
	u->source = arena_printf(a, "gateway.bind=%s", str_eq(bind, "lan") ? "lan" : "custom");
	if (gw->tls) {
		fingerprint = arena_alloc(a, 65);
		tls_ctx_fingerprint(gw->tls, fingerprint);
		u->tls_fingerprint = fingerprint;
	}
	return CH_OK;
}

static ch_status decide(struct gw *gw, struct arena *a, const char *public_url, struct setup_url *u,
			struct ch_err *err)
{
	const char *origin = config_str(gw_config(gw), "gateway.publicOrigin");

	if (!str_empty(public_url)) {
		u->source = "request.publicUrl";
		return normalize(gw, a, str_trim(a, public_url), &u->url, err);
	}
	if (!str_empty(origin)) {
		u->source = "gateway.publicOrigin";
		return normalize(gw, a, origin, &u->url, err);
	}
	return from_bind(gw, a, u, err);
}

ch_status setup_url_decide(struct gw *gw, struct arena *a, const char *public_url, struct setup_url *ret,
			   struct ch_err *err)
{
	struct setup_url u = {0};
	struct url parts;
	ch_status st = decide(gw, a, public_url, &u, err);

	if (!st)
		st = url_parse(a, u.url, &parts, err);
	if (st)
		return st;
	if (!str_eq(parts.scheme, "wss") && !is_near(parts.host))
		return ch_fail(err, CH_E_INVALID,
			       "a setup code for %s (%s) would travel in the clear: use a wss:// address; ws:// is for "
			       "this machine and private networks", u.url, u.source);
	u.is_private_path = str_eq(parts.scheme, "wss") || host_is_loopback(parts.host);
	*ret = u;
	return CH_OK;
}

const char *setup_url_http(struct arena *a, const struct setup_url *u)
{
	/* "ws…" becomes "http…": both pairs of schemes differ in the front only. */
	return u->is_private_path ? arena_printf(a, "http%s", u->url + strlen("ws")) : NULL;
}
