/*
 * agent/running.c - see running.h.
 */
#include "agent/running.h"

#include "agent/host.h"
#include "agent/taint_command.h"
#include "core/fiber.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/str.h"
#include "exec/process.h"
#include "tools/changed.h"
#include "tools/exec.h"

#define RECORD_MAX (256u << 10)
#define STOPPING_MS 3000                 /* what is stopped writes no more after this (core/child.h) */

static struct db *db_of(const struct agent_host *h)
{
	return sess_store_db(h->opts.sessions);
}

/* -- the record -- */

static void write_record(struct buf *out, const struct command_record *c)
{
	struct jw w = JW(out);

	jw_obj(&w);
	jw_kstr_opt(&w, "command", c->command);
	jw_kstr_opt(&w, "root", c->source ? c->root : NULL);
	jw_kstr_opt(&w, "source", c->source);
	jw_kstr_opt(&w, "process", c->process);
	jw_kstr_opt(&w, "wakeKind", c->wake_kind);
	jw_kstr_opt(&w, "wakeId", c->wake_id);
	jw_end(&w);
}

ch_status running_keep(void *host, const struct command_record *c, struct ch_err *err)
{
	CH_AUTO_BUF struct buf record = { 0 };
	struct db_stmt *row;
	ch_status st;

	buf_init(&record, RECORD_MAX);
	write_record(&record, c);
	st = buf_status(&record, err, "a command");
	if (!st)
		st = db_prep(db_of(host), "INSERT INTO tool_calls (session_key, run_id, call_id, tool, state, started_at, result) "
			     "VALUES (?1, '" RUNNING_RUN "', ?2, 'exec', 'started', ?3, ?4) "
			     "ON CONFLICT DO UPDATE SET result = excluded.result", &row, err);
	if (st)
		return st;
	db_bind_text(row, 1, c->session_key);
	db_bind_text(row, 2, c->id);
	db_bind_int(row, 3, c->since_ms);
	db_bind_text(row, 4, buf_str(&record));
	return db_run(row, NULL, err);
}

struct kept {
	const char *id, *session_key;
	int64_t since;
	struct json *record;
};

static ch_status read_kept(struct db_stmt *row, struct arena *a, struct kept *ret, struct ch_err *err)
{
	*ret = (struct kept){ .id = arena_strdup(a, db_text(row, 0)), .session_key = arena_strdup(a, db_text(row, 1)),
			      .since = db_int(row, 2) };
	return json_parse(a, db_text(row, 3), db_text_len(row, 3), JSON_STRICT, &ret->record, err);
}

#define SELECT_KEPT "SELECT call_id, session_key, started_at, result FROM tool_calls WHERE run_id = '" RUNNING_RUN "'"

static ch_status find_kept(struct db *db, const char *id, struct arena *a, struct kept *ret, struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *row = NULL;
	bool found;
	ch_status st = db_prep(db, SELECT_KEPT " AND call_id = ?1", &row, err);

	if (st)
		return st;
	db_bind_text(row, 1, id);
	st = db_step(row, &found, err);
	if (!st && !found)
		return ch_fail(err, CH_E_NOT_FOUND, "there is no command '%s' on record", id);
	return st ? st : read_kept(row, a, ret, err);
}

static ch_status forget(struct db *db, const char *id, struct ch_err *err)
{
	struct db_stmt *row;
	ch_status st = db_prep(db, "DELETE FROM tool_calls WHERE run_id = '" RUNNING_RUN "' AND call_id = ?1", &row, err);

	if (st)
		return st;
	db_bind_text(row, 1, id);
	return db_run(row, NULL, err);
}

/* -- what it writes -- */

/* Since when text from outside may be written below root; INT64_MAX: it is not. What cannot be told may be. */
static int64_t written_since(struct db *db, const char *root)
{
	CH_AUTO(db_done) struct db_stmt *row = NULL;
	struct ch_err err;
	bool found = false;
	ch_status st = db_prep(db, "SELECT MIN(started_at) FROM tool_calls WHERE run_id = '" RUNNING_RUN "' AND "
			       "json_extract(result, '$.root') = ?1", &row, &err);

	if (!st) {
		db_bind_text(row, 1, root);
		st = db_step(row, &found, &err);
	}
	if (st) {
		log_warn("agent", "what commands write cannot be told: %s; it is taken for text from outside", err.text);
		return 0;
	}
	return db_is_null(row, 0) ? INT64_MAX : db_int(row, 0);
}

bool running_writes(struct db *db, const char *root)
{
	return written_since(db, root) != INT64_MAX;
}

bool running_has_written(struct db *db, const char *root, const char *file)
{
	int64_t since = written_since(db, root), at;

	return since != INT64_MAX && changed_at(file, &at) && at >= since;
}

/* -- its end -- */

/* The record goes with the marks, in one transaction. */
static ch_status settle(struct agent_host *h, const char *id, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	CH_AUTO_DONE(taint_written_done) struct taint_written written = { .root = NULL };
	CH_AUTO(db_rollback) struct db *tx = NULL;
	struct kept k;
	ch_status st = find_kept(db_of(h), id, a, &k, err);

	if (st)
		return st == CH_E_NOT_FOUND ? CH_OK : st;
	if (json_get_str(k.record, "root"))
		st = taint_find_written(db_of(h), json_get_str(k.record, "root"), k.since, a, &written, err);
	if (!st)
		st = db_begin(db_of(h), err);
	if (st)
		return st;
	tx = db_of(h);
	st = taint_mark_written(tx, &written, k.session_key, json_get_str(k.record, "source"), err);
	if (!st)
		st = forget(tx, id, err);
	return st ? st : db_commit(CH_TAKE(tx), err);
}

void running_settle(void *host, const char *id)
{
	struct ch_err err = { 0 };

	/* A call that is stopped has written, too. */
	fiber_mask(1);
	if (settle(host, id, &err))
		log_warn("agent", "what command %s wrote is not marked: %s; all that changes meanwhile counts as text from outside, and "
			 "the next start tries again", id, err.text);
	fiber_mask(-1);
}

struct ending {
	struct agent_host *h;
	char id[COMMAND_ID_MAX];
	bool is_stopping;
};

static void ending_fiber(void *arg)
{
	struct ending *e = arg;

	/* Cancelled: the gateway ends, and the next start does it. */
	if (!e->is_stopping || !fiber_sleep(STOPPING_MS))
		running_settle(e->h, e->id);
	ch_free(e);
}

/*
 * Its session has heard of the end, or need not: the next start does not tell it. Who waits for what was allowed late tells of it when it
 * comes to its turn, before the record goes.
 */
static void unname(struct agent_host *h, const char *id)
{
	struct db_stmt *row;
	struct ch_err err;
	ch_status st = db_prep(db_of(h), "UPDATE tool_calls SET result = json_remove(result, '$.process') "
			       "WHERE run_id = '" RUNNING_RUN "' AND call_id = ?1 AND "
			       "json_extract(result, '$.wakeKind') IS NOT 'approval'", &row, &err);

	if (!st) {
		db_bind_text(row, 1, id);
		st = db_run(row, NULL, &err);
	}
	if (st)
		log_warn("agent", "the end of command %s is not on record: %s; its session may be told again", id, err.text);
}

void running_ended(struct agent_host *h, const struct process_info *p)
{
	struct ending *e;

	if (!p->record)
		return;
	unname(h, p->record);
	e = ch_alloc(sizeof(*e));
	e->h = h;
	e->is_stopping = p->state == PROCESS_RUNNING;
	snprintf(e->id, sizeof(e->id), "%s", p->record);
	host_spawn(h, "command-end", ending_fiber, e);
}

/* -- after a restart -- */

struct left { struct agent_host *h; struct arena *a; VEC(struct kept) at; };

static void left_free(struct left *l)
{
	vec_done(&l->at);
	arena_unref(l->a);
	ch_free(l);
}

static ch_status collect(struct left *l, struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *row = NULL;
	bool found;
	ch_status st = db_prep(db_of(l->h), SELECT_KEPT " ORDER BY started_at", &row, err);

	while (!st && !(st = db_step(row, &found, err)) && found) {
		struct kept k;

		st = read_kept(row, l->a, &k, err);
		if (!st)
			vec_push(&l->at, k);
	}
	return st;
}

static ch_status tell(struct agent_host *h, const struct kept *k, struct ch_err *err)
{
	struct command_record c = { .process = json_get_str(k->record, "process"), .command = json_get_str(k->record, "command") };
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct tool_wake w = { .session_key = k->session_key, .kind = json_get_str(k->record, "wakeKind"),
			       .id = json_get_str(k->record, "wakeId"), .source = json_get_str(k->record, "source") };
	ch_status st;

	if (!c.process || !w.kind || !w.id)
		return CH_OK;
	w.is_tainted = w.source != NULL;
	w.text = exec_lost_text(a, c.process, c.command);
	st = agent_wake(h, &w, err);
	return st == CH_E_NOT_FOUND ? CH_OK : st;        /* the session was deleted */
}

static void recover_fiber(void *arg)
{
	struct left *l = arg;

	for (size_t i = 0; i < l->at.len && !fiber_canceled(); i++) {
		struct ch_err err = { 0 };

		const char *name = json_get_str(l->at.at[i].record, "process");

		if (tell(l->h, &l->at.at[i], &err))
			log_error("agent", "session=%s: that %s ended with the gateway could not be told: %s; the next start tries again",
				  l->at.at[i].session_key, str_empty(name) ? "a command" : name, err.text);
		else
			running_settle(l->h, l->at.at[i].id);
	}
	left_free(l);
}

void running_recover(struct agent_host *h)
{
	struct left *l = ch_alloc(sizeof(*l));
	struct ch_err err = { 0 };

	l->h = h;
	l->a = arena_new(0);
	if (collect(l, &err))
		log_error("agent", "the commands that ran when the gateway stopped cannot be read: %s", err.text);
	if (l->at.len)
		host_spawn(h, "commands-left", recover_fiber, l);
	else
		left_free(l);
}
