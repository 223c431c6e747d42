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

#define INPUT_ORIGIN "origin"            /* member of meta: what made an input that no person typed (agent/wake.h) */

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

/*
 * Durable (db_begin_durable) when it returns CH_OK. One transaction with the session row: what was
 * changed in s is saved with it. The key and window come from s; accepted_at is now when 0. *ret (may
 * be NULL) is the row, on the arena; CH_E_EXISTS when the run_id is known, and *ret is what is known of it.
 */
CH_MUST_USE ch_status input_accept(struct sess *s, const struct input_row *in, struct arena *a,
				   struct input_row *ret, struct ch_err *err);
CH_MUST_USE ch_status input_find(struct sess_store *st, const char *session_key, const char *run_id,
				 struct arena *a, struct input_row *ret, struct ch_err *err);
/* By run id alone (agent.wait). */
CH_MUST_USE ch_status input_find_run(struct sess_store *st, const char *run_id, struct arena *a,
				     struct input_row *ret, struct ch_err *err);
/* queued -> running. CH_E_CONFLICT when it is not queued. */
CH_MUST_USE ch_status input_start(struct sess_store *st, const char *session_key, const char *run_id,
				  struct ch_err *err);
/* To one of the ended states. CH_E_CONFLICT when it had ended before. */
CH_MUST_USE ch_status input_end(struct sess_store *st, const char *session_key, const char *run_id,
				enum input_state state, const char *outcome, const char *error,
				struct ch_err *err);
/* Queued ones of a session, oldest first. */
CH_MUST_USE ch_status input_pending(struct sess_store *st, const char *session_key,
				    bool (*each)(void *arg, const struct input_row *in), void *arg,
				    struct ch_err *err);
/*
 * Start-up: marks left-overs interrupted and writes what the history must show (a cut turn keeps its
 * user message once, under the idempotency key "<run_id>:user", and a visible marker under
 * "<run_id>:interrupted"). A turn whose answer was complete and only not yet marked so becomes done.
 * Queued ones with an INPUT_ORIGIN stay queued and are told as that.
 * Sessions that were running are settled. One durable transaction; then each (may be NULL) is told of
 * every left-over, in order of acceptance, with its new state.
 */
CH_MUST_USE ch_status input_recover(struct sess_store *st, bool (*each)(void *arg, const struct input_row *in),
				    void *arg, struct ch_err *err);
/* Forgets a queued one, as if it had never come; what takes its place is accepted in the same transaction. */
CH_MUST_USE ch_status input_forget(struct sess_store *st, const char *session_key, const char *run_id, struct ch_err *err);
/* Forgets ended ones that ended before this. */
CH_MUST_USE ch_status input_prune(struct sess_store *st, int64_t before_ms, struct ch_err *err);

#endif
