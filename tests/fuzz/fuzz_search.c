/*
 * What a person types into a search, and what a model writes into a summary: any bytes. The expression must be one
 * that FTS5 takes, or none; a text that was indexed is found by any of its own words.
 */
#include <sqlite3.h>

#include "fuzz.h"

#include "agent/compact.h"
#include "sessions/search.h"

static sqlite3 *db;
static sqlite3_stmt *match;

static void open_index(void)
{
	FUZZ_ASSERT(sqlite3_open(":memory:", &db) == SQLITE_OK);
	FUZZ_ASSERT(sqlite3_exec(db, "CREATE VIRTUAL TABLE t USING fts5 (x, tokenize = 'unicode61 remove_diacritics 2'); "
				 "INSERT INTO t VALUES ('a b c \"quoted\" NEAR AND OR NOT 東京')", NULL, NULL, NULL) == SQLITE_OK);
	FUZZ_ASSERT(sqlite3_prepare_v2(db, "SELECT rowid FROM t WHERE t MATCH ?1", -1, &match, NULL) == SQLITE_OK);
}

static void search(const char *text)
{
	struct buf out;
	int rc;

	buf_init(&out, 1u << 20);
	if (search_expression(text, &out) && !out.failed) {
		FUZZ_ASSERT(sqlite3_bind_text(match, 1, out.data, (int)out.len, SQLITE_STATIC) == SQLITE_OK);
		rc = sqlite3_step(match);
		FUZZ_ASSERT(rc == SQLITE_ROW || rc == SQLITE_DONE);
		sqlite3_reset(match);
		sqlite3_clear_bindings(match);
	}
	buf_done(&out);
}

/* What was collected from a text is in it, each once, within the limits. */
static void pin(const char *text, size_t n)
{
	struct arena *a = arena_new(0);
	struct pins p = { .arena = a };
	struct buf missing;

	buf_init(&missing, 1u << 20);
	pins_collect(&p, text, n, PINS_MAX);
	FUZZ_ASSERT(p.len <= PINS_MAX);
	for (size_t i = 0; i < p.len; i++)
		FUZZ_ASSERT(strlen(p.at[i]) <= PIN_BYTES_MAX && strstr(text, p.at[i]));
	FUZZ_ASSERT(pins_missing(&p, "", &missing) == p.len);
	(void)!compact_check(text, n, 1000, NULL);
	buf_done(&missing);
	arena_unref(a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buf text, split;

	if (!db)
		open_index();
	buf_init(&text, 1u << 16);
	buf_init(&split, 1u << 20);
	for (size_t i = 0; i < size && i < 4096; i++)
		buf_putc(&text, data[i] ? (char)data[i] : ' ');
	search(buf_str(&text));
	pin(buf_str(&text), text.len);
	search_split(buf_str(&text), text.len, &split);
	FUZZ_ASSERT(split.len >= text.len);
	buf_done(&split);
	buf_done(&text);
	return 0;
}
