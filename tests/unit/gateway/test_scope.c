/*
 * gateway/scope: names, implications, order.
 */
#include "gwtest.h"

#include "gateway/scope.h"

static void test_names(void **state)
{
	for (unsigned i = 0; i < SCOPE_COUNT; i++) {
		const char *name = scope_name(1u << i);

		assert_int_equal(scope_find(name, strlen(name)), 1u << i);
	}
	assert_int_equal(scope_find("operator.read", 8), 0);
	assert_int_equal(scope_find("operator.root", 13), 0);
	assert_int_equal(scope_find("", 0), 0);
	assert_string_equal(scope_name(GW_SCOPE_TALK_SECRETS), "operator.talk.secrets");
}

static void test_implications(void **state)
{
	assert_true(scope_allows(GW_SCOPE_ADMIN, SCOPE_ALL));
	assert_true(scope_allows(GW_SCOPE_WRITE, GW_SCOPE_READ));
	assert_true(scope_allows(GW_SCOPE_WRITE, GW_SCOPE_TALK));
	assert_false(scope_allows(GW_SCOPE_WRITE, GW_SCOPE_TALK_SECRETS));
	assert_false(scope_allows(GW_SCOPE_WRITE, GW_SCOPE_APPROVALS));
	assert_false(scope_allows(GW_SCOPE_WRITE, GW_SCOPE_ADMIN));
	assert_false(scope_allows(GW_SCOPE_READ, GW_SCOPE_WRITE));
	assert_false(scope_allows(GW_SCOPE_APPROVALS, GW_SCOPE_READ));
	assert_false(scope_allows(GW_SCOPE_SESSIONS_WRITE, GW_SCOPE_WRITE));
	assert_true(scope_allows(0, 0));
	assert_false(scope_allows(0, GW_SCOPE_READ));
	assert_int_equal(scope_missing(GW_SCOPE_READ, GW_SCOPE_READ | GW_SCOPE_PAIRING), GW_SCOPE_PAIRING);
}

static void test_lists(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct scope_list l = {0}, text = {0};

	scope_list_from_json(&l,
			     quoted(a, "['operator.write','operator.read','no.such',1,'operator.write']"));
	assert_string_equal(scope_list_text(a, &l), "operator.write,operator.read");
	assert_int_equal(l.bits, GW_SCOPE_READ | GW_SCOPE_WRITE);
	scope_list_from_text(&text, " operator.admin, operator.read operator.bad,,");
	assert_string_equal(scope_list_text(a, &text), "operator.admin,operator.read");
	scope_list_from_text(&text, NULL);
	assert_int_equal(text.count, 2);
}

/* A cap takes away by name: "admin" in a cap gives nothing that was not granted. */
static void test_cap(void **state)
{
	struct scope_list l = {0};

	scope_list_add(&l, GW_SCOPE_ADMIN);
	scope_list_add(&l, GW_SCOPE_READ);
	scope_list_cap(&l, GW_SCOPE_READ);
	assert_int_equal(l.bits, GW_SCOPE_READ);
	assert_int_equal(l.count, 1);
	scope_list_cap(&l, GW_SCOPE_ADMIN);
	assert_int_equal(l.bits, 0);
	assert_int_equal(l.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_implications),
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_cap),
	};

	return cmocka_run_group_tests_name("gateway/scope", tests, NULL, NULL);
}
