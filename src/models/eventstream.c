/*
 * models/eventstream.c - decoder of AWS's binary event stream.
 */
#include "models/eventstream.h"

#include <string.h>
#include <zlib.h>

#include "core/str.h"

#define PRELUDE_BYTES 12
#define CRC_BYTES 4
#define OVERHEAD (PRELUDE_BYTES + CRC_BYTES)

void eventstream_init(struct eventstream *s, size_t max_bytes)
{
	*s = (struct eventstream){ .max_bytes = max_bytes };
	buf_init(&s->in, max_bytes);
}

void eventstream_done(struct eventstream *s)
{
	buf_done(&s->in);
}

bool eventstream_is_empty(const struct eventstream *s)
{
	return s->in.len == 0;
}

static uint32_t load32(const char *p)
{
	const uint8_t *b = (const uint8_t *)p;

	return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static uint32_t crc(const char *p, size_t n)
{
	return (uint32_t)crc32_z(crc32_z(0, NULL, 0), (const uint8_t *)p, n);
}

/* -- headers -- */

struct reader { const char *p; size_t left; };

static bool take(struct reader *r, size_t n, const char **ret)
{
	if (n > r->left)
		return false;
	*ret = r->p;
	r->p += n;
	r->left -= n;
	return true;
}

static bool take_number(struct reader *r, size_t bytes, size_t *ret)
{
	const char *p;

	if (!take(r, bytes, &p))
		return false;
	*ret = 0;
	for (size_t i = 0; i < bytes; i++)
		*ret = *ret << 8 | (uint8_t)p[i];
	return true;
}

/* The value of a header by its type; only texts (7) are of use. */
static bool take_value(struct reader *r, const char **ret_text, size_t *ret_len)
{
	/* true, false, byte, int16, int32, int64, bytes, text, time stamp, UUID */
	static const uint8_t sizes[] = { 0, 0, 1, 2, 4, 8, 0, 0, 8, 16 };
	size_t type, n;

	if (!take_number(r, 1, &type) || type >= CH_ARRAY_LEN(sizes))
		return false;
	n = sizes[type];
	if ((type == 6 || type == 7) && !take_number(r, 2, &n))
		return false;
	*ret_len = type == 7 ? n : 0;
	return take(r, n, ret_text);
}

static void set_text(char field[EVENTSTREAM_NAME_MAX + 1], const char *text, size_t n)
{
	if (!utf8_valid(text, n) || memchr(text, '\0', n))
		return;
	n = utf8_cut(text, n, EVENTSTREAM_NAME_MAX);
	memcpy(field, text, n);
	field[n] = '\0';
}

static bool name_is(const char *name, size_t n, const char *expected)
{
	return n == strlen(expected) && memcmp(name, expected, n) == 0;
}

static void take_header(struct eventstream_message *m, const char *name, size_t n, const char *value, size_t len)
{
	if (name_is(name, n, ":message-type"))
		m->kind = name_is(value, len, "exception") ? EVENTSTREAM_EXCEPTION
			  : name_is(value, len, "error") ? EVENTSTREAM_ERROR : EVENTSTREAM_EVENT;
	else if (name_is(name, n, ":event-type") || name_is(name, n, ":exception-type") || name_is(name, n, ":error-code"))
		set_text(m->name, value, len);
	else if (name_is(name, n, ":error-message"))
		set_text(m->text, value, len);
}

static bool read_headers(struct eventstream_message *m, const char *p, size_t n)
{
	struct reader r = { p, n };

	while (r.left) {
		const char *name, *value;
		size_t name_len, len;

		if (!take_number(&r, 1, &name_len) || !take(&r, name_len, &name) || !take_value(&r, &value, &len))
			return false;
		take_header(m, name, name_len, value, len);
	}
	return true;
}

/* -- messages -- */

/* *ret_total is 0 until the lengths are there. */
static ch_status read_prelude(const struct eventstream *s, size_t *ret_total, size_t *ret_headers, struct ch_err *err)
{
	const char *p = s->in.data;

	*ret_total = 0;
	if (s->in.len < PRELUDE_BYTES)
		return CH_OK;
	if (load32(p + 8) != crc(p, 8))
		return ch_fail(err, CH_E_PEER, "an event's prelude has a wrong checksum");
	*ret_headers = load32(p + 4);
	if (load32(p) > s->max_bytes)
		return ch_fail(err, CH_E_LIMIT, "an event of %u bytes is too long", load32(p));
	if (load32(p) < OVERHEAD || *ret_headers > load32(p) - OVERHEAD || *ret_headers > EVENTSTREAM_HEADERS_MAX)
		return ch_fail(err, CH_E_PEER, "an event's lengths make no sense");
	*ret_total = load32(p);
	return CH_OK;
}

static ch_status read_message(const struct eventstream *s, size_t total, size_t headers, struct eventstream_message *ret,
			      struct ch_err *err)
{
	const char *p = s->in.data;

	if (load32(p + total - CRC_BYTES) != crc(p, total - CRC_BYTES))
		return ch_fail(err, CH_E_PEER, "an event has a wrong checksum");
	*ret = (struct eventstream_message){
		.payload = p + PRELUDE_BYTES + headers,
		.len = total - OVERHEAD - headers,
	};
	if (!read_headers(ret, p + PRELUDE_BYTES, headers))
		return ch_fail(err, CH_E_PEER, "an event's headers are malformed");
	return CH_OK;
}

/* How many bytes the message that begins in the buffer still lacks, as far as is known. */
static size_t missing(const struct eventstream *s, size_t total)
{
	return (total ? total : PRELUDE_BYTES) - s->in.len;
}

ch_status eventstream_feed(struct eventstream *s, const char *p, size_t n,
			   bool (*on_message)(void *arg, const struct eventstream_message *m), void *arg,
			   struct ch_err *err)
{
	size_t total = 0, headers = 0;
	ch_status st = read_prelude(s, &total, &headers, err);

	while (n && !st) {
		size_t more = CH_MIN(missing(s, total), n);

		buf_append(&s->in, p, more);
		p += more;
		n -= more;
		st = buf_status(&s->in, err, "an event");
		if (!st)
			st = read_prelude(s, &total, &headers, err);
		if (!st && total && s->in.len == total) {
			struct eventstream_message m;

			st = read_message(s, total, headers, &m, err);
			if (st || !on_message(arg, &m))
				return st;
			buf_clear(&s->in);
			total = 0;
		}
	}
	return st;
}
