/*
 * channels/render: what each network is given for the Markdown that models write.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "channels/render.h"
#include "core/str.h"
#include "../../fuzz/render_check.h"

/* All parts, joined by a line of "=". */
static const char *render(struct arena *a, const char *markdown, struct render_opts opts, bool plain)
{
	const struct render_part *parts = NULL;
	size_t count = 0;
	const char *all = "";

	opts.text_max = opts.text_max ? opts.text_max : 4000;
	assert_int_equal(render_message(a, markdown, strlen(markdown), &opts, &parts, &count, NULL), CH_OK);
	for (size_t i = 0; i < count; i++)
		all = arena_printf(a, "%s%s%s", all, i ? "\n=\n" : "", plain ? parts[i].plain : parts[i].text);
	return all;
}

struct one { const char *markdown, *telegram, *slack, *discord, *plain; };

static const struct one ones[] = {
	{ "a", "a", "a", "a", "a" },
	{ "", "", "", "", "" },
	{ " \n\n ", "", "", "", "" },
	{ "**b** *i* ~~s~~ `c`", "<b>b</b> <i>i</i> <s>s</s> <code>c</code>", "*b* _i_ ~s~ `c`", "**b** *i* ~~s~~ `c`", "b i s c" },
	{ "**b *both* b**", "<b>b <i>both</i> b</b>", "*b _both_ b*", "**b *both* b**", "b both b" },
	{ "*i **both***", "<i>i <b>both</b></i>", "_i *both*_", "*i **both***", "i both" },
	{ "***all***", "<b><i>all</i></b>", "*_all_*", "***all***", "all" },
	{ "<u>u</u> <b>b</b> x<br>y", "<u>u</u> <b>b</b> x\ny", "u *b* x\ny", "__u__ **b** x\ny", "u b x\ny" },
	{ "a < b & c > \"d\"", "a &lt; b &amp; c &gt; &quot;d&quot;", "a &lt; b &amp; c &gt; \"d\"", "a < b & c > \"d\"", "a < b & c > \"d\"" },
	{ "&lt;&amp;&hellip;&#65;&bogus;", "&lt;&amp;…A&amp;bogus;", "&lt;&amp;…A&amp;bogus;", "<&…A&bogus;", "<&…A&bogus;" },
	/* code shows nothing else, and nothing shows it: a link's address matters more */
	{ "**`c`** [`c`](https://x.org)", "<code>c</code> <a href=\"https://x.org\">c</a>", "*`c`* <https://x.org|`c`>",
	  "**`c`** [`c`](https://x.org)", "c c (https://x.org)" },
	/* a mark within a word, or around one, would be read as stars */
	{ "un**frigging**believable", "un<b>frigging</b>believable", "unfriggingbelievable", "un**frigging**believable",
	  "unfriggingbelievable" },
	{ "**a\\*b**", "<b>a*b</b>", "a*b", "**a\\*b**", "a*b" },
	{ "**a**—b", "<b>a</b>—b", "*a*—b", "**a**—b", "a—b" },
	{ "**a\nb**", "<b>a\nb</b>", "*a*\n*b*", "**a**\n**b**", "a\nb" },
	/* links */
	{ "[t](https://x.org/?a=1&b=2)", "<a href=\"https://x.org/?a=1&amp;b=2\">t</a>", "<https://x.org/?a=1&amp;b=2|t>",
	  "[t](https://x.org/?a=1&b=2)", "t (https://x.org/?a=1&b=2)" },
	{ "https://x.org/a_b_c", "https://x.org/a_b_c", "<https://x.org/a_b_c>", "https://x.org/a_b_c", "https://x.org/a_b_c" },
	{ "[t](javascript:x)", "t (javascript:x)", "t (javascript:x)", "t (javascript:x)", "t (javascript:x)" },
	{ "[https://bank.org](https://x.org)", "<a href=\"https://x.org\">https://bank.org</a>", "<https://x.org|https://bank.org>",
	  "https://bank.org (https://x.org)", "https://bank.org (https://x.org)" },
	{ "![cat](https://x.org/c.png)", "<a href=\"https://x.org/c.png\">cat</a>", "<https://x.org/c.png|cat>",
	  "[cat](https://x.org/c.png)", "cat (https://x.org/c.png)" },
	{ "[a|b](https://x.org/(1))", "<a href=\"https://x.org/(1)\">a|b</a>", "<https://x.org/(1)|a|b>", "[a|b](https://x.org/%281%29)",
	  "a|b (https://x.org/(1))" },
	/* spoilers */
	{ "a ||b *c*|| d", "a <tg-spoiler>b <i>c</i></tg-spoiler> d", "a ||b _c_|| d", "a ||b *c*|| d", "a ||b c|| d" },
	{ "a || b", "a || b", "a || b", "a \\|\\| b", "a || b" },
	{ "`||x||`", "<code>||x||</code>", "`||x||`", "`||x||`", "||x||" },
	/* blocks */
	{ "# H *i*\n\ntext", "<b>H <i>i</i></b>\n\ntext", "*H _i_*\n\ntext", "# H *i*\n\ntext", "H i\n\ntext" },
	{ "##### H", "<b>H</b>", "*H*", "**H**", "H" },
	{ "a:\n- b\n- c\n  1. d", "a:\n• b\n• c\n  1. d", "a:\n• b\n• c\n  1. d", "a:\n- b\n- c\n  1. d", "a:\n- b\n- c\n  1. d" },
	{ "- [ ] a\n- [x] b", "☐ a\n☑ b", "☐ a\n☑ b", "☐ a\n☑ b", "☐ a\n☑ b" },
	{ "3. a\n4. b", "3. a\n4. b", "3. a\n4. b", "3. a\n4. b", "3. a\n4. b" },
	{ "> a\n> b\n\nc", "<blockquote>a\nb</blockquote>\n\nc", "> a\n> b\n\nc", "> a\n> b\n\nc", "> a\n> b\n\nc" },
	{ "```js\na<b\n```", "<pre><code class=\"language-js\">a&lt;b</code></pre>", "```\na&lt;b\n```", "```js\na<b\n```", "a<b" },
	{ "```\na\n```", "<pre>a</pre>", "```\na\n```", "```\na\n```", "a" },
	{ "```\nopen", "<pre>open</pre>", "```\nopen\n```", "```\nopen\n```", "open" },
	{ "````\n```\n````", "<pre>```</pre>", "```", "\\`\\`\\`", "```" },
	{ "```a\"b<c\nx\n```", "<pre><code class=\"language-a\">x</code></pre>", "```\nx\n```", "```a\nx\n```", "x" },
	{ "a\n\n---\n\nb", "a\n\n———\n\nb", "a\n\n———\n\nb", "a\n\n———\n\nb", "a\n\n———\n\nb" },
	/* nobody is rung by a model */
	{ "<!channel> <!here> <!subteam^S1> <@U12345>", "&lt;!channel&gt; &lt;!here&gt; &lt;!subteam^S1&gt; &lt;@U12345&gt;",
	  "&lt;!channel&gt; &lt;!here&gt; &lt;!subteam^S1&gt; <@U12345>", "<!channel> <!here> <!subteam^S1> \\<@U12345>",
	  "<!channel> <!here> <!subteam^S1> <@U12345>" },
	{ "@everyone <@&123456> <@1234567>", "@everyone &lt;@&amp;123456&gt; &lt;@1234567&gt;",
	  "@everyone &lt;@&amp;123456&gt; &lt;@1234567&gt;", "@\xe2\x80\x8b" "everyone \\<@&123456> <@1234567>",
	  "@everyone <@&123456> <@1234567>" },
	{ "[<@U12345>](https://x.org)", "<a href=\"https://x.org\">&lt;@U12345&gt;</a>", "<https://x.org|&lt;@U12345&gt;>",
	  "[\\<@U12345>](https://x.org)", "<@U12345> (https://x.org)" },
	/* what Discord would take for a mark */
	{ "\\# a_b_c 2 * 3 \\*x\\*", "# a_b_c 2 * 3 *x*", "# a_b_c 2 * 3 *x*", "\\# a_b_c 2 * 3 \\*x\\*", "# a_b_c 2 * 3 *x*" },
};

static void test_flavours(void **state)
{
	(void)state;
	for (size_t i = 0; i < CH_ARRAY_LEN(ones); i++) {
		CH_AUTO(arena_unref) struct arena *a = arena_new(0);
		const struct one *o = &ones[i];

		assert_string_equal(render(a, o->markdown, (struct render_opts){ .flavour = CHAN_TELEGRAM_HTML }, false), o->telegram);
		assert_string_equal(render(a, o->markdown, (struct render_opts){ .flavour = CHAN_SLACK_MRKDWN }, false), o->slack);
		assert_string_equal(render(a, o->markdown, (struct render_opts){ .flavour = CHAN_DISCORD_MD }, false), o->discord);
		assert_string_equal(render(a, o->markdown, (struct render_opts){ .flavour = CHAN_PLAIN }, false), o->plain);
		assert_string_equal(render(a, o->markdown, (struct render_opts){ .flavour = CHAN_TELEGRAM_HTML }, true),
				    render(a, o->markdown, (struct render_opts){ .flavour = CHAN_DISCORD_MD }, true));
	}
}

static void test_tables(void **state)
{
	static const char table[] = "|Name|V|\n|---|---|\n|a|1|\n|long **name**|日本|";
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);

	(void)state;
	assert_string_equal(render(a, table, (struct render_opts){ .flavour = CHAN_TELEGRAM_HTML }, false),
			    "<pre>Name      | V\n----------+-----\na         | 1\nlong name | 日本</pre>");
	assert_string_equal(render(a, table, (struct render_opts){ .flavour = CHAN_SLACK_MRKDWN, .tables = RENDER_TABLES_BULLETS }, false),
			    "• *Name*: a\n• *V*: 1\n\n• *Name*: long *name*\n• *V*: 日本");
	assert_string_equal(render(a, table, (struct render_opts){ .flavour = CHAN_PLAIN, .tables = RENDER_TABLES_OFF }, false),
			    "|Name|V|\n|---|---|\n|a|1|\n|long name|日本|");
	/* as short as GitHub allows; but not what only looks like it */
	assert_string_equal(render(a, "|a|b|\n|-|:-|\n|1|2|", (struct render_opts){ .flavour = CHAN_PLAIN }, false), "a | b\n--+--\n1 | 2");
	assert_string_equal(render(a, "a\n|-|", (struct render_opts){ .flavour = CHAN_PLAIN }, false), "a\n|-|");
	assert_string_equal(render(a, "```\n|a|b|\n|-|-|\n```", (struct render_opts){ .flavour = CHAN_PLAIN }, false), "|a|b|\n|-|-|");
	assert_int_equal(render_tables_parse("bullets"), RENDER_TABLES_BULLETS);
	assert_int_equal(render_tables_parse(NULL), RENDER_TABLES_DEFAULT);
	assert_int_equal(render_tables_parse("x"), RENDER_TABLES_DEFAULT);
}

static void test_lengths(void **state)
{
	static const char text[] = "aé日😀";

	(void)state;
	assert_int_equal(render_len(text, strlen(text), CHAN_BYTES), 10);
	assert_int_equal(render_len(text, strlen(text), CHAN_CODEPOINTS), 4);
	assert_int_equal(render_len(text, strlen(text), CHAN_UTF16), 5);
}

static void test_escape(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);

	(void)state;
	assert_string_equal(render_escape(a, CHAN_TELEGRAM_HTML, "<b> & \"x\"\n\ny"), "&lt;b&gt; &amp; &quot;x&quot;\n\ny");
	assert_string_equal(render_escape(a, CHAN_SLACK_MRKDWN, "<!here> *x*"), "&lt;!here&gt; *x*");
	assert_string_equal(render_escape(a, CHAN_DISCORD_MD, "# *x*\n> y"), "\\# \\*x\\*\n\\> y");
	assert_string_equal(render_escape(a, CHAN_PLAIN, "<b> *x*"), "<b> *x*");
	assert_string_equal(render_escape(a, CHAN_PLAIN, ""), "");
}

/* -- cutting -- */

static const char *cut(struct arena *a, enum chan_flavour flavour, int max, const char *markdown)
{
	return render(a, markdown, (struct render_opts){ .flavour = flavour, .unit = CHAN_UTF16, .text_max = max }, false);
}

static const char *times(struct arena *a, const char *s, int n)
{
	const char *all = "";

	while (n--)
		all = arena_printf(a, "%s%s", all, s);
	return all;
}

static void test_cut_at_the_best_place(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	const char *forty = times(a, "abcdefghi ", 4), *fifty = times(a, "abcdefghi ", 5), *dots = "Abcdefghijklmnopqrst uvwxyz. ";

	(void)state;
	/* paragraph, when the part is half full */
	assert_string_equal(cut(a, CHAN_PLAIN, 70, arena_printf(a, "%s\n\n%s", forty, forty)),
			    "abcdefghi abcdefghi abcdefghi abcdefghi\n=\nabcdefghi abcdefghi abcdefghi abcdefghi");
	/* line */
	assert_string_equal(cut(a, CHAN_PLAIN, 70, arena_printf(a, "%s\n%s", fifty, fifty)),
			    "abcdefghi abcdefghi abcdefghi abcdefghi abcdefghi\n=\nabcdefghi abcdefghi abcdefghi abcdefghi abcdefghi");
	/* sentence */
	assert_string_equal(cut(a, CHAN_PLAIN, 70, times(a, dots, 3)),
			    "Abcdefghijklmnopqrst uvwxyz. Abcdefghijklmnopqrst uvwxyz.\n=\nAbcdefghijklmnopqrst uvwxyz.");
	/* word */
	assert_string_equal(cut(a, CHAN_PLAIN, 64, times(a, "abcdefghi ", 7)),
			    "abcdefghi abcdefghi abcdefghi abcdefghi abcdefghi abcdefghi\n=\nabcdefghi");
	/* grapheme: families stay together */
	assert_string_equal(cut(a, CHAN_PLAIN, 64, times(a, "👩‍👩‍👧‍👦", 7)),
			    arena_printf(a, "%s\n=\n%s", times(a, "👩‍👩‍👧‍👦", 5), times(a, "👩‍👩‍👧‍👦", 2)));
	assert_string_equal(cut(a, CHAN_PLAIN, 64, times(a, "e\xcc\x81", 40)),
			    arena_printf(a, "%s\n=\n%s", times(a, "e\xcc\x81", 32), times(a, "e\xcc\x81", 8)));
}

static void test_cut_keeps_markup_whole(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	const char *word = "abcdefghi ";

	(void)state;
	assert_string_equal(cut(a, CHAN_TELEGRAM_HTML, 76, arena_printf(a, "**%send**", times(a, word, 7))),
			    arena_printf(a, "<b>%sabcdefghi</b>\n=\n<b>end</b>", times(a, word, 6)));
	assert_string_equal(cut(a, CHAN_DISCORD_MD, 80, "```py\nline one of the code is here\nline two of the code is here\nline three of the code\n```"),
			    "```py\nline one of the code is here\nline two of the code is here\n```\n=\n```py\nline three of the code\n```");
	assert_string_equal(cut(a, CHAN_TELEGRAM_HTML, 96, "```c\nline one of it\nline two of it\nline three of it\nline four\n```"),
			    "<pre><code class=\"language-c\">line one of it\nline two of it\nline three of it</code></pre>\n=\n"
			    "<pre><code class=\"language-c\">line four</code></pre>");
	/* an entity is one character that costs more */
	assert_string_equal(cut(a, CHAN_TELEGRAM_HTML, 64, times(a, "<", 20)),
			    arena_printf(a, "%s\n=\n%s", times(a, "&lt;", 16), times(a, "&lt;", 4)));
	/* a link that does not fit goes on to the next part */
	assert_string_equal(cut(a, CHAN_TELEGRAM_HTML, 80, "Some words that come before it, and then [the link text](https://ab.cd/)."),
			    "Some words that come before it, and then\n=\n<a href=\"https://ab.cd/\">the link text</a>.");
	/* a quote is opened again */
	assert_string_equal(cut(a, CHAN_TELEGRAM_HTML, 90, arena_printf(a, "> %s", times(a, word, 8))),
			    arena_printf(a, "<blockquote>%sabcdefghi</blockquote>\n=\n<blockquote>abcdefghi abcdefghi</blockquote>",
					 times(a, word, 5)));
}

static void test_cut_of_lists_tables_headings(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	const char *para = "A paragraph of a good length, so that it fills up the part.";

	(void)state;
	assert_string_equal(cut(a, CHAN_PLAIN, 64, "1. the first item of the list, and so on\n2. the second item of the list, and so on"),
			    "1. the first item of the list, and so on\n=\n2. the second item of the list, and so on");
	assert_string_equal(cut(a, CHAN_PLAIN, 80, arena_printf(a, "%s\n\n# Title\n\n%s", para, para)),
			    arena_printf(a, "%s\n=\nTitle\n\n%s", para, para));
	assert_string_equal(cut(a, CHAN_SLACK_MRKDWN, 80, "|A|B|\n|---|---|\n|first row here|1|\n|second row here|2|\n|third row|3|"),
			    "```\nA               | B\n----------------+--\nfirst row here  | 1\n```\n=\n"
			    "```\nA               | B\n----------------+--\nsecond row here | 2\n```\n=\n"
			    "```\nA               | B\n----------------+--\nthird row       | 3\n```");
}

static void test_cut_by_limits_of_the_network(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	const char *lines = times(a, "line\n", 40);
	struct render_opts caption = { .flavour = CHAN_PLAIN, .unit = CHAN_CODEPOINTS, .text_max = 200, .first_max = 64 };
	struct render_opts paragraphs = { .flavour = CHAN_PLAIN, .text_max = 100, .by_paragraph = true };
	struct render_opts lined = { .flavour = CHAN_DISCORD_MD, .text_max = 2000, .lines_max = 17 };

	(void)state;
	assert_string_equal(render(a, times(a, "日本語です。 ", 20), caption, false),
			    arena_printf(a, "%s\n=\n%s", str_trim(a, times(a, "日本語です。 ", 9)), str_trim(a, times(a, "日本語です。 ", 11))));
	assert_string_equal(render(a, arena_printf(a, "short\n\n%s", times(a, "abcdefghi ", 11)), paragraphs, false),
			    arena_printf(a, "short\n=\n%s\n=\nabcdefghi", str_trim(a, times(a, "abcdefghi ", 10))));
	assert_string_equal(render(a, lines, lined, false),
			    arena_printf(a, "%s\n=\n%s\n=\n%s", str_trim(a, times(a, "line\n", 17)), str_trim(a, times(a, "line\n", 17)),
					 str_trim(a, times(a, "line\n", 6))));
}

/* Every flavour at every size: each part is what its network would take, and nothing is lost. */
static void test_cut_parts_are_valid(void **state)
{
	(void)state;
	for (size_t i = 0; i < CH_ARRAY_LEN(ones) * 4; i++) {
		for (int max = RENDER_TEXT_MIN; max < 200; max += 17) {
			CH_AUTO(arena_unref) struct arena *a = arena_new(0);
			const struct one *o = &ones[i / 4];
			const char *markdown = arena_printf(a, "%s\n\nand %s", times(a, arena_printf(a, "%s word. ", o->markdown), 9),
							    times(a, o->markdown, 9));
			struct render_opts opts = { .flavour = (enum chan_flavour)(i % 4), .unit = CHAN_UTF16, .text_max = max };
			const struct render_part *parts = NULL, *whole = NULL;
			size_t count = 0, whole_count = 0;

			assert_int_equal(render_message(a, markdown, strlen(markdown), &opts, &parts, &count, NULL), CH_OK);
			for (size_t k = 0; k < count; k++) {
				if (render_check(opts.flavour, parts[k].text))
					fail_msg("%s:\n%s", render_check(opts.flavour, parts[k].text), parts[k].text);
				assert_true(render_len(parts[k].text, strlen(parts[k].text), CHAN_UTF16) <= (size_t)max);
				assert_true(render_len(parts[k].plain, strlen(parts[k].plain), CHAN_UTF16) <= (size_t)max);
			}
			opts.text_max = 1 << 20;
			assert_int_equal(render_message(a, markdown, strlen(markdown), &opts, &whole, &whole_count, NULL), CH_OK);
			assert_int_equal(whole_count, 1);
			assert_true(render_check_nothing_lost(whole[0].plain, parts, count));
		}
	}
}

static void test_limits(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct render_opts opts = { .text_max = RENDER_TEXT_MIN - 1 };
	const struct render_part *parts;
	static char big[RENDER_IN_MAX + 1];
	size_t count;

	(void)state;
	assert_int_equal(render_message(a, "x", 1, &opts, &parts, &count, NULL), CH_E_INVALID);
	opts.text_max = 4000;
	assert_int_equal(render_message(a, big, sizeof(big), &opts, &parts, &count, NULL), CH_E_LIMIT);
	/* what is no Markdown for us is text */
	memset(big, '*', RENDER_IN_MAX);
	assert_int_equal(render_message(a, big, RENDER_IN_MAX, &opts, &parts, &count, NULL), CH_OK);
	assert_int_equal(count, (RENDER_IN_MAX + 3999) / 4000);
	assert_string_equal(render(a, times(a, "> ", 40), (struct render_opts){ .flavour = CHAN_PLAIN }, false),
			    str_trim(a, times(a, "> ", 40)));
	assert_string_equal(render(a, arena_printf(a, "%sx", times(a, "> ", 40)), (struct render_opts){ .flavour = CHAN_PLAIN }, false),
			    arena_printf(a, "%sx", times(a, "> ", 40)));
	assert_string_equal(render(a, "a\x01" "b\x7f\xff" "c", (struct render_opts){ .flavour = CHAN_PLAIN }, false), "ab\xef\xbf\xbd" "c");
}

/* A table of few bytes may ask for billions of cells; names for one address may repeat it without end. */
static void test_threat_markdown_that_grows_is_shown_as_text(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	const char *wide = arena_printf(a, "%s\n%s\n%s", times(a, "|a", 500), times(a, "|---", 500), times(a, "|\n", 3000));
	const char *refs = arena_printf(a, "[a]: https://x.org/%s\n\n%s", times(a, "abcdefghi", 200), times(a, "[a] ", 3000));
	struct render_opts opts = { .flavour = CHAN_PLAIN, .text_max = 4000 };
	const struct render_part *parts;
	size_t count;

	(void)state;
	assert_int_equal(render_message(a, wide, strlen(wide), &opts, &parts, &count, NULL), CH_OK);
	assert_in_range(count, 1, 7);
	assert_int_equal(render_message(a, refs, strlen(refs), &opts, &parts, &count, NULL), CH_OK);
	assert_in_range(count, 1, 7);
}

/* Slack wants a link's address on each line of its text: a long one over many lines made a thousand messages of nine kilobytes. */
static void test_threat_link_of_many_lines_does_not_grow(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	const struct render_opts opts = { .flavour = CHAN_SLACK_MRKDWN, .unit = CHAN_CODEPOINTS, .text_max = 4000 };
	const char *markdown = arena_printf(a, "[%s](https://x.org/%s)", times(a, "a\n", 400), times(a, "z", 900));
	const struct render_part *parts = NULL;
	size_t count = 0;

	(void)state;
	assert_int_equal(render_message(a, markdown, strlen(markdown), &opts, &parts, &count, NULL), CH_OK);
	assert_int_equal(count, 1);
	assert_true(strlen(parts[0].text) < strlen(markdown) + 8);
	assert_string_equal(render(a, "[a\nb *c*](https://x.org)", (struct render_opts){ .flavour = CHAN_SLACK_MRKDWN }, false),
			    "<https://x.org|a>\n<https://x.org|b _c_>");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flavours),
		cmocka_unit_test(test_tables),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_escape),
		cmocka_unit_test(test_cut_at_the_best_place),
		cmocka_unit_test(test_cut_keeps_markup_whole),
		cmocka_unit_test(test_cut_of_lists_tables_headings),
		cmocka_unit_test(test_cut_by_limits_of_the_network),
		cmocka_unit_test(test_cut_parts_are_valid),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_threat_markdown_that_grows_is_shown_as_text),
		cmocka_unit_test(test_threat_link_of_many_lines_does_not_grow),
	};

	return cmocka_run_group_tests_name("channels/render", tests, NULL, NULL);
}
