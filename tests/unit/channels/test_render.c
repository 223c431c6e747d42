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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flavours),
		cmocka_unit_test(test_tables),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_escape),
	};

	return cmocka_run_group_tests_name("channels/render", tests, NULL, NULL);
}
