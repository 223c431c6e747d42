/* channels/discord_rate: routes, buckets, 429s; time is what the test says. */
#include "channels/discord_rate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "core/str.h"

#define A "100000000000000001"
#define B "100000000000000002"

static void test_routes(void **state)
{
	static const struct { const char *method, *path, *route, *major; } want[] = {
		{ "POST", "/channels/" A "/messages", "POST /channels/:id/messages", A },
		{ "GET", "/channels/" A "/messages?limit=50", "GET /channels/:id/messages", A },
		{ "DELETE", "/channels/" A "/messages/" B, "DELETE /channels/:id/messages/:id", A },
		{ "PUT", "/channels/" A "/messages/" B "/reactions/%F0%9F%91%80/@me", "PUT /channels/:id/messages/:id/reactions/:id/@me", A },
		{ "GET", "/guilds/" B "/members/" A, "GET /guilds/:id/members/:id", B },
		{ "POST", "/interactions/" A "/aW50-ab.c/callback", "POST /interactions/:id/:id/callback", "" },
		{ "GET", "/gateway/bot", "GET /gateway/bot", "" },
		{ "POST", "/users/@me/channels", "POST /users/@me/channels", "" },
	};

	for (size_t i = 0; i < CH_ARRAY_LEN(want); i++) {
		struct discord_route r;

		discord_route(want[i].method, want[i].path, &r);
		assert_string_equal(r.route, want[i].route);
		assert_string_equal(r.major, want[i].major);
	}
}

/* Each interaction is a webhook of its own: one person's answers do not use up another's. */
static void test_an_interaction_counts_by_its_token(void **state)
{
	struct discord_route one, other, original;

	discord_route("POST", "/webhooks/" A "/aW50-ab.c?wait=true", &one);
	discord_route("POST", "/webhooks/" A "/aW50-ab.d?wait=true", &other);
	discord_route("GET", "/webhooks/" A "/aW50-ab.c/messages/@original", &original);
	assert_string_equal(one.route, "POST /webhooks/:id/:id");
	assert_string_equal(other.route, one.route);
	assert_string_not_equal(one.major, other.major);
	assert_string_equal(original.major, one.major);
	assert_string_equal(original.route, "GET /webhooks/:id/:id/messages/@original");
}

static void test_a_route_never_overflows(void **state)
{
	char path[1000] = "/";
	struct discord_route r;

	memset(path + 1, 'a', sizeof(path) - 2);
	path[sizeof(path) - 1] = 0;
	discord_route("POST", path, &r);
	assert_true(strlen(r.route) < DISCORD_ROUTE_MAX);
	discord_route("POST", "", &r);
	assert_string_equal(r.route, "POST ");
}

static struct discord_route route(const char *path)
{
	struct discord_route r;

	discord_route("POST", path, &r);
	return r;
}

static void said(struct discord_rate *r, const struct discord_route *rt, const char *bucket, const char *remaining, int64_t now)
{
	struct discord_rate_said s = { .status = 200, .bucket = bucket, .limit = "2", .remaining = remaining, .reset_after = "5.000" };

	discord_rate_answer(r, rt, &s, now);
}

static void test_a_bucket_counts_per_channel(void **state)
{
	struct discord_rate *r = discord_rate_new();
	struct discord_route a = route("/channels/" A "/messages"), b = route("/channels/" B "/messages");

	assert_int_equal(discord_rate_take(r, &a, false, 1000), 0);
	said(r, &a, "h1", "1", 1000);
	assert_int_equal(discord_rate_take(r, &a, false, 1100), 0);
	/* Empty: until the window's end. */
	assert_int_equal(discord_rate_take(r, &a, false, 1200), 4800);
	assert_int_equal(discord_rate_take(r, &b, false, 1200), 0);
	assert_int_equal(discord_rate_take(r, &a, false, 6000), 0);
	discord_rate_free(r);
}

static void test_two_routes_of_one_bucket(void **state)
{
	struct discord_rate *r = discord_rate_new();
	struct discord_route a = route("/channels/" A "/messages"), b = route("/channels/" A "/typing");

	said(r, &a, "same", "0", 1000);
	assert_int_equal(discord_rate_take(r, &b, false, 1000), 0);
	said(r, &b, "same", "0", 1000);
	assert_int_equal(discord_rate_take(r, &b, false, 1000), 5000);
	assert_int_equal(discord_rate_take(r, &a, false, 1000), 5000);
	assert_int_equal(discord_rate_buckets(r), 1);
	discord_rate_free(r);
}

static void test_answers_that_overtake_each_other(void **state)
{
	struct discord_rate *r = discord_rate_new();
	struct discord_route a = route("/channels/" A "/messages");

	said(r, &a, "h1", "0", 1000);
	/* An older answer of the same window. */
	struct discord_rate_said late = { .status = 200, .bucket = "h1", .limit = "2", .remaining = "1", .reset_after = "4.9" };
	discord_rate_answer(r, &a, &late, 1100);
	assert_true(discord_rate_take(r, &a, false, 1200) > 0);
	/* The next window may begin a moment before ours ends. */
	said(r, &a, "h1", "1", 5900);
	assert_int_equal(discord_rate_take(r, &a, false, 5950), 0);
	discord_rate_free(r);
}

static void test_429_of_a_route_and_of_all(void **state)
{
	struct discord_rate *r = discord_rate_new();
	struct discord_route a = route("/channels/" A "/messages"), b = route("/channels/" B "/messages");
	struct discord_rate_said own = { .status = 429, .bucket = "h1", .scope = "user", .retry_after_s = 1.5 };
	struct discord_rate_said all = { .status = 429, .is_global = true, .retry_after_s = 0.25 };

	discord_rate_answer(r, &a, &own, 1000);
	assert_int_equal(discord_rate_retry_ms(&own), 1500);
	assert_int_equal(discord_rate_take(r, &a, false, 1000), 1500);
	assert_int_equal(discord_rate_take(r, &b, false, 1000), 0);
	assert_false(discord_rate_is_global(r, 1000));
	discord_rate_answer(r, &a, &all, 2000);
	assert_true(discord_rate_is_global(r, 2000));
	assert_int_equal(discord_rate_take(r, &b, false, 2000), 250);
	/* Interactions are outside of it. */
	assert_int_equal(discord_rate_take(r, &b, true, 2000), 0);
	discord_rate_free(r);
}

static void test_a_second_holds_fifty(void **state)
{
	struct discord_rate *r = discord_rate_new();
	struct discord_route a = route("/users/@me/channels");

	for (int i = 0; i < DISCORD_RATE_GLOBAL; i++)
		assert_int_equal(discord_rate_take(r, &a, false, 5000), 0);
	assert_int_equal(discord_rate_take(r, &a, false, 5400), 600);
	assert_int_equal(discord_rate_take(r, &a, false, 6000), 0);
	discord_rate_free(r);
}

static void test_headers_that_are_nonsense(void **state)
{
	static const struct discord_rate_said bad[] = {
		{ .status = 200 },
		{ .status = 200, .limit = "x", .remaining = "1", .reset_after = "1" },
		{ .status = 200, .limit = "0", .remaining = "0", .reset_after = "1" },
		{ .status = 200, .limit = "5", .remaining = "-1", .reset_after = "1" },
		{ .status = 200, .limit = "5", .remaining = "1", .reset_after = "soon" },
		{ .status = 200, .limit = "99999999999", .remaining = "1", .reset_after = "1" },
	};
	static const struct discord_rate_said odd = { .status = 429, .retry_after_s = -3 }, far = { .status = 429, .retry_after_s = 1e300 };
	struct discord_rate *r = discord_rate_new();
	struct discord_route a = route("/users/@me/channels");

	for (size_t i = 0; i < CH_ARRAY_LEN(bad); i++)
		discord_rate_answer(r, &a, &bad[i], 1000);
	assert_int_equal(discord_rate_buckets(r), 0);
	assert_int_equal(discord_rate_retry_ms(&odd), 1);
	assert_int_equal(discord_rate_retry_ms(&far), 86400000);
	discord_rate_free(r);
}

/* Very many channels do not fill the memory. */
static void test_threat_dos_buckets_are_bounded(void **state)
{
	struct discord_rate *r = discord_rate_new();

	for (int i = 0; i < 3 * DISCORD_RATE_BUCKETS_MAX; i++) {
		char path[64];
		struct discord_route rt;

		snprintf(path, sizeof(path), "/channels/1000000000000%05d/messages", i);
		rt = route(path);
		said(r, &rt, "h1", "1", 1000);
	}
	assert_true(discord_rate_buckets(r) <= DISCORD_RATE_BUCKETS_MAX);
	discord_rate_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_routes),
		cmocka_unit_test(test_an_interaction_counts_by_its_token),
		cmocka_unit_test(test_a_route_never_overflows),
		cmocka_unit_test(test_a_bucket_counts_per_channel),
		cmocka_unit_test(test_two_routes_of_one_bucket),
		cmocka_unit_test(test_answers_that_overtake_each_other),
		cmocka_unit_test(test_429_of_a_route_and_of_all),
		cmocka_unit_test(test_a_second_holds_fifty),
		cmocka_unit_test(test_headers_that_are_nonsense),
		cmocka_unit_test(test_threat_dos_buckets_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
