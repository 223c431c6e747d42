/*
 * net/ws.c - the WebSocket codec: what the bytes mean, for both sides.
 *
 * A frame (RFC 6455 5.2):
 *
 *	byte 0   FIN RSV1 RSV2 RSV3 opcode(4)
 *	byte 1   MASK length(7): 0-125, 126 = 16 bit follow, 127 = 64 bit follow
 *	then     the longer length, big endian, in its shortest form
 *	then     4 bytes of mask when MASK is set
 *	then     the payload
 *
 * A frame that lies whole in the bytes fed is used where it is: unmasking
 * moves the payload one byte down, onto its own header, which leaves room for
 * the NUL without touching what follows. Only what is incomplete is copied.
 */
#include "net/ws.h"

#include "core/crypto.h"
#include "core/mem.h"
#include "core/rand.h"
#include "core/str.h"

#define WS_HEADER_MAX 14                /* 2 + 8 of length + 4 of mask */
#define WS_CONTROL_MAX 125
#define WS_GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

typedef bool (*ws_on_event)(void *arg, struct ws_event *ev);

struct frame {
	enum ws_opcode op;
	bool is_fin;
	bool is_masked;
	unsigned char mask[4];
	size_t header_bytes;
	size_t len;
};

static bool is_control(enum ws_opcode op)
{
	return op & 8;
}

void ws_codec_init(struct ws_codec *c, enum ws_side side, size_t message_max)
{
	*c = (struct ws_codec){ .side = side, .message_max = message_max };
	buf_init(&c->in, SIZE_MAX);
	buf_init(&c->message, SIZE_MAX);
}

void ws_codec_done(struct ws_codec *c)
{
	buf_done(&c->in);
	buf_done(&c->message);
}

/* From here on the codec is dead: the caller sends the code and hangs up. */
static ch_status fail(struct ws_codec *c, uint16_t code, struct ch_err *err, const char *what)
{
	c->fail_code = code;
	c->is_closed = true;
	return ch_fail(err, code == 1009 ? CH_E_LIMIT : code == 1011 ? CH_E_NOMEM : CH_E_PEER,
		       "websocket: %s (close code %u)", what, code);
}

static ch_status fail_grow(struct ws_codec *c, struct ch_err *err)
{
	return fail(c, 1011, err, "no memory for a message");
}

/* The rules that the first two bytes decide. */
static ch_status check_start(struct ws_codec *c, const struct frame *f, unsigned char first, size_t len7,
			     struct ch_err *err)
{
	if (first & 0x70)
		return fail(c, 1002, err, "reserved bits are set");
	if (f->is_masked != (c->side == WS_SERVER))
		return fail(c, 1002, err,
			    f->is_masked ? "a server's frame is masked" : "a client's frame is not masked");
	switch (f->op) {
	case WS_CONT:
		return c->in_message ? CH_OK : fail(c, 1002, err, "a continuation without a start");
	case WS_TEXT:
	case WS_BINARY:
		return c->in_message ? fail(c, 1002, err, "a message inside a message") : CH_OK;
	case WS_CLOSE:
	case WS_PING:
	case WS_PONG:
		if (!f->is_fin)
			return fail(c, 1002, err, "a control frame is fragmented");
		return len7 > WS_CONTROL_MAX ? fail(c, 1002, err, "a control frame is too long") : CH_OK;
	}
	return fail(c, 1002, err, "a reserved opcode");
}

static ch_status read_length(struct ws_codec *c, const unsigned char *p, size_t len7, uint64_t *ret,
			     struct ch_err *err)
{
	size_t bytes = len7 == 126 ? 2 : 8;
	uint64_t len = 0;

	for (size_t i = 0; i < bytes; i++)
		len = len << 8 | p[i];
	if (len >> 63)
		return fail(c, 1002, err, "a length with the top bit set");
	if (len < (bytes == 2 ? 126 : 65536))
		return fail(c, 1002, err, "a length not in its shortest form");
	*ret = len;
	return CH_OK;
}

/*
 * Reads a header. f->header_bytes is 0 when more bytes are needed; *ret_need
 * says how many in total before it is worth trying again. The size limit is
 * applied here, before a byte of payload is kept.
 */
static ch_status read_header(struct ws_codec *c, const char *bytes, size_t n, struct frame *f,
			     size_t *ret_need, struct ch_err *err)
{
	const unsigned char *p = (const unsigned char *)bytes;
	uint64_t len;
	size_t len7, at = 2;
	ch_status st;

	*f = (struct frame){ 0 };
	*ret_need = 2;
	if (n < 2)
		return CH_OK;
	f->op = p[0] & 15;
	f->is_fin = p[0] & 0x80;
	f->is_masked = p[1] & 0x80;
	len = len7 = p[1] & 0x7f;
	st = check_start(c, f, p[0], len7, err);
	if (st)
		return st;
	at += len7 == 126 ? 2 : len7 == 127 ? 8 : 0;
	*ret_need = at + (f->is_masked ? 4 : 0);
	if (n < at)
		return CH_OK;
	if (len7 > WS_CONTROL_MAX) {
		st = read_length(c, p + 2, len7, &len, err);
		if (st)
			return st;
	}
	if (!is_control(f->op) && (len > c->message_max || c->message.len > c->message_max - len))
		return fail(c, 1009, err, "the message is too big");
	if (n < *ret_need)
		return CH_OK;
	if (f->is_masked)
		memcpy(f->mask, p + at, 4);
	f->header_bytes = *ret_need;
	f->len = len;
	*ret_need += len;
	return CH_OK;
}

/*
 * dst = src ^ mask, where dst may lie below src and overlap it: each word is
 * read before anything at or above it is written.
 */
static void unmask(char *dst, const char *src, size_t n, const unsigned char mask[4])
{
	uint64_t word, wide;
	uint32_t narrow;
	size_t i = 0;

	memcpy(&narrow, mask, 4);
	wide = (uint64_t)narrow << 32 | narrow;
	for (; i + 8 <= n; i += 8) {
		memcpy(&word, src + i, 8);
		word ^= wide;
		memcpy(dst + i, &word, 8);
	}
	for (; i < n; i++)
		dst[i] = (char)((unsigned char)src[i] ^ mask[i & 3]);
}

/*
 * UTF-8 (RFC 3629) as it arrives, cut anywhere. Between bytes the state holds
 * how many continuation bytes are owed and the range of the next one:
 * owed | low << 8 | high << 16; UTF8_START owes nothing.
 */
#define UTF8_START 0u
#define UTF8_BAD UINT32_MAX

static uint32_t utf8_lead(unsigned char b)
{
	uint32_t low = 0x80, high = 0xbf, owed;

	if (b < 0xc2 || b > 0xf4)
		return UTF8_BAD;
	owed = b < 0xe0 ? 1 : b < 0xf0 ? 2 : 3;
	if (b == 0xe0)
		low = 0xa0;             /* no overlong forms */
	else if (b == 0xed)
		high = 0x9f;            /* no surrogates */
	else if (b == 0xf0)
		low = 0x90;
	else if (b == 0xf4)
		high = 0x8f;            /* at most U+10FFFF */
	return owed | low << 8 | high << 16;
}

static uint32_t utf8_feed(uint32_t state, const char *p, size_t n)
{
	uint64_t word;
	size_t i = 0;

	while (i < n) {
		unsigned char b = (unsigned char)p[i];

		if (state == UTF8_START && b < 0x80) {
			for (i++; i + 8 <= n; i += 8) {
				memcpy(&word, p + i, 8);
				if (word & 0x8080808080808080u)
					break;
			}
			continue;
		}
		if (state == UTF8_START) {
			state = utf8_lead(b);
			if (state == UTF8_BAD)
				return state;
		} else {
			if (b < (state >> 8 & 0xff) || b > (state >> 16 & 0xff))
				return UTF8_BAD;
			state = (state & 0xff) == 1 ? UTF8_START
						    : ((state & 0xff) - 1) | 0x80 << 8 | 0xbf << 16;
		}
		i++;
	}
	return state;
}

static ch_status take_close(struct ws_codec *c, char *data, size_t len, ws_on_event on_event, void *arg,
			    struct ch_err *err)
{
	struct ws_event ev = { .op = WS_CLOSE, .data = data, .close_code = 1005 };

	if (len == 1)
		return fail(c, 1002, err, "a close frame with half a code");
	if (len >= 2) {
		ev.close_code = (uint16_t)((unsigned char)data[0] << 8 | (unsigned char)data[1]);
		ev.data = data + 2;
		ev.len = len - 2;
		if (!ws_close_code_valid(ev.close_code))
			return fail(c, 1002, err, "an invalid close code");
		if (!utf8_valid(ev.data, ev.len))
			return fail(c, 1007, err, "a close reason that is not UTF-8");
	}
	c->is_closed = true;
	(void)on_event(arg, &ev);       /* nothing follows a close, so the answer changes nothing */
	return CH_OK;
}

/* One data frame; gives the whole message to the callback when this was its last. */
static ch_status take_data(struct ws_codec *c, const struct frame *f, char *data, ws_on_event on_event,
			   void *arg, bool *ret_more, struct ch_err *err)
{
	struct ws_event ev = { .op = f->op == WS_CONT ? c->message_op : f->op, .data = data, .len = f->len };
	bool is_whole = f->is_fin && !c->in_message;

	if (!c->in_message) {
		c->message_op = f->op;
		c->utf8_state = UTF8_START;
	}
	if (ev.op == WS_TEXT) {
		c->utf8_state = utf8_feed(c->utf8_state, data, f->len);
		if (c->utf8_state == UTF8_BAD || (f->is_fin && c->utf8_state != UTF8_START))
			return fail(c, 1007, err, "a text message that is not UTF-8");
	}
	c->in_message = !f->is_fin;
	if (!is_whole) {
		buf_append(&c->message, data, f->len);
		if (c->message.failed)
			return fail_grow(c, err);
		if (!f->is_fin)
			return CH_OK;
		ev.len = c->message.len;
		ev.data = ev.len ? c->message.data : data; /* data is "" here: all fragments were empty */
	}
	*ret_more = on_event(arg, &ev);
	if (!is_whole)
		buf_done(&c->message);
	return CH_OK;
}

/* A complete frame at `bytes`, header included; its bytes are consumed afterwards. */
static ch_status take_frame(struct ws_codec *c, const struct frame *f, char *bytes, ws_on_event on_event,
			    void *arg, bool *ret_more, struct ch_err *err)
{
	char *payload = bytes + f->header_bytes, *data = payload - 1;
	struct ws_event ev;

	if (f->is_masked)
		unmask(data, payload, f->len, f->mask);
	else
		memmove(data, payload, f->len);
	data[f->len] = '\0';
	if (f->op == WS_CLOSE)
		return take_close(c, data, f->len, on_event, arg, err);
	if (!is_control(f->op))
		return take_data(c, f, data, on_event, arg, ret_more, err);
	ev = (struct ws_event){ .op = f->op, .data = data, .len = f->len };
	*ret_more = on_event(arg, &ev);
	return CH_OK;
}

/* Completes the frame in c->in from the bytes; *ret_used of them are taken. */
static ch_status feed_partial(struct ws_codec *c, const char *bytes, size_t n, ws_on_event on_event,
			      void *arg, size_t *ret_used, bool *ret_more, struct ch_err *err)
{
	size_t used = 0, need;
	struct frame f;
	ch_status st;

	for (;;) {
		st = read_header(c, c->in.data, c->in.len, &f, &need, err);
		if (st)
			return st;
		if (f.header_bytes && c->in.len == need)
			break;
		if (used == n)
			break;
		size_t take = CH_MIN(n - used, need - c->in.len);

		buf_append(&c->in, bytes + used, take);
		if (c->in.failed)
			return fail_grow(c, err);
		used += take;
	}
	*ret_used = used;
	if (!f.header_bytes || c->in.len < need)
		return CH_OK;

	/* Moved out first: the callback may end the codec's owner. */
	CH_AUTO_BUF struct buf whole = c->in;

	buf_init(&c->in, SIZE_MAX);
	return take_frame(c, &f, whole.data, on_event, arg, ret_more, err);
}

static ch_status keep(struct ws_codec *c, const char *bytes, size_t n, bool is_held, struct ch_err *err)
{
	if (!n || c->is_closed)
		return CH_OK;
	buf_append(&c->in, bytes, n);
	if (c->in.failed)
		return fail_grow(c, err);
	c->is_held = is_held;
	return CH_OK;
}

/* Frames that lie whole in the bytes; the rest is kept. */
static ch_status feed_direct(struct ws_codec *c, char *bytes, size_t n, ws_on_event on_event, void *arg,
			     bool *ret_more, struct ch_err *err)
{
	struct frame f;
	size_t need;
	ch_status st;

	while (n && *ret_more && !c->is_closed) {
		st = read_header(c, bytes, n, &f, &need, err);
		if (st)
			return st;
		if (!f.header_bytes || n < need)
			return keep(c, bytes, n, false, err);
		st = take_frame(c, &f, bytes, on_event, arg, ret_more, err);
		if (st)
			return st;
		bytes += need;
		n -= need;
	}
	return keep(c, bytes, n, true, err);
}

/* Bytes held back when a callback asked to stop: whole frames may be among them. */
static ch_status feed_held(struct ws_codec *c, ws_on_event on_event, void *arg, bool *ret_more,
			   struct ch_err *err)
{
	CH_AUTO_BUF struct buf held = c->in;

	buf_init(&c->in, SIZE_MAX);
	c->is_held = false;
	return feed_direct(c, held.data, held.len, on_event, arg, ret_more, err);
}

ch_status ws_feed(struct ws_codec *c, char *bytes, size_t n, ws_on_event on_event, void *arg,
		  struct ch_err *err)
{
	bool more = true;
	size_t used = 0;
	ch_status st;

	if (c->is_held) {
		st = feed_held(c, on_event, arg, &more, err);
		if (st)
			return st;
	}
	if (c->is_closed)
		return CH_OK;
	if (c->is_held)
		return keep(c, bytes, n, true, err);
	if (n && c->in.len) {
		st = feed_partial(c, bytes, n, on_event, arg, &used, &more, err);
		if (st)
			return st;
	}
	return feed_direct(c, bytes + used, n - used, on_event, arg, &more, err);
}

size_t ws_header(enum ws_opcode op, size_t n, unsigned char ret_header[10])
{
	size_t extra = n < 126 ? 0 : n < 65536 ? 2 : 8;

	ret_header[0] = (unsigned char)(0x80 | op);
	ret_header[1] = (unsigned char)(extra == 0 ? n : extra == 2 ? 126 : 127);
	for (size_t i = 0; i < extra; i++)
		ret_header[2 + i] = (unsigned char)((uint64_t)n >> (8 * (extra - 1 - i)));
	return 2 + extra;
}

void ws_frame(struct buf *out, enum ws_side side, enum ws_opcode op, const void *p, size_t n)
{
	unsigned char header[WS_HEADER_MAX], mask[4];
	size_t header_bytes = ws_header(op, n, header);

	if (side == WS_CLIENT) {
		header[1] |= 0x80;
		rand_bytes(mask, sizeof(mask));
		memcpy(header + header_bytes, mask, sizeof(mask));
		header_bytes += sizeof(mask);
	}
	if (!buf_reserve(out, header_bytes + n))
		return;
	buf_append(out, header, header_bytes);
	buf_append(out, p, n);
	if (side == WS_CLIENT)
		unmask(out->data + out->len - n, out->data + out->len - n, n, mask);
}

void ws_frame_close(struct buf *out, enum ws_side side, uint16_t code, const char *reason)
{
	char payload[WS_CONTROL_MAX];
	size_t n = reason ? strlen(reason) : 0;

	if (code == 1005) {             /* "no code": an empty close frame */
		ws_frame(out, side, WS_CLOSE, NULL, 0);
		return;
	}
	n = n ? utf8_cut(reason, n, sizeof(payload) - 2) : 0;
	payload[0] = (char)(code >> 8);
	payload[1] = (char)code;
	if (reason)
		memcpy(payload + 2, reason, n);
	ws_frame(out, side, WS_CLOSE, payload, n + 2);
}

void ws_accept_key(const char *key, char ret_text[29])
{
	uint8_t digest[20];
	char joined[128];
	int n = snprintf(joined, sizeof(joined), "%s" WS_GUID, key);

	CH_BUG_ON(n < 0 || (size_t)n >= sizeof(joined));        /* callers checked that the key is 24 bytes */
	sha1(joined, (size_t)n, digest);
	b64_encode(digest, sizeof(digest), ret_text);
}

bool ws_close_code_valid(uint16_t code)
{
	if (code >= 3000 && code <= 4999)
		return true;
	return code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006;
}
