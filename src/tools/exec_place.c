/*
 * tools/exec_place.c - where a command runs: in the sandbox or on the host, and in which directory.
 *
 * A sandbox that is configured and cannot be had is never skipped in silence: the command goes to the host's approval, and
 * both the person and the model are told why.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "core/file.h"
#include "core/str.h"
#include "tools/exec_priv.h"

static ch_status wants_sandbox_only(struct exec_call *c, bool is_live, struct ch_err *err)
{
	if (is_live) {
		c->is_sandboxed = true;
		return CH_OK;
	}
	return ch_fail(err, CH_E_DENIED, "host \"sandbox\": %s. The command was not run.",
		       c->no_sandbox ? c->no_sandbox : "this session has no sandbox (agents.defaults.sandbox.mode)");
}

static ch_status leave_sandbox(struct exec_call *c, struct ch_err *err)
{
	const char *why = exec_elevated_refusal(c->config, c->ctx->agent_id, c->ctx->grant);

	if (why)
		return ch_fail(err, CH_E_DENIED, "elevated: %s.", why);
	return CH_OK;
}

static ch_status choose(struct exec_call *c, struct ch_err *err)
{
	const char *set = c->set.host ? c->set.host : "auto";
	const char *want = c->host && !str_eq(c->host, "auto") ? c->host : set;
	bool is_live = c->sandbox.is_on && !c->no_sandbox;

	if (str_eq(want, "node"))
		return ch_fail(err, CH_E_UNSUPPORTED, "host \"node\": this gateway does not run commands on nodes");
	if (c->is_elevated && c->sandbox.is_on)
		return leave_sandbox(c, err);
	if (str_eq(want, "sandbox"))
		return wants_sandbox_only(c, is_live, err);
	if (str_eq(want, "gateway") && c->sandbox.is_on && !str_eq(set, "gateway"))
		return ch_fail(err, CH_E_DENIED, "host \"gateway\": this session is sandboxed. Leave host out, or use elevated where the "
			       "owner allows it (tools.elevated, tools.exec.host).");
	c->is_sandboxed = is_live && !str_eq(want, "gateway");
	return CH_OK;
}

/* -- the directory -- */

static ch_status resolve_dir(struct exec_call *c, struct ch_err *err)
{
	struct arena *a = c->ctx->arena;
	const char *path = c->ctx->workspace, *real, *top = file_real(a, path);
	size_t len = top ? strlen(top) : 0;
	struct stat st;

	if (!str_empty(c->workdir))
		path = c->workdir[0] == '/' ? c->workdir : arena_printf(a, "%s/%s", path, c->workdir);
	real = file_real(a, path);
	if (!real || stat(real, &st))
		return ch_fail_errno(err, errno == ENOENT ? CH_E_NOT_FOUND : CH_E_IO, errno, "workdir '%.120s'", path);
	if (!S_ISDIR(st.st_mode))
		return ch_fail(err, CH_E_INVALID, "workdir '%.120s' is no directory", path);
	c->cwd = real;
	if (top && strncmp(real, top, len) == 0 && (real[len] == '/' || !real[len]))
		c->cwd_in_workspace = real[len] ? real + len + 1 : "";
	return CH_OK;
}

ch_status exec_place(struct exec_call *c, struct ch_err *err)
{
	const char *why = NULL;
	ch_status st;

	sandbox_settings(c->config, c->ctx->agent_id, c->ctx->session_key, c->ctx->arena, &c->sandbox);
	if (c->sandbox.is_on && (c->sandbox.problem || !sandbox_probe(c->ctx->host->loop, &why)))
		c->no_sandbox = arena_strdup(c->ctx->arena, c->sandbox.problem ? c->sandbox.problem : why);
	st = choose(c, err);
	if (!st)
		st = resolve_dir(c, err);
	if (!st && c->is_sandboxed && !c->cwd_in_workspace)
		return ch_fail(err, CH_E_DENIED, "workdir '%.120s' is outside the workspace, and the sandbox shows only that",
			       c->workdir);
	return st;
}
