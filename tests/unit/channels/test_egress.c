/*
 * channels/egress, outbox: each way that a send can end at each point, order, restart, time, disk.
 */
#include "egress_host.h"

/* -- what ends well -- */

static void sent_body(void)
{
	struct chan_receipt r;
	int64_t id;

	start();
	id = put("7", "hello **you**");
	assert_int_equal(fake_count(FAKE_SEND), 1);
	assert_string_equal(fake_at(FAKE_SEND, 0)->text, "hello you");
	assert_string_equal(fake_at(FAKE_SEND, 0)->peer, "7");
	assert_int_equal(strlen(fake_at(FAKE_SEND, 0)->key), 32);
	assert_int_equal(egress_wait(out(), id, fiber_deadline(1000), scratch(), &r, &err), CH_OK);
	assert_string_equal(r.state, "sent");
	assert_string_equal(r.message_id, "m1");
	assert_string_equal(row_of(id).message, "");
	assert_int_equal(notice.count, 0);
}

static void test_sent_once_and_told(void **state)
{
	in_host(ONE, sent_body);
}

static void key_body(void)
{
	struct chan_message m = { .key = "run:1", .channel = "telegram", .peer = { .id = "7" }, .text = "once" };
	int64_t first, second = 0;

	start();
	first = put_as("7", "once", "run:1");
	turns();
	assert_int_equal(egress_put(out(), &m, &second, &err), CH_E_EXISTS);
	assert_int_equal(first, second);
	restart();
	assert_int_equal(egress_put(out(), &m, &second, &err), CH_E_EXISTS);
	assert_int_equal(first, second);
	turns();
	assert_int_equal(fake_count(FAKE_SEND), 1);
}

static void test_a_key_is_sent_once(void **state)
{
	in_host(ONE, key_body);
}

static void with_caller_body(void)
{
	struct chan_message m = { .key = "k", .channel = "telegram", .peer = { .id = "7" }, .text = "with you" };
	int64_t id;

	start();
	assert_int_equal(db_begin(db, &err), CH_OK);
	assert_int_equal(egress_put(out(), &m, &id, &err), CH_OK);
	db_rollback(db);
	turns();
	assert_int_equal(fake_count(FAKE_SEND), 0);
	assert_int_equal(db_begin(db, &err), CH_OK);
	assert_int_equal(egress_put(out(), &m, &id, &err), CH_OK);
	assert_int_equal(db_commit(db, &err), CH_OK);
	turns();
	assert_int_equal(fake_count(FAKE_SEND), 1);
}

static void test_put_joins_the_transaction_of_its_caller(void **state)
{
	in_host(ONE, with_caller_body);
}

static void order_body(void)
{
	char text[16];

	start();
	fake_answer((struct fake_answer){ CHAN_NOT_SENT });
	for (int i = 0; i < 5; i++) {
		snprintf(text, sizeof(text), "a%d", i);
		put_as("7", text, NULL);
	}
	turns();
	put("8", "b0");
	/* Place 7 has to wait, place 8 has not. */
	assert_int_equal(fake_count(FAKE_SEND), 2);
	assert_string_equal(fake_at(FAKE_SEND, 1)->text, "b0");
	pass(500);
	assert_int_equal(fake_count(FAKE_SEND), 7);
	for (int i = 0; i < 5; i++) {
		snprintf(text, sizeof(text), "a%d", i);
		assert_string_equal(fake_at(FAKE_SEND, (size_t)(i + 2))->text, text);
	}
}

static void test_order_is_kept_and_a_place_blocks_no_other(void **state)
{
	in_host(ONE, order_body);
}

/* -- what ends badly -- */

static void retries_body(void)
{
	int64_t id, waits = 0;

	start();
	for (int i = 0; i < CHAN_TRIES; i++)
		fake_answer((struct fake_answer){ CHAN_NOT_SENT, .text = "502" });
	id = put("7", "never");
	assert_string_equal(row_of(id).error, "502");
	while (row_of(id).state == OUTBOX_PENDING && waits < 400) {
		pass(1000);
		waits++;
	}
	assert_int_equal(fake_count(FAKE_SEND), CHAN_TRIES);
	assert_row(id, "failed");
	assert_in_range(waits, 45, 70);          /* 0.4 + 0.8 + 1.6 + … + 25.6 s */
	assert_int_equal(notice.count, 1);
	assert_string_equal(notice.session, "agent:main:main");
	assert_non_null(strstr(notice.text, "telegram 7"));
	assert_non_null(strstr(notice.text, "502"));
	assert_non_null(strstr(notice.text, "\"never\""));
	assert_non_null(strstr(notice.text, "chela channels dead-letters"));
	for (int i = 1; i < CHAN_TRIES; i++)
		assert_string_equal(fake_at(FAKE_SEND, (size_t)i)->key, fake_at(FAKE_SEND, 0)->key);
}

static void test_not_sent_is_tried_with_backoff_then_told(void **state)
{
	in_host(ONE, retries_body);
}

static void retry_after_body(void)
{
	int64_t id, other;

	start();
	fake_answer((struct fake_answer){ CHAN_NOT_SENT, .retry_after_ms = 20000, .text = "429" });
	id = put("7", "slow");
	other = put("8", "also");
	pass(19000);
	assert_int_equal(fake_count(FAKE_SEND), 1);      /* it was said for the account */
	assert_row(id, "pending");
	pass(1001);
	assert_row(id, "sent");
	assert_row(other, "sent");
	assert_int_equal(notice.count, 0);
}

static void test_retry_after_is_obeyed(void **state)
{
	in_host(ONE, retry_after_body);
}

static void refused_body(void)
{
	int64_t id, next;

	start();
	fake_answer((struct fake_answer){ CHAN_REFUSED, .text = "chat not found" });
	id = put_as("7", "to nobody", NULL);
	next = put("7", "after it");
	assert_row(id, "failed");
	assert_row(next, "sent");
	assert_int_equal(notice.count, 1);
	assert_non_null(strstr(notice.text, "chat not found"));
}

static void test_refused_is_told_and_the_next_one_goes(void **state)
{
	in_host(ONE, refused_body);
}

static struct { size_t count; struct egress_row last; } dead;

static void on_dead(void *arg, const struct egress_row *r)
{
	dead.count++;
	dead.last = *r;
}

static void dead_body(void)
{
	int64_t id;

	start();
	fake_answer((struct fake_answer){ CHAN_REFUSED, .text = "forbidden" });
	id = put("7", "wanted");
	memset(&dead, 0, sizeof(dead));
	assert_int_equal(egress_dead(out(), "telegram", NULL, 10, scratch(), on_dead, NULL, &err), CH_OK);
	assert_int_equal(dead.count, 1);
	assert_string_equal(dead.last.text, "wanted");
	assert_string_equal(dead.last.error, "forbidden");
	assert_string_equal(dead.last.peer.id, "7");
	assert_int_equal(egress_resubmit(out(), id, &err), CH_OK);
	turns();
	assert_row(id, "sent");
	assert_int_equal(egress_resubmit(out(), id, &err), CH_E_CONFLICT);
	assert_string_equal(fake_at(FAKE_SEND, 0)->key, fake_at(FAKE_SEND, 1)->key);
}

static void test_dead_letters_are_listed_and_sent_again(void **state)
{
	in_host(ONE, dead_body);
}

/* -- what may have arrived -- */

static void unsure_body(void)
{
	int64_t id;

	start();
	fake_answer((struct fake_answer){ CHAN_UNSURE, .text = "no answer" });
	fake_answer_to(FAKE_RECONCILE, (struct fake_answer){ CHAN_SENT });
	id = put("7", "was it you");
	pass(500);
	assert_int_equal(fake_count(FAKE_SEND), 1);
	assert_int_equal(fake_count(FAKE_RECONCILE), 1);
	assert_row(id, "sent");
	fake_answer((struct fake_answer){ CHAN_UNSURE });
	fake_answer_to(FAKE_RECONCILE, (struct fake_answer){ CHAN_NOT_SENT });
	id = put("7", "again");
	pass(500);
	assert_int_equal(fake_count(FAKE_SEND), 3);
	assert_row(id, "sent");
	fake_answer((struct fake_answer){ CHAN_UNSURE, .text = "cut" });
	fake_answer_to(FAKE_RECONCILE, (struct fake_answer){ CHAN_UNSURE });
	id = put("7", "who knows");
	pass(500);
	assert_int_equal(fake_count(FAKE_SEND), 4);
	assert_row(id, "unsure");
	assert_int_equal(notice.count, 1);
	assert_non_null(strstr(notice.text, "may not have arrived"));
}

static void test_unsure_is_reconciled_or_told_never_repeated(void **state)
{
	in_host(ONE, unsure_body);
}

static void plain_body(void)
{
	struct chan_message m = { .channel = "irc", .peer = { .kind = CHAN_GROUP, .id = "#room" }, .text = "line" };
	int64_t id;

	start();
	fake_answer((struct fake_answer){ CHAN_UNSURE, .text = "no answer" });
	assert_int_equal(egress_put(out(), &m, &id, &err), CH_OK);
	turns();
	assert_row(id, "unsure");        /* the network cannot look */
	pass(60000);
	assert_int_equal(fake_count(FAKE_SEND), 1);
	assert_int_equal(notice.count, 1);
}

static void test_unsure_without_reconcile_is_told_at_once(void **state)
{
	in_host(WITH_IRC, plain_body);
}

static void killed_body(void)
{
	int64_t first, second;

	start();
	fake_answer((struct fake_answer){ CHAN_SENT, .hangs = true });
	first = put_as("7", "cut off", NULL);
	second = put_as("7", "waits", NULL);
	turns();
	assert_int_equal(fake_hanging(), 1);
	assert_row(first, "sending");
	fake_answer_to(FAKE_RECONCILE, (struct fake_answer){ CHAN_SENT });
	restart();
	assert_int_equal(fake_count(FAKE_RECONCILE), 1);
	assert_string_equal(fake_at(FAKE_RECONCILE, 0)->key, fake_at(FAKE_SEND, 0)->key);
	assert_row(first, "sent");
	assert_row(second, "sent");
	assert_int_equal(fake_count(FAKE_SEND), 2);
	assert_int_equal(notice.count, 0);
}

static void test_a_send_that_a_restart_cut_is_looked_for(void **state)
{
	in_host(ONE, killed_body);
}

static void killed_plain_body(void)
{
	struct chan_message m = { .channel = "irc", .peer = { .kind = CHAN_GROUP, .id = "#room" }, .text = "line" };
	int64_t id;

	start();
	fake_answer((struct fake_answer){ CHAN_SENT, .hangs = true });
	assert_int_equal(egress_put(out(), &m, &id, &err), CH_OK);
	turns();
	restart();
	assert_row(id, "unsure");
	assert_int_equal(fake_count(FAKE_SEND), 1);
	assert_int_equal(notice.count, 1);
}

static void test_a_send_that_a_restart_cut_is_told_where_nobody_can_look(void **state)
{
	in_host(WITH_IRC, killed_plain_body);
}

static void waits_body(void)
{
	int64_t id;

	fake_hold_login(true);
	start();
	id = put("7", "later");
	assert_int_equal(egress_waiting(out(), "telegram", "default"), 1);
	pass(3600000);
	assert_int_equal(fake_count(FAKE_SEND), 0);
	restart();
	fake_connect(chan_acct_find(host, "telegram", NULL));
	turns();
	assert_row(id, "sent");
	assert_int_equal(egress_waiting(out(), "telegram", "default"), 0);
}

static void test_waits_for_the_account(void **state)
{
	in_host(ONE, waits_body);
}

static void expires_body(void)
{
	int64_t id;

	fake_hold_login(true);
	start();
	id = put("7", "too late");
	pass(CHAN_EXPIRES_MS - 1000);
	assert_row(id, "pending");
	pass(20 * 60000);
	assert_row(id, "failed");
	assert_int_equal(notice.count, 1);
	assert_int_equal(fake_count(FAKE_SEND), 0);
}

static void test_expires_after_a_day(void **state)
{
	in_host(ONE, expires_body);
}

static void login_body(void)
{
	int64_t id;

	start();
	fake_answer((struct fake_answer){ CHAN_REFUSED, .code = CH_E_UNPAIRED, .text = "token revoked" });
	id = put("7", "kept");
	assert_row(id, "pending");
	assert_int_equal(notice.count, 1);
	assert_non_null(strstr(notice.text, "token revoked"));
	pass(61000);
	assert_row(id, "sent");
	/* As Telegram and Discord say it (401): however often, while the account still counts as up. */
	for (int i = 0; i < 2 * (CHAN_TRIES + 2); i++)
		fake_answer((struct fake_answer){ CHAN_NOT_SENT, .code = CH_E_DENIED, .text = "401 Unauthorized" });
	id = put("8", "kept too");
	put("9", "and this one");
	for (int i = 0; i < CHAN_TRIES + 1; i++) {
		chan_alive(chan_acct_find(host, "telegram", "default"));
		pass(61000);
		assert_row(id, "pending");
	}
	chan_alive(chan_acct_find(host, "telegram", "default"));
	pass(61000);
	assert_row(id, "sent");
	assert_int_equal(notice.count, 2);       /* once for each time that the login went bad */
}

static void test_a_bad_login_loses_nothing(void **state)
{
	in_host(ONE, login_body);
}

/* -- the disk -- */

/* Each write of the way fails once: the message is sent once all the same. */
static void disk_body(void)
{
	start();
	for (int n = 1; n <= 6; n++) {
		size_t before = fake_count(FAKE_SEND);
		struct chan_message m = { .channel = "telegram", .peer = { .id = "7" }, .text = "careful" };
		int64_t id = 0;
		ch_status st;

		db_fail_nth(db, n);
		st = egress_put(out(), &m, &id, &err);
		if (st) {
			db_fail_nth(db, 0);
			continue;
		}
		turns();
		for (int i = 0; i < 4; i++)
			pass(6000);
		db_fail_nth(db, 0);
		assert_row(id, "sent");
		assert_int_equal(fake_count(FAKE_SEND), before + 1);
		assert_int_equal(fake_count(FAKE_RECONCILE), 0);
	}
	assert_int_equal(notice.count, 0);
	assert_true(fake_count(FAKE_SEND) >= 3);
}

static void test_a_disk_that_fails_doubles_nothing(void **state)
{
	in_host(ONE, disk_body);
}

/* A notice that is on the same disk; the fault is not its own. */
static void kept_notice(void *arg, const char *session_key, const char *text)
{
	const char *name = arena_printf(scratch(), "notice:%d", notice.count++);

	if (kv_put(db, name, text, &err))
		assert_int_equal(kv_put(db, name, text, &err), CH_OK);
}

static int64_t notices_kept(void)
{
	struct db_stmt *s;
	int64_t n;
	bool row;

	assert_int_equal(db_prep(db, "SELECT count(*) FROM kv WHERE name LIKE 'notice:%'", &s, &err), CH_OK);
	assert_int_equal(db_step(s, &row, &err), CH_OK);
	n = db_int(s, 0);
	db_done(s);
	return n;
}

/* The end of a row and the word of it are one write: neither is ever without the other. */
static void told_body(void)
{
	chan_host_set_up(host, &(struct chan_up){ .notice = kept_notice });
	start();
	for (int n = 1; n <= 8; n++) {
		int64_t before = notices_kept(), id;

		for (int i = 0; i < 3; i++)
			fake_answer((struct fake_answer){ CHAN_REFUSED, .text = "chat not found" });
		id = put("7", "hello");
		assert_row(id, "failed");
		assert_int_equal(notices_kept(), before + 1);
		assert_int_equal(egress_resubmit(out(), id, &err), CH_OK);
		db_fail_nth(db, n);
		for (int i = 0; i < 5; i++) {
			turns();
			assert_int_equal(notices_kept(), before + 1 + str_eq(outbox_state_name(row_of(id).state), "failed"));
			pass(6000);
		}
		db_fail_nth(db, 0);
		for (int i = 0; i < 5; i++)
			pass(6000);
		assert_row(id, "failed");        /* what was refused is never said to have maybe arrived */
		chan_alive(chan_acct_find(host, "telegram", NULL));
	}
	assert_int_equal(fake_count(FAKE_RECONCILE), 0);
}

static void test_an_end_is_told_in_the_same_write(void **state)
{
	in_host(ONE, told_body);
}

/* -- who waits -- */

static struct { int64_t id; ch_status st; struct chan_receipt receipt; bool is_over; } waiter;

static void wait_fiber(void *arg)
{
	waiter.st = egress_wait(out(), waiter.id, fiber_deadline(60000), scratch(), &waiter.receipt, NULL);
	waiter.is_over = true;
}

static void waited_body(void)
{
	start();
	fake_answer((struct fake_answer){ CHAN_REFUSED, .text = "chat not found", .hangs = true });
	waiter.id = put("7", "is anybody there");
	waiter.is_over = false;
	fiber_spawn(loop, "waiter", FIBER_DETACHED, wait_fiber, NULL);
	turns();
	assert_false(waiter.is_over);
	fake_release();
	turns();
	assert_true(waiter.is_over);
	assert_int_equal(waiter.st, CH_OK);
	assert_string_equal(waiter.receipt.state, "failed");
	assert_string_equal(waiter.receipt.error, "chat not found");
	assert_int_equal(notice.count, 0);       /* its answer says so */
}

static void test_who_waits_is_told_by_the_answer(void **state)
{
	in_host(ONE, waited_body);
}

static void no_login_body(void)
{
	struct chan_receipt r;
	int64_t id;

	fake_next_run(CH_E_DENIED, "token revoked");
	start();
	id = put("7", "for later");
	assert_int_equal(egress_wait(out(), id, fiber_deadline(60000), scratch(), &r, &err), CH_E_TIMEOUT);
	assert_string_equal(err.text, "the message waits in the outbox: Telegram (account default) is needs-login: token revoked");
	assert_string_equal(r.state, "pending");
	assert_int_equal(chan_start(host, "telegram", NULL, &err), CH_OK);
	turns();
	assert_row(id, "sent");
}

static void test_nobody_waits_for_an_account_that_waits_for_a_person(void **state)
{
	in_host(ONE, no_login_body);
}

/* -- what cannot be put -- */

static void invalid_body(void)
{
	struct chan_button b = { .text = "Yes", .data = "t" };
	struct chan_poll poll = { .question = "q", .options = (const char *const[]){ "a", "b" }, .option_count = 2 };
	struct chan_message m = { .channel = "telegram", .account = "nobody", .peer = { .id = "7" }, .text = "x" };
	int64_t id;

	start();
	assert_int_equal(egress_put(out(), &m, &id, &err), CH_E_INVALID);
	m.account = NULL;
	m.text = " \n";
	assert_int_equal(egress_put(out(), &m, &id, &err), CH_E_INVALID);
	m.text = "x";
	m.peer.id = "";
	assert_int_equal(egress_put(out(), &m, &id, &err), CH_E_INVALID);
	m = (struct chan_message){ .channel = "irc", .peer = { .id = "#r" }, .text = "x", .buttons = &b, .button_count = 1 };
	assert_int_equal(egress_put(out(), &m, &id, &err), CH_E_UNSUPPORTED);
	m = (struct chan_message){ .channel = "irc", .peer = { .id = "#r" }, .poll = &poll };
	assert_int_equal(egress_put(out(), &m, &id, &err), CH_E_UNSUPPORTED);
	assert_int_equal(egress_edit(out(), "irc", NULL, &m.peer, "1", "x", NULL, 0, &err), CH_E_UNSUPPORTED);
	assert_non_null(strstr(err.text, "it can: send"));
}

static void test_refuses_what_the_network_cannot(void **state)
{
	in_host(WITH_IRC, invalid_body);
}

static void acts_body(void)
{
	struct chan_peer peer = { .id = "7" };

	start();
	assert_int_equal(egress_edit(out(), "telegram", NULL, &peer, "9", "*new*", NULL, 0, &err), CH_OK);
	assert_string_equal(fake_at(FAKE_EDIT, 0)->text, "new");
	assert_int_equal(egress_remove(out(), "telegram", NULL, &peer, "9", &err), CH_OK);
	assert_int_equal(egress_react(out(), "telegram", NULL, &peer, "9", "x", true, &err), CH_OK);
	assert_true(fake_at(FAKE_REACT, 0)->is_removed);
	fake_answer_to(FAKE_REACT, (struct fake_answer){ CHAN_NOT_SENT, .retry_after_ms = 5000 });
	assert_int_equal(egress_react(out(), "telegram", NULL, &peer, "9", "x", false, &err), CH_E_BUSY);
	put("7", "waits for it");
	assert_int_equal(fake_count(FAKE_SEND), 0);
	pass(5001);
	assert_int_equal(fake_count(FAKE_SEND), 1);
}

static void test_acts_at_once_and_shares_the_pace(void **state)
{
	in_host(ONE, acts_body);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_sent_once_and_told),
		T(test_a_key_is_sent_once),
		T(test_put_joins_the_transaction_of_its_caller),
		T(test_order_is_kept_and_a_place_blocks_no_other),
		T(test_not_sent_is_tried_with_backoff_then_told),
		T(test_retry_after_is_obeyed),
		T(test_refused_is_told_and_the_next_one_goes),
		T(test_dead_letters_are_listed_and_sent_again),
		T(test_unsure_is_reconciled_or_told_never_repeated),
		T(test_unsure_without_reconcile_is_told_at_once),
		T(test_a_send_that_a_restart_cut_is_looked_for),
		T(test_a_send_that_a_restart_cut_is_told_where_nobody_can_look),
		T(test_waits_for_the_account),
		T(test_expires_after_a_day),
		T(test_a_bad_login_loses_nothing),
		T(test_a_disk_that_fails_doubles_nothing),
		T(test_an_end_is_told_in_the_same_write),
		T(test_who_waits_is_told_by_the_answer),
		T(test_nobody_waits_for_an_account_that_waits_for_a_person),
		T(test_refuses_what_the_network_cannot),
		T(test_acts_at_once_and_shares_the_pace),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
