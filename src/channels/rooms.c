/*
 * channels/rooms.c - see rooms.h.
 */
#include "channels/rooms.h"

#include <string.h>

#include "core/str.h"

/* ---- finding ---- */

/* An entry that is keyed by this id, as written or in normal form. */
static const struct json *by_id(const struct json *map, const struct chan_ops *ops, enum chan_id_use use, const char *id,
				struct arena *a)
{
	const struct json *hit = str_empty(id) ? NULL : json_get(map, id);
	const char *why;

	if (hit || str_empty(id) || !ops->id_parse)
		return hit;
	json_each(entry, map) {
		const char *normal = str_eq(entry->key, "*") ? NULL : ops->id_parse(a, use, entry->key, &why);

		if (normal && str_eq(normal, id))
			return entry;
	}
	return NULL;
}

static const struct json *topic_of(const struct json *entry, const char *key, const char *thread)
{
	const struct json *topics = json_get(entry, key), *own = thread ? json_get(topics, thread) : NULL;

	return own ? own : thread ? json_get(topics, "*") : NULL;
}

static const struct json *direct_of(const struct chan_cfg *cfg, const struct chan_ops *ops, const char *id, struct arena *a)
{
	const struct json *map = ops->rooms && ops->rooms->direct ? chan_cfg_get(cfg, ops->rooms->direct) : NULL;
	const struct json *own = by_id(map, ops, CHAN_ID_SENDER, id, a);

	return own ? own : json_get(map, "*");
}

void room_find(const struct chan_cfg *cfg, const struct chan_ops *ops, const struct chan_peer *peer, struct arena *a,
	       struct room *ret)
{
	const struct chan_rooms *rooms = ops->rooms;
	const char *map_key = rooms && rooms->map ? rooms->map : "groups";
	const struct json *map;
	struct room r = { 0 };

	if (peer->kind == CHAN_DIRECT) {
		*ret = (struct room){ .entry = direct_of(cfg, ops, peer->id, a) };
		return;
	}
	if (rooms && rooms->guilds && peer->guild) {
		const struct json *guilds = chan_cfg_get(cfg, rooms->guilds);

		r.guild = by_id(guilds, ops, CHAN_ID_GROUP, peer->guild, a);
		if (!r.guild)
			r.guild = json_get(guilds, "*");
		r.has_map = json_len(guilds) > 0;
		map = json_get(r.guild, map_key);
		r.is_listed = r.guild && !json_len(map);         /* a guild without a map of rooms means all of them */
	} else {
		map = chan_cfg_get(cfg, map_key);
		r.has_map = json_len(map) > 0;
	}
	r.entry = by_id(map, ops, CHAN_ID_GROUP, peer->id, a);
	if (!r.entry)
		r.entry = by_id(map, ops, CHAN_ID_GROUP, peer->parent, a);
	r.is_named = r.entry != NULL;
	r.wild = json_get(map, "*");
	if (!r.entry)
		r.entry = r.wild;
	r.is_listed |= r.entry != NULL;
	if (rooms && rooms->topics)
		r.topic = topic_of(r.entry, rooms->topics, peer->thread);
	*ret = r;
}

/* ---- reading ---- */

bool room_is_off(const struct room *r)
{
	return !json_get_bool(r->topic, "enabled", true) || !json_get_bool(r->entry, "enabled", true) ||
	       !json_get_bool(r->guild, "enabled", true);
}

const struct json *room_access(const struct room *r, const char *key)
{
	const struct json *const places[] = { r->topic, r->entry, r->guild };

	for (size_t i = 0; i < CH_ARRAY_LEN(places); i++)
		if (json_get(places[i], key))
			return json_get(places[i], key);
	return NULL;
}

const struct json *room_get(const struct room *r, const char *key)
{
	const struct json *const places[] = { r->topic, r->entry, r->wild, r->guild };

	for (size_t i = 0; i < CH_ARRAY_LEN(places); i++)
		if (json_get(places[i], key))
			return json_get(places[i], key);
	return NULL;
}

/* ---- tools ---- */

/* Is this key of toolsBySender about the sender? Names and usernames never are: whoever takes the name would have the tools. */
static bool names_sender(const char *key, const struct chan_ops *ops, const char *sender_id, struct arena *a)
{
	static const char *const ignored[] = { "username:", "name:" };
	const char *id = key, *why, *normal;

	for (size_t i = 0; i < CH_ARRAY_LEN(ignored); i++)
		if (str_starts(key, ignored[i]))
			return false;
	if (str_starts(key, "channel:")) {
		size_t n = strlen(ops->id);

		id = key + 8;
		if (strncasecmp(id, ops->id, n) != 0 || id[n] != ':')
			return false;
		id += n + 1;
	} else if (str_starts(key, "id:")) {
		id = key + 3;
	} else if (str_starts(key, "e164:")) {
		id = key + 5;
	}
	if (str_ieq(id, sender_id))
		return true;
	normal = ops->id_parse ? ops->id_parse(a, CHAN_ID_SENDER, id, &why) : NULL;
	return normal && str_eq(normal, sender_id);
}

static const struct json *tools_at(const struct json *place, const struct chan_ops *ops, const char *sender_id, struct arena *a)
{
	const struct json *by_sender = json_get(place, "toolsBySender"), *wild = json_get(by_sender, "*");

	json_each(entry, by_sender)
		if (sender_id && !str_eq(entry->key, "*") && names_sender(entry->key, ops, sender_id, a))
			return entry;
	return wild ? wild : json_get(place, "tools");
}

const struct json *room_tools(const struct room *r, const struct chan_ops *ops, const char *sender_id, struct arena *a)
{
	const struct json *const places[] = { r->topic, r->entry, r->wild, r->guild };

	for (size_t i = 0; i < CH_ARRAY_LEN(places); i++) {
		const struct json *tools = tools_at(places[i], ops, sender_id, a);

		if (tools)
			return tools;
	}
	return NULL;
}
