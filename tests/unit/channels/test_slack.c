/*
 * channels/slack, slack_api: ids, targets, keys, and which addresses get our token.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "channels/slack.h"
#include "core/str.h"

static struct arena *a;
static struct config *config;
static struct chan_cfg *cfg;
static struct ch_err err;

static int set_up(void **state)
{
	a = arena_new(0);
	return 0;
}

static int tear_down(void **state)
{
	chan_cfg_unref(CH_TAKE(cfg));
	config_unref(CH_TAKE(config));
	arena_unref(a);
	return 0;
}

static void set_keys(const char *text, const char *account)
{
	chan_cfg_unref(CH_TAKE(cfg));
	config_unref(CH_TAKE(config));
	if (config_parse(text, strlen(text), NULL, &config, &err))
		fail_msg("%s", err.text);
	cfg = chan_cfg_new(config, "slack", account);
}

static void test_ids(void **state)
{
	static const struct { enum chan_id_use use; const char *text, *id; } cases[] = {
		{ CHAN_ID_SENDER, "U012AB3CD", "U012AB3CD" },
		{ CHAN_ID_SENDER, "W012AB3CD", "W012AB3CD" },
		{ CHAN_ID_SENDER, "B012AB3CD", "B012AB3CD" },
		{ CHAN_ID_SENDER, "slack:U012AB3CD", "U012AB3CD" },
		{ CHAN_ID_SENDER, "slack:user:U012AB3CD", "U012AB3CD" },
		{ CHAN_ID_SENDER, "<@U012AB3CD|ada>", "U012AB3CD" },
		{ CHAN_ID_SENDER, "  U012AB3CD ", "U012AB3CD" },
		{ CHAN_ID_SENDER, "C012AB3CD", NULL }, /* a channel is nobody */
		{ CHAN_ID_SENDER, "D012AB3CD", NULL },
		{ CHAN_ID_SENDER, "ada", NULL },
		{ CHAN_ID_SENDER, "@ada", NULL },
		{ CHAN_ID_SENDER, "ada@example.org", NULL },
		{ CHAN_ID_SENDER, "u012ab3cd", NULL },
		{ CHAN_ID_SENDER, "", NULL },
		{ CHAN_ID_GROUP, "C012AB3CD", "C012AB3CD" },
		{ CHAN_ID_GROUP, "channel:G012AB3CD", "G012AB3CD" },
		{ CHAN_ID_GROUP, "<#C012AB3CD|general>", "C012AB3CD" },
		{ CHAN_ID_GROUP, "U012AB3CD", NULL }, /* a person is no room */
		{ CHAN_ID_GROUP, "#general", NULL },
		{ CHAN_ID_GROUP, "team:T012AB3CD:channel:C012AB3CD", NULL },
	};

	for (size_t i = 0; i < CH_ARRAY_LEN(cases); i++) {
		const char *why = NULL, *id = chan_slack.id_parse(a, cases[i].use, cases[i].text, &why);

		if (!str_eq(id, cases[i].id))
			fail_msg("'%s' is %s", cases[i].text, id ? id : "none");
		if (!id)
			assert_non_null(why);
	}
}

static void test_targets(void **state)
{
	static const struct { const char *text; enum chan_peer_kind kind; const char *id, *thread; } cases[] = {
		{ "user:U012AB3CD", CHAN_DIRECT, "U012AB3CD", NULL },
		{ "<@U012AB3CD>", CHAN_DIRECT, "U012AB3CD", NULL },
		{ "D012AB3CD", CHAN_DIRECT, "D012AB3CD", NULL },
		{ "channel:C012AB3CD", CHAN_CHANNEL, "C012AB3CD", NULL },
		{ "#C012AB3CD", CHAN_CHANNEL, "C012AB3CD", NULL },
		{ "slack:channel:C012AB3CD:thread:1700000000.000100", CHAN_CHANNEL, "C012AB3CD", "1700000000.000100" },
	};
	static const char *const none[] = { "#general", "@ada", "", "C012AB3CD:thread:x", "B012AB3CD", "https://x.slack.com/archives/C012AB3CD" };
	struct chan_peer peer;

	for (size_t i = 0; i < CH_ARRAY_LEN(cases); i++) {
		if (chan_slack.target_parse(a, cases[i].text, &peer, &err))
			fail_msg("%s", err.text);
		assert_int_equal(peer.kind, cases[i].kind);
		assert_string_equal(peer.id, cases[i].id);
		assert_true(str_eq(peer.thread, cases[i].thread));
	}
	for (size_t i = 0; i < CH_ARRAY_LEN(none); i++)
		assert_int_equal(chan_slack.target_parse(a, none[i], &peer, &err), CH_E_INVALID);
}

static void test_keys(void **state)
{
	set_keys("{channels:{slack:{botToken:'xoxb-1',appToken:'xapp-1'}}}", NULL);
	assert_int_equal(chan_slack.check(cfg, &err), CH_OK);
	assert_null(chan_slack.webhook_path(cfg, a));
	set_keys("{channels:{slack:{botToken:'xoxb-1'}}}", NULL);
	assert_int_equal(chan_slack.check(cfg, &err), CH_E_INVALID);
	assert_true(strstr(err.text, "appToken") != NULL);
	set_keys("{channels:{slack:{appToken:'xapp-1'}}}", NULL);
	assert_int_equal(chan_slack.check(cfg, &err), CH_E_INVALID);
	assert_true(strstr(err.text, "botToken") != NULL);
	set_keys("{channels:{slack:{botToken:'xoxb-1',appToken:'xapp-1',mode:'http'}}}", NULL);
	assert_int_equal(chan_slack.check(cfg, &err), CH_E_INVALID);
	assert_true(strstr(err.text, "signingSecret") != NULL);
	set_keys("{channels:{slack:{mode:'http',signingSecret:'s',accounts:{b:{botToken:'xoxb-1',webhookPath:'/b'}}}}}", "b");
	assert_string_equal(chan_slack.webhook_path(cfg, a), "/b");
	set_keys("{channels:{slack:{mode:'http',signingSecret:'s',botToken:'xoxb-1'}}}", NULL);
	assert_string_equal(chan_slack.webhook_path(cfg, a), "/slack/events");
}

/* The token goes to Slack, and to a configured root, and nowhere else. */
static void test_threat_ssrf_the_token_stays_with_slack(void **state)
{
	static const char *const slacks[] = { "https://slack.com/api/x", "https://files.slack.com/files-pri/x", "https://hooks.slack.com/a",
					      "wss://wss-primary.slack.com/link/?ticket=1", "https://x.slack-gov.com/" };
	static const char *const others[] = { "http://slack.com/api/x", "https://slack.com.evil.org/", "https://evilslack.com/", "ws://wss.slack.com/",
					      "https://evil.org/?slack.com", "http://127.0.0.1:7/x", "https://slack.com@evil.org/", "file:///etc/passwd",
					      "", "x" };

	set_keys("{channels:{slack:{botToken:'xoxb-1'}}}", NULL);
	for (size_t i = 0; i < CH_ARRAY_LEN(slacks); i++) {
		assert_true(slack_is_ours(cfg, slacks[i]));
		assert_int_equal(slack_guard(cfg, slacks[i]), GUARD_PUBLIC_ONLY);
	}
	for (size_t i = 0; i < CH_ARRAY_LEN(others); i++)
		assert_false(slack_is_ours(cfg, others[i]));
	assert_false(slack_is_ours(cfg, NULL));
	set_keys("{channels:{slack:{botToken:'xoxb-1',apiRoot:'http://127.0.0.1:7/api'}}}", NULL);
	assert_true(slack_is_ours(cfg, "http://127.0.0.1:7/upload"));
	assert_true(slack_is_ours(cfg, "ws://127.0.0.1:7/link"));
	assert_int_equal(slack_guard(cfg, "http://127.0.0.1:7/upload"), GUARD_TRUST_ORIGIN);
	assert_false(slack_is_ours(cfg, "http://127.0.0.1:8/upload"));
	assert_int_equal(slack_guard(cfg, "https://files.slack.com/x"), GUARD_PUBLIC_ONLY);
}

static void test_forms(void **state)
{
	SLACK_AUTO_FORM struct slack_form form = SLACK_FORM;

	slack_form_add(&form, "text", "a b&c=\"é\"");
	slack_form_add(&form, "none", NULL);
	slack_form_int(&form, "n", -3);
	slack_form_bool(&form, "yes", true);
	assert_string_equal(buf_str(&form.body), "text=a%20b%26c%3D%22%C3%A9%22&n=-3&yes=true");
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(test_ids), T(test_targets), T(test_keys), T(test_threat_ssrf_the_token_stays_with_slack), T(test_forms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
