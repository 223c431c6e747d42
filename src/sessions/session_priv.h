/*
 * sessions/session_priv.h - what the files of sessions/ share; nobody else includes it.
 */
#ifndef CH_SESSIONS_SESSION_PRIV_H
#define CH_SESSIONS_SESSION_PRIV_H

#include "sessions/input.h"

/* The list of columns that sess_from_row() expects, in its order. */
extern const char sess_columns[];
/* false: no session has a parent, so none has children. */
bool sess_store_has_parents(const struct sess_store *st);
/* Strings are borrowed from the row. */
void sess_from_row(struct db_stmt *row, struct sess *ret);
/* Rows were changed behind the objects: forgets the idle ones, reads the others again. */
CH_MUST_USE ch_status sess_store_refresh(struct sess_store *st, struct ch_err *err);
/* Makes the row of a new window; the session points to it. */
CH_MUST_USE ch_status sess_window_open(struct db *db, const char *key, const char *session_id,
				       const char *reason, struct ch_err *err);

/* What tr_from_row() expects. */
#define TR_COLUMNS                                                                                           \
	"session_id, raw_seq, seq, created_at, id, type, role, run_id, idempotency_key, meta, message"
/* Borrowed from the row, as above. */
void tr_from_row(struct db_stmt *row, struct tr_entry *ret);
/* As tr_append() without a writer, but into any window of the session. */
CH_MUST_USE ch_status tr_append_window(struct sess *s, const char *session_id, struct tr_entry *entry,
				       struct arena *a, struct ch_err *err);

/* What input_from_row() expects; borrowed again, until input_copy(). */
#define INPUT_COLUMNS                                                                                        \
	"run_id, session_key, session_id, state, message, meta, options, outcome, error, accepted_at, "      \
	"started_at, ended_at"
void input_from_row(struct db_stmt *row, struct input_row *ret);
void input_copy(struct arena *a, struct input_row *in);

#endif
