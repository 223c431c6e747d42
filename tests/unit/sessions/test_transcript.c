/*
 * sessions/transcript: numbers, ranges, the writer's lease, what appears once.
 */
#include "sessions_fixture.h"

#include "core/mem.h"
#include "sessions/transcript.h"

/* Appends a message whose JSON is text, and gives it back as stored. */
static struct tr_entry add(struct sess *s, const char *role, const char *text)
{
	struct tr_entry e = { .type = role ? "message" : "model_change", .role = role, .message = text };

	ASSERT_OK(tr_append(s, NULL, 0, &e, arena, err));
	return e;
}

static bool add_text(void *arg, const struct tr_entry *e)
{
	struct buf *out = arg;

	buf_printf(out, "%s%s", out->len ? " " : "", e->message);
	return true;
}

static void check_read(struct sess *s, struct tr_range range, const char *expected)
{
	CH_AUTO_BUF struct buf out = { 0 };

	buf_init(&out, 1 << 20);
	ASSERT_OK(tr_read(store, s->session_id, &range, add_text, &out, err));
	assert_string_equal(buf_str(&out), expected);
}

static void test_entry_round_trip(void **state)
{
	struct sess *s = session("main");
	struct tr_entry in = {
		.type = "message", .role = "assistant", .run_id = "run", .idempotency_key = "run:1",
		.message = "{\"content\":\"hi\"}", .message_len = 16, .meta = "{\"a\":1}", .search_text = "hi",
		.created_at = 77,
	}, out;

	ASSERT_OK(tr_append(s, NULL, 0, &in, arena, err));
	assert_int_equal(strlen(in.id), 36);
	assert_int_equal(in.raw_seq, 1);
	assert_int_equal(in.seq, 1);
	assert_string_equal(in.session_id, s->session_id);
	ASSERT_OK(tr_find(store, s->session_id, in.id, arena, &out, err));
	assert_string_equal(out.id, in.id);
	assert_string_equal(out.type, "message");
	assert_string_equal(out.role, "assistant");
	assert_string_equal(out.run_id, "run");
	assert_string_equal(out.idempotency_key, "run:1");
	assert_string_equal(out.message, "{\"content\":\"hi\"}");
	assert_int_equal(out.message_len, 16);
	assert_string_equal(out.meta, "{\"a\":1}");
	assert_int_equal(out.created_at, 77);
	assert_int_equal(out.raw_seq, 1);
	assert_int_equal(out.seq, 1);
	assert_string_equal(out.session_id, s->session_id);
	ASSERT_FAILS(tr_find(store, s->session_id, "other", arena, &out, err), CH_E_NOT_FOUND, "other");
	ASSERT_FAILS(tr_find(store, "elsewhere", in.id, arena, &out, err), CH_E_NOT_FOUND, in.id);
	sess_unref(s);
}

static void test_numbers(void **state)
{
	struct sess *s = session("main");
	struct tr_entry e;
	struct tr_stat stat;
	int64_t n;

	clock_fake(1000, T0 + 9);
	add(s, "user", "1");
	e = add(s, NULL, "hidden");
	assert_int_equal(e.raw_seq, 2);
	assert_int_equal(e.seq, 0);
	assert_int_equal(e.created_at, T0 + 9);
	e = add(s, "assistant", "2");
	assert_int_equal(e.raw_seq, 3);
	assert_int_equal(e.seq, 2);
	assert_int_equal(s->updated_at, T0 + 9);
	assert_int_equal(scratch_int(db, "SELECT updated_at FROM sessions"), T0 + 9);
	ASSERT_OK(tr_count(store, s->session_id, &n, err));
	assert_int_equal(n, 2);
	ASSERT_OK(tr_stat(store, s->session_id, &stat, err));
	assert_int_equal(stat.last_raw_seq, 3);
	assert_int_equal(stat.reset_seq, 0);
	ASSERT_OK(sess_reset(s, NULL, err));
	ASSERT_OK(tr_stat(store, s->session_id, &stat, err));
	assert_int_equal(stat.reset_seq, 3);
	assert_int_equal(stat.reset_raw_seq, 4);
	ASSERT_OK(tr_stat(store, "no such window", &stat, err));
	assert_int_equal(stat.last_raw_seq, 0);
	ASSERT_OK(tr_count(store, "no such window", &n, err));
	assert_int_equal(n, 0);
	sess_unref(s);
}

static void test_ranges(void **state)
{
	struct sess *s = session("main");

	check_read(s, (struct tr_range){ 0 }, "");
	add(s, "user", "a");                     /* seq 1 raw 1 */
	add(s, NULL, "x");                       /*       raw 2 */
	add(s, "assistant", "b");                /* seq 2 raw 3 */
	add(s, "user", "c");                     /* seq 3 raw 4 */
	add(s, NULL, "y");                       /*       raw 5 */
	add(s, "assistant", "d");                /* seq 4 raw 6 */
	check_read(s, (struct tr_range){ 0 }, "a b c d");
	check_read(s, (struct tr_range){ .limit = 2 }, "c d");
	check_read(s, (struct tr_range){ .limit = 4 }, "a b c d");
	check_read(s, (struct tr_range){ .limit = SIZE_MAX }, "a b c d");
	check_read(s, (struct tr_range){ .before_seq = 3 }, "a b");
	check_read(s, (struct tr_range){ .before_seq = 3, .limit = 1 }, "b");
	check_read(s, (struct tr_range){ .before_seq = 1 }, "");
	check_read(s, (struct tr_range){ .before_seq = 100 }, "a b c d");
	check_read(s, (struct tr_range){ .after_seq = 2 }, "c d");
	check_read(s, (struct tr_range){ .after_seq = 2, .limit = 1 }, "d");
	check_read(s, (struct tr_range){ .after_seq = 4 }, "");
	check_read(s, (struct tr_range){ .after_seq = 400 }, "");
	check_read(s, (struct tr_range){ .after_seq = 1, .before_seq = 4 }, "b c");
	check_read(s, (struct tr_range){ .all_types = true }, "a x b c y d");
	check_read(s, (struct tr_range){ .all_types = true, .limit = 2 }, "y d");
	check_read(s, (struct tr_range){ .all_types = true, .before_seq = 3 }, "a x b");
	check_read(s, (struct tr_range){ .all_types = true, .after_seq = 3 }, "y d");
	check_read(s, (struct tr_range){ .all_types = true, .after_seq = 1, .before_seq = 4 }, "x b c y");
	check_read(s, (struct tr_range){ .all_types = true, .before_seq = 100, .after_seq = 3 }, "y d");
	check_read(s, (struct tr_range){ .all_types = true, .after_seq = 100 }, "");
	sess_unref(s);
}

static void test_ranges_and_resets(void **state)
{
	static const char divider[] = "{\"role\":\"system\",\"content\":[{\"type\":\"text\",\"text\":\"Reset\"}],"
				      "\"timestamp\":1800000000000}";
	struct sess *s = session("main");

	add(s, "user", "a");
	check_read(s, (struct tr_range){ .since_reset = true }, "a");
	check_read(s, (struct tr_range){ .from_reset = true }, "a");
	ASSERT_OK(sess_reset(s, NULL, err));
	add(s, "user", "b");
	ASSERT_OK(sess_reset(s, NULL, err));
	check_read(s, (struct tr_range){ .since_reset = true }, "");
	check_read(s, (struct tr_range){ .from_reset = true }, divider);
	add(s, NULL, "x");
	add(s, "user", "c");
	check_read(s, (struct tr_range){ .since_reset = true }, "c");
	check_read(s, (struct tr_range){ .since_reset = true, .all_types = true }, "x c");
	check_read(s, (struct tr_range){ .since_reset = true, .limit = 9 }, "c");
	check_read(s, (struct tr_range){ .from_reset = true }, arena_printf(arena, "%s c", divider));
	check_read(s, (struct tr_range){ .before_seq = 5 }, arena_printf(arena, "a %s b %s", divider, divider));
	sess_unref(s);
}

static void test_byte_limit(void **state)
{
	struct sess *s = session("main");

	add(s, "user", "aaaa");
	add(s, "user", "bbbb");
	add(s, NULL, "xx");
	add(s, "user", "cccccc");
	check_read(s, (struct tr_range){ .max_bytes = 100 }, "aaaa bbbb cccccc");
	check_read(s, (struct tr_range){ .max_bytes = 14 }, "aaaa bbbb cccccc");
	check_read(s, (struct tr_range){ .max_bytes = 13 }, "bbbb cccccc");
	check_read(s, (struct tr_range){ .max_bytes = 9 }, "cccccc");
	check_read(s, (struct tr_range){ .max_bytes = 1 }, "cccccc");      /* the newest always */
	check_read(s, (struct tr_range){ .max_bytes = 13, .limit = 1 }, "cccccc");
	check_read(s, (struct tr_range){ .max_bytes = 8, .all_types = true }, "xx cccccc");
	check_read(s, (struct tr_range){ .max_bytes = 5, .before_seq = 3 }, "bbbb");
	check_read(s, (struct tr_range){ .max_bytes = SIZE_MAX }, "aaaa bbbb cccccc");
	sess_unref(s);
}

static bool stop_at_two(void *arg, const struct tr_entry *e)
{
	return ++*(int *)arg < 2;
}

static void test_caller_stops(void **state)
{
	struct sess *s = session("main");
	int seen = 0;

	for (int i = 0; i < 5; i++)
		add(s, "user", "m");
	ASSERT_OK(tr_read(store, s->session_id, &(struct tr_range){ 0 }, stop_at_two, &seen, err));
	assert_int_equal(seen, 2);
	db_assert_idle();
	sess_unref(s);
}

static void test_once(void **state)
{
	struct sess *s = session("main"), *other = session("other");
	struct tr_entry first = { .type = "message", .role = "user", .message = "1", .idempotency_key = "k" };
	struct tr_entry again = { .type = "message", .role = "user", .message = "2", .idempotency_key = "k" };
	struct tr_entry elsewhere = { .type = "message", .role = "user", .message = "3", .idempotency_key = "k" };

	ASSERT_OK(tr_append(s, NULL, 0, &first, arena, err));
	ASSERT_FAILS(tr_append(s, NULL, 0, &again, arena, err), CH_E_EXISTS, "k");
	assert_string_equal(again.id, first.id);
	assert_string_equal(again.message, "1");
	assert_int_equal(again.seq, 1);
	/* Also for a writer that has lost its lease: what it wrote is there. */
	ASSERT_FAILS(tr_append(s, "gone", 3, &again, arena, err), CH_E_EXISTS, "k");
	ASSERT_OK(tr_append(other, NULL, 0, &elsewhere, arena, err));
	check_read(s, (struct tr_range){ 0 }, "1");
	sess_unref(other);
	sess_unref(s);
}

static ch_status write_as(struct sess *s, const char *run, int64_t epoch, struct ch_err *err)
{
	struct tr_entry e = { .type = "message", .role = "assistant", .message = run };

	return tr_append(s, run, epoch, &e, arena, err);
}

static void test_lease(void **state)
{
	struct sess *s = session("main");
	int64_t one, two, three;

	ASSERT_FAILS(write_as(s, "r1", 0, err), CH_E_CONFLICT, "another run");
	ASSERT_OK(tr_claim(s, "r1", &one, err));
	ASSERT_OK(write_as(s, "r1", one, err));
	ASSERT_OK(tr_claim(s, "r2", &two, err));
	assert_true(two > one);
	ASSERT_FAILS(write_as(s, "r1", one, err), CH_E_CONFLICT, "another run");
	ASSERT_FAILS(write_as(s, "r1", two, err), CH_E_CONFLICT, "another run");
	ASSERT_OK(write_as(s, "r2", two, err));
	ASSERT_OK(tr_claim(s, "r2", &three, err));       /* the same run, claimed again: the old lease is void */
	ASSERT_FAILS(write_as(s, "r2", two, err), CH_E_CONFLICT, "another run");
	add(s, "custom", "note");                        /* not a run: always */
	ASSERT_OK(write_as(s, "r2", three, err));
	ASSERT_OK(sess_rotate(s, "new", err));
	ASSERT_FAILS(write_as(s, "r2", three, err), CH_E_CONFLICT, "another run");
	check_read(s, (struct tr_range){ 0 }, "");
	ASSERT_OK(sess_delete(s, err));
	ASSERT_FAILS(tr_claim(s, "r3", &one, err), CH_E_NOT_FOUND, "no session");
	ASSERT_FAILS(write_as(s, NULL, 0, err), CH_E_CONFLICT, "deleted");
	sess_unref(s);
}

static void test_too_large(void **state)
{
	struct sess *s = session("main");
	size_t size = TR_MESSAGE_MAX + 1;
	CH_AUTO_STR char *big = ch_alloc(size + 1);
	struct tr_entry e = { .type = "message", .role = "user", .message = big };

	memset(big, 'x', size);
	ASSERT_FAILS(tr_append(s, NULL, 0, &e, arena, err), CH_E_LIMIT, "at most 8388608");
	big[size - 1] = '\0';
	ASSERT_OK(tr_append(s, NULL, 0, &e, arena, err));
	assert_int_equal(e.message_len, TR_MESSAGE_MAX);
	sess_unref(s);
}

/* Every write of an append that fails leaves neither row nor number behind. */
static void test_append_fails_whole(void **state)
{
	struct sess *s = session("main");
	int n = 1;

	clock_fake(1000, T0 + 50);
	for (;; n++) {
		struct tr_entry e = { .type = "message", .role = "user", .message = "m", .search_text = "m" };
		ch_status st;

		db_fail_nth(db, n);
		st = tr_append(s, NULL, 0, &e, arena, NULL);
		if (!st)
			break;
		assert_int_equal(st, CH_E_IO);
		assert_int_equal(s->updated_at, T0);
		assert_int_equal(db_tx_depth(db), 0);
		assert_int_equal(scratch_int(db, "SELECT count(*) FROM transcript"), 0);
		assert_int_equal(scratch_int(db, "SELECT updated_at FROM sessions"), T0);
	}
	db_fail_nth(db, 0);
	assert_int_equal(n, 4);
	check_read(s, (struct tr_range){ 0 }, "m");
	sess_unref(s);
}

static void test_search_text_is_indexed(void **state)
{
	struct sess *s = session("main");
	struct tr_entry e = { .type = "message", .role = "user", .message = "{}", .search_text = "Caf\xc3\xa9 at noon" };

	ASSERT_OK(tr_append(s, NULL, 0, &e, arena, err));
	add(s, "user", "{}");
	assert_int_equal(scratch_int(db, "SELECT t.seq FROM transcript_fts f JOIN transcript t ON t.row = f.rowid "
				     "WHERE transcript_fts MATCH 'cafe'"), 1);
	ASSERT_OK(db_check(db, err));
	sess_unref(s);
}

/* Each lookup goes by an index, or a long history would be slow. */
static void test_plans(void **state)
{
	static const char *const rows[] = {
		"SELECT id FROM transcript WHERE session_id = ?1 AND seq >= ?2 AND seq <= ?3 ORDER BY seq DESC",
		"SELECT id FROM transcript WHERE session_id = ?1 AND raw_seq >= ?2 AND raw_seq <= ?3 ORDER BY raw_seq",
		"SELECT id FROM transcript WHERE session_id = ?1 AND idempotency_key = ?2",
		"SELECT max(seq) FROM transcript WHERE session_id = ?1 AND seq IS NOT NULL",
		"SELECT max(raw_seq) FROM transcript WHERE session_id = ?1 AND type = 'reset'",
		"SELECT id FROM transcript WHERE session_id = ?1 AND type = 'compaction' AND raw_seq > 3 ORDER BY raw_seq DESC",
		"SELECT id FROM transcript WHERE session_id = ?1 AND role IS NULL AND type = ?2 AND raw_seq > 3 ORDER BY raw_seq",
		"SELECT id FROM inputs WHERE session_key = ?1 AND ended_at = 0 AND state = 'queued' ORDER BY id",
		"SELECT id FROM inputs WHERE run_id = ?1 ORDER BY id DESC LIMIT 1",
	};

	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		CH_AUTO(db_done) struct db_stmt *s = NULL;
		bool row;

		ASSERT_OK(db_prep(db, arena_printf(arena, "EXPLAIN QUERY PLAN %s", rows[i]), &s, err));
		for (;;) {
			ASSERT_OK(db_step(s, &row, err));
			if (!row)
				break;
			if (str_starts(db_text(s, 3), "SCAN") || strstr(db_text(s, 3), "TEMP B-TREE"))
				fail_msg("%s: %s", rows[i], db_text(s, 3));
		}
	}
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_entry_round_trip),
		T(test_numbers),
		T(test_ranges),
		T(test_ranges_and_resets),
		T(test_byte_limit),
		T(test_caller_stops),
		T(test_once),
		T(test_lease),
		T(test_too_large),
		T(test_append_fails_whole),
		T(test_search_text_is_indexed),
		T(test_plans),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
