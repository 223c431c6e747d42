/*
 * HTTP on top of raw_peer.h, for tests of the HTTP client. Header only.
 */
#ifndef CH_TESTS_NET_HTTP_PEER_H
#define CH_TESTS_NET_HTTP_PEER_H

#include <stdio.h>

#include "core/str.h"
#include "net/http_client.h"
#include "raw_peer.h"

static CH_UNUSED int64_t soon(void)
{
	return fiber_deadline(5000);
}

static CH_UNUSED const char *url_of(const struct peer *p, const char *path)
{
	static char text[4][300];
	static unsigned turn;
	char *url = text[turn++ % 4];

	snprintf(url, sizeof(text[0]), "http://127.0.0.1:%u%s", p->port, path);
	return url;
}

static CH_UNUSED ch_status get(struct http_client *c, const char *url, struct http_resp **ret, struct ch_err *err)
{
	struct http_out rq = { .url = url, .guard = GUARD_TRUST_ORIGIN, .headers_deadline_ms = soon() };

	return http_open(c, &rq, ret, err);
}

static CH_UNUSED void serve_hello(struct peer_conn *pc)
{
	while (*peer_head(pc)) {
		peer_drop(pc, 0);
		peer_puts(pc, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: 1\r\nx-a:  2 \r\nContent-Type: text/plain\r\n"
			      "X-Empty:\r\n\r\nhello");
	}
}

/* Answers with the request itself. */
static CH_UNUSED void echo(struct peer_conn *pc, const char *head)
{
	const char *length = strcasestr(head, "\r\ncontent-length:");
	size_t head_len = (size_t)(strstr(head, "\r\n\r\n") - head) + 4;
	size_t n = head_len + (length ? (size_t)strtoll(length + 17, NULL, 10) : 0);
	CH_AUTO_BUF struct buf out = { .max_bytes = (size_t)64 << 20 };

	assert_true(peer_want(pc, n));
	buf_printf(&out, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", n);
	buf_append(&out, pc->in.data, n);
	buf_consume(&pc->in, n);
	peer_write(pc, out.data, out.len);
}

static CH_UNUSED void serve_echo(struct peer_conn *pc)
{
	const char *head;

	while (*(head = peer_head(pc)))
		echo(pc, head);
}

#endif
