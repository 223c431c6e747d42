/*
 * gateway/limiter.h - slows down and locks out who guesses credentials.
 *
 * Counts failures per class of credential and per source (an address, or
 * "browser-origin:<origin>"): max_attempts within window_ms lock the source out for lockout_ms. An exempt
 * source (loopback) is never locked out, but each failure costs it a growing delay.
 *
 * Owns    its table, LIMITER_SOURCES entries at most (the oldest goes: many sources cannot fill memory).
 */
#ifndef CH_GATEWAY_LIMITER_H
#define CH_GATEWAY_LIMITER_H

#include "core/auto.h"

#define LIMITER_SOURCES 4096
#define LIMITER_DELAY_MIN_MS 250
#define LIMITER_DELAY_MAX_MS 5000

struct limiter;
struct limiter_opts { int64_t max_attempts, window_ms, lockout_ms; };

struct limiter *limiter_new(const struct limiter_opts *opts);
void limiter_free(struct limiter *l);
void limiter_set(struct limiter *l, const struct limiter_opts *opts);
/* 0: may try; else the time until it may again. */
int64_t limiter_wait_ms(struct limiter *l, const char *class_name, const char *source);
/* Records a failure; gives the delay that the answer must be held back for (0 unless exempt). */
int64_t limiter_fail(struct limiter *l, const char *class_name, const char *source, bool is_exempt);
void limiter_reset(struct limiter *l, const char *class_name, const char *source);

#endif
