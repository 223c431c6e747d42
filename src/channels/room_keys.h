/*
 * channels/room_keys.h - where a network's configuration keeps its rooms, and what it says of who may speak in them.
 *
 * Part of a network's row (channels/channel.h, which includes it). NULL words are the first of each comment. A room's entry:
 * {enabled, requireMention, ignoreOtherMentions, <senders>, roles, groupPolicy, tools, toolsBySender, systemPrompt,
 * allowBots, botLoopProtection, errorPolicy}.
 */
#ifndef CH_CHANNELS_ROOM_KEYS_H
#define CH_CHANNELS_ROOM_KEYS_H

#include "core/auto.h"

struct chan_rooms {
	const char *map;                 /* "groups" by id or "*"; Slack, Discord: "channels" */
	const char *guilds;              /* map of guilds that hold `map` each, and what their rooms inherit; NULL: none */
	const char *direct;              /* map of people by id or "*": settings of their DMs; NULL: none */
	const char *topics;              /* map by thread within a room's entry ("topics"); NULL: none */
	const char *senders;             /* "allowFrom": a room's own list; Slack, Discord: "users" */
	const char *thread_word;         /* "thread": in session keys; Telegram: "topic" */
	bool are_listed_open;            /* a listed room that names no senders is open to all in it (Slack, Discord) */
	bool has_own_senders;            /* allowFrom is for DMs alone, never a room's list (IRC) */
	bool has_group_dms;              /* CHAN_GROUP is a DM of several: off unless dm.groupEnabled (Slack, Discord) */
	bool is_fence;                   /* the map, once it is there, limits the rooms with groupPolicy open too (Telegram) */
	bool follows_threads;            /* a thread that we answered in counts as addressed to us (Slack) */
	bool has_activation;             /* /activation of a room counts in place of requireMention (Telegram) */
	bool lists_bots;                 /* bots of rooms only when the room's list names them, whatever allowBots says (Slack) */
};

#endif
