/*
 * http_api/security_headers.c - headers that keep a page from being framed or tracked.
 *
 * net/http_static puts nosniff on files itself; other answers say it where they are made.
 */
#include "core/str.h"
#include "http_api/handlers.h"

void security_headers(struct http_call *call, struct gw *gw, const char *csp)
{
	const char *hsts =
		json_str(config_get(gw_config(gw), "gateway.http.securityHeaders.strictTransportSecurity"));

	http_reply_header(call, "Referrer-Policy", "no-referrer");
	http_reply_header(call, "X-Frame-Options", "DENY");
	http_reply_header(call, "Cross-Origin-Opener-Policy", "same-origin");
	http_reply_header(call, "Cross-Origin-Resource-Policy", "same-origin");
	http_reply_header(call, "Permissions-Policy",
			  "camera=(self), microphone=(self), geolocation=(), clipboard-write=(self)");
	if (csp)
		http_reply_header(call, "Content-Security-Policy", csp);
	if (gw->is_tls && !str_empty(hsts))
		http_reply_header(call, "Strict-Transport-Security", hsts);
}
