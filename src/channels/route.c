/*
 * channels/route.c - bindings to an agent, and the session's key.
 *
 * The bindings are walked once; each that matches has a rank by what it names, the best rank wins, within one the first in
 * the list. A binding must match in everything it names.
 */
#include "channels/route.h"

#include <string.h>

#include "core/log.h"
#include "core/str.h"
#include "sessions/key.h"

#define MAIN_AGENT "main"

/* What a binding names, best first. */
enum rank { RANK_PEER, RANK_PARENT, RANK_PEER_KIND, RANK_ROLES, RANK_GUILD, RANK_TEAM, RANK_ACCOUNT, RANK_CHANNEL, RANK_NONE };

static const char *const rank_names[] = {
	"binding.peer", "binding.peer.parent", "binding.peer.wildcard", "binding.guild+roles", "binding.guild",
	"binding.team", "binding.account", "binding.channel", "default",
};

/* One question. */
struct routing {
	const struct config *config;
	const struct chan_ops *ops;
	const char *account;
	const struct chan_peer *peer;
	const struct chan_sender *sender;        /* or NULL */
	struct arena *arena;
};

/* ---- agents ---- */

/* As agent_default_id(), which is in a layer above: the one that is marked, "main", the first. */
static const char *default_agent(const struct config *c)
{
	const char *first = NULL;

	json_each(e, config_get(c, "agents.entries")) {
		if (!agent_id_valid(e->key))
			continue;
		if (json_get_bool(e, "default", false))
			return e->key;
		if (!first || str_eq(e->key, MAIN_AGENT))
			first = e->key;
	}
	return first ? first : MAIN_AGENT;
}

static bool agent_exists(const struct config *c, const char *id)
{
	const struct json *entries = config_get(c, "agents.entries");

	return agent_id_valid(id) && (json_get(entries, id) || (!json_len(entries) && str_eq(id, MAIN_AGENT)));
}

/* ---- bindings ---- */

/* Ids may be written as numbers. */
static const char *id_text(struct arena *a, const struct json *v)
{
	if (json_is(v, JSON_INT))
		return arena_printf(a, "%lld", (long long)json_int_or(v, 0));
	return json_str(v) ? str_trim(a, json_str(v)) : NULL;
}

/* Does a binding's id mean this one? As written, or in the network's normal form. */
static bool is_same_id(const struct routing *r, const char *written, const char *id)
{
	enum chan_id_use use = r->peer->kind == CHAN_DIRECT ? CHAN_ID_SENDER : CHAN_ID_GROUP;
	const char *why, *normal;

	if (str_empty(id))
		return false;
	if (str_eq(written, id))
		return true;
	normal = r->ops->id_parse ? r->ops->id_parse(r->arena, use, written, &why) : NULL;
	return normal && str_eq(normal, id);
}

/* Groups and channels are one kind to bindings: people mix the words up, and ids do not clash. */
static bool kind_matches(const char *word, enum chan_peer_kind kind)
{
	if (str_ieq(word, "direct") || str_ieq(word, "dm"))
		return kind == CHAN_DIRECT;
	return kind != CHAN_DIRECT && (str_ieq(word, "group") || str_ieq(word, "channel"));
}

static bool has_topics(const struct routing *r)
{
	return r->ops->rooms && r->ops->rooms->topics;
}

static const char *thread_word(const struct routing *r)
{
	return r->ops->rooms && r->ops->rooms->thread_word ? r->ops->rooms->thread_word : "thread";
}

/* RANK_PEER, RANK_PARENT or RANK_NONE. */
static enum rank peer_rank(const struct routing *r, const char *written)
{
	const struct chan_peer *p = r->peer;

	if (p->kind == CHAN_DIRECT && r->sender && is_same_id(r, written, r->sender->id))
		return RANK_PEER;
	if (p->thread && has_topics(r)) {
		if (str_eq(written, arena_printf(r->arena, "%s:%s:%s", p->id, thread_word(r), p->thread)))
			return RANK_PEER;
		return is_same_id(r, written, p->id) ? RANK_PARENT : RANK_NONE;
	}
	if (is_same_id(r, written, p->id))
		return RANK_PEER;
	return is_same_id(r, written, p->parent) ? RANK_PARENT : RANK_NONE;
}

/* No account in a binding means the default one; "*" any. */
static bool account_matches(const char *written, const char *account)
{
	if (str_eq(written, "*"))
		return true;
	return str_ieq(str_empty(written) ? CHAN_DEFAULT_ACCOUNT : written, account);
}

static bool has_role(const struct chan_sender *sender, const struct json *roles)
{
	for (const char *const *role = sender ? sender->roles : NULL; role && *role; role++)
		json_each(wanted, roles)
			if (str_eq(json_str(wanted), *role))
				return true;
	return false;
}

static enum rank rank_by_peer(const struct routing *r, const struct json *peer)
{
	const char *kind = json_get_str(peer, "kind"), *id = id_text(r->arena, json_get(peer, "id"));

	if (str_empty(kind) || str_empty(id) || !kind_matches(kind, r->peer->kind))
		return RANK_NONE;
	return str_eq(id, "*") ? RANK_PEER_KIND : peer_rank(r, id);
}

/* RANK_NONE: it does not match. */
static enum rank rank_of(const struct routing *r, const struct json *binding)
{
	const struct json *m = json_get(binding, "match"), *roles = json_get(m, "roles");
	const char *type = json_get_str(binding, "type"), *account = json_get_str(m, "accountId");
	const char *guild = id_text(r->arena, json_get(m, "guildId")), *team = id_text(r->arena, json_get(m, "teamId"));

	if ((type && !str_eq(type, "route")) || !str_ieq(json_get_str(m, "channel"), r->ops->id) ||
	    !account_matches(account ? str_trim(r->arena, account) : NULL, r->account))
		return RANK_NONE;
	if ((!str_empty(guild) && !str_eq(guild, r->peer->guild)) || (!str_empty(team) && !str_eq(team, r->peer->team)))
		return RANK_NONE;
	if (json_len(roles) && !has_role(r->sender, roles))
		return RANK_NONE;
	if (json_get(m, "peer"))
		return rank_by_peer(r, json_get(m, "peer"));
	if (!str_empty(guild))
		return json_len(roles) ? RANK_ROLES : RANK_GUILD;
	if (!str_empty(team))
		return RANK_TEAM;
	return str_eq(account, "*") ? RANK_CHANNEL : RANK_ACCOUNT;
}

/* NULL: none matches. */
static const struct json *pick_binding(const struct routing *r, enum rank *ret_rank)
{
	const struct json *best = NULL;

	*ret_rank = RANK_NONE;
	json_each(b, config_get(r->config, "bindings")) {
		enum rank rank = rank_of(r, b);

		if (rank >= *ret_rank)
			continue;
		if (!agent_exists(r->config, json_get_str(b, "agentId"))) {
			log_debug("channels", "a binding for %s names the agent %s, which is not there; it is passed over",
				 r->ops->id, log_quote(json_get_str(b, "agentId")));
			continue;
		}
		best = b;
		*ret_rank = rank;
	}
	return best;
}

/* ---- the session ---- */

/* The name under which session.identityLinks has this sender; NULL: none. */
static const char *linked_name(const struct routing *r, const char *peer_id)
{
	const char *qualified = arena_printf(r->arena, "%s:%s", r->ops->id, peer_id);

	json_each(name, config_get(r->config, "session.identityLinks"))
		json_each(id, name) {
			const char *text = id_text(r->arena, id);

			if (str_ieq(text, peer_id) || str_ieq(text, qualified))
				return str_trim(r->arena, name->key);
		}
	return NULL;
}

static const char *scope_of(const struct routing *r, const struct json *binding, const char *key, const char *def)
{
	const char *own = json_get_str(json_get(binding, "session"), key);
	const char *all = config_str(r->config, arena_printf(r->arena, "session.%s", key));

	return own ? own : all ? all : def;
}

static const char *direct_rest(const struct routing *r, const struct json *binding)
{
	const char *scope = scope_of(r, binding, "dmScope", "main"), *id = r->sender ? r->sender->id : NULL;
	const char *linked;

	if (str_empty(id))
		id = r->peer->id;
	if (str_eq(scope, "main") || str_empty(id))
		return "main";
	linked = linked_name(r, id);
	if (!str_empty(linked))
		id = linked;
	if (str_eq(scope, "per-peer"))
		return arena_printf(r->arena, "direct:%s", id);
	if (str_eq(scope, "per-channel-peer"))
		return arena_printf(r->arena, "%s:direct:%s", r->ops->id, id);
	/* Also for words that validation reported: the narrowest scope shares nothing by mistake. */
	return arena_printf(r->arena, "%s:%s:direct:%s", r->ops->id, r->account, id);
}

static const char *room_rest(const struct routing *r, const struct json *binding)
{
	const struct chan_peer *p = r->peer;

	if (str_eq(scope_of(r, binding, "groupScope", "per-group"), "main"))
		return "main";
	if (p->parent && !p->thread)
		return arena_printf(r->arena, "%s:%s:%s:%s:%s", r->ops->id, chan_peer_kind_name(p->kind), p->parent,
				    thread_word(r), p->id);
	return arena_printf(r->arena, "%s:%s:%s", r->ops->id, chan_peer_kind_name(p->kind), p->id);
}

static const char *session_key(const struct routing *r, const struct json *binding, const char *agent_id)
{
	const struct chan_peer *p = r->peer;
	const char *rest = p->kind == CHAN_DIRECT ? direct_rest(r, binding) : room_rest(r, binding);

	if (!p->thread || (p->kind != CHAN_DIRECT && str_eq(rest, "main")))
		return arena_printf(r->arena, "agent:%s:%s", agent_id, rest);
	/* Topics of a DM are numbered by chat, so the chat is part of their name. */
	if (p->kind == CHAN_DIRECT && has_topics(r))
		return arena_printf(r->arena, "agent:%s:%s:thread:%s:%s", agent_id, rest, p->id, p->thread);
	return arena_printf(r->arena, "agent:%s:%s:%s:%s", agent_id, rest, p->kind == CHAN_DIRECT ? "thread" : thread_word(r),
			    p->thread);
}

ch_status chan_route(const struct config *c, const struct chan_ops *ops, const char *account, const struct chan_peer *peer,
		     const struct chan_sender *sender, struct arena *a, struct chan_route *ret, struct ch_err *err)
{
	struct routing r = { .config = c, .ops = ops, .account = account, .peer = peer, .sender = sender, .arena = a };
	const struct json *binding;
	const char *agent_id;
	struct sess_key key;
	enum rank rank;
	ch_status st;

	if (str_empty(peer->id))
		return ch_fail(err, CH_E_INVALID, "%s: a message from nowhere cannot be routed", ops->id);
	binding = pick_binding(&r, &rank);
	agent_id = binding ? json_get_str(binding, "agentId") : default_agent(c);
	st = sess_key_parse(a, session_key(&r, binding, agent_id), agent_id, &key, err);
	if (st)
		return ch_wrap(err, "route of %s", ops->id);
	*ret = (struct chan_route){
		.agent_id = key.agent_id,
		.session_key = key.key,
		.chat_type = chan_peer_kind_name(peer->kind),
		.matched_by = rank_names[rank],
		.lane = chan_lane(a, ops->id, account, peer),
	};
	return CH_OK;
}

const char *chan_lane(struct arena *a, const char *channel, const char *account, const struct chan_peer *peer)
{
	return peer->thread ? arena_printf(a, "%s:%s:%s:%s:%s", channel, account, chan_peer_kind_name(peer->kind), peer->id,
					   peer->thread)
			    : arena_printf(a, "%s:%s:%s:%s", channel, account, chan_peer_kind_name(peer->kind), peer->id);
}

/* ---- a place as JSON ---- */

static const struct { const char *key; size_t at; } peer_texts[] = {
	{ "id", offsetof(struct chan_peer, id) },         { "thread", offsetof(struct chan_peer, thread) },
	{ "parent", offsetof(struct chan_peer, parent) }, { "guild", offsetof(struct chan_peer, guild) },
	{ "team", offsetof(struct chan_peer, team) },     { "name", offsetof(struct chan_peer, name) },
};

static const char **text_of(struct chan_peer *p, size_t at)
{
	return (const char **)(void *)((char *)p + at);
}

struct json *chan_peer_json(struct arena *a, const struct chan_peer *p)
{
	struct json *v = json_new_obj(a);
	struct chan_peer copy = *p;

	json_set(a, v, "kind", json_new_str(a, chan_peer_kind_name(p->kind)));
	for (size_t i = 0; i < CH_ARRAY_LEN(peer_texts); i++)
		if (*text_of(&copy, peer_texts[i].at))
			json_set(a, v, peer_texts[i].key, json_new_str(a, *text_of(&copy, peer_texts[i].at)));
	return v;
}

ch_status chan_peer_read(const struct json *v, struct arena *a, struct chan_peer *ret, struct ch_err *err)
{
	const char *word = json_get_str(v, "kind");
	struct chan_peer p = { .kind = CHAN_DIRECT };

	while (!str_eq(word, chan_peer_kind_name(p.kind)))
		if (p.kind++ == CHAN_CHANNEL)
			return ch_fail(err, CH_E_INVALID, "a place without a kind: direct, group or channel");
	for (size_t i = 0; i < CH_ARRAY_LEN(peer_texts); i++)
		*text_of(&p, peer_texts[i].at) = arena_strdup(a, json_get_str(v, peer_texts[i].key));
	if (str_empty(p.id))
		return ch_fail(err, CH_E_INVALID, "a place without an id");
	*ret = p;
	return CH_OK;
}
