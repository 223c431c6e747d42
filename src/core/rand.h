/*
 * core/rand.h - randomness from the system's CSPRNG (OpenSSL RAND_bytes).
 * A machine without randomness cannot run a gateway: failure aborts.
 */
#ifndef CH_CORE_RAND_H
#define CH_CORE_RAND_H

#include "core/auto.h"

#define UUID_LEN 37
void rand_bytes(void *p, size_t n);
uint64_t rand_below(uint64_t bound);             /* uniform in [0, bound) */
void rand_uuid(char ret_text[UUID_LEN]);         /* RFC 9562 version 4, lower case */
/* n <= 64 random bytes as unpadded base64url; ret_text holds b64url_encoded_len(n)+1. */
void rand_token(size_t n, char *ret_text);

#endif
