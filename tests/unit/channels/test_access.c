/*
 * channels/access: every policy against every sender, through the judgement that the real path uses.
 */
#include "access_net.h"

#include "channels/access_judge.h"
#include "channels/activation.h"
#include "core/clock.h"

static struct arena *arena;
static struct db *db;
static struct chan_pairing *pairing;
static struct chan_gate *gate;

/* 1 is in allowFrom, 2 in groupAllowFrom, 3 was paired, 4 is in an access group, 9 is a stranger. */
static int setup(void **state)
{
	struct chan_sender three = { .id = "3" };
	struct pairing_request r;
	bool is_new;

	clock_fake(1000, 1800000000000);
	arena = arena_new(0);
	if (db_open(":memory:", DB_CREATE, &db, NULL))
		return -1;
	pairing = pairing_new(db);
	gate = chan_gate_new();
	return pairing_ask(pairing, "telegram", "default", &three, arena, &r, &is_new, NULL) ||
	       pairing_approve(pairing, "telegram", "default", r.id, arena, &r, NULL);
}

static int teardown(void **state)
{
	chan_gate_free(gate);
	pairing_free(pairing);
	db_close(db);
	arena_unref(arena);
	clock_real();
	return 0;
}

/* ---- asking ---- */

static bool is_command(void *arg, const char *text)
{
	return str_starts(text, "/new") || str_starts(text, "/status");
}

static void identity(void *arg, const char *agent_id, struct arena *a, const char **ret_name, const char **ret_emoji)
{
	*ret_name = "Molty";
	*ret_emoji = "🦞";
}

static const struct chan_up up = { .is_command = is_command, .identity = identity };
static const char *in_thread;            /* the session that counts as one we answered in */

static bool is_in_thread(void *arg, const char *session_key)
{
	return str_eq(session_key, in_thread);
}

static const struct chan_access *judge_as(const struct chan_ops *ops, const char *account, const char *config,
					  const struct chan_in *in)
{
	CH_AUTO(config_unref) struct config *c = config_of(config);
	CH_AUTO(chan_cfg_unref) struct chan_cfg *cfg = chan_cfg_new(c, ops->id, account);
	struct access_env env = {
		.ops = ops, .config = c, .cfg = cfg, .account = account, .self_id = "500", .self_username = "clawbot",
		.pairing = pairing, .gate = gate, .db = db, .up = &up, .is_in_thread = is_in_thread,
	};

	return access_judge(&env, in, arena);
}

static const struct chan_access *judge(const struct chan_ops *ops, const char *config, const struct chan_in *in)
{
	return judge_as(ops, "default", config, in);
}

static enum chan_verdict verdict(const struct chan_ops *ops, const char *config, const struct chan_in *in)
{
	return chan_access_verdict(judge(ops, config, in));
}

static struct chan_in dm(const char *sender)
{
	return (struct chan_in){ .kind = CHAN_IN_MESSAGE, .event_id = "e", .peer = { .kind = CHAN_DIRECT, .id = sender },
				 .sender = { .id = sender }, .text = "hello" };
}

static struct chan_in said(const char *sender, const char *room, const char *text)
{
	return (struct chan_in){ .kind = CHAN_IN_MESSAGE, .event_id = "e", .peer = { .kind = CHAN_GROUP, .id = room },
				 .sender = { .id = sender }, .text = text, .can_mention = true };
}

/* A letter of the tables below: Admit, Pairing, Overhear, Ignore. */
static enum chan_verdict meant(char letter)
{
	return letter == 'A' ? CHAN_ADMIT : letter == 'P' ? CHAN_ASK_PAIRING : letter == 'O' ? CHAN_OVERHEAR : CHAN_IGNORE;
}

/* ---- DMs ---- */

#define ACCESS_GROUPS "accessGroups:{ops:{type:'message.senders',members:{telegram:['4'],discord:['9']}}," \
		      "other:{type:'discord.channelAudience',guildId:'1',channelId:'2'}}"

static void test_dm_matrix(void **state)
{
	/* Verdicts of 1 (listed), 3 (paired), 4 (access group), 9 (stranger). */
	static const struct { const char *keys, *verdicts; } rows[] = {
		{ "", "PAPP" },
		{ "dmPolicy:'pairing'", "PAPP" },
		{ "dmPolicy:'pairing',allowFrom:['1']", "AAPP" },
		{ "dmPolicy:'pairing',allowFrom:['telegram:1','accessGroup:ops']", "AAAP" },
		{ "dmPolicy:'allowlist',allowFrom:['1']", "AIII" },
		{ "dmPolicy:'allowlist',allowFrom:[1,'accessGroup:ops']", "AIAI" },
		{ "dmPolicy:'allowlist',allowFrom:['n:1','accessGroup:missing','accessGroup:other']", "AIII" },
		{ "dmPolicy:'allowlist',allowFrom:[]", "IIII" },
		{ "dmPolicy:'allowlist'", "IIII" },
		{ "dmPolicy:'open',allowFrom:['*']", "AAAA" },
		{ "dmPolicy:'open',allowFrom:['1']", "AIII" },
		{ "dmPolicy:'open'", "IIII" },
		{ "dmPolicy:'disabled',allowFrom:['*','1']", "IIII" },
		{ "dmPolicy:'pairing',groupAllowFrom:['1','9']", "PAPP" },        /* groups' lists are not for DMs */
		{ "dmPolicy:'pairing',dm:{enabled:false},allowFrom:['1']", "IIII" },
	};
	static const char *const senders[] = { "1", "3", "4", "9" };

	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		const char *config = arena_printf(arena, "{" ACCESS_GROUPS ",channels:{telegram:{%s}}}", rows[i].keys);

		for (size_t k = 0; k < CH_ARRAY_LEN(senders); k++) {
			struct chan_in in = dm(senders[k]);

			if (verdict(&forum, config, &in) != meant(rows[i].verdicts[k]))
				fail_msg("{%s}, sender %s: %s", rows[i].keys, senders[k], chan_access_reason(judge(&forum, config, &in)));
		}
	}
}

/* A group of those who may see a channel: the network says who is in it. Of others' groups, and of a name, nothing follows. */
static void test_threat_access_an_audience_is_what_the_network_says(void **state)
{
	static const char *const in_it[] = { "7", "audience:1:2", NULL }, *const in_another[] = { "audience:1:3", "audience:1", NULL };
	static const char config[] = "{" ACCESS_GROUPS ",channels:{discord:{dmPolicy:'allowlist',allowFrom:['accessGroup:other']}}}";
	static const char wrong[] = "{accessGroups:{other:{type:'discord.channelAudience',guildId:'1',channelId:'2',membership:'owners'}},"
				    "channels:{discord:{dmPolicy:'allowlist',allowFrom:['accessGroup:other']}}}";
	struct chan_in in = dm("9");

	assert_int_equal(verdict(&guild, config, &in), CHAN_IGNORE);
	in.sender.roles = in_another;
	assert_int_equal(verdict(&guild, config, &in), CHAN_IGNORE);
	in.sender.roles = in_it;
	assert_int_equal(verdict(&guild, config, &in), CHAN_ADMIT);
	assert_int_equal(verdict(&guild, wrong, &in), CHAN_IGNORE);
}

static void test_accounts_override(void **state)
{
	const char *config = "{channels:{telegram:{dmPolicy:'open',allowFrom:['*'],groups:{'-1':{requireMention:false}},groupAllowFrom:['*'],"
			     "accounts:{work:{dmPolicy:'allowlist',allowFrom:['1'],groups:{'-2':{requireMention:false}}},"
			     "play:{groupPolicy:'disabled'}}}}}";
	struct chan_in stranger = dm("9"), known = dm("1"), one = said("9", "-1", "hi"), two = said("9", "-2", "hi");

	assert_int_equal(chan_access_verdict(judge_as(&forum, "default", config, &stranger)), CHAN_ADMIT);
	assert_int_equal(chan_access_verdict(judge_as(&forum, "work", config, &stranger)), CHAN_IGNORE);
	assert_int_equal(chan_access_verdict(judge_as(&forum, "work", config, &known)), CHAN_ADMIT);
	assert_int_equal(chan_access_verdict(judge_as(&forum, "default", config, &one)), CHAN_ADMIT);
	/* An account's map is in place of the network's, not beside it. */
	assert_int_equal(chan_access_verdict(judge_as(&forum, "work", config, &one)), CHAN_IGNORE);
	assert_int_equal(chan_access_verdict(judge_as(&forum, "work", config, &two)), CHAN_ADMIT);
	assert_int_equal(chan_access_verdict(judge_as(&forum, "play", config, &one)), CHAN_IGNORE);
}

/* ---- groups ---- */

static void test_group_matrix(void **state)
{
	/* Verdicts of 1 (allowFrom), 2 (groupAllowFrom), 3 (paired), 9 (stranger), all of them addressing us. */
	static const struct { const struct chan_ops *ops; const char *keys, *verdicts; } rows[] = {
		{ &forum, "", "IIII" },
		{ &forum, "allowFrom:['1']", "IIII" },                            /* no room is listed */
		{ &forum, "allowFrom:['1'],groups:{'-1':{}}", "AIII" },
		{ &forum, "groups:{'-1':{}}", "IIII" },                           /* a room, but nobody who may speak */
		{ &forum, "allowFrom:['1'],groupAllowFrom:['2'],groups:{'-1':{}}", "IAII" },
		{ &forum, "allowFrom:['1'],groupAllowFrom:['2'],groups:{'*':{}}", "IAII" },
		{ &forum, "groupAllowFrom:['*'],groups:{'-2':{}}", "IIII" },
		{ &forum, "groupAllowFrom:['*'],groups:{'-1':{enabled:false}}", "IIII" },
		{ &forum, "groupAllowFrom:['2'],groups:{'-1':{allowFrom:['9']}}", "IIIA" },
		{ &forum, "groupAllowFrom:['2'],groups:{'-1':{allowFrom:[]}}", "IIII" },
		{ &forum, "groupAllowFrom:['2'],groups:{'-1':{groupPolicy:'open'}}", "AAAA" },
		{ &forum, "groupAllowFrom:['2'],groups:{'-1':{groupPolicy:'disabled'}}", "IIII" },
		{ &forum, "groupAllowFrom:['2'],groups:{'-1':{},'*':{allowFrom:['*']}}", "IAII" },   /* "*" does not widen a room's own */
		{ &forum, "groupPolicy:'open'", "AAAA" },
		{ &forum, "groupPolicy:'open',groups:{'-2':{}}", "IIII" },        /* a map is a fence */
		{ &forum, "groupPolicy:'open',groups:{'-1':{allowFrom:['2']}}", "IAII" },
		{ &forum, "groupPolicy:'disabled',groupAllowFrom:['*'],groups:{'*':{}}", "IIII" },
		{ &wire, "allowFrom:['1'],groups:{'-1':{}}", "IIII" },            /* allowFrom is for DMs */
		{ &wire, "groupAllowFrom:['2'],groups:{'-1':{}}", "IAII" },
		{ &wire, "groupPolicy:'open',groups:{'-2':{}}", "AAAA" },
	};
	static const char *const senders[] = { "1", "2", "3", "9" };

	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		const char *config = arena_printf(arena, "{channels:{%s:{%s}}}", rows[i].ops->id, rows[i].keys);

		for (size_t k = 0; k < CH_ARRAY_LEN(senders); k++) {
			struct chan_in in = said(senders[k], "-1", "hi");

			in.is_mentioned = true;
			if (verdict(rows[i].ops, config, &in) != meant(rows[i].verdicts[k]))
				fail_msg("%s {%s}, sender %s: %s", rows[i].ops->id, rows[i].keys, senders[k],
					 chan_access_reason(judge(rows[i].ops, config, &in)));
		}
	}
}

static void test_topics(void **state)
{
	const char *config = "{channels:{telegram:{groupAllowFrom:['1'],groups:{'-1':{requireMention:false,systemPrompt:'room',"
			     "topics:{'5':{requireMention:true,allowFrom:['2'],systemPrompt:'five'},'6':{enabled:false}}}}}}}";
	struct chan_in in = said("1", "-1", "hi");

	assert_int_equal(verdict(&forum, config, &in), CHAN_ADMIT);
	assert_string_equal(chan_access_prompt(judge(&forum, config, &in)), "room");
	in.peer.thread = "5";
	assert_int_equal(verdict(&forum, config, &in), CHAN_IGNORE);
	in.sender.id = "2";
	assert_int_equal(verdict(&forum, config, &in), CHAN_OVERHEAR);
	assert_string_equal(chan_access_prompt(judge(&forum, config, &in)), "five");
	in.peer.thread = "6";
	in.sender.id = "1";
	assert_int_equal(verdict(&forum, config, &in), CHAN_IGNORE);
}

static void test_guilds(void **state)
{
	static const char *const roles[] = { "r1", NULL };
	/* Verdicts of 1, of 9 with the role r1, of 9 without. */
	static const struct { const char *keys, *verdicts; } rows[] = {
		{ "", "III" },
		{ "guilds:{'7':{}}", "AAA" },
		{ "guilds:{'*':{}}", "AAA" },
		{ "guilds:{'8':{}}", "III" },
		{ "guilds:{'7':{users:['1']}}", "AII" },
		{ "guilds:{'7':{users:['1'],roles:['r1']}}", "AAI" },
		{ "guilds:{'7':{roles:['r1']}}", "IAI" },
		{ "guilds:{'7':{channels:{'-55':{}}}}", "AAA" },
		{ "guilds:{'7':{channels:{'-56':{}}}}", "III" },
		{ "guilds:{'7':{channels:{'-56':{},'*':{}}}}", "AAA" },
		{ "guilds:{'7':{users:['1'],channels:{'-55':{users:['*']}}}}", "AAA" },
		{ "guilds:{'7':{channels:{'-55':{enabled:false},'*':{}}}}", "III" },
		{ "groupPolicy:'open'", "AAA" },
		{ "groupPolicy:'open',guilds:{'7':{users:['1']}}", "AII" },
		{ "groupAllowFrom:['1'],guilds:{'7':{}}", "AII" },
	};

	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		const char *config = arena_printf(arena, "{channels:{discord:{%s}}}", rows[i].keys);

		for (int k = 0; k < 3; k++) {
			struct chan_in in = said(k ? "9" : "1", "-55", "hi");

			in.peer.kind = CHAN_CHANNEL;
			in.peer.guild = "7";
			in.sender.roles = k == 1 ? roles : NULL;
			in.is_mentioned = true;
			if (verdict(&guild, config, &in) != meant(rows[i].verdicts[k]))
				fail_msg("{%s}, %d: %s", rows[i].keys, k, chan_access_reason(judge(&guild, config, &in)));
		}
	}
}

/* A thread has its channel's entry. */
static void test_threads_and_group_dms(void **state)
{
	const char *config = "{channels:{discord:{guilds:{'7':{channels:{'-55':{requireMention:false}}}}}}}";
	const char *mpim = "{channels:{slack:{allowFrom:['1'],dm:{groupEnabled:true,groupChannels:['-3']}}}}";
	struct chan_in in = said("9", "-66", "hi"), group = said("1", "-3", "hi");

	in.peer = (struct chan_peer){ .kind = CHAN_CHANNEL, .id = "-66", .parent = "-55", .guild = "7" };
	assert_int_equal(verdict(&guild, config, &in), CHAN_ADMIT);
	in.peer.parent = "-56";
	assert_int_equal(verdict(&guild, config, &in), CHAN_IGNORE);
	group.is_mentioned = true;
	assert_int_equal(verdict(&team, "{channels:{slack:{allowFrom:['1'],channels:{'*':{}}}}}", &group), CHAN_IGNORE);
	assert_int_equal(verdict(&team, "{channels:{slack:{groupAllowFrom:['1'],dm:{groupEnabled:true}}}}", &group), CHAN_ADMIT);
	assert_int_equal(verdict(&team, "{channels:{slack:{groupAllowFrom:['2'],dm:{groupEnabled:true}}}}", &group), CHAN_IGNORE);
	assert_int_equal(verdict(&team, mpim, &group), CHAN_IGNORE);             /* nobody is listed for rooms */
	group.peer.id = "-4";
	assert_int_equal(verdict(&team, "{channels:{slack:{groupAllowFrom:['1'],dm:{groupEnabled:true,groupChannels:['-3']}}}}", &group),
			 CHAN_IGNORE);
}

/* ---- mentions ---- */

#define ROOM(extra) "channels:{telegram:{groupAllowFrom:['1'],groups:{'-1':{" extra "}}}}"

static void test_mentions(void **state)
{
	static const struct { const char *config, *text, *verdict; } rows[] = {
		{ "{" ROOM("") "}", "hi all", "O" },
		{ "{" ROOM("requireMention:false") "}", "hi all", "A" },
		{ "{" ROOM("") "}", "hey molty, are you there", "A" },
		{ "{" ROOM("") "}", "@Molty?", "A" },
		{ "{" ROOM("") "}", "moltyness", "O" },
		{ "{" ROOM("") "}", "what of 🦞", "A" },
		{ "{messages:{groupChat:{mentionPatterns:['\\\\bhey bot\\\\b']}}," ROOM("") "}", "HEY BOT do", "A" },
		{ "{messages:{groupChat:{mentionPatterns:['\\\\bhey bot\\\\b']}}," ROOM("") "}", "molty do", "O" },
		{ "{messages:{groupChat:{mentionPatterns:[]}}," ROOM("") "}", "molty do", "O" },
		{ "{messages:{groupChat:{mentionPatterns:['(a+)+$','bot']}}," ROOM("") "}", "bot", "A" },
		{ "{agents:{entries:{main:{groupChat:{mentionPatterns:['agent']}}}},messages:{groupChat:{mentionPatterns:['bot']}},"
		  ROOM("") "}", "bot", "O" },
		{ "{agents:{entries:{main:{groupChat:{mentionPatterns:['agent']}}}}," ROOM("") "}", "agent!", "A" },
		{ "{channels:{telegram:{groupAllowFrom:['1'],groups:{'*':{}},mentionPatterns:{denyIn:['-1']}}}}", "molty", "O" },
		{ "{channels:{telegram:{groupAllowFrom:['1'],groups:{'*':{}},mentionPatterns:{mode:'deny'}}}}", "molty", "O" },
		{ "{channels:{telegram:{groupAllowFrom:['1'],groups:{'*':{}},mentionPatterns:{mode:'deny',allowIn:['-1']}}}}", "molty", "A" },
		{ "{" ROOM("") "}", "/status", "A" },                     /* a command addresses us */
		{ "{" ROOM("") "}", "/shrug", "O" },
		{ "{commands:{allowFrom:{telegram:['2']}}," ROOM("") "}", "/status", "O" },
	};

	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		struct chan_in in = said("1", "-1", rows[i].text);
		const struct chan_access *x = judge(&forum, rows[i].config, &in);

		if (chan_access_verdict(x) != meant(rows[i].verdict[0]))
			fail_msg("%s: '%s': %s", rows[i].config, rows[i].text, chan_access_reason(x));
	}
}

static void test_implicit_mentions(void **state)
{
	struct chan_quote ours = { .message_id = "m", .is_ours = true }, theirs = { .message_id = "m" };
	struct chan_in in = said("1", "-1", "yes");
	const char *off = "{channels:{telegram:{groupAllowFrom:['1'],groups:{'*':{}},implicitMentions:{replyToBot:false}}}}";

	in.quote = &theirs;
	assert_int_equal(verdict(&forum, "{" ROOM("") "}", &in), CHAN_OVERHEAR);
	in.quote = &ours;
	assert_int_equal(verdict(&forum, "{" ROOM("") "}", &in), CHAN_ADMIT);
	assert_true(chan_access_was_mentioned(judge(&forum, "{" ROOM("") "}", &in)));
	assert_int_equal(verdict(&forum, off, &in), CHAN_OVERHEAR);
	in.quote = NULL;
	in.kind = CHAN_IN_COMMAND;
	assert_int_equal(verdict(&forum, "{" ROOM("") "}", &in), CHAN_ADMIT);
	in.kind = CHAN_IN_MESSAGE;
	in.mentions_others = true;
	in.text = "/status";
	assert_int_equal(verdict(&forum, "{" ROOM("") "}", &in), CHAN_OVERHEAR);
	assert_int_equal(verdict(&forum, "{" ROOM("requireMention:false,ignoreOtherMentions:true") "}", &in), CHAN_IGNORE);
	in.mentions_others = false;
	in.text = "yes";
	in.can_mention = false;          /* a network that cannot tell, and no name either: nothing to gate by */
	assert_int_equal(verdict(&forum, "{messages:{groupChat:{mentionPatterns:[]}}," ROOM("") "}", &in), CHAN_ADMIT);
	assert_int_equal(verdict(&forum, "{" ROOM("") "}", &in), CHAN_OVERHEAR);
}

static void test_followed_threads(void **state)
{
	struct chan_in in = said("1", "-1", "and then?");
	const char *config = "{channels:{slack:{channels:{'-1':{}}}}}";

	in.peer.kind = CHAN_CHANNEL;
	in.peer.thread = "17.5";
	in_thread = "agent:main:slack:channel:-1:thread:17.5";
	assert_int_equal(verdict(&team, config, &in), CHAN_ADMIT);
	assert_int_equal(verdict(&team, "{channels:{slack:{channels:{'-1':{}},implicitMentions:{threadParticipation:false}}}}", &in),
			 CHAN_OVERHEAR);
	in.peer.thread = "18.5";
	assert_int_equal(verdict(&team, config, &in), CHAN_OVERHEAR);
	in_thread = NULL;
}

static void test_activation(void **state)
{
	const char *key = "agent:main:telegram:group:-1";
	struct chan_in in = said("1", "-1", "hi"), stranger = said("9", "-1", "hi");

	ASSERT_OK(activation_set(db, key, ACTIVATION_ALWAYS, err));
	assert_int_equal(verdict(&forum, "{" ROOM("") "}", &in), CHAN_ADMIT);
	assert_int_equal(verdict(&forum, "{" ROOM("") "}", &stranger), CHAN_IGNORE);      /* it lets nobody in */
	in.peer.id = "-2";
	assert_int_equal(verdict(&forum, "{channels:{telegram:{groupAllowFrom:['1'],groups:{'*':{}}}}}", &in), CHAN_OVERHEAR);
	in.peer.id = "-1";
	ASSERT_OK(activation_set(db, key, ACTIVATION_MENTION, err));
	assert_int_equal(verdict(&forum, "{" ROOM("requireMention:false") "}", &in), CHAN_OVERHEAR);
	ASSERT_OK(activation_set(db, key, ACTIVATION_UNSET, err));
	assert_int_equal(verdict(&forum, "{" ROOM("requireMention:false") "}", &in), CHAN_ADMIT);
	assert_int_equal(verdict(&forum, "{" ROOM("") "}", &in), CHAN_OVERHEAR);
}

static void test_own_name_is_cut(void **state)
{
	static const struct { const char *in, *out; } rows[] = {
		{ "@clawbot /new", "/new" }, { "@ClawBot: hi", "hi" }, { "clawbot, hi", "hi" }, { "clawbot hi", "clawbot hi" },
		{ "<@500> /new", "/new" }, { "<@!500> x", "x" }, { "<@501> x", "<@501> x" }, { "/new@clawbot opus", "/new opus" },
		{ "/new@other", "/new@other" }, { "@clawbots hi", "@clawbots hi" }, { "  hi", "  hi" }, { "@clawbot", "" },
	};

	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		struct chan_in in = said("1", "-1", rows[i].in);

		assert_string_equal(chan_access_text(judge(&forum, "{" ROOM("") "}", &in)), rows[i].out);
	}
}

/* ---- rights ---- */

static void test_owner_and_commands(void **state)
{
	const char *owner = "{commands:{ownerAllowFrom:['telegram:1','discord:2','*']},channels:{telegram:{dmPolicy:'open',"
			    "allowFrom:['*']},discord:{}}}";
	const char *listed = "{commands:{allowFrom:{'*':['1'],telegram:['2']}},channels:{telegram:{dmPolicy:'open',allowFrom:['*']}}}";
	const char *room = "{channels:{telegram:{groupPolicy:'open',allowFrom:['1']}}}";
	struct chan_in one = dm("1"), two = dm("2"), in_room = said("9", "-1", "x");

	assert_true(chan_access_is_owner(judge(&forum, owner, &one)));
	assert_false(chan_access_is_owner(judge(&forum, owner, &two)));          /* another network's 2 */
	assert_true(chan_access_may_command(judge(&forum, owner, &two)));        /* "*" lets everybody in, and command */
	assert_false(chan_access_may_command(judge(&forum, listed, &one)));      /* the network's own list is in place of "*" */
	assert_true(chan_access_may_command(judge(&forum, listed, &two)));
	in_room.is_mentioned = true;
	assert_int_equal(verdict(&forum, room, &in_room), CHAN_ADMIT);
	assert_false(chan_access_may_command(judge(&forum, room, &in_room)));    /* open rooms are for talking */
	in_room.sender.id = "1";
	assert_true(chan_access_may_command(judge(&forum, room, &in_room)));
}

static void test_tools_by_sender(void **state)
{
	const char *config = "{" ROOM("tools:{deny:['exec']},toolsBySender:{'id:1':{alsoAllow:['exec']},'name:eve':{alsoAllow:['read']},"
				      "'username:eve':{alsoAllow:['read']},'channel:discord:2':{deny:['a']},'channel:telegram:2':{deny:['b']}}") "}";
	const char *wild = "{channels:{telegram:{groupPolicy:'open',groups:{'-1':{},'*':{toolsBySender:{'*':{deny:['w']}}}}}}}";
	struct chan_in in = said("1", "-1", "hi");
	const struct json *tools;

	in.sender.name = in.sender.username = "eve";
	in.is_mentioned = true;
	tools = chan_access_tools(judge(&forum, config, &in));
	assert_string_equal(json_to_str(arena, tools), "{\"alsoAllow\":[\"exec\"]}");
	in.sender.id = "2";
	assert_int_equal(verdict(&forum, config, &in), CHAN_IGNORE);
	tools = chan_access_tools(judge(&forum, "{channels:{telegram:{groupAllowFrom:['2'],groups:{'-1':{toolsBySender:"
						"{'channel:discord:2':{deny:['a']},'channel:telegram:2':{deny:['b']}}}}}}}", &in));
	assert_string_equal(json_to_str(arena, tools), "{\"deny\":[\"b\"]}");
	tools = chan_access_tools(judge(&forum, wild, &in));
	assert_string_equal(json_to_str(arena, tools), "{\"deny\":[\"w\"]}");
}

/* A DM has the person's own entry, whole, or that of "*"; never one of the groups. */
static void test_settings_of_dms(void **state)
{
#define DIRECT(entries) "{channels:{telegram:{dmPolicy:'allowlist',allowFrom:['1','2'],groups:{'*':{tools:{deny:['g']}}},direct:{" entries "}}}}"
	static const struct { const char *config, *sender, *tools; } rows[] = {
		{ DIRECT(""), "1", NULL },
		{ DIRECT("'*':{tools:{deny:['exec']}}"), "1", "{\"deny\":[\"exec\"]}" },
		{ DIRECT("'*':{tools:{deny:['exec']}},'n:1':{tools:{}}"), "1", "{}" },
		{ DIRECT("'*':{tools:{deny:['exec']}},'1':{systemPrompt:'x'}"), "1", NULL },
		{ DIRECT("'*':{tools:{deny:['exec']}},'1':{}"), "2", "{\"deny\":[\"exec\"]}" },
		{ DIRECT("'*':{tools:{deny:['exec']},toolsBySender:{'id:2':{allow:['read']}}}"), "2", "{\"allow\":[\"read\"]}" },
	};
	struct chan_in in = dm("1");

	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		const struct chan_access *x;
		const char *tools;

		in = dm(rows[i].sender);
		x = judge(&forum, rows[i].config, &in);
		tools = chan_access_tools(x) ? json_to_str(arena, chan_access_tools(x)) : "none";
		assert_int_equal(chan_access_verdict(x), CHAN_ADMIT);
		assert_string_equal(tools, rows[i].tools ? rows[i].tools : "none");
	}
	in = dm("1");
	assert_string_equal(chan_access_prompt(judge(&forum, DIRECT("'1':{systemPrompt:'be brief'}"), &in)), "be brief");
	assert_int_equal(verdict(&forum, DIRECT("'1':{enabled:false}"), &in), CHAN_IGNORE);
	in = dm("2");
	assert_int_equal(verdict(&forum, DIRECT("'1':{enabled:false}"), &in), CHAN_ADMIT);
	assert_int_equal(verdict(&forum, DIRECT("'*':{enabled:false}"), &in), CHAN_IGNORE);
	/* Strangers get nothing by it. */
	in = dm("9");
	assert_int_equal(verdict(&forum, DIRECT("'9':{dmPolicy:'open',allowFrom:['*']}"), &in), CHAN_IGNORE);
#undef DIRECT
}

/* ---- bots ---- */

static void test_bots(void **state)
{
	const char *off = "{channels:{telegram:{groupPolicy:'open'}}}", *on = "{channels:{telegram:{groupPolicy:'open',allowBots:true}}}";
	const char *some = "{channels:{telegram:{groupPolicy:'open',allowBots:'mentions'}}}";
	const char *room = "{channels:{slack:{allowBots:true,channels:{'-1':{requireMention:false}}}}}";
	const char *named = "{channels:{slack:{allowBots:true,channels:{'-1':{requireMention:false,users:['9']}}}}}";
	struct chan_in in = said("9", "-1", "hi"), self = said("500", "-1", "hi");

	in.sender.is_bot = true;
	in.peer.kind = CHAN_CHANNEL;
	assert_int_equal(verdict(&forum, off, &in), CHAN_IGNORE);
	assert_int_equal(verdict(&forum, on, &in), CHAN_OVERHEAR);
	assert_int_equal(verdict(&forum, some, &in), CHAN_IGNORE);
	assert_int_equal(verdict(&team, room, &in), CHAN_IGNORE);
	assert_int_equal(verdict(&team, named, &in), CHAN_ADMIT);
	in.is_mentioned = true;
	assert_int_equal(verdict(&forum, on, &in), CHAN_ADMIT);
	assert_int_equal(verdict(&forum, some, &in), CHAN_ADMIT);
	self.is_mentioned = true;
	assert_int_equal(verdict(&forum, on, &self), CHAN_IGNORE);
	in = dm("9");
	in.sender.is_bot = true;
	assert_int_equal(verdict(&forum, "{channels:{telegram:{allowBots:true}}}", &in), CHAN_IGNORE);   /* no codes for bots */
}

static void test_bot_loop(void **state)
{
	const char *config = "{channels:{defaults:{botLoopProtection:{maxEventsPerWindow:9}},telegram:{groupPolicy:'open',allowBots:true,"
			     "botLoopProtection:{maxEventsPerWindow:3,cooldownSeconds:30}}}}";
	struct chan_in in = said("9", "-7", "ping"), person = said("8", "-7", "hi");

	in.is_mentioned = person.is_mentioned = true;
	in.sender.is_bot = true;
	for (int i = 0; i < 3; i++) {
		in.event_id = arena_printf(arena, "e%d", i);
		assert_int_equal(verdict(&forum, config, &in), CHAN_ADMIT);
		assert_int_equal(verdict(&forum, config, &in), CHAN_ADMIT);      /* asked again, counted once */
	}
	in.event_id = "e3";
	assert_int_equal(verdict(&forum, config, &in), CHAN_IGNORE);
	assert_int_equal(verdict(&forum, config, &person), CHAN_ADMIT);
	in.event_id = "e2";                                      /* what was let in stays so */
	assert_int_equal(verdict(&forum, config, &in), CHAN_ADMIT);
	in.event_id = "e4";
	in.peer.id = "-8";                                       /* another place has its own count */
	assert_int_equal(verdict(&forum, config, &in), CHAN_ADMIT);
	in.peer.id = "-7";
	clock_fake(now_mono_ms() + 29999, now_wall_ms());
	assert_int_equal(verdict(&forum, config, &in), CHAN_IGNORE);
	clock_fake(now_mono_ms() + 1, now_wall_ms());
	assert_int_equal(verdict(&forum, config, &in), CHAN_ADMIT);
}

/* ---- context ---- */

static void test_context(void **state)
{
	static const struct { const char *mode; bool listed, stranger, quote; } rows[] = {
		{ "all", true, true, true }, { "allowlist", true, false, false }, { "allowlist_quote", true, false, true },
	};

	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		CH_AUTO(config_unref) struct config *c = config_of(arena_printf(arena, "{channels:{telegram:{contextVisibility:'%s',"
			"groupAllowFrom:['1'],groups:{'-1':{}}}}}", rows[i].mode));
		CH_AUTO(chan_cfg_unref) struct chan_cfg *cfg = chan_cfg_new(c, "telegram", "default");
		struct access_env env = { .ops = &forum, .config = c, .cfg = cfg, .account = "default", .gate = gate };
		struct chan_in in = said("1", "-1", "hi");
		const struct chan_access *x = access_judge(&env, &in, arena);

		assert_int_equal(access_context_allows(&env, x, "1", false), rows[i].listed);
		assert_int_equal(access_context_allows(&env, x, "9", false), rows[i].stranger);
		assert_int_equal(access_context_allows(&env, x, "9", true), rows[i].quote);
		assert_int_equal(access_context_allows(&env, x, NULL, false), rows[i].stranger);
	}
}

/* ---- threats ---- */

/* Whoever takes a listed person's name, or writes an id into it, stays who they are. */
static void test_threat_identity_names_never_count(void **state)
{
	const char *config = "{commands:{ownerAllowFrom:['telegram:1']},channels:{telegram:{dmPolicy:'allowlist',"
			     "allowFrom:['1','alice','@alice','name:alice'],groupAllowFrom:['1','alice'],groups:{'*':{}}}}}";
	struct chan_in in = dm("9"), room = said("9", "-1", "hi");

	in.sender.name = room.sender.name = "1";
	in.sender.username = room.sender.username = "alice";
	room.is_mentioned = true;
	assert_int_equal(verdict(&forum, config, &in), CHAN_IGNORE);
	assert_int_equal(verdict(&forum, config, &room), CHAN_IGNORE);
	assert_false(chan_access_is_owner(judge(&forum, config, &in)));
	in.sender.id = "alice";          /* a network that gave a name as an id would not get far either */
	assert_int_equal(verdict(&forum, config, &in), CHAN_IGNORE);
	in.sender.id = "11";             /* no prefix, no suffix */
	assert_int_equal(verdict(&forum, config, &in), CHAN_IGNORE);
}

/* A room's id in a sender's place matches no list of people. */
static void test_threat_identity_group_id_as_sender(void **state)
{
	const char *config = "{channels:{telegram:{groupAllowFrom:['-1','1'],groups:{'-1':{}}}}}";
	struct chan_in in = said("-1", "-1", "hi");

	in.is_mentioned = true;
	assert_int_equal(verdict(&forum, config, &in), CHAN_IGNORE);
	assert_null(chan_access_sender(judge(&forum, config, &in)));
}

/* Who was let in for DMs was not let into rooms, nor the other way round. */
static void test_threat_identity_pairing_is_for_dms(void **state)
{
	struct chan_in in = said("3", "-1", "hi"), two = dm("2");

	in.is_mentioned = true;
	assert_int_equal(verdict(&forum, "{channels:{telegram:{groups:{'*':{}}}}}", &in), CHAN_IGNORE);
	assert_int_equal(verdict(&forum, "{channels:{telegram:{groupAllowFrom:['2'],groups:{'*':{}}}}}", &two), CHAN_ASK_PAIRING);
}

/* Every kind of event from a stranger comes to nothing, but for a DM that asks to be let in. */
static void test_threat_authorisation_strangers_do_nothing(void **state)
{
	const char *config = "{channels:{telegram:{groupAllowFrom:['1'],groups:{'-2':{}}}}}";

	for (int kind = CHAN_IN_MESSAGE; kind <= CHAN_IN_MIGRATE; kind++) {
		bool may_ask = kind == CHAN_IN_MESSAGE || kind == CHAN_IN_COMMAND;
		struct chan_in in = dm("9"), room = said("9", "-1", "/status");

		in.kind = room.kind = (enum chan_in_kind)kind;
		room.is_mentioned = true;
		assert_int_equal(verdict(&forum, config, &in), may_ask ? CHAN_ASK_PAIRING : CHAN_IGNORE);
		assert_int_equal(verdict(&forum, config, &room), CHAN_IGNORE);
		room.peer.id = "-2";             /* a listed room: only what the platform itself says */
		assert_int_equal(verdict(&forum, config, &room),
				 kind == CHAN_IN_MIGRATE || kind == CHAN_IN_LEAVE ? CHAN_ADMIT : CHAN_IGNORE);
		assert_false(chan_access_may_command(judge(&forum, config, &room)));
		assert_false(chan_access_is_owner(judge(&forum, config, &room)));
	}
}

/* What an allowed person does needs no mention unless it is said. */
static void test_events_of_the_allowed(void **state)
{
	for (int kind = CHAN_IN_MESSAGE; kind <= CHAN_IN_MIGRATE; kind++) {
		bool is_text = kind == CHAN_IN_MESSAGE || kind == CHAN_IN_EDIT;
		struct chan_in in = said("1", "-1", "hi");

		in.kind = (enum chan_in_kind)kind;
		assert_int_equal(verdict(&forum, "{" ROOM("") "}", &in), is_text ? CHAN_OVERHEAR : CHAN_ADMIT);
	}
}

/* Who may write, and whether two of them have one conversation; 3 was paired. */
static void test_shared_conversations(void **state)
{
	static const struct { const char *keys, *rest; bool is_shared; } cases[] = {
		{ "dmPolicy:'allowlist',allowFrom:['1']", "", false },
		{ "allowFrom:[]", "", false },
		{ "allowFrom:['1']", "", true },
		{ "allowFrom:['3']", "", false },
		{ "dmPolicy:'allowlist',allowFrom:['1','n:1']", "", false },
		{ "dmPolicy:'allowlist',allowFrom:['1','2']", "", true },
		{ "dmPolicy:'disabled',allowFrom:['1','2']", "", false },
		{ "dmPolicy:'open',allowFrom:['*']", "", true },
		{ "dmPolicy:'open',allowFrom:['*']", "session:{dmScope:'per-peer'}", false },
		{ "dmPolicy:'allowlist',allowFrom:['accessGroup:us']",
		  "accessGroups:{us:{type:'message.senders',members:{telegram:['1'],'*':['2']}}}", true },
		{ "dmPolicy:'allowlist',allowFrom:['1','2']", "session:{dmScope:'per-channel-peer'}", false },
		/* One person by two ids has one conversation on purpose. */
		{ "dmPolicy:'allowlist',allowFrom:['1','2']",
		  "session:{dmScope:'per-peer',identityLinks:{ada:['telegram:1','telegram:2']}}", false },
		{ "dmPolicy:'allowlist',allowFrom:['1','2']", "agents:{entries:{main:{},b:{}}},bindings:[{agentId:'b',match:"
		  "{channel:'telegram',peer:{kind:'direct',id:'2'}}}]", false },
	};

	for (size_t i = 0; i < CH_ARRAY_LEN(cases); i++) {
		const char *text = arena_printf(arena, "{channels:{telegram:{%s}},%s}", cases[i].keys, cases[i].rest);
		CH_AUTO(config_unref) struct config *c = config_of(text);
		CH_AUTO(chan_cfg_unref) struct chan_cfg *cfg = chan_cfg_new(c, "telegram", "default");
		struct access_env env = { .ops = &forum, .config = c, .cfg = cfg, .account = "default", .pairing = pairing };

		if (access_dms_are_shared(&env) != cases[i].is_shared)
			fail_msg("%s: %d", text, !cases[i].is_shared);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dm_matrix),
		cmocka_unit_test(test_threat_access_an_audience_is_what_the_network_says),
		cmocka_unit_test(test_accounts_override),
		cmocka_unit_test(test_group_matrix),
		cmocka_unit_test(test_topics),
		cmocka_unit_test(test_guilds),
		cmocka_unit_test(test_threads_and_group_dms),
		cmocka_unit_test(test_mentions),
		cmocka_unit_test(test_implicit_mentions),
		cmocka_unit_test(test_followed_threads),
		cmocka_unit_test(test_activation),
		cmocka_unit_test(test_own_name_is_cut),
		cmocka_unit_test(test_owner_and_commands),
		cmocka_unit_test(test_tools_by_sender),
		cmocka_unit_test(test_settings_of_dms),
		cmocka_unit_test(test_bots),
		cmocka_unit_test(test_bot_loop),
		cmocka_unit_test(test_context),
		cmocka_unit_test(test_threat_identity_names_never_count),
		cmocka_unit_test(test_threat_identity_group_id_as_sender),
		cmocka_unit_test(test_threat_identity_pairing_is_for_dms),
		cmocka_unit_test(test_threat_authorisation_strangers_do_nothing),
		cmocka_unit_test(test_events_of_the_allowed),
		cmocka_unit_test(test_shared_conversations),
	};

	return cmocka_run_group_tests_name("access", tests, setup, teardown);
}
