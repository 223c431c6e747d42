/*
 * agent/agents.c - the agents that the configuration names, and who they are.
 *
 * What the configuration does not say of an agent's identity is looked up in its
 * workspace's IDENTITY.md ("- Name: …").
 */
#include <stdlib.h>
#include <string.h>

#include "agent/agents_edit.h"
#include "agent/home.h"
#include "core/file.h"
#include "core/str.h"
#include "sessions/key.h"

#define MAIN_AGENT "main"
#define IDENTITY_MAX (64u << 10)         /* bytes of IDENTITY.md */

static const struct json *entries(const struct config *c)
{
	return config_get(c, "agents.entries");
}

/* A model is written as "ref" or as {primary: "ref", …}. */
static const char *model_of(const struct json *v)
{
	return json_str(v) ? json_str(v) : json_get_str(v, "primary");
}

const char *agent_default_id(const struct config *c, struct arena *a)
{
	const char *first = NULL;

	json_each(e, entries(c)) {
		if (!agent_id_valid(e->key))
			continue;
		if (json_get_bool(e, "default", false))
			return arena_strdup(a, e->key);
		if (!first || str_eq(e->key, MAIN_AGENT))
			first = e->key;
	}
	return first ? arena_strdup(a, first) : MAIN_AGENT;
}

static const char *expand_home(struct arena *a, const char *path)
{
	const char *home = getenv("HOME");

	if (!path || path[0] != '~' || (path[1] && path[1] != '/') || !home)
		return path;
	return arena_printf(a, "%s%s", home, path + 1);
}

static const char *workspace_of(const struct config *c, const char *state_dir, struct arena *a, const char *id,
				const struct json *entry, bool is_default)
{
	const char *own = json_get_str(entry, "workspace"), *root = config_str(c, "agents.defaults.workspace");

	if (!str_empty(own))
		return expand_home(a, own);
	if (!str_empty(root)) {
		root = expand_home(a, root);
		return is_default ? root : arena_printf(a, "%s/%s", root, id);
	}
	if (!state_dir)
		return NULL;
	return is_default ? arena_printf(a, "%s/workspace", state_dir) : arena_printf(a, "%s/workspace-%s", state_dir, id);
}

/* IDENTITY.md, or what it will begin as when there is no workspace yet; NULL: none. */
static const char *identity_text(const struct config *c, struct arena *a, const struct agent_info *info)
{
	struct buf b;
	const char *text;

	if (!file_exists(info->workspace))
		return config_bool(c, "agents.defaults.skipBootstrap", false) ? NULL : home_seed_text("IDENTITY.md");
	if (file_read(arena_printf(a, "%s/IDENTITY.md", info->workspace), IDENTITY_MAX, &b, NULL))
		return NULL;             /* none, or not one to read: the agent has no identity yet */
	text = arena_strdup(a, buf_str(&b));
	buf_done(&b);
	return text;
}

static void from_file(const struct config *c, struct arena *a, struct agent_info *info)
{
	const struct { const char *label; const char **field; } fields[] = {
		{ "name", &info->name }, { "emoji", &info->emoji }, { "avatar", &info->avatar }, { "theme", &info->theme },
	};
	const char *text;

	if (!info->workspace || (info->name && info->emoji && info->avatar && info->theme))
		return;
	text = identity_text(c, a, info);
	if (!text)
		return;
	info->is_named_by_file = !info->name;
	for (size_t i = 0; i < CH_ARRAY_LEN(fields); i++)
		if (!*fields[i].field)
			*fields[i].field = identity_get(a, text, fields[i].label);
	info->is_named_by_file &= info->name != NULL;
}

static void fill(const struct config *c, const char *state_dir, struct arena *a, const char *id,
		 const struct json *entry, const char *default_id, struct agent_info *info)
{
	const struct json *identity = json_get(entry, "identity");

	*info = (struct agent_info){ .id = arena_strdup(a, id), .is_default = str_eq(id, default_id) };
	info->name = json_get_str(identity, "name");
	if (!info->name)
		info->name = json_get_str(entry, "name");
	info->emoji = json_get_str(identity, "emoji");
	info->avatar = json_get_str(identity, "avatar");
	info->theme = json_get_str(identity, "theme");
	info->workspace = workspace_of(c, state_dir, a, id, entry, info->is_default);
	info->model_ref = model_of(json_get(entry, "model"));
	if (!info->model_ref)
		info->model_ref = model_of(config_get(c, "agents.defaults.model"));
	/* What changes an agent replaces the snapshot that these stand in. */
	info->name = arena_strdup(a, info->name);
	info->emoji = arena_strdup(a, info->emoji);
	info->avatar = arena_strdup(a, info->avatar);
	info->theme = arena_strdup(a, info->theme);
	info->workspace = arena_strdup(a, info->workspace);
	info->model_ref = arena_strdup(a, info->model_ref);
	from_file(c, a, info);
}

size_t agents_list(const struct config *c, const char *state_dir, struct arena *a, const struct agent_info **ret)
{
	const struct json *list = entries(c);
	const char *default_id = agent_default_id(c, a);
	struct agent_info *infos = arena_alloc(a, (json_len(list) + 1) * sizeof(*infos));
	size_t n = 0;

	json_each(e, list)
		if (agent_id_valid(e->key))
			fill(c, state_dir, a, e->key, e, default_id, &infos[n++]);
	if (!n)
		fill(c, state_dir, a, MAIN_AGENT, NULL, default_id, &infos[n++]);
	*ret = infos;
	return n;
}

bool agent_is_known(const struct config *c, const char *id)
{
	bool is_there = json_len(entries(c)) ? json_get(entries(c), id) != NULL : str_eq(id, MAIN_AGENT);

	return is_there && agent_id_valid(id);
}

const struct agent_info *agent_find(const struct config *c, const char *state_dir, struct arena *a, const char *id)
{
	const struct json *entry = json_get(entries(c), id);
	struct agent_info *info;

	if (!agent_is_known(c, id))
		return NULL;
	info = arena_alloc(a, sizeof(*info));
	fill(c, state_dir, a, id, entry, agent_default_id(c, a), info);
	return info;
}
