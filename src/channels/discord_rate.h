/*
 * channels/discord_rate.h - Discord's rate limits: buckets, the global limit, and what a 429 said. No I/O, no clock of its own.
 *
 * A route (method and path without ids) belongs to a bucket that only answers name; a bucket counts for each major parameter (the
 * channel, guild or webhook with its token of the path) apart. A route that was not answered yet is let through.
 *
 * Owns    what it learned, per login.
 * Limits  DISCORD_RATE_BUCKETS_MAX buckets: past it those that are full again are forgotten, then all.
 */
#ifndef CH_CHANNELS_DISCORD_RATE_H
#define CH_CHANNELS_DISCORD_RATE_H

#include "core/auto.h"

#define DISCORD_RATE_BUCKETS_MAX 2048    /* a login that writes to very many channels must not keep a bucket of each */
#define DISCORD_RATE_GLOBAL 50           /* requests a second over the login, interactions apart */
#define DISCORD_ROUTE_MAX 128
#define DISCORD_MAJOR_MAX 32

/* What a request counts as. */
struct discord_route { char route[DISCORD_ROUTE_MAX]; char major[DISCORD_MAJOR_MAX]; };
/* "POST", "/channels/123…/messages?x" -> "POST channels/:id/messages" and "123…". */
void discord_route(const char *method, const char *path, struct discord_route *ret);

/* The headers of an answer, as sent; NULL: absent. */
struct discord_rate_said {
	int status;
	const char *bucket, *limit, *remaining, *reset_after;    /* x-ratelimit-… */
	const char *scope;                                       /* x-ratelimit-scope: user, global, shared */
	bool is_global;                                          /* x-ratelimit-global, or the body's */
	double retry_after_s;                                    /* of a 429: the body's, else retry-after; 0: not said */
};

struct discord_rate;
struct discord_rate *discord_rate_new(void);
void discord_rate_free(struct discord_rate *r);
/* How long this request must wait; 0: it may go, and is counted. is_free: outside the global limit (interactions). */
int64_t discord_rate_take(struct discord_rate *r, const struct discord_route *rt, bool is_free, int64_t now_ms);
void discord_rate_answer(struct discord_rate *r, const struct discord_route *rt, const struct discord_rate_said *said, int64_t now_ms);
/* Is the whole login limited? */
bool discord_rate_is_global(const struct discord_rate *r, int64_t now_ms);
/* How long a 429 asks to wait, in ms, at least 1. */
int64_t discord_rate_retry_ms(const struct discord_rate_said *said);
size_t discord_rate_buckets(const struct discord_rate *r);       /* tests */

#endif
