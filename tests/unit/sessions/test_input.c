/*
 * sessions/input: acceptance, states, and what recovery makes of left-overs.
 */
#include "sessions_fixture.h"

#include "core/json.h"
#include "core/mem.h"
#include "sessions/input.h"

#define HELLO "{\"role\":\"user\",\"content\":\"hello\",\"idempotencyKey\":\"r1:user\"}"

static struct input_row take_in(struct sess *s, const char *run_id)
{
	struct input_row in = { .run_id = run_id, .message = HELLO, .meta = "{\"m\":1}", .options = "{\"o\":1}" }, row;

	ASSERT_OK(input_accept(s, &in, arena, &row, err));
	return row;
}

static struct input_row find(struct sess *s, const char *run_id)
{
	struct input_row row = { 0 };

	ASSERT_OK(input_find(store, s->key, run_id, arena, &row, err));
	return row;
}

static void test_accept(void **state)
{
	struct sess *s = session("main"), *other = session("other");
	struct input_row row, again = { .run_id = "r1", .message = "{}" };

	clock_fake(1000, T0 + 3);
	sess_set_str(s, &s->model, "saved along");
	row = take_in(s, "r1");
	assert_string_equal(row.session_key, "agent:main:main");
	assert_string_equal(row.session_id, s->session_id);
	assert_int_equal(row.state, INPUT_QUEUED);
	assert_int_equal(row.accepted_at, T0 + 3);
	assert_int_equal(scratch_int(db, "SELECT model = 'saved along' AND updated_at = 1800000000003 FROM sessions "
				     "WHERE key = 'agent:main:main'"), 1);
	row = find(s, "r1");
	assert_string_equal(row.message, HELLO);
	assert_string_equal(row.meta, "{\"m\":1}");
	assert_string_equal(row.options, "{\"o\":1}");
	assert_null(row.outcome);
	assert_int_equal(row.started_at, 0);
	ASSERT_FAILS(input_accept(s, &again, arena, &row, err), CH_E_EXISTS, "r1");
	assert_string_equal(row.message, HELLO);
	ASSERT_FAILS(input_accept(s, &again, arena, NULL, err), CH_E_EXISTS, "r1");
	ASSERT_OK(input_accept(other, &again, arena, NULL, err));        /* run ids are per session */
	ASSERT_FAILS(input_find(store, s->key, "r2", arena, &row, err), CH_E_NOT_FOUND, "r2");
	sess_unref(other);
	sess_unref(s);
}

static void test_accept_is_durable_or_nothing(void **state)
{
	struct sess *s = session("main");
	struct input_row in = { .run_id = "r", .message = HELLO };
	int n = 1;

	clock_fake(1000, T0 + 3);
	ASSERT_OK(db_begin(db, err));
	ASSERT_FAILS(input_accept(s, &in, arena, NULL, err), CH_E_BUG, "durable");
	db_rollback(db);
	for (;; n++) {
		ch_status st;

		sess_set_str(s, &s->model, "m");
		db_fail_nth(db, n);
		st = input_accept(s, &in, arena, NULL, NULL);
		if (!st)
			break;
		assert_int_equal(st, CH_E_IO);
		assert_null(s->model);
		assert_int_equal(s->updated_at, T0);
		assert_int_equal(scratch_int(db, "SELECT count(*) FROM inputs"), 0);
	}
	db_fail_nth(db, 0);
	assert_int_equal(n, 4);
	assert_string_equal(s->model, "m");
	sess_unref(s);
}

static void test_states(void **state)
{
	struct sess *s = session("main");
	struct input_row row;

	take_in(s, "r1");
	clock_fake(1000, T0 + 10);
	ASSERT_OK(input_start(store, s->key, "r1", err));
	row = find(s, "r1");
	assert_int_equal(row.state, INPUT_RUNNING);
	assert_int_equal(row.started_at, T0 + 10);
	ASSERT_FAILS(input_start(store, s->key, "r1", err), CH_E_CONFLICT, "running already");
	ASSERT_FAILS(input_start(store, s->key, "r9", err), CH_E_NOT_FOUND, "r9");
	clock_fake(1000, T0 + 20);
	ASSERT_OK(input_end(store, s->key, "r1", INPUT_FAILED, "{\"x\":1}", "why", err));
	row = find(s, "r1");
	assert_int_equal(row.state, INPUT_FAILED);
	assert_string_equal(row.outcome, "{\"x\":1}");
	assert_string_equal(row.error, "why");
	assert_int_equal(row.ended_at, T0 + 20);
	ASSERT_FAILS(input_end(store, s->key, "r1", INPUT_DONE, NULL, NULL, err), CH_E_CONFLICT, "failed already");
	ASSERT_FAILS(input_end(store, s->key, "r9", INPUT_DONE, NULL, NULL, err), CH_E_NOT_FOUND, "r9");
	take_in(s, "r2");
	ASSERT_OK(input_end(store, s->key, "r2", INPUT_CANCELED, NULL, NULL, err));
	ASSERT_FAILS(input_start(store, s->key, "r2", err), CH_E_CONFLICT, "canceled already");
	sess_unref(s);
}

static void test_state_names(void **state)
{
	for (enum input_state i = INPUT_QUEUED; i <= INPUT_INTERRUPTED; i++)
		assert_true(strlen(input_state_name(i)) > 3);
	assert_string_equal(input_state_name(INPUT_ABSORBED), "absorbed");
}

static bool add_run(void *arg, const struct input_row *in)
{
	char *text = arg;

	snprintf(text + strlen(text), 100 - strlen(text), "%s:%s ", in->run_id, input_state_name(in->state));
	return true;
}

static void test_pending_and_runs(void **state)
{
	struct sess *s = session("main"), *other = session("other");
	struct input_row row;
	char text[100] = "";

	take_in(s, "r3");
	take_in(s, "r1");
	take_in(other, "r2");
	take_in(s, "r2");
	ASSERT_OK(input_start(store, s->key, "r3", err));
	ASSERT_OK(input_pending(store, s->key, add_run, text, err));
	assert_string_equal(text, "r1:queued r2:queued ");
	ASSERT_OK(input_find_run(store, "r2", arena, &row, err));
	assert_string_equal(row.session_key, s->key);            /* the latest of the two */
	ASSERT_FAILS(input_find_run(store, "r4", arena, &row, err), CH_E_NOT_FOUND, "r4");
	sess_unref(other);
	sess_unref(s);
}

static void test_prune(void **state)
{
	struct sess *s = session("main");
	char text[100] = "";

	for (int i = 1; i <= 3; i++) {
		const char *run = arena_printf(arena, "r%d", i);

		take_in(s, run);
		clock_fake(1000, T0 + i);
		ASSERT_OK(input_end(store, s->key, run, INPUT_DONE, NULL, NULL, err));
	}
	take_in(s, "r4");
	ASSERT_OK(input_prune(store, T0 + 3, err));
	assert_int_equal(scratch_int(db, "SELECT count(*) FROM inputs"), 2);
	ASSERT_OK(input_pending(store, s->key, add_run, text, err));
	assert_string_equal(text, "r4:queued ");
	sess_unref(s);
}

/* ---- recovery ---- */

static bool add_entry(void *arg, const struct tr_entry *e)
{
	struct buf *out = arg;
	struct json *message;

	ASSERT_OK(json_parse(arena, e->message, e->message_len, JSON_STRICT, &message, err));
	buf_printf(out, "%s%s%s(%s)", out->len ? " " : "", e->role,
		   str_eq(json_get_str(message, "stopReason"), "aborted") ? "-cut" : "",
		   e->idempotency_key ? e->idempotency_key : "");
	return true;
}

static void check_history(const char *session_id, const char *expected)
{
	CH_AUTO_BUF struct buf out = { 0 };

	buf_init(&out, 4096);
	ASSERT_OK(tr_read(store, session_id, &(struct tr_range){ 0 }, add_entry, &out, err));
	assert_string_equal(buf_str(&out), expected);
}

static void say(struct sess *s, const char *role, const char *run_id, const char *key, const char *message)
{
	struct tr_entry e = { .type = "message", .role = role, .run_id = run_id, .idempotency_key = key,
			      .message = message };

	ASSERT_OK(tr_append(s, NULL, 0, &e, arena, err));
}

static void recover(const char *expected)
{
	char text[100] = "";

	ASSERT_OK(input_recover(store, add_run, text, err));
	assert_string_equal(text, expected);
}

static void test_recover_nothing(void **state)
{
	struct sess *s = session("main");

	take_in(s, "r1");
	ASSERT_OK(input_end(store, s->key, "r1", INPUT_DONE, NULL, NULL, err));
	recover("");
	ASSERT_OK(input_recover(store, NULL, NULL, err));
	check_history(s->session_id, "");
	sess_unref(s);
}

/* Killed between acceptance and the first append, queued or running. */
static void test_recover_before_append(void **state)
{
	struct sess *s = session("main");
	struct input_row row;

	take_in(s, "r1");
	take_in(s, "r2");
	ASSERT_OK(input_start(store, s->key, "r1", err));
	clock_fake(1000, T0 + 100);
	recover("r1:interrupted r2:interrupted ");
	check_history(s->session_id, "user(r1:user) assistant-cut(r1:interrupted) "
		      "user(r2:user) assistant-cut(r2:interrupted)");
	row = find(s, "r1");
	assert_int_equal(row.state, INPUT_INTERRUPTED);
	assert_int_equal(row.ended_at, T0 + 100);
	assert_non_null(row.error);
	recover("");                             /* twice changes nothing */
	check_history(s->session_id, "user(r1:user) assistant-cut(r1:interrupted) "
		      "user(r2:user) assistant-cut(r2:interrupted)");
	sess_unref(s);
}

static void test_recover_mid_turn(void **state)
{
	struct sess *s = session("main");
	int64_t epoch;

	take_in(s, "r1");
	ASSERT_OK(input_start(store, s->key, "r1", err));
	ASSERT_OK(tr_claim(s, "r1", &epoch, err));
	sess_set_str(s, &s->status, "running");
	ASSERT_OK(sess_save(s, err));
	say(s, "user", NULL, "r1:user", HELLO);
	say(s, "assistant", "r1", NULL, "{\"role\":\"assistant\",\"stopReason\":\"toolUse\"}");
	say(s, "toolResult", "r1", NULL, "{\"role\":\"toolResult\"}");
	recover("r1:interrupted ");
	check_history(s->session_id, "user(r1:user) assistant() toolResult() assistant-cut(r1:interrupted)");
	/* The object that somebody holds shows the settled row; the dead run's lease is void. */
	assert_string_equal(s->status, "failed");
	assert_int_equal(s->aborted_last_run, 1);
	ASSERT_FAILS(tr_append(s, "r1", epoch, &(struct tr_entry){ .type = "message", .role = "assistant" }, arena,
			       err), CH_E_CONFLICT, "another run");
	sess_unref(s);
}

static void test_recover_after_tool_call(void **state)
{
	struct sess *s = session("main");

	take_in(s, "r1");
	ASSERT_OK(input_start(store, s->key, "r1", err));
	say(s, "user", NULL, "r1:user", HELLO);
	say(s, "assistant", "r1", NULL, "{\"role\":\"assistant\",\"stopReason\":\"toolUse\"}");
	recover("r1:interrupted ");
	check_history(s->session_id, "user(r1:user) assistant() assistant-cut(r1:interrupted)");
	sess_unref(s);
}

/* Killed between the last answer and the mark that the run is done. */
static void test_recover_answered(void **state)
{
	struct sess *s = session("main");

	say(s, "assistant", "r1", NULL, "{\"stopReason\":\"stop\"}");    /* an earlier run of that id: no answer to this */
	take_in(s, "r1");
	ASSERT_OK(input_start(store, s->key, "r1", err));
	say(s, "user", NULL, "r1:user", HELLO);
	say(s, "assistant", "r1", NULL, "{\"stopReason\":\"stop\"}");
	say(s, "custom", NULL, NULL, "{\"role\":\"custom\"}");
	recover("r1:done ");
	check_history(s->session_id, "assistant() user(r1:user) assistant() custom()");
	assert_null(find(s, "r1").error);
	sess_unref(s);
}

/* A running turn belongs to the window it began in, a queued one to that of now. */
static void test_recover_windows(void **state)
{
	struct sess *s = session("main");
	const char *old_id = arena_strdup(arena, s->session_id);

	take_in(s, "r1");
	take_in(s, "r2");
	ASSERT_OK(input_start(store, s->key, "r1", err));
	say(s, "user", NULL, "r1:user", HELLO);
	ASSERT_OK(sess_rotate(s, "new", err));
	recover("r1:interrupted r2:interrupted ");
	check_history(old_id, "user(r1:user) assistant-cut(r1:interrupted)");
	check_history(s->session_id, "user(r2:user) assistant-cut(r2:interrupted)");
	sess_unref(s);
}

static void test_marker_shape(void **state)
{
	struct sess *s = session("main");
	struct json *m;

	take_in(s, "r1");
	recover("r1:interrupted ");
	assert_int_equal(scratch_int(db, "SELECT count(*) FROM transcript WHERE meta = '{\"m\":1}'"), 1);
	{
		CH_AUTO(db_done) struct db_stmt *row = NULL;
		bool found;

		ASSERT_OK(db_prep(db, "SELECT message FROM transcript WHERE seq = 2", &row, err));
		ASSERT_OK(db_step(row, &found, err));
		ASSERT_OK(json_parse(arena, db_text(row, 0), db_text_len(row, 0), JSON_STRICT, &m, err));
	}
	assert_string_equal(json_get_str(m, "role"), "assistant");
	assert_true(str_starts(json_str(json_path(m, "content.0.text")), "[interrupted: "));
	assert_string_equal(json_get_str(m, "stopReason"), "aborted");
	assert_string_equal(json_get_str(m, "idempotencyKey"), "r1:interrupted");
	assert_string_equal(json_str(json_path(m, "openclawAbort.runId")), "r1");
	assert_true(json_get_bool(json_get(m, "openclawAbort"), "aborted", false));
	assert_int_equal(json_get_int(json_get(m, "usage"), "totalTokens", -1), 0);
	sess_unref(s);
}

/* Recovery that fails at any write leaves all open, and the next one does it. */
static void test_recover_fails_whole(void **state)
{
	struct sess *s = session("main");
	int n = 1;

	take_in(s, "r1");
	take_in(s, "r2");
	for (;; n++) {
		ch_status st;

		db_fail_nth(db, n);
		st = input_recover(store, NULL, NULL, NULL);
		if (!st)
			break;
		assert_int_equal(st, CH_E_IO);
		check_history(s->session_id, "");
		assert_int_equal(scratch_int(db, "SELECT count(*) FROM inputs WHERE state = 'queued'"), 2);
	}
	db_fail_nth(db, 0);
	assert_true(n > 8);
	check_history(s->session_id, "user(r1:user) assistant-cut(r1:interrupted) "
		      "user(r2:user) assistant-cut(r2:interrupted)");
	sess_unref(s);
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_accept),
		T(test_accept_is_durable_or_nothing),
		T(test_states),
		T(test_state_names),
		T(test_pending_and_runs),
		T(test_prune),
		T(test_recover_nothing),
		T(test_recover_before_append),
		T(test_recover_mid_turn),
		T(test_recover_after_tool_call),
		T(test_recover_answered),
		T(test_recover_windows),
		T(test_marker_shape),
		T(test_recover_fails_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
