/*
 * Looking for files and in files: patterns of names, .gitignore, find, grep.
 */
#include "tool_fixture.h"

#include "core/clock.h"
#include "tools/fs_glob.h"
#include "tools/fs_ignore.h"

static void makes_dirs(const struct fixture *f, const char *const *names, size_t n)
{
	char path[256];

	for (size_t i = 0; i < n; i++) {
		snprintf(path, sizeof(path), "%s/%s", f->root, names[i]);
		assert_int_equal(mkdir(path, 0700), 0);
	}
}

static void put(const struct fixture *f, const char *name, const char *text)
{
	fixture_put(f, name, text, strlen(text));
}

static void globs(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	static const struct { const char *pattern, *path; bool matches; } cases[] = {
		{ "*.c", "a.c", true }, { "*.c", "a/b.c", false }, { "*.c", "a.cc", false }, { "*", "", true }, { "a*", "a", true },
		{ "a?c", "abc", true }, { "a?c", "a/c", false }, { "?", "\xc3\xa9", true }, { "??", "\xc3\xa9", false },
		{ "?", "\xff", true }, { "[a-c]x", "bx", true }, { "[a-c]x", "dx", false }, { "[!a-c]x", "dx", true }, { "[^a]", "/", false },
		{ "[]]", "]", true }, { "[a", "[a", true }, { "[a-]", "-", true }, { "\\*", "*", true }, { "\\*", "a", false },
		{ "**", "a/b/c", true }, { "**/x", "x", true }, { "**/x", "a/b/x", true }, { "**/x", "ax", false }, { "**/x", "a/bx", false },
		{ "a/**", "a/b/c", true }, { "a/**", "a", false }, { "a/**/b", "a/b", true }, { "a/**/b", "a/x/y/b", true },
		{ "a/**/b", "ab", false }, { "a**b", "axxb", true }, { "a**b", "a/b", false }, { "*.{c,h}", "x.h", true },
		{ "*.{c,h}", "x.o", false }, { "{a,b{c,d}}", "bd", true }, { "{a,b{c,d}}", "b", false }, { "{a}", "{a}", true },
		{ "{a,}b", "b", true }, { "x{", "x{", true }, { "\\{a,b}", "{a,b}", true }, { "src/**/t_*.c", "src/t_1.c", true },
		{ "src/**/t_*.c", "src/a/b/t_1.c", true }, { "src/**/t_*.c", "src/a/b/u_1.c", false },
		{ "*a*a*a*a*a*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false },
	};
	struct glob *g;

	for (size_t i = 0; i < CH_ARRAY_LEN(cases); i++) {
		assert_int_equal(glob_new(a, cases[i].pattern, strlen(cases[i].pattern), false, &g, NULL), CH_OK);
		if (glob_match(g, cases[i].path) != cases[i].matches)
			fail_msg("'%s' on '%s'", cases[i].pattern, cases[i].path);
	}
	assert_int_equal(glob_new(a, "A[b-c]", 6, true, &g, NULL), CH_OK);
	assert_true(glob_match(g, "aC"));
	assert_int_equal(glob_new(a, "{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}", 35, false, &g, NULL), CH_E_INVALID);
}

static void ignores(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	static const char rules[] = "# a comment\n*.o\n!keep.o\nbuild/\n/only-here\nsub/x\r\n**/deep/y\nname \n\\#hash\n";
	static const struct { const char *path; bool is_dir; enum ignore_verdict verdict; } cases[] = {
		{ "a.o", false, IGNORE_YES }, { "d/a.o", false, IGNORE_YES }, { "keep.o", false, IGNORE_NO }, { "build", true, IGNORE_YES },
		{ "build", false, IGNORE_UNSAID }, { "d/build", true, IGNORE_YES }, { "only-here", false, IGNORE_YES },
		{ "d/only-here", false, IGNORE_UNSAID }, { "sub/x", false, IGNORE_YES }, { "d/sub/x", false, IGNORE_UNSAID },
		{ "q/deep/y", false, IGNORE_YES }, { "name", false, IGNORE_YES }, { "#hash", false, IGNORE_YES }, { "a.c", false, IGNORE_UNSAID },
	};
	const struct ignore *ig = ignore_parse(a, rules, strlen(rules));

	for (size_t i = 0; i < CH_ARRAY_LEN(cases); i++)
		if (ignore_judge(ig, cases[i].path, cases[i].is_dir) != cases[i].verdict)
			fail_msg("'%s'", cases[i].path);
	assert_null(ignore_parse(a, "# nothing\n\n", 11));
}

static void tree(struct fixture *f)
{
	static const char *const dirs[] = { "src", "src/lib", "build", ".git", ".hidden", "src/gen" };

	makes_dirs(f, dirs, CH_ARRAY_LEN(dirs));
	put(f, ".gitignore", "build/\n*.log\n");
	put(f, "src/.gitignore", "gen/\n!wanted.log\n");
	put(f, "a.c", "int main(void)\n{\n\treturn 0;\n}\n");
	put(f, "src/b.c", "one\ntwo\nthree\nfour\nfive\nsix\nseven\n");
	put(f, "src/lib/c.h", "Two\n");
	put(f, "src/gen/g.c", "two\n");
	put(f, "build/o.c", "two\n");
	put(f, "x.log", "two\n");
	put(f, "src/wanted.log", "two\n");
	put(f, ".git/config", "two\n");
	put(f, ".hidden/h.c", "two\n");
	fixture_put(f, "bin.dat", "two\0two\n", 8);
}

static const char *find(struct fixture *f, const char *args)
{
	assert_int_equal(fixture_run(f, &tool_fs_find, args), CH_OK);
	return f->text;
}

static void finds(void **state)
{
	struct fixture *f = *state;
	char path[160];

	tree(f);
	assert_string_equal(find(f, "{\"pattern\":\"*.c\"}"), "a.c\nsrc/b.c");
	assert_string_equal(find(f, "{}"), "a.c\nbin.dat\nsrc/\nsrc/b.c\nsrc/lib/\nsrc/lib/c.h\nsrc/wanted.log");
	assert_string_equal(find(f, "{\"type\":\"directory\"}"), "src/\nsrc/lib/");
	assert_string_equal(find(f, "{\"maxDepth\":1,\"type\":\"file\"}"), "a.c\nbin.dat");
	assert_string_equal(find(f, "{\"pattern\":\"*.c\",\"hidden\":true}"), ".hidden/h.c\na.c\nsrc/b.c");
	assert_string_equal(find(f, "{\"pattern\":\"*.c\",\"noIgnore\":true}"), "a.c\nbuild/o.c\nsrc/b.c\nsrc/gen/g.c");
	/* From below, the files above still count; the pattern is for what is below. */
	assert_string_equal(find(f, "{\"path\":\"./src/\",\"pattern\":\"*\",\"type\":\"file\"}"), "src/b.c\nsrc/lib/c.h\nsrc/wanted.log");
	assert_string_equal(find(f, "{\"path\":\"src\",\"pattern\":\"lib/*\"}"), "src/lib/c.h");
	assert_non_null(strstr(find(f, "{\"pattern\":\"*.c\",\"limit\":1}"), "a.c\n[1 more match"));
	assert_true(json_get_bool(f->result.details, "truncated", false));
	assert_non_null(strstr(find(f, "{\"pattern\":\"h.c\"}"), "Nothing in '.' matches.\n["));
	assert_non_null(strstr(f->text, "hidden or ignored names were left out"));
	assert_non_null(strstr(find(f, "{\"path\":\"scr\"}"), "'scr' does not exist. Similar names: src/"));
	assert_true(f->result.is_error);
	assert_int_equal(fixture_run(f, &tool_fs_find, "{\"path\":\"a.c\"}"), CH_E_INVALID);
	assert_int_equal(fixture_run(f, &tool_fs_find, "{\"path\":\"../out\"}"), CH_E_DENIED);
	/* A link is named, not followed. */
	snprintf(path, sizeof(path), "%s/ln", f->root);
	assert_int_equal(symlink(f->outside, path), 0);
	put(f, "../out/secret.c", "two\n");
	assert_string_equal(find(f, "{\"pattern\":\"{ln,secret.c}\"}"), "ln@");
}

static void walks_a_large_tree(void **state)
{
	struct fixture *f = *state;
	char path[160];

	for (int i = 0; i < 60; i++) {
		snprintf(path, sizeof(path), "%s/d%02d", f->root, i);
		assert_int_equal(mkdir(path, 0700), 0);
		for (int k = 0; k < 100; k++) {
			snprintf(path, sizeof(path), "d%02d/f%03d", i, k);
			put(f, path, k == 7 ? "needle\n" : "hay\n");
		}
	}
	assert_non_null(strstr(find(f, "{\"pattern\":\"f*\"}"), "[2000 or more match"));
	assert_non_null(strstr(find(f, "{\"pattern\":\"f099\",\"limit\":60}"), "d59/f099"));
	assert_int_equal(json_get_int(f->result.details, "count", 0), 60);
	assert_int_equal(fixture_run(f, &tool_grep, "{\"pattern\":\"needle\",\"output\":\"files\"}"), CH_OK);
	assert_int_equal(json_get_int(f->result.details, "files", 0), 60);
	assert_int_equal(strncmp(f->text, "d00/f007\nd01/f007\n", 18), 0);
	/* Time is nearly up: what there is, with a note. */
	clock_fake(1000000, 1000000);
	assert_non_null(strstr(find(f, "{\"pattern\":\"none\"}"), "Nothing in '.'"));
	clock_real();
}

static const char *grep(struct fixture *f, const char *args)
{
	assert_int_equal(fixture_run(f, &tool_grep, args), CH_OK);
	return f->text;
}

static void greps(void **state)
{
	struct fixture *f = *state;

	tree(f);
	assert_string_equal(grep(f, "{\"pattern\":\"two\"}"), "src/b.c\n2: two\n\nsrc/wanted.log\n1: two");
	assert_string_equal(grep(f, "{\"pattern\":\"^two$\",\"ignoreCase\":true,\"glob\":\"*.{c,h}\"}"),
			    "src/b.c\n2: two\n\nsrc/lib/c.h\n1: Two");
	assert_string_equal(grep(f, "{\"pattern\":\"t(wo|hree)\",\"exclude\":\"*.log\"}"), "src/b.c\n2: two\n3: three");
	assert_string_equal(grep(f, "{\"pattern\":\"^f|seven\",\"context\":1,\"path\":\"src/b.c\"}"),
			    "src/b.c\n3- three\n4: four\n5: five\n6- six\n7: seven");
	assert_string_equal(grep(f, "{\"pattern\":\"one|six\",\"context\":1,\"path\":\"src/b.c\"}"),
			    "src/b.c\n1: one\n2- two\n--\n5- five\n6: six\n7- seven");
	assert_string_equal(grep(f, "{\"pattern\":\"(void)\",\"literal\":true}"), "a.c\n1: int main(void)");
	assert_string_equal(grep(f, "{\"pattern\":\"two\",\"output\":\"files\"}"), "src/b.c\nsrc/wanted.log");
	assert_string_equal(grep(f, "{\"pattern\":\"t\",\"output\":\"count\",\"path\":\"src\"}"), "src/b.c: 2\nsrc/wanted.log: 1");
	assert_string_equal(grep(f, "{\"pattern\":\"two\",\"hidden\":true,\"noIgnore\":true,\"output\":\"files\"}"),
			    ".git/config\n.hidden/h.c\nbuild/o.c\nsrc/b.c\nsrc/gen/g.c\nsrc/wanted.log\nx.log");
	assert_non_null(strstr(grep(f, "{\"pattern\":\"e\",\"limit\":2}"), "[stopped after 2 lines in 2 files"));
	assert_non_null(strstr(grep(f, "{\"pattern\":\"nowhere\"}"), "No line matches (5 files searched).\n[1 binary file left out]\n["));
	assert_non_null(strstr(grep(f, "{\"pattern\":\"two\",\"path\":\"bin.dat\"}"), "[1 binary file left out]"));
	assert_int_equal(fixture_run(f, &tool_grep, "{\"pattern\":\"(\"}"), CH_E_INVALID);
	assert_non_null(strstr(f->text, "regular expression is wrong at character 1"));
	assert_int_equal(fixture_run(f, &tool_grep, "{\"pattern\":\"a\\\\C\"}"), CH_E_INVALID);
	assert_int_equal(fixture_run(f, &tool_grep, "{\"pattern\":\"x\",\"path\":\"../out\"}"), CH_E_DENIED);
}

static void greps_long_and_odd_lines(void **state)
{
	struct fixture *f = *state;
	CH_AUTO_BUF struct buf b = { 0 };

	buf_init(&b, 8u << 20);
	for (int i = 0; i < 200000; i++)
		buf_puts(&b, "0123456789");
	buf_puts(&b, "needle");
	for (int i = 0; i < 1000; i++)
		buf_puts(&b, "0123456789");
	buf_puts(&b, "\nshort needle\r\nlast needle");
	fixture_put(f, "long.txt", b.data, b.len);
	grep(f, "{\"pattern\":\"needle\",\"context\":2}");
	assert_true(strlen(f->text) < 2000);
	assert_non_null(strstr(f->text, "2: short needle\n3: last needle"));
	put(f, "odd.txt", "caf\xe9 one\nbad \xff\xfe bytes two\n");
	assert_string_equal(grep(f, "{\"pattern\":\"one|two\",\"path\":\"odd.txt\"}"),
			    "odd.txt\n1: caf\xef\xbf\xbd one\n2: bad \xef\xbf\xbd\xef\xbf\xbd bytes two");
	put(f, "empty.txt", "");
	assert_non_null(strstr(grep(f, "{\"pattern\":\"^$\",\"path\":\"empty.txt\"}"), "No line matches"));
	/* Many lines over many pieces, numbered right. */
	buf_clear(&b);
	for (int i = 1; i <= 100000; i++)
		buf_printf(&b, "line %d is here\n", i);
	fixture_put(f, "many.txt", b.data, b.len);
	assert_string_equal(grep(f, "{\"pattern\":\"line 99999 \",\"path\":\"many.txt\",\"context\":1}"),
			    "many.txt\n99998- line 99998 is here\n99999: line 99999 is here\n100000- line 100000 is here");
	assert_string_equal(grep(f, "{\"pattern\":\"is\",\"path\":\"many.txt\",\"output\":\"count\"}"), "many.txt: 100000");
}

/* A pattern that takes exponential time is given up, soon. */
static void test_threat_dos_of_a_pattern(void **state)
{
	struct fixture *f = *state;
	CH_AUTO_BUF struct buf b = { 0 };

	buf_init(&b, 1u << 20);
	for (int i = 0; i < 500; i++)
		buf_puts(&b, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!\n");
	fixture_put(f, "a.txt", b.data, b.len);
	assert_non_null(strstr(grep(f, "{\"pattern\":\"^(a+)+$\"}"), "[stopped: the pattern takes too long"));
}

/* What find and grep meet is looked at by kind, never opened blindly. */
/* A .gitignore of somebody else's folder: what its patterns multiply to has an end. */
static void test_threat_dos_of_an_ignore_file(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(64u << 20);
	CH_AUTO_BUF struct buf text = { 0 };

	buf_init(&text, 1u << 20);
	while (text.len < IGNORE_FILE_MAX) {
		buf_puts(&text, "{a");
		for (int i = 1; i < 60; i++)
			buf_puts(&text, ",a");
		buf_putc(&text, '}');
		for (int i = 0; i < 40; i++)
			buf_puts(&text, "[a]");
		buf_putc(&text, '\n');
	}
	assert_non_null(ignore_parse(a, text.data, text.len));
	assert_true(arena_used(a) < 3 * (size_t)IGNORE_MEMORY_MAX);
}

static void test_threat_path_traversal_special_files(void **state)
{
	struct fixture *f = *state;
	char path[160];

	snprintf(path, sizeof(path), "%s/fifo", f->root);
	assert_int_equal(mkfifo(path, 0600), 0);
	snprintf(path, sizeof(path), "%s/ln.txt", f->root);
	put(f, "../out/secret.txt", "needle\n");
	assert_int_equal(symlink("../out/secret.txt", path), 0);
	put(f, "a\x1b[2J.txt", "needle\n");
	assert_string_equal(grep(f, "{\"pattern\":\"needle\"}"), "a?[2J.txt\n1: needle");
	assert_int_equal(fixture_run(f, &tool_grep, "{\"pattern\":\"needle\",\"path\":\"fifo\"}"), CH_E_INVALID);
	assert_int_equal(fixture_run(f, &tool_grep, "{\"pattern\":\"needle\",\"path\":\"ln.txt\"}"), CH_E_DENIED);
	assert_string_equal(find(f, "{}"), "a?[2J.txt\nfifo\nln.txt@");
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(globs), cmocka_unit_test(ignores), T(finds), T(walks_a_large_tree), T(greps),
		T(greps_long_and_odd_lines), T(test_threat_dos_of_a_pattern), T(test_threat_path_traversal_special_files),
		T(test_threat_dos_of_an_ignore_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
