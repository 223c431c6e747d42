/*
 * net/ws.h - WebSocket codec (RFC 6455), both sides, without I/O.
 *
 * Bytes in, messages out: ws_feed() unmasks in place, joins fragments, checks
 * UTF-8 of text incrementally and hands each event to the callback. It keeps
 * only what is incomplete, so an idle codec holds no buffer.
 * Limits  message_max bytes per message (1009), control frames 125 bytes.
 * Fails   with the close code to send: 1002 protocol, 1007 UTF-8, 1009 size.
 * No extension is ever negotiated, so RSV bits are errors.
 */
#ifndef CH_NET_WS_H
#define CH_NET_WS_H

#include "core/buf.h"
#include "core/err.h"

enum ws_opcode { WS_CONT = 0, WS_TEXT = 1, WS_BINARY = 2, WS_CLOSE = 8, WS_PING = 9, WS_PONG = 10 };
enum ws_side { WS_SERVER, WS_CLIENT };

struct ws_event {
	enum ws_opcode op;               /* TEXT or BINARY: a whole message; CLOSE PING PONG */
	char *data; /* borrowed until the callback returns; NUL-terminated; may be modified */
	size_t len;
	uint16_t close_code;             /* CLOSE: 1005 when absent */
};

struct ws_codec {
	enum ws_side side;
	size_t message_max;              /* may be changed between messages */
	struct buf in;                   /* an incomplete frame */
	struct buf message;              /* fragments so far */
	enum ws_opcode message_op;
	bool in_message;
	bool is_closed;                  /* a CLOSE was received, or feeding failed: the rest is ignored */
	bool is_held;                    /* on_event said stop: `in` holds what it has not seen */
	uint32_t utf8_state;
	uint16_t fail_code;              /* close code to send after a failure */
};

void ws_codec_init(struct ws_codec *c, enum ws_side side, size_t message_max);
void ws_codec_done(struct ws_codec *c);
/*
 * on_event returns false to stop: what follows is kept and comes first at the next ws_feed(), which may
 * bring no bytes. It must not call ws_codec_done().
 */
CH_MUST_USE ch_status ws_feed(struct ws_codec *c, char *bytes, size_t n,
			      bool (*on_event)(void *arg, struct ws_event *ev), void *arg,
			      struct ch_err *err);
/* Appends one frame; clients mask with a random key. */
void ws_frame(struct buf *out, enum ws_side side, enum ws_opcode op, const void *p, size_t n);
/* The reason is cut at 123 bytes, between characters. */
void ws_frame_close(struct buf *out, enum ws_side side, uint16_t code, const char *reason);
/* The header that ws_frame() puts in front of n bytes on the server's side, and its length. */
size_t ws_header(enum ws_opcode op, size_t n, unsigned char ret_header[10]);
/* base64(SHA-1(key + GUID)) */
void ws_accept_key(const char *key, char ret_text[29]);
/* Close codes a peer may send (RFC 6455 7.4). */
bool ws_close_code_valid(uint16_t code);

#endif
