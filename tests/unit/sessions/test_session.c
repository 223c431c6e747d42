/*
 * sessions/session: one object per key, what is stored, listing, reset and rotation.
 */
#include "sessions_fixture.h"

#include "core/mem.h"
#include "sessions/transcript.h"

static void test_open_find(void **state)
{
	struct sess_key key;
	struct sess *a, *b, *none = NULL;
	bool created;

	ASSERT_OK(sess_key_parse(arena, "main", "main", &key, err));
	ASSERT_FAILS(sess_find(store, key.key, &none, err), CH_E_NOT_FOUND, "agent:main:main");
	assert_null(none);
	ASSERT_OK(sess_open(store, &key, "operator", &a, &created, err));
	assert_true(created);
	assert_string_equal(a->key, "agent:main:main");
	assert_string_equal(a->agent_id, "main");
	assert_string_equal(a->created_via, "operator");
	assert_int_equal(strlen(a->session_id), 36);
	assert_int_equal(a->created_at, T0);
	assert_int_equal(a->updated_at, T0);
	assert_null(a->label);
	ASSERT_OK(sess_open(store, &key, "channel", &b, &created, err));
	assert_false(created);
	assert_ptr_equal(a, b);
	sess_unref(b);
	sess_unref(a);
	sess_unref(NULL);
	ASSERT_OK(sess_find(store, key.key, &b, err));
	assert_string_equal(b->created_via, "operator");
	sess_unref(b);
}

/* Every field of both maps, written and read by a store that never saw the object. */
static void test_every_field_is_stored(void **state)
{
	struct sess_store *other = sess_store_new(db);
	struct sess *s = session("all"), *read;
	int64_t n = 1;

#define X(name) sess_set_str(s, &s->name, "value of " #name);
	SESS_STR_MAP(X)
#undef X
#define X(name) s->name = ++n;
	SESS_INT_MAP(X)
#undef X
	s->cost_usd = 0.25;
	ASSERT_OK(sess_save(s, err));
	ASSERT_OK(sess_find(other, s->key, &read, err));
	n = 1;
#define X(name) assert_string_equal(read->name, "value of " #name);
	SESS_STR_MAP(X)
#undef X
#define X(name) assert_int_equal(read->name, ++n);
	SESS_INT_MAP(X)
#undef X
	assert_true(read->cost_usd == 0.25);
	sess_set_str(read, &read->label, NULL);
	ASSERT_OK(sess_save(read, err));
	ASSERT_OK(sess_reload(s, err));
	assert_null(s->label);
	assert_string_equal(s->icon, "value of icon");
	sess_unref(read);
	sess_store_free(other);
	sess_unref(s);
}

static void test_failed_save_takes_back(void **state)
{
	struct sess *s = session("one");

	sess_set_str(s, &s->label, "kept");
	ASSERT_OK(sess_save(s, err));
	sess_set_str(s, &s->label, "lost");
	s->last_read_at = 1;
	db_fail_nth(db, 1);
	ASSERT_FAILS(sess_save(s, err), CH_E_IO, "injected");
	assert_string_equal(s->label, "kept");
	assert_int_equal(s->last_read_at, 0);
	sess_unref(s);
}

/* What a transaction did to objects goes with it. */
static void test_rollback(void **state)
{
	struct sess *held = session("held"), *made, *s = NULL;

	ASSERT_OK(db_begin(db, err));
	made = session("made");
	sess_unref(session("made idle"));
	sess_set_str(held, &held->label, "undone");
	ASSERT_OK(sess_save(held, err));
	db_rollback(db);
	ASSERT_FAILS(sess_find(store, "agent:main:made idle", &s, err), CH_E_NOT_FOUND, "made idle");
	assert_true(made->is_deleted);
	assert_null(held->label);
	ASSERT_FAILS(sess_find(store, made->key, &s, err), CH_E_NOT_FOUND, "made");
	sess_unref(made);
	made = session("made");
	assert_false(made->is_deleted);
	ASSERT_OK(db_begin(db, err));
	ASSERT_OK(sess_delete(made, err));
	db_rollback(db);
	s = session("made");                     /* it is there after all, as another object */
	assert_ptr_not_equal(s, made);
	assert_string_equal(s->session_id, made->session_id);
	sess_unref(s);
	sess_unref(made);
	sess_unref(held);
}

static void test_idle_objects_are_bounded(void **state)
{
	struct sess *held = session("held"), *s;
	int64_t before = scratch_int(db, "SELECT count(*) FROM sessions");

	sess_set_str(held, &held->icon, "unsaved");
	for (int i = 0; i < 300; i++)
		sess_unref(session(arena_printf(arena, "s%d", i)));
	assert_int_equal(scratch_int(db, "SELECT count(*) FROM sessions"), before + 300);
	ASSERT_OK(sess_find(store, "agent:main:held", &s, err));
	assert_ptr_equal(s, held);               /* never dropped while referenced */
	assert_string_equal(s->icon, "unsaved");
	sess_unref(s);
	sess_unref(session("s0"));               /* dropped, and found again */
	sess_unref(held);
}

static int64_t rows_of(const char *table)
{
	return scratch_int(db, arena_printf(arena, "SELECT count(*) FROM %s", table));
}

static void append(struct sess *s, const char *text)
{
	struct tr_entry e = {
		.type = "message", .role = "user", .message = arena_printf(arena, "{\"content\":\"%s\"}", text),
		.search_text = text,
	};

	ASSERT_OK(tr_append(s, NULL, 0, &e, arena, err));
}

static void test_delete(void **state)
{
	struct sess *s = session("gone"), *other = session("other"), *again;

	append(s, "hello");
	ASSERT_OK(sess_rotate(s, "new", err));
	append(s, "hello again");
	append(other, "stays");
	assert_int_equal(rows_of("session_windows"), 3);
	ASSERT_OK(sess_delete(s, err));
	assert_true(s->is_deleted);
	assert_int_equal(rows_of("sessions"), 1);
	assert_int_equal(rows_of("session_windows"), 1);
	assert_int_equal(rows_of("transcript"), 1);
	assert_int_equal(scratch_int(db, "SELECT count(*) FROM transcript_fts WHERE transcript_fts MATCH 'hello'"), 0);
	assert_int_equal(scratch_int(db, "SELECT count(*) FROM transcript_fts WHERE transcript_fts MATCH 'stays'"), 1);
	ASSERT_OK(db_check(db, err));
	ASSERT_FAILS(sess_save(s, err), CH_E_NOT_FOUND, "deleted");
	ASSERT_OK(sess_delete(s, err));          /* twice is fine */
	again = session("gone");
	assert_ptr_not_equal(again, s);
	assert_string_not_equal(again->session_id, s->session_id);
	sess_unref(again);
	sess_unref(other);
	sess_unref(s);
}

/* ---- reset and rotation ---- */

static void fill(struct sess *s)
{
	sess_set_str(s, &s->label, "Label");
	sess_set_str(s, &s->model, "m1");
	sess_set_str(s, &s->status, "done");
	sess_set_str(s, &s->last_preview, "bye");
	s->input_tokens = 10;
	s->total_tokens = 20;
	s->compaction_count = 2;
	s->cost_usd = 1.5;
	ASSERT_OK(sess_save(s, err));
}

static void check_zeroed(const struct sess *s, int64_t revision)
{
	assert_string_equal(s->label, "Label");
	assert_string_equal(s->model, "m1");
	assert_null(s->status);
	assert_null(s->last_preview);
	assert_int_equal(s->input_tokens, 0);
	assert_int_equal(s->total_tokens, 0);
	assert_int_equal(s->compaction_count, 0);
	assert_true(s->cost_usd == 0);
	assert_int_equal(s->lifecycle_revision, revision);
	assert_int_equal(s->session_started_at, T0 + 5);
}

static bool keep_entry(void *arg, const struct tr_entry *e)
{
	struct tr_entry *ret = arg;

	ret->type = arena_strdup(arena, e->type);
	ret->role = arena_strdup(arena, e->role);
	ret->message = arena_strdup(arena, e->message);
	ret->meta = arena_strdup(arena, e->meta);
	ret->seq = e->seq;
	return true;
}

static void test_reset(void **state)
{
	struct sess *s = session("r");
	const char *id = arena_strdup(arena, s->session_id);
	struct tr_entry divider = { 0 };
	int64_t epoch;

	append(s, "before");
	fill(s);
	assert_int_equal(s->lifecycle_revision, 1);
	ASSERT_OK(tr_claim(s, "run", &epoch, err));
	clock_fake(1000, T0 + 5);
	ASSERT_OK(sess_reset(s, "reset", err));
	assert_string_equal(s->session_id, id);
	check_zeroed(s, 2);
	ASSERT_OK(tr_read(store, id, &(struct tr_range){ .limit = 1 }, keep_entry, &divider, err));
	assert_string_equal(divider.type, "reset");
	assert_string_equal(divider.role, "system");
	assert_int_equal(divider.seq, 2);
	assert_string_equal(divider.message, "{\"role\":\"system\",\"content\":[{\"type\":\"text\",\"text\":\"Reset\"}],"
			    "\"timestamp\":1800000000005}");
	assert_string_equal(divider.meta, "{\"kind\":\"reset\",\"reason\":\"reset\"}");
	ASSERT_FAILS(tr_append(s, "run", epoch, &(struct tr_entry){ .type = "message", .role = "assistant" }, arena,
			       err), CH_E_CONFLICT, "another run");
	sess_unref(s);
}

static void test_rotate(void **state)
{
	struct sess *s = session("r");
	const char *id = arena_strdup(arena, s->session_id);
	int64_t n;

	append(s, "before");
	fill(s);
	clock_fake(1000, T0 + 5);
	ASSERT_OK(sess_rotate(s, "new", err));
	assert_string_not_equal(s->session_id, id);
	check_zeroed(s, 2);
	ASSERT_OK(tr_count(store, s->session_id, &n, err));
	assert_int_equal(n, 0);
	ASSERT_OK(tr_count(store, id, &n, err));
	assert_int_equal(n, 1);
	append(s, "after");
	ASSERT_OK(tr_count(store, s->session_id, &n, err));
	assert_int_equal(n, 1);
	assert_int_equal(scratch_int(db, "SELECT count(*) FROM session_windows WHERE closed_at = 1800000000005"), 1);
	sess_unref(s);
}

/* At every write that a reset or rotation makes, a failure leaves all as it was. */
static void test_reset_fails_whole(void **state)
{
	struct sess *s = session("r");
	const char *id = arena_strdup(arena, s->session_id);
	ch_status (*const changes[])(struct sess *, const char *, struct ch_err *) = { sess_reset, sess_rotate };

	append(s, "before");
	fill(s);
	for (size_t i = 0; i < CH_ARRAY_LEN(changes); i++) {
		for (int n = 1; n <= 4; n++) {
			db_fail_nth(db, n);
			ASSERT_FAILS(changes[i](s, "x", err), CH_E_IO, "injected");
			assert_string_equal(s->session_id, id);
			assert_int_equal(s->lifecycle_revision, 1);
			assert_int_equal(s->total_tokens, 20);
			assert_int_equal(rows_of("transcript"), 1);
			assert_int_equal(rows_of("session_windows"), 1);
		}
	}
	db_fail_nth(db, 0);
	sess_unref(s);
}

/* ---- listing ---- */

struct list {
	char text[512];
	size_t stop_after, count;
};

static bool add_key(void *arg, const struct sess *s)
{
	struct list *l = arg;
	size_t len = strlen(l->text);

	snprintf(l->text + len, sizeof(l->text) - len, "%s%s", len ? " " : "", strrchr(s->key, ':') + 1);
	return ++l->count != l->stop_after;
}

static void check_list(struct sess_query q, const char *expected, size_t expected_total)
{
	struct list l = { 0 };
	size_t total = 999;

	ASSERT_OK(sess_list(store, &q, &total, add_key, &l, err));
	assert_string_equal(l.text, expected);
	assert_int_equal(total, expected_total);
}

static void make_listed(const char *key, int64_t updated_at, const char *label, bool archived)
{
	struct sess *s = session(key);

	s->updated_at = updated_at;
	s->created_at = -updated_at;
	s->archived_at = archived ? T0 : 0;
	sess_set_str(s, &s->label, label);
	sess_set_str(s, &s->spawned_by, archived ? "agent:main:a" : NULL);
	ASSERT_OK(sess_save(s, err));
	sess_unref(s);
}

static void test_list(void **state)
{
	make_listed("a", 10, "Alpha 100%", false);
	make_listed("b", 30, "Beta_x", false);
	make_listed("c", 20, NULL, true);
	make_listed("agent:two:d", 40, "Alpha", false);
	make_listed("cron:e", 50, NULL, false);
	check_list((struct sess_query){ 0 }, "d b a", 3);
	check_list((struct sess_query){ .archived = -1 }, "d b c a", 4);
	check_list((struct sess_query){ .archived = 1 }, "c", 1);
	check_list((struct sess_query){ .include_background = true }, "e d b a", 4);
	check_list((struct sess_query){ .order = SESS_BY_CREATION }, "a b d", 3);
	check_list((struct sess_query){ .agent_id = "two" }, "d", 1);
	check_list((struct sess_query){ .agent_id = "three" }, "", 0);
	check_list((struct sess_query){ .label = "Alpha" }, "d", 1);
	check_list((struct sess_query){ .search = "ALPHA" }, "d a", 2);
	check_list((struct sess_query){ .search = "%" }, "a", 1);
	check_list((struct sess_query){ .search = "_" }, "b", 1);
	check_list((struct sess_query){ .search = "agent:main" }, "b a", 2);
	check_list((struct sess_query){ .search = "'; DROP TABLE sessions" }, "", 0);
	check_list((struct sess_query){ .spawned_by = "agent:main:a", .archived = -1 }, "c", 1);
	check_list((struct sess_query){ .active_since_ms = 30 }, "d b", 2);
	check_list((struct sess_query){ .agents = "[\"two\",\"three\"]" }, "d", 1);
	check_list((struct sess_query){ .include_background = true, .without_cron = true }, "d b a", 3);
	check_list((struct sess_query){ .nothing = true, .archived = -1 }, "", 0);
	check_list((struct sess_query){ .group = "" , .pinned = -1 }, "d b a", 3);
	check_list((struct sess_query){ .group = "x" }, "", 0);
	check_list((struct sess_query){ .pinned = 1 }, "", 0);
	check_list((struct sess_query){ .owned = true }, "", 0);
	check_list((struct sess_query){ .involving = "p" }, "", 0);
	check_list((struct sess_query){ .interacted = true }, "", 0);
	check_list((struct sess_query){ .busy = true }, "", 0);
	check_list((struct sess_query){ .order = SESS_BY_PLACE, .without_global = true, .without_unknown = true }, "d b a", 3);
	check_list((struct sess_query){ .order = SESS_BY_ACTIVITY, .owner_first = true, .without_system = true,
					.without_subagents = true }, "d b a", 3);
	check_list((struct sess_query){ .order = SESS_BY_INTERACTION, .limit = 1 }, "a", 3);
	check_list((struct sess_query){ .search = "a", .agent_id = "main", .active_since_ms = 15 }, "b", 1);
}

static void test_list_pages(void **state)
{
	struct list l = { .stop_after = 1 };
	size_t total;

	make_listed("a", 10, NULL, false);
	make_listed("b", 20, NULL, false);
	make_listed("c", 30, NULL, false);
	check_list((struct sess_query){ .limit = 2 }, "c b", 3);
	check_list((struct sess_query){ .limit = 2, .offset = 2 }, "a", 3);
	check_list((struct sess_query){ .limit = 3 }, "c b a", 3);
	check_list((struct sess_query){ .limit = 2, .offset = 3 }, "", 3);
	check_list((struct sess_query){ .limit = 2, .offset = 100 }, "", 3);
	ASSERT_OK(sess_list(store, &(struct sess_query){ 0 }, &total, add_key, &l, err));
	assert_string_equal(l.text, "c");        /* the caller said enough */
	assert_int_equal(total, 3);
}

/* A list within a list: the rows are streamed, and the statement is the same one. */
static bool list_again(void *arg, const struct sess *s)
{
	struct list l = { 0 };

	ASSERT_OK(sess_list(store, &(struct sess_query){ 0 }, NULL, add_key, &l, err));
	assert_string_equal(l.text, "b a");
	++*(int *)arg;
	return true;
}

static void test_list_nests(void **state)
{
	int seen = 0;

	make_listed("a", 10, NULL, false);
	make_listed("b", 20, NULL, false);
	ASSERT_OK(sess_list(store, &(struct sess_query){ 0 }, NULL, list_again, &seen, err));
	assert_int_equal(seen, 2);
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_open_find),
		T(test_every_field_is_stored),
		T(test_failed_save_takes_back),
		T(test_rollback),
		T(test_idle_objects_are_bounded),
		T(test_delete),
		T(test_reset),
		T(test_rotate),
		T(test_reset_fails_whole),
		T(test_list),
		T(test_list_pages),
		T(test_list_nests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
