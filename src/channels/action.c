/*
 * channels/action.c - see action.h: understanding the parameters of an action.
 */
#include "channels/action.h"

#include <string.h>

#include "channels/action_present.h"
#include "core/log.h"
#include "core/str.h"

#define READ_DEFAULT 20

/* What an action is called, and what the network must be able to do for it. */
static const struct { const char *name; enum chan_action_kind kind; unsigned cap; } actions[] = {
	{ "send", ACTION_SEND, 0 },         { "poll", ACTION_POLL, CHAN_POLL },      { "react", ACTION_REACT, CHAN_REACT },
	{ "edit", ACTION_EDIT, CHAN_EDIT }, { "delete", ACTION_DELETE, CHAN_DELETE }, { "read", ACTION_READ, CHAN_HISTORY },
};

/* "send, react, …": what the network can do. */
static const char *action_names(const struct chan_ops *ops, struct arena *a)
{
	const char *list = NULL;

	for (size_t i = 0; i < CH_ARRAY_LEN(actions); i++)
		if ((ops->caps & actions[i].cap) == actions[i].cap)
			list = list ? arena_printf(a, "%s, %s", list, actions[i].name) : actions[i].name;
	return list;
}

/* -- parameters -- */

/* The first of the names (NULL-ended) that is there, as text: ids may be numbers. */
static const char *text_of(const struct json *params, const char *const *names, struct arena *a)
{
	for (; *names; names++) {
		const struct json *v = json_get(params, *names);

		if (json_is(v, JSON_INT))
			return arena_printf(a, "%lld", (long long)v->i);
		if (json_str(v))
			return json_str(v);
	}
	return NULL;
}
#define TEXT(params, a, ...) text_of((params), (const char *const[]){ __VA_ARGS__, NULL }, (a))

static ch_status need(const char *value, const char *what, const char *action, struct ch_err *err)
{
	return str_empty(value) ? ch_fail(err, CH_E_INVALID, "%s needs %s", action, what) : CH_OK;
}

/* -- files -- */

struct files { struct chan_file list[CHAN_MEDIA_COUNT_MAX]; size_t count; };

static ch_status add_file(struct files *fs, struct chan_file f, struct ch_err *err)
{
	if (fs->count == CHAN_MEDIA_COUNT_MAX)
		return ch_fail(err, CH_E_INVALID, "a message has at most %d files", CHAN_MEDIA_COUNT_MAX);
	fs->list[fs->count++] = f;
	return CH_OK;
}

static ch_status add_where(struct files *fs, const char *where, const struct chan_file *like, struct ch_err *err)
{
	struct chan_file f = *like;

	if (str_empty(where))
		return CH_OK;
	if (str_starts(where, "http://") || str_starts(where, "https://"))
		f.url = where;
	else
		f.path = where;
	return add_file(fs, f, err);
}

/* Base64, alone or as a data: address. */
static ch_status add_bytes(struct files *fs, const char *base64, const struct chan_file *like, struct arena *a, struct ch_err *err)
{
	const char *comma = str_starts(base64, "data:") ? strchr(base64, ',') : NULL;
	const char *text = comma ? comma + 1 : base64;
	size_t n = strlen(text), len;
	struct chan_file f = *like;
	char *bytes = arena_try_alloc(a, n + 1);

	if (!bytes)
		return ch_fail(err, CH_E_LIMIT, "the file is too large");
	if (!b64_decode(text, n, bytes, n, &len) || !len)
		return ch_fail(err, CH_E_INVALID, "the file's bytes are not base64");
	f.data = bytes;
	f.len = len;
	if (comma && !f.mime)
		f.mime = arena_strndup(a, base64 + 5, strcspn(base64 + 5, ";,"));
	return add_file(fs, f, err);
}

/* A string, or an array of them. */
static ch_status add_list(struct files *fs, const struct json *v, const struct chan_file *like, struct ch_err *err)
{
	ch_status st = json_str(v) ? add_where(fs, json_str(v), like, err) : CH_OK;

	if (json_is(v, JSON_ARR))
		json_each(item, v)
			if (!st)
				st = add_where(fs, json_str(item), like, err);
	return st;
}

/* The members that name files, of the parameters or of one of their attachments. */
static ch_status add_named(struct files *fs, const struct json *v, struct chan_file like, struct arena *a, struct ch_err *err)
{
	static const char *const lists[] = { "media", "mediaUrl", "mediaUrls", "path", "filePath" };
	const char *bytes = json_get_str(v, "buffer");
	ch_status st = CH_OK;

	like.name = TEXT(v, a, "filename", "name");
	like.mime = TEXT(v, a, "contentType", "mimeType");
	if (!str_empty(bytes))
		return add_bytes(fs, bytes, &like, a, err);
	for (size_t i = 0; !st && i < CH_ARRAY_LEN(lists); i++)
		st = add_list(fs, json_get(v, lists[i]), &like, err);
	return st;
}

static ch_status read_files(const struct json *params, struct arena *a, struct chan_message *m, struct ch_err *err)
{
	struct files *fs = arena_alloc(a, sizeof(*fs));
	struct chan_file like = { .as_voice = json_get_bool(params, "asVoice", false),
				  .as_document = json_get_bool(params, "forceDocument", false) ||
						 json_get_bool(params, "asDocument", false),
				  .as_round = json_get_bool(params, "asVideoNote", false) };
	ch_status st = add_named(fs, params, like, a, err);

	json_each(v, json_get(params, "attachments"))
		if (!st)
			st = add_named(fs, v, like, a, err);
	m->files = fs->list;
	m->file_count = fs->count;
	return st;
}

/* -- by kind -- */

/* {latitude, longitude, accuracy?, name?, address?}: stands alone. */
static ch_status read_location(const struct json *v, struct arena *a, struct chan_message *m, struct ch_err *err)
{
	struct chan_location *place = arena_alloc(a, sizeof(*place));

	if (!v)
		return CH_OK;
	*place = (struct chan_location){ .lat = json_num_or(json_get(v, "latitude"), 999), .lon = json_num_or(json_get(v, "longitude"), 999),
					 .accuracy_m = json_num_or(json_get(v, "accuracy"), 0), .name = json_get_str(v, "name"),
					 .address = json_get_str(v, "address") };
	if (!(place->lat >= -90 && place->lat <= 90) || !(place->lon >= -180 && place->lon <= 180))
		return ch_fail(err, CH_E_INVALID, "a location has a latitude from -90 to 90 and a longitude from -180 to 180");
	if (!str_empty(m->text) || m->file_count)
		return ch_fail(err, CH_E_INVALID, "a location is sent alone, without text and files");
	m->location = place;
	return CH_OK;
}

/* pin, or delivery: {pin: true | {enabled: true}} */
static ch_status read_pin(const struct json *params, struct chan_action *x, struct ch_err *err)
{
	const struct json *pin = json_get(json_get(params, "delivery"), "pin");

	x->message.is_pinned = json_get_bool(params, "pin", false) || json_bool_or(pin, false) || json_get_bool(pin, "enabled", false);
	if (x->message.is_pinned && !(x->target.ops->caps & CHAN_PIN))
		return ch_fail(err, CH_E_UNSUPPORTED, "%s: messages cannot be pinned there", x->target.ops->label);
	return CH_OK;
}

static ch_status read_send(const struct json *params, struct arena *a, struct chan_action *x, struct ch_err *err)
{
	struct chan_message *m = &x->message;
	ch_status st;

	if (json_get(params, "parseMode"))
		return ch_fail(err, CH_E_UNSUPPORTED, "parseMode is not taken: write the message in Markdown");
	m->text = TEXT(params, a, "message", "text", "content", "caption");
	m->reply_to = TEXT(params, a, "replyTo", "replyToId");
	m->is_silent = json_get_bool(params, "silent", false);
	st = read_pin(params, x, err);
	if (!st)
		st = read_files(params, a, m, err);
	if (!st)
		st = action_present(json_get(params, "presentation"), json_get(params, "buttons"), x->has_buttons, a, m, err);
	if (!st)
		st = read_location(json_get(params, "location"), a, m, err);
	if (!st && str_empty(m->text) && !m->file_count && !m->location)
		st = ch_fail(err, CH_E_INVALID, "text or media is required");
	return st;
}

static const char *const *read_options(const struct json *params, struct arena *a, size_t *ret_count)
{
	static const char *const names[] = { "pollOption", "pollOptions", "options" };
	const struct json *list = NULL;
	const char **options;
	size_t n = 0;

	for (size_t i = 0; !list && i < CH_ARRAY_LEN(names); i++)
		list = json_get(params, names[i]);
	options = arena_alloc(a, (json_len(list) + 1) * sizeof(*options));
	if (json_is(list, JSON_ARR))
		json_each(v, list)
			if (!str_empty(json_str(v)))
				options[n++] = json_str(v);
	*ret_count = n;
	return options;
}

static int64_t number_of(const struct json *params, const char *name, int64_t def)
{
	const struct json *v = json_get(params, name);
	int64_t n;

	return json_str(v) && str_to_i64(json_str(v), &n) ? n : json_int_or(v, def);
}

static ch_status read_poll(const struct json *params, struct arena *a, struct chan_action *x, struct ch_err *err)
{
	struct chan_poll *p = arena_alloc(a, sizeof(*p));
	int64_t hours = number_of(params, "pollDurationHours", number_of(params, "durationHours", 0));

	p->question = TEXT(params, a, "pollQuestion", "question");
	p->options = read_options(params, a, &p->option_count);
	p->duration_s = number_of(params, "pollDurationSeconds", number_of(params, "durationSeconds", hours * 3600));
	p->max_selections = json_get_bool(params, "pollMulti", false) ? (int)p->option_count
								       : (int)number_of(params, "maxSelections", 1);
	/* Unless a public one is asked for: who voted what is told to nobody. */
	p->is_anonymous = json_get_bool(params, "isAnonymous", !json_get_bool(params, "pollPublic", false));
	if (str_empty(p->question) || p->option_count < 2)
		return ch_fail(err, CH_E_INVALID, "poll needs a question and at least two options");
	if (p->max_selections < 1 || (size_t)p->max_selections > p->option_count)
		return ch_fail(err, CH_E_INVALID, "maxSelections is from 1 to the number of options");
	x->message.poll = p;
	x->message.text = TEXT(params, a, "message");
	x->message.is_silent = json_get_bool(params, "silent", false);
	return CH_OK;
}

static ch_status read_react(const struct json *params, struct arena *a, struct chan_action *x, struct ch_err *err)
{
	x->emoji = TEXT(params, a, "emoji");
	x->is_removed = json_get_bool(params, "remove", false) || str_empty(x->emoji);
	if (!x->emoji)
		x->emoji = "";
	return need(x->message_id, "messageId", "react", err);
}

static ch_status read_kind(const struct json *params, struct arena *a, struct chan_action *x, struct ch_err *err)
{
	ch_status st;

	switch (x->kind) {
	case ACTION_SEND:
		return read_send(params, a, x, err);
	case ACTION_POLL:
		return read_poll(params, a, x, err);
	case ACTION_REACT:
		return read_react(params, a, x, err);
	case ACTION_EDIT:
		x->text = TEXT(params, a, "message", "text", "content");
		st = need(x->message_id, "messageId", "edit", err);
		return st ? st : need(x->text, "message", "edit", err);
	case ACTION_DELETE:
		return need(x->message_id, "messageId", "delete", err);
	case ACTION_READ:
		x->limit = (int)CH_MIN(CH_MAX(number_of(params, "limit", READ_DEFAULT), 1), ACTION_READ_MAX);
		return CH_OK;
	}
	ch_bug(__FILE__, __LINE__, "an action without a kind");
}

/* -- where -- */

static ch_status find_target(struct chan_host *h, const struct chan_action_in *in, struct arena *a, struct chan_action *x,
			     struct ch_err *err)
{
	const char *text = TEXT(in->params, a, "to", "target", "channelId", "chatId");
	const char *thread = TEXT(in->params, a, "threadId", "messageThreadId");
	const char *channel = str_empty(in->channel) ? TEXT(in->params, a, "channel") : in->channel;
	const char *account = str_empty(in->account) ? TEXT(in->params, a, "accountId", "account") : in->account;
	const struct chan_place *here = in->here;
	bool is_there = here && (str_empty(channel) || str_eq(channel, here->channel)) &&
			(str_empty(account) || str_eq(account, here->account));
	ch_status st;

	if (is_there && str_empty(text)) {
		x->target = (struct chan_target){ .ops = chan_host_network(h, here->channel), .account = here->account,
						  .peer = here->peer };
		if (thread)
			x->target.peer.thread = thread;
		if (!x->target.ops)
			return ch_fail(err, CH_E_INVALID, "unsupported channel: %s", log_quote(here->channel));
	} else {
		if (is_there && str_empty(channel) && !strchr(text, ':'))
			channel = here->channel;
		st = chan_target(h, channel, account, text, thread, a, &x->target, err);
		if (st)
			return st;
	}
	x->is_here = here && str_eq(x->target.ops->id, here->channel) && str_eq(x->target.account, here->account) &&
		     chan_same_place(&x->target.peer, &here->peer);
	return CH_OK;
}

/* channels.<id>.actions: what is false is not done; a message is held back only when an agent sends it. */
static bool is_switched_off(struct chan_host *h, const struct chan_action_in *in, const struct chan_action *x, const char **ret_key)
{
	static const char *const keys[][2] = {
		[ACTION_SEND] = { "sendMessage", "messages" }, [ACTION_POLL] = { "poll", "polls" },
		[ACTION_REACT] = { "reactions", "reactions" }, [ACTION_EDIT] = { "editMessage", "messages" },
		[ACTION_DELETE] = { "deleteMessage", "messages" }, [ACTION_READ] = { "readMessages", "messages" },
	};
	const struct chan_acct *acct = chan_acct_find(h, x->target.ops->id, x->target.account);
	const struct json *set = acct ? chan_cfg_get(chan_acct_cfg(acct), "actions") : NULL;

	if (x->kind == ACTION_SEND && !str_eq(in->origin, "tool"))
		return false;
	for (size_t i = 0; i < CH_ARRAY_LEN(keys[0]); i++) {
		*ret_key = keys[x->kind][i];
		if (!json_get_bool(set, *ret_key, true))
			return true;
	}
	return false;
}

static ch_status find_kind(const struct chan_action_in *in, struct arena *a, struct chan_action *x, struct ch_err *err)
{
	const struct chan_ops *ops = x->target.ops;

	for (size_t i = 0; i < CH_ARRAY_LEN(actions); i++)
		if (str_eq(in->action, actions[i].name) && (ops->caps & actions[i].cap) == actions[i].cap) {
			x->kind = actions[i].kind;
			return CH_OK;
		}
	return ch_fail(err, CH_E_UNSUPPORTED, "Message action %s not supported for channel %s; it can: %s", log_quote(in->action), ops->id,
		       action_names(ops, a));
}

ch_status chan_action_read(struct chan_host *h, const struct chan_action_in *in, struct arena *a, struct chan_action *ret,
			   struct ch_err *err)
{
	struct chan_action x = { .agent_id = in->agent_id };
	const char *key;
	ch_status st = find_target(h, in, a, &x, err);

	if (!st)
		st = find_kind(in, a, &x, err);
	if (st)
		return st;
	if (is_switched_off(h, in, &x, &key))
		return ch_fail(err, CH_E_DENIED, "channels.%s.actions.%s is off", x.target.ops->id, key);
	x.message = (struct chan_message){ .key = in->key, .channel = x.target.ops->id, .account = x.target.account,
					   .peer = x.target.peer, .session_key = in->session_key, .run_id = in->run_id,
					   .origin = in->origin };
	x.has_buttons = chan_has_buttons(h, x.target.ops->id, x.target.account, &x.target.peer);
	x.message_id = TEXT(in->params, a, "messageId");
	if (!x.message_id && x.is_here)
		x.message_id = in->here->message_id;
	st = read_kind(in->params, a, &x, err);
	if (!st)
		*ret = x;
	return st;
}
