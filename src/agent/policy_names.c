/*
 * agent/policy_names.c - what the words in tool lists mean: names, patterns, groups, profiles.
 */
#include "agent/policy.h"

#include "core/str.h"

#define MEMBERS(...) (const char *const[]){ __VA_ARGS__, NULL }

struct set { const char *name; const char *const *members; };

/* Besides what a tool's own group says: these belong to two, or to one of another name. */
static const struct set groups[] = {
	{ "group:agents", MEMBERS("agents_list", "ask_user", "progress_card") },
	{ "group:media", MEMBERS("view_image") },
	{ "group:ui", MEMBERS("progress_card") },
};
/* Of the documented profiles, the tools that there are. */
static const struct set profiles[] = {
	{ "coding", MEMBERS("group:fs", "group:memory", "group:runtime", "group:sessions", "group:user", "group:web", "ask_user",
			    "progress_card", "view_image") },
	{ "full", MEMBERS("*") },
	{ "messaging", MEMBERS("ask_user", "message", "session_status", "sessions_history", "sessions_list", "sessions_search",
			       "sessions_send", "sessions_spawn", "subagents") },
	{ "minimal", MEMBERS("session_status") },
};
/* Names that lists of OpenClaw may hold for tools that are called otherwise. */
static const struct { const char *name, *tool; } aliases[] = {
	{ "bash", "exec" },
	{ "image", "view_image" },
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

static bool is_group(const char *entry)
{
	return strlen(entry) > 6 && lower(entry[0]) == 'g' && lower(entry[1]) == 'r' && lower(entry[2]) == 'o' &&
	       lower(entry[3]) == 'u' && lower(entry[4]) == 'p' && entry[5] == ':';
}

static bool in_group(const char *entry, const struct tool *t, bool is_row)
{
	const struct set *more = find(groups, CH_ARRAY_LEN(groups), entry);
	const char *group = entry + 6;

	if (str_ieq(group, "plugins"))
		return !is_row;
	if (str_ieq(group, "openclaw"))
		return is_row && !str_eq(t->group, "fs") && !str_eq(t->group, "runtime");
	if (t->group && str_ieq(group, t->group))
		return true;
	for (const char *const *m = more ? more->members : NULL; m && *m; m++)
		if (str_eq(*m, t->name))
			return true;
	return false;
}

bool policy_names(const char *entry, const struct tool *t, bool is_row)
{
	if (is_group(entry))
		return in_group(entry, t, is_row);
	for (size_t i = 0; i < CH_ARRAY_LEN(aliases); i++)
		if (str_ieq(entry, aliases[i].name))
			return str_eq(t->name, aliases[i].tool);
	return str_wild(entry, t->name);
}

bool policy_in_profile(const char *profile, const struct tool *t, bool is_row)
{
	const struct set *set = find(profiles, CH_ARRAY_LEN(profiles), profile);

	for (const char *const *m = set ? set->members : NULL; m && *m; m++)
		if (policy_names(*m, t, is_row))
			return true;
	return false;
}
