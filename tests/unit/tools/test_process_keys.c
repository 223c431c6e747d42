/*
 * tools/process_keys: the bytes of keys, hex and pasted text.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "tools/process_keys.h"

static struct buf out;

static void test_keys(void **state)
{
	static const struct { const char *token, *bytes, *app; } rows[] = {
		{ "Enter", "\r", "\r" },
		{ "return", "\r", "\r" },
		{ "Tab", "\t", "\t" },
		{ "S-Tab", "\033[Z", "\033[Z" },
		{ "Escape", "\033", "\033" },
		{ "Space", " ", " " },
		{ "BSpace", "\177", "\177" },
		{ "Up", "\033[A", "\033OA" },
		{ "left", "\033[D", "\033OD" },
		{ "C-Left", "\033[1;5D", "\033[1;5D" },
		{ "M-C-S-Up", "\033[1;8A", "\033[1;8A" },
		{ "PageUp", "\033[5~", "\033[5~" },
		{ "PPage", "\033[5~", "\033[5~" },
		{ "S-Delete", "\033[3;2~", "\033[3;2~" },
		{ "F1", "\033OP", "\033OP" },
		{ "F12", "\033[24~", "\033[24~" },
		{ "C-c", "\003", "\003" },
		{ "c-C", "\003", "\003" },
		{ "^D", "\004", "\004" },
		{ "^?", "\177", "\177" },
		{ "C-[", "\033", "\033" },
		{ "M-x", "\033x", "\033x" },
		{ "S-x", "X", "X" },
		{ "C-M-a", "\033\001", "\033\001" },
		{ "M-Enter", "\033\r", "\033\r" },
		{ "kp/", "\033Oo", "\033Oo" },
		{ "q", "q", "q" },
		{ "-", "-", "-" },
		{ "hello", "hello", "hello" },
		{ "x-y", "x-y", "x-y" },
		{ "", "", "" },
	};

	buf_init(&out, 1024);
	for (size_t i = 0; i < 2 * CH_ARRAY_LEN(rows); i++) {
		buf_clear(&out);
		assert_true(key_encode(rows[i / 2].token, i % 2, &out));
		assert_string_equal(buf_str(&out), i % 2 ? rows[i / 2].app : rows[i / 2].bytes);
	}
	buf_clear(&out);
	assert_false(key_encode("C-nonsense", false, &out));
	assert_false(key_encode("C-1", false, &out));
	assert_int_equal(out.len, 0);
	buf_done(&out);
}

static void test_hex(void **state)
{
	static const char *const good[] = { "1b", "1B", "0x1b", "0X1B" }, *const bad[] = { "", "1", "1bb", "zz", "0x", "0x1" };

	buf_init(&out, 1024);
	for (size_t i = 0; i < CH_ARRAY_LEN(good); i++)
		assert_true(key_hex(good[i], &out));
	assert_string_equal(buf_str(&out), "\033\033\033\033");
	for (size_t i = 0; i < CH_ARRAY_LEN(bad); i++)
		assert_false(key_hex(bad[i], &out));
	assert_int_equal(out.len, 4);
	buf_done(&out);
}

/* A paste cannot end itself and go on as typing. */
static void test_threat_paste_breaks_out(void **state)
{
	static const struct { const char *text; bool bracketed; const char *bytes; } rows[] = {
		{ "one\ntwo", true, "\033[200~one\ntwo\033[201~" },
		{ "one\ntwo", false, "one\ntwo" },
		{ "a\033[201~rm -rf /\r", true, "\033[200~arm -rf /\r\033[201~" },
		{ "\033[201~\033[201~", true, "\033[200~\033[201~" },
	};

	buf_init(&out, 1024);
	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		buf_clear(&out);
		key_paste(rows[i].text, strlen(rows[i].text), rows[i].bracketed, &out);
		assert_string_equal(buf_str(&out), rows[i].bytes);
	}
	/* Nor by taking one away so that another is made. */
	buf_clear(&out);
	key_paste("\033[20\033[201~1~x", strlen("\033[20\033[201~1~x"), true, &out);
	assert_null(memmem(out.data, out.len - 6, "\033[201~", 6));
	buf_done(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_hex),
		cmocka_unit_test(test_threat_paste_breaks_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
