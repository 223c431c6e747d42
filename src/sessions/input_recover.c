/*
 * sessions/input_recover.c - what the crash left open, told in the history.
 *
 * All of it is one transaction: a crash during recovery leaves the inputs open
 * for the next one, and one that was committed leaves none. Within it, the
 * idempotency keys of the two entries keep a message that the cut turn had
 * already written from appearing twice.
 */
#include <string.h>

#include "core/clock.h"
#include "core/json.h"
#include "core/str.h"
#include "core/vec.h"
#include "sessions/session_priv.h"

#define MARKER_TEXT "[interrupted: the gateway stopped before this was answered]"
#define MARKER_ERROR "the gateway stopped before this was answered"

struct recovery {
	struct sess_store *store;
	struct arena *arena;
	int64_t now_ms;
	VEC(struct input_row) open;
};

static void recovery_done(struct recovery *r)
{
	vec_done(&r->open);
	arena_unref(r->arena);
}

static ch_status collect(struct recovery *r, struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *row = NULL;
	struct input_row in;
	bool found;
	ch_status st = db_prep(sess_store_db(r->store), "SELECT " INPUT_COLUMNS " FROM inputs "
			       "WHERE ended_at = 0 ORDER BY id", &row, err);

	if (st)
		return st;
	while (!(st = db_step(row, &found, err)) && found) {
		input_from_row(row, &in);
		input_copy(r->arena, &in);
		vec_push(&r->open, in);
	}
	return st;
}

/* ---- one input ---- */

/* The last thing that the run wrote after its message is an answer which asks for no more tools. */
static ch_status last_is_answer(struct recovery *r, const struct input_row *in, int64_t after_seq,
				bool *ret_answer, struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *row = NULL;
	struct json *message;
	bool found;
	ch_status st = db_prep(sess_store_db(r->store),
			       "SELECT role, message FROM transcript WHERE session_id = ?1 "
			       "AND seq > ?2 AND run_id = ?3 ORDER BY seq DESC LIMIT 1",
			       &row, err);

	if (st)
		return st;
	db_bind_text(row, 1, in->session_id);
	db_bind_int(row, 2, after_seq);
	db_bind_text(row, 3, in->run_id);
	st = db_step(row, &found, err);
	if (st)
		return st;
	*ret_answer = false;
	if (!found || !str_eq(db_text(row, 0), "assistant"))
		return CH_OK;
	st = json_parse(r->arena, db_text(row, 1), db_text_len(row, 1), JSON_STRICT, &message, err);
	if (st)
		return st;
	*ret_answer =
		json_get(message, "stopReason") && !str_eq(json_get_str(message, "stopReason"), "toolUse");
	return CH_OK;
}

static ch_status was_answered(struct recovery *r, const struct input_row *in, bool *ret_answered,
			      struct ch_err *err)
{
	struct tr_entry user;
	ch_status st = tr_find_once(r->store, in->session_id, arena_printf(r->arena, "%s:user", in->run_id),
				    r->arena, &user, err);

	*ret_answered = false;
	if (st)
		return st == CH_E_NOT_FOUND ? CH_OK : st;
	return last_is_answer(r, in, user.seq, ret_answered, err);
}

static ch_status append_once(struct sess *s, const char *window, struct tr_entry *entry, struct arena *a,
			     struct ch_err *err)
{
	ch_status st = tr_append_window(s, window, entry, a, err);

	return st == CH_E_EXISTS ? CH_OK : st;
}

static ch_status append_user(struct recovery *r, struct sess *s, const char *window,
			     const struct input_row *in, struct ch_err *err)
{
	struct tr_entry entry = {
		.type = "message",
		.role = "user",
		.idempotency_key = arena_printf(r->arena, "%s:user", in->run_id),
		.message = in->message,
		.meta = in->meta,
	};
	struct json *message;

	if (!json_parse(r->arena, in->message, strlen(in->message), JSON_STRICT, &message, NULL)) {
		entry.search_text = json_get_str(message, "content");
		if (str_eq(json_get_str(message, "role"), "toolResult"))
			entry.role = "toolResult";       /* an API client's input that goes on with a turn */
	}
	return append_once(s, window, &entry, r->arena, err);
}

static const char no_usage[] =
	"{\"input\":0,\"output\":0,\"totalTokens\":0,\"cacheRead\":0,\"cacheWrite\":0,"
	"\"cost\":{\"input\":0,\"output\":0,\"cacheRead\":0,\"cacheWrite\":0,\"total\":0}}";

/* Shaped as clients know an aborted turn: not a model's words, stopped, and by what. */
static void write_marker(struct buf *out, const struct input_row *in, const char *key, int64_t now_ms)
{
	struct jw w = JW(out);

	jw_obj(&w);
	jw_kstr(&w, "role", "assistant");
	jw_karr(&w, "content");
	jw_obj(&w);
	jw_kstr(&w, "type", "text");
	jw_kstr(&w, "text", MARKER_TEXT);
	jw_end(&w);
	jw_end(&w);
	jw_kstr(&w, "api", "openai-responses");
	jw_kstr(&w, "provider", "openclaw");
	jw_kstr(&w, "model", "gateway-injected");
	jw_kraw(&w, "usage", no_usage, sizeof(no_usage) - 1);
	jw_kstr(&w, "stopReason", "aborted");
	jw_kstr(&w, "errorMessage", MARKER_ERROR);
	jw_kint(&w, "timestamp", now_ms);
	jw_kstr(&w, "idempotencyKey", key);
	jw_kobj(&w, "openclawAbort");
	jw_kbool(&w, "aborted", true);
	jw_kstr(&w, "origin", "restart");
	jw_kstr(&w, "runId", in->run_id);
	jw_end(&w);
	jw_end(&w);
}

/* A turn would have marked the session; none began, and the next one reads the message all the same. */
static ch_status mark_outside(struct recovery *r, struct sess *s, const struct input_row *in, struct ch_err *err)
{
	struct json *meta, *from, *list, *source;
	bool is_foreign;

	if (!in->meta || json_parse(r->arena, in->meta, strlen(in->meta), JSON_STRICT, &meta, NULL))
		return CH_OK;
	from = json_get(meta, "from");
	is_foreign = !json_get_bool(meta, "senderIsOwner", true);
	if (s->tainted_at || (!is_foreign && !json_get_bool(from, "hasOutside", false)))
		return CH_OK;
	list = json_new_arr(r->arena);
	source = json_new_obj(r->arena);
	json_set(r->arena, source, "kind", json_new_str(r->arena, from ? "channel" : "sender"));
	if (json_get_str(from, "channel"))
		json_set(r->arena, source, "ref", json_new_str(r->arena, json_get_str(from, "channel")));
	json_set(r->arena, source, "at", json_new_int(r->arena, r->now_ms));
	json_push(list, source);
	s->tainted_at = r->now_ms;
	sess_set_str(s, &s->taint, json_to_str(r->arena, list));
	return sess_save(s, err);
}

static ch_status append_marker(struct recovery *r, struct sess *s, const char *window,
			       const struct input_row *in, struct ch_err *err)
{
	CH_AUTO_BUF struct buf message = { 0 };
	struct tr_entry entry = {
		.type = "message",
		.role = "assistant",
		.run_id = in->run_id,
		.idempotency_key = arena_printf(r->arena, "%s:interrupted", in->run_id),
		.created_at = r->now_ms,
	};
	ch_status st;

	buf_init(&message, 16384);
	write_marker(&message, in, entry.idempotency_key, r->now_ms);
	st = buf_status(&message, err, "the interrupted marker");
	if (st)
		return st;
	entry.message = arena_strndup(r->arena, buf_str(&message), message.len);
	return append_once(s, window, &entry, r->arena, err);
}

/* No person typed it, so nobody would type it again: it keeps its place, and agent/wake.h takes it up. */
static bool is_event(struct recovery *r, const struct input_row *in)
{
	struct json *meta;

	return in->meta && strstr(in->meta, "\"" INPUT_ORIGIN "\"") &&
	       !json_parse(r->arena, in->meta, strlen(in->meta), JSON_STRICT, &meta, NULL) && json_get(meta, INPUT_ORIGIN);
}

static ch_status recover_input(struct recovery *r, struct input_row *in, struct ch_err *err)
{
	CH_AUTO(sess_unref) struct sess *s = NULL;
	const char *window;
	bool answered = false;
	ch_status st = sess_find(r->store, in->session_key, &s, err);

	if (!st && in->state == INPUT_QUEUED && is_event(r, in))
		return CH_OK;
	if (!st && in->state == INPUT_RUNNING)
		st = was_answered(r, in, &answered, err);
	if (st)
		return st;
	/* A queued one would have run in the window of now. */
	window = in->state == INPUT_RUNNING ? in->session_id : s->session_id;
	if (!answered) {
		st = append_user(r, s, window, in, err);
		if (!st)
			st = append_marker(r, s, window, in, err);
		if (!st)
			st = mark_outside(r, s, in, err);
		if (st)
			return st;
	}
	in->state = answered ? INPUT_DONE : INPUT_INTERRUPTED;
	in->error = answered ? NULL : MARKER_ERROR;
	in->ended_at = r->now_ms;
	return input_end(r->store, in->session_key, in->run_id, in->state, NULL, in->error, err);
}

/* ---- all of them ---- */

/* No run is alive: whatever says so is older than the crash. */
static ch_status settle_sessions(struct recovery *r, struct ch_err *err)
{
	struct db_stmt *row;
	ch_status st = db_prep(
		sess_store_db(r->store),
		"UPDATE sessions SET status = 'failed', aborted_last_run = 1, "
		"last_run_error = ?1, ended_at = ?2, writer_run = NULL, writer_epoch = writer_epoch + 1 "
		"WHERE status = 'running'",
		&row, err);

	if (st)
		return st;
	db_bind_text(row, 1, MARKER_ERROR);
	db_bind_int(row, 2, r->now_ms);
	return db_run(row, NULL, err);
}

static ch_status recover_all(struct recovery *r, struct ch_err *err)
{
	struct db *db = sess_store_db(r->store);
	CH_AUTO(db_rollback) struct db *tx = NULL;
	ch_status st = db_begin_durable(db, err);

	if (st)
		return st;
	tx = db;
	st = collect(r, err);
	for (size_t i = 0; !st && i < r->open.len; i++)
		st = recover_input(r, &r->open.at[i], err);
	if (!st)
		st = settle_sessions(r, err);
	if (st)
		return st;
	return db_commit(CH_TAKE(tx), err);
}

ch_status input_recover(struct sess_store *store, bool (*each)(void *arg, const struct input_row *in),
			void *arg, struct ch_err *err)
{
	CH_AUTO_DONE(recovery_done) struct recovery r = {
		.store = store,
		.arena = arena_new(0),
		.now_ms = now_wall_ms(),
		.open = VEC_INIT,
	};
	ch_status st = recover_all(&r, err);

	if (!st)
		st = sess_store_refresh(store, err);
	if (st)
		return err ? ch_wrap(err, "closing the turns that the last stop cut") : st;
	for (size_t i = 0; each && i < r.open.len; i++) {
		if (!each(arg, &r.open.at[i]))
			break;
	}
	return CH_OK;
}
