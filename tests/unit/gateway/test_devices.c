/*
 * gateway/devices, gateway/device_tokens: rows that go in come out, tokens are found by value and kept by
 * hash.
 */
#include "gwtest.h"

#include "core/clock.h"
#include "core/str.h"
#include "gateway/devices.h"

#define OK(call) assert_int_equal((call), CH_OK)

struct fixture {
	struct db *db;
	struct arena *a;
};

static int set_up(void **state)
{
	static struct fixture f;

	f.a = arena_new(0);
	*state = &f;
	clock_fake(1000, 1000);
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

static struct device sample(const char *id)
{
	struct device d = {.id = id,
			   .public_key = "key",
			   .display_name = "lap\"top",
			   .platform = "linux",
			   .device_family = "Linux",
			   .client_id = "openclaw-tui",
			   .client_mode = "ui",
			   .approved_via = "silent",
			   .role = GW_ROLE_OPERATOR,
			   .roles = GW_ROLE_OPERATOR,
			   .created_at = 10,
			   .approved_at = 20,
			   .last_seen_at = 30,
			   .last_seen_reason = "connect"};

	scope_list_add(&d.scopes, GW_SCOPE_WRITE);
	scope_list_add(&d.scopes, GW_SCOPE_READ);
	return d;
}

static void test_device(void **state)
{
	struct fixture *f = *state;
	struct device d = sample("d1"), got, *all;
	size_t count;

	assert_int_equal(device_find(f->db, f->a, "d1", &got, NULL), CH_E_NOT_FOUND);
	OK(device_save(f->db, &d, NULL));
	OK(device_find(f->db, f->a, "d1", &got, NULL));
	assert_string_equal(got.display_name, "lap\"top");
	assert_string_equal(scope_list_text(f->a, &got.scopes), "operator.write,operator.read");
	assert_int_equal(got.roles, GW_ROLE_OPERATOR);
	assert_null(got.label);
	assert_null(got.last_ip);
	d.roles |= GW_ROLE_NODE;
	d.created_at = 999;
	OK(device_save(f->db, &d, NULL));
	OK(device_set_label(f->db, "d1", "mine", NULL));
	OK(device_set_platform(f->db, "d1", "linux 7", NULL));
	OK(device_seen(f->db, "d1", 77, "device-token-auth", "10.0.0.9", NULL, NULL));
	OK(device_find(f->db, f->a, "d1", &got, NULL));
	assert_int_equal(got.roles, GW_ROLE_OPERATOR | GW_ROLE_NODE);
	assert_int_equal(got.created_at, 10);            /* the first stays */
	assert_string_equal(got.label, "mine");
	assert_string_equal(got.platform, "linux 7");
	assert_string_equal(got.display_name, "lap\"top");
	assert_int_equal(got.last_seen_at, 77);
	assert_int_equal(device_set_label(f->db, "nope", "x", NULL), CH_E_NOT_FOUND);
	for (int i = 0; i < 40; i++) {
		struct device more = sample(arena_printf(f->a, "m%d", i));

		more.approved_at = 1000 + i;
		OK(device_save(f->db, &more, NULL));
	}
	OK(device_list(f->db, f->a, &all, &count, NULL));
	assert_int_equal(count, 41);
	assert_string_equal(all[0].id, "m39");
	OK(device_delete(f->db, "d1", NULL));
	assert_int_equal(device_delete(f->db, "d1", NULL), CH_E_NOT_FOUND);
}

static void test_tokens(void **state)
{
	struct fixture *f = *state;
	struct device d = sample("d1");
	char token[DEVICE_TOKEN_LEN + 1], second[DEVICE_TOKEN_LEN + 1];
	struct device_token t, list[2];
	size_t count;

	OK(device_save(f->db, &d, NULL));
	OK(device_token_issue(f->db, "d1", GW_ROLE_OPERATOR, &d.scopes, 100, false, token, NULL));
	assert_int_equal(strlen(token), DEVICE_TOKEN_LEN);
	OK(device_token_issue(f->db, "d1", GW_ROLE_OPERATOR, &d.scopes, 101, false, second, NULL));
	assert_string_not_equal(token, second);
	OK(device_token_find(f->db, f->a, token, &t, NULL));
	assert_string_equal(t.device_id, "d1");
	assert_int_equal(t.role, GW_ROLE_OPERATOR);
	assert_int_equal(t.scopes.bits, GW_SCOPE_READ | GW_SCOPE_WRITE);
	assert_int_equal(t.created_at, 100);
	assert_int_equal(device_token_find(f->db, f->a, "xxxx", &t, NULL), CH_E_NOT_FOUND);
	assert_int_equal(device_token_find(f->db, f->a, "", &t, NULL), CH_E_NOT_FOUND);
	OK(device_token_used(f->db, token, 500, NULL));
	OK(device_token_list(f->db, f->a, "d1", list, &count, NULL));
	assert_int_equal(count, 1);
	assert_int_equal(list[0].created_at, 100);
	assert_int_equal(list[0].last_used_at, 500);
	/* Both go at once; the rows still tell. */
	OK(device_token_revoke(f->db, "d1", GW_ROLE_OPERATOR, 600, NULL));
	OK(device_token_find(f->db, f->a, second, &t, NULL));
	assert_int_equal(t.revoked_at, 600);
	assert_int_equal(device_token_revoke(f->db, "d1", GW_ROLE_OPERATOR, 601, NULL), CH_E_NOT_FOUND);
	assert_int_equal(device_token_revoke(f->db, "d1", GW_ROLE_NODE, 601, NULL), CH_E_NOT_FOUND);
	OK(device_token_issue(f->db, "d1", GW_ROLE_OPERATOR, &d.scopes, 700, true, token, NULL));
	assert_int_equal(device_token_find(f->db, f->a, second, &t, NULL), CH_E_NOT_FOUND);
	OK(device_delete(f->db, "d1", NULL));
	assert_int_equal(device_token_find(f->db, f->a, token, &t, NULL), CH_E_NOT_FOUND);
}

/* The oldest unused one goes; the value is nowhere in the database. */
static void test_token_limit(void **state)
{
	struct fixture *f = *state;
	struct device d = sample("d1");
	char tokens[DEVICE_TOKENS_MAX + 2][DEVICE_TOKEN_LEN + 1];
	struct device_token t;
	struct db_stmt *s;
	bool has_row;

	OK(device_save(f->db, &d, NULL));
	for (int i = 0; i < DEVICE_TOKENS_MAX + 2; i++) {
		OK(device_token_issue(f->db, "d1", GW_ROLE_OPERATOR, &d.scopes, 100 + i, false, tokens[i],
				      NULL));
		if (i == 0)
			OK(device_token_used(f->db, tokens[0], 5000, NULL));
	}
	OK(device_token_find(f->db, f->a, tokens[0], &t, NULL));
	assert_int_equal(device_token_find(f->db, f->a, tokens[1], &t, NULL), CH_E_NOT_FOUND);
	assert_int_equal(device_token_find(f->db, f->a, tokens[2], &t, NULL), CH_E_NOT_FOUND);
	OK(device_token_find(f->db, f->a, tokens[3], &t, NULL));
	OK(db_prep(f->db, "SELECT count(*) FROM device_tokens WHERE token_hash = ?", &s, NULL));
	db_bind_text(s, 1, tokens[0]);
	OK(db_step(s, &has_row, NULL));
	assert_int_equal(db_int(s, 0), 0);
	db_done(s);
}

static void test_requests(void **state)
{
	struct fixture *f = *state;
	struct pair_request r = {.id = "r1",
				 .device_id = "d1",
				 .public_key = "k",
				 .reason = "not-paired",
				 .role = GW_ROLE_NODE,
				 .roles = GW_ROLE_NODE,
				 .created_at = 900,
				 .expires_at = 2000,
				 .is_repair = true};
	struct pair_request got, *all;
	size_t count;

	OK(pair_request_save(f->db, &r, NULL));
	OK(pair_request_find(f->db, f->a, "r1", &got, NULL));
	assert_int_equal(got.roles, GW_ROLE_NODE);
	assert_true(got.is_repair);
	assert_false(got.is_silent);
	assert_int_equal(got.scopes.count, 0);
	OK(pair_request_of(f->db, f->a, "d1", &got, NULL));
	clock_fake(2000, 2000);                  /* lapsed: not found even before it is pruned */
	assert_int_equal(pair_request_find(f->db, f->a, "r1", &got, NULL), CH_E_NOT_FOUND);
	assert_int_equal(pair_request_of(f->db, f->a, "d1", &got, NULL), CH_E_NOT_FOUND);
	OK(pair_request_prune(f->db, 2000, NULL));
	assert_int_equal(pair_request_delete(f->db, "r1", NULL), CH_E_NOT_FOUND);
	for (int i = 0; i < PAIR_PENDING_MAX + 10; i++) {
		r.id = arena_printf(f->a, "q%d", i);
		r.created_at = 3000 + i;
		r.expires_at = 10000;
		OK(pair_request_save(f->db, &r, NULL));
	}
	OK(pair_request_prune(f->db, 2000, NULL));
	OK(pair_request_list(f->db, f->a, &all, &count, NULL));
	assert_int_equal(count, PAIR_PENDING_MAX);
	assert_string_equal(all[0].id, arena_printf(f->a, "q%d", PAIR_PENDING_MAX + 9));
	assert_int_equal(pair_request_find(f->db, f->a, "q0", &got, NULL), CH_E_NOT_FOUND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_device, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_tokens, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_token_limit, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_requests, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("gateway/devices", tests, NULL, NULL);
}
