/*
 * sessions/branch: rewinding, switching, forking; what is told of branches; nothing half done.
 */
#include "sessions_fixture.h"

#include "core/buf.h"
#include "sessions/branch.h"

static int64_t moment = T0;

/* One more entry; gives its id. */
static const char *add(struct sess *s, const char *role, const char *text)
{
	const char *message = arena_printf(arena, "{\"role\":\"%s\",\"content\":\"%s\"}", role, text);
	struct tr_entry e = { .type = "message", .role = role, .message = message, .message_len = strlen(message),
			      .search_text = text, .idempotency_key = arena_printf(arena, "%s:key", text), .created_at = ++moment };

	ASSERT_OK(tr_append(s, NULL, 0, &e, arena, err));
	return e.id;
}

static const char *talk(struct sess *s, const char *question, const char *answer, const char **ret_leaf)
{
	const char *id = add(s, "user", question), *leaf = add(s, "assistant", answer);

	if (ret_leaf)
		*ret_leaf = leaf;
	return id;
}

static bool add_text(void *arg, const struct tr_entry *e)
{
	const char *text = strstr(e->message, "content\":\"") + 10;

	buf_printf(arg, "%s%.*s", ((struct buf *)arg)->len ? " " : "", (int)strcspn(text, "\""), text);
	return true;
}

static void check_texts(struct sess *s, const char *expected)
{
	CH_AUTO_BUF struct buf out = { 0 };

	buf_init(&out, 4096);
	ASSERT_OK(tr_read(store, s->session_id, &(struct tr_range){ 0 }, add_text, &out, err));
	assert_string_equal(buf_str(&out), expected);
}

static void add_branch(void *arg, const struct branch *b)
{
	buf_printf(arg, "%s%s:%lld%s", ((struct buf *)arg)->len ? " " : "", b->headline, (long long)b->messages, b->is_active ? "*" : "");
}

static void check_branches(struct sess *s, const char *expected)
{
	CH_AUTO_BUF struct buf out = { 0 };

	buf_init(&out, 4096);
	ASSERT_OK(branches_each(s, add_branch, &out, err));
	assert_string_equal(buf_str(&out), expected);
}

static void test_rewind_and_switch(void **state)
{
	struct sess *s = session("main");
	struct tr_entry cut;
	const char *first_window = arena_strdup(arena, s->session_id), *leaf, *two;
	char now[BRANCH_ID_MAX];

	check_branches(s, "");
	ASSERT_OK(branch_leaf(store, s->session_id, now, err));
	assert_string_equal(now, "");
	talk(s, "one", "1", NULL);
	two = talk(s, "two", "2", &leaf);
	check_branches(s, "2:4*");
	sess_set_str(s, &s->label, "kept");
	s->total_tokens = 9;
	ASSERT_OK(sess_save(s, err));

	ASSERT_OK(branch_rewind(s, two, arena, &cut, err));
	assert_string_equal(cut.id, two);
	assert_string_not_equal(s->session_id, first_window);
	assert_string_equal(s->label, "kept");
	assert_int_equal(s->total_tokens, 0);
	check_texts(s, "one 1");
	check_branches(s, "2:4");                /* where we are is a part of it: no branch of its own */
	talk(s, "other", "3", NULL);
	check_texts(s, "one 1 other 3");
	check_branches(s, "3:4* 2:4");
	assert_int_equal(scratch_int(db, "SELECT count(*) FROM transcript WHERE search_text IS NOT NULL"), 6);

	ASSERT_FAILS(branch_switch(s, two, err), CH_E_INVALID, "not a branch tip");
	ASSERT_FAILS(branch_switch(s, "nobody", err), CH_E_INVALID, "not found: nobody");
	ASSERT_OK(branch_switch(s, leaf, err));
	assert_string_equal(s->session_id, first_window);
	check_texts(s, "one 1 two 2");
	ASSERT_FAILS(branch_switch(s, leaf, err), CH_E_INVALID, "already active");
	talk(s, "three", "4", NULL);
	check_branches(s, "4:6* 3:4");
	ASSERT_FAILS(branch_rewind(s, leaf, arena, &cut, err), CH_E_INVALID, "not a user message");
	ASSERT_FAILS(branch_rewind(s, "nobody", arena, &cut, err), CH_E_INVALID, "not found: nobody");
	sess_unref(s);
}

static void test_rewind_to_the_beginning(void **state)
{
	struct sess *s = session("main");
	struct tr_entry cut;
	const char *one = talk(s, "one", "1", NULL);

	ASSERT_OK(branch_rewind(s, one, arena, &cut, err));
	check_texts(s, "");
	check_branches(s, "1:2");
	talk(s, "again", "2", NULL);
	check_branches(s, "2:2* 1:2");
	/* A new conversation is no branch of the old one. */
	ASSERT_OK(sess_rotate(s, "new", err));
	check_branches(s, "");
	talk(s, "fresh", "3", NULL);
	check_branches(s, "3:2*");
	sess_unref(s);
}

static void test_headline(void **state)
{
	struct sess *s = session("main");
	char text[400];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	memcpy(text, "  a \\n\\t b", 10);
	talk(s, "one", text, NULL);
	add(s, "toolResult", "silent");
	{
		CH_AUTO_BUF struct buf out = { 0 };

		buf_init(&out, 4096);
		ASSERT_OK(branches_each(s, add_branch, &out, err));
		assert_true(str_starts(buf_str(&out), "a bxxx"));
		assert_true(str_ends(buf_str(&out), "xx\xe2\x80\xa6:3*"));
		assert_int_equal(out.len, 119 + 3 + strlen(":3*"));
	}
	sess_unref(s);
}

static void test_fork(void **state)
{
	struct sess *s = session("main"), *to = session("fork"), *rest = session("rest");
	struct tr_entry cut;
	const char *two;

	talk(s, "one", "1", NULL);
	two = talk(s, "two", "2", NULL);
	add(s, "user", "unanswered");
	ASSERT_OK(branch_fork(s, two, to, arena, &cut, err));
	assert_string_equal(cut.id, two);
	check_texts(to, "one 1");
	assert_non_null(strstr(to->fork_source, two));
	check_texts(s, "one 1 two 2 unanswered");
	talk(to, "own", "3", NULL);
	check_branches(to, "3:4*");
	ASSERT_OK(branch_fork(s, NULL, rest, arena, &cut, err));
	check_texts(rest, "one 1 two 2");
	ASSERT_OK(sess_delete(s, err));
	check_texts(to, "one 1 own 3");
	sess_unref(s);
	sess_unref(to);
	sess_unref(rest);
}

static void test_window_is_of(void **state)
{
	struct sess *a = session("a"), *b = session("b");
	bool is;

	ASSERT_OK(window_is_of(store, a->session_id, a->key, &is, err));
	assert_true(is);
	ASSERT_OK(window_is_of(store, a->session_id, b->key, &is, err));
	assert_false(is);
	sess_unref(a);
	sess_unref(b);
}

/* At every write, a failure leaves the session where it was, and one that follows works. */
static void test_fails_whole(void **state)
{
	struct sess *s = session("main"), *to = session("fork");
	const char *window = arena_strdup(arena, s->session_id), *two, *leaf;
	struct tr_entry cut;

	talk(s, "one", "1", NULL);
	two = talk(s, "two", "2", &leaf);
	for (int n = 1; n <= 5; n++) {
		db_fail_nth(db, n);
		ASSERT_FAILS(branch_rewind(s, two, arena, &cut, err), CH_E_IO, "injected");
		db_fail_nth(db, 0);
		assert_string_equal(s->session_id, window);
		assert_int_equal(scratch_int(db, "SELECT count(*) FROM session_windows"), 2);
		assert_int_equal(scratch_int(db, "SELECT count(*) FROM transcript"), 4);
	}
	for (int n = 1; n <= 2; n++) {
		db_fail_nth(db, n);
		ASSERT_FAILS(branch_fork(s, two, to, arena, &cut, err), CH_E_IO, "injected");
		db_fail_nth(db, 0);
		assert_null(to->fork_source);
		check_texts(to, "");
	}
	ASSERT_OK(branch_rewind(s, two, arena, &cut, err));
	for (int n = 1; n <= 3; n++) {
		db_fail_nth(db, n);
		ASSERT_FAILS(branch_switch(s, leaf, err), CH_E_IO, "injected");
		db_fail_nth(db, 0);
		assert_string_not_equal(s->session_id, window);
	}
	ASSERT_OK(branch_switch(s, leaf, err));
	assert_string_equal(s->session_id, window);
	sess_unref(s);
	sess_unref(to);
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_rewind_and_switch), T(test_rewind_to_the_beginning), T(test_headline), T(test_fork), T(test_window_is_of),
		T(test_fails_whole),
	};

	return cmocka_run_group_tests_name("sessions/branch", tests, NULL, NULL);
}
