/*
 * gateway/connect_policy: the tables of the handshake, row by row.
 */
#include "gwtest.h"

#include "core/str.h"
#include "gateway/connect_policy.h"

static struct connect_params client(const char *id, const char *mode)
{
	return (struct connect_params){
		.client = {.id = id, .mode = mode, .platform = "linux", .device_family = "Linux"},
		.role = "operator",
		.min_protocol = 4,
		.max_protocol = 4};
}

struct protocol_case { const char *mode, *role; int min, max; bool fits; };

static void test_protocol(void **state)
{
	static const struct protocol_case rows[] = {
		{ "cli", "operator", 4, 4, true },
		{ "cli", "operator", 3, 4, true },
		{ "cli", "operator", 4, 9, true },
		{ "cli", "operator", 3, 3, false },
		{ "cli", "operator", 5, 5, false },
		{ "cli", "operator", 5, 4, false },
		{ "probe", "operator", 3, 3, true },
		{ "probe", "operator", 3, 4, true },
		{ "probe", "operator", 1, 2, false },
		{ "probe", "operator", 5, 6, false },
		{ "node", "node", 3, 3, true },
		{ "node", "operator", 3, 3, false },
		{ "ui", "node", 3, 3, false },       { "node", "node", 2, 2, false },
	};

	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		struct connect_params p = client("cli", rows[i].mode);

		p.role = rows[i].role;
		p.min_protocol = rows[i].min;
		p.max_protocol = rows[i].max;
		if (policy_protocol_fits(&p) != rows[i].fits)
			fail_msg("%s/%s %d..%d", rows[i].mode, rows[i].role, rows[i].min, rows[i].max);
	}
}

struct need_case {
	const char *id, *mode;
	enum gw_role role;
	bool is_local, has_origin, shared_ok, has_token;
	enum auth_method method;
	enum device_need need;
	bool keeps_scopes;
};

/* Connects without a device. */
static void test_device_need(void **state)
{
	static const struct need_case rows[] = {
		/* the local tools */
		{ "cli", "cli", GW_ROLE_OPERATOR, true, false, true, true, AUTH_BY_TOKEN,
		  DEVICE_NOT_NEEDED, true },
		{ "gateway-client", "backend", GW_ROLE_OPERATOR, true, false, true, true, AUTH_BY_TOKEN,
		  DEVICE_NOT_NEEDED, true },
		{ "gateway-client", "backend", GW_ROLE_OPERATOR, true, false, false, false, AUTH_BY_NONE,
		  DEVICE_NOT_NEEDED, true },
		/* let in, but without scopes */
		{ "cli", "probe", GW_ROLE_OPERATOR, true, false, true, true, AUTH_BY_TOKEN,
		  DEVICE_NOT_NEEDED, false },
		{ "test", "test", GW_ROLE_OPERATOR, true, false, true, true, AUTH_BY_TOKEN,
		  DEVICE_NOT_NEEDED, false },
		{ "cli", "cli", GW_ROLE_OPERATOR, true, true, true, true, AUTH_BY_TOKEN,
		  DEVICE_NOT_NEEDED, false },
		{ "cli", "cli", GW_ROLE_OPERATOR, false, false, true, true, AUTH_BY_TOKEN,
		  DEVICE_NOT_NEEDED, false },
		{ "gateway-client", "backend", GW_ROLE_OPERATOR, true, true, true, true, AUTH_BY_TOKEN,
		  DEVICE_NOT_NEEDED, false },
		{ "gateway-client", "backend", GW_ROLE_OPERATOR, false, false, true, true, AUTH_BY_TOKEN,
		  DEVICE_NOT_NEEDED, false },
		{ "webchat-ui", "webchat", GW_ROLE_OPERATOR, true, true, true, true, AUTH_BY_TOKEN,
		  DEVICE_NOT_NEEDED, false },
		/* refused */
		{ "openclaw-tui", "ui", GW_ROLE_OPERATOR, true, false, true, true, AUTH_BY_TOKEN,
		  DEVICE_NEEDED_BY_UI, false },
		{ "openclaw-control-ui", "webchat", GW_ROLE_OPERATOR, true, true, true, true,
		  AUTH_BY_TOKEN, DEVICE_NEEDED_BY_UI, false },
		{ "node-host", "node", GW_ROLE_NODE, true, false, true, true, AUTH_BY_TOKEN,
		  DEVICE_NEEDED, false },
		{ "cli", "cli", GW_ROLE_OPERATOR, true, false, false, false, AUTH_BY_TOKEN, DEVICE_NEEDED,
		  false },
		{ "cli", "cli", GW_ROLE_OPERATOR, true, false, false, true, AUTH_BY_TOKEN,
		  DEVICE_NEED_UNAUTHORIZED, false },
		{ "gateway-client", "backend", GW_ROLE_OPERATOR, true, false, false, true, AUTH_BY_TOKEN,
		  DEVICE_NEED_UNAUTHORIZED, false },
	};

	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		struct connect_params p = client(rows[i].id, rows[i].mode);
		struct connect_facts f = { .params = &p, .role = rows[i].role, .is_local = rows[i].is_local,
					   .has_origin = rows[i].has_origin, .shared_ok = rows[i].shared_ok,
					   .auth_ok = rows[i].shared_ok || rows[i].method == AUTH_BY_NONE,
					   .method = rows[i].method };

		p.token = rows[i].has_token ? "t" : NULL;
		if (policy_device_need(&f) != rows[i].need || policy_keeps_scopes(&f) != rows[i].keeps_scopes)
			fail_msg("row %zu: %s/%s: need %d keeps %d", i, rows[i].id, rows[i].mode,
				 policy_device_need(&f), policy_keeps_scopes(&f));
		p.has_device = true;
		assert_int_equal(policy_device_need(&f), DEVICE_NOT_NEEDED);
	}
}

struct silent_case {
	const char *id, *mode;
	enum gw_role role;
	bool is_local, has_origin, is_known;
	enum auth_method method;
	enum pair_reason reason;
	bool is_silent;
};

static void test_silent(void **state)
{
	static const struct silent_case rows[] = {
		{ "openclaw-tui", "ui", GW_ROLE_OPERATOR, true, false, false, AUTH_BY_TOKEN,
		  PAIR_NOT_PAIRED, true },
		{ "openclaw-control-ui", "webchat", GW_ROLE_OPERATOR, true, true, false, AUTH_BY_TOKEN,
		  PAIR_NOT_PAIRED, true },
		{ "webchat-ui", "webchat", GW_ROLE_OPERATOR, true, true, false, AUTH_BY_TOKEN,
		  PAIR_NOT_PAIRED, true },
		{ "node-host", "node", GW_ROLE_NODE, true, false, false, AUTH_BY_TOKEN, PAIR_NOT_PAIRED,
		  true },
		{ "openclaw-tui", "ui", GW_ROLE_OPERATOR, true, false, true, AUTH_BY_TOKEN, PAIR_SCOPE,
		  true },
		{ "openclaw-macos", "ui", GW_ROLE_OPERATOR, true, false, true, AUTH_BY_TOKEN,
		  PAIR_METADATA, true },
		{ "openclaw-macos", "ui", GW_ROLE_OPERATOR, true, false, true, AUTH_BY_DEVICE_TOKEN,
		  PAIR_METADATA, true },
		{ "cli", "cli", GW_ROLE_OPERATOR, true, false, true, AUTH_BY_TOKEN, PAIR_METADATA, true },
		/* not from elsewhere */
		{ "openclaw-tui", "ui", GW_ROLE_OPERATOR, false, false, false, AUTH_BY_TOKEN,
		  PAIR_NOT_PAIRED, false },
		{ "openclaw-control-ui", "webchat", GW_ROLE_OPERATOR, false, true, false, AUTH_BY_TOKEN,
		  PAIR_NOT_PAIRED, false },
		/* not for a page that poses as another client */
		{ "cli", "cli", GW_ROLE_OPERATOR, true, true, false, AUTH_BY_TOKEN, PAIR_NOT_PAIRED, false },
		/* not more scopes by a device's token, not another role for a known device */
		{ "openclaw-tui", "ui", GW_ROLE_OPERATOR, true, false, true, AUTH_BY_DEVICE_TOKEN,
		  PAIR_SCOPE, false },
		{ "node-host", "node", GW_ROLE_NODE, true, false, true, AUTH_BY_TOKEN, PAIR_ROLE, false },
		{ "node-host", "node", GW_ROLE_NODE, true, false, true, AUTH_BY_TOKEN, PAIR_NOT_PAIRED,
		  false },
		/* no page, and not everybody, may change what it is */
		{ "openclaw-control-ui", "webchat", GW_ROLE_OPERATOR, true, true, true, AUTH_BY_TOKEN,
		  PAIR_METADATA, false },
		{ "openclaw-tui", "ui", GW_ROLE_OPERATOR, true, false, true, AUTH_BY_TOKEN, PAIR_METADATA,
		  false },
		{ "cli", "cli", GW_ROLE_OPERATOR, true, false, true, AUTH_BY_DEVICE_TOKEN, PAIR_METADATA,
		  false },
	};

	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		struct connect_params p = client(rows[i].id, rows[i].mode);
		struct connect_facts f = { .params = &p, .role = rows[i].role, .is_local = rows[i].is_local,
					   .has_origin = rows[i].has_origin, .method = rows[i].method,
					   .shared_ok = rows[i].method == AUTH_BY_TOKEN, .auth_ok = true };

		if (policy_is_silent(&f, rows[i].reason, rows[i].is_known, true) != rows[i].is_silent)
			fail_msg("row %zu: %s/%s", i, rows[i].id, rows[i].mode);
		/* Switched off, only what the device says of itself may still change. */
		if (rows[i].reason != PAIR_METADATA)
			assert_false(policy_is_silent(&f, rows[i].reason, rows[i].is_known, false));
	}
}

static void test_reasons(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct connect_params p = client("openclaw-tui", "ui");
	struct connect_facts f = { .params = &p, .role = GW_ROLE_OPERATOR };
	struct device d = { .platform = "linux", .device_family = "linux", .roles = GW_ROLE_OPERATOR,
			    .scopes = { .bits = GW_SCOPE_READ } };
	struct scope_list wanted = { .bits = GW_SCOPE_READ };

	assert_int_equal(policy_next_reason(a, &f, &d, &wanted, PAIR_NOTHING), PAIR_NOTHING);
	wanted.bits = GW_SCOPE_WRITE;
	f.role = GW_ROLE_NODE;
	p.client.platform = "darwin";
	assert_int_equal(policy_next_reason(a, &f, &d, &wanted, PAIR_NOTHING), PAIR_METADATA);
	assert_int_equal(policy_next_reason(a, &f, &d, &wanted, PAIR_METADATA), PAIR_ROLE);
	assert_int_equal(policy_next_reason(a, &f, &d, &wanted, PAIR_ROLE), PAIR_SCOPE);
	assert_int_equal(policy_next_reason(a, &f, &d, &wanted, PAIR_SCOPE), PAIR_NOTHING);
	p.client.platform = " LINUX ";
	assert_int_equal(policy_next_reason(a, &f, &d, &wanted, PAIR_NOTHING), PAIR_ROLE);
	d.platform = d.device_family = NULL;     /* nothing pinned */
	p.client.platform = "darwin";
	assert_int_equal(policy_next_reason(a, &f, &d, &wanted, PAIR_NOTHING), PAIR_ROLE);
	d.scopes.bits = GW_SCOPE_ADMIN;
	d.roles = GW_ROLE_OPERATOR | GW_ROLE_NODE;
	assert_int_equal(policy_next_reason(a, &f, &d, &wanted, PAIR_NOTHING), PAIR_NOTHING);
}

/* An application may report a newer system without asking; nobody else may. */
static void test_platform_refresh(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct connect_params p = client("openclaw-macos", "ui");
	struct device d = { .platform = "macos 15.1" };

	p.client.platform = "macOS 15.2";
	assert_true(policy_platform_refresh(a, &p, &d));
	p.client.platform = "linux";
	assert_false(policy_platform_refresh(a, &p, &d));
	p.client.platform = "macos 15.1";
	assert_false(policy_platform_refresh(a, &p, &d));
	p = client("openclaw-ios", "ui");
	d.platform = "ios 18.0";
	p.client.platform = "iPadOS 18.1";
	assert_true(policy_platform_refresh(a, &p, &d));
	p = client("openclaw-tui", "ui");
	d.platform = "linux 6.1";
	p.client.platform = "linux 6.2";
	assert_false(policy_platform_refresh(a, &p, &d));
}

static void test_texts(void **state)
{
	for (enum pair_reason r = PAIR_NOT_PAIRED; r <= PAIR_SCOPE; r++)
		assert_true(str_starts(pair_reason_text(r)->message, "pairing required: "));
	assert_string_equal(pair_reason_text(PAIR_NOT_PAIRED)->message,
			    "pairing required: device is not approved yet");
	assert_string_equal(auth_method_name(AUTH_BY_DEVICE_TOKEN), "device-token");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_protocol),         cmocka_unit_test(test_device_need),
		cmocka_unit_test(test_silent),           cmocka_unit_test(test_reasons),
		cmocka_unit_test(test_platform_refresh), cmocka_unit_test(test_texts),
	};

	return cmocka_run_group_tests_name("gateway/connect_policy", tests, NULL, NULL);
}
