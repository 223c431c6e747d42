/*
 * Runs against the recorded frames of tests/scenario: the same agent and chat frames in the same order with the
 * same fields, the same rows, the same session events. The three kinds are compared apart, because the recording
 * debounces session events.
 */
#include "agent_fixture.h"

static struct json *load(struct fixture *f, const char *name)
{
	static char line[65536];
	char path[512];
	struct json *all = json_new_arr(f->arena);
	FILE *file;

	snprintf(path, sizeof(path), "%s/../scenario/%s", TEST_FIXTURES, name);
	file = fopen(path, "r");
	if (!file)
		fail_msg("cannot open %s", path);
	while (fgets(line, sizeof(line), file)) {
		struct json *v = fx_parse(f, arena_strdup(f->arena, line));

		if (json_get(v, "event"))
			json_push(all, v);
	}
	fclose(file);
	return all;
}

static int kind_of(const struct json *v)
{
	const char *event = json_get_str(v, "event");

	return str_eq(event, "session.message") ? 1 : str_eq(event, "sessions.changed") ? 2 : 0;
}

static const struct json *next_of(const struct json *v, int kind)
{
	while (v && kind_of(v) != kind)
		v = v->next;
	return v;
}

static void compare(struct fixture *f, const char *name)
{
	struct json *want = load(f, name), *got = json_new_arr(f->arena);

	for (size_t i = 0; i < f->lines.len; i++)
		json_push(got, fx_parse(f, f->lines.at[i]));
	for (int kind = 0; kind < 3; kind++) {
		const struct json *w = next_of(json_first(want), kind), *g = next_of(json_first(got), kind);

		for (size_t n = 1; w || g; n++) {
			if (!w || !g || !json_equal(w, g)) {
				fx_dump(f);
				fail_msg("%s: frame %zu of kind %d\n  want %s\n  got  %s", name, n, kind,
					 w ? json_to_str(f->arena, w) : "nothing", g ? json_to_str(f->arena, g) : "nothing");
			}
			w = next_of(w->next, kind);
			g = next_of(g->next, kind);
		}
	}
}

static void put_file(const struct fixture *f, const char *name, const char *text)
{
	char path[256];
	FILE *file;

	snprintf(path, sizeof(path), "%s/workspace/%s", f->base, name);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void forget_lines(struct fixture *f)
{
	fx_free_strings(f->lines.at, f->lines.len);
	fx_free_strings(f->runs.at, f->runs.len);
	f->lines.len = f->runs.len = 0;
}

/* The recorded turns are not the first of their sessions. */
static const struct step warm_up[] = { { ST_TEXT, "hi" }, { ST_USAGE, .n = 1, .m = 1 }, { ST_END } };

static void warm(struct fixture *f)
{
	fx_send(f, "warm", "hello");
	fx_wait_run(f, "warm");
	forget_lines(f);
}

static const struct step five_words[] = { { ST_TEXT, "w0 " }, { ST_TEXT, "w1 " }, { ST_TEXT, "w2 " }, { ST_TEXT, "w3 " },
					  { ST_TEXT, "w4 " }, { ST_USAGE, .n = 100, .m = 5 }, { ST_END } };

static void text_turn_body(struct fixture *f)
{
	warm(f);
	assert_int_equal(fx_send(f, "r1", "second text turn"), SUBMIT_STARTED);
	fx_wait_run(f, "r1");
}

static void text_turn(void **state)
{
	static const struct step *const script[] = { warm_up, five_words, NULL };

	fx_run(*state, script, text_turn_body);
	compare(*state, "run-text-turn.jsonl");
}

static void tool_turn_body(struct fixture *f)
{
	warm(f);
	put_file(f, "bench.txt", "bench-ok\n");
	fx_send(f, "r1", "bench tool turn");
	fx_wait_run(f, "r1");
}

static void tool_turn(void **state)
{
	static const struct step call[] = { { ST_TOOL, "<call>", "read", "{\"path\":\"bench.txt\"}" },
					    { ST_USAGE, .n = 100, .m = 9 }, { ST_END } };
	static const struct step *const script[] = { warm_up, call, five_words, NULL };

	fx_run(*state, script, tool_turn_body);
	compare(*state, "run-tool-turn.jsonl");
}

static void abort_body(struct fixture *f)
{
	const char *const *ids;

	warm(f);
	fx_send(f, "r1", "a long one");
	fx_reach(f, 1);
	assert_int_equal(agent_abort(f->host, KEY, "r1", "rpc", f->arena, &ids, &f->err), CH_OK);
	assert_string_equal(ids[0], "r1");
	assert_null(ids[1]);
	fx_wait_run(f, "r1");
}

static void abort_turn(void **state)
{
	static const struct step slow[] = { { ST_TEXT, "w0 " }, { ST_WAIT }, { ST_TEXT, "w1" }, { ST_END } };
	static const struct step *const script[] = { warm_up, slow, NULL };

	fx_run(*state, script, abort_body);
	compare(*state, "run-abort.jsonl");
}

static void busy_body(struct fixture *f)
{
	warm(f);
	fx_send(f, "r1", "first");
	fx_reach(f, 1);
	assert_int_equal(fx_send(f, "r2", "sent while busy"), SUBMIT_QUEUED);
	fx_turns(f);             /* lets the announcement out */
	fx_release(f);
	fx_wait_run(f, "r1");
	assert_int_equal(fx_wait_run(f, "r2").state, INPUT_ABSORBED);
}

static void send_while_busy(void **state)
{
	static const struct step slow[] = { { ST_TEXT, "w0 " }, { ST_WAIT }, { ST_USAGE, .n = 100, .m = 40 }, { ST_END } };
	static const struct step then[] = { { ST_TEXT, "w0 " }, { ST_TEXT, "w1 " }, { ST_TEXT, "w2 " },
					    { ST_USAGE, .n = 100, .m = 3 }, { ST_END } };
	static const struct step *const script[] = { warm_up, slow, then, NULL };

	fx_run(*state, script, busy_body);
	compare(*state, "run-send-while-busy.jsonl");
}

#define REFUSED "LLM request failed: connection refused by the provider endpoint."

static void provider_down(void **state)
{
	static const struct step down[] = { { ST_RETRY, REFUSED, .n = 923, .m = 2, .k = 2 },
					    { ST_THINK, "" },        /* the second attempt has begun */
					    { ST_FAIL, REFUSED, .n = MODEL_ERR_NETWORK }, { ST_END } };
	static const struct step *const script[] = { warm_up, down, NULL };

	fx_run(*state, script, text_turn_body);
	compare(*state, "run-provider-down.jsonl");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FX_TEST(text_turn), FX_TEST(tool_turn), FX_TEST(abort_turn), FX_TEST(send_while_busy),
		FX_TEST(provider_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
