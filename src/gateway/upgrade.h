/*
 * gateway/upgrade.h - where HTTP ends and the gateway's socket begins.
 */
#ifndef CH_GATEWAY_UPGRADE_H
#define CH_GATEWAY_UPGRADE_H

#include "gateway/gw.h"

/*
 * Judges each request head before routing: a Host that is not ours (DNS rebinding) and forwarded headers
 * from somebody who is no configured proxy get 403. False: answered.
 */
bool gw_admit(struct http_call *call, const struct http_request *rq, struct gw *gw);
/* Did it come through a proxy (which gw_admit() has found to be a trusted one)? */
bool gw_is_forwarded(const struct http_request *rq);
/* Who sent it: behind a trusted proxy the client's address. *ret_is_local: on this machine and not forwarded. */
const char *gw_client_ip(struct gw *gw, const struct http_request *rq, bool *ret_is_local);
/*
 * Turns a WebSocket upgrade into a connection, or answers 503 when its address has too many unauthenticated
 * ones.
 */
void gw_upgrade(struct http_call *call, const struct http_request *rq, struct gw *gw);

#endif
