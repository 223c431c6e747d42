/*
 * agent/policy.c - which tools an agent has by the configuration.
 */
#include "agent/policy.h"

#include <string.h>

#include "core/str.h"
#include "sessions/key.h"

struct set { const char *name; const char *const *members; };

#define MEMBERS(...) (const char *const[]){ __VA_ARGS__, NULL }

/* Of the documented groups and profiles, the tools that there are. */
static const struct set groups[] = {
	{ "group:fs", MEMBERS("edit", "list", "read", "write") },
	{ "group:openclaw", MEMBERS("*") },
	{ "group:sessions", MEMBERS("session_status") },
};
static const struct set profiles[] = {
	{ "coding", MEMBERS("group:fs", "group:sessions") },
	{ "full", MEMBERS("*") },
	{ "messaging", MEMBERS("session_status") },
	{ "minimal", MEMBERS("session_status") },
};

static const struct set *find(const struct set *sets, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (str_ieq(sets[i].name, name))
			return &sets[i];
	return NULL;
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* '*' stands for any run of characters; case does not matter. */
static bool matches(const char *pattern, const char *name)
{
	const char *star = NULL, *resume = NULL;

	while (*name) {
		if (*pattern == '*') {
			star = pattern++;
			resume = name;
		} else if (lower(*pattern) == lower(*name)) {
			pattern++;
			name++;
		} else if (star) {
			pattern = star + 1;
			name = ++resume;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return !*pattern;
}

/* Groups hold no groups, so this goes one level down. */
static bool names(const char *entry, const char *tool)
{
	const struct set *group = find(groups, CH_ARRAY_LEN(groups), entry);

	if (!group)
		return matches(entry, tool);
	for (const char *const *m = group->members; *m; m++)
		if (matches(*m, tool))
			return true;
	return false;
}

static bool any_names(const struct json *list, const char *tool)
{
	json_each(entry, list)
		if (json_str(entry) && names(json_str(entry), tool))
			return true;
	return false;
}

static bool in_profile(const char *profile, const char *tool)
{
	const struct set *set = profile ? find(profiles, CH_ARRAY_LEN(profiles), profile) : NULL;

	if (!set)
		return true;     /* unset: unfiltered */
	for (const char *const *m = set->members; *m; m++)
		if (names(*m, tool))
			return true;
	return false;
}

static bool layer_admits(const struct json *layer, const char *tool)
{
	const struct json *allow = json_get(layer, "allow");

	return (!allow || any_names(allow, tool)) && !any_names(json_get(layer, "deny"), tool);
}

void policy_tools(const struct config *c, const char *agent_id, bool *ret_allowed)
{
	const struct json *global = config_get(c, "tools");
	const struct json *own = json_get(json_get(config_get(c, "agents.entries"), agent_id), "tools");
	const char *profile = json_get_str(own, "profile");
	const struct tool *const *tools;
	size_t n;

	if (!profile)
		profile = json_get_str(global, "profile");
	tools = tool_table(&n);
	for (size_t i = 0; i < n; i++) {
		const char *name = tools[i]->name;

		ret_allowed[i] = (in_profile(profile, name) || any_names(json_get(global, "alsoAllow"), name) ||
				  any_names(json_get(own, "alsoAllow"), name)) &&
				 layer_admits(global, name) && layer_admits(own, name);
	}
}
