/*
 * Progress cards: what is taken, what is cleaned, revisions, clearing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/mem.h"
#include "sessions/progress.h"
#include "sessions/session.h"

#define KEY "agent:main:main"

struct fixture {
	struct db *db;
	struct sess_store *sessions;
	struct progress *p;
	struct arena *arena;
	char told[128];
	struct ch_err err;
};

static void on_change(void *arg, const char *session_key, int64_t revision)
{
	struct fixture *f = arg;
	size_t n = strlen(f->told);

	snprintf(f->told + n, sizeof(f->told) - n, "%d ", (int)revision);
}

static int setup(void **state)
{
	struct fixture *f = ch_alloc(sizeof(*f));
	CH_AUTO(sess_unref) struct sess *s = NULL;
	struct sess_key key;

	f->arena = arena_new(0);
	assert_int_equal(db_open(":memory:", DB_CREATE, &f->db, &f->err), CH_OK);
	f->sessions = sess_store_new(f->db);
	f->p = progress_new(f->db);
	progress_set_ops(f->p, on_change, f);
	assert_int_equal(sess_key_parse(f->arena, KEY, "main", &key, &f->err), CH_OK);
	assert_int_equal(sess_open(f->sessions, &key, "operator", &s, NULL, &f->err), CH_OK);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	progress_free(f->p);
	sess_store_free(f->sessions);
	db_close(f->db);
	arena_unref(f->arena);
	ch_free(f);
	return 0;
}

static ch_status put(struct fixture *f, const char *note, const char *steps, int64_t expected, struct progress_card *ret)
{
	struct progress_put p = { .session_key = KEY, .note = note, .expected_revision = expected };
	struct json *v = NULL;

	if (steps && json_parse(f->arena, steps, strlen(steps), JSON_JSON5, &v, &f->err))
		fail_msg("%s", f->err.text);
	p.steps = v;
	return progress_put(f->p, &p, f->arena, ret, &f->err);
}

static void revisions(void **state)
{
	struct fixture *f = *state;
	struct progress_card c;

	assert_int_equal(progress_get(f->p, KEY, f->arena, &c, &f->err), CH_OK);
	assert_int_equal(c.revision, 0);
	assert_int_equal(put(f, " half\u202e done\u200b ", "[{step:'a',status:'completed'},{step:'b',status:'pending'}]", 0, &c), CH_OK);
	assert_string_equal(c.note, "half done");
	assert_int_equal(c.done, 1);
	assert_int_equal(c.total, 2);
	assert_int_equal(put(f, "next", NULL, 0, &c), CH_OK);
	assert_int_equal(c.revision, 2);
	assert_null(c.steps);
	assert_int_equal(put(f, NULL, NULL, 1, &c), CH_OK);
	assert_int_equal(c.revision, 2);
	assert_int_equal(put(f, " ", "[]", 2, &c), CH_OK);
	assert_int_equal(c.revision, 0);
	assert_string_equal(f->told, "1 2 0 ");
}

static void what_does_not_fit(void **state)
{
	static const char *const steps[] = {
		"[{step:'',status:'pending'}]", "[{step:'\u200b',status:'pending'}]", "[{step:'a',status:'soon'}]",
		"[{step:'a'}]", "[{step:'a',status:'in_progress'},{step:'b',status:'in_progress'}]",
	};
	struct fixture *f = *state;
	struct progress_card c;
	char *note = arena_alloc(f->arena, PROGRESS_NOTE_MAX + 2);

	for (size_t i = 0; i < CH_ARRAY_LEN(steps); i++)
		assert_int_equal(put(f, NULL, steps[i], 0, &c), CH_E_INVALID);
	memset(note, 'x', PROGRESS_NOTE_MAX + 1);
	assert_int_equal(put(f, note, NULL, 0, &c), CH_E_INVALID);
	assert_int_equal(put(f, "x", NULL, 3, &c), CH_E_INVALID);
	assert_string_equal(f->told, "");
}

static void it_goes_with_its_session(void **state)
{
	struct fixture *f = *state;
	struct sess *s = NULL;
	struct progress_card c;

	assert_int_equal(put(f, "x", NULL, 0, &c), CH_OK);
	assert_int_equal(sess_find(f->sessions, KEY, &s, &f->err), CH_OK);
	assert_int_equal(sess_delete(s, &f->err), CH_OK);
	sess_unref(s);
	assert_int_equal(progress_get(f->p, KEY, f->arena, &c, &f->err), CH_OK);
	assert_int_equal(c.revision, 0);
	assert_int_equal(put(f, "x", NULL, 0, &c), CH_E_NOT_FOUND);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = { TEST(revisions), TEST(what_does_not_fit), TEST(it_goes_with_its_session) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
