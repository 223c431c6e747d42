/*
 * core/hash.c - SipHash with one compression and three finalisation rounds.
 *
 * The key is the 16 random bytes that the kernel passes to every process
 * (AT_RANDOM): no start-up order to get right and no mutable global.
 */
#include "core/hash.h"

#include <endian.h>
#include <string.h>
#include <sys/auxv.h>

struct sip {
	uint64_t v0, v1, v2, v3;
};

static inline uint64_t rotl(uint64_t x, int bits)
{
	return x << bits | x >> (64 - bits);
}

static inline void sip_round(struct sip *s)
{
	s->v0 += s->v1;
	s->v1 = rotl(s->v1, 13) ^ s->v0;
	s->v0 = rotl(s->v0, 32);
	s->v2 += s->v3;
	s->v3 = rotl(s->v3, 16) ^ s->v2;
	s->v0 += s->v3;
	s->v3 = rotl(s->v3, 21) ^ s->v0;
	s->v2 += s->v1;
	s->v1 = rotl(s->v1, 17) ^ s->v2;
	s->v2 = rotl(s->v2, 32);
}

static inline void sip_word(struct sip *s, uint64_t word)
{
	s->v3 ^= word;
	sip_round(s);
	s->v0 ^= word;
}

uint64_t hash_bytes(const void *p, size_t n)
{
	const unsigned char *at = p;
	uint64_t key[2], word;
	struct sip s;

	memcpy(key, (const void *)getauxval(AT_RANDOM), sizeof(key));
	s.v0 = key[0] ^ 0x736f6d6570736575ull;
	s.v1 = key[1] ^ 0x646f72616e646f6dull;
	s.v2 = key[0] ^ 0x6c7967656e657261ull;
	s.v3 = key[1] ^ 0x7465646279746573ull;

	for (size_t left = n; left >= 8; left -= 8, at += 8) {
		memcpy(&word, at, 8);
		sip_word(&s, le64toh(word));
	}
	word = (uint64_t)n << 56;
	for (size_t i = 0; i < n % 8; i++)
		word |= (uint64_t)at[i] << (8 * i);
	sip_word(&s, word);

	s.v2 ^= 0xff;
	sip_round(&s);
	sip_round(&s);
	sip_round(&s);
	return s.v0 ^ s.v1 ^ s.v2 ^ s.v3;
}
