/*
 * fuzz_chan_in.c - a stored message of a network, read back.
 *
 * Holds   what is read can be written, and reads the same again; no string of it is longer than its limit.
 */
#include <string.h>

#include "channels/inbox.h"
#include "core/arena.h"
#include "fuzz.h"

#define OUT_MAX (16u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	CH_AUTO_BUF struct buf one = { 0 }, two = { 0 };
	struct chan_in in, again;

	buf_init(&one, OUT_MAX);
	buf_init(&two, OUT_MAX);
	if (chan_in_read((const char *)data, size, a, &in, NULL))
		return 0;
	FUZZ_ASSERT(strlen(in.event_id) <= CHAN_ID_MAX && in.media_count <= CHAN_MEDIA_COUNT_MAX);
	if (chan_in_write(&in, &one, NULL))
		return 0;        /* a place whose id is too long */
	FUZZ_ASSERT(!chan_in_read(buf_str(&one), one.len, a, &again, NULL));
	FUZZ_ASSERT(!chan_in_write(&again, &two, NULL));
	FUZZ_ASSERT(one.len == two.len && !memcmp(one.data, two.data, one.len));
	return 0;
}
