/*
 * gateway/gw_listen: where to listen, and when not.
 */
#include "gwtest.h"

#include "core/str.h"
#include "gateway/gw_parts.h"

struct bind_case {
	const char *opt, *config;        /* --bind; the configuration's text */
	bool has_auth;
	const char *host;                /* NULL: refused */
	bool is_loopback;
	uint16_t port;
};

static void test_decide(void **state)
{
	static const struct bind_case rows[] = {
		{NULL, "{}", true, "127.0.0.1", true, 18789},
		{NULL, "{}", false, "127.0.0.1", true, 18789},
		{NULL, "{gateway:{bind:'loopback',port:4000}}", true, "127.0.0.1", true, 4000},
		{NULL, "{gateway:{bind:'auto'}}", true, "127.0.0.1", true, 18789},
		{NULL, "{gateway:{bind:'lan'}}", true, "0.0.0.0", false, 18789},
		{NULL, "{gateway:{bind:'lan'}}", false, NULL, false, 0},
		{"loopback", "{gateway:{bind:'lan'}}", false, "127.0.0.1", true, 18789},
		{"lan", "{}", true, "0.0.0.0", false, 18789},
		{"lan", "{}", false, NULL, false, 0},
		{"10.0.0.7", "{}", true, "10.0.0.7", false, 18789},
		{"10.0.0.7", "{}", false, NULL, false, 0},
		{"127.0.0.2", "{}", false, "127.0.0.2", true, 18789},
		{"::1", "{}", false, "::1", true, 18789},
		{"0.0.0.0", "{}", false, NULL, false, 0},
		{"::", "{}", false, NULL, false, 0},
		{NULL, "{gateway:{bind:'custom',customBindHost:'10.1.1.1'}}", true, "10.1.1.1", false, 18789},
		{NULL, "{gateway:{bind:'custom'}}", true, NULL, false, 0},
		{NULL, "{gateway:{bind:'tailnet'}}", true, NULL, false, 0},
		{"example.com", "{}", true, NULL, false, 0},
	};

	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		CH_AUTO(config_unref) struct config *c = NULL;
		struct gw_opts opts = { .bind = rows[i].opt };
		struct gw_bind b;
		struct ch_err err = {0};

		assert_int_equal(config_parse(rows[i].config, strlen(rows[i].config), NULL, &c, &err), CH_OK);
		if (gw_bind_decide(&opts, c, rows[i].has_auth, &b, &err)) {
			if (rows[i].host)
				fail_msg("row %zu: %s", i, err.text);
			assert_true(err.text[0]);
			continue;
		}
		if (!rows[i].host)
			fail_msg("row %zu listens on %s", i, b.hosts[0]);
		assert_string_equal(b.hosts[0], rows[i].host);
		assert_int_equal(b.is_loopback, rows[i].is_loopback);
		assert_int_equal(b.port, rows[i].port);
	}
}

static void test_port(void **state)
{
	CH_AUTO(config_unref) struct config *c = NULL;
	struct gw_opts opts = { .port = 5000 };
	struct gw_bind b;

	assert_int_equal(config_parse("{gateway:{port:4000}}", 21, NULL, &c, NULL), CH_OK);
	assert_int_equal(gw_bind_decide(&opts, c, true, &b, NULL), CH_OK);
	assert_int_equal(b.port, 5000);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_decide), cmocka_unit_test(test_port) };

	return cmocka_run_group_tests_name("gateway/gw_listen", tests, NULL, NULL);
}
