/*
 * gateway/audit.c - see audit.h.
 */
#include "gateway/audit.h"

#include "core/clock.h"
#include "core/log.h"
#include "core/str.h"

#define PRUNE_EVERY 500                  /* rows written between two prunings */

/* -- writing -- */

static ch_status prune(struct gw *gw, int64_t newest_id, struct ch_err *err)
{
	struct db_stmt *s;
	ch_status st = db_prep(gw->db, "DELETE FROM audit WHERE at < ? OR id <= ?", &s, err);

	if (st)
		return st;
	db_bind_int(s, 1, now_wall_ms() - AUDIT_KEEP_MS);
	db_bind_int(s, 2, newest_id - AUDIT_ROWS_MAX);
	return db_run(s, NULL, err);
}

static ch_status insert(struct gw *gw, const struct audit_entry *e, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct db_stmt *s;
	ch_status st = db_prep(gw->db,
			       "INSERT INTO audit (at, kind, action, status, actor, agent_id, session_key, run_id, "
			       "detail) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
			       &s, err);

	if (st)
		return st;
	db_bind_int(s, 1, now_wall_ms());
	db_bind_text(s, 2, e->kind);
	db_bind_text(s, 3, e->action);
	db_bind_text(s, 4, e->status);
	db_bind_text(s, 5, e->actor);
	db_bind_text(s, 6, e->agent_id);
	db_bind_text(s, 7, e->session_key);
	db_bind_text(s, 8, e->run_id);
	db_bind_text(s, 9, e->detail ? json_to_str(a, e->detail) : NULL);
	return db_run(s, NULL, err);
}

void audit_record(struct gw *gw, const struct audit_entry *e)
{
	struct ch_err err = {0};
	ch_status st = insert(gw, e, &err);

	if (!st && db_last_rowid(gw->db) % PRUNE_EVERY == 0)
		st = prune(gw, db_last_rowid(gw->db), &err);
	if (st)
		log_warn("audit", "%s is not on record: %s; the work goes on", e->action, err.text);
}

/* -- what runs do -- */

struct outcome { const char *status, *error; };

static struct outcome run_outcome(const char *phase, const struct json *data)
{
	const char *reason = json_get_str(data, "stopReason");

	if (str_eq(phase, "start"))
		return (struct outcome){ "started", NULL };
	if (str_eq(phase, "end") && json_get_bool(data, "aborted", false))
		return str_eq(reason, "timeout") ? (struct outcome){ "timed_out", "run_timed_out" } :
						   (struct outcome){ "cancelled", "run_cancelled" };
	if (str_eq(phase, "end"))
		return (struct outcome){ "succeeded", NULL };
	/* An aborted run has ended before it fails. */
	if (str_eq(phase, "error") && !json_get_bool(data, "aborted", false))
		return (struct outcome){ "failed", "run_failed" };
	return (struct outcome){ NULL, NULL };
}

static struct outcome tool_outcome(const char *phase, const struct json *data, const struct run_tool_facts *facts)
{
	if (facts && facts->is_refused && str_eq(phase, "result"))
		return (struct outcome){ "blocked", "tool_blocked" };
	if (str_eq(phase, "start"))
		return (struct outcome){ "started", NULL };
	if (!str_eq(phase, "result"))
		return (struct outcome){ NULL, NULL };
	return json_get_bool(data, "isError", false) ? (struct outcome){ "failed", "tool_failed" } :
						       (struct outcome){ "succeeded", NULL };
}

static void set_text(struct arena *a, struct json *o, const char *key, const char *value)
{
	if (!str_empty(value))
		json_set(a, o, key, json_new_str(a, value));
}

static struct json *run_detail(struct arena *a, const struct run_event *ev, const struct outcome *how,
			       const struct json *data)
{
	struct json *detail = json_new_obj(a);

	json_set(a, detail, "sourceSequence", json_new_int(a, CH_MAX(ev->seq, 1)));
	set_text(a, detail, "sessionId", ev->session_id);
	set_text(a, detail, "errorCode", how->error);
	set_text(a, detail, "toolCallId", json_get_str(data, "toolCallId"));
	set_text(a, detail, "toolName", json_get_str(data, "name"));
	set_text(a, detail, "host", json_str(json_path(data, "result.details.host")));
	if (!ev->tool)
		return detail;
	set_text(a, detail, "risk", ev->tool->risk);
	set_text(a, detail, "approvalId", ev->tool->approval_id);
	if (ev->tool->is_tainted)
		json_set(a, detail, "tainted", json_new_bool(a, true));
	return detail;
}

static void record_step(struct gw *gw, struct arena *a, const struct run_event *ev, const struct json *data)
{
	bool is_run = str_eq(ev->stream, "lifecycle");
	const char *phase = json_get_str(data, "phase");
	struct outcome how = is_run ? run_outcome(phase, data) : tool_outcome(phase, data, ev->tool);
	bool is_start = str_eq(how.status, "started");
	struct audit_entry e = { .status = how.status,
				 .actor = ev->agent_id,
				 .agent_id = ev->agent_id,
				 .session_key = ev->session_key,
				 .run_id = ev->run_id };

	if (!how.status)
		return;
	e.kind = is_run ? "agent_run" : "tool_action";
	if (is_run)
		e.action = is_start ? "agent.run.started" : "agent.run.finished";
	else
		e.action = is_start ? "tool.action.started" : "tool.action.finished";
	e.detail = run_detail(a, ev, &how, data);
	audit_record(gw, &e);
}

void audit_on_run_event(struct gw *gw, const struct run_event *ev)
{
	struct arena *a;
	struct json *data;

	if (ev->kind != RUN_EV_AGENT || !ev->data || str_empty(ev->agent_id) ||
	    (!str_eq(ev->stream, "lifecycle") && !str_eq(ev->stream, "tool")))
		return;
	a = arena_new(0);
	if (json_parse(a, ev->data, ev->data_len, JSON_STRICT, &data, NULL) == CH_OK)
		record_step(gw, a, ev, data);
	arena_unref(a);
}

/* -- reading -- */

static ch_status prepare(struct gw *gw, const struct audit_query *q, struct db_stmt **ret, struct ch_err *err)
{
	ch_status st = db_prep(gw->db,
			       "SELECT id, at, kind, action, status, actor, agent_id, session_key, run_id, detail "
			       "FROM audit WHERE (?1 IS NULL OR kind IN (?1, ?2, ?3)) "
			       "AND (?4 IS NULL OR agent_id = ?4) AND (?5 IS NULL OR session_key = ?5) "
			       "AND (?6 IS NULL OR run_id = ?6) AND (?7 IS NULL OR status = ?7) "
			       "AND (?8 = 0 OR at > ?8) AND (?9 = 0 OR at < ?9) AND (?10 = 0 OR id < ?10) "
			       "ORDER BY id DESC LIMIT ?11",
			       ret, err);

	if (st)
		return st;
	for (int i = 0; i < 3; i++)
		db_bind_text(*ret, i + 1, q->kinds[i]);
	db_bind_text(*ret, 4, q->agent_id);
	db_bind_text(*ret, 5, q->session_key);
	db_bind_text(*ret, 6, q->run_id);
	db_bind_text(*ret, 7, q->status);
	db_bind_int(*ret, 8, q->after_ms);
	db_bind_int(*ret, 9, q->before_ms);
	db_bind_int(*ret, 10, q->below_id);
	db_bind_int(*ret, 11, q->limit + 1);
	return CH_OK;
}

static const char *column(struct arena *a, struct db_stmt *s, int col)
{
	return db_is_null(s, col) ? NULL : arena_strdup(a, db_text(s, col));
}

static void read_row(struct arena *a, struct db_stmt *s, struct audit_row *ret)
{
	const char *detail = column(a, s, 9);
	struct json *tree = NULL;

	*ret = (struct audit_row){ .id = db_int(s, 0),
				   .at = db_int(s, 1),
				   .kind = column(a, s, 2),
				   .action = column(a, s, 3),
				   .status = column(a, s, 4),
				   .actor = column(a, s, 5),
				   .agent_id = column(a, s, 6),
				   .session_key = column(a, s, 7),
				   .run_id = column(a, s, 8) };
	/* A detail that somebody broke is left out; the row still says what happened. */
	if (detail && json_parse(a, detail, strlen(detail), JSON_STRICT, &tree, NULL) == CH_OK)
		ret->detail = tree;
}

ch_status audit_list(struct gw *gw, struct arena *a, const struct audit_query *q, struct audit_row **ret,
		     size_t *ret_count, bool *ret_more, struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *s = NULL;
	struct audit_row *rows = arena_alloc(a, (size_t)(q->limit + 1) * sizeof(*rows));
	size_t count = 0;
	bool has_row;
	ch_status st = prepare(gw, q, &s, err);

	while (!st) {
		st = db_step(s, &has_row, err);
		if (st || !has_row)
			break;
		read_row(a, s, &rows[count++]);
	}
	if (st)
		return st;
	*ret_more = count > (size_t)q->limit;
	*ret_count = count - (*ret_more ? 1 : 0);
	*ret = rows;
	return CH_OK;
}
