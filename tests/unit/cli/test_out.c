/*
 * cli/out: what a terminal is shown of tables and times.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "core/clock.h"

#define GREEN "\033[32m"
#define BOLD "\033[1m"
#define OFF "\033[0m"

static struct arena *arena;

static int setup(void **state)
{
	clock_fake(0, 1000000000);
	arena = arena_new(0);
	return 0;
}

static int teardown(void **state)
{
	arena_unref(arena);
	clock_real();
	return 0;
}

/* What the table writes to stdout, which goes to a file meanwhile. */
static const char *printed(const struct cli_table *t, bool color)
{
	struct cli c = { .arena = arena, .color = color };
	FILE *file = tmpfile();
	char *text = arena_alloc(arena, 4096);
	int out = dup(STDOUT_FILENO);

	assert_non_null(file);
	assert_true(out >= 0);
	fflush(stdout);
	assert_true(dup2(fileno(file), STDOUT_FILENO) >= 0);
	cli_table_print(&c, t);
	fflush(stdout);
	assert_true(dup2(out, STDOUT_FILENO) >= 0);
	close(out);
	rewind(file);
	text[fread(text, 1, 4095, file)] = '\0';
	fclose(file);
	return text;
}

static void test_painted_cell(void **state)
{
	struct cli_table *t = cli_table_new(arena, (const char *const[]){ "A", "STATE", "B" }, 3);

	cli_table_row(t, (const char *const[]){ "x", "connected", "y" });
	cli_table_paint(t, 1, CLI_GREEN);
	cli_table_row(t, (const char *const[]){ "x", "stopped", "y" });
	assert_string_equal(printed(t, true), BOLD "A  STATE      B" OFF "\n"
					      "x  " GREEN "connected" OFF "  y\n"
					      "x  stopped    y\n");
	assert_string_equal(printed(t, false), "A  STATE      B\nx  connected  y\nx  stopped    y\n");
}

/* A name cannot drive the terminal. */
static void test_text_from_outside(void **state)
{
	struct cli_table *t = cli_table_new(arena, (const char *const[]){ "NAME" }, 1);

	cli_table_row(t, (const char *const[]){ "a\033[2Jb" });
	assert_string_equal(printed(t, true), BOLD "NAME" OFF "\na\\x1b[2Jb\n");
}

/* The last column tells why: it is whole where the others are cut. */
static void test_long_cells(void **state)
{
	struct cli_table *t = cli_table_new(arena, (const char *const[]){ "ID", "WHY" }, 2);
	char *hundred = arena_alloc(arena, 101), *thousand = arena_alloc(arena, 1001);
	const char *text;

	memset(hundred, 'h', 100);
	memset(thousand, 't', 1000);
	cli_table_row(t, (const char *const[]){ hundred, hundred });
	cli_table_row(t, (const char *const[]){ "x", thousand });
	text = printed(t, false);
	assert_null(strstr(text, "hhh  "));
	text = strstr(text, "\xe2\x80\xa6  ");
	assert_non_null(text);
	assert_memory_equal(text + strlen("\xe2\x80\xa6  "), hundred, 100);
	text = strchr(text, 'x');
	assert_non_null(text);
	assert_true(strlen(text) < 400);
}

static void test_times(void **state)
{
	static const struct { int64_t ms; const char *span; } cases[] = {
		{ -5, "0s" }, { 59999, "59s" }, { 60000, "1m" }, { 3600000, "1h" }, { 43243000, "12h" }, { 86400000, "1d" },
	};

	for (size_t i = 0; i < CH_ARRAY_LEN(cases); i++)
		assert_string_equal(cli_span(arena, cases[i].ms), cases[i].span);
	assert_string_equal(cli_ago(arena, 0), "-");
	assert_string_equal(cli_ago(arena, 1000000000 - 120000), "2m ago");
	assert_string_equal(cli_ago(arena, 1000000000 + 120000), "0s ago");
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_painted_cell), T(test_text_from_outside), T(test_long_cells), T(test_times),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
