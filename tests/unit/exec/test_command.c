/*
 * exec/command: what is literal, what is opaque and why, wrappers and interpreters.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/buf.h"
#include "core/str.h"
#include "exec/command.h"

static struct arena *arena;

static int set_up(void **state)
{
	(void)state;
	arena = arena_new(0);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	arena_unref(arena);
	return 0;
}

static struct cmd_plan parse(const char *text)
{
	struct cmd_plan p = { 0 };
	struct ch_err err = { 0 };

	if (cmd_parse(text, strlen(text), arena, &p, &err))
		fail_msg("%s: %s", text, err.text);
	return p;
}

/* The argvs as one text: words between |, segments followed by what joins them. */
static const char *written(const struct cmd_plan *p)
{
	static const char *const joins[] = { "", " PIPE ", " AND ", " OR ", " SEQ " };
	CH_AUTO_BUF struct buf b = { 0 };

	buf_init(&b, 1 << 20);
	for (size_t i = 0; i < p->count; i++) {
		const struct cmd_exec *e = p->segments[i].chain;

		for (size_t k = 0; k < e->argc; k++)
			buf_printf(&b, "%s[%s]", k ? " " : "", e->argv[k]);
		buf_puts(&b, joins[p->segments[i].join]);
	}
	return arena_strdup(arena, buf_str(&b));
}

static void test_literal(void **state)
{
	static const struct { const char *text, *want; } rows[] = {
		{ "ls", "[ls]" },
		{ "  ls\t-l  ", "[ls] [-l]" },
		{ "ls -l | wc -l", "[ls] [-l] PIPE [wc] [-l]" },
		{ "a&&b||c;d", "[a] AND [b] OR [c] SEQ [d]" },
		{ "a;", "[a]" },
		{ "a\n\n b \n", "[a] SEQ [b]" },
		{ "a |\n\n b &&\n c", "[a] PIPE [b] AND [c]" },
		{ "a 'b c' \"d e\"f\\ g", "[a] [b c] [d ef g]" },
		{ "a '' \"\"", "[a] [] []" },
		{ "a \"x\\\"y\\\\z\\$w\\`v\\n\"", "[a] [x\"y\\z$w`v\\n]" },
		{ "a '$x `y` \\'", "[a] [$x `y` \\]" },
		{ "a b\\\nc d \\\n e", "[a] [bc] [d] [e]" },
		{ "a \"b\\\nc\"", "[a] [bc]" },
		{ "a # b | c\nd", "[a] SEQ [d]" },
		{ "# only this\na b#c '#d' \\#e", "[a] [b#c] [#d] [#e]" },
		{ "git2 show HEAD~1 x=~1y:z", "" },
		{ "show HEAD~1 a~ \\~b '~c' \"~\"", "[show] [HEAD~1] [a~] [~b] [~c] [~]" },
		{ "find2 . -name '*.c' {} \\;", "[find2] [.] [-name] [*.c] [{}] [;]" },
		{ "a ] b! ^c @d %e +f ,g a=b", "[a] []] [b!] [^c] [@d] [%e] [+f] [,g] [a=b]" },
		{ "./a /b/c ../d", "[./a] [/b/c] [../d]" },
		{ "a 'two\nlines'", "[a] [two\nlines]" },
		{ "gr\xc3\xbc\xc3\x9f\x65 \xe2\x9c\x93", "[gr\xc3\xbc\xc3\x9f\x65] [\xe2\x9c\x93]" },
		{ "sh -c 'ls -l | wc'", "[ls] [-l] PIPE [wc]" },
		{ "a && bash -c 'b c' || d", "[a] AND [b] [c] OR [d]" },
		{ "bash -c 'sh -c \"ls x\"'", "[ls] [x]" },
		{ "a && sh -c 'b || c'", "[a] AND [sh] [-c] [b || c]" },
		{ "./sh -c 'ls'", "[./sh] [-c] [ls]" },
		{ "sh -c 'ls $1' x", "[sh] [-c] [ls $1] [x]" },
	};

	(void)state;
	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		struct cmd_plan p = parse(rows[i].text);

		if (!*rows[i].want) {
			assert_false(p.is_literal);
			continue;
		}
		if (!p.is_literal)
			fail_msg("%s: %s", rows[i].text, p.why_opaque);
		assert_string_equal(written(&p), rows[i].want);
	}
}

static void test_opaque(void **state)
{
	static const struct { const char *text; unsigned trait; } rows[] = {
		{ "a > b", CMD_T_REDIRECT }, { "a 2>&1", CMD_T_REDIRECT }, { "a >| b", CMD_T_REDIRECT }, { "a <> b", CMD_T_REDIRECT },
		{ "a &> b", CMD_T_REDIRECT }, { "a |& b", CMD_T_REDIRECT }, { "> b", CMD_T_REDIRECT }, { "a <<< b", CMD_T_REDIRECT },
		{ "a<b", CMD_T_REDIRECT }, { "a << E\nb\nE\n", CMD_T_HEREDOC }, { "a <<-E\nb\nE\n", CMD_T_HEREDOC },
		{ "a <(b)", CMD_T_SUBSTITUTION }, { "a >(b)", CMD_T_SUBSTITUTION }, { "a $(b)", CMD_T_SUBSTITUTION },
		{ "a `b`", CMD_T_SUBSTITUTION }, { "a \"$(b)\"", CMD_T_SUBSTITUTION }, { "a \"`b`\"", CMD_T_SUBSTITUTION },
		{ "a $b", CMD_T_EXPANSION }, { "a \"$b\"", CMD_T_EXPANSION }, { "a ${b}", CMD_T_EXPANSION }, { "a $((1))", CMD_T_SUBSTITUTION },
		{ "a $'b'", CMD_T_EXPANSION }, { "a $\"b\"", CMD_T_EXPANSION }, { "a $", CMD_T_EXPANSION }, { "a ~", CMD_T_EXPANSION },
		{ "a ~root/x", CMD_T_EXPANSION }, { "a b=~", CMD_T_EXPANSION }, { "a b:~", CMD_T_EXPANSION }, { "a \\\n~", CMD_T_EXPANSION },
		{ "a {b,c}", CMD_T_EXPANSION }, { "a {1..3}", CMD_T_EXPANSION }, { "a x{}", CMD_T_EXPANSION }, { "a =b", CMD_T_EXPANSION },
		{ "a {a,{}}", CMD_T_EXPANSION }, { "a *", CMD_T_GLOB }, { "a b?", CMD_T_GLOB }, { "a [b]", CMD_T_GLOB }, { "[ -f x ]", CMD_T_GLOB },
		{ "a @(b|c)", CMD_T_KEYWORD }, { "A=b c", CMD_T_ASSIGNMENT }, { "A=b", CMD_T_ASSIGNMENT }, { "A+=b c", CMD_T_ASSIGNMENT },
		{ "'A'=b c", CMD_T_ASSIGNMENT }, { "if a; then b; fi", CMD_T_KEYWORD }, { "! a", CMD_T_KEYWORD }, { "time a", CMD_T_KEYWORD },
		{ "[[ a ]]", CMD_T_GLOB }, { "(a)", CMD_T_KEYWORD }, { "{ a; }", CMD_T_EXPANSION }, { "f() { a; }", CMD_T_KEYWORD },
		{ "for x in a; do b; done", CMD_T_KEYWORD }, { "coproc a", CMD_T_KEYWORD }, { "a | ! b", CMD_T_KEYWORD },
		{ "i\\\nf a", CMD_T_KEYWORD }, { "'if' a", CMD_T_KEYWORD }, { "a &", CMD_T_BACKGROUND }, { "a & b", CMD_T_BACKGROUND },
		{ "a;;b", CMD_T_UNPARSED }, { ";a", CMD_T_UNPARSED }, { "a;;", CMD_T_UNPARSED }, { "a &&", CMD_T_UNPARSED }, { "| a", CMD_T_UNPARSED },
		{ "a || ; b", CMD_T_UNPARSED }, { "a &\\\n& b", CMD_T_BACKGROUND }, { "a |\\\n| b", CMD_T_UNPARSED }, { "a 'b", CMD_T_UNPARSED },
		{ "a \"b", CMD_T_UNPARSED }, { "a `b", CMD_T_UNPARSED }, { "a $(b", CMD_T_UNPARSED }, { "a \\", CMD_T_UNPARSED },
		{ "", CMD_T_UNPARSED }, { "  # x", CMD_T_UNPARSED }, { "-a", CMD_T_UNPARSED }, { "+a", CMD_T_UNPARSED }, { "''", CMD_T_UNPARSED }, { "a >", CMD_T_UNPARSED },
		{ "eval a", CMD_T_BUILTIN }, { "source a", CMD_T_BUILTIN }, { ". a", CMD_T_BUILTIN }, { "exec a", CMD_T_BUILTIN },
		{ "command a", CMD_T_BUILTIN }, { "trap a 0", CMD_T_BUILTIN }, { "cd /x", CMD_T_BUILTIN }, { "export A=b", CMD_T_BUILTIN },
		{ "\\cd /x", CMD_T_BUILTIN }, { "%1", CMD_T_BUILTIN }, { "a\r", CMD_T_HIDDEN_CHARS }, { "a\rb", CMD_T_HIDDEN_CHARS },
		{ "a\vb", CMD_T_HIDDEN_CHARS }, { "a '\x1b[2J'", CMD_T_HIDDEN_CHARS }, { "a\xc2\xa0-b", CMD_T_HIDDEN_CHARS },
		{ "a # \xe2\x80\xae", CMD_T_HIDDEN_CHARS }, { "a '\xe2\x80\x8b'", CMD_T_HIDDEN_CHARS }, { "a\xe3\x80\x80""b", CMD_T_HIDDEN_CHARS },
	};

	(void)state;
	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		struct cmd_plan p = parse(rows[i].text);

		if (p.is_literal || p.is_plain || !(p.traits & rows[i].trait) || !p.why_opaque)
			fail_msg("%s: traits %x, %s", rows[i].text, p.traits, p.is_literal ? "literal" : p.why_opaque);
		for (size_t k = 0; k < p.count; k++)
			assert_true(p.segments[k].is_literal == (p.segments[k].chain_len > 0));
	}
}

static void test_wrappers(void **state)
{
	static const struct { const char *text, *inner; unsigned traits; } rows[] = {
		{ "nice ls -l", "ls", 0 }, { "nice -n 5 ls", "ls", 0 }, { "nice -n5 ls", "ls", 0 }, { "nice -10 ls", "ls", 0 },
		{ "nice --adjustment=5 ls", "ls", 0 }, { "nohup ls", "ls", 0 }, { "timeout 5 ls", "ls", 0 },
		{ "timeout -k 3 --signal=KILL 5 ls", "ls", 0 }, { "stdbuf -oL ls", "ls", 0 }, { "stdbuf -o L ls", "ls", 0 },
		{ "/usr/bin/time -p ls", "ls", 0 }, { "setsid -w ls", "ls", 0 }, { "ionice -c3 ls", "ls", 0 }, { "chrt -b 0 ls", "ls", 0 },
		{ "taskset -c 0,1 ls", "ls", 0 }, { "flock -n /tmp/l ls", "ls", 0 }, { "env ls", "ls", 0 }, { "env -- ls", "ls", 0 },
		{ "env A=b ls", "ls", CMD_T_ENV }, { "env -i ls", "ls", CMD_T_ENV }, { "env -u A ls", "ls", CMD_T_ENV },
		{ "/usr/bin/env nice timeout 3 ls", "ls", 0 }, { "sudo ls", "ls", CMD_T_PRIVILEGE }, { "sudo -n -u bob ls", "ls", CMD_T_PRIVILEGE },
		{ "sudo A=b ls", "ls", CMD_T_PRIVILEGE | CMD_T_ENV }, { "doas -u bob ls", "ls", CMD_T_PRIVILEGE },
		{ "xargs -0 rm -f", "rm", CMD_T_INTERPRETER }, { "nice python3 x.py", "python3", CMD_T_INTERPRETER },
		{ "timeout 5 sh -c ls", "sh", CMD_T_INTERPRETER | CMD_T_INLINE_CODE }, { "nice", "nice", 0 }, { "env", "env", 0 },
		{ "nice -z ls", "nice", CMD_T_WRAPPER_UNREADABLE }, { "env -S 'ls -l'", "env", CMD_T_WRAPPER_UNREADABLE | CMD_T_ENV },
		{ "env -C / ls", "env", CMD_T_WRAPPER_UNREADABLE | CMD_T_ENV }, { "flock /tmp/l -c ls", "flock", CMD_T_WRAPPER_UNREADABLE },
		{ "timeout --kill 3 5 ls", "timeout", CMD_T_WRAPPER_UNREADABLE }, { "sudo -s ls", "sudo", CMD_T_WRAPPER_UNREADABLE | CMD_T_PRIVILEGE },
		{ "nice '' ls", "nice", CMD_T_WRAPPER_UNREADABLE }, { "env - ls", "env", CMD_T_WRAPPER_UNREADABLE | CMD_T_ENV },
		{ "nice nice nice nice nice nice nice nice nice ls", "nice", CMD_T_WRAPPER_UNREADABLE },
	};

	(void)state;
	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		struct cmd_plan p = parse(rows[i].text);
		const struct cmd_segment *s = &p.segments[0];

		assert_true(p.is_literal && p.count == 1);
		if (p.traits != rows[i].traits)
			fail_msg("%s: traits %x", rows[i].text, p.traits);
		assert_string_equal(s->chain[s->chain_len - 1].argv[0], rows[i].inner);
		assert_int_equal(p.is_plain, !(p.traits & ~(unsigned)CMD_T_PRIVILEGE));
	}
}

static void test_interpreters(void **state)
{
	static const struct { const char *text; bool is_plain, is_inline; } rows[] = {
		{ "python3 x.py", false, false }, { "python3.11 -c 'x'", false, true }, { "python3 -Ic x", false, true }, { "python3", false, true },
		{ "/opt/venv/bin/python x.py", false, false }, { "node -e 1", false, true }, { "node --eval=1", false, true }, { "node --ev 1", false, true },
		{ "node x.js", false, false }, { "ruby -e 1", false, true }, { "perl -ne 1", false, true }, { "perl -E 1", false, true },
		{ "php -r 1", false, true }, { "lua5.4 -e 1", false, true }, { "awk 1", false, true }, { "sed s/a/b/", false, true }, { "jq .", false, false },
		{ "make", false, true }, { "find . -name x", true, false }, { "find . -exec rm {} \\;", false, true }, { "find . -delete", false, true },
		{ "xargs rm", false, false }, { "tar xf a.tar", false, false }, { "tar xf a --to-command=sh", false, true },
		{ "tar xf a --to-c=sh", false, true }, { "tar -I sh xf a", false, true }, { "tar xIf sh a", false, false },
		{ "zip -rTT sh a b", false, false }, { "git status", false, false }, { "git -c alias.x=!sh x", false, true },
		{ "ssh -oProxyCommand=sh h", false, true }, { "vim x", false, false }, { "less x", false, false }, { "man ls", true, false },
		{ "man -P sh ls", false, true }, { "busybox ls", false, true }, { "sort x", true, false }, { "sort --compress-program=sh x", false, true },
		{ "sort --comp sh x", false, true }, { "rg --pre sh x", false, true }, { "rg x", true, false }, { "cat x", true, false }, { "su -c ls", false, true },
		{ "bash x.sh", false, false }, { "bash", false, true }, { "bash -lc ls", false, true }, { "docker ps", false, true },
		{ "/lib64/ld-linux-x86-64.so.2 ./x", false, true }, { "ip addr", true, false }, { "ip netns exec x sh", false, true },
		{ "openssl dgst x", true, false }, { "openssl engine x", false, true },
	};

	(void)state;
	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		struct cmd_plan p = parse(rows[i].text);

		assert_true(p.is_literal);
		if (p.is_plain != rows[i].is_plain || cmd_may_inline(&p) != rows[i].is_inline)
			fail_msg("%s: traits %x", rows[i].text, p.traits);
	}
	assert_true(cmd_is_interpreter("python3.12"));
	assert_true(cmd_is_interpreter("/usr/bin/mawk"));
	assert_true(cmd_is_interpreter("perl5.36-x86_64-linux-gnu"));
	assert_true(cmd_is_interpreter("x86_64-linux-gnu-gcc-12"));
	assert_true(cmd_is_interpreter("vim.basic"));
	assert_true(cmd_is_interpreter("bash-static"));
	assert_false(cmd_is_interpreter("shred"));
	assert_false(cmd_is_interpreter("sha256sum"));
	assert_false(cmd_is_interpreter("rgrep"));
	assert_false(cmd_is_interpreter("cat"));
	assert_false(cmd_is_interpreter("sort"));
}

/* What an opaque command hides is found as far as words are known: for strictInlineEval and for people. */
static void test_cve_2026_53806_inline_code_behind_other_syntax(void **state)
{
	static const char *const rows[] = {
		"python3 -c 'x' > y", "A=b python3 -c x", "true; node -e 1 &", "nice sh -c 'perl -e 1'", "env A=b python -c 1 2>/dev/null",
		"sh -c 'a; (python -c 1)'", "x=$(python3 -c 1)", "python3 <<E\n1\nE\n", "$SHELL -c ls",
	};

	(void)state;
	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		struct cmd_plan p = parse(rows[i]);

		if (!cmd_may_inline(&p) || p.is_plain)
			fail_msg("%s: traits %x", rows[i], p.traits);
	}
}

/* A wrapper is never the name that counts, and never hides what it runs. */
static void test_cve_2026_53848_wrappers_do_not_hide_what_they_run(void **state)
{
	static const char *const wrappers[] = { "flock /tmp/l", "env", "nice", "nice -n 3", "nohup", "timeout 3", "stdbuf -o0", "setsid",
						"ionice -c 2", "chrt 3", "taskset 1", "/usr/bin/time", "sudo", "doas", "xargs" };

	(void)state;
	for (size_t i = 0; i < CH_ARRAY_LEN(wrappers); i++) {
		struct cmd_plan p = parse(arena_printf(arena, "%s sh -c 'rm x'", wrappers[i]));

		assert_false(p.is_plain);
		assert_true(p.traits & CMD_T_INTERPRETER && p.traits & CMD_T_INLINE_CODE);
		p = parse(arena_printf(arena, "%s rm x", wrappers[i]));
		assert_int_equal(p.segments[0].chain_len, 2);
		assert_string_equal(p.segments[0].chain[1].argv[0], "rm");
		assert_string_equal(p.segments[0].chain[1].argv[1], "x");
	}
}

/* Positions and names are for people; they stand in the text that was given. */
static void test_spans(void **state)
{
	const char *text = "  ls -l | FOO=1 wc > x ; true";
	struct cmd_plan p = parse(text);

	(void)state;
	assert_int_equal(p.count, 3);
	assert_string_equal(arena_strndup(arena, text + p.segments[0].start, p.segments[0].end - p.segments[0].start), "ls -l");
	assert_string_equal(arena_strndup(arena, text + p.segments[1].start, p.segments[1].end - p.segments[1].start), "FOO=1 wc > x");
	assert_string_equal(p.segments[1].name, "wc");
	assert_string_equal(p.segments[2].name, "true");
	assert_true(p.segments[0].is_literal);
	assert_false(p.segments[1].is_literal);
	assert_string_equal(p.why_opaque, "it has a redirection");
	p = parse("sh -c 'a; b'");
	assert_int_equal(p.segments[1].end, 12);
}

static void test_limits(void **state)
{
	CH_AUTO_BUF struct buf b = { 0 };
	struct cmd_plan p;
	struct ch_err err = { 0 };

	(void)state;
	buf_init(&b, 1 << 20);
	for (int i = 0; i < CMD_SEGMENTS_MAX; i++)
		buf_puts(&b, "a;");
	p = parse(b.data);
	assert_true(p.is_literal && p.count == CMD_SEGMENTS_MAX);
	buf_puts(&b, "a");
	p = parse(b.data);
	assert_false(p.is_literal);
	buf_clear(&b);
	for (int i = 0; i < CMD_WORDS_MAX; i++)
		buf_puts(&b, "a ");
	p = parse(b.data);
	assert_true(p.is_literal);
	buf_puts(&b, "a");
	p = parse(b.data);
	assert_false(p.is_literal);
	buf_clear(&b);
	for (unsigned i = 0; i <= CMD_TEXT_MAX; i++)
		buf_putc(&b, 'a');
	assert_int_equal(cmd_parse(b.data, b.len, arena, &p, &err), CH_E_LIMIT);
	assert_int_equal(cmd_parse(b.data, b.len - 1, arena, &p, &err), CH_OK);
	assert_int_equal(cmd_parse("a\0b", 3, arena, &p, &err), CH_E_INVALID);
	assert_int_equal(cmd_parse("a\xff", 2, arena, &p, &err), CH_E_INVALID);
}

static void test_trait_texts(void **state)
{
	(void)state;
	for (unsigned i = 0; i < CMD_TRAIT_COUNT; i++)
		assert_string_not_equal(cmd_trait_text((enum cmd_trait)(1u << i)), "something else");
	assert_string_equal(cmd_trait_text(CMD_T_ENV), "a changed environment");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_literal),
		cmocka_unit_test(test_opaque),
		cmocka_unit_test(test_wrappers),
		cmocka_unit_test(test_interpreters),
		cmocka_unit_test(test_cve_2026_53806_inline_code_behind_other_syntax),
		cmocka_unit_test(test_cve_2026_53848_wrappers_do_not_hide_what_they_run),
		cmocka_unit_test(test_spans),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_trait_texts),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
