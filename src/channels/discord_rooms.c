/*
 * channels/discord_rooms.c - what a login learned of channels, DMs and its own roles. Nothing of it is kept over a restart: what
 * is missing is asked for.
 */
#include "channels/discord.h"

#include <stdio.h>
#include <string.h>

#include "core/fiber.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/str.h"

#define ASK_MS 10000
#define WAIT_MS 5000

static void copy(char *dst, size_t cap, const char *src)
{
	size_t n = src ? utf8_cut(src, strlen(src), cap - 1) : 0;

	memcpy(dst, src ? src : "", n);
	dst[n] = 0;
}

static void keep(struct map *m, const char *key, void *value)
{
	if (map_len(m) >= DISCORD_ROOMS_MAX)
		map_clear(m, ch_free);
	ch_free(map_put(m, key, value));
}

bool discord_is_thread(int channel_type)
{
	return channel_type >= DISCORD_NEWS_THREAD && channel_type <= DISCORD_PRIVATE_THREAD;
}

bool discord_is_forum(int channel_type)
{
	return channel_type == DISCORD_FORUM || channel_type == DISCORD_MEDIA;
}

/* -- rooms -- */

const struct discord_room *discord_room_find(const struct discord *d, const char *id)
{
	return id ? map_find(d->rooms, id) : NULL;
}

void discord_room_learn(struct discord *d, const struct json *channel, const char *guild)
{
	const char *id = json_get_str(channel, "id"), *own_guild = json_get_str(channel, "guild_id");
	const struct json *to = json_at(json_get(channel, "recipients"), 0);
	struct discord_room *room;
	int type;

	if (!discord_is_id(id) || !json_is(json_get(channel, "type"), JSON_INT))
		return;
	type = (int)CH_MIN(json_get_int(channel, "type", 0), 1000);
	room = ch_alloc(sizeof(*room));
	room->type = type;
	copy(room->guild, sizeof(room->guild), own_guild ? own_guild : guild);
	copy(room->name, sizeof(room->name), json_get_str(channel, "name"));
	/* Channels have a parent too: the category, which is no place. */
	if (discord_is_thread(type))
		copy(room->parent, sizeof(room->parent), json_get_str(channel, "parent_id"));
	keep(d->rooms, id, room);
	if (type == DISCORD_DM && discord_is_id(json_get_str(to, "id")))
		discord_dm_learn(d, json_get_str(to, "id"), id);
}

void discord_room_forget(struct discord *d, const char *id)
{
	if (id)
		ch_free(map_take(d->rooms, id));
}

CH_FIBER ch_status discord_room(struct discord *d, const char *id, const struct discord_room **ret, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	const struct discord_room *room = discord_room_find(d, id);
	struct discord_rs rs;
	ch_status st;

	*ret = room;
	if (room || !discord_is_id(id))
		return CH_OK;
	st = discord_call(d,
			  &(struct discord_rq){ .method = "GET",
						.path = arena_printf(a, "/channels/%s", id),
						.wait_max_ms = WAIT_MS,
						.deadline_ms = fiber_deadline(ASK_MS) },
			  a, &rs, err);
	if (st && st != CH_E_NOT_FOUND && !(st == CH_E_DENIED && rs.status == 403))
		return ch_wrap(err, "channel %s", id);
	if (!st)
		discord_room_learn(d, rs.body, NULL);
	*ret = discord_room_find(d, id);
	return CH_OK;
}

/* -- DMs -- */

void discord_dm_learn(struct discord *d, const char *user, const char *channel)
{
	if (!str_eq(map_find(d->dms, user), channel))
		keep(d->dms, user, ch_strdup(channel));
}

const char *discord_dm_user(struct arena *a, const struct discord *d, const char *channel)
{
	size_t cursor = 0;
	const char *user;
	void *known;

	while (map_each(d->dms, &cursor, &user, &known))
		if (str_eq(known, channel))
			return arena_strdup(a, user);
	return NULL;
}

static CH_FIBER ch_status open_dm(struct discord *d, const char *user, struct arena *a, const char **ret, struct ch_err *err)
{
	const char *body = arena_printf(a, "{\"recipient_id\":\"%s\"}", user), *id;
	struct discord_rs rs;
	/* Asking twice gives the same channel. */
	ch_status st = discord_call(d,
				    &(struct discord_rq){ .method = "POST",
							  .path = "/users/@me/channels",
							  .body = body,
							  .body_len = strlen(body),
							  .wait_max_ms = WAIT_MS },
				    a, &rs, err);

	if (st)
		return ch_wrap(err, "opening a DM with %s", user);
	id = json_get_str(rs.body, "id");
	if (!discord_is_id(id))
		return ch_fail(err, CH_E_PEER, "discord: no channel for a DM with %s", user);
	discord_dm_learn(d, user, id);
	*ret = arena_strdup(a, id);
	return CH_OK;
}

CH_FIBER ch_status discord_channel_of(struct discord *d, const struct chan_peer *peer, struct arena *a, const char **ret,
				      struct ch_err *err)
{
	const char *id = peer->thread ? peer->thread : peer->id, *known;

	if (!discord_is_id(id))
		return ch_fail(err, CH_E_INVALID, "discord: '%s' is not an id", log_quote(id));
	if (peer->kind != CHAN_DIRECT || peer->thread) {
		*ret = id;
		return CH_OK;
	}
	known = map_find(d->dms, id);
	if (!known)
		return open_dm(d, id, a, ret, err);
	*ret = arena_strdup(a, known);
	return CH_OK;
}

/* -- our own roles -- */

void discord_roles_learn(struct discord *d, const char *guild, const struct json *roles)
{
	CH_AUTO_BUF struct buf list = { .max_bytes = 16384 };

	json_each(role, roles)
		if (discord_is_id(json_str(role)))
			buf_printf(&list, "%s ", json_str(role));
	if (guild && !list.failed)
		keep(d->roles, guild, ch_strdup(buf_str(&list)));
}

CH_FIBER const char *discord_roles(struct discord *d, const char *guild)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct discord_rs rs;

	if (!discord_is_id(guild) || !*d->self_id || map_find(d->roles, guild))
		return guild ? map_find(d->roles, guild) : NULL;
	if (!discord_call(d,
			  &(struct discord_rq){ .method = "GET",
						.path = arena_printf(a, "/guilds/%s/members/%s", guild, d->self_id),
						.wait_max_ms = WAIT_MS,
						.deadline_ms = fiber_deadline(ASK_MS) },
			  a, &rs, NULL))
		discord_roles_learn(d, guild, json_get(rs.body, "roles"));
	return map_find(d->roles, guild);
}
