/* The answer to a WebSocket opening handshake: only the right one passes, and none is read too far. */
#include "fuzz.h"

#include "net/ws_handshake.h"

#define KEY "dGhlIHNhbXBsZSBub25jZQ=="
#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ch_err err;
	ch_status st = ws_handshake_check((const char *)data, size, KEY, &err);

	FUZZ_ASSERT(st || memmem(data, size, ACCEPT, strlen(ACCEPT)));
	FUZZ_ASSERT(!st || (err.code == st && err.text[0] != '\0'));
	return 0;
}
