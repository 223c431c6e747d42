/*
 * tools/exec_env.c - the environment of commands on the host: a short fixed list and what the call names.
 *
 * Nothing of the gateway's own environment is passed on but the person's names and the language: it holds credentials.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/str.h"
#include "tools/exec_priv.h"

#define ENV_MAX 128                      /* variables of one call */
#define PATH_DIRS "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static const char *const inherited[] = { "HOME", "LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "LOGNAME", "TZ", "USER" };
static const char *const pagers[] = { "GIT_PAGER", "PAGER" };
/* Ours to set. */
static const char *const fixed[] = { "OPENCLAW_CHANNEL_CONTEXT", "OPENCLAW_SHELL", "PATH", "SHELL" };

const char *exec_shell(void)
{
	return access("/bin/bash", X_OK) ? "/bin/sh" : "/bin/bash";
}

/* "No pager" is what commands have anyway, as they write to a pipe. */
static bool is_no_pager(const char *name, const char *value)
{
	return str_in(name, pagers, CH_ARRAY_LEN(pagers)) && (str_empty(value) || str_eq(value, "cat"));
}

ch_status exec_call_env(struct arena *a, const struct json *env, const char *const **ret, struct ch_err *err)
{
	size_t n = json_len(env), used = 0;
	const char **out = arena_alloc(a, (CH_MIN(n, ENV_MAX) + 1) * sizeof(*out));

	if (n > ENV_MAX)
		return ch_fail(err, CH_E_LIMIT, "env: %zu variables; at most %d", n, ENV_MAX);
	json_each(v, env) {
		const char *pair, *why;

		if (!json_is(v, JSON_STR) || strlen(v->str) != v->len)
			return ch_fail(err, CH_E_INVALID, "env: the value of '%.60s' is no text", v->key);
		if (is_no_pager(v->key, v->str))
			continue;
		if (str_in(v->key, fixed, CH_ARRAY_LEN(fixed)))
			return ch_fail(err, CH_E_INVALID, "env: %s cannot be set by a call; the owner sets directories with "
				       "tools.exec.pathPrepend", v->key);
		pair = arena_printf(a, "%s=%s", v->key, v->str);
		why = sandbox_env_refusal(a, pair);
		if (why)
			return ch_fail(err, CH_E_INVALID, "env: %s", why);
		out[used++] = pair;
	}
	*ret = out;
	return CH_OK;
}

static bool is_named(const char *const *env, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; env[i]; i++)
		if (strncmp(env[i], name, len) == 0 && env[i][len] == '=')
			return true;
	return false;
}

/* Whom the command is for, for scripts that care. */
static const char *channel_context(struct arena *a, const struct tool_grant *g)
{
	struct json *o = json_new_obj(a);

	json_set(a, o, "channel", json_new_str(a, g->channel));
	if (g->sender)
		json_set(a, o, "senderId", json_new_str(a, g->sender));
	return json_to_str(a, o);
}

void exec_host_env(struct exec_call *c)
{
	struct arena *a = c->ctx->arena;
	const char *path = PATH_DIRS;
	size_t n = 0, used = 0;
	const char **env;

	for (size_t i = 0; c->set.path_prepend[i]; i++)
		n = i + 1;
	while (n)
		path = arena_printf(a, "%s:%s", c->set.path_prepend[--n], path);
	while (c->env[n])
		n++;
	env = arena_alloc(a, (n + CH_ARRAY_LEN(inherited) + 8) * sizeof(*env));
	c->path_env = path;
	env[used++] = arena_printf(a, "PATH=%s", path);
	env[used++] = arena_printf(a, "SHELL=%s", exec_shell());
	env[used++] = "OPENCLAW_SHELL=exec";
	if (!is_named(c->env, "TERM"))
		env[used++] = c->has_tty ? "TERM=xterm-256color" : "TERM=dumb";
	if (!is_named(c->env, "TMPDIR"))
		env[used++] = "TMPDIR=/tmp";
	if (c->ctx->grant->channel)
		env[used++] = arena_printf(a, "OPENCLAW_CHANNEL_CONTEXT=%s", channel_context(a, c->ctx->grant));
	for (size_t i = 0; i < CH_ARRAY_LEN(inherited); i++)
		if (!str_empty(getenv(inherited[i])) && !is_named(c->env, inherited[i]))
			env[used++] = arena_printf(a, "%s=%s", inherited[i], getenv(inherited[i]));
	for (size_t i = 0; c->env[i]; i++)
		env[used++] = c->env[i];
	c->host_env = env;
}
