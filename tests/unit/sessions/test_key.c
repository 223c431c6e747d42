/*
 * sessions/key: the canonical form, what is refused, what a key says by itself.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/str.h"
#include "sessions/key.h"

#define A64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static void test_agent_ids(void **state)
{
	static const struct {
		const char *id;
		bool valid;
	} rows[] = {
		{ "main", true }, { "a", true }, { "7", true }, { "a-b_c9", true }, { A64, true },
		{ A64 "a", false }, { "", false }, { NULL, false }, { "-a", false }, { "_a", false }, { "Main", false },
		{ "a b", false }, { "a:b", false }, { "../x", false }, { "\xc3\xa9", false },
	};

	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		if (agent_id_valid(rows[i].id) != rows[i].valid)
			fail_msg("'%s'", rows[i].id ? rows[i].id : "NULL");
	}
}

static void test_canonical(void **state)
{
	static const struct {
		const char *text, *key, *agent, *rest;
	} rows[] = {
		{ NULL, "agent:work:main", "work", "main" },
		{ "", "agent:work:main", "work", "main" },
		{ "  \t", "agent:work:main", "work", "main" },
		{ "main", "agent:work:main", "work", "main" },
		{ "MAIN", "agent:work:main", "work", "main" },
		{ " tui-1 ", "agent:work:tui-1", "work", "tui-1" },
		{ "agent:main:main", "agent:main:main", "main", "main" },
		{ "Agent:Main:Dashboard:AB", "agent:main:dashboard:ab", "main", "dashboard:ab" },
		{ "agent:a:telegram:group:-100:topic:7", "agent:a:telegram:group:-100:topic:7", "a",
		  "telegram:group:-100:topic:7" },
		{ "global", "global", "work", "global" },
		{ "Unknown", "unknown", "work", "unknown" },
		{ "agent:a:Matrix:Channel:!RoomID:Server.Org", "agent:a:matrix:channel:!RoomID:Server.Org", "a",
		  "matrix:channel:!RoomID:Server.Org" },
		{ "agent:a:matrix:group:!R:s:THREAD:$Ev", "agent:a:matrix:group:!R:s:thread:$Ev", "a",
		  "matrix:group:!R:s:thread:$Ev" },
		{ "agent:a:Signal:Group:AbC=:X", "agent:a:signal:group:AbC=:x", "a", "signal:group:AbC=:x" },
		{ "agent:a:slack:channel:C0AB", "agent:a:slack:channel:c0ab", "a", "slack:channel:c0ab" },
		{ "caf\xc3\xa9", "agent:work:caf\xc3\xa9", "work", "caf\xc3\xa9" },
	};

	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		CH_AUTO(arena_unref) struct arena *a = arena_new(0);
		struct ch_err err = { 0 };
		struct sess_key key, again;

		if (sess_key_parse(a, rows[i].text, "work", &key, &err))
			fail_msg("'%s': %s", rows[i].text, err.text);
		assert_string_equal(key.key, rows[i].key);
		assert_string_equal(key.agent_id, rows[i].agent);
		assert_string_equal(key.rest, rows[i].rest);
		assert_int_equal(sess_key_parse(a, key.key, "other", &again, &err), CH_OK);
		assert_string_equal(again.key, key.key);
	}
}

static void test_refused(void **state)
{
	static char long_key[SESS_KEY_MAX + 2], long_rest[SESS_KEY_MAX - 5];
	static const struct {
		const char *text, *why;
	} rows[] = {
		{ "agent:", "malformed" },
		{ "agent:main", "malformed" },
		{ "agent:main:", "malformed" },
		{ "agent::x", "agent id" },
		{ "agent:main::x", "malformed" },
		{ "agent:a:agent:b:main", "malformed" },
		{ "agent:b\xc3\xa9:x", "agent id" },
		{ "agent:a b:x", "agent id" },
		{ "agent:" A64 "a:x", "agent id" },
		{ "a\nb", "control" },
		{ "a\x7f", "control" },
		{ "a\xff", "UTF-8" },
		{ long_key, "at most 512" },
		{ long_rest, "at most 512" },    /* too long only once it has its prefix */
	};

	memset(long_key, 'k', sizeof(long_key) - 1);
	memset(long_rest, 'k', sizeof(long_rest) - 1);
	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		CH_AUTO(arena_unref) struct arena *a = arena_new(0);
		struct ch_err err = { 0 };
		struct sess_key key;

		assert_int_equal(sess_key_parse(a, rows[i].text, "main", &key, &err), CH_E_INVALID);
		if (!strstr(err.text, rows[i].why))
			fail_msg("'%s': %s", rows[i].text, err.text);
	}
}

static void test_what_a_key_says(void **state)
{
	static const struct {
		const char *key, *kind, *classification;
		bool is_main, is_background;
	} rows[] = {
		{ "agent:main:main", "direct", "main", true, false },
		{ "agent:x:main", "direct", "main", true, false },
		{ "global", "global", "global", false, false },
		{ "unknown", "unknown", "unknown", false, false },
		{ "agent:a:direct:bob", "direct", "direct", false, false },
		{ "agent:a:telegram:direct:7", "direct", "direct", false, false },
		{ "agent:a:telegram:bot1:direct:7", "direct", "direct", false, false },
		{ "agent:a:telegram:dm:7", "direct", "direct", false, false },
		{ "agent:a:telegram:group:-1", "group", "group", false, false },
		{ "agent:a:discord:channel:9", "group", "channel", false, false },
		{ "agent:a:irc:room:x", "group", "channel", false, false },
		{ "agent:a:telegram:group:-1:topic:4", "group", "thread", false, false },
		{ "agent:a:slack:channel:c:thread:1.2", "group", "thread", false, false },
		{ "agent:a:cron:j1", "direct", "cron", false, true },
		{ "agent:a:cron:j1:run:r", "direct", "cron", false, true },
		{ "agent:a:subagent:u", "direct", "subagent", false, true },
		{ "agent:a:acp:u", "direct", "acp", false, true },
		{ "agent:a:hook:u", "direct", "hook", false, true },
		{ "agent:a:boot:r", "direct", "system", false, true },
		{ "agent:a:boot", "direct", "system", false, true },
		{ "agent:a:bootcamp", "direct", "custom", false, false },
		{ "agent:a:dashboard:u", "direct", "dashboard", false, false },
		{ "agent:a:tui-u", "direct", "tui", false, false },
		{ "agent:a:explicit:s", "direct", "explicit", false, false },
		{ "agent:a:voice:x", "direct", "voice", false, false },
		{ "agent:a:mainly", "direct", "custom", false, false },
		{ "agent:a:group:x", "direct", "custom", false, false },
		{ "agent:a:telegram:group:", "direct", "custom", false, false },
	};

	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		const char *key = rows[i].key;

		if (!str_eq(sess_key_kind(key), rows[i].kind) ||
		    !str_eq(sess_key_classification(key), rows[i].classification) ||
		    sess_key_is_main(key) != rows[i].is_main || sess_key_is_background(key) != rows[i].is_background)
			fail_msg("%s: %s %s main=%d background=%d", key, sess_key_kind(key), sess_key_classification(key),
				 sess_key_is_main(key), sess_key_is_background(key));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_agent_ids),
		cmocka_unit_test(test_canonical),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_what_a_key_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
