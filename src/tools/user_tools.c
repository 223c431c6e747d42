/*
 * tools/user_tools.c - tools that the owner keeps in the workspace: a program and a manifest in the folder tools/.
 *
 *	tools/weather.json, tools/weather.py          or          tools/weather/tool.json, tools/weather/main.py
 *
 * They run in the sandbox always, whatever sandbox.mode says; without one they are not offered. Arguments go to standard
 * input as JSON, the answer is standard output; another exit code than 0 is an error with standard error.
 *
 * Trust   the folder is read-only inside the sandbox (exec/sandbox_settings.c), so only the file tools and people write to it;
 *         what a turn wrote that had read text from outside is not offered until somebody else writes it anew.
 * Network only the hosts that the manifest names and agents.*.sandbox.network.hosts allows; such a tool is treated as one that
 *         sends, and what it returns as text from outside.
 * Secrets only what tools.user.entries.<name>.env gives, in that program's environment; such a tool is treated as one that sends.
 * Bound   a call runs the program that was there when the turn began; another one at its place is refused.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "config/config.h"
#include "core/clock.h"
#include "core/hash.h"
#include "core/mem.h"
#include "core/proc.h"
#include "core/str.h"
#include "exec/proxy.h"
#include "exec/sandbox.h"
#include "tools/command_ops.h"
#include "tools/file.h"
#include "tools/table.h"
#include "tools/user_manifest.h"

#define FOLDER "tools"
#define MANIFEST "tool.json"
#define ENTRIES_MAX 256
#define USER_TOOLS_MAX 64
#define STAMPED_MAX 1024                 /* files that are looked at before each turn */
#define OUT_MAX (256u << 10)
#define STDERR_SHOWN 2000
#define NAME_PREFIX "user_"
#define ENV_GIVEN_MAX 32
#define SLACK_MS 5000                    /* for the sandbox itself, beside the tool's own time */

/* What a tool of this source has in `data`. */
struct user_tool {
	struct user_manifest manifest;
	const char *manifest_path, *program_path;        /* below the workspace */
	struct ws_stamp program;
};

/* -- the folder -- */

static void dir_close(DIR *d)
{
	if (d)
		closedir(d);
}
CH_AUTO_DEFINE(dir_close, DIR)

/* No link may stand for the folder: what is protected inside the sandbox is the folder itself. */
static DIR *open_folder(const char *workspace)
{
	WS_AUTO_FD int top = open(workspace, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fd = top >= 0 ? openat(top, FOLDER, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) : -1;
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;

	if (!d && fd >= 0)
		close(fd);
	return d;
}

/* Names, sorted; not those that begin with a point. */
static const char **read_names(struct arena *a, DIR *d, size_t *ret_count)
{
	const char **names = arena_alloc(a, ENTRIES_MAX * sizeof(*names));
	size_t n = 0;

	for (struct dirent *e; d && n < ENTRIES_MAX && (e = readdir(d)); )
		if (e->d_name[0] != '.')
			names[n++] = arena_strdup(a, e->d_name);
	for (size_t i = 1; i < n; i++)
		for (size_t j = i; j > 0 && strcmp(names[j - 1], names[j]) > 0; j--) {
			const char *t = names[j];

			names[j] = names[j - 1];
			names[j - 1] = t;
		}
	*ret_count = n;
	return names;
}

/* -- taint -- */

static const char *tainted_by(const struct tool_host *host, const char *agent_id, const char *workspace, struct arena *a, const char *path)
{
	struct tool_ctx ctx = { .agent_id = agent_id, .workspace = workspace, .workspace_fd = -1, .arena = a, .host = host };
	const char *source = NULL;

	if (!host->is_tainted_file || !host->is_tainted_file(host->arg, &ctx, path, &source))
		return NULL;
	return source ? source : "outside";
}

/* -- the stamp -- */

struct stamp_row { uint64_t ino; int64_t size, mtime_ns, ctime_ns; uint64_t name, is_tainted; };

/* Whose folder, and what was seen of it so far. `scratch` is for one file at a time. */
struct stamping {
	const struct tool_host *host;
	const char *agent_id, *workspace;
	struct arena *names, *scratch;
	struct buf rows;
};

/* place: where it is, with its slash, below the folder. */
static void stamp_file(struct stamping *s, int dir_fd, const char *place, const char *name)
{
	const char *path;
	struct stat st;
	struct stamp_row row;

	if (s->rows.len >= STAMPED_MAX * sizeof(row) || fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return;
	arena_clear(s->scratch);
	path = arena_printf(s->scratch, FOLDER "/%s%s", place, name);
	memset(&row, 0, sizeof(row));
	row.ino = st.st_ino;
	row.size = st.st_size;
	row.mtime_ns = st.st_mtim.tv_sec * INT64_C(1000000000) + st.st_mtim.tv_nsec;
	row.ctime_ns = st.st_ctim.tv_sec * INT64_C(1000000000) + st.st_ctim.tv_nsec;
	row.name = hash_bytes(path, strlen(path));
	row.is_tainted = S_ISREG(st.st_mode) && tainted_by(s->host, s->agent_id, s->workspace, s->scratch, path) != NULL;
	buf_append(&s->rows, &row, sizeof(row));
}

/* A directory without a manifest is no tool's, whatever it holds; one that comes to it changes the directory's own row. */
static void stamp_below(struct stamping *s, int folder_fd, const char *name)
{
	int fd = openat(folder_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	CH_AUTO(dir_close) DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	const char *place, **names;
	struct stat st;
	size_t n;

	if (!d) {
		if (fd >= 0)
			close(fd);
		return;
	}
	if (fstatat(fd, MANIFEST, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return;
	place = arena_printf(s->names, "%s/", name);
	names = read_names(s->names, d, &n);
	for (size_t i = 0; i < n; i++)
		stamp_file(s, fd, place, names[i]);
}

static uint64_t user_stamp(const struct tool_host *host, const char *agent_id, const char *workspace)
{
	struct stamping s = { .host = host, .agent_id = agent_id, .workspace = workspace };
	CH_AUTO(dir_close) DIR *d = open_folder(workspace);
	const char **names;
	uint64_t stamp;
	size_t n;

	if (!d)
		return 0;
	s.names = arena_new(0);
	s.scratch = arena_new(0);
	buf_init(&s.rows, 2 * STAMPED_MAX * sizeof(struct stamp_row));
	names = read_names(s.names, d, &n);
	for (size_t i = 0; i < n; i++)
		stamp_file(&s, dirfd(d), "", names[i]);
	for (size_t i = 0; i < n; i++)
		stamp_below(&s, dirfd(d), names[i]);
	stamp = s.rows.len ? hash_bytes(s.rows.data, s.rows.len) : 1;
	buf_done(&s.rows);
	arena_unref(s.scratch);
	arena_unref(s.names);
	return stamp;
}

/* -- running -- */

/* --name=value, so that no value can be taken for an option. */
static const char *const *words_of(struct arena *a, const struct json *args, const struct user_manifest *m, const char *program)
{
	size_t fixed = 0, n = 0;
	const char **argv;

	while (m->args[fixed])
		fixed++;
	argv = arena_alloc(a, (fixed + json_len(args) + 2) * sizeof(*argv));
	argv[n++] = program;
	for (size_t i = 0; i < fixed; i++)
		argv[n++] = m->args[i];
	json_each(it, m->takes_args ? args : NULL)
		argv[n++] = arena_printf(a, "--%s=%s", it->key, json_is(it, JSON_STR) ? it->str : json_to_str(a, it));
	return argv;
}

/* What the manifest wants of what the configuration lets through. */
static const char *const *granted_hosts(struct arena *a, const struct user_manifest *m, const char *const *allowed)
{
	const char **list = arena_alloc(a, (USER_HOSTS_MAX + 1) * sizeof(*list));
	size_t n = 0;

	for (const char *const *it = m->hosts; *it; it++) {
		const char *colon = strrchr(*it, ':');
		const char *host = colon ? arena_strndup(a, *it, (size_t)(colon - *it)) : *it;
		uint16_t port = 443;

		if (colon && !str_to_u16(colon + 1, &port))
			continue;
		if (proxy_host_allowed(allowed, host, port))
			list[n++] = *it;
	}
	return list;
}

/* -- the variables that the configuration gives it -- */

static const struct json *env_of(const struct config *c, const struct user_tool *u)
{
	const struct json *entries = config_get(c, "tools.user.entries");

	return json_get(json_get(entries, u->manifest.name + strlen(NAME_PREFIX)), "env");
}

/* NAME=value texts on the heap: they hold secrets and are wiped. */
struct given_env {
	char *at[ENV_GIVEN_MAX + 1];
	size_t len;
};

static void given_env_done(struct given_env *g)
{
	for (size_t i = 0; i < g->len; i++)
		ch_free_wipe(g->at[i], strlen(g->at[i]));
}

static CH_FIBER ch_status give_env(const struct config *c, struct arena *a, const struct user_tool *u, struct given_env *ret,
				   struct ch_err *err)
{
	json_each(it, env_of(c, u)) {
		CH_AUTO(secret_unref) struct secret *value = NULL;
		const char *path = arena_printf(a, "tools.user.entries[\"%s\"].env.%s", u->manifest.name + strlen(NAME_PREFIX), it->key);
		ch_status st;

		if (ret->len == ENV_GIVEN_MAX)
			return ch_fail(err, CH_E_LIMIT, "%s: more than %d variables", path, ENV_GIVEN_MAX);
		st = config_secret(c, path, &value, err);
		if (st)
			return st;
		ret->at[ret->len++] = ch_asprintf("%s=%s", it->key, secret_reveal(value));
	}
	return CH_OK;
}

/* Still the program that was listed? */
static ch_status check_program(struct tool_ctx *ctx, const struct user_tool *u, struct ch_err *err)
{
	struct ws_root root = ws_root_of(ctx->workspace_fd);
	WS_AUTO_FD int fd = -1;
	struct ws_stamp now;
	struct stat st;
	ch_status rc = wk_open_file(&root, u->program_path, &fd, &st, err);

	if (rc)
		return rc;
	ws_stamp_of(&st, &now);
	if (now.ino != u->program.ino || now.size != u->program.size || now.mtime_ns != u->program.mtime_ns)
		return ch_fail(err, CH_E_CONFLICT, "%s was changed since this turn began; it can be called in the next turn", u->program_path);
	return CH_OK;
}

static void fail_text(struct tool_ctx *ctx, const struct user_tool *u, const struct proc_result *r, struct tool_result *ret)
{
	size_t n = r->errout.len, skip = n > STDERR_SHOWN ? n - STDERR_SHOWN : 0;
	size_t len;
	const char *said = utf8_repair(ctx->arena, buf_str(&r->errout) + skip, n - skip, &len);

	ret->is_error = true;
	if (r->signal)
		tool_result_textf(ctx, ret, "%s was ended by signal %d\n%s", u->manifest.name, r->signal, said);
	else
		tool_result_textf(ctx, ret, "%s ended with exit code %d\n%s", u->manifest.name, r->exit_code, said);
}

static void answer(struct tool_ctx *ctx, const struct user_tool *u, const struct proc_result *r, struct tool_result *ret)
{
	struct json *value = NULL;
	struct ch_err why = { 0 };
	size_t len;
	const char *text = utf8_repair(ctx->arena, buf_str(&r->out), r->out.len, &len);

	if (u->manifest.gives_json && json_parse(ctx->arena, text, len, JSON_STRICT, &value, &why)) {
		ret->is_error = true;
		tool_result_textf(ctx, ret, "%s says that it answers in JSON, but it does not: %s\n%.*s", u->manifest.name, why.text,
				  (int)CH_MIN(len, (size_t)STDERR_SHOWN), text);
		return;
	}
	tool_result_text(ctx, ret, len ? text : "(no output)", len ? len : strlen("(no output)"));
	if (r->truncated)
		tool_result_textf(ctx, ret, "[cut after %u bytes]", OUT_MAX);
	if (json_is(value, JSON_OBJ))
		ret->details = value;
}

static CH_FIBER ch_status user_run(struct tool_ctx *ctx, const struct json *args, struct tool_result *ret, struct ch_err *err)
{
	const struct user_tool *u = ctx->tool->data;
	CH_AUTO(config_unref) struct config *c = config_ref(ctx->host->config(ctx->host->arg));
	CH_AUTO_DONE(proc_result_done) struct proc_result result = { .exit_code = -1 };
	CH_AUTO_DONE(given_env_done) struct given_env env = { .len = 0 };
	CH_AUTO_DONE(command_watch_end) struct command_watch watch = { .ops = NULL };
	struct command_reach reach = { .root = ctx->workspace, .cwd = ctx->workspace };
	struct sandbox_settings settings;
	const char *program = arena_printf(ctx->arena, "%s/%s", ctx->workspace, u->program_path);
	const char *input = u->manifest.takes_args ? NULL : json_to_str(ctx->arena, args);
	struct sandbox_cmd cmd = {
		.argv = words_of(ctx->arena, args, &u->manifest, program),
		.workspace = ctx->workspace,
		.state_dir = ctx->host->state_dir,
		.http = ctx->host->http,
	};
	struct sandbox_run_spec run = {
		.input = input,
		.input_len = input ? strlen(input) : 0,
		.out_max_bytes = OUT_MAX,
		.deadline_ms = CH_MIN(ctx->deadline_ms, now_mono_ms() + u->manifest.timeout_ms),
	};
	ch_status st = check_program(ctx, u, err);

	if (!st)
		st = give_env(c, ctx->arena, u, &env, err);
	if (st)
		return st;
	cmd.env = (const char *const *)env.at;
	sandbox_settings(c, ctx->agent_id, ctx->session_key, ctx->arena, &settings);
	settings.hosts = granted_hosts(ctx->arena, &u->manifest, settings.hosts);
	st = command_watch_begin(ctx, &reach, settings.access == SANDBOX_RW, settings.hosts[0] ? ctx->tool->name : NULL, u->program_path,
				 &watch, err);
	if (!st)
		st = sandbox_run(ctx->host->loop, &settings, &cmd, &run, &result, err);
	command_watch_read(&watch);
	if (st)
		return ch_wrap(err, "%s", ctx->tool->name);
	if (result.exit_code != 0)
		fail_text(ctx, u, &result, ret);
	else
		answer(ctx, u, &result, ret);
	return CH_OK;
}

/* -- what is offered -- */

static bool user_has_effects(const struct tool_ctx *ctx, const struct json *args)
{
	const struct user_tool *u = ctx->tool->data;

	return u->manifest.hosts[0] || u->manifest.risk == TOOL_SENDS || env_of(ctx->host->config(ctx->host->arg), u);
}

static bool user_is_available(const struct tool_host *host, const char *agent_id, struct arena *a, const char **ret_why)
{
	const struct config *c = host->config(host->arg);
	struct sandbox_settings s;

	sandbox_settings(c, agent_id, NULL, a, &s);
	if (!config_bool(c, "tools.user.enabled", true))
		*ret_why = "tools.user.enabled is false";
	else if (s.problem)
		*ret_why = s.problem;
	else if (s.access == SANDBOX_NONE)
		*ret_why = "it runs in the sandbox, which shows no workspace: set agents.defaults.sandbox.workspaceAccess to ro or rw";
	else
		return sandbox_seems_possible(ret_why);
	return false;
}

/* A row that is shown to people and never offered. */
static struct tool *problem(struct arena *a, const char *name, const char *path, const char *why)
{
	struct tool *t = arena_alloc(a, sizeof(*t));

	t->name = arena_printf(a, NAME_PREFIX "%s", name);
	t->label = path;
	t->description = arena_printf(a, "%s: %s", path, why);
	t->group = "user";
	return t;
}

static ch_status find_program(int workspace_fd, struct user_tool *u, struct ch_err *err)
{
	struct ws_root root = ws_root_of(workspace_fd);
	WS_AUTO_FD int fd = -1;
	struct stat st;
	ch_status rc = wk_open_file(&root, u->program_path, &fd, &st, err);

	if (rc)
		return rc;
	if (!(st.st_mode & 0111))
		return ch_fail(err, CH_E_INVALID, "%s cannot be executed: chmod +x it", u->program_path);
	ws_stamp_of(&st, &u->program);
	return CH_OK;
}

/* `place` is where the manifest is: with its slash, below the workspace. */
static ch_status load(struct user_tool *u, int workspace_fd, const char *stem, const char *place, struct arena *a, struct ch_err *err)
{
	CH_AUTO_BUF struct buf text = { 0 };
	struct ws_stamp stamp;
	ch_status st;

	buf_init(&text, USER_MANIFEST_MAX);
	st = ws_load(workspace_fd, u->manifest_path, &text, &stamp, err);
	if (!st)
		st = user_manifest_parse(a, buf_str(&text), text.len, stem, &u->manifest, err);
	if (st)
		return st;
	u->program_path = arena_printf(a, "%s%s", place, u->manifest.program);
	return find_program(workspace_fd, u, err);
}

static const char *taint_of(const struct user_tool *u, const struct tool_host *host, const char *agent_id, const char *workspace,
			    struct arena *a)
{
	const char *source = tainted_by(host, agent_id, workspace, a, u->manifest_path);
	const char *path = u->manifest_path;

	if (!source) {
		path = u->program_path;
		source = tainted_by(host, agent_id, workspace, a, path);
	}
	return source ? arena_printf(a, "%s was written in a conversation that had read text from outside (%s), so it is not offered. Read it; "
				     "when it is right, write it anew yourself or in a new session", path, source) : NULL;
}

static struct tool *load_tool(const struct tool_host *host, const char *agent_id, const char *workspace, int workspace_fd, const char *stem,
			      const char *place, const char *file, struct arena *a)
{
	struct user_tool *u = arena_alloc(a, sizeof(*u));
	struct tool *t = arena_alloc(a, sizeof(*t));
	struct ch_err why = { 0 };
	const char *taint;

	u->manifest_path = arena_printf(a, "%s%s", place, file);
	if (load(u, workspace_fd, stem, place, a, &why))
		return problem(a, stem, u->manifest_path, why.text);
	taint = taint_of(u, host, agent_id, workspace, a);
	if (taint)
		return problem(a, stem, u->manifest_path, taint);
	*t = (struct tool){
		.name = u->manifest.name,
		.label = u->manifest.label,
		.description = u->manifest.description,
		.schema_json = u->manifest.schema_json,
		.risk = u->manifest.hosts[0] ? TOOL_SENDS : u->manifest.risk,
		.timeout_ms = u->manifest.timeout_ms + SLACK_MS,
		.out_max_bytes = OUT_MAX,
		.group = "user",
		.data = u,
		.has_effects = user_has_effects,
		.is_available = user_is_available,
		.run = user_run,
	};
	return t;
}

/* tools/<stem>.json, or tools/<stem>/tool.json; NULL: neither. */
static struct tool *entry_tool(const struct tool_host *host, const char *agent_id, const char *workspace, int workspace_fd, int folder_fd,
			       const char *name, struct arena *a)
{
	size_t n = strlen(name);
	struct stat st;

	if (n > 5 && str_ends(name, ".json"))
		return load_tool(host, agent_id, workspace, workspace_fd, arena_strndup(a, name, n - 5), FOLDER "/", name, a);
	if (fstatat(folder_fd, arena_printf(a, "%s/" MANIFEST, name), &st, AT_SYMLINK_NOFOLLOW) == 0)
		return load_tool(host, agent_id, workspace, workspace_fd, name, arena_printf(a, FOLDER "/%s/", name), MANIFEST, a);
	return NULL;
}

static ch_status user_list(const struct tool_host *host, const char *agent_id, const char *workspace, struct arena *a,
			   const struct tool *const **ret, size_t *ret_count, struct ch_err *err)
{
	CH_AUTO(dir_close) DIR *d = open_folder(workspace);
	WS_AUTO_FD int workspace_fd = open(workspace, O_PATH | O_DIRECTORY | O_CLOEXEC);
	const struct tool **list = arena_alloc(a, USER_TOOLS_MAX * sizeof(struct tool *));
	size_t n, count = 0;
	const char **names = read_names(a, d, &n);

	if (d && workspace_fd < 0)
		return ch_fail_errno(err, CH_E_IO, errno, "%s", workspace);
	for (size_t i = 0; i < n && count < USER_TOOLS_MAX; i++) {
		const struct tool *t = entry_tool(host, agent_id, workspace, workspace_fd, dirfd(d), names[i], a);

		if (t)
			list[count++] = t;
	}
	*ret = list;
	*ret_count = count;
	return CH_OK;
}

const struct tool_source tool_source_user = { .id = "user", .stamp = user_stamp, .list = user_list };
