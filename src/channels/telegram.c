/*
 * channels/telegram.c - Telegram: the row, its keys, ids and targets, and the run of an account.
 *
 * A run asks who we are (getMe), takes a webhook away or sets one, and then polls or waits. A token that Telegram does not know ends
 * it for a person to look at; what may pass ends it for the core to try again.
 */
#include "channels/telegram.h"

#include "core/clock.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/str.h"
#include "config/config.h"

/* -- ids and places -- */

static const char *without_prefix(const char *text)
{
	static const char *const prefixes[] = { "telegram:", "tg:" };

	for (size_t i = 0; i < CH_ARRAY_LEN(prefixes); i++)
		if (strncasecmp(text, prefixes[i], strlen(prefixes[i])) == 0)
			return text + strlen(prefixes[i]);
	return text;
}

static bool is_number(const char *s)
{
	size_t n = strspn(s, "0123456789");

	return n > 0 && n < 20 && !s[n] && s[0] != '0';
}

static const char *telegram_id_parse(struct arena *a, enum chan_id_use use, const char *text, const char **ret_why)
{
	const char *id = without_prefix(str_trim(a, text));

	if (use == CHAN_ID_SENDER && is_number(id))
		return arena_strdup(a, id);
	if (use == CHAN_ID_GROUP && id[0] == '-' && is_number(id + 1))
		return arena_strdup(a, id);
	if (use == CHAN_ID_SENDER && id[0] == '-' && is_number(id + 1))
		*ret_why = "that is the id of a group: groups stand under `groups`, here are the numeric ids of people";
	else if (use == CHAN_ID_SENDER)
		*ret_why = "a numeric user id is needed (123456789): user names can be given to somebody else";
	else if (is_number(id))
		*ret_why = "that is the id of a person: a group's begins with a minus (-1001234567890)";
	else
		*ret_why = "a numeric chat id is needed (-1001234567890)";
	return NULL;
}

/* "@name" of a public channel or group; Telegram's own rule for names. */
static bool is_public_name(const char *s)
{
	size_t n = 1;

	if (s[0] != '@')
		return false;
	for (; s[n]; n++)
		if (!((s[n] >= 'a' && s[n] <= 'z') || (s[n] >= 'A' && s[n] <= 'Z') || (s[n] >= '0' && s[n] <= '9') || s[n] == '_'))
			return false;
	return n >= 5 && n <= 33;
}

static ch_status telegram_target_parse(struct arena *a, const char *text, struct chan_peer *ret, struct ch_err *err)
{
	static const char *const kinds[] = { "group:", "user:", "channel:", "chat:" };
	char *s = arena_strdup(a, without_prefix(str_trim(a, text)));
	char *topic;

	for (size_t i = 0; i < CH_ARRAY_LEN(kinds); i++)
		if (str_starts(s, kinds[i])) {
			s += strlen(kinds[i]);
			break;
		}
	*ret = (struct chan_peer){ .kind = CHAN_GROUP };
	topic = strchr(s, ':');
	if (topic) {
		*topic++ = '\0';
		ret->thread = str_starts(topic, "topic:") ? topic + strlen("topic:") : topic;
		if (!is_number(ret->thread))
			return ch_fail(err, CH_E_INVALID, "a Telegram topic is a number: -1001234567890:topic:42");
	}
	ret->id = s;
	if (is_number(s))
		ret->kind = CHAN_DIRECT;
	else if (is_public_name(s))
		ret->kind = CHAN_CHANNEL;
	else if (s[0] != '-' || !is_number(s + 1))
		return ch_fail(err, CH_E_INVALID,
			       "%s is no place in Telegram: a user's id, a chat id (-1001234567890[:topic:42]) or @channel is",
			       log_quote(text));
	return CH_OK;
}

/* -- keys -- */

/* A whole address of the Bot API where its root is meant: every request would be answered "Not Found". */
static bool names_token(const char *root)
{
	const char *bot = root ? strstr(root, "/bot") : NULL;

	return bot && bot[4] >= '0' && bot[4] <= '9';
}

static ch_status telegram_check(const struct chan_cfg *cfg, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);

	if (str_empty(chan_cfg_str(cfg, "tokenFile")) && !chan_cfg_has_secret(cfg, "botToken", TG_TOKEN_ENV))
		return ch_fail(err, CH_E_NOT_FOUND, "%s is not set: @BotFather gives the token of a bot",
			       chan_cfg_path(cfg, "botToken", a));
	if (names_token(chan_cfg_str(cfg, "apiRoot")))
		return ch_fail(err, CH_E_INVALID, "%s holds more than the root: what stands before /bot<token> belongs there",
			       chan_cfg_path(cfg, "apiRoot", a));
	if (!str_empty(chan_cfg_str(cfg, "webhookUrl")) && !chan_cfg_has_secret(cfg, "webhookSecret", NULL))
		return ch_fail(err, CH_E_NOT_FOUND, "%s is not set: a webhook needs it", chan_cfg_path(cfg, "webhookSecret", a));
	return CH_OK;
}

/* -- who we are -- */

struct who { const char *id, *username, *name; bool reads_all, has_topics; };

static ch_status get_me(const struct tg_link *l, struct arena *a, struct who *ret, struct ch_err *err)
{
	struct tg_answer answer;
	ch_status st = tg_call(l, "getMe", NULL, TG_CALL_MS, a, &answer, err);

	if (answer.code == 401 || answer.code == 404)
		return ch_fail(err, CH_E_DENIED, "Telegram does not know the token (%d): get one from @BotFather", answer.code);
	if (st)
		return st;
	*ret = (struct who){
		.id = tg_id(json_get(answer.result, "id"), a),
		.username = json_get_str(answer.result, "username"),
		.name = tg_user_name(answer.result, a),
		.reads_all = json_get_bool(answer.result, "can_read_all_group_messages", false),
		.has_topics = json_get_bool(answer.result, "has_topics_enabled", false),
	};
	if (!ret->id || str_empty(ret->username))
		return ch_fail(err, CH_E_PEER, "Telegram getMe: an answer without id and name");
	return CH_OK;
}

/* Does some room ask for messages that privacy mode keeps from us? */
static const char *privacy_warning(const struct chan_cfg *cfg, const struct who *who)
{
	if (who->reads_all)
		return NULL;
	json_each(group, chan_cfg_get(cfg, "groups"))
		if (!json_get_bool(group, "requireMention", true))
			return "privacy mode is on: messages in groups that do not mention the bot are not delivered. "
			       "@BotFather /setprivacy: Disable, then add the bot to its groups again";
	return NULL;
}

static CH_FIBER ch_status telegram_probe(struct chan_acct *acct, struct arena *a, struct chan_probe *ret, struct ch_err *err)
{
	CH_AUTO_LINK struct tg_link l = { 0 };
	int64_t begun_ms = now_mono_ms();
	struct who who = { 0 };
	struct ch_err why;
	ch_status st = tg_link_open(acct, &l, &why);

	if (!st)
		st = get_me(&l, a, &who, &why);
	if (st == CH_E_CANCELED)
		return ch_fail(err, st, "%s", why.text);
	*ret = (struct chan_probe){ .is_ok = !st, .elapsed_ms = now_mono_ms() - begun_ms };
	if (st) {
		ret->error = arena_strdup(a, why.text);
		return CH_OK;
	}
	ret->bot_id = who.id;
	ret->bot_name = who.username;
	ret->warning = privacy_warning(l.cfg, &who);
	return CH_OK;
}

/* -- the run -- */

/* Polling and a webhook exclude each other. What fails here shows in the first poll. */
static ch_status drop_webhook(const struct tg_link *l, struct arena *a, struct ch_err *err)
{
	struct json *params = json_new_obj(a);
	struct tg_answer answer;
	ch_status st;

	json_set(a, params, "drop_pending_updates", json_new_bool(a, false));
	st = tg_call(l, "deleteWebhook", params, TG_CALL_MS, a, &answer, err);
	if (!st || st == CH_E_CANCELED || answer.code == 401)
		return st;
	log_debug("telegram", "deleteWebhook: %s", err->text);
	return CH_OK;
}

static ch_status log_in(struct chan_acct *acct, struct arena *a, struct who *ret, struct ch_err *err)
{
	CH_AUTO_LINK struct tg_link l = { 0 };
	struct telegram *tg = chan_priv(acct);
	ch_status st = tg_token(chan_acct_cfg(acct), &tg->token, err);

	if (!st)
		st = tg_link_open(acct, &l, err);
	if (!st)
		st = get_me(&l, a, ret, err);
	if (!st && str_empty(chan_cfg_str(chan_acct_cfg(acct), "webhookUrl")))
		st = drop_webhook(&l, a, err);
	return st;
}

static ch_status serve(struct chan_acct *acct, struct arena *a, struct ch_err *err)
{
	struct telegram *tg = chan_priv(acct);
	struct who who;
	ch_status st = log_in(acct, a, &who, err);

	if (st)
		return st;
	tg->has_topics = who.has_topics;
	chan_self(acct, who.id, who.username, who.name);
	if (!str_empty(chan_cfg_str(chan_acct_cfg(acct), "webhookUrl")))
		return tg_hook_run(acct, privacy_warning(chan_acct_cfg(acct), &who), err);
	chan_state(acct, CHAN_CONNECTED, privacy_warning(chan_acct_cfg(acct), &who));
	return tg_poll(acct, who.id, privacy_warning(chan_acct_cfg(acct), &who), err);
}

static CH_FIBER ch_status telegram_run(struct chan_acct *acct, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct telegram *tg = chan_priv(acct);
	struct ch_err why;
	ch_status st;

	fiber_cond_init(&tg->presser_ended);
	st = serve(acct, a, err ? err : &why);

	secret_unref(CH_TAKE(tg->hook_secret));  /* first: nothing comes in while we wait */
	tg_presses_end(tg);
	secret_unref(CH_TAKE(tg->token));
	ch_free(CH_TAKE(tg->places));
	return st;
}

/* -- the menu -- */

/* Telegram's names are [a-z0-9_]{1,32}. */
static bool command_name(const char *name, char ret[33])
{
	size_t n = strlen(name);

	if (n < 1 || n > 32)
		return false;
	for (size_t i = 0; i <= n; i++) {
		char c = name[i];

		ret[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c == '-' ? '_' : c;
	}
	return strspn(ret, "abcdefghijklmnopqrstuvwxyz0123456789_") == n;
}

static bool has_command(const struct json *list, const char *name)
{
	json_each(v, list)
		if (str_eq(json_get_str(v, "command"), name))
			return true;
	return false;
}

static void add_command(struct json *list, const char *name, const char *description, size_t max, struct arena *a)
{
	struct json *v;
	char clean[33];

	if (json_len(list) >= max || !command_name(name, clean) || has_command(list, clean))
		return;
	v = json_new_obj(a);
	json_set(a, v, "command", json_new_str(a, clean));
	description = str_empty(description) ? clean : description;
	json_set(a, v, "description", json_new_strn(a, description, utf8_cut(description, strlen(description), 256)));
	json_push(list, v);
}

/* The owner's own entries (customCommands) first: they are few, and wanted. */
static struct json *command_list(const struct chan_cfg *cfg, const struct chan_menu *menu, size_t count, size_t max, struct arena *a)
{
	struct json *list = json_new_arr(a);

	json_each(c, chan_cfg_get(cfg, "customCommands")) {
		const char *name = json_get_str(c, "command");

		if (name)
			add_command(list, name + (name[0] == '/'), json_get_str(c, "description"), max, a);
	}
	for (size_t i = 0; i < count; i++)
		add_command(list, menu[i].name, menu[i].description, max, a);
	return list;
}

static CH_FIBER ch_status telegram_commands(struct chan_acct *acct, const struct chan_menu *menu, size_t count, struct ch_err *err)
{
	CH_AUTO_LINK struct tg_link l = { 0 };
	ch_status st = tg_link_open(acct, &l, err);

	for (size_t max = TG_COMMANDS_MAX; !st; max = max * 4 / 5) {
		CH_AUTO(arena_unref) struct arena *a = arena_new(0);
		struct json *params = json_new_obj(a), *list = command_list(l.cfg, menu, count, max, a);
		struct tg_answer answer;

		json_set(a, params, "commands", list);
		st = tg_call(&l, json_len(list) ? "setMyCommands" : "deleteMyCommands", json_len(list) ? params : NULL, TG_CALL_MS, a,
			     &answer, err);
		if (!st || !strstr(answer.description, "BOT_COMMANDS_TOO_MUCH") || max < 5)
			return st;
		st = CH_OK;
	}
	return st;
}

static const char *const telegram_secrets[] = { "botToken", "tokenFile", NULL };

/* A map of groups is a fence also with groupPolicy open; a forum's topics have entries of their own. */
static const struct chan_rooms telegram_rooms = { .direct = "direct", .topics = "topics", .thread_word = "topic", .is_fence = true,
						.has_activation = true };

const struct chan_ops chan_telegram = {
	.id = "telegram",
	.label = "Telegram",
	.detail_label = "Telegram Bot",
	.image = "paperplane",
	.caps = CHAN_EDIT | CHAN_DELETE | CHAN_REACT | CHAN_TYPING | CHAN_MEDIA | CHAN_THREADS | CHAN_POLL | CHAN_BUTTONS |
		CHAN_REPLY | CHAN_GROUPS | CHAN_NATIVE_COMMANDS | CHAN_LOCATION | CHAN_PIN,
	.flavour = CHAN_TELEGRAM_HTML,
	.limits = {
		.text_max = 4096, .text_default = 4000, .caption_max = 1024, .album_max = 10,
		.media_max_bytes = INT64_C(100) << 20, .buttons_max = CHAN_BUTTONS_MAX, .options_max = 12, .unit = CHAN_UTF16, .debounce_ms = 300,
		/* Telegram's own advice: 30 a second over all, one a second in a chat and 20 a minute in a group. */
		.rate = 25, .burst = 25, .peer_rate = 1, .peer_burst = 5,
	},
	.streaming = "progress",
	.reply_mode = "off",
	.history_default = 50,
	.rooms = &telegram_rooms,
	.silence_max_ms = TG_SILENCE_MS,
	.priv_size = sizeof(struct telegram),
	.secrets = telegram_secrets,
	.id_parse = telegram_id_parse,
	.target_parse = telegram_target_parse,
	.check = telegram_check,
	.run = telegram_run,
	.probe = telegram_probe,
	.send = tg_send,
	.edit = tg_edit,
	.remove = tg_remove,
	.react = tg_react,
	.typing = tg_typing,
	.fetch = tg_fetch,
	.commands = telegram_commands,
	.webhook = tg_hook,
	.webhook_path = tg_hook_path,
};
