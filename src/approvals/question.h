/*
 * approvals/question.h - questions of an agent to its person, as durable objects.
 *
 * States  pending -> answered | cancelled | expired; the first answer wins.
 * Durable as approvals are. Answers that are secrets are handed to the waiter (or the secret store) and never
 *         written here.
 * Source  reference protocol, question.* methods and events.
 */
#ifndef CH_APPROVALS_QUESTION_H
#define CH_APPROVALS_QUESTION_H

#include "core/arena.h"
#include "core/err.h"
#include "core/json.h"
#include "core/loop.h"
#include "store/db.h"

#define QUESTIONS_PENDING_MAX 64
#define QUESTION_TEXT_MAX (64u << 10)
#define QUESTION_TTL_MS (30 * 60 * 1000LL)

enum question_status { QUESTION_PENDING, QUESTION_ANSWERED, QUESTION_CANCELLED, QUESTION_EXPIRED };
const char *question_status_name(enum question_status s);

struct questions;

struct question {
	const char *id;
	enum question_status status;
	const char *agent_id, *session_key, *run_id;
	const struct json *questions;    /* array, QuestionRequestQuestion of the protocol's schema */
	const struct json *answers;      /* object by questionId; of a waiter: with secret answers. NULL: none */
	const struct json *resolved_by;
	const char *resolution_id;
	int64_t created_at, expires_at, resolved_at;
};
struct question_ask {
	const char *id;                  /* NULL: a new one */
	const char *agent_id, *session_key, *run_id;
	const struct json *questions;    /* checked here: ids, options, limits of the protocol */
	int64_t ttl_ms;                  /* 0: QUESTION_TTL_MS */
};
enum question_event { QUESTION_EV_REQUESTED, QUESTION_EV_RESOLVED };
struct question_ops {
	void *arg;
	void (*on_event)(void *arg, enum question_event ev, const struct question *q);
	/* Answered when nobody waits any more (a restart): the session should be told. */
	void (*on_orphan)(void *arg, const struct question *q);
};

CH_MUST_USE ch_status questions_open(struct loop *l, struct db *db, struct questions **ret, struct ch_err *err);
void questions_free(struct questions *qs);
void questions_set_ops(struct questions *qs, const struct question_ops *ops);
CH_MUST_USE ch_status question_create(struct questions *qs, const struct question_ask *ask, struct arena *a,
				      const char **ret_id, struct ch_err *err);
CH_FIBER CH_MUST_USE ch_status question_wait(struct questions *qs, const char *id, int64_t deadline_ms, struct arena *a,
					     struct question *ret, struct ch_err *err);
/* answers NULL: cancelled. CH_E_CONFLICT: it had ended; *ret says how. CH_E_INVALID: not what was asked. */
CH_MUST_USE ch_status question_resolve(struct questions *qs, const char *id, const struct json *answers,
				       const struct json *resolved_by, const char *resolution_id, struct arena *a,
				       struct question *ret, struct ch_err *err);
CH_MUST_USE ch_status question_cancel_run(struct questions *qs, const char *run_id, struct ch_err *err);
CH_MUST_USE ch_status question_find(struct questions *qs, const char *id, struct arena *a, struct question *ret,
				    struct ch_err *err);
CH_MUST_USE ch_status question_pending(struct questions *qs, bool (*each)(void *arg, const struct question *q),
				       void *arg, struct ch_err *err);

#endif
