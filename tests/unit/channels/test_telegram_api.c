/* channels/telegram: ids, targets, and what an answer of the Bot API means for a message. */
#include "channels/telegram.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "core/str.h"

extern const struct chan_ops chan_telegram;

static void test_sender_ids(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	const char *why = NULL;

	assert_string_equal(chan_telegram.id_parse(a, CHAN_ID_SENDER, "42", &why), "42");
	assert_string_equal(chan_telegram.id_parse(a, CHAN_ID_SENDER, " tg:42", &why), "42");
	assert_string_equal(chan_telegram.id_parse(a, CHAN_ID_SENDER, "Telegram:42", &why), "42");
	assert_string_equal(chan_telegram.id_parse(a, CHAN_ID_GROUP, "-1001234567890", &why), "-1001234567890");
}

static void test_threat_spoofing_wrong_kinds_of_id(void **state)
{
	static const struct { enum chan_id_use use; const char *text; } rows[] = {
		{ CHAN_ID_SENDER, "@ada" }, { CHAN_ID_SENDER, "ada" }, { CHAN_ID_SENDER, "-1001" }, { CHAN_ID_SENDER, "042" },
		{ CHAN_ID_SENDER, "" }, { CHAN_ID_SENDER, "4 2" }, { CHAN_ID_SENDER, "42x" }, { CHAN_ID_SENDER, "99999999999999999999" },
		{ CHAN_ID_GROUP, "42" }, { CHAN_ID_GROUP, "@lab" }, { CHAN_ID_GROUP, "-" },
	};
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);

	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		const char *why = NULL;

		assert_null(chan_telegram.id_parse(a, rows[i].use, rows[i].text, &why));
		assert_non_null(why);
	}
}

static void test_targets(void **state)
{
	static const struct { const char *text; enum chan_peer_kind kind; const char *id, *thread; } rows[] = {
		{ "42", CHAN_DIRECT, "42", NULL },
		{ "telegram:42", CHAN_DIRECT, "42", NULL },
		{ "user:42", CHAN_DIRECT, "42", NULL },
		{ "-1001234", CHAN_GROUP, "-1001234", NULL },
		{ "telegram:group:-1001234:topic:7", CHAN_GROUP, "-1001234", "7" },
		{ "-1001234:7", CHAN_GROUP, "-1001234", "7" },
		{ "@news_room", CHAN_CHANNEL, "@news_room", NULL },
	};
	static const char *const wrong[] = { "", "ada", "@x", "@no spaces", "--1", "-1001:topic:x", "42;43", "https://t.me/x" };
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct chan_peer p;

	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		assert_int_equal(chan_telegram.target_parse(a, rows[i].text, &p, NULL), CH_OK);
		assert_int_equal(p.kind, rows[i].kind);
		assert_string_equal(p.id, rows[i].id);
		assert_string_equal(p.thread ? p.thread : "", rows[i].thread ? rows[i].thread : "");
	}
	for (size_t i = 0; i < CH_ARRAY_LEN(wrong); i++)
		assert_int_equal(chan_telegram.target_parse(a, wrong[i], &p, NULL), CH_E_INVALID);
}

static void test_answers(void **state)
{
	static const struct { int status; const char *body; ch_status st; enum chan_outcome outcome; const char *words; } rows[] = {
		{ 200, "{\"ok\":true,\"result\":{\"message_id\":7}}", CH_OK, CHAN_SENT, NULL },
		{ 429, "{\"ok\":false,\"error_code\":429,\"description\":\"Too Many Requests\",\"parameters\":{\"retry_after\":9}}", CH_E_BUSY,
		  CHAN_NOT_SENT, "Too Many" },
		{ 400, "{\"ok\":false,\"error_code\":400,\"description\":\"Bad Request: chat not found\"}", CH_E_INVALID, CHAN_REFUSED,
		  "must write to the bot first" },
		{ 403, "{\"ok\":false,\"error_code\":403,\"description\":\"Forbidden: bot was kicked from the group chat\"}", CH_E_DENIED, CHAN_REFUSED,
		  "add the bot" },
		{ 401, "{\"ok\":false,\"error_code\":401,\"description\":\"Unauthorized\"}", CH_E_DENIED, CHAN_NOT_SENT, "@BotFather" },
		{ 500, "{\"ok\":false,\"error_code\":500,\"description\":\"Internal\"}", CH_E_PEER, CHAN_NOT_SENT, "500" },
		/* Whoever says this is not the Bot API: it may have got through. */
		{ 502, "<html>Bad Gateway</html>", CH_E_PEER, CHAN_UNSURE, "502" },
		/* … but what a server in front of it found too large has not. */
		{ 413, "<html>413 Request Entity Too Large</html>", CH_E_LIMIT, CHAN_REFUSED, "too large" },
		{ 413, "{\"ok\":false,\"error_code\":413,\"description\":\"Request Entity Too Large\"}", CH_E_LIMIT, CHAN_REFUSED, "50 MB" },
		{ 404, "not here", CH_E_PEER, CHAN_UNSURE, "check apiRoot" },
		{ 200, "{\"ok\":tr", CH_E_PEER, CHAN_UNSURE, NULL },
		{ 200, "", CH_E_PEER, CHAN_UNSURE, NULL },
		{ 200, "[]", CH_E_PEER, CHAN_UNSURE, NULL },
	};
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);

	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		struct tg_answer answer;
		struct ch_err err = { 0 };

		assert_int_equal(tg_read_answer("sendMessage", rows[i].status, rows[i].body, strlen(rows[i].body), a, &answer, &err), rows[i].st);
		assert_int_equal(answer.outcome, rows[i].outcome);
		if (rows[i].words)
			assert_non_null(strstr(err.text, rows[i].words));
		assert_int_equal(err.retry_after_ms, rows[i].st == CH_E_BUSY ? 9000 : 0);
	}
}

/* Telegram's own server takes 50 MB; one of one's own says itself what it takes. */
static void test_upload_limit(void **state)
{
	struct chan_media_out media = { .name = "film.mp4", .len = (size_t)TG_UPLOAD_MAX };
	struct chan_out out = { .media = &media, .media_count = 1 };
	struct tg_link cloud = { .root = TG_ROOT }, own = { .root = "http://127.0.0.1:8081" };
	struct ch_err err = { 0 };

	assert_int_equal(tg_upload_check(&cloud, &out, &err), CH_OK);
	media.len++;
	assert_int_equal(tg_upload_check(&cloud, &out, &err), CH_E_LIMIT);
	assert_non_null(strstr(err.text, "at most 50 MB from bots, film.mp4 has 50; a Bot API server of your own (apiRoot) takes more"));
	assert_int_equal(tg_upload_check(&own, &out, &err), CH_OK);
}

static ch_status check_keys(const char *keys, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	CH_AUTO(config_unref) struct config *c = NULL;
	CH_AUTO(chan_cfg_unref) struct chan_cfg *cfg = NULL;
	const char *text = arena_printf(a, "{channels:{telegram:{botToken:'7:x',%s}}}", keys);

	assert_int_equal(config_parse(text, strlen(text), NULL, &c, err), CH_OK);
	cfg = chan_cfg_new(c, "telegram", "default");
	return chan_telegram.check(cfg, err);
}

static void test_api_root(void **state)
{
	struct ch_err err = { 0 };

	assert_int_equal(check_keys("apiRoot:'https://bots.example.org/botapi/'", &err), CH_OK);
	assert_int_equal(check_keys("apiRoot:'https://api.telegram.org/bot7:x'", &err), CH_E_INVALID);
	assert_non_null(strstr(err.text, "channels.telegram.apiRoot holds more than the root"));
}

static void test_migration(void **state)
{
	static const char body[] = "{\"ok\":false,\"error_code\":400,\"description\":\"Bad Request: group chat was upgraded\","
				   "\"parameters\":{\"migrate_to_chat_id\":-1007}}";
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct tg_answer answer;

	assert_int_equal(tg_read_answer("sendMessage", 400, body, strlen(body), a, &answer, NULL), CH_E_INVALID);
	assert_string_equal(answer.migrated_to, "-1007");
}

/* Telegram's words are shown to people: one line, and not without end. */
static void test_threat_injection_descriptions(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct tg_answer answer;
	struct ch_err err = { 0 };
	const char *body = arena_printf(a, "{\"ok\":false,\"error_code\":400,\"description\":\"a\\nb%0*d\"}", 4000, 1);

	assert_int_equal(tg_read_answer("x", 400, body, strlen(body), a, &answer, &err), CH_E_INVALID);
	assert_null(strchr(answer.description, '\n'));
	assert_true(strlen(answer.description) <= 160);
}

static void test_offsets(void **state)
{
	struct tg_offset o = tg_offset_read("7000:1003:5000", "7000");

	assert_int_equal(o.next, 1003);
	assert_int_equal(tg_offset_now(&o, 5000), 1003);
	assert_int_equal(tg_offset_now(&o, 5000 + TG_OFFSET_MS - 1), 1003);
	assert_int_equal(tg_offset_now(&o, 5000 + TG_OFFSET_MS), 0);
	assert_int_equal(tg_offset_read("7000:1003:5000", "700").next, 0);       /* another bot's */
	assert_int_equal(tg_offset_read("7000:1003:5000", "70001").next, 0);
	assert_int_equal(tg_offset_read("7000:x:5000", "7000").next, 0);
	assert_int_equal(tg_offset_read("7000:1003", "7000").next, 0);
	assert_int_equal(tg_offset_read("", "7000").next, 0);
	assert_int_equal(tg_offset_read(NULL, "7000").next, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sender_ids),
		cmocka_unit_test(test_threat_spoofing_wrong_kinds_of_id),
		cmocka_unit_test(test_targets),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_upload_limit),
		cmocka_unit_test(test_api_root),
		cmocka_unit_test(test_migration),
		cmocka_unit_test(test_offsets),
		cmocka_unit_test(test_threat_injection_descriptions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
