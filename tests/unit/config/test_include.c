/*
 * config/include: merging, and that nothing outside the directory is read.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "config/config.h"
#include "config/scratch.h"

static struct scratch dir;
static struct arena *arena;

static int setup(void **state)
{
	(void)state;
	scratch_init(&dir);
	arena = arena_new(0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	scratch_done(&dir);
	arena_unref(arena);
	return 0;
}

static void check(const char *text, const char *expected)
{
	CH_AUTO(config_unref) struct config *c = NULL;
	struct ch_err err = { 0 };

	if (config_parse(text, strlen(text), dir.dir, &c, &err))
		fail_msg("%s: %s", text, err.text);
	assert_string_equal(json_to_str(arena, config_resolved(c)), expected);
}

static void check_refused(const char *text, ch_status st, const char *error)
{
	struct config *c = NULL;
	struct ch_err err = { 0 };

	assert_int_equal(config_parse(text, strlen(text), dir.dir, &c, &err), st);
	if (!strstr(err.text, error))
		fail_msg("'%s' does not hold '%s'", err.text, error);
}

static void test_merging(void **state)
{
	(void)state;
	mkdir(scratch_path(&dir, "sub"), 0700);
	scratch_write(&dir, "one.json5", "{ x: 1, list: [1], deep: { a: 1, b: 1 } } // one");
	scratch_write(&dir, "two.json5", "{ x: 2, list: [2], deep: { b: 2 } }");
	scratch_write(&dir, "list.json5", "['p', 'q']");
	scratch_write(&dir, "sub/nested.json5",
		      "{ n: { $include: 'inner.json5' }, up: { $include: '../two.json5' } }");
	scratch_write(&dir, "sub/inner.json5", "{ inner: true }");
	check("{ a: { $include: './one.json5' } }",
	      "{\"a\":{\"x\":1,\"list\":[1],\"deep\":{\"a\":1,\"b\":1}}}");
	check("{ a: { $include: ['one.json5', 'two.json5'] } }",
	      "{\"a\":{\"x\":2,\"list\":[1,2],\"deep\":{\"a\":1,\"b\":2}}}");
	check("{ a: { $include: 'one.json5', x: 9, deep: { c: 3 } } }",
	      "{\"a\":{\"x\":9,\"list\":[1],\"deep\":{\"a\":1,\"b\":1,\"c\":3}}}");
	check("{ a: { $include: 'list.json5' } }", "{\"a\":[\"p\",\"q\"]}");
	check("{ $include: 'one.json5', y: 1 }",
	      "{\"x\":1,\"list\":[1],\"deep\":{\"a\":1,\"b\":1},\"y\":1}");
	check("{ a: { $include: [] } }", "{\"a\":{}}");
	check("{ a: [ { $include: 'two.json5' } ] }", "{\"a\":[{\"x\":2,\"list\":[2],\"deep\":{\"b\":2}}]}");
	check("{ a: { $include: 'sub/nested.json5' } }",
	      "{\"a\":{\"n\":{\"inner\":true},\"up\":{\"x\":2,\"list\":[2],\"deep\":{\"b\":2}}}}");
	check(arena_printf(arena, "{ a: { $include: '%s/two.json5' } }", dir.dir),
	      "{\"a\":{\"x\":2,\"list\":[2],\"deep\":{\"b\":2}}}");
}

static void test_names_are_kept(void **state)
{
	static const char text[] = "{ a: { $include: 'one.json5' } }";
	CH_AUTO(config_unref) struct config *c = NULL;

	(void)state;
	scratch_write(&dir, "one.json5", "{ b: { $include: 'two.json5' } }");
	scratch_write(&dir, "two.json5", "{ x: '${CHELA_TEST_HOME}' }");
	setenv("CHELA_TEST_HOME", "here", 1);
	assert_int_equal(config_parse(text, strlen(text), dir.dir, &c, NULL), CH_OK);
	assert_string_equal(config_includes(c)[0], scratch_path(&dir, "one.json5"));
	assert_string_equal(config_includes(c)[1], scratch_path(&dir, "two.json5"));
	assert_null(config_includes(c)[2]);
	assert_string_equal(config_str(c, "a.b.x"), "here");
	/* The source is as it was written. */
	assert_string_equal(json_to_str(arena, config_source(c)), "{\"a\":{\"$include\":\"one.json5\"}}");
}

static void test_contained(void **state)
{
	char *outside = arena_printf(arena, "%s-outside.json5", dir.dir);

	(void)state;
	assert_int_equal(file_write_atomic(outside, "{secret:1}", 10, 0600, NULL), CH_OK);
	mkdir(scratch_path(&dir, "sub"), 0700);
	scratch_write(&dir, "in.json5", "{}");
	scratch_write(&dir, "sub/escape.json5", "{ $include: '../../etc/passwd' }");
	assert_int_equal(symlink(outside, scratch_path(&dir, "link.json5")), 0);
	assert_int_equal(symlink("/", scratch_path(&dir, "rootlink")), 0);
	assert_int_equal(symlink("in.json5", scratch_path(&dir, "inlink.json5")), 0);

	check_refused("{ $include: '/etc/passwd' }", CH_E_DENIED, "leaves the directory");
	check_refused("{ $include: '../x.json5' }", CH_E_DENIED, "leaves the directory");
	check_refused("{ $include: 'sub/../../x.json5' }", CH_E_DENIED, "leaves the directory");
	check_refused("{ $include: 'sub/escape.json5' }", CH_E_DENIED, "leaves the directory");
	check_refused("{ $include: 'link.json5' }", CH_E_DENIED, "leaves the directory");
	check_refused("{ $include: 'rootlink/etc/passwd' }", CH_E_DENIED, "leaves the directory");
	check_refused(arena_printf(arena, "{ $include: '%s' }", outside), CH_E_DENIED,
		      "leaves the directory");
	check_refused(arena_printf(arena, "{ $include: '%s/../x' }", dir.dir), CH_E_DENIED,
		      "leaves the directory");
	check("{ $include: 'inlink.json5' }", "{}");
	remove(outside);
}

static void test_refused(void **state)
{
	(void)state;
	mkdir(scratch_path(&dir, "sub"), 0700);
	mkfifo(scratch_path(&dir, "pipe"), 0600);
	scratch_write(&dir, "broken.json5", "{\n  a: }");
	scratch_write(&dir, "self.json5", "{ $include: 'self.json5' }");
	scratch_write(&dir, "ping.json5", "{ a: { $include: 'pong.json5' } }");
	scratch_write(&dir, "pong.json5", "{ a: { $include: 'ping.json5' } }");
	scratch_write(&dir, "list.json5", "[1]");
	check_refused("{ $include: 'missing.json5' }", CH_E_INVALID, "No such file");
	check_refused("{ $include: 'sub' }", CH_E_INVALID, "not a regular file");
	check_refused("{ $include: 'pipe' }", CH_E_INVALID, "not a regular file");
	check_refused("{ a: { $include: 'broken.json5' } }", CH_E_INVALID,
		      "broken.json5: line 2 column 6: unexpected '}', expected a value");
	check_refused("{ $include: 'self.json5' }", CH_E_INVALID, "includes itself");
	check_refused("{ $include: 'ping.json5' }", CH_E_INVALID, "includes itself");
	check_refused("{ $include: 'list.json5' }", CH_E_INVALID, "not an object");
	check_refused("{ a: { $include: 'list.json5', b: 1 } }", CH_E_INVALID, "files that hold objects");
	check_refused("{ a: { $include: ['list.json5'] } }", CH_E_INVALID, "must hold an object");
	check_refused("{ $include: 7 }", CH_E_INVALID, "expected a file name");
	check_refused("{ $include: '' }", CH_E_INVALID, "expected a file name");
	check_refused("{ $include: 'a\\0b' }", CH_E_INVALID, "expected a file name");
}

static void test_depth_and_number(void **state)
{
	(void)state;
	for (int i = 0; i < 12; i++)
		scratch_write(&dir, arena_printf(arena, "d%d.json5", i),
			      arena_printf(arena, "{ a: { $include: 'd%d.json5' } }", i + 1));
	scratch_write(&dir, "d12.json5", "{}");
	check_refused("{ $include: 'd0.json5' }", CH_E_LIMIT, "more than 10 files deep");
	check("{ $include: 'd12.json5' }", "{}");
	scratch_write(&dir, "d10.json5", "{ end: true }");
	check("{ $include: 'd9.json5' }", "{\"a\":{\"end\":true}}");

	/* Each level reads the next one eight times. */
	for (int i = 0; i < 6; i++) {
		char *eight = arena_printf(arena, "'w%d.json5',", i + 1);

		scratch_write(&dir, arena_printf(arena, "w%d.json5", i),
			      arena_printf(arena, "{ $include: [%s%s%s%s%s%s%s%s] }", eight, eight, eight,
					   eight, eight, eight, eight, eight));
	}
	scratch_write(&dir, "w6.json5", "{}");
	check_refused("{ $include: 'w0.json5' }", CH_E_LIMIT, "more than 128 files");
}

/* Nesting adds up over files. */
static void test_depth_of_values(void **state)
{
	CH_AUTO_BUF struct buf text = { 0 };

	(void)state;
	buf_init(&text, 1 << 16);
	for (int i = 0; i < 150; i++)
		buf_puts(&text, "{a:");
	buf_puts(&text, "{$include:'deep.json5'}");
	for (int i = 0; i < 150; i++)
		buf_puts(&text, "}");
	scratch_write(&dir, "half.json5", buf_str(&text));
	buf_clear(&text);
	for (int i = 0; i < 150; i++)
		buf_puts(&text, "{a:");
	buf_puts(&text, "1");
	for (int i = 0; i < 150; i++)
		buf_puts(&text, "}");
	scratch_write(&dir, "deep.json5", buf_str(&text));
	check_refused("{ $include: 'half.json5' }", CH_E_LIMIT, "nested deeper than 256");
}

#define ROW(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(test_merging),
		ROW(test_names_are_kept),
		ROW(test_contained),
		ROW(test_refused),
		ROW(test_depth_and_number),
		ROW(test_depth_of_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
