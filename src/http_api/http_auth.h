/*
 * http_api/http_auth.h - who may use the HTTP APIs, judged from the request's head.
 *
 * A gate stands before each protected path and is asked before the body is read: a peer without credentials makes
 * us keep nothing. The shared token or password has all scopes of an operator; a device's token those it was
 * paired with; in mode "none" the header x-openclaw-scopes may narrow them. A page must come from an origin that
 * could open a socket as well, and without credentials must say that it sends JSON (no form of another site can).
 *
 * Fails   401 wrong or no credentials, 403 origin or scope, 404 switched off, 429 too many failures.
 */
#ifndef CH_HTTP_API_HTTP_AUTH_H
#define CH_HTTP_API_HTTP_AUTH_H

#include "gateway/gw.h"

struct api_style;

struct http_gate {
	const char *path;                /* one '*' in it stands for anything */
	const char *const *endpoints;    /* keys below gateway.http.endpoints: one that is on opens it; NULL: always on */
	unsigned scope;
	const struct api_style *style;   /* of its errors */
};

struct http_caller {
	unsigned scopes;
	bool is_shared_secret;
};

/* NULL: the path has no gate. */
const struct http_gate *http_gate_find(const struct http_gate *gates, const char *path);
/* False: answered. */
bool http_gate_admit(const struct http_gate *gate, struct http_call *call, const struct http_request *rq, struct gw *gw);
/* Of a request that was admitted. */
struct http_caller http_caller_of(struct gw *gw, const struct http_request *rq);
bool http_caller_has(const struct http_caller *who, unsigned scope);

#endif
