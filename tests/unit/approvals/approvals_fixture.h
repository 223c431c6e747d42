/*
 * A database in memory, a clock that stands, and approvals whose events are written to a diary.
 */
#ifndef TEST_APPROVALS_FIXTURE_H
#define TEST_APPROVALS_FIXTURE_H

#include "../store/scratch.h"

#include "../core/in_fiber.h"
#include "approvals/approval.h"
#include "core/clock.h"
#include "core/mem.h"
#include "core/str.h"

#define T0 1800000000000

static struct db *db;
static struct loop *loop;
static struct arena *arena;
static struct approvals *ap;
static char diary[1024];
static bool reachable;

static void note(const char *what, const char *more)
{
	size_t len = strlen(diary);

	snprintf(diary + len, sizeof(diary) - len, "%s%s%s", len ? " " : "", what, more);
}

#define ASSERT_DIARY(expected)                           \
	do {                                             \
		assert_string_equal(diary, expected);    \
		diary[0] = '\0';                         \
	} while (0)

static void on_event(void *arg, enum approval_event ev, const struct approval *row)
{
	assert_int_equal(db_tx_depth(db), 0);            /* after the commit */
	note(ev == APPROVAL_EV_REQUESTED ? "?" : "=", approval_status_name(row->status));
}

static void on_orphan(void *arg, const struct approval *row)
{
	note("orphan:", json_get_str(row->binding, "argv"));
}

static bool is_reachable(void *arg, const char *session_key, struct arena *a, const char **ret_way_out)
{
	*ret_way_out = "open the page";
	return reachable;
}

static const struct approval_ops ops = { .on_event = on_event, .is_reachable = is_reachable, .on_orphan = on_orphan };

static inline void fixture_open(const char *path)
{
	ASSERT_OK(db_open(path, DB_CREATE, &db, err));
	ASSERT_OK(approvals_open(loop, db, &ap, err));
	approvals_set_ops(ap, &ops);
}

static inline void fixture_close(void)
{
	approvals_free(ap);
	db_close(db);
}

static inline int setup(void **state)
{
	clock_fake(1000, T0);
	diary[0] = '\0';
	reachable = true;
	arena = arena_new(0);
	loop = loop_new();
	if (scratch_make(state))
		return -1;
	fixture_open(scratch_db);
	return 0;
}

static inline int teardown(void **state)
{
	fixture_close();
	loop_free(loop);
	arena_unref(arena);
	clock_real();
	return scratch_remove(state);
}

static inline struct json *object(const char *key, const char *value)
{
	struct json *v = json_new_obj(arena);

	json_set(arena, v, key, json_new_str(arena, value));
	return v;
}

/* Of run "r1": with a binding it can be carried out later. */
static inline struct approval_ask an_ask(bool is_bound)
{
	return (struct approval_ask){
		.kind = APPROVAL_EXEC, .agent_id = "main", .session_key = "agent:main:main", .session_id = "s1", .run_id = "r1",
		.tool_call_id = "c1", .request = object("command", "touch x"), .presentation = object("kind", "exec"),
		.binding = is_bound ? object("argv", "touch") : NULL, .binding_hash = "abc",
	};
}

static inline const char *asked(bool is_bound)
{
	struct approval_ask ask = an_ask(is_bound);
	const char *id = NULL;

	ASSERT_OK(approval_create(ap, &ask, arena, &id, err));
	return id;
}

static inline struct approval found(const char *id)
{
	struct approval row = { 0 };

	ASSERT_OK(approval_find(ap, id, arena, &row, err));
	return row;
}

static const struct approval_resolver ada = { .kind = "device", .id = "d1", .name = "Ada" };
static const struct approval_resolver bob = { .kind = "device", .id = "d2", .name = "Bob" };

static inline void answered(const char *id, enum approval_decision d)
{
	struct approval row;

	ASSERT_OK(approval_resolve(ap, id, d, &ada, arena, &row, err));
}

#endif
