/*
 * sessions/session_list.c - walking the table of sessions.
 *
 * Rows are shown to the caller as they come, in a struct on the stack whose
 * strings belong to SQLite: a list of a thousand allocates nothing per row.
 * The statement differs by what is asked for; each of its few forms is cached.
 */
#include <string.h>

#include "core/arena.h"
#include "core/buf.h"
#include "core/mem.h"
#include "core/str.h"
#include "sessions/session_priv.h"

#define SQL_MAX 4096

/* One condition of the WHERE clause; all that are on are joined by AND. */
struct condition {
	bool is_on;
	const char *sql;                         /* with the numbered parameter it uses, if any */
};

enum param { P_AGENT = 1, P_SEARCH, P_LABEL, P_PARENT, P_SINCE, P_LIMIT, P_OFFSET, P_GROUP, P_AGENTS, P_INVOLVING };

/* Wraps the text in % and escapes what LIKE takes for patterns. */
static void like_pattern(struct buf *out, const char *text)
{
	buf_putc(out, '%');
	for (; *text; text++) {
		if (strchr("%_\\", *text))
			buf_putc(out, '\\');
		buf_putc(out, *text);
	}
	buf_putc(out, '%');
}

#define MATCHES(column) column " LIKE ?2 ESCAPE '\\'"
/* What follows "agent:<agentId>:" in the key, tested for a beginning. */
#define REST_STARTS(word, length) "substr(key, length(agent_id) + 8, " #length ") = '" word "'"
#define ACTIVITY "max(last_interaction_at, ended_at)"

static const char *const order_columns[] = {
	[SESS_BY_UPDATE] = "updated_at",
	[SESS_BY_PLACE] = "updated_at",
	[SESS_BY_INTERACTION] = "last_interaction_at",
	[SESS_BY_ACTIVITY] = "CASE WHEN " ACTIVITY " > 0 THEN " ACTIVITY " ELSE updated_at END",
	[SESS_BY_CREATION] = "created_at",
};

static const char *const orders[] = {
	[SESS_BY_UPDATE] = "updated_at DESC, id DESC",
	[SESS_BY_PLACE] = "pinned_at DESC, updated_at DESC, key",
	[SESS_BY_INTERACTION] = "last_interaction_at DESC, key",
	[SESS_BY_ACTIVITY] = "CASE WHEN " ACTIVITY " > 0 THEN " ACTIVITY " ELSE updated_at END DESC, key",
	[SESS_BY_CREATION] = "created_at DESC, id DESC",
};

/* Runs of jobs are told of by the jobs; they are never rows of a list. */
#define IS_CRON_RUN "(" REST_STARTS("cron:", 5) " AND instr(key, ':run:') > 0)"

static void write_where(struct buf *sql, const struct sess_query *q)
{
	const struct condition all[] = {
		{ q->nothing, "0" },
		{ true, "NOT (background AND " IS_CRON_RUN ")" },
		{ q->agent_id, "agent_id = ?1" },
		{ q->agents, "agent_id IN (SELECT value FROM json_each(?9))" },
		{ q->search, "(" MATCHES("key") " OR " MATCHES("label") " OR " MATCHES("display_name") " OR "
			     MATCHES("derived_title") " OR " MATCHES("auto_label") " OR " MATCHES("session_id") ")" },
		{ q->label, "label = ?3" },
		{ q->spawned_by, "(spawned_by = ?4 OR parent_key = ?4)" },
		{ q->group, "coalesce(category, '') = ?8" },
		{ q->involving, "(created_actor IS NOT NULL OR instr(participants, ?10) > 0)" },
		{ q->owned, "created_actor IS NOT NULL" },
		{ q->archived == 0, "archived_at = 0" },
		{ q->archived > 0, "archived_at > 0" },
		{ q->pinned < 0, "pinned_at = 0" },
		{ q->pinned > 0, "pinned_at > 0" },
		{ !q->include_background, "background = 0" },
		{ q->without_cron, "NOT (background AND " REST_STARTS("cron:", 5) ")" },
		{ q->without_subagents, "NOT (background AND (" REST_STARTS("subagent:", 9) " OR " REST_STARTS("acp:", 4) "))" },
		{ q->without_system, "NOT (background AND (" REST_STARTS("boot", 4) " OR " REST_STARTS("internal-", 9) " OR "
				     REST_STARTS("dreaming-", 9) " OR " REST_STARTS("harness:", 8) "))" },
		{ q->without_global, "key <> 'global'" },
		{ q->without_unknown, "key <> 'unknown'" },
		{ q->interacted, "last_interaction_at > 0" },
		{ q->busy, "key IN (SELECT session_key FROM inputs WHERE ended_at = 0)" },
	};
	const char *glue = " WHERE ";

	for (size_t i = 0; i < CH_ARRAY_LEN(all); i++) {
		if (!all[i].is_on)
			continue;
		buf_puts(sql, glue);
		buf_puts(sql, all[i].sql);
		glue = " AND ";
	}
	if (q->active_since_ms > 0)
		buf_printf(sql, "%s%s >= ?5", glue, order_columns[q->order]);
}

/* Parameters that the statement does not use are not bound. */
static void bind_where(struct db_stmt *s, const struct sess_query *q, const struct buf *pattern)
{
	const struct { enum param at; const char *text; } texts[] = {
		{ P_AGENT, q->agent_id }, { P_LABEL, q->label }, { P_PARENT, q->spawned_by },
		{ P_GROUP, q->group }, { P_AGENTS, q->agents }, { P_INVOLVING, q->involving },
	};

	for (size_t i = 0; i < CH_ARRAY_LEN(texts); i++)
		if (texts[i].text)
			db_bind_text(s, texts[i].at, texts[i].text);
	if (q->search)
		db_bind_textn(s, P_SEARCH, buf_str(pattern), pattern->len);
	if (q->active_since_ms > 0)
		db_bind_int(s, P_SINCE, q->active_since_ms);
}

static ch_status count_matches(struct db *db, const struct sess_query *q, const struct buf *pattern,
			       size_t *ret_total, struct ch_err *err)
{
	CH_AUTO_BUF struct buf sql = { 0 };
	CH_AUTO(db_done) struct db_stmt *s = NULL;
	bool row;
	ch_status st;

	buf_init(&sql, SQL_MAX);
	buf_puts(&sql, "SELECT count(*) FROM sessions");
	write_where(&sql, q);
	st = buf_status(&sql, err, "the statement");
	if (!st)
		st = db_prep(db, buf_str(&sql), &s, err);
	if (st)
		return st;
	bind_where(s, q, pattern);
	st = db_step(s, &row, err);
	if (!st)
		*ret_total = (size_t)db_int(s, 0);
	return st;
}

static ch_status prepare_walk(struct db *db, const struct sess_query *q, struct db_stmt **ret,
			      struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	CH_AUTO_BUF struct buf sql = { 0 };
	bool is_indexed = !q->owner_first && (q->order == SESS_BY_UPDATE || q->order == SESS_BY_PLACE);
	const char *order_by;
	ch_status st;

	buf_init(&sql, SQL_MAX);
	order_by = arena_printf(a, "%s%s", q->owner_first ? "created_actor IS NULL, " : "", orders[q->order]);
	buf_printf(&sql, "SELECT %s FROM ", sess_columns);
	/* A sort that no index gives would carry all columns of all sessions for the few that are shown. */
	if (!is_indexed)
		buf_puts(&sql, "(SELECT id AS shown FROM ");
	buf_puts(&sql, "sessions");
	write_where(&sql, q);
	buf_printf(&sql, " ORDER BY %s LIMIT ?6 OFFSET ?7", order_by);
	if (!is_indexed)
		buf_printf(&sql, ") CROSS JOIN sessions ON id = shown ORDER BY %s", order_by);
	st = buf_status(&sql, err, "the statement");
	if (st)
		return st;
	return db_prep(db, buf_str(&sql), ret, err);
}

/* *ret_complete: the walk came to the end by itself, so *ret_walked is all from the offset on. */
static ch_status walk(struct db_stmt *s, bool (*each)(void *arg, const struct sess *s), void *arg,
		      size_t *ret_walked, bool *ret_complete, struct ch_err *err)
{
	size_t walked = 0;
	struct sess row;

	for (;;) {
		bool found;
		ch_status st = db_step(s, &found, err);

		if (st)
			return st;
		*ret_complete = !found;
		if (!found)
			break;
		sess_from_row(s, &row);
		walked++;
		if (!each(arg, &row))
			break;
	}
	*ret_walked = walked;
	return CH_OK;
}

ch_status sess_list(struct sess_store *st, const struct sess_query *q, size_t *ret_total,
		    bool (*each)(void *arg, const struct sess *s), void *arg, struct ch_err *err)
{
	struct db *db = sess_store_db(st);
	CH_AUTO_BUF struct buf pattern = { 0 };
	CH_AUTO(db_done) struct db_stmt *s = NULL;
	size_t walked;
	bool complete;
	ch_status status;

	buf_init(&pattern, 4096);
	if (q->search)
		like_pattern(&pattern, q->search);
	status = buf_status(&pattern, err, "the search text");
	if (!status)
		status = prepare_walk(db, q, &s, err);
	if (status)
		return status;
	bind_where(s, q, &pattern);
	db_bind_int(s, P_LIMIT, q->limit ? (int64_t)q->limit : -1);
	db_bind_int(s, P_OFFSET, (int64_t)q->offset);
	status = walk(s, each, arg, &walked, &complete, err);
	if (status || !ret_total)
		return status;
	/* A page that is neither cut nor beyond the end says the total itself. */
	if (complete && (walked < q->limit || !q->limit) && (walked > 0 || q->offset == 0)) {
		*ret_total = q->offset + walked;
		return CH_OK;
	}
	return count_matches(db, q, &pattern, ret_total, err);
}

ch_status sess_count_matches(struct sess_store *st, const struct sess_query *q, size_t *ret_total, struct ch_err *err)
{
	CH_AUTO_BUF struct buf pattern = { 0 };
	ch_status status;

	buf_init(&pattern, 4096);
	if (q->search)
		like_pattern(&pattern, q->search);
	status = buf_status(&pattern, err, "the search text");
	return status ? status : count_matches(sess_store_db(st), q, &pattern, ret_total, err);
}

ch_status sess_children(struct sess_store *st, const char *key, void (*each)(void *arg, const char *key), void *arg,
			struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *s = NULL;
	bool row;
	ch_status status;

	if (!sess_store_has_parents(st))
		return CH_OK;
	status = db_prep(sess_store_db(st),
		"SELECT key FROM sessions WHERE parent_key = ?1 ORDER BY updated_at DESC, key LIMIT 100", &s, err);

	if (status)
		return status;
	db_bind_text(s, 1, key);
	while (!(status = db_step(s, &row, err)) && row)
		each(arg, db_text(s, 0));
	return status;
}
