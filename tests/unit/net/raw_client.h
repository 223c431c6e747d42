/*
 * A client of raw bytes for tests of servers: one plain socket in the test's
 * fiber. Waiting is yielding to the loop until the bytes are there, so that
 * nothing sleeps and a frozen clock does not matter.
 * Header only; one test executable includes it once.
 */
#ifndef CH_TESTS_NET_RAW_CLIENT_H
#define CH_TESTS_NET_RAW_CLIENT_H

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <unistd.h>

#include "core/buf.h"
#include "core/fiber.h"
#include "core/loop.h"

#define CLIENT_PATIENCE_MS 10000         /* of real time, then the test fails */

struct client {
	int fd;
	struct buf in;
	bool is_eof, is_reset;
};

/* One turn of the loop, sockets included. */
static inline void turn(void)
{
	assert_int_equal(fiber_yield(), CH_OK);
}

static inline void turns(int n)
{
	while (n--)
		turn();
}

/* Turns until the condition holds. */
#define until(condition)                                                                          \
	do {                                                                                      \
		uint64_t began_ = uv_hrtime();                                                    \
		while (!(condition)) {                                                            \
			turn();                                                                   \
			if (uv_hrtime() - began_ > CLIENT_PATIENCE_MS * 1000000ull)               \
				fail_msg("waited in vain for: %s", #condition);                   \
		}                                                                                 \
	} while (0)

static inline struct client client_open_family(int family, uint16_t port)
{
	struct client c = { .in.max_bytes = (size_t)256 << 20 };
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(port) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	int st;

	v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	v6.sin6_addr = in6addr_loopback;
	c.fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(c.fd >= 0);
	/* Loopback: the kernel completes the handshake at once. */
	st = family == AF_INET ? connect(c.fd, (struct sockaddr *)&v4, sizeof(v4)) :
				 connect(c.fd, (struct sockaddr *)&v6, sizeof(v6));
	if (st)
		fail_msg("connect to port %u: %s", port, strerror(errno));
	return c;
}

static inline struct client client_open(uint16_t port)
{
	return client_open_family(AF_INET, port);
}

static inline void client_close(struct client *c)
{
	close(c->fd);
	c->fd = -1;
	buf_done(&c->in);
}

/* Takes what is there. */
static inline void client_poll(struct client *c)
{
	ssize_t n;

	if (c->is_eof || !buf_reserve(&c->in, 65536))
		return;
	n = recv(c->fd, c->in.data + c->in.len, 65536, MSG_DONTWAIT);
	if (n > 0) {
		c->in.len += (size_t)n;
		c->in.data[c->in.len] = '\0';
	} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		c->is_eof = true;
		c->is_reset = n < 0;
	}
}

static inline bool client_has(struct client *c, const char *text)
{
	client_poll(c);
	return strstr(buf_str(&c->in), text) != NULL;
}

static inline bool client_has_n(struct client *c, size_t n)
{
	client_poll(c);
	return c->in.len >= n;
}

static inline bool client_ended(struct client *c)
{
	client_poll(c);
	return c->is_eof;
}

/* What the kernel takes of it; the rest goes out turn by turn. */
static inline void client_send(struct client *c, const void *bytes, size_t n)
{
	const char *p = bytes;

	while (n) {
		ssize_t done = send(c->fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (done < 0 && errno != EAGAIN)
			return;                 /* the server hung up: what it said is what counts */
		if (done > 0) {
			p += done;
			n -= (size_t)done;
		} else {
			turn();
		}
	}
}

static inline void client_puts(struct client *c, const char *text)
{
	client_send(c, text, strlen(text));
}

/* Waits for the text, then forgets everything up to and with it. */
static inline void client_expect(struct client *c, const char *text)
{
	uint64_t began = uv_hrtime();

	while (!client_has(c, text)) {
		if (c->is_eof || uv_hrtime() - began > CLIENT_PATIENCE_MS * 1000000ull)
			fail_msg("expected '%s' but %s after: '%s'", text,
				 c->is_eof ? "it ended" : "nothing came", buf_str(&c->in));
		turn();
	}
	buf_consume(&c->in, (size_t)(strstr(c->in.data, text) - c->in.data) + strlen(text));
}

static inline void client_expect_end(struct client *c)
{
	until(client_ended(c));
	if (c->in.len)
		fail_msg("expected the end but got: '%s'", buf_str(&c->in));
}

/* The whole answer to one request on a fresh connection, until the server hangs up. */
static inline struct buf client_ask(uint16_t port, const char *request)
{
	struct client c = client_open(port);

	client_puts(&c, request);
	until(client_ended(&c));
	close(c.fd);
	return c.in;
}

/* Runs fn in a fiber of a fresh loop until it returns; loop_free() checks for leftovers. */
static inline void in_loop(void (*fn)(void *loop))
{
	struct loop *l = loop_new();

	fiber_spawn(l, "test", FIBER_DETACHED, fn, l);
	loop_run(l);
	loop_free(l);
}

#endif
