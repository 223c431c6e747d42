/*
 * core/buf: growing, the ceiling, taking the bytes out.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "core/buf.h"
#include "core/mem.h"
#include "core/sanitize.h"

#ifdef SANITIZE_ADDRESS
/* test_no_memory asks for more than there can be; ASan would end the program. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}
#endif

static void test_builds_text(void **state)
{
	CH_AUTO_BUF struct buf b = { 0 };

	buf_init(&b, 1000);
	assert_string_equal(buf_str(&b), "");
	buf_puts(&b, "a");
	buf_putc(&b, 'b');
	buf_append(&b, "cd", 2);
	buf_append(&b, NULL, 0);
	buf_printf(&b, "-%d-%s", 42, "xyz");
	assert_string_equal(buf_str(&b), "abcd-42-xyz");
	assert_int_equal(b.len, 11);
	buf_consume(&b, 5);
	assert_string_equal(buf_str(&b), "42-xyz");
	buf_truncate(&b, 2);
	assert_string_equal(buf_str(&b), "42");
	buf_consume(&b, 2);
	assert_string_equal(buf_str(&b), "");
	assert_int_equal(buf_status(&b, NULL, "text"), CH_OK);
}

static void test_long_printf(void **state)
{
	CH_AUTO_BUF struct buf b = { 0 };
	char pad[3000];

	memset(pad, 'x', sizeof(pad) - 1);
	pad[sizeof(pad) - 1] = '\0';
	buf_init(&b, 10000);
	buf_puts(&b, "<");
	buf_printf(&b, "%s>", pad);
	assert_int_equal(b.len, sizeof(pad) + 1);
	assert_int_equal(b.data[b.len - 1], '>');
}

static void test_ceiling(void **state)
{
	static const size_t ceilings[] = { 0, 1, 63, 64, 65, 100 };

	for (size_t k = 0; k < CH_ARRAY_LEN(ceilings); k++) {
		CH_AUTO_BUF struct buf b = { 0 };
		struct ch_err err;

		buf_init(&b, ceilings[k]);
		for (size_t i = 0; i < ceilings[k]; i++)
			buf_putc(&b, 'x');
		assert_int_equal(buf_status(&b, &err, "body"), CH_OK);
		buf_putc(&b, 'y');
		assert_int_equal(b.len, ceilings[k]);
		assert_int_equal(strlen(buf_str(&b)), ceilings[k]);
		assert_int_equal(buf_status(&b, &err, "body"), CH_E_LIMIT);
		assert_non_null(strstr(err.text, "body is larger than"));
		/* It sticks until it is cleared, also when there would be room again. */
		buf_truncate(&b, 0);
		buf_printf(&b, "z");
		assert_int_equal(b.len, 0);
		buf_clear(&b);
		assert_int_equal(buf_status(&b, NULL, "body"), CH_OK);
	}
}

static void test_refused_append_changes_nothing(void **state)
{
	CH_AUTO_BUF struct buf b = { 0 };

	buf_init(&b, 10);
	buf_puts(&b, "12345678");
	buf_printf(&b, "%s", "abc");
	assert_string_equal(buf_str(&b), "12345678");
	assert_int_equal(b.failed, CH_E_LIMIT);
	buf_clear(&b);
	assert_false(buf_reserve(&b, SIZE_MAX));
	assert_int_equal(b.failed, CH_E_LIMIT);
}

static void test_no_memory(void **state)
{
	CH_AUTO_BUF struct buf b = { 0 };
	struct ch_err err;

	buf_init(&b, SIZE_MAX);
	buf_puts(&b, "kept");
	assert_false(buf_reserve(&b, (size_t)1 << 62));
	assert_int_equal(buf_status(&b, &err, "body"), CH_E_NOMEM);
	assert_string_equal(buf_str(&b), "kept");
}

static void test_take(void **state)
{
	struct buf b;
	size_t len = 99;
	char *s;

	buf_init(&b, 10);
	s = buf_take(&b, &len);
	assert_string_equal(s, "");
	assert_int_equal(len, 0);
	ch_free(s);
	buf_puts(&b, "moved");
	s = buf_take(&b, &len);
	assert_string_equal(s, "moved");
	assert_int_equal(len, 5);
	assert_null(b.data);
	assert_int_equal(b.max_bytes, 10);
	ch_free(s);
	buf_done(&b);
}

static void test_a_block_cannot_be_left(void **state)
{
	CH_AUTO_BUF struct buf b = { 0 };

	buf_init(&b, 1000);
	buf_put_block(&b, "ls");
	assert_string_equal(buf_str(&b), "```\nls\n```\n");
	buf_clear(&b);
	buf_put_block(&b, "a\n````\nb `c`");
	assert_string_equal(buf_str(&b), "`````\na\n````\nb `c`\n`````\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_builds_text),
		cmocka_unit_test(test_long_printf),
		cmocka_unit_test(test_ceiling),
		cmocka_unit_test(test_refused_append_changes_nothing),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_take),
		cmocka_unit_test(test_a_block_cannot_be_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
