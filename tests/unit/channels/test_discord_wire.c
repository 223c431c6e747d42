/* channels/discord_wire: frames, the kept session, intents, what close codes mean. */
#include "discord_login.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const char ready[] = "{session_id:'s1',resume_gateway_url:'wss://gateway-us-east1-b.discord.gg',user:{id:'" SELF
			    "',username:'chelabot'},application:{id:'1000000000000009002'}}";

static struct discord_frame frame(struct arena *a, const char *text, ch_status want)
{
	struct discord_frame f = { .op = -1 };

	assert_int_equal(discord_frame_read(a, text, strlen(text), &f, NULL), want);
	return f;
}

static void test_frames(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct discord_frame f = frame(a, "{\"op\":0,\"s\":42,\"t\":\"MESSAGE_CREATE\",\"d\":{\"id\":\"1\"}}", CH_OK);

	assert_int_equal(f.op, DISCORD_DISPATCH);
	assert_int_equal(f.seq, 42);
	assert_string_equal(f.type, "MESSAGE_CREATE");
	assert_string_equal(json_get_str(f.data, "id"), "1");
	assert_int_equal(frame(a, "{\"op\":10,\"d\":{\"heartbeat_interval\":41250}}", CH_OK).interval_ms, 41250);
	assert_true(frame(a, "{\"op\":9,\"d\":true}", CH_OK).can_resume);
	assert_false(frame(a, "{\"op\":9,\"d\":false}", CH_OK).can_resume);
	assert_int_equal(frame(a, "{\"op\":11}", CH_OK).op, DISCORD_HEARTBEAT_ACK);
	assert_int_equal(frame(a, "{\"op\":77,\"d\":null}", CH_OK).op, 77);
}

static void test_frames_that_are_none(void **state)
{
	static const char *const texts[] = {
		"", "[]", "{}", "{\"op\":\"0\"}", "{\"op\":0,\"t\":\"X\"}", "{\"op\":0,\"s\":1}", "{\"op\":10}",
		"{\"op\":10,\"d\":{\"heartbeat_interval\":0}}", "{\"op\":10,\"d\":{\"heartbeat_interval\":1}}",
		"{\"op\":10,\"d\":{\"heartbeat_interval\":99999999999}}", "\x01", "{\"op\":0,\"s\":1,\"t\":\"X\"",
	};

	for (size_t i = 0; i < CH_ARRAY_LEN(texts); i++) {
		CH_AUTO(arena_unref) struct arena *a = arena_new(0);

		frame(a, texts[i], CH_E_PEER);
	}
}

static void make_session(struct arena *a, struct discord_session *s)
{
	struct json *v;

	assert_int_equal(json_parse(a, ready, strlen(ready), JSON_JSON5, &v, NULL), CH_OK);
	*s = (struct discord_session){ .seq = 7, .token_hash = "0123456789abcdef" };
	assert_int_equal(discord_session_ready(v, s, NULL), CH_OK);
}

static void test_session_is_kept(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	CH_AUTO_BUF struct buf text = { .max_bytes = 4096 };
	struct discord_session s, back;

	make_session(a, &s);
	assert_string_equal(s.app_id, "1000000000000009002");
	discord_session_write(&s, &text);
	assert_true(discord_session_read(buf_str(&text), "0123456789abcdef", &back));
	assert_memory_equal(&s, &back, sizeof(s));
	/* Another bot's session is none of ours. */
	assert_false(discord_session_read(buf_str(&text), "ffffffffffffffff", &back));
	assert_string_equal(back.id, "");
	assert_false(discord_session_read(NULL, "0123456789abcdef", &back));
	assert_false(discord_session_read("{\"token\":\"0123456789abcdef\"}", "0123456789abcdef", &back));
	assert_false(discord_session_read("nonsense", "0123456789abcdef", &back));
}

/* A session that is over leaves behind what was taken. */
static void test_what_outlives_a_session(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	CH_AUTO_BUF struct buf text = { .max_bytes = 4096 };
	struct discord_session s, back;

	make_session(a, &s);
	memset(s.id, 0, sizeof(s.id));
	snprintf(s.last_id, sizeof(s.last_id), "1100000000000000001");
	s.is_behind = true;
	discord_session_write(&s, &text);
	assert_false(discord_session_read(buf_str(&text), "0123456789abcdef", &back));
	assert_string_equal(back.id, "");
	assert_string_equal(back.last_id, "1100000000000000001");
	assert_true(back.is_behind);
	assert_false(discord_session_read(buf_str(&text), "ffffffffffffffff", &back));
	assert_string_equal(back.last_id, "");
}

static void test_ready_without_what_we_need(void **state)
{
	static const char *const texts[] = { "{}", "{session_id:'s'}", "{session_id:'s',resume_gateway_url:'wss://x',user:{id:'1'}}",
					     "{session_id:'',resume_gateway_url:'wss://x',user:{id:'1',username:'b'}}" };

	for (size_t i = 0; i < CH_ARRAY_LEN(texts); i++) {
		CH_AUTO(arena_unref) struct arena *a = arena_new(0);
		struct discord_session s = { .seq = 0 };
		struct json *v;

		assert_int_equal(json_parse(a, texts[i], strlen(texts[i]), JSON_JSON5, &v, NULL), CH_OK);
		assert_int_equal(discord_session_ready(v, &s, NULL), CH_E_PEER);
	}
}

static unsigned intents(const char *section)
{
	CH_AUTO(discord_unref) struct discord *d = discord_login(section);

	return discord_intents(d->cfg);
}

static void test_intents(void **state)
{
	unsigned plain = intents("");

	assert_true(plain & (1u << 15));
	assert_false(plain & (1u << 1 | 1u << 8));
	assert_int_equal(intents("intents:{messageContent:false}"), plain & ~(1u << 15));
	assert_int_equal(intents("intents:{guildMembers:true,presence:true}"), plain | 1u << 1 | 1u << 8);
}

static void test_identify(void **state)
{
	CH_AUTO(discord_unref) struct discord *d = discord_login("status:'idle',activity:'Live',activityType:1,"
								 "activityUrl:'https://twitch.tv/x'");
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	CH_AUTO_BUF struct buf text = { .max_bytes = 4096 };
	struct json *v;

	discord_write_identify(&text, "tok", d->cfg);
	assert_int_equal(json_parse(a, text.data, text.len, JSON_STRICT, &v, NULL), CH_OK);
	assert_int_equal(json_get_int(v, "op", -1), 2);
	v = json_get(v, "d");
	assert_string_equal(json_get_str(v, "token"), "tok");
	assert_int_equal(json_get_int(v, "intents", 0), discord_intents(d->cfg));
	assert_string_equal(json_str(json_path(v, "presence.status")), "idle");
	assert_string_equal(json_str(json_path(v, "presence.activities.0.url")), "https://twitch.tv/x");
	/* Discord takes payloads of at most 4096 bytes. */
	assert_true(text.len < 4096);
}

static void test_resume_and_heartbeat(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	CH_AUTO_BUF struct buf text = { .max_bytes = 4096 };
	CH_AUTO(discord_unref) struct discord *d = discord_login("");
	struct discord_session s;

	make_session(a, &s);
	discord_write_resume(&text, "tok", &s);
	assert_string_equal(buf_str(&text), "{\"op\":6,\"d\":{\"token\":\"tok\",\"session_id\":\"s1\",\"seq\":7}}");
	buf_clear(&text);
	discord_write_presence(&text, d->cfg);
	assert_string_equal(buf_str(&text), "{\"op\":3,\"d\":{\"since\":null,\"activities\":[],\"status\":\"online\",\"afk\":false}}");
	buf_clear(&text);
	discord_write_heartbeat(&text, 7);
	discord_write_heartbeat(&text, 0);
	assert_string_equal(buf_str(&text), "{\"op\":1,\"d\":7}{\"op\":1,\"d\":null}");
}

static void test_close_codes(void **state)
{
	static const struct { unsigned code; enum discord_after after; } want[] = {
		{ 1000, DISCORD_AFTER_IDENTIFY }, { 1001, DISCORD_AFTER_IDENTIFY }, { 1006, DISCORD_AFTER_RESUME }, { 4000, DISCORD_AFTER_RESUME },
		{ 4001, DISCORD_AFTER_RESUME }, { 4002, DISCORD_AFTER_RESUME }, { 4003, DISCORD_AFTER_IDENTIFY }, { 4004, DISCORD_AFTER_FATAL },
		{ 4005, DISCORD_AFTER_RESUME }, { 4007, DISCORD_AFTER_IDENTIFY }, { 4008, DISCORD_AFTER_RESUME }, { 4009, DISCORD_AFTER_IDENTIFY },
		{ 4010, DISCORD_AFTER_FATAL }, { 4011, DISCORD_AFTER_FATAL }, { 4012, DISCORD_AFTER_FATAL }, { 4013, DISCORD_AFTER_FATAL },
		{ 4014, DISCORD_AFTER_FATAL },
	};

	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	CH_AUTO(discord_unref) struct discord *d = discord_login("intents:{guildMembers:true,presence:true}");
	CH_AUTO(discord_unref) struct discord *plain = discord_login("");
	const char *help;

	for (size_t i = 0; i < CH_ARRAY_LEN(want); i++) {
		assert_int_equal(discord_close_means(want[i].code, d->cfg, a, &help), want[i].after);
		assert_int_equal(help != NULL, want[i].after == DISCORD_AFTER_FATAL);
		assert_true(!help || strlen(help) < CH_ERR_TEXT_MAX);
	}
	/* Which switches there are to look at. */
	assert_non_null(strstr(help, "Message Content Intent, Server Members Intent, Presence Intent at https://"));
	discord_close_means(4014, plain->cfg, a, &help);
	assert_non_null(strstr(help, "switch on Message Content Intent at https://"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_frames),
		cmocka_unit_test(test_frames_that_are_none),
		cmocka_unit_test(test_session_is_kept),
		cmocka_unit_test(test_what_outlives_a_session),
		cmocka_unit_test(test_ready_without_what_we_need),
		cmocka_unit_test(test_intents),
		cmocka_unit_test(test_identify),
		cmocka_unit_test(test_resume_and_heartbeat),
		cmocka_unit_test(test_close_codes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
