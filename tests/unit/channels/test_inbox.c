/*
 * channels/inbox: taken once, kept in order, ended once; JSON there and back; nothing half written when a write fails.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "channels/inbox.h"
#include "channels/route.h"
#include "core/clock.h"
#include "core/mem.h"
#include "core/str.h"
#include "fake_network.h"

#define NET "telegram"
#define ACCT "default"
#define DAY_MS 86400000LL

static struct db *db;
static struct arena *a;
static struct ch_err err;

static int set_up(void **state)
{
	assert_int_equal(db_open(":memory:", DB_CREATE, &db, &err), CH_OK);
	clock_fake(1000000, 1795332738000);
	a = arena_new(0);
	return 0;
}

static int tear_down(void **state)
{
	arena_unref(a);
	db_close(db);
	clock_real();
	return 0;
}

/* -- helpers -- */

static struct chan_in said(const char *event_id, const char *text)
{
	return fake_message(event_id, CHAN_DIRECT, "42", "42", text);
}

static size_t take(const struct chan_in *in, size_t count)
{
	size_t fresh = 99;

	if (inbox_append(db, NET, ACCT, in, count, NULL, NULL, &fresh, &err))
		fail_msg("%s", err.text);
	return fresh;
}

static const char *lane_of(const struct chan_in *in)
{
	return chan_lane(a, NET, ACCT, &in->peer);
}

static struct inbox_row next_of(const struct chan_in *in)
{
	struct inbox_row r;

	if (inbox_next(db, lane_of(in), a, &r, &err))
		fail_msg("%s", err.text);
	return r;
}

static int64_t count(const char *where)
{
	struct db_stmt *row;
	int64_t n;
	bool found;

	assert_int_equal(db_prep(db, arena_printf(a, "SELECT count(*) FROM channel_inbox WHERE %s", where), &row, &err), CH_OK);
	assert_int_equal(db_step(row, &found, &err), CH_OK);
	n = db_int(row, 0);
	db_done(row);
	return n;
}

struct list { size_t n; const char *text[8]; };

static void add(void *arg, const struct inbox_row *r)
{
	struct list *l = arg;
	struct chan_in in;

	assert_int_equal(chan_in_read(r->payload, strlen(r->payload), a, &in, &err), CH_OK);
	l->text[l->n++] = in.text;
}

/* -- JSON -- */

static const struct chan_in *everything(void)
{
	static const char *const roles[] = { "r1", "r2", NULL };
	static const struct chan_quote quote = { "9", "43", "Bob", "what he said", false };
	static const struct chan_media_in media[] = {
		{ CHAN_IMAGE, "ref-1", "a.png", "image/png", 17, NULL }, { CHAN_STICKER, "ref-2", NULL, NULL, 0, "🙂" },
	};
	static const struct chan_location place = { 52.5, -13.25, 12, true, "There", "Street 1" };
	static const struct chan_in in = {
		.kind = CHAN_IN_COMMAND, .event_id = "e1", .message_id = "m1", .group_id = "g1", .at_ms = 123,
		.peer = { CHAN_GROUP, "-100", "7", "p", "guild", "team", "Room" },
		.sender = { "42", "Ada", "ada_l", roles, true, true }, .text = "/new \"x\"\n<b>", .is_mentioned = true,
		.mentions_others = true, .can_mention = true, .is_forwarded = true, .quote = &quote, .media = media, .media_count = 2,
		.location = &place, .emoji = "👍", .is_removed = true, .data = "d:1", .handle = "https://h",
	};

	return &in;
}

static void test_a_message_is_the_same_after_reading(void **state)
{
	CH_AUTO_BUF struct buf one = { 0 }, two = { 0 };
	struct chan_in in;

	buf_init(&one, 1 << 20);
	buf_init(&two, 1 << 20);
	assert_int_equal(chan_in_write(everything(), &one, &err), CH_OK);
	assert_int_equal(chan_in_read(buf_str(&one), one.len, a, &in, &err), CH_OK);
	assert_int_equal(chan_in_write(&in, &two, &err), CH_OK);
	assert_string_equal(buf_str(&one), buf_str(&two));
	assert_string_equal(in.sender.roles[1], "r2");
	assert_int_equal(in.media[1].kind, CHAN_STICKER);
	assert_true(in.location->is_live && in.location->lon == -13.25);
}

static void test_reading_refuses_what_was_never_written(void **state)
{
	static const char *const bad[] = {
		"", "[]", "{}", "{\"kind\":\"message\"}",
		"{\"kind\":\"dance\",\"event\":\"e\",\"peer\":{\"kind\":\"direct\",\"id\":\"1\"},\"sender\":{}}",
		"{\"kind\":\"message\",\"event\":\"\",\"peer\":{\"kind\":\"direct\",\"id\":\"1\"},\"sender\":{}}",
		"{\"kind\":\"message\",\"event\":1,\"peer\":{\"kind\":\"direct\",\"id\":\"1\"},\"sender\":{}}",
		"{\"kind\":\"message\",\"event\":\"e\",\"peer\":{\"kind\":\"moon\",\"id\":\"1\"},\"sender\":{}}",
		"{\"kind\":\"message\",\"event\":\"e\",\"peer\":{\"kind\":\"direct\",\"id\":\"1\"},\"sender\":{\"bot\":1}}",
		"{\"kind\":\"message\",\"event\":\"e\",\"peer\":{\"kind\":\"direct\",\"id\":\"1\"},\"sender\":{},\"text\":\"a\\u0000b\"}",
		"{\"kind\":\"message\",\"event\":\"e\",\"peer\":{\"kind\":\"direct\",\"id\":\"1\"},\"sender\":{},\"at\":-1}",
		"{\"kind\":\"message\",\"event\":\"e\",\"peer\":{\"kind\":\"direct\",\"id\":\"1\"},\"sender\":{},\"location\":{\"lat\":91,\"lon\":0}}",
		"{\"kind\":\"message\",\"event\":\"e\",\"peer\":{\"kind\":\"direct\",\"id\":\"1\"},\"sender\":{},\"media\":[{\"kind\":\"x\"}]}",
	};
	struct chan_in in;

	for (size_t i = 0; i < CH_ARRAY_LEN(bad); i++)
		if (!chan_in_read(bad[i], strlen(bad[i]), a, &in, &err))
			fail_msg("%s was read", bad[i]);
}

static void test_long_texts_are_cut_and_long_ids_are_refused(void **state)
{
	CH_AUTO_BUF struct buf out = { 0 };
	char *text = arena_alloc(a, CHAN_TEXT_MAX + 100), *id = arena_alloc(a, CHAN_ID_MAX + 2);
	struct chan_in in = said("e", text), read;

	memset(text, 'x', CHAN_TEXT_MAX + 50);
	memset(id, 'i', CHAN_ID_MAX + 1);
	buf_init(&out, 1 << 20);
	assert_int_equal(chan_in_write(&in, &out, &err), CH_OK);
	assert_int_equal(chan_in_read(buf_str(&out), out.len, a, &read, &err), CH_OK);
	assert_non_null(strstr(read.text, "[cut here"));
	in.peer.id = id;
	buf_clear(&out);
	assert_int_equal(chan_in_write(&in, &out, &err), CH_E_INVALID);
}

/* -- taking in -- */

static void test_an_event_is_taken_once(void **state)
{
	struct chan_in in[] = { said("e1", "one"), said("e2", "two"), said("e1", "one again") };

	assert_int_equal(take(in, 3), 2);
	assert_int_equal(take(in, 2), 0);
	assert_int_equal(inbox_end(db, next_of(in).id, INBOX_ANSWERED, NULL, &err), CH_OK);
	assert_int_equal(take(in, 1), 0);        /* its tombstone knows it */
	assert_string_equal(next_of(in).event_id, "e2");
}

static void test_what_cannot_be_kept_does_not_hold_up_the_rest(void **state)
{
	struct chan_in in[] = { said("", "no id"), said("e2", "two") };

	assert_int_equal(take(in, 2), 1);
	assert_string_equal(next_of(&in[1]).event_id, "e2");
}

static void test_rows_and_cursor_are_one_write(void **state)
{
	struct chan_in in[] = { said("e1", "one"), said("e2", "two") };
	const char *cursor;
	size_t fresh;

	for (int n = 1; n < 20; n++) {
		ch_status st;

		db_fail_nth(db, n);
		st = inbox_append(db, NET, ACCT, in, 2, "offset", "7", &fresh, &err);
		db_fail_nth(db, 0);
		assert_int_equal(inbox_cursor_get(db, NET, ACCT, "offset", a, &cursor, &err), CH_OK);
		if (!st) {
			assert_int_equal(count("1"), 2);
			assert_string_equal(cursor, "7");
			return;
		}
		assert_int_equal(count("1"), 0);
		assert_null(cursor);
	}
	fail_msg("the writes do not end");
}

/* -- states -- */

static void test_a_row_ends_once(void **state)
{
	struct chan_in in = said("e1", "one");
	int64_t id;

	take(&in, 1);
	id = next_of(&in).id;
	assert_int_equal(inbox_hand(db, id, "agent:main:main", "chan:1", &err), CH_OK);
	assert_int_equal(inbox_hand(db, id, "agent:main:main", "chan:1", &err), CH_E_CONFLICT);
	assert_int_equal(inbox_end(db, id, INBOX_ANSWERED, NULL, &err), CH_OK);
	assert_int_equal(inbox_end(db, id, INBOX_DROPPED, NULL, &err), CH_E_CONFLICT);
	assert_int_equal(count("state = 'answered' AND payload IS NULL AND ended_at > 0"), 1);
}

static void test_all_rows_of_a_run_are_renamed_together(void **state)
{
	struct chan_in in[] = { said("e1", "one"), said("e2", "two"), said("e3", "three") };
	struct list l = { 0 };

	take(in, 3);
	assert_int_equal(inbox_hand(db, next_of(in).id, "s", "chan:1", &err), CH_OK);
	assert_int_equal(inbox_hand(db, next_of(in).id, "s", "chan:1", &err), CH_OK);
	assert_int_equal(inbox_handed_of(db, "s", a, add, &l, &err), CH_OK);
	assert_int_equal(l.n, 2);
	assert_int_equal(inbox_rename_run(db, "chan:1", "chan:1:again", &err), CH_OK);
	assert_int_equal(count("state = 'handed' AND run_id = 'chan:1:again'"), 2);
	assert_string_equal(next_of(in).event_id, "e3");
}

static void test_what_was_overheard_waits_and_is_pushed_out(void **state)
{
	struct chan_in in[] = { said("e1", "one"), said("e2", "two"), said("e3", "three"), said("e4", "four") };
	struct list l = { 0 };

	take(in, 4);
	for (int i = 0; i < 3; i++)
		assert_int_equal(inbox_end(db, next_of(in).id, INBOX_OVERHEARD, NULL, &err), CH_OK);
	assert_int_equal(inbox_forget_overheard(db, lane_of(in), 0, 2, &err), CH_OK);
	assert_int_equal(inbox_overheard(db, lane_of(in), next_of(in).id, 10, a, add, &l, &err), CH_OK);
	assert_int_equal(l.n, 2);
	assert_string_equal(l.text[0], "two");
	assert_string_equal(l.text[1], "three");
	assert_int_equal(inbox_forget_overheard(db, lane_of(in), next_of(in).id, 0, &err), CH_OK);
	assert_int_equal(count("state = 'overheard'"), 0);
}

/* Rows as they would come to be in time, so many that one by one would take too long. */
static void put_rows(const char *state, int64_t n)
{
	struct db_stmt *row;

	assert_int_equal(db_prep(db, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1) "
				 "INSERT INTO channel_inbox (channel, account, event_id, lane, kind, state, payload, received_at) "
				 "SELECT 'telegram', 'default', ?2 || i, 'lane' || (i / 40), 'message', ?2, '{}', ?3 FROM n", &row,
				 &err), CH_OK);
	db_bind_int(row, 1, n);
	db_bind_text(row, 2, state);
	db_bind_int(row, 3, now_wall_ms());
	assert_int_equal(db_run(row, NULL, &err), CH_OK);
}

static void test_threat_flood_overheard_threads_do_not_make_deaf(void **state)
{
	struct chan_in in[1] = { said("e1", "are you there?") };
	size_t room = 0;

	put_rows("overheard", INBOX_OPEN_MAX + 1);
	assert_int_equal(take(in, 1), 1);
	assert_int_equal(inbox_room(db, NET, ACCT, &room, &err), CH_OK);
	assert_int_equal(room, INBOX_OPEN_MAX - 1);
	assert_int_equal(inbox_prune(db, now_wall_ms(), &err), CH_OK);
	assert_int_equal(count("state = 'overheard'"), INBOX_KEEP_MAX);
	assert_int_equal(count("state = 'overheard' AND event_id = 'overheard50001'"), 1);
	put_rows("received", INBOX_OPEN_MAX);
	assert_int_equal(inbox_room(db, NET, ACCT, &room, &err), CH_OK);
	assert_int_equal(room, 0);
	assert_int_equal(inbox_room(db, NET, "another", &room, &err), CH_OK);
	assert_int_equal(room, INBOX_OPEN_MAX);
}

static void test_a_dead_letter_can_be_tried_again(void **state)
{
	struct chan_in in = said("e1", "one");
	struct list l = { 0 };
	int64_t id;

	take(&in, 1);
	id = next_of(&in).id;
	assert_int_equal(inbox_resubmit(db, id, &err), CH_E_CONFLICT);
	assert_int_equal(inbox_end(db, id, INBOX_DEAD, "no agent", &err), CH_OK);
	assert_int_equal(inbox_dead(db, NET, NULL, 10, a, add, &l, &err), CH_OK);
	assert_int_equal(l.n, 1);
	assert_int_equal(inbox_resubmit(db, id, &err), CH_OK);
	assert_string_equal(next_of(&in).event_id, "e1");
}

static void put_aside(void *arg, const struct inbox_row *r)
{
	assert_int_equal(r->attempts, INBOX_TRIES_MAX);
	assert_int_equal(inbox_end(db, r->id, INBOX_DEAD, "tried", &err), CH_OK);
}

/* The first of a lane may be what stops the program each time; those behind it are not. */
static void test_threat_poison_a_row_that_stops_the_program_is_put_aside(void **state)
{
	struct chan_in in[] = { said("e1", "poison"), said("e2", "two") };

	take(in, 2);
	for (int i = 0; i < INBOX_TRIES_MAX; i++) {
		assert_string_equal(next_of(in).event_id, "e1");
		assert_int_equal(inbox_count_tries(db, a, put_aside, NULL, &err), CH_OK);
	}
	assert_string_equal(next_of(in).event_id, "e2");
	assert_int_equal(count("state = 'dead'"), 1);
}

static void test_ended_rows_are_forgotten_in_time(void **state)
{
	struct chan_in in[] = { said("e1", "one"), said("e2", "two") };

	take(in, 2);
	assert_int_equal(inbox_end(db, next_of(in).id, INBOX_ANSWERED, NULL, &err), CH_OK);
	assert_int_equal(inbox_prune(db, now_wall_ms() + INBOX_KEEP_MS - DAY_MS, &err), CH_OK);
	assert_int_equal(count("1"), 2);
	assert_int_equal(inbox_prune(db, now_wall_ms() + INBOX_KEEP_MS + DAY_MS, &err), CH_OK);
	assert_int_equal(count("1"), 1);         /* what nobody handled stays, however old */
}

static void test_places_go_with_their_sessions(void **state)
{
	struct db_stmt *row;
	bool found;

	assert_int_equal(db_exec(db, "INSERT INTO sessions (key, agent_id, session_id, created_at, updated_at) "
				 "VALUES ('agent:main:here', 'main', 's1', 1, 1);"
				 "INSERT INTO channel_places (session_key, channel, account, peer, at) VALUES "
				 "('agent:main:here', 'telegram', 'default', '{}', 1), "
				 "('agent:main:gone', 'telegram', 'default', '{}', 1)", &err), CH_OK);
	assert_int_equal(inbox_prune(db, now_wall_ms(), &err), CH_OK);
	assert_int_equal(db_prep(db, "SELECT group_concat(session_key) FROM channel_places", &row, &err), CH_OK);
	assert_int_equal(db_step(row, &found, &err), CH_OK);
	assert_string_equal(db_text(row, 0), "agent:main:here");
	db_done(row);
}

static void test_lanes_are_apart(void **state)
{
	struct chan_in in[] = { said("e1", "one"), fake_message("e2", CHAN_GROUP, "-5", "42", "two") };

	take(in, 2);
	assert_string_not_equal(lane_of(&in[0]), lane_of(&in[1]));
	assert_string_equal(next_of(&in[1]).event_id, "e2");
	assert_string_equal(next_of(&in[0]).event_id, "e1");
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(test_a_message_is_the_same_after_reading),
		T(test_reading_refuses_what_was_never_written),
		T(test_long_texts_are_cut_and_long_ids_are_refused),
		T(test_an_event_is_taken_once),
		T(test_what_cannot_be_kept_does_not_hold_up_the_rest),
		T(test_rows_and_cursor_are_one_write),
		T(test_a_row_ends_once),
		T(test_all_rows_of_a_run_are_renamed_together),
		T(test_what_was_overheard_waits_and_is_pushed_out),
		T(test_threat_flood_overheard_threads_do_not_make_deaf),
		T(test_a_dead_letter_can_be_tried_again),
		T(test_threat_poison_a_row_that_stops_the_program_is_put_aside),
		T(test_ended_rows_are_forgotten_in_time),
		T(test_places_go_with_their_sessions),
		T(test_lanes_are_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
