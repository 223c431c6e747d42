/*
 * approvals/question.h - questions of an agent to its person, as durable objects.
 *
 * States  pending -> answered | cancelled | expired; the first answer wins.
 * Durable as approvals are: what on_event tells is committed. After a restart a pending question is still pending;
 *         an answer that nobody waits for any more goes to on_orphan.
 * Secrets an answer to a question with isSecret is handed to store_secret() and never written here: what stands
 *         in its place is QUESTION_STORED. A secret question must say where it goes (secretStore).
 * Limits  QUESTIONS_PENDING_MAX at once: an agent in a loop must not bury its person.
 * Fails   CH_E_NOT_FOUND; CH_E_INVALID for questions and answers that do not fit; CH_E_EXISTS for an id in use;
 *         CH_E_CONFLICT when it had ended.
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
#define QUESTION_TEXT_MAX (64u << 10)    /* bytes of a request's JSON, of an answer's too */
#define QUESTION_TTL_MS (15 * 60 * 1000LL)
#define QUESTION_TTL_MAX_MS (7 * 24 * 60 * 60 * 1000LL)
#define QUESTION_KEPT_MS (7 * 24 * 60 * 60 * 1000LL)     /* after it ended */
#define QUESTION_ID_MAX 128
#define QUESTION_STORED "stored"

enum question_status { QUESTION_PENDING, QUESTION_ANSWERED, QUESTION_CANCELLED, QUESTION_EXPIRED };
const char *question_status_name(enum question_status s);

struct questions;

/* Lives on the arena it was read to. */
struct question {
	const char *id;
	enum question_status status;
	const char *agent_id, *session_key, *run_id;
	const struct json *questions;    /* array, QuestionRequestQuestion of the protocol's schema */
	const struct json *answers;      /* object: an array of strings by questionId; NULL: none */
	const struct json *resolved_by;  /* a string, or NULL */
	const char *resolution_id;
	bool wakes;                      /* its session hears of an answer that nobody waited for */
	int64_t created_at, expires_at, resolved_at;
};
struct question_ask {
	const char *id;                  /* NULL: a new one */
	const char *agent_id, *session_key, *run_id;
	const struct json *questions;    /* checked here: ids, options, limits of the protocol */
	int64_t ttl_ms;                  /* 0: QUESTION_TTL_MS */
	bool wakes;
};
enum question_event { QUESTION_EV_REQUESTED, QUESTION_EV_RESOLVED };
struct question_ops {
	void *arg;
	void (*on_event)(void *arg, enum question_event ev, const struct question *q);
	/* Answered when nobody waits any more (a restart): the session should be told. In the transaction of the answer. */
	CH_MUST_USE ch_status (*on_orphan)(void *arg, const struct question *q, struct ch_err *err);
	/* In that transaction too; question: the one of q->questions that is answered. NULL: such questions are refused. */
	CH_MUST_USE ch_status (*store_secret)(void *arg, const struct question *q, const struct json *question,
					      const char *value, struct ch_err *err);
};

CH_MUST_USE ch_status questions_open(struct loop *l, struct db *db, struct questions **ret, struct ch_err *err);
void questions_free(struct questions *qs);
void questions_set_ops(struct questions *qs, const struct question_ops *ops);
CH_MUST_USE ch_status question_create(struct questions *qs, const struct question_ask *ask, struct arena *a,
				      const char **ret_id, struct ch_err *err);
/* Until it has ended. CH_E_TIMEOUT at the deadline, it is still pending then. */
CH_FIBER CH_MUST_USE ch_status question_wait(struct questions *qs, const char *id, int64_t deadline_ms, struct arena *a,
					     struct question *ret, struct ch_err *err);
/* answers NULL: cancelled. CH_E_CONFLICT: it had ended; *ret says how. CH_E_INVALID: not what was asked. */
CH_MUST_USE ch_status question_resolve(struct questions *qs, const char *id, const struct json *answers,
				       const struct json *resolved_by, const char *resolution_id, struct arena *a,
				       struct question *ret, struct ch_err *err);
/* Those that the run asked and that are pending. */
CH_MUST_USE ch_status question_cancel_run(struct questions *qs, const char *run_id, struct ch_err *err);
CH_MUST_USE ch_status question_find(struct questions *qs, const char *id, struct arena *a, struct question *ret,
				    struct ch_err *err);
/* Oldest first; borrowed for the call. */
CH_MUST_USE ch_status question_pending(struct questions *qs, bool (*each)(void *arg, const struct question *q),
				       void *arg, struct ch_err *err);

/* -- question_check.c: no state -- */
CH_MUST_USE ch_status question_check(const struct json *questions, bool allows_secrets, struct ch_err *err);
/* Trimmed, options as they were written; on the arena. answers: an array of strings by questionId. */
CH_MUST_USE ch_status question_check_answers(const struct json *questions, const struct json *answers, struct arena *a,
					     struct json **ret, struct ch_err *err);
/* A person's line of text as answers to the one question that is there: "2", "1,3", a label, or their own words. */
CH_MUST_USE ch_status question_from_text(const struct json *questions, const char *text, struct arena *a, struct json **ret,
					 struct ch_err *err);

#endif
