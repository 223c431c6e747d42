/* channels/discord_send, discord_alias, discord_api: bodies as Discord takes them, and its refusals as people read them. */
#include "channels/discord_send.h"

#include "discord_login.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define KEY "0123456789abcdef0123456789abcdef"

static const char *body(struct arena *a, const char *section, const struct chan_out *out, enum discord_body what)
{
	CH_AUTO(discord_unref) struct discord *d = discord_login(section);
	CH_AUTO_BUF struct buf text = { .max_bytes = 65536 };

	discord_write_body(&text, d, out, what);
	return arena_strdup(a, buf_str(&text));
}

static void test_message(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct chan_out out = { .text = "hi @everyone", .key = KEY, .reply_to = "1100000000000000001" };

	assert_string_equal(body(a, "", &out, DISCORD_BODY_NEW),
			    "{\"content\":\"hi @everyone\",\"allowed_mentions\":{\"parse\":[],\"replied_user\":true},"
			    "\"nonce\":\"0123456789abcdef012345678\",\"enforce_nonce\":true,"
			    "\"message_reference\":{\"message_id\":\"1100000000000000001\",\"fail_if_not_exists\":false},\"flags\":4}");
	out.is_silent = true;
	out.reply_to = "not an id";
	out.key = NULL;
	assert_string_equal(body(a, "suppressEmbeds:false", &out, DISCORD_BODY_NEW),
			    "{\"content\":\"hi @everyone\",\"allowed_mentions\":{\"parse\":[],\"replied_user\":true},\"flags\":4096}");
}

static void test_edit_takes_buttons_away(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct chan_out out = { .text = "done", .key = KEY };

	assert_string_equal(body(a, "", &out, DISCORD_BODY_EDIT), "{\"content\":\"done\",\"allowed_mentions\":{\"parse\":[],"
			    "\"replied_user\":true},\"flags\":4,\"components\":[]}");
}

static void test_follow_up_for_one_person(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct chan_out out = { .text = "x", .key = KEY };

	assert_non_null(strstr(body(a, "", &out, DISCORD_BODY_WHISPER), "\"flags\":68"));
	assert_non_null(strstr(body(a, "", &out, DISCORD_BODY_FOLLOW_UP), "\"flags\":4}"));
	assert_null(strstr(body(a, "", &out, DISCORD_BODY_WHISPER), "nonce"));
}

static size_t rows(const struct json *v)
{
	return json_len(json_get(v, "components"));
}

static void test_buttons_stand_in_rows(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct chan_button many[30];
	struct chan_out out = { .text = "x", .buttons = many, .button_count = 7 };
	struct json *v;
	const char *text;

	for (size_t i = 0; i < CH_ARRAY_LEN(many); i++)
		many[i] = (struct chan_button){ .text = "b", .data = arena_printf(a, "d%zu", i), .ends_row = i == 1 };
	many[0].style = CHAN_BUTTON_DANGER;
	many[2].url = "https://example.com/";
	text = body(a, "", &out, DISCORD_BODY_NEW);
	assert_int_equal(json_parse(a, text, strlen(text), JSON_STRICT, &v, NULL), CH_OK);
	assert_int_equal(rows(v), 2);
	assert_int_equal(json_len(json_path(v, "components.0.components")), 2);
	assert_int_equal(json_int_or(json_path(v, "components.0.components.0.style"), 0), 4);
	assert_string_equal(json_str(json_path(v, "components.0.components.1.custom_id")), "d1");
	assert_int_equal(json_len(json_path(v, "components.1.components")), 5);
	assert_string_equal(json_str(json_path(v, "components.1.components.0.url")), "https://example.com/");
	assert_null(json_path(v, "components.1.components.0.custom_id"));
	out.button_count = 30;
	text = body(a, "", &out, DISCORD_BODY_NEW);
	assert_int_equal(json_parse(a, text, strlen(text), JSON_STRICT, &v, NULL), CH_OK);
	assert_int_equal(rows(v), 5);
}

static void test_poll_and_files(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	static const char *const options[] = { "yes", "no" };
	const struct chan_poll poll = { .question = "Tea?", .options = options, .option_count = 2, .max_selections = 2, .duration_s = 5400 };
	const struct chan_media_out files[] = { { .name = "a.png", .mime = "image/png", .data = "x", .len = 1 } };
	struct chan_out out = { .poll = &poll, .media = files, .media_count = 1 };

	assert_string_equal(body(a, "", &out, DISCORD_BODY_NEW),
			    "{\"content\":\"\",\"allowed_mentions\":{\"parse\":[],\"replied_user\":true},\"flags\":4,"
			    "\"poll\":{\"question\":{\"text\":\"Tea?\"},\"answers\":[{\"poll_media\":{\"text\":\"yes\"}},"
			    "{\"poll_media\":{\"text\":\"no\"}}],\"duration\":2,\"allow_multiselect\":true},"
			    "\"attachments\":[{\"id\":0,\"filename\":\"a.png\"}]}");
}

static void test_aliases(void **state)
{
	static const struct { const char *text, *want; size_t users; } cases[] = {
		{ "ask @Lead, please", "ask <@" ADA ">, please", 1 },
		{ "ask @lead.", "ask <@" ADA ">.", 1 },
		{ "@Lead and @Lead", "<@" ADA "> and <@" ADA ">", 1 },
		{ "`@Lead` stays, @bob does not", "`@Lead` stays, <@" BOB "> does not", 1 },
		{ "```\n@Lead\n```", "```\n@Lead\n```", 0 },
		{ "a ` alone, @Lead", "a ` alone, <@" ADA ">", 1 },
		{ "mail@Lead @Leader @everyone @here @name", "mail@Lead @Leader @everyone @here @name", 0 },
		{ "", "", 0 },
		{ "@", "@", 0 },
	};

	for (size_t i = 0; i < CH_ARRAY_LEN(cases); i++) {
		CH_AUTO(discord_unref) struct discord *d = discord_login("mentionAliases:{Lead:'" ADA "',bob:'" BOB "',name:'not an id'}");
		CH_AUTO(arena_unref) struct arena *a = arena_new(0);
		struct discord_text t;

		discord_aliases(a, d->cfg, cases[i].text, &t);
		assert_string_equal(t.text, cases[i].want);
		assert_int_equal(t.user_count, cases[i].users);
	}
}

static const char *error_text(struct arena *a, const char *text)
{
	CH_AUTO_BUF struct buf out = { .max_bytes = 300 };
	struct json *v;

	assert_int_equal(json_parse(a, text, strlen(text), JSON_JSON5, &v, NULL), CH_OK);
	discord_error_text(v, &out);
	return arena_strdup(a, buf_str(&out));
}

static void test_error_texts(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);

	assert_string_equal(error_text(a, "{message:'Missing Access',code:50001}"),
			    "Missing Access (50001); give the bot's role View Channel there");
	assert_non_null(strstr(error_text(a, "{message:'Cannot send messages to this user',code:50007}"), "(50007); they must allow"));
	assert_string_equal(error_text(a, "{message:'Unknown Emoji',code:10014}"), "Unknown Emoji (10014)");
	assert_string_equal(error_text(a, "{message:'Invalid Form Body',code:50035,errors:{content:{_errors:[{code:'X',message:'Must be 2000 or"
			    " fewer in length.'}]},components:{'0':{label:{_errors:[{message:'Too long'}]}}}}}"),
			    "Invalid Form Body (50035): content: Must be 2000 or fewer in length.; components.0.label: Too long");
	assert_string_equal(error_text(a, "{}"), "");
	assert_string_equal(error_text(a, "[]"), "");
}

/* A tree as deep as a foreign server likes. */
static void test_threat_dos_deep_errors(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	CH_AUTO_BUF struct buf text = { .max_bytes = 65536 };

	buf_puts(&text, "{message:'x',errors:");
	for (int i = 0; i < 200; i++)
		buf_puts(&text, "{aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa:");
	buf_puts(&text, "1");
	for (int i = 0; i < 200; i++)
		buf_putc(&text, '}');
	buf_putc(&text, '}');
	assert_string_equal(error_text(a, buf_str(&text)), "x: ");
}

static void test_outcomes(void **state)
{
	static const struct { ch_status st; struct discord_rs rs; enum chan_outcome want; } cases[] = {
		{ CH_OK, { .status = 200 }, CHAN_SENT },
		{ CH_E_PEER, { .status = 0 }, CHAN_NOT_SENT },
		{ CH_E_PEER, { .status = 0, .may_have_acted = true }, CHAN_UNSURE },
		{ CH_E_TIMEOUT, { .status = 0, .may_have_acted = true }, CHAN_UNSURE },
		{ CH_E_PEER, { .status = 502, .may_have_acted = true }, CHAN_UNSURE },
		{ CH_E_BUSY, { .status = 429 }, CHAN_NOT_SENT },
		{ CH_E_DENIED, { .status = 401 }, CHAN_NOT_SENT },
		{ CH_E_DENIED, { .status = 403 }, CHAN_REFUSED },
		{ CH_E_NOT_FOUND, { .status = 404 }, CHAN_REFUSED },
		{ CH_E_INVALID, { .status = 400 }, CHAN_REFUSED },
	};

	for (size_t i = 0; i < CH_ARRAY_LEN(cases); i++)
		assert_int_equal(discord_outcome(cases[i].st, &cases[i].rs), cases[i].want);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_message),
		cmocka_unit_test(test_edit_takes_buttons_away),
		cmocka_unit_test(test_follow_up_for_one_person),
		cmocka_unit_test(test_buttons_stand_in_rows),
		cmocka_unit_test(test_poll_and_files),
		cmocka_unit_test(test_aliases),
		cmocka_unit_test(test_error_texts),
		cmocka_unit_test(test_threat_dos_deep_errors),
		cmocka_unit_test(test_outcomes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
