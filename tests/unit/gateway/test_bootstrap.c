/*
 * gateway/bootstrap: a setup code is good once, for ten minutes, for its profile, and is nowhere in the database.
 */
#include "gwtest.h"

#include "core/clock.h"
#include "core/str.h"
#include "gateway/bootstrap.h"

#define OK(call) assert_int_equal((call), CH_OK)
#define GONE(call) assert_int_equal((call), CH_E_NOT_FOUND)

struct fixture {
	struct db *db;
	struct arena *a;
	struct bootstrap got;
};

static int set_up(void **state)
{
	static struct fixture f;

	f.a = arena_new(0);
	*state = &f;
	clock_fake(1000000, 1000000);
	return db_open(":memory:", DB_CREATE, &f.db, NULL);
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	db_close(f->db);
	arena_unref(f->a);
	clock_real();
	return 0;
}

static void advance(int64_t ms)
{
	clock_fake(now_mono_ms() + ms, now_wall_ms() + ms);
}

static struct bootstrap_issued issue(struct fixture *f, const char *profile, const char *by, bool with_join)
{
	struct bootstrap_issued n;
	struct bootstrap_ask ask = { .profile = bootstrap_profile_find(profile), .url = "wss://gw.example",
				     .issued_by = by, .with_join = with_join };

	OK(bootstrap_issue(f->db, &ask, &n, NULL));
	return n;
}

static void test_once(void **state)
{
	struct fixture *f = *state;
	struct bootstrap_issued n = issue(f, "node", NULL, false);

	assert_int_equal(strlen(n.token), BOOTSTRAP_TOKEN_LEN);
	assert_string_equal(n.join, "");
	assert_int_equal(n.expires_at, now_wall_ms() + BOOTSTRAP_TTL_MS);
	OK(bootstrap_find(f->db, f->a, n.token, &f->got, NULL));
	assert_string_equal(f->got.setup_id, n.setup_id);
	assert_string_equal(f->got.profile->name, "node");
	GONE(bootstrap_outcome(f->db, f->a, n.setup_id, &f->got, NULL));
	GONE(bootstrap_find(f->db, f->a, n.setup_id, &f->got, NULL));
	GONE(bootstrap_find(f->db, f->a, "", &f->got, NULL));
	OK(bootstrap_use(f->db, n.token, "d1", "Phone", NULL));
	GONE(bootstrap_use(f->db, n.token, "d2", NULL, NULL));
	GONE(bootstrap_find(f->db, f->a, n.token, &f->got, NULL));
	OK(bootstrap_outcome(f->db, f->a, n.setup_id, &f->got, NULL));
	assert_string_equal(f->got.device_id, "d1");
	assert_string_equal(f->got.device_name, "Phone");
	assert_int_equal(f->got.told_at, 0);
}

static void test_rollback_gives_it_back(void **state)
{
	struct fixture *f = *state;
	struct bootstrap_issued n = issue(f, "node", NULL, false);

	OK(db_begin(f->db, NULL));
	OK(bootstrap_use(f->db, n.token, "d1", NULL, NULL));
	db_rollback(f->db);
	OK(bootstrap_find(f->db, f->a, n.token, &f->got, NULL));
}

static void test_expiry(void **state)
{
	struct fixture *f = *state;
	struct bootstrap_issued n = issue(f, "full", NULL, true);
	char token[BOOTSTRAP_TOKEN_LEN + 1];

	advance(BOOTSTRAP_TTL_MS - 1);
	OK(bootstrap_find(f->db, f->a, n.token, &f->got, NULL));
	advance(1);
	GONE(bootstrap_find(f->db, f->a, n.token, &f->got, NULL));
	GONE(bootstrap_use(f->db, n.token, "d1", NULL, NULL));
	GONE(bootstrap_join(f->db, f->a, n.join, token, &f->got, NULL));
}

static void test_join(void **state)
{
	struct fixture *f = *state;
	struct bootstrap_issued n = issue(f, "node", NULL, true);
	char token[BOOTSTRAP_TOKEN_LEN + 1], again[BOOTSTRAP_TOKEN_LEN + 1];

	assert_int_equal(strlen(n.join), BOOTSTRAP_JOIN_LEN);
	GONE(bootstrap_find(f->db, f->a, n.join, &f->got, NULL));
	OK(bootstrap_join(f->db, f->a, n.join, token, &f->got, NULL));
	assert_string_equal(f->got.url, "wss://gw.example");
	GONE(bootstrap_join(f->db, f->a, n.join, again, &f->got, NULL));
	GONE(bootstrap_find(f->db, f->a, n.token, &f->got, NULL));
	OK(bootstrap_use(f->db, token, "d1", NULL, NULL));
}

static void test_revoked(void **state)
{
	struct fixture *f = *state;
	struct bootstrap_issued mine = issue(f, "full", "d1", false), other = issue(f, "full", "d2", false);
	struct bootstrap_issued used = issue(f, "full", "d1", false);

	OK(bootstrap_use(f->db, used.token, "d3", NULL, NULL));
	OK(bootstrap_revoke(f->db, "d1", NULL));
	GONE(bootstrap_find(f->db, f->a, mine.token, &f->got, NULL));
	OK(bootstrap_find(f->db, f->a, other.token, &f->got, NULL));
	OK(bootstrap_outcome(f->db, f->a, used.setup_id, &f->got, NULL));
	OK(bootstrap_revoke(f->db, NULL, NULL));
	GONE(bootstrap_find(f->db, f->a, other.token, &f->got, NULL));
}

static void test_limit(void **state)
{
	struct fixture *f = *state;
	struct bootstrap_issued first = issue(f, "node", NULL, false), second;

	advance(1);
	second = issue(f, "node", NULL, false);
	advance(1);
	for (int i = 0; i < BOOTSTRAP_LIVE_MAX - 1; i++)
		issue(f, "node", NULL, false);
	GONE(bootstrap_find(f->db, f->a, first.token, &f->got, NULL));
	OK(bootstrap_find(f->db, f->a, second.token, &f->got, NULL));
}

static void test_outcome_lapses(void **state)
{
	struct fixture *f = *state;
	struct bootstrap_issued n = issue(f, "node", NULL, false);

	OK(bootstrap_use(f->db, n.token, "d1", NULL, NULL));
	advance(BOOTSTRAP_KEPT_MS - 1);
	OK(bootstrap_prune(f->db, NULL));
	OK(bootstrap_outcome(f->db, f->a, n.setup_id, &f->got, NULL));
	advance(1);
	OK(bootstrap_prune(f->db, NULL));
	GONE(bootstrap_outcome(f->db, f->a, n.setup_id, &f->got, NULL));
}

static void test_profiles(void **state)
{
	static const struct { const char *profile; enum gw_role role; const char *scopes; bool ok; } rows[] = {
		{ "node", GW_ROLE_NODE, "", true },
		{ "node", GW_ROLE_OPERATOR, "", false },
		{ "node", GW_ROLE_NODE, "operator.read", false },
		{ "limited", GW_ROLE_OPERATOR, "operator.read,operator.write", true },
		{ "limited", GW_ROLE_OPERATOR, "operator.admin", false },
		{ "limited", GW_ROLE_OPERATOR, "operator.pairing", false },
		{ "full", GW_ROLE_OPERATOR, "operator.admin,operator.approvals", true },
		{ "full", GW_ROLE_OPERATOR, "operator.pairing", false },     /* admin implies it; a code does not */
		{ "voice-node", GW_ROLE_OPERATOR, "operator.read,operator.talk", true },
		{ "voice-node", GW_ROLE_OPERATOR, "operator.write", false },
	};

	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		struct scope_list l = {0};

		scope_list_from_text(&l, rows[i].scopes);
		if (bootstrap_allows(bootstrap_profile_find(rows[i].profile), rows[i].role, &l) != rows[i].ok)
			fail_msg("%s with '%s'", rows[i].profile, rows[i].scopes);
	}
	assert_null(bootstrap_profile_find("admin"));
	assert_null(bootstrap_profile_find(""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_rollback_gives_it_back, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_expiry, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_join, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_revoked, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_limit, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_outcome_lapses, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_profiles, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("gateway/bootstrap", tests, NULL, NULL);
}
