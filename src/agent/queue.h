/*
 * agent/queue.h - what happens to messages that come while a turn runs (private).
 *
 * Modes   steer: into the running turn; followup: after it, one by one; collect: after it, those of
 *         one thread as one turn; interrupt: instead of it.
 * Order   messages are answered in the order in which they came, except an interrupting one.
 * Limits  `cap` of them wait in a session. Past it `drop` decides: new refuses the newcomer, old takes
 *         out the oldest with a visible mark, summarize keeps a line of it for the next turn.
 * Keeps   each message is in the inputs table until the turn that carries it has begun, so a crash
 *         shows it as interrupted.
 */
#ifndef CH_AGENT_QUEUE_H
#define CH_AGENT_QUEUE_H

#include "agent/host.h"

#define QUEUE_DEBOUNCE_MS 500            /* quiet before followups and collected ones start */
#define QUEUE_DEBOUNCE_MAX_MS (24 * 60 * 60 * 1000LL)
#define QUEUE_CAP_MAX 1000               /* a session's waiting messages are in memory */

enum queue_drop { QUEUE_DROP_SUMMARIZE, QUEUE_DROP_OLD, QUEUE_DROP_NEW };

struct queue_settings {
	enum queue_mode mode;
	enum queue_drop drop;
	int64_t debounce_ms, cap;
};

/* What a session chose over the configuration; what is not `has_` was not said. */
struct queue_choice {
	bool has_mode, has_drop, has_debounce, has_cap, is_reset;
	struct queue_settings to;
};

/* session, then messages.queue.byChannel, then messages.queue. channel may be NULL. */
void queue_settings_of(const struct config *c, const struct sess *s, const char *channel, struct queue_settings *ret);
/* "collect debounce:2s cap:25 drop:old" or "default". */
CH_MUST_USE ch_status queue_parse(struct arena *a, const char *text, struct queue_choice *ret, struct ch_err *err);
/* Puts the choice into the session's row; not yet saved. */
void queue_choose(struct arena *a, struct sess *s, const struct queue_choice *choice);
const char *queue_drop_name(enum queue_drop d);

/* -- queue_drain.c -- */
/* One more comes: what is over the cap goes, oldest first, as the policy says. */
void queue_make_room(struct desk *d, const struct queue_settings *q);
/* Messages that were dropped to lines and have no turn to go with get one. */
void queue_wake(struct desk *d);
/* r is about to be answered: it takes along what was dropped before it, and in mode collect what waits with it. */
void queue_fill(struct desk *d, struct run *r);
/* The outcome of an input that r's turn answers too: who does. On r's arena. */
const char *run_absorbed_outcome(const struct run *r);
/* In the open transaction: what r took along ends as r does, or as absorbed when r began. */
CH_MUST_USE ch_status queue_end_merged(struct run *r, enum input_state state, const char *error, struct ch_err *err);
/* After the commit: they are over. */
void queue_merged_done(struct run *r);

#endif
