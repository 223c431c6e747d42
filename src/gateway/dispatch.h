/*
 * gateway/dispatch.h - from a request frame to its handler and back.
 *
 * Order of checks: role, scope, known, rate, parameters. Rows marked GW_INLINE run in the read path;
 * the others get a fiber each. Calls in flight hold a reference to their connection.
 */
#ifndef CH_GATEWAY_DISPATCH_H
#define CH_GATEWAY_DISPATCH_H

#include "gateway/conn.h"
#include "gateway/frame.h"

struct call_box {
	struct gw_call call;
	struct buf out;
	struct fiber *fiber;             /* NULL while inline */
	struct call_box *prev, *next;    /* the hub's calls */
};

/* One text message of an open connection. May modify text. */
void dispatch_text(struct gw_conn *c, char *text, size_t len);
/* Cancels what only waits for this client (GW_WAITS). */
void dispatch_client_left(struct gw_conn *c);
/* Cancels everything in flight: the gateway stops. */
void dispatch_cancel_all(struct gw_hub *h);
/* A failed response without a call (handshake, bad frames). */
void dispatch_error(struct gw_conn *c, const char *id, const struct frame_error *e);

#endif
