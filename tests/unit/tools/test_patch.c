/*
 * The patch grammar, and what an update makes of a text.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/str.h"
#include "tools/patch.h"

#define BEGIN "*** Begin Patch\n"
#define END "*** End Patch\n"

static void parses_all_operations(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	static const char text[] = "\n" BEGIN "*** Add File: a/b.txt\n+one\n+\n+three\n\n"
				   "*** Update File:  src/x.c \n@@ class A\n@@ def f():\n keep\n-old\n+new\n\n"
				   "*** Update File: y.c\r\n*** Move to: z.c\r\n-a\r\n+b\r\n*** End of File\r\n"
				   "*** Delete File: gone.c\n*** Update File: m\n*** Move to: n\n" END "\n";
	struct patch p;
	struct ch_err err;

	assert_int_equal(patch_parse(a, text, strlen(text), &p, &err), CH_OK);
	assert_int_equal(p.count, 5);
	assert_int_equal(p.ops[0].kind, PATCH_ADD);
	assert_string_equal(p.ops[0].path, "a/b.txt");
	assert_int_equal(p.ops[0].content.n, 11);
	assert_memory_equal(p.ops[0].content.p, "one\n\nthree\n", 11);
	assert_string_equal(p.ops[1].path, "src/x.c");
	assert_int_equal(p.ops[1].hunk_count, 1);
	assert_int_equal(p.ops[1].hunks[0].anchor_count, 2);
	assert_int_equal(p.ops[1].hunks[0].count, 3);
	assert_int_equal(p.ops[1].hunks[0].lines[1].sign, '-');
	assert_string_equal(p.ops[2].move_to, "z.c");
	assert_true(p.ops[2].hunks[0].is_at_end);
	assert_int_equal(p.ops[2].hunks[0].lines[0].text.n, 1);
	assert_int_equal(p.ops[3].kind, PATCH_DELETE);
	assert_int_equal(p.ops[4].hunk_count, 0);
	assert_string_equal(p.ops[4].move_to, "n");
}

static void refuses_what_is_no_patch(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	static const struct { const char *text, *why; } cases[] = {
		{ "", "ends after line 0" },
		{ "hello", "line 1 of the patch is 'hello' where '*** Begin Patch'" },
		{ BEGIN END, "names no file" },
		{ BEGIN "*** Add File: a\n+x\n", "ends after line 3" },
		{ BEGIN "*** Add File:\n+x\n" END, "names no file" },
		{ BEGIN "*** Add File: a\nx\n" END, "line 3 of the patch is 'x' where a line with '+'" },
		{ BEGIN "*** Update File: a\n" END, "changes nothing" },
		{ BEGIN "*** Update File: a\n@@\n" END, "has no lines" },
		{ BEGIN "*** Update File: a\n@@\nx\n" END, "line 4 of the patch is 'x' where a line with ' '" },
		{ BEGIN "*** Rename File: a\n" END, "line 2 of the patch" },
		{ BEGIN "*** Delete File: a\n" END "more", "where the end should be" },
		{ BEGIN "*** Update File: a\n@@a\n@@b\n@@c\n@@d\n@@e\n@@f\n@@g\n@@h\n@@i\n x\n" END, "more than 8 lines with @@" },
	};

	for (size_t i = 0; i < CH_ARRAY_LEN(cases); i++) {
		struct ch_err err = { 0 };
		struct patch p;

		assert_int_equal(patch_parse(a, cases[i].text, strlen(cases[i].text), &p, &err), CH_E_INVALID);
		if (!strstr(err.text, cases[i].why))
			fail_msg("case %zu: '%s' lacks '%s'", i, err.text, cases[i].why);
	}
}

/* Applies hunks to a text; NULL and err when they do not fit. */
static const char *update(struct arena *a, const char *hunks, const char *text, struct patch_tally *tally, struct ch_err *err)
{
	CH_AUTO_BUF struct buf out = { 0 };
	struct patch p;
	char *input = arena_printf(a, BEGIN "*** Update File: f\n%s" END, hunks);

	*err = (struct ch_err){ 0 };
	assert_int_equal(patch_parse(a, input, strlen(input), &p, err), CH_OK);
	buf_init(&out, 1u << 20);
	return patch_update(&p.ops[0], text, strlen(text), &out, tally, err) ? NULL : arena_strdup(a, buf_str(&out));
}

static void updates(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	static const struct { const char *hunks, *text, *result; } cases[] = {
		{ "@@\n a\n-b\n+B\n", "a\nb\nc\n", "a\nB\nc\n" },
		{ "-b\n+B\n", "a\nb\nc\n", "a\nB\nc\n" },
		{ "@@\n-a\n+A\n@@\n-c\n+C\n", "a\nb\nc\n", "A\nb\nC\n" },
		/* Out of order, but each in one place only. */
		{ "@@\n-c\n+C\n@@\n-a\n+A\n", "a\nb\nc\n", "A\nb\nC\n" },
		/* A repeated text: after the hunk before there is one left. */
		{ "@@\n-x\n+X\n y\n@@\n-x\n+Z\n", "x\ny\nx\n", "X\ny\nZ\n" },
		/* An anchor. */
		{ "@@ def g():\n-  return 1\n+  return 2\n", "def f():\n  return 1\ndef g():\n  return 1\n",
		  "def f():\n  return 1\ndef g():\n  return 2\n" },
		{ "@@ class B\n@@ def f():\n-  1\n+  2\n", "class A:\n def f():\n  1\nclass B:\n def f():\n  1\n",
		  "class A:\n def f():\n  1\nclass B:\n def f():\n  2\n" },
		/* The anchor once more as first line. */
		{ "@@ f\n f\n-1\n+2\n", "f\n1\n", "f\n2\n" },
		{ "@@ -1,2 +1,2 @@ f\n-1\n+2\n", "1\nf\n1\n", "1\nf\n2\n" },
		/* Additions alone: below the anchor, or at the end. */
		{ "@@ b\n+c\n", "a\nb\nd\n", "a\nb\nc\nd\n" },
		{ "@@\n+c\n", "a\nb\n", "a\nb\nc\n" },
		{ "@@\n+c\n*** End of File\n", "a\nb", "a\nb\nc\n" },
		{ "@@\n+a\n", "", "a\n" },
		/* The end of the file. */
		{ "@@\n-a\n+b\n*** End of File\n", "a\nx\na\n", "a\nx\nb\n" },
		{ "@@\n-a\n+b\n*** End of File\n", "a\nx\na\n\n\n", "a\nx\nb\n\n\n" },
		/* Kept lines stay as they are, white space does not part. */
		{ "@@\n a\n-b\n+B\n", "\ta  \nb \n", "\ta  \nB\n" },
		{ "@@\n-  b\n+  B\n", "a\n\tb\n", "a\n  B\n" },
		{ "@@\n-say \"hi\" - it's\n+ok\n", "say \xe2\x80\x9chi\xe2\x80\x9d \xe2\x80\x93 it\xe2\x80\x99s\n", "ok\n" },
		/* Line ends. */
		{ "@@\n a\n-b\n+B\n+C\n", "a\r\nb\r\nc\r\n", "a\r\nB\r\nC\r\nc\r\n" },
		{ "@@\n-a\n+A\n", "a\nb", "A\nb" },
		{ "@@\n-b\n+B\n", "a\nb", "a\nB\n" },
		{ "@@\n-a\n-b\n", "a\nb\n", "" },
		{ "@@\n-a\n+A\n", "\xef\xbb\xbf" "a\n", "\xef\xbb\xbf" "A\n" },
		/* An empty line as context, and one that only parts it from what follows. */
		{ "@@\n a\n\n-b\n+B\n\n", "a\n\nb\nc\n", "a\n\nB\nc\n" },
		{ "@@\n a\n", "a\n", "a\n" },
		{ "@@\n-\xff\n+x\n", "a\n\xff\n", "a\nx\n" },
	};
	struct patch_tally tally;
	struct ch_err err;

	for (size_t i = 0; i < CH_ARRAY_LEN(cases); i++) {
		const char *got = update(a, cases[i].hunks, cases[i].text, &tally, &err);

		if (!str_eq(got, cases[i].result))
			fail_msg("case %zu: '%s' (%s), not '%s'", i, got ? got : "nothing", err.text, cases[i].result);
	}
	assert_non_null(update(a, "@@\n-b \n+B\n+C\n", "a\nb\n", &tally, &err));
	assert_true(tally.is_tolerant);
	assert_int_equal(tally.added, 2);
	assert_int_equal(tally.removed, 1);
	assert_int_equal(tally.first_line, 2);
}

static void refuses_hunks(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	static const struct { const char *hunks, *text, *why; } cases[] = {
		{ "@@\n-x\n+y\n", "x\na\nx\nx\n", "fits in 'f' at lines 1, 3, 4;" },
		{ "@@\n-x\n+y\n", "x\nx\nx\nx\nx\nx\nx\nx\n", "1, 2, 3, 4, 5, 6 and more" },
		{ "@@ h\n-x\n+y\n", "h\nx\nh\nx\n", "at lines 2, 4" },
		{ "@@\n-q\n+y\n", "x\n", "there is no line 'q'" },
		{ "@@\n x\n-q\n+y\n", "a\nx\nz\n", "'x' is at line 2, but what follows there differs" },
		{ "@@ nope\n-x\n+y\n", "x\n", "no line of 'f' is 'nope'" },
		{ "@@\n-a\n+b\n*** End of File\n", "a\nx\n", "or is not its end" },
		{ "@@\n-a\n-b\n@@\n-b\n+c\n", "a\nb\n", "hunks 1 and 2 of 'f' change the same lines (2)" },
		{ "@@\n-a\n", "", "there is no line 'a'" },
	};
	struct patch_tally tally;
	struct ch_err err;

	for (size_t i = 0; i < CH_ARRAY_LEN(cases); i++) {
		const char *got = update(a, cases[i].hunks, cases[i].text, &tally, &err);

		if (got || !strstr(err.text, cases[i].why))
			fail_msg("case %zu: '%s' (%s) lacks '%s'", i, got ? got : "nothing", err.text, cases[i].why);
	}
}

/* A patch that makes a search of every line against every line ends in time. */
static void a_hostile_patch_ends(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	CH_AUTO_BUF struct buf text = { 0 }, hunks = { 0 };
	struct patch_tally tally;
	struct ch_err err;

	buf_init(&text, 8u << 20);
	buf_init(&hunks, 8u << 20);
	for (int i = 0; i < 400000; i++)
		buf_puts(&text, "a\n");
	for (int i = 0; i < 100000; i++)
		buf_puts(&hunks, " a\n");
	buf_puts(&hunks, "-b\n");
	assert_null(update(a, buf_str(&hunks), buf_str(&text), &tally, &err));
	assert_int_equal(err.code, CH_E_LIMIT);
}

/* -- against a model: a text, a random change of it, and the patch that says so -- */

struct random { uint64_t x; };

static unsigned pick(struct random *r, unsigned n)
{
	r->x = r->x * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(r->x >> 33) % n;
}

/* Every line once, so that any context is unambiguous; the model is the edit itself. */
static void one_round(struct random *r, unsigned round)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	CH_AUTO_BUF struct buf before = { 0 }, after = { 0 }, hunks = { 0 };
	const char *eol = pick(r, 4) ? "\n" : "\r\n";
	unsigned lines = 1 + pick(r, 40);
	bool open = false;
	struct patch_tally tally;
	struct ch_err err;
	const char *got;

	buf_init(&before, 1u << 20);
	buf_init(&after, 1u << 20);
	buf_init(&hunks, 1u << 20);
	for (unsigned i = 0; i < lines; i++) {
		unsigned what = pick(r, 6);
		bool last = i + 1 == lines;

		buf_printf(&before, "line %u of %u%s", i, round, eol);
		if (!open && (what < 2 || last))
			buf_puts(&hunks, "@@\n");
		if (what >= 2 && !last) {
			buf_printf(&after, "line %u of %u%s", i, round, eol);
			if (open && what == 2)
				buf_printf(&hunks, " line %u of %u\n", i, round);
			else
				open = false;
			continue;
		}
		open = true;
		buf_printf(&hunks, "-line %u of %u\n", i, round);
		for (unsigned k = pick(r, 3); k > 0; k--) {
			buf_printf(&hunks, "+new %u.%u\n", i, k);
			buf_printf(&after, "new %u.%u%s", i, k, eol);
		}
	}
	got = update(a, buf_str(&hunks), buf_str(&before), &tally, &err);
	/* The result takes its line ends from the first line of the file. */
	if (!str_eq(got, buf_str(&after)))
		fail_msg("round %u: %s\n--- hunks\n%s--- before\n%s--- wanted\n%s--- got\n%s", round, err.text, buf_str(&hunks),
			 buf_str(&before), buf_str(&after), got ? got : "nothing");
}

static void agrees_with_a_model(void **state)
{
	struct random r = { 42 };

	for (unsigned i = 0; i < 3000; i++)
		one_round(&r, i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parses_all_operations), cmocka_unit_test(refuses_what_is_no_patch), cmocka_unit_test(updates),
		cmocka_unit_test(refuses_hunks), cmocka_unit_test(a_hostile_patch_ends), cmocka_unit_test(agrees_with_a_model),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
