/*
 * apply_patch: all files or none, and nothing outside.
 */
#include "tool_fixture.h"

#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>

#include "tools/patch_commit.h"

#define BEGIN "*** Begin Patch\n"
#define END "*** End Patch\n"

static ch_status patch(struct fixture *f, const char *text)
{
	struct json *args = json_new_obj(f->arena);

	json_set(f->arena, args, "input", json_new_str(f->arena, text));
	return fixture_run(f, &tool_apply_patch, json_to_str(f->arena, args));
}

static bool is_there(const struct fixture *f, const char *name)
{
	char path[256];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", f->root, name);
	return !lstat(path, &st);
}

/* What is in the workspace, as list tells it. */
static const char *all(struct fixture *f)
{
	assert_int_equal(fixture_run(f, &tool_list, "{\"depth\":5}"), CH_OK);
	return f->text;
}

static void changes_several_files(void **state)
{
	struct fixture *f = *state;
	char text[128], path[160];
	struct stat st;

	fixture_put(f, "a.txt", "one\ntwo\n", 8);
	fixture_put(f, "b.txt", "x\n", 2);
	fixture_put(f, "c.txt", "c\n", 2);
	snprintf(path, sizeof(path), "%s/b.txt", f->root);
	assert_int_equal(chmod(path, 0750), 0);
	assert_int_equal(patch(f, BEGIN "*** Add File: new/dir/n.txt\n+hello\n*** Update File: a.txt\n@@\n-two\n+TWO\n"
			       "*** Update File: b.txt\n*** Move to: moved/b.txt\n-x\n+y\n*** Delete File: c.txt\n" END), CH_OK);
	assert_string_equal(f->text, "The patch is applied:\nA new/dir/n.txt (+1)\nM a.txt (+1 -1)\n"
			    "R b.txt -> moved/b.txt (+1 -1)\nD c.txt");
	assert_string_equal(json_str(json_path(f->result.details, "summary.deleted.0")), "c.txt");
	assert_string_equal(fixture_get(f, "new/dir/n.txt", text, sizeof(text)), "hello\n");
	assert_string_equal(fixture_get(f, "a.txt", text, sizeof(text)), "one\nTWO\n");
	assert_string_equal(fixture_get(f, "moved/b.txt", text, sizeof(text)), "y\n");
	snprintf(path, sizeof(path), "%s/moved/b.txt", f->root);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0750);
	assert_string_equal(all(f), "a.txt\tfile\t8 bytes\nmoved/\tdirectory\nmoved/b.txt\tfile\t2 bytes\nnew/\tdirectory\n"
			    "new/dir/\tdirectory\nnew/dir/n.txt\tfile\t6 bytes");
}

static void later_steps_see_earlier_ones(void **state)
{
	struct fixture *f = *state;
	char text[128];

	fixture_put(f, "a.txt", "one\n", 4);
	assert_int_equal(patch(f, BEGIN "*** Update File: a.txt\n-one\n+two\n*** Update File: ./a.txt\n-two\n+three\n" END), CH_OK);
	assert_string_equal(fixture_get(f, "a.txt", text, sizeof(text)), "three\n");
	/* Replaced on purpose: deleted first. */
	assert_int_equal(patch(f, BEGIN "*** Delete File: a.txt\n*** Add File: a.txt\n+fresh\n" END), CH_OK);
	assert_string_equal(fixture_get(f, "a.txt", text, sizeof(text)), "fresh\n");
	/* Added, changed and moved in one. */
	assert_int_equal(patch(f, BEGIN "*** Add File: b.txt\n+1\n*** Update File: b.txt\n*** Move to: c.txt\n-1\n+2\n" END), CH_OK);
	assert_string_equal(fixture_get(f, "c.txt", text, sizeof(text)), "2\n");
	assert_false(is_there(f, "b.txt"));
	/* Two files change places. */
	assert_int_equal(patch(f, BEGIN "*** Update File: a.txt\n*** Move to: t\n*** Update File: c.txt\n*** Move to: a.txt\n"
			       "*** Update File: t\n*** Move to: c.txt\n" END), CH_OK);
	assert_string_equal(fixture_get(f, "a.txt", text, sizeof(text)), "2\n");
	assert_string_equal(fixture_get(f, "c.txt", text, sizeof(text)), "fresh\n");
	assert_string_equal(all(f), "a.txt\tfile\t2 bytes\nc.txt\tfile\t6 bytes");
	assert_int_equal(patch(f, BEGIN "*** Update File: a.txt\n*** Move to: ./a.txt\n-2\n+3\n" END), CH_OK);
	assert_string_equal(fixture_get(f, "a.txt", text, sizeof(text)), "3\n");
	assert_int_equal(patch(f, BEGIN "*** Update File: a.txt\n 3\n" END), CH_OK);
	assert_non_null(strstr(f->text, "no changes"));
}

static void all_or_nothing(void **state)
{
	struct fixture *f = *state;
	static const struct { const char *last; ch_status st; } cases[] = {
		{ "*** Update File: a.txt\n-nowhere\n+x\n", CH_E_INVALID },
		{ "*** Update File: missing.txt\n-a\n+b\n", CH_E_NOT_FOUND },
		{ "*** Delete File: missing.txt\n", CH_E_NOT_FOUND },
		{ "*** Add File: a.txt\n+x\n", CH_E_EXISTS },
		{ "*** Update File: a.txt\n*** Move to: b.txt\n", CH_E_EXISTS },
		{ "*** Add File: ../out/x\n+x\n", CH_E_DENIED },
		{ "*** Add File: /etc/chela-test\n+x\n", CH_E_DENIED },
		{ "*** Delete File: dir\n", CH_E_INVALID },
		{ "*** Add File: a.txt/under\n+x\n", CH_E_INVALID },
		{ "*** Add File: new/other\n+x\n*** Add File: new/other/z\n+x\n", CH_E_CONFLICT },
	};
	char path[160], text[64];

	snprintf(path, sizeof(path), "%s/dir", f->root);
	assert_int_equal(mkdir(path, 0700), 0);
	fixture_put(f, "a.txt", "a\n", 2);
	fixture_put(f, "b.txt", "b\n", 2);
	for (size_t i = 0; i < CH_ARRAY_LEN(cases); i++) {
		snprintf(text, sizeof(text), "case %zu", i);
		if (patch(f, arena_printf(f->arena, BEGIN "*** Update File: b.txt\n-b\n+B\n*** Add File: new/n.txt\n+n\n%s" END,
					  cases[i].last)) != cases[i].st)
			fail_msg("%s: %d %s", text, f->st, f->text);
		assert_string_equal(fixture_get(f, "b.txt", text, sizeof(text)), "b\n");
		assert_string_equal(all(f), "a.txt\tfile\t2 bytes\nb.txt\tfile\t2 bytes\ndir/\tdirectory");
	}
}

/* The disk is full in the middle: staging writes, so nothing has been put in place. */
static void a_full_disk_changes_nothing(void **state)
{
	struct fixture *f = *state;
	struct rlimit before, small;
	CH_AUTO_BUF struct buf big = { 0 };
	char text[64];

	fixture_put(f, "a.txt", "a\n", 2);
	buf_init(&big, 1u << 20);
	buf_puts(&big, BEGIN "*** Update File: a.txt\n-a\n+A\n*** Add File: d/big.txt\n");
	for (int i = 0; i < 2000; i++)
		buf_puts(&big, "+0123456789012345678901234567890123456789\n");
	buf_puts(&big, END);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	small = (struct rlimit){ 4096, before.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_int_equal(patch(f, buf_str(&big)), CH_E_IO);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_non_null(strstr(f->text, "no file was changed"));
	assert_string_equal(fixture_get(f, "a.txt", text, sizeof(text)), "a\n");
	assert_string_equal(all(f), "a.txt\tfile\t2 bytes");
	assert_int_equal(patch(f, buf_str(&big)), CH_OK);
}

/* Plans and stages by hand, so that something can happen before the renames. */
struct by_hand {
	struct patch p;
	struct ws_place places[8][2];
	struct patch_tx tx;
};

static void stage_by_hand(struct fixture *f, const char *text, struct by_hand *h)
{
	struct patch_done done;

	assert_int_equal(patch_parse(f->arena, text, strlen(text), &h->p, &f->err), CH_OK);
	patch_tx_init(&h->tx);
	for (size_t i = 0; i < h->p.count; i++) {
		const struct patch_op *op = &h->p.ops[i];

		assert_int_equal(ws_place(&f->ctx, json_new_str(f->arena, op->path), WS_WRITE, &h->places[i][0], &f->err), CH_OK);
		if (op->move_to)
			assert_int_equal(ws_place(&f->ctx, json_new_str(f->arena, op->move_to), WS_WRITE, &h->places[i][1], &f->err),
					 CH_OK);
		assert_int_equal(patch_tx_plan(&h->tx, op, &h->places[i][0], op->move_to ? &h->places[i][1] : NULL, &done, &f->err),
				 CH_OK);
	}
	assert_int_equal(patch_tx_stage(&h->tx, &f->err), CH_OK);
}

static void a_failure_half_way_restores(void **state)
{
	struct fixture *f = *state;
	struct by_hand h;
	char text[64], path[160];
	struct stat before, after;

	fixture_put(f, "a.txt", "a\n", 2);
	fixture_put(f, "b.txt", "b\n", 2);
	fixture_put(f, "gone.txt", "g\n", 2);
	fixture_put(f, "last.txt", "l\n", 2);
	snprintf(path, sizeof(path), "%s/a.txt", f->root);
	assert_int_equal(stat(path, &before), 0);
	stage_by_hand(f, BEGIN "*** Update File: a.txt\n-a\n+A\n*** Add File: d/n.txt\n+n\n*** Update File: b.txt\n"
		      "*** Move to: d/b.txt\n*** Delete File: gone.txt\n*** Delete File: last.txt\n" END, &h);
	fixture_put(f, "last.txt", "somebody else's\n", 16);
	assert_int_equal(patch_tx_commit(&h.tx, &f->err), CH_E_CONFLICT);
	assert_non_null(strstr(f->err.text, "'last.txt' was changed meanwhile"));
	patch_tx_done(&h.tx);
	assert_string_equal(fixture_get(f, "a.txt", text, sizeof(text)), "a\n");
	assert_int_equal(stat(path, &after), 0);
	assert_true(before.st_ino == after.st_ino);
	assert_string_equal(fixture_get(f, "b.txt", text, sizeof(text)), "b\n");
	assert_string_equal(fixture_get(f, "gone.txt", text, sizeof(text)), "g\n");
	assert_string_equal(all(f), "a.txt\tfile\t2 bytes\nb.txt\tfile\t2 bytes\ngone.txt\tfile\t2 bytes\nlast.txt\tfile\t16 bytes");
}

/* Something came to stand where a file is added. */
static void a_new_file_replaces_nothing(void **state)
{
	struct fixture *f = *state;
	struct by_hand h;
	char text[64];

	fixture_put(f, "a.txt", "a\n", 2);
	stage_by_hand(f, BEGIN "*** Update File: a.txt\n-a\n+A\n*** Add File: n.txt\n+n\n" END, &h);
	fixture_put(f, "n.txt", "mine\n", 5);
	assert_int_equal(patch_tx_commit(&h.tx, &f->err), CH_E_CONFLICT);
	patch_tx_done(&h.tx);
	assert_string_equal(fixture_get(f, "n.txt", text, sizeof(text)), "mine\n");
	assert_string_equal(fixture_get(f, "a.txt", text, sizeof(text)), "a\n");
	assert_string_equal(all(f), "a.txt\tfile\t2 bytes\nn.txt\tfile\t5 bytes");
}

static void links(void **state)
{
	struct fixture *f = *state;
	char path[160], target[160], text[64];
	struct stat st;

	snprintf(path, sizeof(path), "%s/dir", f->root);
	assert_int_equal(mkdir(path, 0700), 0);
	fixture_put(f, "dir/real.txt", "a\n", 2);
	snprintf(path, sizeof(path), "%s/ln.txt", f->root);
	assert_int_equal(symlink("dir/real.txt", path), 0);
	snprintf(path, sizeof(path), "%s/alias", f->root);
	assert_int_equal(symlink("dir", path), 0);
	/* An update goes to the file; by two names it is one file. */
	assert_int_equal(patch(f, BEGIN "*** Update File: ln.txt\n-a\n+b\n*** Update File: alias/real.txt\n-b\n+c\n" END), CH_OK);
	assert_string_equal(fixture_get(f, "dir/real.txt", text, sizeof(text)), "c\n");
	assert_int_equal(lstat(path, &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	/* New files are where their names say. */
	assert_int_equal(patch(f, BEGIN "*** Add File: alias/n.txt\n+n\n" END), CH_E_DENIED);
	assert_int_equal(patch(f, BEGIN "*** Update File: ln.txt\n*** Move to: m.txt\n" END), CH_E_INVALID);
	/* A link is deleted, not what it leads to. */
	assert_int_equal(patch(f, BEGIN "*** Delete File: ln.txt\n" END), CH_OK);
	assert_false(is_there(f, "ln.txt"));
	assert_string_equal(fixture_get(f, "dir/real.txt", text, sizeof(text)), "c\n");
	/* What leads out is not followed. */
	snprintf(target, sizeof(target), "%s/secret.txt", f->outside);
	snprintf(path, sizeof(path), "%s/out.txt", f->root);
	assert_int_equal(symlink("../out/secret.txt", path), 0);
	fixture_put(f, "../out/secret.txt", "s\n", 2);
	assert_int_equal(patch(f, BEGIN "*** Update File: out.txt\n-s\n+x\n" END), CH_E_DENIED);
	assert_int_equal(patch(f, BEGIN "*** Add File: out.txt\n+x\n" END), CH_E_EXISTS);
	assert_string_equal(fixture_get(f, target, text, sizeof(text)), "s\n");
	assert_int_equal(patch(f, BEGIN "*** Delete File: out.txt\n*** Add File: out.txt\n+mine\n" END), CH_OK);
	assert_string_equal(fixture_get(f, target, text, sizeof(text)), "s\n");
	assert_string_equal(fixture_get(f, "out.txt", text, sizeof(text)), "mine\n");
}

/* CVE-2026-32060: a patch that wrote outside of the workspace. */
static void test_cve_2026_32060_patch_paths(void **state)
{
	struct fixture *f = *state;
	static const char *const paths[] = { "../out/x", "a/../../out/x", "/tmp/chela-escape", "~/x", "link/x", "./link/../../out/x" };
	char path[160];

	snprintf(path, sizeof(path), "%s/link", f->root);
	assert_int_equal(symlink("../out", path), 0);
	snprintf(path, sizeof(path), "%s/a", f->root);
	assert_int_equal(mkdir(path, 0700), 0);
	fixture_put(f, "a.txt", "a\n", 2);
	fixture_put(f, "../out/x", "x\n", 2);
	for (size_t i = 0; i < CH_ARRAY_LEN(paths); i++) {
		const char *p = paths[i];

		assert_int_not_equal(patch(f, arena_printf(f->arena, BEGIN "*** Update File: %s\n-x\n+y\n" END, p)), CH_OK);
		assert_int_not_equal(patch(f, arena_printf(f->arena, BEGIN "*** Delete File: %s\n" END, p)), CH_OK);
		assert_int_not_equal(patch(f, arena_printf(f->arena, BEGIN "*** Add File: %s2\n+y\n" END, p)), CH_OK);
		assert_int_not_equal(patch(f, arena_printf(f->arena, BEGIN "*** Update File: a.txt\n*** Move to: %s2\n" END, p)), CH_OK);
	}
	assert_string_equal(fixture_get(f, "../out/x", path, sizeof(path)), "x\n");
	assert_false(is_there(f, "../out/x2"));
	assert_true(is_there(f, "a.txt"));
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

static void test_threat_path_traversal_rename_race(void **state)
{
	struct fixture *f = *state;
	struct swapper s = { .f = f };
	char path[256];
	pthread_t thread;
	struct stat st;

	snprintf(path, sizeof(path), "%s/d", f->root);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/l", f->root);
	assert_int_equal(symlink("../out", path), 0);
	fixture_put(f, "../out/keep.txt", "k\n", 2);
	assert_int_equal(pthread_create(&thread, NULL, swap, &s), 0);
	for (int i = 0; i < 150; i++) {
		(void)patch(f, arena_printf(f->arena, BEGIN "*** Add File: d/n%d.txt\n+x\n*** Add File: d/new/m%d.txt\n+x\n" END, i, i));
		(void)patch(f, BEGIN "*** Update File: d/keep.txt\n-k\n+x\n" END);
		(void)patch(f, BEGIN "*** Delete File: d/keep.txt\n" END);
		snprintf(path, sizeof(path), "%s/n%d.txt", f->outside, i);
		assert_int_equal(stat(path, &st), -1);
	}
	__atomic_store_n(&s.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	assert_string_equal(fixture_get(f, "../out/keep.txt", path, sizeof(path)), "k\n");
	snprintf(path, sizeof(path), "%s/new", f->outside);
	assert_int_equal(stat(path, &st), -1);
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(changes_several_files), T(later_steps_see_earlier_ones), T(all_or_nothing), T(a_full_disk_changes_nothing),
		T(a_failure_half_way_restores), T(a_new_file_replaces_nothing), T(links), T(test_threat_path_traversal_rename_race),
		T(test_cve_2026_32060_patch_paths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
