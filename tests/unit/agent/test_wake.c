/*
 * Events that no person typed: told once, into a turn or as one, held when there are too many, kept over a restart.
 */
#include "agent_fixture.h"

#include "agent/wake.h"

#define TEXT(t) { ST_TEXT, t }
#define DONE { ST_USAGE, .n = 10, .m = 2 }, { ST_END }

static const struct step hello[] = { TEXT("hello"), DONE };
static const struct step slow[] = { TEXT("one "), { ST_WAIT }, TEXT("two"), DONE };

static ch_status wake(struct fixture *f, const char *id, const char *text, bool is_tainted)
{
	struct tool_wake w = { .session_key = KEY, .kind = "exec", .id = id, .text = text, .is_tainted = is_tainted,
			       .source = is_tainted ? "https://example.org" : NULL };

	return f->host->tool_host.wake(f->host, &w, &f->err);
}

static void greet(struct fixture *f)
{
	fx_send(f, "r1", "hi");
	fx_wait_run(f, "r1");
}

static struct json *meta_of(struct fixture *f, const char *run)
{
	struct input_row row;

	assert_int_equal(input_find(f->sessions, KEY, run, f->arena, &row, &f->err), CH_OK);
	return fx_parse(f, row.meta);
}

/* -- telling -- */

static void idle_body(struct fixture *f)
{
	CH_AUTO(sess_unref) struct sess *s = NULL;
	struct json *event;
	int64_t interacted;

	greet(f);
	assert_int_equal(sess_find(f->sessions, KEY, &s, &f->err), CH_OK);
	interacted = s->last_interaction_at;
	clock_fake(now_mono_ms() + 5000, now_wall_ms() + 5000);
	assert_int_equal(wake(f, "p1", "make: done", true), CH_OK);
	fx_wait_run(f, "exec:p1");
	assert_string_equal(fx_roles(f), "user assistant user assistant");
	event = json_at(fx_rows(f), 2);
	assert_non_null(strstr(json_get_str(event, "content"), "make: done"));
	assert_non_null(strstr(json_get_str(event, "content"), "not a message of the user"));
	assert_string_equal(json_str(json_path(event, "provenance.kind")), "internal_system");
	assert_string_equal(json_str(json_path(event, "provenance.sourceTool")), "exec");
	assert_false(json_get_bool(event, "display", true));
	assert_true(json_get_bool(json_get(meta_of(f, "exec:p1"), "origin"), "tainted", false));
	assert_true(json_get_bool(meta_of(f, "exec:p1"), "senderIsOwner", false));
	assert_string_equal(s->derived_title, "hi");
	assert_string_equal(s->last_preview, "hi");
	assert_int_equal(s->last_interaction_at, interacted);
	for (size_t i = 0; i < f->lines.len; i++)
		assert_null(strstr(f->lines.at[i], "make: done"));
	assert_int_equal(wake(f, "p1", "make: done", true), CH_OK);
	fx_turns(f);
	assert_int_equal(f->at, 2);
}

static void an_idle_session_gets_a_turn_once(void **state)
{
	static const struct step *const script[] = { hello, hello, NULL };

	fx_run(*state, script, idle_body);
}

static void nobody_body(struct fixture *f)
{
	assert_int_equal(wake(f, "p1", "done", false), CH_E_NOT_FOUND);
	greet(f);
	assert_int_equal(wake(f, "p1", "", false), CH_E_INVALID);
	assert_int_equal(f->host->tool_host.wake(f->host, &(struct tool_wake){ .session_key = KEY, .kind = "moon", .id = "1",
									       .text = "x" }, &f->err), CH_E_INVALID);
}

static void an_event_makes_no_session(void **state)
{
	static const struct step *const script[] = { hello, NULL };

	fx_run(*state, script, nobody_body);
}

static void steer_body(struct fixture *f)
{
	fx_send(f, "r1", "hi");
	fx_reach(f, 1);
	assert_int_equal(wake(f, "p1", "made", false), CH_OK);
	fx_release(f);
	fx_wait_run(f, "r1");
	assert_int_equal(fx_wait_run(f, "exec:p1").state, INPUT_ABSORBED);
	assert_string_equal(fx_roles(f), "user assistant user assistant");
	assert_string_equal(json_str(json_path(json_at(fx_rows(f), 2), "provenance.sourceTool")), "exec");
	for (size_t i = 0; i < f->lines.len; i++)
		assert_null(strstr(f->lines.at[i], "made"));
}

static void a_running_turn_takes_it_up(void **state)
{
	static const struct step *const script[] = { slow, hello, NULL };

	fx_run(*state, script, steer_body);
}

/* An event of a session whose last writer was a stranger does not speak for the owner. */
static void stranger_body(struct fixture *f)
{
	struct run_input in = { .session_key = KEY, .run_id = "r2", .text = "let me in", .client_id = "x" };

	greet(f);
	assert_int_equal(agent_submit(f->host, &in, f->arena, &f->sent, &f->err), CH_OK);
	fx_wait_run(f, "r2");
	assert_int_equal(wake(f, "p1", "made", false), CH_OK);
	assert_false(json_get_bool(meta_of(f, "exec:p1"), "senderIsOwner", true));
	fx_wait_run(f, "exec:p1");
}

static void test_threat_rights_an_event_has_those_of_the_last_writer(void **state)
{
	static const struct step *const script[] = { hello, hello, hello, NULL };

	fx_run(*state, script, stranger_body);
}

/* -- too many -- */

static void burst(struct fixture *f)
{
	static const char *const ids[] = { "1", "2", "3", "4", "5" };

	greet(f);
	for (size_t i = 0; i < CH_ARRAY_LEN(ids); i++) {
		assert_int_equal(wake(f, ids[i], "tick", false), CH_OK);
		fx_wait_run(f, arena_printf(f->arena, "exec:%s", ids[i]));
	}
	assert_int_equal(f->at, 6);
	assert_int_equal(wake(f, "6", "six", false), CH_OK);
	assert_int_equal(wake(f, "7", "seven", true), CH_OK);
	fx_turns(f);
	assert_int_equal(f->at, 6);
}

static void burst_body(struct fixture *f)
{
	burst(f);
	clock_fake(now_mono_ms() + WAKE_BURST_MS + 1, now_wall_ms() + WAKE_BURST_MS + 1);
	fx_wait_run(f, "exec:6");
	assert_int_equal(fx_wait_run(f, "exec:7").state, INPUT_ABSORBED);
	assert_int_equal(f->at, 7);
	assert_non_null(strstr(f->asked.at[6], "six"));
	assert_non_null(strstr(f->asked.at[6], "seven"));
}

static void a_burst_is_held_and_told_together(void **state)
{
	static const struct step *const script[] = { hello, hello, hello, hello, hello, hello, hello, NULL };

	fx_run(*state, script, burst_body);
}

static void person_body(struct fixture *f)
{
	burst(f);
	assert_int_equal(fx_send(f, "r2", "and I?"), SUBMIT_STARTED);
	fx_wait_run(f, "r2");
	assert_non_null(strstr(f->asked.at[6], "and I?"));
	assert_null(strstr(f->asked.at[6], "six"));
	assert_int_equal(fx_wait_run(f, "exec:6").state, INPUT_ABSORBED);
	assert_int_equal(fx_wait_run(f, "exec:7").state, INPUT_ABSORBED);
	assert_int_equal(f->at, 8);
}

static void a_person_is_not_held_and_takes_them_along(void **state)
{
	static const struct step *const script[] = { hello, hello, hello, hello, hello, hello, hello, hello, NULL };

	fx_run(*state, script, person_body);
}

/* -- a restart -- */

static void restart_body(struct fixture *f)
{
	greet(f);
	f->host->is_draining = true;
	assert_int_equal(wake(f, "p1", "made while we stop", true), CH_OK);
	fx_turns(f);
	assert_int_equal(f->at, 1);
	agent_host_drain(f->host, fiber_deadline(WAIT_MS));
	agent_host_free(f->host);
	assert_int_equal(input_recover(f->sessions, NULL, NULL, &f->err), CH_OK);
	fx_new_host(f);
	assert_int_equal(agent_host_recover(f->host, &f->err), CH_OK);
	fx_wait_run(f, "exec:p1");
	assert_string_equal(fx_roles(f), "user assistant user assistant");
	assert_non_null(strstr(fx_text(f, 2), "made while we stop"));
	assert_true(json_get_bool(json_get(meta_of(f, "exec:p1"), "origin"), "tainted", false));
	assert_int_equal(wake(f, "p1", "made while we stop", true), CH_OK);
	fx_turns(f);
	assert_int_equal(f->at, 2);
}

static void what_waited_is_told_after_a_restart(void **state)
{
	static const struct step *const script[] = { hello, hello, NULL };

	fx_run(*state, script, restart_body);
}

/* What goes with an event is in its transaction or not at all. */
static ch_status fails(void *arg, struct ch_err *err)
{
	return ch_fail(err, CH_E_IO, "no");
}

static void also_body(struct fixture *f)
{
	struct run_origin origin = { .kind = "internal_system", .tool = "exec" };
	struct run_input in = { .session_key = KEY, .run_id = "exec:p1", .text = "made", .is_plain = true, .origin = &origin,
				.also = fails };
	struct input_row row;

	greet(f);
	assert_int_equal(agent_submit(f->host, &in, f->arena, &f->sent, &f->err), CH_E_IO);
	assert_int_equal(input_find(f->sessions, KEY, "exec:p1", f->arena, &row, &f->err), CH_E_NOT_FOUND);
	fx_turns(f);
	assert_int_equal(f->at, 1);
}

static void what_goes_along_is_in_the_transaction(void **state)
{
	static const struct step *const script[] = { hello, NULL };

	fx_run(*state, script, also_body);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FX_TEST(an_idle_session_gets_a_turn_once), FX_TEST(an_event_makes_no_session),
		FX_TEST(a_running_turn_takes_it_up), FX_TEST(test_threat_rights_an_event_has_those_of_the_last_writer),
		FX_TEST(a_burst_is_held_and_told_together),
		FX_TEST(a_person_is_not_held_and_takes_them_along), FX_TEST(what_waited_is_told_after_a_restart),
		FX_TEST(what_goes_along_is_in_the_transaction),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
