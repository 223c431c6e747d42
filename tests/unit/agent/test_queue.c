/*
 * Messages that come while a turn runs: quiet time, collecting, the cap and what is dropped.
 */
#include "agent_fixture.h"

#include "agent/queue.h"

#define TEXT(t) { ST_TEXT, t }
#define DONE { ST_USAGE, .n = 10, .m = 2 }, { ST_END }

static const struct step hello[] = { TEXT("hello"), DONE };
static const struct step slow[] = { TEXT("one "), { ST_WAIT }, TEXT("two"), DONE };

/* -- settings -- */

static void parse_rows(void **state)
{
	static const struct { const char *text, *shown; } rows[] = {
		{ "collect", "collect - - -" }, { "collect debounce:0.5s cap:25 drop:old", "collect 500 25 old" },
		{ "  interrupt ", "interrupt - - -" }, { "debounce:2m", "- 120000 - -" }, { "cap:1", "- - 1 -" },
		{ "drop:NEW", "- - - new" }, { "debounce:250", "- 250 - -" }, { "default", "reset" }, { "", "- - - -" },
		{ "sometimes", NULL }, { "steer collect", NULL }, { "cap:0", NULL }, { "cap:x", NULL }, { "drop:all", NULL },
		{ "debounce:soon", NULL }, { "default cap:2", NULL }, { "speed:9", NULL }, { "debounce:2d", NULL },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		struct queue_choice c;
		char shown[80] = "reset", debounce[24] = "-", cap[24] = "-";
		ch_status st = queue_parse(f->arena, rows[i].text, &c, &f->err);

		if (!rows[i].shown) {
			assert_int_equal(st, CH_E_INVALID);
			continue;
		}
		assert_int_equal(st, CH_OK);
		if (c.has_debounce)
			snprintf(debounce, sizeof(debounce), "%d", (int)c.to.debounce_ms);
		if (c.has_cap)
			snprintf(cap, sizeof(cap), "%d", (int)c.to.cap);
		if (!c.is_reset)
			snprintf(shown, sizeof(shown), "%s %s %s %s", c.has_mode ? queue_mode_name(c.to.mode) : "-", debounce, cap,
				 c.has_drop ? queue_drop_name(c.to.drop) : "-");
		assert_string_equal(shown, rows[i].shown);
	}
}

static void who_decides(void **state)
{
	struct fixture *f = *state;
	struct sess s = { 0 };
	struct queue_settings q;

	queue_settings_of(f->config, &s, NULL, &q);
	assert_int_equal(q.mode, QUEUE_STEER);
	assert_int_equal(q.drop, QUEUE_DROP_SUMMARIZE);
	assert_int_equal(q.cap, 20);
	assert_int_equal(q.debounce_ms, 500);
	fx_set_config(f, "{messages:{queue:{mode:'followup',cap:3,drop:'old',byChannel:{discord:'collect'},"
			 "debounceMsByChannel:{discord:1000}}}}");
	queue_settings_of(f->config, &s, "webchat", &q);
	assert_int_equal(q.mode, QUEUE_FOLLOWUP);
	assert_int_equal(q.debounce_ms, 500);
	queue_settings_of(f->config, &s, "discord", &q);
	assert_int_equal(q.mode, QUEUE_COLLECT);
	assert_int_equal(q.debounce_ms, 1000);
	s.queue_mode = "interrupt";
	s.extra = "{\"other\":1,\"queue\":{\"cap\":7,\"drop\":\"new\",\"debounceMs\":5}}";
	queue_settings_of(f->config, &s, "discord", &q);
	assert_int_equal(q.mode, QUEUE_INTERRUPT);
	assert_int_equal(q.drop, QUEUE_DROP_NEW);
	assert_int_equal(q.cap, 7);
	assert_int_equal(q.debounce_ms, 5);
}

/* -- quiet time -- */

static void quiet_body(struct fixture *f)
{
	fx_send(f, "r1", "first");
	fx_reach(f, 1);
	fx_send_mode(f, "r2", "second", "followup");
	fx_release(f);
	fx_wait_run(f, "r1");
	fx_turns(f);
	assert_int_equal(f->at, 1);      /* more may follow */
	clock_fake(now_mono_ms() + 499, now_wall_ms() + 499);
	fx_turns(f);
	assert_int_equal(f->at, 1);
	clock_fake(now_mono_ms() + 1, now_wall_ms() + 1);
	assert_int_equal(fx_wait_run(f, "r2").state, INPUT_DONE);
}

static void waits_for_quiet(void **state)
{
	static const struct step *const script[] = { slow, hello, NULL };

	fx_run(*state, script, quiet_body);
}

/* -- collect -- */

static enum submit_status send_in(struct fixture *f, const char *run, const char *text, const char *thread)
{
	struct run_input in = { .session_key = KEY, .run_id = run, .text = text, .queue_mode = "collect", .thread = thread,
				.sender_is_owner = true };

	assert_int_equal(agent_submit(f->host, &in, f->arena, &f->sent, &f->err), CH_OK);
	return f->sent.status;
}

static void collect_body(struct fixture *f)
{
	fx_send(f, "r1", "first");
	fx_reach(f, 1);
	send_in(f, "r2", "two", NULL);
	send_in(f, "r3", "three", NULL);
	send_in(f, "r4", "elsewhere", "discord:42");
	send_in(f, "r5", "five", NULL);
	fx_turns(f);
	assert_int_equal(fx_count(f, "\"seq\":1,\"state\":\"final\""), 4);
	fx_quiet(f);
	fx_release(f);
	assert_int_equal(fx_wait_run(f, "r5").state, INPUT_DONE);
	assert_int_equal(fx_wait_run(f, "r2").state, INPUT_DONE);
	assert_int_equal(fx_wait_run(f, "r3").state, INPUT_ABSORBED);
	assert_int_equal(fx_wait_run(f, "r4").state, INPUT_DONE);
	assert_string_equal(fx_roles(f), "user assistant user assistant user assistant user assistant");
	assert_string_equal(fx_text(f, 2), "[Messages that came while you were busy]\n\n(1) two\n\n(2) three");
	assert_string_equal(fx_text(f, 4), "elsewhere");
	assert_string_equal(fx_text(f, 6), "five");
	assert_null(agent_active_runs(f->host, KEY, f->arena)[0]);
}

static void collects_by_thread(void **state)
{
	static const struct step *const script[] = { slow, hello, hello, hello, NULL };

	fx_run(*state, script, collect_body);
}

/* -- too many -- */

static void summarize_body(struct fixture *f)
{
	fx_set_config(f, "{messages:{queue:{mode:'followup',cap:1}}}");
	fx_send(f, "r1", "first");
	fx_reach(f, 1);
	fx_send(f, "r2", "two\nwith more");
	fx_send(f, "r3", "three");
	assert_int_equal(fx_send(f, "r4", "four"), SUBMIT_QUEUED);
	assert_int_equal(fx_send(f, "r2", "two"), SUBMIT_IN_FLIGHT);
	fx_quiet(f);
	fx_release(f);
	assert_int_equal(fx_wait_run(f, "r4").state, INPUT_DONE);
	assert_int_equal(fx_wait_run(f, "r2").state, INPUT_ABSORBED);
	assert_int_equal(fx_wait_run(f, "r3").state, INPUT_ABSORBED);
	assert_string_equal(fx_roles(f), "user assistant user assistant");
	assert_string_equal(fx_text(f, 2), "[2 earlier messages had to be dropped while you were busy. What they began with:\n"
					   "- two…\n- three\n]\n\nfour");
}

static void keeps_a_line_of_the_dropped(void **state)
{
	static const struct step *const script[] = { slow, hello, NULL };

	fx_run(*state, script, summarize_body);
}

static void old_body(struct fixture *f)
{
	fx_set_config(f, "{messages:{queue:{mode:'followup',cap:1,drop:'old'}}}");
	fx_send(f, "r1", "first");
	fx_reach(f, 1);
	fx_send(f, "r2", "two");
	fx_send(f, "r3", "three");
	assert_int_equal(fx_wait_run(f, "r2").state, INPUT_CANCELED);
	fx_quiet(f);
	fx_release(f);
	assert_int_equal(fx_wait_run(f, "r3").state, INPUT_DONE);
	/* The mark is seen, and not by the model. */
	assert_string_equal(fx_text(f, 1), "⚠️ Not answered, too many messages were waiting: \"two\"");
	assert_null(strstr(f->asked.at[1], "Not answered"));
	assert_int_equal(json_len(fx_parse(f, f->asked.at[1])), 3);
}

static void drops_the_oldest_visibly(void **state)
{
	static const struct step *const script[] = { slow, hello, NULL };

	fx_run(*state, script, old_body);
}

/* Nothing that was dropped to a line is lost when what should carry it is cancelled. */
static void orphan_body(struct fixture *f)
{
	const char *const *ids;

	fx_set_config(f, "{messages:{queue:{mode:'followup',cap:1}}}");
	fx_send(f, "r1", "first");
	fx_reach(f, 1);
	fx_send(f, "r2", "two");
	fx_send(f, "r3", "three");
	assert_int_equal(agent_abort(f->host, KEY, "r3", "rpc", f->arena, &ids, &f->err), CH_OK);
	assert_string_equal(ids[0], "r3");
	fx_quiet(f);
	fx_release(f);
	assert_int_equal(fx_wait_run(f, "r2").state, INPUT_DONE);
	assert_string_equal(fx_text(f, 2), "two");
}

static void a_dropped_one_comes_back(void **state)
{
	static const struct step *const script[] = { slow, hello, NULL };

	fx_run(*state, script, orphan_body);
}

/* What waits goes first: else the end of what runs would bring it up. */
static void stop_all_body(struct fixture *f)
{
	const char *const *ids;

	fx_set_config(f, "{messages:{queue:{mode:'followup',cap:1}}}");
	fx_send(f, "r1", "first");
	fx_reach(f, 1);
	fx_send(f, "r2", "two");
	fx_send(f, "r3", "three");
	assert_int_equal(agent_abort(f->host, KEY, NULL, "rpc", f->arena, &ids, &f->err), CH_OK);
	assert_string_equal(ids[0], "r2");
	assert_string_equal(ids[1], "r3");
	assert_string_equal(ids[2], "r1");
	assert_null(ids[3]);
	assert_int_equal(fx_wait_run(f, "r2").state, INPUT_CANCELED);
	assert_int_equal(fx_wait_run(f, "r3").state, INPUT_CANCELED);
	assert_int_equal(fx_wait_run(f, "r1").state, INPUT_ABORTED);
	assert_int_equal(f->at, 1);
}

static void a_stop_takes_the_queue_along(void **state)
{
	static const struct step *const script[] = { slow, NULL };

	fx_run(*state, script, stop_all_body);
}

/* Whichever write fails as the collected turn begins, none of its messages is left open or lost. */
static int fail_at;

static void fault_body(struct fixture *f)
{
	enum input_state first, second;

	fx_send(f, "r1", "first");
	fx_reach(f, 1);
	send_in(f, "r2", "two", NULL);
	send_in(f, "r3", "three", NULL);
	fx_release(f);
	fx_wait_run(f, "r1");
	db_fail_nth(f->db, fail_at);
	fx_quiet(f);
	first = fx_wait_run(f, "r2").state;
	second = fx_wait_run(f, "r3").state;
	db_fail_nth(f->db, 0);
	assert_true(first == INPUT_DONE || first == INPUT_FAILED);
	assert_true(second == INPUT_ABSORBED || second == INPUT_FAILED);
	assert_true((first == INPUT_FAILED) >= (second == INPUT_FAILED));
	assert_non_null(strstr(fx_text(f, 2), "(2) three"));
	assert_null(agent_active_runs(f->host, KEY, f->arena)[0]);
}

static void nothing_is_lost_to_a_failing_write(void **state)
{
	static const struct step *const script[] = { slow, hello, NULL };

	for (fail_at = 1; fail_at <= 8; fail_at++) {
		fx_run(*state, script, fault_body);
		assert_int_equal(fx_teardown(state), 0);
		assert_int_equal(fx_setup(state), 0);
	}
}

/* A command that is answered beside a turn puts rows between the turn's own: its next request must hold all of them. */
static void beside_body(struct fixture *f)
{
	fx_send(f, "r1", "first");
	fx_reach(f, 1);
	assert_int_equal(fx_send(f, "c1", "/status"), SUBMIT_COMMAND);
	assert_int_equal(fx_wait_run(f, "c1").state, INPUT_DONE);
	fx_release(f);
	assert_int_equal(fx_wait_run(f, "r1").state, INPUT_DONE);
	assert_string_equal(fx_roles(f), "user user assistant assistant toolResult assistant");
	assert_int_equal(json_len(fx_parse(f, f->asked.at[1])), 3);
	assert_non_null(strstr(f->asked.at[1], "toolResult"));
}

static void a_command_beside_a_turn(void **state)
{
	static const struct step calls[] = { { ST_TOOL, "c1", "session_status", "{}" }, { ST_WAIT }, DONE };
	static const struct step *const script[] = { calls, hello, NULL };

	fx_run(*state, script, beside_body);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FX_TEST(parse_rows),
		FX_TEST(who_decides),
		FX_TEST(waits_for_quiet),
		FX_TEST(collects_by_thread),
		FX_TEST(keeps_a_line_of_the_dropped),
		FX_TEST(drops_the_oldest_visibly),
		FX_TEST(a_dropped_one_comes_back),
		FX_TEST(a_stop_takes_the_queue_along),
		FX_TEST(nothing_is_lost_to_a_failing_write),
		FX_TEST(a_command_beside_a_turn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
