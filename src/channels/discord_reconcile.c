/*
 * channels/discord_reconcile.c - did a message arrive? Asked when the answer to a send was lost, also with the process that sent it.
 *
 *	told by the Gateway            it did: our own message comes back with its nonce
 *	a message of a room            for a minute it is sent again, as the nonce makes that show once; later the history tells
 *	a post of a forum              the posts that are open tell
 *	an answer to an interaction    the first part stands in the command's place; what follows is in the history, unless only
 *	                               one person sees it: then nobody can tell
 */
#include "channels/discord_send.h"

#include "core/clock.h"
#include "core/fiber.h"
#include "core/str.h"

#define WAIT_MS 10000
#define NONCE_SAFE_MS 60000              /* Discord keeps nonces "a few minutes" */
#define HISTORY 50
#define CLOCK_SLACK_MS 5000              /* between Discord's clock and ours */

/* What is looked for. */
struct sought {
	struct discord *d;
	const struct chan_out *out;
	const char *text, *reply_to;     /* as Discord keeps it */
	int64_t since_ms;
	struct arena *arena;
};

static void found(const struct sought *s, const char *id, struct chan_sent *ret)
{
	*ret = (struct chan_sent){ .outcome = CHAN_SENT, .message_id = arena_strdup(s->arena, id) };
}

static const char *told_by_gateway(const struct discord *d, const char *key)
{
	for (size_t i = 0; key && i < DISCORD_NONCES; i++)
		if (*d->nonces[i].nonce && !strncmp(d->nonces[i].nonce, key, DISCORD_NONCE_LEN))
			return d->nonces[i].id;
	return NULL;
}

static bool is_new(const struct sought *s, const char *id)
{
	return discord_is_id(id) && discord_id_ms(id) >= s->since_ms - CLOCK_SLACK_MS;
}

static bool has_words(const struct sought *s, const struct json *m)
{
	const char *content = json_str_or(json_get(m, "content"), "");

	return str_eq(str_trim(s->arena, content), str_trim(s->arena, s->text)) &&
	       json_len(json_get(m, "attachments")) == s->out->media_count;
}

/* Ours, not older than the try, and the same: by its nonce where Discord still knows it, else by its words and what it answers. */
static bool is_this(const struct sought *s, const struct json *m)
{
	const char *nonce = json_get_str(m, "nonce"), *key = s->out->key;

	if (!str_eq(json_get_str(json_get(m, "author"), "id"), s->d->self_id) || !is_new(s, json_get_str(m, "id")))
		return false;
	if (nonce && key)
		return !strncmp(nonce, key, DISCORD_NONCE_LEN) && strlen(nonce) == CH_MIN(strlen(key), DISCORD_NONCE_LEN);
	return has_words(s, m) && (!s->reply_to || str_eq(json_get_str(json_get(m, "message_reference"), "message_id"), s->reply_to));
}

static CH_FIBER ch_status ask(const struct sought *s, const char *path, struct discord_rs *ret, struct ch_err *err)
{
	return discord_call(s->d, &(struct discord_rq){ .method = "GET", .path = path, .wait_max_ms = WAIT_MS }, s->arena, ret, err);
}

static CH_FIBER ch_status in_history(const struct sought *s, const char *channel, struct chan_sent *ret, struct ch_err *err)
{
	int64_t oldest_ms = INT64_MAX;
	struct discord_rs rs;
	ch_status st = ask(s, arena_printf(s->arena, "/channels/%s/messages?limit=%d", channel, HISTORY), &rs, err);

	if (st)
		return st;
	json_each(m, rs.body) {
		oldest_ms = CH_MIN(oldest_ms, discord_id_ms(json_get_str(m, "id")));
		if (is_this(s, m)) {
			found(s, json_get_str(m, "id"), ret);
			return CH_OK;
		}
	}
	/* Nothing at all: most likely we may not read here, so it tells nothing. */
	if (json_len(rs.body) && (oldest_ms < s->since_ms - CLOCK_SLACK_MS || json_len(rs.body) < HISTORY))
		ret->outcome = CHAN_NOT_SENT;
	return CH_OK;
}

/* A post is a thread with the id of its first message; a new one is among those that are open, and these are told whole. */
static CH_FIBER ch_status in_forum(const struct sought *s, const char *forum, const char *guild, struct chan_sent *ret,
				   struct ch_err *err)
{
	const char *title = str_trim(s->arena, discord_post_title(s->arena, s->out));
	struct discord_rs rs;
	ch_status st = ask(s, arena_printf(s->arena, "/guilds/%s/threads/active", guild), &rs, err);

	if (st)
		return st;
	ret->outcome = CHAN_NOT_SENT;
	json_each(post, json_get(rs.body, "threads")) {
		const char *id = json_get_str(post, "id");

		if (!str_eq(json_get_str(post, "parent_id"), forum) || !str_eq(json_get_str(post, "owner_id"), s->d->self_id) ||
		    !is_new(s, id) || !str_eq(json_get_str(post, "name"), title))
			continue;
		found(s, id, ret);
		ret->thread = ret->message_id;
	}
	return CH_OK;
}

static CH_FIBER ch_status in_room(const struct sought *s, struct chan_sent *ret, struct ch_err *err)
{
	struct chan_peer peer = discord_destination(s->arena, s->out);
	const struct discord_room *room = NULL;
	const char *channel;
	ch_status st = discord_channel_of(s->d, &peer, s->arena, &channel, err);

	if (!st && peer.kind != CHAN_DIRECT)
		st = discord_room(s->d, channel, &room, err);
	if (st)
		return st;
	if (room && discord_is_forum(room->type))
		return in_forum(s, channel, arena_strdup(s->arena, room->guild), ret, err);
	if (now_wall_ms() - s->since_ms >= NONCE_SAFE_MS)
		return in_history(s, channel, ret, err);
	ret->outcome = CHAN_NOT_SENT;
	return CH_OK;
}

/* CH_E_NOT_FOUND: it cannot have been answered this way. */
static CH_FIBER ch_status in_answers(struct sought *s, const struct discord_handle *h, struct chan_sent *ret, struct ch_err *err)
{
	struct discord_rs rs = { .status = 0 };
	const char *channel;
	ch_status st = h->kind == 'c' ? discord_original(s->d, h, s->arena, &rs, err) : CH_OK;

	if (st)
		return st;
	if (discord_is_thinking(rs.body)) {
		ret->outcome = CHAN_NOT_SENT;
		return CH_OK;
	}
	if (discord_is_id(json_get_str(rs.body, "id")) && has_words(s, rs.body)) {
		found(s, json_get_str(rs.body, "id"), ret);
		return CH_OK;
	}
	if (s->out->ephemeral_to || h->only)
		return CH_OK;
	s->reply_to = NULL;              /* it answers the interaction */
	st = discord_channel_of(s->d, &s->out->peer, s->arena, &channel, err);
	return st ? st : in_history(s, channel, ret, err);
}

CH_FIBER ch_status discord_reconcile(struct chan_acct *acct, const struct chan_out *out, int64_t since_ms, struct arena *a,
				     struct chan_sent *ret, struct ch_err *err)
{
	CH_AUTO(discord_unref) struct discord *d = NULL;
	struct sought s = { .out = out, .reply_to = out->reply_to, .since_ms = since_ms, .arena = a };
	struct discord_text text;
	struct discord_handle h;
	const char *id;
	ch_status st = discord_of(acct, &d, err);

	*ret = (struct chan_sent){ .outcome = CHAN_UNSURE };
	if (st)
		return st;
	s.d = d;
	id = told_by_gateway(d, out->key);
	if (id) {
		found(&s, id, ret);
		return CH_OK;
	}
	discord_aliases(a, d->cfg, out->text ? out->text : "", &text);
	s.text = text.text;
	if (discord_can_answer(a, out, &h)) {
		st = in_answers(&s, &h, ret, err);
		if (st != CH_E_NOT_FOUND)
			return st;
	}
	return in_room(&s, ret, err);
}
