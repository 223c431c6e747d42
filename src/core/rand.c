/*
 * core/rand.c - randomness from the system's CSPRNG.
 */
#include "core/rand.h"

#include <limits.h>
#include <stdio.h>

#include <openssl/rand.h>

#include "core/err.h"
#include "core/str.h"

#define TOKEN_MAX 64u

void rand_bytes(void *p, size_t n)
{
	CH_BUG_ON(n > INT_MAX);
	if (RAND_bytes(p, (int)n) != 1)
		ch_bug(__FILE__, __LINE__, "the system gives no randomness");
}

uint64_t rand_below(uint64_t bound)
{
	uint64_t x, reject;

	CH_BUG_ON(bound == 0);
	/* The lowest 2^64 mod bound values would make the first remainders more likely. */
	reject = -bound % bound;
	do
		rand_bytes(&x, sizeof(x));
	while (x < reject);
	return x % bound;
}

void rand_uuid(char ret_text[UUID_LEN])
{
	uint8_t b[16];

	rand_bytes(b, sizeof(b));
	b[6] = (b[6] & 0x0f) | 0x40; /* version 4 */
	b[8] = (b[8] & 0x3f) | 0x80; /* variant */
	snprintf(ret_text, UUID_LEN, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
		 b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13],
		 b[14], b[15]);
}

void rand_token(size_t n, char *ret_text)
{
	uint8_t bytes[TOKEN_MAX];

	CH_BUG_ON(n > sizeof(bytes));
	rand_bytes(bytes, n);
	b64url_encode(bytes, n, ret_text);
	explicit_bzero(bytes, sizeof(bytes));
}
