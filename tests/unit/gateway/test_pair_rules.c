/*
 * gateway/pair_rules: what covers what, who may grant what, what an approval gives.
 */
#include "gwtest.h"

#include "gateway/pair_rules.h"

static struct pair_request request(enum gw_role role, unsigned scopes)
{
	struct pair_request r = {.device_id = "d",
				 .public_key = "k",
				 .client_id = "c",
				 .platform = "linux",
				 .role = role,
				 .roles = role};

	scope_list_add(&r.scopes, scopes);
	return r;
}

static void test_covers(void **state)
{
	struct pair_request have = request(GW_ROLE_OPERATOR, GW_SCOPE_WRITE),
			    ask = request(GW_ROLE_OPERATOR, GW_SCOPE_READ);

	assert_true(pair_covers(&have, &ask));
	assert_false(pair_covers(&ask, &have));
	ask.public_key = "other";
	assert_false(pair_covers(&have, &ask));
	ask = request(GW_ROLE_NODE, 0);
	assert_false(pair_covers(&have, &ask));
	have = request(GW_ROLE_OPERATOR, GW_SCOPE_ADMIN);
	ask = request(GW_ROLE_OPERATOR, SCOPE_ALL);
	assert_true(pair_covers(&have, &ask));
}

static void test_merge(void **state)
{
	struct pair_request open = request(GW_ROLE_OPERATOR, GW_SCOPE_READ), ask = request(GW_ROLE_NODE, 0);
	struct pair_request r;

	open.is_silent = ask.is_silent = true;
	open.display_name = "laptop";
	ask.is_silent = false;
	r = pair_merge(&open, &ask);
	assert_int_equal(r.roles, GW_ROLE_OPERATOR | GW_ROLE_NODE);
	assert_int_equal(r.scopes.bits, GW_SCOPE_READ);
	assert_int_equal(r.role, GW_ROLE_NODE);
	assert_false(r.is_silent);
	assert_string_equal(r.display_name, "laptop");
	/* Another key under the same id inherits nothing. */
	ask.public_key = "other";
	r = pair_merge(&open, &ask);
	assert_int_equal(r.roles, GW_ROLE_NODE);
	assert_int_equal(r.scopes.bits, 0);
}

static void test_granted(void **state)
{
	struct pair_request r = request(GW_ROLE_OPERATOR, GW_SCOPE_WRITE);
	struct device known = {.id = "d",
			       .public_key = "k",
			       .label = "mine",
			       .display_name = "old",
			       .roles = GW_ROLE_NODE,
			       .created_at = 5,
			       .last_seen_at = 6};
	struct device d;

	scope_list_add(&known.scopes, GW_SCOPE_READ);
	d = pair_granted(NULL, &r, "owner", 100);
	assert_int_equal(d.created_at, 100);
	assert_int_equal(d.roles, GW_ROLE_OPERATOR);
	assert_int_equal(d.scopes.bits, GW_SCOPE_WRITE);
	assert_null(d.label);
	d = pair_granted(&known, &r, "owner", 100);
	assert_int_equal(d.roles, GW_ROLE_OPERATOR | GW_ROLE_NODE);
	assert_int_equal(d.scopes.bits, GW_SCOPE_READ | GW_SCOPE_WRITE);
	assert_int_equal(d.created_at, 5);
	assert_int_equal(d.approved_at, 100);
	assert_string_equal(d.label, "mine");
	assert_string_equal(d.display_name, "old");
	known.public_key = "other";
	d = pair_granted(&known, &r, "owner", 100);
	assert_int_equal(d.roles, GW_ROLE_OPERATOR);
	assert_int_equal(d.scopes.bits, GW_SCOPE_WRITE);
}

static void test_may_approve(void **state)
{
	struct pair_request r = request(GW_ROLE_OPERATOR, GW_SCOPE_WRITE), node = request(GW_ROLE_NODE, 0);
	struct pair_actor admin = { .scopes = GW_SCOPE_ADMIN }, pairing = { .scopes = GW_SCOPE_PAIRING };
	struct pair_actor holder = { .scopes = GW_SCOPE_PAIRING | GW_SCOPE_WRITE };
	struct pair_actor other = { .scopes = GW_SCOPE_PAIRING | GW_SCOPE_WRITE, .device_id = "x" };
	struct pair_actor self = { .scopes = GW_SCOPE_PAIRING | GW_SCOPE_WRITE, .device_id = "d" };

	assert_true(pair_may_approve(&r, &admin));
	assert_true(pair_may_approve(&node, &admin));
	assert_false(pair_may_approve(&r, &pairing));
	assert_false(pair_may_approve(&node, &holder));
	assert_true(pair_may_approve(&r, &holder));
	assert_false(pair_may_approve(&r, &other));
	assert_true(pair_may_approve(&r, &self));
	r = request(GW_ROLE_OPERATOR, GW_SCOPE_ADMIN);
	assert_false(pair_may_approve(&r, &holder));
}

static void test_may_manage(void **state)
{
	struct pair_actor shared = {.scopes = GW_SCOPE_PAIRING},
			  own = {.scopes = GW_SCOPE_PAIRING, .device_id = "d"};
	struct pair_actor admin = { .scopes = GW_SCOPE_ADMIN, .device_id = "d" };
	struct device plain = {.id = "d", .roles = GW_ROLE_OPERATOR},
		      node = {.id = "d", .roles = GW_ROLE_OPERATOR | GW_ROLE_NODE};
	struct scope_list read = { .bits = GW_SCOPE_READ };

	assert_true(pair_may_manage(&shared, "any", NULL));
	assert_true(pair_may_manage(&own, "d", &plain));
	assert_false(pair_may_manage(&own, "d", &node));
	assert_false(pair_may_manage(&own, "x", NULL));
	assert_true(pair_may_manage(&admin, "x", &node));
	plain.scopes = read;
	assert_false(pair_may_grant(&own, &plain, &read));       /* pairing alone holds no read */
	own.scopes |= GW_SCOPE_READ;
	assert_true(pair_may_grant(&own, &plain, &read));
	read.bits = GW_SCOPE_WRITE;
	own.scopes |= GW_SCOPE_WRITE;
	assert_false(pair_may_grant(&own, &plain, &read));       /* more than the device was approved for */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_covers),     cmocka_unit_test(test_merge),
		cmocka_unit_test(test_granted),    cmocka_unit_test(test_may_approve),
		cmocka_unit_test(test_may_manage),
	};

	return cmocka_run_group_tests_name("gateway/pair_rules", tests, NULL, NULL);
}
