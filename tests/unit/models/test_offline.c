/* models/offline_rules and dialect_offline: what is understood, what is asked of tools, what is made of their answers. */
#include "models_fixture.h"

#include "core/fiber.h"
#include "models/offline_rules.h"

static const struct {
	const char *text;
	enum offline_kind kind;
	const char *a, *b, *c;           /* SAY: a substring; CALL: tool, path or the arguments as JSON, content */
	int count;
} table[] = {
	{ "help", OFFLINE_SAY, "count to 20" },
	{ "  HELP!  ", OFFLINE_SAY, "count to 20" },
	{ "What can you do?", OFFLINE_SAY, "count to 20" },
	{ "hi", OFFLINE_SAY, "Hello" },
	{ "echo Hello, World!", OFFLINE_SAY, "Hello, World!" },
	{ "say  a\nb", OFFLINE_SAY, "a\nb" },
	{ "count to 3", OFFLINE_COUNT, .count = 3 },
	{ "Count 12.", OFFLINE_COUNT, .count = 12 },
	{ "count to 0", OFFLINE_SAY, "from 1" },
	{ "count to many", OFFLINE_SAY, "from 1" },
	{ "count to 999999999999999999999", OFFLINE_SAY, "from 1" },
	{ "count to 501", OFFLINE_SAY, "up to 500" },
	{ "list files", OFFLINE_CALL, "list" },
	{ "ls", OFFLINE_CALL, "list" },
	{ "list files in docs", OFFLINE_CALL, "list", "docs" },
	{ "List the files in `my docs`", OFFLINE_CALL, "list", "my docs" },
	{ "read notes.txt", OFFLINE_CALL, "read", "notes.txt" },
	{ "Read \"a b.txt\"", OFFLINE_CALL, "read", "a b.txt" },
	{ "what is in AGENTS.md?", OFFLINE_CALL, "read", "AGENTS.md" },
	{ "what's in the cupboard", OFFLINE_CALL, "read", "the cupboard" },
	{ "write a.txt: Hello. And: bye!", OFFLINE_CALL, "write", "a.txt", "Hello. And: bye!" },
	{ "write a.txt:\n# Title\ntext", OFFLINE_CALL, "write", "a.txt", "# Title\ntext" },
	{ "write", OFFLINE_SAY, "You said: write" },
	{ "write a poem", OFFLINE_SAY, "You said: write a poem" },
	{ "run ls -l | wc -l", OFFLINE_CALL, "exec", "{\"command\":\"ls -l | wc -l\"}" },
	{ "Run: echo 'a.'", OFFLINE_CALL, "exec", "{\"command\":\"echo 'a.'\"}" },
	{ "run outside the sandbox: id", OFFLINE_CALL, "exec", "{\"command\":\"id\",\"elevated\":true}" },
	{ "what is running?", OFFLINE_CALL, "process", "{\"action\":\"list\"}" },
	{ "fetch https://example.org/a", OFFLINE_CALL, "web_fetch", "{\"url\":\"https://example.org/a\"}" },
	{ "search for crabs", OFFLINE_CALL, "web_search", "{\"query\":\"crabs\"}" },
	{ "find *.md", OFFLINE_CALL, "find", "{\"pattern\":\"*.md\"}" },
	{ "grep 'you are'", OFFLINE_CALL, "grep", "{\"pattern\":\"you are\"}" },
	{ "delegate: list files", OFFLINE_CALL, "sessions_spawn", "{\"task\":\"list files\"}" },
	{ "[Sub-agent task]\nread a.txt\n\n[You are a sub-agent. Work.]", OFFLINE_CALL, "read", "a.txt" },
	{ "[a] b", OFFLINE_SAY, "You said: [a] b" },
	{ "run", OFFLINE_SAY, "You said: run" },
	{ "what time is it?", OFFLINE_CALL, "session_status" },
	{ "status", OFFLINE_CALL, "session_status" },
	{ "Tell me a story", OFFLINE_SAY, "You said: Tell me a story" },
	{ "readme", OFFLINE_SAY, "You said: readme" },
	{ "", OFFLINE_SAY, "You said" },
	{ "???", OFFLINE_SAY, "You said: ???" },
};

static void test_rules(void **state)
{
	for (size_t i = 0; i < CH_ARRAY_LEN(table); i++) {
		CH_AUTO(arena_unref) struct arena *a = arena_new(0);
		struct offline_action act;

		offline_understand(a, table[i].text, &act);
		if (act.kind != table[i].kind)
			fail_msg("'%s': kind %d", table[i].text, act.kind);
		assert_int_equal(act.count, table[i].count);
		if (act.kind == OFFLINE_SAY && !strstr(act.text, table[i].a))
			fail_msg("'%s': %s", table[i].text, act.text);
		if (act.kind != OFFLINE_CALL)
			continue;
		assert_string_equal(act.tool, table[i].a);
		if (table[i].b && table[i].b[0] == '{') {
			assert_string_equal(json_to_str(a, act.args), table[i].b);
			continue;
		}
		assert_true(str_eq(json_get_str(act.args, "path"), table[i].b));
		assert_true(str_eq(json_get_str(act.args, "content"), table[i].c));
	}
}

static void test_summaries(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	CH_AUTO_BUF struct buf many = { .max_bytes = 65536 };
	const char *text;

	assert_string_equal(offline_summarize(a, "read", "a\nb\n", false, "read x"), "The file says:\n\n```\na\nb\n```");
	assert_string_equal(offline_summarize(a, "read", "```c\n```", false, ""), "The file says:\n\n``````\n```c\n```\n``````");
	assert_string_equal(offline_summarize(a, "write", "Wrote 3 bytes.", false, ""), "Done. Wrote 3 bytes.");
	assert_string_equal(offline_summarize(a, "read", "no such file", true, ""),
			    "The `read` tool failed:\n\n```\nno such file\n```");
	assert_string_equal(offline_summarize(a, "list", "", false, ""), "The `list` tool had nothing to say.");
	text = offline_summarize(a, "session_status", "model: x\ntime: 12:00\ncost: 0", false, "what time is it");
	assert_true(str_starts(text, "time: 12:00\n\n"));
	text = offline_summarize(a, "session_status", "model: x\ntime: 12:00", false, "status");
	assert_true(str_starts(text, "This is the state of the session:"));
	for (int i = 0; i < 100; i++)
		buf_printf(&many, "line %d\n", i);
	text = offline_summarize(a, "list", buf_str(&many), false, "");
	assert_non_null(strstr(text, "line 39\n```\n(There is more.)"));
	assert_null(strstr(text, "line 40"));
}

/* -- the dialect -- */

struct asked {
	const char *messages;
	const struct model_tool *tools;
	size_t tool_count;
	size_t stop_after;
	struct fixture_run run;
};

static const struct model_tool tools[] = { { "list" }, { "read" }, { "write" }, { "session_status" } };

static void asked_run(void *arg)
{
	struct asked *q = arg;
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct json *messages = NULL;
	struct model_call call = { .tools = q->tools, .tool_count = q->tool_count, .system_stable = "You are." };

	assert_int_equal(json_parse(a, q->messages, strlen(q->messages), JSON_JSON5, &messages, NULL), CH_OK);
	call.messages = messages;
	q->run.stop_after = q->stop_after;
	q->run.st = dialect_offline.run(&call, fixture_on_event, &q->run, &q->run.ret, &q->run.err);
	loop_stop(fiber_loop());
}

static void ask(struct asked *q)
{
	struct loop *l = loop_new();

	q->run = (struct fixture_run){ .d = &dialect_offline };
	buf_init(&q->run.log, 1 << 20);
	(void)fiber_spawn(l, "test", FIBER_DETACHED, asked_run, q);
	loop_run(l);
	loop_free(l);
}

static void test_a_reply(void **state)
{
	struct asked q = { .messages = "[{role:'user',content:'say one two'}]" };

	ask(&q);
	assert_int_equal(q.run.st, CH_OK);
	assert_string_equal(buf_str(&q.run.log), "start - offline/demo\ntext one two\nusage 5 2 0 0\n");
	assert_string_equal(q.run.ret.response_model, "offline/demo");
	assert_int_equal(q.run.ret.stop, MODEL_STOP_END);
	buf_done(&q.run.log);
}

static void test_a_call_and_its_answer(void **state)
{
	struct asked q = { .messages = "[{role:'user',content:'read a.txt'}]", .tools = tools, .tool_count = 4 };

	ask(&q);
	assert_string_equal(buf_str(&q.run.log), "start - offline/demo\ntool call_1 read\nargs call_1 {\"path\":\"a.txt\"}\n"
						 "end call_1 read {\"path\":\"a.txt\"}\nusage 5 0 0 0\n");
	assert_int_equal(q.run.ret.stop, MODEL_STOP_TOOLS);
	buf_done(&q.run.log);

	q.messages = "[{role:'user',content:'read a.txt'},"
		     "{role:'assistant',content:[{type:'toolCall',id:'call_1',name:'read',arguments:{path:'a.txt'}}]},"
		     "{role:'toolResult',toolCallId:'call_1',toolName:'read',content:[{type:'text',text:'inside'}]}]";
	ask(&q);
	assert_non_null(strstr(buf_str(&q.run.log), "inside"));
	assert_null(strstr(buf_str(&q.run.log), "tool call"));
	assert_int_equal(q.run.ret.stop, MODEL_STOP_END);
	buf_done(&q.run.log);

	/* A second call in the session gets another id; what the user says behind a result comes first. */
	q.messages = "[{role:'user',content:'read a.txt'},"
		     "{role:'assistant',content:[{type:'toolCall',id:'call_1',name:'read',arguments:{path:'a.txt'}}]},"
		     "{role:'toolResult',toolCallId:'call_1',toolName:'read',content:'inside'},{role:'user',content:'list files'}]";
	ask(&q);
	assert_non_null(strstr(buf_str(&q.run.log), "end call_2 list {}"));
	buf_done(&q.run.log);
}

static void test_without_the_tool(void **state)
{
	struct asked q = { .messages = "[{role:'user',content:'list files'}]" };

	ask(&q);
	assert_non_null(strstr(buf_str(&q.run.log), "not given it here"));
	assert_int_equal(q.run.ret.stop, MODEL_STOP_END);
	buf_done(&q.run.log);
}

static void test_counting_streams_and_stops(void **state)
{
	struct asked q = { .messages = "[{role:'user',content:'count to 3'}]" };

	ask(&q);
	assert_string_equal(buf_str(&q.run.log),
			    "start - offline/demo\ntext 1 \ntext 2 \ntext 3\nusage 5 3 0 0\n");
	buf_done(&q.run.log);
	q.stop_after = 3;
	ask(&q);
	assert_int_equal(q.run.st, CH_E_CANCELED);
	assert_string_equal(buf_str(&q.run.log), "start - offline/demo\ntext 1 \ntext 2 \n");
	buf_done(&q.run.log);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_summaries),
		cmocka_unit_test(test_a_reply),
		cmocka_unit_test(test_a_call_and_its_answer),
		cmocka_unit_test(test_without_the_tool),
		cmocka_unit_test(test_counting_streams_and_stops),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
