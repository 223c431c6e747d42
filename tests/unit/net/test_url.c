/* net/url: what is taken apart, what is refused, and the encodings. */
#include "net/url.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "core/str.h"

static const struct {
	const char *text, *scheme, *host;
	uint16_t port;
	const char *path, *query, *fragment;
} good[] = {
	{ "http://a", "http", "a", 80, "/", NULL, NULL },
	{ "HTTPS://Example.COM/X", "https", "example.com", 443, "/X", NULL, NULL },
	{ "ws://a.b:8080/p?q=1#f", "ws", "a.b", 8080, "/p", "q=1", "f" },
	{ "wss://a", "wss", "a", 443, "/", NULL, NULL },
	{ "http://a.b./", "http", "a.b", 80, "/", NULL, NULL },
	{ "http://a:/", "http", "a", 80, "/", NULL, NULL },
	{ "http://a:65535", "http", "a", 65535, "/", NULL, NULL },
	{ "http://[::1]:81/", "http", "::1", 81, "/", NULL, NULL },
	{ "http://[FE80::A]", "http", "fe80::a", 80, "/", NULL, NULL },
	{ "http://a?q", "http", "a", 80, "/", "q", NULL },
	{ "http://a#f?g", "http", "a", 80, "/", NULL, "f?g" },
	{ "http://a/?#", "http", "a", 80, "/", "", "" },
	{ "http://a//b/../c%20?x=/?y", "http", "a", 80, "//b/../c%20", "x=/?y", NULL },
	{ "http://127.0.0.1:18789/", "http", "127.0.0.1", 18789, "/", NULL, NULL },
	{ "http://0x7f.1/", "http", "0x7f.1", 80, "/", NULL, NULL },
	{ "http://my_host-1/", "http", "my_host-1", 80, "/", NULL, NULL },
};

static void test_good(void **state)
{
	for (size_t i = 0; i < CH_ARRAY_LEN(good); i++) {
		CH_AUTO(arena_unref) struct arena *a = arena_new(0);
		struct ch_err err = { 0 };
		struct url u;

		if (url_parse(a, good[i].text, &u, &err))
			fail_msg("%s: %s", good[i].text, err.text);
		assert_string_equal(u.scheme, good[i].scheme);
		assert_string_equal(u.host, good[i].host);
		assert_int_equal(u.port, good[i].port);
		assert_string_equal(u.path, good[i].path);
		if (!str_eq(u.query, good[i].query) || !str_eq(u.fragment, good[i].fragment))
			fail_msg("%s: query '%s', fragment '%s'", good[i].text, u.query, u.fragment);
		assert_int_equal(u.host_is_ipv6, strchr(good[i].host, ':') != NULL);
	}
}

static const char *const bad[] = {
	"",
	"a",
	"//a/",
	"http:/a",
	"http:a",
	"http://",
	"http:///x",
	"http://:80/",
	"ftp://a/",
	"javascript://a/",
	"http://user@a/",
	"http://user:pw@a/",
	"http://a@/",
	"http://@a/",
	"http://a\\b/",
	"http://a/\\b",
	"http://a b/",
	" http://a/",
	"http://a/ ",
	"http://a/\t",
	"http://a/\n",
	"http://a/\x7f",
	"http://a/\xc3\xa4",
	"http://a:0/",
	"http://a:65536/",
	"http://a:99999999999999999999/",
	"http://a:8o/",
	"http://a:-1/",
	"http://a:+1/",
	"http://[::1/",
	"http://[::1]x/",
	"http://[1.2.3.4]/",
	"http://[fe80::1%25eth0]/",
	"http://[]/",
	"http://::1/",
	"http://.a/",
	"http://a..b/",
	"http://a../",
	"http://./",
	"http://a%2eb/",
	"http://a,b/",
	"http://a*/",
};

static void test_bad(void **state)
{
	for (size_t i = 0; i < CH_ARRAY_LEN(bad); i++) {
		CH_AUTO(arena_unref) struct arena *a = arena_new(0);
		struct ch_err err = { 0 };
		struct url u;

		if (!url_parse(a, bad[i], &u, &err))
			fail_msg("accepted '%s'", bad[i]);
		assert_int_equal(err.code, strncmp(bad[i], "ftp", 3) && strncmp(bad[i], "java", 4)
						   ? CH_E_INVALID
						   : CH_E_UNSUPPORTED);
		assert_true(str_starts(err.text, "url: "));
	}
}

static void test_same_origin(void **state)
{
	static const struct { const char *a, *b; bool same; } rows[] = {
		{ "http://a/x", "http://A:80/y?z", true },
		{ "https://a.", "https://a:443", true },
		{ "http://a", "https://a", false },
		{ "http://a", "http://a:81", false },
		{ "http://a", "http://b", false },
		{ "http://localhost", "http://localhost.evil", false },
		{ "ws://a", "http://a", false },
	};

	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		CH_AUTO(arena_unref) struct arena *a = arena_new(0);
		struct url x, y;

		assert_int_equal(url_parse(a, rows[i].a, &x, NULL), CH_OK);
		assert_int_equal(url_parse(a, rows[i].b, &y, NULL), CH_OK);
		assert_int_equal(url_same_origin(&x, &y), rows[i].same);
	}
}

static void test_decode(void **state)
{
	static const struct { const char *in, *out; } rows[] = {
		{ "", "" },
		{ "a+b", "a+b" },
		{ "%41%7a%2F", "Az/" },
		{ "%c3%A4", "\xc3\xa4" },
		{ "%25%32%35", "%25" },
		{ "%", NULL },
		{ "%4", NULL },
		{ "%4g", NULL },
		{ "a%00b", NULL },
		{ "%%41", NULL },
	};

	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		CH_AUTO(arena_unref) struct arena *a = arena_new(0);
		char *out = url_decode(a, rows[i].in, strlen(rows[i].in));

		if (!str_eq(out, rows[i].out))
			fail_msg("'%s' gave '%s'", rows[i].in, out ? out : "(null)");
	}
}

static void test_encode(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	char all[256];

	assert_string_equal(url_encode(a, "aZ09-._~ /?%\xc3\xa4"), "aZ09-._~%20%2F%3F%25%C3%A4");
	for (int i = 1; i < 256; i++)
		all[i - 1] = (char)i;
	all[255] = '\0';
	char *text = url_encode(a, all);
	assert_string_equal(url_decode(a, text, strlen(text)), all);
}

static void test_query(void **state)
{
	static const struct { const char *query, *name, *value; } rows[] = {
		{ "a=1&b=2", "b", "2" },
		{ "a=1&a=2", "a", "1" },
		{ "a", "a", "" },
		{ "a=", "a", "" },
		{ "x+y=1+2%2B", "x y", "1 2+" },
		{ "%61=z", "a", "z" },
		{ "a=b=c", "a", "b=c" },
		{ "&&a=1&", "a", "1" },
		{ "ab=1", "a", NULL },
		{ NULL, "a", NULL },
		{ "", "a", NULL },
		{ "a=%zz", "a", NULL },
		{ "%=1&a=2", "a", "2" },
	};

	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		CH_AUTO(arena_unref) struct arena *a = arena_new(0);
		const char *value = url_query_get(a, rows[i].query, rows[i].name);

		if (!str_eq(value, rows[i].value))
			fail_msg("'%s' gave '%s'", rows[i].query, value ? value : "(null)");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_same_origin),
		cmocka_unit_test(test_decode),
		cmocka_unit_test(test_encode),
		cmocka_unit_test(test_query),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
