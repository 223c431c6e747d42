/*
 * channels/inbox.h - what came in, durable before the platform is acknowledged: table channel_inbox.
 *
 * Key     (channel, account, event_id): a second one is not taken. Rows end as a tombstone (payload gone), kept INBOX_KEEP_MS
 *         and at most INBOX_KEEP_MAX per account; as many of what was overheard.
 * States  received -> handed (a run of the session has it) -> answered
 *         received -> answered by us (pairing code, command) | dropped (policy, with the reason) | overheard (context of a later one)
 *         any -> dead (cannot be handled; listed, can be resubmitted)
 *         An `overheard` row keeps its payload until a turn of its conversation took it as context or it is pushed out.
 * Order   rows of one lane are handled one after the other, by id.
 */
#ifndef CH_CHANNELS_INBOX_H
#define CH_CHANNELS_INBOX_H

#include "channels/channel.h"
#include "store/db.h"

#define INBOX_KEEP_MS (30LL * 86400000)
#define INBOX_KEEP_MAX 20000
#define INBOX_TRIES_MAX 5                /* starts that a row may outlive without being handled */
#define INBOX_OPEN_MAX 50000             /* to be handled or answered, of an account: past it chan_deliver() refuses, the platform keeps them */

enum inbox_state { INBOX_RECEIVED, INBOX_HANDED, INBOX_ANSWERED, INBOX_DROPPED, INBOX_OVERHEARD, INBOX_DEAD };

struct inbox_row {
	int64_t id;
	const char *channel, *account, *event_id, *lane;
	enum chan_in_kind kind;
	enum inbox_state state;
	const char *payload;             /* JSON of struct chan_in; NULL once it is a tombstone */
	const char *session_key, *run_id;        /* HANDED */
	const char *reason;              /* why dropped or dead */
	int attempts;
	int64_t received_at, ended_at;
};

/* "message", "press", … */
const char *chan_in_kind_name(enum chan_in_kind kind);
bool chan_in_kind_parse(const char *name, enum chan_in_kind *ret);
/*
 * struct chan_in as JSON and back: everything in it. On the arena. What people wrote is cut at its limits, an id that is too long is
 * CH_E_INVALID; reading refuses what writing would not have written.
 */
CH_MUST_USE ch_status chan_in_write(const struct chan_in *in, struct buf *out, struct ch_err *err);
CH_MUST_USE ch_status chan_in_read(const char *json, size_t len, struct arena *a, struct chan_in *ret, struct ch_err *err);

/* How many more may be taken of an account: INBOX_OPEN_MAX but for those that wait. */
CH_MUST_USE ch_status inbox_room(struct db *db, const char *channel, const char *account, size_t *ret, struct ch_err *err);
/*
 * In one durable transaction with the cursor; *ret_new counts those not seen before. An event that cannot be kept (an id that is too
 * long) is logged and left out, so that the platform does not bring it for ever.
 */
CH_MUST_USE ch_status inbox_append(struct db *db, const char *channel, const char *account, const struct chan_in *in, size_t count,
				   const char *cursor, const char *cursor_value, size_t *ret_new, struct ch_err *err);
/* The oldest RECEIVED one of a lane; CH_E_NOT_FOUND. */
CH_MUST_USE ch_status inbox_next(struct db *db, const char *lane, struct arena *a, struct inbox_row *ret, struct ch_err *err);
/* The next RECEIVED one of the lane behind that row; CH_E_NOT_FOUND. For messages that come together. */
CH_MUST_USE ch_status inbox_after(struct db *db, const char *lane, int64_t id, struct arena *a, struct inbox_row *ret, struct ch_err *err);
/* What was OVERHEARD in a lane, before that row: the newest `limit`, oldest first. */
CH_MUST_USE ch_status inbox_overheard(struct db *db, const char *lane, int64_t before_id, size_t limit, struct arena *a,
				      void (*each)(void *arg, const struct inbox_row *r), void *arg, struct ch_err *err);
/* They were taken as context, or are older than the newest `keep`: tombstones. before_id 0: all of them. */
CH_MUST_USE ch_status inbox_forget_overheard(struct db *db, const char *lane, int64_t before_id, size_t keep, struct ch_err *err);
/*
 * Start-up: the row that each lane was at is counted as tried once more. Those that were tried INBOX_TRIES_MAX times are told, for the
 * caller to end: they may be what stops the program. One with more attempts stopped it even then.
 */
CH_MUST_USE ch_status inbox_count_tries(struct db *db, struct arena *a, void (*each)(void *arg, const struct inbox_row *r), void *arg,
					struct ch_err *err);
/* The newest row that a run has or had, or CH_E_NOT_FOUND. */
CH_MUST_USE ch_status inbox_of_run(struct db *db, const char *run_id, struct arena *a, struct inbox_row *ret, struct ch_err *err);
/* The HANDED ones of a session. */
CH_MUST_USE ch_status inbox_handed_of(struct db *db, const char *session_key, struct arena *a,
				      void (*each)(void *arg, const struct inbox_row *r), void *arg, struct ch_err *err);
/* All rows that a run has go to another one, which takes it up. */
CH_MUST_USE ch_status inbox_rename_run(struct db *db, const char *run_id, const char *new_run_id, struct ch_err *err);
/* Lanes that have RECEIVED rows, and rows that are HANDED: start-up. */
CH_MUST_USE ch_status inbox_lanes(struct db *db, struct arena *a, void (*each)(void *arg, const char *lane), void *arg, struct ch_err *err);
CH_MUST_USE ch_status inbox_handed(struct db *db, const char *run_id, struct arena *a,
				   void (*each)(void *arg, const struct inbox_row *r), void *arg, struct ch_err *err);  /* run_id NULL: all */
/* Within the caller's transaction, if one is open. */
CH_MUST_USE ch_status inbox_hand(struct db *db, int64_t id, const char *session_key, const char *run_id, struct ch_err *err);
CH_MUST_USE ch_status inbox_end(struct db *db, int64_t id, enum inbox_state state, const char *reason, struct ch_err *err);
CH_MUST_USE ch_status inbox_dead(struct db *db, const char *channel, const char *account, size_t limit, struct arena *a,
				 void (*each)(void *arg, const struct inbox_row *r), void *arg, struct ch_err *err);
/* A dead one is RECEIVED again. CH_E_CONFLICT: it is not dead, or its payload is gone. */
CH_MUST_USE ch_status inbox_resubmit(struct db *db, int64_t id, struct ch_err *err);
/* What is older or more than is kept; the places of sessions that are gone. */
CH_MUST_USE ch_status inbox_prune(struct db *db, int64_t now_ms, struct ch_err *err);
CH_MUST_USE ch_status inbox_cursor_get(struct db *db, const char *channel, const char *account, const char *name, struct arena *a,
				       const char **ret, struct ch_err *err);
CH_MUST_USE ch_status inbox_cursor_set(struct db *db, const char *channel, const char *account, const char *name, const char *value,
				       struct ch_err *err);

#endif
