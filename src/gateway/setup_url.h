/*
 * gateway/setup_url.h - the address that a setup code tells a device to connect to.
 *
 * The first that is there: the request's publicUrl, gateway.publicOrigin, what the gateway is bound to. Over
 * ws:// a code can be read on its way, so that scheme is for this machine and private networks only, and on the
 * latter a code never gives full access (is_private_path).
 *
 * Fails   CH_E_INVALID with the way out.
 */
#ifndef CH_GATEWAY_SETUP_URL_H
#define CH_GATEWAY_SETUP_URL_H

#include "gateway/gw.h"

struct setup_url {
	const char *url;                 /* ws or wss, no trailing '/' */
	const char *source;              /* as told: "request.publicUrl", "gateway.bind=lan" */
	const char *tls_fingerprint;     /* when the device talks to our own certificate; else NULL */
	bool is_private_path;            /* nobody between us can read along: TLS, or this machine */
};
/* public_url: the request's, or NULL. Strings are on the arena. */
CH_MUST_USE ch_status setup_url_decide(struct gw *gw, struct arena *a, const char *public_url,
				       struct setup_url *ret, struct ch_err *err);
/* The same place for a browser or npx: "https://host/path"; NULL when a link would travel in the clear. */
const char *setup_url_http(struct arena *a, const struct setup_url *u);

#endif
