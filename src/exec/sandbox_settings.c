/*
 * exec/sandbox_settings.c - what the configuration says of an agent's sandbox: its own keys, else the defaults.
 *
 * Differences from OpenClaw, said in docs/sandbox.md: the mode is "all" and the workspace "rw" unless told otherwise,
 * the backend is bubblewrap.
 */
#include <string.h>

#include "core/crypto.h"
#include "core/str.h"
#include "exec/sandbox_priv.h"

#define PREFIX_DEFAULT "agents.defaults.sandbox"

/* Reads one agent's keys over the defaults. */
struct reader {
	const struct config *config;
	struct arena *arena;
	const char *own;                 /* "agents.entries.<id>.sandbox" */
};

static const char *path_of(const struct reader *r, const char *prefix, const char *key)
{
	return arena_printf(r->arena, "%s.%s", prefix, key);
}

/* The path at which the key is set; the default's when nowhere. */
static const char *where(const struct reader *r, const char *key)
{
	const char *own = path_of(r, r->own, key);

	return config_get(r->config, own) ? own : path_of(r, PREFIX_DEFAULT, key);
}

static bool is_set(const struct reader *r, const char *key)
{
	return config_get(r->config, where(r, key)) != NULL;
}

/* chela's own key, else the one of OpenClaw's docker section. */
static int64_t limit(const struct reader *r, const char *key, const char *docker_key)
{
	if (is_set(r, key) || !docker_key)
		return config_int(r->config, where(r, key), 0);
	return config_int(r->config, where(r, docker_key), 0);
}

static bool is_main_session(const char *agent_id, const char *session_key)
{
	size_t n = strlen(agent_id);

	if (!session_key || str_eq(session_key, "global") || str_eq(session_key, "main"))
		return true;
	return str_starts(session_key, "agent:") && !strncmp(session_key + 6, agent_id, n) &&
	       str_eq(session_key + 6 + n, ":main");
}

static enum sandbox_scope scope_of(const char *name)
{
	return str_eq(name, "session") ? SANDBOX_SESSION : str_eq(name, "shared") ? SANDBOX_SHARED : SANDBOX_AGENT;
}

static enum sandbox_access access_of(const char *name)
{
	return str_eq(name, "none") ? SANDBOX_NONE : str_eq(name, "ro") ? SANDBOX_RO : SANDBOX_RW;
}

/* A file name: keys of sessions have characters that paths do not like. */
static const char *scope_key(struct arena *a, enum sandbox_scope scope, const char *agent_id, const char *session_key)
{
	char hex[2 * SHA256_LEN + 1];

	if (scope == SANDBOX_SHARED)
		return "shared";
	if (scope == SANDBOX_AGENT || !session_key)
		return arena_printf(a, "agent-%s", agent_id);
	sha256_hex(session_key, strlen(session_key), hex);
	return arena_printf(a, "session-%s-%.24s", agent_id, hex);
}

static void read_binds(const struct reader *r, struct sandbox_settings *s)
{
	const char *path = where(r, "docker.binds");
	struct sandbox_bind *binds = arena_alloc(r->arena, SANDBOX_BINDS_MAX * sizeof(*binds));
	struct ch_err err = { 0 };

	for (const char *const *it = config_list(r->config, path); *it && !s->problem; it++) {
		if (s->bind_count == SANDBOX_BINDS_MAX)
			s->problem = arena_printf(r->arena, "%s: more than %d binds", path, SANDBOX_BINDS_MAX);
		else if (sandbox_bind_parse(r->arena, *it, &binds[s->bind_count], &err))
			s->problem = arena_printf(r->arena, "%s: %s", path, err.text);
		else
			s->bind_count++;
	}
	s->binds = binds;
}

static const char *reason_of(const struct reader *r, const struct sandbox_settings *s, bool is_main)
{
	const char *key = where(r, "mode");
	bool is_said = config_get(r->config, key) != NULL;
	const char *origin = is_said ? key : "the default";

	if (str_eq(s->mode, "off"))
		return arena_printf(r->arena, "off: %s", key);
	if (str_eq(s->mode, "all"))
		return arena_printf(r->arena, "every session is sandboxed: %s", is_said ? key : "the default of agents.defaults.sandbox.mode");
	return arena_printf(r->arena, "%s, and this %s the agent's main session: %s", s->mode, is_main ? "is" : "is not", origin);
}

void sandbox_settings(const struct config *c, const char *agent_id, const char *session_key, struct arena *a,
		      struct sandbox_settings *ret)
{
	struct reader r = { c, a, arena_printf(a, "agents.entries.%s.sandbox", agent_id) };
	bool is_main = is_main_session(agent_id, session_key);
	struct sandbox_settings s = { 0 };

	s.mode = config_str(c, where(&r, "mode"));
	s.backend = config_str(c, where(&r, "backend"));
	s.scope = scope_of(config_str(c, where(&r, "scope")));
	s.access = access_of(config_str(c, where(&r, "workspaceAccess")));
	s.hosts = config_list(c, where(&r, "network.hosts"));
	s.memory_max = limit(&r, "limits.memory", "docker.memory");
	s.processes_max = limit(&r, "limits.processes", "docker.pidsLimit");
	s.cpu_seconds_max = limit(&r, "limits.cpuSeconds", NULL);
	s.file_max = limit(&r, "limits.fileSize", NULL);
	s.is_on = str_eq(s.mode, "all") || (str_eq(s.mode, "non-main") && !is_main);
	s.scope_key = scope_key(a, s.scope, agent_id, session_key);
	/* What is run unasked is written by people and by the file tools, which know of text from outside; not by commands. */
	s.own_dir = config_bool(c, "tools.user.enabled", true) ? "tools" : NULL;
	s.reason = reason_of(&r, &s, is_main);
	if (!str_eq(s.backend, "bubblewrap"))
		s.problem = arena_printf(a, "%s is \"%s\", but this gateway sandboxes with bubblewrap only: remove the key or set it to "
					 "\"bubblewrap\"", where(&r, "backend"), s.backend);
	read_binds(&r, &s);
	*ret = s;
}
