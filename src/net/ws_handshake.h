/*
 * net/ws_handshake.h - the client's half of the WebSocket opening handshake
 * (RFC 6455 4.1), without I/O. Internal to net/.
 */
#ifndef CH_NET_WS_HANDSHAKE_H
#define CH_NET_WS_HANDSHAKE_H

#include "core/buf.h"
#include "core/err.h"
#include "net/http_server.h"
#include "net/url.h"

#define WS_HANDSHAKE_MAX (16u * 1024u)   /* bytes of an answer's head */
#define WS_KEY_LEN 25                    /* base64 of 16 bytes and the NUL */

/* Headers the handshake itself needs are refused among the caller's. */
CH_MUST_USE ch_status ws_handshake_write(struct buf *out, const struct url *u, const struct http_header *headers,
					 size_t header_count, const char *key, struct ch_err *err);
/*
 * head is everything up to and including the empty line. CH_OK when it is the
 * 101 that belongs to key. Else CH_E_DENIED for 401 and 403, CH_E_PEER for the rest.
 */
CH_MUST_USE ch_status ws_handshake_check(const char *head, size_t n, const char *key, struct ch_err *err);

#endif
