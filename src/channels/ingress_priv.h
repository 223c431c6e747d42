/*
 * channels/ingress_priv.h - what the files of ingress share; nobody else includes it.
 *
 * ingress.c keeps the lanes; ingress_one.c decides what becomes of one row; ingress_batch.c gathers the messages of one input;
 * ingress_turn.c makes a turn of them; ingress_settle.c ends what was handed over; ingress_place.c remembers where to answer.
 */
#ifndef CH_CHANNELS_INGRESS_PRIV_H
#define CH_CHANNELS_INGRESS_PRIV_H

#include "channels/access.h"
#include "channels/inbox.h"
#include "channels/ingress.h"
#include "channels/route.h"
#include "core/fiber.h"
#include "core/map.h"
#include "core/vec.h"

#define INGRESS_LANES_MAX 64             /* conversations worked on at once: each has a fiber, and files in memory */
#define INGRESS_RETRY_MIN_MS 500         /* for what is busy or cannot be written */
#define INGRESS_RETRY_MAX_MS 30000
#define INGRESS_PRUNE_EVERY 1000         /* messages between two prunings */
#define INGRESS_AGAIN ":again"           /* ends the id of a run that takes up one which a restart cut */

struct lane {
	struct chan_ingress *g;
	char *key;
	struct fiber *fiber;             /* NULL: waits for its turn */
	struct fiber_cond more;
	bool has_more;                   /* something was committed since the fiber looked */
};

/* A run of the session ended; run_id: of an event, whose reply goes to the session's place. */
struct ended { char *session_key, *run_id; };

struct chan_ingress {
	struct chan_host *host;
	struct loop *loop;
	struct db *db;
	struct map *lanes;               /* key -> struct lane, those that have something */
	VEC(struct lane *) waiting;      /* for one of INGRESS_LANES_MAX */
	size_t active;                   /* lanes with a fiber */
	struct fiber_cond idle;          /* active became 0 */
	VEC(struct ended) ended;         /* what is to be settled, oldest first */
	struct map *settling;            /* session key -> the job of its fiber */
	struct loop_timer *settler;      /* starts them */
	bool is_started, is_draining;
	bool is_cut;                     /* the stop waits no longer: what is settled now is left to the next start */
	bool has_handed;                 /* some row may be with a run: since the start, or handed over since */
	size_t handled;                  /* since the last pruning */
};

/* A row with what it says. */
struct heard {
	struct inbox_row row;
	struct chan_in in;
	const struct chan_access *access;
};

/* One input: the rows that make it, of one sender. On the arena. */
struct batch {
	struct heard *at[16];
	size_t len;
	struct chan_in in;               /* all of them as one message */
	const char *text;                /* what the person said, without our own mention */
	bool is_command;
};
#define BATCH_MAX 12
#define BATCH_TEXT_MAX 50000             /* bytes */
#define BATCH_WAIT_MAX_MS 7500

/* -- ingress_one.c -- */
/* The oldest row of the lane. CH_E_NOT_FOUND: there is none; CH_E_BUSY, CH_E_IO: try again later; CH_E_CANCELED. */
CH_FIBER CH_MUST_USE ch_status ingress_one(struct lane *l, struct ch_err *err);
/* A text of ours to where the message came from, and the row's end, in one transaction. reason: for the row. */
CH_MUST_USE ch_status ingress_answer(struct chan_ingress *g, const struct heard *m, const char *text, enum inbox_state state,
				     const char *reason, struct ch_err *err);
/*
 * The rows of an input cannot be handled: dead letters, told to the operator and to who waits for an answer to the first one (m NULL:
 * who that is cannot be known). All of them or none.
 */
CH_MUST_USE ch_status ingress_give_up(struct chan_ingress *g, const struct inbox_row *const *rows, size_t count, const struct heard *m,
				      const char *reason, struct ch_err *err);
/* The same for a row at which the gateway stopped again and again; arg is the ingress. */
void ingress_tried_out(void *arg, const struct inbox_row *row);
/* A few words of a person's, safe in a line of ours: no line breaks, no brackets, short. On the arena. */
const char *ingress_word(struct arena *a, const char *text);
/* What is told of a message that got no answer says which one is meant. */
const char *ingress_quoting(struct arena *a, const char *notice, const struct chan_in *in);
/* How many overheard messages the room keeps for the model. */
size_t ingress_history_limit(struct chan_acct *acct);

/* -- ingress_batch.c -- */
/* first was admitted. Waits for what belongs to it. */
CH_FIBER CH_MUST_USE ch_status batch_gather(struct lane *l, struct chan_acct *acct, struct heard *first, struct arena *a,
					    struct batch *ret, struct ch_err *err);
/* first alone, with other words: a button that became text. */
void batch_of(struct heard *first, const char *text, struct arena *a, struct batch *ret);

/* -- ingress_turn.c -- */
CH_FIBER CH_MUST_USE ch_status ingress_turn(struct chan_ingress *g, struct chan_acct *acct, struct batch *b, struct arena *a,
					    struct ch_err *err);

/* -- ingress_settle.c -- */
/* A run of the session ended: what of it can be settled is. */
CH_FIBER CH_MUST_USE ch_status ingress_settle(struct chan_ingress *g, const char *session_key, bool is_start, struct ch_err *err);
/* A run that answers no message of a network ended: its reply goes to the session's place, if that is one. */
CH_FIBER CH_MUST_USE ch_status ingress_settle_event(struct chan_ingress *g, const char *session_key, const char *run_id, struct ch_err *err);

/* -- ingress_place.c -- */
/* In the open transaction. */
CH_MUST_USE ch_status place_put(struct db *db, const char *session_key, const char *channel, const char *account,
				const struct chan_in *in, const char *run_id, struct ch_err *err);
CH_MUST_USE ch_status place_of_row(const struct inbox_row *row, struct arena *a, struct chan_place *ret, const char **ret_handle,
				   struct ch_err *err);

#endif
