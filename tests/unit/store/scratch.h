/*
 * A directory of a test's own, and a database in it; both gone afterwards.
 */
#ifndef TEST_STORE_SCRATCH_H
#define TEST_STORE_SCRATCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "store/db.h"
#include "../temp_dir.h"

/* One for all: a frame with one per assertion would be too large under ASan. */
static struct ch_err scratch_err;

/* Fails the test with the error's text. */
#define ASSERT_OK(call)                                                                          \
	do {                                                                                     \
		struct ch_err *err = &scratch_err;                                               \
		ch_status st_ = (call);                                                          \
		if (st_)                                                                         \
			fail_msg("%s: status %d: %s", #call, st_, err->text);                    \
	} while (0)
/* The call takes `err`; its text must hold `part`. */
#define ASSERT_FAILS(call, status, part)                                                         \
	do {                                                                                     \
		struct ch_err *err = memset(&scratch_err, 0, sizeof(scratch_err));               \
		ch_status st_ = (call);                                                          \
		if (st_ != (status))                                                             \
			fail_msg("%s: status %d, not %d: %s", #call, st_, (status), err->text);  \
		if (!strstr(err->text, (part)))                                                  \
			fail_msg("%s: '%s' does not hold '%s'", #call, err->text, (part));       \
	} while (0)

static char scratch_dir[64], scratch_db[96];

static inline int scratch_make(void **state)
{
	temp_dir_make(scratch_dir, "store");
	snprintf(scratch_db, sizeof(scratch_db), "%s/chela.sqlite", scratch_dir);
	return 0;
}

static inline int scratch_remove(void **state)
{
	temp_dir_remove(scratch_dir);
	return 0;
}

/* The one integer that a query gives. */
static inline int64_t scratch_int(struct db *db, const char *sql)
{
	CH_AUTO(db_done) struct db_stmt *s = NULL;
	bool row = false;

	ASSERT_OK(db_prep(db, sql, &s, err));
	ASSERT_OK(db_step(s, &row, err));
	assert_true(row);
	return db_int(s, 0);
}

#endif
