/*
 * channels/gate.h - what chan_authorise() remembers between messages: how often bots answered each other, and the patterns
 * that count as mentions, compiled.
 *
 * Owns    both; nothing of it outlives the process.
 * Limits  GATE_PAIRS_MAX pairs of bots: past it the one that was quiet longest is forgotten; GATE_PATTERNS_MAX compiled
 *         patterns, thrown away together.
 */
#ifndef CH_CHANNELS_GATE_H
#define CH_CHANNELS_GATE_H

#include "core/arena.h"
#include "core/json.h"
#include "core/regex.h"

#define GATE_PAIRS_MAX 1024              /* a room full of bots must not fill the memory */
#define GATE_PATTERNS_MAX 256

struct chan_gate;
struct chan_gate *chan_gate_new(void);
void chan_gate_free(struct chan_gate *g);
CH_AUTO_DEFINE(chan_gate_free, struct chan_gate)

/* -- bots that answer each other (loop_guard.c) -- */

/* botLoopProtection: what is set, else these. */
struct loop_limits { bool is_enabled; int64_t max_events, window_ms, cooldown_ms; };
#define LOOP_LIMITS_DEFAULT { true, 20, 60000, 60000 }
/* Puts what an object of the configuration says over the limits; NULL or nonsense changes nothing. */
void loop_limits_apply(struct loop_limits *l, const struct json *set);
/* A message between two bots at a place: counts it; false: they had their share, it is not to be heard. Who wrote is all one. */
bool loop_guard_admits(struct chan_gate *g, const char *place, const char *a, const char *b, const struct loop_limits *l);

/* -- patterns (mention.c) -- */

/* Compiled when it is asked for first; NULL: not a safe or valid pattern, which was warned of once. Borrowed until the next call. */
const struct regex *gate_pattern(struct chan_gate *g, const char *pattern);

#endif
