/*
 * agent/turn.h - what the files of a turn share (private to turn*.c).
 *
 * turn.c says in which order; turn_rows.c writes the transcript, turn_ask.c talks to the model,
 * turn_window.c chooses what of the conversation it is sent, turn_settle.c ends it.
 */
#ifndef CH_AGENT_TURN_H
#define CH_AGENT_TURN_H

#include "agent/compact.h"
#include "agent/stream.h"
#include "sessions/transcript.h"

#define TURN_ROW_MAX (TR_MESSAGE_MAX + (1u << 20))       /* a row over TR_MESSAGE_MAX is refused by the transcript */

struct turn {
	struct run *r;
	struct stream stream;
	struct buf volatile_prompt;
	struct buf row;                  /* JSON of the row at hand */
	bool is_handed_out;              /* the last reply calls tools of the client; it is in the transcript */
};

/* -- turn_rows.c: one transaction each, or in the open one where said -- */
struct db *turn_db(const struct run *r);
/* In the open transaction: a row of ours. */
CH_MUST_USE ch_status turn_append(struct run *r, struct tr_entry *e, const char *role, struct ch_err *err);
/* In the open transaction: a result row for each call of the reply. */
CH_MUST_USE ch_status turn_append_results(struct run *r, struct tr_entry *entries, struct ch_err *err);
/* End the open transaction; the live session is as the database has it afterwards. */
CH_MUST_USE ch_status turn_undo(struct run *r, ch_status st);
CH_MUST_USE ch_status turn_commit(struct run *r, struct ch_err *err);
void turn_user_entry(const struct run *r, struct tr_entry *e);
void turn_reply_entry(struct turn *t, struct tr_entry *e);
/* The user's row, the lease, the input's state, the session's row. */
CH_MUST_USE ch_status turn_begin(struct run *r, struct tr_entry *user, struct ch_err *err);
CH_MUST_USE ch_status turn_commit_reply(struct turn *t, struct ch_err *err);
CH_MUST_USE ch_status turn_commit_results(struct run *r, struct ch_err *err);
/* Takes what waits to be steered into this turn. */
CH_MUST_USE ch_status turn_absorb(struct run *r, struct ch_err *err);

/* -- turn_ask.c -- */
/* One model request with what it takes: the reply is in t->stream and r->calls, not yet written. */
CH_FIBER CH_MUST_USE ch_status turn_ask(struct turn *t, struct ch_err *err);
/* What the client left empty in r->result is what we asked for. */
void turn_fill_result(struct run *r);

/* -- turn_window.c -- */
struct window {
	int64_t budget;                  /* tokens of history */
	size_t dropped;                  /* messages left out of the last view */
	int shrinks;
	bool is_compacted;               /* for this request: not twice */
};
/* Before the first attempt; summarises what would not fit. */
CH_FIBER CH_MUST_USE ch_status window_open(struct turn *t, struct window *ret, struct ch_err *err);
/* Lives until the history changes. */
void window_view(const struct run *r, struct window *w, struct json *ret_view);
/* The provider found the last request too long (st, err). CH_OK: ask again, with less. */
CH_FIBER CH_MUST_USE ch_status window_shrink(struct turn *t, struct window *w, ch_status st, struct ch_err *err);

/* -- turn_compact.c -- */
/* Summarises within a turn and tells it; CH_E_NOT_FOUND: there is nothing to summarise. room: tokens that summary and messages may take. */
CH_FIBER CH_MUST_USE ch_status turn_compact(struct turn *t, enum compact_reason reason, int64_t room, struct ch_err *err);

/* -- turn_route.c -- */
/* The candidates; r->entry is the first that may be asked. CH_E_BUSY: all of them rest. */
CH_MUST_USE ch_status turn_route_open(struct run *r, struct ch_err *err);
/* turn_ask(), by the next candidate when one fails. */
CH_FIBER CH_MUST_USE ch_status turn_route_ask(struct turn *t, struct ch_err *err);
/* A turn that was answered: into the session, before it is saved. */
void turn_route_settle(struct run *r);
/* The model that was chosen, whoever answers. */
const struct model_entry *turn_chosen(const struct run *r);

/* -- turn.c -- */
/* The tools that the turn has as things are now, and the prompt that tells of them. */
CH_MUST_USE ch_status turn_equip(struct run *r, struct ch_err *err);
CH_MUST_USE ch_status turn_volatile_prompt(struct turn *t, struct ch_err *err);

/* -- turn_settle.c -- */
/* st: how the rounds ended. */
void turn_finish(struct turn *t, ch_status st);
/* user: its row, when that is not in the transcript yet. */
void turn_failed(struct turn *t, struct tr_entry *user);

#endif
