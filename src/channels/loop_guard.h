/*
 * channels/loop_guard.h - two bots that answer each other without end: a sliding window per place and pair.
 *
 * A pair that had more than max_events messages within window_ms is not heard for cooldown_ms. People are not counted.
 *
 * Owns    the times of what was said lately.
 * Limits  LOOP_PAIRS_MAX pairs, past it the one that was quiet longest is forgotten; LOOP_EVENTS_MAX counted of each.
 */
#ifndef CH_CHANNELS_LOOP_GUARD_H
#define CH_CHANNELS_LOOP_GUARD_H

#include "core/json.h"

#define LOOP_PAIRS_MAX 1024              /* a room full of bots must not fill the memory */
#define LOOP_EVENTS_MAX 1000

/* botLoopProtection: what is set, else these. */
struct loop_limits { bool is_enabled; int64_t max_events, window_ms, cooldown_ms; };
#define LOOP_LIMITS_DEFAULT { .is_enabled = true, .max_events = 20, .window_ms = 60000, .cooldown_ms = 60000 }
/* Puts what an object of the configuration says over the limits; NULL and nonsense change nothing. */
void loop_limits_apply(struct loop_limits *l, const struct json *set);

struct loop_guard;
struct loop_guard *loop_guard_new(void);
void loop_guard_free(struct loop_guard *g);
CH_AUTO_DEFINE(loop_guard_free, struct loop_guard)
/*
 * A message between two bots at a place, whoever wrote it: counts it, once per event, and is of the same opinion when it is asked
 * again. false: they had their share, it is not to be heard.
 */
bool loop_guard_admits(struct loop_guard *g, const char *place, const char *a, const char *b, const char *event_id,
		       const struct loop_limits *l);

#endif
