/*
 * gateway/origin: the corpus of origins and hosts that tried to look like ours.
 */
#include "gwtest.h"

#include "core/str.h"
#include "gateway/origin.h"

static void test_parse(void **state)
{
	static const char *const bad[] = {
		"",
		"null",
		"localhost",
		"//localhost",
		"ftp://localhost",
		"javascript://localhost",
		"file://",
		"http://",
		"http:///",
		"http://localhost/",
		"http://localhost/x",
		"http://localhost?x",
		"http://localhost#x",
		"http://user@localhost",
		"http://user:pw@localhost",
		"http://localhost:80@evil.example",
		"http://localhost.",
		"http://127.0.0.1.",
		"http://.localhost",
		"http://local host",
		"http://localhost:",
		"http://localhost:0",
		"http://localhost:65536",
		"http://localhost:-1",
		"http://localhost:1x",
		"http://localhost:80:80",
		"http://[::1",
		"http://::1",
		"http://[::1]x",
		"http://[::1]:",
		"http://[localhost]",
		"http://[::1%25lo]",
		"http://loc\xc3\xa4lhost",
		"http://localhost\\",
		"http://localhost\t",
		" http://localhost",
		"http://localhost,http://evil.example",
		"chrome-extension://abcdefgh",
	};
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct origin o;

	for (size_t i = 0; i < CH_ARRAY_LEN(bad); i++)
		if (origin_parse(a, bad[i], &o))
			fail_msg("accepted '%s' as %s://%s:%u", bad[i], o.scheme, o.host, o.port);
	assert_false(origin_parse(a, NULL, &o));
	assert_true(origin_parse(a, "HTTPS://LocalHost", &o));
	assert_string_equal(o.scheme, "https");
	assert_string_equal(o.host, "localhost");
	assert_int_equal(o.port, 443);
	assert_true(origin_parse(a, "http://[0:0:0:0:0:0:0:1]:8080", &o));
	assert_string_equal(o.host, "0:0:0:0:0:0:0:1");
	assert_int_equal(o.port, 8080);
}

static void test_loopback(void **state)
{
	static const char *const yes[] = {"localhost", "127.0.0.1",       "127.255.1.2",
					  "::1",       "0:0:0:0:0:0:0:1", "::ffff:127.0.0.1"};
	static const char *const no[] = {
		"localhost.evil.example",
		"evil-localhost",
		"127.0.0.1.evil.example",
		"127.0.0.1.nip.io",
		"0.0.0.0",
		"::",
		"127.1",
		"0x7f.0.0.1",
		"2130706433",
		"0177.0.0.1",
		"128.0.0.1",
		"::2",
		"fe80::1",
		"localhost.",
		"",
	};

	for (size_t i = 0; i < CH_ARRAY_LEN(yes); i++)
		assert_true(host_is_loopback(yes[i]));
	for (size_t i = 0; i < CH_ARRAY_LEN(no); i++)
		if (host_is_loopback(no[i]))
			fail_msg("'%s' passed as loopback", no[i]);
	assert_false(host_is_loopback(NULL));
}

struct origin_case {
	const char *origin, *host;
	bool is_tls, is_local;
	const char *allowed;             /* one entry, or NULL */
	enum origin_verdict verdict;
};

static const struct origin_case origin_cases[] = {
	/* the page we serve ourselves */
	{ "http://127.0.0.1:18789", "127.0.0.1:18789", false, true, NULL, ORIGIN_SAME_HOST },
	{ "http://localhost:18789", "localhost:18789", false, true, NULL, ORIGIN_SAME_HOST },
	{ "http://LOCALHOST:18789", "localhost:18789", false, true, NULL, ORIGIN_SAME_HOST },
	{ "http://[::1]:18789", "[::1]:18789", false, true, NULL, ORIGIN_SAME_HOST },
	{ "https://localhost", "localhost:443", true, true, NULL, ORIGIN_SAME_HOST },
	{ "http://192.168.1.5:18789", "192.168.1.5:18789", false, false, NULL, ORIGIN_SAME_HOST },
	{ "http://box.local:18789", "box.local:18789", false, false, NULL, ORIGIN_SAME_HOST },
	{ "https://box.tail1.ts.net", "box.tail1.ts.net", true, false, NULL, ORIGIN_SAME_HOST },
	/* other pages of this machine */
	{ "http://localhost:5173", "127.0.0.1:18789", false, true, NULL, ORIGIN_LOCAL },
	{ "http://127.0.0.1", "127.0.0.1:18789", false, true, NULL, ORIGIN_LOCAL },
	/* scheme and port count */
	{ "https://192.168.1.5:18789", "192.168.1.5:18789", false, false, NULL, ORIGIN_DENIED },
	{ "http://192.168.1.5", "192.168.1.5:18789", false, false, NULL, ORIGIN_DENIED },
	/* strangers */
	{ "https://evil.example", "127.0.0.1:18789", false, true, NULL, ORIGIN_DENIED },
	{ "http://localhost.evil.example", "127.0.0.1:18789", false, true, NULL, ORIGIN_DENIED },
	{ "http://127.0.0.1.evil.example", "127.0.0.1:18789", false, true, NULL, ORIGIN_DENIED },
	{ "http://evil.example:18789", "evil.example:18789", false, true, NULL, ORIGIN_DENIED },
	{ "http://8.8.8.8:18789", "8.8.8.8:18789", false, false, NULL, ORIGIN_DENIED },
	{ "http://0.0.0.0:18789", "127.0.0.1:18789", false, true, NULL, ORIGIN_DENIED },
	{ "http://[::ffff:8.8.8.8]", "127.0.0.1:18789", false, true, NULL, ORIGIN_DENIED },
	{ "http://localhost:18789", "gateway.example", false, false, NULL, ORIGIN_DENIED },
	{ "http://localhost:18789", "localhost:18789", false, false, NULL, ORIGIN_DENIED },
	/* not an origin */
	{ NULL, "127.0.0.1:18789", false, true, NULL, ORIGIN_INVALID },
	{ "", "127.0.0.1:18789", false, true, NULL, ORIGIN_INVALID },
	{ "null", "127.0.0.1:18789", false, true, NULL, ORIGIN_INVALID },
	{ "http://localhost.", "localhost:18789", false, true, NULL, ORIGIN_INVALID },
	{ "http://user@localhost:18789", "localhost:18789", false, true, NULL, ORIGIN_INVALID },
	/* the list of allowed origins, compared whole */
	{ "https://chat.example", "10.0.0.1:18789", false, false, "https://chat.example", ORIGIN_ALLOWLIST },
	{ "https://chat.example", "10.0.0.1:18789", false, false, "HTTPS://Chat.Example:443",
	  ORIGIN_ALLOWLIST },
	{ "https://chat.example", "10.0.0.1:18789", false, false, "*", ORIGIN_ALLOWLIST },
	{ "http://chat.example", "10.0.0.1:18789", false, false, "https://chat.example", ORIGIN_DENIED },
	{ "https://chat.example:8443", "10.0.0.1:18789", false, false, "https://chat.example",
	  ORIGIN_DENIED },
	{ "https://a.chat.example", "10.0.0.1:18789", false, false, "https://chat.example", ORIGIN_DENIED },
	{ "https://chat.example.evil", "10.0.0.1:18789", false, false, "https://chat.example",
	  ORIGIN_DENIED },
	{ "null", "10.0.0.1:18789", false, false, "*", ORIGIN_INVALID },
};

static void test_corpus(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);

	for (size_t i = 0; i < CH_ARRAY_LEN(origin_cases); i++) {
		const struct origin_case *c = &origin_cases[i];
		const char *const allowed[] = { c->allowed, NULL };
		struct origin_query q = {.origin = c->origin,
					 .host = c->host,
					 .is_tls = c->is_tls,
					 .is_local = c->is_local,
					 .allowed = allowed};
		enum origin_verdict v = origin_check(a, &q);

		if (v != c->verdict)
			fail_msg("%s at %s: verdict %d, wanted %d", c->origin ? c->origin : "(none)", c->host,
				 v, c->verdict);
	}
}

static void test_fallback(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct origin_query q = { .origin = "https://any.example", .host = "any.example", .is_tls = true,
				  .allow_host_fallback = true };

	assert_int_equal(origin_check(a, &q), ORIGIN_HOST_FALLBACK);
	q.origin = "https://other.example";
	assert_int_equal(origin_check(a, &q), ORIGIN_DENIED);
	/* A proxy that ends TLS: the scheme we see is not the page's. */
	q = (struct origin_query){ .origin = "https://box.local", .host = "box.local", .via_proxy = true };
	assert_int_equal(origin_check(a, &q), ORIGIN_SAME_HOST);
}

static void test_hosts(void **state)
{
	static const char *const loopback_names[] = {"localhost", "localhost:18789", "127.0.0.1:18789",
						     "[::1]:18789", "LOCALHOST"};
	static const char *const strangers[] = {
		"evil.example",     "evil.example:18789", "localhost.evil.example",
		"127.0.0.1.nip.io", "localhost.",         "",
		"10.0.0.5:18789",   "box.local",          "a@localhost",
		"0.0.0.0:18789"};
	const char *const allowed[] = { "https://chat.example", NULL };
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct host_query q = { .bind_is_loopback = true };

	for (size_t i = 0; i < CH_ARRAY_LEN(loopback_names); i++) {
		q.host = loopback_names[i];
		assert_true(origin_host_allowed(a, &q));
	}
	for (size_t i = 0; i < CH_ARRAY_LEN(strangers); i++) {
		q.host = strangers[i];
		if (origin_host_allowed(a, &q))
			fail_msg("Host '%s' passed", strangers[i]);
	}
	q.host = NULL;
	assert_false(origin_host_allowed(a, &q));
	q = (struct host_query){ .host = "chat.example", .bind_is_loopback = true, .allowed = allowed };
	assert_true(origin_host_allowed(a, &q));
	q = (struct host_query){
		.host = "gw.example:8443", .bind_is_loopback = true, .public_origin = "https://gw.example"};
	assert_true(origin_host_allowed(a, &q));
	/* Beyond loopback an address cannot be rebound; names still can. */
	q = (struct host_query){ .host = "10.0.0.5:18789", .machine_name = "box" };
	assert_true(origin_host_allowed(a, &q));
	q.host = "box:18789";
	assert_true(origin_host_allowed(a, &q));
	q.host = "evil.example";
	assert_false(origin_host_allowed(a, &q));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),  cmocka_unit_test(test_loopback), cmocka_unit_test(test_corpus),
		cmocka_unit_test(test_fallback), cmocka_unit_test(test_hosts),
	};

	return cmocka_run_group_tests_name("gateway/origin", tests, NULL, NULL);
}
