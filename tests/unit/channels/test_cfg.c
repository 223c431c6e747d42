/*
 * channels/cfg: what an account's keys are, and which accounts there are.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "channels/cfg.h"
#include "core/arena.h"
#include "core/fiber.h"
#include "core/str.h"

static const char *const secrets[] = { "botToken", NULL };

static struct config *load(const char *text)
{
	struct config *c = NULL;
	struct ch_err err = { 0 };

	if (config_parse(text, strlen(text), NULL, &c, &err))
		fail_msg("%s: %s", text, err.text);
	return c;
}

#define TWO "{ channels: { defaults: { groupPolicy: 'open' }, telegram: { botToken: 'root', dmPolicy: 'open', allowFrom: ['*'], " \
	"groups: { a: {}, b: {} }, accounts: { work: { botToken: 'w', dmPolicy: 'disabled', groups: { c: {} }, mediaMaxMb: 5 }, " \
	"'my.home': { enabled: false } } } } }"

static void the_nearest_place_wins(void **state)
{
	CH_AUTO(config_unref) struct config *c = load(TWO);
	CH_AUTO(chan_cfg_unref) struct chan_cfg *work = chan_cfg_new(c, "telegram", "work");
	CH_AUTO(chan_cfg_unref) struct chan_cfg *home = chan_cfg_new(c, "telegram", "my.home");
	CH_AUTO(chan_cfg_unref) struct chan_cfg *root = chan_cfg_new(c, "telegram", NULL);
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);

	assert_string_equal(chan_cfg_str(work, "dmPolicy"), "disabled");
	assert_string_equal(chan_cfg_str(home, "dmPolicy"), "open");
	assert_string_equal(chan_cfg_str(root, "dmPolicy"), "open");
	assert_string_equal(chan_cfg_str(work, "groupPolicy"), "open");          /* of channels.defaults */
	assert_string_equal(chan_cfg_str(work, "reactionLevel"), "minimal");     /* of the schema */
	assert_null(chan_cfg_str(work, "replyToMode"));
	assert_int_equal(chan_cfg_int(work, "historyLimit", 7), 7);
	assert_true(chan_cfg_bool(work, "enabled", false));
	assert_false(chan_cfg_bool(home, "enabled", true));
	assert_string_equal(chan_cfg_path(work, "dmPolicy", a), "channels.telegram.accounts.work.dmPolicy");
	assert_string_equal(chan_cfg_path(work, "allowFrom", a), "channels.telegram.allowFrom");
	assert_string_equal(chan_cfg_path(work, "proxy", a), "channels.telegram.proxy");
}

/* A map of the account replaces the network's, it is not merged with it. */
static void maps_replace(void **state)
{
	CH_AUTO(config_unref) struct config *c = load(TWO);
	CH_AUTO(chan_cfg_unref) struct chan_cfg *work = chan_cfg_new(c, "telegram", "work");
	CH_AUTO(chan_cfg_unref) struct chan_cfg *home = chan_cfg_new(c, "telegram", "my.home");

	assert_int_equal(json_len(chan_cfg_get(work, "groups")), 1);
	assert_non_null(json_get(chan_cfg_get(work, "groups"), "c"));
	assert_int_equal(json_len(chan_cfg_get(home, "groups")), 2);
}

static void check_accounts(const char *text, const char *want, const char *def)
{
	CH_AUTO(config_unref) struct config *c = load(text);
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	const char *const *ids = chan_cfg_accounts(c, "telegram", secrets, a);
	const char *got = "", *first = chan_cfg_default_account(c, "telegram", secrets, a);

	for (; *ids; ids++)
		got = arena_printf(a, "%s%s ", got, *ids);
	assert_string_equal(got, want);
	assert_string_equal(first ? first : "-", def);
}

static void accounts(void **state)
{
	check_accounts("{}", "", "-");
	check_accounts("{ channels: { slack: {} } }", "", "-");
	check_accounts("{ channels: { telegram: {} } }", "default ", "default");
	check_accounts("{ channels: { telegram: { accounts: { work: { botToken: 'x' } } } } }", "work ", "work");
	check_accounts("{ channels: { telegram: { accounts: { b: {}, a: {} } } } }", "a b ", "a");
	check_accounts("{ channels: { telegram: { botToken: 'x', accounts: { b: {} } } } }", "b default ", "default");
	check_accounts("{ channels: { telegram: { defaultAccount: 'b', accounts: { a: {}, b: {} } } } }", "a b ", "b");
	check_accounts("{ channels: { telegram: { defaultAccount: 'gone', accounts: { a: {}, b: {} } } } }", "a b ", "a");
	check_accounts(TWO, "default my.home work ", "default");
}

static void check_secret(const struct config *c, const char *account, const char *want)
{
	CH_AUTO(chan_cfg_unref) struct chan_cfg *cfg = chan_cfg_new((struct config *)c, "telegram", account);
	CH_AUTO(secret_unref) struct secret *s = NULL;
	struct ch_err err = { 0 };
	ch_status st = chan_cfg_secret(cfg, "botToken", "TEST_BOT_TOKEN", &s, &err);

	assert_int_equal(chan_cfg_has_secret(cfg, "botToken", "TEST_BOT_TOKEN"), want != NULL);
	if (!want) {
		assert_int_equal(st, CH_E_NOT_FOUND);
		return;
	}
	assert_int_equal(st, CH_OK);
	assert_string_equal(secret_reveal(s), want);
}

/* The environment's token is the default account's alone. */
static void secrets_in_fiber(void *arg)
{
	CH_AUTO(config_unref) struct config *two = load("{ channels: { telegram: { accounts: { work: { botToken: 'w' }, bare: {} } } } }");
	CH_AUTO(config_unref) struct config *root = load(TWO);

	setenv("TEST_BOT_TOKEN", "from-env", 1);
	check_secret(two, "work", "w");
	check_secret(two, "bare", NULL);
	check_secret(two, "default", "from-env");
	check_secret(root, "default", "root");
	check_secret(root, "my.home", NULL);     /* another login needs a token of its own */
	unsetenv("TEST_BOT_TOKEN");
	check_secret(two, "default", NULL);
	*(bool *)arg = true;
}

static void secrets_are_found(void **state)
{
	struct loop *l = loop_new();
	bool is_done = false;

	fiber_spawn(l, "test", FIBER_DETACHED, secrets_in_fiber, &is_done);
	loop_run(l);
	loop_free(l);
	assert_true(is_done);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_nearest_place_wins),
		cmocka_unit_test(maps_replace),
		cmocka_unit_test(accounts),
		cmocka_unit_test(secrets_are_found),
	};

	return cmocka_run_group_tests_name("channels/cfg", tests, NULL, NULL);
}
