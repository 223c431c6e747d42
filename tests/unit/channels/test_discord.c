/* channels/discord, discord_catchup: ids and targets, where requests may go, what is asked for after an absence. */
#include "channels/discord_catchup.h"

#include "discord_login.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "net/url.h"

static void test_ids_of_people_and_rooms(void **state)
{
	static const struct { enum chan_id_use use; const char *text, *want; } cases[] = {
		{ CHAN_ID_SENDER, ADA, ADA }, { CHAN_ID_SENDER, " discord:" ADA " ", ADA }, { CHAN_ID_SENDER, "user:" ADA, ADA },
		{ CHAN_ID_SENDER, "<@" ADA ">", ADA }, { CHAN_ID_SENDER, "<@!" ADA ">", ADA }, { CHAN_ID_SENDER, "discord:user:" ADA, ADA },
		{ CHAN_ID_GROUP, ROOM, ROOM }, { CHAN_ID_GROUP, "channel:" ROOM, ROOM }, { CHAN_ID_GROUP, "<#" ROOM ">", ROOM },
		{ CHAN_ID_GROUP, "guild:" GUILD, GUILD },
		{ CHAN_ID_SENDER, "ada", NULL }, { CHAN_ID_SENDER, "ada#1234", NULL }, { CHAN_ID_SENDER, "@ada", NULL },
		{ CHAN_ID_SENDER, "1234567890", NULL }, { CHAN_ID_SENDER, "channel:" ROOM, NULL }, { CHAN_ID_SENDER, "<#" ROOM ">", NULL },
		{ CHAN_ID_SENDER, "<@&" ROOM ">", NULL }, { CHAN_ID_SENDER, "webhook:" ADA, NULL }, { CHAN_ID_SENDER, "pk:abcde", NULL },
		{ CHAN_ID_SENDER, "", NULL }, { CHAN_ID_SENDER, "<@>", NULL }, { CHAN_ID_GROUP, "#general", NULL },
		{ CHAN_ID_GROUP, "user:" ADA, NULL }, { CHAN_ID_SENDER, "123456789012345678901", NULL },
	};

	for (size_t i = 0; i < CH_ARRAY_LEN(cases); i++) {
		CH_AUTO(arena_unref) struct arena *a = arena_new(0);
		const char *why = NULL, *id = chan_find("discord")->id_parse(a, cases[i].use, cases[i].text, &why);

		if (cases[i].want)
			assert_string_equal(id, cases[i].want);
		else
			assert_null(id);
		assert_true(id || strstr(why, "17 to 20 digits"));
	}
}

static void test_targets(void **state)
{
	static const struct { const char *text; ch_status want; enum chan_peer_kind kind; } cases[] = {
		{ "user:" ADA, CH_OK, CHAN_DIRECT }, { "<@" ADA ">", CH_OK, CHAN_DIRECT }, { "discord:user:" ADA, CH_OK, CHAN_DIRECT },
		{ "channel:" ROOM, CH_OK, CHAN_CHANNEL }, { "<#" ROOM ">", CH_OK, CHAN_CHANNEL }, { "thread:" THREAD, CH_OK, CHAN_CHANNEL },
		{ ROOM, CH_E_INVALID, 0 }, { "#general", CH_E_INVALID, 0 }, { "", CH_E_INVALID, 0 }, { "user:ada", CH_E_INVALID, 0 },
		{ "channel:../users/@me", CH_E_INVALID, 0 },
	};

	for (size_t i = 0; i < CH_ARRAY_LEN(cases); i++) {
		CH_AUTO(arena_unref) struct arena *a = arena_new(0);
		struct chan_peer peer = { .kind = CHAN_GROUP };

		assert_int_equal(chan_find("discord")->target_parse(a, cases[i].text, &peer, NULL), cases[i].want);
		assert_true(cases[i].want || (peer.kind == cases[i].kind && discord_is_id(peer.id)));
	}
}

/* What a guild says that is not read here is said to be so. */
static void test_keys_of_guilds_are_checked(void **state)
{
	static const char text[] = "{channels:{discord:{token:'t',guilds:{'" GUILD "':{requireMention:false,slug:'harbour',reqireMention:true,"
				   "presenceEvents:{channelId:'" ROOM "'},users:[" ADA "],channels:{'*':{enabled:true},'" ROOM "':{autoThread:true,"
				   "requireMention:'no',tools:{deny:['exec']}}}}}}}}";
	CH_AUTO(config_unref) struct config *c = NULL;
	const struct config_issue *issues;
	const char *all = "";
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	size_t count;

	assert_int_equal(config_parse(text, strlen(text), NULL, &c, NULL), CH_OK);
	issues = config_issues(c, &count);
	for (size_t i = 0; i < count; i++)
		all = arena_printf(a, "%s%s: %s\n", all, issues[i].path, issues[i].message);
	assert_non_null(strstr(all, "reqireMention: unknown key, kept as it is; did you mean requireMention?"));
	assert_non_null(strstr(all, "requireMention: expected true or false, got a string"));
	assert_non_null(strstr(all, "presenceEvents"));
	assert_non_null(strstr(all, "autoThread"));
	assert_null(strstr(all, "slug"));
	assert_int_equal(count, 3);
}

static bool may_reach(struct discord *d, const char *address, bool is_gateway)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct url u;

	return !url_parse(a, address, &u, NULL) && discord_may_reach(d, &u, is_gateway);
}

/* The token goes to Discord, and files come from it: whatever an event names. */
static void test_threat_ssrf_only_discords_hosts(void **state)
{
	CH_AUTO(discord_unref) struct discord *d = discord_login("");

	assert_true(may_reach(d, "wss://gateway.discord.gg", true));
	assert_true(may_reach(d, "wss://gateway-us-east1-b.discord.gg/?v=10", true));
	assert_false(may_reach(d, "ws://gateway.discord.gg", true));
	assert_false(may_reach(d, "wss://discord.gg.evil.example", true));
	assert_false(may_reach(d, "wss://evildiscord.gg", true));
	assert_false(may_reach(d, "wss://127.0.0.1", true));
	assert_true(may_reach(d, "https://cdn.discordapp.com/attachments/1/2/a.png?ex=1", false));
	assert_true(may_reach(d, "https://media.discordapp.net/stickers/1.png", false));
	assert_false(may_reach(d, "http://cdn.discordapp.com/a.png", false));
	assert_false(may_reach(d, "https://cdn.discordapp.com.evil.example/a.png", false));
	assert_false(may_reach(d, "https://169.254.169.254/latest", false));
	assert_false(may_reach(d, "https://discord.com/api/v10/users/@me", false));
	/* A root of one's own is the only place. */
	d->has_own_root = true;
	ch_free(d->api);
	d->api = ch_strdup("http://127.0.0.1:8080/api/v10");
	assert_true(may_reach(d, "ws://127.0.0.1:9090", true));
	assert_true(may_reach(d, "http://127.0.0.1:8080/attachments/1/a.png", false));
	assert_false(may_reach(d, "https://cdn.discordapp.com/a.png", false));
	assert_false(may_reach(d, "wss://gateway.discord.gg", true));
}

static bool views(const char *overwrites, const char *roles, const char *user)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	const char *guild = "{id:'" GUILD "',owner_id:'" BOB "',roles:[{id:'" GUILD "',permissions:'1024'},{id:'1000000000000004001',permissions:'0'},"
			    "{id:'1000000000000004002',permissions:'8'},{id:'1000000000000004003',permissions:'what'}]}";
	const char *channel = arena_printf(a, "{id:'" ROOM "',permission_overwrites:[%s]}", overwrites);
	const char *member = arena_printf(a, "{roles:%s}", roles);
	struct json *g, *c, *m;

	assert_int_equal(json_parse(a, guild, strlen(guild), JSON_JSON5, &g, NULL), CH_OK);
	assert_int_equal(json_parse(a, channel, strlen(channel), JSON_JSON5, &c, NULL), CH_OK);
	assert_int_equal(json_parse(a, member, strlen(member), JSON_JSON5, &m, NULL), CH_OK);
	return discord_may_view(g, c, m, user);
}

/* Discord's order: everybody, the roles together, the person; owner and administrators see all. */
static void test_threat_access_who_may_view_a_channel(void **state)
{
#define HIDDEN "{id:'" GUILD "',type:0,deny:'1024',allow:'0'}"
#define OPS "['1000000000000004001']"
	assert_true(views("", "[]", ADA));
	assert_false(views(HIDDEN, "[]", ADA));
	assert_true(views(HIDDEN, "[]", BOB));
	assert_true(views(HIDDEN, "['1000000000000004002']", ADA));
	assert_false(views(HIDDEN, OPS, ADA));
	assert_true(views(HIDDEN ",{id:'1000000000000004001',type:0,allow:'1024',deny:'0'}", OPS, ADA));
	assert_false(views(HIDDEN ",{id:'1000000000000004001',type:0,allow:'1024',deny:'0'}", "[]", ADA));
	assert_false(views("{id:'1000000000000004001',type:0,deny:'1024',allow:'0'}", OPS, ADA));
	assert_true(views(HIDDEN ",{id:'" ADA "',type:1,allow:'1024',deny:'0'}", "[]", ADA));
	assert_false(views("{id:'" ADA "',type:1,allow:'0',deny:'1024'}", OPS, ADA));
	/* What cannot be read lets nobody in. */
	assert_false(views(HIDDEN, "['1000000000000004003']", ADA));
	assert_false(views("{id:'" GUILD "',type:0}", "[]", ADA));
	assert_false(views("", "null", ADA));
#undef HIDDEN
#undef OPS
}

#define NOW 1700000000000

static void test_rooms_that_have_something_newer(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct catchup c = { .after = "" };
	char last[DISCORD_ID_LEN], older[DISCORD_ID_LEN], newer[DISCORD_ID_LEN], past[DISCORD_ID_LEN];
	const char *text;
	struct json *guild;

	discord_id_at(NOW - 60000, last);
	discord_id_at(NOW - 3600000, older);
	discord_id_at(NOW - 1000, newer);
	text = arena_printf(a, "{id:'" GUILD "',channels:[{id:'" ROOM "',type:0,last_message_id:'%s'},{id:'1000000000000002002',type:0,"
			    "last_message_id:'%s'},{id:'1000000000000002003',type:15,last_message_id:'%s'},{id:'x',type:0,last_message_id:'%s'},"
			    "{id:'1000000000000002004',type:0,last_message_id:null}],threads:[{id:'" THREAD "',type:11,last_message_id:'%s'}]}",
			    newer, older, newer, newer, newer);
	assert_int_equal(json_parse(a, text, strlen(text), JSON_JSON5, &guild, NULL), CH_OK);
	/* Never here before: there is nothing to go back to. */
	catchup_begin(&c, "", NOW);
	catchup_guild(&c, guild);
	assert_false(catchup_is_due(&c));
	catchup_begin(&c, last, NOW);
	catchup_guild(&c, guild);
	assert_int_equal(c.rooms.len, 2);
	assert_string_equal(c.rooms.at[0].id, ROOM);
	assert_string_equal(c.rooms.at[1].id, THREAD);
	assert_true(discord_id_cmp(c.after, last) < 0);
	catchup_took(&c);
	assert_int_equal(c.rooms.len, 1);
	/* What is older than a day is over. */
	discord_id_at(NOW - 30LL * 86400000, past);
	catchup_begin(&c, past, NOW);
	assert_int_equal(discord_id_ms(c.after), NOW - CATCHUP_AGE_MS);
	catchup_done(&c);
}

static void test_threat_dos_rooms_to_ask_are_bounded(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct json *guild = json_new_obj(a), *rooms = json_new_arr(a);
	struct catchup c = { .after = "" };
	char last[DISCORD_ID_LEN], newer[DISCORD_ID_LEN];

	discord_id_at(NOW - 60000, last);
	discord_id_at(NOW, newer);
	for (int i = 0; i < 3 * CATCHUP_ROOMS_MAX; i++) {
		struct json *room = json_new_obj(a);

		json_set(a, room, "id", json_new_str(a, arena_printf(a, "10000000000000%05d", i)));
		json_set(a, room, "type", json_new_int(a, 0));
		json_set(a, room, "last_message_id", json_new_str(a, newer));
		json_push(rooms, room);
	}
	json_set(a, guild, "id", json_new_str(a, GUILD));
	json_set(a, guild, "channels", rooms);
	catchup_begin(&c, last, NOW);
	catchup_guild(&c, guild);
	assert_int_equal(c.rooms.len, CATCHUP_ROOMS_MAX);
	assert_int_equal(c.left_out, 2 * CATCHUP_ROOMS_MAX);
	catchup_done(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ids_of_people_and_rooms),
		cmocka_unit_test(test_targets),
		cmocka_unit_test(test_keys_of_guilds_are_checked),
		cmocka_unit_test(test_threat_ssrf_only_discords_hosts),
		cmocka_unit_test(test_threat_access_who_may_view_a_channel),
		cmocka_unit_test(test_rooms_that_have_something_newer),
		cmocka_unit_test(test_threat_dos_rooms_to_ask_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
