/*
 * channels/discord_event.h - a dispatch of the gateway to what the core understands. No I/O.
 *
 * Ids     a message is "m:<id>" whoever tells it and however often; what has no id of its own (a reaction, a vote) is known by
 *         session and number, which a resumed session repeats.
 * Place   a DM is the user's id, everything else the channel's; a thread is its own id with its channel as parent.
 * Trust   nothing here is; a webhook is never its author's id, so that it cannot pass for a person.
 */
#ifndef CH_CHANNELS_DISCORD_EVENT_H
#define CH_CHANNELS_DISCORD_EVENT_H

#include "channels/discord.h"

struct discord_ctx {
	const struct discord *d;         /* who we are, rooms by discord_room_find() */
	const char *session;             /* id and number of the event, for those without an id */
	int64_t seq;
	const char *roles;               /* our own in the event's guild (discord_roles()); NULL: unknown */
	const char *const *audiences;    /* of a DM: groups that its author is in (discord_audiences()); or NULL */
};
/* Events that become something for the core; others only teach us rooms and roles. */
bool discord_is_event(const char *type);
/* The channel and the guild that it is about; NULL: none. */
const char *discord_event_channel(const struct json *d);
bool discord_event_mentions_roles(const struct json *d);
/* *ret on the arena; *ret_count 0: nothing to tell (our own words, a system notice, an empty text). */
CH_MUST_USE ch_status discord_event(struct arena *a, const struct discord_ctx *x, const char *type, const struct json *d,
				    struct chan_in **ret, size_t *ret_count, struct ch_err *err);

/* -- shared by discord_event.c and discord_interaction.c -- */

/* false: without an id of a place or a person, nothing can be told. */
bool discord_peer(struct arena *a, const struct discord_ctx *x, const char *channel, const char *guild, const struct json *user,
		  struct chan_peer *ret);
bool discord_sender(struct arena *a, const struct discord_ctx *x, const struct json *user, const struct json *member,
		    struct chan_sender *ret);
/* "<@1> see <#2>" -> "@ada see #general". */
const char *discord_readable(struct arena *a, const struct discord_ctx *x, const char *text, const struct json *users);
/* An INTERACTION_CREATE. */
bool discord_interaction(struct arena *a, const struct discord_ctx *x, const struct json *d, struct chan_in *ret);

/* How an interaction is answered later: what chan_in.handle holds. */
struct discord_handle {
	char kind;                       /* 'c': a command that says "thinking"; 'u': a press whose card stays */
	const char *app, *id, *token;
	const char *only;                /* the user who alone sees what answers it; NULL: everybody in the room */
	int64_t expires_ms;              /* wall */
};
const char *discord_handle_write(struct arena *a, const struct discord_handle *h);
/* false: not one of ours. Strings on the arena. */
bool discord_handle_read(struct arena *a, const char *text, struct discord_handle *ret);

#endif
