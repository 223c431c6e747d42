/*
 * The conversation for the model: what is left out, what fits, and that the kept one equals the one read anew.
 */
#include "agent_fixture.h"

#include "agent/history.h"
#include "agent/messages.h"

static struct sess *session(struct fixture *f)
{
	struct sess_key key;
	struct sess *s;

	assert_int_equal(sess_key_parse(f->arena, KEY, "main", &key, &f->err), CH_OK);
	assert_int_equal(sess_open(f->sessions, &key, "operator", &s, NULL, &f->err), CH_OK);
	return s;
}

static struct tr_entry put(struct fixture *f, struct sess *s, const char *message)
{
	struct json *m = fx_parse(f, message);
	struct tr_entry e = { .type = "message", .role = json_get_str(m, "role"), .message = message,
			      .message_len = strlen(message) };

	assert_int_equal(tr_append(s, NULL, 0, &e, f->arena, &f->err), CH_OK);
	return e;
}

static const char *view_text(struct fixture *f, struct history *h, int64_t budget, size_t *ret_dropped)
{
	struct json view;

	history_view(h, budget, &view, ret_dropped);
	return json_to_str(f->arena, &view);
}

static void prepares(void **state)
{
	struct fixture *f = *state;
	CH_AUTO(sess_unref) struct sess *s = session(f);
	CH_AUTO(history_free) struct history *h = history_new(), *kept = history_new();
	static const char *const rows[] = {
		"{\"role\":\"user\",\"content\":\"a\"}",
		"{\"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":\"boom\"}],\"stopReason\":\"error\"}",
		"{\"role\":\"user\",\"content\":\"/status\",\"excludeFromContext\":true}",
		"{\"role\":\"assistant\",\"content\":[],\"excludeFromContext\":true}",
		"{\"role\":\"custom\",\"content\":\"x\"}",
		"{\"role\":\"user\",\"content\":\"b\"}",
		"{\"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":\"par\"}],\"openclawAbort\":{\"aborted\":true}}",
	};
	size_t dropped;

	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		struct tr_entry e = put(f, s, rows[i]);

		if (!i)
			assert_int_equal(history_load(kept, s, &f->err), CH_OK);
		else
			history_add(kept, &e);
		assert_true(history_is_at(kept, s->session_id, e.raw_seq));
	}
	assert_int_equal(history_load(h, s, &f->err), CH_OK);
	assert_string_equal(view_text(f, h, 1000000, &dropped),
		"[{\"role\":\"user\",\"content\":\"a\"},"
		"{\"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":\"[this reply failed: boom]\"}],"
		"\"stopReason\":\"error\"},"
		"{\"role\":\"user\",\"content\":\"b\"},"
		"{\"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":\"par\\n[stopped here before it was complete]\"}]}]");
	assert_int_equal(dropped, 0);
	assert_string_equal(view_text(f, kept, 1000000, &dropped), view_text(f, h, 1000000, &dropped));
}

static void drops_whole_turns(void **state)
{
	struct fixture *f = *state;
	CH_AUTO(sess_unref) struct sess *s = session(f);
	CH_AUTO(history_free) struct history *h = history_new();
	size_t dropped;
	char row[600];

	for (int i = 0; i < 5; i++) {
		snprintf(row, sizeof(row), "{\"role\":\"user\",\"content\":\"q%d %0400d\"}", i, 0);
		put(f, s, row);
		put(f, s, "{\"role\":\"assistant\",\"content\":[{\"type\":\"toolCall\",\"id\":\"c\",\"name\":\"read\",\"arguments\":{}}]}");
		put(f, s, "{\"role\":\"toolResult\",\"toolCallId\":\"c\",\"toolName\":\"read\",\"content\":[]}");
		put(f, s, "{\"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":\"done\"}]}");
	}
	assert_int_equal(history_load(h, s, &f->err), CH_OK);
	view_text(f, h, 1000000, &dropped);
	assert_int_equal(dropped, 0);
	/* About 165 tokens a turn: two fit, half of a third does not count. */
	assert_int_equal(strncmp(view_text(f, h, 420, &dropped), "[{\"role\":\"user\",\"content\":\"q3 ", 30), 0);
	assert_int_equal(dropped, 12);
	/* The last turn goes out whatever its size. */
	assert_int_equal(strncmp(view_text(f, h, 1, &dropped), "[{\"role\":\"user\",\"content\":\"q4 ", 30), 0);
	assert_int_equal(dropped, 16);
}

/* Each turn that goes on holds its conversation: what rows say beside the words is not part of that. */
static void holds_words_not_rows(void **state)
{
	static const char user[] = "{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"hello\"}],\"timestamp\":1790000000000,"
		"\"idempotencyKey\":\"chan:12345:user\",\"senderId\":\"42\",\"senderName\":\"Ada\",\"modelContext\":\"[Telegram]\","
		"\"provenance\":{\"kind\":\"external_user\",\"sourceChannel\":\"telegram\",\"messageId\":\"77\"}}";
	static const char reply[] = "{\"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":\"hi\"}],\"api\":\"a\",\"provider\":\"p\","
		"\"model\":\"m\",\"usage\":{\"input\":1,\"output\":2,\"cacheRead\":0,\"cacheWrite\":0,\"totalTokens\":3,\"cost\":{"
		"\"input\":0.1,\"output\":0.2,\"cacheRead\":0,\"cacheWrite\":0,\"total\":0.3}},\"stopReason\":\"stop\",\"timestamp\":1790000000001}";
	static const char view[] = "[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"[Telegram]\"},{\"type\":\"text\",\"text\":\"hello\"}],"
		"\"modelContext\":true},{\"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":\"hi\"}],\"stopReason\":\"stop\","
		"\"api\":\"a\",\"model\":\"m\"},";
	struct fixture *f = *state;
	CH_AUTO(sess_unref) struct sess *s = session(f);
	CH_AUTO(history_free) struct history *h = history_new();
	CH_AUTO(arena_unref) struct arena *rows = arena_new(0);
	struct json *row;
	size_t dropped;

	for (int i = 0; i < 100; i++) {
		put(f, s, user);
		put(f, s, reply);
		assert_int_equal(json_parse(rows, user, sizeof(user) - 1, JSON_STRICT, &row, NULL), CH_OK);
		assert_int_equal(json_parse(rows, reply, sizeof(reply) - 1, JSON_STRICT, &row, NULL), CH_OK);
	}
	assert_int_equal(history_load(h, s, &f->err), CH_OK);
	assert_memory_equal(view_text(f, h, 1000000, &dropped), view, sizeof(view) - 1);
	assert_in_range(history_bytes(h), 100, arena_used(rows) * 5 / 6);
}

static void notices_gaps(void **state)
{
	struct fixture *f = *state;
	CH_AUTO(sess_unref) struct sess *s = session(f);
	CH_AUTO(history_free) struct history *h = history_new();
	struct tr_entry e;

	put(f, s, "{\"role\":\"user\",\"content\":\"a\"}");
	assert_int_equal(history_load(h, s, &f->err), CH_OK);
	put(f, s, "{\"role\":\"assistant\",\"content\":[]}");    /* by somebody else */
	e = put(f, s, "{\"role\":\"user\",\"content\":\"b\"}");
	history_add(h, &e);
	assert_false(history_is_at(h, s->session_id, e.raw_seq));
	assert_int_equal(history_load(h, s, &f->err), CH_OK);
	assert_true(history_is_at(h, s->session_id, e.raw_seq));
	assert_int_equal(sess_rotate(s, "test", &f->err), CH_OK);
	assert_false(history_is_at(h, s->session_id, e.raw_seq));
}

static void cuts_titles(void **state)
{
	static const struct { const char *text, *want; } rows[] = {
		{ "  \n hello there  \nmore", "hello there" },
		{ "", "" },
		{ "123456789012345678901234567890123456789012345678901234567890", /* 60 */
		  "123456789012345678901234567890123456789012345678901234567890" },
		{ "1234567890123456789012345678901234567890123456789012345678901",
		  "123456789012345678901234567890123456789012345678901234567890…" },
		{ "e\xcc\x81" "234567890123456789012345678901234567890123456789012345678901",
		  "e\xcc\x81" "23456789012345678901234567890123456789012345678901234567890…" },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++)
		assert_string_equal(msg_title(f->arena, rows[i].text), rows[i].want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FX_TEST(prepares), FX_TEST(drops_whole_turns), FX_TEST(holds_words_not_rows), FX_TEST(notices_gaps), FX_TEST(cuts_titles),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
