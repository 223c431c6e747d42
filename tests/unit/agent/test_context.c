/*
 * What fills the window: the lean prompt keeps its budget whatever the workspace holds; /context says what is there.
 */
#include "agent_fixture.h"

#include "agent/context.h"
#include "agent/home.h"

static const struct step ok[] = { { ST_TEXT, "ok" }, { ST_USAGE, .n = 777, .m = 2 }, { ST_END } };
static const struct step *const oks[] = { ok, ok, ok, ok, ok, ok, ok, ok, NULL };

static void put(const struct fixture *f, const char *name, const char *text)
{
	char path[256];
	FILE *file;

	snprintf(path, sizeof(path), "%s/workspace/%s", f->base, name);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static int turn_number;

static const char *say(struct fixture *f, const char *text)
{
	char run[16];

	snprintf(run, sizeof(run), "r%d", ++turn_number);
	fx_send(f, run, text);
	fx_wait_run(f, run);
	return fx_text(f, json_len(fx_rows(f)) - 1);
}

/* -- lean -- */

static int64_t overhead(struct fixture *f, enum prompt_mode *ret_mode)
{
	CH_AUTO(sess_unref) struct sess *s = NULL;
	struct context_report report;
	int64_t tokens;

	assert_int_equal(sess_find(f->sessions, KEY, &s, &f->err), CH_OK);
	assert_int_equal(context_report(f->host, s, f->arena, &report, &f->err), CH_OK);
	*ret_mode = report.prompt->mode;
	tokens = report.prompt->tokens + model_estimate_tokens(f->volatile_prompt, strlen(f->volatile_prompt));
	context_report_done(&report);
	return tokens;
}

static void check_lean(struct fixture *f)
{
	CH_AUTO_BUF struct buf big = { 0 };
	enum prompt_mode mode;

	say(f, "hello");
	assert_true(overhead(f, &mode) < PROMPT_LEAN_TOKENS);
	assert_int_equal(mode, PROMPT_LEAN);
	/* Long files, in a script that costs a token a character. */
	buf_init(&big, 1u << 20);
	while (big.len < 60000)
		buf_puts(&big, "海辺の小さな家で暮らす。");
	put(f, "AGENTS.md", big.data);
	put(f, "SOUL.md", big.data);
	put(f, "USER.md", big.data);
	put(f, "MEMORY.md", big.data);
	say(f, "and now");
	assert_true(overhead(f, &mode) < PROMPT_LEAN_TOKENS);
	assert_non_null(strstr(f->prompts.at[1], "[AGENTS.md is cut here"));
	assert_null(strstr(f->prompts.at[1], "# Safety"));
	/* The tools are there, without the notes of their arguments. */
	assert_true(f->tools > 0);
}

static void a_lean_prompt_keeps_its_budget(void **state)
{
	struct fixture *f = *state;

	f->window = 8192;
	fx_run(f, oks, check_lean);
}

static void check_choice(struct fixture *f)
{
	const struct config *c = f->config;
	struct model_entry small = { .provider = "mock", .api = "openai-completions", .context_window = 8192 };
	struct model_entry local = { .provider = "ollama", .api = "ollama", .context_window = 32768 };
	struct model_entry large = { .provider = "ollama", .api = "ollama", .context_window = 131072 };
	struct model_entry unknown = { .provider = "mock", .api = "openai-completions" };

	assert_int_equal(prompt_mode_for(c, "main", &small), PROMPT_LEAN);
	assert_int_equal(prompt_mode_for(c, "main", &local), PROMPT_LEAN);
	assert_int_equal(prompt_mode_for(c, "main", &large), PROMPT_FULL);
	assert_int_equal(prompt_mode_for(c, "main", &unknown), PROMPT_FULL);
	fx_set_config(f, "{agents:{defaults:{experimental:{localModelLean:true}},entries:{slow:{experimental:{localModelLean:false}}}}}");
	assert_int_equal(prompt_mode_for(f->config, "main", &large), PROMPT_LEAN);
	assert_int_equal(prompt_mode_for(f->config, "slow", &small), PROMPT_FULL);
}

static void the_window_or_the_owner_chooses(void **state)
{
	fx_run(*state, oks, check_choice);
}

/* -- /context -- */

static void check_command(struct fixture *f)
{
	const char *text;
	struct json *report;

	say(f, "hello");
	text = say(f, "/context");
	assert_non_null(strstr(text, "of 200,000 tokens, `mock/mock-1`"));
	assert_non_null(strstr(text, "- Workspace files: ~"));
	assert_non_null(strstr(text, "- AGENTS.md: whole, raw "));
	assert_non_null(strstr(text, "- Reserved for the reply: ~20,000 tokens (10.0 %)"));
	assert_non_null(strstr(text, ", session_status"));
	assert_non_null(strstr(text, "The provider counted 777 for the last request."));
	put(f, "SOUL.md", " ");
	text = say(f, "/context detail");
	assert_non_null(strstr(text, "- Safety: ~"));
	assert_non_null(strstr(text, "- read: ~"));
	text = say(f, "/context json");
	assert_true(str_starts(text, "```json\n"));
	report = json_get(fx_parse(f, arena_strndup(f->arena, text + 8, strlen(text) - 11)), "report");
	assert_string_equal(json_get_str(report, "promptMode"), "full");
	assert_int_equal(json_get_int(json_get(report, "history"), "messages", 0), 2);
	assert_true(json_get_int(report, "totalTokens", 0) > 500);
	assert_non_null(strstr(say(f, "/context map"), "takes list, detail or json"));
	/* The parts are all there is. */
	assert_int_equal(f->at, 1);
}

static void a_command_shows_it(void **state)
{
	fx_run(*state, oks, check_command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FX_TEST(a_lean_prompt_keeps_its_budget), FX_TEST(the_window_or_the_owner_chooses), FX_TEST(a_command_shows_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
