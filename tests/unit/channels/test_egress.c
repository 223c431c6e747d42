/*
 * channels/egress, outbox: each way that a send can end at each point, order, restart, time, disk.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "channels/egress.h"
#include "channels/outbox.h"
#include "core/clock.h"
#include "core/fiber.h"
#include "core/file.h"
#include "core/mem.h"
#include "core/str.h"
#include "fake_network.h"

#define ONE "{channels:{telegram:{botToken:'1:a'}}}"
#define WITH_IRC "{channels:{telegram:{botToken:'1:a'},irc:{host:'irc.example.org',nick:'bot'}}}"

static struct loop *loop;
static struct db *db;
static struct config *config;
static struct chan_host *host;
static struct ch_err err;
static char dir[32];
static void (*body)(void);
static struct { char text[600]; char session[64]; int count; } notice;

static struct config *config_now(void *arg)
{
	return config;
}

static void set_config(const char *text)
{
	config_unref(config);
	if (config_parse(text, strlen(text), NULL, &config, &err))
		fail_msg("%s", err.text);
	if (host)
		chan_host_config_changed(host);
}

static void on_notice(void *arg, const char *session_key, const char *text)
{
	notice.count++;
	snprintf(notice.text, sizeof(notice.text), "%s", text);
	snprintf(notice.session, sizeof(notice.session), "%s", session_key ? session_key : "");
}

static ch_status workspace(void *arg, const char *agent_id, struct arena *a, const char **ret, struct ch_err *e)
{
	*ret = arena_printf(a, "%s/workspace", dir);
	return CH_OK;
}

static void identity(void *arg, const char *agent_id, struct arena *a, const char **ret_name, const char **ret_emoji)
{
	*ret_name = "Molly";
	*ret_emoji = NULL;
}

static void new_host(void)
{
	host = chan_host_new(&(struct chan_host_opts){ .loop = loop, .db = db, .state_dir = dir, .config = config_now,
						       .networks = fake_networks });
	chan_host_set_up(host, &(struct chan_up){ .notice = on_notice, .workspace = workspace, .identity = identity });
}

static int set_up(void **state)
{
	fake_reset();
	memset(&notice, 0, sizeof(notice));
	memset(&err, 0, sizeof(err));
	config = NULL;
	host = NULL;
	snprintf(dir, sizeof(dir), "/tmp/chela-egress-XXXXXX");
	assert_non_null(mkdtemp(dir));
	loop = loop_new();
	assert_int_equal(db_open(":memory:", DB_CREATE, &db, &err), CH_OK);
	clock_fake(1000000, 1795332738000);
	set_config("{}");
	new_host();
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	return remove(path);
}

static int tear_down(void **state)
{
	chan_host_free(host);
	config_unref(config);
	db_close(db);
	loop_free(loop);
	clock_real();
	fake_reset();
	nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return 0;
}

static void turns(void)
{
	for (int i = 0; i < 30; i++)
		assert_int_equal(fiber_yield(), CH_OK);
}

static void pass(int64_t ms)
{
	clock_fake(now_mono_ms() + ms, now_wall_ms() + ms);
	turns();
}

/* Time goes on while the host waits for what is being sent. */
static bool is_drained;

static void tick(void *arg)
{
	while (!is_drained) {
		for (int i = 0; i < 5; i++)
			if (fiber_yield())
				return;
		clock_fake(now_mono_ms() + 100, now_wall_ms() + 100);
	}
}

static void drain(void)
{
	struct fiber *ticker;

	is_drained = false;
	ticker = fiber_spawn(loop, "tick", FIBER_JOINABLE, tick, NULL);
	chan_host_drain(host, fiber_deadline(4000));
	is_drained = true;
	assert_int_equal(fiber_join(ticker, fiber_deadline(60000)), CH_OK);
}

static void start(void)
{
	assert_int_equal(chan_host_start(host, &err), CH_OK);
	turns();
}

/* The gateway goes, whatever is at the network then, and comes again on the same database. */
static void restart(void)
{
	drain();
	chan_host_free(host);
	new_host();
	start();
}

static void body_fiber(void *arg)
{
	body();
	drain();
	loop_stop(loop);
}

static void in_host(const char *text, void (*fn)(void))
{
	set_config(text);
	body = fn;
	fiber_spawn(loop, "test", FIBER_DETACHED, body_fiber, NULL);
	loop_run(loop);
}

static struct chan_egress *out(void)
{
	return chan_host_egress(host);
}

static int64_t put_as(const char *peer, const char *text, const char *key)
{
	struct chan_message m = { .key = key, .channel = "telegram", .peer = { .kind = CHAN_DIRECT, .id = peer }, .text = text,
				  .origin = "reply", .session_key = "agent:main:main", .run_id = "r1" };
	int64_t id = 0;

	if (egress_put(out(), &m, &id, &err))
		fail_msg("%s", err.text);
	return id;
}

static int64_t put(const char *peer, const char *text)
{
	int64_t id = put_as(peer, text, NULL);

	turns();
	return id;
}

static struct arena *scratch(void)
{
	static struct arena *a;

	if (!a)
		a = arena_new(0);
	return a;
}

static struct outbox_row row_of(int64_t id)
{
	struct outbox_row r;

	assert_int_equal(outbox_get(db, id, scratch(), &r, &err), CH_OK);
	return r;
}

#define assert_row(id, want) assert_string_equal(outbox_state_name(row_of(id).state), want)

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

/* -- parts -- */

static void parts_body(void)
{
	char *text = ch_alloc(9001);
	struct outbox_row row;
	int64_t id;

	for (int i = 0; i < 9000; i++)
		text[i] = i % 60 == 59 ? ' ' : 'x';
	start();
	fake_answer((struct fake_answer){ CHAN_SENT });
	fake_answer((struct fake_answer){ CHAN_SENT, .hangs = true });
	id = put("7", text);
	row = row_of(id);
	assert_string_equal(outbox_state_name(row.state), "sending");
	assert_int_equal(row.parts, 3);
	assert_int_equal(row.part, 1);
	set_config("{channels:{telegram:{botToken:'1:a',textChunkLimit:500}}}");
	fake_answer_to(FAKE_RECONCILE, (struct fake_answer){ CHAN_NOT_SENT });
	restart();
	row = row_of(id);
	assert_string_equal(outbox_state_name(row.state), "sent");
	assert_string_equal(row.message_ids, "[\"m1\",\"m2\",\"m3\"]");
	assert_int_equal(fake_count(FAKE_SEND), 4);
	assert_string_equal(fake_at(FAKE_SEND, 1)->text, fake_at(FAKE_SEND, 2)->text);
	assert_string_equal(fake_at(FAKE_SEND, 1)->key, fake_at(FAKE_SEND, 2)->key);
	assert_string_not_equal(fake_at(FAKE_SEND, 0)->key, fake_at(FAKE_SEND, 1)->key);
	ch_free(text);
}

static void test_parts_go_on_as_they_were_cut(void **state)
{
	in_host(ONE, parts_body);
}

static void draft_body(void)
{
	struct chan_message m = { .channel = "telegram", .peer = { .id = "7" }, .text = "final", .draft_id = "d1" };
	int64_t id;

	start();
	assert_int_equal(egress_put(out(), &m, &id, &err), CH_OK);
	turns();
	assert_row(id, "sent");
	assert_int_equal(fake_count(FAKE_SEND), 0);
	assert_string_equal(fake_at(FAKE_EDIT, 0)->message_id, "d1");
	assert_string_equal(fake_at(FAKE_EDIT, 0)->text, "final");
	fake_answer_to(FAKE_EDIT, (struct fake_answer){ CHAN_REFUSED, .text = "message to edit not found" });
	assert_int_equal(egress_put(out(), &m, &id, &err), CH_OK);
	turns();
	assert_row(id, "sent");
	assert_int_equal(fake_count(FAKE_SEND), 1);
	assert_int_equal(notice.count, 0);
}

static void test_a_draft_becomes_the_message_or_is_left(void **state)
{
	in_host(ONE, draft_body);
}

/* -- files -- */

static void write_file(const char *name, const char *bytes, size_t len)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/workspace", dir);
	assert_int_equal(file_mkdirs(path, 0700, &err), CH_OK);
	snprintf(path, sizeof(path), "%s/workspace/%s", dir, name);
	assert_int_equal(file_write_new(path, bytes, len, &err), CH_OK);
}

static size_t staged_files(void)
{
	char path[64];
	struct dirent *entry;
	size_t n = 0;
	DIR *d;

	snprintf(path, sizeof(path), "%s/media/outbound", dir);
	d = opendir(path);
	while (d && (entry = readdir(d)))
		n += entry->d_name[0] != '.';
	if (d)
		closedir(d);
	return n;
}

#define PNG "\x89PNG\r\n\x1a\n\0\0\0\rIHDR"

static void files_body(void)
{
	struct chan_message m = { .channel = "telegram", .peer = { .id = "7" },
				  .text = "Here.\nMEDIA:chart.png\nMEDIA:../../etc/passwd\nMEDIA:.env", .may_attach = true };
	bool is_silent;
	int64_t id;

	write_file("chart.png", PNG, sizeof(PNG) - 1);
	write_file(".env", "KEY=1", 5);
	start();
	assert_int_equal(egress_reply(out(), "main", NULL, scratch(), &m, &is_silent, &err), CH_OK);
	assert_false(is_silent);
	assert_int_equal(m.file_count, 1);
	assert_non_null(strstr(m.text, "passwd"));       /* said, not sent */
	assert_non_null(strstr(m.text, ".env"));
	assert_int_equal(staged_files(), 1);
	assert_int_equal(egress_put(out(), &m, &id, &err), CH_OK);
	turns();
	assert_row(id, "sent");
	assert_int_equal(fake_at(FAKE_SEND, 0)->media_count, 1);
	assert_string_equal(fake_at(FAKE_SEND, 0)->media_name, "chart.png");
	assert_true(str_starts(fake_at(FAKE_SEND, 0)->text, "Here."));
	/* A guest's turn gets none of them, and nobody's reply has an address fetched. */
	m.text = "MEDIA:chart.png\nMEDIA:https://evil.example/?q=secret";
	m.file_count = m.may_attach = 0;
	assert_int_equal(egress_reply(out(), "main", NULL, scratch(), &m, &is_silent, &err), CH_OK);
	assert_non_null(strstr(m.text, "https://evil.example/?q=secret"));
	assert_int_equal(staged_files() + (int)m.file_count, 0);
}

static void test_threat_exfiltration_a_reply_sends_files_of_the_workspace_only(void **state)
{
	in_host(ONE, files_body);
}

static void kept_files_body(void)
{
	struct chan_file f = { .data = "a,b\n1,2\n", .len = 8, .name = "t.csv" };
	struct chan_message m = { .channel = "telegram", .peer = { .id = "7" }, .files = &f, .file_count = 1 };
	struct chan_message lost = m;
	int64_t id;

	start();
	assert_int_equal(egress_stage(out(), NULL, &m, scratch(), &err), CH_OK);
	assert_int_equal(egress_stage(out(), NULL, &lost, scratch(), &err), CH_OK);
	fake_answer((struct fake_answer){ CHAN_REFUSED });
	assert_int_equal(egress_put(out(), &m, &id, &err), CH_OK);
	turns();
	assert_row(id, "failed");
	assert_int_equal(staged_files(), 2);
	restart();
	assert_int_equal(staged_files(), 1);             /* the one that no row names is swept */
	assert_int_equal(egress_resubmit(out(), id, &err), CH_OK);
	turns();
	assert_row(id, "sent");
	assert_int_equal(staged_files(), 0);
	f.path = "/etc/passwd";
	f.data = NULL;
	m.files = &f;
	assert_int_equal(egress_stage(out(), NULL, &m, scratch(), &err), CH_E_DENIED);
	m.files = &f;
	assert_int_equal(egress_stage(out(), "main", &m, scratch(), &err), CH_E_DENIED);
}

static void test_files_live_as_long_as_their_row(void **state)
{
	in_host(ONE, kept_files_body);
}

/* -- replies -- */

static void reply_is(const char *config_text, const char *reply, const char *want_text, const char *want_reply_to, bool want_silent)
{
	struct chan_message m = { .channel = "telegram", .peer = { .id = "7" }, .text = reply, .reply_to = "55" };
	bool is_silent;

	set_config(config_text);
	turns();
	assert_int_equal(egress_reply(out(), "main", NULL, scratch(), &m, &is_silent, &err), CH_OK);
	assert_int_equal(is_silent, want_silent);
	if (want_silent)
		return;
	assert_string_equal(m.prefix ? arena_printf(scratch(), "%s %s", m.prefix, m.text) : m.text, want_text);
	if (want_reply_to)
		assert_string_equal(m.reply_to, want_reply_to);
	else
		assert_null(m.reply_to);
}

#define KEYS(more) "{channels:{telegram:{botToken:'1:a'," more "}}}"

static void replies_body(void)
{
	start();
	reply_is(ONE, "hi", "hi", NULL, false);
	reply_is(ONE, "[[reply_to_current]] hi", "hi", "55", false);
	reply_is(ONE, "[[reply_to:77]] hi", "hi", "77", false);
	reply_is(KEYS("replyToMode:'first'"), "hi", "hi", "55", false);
	reply_is(KEYS("replyToMode:'batched'"), "hi", "hi", NULL, false);
	reply_is(ONE, "NO_REPLY", NULL, NULL, true);
	reply_is(KEYS("responsePrefix:'auto'"), "hi", "[Molly] hi", NULL, false);
	reply_is(KEYS("responsePrefix:'{identityName}:'"), "hi", "Molly: hi", NULL, false);
	reply_is(KEYS("responsePrefix:'{model}:'"), "hi", "hi", NULL, false);
	reply_is(KEYS("responsePrefix:'>'"), "> hi", "> hi", NULL, false);
}

static void test_replies_obey_tags_modes_and_prefix(void **state)
{
	in_host(ONE, replies_body);
}

static void tool_says(const char *text, const char *run_id)
{
	struct chan_message m = { .channel = "telegram", .peer = { .id = "-5", .kind = CHAN_GROUP }, .text = text, .origin = "tool",
				  .run_id = run_id };
	int64_t id;

	assert_int_equal(egress_put(out(), &m, &id, &err), CH_OK);
	turns();
}

static bool is_silent_after(const char *text, const char *run_id)
{
	struct chan_message m = { .channel = "telegram", .account = "default", .peer = { .id = "-5", .kind = CHAN_GROUP },
				  .text = text, .run_id = run_id };
	bool is_silent;

	assert_int_equal(egress_reply(out(), "main", NULL, scratch(), &m, &is_silent, &err), CH_OK);
	return is_silent;
}

static void said_body(void)
{
	start();
	tool_says("Done: the chart.", "r1");
	assert_true(is_silent_after("Done: the chart.\n", "r1"));
	assert_false(is_silent_after("Something else.", "r1"));
	assert_false(is_silent_after("Done: the chart.", "r2"));
	set_config("{messages:{groupChat:{visibleReplies:'message_tool'}},channels:{telegram:{botToken:'1:a'}}}");
	turns();
	assert_true(is_silent_after("Something else.", "r1"));
	assert_false(is_silent_after("Nobody heard of it.", "r3"));
}

static void test_a_reply_does_not_repeat_the_tool(void **state)
{
	in_host(ONE, said_body);
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

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

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
		T(test_parts_go_on_as_they_were_cut),
		T(test_a_draft_becomes_the_message_or_is_left),
		T(test_threat_exfiltration_a_reply_sends_files_of_the_workspace_only),
		T(test_files_live_as_long_as_their_row),
		T(test_replies_obey_tags_modes_and_prefix),
		T(test_a_reply_does_not_repeat_the_tool),
		T(test_refuses_what_the_network_cannot),
		T(test_acts_at_once_and_shares_the_pace),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
