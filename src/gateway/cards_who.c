/*
 * gateway/cards_who.c - see cards.h: who may answer, and where they are asked.
 */
#include "gateway/cards.h"

#include <string.h>

#include "channels/access.h"
#include "channels/host.h"
#include "channels/ingress.h"
#include "channels/route.h"
#include "core/log.h"
#include "core/regex.h"
#include "core/str.h"

#define ABOVE_MAX 8                      /* sub-agents of sub-agents; also stops a circle */
#define APPROVERS_MAX 64

/* -- approvers -- */

struct ids { const char **at; size_t len; };

static void add_id(struct ids *ids, const struct chan_ops *ops, struct arena *a, const char *text)
{
	const char *why, *id = text ? ops->id_parse(a, CHAN_ID_SENDER, text, &why) : NULL;

	if (id && !str_eq(id, "*") && ids->len < APPROVERS_MAX)
		ids->at[ids->len++] = id;
}

/* "<channel>:<id>" of this network. */
static const char *of_channel(const char *entry, const char *channel)
{
	size_t n = strlen(channel);

	return str_starts(entry, channel) && entry[n] == ':' ? entry + n + 1 : NULL;
}

static void add_owners(struct ids *ids, const struct config *c, const struct chan_ops *ops, struct arena *a)
{
	json_each(entry, config_get(c, "commands.ownerAllowFrom")) {
		const char *text = json_str(entry);

		if (text && of_channel(text, ops->id))
			add_id(ids, ops, a, of_channel(text, ops->id));
	}
}

static const struct json *exec_approvals(struct chan_cfg *cfg)
{
	return chan_cfg_get(cfg, "execApprovals");
}

const char *const *card_approvers(struct gw *gw, const char *channel, const char *account, struct arena *a)
{
	CH_AUTO(chan_cfg_unref) struct chan_cfg *cfg = chan_cfg_new(gw_config(gw), channel, account);
	const struct chan_ops *ops = chan_find(channel);
	const struct json *listed = json_get(exec_approvals(cfg), "approvers");
	struct ids ids = { arena_alloc(a, (APPROVERS_MAX + 1) * sizeof(*ids.at)), 0 };

	if (!ops)
		return ids.at;
	json_each(entry, listed)
		add_id(&ids, ops, a, json_str(entry));
	if (!listed)
		add_owners(&ids, gw_config(gw), ops, a);
	return ids.at;
}

bool card_is_approver(struct gw *gw, const char *channel, const char *account, const char *sender_id)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	const char *const *ids = card_approvers(gw, channel, account, a);
	const struct chan_ops *ops = chan_find(channel);
	const char *why, *id = ops && sender_id ? ops->id_parse(a, CHAN_ID_SENDER, sender_id, &why) : NULL;

	for (; id && *ids; ids++)
		if (str_eq(*ids, id))
			return true;
	return false;
}

/* -- places -- */

static void add_place(struct card_places *p, const struct card_place *add, struct arena *a)
{
	const char *lane = chan_lane(a, add->channel, add->account, &add->peer);

	for (size_t i = 0; i < p->len; i++)
		if (str_eq(chan_lane(a, p->at[i].channel, p->at[i].account, &p->at[i].peer), lane))
			return;
	if (p->len < CARD_PLACES_MAX)
		p->at[p->len++] = *add;
	else
		log_warn("cards", "an approval is told to %d places, and to no more", CARD_PLACES_MAX);
}

/* Where the session was last written to from; a sub-agent's is that of the session above it. */
static bool find_origin(struct gw *gw, const char *session_key, struct arena *a, struct chan_place *ret)
{
	struct chan_ingress *g = gw->channels ? chan_host_ingress(gw->channels) : NULL;

	for (int i = 0; g && session_key && i < ABOVE_MAX; i++) {
		CH_AUTO(sess_unref) struct sess *s = NULL;

		if (!ingress_place(g, session_key, a, ret, NULL))
			return true;
		if (sess_find(gw->sessions, session_key, &s, NULL))
			return false;
		session_key = arena_strdup(a, s->spawned_by);
	}
	return false;
}

static bool says(const char *what, const char *one)
{
	return str_eq(what, one) || str_eq(what, "both");
}

/* What the network that the conversation is on does by itself. */
static void add_native(struct gw *gw, const struct chan_place *origin, struct arena *a, struct card_places *ret)
{
	CH_AUTO(chan_cfg_unref) struct chan_cfg *cfg = chan_cfg_new(gw_config(gw), origin->channel, origin->account);
	const struct json *set = exec_approvals(cfg);
	const char *target = json_str_or(json_get(set, "target"), "dm");
	const char *const *who = card_approvers(gw, origin->channel, origin->account, a);
	struct card_place here = { origin->channel, origin->account, origin->peer, origin->message_id };

	if (!json_bool_or(json_get(set, "enabled"), true) || !*who)
		return;
	if (origin->peer.kind == CHAN_DIRECT && card_is_approver(gw, origin->channel, origin->account, origin->sender_id)) {
		add_place(ret, &here, a);
		return;
	}
	if (says(target, "channel"))
		add_place(ret, &here, a);
	for (; says(target, "dm") && *who; who++)
		add_place(ret, &(struct card_place){ origin->channel, origin->account, { .kind = CHAN_DIRECT, .id = *who }, NULL }, a);
}

static bool is_listed(const struct json *list, const char *word)
{
	json_each(v, list)
		if (str_eq(json_str(v), word))
			return true;
	return false;
}

/* A part of the key, or an expression that finds something in it. */
static bool key_matches(const struct json *filters, const char *key)
{
	json_each(v, filters) {
		CH_AUTO(regex_free) struct regex *re = NULL;
		const char *word = json_str(v);

		if (!word || !key)
			continue;
		if (strstr(key, word))
			return true;
		if (!regex_compile(word, strlen(word), 0, &re, NULL) && !regex_find(re, key, strlen(key), 0, NULL, NULL))
			return true;
	}
	return false;
}

static bool is_forwarded(const struct json *set, const char *agent_id, const char *session_key)
{
	const struct json *agents = json_get(set, "agentFilter"), *keys = json_get(set, "sessionFilter");

	return json_get_bool(set, "enabled", false) && (!json_len(agents) || is_listed(agents, agent_id)) &&
	       (!json_len(keys) || key_matches(keys, session_key));
}

static void add_target(struct gw *gw, const struct json *target, struct arena *a, struct card_places *ret)
{
	const char *channel = json_get_str(target, "channel"), *to = json_get_str(target, "to");
	const struct chan_ops *ops = channel ? chan_find(channel) : NULL;
	struct chan_acct *acct = ops ? chan_acct_find(gw->channels, channel, json_get_str(target, "accountId")) : NULL;
	struct card_place place = { .channel = channel };
	struct ch_err err = { 0 };

	if (!acct || !to || ops->target_parse(a, to, &place.peer, &err)) {
		log_warn("cards", "a target of approvals (%s to %s) is not told: %s", channel ? channel : "no channel", to ? to : "nobody",
			 err.text[0] ? err.text : "there is no such account");
		return;
	}
	place.account = arena_strdup(a, chan_acct_id(acct));
	if (json_get_str(target, "threadId"))
		place.peer.thread = json_get_str(target, "threadId");
	add_place(ret, &place, a);
}

void card_approval_places(struct gw *gw, enum approval_kind kind, const char *agent_id, const char *session_key, struct arena *a,
			  struct card_places *ret)
{
	const struct json *set = config_get(gw_config(gw), kind == APPROVAL_EXEC ? "approvals.exec" : "approvals.plugin");
	const char *mode = json_str_or(json_get(set, "mode"), "session");
	struct chan_place origin;
	bool has_origin = find_origin(gw, session_key, a, &origin);

	ret->len = 0;
	if (!gw->channels)
		return;
	if (has_origin)
		add_native(gw, &origin, a, ret);
	if (!is_forwarded(set, agent_id, session_key))
		return;
	if (has_origin && says(mode, "session"))
		add_place(ret, &(struct card_place){ origin.channel, origin.account, origin.peer, origin.message_id }, a);
	if (!says(mode, "targets"))
		return;
	json_each(target, json_get(set, "targets"))
		add_target(gw, target, a, ret);
}
