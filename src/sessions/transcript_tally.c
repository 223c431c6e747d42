/*
 * sessions/transcript_tally.c - who said something when, over many sessions, without reading what.
 */
#include "sessions/transcript.h"

#include <string.h>

#include "core/str.h"

static const char tally_sql[] =
	"SELECT w.session_key, t.created_at, t.role,"
	" CASE t.role WHEN 'toolResult' THEN substr(t.message, 1, 512) END,"
	" t.idempotency_key IS NOT NULL AND t.idempotency_key LIKE '%:terminal-error'"
	" FROM transcript t JOIN session_windows w ON w.session_id = t.session_id"
	" JOIN sessions s ON s.key = w.session_key"
	" WHERE t.created_at >= ?1 AND t.created_at < ?2 AND t.role IS NOT NULL AND t.seq IS NOT NULL"
	" AND (?3 IS NULL OR s.agent_id = ?3) AND (?4 IS NULL OR s.key = ?4)"
	" ORDER BY t.created_at";

/* The name in the head of a result's row, which is ours: {"role":"toolResult","toolCallId":…,"toolName":"x",…}. */
static void find_tool(const char *head, char *ret_name, size_t cap)
{
	static const char mark[] = "\"toolName\":\"";
	const char *at = head ? strstr(head, mark) : NULL;
	size_t n = at ? strcspn(at + sizeof(mark) - 1, "\"\\") : 0;

	snprintf(ret_name, cap, "%.*s", (int)CH_MIN(n, cap - 1), at ? at + sizeof(mark) - 1 : "");
}

ch_status tr_tally(struct sess_store *st, const struct tr_tally_query *q,
		   bool (*each)(void *arg, const struct tr_tally *t), void *arg, struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *s = NULL;
	char tool[128];
	ch_status status = db_prep(sess_store_db(st), tally_sql, &s, err);

	if (status)
		return status;
	db_bind_int(s, 1, q->from_ms);
	db_bind_int(s, 2, q->to_ms);
	db_bind_text(s, 3, q->agent_id);
	db_bind_text(s, 4, q->session_key);
	for (;;) {
		struct tr_tally t;
		bool row = false;

		status = db_step(s, &row, err);
		if (status || !row)
			return status;
		find_tool(db_text(s, 3), tool, sizeof(tool));
		t = (struct tr_tally){ .session_key = db_text(s, 0), .created_at = db_int(s, 1), .role = db_text(s, 2),
				       .tool = *tool ? tool : NULL, .is_failure = db_int(s, 4) };
		if (!each(arg, &t))
			return CH_OK;
	}
}
