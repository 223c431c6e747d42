/*
 * approvals/approval.c - the life of an approval: asked, waited for, answered, carried out once.
 *
 *	pending --answer--> allowed --claim--> (carried out) --done
 *	   |  '-----------> denied
 *	   |--time--------> expired
 *	   '--run gone----> cancelled
 *
 * Every arrow is one transaction; only after its commit are the operators told and the waiters woken.
 */
#include "approvals/approval_priv.h"

#include "core/clock.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/rand.h"
#include "core/str.h"

#define RETRY_MS 1000            /* the disk refused an expiry: once more */

static void on_timer(void *arg);

/* -- open, close -- */

static ch_status query_int(struct db *db, const char *sql, int64_t *ret, struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *s = NULL;
	bool has_row;
	ch_status st;

	st = db_prep(db, sql, &s, err);
	if (!st)
		st = db_step(s, &has_row, err);
	if (!st)
		*ret = has_row ? db_int(s, 0) : 0;
	return st;
}

static ch_status run_at(struct db *db, const char *sql, int64_t at, struct ch_err *err)
{
	struct db_stmt *s;
	ch_status st;

	st = db_prep(db, sql, &s, err);
	if (st)
		return st;
	db_bind_int(s, 1, at);
	return db_run(s, NULL, err);
}

/* The runs that waited are gone. */
static ch_status settle_leftovers(struct db *db, int64_t now, struct ch_err *err)
{
	CH_AUTO(db_rollback) struct db *tx = NULL;
	ch_status st;

	st = db_begin(db, err);
	if (st)
		return st;
	tx = db;
	st = run_at(db, "UPDATE approvals SET status = 'expired', reason = 'timeout', resolved_at = ?1, binding = NULL "
		    "WHERE status = 'pending' AND expires_at <= ?1", now, err);
	if (!st)
		st = run_at(db, "UPDATE approvals SET status = 'cancelled', reason = 'gateway-restart', resolved_at = ?1 "
			    "WHERE status = 'pending' AND binding IS NULL", now, err);
	/* Who carried it out is gone, too; what is known of that is told by who asked. */
	if (!st)
		st = run_at(db, "UPDATE approvals SET done_at = ?1, binding = NULL WHERE claimed_at > 0 AND done_at = 0", now, err);
	return st ? st : db_commit(CH_TAKE(tx), err);
}

static void arm(struct approvals *ap)
{
	int64_t first = 0;
	struct ch_err err = { 0 };

	loop_timer_stop(ap->timer);
	if (ap->pending == 0)
		return;
	if (query_int(ap->db, "SELECT min(expires_at) FROM approvals WHERE status = 'pending'", &first, &err)) {
		log_error("approvals", "when the next one expires: %s; looking again in %d ms", err.text, RETRY_MS);
		loop_timer_start(ap->timer, RETRY_MS);
		return;
	}
	loop_timer_start(ap->timer, CH_MAX(first - now_wall_ms(), 0));
}

ch_status approvals_open(struct loop *l, struct db *db, struct approvals **ret, struct ch_err *err)
{
	struct approvals *ap;
	int64_t opened_at = now_wall_ms(), pending;
	ch_status st;

	st = settle_leftovers(db, opened_at, err);
	if (!st)
		st = query_int(db, "SELECT count(*) FROM approvals WHERE status = 'pending'", &pending, err);
	if (st)
		return ch_wrap(err, "approvals");
	ap = ch_alloc(sizeof(*ap));
	ap->loop = l;
	ap->db = db;
	ap->groups = map_new();
	ap->timer = loop_timer_new(l, on_timer, ap);
	ap->pending = (size_t)pending;
	ap->opened_at = opened_at;
	arm(ap);
	*ret = ap;
	return CH_OK;
}

void approvals_free(struct approvals *ap)
{
	if (!ap)
		return;
	CH_BUG_ON(map_len(ap->groups) > 0);
	map_free(ap->groups);
	loop_timer_free(ap->timer);
	ch_free(ap);
}

void approvals_set_ops(struct approvals *ap, const struct approval_ops *ops)
{
	ap->ops = *ops;
}

size_t approvals_pending_count(const struct approvals *ap)
{
	return ap->pending;
}

/* -- asking -- */

static ch_status bind_json(struct db_stmt *s, int i, const char *what, const struct json *v, struct buf *text, struct ch_err *err)
{
	buf_init(text, APPROVAL_TEXT_MAX);
	if (!v)
		return CH_OK;
	json_write(text, v, 0);
	if (text->failed)
		return ch_fail(err, CH_E_LIMIT, "the %s of an approval may have %u bytes: this one is too long to be shown",
			       what, APPROVAL_TEXT_MAX);
	db_bind_textn(s, i, text->data, text->len);
	return CH_OK;
}

static ch_status insert(struct approvals *ap, const struct approval_ask *ask, const char *id, int64_t now, struct ch_err *err)
{
	CH_AUTO_BUF struct buf request = { 0 }, presentation = { 0 }, binding = { 0 };
	CH_AUTO(db_done) struct db_stmt *s = NULL;
	bool has_row;
	ch_status st;

	st = db_prep(ap->db, "INSERT INTO approvals (id, kind, status, decisions, agent_id, session_key, session_id, run_id, "
		     "tool_call_id, binding_hash, created_at, expires_at, request, presentation, binding) "
		     "VALUES (?1, ?2, 'pending', ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)", &s, err);
	if (st)
		return st;
	db_bind_text(s, 1, id);
	db_bind_text(s, 2, approval_kind_name(ask->kind));
	db_bind_int(s, 3, ask->decisions ? ask->decisions | APPROVAL_DENY
					 : APPROVAL_ALLOW_ONCE | APPROVAL_ALLOW_ALWAYS | APPROVAL_DENY);
	db_bind_text(s, 4, ask->agent_id);
	db_bind_text(s, 5, ask->session_key);
	db_bind_text(s, 6, ask->session_id);
	db_bind_text(s, 7, ask->run_id);
	db_bind_text(s, 8, ask->tool_call_id);
	db_bind_text(s, 9, ask->binding_hash);
	db_bind_int(s, 10, now);
	db_bind_int(s, 11, now + (ask->ttl_ms ? ask->ttl_ms : APPROVAL_TTL_MS));
	st = bind_json(s, 12, "request", ask->request, &request, err);
	if (!st)
		st = bind_json(s, 13, "presentation", ask->presentation, &presentation, err);
	if (!st)
		st = bind_json(s, 14, "binding", ask->binding, &binding, err);
	return st ? st : db_step(s, &has_row, err);
}

/* What ended long ago goes; what was allowed and is not yet carried out stays. */
static ch_status prune(struct approvals *ap, int64_t now, struct ch_err *err)
{
	ch_status st;

	st = run_at(ap->db, "DELETE FROM approvals WHERE resolved_at > 0 AND resolved_at < ?1", now - APPROVAL_KEEP_MS, err);
	if (st)
		return st;
	return run_at(ap->db, "DELETE FROM approvals WHERE id IN (SELECT id FROM approvals WHERE resolved_at > 0 "
		      "AND NOT (status = 'allowed' AND claimed_at = 0 AND binding IS NOT NULL) "
		      "ORDER BY resolved_at DESC, id DESC LIMIT -1 OFFSET ?1)", APPROVALS_KEPT_MAX, err);
}

/* A model that asks in a loop must not make the list too long to be sent. */
static ch_status check_room(struct approvals *ap, const struct approval_ask *ask, struct ch_err *err)
{
	CH_AUTO_BUF struct buf text = { 0 };
	int64_t bytes = 0;
	ch_status st;

	buf_init(&text, APPROVAL_TEXT_MAX);
	json_write(&text, ask->request, 0);
	st = query_int(ap->db, "SELECT sum(length(request)) FROM approvals WHERE status = 'pending'", &bytes, err);
	if (st)
		return st;
	if (ap->pending >= APPROVALS_PENDING_MAX || (size_t)bytes + text.len > APPROVALS_PENDING_BYTES)
		return ch_fail(err, CH_E_LIMIT, "%zu approvals wait for an answer already: answer them first (chela approvals list)",
			       ap->pending);
	return CH_OK;
}

static ch_status store_new(struct approvals *ap, const struct approval_ask *ask, const char *id, struct ch_err *err)
{
	CH_AUTO(db_rollback) struct db *tx = NULL;
	int64_t now = now_wall_ms();
	ch_status st;

	st = db_begin_durable(ap->db, err);
	if (st)
		return st;
	tx = ap->db;
	st = prune(ap, now, err);
	if (!st)
		st = insert(ap, ask, id, now, err);
	return st ? st : db_commit(CH_TAKE(tx), err);
}

static void tell(struct approvals *ap, enum approval_event ev, const struct approval *row)
{
	if (ap->ops.on_event)
		ap->ops.on_event(ap->ops.arg, ev, row);
}

/* Ids are shown, typed and put into addresses. */
static bool is_id(const char *id)
{
	size_t n = strlen(id);

	return n > 0 && n <= APPROVAL_ID_MAX && !str_eq(id, ".") && !str_eq(id, "..") &&
	       strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:-") == n;
}

ch_status approval_create(struct approvals *ap, const struct approval_ask *ask, struct arena *a, const char **ret_id,
			  struct ch_err *err)
{
	const char *way_out = NULL;
	struct approval row;
	char uuid[UUID_LEN];
	ch_status st;

	if (ask->id && !is_id(ask->id))
		return ch_fail(err, CH_E_INVALID, "an approval's id has letters, digits and . _ : - only, at most %d", APPROVAL_ID_MAX);
	st = check_room(ap, ask, err);
	if (st)
		return st;
	if (ap->ops.is_reachable && !ap->ops.is_reachable(ap->ops.arg, ask->session_key, a, &way_out))
		return ch_fail(err, CH_E_DENIED, "nobody who could approve this can be reached: %s", way_out);
	rand_uuid(uuid);
	st = store_new(ap, ask, ask->id ? ask->id : uuid, err);
	if (!st)
		st = approval_row_load(ap->db, ask->id ? ask->id : uuid, a, &row, err);
	if (st)
		return st;
	ap->pending++;
	arm(ap);
	*ret_id = row.id;
	tell(ap, APPROVAL_EV_REQUESTED, &row);
	return CH_OK;
}

/* -- ending -- */

struct ending {
	enum approval_status status;
	enum approval_decision decision;
	const char *reason;
	const char *resolver;            /* JSON, or NULL */
	bool is_durable;
};

/* A pending row ends; CH_E_CONFLICT: it is not pending. What only an allowed one needs goes. */
static ch_status store_end(struct approvals *ap, const char *id, const struct ending *e, struct ch_err *err)
{
	CH_AUTO(db_rollback) struct db *tx = NULL;
	struct db_stmt *s;
	int64_t changes;
	ch_status st;

	st = e->is_durable ? db_begin_durable(ap->db, err) : db_begin(ap->db, err);
	if (st)
		return st;
	tx = ap->db;
	st = db_prep(ap->db, "UPDATE approvals SET status = ?2, decision = ?3, reason = ?4, resolver = ?5, resolved_at = ?6, "
		     "binding = CASE WHEN ?2 = 'allowed' THEN binding END WHERE id = ?1 AND status = 'pending'", &s, err);
	if (st)
		return st;
	db_bind_text(s, 1, id);
	db_bind_text(s, 2, approval_status_name(e->status));
	db_bind_text(s, 3, approval_decision_name(e->decision));
	db_bind_text(s, 4, e->reason);
	db_bind_text(s, 5, e->resolver);
	db_bind_int(s, 6, now_wall_ms());
	st = db_run(s, &changes, err);
	if (st)
		return st;
	if (changes != 1)
		return ch_fail(err, CH_E_CONFLICT, "approval %s has ended already", id);
	return db_commit(CH_TAKE(tx), err);
}

static bool is_held(const struct approvals *ap, const char *id)
{
	const struct approval_group *g = map_find(ap->groups, id);

	return g && g->holders > 0;
}

static void wake(struct approvals *ap, const char *id)
{
	struct approval_group *g = map_find(ap->groups, id);

	if (g)
		fiber_cond_broadcast(&g->ended);
}

/* Ends it, tells the operators, wakes who waits; *ret is the row as it is now. */
static ch_status end(struct approvals *ap, const char *id, const struct ending *e, struct arena *a, struct approval *ret,
		     struct ch_err *err)
{
	bool held = is_held(ap, id);
	ch_status st;

	st = store_end(ap, id, e, err);
	if (st)
		return st;
	ap->pending--;
	arm(ap);
	wake(ap, id);
	st = approval_row_load(ap->db, id, a, ret, err);
	if (st)
		return st;
	tell(ap, APPROVAL_EV_RESOLVED, ret);
	if (ret->status == APPROVAL_ALLOWED && !held && ret->binding && ap->ops.on_orphan)
		ap->ops.on_orphan(ap->ops.arg, ret);
	return CH_OK;
}

static ch_status expire(struct approvals *ap, const char *id, struct arena *a, struct approval *ret, struct ch_err *err)
{
	return end(ap, id, &(struct ending){ .status = APPROVAL_EXPIRED, .reason = "timeout" }, a, ret, err);
}

static ch_status expire_due(struct approvals *ap, struct ch_err *err)
{
	APPROVAL_AUTO_IDS struct approval_ids ids = { VEC_INIT };
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct approval row;
	struct db_stmt *s;
	ch_status st;

	st = db_prep(ap->db, "SELECT id FROM approvals WHERE status = 'pending' AND expires_at <= ?1 ORDER BY expires_at", &s, err);
	if (st)
		return st;
	db_bind_int(s, 1, now_wall_ms());
	st = approval_ids_load(s, &ids, err);
	for (size_t i = 0; !st && i < ids.list.len; i++) {
		arena_clear(a);
		st = expire(ap, ids.list.at[i], a, &row, err);
	}
	return st;
}

static void on_timer(void *arg)
{
	struct approvals *ap = arg;
	struct ch_err err = { 0 };

	if (expire_due(ap, &err)) {
		log_error("approvals", "ending what has expired: %s; trying again in %d ms", err.text, RETRY_MS);
		loop_timer_start(ap->timer, RETRY_MS);
		return;
	}
	arm(ap);
}

static const char *resolver_json(struct arena *a, const struct approval_resolver *by)
{
	struct json *v = json_new_obj(a);

	json_set(a, v, "kind", json_new_str(a, by->kind));
	if (by->id)
		json_set(a, v, "id", json_new_str(a, by->id));
	if (by->name)
		json_set(a, v, "name", json_new_str(a, by->name));
	if (by->expires_in_days > 0)
		json_set(a, v, "grantExpiresInDays", json_new_int(a, by->expires_in_days));
	return json_to_str(a, v);
}

ch_status approval_resolve(struct approvals *ap, const char *id, enum approval_decision decision,
			   const struct approval_resolver *by, struct arena *a, struct approval *ret, struct ch_err *err)
{
	struct approval row;
	ch_status st;

	st = approval_row_load(ap->db, id, a, &row, err);
	if (st)
		return st;
	if (row.status == APPROVAL_PENDING && row.expires_at <= now_wall_ms()) {
		st = expire(ap, id, a, &row, err);
		if (st)
			return st;
	}
	if (row.status != APPROVAL_PENDING) {
		*ret = row;
		return ch_fail(err, CH_E_CONFLICT, "approval %s has ended already: %s", id,
			       row.decision ? approval_decision_name(row.decision) : approval_status_name(row.status));
	}
	if (!approval_decision_name(decision) || !(row.decisions & decision))
		return ch_fail(err, CH_E_INVALID, "%s cannot be chosen for this approval",
			       approval_decision_name(decision) ? approval_decision_name(decision) : "that answer");
	return end(ap, id, &(struct ending){ .status = decision == APPROVAL_DENY ? APPROVAL_DENIED : APPROVAL_ALLOWED,
					     .decision = decision, .reason = "user", .resolver = resolver_json(a, by),
					     .is_durable = true }, a, ret, err);
}

/* Allowed, but nobody is to carry it out any more. */
static ch_status give_up(struct approvals *ap, const char *id, struct ch_err *err)
{
	CH_AUTO(db_rollback) struct db *tx = NULL;
	struct db_stmt *s;
	ch_status st;

	st = db_begin_durable(ap->db, err);
	if (st)
		return st;
	tx = ap->db;
	st = db_prep(ap->db, "UPDATE approvals SET claimed_at = ?2, done_at = ?2, binding = NULL "
		     "WHERE id = ?1 AND status = 'allowed' AND claimed_at = 0", &s, err);
	if (st)
		return st;
	db_bind_text(s, 1, id);
	db_bind_int(s, 2, now_wall_ms());
	st = db_run(s, NULL, err);
	return st ? st : db_commit(CH_TAKE(tx), err);
}

ch_status approval_cancel(struct approvals *ap, const char *id, const char *reason, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct approval row;
	ch_status st;

	st = approval_row_load(ap->db, id, a, &row, err);
	if (st)
		return st;
	if (row.status == APPROVAL_ALLOWED && !row.claimed_at)
		return give_up(ap, id, err);
	if (row.status != APPROVAL_PENDING)
		return ch_fail(err, CH_E_CONFLICT, "approval %s has ended already: %s", id, approval_status_name(row.status));
	return end(ap, id, &(struct ending){ .status = APPROVAL_CANCELLED, .reason = reason, .is_durable = true }, a, &row, err);
}

/* -- carrying out -- */

ch_status approval_claim(struct approvals *ap, const char *id, struct ch_err *err)
{
	return approval_claim_with(ap, id, NULL, NULL, err);
}

ch_status approval_claim_with(struct approvals *ap, const char *id, ch_status (*also)(void *arg, struct ch_err *err), void *arg,
			      struct ch_err *err)
{
	CH_AUTO(db_rollback) struct db *tx = NULL;
	struct db_stmt *s;
	int64_t changes;
	ch_status st;

	st = db_begin_durable(ap->db, err);
	if (st)
		return st;
	tx = ap->db;
	st = db_prep(ap->db, "UPDATE approvals SET claimed_at = ?2 WHERE id = ?1 AND status = 'allowed' AND claimed_at = 0", &s, err);
	if (st)
		return st;
	db_bind_text(s, 1, id);
	db_bind_int(s, 2, now_wall_ms());
	st = db_run(s, &changes, err);
	if (st)
		return st;
	if (changes != 1)
		return ch_fail(err, CH_E_CONFLICT, "approval %s is not allowed, or was carried out before", id);
	st = also ? also(arg, err) : CH_OK;
	return st ? st : db_commit(CH_TAKE(tx), err);
}

ch_status approval_done(struct approvals *ap, const char *id, struct ch_err *err)
{
	struct db_stmt *s;
	ch_status st;

	st = db_prep(ap->db, "UPDATE approvals SET done_at = ?2, binding = NULL WHERE id = ?1 AND claimed_at > 0 AND done_at = 0",
		     &s, err);
	if (st)
		return st;
	db_bind_text(s, 1, id);
	db_bind_int(s, 2, now_wall_ms());
	return db_run(s, NULL, err);
}

ch_status approval_is_late(struct approvals *ap, const char *run_id, bool *ret, struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *s = NULL;
	ch_status st = db_prep(ap->db, "SELECT 1 FROM approvals WHERE run_id = ?1 AND status = 'allowed' AND "
			       "((claimed_at = 0 AND binding IS NOT NULL) OR claimed_at >= ?2) LIMIT 1", &s, err);

	if (st)
		return st;
	db_bind_text(s, 1, run_id);
	db_bind_int(s, 2, ap->opened_at);
	return db_step(s, ret, err);
}

/* Each row of a question about ids. */
static ch_status each_of(struct approvals *ap, const char *sql, int64_t at, void (*each)(struct approvals *ap, const struct approval *row),
			 struct ch_err *err)
{
	APPROVAL_AUTO_IDS struct approval_ids ids = { VEC_INIT };
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct approval row;
	struct db_stmt *s;
	ch_status st = db_prep(ap->db, sql, &s, err);

	if (st)
		return st;
	db_bind_int(s, 1, at);
	st = approval_ids_load(s, &ids, err);
	for (size_t i = 0; !st && i < ids.list.len; i++) {
		arena_clear(a);
		st = approval_row_load(ap->db, ids.list.at[i], a, &row, err);
		if (!st)
			each(ap, &row);
	}
	return st;
}

static void tell_settled(struct approvals *ap, const struct approval *row)
{
	tell(ap, APPROVAL_EV_RESOLVED, row);
}

static void give_orphan(struct approvals *ap, const struct approval *row)
{
	ap->ops.on_orphan(ap->ops.arg, row);
}

void approvals_recover(struct approvals *ap)
{
	struct ch_err err = { 0 };
	ch_status st = each_of(ap, "SELECT id FROM approvals WHERE resolved_at = ?1 AND status IN ('expired', 'cancelled') "
			       "ORDER BY created_at, rowid", ap->opened_at, tell_settled, &err);

	if (st)
		log_error("approvals", "what ended with the last stop: %s; it is not told", err.text);
	if (!ap->ops.on_orphan)
		return;
	st = each_of(ap, "SELECT id FROM approvals WHERE status = 'allowed' AND claimed_at = ?1 AND binding IS NOT NULL ORDER BY resolved_at",
		     0, give_orphan, &err);
	if (st)
		log_error("approvals", "what was allowed before the restart: %s; it is not carried out", err.text);
}

/* -- waiting -- */

static struct approval_group *join_group(struct approvals *ap, const char *id, bool holds)
{
	struct approval_group *g = map_find(ap->groups, id);

	if (!g) {
		g = ch_alloc(sizeof(*g));
		fiber_cond_init(&g->ended);
		map_put(ap->groups, id, g);
	}
	g->waiters++;
	g->holders += holds;
	return g;
}

static void leave_group(struct approvals *ap, const char *id, struct approval_group *g, bool holds)
{
	g->holders -= holds;
	if (--g->waiters > 0)
		return;
	map_take(ap->groups, id);
	ch_free(g);
}

CH_FIBER static ch_status wait_end(struct approvals *ap, const char *id, bool holds, int64_t deadline_ms, struct arena *a,
				   struct approval *ret, struct ch_err *err)
{
	struct approval_group *g;
	struct approval row;
	ch_status st;

	st = approval_row_load(ap->db, id, a, &row, err);
	if (st)
		return st;
	if (row.status == APPROVAL_PENDING) {
		g = join_group(ap, id, holds);
		do {
			st = fiber_cond_wait(&g->ended, deadline_ms);
			if (!st)
				st = approval_row_load(ap->db, id, a, &row, err);
			else
				(void)ch_fail(err, st, "no longer waiting for approval %s", id);
		} while (!st && row.status == APPROVAL_PENDING);
		leave_group(ap, id, g, holds);
	}
	if (!st)
		*ret = row;
	return st;
}

CH_FIBER ch_status approval_wait(struct approvals *ap, const char *id, struct arena *a, struct approval *ret,
				 struct ch_err *err)
{
	/* For ever: the approval's own time ends it. */
	return wait_end(ap, id, true, FIBER_FOREVER, a, ret, err);
}

CH_FIBER ch_status approval_watch(struct approvals *ap, const char *id, int64_t deadline_ms, struct arena *a,
				  struct approval *ret, struct ch_err *err)
{
	ch_status st = wait_end(ap, id, false, deadline_ms, a, ret, err);

	return st == CH_E_TIMEOUT ? approval_row_load(ap->db, id, a, ret, err) : st;
}
