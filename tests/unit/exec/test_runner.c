/*
 * exec/runner and exec/command against real shells: a literal command means the same to us, to sh and to bash.
 *
 * Commands are generated and mutated; those that are literal here are run by the runner and by the shells over the same
 * stubs. Program names and arguments, their order, and the exit status must agree. CHELA_DIFF_RUNS sets how many.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "run_bound.h"

#define RUNS_DEFAULT 60

static struct bench bench;

static int set_up(void **state)
{
	(void)state;
	bench_init(&bench);
	return symlink("/bin/sh", arena_printf(bench.a, "%s/sh", bench.bin)) ? -1 : 0;
}

static int tear_down(void **state)
{
	(void)state;
	bench_done(&bench);
	return 0;
}

static int run_shell(const char *shell, const char *text)
{
	pid_t pid = fork();

	if (!pid) {
		quiet("/dev/null");
		if (chdir(bench.work))
			_exit(99);
		execle(shell, shell, "-c", text, (char *)NULL, bench.env);
		_exit(98);
	}
	return wait_status(pid);
}

static int by_byte(const void *a, const void *b)
{
	return *(const unsigned char *)a - *(const unsigned char *)b;
}

/* Behind a program that is not there nobody waits for who stands before it: then any order is right. */
static const char *comparable(const char *trace, const struct cmd_plan *p)
{
	char *copy = arena_strdup(bench.a, trace);
	bool is_ordered = true;

	for (size_t i = 0; i < p->count; i++)
		is_ordered &= str_in(p->segments[i].chain[0].argv[0], (const char *const[]){ "p", "q", "r", "s", "sh" }, 5);
	if (!is_ordered)
		qsort(copy, strlen(copy), 1, by_byte);
	return copy;
}

/* True when the text is literal, and so was compared. */
static bool compare(const char *text)
{
	static const char *const shells[] = { "/bin/sh", "/bin/bash" };
	CH_AUTO(exec_bound_unref) struct exec_bound *b = NULL;
	struct cmd_plan plan;
	struct ch_err err = { 0 };
	const char *trace;
	int status;

	if (cmd_parse(text, strlen(text), bench.a, &plan, NULL) || !plan.is_literal)
		return false;
	if (bind_text(&bench, text, &b, &err) || exec_bound_check(b, &err))
		fail_msg("%s: %s", text, err.text);
	status = run_bound(&bench, b);
	trace = comparable(take_trace(&bench), &plan);
	for (size_t i = 0; i < CH_ARRAY_LEN(shells); i++) {
		int want;
		const char *want_trace;

		if (access(shells[i], X_OK))
			continue;
		want = run_shell(shells[i], text);
		want_trace = comparable(take_trace(&bench), &plan);
		if (!str_eq(trace, want_trace) || status != want)
			fail_msg("%s\n%s:\n%sexit %d\nours:\n%sexit %d", text, shells[i], want_trace, want, trace, status);
	}
	return true;
}

static void test_corpus(void **state)
{
	static const char *const texts[] = {
		"p", "p 1", "p 3", "p 0 && q", "p 1 && q", "p 1 || q", "p 0 || q", "p 1 && q || r", "p 0 || q && r", "p 1; q", "p; q 2; r 5",
		"p | q", "p | q 1 && r", "p 1 | q 0 || r", "p 1 && q | r || s", "p | q | r 4 || s", "p 0 && q 1 || r 0 && s 7", "p\nq 1\n\nr",
		"p 'a b' \"c d\" e\\ f", "p '' \"\" ''\"\"", "p \"a\\\\b\\\"c\\nd\\\ne\"", "p a\\\nb \\\n c", "p # q\nr", "p a#b '#c'", "p {} \\; ] ! %",
		"p 'a\nb'", "p HEAD~1 a~ \\~", "p a=b -- -x --y=z", "sh -c 'p; q'", "sh -c 'p | q 2' ", "p 1 || sh -c 'q x'", "p && sh -c 'q 1 || r' && s",
		"sh -c 'p $1 x' y 2", "p -n '*' \"?\" \\[ '$x' '`q`'", "nope", "nope || p", "nope && p", "p | nope", "nope | p", "p \xc3\xa9 '\xe2\x82\xac'",
		"\\p", "'p' x", "\"p\"", "p'q' || r", "p a;q b;", "p ^a @b ,c :d +e =f", "p 'it'\\''s'", "p \"'\" '\"'", "p \\\\ '\\' \"\\\\\"",
		"p a\\\\b", "p a\\'b", "p \"a\\'b\"", "p\tx\t", "  p  ", "p \\\n", "p &&\n q", "p ||\n\n q", "p |\n q", "p # c && q\n&& r",
	};
	size_t compared = 0;

	(void)state;
	for (size_t i = 0; i < CH_ARRAY_LEN(texts); i++)
		compared += compare(texts[i]);
	assert_true(compared >= CH_ARRAY_LEN(texts) - 4);
}

/* By hand: what looks like one thing and is another. Each is left to a shell, or means the same here. */
static void test_threat_hostile_commands_mean_the_same_or_are_opaque(void **state)
{
	static const char *const texts[] = {
		"p $'q'", "{ p; }", "p{a,b}", "p&q", "p |& q", "p &> f", "p <<EOF\nq\nEOF", "! p", "if p; then q; fi",
		"function p { q; }", "p() { q; }", "p () q", "alias p=q; p", "alias p=q\np", "time p", "time -p p",
		"p=1 q", "p+=1 q", "a[0]=1 p", "coproc p", "p;;q", ";p", "p||", "p &&", "|p", "(p)", "((p))",
		"[[ p ]]", "[ p ]", "p #q", "p\r", "p\rq", "p\vq", "p\fq", "p \x01", "p \x7f", "p ~", "~/p", "p a:~",
		"x=~ p", "p -x=~", "p {1..3}", "p {a,b}", "p a{,b}", "p ?", "p [a]", "p *", "p .*", "p \\*", "p '\\'q",
		"p \"!q\"", "p !!", "p !q", "p ^q^r", "p 2>&1", "p 2> f", "p >| f", "p <> f", "p >&-", "p 2>&-",
		"p < f", "command p", "command -v p", "builtin p", "exec p", "exec p; q", "eval p", "eval 'p; q'",
		"source p", ". p", ". ./p", "env p", "p -- ;q", "p\\;q", "p \\", "p '", "p \"", "p `q`", "p $(q)",
		"p \"$(q)\"", "p \"`q`\"", "p ${x}", "p $x", "p \"$x\"", "p $", "p \"$\"", "p '$'", "p $1", "p $$",
		"p a$", "p \"a$ b\"", "p $((1))", "p $[1]", "p $\"q\"", "p\\\n\\\nq", "\\\np", "p\\\n", "p &\nq",
		"& p", "p & q", "p;&q", "case p in p) q;; esac", "p <(q)", "p >(q)", "p @(q)", "p +(q)", "p !(q)",
		"while p 1; do q; done", "for p in q; do r; done", "do p", "then p", "fi", "done", "esac", "in p",
		"} p", "{ p", "]] p", "p }", "p { q", "p ]", "p then", "p; do", "p\\ q", "'p q'", "''p", "p''", "\"\"",
		"''", "'' p", "\"p\"\"q\"", "\\p\\q", "p \\\r", "p \xc2\xa0q", "p\xc2\xa0q", "p\xe2\x80\xa8q",
		"p\xe2\x80\x8bq", "p \xff", "p '\xff'", "p \xc3", "=p", "p=", "p= q", "p==q r", "_p=1 q", "1p=2 q",
		"p-1=2", "\"p\"=1 q", "p\"=\"1 q", "\\p=1 q", "a.b=1 p", "PATH=. p", "IFS=q p", "p 0 && { q; }",
		"p && ! q", "p | ! q", "! p | q", "! ! p", "p | time q", "p && exit 3; q", "exit 5", "exit",
		"return 1", "set -e; p 1; q", "set -e\np 1\nq", "set -- q; p", "cd ..; p", "cd x && p", ": && p",
		": p", "read x; p", "trap p EXIT", "trap 'q' EXIT; p", "umask 0; p", "wait; p", "jobs", "fg", "bg",
		"type p", "hash p", "unset p", "unset PATH; p", "export p=1; q", "export PATH=; p", "readonly PATH; p",
		"shift; p", "times", "getopts a b", "break", "continue", "let p=1", "pushd ..", "dirs",
		"shopt -s expand_aliases\nalias p=q\np", "declare p", "enable -n p", "hash -p q p; p",
		"set -o noexec; p", "set -n; p", "set -f; p *", "set -u; p", "p || exit 4; q", "exec; p",
		"exec 2>f; p", "p 'a\nb'; q", "p \"a\nb\" && q", "p \\\n&& q", "p \n&& q", "p &\\\n& q", "p |\\\n| q",
		"p;\\\nq", "p # '\nq # '", "p '#' # q", "p a'#'b #c", "p \\# q", "p\\\n# q", "# p", "#p\nq", "p;#q\nr",
		"p | #c\nq", "p && #c\n\nq", "p\n\n\nq", "\n\np", "p;;", "p ; ; q", "p | | q", "p && && q", "p >f q",
		"2>f p", "2 >f p", "p 2>f", "p 12>f", "p a2>f", "p\\ 2>f", "p '2'>f", "{p;}", "{p|p}", "p,q", "p:q",
		"p@q", "p%q", "%p", "p^q", "^p", "+p", "-p", "p+", "p~", "~p", "p!", "!p", "! ", "p \\!", "p \"\\!\"",
		"p ''''", "p ' '", "p '\t'", "p a\tb", "p\t;\tq", "p \\\t q", "p a\\ \\ b", "p \"\\a\\$\\`\\\\\"",
		"p \"\\\n\"", "p '\\\n'", "p \\\\\nq", "p \\\\\\\nq", "p --\\\n-x", "help p", "caller", "history",
		"fc p", "bind p", "complete p", "disown", "mapfile", "ulimit -n", "local p=1", "logout", "typeset p",
		"select p in q; do r; done", "until p; do q; done", "newgrp", "chdir ..; p", "ulimit -n 9; p | q",
	};
	size_t compared = 0;

	(void)state;
	for (size_t i = 0; i < CH_ARRAY_LEN(texts); i++)
		compared += compare(texts[i]);
	print_message("%zu of %zu are literal\n", compared, CH_ARRAY_LEN(texts));
	assert_true(compared > 50);
}

/* ---- generated ---- */

static uint64_t seed;

static unsigned pick(unsigned n)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(seed >> 33) % n;
}

static const char *one_of(const char *const *list, size_t n)
{
	return list[pick((unsigned)n)];
}

static void add_word(struct buf *out)
{
	static const char *const parts[] = { "a", "b", "0", "1", "'c d'", "\"e f\"", "\\ ", "''", "\"\\$\"", "'$x'", "\\;", "'|'", "\"&\"", "\\\n",
					     "-", "=", "~", "#", "!", "{}", "]", "%", "^", ",", "'\n'", "\"\\\\\"", "\\\\", "\xc3\xa9", "\"'\"", "'\"'" };

	for (unsigned n = 1 + pick(3); n; n--)
		buf_puts(out, one_of(parts, CH_ARRAY_LEN(parts)));
}

static void add_command(struct buf *out)
{
	static const char *const blanks[] = { " ", "  ", "\t", " \\\n" };

	buf_putc(out, "pqrs"[pick(4)]);
	for (unsigned n = pick(4); n; n--) {
		buf_puts(out, one_of(blanks, CH_ARRAY_LEN(blanks)));
		if (pick(3) == 0)
			buf_putc(out, (char)('0' + pick(3)));
		else
			add_word(out);
	}
}

static void generate(struct buf *out)
{
	static const char *const joins[] = { "|", " | ", "&&", " && ", "||", " || ", ";", "; ", "\n", " # c\n", "|\n", " &&\n\n" };

	add_command(out);
	for (unsigned n = pick(4); n; n--) {
		buf_puts(out, one_of(joins, CH_ARRAY_LEN(joins)));
		add_command(out);
	}
}

/* No letters but those of stubs and harmless ones, and no slash: whatever a shell makes of it stays in the folder. */
static void mutate(struct buf *text)
{
	static const char bytes[] = "pqrs01 \t\n\\'\"|&;<>(){}[]*?~#!=$`,.:-+^%@fi";

	for (unsigned n = pick(4); n && text->len; n--) {
		unsigned at = pick((unsigned)text->len);

		if ((unsigned char)text->data[at] >= 0x80)
			continue;
		text->data[at] = bytes[pick(sizeof(bytes) - 1)];
	}
}

static void test_generated_commands_mean_the_same_to_shells(void **state)
{
	const char *wanted = getenv("CHELA_DIFF_RUNS"), *first = getenv("CHELA_DIFF_SEED");
	int64_t runs = RUNS_DEFAULT, value = 1;
	size_t compared = 0;

	(void)state;
	if (wanted)
		assert_true(str_to_i64(wanted, &runs));
	if (first)
		assert_true(str_to_i64(first, &value));
	seed = (uint64_t)value;
	for (int64_t i = 0; i < runs; i++) {
		CH_AUTO_BUF struct buf text = { 0 };

		buf_init(&text, 1 << 16);
		generate(&text);
		if (i % 2)
			mutate(&text);
		compared += compare(buf_str(&text));
	}
	print_message("compared %zu of %lld\n", compared, (long long)runs);
	assert_true(compared > (size_t)runs / 8);
}

/* ---- the runner itself ---- */

static void test_statuses(void **state)
{
	CH_AUTO(exec_bound_unref) struct exec_bound *b = NULL;
	CH_AUTO(exec_bound_unref) struct exec_bound *c = NULL;
	CH_AUTO(exec_bound_unref) struct exec_bound *d = NULL;

	(void)state;
	put_file(arena_printf(bench.a, "%s/plain", bench.bin), "no program\n", 0755);
	put_file(arena_printf(bench.a, "%s/lost", bench.bin), "#!/nonexistent/interpreter\n", 0755);
	put_file(arena_printf(bench.a, "%s/killed", bench.bin), "#!/bin/sh\nkill -9 $$\n", 0755);
	assert_int_equal(bind_text(&bench, "plain || lost; p 0", &b, NULL), CH_OK);
	assert_int_equal(run_bound(&bench, b), 0);
	assert_string_equal(take_trace(&bench), "p <0>\n");
	assert_int_equal(bind_text(&bench, "p | plain", &c, NULL), CH_OK);
	assert_int_equal(run_bound(&bench, c), 126);
	assert_int_equal(bind_text(&bench, "p; killed", &d, NULL), CH_OK);
	assert_int_equal(run_bound(&bench, d), 128 + 9);
	take_trace(&bench);
}

/* The first program of a pipeline learns that nobody reads. */
static void test_broken_pipe_ends_the_writer(void **state)
{
	CH_AUTO(exec_bound_unref) struct exec_bound *b = NULL;

	(void)state;
	bench.env[0] = arena_printf(bench.a, "PATH=%s:/usr/bin:/bin", bench.bin);
	assert_int_equal(bind_text(&bench, "yes | head -n 1", &b, NULL), CH_OK);
	assert_int_equal(run_bound(&bench, b), 0);
	bench.env[0] = arena_printf(bench.a, "PATH=%s", bench.bin);
}

/* An opaque command is the shell's, with its exact text. */
static void test_opaque_goes_to_the_shell(void **state)
{
	CH_AUTO(exec_bound_unref) struct exec_bound *b = NULL;

	(void)state;
	assert_int_equal(bind_text(&bench, "for i in 1 2; do p x$i; done; exit 3", &b, NULL), CH_OK);
	assert_int_equal(run_bound(&bench, b), 3);
	assert_string_equal(take_trace(&bench), "p <x1>\np <x2>\n");
	exec_bound_unref(CH_TAKE(b));
	assert_int_equal(bind_text(&bench, "-e; p $0", &b, NULL), CH_OK);
	assert_int_equal(run_bound(&bench, b), 0);
	assert_string_equal(take_trace(&bench), "p </bin/sh>\n");
}

static void test_no_plan_runs_nothing(void **state)
{
	static const char *const rows[][4] = {
		{ "x", EXEC_RUNNER_WORD, NULL },
		{ "x", EXEC_RUNNER_WORD, "x", NULL },
		{ "x", EXEC_RUNNER_WORD, "1", NULL },
		{ "x", EXEC_RUNNER_WORD, "777", NULL },
	};

	(void)state;
	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		pid_t pid = fork();

		if (!pid) {
			quiet("/dev/null");
			_exit(exec_runner_main(rows[i][2] ? 3 : 2, (char **)(uintptr_t)rows[i]));
		}
		assert_int_equal(wait_status(pid), 125);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_corpus),
		cmocka_unit_test(test_threat_hostile_commands_mean_the_same_or_are_opaque),
		cmocka_unit_test(test_generated_commands_mean_the_same_to_shells),
		cmocka_unit_test(test_statuses),
		cmocka_unit_test(test_broken_pipe_ends_the_writer),
		cmocka_unit_test(test_opaque_goes_to_the_shell),
		cmocka_unit_test(test_no_plan_runs_nothing),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
