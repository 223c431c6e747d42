/*
 * exec/sandbox_places.c - which files and directories of the host may be shown inside.
 *
 * Paths are made canonical before they are compared, so that neither "..", a doubled slash nor a link hides
 * where something really is.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/file.h"
#include "core/mem.h"
#include "core/str.h"
#include "exec/sandbox_priv.h"

bool sandbox_is_below(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	if (str_eq(dir, "/"))
		return true;
	return !strncmp(path, dir, n) && (path[n] == '\0' || path[n] == '/');
}

ch_status sandbox_canonical(struct arena *a, const char *path, const char **ret, struct ch_err *err)
{
	if (!path || path[0] != '/')
		return ch_fail(err, CH_E_INVALID, "%s is not an absolute path", path ? path : "(nothing)");
	*ret = file_real(a, path);
	return *ret ? CH_OK : ch_fail_errno(err, errno == ENOENT ? CH_E_NOT_FOUND : CH_E_IO, errno, "%s", path);
}

/* The canonical form of what may be missing or unset; NULL then. */
static const char *canonical_or_null(struct arena *a, const char *path)
{
	const char *real = NULL;

	return !str_empty(path) && !sandbox_canonical(a, path, &real, NULL) ? real : NULL;
}

/* Of the system: what is shown of them is decided by the mount table. */
static const char *const system_dirs[] = {
	"/bin", "/boot", "/dev", "/etc", "/lib", "/lib32", "/lib64", "/libx32", "/proc", "/run", "/sbin", "/sys", "/usr", "/var/lib/docker",
	"/var/log", "/var/run",
};
/* Nothing below a dot directory of the home: credentials and settings that programs run at their start live there. */
static bool is_hidden_in(const char *path, const char *home)
{
	size_t n = strlen(home);

	return sandbox_is_below(path, home) && path[n] == '/' && path[n + 1] == '.';
}

static const char *refusal_of(struct arena *a, const char *path, const char *state_dir, bool is_workspace)
{
	const char *home = canonical_or_null(a, getenv("HOME"));
	const char *state = canonical_or_null(a, state_dir);

	if (str_eq(path, "/"))
		return "it is the whole file system";
	for (size_t i = 0; i < CH_ARRAY_LEN(system_dirs); i++)
		if (sandbox_is_below(path, system_dirs[i]))
			return arena_printf(a, "%s belongs to the system", system_dirs[i]);
	if (state && sandbox_is_below(state, path))
		return "the gateway's state, with its secrets, is in it";
	if (home && sandbox_is_below(home, path))
		return "the home directory is in it";
	/* Workspaces stand below the state directory, and that is below the home. */
	if (is_workspace)
		return NULL;
	if (state && sandbox_is_below(path, state))
		return "it is part of the gateway's state";
	if (home && is_hidden_in(path, home))
		return "hidden directories of the home hold credentials";
	return NULL;
}

const char *sandbox_workspace_refusal(struct arena *a, const char *path, const char *state_dir)
{
	const char *why = refusal_of(a, path, state_dir, true);

	return why ? arena_printf(a, "the workspace %s cannot be shown in a sandbox: %s", path, why) : NULL;
}

/* Inside, these are the sandbox's own. */
static bool is_taken(const char *target)
{
	static const char *const own[] = { "/home", "/tmp", "/var" };

	if (str_eq(target, "/"))
		return true;
	for (size_t i = 0; i < CH_ARRAY_LEN(own); i++)
		if (str_eq(target, own[i]))
			return true;
	for (size_t i = 0; i < CH_ARRAY_LEN(system_dirs); i++)
		if (sandbox_is_below(target, system_dirs[i]))
			return true;
	return sandbox_is_below(target, SANDBOX_HOME);
}

const char *sandbox_bind_refusal(struct arena *a, const struct sandbox_bind *b, const char *state_dir)
{
	const char *real = canonical_or_null(a, b->source);
	struct stat st;
	const char *why;

	if (!real || stat(real, &st) != 0)
		return arena_printf(a, "%s: there is no such file or directory", b->source);
	if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode))
		return arena_printf(a, "%s is neither a directory nor a file; sockets and devices are not shown", b->source);
	why = refusal_of(a, real, state_dir, false);
	if (why)
		return arena_printf(a, "%s cannot be shown in a sandbox: %s", b->source, why);
	if (is_taken(b->target))
		return arena_printf(a, "%s inside the sandbox is its own; choose another place for %s", b->target, b->source);
	return NULL;
}

/* Absolute, and each name an honest one. */
static bool is_plain_absolute(const char *path)
{
	if (path[0] != '/')
		return false;
	for (const char *p = path; *p; ) {
		size_t n = strcspn(++p, "/");

		if ((n == 0 && p[0]) || (n == 1 && p[0] == '.') || (n == 2 && p[0] == '.' && p[1] == '.'))
			return false;
		p += n;
	}
	return true;
}

ch_status sandbox_bind_parse(struct arena *a, const char *text, struct sandbox_bind *ret, struct ch_err *err)
{
	const char *first = strchr(text, ':'), *second = first ? strchr(first + 1, ':') : NULL;
	struct sandbox_bind b = { 0 };
	const char *mode = second ? second + 1 : "ro";

	if (!first)
		return ch_fail(err, CH_E_INVALID, "'%s': written as source:target or source:target:ro|rw", text);
	b.source = arena_strndup(a, text, (size_t)(first - text));
	b.target = second ? arena_strndup(a, first + 1, (size_t)(second - first - 1)) : arena_strdup(a, first + 1);
	b.is_writable = str_eq(mode, "rw");
	if (!b.is_writable && !str_eq(mode, "ro"))
		return ch_fail(err, CH_E_INVALID, "'%s': the access is ro or rw, not '%s'", text, mode);
	if (!is_plain_absolute(b.source) || !is_plain_absolute(b.target))
		return ch_fail(err, CH_E_INVALID, "'%s': both paths are absolute, without '.', '..' and empty names", text);
	*ret = b;
	return CH_OK;
}
