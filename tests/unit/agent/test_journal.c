/*
 * Calls that act, across a crash: what has a result keeps it, what may have been done is said to, nothing is lost.
 */
#include "agent_fixture.h"

#include "agent/tool_journal.h"

#define DONE { ST_USAGE, .n = 10, .m = 2 }, { ST_END }

static const struct step hello[] = { { ST_TEXT, "hello" }, DONE };

static const char *result(struct fixture *f, size_t row)
{
	const struct json *m = json_at(fx_rows(f), row);

	assert_string_equal(json_get_str(m, "role"), "toolResult");
	return json_str(json_path(m, "content.0.text"));
}

static int64_t count(struct fixture *f, const char *sql)
{
	CH_AUTO(db_done) struct db_stmt *row = NULL;
	bool found;

	assert_int_equal(db_prep(f->db, sql, &row, &f->err), CH_OK);
	assert_int_equal(db_step(row, &found, &f->err), CH_OK);
	return found ? db_int(row, 0) : -1;
}

/* A tool that waits for the test. */
static ch_status slow_status(void *arg, const char *key, struct buf *ret, struct ch_err *err)
{
	struct fixture *f = arg;

	if (fx_wait(f))
		return ch_fail(err, CH_E_CANCELED, "canceled");
	buf_puts(ret, "{}");
	return CH_OK;
}

static void crash_body(struct fixture *f)
{
	struct tool_host host = f->host->tool_host;

	f->host->tool_host = (struct tool_host){ .arg = f, .session_status = slow_status, .config = fx_config };
	fx_send(f, "r1", "go");
	fx_reach(f, 1);
	/* The first has its result on record; the reader is not there at all; the last has not begun. */
	assert_int_equal(count(f, "SELECT COUNT(*) FROM tool_calls"), 2);
	assert_int_equal(count(f, "SELECT COUNT(*) FROM tool_calls WHERE call_id = 'c1' AND state = 'finished'"), 1);
	assert_int_equal(count(f, "SELECT COUNT(*) FROM tool_calls WHERE call_id = 'c3' AND started_at = 0"), 1);
	/* This is what a start finds after a crash at this point. */
	assert_int_equal(journal_recover(f->sessions, &f->err), CH_OK);
	assert_string_equal(fx_roles(f), "user assistant toolResult toolResult toolResult");
	assert_non_null(strstr(result(f, 2), "Created a.txt"));
	assert_non_null(strstr(result(f, 3), "before this was done. It changed nothing."));
	assert_non_null(strstr(result(f, 4), "before this was done. It changed nothing."));
	assert_int_equal(count(f, "SELECT COUNT(*) FROM tool_calls"), 0);
	/* Once is enough. */
	assert_int_equal(journal_recover(f->sessions, &f->err), CH_OK);
	assert_string_equal(fx_roles(f), "user assistant toolResult toolResult toolResult");
	fx_release(f);
	fx_wait_run(f, "r1");
	f->host->tool_host = host;
}

static void a_crash_loses_no_result(void **state)
{
	static const struct step calls[] = { { ST_TOOL, "c1", "write", "{\"path\":\"a.txt\",\"content\":\"x\"}" },
					     { ST_TOOL, "c2", "session_status", "{}" },
					     { ST_TOOL, "c3", "write", "{\"path\":\"b.txt\",\"content\":\"x\"}" }, DONE };
	static const struct step *const script[] = { calls, hello, NULL };

	fx_run(*state, script, crash_body);
}

/* Cut in the middle of the only one, or of the later one: nobody knows. */
static void begun_body(struct fixture *f)
{
	f->host->tool_host = (struct tool_host){ .arg = f, .session_status = slow_status, .config = fx_config };
	fx_send(f, "r1", "go");
	fx_reach(f, 1);
	assert_int_equal(journal_recover(f->sessions, &f->err), CH_OK);
	assert_non_null(strstr(result(f, 3), "It may or may not have been carried out"));
	fx_release(f);
	fx_wait_run(f, "r1");
}

static void what_was_begun_is_not_known(void **state)
{
	static const struct step calls[] = { { ST_TOOL, "c1", "session_status", "{}" },
					     { ST_TOOL, "c2", "write", "{\"path\":\"a.txt\",\"content\":\"x\"}" }, DONE };
	static const struct step *const script[] = { calls, hello, NULL };

	fx_run(*state, script, begun_body);
}

static void clean_body(struct fixture *f)
{
	fx_send(f, "r1", "go");
	assert_int_equal(fx_wait_run(f, "r1").state, INPUT_DONE);
	assert_int_equal(count(f, "SELECT COUNT(*) FROM tool_calls"), 0);
	assert_string_equal(fx_roles(f), "user assistant toolResult toolResult assistant");
}

static void results_take_the_rows_away(void **state)
{
	static const struct step calls[] = { { ST_TOOL, "c1", "write", "{\"path\":\"a.txt\",\"content\":\"x\"}" },
					     { ST_TOOL, "c1", "write", "{\"path\":\"b.txt\",\"content\":\"x\"}" }, DONE };
	static const struct step *const script[] = { calls, hello, NULL };

	fx_run(*state, script, clean_body);
}

/* A person had not answered: that call was certainly not carried out. */
static void asking_body(struct fixture *f)
{
	static const char sql[] = "INSERT INTO approvals (id, kind, status, session_key, run_id, tool_call_id, decisions, created_at, expires_at, "
				  "request, presentation) VALUES ('a1', 'exec', 'pending', '" KEY "', 'r1', 'c2', 7, 1, 2, '{}', '{}')";
	struct db_stmt *row;

	f->host->tool_host = (struct tool_host){ .arg = f, .session_status = slow_status, .config = fx_config };
	fx_send(f, "r1", "go");
	fx_reach(f, 1);
	assert_int_equal(db_prep(f->db, sql, &row, &f->err), CH_OK);
	if (db_run(row, NULL, &f->err))
		fail_msg("%s", f->err.text);
	assert_int_equal(journal_recover(f->sessions, &f->err), CH_OK);
	assert_non_null(strstr(result(f, 3), "It has not been carried out."));
	fx_release(f);
	fx_wait_run(f, "r1");
}

static void what_waited_for_a_person_was_not_done(void **state)
{
	static const struct step calls[] = { { ST_TOOL, "c1", "session_status", "{}" },
					     { ST_TOOL, "c2", "write", "{\"path\":\"b.txt\",\"content\":\"x\"}" }, DONE };
	static const struct step *const script[] = { calls, hello, NULL };

	fx_run(*state, script, asking_body);
}

/* What cannot be put on record is not run. */
static void full_body(struct fixture *f)
{
	struct stat st;
	char path[256];

	fx_send(f, "r1", "go");
	fx_reach(f, 1);
	db_fail_nth(f->db, 3);           /* the reply's row is the first */
	fx_release(f);
	assert_int_equal(fx_wait_run(f, "r1").state, INPUT_FAILED);
	snprintf(path, sizeof(path), "%s/workspace/a.txt", f->base);
	assert_int_equal(stat(path, &st), -1);
}

static void nothing_runs_off_the_record(void **state)
{
	static const struct step calls[] = { { ST_WAIT }, { ST_TOOL, "c1", "write", "{\"path\":\"a.txt\",\"content\":\"x\"}" }, DONE };
	static const struct step *const script[] = { calls, hello, NULL };

	fx_run(*state, script, full_body);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FX_TEST(a_crash_loses_no_result),
		FX_TEST(what_was_begun_is_not_known),
		FX_TEST(results_take_the_rows_away),
		FX_TEST(what_waited_for_a_person_was_not_done),
		FX_TEST(nothing_runs_off_the_record),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
