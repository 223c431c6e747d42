/*
 * channels/pairing: codes, their life, how many, and who was let in.
 */
#include "../store/scratch.h"

#include "channels/pairing.h"
#include "core/clock.h"
#include "core/mem.h"
#include "core/str.h"

#define T0 1800000000000

static struct db *db;
static struct chan_pairing *p;
static struct arena *arena;

static int setup(void **state)
{
	clock_fake(1000, T0);
	arena = arena_new(0);
	if (db_open(":memory:", DB_CREATE, &db, NULL))
		return -1;
	p = pairing_new(db);
	return 0;
}

static int teardown(void **state)
{
	pairing_free(p);
	db_close(db);
	arena_unref(arena);
	clock_real();
	return 0;
}

static void later(int64_t ms)
{
	clock_fake(now_mono_ms() + ms, now_wall_ms() + ms);
}

static struct pairing_request ask(const char *account, const char *id, bool expect_new)
{
	struct chan_sender s = { .id = id, .name = "Alice", .username = "alice" };
	struct pairing_request r = { 0 };
	bool is_new = false;

	ASSERT_OK(pairing_ask(p, "telegram", account, &s, arena, &r, &is_new, err));
	assert_int_equal(is_new, expect_new);
	return r;
}

static void count_request(void *arg, const struct pairing_request *r)
{
	assert_non_null(r->code);
	++*(int *)arg;
}

static int pending(const char *channel, const char *account)
{
	int n = 0;

	ASSERT_OK(pairing_list(p, channel, account, arena, count_request, &n, err));
	return n;
}

static void count_grant(void *arg, const struct pairing_grant *g)
{
	assert_true(g->granted_at >= T0);
	++*(int *)arg;
}

static int granted(void)
{
	int n = 0;

	ASSERT_OK(pairing_grants(p, NULL, NULL, arena, count_grant, &n, err));
	return n;
}

static void test_codes(void **state)
{
	const char *letters = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789";

	for (int i = 0; i < 300; i++) {
		struct pairing_request r = ask(arena_printf(arena, "a%d", i), "1", true);

		assert_int_equal(strlen(r.code), PAIRING_CODE_LEN);
		assert_int_equal(strspn(r.code, letters), PAIRING_CODE_LEN);
		assert_int_equal(r.expires_at - r.created_at, PAIRING_TTL_MS);
	}
}

static void test_one_code_an_hour(void **state)
{
	struct pairing_request first = ask("default", "1", true), again;

	later(PAIRING_TTL_MS - 1);
	again = ask("default", "1", false);
	assert_string_equal(first.code, again.code);
	assert_int_equal(again.last_seen_at, now_wall_ms());
	assert_int_equal(again.expires_at, first.expires_at);            /* writing more does not keep a code alive */
	later(1);
	assert_int_equal(pending("telegram", "default"), 0);
	ASSERT_FAILS(pairing_approve(p, "telegram", NULL, first.code, arena, &again, err), CH_E_NOT_FOUND, "expired");
	assert_string_not_equal(ask("default", "1", true).code, first.code);
}

static void test_three_wait(void **state)
{
	struct chan_sender fourth = { .id = "4" };
	struct pairing_request r = ask("default", "1", true);
	bool is_new;

	ask("default", "2", true);
	ask("default", "3", true);
	ASSERT_FAILS(pairing_ask(p, "telegram", "default", &fourth, arena, &r, &is_new, err), CH_E_LIMIT, "3 senders wait");
	ask("default", "2", false);                                      /* those who wait are still known */
	ask("work", "4", true);                                          /* each account has its own three */
	assert_int_equal(pending("telegram", "default"), 3);
	assert_int_equal(pending(NULL, NULL), 4);
	ASSERT_OK(pairing_dismiss(p, "telegram", "default", ask("default", "1", false).id, arena, &r, err));
	assert_false(pairing_is_granted(p, "telegram", "default", "1"));
	ask("default", "4", true);
}

static void test_approve(void **state)
{
	struct pairing_request r = ask("default", "1", true), got = { 0 };
	CH_AUTO_STR char *typed = ch_strdup(r.code);

	str_lower(typed);
	ASSERT_FAILS(pairing_approve(p, "slack", NULL, r.code, arena, &got, err), CH_E_NOT_FOUND, "no pending");
	ASSERT_FAILS(pairing_approve(p, "telegram", "work", r.code, arena, &got, err), CH_E_NOT_FOUND, "no pending");
	ASSERT_OK(pairing_approve(p, "telegram", NULL, arena_printf(arena, " %s\n", typed), arena, &got, err));
	assert_string_equal(got.sender_id, "1");
	assert_string_equal(got.account, "default");
	assert_true(pairing_is_granted(p, "telegram", "default", "1"));
	assert_false(pairing_is_granted(p, "telegram", "work", "1"));
	assert_false(pairing_is_granted(p, "slack", "default", "1"));
	assert_false(pairing_is_granted(p, "telegram", "default", NULL));
	ASSERT_FAILS(pairing_approve(p, "telegram", NULL, r.code, arena, &got, err), CH_E_NOT_FOUND, "no pending");
	assert_int_equal(granted(), 1);
	ASSERT_OK(pairing_revoke(p, "telegram", NULL, "1", err));
	assert_false(pairing_is_granted(p, "telegram", "default", "1"));
	ASSERT_FAILS(pairing_revoke(p, "telegram", NULL, "1", err), CH_E_NOT_FOUND, "was not paired");
}

/* Trying codes out: after ten wrong ones even the right one must wait. */
static void test_threat_identity_codes_cannot_be_guessed(void **state)
{
	struct pairing_request r = ask("default", "1", true), got;

	for (int i = 0; i < PAIRING_WRONG_MAX; i++)
		ASSERT_FAILS(pairing_approve(p, "telegram", NULL, "AAAAAAAA", arena, &got, err), CH_E_NOT_FOUND, "no pending");
	ASSERT_FAILS(pairing_approve(p, "telegram", NULL, r.code, arena, &got, err), CH_E_LIMIT, "too many wrong");
	assert_int_equal(scratch_err.retry_after_ms, PAIRING_WRONG_MS);
	later(PAIRING_WRONG_MS);
	ASSERT_OK(pairing_approve(p, "telegram", NULL, r.code, arena, &got, err));
}

static void test_forget_account(void **state)
{
	struct pairing_request r = ask("default", "1", true), got;

	ASSERT_OK(pairing_approve(p, "telegram", "default", r.id, arena, &got, err));
	ask("default", "2", true);
	ask("work", "2", true);
	ASSERT_OK(pairing_forget_account(p, "telegram", "default", err));
	assert_int_equal(granted(), 0);
	assert_int_equal(pending(NULL, NULL), 1);
}

/* A disk that fails takes nothing half. */
static void test_fails_whole(void **state)
{
	struct pairing_request r = ask("default", "1", true), got;

	for (int n = 1; n <= 2; n++) {
		db_fail_nth(db, n);
		ASSERT_FAILS(pairing_approve(p, "telegram", NULL, r.code, arena, &got, err), CH_E_IO, "");
		db_fail_nth(db, 0);
		assert_false(pairing_is_granted(p, "telegram", "default", "1"));
		assert_int_equal(pending("telegram", NULL), 1);
	}
}

static void test_needs_an_id(void **state)
{
	struct chan_sender s = { .name = "Alice" };
	struct pairing_request r;
	bool is_new;

	ASSERT_FAILS(pairing_ask(p, "telegram", "default", &s, arena, &r, &is_new, err), CH_E_INVALID, "without an id");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_codes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_one_code_an_hour, setup, teardown),
		cmocka_unit_test_setup_teardown(test_three_wait, setup, teardown),
		cmocka_unit_test_setup_teardown(test_approve, setup, teardown),
		cmocka_unit_test_setup_teardown(test_threat_identity_codes_cannot_be_guessed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_forget_account, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fails_whole, setup, teardown),
		cmocka_unit_test_setup_teardown(test_needs_an_id, setup, teardown),
	};

	return cmocka_run_group_tests_name("pairing", tests, NULL, NULL);
}
