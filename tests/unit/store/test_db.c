/*
 * store/db: opening, statements, transactions, what fails and what stays then.
 */
#include "scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "../core/in_fiber.h"
#include "core/clock.h"
#include "core/mem.h"
#include "core/str.h"

static struct db *db;

static int open_memory(void **state)
{
	struct ch_err err;

	if (db_open(":memory:", DB_CREATE, &db, &err)) {
		print_error("%s\n", err.text);
		return -1;
	}
	return 0;
}

static int close_memory(void **state)
{
	db_close(db);
	db = NULL;
	return 0;
}

static void put(struct db *d, const char *name, const char *value)
{
	ASSERT_OK(kv_put(d, name, value, err));
}

static char *get(struct db *d, struct arena *a, const char *name)
{
	char *value = NULL;

	return kv_get(d, a, name, &value, NULL) ? NULL : value;
}

/* ---- statements ---- */

static void test_values_round_trip(void **state)
{
	CH_AUTO(db_done) struct db_stmt *s = NULL;
	const void *blob;
	size_t n;
	bool row;

	ASSERT_OK(db_prep(db, "SELECT ?1, ?2, ?3, ?4, ?5, ?6", &s, err));
	db_bind_int(s, 1, INT64_MIN);
	db_bind_num(s, 2, 0.1);
	db_bind_text(s, 3, "h\xc3\xa9");
	db_bind_textn(s, 4, "abcdef", 3);
	db_bind_blob(s, 5, "\0\1", 2);
	db_bind_text(s, 6, NULL);
	ASSERT_OK(db_step(s, &row, err));
	assert_true(row);
	assert_true(db_int(s, 0) == INT64_MIN);
	assert_true(db_num(s, 1) == 0.1);
	assert_string_equal(db_text(s, 2), "h\xc3\xa9");
	assert_int_equal(db_text_len(s, 2), 3);
	assert_string_equal(db_text(s, 3), "abc");
	blob = db_blob(s, 4, &n);
	assert_int_equal(n, 2);
	assert_memory_equal(blob, "\0\1", 2);
	assert_true(db_is_null(s, 5));
	assert_null(db_text(s, 5));
	ASSERT_OK(db_step(s, &row, err));
	assert_false(row);
}

static void test_same_sql_twice_at_once(void **state)
{
	static const char sql[] = "SELECT ?1";
	struct db_stmt *one, *two, *again;
	bool row;

	ASSERT_OK(db_prep(db, sql, &one, err));
	ASSERT_OK(db_prep(db, sql, &two, err));
	assert_ptr_not_equal(one, two);
	db_bind_int(one, 1, 1);
	db_bind_int(two, 1, 2);
	ASSERT_OK(db_step(one, &row, err));
	ASSERT_OK(db_step(two, &row, err));
	assert_int_equal(db_int(one, 0), 1);
	assert_int_equal(db_int(two, 0), 2);
	db_done(two);
	db_done(one);
	ASSERT_OK(db_prep(db, sql, &again, err));
	assert_ptr_equal(again, one);
	ASSERT_OK(db_step(again, &row, err));
	assert_true(db_is_null(again, 0));       /* the binding went with db_done() */
	db_done(again);
}

static void test_more_statements_than_the_cache(void **state)
{
	for (int i = 0; i < 400; i++) {
		CH_AUTO_STR char *sql = ch_asprintf("SELECT %d", i);

		assert_int_equal(scratch_int(db, sql), i);
	}
	assert_int_equal(scratch_int(db, "SELECT 399"), 399);
}

static void test_bad_sql(void **state)
{
	struct db_stmt *s = NULL;

	ASSERT_FAILS(db_prep(db, "SELEC 1", &s, err), CH_E_BUG, "syntax error");
	ASSERT_FAILS(db_exec(db, "DROP TABLE no_such", err), CH_E_BUG, "no such table");
	assert_null(s);
}

static void test_constraints(void **state)
{
	static const char insert[] = "INSERT INTO kv (name, value, updated_at) VALUES (?1, ?2, 0)";
	struct db_stmt *s;

	for (int i = 0; i < 2; i++) {
		ASSERT_OK(db_prep(db, insert, &s, err));
		db_bind_text(s, 1, "n");
		db_bind_text(s, 2, "v");
		if (i == 0)
			ASSERT_OK(db_run(s, NULL, err));
		else
			ASSERT_FAILS(db_run(s, NULL, err), CH_E_EXISTS, "UNIQUE");
	}
	ASSERT_OK(db_prep(db, insert, &s, err));
	db_bind_text(s, 1, "m");
	ASSERT_FAILS(db_run(s, NULL, err), CH_E_CONFLICT, "NOT NULL");
	ASSERT_FAILS(db_exec(db, "INSERT INTO session_windows (session_id, session_key, opened_at, reason) VALUES ('a', 'no such session', 0, 'x')", err),
		     CH_E_CONFLICT, "FOREIGN KEY");
}

static void test_kv(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	char *value;

	ASSERT_FAILS(kv_get(db, a, "none", &value, err), CH_E_NOT_FOUND, "none");
	put(db, "name", "one");
	put(db, "name", "two");
	assert_string_equal(get(db, a, "name"), "two");
}

/* ---- transactions ---- */

static void test_nesting(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);

	ASSERT_OK(db_begin(db, err));
	ASSERT_OK(db_begin(db, err));
	assert_int_equal(db_tx_depth(db), 2);
	put(db, "inner", "1");
	ASSERT_OK(db_commit(db, err));
	assert_int_equal(db_tx_depth(db), 1);
	db_rollback(db);
	assert_int_equal(db_tx_depth(db), 0);
	assert_null(get(db, a, "inner"));
}

static void test_inner_rollback_poisons(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);

	ASSERT_OK(db_begin(db, err));
	put(db, "outer", "1");
	ASSERT_OK(db_begin(db, err));
	db_rollback(db);
	ASSERT_FAILS(kv_put(db, "late", "1", err), CH_E_CONFLICT, "undone");
	ASSERT_FAILS(db_commit(db, err), CH_E_CONFLICT, "undone");
	assert_int_equal(db_tx_depth(db), 0);
	assert_null(get(db, a, "outer"));
	put(db, "outer", "2");                   /* and the next transaction is clean */
	assert_string_equal(get(db, a, "outer"), "2");
}

static ch_status fails_half_way(struct ch_err *err)
{
	CH_AUTO(db_rollback) struct db *tx = NULL;
	ch_status st = db_begin(db, err);

	if (st)
		return st;
	tx = db;
	st = kv_put(db, "half", "1", err);
	if (!st)
		st = ch_fail(err, CH_E_INVALID, "half way");
	if (st)
		return st;
	return db_commit(CH_TAKE(tx), err);
}

static void test_scope_rolls_back(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);

	uint64_t before = db_undone(db);

	ASSERT_OK(db_begin(db, err));
	db_rollback(db);
	assert_int_equal(db_undone(db), before); /* there was nothing to undo */
	ASSERT_FAILS(fails_half_way(err), CH_E_INVALID, "half way");
	assert_int_equal(db_undone(db), before + 1);
	assert_int_equal(db_tx_depth(db), 0);
	assert_null(get(db, a, "half"));
}

static void test_durable_inside_plain_is_refused(void **state)
{
	ASSERT_OK(db_begin_durable(db, err));
	ASSERT_OK(db_begin(db, err));            /* the other way round is fine */
	ASSERT_OK(db_begin_durable(db, err));
	ASSERT_OK(db_commit(db, err));
	ASSERT_OK(db_commit(db, err));
	ASSERT_OK(db_commit(db, err));
	ASSERT_OK(db_begin(db, err));
	ASSERT_FAILS(db_begin_durable(db, err), CH_E_BUG, "durable");
	assert_int_equal(db_tx_depth(db), 1);
	db_rollback(db);
}

static void test_durable_switches_sync(void **state)
{
	/* SQLite answers this pragma when it prepares it, so each text is a fresh question. */
	ASSERT_OK(db_open(scratch_db, DB_CREATE, &db, err));
	assert_int_equal(scratch_int(db, "PRAGMA synchronous -- 1"), 1);
	ASSERT_OK(db_begin_durable(db, err));
	assert_int_equal(scratch_int(db, "PRAGMA synchronous -- 2"), 2);
	ASSERT_OK(db_commit(db, err));
	ASSERT_OK(db_begin(db, err));
	assert_int_equal(scratch_int(db, "PRAGMA synchronous -- 3"), 1);
	db_rollback(db);
	close_memory(state);
}

/* ---- the switch check ---- */

/* Runs fn in a child and gives the signal that ended it, 0 for none. */
static int signal_of(void (*fn)(void))
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		struct rlimit no_core = { 0 };

		setrlimit(RLIMIT_CORE, &no_core);
		if (!freopen("/dev/null", "w", stderr))
			_exit(2);
		signal(SIGABRT, SIG_DFL);        /* cmocka's would report the abort as its own */
		fn();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void switch_in_transaction(void)
{
	if (!db_begin(db, NULL))
		db_assert_idle();
}

static void switch_in_row(void)
{
	struct db_stmt *s;
	bool row;

	if (!db_prep(db, "SELECT 1 UNION SELECT 2", &s, NULL) && !db_step(s, &row, NULL))
		db_assert_idle();
}

static void yield_in_transaction(void *arg)
{
	if (!db_begin(db, NULL))
		(void)!fiber_yield();
}

static void real_switch(void)
{
	in_fiber(yield_in_transaction, NULL);
}

static void test_switch_check(void **state)
{
	CH_AUTO(db_done) struct db_stmt *s = NULL;
	bool row;

	db_assert_idle();
	assert_int_equal(signal_of(db_assert_idle), 0);
	assert_int_equal(signal_of(switch_in_transaction), SIGABRT);
	assert_int_equal(signal_of(switch_in_row), SIGABRT);
	assert_int_equal(signal_of(real_switch), SIGABRT);
	ASSERT_OK(db_prep(db, "SELECT 1", &s, err));
	ASSERT_OK(db_step(s, &row, err));
	ASSERT_OK(db_step(s, &row, err));        /* walked to the end: no row is open */
	db_assert_idle();
}

/* ---- injected faults ---- */

static ch_status three_writes(void)
{
	CH_AUTO(db_rollback) struct db *tx = NULL;
	ch_status st = db_begin(db, NULL);

	if (st)
		return st;
	tx = db;
	st = kv_put(db, "a", "1", NULL);
	if (!st)
		st = kv_put(db, "b", "1", NULL);
	if (!st)
		st = kv_put(db, "c", "1", NULL);
	if (st)
		return st;
	return db_commit(CH_TAKE(tx), NULL);
}

static void test_every_fault_leaves_nothing(void **state)
{
	int n = 1;

	for (;; n++) {
		ch_status st;

		db_fail_nth(db, n);
		st = three_writes();
		assert_int_equal(db_tx_depth(db), 0);
		if (!st)
			break;
		assert_int_equal(st, CH_E_IO);
		assert_int_equal(scratch_int(db, "SELECT count(*) FROM kv"), 0);
	}
	assert_int_equal(n, 5);                  /* three writes and a commit can fail */
	db_fail_nth(db, 0);
	assert_int_equal(scratch_int(db, "SELECT count(*) FROM kv"), 3);
}

/* ---- files ---- */

static int mode_of(const char *suffix)
{
	CH_AUTO_STR char *path = ch_asprintf("%s%s", scratch_db, suffix);
	struct stat st;

	return stat(path, &st) ? -1 : (int)(st.st_mode & 0777);
}

static void test_modes(void **state)
{
	CH_AUTO_STR char *deep = ch_asprintf("%s/a/b/chela.sqlite", scratch_dir);
	CH_AUTO_STR char *deep_dir = ch_asprintf("%s/a/b", scratch_dir);
	struct stat st;
	struct db *d;
	mode_t before = umask(022);

	chmod(scratch_dir, 0755);
	ASSERT_OK(db_open(scratch_db, DB_CREATE | DB_LOCK, &d, err));
	put(d, "a", "b");
	assert_int_equal(mode_of(""), 0600);
	assert_int_equal(mode_of("-wal"), 0600);
	assert_int_equal(mode_of("-shm"), 0600);
	assert_int_equal(stat(scratch_dir, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	db_close(d);
	assert_int_equal(mode_of("-wal"), -1);
	chmod(scratch_db, 0644);
	ASSERT_OK(db_open(scratch_db, 0, &d, err));
	assert_int_equal(mode_of(""), 0600);
	db_close(d);
	ASSERT_OK(db_open(deep, DB_CREATE, &d, err));
	db_close(d);
	assert_int_equal(stat(deep_dir, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	umask(before);
}

static void test_missing(void **state)
{
	struct db *d = NULL;

	ASSERT_FAILS(db_open(scratch_db, 0, &d, err), CH_E_NOT_FOUND, "no database");
	ASSERT_FAILS(db_open(scratch_db, DB_READ_ONLY, &d, err), CH_E_NOT_FOUND, "no database");
	ASSERT_FAILS(db_open("/nonexistent/x/chela.sqlite", 0, &d, err), CH_E_NOT_FOUND, "/nonexistent/x");
	assert_null(d);
	assert_int_equal(mode_of(""), -1);
}

static void test_reader_beside_gateway(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct db *writer, *reader;

	ASSERT_OK(db_open(scratch_db, DB_CREATE | DB_LOCK, &writer, err));
	put(writer, "a", "1");
	ASSERT_OK(db_open(scratch_db, DB_READ_ONLY, &reader, err));
	assert_string_equal(get(reader, a, "a"), "1");
	put(writer, "a", "2");
	assert_string_equal(get(reader, a, "a"), "2");
	ASSERT_FAILS(kv_put(reader, "a", "3", err), CH_E_IO, "read-only");
	db_close(writer);
	ASSERT_OK(db_open(scratch_db, DB_CREATE | DB_LOCK, &writer, err));
	assert_false(db_was_unclean(writer));    /* though a reader outlived the first one */
	db_close(reader);
	db_close(writer);
	ASSERT_OK(db_open(scratch_db, DB_READ_ONLY, &reader, err));      /* and without one */
	assert_string_equal(get(reader, a, "a"), "2");
	db_close(reader);
}

static void test_writer_beside_gateway(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct db *owner, *guest = NULL;

	ASSERT_FAILS(db_open(scratch_db, DB_BESIDE, &guest, err), CH_E_NOT_FOUND, "no database");
	ASSERT_OK(db_open(scratch_db, DB_CREATE | DB_LOCK, &owner, err));
	put(owner, "a", "1");
	ASSERT_OK(db_open(scratch_db, DB_BESIDE, &guest, err));
	put(guest, "a", "2");
	assert_string_equal(get(owner, a, "a"), "2");
	put(owner, "a", "3");
	assert_string_equal(get(guest, a, "a"), "3");
	db_close(guest);
	put(owner, "a", "4");
	ASSERT_OK(db_exec(owner, "PRAGMA user_version = 9999", err));
	ASSERT_FAILS(db_open(scratch_db, DB_BESIDE, &guest, err), CH_E_UNSUPPORTED, "9999");
	db_close(owner);
}

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
	assert_int_equal(fclose(f), 0);
}

static void test_not_a_database(void **state)
{
	CH_AUTO_STR char *backup = ch_asprintf("%s.schema-1.bak", scratch_db);
	struct db *d = NULL;

	write_file(scratch_db, "This is a text of more than a hundred bytes, which nobody would take for a "
			       "database: it has no header, no pages and no point.");
	ASSERT_FAILS(db_open(scratch_db, DB_CREATE, &d, err), CH_E_IO, ".recover");
	write_file(backup, "a backup");
	ASSERT_FAILS(db_open(scratch_db, DB_CREATE, &d, err), CH_E_IO, "restore");
	ASSERT_FAILS(db_open(scratch_db, DB_CREATE, &d, err), CH_E_IO, ".schema-1.bak");
	assert_null(d);
}

/* Overwrites the page that holds table kv, behind SQLite's back. */
static void damage(const char *path, int64_t page)
{
	static char junk[4096];
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	memset(junk, 0xa5, sizeof(junk));
	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, junk, sizeof(junk), (page - 1) * 4096), sizeof(junk));
	close(fd);
}

static void test_damage_is_found(void **state)
{
	struct db *d = NULL;
	int64_t page;

	ASSERT_OK(db_open(scratch_db, DB_CREATE, &d, err));
	put(d, "a", "1");
	page = scratch_int(d, "SELECT rootpage FROM sqlite_master WHERE name = 'kv'");
	ASSERT_OK(db_check(d, err));
	db_close(d);
	damage(scratch_db, page);
	ASSERT_OK(db_open(scratch_db, 0, &d, err));      /* a clean end: the start does not look */
	ASSERT_FAILS(db_check(d, err), CH_E_IO, "damaged");
	db_close(d);
}

/* Ends a child that wrote without closing, so that its log stays. */
static void leave_unclean(void)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		struct db *d;

		if (db_open(scratch_db, DB_CREATE | DB_LOCK, &d, NULL) || kv_put(d, "a", "1", NULL))
			_exit(1);
		raise(SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
}

static void test_unclean_end(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct db *d = NULL;
	int64_t page;

	leave_unclean();
	ASSERT_OK(db_open(scratch_db, DB_CREATE | DB_LOCK, &d, err));
	assert_true(db_was_unclean(d));
	assert_string_equal(get(d, a, "a"), "1");
	page = scratch_int(d, "SELECT rootpage FROM sqlite_master WHERE name = 'kv'");
	db_close(d);
	ASSERT_OK(db_open(scratch_db, DB_CREATE | DB_LOCK, &d, err));
	assert_false(db_was_unclean(d));
	db_close(d);
	leave_unclean();
	ASSERT_OK(db_open(scratch_db, 0, &d, err));      /* moves the log into the file ... */
	ASSERT_OK(db_exec(d, "PRAGMA wal_checkpoint(TRUNCATE)", err));
	db_close(d);
	leave_unclean();
	damage(scratch_db, page + 1);                    /* ... so that this page is not in the log */
	ASSERT_FAILS(db_open(scratch_db, 0, &d, err), CH_E_IO, "damaged");
}

/* ---- disks that say no ---- */

static char big[200 * 1024];

/* Writes until the first refusal, and gives the number that went well. */
static int64_t fill(struct db *d, struct ch_err *ret)
{
	int64_t stored = 0;

	memset(big, 'x', sizeof(big) - 1);
	for (;; stored++) {
		CH_AUTO_STR char *name = ch_asprintf("n%lld", (long long)stored);

		if (kv_put(d, name, big, ret))
			return stored;
		assert_true(stored < 1000);
	}
}

/* After a refusal: what was stored is there, the refused is not, a second try is refused as well. */
static void check_refused(struct db *d, int64_t stored, const struct ch_err *refusal, const char *why)
{
	assert_int_equal(refusal->code, CH_E_IO);
	if (!strstr(refusal->text, why))
		fail_msg("'%s' does not hold '%s'", refusal->text, why);
	assert_int_equal(scratch_int(d, "SELECT count(*) FROM kv"), stored);
	ASSERT_FAILS(kv_put(d, "again", big, err), CH_E_IO, "nothing was written");
}

/* And when there is room again all goes on. */
static void check_goes_on(struct db *d, int64_t stored)
{
	put(d, "again", "1");
	ASSERT_OK(db_check(d, err));
	db_close(d);
	ASSERT_OK(db_open(scratch_db, 0, &d, err));
	assert_int_equal(scratch_int(d, "SELECT count(*) FROM kv"), stored + 1);
	db_close(d);
}

/* A file that may not grow: a failing disk, whoever runs the test. */
static void test_file_cannot_grow(void **state)
{
	struct rlimit before, limit;
	struct ch_err refusal = { 0 };
	int64_t stored;
	struct db *d;

	ASSERT_OK(db_open(scratch_db, DB_CREATE, &d, err));
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	limit = before;
	limit.rlim_cur = 2 << 20;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	stored = fill(d, &refusal);
	check_refused(d, stored, &refusal, "File too large");
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	signal(SIGXFSZ, SIG_DFL);
	check_goes_on(d, stored);
}

/* Without rights: root of a space of our own, in which alone we may mount. */
static bool become_root(void)
{
	CH_AUTO_STR char *uids = ch_asprintf("0 %u 1", geteuid());
	CH_AUTO_STR char *gids = ch_asprintf("0 %u 1", getegid());

	if (geteuid() == 0)
		return true;
	if (unshare(CLONE_NEWUSER))
		return false;
	write_file("/proc/self/setgroups", "deny");
	write_file("/proc/self/uid_map", uids);
	write_file("/proc/self/gid_map", gids);
	return true;
}

/* A disk of our own, small, over the scratch directory; false where the system lets nobody mount. */
static bool mount_small_disk(void)
{
	return become_root() && !unshare(CLONE_NEWNS) && !mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) &&
	       !mount("none", scratch_dir, "tmpfs", 0, "size=3m,mode=0700");
}

static void fill_small_disk(void **state)
{
	CH_AUTO_STR char *ballast = ch_asprintf("%s/ballast", scratch_dir);
	struct ch_err refusal = { 0 };
	int64_t stored;
	struct db *d;
	int fd;

	if (!mount_small_disk())
		fail_msg("this test needs a mount namespace of its own (as root, or sysctl kernel.unprivileged_userns_clone=1)");
	fd = open(ballast, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(posix_fallocate(fd, 0, 1 << 20), 0);
	close(fd);
	ASSERT_OK(db_open(scratch_db, DB_CREATE, &d, err));
	stored = fill(d, &refusal);
	check_refused(d, stored, &refusal, "full");
	assert_int_equal(unlink(ballast), 0);
	check_goes_on(d, stored);
}

static void test_small_disk(void **state)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		/* cmocka's own run, silent, so that a failed assertion ends the child with a status. */
		const struct CMUnitTest inside[] = { cmocka_unit_test(fill_small_disk) };

		if (!freopen("/dev/null", "w", stdout))
			_exit(2);
		_exit(cmocka_run_group_tests(inside, NULL, NULL) ? 1 : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* SQLite's own "full": inside a transaction it undoes all of it, and we must notice. */
static void test_full(void **state)
{
	struct db *d;

	memset(big, 'x', sizeof(big) - 1);
	ASSERT_OK(db_open(scratch_db, DB_CREATE, &d, err));
	ASSERT_OK(db_exec(d, "PRAGMA max_page_count = 100", err));
	ASSERT_OK(db_begin(d, err));
	put(d, "a", "1");
	ASSERT_FAILS(kv_put(d, "b", big, err) ? : kv_put(d, "c", big, err), CH_E_IO, "full");
	if (db_tx_depth(d))
		db_rollback(d);
	assert_int_equal(scratch_int(d, "SELECT count(*) FROM kv"), 0);
	put(d, "a", "1");
	ASSERT_OK(db_check(d, err));
	db_close(d);
}

/* Root is never refused, so a child without rights does this one. */
static void open_without_rights(void)
{
	struct ch_err err = { 0 };
	struct db *d;

	if (geteuid() == 0 && (setgroups(0, NULL) || setgid(65534) || setuid(65534)))
		_exit(3);
	if (db_open(scratch_db, 0, &d, &err) != CH_E_IO || !strstr(err.text, "read-only"))
		_exit(4);
	_exit(0);
}

static void test_read_only_file(void **state)
{
	pid_t pid;
	int status;

	ASSERT_OK(db_open(scratch_db, DB_CREATE, &db, err));
	close_memory(state);
	assert_int_equal(chmod(scratch_db, 0400), 0);
	if (geteuid() == 0) {
		assert_int_equal(chown(scratch_db, 65534, 65534), 0);
		assert_int_equal(chown(scratch_dir, 65534, 65534), 0);
	}
	pid = fork();
	if (pid == 0)
		open_without_rights();
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void test_foreign_directory(void **state)
{
	struct db *d = NULL;

	if (geteuid() == 0) {
		assert_int_equal(chown(scratch_dir, 65534, 65534), 0);
		ASSERT_FAILS(db_open(scratch_db, DB_CREATE, &d, err), CH_E_DENIED, "belongs to user 65534");
	} else {
		ASSERT_FAILS(db_open("/etc/chela.sqlite", DB_CREATE, &d, err), CH_E_DENIED, "belongs to user 0");
	}
	assert_null(d);
}

int main(void)
{
#define MEMORY(t) cmocka_unit_test_setup_teardown(t, open_memory, close_memory)
#define ON_DISK(t) cmocka_unit_test_setup_teardown(t, scratch_make, scratch_remove)
	const struct CMUnitTest tests[] = {
		MEMORY(test_values_round_trip),
		MEMORY(test_same_sql_twice_at_once),
		MEMORY(test_more_statements_than_the_cache),
		MEMORY(test_bad_sql),
		MEMORY(test_constraints),
		MEMORY(test_kv),
		MEMORY(test_nesting),
		MEMORY(test_inner_rollback_poisons),
		MEMORY(test_scope_rolls_back),
		MEMORY(test_durable_inside_plain_is_refused),
		MEMORY(test_switch_check),
		MEMORY(test_every_fault_leaves_nothing),
		ON_DISK(test_durable_switches_sync),
		ON_DISK(test_modes),
		ON_DISK(test_missing),
		ON_DISK(test_reader_beside_gateway),
		ON_DISK(test_writer_beside_gateway),
		ON_DISK(test_not_a_database),
		ON_DISK(test_damage_is_found),
		ON_DISK(test_unclean_end),
		ON_DISK(test_file_cannot_grow),
		ON_DISK(test_small_disk),
		ON_DISK(test_full),
		ON_DISK(test_read_only_file),
		ON_DISK(test_foreign_directory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
