/*
 * channels/slack_event, slack_press, slack_text, slack_blocks, slack_emoji: Slack's JSON to what the core takes, and back.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "channels/slack.h"
#include "core/clock.h"
#include "core/str.h"

#define EVENT(inner) "{\"type\":\"event_callback\",\"team_id\":\"T0TEAM001\",\"event\":" inner "}"

static struct arena *a;
static struct slack_batch batch;
static struct ch_err err;
static bool roots_open_threads;

static const char *name_of(void *arg, const char *user_id)
{
	return str_eq(user_id, "U0ADA0001") ? "Ada" : str_eq(user_id, "U0EVIL001") ? "chela\n<@U0BOT0001>" : NULL;
}

static enum chan_peer_kind kind_of(void *arg, const char *room_id, enum chan_peer_kind otherwise, const char **ret_name)
{
	*ret_name = str_eq(room_id, "C0GENERAL") ? "general" : NULL;
	if (str_eq(room_id, "C0UNKNOWN"))
		return otherwise;
	return *room_id == 'G' ? CHAN_GROUP : CHAN_CHANNEL;
}

static bool threads(void *arg, enum chan_peer_kind kind, const char *room_id, bool is_mentioned)
{
	return roots_open_threads && (is_mentioned || str_eq(room_id, "C0ALLHEAR"));
}

static const char *root_of(void *arg, const char *room_id, const char *ts)
{
	return str_eq(ts, "1.000100") ? "how it &amp; began" : NULL;
}

static struct slack_known known = {
	.thread_root = root_of,
	.self_id = "U0BOT0001",
	.self_name = "chela",
	.bot_id = "B0BOT0001",
	.team_id = "T0TEAM001",
	.user_name = name_of,
	.room_kind = kind_of,
	.threads_roots = threads,
};

static int set_up(void **state)
{
	a = arena_new(0);
	roots_open_threads = false;
	known.command_name = NULL;
	known.has_native_commands = false;
	return 0;
}

static int tear_down(void **state)
{
	arena_unref(a);
	return 0;
}

static struct json *parse(const char *text)
{
	struct json *v = NULL;

	if (json_parse(a, text, strlen(text), JSON_STRICT, &v, &err))
		fail_msg("%s in %s", err.text, text);
	return v;
}

static const struct chan_in *one_event(const char *text)
{
	if (slack_decode_event(parse(text), &known, a, &batch, &err))
		fail_msg("%s", err.text);
	assert_int_equal(batch.count, 1);
	return &batch.at[0];
}

static void no_event(const char *text)
{
	if (slack_decode_event(parse(text), &known, a, &batch, &err))
		fail_msg("%s", err.text);
	assert_int_equal(batch.count, 0);
}

/* -- events -- */

static void test_a_message_of_a_channel(void **state)
{
	const struct chan_in *in = one_event(EVENT("{\"type\":\"message\",\"channel\":\"C0GENERAL\",\"channel_type\":\"channel\",\"user\":"
						   "\"U0ADA0001\",\"text\":\"hi <@U0BOT0001>, ask <@U0BOB0001|bob> &amp; co\","
						   "\"ts\":\"1700000000.123400\",\"event_ts\":\"1700000000.123400\"}"));

	assert_int_equal(in->kind, CHAN_IN_MESSAGE);
	assert_string_equal(in->event_id, "m:C0GENERAL:1700000000.123400");
	assert_int_equal(in->peer.kind, CHAN_CHANNEL);
	assert_string_equal(in->peer.id, "C0GENERAL");
	assert_string_equal(in->peer.name, "general");
	assert_string_equal(in->peer.team, "T0TEAM001");
	assert_null(in->peer.thread);
	assert_string_equal(in->sender.id, "U0ADA0001");
	assert_string_equal(in->sender.name, "Ada");
	assert_string_equal(in->text, "hi @chela, ask @bob & co");
	assert_int_equal(in->at_ms, 1700000000123);
	assert_true(in->is_mentioned);
	assert_true(in->mentions_others);
	assert_true(in->can_mention);
	assert_false(in->sender.is_bot);
}

static void test_a_mention_comes_twice_with_one_id(void **state)
{
	char id[128];

	snprintf(id, sizeof(id), "%s", one_event(EVENT("{\"type\":\"message\",\"channel\":\"C0GENERAL\",\"channel_type\":\"channel\",\"user\":"
						       "\"U0ADA0001\",\"text\":\"<@U0BOT0001> x\",\"ts\":\"1.000100\"}"))->event_id);
	const struct chan_in *in = one_event(EVENT("{\"type\":\"app_mention\",\"channel\":\"C0GENERAL\",\"user\":\"U0ADA0001\","
						   "\"text\":\"<@U0BOT0001> x\",\"ts\":\"1.000100\"}"));

	assert_string_equal(in->event_id, id);
	assert_true(in->is_mentioned);
	assert_int_equal(in->peer.kind, CHAN_CHANNEL);
}

static void test_a_dm_is_known_by_its_person(void **state)
{
	const struct chan_in *in = one_event(EVENT("{\"type\":\"message\",\"channel\":\"D0ADA0001\",\"channel_type\":\"im\",\"user\":\"U0ADA0001\","
						   "\"text\":\"hello\",\"ts\":\"1.000100\"}"));

	assert_int_equal(in->peer.kind, CHAN_DIRECT);
	assert_string_equal(in->peer.id, "U0ADA0001");
	in = one_event(EVENT("{\"type\":\"message\",\"channel\":\"G0MPIM001\",\"channel_type\":\"mpim\",\"user\":\"U0ADA0001\",\"text\":\"x\","
			     "\"ts\":\"1.000100\"}"));
	assert_int_equal(in->peer.kind, CHAN_GROUP);
	assert_string_equal(in->peer.id, "G0MPIM001");
}

static void test_threads(void **state)
{
#define IN_THREAD(ts, more) EVENT("{\"type\":\"message\",\"channel\":\"C0GENERAL\",\"channel_type\":\"channel\",\"user\":\"U0ADA0001\"," \
				  "\"text\":\"x\",\"ts\":\"" ts "\"" more "}")
	const struct chan_in *in = one_event(IN_THREAD("2.000100", ",\"thread_ts\":\"1.000100\",\"parent_user_id\":\"U0BOT0001\""));

	assert_string_equal(in->peer.thread, "1.000100");
	assert_true(in->quote->is_ours);
	assert_string_equal(in->quote->message_id, "1.000100");
	assert_null(in->quote->text); /* we know what we said */
	in = one_event(IN_THREAD("2.000100", ",\"thread_ts\":\"1.000100\",\"parent_user_id\":\"U0BOB0001\""));
	assert_null(in->quote->text);
	in = one_event(EVENT("{\"type\":\"app_mention\",\"channel\":\"C0GENERAL\",\"user\":\"U0ADA0001\",\"text\":\"<@U0BOT0001> x\","
			     "\"ts\":\"2.000100\",\"thread_ts\":\"1.000100\",\"parent_user_id\":\"U0BOB0001\"}"));
	assert_string_equal(in->quote->text, "how it & began");
	in = one_event(IN_THREAD("2.000100", ",\"thread_ts\":\"1.000100\",\"subtype\":\"thread_broadcast\""));
	assert_string_equal(in->peer.thread, "1.000100");
	assert_null(one_event(IN_THREAD("1.000100", ",\"thread_ts\":\"1.000100\""))->peer.thread); /* the root of one */
	/* What is said to us opens a thread where replies do. */
	roots_open_threads = true;
	assert_null(one_event(IN_THREAD("1.000100", ""))->peer.thread);
	in = one_event(EVENT("{\"type\":\"app_mention\",\"channel\":\"C0GENERAL\",\"user\":\"U0ADA0001\",\"text\":\"<@U0BOT0001> x\","
			     "\"ts\":\"1.000100\"}"));
	assert_string_equal(in->peer.thread, "1.000100");
	/* … and where we need not be addressed, everything does. */
	in = one_event(EVENT("{\"type\":\"message\",\"channel\":\"C0ALLHEAR\",\"channel_type\":\"channel\",\"user\":\"U0ADA0001\",\"text\":\"x\","
			     "\"ts\":\"1.000100\"}"));
	assert_string_equal(in->peer.thread, "1.000100");
}

static void test_our_own_doings_are_nothing(void **state)
{
	no_event(EVENT("{\"type\":\"message\",\"channel\":\"C0GENERAL\",\"channel_type\":\"channel\",\"user\":\"U0BOT0001\",\"bot_id\":"
		       "\"B0BOT0001\",\"text\":\"x\",\"ts\":\"1.000100\"}"));
	no_event(EVENT("{\"type\":\"message\",\"subtype\":\"bot_message\",\"channel\":\"C0GENERAL\",\"channel_type\":\"channel\",\"bot_id\":"
		       "\"B0BOT0001\",\"text\":\"x\",\"ts\":\"1.000100\"}"));
	no_event(EVENT("{\"type\":\"reaction_added\",\"user\":\"U0BOT0001\",\"reaction\":\"eyes\",\"item\":{\"type\":\"message\",\"channel\":"
		       "\"C0GENERAL\",\"ts\":\"1.000100\"}}"));
	no_event(EVENT("{\"type\":\"message\",\"subtype\":\"channel_join\",\"channel\":\"C0GENERAL\",\"user\":\"U0ADA0001\",\"text\":\"x\","
		       "\"ts\":\"1.000100\"}"));
	no_event(EVENT("{\"type\":\"member_joined_channel\",\"user\":\"U0ADA0001\",\"channel\":\"C0GENERAL\"}"));
	no_event(EVENT("{\"type\":\"team_icon_changed\"}"));
}

static void test_bots_are_bots(void **state)
{
	const struct chan_in *in = one_event(EVENT("{\"type\":\"message\",\"subtype\":\"bot_message\",\"channel\":\"C0GENERAL\",\"channel_type\":"
						   "\"channel\",\"bot_id\":\"B0OTHER01\",\"username\":\"ci\",\"text\":\"\",\"ts\":\"1.000100\","
						   "\"blocks\":[{\"type\":\"section\",\"text\":{\"type\":\"mrkdwn\",\"text\":\"*red*\"}}]}"));

	assert_true(in->sender.is_bot);
	assert_string_equal(in->sender.id, "B0OTHER01");
	assert_string_equal(in->sender.name, "ci");
	assert_string_equal(in->text, "*red*");
	in = one_event(EVENT("{\"type\":\"message\",\"channel\":\"C0GENERAL\",\"channel_type\":\"channel\",\"user\":\"U0OTHER01\",\"bot_id\":"
			     "\"B0OTHER01\",\"text\":\"x\",\"ts\":\"1.000100\"}"));
	assert_true(in->sender.is_bot);
	assert_string_equal(in->sender.id, "U0OTHER01");
}

static void test_edits_and_deletions(void **state)
{
#define CHANGED(now, before, more) \
	EVENT("{\"type\":\"message\",\"subtype\":\"message_changed\",\"hidden\":true,\"channel\":\"D0ADA0001\",\"channel_type\":\"im\",\"ts\":" \
	      "\"3.000100\",\"event_ts\":\"3.000100\",\"message\":{\"type\":\"message\",\"user\":\"U0ADA0001\",\"text\":\"" now \
	      "\",\"ts\":\"1.000100\"" more "},\"previous_message\":{\"user\":\"U0ADA0001\",\"text\":\"" before "\",\"ts\":\"1.000100\"}}")
	const struct chan_in *in = one_event(CHANGED("new", "old", ",\"edited\":{\"user\":\"U0ADA0001\",\"ts\":\"2.000000\"}"));

	assert_int_equal(in->kind, CHAN_IN_EDIT);
	assert_string_equal(in->event_id, "e:D0ADA0001:1.000100:2.000000");
	assert_string_equal(in->message_id, "1.000100");
	assert_string_equal(in->text, "new");
	assert_string_equal(in->peer.id, "U0ADA0001");
	no_event(CHANGED("a link", "a link", ",\"edited\":{\"user\":\"U0ADA0001\",\"ts\":\"2.000000\"}")); /* it unfolded */
	no_event(CHANGED("a", "b", ""));
	in = one_event(EVENT("{\"type\":\"message\",\"subtype\":\"message_deleted\",\"channel\":\"C0GENERAL\",\"channel_type\":\"channel\","
			     "\"ts\":\"3.000100\",\"deleted_ts\":\"1.000100\",\"previous_message\":{\"user\":\"U0ADA0001\",\"text\":\"x\","
			     "\"ts\":\"1.000100\",\"thread_ts\":\"0.000100\"}}"));
	assert_int_equal(in->kind, CHAN_IN_DELETE);
	assert_string_equal(in->message_id, "1.000100");
	assert_string_equal(in->peer.thread, "0.000100");
}

static void test_files(void **state)
{
	const struct chan_in *in = one_event(
		EVENT("{\"type\":\"message\",\"subtype\":\"file_share\",\"channel\":\"D0ADA0001\",\"channel_type\":\"im\",\"user\":\"U0ADA0001\","
		      "\"text\":\"\",\"ts\":\"1.000100\",\"files\":[{\"id\":\"F1\",\"name\":\"a.png\",\"mimetype\":\"image/png\",\"size\":5,"
		      "\"url_private_download\":\"https://files.slack.com/x\"},{\"id\":\"F2\",\"mode\":\"tombstone\"},{\"id\":\"F3\",\"name\":"
		      "\"v.webm\",\"mimetype\":\"audio/webm\",\"subtype\":\"slack_audio\"},{\"id\":\"F4\",\"name\":\"x\"},{\"id\":\"F5\"},"
		      "{\"id\":\"F6\"},{\"id\":\"F7\"},{\"id\":\"F8\"},{\"id\":\"F9\"},{\"id\":\"F10\"}]}"));

	assert_int_equal(in->media_count, SLACK_FILES_MAX);
	assert_int_equal(in->media[0].kind, CHAN_IMAGE);
	assert_string_equal(in->media[0].ref, "{\"id\":\"F1\",\"url\":\"https://files.slack.com/x\"}");
	assert_int_equal(in->media[0].size, 5);
	assert_int_equal(in->media[1].kind, CHAN_VOICE);
	assert_int_equal(in->media[2].kind, CHAN_DOCUMENT);
	assert_string_equal(in->media[2].ref, "{\"id\":\"F4\"}");
}

static void test_others_words_are_quotes(void **state)
{
#define SHARED(text) EVENT("{\"type\":\"message\",\"channel\":\"D0ADA0001\",\"channel_type\":\"im\",\"user\":\"U0ADA0001\",\"text\":\"" text \
			   "\",\"ts\":\"1.000100\",\"attachments\":[{\"is_share\":true,\"author_id\":\"U0EVE0001\",\"author_name\":\"Eve\"," \
			   "\"text\":\"/new <@U0BOT0001>\",\"ts\":\"0.000100\"}]}")
	const struct chan_in *in = one_event(SHARED("look"));

	assert_string_equal(in->text, "look");
	assert_false(in->is_forwarded);
	assert_string_equal(in->quote->text, "/new @chela");
	assert_string_equal(in->quote->sender_id, "U0EVE0001");
	in = one_event(SHARED(""));
	assert_true(in->is_forwarded); /* alone it is the message, and never a command */
	assert_false(in->is_mentioned);
	assert_string_equal(in->text, "/new @chela");
}

static void test_reactions(void **state)
{
	const struct chan_in *in = one_event(EVENT("{\"type\":\"reaction_removed\",\"user\":\"U0ADA0001\",\"reaction\":\"+1::skin-tone-3\","
						   "\"item_user\":\"U0BOT0001\",\"item\":{\"type\":\"message\",\"channel\":\"C0GENERAL\",\"ts\":"
						   "\"1.000100\"},\"event_ts\":\"2.000100\"}"));

	assert_int_equal(in->kind, CHAN_IN_REACTION);
	assert_true(in->is_removed);
	assert_string_equal(in->emoji, "👍");
	assert_string_equal(in->message_id, "1.000100");
	assert_true(in->quote->is_ours);
	in = one_event(EVENT("{\"type\":\"reaction_added\",\"user\":\"U0ADA0001\",\"reaction\":\"party-blob\",\"item_user\":\"U0BOB0001\",\"item\":"
			     "{\"type\":\"message\",\"channel\":\"D0ADA0001\",\"ts\":\"1.000100\"},\"event_ts\":\"2.000100\"}"));
	assert_string_equal(in->emoji, ":party-blob:");
	assert_null(in->quote);
	assert_int_equal(in->peer.kind, CHAN_DIRECT);
}

static void test_coming_and_going(void **state)
{
	const struct chan_in *in = one_event(EVENT("{\"type\":\"member_joined_channel\",\"user\":\"U0BOT0001\",\"channel\":\"C0GENERAL\",\"inviter\":"
						   "\"U0ADA0001\",\"event_ts\":\"2.000100\"}"));

	assert_int_equal(in->kind, CHAN_IN_JOIN);
	assert_string_equal(in->sender.id, "U0ADA0001");
	in = one_event(EVENT("{\"type\":\"member_left_channel\",\"user\":\"U0BOT0001\",\"channel\":\"C0GENERAL\",\"event_ts\":\"2.000100\"}"));
	assert_int_equal(in->kind, CHAN_IN_LEAVE);
	in = one_event(EVENT("{\"type\":\"channel_id_changed\",\"old_channel_id\":\"G012345\",\"new_channel_id\":\"C012345\"}"));
	assert_int_equal(in->kind, CHAN_IN_MIGRATE);
	assert_string_equal(in->data, "C012345");
	in = one_event(EVENT("{\"type\":\"agent_session_stopped\",\"channel\":\"D0ADA0001\",\"user\":\"U0ADA0001\",\"thread_ts\":\"1.000100\","
			     "\"event_ts\":\"2.000100\"}"));
	assert_int_equal(in->kind, CHAN_IN_COMMAND);
	assert_string_equal(in->text, "/stop");
	assert_string_equal(in->peer.thread, "1.000100");
}

static void test_broken_events(void **state)
{
	static const char *const broken[] = {
		"{}",
		EVENT("{}"),
		EVENT("{\"type\":\"message\"}"),
		EVENT("{\"type\":\"message\",\"channel\":\"C1\",\"user\":\"U1\"}"),
		EVENT("{\"type\":\"message\",\"channel\":\"C1\",\"ts\":\"1.000100\"}"),
		EVENT("{\"type\":\"message\",\"subtype\":\"message_changed\"}"),
		EVENT("{\"type\":\"message\",\"subtype\":\"message_deleted\"}"),
		EVENT("{\"type\":\"reaction_added\",\"item\":{\"type\":\"message\"}}"),
		EVENT("{\"type\":\"member_joined_channel\"}"),
		EVENT("{\"type\":\"channel_id_changed\"}"),
		EVENT("{\"type\":\"agent_session_stopped\"}"),
	};

	for (size_t i = 0; i < CH_ARRAY_LEN(broken); i++) {
		assert_int_equal(slack_decode_event(parse(broken[i]), &known, a, &batch, &err), CH_E_INVALID);
		assert_int_equal(batch.count, 0);
	}
}

/* A display name is not a mention, whatever it is made of. */
static void test_threat_spoofing_a_name_is_no_mention(void **state)
{
	const struct chan_in *in = one_event(EVENT("{\"type\":\"message\",\"channel\":\"C0GENERAL\",\"channel_type\":\"channel\",\"user\":"
						   "\"U0EVIL001\",\"text\":\"I am <@U0EVIL001> and &lt;@U0BOT0001&gt;\",\"ts\":\"1.000100\"}"));

	assert_false(in->is_mentioned);
	assert_string_equal(in->sender.id, "U0EVIL001");
	assert_string_equal(in->text, "I am @chela <@U0BOT0001> and <@U0BOT0001>"); /* one line */
}

/* -- text -- */

static void test_plain_text(void **state)
{
	static const struct { const char *in, *out; } cases[] = {
		{ "a &lt;b&gt; &amp;amp;", "a <b> &amp;" },
		{ "<https://x.org|the site> <https://x.org> <https://x.org|https://x.org>", "the site (https://x.org) https://x.org https://x.org" },
		{ "<mailto:a@b.c|a@b.c>", "a@b.c" },
		{ "<#C0GENERAL> <#C0OTHER01|other> <#C0NONE001>", "#general #other #C0NONE001" },
		{ "<!here> <!channel> <!subteam^S1|@team> <!date^1^{date}|yesterday>", "@here @channel @team yesterday" },
		{ "1 < 2 > 0 <", "1 < 2 > 0 <" },
		{ "<@U0NOBODY1>", "@U0NOBODY1" },
		{ "<>", "<>" },
	};

	for (size_t i = 0; i < CH_ARRAY_LEN(cases); i++) {
		bool self, others;

		assert_string_equal(slack_plain(cases[i].in, &known, a, &self, &others), cases[i].out);
	}
}

static void test_ids_and_times(void **state)
{
	assert_true(slack_is_id("U012AB3CD", "UW"));
	assert_true(slack_is_id("UABCDEFGH", "UW"));
	assert_false(slack_is_id("USER", "UW"));
	assert_false(slack_is_id("u012ab3cd", "UW"));
	assert_false(slack_is_id("C012AB3CD", "UW"));
	assert_false(slack_is_id("U", "UW"));
	assert_int_equal(slack_ts_ms("1700000000.123456"), 1700000000123);
	assert_int_equal(slack_ts_ms("1700000000"), 0);
	assert_int_equal(slack_ts_ms("F012345"), 0);
	assert_int_equal(slack_ts_ms("99999999999999999999.000"), 0);
	assert_int_equal(slack_ts_ms("1.0"), 0);
}

static void test_emoji_names(void **state)
{
	assert_string_equal(slack_emoji_name(a, "👀"), "eyes");
	assert_string_equal(slack_emoji_name(a, "❤️"), "heart");
	assert_string_equal(slack_emoji_name(a, "❤"), "heart");
	assert_string_equal(slack_emoji_name(a, ":party-blob:"), "party-blob");
	assert_string_equal(slack_emoji_name(a, "tada"), "tada");
	assert_null(slack_emoji_name(a, "🦕"));
	assert_null(slack_emoji_name(a, ""));
	assert_null(slack_emoji_name(a, "no name"));
	assert_string_equal(slack_emoji_text(a, "eyes"), "👀");
	assert_string_equal(slack_emoji_text(a, "eye"), ":eye:");
}

/* -- presses and commands -- */

#define ACTIONS(more) \
	"{\"type\":\"block_actions\",\"user\":{\"id\":\"U0ADA0001\",\"username\":\"ada\"},\"team\":{\"id\":\"T0TEAM001\"},\"container\":{" \
	"\"type\":\"message\",\"message_ts\":\"1.000100\",\"channel_id\":\"C0GENERAL\"},\"channel\":{\"id\":\"C0GENERAL\",\"name\":" \
	"\"general\"},\"response_url\":\"https://hooks.slack.com/actions/x\",\"actions\":[" more "]}"

static void test_presses(void **state)
{
	const struct chan_in *in = &batch.at[0];
	struct slack_handle handle;

	assert_int_equal(slack_decode_interaction(parse(ACTIONS("{\"type\":\"button\",\"action_id\":\"chela:0\",\"value\":\"yes:1\",\"action_ts\":"
								"\"2.000100\"},{\"type\":\"button\",\"action_id\":\"link\",\"url\":\"https://x\"},"
								"{\"type\":\"static_select\",\"action_id\":\"s\",\"selected_option\":{\"value\":\"two\"},"
								"\"action_ts\":\"2.000100\"}")), &known, a, &batch, &err), CH_OK);
	assert_int_equal(batch.count, 2);
	assert_int_equal(in->kind, CHAN_IN_PRESS);
	assert_string_equal(in->data, "yes:1");
	assert_string_equal(in->message_id, "1.000100");
	assert_string_equal(in->peer.id, "C0GENERAL");
	assert_string_equal(in->sender.id, "U0ADA0001");
	assert_string_equal(in->event_id, "p:C0GENERAL:1.000100:U0ADA0001:2.000100:chela:0");
	assert_true(slack_handle_read(a, in->handle, now_wall_ms(), &handle));
	assert_false(handle.is_command);
	assert_string_equal(handle.url, "https://hooks.slack.com/actions/x");
	assert_true(slack_handle_read(a, in->handle, now_wall_ms() + 31 * 60000, &handle));
	assert_null(handle.url);
	assert_string_equal(handle.user_id, "U0ADA0001");
	assert_false(slack_handle_read(a, "x1 y", now_wall_ms(), &handle));
	assert_false(slack_handle_read(a, "cnone", now_wall_ms(), &handle));
	assert_false(slack_handle_read(a, NULL, now_wall_ms(), &handle));
	assert_string_equal(batch.at[1].data, "two");
	assert_int_equal(slack_decode_interaction(parse("{\"type\":\"block_actions\"}"), &known, a, &batch, &err), CH_E_INVALID);
	assert_int_equal(slack_decode_interaction(parse("{}"), &known, a, &batch, &err), CH_E_INVALID);
}

static void test_views(void **state)
{
	assert_int_equal(slack_decode_interaction(parse("{\"type\":\"view_submission\",\"user\":{\"id\":\"U0ADA0001\"},\"team\":{\"id\":\"T1\"},"
							"\"trigger_id\":\"9\",\"view\":{\"id\":\"V1\",\"callback_id\":\"form\",\"private_metadata\":"
							"\"meta\"}}"), &known, a, &batch, &err), CH_OK);
	assert_int_equal(batch.count, 1);
	assert_string_equal(batch.at[0].data, "meta");
	assert_int_equal(batch.at[0].peer.kind, CHAN_DIRECT);
	assert_string_equal(batch.at[0].peer.id, "U0ADA0001");
}

static const struct chan_in *command(const char *name, const char *text)
{
	char json[512];

	snprintf(json, sizeof(json), "{\"command\":\"%s\",\"text\":\"%s\",\"user_id\":\"U0ADA0001\",\"user_name\":\"ada\",\"channel_id\":"
		 "\"D0ADA0001\",\"channel_name\":\"directmessage\",\"trigger_id\":\"7.x\",\"team_id\":\"T1\",\"response_url\":\"https://h\"}",
		 name, text);
	if (slack_decode_command(parse(json), &known, a, &batch, &err))
		fail_msg("%s", err.text);
	return batch.count ? &batch.at[0] : NULL;
}

static void test_slash_commands(void **state)
{
	const struct chan_in *in;

	assert_null(command("/chela", "/new"));
	assert_true(strstr(batch.ack_text, "slashCommand.enabled") != NULL);
	known.command_name = "chela";
	in = command("/chela", " /new opus ");
	assert_int_equal(in->kind, CHAN_IN_COMMAND);
	assert_string_equal(in->text, "/new opus");
	assert_string_equal(in->event_id, "c:7.x");
	assert_string_equal(in->peer.id, "U0ADA0001");
	assert_string_equal(command("/chela", "")->text, "/help");
	in = command("/chela", "what is new?");
	assert_int_equal(in->kind, CHAN_IN_MESSAGE);
	assert_true(in->is_mentioned);
	assert_null(command("/status", ""));
	known.has_native_commands = true;
	assert_string_equal(command("/agentstatus", "")->text, "/status");
	assert_string_equal(command("/think", "high")->text, "/think high");
	assert_int_equal(slack_decode_command(parse("{\"command\":\"/x\"}"), &known, a, &batch, &err), CH_E_INVALID);
}

/* Whoever names a channel cannot make it a DM: only Slack's word for the id counts, and without that what its kind would be. */
static void test_threat_spoofing_a_channel_named_like_a_dm(void **state)
{
	static const struct { const char *id, *name; enum chan_peer_kind kind; } cases[] = {
		{ "C0GENERAL", "mpdm-ada--bob-1", CHAN_CHANNEL }, { "C0GENERAL", "directmessage", CHAN_CHANNEL },
		{ "C0GENERAL", "privategroup", CHAN_CHANNEL },    { "G0MPIM001", "mpdm-ada--bob-1", CHAN_GROUP },
		{ "C0UNKNOWN", "mpdm-ada--bob-1", CHAN_GROUP },   { "D0ADA0001", "directmessage", CHAN_DIRECT },
	};

	known.command_name = "chela";
	for (size_t i = 0; i < CH_ARRAY_LEN(cases); i++) {
		const char *text = arena_printf(a, "{\"command\":\"/chela\",\"text\":\"hi\",\"user_id\":\"U0ADA0001\",\"channel_id\":\"%s\","
						"\"channel_name\":\"%s\",\"trigger_id\":\"7.x\"}", cases[i].id, cases[i].name);

		assert_int_equal(slack_decode_command(parse(text), &known, a, &batch, &err), CH_OK);
		assert_int_equal(batch.at[0].peer.kind, cases[i].kind);
	}
}

/* -- blocks -- */

static const struct json *blocks(const char *text, const struct chan_button *buttons, size_t count)
{
	CH_AUTO_BUF struct buf out = { .max_bytes = 1 << 20 };

	slack_blocks_write(&out, text, buttons, count);
	assert_int_equal(out.failed, CH_OK);
	return parse(arena_strdup(a, buf_str(&out)));
}

static void test_blocks(void **state)
{
	static const struct chan_button buttons[] = {
		{ .text = "Yes", .data = "y", .style = CHAN_BUTTON_PRIMARY },
		{ .text = "No", .data = "n", .style = CHAN_BUTTON_DANGER, .ends_row = true },
		{ .text = "More", .url = "https://x.org" },
	};
	const struct json *v = blocks("*Run* it?", buttons, 3);

	assert_int_equal(json_len(v), 3);
	assert_string_equal(json_str(json_path(v, "0.text.text")), "*Run* it?");
	assert_int_equal(json_len(json_path(v, "1.elements")), 2);
	assert_string_equal(json_str(json_path(v, "1.elements.1.value")), "n");
	assert_string_equal(json_str(json_path(v, "1.elements.1.style")), "danger");
	assert_string_equal(json_str(json_path(v, "1.elements.1.action_id")), "chela:1");
	assert_string_equal(json_str(json_path(v, "2.elements.0.url")), "https://x.org");
	assert_null(json_path(v, "2.elements.0.value"));
	assert_int_equal(json_len(blocks(NULL, buttons, 1)), 1);
}

/* A long text becomes several sections, each within Slack's limit; a fence is closed and opened again. */
static void test_long_blocks(void **state)
{
	CH_AUTO_BUF struct buf text = { .max_bytes = 1 << 20 };
	const struct json *v;

	buf_puts(&text, "```\n");
	for (int i = 0; i < 400; i++)
		buf_printf(&text, "line %d is a line of code\n", i);
	buf_puts(&text, "```");
	v = blocks(buf_str(&text), NULL, 0);
	assert_true(json_len(v) > 3);
	json_each(b, v) {
		const char *t = json_str(json_path(b, "text.text"));

		assert_true(strlen(t) <= 3000);
		assert_true(str_starts(t, "```"));
		assert_true(str_ends(t, "```"));
	}
}

/* -- signatures -- */

static void test_signatures(void **state)
{
	/* The example of Slack's own documentation. */
	static const char secret[] = "8f742231b10e8888abcd99yyyzzz85a5", at[] = "1531420618";
	static const char body[] = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&channel_name="
				   "foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks."
				   "slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121."
				   "803a0bc887a14d10d2c447fce8b6703c";
	static const char signature[] = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503";
	const int64_t now_ms = 1531420618000;
	char forged[sizeof(signature)];

	assert_true(slack_signature_ok(secret, at, signature, body, sizeof(body) - 1, now_ms));
	assert_true(slack_signature_ok(secret, at, signature, body, sizeof(body) - 1, now_ms + 299000));
	memcpy(forged, signature, sizeof(forged));
	forged[sizeof(forged) - 2] ^= 1;
	assert_false(slack_signature_ok(secret, at, forged, body, sizeof(body) - 1, now_ms));
	assert_false(slack_signature_ok(secret, at, signature, body, sizeof(body) - 2, now_ms));
	assert_false(slack_signature_ok("another", at, signature, body, sizeof(body) - 1, now_ms));
	assert_false(slack_signature_ok("", at, signature, body, sizeof(body) - 1, now_ms));
	assert_false(slack_signature_ok(secret, NULL, signature, body, sizeof(body) - 1, now_ms));
	assert_false(slack_signature_ok(secret, at, NULL, body, sizeof(body) - 1, now_ms));
	assert_false(slack_signature_ok(secret, "1531420618x", signature, body, sizeof(body) - 1, now_ms));
}

static void test_threat_replay_an_old_signature_is_refused(void **state)
{
	static const char signature[] = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503";

	assert_false(slack_signature_ok("8f742231b10e8888abcd99yyyzzz85a5", "1531420618", signature, "x", 1, 1531420618000 + 301000));
	assert_false(slack_signature_ok("8f742231b10e8888abcd99yyyzzz85a5", "1531420618", signature, "x", 1, 1531420618000 - 301000));
	assert_false(slack_signature_ok("8f742231b10e8888abcd99yyyzzz85a5", "99999999999999999999", signature, "x", 1, 1531420618000));
}

static void test_errors_say_what_to_do(void **state)
{
	assert_int_equal(slack_error_find("token_revoked")->status, CH_E_UNPAIRED);
	assert_int_equal(slack_error_find("ratelimited")->outcome, CHAN_NOT_SENT);
	assert_int_equal(slack_error_find("internal_error")->outcome, CHAN_UNSURE);
	assert_int_equal(slack_error_find("not_in_channel")->outcome, CHAN_REFUSED);
	assert_int_equal(slack_error_find("a word of next year")->outcome, CHAN_REFUSED);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(test_a_message_of_a_channel), T(test_a_mention_comes_twice_with_one_id), T(test_a_dm_is_known_by_its_person), T(test_threads),
		T(test_our_own_doings_are_nothing), T(test_bots_are_bots), T(test_edits_and_deletions), T(test_files),
		T(test_others_words_are_quotes), T(test_reactions), T(test_coming_and_going), T(test_broken_events),
		T(test_threat_spoofing_a_name_is_no_mention), T(test_plain_text), T(test_ids_and_times), T(test_emoji_names),
		T(test_presses), T(test_views), T(test_slash_commands),
		T(test_threat_spoofing_a_channel_named_like_a_dm), T(test_blocks), T(test_long_blocks), T(test_signatures),
		T(test_threat_replay_an_old_signature_is_refused), T(test_errors_say_what_to_do),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
