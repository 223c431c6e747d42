/*
 * net/ws_conn.h - one WebSocket connection of the server, over TCP or TLS.
 *
 * Owns    the socket and its send queue until the last ws_unref(). ws_send*()
 *         copies its bytes; the caller keeps its own.
 * Lives   counted; http_upgrade_ws() gives the first reference to the caller. ws_close() is
 *         safe at any depth, also inside callbacks: callbacks stop at once
 *         (on_close last, exactly once), memory goes at the end of the loop turn.
 * Runs    callbacks come straight from the read path, outside any fiber.
 * Limits  message_max (changeable), WS_CLOSE_TIMEOUT_MS for the closing handshake.
 * Pings   ws_keepalive(): a ping each interval; no pong within the next interval terminates.
 * Queue   ws_queued() bytes not yet taken by the kernel; policy is the caller's.
 */
#ifndef CH_NET_WS_CONN_H
#define CH_NET_WS_CONN_H

#include "core/err.h"
#include "net/ws.h"

#define WS_CLOSE_TIMEOUT_MS 5000
#define WS_DRAIN (64u * 1024u)            /* bytes queued at which a fast reader counts as caught up */

struct ws_conn;

struct ws_conn_ops {
	size_t message_max;
	/* text is NUL-terminated, valid UTF-8, borrowed, and may be modified in place. */
	void (*on_text)(struct ws_conn *c, char *text, size_t len, void *arg);
	/* Binary messages; NULL: answered with 1003. */
	void (*on_binary)(struct ws_conn *c, char *bytes, size_t len, void *arg);
	/* The last callback; code as received or 1006. */
	void (*on_close)(struct ws_conn *c, uint16_t code, const char *reason, void *arg);
	/* The queue fell to at most WS_DRAIN bytes; NULL: not told. */
	void (*on_drain)(struct ws_conn *c, void *arg);
};

struct ws_conn *ws_ref(struct ws_conn *c);
void ws_unref(struct ws_conn *c);
void ws_set_message_max(struct ws_conn *c, size_t message_max);
void ws_send_text(struct ws_conn *c, const char *text, size_t len);
/* One text message of several parts, framed without joining them first. */
struct ws_part { const void *p; size_t n; };
void ws_send_parts(struct ws_conn *c, const struct ws_part *parts, size_t count);
size_t ws_queued(const struct ws_conn *c);
bool ws_is_open(const struct ws_conn *c);
/* Sends CLOSE and waits for the peer's (WS_CLOSE_TIMEOUT_MS); queued messages go first. */
void ws_close(struct ws_conn *c, uint16_t code, const char *reason);
/* Drops the socket now. */
void ws_terminate(struct ws_conn *c);
void ws_keepalive(struct ws_conn *c, int64_t interval_ms);
/* Stop and resume reading from the peer (inbound back-pressure). */
void ws_pause(struct ws_conn *c, bool paused);

#endif
