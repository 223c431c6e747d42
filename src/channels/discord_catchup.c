/*
 * channels/discord_catchup.c - see discord_catchup.h.
 */
#include "channels/discord_catchup.h"

#include <stdio.h>
#include <string.h>

#include "core/log.h"
#include "core/str.h"

#define CURSOR "dms"
#define SLACK_MS 10000                   /* messages of different rooms overtake each other by so much */
#define WAIT_MS 10000
#define MEMBERS_MAX 32                   /* people whose roles are asked for, per room */

void catchup_done(struct catchup *c)
{
	vec_done(&c->rooms);
	vec_done(&c->dms);
}

/* -- the DMs that we know -- */

static bool add_dm(struct catchup *c, const char *user, const char *channel)
{
	struct catchup_dm dm;

	if (!discord_is_id(user) || !discord_is_id(channel))
		return false;
	for (size_t i = 0; i < c->dms.len; i++)
		if (str_eq(c->dms.at[i].channel, channel))
			return false;
	if (c->dms.len == CATCHUP_DMS_MAX)
		vec_remove(&c->dms, 0);
	snprintf(dm.user, sizeof(dm.user), "%s", user);
	snprintf(dm.channel, sizeof(dm.channel), "%s", channel);
	vec_push(&c->dms, dm);
	return true;
}

ch_status catchup_load(struct catchup *c, struct chan_acct *acct, struct discord *d, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	const char *text;
	struct json *list;
	ch_status st = chan_cursor(acct, CURSOR, a, &text, err);

	if (st || !text)
		return st;
	/* A list that cannot be read is made anew by and by. */
	if (json_parse(a, text, strlen(text), JSON_STRICT, &list, NULL))
		return CH_OK;
	json_each(dm, list) {
		const char *user = json_str(json_at(dm, 0)), *channel = json_str(json_at(dm, 1));

		if (add_dm(c, user, channel))
			discord_dm_learn(d, user, channel);
	}
	return CH_OK;
}

ch_status catchup_know(struct catchup *c, struct chan_acct *acct, const char *user, const char *channel, struct ch_err *err)
{
	CH_AUTO_BUF struct buf text = { .max_bytes = 16384 };
	struct jw w = JW(&text);
	ch_status st;

	if (!add_dm(c, user, channel))
		return CH_OK;
	jw_arr(&w);
	for (size_t i = 0; i < c->dms.len; i++) {
		jw_arr(&w);
		jw_str(&w, c->dms.at[i].user);
		jw_str(&w, c->dms.at[i].channel);
		jw_end(&w);
	}
	jw_end(&w);
	st = buf_status(&text, err, "discord: the DMs");
	return st ? st : chan_cursor_set(acct, CURSOR, buf_str(&text), err);
}

/* -- what is to be asked -- */

static void add_room(struct catchup *c, const char *id, const char *guild)
{
	struct catchup_room room = { .id = "" };

	if (!discord_is_id(id) || (guild && !discord_is_id(guild)))
		return;
	if (c->rooms.len == CATCHUP_ROOMS_MAX) {
		c->left_out++;
		return;
	}
	snprintf(room.id, sizeof(room.id), "%s", id);
	snprintf(room.guild, sizeof(room.guild), "%s", guild ? guild : "");
	vec_push(&c->rooms, room);
}

void catchup_begin(struct catchup *c, const char *last_id, int64_t now_ms)
{
	char oldest[DISCORD_ID_LEN];

	c->after[0] = 0;
	c->rooms.len = 0;
	c->left_out = 0;
	if (!discord_is_id(last_id))
		return;
	discord_id_at(discord_id_ms(last_id) - SLACK_MS, c->after);
	discord_id_at(now_ms - CATCHUP_AGE_MS, oldest);
	if (discord_id_cmp(c->after, oldest) < 0)
		snprintf(c->after, sizeof(c->after), "%s", oldest);
	for (size_t i = c->dms.len; i-- > 0;)
		add_room(c, c->dms.at[i].channel, NULL);
}

static void add_newer(struct catchup *c, const struct json *rooms, const char *guild)
{
	json_each(room, rooms) {
		int64_t type = json_get_int(room, "type", -1);
		const char *last = json_get_str(room, "last_message_id");

		/* A forum's last "message" is its last thread. */
		if (!discord_is_forum((int)type) && discord_is_id(last) && discord_id_cmp(last, c->after) > 0)
			add_room(c, json_get_str(room, "id"), guild);
	}
}

void catchup_guild(struct catchup *c, const struct json *guild)
{
	const char *id = json_get_str(guild, "id");

	if (!*c->after || !id)
		return;
	add_newer(c, json_get(guild, "channels"), id);
	add_newer(c, json_get(guild, "threads"), id);
}

bool catchup_is_due(const struct catchup *c)
{
	return c->rooms.len > 0;
}

/* -- asking -- */

/* Who spoke, as a member: their roles may be what lets them in. Left out when Discord does not say: then nobody's roles do. */
static CH_FIBER struct json *member_of(struct discord *d, const char *guild, const char *user, struct json *known, struct arena *a)
{
	struct json *member = json_get(known, user);
	struct discord_rs rs;

	if (member || json_len(known) >= MEMBERS_MAX || !discord_is_id(user))
		return member;
	if (discord_call(d,
			 &(struct discord_rq){ .method = "GET", .path = arena_printf(a, "/guilds/%s/members/%s", guild, user),
					       .wait_max_ms = WAIT_MS },
			 a, &rs, NULL) || !rs.body)
		return NULL;
	member = json_clone(a, rs.body);
	json_set(a, known, user, member);
	return member;
}

static CH_FIBER struct json *complete(struct discord *d, const struct catchup_room *room, const struct json *m, struct json *known,
				      struct arena *a)
{
	struct json *whole = json_clone(a, m), *member;

	json_set(a, whole, "channel_id", json_new_str(a, room->id));
	if (!*room->guild)
		return whole;
	json_set(a, whole, "guild_id", json_new_str(a, room->guild));
	member = json_get(m, "webhook_id") ? NULL : member_of(d, room->guild, json_get_str(json_get(m, "author"), "id"), known, a);
	if (member)
		json_set(a, whole, "member", json_clone(a, member));
	return whole;
}

void catchup_took(struct catchup *c)
{
	c->rooms.len--;
}

CH_FIBER ch_status catchup_next(struct catchup *c, struct discord *d, struct arena *a, struct json **ret, struct ch_err *err)
{
	const struct catchup_room room = c->rooms.at[c->rooms.len - 1];
	const struct json *newest_first[CATCHUP_PAGE];
	struct json *list = json_new_arr(a), *known = json_new_obj(a);
	struct discord_rs rs;
	size_t n = 0;
	ch_status st = discord_call(d,
				    &(struct discord_rq){ .method = "GET",
							  .path = arena_printf(a, "/channels/%s/messages?after=%s&limit=%d", room.id,
									       c->after, CATCHUP_PAGE),
							  .wait_max_ms = WAIT_MS },
				    a, &rs, err);

	*ret = list;
	/* A room that we may not read, or that is gone, has nothing for us. */
	if (st == CH_E_NOT_FOUND || (st == CH_E_DENIED && rs.status == 403))
		return CH_OK;
	if (st)
		return st;
	json_each(m, rs.body)
		if (n < CATCHUP_PAGE)
			newest_first[n++] = m;
	if (n == CATCHUP_PAGE)
		log_warn("discord", "room %s: more than %d messages were missed; those after them are left out", room.id, CATCHUP_PAGE);
	while (n > 0)
		json_push(list, complete(d, &room, newest_first[--n], known, a));
	return CH_OK;
}
