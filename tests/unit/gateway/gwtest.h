/*
 * What all tests of this folder include; cmocka's own headers need these four in front.
 */
#ifndef CH_TESTS_GWTEST_H
#define CH_TESTS_GWTEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "core/arena.h"
#include "core/json.h"

/* A value from text written with ' for ". */
static inline struct json *quoted(struct arena *a, const char *text)
{
	char *copy = arena_strdup(a, text);
	struct json *v;
	struct ch_err err;

	for (char *p = copy; *p; p++)
		if (*p == '\'')
			*p = '"';
	if (json_parse(a, copy, strlen(copy), JSON_STRICT, &v, &err))
		fail_msg("bad JSON in the test: %s: %s", err.text, copy);
	return v;
}

#endif
