/*
 * net/http_conn.h - one HTTP connection and the exchange under way on it; internal to net/.
 *
 *	HEAD -> BODY -> HANDLING -> FLUSHING -> HEAD …      one exchange at a time
 *
 * Owns    a connection owns its conn_io until the peer leaves, we close, or it
 *         becomes a WebSocket; io is NULL from then on.
 * Lives   until io is NULL and nobody pins it: a handler, a deferred call, a callback under way.
 *         A call lives from its request head until its handler has returned,
 *         on its own arena; its connection outlives it.
 * Limits  bytes that come while an exchange is under way: HTTP_HEADER_MAX and
 *         the rest of one read, then reading stops.
 */
#ifndef CH_NET_HTTP_CONN_H
#define CH_NET_HTTP_CONN_H

#include "core/fiber.h"
#include "net/conn_io.h"
#include "net/http1.h"
#include "net/http_server.h"

struct http_listener;

struct http_server {
	struct loop *loop;
	unsigned refs;                   /* the owner's, and one for each connection */
	struct conn_hub *hub;
	struct http_server_opts opts;
	struct http_listener *listeners;
	struct http_conn *handling;      /* those with a handler that runs, also when their socket is gone */
	struct fiber_cond handlers_done;
	bool is_stopping;
	struct buf head;                 /* of the response being written */
	int64_t date_s;                  /* when `date` was rendered */
	char date[30];
};

enum http_conn_state { HTTP_HEAD, HTTP_BODY, HTTP_HANDLING, HTTP_FLUSHING };

struct http_conn {
	struct http_server *server;
	struct conn_io *io;
	struct http_call *call;          /* BODY and HANDLING */
	enum http_conn_state state;
	bool is_eof;                     /* the peer sends no more */
	bool is_waiting;                 /* for the next turn, to look at `in` */
	struct http_conn *prev, *next;   /* in server->handling */
	unsigned pins;
	enum { HTTP_ARMED_NONE, HTTP_ARMED_IDLE, HTTP_ARMED_HEADER } armed; /* HEAD: which deadline runs */
	size_t flush_queued;             /* FLUSHING: when the deadline was set */
	struct buf in;                   /* what was read and not yet looked at */
	struct http1_scan scan;          /* HEAD: how far `in` was searched */
	struct http1_body decoder;       /* BODY */
	struct buf body;
};

enum http_call_phase { CALL_OPEN, CALL_STREAMING, CALL_REPLIED };

struct http_call {
	struct http_conn *conn;
	struct http_request rq;
	const struct http_route *route;
	struct fiber *fiber;             /* while the handler runs */
	enum http_call_phase phase;
	const char *ws_key;
	bool is_head;
	bool is_http10;
	bool keep_alive;
	bool is_chunked;                 /* the response */
	bool is_header_bad;              /* the handler gave one that must not be sent */
	int64_t stream_left;             /* of an announced length; -1: none was announced */
	struct buf headers;              /* lines of the handler */
	struct fiber_cond sent;          /* some of the stream went out, or the peer left */
	void (*on_leave)(void *arg);
	void *leave_arg;
};

extern const struct conn_io_ops http_io_ops;

void http_conn_new(struct http_server *s, uv_stream_t *listener, struct tls_ctx *tls);
void http_conn_reject(struct http_server *s, uv_stream_t *listener, struct tls_ctx *tls);
/* Idle ones go now; others end with their exchange. */
void http_conn_stop(void *conn);
void http_server_ref(struct http_server *s);
void http_server_unref(struct http_server *s);
/* A handler begins, and has returned. */
void http_server_handles(struct http_server *s, struct http_conn *c);
void http_server_handled(struct http_server *s, struct http_conn *c);

/* http_reply.c: sends an answer outside of any call; the caller finishes the connection. */
void http_refuse(struct http_conn *c, int status, const char *message);
/* http_route.c: NULL when none; *ret_allow is then the methods that the path has, or NULL. */
const struct http_route *http_route_find(const struct http_route *routes, const struct http_request *rq,
					 const char **ret_allow);

#endif
