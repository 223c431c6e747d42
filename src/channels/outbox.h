/*
 * channels/outbox.h - the rows of channel_outbox: what egress.h promises, as statements.
 *
 * Each function is one transaction, or joins the caller's. Strings given back live on the arena.
 * Fails   CH_E_NOT_FOUND for a row that is not there, otherwise as store/db.h says; nothing is half written.
 */
#ifndef CH_CHANNELS_OUTBOX_H
#define CH_CHANNELS_OUTBOX_H

#include "channels/egress.h"

#define OUTBOX_MESSAGE_MAX (8u << 20)    /* bytes of a row's JSON */

enum outbox_state { OUTBOX_PENDING, OUTBOX_SENDING, OUTBOX_SENT, OUTBOX_FAILED, OUTBOX_UNSURE };
const char *outbox_state_name(enum outbox_state s);
bool outbox_is_ended(enum outbox_state s);

/* One platform message of a row: fixed before the first is sent, so that a restart with other keys sends the same rest. */
struct outbox_part {
	const char *text, *plain;        /* NULL: none */
	size_t file_first, file_count;
	bool has_buttons, has_poll, has_location;
	bool is_reply;                   /* answers the message's reply_to */
	bool is_edit;                    /* replaces draft_id */
};

struct outbox_row {
	int64_t id;
	const char *key, *channel, *account, *lane, *origin, *session_key, *run_id;
	enum outbox_state state;
	const char *message;             /* JSON; "" once it is a tombstone */
	const char *message_ids;         /* JSON array or NULL */
	const char *error;
	int parts, part, attempts;
	int64_t next_at, created_at, sending_at, ended_at;
};

/* The message and, once it was cut, its parts (NULL, 0 before) as JSON and back. */
CH_MUST_USE ch_status outbox_write(const struct chan_message *m, const struct outbox_part *parts, size_t count, struct buf *out,
				   struct ch_err *err);
CH_MUST_USE ch_status outbox_read(const char *json, struct arena *a, struct chan_message *ret, const struct outbox_part **ret_parts,
				  size_t *ret_count, struct ch_err *err);

/* CH_E_EXISTS: *ret_id has the key. */
CH_MUST_USE ch_status outbox_add(struct db *db, const struct chan_message *m, const char *key, const char *lane, int64_t now_ms,
				 int64_t *ret_id, struct ch_err *err);
CH_MUST_USE ch_status outbox_by_key(struct db *db, const char *key, int64_t *ret_id, struct ch_err *err);
CH_MUST_USE ch_status outbox_get(struct db *db, int64_t id, struct arena *a, struct outbox_row *ret, struct ch_err *err);
/* The oldest of a lane that has not ended. */
CH_MUST_USE ch_status outbox_next(struct db *db, const char *channel, const char *account, const char *lane, struct arena *a,
				  struct outbox_row *ret, struct ch_err *err);
/* Lanes of an account that have such rows. */
CH_MUST_USE ch_status outbox_lanes(struct db *db, const char *channel, const char *account, struct arena *a,
				   void (*each)(void *arg, const char *lane), void *arg, struct ch_err *err);

/* The message as JSON, changed before anything of it was sent (files that were fetched, the cut). */
CH_MUST_USE ch_status outbox_rewrite(struct db *db, int64_t id, const char *message, size_t len, int parts, struct ch_err *err);
/* The next part of each row may be out from now on; survives a loss of power. All of them or none. */
CH_MUST_USE ch_status outbox_intend(struct db *db, const int64_t *ids, size_t count, int64_t now_ms, struct ch_err *err);
/* It is out, as this id (NULL: the platform gives none); the last one ends the row. */
CH_MUST_USE ch_status outbox_sent(struct db *db, const struct outbox_row *row, const char *message_id, int64_t now_ms,
				  struct ch_err *err);
/* Again at next_at: PENDING when it is known not to be out, SENDING when it may be. */
CH_MUST_USE ch_status outbox_again(struct db *db, int64_t id, enum outbox_state state, int attempts, int64_t next_at,
				   const char *error, struct ch_err *err);
/* Pending ones wait no longer: what they waited for may be over. */
CH_MUST_USE ch_status outbox_due_now(struct db *db, const char *channel, const char *account, struct ch_err *err);
CH_MUST_USE ch_status outbox_end(struct db *db, int64_t id, enum outbox_state state, const char *error, int64_t now_ms,
				 struct ch_err *err);

/* FAILED and UNSURE ones, newest first. */
CH_MUST_USE ch_status outbox_bad(struct db *db, const char *channel, const char *account, size_t limit, struct arena *a,
				 void (*each)(void *arg, const struct outbox_row *r), void *arg, struct ch_err *err);
CH_MUST_USE ch_status outbox_resubmit(struct db *db, int64_t id, int64_t now_ms, struct ch_err *err);
/* Those not ended that were made before then: they have waited too long. */
CH_MUST_USE ch_status outbox_stale(struct db *db, int64_t before_ms, size_t limit, struct arena *a,
				   void (*each)(void *arg, const struct outbox_row *r), void *arg, struct ch_err *err);
CH_MUST_USE ch_status outbox_waiting(struct db *db, const char *channel, const char *account, size_t *ret, struct ch_err *err);
/* What a run's tools said in a lane: whether anything, and whether this text. text NULL: none is asked for. */
CH_MUST_USE ch_status outbox_said(struct db *db, const char *run_id, const char *lane, const char *text, bool *ret_any,
				  bool *ret_same, struct ch_err *err);
/* Is there any row at all? */
bool outbox_has_any(struct db *db);
/* JSON of all messages that hold files. */
CH_MUST_USE ch_status outbox_with_files(struct db *db, void (*each)(void *arg, const char *message), void *arg,
					struct ch_err *err);
/* Forgets ended rows past EGRESS_KEEP_MS and EGRESS_KEEP_MAX; their messages are told first (files go with them). */
CH_MUST_USE ch_status outbox_prune(struct db *db, int64_t now_ms, void (*each)(void *arg, const char *message), void *arg,
				   struct ch_err *err);

#endif
