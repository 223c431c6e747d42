/*
 * channels/access_share.c - do several people who may write to us have one conversation together?
 *
 * With session.dmScope "main" they have: each could be answered with what another one wrote. That is meant where they are one
 * person, and told as an issue where the lists and pairings name two.
 */
#include "channels/access_judge.h"

#include "channels/access_list.h"
#include "channels/route.h"
#include "core/log.h"
#include "core/str.h"

/* The last person found who has the main conversation of an agent, and whether another one has it, too. */
struct sharing {
	const struct access_env *env;
	struct arena *arena;
	const char *id, *session_key;
	bool is_shared;
};

static void add_person(struct sharing *s, const char *id)
{
	const struct chan_peer peer = { .kind = CHAN_DIRECT, .id = id };
	const struct chan_sender sender = { .id = id };
	struct chan_route route;

	if (s->is_shared || chan_route(s->env->config, s->env->ops, s->env->account, &peer, &sender, s->arena, &route, NULL) ||
	    !str_eq(route.session_key, arena_printf(s->arena, "agent:%s:main", route.agent_id)))
		return;
	s->is_shared = s->id && !str_eq(s->id, id) && str_eq(s->session_key, route.session_key);
	s->id = id;
	s->session_key = route.session_key;
}

static void add_people(struct sharing *s, const struct json *list)
{
	json_each(entry, list) {
		const char *text = access_entry_text(entry, s->arena), *why;
		const char *id = text ? access_id(s->env->ops, CHAN_ID_SENDER, text, s->arena, &why) : NULL;

		if (id)
			add_person(s, id);
	}
}

static void add_list(struct sharing *s, const struct json *list)
{
	add_people(s, list);
	if (access_list_is_open(list)) { /* anybody, so at least two */
		add_person(s, "1");
		add_person(s, "2");
	}
	json_each(entry, list) {
		const char *text = access_entry_text(entry, s->arena);
		const struct json *group, *members;

		if (!text || !str_starts(text, ACCESS_GROUP))
			continue;
		group = json_get(config_get(s->env->config, "accessGroups"), str_trim(s->arena, text + sizeof(ACCESS_GROUP) - 1));
		members = json_get(group, "members");
		add_people(s, json_get(members, "*"));
		add_people(s, json_get(members, s->env->ops->id));
	}
}

static void add_grant(void *arg, const struct pairing_grant *g)
{
	struct sharing *s = arg;

	add_person(s, arena_strdup(s->arena, g->sender_id));
}

bool access_dms_are_shared(const struct access_env *env)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct sharing s = { .env = env, .arena = a };
	const char *policy = chan_cfg_str(env->cfg, "dmPolicy");
	struct ch_err err;

	if (str_eq(policy, "disabled"))
		return false;
	add_list(&s, chan_cfg_get(env->cfg, "allowFrom"));
	if (env->pairing && (!policy || str_eq(policy, "pairing")) &&
	    pairing_grants(env->pairing, env->ops->id, env->account, a, add_grant, &s, &err))
		log_warn("channels", "%s/%s: who was let in cannot be read: %s; those of the lists are looked at alone", env->ops->id,
			 env->account, err.text);
	return s.is_shared;
}
