/*
 * channels/slack_emoji.c - names of emoji: reactions of Slack are names, people and models write emoji.
 *
 * The common ones, as one text without pointers; others go by their names (":tada:"). An emoji that is not listed has no name
 * here, and the caller says so.
 */
#include "channels/slack.h"

#include <string.h>

#include "core/str.h"

#define NAME_MAX_BYTES 100

static const char names[] =
	"eyes 👀\n"
	"+1 👍\n"
	"-1 👎\n"
	"heart ❤️\n"
	"white_check_mark ✅\n"
	"x ❌\n"
	"hourglass_flowing_sand ⏳\n"
	"hourglass ⌛\n"
	"thinking_face 🤔\n"
	"tada 🎉\n"
	"rocket 🚀\n"
	"fire 🔥\n"
	"wave 👋\n"
	"pray 🙏\n"
	"clap 👏\n"
	"ok_hand 👌\n"
	"raised_hands 🙌\n"
	"muscle 💪\n"
	"100 💯\n"
	"warning ⚠️\n"
	"question ❓\n"
	"exclamation ❗\n"
	"bulb 💡\n"
	"memo 📝\n"
	"mag 🔍\n"
	"wrench 🔧\n"
	"hammer_and_wrench 🛠️\n"
	"gear ⚙️\n"
	"robot_face 🤖\n"
	"brain 🧠\n"
	"lobster 🦞\n"
	"crab 🦀\n"
	"zap ⚡\n"
	"sparkles ✨\n"
	"star ⭐\n"
	"star2 🌟\n"
	"smile 😄\n"
	"grinning 😀\n"
	"joy 😂\n"
	"slightly_smiling_face 🙂\n"
	"wink 😉\n"
	"sob 😭\n"
	"cry 😢\n"
	"scream 😱\n"
	"sunglasses 😎\n"
	"heart_eyes 😍\n"
	"partying_face 🥳\n"
	"rage 😡\n"
	"neutral_face 😐\n"
	"shrug 🤷\n"
	"facepalm 🤦\n"
	"raising_hand 🙋\n"
	"see_no_evil 🙈\n"
	"saluting_face 🫡\n"
	"handshake 🤝\n"
	"broken_heart 💔\n"
	"coffee ☕\n"
	"beer 🍺\n"
	"cake 🍰\n"
	"bug 🐛\n"
	"lock 🔒\n"
	"unlock 🔓\n"
	"key 🔑\n"
	"bell 🔔\n"
	"no_entry ⛔\n"
	"no_entry_sign 🚫\n"
	"octagonal_sign 🛑\n"
	"infinity ♾️\n"
	"arrows_counterclockwise 🔄\n"
	"repeat 🔁\n"
	"arrow_right ➡️\n"
	"arrow_left ⬅️\n"
	"arrow_up ⬆️\n"
	"arrow_down ⬇️\n"
	"heavy_check_mark ✔️\n"
	"ballot_box_with_check ☑️\n"
	"heavy_plus_sign ➕\n"
	"heavy_minus_sign ➖\n"
	"large_green_circle 🟢\n"
	"large_yellow_circle 🟡\n"
	"red_circle 🔴\n"
	"large_blue_circle 🔵\n"
	"black_circle ⚫\n"
	"white_circle ⚪\n"
	"package 📦\n"
	"link 🔗\n"
	"pushpin 📌\n"
	"paperclip 📎\n"
	"calendar 📅\n"
	"clock1 🕐\n"
	"chart_with_upwards_trend 📈\n"
	"chart_with_downwards_trend 📉\n"
	"computer 💻\n"
	"email 📧\n"
	"speech_balloon 💬\n"
	"thought_balloon 💭\n"
	"mega 📣\n"
	"skull 💀\n"
	"ghost 👻\n"
	"hankey 💩\n"
	"sun_with_face 🌞\n"
	"rainbow 🌈\n"
	"snowflake ❄️\n"
	"earth_africa 🌍\n"
	"one 1️⃣\n"
	"two 2️⃣\n"
	"three 3️⃣\n"
	"four 4️⃣\n"
	"five 5️⃣\n"
	"zzz 💤\n"
	"writing_hand ✍️\n"
	"point_up ☝️\n"
	"point_right 👉\n"
	"point_down 👇\n"
	"crossed_fingers 🤞\n"
	"v ✌️\n"
	"man_technologist 👨‍💻\n";

/* Colours of skin and the selector of coloured drawing are not part of a name. */
static size_t without_selector(const char *s, size_t n)
{
	return n >= 3 && !memcmp(s + n - 3, "\xef\xb8\x8f", 3) ? n - 3 : n;
}

static bool is_name(const char *s, size_t n)
{
	if (!n || n > NAME_MAX_BYTES)
		return false;
	for (size_t i = 0; i < n; i++) {
		const unsigned char c = (unsigned char)s[i];

		/* Custom emoji may have letters of any script. */
		if (c < 0x80 && !((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || strchr("_+-'", c)))
			return false;
	}
	return (unsigned char)s[0] < 0x80;
}

static const char *find_name(struct arena *a, const char *emoji, size_t n)
{
	for (const char *row = names; *row; row = strchr(row, '\n') + 1) {
		const char *space = strchr(row, ' ');
		const size_t len = (size_t)(strchr(row, '\n') - space - 1);

		if (without_selector(space + 1, len) == n && !memcmp(space + 1, emoji, n))
			return arena_strndup(a, row, (size_t)(space - row));
	}
	return NULL;
}

const char *slack_emoji_name(struct arena *a, const char *emoji)
{
	size_t n = emoji ? strlen(emoji) : 0;

	if (n > 2 && emoji[0] == ':' && emoji[n - 1] == ':')
		return is_name(emoji + 1, n - 2) ? arena_strndup(a, emoji + 1, n - 2) : NULL;
	if (is_name(emoji, n))
		return arena_strdup(a, emoji);
	return n ? find_name(a, emoji, without_selector(emoji, n)) : NULL;
}

const char *slack_emoji_text(struct arena *a, const char *name)
{
	/* "+1::skin-tone-3" */
	const char *tone = strstr(name, "::");
	const size_t n = tone ? (size_t)(tone - name) : strlen(name);

	for (const char *row = names; *row; row = strchr(row, '\n') + 1) {
		const char *space = strchr(row, ' ');

		if ((size_t)(space - row) == n && !memcmp(row, name, n))
			return arena_strndup(a, space + 1, (size_t)(strchr(space, '\n') - space - 1));
	}
	return arena_printf(a, ":%.*s:", (int)n, name);
}
