/*
 * Event streams: arbitrary bytes, whole and cut. The first byte says where the
 * input is cut; both readings must give the same events and the same status.
 */
#include "fuzz.h"

#include "net/sse.h"

#define EVENT_MAX 256

static bool on_event(void *arg, const struct sse_event *ev)
{
	struct buf *out = arg;

	FUZZ_ASSERT(ev->data[ev->data_len] == '\0');
	FUZZ_ASSERT(ev->data_len <= EVENT_MAX && ev->retry_ms >= -1);
	buf_puts(out, ev->event);
	buf_putc(out, '\n');
	buf_append(out, ev->data, ev->data_len);
	buf_printf(out, "\n%s %lld\n", ev->id ? ev->id : "", (long long)ev->retry_ms);
	return true;
}

static ch_status decode(const char *p, size_t n, size_t step, struct buf *out)
{
	struct sse s;
	ch_status st = CH_OK;

	sse_init(&s, EVENT_MAX);
	for (size_t at = 0; at < n && !st; at += step)
		st = sse_feed(&s, p + at, CH_MIN(step, n - at), on_event, out, NULL);
	sse_done(&s);
	return st;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf whole, cut;
	ch_status a, b;

	if (size < 2)
		return 0;
	buf_init(&whole, (size_t)16 << 20);
	buf_init(&cut, (size_t)16 << 20);
	a = decode((const char *)data + 1, size - 1, size, &whole);
	b = decode((const char *)data + 1, size - 1, 1 + data[0] % 32, &cut);
	FUZZ_ASSERT(a == b && whole.len == cut.len);
	FUZZ_ASSERT(!whole.len || memcmp(whole.data, cut.data, whole.len) == 0);
	buf_done(&whole);
	buf_done(&cut);
	return 0;
}
