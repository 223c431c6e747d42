/*
 * tools/fs_place.c - how far the file tools reach: which root a name is meant for, and whether it may be used so.
 */
#include "tools/fs_place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"
#include "core/str.h"
#include "exec/sandbox.h"

static const struct config *config_of(const struct tool_ctx *ctx)
{
	return ctx->host && ctx->host->config ? ctx->host->config(ctx->host->arg) : NULL;
}

/* The agent's own value of tools.<key>, else that of all agents. */
static const struct json *setting(const struct tool_ctx *ctx, const char *group, const char *key)
{
	const struct config *c = config_of(ctx);
	const struct json *own, *all;

	if (!c)
		return NULL;
	own = json_get(json_get(json_get(config_get(c, "agents.entries"), ctx->agent_id), "tools"), group);
	all = json_get(config_get(c, "tools"), group);
	return json_get(own, key) ? json_get(own, key) : json_get(all, key);
}

static enum tool_mode mode_of(const struct tool_ctx *ctx)
{
	return ctx->grant ? ctx->grant->mode : TOOL_MODE_UNSET;
}

/* Is the file system beyond the roots closed to this call? */
static bool is_closed(const struct tool_ctx *ctx, unsigned access)
{
	const struct json *only = setting(ctx, "fs", "workspaceOnly");

	switch (mode_of(ctx)) {
	case TOOL_MODE_FULL:
		return false;
	case TOOL_MODE_UNSET:
		return access & WS_CONTAINED || !json_is(only, JSON_BOOL) || json_bool_or(only, true);
	default:
		return true;
	}
}

bool ws_patch_is_contained(const struct tool_ctx *ctx)
{
	const struct json *patch = setting(ctx, "exec", "applyPatch");

	return json_get_bool(patch, "workspaceOnly", true);
}

/* A real path on the arena; the text itself when it cannot be told. */
static const char *real_of(struct tool_ctx *ctx, const char *path)
{
	WS_AUTO_FD int fd = -1;
	char *real;

	if (!path || path[0] != '/')
		return NULL;
	fd = openat(AT_FDCWD, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return path;
	real = arena_alloc(ctx->arena, 2 * WS_PATH_MAX);
	return wk_real_path(fd, real, 2 * WS_PATH_MAX) ? real : path;
}

static void guard(struct tool_ctx *ctx, struct ws_place *p)
{
	p->guard = (struct ws_guard){
		.state_dir = ctx->host ? real_of(ctx, ctx->host->state_dir) : NULL,
		.home = real_of(ctx, getenv("HOME")),
		.anywhere = p->is_owned,
	};
	p->root.guard = &p->guard;
}

/* The workspace is usually inside the state directory and holds nothing to be guarded. */
static void guard_workspace(struct tool_ctx *ctx, struct ws_place *p)
{
	char real[WS_PATH_MAX];
	const char *home;

	guard(ctx, p);
	home = p->guard.home;
	if (!wk_real_path(p->root.fd, real, sizeof(real)))
		return;
	if (p->guard.state_dir && !wk_below(p->guard.state_dir, real))
		p->guard.state_dir = NULL;
	if (home && !wk_below(home, real))
		p->guard.home = NULL;
	if (!p->guard.state_dir && !p->guard.home && !str_eq(real, "/"))
		p->root.guard = NULL;
}

static void take_workspace(struct tool_ctx *ctx, struct ws_place *p, const char *rel)
{
	*p = (struct ws_place){
		.root = { .fd = ctx->workspace_fd, .path = ctx->workspace },
		.rel = rel,
	};
	guard_workspace(ctx, p);
}

static const char *expanded(struct tool_ctx *ctx, const char *path)
{
	const char *home = getenv("HOME");

	if (!path || path[0] != '~' || (path[1] && path[1] != '/') || !home || home[0] != '/')
		return path;
	return arena_printf(ctx->arena, "%s%s", home, path + 1);
}

static ch_status open_root(struct tool_ctx *ctx, const char *path, const char *rel, struct ws_place *p, struct ch_err *err)
{
	char real[WS_PATH_MAX];
	int fd = openat(AT_FDCWD, path, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return ch_fail_errno(err, CH_E_DENIED, errno, "the root '%s' of tools.fs.roots cannot be opened", path);
	*p = (struct ws_place){
		.root = { .fd = fd, .path = arena_strdup(ctx->arena, path), .is_whole = str_eq(path, "/") },
		.rel = rel,
		.is_owned = true,
	};
	guard(ctx, p);
	if (wk_real_path(fd, real, sizeof(real)) && !wk_is_guarded(&p->guard, real))
		return CH_OK;
	ws_place_done(p);
	return ch_fail(err, CH_E_DENIED, "'%s' is kept from file tools: it belongs to the system, to this program, or holds credentials", path);
}

/* The root of tools.fs.roots that lies nearest above path. */
static const struct json *nearest_root(struct tool_ctx *ctx, const char *path, const char **ret_dir, const char **ret_rel)
{
	const struct json *best = NULL;
	size_t longest = 0;

	json_each(item, setting(ctx, "fs", "roots")) {
		const char *dir = expanded(ctx, json_get_str(item, "path"));
		const char *rel = dir && dir[0] == '/' ? wk_below(path, dir) : NULL;

		if (rel && strlen(dir) > longest) {
			longest = strlen(dir);
			best = item;
			*ret_dir = dir;
			*ret_rel = rel;
		}
	}
	return best;
}

static ch_status place_outside(struct tool_ctx *ctx, const char *path, unsigned access, struct ws_place *p, struct ch_err *err)
{
	const char *dir, *rel;
	const struct json *root;

	if (mode_of(ctx) == TOOL_MODE_UNSET || mode_of(ctx) == TOOL_MODE_FULL) {
		root = nearest_root(ctx, path, &dir, &rel);
		if (root && access & WS_WRITE && !str_eq(json_get_str(root, "access"), "rw"))
			return ch_fail(err, CH_E_DENIED, "'%s' can be read, but not changed: the root '%s' is read-only", path, dir);
		if (root)
			return open_root(ctx, dir, rel, p, err);
	}
	if (is_closed(ctx, access))
		return ch_fail(err, CH_E_DENIED, "'%s' is outside the workspace '%s'; only paths inside it can be used", path,
			       ctx->workspace);
	return open_root(ctx, "/", wk_below(path, "/"), p, err);
}

static ch_status place_absolute(struct tool_ctx *ctx, const char *path, unsigned access, struct ws_place *p, struct ch_err *err)
{
	char *real = arena_alloc(ctx->arena, WS_PATH_MAX);
	const char *rel = wk_below(path, ctx->workspace);

	if (!rel && wk_real_path(ctx->workspace_fd, real, WS_PATH_MAX))
		rel = wk_below(path, real);
	if (!rel)
		return place_outside(ctx, path, access, p, err);
	take_workspace(ctx, p, rel);
	return CH_OK;
}

/* A sandbox that shows commands no workspace, or one to read, is not got round by a file tool. */
static ch_status check_sandbox(struct tool_ctx *ctx, const char *path, unsigned access, struct ch_err *err)
{
	const struct config *c = config_of(ctx);
	struct sandbox_settings s;

	if (!c)
		return CH_OK;
	sandbox_settings(c, ctx->agent_id, ctx->session_key, ctx->arena, &s);
	if (!s.is_on || s.access == SANDBOX_RW || (s.access == SANDBOX_RO && !(access & WS_WRITE)))
		return CH_OK;
	return ch_fail(err, CH_E_DENIED, "'%s' cannot be %s: this session is sandboxed with workspaceAccess \"%s\"", path,
		       access & WS_WRITE ? "changed" : "read", s.access == SANDBOX_RO ? "ro" : "none");
}

ch_status ws_place(struct tool_ctx *ctx, const struct json *arg, unsigned access, struct ws_place *ret, struct ch_err *err)
{
	const char *path = json_str(arg);
	ch_status rc;

	if (!path || !*path)
		return ch_fail(err, CH_E_INVALID, "the path is empty");
	if (strlen(path) != arg->len)
		return ch_fail(err, CH_E_INVALID, "the path holds a NUL byte");
	if (arg->len >= WS_PATH_MAX)
		return ch_fail(err, CH_E_INVALID, "the path is longer than %d bytes", WS_PATH_MAX - 1);
	if (access & WS_WRITE && mode_of(ctx) == TOOL_MODE_READ_ONLY)
		return ch_fail(err, CH_E_DENIED, "this session is read-only; '%s' was not changed", path);
	rc = check_sandbox(ctx, path, access, err);
	if (rc)
		return rc;
	if (path[0] == '~' && (!path[1] || path[1] == '/'))
		return place_absolute(ctx, expanded(ctx, path), access, ret, err);
	if (path[0] == '/')
		return place_absolute(ctx, path, access, ret, err);
	take_workspace(ctx, ret, path);
	return CH_OK;
}

bool ws_is_beyond(const struct tool_ctx *ctx, const char *path)
{
	char real[WS_PATH_MAX];

	if (!path || (path[0] == '~' && (!path[1] || path[1] == '/')))
		return path != NULL;
	return path[0] == '/' && !wk_below(path, ctx->workspace) &&
	       !(wk_real_path(ctx->workspace_fd, real, sizeof(real)) && wk_below(path, real));
}

bool ws_writes_beyond(const struct tool_ctx *ctx, const struct json *args)
{
	return ws_is_beyond(ctx, json_get_str(args, "path"));
}

void ws_place_done(struct ws_place *p)
{
	if (p->is_owned)
		wk_close(&p->root.fd);
	p->is_owned = false;
}

/* -- text from outside in files -- */

static void cut_last_part(char *prefix, size_t *n)
{
	while (*n && prefix[*n - 1] != '/')
		(*n)--;
	while (*n && prefix[*n - 1] == '/')
		(*n)--;
	prefix[*n] = '\0';
}

/* The real place of the deepest part of rel that exists, and what of rel comes after it. */
static ch_status deepest(const struct ws_place *p, enum ws_follow follow, char *real, size_t cap, const char **ret_rest,
			 struct ch_err *err)
{
	char prefix[WS_PATH_MAX];
	size_t n = strlen(p->rel);

	memcpy(prefix, p->rel, n + 1);
	if (follow == WS_NO_FOLLOW)
		cut_last_part(prefix, &n);
	for (;;) {
		WS_AUTO_FD int fd = -1;
		ch_status rc = wk_open(&p->root, n ? prefix : ".", O_PATH, &fd, err);

		if (!rc) {
			*ret_rest = p->rel + n;
			if (wk_leads_up(*ret_rest))
				return ch_fail(err, CH_E_NOT_FOUND, "'%s' goes up from a directory that does not exist", p->rel);
			return wk_real_path(fd, real, cap) ? CH_OK : ch_fail(err, CH_E_IO, "'%s' cannot be told where it is", p->rel);
		}
		if (!n || (rc != CH_E_NOT_FOUND && rc != CH_E_INVALID))
			return rc;
		cut_last_part(prefix, &n);
	}
}

/* Appends the parts of rest, "." and empty ones left out. */
static const char *joined(struct arena *a, const char *real, const char *rest)
{
	const char *out = str_eq(real, "/") ? "" : real;

	while (*rest) {
		size_t n = strcspn(rest, "/");

		if (n && !(n == 1 && rest[0] == '.'))
			out = arena_printf(a, "%s/%.*s", out, (int)n, rest);
		rest += n + (rest[n] == '/');
	}
	return *out ? out : "/";
}

ch_status ws_real(struct arena *a, const struct ws_place *p, enum ws_follow follow, const char **ret_path, struct ch_err *err)
{
	char real[2 * WS_PATH_MAX];
	const char *rest;
	ch_status rc;

	rc = deepest(p, follow, real, sizeof(real), &rest, err);
	if (!rc)
		*ret_path = joined(a, arena_strdup(a, real), rest);
	return rc;
}

/* As the taint knows files. */
static const char *relative_to_workspace(struct tool_ctx *ctx, const char *real)
{
	char base[WS_PATH_MAX];
	const char *rel = wk_real_path(ctx->workspace_fd, base, sizeof(base)) ? wk_below(real, base) : NULL;

	return rel ? rel : real;
}

static void note_read_path(struct tool_ctx *ctx, const char *path)
{
	const char *source = NULL;

	if (ctx->is_outside || !ctx->host || !ctx->host->is_tainted_file ||
	    !ctx->host->is_tainted_file(ctx->host->arg, ctx, path, &source))
		return;
	ctx->is_outside = true;
	ctx->source = source ? source : arena_printf(ctx->arena, "file %s", path);
}

void ws_note_read(struct tool_ctx *ctx, int fd)
{
	char real[2 * WS_PATH_MAX];

	if (wk_real_path(fd, real, sizeof(real)))
		note_read_path(ctx, relative_to_workspace(ctx, arena_strdup(ctx->arena, real)));
}

void ws_note_read_below(struct tool_ctx *ctx, const struct ws_place *p, const char *path)
{
	struct ws_place at = *p;
	const char *real;

	if (ctx->is_outside || !ctx->host || !ctx->host->is_tainted_file)
		return;
	at.rel = path;
	if (strlen(path) < WS_PATH_MAX && !ws_real(ctx->arena, &at, WS_FOLLOW, &real, NULL))
		note_read_path(ctx, relative_to_workspace(ctx, real));
}

ch_status ws_note_written(struct tool_ctx *ctx, const struct ws_place *p, bool is_tainted, struct ch_err *err)
{
	const char *path;
	ch_status rc;

	if (!ctx->host || !ctx->host->note_written)
		return CH_OK;
	rc = ws_real(ctx->arena, p, WS_FOLLOW, &path, err);
	if (rc)
		return rc;
	return ctx->host->note_written(ctx->host->arg, ctx, relative_to_workspace(ctx, path), is_tainted, err);
}

ch_status ws_note_before_write(struct tool_ctx *ctx, const struct ws_place *p, struct ch_err *err)
{
	return ctx->grant && ctx->grant->is_tainted ? ws_note_written(ctx, p, true, err) : CH_OK;
}

ch_status ws_note_after_write(struct tool_ctx *ctx, const struct ws_place *p, struct ch_err *err)
{
	return ctx->grant && ctx->grant->is_tainted ? CH_OK : ws_note_written(ctx, p, false, err);
}

bool ws_is_tainted(struct tool_ctx *ctx, const struct ws_place *p)
{
	const char *path, *source;

	return ctx->host && ctx->host->is_tainted_file && !ws_real(ctx->arena, p, WS_FOLLOW, &path, NULL) &&
	       ctx->host->is_tainted_file(ctx->host->arg, ctx, relative_to_workspace(ctx, path), &source);
}
