/*
 * gateway/replay.h - answers of calls that must not act twice, kept for a while by idempotency key.
 *
 * Memory only, for methods whose effect is not a row of its own: a client that lost the answer may ask
 * again within REPLAY_KEEP_MS and gets the same one.
 *
 * Owns    at most REPLAY_MAX answers of at most REPLAY_BYTES each; the oldest goes first. A longer answer is
 *         not kept, but that its call was made is.
 */
#ifndef CH_GATEWAY_REPLAY_H
#define CH_GATEWAY_REPLAY_H

#include "core/arena.h"

#define REPLAY_KEEP_MS 300000
#define REPLAY_MAX 1000
#define REPLAY_BYTES 65536

struct replay;

struct replay *replay_new(void);
void replay_free(struct replay *r);              /* NULL is fine */

enum replay_state {
	REPLAY_FRESH,            /* not seen: it is noted as under way; replay_put() or replay_drop() must follow */
	REPLAY_UNDER_WAY,
	REPLAY_KNOWN,            /* *ret_answer: on the arena; NULL when it was too long to keep */
};
enum replay_state replay_begin(struct replay *r, struct arena *a, const char *key, const char **ret_answer);
/* The answer, JSON text. */
void replay_put(struct replay *r, const char *key, const char *text, size_t len);
/* Nothing was done: the key is free again. */
void replay_drop(struct replay *r, const char *key);

#endif
