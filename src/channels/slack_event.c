/*
 * channels/slack_event.c - events of Slack's Events API to what the core takes. No I/O but through struct slack_known.
 *
 * Ids of events are made from what they are about, not from Slack's event_id: a mention comes as `message` and as `app_mention`
 * with one ts, and is one event. Our own messages and what we did ourselves are nothing.
 * Source: types of @slack/types, docs.slack.dev (facts).
 */
#include "channels/slack.h"

#include <string.h>

#include "core/str.h"

struct decoder {
	const struct slack_known *known;
	const struct json *event;
	const char *team_id;
	struct arena *a;
	struct slack_batch *out;
};

static const char *str(const struct json *v, const char *key)
{
	return json_get_str(v, key);
}

static ch_status broken(const char *type, const char *what, struct ch_err *err)
{
	return ch_fail(err, CH_E_INVALID, "slack: an event '%s' without %s", type, what);
}

/* -- places and people -- */

static bool kind_by_word(const char *word, enum chan_peer_kind *ret)
{
	if (str_empty(word))
		return false;
	if (str_eq(word, "im") || str_eq(word, "app_home"))
		*ret = CHAN_DIRECT;
	else if (str_eq(word, "mpim"))
		*ret = CHAN_GROUP;
	else if (str_eq(word, "channel") || str_eq(word, "group"))
		*ret = CHAN_CHANNEL;
	else
		return false;
	return true;
}

/* A DM is known by the person: its place is the same for whatever app and over a new login. */
static struct chan_peer place(const struct decoder *d, const char *channel, const char *type, const char *user_id)
{
	struct chan_peer peer = { .kind = CHAN_CHANNEL, .id = channel, .team = d->team_id };

	if (*channel == 'D')
		peer.kind = CHAN_DIRECT;
	else if (!kind_by_word(type, &peer.kind))
		peer.kind = d->known->room_kind ? d->known->room_kind(d->known->arg, channel, CHAN_CHANNEL, &peer.name)
						: CHAN_CHANNEL;
	else if (peer.kind != CHAN_DIRECT && d->known->room_kind)
		(void)d->known->room_kind(d->known->arg, channel, peer.kind, &peer.name);
	if (peer.kind == CHAN_DIRECT)
		peer.id = user_id;
	return peer;
}

static struct chan_sender sender_of(const struct decoder *d, const struct json *message)
{
	const char *user = str(message, "user"), *bot = str(message, "bot_id");
	struct chan_sender s = { .id = user ? user : bot, .is_bot = bot != NULL };

	if (user && d->known->user_name)
		s.name = d->known->user_name(d->known->arg, user);
	if (!s.name)
		s.name = str(message, "username");
	s.is_self = (user && str_eq(user, d->known->self_id)) || (bot && str_eq(bot, d->known->bot_id));
	return s;
}

static struct chan_in *add(struct decoder *d, enum chan_in_kind kind, const char *event_id, struct chan_peer peer,
			   struct chan_sender sender)
{
	struct chan_in *in = &d->out->at[d->out->count++];

	*in = (struct chan_in){ .kind = kind, .event_id = event_id, .peer = peer, .sender = sender,
				.at_ms = slack_ts_ms(str(d->event, "event_ts")), .can_mention = true };
	return in;
}

/* -- the text -- */

#define BLOCK_DEPTH_MAX 12               /* of rich text: lists within quotes and the like; deeper is not read */

/* Text of blocks, for messages that carry nothing else. */
static void put_block_text(struct buf *out, const struct json *v, int depth)
{
	const char *text = str(v, "text"), *url = str(v, "url"), *type = str(v, "type");

	if (depth > BLOCK_DEPTH_MAX)
		return;
	if (text) {
		buf_puts(out, text);
	} else if (json_is(json_get(v, "text"), JSON_OBJ)) {
		put_block_text(out, json_get(v, "text"), depth + 1);
		buf_putc(out, '\n');
	} else if (str_eq(type, "user") && str(v, "user_id")) {
		buf_printf(out, "<@%s>", str(v, "user_id"));
	} else if (str_eq(type, "emoji") && str(v, "name")) {
		buf_printf(out, ":%s:", str(v, "name"));
	} else if (url) {
		buf_printf(out, "<%s>", url);
	}
	json_each(e, json_get(v, "elements"))
		put_block_text(out, e, depth + 1);
	json_each(f, json_get(v, "fields")) {
		put_block_text(out, f, depth + 1);
		buf_putc(out, '\n');
	}
	if (str_starts(type ? type : "", "rich_text_"))
		buf_putc(out, '\n');
}

static const char *text_of(const struct decoder *d, const struct json *message)
{
	CH_AUTO_BUF struct buf out = { .max_bytes = CHAN_TEXT_MAX };
	const char *text = str(message, "text");

	if (!str_empty(text))
		return text;
	json_each(block, json_get(message, "blocks"))
		put_block_text(&out, block, 0);
	return out.len ? str_trim(d->a, buf_str(&out)) : NULL;
}

static void set_text(const struct decoder *d, struct chan_in *in, const char *text)
{
	bool has_self = false, has_others = false;

	if (!text)
		return;
	in->text = slack_plain(text, d->known, d->a, &has_self, &has_others);
	in->is_mentioned = has_self;
	in->mentions_others = has_others;
}

/* -- what hangs on a message -- */

static enum chan_media_kind media_kind(const char *mime, const char *subtype)
{
	if (str_eq(subtype, "slack_audio"))
		return CHAN_VOICE;
	if (!mime)
		return CHAN_DOCUMENT;
	return str_starts(mime, "image/")   ? CHAN_IMAGE
	       : str_starts(mime, "video/") ? CHAN_VIDEO
	       : str_starts(mime, "audio/") ? CHAN_AUDIO
					    : CHAN_DOCUMENT;
}

static void set_files(const struct decoder *d, struct chan_in *in, const struct json *message)
{
	const struct json *files = json_get(message, "files");
	struct chan_media_in *media;

	if (!json_len(files))
		return;
	media = arena_alloc(d->a, SLACK_FILES_MAX * sizeof(*media));
	json_each(f, files) {
		const char *id = str(f, "id"), *url = str(f, "url_private_download");
		struct json *ref = json_new_obj(d->a);

		if (in->media_count == SLACK_FILES_MAX)
			break;
		if (!id || str_eq(str(f, "mode"), "tombstone"))
			continue;
		json_set(d->a, ref, "id", json_new_str(d->a, id));
		if (url || str(f, "url_private"))
			json_set(d->a, ref, "url", json_new_str(d->a, url ? url : str(f, "url_private")));
		media[in->media_count++] = (struct chan_media_in){
			.kind = media_kind(str(f, "mimetype"), str(f, "subtype")),
			.ref = json_to_str(d->a, ref),
			.name = str(f, "name") ? str(f, "name") : str(f, "title"),
			.mime = str(f, "mimetype"),
			.size = json_get_int(f, "size", 0),
		};
	}
	in->media = in->media_count ? media : NULL;
}

/* Who is called into a thread of others is told what it is about. */
static const char *root_text(const struct decoder *d, const struct chan_in *in, const struct chan_quote *quote)
{
	const char *channel = str(d->event, "channel"), *text;
	bool has_self, has_others;

	if (quote->is_ours || !in->is_mentioned || !quote->message_id || !d->known->thread_root)
		return NULL;
	text = d->known->thread_root(d->known->arg, channel, quote->message_id);
	return str_empty(text) ? NULL : slack_plain(text, d->known, d->a, &has_self, &has_others);
}

/* A message that was shared with this one, or the root that a thread's message answers. */
static void set_quote(const struct decoder *d, struct chan_in *in, const struct json *message)
{
	const char *parent = str(message, "parent_user_id");
	struct chan_quote *quote = NULL;
	bool has_self, has_others;

	json_each(att, json_get(message, "attachments")) {
		const char *text = str(att, "text") ? str(att, "text") : str(att, "fallback");

		if (!json_get_bool(att, "is_share", false) && !json_get_bool(att, "is_msg_unfurl", false))
			continue;
		if (str_empty(text))
			continue;
		quote = arena_alloc(d->a, sizeof(*quote));
		quote->message_id = str(att, "ts");
		quote->sender_id = str(att, "author_id");
		quote->sender_name = str(att, "author_name");
		quote->text = slack_plain(text, d->known, d->a, &has_self, &has_others);
		in->is_forwarded = str_empty(in->text);
		break;
	}
	if (!quote && parent) {
		quote = arena_alloc(d->a, sizeof(*quote));
		quote->message_id = str(message, "thread_ts");
		quote->sender_id = parent;
		quote->sender_name = d->known->user_name ? d->known->user_name(d->known->arg, parent) : NULL;
		quote->is_ours = str_eq(parent, d->known->self_id);
		quote->text = root_text(d, in, quote);
	}
	if (quote && in->is_forwarded)
		in->text = quote->text;
	in->quote = quote;
}

/* -- messages -- */

/* A message in a thread belongs to it; one that opens a thread does so already. */
static void set_thread(const struct decoder *d, struct chan_in *in, const struct json *message)
{
	const char *ts = str(message, "ts"), *thread = str(message, "thread_ts");

	if (thread && !str_eq(thread, ts)) {
		in->peer.thread = thread;
		return;
	}
	/* A DM whose message is its own root is one of Slack's agent views: each root is a conversation there. */
	if (in->peer.kind == CHAN_DIRECT)
		in->peer.thread = thread;
	else if (d->known->threads_roots && d->known->threads_roots(d->known->arg, in->peer.kind, in->peer.id, in->is_mentioned))
		in->peer.thread = ts;
}

static ch_status take_message(struct decoder *d, const char *type, struct ch_err *err)
{
	const char *channel = str(d->event, "channel"), *ts = str(d->event, "ts");
	const struct chan_sender sender = sender_of(d, d->event);
	struct chan_in *in;

	if (!channel || !ts)
		return broken(type, "channel or ts", err);
	if (!sender.id)
		return broken(type, "a sender", err);
	if (sender.is_self)
		return CH_OK;
	in = add(d, CHAN_IN_MESSAGE, arena_printf(d->a, "m:%s:%s", channel, ts),
		 place(d, channel, str(d->event, "channel_type"), sender.id), sender);
	in->message_id = ts;
	in->at_ms = slack_ts_ms(ts);
	set_text(d, in, text_of(d, d->event));
	in->is_mentioned = in->is_mentioned || str_eq(type, "app_mention");
	set_files(d, in, d->event);
	set_quote(d, in, d->event);
	set_thread(d, in, d->event);
	return CH_OK;
}

/* Slack says "changed" also when a link unfolds or a thread grows: only another text is an edit. */
static ch_status take_edit(struct decoder *d, struct ch_err *err)
{
	const struct json *message = json_get(d->event, "message"), *before = json_get(d->event, "previous_message");
	const char *channel = str(d->event, "channel"), *ts = str(message, "ts"), *text = text_of(d, message);
	const char *edited = str(json_get(message, "edited"), "ts");
	struct chan_sender sender;
	struct chan_in *in;

	if (!channel || !ts)
		return broken("message_changed", "channel or ts", err);
	if (str_eq(str(message, "subtype"), "tombstone") || !text || !edited || (before && str_eq(text, text_of(d, before))))
		return CH_OK;
	sender = sender_of(d, message);
	if (!sender.id || sender.is_self)
		return CH_OK;
	in = add(d, CHAN_IN_EDIT, arena_printf(d->a, "e:%s:%s:%s", channel, ts, edited),
		 place(d, channel, str(d->event, "channel_type"), sender.id), sender);
	in->message_id = ts;
	set_text(d, in, text);
	set_thread(d, in, message);
	return CH_OK;
}

static ch_status take_deletion(struct decoder *d, struct ch_err *err)
{
	const struct json *message = json_get(d->event, "previous_message");
	const char *channel = str(d->event, "channel"), *ts = str(d->event, "deleted_ts");
	const struct chan_sender sender = sender_of(d, message);
	struct chan_in *in;

	if (!channel || !ts)
		return broken("message_deleted", "channel or deleted_ts", err);
	if (!sender.id || sender.is_self)
		return CH_OK;
	in = add(d, CHAN_IN_DELETE, arena_printf(d->a, "d:%s:%s", channel, ts),
		 place(d, channel, str(d->event, "channel_type"), sender.id), sender);
	in->message_id = ts;
	set_thread(d, in, message);
	return CH_OK;
}

/* What people say, and what is an entry of the room's log ("has joined"), which comes as an event of its own too. */
static ch_status take_any_message(struct decoder *d, struct ch_err *err)
{
	static const char *const said[] = { "bot_message", "file_share", "me_message", "thread_broadcast", "assistant_app_thread" };
	const char *subtype = str(d->event, "subtype");

	if (str_eq(subtype, "message_changed"))
		return take_edit(d, err);
	if (str_eq(subtype, "message_deleted"))
		return take_deletion(d, err);
	if (subtype && !str_in(subtype, said, CH_ARRAY_LEN(said)))
		return CH_OK;
	return take_message(d, "message", err);
}

static ch_status take_mention(struct decoder *d, struct ch_err *err)
{
	return take_message(d, "app_mention", err);
}

/* -- the others -- */

static ch_status take_reaction(struct decoder *d, struct ch_err *err)
{
	const struct json *item = json_get(d->event, "item");
	const char *type = str(d->event, "type"), *user = str(d->event, "user"), *name = str(d->event, "reaction");
	const char *channel = str(item, "channel"), *ts = str(item, "ts");
	const bool is_removed = str_eq(type, "reaction_removed");
	struct chan_in *in;

	if (!str_eq(str(item, "type"), "message"))
		return CH_OK;
	if (!user || !name || !channel || !ts)
		return broken(type, "user, reaction or item", err);
	if (str_eq(user, d->known->self_id))
		return CH_OK;
	in = add(d, CHAN_IN_REACTION,
		 arena_printf(d->a, "r:%s:%s:%s:%s:%s:%d", channel, ts, user, name, str(d->event, "event_ts") ? str(d->event, "event_ts") : "",
			      is_removed),
		 place(d, channel, NULL, user), sender_of(d, d->event));
	in->message_id = ts;
	in->emoji = slack_emoji_text(d->a, name);
	in->is_removed = is_removed;
	if (str_eq(str(d->event, "item_user"), d->known->self_id)) {
		struct chan_quote *quote = arena_alloc(d->a, sizeof(*quote));

		*quote = (struct chan_quote){ .message_id = ts, .sender_id = d->known->self_id, .is_ours = true };
		in->quote = quote;
	}
	return CH_OK;
}

static const char *join_word(const char *type)
{
	return str_eq(type, "member_joined_channel") ? "j" : "l";
}

/* We came or went; others do so without us. */
static ch_status take_member(struct decoder *d, struct ch_err *err)
{
	const char *type = str(d->event, "type"), *channel = str(d->event, "channel"), *user = str(d->event, "user");
	const char *inviter = str(d->event, "inviter");
	struct chan_sender sender = { .id = inviter ? inviter : user };

	if (!channel || !user)
		return broken(type, "channel or user", err);
	if (!str_eq(user, d->known->self_id))
		return CH_OK;
	sender.is_self = !inviter;
	if (inviter && d->known->user_name)
		sender.name = d->known->user_name(d->known->arg, inviter);
	add(d, str_eq(type, "member_joined_channel") ? CHAN_IN_JOIN : CHAN_IN_LEAVE,
	    arena_printf(d->a, "%s:%s:%s", join_word(type), channel, str(d->event, "event_ts") ? str(d->event, "event_ts") : ""),
	    place(d, channel, *channel == 'G' ? NULL : "channel", sender.id), sender);
	return CH_OK;
}

static ch_status take_new_id(struct decoder *d, struct ch_err *err)
{
	const char *was = str(d->event, "old_channel_id"), *is = str(d->event, "new_channel_id");
	struct chan_in *in;

	if (!was || !is)
		return broken("channel_id_changed", "ids", err);
	in = add(d, CHAN_IN_MIGRATE, arena_printf(d->a, "i:%s:%s", was, is),
		 (struct chan_peer){ .kind = CHAN_CHANNEL, .id = was, .team = d->team_id },
		 (struct chan_sender){ .id = d->known->self_id, .is_self = true });
	in->data = is;
	return CH_OK;
}

/* The stop button of Slack's agent views is the command. */
static ch_status take_stop(struct decoder *d, struct ch_err *err)
{
	const char *channel = str(d->event, "channel"), *user = str(d->event, "user"), *thread = str(d->event, "thread_ts");
	struct chan_in *in;

	if (!channel || !user)
		return broken("agent_session_stopped", "channel or user", err);
	in = add(d, CHAN_IN_COMMAND, arena_printf(d->a, "s:%s:%s:%s", channel, user, str(d->event, "event_ts") ? str(d->event, "event_ts") : ""),
		 place(d, channel, NULL, user), sender_of(d, d->event));
	in->peer.thread = thread;
	in->text = "/stop";
	in->is_mentioned = true;
	return CH_OK;
}

static const struct { const char *type; ch_status (*take)(struct decoder *d, struct ch_err *err); } takers[] = {
	{ "message", take_any_message },
	{ "app_mention", take_mention },
	{ "reaction_added", take_reaction },
	{ "reaction_removed", take_reaction },
	{ "member_joined_channel", take_member },
	{ "member_left_channel", take_member },
	{ "channel_id_changed", take_new_id },
	{ "agent_session_stopped", take_stop },
};

ch_status slack_decode_event(const struct json *payload, const struct slack_known *known, struct arena *a, struct slack_batch *ret,
			     struct ch_err *err)
{
	struct decoder d = { .known = known, .event = json_get(payload, "event"), .a = a, .out = ret };
	const char *type = str(d.event, "type"), *context = str(payload, "context_team_id");

	ret->count = 0;
	ret->ack_text = NULL;
	if (!type)
		return ch_fail(err, CH_E_INVALID, "slack: an event without a type");
	d.team_id = context ? context : str(payload, "team_id");
	for (size_t i = 0; i < CH_ARRAY_LEN(takers); i++)
		if (str_eq(takers[i].type, type))
			return takers[i].take(&d, err);
	return CH_OK; /* a kind that we did not ask for */
}
