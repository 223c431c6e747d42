/*
 * oracle_wslay.c - libwslay's event API over a buffer. In a file of its own
 * because both libraries have names like WS_ and WSLAY_ for the same things.
 */
#include "oracle_wslay.h"

#include <string.h>

#include <wslay/wslay.h>

#include "fuzz.h"

struct source {
	const uint8_t *at;
	size_t left;
	struct buf *out;
	bool is_closed;
	bool is_half_code; /* a close frame of one byte: wslay takes it, RFC 6455 5.5.1 does not */
};

static ssize_t on_recv(wslay_event_context_ptr ctx, uint8_t *to, size_t n, int flags, void *arg)
{
	struct source *s = arg;

	n = CH_MIN(n, s->left);
	if (!n) {
		wslay_event_set_error(ctx, WSLAY_ERR_WOULDBLOCK);
		return -1;
	}
	memcpy(to, s->at, n);
	s->at += n;
	s->left -= n;
	return (ssize_t)n;
}

static ssize_t on_send(wslay_event_context_ptr ctx, const uint8_t *data, size_t n, int flags, void *arg)
{
	return (ssize_t)n;
}

static void on_message(wslay_event_context_ptr ctx, const struct wslay_event_on_msg_recv_arg *m, void *arg)
{
	struct source *s = arg;
	bool is_close = m->opcode == WSLAY_CONNECTION_CLOSE;
	size_t skip = is_close && m->msg_length >= 2 ? 2 : 0;

	s->is_half_code = is_close && m->msg_length == 1;
	if (s->is_half_code)
		return;
	buf_printf(s->out, "%u %u %zu:", m->opcode, is_close ? (m->status_code ? m->status_code : 1005) : 0,
		   m->msg_length - skip);
	if (m->msg_length > skip)
		buf_append(s->out, m->msg + skip, m->msg_length - skip);
	buf_putc(s->out, '\n');
	s->is_closed = s->is_closed || is_close;
}

uint16_t oracle_wslay(const uint8_t *data, size_t size, size_t message_max, struct buf *out)
{
	static const struct wslay_event_callbacks callbacks = {
		.recv_callback = on_recv, .send_callback = on_send, .on_msg_recv_callback = on_message,
	};
	struct source s = { .at = data, .left = size, .out = out };
	wslay_event_context_ptr ctx;
	uint16_t code;
	int st;

	FUZZ_ASSERT(wslay_event_context_server_init(&ctx, &callbacks, &s) == 0);
	wslay_event_config_set_max_recv_msg_length(ctx, message_max);
	st = wslay_event_recv(ctx);
	FUZZ_ASSERT(st == 0 || st == WSLAY_ERR_CALLBACK_FAILURE); /* the latter for malformed headers, too */
	FUZZ_ASSERT(wslay_event_send(ctx) == 0);
	code = !s.is_closed && wslay_event_get_close_sent(ctx) ? wslay_event_get_status_code_sent(ctx) : 0;
	wslay_event_context_free(ctx);
	/* It sends no code when the header itself is malformed. */
	return s.is_half_code || code == 1005 ? 1002 : code;
}
