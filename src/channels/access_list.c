/*
 * channels/access_list.c - see access_list.h.
 */
#include "channels/access_list.h"

#include <string.h>

#include "core/str.h"

/* ---- ids ---- */

const char *access_id(const struct chan_ops *ops, enum chan_id_use use, const char *text, struct arena *a, const char **ret_why)
{
	const char *id = str_trim(a, text), *why = "an id is expected", *normal;
	size_t n = strlen(ops->id);

	if (!strncasecmp(id, ops->id, n) && id[n] == ':')
		id += n + 1;
	normal = str_empty(id) || str_eq(id, "*") ? NULL : ops->id_parse ? ops->id_parse(a, use, id, &why) : id;
	if (!normal)
		*ret_why = why;
	return normal;
}

const char *access_entry_text(const struct json *entry, struct arena *a)
{
	if (json_is(entry, JSON_INT))
		return arena_printf(a, "%lld", (long long)json_int_or(entry, 0));
	return json_str(entry) ? str_trim(a, json_str(entry)) : NULL;
}

/* ---- lists ---- */

static bool entries_have(const struct chan_ops *ops, const struct json *list, const char *sender, struct arena *a)
{
	json_each(entry, list) {
		const char *text = access_entry_text(entry, a), *why, *normal;

		if (!text || str_starts(text, ACCESS_GROUP))
			continue;
		if (str_eq(text, "*"))
			return true;
		normal = access_id(ops, CHAN_ID_SENDER, text, a, &why);
		if (normal && sender && str_eq(normal, sender))
			return true;
	}
	return false;
}

/* Groups hold ids, not groups, and their "*" is a network, not everybody. */
static bool group_has(const struct config *c, const struct chan_ops *ops, const char *name, const char *sender, struct arena *a)
{
	const struct json *group = json_get(config_get(c, "accessGroups"), name), *members = json_get(group, "members");

	if (!sender || !str_eq(json_get_str(group, "type"), "message.senders"))
		return false;
	return (!access_list_is_open(json_get(members, "*")) && entries_have(ops, json_get(members, "*"), sender, a)) ||
	       (!access_list_is_open(json_get(members, ops->id)) && entries_have(ops, json_get(members, ops->id), sender, a));
}

bool access_list_has(const struct config *c, const struct chan_ops *ops, const struct json *list, const char *sender,
		     struct arena *a)
{
	if (entries_have(ops, list, sender, a))
		return true;
	json_each(entry, list) {
		const char *text = access_entry_text(entry, a);

		if (str_starts(text ? text : "", ACCESS_GROUP) &&
		    group_has(c, ops, str_trim(a, text + strlen(ACCESS_GROUP)), sender, a))
			return true;
	}
	return false;
}

bool access_list_is_open(const struct json *list)
{
	json_each(entry, list)
		if (str_eq(json_str(entry), "*"))
			return true;
	return false;
}

bool access_list_has_role(const struct json *list, const struct chan_sender *sender)
{
	for (const char *const *role = sender->roles; role && *role; role++)
		json_each(entry, list)
			if (str_eq(json_str(entry), *role))
				return true;
	return false;
}

const char *access_audience(const struct json *group, struct arena *a)
{
	const char *guild = access_entry_text(json_get(group, "guildId"), a), *channel = access_entry_text(json_get(group, "channelId"), a);
	const char *membership = json_get_str(group, "membership");

	if (!str_eq(json_get_str(group, "type"), ACCESS_AUDIENCE) || str_empty(guild) || str_empty(channel) ||
	    (membership && !str_eq(membership, "canViewChannel")))
		return NULL;
	return arena_printf(a, ACCESS_AUDIENCE_ROLE "%s:%s", guild, channel);
}

bool access_list_has_audience(const struct config *c, const struct json *list, const struct chan_sender *sender, struct arena *a)
{
	if (!sender->roles)
		return false;
	json_each(entry, list) {
		const char *text = access_entry_text(entry, a), *name;

		if (!text || !str_starts(text, ACCESS_GROUP))
			continue;
		name = access_audience(json_get(config_get(c, "accessGroups"), str_trim(a, text + strlen(ACCESS_GROUP))), a);
		for (const char *const *role = sender->roles; name && *role; role++)
			if (str_eq(*role, name))
				return true;
	}
	return false;
}

/* ---- owner and commands ---- */

static size_t network_count(const struct config *c)
{
	size_t n = 0;

	json_each(section, config_get(c, "channels"))
		if (chan_find(section->key))
			n++;
	return n;
}

/* "<channel>:<id>"; a bare id only where a single network is configured, else it would be somebody else's on another one. */
bool access_is_owner(const struct config *c, const struct chan_ops *ops, const char *sender, struct arena *a)
{
	size_t n = strlen(ops->id);

	if (str_empty(sender))
		return false;
	json_each(entry, config_get(c, "commands.ownerAllowFrom")) {
		const char *text = access_entry_text(entry, a), *why, *normal = NULL;

		if (str_empty(text) || str_eq(text, "*") || str_starts(text, ACCESS_GROUP))
			continue;
		if (!strncasecmp(text, ops->id, n) && text[n] == ':')
			normal = access_id(ops, CHAN_ID_SENDER, text + n + 1, a, &why);
		else if (network_count(c) == 1)
			normal = access_id(ops, CHAN_ID_SENDER, text, a, &why);
		if (normal && str_eq(normal, sender))
			return true;
	}
	return false;
}

bool access_has_owner(const struct config *c)
{
	return json_len(config_get(c, "commands.ownerAllowFrom")) > 0;
}

bool access_may_command(const struct config *c, const struct chan_ops *ops, const char *sender, struct arena *a, bool *ret_says)
{
	const struct json *all = config_get(c, "commands.allowFrom"), *list = json_get(all, ops->id);

	if (!json_is(list, JSON_ARR))
		list = json_get(all, "*");
	*ret_says = json_is(list, JSON_ARR);
	return *ret_says && access_list_has(c, ops, list, sender, a);
}
