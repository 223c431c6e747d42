/*
 * agent/policy.c - see policy.h: the layers, each a function that gives a reason to refuse a tool, or none.
 */
#include "agent/policy.h"

#include "core/hash.h"
#include "core/mem.h"
#include "core/str.h"

/* What the layers look at, found once. */
struct judge {
	const struct policy_want *want;
	struct arena *arena;
	const struct json *global, *own; /* tools, agents.entries.<id>.tools */
	const char *own_path;
	const char *profile, *profile_path;      /* NULL: none is chosen */
	const struct json *provider, *own_provider, *sender, *sandbox, *requester;
	const char *provider_path, *own_provider_path, *sender_path, *sandbox_path;
};
struct subject { const struct tool *tool; bool is_row; };

/* -- lists -- */

/* The first entry that means the tool, or NULL. */
static const char *entry_for(const struct json *list, const struct subject *s)
{
	json_each(entry, list)
		if (json_str(entry) && policy_names(json_str(entry), s->tool, s->is_row))
			return json_str(entry);
	return NULL;
}

/* Who may write may patch; the other way round, and for deny, each name stands for itself. */
static bool is_admitted(const struct json *list, const struct subject *s)
{
	const struct tool *write;

	if (entry_for(list, s))
		return true;
	if (!s->is_row || !str_eq(s->tool->name, "apply_patch"))
		return false;
	write = tool_find("write");
	return write && entry_for(list, &(struct subject){ write, true });
}

/* allow, alsoAllow and deny of one place in the configuration. */
static const char *by_lists(const struct judge *j, const struct json *scope, const char *path, const struct subject *s)
{
	const struct json *allow = json_get(scope, "allow");
	const char *denied = entry_for(json_get(scope, "deny"), s);

	if (denied)
		return arena_printf(j->arena, "%s.deny names it (\"%s\")", path, denied);
	if (allow && !is_admitted(allow, s) && !is_admitted(json_get(scope, "alsoAllow"), s))
		return arena_printf(j->arena, "%s.allow does not name it", path);
	return NULL;
}

/* -- the layers -- */

static bool is_named(const struct judge *j, const struct subject *s)
{
	return entry_for(json_get(j->global, "alsoAllow"), s) || entry_for(json_get(j->own, "alsoAllow"), s);
}

static const char *by_profile(const struct judge *j, const struct subject *s)
{
	if (is_named(j, s))
		return NULL;
	if (s->tool->flags & TOOL_OPTIONAL && !str_ieq(j->profile, "full") && !is_admitted(json_get(j->global, "allow"), s) &&
	    !is_admitted(json_get(j->own, "allow"), s))
		return "it is optional: tools.alsoAllow adds it";
	if (!j->profile || policy_in_profile(j->profile, s->tool, s->is_row))
		return NULL;
	return arena_printf(j->arena, "%s is \"%s\", which does not have it (tools.alsoAllow adds it)", j->profile_path,
			    j->profile);
}

static const char *by_one_provider(const struct judge *j, const struct json *scope, const char *path, const struct subject *s)
{
	const char *profile = json_get_str(scope, "profile");

	if (profile && !policy_in_profile(profile, s->tool, s->is_row) && !entry_for(json_get(scope, "alsoAllow"), s))
		return arena_printf(j->arena, "%s.profile is \"%s\", which does not have it", path, profile);
	return by_lists(j, scope, path, s);
}

static const char *by_provider(const struct judge *j, const struct subject *s)
{
	const char *why = by_one_provider(j, j->provider, j->provider_path, s);

	return why ? why : by_one_provider(j, j->own_provider, j->own_provider_path, s);
}

static const char *by_global(const struct judge *j, const struct subject *s)
{
	return by_lists(j, j->global, "tools", s);
}

static const char *by_agent(const struct judge *j, const struct subject *s)
{
	return by_lists(j, j->own, j->own_path, s);
}

static const char *by_sender(const struct judge *j, const struct subject *s)
{
	return by_lists(j, j->sender, j->sender_path, s);
}

static const char *by_room(const struct judge *j, const struct subject *s)
{
	return by_lists(j, j->want->room, "the room's tools", s);
}

static const char *by_sandbox(const struct judge *j, const struct subject *s)
{
	return by_lists(j, j->sandbox, j->sandbox_path, s);
}

/* What the session that started a sub-agent does for it, whatever lists say. */
static const char *const not_below[] = { "agents_list", "progress_card", "session_status", "sessions_send" };
/* What one that may start no others has no use for. */
static const char *const not_at_bottom[] = { "sessions_history", "sessions_list", "sessions_spawn", "subagents" };

static const char *by_subagent(const struct judge *j, const struct subject *s)
{
	const struct policy_want *want = j->want;
	const struct json *own = json_path(j->own, "subagents.tools");
	const char *why;

	if (want->depth <= 0)
		return NULL;
	if (s->tool->flags & TOOL_NOT_SUBAGENT || str_in(s->tool->name, not_below, CH_ARRAY_LEN(not_below)))
		return "sub-agents never have it";
	if (want->depth >= want->depth_max && str_in(s->tool->name, not_at_bottom, CH_ARRAY_LEN(not_at_bottom)))
		return "a sub-agent this deep starts no others (agents.defaults.subagents.maxSpawnDepth)";
	why = by_lists(j, json_path(j->global, "subagents.tools"), "tools.subagents.tools", s);
	return why ? why : by_lists(j, own, arena_printf(j->arena, "%s.subagents.tools", j->own_path), s);
}

/* Names stand for themselves here. */
static const char *by_requester(const struct judge *j, const struct subject *s)
{
	if (!j->want->requester_tools)
		return NULL;
	json_each(name, j->requester)
		if (str_eq(json_str(name), s->tool->name))
			return NULL;
	return "the session that started this one did not have it";
}

static const char *by_mode(const struct judge *j, const struct subject *s)
{
	if (j->want->mode != TOOL_MODE_READ_ONLY || s->tool->risk == TOOL_READS)
		return NULL;
	return "the session's permission mode is read-only";
}

static const char *by_owner(const struct judge *j, const struct subject *s)
{
	return s->tool->flags & TOOL_OWNER_ONLY && !j->want->is_owner ? "only the owner's own turns have it" : NULL;
}

static const char *by_availability(const struct judge *j, const struct subject *s)
{
	const char *why = NULL;

	if (!j->want->host || !s->tool->is_available ||
	    s->tool->is_available(j->want->host, j->want->agent_id, j->arena, &why))
		return NULL;
	return why ? arena_strdup(j->arena, why) : "it cannot be used as things are configured";
}

static const struct layer {
	const char *name;
	const char *(*refuse)(const struct judge *j, const struct subject *s);
} layers[] = {
	[POLICY_PROFILE] = { "profile", by_profile },
	[POLICY_PROVIDER] = { "provider", by_provider },
	[POLICY_GLOBAL] = { "global", by_global },
	[POLICY_AGENT] = { "agent", by_agent },
	[POLICY_SENDER] = { "sender", by_sender },
	[POLICY_ROOM] = { "room", by_room },
	[POLICY_SANDBOX] = { "sandbox", by_sandbox },
	[POLICY_SUBAGENT] = { "subagent", by_subagent },
	[POLICY_REQUESTER] = { "requester", by_requester },
	[POLICY_MODE] = { "mode", by_mode },
	[POLICY_OWNER] = { "owner", by_owner },
	[POLICY_AVAILABILITY] = { "availability", by_availability },
};

const char *policy_layer_name(enum policy_layer l)
{
	return l < POLICY_ALLOWED ? layers[l].name : "allowed";
}

static const char *const mode_names[] = {
	[TOOL_MODE_READ_ONLY] = "read-only",
	[TOOL_MODE_GUARDED] = "guarded",
	[TOOL_MODE_WORKSPACE] = "workspace",
	[TOOL_MODE_FULL] = "full",
};

const char *tool_mode_name(enum tool_mode m)
{
	return mode_names[m];
}

enum tool_mode tool_mode_parse(const char *name)
{
	if (str_empty(name))
		return TOOL_MODE_UNSET;
	for (size_t i = TOOL_MODE_READ_ONLY; i < CH_ARRAY_LEN(mode_names); i++)
		if (str_eq(mode_names[i], name))
			return (enum tool_mode)i;
	return TOOL_MODE_READ_ONLY;
}

/* -- what they look at -- */

/* The entry of byProvider for the model, else for its provider. */
static const struct json *find_provider(struct judge *j, const struct json *scope, const char *scope_path, const char **ret_path)
{
	const struct policy_want *want = j->want;
	const struct json *map = json_get(scope, "byProvider"), *found = NULL;
	const char *key = want->provider;

	if (!map || !key)
		return NULL;
	if (want->model) {
		key = arena_printf(j->arena, "%s/%s", want->provider, want->model);
		found = json_get(map, key);
	}
	if (!found) {
		key = want->provider;
		found = json_get(map, key);
	}
	*ret_path = arena_printf(j->arena, "%s.byProvider[\"%s\"]", scope_path, key);
	return found;
}

/*
 * The entry of toolsBySender for whom the turn speaks: by channel and id, by id, then "*". The owner at a client of the
 * gateway's own is nobody's sender. Names that people give themselves decide nothing here.
 */
static const struct json *find_sender(struct judge *j, const struct json *scope, const char *scope_path)
{
	const struct policy_want *want = j->want;
	const struct json *map = json_get(scope, "toolsBySender"), *found = NULL;
	const char *keys[] = { NULL, NULL, NULL, "*" };

	if (!map || (want->is_owner && !want->channel && !want->sender))
		return NULL;
	if (want->sender) {
		if (want->channel)
			keys[0] = arena_printf(j->arena, "channel:%s:%s", want->channel, want->sender);
		keys[1] = arena_printf(j->arena, "id:%s", want->sender);
		keys[2] = want->sender;
	}
	for (size_t i = 0; i < CH_ARRAY_LEN(keys) && !found; i++) {
		if (!keys[i])
			continue;
		found = json_get(map, keys[i]);
		j->sender_path = arena_printf(j->arena, "%s.toolsBySender[\"%s\"]", scope_path, keys[i]);
	}
	return found;
}

static void find_profile(struct judge *j)
{
	j->profile = json_get_str(j->own, "profile");
	j->profile_path = arena_printf(j->arena, "%s.profile", j->own_path);
	if (j->profile)
		return;
	j->profile = json_get_str(j->global, "profile");
	j->profile_path = "tools.profile";
}

static void find_sandbox(struct judge *j)
{
	if (!j->want->is_sandboxed)
		return;
	j->sandbox = json_path(j->own, "sandbox.tools");
	j->sandbox_path = arena_printf(j->arena, "%s.sandbox.tools", j->own_path);
	if (j->sandbox)
		return;
	j->sandbox = json_path(j->global, "sandbox.tools");
	j->sandbox_path = "tools.sandbox.tools";
}

static struct judge judge_of(const struct policy_want *want, struct arena *a)
{
	struct judge j = { .want = want, .arena = a, .global = config_get(want->config, "tools") };
	struct json *requester = NULL;

	j.own = json_get(json_get(config_get(want->config, "agents.entries"), want->agent_id), "tools");
	j.own_path = arena_printf(a, "agents.entries.%s.tools", want->agent_id);
	find_profile(&j);
	find_sandbox(&j);
	j.provider = find_provider(&j, j.global, "tools", &j.provider_path);
	j.own_provider = find_provider(&j, j.own, j.own_path, &j.own_provider_path);
	j.sender = find_sender(&j, j.own, j.own_path);
	if (!j.sender)
		j.sender = find_sender(&j, j.global, "tools");
	/* A list that cannot be read names nothing, so it gives nothing. */
	if (want->requester_tools && !json_parse(a, want->requester_tools, strlen(want->requester_tools), JSON_STRICT, &requester,
						 NULL))
		j.requester = requester;
	return j;
}

/* -- the policy -- */

static struct policy_verdict judge_tool(const struct judge *j, const struct subject *s)
{
	for (size_t i = 0; i < CH_ARRAY_LEN(layers); i++) {
		const char *why = layers[i].refuse(j, s);

		if (why)
			return (struct policy_verdict){ (enum policy_layer)i, why };
	}
	return (struct policy_verdict){ POLICY_ALLOWED, NULL };
}

static void add_hash(uint64_t *h, const char *name)
{
	uint64_t both[2] = { *h, hash_bytes(name, strlen(name)) };

	*h = hash_bytes(both, sizeof(both));
}

struct policy *policy_make(const struct policy_want *want)
{
	struct policy *p = ch_alloc(sizeof(*p));
	struct arena *a = arena_new(0);
	const struct tool_set *set = want->tools;
	struct policy_verdict *verdicts = arena_alloc(a, (set->len + 1) * sizeof(*verdicts));
	struct judge j = judge_of(want, a);

	*p = (struct policy){ .refs = 1, .arena = a, .tools = tool_set_ref(want->tools), .verdicts = verdicts,
			      .hash = set->stamp };
	for (size_t i = 0; i < set->len; i++) {
		struct subject s = { set->at[i].tool, !set->at[i].source };

		verdicts[i] = judge_tool(&j, &s);
		if (verdicts[i].layer != POLICY_ALLOWED)
			continue;
		add_hash(&p->hash, s.tool->name);
		p->allowed++;
	}
	p->provider = arena_strdup(a, want->provider);
	p->model = arena_strdup(a, want->model);
	p->profile = arena_strdup(a, str_empty(j.profile) ? "full" : j.profile);
	p->grant = (struct tool_grant){ .is_owner = want->is_owner, .is_tainted = want->is_tainted, .mode = want->mode,
					.depth = want->depth, .channel = arena_strdup(a, want->channel),
					.sender = arena_strdup(a, want->sender) };
	return p;
}

struct policy *policy_ref(struct policy *p)
{
	p->refs++;
	return p;
}

void policy_unref(struct policy *p)
{
	if (!p || --p->refs)
		return;
	tool_set_unref(p->tools);
	arena_unref(p->arena);
	ch_free(p);
}

const struct tool *policy_tool(const struct policy *p, const char *name)
{
	size_t i = tool_set_index(p->tools, name);
	const struct tool *t;

	if (i == p->tools->len || p->verdicts[i].layer != POLICY_ALLOWED)
		return NULL;
	t = p->tools->at[i].tool;
	/* Somebody else may have joined the turn since it was made. */
	return t->flags & TOOL_OWNER_ONLY && !p->grant.is_owner ? NULL : t;
}

const char *policy_why_not(const struct policy *p, struct arena *a, const char *name)
{
	size_t i = tool_set_index(p->tools, name);

	if (i == p->tools->len)
		return arena_printf(a, "There is no tool '%.80s'.", name);
	if (p->verdicts[i].reason)
		return arena_printf(a, "The tool '%s' is not available here: %s.", name, p->verdicts[i].reason);
	return arena_printf(a, "The tool '%s' is not available here: only the owner's own turns have it.", name);
}

void policy_taint(struct policy *p)
{
	p->grant.is_tainted = true;
}

void policy_disown(struct policy *p)
{
	p->grant.is_owner = false;
}

const char *policy_for_child(const struct policy *p, struct arena *a)
{
	struct json *names = json_new_arr(a);

	for (size_t i = 0; i < p->tools->len; i++)
		if (policy_tool(p, p->tools->at[i].tool->name))
			json_push(names, json_new_str(a, p->tools->at[i].tool->name));
	return json_to_str(a, names);
}
