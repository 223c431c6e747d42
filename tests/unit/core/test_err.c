/*
 * core/err: texts, wrapping, cutting, the table of statuses.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "core/err.h"
#include "core/str.h"

static void test_fail_fills(void **state)
{
	struct ch_err err = { .retry_after_ms = 7 };

	assert_int_equal(ch_fail(&err, CH_E_BUSY, "session '%s' has a run in flight", "main"), CH_E_BUSY);
	assert_int_equal(err.code, CH_E_BUSY);
	assert_int_equal(err.retry_after_ms, 0);
	assert_string_equal(err.text, "session 'main' has a run in flight");
	assert_int_equal(ch_fail(NULL, CH_E_IO, "nobody listens"), CH_E_IO);
	assert_int_equal(ch_fail_errno(&err, CH_E_IO, ENOENT, "cannot open %s", "a.json"), CH_E_IO);
	assert_string_equal(err.text, "cannot open a.json: No such file or directory");
	assert_int_equal(ch_fail_errno(NULL, CH_E_IO, ENOENT, "x"), CH_E_IO);
}

static void test_wrap(void **state)
{
	struct ch_err err;

	(void)!ch_fail(&err, CH_E_PEER, "closed early");
	err.retry_after_ms = 500;
	assert_int_equal(ch_wrap(&err, "asking %s", "ollama"), CH_E_PEER);
	assert_string_equal(err.text, "asking ollama: closed early");
	assert_int_equal(err.retry_after_ms, 500);
	assert_int_equal(ch_wrap(NULL, "x"), CH_E_BUG);
	/* An argument may point into the error itself. */
	(void)!ch_fail(&err, CH_E_PEER, "again: %s", err.text);
	assert_string_equal(err.text, "again: asking ollama: closed early");
}

static void test_control_bytes_become_spaces(void **state)
{
	struct ch_err err;

	(void)!ch_fail(&err, CH_E_PEER, "a\nb\x1b[1mc\x7f" "d\te");
	assert_string_equal(err.text, "a b [1mc d e");
}

/* Whatever the length in front, a text of multi-byte characters is cut between two of them. */
static void test_cut_at_character(void **state)
{
	static const char *const characters[] = { "x", "ä", "€", "🐢" };
	char text[400], pad[8];
	struct ch_err err;

	for (size_t k = 0; k < CH_ARRAY_LEN(characters); k++) {
		for (size_t shift = 0; shift < 5; shift++) {
			size_t len = 0, unit = strlen(characters[k]);

			memset(pad, '.', shift);
			pad[shift] = '\0';
			while (len + unit < sizeof(text)) {
				memcpy(text + len, characters[k], unit);
				len += unit;
			}
			text[len] = '\0';
			(void)!ch_fail(&err, CH_E_PEER, "%s%s", pad, text);
			assert_true(utf8_valid(err.text, strlen(err.text)));
			assert_true(strlen(err.text) > CH_ERR_TEXT_MAX - 1 - unit);
			(void)!ch_wrap(&err, "%s", pad);
			assert_true(utf8_valid(err.text, strlen(err.text)));
		}
	}
}

/* A precision counts bytes, a foreign name need not be text at all. */
static void test_what_is_not_utf8_is_left_out(void **state)
{
	struct ch_err err;

	(void)!ch_fail(&err, CH_E_INVALID, "'%.3s' is '%.5s'", "ä€", "a\xff\xfe" "b\xe2\x82");
	assert_string_equal(err.text, "'ä' is 'ab'");
	(void)!ch_wrap(&err, "%.2s", "🐢");
	assert_string_equal(err.text, ": 'ä' is 'ab'");
	(void)!ch_fail(&err, CH_E_INVALID, "\x80");
	assert_string_equal(err.text, "");
}

static void test_statuses(void **state)
{
	static const struct {
		ch_status st;
		const char *name, *wire;
		bool is_retryable;
	} rows[] = {
		{ CH_OK, "ok", "OK", false },
		{ CH_E_INVALID, "invalid", "INVALID_REQUEST", false },
		{ CH_E_DENIED, "denied", "FORBIDDEN", false },
		{ CH_E_UNPAIRED, "unpaired", "NOT_PAIRED", false },
		{ CH_E_BUSY, "busy", "UNAVAILABLE", true },
		{ CH_E_TIMEOUT, "timeout", "UNAVAILABLE", true },
		{ CH_E_BUG, "bug", "UNAVAILABLE", false },
	};

	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		assert_string_equal(ch_status_name(rows[i].st), rows[i].name);
		assert_string_equal(ch_status_wire(rows[i].st), rows[i].wire);
		assert_int_equal(ch_status_retryable(rows[i].st), rows[i].is_retryable);
	}
	for (int st = CH_OK; st >= CH_E_BUG; st--) {
		assert_true(*ch_status_name((ch_status)st));
		assert_true(*ch_status_wire((ch_status)st));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fail_fills),
		cmocka_unit_test(test_wrap),
		cmocka_unit_test(test_control_bytes_become_spaces),
		cmocka_unit_test(test_cut_at_character),
		cmocka_unit_test(test_what_is_not_utf8_is_left_out),
		cmocka_unit_test(test_statuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
