/*
 * tools/exec.c - exec: a shell command, in the sandbox or with a person's yes on the host.
 */
#include <string.h>

#include "core/log.h"
#include "core/str.h"
#include "tools/exec_priv.h"
#include "tools/exec_text.h"
#include "tools/table.h"

#define OUT_MAX (EXEC_TEXT_MAX + (8u << 10))
#define META_BYTES 100
#define TIMEOUT_MAX_S (30 * 86400)

static enum exec_ask ask_of(const char *name)
{
	if (str_eq(name, "always"))
		return EXEC_ASK_ALWAYS;
	return str_eq(name, "on-miss") ? EXEC_ASK_ON_MISS : EXEC_ASK_OFF;
}

static ch_status read_args(struct exec_call *c, const struct json *args, struct ch_err *err)
{
	const struct json *command = json_get(args, "command");
	int64_t yield_ms = json_get_int(args, "yieldMs", c->set.yield_ms);

	c->command = command->str;
	c->command_len = command->len;
	if (strlen(c->command) != c->command_len || !c->command[strspn(c->command, " \t\r\n")])
		return ch_fail(err, CH_E_INVALID, "command: a shell command without NUL bytes is needed");
	if (str_starts(c->command, "/approve"))
		return ch_fail(err, CH_E_DENIED, "Approvals are answered by people, not by commands.");
	c->workdir = json_get_str(args, "workdir");
	if (c->workdir && c->workdir[0] && !c->workdir[strspn(c->workdir, " \t")])
		return ch_fail(err, CH_E_INVALID, "workdir: only blanks");
	c->host = json_get_str(args, "host");
	c->ask = ask_of(json_get_str(args, "ask"));
	c->yield_ms = CH_MIN(CH_MAX(yield_ms, EXEC_YIELD_MIN_MS), EXEC_YIELD_MAX_MS);
	c->timeout_ms = c->set.timeout_ms;
	if (json_get(args, "timeoutSeconds"))
		c->timeout_ms = 1000 * json_get_int(args, "timeoutSeconds", 0);
	c->is_background = json_get_bool(args, "background", false);
	c->has_tty = json_get_bool(args, "pty", false);
	c->is_elevated = json_get_bool(args, "elevated", false);
	return exec_call_env(c->ctx->arena, json_get(args, "env"), &c->env, err);
}

static void close_approval(const struct exec_call *c)
{
	struct ch_err why;

	if (c->approval_id && approval_done(c->ctx->host->approvals, c->approval_id, &why))
		log_warn("exec", "session=%s: the end of approval %s is not on record: %s", c->ctx->session_key, c->approval_id,
			 why.text);
}

static CH_FIBER ch_status go(struct exec_call *c, const struct json *args, struct ch_err *err)
{
	ch_status st;

	exec_settings_read(c->config, c->ctx->agent_id, c->ctx->arena, &c->set);
	st = read_args(c, args, err);
	if (st)
		return st;
	if (c->ctx->grant->mode == TOOL_MODE_READ_ONLY)
		return ch_fail(err, CH_E_DENIED, "Exec denied (read-only): this session may only read.");
	if (c->set.is_denied)
		return ch_fail(err, CH_E_DENIED, "Exec denied (security=deny): the owner has switched commands off (tools.exec.mode).");
	st = exec_place(c, err);
	if (!st && !c->is_sandboxed)
		st = exec_permit(c, err);
	if (!st)
		st = exec_run_call(c, err);
	close_approval(c);
	return st;
}

static CH_FIBER ch_status exec_run(struct tool_ctx *ctx, const struct json *args, struct tool_result *ret, struct ch_err *err)
{
	struct exec_call c = { .ctx = ctx, .ret = ret };
	ch_status st;

	if (!ctx->host || !ctx->host->processes || !ctx->host->config)
		return ch_fail(err, CH_E_UNSUPPORTED, "exec is not available here");
	c.details = json_new_obj(ctx->arena);
	c.config = config_ref(ctx->host->config(ctx->host->arg));
	st = go(&c, args, err);
	exec_bound_unref(c.bound);
	config_unref(c.config);
	if (st == CH_OK || json_len(ret->content)) {
		/* A refusal that has put itself into words is the result. */
		ret->details = c.details;
		return st == CH_E_CANCELED ? st : CH_OK;
	}
	return st;
}

static bool exec_available(const struct tool_host *host, const char *agent_id, struct arena *a, const char **ret_why)
{
	*ret_why = "commands do not run here";
	return host->processes != NULL;
}

static const char *exec_meta(struct arena *a, const struct json *args)
{
	const char *title = json_get_str(args, "title");

	return exec_shorten(a, str_empty(title) ? json_str_or(json_get(args, "command"), "") : title, META_BYTES);
}

_Static_assert(TIMEOUT_MAX_S == 2592000 && EXEC_YIELD_MAX_MS == 120000, "the schema below names these limits");

const struct tool tool_exec = {
	.name = "exec",
	.label = "Exec",
	.description =
		"Run a shell command in the workspace. It runs in a sandbox where there is one; on the host a person may have to allow "
		"it first. After yieldMs (or at once with background) it runs on in the background: follow it with process. Use pty "
		"for programs that need a terminal.",
	.schema_json =
		"{\"type\":\"object\",\"properties\":{"
		"\"title\":{\"type\":\"string\",\"description\":\"a few words on what it does, for people\"},"
		"\"command\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":32768,\"description\":\"for the shell\"},"
		"\"workdir\":{\"type\":\"string\",\"description\":\"default: the workspace\"},"
		"\"env\":{\"type\":\"object\",\"description\":\"variables, as strings\"},"
		"\"yieldMs\":{\"type\":\"integer\",\"minimum\":0,\"description\":\"ms to wait before it runs on in the background; "
		"default 10000, at most 120000\"},"
		"\"background\":{\"type\":\"boolean\",\"description\":\"do not wait\"},"
		"\"timeoutSeconds\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":2592000,\"description\":\"time limit, also in the "
		"background; 0: none\"},"
		"\"pty\":{\"type\":\"boolean\",\"description\":\"give it a terminal\"},"
		"\"elevated\":{\"type\":\"boolean\",\"description\":\"leave the sandbox, where the owner allows it\"},"
		"\"host\":{\"type\":\"string\",\"enum\":[\"auto\",\"sandbox\",\"gateway\",\"node\"]},"
		"\"ask\":{\"type\":\"string\",\"enum\":[\"off\",\"on-miss\",\"always\"],\"description\":\"can only be stricter\"},"
		"\"node\":{\"type\":\"string\"}},"
		"\"required\":[\"command\"],\"additionalProperties\":false}",
	.risk = TOOL_RUNS,
	.timeout_ms = 0,                 /* yieldMs and timeoutSeconds bound it, and a person may think as long as they like */
	.out_max_bytes = OUT_MAX,
	.group = "runtime",
	.asks_itself = true,
	.is_available = exec_available,
	.meta = exec_meta,
	.run = exec_run,
};
