/*
 * A network for the tests of access and routes: ids of people are digits, those of rooms have a "-" in front.
 */
#ifndef TEST_ACCESS_NET_H
#define TEST_ACCESS_NET_H

#include "../store/scratch.h"

#include "channels/channel.h"
#include "core/str.h"

/* "net:" is dropped by the core, "n:" by the network, as Telegram does with "telegram:" and "tg:". */
static const char *net_id(struct arena *a, enum chan_id_use use, const char *text, const char **ret_why)
{
	const char *s = str_starts(text, "n:") ? text + 2 : text, *digits = s;

	if (use == CHAN_ID_GROUP && *digits == '-')
		digits++;
	if (!*digits || strspn(digits, "0123456789") != strlen(digits)) {
		*ret_why = use == CHAN_ID_GROUP ? "a room is \"-123\"" : "a person is \"123\"";
		return NULL;
	}
	return arena_strdup(a, s);
}

static const struct chan_rooms forum_rooms = { .direct = "direct", .topics = "topics", .thread_word = "topic", .is_fence = true,
						.has_activation = true };
static const struct chan_rooms guild_rooms = {
	.map = "channels", .guilds = "guilds", .senders = "users", .are_listed_open = true, .has_group_dms = true,
};
static const struct chan_rooms team_rooms = {
	.map = "channels", .senders = "users", .are_listed_open = true, .has_group_dms = true, .follows_threads = true, .lists_bots = true,
};
static const struct chan_rooms wire_rooms = { .has_own_senders = true };

/* The names are those of networks that the schema knows, their ways are the row's. */
static const struct chan_ops forum = { .id = "telegram", .label = "Telegram", .id_parse = net_id, .rooms = &forum_rooms };
static const struct chan_ops guild = { .id = "discord", .label = "Discord", .id_parse = net_id, .rooms = &guild_rooms };
static const struct chan_ops team = { .id = "slack", .label = "Slack", .id_parse = net_id, .rooms = &team_rooms };
static const struct chan_ops wire = { .id = "irc", .label = "IRC", .id_parse = net_id, .rooms = &wire_rooms };

static inline struct config *config_of(const char *text)
{
	struct config *c = NULL;

	ASSERT_OK(config_parse(text, strlen(text), NULL, &c, err));
	return c;
}

#endif
