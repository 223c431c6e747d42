/*
 * channels/access.c - the one judgement: each gate in turn, the first that objects decides.
 *
 *	ourselves, other bots -> DM: policy, list, paired | room: policy, map, list -> addressed? -> bots' share
 *
 * Facts of the platform that nobody said (a room got a new id, we left it) need a room that is let in, not a sender.
 */
#include "channels/access_judge.h"

#include <string.h>

#include "channels/access_list.h"
#include "channels/activation.h"
#include "channels/mention.h"
#include "channels/rooms.h"
#include "channels/route.h"
#include "core/str.h"

struct chan_access {
	const struct chan_in *in;
	enum chan_verdict verdict;
	const char *reason;
	const char *sender;              /* normal form; NULL: it has none */
	const char *text, *prompt, *reactions;
	const struct json *tools;
	bool is_owner, may_command, was_mentioned, is_group;
};

/* One judgement under way. */
struct judging {
	const struct access_env *env;
	const struct chan_in *in;
	struct arena *arena;
	struct chan_access *x;
	struct room room;                /* what the configuration says of it; of a DM, too */
	const char *session_key;         /* NULL: not looked for, as we were mentioned, or there is none */
	bool can_tell;                   /* whether we are addressed can be found out */
	bool is_listed_sender;           /* some list names the sender, not only the room's openness */
};

static const struct chan_access *decide(struct judging *j, enum chan_verdict verdict, const char *reason)
{
	j->x->verdict = verdict;
	j->x->reason = reason;
	return j->x;
}

static bool list_has(const struct judging *j, const struct json *list)
{
	return access_list_has(j->env->config, j->env->ops, list, j->x->sender, j->arena) ||
	       access_list_has_audience(j->env->config, list, &j->in->sender, j->arena);
}

static const struct chan_rooms *rooms_of(const struct access_env *env)
{
	static const struct chan_rooms plain = { 0 };

	return env->ops->rooms ? env->ops->rooms : &plain;
}

static const char *senders_key(const struct access_env *env)
{
	return rooms_of(env)->senders ? rooms_of(env)->senders : "allowFrom";
}

/* What nobody says: it comes from the platform itself. */
static bool is_platform_fact(enum chan_in_kind kind)
{
	return kind == CHAN_IN_MIGRATE || kind == CHAN_IN_LEAVE;
}

/* ---- DMs ---- */

/* NULL: let in. */
static const char *refuse_direct(struct judging *j, bool *ret_may_pair)
{
	const struct access_env *env = j->env;
	const char *policy = chan_cfg_str(env->cfg, "dmPolicy");
	const struct json *list = chan_cfg_get(env->cfg, "allowFrom");

	*ret_may_pair = false;
	if (room_is_off(&j->room))
		return "dm-policy: DMs of this sender are off";
	if (str_eq(policy, "disabled") || !json_bool_or(chan_cfg_get(env->cfg, "dm.enabled"), true))
		return "dm-policy: DMs are off";
	j->is_listed_sender = list_has(j, list);
	if (str_eq(policy, "open"))
		return j->is_listed_sender ? NULL : "dm-policy: open, but neither \"*\" nor this sender is in allowFrom";
	if (str_eq(policy, "allowlist"))
		return j->is_listed_sender ? NULL : "dm-policy: not in allowFrom";
	if (policy && !str_eq(policy, "pairing"))
		return "dm-policy: not a known policy";
	if (j->is_listed_sender)
		return NULL;
	if (env->pairing && pairing_is_granted(env->pairing, env->ops->id, env->account, j->x->sender)) {
		j->is_listed_sender = true;
		return NULL;
	}
	*ret_may_pair = j->x->sender != NULL;
	return "dm-policy: not paired";
}

static bool asks_pairing(const struct chan_in *in)
{
	return (in->kind == CHAN_IN_MESSAGE || in->kind == CHAN_IN_COMMAND) && !in->sender.is_bot;
}

/* ---- rooms ---- */

static const char *group_policy(const struct access_env *env)
{
	const char *policy = chan_cfg_str(env->cfg, "groupPolicy");

	return policy ? policy : "allowlist";
}

/* A DM of several people is a room that must be asked for. */
static const char *refuse_group_dm(const struct judging *j)
{
	const struct json *listed = chan_cfg_get(j->env->cfg, "dm.groupChannels");
	const char *why;

	if (!json_bool_or(chan_cfg_get(j->env->cfg, "dm.groupEnabled"), false))
		return "group-policy: dm.groupEnabled is off";
	if (!json_len(listed))
		return NULL;
	json_each(entry, listed) {
		const char *text = access_entry_text(entry, j->arena);
		const char *id = text ? access_id(j->env->ops, CHAN_ID_GROUP, text, j->arena, &why) : NULL;

		if (str_eq(text, "*") || (id && str_eq(id, j->in->peer.id)))
			return NULL;
	}
	return "group-policy: not in dm.groupChannels";
}

/* May we be in this room at all? NULL: yes. */
static const char *refuse_room(struct judging *j)
{
	const struct chan_rooms *rooms = rooms_of(j->env);
	const char *policy = group_policy(j->env);

	if (!str_eq(policy, "open") && !str_eq(policy, "allowlist"))
		return "group-policy: groups are off";
	if (room_is_off(&j->room))
		return "group-policy: this room is off";
	if (rooms->has_group_dms && j->in->peer.kind == CHAN_GROUP)
		return refuse_group_dm(j);
	if (str_eq(policy, "open") && !(rooms->is_fence && j->room.has_map))
		return NULL;
	return j->room.is_listed ? NULL : "group-policy: this room is not listed";
}

/* The list that holds for senders here; *ret_is_own: the room's own. NULL: there is none. */
static const struct json *sender_list(const struct access_env *env, const struct room *room, bool *ret_is_own)
{
	const struct json *own = room_access(room, senders_key(env)), *all = chan_cfg_get(env->cfg, "groupAllowFrom");

	*ret_is_own = own || room_access(room, "roles");
	if (*ret_is_own)
		return own;
	if (json_len(all) || rooms_of(env)->are_listed_open || rooms_of(env)->has_own_senders)
		return all;
	return chan_cfg_get(env->cfg, "allowFrom");
}

/* May this sender speak in it? NULL: yes. */
static const char *refuse_sender(struct judging *j)
{
	const struct access_env *env = j->env;
	const struct json *own_policy = room_access(&j->room, "groupPolicy");
	const char *policy = own_policy ? json_str_or(own_policy, "disabled") : group_policy(env);
	bool is_own;
	const struct json *list = sender_list(env, &j->room, &is_own);

	if (!str_eq(policy, "open") && !str_eq(policy, "allowlist"))
		return "group-policy: this room is off";
	j->is_listed_sender = list_has(j, list) ||
			      (is_own && access_list_has_role(room_access(&j->room, "roles"), &j->in->sender));
	if (j->is_listed_sender)
		return NULL;
	if (is_own)
		return "group-policy: the room's list does not name this sender";
	if (str_eq(policy, "open") || (rooms_of(env)->are_listed_open && !list && j->room.is_listed))
		return NULL;
	return json_len(list) ? "group-policy: not in groupAllowFrom" : "group-policy: no sender is listed";
}

/* ---- addressed? ---- */

static bool implicit(const struct judging *j, const char *fact)
{
	return json_bool_or(chan_cfg_get(j->env->cfg, arena_printf(j->arena, "implicitMentions.%s", fact)), true);
}

static bool follows_thread(const struct judging *j, const char *session_key)
{
	return rooms_of(j->env)->follows_threads && j->in->peer.thread && j->env->is_in_thread && session_key &&
	       implicit(j, "threadParticipation") && j->env->is_in_thread(j->env->is_in_thread_arg, session_key);
}

static enum mention by_pattern(const struct judging *j, const struct chan_route *route)
{
	const struct access_env *env = j->env;
	struct mention_of m = {
		.config = env->config, .cfg = env->cfg, .gate = env->gate, .ops = env->ops, .peer = &j->in->peer,
		.agent_id = route->agent_id,
	};

	if (route->agent_id && env->up && env->up->identity)
		env->up->identity(env->up->arg, route->agent_id, j->arena, &m.name, &m.emoji);
	return mention_test(&m, j->in->text, j->arena);
}

static void find_mention(struct judging *j)
{
	const struct chan_in *in = j->in;
	struct chan_route route = { 0 };
	enum mention pattern;

	j->can_tell = in->can_mention;
	j->x->was_mentioned = in->is_mentioned || in->kind == CHAN_IN_COMMAND ||
			      (in->quote && in->quote->is_ours && implicit(j, "replyToBot"));
	if (j->x->was_mentioned)
		return;
	/* Without a route there is no agent, so no names of its own: the common patterns are still tried. */
	if (chan_route(j->env->config, j->env->ops, j->env->account, &in->peer, &in->sender, j->arena, &route, NULL))
		route = (struct chan_route){ 0 };
	j->session_key = route.session_key;
	pattern = by_pattern(j, &route);
	j->can_tell |= pattern != MENTION_NO_PATTERNS;
	j->x->was_mentioned = pattern == MENTION_YES || follows_thread(j, route.session_key);
}

static bool is_command(const struct judging *j)
{
	const struct chan_up *up = j->env->up;

	return j->x->may_command && !j->in->mentions_others && !j->in->is_forwarded && up && up->is_command &&
	       up->is_command(up->arg, j->x->text);
}

static bool needs_mention(const struct judging *j)
{
	bool is_set = json_bool_or(room_get(&j->room, "requireMention"), true);
	enum activation said = ACTIVATION_UNSET;

	if (!j->can_tell || (j->in->kind != CHAN_IN_MESSAGE && j->in->kind != CHAN_IN_EDIT))
		return false;
	if (j->env->db && j->session_key && rooms_of(j->env)->has_activation)
		said = activation_of(j->env->db, j->session_key);
	return said == ACTIVATION_UNSET ? is_set : said == ACTIVATION_MENTION;
}

/* ---- bots ---- */

/* Other bots are heard where allowBots says so; in rooms of some networks only when the room names them. */
static const char *refuse_bot(const struct judging *j)
{
	const struct json *room = j->x->is_group ? room_get(&j->room, "allowBots") : NULL;
	const struct json *set = room ? room : chan_cfg_get(j->env->cfg, "allowBots");
	bool is_on_mention = str_eq(json_str(set), "mentions");

	if (!is_on_mention && !json_bool_or(set, false))
		return "bots: allowBots is off";
	if (is_on_mention && j->x->is_group && !j->x->was_mentioned)
		return "bots: this one did not mention us";
	if (j->x->is_group && rooms_of(j->env)->lists_bots) {
		const struct json *own = room_access(&j->room, senders_key(j->env));

		if (access_list_is_open(own) ? !j->is_listed_sender : !list_has(j, own))
			return "bots: the room's list does not name this one";
	}
	return NULL;
}

/* The two bots had their share of each other. */
static bool is_loop(const struct judging *j)
{
	const struct access_env *env = j->env;
	const struct chan_peer *peer = &j->in->peer;
	struct loop_limits limits = LOOP_LIMITS_DEFAULT;

	if (!j->in->sender.is_bot || !env->gate || !j->in->sender.id)
		return false;
	loop_limits_apply(&limits, config_get(env->config, "channels.defaults.botLoopProtection"));
	loop_limits_apply(&limits, config_get(env->config, arena_printf(j->arena, "channels[\"%s\"].botLoopProtection",
									env->ops->id)));
	loop_limits_apply(&limits, chan_cfg_get(env->cfg, "botLoopProtection"));
	if (j->x->is_group)
		loop_limits_apply(&limits, room_get(&j->room, "botLoopProtection"));
	return !loop_guard_admits(chan_gate_loops(env->gate), chan_lane(j->arena, env->ops->id, env->account, peer),
				  j->in->sender.id, env->self_id ? env->self_id : "",
				  j->in->event_id ? j->in->event_id : "", &limits);
}

/* ---- the judgement ---- */

static void find_rights(struct judging *j)
{
	const struct access_env *env = j->env;
	bool says, may = access_may_command(env->config, env->ops, j->x->sender, j->arena, &says);

	j->x->is_owner = access_is_owner(env->config, env->ops, j->x->sender, j->arena);
	j->x->may_command = says ? may
				 : j->x->is_owner || j->is_listed_sender || list_has(j, chan_cfg_get(env->cfg, "allowFrom"));
}

static const char *copy_text(const struct json *v, struct arena *a)
{
	return json_str(v) && *json_str(v) ? arena_strdup(a, json_str(v)) : NULL;
}

static const struct json *copy_json(const struct json *v, struct arena *a)
{
	return v ? json_clone(a, v) : NULL;
}

static void take_settings(struct judging *j)
{
	j->x->prompt = copy_text(room_get(&j->room, "systemPrompt"), j->arena);
	j->x->tools = copy_json(room_tools(&j->room, j->env->ops, j->x->sender, j->arena), j->arena);
	j->x->reactions = copy_text(room_get(&j->room, "reactionNotifications"), j->arena);
}

static const struct chan_access *judge_direct(struct judging *j)
{
	bool may_pair;
	const char *why;

	room_find(j->env->cfg, j->env->ops, &j->in->peer, j->arena, &j->room);
	why = refuse_direct(j, &may_pair);
	if (why)
		return decide(j, may_pair && asks_pairing(j->in) ? CHAN_ASK_PAIRING : CHAN_IGNORE, why);
	find_rights(j);
	take_settings(j);
	why = j->in->sender.is_bot ? refuse_bot(j) : NULL;
	if (why)
		return decide(j, CHAN_IGNORE, why);
	if (is_loop(j))
		return decide(j, CHAN_IGNORE, "bots: they answer each other");
	return decide(j, CHAN_ADMIT, "dm: let in");
}

static const struct chan_access *judge_room(struct judging *j)
{
	const char *why;

	room_find(j->env->cfg, j->env->ops, &j->in->peer, j->arena, &j->room);
	why = refuse_room(j);
	if (!why && is_platform_fact(j->in->kind))
		return decide(j, CHAN_ADMIT, "room: said by the platform");
	if (!why)
		why = refuse_sender(j);
	if (why)
		return decide(j, CHAN_IGNORE, why);
	find_rights(j);
	find_mention(j);
	take_settings(j);
	why = j->in->sender.is_bot ? refuse_bot(j) : NULL;
	if (why)
		return decide(j, CHAN_IGNORE, why);
	if (!j->x->was_mentioned && j->in->mentions_others &&
	    json_bool_or(room_get(&j->room, "ignoreOtherMentions"), false))
		return decide(j, CHAN_IGNORE, "mention: others are addressed");
	if (needs_mention(j) && !j->x->was_mentioned && !is_command(j))
		return decide(j, CHAN_OVERHEAR, "mention: we are not addressed");
	if (is_loop(j))
		return decide(j, CHAN_IGNORE, "bots: they answer each other");
	return decide(j, CHAN_ADMIT, j->x->was_mentioned ? "room: addressed" : "room: let in");
}

const struct chan_access *access_judge(const struct access_env *env, const struct chan_in *in, struct arena *a)
{
	struct chan_access *x = arena_alloc(a, sizeof(*x));
	struct judging j = { .env = env, .in = in, .arena = a, .x = x };
	const char *why;

	x->in = in;
	x->is_group = in->peer.kind != CHAN_DIRECT;
	x->sender = in->sender.id ? access_id(env->ops, CHAN_ID_SENDER, in->sender.id, a, &why) : NULL;
	x->text = mention_strip(a, in->text, env->self_id, env->self_username);
	if (str_empty(in->peer.id))
		return decide(&j, CHAN_IGNORE, "nowhere: no place is given");
	if ((in->sender.is_self || (env->self_id && in->sender.id && str_eq(in->sender.id, env->self_id))) &&
	    !is_platform_fact(in->kind))
		return decide(&j, CHAN_IGNORE, "self: we said it");
	return x->is_group ? judge_room(&j) : judge_direct(&j);
}

/* ---- context ---- */

bool access_context_allows(const struct access_env *env, const struct chan_access *x, const char *sender_id, bool is_quote)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	const char *mode = chan_cfg_str(env->cfg, "contextVisibility"), *why, *sender;
	struct room room;
	bool is_own;

	if (!mode || str_eq(mode, "all") || (is_quote && str_eq(mode, "allowlist_quote")))
		return true;
	sender = sender_id ? access_id(env->ops, CHAN_ID_SENDER, sender_id, a, &why) : NULL;
	if (!sender || (!str_eq(mode, "allowlist") && !str_eq(mode, "allowlist_quote")))
		return false;
	if (env->self_id && str_eq(sender, env->self_id))
		return true;
	if (!x->is_group)
		return access_list_has(env->config, env->ops, chan_cfg_get(env->cfg, "allowFrom"), sender, a) ||
		       (env->pairing && pairing_is_granted(env->pairing, env->ops->id, env->account, sender));
	room_find(env->cfg, env->ops, &x->in->peer, a, &room);
	return access_list_has(env->config, env->ops, sender_list(env, &room, &is_own), sender, a);
}

/* ---- reading ---- */

enum chan_verdict chan_access_verdict(const struct chan_access *x)
{
	return x->verdict;
}

const char *chan_access_reason(const struct chan_access *x)
{
	return x->reason;
}

const char *chan_access_sender(const struct chan_access *x)
{
	return x->sender;
}

bool chan_access_is_owner(const struct chan_access *x)
{
	return x->is_owner;
}

bool chan_access_may_command(const struct chan_access *x)
{
	return x->may_command;
}

bool chan_access_was_mentioned(const struct chan_access *x)
{
	return x->was_mentioned;
}

bool chan_access_is_group(const struct chan_access *x)
{
	return x->is_group;
}

const char *chan_access_prompt(const struct chan_access *x)
{
	return x->prompt;
}

const struct json *chan_access_tools(const struct chan_access *x)
{
	return x->tools;
}

const char *chan_access_reactions(const struct chan_access *x)
{
	return x->reactions;
}

const char *chan_access_text(const struct chan_access *x)
{
	return x->text;
}
