/*
 * net/ws_conn_priv.h - how the HTTP server hands a connection over to WebSocket.
 */
#ifndef CH_NET_WS_CONN_PRIV_H
#define CH_NET_WS_CONN_PRIV_H

#include "net/conn_io.h"
#include "net/ws_conn.h"

/*
 * Takes io, whose 101 was sent. The `early` bytes came behind the request
 * head; they reach the callbacks at the end of this turn, not before the caller
 * has seen the result. The first reference is the caller's.
 */
struct ws_conn *ws_conn_new(struct conn_io *io, const struct ws_conn_ops *ops, void *arg, const char *early,
			    size_t early_len);

#endif
