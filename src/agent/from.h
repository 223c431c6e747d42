/*
 * agent/from.h - where an input came from on a messaging network: kept with the input, obeyed by the turn (private).
 *
 * Once an input has one, so have the events that follow it (agent/wake.h): a command that ends later brings its turn the same
 * rights as the message that started it, never more.
 * A turn speaks for one sender: what another one says waits for a turn of its own, as the tools may be others (from_may_join).
 */
#ifndef CH_AGENT_FROM_H
#define CH_AGENT_FROM_H

#include "agent/host.h"

/* On the arena; NULL stays NULL. The context is left behind: it is in the message. */
const struct run_channel *from_copy(struct arena *a, const struct run_channel *c);
/* The member "from" of an input's meta, into an open object; and what is in one. */
void from_put(struct jw *w, const struct run_channel *c);
const struct run_channel *from_read(struct arena *a, const struct json *meta);
/* The same sender by the same account? NULL is the gateway's own clients. */
bool from_is_same(const struct run_channel *a, const struct run_channel *b);
/* May r be answered by the turn of `active`? */
bool from_may_join(const struct run *r, const struct run *active);
/* What a session's row says of network, room and people; not yet saved. */
void from_note_session(struct sess *s, const struct run_channel *c);
/* For the changing part of the system prompt. */
void from_prompt(struct buf *out, const struct run_channel *c);

#endif
