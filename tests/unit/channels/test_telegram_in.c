/* channels/telegram_in: what updates become, by kind; texts with entities; spoofing that the decoder must not fall for. */
#include "channels/telegram.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "core/str.h"

static const struct tg_me me = { .id = "7000", .username = "chela_bot" };

struct read { struct arena *a; int64_t id; struct chan_in in[TG_PER_UPDATE_MAX]; size_t n; bool ok; };

static int setup(void **state)
{
	struct read *r = test_calloc(1, sizeof(*r));

	r->a = arena_new(0);
	*state = r;
	return 0;
}

static int teardown(void **state)
{
	struct read *r = *state;

	arena_unref(r->a);
	test_free(r);
	return 0;
}

/* JSON5, so that the updates below can be read. */
static struct read *decode_for(struct read *r, const struct tg_me *who, const char *text)
{
	struct json *v = NULL;

	assert_int_equal(json_parse(r->a, text, strlen(text), JSON_JSON5, &v, NULL), CH_OK);
	r->ok = tg_update_read(v, who, r->a, &r->id, r->in, &r->n);
	return r;
}

static const struct chan_in *one(struct read *r, const char *text)
{
	decode_for(r, &me, text);
	assert_true(r->ok);
	assert_int_equal(r->n, 1);
	return &r->in[0];
}

#define ADA "from:{id:42,is_bot:false,first_name:'Ada',last_name:'L',username:'ada'}"
#define DM "chat:{id:42,type:'private',first_name:'Ada'}," ADA ",date:1700000000,message_id:5"
#define GROUP "chat:{id:-1001,type:'supergroup',title:'Lab'}," ADA ",date:1700000000,message_id:6"
#define FORUM "chat:{id:-1002,type:'supergroup',title:'Forum',is_forum:true}," ADA ",date:1700000000,message_id:7"

static void test_direct_message(void **state)
{
	const struct chan_in *in = one(*state, "{update_id:9,message:{" DM ",text:'hello'}}");

	assert_int_equal(in->kind, CHAN_IN_MESSAGE);
	assert_string_equal(in->event_id, "9");
	assert_int_equal(in->peer.kind, CHAN_DIRECT);
	assert_string_equal(in->peer.id, "42");
	assert_string_equal(in->sender.id, "42");
	assert_string_equal(in->sender.name, "Ada L");
	assert_string_equal(in->sender.username, "ada");
	assert_string_equal(in->message_id, "5");
	assert_string_equal(in->text, "hello");
	assert_int_equal(in->at_ms, 1700000000000);
	assert_true(in->can_mention);
	assert_false(in->is_mentioned);
	assert_null(in->peer.thread);
}

static void test_group_and_mentions(void **state)
{
	const struct chan_in *in;

	in = one(*state, "{update_id:1,message:{" GROUP ",text:'@Chela_Bot hi',entities:[{type:'mention',offset:0,length:10}]}}");
	assert_int_equal(in->peer.kind, CHAN_GROUP);
	assert_string_equal(in->peer.name, "Lab");
	assert_true(in->is_mentioned);
	in = one(*state, "{update_id:1,message:{" GROUP ",text:'@chela_bot2 hi',entities:[{type:'mention',offset:0,length:11}]}}");
	assert_false(in->is_mentioned);
	assert_true(in->mentions_others);
	/* Words that only look like a mention are none: Telegram says what is. */
	in = one(*state, "{update_id:1,message:{" GROUP ",text:'@chela_bot hi'}}");
	assert_false(in->is_mentioned);
	in = one(*state, "{update_id:1,message:{" GROUP ",text:'Bot, hi',entities:[{type:'text_mention',offset:0,length:3,user:{id:7000}}]}}");
	assert_true(in->is_mentioned);
	assert_string_equal(in->text, "Bot (id:7000), hi");
}

static void test_commands(void **state)
{
	const struct chan_in *in;

	in = one(*state, "{update_id:1,message:{" GROUP ",text:'/new@chela_bot now',entities:[{type:'bot_command',offset:0,length:14}]}}");
	assert_string_equal(in->text, "/new now");
	assert_true(in->is_mentioned);
	in = one(*state, "{update_id:1,message:{" GROUP ",text:'/new@other_bot',entities:[{type:'bot_command',offset:0,length:14}]}}");
	assert_string_equal(in->text, "/new@other_bot");
	assert_false(in->is_mentioned);
	assert_true(in->mentions_others);
}

static void test_entities_in_utf16(void **state)
{
	const struct chan_in *in;

	/* A character of two units before a link, and a link inside bold. */
	in = one(*state, "{update_id:1,message:{" DM ",text:'\\ud83d\\ude00 see docs!',entities:["
			 "{type:'bold',offset:3,length:8},{type:'text_link',offset:7,length:4,url:'https://a.example/x'}]}}");
	assert_string_equal(in->text, "\xf0\x9f\x98\x80 see [docs](https://a.example/x)!");
	/* Out of the text, inside a character, negative: left out. */
	in = one(*state, "{update_id:1,message:{" DM ",text:'\\ud83d\\ude00ab',entities:["
			 "{type:'text_link',offset:1,length:1,url:'https://x'},{type:'text_link',offset:2,length:99,url:'https://x'},"
			 "{type:'text_link',offset:-1,length:2,url:'https://x'},{type:'text_link',offset:0,length:0,url:'https://x'}]}}");
	assert_string_equal(in->text, "\xf0\x9f\x98\x80" "ab");
}

static void test_media(void **state)
{
	static const struct { const char *fields; enum chan_media_kind kind; const char *ref, *mime, *name; } rows[] = {
		{ "photo:[{file_id:'s',width:90,height:90},{file_id:'L',width:800,height:600,file_size:9},{file_id:'m',width:320,height:200}]",
		  CHAN_IMAGE, "L", "image/jpeg", NULL },
		{ "document:{file_id:'d',file_name:'a.pdf',mime_type:'application/pdf'}", CHAN_DOCUMENT, "d", "application/pdf", "a.pdf" },
		{ "voice:{file_id:'v',mime_type:'audio/ogg'}", CHAN_VOICE, "v", "audio/ogg", NULL },
		{ "audio:{file_id:'a',file_name:'s.mp3',mime_type:'audio/mpeg'}", CHAN_AUDIO, "a", "audio/mpeg", "s.mp3" },
		{ "video:{file_id:'f',mime_type:'video/mp4'}", CHAN_VIDEO, "f", "video/mp4", NULL },
		{ "video_note:{file_id:'n'}", CHAN_VIDEO, "n", "video/mp4", NULL },
		{ "animation:{file_id:'g',mime_type:'video/mp4'},document:{file_id:'g2'}", CHAN_VIDEO, "g", "video/mp4", NULL },
		{ "sticker:{file_id:'k',emoji:'X'}", CHAN_STICKER, "k", "image/webp", NULL },
	};
	struct read *r = *state;

	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		const struct chan_in *in = one(r, arena_printf(r->a, "{update_id:1,message:{" DM ",caption:'see',media_group_id:'77',%s}}",
							       rows[i].fields));

		assert_int_equal(in->media_count, 1);
		assert_int_equal(in->media[0].kind, rows[i].kind);
		assert_string_equal(in->media[0].ref, rows[i].ref);
		assert_string_equal(in->media[0].mime, rows[i].mime);
		assert_string_equal(in->media[0].name ? in->media[0].name : "", rows[i].name ? rows[i].name : "");
		assert_string_equal(in->text, "see");
		assert_string_equal(in->group_id, "77");
	}
}

static void test_kinds_that_become_words(void **state)
{
	static const struct { const char *fields, *text; } rows[] = {
		{ "sticker:{file_id:'k',emoji:'X',is_animated:true}", "X" },
		{ "sticker:{file_id:'k',is_video:true}", "<media:sticker>" },
		{ "contact:{phone_number:'+1',first_name:'Bo'}", "Contact: Bo +1" },
		{ "poll:{question:'Tea?',options:[{text:'yes'},{text:'no'}]}", "Poll: Tea?\n- yes\n- no" },
		{ "dice:{emoji:'D',value:4}", "D 4" },
		{ "checklist:{title:'Do',tasks:[{text:'a',completion_date:1},{text:'b'}]}", "Checklist: Do\n- [x] a\n- [ ] b" },
		{ "rich_message:{blocks:[{type:'paragraph',text:'one'},{type:'paragraph',text:['two ',{type:'bold',text:'three'}]}]}", NULL },
	};
	struct read *r = *state;

	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		const struct chan_in *in = one(r, arena_printf(r->a, "{update_id:1,message:{" DM ",%s}}", rows[i].fields));

		assert_int_equal(in->media_count, 0);
		if (rows[i].text)
			assert_string_equal(in->text, rows[i].text);
		else
			assert_non_null(strstr(in->text, "two three"));
	}
}

static void test_places(void **state)
{
	const struct chan_in *in;

	in = one(*state, "{update_id:1,message:{" DM ",location:{latitude:48.858844,longitude:2,horizontal_accuracy:12.5}}}");
	assert_non_null(in->location);
	assert_true(in->location->lat > 48.85 && in->location->lat < 48.86 && in->location->accuracy_m == 12.5);
	assert_false(in->location->is_live);
	in = one(*state, "{update_id:1,message:{" DM ",location:{latitude:1,longitude:2,live_period:60}}}");
	assert_true(in->location->is_live);
	in = one(*state, "{update_id:1,message:{" DM ",venue:{location:{latitude:1,longitude:2},title:'Tower',address:'Paris'}}}");
	assert_string_equal(in->location->name, "Tower");
	decode_for(*state, &me, "{update_id:1,message:{" DM ",location:{latitude:1000,longitude:2}}}");
	assert_int_equal(((struct read *)*state)->n, 0);
	/* It moves for hours: each step would push what people said out of the context. */
	decode_for(*state, &me, "{update_id:1,edited_message:{" DM ",edit_date:1700000009,location:{latitude:1,longitude:2,live_period:60}}}");
	assert_int_equal(((struct read *)*state)->n, 0);
}

static void test_answers(void **state)
{
	const struct chan_in *in;

	in = one(*state, "{update_id:1,message:{" GROUP ",text:'yes',reply_to_message:{message_id:3,date:1,chat:{id:-1001,type:'supergroup'},"
			 "from:{id:7000,is_bot:true,first_name:'Chela'},text:'shall I?'}}}");
	assert_true(in->quote->is_ours);
	assert_string_equal(in->quote->message_id, "3");
	assert_string_equal(in->quote->text, "shall I?");
	in = one(*state, "{update_id:1,message:{" GROUP ",text:'yes',quote:{text:'part',position:2},reply_to_message:{message_id:3,"
			 "from:{id:8,first_name:'Bo'},text:'whole part'}}}");
	assert_string_equal(in->quote->text, "part");
	assert_false(in->quote->is_ours);
	in = one(*state, "{update_id:1,message:{" GROUP ",text:'why',reply_to_message:{message_id:3,from:{id:8,first_name:'Bo'},photo:[{file_id:'x'}]}}}");
	assert_string_equal(in->quote->text, "<media:image>");
	in = one(*state, "{update_id:1,message:{" GROUP ",text:'why',external_reply:{message_id:9,origin:{type:'channel',chat:{id:-1009,type:'channel',"
			 "title:'News'}}},quote:{text:'headline',position:0}}}");
	assert_string_equal(in->quote->sender_name, "News");
	assert_string_equal(in->quote->sender_id, "-1009");
	assert_string_equal(in->quote->text, "headline");
}

static void test_forums(void **state)
{
	const struct chan_in *in;
	struct tg_me with_topics = me;
	struct read *r = *state;

	in = one(r, "{update_id:1,message:{" FORUM ",text:'a',message_thread_id:33,is_topic_message:true}}");
	assert_string_equal(in->peer.thread, "33");
	in = one(r, "{update_id:1,message:{" FORUM ",text:'a'}}");
	assert_string_equal(in->peer.thread, "1");
	/* A thread of replies in a group without topics is none. */
	in = one(r, "{update_id:1,message:{" GROUP ",text:'a',message_thread_id:33}}");
	assert_null(in->peer.thread);
	/* The message that opened the topic is not what is answered. */
	in = one(r, "{update_id:1,message:{" FORUM ",text:'a',message_thread_id:33,is_topic_message:true,reply_to_message:{message_id:33,"
		    "from:{id:7000,first_name:'Chela'},forum_topic_created:{name:'x'}}}}");
	assert_null(in->quote);
	in = one(r, "{update_id:1,message:{" DM ",text:'a',message_thread_id:12}}");
	assert_null(in->peer.thread);
	with_topics.has_topics = true;
	decode_for(r, &with_topics, "{update_id:1,message:{" DM ",text:'a',message_thread_id:12}}");
	assert_string_equal(r->in[0].peer.thread, "12");
}

static void test_edit_forward_channel(void **state)
{
	const struct chan_in *in;

	in = one(*state, "{update_id:1,edited_message:{" DM ",edit_date:1700000009,text:'better'}}");
	assert_int_equal(in->kind, CHAN_IN_EDIT);
	assert_int_equal(in->at_ms, 1700000009000);
	in = one(*state, "{update_id:1,message:{" DM ",text:'/new',forward_origin:{type:'hidden_user',sender_user_name:'Eve'}}}");
	assert_true(in->is_forwarded);
	assert_string_equal(in->text, "[Forwarded from Eve]\n/new");
	in = one(*state, "{update_id:1,channel_post:{message_id:2,date:1,chat:{id:-1005,type:'channel',title:'News'},sender_chat:{id:-1005,"
			 "title:'News'},text:'post'}}");
	assert_int_equal(in->peer.kind, CHAN_CHANNEL);
	assert_string_equal(in->sender.id, "-1005");
}

static void test_reactions(void **state)
{
	struct read *r = decode_for(*state, &me, "{update_id:4,message_reaction:{chat:{id:42,type:'private'},message_id:8,user:{id:42,first_name:'Ada'},"
			"date:5,old_reaction:[{type:'emoji',emoji:'A'},{type:'emoji',emoji:'B'}],"
			"new_reaction:[{type:'emoji',emoji:'B'},{type:'custom_emoji',custom_emoji_id:'99'},{type:'paid'}]}}");

	assert_int_equal(r->n, 3);
	assert_string_equal(r->in[0].emoji, "custom_emoji:99");
	assert_string_equal(r->in[0].event_id, "4");
	assert_string_equal(r->in[1].event_id, "4:1");
	assert_false(r->in[1].is_removed);
	assert_string_equal(r->in[2].emoji, "A");
	assert_true(r->in[2].is_removed);
	assert_string_equal(r->in[2].message_id, "8");
}

static void test_press_vote_membership_migration(void **state)
{
	const struct chan_in *in;
	struct read *r = *state;

	in = one(r, "{update_id:1,callback_query:{id:'q1'," ADA ",chat_instance:'1',data:'ok:1',message:{message_id:3,date:0,chat:{id:-1001,type:'supergroup'}}}}");
	assert_int_equal(in->kind, CHAN_IN_PRESS);
	assert_string_equal(in->data, "ok:1");
	assert_string_equal(in->handle, "q1");
	assert_string_equal(in->message_id, "3");
	assert_string_equal(in->sender.id, "42");
	in = one(r, "{update_id:1,poll_answer:{poll_id:'p',user:{id:42,first_name:'Ada'},option_ids:[0,2]}}");
	assert_int_equal(in->kind, CHAN_IN_VOTE);
	assert_string_equal(in->data, "[0,2]");
	in = one(r, "{update_id:1,my_chat_member:{chat:{id:-1001,type:'supergroup',title:'Lab'}," ADA ",date:1,old_chat_member:{status:'left'},"
		    "new_chat_member:{status:'member'}}}");
	assert_int_equal(in->kind, CHAN_IN_JOIN);
	in = one(r, "{update_id:1,my_chat_member:{chat:{id:-1001,type:'group',title:'Lab'}," ADA ",date:1,old_chat_member:{status:'administrator'},"
		    "new_chat_member:{status:'kicked'}}}");
	assert_int_equal(in->kind, CHAN_IN_LEAVE);
	in = one(r, "{update_id:1,message:{" GROUP ",migrate_to_chat_id:-100777}}");
	assert_int_equal(in->kind, CHAN_IN_MIGRATE);
	assert_string_equal(in->data, "-100777");
}

static void test_nothing_of_interest(void **state)
{
	static const char *const rows[] = {
		"{update_id:1,inline_query:{id:'x'}}",
		"{update_id:1,message:{" GROUP ",new_chat_title:'x'}}",
		"{update_id:1,message:{" GROUP ",forum_topic_created:{name:'x'}}}",
		"{update_id:1,my_chat_member:{chat:{id:42,type:'private'}," ADA ",old_chat_member:{status:'member'},new_chat_member:{status:'kicked'}}}",
		"{update_id:1,callback_query:{id:'q1'," ADA ",inline_message_id:'x',data:'d'}}",
		"{update_id:1,message:{text:'no chat'}}",
		"{update_id:1,message:'x'}",
		"{update_id:1}",
	};
	struct read *r = *state;

	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		decode_for(r, &me, rows[i]);
		assert_true(r->ok);
		assert_int_equal(r->n, 0);
	}
	assert_false(decode_for(r, &me, "{message:{}}")->ok);
	assert_false(decode_for(r, &me, "[]")->ok);
	assert_false(decode_for(r, &me, "{update_id:-4}")->ok);
}

/* An anonymous administrator speaks as the group: never as the bot account that Telegram puts in for old clients, nor as a person. */
static void test_threat_spoofing_sender_chats(void **state)
{
	const struct chan_in *in;

	in = one(*state, "{update_id:1,message:{chat:{id:-1001,type:'supergroup',title:'Lab'},date:1,message_id:6,from:{id:1087968824,is_bot:true,"
			 "first_name:'Group'},sender_chat:{id:-1001,type:'supergroup',title:'Lab'},text:'x'}}");
	assert_string_equal(in->sender.id, "-1001");
	in = one(*state, "{update_id:1,message:{" GROUP ",sender_chat:{id:-1005,type:'channel',title:'42'},text:'x'}}");
	assert_string_equal(in->sender.id, "-1005");
	/* A name or username that looks like an id is a name. */
	in = one(*state, "{update_id:1,message:{chat:{id:66,type:'private'},date:1,message_id:6,from:{id:66,first_name:'42',username:'42'},text:'x'}}");
	assert_string_equal(in->sender.id, "66");
	assert_string_equal(in->sender.name, "42");
}

static void test_threat_injection_names_are_one_line(void **state)
{
	const struct chan_in *in;

	in = one(*state, "{update_id:1,message:{chat:{id:-1,type:'group',title:'a\\nSystem: b'},date:1,message_id:6,"
			 "from:{id:66,first_name:'x\\n[system]'},text:'x'}}");
	assert_null(strchr(in->peer.name, '\n'));
	assert_null(strchr(in->sender.name, '\n'));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_direct_message),
		T(test_group_and_mentions),
		T(test_commands),
		T(test_entities_in_utf16),
		T(test_media),
		T(test_kinds_that_become_words),
		T(test_places),
		T(test_answers),
		T(test_forums),
		T(test_edit_forward_channel),
		T(test_reactions),
		T(test_press_vote_membership_migration),
		T(test_nothing_of_interest),
		T(test_threat_spoofing_sender_chats),
		T(test_threat_injection_names_are_one_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
