/*
 * The fence around text from outside: whatever bytes stand in it, it is closed once, at the end, by the number it was
 * opened with, and nothing within looks like a mark.
 */
#include "fuzz.h"

#include "agent/fence.h"
#include "core/str.h"

#define OPEN "<<<outside "
#define CLOSE "\n<<<end of outside "
#define MARK_LEN 24

static const void *find(const char *text, size_t len, const char *what)
{
	return memmem(text, len, what, strlen(what));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CH_AUTO_BUF struct buf out = { 0 };
	const char *text = (const char *)data, *body, *end;
	char source[64];

	snprintf(source, sizeof(source), "%.*s", (int)CH_MIN(size, sizeof(source) - 1), text);
	buf_init(&out, 1u << 24);
	fence_put(&out, source, text, size);
	FUZZ_ASSERT(!out.failed && out.len > sizeof(OPEN) + sizeof(CLOSE) + 2 * MARK_LEN);
	FUZZ_ASSERT(!memcmp(out.data, OPEN, sizeof(OPEN) - 1));
	body = (const char *)memchr(out.data, '\n', out.len) + 1;
	end = out.data + out.len - (sizeof(CLOSE) - 1 + MARK_LEN + 3);
	FUZZ_ASSERT(end >= body - 1 && !memcmp(end, CLOSE, sizeof(CLOSE) - 1));
	FUZZ_ASSERT(!memcmp(end + sizeof(CLOSE) - 1, out.data + sizeof(OPEN) - 1, MARK_LEN));
	/* The head holds one mark, the body none. */
	FUZZ_ASSERT(!find(out.data + 3, (size_t)(body - out.data) - 3, "<<<"));
	FUZZ_ASSERT(end < body || (!find(body, (size_t)(end - body), "<<<") && !find(body, (size_t)(end - body), "<|")));
	return 0;
}
