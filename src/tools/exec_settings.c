/*
 * tools/exec_settings.c - what the configuration says of commands, for one agent.
 */
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/path.h"
#include "core/str.h"
#include "tools/exec_priv.h"

/* Where the key stands: the agent's own, or everybody's. */
static const char *at(const struct config *c, struct arena *a, const char *agent_id, const char *key)
{
	const char *own = config_path_join(a, "agents.entries", agent_id);

	own = arena_printf(a, "%s.tools.exec.%s", own, key);
	return config_get(c, own) ? own : arena_printf(a, "tools.exec.%s", key);
}

static const char *home_dir(void)
{
	const char *home = getenv("HOME");
	const struct passwd *pw = str_empty(home) ? getpwuid(geteuid()) : NULL;

	return pw ? pw->pw_dir : home;
}

/* Relative entries are left out: they would mean another place for each command. */
static const char *const *absolute_dirs(struct arena *a, const char *const *dirs)
{
	size_t n = 0, used = 0;
	const char **out;

	while (dirs[n])
		n++;
	out = arena_alloc(a, (n + 1) * sizeof(*out));
	for (size_t i = 0; i < n; i++) {
		if (dirs[i][0] == '/')
			out[used++] = dirs[i];
		else if (str_starts(dirs[i], "~/") && home_dir())
			out[used++] = arena_printf(a, "%s/%s", home_dir(), dirs[i] + 2);
	}
	return out;
}

void exec_settings_read(const struct config *c, const char *agent_id, struct arena *a, struct exec_settings *ret)
{
	const char *mode = config_str(c, at(c, a, agent_id, "mode"));
	const char *security = config_str(c, at(c, a, agent_id, "security"));

	*ret = (struct exec_settings){
		.host = config_str(c, at(c, a, agent_id, "host")),
		.yield_ms = config_int(c, at(c, a, agent_id, "backgroundMs"), 10000),
		.timeout_ms = 1000 * config_int(c, at(c, a, agent_id, "timeoutSeconds"), 1800),
		.keep_ms = config_int(c, at(c, a, agent_id, "cleanupMs"), PROCESS_KEEP_MS),
		.notifies = config_bool(c, at(c, a, agent_id, "notifyOnExit"), true),
		.tells_empty_success = config_bool(c, at(c, a, agent_id, "notifyOnExitEmptySuccess"), false),
		.is_denied = str_eq(mode, "deny") || (!mode && str_eq(security, "deny")),
		.path_prepend = absolute_dirs(a, config_list(c, at(c, a, agent_id, "pathPrepend"))),
	};
}

/* An entry is the sender's id, alone or as "id:…"; names that a sender can choose are no identity. */
static bool lists_sender(const struct json *allow_from, const struct tool_grant *g)
{
	json_each(e, json_get(allow_from, g->channel)) {
		const char *id = json_is(e, JSON_STR) ? e->str : NULL;

		if (id && str_starts(id, "id:"))
			id += 3;
		if (!str_empty(id) && str_eq(id, g->sender))
			return true;
	}
	return false;
}

static bool gate_is_open(const struct json *gate, const struct tool_grant *g)
{
	if (!json_get_bool(gate, "enabled", true))
		return false;
	return g->channel ? lists_sender(json_get(gate, "allowFrom"), g) : g->is_owner;
}

const char *exec_elevated_refusal(const struct config *c, const char *agent_id, const struct tool_grant *g)
{
	const struct json *own = json_get(json_get(json_get(config_get(c, "agents.entries"), agent_id), "tools"), "elevated");

	if (!gate_is_open(config_get(c, "tools.elevated"), g))
		return "commands of this turn may not leave the sandbox. The owner's own turns may, unless tools.elevated.enabled is "
		       "false; on a channel those of tools.elevated.allowFrom.<channel>, by the sender's id";
	if (own && !gate_is_open(own, g))
		return "this agent's commands may not leave the sandbox (agents.entries.<id>.tools.elevated)";
	return NULL;
}

bool exec_elevation_is_granted(const struct config *c)
{
	return json_get_bool(config_get(c, "tools.elevated"), "enabled", false);
}
