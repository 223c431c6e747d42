/*
 * channels/telegram_vote.c - polls that we sent, and the votes that come.
 *
 * poll_answer names the poll, neither the chat nor what was asked. The last POLLS_MAX polls are kept with the account (cursor
 * "polls"), newest last: [{id, peer, question, options, message}].
 */
#include "channels/telegram.h"

#include "channels/route.h"
#include "core/log.h"
#include "core/str.h"

#define CURSOR "polls"
#define POLLS_MAX 32

static struct json *load(struct chan_acct *acct, struct arena *a)
{
	const char *text = NULL;
	struct json *polls = NULL;
	struct ch_err err;

	if (chan_cursor(acct, CURSOR, a, &text, &err))
		log_warn("telegram", "%s: the polls that were sent cannot be read: %s; votes in them are not heard", chan_acct_id(acct),
			 err.text);
	if (!text || json_parse(a, text, strlen(text), JSON_STRICT, &polls, NULL) || !json_is(polls, JSON_ARR))
		return json_new_arr(a);
	return polls;
}

void tg_poll_sent(struct chan_acct *acct, const struct chan_out *out, const struct json *message)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	const char *id = json_get_str(json_get(message, "poll"), "id");
	struct json *kept = json_new_arr(a), *all = load(acct, a), *poll = json_new_obj(a), *options = json_new_arr(a);
	size_t skip = json_len(all) >= POLLS_MAX ? json_len(all) - POLLS_MAX + 1 : 0, i = 0;
	struct ch_err err;

	if (!id)
		return;
	json_each(p, all)
		if (i++ >= skip)
			json_push(kept, json_clone(a, p));
	for (i = 0; i < out->poll->option_count; i++)
		json_push(options, json_new_str(a, out->poll->options[i]));
	json_set(a, poll, "id", json_new_str(a, id));
	json_set(a, poll, "peer", chan_peer_json(a, &out->peer));
	json_set(a, poll, "question", json_new_str(a, out->poll->question));
	json_set(a, poll, "options", options);
	json_set(a, poll, "message", json_new_str(a, tg_id(json_get(message, "message_id"), a)));
	json_push(kept, poll);
	if (chan_cursor_set(acct, CURSOR, json_to_str(a, kept), &err))
		log_warn("telegram", "%s: a poll cannot be kept: %s; its votes are not heard", chan_acct_id(acct), err.text);
}

/* "Lunch?": Pizza, Soup */
static const char *words(const struct json *poll, const char *ids_json, struct arena *a)
{
	CH_AUTO_BUF struct buf out = { 0 };
	struct json *ids = NULL;
	size_t n = 0;

	buf_init(&out, 16384);
	buf_printf(&out, "\"%s\": ", json_str_or(json_get(poll, "question"), ""));
	if (!json_parse(a, ids_json, strlen(ids_json), JSON_STRICT, &ids, NULL))
		json_each(id, ids) {
			const char *option = json_str(json_at(json_get(poll, "options"), (size_t)json_int_or(id, -1)));

			if (option)
				buf_printf(&out, "%s%s", n++ ? ", " : "", option);
		}
	if (!n)
		buf_puts(&out, "(vote taken back)");
	return arena_strdup(a, buf_str(&out));
}

bool tg_vote_read(struct chan_acct *acct, struct chan_in *in, struct arena *a)
{
	json_each(poll, load(acct, a)) {
		if (!str_eq(json_get_str(poll, "id"), in->message_id))
			continue;
		if (chan_peer_read(json_get(poll, "peer"), a, &in->peer, NULL))
			return false;
		in->message_id = json_get_str(poll, "message");
		in->data = words(poll, in->data, a);
		return in->message_id != NULL;
	}
	return false;
}
