/*
 * docs/configuration.md's table of keys is what the schema says.
 * CHELA_UPDATE_DOCS=1 rewrites it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "config/config.h"
#include "core/file.h"
#include "core/str.h"

#define DOC_PATH TEST_FIXTURES "/../../docs/configuration.md"
#define BEGIN "<!-- keys -->\n"
#define END "<!-- /keys -->\n"

static const char *type_words(struct arena *a, const struct config_row *row)
{
	CH_AUTO_BUF struct buf list = { 0 };

	buf_init(&list, 1024);
	switch (row->type) {
	case CFG_STR: return "text";
	case CFG_INT:
		return row->max > row->min ? arena_printf(a, "whole number, %lld to %lld", (long long)row->min,
							  (long long)row->max)
					   : "whole number";
	case CFG_NUM: return "number";
	case CFG_BOOL: return "true or false";
	case CFG_ENUM:
		for (const char *const *c = row->choices; *c; c++)
			buf_printf(&list, "%s`%s`", c == row->choices ? "" : ", ", *c);
		return arena_strdup(a, buf_str(&list));
	case CFG_STR_LIST: return "list of texts";
	case CFG_DURATION: return "time as \"30s\"";
	case CFG_BYTES: return "bytes, or a size as \"10mb\"";
	case CFG_SECRET: return "secret";
	case CFG_STR_OR_OBJ: return "text or object";
	case CFG_ANY: return "any";
	default: return "object";
	}
}

static void put_rows(struct arena *a, struct buf *out)
{
	size_t count;
	const struct config_row *rows = config_rows(&count);

	buf_puts(out, "| key | value | default | |\n|---|---|---|---|\n");
	for (size_t i = 0; i < count; i++) {
		const struct config_row *r = &rows[i];
		bool is_group = r->type == CFG_OBJECT || r->type == CFG_MAP || r->type == CFG_LIST;

		if (r->flags & CFG_UNUSED || is_group || !r->help)
			continue;
		buf_printf(out, "| `%s` | %s | %s%s%s | %s%s |\n", r->path, type_words(a, r), r->def ? "`" : "",
			   r->def ? r->def : "", r->def ? "`" : "", r->help,
			   r->flags & CFG_RESTART ? " *Takes a restart.*" : "");
	}
	buf_puts(out, "\nKept, but without effect in this version: ");
	for (size_t i = 0, n = 0; i < count; i++)
		if (rows[i].flags & CFG_UNUSED)
			buf_printf(out, "%s`%s`", n++ ? ", " : "", rows[i].path);
	buf_puts(out, ".\n");
}

static void test_table_is_current(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	CH_AUTO_BUF struct buf doc = { 0 }, wanted = { 0 };
	const char *begin, *end;

	(void)state;
	assert_int_equal(file_read(DOC_PATH, 1 << 20, &doc, NULL), CH_OK);
	begin = strstr(buf_str(&doc), BEGIN);
	end = strstr(buf_str(&doc), END);
	buf_init(&wanted, 1 << 20);
	assert_non_null(begin);
	assert_non_null(end);
	buf_append(&wanted, doc.data, (size_t)(begin - doc.data) + strlen(BEGIN));
	put_rows(a, &wanted);
	buf_puts(&wanted, end);
	if (getenv("CHELA_UPDATE_DOCS"))
		assert_int_equal(file_write_atomic(DOC_PATH, wanted.data, wanted.len, 0644, NULL), CH_OK);
	else if (!str_eq(buf_str(&doc), buf_str(&wanted)))
		fail_msg("docs/configuration.md is not current: CHELA_UPDATE_DOCS=1 meson test -C build config/test_docs");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table_is_current),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
