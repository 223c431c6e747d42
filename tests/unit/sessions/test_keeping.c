/*
 * What is kept beside conversations: groups of the list, preferences; and the cleanup of old sessions.
 */
#include "sessions_fixture.h"

#include "core/buf.h"
#include "sessions/cleanup.h"
#include "sessions/groups.h"
#include "sessions/prefs.h"

#define DAY 86400000ll

static struct json *parse(const char *text)
{
	char *copy = arena_strdup(arena, text);
	struct json *v = NULL;

	for (char *p = copy; *p; p++)
		*p = *p == '\'' ? '"' : *p;
	ASSERT_OK(json_parse(arena, copy, strlen(copy), JSON_STRICT, &v, err));
	return v;
}

/* ---- groups ---- */

static void add_group(void *arg, const struct group *g)
{
	buf_printf(arg, "%s%s%s%s%s", ((struct buf *)arg)->len ? " " : "", g->name, g->cwd ? "=" : "", g->cwd ? g->cwd : "",
		   g->worktree ? "+" : "");
}

static void check_groups(const char *expected, const char *expected_order)
{
	CH_AUTO_BUF struct buf out = { 0 };
	const char *order;

	buf_init(&out, 4096);
	ASSERT_OK(groups_each(store, add_group, &out, err));
	assert_string_equal(buf_str(&out), expected);
	ASSERT_OK(groups_section_order(store, arena, &order, err));
	assert_string_equal(order, expected_order);
}

static void test_groups(void **state)
{
	struct sess *s = session("a");
	int64_t members;
	bool added;

	check_groups("", "[]");
	ASSERT_OK(groups_put(store, parse("['b',' a ','b']"), parse("['category:a','x','groups','category:zz','groups']"), err));
	check_groups("b a", "[\"category:a\",\"groups\"]");
	ASSERT_OK(group_register(store, "c", &added, err));
	assert_true(added);
	ASSERT_OK(group_register(store, "a", &added, err));
	assert_false(added);
	ASSERT_OK(group_set_defaults(store, "a", "/tmp", true, err));
	ASSERT_FAILS(group_set_defaults(store, "zz", NULL, false, err), CH_E_NOT_FOUND, "unknown session group: zz");
	ASSERT_OK(groups_put(store, parse("['a','b']"), NULL, err));
	check_groups("a=/tmp+ b", "[\"category:a\",\"groups\"]");

	sess_set_str(s, &s->category, "a");
	ASSERT_OK(sess_save(s, err));
	ASSERT_FAILS(groups_put(store, parse("['b']"), NULL, err), CH_E_INVALID, "\"a\" (1)");
	ASSERT_FAILS(groups_put(store, parse("['a',' ']"), NULL, err), CH_E_INVALID, "needs a name");
	check_groups("a=/tmp+ b", "[\"category:a\",\"groups\"]");
	ASSERT_OK(group_rename(store, "a", "b", &members, err));        /* into one that is there */
	assert_int_equal(members, 1);
	assert_string_equal(s->category, "b");                          /* the live object shows it */
	check_groups("b", "[\"category:a\",\"groups\"]");
	ASSERT_FAILS(group_rename(store, "a", "x", &members, err), CH_E_NOT_FOUND, "unknown session group: a");
	ASSERT_OK(group_delete(store, "b", &members, err));
	assert_int_equal(members, 1);
	assert_null(s->category);
	check_groups("", "[\"category:a\",\"groups\"]");
	sess_unref(s);
}

/* ---- preferences ---- */

static enum prefs_result set(const char *entries, const char *expected)
{
	enum prefs_result result = PREFS_FULL;
	int64_t count;

	ASSERT_OK(prefs_set(db, "p", parse(entries), expected ? parse(expected) : NULL, &result, &count, err));
	return result;
}

static void check_prefs(const char *names, const char *expected)
{
	CH_AUTO_BUF struct buf out = { 0 };
	struct jw w = JW(&out);

	buf_init(&out, 1 << 20);
	ASSERT_OK(prefs_write_json(db, "p", names ? parse(names) : NULL, &w, err));
	assert_string_equal(buf_str(&out), expected);
}

static void test_prefs(void **state)
{
	CH_AUTO_BUF struct buf many = { 0 };
	enum prefs_result result;
	int64_t count;

	check_prefs(NULL, "{}");
	assert_int_equal(set("{'a':1,'b':[true,null]}", "{'a':null}"), PREFS_SAVED);
	assert_int_equal(set("{'a':2}", "{'a':null}"), PREFS_CONFLICT);
	assert_int_equal(set("{'a':2}", "{'a':2}"), PREFS_CONFLICT);
	assert_int_equal(set("{'c':2}", "{'d':{}}"), PREFS_CONFLICT);
	check_prefs("['b','zz','a']", "{\"b\":[true,null],\"a\":1}");
	assert_int_equal(set("{'a':null,'x\\\\y':'q'}", "{'b':[true,null],'a':1}"), PREFS_SAVED);
	check_prefs(NULL, "{\"b\":[true,null],\"x\\\\y\":\"q\"}");
	buf_init(&many, 1 << 16);
	for (int i = 0; i < 127; i++)
		buf_printf(&many, "%c'k%d':%d", i ? ',' : '{', i, i);
	buf_putc(&many, '}');
	ASSERT_OK(prefs_set(db, "p", parse(buf_str(&many)), NULL, &result, &count, err));
	assert_int_equal(result, PREFS_FULL);
	assert_int_equal(count, 2);
	check_prefs(NULL, "{\"b\":[true,null],\"x\\\\y\":\"q\"}");
	buf_clear(&many);
	buf_puts(&many, "{'ok':1,'big':'");
	for (int i = 0; i < 5000; i++)
		buf_putc(&many, 'x');
	buf_puts(&many, "'}");
	ASSERT_FAILS(prefs_set(db, "p", parse(buf_str(&many)), NULL, &result, &count, err), CH_E_INVALID, "for big");
	check_prefs("['ok']", "{}");
}

/* ---- cleanup ---- */

static void make_old(const char *key, int64_t days, bool pinned)
{
	struct sess *s = session(key);

	s->updated_at = T0 - days * DAY;
	s->pinned_at = pinned ? T0 : 0;
	ASSERT_OK(sess_save(s, err));
	sess_unref(s);
}

static bool is_archived(const char *key)
{
	struct sess *s = session(key);
	bool is = s->archived_at != 0;

	sess_unref(s);
	return is;
}

static void test_cleanup(void **state)
{
	struct cleanup_rules rules = { .agent_id = "main", .keep_key = "agent:main:seen", .prune_after_ms = 30 * DAY,
				       .dashboard_after_ms = 7 * DAY, .max_entries = 100, .is_enforced = true };
	struct cleanup_result r;

	make_old("main", 90, false);
	make_old("old", 31, false);
	make_old("pinned", 31, true);
	make_old("seen", 31, false);
	make_old("young", 8, false);
	make_old("dashboard:stale", 8, false);
	make_old("agent:other:old", 90, false);
	make_old("cron:j:run:1", 31, false);
	make_old("cron:j", 31, false);
	ASSERT_OK(sess_cleanup(store, &rules, false, &r, err));
	assert_int_equal(r.before, 6);
	assert_int_equal(r.archived, 2);
	assert_int_equal(r.cap_archived, 0);
	assert_int_equal(r.pruned, 1);
	assert_int_equal(r.after, 4);
	assert_false(is_archived("old"));
	ASSERT_OK(sess_cleanup(store, &rules, true, &r, err));
	assert_true(is_archived("old") && is_archived("dashboard:stale"));
	assert_false(is_archived("young") || is_archived("main") || is_archived("pinned") || is_archived("seen"));
	assert_false(is_archived("agent:other:old"));
	assert_int_equal(scratch_int(db, "SELECT count(*) FROM sessions WHERE key LIKE '%:run:1'"), 0);
	assert_int_equal(scratch_int(db, "SELECT count(*) FROM sessions WHERE key LIKE '%cron:j'"), 1);
	rules.max_entries = 3;
	ASSERT_OK(sess_cleanup(store, &rules, true, &r, err));
	assert_int_equal(r.cap_archived, 1);
	assert_true(is_archived("young"));
	rules.max_entries = 1;                   /* what must stay stays */
	ASSERT_OK(sess_cleanup(store, &rules, true, &r, err));
	assert_int_equal(r.after, 3);
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)
	const struct CMUnitTest tests[] = { T(test_groups), T(test_prefs), T(test_cleanup) };

	return cmocka_run_group_tests_name("sessions/keeping", tests, NULL, NULL);
}
