/*
 * net/http_server.h - HTTP/1.1 server on one port; WebSocket upgrades leave from here.
 *
 * Owns    listeners and connections. Parsing runs in read callbacks
 *         without a fiber; a complete request gets a fiber for its handler. An
 *         upgraded connection becomes a struct ws_conn and costs no fiber while idle.
 * Lives   http_server_new() to http_server_free(); stop accepting with
 *         http_server_stop(), which lets exchanges in flight end until the deadline.
 * Limits  HTTP_HEADER_MAX bytes and HTTP_HEADER_COUNT_MAX headers, body_max
 *         of the route, HTTP_HEADER_TIMEOUT_MS for the header block and
 *         HTTP_BODY_TIMEOUT_MS for the body however slowly it drips
 *         (slowloris), HTTP_IDLE_MS between requests, HTTP_CONNS_MAX sockets.
 * Fails   bad requests are answered here (400 408 413 414 417 431 501 505) and closed.
 */
#ifndef CH_NET_HTTP_SERVER_H
#define CH_NET_HTTP_SERVER_H

#include "core/arena.h"
#include "core/err.h"
#include "core/loop.h"
#include "net/tls.h"

#define HTTP_HEADER_MAX (16u * 1024u)
#define HTTP_HEADER_COUNT_MAX 100
#define HTTP_HEADER_TIMEOUT_MS 10000
#define HTTP_BODY_TIMEOUT_MS 60000
#define HTTP_IDLE_MS 65000
#define HTTP_CONNS_MAX 20000

struct http_server;
struct http_call;                        /* one request and its response */
struct ws_conn;
struct ws_conn_ops;

struct http_header { const char *name, *value; };     /* name lower case on requests */

struct http_request {
	struct arena *arena;             /* lives until the handler returned */
	const char *method;              /* "GET" */
	const char *target;              /* as sent */
	const char *path;                /* decoded, "/…", without "." and ".." segments (else 400) */
	const char *query;               /* raw, or NULL */
	const struct http_header *headers;
	size_t header_count;
	const char *body;
	size_t body_len;
	bool is_tls;
	bool is_upgrade;                 /* a well-formed WebSocket upgrade */
	const char *peer_ip;             /* numeric text */
	uint16_t peer_port;
	bool peer_is_loopback;
};

/* name in lower case; NULL when absent; repeated headers are joined by ", ". */
const char *http_header(const struct http_request *rq, const char *name);

/*
 * A route: the first row whose method and path match wins. `path` ending in
 * '*' is a prefix. method NULL: any.
 */
struct http_route {
	const char *method;
	const char *path;
	size_t body_max;                 /* 0: a body is refused with 413 */
	CH_FIBER void (*run)(struct http_call *call, const struct http_request *rq, void *arg);
};

struct http_server_opts {
	const struct http_route *routes;  /* last row: {0} */
	void *arg;                        /* given to run */
	/* Asked for each accepted request head before routing; may answer and return false. NULL: none. */
	bool (*admit)(struct http_call *call, const struct http_request *rq, void *arg);
	/*
	 * The route of a request that no row takes, which then is not asked for by admit; it may answer. NULL: there is none
	 * (or, as a pointer here, there are never any).
	 */
	const struct http_route *(*extra)(struct http_call *call, const struct http_request *rq, void *arg);
	size_t conns_max;                 /* 0: HTTP_CONNS_MAX; one more gets 503 */
};

struct http_server *http_server_new(struct loop *l, const struct http_server_opts *opts);
/*
 * Binds and listens; several calls add listeners. tls NULL: plain; else
 * referenced. A busy port gives CH_E_BUSY, and err->text names the holder's pid
 * and command when /proc tells. *ret_port gets the bound port.
 */
CH_MUST_USE ch_status http_server_listen(struct http_server *s, const char *host, uint16_t port,
					 struct tls_ctx *tls, uint16_t *ret_port, struct ch_err *err);
CH_FIBER void http_server_stop(struct http_server *s, int64_t deadline_ms);
void http_server_free(struct http_server *s);
size_t http_server_conns(const struct http_server *s);

/* Responding. Headers first, then one of the bodies; safe after the peer left. */
void http_reply_header(struct http_call *c, const char *name, const char *value);
/* Was one of that name given already (in any case)? */
bool http_reply_has_header(const struct http_call *c, const char *name);
void http_reply(struct http_call *c, int status, const char *content_type, const void *body, size_t len);
void http_reply_json(struct http_call *c, int status, const char *json_text, size_t len);
/* {"error":{"message":…,"type":…}} */
void http_reply_error(struct http_call *c, int status, const char *type, const char *message);
/*
 * Streaming: chunked, or of the length that a Content-Length header given
 * before announces. Write parks while the peer is slow. End says that the body is
 * whole: after a failure return without it, and the connection is cut.
 */
CH_FIBER CH_MUST_USE ch_status http_stream_begin(struct http_call *c, int status, const char *content_type);
CH_FIBER CH_MUST_USE ch_status http_stream_write(struct http_call *c, const void *p, size_t n,
						 int64_t deadline_ms);
void http_stream_end(struct http_call *c);
bool http_call_alive(const struct http_call *c);       /* false once the peer left */
/* fn is called once when the peer leaves while the handler runs; it must not answer. NULL: nobody any more. */
void http_call_on_leave(struct http_call *c, void (*fn)(void *arg), void *arg);

/*
 * Answers 101 and turns the connection into a WebSocket whose callbacks are
 * `ops`; the result is NULL when the peer left meanwhile. The call is done afterwards.
 */
struct ws_conn *http_upgrade_ws(struct http_call *c, const struct ws_conn_ops *ops, void *arg);

#endif
