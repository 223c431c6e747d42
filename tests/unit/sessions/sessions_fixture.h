/*
 * A store in memory with a clock that stands, for the tests of sessions/.
 */
#ifndef TEST_SESSIONS_FIXTURE_H
#define TEST_SESSIONS_FIXTURE_H

#include "../store/scratch.h"

#include "core/clock.h"
#include "core/str.h"
#include "sessions/session.h"

#define T0 1800000000000                         /* wall clock of the tests, ms */

static struct db *db;
static struct sess_store *store;
static struct arena *arena;

static inline int fixture_open(const char *path)
{
	struct ch_err err;

	clock_fake(1000, T0);
	arena = arena_new(0);
	if (db_open(path, DB_CREATE, &db, &err)) {
		print_error("%s\n", err.text);
		return -1;
	}
	store = sess_store_new(db);
	return 0;
}

static inline int setup(void **state)
{
	return fixture_open(":memory:");
}

static inline int teardown(void **state)
{
	sess_store_free(store);
	db_close(db);
	arena_unref(arena);
	clock_real();
	return 0;
}

/* A reference to the session, made when missing. */
static inline struct sess *session(const char *name)
{
	struct sess_key key;
	struct sess *s = NULL;

	ASSERT_OK(sess_key_parse(arena, name, "main", &key, err));
	ASSERT_OK(sess_open(store, &key, "operator", &s, NULL, err));
	return s;
}

#endif
