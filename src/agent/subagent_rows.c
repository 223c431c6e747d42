/*
 * agent/subagent_rows.c - the table of sub-agents.
 */
#include <string.h>

#include "agent/subagent.h"
#include "core/str.h"
#include "core/vec.h"

#define COLUMNS "run_id, child_key, requester_key, agent_id, task, label, cleanup, status, result, depth, announces, created_at, " \
		"ended_at, announced_at, archive_at"

static struct db *db_of(const struct agent_host *h)
{
	return sess_store_db(h->opts.sessions);
}

static void read_row(struct db_stmt *row, struct arena *a, struct subagent *s)
{
	*s = (struct subagent){
		.run_id = arena_strdup(a, db_text(row, 0)), .child_key = arena_strdup(a, db_text(row, 1)),
		.requester_key = arena_strdup(a, db_text(row, 2)), .agent_id = arena_strdup(a, db_text(row, 3)),
		.task = arena_strdup(a, db_text(row, 4)), .label = arena_strdup(a, db_text(row, 5)),
		.cleanup = arena_strdup(a, db_text(row, 6)), .status = arena_strdup(a, db_text(row, 7)),
		.result = arena_strdup(a, db_text(row, 8)), .depth = (int)db_int(row, 9), .announces = db_int(row, 10) != 0,
		.created_at = db_int(row, 11), .ended_at = db_int(row, 12), .announced_at = db_int(row, 13),
		.archive_at = db_int(row, 14),
	};
}

ch_status subagents_list(struct agent_host *h, const char *requester_key, struct arena *a, const struct subagent **ret,
			 size_t *ret_count, struct ch_err *err)
{
	struct subagent *list = arena_alloc(a, SUBAGENT_LIST_MAX * sizeof(*list));
	CH_AUTO(db_done) struct db_stmt *row = NULL;
	size_t n = 0;
	bool found;
	ch_status st = db_prep(db_of(h), "SELECT " COLUMNS " FROM subagents WHERE ?1 IS NULL OR requester_key = ?1 "
			       "ORDER BY created_at DESC, rowid DESC LIMIT ?2", &row, err);

	if (st)
		return st;
	db_bind_text(row, 1, requester_key);
	db_bind_int(row, 2, SUBAGENT_LIST_MAX);
	while (!(st = db_step(row, &found, err)) && found)
		read_row(row, a, &list[n++]);
	*ret = list;
	*ret_count = n;
	return st;
}

ch_status subagent_by_run(struct agent_host *h, const char *run_id, struct arena *a, struct subagent *ret, struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *row = NULL;
	bool found;
	ch_status st = db_prep(db_of(h), "SELECT " COLUMNS " FROM subagents WHERE run_id = ?1", &row, err);

	if (st)
		return st;
	db_bind_text(row, 1, run_id);
	st = db_step(row, &found, err);
	if (!st && !found)
		return ch_fail(err, CH_E_NOT_FOUND, "there is no sub-agent '%.80s'", run_id);
	if (!st)
		read_row(row, a, ret);
	return st;
}

/* -- by what a person or a model calls it -- */

static bool is_called(const struct subagent *s, const char *wanted, size_t n, bool is_whole)
{
	const char *names[] = { s->run_id, s->child_key, s->label };

	for (size_t i = 0; i < CH_ARRAY_LEN(names); i++)
		if (names[i] && (is_whole ? str_eq(names[i], wanted) : strncmp(names[i], wanted, n) == 0))
			return true;
	return false;
}

static const struct subagent *find_called(const struct subagent *list, size_t n, const char *wanted, bool is_whole,
					  bool *ret_several)
{
	const struct subagent *found = NULL;

	for (size_t i = 0; i < n; i++) {
		if (!is_called(&list[i], wanted, strlen(wanted), is_whole))
			continue;
		*ret_several |= found != NULL;
		found = found ? found : &list[i];
	}
	return found;
}

ch_status subagent_find(struct agent_host *h, const char *requester_key, const char *wanted, struct arena *a,
			struct subagent *ret, struct ch_err *err)
{
	const struct subagent *list = NULL, *found = NULL;
	bool is_ambiguous = false;
	int64_t number;
	size_t n = 0;
	ch_status st = subagents_list(h, requester_key, a, &list, &n, err);

	if (st)
		return st;
	CH_BUG_ON(!list);
	if (!wanted || !*wanted)
		return ch_fail(err, CH_E_INVALID, "say which sub-agent: its number in the list, its label or its id");
	if (str_to_i64(wanted + (*wanted == '#'), &number) && number >= 1 && (uint64_t)number <= n)
		found = &list[number - 1];
	if (!found)
		found = find_called(list, n, wanted, true, &is_ambiguous);
	if (!found)
		found = find_called(list, n, wanted, false, &is_ambiguous);
	if (is_ambiguous)
		return ch_fail(err, CH_E_INVALID, "several sub-agents are called '%.80s'; use the number or the id", wanted);
	if (!found)
		return ch_fail(err, CH_E_NOT_FOUND, "this session has no sub-agent '%.80s'", wanted);
	*ret = *found;
	return CH_OK;
}

/* -- writing -- */

ch_status subagents_count(struct agent_host *h, struct subagent_counts *ret, struct ch_err *err)
{
	const struct { const char *status; int64_t *count; } words[] = {
		{ "done", &ret->done }, { "failed", &ret->failed }, { "lost", &ret->lost }, { "running", &ret->running },
		{ "stopped", &ret->stopped }, { "timeout", &ret->timeout },
	};
	CH_AUTO(db_done) struct db_stmt *row = NULL;
	bool found;
	ch_status st = db_prep(db_of(h), "SELECT status, COUNT(*) FROM subagents GROUP BY status", &row, err);

	*ret = (struct subagent_counts){ 0 };
	while (!st && !(st = db_step(row, &found, err)) && found)
		for (size_t i = 0; i < CH_ARRAY_LEN(words); i++)
			if (str_eq(words[i].status, db_text(row, 0)))
				*words[i].count = db_int(row, 1);
	return st;
}

ch_status subagents_running(struct agent_host *h, const char *requester_key, int64_t *ret_count, struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *row = NULL;
	bool found;
	ch_status st = db_prep(db_of(h), "SELECT COUNT(*) FROM subagents WHERE requester_key = ?1 AND status = 'running'", &row, err);

	if (st)
		return st;
	db_bind_text(row, 1, requester_key);
	st = db_step(row, &found, err);
	if (!st)
		*ret_count = db_int(row, 0);
	return st;
}

ch_status subagent_insert(struct agent_host *h, const struct subagent *s, const char *requester_run, struct ch_err *err)
{
	struct db_stmt *row;
	ch_status st = db_prep(db_of(h), "INSERT INTO subagents (run_id, child_key, requester_key, agent_id, task, label, depth, "
			       "cleanup, status, created_at, requester_run, announces) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, "
			       "'running', ?9, ?10, ?11)", &row, err);

	if (st)
		return st;
	db_bind_text(row, 1, s->run_id);
	db_bind_text(row, 2, s->child_key);
	db_bind_text(row, 3, s->requester_key);
	db_bind_text(row, 4, s->agent_id);
	db_bind_text(row, 5, s->task);
	db_bind_text(row, 6, s->label);
	db_bind_int(row, 7, s->depth);
	db_bind_text(row, 8, s->cleanup);
	db_bind_int(row, 9, s->created_at);
	db_bind_text(row, 10, requester_run);
	db_bind_int(row, 11, s->announces);
	return db_run(row, NULL, err);
}

ch_status subagent_write_end(struct agent_host *h, const struct subagent *s, struct ch_err *err)
{
	struct db_stmt *row;
	int64_t changes;
	ch_status st = db_prep(db_of(h), "UPDATE subagents SET status = ?2, ended_at = ?3, announced_at = ?4, archive_at = ?5, "
			       "result = ?6 WHERE run_id = ?1 AND announced_at = 0", &row, err);

	if (st)
		return st;
	db_bind_text(row, 1, s->run_id);
	db_bind_text(row, 2, s->status);
	db_bind_int(row, 3, s->ended_at);
	db_bind_int(row, 4, s->announced_at);
	db_bind_int(row, 5, s->archive_at);
	db_bind_text(row, 6, s->result);
	st = db_run(row, &changes, err);
	return st || changes ? st : ch_fail(err, CH_E_CONFLICT, "the end of sub-agent '%s' was told already", s->run_id);
}

ch_status subagent_write_archived(struct agent_host *h, const char *run_id, struct ch_err *err)
{
	struct db_stmt *row;
	ch_status st = db_prep(db_of(h), "UPDATE subagents SET archive_at = 0 WHERE run_id = ?1", &row, err);

	if (st)
		return st;
	db_bind_text(row, 1, run_id);
	return db_run(row, NULL, err);
}
