/*
 * net/conn_io.h - one accepted connection as bytes, over TCP or TLS; internal to net/.
 *
 * What HTTP and WebSocket connections have in common: reading, one send queue,
 * one deadline, ways to end. It knows nothing of either protocol.
 *
 * Owns    the socket, the TLS state and what the kernel has not taken yet.
 *         An idle one keeps no buffer: reads go to one buffer of the hub.
 * Lives   one owner, from conn_io_accept() until the owner gives it up by
 *         conn_io_finish() or conn_io_close(), or is told on_lost(). Safe at any depth:
 *         memory goes when libuv has closed the handle.
 * Runs    callbacks come straight from the loop, never from inside a call
 *         into this file (a send that fails is reported later).
 * Limits  CONN_QUEUE_MAX bytes not yet sent (policies below it are the
 *         owner's), CONN_FLUSH_MS without progress and CONN_LINGER_MS after the end.
 */
#ifndef CH_NET_CONN_IO_H
#define CH_NET_CONN_IO_H

#include <netinet/in.h>

#include "core/buf.h"
#include "core/loop.h"
#include "net/tls.h"

#define CONN_READ_BYTES (64u * 1024u)
#define CONN_QUEUE_MAX ((size_t)256 << 20)      /* a peer that never reads */
#define CONN_FLUSH_MS 30000
#define CONN_LINGER_MS 2000

struct conn_hub;
struct conn_io;

struct conn_io_ops {
	/* Plaintext; borrowed, may be modified, p[n] is not ours. */
	void (*on_bytes)(struct conn_io *io, char *p, size_t n, void *arg);
	/* The peer sends no more. */
	void (*on_eof)(struct conn_io *io, void *arg);
	/* Some of the queue went out. */
	void (*on_sent)(struct conn_io *io, void *arg);
	void (*on_deadline)(struct conn_io *io, void *arg);
	/* Broken, or the hub closes: the last callback, the pointer is dead after it. */
	void (*on_lost)(struct conn_io *io, void *arg);
};

/* What the connections of a server share. Counted: each connection holds it. */
struct conn_hub *conn_hub_new(struct loop *l);
void conn_hub_unref(struct conn_hub *h);
CH_AUTO_DEFINE(conn_hub_unref, struct conn_hub)
size_t conn_hub_count(const struct conn_hub *h);
CH_FIBER CH_MUST_USE ch_status conn_hub_wait_empty(struct conn_hub *h, int64_t deadline_ms);
/* on_lost() for every connection, at the end of the turn. */
void conn_hub_lose_all(struct conn_hub *h);
/* Calls fn for each connection whose ops are these; fn may end it. */
void conn_hub_each(struct conn_hub *h, const struct conn_io_ops *ops, void (*fn)(void *arg));

/* The next connection of a listening stream, reading; NULL when it is gone again. tls may be NULL. */
struct conn_io *conn_io_accept(struct conn_hub *h, uv_stream_t *listener, struct tls_ctx *tls,
			       const struct conn_io_ops *ops, void *arg);
/* Another owner takes over. */
void conn_io_set_owner(struct conn_io *io, const struct conn_io_ops *ops, void *arg);
struct loop *conn_io_loop(const struct conn_io *io);
bool conn_io_is_tls(const struct conn_io *io);
/* AF_INET6 only for what is not an IPv4 address in disguise. */
const struct sockaddr *conn_io_peer(const struct conn_io *io);

/* Sends the parts in order, in one system call when the kernel takes them; what it does not is copied. */
void conn_io_send(struct conn_io *io, const uv_buf_t *parts, unsigned count);
size_t conn_io_queued(const struct conn_io *io);
void conn_io_pause(struct conn_io *io, bool is_paused);
/* on_deadline() after so long; replaces the one before. 0: none. */
void conn_io_set_deadline(struct conn_io *io, int64_t after_ms);

/* Lets the queue go out, says that we are done, waits a little for the peer's end; no more callbacks. */
void conn_io_finish(struct conn_io *io);
/* Drops it now; no more callbacks. */
void conn_io_close(struct conn_io *io);

#endif
