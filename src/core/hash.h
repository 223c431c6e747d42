/*
 * core/hash.h - keyed hash of bytes, for tables that hold keys from outside.
 *
 * SipHash-1-3 (Aumasson and Bernstein) under a key that the kernel made for
 * this process, so that a peer cannot aim for collisions. The value differs
 * from run to run: never store it, never show it.
 */
#ifndef CH_CORE_HASH_H
#define CH_CORE_HASH_H

#include "core/auto.h"

uint64_t hash_bytes(const void *p, size_t n);

#endif
