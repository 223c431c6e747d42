/*
 * store/migrate: steps, what a failed one leaves, the backup, and the files of
 * every schema that was ever shipped.
 */
#include "scratch.h"

#include <fcntl.h>

#include "core/file.h"
#include "core/mem.h"
#include "core/str.h"
#include "sessions/input.h"
#include "store/migrate.h"

#define NEWEST ((int)db_migrations_count)
#define STEPS_MAX 32

/* The real steps and those of a future program. */
static const struct migration *with_future(const char *next, const char *after, size_t *ret_n)
{
	static struct migration steps[STEPS_MAX];
	size_t n = db_migrations_count;

	assert_true(n + 2 <= STEPS_MAX);
	for (size_t i = 0; i < n; i++)
		steps[i] = db_migrations[i];
	steps[n] = (struct migration){ NEWEST + 1, next };
	n++;
	if (after) {
		steps[n] = (struct migration){ NEWEST + 2, after };
		n++;
	}
	*ret_n = n;
	return steps;
}

/* "schema 3: " and the like. */
static const char *schema_words(const char *before, int version, const char *after)
{
	static char words[40];

	snprintf(words, sizeof(words), "%s%d%s", before, version, after);
	return words;
}

static char *backup_of(int version)
{
	return ch_asprintf("%s.schema-%d.bak", scratch_db, version);
}

static void test_fresh_file(void **state)
{
	struct db *d;

	ASSERT_OK(db_open(scratch_db, DB_CREATE, &d, err));
	assert_int_equal(db_schema_version(d), NEWEST);
	assert_int_equal(scratch_int(d, "SELECT count(*) FROM migrations"), db_migrations_count);
	assert_null(migrate_newest_backup(scratch_db));          /* nothing to lose, nothing backed up */
	db_close(d);
}

static void test_steps(void **state)
{
	CH_AUTO_STR char *one = backup_of(NEWEST), *two = backup_of(NEWEST + 1);
	const struct migration *steps;
	struct db *d, *old;
	struct stat st;
	size_t n;

	ASSERT_OK(db_open(scratch_db, DB_CREATE, &d, err));
	ASSERT_OK(kv_put(d, "a", "1", err));
	steps = with_future("ALTER TABLE kv ADD COLUMN note TEXT; UPDATE kv SET note = 'n';", "CREATE TABLE more (x);", &n);
	ASSERT_OK(migrate_run(d, steps, n, err));
	assert_int_equal(db_schema_version(d), NEWEST + 2);
	assert_int_equal(scratch_int(d, "SELECT count(*) FROM kv WHERE note = 'n'"), 1);
	assert_int_equal(scratch_int(d, "SELECT count(*) FROM migrations WHERE applied_at > 0"), NEWEST + 2);
	ASSERT_OK(migrate_run(d, steps, n, err));                /* again: nothing to do */
	assert_int_equal(stat(one, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_true(file_exists(two));
	db_close(d);
	ASSERT_FAILS(db_open(scratch_db, 0, &d, err), CH_E_UNSUPPORTED, "newer chela");
	ASSERT_FAILS(db_open(scratch_db, DB_READ_ONLY, &d, err), CH_E_UNSUPPORTED, schema_words("schema ", NEWEST + 2, ""));
	/* The way back that the text names: put the backup in the file's place. */
	assert_int_equal(rename(one, scratch_db), 0);
	ASSERT_OK(db_open(scratch_db, 0, &old, err));
	assert_int_equal(db_schema_version(old), NEWEST);
	assert_int_equal(scratch_int(old, "SELECT count(*) FROM kv WHERE name = 'a' AND value = '1'"), 1);
	ASSERT_OK(db_check(old, err));
	db_close(old);
}

static void test_failed_step_leaves_the_old(void **state)
{
	const struct migration *steps;
	struct db *d;
	size_t n;

	ASSERT_OK(db_open(scratch_db, DB_CREATE, &d, err));
	ASSERT_OK(kv_put(d, "a", "1", err));
	steps = with_future("CREATE TABLE more (x); INSERT INTO more VALUES (1); INSERT INTO nowhere VALUES (1);", NULL, &n);
	ASSERT_FAILS(migrate_run(d, steps, n, err), CH_E_BUG, schema_words("schema ", NEWEST + 1, ": "));
	assert_int_equal(db_schema_version(d), NEWEST);
	assert_int_equal(scratch_int(d, "SELECT count(*) FROM sqlite_master WHERE name = 'more'"), 0);
	/* The first of two holds when the second fails. */
	steps = with_future("CREATE TABLE more (x);", "INSERT INTO nowhere VALUES (1);", &n);
	ASSERT_FAILS(migrate_run(d, steps, n, err), CH_E_BUG, schema_words("schema ", NEWEST + 2, ": "));
	assert_int_equal(db_schema_version(d), NEWEST + 1);
	db_close(d);
}

static void test_every_fault_in_a_step(void **state)
{
	const struct migration *steps;
	struct db *d;
	size_t n;
	int fault = 1;

	ASSERT_OK(db_open(scratch_db, DB_CREATE, &d, err));
	steps = with_future("CREATE TABLE more (x);", NULL, &n);
	for (;; fault++) {
		db_fail_nth(d, fault);
		if (!migrate_run(d, steps, n, NULL))
			break;
		assert_int_equal(db_schema_version(d), NEWEST);
		assert_int_equal(db_tx_depth(d), 0);
	}
	db_fail_nth(d, 0);
	assert_int_equal(fault, 5);              /* the SQL, the row, the version, the commit */
	assert_int_equal(db_schema_version(d), NEWEST + 1);
	db_close(d);
}

/* Without its backup no step is taken. */
static void test_no_backup_no_step(void **state)
{
	CH_AUTO_STR char *one = backup_of(NEWEST);
	const struct migration *steps;
	struct db *d;
	size_t n;

	ASSERT_OK(db_open(scratch_db, DB_CREATE, &d, err));
	assert_int_equal(mkdir(one, 0700), 0);   /* a name that a file cannot take */
	steps = with_future("CREATE TABLE more (x);", NULL, &n);
	ASSERT_FAILS(migrate_run(d, steps, n, err), CH_E_IO, schema_words(".schema-", NEWEST, ".bak"));
	assert_int_equal(db_schema_version(d), NEWEST);
	db_close(d);
}

/* ---- what was shipped ---- */

static void copy_fixture(int version)
{
	CH_AUTO_STR char *from = ch_asprintf("%s/db/schema-%d.sqlite", TEST_FIXTURES, version);
	CH_AUTO_BUF struct buf bytes = { 0 };

	ASSERT_OK(file_read(from, 16 << 20, &bytes, err));
	ASSERT_OK(file_write_atomic(scratch_db, bytes.data, bytes.len, 0600, err));
}

static bool count_input(void *arg, const struct input_row *in)
{
	assert_string_equal(in->run_id, "r1");
	assert_int_equal(in->state, INPUT_INTERRUPTED);
	++*(int *)arg;
	return true;
}

/* What make_db_fixture.c put in must be found, and usable, whatever schema wrote it. */
static void check_fixture(struct db *d)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct sess_store *store = sess_store_new(d);
	struct sess *s;
	int64_t messages;
	int inputs = 0;
	char *value;

	ASSERT_OK(db_check(d, err));
	ASSERT_OK(sess_find(store, "agent:main:main", &s, err));
	assert_string_equal(s->label, "The fixture");
	ASSERT_OK(tr_count(store, s->session_id, &messages, err));
	assert_int_equal(messages, 1);
	assert_int_equal(scratch_int(d, "SELECT count(*) FROM transcript_fts WHERE transcript_fts MATCH 'long ago'"), 2);
	ASSERT_OK(input_recover(store, count_input, &inputs, err));
	assert_int_equal(inputs, 1);
	ASSERT_OK(tr_count(store, s->session_id, &messages, err));
	assert_int_equal(messages, 3);
	assert_int_equal(scratch_int(d, "SELECT count(*) FROM device_tokens JOIN devices USING (device_id) "
				     "WHERE token_hash = 't1'"), 1);
	assert_int_equal(scratch_int(d, "SELECT count(*) FROM pair_requests WHERE request_id = 'p1'"), 1);
	assert_int_equal(scratch_int(d, "SELECT sum(input_tokens) FROM ledger"), 7);
	ASSERT_OK(kv_get(d, a, "fixture", &value, err));
	assert_string_equal(value, "yes");
	sess_unref(s);
	sess_store_free(store);
}

static void test_every_shipped_schema(void **state)
{
	for (int version = 1; version <= NEWEST; version++) {
		struct db *d;

		copy_fixture(version);
		ASSERT_OK(db_open(scratch_db, 0, &d, err));
		assert_int_equal(db_schema_version(d), NEWEST);
		check_fixture(d);
		db_close(d);
	}
}

/* The steps lead to the same tables, whether a file took them one by one or all at once. */
static void test_same_schema_from_everywhere(void **state)
{
	static const char schema[] = "SELECT count(*) FROM sqlite_master m WHERE NOT EXISTS (SELECT 1 FROM f.sqlite_master n "
				     "WHERE n.type = m.type AND n.name = m.name AND n.sql IS m.sql)";
	CH_AUTO_STR char *attach = ch_asprintf("ATTACH '%s' AS f", scratch_db);
	struct db *fresh, *migrated;

	for (int version = 1; version <= NEWEST; version++) {
		copy_fixture(version);
		ASSERT_OK(db_open(scratch_db, 0, &migrated, err));
		db_close(migrated);
		ASSERT_OK(db_open(":memory:", DB_CREATE, &fresh, err));
		ASSERT_OK(db_exec(fresh, attach, err));
		if (scratch_int(fresh, schema) || scratch_int(fresh, "SELECT (SELECT count(*) FROM sqlite_master) <> "
							      "(SELECT count(*) FROM f.sqlite_master)"))
			fail_msg("a file of schema %d ends up with other tables than a fresh one. Shipped steps never change: "
				 "add one. Only while schema %d is unreleased: remove its fixture and make it again with "
				 "scripts/make-db-fixture.sh", version, version);
		db_close(fresh);
	}
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, scratch_make, scratch_remove)
	const struct CMUnitTest tests[] = {
		T(test_fresh_file),
		T(test_steps),
		T(test_failed_step_leaves_the_old),
		T(test_every_fault_in_a_step),
		T(test_no_backup_no_step),
		T(test_every_shipped_schema),
		T(test_same_schema_from_everywhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
