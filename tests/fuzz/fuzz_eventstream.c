/*
 * AWS's binary event stream: arbitrary bytes, whole and cut, must give the
 * same messages and the same end. The first byte says how: below 128 the rest
 * is the stream, cut by it; from 128 on the rest is one message's headers and
 * payload, in a frame whose lengths and checksums are right.
 */
#include "fuzz.h"

#include <string.h>
#include <zlib.h>

#include "core/mem.h"
#include "core/str.h"
#include "models/eventstream.h"

#define MAX_BYTES 65536

struct reading { struct buf log; size_t messages; ch_status st; };

static bool on_message(void *arg, const struct eventstream_message *m)
{
	struct reading *r = arg;

	FUZZ_ASSERT(m->kind == EVENTSTREAM_EVENT || m->kind == EVENTSTREAM_EXCEPTION || m->kind == EVENTSTREAM_ERROR);
	FUZZ_ASSERT(utf8_valid(m->name, strlen(m->name)) && utf8_valid(m->text, strlen(m->text)));
	r->messages++;
	buf_printf(&r->log, "%d %s %s ", m->kind, m->name, m->text);
	buf_append(&r->log, m->payload, m->len);
	return true;
}

static void read_stream(struct reading *r, const uint8_t *p, size_t n, size_t step)
{
	struct eventstream es;

	*r = (struct reading){ .st = CH_OK };
	buf_init(&r->log, (size_t)16 << 20);
	eventstream_init(&es, MAX_BYTES);
	for (size_t at = 0; at < n && !r->st; at += step)
		r->st = eventstream_feed(&es, (const char *)p + at, CH_MIN(step, n - at), on_message, r, NULL);
	FUZZ_ASSERT(r->st == CH_OK || r->st == CH_E_PEER || r->st == CH_E_LIMIT);
	eventstream_done(&es);
}

static void store32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 24);
	p[1] = (uint8_t)(v >> 16);
	p[2] = (uint8_t)(v >> 8);
	p[3] = (uint8_t)v;
}

/* Two bytes say how long the headers are. */
static void check_frame(const uint8_t *data, size_t size)
{
	size_t n = size - 2, headers = n ? ((size_t)data[0] << 8 | data[1]) % (n + 1) : 0;
	uint8_t *frame = ch_alloc(16 + n);
	struct reading r;

	store32(frame, (uint32_t)(16 + n));
	store32(frame + 4, (uint32_t)headers);
	store32(frame + 8, (uint32_t)crc32(0, frame, 8));
	if (n)
		memcpy(frame + 12, data + 2, n);
	store32(frame + 12 + n, (uint32_t)crc32(0, frame, (unsigned)(12 + n)));
	read_stream(&r, frame, 16 + n, 16 + n);
	FUZZ_ASSERT(r.messages == 1 || r.st != CH_OK);
	buf_done(&r.log);
	ch_free(frame);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reading whole, cut;

	if (size < 4 || size > MAX_BYTES / 2)
		return 0;
	if (data[0] >= 128) {
		check_frame(data + 1, size - 1);
		return 0;
	}
	read_stream(&whole, data + 1, size - 1, size);
	read_stream(&cut, data + 1, size - 1, 1 + data[0] % 32);
	FUZZ_ASSERT(whole.st == cut.st && whole.messages == cut.messages);
	FUZZ_ASSERT(whole.log.len == cut.log.len && memcmp(buf_str(&whole.log), buf_str(&cut.log), cut.log.len) == 0);
	buf_done(&whole.log);
	buf_done(&cut.log);
	return 0;
}
