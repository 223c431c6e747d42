/*
 * sessions/cleanup.c - keeping the list of sessions short.
 */
#include "sessions/cleanup.h"

#include "core/buf.h"
#include "core/clock.h"
#include "sessions/session_priv.h"

/* Every statement begins alike: the rules stand in a table of one row. What is older than `old` and `old_page` goes. */
#define RULES                                                                                                \
	"WITH rule (agent, keep, old, old_page, now, most) AS (VALUES (?1, ?2, ?3, ?4, ?5, ?6)) "
#define RULE(name) "(SELECT " name " FROM rule)"
#define REST "substr(key, length(agent_id) + 8)"
#define LAST "max(updated_at, last_interaction_at)"
#define LIVE "agent_id = " RULE("agent") " AND archived_at = 0 AND background = 0"
#define FREE                                                                                                 \
	"pinned_at = 0 AND " REST " <> 'main' AND key NOT IN ('global', 'unknown') AND key IS NOT " RULE("keep") \
	" AND status IS NOT 'running' AND key NOT IN (SELECT session_key FROM inputs WHERE ended_at = 0)"
#define OLD "(" LAST " < " RULE("old") " OR (" REST " LIKE 'dashboard:%' AND " LAST " < " RULE("old_page") "))"
#define DISPOSABLE                                                                                           \
	"agent_id = " RULE("agent") " AND background = 1 AND " REST " LIKE 'cron:%:run:%' AND " LAST " < " RULE("old") \
	" AND " FREE

struct pass { struct db *db; const struct cleanup_rules *rules; int64_t now, limit; };

static void bind_rules(const struct pass *p, struct db_stmt *s)
{
	db_bind_text(s, 1, p->rules->agent_id);
	db_bind_text(s, 2, p->rules->keep_key);
	db_bind_int(s, 3, p->now - p->rules->prune_after_ms);
	db_bind_int(s, 4, p->rules->dashboard_after_ms ? p->now - p->rules->dashboard_after_ms : 0);
	db_bind_int(s, 5, p->now);
	db_bind_int(s, 6, p->limit);
}

static ch_status number(const struct pass *p, const char *where, int64_t *ret, struct ch_err *err)
{
	CH_AUTO_BUF struct buf sql = { 0 };
	CH_AUTO(db_done) struct db_stmt *s = NULL;
	bool row;
	ch_status st;

	buf_init(&sql, 4096);
	buf_printf(&sql, RULES "SELECT count(*) FROM sessions WHERE %s", where);
	st = db_prep(p->db, buf_str(&sql), &s, err);
	if (st)
		return st;
	bind_rules(p, s);
	st = db_step(s, &row, err);
	if (!st)
		*ret = db_int(s, 0);
	return st;
}

static ch_status change(const struct pass *p, const char *sql, struct ch_err *err)
{
	struct db_stmt *s;
	ch_status st = db_prep(p->db, sql, &s, err);

	if (st)
		return st;
	bind_rules(p, s);
	return db_run(s, NULL, err);
}

static ch_status file_bytes(struct db *db, int64_t *ret, struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *s = NULL;
	bool row;
	ch_status st = db_prep(db, "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size", &s, err);

	if (!st)
		st = db_step(s, &row, err);
	if (!st)
		*ret = db_int(s, 0);
	return st;
}

/* What would happen; the oldest go when there are still too many. */
static ch_status count_all(struct pass *p, struct cleanup_result *r, struct ch_err *err)
{
	int64_t free_ones = 0;
	ch_status st = number(p, LIVE, &r->before, err);

	if (!st)
		st = number(p, LIVE " AND " FREE " AND " OLD, &r->archived, err);
	if (!st)
		st = number(p, LIVE " AND " FREE " AND NOT " OLD, &free_ones, err);
	if (!st)
		st = number(p, DISPOSABLE, &r->pruned, err);
	if (!st)
		st = file_bytes(p->db, &r->file_bytes, err);
	if (st)
		return st;
	r->cap_archived = CH_MAX(0, CH_MIN(free_ones, r->before - r->archived - p->rules->max_entries));
	r->after = r->before - r->archived - r->cap_archived;
	p->limit = r->cap_archived;
	return CH_OK;
}

static ch_status apply_all(const struct pass *p, struct ch_err *err)
{
	CH_AUTO(db_rollback) struct db *tx = NULL;
	ch_status st = db_begin(p->db, err);

	if (st)
		return st;
	tx = p->db;
	st = change(p, RULES "UPDATE sessions SET archived_at = " RULE("now") " WHERE " LIVE " AND " FREE " AND " OLD, err);
	if (!st && p->limit)
		st = change(p, RULES "UPDATE sessions SET archived_at = " RULE("now") " WHERE id IN (SELECT id FROM sessions WHERE "
			       LIVE " AND " FREE " ORDER BY " LAST " LIMIT " RULE("most") ")", err);
	if (!st)
		st = change(p, RULES "DELETE FROM sessions WHERE " DISPOSABLE, err);
	return st ? st : db_commit(CH_TAKE(tx), err);
}

ch_status sess_cleanup(struct sess_store *st, const struct cleanup_rules *rules, bool apply, struct cleanup_result *ret,
		       struct ch_err *err)
{
	struct pass p = { sess_store_db(st), rules, now_wall_ms(), 0 };
	struct cleanup_result r = { 0 };
	ch_status status = count_all(&p, &r, err);

	if (!status && apply && r.archived + r.cap_archived + r.pruned > 0) {
		status = apply_all(&p, err);
		if (!status)
			status = sess_store_refresh(st, err);
	}
	if (!status)
		*ret = r;
	return status;
}
