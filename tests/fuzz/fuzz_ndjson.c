/*
 * NDJSON: arbitrary bytes, whole and cut. The first byte says where the input
 * is cut; both readings must give the same lines and the same status.
 */
#include "fuzz.h"

#include "net/sse.h"

#define LINE_MAX_BYTES 256

static bool on_line(void *arg, const char *line, size_t n)
{
	struct buf *out = arg;

	FUZZ_ASSERT(n > 0 && n <= LINE_MAX_BYTES && !memchr(line, '\n', n));
	buf_append(out, line, n);
	buf_putc(out, '\n');
	return true;
}

static ch_status decode(const char *p, size_t n, size_t step, struct buf *out)
{
	struct ndjson d;
	ch_status st = CH_OK;

	ndjson_init(&d, LINE_MAX_BYTES);
	for (size_t at = 0; at < n && !st; at += step)
		st = ndjson_feed(&d, p + at, CH_MIN(step, n - at), on_line, out, NULL);
	if (!st)
		st = ndjson_end(&d, on_line, out, NULL);
	ndjson_done(&d);
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
