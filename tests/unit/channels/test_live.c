/*
 * channels/live: what is seen of a turn while it runs, and that the reply comes right after it.
 */
#include <string.h>

#include "channels/egress_priv.h"
#include "channels/host.h"
#include "channels/live.h"
#include "core/clock.h"
#include "core/fiber.h"
#include "core/mem.h"
#include "core/str.h"
#include "host_world.h"

static struct arena *mem;
static bool has_ended;

/* The fake network, with Telegram's markup. */
static struct chan_ops telegram;
static const struct chan_ops *const networks[] = { &fake_plain, &telegram, NULL };

static int set_up(void **state)
{
	telegram = fake_full;
	telegram.flavour = CHAN_TELEGRAM_HTML;
	has_ended = false;
	mem = arena_new(0);
	world_open();
	return 0;
}

static int tear_down(void **state)
{
	if (!has_ended)
		return 0;                /* a failure left the fibers where they were */
	world_close();
	arena_unref(mem);
	return 0;
}

static void pass_alive(int64_t ms)
{
	for (; ms > 0; ms -= 100) {
		clock_fake(now_mono_ms() + CH_MIN(ms, 100), now_wall_ms() + CH_MIN(ms, 100));
		chan_alive(chan_acct_find(host, "telegram", NULL));
		turns();
	}
}

static void body_fiber(void *arg)
{
	assert_int_equal(chan_host_start(host, &err), CH_OK);
	turns();
	body();
	chan_host_drain(host, fiber_deadline(1000));
	has_ended = true;
	loop_stop(loop);
}

/* The account's keys and the rest of the configuration, in JSON5. */
static void in_host(const char *keys, const char *rest, void (*fn)(void))
{
	CH_AUTO_STR char *text = ch_asprintf("{channels:{telegram:{botToken:'1:a',%s},irc:{host:'h',nick:'n'}},%s}", keys, rest);

	set_config(text);
	new_world_host("/nowhere", networks);
	in_world(body_fiber, fn);
}

static struct live_turn turn_of(enum chan_peer_kind kind, bool was_mentioned)
{
	return (struct live_turn){
		.run_id = "r", .session_key = "agent:main:main", .agent_id = "main", .is_group = kind != CHAN_DIRECT,
		.was_mentioned = was_mentioned,
		.place = { .channel = "telegram", .account = "default", .peer = { .kind = kind, .id = "7" }, .message_id = "42" },
	};
}

static struct chan_live *live(void)
{
	return chan_host_live(host);
}

static void begin(enum chan_peer_kind kind, bool was_mentioned)
{
	struct live_turn t = turn_of(kind, was_mentioned);

	live_begin(live(), &t);
	turns();
}

static void text(const char *s)
{
	live_text(live(), "r", s, strlen(s));
	turns();
}

static struct live_end end(bool is_error)
{
	struct live_end e;

	live_settle(live(), "r", fiber_deadline(1000));
	live_end(live(), "r", is_error, mem, &e);
	turns();
	return e;
}

/* -- typing -- */

static void typing_body(void)
{
	begin(CHAN_DIRECT, false);
	assert_int_equal(fake_count(FAKE_TYPING), 1);
	assert_true(fake_at(FAKE_TYPING, 0)->is_on);
	pass_alive(5900);
	assert_int_equal(fake_count(FAKE_TYPING), 1);
	pass_alive(200);
	assert_int_equal(fake_count(FAKE_TYPING), 2);
	end(false);
	assert_int_equal(fake_count(FAKE_TYPING), 3);
	assert_false(fake_at(FAKE_TYPING, 2)->is_on);
	pass_alive(20000);
	assert_int_equal(fake_count(FAKE_TYPING), 3);
}

static void test_typing_is_renewed_until_the_end(void **state)
{
	in_host("streaming:{mode:'off'}", "", typing_body);
}

static void typing_forever_body(void)
{
	begin(CHAN_DIRECT, false);
	pass_alive(LIVE_TYPING_MAX_MS + 60000);
	assert_int_equal(fake_count(FAKE_TYPING), LIVE_TYPING_MAX_MS / 6000);
	end(false);
}

static void test_typing_does_not_outlast_its_limit(void **state)
{
	in_host("streaming:{mode:'off'}", "", typing_forever_body);
}

static void typing_room_body(void)
{
	begin(CHAN_GROUP, false);
	pass_alive(1000);
	assert_int_equal(fake_count(FAKE_TYPING), 0);
	text("NO_RE");
	assert_int_equal(fake_count(FAKE_TYPING), 0);
	text("NO_REally, hello");
	assert_int_equal(fake_count(FAKE_TYPING), 1);
	end(false);
	begin(CHAN_GROUP, true);
	assert_int_equal(fake_count(FAKE_TYPING), 3);
	end(false);
}

static void test_typing_in_rooms_waits_for_something_to_say(void **state)
{
	in_host("streaming:{mode:'off'}", "", typing_room_body);
}

static void typing_fails_body(void)
{
	fake_answer_to(FAKE_TYPING, (struct fake_answer){ CHAN_REFUSED, .text = "no" });
	begin(CHAN_DIRECT, false);
	pass_alive(30000);
	assert_int_equal(fake_count(FAKE_TYPING), 1);
	end(false);
	assert_int_equal(fake_count(FAKE_TYPING), 1);
}

static void test_typing_that_fails_is_off_for_the_turn(void **state)
{
	in_host("streaming:{mode:'off'}", "", typing_fails_body);
}

static void typing_never_body(void)
{
	begin(CHAN_DIRECT, false);
	pass_alive(7000);
	end(false);
	assert_int_equal(fake_count(FAKE_TYPING), 0);
}

static void test_typing_mode_never(void **state)
{
	in_host("streaming:{mode:'off'}", "agents:{defaults:{typingMode:'never'}}", typing_never_body);
}

/* -- reactions -- */

static void ack_body(void)
{
	begin(CHAN_DIRECT, false);
	end(false);
	begin(CHAN_GROUP, false);
	end(false);
	assert_int_equal(fake_count(FAKE_REACT), 0);
	begin(CHAN_GROUP, true);
	assert_int_equal(fake_count(FAKE_REACT), 1);
	assert_string_equal(fake_at(FAKE_REACT, 0)->emoji, "👀");
	assert_string_equal(fake_at(FAKE_REACT, 0)->message_id, "42");
	end(false);
	pass_alive(5000);
	assert_int_equal(fake_count(FAKE_REACT), 1);
}

static void test_ack_for_mentions_in_groups(void **state)
{
	in_host("streaming:{mode:'off'}", "", ack_body);
}

static void ack_all_body(void)
{
	begin(CHAN_DIRECT, false);
	assert_int_equal(fake_count(FAKE_REACT), 1);
	assert_string_equal(fake_at(FAKE_REACT, 0)->emoji, "🔥");
	end(false);
	pass_alive(100);
	assert_int_equal(fake_count(FAKE_REACT), 2);
	assert_true(fake_at(FAKE_REACT, 1)->is_removed);
	assert_string_equal(fake_at(FAKE_REACT, 1)->emoji, "🔥");
}

static void test_ack_of_the_account_is_taken_back(void **state)
{
	in_host("streaming:{mode:'off'},ackReaction:'🔥'", "messages:{ackReaction:'👍',ackReactionScope:'all',removeAckAfterReply:true}",
		ack_all_body);
}

static void ack_none_body(void)
{
	begin(CHAN_GROUP, true);
	end(true);
	pass_alive(5000);
	assert_int_equal(fake_count(FAKE_REACT), 0);
}

static void test_ack_empty_is_none(void **state)
{
	in_host("streaming:{mode:'off'},ackReaction:''", "messages:{ackReaction:'👍',statusReactions:{enabled:true}}", ack_none_body);
}

static const char *shown(void)
{
	const char *now = "";

	for (size_t i = 0; i < fake_count(FAKE_REACT); i++)
		now = fake_at(FAKE_REACT, i)->is_removed ? "" : fake_at(FAKE_REACT, i)->emoji;
	return now;
}

static void status_body(void)
{
	begin(CHAN_GROUP, true);
	assert_string_equal(shown(), "👀");
	live_phase(live(), "r", "thinking");
	pass_alive(500);
	assert_string_equal(shown(), "👀");
	live_tool(live(), "r", "read", "a.c", false, false);
	pass_alive(1000);
	assert_string_equal(shown(), "👨‍💻");
	assert_int_equal(fake_count(FAKE_REACT), 3);
	pass_alive(10000);
	assert_string_equal(shown(), "🥱");
	pass_alive(20000);
	assert_string_equal(shown(), "😨");
	live_phase(live(), "r", "compacting");
	pass_alive(1000);
	assert_string_equal(shown(), "✍");
	end(true);
	assert_string_equal(shown(), "😱");
	pass_alive(2600);
	assert_string_equal(shown(), "👀");
}

static void test_status_reactions_follow_the_turn(void **state)
{
	in_host("streaming:{mode:'off'}", "messages:{statusReactions:{enabled:true}}", status_body);
}

/* -- previews -- */

static void partial_body(void)
{
	struct live_end e;

	begin(CHAN_DIRECT, false);
	text("Short");
	pass_alive(1000);
	assert_int_equal(fake_count(FAKE_SEND), 0);
	text("Short text that is long enough **now");
	assert_int_equal(fake_count(FAKE_SEND), 1);
	assert_string_equal(fake_at(FAKE_SEND, 0)->text, "Short text that is long enough **now");
	text("Short text that is long enough **now** and");
	text("Short text that is long enough **now** and more [[reply_to_curr");
	pass_alive(900);
	assert_int_equal(fake_count(FAKE_EDIT), 0);
	pass_alive(200);
	assert_int_equal(fake_count(FAKE_EDIT), 1);
	assert_string_equal(fake_at(FAKE_EDIT, 0)->message_id, "m1");
	assert_string_equal(fake_at(FAKE_EDIT, 0)->text, "Short text that is long enough <b>now</b> and more");
	pass_alive(5000);
	assert_int_equal(fake_count(FAKE_EDIT), 1);
	e = end(false);
	assert_string_equal(e.draft_id, "m1");
	assert_int_equal(e.sent_bytes, 0);
	pass_alive(2000);
	assert_int_equal(fake_count(FAKE_REMOVE), 0);
}

static void test_partial_preview_grows_and_is_replaced(void **state)
{
	in_host("streaming:{mode:'partial'}", "", partial_body);
}

static void partial_busy_body(void)
{
	struct live_end e;

	begin(CHAN_DIRECT, false);
	text("Long enough to be shown as a preview.");
	pass_alive(1100);
	fake_answer_to(FAKE_EDIT, (struct fake_answer){ CHAN_SENT, .hangs = true });
	text("Long enough to be shown as a preview. More.");
	assert_int_equal(fake_hanging(), 1);
	live_end(live(), "r", false, mem, &e);
	assert_null(e.draft_id);
	fake_release();
	turns();
	assert_int_equal(fake_count(FAKE_REMOVE), 1);
	assert_string_equal(fake_at(FAKE_REMOVE, 0)->message_id, "m1");
}

static void test_an_edit_on_its_way_never_undoes_the_reply(void **state)
{
	in_host("streaming:{mode:'partial'}", "", partial_busy_body);
}

static void partial_fails_body(void)
{
	struct live_end e;

	fake_answer_to(FAKE_EDIT, (struct fake_answer){ CHAN_REFUSED, .text = "gone" });
	begin(CHAN_DIRECT, false);
	text("Long enough to be shown as a preview.");
	pass_alive(1100);
	text("Long enough to be shown as a preview. More.");
	text("Long enough to be shown as a preview. More. And more.");
	pass_alive(5000);
	assert_int_equal(fake_count(FAKE_EDIT), 1);
	e = end(false);
	assert_null(e.draft_id);
	assert_int_equal(fake_count(FAKE_REMOVE), 1);
}

static void test_a_preview_that_cannot_be_edited_is_off(void **state)
{
	in_host("streaming:{mode:'partial'}", "", partial_fails_body);
}

/* -- a preview that grows -- */

static void begin_in_thread(void)
{
	struct live_turn t = turn_of(CHAN_DIRECT, false);

	t.place.peer.thread = "5";
	t.place.sender_id = "8";
	live_begin(live(), &t);
	turns();
}

static const struct fake_call *grew(size_t i, const char *piece, bool is_end)
{
	const struct fake_call *c = fake_at(FAKE_STREAM, i);

	assert_string_equal(c->text, piece);
	assert_int_equal(c->is_end, is_end);
	assert_int_equal(fake_count(FAKE_STREAM), i + 1);
	return c;
}

static void growing_body(void)
{
	struct live_end e;

	begin_in_thread();
	live_tool(live(), "r", "exec", "ls", false, false);
	pass_alive(2000);
	text("A text that is **long** enough to be seen");
	assert_null(grew(0, "A text that is **long** enough to be ", false)->message_id);
	pass_alive(1100);
	text("A text that is **long** enough to be seen by all");
	assert_string_equal(grew(1, "seen by ", false)->message_id, "m1");
	pass_alive(5000);
	e = end(false);
	assert_string_equal(grew(2, "all", true)->plain, "A text that is <b>long</b> enough to be seen by all");
	assert_string_equal(e.draft_id, "m1");
	pass_alive(2000);
	assert_int_equal(fake_count(FAKE_EDIT) + fake_count(FAKE_SEND) + fake_count(FAKE_REMOVE), 0);
}

static void test_a_preview_grows_where_it_can(void **state)
{
	in_host("streaming:{mode:'partial'}", "", growing_body);
}

static void not_growing_body(void)
{
	begin_in_thread();
	text("Long enough to be shown as a preview.");
	assert_int_equal(fake_count(FAKE_SEND), 1);
	assert_int_equal(fake_count(FAKE_STREAM), 0);
	end(false);
}

static void test_native_transport_can_be_switched_off(void **state)
{
	in_host("streaming:{mode:'partial',nativeTransport:false}", "", not_growing_body);
}

static void grown_otherwise_body(void)
{
	begin_in_thread();
	text("Let me look that up for you first.");
	grew(0, "Let me look that up for you ", false);
	pass_alive(1100);
	text("The answer is another text, and as long.");
	assert_string_equal(fake_at(FAKE_EDIT, 0)->message_id, "m1");
	assert_string_equal(fake_at(FAKE_EDIT, 0)->text, "The answer is another text, and as long.");
	pass_alive(1100);
	text("The answer is another text, and as long. More.");
	assert_int_equal(fake_count(FAKE_EDIT), 2);
	assert_string_equal(end(false).draft_id, "m1");
	assert_int_equal(fake_count(FAKE_STREAM), 1);
}

static void test_what_cannot_be_taken_back_is_edited(void **state)
{
	in_host("streaming:{mode:'partial'}", "", grown_otherwise_body);
}

static void growth_fails_body(void)
{
	fake_answer_to(FAKE_STREAM, (struct fake_answer){ CHAN_SENT });
	fake_answer_to(FAKE_STREAM, (struct fake_answer){ CHAN_UNSURE, .text = "no answer" });
	begin_in_thread();
	text("Long enough to be shown as a preview.");
	pass_alive(1100);
	text("Long enough to be shown as a preview. More of it.");
	assert_int_equal(fake_count(FAKE_STREAM), 2);
	assert_string_equal(fake_at(FAKE_EDIT, 0)->text, "Long enough to be shown as a preview. More of it.");
	assert_string_equal(end(false).draft_id, "m1");
	assert_int_equal(fake_count(FAKE_STREAM), 2);
}

static void test_a_piece_that_may_be_lost_is_not_sent_again(void **state)
{
	in_host("streaming:{mode:'partial'}", "", growth_fails_body);
}

static void growth_refused_body(void)
{
	fake_answer_to(FAKE_STREAM, (struct fake_answer){ CHAN_REFUSED, .text = "not here" });
	begin_in_thread();
	text("Long enough to be shown as a preview.");
	assert_int_equal(fake_count(FAKE_SEND), 1);
	end(false);
}

static void test_where_nothing_grows_it_is_posted(void **state)
{
	in_host("streaming:{mode:'partial'}", "", growth_refused_body);
}

static void busy_body(void)
{
	begin(CHAN_DIRECT, false);
	assert_string_equal(fake_at(FAKE_REACT, 0)->emoji, "hourglass");
	assert_false(fake_at(FAKE_REACT, 0)->is_removed);
	pass_alive(20000);
	assert_int_equal(fake_count(FAKE_REACT), 1);
	end(false);
	turns();
	assert_int_equal(fake_count(FAKE_REACT), 2);
	assert_true(fake_at(FAKE_REACT, 1)->is_removed);
}

static void test_a_reaction_can_stand_for_typing(void **state)
{
	in_host("typingReaction:'hourglass'", "", busy_body);
}

static void slow_peer_body(void)
{
	size_t counted = telegram.limits.peer_counts_posts ? 2 : 1;

	begin(CHAN_DIRECT, false);
	assert_int_equal(fake_count(FAKE_REACT), counted);
	pass_alive(2000);
	end(false);
}

static void test_reactions_wait_only_where_they_count(void **state)
{
	static const char rest[] = "messages:{ackReaction:'eyes',ackReactionScope:'all'}";

	telegram.limits.rate = 100;
	telegram.limits.burst = 100;
	telegram.limits.peer_rate = 1;
	telegram.limits.peer_burst = 1;
	in_host("typingReaction:'hourglass'", rest, slow_peer_body);
}

static void test_reactions_have_a_pace_of_their_own(void **state)
{
	telegram.limits.peer_counts_posts = true;
	test_reactions_wait_only_where_they_count(state);
}

static void asked_to_wait_body(void)
{
	begin(CHAN_DIRECT, false);
	text("Long enough to be shown as a preview.");
	pass_alive(1100);
	fake_answer_to(FAKE_EDIT, (struct fake_answer){ CHAN_NOT_SENT, .retry_after_ms = 5000 });
	text("Long enough to be shown as a preview. More.");
	assert_int_equal(fake_count(FAKE_EDIT), 1);
	assert_int_equal(pace_paused_ms(egress_pace(chan_host_egress(host)), "telegram", "default", NULL) > 0,
			 !telegram.limits.peer_counts_posts);
	pass_alive(4000);
	text("Long enough to be shown as a preview. More. And more.");
	assert_int_equal(fake_count(FAKE_EDIT), 1);
	pass_alive(2000);
	assert_int_equal(fake_count(FAKE_EDIT), 2);
	end(false);
}

static void test_a_slow_edit_holds_up_messages(void **state)
{
	in_host("streaming:{mode:'partial'}", "", asked_to_wait_body);
}

static void test_a_slow_edit_holds_up_no_messages(void **state)
{
	telegram.limits.peer_counts_posts = true;
	in_host("streaming:{mode:'partial'}", "", asked_to_wait_body);
}

static void short_edits_body(void)
{
	CH_AUTO_BUF struct buf long_text = { .max_bytes = 4096 };

	for (int i = 0; i < 40; i++)
		buf_printf(&long_text, "line %d\n", i);
	begin(CHAN_DIRECT, false);
	text(buf_str(&long_text));
	assert_true(strlen(fake_at(FAKE_SEND, 0)->text) <= 100);
	end(false);
}

static void test_a_preview_is_as_long_as_an_edit_may_be(void **state)
{
	telegram.limits.edit_max = 100;
	in_host("streaming:{mode:'partial'}", "", short_edits_body);
}

static void silent_body(void)
{
	begin(CHAN_DIRECT, false);
	text("NO_REPLY");
	pass_alive(5000);
	assert_int_equal(fake_count(FAKE_SEND), 0);
	end(false);
}

static void test_a_silent_reply_is_never_previewed(void **state)
{
	in_host("streaming:{mode:'partial'}", "", silent_body);
}

static void progress_body(void)
{
	struct live_end e;

	begin(CHAN_DIRECT, false);
	text("Only text, and much of it, for a while.");
	pass_alive(5000);
	assert_int_equal(fake_count(FAKE_SEND), 0);
	live_tool(live(), "r", "web_search", "cats & <dogs>", false, false);
	live_tool(live(), "r", "exec", "rm -rf secret", false, false);
	pass_alive(1400);
	assert_int_equal(fake_count(FAKE_SEND), 0);
	pass_alive(200);
	assert_int_equal(fake_count(FAKE_SEND), 1);
	assert_string_equal(fake_at(FAKE_SEND, 0)->text, "At it\n🛠️ web_search: cats &amp; &lt;dogs&gt;\n🛠️ exec");
	assert_true(fake_at(FAKE_SEND, 0)->is_silent);
	live_tool(live(), "r", "exec", "x", true, true);
	pass_alive(1100);
	assert_int_equal(fake_count(FAKE_EDIT), 1);
	assert_string_equal(fake_at(FAKE_EDIT, 0)->plain, "🛠️ web_search: cats & <dogs>\n🛠️ exec\n⚠️ exec");
	e = end(false);
	assert_null(e.draft_id);
	assert_int_equal(fake_count(FAKE_REMOVE), 1);
}

static void test_progress_shows_work_and_goes(void **state)
{
	in_host("streaming:{mode:'progress',progress:{label:'At it',toolProgress:true,maxLines:3}}", "", progress_body);
}

static void quick_body(void)
{
	begin(CHAN_DIRECT, false);
	live_tool(live(), "r", "read", NULL, false, false);
	pass_alive(1000);
	end(false);
	pass_alive(3000);
	assert_int_equal(fake_count(FAKE_SEND), 0);
}

static void test_quick_work_shows_no_progress(void **state)
{
	in_host("streaming:{mode:'progress'}", "", quick_body);
}

/* Previews that are noted as standing somewhere. */
static int64_t noted(void)
{
	struct db_stmt *s;
	int64_t n;
	bool row;

	assert_int_equal(db_prep(db, "SELECT count(*) FROM channel_cursors WHERE name LIKE 'preview:%'", &s, &err), CH_OK);
	assert_int_equal(db_step(s, &row, &err), CH_OK);
	n = db_int(s, 0);
	db_done(s);
	return n;
}

/* As after a kill: another process, which knows of no turn. */
static void left_body(void)
{
	struct chan_acct *acct = chan_acct_find(host, "telegram", NULL);
	struct chan_live *later = live_new(host);

	begin(CHAN_DIRECT, false);
	text("Long enough to be shown as a preview.");
	assert_int_equal(fake_count(FAKE_SEND), 1);
	assert_int_equal(noted(), 1);
	live_came_up(live(), acct);
	turns();
	assert_int_equal(fake_count(FAKE_REMOVE), 0);    /* its turn goes on */
	fake_answer_to(FAKE_REMOVE, (struct fake_answer){ CHAN_NOT_SENT, .text = "connection lost" });
	live_came_up(later, acct);
	turns();
	assert_int_equal(fake_count(FAKE_REMOVE), 1);
	assert_int_equal(noted(), 1);
	live_came_up(later, acct);
	turns();
	assert_int_equal(fake_count(FAKE_REMOVE), 2);
	assert_string_equal(fake_at(FAKE_REMOVE, 1)->peer, "7");
	assert_string_equal(fake_at(FAKE_REMOVE, 1)->message_id, "m1");
	assert_int_equal(noted(), 0);
	live_came_up(later, acct);
	turns();
	assert_int_equal(fake_count(FAKE_REMOVE), 2);
	live_free(later);
	end(false);
}

static void test_a_preview_that_a_crash_left_is_taken_away(void **state)
{
	in_host("streaming:{mode:'partial'}", "", left_body);
}

static void taken_body(void)
{
	struct chan_acct *acct = chan_acct_find(host, "telegram", NULL);
	struct live_end e;

	begin(CHAN_DIRECT, false);
	text("Long enough to be shown as a preview.");
	e = end(false);
	assert_string_equal(e.draft_id, "m1");
	live_came_up(live(), acct);
	turns();
	assert_int_equal(fake_count(FAKE_REMOVE), 0);    /* the reply that is being made takes its place */
	assert_int_equal(live_left_forget(live(), "telegram", "default", "r", &err), CH_OK);
	assert_int_equal(noted(), 0);
	begin(CHAN_DIRECT, false);
	text("Long enough to be shown as a preview.");
	pass_alive(1100);
	assert_int_equal(noted(), 1);
	end(true);
	assert_int_equal(fake_count(FAKE_REMOVE), 1);
	assert_int_equal(noted(), 0);
}

static void test_a_preview_is_noted_until_it_is_gone(void **state)
{
	in_host("streaming:{mode:'partial'}", "", taken_body);
}

/* -- blocks -- */

static void blocks_body(void)
{
	struct live_end e;
	const char *whole = "First paragraph of the reply.\n\nSecond paragraph, which is here too.\n\nThird and last.";

	begin(CHAN_DIRECT, false);
	text("First paragraph of the reply.\n\nSecond par");
	pass_alive(900);
	assert_int_equal(fake_count(FAKE_SEND), 0);
	pass_alive(200);
	assert_int_equal(fake_count(FAKE_SEND), 1);
	assert_string_equal(fake_at(FAKE_SEND, 0)->text, "First paragraph of the reply.");
	text("First paragraph of the reply.\n\nSecond paragraph, which is here too.\n\nThird and");
	pass_alive(1100);
	assert_int_equal(fake_count(FAKE_SEND), 2);
	assert_string_equal(fake_at(FAKE_SEND, 1)->text, "Second paragraph, which is here too.");
	text(whole);
	e = end(false);
	assert_null(e.draft_id);
	assert_string_equal(live_rest(&e, whole), "Third and last.");
	assert_string_equal(live_rest(&e, "Something else."), "Something else.");
	assert_string_equal(live_rest(&e, "Third and last."), "Third and last.");
	assert_string_equal(live_rest(&e, "paragraph, which is here too.\n\nThird and last."), "Third and last.");
}

/* The process that ends the run is not the one that sent its blocks. */
static void kept_body(void)
{
	struct chan_live *later = live_new(host);
	const char *whole = "First paragraph of the reply.\n\nSecond and last.";
	struct live_end e;

	begin(CHAN_DIRECT, false);
	text("First paragraph of the reply.\n\nSecond");
	pass_alive(1200);
	assert_int_equal(fake_count(FAKE_SEND), 1);
	live_end(later, "r", false, mem, &e);
	assert_null(e.text);
	assert_string_equal(live_rest(&e, whole), "Second and last.");
	assert_string_equal(live_rest(&e, "Another paragraph of a reply.\n\nSecond."), "Another paragraph of a reply.\n\nSecond.");
	live_end(later, "another", false, mem, &e);
	assert_int_equal(e.sent_bytes, 0);
	live_free(later);
	e = end(false);
	assert_string_equal(live_rest(&e, whole), "Second and last.");
}

static void test_blocks_are_known_after_a_crash(void **state)
{
	in_host("streaming:{block:{enabled:true}}", "agents:{defaults:{blockStreamingChunk:{minChars:20,maxChars:60}}}", kept_body);
}

static void test_blocks_are_sent_and_the_rest_is_the_reply(void **state)
{
	in_host("streaming:{block:{enabled:true}}", "agents:{defaults:{blockStreamingChunk:{minChars:20,maxChars:60}}}", blocks_body);
}

static void fence_body(void)
{
	struct live_end e;

	begin(CHAN_DIRECT, false);
	text("```\nline one of code\n\nline two of code\n\nline three of code\nMEDIA:/a\n");
	pass_alive(3000);
	assert_int_equal(fake_count(FAKE_SEND), 0);
	text("```\nline one of code\n\nline two of code\n\nline three of code\nMEDIA:/a\n```\nMEDIA:/b.png\nmore text here\n\nand here\n\n");
	pass_alive(3000);
	e = end(false);
	assert_true(e.sent_bytes <= strlen("```\nline one of code\n\nline two of code\n\nline three of code\nMEDIA:/a\n```\n"));
}

static void test_blocks_keep_fences_and_files_whole(void **state)
{
	in_host("streaming:{block:{enabled:true}}", "agents:{defaults:{blockStreamingChunk:{minChars:10,maxChars:30}}}", fence_body);
}

static void nothing_body(void)
{
	struct live_turn t = turn_of(CHAN_GROUP, true);
	struct live_end e;

	t.place.channel = "irc";
	live_begin(live(), &t);
	text("Text that could be shown if it were possible.");
	live_tool(live(), "r", "read", NULL, false, false);
	pass_alive(5000);
	e = end(false);
	assert_null(e.draft_id);
	assert_int_equal(fake_count(FAKE_SEND) + fake_count(FAKE_REACT) + fake_count(FAKE_TYPING), 0);
}

static void test_a_network_that_can_nothing_is_left_alone(void **state)
{
	in_host("", "", nothing_body);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_typing_is_renewed_until_the_end),
		T(test_typing_does_not_outlast_its_limit),
		T(test_typing_in_rooms_waits_for_something_to_say),
		T(test_typing_that_fails_is_off_for_the_turn),
		T(test_typing_mode_never),
		T(test_ack_for_mentions_in_groups),
		T(test_ack_of_the_account_is_taken_back),
		T(test_ack_empty_is_none),
		T(test_status_reactions_follow_the_turn),
		T(test_partial_preview_grows_and_is_replaced),
		T(test_an_edit_on_its_way_never_undoes_the_reply),
		T(test_a_preview_that_cannot_be_edited_is_off),
		T(test_a_preview_grows_where_it_can),
		T(test_native_transport_can_be_switched_off),
		T(test_what_cannot_be_taken_back_is_edited),
		T(test_a_piece_that_may_be_lost_is_not_sent_again),
		T(test_where_nothing_grows_it_is_posted),
		T(test_a_reaction_can_stand_for_typing),
		T(test_a_preview_is_as_long_as_an_edit_may_be),
		T(test_a_slow_edit_holds_up_messages),
		T(test_a_slow_edit_holds_up_no_messages),
		T(test_reactions_wait_only_where_they_count),
		T(test_reactions_have_a_pace_of_their_own),
		T(test_a_silent_reply_is_never_previewed),
		T(test_progress_shows_work_and_goes),
		T(test_a_preview_that_a_crash_left_is_taken_away),
		T(test_a_preview_is_noted_until_it_is_gone),
		T(test_quick_work_shows_no_progress),
		T(test_blocks_are_sent_and_the_rest_is_the_reply),
		T(test_blocks_are_known_after_a_crash),
		T(test_blocks_keep_fences_and_files_whole),
		T(test_a_network_that_can_nothing_is_left_alone),
	};

	return cmocka_run_group_tests_name("channels/live", tests, NULL, NULL);
}
