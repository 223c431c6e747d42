/*
 * Slash commands: which messages are one, what is answered, and what they leave in the transcript.
 */
#include "agent_fixture.h"

#include "agent/command.h"

#define DONE { ST_USAGE, .n = 10, .m = 2 }, { ST_END }

static const struct step hello[] = { { ST_TEXT, "hello" }, DONE };
static const struct step slow[] = { { ST_TEXT, "one" }, { ST_WAIT }, DONE };

static void parse_rows(void **state)
{
	static const struct { const char *text, *name, *args; } rows[] = {
		{ "/help", "help", "" }, { "  /help  ", "help", "" }, { "/HELP", "help", "" }, { "/commands", "commands", "" },
		{ "/id", "whoami", "" }, { "/model", "model", "" }, { "/model a/b", "model", "a/b" },
		{ "/model: a/b", "model", "a/b" }, { "/new", "new", "" }, { "/new gpt", "new", "gpt" }, { "/stop", "stop", "" },
		{ "/reset", "reset", "" }, { "/status", "status", "" }, { "/whoami", "whoami", "" },
		{ "/help me please", NULL, NULL }, { "/nothing", NULL, NULL }, { "help", NULL, NULL }, { "/", NULL, NULL },
		{ "/status\nand more", NULL, NULL }, { "see /status", NULL, NULL }, { "/stop it", NULL, NULL },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		const char *args = NULL;
		const struct slash_command *c = command_parse(f->config, rows[i].text, f->arena, &args);

		if (!rows[i].name) {
			assert_null(c);
			continue;
		}
		assert_non_null(c);
		assert_string_equal(c->name, rows[i].name);
		assert_string_equal(args, rows[i].args);
	}
}

static void the_table_is_sorted(void **state)
{
	size_t n;
	const struct slash_command *const *c = slash_commands(&n);

	for (size_t i = 0; i < n; i++) {
		assert_true(!i || strcmp(c[i - 1]->name, c[i]->name) < 0);
		assert_non_null(c[i]->description);
		assert_non_null(c[i]->category);
		assert_non_null(c[i]->run);
		assert_true(!c[i]->args || c[i]->args_hint);
		for (const char *const *alias = c[i]->aliases; alias && *alias; alias++)
			assert_ptr_equal(command_find(*alias), c[i]);
	}
}

/* The text of the answer to this command. */
static const char *say(struct fixture *f, const char *run, const char *text)
{
	assert_int_equal(fx_send(f, run, text), SUBMIT_COMMAND);
	assert_int_equal(fx_wait_run(f, run).state, INPUT_DONE);
	return fx_text(f, json_len(fx_rows(f)) - 1);
}

/* Who may write but not administer does not restart the gateway by a message. */
static void admin_body(struct fixture *f)
{
	struct run_input in = { .session_key = KEY, .run_id = "c2", .text = "/restart", .sender_is_owner = true,
				.sender_is_admin = true };

	assert_non_null(strstr(say(f, "c1", "/restart"), "operator.admin"));
	assert_int_equal(agent_submit(f->host, &in, f->arena, &f->sent, &f->err), CH_OK);
	assert_int_equal(fx_wait_run(f, "c2").state, INPUT_DONE);
	assert_non_null(strstr(fx_text(f, json_len(fx_rows(f)) - 1), "cannot start itself again"));
}

static void answers_body(struct fixture *f)
{
	CH_AUTO(sess_unref) struct sess *s = NULL;

	assert_non_null(strstr(say(f, "c1", "/help"), "- `/model [ref | list | status | default]` - Show or choose"));
	/* One chat frame, no agent frames, and both rows are outside the model's context. */
	assert_int_equal(fx_count(f, "\"event\":\"agent\""), 0);
	assert_int_equal(fx_count(f, "\"event\":\"chat\""), 1);
	assert_int_equal(fx_count(f, "\"seq\":1,\"state\":\"final\",\"message\":{\"role\":\"assistant\""), 1);
	assert_int_equal(fx_count(f, "\"model\":\"gateway-injected\",\"idempotencyKey\":\"c1\",\"excludeFromContext\":true,"
				     "\"__openclaw\":{\"contextFreeCommand\":true}"), 1);
	assert_true(json_get_bool(json_at(fx_rows(f), 0), "excludeFromContext", false));
	assert_string_equal(json_get_str(json_at(fx_rows(f), 0), "idempotencyKey"), "c1:user");
	assert_non_null(strstr(say(f, "c2", "/whoami"), "the owner of this gateway, writing by `backend`"));
	assert_non_null(strstr(say(f, "c3", "/status"), "- Model: `mock/mock-1`\n- Session: `" KEY "`, 4 messages"));
	assert_string_equal(say(f, "c4", "/stop"), "Nothing is running in this session.");
	assert_int_equal(fx_send(f, "c4", "/stop"), SUBMIT_ENDED);
	assert_int_equal(fx_send(f, "r1", "/nothing"), SUBMIT_STARTED);
	fx_wait_run(f, "r1");
	assert_int_equal(json_len(fx_parse(f, f->asked.at[0])), 1);
	say(f, "c9", "/help");
	assert_int_equal(sess_find(f->sessions, KEY, &s, &f->err), CH_OK);
	assert_string_equal(s->status, "done");  /* a command is no turn */
}

static void answers(void **state)
{
	static const struct step *const script[] = { hello, NULL };

	fx_run(*state, script, answers_body);
}

static void restart_takes_an_administrator(void **state)
{
	static const struct step *const script[] = { hello, NULL };

	fx_run(*state, script, admin_body);
}

static void model_body(struct fixture *f)
{
	assert_non_null(strstr(say(f, "c1", "/model"), "`mock/mock-1` (from: config)"));
	assert_string_equal(say(f, "c2", "/model mock/mock-2"), "Model of this session: `mock/mock-2`.");
	fx_send(f, "r1", "hi");
	fx_wait_run(f, "r1");
	assert_true(fx_count(f, "\"phase\":\"model\",\"provider\":\"mock\",\"model\":\"mock-2\"") == 1);
	assert_string_equal(say(f, "c3", "/model what/ever"), "⚠️ there is no model 'what/ever'");
	assert_non_null(strstr(say(f, "c4", "/model"), "`mock/mock-2` (from: session)"));
	assert_non_null(strstr(say(f, "c5", "/model default"), "default model again"));
	assert_non_null(strstr(say(f, "c6", "/model"), "`mock/mock-1`"));
	/* A mistyped model does not cost the conversation. */
	assert_string_equal(say(f, "c7", "/new what/ever"), "⚠️ there is no model 'what/ever'");
	assert_true(json_len(fx_rows(f)) > 10);
}

static void chooses_a_model(void **state)
{
	static const struct step *const script[] = { hello, NULL };

	fx_run(*state, script, model_body);
}

static void stop_body(struct fixture *f)
{
	fx_send(f, "r1", "a");
	fx_reach(f, 1);
	fx_send_mode(f, "r2", "b", "followup");
	assert_string_equal(say(f, "c1", "/stop"), "⏹ Stopped 2 runs.");
	assert_int_equal(fx_wait_run(f, "r1").state, INPUT_ABORTED);
	assert_int_equal(fx_wait_run(f, "r2").state, INPUT_CANCELED);
	assert_int_equal(fx_count(f, "\"stopReason\":\"stop\",\"message\":{\"role\":\"assistant\",\"content\":[{\"type\":"
				     "\"text\",\"text\":\"one\""), 1);
}

static void stops(void **state)
{
	static const struct step *const script[] = { slow, NULL };

	fx_run(*state, script, stop_body);
}

static void new_body(struct fixture *f)
{
	CH_AUTO(sess_unref) struct sess *s = NULL;
	char before[64];

	fx_send(f, "r1", "remember 42");
	fx_wait_run(f, "r1");
	fx_send(f, "r2", "a slow one");
	fx_reach(f, 1);
	assert_int_equal(sess_find(f->sessions, KEY, &s, &f->err), CH_OK);
	snprintf(before, sizeof(before), "%s", s->session_id);
	assert_string_equal(say(f, "c1", "/new"), "✅ New session started.");
	assert_int_equal(fx_wait_run(f, "r2").state, INPUT_ABORTED);
	assert_string_not_equal(s->session_id, before);
	assert_string_equal(fx_roles(f), "user assistant");
	fx_send(f, "r3", "what did I say?");
	fx_wait_run(f, "r3");
	assert_int_equal(json_len(fx_parse(f, f->asked.at[2])), 1);
}

static void starts_anew(void **state)
{
	static const struct step *const script[] = { hello, slow, hello, NULL };

	fx_run(*state, script, new_body);
}

static void reset_body(struct fixture *f)
{
	fx_send(f, "r1", "remember 42");
	fx_wait_run(f, "r1");
	assert_string_equal(say(f, "c1", "/reset"), "✅ Session reset.");
	fx_send(f, "r2", "what did I say?");
	fx_wait_run(f, "r2");
	assert_int_equal(json_len(fx_parse(f, f->asked.at[1])), 1);
}

static void resets(void **state)
{
	static const struct step *const script[] = { hello, hello, NULL };

	fx_run(*state, script, reset_body);
}

static void guests_body(struct fixture *f)
{
	struct run_input in = { .session_key = KEY, .run_id = "r1", .text = "/status" };
	struct submit_result res;

	assert_int_equal(agent_submit(f->host, &in, f->arena, &res, &f->err), CH_OK);
	assert_int_equal(res.status, SUBMIT_STARTED);
	fx_wait_run(f, "r1");
	fx_set_config(f, "{commands:{text:false}}");
	assert_int_equal(fx_send(f, "r2", "/status"), SUBMIT_STARTED);
	fx_wait_run(f, "r2");
}

static void commands_are_for_the_owner(void **state)
{
	static const struct step *const script[] = { hello, hello, NULL };

	fx_run(*state, script, guests_body);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FX_TEST(parse_rows), FX_TEST(the_table_is_sorted), FX_TEST(answers), FX_TEST(chooses_a_model), FX_TEST(stops),
		FX_TEST(starts_anew), FX_TEST(resets), FX_TEST(commands_are_for_the_owner),
		FX_TEST(restart_takes_an_administrator),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
