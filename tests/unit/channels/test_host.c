/*
 * channels/host, supervise: which accounts run, how a run's end is taken, what a change of keys does.
 */
#include <stdio.h>
#include <string.h>

#include "channels/host.h"
#include "core/clock.h"
#include "core/fiber.h"
#include "core/str.h"
#include "host_world.h"

#define TOKEN "{channels:{telegram:{botToken:'1:a'}}}"
#define TWO "{channels:{telegram:{accounts:{work:{botToken:'1:a'},home:{botToken:'2:b'}}}}}"

static int set_up(void **state)
{
	world_open();
	set_config("{}");
	new_world_host("/nowhere", fake_networks);
	return 0;
}

static int tear_down(void **state)
{
	world_close();
	return 0;
}

static void body_fiber(void *arg)
{
	body();
	chan_host_drain(host, fiber_deadline(1000));
	loop_stop(loop);
}

static void in_host(const char *text, void (*fn)(void))
{
	set_config(text);
	in_world(body_fiber, fn);
}

static struct chan_acct *acct_of(const char *id)
{
	struct chan_acct *acct = chan_acct_find(host, "telegram", id);

	assert_non_null(acct);
	return acct;
}

static struct chan_status status_of(const char *id)
{
	struct chan_status s;

	chan_acct_status(acct_of(id), &s);
	return s;
}

#define assert_state(id, want) assert_string_equal(chan_state_name(status_of(id).state), chan_state_name(want))

/* -- tests -- */

static void starts_body(void)
{
	start();
	assert_state("home", CHAN_CONNECTED);
	assert_state("work", CHAN_CONNECTED);
	assert_string_equal(status_of("home").self_id, "fake-self");
	assert_null(chan_acct_find(host, "irc", NULL));
	assert_null(chan_acct_find(host, "telegram", "default"));
	assert_ptr_equal(chan_acct_find(host, "telegram", NULL), acct_of("home"));
}

static void test_starts_what_is_configured(void **state)
{
	in_host(TWO, starts_body);
}

static void retry_body(void)
{
	fake_next_run(CH_E_PEER, "no route");
	start();
	assert_state("default", CHAN_BACKOFF);
	assert_string_equal(status_of("default").last_error, "no route");
	assert_in_range(status_of("default").retry_at - now_wall_ms(), CHAN_BACKOFF_MIN_MS * 8 / 10, CHAN_BACKOFF_MIN_MS * 12 / 10);
	fake_next_run(CH_E_PEER, "again no route");
	pass(CHAN_BACKOFF_MIN_MS * 12 / 10);
	assert_int_equal(fake_runs("telegram", "default"), 2);
	assert_in_range(status_of("default").retry_at - now_wall_ms(), CHAN_BACKOFF_MIN_MS * 16 / 10, CHAN_BACKOFF_MIN_MS * 24 / 10);
	pass(CHAN_BACKOFF_MIN_MS * 24 / 10);
	assert_state("default", CHAN_CONNECTED);
	fake_end_run(acct_of("default"), CH_OK, NULL);
	turns();
	assert_state("default", CHAN_BACKOFF);   /* an end without an error is a loss too */
	assert_true(status_of("default").retry_at - now_wall_ms() > CHAN_BACKOFF_MIN_MS * 3);
	pass(CHAN_BACKOFF_MAX_MS);
	assert_int_equal(status_of("default").reconnects, 1);
	pass(CHAN_BACKOFF_RESET_MS);
	fake_end_run(acct_of("default"), CH_E_PEER, "reset");
	turns();
	assert_true(status_of("default").retry_at - now_wall_ms() <= CHAN_BACKOFF_MIN_MS * 12 / 10);     /* it was well for long */
}

static void test_retries_with_backoff(void **state)
{
	in_host(TOKEN, retry_body);
}

static void login_body(void)
{
	fake_next_run(CH_E_DENIED, "401: bad token");
	start();
	assert_state("default", CHAN_NEEDS_LOGIN);
	pass(3600000);
	assert_int_equal(fake_runs("telegram", "default"), 1);
	assert_int_equal(chan_start(host, "telegram", NULL, &err), CH_OK);
	turns();
	assert_state("default", CHAN_CONNECTED);
	fake_end_run(acct_of("default"), CH_E_DENIED, "revoked");
	turns();
	assert_state("default", CHAN_NEEDS_LOGIN);
	set_config("{channels:{telegram:{botToken:'1:c'}}}");
	turns();
	assert_state("default", CHAN_CONNECTED);
	set_config("{channels:{telegram:{}}}");
	turns();
	assert_state("default", CHAN_NEEDS_LOGIN);
	assert_false(status_of("default").is_configured);
	assert_string_equal(status_of("default").last_error, "channels.telegram.botToken is not set");
}

static void test_needs_a_person(void **state)
{
	in_host(TOKEN, login_body);
}

static void change_body(void)
{
	start();
	set_config("{channels:{telegram:{accounts:{work:{botToken:'1:a'},home:{botToken:'3:c'}}}},logging:{level:'warn'}}");
	turns();
	assert_int_equal(fake_runs("telegram", "work"), 1);
	assert_int_equal(fake_runs("telegram", "home"), 2);
	assert_state("home", CHAN_CONNECTED);
	set_config("{channels:{telegram:{dmPolicy:'disabled',accounts:{work:{botToken:'1:a'}}}}}");
	turns();
	assert_int_equal(fake_runs("telegram", "work"), 2);      /* a key of all */
	assert_null(chan_acct_find(host, "telegram", "home"));
	set_config("{channels:{telegram:{dmPolicy:'disabled',accounts:{work:{enabled:false,botToken:'1:a'}}}}}");
	turns();
	assert_state("work", CHAN_STOPPED);
	assert_false(status_of("work").is_enabled);
	set_config("{}");
	assert_null(chan_acct_find(host, "telegram", "work"));
}

static void test_change_restarts_only_what_it_concerns(void **state)
{
	in_host(TWO, change_body);
}

static void stop_body(void)
{
	start();
	assert_int_equal(chan_stop(host, "telegram", "work", &err), CH_OK);
	assert_state("work", CHAN_STOPPED);
	assert_state("home", CHAN_CONNECTED);
	assert_true(status_of("work").is_stopped_by_person);
	chan_host_drain(host, fiber_deadline(1000));
	chan_host_free(host);
	new_world_host("/nowhere", fake_networks);
	start();                                 /* it is remembered */
	assert_state("work", CHAN_STOPPED);
	assert_string_equal(status_of("home").self_name, "Fake Bot");
	assert_int_equal(chan_start(host, "telegram", NULL, &err), CH_OK);
	turns();
	assert_state("work", CHAN_CONNECTED);
	assert_int_equal(chan_stop(host, "telegram", "zoo", &err), CH_E_NOT_FOUND);
	assert_string_equal(err.text, "telegram has no account zoo; there is home, work");
	assert_int_equal(chan_stop(host, "nonet", NULL, &err), CH_E_NOT_FOUND);
	assert_int_equal(chan_stop(host, "irc", NULL, &err), CH_E_NOT_FOUND);
	assert_int_equal(chan_logout(host, "telegram", "work", &err), CH_OK);
	assert_state("work", CHAN_NEEDS_LOGIN);
	assert_false(status_of("work").is_stopped_by_person);
}

static void test_stopped_by_a_person(void **state)
{
	in_host(TWO, stop_body);
}

static void silence_body(void)
{
	start();
	pass(60000);
	chan_alive(acct_of("default"));
	pass(60000);
	assert_state("default", CHAN_CONNECTED);
	pass(60000);
	assert_state("default", CHAN_BACKOFF);
	assert_string_equal(status_of("default").last_error, "no sign of life for 90 s");
}

static void test_silence_is_a_loss(void **state)
{
	in_host(TOKEN, silence_body);
}

static void keep_failing_body(void)
{
	start();
	db_fail_nth(db, 1);
	assert_int_equal(chan_stop(host, "telegram", NULL, &err), CH_E_IO);
	db_fail_nth(db, 0);
	assert_state("default", CHAN_CONNECTED);         /* what could not be kept was not done */
	assert_false(status_of("default").is_stopped_by_person);
}

static void test_stop_that_cannot_be_kept(void **state)
{
	in_host(TOKEN, keep_failing_body);
}

/* -- webhooks -- */

static void test_threat_dos_webhooks_of_one_peer(void **state)
{
	for (int i = 0; i < CHAN_WEBHOOK_MAX; i++)
		assert_int_equal(chan_webhook_wait_ms(host, "/hook", "192.0.2.1"), 0);
	assert_int_equal(chan_webhook_wait_ms(host, "/hook", "192.0.2.1"), CHAN_WEBHOOK_WINDOW_MS);
	assert_int_equal(chan_webhook_wait_ms(host, "/hook", "192.0.2.2"), 0);
	assert_int_equal(chan_webhook_wait_ms(host, "/other", "192.0.2.1"), 0);
	clock_fake(now_mono_ms() + CHAN_WEBHOOK_WINDOW_MS - 1, now_wall_ms());
	assert_int_equal(chan_webhook_wait_ms(host, "/hook", "192.0.2.1"), 1);
	clock_fake(now_mono_ms() + 1, now_wall_ms());
	assert_int_equal(chan_webhook_wait_ms(host, "/hook", "192.0.2.1"), 0);
}

/* Many senders push out the oldest one, and nobody who is counted now. */
static void test_threat_dos_webhooks_of_many_peers(void **state)
{
	char ip[32];

	for (int i = 0; i < 5000; i++) {
		snprintf(ip, sizeof(ip), "10.1.%d.%d", i / 256, i % 256);
		clock_fake(now_mono_ms() + 1, now_wall_ms());
		assert_int_equal(chan_webhook_wait_ms(host, "/hook", ip), 0);
	}
	for (int i = 1; i < CHAN_WEBHOOK_MAX; i++)
		assert_int_equal(chan_webhook_wait_ms(host, "/hook", ip), 0);
	assert_true(chan_webhook_wait_ms(host, "/hook", ip) > 0);
	assert_false(chan_webhook_takes(host, "/hook"));
}

/* -- the log of an account -- */

static int lines;
static char first_line[512];

static void count_line(void *arg, int64_t at_ms, const char *text)
{
	if (!lines++)
		snprintf(first_line, sizeof(first_line), "%s", text);
}

static void log_body(void)
{
	char big[1000];

	start();
	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = 0;
	for (int i = 0; i < CHAN_LOG_LINES + 50; i++)
		chan_acct_log(acct_of("default"), "line %d \xe2\x82\xac %s", i, big);
	chan_acct_log_each(acct_of("default"), count_line, NULL);
	assert_int_equal(lines, CHAN_LOG_LINES);
	assert_true(str_starts(first_line, "line 50 "));
	assert_true(strlen(first_line) < 500 && utf8_valid(first_line, strlen(first_line)));
}

static void test_log_is_bounded(void **state)
{
	lines = 0;
	in_host(TOKEN, log_body);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_starts_what_is_configured, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_retries_with_backoff, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_needs_a_person, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_change_restarts_only_what_it_concerns, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_stopped_by_a_person, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_silence_is_a_loss, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_stop_that_cannot_be_kept, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_threat_dos_webhooks_of_one_peer, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_threat_dos_webhooks_of_many_peers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_log_is_bounded, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
