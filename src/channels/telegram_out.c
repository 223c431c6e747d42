/*
 * channels/telegram_out.c - what goes to Telegram: messages without files, edits, reactions, typing.
 *
 * Text goes as parse_mode HTML. When Telegram cannot parse it, it goes again without markup: that is a refusal, so
 * nothing was shown. A group that became a supergroup is answered with its new id, and the message goes there at once.
 */
#include "channels/telegram.h"

#include "channels/host.h"
#include "core/mem.h"
#include "core/str.h"

/* -- parameters -- */

/* Ids are numbers in JSON; "@name" of a public channel stays text. */
static struct json *id_json(const char *id, struct arena *a)
{
	int64_t n;

	return str_to_i64(id, &n) ? json_new_int(a, n) : json_new_str(a, id);
}

static void set_bool(struct json *params, const char *key, bool value, struct arena *a)
{
	if (value)
		json_set(a, params, key, json_new_bool(a, true));
}

/* A page in Telegram's own frame is for private chats; elsewhere the button opens it as a link. */
static void set_page(struct json *v, const struct chan_button *b, bool is_direct, struct arena *a)
{
	struct json *app;

	if (!b->opens_app || !is_direct || !str_starts(b->url, "https://")) {
		json_set(a, v, "url", json_new_str(a, b->url));
		return;
	}
	app = json_new_obj(a);
	json_set(a, app, "url", json_new_str(a, b->url));
	json_set(a, v, "web_app", app);
}

static struct json *button_json(const struct chan_button *b, bool is_direct, struct arena *a)
{
	struct json *v = json_new_obj(a);

	json_set(a, v, "text", json_new_str(a, b->text));
	if (b->url)
		set_page(v, b, is_direct, a);
	else
		json_set(a, v, "callback_data", json_new_str(a, b->data));
	if (b->style != CHAN_BUTTON_PLAIN)
		json_set(a, v, "style", json_new_str(a, b->style == CHAN_BUTTON_DANGER ? "danger" : "primary"));
	return v;
}

static struct json *keyboard_json(const struct chan_out *out, struct arena *a)
{
	struct json *v = json_new_obj(a), *rows = json_new_arr(a), *row = NULL;

	for (size_t i = 0; i < out->button_count; i++) {
		if (!row)
			json_push(rows, row = json_new_arr(a));
		json_push(row, button_json(&out->buttons[i], out->peer.kind == CHAN_DIRECT, a));
		if (out->buttons[i].ends_row)
			row = NULL;
	}
	json_set(a, v, "inline_keyboard", rows);
	return v;
}

/* General has an id, and Telegram refuses messages that name it. */
static bool names_topic(const struct chan_peer *peer)
{
	return !str_empty(peer->thread) && !str_eq(peer->thread, TG_GENERAL_TOPIC);
}

struct json *tg_out_params(const struct chan_out *out, struct arena *a)
{
	struct json *params = json_new_obj(a), *reply;

	json_set(a, params, "chat_id", id_json(out->peer.id, a));
	if (names_topic(&out->peer))
		json_set(a, params, "message_thread_id", id_json(out->peer.thread, a));
	if (!str_empty(out->reply_to)) {
		reply = json_new_obj(a);
		json_set(a, reply, "message_id", id_json(out->reply_to, a));
		set_bool(reply, "allow_sending_without_reply", true, a);
		json_set(a, params, "reply_parameters", reply);
	}
	set_bool(params, "disable_notification", out->is_silent, a);
	if (out->button_count)
		json_set(a, params, "reply_markup", keyboard_json(out, a));
	return params;
}

static void set_text(struct json *params, const char *key, const struct chan_out *out, bool is_plain, struct arena *a)
{
	json_set(a, params, key, json_new_str(a, is_plain && out->plain ? out->plain : out->text));
	if (!is_plain)
		json_set(a, params, "parse_mode", json_new_str(a, "HTML"));
}

static void set_previews(struct json *params, const struct chan_out *out, struct arena *a)
{
	struct json *options = json_new_obj(a);

	set_bool(options, "is_disabled", !out->has_previews, a);
	json_set(a, params, "link_preview_options", options);
}

static void set_poll(struct json *params, const struct chan_poll *poll, struct arena *a)
{
	struct json *options = json_new_arr(a);

	for (size_t i = 0; i < poll->option_count; i++) {
		struct json *option = json_new_obj(a);

		json_set(a, option, "text", json_new_str(a, poll->options[i]));
		json_push(options, option);
	}
	json_set(a, params, "question", json_new_str(a, poll->question));
	json_set(a, params, "options", options);
	json_set(a, params, "is_anonymous", json_new_bool(a, poll->is_anonymous));
	set_bool(params, "allows_multiple_answers", poll->max_selections > 1, a);
	if (poll->duration_s > 0)
		json_set(a, params, "open_period", json_new_int(a, poll->duration_s));
}

static const char *set_location(struct json *params, const struct chan_location *place, struct arena *a)
{
	bool is_venue = !str_empty(place->name) && !str_empty(place->address);

	json_set(a, params, "latitude", json_new_num(a, place->lat));
	json_set(a, params, "longitude", json_new_num(a, place->lon));
	if (!is_venue) {
		if (place->accuracy_m > 0)
			json_set(a, params, "horizontal_accuracy", json_new_num(a, CH_MIN(place->accuracy_m, 1500)));
		return "sendLocation";
	}
	json_set(a, params, "title", json_new_str(a, place->name));
	json_set(a, params, "address", json_new_str(a, place->address));
	return "sendVenue";
}

static struct json *message_params(const struct chan_peer *peer, const char *message_id, struct arena *a)
{
	struct json *params = json_new_obj(a);

	json_set(a, params, "chat_id", id_json(peer->id, a));
	if (message_id)
		json_set(a, params, "message_id", id_json(message_id, a));
	return params;
}

/* -- sending -- */

static bool is_parse_error(const struct tg_answer *answer)
{
	return answer->outcome == CHAN_REFUSED && strstr(answer->description, "can't parse entities");
}

static ch_status send_without_files(const struct tg_link *l, const struct chan_out *out, bool is_plain, struct arena *a,
				    struct tg_answer *ret, struct ch_err *err)
{
	struct json *params = tg_out_params(out, a);
	const char *method = "sendMessage";

	if (out->poll) {
		method = "sendPoll";
		set_poll(params, out->poll, a);
	} else if (out->location) {
		method = set_location(params, out->location, a);
	} else {
		set_text(params, "text", out, is_plain, a);
		set_previews(params, out, a);
	}
	return tg_call(l, method, params, TG_CALL_MS, a, ret, err);
}

/* One request, and those that a clear refusal allows in its place. */
static ch_status send_once(const struct tg_link *l, const struct chan_out *out, struct arena *a, struct tg_answer *ret,
			   struct ch_err *err)
{
	bool is_plain = !out->text, as_document = false;
	ch_status st;

	for (int tries = 0;; tries++) {
		st = out->media_count ? tg_upload(l, out, is_plain, as_document, a, ret, err)
				      : send_without_files(l, out, is_plain, a, ret, err);
		if (!st || tries == 2)
			return st;
		if (is_parse_error(ret) && !is_plain)
			is_plain = true;
		else if (ret->outcome == CHAN_REFUSED && out->media_count && !as_document &&
			 (strstr(ret->description, "PHOTO_INVALID_DIMENSIONS") || strstr(ret->description, "IMAGE_PROCESS_FAILED")))
			as_document = true;
		else
			return st;
	}
}

/* Where we may not pin, the message stands all the same: the account's log tells why. */
static void pin(struct chan_acct *acct, const struct tg_link *l, const struct chan_peer *peer, const char *message_id, struct arena *a)
{
	struct json *params = message_params(peer, message_id, a);
	struct tg_answer answer;
	struct ch_err why;

	set_bool(params, "disable_notification", true, a);
	if (tg_call(l, "pinChatMessage", params, TG_CALL_MS, a, &answer, &why))
		chan_acct_log(acct, "a message was not pinned: %s", why.text);
}

static ch_status check(const struct chan_out *out, struct ch_err *err)
{
	if (str_empty(out->peer.id))
		return ch_fail(err, CH_E_INVALID, "Telegram: no chat is named");
	if (!out->media_count && !out->poll && !out->location && str_empty(out->text))
		return ch_fail(err, CH_E_INVALID, "Telegram: there is nothing to send");
	if (out->media_count > 1 && out->button_count)
		return ch_fail(err, CH_E_UNSUPPORTED, "Telegram: an album has no buttons");
	return CH_OK;
}

CH_FIBER ch_status tg_send(struct chan_acct *acct, const struct chan_out *out, struct arena *a, struct chan_sent *ret,
			   struct ch_err *err)
{
	CH_AUTO_LINK struct tg_link l = { 0 };
	struct tg_answer answer = { .outcome = CHAN_REFUSED };
	const struct json *message;
	struct chan_out moved = *out;
	struct telegram *tg;
	ch_status st;

	*ret = (struct chan_sent){ .outcome = CHAN_REFUSED };
	st = check(out, err);
	if (st)
		return st;
	ret->outcome = CHAN_NOT_SENT;
	st = tg_link_open(acct, &l, err);
	if (st)
		return st;
	ret->outcome = CHAN_REFUSED;
	st = tg_upload_check(&l, out, err);
	if (st)
		return st;
	st = send_once(&l, out, a, &answer, err);
	if (st && answer.outcome == CHAN_REFUSED && answer.migrated_to) {
		moved.peer.id = answer.migrated_to;
		st = send_once(&l, &moved, a, &answer, err);
	}
	ret->outcome = answer.outcome;
	if (st)
		return st;
	message = json_is(answer.result, JSON_ARR) ? json_first(answer.result) : answer.result;
	ret->message_id = tg_id(json_get(message, "message_id"), a);
	if (!ret->message_id) {
		ret->outcome = CHAN_UNSURE;
		return ch_fail(err, CH_E_PEER, "Telegram: an answer without the message's id");
	}
	if (out->is_pinned)
		pin(acct, &l, &moved.peer, ret->message_id, a);
	tg = chan_priv(acct);
	if (tg && tg->token)                     /* the run may have ended meanwhile */
		tg_place_note(tg, &moved.peer, ret->message_id);
	if (out->poll)
		tg_poll_sent(acct, &moved, message);
	return CH_OK;
}

/* -- on messages that are there -- */

static ch_status call_on(struct chan_acct *acct, const char *method, const struct json *params, struct arena *a,
			 struct tg_answer *ret, struct ch_err *err)
{
	CH_AUTO_LINK struct tg_link l = { 0 };
	ch_status st = tg_link_open(acct, &l, err);

	*ret = (struct tg_answer){ .outcome = CHAN_NOT_SENT, .description = "" };
	return st ? st : tg_call(&l, method, params, TG_CALL_MS, a, ret, err);
}

static ch_status edit_once(const struct tg_link *l, const char *message_id, const struct chan_out *out, const char *method,
			   bool is_plain, struct arena *a, struct tg_answer *ret, struct ch_err *err)
{
	struct json *params = message_params(&out->peer, message_id, a);

	if (str_eq(method, "editMessageText")) {
		set_text(params, "text", out, is_plain, a);
		set_previews(params, out, a);
	} else if (str_eq(method, "editMessageCaption")) {
		set_text(params, "caption", out, is_plain, a);
	}
	json_set(a, params, "reply_markup", keyboard_json(out, a));
	return tg_call(l, method, params, TG_CALL_MS, a, ret, err);
}

CH_FIBER ch_status tg_edit(struct chan_acct *acct, const char *message_id, const struct chan_out *out, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	CH_AUTO_LINK struct tg_link l = { 0 };
	const char *method = out->text ? "editMessageText" : "editMessageReplyMarkup";
	struct tg_answer answer;
	bool is_plain = false;
	ch_status st;

	st = tg_link_open(acct, &l, err);
	if (st)
		return st;
	for (int tries = 0;; tries++) {
		st = edit_once(&l, message_id, out, method, is_plain, a, &answer, err);
		if (st && strstr(answer.description, "message is not modified"))
			return CH_OK;
		if (!st || tries == 2)
			return st;
		if (is_parse_error(&answer) && !is_plain)
			is_plain = true;
		else if (strstr(answer.description, "no text in the message") && str_eq(method, "editMessageText"))
			method = "editMessageCaption";   /* a message with a file */
		else
			return st;
	}
}

CH_FIBER ch_status tg_remove(struct chan_acct *acct, const struct chan_peer *peer, const char *message_id, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct tg_answer answer;
	ch_status st = call_on(acct, "deleteMessage", message_params(peer, message_id, a), a, &answer, err);

	/* It is gone: that was what was asked for. */
	return st && strstr(answer.description, "message to delete not found") ? CH_OK : st;
}

/* Telegram lists its reactions without the variation selector that most keyboards put behind them. */
static const char *bare_emoji(const char *emoji, struct arena *a)
{
	static const char selector[] = "\xef\xb8\x8f";
	char *out = arena_strdup(a, emoji);

	for (char *at; (at = strstr(out, selector));)
		memmove(at, at + 3, strlen(at + 3) + 1);
	return out;
}

CH_FIBER ch_status tg_react(struct chan_acct *acct, const struct chan_peer *peer, const char *message_id, const char *emoji,
			    bool is_removed, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct json *params = message_params(peer, message_id, a), *list = json_new_arr(a), *one = json_new_obj(a);
	struct tg_answer answer;

	/* A bot has one reaction on a message: another one replaces it, none takes it away. */
	if (!is_removed) {
		bool is_custom = str_starts(emoji, "custom_emoji:");

		json_set(a, one, "type", json_new_str(a, is_custom ? "custom_emoji" : "emoji"));
		json_set(a, one, is_custom ? "custom_emoji_id" : "emoji",
			 json_new_str(a, is_custom ? strchr(emoji, ':') + 1 : bare_emoji(emoji, a)));
		json_push(list, one);
	}
	json_set(a, params, "reaction", list);
	return call_on(acct, "setMessageReaction", params, a, &answer, err);
}

CH_FIBER ch_status tg_typing(struct chan_acct *acct, const struct chan_peer *peer, bool is_on, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct json *params = message_params(peer, NULL, a);
	struct tg_answer answer;

	if (!is_on)
		return CH_OK;                            /* it ends by itself after five seconds, or with the message */
	if (!str_empty(peer->thread))
		json_set(a, params, "message_thread_id", id_json(peer->thread, a));      /* General too: here it is needed */
	json_set(a, params, "action", json_new_str(a, "typing"));
	return call_on(acct, "sendChatAction", params, a, &answer, err);
}
