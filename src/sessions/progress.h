/*
 * sessions/progress.h - a session's progress card: the plan and the note that its agent last put.
 *
 * Keeps   one card per session, durable; each put replaces the whole. It goes with its session.
 * Limits  those of the protocol: PROGRESS_STEPS_MAX steps of PROGRESS_STEP_MAX bytes, one of them in progress;
 *         PROGRESS_NOTE_MAX bytes of Markdown. Characters that show nothing or turn the text around are taken out.
 * Fails   CH_E_INVALID for input that does not fit, in words for a model; CH_E_NOT_FOUND: no such session.
 * Source  reference protocol, progressCard.*
 */
#ifndef CH_SESSIONS_PROGRESS_H
#define CH_SESSIONS_PROGRESS_H

#include "core/json.h"
#include "store/db.h"

#define PROGRESS_NOTE_MAX 8192
#define PROGRESS_STEPS_MAX 50
#define PROGRESS_STEP_MAX 512

struct progress;

/* Lives on the arena it was read to. revision 0: there is no card. */
struct progress_card {
	int64_t revision, updated_at;
	const char *note;                /* Markdown, or NULL */
	const struct json *steps;        /* array of {step, status}, or NULL */
	size_t done, total;              /* steps */
};
struct progress_put {
	const char *session_key;
	const char *note;                /* NULL or blank: none */
	const struct json *steps;        /* NULL or empty: none; neither of both: the card is cleared */
	int64_t expected_revision;       /* > 0: clears only the card of this revision */
};

struct progress *progress_new(struct db *db);
void progress_free(struct progress *p);
/* Told after the commit; revision 0: cleared. */
void progress_set_ops(struct progress *p, void (*on_change)(void *arg, const char *session_key, int64_t revision), void *arg);
CH_MUST_USE ch_status progress_get(struct progress *p, const char *session_key, struct arena *a, struct progress_card *ret,
				   struct ch_err *err);
CH_MUST_USE ch_status progress_put(struct progress *p, const struct progress_put *put, struct arena *a,
				   struct progress_card *ret, struct ch_err *err);

#endif
