/*
 * What an API client brings to a run: tools that are handed out, history that comes first, and what it hears.
 */
#include "agent_fixture.h"

#include "agent/extras.h"

#define DONE { ST_USAGE, .n = 10, .m = 2 }, { ST_END }

static const struct step hello[] = { { ST_TEXT, "hello" }, { ST_TEXT, " there" }, DONE };

struct heard {
	struct buf text;
	int ends;
	enum input_state state;
	char stop[32], error[256], handed[512];
	size_t handed_count, text_len;
	int64_t output;
};

static void on_text(void *arg, const char *delta, size_t len)
{
	struct heard *h = arg;

	buf_append(&h->text, delta, len);
	buf_putc(&h->text, '|');
}

static void on_end(void *arg, const struct run_end *end)
{
	struct heard *h = arg;

	h->ends++;
	h->state = end->state;
	snprintf(h->stop, sizeof(h->stop), "%s", end->stop ? end->stop : "");
	snprintf(h->error, sizeof(h->error), "%s", end->error ? end->error : "");
	for (size_t i = 0; i < end->handed_count; i++) {
		size_t n = strlen(h->handed);

		snprintf(h->handed + n, sizeof(h->handed) - n, "%s:%s:%s ", end->handed[i].id, end->handed[i].name,
			 end->handed[i].args_text);
	}
	h->handed_count = end->handed_count;
	h->text_len = end->text_len;
	h->output = end->usage.output;
}

static const struct model_tool weather[] = {
	{ "weather", "The weather of a town", "{\"type\":\"object\",\"properties\":{\"town\":{\"type\":\"string\"}}}" },
	{ "read", "Reads at the client's", "{\"type\":\"object\"}" },
};

static struct heard heard;
static struct run_follower follower = { on_text, on_end, &heard };

static void begin(void)
{
	buf_done(&heard.text);
	heard = (struct heard){ 0 };
	buf_init(&heard.text, 65536);
}

static void send_extras(struct fixture *f, const char *run_id, const char *text, const struct run_extras *x)
{
	struct run_input in = { .session_key = KEY, .run_id = run_id, .text = text, .sender_is_owner = true, .is_plain = true,
				.queue_mode = "followup", .extras = x };

	if (agent_submit(f->host, &in, f->arena, &f->sent, &f->err))
		fail_msg("%s", f->err.text);
	fx_wait_run(f, run_id);
}

/* -- tools -- */

static void round_trip_body(struct fixture *f)
{
	struct run_extras x = { .tools = weather, .tool_count = 2, .follower = &follower };

	begin();
	send_extras(f, "r1", "/status of the sky", &x);
	assert_int_equal(heard.ends, 1);
	assert_int_equal(heard.state, INPUT_DONE);
	assert_string_equal(heard.stop, "toolUse");
	assert_string_equal(heard.handed, "c1:weather:{\"town\":\"Bern\"} c3:read:{\"path\":\"x\"} ");
	assert_string_equal(buf_str(&heard.text), "Let me see|");
	/* The agent's own call of the reply was run, the client's wait for their results. */
	assert_string_equal(fx_roles(f), "user assistant toolResult");
	assert_string_equal(json_get_str(json_at(fx_rows(f), 2), "toolCallId"), "c2");
	assert_non_null(strstr(f->volatile_prompt, "runs further tools for you: weather, read."));

	x.history = fx_parse(f, "[{\"role\":\"toolResult\",\"toolCallId\":\"c1\",\"toolName\":\"weather\",\"content\":"
				"[{\"type\":\"text\",\"text\":\"sunny\"}],\"isError\":false}]");
	x.history_new = 1;
	x.result = fx_parse(f, "{\"role\":\"toolResult\",\"toolCallId\":\"c3\",\"toolName\":\"read\",\"content\":"
			       "[{\"type\":\"text\",\"text\":\"blue\"}],\"isError\":false}");
	begin();
	send_extras(f, "r2", "", &x);
	assert_int_equal(heard.state, INPUT_DONE);
	assert_string_equal(heard.stop, "stop");
	assert_string_equal(buf_str(&heard.text), "hello| there|");
	assert_int_equal(heard.output, 2);
	assert_string_equal(fx_roles(f), "user assistant toolResult toolResult toolResult assistant");
	assert_non_null(strstr(f->asked.at[1], "sunny"));
	assert_non_null(strstr(f->asked.at[1], "blue"));
	buf_done(&heard.text);
}

static void calls_of_the_clients_tools_are_handed_out(void **state)
{
	static const struct step calls[] = {
		{ ST_TEXT, "Let me see" }, { ST_TOOL, "c1", "weather", "{\"town\":\"Bern\"}" },
		{ ST_TOOL, "c2", "session_status", "{}" }, { ST_TOOL, "c3", "read", "{\"path\":\"x\"}" }, DONE,
	};
	static const struct step *const script[] = { calls, hello, NULL };

	fx_run(*state, script, round_trip_body);
}

static void malformed_body(struct fixture *f)
{
	struct run_extras x = { .tools = weather, .tool_count = 1, .follower = &follower };

	begin();
	send_extras(f, "r1", "go", &x);
	assert_string_equal(fx_roles(f), "user assistant toolResult assistant");
	assert_non_null(strstr(fx_text(f, 2), "not valid JSON"));
	assert_string_equal(heard.stop, "stop");
	assert_int_equal(heard.handed_count, 0);
	buf_done(&heard.text);
}

static void malformed_calls_are_answered_here(void **state)
{
	static const struct step calls[] = { { ST_TOOL, "c1", "weather", "{town}" }, DONE };
	static const struct step *const script[] = { calls, hello, NULL };

	fx_run(*state, script, malformed_body);
}

/* -- history -- */

static void history_body(struct fixture *f)
{
	struct run_extras x = {
		.history = fx_parse(f, "[{\"role\":\"user\",\"content\":\"my name is Ada\"},"
				       "{\"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":\"noted\"}],"
				       "\"stopReason\":\"stop\"}]"),
	};

	send_extras(f, "r1", "who am I?", &x);
	assert_string_equal(fx_roles(f), "user assistant user assistant");
	assert_non_null(strstr(f->asked.at[0], "my name is Ada"));
	/* A session that is known keeps its own. */
	send_extras(f, "r2", "again", &x);
	assert_string_equal(fx_roles(f), "user assistant user assistant user assistant");
}

static void history_goes_before_the_first_input_only(void **state)
{
	static const struct step *const script[] = { hello, hello, NULL };

	fx_run(*state, script, history_body);
}

/* -- the follower -- */

static void no_retry_body(struct fixture *f)
{
	struct run_extras x = { .follower = &follower };

	begin();
	send_extras(f, "r1", "go", &x);
	assert_int_equal(heard.ends, 1);
	assert_int_equal(heard.state, INPUT_FAILED);
	assert_non_null(strstr(heard.error, "stopped"));
	assert_string_equal(buf_str(&heard.text), "half|");
	buf_done(&heard.text);
}

static void what_was_told_is_not_taken_back(void **state)
{
	static const struct step cut[] = {
		{ ST_TEXT, "half" }, { ST_RETRY, "cut", .n = 1000, .m = 2, .k = 9 }, { ST_TEXT, "whole" }, DONE,
	};
	static const struct step *const script[] = { cut, NULL };

	fx_run(*state, script, no_retry_body);
}

static void retry_body(struct fixture *f)
{
	struct run_follower quiet = { NULL, on_end, &heard };
	struct run_extras x = { .follower = &quiet };

	begin();
	send_extras(f, "r1", "go", &x);
	assert_int_equal(heard.state, INPUT_DONE);
	assert_int_equal(heard.text_len, 5);
	buf_done(&heard.text);
}

static void who_waits_for_the_end_gets_the_retry(void **state)
{
	static const struct step cut[] = {
		{ ST_TEXT, "half" }, { ST_RETRY, "cut", .n = 1000, .m = 2, .k = 9 }, { ST_TEXT, "whole" }, DONE,
	};
	static const struct step *const script[] = { cut, NULL };

	fx_run(*state, script, retry_body);
}

static void left_body(struct fixture *f)
{
	struct run_extras x = { .follower = &follower };
	struct run_input in = { .session_key = KEY, .run_id = "r1", .text = "go", .extras = &x };
	const char *const *ids;

	begin();
	assert_int_equal(agent_submit(f->host, &in, f->arena, &f->sent, &f->err), CH_OK);
	while (f->waits_reached < 1)
		assert_int_equal(fiber_cond_wait(&f->reached, fiber_deadline(WAIT_MS)), CH_OK);
	agent_unfollow(f->host, "r1");
	assert_int_equal(agent_abort(f->host, KEY, "r1", "client", f->arena, &ids, &f->err), CH_OK);
	fx_wait_run(f, "r1");
	assert_int_equal(heard.ends, 0);
	buf_done(&heard.text);
}

static void who_left_hears_nothing(void **state)
{
	static const struct step wait[] = { { ST_WAIT }, { ST_TEXT, "late" }, DONE };
	static const struct step *const script[] = { wait, NULL };

	fx_run(*state, script, left_body);
}

static void refused_body(struct fixture *f)
{
	struct model_tool twice[] = { weather[0], weather[0] };
	struct run_extras x = { .tools = twice, .tool_count = 2 };
	struct run_input in = { .session_key = KEY, .run_id = "r1", .text = "go", .extras = &x };

	assert_int_equal(agent_submit(f->host, &in, f->arena, &f->sent, &f->err), CH_E_INVALID);
	assert_non_null(strstr(f->err.text, "two tools are named 'weather'"));
	x.tool_count = EXTRAS_TOOLS_MAX + 1;
	assert_int_equal(agent_submit(f->host, &in, f->arena, &f->sent, &f->err), CH_E_INVALID);
}

static void extras_without_sense_are_refused(void **state)
{
	static const struct step *const script[] = { NULL };

	fx_run(*state, script, refused_body);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FX_TEST(calls_of_the_clients_tools_are_handed_out),
		FX_TEST(malformed_calls_are_answered_here),
		FX_TEST(history_goes_before_the_first_input_only),
		FX_TEST(what_was_told_is_not_taken_back),
		FX_TEST(who_waits_for_the_end_gets_the_retry),
		FX_TEST(who_left_hears_nothing),
		FX_TEST(extras_without_sense_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
