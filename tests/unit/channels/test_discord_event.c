/* channels/discord_event, discord_interaction: what dispatches become, by kind; who cannot pass for whom. */
#include "discord_login.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "core/clock.h"

struct world { struct arena *a; struct discord *d; struct chan_in *in; size_t n; const char *roles; };

static int setup(void **state)
{
	struct world *w = test_calloc(1, sizeof(*w));

	w->a = arena_new(0);
	w->d = discord_login("");
	discord_learn(w->d, w->a, "{id:'" ROOM "',type:0,name:'general',parent_id:'1000000000000002999'}");
	discord_learn(w->d, w->a, "{id:'" THREAD "',type:11,name:'a thread',parent_id:'" ROOM "'}");
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	discord_unref(w->d);
	arena_unref(w->a);
	test_free(w);
	return 0;
}

static size_t decode(struct world *w, const char *type, const char *text)
{
	struct discord_ctx x = { .d = w->d, .session = "s1", .seq = 42, .roles = w->roles };
	struct json *v;

	assert_int_equal(json_parse(w->a, text, strlen(text), JSON_JSON5, &v, NULL), CH_OK);
	assert_int_equal(discord_event(w->a, &x, type, v, &w->in, &w->n, NULL), CH_OK);
	return w->n;
}

static const struct chan_in *one(struct world *w, const char *type, const char *text)
{
	assert_int_equal(decode(w, type, text), 1);
	return w->in;
}

#define M "1100000000000000001"
#define AUTHOR "author:{id:'" ADA "',username:'ada',global_name:'Ada L'}"
#define BASE "id:'" M "',channel_id:'" ROOM "',guild_id:'" GUILD "'," AUTHOR ",member:{nick:'Countess',roles:['1000000000000004001','x']}"
#define BASE_DM "id:'" M "',channel_id:'" DM "'," AUTHOR

static void test_message_in_a_room(void **state)
{
	const struct chan_in *in = one(*state, "MESSAGE_CREATE", "{" BASE ",type:0,content:'hi <@!" SELF "> and <@" BOB "> in <#" ROOM
					       "> <:dance:123> <b> <@999>',mentions:[{id:'" SELF "',username:'chelabot'},{id:'" BOB
					       "',username:'bob'}],mention_everyone:true}");

	assert_int_equal(in->kind, CHAN_IN_MESSAGE);
	assert_string_equal(in->event_id, "m:" M);
	assert_string_equal(in->text, "hi @chelabot and @bob in #general :dance: <b> <@999>");
	assert_int_equal(in->peer.kind, CHAN_CHANNEL);
	assert_string_equal(in->peer.id, ROOM);
	assert_null(in->peer.parent);
	assert_string_equal(in->peer.guild, GUILD);
	assert_string_equal(in->peer.name, "general");
	assert_string_equal(in->sender.id, ADA);
	assert_string_equal(in->sender.name, "Countess");
	assert_string_equal(in->sender.username, "ada");
	assert_string_equal(in->sender.roles[0], "1000000000000004001");
	assert_null(in->sender.roles[1]);
	assert_true(in->is_mentioned && in->mentions_others && in->can_mention);
	assert_false(in->sender.is_bot || in->sender.is_self || in->is_forwarded);
	assert_int_equal(in->at_ms, discord_id_ms(M));
}

static void test_direct_message(void **state)
{
	const struct chan_in *in = one(*state, "MESSAGE_CREATE", "{" BASE_DM ",type:0,content:'psst'}");

	assert_int_equal(in->peer.kind, CHAN_DIRECT);
	assert_string_equal(in->peer.id, ADA);
	assert_null(in->peer.guild);
	assert_false(in->is_mentioned);
	in = one(*state, "MESSAGE_CREATE", "{" BASE_DM ",type:0,content:'psst',channel_type:3}");
	assert_int_equal(in->peer.kind, CHAN_GROUP);
	assert_string_equal(in->peer.id, DM);
}

static void test_thread_has_its_channel_as_parent(void **state)
{
	const struct chan_in *in = one(*state, "MESSAGE_CREATE", "{id:'" M "',channel_id:'" THREAD "',guild_id:'" GUILD "'," AUTHOR
					       ",type:0,content:'x'}");

	assert_string_equal(in->peer.id, THREAD);
	assert_string_equal(in->peer.parent, ROOM);
}

static void test_mentions(void **state)
{
	struct world *w = *state;

	/* Everybody is nobody in particular. */
	assert_false(one(w, "MESSAGE_CREATE", "{" BASE ",content:'@everyone',mention_everyone:true}")->is_mentioned);
	w->roles = "1000000000000004002 1000000000000004003 ";
	assert_true(one(w, "MESSAGE_CREATE", "{" BASE ",content:'x',mention_roles:['1000000000000004003']}")->is_mentioned);
	assert_false(one(w, "MESSAGE_CREATE", "{" BASE ",content:'x',mention_roles:['1000000000000004009']}")->is_mentioned);
	assert_true(w->in->mentions_others);
	w->roles = NULL;
	assert_false(one(w, "MESSAGE_CREATE", "{" BASE ",content:'x',mention_roles:['1000000000000004003']}")->is_mentioned);
}

static void test_reply_and_forward(void **state)
{
	const struct chan_in *in = one(*state, "MESSAGE_CREATE", "{" BASE ",type:19,content:'yes',referenced_message:{id:'1100000000000000000',"
					       "author:{id:'" SELF "',username:'chelabot'},content:'shall I?'}}");

	assert_string_equal(in->quote->message_id, "1100000000000000000");
	assert_string_equal(in->quote->text, "shall I?");
	assert_true(in->quote->is_ours);
	in = one(*state, "MESSAGE_CREATE", "{" BASE ",type:0,content:'',message_reference:{type:1},message_snapshots:[{message:{content:"
		 "'/new at once',attachments:[{id:'5',filename:'a.png',url:'https://cdn.discordapp.com/a.png',content_type:'image/png',size:3}]}}]}");
	assert_true(in->is_forwarded);
	assert_string_equal(in->text, "/new at once");
	assert_int_equal(in->media_count, 1);
}

static void test_files(void **state)
{
	const struct chan_in *in = one(*state, "MESSAGE_CREATE", "{" BASE ",content:'',attachments:["
					       "{id:'5',filename:'a.png',url:'https://cdn.discordapp.com/a.png?ex=1',content_type:'image/png',size:3},"
					       "{id:'6',filename:'b.bin',url:'https://cdn.discordapp.com/b.bin',size:-4},{id:'7',filename:'no address'}],"
					       "sticker_items:[{id:'1000000000000007001',name:'wave',format_type:1},"
					       "{id:'1000000000000007002',name:'spin',format_type:3}]}");

	assert_int_equal(in->media_count, 3);
	assert_int_equal(in->media[0].kind, CHAN_IMAGE);
	assert_int_equal(in->media[0].size, 3);
	assert_string_equal(in->media[0].ref, "{\"url\":\"https://cdn.discordapp.com/a.png?ex=1\",\"channel\":\"" ROOM "\",\"message\":\"" M
			    "\",\"id\":\"5\"}");
	assert_int_equal(in->media[1].kind, CHAN_DOCUMENT);
	assert_int_equal(in->media[1].size, 0);
	assert_int_equal(in->media[2].kind, CHAN_STICKER);
	assert_string_equal(in->text, "[sticker: spin]");
	in = one(*state, "MESSAGE_CREATE", "{" BASE ",content:'',flags:8192,attachments:[{id:'5',filename:'v.ogg',url:'https://x/v',"
		 "content_type:'audio/ogg'}]}");
	assert_int_equal(in->media[0].kind, CHAN_VOICE);
}

/* Programs put their words into embeds; under a person's message they are previews of links. */
static void test_embeds_of_programs(void **state)
{
	const struct chan_in *in = one(*state, "MESSAGE_CREATE", "{" BASE ",webhook_id:'1000000000000008001',content:'',embeds:[{title:'Build 7',"
				       "description:'failed'},{description:'see log'},{}]}");

	assert_string_equal(in->text, "Build 7\nfailed\nsee log");
	in = one(*state, "MESSAGE_CREATE", "{" BASE ",content:'https://example.com',embeds:[{title:'Example'}]}");
	assert_string_equal(in->text, "https://example.com");
}

static void test_poll_is_readable(void **state)
{
	assert_string_equal(one(*state, "MESSAGE_CREATE", "{" BASE ",content:'',poll:{question:{text:'Tea?'},answers:[{poll_media:{text:'yes'}},"
				"{poll_media:{text:'no'}}]}}")->text, "Poll: Tea?\n- yes\n- no");
}

static void test_what_is_not_told(void **state)
{
	assert_int_equal(decode(*state, "MESSAGE_CREATE", "{" BASE ",type:7,content:'joined'}"), 0);
	assert_int_equal(decode(*state, "MESSAGE_CREATE", "{" BASE ",type:0,content:''}"), 0);
	assert_int_equal(decode(*state, "MESSAGE_CREATE", "{id:'" M "',channel_id:'" ROOM "',guild_id:'" GUILD "',author:{id:'" SELF
				"',username:'x'},content:'mine'}"), 0);
	assert_int_equal(decode(*state, "MESSAGE_UPDATE", "{" BASE ",content:'x',embeds:[{}]}"), 0);
	assert_int_equal(decode(*state, "TYPING_START", "{channel_id:'" ROOM "'}"), 0);
	assert_int_equal(decode(*state, "MESSAGE_CREATE", "{id:'../1',channel_id:'" ROOM "'," AUTHOR ",content:'x'}"), 0);
	assert_int_equal(decode(*state, "MESSAGE_CREATE", "{id:'" M "',channel_id:7," AUTHOR ",content:'x'}"), 0);
}

static void test_edit_and_delete(void **state)
{
	struct world *w = *state;
	const struct chan_in *in = one(w, "MESSAGE_UPDATE", "{" BASE ",content:'better',edited_timestamp:'2026-11-22T10:00:00Z'}");

	assert_int_equal(in->kind, CHAN_IN_EDIT);
	assert_string_equal(in->event_id, "e:" M ":2026-11-22T10:00:00Z");
	assert_string_equal(in->text, "better");
	in = one(w, "MESSAGE_DELETE", "{id:'" M "',channel_id:'" ROOM "',guild_id:'" GUILD "'}");
	assert_int_equal(in->kind, CHAN_IN_DELETE);
	assert_string_equal(in->message_id, M);
	assert_int_equal(decode(w, "MESSAGE_DELETE_BULK", "{ids:['" M "','1100000000000000002','x'],channel_id:'" ROOM "',guild_id:'" GUILD "'}"), 2);
	/* Of a DM we know whose it is when they wrote before. */
	assert_int_equal(decode(w, "MESSAGE_DELETE", "{id:'" M "',channel_id:'" DM "'}"), 0);
	discord_dm_learn(w->d, ADA, DM);
	in = one(w, "MESSAGE_DELETE", "{id:'" M "',channel_id:'" DM "'}");
	assert_string_equal(in->peer.id, ADA);
	assert_string_equal(in->sender.id, ADA);
}

static void test_reactions_and_votes(void **state)
{
	const struct chan_in *in = one(*state, "MESSAGE_REACTION_ADD", "{user_id:'" ADA "',channel_id:'" ROOM "',message_id:'" M "',guild_id:'" GUILD
					       "',emoji:{id:null,name:'👀'},message_author_id:'" SELF "',member:{user:{id:'" ADA
					       "',username:'ada'},roles:[]}}");

	assert_int_equal(in->kind, CHAN_IN_REACTION);
	assert_string_equal(in->emoji, "👀");
	assert_string_equal(in->event_id, "r:s1:42");
	assert_true(in->quote->is_ours);
	assert_false(in->is_removed);
	in = one(*state, "MESSAGE_REACTION_REMOVE", "{user_id:'" ADA "',channel_id:'" DM "',message_id:'" M "',emoji:{id:'123',name:'dance'}}");
	assert_string_equal(in->emoji, "dance:123");
	assert_true(in->is_removed);
	assert_string_equal(in->peer.id, ADA);
	in = one(*state, "MESSAGE_POLL_VOTE_ADD", "{user_id:'" ADA "',channel_id:'" ROOM "',message_id:'" M "',guild_id:'" GUILD "',answer_id:2}");
	assert_int_equal(in->kind, CHAN_IN_VOTE);
	assert_string_equal(in->data, "2");
	assert_int_equal(decode(*state, "MESSAGE_REACTION_ADD", "{user_id:'" SELF "',channel_id:'" ROOM "',message_id:'" M "',guild_id:'" GUILD
				"',emoji:{name:'👀'}}"), 0);
}

#define ASK "id:'1200000000000000001',application_id:'" SELF "',token:'aW50-x.y_z',channel_id:'" ROOM "',guild_id:'" GUILD \
	"',member:{user:{id:'" ADA "',username:'ada'},roles:['1000000000000004001']},channel:{id:'" ROOM "',type:0,name:'general'}"

static void test_command(void **state)
{
	struct world *w = *state;
	const struct chan_in *in = one(w, "INTERACTION_CREATE", "{" ASK ",type:2,data:{name:'model',options:[{name:'args',type:3,value:'gpt x'}]}}");
	struct discord_handle h;

	assert_int_equal(in->kind, CHAN_IN_COMMAND);
	assert_string_equal(in->text, "/model gpt x");
	assert_string_equal(in->event_id, "i:1200000000000000001");
	assert_true(in->is_mentioned);
	assert_true(discord_handle_read(w->a, in->handle, &h));
	assert_int_equal(h.kind, 'c');
	assert_string_equal(h.token, "aW50-x.y_z");
	assert_string_equal(h.app, SELF);
	assert_string_equal(h.only, ADA);
	assert_true(h.expires_ms > now_wall_ms() + 14 * 60000);
	in = one(w, "INTERACTION_CREATE", "{" ASK ",type:2,data:{name:'a',options:[{name:'b',type:2,options:[{name:'c',type:1,options:["
		 "{name:'n',type:4,value:7},{name:'f',type:5,value:true}]}]}]}}");
	assert_string_equal(in->text, "/a b c 7 true");
	assert_int_equal(decode(w, "INTERACTION_CREATE", "{" ASK ",type:4,data:{name:'model'}}"), 0);
	assert_int_equal(decode(w, "INTERACTION_CREATE", "{id:'1200000000000000001',application_id:'" SELF "',token:'t',channel_id:'" ROOM
				"',type:2,data:{name:'model'},user:{id:'" SELF "',username:'chelabot'}}"), 0);
}

static void test_press_and_form(void **state)
{
	struct world *w = *state;
	const struct chan_in *in = one(w, "INTERACTION_CREATE", "{" ASK ",type:3,message:{id:'" M "'},data:{custom_id:'tok1',component_type:2}}");
	struct discord_handle h;

	assert_int_equal(in->kind, CHAN_IN_PRESS);
	assert_string_equal(in->data, "tok1");
	assert_string_equal(in->message_id, M);
	assert_true(discord_handle_read(w->a, in->handle, &h) && h.kind == 'u' && !h.only);
	in = one(w, "INTERACTION_CREATE", "{" ASK ",type:3,data:{custom_id:'menu',component_type:3,values:['a','b']}}");
	assert_string_equal(in->text, "a, b");
	in = one(w, "INTERACTION_CREATE", "{" ASK ",type:5,data:{custom_id:'form',components:[{type:1,components:[{custom_id:'why',value:'so'}]},"
		 "{type:18,component:{custom_id:'who',values:['x']}}]}}");
	assert_string_equal(in->text, "why: so\nwho: x");
}

static void test_a_command_in_somebodys_dm(void **state)
{
	const struct chan_in *in = one(*state, "INTERACTION_CREATE", "{id:'1200000000000000001',application_id:'" SELF "',token:'t',type:2,context:2,"
					       "channel_id:'" DM "',user:{id:'" ADA "',username:'ada'},channel:{id:'" DM "',type:1},data:{name:'ask'}}");

	assert_int_equal(in->peer.kind, CHAN_GROUP);
	assert_string_equal(in->peer.id, DM);
}

static void test_guilds(void **state)
{
	const struct chan_in *in = one(*state, "GUILD_CREATE", "{id:'" GUILD "',name:'Har\\nbour',system_channel_id:'" ROOM "'}");

	assert_int_equal(in->kind, CHAN_IN_JOIN);
	assert_string_equal(in->peer.id, ROOM);
	assert_string_equal(in->peer.name, "Har bour");
	in = one(*state, "GUILD_DELETE", "{id:'" GUILD "'}");
	assert_int_equal(in->kind, CHAN_IN_LEAVE);
}

/* A webhook may take a person's id for its author, and their name and roles: it is known by its own. */
static void test_threat_spoofing_webhook_author(void **state)
{
	const struct chan_in *in = one(*state, "MESSAGE_CREATE", "{" BASE ",type:0,content:'it is me',webhook_id:'1000000000000008001'}");
	const char *why;

	assert_string_equal(in->sender.id, "webhook:1000000000000008001");
	assert_true(in->sender.is_bot);
	assert_null(in->sender.roles);
	assert_null(chan_find("discord") ? chan_find("discord")->id_parse(((struct world *)*state)->a, CHAN_ID_SENDER, in->sender.id, &why) : NULL);
}

/* A name is a name, whatever it says, and never more than one line. */
static void test_threat_spoofing_changed_names(void **state)
{
	const struct chan_in *in = one(*state, "MESSAGE_CREATE", "{id:'" M "',channel_id:'" ROOM "',guild_id:'" GUILD "',author:{id:'" BOB
					       "',username:'" ADA "',global_name:'Ada\\n[owner]'},content:'x'}");

	assert_string_equal(in->sender.id, BOB);
	assert_string_equal(in->sender.name, "Ada [owner]");
}

static void test_handles_that_are_none(void **state)
{
	static const char *const texts[] = {
		"", "c", "c:1:2::3:t", "x:" SELF ":" M "::1:t", "c:" SELF ":" M "::soon:t", "c:" SELF ":" M "::1:", "c:" SELF ":" M "::1:a/../b",
		"c:" SELF ":" M "::1:a?b", "c:../x:" M "::1:t", "c:" SELF ":" M ":ada:1:t", "c:" SELF ":" M ":1:t",
	};
	struct discord_handle h;

	assert_true(discord_handle_read(((struct world *)*state)->a, "c:" SELF ":" M "::1:t", &h) && !h.only);
	for (size_t i = 0; i < CH_ARRAY_LEN(texts); i++)
		assert_false(discord_handle_read(((struct world *)*state)->a, texts[i], &h));
}

static void test_ids(void **state)
{
	assert_true(discord_is_id("12345678901234567"));
	assert_false(discord_is_id("1234567890123456"));
	assert_false(discord_is_id("123456789012345678901"));
	assert_false(discord_is_id("12345678901234567x"));
	assert_false(discord_is_id(NULL));
	assert_int_equal(discord_id_ms("175928847299117063"), 1462015105796);
	assert_int_equal(discord_id_ms("99999999999999999999"), 0);
	assert_int_equal(discord_id_ms("x"), 0);
}

static void test_ids_are_ordered_by_time(void **state)
{
	char id[DISCORD_ID_LEN];

	discord_id_at(1462015105796, id);
	assert_string_equal(id, "175928847298985984");
	assert_int_equal(discord_id_ms(id), 1462015105796);
	assert_true(discord_id_cmp(id, "175928847299117063") < 0);
	assert_true(discord_id_cmp("1000000000000000000", "999999999999999999") > 0);
	assert_int_equal(discord_id_cmp(id, id), 0);
	discord_id_at(-1, id);
	assert_string_equal(id, "0");
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_message_in_a_room),
		T(test_direct_message),
		T(test_thread_has_its_channel_as_parent),
		T(test_mentions),
		T(test_reply_and_forward),
		T(test_files),
		T(test_embeds_of_programs),
		T(test_poll_is_readable),
		T(test_what_is_not_told),
		T(test_edit_and_delete),
		T(test_reactions_and_votes),
		T(test_command),
		T(test_press_and_form),
		T(test_a_command_in_somebodys_dm),
		T(test_guilds),
		T(test_threat_spoofing_webhook_author),
		T(test_threat_spoofing_changed_names),
		T(test_handles_that_are_none),
		T(test_ids),
		T(test_ids_are_ordered_by_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
