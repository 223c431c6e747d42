/*
 * channels/rooms_move.c - a room's settings follow it to its new id (Telegram's groups that become supergroups).
 *
 * The file is edited, so what is moved is what is written there: an entry that an $include brings in stays, and the log says so.
 */
#include "channels/rooms.h"

#include "channels/access_list.h"
#include "core/log.h"
#include "core/str.h"

struct move {
	const struct chan_ops *ops;
	const char *old_id, *new_id;
	struct arena *arena;
	struct json *patch;              /* RFC 7386, of the whole file */
	bool has_any, was_found;         /* something moves; the file has the old id */
};

/* The key under which a map has this room. */
static const struct json *entry_of(const struct move *m, const struct json *map, const char *id)
{
	const char *why;

	json_each(entry, map) {
		const char *normal = str_eq(entry->key, id) ? id : access_id(m->ops, CHAN_ID_GROUP, entry->key, m->arena, &why);

		if (normal && str_eq(normal, id))
			return entry;
	}
	return NULL;
}

/* The object at a way through the patch, made where it is missing. */
static struct json *place(struct move *m, const char *const *way, size_t n)
{
	struct json *at = m->patch;

	for (size_t i = 0; i < n; i++) {
		struct json *next = json_get(at, way[i]);

		if (!next) {
			next = json_new_obj(m->arena);
			json_set(m->arena, at, way[i], next);
		}
		at = json_get(at, way[i]);
	}
	return at;
}

/* section is what is written at the way. */
static void move_in(struct move *m, const struct json *section, const char *const *way, size_t n)
{
	const struct json *map = json_get(section, way[n - 1]), *entry = entry_of(m, map, m->old_id);
	struct json *to;

	m->was_found |= entry != NULL;
	if (!entry || entry_of(m, map, m->new_id))
		return;
	to = place(m, way, n);
	json_set(m->arena, to, m->new_id, json_clone(m->arena, entry));
	json_set(m->arena, to, entry->key, json_new_null(m->arena));
	m->has_any = true;
}

ch_status rooms_move(struct config_store *store, const struct chan_ops *ops, const char *account, const char *old_id,
		     const char *new_id, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	CH_AUTO(config_unref) struct config *c = config_ref(config_store_current(store));
	CH_AUTO(chan_cfg_unref) struct chan_cfg *cfg = chan_cfg_new(c, ops->id, account);
	const char *map = ops->rooms && ops->rooms->map ? ops->rooms->map : "groups", *why;
	const char *new_room = access_id(ops, CHAN_ID_GROUP, new_id, a, &why);
	const struct json *section = json_get(json_get(config_source(c), "channels"), ops->id);
	const char *const of_network[] = { "channels", ops->id, map };
	const char *const of_account[] = { "channels", ops->id, "accounts", account, map };
	struct move m = { .ops = ops, .old_id = old_id, .new_id = new_room, .arena = a, .patch = json_new_obj(a) };
	struct room room;
	ch_status st;

	if (!new_room)
		return ch_fail(err, CH_E_INVALID, "%s is not an id of a room: %s", log_quote(new_id), why);
	if (!chan_cfg_bool(cfg, "configWrites", true))
		return CH_OK;
	move_in(&m, section, of_network, CH_ARRAY_LEN(of_network));
	move_in(&m, json_get(json_get(section, "accounts"), account), of_account, CH_ARRAY_LEN(of_account));
	room_find(cfg, ops, &(struct chan_peer){ .kind = CHAN_GROUP, .id = old_id }, a, &room);
	if (!m.was_found && room.is_named)
		log_warn("channels", "the room %s on %s is %s now; its settings are in an included file: change the id there",
			 log_quote(old_id), ops->id, log_quote(new_room));
	if (!m.has_any)
		return CH_OK;
	st = config_write_patch(store, m.patch, NULL, err);
	if (!st)
		log_info("channels", "the room %s on %s is %s now; its settings moved with it", log_quote(old_id), ops->id,
			 log_quote(new_room));
	return st;
}
