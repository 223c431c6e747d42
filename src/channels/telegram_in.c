/*
 * channels/telegram_in.c - an update of the Bot API to the events of the channel core. Pure: JSON in, struct chan_in out.
 *
 * Who said it  `from`, but for messages that are sent on behalf of a chat (`sender_chat`: anonymous administrators, channels):
 *              then that chat's id, which is negative and so never that of a person in an allowlist.
 * Where        private chat: direct; group and supergroup: group, with the topic of a forum ("1" is General, whose messages
 *              have no thread id); channel: channel.
 * Unknown      kinds of updates give no event: their id is passed all the same, so that they are not asked for again.
 */
#include "channels/telegram.h"

#include "core/str.h"

#define RICH_DEPTH_MAX 16
#define QUOTE_MAX 4096

const char tg_allowed_updates[] = "[\"message\",\"edited_message\",\"channel_post\",\"edited_channel_post\",\"message_reaction\","
				  "\"callback_query\",\"poll_answer\",\"my_chat_member\"]";

struct decoder {
	const struct tg_me *me;
	struct arena *a;
	const char *event_id;            /* of the first event */
	struct chan_in *out;
	size_t count;
};

static struct chan_in *add(struct decoder *d, enum chan_in_kind kind)
{
	struct chan_in *in;

	if (d->count == TG_PER_UPDATE_MAX)
		return NULL;
	in = &d->out[d->count];
	*in = (struct chan_in){ .kind = kind, .can_mention = d->me->username != NULL };
	in->event_id = d->count ? arena_printf(d->a, "%s:%zu", d->event_id, d->count) : d->event_id;
	d->count++;
	return in;
}

/* A name of others: cut, and no control characters. */
static const char *name_of(struct decoder *d, const struct json *v)
{
	const char *s = json_str(v);
	char *line;

	if (str_empty(s))
		return NULL;
	line = arena_strndup(d->a, s, utf8_cut(s, strlen(s), CHAN_NAME_MAX - 1));
	for (char *p = line; *p; p++)
		if ((unsigned char)*p < ' ')
			*p = ' ';
	return line;
}

/* -- where -- */

static bool read_peer(struct decoder *d, const struct json *chat, struct chan_peer *ret)
{
	const char *type = json_str_or(json_get(chat, "type"), "");

	*ret = (struct chan_peer){ .id = tg_id(json_get(chat, "id"), d->a) };
	if (!ret->id)
		return false;
	if (str_eq(type, "private"))
		ret->kind = CHAN_DIRECT;
	else if (str_eq(type, "group") || str_eq(type, "supergroup"))
		ret->kind = CHAN_GROUP;
	else if (str_eq(type, "channel"))
		ret->kind = CHAN_CHANNEL;
	else
		return false;
	ret->name = name_of(d, json_get(chat, "title"));
	if (!ret->name)
		ret->name = name_of(d, json_get(chat, "username"));
	return true;
}

static const char *thread_of(struct decoder *d, const struct json *message)
{
	const struct json *chat = json_get(message, "chat");
	const char *thread = tg_id(json_get(message, "message_thread_id"), d->a);

	if (str_eq(json_get_str(chat, "type"), "private"))
		return d->me->has_topics ? thread : NULL;
	if (!json_get_bool(chat, "is_forum", false))
		return NULL;                             /* a thread of replies, not a topic */
	return thread && json_get_bool(message, "is_topic_message", true) ? thread : TG_GENERAL_TOPIC;
}

static void read_sender(struct decoder *d, const struct json *user, const struct json *chat, struct chan_sender *ret)
{
	*ret = (struct chan_sender){ 0 };
	if (chat) {
		ret->id = tg_id(json_get(chat, "id"), d->a);
		ret->name = name_of(d, json_get(chat, "title"));
		ret->username = name_of(d, json_get(chat, "username"));
		return;
	}
	ret->id = tg_id(json_get(user, "id"), d->a);
	ret->name = tg_user_name(user, d->a);
	ret->username = name_of(d, json_get(user, "username"));
	ret->is_bot = json_get_bool(user, "is_bot", false);
	ret->is_self = ret->id && str_eq(ret->id, d->me->id);
}

/* -- text -- */

static void rich_text(const struct json *v, struct buf *out, int depth)
{
	static const char *const parts[] = { "label", "summary", "text", "blocks", "items", "cells", "caption", "credit" };

	if (depth == RICH_DEPTH_MAX || out->failed)
		return;
	if (json_str(v))
		buf_puts(out, json_str(v));
	if (json_is(v, JSON_ARR))
		json_each(item, v)
			rich_text(item, out, depth + 1);
	if (!json_is(v, JSON_OBJ))
		return;
	for (size_t i = 0; i < CH_ARRAY_LEN(parts); i++)
		rich_text(json_get(v, parts[i]), out, depth + 1);
	/* Blocks and list items are lines; spans within a text are not. */
	if (json_is(json_get(v, "type"), JSON_STR) && json_is(json_get(v, "text"), JSON_STR) == (depth <= 2))
		buf_putc(out, depth <= 2 ? '\n' : ' ');
}

static const char *rich_message_text(struct decoder *d, const struct json *rich)
{
	CH_AUTO_BUF struct buf out = { 0 };

	buf_init(&out, CHAN_TEXT_MAX);
	rich_text(json_get(rich, "blocks"), &out, 0);
	return str_trim(d->a, buf_str(&out));
}

/* Text or caption with its entities; kinds without either are put into words. */
static void read_text(struct decoder *d, const struct json *m, struct tg_text *ret)
{
	const struct json *text = json_get(m, "text"), *entities = json_get(m, "entities");

	*ret = (struct tg_text){ 0 };
	if (!json_str(text)) {
		text = json_get(m, "caption");
		entities = json_get(m, "caption_entities");
	}
	if (json_str(text))
		tg_text_read(json_str(text), text->len, entities, d->me, d->a, ret);
	else if (json_get(m, "rich_message"))
		ret->text = rich_message_text(d, json_get(m, "rich_message"));
	else
		ret->text = tg_special_text(m, d->a);
}

/* -- what is answered -- */

static const char *media_word(const struct json *m)
{
	static const char *const keys[] = { "photo", "video", "animation", "video_note", "voice", "audio", "sticker", "document",
					    "location", "contact", "poll", "story" };
	static const char *const words[] = { "<media:image>", "<media:video>", "<media:video>", "<media:video>", "<media:audio>",
					     "<media:audio>", "<media:sticker>", "<media:document>", "<location>", "<contact>",
					     "<poll>", "<media:story>" };

	for (size_t i = 0; i < CH_ARRAY_LEN(keys); i++)
		if (json_get(m, keys[i]))
			return words[i];
	return NULL;
}

static const char *quoted_text(struct decoder *d, const struct json *message, const struct json *original)
{
	struct tg_text text;
	const char *part = json_get_str(json_get(message, "quote"), "text");

	if (!str_empty(part))
		return arena_strndup(d->a, part, utf8_cut(part, strlen(part), QUOTE_MAX));
	read_text(d, original, &text);
	if (!str_empty(text.text))
		return arena_strndup(d->a, text.text, utf8_cut(text.text, strlen(text.text), QUOTE_MAX));
	return media_word(original);
}

/* The message that opened a topic stands as the answered one in all of its messages: it is none. */
static bool is_topic_root(const struct json *message, const struct json *original)
{
	return json_get(original, "forum_topic_created") ||
	       (json_get_bool(message, "is_topic_message", false) &&
		json_get_int(original, "message_id", -1) == json_get_int(message, "message_thread_id", -2));
}

static const char *origin_name(struct decoder *d, const struct json *origin, const char **ret_id)
{
	const struct json *user = json_get(origin, "sender_user");
	const struct json *chat = json_get(origin, "sender_chat");

	*ret_id = NULL;
	if (user) {
		*ret_id = tg_id(json_get(user, "id"), d->a);
		return tg_user_name(user, d->a);
	}
	if (!chat)
		chat = json_get(origin, "chat");
	if (chat) {
		*ret_id = tg_id(json_get(chat, "id"), d->a);
		return name_of(d, json_get(chat, "title"));
	}
	return name_of(d, json_get(origin, "sender_user_name"));
}

static const struct chan_quote *read_quote(struct decoder *d, const struct json *message)
{
	const struct json *original = json_get(message, "reply_to_message");
	const struct json *elsewhere = json_get(message, "external_reply");
	struct chan_quote q = { 0 };
	struct chan_sender sender;
	struct chan_quote *kept;

	if (original && !is_topic_root(message, original)) {
		read_sender(d, json_get(original, "from"), json_get(original, "sender_chat"), &sender);
		q = (struct chan_quote){ .message_id = tg_id(json_get(original, "message_id"), d->a), .sender_id = sender.id,
					 .sender_name = sender.name, .is_ours = sender.is_self };
		q.text = quoted_text(d, message, original);
	} else if (elsewhere) {
		q.message_id = tg_id(json_get(elsewhere, "message_id"), d->a);
		q.sender_name = origin_name(d, json_get(elsewhere, "origin"), &q.sender_id);
		q.text = quoted_text(d, message, elsewhere);
	} else {
		return NULL;
	}
	kept = arena_alloc(d->a, sizeof(*kept));
	*kept = q;
	return kept;
}

/* -- messages -- */

static const char *forward_head(struct decoder *d, const struct json *origin)
{
	const char *id;
	const char *name = origin_name(d, origin, &id);

	return name ? arena_printf(d->a, "[Forwarded from %s]\n", name) : "[Forwarded]\n";
}

static void read_content(struct decoder *d, const struct json *m, struct chan_in *in)
{
	struct chan_location place;
	struct tg_text text;

	read_text(d, m, &text);
	in->text = text.text;
	in->is_mentioned = text.is_mentioned;
	in->mentions_others = text.mentions_others;
	in->media_count = tg_media_read(m, d->a, &in->media);
	if (tg_location_read(m, &place)) {
		struct chan_location *kept = arena_alloc(d->a, sizeof(*kept));

		*kept = place;
		kept->name = name_of(d, json_get(json_get(m, "venue"), "title"));
		kept->address = name_of(d, json_get(json_get(m, "venue"), "address"));
		in->location = kept;
	}
	in->is_forwarded = json_get(m, "forward_origin") || json_get_bool(m, "is_automatic_forward", false);
	if (json_get(m, "forward_origin"))
		in->text = arena_printf(d->a, "%s%s", forward_head(d, json_get(m, "forward_origin")), in->text ? in->text : "");
	in->quote = read_quote(d, m);
	in->group_id = name_of(d, json_get(m, "media_group_id"));
}

static void read_message(struct decoder *d, const struct json *m, bool is_edit)
{
	const char *new_id = tg_id(json_get(m, "migrate_to_chat_id"), d->a);
	const struct json *from = json_get(m, "from"), *chat = json_get(m, "sender_chat");
	struct chan_in in = { .can_mention = d->me->username != NULL };
	struct chan_in *kept;

	in.message_id = tg_id(json_get(m, "message_id"), d->a);
	if (!in.message_id || !read_peer(d, json_get(m, "chat"), &in.peer))
		return;
	in.peer.thread = thread_of(d, m);
	read_sender(d, from, chat ? chat : from ? NULL : json_get(m, "chat"), &in.sender);
	in.at_ms = 1000 * CH_MIN(CH_MAX(json_get_int(m, is_edit ? "edit_date" : "date", 0), 0), INT64_C(1) << 40);
	if (!in.sender.id)
		return;
	read_content(d, m, &in);
	if (new_id) {
		in.kind = CHAN_IN_MIGRATE;
		in.data = new_id;
	} else if (is_edit && in.location) {
		return;                                  /* a live place moves every few seconds: told is where it began */
	} else if (str_empty(in.text) && !in.media_count && !in.location) {
		return;                                  /* a service message */
	} else {
		in.kind = is_edit ? CHAN_IN_EDIT : CHAN_IN_MESSAGE;
	}
	kept = add(d, in.kind);
	in.event_id = kept->event_id;
	*kept = in;
}

/* -- reactions -- */

static const char *reaction_emoji(struct decoder *d, const struct json *r)
{
	const char *type = json_str_or(json_get(r, "type"), "");

	if (str_eq(type, "emoji"))
		return name_of(d, json_get(r, "emoji"));
	if (str_eq(type, "custom_emoji") && json_get_str(r, "custom_emoji_id"))
		return arena_printf(d->a, "custom_emoji:%.64s", json_get_str(r, "custom_emoji_id"));
	return str_eq(type, "paid") ? "\u2b50" : NULL;
}

static bool has_reaction(const struct json *list, const struct json *wanted)
{
	json_each(r, list)
		if (json_equal(r, wanted))
			return true;
	return false;
}

/* Those of `list` that `other` lacks. */
static void read_reactions(struct decoder *d, const struct json *u, const char *list, const char *other, bool is_removed)
{
	json_each(r, json_get(u, list)) {
		const char *emoji = has_reaction(json_get(u, other), r) ? NULL : reaction_emoji(d, r);
		struct chan_in *in = emoji ? add(d, CHAN_IN_REACTION) : NULL;

		if (!in)
			continue;
		in->emoji = emoji;
		in->is_removed = is_removed;
		in->message_id = tg_id(json_get(u, "message_id"), d->a);
		in->at_ms = 1000 * CH_MIN(CH_MAX(json_get_int(u, "date", 0), 0), INT64_C(1) << 40);
		read_peer(d, json_get(u, "chat"), &in->peer);
		if (json_get_bool(json_get(u, "chat"), "is_forum", false))
			in->peer.thread = TG_TOPIC_UNKNOWN;
		read_sender(d, json_get(u, "user"), json_get(u, "actor_chat"), &in->sender);
	}
}

static void read_reaction(struct decoder *d, const struct json *u)
{
	const struct json *actor = json_get(u, "actor_chat");
	struct chan_peer peer;

	if (!read_peer(d, json_get(u, "chat"), &peer) || !tg_id(json_get(u, "message_id"), d->a) ||
	    !tg_id(json_get(actor ? actor : json_get(u, "user"), "id"), d->a))
		return;
	read_reactions(d, u, "new_reaction", "old_reaction", false);
	read_reactions(d, u, "old_reaction", "new_reaction", true);
}

/* -- the others -- */

static void read_press(struct decoder *d, const struct json *q)
{
	const struct json *m = json_get(q, "message");
	struct chan_peer peer;
	struct chan_in *in;

	if (!json_get_str(q, "data") || !json_get_str(q, "id") || !tg_id(json_get(json_get(q, "from"), "id"), d->a) ||
	    !tg_id(json_get(m, "message_id"), d->a) || !read_peer(d, json_get(m, "chat"), &peer))
		return;
	in = add(d, CHAN_IN_PRESS);
	in->peer = peer;
	in->peer.thread = thread_of(d, m);
	in->message_id = tg_id(json_get(m, "message_id"), d->a);
	read_sender(d, json_get(q, "from"), NULL, &in->sender);
	in->data = arena_strndup(d->a, json_get_str(q, "data"), CHAN_ID_MAX);
	in->handle = name_of(d, json_get(q, "id"));
}

/* The poll's place is not told; telegram_poll.c knows what was sent. */
static void read_vote(struct decoder *d, const struct json *v)
{
	const struct json *chat = json_get(v, "voter_chat");
	struct chan_in *in;

	if (!json_get_str(v, "poll_id") || !tg_id(json_get(chat ? chat : json_get(v, "user"), "id"), d->a))
		return;
	in = add(d, CHAN_IN_VOTE);
	read_sender(d, json_get(v, "user"), chat, &in->sender);
	in->message_id = name_of(d, json_get(v, "poll_id"));
	in->data = json_to_str(d->a, json_get(v, "option_ids"));
	in->peer = (struct chan_peer){ .kind = CHAN_DIRECT, .id = in->sender.id };
}

static bool is_inside(const struct json *member)
{
	const char *status = json_str_or(json_get(member, "status"), "");

	return str_eq(status, "member") || str_eq(status, "administrator") || str_eq(status, "creator") ||
	       (str_eq(status, "restricted") && json_get_bool(member, "is_member", false));
}

static void read_membership(struct decoder *d, const struct json *u)
{
	bool was = is_inside(json_get(u, "old_chat_member")), is = is_inside(json_get(u, "new_chat_member"));
	struct chan_peer peer;
	struct chan_in *in;

	if (was == is || !read_peer(d, json_get(u, "chat"), &peer) || peer.kind == CHAN_DIRECT ||
	    !tg_id(json_get(json_get(u, "from"), "id"), d->a))
		return;
	in = add(d, is ? CHAN_IN_JOIN : CHAN_IN_LEAVE);
	in->peer = peer;
	in->at_ms = 1000 * CH_MIN(CH_MAX(json_get_int(u, "date", 0), 0), INT64_C(1) << 40);
	read_sender(d, json_get(u, "from"), NULL, &in->sender);
}

static const struct { const char *key; void (*read)(struct decoder *d, const struct json *v); } kinds[] = {
	{ "message_reaction", read_reaction },
	{ "callback_query", read_press },
	{ "poll_answer", read_vote },
	{ "my_chat_member", read_membership },
};

bool tg_update_read(const struct json *update, const struct tg_me *me, struct arena *a, int64_t *ret_update_id,
		    struct chan_in ret[TG_PER_UPDATE_MAX], size_t *ret_count)
{
	static const struct { const char *key; bool is_edit; } messages[] = {
		{ "message", false }, { "channel_post", false }, { "edited_message", true }, { "edited_channel_post", true },
	};
	struct decoder d = { .me = me, .a = a, .out = ret };

	*ret_count = 0;
	*ret_update_id = json_get_int(update, "update_id", -1);
	if (*ret_update_id < 0)
		return false;
	d.event_id = arena_printf(a, "%lld", (long long)*ret_update_id);
	for (size_t i = 0; i < CH_ARRAY_LEN(messages); i++)
		if (json_get(update, messages[i].key))
			read_message(&d, json_get(update, messages[i].key), messages[i].is_edit);
	for (size_t i = 0; i < CH_ARRAY_LEN(kinds); i++)
		if (json_get(update, kinds[i].key))
			kinds[i].read(&d, json_get(update, kinds[i].key));
	*ret_count = d.count;
	return true;
}
