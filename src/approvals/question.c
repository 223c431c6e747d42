/*
 * approvals/question.c - see question.h. The table is the truth; memory holds who waits and when the next one expires.
 */
#include "approvals/question.h"

#include <string.h>

#include "core/clock.h"
#include "core/fiber.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/rand.h"
#include "core/str.h"
#include "core/vec.h"

#define COLUMNS "id, status, agent_id, session_key, run_id, created_at, expires_at, resolved_at, resolution_id, resolved_by, " \
		"answers, questions, wakes"
#define TIMER_MAX_MS (60 * 60 * 1000LL)  /* looks again then: the wall clock may have been set */
#define TIMER_RETRY_MS 5000

struct waiter { const char *id; struct fiber_cond ended; struct waiter *next; };

struct questions {
	struct loop *loop;
	struct db *db;
	struct question_ops ops;
	struct loop_timer *timer;
	struct waiter *waiters;
};

static const char *const names[] = {
	[QUESTION_PENDING] = "pending",
	[QUESTION_ANSWERED] = "answered",
	[QUESTION_CANCELLED] = "cancelled",
	[QUESTION_EXPIRED] = "expired",
};

const char *question_status_name(enum question_status s)
{
	return names[s];
}

/* -- rows -- */

static const struct json *read_json(struct arena *a, const char *text)
{
	struct json *v;

	return text && !json_parse(a, text, strlen(text), JSON_STRICT, &v, NULL) ? v : NULL;
}

static void read_row(struct db_stmt *row, struct arena *a, struct question *q)
{
	*q = (struct question){
		.id = arena_strdup(a, db_text(row, 0)), .agent_id = arena_strdup(a, db_text(row, 2)),
		.session_key = arena_strdup(a, db_text(row, 3)), .run_id = arena_strdup(a, db_text(row, 4)),
		.created_at = db_int(row, 5), .expires_at = db_int(row, 6), .resolved_at = db_int(row, 7),
		.resolution_id = arena_strdup(a, db_text(row, 8)), .resolved_by = read_json(a, db_text(row, 9)),
		.answers = read_json(a, db_text(row, 10)), .questions = read_json(a, db_text(row, 11)),
		.wakes = db_int(row, 12) != 0,
	};
	for (size_t i = 0; i < CH_ARRAY_LEN(names); i++)
		if (str_eq(names[i], db_text(row, 1)))
			q->status = (enum question_status)i;
}

ch_status question_find(struct questions *qs, const char *id, struct arena *a, struct question *ret, struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *row = NULL;
	bool found;
	ch_status st = db_prep(qs->db, "SELECT " COLUMNS " FROM questions WHERE id = ?1", &row, err);

	if (st)
		return st;
	db_bind_text(row, 1, id);
	st = db_step(row, &found, err);
	if (st)
		return st;
	if (!found)
		return ch_fail(err, CH_E_NOT_FOUND, "question '%.80s' was not found", id);
	read_row(row, a, ret);
	return CH_OK;
}

/* Read before anything is told: who is told may ask us. */
struct list { struct arena *a; VEC(struct question) at; };

static void list_done(struct list *l)
{
	vec_done(&l->at);
	arena_unref(l->a);
}

static ch_status read_list(struct db_stmt *row, struct list *l, struct ch_err *err)
{
	struct question q;
	bool found;
	ch_status st;

	while (!(st = db_step(row, &found, err)) && found) {
		read_row(row, l->a, &q);
		vec_push(&l->at, q);
	}
	return st;
}

static ch_status list_pending(struct questions *qs, const char *run_id, struct list *l, struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *row = NULL;
	ch_status st = db_prep(qs->db, "SELECT " COLUMNS " FROM questions WHERE status = 'pending' AND (?1 IS NULL OR run_id = ?1) "
			       "ORDER BY created_at, id", &row, err);

	if (st)
		return st;
	db_bind_text(row, 1, run_id);
	return read_list(row, l, err);
}

ch_status question_pending(struct questions *qs, bool (*each)(void *arg, const struct question *q), void *arg,
			   struct ch_err *err)
{
	CH_AUTO_DONE(list_done) struct list l = { .a = arena_new(0), .at = VEC_INIT };
	ch_status st = list_pending(qs, NULL, &l, err);

	for (size_t i = 0; i < l.at.len && !st; i++)
		if (!each(arg, &l.at.at[i]))
			break;
	return st;
}

/* -- ending -- */

static void tell(struct questions *qs, enum question_event ev, const struct question *q)
{
	if (qs->ops.on_event)
		qs->ops.on_event(qs->ops.arg, ev, q);
}

static bool has_waiter(const struct questions *qs, const char *id)
{
	for (const struct waiter *w = qs->waiters; w; w = w->next)
		if (str_eq(w->id, id))
			return true;
	return false;
}

static void wake_waiters(struct questions *qs, const char *id)
{
	for (struct waiter *w = qs->waiters; w; w = w->next)
		if (str_eq(w->id, id))
			fiber_cond_broadcast(&w->ended);
}

static ch_status write_end(struct questions *qs, const struct question *q, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct db_stmt *row;
	int64_t changes;
	ch_status st = db_prep(qs->db, "UPDATE questions SET status = ?2, resolved_at = ?3, resolved_by = ?4, resolution_id = ?5, "
			       "answers = ?6 WHERE id = ?1 AND status = 'pending'", &row, err);

	if (st)
		return st;
	db_bind_text(row, 1, q->id);
	db_bind_text(row, 2, names[q->status]);
	db_bind_int(row, 3, q->resolved_at);
	db_bind_text(row, 4, q->resolved_by ? json_to_str(a, q->resolved_by) : NULL);
	db_bind_text(row, 5, q->resolution_id);
	db_bind_text(row, 6, q->answers ? json_to_str(a, q->answers) : NULL);
	st = db_run(row, &changes, err);
	return st || changes ? st : ch_fail(err, CH_E_CONFLICT, "question '%.80s' is over already", q->id);
}

/* The secret goes where it was asked for; what is written here says only that it did. */
static ch_status take_secret(struct questions *qs, struct question *q, struct arena *a, struct ch_err *err)
{
	const struct json *one = json_at(q->questions, 0);
	const char *id = json_get_str(one, "questionId");
	struct json *answers = json_new_obj(a), *list = json_new_arr(a);
	ch_status st;

	if (q->status != QUESTION_ANSWERED || !json_get_bool(one, "isSecret", false))
		return CH_OK;
	if (!qs->ops.store_secret)
		return ch_fail(err, CH_E_ABSENT, "there is no store for secrets");
	st = qs->ops.store_secret(qs->ops.arg, q, one, json_str(json_at(json_get(q->answers, id), 0)), err);
	if (st)
		return st;
	json_push(list, json_new_str(a, QUESTION_STORED));
	json_set(a, answers, id, list);
	q->answers = answers;
	return CH_OK;
}

/* q as it shall be. Committed, then told. */
static ch_status end(struct questions *qs, struct question *q, struct arena *a, struct ch_err *err)
{
	CH_AUTO(db_rollback) struct db *tx = NULL;
	ch_status st = db_begin_durable(qs->db, err);

	if (st)
		return st;
	tx = qs->db;
	st = take_secret(qs, q, a, err);
	if (!st)
		st = write_end(qs, q, err);
	if (!st && q->status == QUESTION_ANSWERED && q->wakes && qs->ops.on_orphan && !has_waiter(qs, q->id))
		st = qs->ops.on_orphan(qs->ops.arg, q, err);
	if (!st)
		st = db_commit(CH_TAKE(tx), err);
	if (st)
		return st;
	wake_waiters(qs, q->id);
	tell(qs, QUESTION_EV_RESOLVED, q);
	return CH_OK;
}

/* -- expiry -- */

static void arm(struct questions *qs);

static ch_status expire_due(struct questions *qs, struct ch_err *err)
{
	CH_AUTO_DONE(list_done) struct list l = { .a = arena_new(0), .at = VEC_INIT };
	int64_t now = now_wall_ms();
	ch_status st = list_pending(qs, NULL, &l, err);

	for (size_t i = 0; i < l.at.len && !st; i++) {
		struct question *q = &l.at.at[i];

		if (q->expires_at > now)
			continue;
		q->status = QUESTION_EXPIRED;
		q->resolved_at = now;
		st = end(qs, q, l.a, err);
	}
	return st;
}

static void on_timer(void *arg)
{
	struct questions *qs = arg;
	struct ch_err err;

	if (!expire_due(qs, &err)) {
		arm(qs);
		return;
	}
	log_warn("questions", "what is over could not be ended: %s; retry in %d ms", err.text, TIMER_RETRY_MS);
	loop_timer_start(qs->timer, TIMER_RETRY_MS);
}

static ch_status next_expiry(struct questions *qs, int64_t *ret_at, struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *row = NULL;
	bool found;
	ch_status st = db_prep(qs->db, "SELECT MIN(expires_at) FROM questions WHERE status = 'pending'", &row, err);

	if (!st)
		st = db_step(row, &found, err);
	if (!st)
		*ret_at = found && !db_is_null(row, 0) ? db_int(row, 0) : 0;
	return st;
}

static void arm(struct questions *qs)
{
	struct ch_err err;
	int64_t at;

	if (next_expiry(qs, &at, &err)) {
		log_warn("questions", "the next expiry could not be read: %s; retry in %d ms", err.text, TIMER_RETRY_MS);
		loop_timer_start(qs->timer, TIMER_RETRY_MS);
	} else if (at) {
		loop_timer_start(qs->timer, CH_MIN(CH_MAX(at - now_wall_ms(), 0), TIMER_MAX_MS));
	} else {
		loop_timer_stop(qs->timer);
	}
}

/* -- asking -- */

static ch_status check_room(struct questions *qs, struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *row = NULL;
	bool found;
	ch_status st = db_prep(qs->db, "SELECT COUNT(*) FROM questions WHERE status = 'pending'", &row, err);

	if (!st)
		st = db_step(row, &found, err);
	if (st || db_int(row, 0) < QUESTIONS_PENDING_MAX)
		return st;
	return ch_fail(err, CH_E_LIMIT, "%d questions are waiting for an answer already", QUESTIONS_PENDING_MAX);
}

static ch_status insert(struct questions *qs, const struct question *q, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct db_stmt *row;
	ch_status st = db_prep(qs->db, "INSERT INTO questions (id, status, agent_id, session_key, run_id, created_at, expires_at, "
			       "questions, wakes) VALUES (?1, 'pending', ?2, ?3, ?4, ?5, ?6, ?7, ?8)", &row, err);

	if (st)
		return st;
	db_bind_text(row, 1, q->id);
	db_bind_text(row, 2, q->agent_id);
	db_bind_text(row, 3, q->session_key);
	db_bind_text(row, 4, q->run_id);
	db_bind_int(row, 5, q->created_at);
	db_bind_int(row, 6, q->expires_at);
	db_bind_text(row, 7, json_to_str(a, q->questions));
	db_bind_int(row, 8, q->wakes);
	st = db_run(row, NULL, err);
	return st == CH_E_EXISTS ? ch_fail(err, CH_E_EXISTS, "question '%.80s' already exists", q->id) : st;
}

static ch_status insert_tx(struct questions *qs, const struct question *q, struct ch_err *err)
{
	CH_AUTO(db_rollback) struct db *tx = NULL;
	ch_status st = db_begin_durable(qs->db, err);

	if (st)
		return st;
	tx = qs->db;
	st = check_room(qs, err);
	if (!st)
		st = insert(qs, q, err);
	return st ? st : db_commit(CH_TAKE(tx), err);
}

ch_status question_create(struct questions *qs, const struct question_ask *ask, struct arena *a, const char **ret_id,
			  struct ch_err *err)
{
	int64_t ttl = CH_MIN(ask->ttl_ms > 0 ? ask->ttl_ms : QUESTION_TTL_MS, QUESTION_TTL_MAX_MS);
	struct question q = { .id = ask->id, .agent_id = ask->agent_id, .session_key = ask->session_key, .run_id = ask->run_id,
			      .questions = ask->questions, .wakes = ask->wakes, .created_at = now_wall_ms() };
	char id[UUID_LEN];
	ch_status st;

	if (!q.id) {
		rand_uuid(id);
		q.id = id;
	}
	if (!*q.id || strlen(q.id) > QUESTION_ID_MAX)
		return ch_fail(err, CH_E_INVALID, "a question's id must have 1 to %d bytes", QUESTION_ID_MAX);
	q.expires_at = q.created_at + ttl;
	st = question_check(ask->questions, qs->ops.store_secret != NULL, err);
	if (!st)
		st = insert_tx(qs, &q, err);
	if (st)
		return st;
	*ret_id = arena_strdup(a, q.id);
	arm(qs);
	tell(qs, QUESTION_EV_REQUESTED, &q);
	return CH_OK;
}

static void leave(struct questions *qs, struct waiter *gone)
{
	for (struct waiter **at = &qs->waiters; *at; at = &(*at)->next) {
		if (*at != gone)
			continue;
		*at = gone->next;
		return;
	}
}

CH_FIBER ch_status question_wait(struct questions *qs, const char *id, int64_t deadline_ms, struct arena *a,
				 struct question *ret, struct ch_err *err)
{
	struct waiter w = { .id = id };
	ch_status st = question_find(qs, id, a, ret, err);

	fiber_cond_init(&w.ended);
	while (!st && ret->status == QUESTION_PENDING) {
		w.next = qs->waiters;
		qs->waiters = &w;
		st = fiber_cond_wait(&w.ended, deadline_ms);
		leave(qs, &w);
		if (st)
			return ch_fail(err, st, "question '%.80s' was not answered yet", id);
		st = question_find(qs, id, a, ret, err);
	}
	return st;
}

/* -- answering -- */

static ch_status still_pending(struct questions *qs, const char *id, struct arena *a, struct question *ret, struct ch_err *err)
{
	ch_status st = question_find(qs, id, a, ret, err);

	if (!st && ret->status == QUESTION_PENDING && ret->expires_at <= now_wall_ms()) {
		st = expire_due(qs, err);        /* the timer was late */
		if (!st)
			st = question_find(qs, id, a, ret, err);
	}
	if (st || ret->status == QUESTION_PENDING)
		return st;
	return ch_fail(err, CH_E_CONFLICT, "question '%.80s' is already %s", id, names[ret->status]);
}

ch_status question_resolve(struct questions *qs, const char *id, const struct json *answers, const struct json *resolved_by,
			   const char *resolution_id, struct arena *a, struct question *ret, struct ch_err *err)
{
	struct json *checked = NULL;
	struct question q;
	ch_status st = still_pending(qs, id, a, ret, err);

	if (!st && answers)
		st = question_check_answers(ret->questions, answers, a, &checked, err);
	if (st)
		return st;
	q = *ret;
	q.status = answers ? QUESTION_ANSWERED : QUESTION_CANCELLED;
	q.answers = checked;
	q.resolved_by = resolved_by;
	q.resolution_id = resolution_id;
	q.resolved_at = now_wall_ms();
	st = end(qs, &q, a, err);
	if (st)
		return st;
	*ret = q;
	arm(qs);
	return CH_OK;
}

ch_status question_cancel_run(struct questions *qs, const char *run_id, struct ch_err *err)
{
	CH_AUTO_DONE(list_done) struct list l = { .a = arena_new(0), .at = VEC_INIT };
	ch_status st = list_pending(qs, run_id, &l, err);

	for (size_t i = 0; i < l.at.len && !st; i++) {
		l.at.at[i].status = QUESTION_CANCELLED;
		l.at.at[i].resolved_at = now_wall_ms();
		st = end(qs, &l.at.at[i], l.a, err);
	}
	if (l.at.len)
		arm(qs);
	return st;
}

/* -- life -- */

static ch_status prune(struct questions *qs, struct ch_err *err)
{
	struct db_stmt *row;
	ch_status st = db_prep(qs->db, "DELETE FROM questions WHERE resolved_at > 0 AND resolved_at < ?1", &row, err);

	if (st)
		return st;
	db_bind_int(row, 1, now_wall_ms() - QUESTION_KEPT_MS);
	return db_run(row, NULL, err);
}

ch_status questions_open(struct loop *l, struct db *db, struct questions **ret, struct ch_err *err)
{
	struct questions *qs = ch_alloc(sizeof(*qs));
	ch_status st;

	qs->loop = l;
	qs->db = db;
	qs->timer = loop_timer_new(l, on_timer, qs);
	st = prune(qs, err);
	if (st) {
		questions_free(qs);
		return st;
	}
	arm(qs);
	*ret = qs;
	return CH_OK;
}

void questions_free(struct questions *qs)
{
	if (!qs)
		return;
	CH_BUG_ON(qs->waiters);
	loop_timer_free(qs->timer);
	ch_free(qs);
}

void questions_set_ops(struct questions *qs, const struct question_ops *ops)
{
	qs->ops = *ops;
}
