/*
 * channels/route: which agent, which session.
 */
#include "access_net.h"

#include "agent/agent.h"
#include "channels/route.h"

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

static struct chan_route route(const char *config, const struct chan_ops *ops, const char *account, struct chan_peer peer,
			       struct chan_sender sender)
{
	CH_AUTO(config_unref) struct config *c = config_of(config);
	struct chan_route r = { 0 };

	ASSERT_OK(chan_route(c, ops, account, &peer, &sender, arena, &r, err));
	return r;
}

#define DM (struct chan_peer){ .kind = CHAN_DIRECT, .id = "7" }
#define ALICE (struct chan_sender){ .id = "7" }
#define GROUP(n) (struct chan_peer){ .kind = CHAN_GROUP, .id = n }

/* ---- keys ---- */

struct key_row { const char *session, *key; const struct chan_ops *ops; struct chan_peer peer; };

static void test_keys(void **state)
{
	static const struct key_row rows[] = {
		{ "{}", "agent:main:main", &forum, { .kind = CHAN_DIRECT, .id = "7" } },
		{ "{dmScope:'per-peer'}", "agent:main:direct:7", &forum, { .kind = CHAN_DIRECT, .id = "7" } },
		{ "{dmScope:'per-channel-peer'}", "agent:main:telegram:direct:7", &forum, { .kind = CHAN_DIRECT, .id = "7" } },
		{ "{dmScope:'per-account-channel-peer'}", "agent:main:telegram:work:direct:7", &forum,
		  { .kind = CHAN_DIRECT, .id = "7" } },
		{ "{}", "agent:main:telegram:group:-1001", &forum, { .kind = CHAN_GROUP, .id = "-1001" } },
		{ "{}", "agent:main:telegram:group:-1001:topic:42", &forum, { .kind = CHAN_GROUP, .id = "-1001", .thread = "42" } },
		{ "{}", "agent:main:main:thread:7:42", &forum, { .kind = CHAN_DIRECT, .id = "7", .thread = "42" } },
		{ "{}", "agent:main:discord:channel:55", &guild, { .kind = CHAN_CHANNEL, .id = "55", .guild = "9" } },
		{ "{}", "agent:main:discord:channel:55:thread:66", &guild,
		  { .kind = CHAN_CHANNEL, .id = "66", .parent = "55", .guild = "9" } },
		{ "{}", "agent:main:slack:channel:c1:thread:17.5", &team,
		  { .kind = CHAN_CHANNEL, .id = "C1", .thread = "17.5", .team = "T1" } },
		{ "{}", "agent:main:slack:group:g1", &team, { .kind = CHAN_GROUP, .id = "G1" } },
		{ "{}", "agent:main:main:thread:17.5", &team, { .kind = CHAN_DIRECT, .id = "D1", .thread = "17.5" } },
		{ "{groupScope:'main'}", "agent:main:main", &team, { .kind = CHAN_CHANNEL, .id = "C1", .thread = "17.5" } },
	};

	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		const char *config = arena_printf(arena, "{session:%s}", rows[i].session);
		struct chan_route r = route(config, rows[i].ops, "work", rows[i].peer, ALICE);

		assert_string_equal(r.session_key, rows[i].key);
		assert_string_equal(r.agent_id, "main");
		assert_string_equal(r.matched_by, "default");
		assert_string_equal(r.chat_type, chan_peer_kind_name(rows[i].peer.kind));
	}
}

static void test_identity_links(void **state)
{
	const char *config = "{session:{dmScope:'per-peer',identityLinks:{Alice:['telegram:7','discord:70']}}}";

	assert_string_equal(route(config, &forum, "default", DM, ALICE).session_key, "agent:main:direct:alice");
	assert_string_equal(route(config, &guild, "default", DM, ALICE).session_key, "agent:main:direct:7");
	assert_string_equal(route(config, &guild, "default", DM, (struct chan_sender){ .id = "70" }).session_key,
			    "agent:main:direct:alice");
	/* The main session is everybody's already. */
	assert_string_equal(route("{session:{identityLinks:{alice:['7']}}}", &forum, "default", DM, ALICE).session_key,
			    "agent:main:main");
}

static void test_refused(void **state)
{
	CH_AUTO(config_unref) struct config *c = config_of("{}");
	struct chan_peer nowhere = { .kind = CHAN_GROUP }, odd = { .kind = CHAN_GROUP, .id = "a\nb" };
	struct chan_sender alice = ALICE;
	struct chan_route r;

	ASSERT_FAILS(chan_route(c, &forum, "default", &nowhere, &alice, arena, &r, err), CH_E_INVALID, "from nowhere");
	ASSERT_FAILS(chan_route(c, &forum, "default", &odd, &alice, arena, &r, err), CH_E_INVALID, "control characters");
}

/* ---- agents ---- */

#define AGENTS "agents:{entries:{main:{default:true},a:{},b:{},c:{},d:{},e:{},f:{},g:{},h:{}}},"

static const char all_bindings[] =
	"{" AGENTS "bindings:["
	"{agentId:'gone',match:{channel:'discord',accountId:'*',peer:{kind:'channel',id:'55'}}},"
	"{agentId:'h',match:{channel:'discord',accountId:'*'}},"
	"{agentId:'g',match:{channel:'discord',accountId:'work'}},"
	"{agentId:'e',match:{channel:'discord',accountId:'*',guildId:'9'}},"
	"{agentId:'d',match:{channel:'discord',accountId:'*',guildId:9,roles:['r1']}},"
	"{agentId:'c',match:{channel:'discord',accountId:'*',peer:{kind:'direct',id:'*'}}},"
	"{agentId:'b',match:{channel:'discord',accountId:'*',peer:{kind:'channel',id:'55'}}},"
	"{agentId:'a',match:{channel:'Discord',accountId:'*',peer:{kind:'group',id:'66'}}},"
	"{agentId:'f',match:{channel:'slack',accountId:'*',teamId:'T1'}},"
	"]}";

static void expect(const struct chan_ops *ops, const char *account, struct chan_peer peer, struct chan_sender sender,
		   const char *agent, const char *matched_by)
{
	struct chan_route r = route(all_bindings, ops, account, peer, sender);

	assert_string_equal(r.agent_id, agent);
	assert_string_equal(r.matched_by, matched_by);
}

static void test_bindings(void **state)
{
	static const char *const roles[] = { "r0", "r1", NULL };
	struct chan_sender member = { .id = "7", .roles = roles };
	struct chan_peer thread = { .kind = CHAN_CHANNEL, .id = "66", .parent = "55", .guild = "9" };
	struct chan_peer other = { .kind = CHAN_CHANNEL, .id = "67", .parent = "55", .guild = "9" };
	struct chan_peer room = { .kind = CHAN_CHANNEL, .id = "70", .guild = "9" };
	struct chan_peer far = { .kind = CHAN_CHANNEL, .id = "71", .guild = "10" };

	expect(&guild, "default", thread, member, "a", "binding.peer");
	expect(&guild, "default", other, member, "b", "binding.peer.parent");
	expect(&guild, "default", DM, member, "c", "binding.peer.wildcard");
	expect(&guild, "default", room, member, "d", "binding.guild+roles");
	expect(&guild, "default", room, ALICE, "e", "binding.guild");
	expect(&guild, "work", far, ALICE, "g", "binding.account");
	expect(&guild, "default", far, ALICE, "h", "binding.channel");
	expect(&team, "default", (struct chan_peer){ .kind = CHAN_CHANNEL, .id = "C1", .team = "T1" }, ALICE, "f", "binding.team");
	expect(&team, "default", (struct chan_peer){ .kind = CHAN_CHANNEL, .id = "C1", .team = "T2" }, ALICE, "main", "default");
	expect(&forum, "default", DM, ALICE, "main", "default");
}

static void test_bindings_in_detail(void **state)
{
	/* Without an account the default one is meant; all that is named must match; the first of two equals wins. */
	const char *config = "{" AGENTS "bindings:["
		"{agentId:'a',match:{channel:'telegram'}},"
		"{agentId:'b',match:{channel:'telegram'}},"
		"{type:'acp',agentId:'c',match:{channel:'telegram',accountId:'*',peer:{kind:'direct',id:'7'}}},"
		"{agentId:'d',match:{channel:'telegram',accountId:'*',peer:{kind:'group',id:'-1:topic:4'}},session:{groupScope:'main'}},"
		"{agentId:'e',match:{channel:'telegram',accountId:'*',peer:{kind:'group',id:-1}}},"
		"{agentId:'f',match:{channel:'telegram',accountId:'*',guildId:'9',peer:{kind:'direct',id:'7'}}},"
		"{agentId:'g',match:{channel:'telegram',accountId:'vip',peer:{kind:'dm',id:'n:7'}},session:{dmScope:'per-peer'}},"
		"]}";
	struct chan_peer topic = { .kind = CHAN_GROUP, .id = "-1", .thread = "4" };
	struct chan_peer other = { .kind = CHAN_GROUP, .id = "-1", .thread = "5" };
	struct chan_route r = route(config, &forum, "default", DM, ALICE);

	assert_string_equal(r.agent_id, "a");
	assert_string_equal(route(config, &forum, "work", DM, ALICE).agent_id, "main");
	r = route(config, &forum, "vip", DM, ALICE);
	assert_string_equal(r.session_key, "agent:g:direct:7");
	r = route(config, &forum, "default", topic, ALICE);
	assert_string_equal(r.session_key, "agent:d:main");
	r = route(config, &forum, "default", other, ALICE);
	assert_string_equal(r.session_key, "agent:e:telegram:group:-1:topic:5");
	assert_string_equal(r.matched_by, "binding.peer.parent");
}

/* The layers above say the same. */
static void test_default_agent(void **state)
{
	static const char *const configs[] = {
		"{}", "{agents:{entries:{b:{},a:{}}}}", "{agents:{entries:{b:{},main:{}}}}",
		"{agents:{entries:{b:{},main:{},c:{default:true}}}}",
	};

	for (size_t i = 0; i < CH_ARRAY_LEN(configs); i++) {
		CH_AUTO(config_unref) struct config *c = config_of(configs[i]);

		assert_string_equal(route(configs[i], &forum, "default", DM, ALICE).agent_id, agent_default_id(c, arena));
	}
}

/* ---- places ---- */

static void test_places(void **state)
{
	struct chan_peer p = { .kind = CHAN_CHANNEL, .id = "66", .thread = "1.5", .parent = "55", .guild = "9", .team = "T", .name = "x\"y" };
	struct chan_peer q = { 0 };

	ASSERT_OK(chan_peer_read(chan_peer_json(arena, &p), arena, &q, err));
	assert_int_equal(q.kind, CHAN_CHANNEL);
	assert_string_equal(q.id, "66");
	assert_string_equal(q.thread, "1.5");
	assert_string_equal(q.parent, "55");
	assert_string_equal(q.guild, "9");
	assert_string_equal(q.team, "T");
	assert_string_equal(q.name, "x\"y");
	assert_string_equal(chan_lane(arena, "slack", "work", &p), "slack:work:channel:66:1.5");
	ASSERT_FAILS(chan_peer_read(json_new_obj(arena), arena, &q, err), CH_E_INVALID, "without a kind");
	ASSERT_FAILS(chan_peer_read(NULL, arena, &q, err), CH_E_INVALID, "without a kind");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_identity_links),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_bindings),
		cmocka_unit_test(test_bindings_in_detail),
		cmocka_unit_test(test_default_agent),
		cmocka_unit_test(test_places),
	};

	return cmocka_run_group_tests_name("route", tests, setup, teardown);
}
