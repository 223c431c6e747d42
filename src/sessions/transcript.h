/*
 * sessions/transcript.h - what was said: append-only entries of a session.
 *
 * An entry has an id (uuid), a raw_seq (1-based, dense, all entries) and, when it is
 * shown, a seq (1-based, dense). Shown is what has a role: messages, and dividers (role "system"): type "reset",
 * written by sess_reset(), and type "compaction", whose message has a member TR_COMPACTION with the summary of what
 * came before and the id of the first entry that is still given to the model as it is. `message` is JSON in the protocol's
 * message shape without "__openclaw" (that is rendered from the columns).
 *
 * One writer: an append names the run that writes and the epoch of its lease;
 * when the session's writer is another one, nothing is written and CH_E_CONFLICT returned.
 * An append with an idempotency key that exists gives the existing entry and CH_E_EXISTS.
 */
#ifndef CH_SESSIONS_TRANSCRIPT_H
#define CH_SESSIONS_TRANSCRIPT_H

#include "sessions/session.h"

#define TR_MESSAGE_MAX (8u << 20)        /* bytes of one message's JSON */
#define TR_CONTEXT "modelContext"        /* member of a user's message: what the model is told before it, and people are not shown */
#define TR_PRUNE "context_prune"         /* hidden: which tool results are shortened for the model */
#define TR_COMPACTION "compaction"       /* {summary, firstKeptEntryId, tokensBefore, tokensAfter, reason, model} */

struct tr_entry {
	const char *id;                  /* set by tr_append when NULL */
	const char *type;                /* "message", "reset", "compaction", "model_change", … */
	const char *role;                /* "user", "assistant", "toolResult", "custom", "system"; NULL: not shown */
	const char *run_id;              /* NULL for injected ones */
	const char *idempotency_key;     /* unique within the session, or NULL */
	const char *message;             /* JSON text */
	size_t message_len;
	const char *meta;                /* JSON object: further "__openclaw" members (transport, …), or NULL */
	const char *search_text;         /* plain text for the full-text index, or NULL */
	int64_t created_at;              /* wall ms; set when 0 */
	int64_t raw_seq, seq;            /* set by tr_append */
	const char *session_id;
};

/* writer_run NULL: not a run (inject, commands): allowed at any time. */
CH_MUST_USE ch_status tr_append(struct sess *s, const char *writer_run, int64_t epoch,
				struct tr_entry *entry, struct arena *a, struct ch_err *err);
/* Claims the session for a run: gives the lease's epoch. Any earlier writer is superseded; so is this
 * one by the next claim, sess_reset() and sess_rotate(). */
CH_MUST_USE ch_status tr_claim(struct sess *s, const char *run_id, int64_t *ret_epoch, struct ch_err *err);

struct tr_range {
	int64_t before_seq;              /* shown entries with seq < this; 0: from the end */
	int64_t after_seq;               /* and seq > this; 0: from the start */
	size_t limit;                    /* the newest `limit` of them; 0: all */
	size_t max_bytes;                /* stop (from the newest backwards) past these message bytes; 0: no limit */
	bool since_reset;                /* only entries after the last reset (what the model sees) */
	bool all_types;                  /* also entries that are not shown; limit counts them */
	bool from_reset;                 /* the last reset's divider and what follows (what a person sees) */
};
/*
 * Oldest first; the newest in range always comes, however large. Entries are borrowed for the call;
 * each must not park.
 */
CH_MUST_USE ch_status tr_read(struct sess_store *st, const char *session_id, const struct tr_range *range,
			      bool (*each)(void *arg, const struct tr_entry *e), void *arg,
			      struct ch_err *err);
CH_MUST_USE ch_status tr_find(struct sess_store *st, const char *session_id, const char *entry_id,
			      struct arena *a, struct tr_entry *ret, struct ch_err *err);
/* As tr_find(), by idempotency key. */
CH_MUST_USE ch_status tr_find_once(struct sess_store *st, const char *session_id, const char *idempotency_key,
				   struct arena *a, struct tr_entry *ret, struct ch_err *err);
/* The newest compaction since the last reset, on the arena; CH_E_NOT_FOUND: none. */
CH_MUST_USE ch_status tr_compaction(struct sess_store *st, const char *session_id, struct arena *a,
				    struct tr_entry *ret, struct ch_err *err);
/* The newest entry of that type since the last reset among those that are not shown; CH_E_NOT_FOUND: none. */
CH_MUST_USE ch_status tr_hidden(struct sess_store *st, const char *session_id, const char *type, struct arena *a,
				struct tr_entry *ret, struct ch_err *err);
/* By its raw_seq, on the arena. */
CH_MUST_USE ch_status tr_at(struct sess_store *st, const char *session_id, int64_t raw_seq, struct arena *a,
			    struct tr_entry *ret, struct ch_err *err);

/* -- counting, transcript_tally.c -- */

struct tr_tally_query {
	int64_t from_ms, to_ms;          /* from <= created < to */
	const char *agent_id, *session_key;      /* NULL: all */
};
struct tr_tally {
	const char *session_key, *role;
	const char *tool;                /* of a tool's result, or NULL */
	int64_t created_at;
	bool is_failure;                 /* the error that ended a turn */
};
/* What was said in all windows of the sessions that exist, oldest first; borrowed for the call, which must not park. */
CH_MUST_USE ch_status tr_tally(struct sess_store *st, const struct tr_tally_query *q,
			       bool (*each)(void *arg, const struct tr_tally *t), void *arg, struct ch_err *err);

/* Shown entries. */
CH_MUST_USE ch_status tr_count(struct sess_store *st, const char *session_id, int64_t *ret_messages,
			       struct ch_err *err);

struct tr_stat {
	int64_t last_seq, last_raw_seq;      /* 0: none */
	int64_t reset_seq, reset_raw_seq;    /* of the last reset's divider; 0: none */
};
CH_MUST_USE ch_status tr_stat(struct sess_store *st, const char *session_id, struct tr_stat *ret,
			      struct ch_err *err);

#endif
