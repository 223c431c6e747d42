/*
 * cli/cmd_sandbox.c - chela sandbox: what holds for commands of a session, whether it can be had here, and the way out.
 *
 * Works without a gateway: settings come from the file, and bubblewrap is asked on the spot.
 */
#include <dirent.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/agents.h"
#include "cli/cli.h"
#include "core/str.h"
#include "exec/sandbox.h"
#include "sessions/key.h"

/* -- explain -- */

struct explained {
	const char *agent_id, *session_key, *workspace;
	struct sandbox_settings s;
	bool is_able;
	const char *why_not;             /* unless is_able */
};

static ch_status find_session(struct cli *c, const struct config *cfg, struct explained *e, struct ch_err *err)
{
	const char *agent_id = cli_opt(c, "agent") ? cli_opt(c, "agent") : agent_default_id(cfg, c->arena);
	const char *key = cli_opt(c, "session") ? cli_opt(c, "session") : "main";
	const struct agent_info *agent;
	struct sess_key parsed;
	ch_status st = sess_key_parse(c->arena, key, agent_id, &parsed, err);

	if (st)
		return st;
	e->agent_id = cli_opt(c, "agent") || !parsed.agent_id ? agent_id : parsed.agent_id;
	e->session_key = parsed.key;
	agent = agent_find(cfg, c->state_dir, c->arena, e->agent_id);
	if (!agent)
		return ch_fail(err, CH_E_NOT_FOUND, "there is no agent '%s' (see: chela agents list)", e->agent_id);
	e->workspace = agent->workspace;
	return CH_OK;
}

static const char *scope_name(enum sandbox_scope s)
{
	return s == SANDBOX_SESSION ? "session" : s == SANDBOX_SHARED ? "shared" : "agent";
}

static const char *access_name(enum sandbox_access s)
{
	return s == SANDBOX_NONE ? "none" : s == SANDBOX_RO ? "ro" : "rw";
}

static int64_t or_built_in(int64_t limit, int64_t built_in)
{
	return limit > 0 ? limit : built_in;
}

/* What to change, most useful first; on the arena, NULL-ended. */
static const char *const *fix_its(struct cli *c, const struct explained *e)
{
	const char **list = arena_alloc(c->arena, 8 * sizeof(*list));
	const char *prefix = arena_printf(c->arena, "agents.entries.%s.sandbox", e->agent_id);
	size_t n = 0;

	if (e->s.problem)
		list[n++] = arena_printf(c->arena, "correct the configuration: %s", e->s.problem);
	if (!e->is_able)
		list[n++] = e->why_not;
	if (!e->s.is_on)
		list[n++] = arena_printf(c->arena, "sandbox this agent: chela config set %s.mode all", prefix);
	if (!e->s.hosts[0])
		list[n++] = arena_printf(c->arena, "let it reach a host: chela config set %s.network.hosts '[\"example.org\"]'", prefix);
	if (e->s.access != SANDBOX_RW)
		list[n++] = arena_printf(c->arena, "let it write the workspace: chela config set %s.workspaceAccess rw", prefix);
	return list;
}

static struct json *list_json(struct arena *a, const char *const *list)
{
	struct json *arr = json_new_arr(a);

	for (; *list; list++)
		json_push(arr, json_new_str(a, *list));
	return arr;
}

static struct json *limits_json(struct arena *a, const struct sandbox_settings *s)
{
	struct json *o = json_new_obj(a);

	json_set(a, o, "processes", json_new_int(a, or_built_in(s->processes_max, SANDBOX_PROCESSES)));
	json_set(a, o, "memory", json_new_int(a, or_built_in(s->memory_max, SANDBOX_MEMORY_BYTES)));
	json_set(a, o, "fileSize", json_new_int(a, or_built_in(s->file_max, SANDBOX_FILE_BYTES)));
	json_set(a, o, "cpuSeconds", json_new_int(a, or_built_in(s->cpu_seconds_max, SANDBOX_CPU_SECONDS)));
	json_set(a, o, "tmpBytes", json_new_int(a, SANDBOX_TMP_BYTES));
	json_set(a, o, "openFiles", json_new_int(a, SANDBOX_FILES));
	return o;
}

/* The names of OpenClaw's own report where it has them. */
static void print_json(struct cli *c, const struct explained *e)
{
	struct arena *a = c->arena;
	struct json *o = json_new_obj(a), *s = json_new_obj(a), *probe = json_new_obj(a);

	json_set(a, o, "agentId", json_new_str(a, e->agent_id));
	json_set(a, o, "sessionKey", json_new_str(a, e->session_key));
	json_set(a, o, "mainSessionKey", json_new_str(a, arena_printf(a, "agent:%s:main", e->agent_id)));
	json_set(a, s, "mode", json_new_str(a, e->s.mode));
	json_set(a, s, "scope", json_new_str(a, scope_name(e->s.scope)));
	json_set(a, s, "backend", json_new_str(a, e->s.backend));
	json_set(a, s, "workspaceAccess", json_new_str(a, access_name(e->s.access)));
	json_set(a, s, "workspaceRoot", json_new_str(a, arena_printf(a, "%s/sandboxes", c->state_dir)));
	json_set(a, s, "effectiveHostWorkspaceRoot",
		 json_new_str(a, e->s.access == SANDBOX_NONE ? arena_printf(a, "%s/sandboxes/%s", c->state_dir, e->s.scope_key) : e->workspace));
	json_set(a, s, "runtimeWorkdir", json_new_str(a, e->workspace));
	json_set(a, s, "workspaceMounts", sandbox_mounts_json(&e->s, e->workspace, a));
	json_set(a, s, "sessionIsSandboxed", json_new_bool(a, e->s.is_on && !e->s.problem && e->is_able));
	json_set(a, s, "reason", json_new_str(a, e->s.reason));
	json_set(a, s, "networkHosts", list_json(a, e->s.hosts));
	json_set(a, s, "limits", limits_json(a, &e->s));
	json_set(a, o, "sandbox", s);
	json_set(a, probe, "ok", json_new_bool(a, e->is_able));
	if (e->why_not)
		json_set(a, probe, "reason", json_new_str(a, e->why_not));
	if (e->s.problem)
		json_set(a, probe, "problem", json_new_str(a, e->s.problem));
	json_set(a, o, "probe", probe);
	json_set(a, o, "fixIt", list_json(a, fix_its(c, e)));
	cli_print_json(o);
}

/* What happens to a command, in one sentence. */
static const char *verdict(const struct explained *e)
{
	if (!e->s.is_on)
		return "commands run on the host, with approval";
	if (e->s.problem || !e->is_able)
		return "there is no sandbox: commands run on the host, each with approval; user tools are not offered";
	return "commands run in the sandbox";
}

/* The system's own are many and always the same. */
static bool is_usual(const struct explained *e, const char *path, const char *source)
{
	const char *last = path ? strrchr(path, '/') : NULL;

	return str_starts(path, "/etc/") || (last == path && str_eq(path, source) && !str_eq(path, e->workspace));
}

static void print_places(struct cli *c, const struct explained *e)
{
	json_each(m, sandbox_mounts_json(&e->s, e->workspace, c->arena)) {
		const char *path = json_get_str(m, "path"), *source = json_get_str(m, "source");

		if (is_usual(e, path, source))
			continue;
		cli_print("    %-10s %s%s%s\n", json_get_str(m, "access"), cli_safe(c->arena, path), source && !str_eq(source, path) ? " from " : "",
			  source && !str_eq(source, path) ? cli_safe(c->arena, source) : "");
	}
	cli_print("    %-10s /usr, /bin, /lib*, some of /etc\n", "read-only");
	if (e->s.own_dir && e->s.access == SANDBOX_RW)
		cli_print("    %-10s %s/%s (user tools)\n", "read-only", cli_safe(c->arena, e->workspace), e->s.own_dir);
}

static void print_text(struct cli *c, const struct explained *e)
{
	const struct json *limits = limits_json(c->arena, &e->s);
	bool is_in = e->s.is_on && !e->s.problem && e->is_able;

	cli_print("%s%s%s\n", cli_on(c, is_in ? CLI_GREEN : CLI_YELLOW), verdict(e), cli_off(c));
	cli_print("  agent      %s, session %s\n", e->agent_id, cli_safe(c->arena, e->session_key));
	cli_print("  mode       %s (%s)\n", e->s.mode, e->s.reason);
	cli_print("  backend    %s: %s\n", e->s.backend, e->s.problem ? e->s.problem : e->is_able ? "works here" : e->why_not);
	cli_print("  workspace  %s, scope %s\n", access_name(e->s.access), scope_name(e->s.scope));
	cli_print("  visible\n");
	print_places(c, e);
	cli_print("  network    %s", e->s.hosts[0] ? "only by the proxy to" : "none");
	for (const char *const *it = e->s.hosts; *it; it++)
		cli_print(" %s", cli_safe(c->arena, *it));
	cli_print("\n  limits     %lld processes, %lld MiB memory and %lld s processor time each, files of %lld MiB\n",
		  (long long)json_get_int(limits, "processes", 0), (long long)json_get_int(limits, "memory", 0) >> 20,
		  (long long)json_get_int(limits, "cpuSeconds", 0), (long long)json_get_int(limits, "fileSize", 0) >> 20);
	cli_print("  tools      chela tools explain shows which are offered, and why\n");
	for (const char *const *it = fix_its(c, e); *it; it++)
		cli_print("  to change  %s\n", *it);
}

static CH_FIBER ch_status run_explain(struct cli *c, struct ch_err *err)
{
	CH_AUTO(config_unref) struct config *cfg = NULL;
	struct explained e = { 0 };
	ch_status st = cli_config(c, &cfg, err);

	if (!st)
		st = find_session(c, cfg, &e, err);
	if (st)
		return st;
	sandbox_settings(cfg, e.agent_id, e.session_key, c->arena, &e.s);
	e.is_able = sandbox_probe(c->loop, &e.why_not);
	if (c->json)
		print_json(c, &e);
	else
		print_text(c, &e);
	return CH_OK;
}

const struct cli_command cli_sandbox_explain = {
	.name = "sandbox explain",
	.summary = "where commands run, what they see, and why",
	.opts = (const struct cli_opt[]){
		{ "session", 0, "<key>", "for this session (default: the main one)" },
		{ "agent", 0, "<id>", "for this agent" },
		{ 0 },
	},
	.run = run_explain,
};

/* -- list -- */

static void dir_close(DIR *d)
{
	if (d)
		closedir(d);
}
CH_AUTO_DEFINE(dir_close, DIR)

/* The scratch workspaces: what is left of a sandbox when its command has ended. */
static struct json *scratch_json(struct cli *c)
{
	const char *dir = arena_printf(c->arena, "%s/sandboxes", c->state_dir);
	CH_AUTO(dir_close) DIR *d = opendir(dir);
	struct json *list = json_new_arr(c->arena);

	for (struct dirent *e; d && (e = readdir(d)); ) {
		struct json *o;
		struct stat st;

		if (e->d_name[0] == '.' || fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISDIR(st.st_mode))
			continue;
		o = json_new_obj(c->arena);
		json_set(c->arena, o, "scope", json_new_str(c->arena, e->d_name));
		json_set(c->arena, o, "path", json_new_str(c->arena, arena_printf(c->arena, "%s/%s", dir, e->d_name)));
		json_set(c->arena, o, "updatedAtMs", json_new_int(c->arena, (int64_t)st.st_mtim.tv_sec * 1000));
		json_push(list, o);
	}
	return list;
}

static CH_FIBER ch_status run_list(struct cli *c, struct ch_err *err)
{
	struct json *all = json_new_obj(c->arena), *list = scratch_json(c);
	struct cli_table *t;

	if (c->json) {
		/* OpenClaw's two lists: a sandbox here lives as long as its command, so none stands idle. */
		json_set(c->arena, all, "containers", json_new_arr(c->arena));
		json_set(c->arena, all, "browsers", json_new_arr(c->arena));
		json_set(c->arena, all, "workspaces", list);
		cli_print_json(all);
		return CH_OK;
	}
	if (!json_len(list)) {
		cli_print("no scratch workspaces (workspaceAccess none makes them); a sandbox itself ends with its command\n");
		return CH_OK;
	}
	t = cli_table_new(c->arena, (const char *const[]){ "SCOPE", "PATH", "CHANGED" }, 3);
	json_each(w, list)
		cli_table_row(t, (const char *const[]){ json_get_str(w, "scope"), json_get_str(w, "path"),
							cli_ago(c->arena, json_get_int(w, "updatedAtMs", 0)) });
	cli_table_print(c, t);
	return CH_OK;
}

const struct cli_command cli_sandbox_list = {
	.name = "sandbox list",
	.summary = "scratch workspaces that sandboxes have left",
	.run = run_list,
};
