/*
 * channels/access_check: what is said of lists that name the wrong kind of id, and which of it stops an account.
 */
#include "access_net.h"

#include "channels/access_judge.h"

static struct arena *arena;

static int setup(void **state)
{
	arena = arena_new(0);
	return 0;
}

static int teardown(void **state)
{
	arena_unref(arena);
	return 0;
}

static ch_status check(const struct chan_ops *ops, const char *account, const char *keys, struct ch_err *err)
{
	CH_AUTO(config_unref) struct config *c = config_of(arena_printf(arena, "{accessGroups:{ops:{type:'message.senders',members:{}}},"
									"channels:{%s:{%s}}}", ops->id, keys));
	CH_AUTO(chan_cfg_unref) struct chan_cfg *cfg = chan_cfg_new(c, ops->id, account);

	return chan_check_account(cfg, ops, err);
}

static void test_sound(void **state)
{
	static const struct { const struct chan_ops *ops; const char *keys; } rows[] = {
		{ &forum, "" },
		{ &forum, "allowFrom:['1',2,'telegram:3','TELEGRAM:4','n:5','accessGroup:ops','accessGroup:gone','*']" },
		{ &forum, "dmPolicy:'open',allowFrom:['*']" },
		{ &forum, "dmPolicy:'allowlist',allowFrom:['1']" },
		{ &forum, "groups:{'*':{},'-1':{allowFrom:['1'],topics:{'5':{allowFrom:['2']}}}}" },
		{ &forum, "direct:{'*':{tools:{deny:['exec']}},'n:5':{enabled:false}}" },
		{ &guild, "guilds:{'9':{users:['1'],roles:['2'],channels:{'-5':{users:['*']},'*':{}}},'*':{}}" },
	};

	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++)
		ASSERT_OK(check(rows[i].ops, "default", rows[i].keys, err));
}

/* A list of the wrong kind of id stops the account, with the path and the way out. */
static void test_threat_identity_wrong_kinds_are_refused(void **state)
{
	static const struct { const struct chan_ops *ops; const char *keys, *part; } rows[] = {
		{ &forum, "allowFrom:['1','@alice']", "channels.telegram.allowFrom.1: \"@alice\" is not an id of a person on Telegram" },
		{ &forum, "allowFrom:['@alice']", "a person is \"123\"" },
		{ &forum, "allowFrom:['-100']", "not an id of a person" },
		{ &forum, "allowFrom:['']", "not an id" },
		{ &forum, "allowFrom:[{id:1}]", "an id is a text" },
		{ &forum, "groupAllowFrom:['-100']", "channels.telegram.groupAllowFrom.0" },
		{ &forum, "groups:{'#room':{}}", "channels.telegram.groups[\"#room\"]: \"#room\" is not an id of a room" },
		{ &forum, "groups:{'-1':{allowFrom:['bob']}}", "channels.telegram.groups[\"-1\"].allowFrom.0" },
		{ &forum, "groups:{'-1':{topics:{'5':{allowFrom:['bob']}}}}", ".topics[\"5\"].allowFrom.0" },
		{ &forum, "groups:{'-1':{allowFrom:'1'}}", "it is a list of ids" },
		{ &forum, "direct:{'@alice':{}}", "channels.telegram.direct[\"@alice\"]: \"@alice\" is not an id of a person" },
		{ &guild, "guilds:{'my server':{}}", "channels.discord.guilds[\"my server\"]" },
		{ &guild, "guilds:{'9':{users:['bob#1']}}", "channels.discord.guilds[\"9\"].users.0" },
		{ &guild, "guilds:{'9':{channels:{general:{}}}}", "channels[\"general\"]" },
		{ &team, "channels:{'#general':{}}", "channels.slack.channels[\"#general\"]" },
		{ &forum, "dmPolicy:'open'", "needs allowFrom: [\"*\"]" },
		{ &forum, "dmPolicy:'open',allowFrom:['1']", "needs allowFrom: [\"*\"]" },
		{ &forum, "dmPolicy:'allowlist'", "lets nobody write" },
	};

	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++)
		ASSERT_FAILS(check(rows[i].ops, "default", rows[i].keys, err), CH_E_INVALID, rows[i].part);
}

static void test_only_the_account(void **state)
{
	const char *keys = "accounts:{good:{},bad:{allowFrom:['bob']}}";

	ASSERT_OK(check(&forum, "good", keys, err));
	ASSERT_FAILS(check(&forum, "bad", keys, err), CH_E_INVALID, "channels.telegram.accounts.bad.allowFrom.0");
}

/* ---- the whole ---- */

struct told { int errors, warnings; char *text; };

static void note(void *arg, bool is_error, const char *path, const char *text)
{
	struct told *t = arg;

	(*(is_error ? &t->errors : &t->warnings))++;
	t->text = arena_printf(arena, "%s%s: %s\n", t->text, path, text);
}

static const struct chan_ops *const networks[] = { &guild, &wire, &team, &forum };

static struct told check_all(const char *config)
{
	CH_AUTO(config_unref) struct config *c = config_of(config);
	struct told t = { .text = "" };

	access_check_all(networks, CH_ARRAY_LEN(networks), c, note, &t);
	return t;
}

static void expect(const char *config, int errors, int warnings, const char *part)
{
	struct told t = check_all(config);

	if (t.errors != errors || t.warnings != warnings || !strstr(t.text, part))
		fail_msg("%s: %d errors, %d warnings:\n%s", config, t.errors, t.warnings, t.text);
}

static void test_whole(void **state)
{
	expect("{}", 0, 0, "");
	expect("{channels:{telegram:{allowFrom:['@alice']}}}", 1, 0, "a person is");
	expect("{channels:{telegram:{accounts:{a:{allowFrom:['@a']},b:{allowFrom:['-1']}}}}}", 2, 0, "accounts.b.allowFrom.0");
	expect("{channels:{telegram:{allowFrom:['accessGroup:gone']}}}", 0, 1, "there is no accessGroups.gone");
	expect("{accessGroups:{crew:{type:'discord.channelAudience',guildId:'1',channelId:'2'}},channels:{telegram:{allowFrom:['accessGroup:crew']},"
	       "discord:{allowFrom:['accessGroup:crew']}}}", 0, 1, "channels.telegram.allowFrom.0");
	expect("{channels:{telegram:{allowFrom:['*']}}}", 0, 1, "say dmPolicy \"open\"");
	expect("{accessGroups:{ops:{type:'message.senders',members:{telegram:['@alice'],'*':['what']}}}}", 0, 1,
	       "accessGroups.ops.members.telegram.0");
	expect("{commands:{ownerAllowFrom:['telegram:1','telegram:@alice','*']}}", 0, 2, "commands.ownerAllowFrom.1");
	expect("{commands:{allowFrom:{telegram:['bob'],'*':['bob']}}}", 0, 1, "commands.allowFrom.telegram.0");
	expect("{messages:{groupChat:{mentionPatterns:['ok','(a+)+',3]}}}", 0, 2, "mentionPatterns.1: the pattern is not used");
	expect("{bindings:[{agentId:'main',match:{channel:'telegram'}},{agentId:'gone',match:{}}]}", 0, 2, "bindings.1.agentId");
	expect("{channels:{telegram:{groups:{'-1':{toolsBySender:{'id:1':{},'name:x':{},'7':{},'*':{}}}}}}}", 0, 2, "match nobody");
	/* What OpenClaw reads and nothing here does is said, wherever it stands. */
	expect("{channels:{telegram:{groups:{'-1':{ingest:true,topics:{'5':{disableAudioPreflight:true}}}}}}}", 0, 2, "topics[\"5\"].disableAudioPreflight");
	expect("{channels:{slack:{channels:{'-1':{skills:['x']}}}}}", 0, 1, "skills: kept, but without effect");
	expect("{channels:{telegram:{direct:{'1':{dmPolicy:'open',toolsBySender:{'7':{}}}}}}}", 0, 2, "direct[\"1\"].dmPolicy: kept");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sound),
		cmocka_unit_test(test_threat_identity_wrong_kinds_are_refused),
		cmocka_unit_test(test_only_the_account),
		cmocka_unit_test(test_whole),
	};

	return cmocka_run_group_tests_name("access_check", tests, setup, teardown);
}
