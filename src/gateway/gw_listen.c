/*
 * gateway/gw_listen.c - which addresses to listen on, and TLS.
 */
#include "core/file.h"
#include "core/log.h"
#include "core/str.h"
#include "gateway/gw_parts.h"
#include "gateway/origin.h"

#define PORT_DEFAULT 18789

static ch_status bind_loopback(struct gw_bind *b)
{
	b->hosts[0] = "127.0.0.1";
	b->hosts[1] = "::1";
	b->second_is_optional = true;
	b->is_loopback = true;
	return CH_OK;
}

static ch_status bind_custom(struct gw_bind *b, const char *host, struct ch_err *err)
{
	if (!host_is_ip(host))
		return ch_fail(err, CH_E_INVALID,
			       "'%s' is not an address to listen on; use loopback, lan or an IP address",
			       host ? host : "");
	b->hosts[0] = host;
	b->is_loopback = host_is_loopback(host);
	return CH_OK;
}

static ch_status bind_named(struct gw_bind *b, const char *name, const struct config *c, struct ch_err *err)
{
	if (str_empty(name) || str_eq(name, "loopback") || str_eq(name, "auto") || str_eq(name, "localhost"))
		return bind_loopback(b);
	if (str_eq(name, "lan")) {
		b->hosts[0] = "0.0.0.0";
		return CH_OK;
	}
	if (str_eq(name, "custom"))
		return bind_custom(b, config_str(c, "gateway.customBindHost"), err);
	if (str_eq(name, "tailnet"))
		return ch_fail(
			err, CH_E_UNSUPPORTED,
			"gateway.bind 'tailnet' is not supported; use custom with gateway.customBindHost");
	return bind_custom(b, name, err);
}

ch_status gw_bind_decide(const struct gw_opts *opts, const struct config *c, bool has_auth,
			 struct gw_bind *ret, struct ch_err *err)
{
	struct gw_bind b = { .port = opts->port };
	ch_status st =
		bind_named(&b, str_empty(opts->bind) ? config_str(c, "gateway.bind") : opts->bind, c, err);

	if (st)
		return st;
	if (!b.port)
		b.port = (uint16_t)config_int(c, "gateway.port", PORT_DEFAULT);
	if (!b.is_loopback && !has_auth)
		return ch_fail(err, CH_E_DENIED,
			       "refusing to listen on %s without authentication: set gateway.auth.mode to "
			       "token or password, or "
			       "gateway.bind to loopback",
			       b.hosts[0]);
	*ret = b;
	return CH_OK;
}

static ch_status load_tls(struct gw *gw, struct tls_ctx **ret, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	const struct config *c = gw_config(gw);
	const char *cert = config_str(c, "gateway.tls.certPath"), *key = config_str(c, "gateway.tls.keyPath");
	ch_status st;

	*ret = NULL;
	if (!config_bool(c, "gateway.tls.enabled", false))
		return CH_OK;
	if (!cert || !key) {
		const char *dir = arena_printf(a, "%s/tls", gw->state_dir);

		cert = arena_printf(a, "%s/gateway-cert.pem", dir);
		key = arena_printf(a, "%s/gateway-key.pem", dir);
		if (!file_exists(cert) && !config_bool(c, "gateway.tls.autoGenerate", true))
			return ch_fail(err, CH_E_NOT_FOUND,
				       "gateway.tls: set certPath and keyPath, or let autoGenerate make a "
				       "certificate");
		st = file_mkdirs(dir, 0700, err);
		if (!st && !file_exists(cert))
			st = tls_self_signed(cert, key, err);
		if (st)
			return ch_wrap(err, "gateway.tls");
	}
	st = tls_ctx_load(cert, key, config_str(c, "gateway.tls.caPath"), ret, err);
	return st ? ch_wrap(err, "gateway.tls") : CH_OK;
}

static ch_status listen_on(struct gw *gw, const struct gw_bind *b, struct tls_ctx *tls, struct ch_err *err)
{
	ch_status st = http_server_listen(gw->server, b->hosts[0], b->port, tls, &gw->port, err);
	struct ch_err second;

	if (st || !b->hosts[1])
		return st;
	/*
	 * Not worth failing for: a machine may have no IPv6. But somebody else there would get our clients.
	 */
	st = http_server_listen(gw->server, b->hosts[1], gw->port, tls, NULL, &second);
	if (st == CH_E_BUSY)
		return ch_fail(err, CH_E_BUSY, "%s", second.text);
	if (st && !b->second_is_optional)
		return ch_fail(err, st, "%s", second.text);
	if (st)
		log_debug("gateway", "not listening on %s: %s", b->hosts[1], second.text);
	return CH_OK;
}

ch_status gw_listen(struct gw *gw, const struct gw_bind *b, struct ch_err *err)
{
	struct tls_ctx *tls;
	ch_status st = load_tls(gw, &tls, err);

	if (st)
		return st;
	gw->is_tls = tls != NULL;
	gw->tls = tls;
	gw->bind_is_loopback = b->is_loopback;
	st = listen_on(gw, b, tls, err);
	if (st)
		return st;
	log_info("gateway", "listening on %s port %u%s", b->hosts[0], gw->port, tls ? " (TLS)" : "");
	return CH_OK;
}
