/*
 * The tool loop: what calls get for an answer, in which order, and what ends the loop.
 */
#include "agent_fixture.h"

#define DONE { ST_USAGE, .n = 10, .m = 2 }, { ST_END }

static const struct step hello[] = { { ST_TEXT, "hello" }, DONE };

static const char *result_text(struct fixture *f, size_t row)
{
	const struct json *m = json_at(fx_rows(f), row);

	assert_string_equal(json_get_str(m, "role"), "toolResult");
	return json_str(json_path(m, "content.0.text"));
}

static bool is_error(struct fixture *f, size_t row)
{
	return json_get_bool(json_at(fx_rows(f), row), "isError", false);
}

/* -- one reply, several calls -- */

static void answers_body(struct fixture *f)
{
	fx_send(f, "r1", "go");
	assert_int_equal(fx_wait_run(f, "r1").state, INPUT_DONE);
	assert_string_equal(fx_roles(f), "user assistant toolResult toolResult toolResult toolResult toolResult assistant");
	assert_non_null(strstr(result_text(f, 2), "There is no tool 'fly'. The tools are: "));
	assert_non_null(strstr(result_text(f, 2), ", read, "));
	assert_non_null(strstr(result_text(f, 3), "not valid JSON (line 1 column"));
	assert_non_null(strstr(result_text(f, 3), "They began: {\"path\": nope}"));
	assert_string_equal(result_text(f, 4), "'path' is missing");
	assert_non_null(strstr(result_text(f, 5), "they are not a JSON object"));
	assert_non_null(strstr(result_text(f, 6), "'missing.txt' does not exist"));
	for (size_t i = 2; i < 7; i++)
		assert_true(is_error(f, i));
	/* The transcript's call has an object for arguments, whatever was sent. */
	assert_int_equal(json_len(json_path(json_at(fx_rows(f), 1), "content.1.arguments")), 0);
	assert_int_equal(fx_count(f, "\"status\":\"failed\""), 5);
	assert_int_equal(fx_count(f, "\"successfulToolNames\":[]"), 1);
}

static void what_goes_wrong_is_answered(void **state)
{
	static const struct step calls[] = {
		{ ST_TOOL, "c1", "fly", "{}" }, { ST_TOOL, "c2", "read", "{\"path\": nope}" }, { ST_TOOL, "c3", "read", "{}" },
		{ ST_TOOL, "c4", "read", "[1]" }, { ST_TOOL, "c5", "read", "{\"path\":\"missing.txt\"}" }, DONE,
	};
	static const struct step *const script[] = { calls, hello, NULL };

	fx_run(*state, script, answers_body);
}

static void order_body(struct fixture *f)
{
	fx_send(f, "r1", "go");
	fx_wait_run(f, "r1");
	assert_string_equal(fx_roles(f), "user assistant toolResult toolResult toolResult toolResult assistant");
	assert_non_null(strstr(result_text(f, 2), "AGENTS.md"));
	assert_non_null(strstr(result_text(f, 3), "# Who the agent is"));
	assert_non_null(strstr(result_text(f, 4), "Created out.txt"));
	assert_non_null(strstr(result_text(f, 5), "12"));
	assert_int_equal(fx_count(f, "\"successfulToolNames\":[\"list\",\"read\",\"write\"]"), 1);
	assert_true(fx_count(f, "\"replayInvalid\":true") >= 2);
	/* The first two were under way together, the write only after them. */
	size_t at[4] = { 0 }, n = 0;

	for (size_t i = 0; i < f->lines.len && n < 4; i++)
		if (strstr(f->lines.at[i], "\"stream\":\"tool\"") && strstr(f->lines.at[i], n < 2 ? "\"phase\":\"start\""
											       : "\"phase\":"))
			at[n++] = i;
	assert_non_null(strstr(f->lines.at[at[0]], "\"toolCallId\":\"c1\""));
	assert_non_null(strstr(f->lines.at[at[1]], "\"toolCallId\":\"c2\""));
}

static void results_keep_the_order_of_calls(void **state)
{
	static const struct step calls[] = {
		{ ST_TOOL, "c1", "list", "{}" }, { ST_TOOL, "c2", "read", "{\"path\":\"IDENTITY.md\"}" },
		{ ST_TOOL, "c3", "write", "{\"path\":\"out.txt\",\"content\":\"12\"}" },
		{ ST_TOOL, "c4", "read", "{\"path\":\"out.txt\"}" }, DONE,
	};
	static const struct step *const script[] = { calls, hello, NULL };

	fx_run(*state, script, order_body);
}

/* -- loops -- */

static void repeat_body(struct fixture *f)
{
	fx_send(f, "r1", "go");
	assert_int_equal(fx_wait_run(f, "r1").state, INPUT_FAILED);
	assert_int_equal(f->at, 6);
	assert_int_equal(fx_count(f, "was made 5 times in a row"), 1);
	assert_int_equal(fx_count(f, "stopped: the model made the same call of 'session_status' 6 times"), 3);
	/* The pairs are complete also in the end. */
	size_t calls = 0, results = 0;

	json_each(m, fx_rows(f)) {
		results += str_eq(json_get_str(m, "role"), "toolResult");
		json_each(block, json_get(m, "content"))
			calls += str_eq(json_get_str(block, "type"), "toolCall");
	}
	assert_int_equal(calls, 6);
	assert_int_equal(results, 6);
}

static void a_repeated_call_ends_the_turn(void **state)
{
	static const struct step call[] = { { ST_TOOL, "c1", "session_status", "{}" }, DONE };
	static const struct step *const script[] = { call, call, call, call, call, call, call, NULL };

	fx_run(*state, script, repeat_body);
}

static char round_args[RUN_ROUNDS_MAX + 1][48];

static void endless_body(struct fixture *f)
{
	fx_send(f, "r1", "go");
	assert_int_equal(fx_wait_run(f, "r1").state, INPUT_FAILED);
	assert_int_equal(f->at, RUN_ROUNDS_MAX);
	assert_int_equal(fx_count(f, "stopped after 100 model requests in one turn"), 3);
}

static void an_endless_loop_ends(void **state)
{
	static struct step steps[RUN_ROUNDS_MAX + 1][3];
	static const struct step *script[RUN_ROUNDS_MAX + 2];

	for (int i = 0; i <= RUN_ROUNDS_MAX; i++) {
		snprintf(round_args[i], sizeof(round_args[i]), "{\"path\":\"f%d\"}", i);
		steps[i][0] = (struct step){ ST_TOOL, "c", "read", round_args[i] };
		script[i] = steps[i];
	}
	fx_run(*state, script, endless_body);
}

/* -- ending inside a tool -- */

static void abort_fiber(void *arg)
{
	struct fixture *f = arg;
	const char *const *ids;

	assert_int_equal(agent_abort(f->host, KEY, "r1", "rpc", f->arena, &ids, &f->err), CH_OK);
	assert_string_equal(ids[0], "r1");
}

static void abort_tool(struct fixture *f, const struct run_event *ev)
{
	if (ev->kind == RUN_EV_AGENT && str_eq(ev->stream, "tool") && strstr(ev->data, "\"phase\":\"start\"") &&
	    strstr(ev->data, "c2"))
		fiber_spawn(f->loop, "abort", FIBER_DETACHED, abort_fiber, f);
}

static void cancel_body(struct fixture *f)
{
	f->on_event = abort_tool;
	fx_send(f, "r1", "go");
	assert_int_equal(fx_wait_run(f, "r1").state, INPUT_ABORTED);
	assert_string_equal(fx_roles(f), "user assistant toolResult toolResult toolResult");
	assert_non_null(strstr(result_text(f, 2), "session: " KEY));
	assert_string_equal(result_text(f, 4), "Not finished: the user stopped this turn.");
	assert_int_equal(f->at, 1);
	assert_int_equal(fx_count(f, "\"state\":\"aborted\""), 1);
}

static void an_abort_ends_running_tools(void **state)
{
	static const struct step calls[] = { { ST_TOOL, "c1", "session_status", "{}" },
					     { ST_TOOL, "c2", "write", "{\"path\":\"a\",\"content\":\"x\"}" },
					     { ST_TOOL, "c3", "write", "{\"path\":\"b\",\"content\":\"x\"}" }, DONE };
	static const struct step *const script[] = { calls, NULL };

	fx_run(*state, script, cancel_body);
}

/* A tool that waits for the test. */
static ch_status slow_status(void *arg, const char *key, struct buf *ret, struct ch_err *err)
{
	struct fixture *f = arg;

	if (fx_wait(f))
		return ch_fail(err, CH_E_CANCELED, "canceled");
	buf_puts(ret, "{\"late\":true}");
	return CH_OK;
}

static void late_body(struct fixture *f)
{
	f->host->tool_host = (struct tool_host){ f, slow_status, fx_config };
	fx_send(f, "r1", "go");
	fx_reach(f, 1);
	clock_fake(now_mono_ms() + 5001, now_wall_ms() + 5001);
	assert_int_equal(fx_wait_run(f, "r1").state, INPUT_DONE);
	assert_string_equal(result_text(f, 2), "session_status did not finish within 5 seconds.");
	assert_true(is_error(f, 2));
}

static void a_late_tool_is_ended(void **state)
{
	static const struct step call[] = { { ST_TOOL, "c1", "session_status", "{}" }, DONE };
	static const struct step *const script[] = { call, hello, NULL };

	fx_run(*state, script, late_body);
}

static void parallel_abort_body(struct fixture *f)
{
	const char *const *ids;

	f->host->tool_host = (struct tool_host){ f, slow_status, fx_config };
	fx_send(f, "r1", "go");
	fx_reach(f, 1);
	fx_turns(f);             /* the other one, which does not wait, is done */
	assert_int_equal(agent_abort(f->host, KEY, NULL, "rpc", f->arena, &ids, &f->err), CH_OK);
	assert_int_equal(fx_wait_run(f, "r1").state, INPUT_ABORTED);
	assert_string_equal(fx_roles(f), "user assistant toolResult toolResult");
	assert_string_equal(result_text(f, 2), "Not finished: the user stopped this turn.");
	assert_non_null(strstr(result_text(f, 3), "# Who the agent is"));
}

static void an_abort_keeps_what_is_done(void **state)
{
	static const struct step calls[] = { { ST_TOOL, "c1", "session_status", "{}" },
					     { ST_TOOL, "c2", "read", "{\"path\":\"IDENTITY.md\"}" }, DONE };
	static const struct step *const script[] = { calls, NULL };

	fx_run(*state, script, parallel_abort_body);
}

/* -- circles and budgets -- */

static int64_t news;

/* Another result each time, while there is news. */
static ch_status changing_status(void *arg, const char *key, struct buf *ret, struct ch_err *err)
{
	buf_printf(ret, "{\"n\":%lld}", (long long)news++);
	return CH_OK;
}

static void news_body(struct fixture *f)
{
	f->host->tool_host = (struct tool_host){ f, changing_status, fx_config };
	fx_send(f, "r1", "go");
	assert_int_equal(fx_wait_run(f, "r1").state, INPUT_DONE);
	assert_int_equal(fx_count(f, "\"status\":\"failed\""), 0);
}

/* Looking again and again at what changes is no loop. */
static void a_repeated_call_with_news_goes_on(void **state)
{
	static const struct step call[] = { { ST_TOOL, "c1", "session_status", "{}" }, DONE };
	static const struct step *const script[] = { call, call, call, call, call, call, call, call, hello, NULL };

	fx_run(*state, script, news_body);
}

static void turns_body(struct fixture *f)
{
	struct input_row row;

	fx_set_config(f, "{tools:{loopDetection:{enabled:true}}}");
	fx_send(f, "r1", "go");
	row = fx_wait_run(f, "r1");
	assert_int_equal(row.state, INPUT_FAILED);
	assert_non_null(strstr(row.error, "the same calls again and again without news"));
	assert_non_null(strstr(result_text(f, 2 + 2 * 12), "These two calls took turns"));
}

static void two_calls_that_take_turns_end_the_turn(void **state)
{
	static const struct step a[] = { { ST_TOOL, "c1", "read", "{\"path\":\"x\"}" }, DONE };
	static const struct step b[] = { { ST_TOOL, "c2", "read", "{\"path\":\"y\"}" }, DONE };
	static const struct step *const script[] = { a, b, a, b, a, b, a, b, a, b, a, b, a, b, a, hello, NULL };

	fx_run(*state, script, turns_body);
}

static void budget_body(struct fixture *f)
{
	struct input_row row;

	fx_set_config(f, "{tools:{limits:{maxCallsPerTurn:3}}}");
	fx_send(f, "r1", "go");
	row = fx_wait_run(f, "r1");
	assert_int_equal(row.state, INPUT_FAILED);
	assert_string_equal(row.error, "stopped after 3 tool calls in one turn (tools.limits.maxCallsPerTurn)");
	/* Each call has an answer, and the conversation goes on. */
	assert_string_equal(fx_roles(f), "user assistant toolResult toolResult toolResult toolResult assistant");
	fx_send(f, "r2", "go on");
	assert_int_equal(fx_wait_run(f, "r2").state, INPUT_DONE);
}

static void a_turn_has_a_budget_of_calls(void **state)
{
	static const struct step calls[] = { { ST_TOOL, "c1", "read", "{\"path\":\"x\"}" },
					     { ST_TOOL, "c2", "read", "{\"path\":\"y\"}" },
					     { ST_TOOL, "c3", "write", "{\"path\":\"z\",\"content\":\"\"}" },
					     { ST_TOOL, "c4", "list", "{}" }, DONE };
	static const struct step *const script[] = { calls, hello, NULL };

	fx_run(*state, script, budget_body);
}

static void seconds_body(struct fixture *f)
{
	fx_set_config(f, "{tools:{limits:{maxSecondsPerTurn:2}}}");
	fx_send(f, "r1", "go");
	fx_reach(f, 1);
	clock_fake(now_mono_ms() + 2001, now_wall_ms() + 2001);
	assert_int_equal(fx_wait_run(f, "r1").state, INPUT_ABORTED);
	assert_true(fx_count(f, "(tools.limits.maxSecondsPerTurn)") > 0);
}

static void a_turn_has_a_budget_of_time(void **state)
{
	static const struct step wait[] = { { ST_WAIT }, DONE };
	static const struct step *const script[] = { wait, NULL };

	fx_run(*state, script, seconds_body);
}

/* -- what may be used -- */

static void policy_body(struct fixture *f)
{
	fx_set_config(f, "{tools:{profile:'minimal',alsoAllow:['group:fs'],deny:['group:fs']},agents:{entries:{main:{tools:{deny:['none*']}}}}}");
	fx_send(f, "r1", "go");
	fx_wait_run(f, "r1");
	assert_string_equal(result_text(f, 2), "The tool 'write' is not available here: tools.deny names it (\"group:fs\"). "
					       "The tools are: session_status.");
	assert_non_null(strstr(f->prompts.at[0], "You can call these tools: session_status.\n"));
	fx_set_config(f, "{tools:{profile:'minimal',alsoAllow:['RE*'],allow:['read','write']}}");
	fx_send(f, "r2", "go");
	fx_wait_run(f, "r2");
	assert_non_null(strstr(f->prompts.at[2], "You can call these tools: read.\n"));
}

static void the_configuration_decides(void **state)
{
	static const struct step call[] = { { ST_TOOL, "c1", "write", "{\"path\":\"a\",\"content\":\"\"}" }, DONE };
	static const struct step *const script[] = { call, hello, hello, NULL };

	fx_run(*state, script, policy_body);
}

/* -- large output -- */

static void cut_body(struct fixture *f)
{
	char path[256];
	FILE *file;

	fx_send(f, "r1", "go");
	fx_wait_run(f, "r1");
	snprintf(path, sizeof(path), "%s/workspace/dir", f->base);
	assert_int_equal(mkdir(path, 0700), 0);
	for (int i = 0; i < 990; i++) {
		snprintf(path, sizeof(path), "%s/workspace/dir/%04d-%060d", f->base, i, i);
		file = fopen(path, "w");
		assert_non_null(file);
		fclose(file);
	}
	fx_send(f, "r2", "go");
	fx_wait_run(f, "r2");
	const char *text = result_text(f, 4);

	assert_non_null(strstr(text, "\n[cut here: "));
	assert_in_range(strlen(text), 64u << 10, (64u << 10) + 64);
}

static void long_output_is_cut(void **state)
{
	static const struct step call[] = { { ST_TOOL, "c1", "list", "{\"path\":\"dir\"}" }, DONE };
	static const struct step *const script[] = { hello, call, hello, NULL };

	fx_run(*state, script, cut_body);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FX_TEST(what_goes_wrong_is_answered), FX_TEST(results_keep_the_order_of_calls),
		FX_TEST(a_repeated_call_ends_the_turn), FX_TEST(an_endless_loop_ends), FX_TEST(an_abort_ends_running_tools),
		FX_TEST(a_late_tool_is_ended), FX_TEST(an_abort_keeps_what_is_done),
		FX_TEST(a_repeated_call_with_news_goes_on), FX_TEST(two_calls_that_take_turns_end_the_turn),
		FX_TEST(a_turn_has_a_budget_of_calls), FX_TEST(a_turn_has_a_budget_of_time),
		FX_TEST(the_configuration_decides), FX_TEST(long_output_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
