/*
 * sessions/input.h - accepted inputs and the runs that answer them, durable before the ack.
 *
 * States  queued -> running -> done | failed | aborted; queued -> absorbed (steered
 *         into a running turn) | canceled; at start every queued or running one
 *         left over becomes interrupted (never replayed blindly).
 * Key     (session_key, run_id): run_id is the client's idempotency key, so a repeated chat.send finds the
 *         first one.
 */
#ifndef CH_SESSIONS_INPUT_H
#define CH_SESSIONS_INPUT_H

#include "sessions/transcript.h"

enum input_state { INPUT_QUEUED, INPUT_RUNNING, INPUT_DONE, INPUT_FAILED, INPUT_ABORTED,
		   INPUT_ABSORBED, INPUT_CANCELED, INPUT_INTERRUPTED };
const char *input_state_name(enum input_state st);

struct input_row {
	const char *run_id, *session_key, *session_id;
	enum input_state state;
	const char *message;             /* JSON of the user message (protocol shape) */
	const char *meta;                /* JSON: transport client, sender */
	const char *options;             /* JSON of run options (model, thinking, …) */
	const char *outcome;             /* JSON terminal receipt once ended, or NULL */
	const char *error;
	int64_t accepted_at, started_at, ended_at;
};

/* CH_E_EXISTS (and *ret filled from the existing row) when the run_id is known. One transaction with the session row. */
CH_MUST_USE ch_status input_accept(struct sess *s, const struct input_row *in, struct arena *a, struct input_row *ret, struct ch_err *err);
CH_MUST_USE ch_status input_find(struct sess_store *st, const char *session_key, const char *run_id, struct arena *a, struct input_row *ret, struct ch_err *err);
/* By run id alone (agent.wait). */
CH_MUST_USE ch_status input_find_run(struct sess_store *st, const char *run_id, struct arena *a, struct input_row *ret, struct ch_err *err);
CH_MUST_USE ch_status input_start(struct sess_store *st, const char *session_key, const char *run_id, struct ch_err *err);
CH_MUST_USE ch_status input_end(struct sess_store *st, const char *session_key, const char *run_id, enum input_state state,
				const char *outcome, const char *error, struct ch_err *err);
/* Queued ones of a session, oldest first. */
CH_MUST_USE ch_status input_pending(struct sess_store *st, const char *session_key,
				    bool (*each)(void *arg, const struct input_row *in), void *arg, struct ch_err *err);
/* Start-up: marks left-overs interrupted and writes what the history must show (a cut turn keeps its
 * user message once and a visible "interrupted" marker). each is told of every one. */
CH_MUST_USE ch_status input_recover(struct sess_store *st, bool (*each)(void *arg, const struct input_row *in), void *arg, struct ch_err *err);
/* Forgets ended ones older than this. */
CH_MUST_USE ch_status input_prune(struct sess_store *st, int64_t before_ms, struct ch_err *err);

#endif
