/*
 * Killed at any moment: what was acknowledged is there, once, and the file is sound.
 *
 * A child takes turns in a session as the agent does, and tells each thing
 * through a pipe only after it was committed. The parent kills it after some
 * number of such words, so anywhere in the next steps, looks the file over,
 * recovers as a start does, and goes on with the same file.
 */
#include "../store/scratch.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

#include "core/map.h"
#include "core/mem.h"
#include "core/rand.h"
#include "core/str.h"
#include "sessions/input.h"

#define ROUNDS 50
#define WORDS_MAX 40                             /* of a round, before the kill */

/* A word: the idempotency key of what is now stored, or a run id; ended by a newline. */
static void tell(int fd, const char *word)
{
	CH_AUTO_STR char *line = ch_asprintf("%s\n", word);
	size_t n = strlen(line);

	if (write(fd, line, n) != (ssize_t)n)
		_exit(7);
}

/* ---- the child ---- */

static ch_status say(struct sess *s, const char *run, int64_t epoch, const char *role, const char *key, struct arena *a,
		     int fd)
{
	CH_AUTO_STR char *message = ch_asprintf("{\"role\":\"%s\",\"stopReason\":\"stop\",\"content\":\"words of %s\"}", role,
						key);
	struct tr_entry e = {
		.type = "message", .role = role, .run_id = str_eq(role, "user") ? NULL : run, .idempotency_key = key,
		.message = message, .search_text = message,
	};
	ch_status st = tr_append(s, run, epoch, &e, a, NULL);

	if (!st)
		tell(fd, key);
	return st;
}

static ch_status take_turn(struct sess *s, const char *run, struct arena *a, int fd)
{
	struct input_row in = { .run_id = run, .message = "{\"role\":\"user\",\"content\":\"words\"}" };
	int64_t epoch;
	ch_status st = input_accept(s, &in, a, NULL, NULL);

	if (st)
		return st;
	tell(fd, arena_printf(a, "%s:user", run));       /* acknowledged: the history must have it from now on */
	st = input_start(s->store, s->key, run, NULL);
	if (!st)
		st = tr_claim(s, run, &epoch, NULL);
	sess_set_str(s, &s->status, "running");
	if (!st)
		st = sess_save(s, NULL);
	if (!st)
		st = say(s, run, epoch, "user", arena_printf(a, "%s:user", run), a, fd);
	if (!st)
		st = say(s, run, epoch, "assistant", arena_printf(a, "%s:reply", run), a, fd);
	if (!st)
		st = input_end(s->store, s->key, run, INPUT_DONE, NULL, NULL, NULL);
	sess_set_str(s, &s->status, "done");
	if (!st)
		st = sess_save(s, NULL);
	return st;
}

static CH_NORETURN void live(int round, int fd)
{
	struct arena *a = arena_new(0);
	struct sess_store *store;
	struct sess *s[2];
	struct db *db;

	if (db_open(scratch_db, DB_CREATE | DB_LOCK, &db, NULL))
		_exit(3);
	store = sess_store_new(db);
	if (input_recover(store, NULL, NULL, NULL))
		_exit(4);
	for (int i = 0; i < 2; i++) {
		struct sess_key key;

		if (sess_key_parse(a, i ? "one" : "two", "main", &key, NULL) ||
		    sess_open(store, &key, "operator", &s[i], NULL, NULL))
			_exit(5);
	}
	for (int turn = 0;; turn++) {
		if (take_turn(s[turn % 2], arena_printf(a, "r%d-%d", round, turn), a, fd))
			_exit(6);
	}
}

/* ---- the parent ---- */

/* Reads words until `count` of them were heard, kills, and reads the rest. */
static void listen_and_kill(pid_t pid, int fd, size_t count, struct map *heard)
{
	FILE *words = fdopen(fd, "r");
	char line[80];
	size_t n = 0;
	int status;

	assert_non_null(words);
	if (count == 0)
		kill(pid, SIGKILL);
	while (fgets(line, sizeof(line), words)) {
		if (!strchr(line, '\n'))
			break;                   /* cut by the kill */
		line[strcspn(line, "\n")] = '\0';
		map_put(heard, line, heard);
		if (++n == count)
			kill(pid, SIGKILL);
	}
	fclose(words);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL)
		fail_msg("the child ended by itself, status %d", status);
}

/* Every word heard is one row, and no key is there twice. */
static void check_heard(struct db *db, const struct map *heard)
{
	size_t cursor = 0;
	const char *key;

	while (map_each(heard, &cursor, &key, NULL)) {
		CH_AUTO(db_done) struct db_stmt *s = NULL;
		bool row;

		ASSERT_OK(db_prep(db, "SELECT count(*) FROM transcript WHERE idempotency_key = ?1", &s, err));
		db_bind_text(s, 1, key);
		ASSERT_OK(db_step(s, &row, err));
		if (db_int(s, 0) != 1)
			fail_msg("'%s' was acknowledged and is there %d times", key, (int)db_int(s, 0));
	}
}

static void check_file(struct map *heard)
{
	struct sess_store *store;
	struct db *db;

	ASSERT_OK(db_open(scratch_db, DB_CREATE | DB_LOCK, &db, err));
	ASSERT_OK(db_check(db, err));
	store = sess_store_new(db);
	ASSERT_OK(input_recover(store, NULL, NULL, err));
	check_heard(db, heard);
	assert_int_equal(scratch_int(db, "SELECT count(*) FROM inputs WHERE ended_at = 0"), 0);
	assert_int_equal(scratch_int(db, "SELECT count(*) FROM sessions WHERE status = 'running'"), 0);
	/* Dense: as many rows as the highest number says, of both numbers. */
	assert_int_equal(scratch_int(db, "SELECT count(*) FROM (SELECT 1 FROM transcript GROUP BY session_id "
				     "HAVING count(*) <> max(raw_seq) OR count(seq) <> max(seq))"), 0);
	/* A reply and an interruption exclude each other, and each input has one of them. */
	assert_int_equal(scratch_int(db, "SELECT count(*) FROM inputs i WHERE 1 <> (SELECT count(*) FROM transcript t WHERE "
				     "t.idempotency_key IN (i.run_id || ':reply', i.run_id || ':interrupted'))"), 0);
	assert_int_equal(scratch_int(db, "SELECT count(*) FROM inputs i WHERE 1 <> (SELECT count(*) FROM transcript t WHERE "
				     "t.idempotency_key = i.run_id || ':user')"), 0);
	sess_store_free(store);
	db_close(db);
}

static void test_kill_anywhere(void **state)
{
	CH_AUTO(map_free) struct map *heard = map_new();

	for (int round = 0; round < ROUNDS; round++) {
		int fds[2];
		pid_t pid;

		assert_int_equal(pipe(fds), 0);
		pid = fork();
		if (pid == 0) {
			close(fds[0]);
			live(round, fds[1]);
		}
		close(fds[1]);
		listen_and_kill(pid, fds[0], rand_below(WORDS_MAX), heard);
		check_file(heard);
	}
	assert_true(map_len(heard) > ROUNDS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_kill_anywhere, scratch_make, scratch_remove),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
