/*
 * channels/access_check.c - is what the configuration says of access sound: ids of the right kind, policies that can be kept.
 *
 * An account with an error is not started: a list that names somebody else than was meant must not let anybody in, and a person
 * who reads the reason can mend it. What only has no effect is a warning.
 */
#include "channels/access_judge.h"

#include <string.h>

#include "channels/access_list.h"
#include "channels/mention.h"
#include "core/str.h"
#include "sessions/key.h"

#define ISSUES_PER_LIST 20               /* a list that is wrong everywhere need not be told in full */

struct checking {
	const struct config *config;
	const struct chan_ops *const *networks;  /* all of them; those of one account need none */
	size_t network_count;
	const struct chan_ops *ops;      /* of the account that is looked at */
	const struct chan_cfg *cfg;
	struct arena *arena;
	void (*issue)(void *arg, bool is_error, const char *path, const char *text);
	void *arg;
};

static void tell(const struct checking *k, bool is_error, const char *path, const char *text)
{
	k->issue(k->arg, is_error, path, text);
}

/* ---- lists ---- */

/* Who may see a channel is known on Discord, of those who write DMs. */
static bool is_audience_good(const struct checking *k, const struct json *group)
{
	const char *why;

	return str_eq(k->ops->id, "discord") && access_audience(group, k->arena) &&
	       access_id(k->ops, CHAN_ID_GROUP, access_entry_text(json_get(group, "guildId"), k->arena), k->arena, &why) &&
	       access_id(k->ops, CHAN_ID_GROUP, access_entry_text(json_get(group, "channelId"), k->arena), k->arena, &why);
}

static void check_group_name(const struct checking *k, const char *path, const char *name)
{
	const struct json *group = json_get(config_get(k->config, "accessGroups"), name);

	if (!group)
		tell(k, false, path, arena_printf(k->arena, "there is no accessGroups.%s: the entry lets nobody in", name));
	else if (!str_eq(json_get_str(group, "type"), "message.senders") && !is_audience_good(k, group))
		tell(k, false, path, arena_printf(k->arena, "accessGroups.%s is neither of the type \"message.senders\" nor, for DMs on "
						  "Discord, \"" ACCESS_AUDIENCE "\" with the ids guildId and channelId: the entry "
						  "lets nobody in", name));
}

/* One entry of a list of senders or rooms. */
static bool is_entry_good(const struct checking *k, enum chan_id_use use, const char *path, const struct json *entry)
{
	const char *text = access_entry_text(entry, k->arena), *why = NULL;

	if (text && str_eq(text, "*"))
		return true;
	if (text && use == CHAN_ID_SENDER && str_starts(text, ACCESS_GROUP)) {
		check_group_name(k, path, str_trim(k->arena, text + strlen(ACCESS_GROUP)));
		return true;
	}
	if (text && access_id(k->ops, use, text, k->arena, &why))
		return true;
	tell(k, true, path, text ? arena_printf(k->arena, "\"%s\" is not an id of %s on %s: %s", text,
						use == CHAN_ID_SENDER ? "a person" : "a room", k->ops->label, why)
				 : "an id is a text");
	return false;
}

static void check_list(const struct checking *k, enum chan_id_use use, const char *path, const struct json *list)
{
	size_t i = 0, bad = 0;

	if (list && !json_is(list, JSON_ARR)) {
		tell(k, true, path, "it is a list of ids: [\"…\"]");
		return;
	}
	json_each(entry, list) {
		if (bad < ISSUES_PER_LIST && !is_entry_good(k, use, arena_printf(k->arena, "%s.%zu", path, i), entry))
			bad++;
		i++;
	}
}

/* ---- policies ---- */

static void check_direct(const struct checking *k)
{
	const char *policy = chan_cfg_str(k->cfg, "dmPolicy"), *path = chan_cfg_path(k->cfg, "allowFrom", k->arena);
	const struct json *list = chan_cfg_get(k->cfg, "allowFrom");

	check_list(k, CHAN_ID_SENDER, path, list);
	if (str_eq(policy, "open") && !access_list_is_open(list))
		tell(k, true, path, "dmPolicy \"open\" lets everybody write and needs allowFrom: [\"*\"]; "
		     "for some people it is \"allowlist\"");
	else if (str_eq(policy, "allowlist") && !json_len(list))
		tell(k, true, path, "dmPolicy \"allowlist\" with an empty allowFrom lets nobody write; "
		     "name people, or use \"pairing\" or \"disabled\"");
	else if (str_eq(policy, "pairing") && access_list_is_open(list))
		tell(k, false, path, "\"*\" lets everybody write without pairing; say dmPolicy \"open\" if that is meant");
}

/* ---- rooms ---- */

/* Keys of toolsBySender that match nobody. */
static void check_tools_by_sender(const struct checking *k, const char *path, const struct json *tools)
{
	json_each(entry, tools) {
		const char *at = arena_printf(k->arena, "%s[\"%s\"]", path, entry->key);

		if (str_starts(entry->key, "username:") || str_starts(entry->key, "name:"))
			tell(k, false, at, "names can be taken by anybody and match nobody here; use id:<id>");
		else if (!str_eq(entry->key, "*") && !strchr(entry->key, ':'))
			tell(k, false, at, "write id:<id>; a key without a kind is taken as one");
	}
}

/* Keys that OpenClaw knows there and that nothing reads here: silence would look like obedience. */
static void tell_unused(const struct checking *k, const char *path, const struct json *entry, const char *const *keys)
{
	for (; *keys; keys++)
		if (json_get(entry, *keys))
			tell(k, false, arena_printf(k->arena, "%s.%s", path, *keys), "kept, but without effect in this version");
}

static const char *const unused_of_rooms[] = { "skills", "ingest", "disableAudioPreflight", "autoTopicLabel", "requireTopic", NULL };

static void check_room(const struct checking *k, const char *path, const struct json *room)
{
	const struct chan_rooms *rooms = k->ops->rooms;
	const char *senders = rooms && rooms->senders ? rooms->senders : "allowFrom", *topics = rooms ? rooms->topics : NULL;

	check_list(k, CHAN_ID_SENDER, arena_printf(k->arena, "%s.%s", path, senders), json_get(room, senders));
	check_tools_by_sender(k, arena_printf(k->arena, "%s.toolsBySender", path), json_get(room, "toolsBySender"));
	tell_unused(k, path, room, unused_of_rooms);
	json_each(topic, topics ? json_get(room, topics) : NULL) {
		const char *at = arena_printf(k->arena, "%s.%s[\"%s\"]", path, topics, topic->key);

		check_list(k, CHAN_ID_SENDER, arena_printf(k->arena, "%s.%s", at, senders), json_get(topic, senders));
		check_tools_by_sender(k, arena_printf(k->arena, "%s.toolsBySender", at), json_get(topic, "toolsBySender"));
		tell_unused(k, at, topic, unused_of_rooms);
	}
}

static void check_rooms(const struct checking *k, const char *path, const struct json *map)
{
	json_each(room, map) {
		const char *at = arena_printf(k->arena, "%s[\"%s\"]", path, room->key), *why;

		if (!str_eq(room->key, "*") && !access_id(k->ops, CHAN_ID_GROUP, room->key, k->arena, &why))
			tell(k, true, at, arena_printf(k->arena, "\"%s\" is not an id of a room on %s: %s", room->key, k->ops->label,
						       why));
		check_room(k, at, room);
	}
}

static void check_groups(const struct checking *k)
{
	const struct chan_rooms *rooms = k->ops->rooms;
	const char *map = rooms && rooms->map ? rooms->map : "groups", *path;

	check_list(k, CHAN_ID_SENDER, chan_cfg_path(k->cfg, "groupAllowFrom", k->arena), chan_cfg_get(k->cfg, "groupAllowFrom"));
	if (!rooms || !rooms->guilds) {
		check_rooms(k, chan_cfg_path(k->cfg, map, k->arena), chan_cfg_get(k->cfg, map));
		return;
	}
	path = chan_cfg_path(k->cfg, rooms->guilds, k->arena);
	json_each(guild, chan_cfg_get(k->cfg, rooms->guilds)) {
		const char *at = arena_printf(k->arena, "%s[\"%s\"]", path, guild->key), *why;

		if (!str_eq(guild->key, "*") && !access_id(k->ops, CHAN_ID_GROUP, guild->key, k->arena, &why))
			tell(k, true, at, arena_printf(k->arena, "\"%s\" is not an id on %s: %s", guild->key, k->ops->label, why));
		check_room(k, at, guild);
		check_rooms(k, arena_printf(k->arena, "%s.%s", at, map), json_get(guild, map));
	}
}

/* What one person's DMs are given. Who may write them is said by dmPolicy and allowFrom of the account alone. */
static void check_direct_map(const struct checking *k)
{
	static const char *const unused[] = { "dmPolicy", "allowFrom", "skills", "topics", "requireTopic", "autoTopicLabel", NULL };
	const char *key = k->ops->rooms ? k->ops->rooms->direct : NULL, *path = key ? chan_cfg_path(k->cfg, key, k->arena) : NULL;

	json_each(entry, key ? chan_cfg_get(k->cfg, key) : NULL) {
		const char *at = arena_printf(k->arena, "%s[\"%s\"]", path, entry->key), *why;

		if (!str_eq(entry->key, "*") && !access_id(k->ops, CHAN_ID_SENDER, entry->key, k->arena, &why))
			tell(k, true, at, arena_printf(k->arena, "\"%s\" is not an id of a person on %s: %s", entry->key, k->ops->label,
						       why));
		check_tools_by_sender(k, arena_printf(k->arena, "%s.toolsBySender", at), json_get(entry, "toolsBySender"));
		tell_unused(k, at, entry, unused);
	}
}

static void check_account(struct checking *k)
{
	check_direct(k);
	check_direct_map(k);
	check_groups(k);
}

/* ---- what all networks share ---- */

static const struct chan_ops *network(const struct checking *k, const char *id)
{
	for (size_t i = 0; i < k->network_count; i++)
		if (str_eq(k->networks[i]->id, id))
			return k->networks[i];
	return NULL;
}

/* "<channel>:<id>" */
static void check_owners(struct checking *k)
{
	size_t i = 0;

	json_each(entry, config_get(k->config, "commands.ownerAllowFrom")) {
		const char *path = arena_printf(k->arena, "commands.ownerAllowFrom.%zu", i++), *why;
		const char *text = access_entry_text(entry, k->arena), *colon = text ? strchr(text, ':') : NULL;
		const char *channel = colon ? arena_strndup(k->arena, text, (size_t)(colon - text)) : NULL;

		k->ops = channel ? network(k, channel) : NULL;
		if (!text || str_eq(text, "*") || str_starts(text, ACCESS_GROUP))
			tell(k, false, path, "an owner is one person: \"<channel>:<id>\"; the entry makes nobody owner");
		else if (k->ops && !access_id(k->ops, CHAN_ID_SENDER, colon + 1, k->arena, &why))
			tell(k, false, path, arena_printf(k->arena, "\"%s\" is not an id of a person on %s: %s", colon + 1,
							  k->ops->label, why));
	}
}

static void check_lists_by_channel(struct checking *k, const char *path, const struct json *map)
{
	json_each(list, map) {
		k->ops = network(k, list->key);
		if (k->ops)
			check_list(k, CHAN_ID_SENDER, arena_printf(k->arena, "%s.%s", path, list->key), list);
	}
}

static void check_patterns(const struct checking *k, const char *path, const struct json *list)
{
	struct ch_err err;
	size_t i = 0;

	json_each(pattern, list) {
		const char *at = arena_printf(k->arena, "%s.%zu", path, i++);

		if (!json_str(pattern))
			tell(k, false, at, "a pattern is a text");
		else if (mention_pattern_check(json_str(pattern), &err))
			tell(k, false, at, arena_printf(k->arena, "the pattern is not used: %s", err.text));
	}
}

static void check_bindings(const struct checking *k)
{
	const struct json *agents = config_get(k->config, "agents.entries");
	size_t i = 0;

	json_each(binding, config_get(k->config, "bindings")) {
		const char *path = arena_printf(k->arena, "bindings.%zu", i++), *agent = json_get_str(binding, "agentId");

		if (!agent || !agent_id_valid(agent) || (!json_get(agents, agent) && (json_len(agents) || !str_eq(agent, "main"))))
			tell(k, false, arena_printf(k->arena, "%s.agentId", path), "there is no such agent: the binding has no effect");
		if (str_empty(json_get_str(json_get(binding, "match"), "channel")))
			tell(k, false, arena_printf(k->arena, "%s.match.channel", path),
			     "it is missing: the binding has no effect");
	}
}

static void check_common(struct checking *k)
{
	check_owners(k);
	check_lists_by_channel(k, "commands.allowFrom", config_get(k->config, "commands.allowFrom"));
	json_each(group, config_get(k->config, "accessGroups"))
		check_lists_by_channel(k, arena_printf(k->arena, "accessGroups.%s.members", group->key),
				       json_get(group, "members"));
	check_patterns(k, "messages.groupChat.mentionPatterns", config_get(k->config, "messages.groupChat.mentionPatterns"));
	json_each(agent, config_get(k->config, "agents.entries"))
		check_patterns(k, arena_printf(k->arena, "agents.entries.%s.groupChat.mentionPatterns", agent->key),
			       json_get(json_get(agent, "groupChat"), "mentionPatterns"));
	check_bindings(k);
}

/* ---- from outside ---- */

/* What is wrong in a list of all networks has no effect there, but stops nobody. */
struct as_warning { void (*issue)(void *arg, bool is_error, const char *path, const char *text); void *arg; };

static void tell_as_warning(void *arg, bool is_error, const char *path, const char *text)
{
	const struct as_warning *w = arg;

	w->issue(w->arg, false, path, text);
}

void access_check_all(const struct chan_ops *const *networks, size_t count, struct config *c,
		      void (*issue)(void *arg, bool is_error, const char *path, const char *text), void *arg)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct as_warning mild = { issue, arg };
	struct checking common = {
		.config = c, .networks = networks, .network_count = count, .arena = a, .issue = tell_as_warning, .arg = &mild,
	};

	check_common(&common);
	for (size_t i = 0; i < count; i++) {
		const char *const *accounts = chan_cfg_accounts(c, networks[i]->id, networks[i]->secrets, a);

		for (; *accounts; accounts++) {
			CH_AUTO(chan_cfg_unref) struct chan_cfg *cfg = chan_cfg_new(c, networks[i]->id, *accounts);
			struct checking k = { .config = c, .ops = networks[i], .cfg = cfg, .arena = a, .issue = issue, .arg = arg };

			check_account(&k);
		}
	}
}

void chan_check_config(struct config *c, void (*issue)(void *arg, bool is_error, const char *path, const char *text), void *arg)
{
	size_t count;
	const struct chan_ops *const *networks = chan_table(&count);

	access_check_all(networks, count, c, issue, arg);
}

struct first_error { struct ch_err *err; ch_status st; };

static void keep_first(void *arg, bool is_error, const char *path, const char *text)
{
	struct first_error *first = arg;

	if (is_error && !first->st)
		first->st = ch_fail(first->err, CH_E_INVALID, "%s: %s", path, text);
}

ch_status chan_check_account(const struct chan_cfg *cfg, const struct chan_ops *ops, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct first_error first = { .err = err };
	struct checking k = {
		.config = chan_cfg_config(cfg), .ops = ops, .cfg = cfg, .arena = a, .issue = keep_first, .arg = &first,
	};

	check_account(&k);
	return first.st;
}
