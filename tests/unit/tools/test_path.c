/*
 * Containment: nothing a model names leads out of the workspace.
 */
#include "tool_fixture.h"

#include <pthread.h>
#include <sys/sysmacros.h>

static void secret(struct fixture *f, char *ret_path, size_t cap)
{
	FILE *file;

	snprintf(ret_path, cap, "%s/secret.txt", f->outside);
	file = fopen(ret_path, "w");
	assert_non_null(file);
	fputs("secret", file);
	fclose(file);
}

static void refuses_what_leads_out(void **state)
{
	struct fixture *f = *state;
	static const char *const paths[] = {
		"../out/secret.txt", "a/../../out/secret.txt", "/etc/passwd", "..", "/", "//etc/passwd",
		"link/secret.txt", "link-file", "absolute-link", "~/secret.txt", "up/up/out/secret.txt",
		"/proc/self/cwd", "./../out/secret.txt",
	};
	char target[128], path[256], args[512];

	secret(f, target, sizeof(target));
	snprintf(path, sizeof(path), "%s/link", f->root);
	assert_int_equal(symlink("../out", path), 0);
	snprintf(path, sizeof(path), "%s/link-file", f->root);
	assert_int_equal(symlink("../out/secret.txt", path), 0);
	snprintf(path, sizeof(path), "%s/absolute-link", f->root);
	assert_int_equal(symlink(target, path), 0);
	snprintf(path, sizeof(path), "%s/up", f->root);
	assert_int_equal(symlink("..", path), 0);
	snprintf(path, sizeof(path), "%s/a", f->root);
	assert_int_equal(mkdir(path, 0700), 0);
	for (size_t i = 0; i < CH_ARRAY_LEN(paths); i++) {
		snprintf(args, sizeof(args), "{\"path\":\"%s\"}", paths[i]);
		assert_int_not_equal(fixture_run(f, &tool_read, args), CH_OK);
		assert_null(strstr(f->text, "secret\n"));
		assert_int_not_equal(fixture_run(f, &tool_list, args), CH_OK);
		snprintf(args, sizeof(args), "{\"path\":\"%s\",\"content\":\"owned\"}", paths[i]);
		assert_int_not_equal(fixture_run(f, &tool_write, args), CH_OK);
		snprintf(args, sizeof(args), "{\"path\":\"%s\",\"edits\":[{\"oldText\":\"secret\",\"newText\":\"x\"}]}",
			 paths[i]);
		assert_int_not_equal(fixture_run(f, &tool_edit, args), CH_OK);
	}
	assert_string_equal(fixture_get(f, target, args, sizeof(args)), "secret");
	assert_int_equal(fixture_run(f, &tool_read, "{\"path\":\"link-file\"}"), CH_E_DENIED);
	assert_non_null(strstr(f->text, "out of the workspace"));
}

static void takes_absolute_paths_inside(void **state)
{
	struct fixture *f = *state;
	char args[256];

	fixture_put(f, "a.txt", "hello\n", 6);
	snprintf(args, sizeof(args), "{\"path\":\"%s/a.txt\"}", f->root);
	assert_int_equal(fixture_run(f, &tool_read, args), CH_OK);
	assert_string_equal(f->text, "hello\n");
	snprintf(args, sizeof(args), "{\"path\":\"%s\"}", f->root);
	assert_int_equal(fixture_run(f, &tool_list, args), CH_OK);
	assert_string_equal(f->text, "a.txt\tfile\t6 bytes");
	/* A neighbour whose name begins like the workspace's is outside. */
	snprintf(args, sizeof(args), "{\"path\":\"%s-other/a.txt\"}", f->root);
	assert_int_equal(fixture_run(f, &tool_read, args), CH_E_DENIED);
}

static void takes_the_real_root_too(void **state)
{
	struct fixture *f = *state;
	char alias[128], args[256];

	fixture_put(f, "a.txt", "hello\n", 6);
	snprintf(alias, sizeof(alias), "%s/alias", f->base);
	assert_int_equal(symlink(f->root, alias), 0);
	f->ctx.workspace = alias;
	snprintf(args, sizeof(args), "{\"path\":\"%s/a.txt\"}", f->root);
	assert_int_equal(fixture_run(f, &tool_read, args), CH_OK);
	snprintf(args, sizeof(args), "{\"path\":\"%s/a.txt\"}", alias);
	assert_int_equal(fixture_run(f, &tool_read, args), CH_OK);
}

static void follows_links_that_stay(void **state)
{
	struct fixture *f = *state;
	char path[256], text[64];
	struct stat st;

	snprintf(path, sizeof(path), "%s/dir", f->root);
	assert_int_equal(mkdir(path, 0700), 0);
	fixture_put(f, "dir/real.txt", "one\n", 4);
	snprintf(path, sizeof(path), "%s/link.txt", f->root);
	assert_int_equal(symlink("dir/real.txt", path), 0);
	assert_int_equal(fixture_run(f, &tool_read, "{\"path\":\"link.txt\"}"), CH_OK);
	assert_string_equal(f->text, "one\n");
	assert_int_equal(fixture_run(f, &tool_write, "{\"path\":\"link.txt\",\"content\":\"two\\n\"}"), CH_OK);
	assert_string_equal(fixture_get(f, "dir/real.txt", text, sizeof(text)), "two\n");
	assert_int_equal(lstat(path, &st), 0);
	assert_true(S_ISLNK(st.st_mode));
}

static void refuses_special_files(void **state)
{
	struct fixture *f = *state;
	char path[256];

	snprintf(path, sizeof(path), "%s/fifo", f->root);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(fixture_run(f, &tool_read, "{\"path\":\"fifo\"}"), CH_E_INVALID);
	assert_non_null(strstr(f->text, "a FIFO"));
	assert_int_equal(fixture_run(f, &tool_write, "{\"path\":\"fifo\",\"content\":\"x\"}"), CH_E_INVALID);
	assert_int_equal(fixture_run(f, &tool_read, "{\"path\":\".\"}"), CH_OK);
	assert_true(f->result.is_error);
	assert_non_null(strstr(f->text, "a directory with 1 entry: fifo"));
	snprintf(path, sizeof(path), "%s/null", f->root);
	if (!mknod(path, S_IFCHR | 0600, makedev(1, 3))) {      /* needs root; a device is refused like the FIFO */
		assert_int_equal(fixture_run(f, &tool_read, "{\"path\":\"null\"}"), CH_E_INVALID);
		assert_non_null(strstr(f->text, "a device"));
	}
}

static void a_hard_link_is_not_written_through(void **state)
{
	struct fixture *f = *state;
	char target[128], path[256], text[64];

	secret(f, target, sizeof(target));
	snprintf(path, sizeof(path), "%s/hard.txt", f->root);
	assert_int_equal(link(target, path), 0);
	assert_int_equal(fixture_run(f, &tool_write, "{\"path\":\"hard.txt\",\"content\":\"mine\"}"), CH_OK);
	assert_string_equal(fixture_get(f, target, text, sizeof(text)), "secret");
	assert_string_equal(fixture_get(f, "hard.txt", text, sizeof(text)), "mine");
}

static void refuses_bad_names(void **state)
{
	struct fixture *f = *state;
	char args[2300] = "{\"path\":\"", *p = args + strlen(args);

	assert_int_equal(fixture_run(f, &tool_read, "{\"path\":\"a\\u0000b\"}"), CH_E_INVALID);
	assert_non_null(strstr(f->text, "NUL"));
	memset(p, 'x', 2000);
	snprintf(p + 2000, 8, "\"}");
	assert_int_equal(fixture_run(f, &tool_read, args), CH_E_INVALID);
	assert_int_equal(fixture_run(f, &tool_write, "{\"path\":\"dir/\",\"content\":\"\"}"), CH_E_INVALID);
}

/* Swaps a directory and a link to the outside as fast as it can. */
struct swapper { const struct fixture *f; bool stop; };

static void *swap(void *arg)
{
	struct swapper *s = arg;
	char dir[160], link[160];

	snprintf(dir, sizeof(dir), "%s/d", s->f->root);
	snprintf(link, sizeof(link), "%s/l", s->f->root);
	while (!__atomic_load_n(&s->stop, __ATOMIC_RELAXED))
		renameat2(AT_FDCWD, dir, AT_FDCWD, link, RENAME_EXCHANGE);
	return NULL;
}

static void a_rename_race_does_not_escape(void **state)
{
	struct fixture *f = *state;
	struct swapper s = { .f = f };
	char path[256], args[128];
	pthread_t thread;
	struct stat st;

	snprintf(path, sizeof(path), "%s/d", f->root);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/l", f->root);
	assert_int_equal(symlink("../out", path), 0);
	assert_int_equal(pthread_create(&thread, NULL, swap, &s), 0);
	for (int i = 0; i < 200; i++) {
		snprintf(args, sizeof(args), "{\"path\":\"d/n%d.txt\",\"content\":\"x\"}", i);
		(void)fixture_run(f, &tool_write, args);
		snprintf(path, sizeof(path), "%s/n%d.txt", f->outside, i);
		assert_int_equal(stat(path, &st), -1);
	}
	__atomic_store_n(&s.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(refuses_what_leads_out), T(takes_absolute_paths_inside), T(takes_the_real_root_too),
		T(follows_links_that_stay), T(refuses_special_files), T(a_hard_link_is_not_written_through),
		T(refuses_bad_names), T(a_rename_race_does_not_escape),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
