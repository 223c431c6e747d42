/*
 * Full-text search: what is found, in which order, and that no query is an error.
 */
#include "sessions_fixture.h"

#include "sessions/search.h"
#include "sessions/transcript.h"

static void say(struct sess *s, const char *role, const char *text)
{
	struct tr_entry e = { .type = "message", .role = role, .message = "{}", .search_text = text };

	ASSERT_OK(tr_append(s, NULL, 0, &e, arena, err));
}

static size_t count;
static bool more;
static const struct search_hit *hits;

static size_t find_in(const char *text, const char *agent_id, const char *keys, size_t limit)
{
	struct search_query q = { .text = text, .agent_id = agent_id, .session_keys = keys, .limit = limit };

	ASSERT_OK(search_messages(store, &q, arena, &hits, &count, &more, err));
	return count;
}

static size_t find(const char *text)
{
	return find_in(text, NULL, NULL, 10);
}

static void test_finds(void **state)
{
	struct sess *s = session("main");

	say(s, "user", "The launch is on Tuesday at the Café.");
	say(s, "assistant", "Noted: launch on Tuesday, in the café by the river.");
	say(s, "toolResult", "launch");
	say(s, "user", "Something else");
	assert_int_equal(find("launch"), 2);             /* not what tools said */
	assert_int_equal(find("LAUNCH cafe"), 2);
	assert_int_equal(find("launch river"), 1);
	assert_string_equal(hits[0].role, "assistant");
	assert_string_equal(hits[0].session_key, "agent:main:main");
	assert_string_equal(hits[0].session_id, s->session_id);
	assert_string_equal(hits[0].snippet, "Noted: launch on Tuesday, in the café by the river.");
	assert_true(hits[0].score > 0);
	assert_int_equal(hits[0].created_at, T0);
	assert_int_equal(find("\"on Tuesday\""), 2);
	assert_int_equal(find("\"Tuesday on\""), 0);
	assert_int_equal(find("Tues"), 2);               /* the last word may go on */
	assert_int_equal(find("Tues launch"), 0);
	assert_int_equal(find("nothing of this"), 0);
	sess_unref(s);
}

static void test_cjk(void **state)
{
	struct sess *s = session("main");

	say(s, "user", "明日の会議は東京駅で行います。room42に集合");
	say(s, "user", "안녕하세요 세계");
	say(s, "user", "今天下雨");
	assert_int_equal(find("会議"), 1);
	assert_int_equal(find("東京"), 1);
	assert_string_equal(hits[0].snippet, "明日の会議は東京駅で行います。room42に集合");
	assert_int_equal(find("京東"), 0);
	assert_int_equal(find("room42"), 1);
	assert_int_equal(find("하세"), 1);
	assert_int_equal(find("雨"), 1);
	assert_int_equal(find("天 雨"), 1);
	sess_unref(s);
}

static void test_filters(void **state)
{
	struct sess *a = session("agent:main:one"), *b = session("agent:work:two");

	for (int i = 0; i < 4; i++)
		say(a, "user", "needle here");
	say(b, "user", "needle there");
	assert_int_equal(find("needle"), 5);
	assert_int_equal(find_in("needle", "work", NULL, 10), 1);
	assert_string_equal(hits[0].session_key, "agent:work:two");
	assert_int_equal(find_in("needle", NULL, "[\"agent:main:one\",\"agent:x:y\"]", 10), 4);
	assert_int_equal(find_in("needle", NULL, "[]", 10), 0);
	assert_false(more);
	assert_int_equal(find_in("needle", NULL, NULL, 3), 3);
	assert_true(more);
	/* An old window is searched too, a deleted session is not. */
	ASSERT_OK(sess_rotate(a, "new", err));
	assert_int_equal(find_in("needle", "main", NULL, 10), 4);
	ASSERT_OK(sess_delete(a, err));
	assert_int_equal(find("needle"), 1);
	sess_unref(a);
	sess_unref(b);
}

static void test_no_query_is_an_error(void **state)
{
	static const char *const queries[] = {
		"", " ", "\"", "\"\"", "\"\"\"", "'", "*", "a*b", "^a", "a^", "NEAR(a b)", "a AND", "AND", "OR", "NOT a", "a NOT b",
		"(", ")", "a(b", "{a}", "col:a", "-a", "+a", "a:b", "search_text : x", "\"a", "a\"b\"c", "\\", "%", "_", ";",
		"\xff\xfe", "\xe4\xb8", "a\tb\nc", "🦀", "\"🦀 crab\"", "!?.,", "..", "\"...\" a", "--", "1 OR 1=1",
	};
	struct sess *s = session("main");
	CH_AUTO_BUF struct buf many = { 0 };

	say(s, "user", "a b c crab 1");
	for (size_t i = 0; i < CH_ARRAY_LEN(queries); i++)
		find(queries[i]);
	buf_init(&many, 65536);
	while (many.len < SEARCH_TEXT_MAX - 3)
		buf_printf(&many, "%c ", (char)('a' + (int)(many.len % 26)));
	find(buf_str(&many));
	for (int i = 0; i < 2000; i++) {
		static const char alphabet[] = "ab\"*^()-+:{}NOT ANDOR\\'\xe4\xb8\xad";
		char text[16];

		for (size_t k = 0; k < sizeof(text) - 1; k++)
			text[k] = alphabet[(size_t)((unsigned)i * 2654435761u >> (k + 3)) % (sizeof(alphabet) - 1)];
		text[sizeof(text) - 1] = '\0';
		find(text);
	}
	sess_unref(s);
}

static void test_long_snippets_are_cut(void **state)
{
	struct sess *s = session("main");
	CH_AUTO_BUF struct buf text = { 0 };

	buf_init(&text, 1u << 20);
	for (int i = 0; i < 2000; i++)
		buf_printf(&text, "word%d%s ", i, i % 40 ? "" : "-long-long-long-long-long-long-long-long-long");
	buf_puts(&text, "needle");
	say(s, "user", buf_str(&text));
	assert_int_equal(find("needle"), 1);
	assert_true(strlen(hits[0].snippet) < SEARCH_SNIPPET_CHARS + 16);
	assert_non_null(strstr(hits[0].snippet, "needle"));
	sess_unref(s);
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_finds), T(test_cjk), T(test_filters), T(test_no_query_is_an_error), T(test_long_snippets_are_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
