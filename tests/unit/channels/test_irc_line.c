/*
 * channels/irc_line: lines taken apart, names compared, text made fit.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "channels/irc_line.h"
#include "core/str.h"

static struct arena *arena;
static struct ch_err err;

static int set_up(void **state)
{
	arena = arena_new(0);
	return 0;
}

static int tear_down(void **state)
{
	arena_unref(arena);
	return 0;
}

/* "nick|user|host|COMMAND|p1|p2" */
static const char *taken(const char *text)
{
	struct irc_line l;
	char *out;

	if (irc_line_parse(arena_strdup(arena, text), &l, &err))
		return "refused";
	out = arena_printf(arena, "%s|%s|%s|%s", l.nick, l.user, l.host, l.command);
	for (size_t i = 0; i < l.param_count; i++)
		out = arena_printf(arena, "%s|%s", out, l.params[i]);
	return out;
}

static void test_parse(void **state)
{
	static const struct { const char *text, *want; } rows[] = {
		{ ":a!~b@c.d PRIVMSG #x :hello there", "a|~b|c.d|PRIVMSG|#x|hello there" },
		{ "PING :irc.example", "|||PING|irc.example" },
		{ "ping x", "|||PING|x" },
		{ ":irc.example 001 me :Welcome", "irc.example|||001|me|Welcome" },
		{ ":a@h QUIT", "a||h|QUIT" },
		{ "  NOTICE   a   b  :  c ", "|||NOTICE|a|b|  c " },
		{ "@msgid=1;x :a!b@c TAGMSG #y", "a|b|c|TAGMSG|#y" },
		{ "X :", "|||X|" },
		{ "X ::", "|||X|:" },
		{ "X 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16", "|||X|1|2|3|4|5|6|7|8|9|10|11|12|13|14|15 16" },
		{ "", "refused" },
		{ "   ", "refused" },
		{ ":only.source", "refused" },
		{ "@tags", "refused" },
	};

	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++)
		assert_string_equal(taken(rows[i].text), rows[i].want);
}

static void test_tags(void **state)
{
	struct irc_line l;

	assert_int_equal(irc_line_parse(arena_strdup(arena, "@a=1;msgid=x\\:y\\s\\\\z\\q;empty;+c/d=2\\ PING"), &l, &err), CH_OK);
	assert_string_equal(irc_tag(&l, "msgid", arena), "x;y \\zq");
	assert_string_equal(irc_tag(&l, "empty", arena), "");
	assert_string_equal(irc_tag(&l, "+c/d", arena), "2");
	assert_null(irc_tag(&l, "msg", arena));
	assert_null(irc_tag(&l, "none", arena));
}

static void test_names(void **state)
{
	assert_true(irc_same(IRC_RFC1459, "Bot[1]~", "bot{1}^"));
	assert_false(irc_same(IRC_STRICT_RFC1459, "x~", "x^"));
	assert_true(irc_same(IRC_STRICT_RFC1459, "x[", "X{"));
	assert_false(irc_same(IRC_ASCII, "x[", "x{"));
	assert_false(irc_same(IRC_ASCII, "x", "xy"));
	assert_true(irc_is_nick("chela[bot]"));
	assert_false(irc_is_nick("1up"));
	assert_false(irc_is_nick("a b"));
	assert_false(irc_is_nick(""));
	assert_true(irc_is_channel("#x"));
	assert_false(irc_is_channel("#"));
	assert_false(irc_is_channel("#a,b"));
	assert_false(irc_is_channel("x"));
}

static void test_mentions(void **state)
{
	static const struct { const char *text; bool want; } rows[] = {
		{ "chela: hi", true },
		{ "hi CHELA", true },
		{ "hi, chela!", true },
		{ "@chela", true },
		{ "chelation", false },
		{ "michela", false },
		{ "chela_", false },
		{ "", false },
	};

	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++)
		assert_int_equal(irc_mentions(IRC_RFC1459, rows[i].text, "chela"), rows[i].want);
	assert_true(irc_mentions(IRC_RFC1459, "ok b{t}", "b[t]"));
	assert_false(irc_mentions(IRC_RFC1459, "anything", ""));
}

static void test_text(void **state)
{
	bool is_action;

	assert_string_equal(irc_text("\002bold\017 \00304,12red\003 \035i\x1f\x16 \x04" "ff0000x 12", arena, &is_action),
			    "bold red i x 12");
	assert_false(is_action);
	assert_string_equal(irc_text("\001ACTION waves\001", arena, &is_action), "waves");
	assert_true(is_action);
	assert_null(irc_text("\001VERSION\001", arena, &is_action));
	assert_null(irc_text("\001DCC SEND /etc/passwd 1 2 3\001", arena, &is_action));
	assert_string_equal(irc_text("caf\xe9", arena, &is_action), "caf\xef\xbf\xbd");
	assert_string_equal(irc_text("", arena, &is_action), "");
}

static void test_cut(void **state)
{
	assert_int_equal(irc_cut("short", 5, 10), 5);
	assert_int_equal(irc_cut("one two three", 13, 10), 7);
	assert_int_equal(irc_cut("aaaaaaaaaaaaaaaa", 16, 10), 10);
	assert_int_equal(irc_cut("x aaaaaaaaaaaaaa", 16, 10), 10);       /* a space too far in front is no place to cut */
	assert_int_equal(irc_cut("aaaaaaaaa\xe2\x82\xac", 12, 10), 9);
	assert_int_equal(irc_cut("", 0, 10), 0);
}

static void test_time(void **state)
{
	static const struct { const char *text; int64_t at_ms; } rows[] = {
		{ "1970-01-01T00:00:00.000Z", 0 }, { "2026-11-22T09:12:53.123Z", 1795338773123 }, { "2026-11-22T09:12:53Z", 1795338773000 },
		{ "2026-02-30T09:12:53.123Z", -1 }, { "2026-11-22T24:00:00.000Z", -1 }, { "2026-11-22 09:12:53Z", -1 }, { "2026-11-22T09:12:53", -1 },
		{ "2026-11-22T09:12:53.12Z", -1 }, { "2026-11-22T09:12:53.123Zx", -1 }, { "26-11-22T09:12:53.123Z", -1 }, { "", -1 },
	};

	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		int64_t at_ms = -1;

		assert_int_equal(irc_time(rows[i].text, &at_ms), rows[i].at_ms >= 0);
		assert_int_equal(at_ms, rows[i].at_ms);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_tags),
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_mentions),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_cut),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
