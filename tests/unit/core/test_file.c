/*
 * Whole files: ceilings, what is not a file, atomic replacement.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/file.h"
#include "core/mem.h"
#include "core/str.h"
#include "../temp_dir.h"

static char dir[64];

static int make_dir(void **state)
{
	temp_dir_make(dir, "file");
	return 0;
}

static int remove_dir(void **state)
{
	temp_dir_remove(dir);
	return 0;
}

static void test_round_trip(void **state)
{
	CH_AUTO_STR char *path = ch_asprintf("%s/a", dir);
	CH_AUTO_BUF struct buf b = { 0 };
	struct stat st;

	assert_int_equal(file_write_atomic(path, "one", 3, 0600, NULL), CH_OK);
	assert_int_equal(file_write_atomic(path, "two\0x", 5, 0600, NULL), CH_OK);
	assert_int_equal(file_read(path, 100, &b, NULL), CH_OK);
	assert_int_equal(b.len, 5);
	assert_memory_equal(b.data, "two\0x", 5);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
}

static void test_refusals(void **state)
{
	CH_AUTO_STR char *path = ch_asprintf("%s/a", dir);
	struct ch_err err;
	struct buf b;

	assert_int_equal(file_write_atomic(path, "0123456789", 10, 0600, NULL), CH_OK);
	assert_int_equal(file_read(path, 9, &b, &err), CH_E_LIMIT);
	buf_done(&b);
	assert_int_equal(file_read("/nonexistent/x", 9, &b, &err), CH_E_NOT_FOUND);
	buf_done(&b);
	assert_int_equal(file_read(dir, 9, &b, &err), CH_E_INVALID);
	buf_done(&b);
	assert_int_equal(file_read("/dev/null", 9, &b, &err), CH_E_INVALID);
	buf_done(&b);
	assert_int_equal(file_write_atomic("/proc/none/x", "a", 1, 0600, &err), CH_E_IO);
	assert_non_null(strstr(err.text, "/proc/none/x"));
}

static void test_no_link(void **state)
{
	CH_AUTO_STR char *path = ch_asprintf("%s/a", dir);
	CH_AUTO_STR char *link = ch_asprintf("%s/link", dir);
	struct ch_err err;
	struct buf b;

	assert_int_equal(file_write_atomic(path, "x", 1, 0600, NULL), CH_OK);
	assert_int_equal(symlink(path, link), 0);
	assert_int_equal(file_read_no_link(link, 9, &b, &err), CH_E_INVALID);
	buf_done(&b);
	assert_int_equal(file_read_no_link(path, 9, &b, &err), CH_OK);
	assert_string_equal(buf_str(&b), "x");
	buf_done(&b);
	unlink(link);
}

static void test_mkdirs(void **state)
{
	CH_AUTO_STR char *deep = ch_asprintf("%s/b/c/d", dir);
	CH_AUTO_STR char *file = ch_asprintf("%s/a", dir);
	CH_AUTO_STR char *under = ch_asprintf("%s/a/x", dir);

	assert_int_equal(file_mkdirs(deep, 0700, NULL), CH_OK);
	assert_int_equal(file_mkdirs(deep, 0700, NULL), CH_OK);
	assert_int_equal(file_write_atomic(file, "", 0, 0600, NULL), CH_OK);
	assert_int_equal(file_mkdirs(under, 0700, NULL), CH_E_IO);
	assert_int_equal(file_mkdirs(file, 0700, NULL), CH_E_IO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_round_trip, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(test_refusals, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(test_no_link, make_dir, remove_dir),
		cmocka_unit_test_setup_teardown(test_mkdirs, make_dir, remove_dir),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
