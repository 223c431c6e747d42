/*
 * channels/route.h - where a conversation belongs: the agent by bindings, the session by the reference's keys.
 *
 * Agent   the first kind of binding that matches: peer, parent peer, guild and roles, guild, team, account, channel, else the
 *         default agent (bindings[].match; an agent that is not there matches nothing and is warned of).
 * Session DM: session.dmScope (main, per-peer, per-channel-peer, per-account-channel-peer) with session.identityLinks; group
 *         and channel: agent:<id>:<channel>:<group|channel>:<peer>, threads and topics by the network's rule
 *         (":topic:<id>" in Telegram's forums, ":thread:<id>" elsewhere).
 * Pure: configuration and peer in, route out.
 */
#ifndef CH_CHANNELS_ROUTE_H
#define CH_CHANNELS_ROUTE_H

#include "channels/channel.h"

struct chan_route {
	const char *agent_id;
	const char *session_key;         /* canonical */
	const char *chat_type;           /* "direct", "group", "channel" */
	const char *matched_by;          /* "binding.peer", …, "default": for traces */
	const char *lane;                /* channel, account, peer and thread in one word: the order of messages is kept within it */
};
CH_MUST_USE ch_status chan_route(const struct config *c, const struct chan_ops *ops, const char *account, const struct chan_peer *peer,
				 const struct chan_sender *sender, struct arena *a, struct chan_route *ret, struct ch_err *err);
/* The lane alone (needs no configuration). */
const char *chan_lane(struct arena *a, const char *channel, const char *account, const struct chan_peer *peer);
/* A place as JSON and back: {kind,id,thread?,parent?,guild?,team?,name?}; on the arena. */
struct json *chan_peer_json(struct arena *a, const struct chan_peer *p);
CH_MUST_USE ch_status chan_peer_read(const struct json *v, struct arena *a, struct chan_peer *ret, struct ch_err *err);

#endif
