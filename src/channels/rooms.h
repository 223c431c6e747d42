/*
 * channels/rooms.h - what the configuration says of the room a message came from.
 *
 * A room has its own entry (by id, else by its parent's id, else "*"); in a forum the topic's entry is within it; in a guild
 * it hangs below the guild's. Who may speak is taken from the nearest entry that says so and never from "*" beside a room's
 * own entry; everything else falls through: topic, room, "*", guild. A DM has the person's entry, whole, or that of "*".
 * Pure, but for rooms_move(): configuration in, borrowed JSON out.
 */
#ifndef CH_CHANNELS_ROOMS_H
#define CH_CHANNELS_ROOMS_H

#include "channels/channel.h"

struct room {
	const struct json *topic, *entry, *wild, *guild;         /* each may be NULL */
	bool is_listed;                  /* the map has it, or has "*" */
	bool is_named;                   /* … by its own id */
	bool has_map;                    /* there is a map with entries at all */
};
void room_find(const struct chan_cfg *cfg, const struct chan_ops *ops, const struct chan_peer *peer, struct arena *a,
	       struct room *ret);
/* enabled: false somewhere on the way. */
bool room_is_off(const struct room *r);
/* A key that says who may speak: topic, room, guild. */
const struct json *room_access(const struct room *r, const char *key);
/* Any other key: topic, room, "*", guild. */
const struct json *room_get(const struct room *r, const char *key);
/* {allow, alsoAllow, deny} for this sender: at each place toolsBySender before tools. */
const struct json *room_tools(const struct room *r, const struct chan_ops *ops, const char *sender_id, struct arena *a);


/*
 * The platform gave a room another id: what the configuration says of the old one is said of the new one, unless configWrites is
 * off or it says something of the new one already. Nothing to move is CH_OK.
 */
CH_MUST_USE ch_status rooms_move(struct config_store *store, const struct chan_ops *ops, const char *account, const char *old_id,
				 const char *new_id, struct ch_err *err);

#endif
