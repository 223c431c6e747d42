/*
 * core/err.c - filling in a struct ch_err, and what each status means.
 *
 * Texts are formatted aside first, so that arguments may point into the error
 * being written; then what is not UTF-8 is left out, and control bytes become
 * spaces because the text ends up in log lines and frames.
 */
#include "core/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/str.h"

static const struct status_row {
	const char *wire;
	bool is_retryable;
} status_rows[] = {
#define X(id, value, wire_code, retry) [-(value)] = { wire_code, retry },
	CH_STATUS_MAP(X)
#undef X
};

static const char *const status_names[] = {
	[-CH_OK] = "ok",
	[-CH_E_INVALID] = "invalid",
	[-CH_E_DENIED] = "denied",
	[-CH_E_UNPAIRED] = "unpaired",
	[-CH_E_NOT_FOUND] = "not found",
	[-CH_E_BUSY] = "busy",
	[-CH_E_PEER] = "peer",
	[-CH_E_TIMEOUT] = "timeout",
	[-CH_E_CANCELED] = "canceled",
	[-CH_E_LIMIT] = "limit",
	[-CH_E_NOMEM] = "no memory",
	[-CH_E_IO] = "io",
	[-CH_E_EOF] = "end of file",
	[-CH_E_EXISTS] = "exists",
	[-CH_E_CONFLICT] = "conflict",
	[-CH_E_UNSUPPORTED] = "unsupported",
	[-CH_E_BUG] = "bug",
	[-CH_E_ABSENT] = "absent",
};
_Static_assert(CH_ARRAY_LEN(status_names) == CH_ARRAY_LEN(status_rows), "each status has a name");

/* The row of st; statuses are small, negative and without gaps. */
static size_t status_index(ch_status st)
{
	size_t i = (size_t)-(long)st;

	CH_BUG_ON(i >= CH_ARRAY_LEN(status_rows));
	return i;
}

/* Leaves out what is not UTF-8: half a character, where the end or a "%.40s" cut it, and foreign bytes. */
static size_t drop_broken(char *text, size_t len)
{
	size_t kept = utf8_valid_prefix(text, len);

	for (size_t from = kept + 1, good; from <= len; from += good + 1, kept += good) {
		good = utf8_valid_prefix(text + from, len - from);
		memmove(text + kept, text + from, good);
	}
	return kept;
}

static void set_text(struct ch_err *err, const char *text, size_t full_len)
{
	size_t len = CH_MIN(full_len, sizeof(err->text) - 1);

	memcpy(err->text, text, len);
	err->text[drop_broken(err->text, len)] = '\0';
	for (char *p = err->text; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = ' ';
}

static CH_PRINTF(4, 0) void fill(struct ch_err *err, ch_status code, const char *tail, const char *fmt,
				 va_list ap)
{
	char text[2 * CH_ERR_TEXT_MAX];
	int n, m;

	n = vsnprintf(text, sizeof(text), fmt, ap);
	if (n < 0)
		n = 0;
	if (tail && (size_t)n < sizeof(text)) {
		m = snprintf(text + n, sizeof(text) - (size_t)n, ": %s", tail);
		n += m > 0 ? m : 0;
	}
	err->code = code;
	err->retry_after_ms = 0;
	/* The buffer is longer than the field, so what it cut off is past the field too. */
	set_text(err, text, CH_MIN((size_t)n, sizeof(text) - 1));
}

ch_status (ch_fail)(struct ch_err *err, ch_status code, const char *fmt, ...)
{
	va_list ap;

	CH_BUG_ON(code == CH_OK);
	if (!err)
		return code;
	va_start(ap, fmt);
	fill(err, code, NULL, fmt, ap);
	va_end(ap);
	return code;
}

ch_status (ch_fail_errno)(struct ch_err *err, ch_status code, int saved_errno, const char *fmt, ...)
{
	char reason[96];
	va_list ap;

	CH_BUG_ON(code == CH_OK);
	if (!err)
		return code;
	va_start(ap, fmt);
	fill(err, code, strerror_r(saved_errno, reason, sizeof(reason)), fmt, ap);
	va_end(ap);
	return code;
}

ch_status ch_wrap(struct ch_err *err, const char *fmt, ...)
{
	char context[CH_ERR_TEXT_MAX];
	char text[2 * CH_ERR_TEXT_MAX];
	va_list ap;
	int n;

	if (!err)
		return CH_E_BUG;
	va_start(ap, fmt);
	n = vsnprintf(context, sizeof(context), fmt, ap);
	va_end(ap);
	if (n < 0)
		return err->code;
	n = snprintf(text, sizeof(text), "%s: %s", context, err->text);
	if (n > 0)
		set_text(err, text, CH_MIN((size_t)n, sizeof(text) - 1));
	return err->code;
}

const char *ch_status_name(ch_status st)
{
	return status_names[status_index(st)];
}

const char *ch_status_wire(ch_status st)
{
	return status_rows[status_index(st)].wire;
}

bool ch_status_retryable(ch_status st)
{
	return status_rows[status_index(st)].is_retryable;
}

void ch_bug(const char *file, int line, const char *what)
{
	fprintf(stderr, "chela: bug at %s:%d: %s\n", file, line, what);
	fflush(stderr);
	abort();
}
