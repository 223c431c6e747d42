/*
 * store/lock: one holder, named; nothing stale; asking does not disturb.
 */
#include "scratch.h"

#include <signal.h>
#include <sys/wait.h>

#include "core/mem.h"
#include "store/lock.h"

static void test_take_and_release(void **state)
{
	struct lock *lock, *second = NULL;
	struct lock_info info;

	ASSERT_FAILS(lock_holder(scratch_dir, &info, err), CH_E_NOT_FOUND, "gateway.lock");
	ASSERT_OK(lock_take(scratch_dir, &lock, err));
	ASSERT_OK(lock_holder(scratch_dir, &info, err));
	assert_int_equal(info.pid, getpid());
	assert_int_equal(strlen(info.started), 24);
	assert_true(info.host[0]);
	ASSERT_FAILS(lock_take(scratch_dir, &second, err), CH_E_BUSY, info.started);
	assert_null(second);
	lock_release(lock);
	ASSERT_FAILS(lock_holder(scratch_dir, &info, err), CH_E_NOT_FOUND, "no gateway");
	ASSERT_OK(lock_take(scratch_dir, &lock, err));
	lock_release(lock);
	lock_release(NULL);
}

static void test_no_directory(void **state)
{
	struct lock *lock = NULL;
	struct lock_info info;

	ASSERT_FAILS(lock_take("/nonexistent", &lock, err), CH_E_IO, "No such file");
	ASSERT_FAILS(lock_holder("/nonexistent", &info, err), CH_E_NOT_FOUND, "/nonexistent");
}

/* Starts a gateway's part in a child, which tells by a byte that it is open. */
static pid_t open_in_child(int *ret_fd)
{
	int fds[2];
	char ready;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		struct db *d;

		if (db_open(scratch_db, DB_CREATE | DB_LOCK, &d, NULL) || write(fds[1], "r", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(fds[1]);
	assert_int_equal(read(fds[0], &ready, 1), 1);
	*ret_fd = fds[0];
	return pid;
}

static void test_second_gateway(void **state)
{
	struct db *d = NULL;
	struct lock_info info;
	int status, fd;
	pid_t pid = open_in_child(&fd);
	CH_AUTO_STR char *who = ch_asprintf("pid %d on", pid);

	ASSERT_FAILS(db_open(scratch_db, DB_CREATE | DB_LOCK, &d, err), CH_E_BUSY, who);
	ASSERT_FAILS(db_open(scratch_db, DB_CREATE | DB_LOCK, &d, err), CH_E_BUSY, "CHELA_STATE_DIR");
	assert_null(d);
	ASSERT_OK(lock_holder(scratch_dir, &info, err));
	assert_int_equal(info.pid, pid);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	close(fd);
	ASSERT_FAILS(lock_holder(scratch_dir, &info, err), CH_E_NOT_FOUND, "no gateway");      /* its text is still there */
	ASSERT_OK(db_open(scratch_db, DB_CREATE | DB_LOCK, &d, err));
	db_close(d);
}

/* A killed gateway was about to start something, which still has the descriptor: the next one waits for its end. */
static void test_killed_while_starting_a_child(void **state)
{
	struct db *d = NULL;
	int fds[2], status;
	char ready;
	pid_t pid, orphan;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		if (db_open(scratch_db, DB_CREATE | DB_LOCK, &d, NULL))
			_exit(1);
		orphan = fork();
		if (orphan == 0) {
			usleep(200000);          /* the time that is waited for */
			_exit(0);
		}
		(void)!write(fds[1], "r", 1);
		for (;;)
			pause();
	}
	close(fds[1]);
	assert_int_equal(read(fds[0], &ready, 1), 1);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	ASSERT_OK(db_open(scratch_db, DB_CREATE | DB_LOCK, &d, err));
	db_close(d);
	close(fds[0]);
}

/* A failed start gives the lock back. */
static void test_failed_open_releases(void **state)
{
	FILE *f = fopen(scratch_db, "we");
	struct db *d = NULL;
	struct lock_info info;

	assert_true(fputs("certainly not a database, and longer than its header would be: one hundred bytes and more, "
			  "with nothing in it", f) > 0);
	fclose(f);
	ASSERT_FAILS(db_open(scratch_db, DB_CREATE | DB_LOCK, &d, err), CH_E_IO, "damaged");
	ASSERT_FAILS(lock_holder(scratch_dir, &info, err), CH_E_NOT_FOUND, "no gateway");
}

/* Whatever stands in the file, nobody is misled by more than its words. */
static void test_strange_text(void **state)
{
	CH_AUTO_STR char *path = ch_asprintf("%s/gateway.lock", scratch_dir);
	struct lock *lock, *second = NULL;
	struct lock_info info;
	FILE *f;

	ASSERT_OK(lock_take(scratch_dir, &lock, err));
	f = fopen(path, "we");
	fprintf(f, "pid x\nstarted\nhost %0300d\npid 7", 0);
	fclose(f);
	ASSERT_OK(lock_holder(scratch_dir, &info, err));
	assert_int_equal(info.pid, 0);
	assert_string_equal(info.started, "");
	assert_int_equal(strlen(info.host), sizeof(info.host) - 1);
	ASSERT_FAILS(lock_take(scratch_dir, &second, err), CH_E_BUSY, "another gateway");
	lock_release(lock);
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, scratch_make, scratch_remove)
	const struct CMUnitTest tests[] = {
		T(test_take_and_release),
		T(test_no_directory),
		T(test_second_gateway),
		T(test_killed_while_starting_a_child),
		T(test_failed_open_releases),
		T(test_strange_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
