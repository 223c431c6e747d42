/*
 * sessions/session_list.c - walking the table of sessions.
 *
 * Rows are shown to the caller as they come, in a struct on the stack whose
 * strings belong to SQLite: a list of a thousand allocates nothing per row.
 * The statement differs by what is asked for; each of its few forms is cached.
 */
#include <string.h>

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

enum param { P_AGENT = 1, P_SEARCH, P_LABEL, P_SPAWNED_BY, P_SINCE, P_LIMIT, P_OFFSET };

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

static void write_where(struct buf *sql, const struct sess_query *q)
{
	const struct condition all[] = {
		{ q->agent_id, "agent_id = ?1" },
		{ q->search, "(" MATCHES("key") " OR " MATCHES("label") " OR " MATCHES("display_name") " OR "
			     MATCHES("derived_title") " OR " MATCHES("auto_label") ")" },
		{ q->label, "label = ?3" },
		{ q->spawned_by, "spawned_by = ?4" },
		{ q->active_since_ms > 0, "updated_at >= ?5" },
		{ q->archived == 0, "archived_at = 0" },
		{ q->archived > 0, "archived_at > 0" },
		{ !q->include_background, "background = 0" },
	};
	const char *glue = " WHERE ";

	for (size_t i = 0; i < CH_ARRAY_LEN(all); i++) {
		if (!all[i].is_on)
			continue;
		buf_puts(sql, glue);
		buf_puts(sql, all[i].sql);
		glue = " AND ";
	}
}

/* Parameters that the statement does not use are not bound. */
static void bind_where(struct db_stmt *s, const struct sess_query *q, const struct buf *pattern)
{
	if (q->agent_id)
		db_bind_text(s, P_AGENT, q->agent_id);
	if (q->search)
		db_bind_textn(s, P_SEARCH, buf_str(pattern), pattern->len);
	if (q->label)
		db_bind_text(s, P_LABEL, q->label);
	if (q->spawned_by)
		db_bind_text(s, P_SPAWNED_BY, q->spawned_by);
	if (q->active_since_ms > 0)
		db_bind_int(s, P_SINCE, q->active_since_ms);
}

static ch_status count_matches(struct db *db, const struct sess_query *q, const struct buf *pattern,
			       size_t *ret_total, struct ch_err *err)
{
	CH_AUTO_BUF struct buf sql;
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
	CH_AUTO_BUF struct buf sql;
	ch_status st;

	buf_init(&sql, SQL_MAX);
	buf_printf(&sql, "SELECT %s FROM sessions", sess_columns);
	write_where(&sql, q);
	buf_puts(&sql,
		 q->by_created ? " ORDER BY created_at DESC, id DESC" : " ORDER BY updated_at DESC, id DESC");
	buf_puts(&sql, " LIMIT ?6 OFFSET ?7");
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
	CH_AUTO_BUF struct buf pattern;
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

ch_status sess_count(struct sess_store *st, int64_t *ret_count, struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *s = NULL;
	bool row;
	ch_status status = db_prep(sess_store_db(st), "SELECT count(*) FROM sessions", &s, err);

	if (status)
		return status;
	status = db_step(s, &row, err);
	if (!status)
		*ret_count = db_int(s, 0);
	return status;
}
