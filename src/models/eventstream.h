/*
 * models/eventstream.h - decoder of AWS's binary event stream
 * (application/vnd.amazon.eventstream), without I/O. Internal to models/.
 *
 *	offset  bytes  what (numbers are big-endian)
 *	0       4      total length, this field and the last one included
 *	4       4      length of the headers
 *	8       4      CRC-32 of the 8 bytes before
 *	12      h      headers: name length (1), name, type (1), value
 *	12+h    p      payload
 *	12+h+p  4      CRC-32 of everything before
 *
 * Owns    the bytes of the message that is not whole yet.
 * Limits  max_bytes a message (CH_E_LIMIT); EVENTSTREAM_HEADERS_MAX of them headers.
 * Fails   CH_E_PEER when a checksum or a header is wrong: nothing behind it can be trusted.
 */
#ifndef CH_MODELS_EVENTSTREAM_H
#define CH_MODELS_EVENTSTREAM_H

#include "core/buf.h"
#include "core/err.h"

#define EVENTSTREAM_HEADERS_MAX (128u * 1024u)
#define EVENTSTREAM_NAME_MAX 255

enum eventstream_kind { EVENTSTREAM_EVENT, EVENTSTREAM_EXCEPTION, EVENTSTREAM_ERROR };

struct eventstream_message {
	enum eventstream_kind kind;      /* from :message-type */
	char name[EVENTSTREAM_NAME_MAX + 1];   /* :event-type, :exception-type or :error-code; "" when absent */
	char text[EVENTSTREAM_NAME_MAX + 1];   /* :error-message, cut; "" when absent */
	const char *payload;             /* valid during the call; not NUL-terminated */
	size_t len;
};

struct eventstream { struct buf in; size_t max_bytes; };
void eventstream_init(struct eventstream *s, size_t max_bytes);
void eventstream_done(struct eventstream *s);
/* on_message returns false to stop (not an error). */
CH_MUST_USE ch_status eventstream_feed(struct eventstream *s, const char *p, size_t n,
				       bool (*on_message)(void *arg, const struct eventstream_message *m), void *arg,
				       struct ch_err *err);
/* Nothing of a message may be left when the body ended. */
bool eventstream_is_empty(const struct eventstream *s);

#endif
