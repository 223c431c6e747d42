/*
 * tools/exec_run.c - a command that may run: started, followed as long as the call waits, and put into words.
 *
 * The call waits yield_ms; what runs on then is a background process (tools/process.c). A call that is cancelled takes its
 * command with it.
 */
#include <string.h>

#include "core/clock.h"
#include "core/fiber.h"
#include "core/log.h"
#include "core/str.h"
#include "tools/command_ops.h"
#include "tools/exec_priv.h"
#include "tools/exec_text.h"

#define UPDATE_MS 250                    /* between two pieces of progress: each goes to every client */

/* Programs whose output is a peer's text; where they run on the host nothing else says so. */
static const char network_programs[][8] = {
	"aws", "curl", "dig", "ftp", "gh", "git", "links", "lynx", "nc", "ncat", "rsync", "scp", "sftp", "socat", "ssh", "telnet",
	"w3m", "wget", "xh", "yt-dlp",
};

static bool is_network_program(const char *name)
{
	const char *base = name ? strrchr(name, '/') : NULL;

	base = base ? base + 1 : name;
	for (size_t i = 0; i < CH_ARRAY_LEN(network_programs); i++)
		if (str_eq(network_programs[i], base))
			return true;
	return false;
}

/* May its output be somebody else's words? */
static bool is_from_outside(const struct exec_call *c)
{
	if (c->is_sandboxed)
		return c->sandbox.hosts && c->sandbox.hosts[0];
	for (size_t i = 0; i < c->plan.count; i++) {
		const struct cmd_segment *s = &c->plan.segments[i];

		if (is_network_program(s->name) || (s->chain_len && is_network_program(s->chain[s->chain_len - 1].argv[0])))
			return true;
	}
	return false;
}

/* -- starting -- */

static const char *const *shell_argv(const struct exec_call *c)
{
	const char **argv = arena_alloc(c->ctx->arena, 5 * sizeof(*argv));

	argv[0] = exec_shell();
	argv[1] = "-c";
	argv[2] = "--"; /* a text that begins with - or + is a command, no option */
	argv[3] = c->command;
	return argv;
}

static const char *const *sandbox_env(const struct exec_call *c)
{
	size_t n = 0;
	const char **env;

	while (c->env[n])
		n++;
	env = arena_alloc(c->ctx->arena, (n + 2) * sizeof(*env));
	env[0] = "OPENCLAW_SHELL=exec";
	memcpy(env + 1, c->env, n * sizeof(*env));
	return env;
}

static CH_FIBER ch_status start_sandboxed(struct exec_call *c, struct process_start s, struct process **ret, struct ch_err *err)
{
	CH_AUTO_DONE(sandbox_wrapped_done) struct sandbox_wrapped w = { 0 };
	struct sandbox_cmd cmd = {
		.argv = shell_argv(c), .env = sandbox_env(c), .workspace = c->ctx->workspace,
		.cwd = str_empty(c->cwd_in_workspace) ? NULL : c->cwd_in_workspace, .wants_tty = c->has_tty,
		.state_dir = c->ctx->host->state_dir, .http = c->ctx->host->http,
	};
	ch_status st;

	st = sandbox_wrap(c->ctx->host->loop, &c->sandbox, &cmd, c->ctx->arena, &w, err);
	if (st)
		return st;
	s.host = "sandbox";
	s.child.argv = w.argv;
	s.child.env = w.env;
	s.child.fds = w.fds;
	s.child.fd_count = w.fd_count;
	s.child.is_contained = true;
	s.sandbox = &w;
	return process_start(c->ctx->host->processes, &s, ret, err);
}

static CH_FIBER ch_status start(struct exec_call *c, const struct command_watch *w, struct process **ret, struct ch_err *err)
{
	const struct tool_ctx *ctx = c->ctx;
	struct process_start s = {
		.agent_id = ctx->agent_id, .session_key = ctx->session_key, .run_id = ctx->run_id,
		.tool_call_id = ctx->tool_call_id, .command = c->command, .host = "gateway", .timeout_ms = c->timeout_ms,
		.root = w->reach.root, .record = w->id[0] ? w->id : NULL, .is_tainted = w->source || ctx->grant->is_tainted, .keep_ms = c->set.keep_ms, .is_quiet = !c->set.notifies || ctx->grant->depth > 0,
		.tells_empty_success = c->set.tells_empty_success, .child = { .exe_fd = -1, .cwd_fd = -1, .has_tty = c->has_tty },
	};

	if (c->is_sandboxed)
		return start_sandboxed(c, s, ret, err);
	if (c->bound) {
		exec_bound_spec(c->bound, ctx->arena, &s.child);
		s.child.has_tty = c->has_tty;
	} else {
		s.child.argv = shell_argv(c);
		s.child.env = c->host_env;
		s.child.cwd = c->cwd;
	}
	return process_start(ctx->host->processes, &s, ret, err);
}

/* -- following -- */

static void tell_progress(const struct exec_call *c, const struct process *p, uint64_t end)
{
	struct process_text t;

	if (!c->ctx->on_update)
		return;
	process_text(p, end > EXEC_TAIL_MAX ? end - EXEC_TAIL_MAX : 0, EXEC_TAIL_MAX, c->ctx->arena, &t);
	c->ctx->on_update(c->ctx->update_arg, t.text, t.len);
}

/* Until it has ended or the call has waited long enough. */
static CH_FIBER ch_status follow(const struct exec_call *c, struct process *p)
{
	int64_t until = fiber_deadline(c->is_background ? 0 : c->yield_ms), next = 0;
	uint64_t seen = 0;
	struct process_info i;
	ch_status st;

	for (;;) {
		process_info(p, &i);
		if (i.state != PROCESS_RUNNING || now_mono_ms() >= until)
			return CH_OK;
		if (i.output_end > seen && now_mono_ms() >= next) {
			tell_progress(c, p, i.output_end);
			seen = i.output_end;
			next = fiber_deadline(UPDATE_MS);
		}
		/* New output is of interest again when the time for it has come. */
		if (now_mono_ms() < next)
			st = process_wait(p, UINT64_MAX, CH_MIN(until, next));
		else
			st = process_wait(p, seen, until);
		if (st == CH_E_CANCELED)
			return st;
	}
}

/* -- the result -- */

static void put_common(struct exec_call *c, const struct process_info *i, const char *status)
{
	struct arena *a = c->ctx->arena;
	struct json *d = c->details;

	json_set(a, d, "status", json_new_str(a, status));
	json_set(a, d, "host", json_new_str(a, i->host));
	json_set(a, d, "cwd", json_new_str(a, c->cwd));
	if (c->approval_id)
		json_set(a, d, "approvalId", json_new_str(a, c->approval_id));
}

static const char *no_sandbox_note(const struct exec_call *c)
{
	if (!c->no_sandbox)
		return "";
	return arena_printf(c->ctx->arena, "[there is no sandbox: %s. This ran with the owner's rights.]\n", c->no_sandbox);
}

static void result_running(struct exec_call *c, struct process *p, const struct process_info *i)
{
	struct arena *a = c->ctx->arena;
	struct process_text t;

	process_text(p, i->output_end > EXEC_TAIL_MAX ? i->output_end - EXEC_TAIL_MAX : 0, EXEC_TAIL_MAX, a, &t);
	process_mark_read(p, t.upto);
	tool_result_textf(c->ctx, c->ret, "%s%.*s%sThe command runs on in the background as %s (pid %d). Follow it with process: "
			  "poll, log, write, kill.%s", no_sandbox_note(c), (int)t.len, t.text, t.len ? "\n" : "", i->id, i->pid,
			  i->is_quiet ? "" : " You will be told when it ends.");
	put_common(c, i, "running");
	json_set(a, c->details, "sessionId", json_new_str(a, i->id));
	json_set(a, c->details, "pid", json_new_int(a, i->pid));
	json_set(a, c->details, "startedAt", json_new_int(a, i->started_at));
	json_set(a, c->details, "tail", json_new_strn(a, t.text, t.len));
}

/* How it ended, when that is not simply well. */
static const char *end_note(struct exec_call *c, const struct process_info *i)
{
	struct arena *a = c->ctx->arena;

	if (i->state == PROCESS_TIMEOUT)
		return arena_printf(a, "[ended at its time limit of %s. Give it more (timeoutSeconds), or run it in the background.]",
				    exec_duration(a, c->timeout_ms));
	if (i->state == PROCESS_KILLED)
		return "[stopped on request]";
	if (i->signal)
		return arena_printf(a, "[ended by %s]", exec_signal_name(a, i->signal));
	return i->exit_code ? arena_printf(a, "[exit code %d]", i->exit_code) : NULL;
}

static void result_ended(struct exec_call *c, struct process *p, const struct process_info *i)
{
	struct arena *a = c->ctx->arena;
	const char *note = end_note(c, i);
	CH_AUTO_BUF struct buf out = { 0 };
	struct process_text t;

	process_text(p, i->output_end > EXEC_TEXT_MAX ? i->output_end - EXEC_TEXT_MAX : 0, EXEC_TEXT_MAX, a, &t);
	buf_init(&out, 4 * EXEC_TEXT_MAX);
	buf_puts(&out, no_sandbox_note(c));
	if (t.from)
		buf_printf(&out, "[the last %zu of %llu bytes]\n", t.len, (unsigned long long)i->output_end);
	buf_append(&out, t.text, t.len);
	if (!t.len && !note)
		buf_puts(&out, "(no output)");
	if (note)
		buf_printf(&out, "%s%s", !t.len || t.text[t.len - 1] == '\n' ? "" : "\n", note);
	tool_result_text(c->ctx, c->ret, buf_str(&out), out.len);
	put_common(c, i, i->state == PROCESS_TIMEOUT || i->state == PROCESS_KILLED || i->signal ? "failed" : "completed");
	if (i->exit_code >= 0)
		json_set(a, c->details, "exitCode", json_new_int(a, i->exit_code));
	if (i->signal)
		json_set(a, c->details, "exitSignal", json_new_str(a, exec_signal_name(a, i->signal)));
	if (i->state == PROCESS_TIMEOUT)
		json_set(a, c->details, "timedOut", json_new_bool(a, true));
	json_set(a, c->details, "durationMs", json_new_int(a, i->ended_at - i->started_at));
	json_set(a, c->details, "aggregated", json_new_strn(a, t.text, t.len));
	c->ret->is_error = i->state != PROCESS_DONE && i->state != PROCESS_FAILED;
}

/* -- text from outside -- */

static ch_status watch(struct exec_call *c, struct command_watch *ret, struct ch_err *err)
{
	struct tool_ctx *ctx = c->ctx;
	bool has_scratch = c->is_sandboxed && c->sandbox.access == SANDBOX_NONE;
	struct command_reach reach = { .root = ctx->workspace, .cwd = c->cwd, .sees_all = !c->is_sandboxed };

	if (has_scratch && ctx->host->state_dir)
		reach.root = arena_printf(ctx->arena, "%s/sandboxes/%s", ctx->host->state_dir, c->sandbox.scope_key);
	if (!c->plan.text && cmd_parse(c->command, c->command_len, ctx->arena, &c->plan, NULL))
		c->plan = (struct cmd_plan){ 0 };
	if (!has_scratch && c->plan.text)
		reach.plan = &c->plan;
	return command_watch_begin(ctx, &reach, !c->is_sandboxed || c->sandbox.access != SANDBOX_RO,
				   is_from_outside(c) ? "command" : NULL, c->command, ret, err);
}

/* It runs on: its session hears of its end, also when that is the gateway's. */
static void leave_running(const struct exec_call *c, struct process *p, struct command_watch *w)
{
	const struct tool_ctx *ctx = c->ctx;
	struct process_info i;
	struct ch_err why = { 0 };

	process_background(p);
	if (w->source)
		process_taint(p);
	if (w->id[0])
		process_set_record(p, w->id);
	process_info(p, &i);
	if (w->ops && (w->id[0] || !i.is_quiet) && exec_keep_record(ctx->host, p, ctx->arena, &why))
		log_warn("exec", "session=%s: %s is not on record: %s; when the gateway is killed nobody is told of its end",
			 ctx->session_key, i.id, why.text);
}

ch_status exec_run_call(struct exec_call *c, struct ch_err *err)
{
	CH_AUTO(process_unref) struct process *p = NULL;
	CH_AUTO_DONE(command_watch_end) struct command_watch w = { .ops = NULL };
	struct process *started;
	struct process_info i;
	ch_status st;

	st = watch(c, &w, err);
	if (!st)
		st = start(c, &w, &started, err);
	if (st)
		return st;
	p = process_ref(started);
	st = follow(c, p);
	process_info(p, &i);
	if (st) {
		process_discard(p);
		if (i.state == PROCESS_RUNNING)
			w.id[0] = '\0';         /* whoever hears of its end settles it */
		return ch_fail(err, st, "canceled");
	}
	command_watch_read(&w);
	if (i.state == PROCESS_RUNNING) {
		leave_running(c, p, &w);
		w.id[0] = '\0';
		process_info(p, &i);
		result_running(c, p, &i);
		return CH_OK;
	}
	result_ended(c, p, &i);
	process_discard(p);
	return CH_OK;
}
