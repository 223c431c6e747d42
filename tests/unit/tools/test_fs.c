/*
 * The file tools: what they give, where they stop, what they say.
 */
#include "tool_fixture.h"

static void numbered(struct fixture *f, const char *name, int lines)
{
	CH_AUTO_BUF struct buf b = { 0 };

	buf_init(&b, 64u << 20);
	for (int i = 1; i <= lines; i++)
		buf_printf(&b, "line %d\n", i);
	fixture_put(f, name, b.data, b.len);
}

static void reads_a_whole_file(void **state)
{
	struct fixture *f = *state;

	fixture_put(f, "a.txt", "bench-ok\n", 9);
	assert_int_equal(fixture_run(f, &tool_read, "{\"path\":\"a.txt\"}"), CH_OK);
	assert_string_equal(f->text, "bench-ok\n");
	assert_string_equal(json_str(json_get(f->result.details, "kind")), "text");
	assert_string_equal(json_str(json_get(f->result.details, "content")), "bench-ok\n");
	assert_string_equal(tool_read.meta(f->arena, json_get(f->result.details, "x")) ? "x" : "none", "none");
	fixture_put(f, "empty", "", 0);
	assert_int_equal(fixture_run(f, &tool_read, "{\"path\":\"empty\"}"), CH_OK);
	assert_string_equal(f->text, "[the file is empty]");
	assert_int_equal(fixture_run(f, &tool_read, "{\"path\":\"missing\"}"), CH_E_NOT_FOUND);
}

static void reads_lines(void **state)
{
	struct fixture *f = *state;

	numbered(f, "n.txt", 10);
	assert_int_equal(fixture_run(f, &tool_read, "{\"path\":\"n.txt\",\"offset\":3,\"limit\":2}"), CH_OK);
	assert_int_equal(strncmp(f->text, "line 3\nline 4\n[lines 3-4, 28 of 71 bytes so far. Continue", 56), 0);
	assert_int_equal(fixture_run(f, &tool_read, "{\"path\":\"n.txt\",\"offset\":10}"), CH_OK);
	assert_string_equal(f->text, "line 10\n[lines 10-10 (end of file), 71 of 71 bytes so far.]");
	assert_int_equal(fixture_run(f, &tool_read, "{\"path\":\"n.txt\",\"offset\":11}"), CH_E_INVALID);
	assert_string_equal(f->text, "offset 11 is past the end of 'n.txt', which has 10 lines");
}

/* Follows the cursors to the end and counts what it got. */
static size_t read_through(struct fixture *f, const char *name, int *ret_calls)
{
	char args[200], cursor[80] = "";
	size_t total = 0;

	for (*ret_calls = 0; *ret_calls < 10000; (*ret_calls)++) {
		const char *at, *end;

		snprintf(args, sizeof(args), cursor[0] ? "{\"path\":\"%s\",\"cursor\":\"%s\"}" : "{\"path\":\"%s\"}", name,
			 cursor);
		assert_int_equal(fixture_run(f, &tool_read, args), CH_OK);
		total += json_get(f->result.details, "content")->len;
		at = strstr(f->text, "Continue with cursor \"");
		if (!at)
			break;
		at = strchr(at, '"') + 1;
		end = strchr(at, '"');
		snprintf(cursor, sizeof(cursor), "%.*s", (int)(end - at), at);
		arena_clear(f->arena);
	}
	return total;
}

static void pages_through_a_huge_file(void **state)
{
	struct fixture *f = *state;
	struct stat st;
	char path[128];
	int calls;

	numbered(f, "huge.txt", 200000);
	snprintf(path, sizeof(path), "%s/huge.txt", f->root);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(read_through(f, "huge.txt", &calls), st.st_size);
	assert_true(calls > 50);
	assert_int_equal(fixture_run(f, &tool_read, "{\"path\":\"huge.txt\",\"offset\":199999}"), CH_OK);
	assert_int_equal(strncmp(f->text, "line 199999\nline 200000\n[", 25), 0);
}

static void pages_through_one_long_line(void **state)
{
	struct fixture *f = *state;
	CH_AUTO_BUF struct buf b = { 0 };
	int calls;

	buf_init(&b, 1u << 20);
	while (b.len < 200000)
		buf_puts(&b, "\xc3\xa9\xe2\x82\xac");      /* cut only between characters */
	fixture_put(f, "long.txt", b.data, b.len);
	assert_int_equal(read_through(f, "long.txt", &calls), b.len);
	assert_null(strstr(f->text, "\xef\xbf\xbd"));
	assert_int_equal(calls, 4);
}

static void notices_a_changed_file(void **state)
{
	struct fixture *f = *state;

	numbered(f, "n.txt", 10);
	assert_int_equal(fixture_run(f, &tool_read, "{\"path\":\"n.txt\",\"cursor\":\"2:7:1\"}"), CH_E_CONFLICT);
	assert_int_equal(fixture_run(f, &tool_read, "{\"path\":\"n.txt\",\"cursor\":\"2:7\"}"), CH_E_INVALID);
	assert_int_equal(fixture_run(f, &tool_read, "{\"path\":\"n.txt\",\"cursor\":\"-1:7:1\"}"), CH_E_INVALID);
}

static void refuses_binary_and_repairs_text(void **state)
{
	struct fixture *f = *state;

	fixture_put(f, "b.bin", "ab\0cd", 5);
	assert_int_equal(fixture_run(f, &tool_read, "{\"path\":\"b.bin\"}"), CH_E_INVALID);
	assert_non_null(strstr(f->text, "binary file (5 bytes)"));
	fixture_put(f, "latin.txt", "caf\xe9\n", 5);
	assert_int_equal(fixture_run(f, &tool_read, "{\"path\":\"latin.txt\"}"), CH_OK);
	assert_string_equal(f->text, "caf\xef\xbf\xbd\n\n[bytes that are not UTF-8 are shown as U+FFFD]");
}

static void reads_an_image(void **state)
{
	struct fixture *f = *state;
	static char big[6000001] = "\x89PNG\r\n\x1a\n";

	fixture_put(f, "a.png", "\x89PNG\r\n\x1a\nxyz", 11);
	assert_int_equal(fixture_run(f, &tool_read, "{\"path\":\"a.png\"}"), CH_OK);
	assert_string_equal(json_str(json_path(f->result.content, "1.type")), "image");
	assert_string_equal(json_str(json_path(f->result.content, "1.mimeType")), "image/png");
	assert_string_equal(json_str(json_path(f->result.content, "1.data")), "iVBORw0KGgp4eXo=");
	fixture_put(f, "big.png", big, sizeof(big) - 1);
	assert_int_equal(fixture_run(f, &tool_read, "{\"path\":\"big.png\"}"), CH_OK);
	assert_int_equal(json_path(f->result.content, "1.data")->len, 8000000);
	fixture_put(f, "big.png", big, sizeof(big));
	assert_int_equal(fixture_run(f, &tool_read, "{\"path\":\"big.png\"}"), CH_E_LIMIT);
}

static void writes(void **state)
{
	struct fixture *f = *state;
	char text[64], path[128];
	struct stat st;

	assert_int_equal(fixture_run(f, &tool_write, "{\"path\":\"a/b//c.txt\",\"content\":\"one\"}"), CH_OK);
	assert_string_equal(f->text, "Created a/b//c.txt (3 bytes).");
	assert_string_equal(fixture_get(f, "a/b/c.txt", text, sizeof(text)), "one");
	snprintf(path, sizeof(path), "%s/a/b/c.txt", f->root);
	assert_int_equal(chmod(path, 0750), 0);
	assert_int_equal(fixture_run(f, &tool_write, "{\"path\":\"a/b/c.txt\",\"content\":\"\"}"), CH_OK);
	assert_string_equal(f->text, "Replaced a/b/c.txt (0 bytes).");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0750);
	assert_int_equal(st.st_size, 0);
	/* A file where a directory is needed; nothing is left behind. */
	assert_int_equal(fixture_run(f, &tool_write, "{\"path\":\"a/b/c.txt/d\",\"content\":\"\"}"), CH_E_INVALID);
	assert_int_equal(fixture_run(f, &tool_list, "{\"depth\":5}"), CH_OK);
	assert_string_equal(f->text, "a/\tdirectory\na/b/\tdirectory\na/b/c.txt\tfile\t0 bytes");
}

static void edits(void **state)
{
	struct fixture *f = *state;
	char text[256];

	fixture_put(f, "e.txt", "alpha\nbeta\ngamma\n", 17);
	assert_int_equal(fixture_run(f, &tool_edit, "{\"path\":\"e.txt\",\"edits\":[{\"oldText\":\"gamma\",\"newText\":\"G\"},"
				     "{\"oldText\":\"alpha\",\"newText\":\"A\"}]}"), CH_OK);
	assert_string_equal(f->text, "Edited e.txt: 2 replacements.");
	assert_string_equal(fixture_get(f, "e.txt", text, sizeof(text)), "A\nbeta\nG\n");
	assert_string_equal(json_str(json_get(f->result.details, "diff")),
			    "@@ line 1 @@\n-alpha\n+A\n@@ line 3 @@\n-gamma\n+G\n");
	/* All or nothing. */
	assert_int_equal(fixture_run(f, &tool_edit, "{\"path\":\"e.txt\",\"edits\":[{\"oldText\":\"A\",\"newText\":\"x\"},"
				     "{\"oldText\":\"nowhere\",\"newText\":\"y\"}]}"), CH_E_INVALID);
	assert_non_null(strstr(f->text, "'e.txt' is unchanged: edit 2: oldText is not in the file"));
	assert_string_equal(fixture_get(f, "e.txt", text, sizeof(text)), "A\nbeta\nG\n");
	assert_int_equal(fixture_run(f, &tool_edit, "{\"path\":\"e.txt\",\"edits\":[{\"oldText\":\"A\",\"newText\":\"A\"}]}"),
			 CH_OK);
	assert_non_null(strstr(f->text, "No changes"));
}

static void lists(void **state)
{
	struct fixture *f = *state;
	char path[160];

	assert_int_equal(fixture_run(f, &tool_list, "{}"), CH_OK);
	assert_string_equal(f->text, "'.' is empty.");
	fixture_put(f, "z\x01\xff.txt", "1", 1);
	fixture_put(f, "a.txt", "12", 2);
	snprintf(path, sizeof(path), "%s/dir", f->root);
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof(path), "%s/ln", f->root);
	assert_int_equal(symlink("/etc", path), 0);
	assert_int_equal(fixture_run(f, &tool_list, "{\"depth\":3}"), CH_OK);
	assert_string_equal(f->text, "a.txt\tfile\t2 bytes\ndir/\tdirectory\nln\tlink\nz?\xef\xbf\xbd.txt\tfile\t1 bytes");
	for (int i = 0; i < 1010; i++) {
		snprintf(path, sizeof(path), "dir/%04d", i);
		fixture_put(f, path, "", 0);
	}
	assert_int_equal(fixture_run(f, &tool_list, "{\"path\":\"dir\"}"), CH_OK);
	assert_non_null(strstr(f->text, "[only 1000 entries are shown"));
}

static ch_status say_status(void *arg, const char *key, struct buf *ret, struct ch_err *err)
{
	buf_printf(ret, "{\"session\":\"%s\",\"tokens\":{\"input\":5},\"model\":\"offline/demo\"}", key);
	return CH_OK;
}

static void tells_the_status(void **state)
{
	struct fixture *f = *state;
	struct tool_host host = { .session_status = say_status };

	assert_int_equal(fixture_run(f, &tool_session_status, "{}"), CH_E_UNSUPPORTED);
	f->ctx.host = &host;
	assert_int_equal(fixture_run(f, &tool_session_status, "{}"), CH_OK);
	assert_string_equal(f->text, "session: agent:main:main\ntokens.input: 5\nmodel: offline/demo");
}

static void the_table_is_sorted_and_whole(void **state)
{
	struct fixture *f = *state;
	const struct tool *const *t;
	size_t n;

	t = tool_table(&n);
	assert_true(n >= 5);
	for (size_t i = 0; i < n; i++) {
		struct json *schema;

		assert_true(!i || strcmp(t[i - 1]->name, t[i]->name) < 0);
		assert_ptr_equal(tool_find(t[i]->name), t[i]);
		assert_true(t[i]->timeout_ms >= 0 && t[i]->out_max_bytes > 0 && t[i]->run && t[i]->label);
		assert_int_equal(json_parse(f->arena, t[i]->schema_json, strlen(t[i]->schema_json), 0, &schema, &f->err), 0);
		assert_string_equal(json_get_str(schema, "type"), "object");
		assert_false(json_get_bool(schema, "additionalProperties", true));
		assert_true(!t[i]->is_parallel || t[i]->risk == TOOL_READS);
	}
	assert_null(tool_find("nope"));
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(reads_a_whole_file), T(reads_lines), T(pages_through_a_huge_file), T(pages_through_one_long_line),
		T(notices_a_changed_file), T(refuses_binary_and_repairs_text), T(reads_an_image), T(writes), T(edits),
		T(lists), T(tells_the_status), T(the_table_is_sorted_and_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
