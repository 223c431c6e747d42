/*
 * channels/discord_event.c - see discord_event.h: messages, edits, deletions, reactions, votes, guilds.
 */
#include "channels/discord_event.h"

#include <stdio.h>
#include <string.h>

#include "core/log.h"
#include "core/str.h"

#define TEXT_MAX (64u << 10)             /* Discord's own is 4000 characters; snapshots and polls come on top */
#define BULK_MAX 100                     /* of MESSAGE_DELETE_BULK */
#define ROLES_MAX 250                    /* of a guild */
#define FLAG_VOICE (1 << 13)

/* Discord's numbers: MessageType, MessageReferenceType, StickerFormatType. */
enum { TYPE_DEFAULT = 0, TYPE_REPLY = 19, REFERENCE_FORWARD = 1, STICKER_LOTTIE = 3, STICKER_GIF = 4 };

/* -- who -- */

static const char *display_name(const struct json *user, const struct json *member)
{
	const char *nick = json_get_str(member, "nick"), *global = json_get_str(user, "global_name");

	return !str_empty(nick) ? nick : !str_empty(global) ? global : json_get_str(user, "username");
}

/* A name is one line, whatever somebody managed to put into it. */
static const char *one_line(struct arena *a, const char *name)
{
	char *copy = arena_strdup(a, name);

	for (char *s = copy; s && *s; s++)
		if ((unsigned char)*s < ' ' || *s == 0x7f)
			*s = ' ';
	return copy;
}

static const char *const *role_list(struct arena *a, const struct json *roles)
{
	size_t max = CH_MIN(json_len(roles), ROLES_MAX), n = 0;
	const char **list = arena_alloc(a, (max + 1) * sizeof(*list));

	json_each(role, roles)
		if (n < max && discord_is_id(json_str(role)))
			list[n++] = json_str(role);
	return list;
}

bool discord_sender(struct arena *a, const struct discord_ctx *x, const struct json *user, const struct json *member,
		    struct chan_sender *ret)
{
	const char *id = json_get_str(user, "id");

	if (!discord_is_id(id))
		return false;
	*ret = (struct chan_sender){
		.id = id,
		.name = one_line(a, display_name(user, member)),
		.username = one_line(a, json_get_str(user, "username")),
		.roles = member ? role_list(a, json_get(member, "roles")) : NULL,
		.is_bot = json_get_bool(user, "bot", false),
		.is_self = str_eq(id, x->d->self_id),
	};
	return true;
}

/* -- where -- */

bool discord_peer(struct arena *a, const struct discord_ctx *x, const char *channel, const char *guild, const struct json *user,
		  struct chan_peer *ret)
{
	const struct discord_room *room = discord_room_find(x->d, channel);

	if (!discord_is_id(channel))
		return false;
	*ret = (struct chan_peer){ .kind = CHAN_CHANNEL, .id = channel };
	if (guild) {
		ret->guild = guild;
	} else if (room && room->type == DISCORD_GROUP_DM) {
		ret->kind = CHAN_GROUP;
	} else {
		ret->kind = CHAN_DIRECT;
		ret->id = user ? json_get_str(user, "id") : discord_dm_user(a, x->d, channel);
	}
	if (room && *room->name && ret->kind != CHAN_DIRECT)
		ret->name = one_line(a, room->name);
	if (room && *room->parent)
		ret->parent = arena_strdup(a, room->parent);
	return discord_is_id(ret->id);
}

const char *discord_event_channel(const struct json *d)
{
	return json_get_str(d, "channel_id");
}

bool discord_event_mentions_roles(const struct json *d)
{
	return json_len(json_get(d, "mention_roles")) > 0;
}

/* -- text -- */

static const struct json *find_user(const struct json *users, const char *id, size_t n)
{
	json_each(user, users) {
		const char *own = json_get_str(user, "id");

		if (own && strlen(own) == n && !memcmp(own, id, n))
			return user;
	}
	return NULL;
}

/* What stands between '<' and '>', as people read it; false: keep it as it is. */
static bool readable_one(const struct discord_ctx *x, const char *s, size_t n, const struct json *users, struct buf *out)
{
	const struct discord_room *room;
	const struct json *user;
	char id[DISCORD_ID_LEN];
	size_t skip;

	if (n > 2 && s[0] == '@' && s[1] != '&') {
		skip = s[1] == '!' ? 2 : 1;
		if (*x->d->self_id && n - skip == strlen(x->d->self_id) && !memcmp(s + skip, x->d->self_id, n - skip)) {
			buf_printf(out, "@%s", x->d->username);
			return true;
		}
		user = find_user(users, s + skip, n - skip);
		if (user)
			buf_printf(out, "@%s", json_str_or(json_get(user, "username"), "someone"));
		return user;
	}
	if (n > 1 && n < sizeof(id) && s[0] == '#') {
		snprintf(id, sizeof(id), "%.*s", (int)(n - 1), s + 1);
		room = discord_room_find(x->d, id);
		if (room && *room->name)
			buf_printf(out, "#%s", room->name);
		return room && *room->name;
	}
	/* A custom emoji: ":name:id", "a:name:id". */
	skip = n > 1 && s[0] == 'a' && s[1] == ':' ? 1 : 0;
	if (n > skip + 2 && s[skip] == ':') {
		const char *end = memchr(s + skip + 1, ':', n - skip - 1);

		if (end)
			buf_append(out, s + skip, (size_t)(end - s) - skip + 1);
		return end;
	}
	return false;
}

const char *discord_readable(struct arena *a, const struct discord_ctx *x, const char *text, const struct json *users)
{
	CH_AUTO_BUF struct buf out = { .max_bytes = TEXT_MAX };

	for (const char *s = text; *s;) {
		const char *open = strchr(s, '<');
		size_t n;

		if (!open) {
			buf_puts(&out, s);
			break;
		}
		buf_append(&out, s, (size_t)(open - s));
		n = strcspn(open + 1, "<> \n");
		if (open[n + 1] == '>' && readable_one(x, open + 1, n, users, &out)) {
			s = open + n + 2;
		} else {
			buf_putc(&out, '<');
			s = open + 1;
		}
	}
	return out.failed ? text : arena_strdup(a, buf_str(&out));
}

/* A poll is a question and its answers. */
static void add_poll(struct buf *out, const struct json *poll)
{
	const char *question = json_get_str(json_get(poll, "question"), "text");

	if (!question)
		return;
	buf_printf(out, "%sPoll: %s", out->len ? "\n" : "", question);
	json_each(answer, json_get(poll, "answers"))
		buf_printf(out, "\n- %s", json_str_or(json_get(json_get(answer, "poll_media"), "text"), "?"));
}

static void add_lottie(struct buf *out, const struct json *stickers)
{
	json_each(sticker, stickers)
		if (json_get_int(sticker, "format_type", 0) == STICKER_LOTTIE)
			buf_printf(out, "%s[sticker: %s]", out->len ? "\n" : "", json_str_or(json_get(sticker, "name"), "?"));
}

/* What a program says is often in embeds alone; those of a person are previews of links. */
static void add_embeds(struct buf *out, const struct json *d)
{
	static const char *const parts[] = { "title", "description" };

	if (!json_get(d, "webhook_id") && !json_get_bool(json_get(d, "author"), "bot", false))
		return;
	json_each(embed, json_get(d, "embeds"))
		for (size_t i = 0; i < CH_ARRAY_LEN(parts); i++)
			if (!str_empty(json_get_str(embed, parts[i])))
				buf_printf(out, "%s%s", out->len ? "\n" : "", json_get_str(embed, parts[i]));
}

static const struct json *snapshot(const struct json *d)
{
	if (json_get_int(json_get(d, "message_reference"), "type", 0) != REFERENCE_FORWARD)
		return NULL;
	return json_get(json_at(json_get(d, "message_snapshots"), 0), "message");
}

/* What the person wrote, and what they passed on. */
static const char *message_text(struct arena *a, const struct discord_ctx *x, const struct json *d, bool *ret_is_forwarded)
{
	CH_AUTO_BUF struct buf out = { .max_bytes = TEXT_MAX };
	const struct json *forwarded = snapshot(d);
	const char *words = json_str_or(json_get(forwarded, "content"), "");

	buf_puts(&out, discord_readable(a, x, json_str_or(json_get(d, "content"), ""), json_get(d, "mentions")));
	add_embeds(&out, d);
	add_poll(&out, json_get(d, "poll"));
	add_lottie(&out, json_get(d, "sticker_items"));
	if (*words)
		buf_printf(&out, "%s%s", out.len ? "\n[Forwarded message]\n" : "",
			   discord_readable(a, x, words, json_get(forwarded, "mentions")));
	*ret_is_forwarded = forwarded != NULL;
	return out.len && !out.failed ? arena_strdup(a, buf_str(&out)) : NULL;
}

/* -- files -- */

static enum chan_media_kind media_kind(const struct json *attachment, int64_t message_flags)
{
	const char *mime = json_str_or(json_get(attachment, "content_type"), "");

	if (message_flags & FLAG_VOICE)
		return CHAN_VOICE;
	if (str_starts(mime, "image/"))
		return CHAN_IMAGE;
	if (str_starts(mime, "video/"))
		return CHAN_VIDEO;
	return str_starts(mime, "audio/") ? CHAN_AUDIO : CHAN_DOCUMENT;
}

/* {"url":…,"channel":…,"message":…,"id":…}: the URL is signed and runs out, the message gives a new one. */
static const char *media_ref(struct arena *a, const char *url, const struct json *d, const char *id)
{
	CH_AUTO_BUF struct buf out = { .max_bytes = 8192 };
	struct jw w = JW(&out);

	jw_obj(&w);
	jw_kstr(&w, "url", url);
	jw_kstr_opt(&w, "channel", json_get_str(d, "channel_id"));
	jw_kstr_opt(&w, "message", json_get_str(d, "id"));
	jw_kstr_opt(&w, "id", id);
	jw_end(&w);
	return out.failed ? NULL : arena_strdup(a, buf_str(&out));
}

static void add_attachments(struct arena *a, const struct json *d, const struct json *from, struct chan_media_in *media, size_t *n)
{
	json_each(file, json_get(from, "attachments")) {
		const char *url = json_get_str(file, "url"), *ref = url ? media_ref(a, url, d, json_get_str(file, "id")) : NULL;

		if (!ref || *n == CHAN_MEDIA_COUNT_MAX)
			continue;
		media[(*n)++] = (struct chan_media_in){
			.kind = media_kind(file, json_get_int(from, "flags", 0)),
			.ref = ref,
			.name = json_get_str(file, "filename"),
			.mime = json_get_str(file, "content_type"),
			.size = CH_MAX(json_get_int(file, "size", 0), 0),
		};
	}
}

static void add_stickers(struct arena *a, const struct discord_ctx *x, const struct json *d, struct chan_media_in *media, size_t *n)
{
	json_each(sticker, json_get(d, "sticker_items")) {
		const char *id = json_get_str(sticker, "id"), *ref;
		int64_t format = json_get_int(sticker, "format_type", 0);

		if (!discord_is_id(id) || format == STICKER_LOTTIE || *n == CHAN_MEDIA_COUNT_MAX)
			continue;
		ref = media_ref(a, arena_printf(a, "%s/stickers/%s.%s", x->d->has_own_root ? x->d->api : "https://media.discordapp.net", id,
						format == STICKER_GIF ? "gif" : "png"), d, NULL);
		media[(*n)++] = (struct chan_media_in){
			.kind = CHAN_STICKER,
			.ref = ref,
			.name = json_get_str(sticker, "name"),
			.mime = format == STICKER_GIF ? "image/gif" : "image/png",
		};
	}
}

static void take_media(struct arena *a, const struct discord_ctx *x, const struct json *d, struct chan_in *in)
{
	struct chan_media_in *media = arena_alloc(a, CHAN_MEDIA_COUNT_MAX * sizeof(*media));

	add_attachments(a, d, d, media, &in->media_count);
	if (snapshot(d))
		add_attachments(a, d, snapshot(d), media, &in->media_count);
	add_stickers(a, x, d, media, &in->media_count);
	in->media = in->media_count ? media : NULL;
}

/* -- messages -- */

/* By name, by one of our roles; "@everyone" is nobody in particular. */
static void take_mentions(const struct discord_ctx *x, const struct json *d, struct chan_in *in)
{
	in->can_mention = true;
	json_each(user, json_get(d, "mentions")) {
		if (str_eq(json_get_str(user, "id"), x->d->self_id))
			in->is_mentioned = true;
		else
			in->mentions_others = true;
	}
	json_each(role, json_get(d, "mention_roles")) {
		const char *at = x->roles && discord_is_id(json_str(role)) ? strstr(x->roles, json_str(role)) : NULL;

		if (at && (at == x->roles || at[-1] == ' ') && at[strlen(json_str(role))] == ' ')
			in->is_mentioned = true;
		else
			in->mentions_others = true;
	}
}

static const struct chan_quote *take_quote(struct arena *a, const struct discord_ctx *x, const struct json *d)
{
	const struct json *to = json_get(d, "referenced_message"), *author = json_get(to, "author");
	const char *id = json_get_str(to, "id"), *text;
	struct chan_quote *q;
	bool is_forwarded;

	if (!discord_is_id(id) || snapshot(d))
		return NULL;
	text = message_text(a, x, to, &is_forwarded);
	q = arena_alloc(a, sizeof(*q));
	*q = (struct chan_quote){
		.message_id = id,
		.sender_id = json_get_str(author, "id"),
		.sender_name = one_line(a, display_name(author, NULL)),
		.text = text,
		.is_ours = str_eq(json_get_str(author, "id"), x->d->self_id),
	};
	return q;
}

/* A webhook writes under any name and face; what it is known by is its own id. */
static bool take_author(struct arena *a, const struct discord_ctx *x, const struct json *d, struct chan_in *in)
{
	const char *webhook = json_get_str(d, "webhook_id");

	if (!discord_sender(a, x, json_get(d, "author"), json_get(d, "member"), &in->sender))
		return false;
	if (webhook && !in->sender.is_self) {
		in->sender.id = arena_printf(a, "webhook:%s", webhook);
		in->sender.is_bot = true;
		in->sender.roles = NULL;
	}
	return true;
}

/* What messages, edits and deletions have in common. */
static bool begin_message(struct arena *a, const struct discord_ctx *x, const struct json *d, enum chan_in_kind kind, struct chan_in *in)
{
	const char *id = json_get_str(d, "id");

	*in = (struct chan_in){ .kind = kind, .message_id = id, .at_ms = discord_id_ms(id) };
	if (!discord_is_id(id) || !take_author(a, x, d, in) || in->sender.is_self ||
	    !discord_peer(a, x, json_get_str(d, "channel_id"), json_get_str(d, "guild_id"), json_get(d, "author"), &in->peer))
		return false;
	if (json_get_int(d, "channel_type", DISCORD_DM) == DISCORD_GROUP_DM) {
		in->peer.kind = CHAN_GROUP;
		in->peer.id = json_get_str(d, "channel_id");
	}
	return true;
}

static size_t on_message(struct arena *a, const struct discord_ctx *x, const struct json *d, struct chan_in *in)
{
	int64_t type = json_get_int(d, "type", 0);

	/* Joins, pins, boosts and the like are the platform's words. */
	if ((type != TYPE_DEFAULT && type != TYPE_REPLY) || !begin_message(a, x, d, CHAN_IN_MESSAGE, in))
		return 0;
	in->event_id = arena_printf(a, "m:%s", in->message_id);
	in->text = message_text(a, x, d, &in->is_forwarded);
	take_media(a, x, d, in);
	take_mentions(x, d, in);
	in->quote = take_quote(a, x, d);
	return in->text || in->media_count;
}

static size_t on_edit(struct arena *a, const struct discord_ctx *x, const struct json *d, struct chan_in *in)
{
	const char *edited = json_get_str(d, "edited_timestamp");

	/* Link previews and pins update a message too; only its author's edit has a time. */
	if (!edited || !json_get_str(d, "content") || !begin_message(a, x, d, CHAN_IN_EDIT, in))
		return 0;
	in->event_id = arena_printf(a, "e:%s:%s", in->message_id, edited);
	in->at_ms = 0;
	in->text = message_text(a, x, d, &in->is_forwarded);
	take_mentions(x, d, in);
	return 1;
}

/* Who deleted it is not told: the sender is nobody. */
static size_t on_delete(struct arena *a, const struct discord_ctx *x, const struct json *d, const char *id, struct chan_in *in)
{
	*in = (struct chan_in){ .kind = CHAN_IN_DELETE, .message_id = id, .event_id = arena_printf(a, "d:%s", id), .sender = { .id = "0" } };
	if (!discord_is_id(id) || !discord_peer(a, x, json_get_str(d, "channel_id"), json_get_str(d, "guild_id"), NULL, &in->peer))
		return 0;
	/* In a DM only its author can delete a message that is not ours. */
	if (in->peer.kind == CHAN_DIRECT)
		in->sender.id = in->peer.id;
	return 1;
}

/* -- reactions and votes -- */

static const char *emoji_text(struct arena *a, const struct json *emoji)
{
	const char *id = json_get_str(emoji, "id"), *name = json_get_str(emoji, "name");

	return id ? arena_printf(a, "%s:%s", name ? name : "emoji", id) : name;
}

static bool begin_by_user(struct arena *a, const struct discord_ctx *x, const struct json *d, char word, struct chan_in *in)
{
	const struct json *member = json_get(d, "member"), *user = json_get(member, "user");
	const char *id = json_get_str(d, "user_id");
	struct json *bare = json_new_obj(a);

	json_set(a, bare, "id", json_new_str(a, id));
	in->event_id = arena_printf(a, "%c:%s:%lld", word, x->session, (long long)x->seq);
	in->message_id = json_get_str(d, "message_id");
	return discord_is_id(id) && discord_is_id(in->message_id) &&
	       discord_sender(a, x, str_eq(json_get_str(user, "id"), id) ? user : bare, member, &in->sender) &&
	       !in->sender.is_self && discord_peer(a, x, json_get_str(d, "channel_id"), json_get_str(d, "guild_id"), bare, &in->peer);
}

static size_t on_reaction(struct arena *a, const struct discord_ctx *x, const struct json *d, bool is_removed, struct chan_in *in)
{
	const char *author = json_get_str(d, "message_author_id");
	struct chan_quote *q = arena_alloc(a, sizeof(*q));

	*in = (struct chan_in){ .kind = CHAN_IN_REACTION, .is_removed = is_removed, .emoji = emoji_text(a, json_get(d, "emoji")) };
	if (!in->emoji || !begin_by_user(a, x, d, 'r', in))
		return 0;
	*q = (struct chan_quote){ .message_id = in->message_id, .sender_id = author, .is_ours = str_eq(author, x->d->self_id) };
	in->quote = author ? q : NULL;
	return 1;
}

static size_t on_vote(struct arena *a, const struct discord_ctx *x, const struct json *d, bool is_removed, struct chan_in *in)
{
	*in = (struct chan_in){ .kind = CHAN_IN_VOTE, .is_removed = is_removed };
	in->data = arena_printf(a, "%lld", (long long)json_get_int(d, "answer_id", 0));
	return begin_by_user(a, x, d, 'v', in);
}

/* -- guilds -- */

/* The room that a guild's notices go to, else its first text channel. */
static const char *front_room(const struct json *guild)
{
	const char *notices = json_get_str(guild, "system_channel_id");

	if (notices)
		return notices;
	json_each(channel, json_get(guild, "channels"))
		if (json_get_int(channel, "type", -1) == DISCORD_GUILD_TEXT)
			return json_get_str(channel, "id");
	return NULL;
}

static size_t on_guild(struct arena *a, const struct discord_ctx *x, const struct json *d, enum chan_in_kind kind, struct chan_in *in)
{
	const char *guild = json_get_str(d, "id"), *room = kind == CHAN_IN_JOIN ? front_room(d) : guild;

	*in = (struct chan_in){ .kind = kind, .event_id = arena_printf(a, "g:%s:%lld", x->session, (long long)x->seq) };
	in->sender.id = "0";
	if (!discord_is_id(guild) || !discord_peer(a, x, room, guild, NULL, &in->peer))
		return 0;
	in->peer.name = one_line(a, json_get_str(d, "name"));
	return 1;
}

/* -- which -- */

enum event { EV_MESSAGE, EV_EDIT, EV_DELETE, EV_DELETE_BULK, EV_REACT, EV_UNREACT, EV_VOTE, EV_UNVOTE, EV_INTERACTION, EV_JOIN,
	     EV_LEAVE, EV_NONE };

static enum event event_of(const char *type)
{
	static const char *const names[] = {
		"MESSAGE_CREATE", "MESSAGE_UPDATE", "MESSAGE_DELETE", "MESSAGE_DELETE_BULK", "MESSAGE_REACTION_ADD",
		"MESSAGE_REACTION_REMOVE", "MESSAGE_POLL_VOTE_ADD", "MESSAGE_POLL_VOTE_REMOVE", "INTERACTION_CREATE",
		"GUILD_CREATE", "GUILD_DELETE",
	};

	for (size_t i = 0; i < CH_ARRAY_LEN(names); i++)
		if (str_eq(names[i], type))
			return (enum event)i;
	return EV_NONE;
}

bool discord_is_event(const char *type)
{
	return event_of(type) != EV_NONE;
}

static size_t on_bulk(struct arena *a, const struct discord_ctx *x, const struct json *d, struct chan_in *in)
{
	size_t n = 0;

	json_each(id, json_get(d, "ids"))
		if (n < BULK_MAX)
			n += on_delete(a, x, d, json_str(id), &in[n]);
	return n;
}

ch_status discord_event(struct arena *a, const struct discord_ctx *x, const char *type, const struct json *d, struct chan_in **ret,
			size_t *ret_count, struct ch_err *err)
{
	enum event ev = event_of(type);
	struct chan_in *in = arena_alloc(a, (ev == EV_DELETE_BULK ? BULK_MAX : 1) * sizeof(*in));
	size_t n = 0;

	if (!json_is(d, JSON_OBJ))
		return ch_fail(err, CH_E_PEER, "discord gateway: %s without data", log_quote(type));
	switch (ev) {
	case EV_MESSAGE: n = on_message(a, x, d, in); break;
	case EV_EDIT: n = on_edit(a, x, d, in); break;
	case EV_DELETE: n = on_delete(a, x, d, json_get_str(d, "id"), in); break;
	case EV_DELETE_BULK: n = on_bulk(a, x, d, in); break;
	case EV_REACT: n = on_reaction(a, x, d, false, in); break;
	case EV_UNREACT: n = on_reaction(a, x, d, true, in); break;
	case EV_VOTE: n = on_vote(a, x, d, false, in); break;
	case EV_UNVOTE: n = on_vote(a, x, d, true, in); break;
	case EV_INTERACTION: n = discord_interaction(a, x, d, in); break;
	case EV_JOIN: n = on_guild(a, x, d, CHAN_IN_JOIN, in); break;
	case EV_LEAVE: n = on_guild(a, x, d, CHAN_IN_LEAVE, in); break;
	case EV_NONE: break;
	}
	/* In a DM nobody has roles. */
	for (size_t i = 0; i < n; i++)
		if (in[i].peer.kind == CHAN_DIRECT)
			in[i].sender.roles = x->audiences;
	*ret = in;
	*ret_count = n;
	return CH_OK;
}
