/*
 * fuzz_ws.c - the WebSocket codec. On the server's side: the same events and
 * the same failure as libwslay, in one piece as in steps and with stops. On
 * the client's side: what we frame comes back as it was.
 *
 * The first byte chooses the steps; the rest is what the peer sends.
 */
#include "fuzz.h"

#include "core/mem.h"
#include "net/ws.h"
#include "oracle_wslay.h"

#define MESSAGE_MAX 300

struct trace {
	struct buf text;
	bool stops;                     /* each event asks to stop */
	bool has_odd_close;             /* a close code that wslay does not know yet: 1012 to 1014 */
	struct buf echo;                /* each data message framed again, as a client */
	struct buf echoed;              /* what that should decode to */
};

static bool note(void *arg, struct ws_event *ev)
{
	struct trace *t = arg;

	FUZZ_ASSERT(ev->data[ev->len] == '\0');
	buf_printf(&t->text, "%u %u %zu:", ev->op, ev->op == WS_CLOSE ? ev->close_code : 0, ev->len);
	buf_append(&t->text, ev->data, ev->len);
	buf_putc(&t->text, '\n');
	t->has_odd_close |= ev->op == WS_CLOSE && ev->close_code >= 1012 && ev->close_code <= 1014;
	if (ev->op != WS_CLOSE) {
		ws_frame(&t->echo, WS_SERVER, ev->op, ev->data, ev->len);
		buf_printf(&t->echoed, "%u 0 %zu:", ev->op, ev->len);
		buf_append(&t->echoed, ev->data, ev->len);
		buf_putc(&t->echoed, '\n');
	}
	memset(ev->data, 0xff, ev->len);
	return !t->stops;
}

static void trace_init(struct trace *t)
{
	*t = (struct trace){ 0 };
	buf_init(&t->text, SIZE_MAX);
	buf_init(&t->echo, SIZE_MAX);
	buf_init(&t->echoed, SIZE_MAX);
}

static void trace_done(struct trace *t)
{
	buf_done(&t->text);
	buf_done(&t->echo);
	buf_done(&t->echoed);
}

/* Gives the close code to fail with; *ret_is_pending: a frame or message is incomplete. */
static uint16_t decode(enum ws_side side, const uint8_t *data, size_t size, size_t step, struct trace *t,
		       bool *ret_is_pending)
{
	struct ch_err err = { 0 };
	struct ws_codec c;
	uint16_t code;
	ch_status st = CH_OK;

	ws_codec_init(&c, side, MESSAGE_MAX);
	for (size_t i = 0; i < size && !st; i += step) {
		size_t n = CH_MIN(step, size - i);
		char *copy = ch_alloc(n);       /* exact, so that a sanitizer sees the first byte too far */

		memcpy(copy, data + i, n);
		st = ws_feed(&c, copy, n, note, t, &err);
		ch_free(copy);
	}
	while (!st && c.is_held) {
		char nothing;

		st = ws_feed(&c, &nothing, 0, note, t, &err);
	}
	FUZZ_ASSERT((st == CH_OK) == (c.fail_code == 0));
	FUZZ_ASSERT((st == CH_OK) == (err.text[0] == '\0'));
	FUZZ_ASSERT(c.message.len <= MESSAGE_MAX && c.in.len <= MESSAGE_MAX + 14);
	*ret_is_pending = c.in.len || c.in_message;
	if (!*ret_is_pending && !c.is_closed)
		FUZZ_ASSERT(!c.in.data && !c.message.data);
	code = c.fail_code;
	ws_codec_done(&c);
	return code;
}

static bool same(const struct buf *a, const struct buf *b)
{
	return a->len == b->len && (!a->len || !memcmp(a->data, b->data, a->len));
}

static bool is_prefix(const struct buf *a, const struct buf *b)
{
	return a->len <= b->len && (!a->len || !memcmp(a->data, b->data, a->len));
}

static void compare_steps(const uint8_t *data, size_t size, size_t step, bool stops,
			  const struct trace *whole, uint16_t code)
{
	struct trace t;
	bool is_pending;

	trace_init(&t);
	t.stops = stops;
	FUZZ_ASSERT(decode(WS_SERVER, data, size, step, &t, &is_pending) == code);
	FUZZ_ASSERT(same(&t.text, &whole->text));
	trace_done(&t);
}

static void compare_wslay(const uint8_t *data, size_t size, const struct trace *whole, uint16_t code,
			  bool is_pending)
{
	CH_AUTO_BUF struct buf theirs = { 0 };
	uint16_t their_code;

	buf_init(&theirs, SIZE_MAX);
	if (whole->has_odd_close)
		return;
	their_code = oracle_wslay(data, size, MESSAGE_MAX, &theirs);
	if (their_code == code) {
		FUZZ_ASSERT(same(&whole->text, &theirs));
		return;
	}
	/* Each may fail while the other still waits for the end of the frame: we look at UTF-8 then. */
	FUZZ_ASSERT(is_prefix(&whole->text, &theirs) && is_prefix(&theirs, &whole->text));
	if (code && their_code) /* a close frame may be wrong in two ways, looked at in another order */
		FUZZ_ASSERT(code == 1002 && their_code == 1007);
	else
		FUZZ_ASSERT(code || (is_pending && their_code == 1007));
}

static void compare_echo(struct trace *t)
{
	struct trace back;
	bool is_pending;

	trace_init(&back);
	FUZZ_ASSERT(decode(WS_CLIENT, (uint8_t *)t->echo.data, t->echo.len, 7, &back, &is_pending) == 0 &&
		    !is_pending);
	FUZZ_ASSERT(same(&back.text, &t->echoed));
	trace_done(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct trace whole;
	bool is_pending;
	uint16_t code;

	if (!size)
		return 0;
	trace_init(&whole);
	code = decode(WS_SERVER, data + 1, size - 1, SIZE_MAX / 2, &whole, &is_pending);
	compare_steps(data + 1, size - 1, 1 + data[0] % 32, data[0] & 128, &whole, code);
	compare_steps(data + 1, size - 1, SIZE_MAX / 2, true, &whole, code);
	compare_wslay(data + 1, size - 1, &whole, code, is_pending);
	compare_echo(&whole);
	trace_done(&whole);
	return 0;
}
