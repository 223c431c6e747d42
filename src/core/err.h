/*
 * core/err.h - the one vocabulary of failure.
 *
 * A function that can fail in more than one way returns ch_status and takes
 * struct ch_err *err last; err may be NULL. At the origin: return ch_fail();
 * on the way up: ch_wrap() puts "what we were doing: " in front. The text is
 * for a person: it names the thing, what was tried and the way out; it holds
 * no secret and no newline.
 *
 * The wire code is the gateway protocol's top-level error code (protocol v4
 * knows INVALID_REQUEST, UNAVAILABLE, FORBIDDEN, NOT_PAIRED).
 * E_ABSENT: the protocol has it, this version has nothing behind it.
 */
#ifndef CH_CORE_ERR_H
#define CH_CORE_ERR_H

#include "core/auto.h"

#define CH_STATUS_MAP(X)                              \
	X(OK,             0, "OK",              0)    \
	X(E_INVALID,     -1, "INVALID_REQUEST", 0)    \
	X(E_DENIED,      -2, "FORBIDDEN",       0)    \
	X(E_UNPAIRED,    -3, "NOT_PAIRED",      0)    \
	X(E_NOT_FOUND,   -4, "INVALID_REQUEST", 0)    \
	X(E_BUSY,        -5, "UNAVAILABLE",     1)    \
	X(E_PEER,        -6, "UNAVAILABLE",     1)    \
	X(E_TIMEOUT,     -7, "UNAVAILABLE",     1)    \
	X(E_CANCELED,    -8, "UNAVAILABLE",     0)    \
	X(E_LIMIT,       -9, "INVALID_REQUEST", 0)    \
	X(E_NOMEM,      -10, "UNAVAILABLE",     0)    \
	X(E_IO,         -11, "UNAVAILABLE",     0)    \
	X(E_EOF,        -12, "UNAVAILABLE",     0)    \
	X(E_EXISTS,     -13, "INVALID_REQUEST", 0)    \
	X(E_CONFLICT,   -14, "INVALID_REQUEST", 0)    \
	X(E_UNSUPPORTED,-15, "INVALID_REQUEST", 0)    \
	X(E_BUG,        -16, "UNAVAILABLE",     0)    \
	X(E_ABSENT,     -17, "UNAVAILABLE",     0)
#define X(name, value, wire, retry) CH_##name = value,
typedef enum ch_status { CH_STATUS_MAP(X) } ch_status;
#undef X

#define CH_ERR_TEXT_MAX 256

struct ch_err {
	ch_status code;
	int retry_after_ms;            /* 0 when unknown */
	char text[CH_ERR_TEXT_MAX];    /* always terminated and UTF-8 */
};

/* Fills err (when not NULL) and returns code. */
ch_status ch_fail(struct ch_err *err, ch_status code, const char *fmt, ...) CH_PRINTF(3, 4);
/* As ch_fail with ": strerror(saved_errno)" appended. */
ch_status ch_fail_errno(struct ch_err *err, ch_status code, int saved_errno, const char *fmt, ...)
	CH_PRINTF(4, 5);
/*
 * The value is the code that was given; as macros they let the compiler and the analyzer see that, so
 * that "written only on success" can be checked.
 */
#define ch_fail(err, code, ...)                                                  \
	__extension__({                                                          \
		const ch_status fail_code_ = (code);                             \
		(void)ch_fail((err), fail_code_, __VA_ARGS__);                   \
		fail_code_;                                                      \
	})
#define ch_fail_errno(err, code, saved_errno, ...)                               \
	__extension__({                                                          \
		const ch_status fail_code_ = (code);                             \
		(void)ch_fail_errno((err), fail_code_, (saved_errno), __VA_ARGS__); \
		fail_code_;                                                      \
	})
/* Puts "context: " in front of err's text; returns err->code (CH_E_BUG when err is NULL). */
ch_status ch_wrap(struct ch_err *err, const char *fmt, ...) CH_PRINTF(2, 3);
/* "ok", "invalid", … for logs. */
const char *ch_status_name(ch_status st);
/* The protocol's top-level code. */
const char *ch_status_wire(ch_status st);
bool ch_status_retryable(ch_status st);

/* A broken invariant of ours; input never reaches one. Prints and aborts. */
#define CH_BUG_ON(cond) \
	do { if (__builtin_expect(!!(cond), 0)) ch_bug(__FILE__, __LINE__, #cond); } while (0)
CH_NORETURN void ch_bug(const char *file, int line, const char *what);

#endif
