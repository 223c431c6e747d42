/*
 * core/file_place: a new file lands below its folder, or nowhere.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/file.h"
#include "../temp_dir.h"

static char root[TEMP_DIR_MAX], path[256];

static const char *in_root(const char *rel)
{
	snprintf(path, sizeof(path), "%s/%s", root, rel);
	return path;
}

static void test_a_file_is_new_and_private(void **state)
{
	struct ch_err err;
	struct stat st;

	assert_int_equal(file_write_beneath(root, "media/inbound/1-1.png", "abc", 3, &err), CH_OK);
	assert_int_equal(stat(in_root("media/inbound/1-1.png"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(st.st_size, 3);
	assert_int_equal(stat(in_root("media"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	assert_int_equal(file_write_beneath(root, "media/inbound/1-1.png", "xyz", 3, &err), CH_E_EXISTS);
}

/* Who can write to the workspace may have put links where our files go. */
static void test_threat_path_traversal_inbound_files_stay_below(void **state)
{
	static const char *const names[] = { "../out.txt", "a/../../out.txt", "/tmp/out.txt", "", "a//b", "./a", "link/out.txt" };
	struct ch_err err;

	assert_int_equal(symlink("/tmp", in_root("link")), 0);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_int_equal(file_write_beneath(root, names[i], "x", 1, &err), CH_E_DENIED);
	assert_int_equal(symlink("/tmp/chela-place-target", in_root("file")), 0);
	assert_int_equal(file_write_beneath(root, "file", "x", 1, &err), CH_E_EXISTS);
	assert_int_not_equal(access("/tmp/chela-place-target", F_OK), 0);
	assert_int_equal(file_write_beneath("/tmp/chela-place-nowhere", "a", "x", 1, &err), CH_E_IO);
}

static int set_up(void **state)
{
	temp_dir_make(root, "place");
	return 0;
}

static int tear_down(void **state)
{
	temp_dir_remove(root);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_file_is_new_and_private),
		cmocka_unit_test(test_threat_path_traversal_inbound_files_stay_below),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
