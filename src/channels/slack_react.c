/*
 * channels/slack_react.c - reactions, the status of a thread, and what was said in a room.
 */
#include "channels/slack.h"

#include <string.h>

#include "core/fiber.h"
#include "core/str.h"

#define STATUS_MS 5000
#define HISTORY_MAX 200
#define THREAD_PAGES_MAX 5               /* of HISTORY_MAX each */

/* -- reactions -- */

static CH_FIBER ch_status call_reaction(struct chan_acct *acct, const char *method, const char *channel, const char *ts, const char *name,
					struct arena *a, struct slack_answer *answer, struct ch_err *err)
{
	SLACK_AUTO_FORM struct slack_form form = SLACK_FORM;

	slack_form_add(&form, "channel", channel);
	slack_form_add(&form, "timestamp", ts);
	slack_form_add(&form, "name", name);
	return slack_call(acct, SLACK_BOT, method, &form, fiber_deadline(SLACK_CALL_MS), a, answer, err);
}

static CH_FIBER ch_status set_reaction(struct chan_acct *acct, const char *channel, const char *ts, const char *name, bool is_removed,
				       struct arena *a, struct ch_err *err)
{
	struct slack_answer answer;
	ch_status st = call_reaction(acct, is_removed ? "reactions.remove" : "reactions.add", channel, ts, name, a, &answer, err);

	/* It is as was wanted. */
	return str_eq(answer.error, is_removed ? "no_reaction" : "already_reacted") ? CH_OK : st;
}

static CH_FIBER ch_status remove_all(struct chan_acct *acct, const char *channel, const char *ts, struct arena *a, struct ch_err *err)
{
	struct slack_answer answer;
	ch_status st = call_reaction(acct, "reactions.get", channel, ts, NULL, a, &answer, err);

	if (st)
		return st;
	json_each(r, json_get(json_get(answer.body, "message"), "reactions")) {
		bool is_ours = false;

		json_each(user, json_get(r, "users"))
			is_ours = is_ours || str_eq(json_str(user), chan_acct_self_id(acct));
		if (is_ours && json_get_str(r, "name"))
			st = set_reaction(acct, channel, ts, json_get_str(r, "name"), true, a, err);
		if (st)
			return st;
	}
	return CH_OK;
}

CH_FIBER ch_status slack_react(struct chan_acct *acct, const struct chan_peer *peer, const char *message_id, const char *emoji,
			       bool is_removed, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	const bool is_all = is_removed && str_empty(emoji);
	const char *name = is_all ? NULL : slack_emoji_name(a, emoji), *channel;
	enum chan_outcome outcome;
	ch_status st;

	if (!is_all && !name)
		return ch_fail(err, CH_E_INVALID, "Slack needs the name of an emoji (as :eyes:), and the name of this one is not known");
	st = slack_channel_of(acct, peer, a, &channel, &outcome, err);
	if (st)
		return st;
	return is_all ? remove_all(acct, channel, message_id, a, err) : set_reaction(acct, channel, message_id, name, is_removed, a, err);
}

/* -- the status line of a thread -- */

/* Slack has no typing sign for apps: threads of an assistant have a status. Elsewhere there is nothing to show. */
CH_FIBER ch_status slack_typing(struct chan_acct *acct, const struct chan_peer *peer, bool is_on, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	SLACK_AUTO_FORM struct slack_form form = SLACK_FORM;
	struct slack *s = chan_priv(acct);
	struct slack_answer answer;
	enum chan_outcome outcome;
	const char *channel;
	ch_status st;

	if (!peer->thread || s->no_status)
		return CH_OK;
	st = slack_channel_of(acct, peer, a, &channel, &outcome, err);
	if (st)
		return st;
	slack_form_add(&form, "channel_id", channel);
	slack_form_add(&form, "thread_ts", peer->thread);
	slack_form_add(&form, "status", is_on ? "is typing…" : "");
	st = slack_call(acct, SLACK_BOT, "assistant.threads.setStatus", &form, fiber_deadline(STATUS_MS), a, &answer, err);
	if (str_eq(answer.error, "missing_scope") || str_eq(answer.error, "unknown_method")) {
		s = chan_priv(acct);
		s->no_status = true;
	}
	return answer.outcome == CHAN_REFUSED ? CH_OK : st; /* not a thread that has a status */
}

/* -- history -- */

static CH_FIBER struct json *entry(struct chan_acct *acct, const struct json *m, int64_t deadline_ms, struct arena *a)
{
	const char *user = json_get_str(m, "user"), *bot = json_get_str(m, "bot_id"), *text = json_get_str(m, "text");
	const char *name = user ? slack_user_name(acct, user, deadline_ms) : NULL;
	const struct slack_known known = { .self_id = chan_acct_self_id(acct), .self_name = chan_acct_self_username(acct) };
	struct json *e = json_new_obj(a);
	bool has_self, has_others;

	json_set(a, e, "id", json_new_str(a, json_get_str(m, "ts")));
	json_set(a, e, "senderId", json_new_str(a, user ? user : bot));
	json_set(a, e, "senderName", json_new_str(a, name ? name : json_get_str(m, "username")));
	json_set(a, e, "text", json_new_str(a, slack_plain(text ? text : "", &known, a, &has_self, &has_others)));
	json_set(a, e, "at", json_new_int(a, slack_ts_ms(json_get_str(m, "ts"))));
	return e;
}

/* The newest of a thread, which Slack tells from its beginning; *ret_count of them, oldest first. */
static CH_FIBER ch_status read_thread(struct chan_acct *acct, const char *channel, const char *thread, int64_t deadline_ms, struct arena *a,
				      const struct json **ret, size_t *ret_count, struct ch_err *err)
{
	const char *cursor = NULL;
	size_t n = 0;

	for (int page = 0; page < THREAD_PAGES_MAX; page++) {
		SLACK_AUTO_FORM struct slack_form form = SLACK_FORM;
		struct slack_answer answer;
		ch_status st;

		slack_form_add(&form, "channel", channel);
		slack_form_add(&form, "ts", thread);
		slack_form_int(&form, "limit", HISTORY_MAX);
		slack_form_add(&form, "cursor", cursor);
		st = slack_call(acct, SLACK_READ, "conversations.replies", &form, deadline_ms, a, &answer, err);
		if (st)
			return st;
		json_each(m, json_get(answer.body, "messages")) {
			if (n == HISTORY_MAX)
				memmove(ret, ret + 1, --n * sizeof(*ret));
			ret[n++] = m;
		}
		*ret_count = n;
		cursor = json_get_str(json_get(answer.body, "response_metadata"), "next_cursor");
		if (str_empty(cursor))
			return CH_OK;
	}
	return ch_fail(err, CH_E_LIMIT, "the thread is too long to read to its end");
}

static CH_FIBER ch_status read_room(struct chan_acct *acct, const char *channel, int limit, int64_t deadline_ms, struct arena *a,
				    const struct json **ret, size_t *ret_count, struct ch_err *err)
{
	SLACK_AUTO_FORM struct slack_form form = SLACK_FORM;
	struct slack_answer answer;
	size_t n = 0;
	ch_status st;

	slack_form_add(&form, "channel", channel);
	slack_form_int(&form, "limit", limit);
	st = slack_call(acct, SLACK_READ, "conversations.history", &form, deadline_ms, a, &answer, err);
	if (st)
		return st;
	json_each(m, json_get(answer.body, "messages"))
		if (n < HISTORY_MAX)
			ret[n++] = m;
	for (size_t i = 0; i < n / 2; i++) {     /* it begins with the newest */
		const struct json *m = ret[i];

		ret[i] = ret[n - 1 - i];
		ret[n - 1 - i] = m;
	}
	*ret_count = n;
	return CH_OK;
}

CH_FIBER ch_status slack_history(struct chan_acct *acct, const struct chan_peer *peer, int limit, struct arena *a, struct json **ret,
				 struct ch_err *err)
{
	const int64_t deadline_ms = fiber_deadline(SLACK_CALL_MS);
	const struct json *said[HISTORY_MAX];
	enum chan_outcome outcome;
	const char *channel;
	size_t n = 0, from;
	ch_status st;

	st = slack_channel_of(acct, peer, a, &channel, &outcome, err);
	if (st)
		return st;
	limit = CH_MAX(1, CH_MIN(limit, HISTORY_MAX));
	st = str_empty(peer->thread) ? read_room(acct, channel, limit, deadline_ms, a, said, &n, err)
				     : read_thread(acct, channel, peer->thread, deadline_ms, a, said, &n, err);
	if (st)
		return st;
	*ret = json_new_arr(a);
	from = n > (size_t)limit ? n - (size_t)limit : 0;
	for (size_t i = from; i < n; i++)
		json_push(*ret, entry(acct, said[i], deadline_ms, a));
	return CH_OK;
}
