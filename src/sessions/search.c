/*
 * sessions/search.c - finding what was said.
 *
 * Two steps: the best rows by rank alone, then the passage of each; FTS5 would make a passage for every
 * match before it throws most of them away.
 */
#include "sessions/search.h"

#include <string.h>

#include "core/str.h"
#include "sessions/session_priv.h"

#define MARK "\xe2\x80\x8b"
#define EXPRESSION_MAX (8 * SEARCH_TEXT_MAX * 4)

static const char hits_sql[] =
	"SELECT t.row, w.session_key, t.session_id, t.id, t.role, t.created_at, bm25(transcript_fts) AS score "
	"FROM transcript_fts JOIN transcript t ON t.row = transcript_fts.rowid "
	"JOIN session_windows w ON w.session_id = t.session_id JOIN sessions s ON s.key = w.session_key "
	"WHERE transcript_fts MATCH ?1 AND t.role IN ('user', 'assistant') AND (?2 IS NULL OR s.agent_id = ?2) "
	"AND (?3 IS NULL OR w.session_key IN (SELECT value FROM json_each(?3))) "
	"ORDER BY score, t.created_at DESC, t.id LIMIT ?4";
static const char snippet_sql[] =
	"SELECT snippet(transcript_fts, 0, '', '', ' … ', 48) FROM transcript_fts "
	"WHERE transcript_fts MATCH ?1 AND rowid = ?2";

struct found { struct search_hit hit; int64_t row; };

static ch_status find(struct sess_store *st, const struct search_query *q, const char *expression, struct arena *a,
		      struct found *found, size_t cap, size_t *ret_count, struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *row = NULL;
	bool has_row;
	ch_status status = db_prep(sess_store_db(st), hits_sql, &row, err);

	if (status)
		return status;
	db_bind_text(row, 1, expression);
	db_bind_text(row, 2, q->agent_id);
	db_bind_text(row, 3, q->session_keys);
	db_bind_int(row, 4, (int64_t)cap);
	*ret_count = 0;
	while (*ret_count < cap && !(status = db_step(row, &has_row, err)) && has_row)
		found[(*ret_count)++] = (struct found){
			.row = db_int(row, 0),
			.hit = { .session_key = arena_strdup(a, db_text(row, 1)), .session_id = arena_strdup(a, db_text(row, 2)),
				 .message_id = arena_strdup(a, db_text(row, 3)), .role = arena_strdup(a, db_text(row, 4)),
				 .created_at = db_int(row, 5), .score = -db_num(row, 6) },
		};
	return status;
}

/* Without the marks of the index, cut at the limit. */
static const char *clean(struct arena *a, const char *text)
{
	CH_AUTO_BUF struct buf b = { 0 };
	size_t chars = 0, n = text ? strlen(text) : 0, at = 0;

	buf_init(&b, n + sizeof("…"));
	while (at < n) {
		uint32_t cp;
		size_t len = utf8_decode(text + at, n - at, &cp);

		len = len ? len : 1;
		if (strncmp(text + at, MARK, sizeof(MARK) - 1) != 0) {
			if (chars++ == SEARCH_SNIPPET_CHARS) {
				buf_puts(&b, "…");
				break;
			}
			buf_append(&b, text + at, len);
		}
		at += len;
	}
	return arena_strndup(a, buf_str(&b), b.len);
}

static ch_status passage(struct sess_store *st, const char *expression, struct arena *a, struct found *f,
			 struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *row = NULL;
	bool has_row;
	ch_status status = db_prep(sess_store_db(st), snippet_sql, &row, err);

	if (status)
		return status;
	db_bind_text(row, 1, expression);
	db_bind_int(row, 2, f->row);
	status = db_step(row, &has_row, err);
	if (!status)
		f->hit.snippet = clean(a, has_row ? db_text(row, 0) : NULL);
	return status;
}

ch_status search_messages(struct sess_store *st, const struct search_query *q, struct arena *a,
			  const struct search_hit **ret_hits, size_t *ret_count, bool *ret_more, struct ch_err *err)
{
	CH_AUTO_BUF struct buf expression = { 0 };
	struct found found[SEARCH_LIMIT_MAX + 1];
	size_t limit = CH_MIN(CH_MAX(q->limit, (size_t)1), (size_t)SEARCH_LIMIT_MAX), n = 0;
	struct search_hit *hits = arena_alloc(a, limit * sizeof(*hits));
	ch_status status = CH_OK;

	buf_init(&expression, EXPRESSION_MAX);
	if (search_expression(q->text, &expression)) {
		status = buf_status(&expression, err, "the query");
		if (!status)
			status = find(st, q, buf_str(&expression), a, found, limit + 1, &n, err);
	}
	for (size_t i = 0; i < CH_MIN(n, limit) && !status; i++) {
		status = passage(st, buf_str(&expression), a, &found[i], err);
		hits[i] = found[i].hit;
	}
	if (status)
		return status;
	*ret_hits = hits;
	*ret_count = CH_MIN(n, limit);
	*ret_more = n > limit;
	return CH_OK;
}
