/*
 * gateway/conn.h - one client connection, from upgrade to close.
 *
 *	challenged --connect--> judged --hello-ok--> open --> closed
 *	     '-----------------------'-- refused, 15 s --------^
 *
 * Owns    a reference to its socket, its facts and subscriptions.
 * Lives   counted: the hub holds one reference until the socket is gone, each call in flight and the
 *         handshake fiber one more. After a wait ask gw_conn_is_open().
 * Runs    conn_on_text() comes from the read path, outside any fiber.
 * Limits  GW_PREAUTH_* of gw.h before hello-ok, GW_FRAME_MAX and GW_START_QUEUE after; CONN_HELD held deltas.
 */
#ifndef CH_GATEWAY_CONN_H
#define CH_GATEWAY_CONN_H

#include "core/rand.h"
#include "core/vec.h"
#include "gateway/gw.h"
#include "gateway/scope.h"
#include "net/ws_conn.h"

#define CONN_HELD 16                     /* streams merged for one lagging client */
#define CONN_BAD_ROLES 10                /* "unauthorized role" answers before we hang up */
#define CONN_MESSAGE_KEYS 256            /* sessions.messages.subscribe: keys of one connection */

enum conn_phase { CONN_CHALLENGED, CONN_JUDGED, CONN_OPEN, CONN_CLOSED };

/* Facts of the upgrade request; needed until hello-ok. */
struct conn_peer {
	char *ip; /* whom limits count: the peer, or the client that a trusted proxy names */
	char *host, *origin, *scopes_cap, *user_agent;   /* headers, or NULL */
	bool is_local;                   /* loopback and not forwarded */
	bool via_proxy, is_tls;
};
struct conn_frame { char *text; size_t len; };
struct conn_handshake {
	struct conn_peer peer;
	int64_t deadline_ms;
	VEC(struct conn_frame) queued;   /* frames that came while we judged; at most GW_PREAUTH_QUEUE */
};

/* Who it is; made by a successful connect, then constant. Optional strings are NULL. */
struct conn_client {
	char *id, *mode, *version, *platform;
	char *display_name, *device_family, *model_identifier, *time_zone, *instance_id, *device_id, *ip;
	char *caps;                      /* "\nname\nname\n" */
	enum gw_role role;
	struct scope_list scopes;
	bool is_tracked;                 /* in presence, and acting as the owner's profile */
	bool uses_shared_auth; /* or none was asked for: closed when the gateway's credentials change */
	bool is_device_token;  /* came in by a device token: may manage only its own device unless admin */
	int64_t online_since_ms, last_activity_ms;
};

/* A delta that waits for the client to catch up (gateway/event.c). */
struct conn_held {
	const char *event;               /* of the event table */
	char *key;
	struct buf payload;
	size_t delta_at, delta_len;
};

/* Invariant: hs is non-NULL before hello-ok and never after; client the reverse. */
struct gw_conn {
	struct gw *gw;
	struct ws_conn *ws;
	struct gw_conn *prev, *next;     /* the hub's list, in order of arrival */
	int refs;
	enum conn_phase phase;
	bool wants_sessions, awaits_health;
	uint16_t in_flight, bad_roles;
	int64_t seq;                     /* of the last event */
	int64_t over_soft_since_ms;      /* no progress since then; 0: the client keeps up */
	size_t over_soft_bytes;          /* what was queued then */
	struct conn_handshake *hs;
	struct conn_client *client;
	struct fiber *judge;             /* the handshake's fiber while it runs */
	struct map *message_keys;        /* NULL until the first subscription; values: conn.c */
	char *watched;                   /* sessions.viewers.set: a JSON array of keys; NULL: none */
	VEC(struct conn_held) held;
	char id[UUID_LEN], nonce[UUID_LEN];
};

/*
 * A connection without a socket yet; moves the peer's strings. conn_attach() takes the socket's reference
 * and sends the challenge.
 */
struct gw_conn *conn_new(struct gw *gw, struct conn_peer *peer);
void conn_attach(struct gw_conn *c, struct ws_conn *ws);
/* The peer left before there was a socket. */
void conn_abandon(struct gw_conn *c);
struct gw_conn *conn_ref(struct gw_conn *c);
void conn_unref(struct gw_conn *c);
CH_AUTO_DEFINE(conn_unref, struct gw_conn)
extern const struct ws_conn_ops conn_ws_ops;

/* Sends whole text and applies the slow-consumer policy; nothing once closed. */
void conn_send(struct gw_conn *c, const char *text, size_t len);
/* Says goodbye; later calls on it do nothing. reason may be NULL. */
void conn_close(struct gw_conn *c, uint16_t code, const char *reason);
/* hello-ok is on its way: the connection becomes open and what was queued is handled. Takes client. */
void conn_open(struct gw_conn *c, struct conn_client *client);
void conn_replay(struct gw_conn *c);
void conn_peer_done(struct conn_peer *p);
/* Refreshes over_soft_since_ms, closes past the limits; false when it is closed now. */
bool conn_check_queue(struct gw_conn *c, int64_t now_ms);

#endif
