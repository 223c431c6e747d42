/*
 * Settings of a session: found in messages, kept, refused, and their effect on the turn.
 */
#include "agent_fixture.h"

#include "agent/command.h"
#include "agent/footer.h"

#define DONE { ST_USAGE, .n = 1300, .m = 2 }, { ST_END }

static const struct step hello[] = { { ST_TEXT, "hello" }, DONE };
static const struct step thinks[] = { { ST_THINK, "hm" }, { ST_THINK, "m" }, { ST_TEXT, "hello" }, DONE };
static const struct step calls[] = { { ST_TOOL, "c1", "session_status", "{}" }, DONE };

/* -- finding -- */

static void find_rows(void **state)
{
	static const struct { const char *text, *found, *rest; } rows[] = {
		{ "/think high what is this?", "think=high", "what is this?" },
		{ "what /verbose on is this", "verbose=on", "what is this" },
		{ "/think:low\nfirst\n  second", "think=low", "first\n  second" },
		{ "a\n/fast on\nb", "fast=on", "a\nb" },
		{ "/t high /v full", "think=high verbose=full", "" },
		{ "/queue collect now", "queue=collect", "now" },
		{ "/model mock/mock-2 hi", "model=mock/mock-2", "hi" },
		{ "/think about it", "", "/think about it" },
		{ "see /usr/bin/think high", "", "see /usr/bin/think high" },
		{ "x/think high", "", "x/think high" },
		{ "/think", "", "/think" },
		{ "/status now", "", "/status now" },
		{ "```\n/think high\n```\nwhy", "", "```\n/think high\n```\nwhy" },
		{ "/thinkhigh x", "", "/thinkhigh x" },
		{ "/", "", "/" },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		const char *found = "";
		struct directives d;

		directives_find(f->arena, rows[i].text, &d);
		for (size_t k = 0; k < d.len; k++)
			found = arena_printf(f->arena, "%s%s%s=%s", found, k ? " " : "", d.at[k].command->name, d.at[k].args);
		assert_string_equal(found, rows[i].found);
		assert_string_equal(d.rest, rows[i].rest);
	}
}

static const char *say(struct fixture *f, const char *run, const char *text)
{
	assert_int_equal(fx_send(f, run, text), SUBMIT_COMMAND);
	assert_int_equal(fx_wait_run(f, run).state, INPUT_DONE);
	return fx_text(f, json_len(fx_rows(f)) - 1);
}

static struct sess *session(struct fixture *f)
{
	struct sess *s;

	assert_int_equal(sess_find(f->sessions, KEY, &s, &f->err), CH_OK);
	return s;
}

static void keep_body(struct fixture *f)
{
	CH_AUTO(sess_unref) struct sess *s = NULL;

	assert_non_null(strstr(say(f, "c1", "/verbose full"), "Verbose of this session: full"));
	s = session(f);
	assert_string_equal(s->verbose_level, "full");
	assert_non_null(strstr(say(f, "c2", "/verbose"), "Verbose: full. Choices: on, full, off"));
	assert_non_null(strstr(say(f, "c3", "/verbose loud"), "⚠️ 'loud' is not one of"));
	say(f, "c4", "/verbose default");
	assert_null(s->verbose_level);
	assert_non_null(strstr(say(f, "c5", "/think high"), "does not think at level 'high'. Its levels: off."));
	assert_non_null(strstr(say(f, "c6", "/think banana"), "no thinking level"));
	assert_null(s->thinking_level);
	say(f, "c7", "/think off");
	assert_string_equal(s->thinking_level, "off");
	assert_non_null(strstr(say(f, "c8", "/fast auto\n/reasoning stream"), "Fast mode of this session: auto.\n"));
	assert_string_equal(s->fast_mode, "auto");
	assert_string_equal(s->reasoning_level, "stream");
	assert_non_null(strstr(say(f, "c9", "/queue collect cap:3 drop:old debounce:1s"),
			       "Queue: collect, debounce 1000 ms, cap 3, drop old."));
	assert_string_equal(s->queue_mode, "collect");
	assert_non_null(strstr(say(f, "c10", "/queue default"), "Queue: steer, debounce 500 ms, cap 20, drop summarize."));
	assert_non_null(strstr(say(f, "c11", "/elevated on"), "⚠️ /elevated: commands ask to leave the sandbox one by one"));
	assert_non_null(strstr(say(f, "c12", "/usage"), "Line under replies: tokens."));
	assert_non_null(strstr(say(f, "c13", "/usage reset"), "Line under replies: off, as configured."));
	assert_non_null(strstr(say(f, "c14", "/usage cost"), "- This session: $0.0000, 0 tokens in 0 requests"));
}

static void settings_are_kept(void **state)
{
	static const struct step *const script[] = { NULL };

	fx_run(*state, script, keep_body);
}

/* -- within a message -- */

static void inline_body(struct fixture *f)
{
	struct run_input in = { .session_key = KEY, .run_id = "r9", .text = "/think high why?", .sender_is_owner = true };
	CH_AUTO(sess_unref) struct sess *s = NULL;
	struct submit_result res;

	assert_int_equal(fx_send(f, "r1", "/verbose on /reasoning off what is it?"), SUBMIT_STARTED);
	fx_wait_run(f, "r1");
	assert_string_equal(fx_text(f, 0), "what is it?");
	assert_non_null(strstr(f->asked.at[0], "\"what is it?\""));
	s = session(f);
	assert_null(s->verbose_level);
	assert_int_equal(fx_send(f, "r2", "/model mock/mock-2 and now?"), SUBMIT_STARTED);
	fx_wait_run(f, "r2");
	assert_string_equal(s->model, "mock-2");
	assert_string_equal(s->model_override_source, "user");
	/* What the model cannot do is said before anything is accepted. */
	assert_int_equal(agent_submit(f->host, &in, f->arena, &res, &f->err), CH_E_INVALID);
	assert_non_null(strstr(f->err.text, "Its levels: off."));
	in.text = "/think about it";
	assert_int_equal(agent_submit(f->host, &in, f->arena, &res, &f->err), CH_OK);
	fx_wait_run(f, "r9");
	assert_non_null(strstr(f->asked.at[2], "/think about it"));
}

static void directives_hold_for_a_message(void **state)
{
	static const struct step *const script[] = { hello, hello, hello, NULL };

	fx_run(*state, script, inline_body);
}

static void steer_body(struct fixture *f)
{
	assert_int_equal(fx_send(f, "r1", "/steer hello there"), SUBMIT_STARTED);
	fx_wait_run(f, "r1");
	assert_string_equal(fx_text(f, 0), "hello there");
	fx_send(f, "r2", "go");
	fx_reach(f, 1);
	say(f, "c1", "/queue followup");
	assert_int_equal(fx_send(f, "r3", "/tell be short"), SUBMIT_QUEUED);
	fx_release(f);
	fx_wait_run(f, "r2");
	assert_int_equal(fx_wait_run(f, "r3").state, INPUT_ABSORBED);
	assert_non_null(strstr(f->asked.at[2], "be short"));
}

static void steer_goes_into_the_turn(void **state)
{
	static const struct step slow[] = { { ST_TEXT, "one" }, { ST_WAIT }, DONE };
	static const struct step *const script[] = { hello, slow, hello, NULL };

	fx_run(*state, script, steer_body);
}

/* -- effects -- */

static void verbose_body(struct fixture *f)
{
	say(f, "c1", "/verbose full");
	fx_send(f, "r1", "go");
	fx_wait_run(f, "r1");
	assert_string_equal(fx_roles(f), "user assistant user assistant assistant assistant toolResult assistant");
	assert_true(str_starts(fx_text(f, 4), "🛠️ "));
	assert_true(str_starts(fx_text(f, 5), fx_text(f, 4)));
	assert_non_null(strstr(fx_text(f, 5), "```\n"));
	/* Seen by people, not by the model. */
	assert_int_equal(json_len(fx_parse(f, f->asked.at[1])), 3);
	say(f, "c2", "/verbose off");
	fx_send(f, "r2", "go");
	fx_wait_run(f, "r2");
	assert_int_equal(json_len(fx_rows(f)), 14);
}

static void verbose_says_what_is_done(void **state)
{
	static const struct step *const script[] = { calls, hello, calls, hello, NULL };

	fx_run(*state, script, verbose_body);
}

static void reasoning_body(struct fixture *f)
{
	fx_send(f, "r1", "go");
	fx_wait_run(f, "r1");
	assert_int_equal(fx_count(f, "\"stream\":\"thinking\""), 0);
	say(f, "c1", "/reasoning stream");
	fx_send(f, "r2", "go");
	fx_wait_run(f, "r2");
	assert_int_equal(fx_count(f, "\"stream\":\"thinking\",\"data\":{\"text\":\"hmm\",\"delta\":\"m\"}"), 1);
}

static void reasoning_is_shown_on_demand(void **state)
{
	static const struct step *const script[] = { thinks, thinks, NULL };

	fx_run(*state, script, reasoning_body);
}

static void footer_body(struct fixture *f)
{
	fx_set_config(f, "{messages:{responseUsage:'tokens'}}");
	fx_send(f, "r1", "go");
	fx_wait_run(f, "r1");
	assert_int_equal(fx_count(f, "\"state\":\"final\",\"stopReason\":\"stop\",\"message\":{\"role\":\"assistant\",\"content\":[{\"type\":"
				     "\"text\",\"text\":\"hello\\n\\nUsage: 1.3k in / 2 out\"}]"), 1);
	assert_string_equal(fx_text(f, 1), "hello");     /* what was said is kept as it was said */
	say(f, "c1", "/usage full");
	fx_send(f, "r2", "go");
	fx_wait_run(f, "r2");
	assert_int_equal(fx_count(f, "hello\\n\\nmock-1 · context 0 % of 200k · 1.3k in / 2 out"), 1);
	say(f, "c2", "/usage off");
	fx_send(f, "r3", "go");
	fx_wait_run(f, "r3");
	assert_int_equal(fx_count(f, "\\n\\nUsage"), 1);
}

static void the_line_under_a_reply(void **state)
{
	static const struct step *const script[] = { hello, hello, hello, NULL };

	fx_run(*state, script, footer_body);
}

static void who_decides(void **state)
{
	struct fixture *f = *state;
	struct sess s = { .agent_id = "a" };
	struct agent_settings now;

	agent_settings_of(f->config, &s, &now);
	assert_string_equal(now.fast, "off");
	assert_string_equal(now.verbose, "off");
	assert_string_equal(now.reasoning, "off");
	assert_string_equal(now.usage, "off");
	fx_set_config(f, "{agents:{defaults:{verboseDefault:'on',fastModeDefault:true,reasoningDefault:'on'},entries:{a:"
			 "{fastModeDefault:'auto',reasoningDefault:'stream'}}},messages:{responseUsage:{default:'full',x:'off'}}}");
	agent_settings_of(f->config, &s, &now);
	assert_string_equal(now.fast, "auto");
	assert_string_equal(now.fast_source, "agent");
	assert_string_equal(now.verbose, "on");
	assert_string_equal(now.reasoning, "stream");
	assert_string_equal(now.usage, "full");
	s.channel = "x";
	s.fast_mode = "off";
	s.reasoning_level = "off";
	agent_settings_of(f->config, &s, &now);
	assert_string_equal(now.fast, "off");
	assert_string_equal(now.fast_source, "session");
	assert_string_equal(now.reasoning, "off");
	assert_string_equal(now.usage, "off");
}

static void counts(void **state)
{
	struct fixture *f = *state;

	assert_string_equal(footer_count(f->arena, 999), "999");
	assert_string_equal(footer_count(f->arena, 1300), "1.3k");
	assert_string_equal(footer_count(f->arena, 200000), "200k");
	assert_string_equal(footer_count(f->arena, 1200000), "1.2M");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FX_TEST(find_rows), FX_TEST(settings_are_kept), FX_TEST(directives_hold_for_a_message),
		FX_TEST(steer_goes_into_the_turn), FX_TEST(verbose_says_what_is_done), FX_TEST(reasoning_is_shown_on_demand),
		FX_TEST(the_line_under_a_reply), FX_TEST(who_decides), FX_TEST(counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
