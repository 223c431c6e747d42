/*
 * channels/access_list.h - allowlists: is this sender in it?
 *
 * Entries are ids in any form the network's id_parse takes, "*", or accessGroup:<name>. What it does not take matches nobody,
 * an empty list is nobody, a group that is not there is nobody.
 * Pure: configuration and id in.
 */
#ifndef CH_CHANNELS_ACCESS_LIST_H
#define CH_CHANNELS_ACCESS_LIST_H

#include "channels/channel.h"

#define ACCESS_GROUP "accessGroup:"
#define ACCESS_AUDIENCE "discord.channelAudience"        /* a type of group: who may see a channel */
#define ACCESS_AUDIENCE_ROLE "audience:"

/* An id in the network's normal form, its own name in front dropped ("telegram:1"); NULL: it is none. */
const char *access_id(const struct chan_ops *ops, enum chan_id_use use, const char *text, struct arena *a, const char **ret_why);
/* A text of a list; numbers are ids too. NULL: neither. */
const char *access_entry_text(const struct json *entry, struct arena *a);
/* sender is in normal form; NULL is only in lists with "*". list NULL: nobody. */
bool access_list_has(const struct config *c, const struct chan_ops *ops, const struct json *list, const char *sender,
		     struct arena *a);
/* "*" stands in it. */
bool access_list_is_open(const struct json *list);
/* One of the sender's roles stands in it. */
bool access_list_has_role(const struct json *list, const struct chan_sender *sender);
/* The role that members of such a group have, as their network finds out: "audience:<guild>:<channel>"; NULL: of another type. */
const char *access_audience(const struct json *group, struct arena *a);
/* It names such a group, and the sender has its role. */
bool access_list_has_audience(const struct config *c, const struct json *list, const struct chan_sender *sender, struct arena *a);
/* commands.ownerAllowFrom. */
bool access_is_owner(const struct config *c, const struct chan_ops *ops, const char *sender, struct arena *a);
/*
 * commands.allowFrom, which is the only word on commands where it is set for this network or "*": *ret_says is false when it
 * says nothing here.
 */
bool access_may_command(const struct config *c, const struct chan_ops *ops, const char *sender, struct arena *a, bool *ret_says);
/* Is anybody an owner? */
bool access_has_owner(const struct config *c);

#endif
