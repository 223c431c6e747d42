/*
 * approvals/approval_row.c - rows of the table approvals: names, reading one, walking many.
 */
#include "approvals/approval_priv.h"

#include <inttypes.h>

#include "core/log.h"
#include "core/mem.h"
#include "core/str.h"

#define COLUMNS                                                                                               \
	"id, kind, status, decision, decisions, reason, agent_id, session_key, session_id, run_id, tool_call_id, " \
	"binding_hash, created_at, expires_at, resolved_at, claimed_at, done_at, resolver, request, presentation, " \
	"binding"

/* -- names -- */

static const char *const kind_names[] = { [APPROVAL_EXEC] = "exec", [APPROVAL_PLUGIN] = "plugin" };
static const char *const status_names[] = {
	[APPROVAL_PENDING] = "pending", [APPROVAL_ALLOWED] = "allowed", [APPROVAL_DENIED] = "denied",
	[APPROVAL_EXPIRED] = "expired", [APPROVAL_CANCELLED] = "cancelled",
};
static const struct { enum approval_decision decision; const char *name; } decision_names[] = {
	{ APPROVAL_ALLOW_ONCE, "allow-once" },
	{ APPROVAL_ALLOW_ALWAYS, "allow-always" },
	{ APPROVAL_DENY, "deny" },
};

const char *approval_kind_name(enum approval_kind k)
{
	return kind_names[k];
}

const char *approval_status_name(enum approval_status s)
{
	return status_names[s];
}

const char *approval_decision_name(enum approval_decision d)
{
	for (size_t i = 0; i < CH_ARRAY_LEN(decision_names); i++)
		if (decision_names[i].decision == d)
			return decision_names[i].name;
	return NULL;
}

bool approval_decision_parse(const char *name, enum approval_decision *ret)
{
	for (size_t i = 0; i < CH_ARRAY_LEN(decision_names); i++) {
		if (!str_eq(decision_names[i].name, name))
			continue;
		*ret = decision_names[i].decision;
		return true;
	}
	return false;
}

static bool find_name(const char *const *names, size_t n, const char *name, int *ret)
{
	for (size_t i = 0; i < n; i++) {
		if (!str_eq(names[i], name))
			continue;
		*ret = (int)i;
		return true;
	}
	return false;
}

/* -- one row -- */

static const char *column(struct db_stmt *s, int col, struct arena *a)
{
	return db_is_null(s, col) ? NULL : arena_strndup(a, db_text(s, col), db_text_len(s, col));
}

static ch_status column_json(struct db_stmt *s, int col, const char *name, struct arena *a, const struct json **ret,
			     struct ch_err *err)
{
	struct json *v = NULL;
	ch_status st;

	*ret = NULL;
	if (db_is_null(s, col))
		return CH_OK;
	st = json_parse(a, db_text(s, col), db_text_len(s, col), JSON_STRICT, &v, err);
	if (st)
		return ch_wrap(err, "the stored %s of approval %s", name, db_text(s, 0));
	*ret = v;
	return CH_OK;
}

static ch_status read_row(struct db_stmt *s, struct arena *a, struct approval *ret, struct ch_err *err)
{
	struct approval row = { .decisions = (unsigned)db_int(s, 4) };
	int kind, status;
	ch_status st;

	if (!find_name(kind_names, CH_ARRAY_LEN(kind_names), db_text(s, 1), &kind) ||
	    !find_name(status_names, CH_ARRAY_LEN(status_names), db_text(s, 2), &status))
		return ch_fail(err, CH_E_IO, "approval %s is stored with an unknown kind or status", db_text(s, 0));
	row.kind = (enum approval_kind)kind;
	row.status = (enum approval_status)status;
	(void)approval_decision_parse(db_text(s, 3), &row.decision);
	row.id = column(s, 0, a);
	row.reason = column(s, 5, a);
	row.agent_id = column(s, 6, a);
	row.session_key = column(s, 7, a);
	row.session_id = column(s, 8, a);
	row.run_id = column(s, 9, a);
	row.tool_call_id = column(s, 10, a);
	row.binding_hash = column(s, 11, a);
	row.created_at = db_int(s, 12);
	row.expires_at = db_int(s, 13);
	row.resolved_at = db_int(s, 14);
	row.claimed_at = db_int(s, 15);
	row.done_at = db_int(s, 16);
	st = column_json(s, 17, "resolver", a, &row.resolver, err);
	if (!st)
		st = column_json(s, 18, "request", a, &row.request, err);
	if (!st)
		st = column_json(s, 19, "presentation", a, &row.presentation, err);
	if (!st)
		st = column_json(s, 20, "binding", a, &row.binding, err);
	if (!st)
		*ret = row;
	return st;
}

ch_status approval_row_load(struct db *db, const char *id, struct arena *a, struct approval *ret, struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *s = NULL;
	bool has_row;
	ch_status st;

	st = db_prep(db, "SELECT " COLUMNS " FROM approvals WHERE id = ?1", &s, err);
	if (st)
		return st;
	db_bind_text(s, 1, id);
	st = db_step(s, &has_row, err);
	if (st)
		return st;
	if (!has_row)
		return ch_fail(err, CH_E_NOT_FOUND, "there is no approval '%.80s': it may have been answered long ago", id);
	return read_row(s, a, ret, err);
}

ch_status approval_find(struct approvals *ap, const char *id, struct arena *a, struct approval *ret, struct ch_err *err)
{
	return approval_row_load(ap->db, id, a, ret, err);
}

/* -- many -- */

void approval_ids_done(struct approval_ids *ids)
{
	for (size_t i = 0; i < ids->list.len; i++)
		ch_free(ids->list.at[i]);
	vec_done(&ids->list);
}

ch_status approval_ids_load(struct db_stmt *stmt, struct approval_ids *ret, struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *s = stmt;
	bool has_row;
	ch_status st;

	while (!(st = db_step(s, &has_row, err)) && has_row)
		vec_push(&ret->list, ch_strdup(db_text(s, 0)));
	return st;
}

/*
 * Each is read when its turn comes, to memory that the next one takes over. One that cannot be read hides no other.
 * Gives how many ids were dealt with.
 */
static size_t walk(struct approvals *ap, const struct approval_ids *ids, size_t max,
		   bool (*each)(void *arg, const struct approval *row), void *arg)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct ch_err why = { 0 };
	size_t i = 0;

	while (i < ids->list.len && i < max) {
		struct approval row;
		ch_status st;

		arena_clear(a);
		st = approval_row_load(ap->db, ids->list.at[i++], a, &row, &why);
		if (st == CH_E_NOT_FOUND)
			continue;
		if (st) {
			log_error("approvals", "%s: left out of the list", why.text);
			continue;
		}
		if (!each(arg, &row))
			break;
	}
	return i;
}

ch_status approval_pending(struct approvals *ap, const char *session_key, bool (*each)(void *arg, const struct approval *row),
			   void *arg, struct ch_err *err)
{
	APPROVAL_AUTO_IDS struct approval_ids ids = { VEC_INIT };
	struct db_stmt *s;
	ch_status st;

	st = db_prep(ap->db, "SELECT id FROM approvals WHERE status = 'pending' AND (?1 IS NULL OR session_key = ?1) "
		     "ORDER BY created_at, rowid", &s, err);
	if (st)
		return st;
	db_bind_text(s, 1, session_key);
	st = approval_ids_load(s, &ids, err);
	if (!st)
		walk(ap, &ids, SIZE_MAX, each, arg);
	return st;
}

/* A cursor is "<resolved_at>.<id>" of the last one told. */
static ch_status read_cursor(const char *cursor, int64_t *ret_at, const char **ret_id, struct ch_err *err)
{
	const char *dot = strchr(cursor, '.');
	char number[24];

	if (!dot || dot == cursor || (size_t)(dot - cursor) >= sizeof(number) || !dot[1])
		return ch_fail(err, CH_E_INVALID, "invalid cursor");
	memcpy(number, cursor, (size_t)(dot - cursor));
	number[dot - cursor] = '\0';
	if (!str_to_i64(number, ret_at))
		return ch_fail(err, CH_E_INVALID, "invalid cursor");
	*ret_id = dot + 1;
	return CH_OK;
}

ch_status approval_history(struct approvals *ap, const char *cursor, size_t limit, const char *kind, struct arena *a,
			   bool (*each)(void *arg, const struct approval *row), void *arg, const char **ret_cursor,
			   struct ch_err *err)
{
	APPROVAL_AUTO_IDS struct approval_ids ids = { VEC_INIT };
	int64_t before = INT64_MAX;
	const char *before_id = "";
	struct approval last;
	struct db_stmt *s;
	size_t told;
	ch_status st;

	if (cursor && (st = read_cursor(cursor, &before, &before_id, err)))
		return st;
	st = db_prep(ap->db, "SELECT id FROM approvals WHERE resolved_at > 0 AND (resolved_at, id) < (?1, ?2) "
		     "AND (?3 IS NULL OR kind = ?3) ORDER BY resolved_at DESC, id DESC LIMIT ?4", &s, err);
	if (st)
		return st;
	db_bind_int(s, 1, before);
	db_bind_text(s, 2, before_id);
	db_bind_text(s, 3, kind);
	db_bind_int(s, 4, (int64_t)limit + 1);
	st = approval_ids_load(s, &ids, err);
	if (st)
		return st;
	told = walk(ap, &ids, limit, each, arg);
	*ret_cursor = NULL;
	if (ids.list.len <= told)
		return CH_OK;
	st = approval_row_load(ap->db, ids.list.at[told - 1], a, &last, err);
	if (!st)
		*ret_cursor = arena_printf(a, "%" PRId64 ".%s", last.resolved_at, last.id);
	return st;
}

ch_status approval_match(struct approvals *ap, const char *prefix, struct arena *a, struct approval *ret, struct ch_err *err)
{
	APPROVAL_AUTO_IDS struct approval_ids ids = { VEC_INIT };
	struct db_stmt *s;
	ch_status st;

	st = approval_row_load(ap->db, prefix, a, ret, err);
	if (st != CH_E_NOT_FOUND || str_empty(prefix))
		return st;
	st = db_prep(ap->db, "SELECT id FROM approvals WHERE status = 'pending' AND substr(id, 1, length(?1)) = ?1 LIMIT 2", &s, err);
	if (st)
		return st;
	db_bind_text(s, 1, prefix);
	st = approval_ids_load(s, &ids, err);
	if (st)
		return st;
	if (ids.list.len == 0)
		return ch_fail(err, CH_E_NOT_FOUND, "nothing that waits has an id beginning with '%.80s'", prefix);
	if (ids.list.len > 1)
		return ch_fail(err, CH_E_CONFLICT, "several ids begin with '%.80s': give more of it", prefix);
	return approval_row_load(ap->db, ids.list.at[0], a, ret, err);
}
