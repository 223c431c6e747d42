/*
 * core/regex.h - regular expressions: PCRE2, loaded when the first one is compiled.
 *
 * Owns    the compiled expression and what a match needs; matching allocates nothing that outlives the call.
 * Text    is UTF-8 and is checked here: what is not valid is no match for an expression, and CH_E_INVALID says so.
 * Limits  REGEX_STEPS of backtracking and REGEX_DEPTH, so that no expression can keep the loop busy; CH_E_LIMIT then.
 *         An expression of at most REGEX_PATTERN_MAX bytes; callouts and code in expressions do not exist.
 * Fails   CH_E_ABSENT when the library is not installed (text says how to get it), CH_E_INVALID with the position.
 */
#ifndef CH_CORE_REGEX_H
#define CH_CORE_REGEX_H

#include "core/auto.h"
#include "core/err.h"

#define REGEX_PATTERN_MAX 4096
#define REGEX_STEPS 200000
#define REGEX_DEPTH 2000

enum regex_flags {
	REGEX_CASELESS = 1,
	REGEX_LITERAL = 2,               /* no character is special */
	REGEX_ECMA = 4,                  /* as JavaScript: \uXXXX, $ only at the very end, empty classes */
	REGEX_LINES = 8,                 /* ^ and $ at every line */
	REGEX_ANY_BYTES = 16,            /* texts need not be UTF-8: what is not, matches nothing */
};
struct regex;
CH_MUST_USE ch_status regex_compile(const char *pattern, size_t len, int flags, struct regex **ret, struct ch_err *err);
void regex_free(struct regex *re);
CH_AUTO_DEFINE(regex_free, struct regex)
/*
 * The first match at or after `from`: CH_OK with its bytes [*ret_start, *ret_end), CH_E_NOT_FOUND, CH_E_INVALID, CH_E_LIMIT.
 * Either ret may be NULL.
 */
CH_MUST_USE ch_status regex_find(const struct regex *re, const char *text, size_t len, size_t from, size_t *ret_start,
				 size_t *ret_end);

#endif
