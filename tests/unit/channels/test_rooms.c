/*
 * channels/rooms: settings that follow a room to its new id. How rooms are found and read is in test_access.
 */
#include "access_net.h"

#include "channels/rooms.h"
#include "core/file.h"
#include "core/loop.h"

static struct arena *arena;
static struct loop *loop;

static int setup(void **state)
{
	arena = arena_new(0);
	loop = loop_new();
	return scratch_make(state);
}

static int teardown(void **state)
{
	loop_free(loop);
	arena_unref(arena);
	return scratch_remove(state);
}

/* The file after a room went from -1 to -2; NULL: it was not written. */
static const char *moved(const char *before, const char *new_id, ch_status expect)
{
	const char *path = arena_printf(arena, "%s/chela.json", scratch_dir);
	struct config_store_opts opts = { .path = path, .state_dir = scratch_dir, .passive = true };
	struct config_store *store = NULL;
	CH_AUTO_BUF struct buf text = { 0 };
	ch_status st;

	ASSERT_OK(file_write_atomic(path, before, strlen(before), 0600, err));
	ASSERT_OK(config_store_open(loop, &opts, &store, err));
	st = rooms_move(store, &forum, "work", "-1", new_id, &scratch_err);
	config_store_close(store);
	if (st != expect)
		fail_msg("%s: %d: %s", before, st, scratch_err.text);
	ASSERT_OK(file_read(path, 4096, &text, err));
	return str_eq(buf_str(&text), before) ? NULL : arena_strdup(arena, buf_str(&text));
}

/* What channels.telegram is in a file, as JSON. */
static const char *section(const char *text)
{
	struct json *v = NULL;

	assert_non_null(text);
	ASSERT_OK(json_parse(arena, text, strlen(text), JSON_JSON5, &v, err));
	return json_to_str(arena, json_path(v, "channels.telegram"));
}

static void test_moves(void **state)
{
	assert_string_equal(section(moved("{channels:{telegram:{groups:{'-1':{requireMention:false},'-9':{}}}}}", "-2", CH_OK)),
			    "{\"groups\":{\"-9\":{},\"-2\":{\"requireMention\":false}}}");
	assert_string_equal(section(moved("{channels:{telegram:{groups:{'telegram:-1':{}}}}}", "-2", CH_OK)), "{\"groups\":{\"-2\":{}}}");
	assert_string_equal(section(moved("{channels:{telegram:{accounts:{work:{groups:{'-1':{a:1}}},play:{groups:{'-1':{}}}}}}}", "-2", CH_OK)),
			    "{\"accounts\":{\"work\":{\"groups\":{\"-2\":{\"a\":1}}},\"play\":{\"groups\":{\"-1\":{}}}}}");
}

static void test_stays(void **state)
{
	assert_null(moved("{channels:{telegram:{groups:{'-9':{},'*':{}}}}}", "-2", CH_OK));
	assert_null(moved("{channels:{telegram:{groups:{'-1':{},'-2':{requireMention:true}}}}}", "-2", CH_OK));
	assert_null(moved("{channels:{telegram:{configWrites:false,groups:{'-1':{}}}}}", "-2", CH_OK));
	assert_null(moved("{}", "-2", CH_OK));
	/* Not an id: nobody gets what the room had. */
	assert_null(moved("{channels:{telegram:{groups:{'-1':{}}}}}", "*", CH_E_INVALID));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_moves),
		cmocka_unit_test(test_stays),
	};

	return cmocka_run_group_tests_name("rooms", tests, setup, teardown);
}
