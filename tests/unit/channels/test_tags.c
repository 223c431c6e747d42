/*
 * channels/tags: what a model says to the core.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "channels/render.h"

static struct render_tags read_tags(struct arena *a, const char *reply)
{
	struct render_tags t;

	render_tags(a, reply, strlen(reply), &t);
	return t;
}

static void test_replies(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct render_tags t = read_tags(a, "[[reply_to_current]] hello");

	(void)state;
	assert_true(t.reply_to_current);
	assert_string_equal(t.text, "hello");
	t = read_tags(a, "one [[ reply_to : 1234.5 ]] two\n[[audio_as_voice]]\nthree");
	assert_string_equal(t.reply_to, "1234.5");
	assert_true(t.as_voice);
	assert_string_equal(t.text, "one two\nthree");
	t = read_tags(a, "a [[b]] [[reply_to:]] [[reply_to_x]]");
	assert_null(t.reply_to);
	assert_string_equal(t.text, "a [[b]] [[reply_to:]] [[reply_to_x]]");
	t = read_tags(a, "`[[reply_to_current]]`\n```\n[[audio_as_voice]]\nMEDIA:/x\n```\n[[");
	assert_false(t.reply_to_current || t.as_voice || t.media_count);
	assert_string_equal(t.text, "`[[reply_to_current]]`\n```\n[[audio_as_voice]]\nMEDIA:/x\n```\n[[");
}

static void test_silence(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);

	(void)state;
	assert_true(read_tags(a, " no_reply\n").is_silent_reply);
	assert_string_equal(read_tags(a, " NO_REPLY\n").text, "");
	assert_true(read_tags(a, "[[reply_to_current]] NO_REPLY").is_silent_reply);
	assert_true(read_tags(a, "[[silent]]").is_silent_reply);
	assert_false(read_tags(a, "NO_REPLY is a word").is_silent_reply);
	assert_false(read_tags(a, "").is_silent_reply);
}

/* md4c takes no more than 32 backticks for code, and a line of ever longer runs must not be looked through for each. */
static void test_long_runs_of_backticks_enclose_nothing(void **state)
{
	static const char ticks[] = "`````````````````````````````````";     /* 33 */
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct render_tags t = read_tags(a, arena_printf(a, "a %s[[silent]]%s", ticks + 1, ticks + 1));

	(void)state;
	assert_int_equal(strlen(ticks), 33);
	assert_false(t.is_silent_reply);
	t = read_tags(a, arena_printf(a, "a %s[[silent]]%s", ticks, ticks));
	assert_true(t.is_silent_reply);
	assert_string_equal(t.text, arena_printf(a, "a %s%s", ticks, ticks));
}

static void test_media(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct render_tags t = read_tags(a, "Here.\n\nMEDIA:/w/a.png\n  MEDIA: \"https://x.org/a b.mp4?t=1,\"\nend MEDIA:/no\n    MEDIA:/code\n"
					    "**MEDIA:/no**\nMEDIA:\n");

	(void)state;
	assert_int_equal(t.media_count, 2);
	assert_string_equal(t.media[0], "/w/a.png");
	assert_string_equal(t.media[1], "https://x.org/a b.mp4?t=1,");
	assert_string_equal(t.text, "Here.\n\nend MEDIA:/no\n    MEDIA:/code\n**MEDIA:/no**\nMEDIA:");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_replies),
		cmocka_unit_test(test_silence),
		cmocka_unit_test(test_long_runs_of_backticks_enclose_nothing),
		cmocka_unit_test(test_media),
	};

	return cmocka_run_group_tests_name("channels/tags", tests, NULL, NULL);
}
